package ciba_test

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
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/ciba"
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

// A call centre asks for the login of a caller, and the provider finds out whom to ask.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	now := time.Now()
	form := url.Values{
		"request": {must(ciba.Sign(ctx, key, jwt.Registered{
			Issuer: "s6BhdRkqt3", Audience: jwt.Audience{"https://op.example"}, ID: rand.Text(),
			IssuedAt: now, NotBefore: now, Expiry: now.Add(5 * time.Minute),
		}, ciba.Claims{Scope: "openid", LoginHint: "alice@example.com", BindingMessage: "W4SCT", RequestedExpiry: 120}))},
		"client_id": {"s6BhdRkqt3"}, // and what the client authenticates with
	}

	v := must(ciba.NewVerifier(Clients{"s6BhdRkqt3": {key.Public()}}, ciba.Policy{
		Issuer: "https://op.example", AnyClient: true, Replay: jwt.NewReplayCache(1000),
	}))
	raw := must(ciba.FromForm(form))
	t := must(v.Verify(ctx, raw, ciba.Expect{ClientID: "s6BhdRkqt3", Delivery: ciba.Poll}))
	var seconds ciba.Seconds = t.Claims.RequestedExpiry
	fmt.Println(t.Claims.LoginHint, t.Claims.BindingMessage, time.Duration(seconds)*time.Second)

	// With ping or push, the provider needs a token for its answer.
	for _, delivery := range []ciba.Delivery{ciba.Ping, ciba.Push} {
		_, err := v.Verify(ctx, raw, ciba.Expect{ClientID: "s6BhdRkqt3", Delivery: delivery})
		fmt.Println(errors.Is(err, jwt.ErrMissing))
	}
	// Nothing is taken from outside of the token.
	form.Set("login_hint", "mallory@example.com")
	_, err := ciba.FromForm(form)
	fmt.Println(err)
	// Output:
	// alice@example.com W4SCT 2m0s
	// true
	// true
	// oauth: invalid_request: with a signed request all other parameters are in it
}

// One who knows the users says which one is meant, in a token that only the provider needs to understand.
func ExampleSignHint() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(ciba.SignHint(ctx, key, jwt.Registered{
		Issuer: "https://discovery.example", Audience: jwt.Audience{"https://op.example"}, Expiry: time.Now().Add(5 * time.Minute),
	}, ciba.HintClaims{SubjectID: &subjectid.Identifier{Format: subjectid.PhoneNumber, PhoneNumber: "+13302818004"}}))

	var v *ciba.HintVerifier = must(ciba.NewHintVerifier(jwk.Set{key.Public()}, ciba.HintPolicy{
		Issuers: []string{"https://discovery.example"}, Issuer: "https://op.example",
	}))
	t := must(v.Verify(ctx, raw))
	fmt.Println(t.Claims.SubjectID.PhoneNumber)
	// Output: +13302818004
}
