package grant_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/profile/grant"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// An identity provider makes a grant, a client sends it, and the authorization server verifies it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	assertion := must(grant.Sign(ctx, key, jwt.Registered{
		Issuer: "https://idp.example", Subject: "mike@example.com", Audience: jwt.Audience{"https://as.example"},
		Expiry: time.Now().Add(time.Minute), IssuedAt: time.Now(), ID: rand.Text(),
	}, grant.Claims{}))
	form := (&grant.Request{Assertion: assertion}).Values()

	var trust keyset.Trust
	if err := trust.Add("https://idp.example", jwk.Set{key.Public()}); err != nil {
		log.Fatal(err)
	}
	v := must(grant.NewVerifier(&trust, grant.Policy{
		Issuer: "https://as.example", AnyIssuer: true, Replay: jwt.NewReplayCache(1000),
		Subjects: func(issuer, subject string) bool { return strings.HasSuffix(subject, "@example.com") },
	}))
	req := must(grant.ParseRequest(form))
	t := must(v.Verify(ctx, req.Assertion))
	fmt.Println(t.Subject, "of", t.Issuer, t.Header().Type == grant.Type, form.Get("grant_type") == grant.GrantType)

	// It is good once.
	_, err := v.Verify(ctx, req.Assertion)
	fmt.Println(errors.Is(err, jwt.ErrReplay))
	// Output:
	// mike@example.com of https://idp.example true true
	// true
}

// Installations are the secrets of an app's installations, by client key.
type Installations map[string]jwk.Set

func (i Installations) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return i[q.Selector].Keys(ctx, q)
}

// A server takes what apps of Bitbucket Cloud send for an access token.
func ExampleParseLegacyBitbucketRequest() {
	ctx := context.Background()
	secret := must(jwk.NewSecretKey(jwa.HS256, "", []byte("the secret of this installation!")))
	token := must(jwt.Sign(ctx, secret, jwt.Header{}, jwt.Registered{
		Issuer: "my-app", Subject: "connection:479", IssuedAt: time.Now(), Expiry: time.Now().Add(3 * time.Minute),
	}, struct{}{}))
	header := http.Header{"Authorization": {"JWT " + token}}
	form := url.Values{"grant_type": {grant.BitbucketGrantType}}

	v := must(grant.NewVerifier(Installations{"connection:479": {secret}}, grant.Policy{
		Issuer: "https://bitbucket.example", Issuers: []string{"my-app"}, AnySubject: true, LegacyBitbucket: true,
	}))
	req := must(grant.ParseLegacyBitbucketRequest(header, form))
	t := must(v.Verify(ctx, req.Assertion))
	fmt.Println(t.Issuer, "at", t.Subject)
	// Output:
	// my-app at connection:479
}
