package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/jotsuite/jot/server"
)

// traces are spans of requests and of what takes time in them, sent to a collector by OTLP over HTTP. A nil one traces nothing.
// Attributes hold no token, no secret and no query, and nothing else that a request has sent but what the server has routed it by.
type traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	from     propagation.TraceContext
}

// tracesWanted reports whether the environment or the configuration asks for traces, and where they go: "" is as the environment says.
func tracesWanted(place scalar) (to string, ok bool, err error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(os.Getenv("OTEL_TRACES_EXPORTER"), "none") {
		return "", false, nil
	}
	if place.text == "" {
		if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
			return "", false, nil
		}
	} else {
		u, err := url.Parse(place.text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			// It is not shown: someone may have put a password into it.
			return "", false, inLine(place.line, "traces go to the URL of a collector, such as http://localhost:4318; what authenticates belongs into OTEL_EXPORTER_OTLP_HEADERS")
		}
		to = strings.TrimSuffix(place.text, "/") + "/v1/traces" // as OTEL_EXPORTER_OTLP_ENDPOINT does
	}
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"), "http/protobuf")
	if protocol != "http/protobuf" {
		return "", false, fail(exitUsage, "leave OTEL_EXPORTER_OTLP_PROTOCOL empty, or say http/protobuf", "traces are not sent by %s", quoted(protocol))
	}
	return to, true, nil
}

// openTraces connects to the collector, if there is to be one. It need not answer yet.
func openTraces(ctx context.Context, place scalar, log *slog.Logger) (*traces, error) {
	to, ok, err := tracesWanted(place)
	if !ok {
		return nil, err
	}
	var options []otlptracehttp.Option
	if to != "" {
		options = append(options, otlptracehttp.WithEndpointURL(to))
	}
	// The SDK reports its troubles here and nowhere else.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fail(exitUsage, "look at the OTEL_ variables of the environment", "traces cannot be sent: %v", err)
	}
	// No detector looks at the process: its arguments may have a password in them.
	about, err := resource.New(
		ctx, resource.WithAttributes(attribute.String("service.name", "jot"), attribute.String("service.version", version())),
		resource.WithTelemetrySDK(), resource.WithFromEnv(),
	)
	if err != nil {
		return nil, fail(exitUsage, "look at OTEL_RESOURCE_ATTRIBUTES", "traces cannot be sent: %v", err)
	}
	// The sampler, the limits and the sizes of batches are those of the OTEL_ variables.
	p := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return &traces{provider: p, tracer: p.Tracer("github.com/jotsuite/jot/cmd/jot", trace.WithInstrumentationVersion(version()))}, nil
}

// close sends what has not been sent.
func (t *traces) close(log *slog.Logger) {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		log.Warn("traces", "error", err)
	}
}

// spans makes a span of each request: its name is the method and the route (semantic conventions for HTTP spans).
func (t *traces) spans(issuer string, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	host, scheme, base := "", "", ""
	if u, err := url.Parse(issuer); err == nil {
		host, scheme, base = u.Hostname(), u.Scheme, strings.TrimSuffix(u.Path, "/")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, method := routeOf(base, r.URL.Path), r.Method
		name := method + " " + route
		if !slices.Contains(httpMethods, method) {
			method, name = "_OTHER", "HTTP "+route
		}
		about := []attribute.KeyValue{
			attribute.String("http.request.method", method), attribute.String("url.scheme", scheme), attribute.String("server.address", host),
			attribute.String("network.protocol.version", strings.TrimPrefix(r.Proto, "HTTP/")),
		}
		if route != "" {
			about = append(about, attribute.String("http.route", route))
			if !strings.HasSuffix(route, "}") { // others have a path that somebody else may have made up
				about = append(about, attribute.String("url.path", r.URL.Path))
			}
		}
		ctx := t.from.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, strings.TrimSpace(name), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(about...))
		defer span.End()
		kept := &statusKeeper{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(kept, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", kept.status))
		if kept.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

var httpMethods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "QUERY"}

// routeOf is the path of an endpoint, as it is registered, or "" for others.
func routeOf(base, path string) string {
	if route, ok := strings.CutPrefix(path, "/.well-known/"); ok && route != "" {
		switch name := strings.TrimSuffix(route, base); name {
		case "oauth-authorization-server", "openid-configuration":
			return path
		}
	}
	rest, ok := strings.CutPrefix(path, base)
	switch {
	case !ok:
		return ""
	case strings.HasPrefix(rest, "/register/"):
		return base + "/register/{client_id}"
	case strings.HasPrefix(rest, "/admin/"):
		return base + "/admin/{what}"
	}
	switch rest {
	case "", "/", "/token", "/introspect", "/revoke", "/register", "/challenge", "/jwks", "/healthz", "/readyz", "/.well-known/openid-configuration":
		return path
	}
	return ""
}

// statusKeeper remembers the status.
type statusKeeper struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusKeeper) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *statusKeeper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// observe puts what became of a request into its span.
func (t *traces) observe(ctx context.Context, e *server.Event) {
	if t == nil {
		return
	}
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	for _, a := range []struct{ name, value string }{
		{"jot.endpoint", e.Endpoint},
		{"jot.grant", e.Grant},
		{"jot.client", e.Client},
		{"jot.client.method", e.Method},
		{"jot.token.bound", e.Bound},
	} {
		if a.value != "" {
			span.SetAttributes(attribute.String(a.name, a.value))
		}
	}
	if e.Err != nil {
		span.SetAttributes(attribute.String("jot.error", e.Err.Code), attribute.String("error.type", cmp.Or(codeOf(e.Err.Cause), e.Err.Code)))
	}
}

// begin begins a span within that of a request, and returns what ends it. What nobody's request asks for has none of its own.
func (t *traces) begin(ctx context.Context, name string) (context.Context, func(error)) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, func(err error) {
		if err != nil {
			code := cmp.Or(codeOf(err), "_OTHER")
			span.SetAttributes(attribute.String("error.type", code))
			span.SetStatus(codes.Error, code)
		}
		span.End()
	}
}
