package guard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/introspection"
)

// endpoint is an introspection endpoint that says of each token what the token itself says as JSON.
type endpoint struct {
	*httptest.Server
	asked  atomic.Int64
	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request) // nil for the usual
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		e.mu.Lock()
		answer := e.answer
		e.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		token := r.PostFormValue("token")
		said, ok := map[string]string{
			"good":          `"active":true,"sub":"alice","client_id":"c1","scope":"read","aud":"https://api.example","exp":1767268860,"jti":"7"`,
			"plain":         `"active":true,"aud":["https://b.example","https://api.example"]`,
			"no-aud":        `"active":true,"exp":1767268860`,
			"other-aud":     `"active":true,"aud":"https://b.example"`,
			"other-iss":     `"active":true,"aud":"https://api.example","iss":"https://evil.example"`,
			"own-iss":       `"active":true,"aud":"https://api.example","iss":"https://as.example"`,
			"expired":       `"active":true,"aud":"https://api.example","exp":1767268800`,
			"early":         `"active":true,"aud":"https://api.example","nbf":1767268861`,
			"bound":         `"active":true,"aud":"https://api.example","cnf":{"jkt":"x"}`,
			"inactive":      `"active":false`,
			"broken-answer": `"active":"yes"`,
			"long-answer":   `"active":true,"x":"` + strings.Repeat("x", maxAnswer) + `"`,
		}[token]
		if !ok {
			said = `"active":false`
		}
		_, _ = io.WriteString(w, "{"+said+"}")
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) say(answer func(w http.ResponseWriter, r *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) options() IntrospectionOptions {
	return IntrospectionOptions{
		Endpoint: e.URL, Issuer: issuer, Audiences: []string{resource}, Clock: profiletest.Clock,
		Authenticate: func(_ context.Context, h http.Header, form url.Values) error {
			h.Set("Authorization", "Basic YTpi")
			return nil
		},
	}
}

func (e *endpoint) guard(o IntrospectionOptions) *Guard {
	return must(New(Policy{Resource: resource, Introspection: must(NewIntrospector(o)), Clock: profiletest.Clock}))
}

func TestIntrospection(t *testing.T) {
	e := newEndpoint(t)
	g := e.guard(e.options())
	any := e.options()
	any.Audiences, any.AnyAudience = nil, true
	anyAudience := e.guard(any)
	for token, tc := range map[string]struct {
		guard  *Guard
		status int
		says   string
	}{
		"good":                     {g, 200, ""},
		"plain":                    {g, 200, ""},
		"own-iss":                  {g, 200, ""},
		"no-aud":                   {g, 401, "audience"},
		"other-aud":                {g, 401, "audience"},
		"other-iss":                {g, 401, "issuer"},
		"expired":                  {g, 401, "expired"},
		"early":                    {g, 401, "not valid yet"},
		"bound":                    {g, 401, "DPoP"},
		"inactive":                 {g, 401, "not active"},
		"unheard-of":               {g, 401, "not active"},
		"broken-answer":            {g, 503, ""},
		"long-answer":              {g, 503, ""},
		strings.Repeat("x", 1<<15): {g, 401, "too long"},
	} {
		resp := serve(tc.guard, Need{}, get("Bearer "+token))
		challenge := resp.Header.Get("WWW-Authenticate")
		if resp.StatusCode != tc.status || !strings.Contains(challenge, tc.says) {
			t.Errorf("%.20s: %d, %s", token, resp.StatusCode, challenge)
		}
	}
	for _, token := range []string{"no-aud", "other-aud"} {
		want(t, serve(anyAudience, Need{}, get("Bearer "+token)), 200)
	}
	r := get("Bearer good")
	token, err := g.Verify(r, Need{Scopes: []string{"read"}})
	if err != nil || token.Issuer != issuer || token.Subject != "alice" || token.ClientID != "c1" || token.ID != "7" || token.Expiry.Unix() != now+60 || token.Introspection == nil || token.JWT != nil {
		t.Errorf("%+v, %v", token, err)
	}
}

// Both: what looks like a JWT is one, and all else is asked about.
func TestBothForms(t *testing.T) {
	e := newEndpoint(t)
	g := must(New(Policy{Resource: resource, JWT: jwts(t, 0), Introspection: must(NewIntrospector(e.options())), Clock: profiletest.Clock}))
	want(t, serve(g, Need{}, get("Bearer good")), 200)
	if e.asked.Load() != 1 {
		t.Error(e.asked.Load())
	}
	raw := good.Sign(t, profiletest.Key(t), accesstoken.Type)
	want(t, serve(g, Need{}, get("Bearer "+raw)), 200)
	want(t, serve(g, Need{}, get("Bearer "+raw+"x")), 401, "Bearer invalid_token")
	want(t, serve(g, Need{}, get("Bearer a.b.c")), 401, "Bearer invalid_token")
	if e.asked.Load() != 1 {
		t.Error("the server was asked about a JWT")
	}
}

// The server gets the token, the type that is expected, and who asks.
func TestRequest(t *testing.T) {
	e := newEndpoint(t)
	e.say(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" || r.PostFormValue("token") != "a/b" || r.PostFormValue("token_type_hint") != "access_token" || r.PostFormValue("extra") != "1" ||
			r.Header.Get("Authorization") != "Basic YTpi" || r.Header.Get("Accept") != "application/json" {
			t.Errorf("%v %v %v", r.Method, r.PostForm, r.Header)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example"}`)
	})
	o := e.options()
	basic := o.Authenticate
	o.Authenticate = func(ctx context.Context, h http.Header, form url.Values) error {
		form.Set("extra", "1")
		return basic(ctx, h, form)
	}
	want(t, serve(e.guard(o), Need{}, get("Bearer a/b")), 200)
	o.Authenticate = func(context.Context, http.Header, url.Values) error { return errors.New("no credentials") }
	want(t, serve(e.guard(o), Need{}, get("Bearer a/b")), 503)
	o.Authenticate = nil
	e.say(nil)
	want(t, serve(e.guard(o), Need{}, get("Bearer good")), 200)
}

func TestSignedAnswers(t *testing.T) {
	e := newEndpoint(t)
	key := profiletest.Key(t)
	e.say(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != introspection.MediaType {
			t.Error(r.Header.Get("Accept"))
		}
		w.Header().Set("Content-Type", introspection.MediaType)
		said := &introspection.Response{}
		if r.PostFormValue("token") != "bad" {
			said = &introspection.Response{Active: true, Audience: jwt.Audience{resource}}
		}
		raw, err := introspection.Sign(ctx, key, jwt.Registered{Issuer: issuer, Audience: jwt.Audience{resource}, IssuedAt: profiletest.Clock()},
			introspection.Claims{Response: said})
		if err != nil {
			t.Error(err)
		}
		if r.PostFormValue("token") == "forged" {
			raw += "x"
		}
		_, _ = io.WriteString(w, raw)
	})
	o := e.options()
	o.Responses = must(introspection.NewVerifier(jwk.Set{key.Public()}, introspection.Policy{Issuers: []string{issuer}, Audiences: []string{resource}, JWT: jwt.Policy{Clock: profiletest.Clock}}))
	g := e.guard(o)
	want(t, serve(g, Need{}, get("Bearer good")), 200)
	want(t, serve(g, Need{}, get("Bearer bad")), 401, "Bearer invalid_token")
	want(t, serve(g, Need{}, get("Bearer forged")), 503)
	e.say(nil) // JSON where a signature was asked for
	want(t, serve(g, Need{}, get("Bearer good")), 503)
}

// A server that fails or leads elsewhere says nothing of the token, and its answer reaches nobody.
func TestServerFails(t *testing.T) {
	e := newEndpoint(t)
	elsewhere := newEndpoint(t)
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"status": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "secret of the server", 500) },
		"error": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"secret of the server"}`)
		},
		"status and an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(203)
			_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example"}`)
		},
		"see other": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusSeeOther) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"no type": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "")
			_, _ = io.WriteString(w, `{"active":true}`)
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `{"active":true}`)
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() },
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example"}`)
		},
	} {
		e.say(answer)
		o := e.options()
		o.Timeout = 100 * time.Millisecond
		for _, cached := range []time.Duration{0, time.Minute} {
			o.CacheFor = cached
			resp := serve(e.guard(o), Need{}, get("Bearer good"))
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || strings.Contains(string(body), "secret") {
				t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			}
		}
	}
	if elsewhere.asked.Load() > 0 {
		t.Error("the token went elsewhere")
	}
	// Who runs the API is told what the server has said.
	e.say(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
	})
	_, err := e.guard(e.options()).Verify(get("Bearer good"), Need{})
	if !errors.Is(errors.Unwrap(err), &oauth.Error{Code: oauth.InvalidClient}) {
		t.Error(errors.Unwrap(err))
	}
	e.Close()
	want(t, serve(e.guard(e.options()), Need{}, get("Bearer good")), 503)
}

func TestCache(t *testing.T) {
	e := newEndpoint(t)
	o := e.options()
	var at atomic.Int64
	o.Clock = func() time.Time { return time.Unix(now+at.Load(), 0) }
	o.CacheFor = 40 * time.Second
	g := e.guard(o)
	ask := func(token string, second int64, status int, asked int64) {
		t.Helper()
		at.Store(second)
		if resp := serve(g, Need{}, get("Bearer "+token)); resp.StatusCode != status {
			t.Errorf("%s at %d: %d", token, second, resp.StatusCode)
		}
		if n := e.asked.Load(); n != asked {
			t.Errorf("%s at %d: asked %d times, want %d", token, second, n, asked)
		}
	}
	ask("good", 0, 200, 1)
	ask("good", 39, 200, 1)
	ask("good", 40, 200, 2) // CacheFor
	ask("good", 59, 200, 2)
	ask("good", 60, 401, 3) // exp
	ask("inactive", 0, 401, 4)
	ask("inactive", 9, 401, 4)
	ask("inactive", 10, 401, 5)
	ask("plain", 0, 200, 6)
	e.say(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	ask("plain", 40, 503, 7)
	ask("plain", 40, 503, 8) // failures are not kept
	e.say(nil)
	ask("plain", 40, 200, 9)

	// What one caller does to its token, no other sees.
	r := get("Bearer plain")
	first := must(g.Verify(r, Need{}))
	first.Audience[0] = "changed"
	if second := must(g.Verify(r, Need{})); second.Audience[0] != "https://b.example" {
		t.Error(second.Audience)
	}
}

// However many tokens come, so many answers are kept and no more.
func TestCacheSize(t *testing.T) {
	e := newEndpoint(t)
	o := e.options()
	o.CacheFor, o.CacheSize = time.Minute, 8
	i := must(NewIntrospector(o))
	for n := range 100 {
		if _, err := i.response(ctx, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		if len(i.answers) > 8 {
			t.Fatalf("%d answers", len(i.answers))
		}
	}
}

// Many requests with one token ask once; one that gives up does not take the answer from the others.
func TestOneQuestion(t *testing.T) {
	e := newEndpoint(t)
	release := make(chan struct{})
	e.say(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"active": true, "aud": resource})
	})
	o := e.options()
	o.CacheFor = time.Minute
	g := e.guard(o)
	gone, cancel := context.WithCancel(ctx)
	done := make(chan int)
	go func() { done <- serve(g, Need{}, get("Bearer x").WithContext(gone)).StatusCode }()
	for e.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	for range 9 {
		go func() { done <- serve(g, Need{}, get("Bearer x")).StatusCode }()
	}
	cancel()
	if status := <-done; status != 503 {
		t.Error(status)
	}
	close(release)
	for range 9 {
		if status := <-done; status != 200 {
			t.Error(status)
		}
	}
	if n := e.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// Questions outlive their requests, so there is an end to them.
func TestQuestionsAtATime(t *testing.T) {
	e := newEndpoint(t)
	o := e.options()
	o.CacheFor = time.Minute
	release := make(chan struct{})
	o.Authenticate = func(context.Context, http.Header, url.Values) error {
		<-release
		return errors.New("no more")
	}
	i := must(NewIntrospector(o))
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for n := range maxAsking {
		if _, err := i.response(gone, fmt.Sprint(n)); !errors.Is(err, context.Canceled) {
			t.Fatal(n, err)
		}
	}
	if _, err := i.response(ctx, "one more"); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Error(err)
	}
	close(release)
	for { // until they have ended
		if _, err := i.response(ctx, "one more"); err != nil && strings.Contains(err.Error(), "no more") {
			break
		}
		time.Sleep(time.Millisecond)
	}
}

func TestIntrospectorIncomplete(t *testing.T) {
	good := IntrospectionOptions{Endpoint: "https://as.example/introspect", Issuer: issuer, Audiences: []string{resource}}
	if _, err := NewIntrospector(good); err != nil {
		t.Error(err)
	}
	for name, tc := range map[string]struct {
		change func(*IntrospectionOptions)
		word   string
	}{
		"no endpoint":       {func(o *IntrospectionOptions) { o.Endpoint = "" }, "Endpoint"},
		"no URL":            {func(o *IntrospectionOptions) { o.Endpoint = "https://a:b" }, "Endpoint"},
		"no host":           {func(o *IntrospectionOptions) { o.Endpoint = "https:///introspect" }, "Endpoint"},
		"another scheme":    {func(o *IntrospectionOptions) { o.Endpoint = "file:///introspect" }, "Endpoint"},
		"no issuer":         {func(o *IntrospectionOptions) { o.Issuer = "" }, "Issuer"},
		"no audience":       {func(o *IntrospectionOptions) { o.Audiences = nil }, "Audiences"},
		"both":              {func(o *IntrospectionOptions) { o.AnyAudience = true }, "Audiences"},
		"negative cache":    {func(o *IntrospectionOptions) { o.CacheFor = -1 }, "negative"},
		"negative size":     {func(o *IntrospectionOptions) { o.CacheSize = -1 }, "negative"},
		"negative patience": {func(o *IntrospectionOptions) { o.Timeout = -1 }, "negative"},
	} {
		o := good
		tc.change(&o)
		if _, err := NewIntrospector(o); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Servers say of refresh tokens too that they are active, and look for them even where the hint is access_token.
func TestAttackRefreshTokenAsAccessToken(t *testing.T) {
	e := newEndpoint(t)
	for said, status := range map[string]int{
		`"token_type":"Bearer"`:                             200,
		`"token_type":"bearer"`:                             200,
		`"token_type":"access_token"`:                       200,
		`"token_type":null`:                                 200,
		`"token_type":"Bearer","token_use":"access_token"`:  200,
		`"token_use":"access"`:                              200,
		`"token_type":"Bearer","typ":"Bearer"`:              200,
		`"typ":7`:                                           200, // a member that is the server's own
		`"token_type":"refresh_token"`:                      401,
		`"token_type":"N_A"`:                                401,
		`"token_type":"Bearer","token_use":"refresh_token"`: 401,
		`"token_use":7`:                                     401,
		`"typ":"Refresh"`:                                   401,
		`"typ":"Offline"`:                                   401,
		`"token_type":"DPoP"`:                               401, // and says not whose
		`"token_type":"dpop","cnf":{"x5t#S256":"x"}`:        401,
	} {
		e.say(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example",`+said+`}`)
		})
		resp := serve(e.guard(e.options()), Need{}, get("Bearer x"))
		if challenge := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != status || strings.Contains(challenge, "certificate") {
			t.Errorf("%s: %d, want %d: %s", said, resp.StatusCode, status, challenge)
		}
	}
	e.say(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example","token_type":"DPoP","cnf":{"jkt":"x"}}`)
	})
	if _, err := e.guard(e.options()).Verify(get("DPoP x"), Need{}); err == nil || !strings.Contains(err.Error(), "not supported") {
		t.Error(err)
	}
}

// The answer is kept for the next request: what a caller does to its token, no other sees.
func TestAnswersAreCopies(t *testing.T) {
	e := newEndpoint(t)
	e.say(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example","sub":"alice","act":{"sub":"x"},"cnf":{"jkt":"x"},"authorization_details":[{"type":"a"}]}`)
	})
	o := e.options()
	o.CacheFor = time.Minute
	i := must(NewIntrospector(o))
	first := must(i.token(ctx, "x"))
	first.Confirmation.Thumbprint = "of a thief"
	first.AuthorizationDetails[1] = '!'
	said := first.Introspection
	said.Subject, said.Audience[0], said.Other["act"][1] = "root", "changed", '!'
	delete(said.Other, "act")
	second := must(i.token(ctx, "x"))
	if said = second.Introspection; second.Confirmation.Thumbprint != "x" || said.Confirmation.Thumbprint != "x" || said.Subject != "alice" ||
		string(said.Other["act"]) != `{"sub":"x"}` || string(second.AuthorizationDetails) != `[{"type":"a"}]` {
		t.Errorf("%+v, %+v", second, said)
	}
}

// A hook that ends the goroutine leaves nobody waiting.
func TestHookEndsGoroutine(t *testing.T) {
	o := newEndpoint(t).options()
	o.CacheFor = time.Minute
	o.Authenticate = func(context.Context, http.Header, url.Values) error { runtime.Goexit(); return nil }
	i := must(NewIntrospector(o))
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := i.response(ctx, "x"); err == nil || ctx.Err() != nil || len(i.answers) > 0 {
		t.Error(err, len(i.answers))
	}
}

// Over plain http, anyone in between reads the tokens and says what they are worth.
func TestEndpoint(t *testing.T) {
	for endpoint, good := range map[string]bool{
		"https://as.example/i": true, "http://127.0.0.1:80/i": true, "http://localhost/i": true, "http://[::1]/i": true,
		"http://as.example/i": false, "https://as.example/i#": false, "https://api:secret@as.example/i": false,
	} {
		if _, err := NewIntrospector(IntrospectionOptions{Endpoint: endpoint, Issuer: issuer, AnyAudience: true}); (err == nil) != good {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestAudiencesAreCopied(t *testing.T) {
	e := newEndpoint(t)
	o := e.options()
	names := []string{resource}
	o.Audiences = names
	g := e.guard(o)
	names[0] = "https://b.example"
	want(t, serve(g, Need{}, get("Bearer other-aud")), 401, "Bearer invalid_token")
}

// The clock of the server may be a minute ahead: it has said that the token is active.
func TestClockAhead(t *testing.T) {
	e := newEndpoint(t)
	for nbf, status := range map[string]int{"1767268801": 200, "1767268860": 200, "1767268861": 401} {
		e.say(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"active":true,"aud":"https://api.example","nbf":`+nbf+`}`)
		})
		if resp := serve(e.guard(e.options()), Need{}, get("Bearer x")); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", nbf, resp.StatusCode, status)
		}
	}
}
