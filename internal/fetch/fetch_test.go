package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var ctx = context.Background()

// noProxy keeps the environment of the test out of it.
func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func get(t *testing.T, o Options, req Request) (*Response, error) {
	t.Helper()
	if o.Proxy == nil {
		o.Proxy = noProxy
	}
	return New(o).Get(ctx, req)
}

// plain serves over http on this machine.
func plain(t *testing.T, f http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

// secure serves over https, and returns who certifies it.
func secure(t *testing.T, f http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	s := httptest.NewUnstartedServer(f)
	s.Config.ErrorLog = quiet
	s.StartTLS()
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s, pool
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%v, want %v", err, want)
	}
}

func wantStatus(t *testing.T, err error, code int) *StatusError {
	t.Helper()
	e, ok := errors.AsType[*StatusError](err)
	if !ok || e.Code != code {
		t.Fatalf("%v, want status %d", err, code)
	}
	return e
}

func TestGet(t *testing.T) {
	s := plain(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.Header.Get("User-Agent") != "jot" || r.Header.Get("Cookie") != "" ||
			r.Header.Get("Accept") != "application/json, */*;q=0.1" || r.Header.Get("Authorization") != "Bearer b" {
			t.Error(r.Method, r.Header)
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=600")
		w.Header().Set("Age", "60")
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	c := New(Options{Proxy: noProxy})
	req := Request{URL: s.URL, Types: []string{"application/json"}, Also: []string{"+json", "text/json"}, Header: http.Header{"Authorization": {"Bearer b"}}}
	for range 2 { // a cookie would come back
		resp, err := c.Get(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if string(resp.Body) != "{}" || resp.NotModified || resp.ETag != `"v1"` || resp.Fresh != 9*time.Minute || !resp.Explicit {
			t.Errorf("%+v", resp)
		}
	}
	req.ETag = `"v1"`
	resp, err := c.Get(ctx, req)
	if err != nil || !resp.NotModified || resp.Body != nil || resp.ETag != `"v1"` {
		t.Errorf("%+v %v", resp, err)
	}
	if len(req.Header) != 1 {
		t.Error("the caller's header was changed", req.Header)
	}
	req.Header = http.Header{"User-Agent": {"mine"}, "Authorization": {"Bearer b"}}
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "mine" {
			t.Error(r.Header)
		}
		w.WriteHeader(http.StatusNotModified) // without its ETag
	})
	if resp, err = c.Get(ctx, req); err != nil || resp.ETag != `"v1"` {
		t.Errorf("%+v %v", resp, err)
	}
}

func TestAnswers(t *testing.T) {
	big := bytes.Repeat([]byte("x"), MaxBody+1)
	for _, tc := range []struct {
		name   string
		f      http.HandlerFunc
		err    error
		status int
	}{
		{"most", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big[1:]) }, nil, 0},
		{"more than most", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) }, ErrTooLarge, 0},
		{"a length over the limit", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1048577")
			w.WriteHeader(http.StatusOK)
		}, ErrTooLarge, 0},
		{"without end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(big); err != nil {
					return
				}
			}
		}, ErrTooLarge, 0},
		{"shorter than its length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{}")
		}, io.ErrUnexpectedEOF, 0},
		{"a bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			for range 50 {
				_, _ = z.Write(big)
			}
			_ = z.Close()
		}, ErrTooLarge, 0},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "{}")
			_ = z.Close()
		}, nil, 0},
		{"an encoding that nobody asked for", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "{}")
		}, ErrType, 0},
		{"identity", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "identity")
			_, _ = io.WriteString(w, "{}")
		}, nil, 0},
		{"no type", func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil }, nil, 0},
		{"another json", typed("application/jwk-set+json"), nil, 0},
		{"a parameter that is none", typed("application/json; charset"), nil, 0},
		{"capitals", typed("Application/JSON"), nil, 0},
		{"a type that ends as one", typed("x-text/json"), ErrType, 0},
		{"HTML", typed("text/html; charset=utf-8"), ErrType, 0},
		{"no type at all", typed("json"), ErrType, 0},
		{"nonsense", typed("/;"), ErrType, 0},
		{"500", status(500), nil, 500},
		{"204", status(204), nil, 204},
		{"304 that nobody asked for", status(304), nil, 304},
		{"404", status(404), nil, 404},
		{"an unknown status", status(599), nil, 599},
		{"redirect", redirect("/x"), nil, 302},
		{"headers without end", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 100<<10)) }, errAny, 0},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c, "hello\n")
			_ = c.Close()
		}, errAny, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := plain(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				tc.f(w, r)
			})
			s.Config.ErrorLog = quiet
			_, err := get(t, Options{}, Request{URL: s.URL, Types: []string{"application/json"}, Also: []string{"+json", "text/json"}})
			switch {
			case tc.status != 0:
				wantStatus(t, err, tc.status)
			case tc.err == errAny:
				if err == nil {
					t.Error("accepted")
				}
			default:
				wantErr(t, err, tc.err)
			}
			if err != nil && strings.Contains(err.Error(), s.URL) {
				t.Error("the URL is for the caller to print", err)
			}
		})
	}
}

var errAny = errors.New("any")

func typed(t string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", t) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func TestStatusText(t *testing.T) {
	for code, want := range map[int]string{
		500: "the server answered 500 Internal Server Error",
		599: "the server answered 599",
		302: "the server answered 302 Found, and redirects are not followed",
	} {
		if got := (&StatusError{Code: code}).Error(); got != want {
			t.Error(got)
		}
	}
}

func TestLongETag(t *testing.T) {
	s := plain(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", strings.Repeat("e", 2000)) })
	resp, err := get(t, Options{}, Request{URL: s.URL})
	if err != nil || resp.ETag != "" {
		t.Error(resp, err)
	}
}

func TestRedirects(t *testing.T) {
	var hits atomic.Int32
	elsewhere := plain(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	secret := Request{Header: http.Header{"Authorization": {"Bearer b"}}}
	s := plain(t, nil)
	loops := 0
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer b" {
			t.Error("the header is lost")
		}
		switch r.URL.Path {
		case "/here":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		case "/elsewhere":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://user:pass@"+r.Host+"/end", http.StatusFound)
		case "/loop":
			loops++
			http.Redirect(w, r, "/loop", http.StatusFound)
		}
	})
	for _, tc := range []struct {
		path   string
		follow bool
		err    error
		status int
	}{
		{"/here", false, nil, 307},
		{"/here", true, nil, 0},
		{"/elsewhere", false, nil, 302},
		{"/elsewhere", true, ErrRefused, 0},
		{"/metadata", true, ErrRefused, 0},
		{"/file", true, ErrRefused, 0},
		{"/user", true, ErrRefused, 0},
		{"/loop", true, nil, 302},
	} {
		secret.URL = s.URL + tc.path
		_, err := get(t, Options{FollowRedirects: tc.follow}, secret)
		if tc.status != 0 {
			wantStatus(t, err, tc.status)
		} else {
			wantErr(t, err, tc.err)
		}
	}
	tlsServer, pool := secure(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://"+r.Host, http.StatusFound) })
	_, err := get(t, Options{FollowRedirects: true, RootCAs: pool}, Request{URL: tlsServer.URL})
	wantErr(t, err, ErrRefused)
	if loops != 4 {
		t.Errorf("%d requests in a loop, want 4", loops)
	}
	if hits.Load() != 0 {
		t.Error("another origin was asked")
	}
}

func TestTLS(t *testing.T) {
	ok := func(http.ResponseWriter, *http.Request) {}
	s, pool := secure(t, ok)
	_, err := get(t, Options{RootCAs: pool}, Request{URL: s.URL})
	wantErr(t, err, nil)
	_, err = get(t, Options{}, Request{URL: s.URL})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		t.Error(err)
	}

	old := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.Config.ErrorLog = quiet
	old.StartTLS()
	defer old.Close()
	oldPool := x509.NewCertPool()
	oldPool.AddCert(old.Certificate())
	if _, err = get(t, Options{RootCAs: oldPool}, Request{URL: old.URL}); err == nil || !strings.Contains(err.Error(), "version") {
		t.Error(err)
	}
}

// Each stage has an end of its own, however slow the server.
func TestTimeouts(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	hang := func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // which accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	body := plain(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "{")
		_ = http.NewResponseController(w).Flush()
		hang(w, r)
	})
	for name, u := range map[string]string{
		"header": plain(t, hang).URL, "body": body.URL, "TLS": "https://" + silent.Addr().String(), "nothing": "http://" + silent.Addr().String(),
	} {
		_, err := get(t, Options{Timeout: 40 * time.Millisecond}, Request{URL: u})
		var e interface{ Timeout() bool }
		if !errors.As(err, &e) || !e.Timeout() {
			t.Errorf("%s: %v", name, err)
		}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = New(Options{Proxy: noProxy}).Get(ended, Request{URL: body.URL})
	wantErr(t, err, context.Canceled)
}

func TestFreshness(t *testing.T) {
	const date = "Thu, 01 Jan 2026 12:00:00 GMT"
	for _, tc := range []struct {
		headers  string
		want     time.Duration
		explicit bool
	}{
		{"", 0, false},
		{"Cache-Control: public", 0, false},
		{"Cache-Control: max-age=60", time.Minute, true},
		{"Cache-Control: MAX-AGE=\"60\"", time.Minute, true},
		{"Cache-Control: private , max-age=60, must-revalidate", time.Minute, true},
		{"Cache-Control: max-age=60\nCache-Control: max-age=30", 30 * time.Second, true},
		{"Cache-Control: max-age=30, max-age=60", 30 * time.Second, true},
		{"Cache-Control: max-age=60, no-cache", 0, true},
		{"Cache-Control: no-store\nCache-Control: max-age=60", 0, true},
		{"Cache-Control: max-age=x", 0, true},
		{"Cache-Control: max-age=-1", 0, true},
		{"Cache-Control: max-age=", 0, true},
		{"Cache-Control: max-age=99999999999999999999", forever, true},
		{"Cache-Control: max-age=9223372036854775807", forever, true},
		{"Cache-Control: s-maxage=60", 0, false},
		{"Cache-Control: max-age=60\nAge: 20", 40 * time.Second, true},
		{"Cache-Control: max-age=60\nAge: 99", 0, true},
		{"Cache-Control: max-age=60\nAge: x", time.Minute, true},
		{"Cache-Control: max-age=60\nExpires: 0", time.Minute, true},
		{"Expires: Thu, 01 Jan 2026 12:01:00 GMT\nDate: " + date, time.Minute, true},
		{"Expires: Thu, 01 Jan 2026 11:01:00 GMT\nDate: " + date, 0, true},
		{"Expires: Thu, 01 Jan 2026 12:01:00 GMT", 0, true},
		{"Expires: 0\nDate: " + date, 0, true},
	} {
		h := http.Header{}
		for line := range strings.Lines(tc.headers) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), ": ")
			h.Add(k, v)
		}
		if got, explicit := freshness(h); got != tc.want || explicit != tc.explicit {
			t.Errorf("%q: %v %v, want %v %v", tc.headers, got, explicit, tc.want, tc.explicit)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Thu, 01 Jan 2026 12:00:00 GMT"
	for in, want := range map[string]time.Duration{
		"": 0, "120": 2 * time.Minute, "x": 0, "Thu, 01 Jan 2026 12:01:00 GMT": time.Minute, "Thu, 01 Jan 2026 11:01:00 GMT": 0,
	} {
		s := plain(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", in)
			w.Header().Set("Date", date)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		_, err := get(t, Options{}, Request{URL: s.URL})
		if got := wantStatus(t, err, 503).RetryAfter; got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {date}}); got != 0 {
		t.Error(got)
	}
}

func TestOperatorURLs(t *testing.T) {
	c := New(Options{})
	for u, ok := range map[string]bool{
		"https://as.example/jwks?x=1": true,
		"https://10.0.0.1:8443/jwks":  true,
		"http://localhost:8080/":      true,
		"http://kc.localhost/":        true,
		"http://127.0.0.1/":           true,
		"http://[::1]:80/":            true,
		"http://[::ffff:127.0.0.1]/":  true,
		"http://as.example/":          false,
		"http://10.0.0.1/":            false,
		"http://localhost.example/":   false,
		"http://notlocalhost/":        false,
		"ftp://as.example/":           false,
		"file:///etc/passwd":          false,
		"gopher://as.example/":        false,
		"as.example":                  false,
		"":                            false,
		"https:as.example":            false,
		"https:///jwks":               false,
		"https://user@as.example/":    false,
		"https://a:b@as.example/":     false,
		"https://as.example/#x":       false,
		"https://as.example/#":        false,
		"https://as.example:0/":       false,
		"https://as.example:65536/":   false,
		"https://as.example:/":        true,
		"https://as.example\n/":       false,
		"https://[fe80::1%25eth0]/":   true,
		"https://2130706433/":         true,
		"https://as.example\x7f/":     false,
		"https://as.example/%zz":      false,
	} {
		err := c.CheckURL(u)
		if (err == nil) != ok {
			t.Errorf("%q: %v", u, err)
		}
		if !ok {
			wantErr(t, err, ErrRefused)
			if _, err := c.Get(ctx, Request{URL: u}); !errors.Is(err, ErrRefused) {
				t.Errorf("%q: %v", u, err)
			}
		}
	}
}

// Plain http stays on this machine, whatever localhost is made to mean.
func TestLocalhostElsewhere(t *testing.T) {
	r := names(t, func(string) []string { return []string{"10.1.2.3"} })
	_, err := get(t, Options{Resolver: r}, Request{URL: "http://kc.localhost/"})
	wantErr(t, err, ErrRefused)
}

// M6: what a URL of a stranger may not lead to.
func TestGuardAddresses(t *testing.T) {
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "100.100.100.200", "127.0.0.1", "127.8.8.8",
		"168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
		"192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "::a00:1", "::ffff:0:127.0.0.1",
		"64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::8.8.8.8", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2002:c0a8:101::1",
		"2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "4000::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
	} {
		if Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{
		"8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255", "168.63.129.17",
		"2606:4700:4700::1111", "2a00:1450::1", "2001:4860:4860::8888", "2001:200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
	} {
		if !Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not public", a)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("nothing is public")
	}
}

func TestGuardedURLs(t *testing.T) {
	c := New(Options{Guard: &Guard{}})
	for u, ok := range map[string]bool{
		"https://as.example/jwks":             true,
		"https://as.example:8443/jwks":        true,
		"https://as.example./jwks":            true,
		"https://xn--bcher-kva.example/":      true,
		"https://1password.com/":              true,
		"https://8.8.8.8/":                    true,
		"https://[2606:4700::1111]/":          true,
		"http://as.example/":                  false,
		"http://localhost/":                   false,
		"http://127.0.0.1/":                   false,
		"file:///etc/passwd":                  false,
		"gopher://as.example:70/":             false,
		"https://127.0.0.1/":                  false,
		"https://127.0.0.1./":                 false,
		"https://2130706433/":                 false, // decimal
		"https://017700000001/":               false, // octal
		"https://0177.0.0.1/":                 false,
		"https://0x7f000001/":                 false, // hexadecimal
		"https://0x7f.0.0.1/":                 false,
		"https://0x7f.1/":                     false,
		"https://127.1/":                      false,
		"https://127.0.1/":                    false,
		"https://127.0.0.0x1/":                false,
		"https://as.example.0X/":              false,
		"https://1.2.3.4.5/":                  false,
		"https://256.1.1.1/":                  false,
		"https://127.0.0.01/":                 false,
		"https://2852039166/":                 false, // 169.254.169.254
		"https://169.254.169.254/":            false,
		"https://[::1]/":                      false,
		"https://[::]/":                       false,
		"https://[::ffff:127.0.0.1]/":         false,
		"https://[::ffff:7f00:1]/":            false,
		"https://[0:0:0:0:0:ffff:a9fe:a9fe]/": false,
		"https://[64:ff9b::7f00:1]/":          false,
		"https://[2002:7f00:1::]/":            false,
		"https://[fe80::1%25eth0]/":           false,
		"https://[2606:4700::1111%25lo]/":     false,
		"https://１２７.０.０.１/":                  false, // full-width
		"https://127。0。0。1/":                  false, // ideographic full stops
		"https://①②⑦.0.0.1/":                  false,
		"https://bücher.example/":             false, // as its punycode, above
		"https://%31%32%37.0.0.1/":            false,
		"https://as.example%00.evil.example/": false,
		"https://a@127.0.0.1/":                false,
		"https://as.example@127.0.0.1/":       false,
		"https://127.0.0.1\\@as.example/":     false,
		"https://as.example\\.evil.example/":  false,
	} {
		if err := c.CheckURL(u); (err == nil) != ok || err != nil && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", u, err)
		}
	}

	port := New(Options{Guard: &Guard{HTTPSPort: true}})
	for u, ok := range map[string]bool{"https://as.example/": true, "https://as.example:443/": true, "https://as.example:8443/": false, "https://as.example:22/": false} {
		if err := port.CheckURL(u); (err == nil) != ok {
			t.Errorf("%q: %v", u, err)
		}
	}

	allowing := New(Options{Guard: &Guard{Networks: prefixes("10.1.0.0/16", "fd00::/8"), Hosts: []string{"127.0.0.2", "Inside.Example"}}})
	for u, ok := range map[string]bool{
		"https://10.1.2.3/": true, "https://10.2.2.3/": false, "https://[::ffff:10.1.2.3]/": true, "https://[64:ff9b::a01:203]/": true,
		"https://[fd00::1]/": true, "https://[fc00::1]/": false, "https://127.0.0.2/": true, "https://127.0.0.1/": false,
		"http://10.1.2.3/": false, "https://inside.example/": true,
	} {
		if err := allowing.CheckURL(u); (err == nil) != ok {
			t.Errorf("%q: %v", u, err)
		}
	}
}

// The address that is dialled is judged, whatever the name meant a moment ago.
func TestGuardRebinding(t *testing.T) {
	var hits, lookups atomic.Int32
	s, pool := secure(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	answers := []string{"127.0.0.1"}
	r := names(t, func(string) []string { lookups.Add(1); return answers })
	o := Options{RootCAs: pool, Resolver: r, Proxy: noProxy, Guard: &Guard{Networks: prefixes("127.0.0.1/32")}}
	req := Request{URL: "https://example.com:" + port} // the name in the certificate

	c := New(o)
	if _, err := c.Get(ctx, req); err != nil || hits.Load() != 1 {
		t.Fatal(err, hits.Load())
	}
	// Each of these would reach the same listener.
	for _, now := range [][]string{{"127.0.0.2"}, {"::1"}, {"0.0.0.0"}, {"127.0.0.2", "127.0.0.3"}, {"::ffff:127.0.0.2"}, {"169.254.169.254"}, {"64:ff9b::7f00:2"}} {
		answers = now
		_, err := c.Get(ctx, req)
		wantErr(t, err, ErrRefused)
	}
	if hits.Load() != 1 || lookups.Load() < 8 {
		t.Error(hits.Load(), "hits", lookups.Load(), "look-ups")
	}

	// A host that is named may be anywhere; others may not.
	answers = []string{"127.0.0.1"}
	o.Guard = &Guard{Hosts: []string{"EXAMPLE.com"}}
	if _, err := New(o).Get(ctx, req); err != nil || hits.Load() != 2 {
		t.Error(err)
	}
	o.Guard = &Guard{Hosts: []string{"other.example"}}
	_, err := New(o).Get(ctx, req)
	wantErr(t, err, ErrRefused)
}

func TestGuardRedirect(t *testing.T) {
	for _, to := range []string{"https://169.254.169.254/latest/meta-data/", "http://169.254.169.254/", "https://127.0.0.1:1/"} {
		s, pool := secure(t, redirect(to))
		o := Options{RootCAs: pool, FollowRedirects: true, Guard: &Guard{Hosts: []string{"127.0.0.1"}}}
		_, err := get(t, o, Request{URL: s.URL})
		wantErr(t, err, ErrRefused)
		o.FollowRedirects = false
		_, err = get(t, o, Request{URL: s.URL})
		wantStatus(t, err, 302)
	}
}

// A proxy that dials for us gets no name that stands for an address of ours.
func TestGuardBehindProxy(t *testing.T) {
	var hits, tunnels atomic.Int32
	s, pool := secure(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	proxy := plain(t, func(w http.ResponseWriter, r *http.Request) {
		tunnels.Add(1)
		if r.Method != http.MethodConnect {
			t.Error(r.Method)
		}
		up, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
	})
	proxyURL, _ := url.Parse(proxy.URL)
	for name, tc := range map[string]struct {
		addrs []string
		guard *Guard
		ok    bool
	}{
		"the operator's":  {[]string{"10.0.0.1"}, nil, true},
		"public":          {[]string{"93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"}, &Guard{}, true},
		"private":         {[]string{"10.0.0.1"}, &Guard{}, false},
		"one private":     {[]string{"93.184.215.14", "10.0.0.1"}, &Guard{}, false},
		"allowed network": {[]string{"10.0.0.1"}, &Guard{Networks: prefixes("10.0.0.0/8")}, true},
		"allowed host":    {[]string{"10.0.0.1"}, &Guard{Hosts: []string{"example.com"}}, true},
		"no such name":    {nil, &Guard{}, false},
	} {
		hits.Store(0)
		tunnels.Store(0)
		o := Options{
			RootCAs: pool, Guard: tc.guard, Resolver: names(t, func(string) []string { return tc.addrs }),
			Proxy: func(*http.Request) (*url.URL, error) { return proxyURL, nil },
		}
		_, err := New(o).Get(ctx, Request{URL: "https://example.com/"})
		if (err == nil) != tc.ok || tc.ok != (hits.Load() == 1) || tc.ok != (tunnels.Load() == 1) {
			t.Errorf("%s: %v, %d hits, %d tunnels", name, err, hits.Load(), tunnels.Load())
		}
		if !tc.ok && tc.addrs != nil {
			wantErr(t, err, ErrRefused)
		}
	}

	broken := errors.New("no proxy")
	_, err := get(t, Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }}, Request{URL: s.URL})
	wantErr(t, err, broken)
	// Plain http goes to this machine, and to no proxy.
	p := plain(t, func(http.ResponseWriter, *http.Request) {})
	_, err = get(t, Options{Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }}, Request{URL: p.URL})
	wantErr(t, err, nil)
}

// FuzzCheckURL looks for a URL that the guard lets through to an address that it
// should not reach.
func FuzzCheckURL(f *testing.F) {
	for _, s := range []string{"https://as.example/", "https://127.1/", "https://[::ffff:127.0.0.1]:443/", "https://0x7f.1./", "https://a@b/", "https://%31/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := checkURL(raw, &Guard{})
		if err != nil {
			wantErr(t, err, ErrRefused)
			return
		}
		if u.Scheme != "https" || u.User != nil || u.Hostname() == "" {
			t.Errorf("%q", raw)
		}
		if a, err := netip.ParseAddr(strings.TrimSuffix(u.Hostname(), ".")); err == nil && !Public(a) {
			t.Errorf("%q is %s", raw, a)
		}
	})
}

// names is a resolver that answers what f says.
func names(t *testing.T, f func(name string) []string) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serveDNS(ours, f)
		return theirs, nil
	}}
}

// serveDNS answers the questions of one connection (RFC 1035, Section 4).
func serveDNS(c net.Conn, f func(string) []string) {
	defer func() { _ = c.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		end, name := 12, ""
		for q[end] != 0 {
			name += string(q[end+1:end+1+int(q[end])]) + "."
			end += 1 + int(q[end])
		}
		kind := q[end+2]
		end += 5
		answer := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
		for _, s := range f(name) {
			a := netip.MustParseAddr(s)
			if a.Is4() != (kind == 1) {
				continue
			}
			answer[7]++
			answer = append(answer, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 0, 0, byte(len(a.AsSlice())))
			answer = append(answer, a.AsSlice()...)
		}
		if _, err := c.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
			return
		}
	}
}

func ExampleClient() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"keys":[]}`)
	}))
	defer s.Close()
	req := Request{URL: s.URL, Types: []string{"application/json"}}
	resp, err := New(Options{}).Get(ctx, req)
	fmt.Printf("%s %v\n", resp.Body, err)
	_, err = New(Options{Guard: &Guard{}}).Get(ctx, Request{URL: "https://169.254.169.254/"})
	fmt.Println(err)
	// Output:
	// {"keys":[]} <nil>
	// the URL is refused: 169.254.169.254 is not a public address
}
