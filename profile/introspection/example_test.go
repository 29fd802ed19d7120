package introspection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/introspection"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// An authorization server says what a token is worth, and the API that asked reads it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(introspection.Sign(ctx, key, jwt.Registered{
		Issuer: "https://as.example", Audience: jwt.Audience{"https://api.example"}, IssuedAt: time.Now(),
	}, introspection.Claims{Response: &introspection.Response{
		Active: true, Subject: "alice", ClientID: "s6BhdRkqt3", Scope: "orders:read", Expiry: time.Now().Add(time.Hour),
	}}))

	v := must(introspection.NewVerifier(jwk.Set{key.Public()}, introspection.Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"},
	}))
	form := introspection.Form("mF_9.B5f-4.1JqM", "access_token")
	fmt.Println(form.Encode(), v.Accept() == introspection.MediaType)
	answer := must(v.Read(ctx, introspection.MediaType, []byte(raw)))
	fmt.Println(answer.Active, answer.Subject, answer.Scope)

	t := must(v.Verify(ctx, raw))
	fmt.Println(t.Header().Type == introspection.Type, t.Claims.Response.ClientID)
	// Output:
	// token=mF_9.B5f-4.1JqM&token_type_hint=access_token true
	// true alice orders:read
	// true s6BhdRkqt3
}

// A server that does not sign its answers writes them as JSON. Of a token that is not active it says nothing else.
func ExampleResponse() {
	good := introspection.Response{Active: true, Subject: "alice", Audience: jwt.Audience{"https://api.example"}}
	expired := introspection.Response{Active: false, Subject: "alice"}
	fmt.Println(string(must(json.Marshal(good))))
	fmt.Println(string(must(json.Marshal(expired))))

	var v *introspection.Verifier = must(introspection.NewVerifier(nil, introspection.Policy{Unsigned: true}))
	answer := must(v.Read(context.Background(), "application/json", must(json.Marshal(good))))
	fmt.Println(answer.Active, answer.Audience)
	// Output:
	// {"active":true,"sub":"alice","aud":"https://api.example"}
	// {"active":false}
	// true [https://api.example]
}
