package guard

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
)

const (
	now      = profiletest.Now
	issuer   = "https://as.example"
	resource = "https://api.example"
)

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": issuer, "sub": "alice", "aud": resource, "client_id": "c1", "exp": now + 60, "iat": now, "jti": "1",
		"scope": "orders:read orders:write", "acr": "silver", "auth_time": now - 600,
	}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sources is a set of keys that fails on demand.
type sources struct {
	jwk.Set
	err error
}

func (s sources) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Set.Keys(ctx, q)
}

func jwts(t testing.TB, cache int) *accesstoken.Verifier {
	return must(accesstoken.NewVerifier(jwk.Set{profiletest.Key(t).Public()}, accesstoken.Policy{
		Issuers: []string{issuer}, Audiences: []string{resource}, JWT: jwt.Policy{Clock: profiletest.Clock, CacheSize: cache},
	}))
}

func proofs(nonces dpop.Nonces) *dpop.Verifier {
	return must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(64), Nonces: nonces, JWT: jwt.Policy{Clock: profiletest.Clock}}))
}

func some(t testing.TB) Policy {
	return Policy{Resource: resource, JWT: jwts(t, 0), Clock: profiletest.Clock}
}

// hello is a handler behind a guard.
var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	t := FromContext(r.Context())
	_, _ = io.WriteString(w, "hello "+t.Subject+" of "+t.ClientID)
})

func serve(g *Guard, need Need, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	g.Handler(hello, need).ServeHTTP(w, r)
	return w.Result()
}

func get(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders?limit=3", nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return r
}

// want holds a response to its status and, unless it is 200, to the errors of its challenges.
func want(t *testing.T, resp *http.Response, status int, challenges ...string) {
	t.Helper()
	if resp.StatusCode != status {
		b, _ := io.ReadAll(resp.Body)
		t.Errorf("status %d, want %d: %v %s", resp.StatusCode, status, resp.Header["Www-Authenticate"], b)
	}
	got, err := oauth.ParseChallenges(resp.Header["Www-Authenticate"])
	if err != nil || len(got) != len(challenges) {
		t.Fatalf("challenges %v, want %v, %v", resp.Header["Www-Authenticate"], challenges, err)
	}
	for i, c := range got {
		s := c.Scheme
		if c.Error != nil {
			s += " " + c.Error.Code
		}
		if s != challenges[i] {
			t.Errorf("challenge %q, want %q: %v", s, challenges[i], resp.Header["Www-Authenticate"])
		}
	}
}

func TestBearer(t *testing.T) {
	key := profiletest.Key(t)
	raw := good.Sign(t, key, accesstoken.Type)
	opaque := "an_opaque.token"
	for name, tc := range map[string]struct {
		request    *http.Request
		need       Need
		status     int
		challenges []string
		says       string // in the challenge
	}{
		"good":               {get("Bearer " + raw), Need{}, 200, nil, ""},
		"any case":           {get("bEARER " + raw), Need{}, 200, nil, ""},
		"more spaces":        {get("Bearer   " + raw), Need{}, 200, nil, ""},
		"no token":           {get(), Need{}, 401, []string{"Bearer"}, ""},
		"another scheme":     {get("Basic YTpi"), Need{}, 401, []string{"Bearer"}, ""},
		"a scheme alone":     {get("Bearer"), Need{}, 400, []string{"Bearer invalid_request"}, ""},
		"no token68":         {get("Bearer a b"), Need{}, 400, []string{"Bearer invalid_request"}, ""},
		"only padding":       {get("Bearer =="), Need{}, 400, []string{"Bearer invalid_request"}, ""},
		"two headers":        {get("Bearer "+raw, "Bearer "+raw), Need{}, 400, []string{"Bearer invalid_request"}, "several"},
		"in the URL":         {httptest.NewRequest("GET", "/?access_token="+raw, nil), Need{}, 400, []string{"Bearer invalid_request"}, "URL"},
		"in both places":     {func() *http.Request { r := get("Bearer " + raw); r.URL.RawQuery = "access_token=" + raw; return r }(), Need{}, 400, []string{"Bearer invalid_request"}, "several"},
		"later in the URL":   {httptest.NewRequest("GET", "/?a=b&access_token="+raw, nil), Need{}, 400, []string{"Bearer invalid_request"}, "URL"},
		"another parameter":  {httptest.NewRequest("GET", "/?no_access_token=x", nil), Need{}, 401, []string{"Bearer"}, ""},
		"no JWT":             {get("Bearer " + opaque), Need{}, 401, []string{"Bearer invalid_token"}, "token.malformed"},
		"expired":            {get("Bearer " + good.With("exp", now-61).Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "exp.expired"},
		"another audience":   {get("Bearer " + good.With("aud", "https://other.example").Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "aud.mismatch"},
		"an ID token":        {get("Bearer " + good.With("nonce", "n").Sign(t, key, "JWT")), Need{}, 401, []string{"Bearer invalid_token"}, "typ.mismatch"},
		"by scheme DPoP":     {get("DPoP " + raw), Need{}, 401, []string{"Bearer invalid_token"}, "not bound"},
		"scope":              {get("Bearer " + raw), Need{Scopes: []string{"orders:read"}}, 200, nil, ""},
		"scopes":             {get("Bearer " + raw), Need{Scopes: []string{"orders:write", "orders:read"}}, 200, nil, ""},
		"a scope missing":    {get("Bearer " + raw), Need{Scopes: []string{"orders:read", "orders:delete"}}, 403, []string{"Bearer insufficient_scope"}, `scope="orders:read orders:delete"`},
		"a part of a scope":  {get("Bearer " + raw), Need{Scopes: []string{"orders"}}, 403, []string{"Bearer insufficient_scope"}, ""},
		"the empty scope":    {get("Bearer " + raw), Need{Scopes: []string{""}}, 403, []string{"Bearer insufficient_scope"}, ""},
		"an acr":             {get("Bearer " + raw), Need{ACRValues: []string{"gold", "silver"}}, 200, nil, ""},
		"another acr":        {get("Bearer " + raw), Need{ACRValues: []string{"gold", "platinum"}}, 401, []string{"Bearer insufficient_user_authentication"}, `acr_values="gold platinum"`},
		"a fresh login":      {get("Bearer " + raw), Need{MaxAge: 10 * time.Minute}, 200, nil, ""},
		"a stale login":      {get("Bearer " + raw), Need{MaxAge: 599 * time.Second}, 401, []string{"Bearer insufficient_user_authentication"}, `max_age="599"`},
		"a negative age":     {get("Bearer " + raw), Need{MaxAge: -time.Second}, 401, []string{"Bearer insufficient_user_authentication"}, ""},
		"an unknown login":   {get("Bearer " + good.With("auth_time", nil).Sign(t, key, accesstoken.Type)), Need{MaxAge: time.Hour}, 401, []string{"Bearer insufficient_user_authentication"}, ""},
		"stale, not by acr":  {get("Bearer " + raw), Need{MaxAge: time.Minute, ACRValues: []string{"silver"}}, 401, []string{"Bearer insufficient_user_authentication"}, `acr_values="silver"`},
		"bound to a key":     {get("Bearer " + good.With("cnf", map[string]any{"jkt": "x"}).Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "DPoP"},
		"bound, DPoP":        {get("DPoP " + good.With("cnf", map[string]any{"jkt": "x"}).Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "not supported"},
		"bound somehow":      {get("Bearer " + good.With("cnf", map[string]any{"kid": "x"}).Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "cannot be proven"},
		"bound to a cert":    {get("Bearer " + good.With("cnf", map[string]any{"x5t#S256": "x"}).Sign(t, key, accesstoken.Type)), Need{}, 401, []string{"Bearer invalid_token"}, "certificate"},
		"details, none":      {get("Bearer " + raw), Need{Details: pays}, 403, []string{"Bearer insufficient_scope"}, ""},
		"details":            {get("Bearer " + good.With("authorization_details", []any{map[string]any{"type": "payment"}}).Sign(t, key, accesstoken.Type)), Need{Details: pays}, 200, nil, ""},
		"other details":      {get("Bearer " + good.With("authorization_details", []any{map[string]any{"type": "account"}}).Sign(t, key, accesstoken.Type)), Need{Details: pays}, 403, []string{"Bearer insufficient_scope"}, ""},
		"unreadable details": {get("Bearer " + good.With("authorization_details", []any{1}).Sign(t, key, accesstoken.Type)), Need{Details: pays}, 401, []string{"Bearer invalid_token"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			resp := serve(must(New(some(t))), tc.need, tc.request)
			want(t, resp, tc.status, tc.challenges...)
			challenge := resp.Header.Get("WWW-Authenticate")
			if !strings.Contains(challenge, tc.says) {
				t.Errorf("%q is not in %s", tc.says, challenge)
			}
			body, _ := io.ReadAll(resp.Body)
			switch {
			case tc.status == 200:
				if string(body) != "hello alice of c1" {
					t.Errorf("%s", body)
				}
			case strings.Contains(string(body), "alice"):
				t.Errorf("a claim of the token came back: %s", body)
			case name == "no token" && len(body) > 0:
				t.Errorf("an error was named: %s", body)
			}
			if tc.status >= 400 && name != "no token" && name != "another scheme" && name != "another parameter" && resp.Header.Get("Cache-Control") != "no-store" {
				t.Error("the refusal may be stored")
			}
		})
	}
}

func pays(_ *http.Request, details []oauth.AuthorizationDetail) bool {
	return len(details) > 0 && details[0].Type == "payment"
}

// What is not the token's fault is no refusal of the token.
func TestUnavailable(t *testing.T) {
	down := errors.New("the network is down at host 10.1.2.3")
	p := some(t)
	p.JWT = must(accesstoken.NewVerifier(sources{err: down}, accesstoken.Policy{Issuers: []string{issuer}, Audiences: []string{resource}}))
	var told error
	p.Refused = func(_ *http.Request, err *oauth.Error) { told = err }
	resp := serve(must(New(p)), Need{}, get("Bearer "+good.Sign(t, profiletest.Key(t), accesstoken.Type)))
	want(t, resp, 503)
	if body, _ := io.ReadAll(resp.Body); strings.Contains(string(body), "10.1.2.3") || !errors.Is(told, down) {
		t.Errorf("%s, %v", body, told)
	}
}

// request is one with a proof.
func request(t testing.TB, key jwk.Signer, raw string, change func(*jwt.Registered, *dpop.Claims)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders?limit=3", nil)
	r.Header.Set("Authorization", "DPoP "+raw)
	reg := jwt.Registered{IssuedAt: profiletest.Clock()}
	c := dpop.Claims{Method: "GET", URL: resource + "/orders", TokenHash: dpop.TokenHash(raw)}
	if change != nil {
		change(&reg, &c)
	}
	proof, err := dpop.Sign(ctx, key, reg, c)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(dpop.Header, proof)
	return r
}

func TestDPoP(t *testing.T) {
	key := must(jwk.Generate(jwa.ES256))
	bound := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(key.Public()))})
	raw := bound.Sign(t, profiletest.Key(t), accesstoken.Type)
	p := some(t)
	p.DPoP = proofs(nil)
	g := must(New(p))
	strict := p
	strict.RequireBound = true
	onlyBound := must(New(strict))
	prefix := p
	prefix.PublicURL = "https://api.example/v1/"
	behind := must(New(prefix))

	with := func(change func(*jwt.Registered, *dpop.Claims)) *http.Request { return request(t, key, raw, change) }
	for name, tc := range map[string]struct {
		guard      *Guard
		request    *http.Request
		status     int
		challenges []string
	}{
		"good":                 {g, with(nil), 200, nil},
		"good, only bound":     {onlyBound, with(nil), 200, nil},
		"bearer":               {g, get("Bearer " + good.Sign(t, profiletest.Key(t), accesstoken.Type)), 200, nil},
		"bearer, only bound":   {onlyBound, get("Bearer " + good.Sign(t, profiletest.Key(t), accesstoken.Type)), 401, []string{"DPoP", "Bearer invalid_token"}},
		"no token":             {g, get(), 401, []string{"DPoP", "Bearer"}},
		"no token, only bound": {onlyBound, get(), 401, []string{"DPoP"}},
		"the token as bearer":  {g, get("Bearer " + raw), 401, []string{"DPoP", "Bearer invalid_token"}},
		"without proof":        {g, get("DPoP " + raw), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"another method":       {g, with(func(_ *jwt.Registered, c *dpop.Claims) { c.Method = "POST" }), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"another path":         {g, with(func(_ *jwt.Registered, c *dpop.Claims) { c.URL = resource + "/Orders" }), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"another host":         {g, with(func(_ *jwt.Registered, c *dpop.Claims) { c.URL = "https://evil.example/orders" }), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"the host it came by":  {g, with(func(_ *jwt.Registered, c *dpop.Claims) { c.URL = "http://example.com/orders" }), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"another token's":      {g, with(func(_ *jwt.Registered, c *dpop.Claims) { c.TokenHash = dpop.TokenHash("other") }), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"another key":          {g, request(t, must(jwk.Generate(jwa.ES256)), raw, nil), 401, []string{"DPoP invalid_token", "Bearer"}},
		"an unbound token":     {g, request(t, key, good.Sign(t, profiletest.Key(t), accesstoken.Type), nil), 401, []string{"DPoP invalid_token", "Bearer"}},
		"a prefix":             {behind, with(func(_ *jwt.Registered, c *dpop.Claims) { c.URL = resource + "/v1/orders" }), 200, nil},
		"without the prefix":   {behind, with(nil), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
		"two proofs": {g, func() *http.Request {
			r := with(nil)
			r.Header.Add(dpop.Header, with(nil).Header.Get(dpop.Header))
			return r
		}(), 401, []string{"DPoP invalid_dpop_proof", "Bearer"}},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, serve(tc.guard, Need{}, tc.request), tc.status, tc.challenges...)
		})
	}

	// A proof is good once.
	r := with(nil)
	want(t, serve(g, Need{}, r), 200)
	want(t, serve(g, Need{}, r), 401, "DPoP invalid_dpop_proof", "Bearer")
}

// A server that wants a nonce says which, and takes the request that has it.
func TestNonce(t *testing.T) {
	key := must(jwk.Generate(jwa.ES256))
	raw := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(key.Public()))}).Sign(t, profiletest.Key(t), accesstoken.Type)
	p := some(t)
	p.DPoP = proofs(must(dpop.NewNonces(dpop.NonceOptions{Clock: profiletest.Clock})))
	g := must(New(p))
	resp := serve(g, Need{}, request(t, key, raw, nil))
	want(t, resp, 401, "DPoP use_dpop_nonce", "Bearer")
	nonce := resp.Header.Get(dpop.NonceHeader)
	resp = serve(g, Need{}, request(t, key, raw, func(_ *jwt.Registered, c *dpop.Claims) { c.Nonce = nonce }))
	want(t, resp, 200)
	if resp.Header.Get(dpop.NonceHeader) == "" {
		t.Error("no nonce for the next request")
	}
	resp = serve(g, Need{}, request(t, key, raw, func(_ *jwt.Registered, c *dpop.Claims) { c.Nonce = "made up" }))
	want(t, resp, 401, "DPoP use_dpop_nonce", "Bearer")

	for _, b := range []broken{{new: errBroken}, {accepts: errBroken}} {
		p.DPoP = proofs(b)
		g = must(New(p))
		want(t, serve(g, Need{}, request(t, key, raw, func(_ *jwt.Registered, c *dpop.Claims) { c.Nonce = "n" })), 503)
	}
	p.DPoP = proofs(broken{new: errBroken})
	want(t, serve(must(New(p)), Need{}, request(t, key, raw, nil)), 503)
}

// broken are nonces that cannot be had.
type broken struct{ new, accepts error }

var errBroken = errors.New("no nonces")

func (b broken) New(context.Context) (string, error)           { return "n", b.new }
func (b broken) Accepts(context.Context, string) (bool, error) { return true, b.accepts }

func TestCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	defer server.Close()
	cert := server.Certificate()
	sum := sha256.Sum256(cert.Raw)
	print := base64.RawURLEncoding.EncodeToString(sum[:])
	raw := good.With("cnf", map[string]any{"x5t#S256": print}).Sign(t, profiletest.Key(t), accesstoken.Type)
	other := good.With("cnf", map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(make([]byte, 32))}).Sign(t, profiletest.Key(t), accesstoken.Type)

	p := some(t)
	g := must(New(p))
	r := httptest.NewRequest("GET", "https://api.example/orders", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	want(t, serve(g, Need{}, r), 401, "Bearer invalid_token") // TLS without a certificate
	r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, cert)
	want(t, serve(g, Need{}, r), 200)
	p.RequireBound = true
	want(t, serve(must(New(p)), Need{}, r), 200)
	p.ClientCertificate = func(*http.Request) (*x509.Certificate, error) { return cert, errors.New("not this one") }
	want(t, serve(must(New(p)), Need{}, r), 401, "Bearer invalid_token")
	r.Header.Set("Authorization", "DPoP "+raw)
	want(t, serve(g, Need{}, r), 401, "Bearer invalid_token")
	r.Header.Set("Authorization", "Bearer "+other)
	want(t, serve(g, Need{}, r), 401, "Bearer invalid_token")

	// Bound to both, it has to be proven twice.
	key := must(jwk.Generate(jwa.ES256))
	p = some(t)
	p.DPoP = proofs(nil)
	both := good.With("cnf", map[string]any{"x5t#S256": print, "jkt": must(dpop.Thumbprint(key.Public()))}).Sign(t, profiletest.Key(t), accesstoken.Type)
	r = request(t, key, both, nil)
	want(t, serve(must(New(p)), Need{}, r), 401, "DPoP invalid_token", "Bearer")
	r.TLS = httptest.NewRequest("GET", "https://api.example/", nil).TLS
	r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, cert)
	want(t, serve(must(New(p)), Need{}, r), 200)

	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	bytes := ":" + base64.StdEncoding.EncodeToString(cert.Raw) + ":" // RFC 9440, Section 2.1
	p = some(t)
	p.ClientCertificate = CertificateHeader("client-cert", netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::1/128"))
	g = must(New(p))
	for name, tc := range map[string]struct {
		from   string
		values []string
		ok     bool
	}{
		"RFC 9440":          {"10.1.2.3:4", []string{bytes}, true},
		"percent-encoded":   {"10.1.2.3:4", []string{url.PathEscape(text)}, true},
		"IPv6":              {"[fd00::1]:4", []string{bytes}, true},
		"of a link":         {"[fe80::1%eth0]:4", []string{bytes}, true},
		"another of it":     {"[fe80::2%eth0]:4", []string{bytes}, false},
		"mapped":            {"[::ffff:10.1.2.3]:4", []string{bytes}, true},
		"none":              {"10.1.2.3:4", nil, false},
		"two":               {"10.1.2.3:4", []string{bytes, bytes}, false},
		"a stranger":        {"192.0.2.1:4", []string{bytes}, false},
		"from nowhere":      {"@", []string{bytes}, false},
		"without a colon":   {"10.1.2.3:4", []string{strings.TrimSuffix(bytes, ":")}, false},
		"no base64":         {"10.1.2.3:4", []string{":!!!!:"}, false},
		"no PEM":            {"10.1.2.3:4", []string{"hello"}, false},
		"no escape":         {"10.1.2.3:4", []string{"%zz"}, false},
		"two PEMs":          {"10.1.2.3:4", []string{url.PathEscape(text + text)}, false},
		"another PEM":       {"10.1.2.3:4", []string{url.PathEscape(strings.ReplaceAll(text, "CERTIFICATE", "PUBLIC KEY"))}, false},
		"no certificate":    {"10.1.2.3:4", []string{":AAAA:"}, false},
		"a large one":       {"10.1.2.3:4", []string{url.PathEscape(text) + strings.Repeat("%0A", maxCertificate/3)}, false},
		"junk at the end":   {"10.1.2.3:4", []string{strings.TrimSuffix(bytes, ":") + "!:"}, false},
		"nothing in it":     {"10.1.2.3:4", []string{""}, false},
		"something between": {"10.1.2.3:4", []string{bytes + "x"}, false},
	} {
		r := get("Bearer " + raw)
		r.RemoteAddr = tc.from
		if tc.values != nil {
			r.Header["Client-Cert"] = tc.values
		}
		if got := serve(g, Need{}, r).StatusCode == 200; got != tc.ok {
			t.Errorf("%s: accepted is %v", name, got)
		}
	}
}

type denies struct{ err error }

func (d denies) Denied(context.Context, *Token) (bool, error) { return d.err == nil, d.err }

func TestDenylist(t *testing.T) {
	raw := "Bearer " + good.Sign(t, profiletest.Key(t), accesstoken.Type)
	p := some(t)
	p.Denylist = denies{}
	want(t, serve(must(New(p)), Need{}, get(raw)), 401, "Bearer invalid_token")
	p.Denylist = denies{errors.New("the store is gone")}
	want(t, serve(must(New(p)), Need{}, get(raw)), 503)

	at := func(s int) time.Time { return time.Unix(int64(now+s), 0) }
	for name, tc := range map[string]struct {
		deny   func(d *MemoryDenylist) error
		denied bool
	}{
		"nothing":            {func(*MemoryDenylist) error { return nil }, false},
		"the token":          {func(d *MemoryDenylist) error { return d.DenyToken(issuer, "1", at(120)) }, true},
		"another token":      {func(d *MemoryDenylist) error { return d.DenyToken(issuer, "2", at(120)) }, false},
		"of another issuer":  {func(d *MemoryDenylist) error { return d.DenyToken("https://b.example", "1", at(120)) }, false},
		"long ago":           {func(d *MemoryDenylist) error { return d.DenyToken(issuer, "1", at(0)) }, false},
		"the subject":        {func(d *MemoryDenylist) error { return d.DenyBefore(issuer, "alice", at(1), at(120)) }, true},
		"the subject, older": {func(d *MemoryDenylist) error { return d.DenyBefore(issuer, "alice", at(0), at(120)) }, false},
		"another subject":    {func(d *MemoryDenylist) error { return d.DenyBefore(issuer, "bob", at(1), at(120)) }, false},
		"all":                {func(d *MemoryDenylist) error { return d.DenyBefore(issuer, "", at(1), at(120)) }, true},
		"all, older":         {func(d *MemoryDenylist) error { return d.DenyBefore(issuer, "", at(0), at(120)) }, false},
		"all of another":     {func(d *MemoryDenylist) error { return d.DenyBefore("https://b.example", "", at(1), at(120)) }, false},
		"the latest time": {func(d *MemoryDenylist) error {
			return errors.Join(d.DenyBefore(issuer, "", at(1), at(120)), d.DenyBefore(issuer, "", at(-9), at(60)))
		}, true},
		"the longest time": {func(d *MemoryDenylist) error {
			return errors.Join(d.DenyToken(issuer, "1", at(120)), d.DenyToken(issuer, "1", at(1)))
		}, true},
		"what is full forgets": {func(d *MemoryDenylist) error {
			old := d.clock
			d.clock = func() time.Time { return at(-100) }
			err := errors.Join(d.DenyToken(issuer, "8", at(-10)), d.DenyToken(issuer, "9", at(-20)))
			d.clock = old
			return errors.Join(err, d.DenyToken(issuer, "1", at(120)))
		}, true},
	} {
		d := NewMemoryDenylist(2)
		d.clock = profiletest.Clock
		if err := tc.deny(d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.Denylist = d
		if got := serve(must(New(p)), Need{}, get(raw)).StatusCode != 200; got != tc.denied {
			t.Errorf("%s: denied is %v", name, got)
		}
	}
	d := NewMemoryDenylist(1)
	d.clock = profiletest.Clock
	for name, err := range map[string]error{
		"token of nobody":  d.DenyToken("", "1", at(1)),
		"token of no name": d.DenyToken(issuer, "", at(1)),
		"before of nobody": d.DenyBefore("", "alice", at(1), at(1)),
		"before never":     d.DenyBefore(issuer, "alice", time.Time{}, at(1)),
		"no room":          errors.Join(d.DenyToken(issuer, "1", at(2)), d.DenyToken(issuer, "2", at(1))),
		"no room later":    d.DenyToken(issuer, "2", at(1)),
		"no room for all":  d.DenyBefore(issuer, "", at(1), at(1)),
	} {
		if err == nil || strings.HasPrefix(name, "no room") != errors.Is(err, ErrFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A token that says neither when it was issued nor about whom is denied with all.
	d = NewMemoryDenylist(1)
	d.clock = profiletest.Clock
	_ = d.DenyBefore(issuer, "", at(0), at(9))
	if denied, _ := d.Denied(ctx, &Token{Issuer: issuer}); !denied {
		t.Error("a token without iat is let through")
	}
	defer func() {
		if recover() == nil {
			t.Error("a deny-list of no size was made")
		}
	}()
	NewMemoryDenylist(0)
}

func TestMetadata(t *testing.T) {
	p := some(t)
	g := must(New(p))
	if g.MetadataPath() != "" {
		t.Error(g.MetadataPath())
	}
	w := httptest.NewRecorder()
	g.Metadata().ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-protected-resource", nil))
	if w.Code != 404 {
		t.Error(w.Code)
	}

	p.Resource, p.DPoP, p.RequireBound = "https://api.example/v1", proofs(nil), true
	p.Metadata = &oauth.ResourceMetadata{AuthorizationServers: []string{issuer}}
	g = must(New(p))
	mux := http.NewServeMux()
	mux.Handle(g.MetadataPath(), g.Metadata())
	// The challenge leads there (RFC 9728, Section 5.1).
	challenges := must(oauth.ParseChallenges(serve(g, Need{}, get()).Header["Www-Authenticate"]))
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", challenges[0].ResourceMetadata, nil))
	var m oauth.ResourceMetadata
	if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(p.Resource); err != nil || m.AuthorizationServers[0] != issuer || m.BearerMethodsSupported[0] != "header" ||
		len(m.DPoPSigningAlgs) == 0 || !m.DPoPBoundAccessTokens || g.MetadataPath() != "/.well-known/oauth-protected-resource/v1" {
		t.Errorf("%+v, %v", m, err)
	}
	if h := w.Header(); h.Get("Content-Type") != "application/json" || h.Get("Access-Control-Allow-Origin") != "*" {
		t.Error(h)
	}
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", challenges[0].ResourceMetadata, nil))
	if w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Error(w.Code, w.Header())
	}
}

func TestIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string
	}{
		"no resource":      {func(p *Policy) { p.Resource = "" }, "Resource"},
		"no URL":           {func(p *Policy) { p.Resource = "api" }, "Resource"},
		"another scheme":   {func(p *Policy) { p.Resource = "ftp://api.example" }, "Resource"},
		"a fragment":       {func(p *Policy) { p.Resource = "https://api.example/#a" }, "Resource"},
		"a bare fragment":  {func(p *Policy) { p.Resource = "https://api.example/#" }, "Resource"},
		"a user":           {func(p *Policy) { p.Resource = "https://a@api.example/" }, "Resource"},
		"nothing verifies": {func(p *Policy) { p.JWT = nil }, "JWT"},
		"PublicURL, query": {func(p *Policy) { p.PublicURL = "https://api.example/?a" }, "PublicURL"},
		// Every proof for the root would be one for every path.
		"PublicURL, mark": {func(p *Policy) { p.PublicURL = "https://api.example?" }, "PublicURL"},
		"PublicURL, hash": {func(p *Policy) { p.PublicURL = "https://api.example#" }, "PublicURL"},
		"PublicURL, ftp":  {func(p *Policy) { p.PublicURL = "ftp://api.example" }, "PublicURL"},
		"no host":         {func(p *Policy) { p.Resource = "https:///v1" }, "Resource"},
		"no URL either":   {func(p *Policy) { p.Resource = "https://api.example:x" }, "Resource"},
		"PublicURL, part": {func(p *Policy) { p.PublicURL = "https://api.example/#a" }, "PublicURL"},
		"a member twice": {func(p *Policy) {
			p.Metadata = &oauth.ResourceMetadata{Extra: map[string]json.RawMessage{"x": json.RawMessage("{")}}
		}, "Metadata"},
		"no metadata URL":    {func(p *Policy) { p.Resource, p.Metadata = "http://api.example", &oauth.ResourceMetadata{} }, "Resource"},
		"PublicURL, slashes": {func(p *Policy) { p.PublicURL = "https:///v1" }, "PublicURL"},
		"PublicURL, no host": {func(p *Policy) { p.PublicURL = "/v1" }, "PublicURL"},
		"PublicURL, user":    {func(p *Policy) { p.PublicURL = "https://a@api.example" }, "PublicURL"},
		"no URL at all":      {func(p *Policy) { p.PublicURL = "https://api.example:x" }, "PublicURL"},
		"metadata":           {func(p *Policy) { p.Metadata = &oauth.ResourceMetadata{AuthorizationServers: []string{"ftp://as"}} }, "Metadata"},
	} {
		p := some(t)
		tc.change(&p)
		if _, err := New(p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if FromContext(ctx) != nil {
		t.Error("a token from nowhere")
	}
}

// Where a mux has taken the prefix with its slash away, what is left is a path all the same, and no part of the host's name.
func TestPathWithoutSlash(t *testing.T) {
	key := must(jwk.Generate(jwa.ES256))
	raw := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(key.Public()))}).Sign(t, profiletest.Key(t), accesstoken.Type)
	p := some(t)
	p.DPoP = proofs(nil)
	for url, tc := range map[string]struct {
		public, path string
		status       int
	}{
		"https://api.example/v1/orders":           {"https://api.example/v1", "/v1/orders", 200},
		"https://api.example.evil.example/orders": {"https://api.example", "/v1/.evil.example/orders", 401},
		"https://api.example/":                    {"https://api.example", "/v1/", 200},
	} {
		p.PublicURL = tc.public
		r := request(t, key, raw, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = url })
		r.URL.Path = tc.path
		w := httptest.NewRecorder()
		http.StripPrefix("/v1/", must(New(p)).Handler(hello, Need{})).ServeHTTP(w, r)
		if w.Code != tc.status {
			t.Errorf("%s: %d %s", url, w.Code, w.Body)
		}
	}
}

// The path of a proof is that of the request as it was sent, and its host the one that is configured: also where browsers leave
// characters as they are that RFC 3986 does not have, and where the request names another host.
func TestPaths(t *testing.T) {
	key := must(jwk.Generate(jwa.ES256))
	raw := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(key.Public()))}).Sign(t, profiletest.Key(t), accesstoken.Type)
	p := some(t)
	p.DPoP = proofs(nil)
	g := must(New(p))
	sent := func(target, proven string) *http.Response {
		r := request(t, key, raw, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = proven })
		r.URL, r.Host = must(url.ParseRequestURI(target)), "evil.example"
		return serve(g, Need{}, r)
	}
	for _, path := range []string{"/a|b", "/a^b", "/a%2Fb", "/a//b", "/a%3Fb", "/a;b", "/ü", "/a%20b", "/a'b", "/a%7cb", "/[x]", "/a%5Cb"} {
		if resp := sent(path, resource+path); resp.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header)
		}
	}
	for target, proven := range map[string]string{
		"https://evil.example/orders": "https://evil.example/orders",
		"//evil.example/orders":       "https://evil.example/orders",
		"/orders":                     "https://evil.example/orders",
		"/a%3Fb":                      resource + "/a",
		"/a%2Fb":                      resource + "/a/b",
		"/a%252Fb":                    resource + "/a%2Fb",
	} {
		want(t, sent(target, proven), 401, "DPoP invalid_dpop_proof", "Bearer")
	}
	want(t, sent("https://evil.example/orders", resource+"/orders"), 200)
}

// What a hook does to the error of one request, the next does not see.
func TestRefusedMayChangeTheError(t *testing.T) {
	p := some(t)
	p.Refused = func(_ *http.Request, err *oauth.Error) { err.Description = "changed" }
	g := must(New(p))
	for range 2 {
		want(t, serve(g, Need{}, get()), 401, "Bearer")
		if _, err := g.Verify(get(), Need{}); err == nil || strings.Contains(err.Error(), "changed") {
			t.Error(err)
		}
	}
}
