package accesstoken_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

var registered = jwt.Registered{
	Issuer: "https://as.example", Subject: "alice", Audience: jwt.Audience{"https://api.example"},
	Expiry: time.Now().Add(10 * time.Minute), IssuedAt: time.Now(), ID: "dbe39bf3a3ba",
}

// An authorization server makes an access token, and the API verifies it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(accesstoken.Sign(ctx, key, registered, accesstoken.Claims{
		ClientID: "s6BhdRkqt3", Scope: "orders:read", Groups: json.RawMessage(`["staff"]`),
	}))

	v := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"},
	}))
	t := must(v.Verify(ctx, raw))
	fmt.Println(t.Header().Type == accesstoken.Type, t.Subject, t.Claims.ClientID)
	fmt.Println(t.Claims.HasScope("orders:read"), t.Claims.HasScope("orders:read", "orders:write"))
	fmt.Println(accesstoken.Values(t.Claims.Groups))
	// Output:
	// true alice s6BhdRkqt3
	// true false
	// [staff]
}

// Cognito's access tokens have neither typ nor aud.
func ExampleLenient() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	r := registered
	r.Audience = nil
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, r, map[string]any{"token_use": "access", "client_id": "7", "scope": "read"}))

	p := accesstoken.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}}
	_, err := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, p)).Verify(ctx, raw)
	fmt.Println(err)
	p.Lenient = &accesstoken.Lenient{Claim: "token_use", Value: "access", Clients: []string{"7"}}
	t := must(must(accesstoken.NewVerifier(jwk.Set{key.Public()}, p)).Verify(ctx, raw))
	fmt.Println(t.Claims.ClientID)
	// Output:
	// token refused: typ.mismatch: the token is of another type: want typ at+jwt
	// 7
}
