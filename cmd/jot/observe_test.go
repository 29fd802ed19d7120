package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
)

// observed is a process with all that looks at it.
type observed struct {
	*process
	t     *testing.T
	log   *lockedBuffer
	audit string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startObserved starts a process, without a listener for requests, of a configuration that is given and a trail, metrics and a store.
func startObserved(t *testing.T, config string) *observed {
	t.Helper()
	dir := t.TempDir()
	s := &observed{t: t, log: new(lockedBuffer), audit: filepath.Join(dir, "audit.log")}
	name := filepath.Join(dir, "jot.yaml")
	config += "\naudit: " + s.audit + "\nmetrics: 127.0.0.1:0\nissuer: http://localhost:8080\ndata: " + filepath.Join(dir, "data") + "\n"
	if err := os.WriteFile(name, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &serveCmd{serviceFlags: serviceFlags{Config: name}}
	f, err := c.settle()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.process = &process{c: c, a: &app{terminal: &terminal{stdout: s.log, stderr: s.log}, clock: time.Now}, log: log, began: f}
	t.Cleanup(s.closeObservers)
	if err := s.openObservers(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := s.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	t.Cleanup(s.serveMetrics())
	return s
}

// post sends a form, and returns the status and the body.
func (s *observed) post(path string, header http.Header, pairs ...string) (int, string) {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

func (s *observed) do(r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (s *observed) client(c server.Client) *server.Client {
	s.t.Helper()
	if c.Metadata.GrantTypes == nil {
		c.Metadata.GrantTypes = []string{"client_credentials", grant.GrantType, exchange.GrantType, "refresh_token"}
	}
	c.Metadata.Scope = "read write"
	saved, err := s.live.Load().SaveClient(s.t.Context(), c)
	if err != nil {
		s.t.Fatal(err)
	}
	return saved
}

func basicAuth(id, secret string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))}}
}

// scrape asks for the metrics as Prometheus does.
func (s *observed) scrape() string {
	s.t.Helper()
	resp, err := http.Get("http://" + s.listener.Addr().String() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		s.t.Fatalf("%v %s %s", err, resp.Status, b)
	}
	return string(b)
}

// value is that of a series, or less than zero where there is none.
func value(metrics, series string) float64 {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(metrics)
	if m == nil {
		return -1
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	return v
}

// TestMetrics makes requests and looks whether they were counted.
func TestMetrics(t *testing.T) {
	s := startObserved(t, "")
	c := s.client(server.Client{ID: "shop-identifier"})
	h := basicAuth(c.ID, c.Secret)
	for range 3 {
		if status, body := s.post("/token", h, "grant_type", "client_credentials"); status != http.StatusOK {
			t.Fatal(body)
		}
	}
	_, body := s.post("/token", h, "grant_type", "client_credentials")
	token := regexp.MustCompile(`"access_token":"([^"]+)"`).FindStringSubmatch(body)[1]
	s.post("/token", basicAuth(c.ID, "wrong"), "grant_type", "client_credentials")
	s.post("/introspect", h, "token", token)
	s.post("/revoke", h, "token", token)
	s.do(httptest.NewRequest(http.MethodGet, "/jwks", nil))
	s.do(httptest.NewRequest(http.MethodGet, "/elsewhere", nil))
	m := s.scrape()
	for series, want := range map[string]float64{
		`jot_requests_total{endpoint="token",error="",grant="client_credentials",method="client_secret_basic",status="200"}`: 4,
		`jot_requests_total{endpoint="token",error="invalid_client",grant="client_credentials",method="",status="401"}`:      1,
		`jot_requests_total{endpoint="introspection",error="",grant="",method="client_secret_basic",status="200"}`:           1,
		`jot_requests_total{endpoint="revocation",error="",grant="",method="client_secret_basic",status="200"}`:              1,
		`jot_requests_total{endpoint="jwks",error="",grant="",method="",status="200"}`:                                       1,
		`jot_requests_total{endpoint="none",error="invalid_request",grant="",method="",status="404"}`:                        1,
		`jot_request_duration_seconds_count{endpoint="token"}`:                                                               5,
		`jot_tokens_issued_total{bound="none",grant="client_credentials"}`:                                                   4,
		`jot_refresh_reuse_total`:                                                    0,
		`jot_store_duration_seconds_count{operation="Revoke"}`:                       1,
		`jot_signing_key_failures_total`:                                             0,
		`jot_audit_lost_total`:                                                       0,
		`jot_signing_keys{algorithm="ES256",phase="active"}`:                         1,
		`jot_store_batches_failed_total`:                                             0,
		`jot_store_queue`:                                                            0,
		`promhttp_metric_handler_errors_total{cause="encoding"}`:                     -1,
		`jot_store_errors_total{operation="Document"}`:                               -1,
		`jot_build_info{go="` + runtime.Version() + `",version="` + version() + `"}`: 1,
	} {
		if got := value(m, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if active := value(m, `jot_signing_key_active_timestamp_seconds{algorithm="ES256"}`); active < float64(time.Now().Add(-time.Hour).Unix()) || active > float64(time.Now().Unix()) {
		t.Errorf("the key signs since %v", active)
	}
	if next := value(m, `jot_signing_key_next_timestamp_seconds{algorithm="ES256"}`); next >= 0 && next < float64(time.Now().Unix()) {
		t.Errorf("the next key took over at %v", next)
	}
	for _, series := range []string{"jot_store_batches_total", "jot_store_writes_total", "jot_store_batches_seconds_total", "go_goroutines"} {
		if value(m, series) <= 0 {
			t.Errorf("%s is %v", series, value(m, series))
		}
	}
	for _, secret := range []string{c.ID, c.Secret, token, "wrong", "elsewhere", "api.example"} {
		if strings.Contains(m, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
	// Nothing else is served there, and the metrics nowhere else.
	resp, err := http.Get("http://" + s.listener.Addr().String() + "/token")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
	if status, _ := s.do(httptest.NewRequest(http.MethodGet, "/metrics", nil)); status != http.StatusNotFound {
		t.Errorf("the issuer's listener answers %d to /metrics", status)
	}
}

// TestMetricsAreBounded has all that a request can choose differ in 10,000 of them: the number of series stays.
func TestMetricsAreBounded(t *testing.T) {
	s := startObserved(t, "store: memory\nregistration: {open: true}")
	s.trail.close()
	s.trail = nil // which would be large
	s.log = nil
	s.process.log = slog.New(slog.DiscardHandler)
	hostile := func(from, to int) {
		for i := from; i < to; i++ {
			x := "x" + strconv.Itoa(i)
			s.post("/token", basicAuth(x, x), "grant_type", x, "client_id", x, "scope", x)
			s.post("/token", basicAuth(x, x), "grant_type", "client_credentials", "resource", x)
			s.post("/token", nil, "grant_type", grant.GrantType, "assertion", x)
			s.post("/"+x, nil, x, x)
			r := httptest.NewRequest("M"+x, "/token", nil)
			r.RemoteAddr, r.Proto = x, x
			s.do(r)
			r = httptest.NewRequest(http.MethodPost, "/register", strings.NewReader(`{"grant_types":["`+x+`"],"token_endpoint_auth_method":"`+x+`"}`))
			r.Header.Set("Content-Type", "application/json")
			s.do(r)
			s.observe(t.Context(), &server.Event{Endpoint: x, Status: 600 + i, Grant: x, Method: x, Bound: x, Err: &oauth.Error{Code: x}})
		}
	}
	hostile(0, 20)
	// Those of the store are one for each of its operations, some of which come with time.
	series := func() int {
		return strings.Count(regexp.MustCompile(`(?m)^jot_store_.*$`).ReplaceAllString(s.scrape(), ""), "\njot_")
	}
	before := series()
	const rounds = 10_000 / 7
	hostile(20, rounds)
	if after := series(); after > before {
		t.Errorf("%d series became %d", before, after)
	}
	if m := regexp.MustCompile(`="x\d+"`).FindString(s.scrape()); m != "" {
		t.Errorf("a request has chosen a label %s", m)
	}
	if got := value(s.scrape(), `jot_requests_total{endpoint="other",error="other",grant="other",method="other",status="other"}`); got != rounds {
		t.Errorf("%v of %d were counted", got, rounds)
	}
}

// TestMetricsOff serves nothing, and puts nothing between the server and its store.
func TestMetricsOff(t *testing.T) {
	p := &process{c: &serveCmd{}, a: &app{clock: time.Now}, log: slog.New(slog.DiscardHandler)}
	if err := p.openObservers(context.Background(), &settings{file: &config{}}); err != nil {
		t.Fatal(err)
	}
	var o server.Options
	if p.instrument(&o); p.listener != nil || o.Trace != nil || o.Fetch.Observe != nil || p.watch(nil) != nil {
		t.Error("something looks though nothing was asked for")
	}
	e := &server.Event{Endpoint: "token", Status: 200, Client: "c"}
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		p.trail.observe(ctx, e)
		p.metrics.observe(e)
		p.traces.observe(ctx, e)
	}); n != 0 {
		t.Errorf("it costs %v allocations", n)
	}
}
