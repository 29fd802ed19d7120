package server_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
)

// asked is a request for a token, from an address.
func asked(a *as, from, id, secret string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from
	r.SetBasicAuth(id, secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	a.Server.ServeHTTP(w, r)
	return w
}

// TestLimits_address counts what an address asks, whoever it says it is, and before anything is read.
func TestLimits_address(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now, Limits: server.Limits{Address: server.Rate{PerSecond: 0.25, Burst: 2}}})
	c := a.add("c", "client_secret_basic", nil)
	status := func(want int, from string) *httptest.ResponseRecorder {
		t.Helper()
		w := asked(a, from, "c", c.Secret)
		if w.Code != want {
			t.Errorf("%s: %d %s", from, w.Code, w.Body)
		}
		return w
	}
	status(200, "8.8.8.8:1")
	status(200, "[::ffff:8.8.8.8]:2")
	before := len(a.log)
	w := status(429, "8.8.8.8:3")
	if h := w.Header(); h.Get("Retry-After") != "4" || h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%v", h)
	}
	if !strings.Contains(w.Body.String(), `{"error":"temporarily_unavailable","error_description":"there are too many requests: try again in 4 s"}`) {
		t.Error(w.Body)
	}
	if len(a.log) != before+1 || a.log[before].Status != 429 || a.log[before].Client != "" || a.log[before].Err.Code != oauth.TemporarilyUnavailable {
		t.Errorf("%+v", a.log[before:])
	}
	// Each endpoint counts, and what cannot be read.
	r := httptest.NewRequest(http.MethodPost, "/revoke", strings.NewReader("nonsense"))
	r.RemoteAddr = "8.8.8.8:4"
	w = httptest.NewRecorder()
	if a.Server.ServeHTTP(w, r); w.Code != 429 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Documents do not, nor do other addresses and those that nobody on the Internet has.
	r = httptest.NewRequest(http.MethodGet, "/jwks", nil)
	r.RemoteAddr = "8.8.8.8:5"
	w = httptest.NewRecorder()
	if a.Server.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	status(200, "8.8.4.4:1")
	status(200, "[2606:4700::1]:1")
	status(200, "[2606:4700::ffff]:1")
	status(429, "[2606:4700::2]:1")
	for range 4 {
		status(200, "10.0.0.1:1")
		status(200, "[::1]:1")
		status(200, "@") // of a socket that has no address
	}
	now.add(4 * time.Second)
	status(200, "8.8.8.8:6")
	status(429, "8.8.8.8:7")
}

// TestLimits_client counts a client once it has authenticated: nobody else can use up what it may ask.
func TestLimits_client(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now, Limits: server.Limits{Client: server.Rate{PerSecond: 1}}})
	c := a.add("c", "client_secret_basic", nil)
	other := a.add("other", "client_secret_basic", nil)
	for range 10 {
		if w := asked(a, "8.8.8.8:1", "c", "guessed"); w.Code != 401 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if w := asked(a, "8.8.8.8:1", "c", c.Secret); w.Code != 200 {
		t.Errorf("another has used it up: %d %s", w.Code, w.Body)
	}
	if w := asked(a, "9.9.9.9:1", "c", c.Secret); w.Code != 429 || w.Header().Get("Retry-After") != "1" || a.log[len(a.log)-1].Client != "c" {
		t.Errorf("%d %s %+v", w.Code, w.Body, a.log[len(a.log)-1])
	}
	if w := asked(a, "8.8.8.8:1", "other", other.Secret); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	now.add(time.Second)
	if w := asked(a, "8.8.8.8:1", "c", c.Secret); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestLimits_refused has options that contradict themselves.
func TestLimits_refused(t *testing.T) {
	for _, l := range []server.Limits{{Address: server.Rate{Burst: 1}}, {Client: server.Rate{PerSecond: -1}}} {
		o := start(t, server.Options{}).Options
		o.Limits = l
		if _, err := server.New(ctx, o); !errors.Is(err, server.ErrOptions) {
			t.Errorf("%v: %v", l, err)
		}
	}
}

// TestAddressHeader believes of a header what trusted proxies have written, and nothing else.
func TestAddressHeader(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, c := range map[string]struct {
		header string
		from   string
		values []string
		want   string
	}{
		"no header":               {"X-Forwarded-For", "10.0.0.1:1", nil, "10.0.0.1"},
		"one proxy":               {"X-Forwarded-For", "10.0.0.1:1", []string{"8.8.8.8"}, "8.8.8.8"},
		"nobody trusted":          {"X-Forwarded-For", "9.9.9.9:1", []string{"8.8.8.8"}, "9.9.9.9"},
		"what the client wrote":   {"X-Forwarded-For", "10.0.0.1:1", []string{"1.1.1.1, 8.8.8.8"}, "8.8.8.8"},
		"two proxies":             {"X-Forwarded-For", "10.0.0.1:1", []string{"1.1.1.1, 8.8.8.8, 10.0.0.2"}, "8.8.8.8"},
		"two headers":             {"X-Forwarded-For", "10.0.0.1:1", []string{"1.1.1.1", "8.8.8.8"}, "8.8.8.8"},
		"two headers two proxies": {"X-Forwarded-For", "10.0.0.1:1", []string{"1.1.1.1, 8.8.8.8", "10.0.0.2"}, "8.8.8.8"},
		"proxies alone":           {"X-Forwarded-For", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no address":              {"X-Forwarded-For", "10.0.0.1:1", []string{"8.8.8.8, unknown"}, "10.0.0.1"},
		"empty":                   {"X-Forwarded-For", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		"a port":                  {"X-Forwarded-For", "10.0.0.1:1", []string{"8.8.8.8:53"}, "8.8.8.8"},
		"IPv6":                    {"X-Forwarded-For", "[fd00::1]:1", []string{"2606:4700::1"}, "2606:4700::1"},
		"IPv6 with a port":        {"X-Forwarded-For", "[fd00::1]:1", []string{"[2606:4700::1]:53"}, "2606:4700::1"},
		"a mapped proxy":          {"X-Forwarded-For", "[::ffff:10.0.0.1]:1", []string{"::ffff:8.8.8.8"}, "8.8.8.8"},
		"another name":            {"x-real-ip", "10.0.0.1:1", []string{"8.8.8.8"}, "8.8.8.8"},
		"RFC 7239":                {"Forwarded", "10.0.0.1:1", []string{`for=1.1.1.1, For="[2606:4700::1]:53";proto=https;by=10.0.0.1`}, "2606:4700::1"},
		"RFC 7239 obfuscated":     {"Forwarded", "10.0.0.1:1", []string{`for=_hidden`}, "10.0.0.1"},
		"RFC 7239 unbalanced":     {"Forwarded", "10.0.0.1:1", []string{`for="1.1.1.1, for=8.8.8.8`}, "8.8.8.8"},
		"no RemoteAddr":           {"X-Forwarded-For", "@", []string{"8.8.8.8"}, "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		for _, v := range c.values {
			r.Header.Add(c.header, v)
		}
		if got := server.AddressHeader(c.header, trusted...)(r); got.String() != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}

	// The log has the address that is believed, and the limit counts it.
	a := start(t, server.Options{RemoteAddress: server.AddressHeader("X-Forwarded-For", trusted...), Limits: server.Limits{Address: server.Rate{PerSecond: 1}}})
	c := a.add("c", "client_secret_basic", nil)
	for _, from := range []struct {
		address string
		want    int
	}{{"8.8.8.8", 200}, {"8.8.4.4", 200}, {"8.8.8.8", 429}} {
		if w := asked(a, "10.0.0.1:1", "c", c.Secret, "X-Forwarded-For", from.address); w.Code != from.want || a.log[len(a.log)-1].Remote != from.address {
			t.Errorf("%s: %d %s %s", from.address, w.Code, w.Body, a.log[len(a.log)-1].Remote)
		}
	}
}
