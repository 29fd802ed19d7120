package keyset_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// provider is an issuer as a program meets it, with one key for all its tenants.
func provider() (server *httptest.Server, key *jwk.PrivateKey) {
	key = must(jwk.Generate(jwa.ES256))
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		at, ok := strings.CutSuffix(r.URL.Path, "/.well-known/openid-configuration")
		switch {
		case r.URL.Path == "/jwks":
			_, _ = w.Write(must(jwk.Set{key.Public()}.MarshalJSON()))
		case ok:
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL+at, server.URL+"/jwks")
		default:
			http.NotFound(w, r)
		}
	}))
	return server, key
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

func sign(key jwk.Signer, issuer string) string {
	return must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: issuer, Audience: jwt.Audience{"api"}, Subject: "alice", Expiry: time.Now().Add(time.Hour),
	}, struct{}{}))
}

// One issuer: its identifier is all that is configured.
func ExampleNewIssuer() {
	server, key := provider()
	defer server.Close()
	issuer := server.URL // such as "https://as.example"

	keys, err := keyset.NewIssuer(issuer, keyset.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	v, err := jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{issuer}, Audiences: []string{"api"}})
	if err != nil {
		log.Fatal(err)
	}
	t, err := v.Verify(ctx, sign(key, issuer))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Subject)
	// Output: alice
}

// A set whose URL is known, watched, with bounds of one's own. An outage of the
// server can be seen, and changes nothing for an hour.
func ExampleNewRemote() {
	server, key := provider()
	keys, err := keyset.NewRemote(server.URL+"/jwks", keyset.Options{
		MaxAge:   30 * time.Minute,
		MaxStale: time.Hour, // keyset.NoStale would end it with the expiry
		Header:   http.Header{"Authorization": {"Bearer b"}},
		Observe: func(e keyset.Event) {
			fmt.Println(e.Cause, e.Err == nil, len(e.Added), e.State.Keys)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := keys.Refresh(ctx); err != nil { // at the start, rather than with the first token
		log.Fatal(err)
	}
	set := must(keys.Set(ctx)) // for keys to encrypt to
	server.Close()
	err = keys.Refresh(ctx)
	fmt.Println(errors.Is(err, keyset.ErrUnreachable), len(set))

	var state keyset.State = keys.State()
	fmt.Println(state.Keys, state.Stale, state.Failures, len(state.Skipped))
	found, err := keys.Keys(ctx, jwk.Query{Algorithm: "ES256", KeyID: key.KeyID()})
	fmt.Println(len(found), err)
	_ = keys.Close()
	// Unordered output:
	// asked true 1 1
	// asked false 0 1
	// true 1
	// 1 false 1 0
	// 1 <nil>
}

// Many issuers, each with keys of its own: whoever is not among them is refused before
// anything is fetched.
func ExampleTrust() {
	a, keyA := provider()
	defer a.Close()
	partner := must(jwk.Generate(jwa.EdDSA)) // whose key came by other ways

	var trust keyset.Trust
	for issuer, keys := range map[string]jwk.Source{
		a.URL:                     must(keyset.NewIssuer(a.URL, keyset.Options{})),
		"https://partner.example": jwk.Set{partner.Public()},
	} {
		if err := trust.Add(issuer, keys); err != nil {
			log.Fatal(err)
		}
	}
	v := must(jwt.NewVerifier[struct{}](&trust, jwt.Policy{AnyIssuer: true, Selector: "iss", Audiences: []string{"api"}}))
	verify := func(raw string) {
		_, err := v.Verify(ctx, raw)
		fmt.Println(err)
	}
	verify(sign(keyA, a.URL))
	verify(sign(partner, "https://partner.example"))
	verify(sign(partner, a.URL))
	verify(sign(partner, "https://stranger.example"))

	trust.Remove("https://partner.example") // while tokens are verified
	verify(sign(partner, "https://partner.example"))
	fmt.Println(len(trust.Issuers()))
	// Output:
	// <nil>
	// <nil>
	// token refused: key.none: the keys do not serve this token: no key fits
	// token refused: issuer.untrusted: the keys do not serve this token: no key fits: the issuer is not trusted
	// token refused: issuer.untrusted: the keys do not serve this token: no key fits: the issuer is not trusted
	// 1
}

// The tenants of one provider, which publishes one set for all of them.
func ExampleTrust_AddTemplate() {
	server, key := provider()
	defer server.Close()
	var trust keyset.Trust
	template := keyset.Template{
		Issuer:  server.URL + "/{tenantid}/v2.0", // such as https://login.microsoftonline.com/{tenantid}/v2.0
		Tenants: []string{"contoso", "fabrikam"},
		Keys:    must(keyset.NewRemote(server.URL+"/jwks", keyset.Options{})),
	}
	if err := trust.AddTemplate(template); err != nil {
		log.Fatal(err)
	}
	v := must(jwt.NewVerifier[struct{}](&trust, jwt.Policy{AnyIssuer: true, Selector: "iss", Audiences: []string{"api"}}))
	for _, tenant := range []string{"contoso", "evil"} {
		t, err := v.Verify(ctx, sign(key, server.URL+"/"+tenant+"/v2.0"))
		if err != nil {
			fmt.Println(errors.Is(err, keyset.ErrUntrusted))
			continue
		}
		fmt.Println(template.Tenant(t.Issuer))
	}
	_ = trust.Close()
	// Output:
	// contoso true
	// true
}

// What cannot be right is refused when the source is made, and what the metadata says
// that it may not is refused when it is read.
func Example_refused() {
	_, err := keyset.NewRemote("http://as.example/jwks", keyset.Options{})
	fmt.Println(errors.Is(err, keyset.ErrRefusedURL))
	_, err = keyset.NewIssuer("https://as.example", keyset.Options{MinAge: time.Hour, MaxAge: time.Minute})
	fmt.Println(errors.Is(err, keyset.ErrOptions))

	documents := []string{
		`{"issuer":"https://other.example","jwks_uri":"https://other.example/jwks"}`,
		`{"issuer":"http://HOST","jwks_uri":"https://169.254.169.254/latest/meta-data/"}`,
	}
	for _, document := range documents {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, strings.Replace(document, "HOST", r.Host, 1))
		}))
		_, err := must(keyset.NewIssuer(server.URL, keyset.Options{MaxStale: keyset.NoStale})).Keys(ctx, jwk.Query{Algorithm: "ES256"})
		fmt.Println(errors.Is(err, keyset.ErrIssuer), errors.Is(err, keyset.ErrRefusedURL), errors.Is(err, keyset.ErrStale))
		server.Close()
	}
	// Output:
	// true
	// true
	// true false false
	// false true false
}
