package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// Ping fails with the rest of the store.
func (f *failing) Ping(ctx context.Context) error {
	if err := f.down(); err != nil {
		return err
	}
	return f.Store.Ping(ctx)
}

// lostKeys are keys that cannot be had, from some time on.
type signing = server.Keys

type lostKeys struct {
	signing
	lost atomic.Bool
}

var errLost = errors.New("the keys are lost")

func (k *lostKeys) Signer(ctx context.Context, alg jwa.Algorithm) (jwk.Signer, error) {
	if k.lost.Load() {
		return nil, errLost
	}
	return k.signing.Signer(ctx, alg)
}

func (k *lostKeys) Set(ctx context.Context) (jwk.Set, time.Duration, error) {
	if k.lost.Load() {
		return nil, 0, errLost
	}
	return k.signing.Set(ctx)
}

func (k *lostKeys) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.lost.Load() {
			http.Error(w, "the keys cannot be had now", http.StatusServiceUnavailable)
			return
		}
		k.signing.Handler().ServeHTTP(w, r)
	})
}

// TestEvents holds that each answer is told once, and that what is refused has a stable code: of the cause where there is one.
func TestEvents(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	k, stranger, attester := key(t), key(t), key(t)
	f, keys := &failing{Store: memstore.New()}, &lostKeys{signing: server.FixedKeys(k)}
	now := newClock()
	a := start(t, server.Options{
		Store: f, Keys: keys, Clock: now.now, NoDPoPNonce: true, Attesters: jwk.Set{attester.Public()}, Registration: &server.Registration{Scope: oauth.Scopes{"read"}},
		Observe: func(_ context.Context, e *server.Event) { logger.Info("request", slog.Attr{Value: e.LogValue()}) },
	})
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	a.add("p", "client_secret_post", nil)
	a.add("open", "none", nil)
	m := a.add("m", "self_signed_tls_client_auth", func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	_, registered := a.register("POST", "/register", a.initial(), `{}`)
	one := "/register/" + registered.ClientID
	h, wrong := basic(c.ID, c.Secret), basic(c.ID, "wrong")
	cc := form("grant_type", "client_credentials")
	typed := func(typ string) http.Header { return http.Header{"Content-Type": {typ}} }
	bearer := func(token string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
	}
	assertion := func(k jwk.Signer) call {
		return call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(k, nil))}
	}
	grants := func(pairs ...string) call { return call{path: "/token", header: h, form: form(pairs...)} }
	proof := call{path: "/token", header: h.Clone(), form: cc}
	proof.header["Dpop"] = []string{"x"}
	const down, lost = "a store that is down", "keys that are lost"
	for _, x := range []struct {
		call
		endpoint string
		status   int
		code     string
		without  string
	}{
		{call{path: "/token", header: h, form: cc}, "token", 200, "", ""},
		{call{path: "/token", header: h, form: form("x", "y")}, "token", 400, oauth.InvalidRequest, ""},
		{call{path: "/token", header: h, form: form("grant_type", "password")}, "token", 400, oauth.UnsupportedGrantType, ""},
		{call{path: "/token", header: typed("text/plain")}, "token", 415, oauth.InvalidRequest, ""},
		{call{path: "/token", method: "GET"}, "token", 405, oauth.InvalidRequest, ""},
		{call{path: "/token", header: wrong, form: cc}, "token", 401, "client.secret", ""},
		{call{path: "/token", header: basic("nobody", "x"), form: cc}, "token", 401, "client.unknown", ""},
		{call{path: "/token", header: basic("p", "x"), form: cc}, "token", 401, "client.secret", ""},
		{call{path: "/token", header: basic("k", "x"), form: cc}, "token", 401, "client.method", ""},
		{call{path: "/token", header: http.Header{"Authorization": {"Basic !"}}, form: cc}, "token", 401, "client.credentials", ""},
		{call{path: "/token", form: cc}, "token", 401, "client.none", ""},
		{call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "nobody")}, "token", 401, "client.unknown", ""},
		{call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "c")}, "token", 401, "client.credentials", ""},
		{call{path: "/token", form: form("grant_type", "client_credentials", "client_id", m.ID)}, "token", 401, "client.certificate", ""},
		{call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "open")}, "token", 400, oauth.UnauthorizedClient, ""},
		{assertion(stranger), "token", 401, "client.method", ""},
		{proof, "token", 400, "token.malformed", ""},
		{grants("grant_type", "client_credentials", "scope", "all"), "token", 400, oauth.InvalidScope, ""},
		{grants("grant_type", "client_credentials", "resource", "https://elsewhere.example"), "token", 400, oauth.InvalidTarget, ""},
		{grants("grant_type", grant.GrantType, "assertion", a.grantOf(stranger, nil)), "token", 400, "key.none", ""},
		{grants("grant_type", grant.GrantType, "assertion", "x"), "token", 400, "", ""},
		{grants("grant_type", "refresh_token", "refresh_token", "x"), "token", 400, "refresh.unknown", ""},
		{grants("grant_type", exchange.GrantType, "subject_token", "x", "subject_token_type", string(exchange.AccessToken)), "token", 400, "", ""},
		{call{path: "/token", header: h, form: cc}, "token", 503, oauth.TemporarilyUnavailable, down},
		{call{path: "/token", header: h, form: cc}, "token", 503, oauth.TemporarilyUnavailable, lost},
		{call{path: "/introspect", header: h, form: form("token", "x")}, "introspection", 200, "", ""},
		{call{path: "/introspect", header: h, form: form("x", "x")}, "introspection", 400, oauth.InvalidRequest, ""},
		{call{path: "/introspect", header: wrong, form: form("token", "x")}, "introspection", 401, "client.secret", ""},
		{call{path: "/introspect", form: form("token", "x", "client_id", "open")}, "introspection", 401, oauth.InvalidClient, ""},
		{call{path: "/introspect", header: h, form: form("token", "x")}, "introspection", 503, oauth.TemporarilyUnavailable, down},
		{call{path: "/revoke", header: h, form: form("token", "x")}, "revocation", 200, "", ""},
		{call{path: "/revoke", header: h, form: form("x", "x")}, "revocation", 400, oauth.InvalidRequest, ""},
		{call{path: "/revoke", header: wrong, form: form("token", "x")}, "revocation", 401, "client.secret", ""},
		{call{path: "/revoke", header: h, form: form("token", "x")}, "revocation", 503, oauth.TemporarilyUnavailable, down},
		{call{path: "/register", header: typed("application/json"), body: "{}"}, "registration", 401, "registration.missing", ""},
		{call{path: "/register", header: bearer("x"), body: "{}"}, "registration", 401, "registration.token", ""},
		{call{path: "/register", header: bearer(a.initial()), body: "["}, "registration", 400, "json.syntax", ""},
		{call{path: "/register", header: bearer(a.initial()), body: `{"grant_types":["password"]}`}, "registration", 400, oauth.InvalidClientMetadata, ""},
		{call{path: "/register", header: bearer(a.initial()), body: "{}"}, "registration", 503, oauth.TemporarilyUnavailable, down},
		{call{path: one, method: "GET", header: bearer("x")}, "registration", 401, "registration.token", ""},
		{call{path: one, method: "PUT", header: bearer(registered.RegistrationToken), body: "{}"}, "registration", 400, oauth.InvalidClientMetadata, ""},
		{call{path: one, method: "PATCH", header: bearer(registered.RegistrationToken), body: "{}"}, "registration", 405, oauth.InvalidRequest, ""},
		{call{path: one, method: "GET", header: bearer(registered.RegistrationToken)}, "registration", 503, oauth.TemporarilyUnavailable, down},
		{call{path: one, method: "DELETE", header: bearer(registered.RegistrationToken)}, "registration", 204, "", ""},
		{call{path: "/jwks", method: "GET"}, "jwks", 200, "", ""},
		{call{path: "/jwks"}, "jwks", 405, oauth.InvalidRequest, ""},
		{call{path: "/jwks", method: "GET"}, "jwks", 503, oauth.TemporarilyUnavailable, lost},
		{call{path: "/.well-known/oauth-authorization-server", method: "GET"}, "metadata", 200, "", ""},
		{call{path: "/.well-known/openid-configuration", method: "DELETE"}, "metadata", 405, oauth.InvalidRequest, ""},
		{call{path: "/challenge"}, "challenge", 200, "", ""},
		{call{path: "/challenge", method: "GET"}, "challenge", 405, oauth.InvalidRequest, ""},
		{call{path: "/healthz", method: "GET"}, "healthz", 200, "", ""},
		{call{path: "/healthz"}, "healthz", 405, oauth.InvalidRequest, ""},
		{call{path: "/readyz", method: "GET"}, "readyz", 200, "", ""},
		{call{path: "/readyz", method: "GET"}, "readyz", 503, oauth.TemporarilyUnavailable, down},
		{call{path: "/readyz", method: "GET"}, "readyz", 503, oauth.TemporarilyUnavailable, lost},
		{call{path: "/elsewhere", method: "GET"}, "", 404, oauth.InvalidRequest, ""},
	} {
		now.add(2 * time.Second) // documents are looked for again
		if x.without == down {
			now.add(2 * time.Minute)
			f.calls.Store(0)
			f.fail.Store(1)
		}
		keys.lost.Store(x.without == lost)
		log.Reset()
		w := a.do(x.call)
		f.fail.Store(0)
		keys.lost.Store(false)
		name := strings.Join([]string{x.method, x.path, x.form.Encode(), x.body, x.without}, " ")
		if w.Code != x.status {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, x.status)
			continue
		}
		var line struct {
			Endpoint, Error, Description, Code, Cause string
			Status                                    int
		}
		if err := json.Unmarshal(log.Bytes(), &line); err != nil || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s: not one line: %v\n%s", name, err, log.String())
			continue
		}
		if line.Endpoint != x.endpoint || line.Status != x.status || x.code != "" && line.Code != x.code {
			t.Errorf("%s: the log says %s, want %s %d %s", name, log.String(), x.endpoint, x.status, x.code)
		}
		if refused := x.status >= 400; refused != (line.Error != "") || refused != (line.Code != "") || refused != (line.Description != "") {
			t.Errorf("%s: the log says %s", name, log.String())
		}
		if cause := map[string]error{down: errDown, lost: errLost}[x.without]; cause != nil && !strings.Contains(line.Cause, cause.Error()) {
			t.Errorf("%s: the log does not tell the cause: %s", name, log.String())
		}
	}
}

// A client whose secret was sealed with what is lost is told nothing, and the operator why.
func TestEventOfSealedSecret(t *testing.T) {
	kept := memstore.New()
	first := start(t, server.Options{Store: kept, Registration: &server.Registration{Scope: oauth.Scopes{"read"}}})
	_, c := first.register("POST", "/register", first.initial(), `{"token_endpoint_auth_method":"client_secret_jwt"}`)
	// The hash of the registration token is of the first secret too, so both are there, but what was sealed is spoilt.
	d, err := kept.Document(ctx, "client", c.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	sealed := []byte(`"secret_sealed":"`)
	i := bytes.Index(d.Body, sealed)
	if i < 0 {
		t.Fatalf("nothing is sealed in %s", d.Body)
	}
	spoilt := slices.Clone(d.Body)
	copy(spoilt[i+len(sealed):], "AAAAAAAA")
	d.Body = spoilt
	if _, err := kept.PutDocument(ctx, d); err != nil {
		t.Fatal(err)
	}
	again := start(t, server.Options{Issuer: first.URL, Store: kept, Secrets: first.Options.Secrets, Registration: first.Options.Registration})
	w, _ := again.register("PUT", "/register/"+c.ClientID, c.RegistrationToken, `{"client_id":"`+c.ClientID+`","client_secret":"`+c.Secret+`"}`)
	w.want(t, 500, oauth.ServerError)
	if e := again.last(); e.Err == nil || e.Err.Cause == nil || !strings.Contains(e.Err.Cause.Error(), "cannot be opened") || strings.Contains(w.Body.String(), "opened") {
		t.Errorf("%+v %s", e.Err, w.Body)
	}
}

// Of who fails to authenticate the operator learns as whom, if that is a client, and of registrations what they were to do.
func TestEventNames(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{}})
	c := a.add("c", "", nil)
	for id, attempted := range map[string]string{"c": "c", "nobody": "", "a secret in the wrong place": ""} {
		a.do(call{path: "/token", header: basic(id, "x"), form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
		if e := a.last(); e.Attempted != attempted || e.Client != "" {
			t.Errorf("%s: %+v", id, e)
		}
	}
	a.token(c, "grant_type", "client_credentials").want(t, 200, "")
	if e := a.last(); e.Attempted != "" || e.Client != "c" {
		t.Errorf("%+v", e)
	}
	w, r := a.register("POST", "/register", a.initial(), `{}`)
	if e := a.last(); w.Code != 201 || e.Action != "create" || e.Client != r.ClientID {
		t.Errorf("%+v", e)
	}
	for method, action := range map[string]string{"GET": "read", "PUT": "update", "DELETE": "delete"} {
		a.register(method, "/register/"+r.ClientID, "x", `{}`)
		if e := a.last(); e.Action != action || e.Attempted != r.ClientID || e.Client != "" {
			t.Errorf("%+v", e)
		}
	}
}

// TestTrace holds that what takes time is told with its context, and that the store is called with it.
func TestTrace(t *testing.T) {
	type name struct{}
	var mu sync.Mutex
	var begun, ended []string
	within := map[string]string{} // calls of the store
	kept := &told{Store: memstore.New(), call: func(ctx context.Context, what string) {
		mu.Lock()
		defer mu.Unlock()
		in, _ := ctx.Value(name{}).(string)
		within[what] = in
	}}
	a := start(t, server.Options{Store: kept, NoDPoPNonce: true, Trace: func(ctx context.Context, what string) (context.Context, func(error)) {
		mu.Lock()
		defer mu.Unlock()
		outer, _ := ctx.Value(name{}).(string)
		what = outer + "/" + what
		begun = append(begun, what)
		return context.WithValue(ctx, name{}, what), func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				what += " fails"
			}
			ended = append(ended, what)
		}
	}})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	a.bound(c, k, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).want(t, 200, "")
	want := []string{"/authenticate", "/verify", "/verify", "/sign"}
	if !slices.Equal(begun, want) || !slices.Equal(ended, want) {
		t.Errorf("%v %v", begun, ended)
	}
	if within["Document client"] != "/authenticate" || within["Use"] != "/verify" || within["AddGrant"] != "" {
		t.Errorf("%v", within)
	}
	ended = nil
	a.do(call{path: "/token", header: basic("c", "x"), form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
	if !slices.Equal(ended, []string{"/authenticate fails"}) {
		t.Error(ended)
	}
	ended = nil
	a.introspect(c, "x", "application/token-introspection+jwt").want(t, 200, "")
	if !slices.Equal(ended, []string{"/authenticate", "/sign"}) {
		t.Error(ended)
	}
}

// told tells of its calls.
type told struct {
	store.Store
	call func(ctx context.Context, what string)
}

func (s *told) Document(ctx context.Context, kind, id string) (store.Document, error) {
	s.call(ctx, "Document "+kind)
	return s.Store.Document(ctx, kind, id)
}

func (s *told) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	s.call(ctx, "Use")
	return s.Store.Use(ctx, now, uses...)
}

func (s *told) AddGrant(ctx context.Context, g store.Grant) error {
	s.call(ctx, "AddGrant")
	return s.Store.AddGrant(ctx, g)
}

// TestEventAttempted looks at what the operator is told of a JWT that is refused: why, in words, and of which client or issuer. Who has sent it is
// told no more than whether it may be who it says.
func TestEventAttempted(t *testing.T) {
	a := start(t, server.Options{})
	k, stranger := key(t), key(t)
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	a.add("basic", "", nil)
	a.add("mac", clientauth.ClientSecretJWT, nil)
	guess, err := jwk.NewSecretKey(jwa.HS256, "", []byte(strings.Repeat("g", 43)))
	if err != nil {
		t.Fatal(err)
	}
	a.trust(k, nil)
	if _, err := a.SaveIssuer(ctx, server.TrustedIssuer{Issuer: "app", LegacyBitbucket: true, Subjects: []string{"*"}}); err != nil {
		t.Fatal(err)
	}
	assert := func(k jwk.Signer, id string, change func(*jwt.Registered)) url.Values {
		return form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", a.assert(k, func(r *jwt.Registered) {
			if r.Issuer, r.Subject = id, id; change != nil {
				change(r)
			}
		}))
	}
	late := func(r *jwt.Registered) { r.Expiry = r.Expiry.Add(-time.Hour) }
	elsewhere := func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://elsewhere.example"} }
	of := func(issuer string) func(*jwt.Registered) { return func(r *jwt.Registered) { r.Issuer = issuer } }
	grants := func(raw string) url.Values { return form("grant_type", grant.GrantType, "assertion", raw) }
	const unknown = "the client is unknown, or has not authenticated by the method and with the credentials that it has registered"
	for name, x := range map[string]struct {
		form                     url.Values
		client, issuer           string
		code, cause, description string
	}{
		"another key":           {assert(stranger, "k", nil), "k", "", "key.none", "no key fits", unknown},
		"another secret":        {assert(guess, "mac", nil), "mac", "", "sig.invalid", "does not verify", unknown},
		"no such client":        {assert(stranger, "nobody", nil), "", "", "client.unknown", "of no client that there is", unknown},
		"another method":        {assert(k, "basic", nil), "basic", "", "client.method", "the client has registered client_secret_basic, and sends a client_assertion", unknown},
		"an old assertion":      {assert(k, "k", late), "k", "", "exp.expired", "want a time after", "the client_assertion is refused: exp.expired (the token has expired)"},
		"one for another":       {assert(k, "k", elsewhere), "k", "", "aud.mismatch", "want", "the client_assertion is refused: aud.mismatch (the audience is not accepted); aud is to be " + a.URL},
		"no JWT":                {form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", "x"), "", "", "token.malformed", "three parts", "the client_assertion is refused: token.malformed (the token is malformed)"},
		"a grant of another":    {grants(a.grantOf(stranger, nil)), "", stsURL, "key.none", "no key fits", "the assertion is refused: key.none (no key fits)"},
		"an old grant":          {grants(a.grantOf(k, late)), "", stsURL, "exp.expired", "want a time after", "the assertion is refused: exp.expired (the token has expired)"},
		"a grant for another":   {grants(a.grantOf(k, elsewhere)), "", stsURL, "aud.mismatch", "want", "the assertion is refused: aud.mismatch (the audience is not accepted), aud.not_sole (aud: want no other server beside this one); aud is to be " + a.URL},
		"a grant of a stranger": {grants(a.grantOf(stranger, of("https://stranger.example"))), "", "", "issuer.untrusted", "no trusted issuer", "the issuer of the assertion is not trusted, or not for this grant_type"},
		"another grant_type":    {grants(a.grantOf(k, of("app"))), "", "app", "issuer.untrusted", "the other grant_type", "the issuer of the assertion is not trusted, or not for this grant_type"},
	} {
		w := a.do(call{path: "/token", form: x.form})
		e := a.last()
		if e.Attempted != x.client || e.AttemptedIssuer != x.issuer || e.Client != "" || e.Issuer != "" {
			t.Errorf("%s: attempted %q, issuer %q", name, e.Attempted, e.AttemptedIssuer)
		}
		if fault.CodeOf(e.Err.Cause) != x.code || !strings.Contains(e.Err.Cause.Error(), x.cause) {
			t.Errorf("%s: %v", name, e.Err.Cause)
		}
		if w.text("error_description") != x.description {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
	// What is accepted is attempted no more.
	if a.do(call{path: "/token", form: grants(a.grantOf(k, nil))}).want(t, 200, ""); a.last().AttemptedIssuer != "" || a.last().Issuer != stsURL {
		t.Error(a.last())
	}
}

// TestEventCauses looks at the causes behind answers that are the same whatever was wrong.
func TestEventCauses(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now, NoDPoPNonce: true})
	k, other := key(t), key(t)
	a.trust(k, nil)
	c, d, public := a.add("c", "", nil), a.add("d", "", nil), a.add("public", "none", nil)
	free := a.add("free", "", func(c *server.Client) { c.Impersonation, c.Delegation = true, true })
	api := func(id, resource string) *server.Client {
		return a.add(id, "", func(c *server.Client) { c.ResourceServer, c.Impersonation = resource, true })
	}
	refresh := func(c *server.Client, token string, more ...string) call {
		return call{path: "/token", header: basic(c.ID, c.Secret), form: form(append([]string{"grant_type", "refresh_token", "refresh_token", token}, more...)...)}
	}
	swap := func(c *server.Client, more ...string) call {
		subject := a.token(d, "grant_type", "client_credentials").text("access_token")
		return call{path: "/token", header: basic(c.ID, c.Secret), form: form(append([]string{
			"grant_type", exchange.GrantType, "subject_token", subject, "subject_token_type", string(exchange.AccessToken),
		}, more...)...)}
	}
	actor := func(c *server.Client) []string {
		return []string{"actor_token", a.token(c, "grant_type", "client_credentials").text("access_token"), "actor_token_type", string(exchange.AccessToken)}
	}
	// The API that a token is for may exchange it for one of the next.
	a.do(swap(api("api", servertest.Resource), "resource", "https://other.example")).want(t, 200, "")

	reused := a.family(c, k)
	a.do(refresh(c, reused)).want(t, 200, "")
	now.add(time.Hour)
	a.do(refresh(c, reused)).want(t, 400, oauth.InvalidGrant)
	old := a.family(c, k)
	now.add(1000 * time.Hour)
	// Of a public client the tokens are bound.
	proved := func(k *jwk.PrivateKey) http.Header {
		raw, err := dpop.Sign(ctx, k, jwt.Registered{IssuedAt: now.now()}, dpop.Claims{Method: "POST", URL: a.URL + "/token"})
		if err != nil {
			t.Fatal(err)
		}
		return http.Header{"Dpop": {raw}}
	}
	w := a.do(call{path: "/token", header: proved(k), form: form("grant_type", grant.GrantType, "client_id", public.ID, "assertion", a.grantOf(k, nil))})
	w.want(t, 200, "")
	for name, x := range map[string]struct {
		call
		code string
	}{
		"a token that is none":      {refresh(c, "x"), "refresh.unknown"},
		"one that has ended":        {refresh(c, old), "refresh.ended"},
		"one that has ended, less":  {refresh(c, old, "scope", "read"), "refresh.ended"},
		"one of a grant that ended": {refresh(c, reused), "refresh.ended"},
		"another client's":          {refresh(d, a.family(c, k)), "refresh.foreign"},
		"another client's, less":    {refresh(d, a.family(c, k), "scope", "read"), "refresh.foreign"},
		"another client's, more":    {refresh(d, a.family(c, k), "scope", "everything"), "refresh.foreign"},
		"one of another key":        {call{path: "/token", header: proved(other), form: form("grant_type", "refresh_token", "client_id", public.ID, "refresh_token", w.text("refresh_token"))}, "refresh.foreign"},
		"no impersonation":          {swap(c), "exchange.impersonation"},
		"no delegation":             {swap(c, actor(c)...), "exchange.delegation"},
		"another's actor":           {swap(free, actor(c)...), "exchange.actor"},
		"another's token":           {swap(free), "exchange.foreign"},
		"another API's token":       {swap(api("elsewhere", "https://other.example")), "exchange.foreign"},
	} {
		said := "the refresh token is not valid: it has expired, was revoked or used, or is another client's"
		code := oauth.InvalidGrant
		if strings.HasPrefix(x.code, "exchange.") {
			said, code = "nothing permits this party to act for the subject", oauth.InvalidRequest
		}
		w := a.do(x.call)
		if w.want(t, 400, code); w.text("error_description") != said {
			t.Errorf("%s: %s", name, w.Body)
		}
		if got := fault.CodeOf(a.last().Err.Cause); got != x.code {
			t.Errorf("%s: %s, want %s", name, got, x.code)
		}
	}
	again := a.family(c, k)
	a.do(refresh(c, again)).want(t, 200, "")
	now.add(time.Hour)
	a.do(refresh(c, again)).want(t, 400, oauth.InvalidGrant)
	if e := a.last(); fault.CodeOf(e.Err.Cause) != "refresh.reused" || !e.Reused {
		t.Error(e.LogValue())
	}
	// Who is behind a proxy is told under which URL the server knows itself.
	raw, err := dpop.Sign(ctx, k, jwt.Registered{IssuedAt: now.now()}, dpop.Claims{Method: "POST", URL: "https://inner.example/token"})
	if err != nil {
		t.Fatal(err)
	}
	h := basic(c.ID, c.Secret)
	h.Set("DPoP", raw)
	w = a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials")})
	if w.want(t, 400, oauth.InvalidDPoPProof); !strings.HasSuffix(w.text("error_description"), "; htu is to be "+a.URL+"/token") {
		t.Error(w.Body)
	}
}
