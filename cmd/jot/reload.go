package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	serverstore "github.com/jotsuite/jot/server/store"
)

// process is what stays while jot serve runs: listeners, store and log. What a reload replaces is its generation.
type process struct {
	c           *serveCmd
	a           *app
	log         *slog.Logger
	began       *settings // with which it was started; some of them stay as they are
	issuer      string    // where no option says so
	store       serverstore.Store
	connections *connections
	tls         tlsFiles
	pair        keyPair
	secrets     [][]byte // of a store in memory, which has no file of them

	live    atomic.Pointer[generation]
	failure struct { // of the keys, that the log had last
		sync.Mutex
		text string
		at   time.Time
	}
	stopping atomic.Bool
	hooks    []hook

	observers
}

// generation is a server by one reading of the configuration. The requests that it has begun it ends, whatever comes after it.
type generation struct {
	*service
	settings *settings
	handler  http.Handler
	end      func() // ends what it does in the background
}

// hook is called at each SIGHUP.
type hook struct {
	name string
	f    func() error
}

// onReload has f called at each SIGHUP, after the configuration was read again, whether it was good or not: to open files
// anew that were moved away. What it fails with is logged under the name. It is for before run.
func (p *process) onReload(name string, f func() error) { p.hooks = append(p.hooks, hook{name, f}) }

// start opens the store and makes the first generation.
func (p *process) start(ctx context.Context) (err error) {
	if p.store, err = p.began.openStore(ctx); err != nil {
		return err
	}
	p.store = p.watch(p.store)
	g, err := p.generation(ctx, p.began)
	if err != nil {
		_ = p.store.Close()
		return err
	}
	p.secrets = g.secrets
	if p.tls.on() {
		pair, err := p.tls.load()
		if err != nil {
			_ = p.store.Close()
			return err
		}
		p.pair.use(p.tls, pair, g.Metadata().Issuer, p.log)
	}
	p.replace(g)
	return nil
}

// generation makes a server of settings, beside the one that runs.
func (p *process) generation(ctx context.Context, f *settings) (*generation, error) {
	o := &f.options
	o.Issuer, o.Clock = cmp.Or(p.c.Issuer, o.Issuer, p.issuer), p.a.clock
	p.instrument(o)
	o.VerifySecret = p.began.options.VerifySecret // of which there is one, that counts how many it verifies
	if f.isMemory() && o.Secrets == nil {
		o.Secrets = p.secrets // and where there are none yet, they are made
	}
	s, err := f.service(ctx, p.store, p.keysFailed)
	if err != nil {
		return nil, err
	}
	s.trail = p.trail
	h, err := p.withAdministration(f, s, withStartPage(s))
	if err != nil {
		return nil, err
	}
	return &generation{service: s, settings: f, handler: p.traced(s, p.unlessStopping(s, h))}, nil
}

// replace lets a generation answer from the next request on.
func (p *process) replace(g *generation) {
	work, done := context.WithCancel(context.Background())
	wait := g.run(work)
	g.end = func() {
		done()
		wait()
	}
	if old := p.live.Swap(g); old != nil {
		old.end()
	}
}

// ServeHTTP implements [http.Handler].
func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.live.Load().handler.ServeHTTP(w, r)
}

// reload reads the configuration again. Where it is not good, all stays as it is. What is bound to the process stays anyway, and the
// log says so.
func (p *process) reload(ctx context.Context) {
	if err := p.trail.record("server", auditReload, p.c.Config, p.next(ctx)); err != nil {
		p.log.Error("not reloaded: the configuration of before goes on", "error", err)
	} else {
		p.log.Info("reloaded", "issuer", p.live.Load().Metadata().Issuer)
	}
	for _, h := range p.hooks {
		if err := h.f(); err != nil {
			p.log.Error("not reloaded", "what", h.name, "error", err)
		}
	}
}

func (p *process) next(ctx context.Context) error {
	f, err := p.c.settle()
	if err != nil {
		return err
	}
	files, err := p.c.tlsFiles(f)
	if err != nil {
		return err
	}
	stays := f.stays(p.began)
	var pair *tls.Certificate
	if files.on() != p.tls.on() {
		stays = append(stays, "tls")
	} else if files.on() {
		if pair, err = files.load(); err != nil {
			return err
		}
	}
	g, err := p.generation(ctx, f)
	if err != nil {
		return err
	}
	if pair != nil {
		p.pair.use(files, pair, g.Metadata().Issuer, p.log)
	}
	p.replace(g)
	if len(stays) > 0 {
		p.log.Warn("some options take effect at the next start alone", "options", strings.Join(stays, ", "))
	}
	return nil
}

// stays puts the options of the start where they cannot be changed while the process runs, and returns the names of those that differ.
func (f *settings) stays(began *settings) (names []string) {
	for _, o := range []struct{ name, is, was string }{
		{"addr", f.file.Addr.text, began.file.Addr.text},
		{"log", f.file.Log.text, began.file.Log.text},
		{"audit", f.file.Audit.text, began.file.Audit.text},
		{"metrics", f.file.Metrics.text, began.file.Metrics.text},
		{"traces", f.file.Traces.text, began.file.Traces.text},
		{"data", f.data, began.data},
		{"store", f.store, began.store},
		{"client_certificates.addr", f.file.Certificates.Addr.text, began.file.Certificates.Addr.text},
		{"synchronous", f.file.Synchronous.text, began.file.Synchronous.text},
	} {
		if o.is != o.was {
			names = append(names, o.name)
		}
	}
	f.file.Certificates.Addr = began.file.Certificates.Addr
	f.data, f.store, f.fast = began.data, began.store, began.fast
	return names
}

// hangups are the signals to reload.
func hangups() (list <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1) // two that come close together are one
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// unlessStopping says that the server is not ready, once it is told to stop.
func (p *process) unlessStopping(s *service, h http.Handler) http.Handler {
	ready := "/readyz"
	if u, err := url.Parse(s.Metadata().Issuer); err == nil {
		ready = strings.TrimSuffix(u.Path, "/") + ready
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.stopping.Load() && r.URL.Path == ready {
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// close ends what the process does in the background, and closes the store.
func (p *process) close() {
	p.live.Load().end()
	_ = p.store.Close()
}
