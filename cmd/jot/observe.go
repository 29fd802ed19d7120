package main

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"time"

	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

// observers are what looks at a process while it serves. What is not configured is nil, and costs nothing.
type observers struct {
	trail   *trail
	metrics *metrics
	traces  *traces

	listener net.Listener      // of metrics
	opened   serverstore.Store // as it is below what counts its calls
}

// openObservers opens what the options ask for.
func (p *process) openObservers(ctx context.Context, f *settings) (err error) {
	if p.listener, err = listenMetrics(cmp.Or(p.c.Metrics, f.file.Metrics.text)); err != nil {
		return err
	}
	if p.listener != nil {
		p.metrics = newMetrics()
	}
	if p.trail, err = openTrail(f.file.Audit.text, p.a, func(err error) { p.log.Error("audit", "error", err) }); err != nil {
		return err
	}
	p.onReload("audit", p.trail.reopen)
	if p.traces, err = openTraces(ctx, f.file.Traces, p.log); err != nil {
		return configFailure(p.c.Config, err)
	}
	return nil
}

// closeObservers writes and sends what has not been.
func (p *process) closeObservers() {
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.traces.close(p.log)
	p.trail.close()
}

// serveMetrics serves metrics until it is told to stop.
func (p *process) serveMetrics() (stop func()) {
	if p.listener == nil {
		return func() {}
	}
	h, ended := metricsServer(p), make(chan struct{})
	p.log.Info("metrics", "addr", p.listener.Addr().String())
	go func() {
		defer close(ended)
		_ = h.Serve(p.listener) // until it is closed
	}()
	return func() {
		_ = h.Close()
		<-ended
	}
}

// observe tells all of them of a request.
func (p *process) observe(ctx context.Context, e *server.Event) {
	observe(ctx, p.log, e)
	p.trail.observe(ctx, e)
	p.metrics.observe(e)
	p.traces.observe(ctx, e)
}

// watch has the calls of a store counted and traced, if anyone looks.
func (p *process) watch(s serverstore.Store) serverstore.Store {
	p.opened = s
	if p.metrics == nil && p.traces == nil {
		return s
	}
	return &watchedStore{s, func(ctx context.Context, operation string) (context.Context, func(error)) {
		start := time.Now()
		ctx, end := p.traces.begin(ctx, "store "+operation)
		return ctx, func(err error) {
			p.metrics.called(operation, time.Since(start), err)
			end(err)
		}
	}}
}

// instrument puts what looks at requests into the options of a server.
func (p *process) instrument(o *server.Options) {
	o.Observe = p.observe
	if p.traces != nil {
		o.Trace = p.traces.begin
	}
	if p.metrics != nil {
		o.Fetch.Observe = p.metrics.fetched
	}
}

// keysFailed is told why the signing keys could not be looked after.
func (p *process) keysFailed(err error) {
	p.metrics.keysFailed()
	// It tries again every second. What says the same says it once a minute.
	p.failure.Lock()
	defer p.failure.Unlock()
	if now := p.a.clock(); err.Error() != p.failure.text || now.Sub(p.failure.at) >= time.Minute {
		p.failure.text, p.failure.at = err.Error(), now
		p.log.Error("keys", "error", err)
	}
}

// traced is a handler of requests with a span for each, where there are traces.
func (p *process) traced(s *service, h http.Handler) http.Handler {
	return p.traces.spans(s.Metadata().Issuer, h)
}
