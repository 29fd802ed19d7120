package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/sqlstore"
	serverstore "github.com/jotsuite/jot/server/store"
)

// metrics count what the server does, for Prometheus. No label has a value that a request could choose: what is not listed below is other.
// A nil one counts nothing.
type metrics struct {
	registry    *prometheus.Registry
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	issued      *prometheus.CounterVec
	reused      prometheus.Counter
	calls       *prometheus.HistogramVec
	callErrors  *prometheus.CounterVec
	fetches     *prometheus.CounterVec
	keyFailures prometheus.Counter
}

// The values of labels.
var (
	endpointLabels = []string{"token", "introspection", "revocation", "registration", "challenge", "jwks", "metadata", "healthz", "readyz", "admin"}
	grantLabels    = map[string]string{
		"": "", "client_credentials": "client_credentials", grant.GrantType: "jwt_bearer", grant.BitbucketGrantType: "bitbucket",
		exchange.GrantType: "token_exchange", "refresh_token": "refresh_token",
	}
	methodLabels = []string{
		"none", "client_secret_basic", "client_secret_post", clientauth.ClientSecretJWT, clientauth.PrivateKeyJWT,
		"tls_client_auth", "self_signed_tls_client_auth", attestation.Method,
	}
	errorLabels = []string{
		oauth.InvalidRequest, oauth.InvalidClient, oauth.InvalidGrant, oauth.UnauthorizedClient, oauth.UnsupportedGrantType, oauth.InvalidScope,
		oauth.AccessDenied, oauth.ServerError, oauth.TemporarilyUnavailable, oauth.InvalidToken, oauth.UnsupportedTokenType, oauth.InvalidRedirectURI,
		oauth.InvalidClientMetadata, oauth.InvalidSoftwareStatement, oauth.UnapprovedSoftwareStatement, oauth.SlowDown, oauth.InvalidTarget,
		oauth.InvalidAuthorizationDetails, oauth.InvalidDPoPProof, oauth.UseDPoPNonce, oauth.UseAttestationChallenge, oauth.UseFreshAttestation,
		oauth.InvalidClientAttestation,
	}
	statusLabels = []int{200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 416, 429, 500, 503}
	boundLabels  = []string{"dpop", "mtls"}
)

// among is a value of a label: one of a list, "" as it is, or other.
func among(list []string, value string) string {
	if value == "" || slices.Contains(list, value) {
		return value
	}
	return "other"
}

// The buckets of histograms, in seconds: requests take some tenths of a millisecond to some seconds.
var buckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jot_requests_total", Help: "Requests that were answered, by the error that they were answered with, if any.",
		}, []string{"endpoint", "status", "error", "grant", "method"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jot_request_duration_seconds", Help: "How long requests took.", Buckets: buckets,
		}, []string{"endpoint"}),
		issued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jot_tokens_issued_total", Help: "Access tokens that were issued, by what they are bound to.",
		}, []string{"grant", "bound"}),
		reused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jot_refresh_reuse_total", Help: "Refresh tokens that came a second time, so that their family was revoked.",
		}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jot_store_duration_seconds", Help: "How long calls of the store took.", Buckets: buckets,
		}, []string{"operation"}),
		callErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jot_store_errors_total", Help: "Calls of the store that failed.",
		}, []string{"operation"}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jot_key_fetches_total", Help: "Fetches of the keys of clients and trusted issuers.",
		}, []string{"outcome"}),
		keyFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jot_signing_key_failures_total", Help: "Failures to look after the signing keys.",
		}),
	}
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "jot_build_info", Help: "What runs.", ConstLabels: prometheus.Labels{"version": version(), "go": runtime.Version()},
	}, func() float64 { return 1 })
	m.registry.MustRegister(
		m.requests, m.duration, m.issued, m.reused, m.calls, m.callErrors, m.fetches, m.keyFailures, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// observe counts a request.
func (m *metrics) observe(e *server.Event) {
	if m == nil {
		return
	}
	endpoint := among(endpointLabels, e.Endpoint)
	if endpoint == "" {
		endpoint = "none"
	}
	status, failed := "other", ""
	if slices.Contains(statusLabels, e.Status) {
		status = strconv.Itoa(e.Status)
	}
	if e.Err != nil {
		failed = among(errorLabels, e.Err.Code)
	}
	kind, ok := grantLabels[e.Grant]
	if !ok {
		kind = "other"
	}
	m.requests.WithLabelValues(endpoint, status, failed, kind, among(methodLabels, e.Method)).Inc()
	m.duration.WithLabelValues(endpoint).Observe(e.Took.Seconds())
	if e.Endpoint == "token" && e.Err == nil {
		bound := among(boundLabels, e.Bound)
		if bound == "" {
			bound = "none"
		}
		m.issued.WithLabelValues(kind, bound).Inc()
	}
	if e.Reused {
		m.reused.Inc()
	}
}

// called counts a call of the store. What the store says of what it keeps is no failure, nor is that nobody waits any more.
func (m *metrics) called(operation string, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.calls.WithLabelValues(operation).Observe(took.Seconds())
	for _, answer := range []error{nil, serverstore.ErrNotFound, serverstore.ErrConflict, context.Canceled} {
		if errors.Is(err, answer) {
			return
		}
	}
	m.callErrors.WithLabelValues(operation).Inc()
}

// fetched counts a fetch of keys.
func (m *metrics) fetched(e keyset.Event) {
	switch {
	case m == nil:
	case e.Err != nil:
		m.fetches.WithLabelValues("failure").Inc()
	default:
		m.fetches.WithLabelValues("success").Inc()
	}
}

func (m *metrics) keysFailed() {
	if m != nil {
		m.keyFailures.Inc()
	}
}

// state collects what is asked for when somebody looks.
type state struct{ p *process }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	keyActive = desc("jot_signing_key_active_timestamp_seconds", "Since when the current key signs; its age is time() less this.", "algorithm")
	keyNext   = desc("jot_signing_key_next_timestamp_seconds", "When the next key takes over.", "algorithm")
	keyCount  = desc("jot_signing_keys", "Keys there are, by their phase.", "algorithm", "phase")

	storeQueue       = desc("jot_store_queue", "Writes that wait to be gathered.")
	storeBatches     = desc("jot_store_batches_total", "Transactions of gathered writes.")
	storeWrites      = desc("jot_store_writes_total", "Writes that were gathered.")
	storeFailed      = desc("jot_store_batches_failed_total", "Transactions that failed.")
	storeBusy        = desc("jot_store_batches_seconds_total", "Time in transactions of gathered writes.")
	storeCheckpoints = desc("jot_store_checkpoints_total", "Checkpoints of SQLite.")
	storeCheckpoint  = desc("jot_store_checkpoints_seconds_total", "Time in checkpoints of SQLite.")

	auditLost = desc("jot_audit_lost_total", "Lines of the audit trail that could not be written.")
)

// Describe implements [prometheus.Collector].
func (state) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		keyActive, keyNext, keyCount, auditLost,
		storeQueue, storeBatches, storeWrites, storeFailed, storeBusy, storeCheckpoints, storeCheckpoint,
	} {
		c <- d
	}
}

// Collect implements [prometheus.Collector].
func (s state) Collect(c chan<- prometheus.Metric) {
	number := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	if t := s.p.trail; t != nil {
		number(auditLost, prometheus.CounterValue, float64(t.lost.Load()))
	}
	if q, ok := s.p.opened.(*sqlstore.Store); ok {
		now := q.Stats()
		number(storeQueue, prometheus.GaugeValue, float64(now.Queue))
		number(storeBatches, prometheus.CounterValue, float64(now.Batches))
		number(storeWrites, prometheus.CounterValue, float64(now.Writes))
		number(storeFailed, prometheus.CounterValue, float64(now.Failed))
		number(storeBusy, prometheus.CounterValue, now.Busy.Seconds())
		number(storeCheckpoints, prometheus.CounterValue, float64(now.Checkpoints))
		number(storeCheckpoint, prometheus.CounterValue, now.CheckpointTime.Seconds())
	}
	g := s.p.live.Load()
	if g == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	keys, err := g.keys.Inspect(ctx)
	if err != nil {
		s.p.metrics.keysFailed()
		return
	}
	phases := map[[2]string]int{}
	for _, k := range keys {
		alg := k.Algorithm.Name()
		phases[[2]string{alg, k.Phase}]++
		switch k.Phase {
		case "active":
			number(keyActive, prometheus.GaugeValue, float64(k.Active.Unix()), alg)
		case "published":
			if phases[[2]string{alg, k.Phase}] == 1 && !k.Active.IsZero() {
				number(keyNext, prometheus.GaugeValue, float64(k.Active.Unix()), alg)
			}
		}
	}
	for k, n := range phases {
		number(keyCount, prometheus.GaugeValue, float64(n), k[0], k[1])
	}
}

// metricsServer serves /metrics, to who can reach the listener.
func metricsServer(p *process) *http.Server {
	p.metrics.registry.MustRegister(state{p})
	errorLog := slog.NewLogLogger(p.log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: errorLog, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	return &http.Server{
		Handler: mux, ErrorLog: errorLog, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

// listenMetrics listens for who collects metrics. Without an address nobody can.
func listenMetrics(addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil // nothing is served
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fail(exitFile, "give another --metrics HOST:PORT", "cannot listen at %s: %s", quoted(addr), reason(err))
	}
	return l, nil
}
