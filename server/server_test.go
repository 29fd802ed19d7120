package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

var ctx = context.Background()

const (
	other  = "https://other.example" // a second API
	stsURL = "https://idp.example"   // a trusted issuer
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// as is a server under test, and what it has told its operator.
type as struct {
	*servertest.Server
	t   testing.TB
	mu  sync.Mutex
	log []server.Event
	own bool // it is told itself, and not the test
}

func start(t testing.TB, o server.Options) *as {
	t.Helper()
	a := &as{t: t}
	if a.own = o.Observe == nil; a.own {
		o.Observe = func(ctx context.Context, e *server.Event) {
			if told, ok := ctx.Value(toldKey{}).(*[]server.Event); ok {
				*told = append(*told, *e)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.log = append(a.log, *e)
		}
	}
	if o.Resources == nil {
		o.Resources = []server.Resource{
			{Identifier: servertest.Resource, Scopes: oauth.Scopes{"read", "write"}},
			{Identifier: other, Name: "other", Scopes: oauth.Scopes{"read", "admin"}},
		}
	}
	a.Server = servertest.New(t, o)
	return a
}

func (a *as) last() server.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.log) == 0 {
		return server.Event{}
	}
	return a.log[len(a.log)-1]
}

// add saves a client with the grant types of a machine.
func (a *as) add(id, method string, change func(*server.Client)) *server.Client {
	a.t.Helper()
	c := server.Client{ID: id, Metadata: oauth.ClientMetadata{
		AuthMethod: method, Scope: "read write",
		GrantTypes: []string{"client_credentials", grant.GrantType, exchange.GrantType, "refresh_token"},
	}}
	if change != nil {
		change(&c)
	}
	return a.AddClient(a.t, c)
}

// call is a request, and what came of it.
type call struct {
	method, path string
	header       http.Header
	form         url.Values
	body         string // in place of form
	host         string
}

type answer struct {
	*httptest.ResponseRecorder
	json map[string]any
}

func (a *as) do(c call) answer {
	a.t.Helper()
	body := c.body
	if c.form != nil {
		body = c.form.Encode()
	}
	if c.method == "" {
		c.method = http.MethodPost
	}
	r := httptest.NewRequest(c.method, c.path, strings.NewReader(body))
	if c.form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	if c.host != "" {
		r.Host = c.host
	}
	var told []server.Event
	r = r.WithContext(context.WithValue(r.Context(), toldKey{}, &told))
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	out := answer{w, nil}
	_ = json.Unmarshal(w.Body.Bytes(), &out.json)
	a.explained(r, out, told)
	return out
}

type toldKey struct{}

// explained holds what the operator is told of each request to an endpoint of OAuth to its answer: it is one event, and of an error it
// has the same code.
func (a *as) explained(r *http.Request, w answer, told []server.Event) {
	a.t.Helper()
	path := strings.TrimPrefix(r.URL.Path, "/tenant") // of an issuer with a path
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	names := map[string]string{"token": "token", "introspect": "introspection", "revoke": "revocation", "register": "registration"}
	if names[first] == "" || w.Code == http.StatusNotFound || r.Method == http.MethodOptions || !a.own {
		return
	}
	if len(told) != 1 {
		a.t.Errorf("%s %s: the operator is told %d things", r.Method, r.URL.Path, len(told))
		return
	}
	e := told[0]
	if e.Endpoint != names[first] || e.Status != w.Code || (e.Err != nil) != (w.Code >= 400) || e.Err != nil && e.Err.Code != w.text("error") {
		a.t.Errorf("%s %s: %d %s, and the operator is told %+v", r.Method, r.URL.Path, w.Code, w.Body, e)
	}
	if text := e.LogValue().String(); e.Err != nil && !strings.Contains(text, e.Err.Description) {
		a.t.Errorf("the log does not say why: %s", text)
	}
}

func basic(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}}
}

// token asks the token endpoint in the name of a client with client_secret_basic.
func (a *as) token(c *server.Client, pairs ...string) answer {
	a.t.Helper()
	return a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: form(pairs...)})
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

func (w answer) want(t testing.TB, status int, code string) {
	t.Helper()
	got, _ := w.json["error"].(string)
	if w.Code != status || got != code {
		t.Errorf("%d %s, want %d %s", w.Code, w.Body, status, code)
	}
	if code == "" {
		return
	}
	// RFC 6749, Sections 5.1 and 5.2.
	for name, want := range map[string]string{"Cache-Control": "no-store", "Pragma": "no-cache", "Content-Type": "application/json"} {
		if w.Header().Get(name) != want {
			t.Errorf("%s of %s is %q", name, code, w.Header().Get(name))
		}
	}
	if d := w.text("error_description"); d == "" || strings.ContainsFunc(d, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		t.Errorf("%s is not explained, or in characters that it may not have", w.Body)
	}
	if challenge := w.Header().Get("WWW-Authenticate"); (status == 401) != (challenge != "") { // RFC 9110, Section 15.5.2
		t.Errorf("%d with the challenge %q", status, challenge)
	}
}

func (w answer) text(name string) string {
	s, _ := w.json[name].(string)
	return s
}

func key(t testing.TB) *jwk.PrivateKey {
	t.Helper()
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func jwks(t testing.TB, keys ...jwk.Key) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(jwk.Set(keys))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read verifies an access token as an API does.
func (a *as) read(raw, audience string) *jwt.Token[accesstoken.Claims] {
	a.t.Helper()
	v, err := accesstoken.NewVerifier(a.Options.Keys, accesstoken.Policy{Issuers: []string{a.URL}, Audiences: []string{audience}, JWT: jwt.Policy{Clock: a.Options.Clock}})
	if err != nil {
		a.t.Fatal(err)
	}
	t, err := v.Verify(ctx, raw)
	if err != nil {
		a.t.Fatalf("%v: %s", err, raw)
	}
	return t
}

// time is what it is for the server.
func (a *as) time() time.Time {
	if a.Options.Clock != nil {
		return a.Options.Clock()
	}
	return time.Now()
}

// proof is a DPoP proof for the token endpoint.
func (a *as) proof(k jwk.Signer, nonce string) string {
	a.t.Helper()
	now := a.time()
	raw, err := dpop.Sign(ctx, k, jwt.Registered{IssuedAt: now}, dpop.Claims{Method: "POST", URL: a.URL + "/token", Nonce: nonce})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *as) assert(k jwk.Signer, change func(*jwt.Registered)) string {
	a.t.Helper()
	now := a.time()
	r := jwt.Registered{Issuer: "c", Subject: "c", Audience: jwt.Audience{a.URL}, IssuedAt: now, Expiry: now.Add(time.Minute), ID: rand()}
	if change != nil {
		change(&r)
	}
	raw, err := jwt.Sign(ctx, k, jwt.Header{Type: clientauth.Type}, r, struct{}{})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

var (
	counter   int
	counterMu sync.Mutex
)

func rand() string {
	counterMu.Lock()
	defer counterMu.Unlock()
	counter++
	return "id-" + time.Now().Format("150405.000000000") + string(rune('a'+counter%26))
}

// grantOf is a grant of the trusted issuer.
func (a *as) grantOf(k jwk.Signer, change func(*jwt.Registered)) string {
	a.t.Helper()
	now := a.time()
	r := jwt.Registered{Issuer: stsURL, Subject: "alice", Audience: jwt.Audience{a.URL}, IssuedAt: now, Expiry: now.Add(time.Minute), ID: rand()}
	if change != nil {
		change(&r)
	}
	raw, err := grant.Sign(ctx, k, r, grant.Claims{})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *as) trust(k *jwk.PrivateKey, change func(*server.TrustedIssuer)) {
	a.t.Helper()
	i := server.TrustedIssuer{Issuer: stsURL, JWKS: jwks(a.t, k.Public()), Subjects: []string{"alice", "team-*"}, Scope: "read write", Refresh: true}
	if change != nil {
		change(&i)
	}
	a.AddIssuer(a.t, i)
}

func TestClientCredentials(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	w := a.token(c, "grant_type", "client_credentials")
	w.want(t, 200, "")
	// RFC 6749, Section 5.1.
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" || w.Header().Get("Content-Type") != "application/json" {
		t.Error(w.Header())
	}
	if w.text("token_type") != "Bearer" || w.json["expires_in"] != 900.0 || w.text("scope") != "read write" || w.json["refresh_token"] != nil {
		t.Error(w.Body)
	}
	tok := a.read(w.text("access_token"), servertest.Resource)
	if tok.Subject != "c" || tok.Claims.ClientID != "c" || tok.Claims.Scope != "read write" || tok.ID == "" || tok.Expiry.Sub(tok.IssuedAt) != 15*time.Minute {
		t.Errorf("%+v", tok)
	}
	if e := a.last(); e.Client != "c" || e.Method != "client_secret_basic" || e.Grant != "client_credentials" || e.TokenID != tok.ID || e.Status != 200 || e.Err != nil {
		t.Errorf("%+v", e)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// detailTypes are types of authorization details of which anything may be asked.
func detailTypes(names ...string) map[string]func(context.Context, string, *oauth.AuthorizationDetail) error {
	out := map[string]func(context.Context, string, *oauth.AuthorizationDetail) error{}
	for _, name := range names {
		out[name] = func(context.Context, string, *oauth.AuthorizationDetail) error { return nil }
	}
	return out
}

func must(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// parts are the header and the claims of a JWT, as they are.
func parts(t testing.TB, raw string) (header, claims map[string]any) {
	t.Helper()
	p := strings.Split(raw, ".")
	if len(p) != 3 {
		t.Fatalf("%q is no JWT", raw)
	}
	for i, to := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(p[i])
		if err == nil {
			err = json.Unmarshal(b, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}
