package jar

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// wantError fails the test unless err is an *oauth.Error with this code, or nil where code is empty.
func wantError(t testing.TB, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if code == "" && err == nil || ok && e.Code == code {
		return
	}
	if ok {
		t.Errorf("%v (%v), want %s", err, e.Cause, code)
	} else {
		t.Errorf("%v, want %s", err, code)
	}
}

func sign(t testing.TB, change ...any) string {
	t.Helper()
	return good.With(change...).Sign(t, profiletest.Key(t), Type)
}

func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return q
}

// Each case breaks one rule of the request outside the request object, and no other.
func TestResolve(t *testing.T) {
	object := sign(t, "max_age", 5)
	inside := "client_id=c1&max_age=5&redirect_uri=https%3A%2F%2Fc1.example%2Fcb&response_type=code&scope=openid&state=s"
	unsigned := func(p *Policy) { p.UnsignedRequests = true }
	many := query("client_id", "c1", "request", object)
	for i := range 99 {
		many.Add("resource", string(rune('a'+i%26)))
	}
	for name, tc := range map[string]struct {
		q      url.Values
		policy func(*Policy)
		want   string // the parameters
		code   string
	}{
		"good":                     {q: query("client_id", "c1", "request", object), want: inside},
		"others outside":           {q: query("client_id", "c1", "request", object, "scope", "admin", "prompt", "none", "state", "x"), want: inside},
		"others outside, twice":    {q: query("client_id", "c1", "request", object, "scope", "a", "scope", "b"), want: inside},
		"no client_id":             {q: query("request", object), code: "invalid_request"},
		"client_id twice":          {q: query("client_id", "c1", "client_id", "c1", "request", object), code: "invalid_request"},
		"another client_id":        {q: query("client_id", "c2", "request", object), code: "invalid_request_object"},
		"request twice":            {q: query("client_id", "c1", "request", object, "request", object), code: "invalid_request"},
		"request_uri twice":        {q: query("client_id", "c1", "request_uri", "https://x.example", "request_uri", "x"), code: "invalid_request"},
		"both":                     {q: query("client_id", "c1", "request", object, "request_uri", "https://x.example"), code: "invalid_request"},
		"both, one empty":          {q: query("client_id", "c1", "request", object, "request_uri", ""), code: "invalid_request"},
		"neither":                  {q: query("client_id", "c1", "response_type", "code"), code: "invalid_request"},
		"neither, OpenID Connect":  {q: query("client_id", "c1", "response_type", "code", "scope", "openid"), policy: openid, code: "invalid_request"},
		"neither, as allowed":      {q: query("client_id", "c1", "response_type", "code", "state", "", "request", ""), policy: unsigned, want: "client_id=c1&response_type=code"},
		"several of resource":      {q: query("client_id", "c1", "resource", "a", "resource", "b"), policy: unsigned, want: "client_id=c1&resource=a&resource=b"},
		"several of another":       {q: query("client_id", "c1", "scope", "a", "scope", "b"), policy: unsigned, code: "invalid_request"},
		"secrets":                  {q: query("client_id", "c1", "client_secret", "a", "client_assertion", "b", "client_assertion_type", "c"), policy: unsigned, want: "client_id=c1"},
		"a request object allowed": {q: query("client_id", "c1", "request", object), policy: unsigned, want: inside},
		"a bad one, not ignored":   {q: query("client_id", "c1", "request", "x"), policy: unsigned, code: "invalid_request_object"},
		"no reference":             {q: query("client_id", "c1", "request_uri", "https://x.example"), code: "request_uri_not_supported"},
		"no pushed":                {q: query("client_id", "c1", "request_uri", Prefix+"x"), code: "request_uri_not_supported"},
		"101 parameters":           {q: many, code: "invalid_request"},
		"too large":                {q: query("client_id", "c1", "request", object, "state", strings.Repeat("x", maxSize)), code: "invalid_request"},
		"a name that is too large": {q: query("client_id", "c1", "request", object, strings.Repeat("x", maxSize), ""), code: "invalid_request"},
		"names without values":     {q: empties(), code: "invalid_request"},

		"OpenID Connect": {
			q: query("client_id", "c1", "request", object, "response_type", "code", "scope", "openid", "prompt", "none", "state", "x"), policy: openid,
			want: strings.Replace(inside, "&redirect", "&prompt=none&redirect", 1),
		},
		"OpenID Connect, no response_type":      {q: query("client_id", "c1", "request", object, "scope", "openid"), policy: openid, code: "invalid_request"},
		"OpenID Connect, no scope":              {q: query("client_id", "c1", "request", object, "response_type", "code"), policy: openid, code: "invalid_request"},
		"OpenID Connect, no openid":             {q: query("client_id", "c1", "request", object, "response_type", "code", "scope", "openid2"), policy: openid, code: "invalid_request"},
		"OpenID Connect, another response_type": {q: query("client_id", "c1", "request", object, "response_type", "token", "scope", "openid"), policy: openid, code: "invalid_request_object"},
		"OpenID Connect, twice":                 {q: query("client_id", "c1", "request", object, "response_type", "code", "scope", "openid", "prompt", "a", "prompt", "b"), policy: openid, code: "invalid_request"},
		"OpenID Connect, another order": {
			q: query("client_id", "c1", "request", sign(t, "response_type", "code id_token"), "response_type", "id_token code", "scope", "openid"), policy: openid,
			want: strings.Replace(strings.Replace(inside, "=code", "=code+id_token", 1), "&max_age=5", "", 1),
		},
		"OpenID Connect, response_type outside alone": {
			q: query("client_id", "c1", "request", sign(t, "response_type", nil, "scope", nil, "state", nil), "response_type", "token", "scope", "openid a"), policy: openid,
			want: "client_id=c1&redirect_uri=https%3A%2F%2Fc1.example%2Fcb&response_type=token&scope=openid+a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			before := tc.q.Encode()
			r, err := verifier(t, p).Resolve(ctx, tc.q)
			wantError(t, err, tc.code)
			if strings.HasSuffix(name, "twice") && err != nil && !strings.HasSuffix(err.Error(), "more than once") {
				t.Error(err)
			}
			if err == nil && r.Parameters.Encode() != tc.want {
				t.Errorf("%s\n%s", r.Parameters.Encode(), tc.want)
			}
			if err == nil && ((r.Token == nil) == (tc.q.Get("request") != "") || r.Pushed) {
				t.Errorf("%+v", r)
			}
			if tc.q.Encode() != before {
				t.Error("the caller's parameters were changed")
			}
		})
	}
}

func empties() url.Values {
	q := query("client_id", "c1", "request", "x")
	for i := range 99 {
		q[strings.Repeat("x", i)] = nil
	}
	return q
}

// What is public of a refusal says why, and the cause is the refusal of the token.
func TestResolveErrors(t *testing.T) {
	_, err := verifier(t, some()).Resolve(ctx, query("client_id", "c1", "request", sign(t, "exp", now-61, "nbf", nil, "aud", "x")))
	if err == nil || err.Error() != "oauth: invalid_request_object: the request object is refused: exp.expired (the token has expired), aud.mismatch (the audience is not accepted)" {
		t.Error(err)
	}
	profiletest.Want(t, err, "exp.expired", "aud.mismatch")
	e, _ := errors.AsType[*oauth.Error](err)
	if e.HTTPStatus() != http.StatusBadRequest {
		t.Error(e.HTTPStatus())
	}

	// What is not the request's fault is no error of the request.
	broken := errors.New("broken")
	p := some()
	p.ClientID, p.AnyClient, p.Pushed = "", true, failing{broken}
	p.ByReference = &ByReference{Registered: func(context.Context, string) ([]string, error) { return nil, broken }}
	v, err := NewVerifier(failing{broken}, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []url.Values{
		query("client_id", "c1", "request", sign(t)), query("client_id", "c1", "request_uri", Prefix+"x"), query("client_id", "c1", "request_uri", "https://x.example"),
	} {
		if _, err := v.Resolve(ctx, q); err != broken {
			t.Error(err)
		}
	}
}

type failing struct{ err error }

func (f failing) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error)  { return nil, f.err }
func (f failing) Take(context.Context, string, string) (url.Values, error) { return nil, f.err }

// A client is where clients have their request objects.
type host struct {
	*httptest.Server
	answer http.HandlerFunc
	hits   int
}

func serve(t *testing.T) *host {
	h := &host{answer: object(sign(t), "application/oauth-authz-req+jwt")}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.hits++
		h.answer(w, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

func object(body, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		_, _ = io.WriteString(w, body)
	}
}

// by allows the host, which is on this machine.
func (h *host) by() *ByReference {
	pool := x509.NewCertPool()
	pool.AddCert(h.Certificate())
	return &ByReference{
		AnyURI: true, RootCAs: pool, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Proxy: func(*http.Request) (*url.URL, error) { return nil, nil },
	}
}

// Each case breaks one rule for request objects that are fetched, and no other.
func TestByReference(t *testing.T) {
	h := serve(t)
	raw := sign(t)
	outside := []string{"response_type", "code", "scope", "openid"}
	sum := sha256.Sum256([]byte(raw))
	hash := base64.RawURLEncoding.EncodeToString(sum[:])
	legacy := func(p *Policy) { p.LegacyUntyped = true }
	for name, tc := range map[string]struct {
		path   string
		uri    string // in place of the host's
		answer http.HandlerFunc
		policy func(*Policy)
		by     func(*ByReference)
		code   string
		misses bool // nothing was fetched
	}{
		"good":                          {path: "/r.jwt"},
		"with a query":                  {path: "/r?x=y"},
		"no type":                       {answer: object(raw, "")},
		"application/jwt":               {answer: object(raw, "application/jwt"), code: "invalid_request_uri"},
		"application/jwt, legacy":       {answer: object(raw, "application/jwt"), policy: legacy},
		"application/jwt, OpenID":       {answer: object(raw, "application/jwt"), policy: openid},
		"text":                          {answer: object(raw, "text/plain"), policy: openid, code: "invalid_request_uri"},
		"refused object":                {answer: object(sign(t, "client_id", "c2"), ""), code: "invalid_request_object"},
		"not an object":                 {answer: object("hello", ""), code: "invalid_request_object"},
		"nothing":                       {answer: object("", ""), code: "invalid_request_object"},
		"too large for a token":         {answer: object(raw+strings.Repeat("A", 64<<10), ""), code: "invalid_request_object"},
		"too large":                     {answer: object(strings.Repeat("A", 2<<20), ""), code: "invalid_request_uri"},
		"404":                           {answer: http.NotFound, code: "invalid_request_uri"},
		"redirect":                      {answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, code: "invalid_request_uri"},
		"a name that is long":           {path: "/" + strings.Repeat("x", 512-len(h.URL)-1)},
		"a name that is too long":       {path: "/" + strings.Repeat("x", 512-len(h.URL)), code: "invalid_request_uri", misses: true},
		"http":                          {uri: "http://" + h.Listener.Addr().String(), code: "invalid_request_uri", misses: true},
		"no URL":                        {uri: "x", code: "invalid_request_uri", misses: true},
		"another URN":                   {uri: "urn:example:x", code: "invalid_request_uri", misses: true},
		"fragment":                      {path: "/#" + hash, code: "invalid_request_uri", misses: true},
		"an empty fragment":             {path: "/#", code: "invalid_request_uri", misses: true},
		"fragment, OpenID":              {path: "/#" + hash, policy: openid},
		"another fragment, OpenID":      {path: "/#" + hash[1:], policy: openid, code: "invalid_request_uri"},
		"an empty fragment, OpenID":     {path: "/#", policy: openid, code: "invalid_request_uri"},
		"registered":                    {path: "/r", by: register(h.URL+"/x", h.URL+"/r")},
		"not registered":                {path: "/r2", by: register(h.URL+"/x", h.URL+"/r"), code: "invalid_request_uri", misses: true},
		"nothing is registered":         {path: "/r", by: register(), code: "invalid_request_uri", misses: true},
		"registered with the fragment":  {path: "/r#" + hash, policy: openid, by: register(h.URL + "/r#" + hash)},
		"registered with another":       {path: "/r#" + hash, policy: openid, by: register(h.URL + "/r#x"), code: "invalid_request_uri", misses: true},
		"registered without a fragment": {path: "/r#" + hash, policy: openid, by: register(h.URL + "/r")},
		"registered with, sent without": {path: "/r", policy: openid, by: register(h.URL + "/r#" + hash), code: "invalid_request_uri", misses: true},
		"nobody certifies it":           {by: func(b *ByReference) { b.RootCAs = nil }, code: "invalid_request_uri", misses: true},
		"by its name":                   {by: func(b *ByReference) { b.AllowNetworks, b.AllowHosts = nil, []string{"127.0.0.1"} }},
		"not public":                    {by: func(b *ByReference) { b.AllowNetworks = nil }, code: "invalid_request_uri", misses: true},
		"a proxy that is asked":         {by: func(b *ByReference) { b.Proxy = func(*http.Request) (*url.URL, error) { return nil, io.EOF } }, code: "invalid_request_uri", misses: true},
		"slow":                          {by: func(b *ByReference) { b.Timeout = time.Millisecond }, answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, code: "invalid_request_uri", misses: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			p.ByReference = h.by()
			if tc.by != nil {
				tc.by(p.ByReference)
			}
			if tc.policy != nil {
				tc.policy(&p)
			}
			if h.answer = tc.answer; tc.answer == nil {
				h.answer = object(raw, "application/oauth-authz-req+jwt")
			}
			if tc.uri == "" {
				tc.uri = h.URL + tc.path
			}
			h.hits = 0
			r, err := verifier(t, p).Resolve(ctx, query(append(outside, "client_id", "c1", "request_uri", tc.uri)...))
			wantError(t, err, tc.code)
			if err == nil && (r.Token == nil || r.Parameters.Get("redirect_uri") != "https://c1.example/cb" || r.Parameters.Has("request_uri")) {
				t.Errorf("%+v", r)
			}
			if name != "slow" && tc.misses != (h.hits == 0) {
				t.Errorf("%d requests", h.hits)
			}
		})
	}
}

func register(uris ...string) func(*ByReference) {
	return func(b *ByReference) { b.AnyURI, b.Registered = false, registered(uris...) }
}

// registered is what the client c1 has registered.
func registered(uris ...string) func(context.Context, string) ([]string, error) {
	return func(_ context.Context, client string) ([]string, error) {
		if client != "c1" {
			return nil, nil
		}
		return uris, nil
	}
}

// The default is long enough for a server, and the end of the context is no fault of the request.
func TestByReferenceTimes(t *testing.T) {
	_, client, err := ByReference{AnyURI: true}.client()
	if err != nil || client == nil {
		t.Fatal(err)
	}
	b, _, _ := ByReference{AnyURI: true}.client()
	if b.Timeout != 5*time.Second {
		t.Error(b.Timeout)
	}
	h := serve(t)
	p := some()
	p.ByReference = h.by()
	v := verifier(t, p)
	p.ByReference.AnyURI = false // the Verifier has its own
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := v.Resolve(ended, query("client_id", "c1", "request_uri", h.URL)); err != context.Canceled {
		t.Error(err)
	}
}

// The attacks of groups F and M that concern requests, each beside the same request untouched.
func TestAttacks(t *testing.T) {
	h := serve(t)
	pushed := NewPushedCache(8, 0)
	p := some()
	p.ByReference, p.Pushed = h.by(), pushed
	v := verifier(t, p)
	guarded := some()
	guarded.ByReference = &ByReference{AnyURI: true, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
	g := verifier(t, guarded)
	raw := sign(t)
	_, err := v.Resolve(ctx, query("client_id", "c1", "request", raw))
	wantError(t, err, "")

	t.Run("M5_alg_none", func(t *testing.T) {
		_, payload, _ := strings.Cut(raw, ".")
		payload, _, _ = strings.Cut(payload, ".")
		for _, header := range []string{`{"alg":"none"}`, `{"alg":"none","typ":"oauth-authz-req+jwt"}`, `{"alg":"NONE","typ":"oauth-authz-req+jwt"}`} {
			none := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload + "."
			for _, change := range []func(*Policy){func(*Policy) {}, untyped, openid, func(p *Policy) { p.UnsignedRequests = true }} {
				p := some()
				change(&p)
				_, err := verifier(t, p).Resolve(ctx, query("client_id", "c1", "request", none, "response_type", "code", "scope", "openid"))
				wantError(t, err, "invalid_request_object")
			}
		}
	})
	t.Run("M5_sub_is_client_id", func(t *testing.T) {
		for _, iss := range []any{"c1", nil} {
			_, err := v.Resolve(ctx, query("client_id", "c1", "request", sign(t, "sub", "c1", "iss", iss)))
			profiletest.Want(t, err, "sub.client")
		}
	})
	t.Run("M5_parameters_in_the_query", func(t *testing.T) {
		r, err := v.Resolve(ctx, query("client_id", "c1", "request", raw, "redirect_uri", "https://evil.example", "scope", "admin", "code_challenge", "x", "response_mode", "fragment"))
		wantError(t, err, "")
		if want := good["redirect_uri"]; r.Parameters.Get("redirect_uri") != want || r.Parameters.Has("code_challenge") || r.Parameters.Has("response_mode") || r.Parameters.Get("scope") != "openid" {
			t.Errorf("%v", r.Parameters)
		}
		// Where OpenID Connect merges them, what is inside stays.
		p := some()
		p.OpenIDConnect = true
		if r, err = verifier(t, p).Resolve(ctx, query("client_id", "c1", "request", raw, "response_type", "code", "scope", "openid admin", "redirect_uri", "https://evil.example")); err != nil || r.Parameters.Get("redirect_uri") != good["redirect_uri"] || r.Parameters.Get("scope") != "openid" {
			t.Errorf("%v, %v", r, err)
		}
	})
	t.Run("M5_request_of_another_client", func(t *testing.T) {
		_, err := v.Resolve(ctx, query("client_id", "c2", "request", raw))
		profiletest.Want(t, err, "client_id.mismatch")
	})
	t.Run("M5_pushed_twice_or_by_another_client", func(t *testing.T) {
		uri, _, err := pushed.Push(ctx, "c1", query("client_id", "c1", "scope", "a"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Resolve(ctx, query("client_id", "c2", "request_uri", uri))
		wantError(t, err, "invalid_request_uri")
		r, err := v.Resolve(ctx, query("client_id", "c1", "request_uri", uri, "scope", "admin", "prompt", "none"))
		wantError(t, err, "")
		if r.Parameters.Encode() != "client_id=c1&scope=a" || !r.Pushed || r.Token != nil {
			t.Errorf("%+v", r)
		}
		_, err = v.Resolve(ctx, query("client_id", "c1", "request_uri", uri))
		wantError(t, err, "invalid_request_uri")
	})
	t.Run("M5_recursion", func(t *testing.T) {
		for _, name := range []string{"request", "request_uri"} {
			_, err := v.Resolve(ctx, query("client_id", "c1", "request", sign(t, name, h.URL)))
			profiletest.Want(t, err, "request.nested")
		}
	})
	t.Run("M2_request_to_another_server", func(t *testing.T) {
		_, err := v.Resolve(ctx, query("client_id", "c1", "request", sign(t, "aud", "https://evil.example")))
		profiletest.Want(t, err, "aud.mismatch")
	})
	t.Run("F16_exp_exactly", func(t *testing.T) {
		p := some()
		p.JWT.Leeway = jwt.NoLeeway
		_, err := verifier(t, p).Resolve(ctx, query("client_id", "c1", "request", sign(t, "exp", now)))
		profiletest.Want(t, err, "exp.expired")
	})
	t.Run("M6_SSRF", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(h.Listener.Addr().String())
		h.hits = 0
		for _, uri := range []string{
			h.URL, "https://localhost:" + port, "https://[::1]:" + port, "https://[::ffff:127.0.0.1]:" + port, "https://2130706433:" + port, "https://0x7f.1:" + port,
			"https://0.0.0.0:" + port, "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[fe80::1]/", "https://192.168.0.1/",
			"http://127.0.0.1:" + port, "file:///etc/passwd", "gopher://127.0.0.1", "https://user:secret@127.0.0.1:" + port, "//127.0.0.1:" + port, "https:///x",
		} {
			_, err := g.Resolve(ctx, query("client_id", "c1", "request_uri", uri))
			wantError(t, err, "invalid_request_uri")
			// Who asks learns nothing of our network.
			if err.Error() != "oauth: invalid_request_uri: the request object cannot be fetched" {
				t.Error(err)
			}
		}
		if h.hits != 0 {
			t.Errorf("%d requests", h.hits)
		}
		_, err := v.Resolve(ctx, query("client_id", "c1", "request_uri", h.URL))
		wantError(t, err, "")
	})
}

func TestURL(t *testing.T) {
	for name, tc := range map[string]struct {
		endpoint, client, request string
		outside                   url.Values
		want                      string
	}{
		"request":        {"https://as.example/authorize", "c 1", "a.b.c", nil, "https://as.example/authorize?client_id=c+1&request=a.b.c"},
		"its own query":  {"https://as.example/authorize?t=1", "c1", "a.b.c", nil, "https://as.example/authorize?client_id=c1&request=a.b.c&t=1"},
		"pushed":         {"https://as.example/", "c1", Prefix + "x", nil, "https://as.example/?client_id=c1&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax"},
		"by reference":   {"https://as.example", "c1", "https://c1.example/r", nil, "https://as.example?client_id=c1&request_uri=https%3A%2F%2Fc1.example%2Fr"},
		"OpenID Connect": {"https://as.example", "c1", "a.b.c", query("scope", "openid", "client_id", "c2"), "https://as.example?client_id=c1&request=a.b.c&scope=openid"},
		"a fragment":     {"https://as.example/#x", "c1", "a.b.c", nil, ""},
		"no host":        {"/authorize", "c1", "a.b.c", nil, ""},
		"no URL":         {"https://as.example/%", "c1", "a.b.c", nil, ""},
		"no client":      {"https://as.example", "", "a.b.c", nil, ""},
		"no request":     {"https://as.example", "c1", "", nil, ""},
	} {
		got, err := URL(tc.endpoint, tc.client, tc.request, tc.outside)
		if got != tc.want || (err != nil) != (tc.want == "") {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
}

func TestPushedCache(t *testing.T) {
	at := time.Unix(now, 0)
	c := NewPushedCache(2, 0)
	c.clock = func() time.Time { return at }
	p := query("client_id", "c1", "resource", "a", "resource", "b")
	uri, in, err := c.Push(ctx, "c1", p)
	if err != nil || in != time.Minute || !strings.HasPrefix(uri, Prefix) || len(uri) < len(Prefix)+22 || len(uri) > maxURI {
		t.Fatal(uri, in, err)
	}
	p["resource"][0] = "changed"
	other, _, err := c.Push(ctx, "c2", query("client_id", "c2"))
	if err != nil || other == uri {
		t.Fatal(other, err)
	}
	_, _, err = c.Push(ctx, "c1", p)
	wantError(t, err, "temporarily_unavailable")
	if e, _ := errors.AsType[*oauth.Error](err); e.HTTPStatus() != http.StatusServiceUnavailable {
		t.Error(e.HTTPStatus())
	}
	take := func(client, uri string) url.Values {
		got, err := c.Take(ctx, client, uri)
		if err != nil {
			t.Error(err)
		}
		return got
	}
	for _, tc := range [][2]string{{"c2", uri}, {"", uri}, {"c1", other}, {"c1", Prefix}, {"c1", ""}} {
		if got := take(tc[0], tc[1]); got != nil {
			t.Errorf("%v: %v", tc, got)
		}
	}
	if got := take("c1", uri); !reflect.DeepEqual(got, query("client_id", "c1", "resource", "a", "resource", "b")) {
		t.Error(got)
	}
	if got := take("c1", uri); got != nil {
		t.Error("used twice", got)
	}
	// Until it would have expired, a used one counts.
	_, _, err = c.Push(ctx, "c1", p)
	wantError(t, err, "temporarily_unavailable")
	at = at.Add(time.Minute)
	if got := take("c2", other); got != nil {
		t.Error("expired", got)
	}
	for range 2 {
		_, _, err = c.Push(ctx, "c1", p)
		wantError(t, err, "")
	}
	if len(c.live) != 2 || len(c.ages) != 2 {
		t.Error(len(c.live), len(c.ages))
	}
	at = at.Add(59 * time.Second)
	_, _, err = c.Push(ctx, "c1", p)
	wantError(t, err, "temporarily_unavailable")

	c = NewPushedCache(1, MaxPushedLifetime)
	for name, tc := range map[string]struct {
		client string
		p      url.Values
		status int
	}{
		"no client":        {"", query("client_id", ""), 400},
		"no client_id":     {"c1", query("scope", "a"), 400},
		"another":          {"c1", query("client_id", "c2"), 400},
		"two":              {"c1", query("client_id", "c1", "client_id", "c2"), 400},
		"request":          {"c1", query("client_id", "c1", "request", "x"), 400},
		"request_uri":      {"c1", query("client_id", "c1", "request_uri", Prefix), 400},
		"an empty request": {"c1", query("client_id", "c1", "request", ""), 400},
		"too large":        {"c1", query("client_id", "c1", "state", strings.Repeat("x", maxSize)), 413}, // RFC 9126, Section 2.3
	} {
		_, _, err := c.Push(ctx, tc.client, tc.p)
		wantError(t, err, "invalid_request")
		if e, _ := errors.AsType[*oauth.Error](err); e != nil && e.HTTPStatus() != tc.status {
			t.Errorf("%s: %d", name, e.HTTPStatus())
		}
	}
	for _, bad := range []func(){
		func() { NewPushedCache(0, 0) }, func() { NewPushedCache(1, -1) }, func() { NewPushedCache(1, MaxPushedLifetime+1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			bad()
		}()
	}
}

// A Pushed that hands out the request of another client, or that has a name that is too long, is not believed.
func TestPushed(t *testing.T) {
	p := some()
	p.Pushed = careless{}
	v := verifier(t, p)
	_, err := v.Resolve(ctx, query("client_id", "c1", "request_uri", Prefix+"x"))
	wantError(t, err, "")
	_, err = v.Resolve(ctx, query("client_id", "c2", "request_uri", Prefix+"x"))
	wantError(t, err, "invalid_request_uri")
	_, err = v.Resolve(ctx, query("client_id", "c1", "request_uri", Prefix+strings.Repeat("x", maxURI-len(Prefix))))
	wantError(t, err, "")
	_, err = v.Resolve(ctx, query("client_id", "c1", "request_uri", Prefix+strings.Repeat("x", maxURI-len(Prefix)+1)))
	wantError(t, err, "invalid_request_uri")
}

type careless struct{}

func (careless) Take(context.Context, string, string) (url.Values, error) {
	return query("client_id", "c1"), nil
}

// Whatever the query is, it is resolved or refused, and neither request nor request_uri remains.
func FuzzResolve(f *testing.F) {
	p := some()
	p.UnsignedRequests, p.Pushed = true, NewPushedCache(1, 0)
	v := verifier(f, p)
	o := some()
	o.OpenIDConnect = true
	openid := verifier(f, o)
	raw := sign(f)
	f.Add("client_id=c1&request=" + raw)
	f.Add("client_id=c1&response_type=code&scope=openid&request=" + raw)
	f.Add("client_id=c1&request_uri=" + Prefix + "x")
	f.Add("client_id=c1&scope=a&resource=a&resource=b")
	f.Fuzz(func(t *testing.T, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		for _, v := range []*Verifier{v, openid} {
			r, err := v.Resolve(ctx, q)
			if err != nil {
				if _, ok := errors.AsType[*oauth.Error](err); !ok {
					t.Error(err)
				}
				continue
			}
			if r.Parameters.Has("request") || r.Parameters.Has("request_uri") || r.Parameters.Get("client_id") != q.Get("client_id") {
				t.Errorf("%q became %q", q, r.Parameters)
			}
		}
	})
}
