package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
)

// receiver is a collector of traces on this machine.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*otlp.Span
	raw   strings.Builder
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_SAMPLER"} {
		t.Setenv(name, "")
	}
	c := new(receiver)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var x collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &x) != nil {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.raw.WriteString(x.String())
		for _, rs := range x.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				c.spans = append(c.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// one returns the span of a trace that has a name.
func (c *receiver) one(t *testing.T, traceID, name string) *otlp.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *otlp.Span
	var names []string
	for _, s := range c.spans {
		if hex.EncodeToString(s.TraceId) != traceID {
			continue
		}
		names = append(names, s.Name)
		if s.Name == name && found == nil {
			found = s
		}
	}
	if found == nil {
		t.Fatalf("there is no span %q among %q", name, names)
	}
	return found
}

func attributeOf(s *otlp.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			if n, ok := a.Value.Value.(interface{ GetIntValue() int64 }); ok {
				return strconv.FormatInt(n.GetIntValue(), 10)
			}
			if v := a.Value.GetStringValue(); v != "" {
				return v
			}
			return strconv.FormatInt(a.Value.GetIntValue(), 10)
		}
	}
	return ""
}

// TestTraces has the spans of a request sent to a collector: each within the one that has caused it.
func TestTraces(t *testing.T) {
	c := newReceiver(t)
	s := startObserved(t, "traces: "+c.URL)
	shop := s.client(server.Client{ID: "shop"})
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	h := basicAuth(shop.ID, shop.Secret)
	h.Set("Traceparent", "00-"+traceID+"-"+parent+"-01")
	if status, body := s.post("/token", h, "grant_type", "client_credentials"); status != http.StatusOK {
		t.Fatal(body)
	}
	const failed = "5bf92f3577b34da6a3ce929d0e0e4736"
	h = basicAuth(shop.ID, "wrong")
	h.Set("Traceparent", "00-"+failed+"-"+parent+"-01")
	s.post("/token?code=in-the-url", h, "grant_type", "client_credentials")
	s.post("/token", h, "grant_type", "client_credentials")
	s.traces.close(s.process.log) // which sends what there is

	root := c.one(t, traceID, "POST /token")
	if hex.EncodeToString(root.ParentSpanId) != parent || root.Kind != otlp.Span_SPAN_KIND_SERVER {
		t.Errorf("it is in no request of others: %v", root)
	}
	for name, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/token", "url.path": "/token", "url.scheme": "http", "server.address": "localhost",
		"http.response.status_code": "200", "jot.client": "shop", "jot.client.method": "client_secret_basic", "jot.grant": "client_credentials",
	} {
		if got := attributeOf(root, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	authenticate, sign, document := c.one(t, traceID, "authenticate"), c.one(t, traceID, "sign"), c.one(t, traceID, "store Document")
	for _, x := range []struct{ child, parent *otlp.Span }{{authenticate, root}, {sign, root}, {document, authenticate}} {
		if string(x.child.ParentSpanId) != string(x.parent.SpanId) {
			t.Errorf("%s is not within %s", x.child.Name, x.parent.Name)
		}
		if x.child.StartTimeUnixNano < x.parent.StartTimeUnixNano || x.child.EndTimeUnixNano > x.parent.EndTimeUnixNano {
			t.Errorf("%s is longer than %s", x.child.Name, x.parent.Name)
		}
	}
	if refused := c.one(t, failed, "authenticate"); attributeOf(refused, "error.type") != "client.secret" {
		t.Errorf("%v", refused)
	}
	if raw := c.raw.String(); strings.Contains(raw, "in-the-url") || strings.Contains(raw, shop.Secret) || strings.Contains(raw, "wrong") {
		t.Errorf("more than should be is in %s", raw)
	}
}

// TestTracesWanted tells when there are traces.
func TestTracesWanted(t *testing.T) {
	for name, x := range map[string]struct {
		place, env, value, to string
		ok                    bool
		want                  string
	}{
		"nothing":         {"", "", "", "", false, ""},
		"the environment": {"", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318", "", true, ""},
		"the file":        {"http://localhost:4318", "", "", "http://localhost:4318/v1/traces", true, ""},
		"switched off":    {"http://localhost:4318", "OTEL_SDK_DISABLED", "true", "", false, ""},
		"another way":     {"http://localhost:4318", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "", false, "not sent by"},
		"a password":      {"http://me:hidden@localhost:4318", "", "", "", false, "line 7: traces go to the URL"},
		"no URL":          {"localhost:4318", "", "", "", false, "line 7: "},
		"half an address": {"http://[::1", "", "", "", false, "line 7: traces go to the URL"},
		"no host":         {"http:///traces", "", "", "", false, "line 7: traces go to the URL"},
		"another scheme":  {"grpc://localhost:4318", "", "", "", false, "line 7: traces go to the URL"},
		"a key":           {"http://localhost:4318?key=hidden", "", "", "", false, "line 7: traces go to the URL"},
		"a fragment":      {"http://localhost:4318#hidden", "", "", "", false, "line 7: traces go to the URL"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
				t.Setenv(e, "")
			}
			if x.env != "" {
				t.Setenv(x.env, x.value)
			}
			to, ok, err := tracesWanted(scalar{x.place, 7})
			if to != x.to || ok != x.ok || (err == nil) != (x.want == "") || err != nil && (!strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "hidden")) {
				t.Errorf("%q %v %v", to, ok, err)
			}
		})
	}
}

// TestTracesRefused has variables of the environment with which no traces could be sent.
func TestTracesRefused(t *testing.T) {
	c := newReceiver(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, file, newCertificate(t, nil).pem())
	for name, x := range map[string]struct{ variable, value, want string }{
		"TLS without https": {"OTEL_EXPORTER_OTLP_CERTIFICATE", file, "look at the OTEL_ variables"},
		"no attribute":      {"OTEL_RESOURCE_ATTRIBUTES", "shop", "look at OTEL_RESOURCE_ATTRIBUTES"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(x.variable, x.value)
			tr, err := openTraces(t.Context(), scalar{c.URL, 7}, slog.New(slog.DiscardHandler))
			if tr != nil || err == nil || !strings.HasPrefix(asFailure(err).hint, x.want) {
				t.Errorf("%v %v", tr, err)
			}
		})
	}
}

// TestTracesLost has a collector to which the last spans cannot be sent.
func TestTracesLost(t *testing.T) {
	var log logBuffer
	tr := &traces{provider: sdktrace.NewTracerProvider(sdktrace.WithBatcher(noExporter{}))}
	if tr.close(slog.New(slog.NewTextHandler(&log, nil))); !strings.Contains(log.String(), `level=WARN msg=traces error=broken`) {
		t.Errorf("the log: %s", log.String())
	}
}

// noExporter is one that cannot be ended.
type noExporter struct{}

func (noExporter) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }

func (noExporter) Shutdown(context.Context) error { return errBroken }

// TestTracesStatus has spans of requests be errors where the server is to blame (semantic conventions for HTTP spans).
func TestTracesStatus(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	p := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tr := &traces{provider: p, tracer: p.Tracer("test")}
	for _, c := range []struct {
		status int
		want   codes.Code
	}{{http.StatusOK, codes.Unset}, {http.StatusNotFound, codes.Unset}, {http.StatusInternalServerError, codes.Error}} {
		h := tr.spans("http://localhost:8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) }))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		ended := spans.Ended()
		span := ended[len(ended)-1]
		if w.Code != c.status || span.Status().Code != c.want || !slices.Contains(span.Attributes(), attribute.Int("http.response.status_code", c.status)) {
			t.Errorf("%d: %v %v", c.status, span.Status(), span.Attributes())
		}
	}
}

// TestNothingLeaks uses each endpoint with good and with wrong credentials, and looks for all of them in what operators read.
func TestNothingLeaks(t *testing.T) {
	c := newReceiver(t)
	s := startObserved(t, "traces: "+c.URL+"\nno_dpop_nonce: true\nregistration: {scopes: [read]}\nresources:\n  - identifier: https://api.example\n    scopes: [read, write]\n  - {identifier: https://opaque.example, scopes: [read], opaque: true}")
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jwk.Set{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	shop := s.client(server.Client{ID: "shop", Impersonation: true})
	withKey := server.Client{ID: "keyed"}
	withKey.Metadata.AuthMethod, withKey.Metadata.JWKS = clientauth.PrivateKeyJWT, set
	s.client(withKey)
	if _, err := s.live.Load().SaveIssuer(t.Context(), server.TrustedIssuer{Issuer: "https://idp.example", JWKS: set, Subjects: []string{"*"}, Scope: "read", Refresh: true}); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"the client's secret": shop.Secret, "a wrong secret": "wrong-7f0b2c91d4e8"}
	n := 0
	signed := func(k *jwk.PrivateKey, typ, iss, sub string) string {
		n++
		raw, err := jwt.Sign(t.Context(), k, jwt.Header{Type: typ}, jwt.Registered{
			Issuer: iss, Subject: sub, Audience: jwt.Audience{"http://localhost:8080"}, IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute), ID: "n" + strconv.Itoa(n),
		}, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		secrets["JWT "+strconv.Itoa(n)] = raw
		return raw
	}
	proof := func(k *jwk.PrivateKey, path string) string {
		n++
		raw, err := dpop.Sign(t.Context(), k, jwt.Registered{IssuedAt: time.Now()}, dpop.Claims{Method: "POST", URL: "http://localhost:8080" + path})
		if err != nil {
			t.Fatal(err)
		}
		secrets["proof "+strconv.Itoa(n)] = raw
		return raw
	}
	find := func(body, name string) string {
		m := regexp.MustCompile(`"` + name + `":"([^"]+)"`).FindStringSubmatch(body)
		if m == nil {
			return ""
		}
		n++
		secrets[name+" "+strconv.Itoa(n)] = m[1]
		return m[1]
	}
	ask := func(want int, path string, h http.Header, pairs ...string) string {
		t.Helper()
		status, body := s.post(path, h.Clone(), pairs...)
		if status != want {
			t.Errorf("%s %v: %d %s, want %d", path, pairs[:2], status, body, want)
		}
		for _, name := range []string{"access_token", "refresh_token"} {
			find(body, name)
		}
		return body
	}
	h, wrong, none := basicAuth("shop", shop.Secret), basicAuth("shop", "wrong-7f0b2c91d4e8"), http.Header{}
	misplaced := basicAuth(shop.Secret, "wrong-7f0b2c91d4e8") // where the client_id belongs
	const cc = "client_credentials"
	access := find(ask(200, "/token", h, "grant_type", cc), "access_token")
	ask(401, "/token", wrong, "grant_type", cc)
	ask(401, "/token", misplaced, "grant_type", cc)
	ask(400, "/token?client_secret="+shop.Secret, none, "grant_type", cc)
	opaque := find(ask(200, "/token", h, "grant_type", cc, "resource", "https://opaque.example"), "access_token")
	for _, x := range []struct {
		k    *jwk.PrivateKey
		want int
	}{{key, 200}, {other, 401}} {
		ask(x.want, "/token", none, "grant_type", cc, "client_assertion_type", clientauth.AssertionType, "client_assertion", signed(x.k, clientauth.Type, "keyed", "keyed"))
	}
	for path, want := range map[string]int{"/token": 200, "/elsewhere": 400} {
		bound := h.Clone()
		bound["Dpop"] = []string{proof(key, path)}
		ask(want, "/token", bound, "grant_type", cc)
	}
	ask(400, "/token", h, "grant_type", grant.GrantType, "assertion", signed(other, grant.Type, "https://idp.example", "alice"))
	assertion := signed(key, grant.Type, "https://idp.example", "alice")
	refresh := find(ask(200, "/token", h, "grant_type", grant.GrantType, "assertion", assertion), "refresh_token")
	ask(400, "/token", h, "grant_type", grant.GrantType, "assertion", assertion)
	next := find(ask(200, "/token", h, "grant_type", "refresh_token", "refresh_token", refresh), "refresh_token")
	last := find(ask(200, "/token", h, "grant_type", "refresh_token", "refresh_token", next), "refresh_token")
	ask(400, "/token", h, "grant_type", "refresh_token", "refresh_token", refresh) // which ends the family
	ask(400, "/token", h, "grant_type", "refresh_token", "refresh_token", last)
	ask(200, "/token", h, "grant_type", exchange.GrantType, "subject_token", access, "subject_token_type", string(exchange.AccessToken))
	ask(400, "/token", h, "grant_type", exchange.GrantType, "subject_token", access+"x", "subject_token_type", string(exchange.AccessToken))
	for _, path := range []string{"/introspect", "/revoke"} {
		for _, token := range []string{access, opaque, last, assertion, access + "x"} {
			ask(200, path, h, "token", token)
			ask(401, path, wrong, "token", token)
		}
	}
	initial, err := s.live.Load().InitialAccessToken(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secrets["the initial access token"] = initial
	register := func(want int, method, path, token, body string) string {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		status, answer := s.do(r)
		if status != want {
			t.Errorf("%s %s: %d %s, want %d", method, path, status, answer, want)
		}
		find(answer, "client_secret")
		return answer
	}
	register(401, "POST", "/register", shop.Secret, "{}")
	answer := register(201, "POST", "/register", initial, "{}")
	register(401, "POST", "/register", initial, "{}")
	id, token := regexp.MustCompile(`"client_id":"([^"]+)"`).FindStringSubmatch(answer)[1], find(answer, "registration_access_token")
	register(200, "GET", "/register/"+id, token, "")
	register(401, "GET", "/register/"+id, initial, "")
	register(401, "GET", "/register/"+shop.Secret, initial, "")
	register(400, "PUT", "/register/"+id, token, `{"client_id":"`+id+`","client_secret":"`+shop.Secret+`"}`)
	register(204, "DELETE", "/register/"+id, token, "")
	metrics := s.scrape()
	s.traces.close(s.process.log)
	audit, err := os.ReadFile(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"log": s.log.String(), "audit trail": string(audit), "metrics": metrics, "traces": c.raw.String()}
	if len(secrets) < 25 {
		t.Fatalf("there are only %d secrets", len(secrets))
	}
	for where, text := range places {
		if len(text) < 1000 {
			t.Errorf("there is only this in the %s: %s", where, text)
		}
		for what, secret := range secrets {
			// The signature alone is no token, but the rest of a JWT may tell more than it should.
			for _, part := range append(strings.Split(secret, "."), secret) {
				if len(part) > 15 && strings.Contains(text, part) {
					t.Errorf("%s is in the %s", what, where)
				}
			}
		}
	}
	outcomes := map[string]int{}
	for _, l := range auditLines(t, s.audit) {
		outcomes[l.Event+" "+l.Outcome]++
	}
	for _, want := range []string{
		"token.issue success", "token.issue refused", "client.authenticate refused", "refresh.reuse refused", "token.revoke success",
		"client.add success", "client.change refused", "client.remove success",
	} {
		if outcomes[want] == 0 {
			t.Errorf("the audit trail has no %s: %v", want, outcomes)
		}
	}
}
