package main

import (
	"cmp"
	"context"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
)

type serveCmd struct {
	Addr    string `placeholder:"HOST:PORT" help:"Where to listen. Unless given, localhost:8080."`
	Issuer  string `placeholder:"URL" help:"The issuer identifier: the URL that others know the server by. Unless given it is http://localhost with the port of --addr."`
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"The server's certificate in PEM, and after it those that certify it. Unless given, the server speaks plain HTTP."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"The key of the certificate in PEM."`
	Log     string `placeholder:"FORMAT" help:"How the log on stderr is written: text or json. Unless given, text."`
	Metrics string `placeholder:"HOST:PORT" help:"Where to serve /metrics for Prometheus, to whoever can reach it. Unless given, nowhere."`
	Check   bool   `help:"Say whether the server could be made of these options, and make nothing."`

	serviceFlags `embed:""`

	patience time.Duration // of tests, with clients that are slow
}

func (*serveCmd) Help() string {
	return `The first start makes what the server needs. Without --config, and where the issuer is this machine's, it makes a client and a trusted issuer to try it with, too, and commands that use them are printed on stdout, once. The log goes to stderr and holds no token and no secret.

Without --tls-cert it is plain HTTP: put a server that speaks TLS in front of it, and give the https URL as --issuer. Processes that share a PostgreSQL are one issuer if they have the same file of secrets in their folders. An interrupt (Ctrl-C) or SIGTERM lets it answer what it is being asked, and ends it; a second one ends it at once. SIGHUP has it read the file of --config again, and all files that it names; a certificate is taken as soon as its files change. No request is dropped for either.`
}

func (c *serveCmd) Run(a *app) error {
	f, err := c.settle()
	if err != nil {
		return err
	}
	log, err := c.logger(a, f)
	if err != nil {
		return err
	}
	files, err := c.tlsFiles(f)
	if err != nil {
		return err
	}
	if c.Check {
		if files.on() {
			if _, err := files.load(); err != nil {
				return err
			}
		}
		f.options.Issuer, f.options.Clock = cmp.Or(c.Issuer, f.options.Issuer), a.clock
		return c.check(a, f)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	hup, unhup := hangups()
	defer unhup()
	// Before anything is made, so that a port that is taken leaves nothing behind.
	addr := cmp.Or(c.Addr, f.file.Addr.text, "localhost:8080")
	p := &process{c: c, a: a, log: log, began: f, tls: files}
	listeners, err := p.listen(addr, f)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	if p.issuer = "http://localhost:" + port; files.on() {
		p.issuer = "https://localhost:" + port
	}
	defer p.closeObservers()
	if err := p.openObservers(ctx, f); err != nil {
		return err
	}
	if strings.HasPrefix(c.Store, "postgres") && withoutPassword(c.Store) != c.Store {
		a.warn("a password in an argument is seen by other users and kept by the shell; prefer PGPASSWORD or PGPASSFILE")
	}
	if err := p.start(ctx); err != nil {
		return err
	}
	defer p.close()
	if s := p.live.Load().service; c.Config == "" && isThisMachine(s.Metadata().Issuer) {
		d, err := f.demo(ctx, s, s.Metadata().Issuer)
		if err != nil {
			return err
		}
		if _, err := s.Client(ctx, demoClient); d == nil && err == nil {
			log.Info("demonstration", "client", demoClient, "new_secret", self()+" client secret "+demoClient) // for who has not kept what was printed once
		}
		if d != nil {
			if a.data(d.text()); a.broken != nil {
				return nil // which run reports
			}
			if err := d.shown(ctx, s); err != nil {
				return err
			}
		}
	}
	return p.serve(ctx, stop, hup, listeners)
}

// serve answers until ctx is done, and then what has been asked by then.
func (p *process) serve(ctx context.Context, stop func(), hup <-chan os.Signal, listeners []net.Listener) error {
	log := p.log
	h := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: cmp.Or(p.c.patience, 5*time.Second),
		ReadTimeout:       cmp.Or(p.c.patience, 10*time.Second),
		WriteTimeout:      30 * time.Second, // keys of others may have to be fetched meanwhile
		IdleTimeout:       cmp.Or(p.c.patience, 2*time.Minute),
		ConnState:         p.connections.state,
		MaxHeaderBytes:    64 << 10, // certificates and proofs are in headers
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, len(listeners))
	for _, l := range listeners {
		log.Info("listening", "issuer", p.live.Load().Metadata().Issuer, "addr", l.Addr().String(), "tls", p.tls.on(), "version", version())
		go func() { ended <- h.Serve(l) }()
	}
	defer p.serveMetrics()()
	_ = p.trail.record("server", auditStart, p.live.Load().Metadata().Issuer, nil)
	var changed <-chan time.Time
	if p.tls.on() {
		t := time.NewTicker(watch)
		defer t.Stop()
		changed = t.C
	}
	for running := true; running; {
		select {
		case err := <-ended:
			return fail(exitFile, "", "cannot serve: %s", reason(err))
		case <-hup:
			p.reload(ctx)
		case <-changed:
			p.pair.look(p.live.Load().Metadata().Issuer, log)
		case <-ctx.Done():
			running = false
		}
	}
	stop() // from here on a signal ends the process
	p.stopping.Store(true)
	if d := p.live.Load().settings.file.Drain.Duration; d > 0 {
		log.Info("stopping", "drain", d)
		time.Sleep(d) // while those who ask whether it is ready send others elsewhere
	} else {
		log.Info("stopping")
	}
	last, cancel := context.WithTimeout(context.Background(), cmp.Or(p.c.patience, closing))
	defer cancel()
	if err := h.Shutdown(last); err != nil {
		_ = h.Close()
		log.Warn("stopped while requests were answered", "error", err)
	}
	for range listeners {
		<-ended
	}
	_ = p.trail.record("server", auditStop, p.live.Load().Metadata().Issuer, nil)
	log.Info("stopped")
	return nil
}

func (c *serveCmd) logger(a *app, f *settings) (*slog.Logger, error) {
	switch format := cmp.Or(c.Log, f.file.Log.text, "text"); format {
	case "json":
		return slog.New(slog.NewJSONHandler(a.stderr, nil)), nil
	case "text":
		return slog.New(slog.NewTextHandler(a.stderr, nil)), nil
	default:
		if c.Log == "" {
			return nil, configFailure(c.Config, inLine(f.file.Log.line, "a log is written as text or json, not as %s", quoted(format)))
		}
		return nil, fail(exitUsage, "write --log=text or --log=json", "a log is written as text or json, not as %s", quoted(format))
	}
}

// check makes the server without what it stands on.
func (c *serveCmd) check(a *app, f *settings) error {
	_, _, err := tracesWanted(f.file.Traces)
	if err := cmp.Or(c.checkAddresses(f), checkTrail(f.file.Audit), err); err != nil {
		return configFailure(c.Config, err)
	}
	if _, _, err := f.kind(); err != nil {
		return err
	}
	o := f.options
	key, err := jwk.Generate(cmp.Or(o.Algorithm, jwa.ES256))
	if err != nil {
		return err
	}
	o.Issuer = cmp.Or(o.Issuer, "http://localhost:8080")
	f.administered(&o)
	o.Store, o.Keys = memstore.New(), server.FixedKeys(key)
	if o.Secrets == nil {
		o.Secrets = [][]byte{make([]byte, 32)} // with which nothing is kept
	}
	if _, err := server.New(context.Background(), o); err != nil {
		return serverFailure(err)
	}
	if _, err := keyset.NewRotation(&keyset.MemoryStore{}, f.times, key.Algorithm()); err != nil {
		return timesFailure(err)
	}
	a.talk(green, "ok:", "the server of "+o.Issuer+" could be made")
	return nil
}

// documents are endpoints where success is no news.
var documents = []string{"jwks", "metadata", "challenge", "healthz", "readyz"}

// observe logs a request: one line each.
func observe(ctx context.Context, log *slog.Logger, e *server.Event) {
	level := slog.LevelInfo
	switch {
	case e.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case e.Reused:
		level = slog.LevelWarn
	case e.Endpoint == "", e.Err == nil && slices.Contains(documents, e.Endpoint):
		level = slog.LevelDebug
	}
	log.LogAttrs(ctx, level, "request", slog.Attr{Value: e.LogValue()})
}

// isThisMachine reports whether nobody else can mean the issuer: it is good for trying things out.
func isThisMachine(issuer string) bool {
	u, err := url.Parse(issuer)
	return err == nil && u.Scheme == "http" // which is refused for other machines
}

// withStartPage puts a page for people where the issuer's URL itself leads.
func withStartPage(s *service) http.Handler {
	path := "/"
	m := s.Metadata()
	if u, err := url.Parse(m.Issuer); err == nil && u.Path != "" {
		path = u.Path
	}
	page := startPage(m)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			s.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(page))
	})
}

var startTemplate = template.Must(template.New("start").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Issuer}}</title>
</head>
<body>
<h1>This is an OAuth 2.0 authorization server</h1>
<p>Its issuer identifier is <code>{{.Issuer}}</code>. It gives access tokens to programs, and tells APIs about them. There is nothing to log in to here.</p>
<dl>
{{range .Links}}<dt>{{.Name}}</dt>
<dd>{{if .Link}}<a href="{{.URL}}">{{.URL}}</a>{{else}}<code>{{.URL}}</code>{{end}}</dd>
{{end}}</dl>
</body>
</html>
`))

// startPage says what runs here. All of it is in the metadata too.
func startPage(m *oauth.ServerMetadata) string {
	type link struct {
		Name, URL string
		Link      bool
	}
	base := strings.TrimSuffix(m.Issuer, "/")
	var b strings.Builder
	_ = startTemplate.Execute(&b, struct { // which a strings.Builder does not fail

		Issuer string
		Links  []link
	}{m.Issuer, []link{
		{"Metadata (RFC 8414)", base + "/.well-known/openid-configuration", true},
		{"Keys (RFC 7517)", m.JWKSURI, true},
		{"Token endpoint (RFC 6749)", m.TokenEndpoint, false},
		{"Introspection (RFC 7662)", m.IntrospectionEndpoint, false},
		{"Revocation (RFC 7009)", m.RevocationEndpoint, false},
		{"Is it ready?", base + "/readyz", true},
	}})
	return b.String()
}
