package dpop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// A server answers one request after another, and keeps what it got.
type server struct {
	answers []*http.Response
	got     []*http.Request
	bodies  []string
	closed  int // bodies of answers
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.got = append(s.got, r)
	text := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		text = string(b)
		_ = r.Body.Close()
	}
	s.bodies = append(s.bodies, text)
	if len(s.got) > len(s.answers) {
		return nil, io.ErrUnexpectedEOF
	}
	a := s.answers[len(s.got)-1]
	a.Request = r
	a.Body = closing{a.Body, &s.closed}
	return a, nil
}

type closing struct {
	io.Reader
	n *int
}

func (c closing) Close() error { *c.n++; return nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// answer makes a response of header lines "Name: value".
func answer(status int, body string, lines ...string) *http.Response {
	h := http.Header{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

const (
	wantsJSON = `{"error":"use_dpop_nonce","error_description":"…"}`
	asJSON    = "Content-Type: application/json; charset=utf-8"
	asked     = `WWW-Authenticate: Bearer realm="a", DPoP error="use_dpop_nonce", algs="ES256"`
	nonceOne  = "DPoP-Nonce: one"
)

// claimsOf reads a proof, which has to verify for the request that it is in.
func claimsOf(t *testing.T, r *http.Request, token string) *jwt.Token[Claims] {
	t.Helper()
	raw, err := FromHeader(r.Header)
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, Policy{Replay: forgets{}})
	x := Expect{Method: r.Method, URL: r.URL.String(), NoAccessToken: token == ""}
	if token != "" {
		x.AccessToken, x.Thumbprint = token, thumbprint(t, profiletest.Key(t))
	}
	tok, err := v.Verify(ctx, raw, x)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func request(t *testing.T, method, to, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What is answered to a server, and how often.
func TestTransportNonces(t *testing.T) {
	unreplayable := func(r *http.Request) { r.GetBody = nil }
	for name, tc := range map[string]struct {
		first  *http.Response
		change func(*http.Request)
		sent   int
		status int
	}{
		"no nonce wanted":                 {first: answer(200, "ok", nonceOne), sent: 1, status: 200},
		"JSON of 400":                     {first: answer(400, wantsJSON, nonceOne, asJSON), sent: 2, status: 201},
		"JSON of 401":                     {first: answer(401, wantsJSON, nonceOne, asJSON), sent: 2, status: 201},
		"a challenge of 401":              {first: answer(401, "", nonceOne, asked), sent: 2, status: 201},
		"a challenge of 400":              {first: answer(400, "", nonceOne, asked), sent: 2, status: 201},
		"JSON of 403":                     {first: answer(403, wantsJSON, nonceOne, asJSON), sent: 1, status: 403},
		"JSON of 200":                     {first: answer(200, wantsJSON, nonceOne, asJSON), sent: 1, status: 200},
		"HTML":                            {first: answer(400, wantsJSON, nonceOne, "Content-Type: text/html"), sent: 1, status: 400},
		"no type":                         {first: answer(400, wantsJSON, nonceOne), sent: 1, status: 400},
		"another error":                   {first: answer(400, `{"error":"invalid_grant"}`, nonceOne, asJSON), sent: 1, status: 400},
		"no JSON":                         {first: answer(400, `use_dpop_nonce`, nonceOne, asJSON), sent: 1, status: 400},
		"JSON too long":                   {first: answer(400, `{"error":"use_dpop_nonce","x":"`+strings.Repeat("x", maxErrorBody)+`"}`, nonceOne, asJSON), sent: 1, status: 400},
		"the challenge of another scheme": {first: answer(401, "", nonceOne, `WWW-Authenticate: Bearer error="use_dpop_nonce", DPoP algs="ES256"`), sent: 1, status: 401},
		"another challenge":               {first: answer(401, "", nonceOne, `WWW-Authenticate: DPoP error="invalid_token"`), sent: 1, status: 401},
		"a challenge that is none":        {first: answer(401, "", nonceOne, `WWW-Authenticate: DPoP error="use_dpop_nonce`), sent: 1, status: 401},
		"without a nonce":                 {first: answer(400, wantsJSON, asJSON), sent: 1, status: 400},
		"an empty nonce":                  {first: answer(400, wantsJSON, asJSON, "DPoP-Nonce: "), sent: 1, status: 400},
		"two nonces":                      {first: answer(400, wantsJSON, asJSON, nonceOne, "DPoP-Nonce: two"), sent: 1, status: 400},
		"a nonce with a space":            {first: answer(400, wantsJSON, asJSON, "DPoP-Nonce: a b"), sent: 1, status: 400},
		"a nonce with a quote":            {first: answer(400, wantsJSON, asJSON, `DPoP-Nonce: a"b`), sent: 1, status: 400},
		"a nonce with a backslash":        {first: answer(400, wantsJSON, asJSON, `DPoP-Nonce: a\b`), sent: 1, status: 400},
		"a nonce with ü":                  {first: answer(400, wantsJSON, asJSON, `DPoP-Nonce: ü`), sent: 1, status: 400},
		"a nonce too long":                {first: answer(400, wantsJSON, asJSON, "DPoP-Nonce: "+strings.Repeat("x", maxNonce+1)), sent: 1, status: 400},
		"a body that is gone":             {first: answer(400, wantsJSON, nonceOne, asJSON), change: unreplayable, sent: 1, status: 400},
		"a body that fails": {first: answer(400, wantsJSON, nonceOne, asJSON), change: func(r *http.Request) {
			r.GetBody = func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
		}, sent: 1, status: 400},
		"no body":   {first: answer(400, wantsJSON, nonceOne, asJSON), change: func(r *http.Request) { r.Body, r.GetBody = nil, nil }, sent: 2, status: 201},
		"NoBody":    {first: answer(400, wantsJSON, nonceOne, asJSON), change: func(r *http.Request) { r.Body, r.GetBody = http.NoBody, nil }, sent: 2, status: 201},
		"no method": {first: answer(401, "", nonceOne, asked), change: func(r *http.Request) { r.Method = "" }, sent: 2, status: 201},
	} {
		t.Run(name, func(t *testing.T) {
			text, _ := io.ReadAll(tc.first.Body)
			tc.first.Body = io.NopCloser(bytes.NewReader(text))
			s := &server{answers: []*http.Response{tc.first, answer(201, "made", "DPoP-Nonce: two"), answer(200, "")}}
			tr := &Transport{Key: profiletest.Key(t), Base: s}
			r := request(t, "POST", "https://as.example/token?q", "grant")
			if tc.change != nil {
				tc.change(r)
			}
			resp, err := tr.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.got) != tc.sent || resp.StatusCode != tc.status {
				t.Fatalf("%d requests, status %d", len(s.got), resp.StatusCode)
			}
			if r.Header.Get(Header) != "" {
				t.Error("the request itself was changed")
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || tc.sent == 1 && string(got) != string(text) || tc.sent == 2 && string(got) != "made" {
				t.Errorf("the body is %.40q, %v", got, err)
			}
			_ = resp.Body.Close()
			if s.closed != tc.sent {
				t.Errorf("%d bodies closed", s.closed)
			}
			if tc.sent == 1 {
				return
			}
			if s.bodies[0] != s.bodies[1] {
				t.Errorf("sent %q", s.bodies)
			}
			for _, r := range s.got {
				if r.Method == "" {
					r.Method = "GET"
				}
			}
			first, second := claimsOf(t, s.got[0], ""), claimsOf(t, s.got[1], "")
			if first.ID == second.ID || first.Claims.Nonce != "" || second.Claims.Nonce != "one" {
				t.Errorf("%+v %+v", first, second)
			}
			// The newest nonce is the one of the next request, to this origin.
			if _, err := tr.RoundTrip(request(t, "GET", "https://AS.example:443/other", "")); err != nil {
				t.Fatal(err)
			}
			if n := claimsOf(t, s.got[2], "").Claims.Nonce; n != "two" {
				t.Errorf("the nonce is %q", n)
			}
		})
	}
}

// A server that always wants another nonce is asked twice, and one that wants the same once more.
func TestTransportGivesUp(t *testing.T) {
	s := &server{answers: []*http.Response{
		answer(401, "1", asked, nonceOne), answer(401, "2", asked, "DPoP-Nonce: two"),
		answer(401, "3", asked, "DPoP-Nonce: two"),
	}}
	tr := &Transport{Key: profiletest.Key(t), Base: s}
	for i, want := range []string{"2", "3"} {
		resp, err := tr.RoundTrip(request(t, "GET", "https://api.example/", ""))
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != want || len(s.got) != 2+i {
			t.Errorf("%q after %d requests", b, len(s.got))
		}
	}
}

// Nonces are of one origin, and those of the most recent ones are kept.
func TestTransportOrigins(t *testing.T) {
	s := &server{}
	tr := &Transport{Key: profiletest.Key(t), Base: s}
	get := func(to, next string) string {
		s.answers, s.got = []*http.Response{answer(200, "", "DPoP-Nonce: "+next)}, nil
		if _, err := tr.RoundTrip(request(t, "GET", to, "")); err != nil {
			t.Fatal(err)
		}
		return claimsOf(t, s.got[0], "").Claims.Nonce
	}
	get("https://a.example/", "a")
	for _, to := range []string{"http://a.example/", "https://a.example:8443/", "https://b.example/"} {
		if n := get(to, "x"); n != "" {
			t.Errorf("%s gets %q", to, n)
		}
	}
	if n := get("https://a.example/", "b"); n != "a" {
		t.Error(n)
	}
	for i := range maxOrigins - 1 {
		get(fmt.Sprintf("https://%d.example/", i), "x")
	}
	if n := get("https://a.example/", "c"); n != "b" {
		t.Error(n)
	}
	for i := range maxOrigins {
		get(fmt.Sprintf("https://%d.example/", i), "x")
	}
	if n := get("https://a.example/", "d"); n != "" || len(tr.nonces) != maxOrigins {
		t.Error(n, len(tr.nonces))
	}
}

// Where the access token comes from.
func TestTransportToken(t *testing.T) {
	own := func(token string, err error) func(*http.Request) (string, error) {
		return func(*http.Request) (string, error) { return token, err }
	}
	for name, tc := range map[string]struct {
		token  func(*http.Request) (string, error)
		header string
		want   string // the token of the proof
		sent   string // Authorization
	}{
		"none":           {},
		"a func":         {token: own("t", nil), want: "t", sent: "DPoP t"},
		"a func, no":     {token: own("", nil)},
		"a header":       {header: "DPoP t", want: "t", sent: "DPoP t"},
		"in other words": {header: "dpop   t", want: "t", sent: "DPoP t"},
		"both":           {token: own("t", nil), header: "DPoP u", want: "t", sent: "DPoP t"},
		"Bearer":         {header: "Bearer t", sent: "Bearer t"},
		"Basic":          {header: "Basic dTpw", sent: "Basic dTpw"},
		"no credentials": {header: "DPoP", sent: "DPoP"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{answers: []*http.Response{answer(200, "")}}
			r := request(t, "GET", "https://api.example/", "")
			if tc.header != "" {
				r.Header.Set("Authorization", tc.header)
			}
			r.Header.Set("DPoP", "of the caller")
			if _, err := (&Transport{Key: profiletest.Key(t), Base: s, Token: tc.token}).RoundTrip(r); err != nil {
				t.Fatal(err)
			}
			claimsOf(t, s.got[0], tc.want)
			if got := s.got[0].Header.Get("Authorization"); got != tc.sent {
				t.Errorf("Authorization: %s", got)
			}
		})
	}
}

// What cannot be sent closes its body.
func TestTransportFails(t *testing.T) {
	key := profiletest.Key(t)
	for name, tc := range map[string]struct {
		tr     *Transport
		change func(*http.Request)
		want   error
	}{
		"no key":       {&Transport{}, nil, jwt.ErrPolicy},
		"no token":     {&Transport{Key: key, Token: func(*http.Request) (string, error) { return "", io.ErrClosedPipe }}, nil, io.ErrClosedPipe},
		"no URL":       {&Transport{Key: key}, func(r *http.Request) { r.URL = nil }, nil},
		"ftp":          {&Transport{Key: key}, func(r *http.Request) { r.URL.Scheme = "ftp" }, nil},
		"opaque":       {&Transport{Key: key}, func(r *http.Request) { r.URL.Opaque = "//api.example/" }, nil},
		"bücher":       {&Transport{Key: key}, func(r *http.Request) { r.URL.Host, r.Host = "bücher.example", "" }, nil},
		"context over": {&Transport{Key: key}, func(r *http.Request) { c, cancel := context.WithCancel(ctx); cancel(); *r = *r.WithContext(c) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			s, n := &server{}, 0
			tc.tr.Base = s
			r := request(t, "GET", "https://api.example/", "")
			r.Body = closing{strings.NewReader("x"), &n}
			if tc.change != nil {
				tc.change(r)
			}
			_, err := tc.tr.RoundTrip(r)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || len(s.got) != 0 || n != 1 {
				t.Errorf("%v; %d sent, %d closed", err, len(s.got), n)
			}
			r.Body = nil
			if _, err := tc.tr.RoundTrip(r); err == nil {
				t.Error("it is sent without a body")
			}
		})
	}
}

// A failure of the network is returned as it is, the first and the second time.
func TestTransportNetworkFails(t *testing.T) {
	for _, answers := range [][]*http.Response{nil, {answer(401, "", asked, nonceOne)}} {
		s := &server{answers: answers}
		resp, err := (&Transport{Key: profiletest.Key(t), Base: s}).RoundTrip(request(t, "GET", "https://api.example/", ""))
		if resp != nil || err != io.ErrUnexpectedEOF || s.closed != len(answers) {
			t.Error(resp, err, s.closed)
		}
	}
}

// An answer whose body breaks off is handed on as it is.
func TestTransportBrokenAnswer(t *testing.T) {
	a := answer(400, "", nonceOne, asJSON)
	a.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"error":`), failing{io.ErrUnexpectedEOF}))
	s := &server{answers: []*http.Response{a}}
	resp, err := (&Transport{Key: profiletest.Key(t), Base: s}).RoundTrip(request(t, "GET", "https://api.example/", ""))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(resp.Body); string(b) != `{"error":` || err != io.ErrUnexpectedEOF || len(s.got) != 1 {
		t.Errorf("%q, %v", b, err)
	}
}

// The signer gives up between the two requests.
func TestTransportSecondProofFails(t *testing.T) {
	c, cancel := context.WithCancel(ctx)
	a := answer(401, "", asked, nonceOne)
	s := &server{answers: []*http.Response{a}}
	n := 0
	r := request(t, "POST", "https://api.example/", "x").WithContext(c)
	r.GetBody = func() (io.ReadCloser, error) {
		cancel()
		return closing{strings.NewReader("x"), &n}, nil
	}
	if _, err := (&Transport{Key: profiletest.Key(t), Base: s}).RoundTrip(r); !errors.Is(err, context.Canceled) || s.closed != 1 || n != 1 {
		t.Error(err, s.closed, n)
	}
}

// The target URI has the host of the header, not of the connection.
func TestTransportHost(t *testing.T) {
	s := &server{answers: []*http.Response{answer(200, "")}}
	r := request(t, "GET", "https://127.0.0.1:8443/a%2Fb", "")
	r.Host = "api.example"
	if _, err := (&Transport{Key: profiletest.Key(t), Base: s}).RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	s.got[0].URL = &url.URL{Scheme: "https", Host: "api.example", Path: "/a/b", RawPath: "/a%2Fb"}
	claimsOf(t, s.got[0], "")
	if s.got[0].Host != "api.example" {
		t.Error(s.got[0].Host)
	}
}

// api is a server with proofs and nonces as they have to be.
func api(t *testing.T, public func(*http.Request) string, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	nonces, err := NewNonces(NonceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, Policy{Replay: jwt.NewReplayCache(100), Nonces: nonces})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := FromHeader(r.Header)
		if err == nil {
			x := Expect{Method: r.Method, URL: public(r), NoAccessToken: true}
			if token, ok := tokenOf(r.Header); ok {
				x.AccessToken, x.Thumbprint, x.NoAccessToken = token, thumbprint(t, profiletest.Key(t)), false
			}
			_, err = v.Verify(r.Context(), raw, x)
		}
		if err := v.SetNonce(r.Context(), w.Header()); err != nil {
			t.Error(err)
		}
		if err != nil {
			w.Header().Set("WWW-Authenticate", v.Challenge(err).String())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestTransportRedirects follows redirections of a real server: to the same origin with a proof of its own, to another
// one without token and proof.
func TestTransportRedirects(t *testing.T) {
	var leaked http.Header
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { leaked = r.Header.Clone() }))
	defer elsewhere.Close()
	var s *httptest.Server
	var paths []string
	s = api(t, func(r *http.Request) string { return s.URL + r.URL.EscapedPath() }, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/here?x=y", http.StatusTemporaryRedirect)
		case "/away":
			http.Redirect(w, r, elsewhere.URL+"/there", http.StatusTemporaryRedirect)
		default:
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", r.Header.Get("Authorization"), b)
		}
	})
	for name, tr := range map[string]*Transport{
		"Token":  {Key: profiletest.Key(t), Token: func(*http.Request) (string, error) { return "t", nil }},
		"header": {Key: profiletest.Key(t)},
	} {
		client := &http.Client{Transport: tr}
		do := func(path string) string {
			r := request(t, "POST", s.URL+path, "order")
			if tr.Token == nil {
				r.Header.Set("Authorization", "DPoP t")
			}
			resp, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s: %s %v", name, path, resp.Status, resp.Header)
			}
			return string(b)
		}
		paths, leaked = nil, nil
		if got := do("/moved"); got != "DPoP t order" {
			t.Errorf("%s: %q", name, got)
		}
		do("/away")
		if fmt.Sprint(paths) != "[/moved /here /away]" {
			t.Errorf("%s: %v", name, paths)
		}
		if leaked == nil || leaked.Get("Authorization") != "" || leaked.Get(Header) != "" {
			t.Errorf("%s: another origin got %v", name, leaked)
		}
	}
	// A redirection back does not make the way any better, and what is not of DPoP is left to the caller.
	first := request(t, "GET", s.URL, "")
	second := request(t, "GET", elsewhere.URL, "")
	second.Response = &http.Response{Request: first}
	third := request(t, "GET", s.URL+"/again", "")
	third.Response = &http.Response{Request: second}
	third.Header.Set("Authorization", "Basic dTpw")
	third.Header.Set(Header, "x")
	base := &server{answers: []*http.Response{answer(200, "")}}
	if _, err := (&Transport{Key: profiletest.Key(t), Base: base}).RoundTrip(third); err != nil {
		t.Fatal(err)
	}
	if h := base.got[0].Header; h.Get(Header) != "" || h.Get("Authorization") != "Basic dTpw" || third.Header.Get(Header) != "x" {
		t.Error(h, third.Header)
	}
	// What cannot be compared is another origin.
	second.URL = nil
	base = &server{answers: []*http.Response{answer(200, "")}}
	third.Response = &http.Response{Request: second}
	if _, err := (&Transport{Key: profiletest.Key(t), Base: base}).RoundTrip(third); err != nil || base.got[0].Header.Get(Header) != "" {
		t.Error(err)
	}
}

// One transport and one verifier serve many requests at once, and each is answered in two tries.
func TestConcurrent(t *testing.T) {
	var s *httptest.Server
	s = api(t, func(r *http.Request) string { return s.URL + r.URL.EscapedPath() }, func(http.ResponseWriter, *http.Request) {})
	client := &http.Client{Transport: &Transport{Key: profiletest.Key(t)}}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 5 {
				resp, err := client.Get(s.URL)
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Error(resp.Status, resp.Header)
				}
			}
		})
	}
	wait.Wait()
}

// FuzzAnswer gives the transport answers that nobody has foreseen: it returns one of them, with its whole body, after at
// most two requests.
func FuzzAnswer(f *testing.F) {
	f.Add(400, wantsJSON, "application/json", "", "n")
	f.Add(401, "", "", `DPoP error="use_dpop_nonce"`, "n")
	f.Add(401, `{"error":{}}`, "application/json;", `DPoP error=use_dpop_nonce, Bearer`, "n m")
	f.Fuzz(func(t *testing.T, status int, text, media, challenge, nonce string) {
		a := answer(status, text)
		a.Header = http.Header{"Content-Type": {media}, "Www-Authenticate": {challenge}, "Dpop-Nonce": {nonce}}
		s := &server{answers: []*http.Response{a, answer(200, text)}}
		resp, err := (&Transport{Key: profiletest.Key(t), Base: s}).RoundTrip(request(t, "GET", "https://api.example/", ""))
		if err != nil || len(s.got) > 2 {
			t.Fatal(err, len(s.got))
		}
		if b, err := io.ReadAll(resp.Body); string(b) != text || err != nil {
			t.Fatalf("%q, %v", b, err)
		}
		again := (status == 400 || status == 401) && nonce != "" && (strings.Contains(text, oauth.UseDPoPNonce) || strings.Contains(challenge, oauth.UseDPoPNonce) || strings.Contains(text, `\u`))
		if len(s.got) == 2 && !again {
			t.Fatal("a second request")
		}
	})
}
