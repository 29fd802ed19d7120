package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

func from(issuer, kid string) jwk.Query {
	return jwk.Query{Algorithm: "EdDSA", KeyID: kid, Selector: issuer}
}

func TestTrust(t *testing.T) {
	a, b := keyNamed(t, "k"), keyNamed(t, "k") // of the same kid
	var trust keyset.Trust
	want := func(issuer string, key *jwk.PrivateKey, code string) {
		t.Helper()
		keys, err := trust.Keys(ctx, from(issuer, "k"))
		wantCode(t, err, code)
		if err == nil && (len(keys) != 1 || keys[0].KeyID() != key.KeyID() || keys[0] != jwk.Verifier(key.Public())) {
			t.Errorf("%s: %v", issuer, keys)
		}
	}
	want("https://a.example", nil, "issuer.untrusted")
	for _, err := range []error{trust.Add("https://a.example", jwk.Set{a.Public()}), trust.Add("https://b.example", jwk.Set{b.Public()})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want("https://a.example", a, "")
	want("https://b.example", b, "")
	for _, stranger := range []string{"", "https://a.example/", "https://A.example", "https://c.example", "a"} {
		want(stranger, nil, "issuer.untrusted")
	}
	if got := trust.Issuers(); !slices.Equal(got, []string{"https://a.example", "https://b.example"}) {
		t.Error(got)
	}
	if err := trust.Add("https://a.example", jwk.Set{b.Public()}); err != nil {
		t.Error(err)
	}
	want("https://a.example", b, "")
	trust.Remove("https://a.example")
	trust.Remove("https://a.example")
	want("https://a.example", nil, "issuer.untrusted")
	want("https://b.example", b, "")

	_, err := trust.Keys(ctx, from("https://evil.example", "k"))
	if !errors.Is(err, keyset.ErrUntrusted) || !errors.Is(err, jwk.ErrNoKey) || strings.Contains(err.Error(), "evil") {
		t.Error(err)
	}
	for _, err := range []error{trust.Add("", jwk.Set{}), trust.Add("https://c.example", nil)} {
		wantCode(t, err, "keys.options")
	}
	if err := trust.Close(); err != nil {
		t.Error(err)
	}
}

func TestTrustBound(t *testing.T) {
	trust := keyset.Trust{Max: 2}
	for i, want := range []string{"", "", "keys.options"} {
		wantCode(t, trust.Add(fmt.Sprint(i), jwk.Set{}), want)
	}
	wantCode(t, trust.Add("1", jwk.Set{}), "") // in place of another
	trust.Remove("0")
	wantCode(t, trust.Add("2", jwk.Set{}), "")

	var big keyset.Trust
	for i := range 1000 {
		if err := big.Add(fmt.Sprint(i), jwk.Set{}); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, big.Add("1000", jwk.Set{}), "keys.options")
}

// Issuers come and go while tokens are verified, and a token verifies only with the
// keys of the issuer that it names. Nothing is fetched for a stranger.
func TestTrustVerifier(t *testing.T) {
	clock := newClock()
	key, other := keyNamed(t, "k"), keyNamed(t, "k")
	s, s2 := newServer(t, key.Public()), newServer(t, other.Public())
	for _, s := range []*issuerServer{s, s2} {
		s.doc["/.well-known/openid-configuration"] = document(s.URL, s.URL+"/jwks")
	}
	var trust keyset.Trust
	if err := trust.Add(s.URL, issuer(t, s.URL, options(clock))); err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier[struct{}](&trust, jwt.Policy{AnyIssuer: true, Selector: "iss", AnyAudience: true, Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	token := func(k *jwk.PrivateKey, iss string) string {
		raw, err := jwt.Sign(ctx, k, jwt.Header{}, jwt.Registered{Issuer: iss, Expiry: clock.Now().Add(time.Hour)}, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, tc := range []struct {
		raw, want string
	}{
		{token(key, s.URL), ""},
		{token(other, s.URL), "sig.invalid"},
		{token(other, s2.URL), "issuer.untrusted"},
		{token(key, s2.URL), "issuer.untrusted"},
		{token(key, "http://169.254.169.254"), "issuer.untrusted"},
		{token(key, ""), "key.none"},
	} {
		_, err := v.Verify(ctx, tc.raw)
		if tc.want == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		refused, ok := errors.AsType[*jwt.RejectError](err)
		if !ok || !refused.Only(tc.want) || !errors.Is(err, jwt.ErrNoKey) && tc.want != "sig.invalid" {
			t.Errorf("%v, want %s", err, tc.want)
		}
	}
	if len(s2.hits) != 0 {
		t.Error("a stranger was asked", s2.hits)
	}
	raw := token(other, s2.URL)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := range 100 {
				if i%10 == 0 {
					if err := trust.Add(fmt.Sprint("https://", i, ".example"), jwk.Set{}); err != nil {
						t.Error(err)
					}
					trust.Remove(fmt.Sprint("https://", i, ".example"))
				}
				_, _ = v.Verify(ctx, raw)
			}
		})
	}
	wait.Wait()
	if err := trust.Add(s2.URL, issuer(t, s2.URL, options(clock))); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(ctx, raw); err != nil {
		t.Error(err)
	}
}

func TestTemplateForms(t *testing.T) {
	for form, ok := range map[string]bool{
		"https://login.example/{tenantid}/v2.0": true,
		"https://login.example/{tenantid}/":     true,
		"https://login.example/{tenantid}":      true,
		"https://login.example/a/{t}/b/c":       true,
		"https://login.example/":                false,
		"https://{tenant}.login.example/":       false,
		"https://{tenant}/":                     false,
		"https://login.example{tenant}/":        false,
		"https://login.example/a{tenant}":       false,
		"https://login.example/{tenant}a":       false,
		"https://login.example/{a}/{b}":         false,
		"https://login.example/{a":              false,
		"https://login.example/a}":              false,
		"https://login.example/?{a}":            false,
		"login.example/{a}":                     false,
		"{a}":                                   false,
		"":                                      false,
	} {
		var trust keyset.Trust
		err := trust.AddTemplate(keyset.Template{Issuer: form, AnyTenant: true})
		if (err == nil) != ok {
			t.Errorf("%q: %v", form, err)
		}
		if err != nil && code(err) != "keys.options" {
			t.Error(err)
		}
		if _, known := (keyset.Template{Issuer: form}).Tenant("https://login.example/x/v2.0"); known != (form == "https://login.example/{tenantid}/v2.0") {
			t.Errorf("%q", form)
		}
	}
}

func TestTemplateTenant(t *testing.T) {
	m := keyset.Template{Issuer: "https://login.example/{tenantid}/v2.0"}
	for issuer, want := range map[string]string{
		"https://login.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0": "9188040d-6c67-4c5b-b112-36a304b66dad",
		"https://login.example/a.b_c~d/v2.0":                              "a.b_c~d",
		"https://login.example//v2.0":                                     "",
		"https://login.example/v2.0":                                      "",
		"https://login.example/a/b/v2.0":                                  "",
		"https://login.example/../v2.0":                                   "",
		"https://login.example/./v2.0":                                    "",
		"https://login.example/a%2fb/v2.0":                                "",
		"https://login.example/a?b/v2.0":                                  "",
		"https://login.example/a#b/v2.0":                                  "",
		"https://login.example/a@b/v2.0":                                  "",
		"https://login.example/a\\b/v2.0":                                 "",
		"https://login.example/{tenantid}/v2.0":                           "",
		"https://login.example/ä/v2.0":                                    "",
		"https://login.example/a/v2.0/":                                   "",
		"https://login.example/A-Z/v2.0":                                  "A-Z",
		"a/v2.0":                                                          "",
		"https://login.example.evil/a/v2.0":                               "",
		"https://evil.example/a/v2.0":                                     "",
		"https://login.example/" + strings.Repeat("a", 128) + "/v2.0":     strings.Repeat("a", 128),
		"https://login.example/" + strings.Repeat("a", 129) + "/v2.0":     "",
		"": "",
	} {
		got, ok := m.Tenant(issuer)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v", issuer, got, ok)
		}
	}
}

func TestTemplateRefuses(t *testing.T) {
	const form = "https://login.example/{t}"
	for name, m := range map[string]keyset.Template{
		"neither":     {Issuer: form},
		"both":        {Issuer: form, Tenants: []string{"a"}, AnyTenant: true},
		"a path":      {Issuer: form, Tenants: []string{"a/b"}},
		"nothing":     {Issuer: form, Tenants: []string{""}},
		"up":          {Issuer: form, Tenants: []string{".."}},
		"a file":      {Issuer: form, AnyTenant: true, Options: keyset.Options{File: "x"}},
		"its options": {Issuer: form, AnyTenant: true, Options: keyset.Options{MinAge: -1}},
	} {
		var trust keyset.Trust
		if err := trust.AddTemplate(m); code(err) != "keys.options" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, ok := (keyset.Template{}).Tenant("a"); ok {
		t.Error(got)
	}
	var trust keyset.Trust
	wantCode(t, trust.AddTemplate(keyset.Template{
		Issuer: form, AnyTenant: true, Keys: remote(t, "https://login.example/", keyset.Options{}), Options: keyset.Options{MinAge: -1},
	}), "keys.options")
	wantCode(t, trust.AddTemplate(keyset.Template{Issuer: "http://login.example/{t}", AnyTenant: true}), "keys.refused_url")
}

// All tenants share one set, whose keys may be for one of them alone.
func TestTemplateSharedKeys(t *testing.T) {
	clock := newClock()
	named := func(k *jwk.PrivateKey, issuer any) string {
		d, err := k.Public().JWK().With("issuer", issuer)
		if err != nil {
			t.Fatal(err)
		}
		return mustJSON(d)
	}
	const form = "https://login.example/{tenantid}/v2.0"
	const a, b = "https://login.example/aaaa/v2.0", "https://login.example/bbbb/v2.0"
	s := newServer(t)
	s.raw = `{"keys":[` + strings.Join([]string{
		named(keyNamed(t, "any"), form), named(keyNamed(t, "a"), a), named(keyNamed(t, "none"), nil), named(keyNamed(t, "odd"), 7),
		named(keyNamed(t, "other"), "https://evil.example/{tenantid}/v2.0"),
		named(keyNamed(t, "two"), a), named(keyNamed(t, "two"), b),
	}, ",") + `]}`
	keys := remote(t, s.URL+"/jwks", options(clock))
	for _, tc := range []struct {
		template keyset.Template
		issuer   string
		kid      string
		n        int
		code     string
	}{
		{keyset.Template{AnyTenant: true}, a, "any", 1, ""},
		{keyset.Template{AnyTenant: true}, b, "any", 1, ""},
		{keyset.Template{AnyTenant: true}, a, "a", 1, ""},
		{keyset.Template{AnyTenant: true}, b, "a", 0, "key.none"},
		{keyset.Template{AnyTenant: true}, b, "none", 1, ""},
		{keyset.Template{AnyTenant: true}, a, "odd", 0, "key.none"},
		{keyset.Template{AnyTenant: true}, a, "other", 0, "key.none"},
		{keyset.Template{AnyTenant: true}, a, "two", 1, ""},
		{keyset.Template{AnyTenant: true}, b, "two", 1, ""},
		{keyset.Template{AnyTenant: true}, a, "stranger", 0, "key.none"},
		{keyset.Template{AnyTenant: true}, "https://login.example/v2.0", "any", 0, "issuer.untrusted"},
		{keyset.Template{Tenants: []string{"aaaa", "cccc"}}, a, "any", 1, ""},
		{keyset.Template{Tenants: []string{"aaaa", "cccc"}}, b, "any", 0, "issuer.untrusted"},
	} {
		var trust keyset.Trust
		tc.template.Issuer, tc.template.Keys = form, keys
		if err := trust.AddTemplate(tc.template); err != nil {
			t.Fatal(err)
		}
		got, err := trust.Keys(ctx, from(tc.issuer, tc.kid))
		wantCode(t, err, tc.code)
		if len(got) != tc.n {
			t.Errorf("%+v: %v", tc, got)
		}
	}
	if s.count("/jwks") != 1 {
		t.Error("a fetch for each", s.count("/jwks"))
	}
	s.down(down)
	clock.Add(3 * time.Hour)
	var trust keyset.Trust
	if err := trust.AddTemplate(keyset.Template{Issuer: form, AnyTenant: true, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	_, err := trust.Keys(ctx, from(a, "any"))
	wantCode(t, err, "keys.stale")
	// What was added by name comes before what a template says.
	own := keyNamed(t, "own")
	if err := trust.Add(a, jwk.Set{own.Public()}); err != nil {
		t.Fatal(err)
	}
	if got, err := trust.Keys(ctx, from(a, "own")); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

// Each tenant has keys of its own, and invented ones cause a bounded number of fetches.
func TestTemplateDiscovery(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	for _, realm := range []string{"a", "b", "c"} {
		s.doc["/realms/"+realm+"/.well-known/openid-configuration"] = document(s.URL+"/realms/"+realm, s.URL+"/jwks")
	}
	trust := keyset.Trust{Max: 3}
	o := options(clock)
	o.MaxStale = keyset.NoStale
	if err := trust.AddTemplate(keyset.Template{Issuer: s.URL + "/realms/{realm}", AnyTenant: true, Options: o}); err != nil {
		t.Fatal(err)
	}
	want := func(realm, code string) {
		t.Helper()
		_, err := trust.Keys(ctx, from(s.URL+"/realms/"+realm, "1"))
		wantCode(t, err, code)
	}
	want("a", "")
	want("a", "")
	if s.count("/jwks") != 1 {
		t.Error(s.hits)
	}
	// Two invented ones take the places that are left.
	for i := range 100 {
		_, err := trust.Keys(ctx, from(fmt.Sprint(s.URL, "/realms/x", i), "1"))
		if want := "issuer.untrusted"; i >= 2 && (code(err) != want || !errors.Is(err, jwk.ErrNoKey)) || i < 2 && code(err) != "keys.unreachable" {
			t.Error(i, err)
		}
	}
	want("b", "issuer.untrusted")
	clock.Add(30 * time.Second)
	want("b", "")
	want("c", "")
	want("d", "issuer.untrusted")
	clock.Add(30 * time.Second)
	want("d", "issuer.untrusted") // those that exist stay
	want("a", "")

	// With NoStale, the options reach the sources as they were given.
	s.down(down)
	clock.Add(10 * time.Minute)
	want("a", "keys.stale")

	if err := trust.Close(); err != nil {
		t.Error(err)
	}
	want("x", "keys.unreachable")
	noGoroutines(t)
}

// Close ends what templates have begun.
func TestTemplateClose(t *testing.T) {
	s := newServer(t)
	s.gate = make(chan struct{})
	var trust keyset.Trust
	if err := trust.AddTemplate(keyset.Template{Issuer: s.URL + "/{t}", Tenants: []string{"a", "b"}, Options: options(newClock())}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := trust.Keys(short, from(s.URL+"/a", "1")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := trust.Close(); err != nil {
		t.Error(err)
	}
	noGoroutines(t)
	_, err := trust.Keys(ctx, from(s.URL+"/b", "1"))
	wantCode(t, err, "keys.unreachable")
	s.with(func() {
		if len(s.hits) > 1 {
			t.Error(s.hits)
		}
	})
}
