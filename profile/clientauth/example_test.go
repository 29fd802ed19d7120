package clientauth_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/clientauth"
)

// Clients are the keys that clients have registered, by client_id.
type Clients map[string]jwk.Set

func (c Clients) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return c[q.Selector].Keys(ctx, q)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A client makes an assertion, and the authorization server verifies it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {"s6BhdRkqt3"},
		"client_assertion_type": {clientauth.AssertionType},
		"client_assertion": {must(clientauth.Sign(ctx, key, jwt.Registered{
			Issuer: "s6BhdRkqt3", Subject: "s6BhdRkqt3", Audience: jwt.Audience{"https://as.example"},
			Expiry: time.Now().Add(time.Minute), IssuedAt: time.Now(), ID: rand.Text(),
		}, clientauth.Claims{}))},
	}

	v := must(clientauth.NewVerifier(Clients{"s6BhdRkqt3": {key.Public()}}, clientauth.Policy{
		Issuer: "https://as.example", AnyClient: true, Replay: jwt.NewReplayCache(1000),
	}))
	t := must(v.Verify(ctx, form.Get("client_assertion"), clientauth.Expect{ClientID: form.Get("client_id")}))
	fmt.Println(t.Subject, clientauth.Method(t) == clientauth.PrivateKeyJWT, clientauth.Method(t) == clientauth.ClientSecretJWT)
	fmt.Println(t.Header().Type == clientauth.Type)

	// It is good once.
	_, err := v.Verify(ctx, form.Get("client_assertion"), clientauth.Expect{ClientID: form.Get("client_id")})
	fmt.Println(err, errors.Is(err, jwt.ErrReplay))
	// Output:
	// s6BhdRkqt3 true false
	// true
	// token refused: jti.replayed: jti: want a token that was not used before true
}
