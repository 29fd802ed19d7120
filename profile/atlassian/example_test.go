package atlassian_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/atlassian"
)

// Installations are the secrets of the products that the app is installed in, by client key.
type Installations map[string]jwk.Set

func (i Installations) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return i[q.Selector].Keys(ctx, q)
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A product calls an app, which verifies the request.
func Example() {
	ctx := context.Background()
	secret := must(jwk.GenerateSecret(jwa.HS256))
	target := must(url.Parse("https://app.example/jira/issue?id=10023"))
	raw := must(atlassian.Sign(ctx, secret, jwt.Registered{
		Issuer: "jira:15489595", Subject: "alice", IssuedAt: time.Now(), Expiry: time.Now().Add(3 * time.Minute),
	}, atlassian.Claims{QueryHash: must(atlassian.QueryHash(http.MethodGet, target, "/jira"))}))

	installations := Installations{"jira:15489595": {secret}}
	v := must(atlassian.NewVerifier(installations, atlassian.Policy{AnyClientKey: true}))
	serve := func(r *http.Request) {
		raw, expect, err := atlassian.FromRequest(r, "/jira")
		if err != nil {
			fmt.Println(err)
			return
		}
		t, err := v.Verify(ctx, raw, expect)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(t.Issuer, t.Subject)
	}
	serve(httptest.NewRequest(http.MethodGet, target.String()+"&jwt="+raw, nil))
	serve(httptest.NewRequest(http.MethodGet, "/jira/issue?id=1&jwt="+raw, nil))
	// Output:
	// jira:15489595 alice
	// token refused: qsh.mismatch: qsh: want the hash of the request
}

// An app calls a product, whose base URL has a path of its own.
func ExampleCanonical() {
	u := must(url.Parse("https://example.atlassian.net/wiki/rest/api/content/?type=page&spaceKey=A B&spaceKey=A"))
	fmt.Println(must(atlassian.Canonical("get", u, "/wiki")))
	fmt.Println(must(atlassian.QueryHash("get", u, "/wiki")))

	_, err := atlassian.Canonical("get", u, "/jira")
	fmt.Println(errors.Is(err, atlassian.ErrRequest))
	// Output:
	// GET&/rest/api/content&spaceKey=A,A%20B&type=page
	// cbdb80966f98af7b06bbe240639bdd804e1831a28431a9f12e4ea6e52f8649a9
	// true
}

// A page of the app gets its token from the product in the browser, tied to no request.
func ExampleExpect() {
	ctx := context.Background()
	secret := must(jwk.GenerateSecret(jwa.HS256))
	raw := must(atlassian.Sign(ctx, secret, jwt.Registered{
		Issuer: "jira:15489595", IssuedAt: time.Now(), Expiry: time.Now().Add(15 * time.Minute),
	}, atlassian.Claims{QueryHash: atlassian.ContextHash}))

	var v *atlassian.Verifier = must(atlassian.NewVerifier(jwk.Set{secret}, atlassian.Policy{ClientKey: "jira:15489595"}))
	r := httptest.NewRequest(http.MethodGet, "/api/settings", nil)
	r.Header.Set("Authorization", "JWT "+raw)
	raw, expect, err := atlassian.FromRequest(r, "")
	fmt.Println(err)
	_, err = v.Verify(ctx, raw, expect)
	fmt.Println(err)
	expect.AllowContext = true
	_, err = v.Verify(ctx, raw, expect)
	fmt.Println(err)
	// Output:
	// <nil>
	// token refused: qsh.mismatch: qsh: want the hash of the request
	// <nil>
}
