package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

var errDown = errors.New("the database is down")

// failing is a store whose call number fail fails, and all that come after it, or that call alone.
type failing struct {
	store.Store
	calls, fail atomic.Int64
	alone       bool
}

func (f *failing) down() error {
	if n, fail := f.calls.Add(1), f.fail.Load(); n == fail || fail > 0 && n > fail && !f.alone {
		return errDown
	}
	return nil
}

func (f *failing) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if err := f.down(); err != nil {
		return store.Document{}, err
	}
	return f.Store.Document(ctx, kind, id)
}

func (f *failing) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if err := f.down(); err != nil {
		return nil, err
	}
	return f.Store.Changes(ctx, after, limit)
}

func (f *failing) LastChange(ctx context.Context) (int64, error) {
	if err := f.down(); err != nil {
		return 0, err
	}
	return f.Store.LastChange(ctx)
}

func (f *failing) PutDocument(ctx context.Context, d store.Document) (int64, error) {
	if err := f.down(); err != nil {
		return 0, err
	}
	return f.Store.PutDocument(ctx, d)
}

func (f *failing) DeleteDocument(ctx context.Context, now time.Time, kind, id string) error {
	if err := f.down(); err != nil {
		return err
	}
	return f.Store.DeleteDocument(ctx, now, kind, id)
}

func (f *failing) AddGrant(ctx context.Context, g store.Grant) error {
	if err := f.down(); err != nil {
		return err
	}
	return f.Store.AddGrant(ctx, g)
}

func (f *failing) Rotate(ctx context.Context, now time.Time, r store.Rotation) (store.Outcome, store.Grant, error) {
	if err := f.down(); err != nil {
		return store.Gone, store.Grant{}, err
	}
	return f.Store.Rotate(ctx, now, r)
}

func (f *failing) Grant(ctx context.Context, now time.Time, id string) (store.Grant, error) {
	if err := f.down(); err != nil {
		return store.Grant{}, err
	}
	return f.Store.Grant(ctx, now, id)
}

func (f *failing) AddRecord(ctx context.Context, now time.Time, r store.Record) error {
	if err := f.down(); err != nil {
		return err
	}
	return f.Store.AddRecord(ctx, now, r)
}

func (f *failing) Record(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if err := f.down(); err != nil {
		return store.Record{}, err
	}
	return f.Store.Record(ctx, now, kind, key)
}

func (f *failing) TakeRecord(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if err := f.down(); err != nil {
		return store.Record{}, err
	}
	return f.Store.TakeRecord(ctx, now, kind, key)
}

func (f *failing) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	if err := f.down(); err != nil {
		return nil, err
	}
	return f.Store.Use(ctx, now, uses...)
}

func (f *failing) Revoke(ctx context.Context, r store.Revocation) (int, error) {
	if err := f.down(); err != nil {
		return 0, err
	}
	return f.Store.Revoke(ctx, r)
}

func (f *failing) Revoked(ctx context.Context, now, issued time.Time, of ...store.Target) (bool, error) {
	if err := f.down(); err != nil {
		return false, err
	}
	return f.Store.Revoked(ctx, now, issued, of...)
}

// Whichever call of the store fails, the answer is that something is down: never that the request was wrong, and never success.
func TestStoreFails(t *testing.T) {
	now := newClock()
	f := &failing{Store: memstore.New(), alone: true} // so that nothing else fails for it
	a := start(t, server.Options{
		Store: f, Clock: now.now, NoDPoPNonce: true, Registration: &server.Registration{Scope: oauth.Scopes{"read"}},
		Resources: []server.Resource{{Identifier: servertest.Resource}, {Identifier: other, Opaque: true}},
		Lifetimes: server.Lifetimes{Access: 10 * store.KeepChanges},
		ExchangeTokens: map[exchange.TokenType]exchange.Verify{exchange.SAML2: func(context.Context, string) (*exchange.Token, error) {
			return &exchange.Token{Type: exchange.SAML2, Issuer: "https://unknown.example", Subject: "alice", ClientID: "c"}, nil
		}},
	})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) { i.AccessTokenAudiences = []string{"https://gateway.example"} })
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	a.add("open", "none", nil)
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	h := basic(c.ID, c.Secret)
	of := func(pairs ...string) call { return call{path: "/token", header: h, form: form(pairs...)} }
	bearer := func(token string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	}
	asserted := func() url.Values {
		return form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = "k", "k" }))
	}
	opaque := func() string {
		return a.token(c, "grant_type", "client_credentials", "resource", other).text("access_token")
	}
	access := func() string { return a.token(c, "grant_type", "client_credentials").text("access_token") }
	for name, make := range map[string]func() call{
		"client credentials": func() call { return of("grant_type", "client_credentials") },
		"an opaque token":    func() call { return of("grant_type", "client_credentials", "resource", other) },
		"a proof": func() call {
			x := of("grant_type", "client_credentials")
			x.header = h.Clone()
			x.header["Dpop"] = []string{a.proof(k, "")}
			return x
		},
		"a client assertion": func() call {
			return call{path: "/token", form: asserted()}
		},
		"a client assertion and a proof": func() call {
			return call{path: "/token", header: http.Header{"Dpop": {a.proof(k, "")}}, form: asserted()}
		},
		"a client assertion and two proofs": func() call {
			return call{path: "/token", header: http.Header{"Dpop": {a.proof(k, ""), a.proof(k, "")}}, form: asserted()}
		},
		"a grant of a public client": func() call {
			return call{path: "/token", form: form("client_id", "open", "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))}
		},
		"a grant of a client": func() call { return of("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)) },
		"a grant":             func() call { return of("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)) },
		"a refresh token":     func() call { return of("grant_type", "refresh_token", "refresh_token", a.family(c, k)) },
		"and a scope": func() call {
			next := a.token(c, "grant_type", "refresh_token", "refresh_token", a.family(c, k)).text("refresh_token")
			return of("grant_type", "refresh_token", "refresh_token", next, "scope", "read")
		},
		"an exchange": func() call {
			return of("grant_type", exchange.GrantType, "subject_token", access(), "subject_token_type", string(exchange.AccessToken))
		},
		"of an opaque one": func() call {
			return of("grant_type", exchange.GrantType, "subject_token", opaque(), "subject_token_type", string(exchange.AccessToken))
		},
		"of what Options know": func() call {
			return of("grant_type", exchange.GrantType, "subject_token", "x", "subject_token_type", string(exchange.SAML2))
		},
		"of a JWT access token": func() call {
			raw, err := accesstoken.Sign(ctx, k, jwt.Registered{Issuer: stsURL, Subject: "alice", Audience: jwt.Audience{"https://gateway.example"}, IssuedAt: now.now(), Expiry: now.now().Add(time.Hour), ID: rand()}, accesstoken.Claims{ClientID: "web"})
			if err != nil {
				t.Fatal(err)
			}
			return of("grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.AccessToken))
		},
		"of a JWT": func() call {
			return of("grant_type", exchange.GrantType, "subject_token", a.grantOf(k, nil), "subject_token_type", string(exchange.JWT))
		},
		"introspection":     func() call { return call{path: "/introspect", header: h, form: form("token", access())} },
		"of opaque":         func() call { return call{path: "/introspect", header: h, form: form("token", opaque())} },
		"of refresh":        func() call { return call{path: "/introspect", header: h, form: form("token", a.family(c, k))} },
		"revocation":        func() call { return call{path: "/revoke", header: h, form: form("token", access())} },
		"revocation opaque": func() call { return call{path: "/revoke", header: h, form: form("token", opaque())} },
		"revocation family": func() call { return call{path: "/revoke", header: h, form: form("token", a.family(c, k))} },
		"registration": func() call {
			return call{path: "/register", body: "{}", header: bearer(a.initial())}
		},
		"of a registered one": func() call {
			_, c := a.register("POST", "/register", a.initial(), "{}")
			return call{method: "GET", path: "/register/" + c.ClientID, header: bearer(c.RegistrationToken)}
		},
		"its update": func() call {
			_, c := a.register("POST", "/register", a.initial(), "{}")
			return call{method: "PUT", path: "/register/" + c.ClientID, header: bearer(c.RegistrationToken), body: `{"client_id":"` + c.ClientID + `"}`}
		},
		"its removal": func() call {
			_, c := a.register("POST", "/register", a.initial(), "{}")
			return call{method: "DELETE", path: "/register/" + c.ClientID, header: bearer(c.RegistrationToken)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for i := int64(1); ; i++ {
				f.fail.Store(0)
				x := make()
				now.add(store.KeepChanges / 2) // nothing is in memory any more
				if slices.ContainsFunc([]string{"grant", "assertion", "JWT", "proof"}, func(s string) bool { return strings.Contains(name, s) }) {
					x = make() // made now, or it would be too old
				}
				f.calls.Store(0)
				f.fail.Store(i)
				w := a.do(x)
				failed := f.calls.Load() >= i
				f.fail.Store(0)
				if !failed {
					if w.Code >= 300 && (name != "a client assertion and two proofs" || w.text("error") != oauth.InvalidDPoPProof) {
						t.Errorf("without a failure: %d %s", w.Code, w.Body)
					}
					if i == 1 {
						t.Error("it asks the store for nothing")
					}
					return
				}
				if name == "registration" && w.Code == 201 {
					// The client is saved. That its token could not be removed makes that no better.
					if w := a.do(x); w.Code != 401 {
						t.Errorf("failure %d: the token was used twice: %d", i, w.Code)
					}
					continue
				}
				if name == "registration" {
					if w := a.do(x); w.Code != 201 {
						t.Errorf("failure %d: the token is lost: %d %s", i, w.Code, w.Body)
					}
				}
				if w.Code != 503 || w.text("error") != oauth.TemporarilyUnavailable || strings.Contains(w.Body.String(), "database") {
					t.Errorf("failure %d: %d %s", i, w.Code, w.Body)
				}
			}
		})
	}
}

// The same of a client that its maker vouches for, by the time of this machine.
func TestStoreFails_attestation(t *testing.T) {
	attester, k := key(t), key(t)
	for i := int64(1); ; i++ {
		f := &failing{Store: memstore.New(), alone: true}
		a := start(t, server.Options{Store: f, Attesters: jwk.Set{attester.Public()}})
		a.add("wallet", attestation.Method, nil)
		h := attested(a, attester, k, "wallet", a.URL, a.do(call{path: "/challenge"}).text("attestation_challenge"))
		f.calls.Store(0)
		f.fail.Store(i)
		w := a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials")})
		if f.calls.Load() < i {
			w.want(t, 200, "")
			return
		}
		w.want(t, 503, oauth.TemporarilyUnavailable)
	}
}

// Whichever call fails by which a client is deleted, a client that is gone has left nothing behind that is good.
func TestDeleteClientFails(t *testing.T) {
	f := &failing{Store: memstore.New(), alone: true}
	a := start(t, server.Options{Store: f})
	k := key(t)
	a.trust(k, nil)
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
	for i := int64(1); ; i++ {
		c := a.add(fmt.Sprint("c", i), "", nil)
		w := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		w.want(t, 200, "")
		f.calls.Store(0)
		f.fail.Store(i)
		err := a.DeleteClient(ctx, c.ID)
		f.fail.Store(0)
		_, gone := a.Client(ctx, c.ID)
		if (gone != nil) != errors.Is(gone, store.ErrNotFound) || err == nil && gone == nil {
			t.Fatalf("failure %d: %v, %v", i, err, gone)
		}
		if gone != nil {
			for _, name := range []string{"access_token", "refresh_token"} {
				if w := a.do(call{path: "/introspect", header: basic(api.ID, api.Secret), form: form("token", w.text(name))}); w.json["active"] != false {
					t.Errorf("failure %d leaves the %s: %s", i, name, w.Body)
				}
			}
		} else if err := a.DeleteClient(ctx, c.ID); err != nil {
			t.Errorf("failure %d, and again: %v", i, err)
		}
		if err == nil {
			return
		}
	}
}

func TestOptions(t *testing.T) {
	k := key(t)
	good := func() server.Options {
		return server.Options{
			Issuer: "https://as.example", Store: memstore.New(), Keys: server.FixedKeys(k), Secrets: [][]byte{[]byte(strings.Repeat("s", 32))},
			Resources: []server.Resource{{Identifier: "https://api.example"}},
		}
	}
	if _, err := server.New(ctx, good()); err != nil {
		t.Fatal(err)
	}
	lost := &lostKeys{signing: server.FixedKeys(k)}
	for name, x := range map[string]struct {
		change func(*server.Options)
		want   string // which says that it is refused for this, and not for what follows
	}{
		"no issuer":             {func(o *server.Options) { o.Issuer = "" }, "there is no Issuer"},
		"an issuer over http":   {func(o *server.Options) { o.Issuer = "http://as.example" }, "issuer"},
		"one with a query":      {func(o *server.Options) { o.Issuer = "https://as.example?x" }, "issuer"},
		"aliases over http":     {func(o *server.Options) { o.MTLSURL = "http://mtls.example" }, "http"},
		"no store":              {func(o *server.Options) { o.Store = nil }, "Store"},
		"no keys":               {func(o *server.Options) { o.Keys = server.FixedKeys() }, "no key"},
		"keys of others":        {func(o *server.Options) { o.Algorithm = jwa.RS256 }, "no key"},
		"a secret algorithm":    {func(o *server.Options) { o.Algorithm = jwa.HS256 }, "Algorithm"},
		"one of encryption":     {func(o *server.Options) { o.Algorithm = jwa.ECDH_ES }, "Algorithm"},
		"no secrets":            {func(o *server.Options) { o.Secrets = nil }, "Secrets"},
		"a short secret":        {func(o *server.Options) { o.Secrets = append(o.Secrets, []byte("short")) }, "32 bytes"},
		"no resources":          {func(o *server.Options) { o.Resources = nil }, "Resources"},
		"none at all":           {func(o *server.Options) { o.Resources = []server.Resource{} }, "Resources"},
		"a relative one":        {func(o *server.Options) { o.Resources[0].Identifier = "/api" }, "resource"},
		"one twice":             {func(o *server.Options) { o.Resources = append(o.Resources, o.Resources[0]) }, "twice"},
		"the server's claim":    {func(o *server.Options) { o.Resources[0].Claims = map[string]any{"iss": "x"} }, "claim"},
		"a claim that is none":  {func(o *server.Options) { o.Resources[0].Claims = map[string]any{"x": make(chan int)} }, "json"},
		"a negative lifetime":   {func(o *server.Options) { o.Lifetimes.Access = -1 }, "lifetime"},
		"a short one":           {func(o *server.Options) { o.Lifetimes.Refresh = time.Millisecond }, "lifetime"},
		"a long one":            {func(o *server.Options) { o.Keys, o.Lifetimes.Access = nil, 50*365*24*time.Hour }, "10 years"},
		"statements of anybody": {func(o *server.Options) { o.Registration = &server.Registration{Statements: jwk.Set{k.Public()}} }, "ssuer"},
		"keys without a list":   {func(o *server.Options) { o.Keys = &unpublished{lost} }, errLost.Error()},
		"types without a verifier": {func(o *server.Options) {
			o.ExchangeTokens = map[exchange.TokenType]exchange.Verify{exchange.SAML2: nil}
		}, "token type"},
	} {
		o := good()
		x.change(&o)
		if _, err := server.New(ctx, o); !errors.Is(err, server.ErrOptions) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
