package main

import (
	"context"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
)

type serveCmd struct {
	Addr   string `default:"localhost:8080" placeholder:"HOST:PORT" help:"Where to listen. The default is localhost:8080."`
	Issuer string `placeholder:"URL" help:"The issuer identifier: the URL that others know the server by. Unless given it is http://localhost with the port of --addr."`
	Log    string `enum:"text,json" default:"text" placeholder:"FORMAT" help:"How the log on stderr is written: text or json. The default is text."`

	serviceFlags `embed:""`
}

func (*serveCmd) Help() string {
	return `The first start makes what the server needs, and a client and a trusted issuer to try it with, where the issuer is this machine's; commands that use them are printed on stdout, once. The log goes to stderr and holds no token and no secret.

It is plain HTTP: put a server that speaks TLS in front of it, and give the https URL as --issuer. Processes that share a PostgreSQL are one issuer if they have the same file of secrets in their folders. An interrupt (Ctrl-C) or SIGTERM lets it answer what it is being asked, and ends it; a second one ends it at once.`
}

func (c *serveCmd) Run(a *app) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Before anything is made, so that a port that is taken leaves nothing behind.
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fail(exitFile, "give another --addr HOST:PORT", "cannot listen at %s: %s", quoted(c.Addr), reason(err))
	}
	defer listener.Close()
	log := c.logger(a)
	o := defaults()
	o.Issuer, o.Clock = c.issuer(listener.Addr()), a.clock
	o.Observe = func(ctx context.Context, e *server.Event) { observe(ctx, log, e) }
	if strings.HasPrefix(c.Store, "postgres") && withoutPassword(c.Store) != c.Store {
		a.warn("a password in an argument is seen by other users and kept by the shell; prefer PGPASSWORD or PGPASSFILE")
	}
	s, err := c.open(ctx, o, keyset.Timetable{}, func(err error) { log.Error("keys", "error", err) })
	if err != nil {
		return err
	}
	defer s.store.Close()
	if isThisMachine(o.Issuer) {
		d, err := c.demo(ctx, s, o.Issuer)
		if err != nil {
			return err
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
	return serve(ctx, stop, listener, s, log)
}

// serve answers until ctx is done, and then what has been asked by then.
func serve(ctx context.Context, stop func(), listener net.Listener, s *service, log *slog.Logger) error {
	work, done := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		s.run(work)
	}()
	defer func() {
		done()
		<-worked
	}()
	h := &http.Server{
		Handler:           withStartPage(s),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // keys of others may have to be fetched meanwhile
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10, // certificates and proofs are in headers
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("listening", "issuer", s.Metadata().Issuer, "addr", listener.Addr().String(), "version", version())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener) }()
	select {
	case err := <-ended:
		return fail(exitFile, "", "cannot serve: %s", reason(err))
	case <-ctx.Done():
	}
	stop() // from here on a signal ends the process
	log.Info("stopping")
	last, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := h.Shutdown(last); err != nil {
		_ = h.Close()
		log.Warn("stopped while requests were answered", "error", err)
	}
	<-ended
	log.Info("stopped")
	return nil
}

func (c *serveCmd) logger(a *app) *slog.Logger {
	if c.Log == "json" {
		return slog.New(slog.NewJSONHandler(a.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(a.stderr, nil))
}

// observe logs a request: one line each.
func observe(ctx context.Context, log *slog.Logger, e *server.Event) {
	level := slog.LevelInfo
	switch {
	case e.Status >= http.StatusInternalServerError:
		level = slog.LevelError
	case e.Reused:
		level = slog.LevelWarn
	}
	log.LogAttrs(ctx, level, "request", slog.Attr{Value: e.LogValue()})
}

// issuer is the identifier that was given, or that of this machine.
func (c *serveCmd) issuer(addr net.Addr) string {
	if c.Issuer != "" {
		return c.Issuer
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return "http://localhost:" + port
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
