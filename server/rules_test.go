package server_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// unreachable is a jwks_uri that is not asked: that of a client leads to no address of this machine.
const unreachable = "https://localhost:1/jwks"

// TestDocuments_why holds that what is refused of clients and issuers is refused for its own reason, and not for another that follows.
func TestDocuments_why(t *testing.T) {
	a := start(t, server.Options{VerifySecret: func(context.Context, string, string) (bool, error) { return true, nil }})
	good := jwks(t, key(t).Public())
	for name, x := range map[string]struct {
		change func(*server.Client)
		want   string
	}{
		"metadata that is no JSON": {func(c *server.Client) { c.Metadata.Extra = map[string]json.RawMessage{"x": []byte("{")} }, "document cannot be used"},
		"a chosen secret of none":  {func(c *server.Client) { c.Metadata.AuthMethod, c.ChosenSecret = "none", "x" }, "has no secret"},
		"a claim with a member twice": {func(c *server.Client) {
			c.Claims = map[string]any{"x": json.RawMessage(`{"a":1,"a":2}`)}
		}, "twice"},
		"an unknown algorithm to sign":     {signsWith("x", good), "token_endpoint_auth_signing_alg"},
		"one of secrets":                   {signsWith("HS256", good), "token_endpoint_auth_signing_alg"},
		"one of encryption":                {signsWith("ECDH-ES", good), "token_endpoint_auth_signing_alg"},
		"an unknown one to encrypt":        {encryptsWith("x", "", good), "introspection_encrypted_response_alg"},
		"one of secrets to encrypt":        {encryptsWith("dir", "", good), "introspection_encrypted_response_alg"},
		"one of signatures to encrypt":     {encryptsWith("ES256", "", good), "introspection_encrypted_response_alg"},
		"an unknown encryption of content": {encryptsWith("ECDH-ES", "x", good), "introspection_encrypted_response_enc"},
		"one that was never there":         {func(c *server.Client) { c.Version = 1 }, "there is none"},
	} {
		c := server.Client{ID: "x", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}}}
		x.change(&c)
		if _, err := a.SaveClient(ctx, c); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	private, err := key(t).PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	text, err := private.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(`{"keys":[{"kty":"oct","alg":"HS256","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}`)
	for name, x := range map[string]struct {
		change func(*server.TrustedIssuer)
		want   string
	}{
		"a name that is too long":      {func(i *server.TrustedIssuer) { i.Issuer = "https://" + strings.Repeat("x", 2000) }, "1024 bytes"},
		"a private key":                {func(i *server.TrustedIssuer) { i.JWKS = append(append([]byte(`{"keys":[`), text...), "]}"...) }, "private or secret"},
		"a secret key":                 {func(i *server.TrustedIssuer) { i.JWKS = secret }, "private or secret"},
		"keys from nowhere":            {func(i *server.TrustedIssuer) { i.JWKS, i.JWKSURI = nil, "http://idp.example/jwks" }, "http"},
		"discovery from nowhere":       {func(i *server.TrustedIssuer) { i.JWKS, i.Discover, i.Issuer = nil, true, "http://idp.example" }, "http"},
		"an ID token client of nobody": {func(i *server.TrustedIssuer) { i.IDTokenClients = []string{""} }, ""},
		"an audience of nobody":        {func(i *server.TrustedIssuer) { i.AccessTokenAudiences = []string{""} }, ""},
		"a short secret": {func(i *server.TrustedIssuer) {
			i.JWKS, i.LegacyBitbucket, i.Secrets = nil, true, map[string]string{"a": "short"}
		}, "bytes"},
	} {
		i := server.TrustedIssuer{Issuer: "https://i.example", JWKS: good, Subjects: []string{"*"}}
		x.change(&i)
		if _, err := a.SaveIssuer(ctx, i); !errors.Is(err, server.ErrDocument) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := a.SaveIssuer(ctx, server.TrustedIssuer{Issuer: "x", Version: 1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an issuer that was never there: %v", err)
	}
}

func signsWith(alg string, keys json.RawMessage) func(*server.Client) {
	return func(c *server.Client) {
		c.Metadata.AuthMethod, c.Metadata.JWKS, c.Metadata.AuthSigningAlg = clientauth.PrivateKeyJWT, keys, alg
	}
}

func encryptsWith(alg, enc string, keys json.RawMessage) func(*server.Client) {
	return func(c *server.Client) {
		c.Metadata.JWKS, c.Metadata.IntrospectionEncryptedAlg, c.Metadata.IntrospectionEncryptedEnc = keys, alg, enc
	}
}

// unpublished are keys that sign, and cannot be listed.
type unpublished struct{ *lostKeys }

func (unpublished) Set(context.Context) (jwk.Set, time.Duration, error) { return nil, 0, errLost }

// TestKeysLost answers that something is down, whatever was asked for, while there is no key to sign or to verify with.
func TestKeysLost(t *testing.T) {
	keys := &unverifying{lostKeys: lostKeys{signing: server.FixedKeys(key(t))}}
	a := start(t, server.Options{Keys: keys})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	o := a.add("o", "", func(c *server.Client) { c.Opaque = true })
	access, opaque := a.token(c, "grant_type", "client_credentials").text("access_token"), a.token(o, "grant_type", "client_credentials").text("access_token")
	refresh := a.family(c, k)
	requests := map[string]func() answer{
		"a grant":   func() answer { return a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)) },
		"a refresh": func() answer { return a.token(c, "grant_type", "refresh_token", "refresh_token", refresh) },
		"an exchange": func() answer {
			return a.token(c, "grant_type", exchange.GrantType, "subject_token", a.grantOf(k, nil), "subject_token_type", string(exchange.JWT))
		},
		"a signed answer": func() answer { return a.introspect(o, opaque, "application/token-introspection+jwt") },
		"introspection":   func() answer { return a.introspect(c, access, "") },
		"revocation": func() answer {
			return a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", access)})
		},
	}
	keys.lost.Store(true)
	for name, ask := range requests {
		if w := ask(); w.Code != 503 || !errors.Is(a.last().Err.Cause, errLost) {
			t.Errorf("%s: %d %s, %v", name, w.Code, w.Body, a.last().Err.Cause)
		}
	}
	keys.lost.Store(false)
	keys.broken.Store(true)
	a.token(c, "grant_type", "client_credentials").want(t, 503, oauth.TemporarilyUnavailable)
	keys.broken.Store(false)
	for name, ask := range requests {
		if w := ask(); w.Code != 200 {
			t.Errorf("%s, with keys: %d %s", name, w.Code, w.Body)
		}
	}
}

// unverifying are lostKeys that verify nothing either. Where they are broken, there are keys, which do not sign.
type unverifying struct {
	lostKeys
	broken atomic.Bool
}

type brokenKey struct{ jwk.Signer }

func (brokenKey) AppendSign(context.Context, []byte, []byte) ([]byte, error) { return nil, errLost }

func (k *unverifying) Signer(ctx context.Context, alg jwa.Algorithm) (jwk.Signer, error) {
	signer, err := k.lostKeys.Signer(ctx, alg)
	if err == nil && k.broken.Load() {
		return brokenKey{signer}, nil
	}
	return signer, err
}

func (k *unverifying) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	if k.lost.Load() {
		return nil, errLost
	}
	return k.signing.Keys(ctx, q)
}

// TestKeysOfOthersLost has keys that cannot be fetched: that is nobody's fault who sends a token.
func TestKeysOfOthersLost(t *testing.T) {
	var sent *x509.Certificate
	ended := 0
	a := start(t, server.Options{
		ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return sent, nil },
		Trace: func(ctx context.Context, what string) (context.Context, func(error)) {
			return ctx, func(err error) {
				if what == "keys" && err != nil {
					ended++
				}
			}
		},
	})
	a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKSURI = unreachable })
	a.add("self", "self_signed_tls_client_auth", func(c *server.Client) { c.Metadata.JWKSURI = unreachable })
	enc := a.add("enc", "", func(c *server.Client) {
		c.Metadata.JWKSURI, c.Metadata.IntrospectionEncryptedAlg = unreachable, "ECDH-ES"
	})
	cc := form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(key(t), nil))
	a.do(call{path: "/token", form: cc}).want(t, 503, oauth.TemporarilyUnavailable)
	if ended != 1 {
		t.Errorf("%d failures to fetch are traced", ended)
	}
	sent, _ = certificate(t, nil, nil, nil)
	a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "self")}).want(t, 503, oauth.TemporarilyUnavailable)
	if w := a.introspect(enc, "x", ""); w.Code != 503 || !strings.Contains(a.last().Err.Cause.Error(), "localhost") {
		t.Errorf("%d %s: %v", w.Code, w.Body, a.last().Err.Cause)
	}
	// Keys that are there, and do not encrypt.
	k := key(t)
	j, err := k.Public().JWK().With("alg", "ES256")
	if err != nil {
		t.Fatal(err)
	}
	none := a.add("none", clientauth.PrivateKeyJWT, func(c *server.Client) {
		c.Metadata.JWKS, c.Metadata.AuthSigningAlg, c.Metadata.IntrospectionEncryptedAlg = must(map[string]any{"keys": []any{j}}), "ES256", "ECDH-ES"
	})
	w := a.do(call{path: "/introspect", form: form("token", "x", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = none.ID, none.ID }))})
	w.want(t, 500, oauth.ServerError)
}

// TestKeysOfIssuers fetches the keys of a trusted issuer from where they are, or from where its metadata says, but not both.
func TestKeysOfIssuers(t *testing.T) {
	k := key(t)
	var asked atomic.Int64
	var idp *httptest.Server
	idp = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/jwks":
			asked.Add(1)
			_, _ = w.Write(jwks(t, k.Public()))
		case "/.well-known/oauth-authorization-server":
			_, _ = w.Write(must(map[string]any{"issuer": idp.URL, "jwks_uri": idp.URL + "/jwks", "response_types_supported": []string{}}))
		default:
			http.NotFound(w, r)
		}
	}))
	defer idp.Close()
	for name, change := range map[string]func(*server.TrustedIssuer){
		"jwks_uri": func(i *server.TrustedIssuer) { i.JWKSURI = idp.URL + "/jwks" },
		"discover": func(i *server.TrustedIssuer) { i.Discover = true },
	} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			a := start(t, server.Options{})
			a.trust(k, func(i *server.TrustedIssuer) { i.Issuer, i.JWKS = idp.URL, nil; change(i) })
			of := func(k jwk.Signer) answer {
				return a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, func(r *jwt.Registered) { r.Issuer = idp.URL }))})
			}
			of(k).want(t, 200, "")
			of(key(t)).want(t, 400, oauth.InvalidGrant)
			if asked.Load() == 0 {
				t.Error("its keys are not fetched")
			}
		})
	}
}

// TestSealedForOthers tells the operator, and nobody else, that secrets were sealed with a secret which the server has not.
func TestSealedForOthers(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", clientauth.ClientSecretJWT, nil)
	const secret = "the shared secret of an installation, 32 bytes or more"
	a.AddIssuer(t, server.TrustedIssuer{Issuer: "app-key", LegacyBitbucket: true, Subjects: []string{"*"}, Secrets: map[string]string{"client-key": secret}})
	b := start(t, server.Options{Issuer: a.URL, Store: a.Options.Store, Keys: a.Options.Keys})
	for name, x := range map[string]call{
		"a client": {path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(hmacKey(t, c.Secret), nil))},
		"an app":   {path: "/token", header: http.Header{"Authorization": {"JWT " + ofBitbucket(t, secret, "client-key")}}, form: form("grant_type", grant.BitbucketGrantType)},
	} {
		a.do(x).want(t, 200, "")
		if w := b.do(x); w.Code != 500 || !strings.Contains(b.last().Err.Cause.Error(), "cannot be opened") || strings.Contains(w.Body.String(), "opened") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func hmacKey(t *testing.T, secret string) *jwk.SecretKey {
	t.Helper()
	k, err := jwk.NewSecretKey(jwa.HS256, "", []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ofBitbucket is a token of an installation of an app of Bitbucket.
func ofBitbucket(t *testing.T, secret, installation string) string {
	t.Helper()
	raw, err := jwt.Sign(ctx, hmacKey(t, secret), jwt.Header{}, jwt.Registered{Issuer: "app-key", Subject: installation, IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute)}, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// meanwhile does something while a request is dealt with: when a token is marked as used.
type meanwhile struct {
	*failing
	do func()
}

func (m *meanwhile) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	if m.do != nil {
		m.do()
	}
	return m.failing.Use(ctx, now, uses...)
}

// TestClientChangesMeanwhile has a client change between the look at its keys and the end of its authentication.
func TestClientChangesMeanwhile(t *testing.T) {
	m := &meanwhile{failing: &failing{Store: memstore.New()}}
	a := start(t, server.Options{Store: m})
	k := key(t)
	c := a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	save := func(change func(*server.Client)) {
		now, err := a.Client(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		change(now)
		if _, err := a.SaveClient(ctx, *now); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(do func()) answer {
		m.do = do
		defer func() { m.do = nil }()
		return a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(k, nil))})
	}
	ask(nil).want(t, 200, "")
	ask(func() {
		save(func(*server.Client) {}) // it is not in memory any more
		m.fail.Store(m.calls.Load() + 2)
	}).want(t, 503, oauth.TemporarilyUnavailable)
	m.fail.Store(0)
	ask(func() { save(func(c *server.Client) { c.Metadata.AuthMethod = "client_secret_basic" }) }).want(t, 401, oauth.InvalidClient)
	save(func(c *server.Client) { c.Metadata.AuthMethod = clientauth.PrivateKeyJWT })
	ask(func() {
		if err := a.DeleteClient(ctx, c.ID); err != nil {
			t.Error(err)
		}
	}).want(t, 401, oauth.InvalidClient)
}

// spoilt is a store that gives back something else than was put into it.
type spoilt struct {
	store.Store
	on atomic.Bool
}

func (s *spoilt) Document(ctx context.Context, kind, id string) (store.Document, error) {
	d, err := s.Store.Document(ctx, kind, id)
	if s.on.Load() {
		d.Body = []byte("{")
	}
	return d, err
}

func (s *spoilt) Documents(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	all, err := s.Store.Documents(ctx, kind, after, limit)
	for i := range all {
		all[i].Body = []byte("{")
	}
	return all, err
}

func (s *spoilt) Grant(ctx context.Context, now time.Time, id string) (store.Grant, error) {
	g, err := s.Store.Grant(ctx, now, id)
	if s.on.Load() {
		g.Body = []byte("{")
	}
	return g, err
}

func (s *spoilt) Grants(ctx context.Context, now time.Time, f store.GrantFilter) ([]store.Grant, error) {
	all, err := s.Store.Grants(ctx, now, f)
	for i := range all {
		all[i].Body = []byte("{")
	}
	return all, err
}

func (s *spoilt) Rotate(ctx context.Context, now time.Time, r store.Rotation) (store.Outcome, store.Grant, error) {
	o, g, err := s.Store.Rotate(ctx, now, r)
	if s.on.Load() {
		g.Body = []byte("{")
	}
	return o, g, err
}

func (s *spoilt) Record(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	r, err := s.Store.Record(ctx, now, kind, key)
	if s.on.Load() {
		r.Body = []byte("{")
	}
	return r, err
}

// TestStoreSpoilt holds that what cannot be read of the store is never taken for something.
func TestStoreSpoilt(t *testing.T) {
	s := &spoilt{Store: memstore.New()}
	a := start(t, server.Options{Store: s})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	o := a.add("o", "", func(c *server.Client) { c.Opaque = true })
	refresh, opaque := a.family(c, k), a.token(o, "grant_type", "client_credentials").text("access_token")
	a.introspect(c, refresh, "").want(t, 200, "")
	grants, err := s.Store.Grants(ctx, time.Now(), store.GrantFilter{Client: "c", Limit: 10})
	if err != nil || len(grants) != 1 {
		t.Fatal(err, grants)
	}
	s.on.Store(true)
	for name, w := range map[string]answer{
		"introspection of a refresh token": a.introspect(c, refresh, ""),
		"introspection of an opaque token": a.introspect(o, opaque, ""),
		"revocation of an opaque token":    a.do(call{path: "/revoke", header: basic(o.ID, o.Secret), form: form("token", opaque)}),
		"a scope of a refresh token":       a.token(c, "grant_type", "refresh_token", "refresh_token", refresh, "scope", "read"),
		"a refresh token":                  a.token(c, "grant_type", "refresh_token", "refresh_token", refresh),
	} {
		if w.Code < 500 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	for name, call := range map[string]func() error{
		"a client":  func() error { _, err := a.Client(ctx, "c"); return err },
		"clients":   func() error { _, err := a.Clients(ctx, "", 10); return err },
		"an issuer": func() error { _, err := a.Server.Server.Issuer(ctx, stsURL); return err },
		"issuers":   func() error { _, err := a.Issuers(ctx, "", 10); return err },
		"a grant":   func() error { _, err := a.Grant(ctx, grants[0].ID); return err },
		"grants":    func() error { _, err := a.Grants(ctx, store.GrantFilter{Client: "c", Limit: 10}); return err },
	} {
		if err := call(); !errors.Is(err, server.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRefresh_refused holds refresh tokens that ask for something of their own to what those are held to that do not.
func TestRefresh_refused(t *testing.T) {
	f := &failing{Store: memstore.New()}
	a := start(t, server.Options{Store: f})
	k := key(t)
	a.trust(k, nil)
	c, d := a.add("c", "", nil), a.add("d", "", nil)
	raw := a.family(c, k)
	ask := func(c *server.Client, raw string, pairs ...string) answer {
		return a.token(c, append(pairs, "grant_type", "refresh_token", "refresh_token", raw)...)
	}
	ask(d, raw, "scope", "read").want(t, 400, oauth.InvalidGrant)
	ask(c, raw, "scope", `"`).want(t, 400, oauth.InvalidScope)
	ask(c, raw, "resource", "x").want(t, 400, oauth.InvalidTarget)
	ask(c, raw, "authorization_details", "{").want(t, 400, oauth.InvalidAuthorizationDetails)
	f.calls.Store(0)
	ask(c, raw[:len(raw)-2]+"AA").want(t, 400, oauth.InvalidGrant)
	ask(c, "invented").want(t, 400, oauth.InvalidGrant)
	if n := f.calls.Load(); n != 0 {
		t.Errorf("for a token that was not made here the store was asked %d times", n)
	}
	if w := ask(c, raw, "scope", "read"); w.Code != 200 {
		t.Errorf("what was refused has cost the token: %s", w.Body)
	}
	gone := a.family(c, k)
	a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", gone)}).want(t, 200, "")
	ask(c, gone, "scope", "read").want(t, 400, oauth.InvalidGrant)
}

// TestInitialToken_first tells nobody what is wrong with a registration who may not register, and registers once by one token.
func TestInitialToken_first(t *testing.T) {
	var again func()
	f := &failing{Store: memstore.New()}
	a := start(t, server.Options{Store: f, Registration: &server.Registration{Approve: func(_ context.Context, c *server.Client) error {
		if do := again; do != nil {
			again = nil
			do()
		}
		if c.Metadata.Name == "spoilt" {
			c.Lifetime = -1
		}
		return nil
	}}})
	w, _ := a.register("POST", "/register", "x", `[`)
	w.want(t, 401, oauth.InvalidToken)
	token := a.initial()
	again = func() {
		w, _ := a.register("POST", "/register", token, `{}`)
		w.want(t, 201, "")
	}
	w, _ = a.register("POST", "/register", token, `{}`)
	w.want(t, 401, oauth.InvalidToken)

	token = a.initial()
	w, _ = a.register("POST", "/register", token, `{"client_name":"spoilt"}`)
	w.want(t, 400, oauth.InvalidClientMetadata)
	w, _ = a.register("POST", "/register", token, `{"scope":"\""}`)
	w.want(t, 400, oauth.InvalidClientMetadata)
	for name, h := range map[string]http.Header{
		"a malformed type": {"Content-Type": {"application/json; charset"}},
		"a compressed one": {"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}},
	} {
		h.Set("Authorization", "Bearer "+token)
		if w := a.do(call{path: "/register", header: h, body: "{}"}); w.Code != 415 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	w, c := a.register("POST", "/register", token, `{}`)
	w.want(t, 201, "")
	if w, _ = a.register("PUT", "/register/"+c.ClientID, c.RegistrationToken, `[`); w.Code != 400 || !strings.Contains(w.text("error_description"), "no JSON object") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.fail.Store(f.calls.Load() + 1)
	if token, err := a.InitialAccessToken(ctx, time.Hour); err == nil {
		t.Errorf("a token is given out that is not kept: %s", token)
	}
	f.fail.Store(0)
	// The administration may end what a client may do with itself.
	kept, err := a.Client(ctx, c.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	kept.Registered = false
	if _, err := a.SaveClient(ctx, *kept); err != nil {
		t.Fatal(err)
	}
	w, _ = a.register("GET", "/register/"+c.ClientID, c.RegistrationToken, "")
	w.want(t, 401, oauth.InvalidToken)
}

// TestExchange_refused are tokens that an exchange refuses for reasons of their own.
func TestExchange_refused(t *testing.T) {
	now := newClock()
	var broken error
	var verify func()
	a := start(t, server.Options{
		Clock:             now.now,
		ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return nil, broken },
		ExchangeTokens: map[exchange.TokenType]exchange.Verify{exchange.SAML2: func(_ context.Context, raw string) (*exchange.Token, error) {
			if raw == "policy" {
				return nil, jwt.ErrPolicy
			}
			if verify != nil {
				verify()
			}
			return &exchange.Token{Type: exchange.SAML2, Issuer: "https://unknown.example", Subject: "alice", ClientID: "c"}, nil
		}},
	})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) { i.IDTokenClients = []string{"web"} })
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	ask := func(raw string, of exchange.TokenType, pairs ...string) answer {
		return a.token(c, append(pairs, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(of))...)
	}
	id := func(cnf string) string {
		n := now.now().Unix()
		text := string(must(map[string]any{"iss": stsURL, "sub": "alice", "aud": "web", "iat": n, "exp": n + 60}))
		return forge(t, k, `{"alg":"ES256"}`, `{"cnf":`+cnf+","+text[1:])
	}
	for cnf, want := range map[string]string{`"x"`: "cannot be read", `{"jkt":1}`: "cannot be read", `{"kid":"x"}`: "bound to a key"} {
		if w := ask(id(cnf), exchange.IDToken); w.Code != 400 || !strings.Contains(w.text("error_description"), want) {
			t.Errorf("%s: %d %s", cnf, w.Code, w.Body)
		}
	}
	broken = errDown
	if w := ask(id(`{"x5t#S256":"x"}`), exchange.IDToken); w.Code != 400 || !strings.Contains(w.text("error_description"), "cannot be taken") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	bound := a.add("bound", "", func(c *server.Client) { c.Metadata.CertificateBoundTokens = true })
	if w := a.token(bound, "grant_type", "client_credentials"); w.Code != 400 || !strings.Contains(w.text("error_description"), "cannot be taken") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	broken = nil

	ask("policy", exchange.SAML2).want(t, 500, oauth.ServerError)
	ask("x", exchange.SAML2).want(t, 200, "")

	t.Run("a scope that means nothing to the resource", func(t *testing.T) {
		admin := a.add("admin", "", func(c *server.Client) { c.Impersonation, c.Metadata.Scope = true, "read admin" })
		raw := a.token(admin, "grant_type", "client_credentials", "resource", other).text("access_token")
		a.token(admin, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.AccessToken), "resource", servertest.Resource, "scope", "admin").want(t, 400, oauth.InvalidScope)
	})
	t.Run("a token that ends now", func(t *testing.T) {
		raw := a.token(c, "grant_type", "client_credentials").text("access_token")
		now.add(15*time.Minute + 2*time.Second) // which another process of the server may take for earlier
		ask(raw, exchange.AccessToken).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("actors and a scope that cannot be read", func(t *testing.T) {
		signer, err := a.Options.Keys.Signer(ctx, jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		of := func(claims string) answer {
			n := now.now().Unix()
			text := string(must(map[string]any{"iss": a.URL, "sub": "c", "aud": servertest.Resource, "client_id": "c", "iat": n, "exp": n + 60, "jti": rand()}))
			return ask(forge(t, signer, `{"alg":"ES256","typ":"at+jwt"}`, "{"+claims+text[1:]), exchange.AccessToken)
		}
		of("").want(t, 200, "")
		for _, claims := range []string{`"act":"x",`, `"act":{"sub":1},`, `"act":{"sub":"s","iss":1},`, `"act":{"iss":"s","sub":1},`, `"may_act":"x",`, `"scope":"\"",`} {
			of(claims).want(t, 400, oauth.InvalidRequest)
		}
	})
	t.Run("a client that is deleted meanwhile", func(t *testing.T) {
		verify = func() {
			if err := a.DeleteClient(ctx, c.ID); err != nil {
				t.Error(err)
			}
		}
		if w := ask("x", exchange.SAML2); w.Code < 400 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// TestExchange_clients holds the tokens of an issuer to the clients that may present them, whichever type they are of, the actor's too.
func TestExchange_clients(t *testing.T) {
	a := start(t, server.Options{})
	k, actors := key(t), key(t)
	const others = "https://actors.example"
	a.trust(k, func(i *server.TrustedIssuer) { i.Clients, i.IDTokenClients = []string{"c"}, []string{"web"} })
	a.trust(actors, func(i *server.TrustedIssuer) { i.Issuer, i.Clients = others, []string{"d"} })
	machine := func(c *server.Client) { c.Impersonation, c.Delegation = true, true }
	c, d := a.add("c", "", machine), a.add("d", "", machine)
	ask := func(c *server.Client, raw string, of exchange.TokenType, pairs ...string) answer {
		return a.token(c, append(pairs, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(of))...)
	}
	id := func() string {
		now := time.Now()
		raw, err := idtoken.Sign(ctx, k, jwt.Registered{Issuer: stsURL, Subject: "alice", Audience: jwt.Audience{"web"}, IssuedAt: now, Expiry: now.Add(time.Minute)}, idtoken.Claims{})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	ask(c, a.grantOf(k, nil), exchange.JWT).want(t, 200, "")
	ask(d, a.grantOf(k, nil), exchange.JWT).want(t, 400, oauth.InvalidRequest)
	ask(c, id(), exchange.IDToken).want(t, 200, "")
	ask(d, id(), exchange.IDToken).want(t, 400, oauth.InvalidRequest)
	// A subject token that names its actor is exchanged whatever the client is allowed: the actor's token is held to its issuer all the same.
	now := time.Now().Unix()
	subject := func() string {
		return forge(t, k, `{"alg":"ES256"}`, string(must(map[string]any{
			"iss": stsURL, "sub": "alice", "aud": a.URL, "iat": now, "exp": now + 60, "jti": rand(), "may_act": map[string]any{"iss": others, "sub": "team-x"},
		})))
	}
	actor := func() string {
		return a.grantOf(actors, func(r *jwt.Registered) { r.Issuer, r.Subject = others, "team-x" })
	}
	if w := ask(c, subject(), exchange.JWT, "actor_token", actor(), "actor_token_type", string(exchange.JWT)); w.Code != 400 || !strings.Contains(w.text("error_description"), "of that issuer") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestHookOfDetails_spoils refuses details that a hook has made into what is no JSON.
func TestHookOfDetails_spoils(t *testing.T) {
	a := start(t, server.Options{DetailTypes: map[string]func(context.Context, string, *oauth.AuthorizationDetail) error{
		"pay": func(_ context.Context, _ string, d *oauth.AuthorizationDetail) error {
			d.Extra = map[string]json.RawMessage{"x": []byte("{")}
			return nil
		},
	}})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.AuthorizationDetailsTypes = []string{"pay"} })
	a.token(c, "grant_type", "client_credentials", "authorization_details", `[{"type":"pay"}]`).want(t, 400, oauth.InvalidAuthorizationDetails)
}

// TestResourceOfAnyScope takes a resource that knows any scope for one that is meant by it (RFC 9068, Section 3).
func TestResourceOfAnyScope(t *testing.T) {
	a := start(t, server.Options{Resources: []server.Resource{{Identifier: servertest.Resource, Scopes: oauth.Scopes{"write"}}, {Identifier: other}}})
	c := a.add("c", "", nil)
	a.read(a.token(c, "grant_type", "client_credentials", "scope", "read").text("access_token"), other)
	a.read(a.token(c, "grant_type", "client_credentials", "scope", "write").text("access_token"), servertest.Resource)
}

// TestRequests_why holds that a request that is malformed in two ways is told of the first: what comes after is not looked at.
func TestRequests_why(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	h := basic(c.ID, c.Secret)
	h.Set("Content-Type", "text/plain")
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		a.do(call{path: path, header: h, body: "token=x"}).want(t, 415, oauth.InvalidRequest)
	}
	h.Set("Content-Type", "application/x-www-form-urlencoded; x=y")
	a.do(call{path: "/token", header: h, body: "grant_type=client_credentials"}).want(t, 200, "")
	r := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type="))
	r.ContentLength = 100
	r.Header = h.Clone()
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "broke off") {
		t.Errorf("a body that breaks off: %d %s", w.Code, w.Body)
	}
	// Two ways to authenticate are not taken for none, where none is needed.
	k := key(t)
	a.trust(k, nil)
	a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil), "client_secret", c.Secret)}).want(t, 400, oauth.InvalidRequest)
}

// TestBitbucket_exchange takes no JWT of an app of Bitbucket for a token that may be exchanged.
func TestBitbucket_exchange(t *testing.T) {
	a := start(t, server.Options{})
	const secret = "the shared secret of an installation, 32 bytes or more"
	a.AddIssuer(t, server.TrustedIssuer{Issuer: "app-key", LegacyBitbucket: true, Subjects: []string{"*"}, Secrets: map[string]string{"client-key": secret}})
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	a.token(c, "grant_type", exchange.GrantType, "subject_token", ofBitbucket(t, secret, "client-key"), "subject_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
}
