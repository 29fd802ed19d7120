package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
	"github.com/jotsuite/jot/server/memstore"
	serverstore "github.com/jotsuite/jot/server/store"
)

// breaks is a store that fails at one call of those with a name, or of all.
type breaks struct {
	operation string
	at        int64 // from zero on
	calls     atomic.Int64
}

func (b *breaks) over(s serverstore.Store) serverstore.Store {
	return &watchedStore{s, func(ctx context.Context, operation string) (context.Context, func(error)) {
		if b.operation != "" && b.operation != operation || b.calls.Add(1)-1 != b.at {
			return ctx, func(error) {}
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		return gone, func(error) {}
	}}
}

// runCommand runs what Run of a command does, and returns its exit code and what it writes.
func runCommand(t *testing.T, c interface{ Run(*app) error }) (int, string) {
	t.Helper()
	var out logBuffer
	term := &terminal{stdin: strings.NewReader(""), stdout: &out, stderr: &out}
	if err := c.Run(&app{terminal: term, in: &input{term: term}, clock: time.Now}); err != nil {
		f := asFailure(err)
		term.report(f)
		return f.code, out.String()
	}
	return exitOK, out.String()
}

// TestAdministrationBreaks has the store fail at each call of each command: no command says then that it has done anything.
func TestAdministrationBreaks(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	addClient(t, "shop", "--data", data)
	config := filepath.Join(t.TempDir(), "jot.yaml")
	writeFile(t, config, "data: "+data+"\nregistration:\n  grant_types: [client_credentials]\n")
	if code, _, stderr := jot(t, "", "issuer", "add", "https://ci.example", "--discover", "--subject", "*", "--data", data); code != exitOK {
		t.Fatal(stderr)
	}
	name := "Shop"
	for what, c := range map[string]func(serviceFlags) interface{ Run(*app) error }{
		"client list": func(f serviceFlags) interface{ Run(*app) error } { return &clientListCmd{serviceFlags: f} },
		"client show": func(f serviceFlags) interface{ Run(*app) error } { return &clientShowCmd{ID: "shop", serviceFlags: f} },
		"client secret": func(f serviceFlags) interface{ Run(*app) error } {
			return &clientSecretCmd{ID: "shop", serviceFlags: f}
		},
		"client set": func(f serviceFlags) interface{ Run(*app) error } {
			return &clientSetCmd{ID: "shop", clientFlags: clientFlags{Name: &name}, serviceFlags: f}
		},
		"client invite": func(f serviceFlags) interface{ Run(*app) error } {
			return &clientInviteCmd{Life: time.Hour, serviceFlags: f}
		},
		"issuer list": func(f serviceFlags) interface{ Run(*app) error } { return &issuerListCmd{serviceFlags: f} },
		"issuer show": func(f serviceFlags) interface{ Run(*app) error } {
			return &issuerShowCmd{Issuer: "https://ci.example", serviceFlags: f}
		},
		"issuer set": func(f serviceFlags) interface{ Run(*app) error } {
			return &issuerSetCmd{Issuer: "https://ci.example", serviceFlags: f}
		},
		"grant list": func(f serviceFlags) interface{ Run(*app) error } {
			return &grantListCmd{Client: "shop", serviceFlags: f}
		},
		"grant revoke": func(f serviceFlags) interface{ Run(*app) error } {
			return &grantRevokeCmd{Client: "shop", serviceFlags: f}
		},
		"key list":   func(f serviceFlags) interface{ Run(*app) error } { return &keyListCmd{serviceFlags: f} },
		"key rotate": func(f serviceFlags) interface{ Run(*app) error } { return &keyRotateCmd{serviceFlags: f} },
		"key revoke": func(f serviceFlags) interface{ Run(*app) error } { return &keyRevokeCmd{KeyID: "k", serviceFlags: f} },
	} {
		b := &breaks{at: -1}
		want := exitOK
		if what == "key revoke" {
			want = exitRefused // there is no k
		}
		if code, out := runCommand(t, c(serviceFlags{Config: config, over: b.over})); code != want || b.calls.Load() == 0 {
			t.Errorf("jot %s: exit code %d after %d calls: %s", what, code, b.calls.Load(), out)
		}
		for at := range b.calls.Load() {
			code, out := runCommand(t, c(serviceFlags{Config: config, over: (&breaks{at: at}).over}))
			if code != exitFile || !strings.HasPrefix(out, "error: the store cannot be used") {
				t.Errorf("jot %s, where call %d fails: exit code %d: %s", what, at, code, out)
			}
		}
	}
}

// TestSecretsBreak does not make secrets for a store of which it is not known whether it has any.
func TestSecretsBreak(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	code, out := runCommand(t, &clientAddCmd{ID: "x", serviceFlags: serviceFlags{Data: data, over: (&breaks{operation: "LastChange"}).over}})
	if code != exitFile || !strings.HasPrefix(out, "error: the store cannot be used") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(data, "secrets")); err == nil {
		t.Error("there are secrets")
	}
}

// TestServeBreaks has the store fail while a server starts, which ends then.
func TestServeBreaks(t *testing.T) {
	needUnix(t)
	for operation, least := range map[string]int64{"Document": 2, "PutDocument": 3} {
		for at := int64(0); ; at++ {
			var log logBuffer
			term := &terminal{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &log}
			data := filepath.Join(t.TempDir(), "data")
			addClient(t, "shop", "--data", data) // with which there are keys, so that what is put is the demonstration's
			c := &serveCmd{Addr: "localhost:0", serviceFlags: serviceFlags{Data: data, over: (&breaks{operation: operation, at: at}).over}}
			ended := make(chan error, 1)
			go func() { ended <- c.Run(&app{terminal: term, in: &input{term: term}, clock: time.Now}) }()
			var err error
			for listens := false; !listens && err == nil; {
				select {
				case err = <-ended:
					if err == nil {
						t.Fatalf("%s %d: it ends as if it were told to\n%s", operation, at, &log)
					}
				case <-time.After(time.Millisecond):
					listens = strings.Contains(log.String(), "msg=listening")
				}
			}
			if err == nil { // the call comes after the start
				(&inside{t: t}).signal(syscall.SIGTERM)
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if at < least {
					t.Errorf("%s: there are only %d calls", operation, at)
				}
				break
			}
			if f := asFailure(err); f.code != exitFile || !strings.Contains(f.msg, "the store cannot be used") {
				t.Errorf("%s %d: %v", operation, at, err)
			}
		}
	}
}

// TestServeRefusesToStart has what is found out only at the start: nothing listens then.
func TestServeRefusesToStart(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	ca := newCertificate(t, nil)
	writeFile(t, filepath.Join(dir, "tls.pem"), ca.pem())
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "")
	for name, c := range map[string]struct {
		text string
		args []string
		want string
	}{
		"metrics":           {"metrics: 127.0.0.1:99999", nil, `cannot listen at "127.0.0.1:99999"`},
		"audit":             {"audit: " + dir + "/none/audit.log", nil, "cannot write the audit trail"},
		"traces":            {"traces: localhost", nil, "line 4: traces go to the URL"},
		"a certificate":     {"tls: {certificate: " + dir + "/tls.pem, key: " + dir + "/none.key}", nil, "line 4: there is no file"},
		"a certificate too": {"", []string{"--tls-cert", dir + "/tls.pem"}, "give both of --tls-cert and --tls-key"},
		"a key":             {"", []string{"--tls-key", dir + "/tls.pem"}, "give both of --tls-cert and --tls-key"},
		"http":              {"", []string{"--tls-cert", dir + "/tls.pem", "--tls-key", dir + "/tls.key", "--issuer", "http://localhost"}, "is no https URL"},
		"http too":          {"issuer: http://localhost", []string{"--tls-cert", dir + "/tls.pem", "--tls-key", dir + "/tls.key"}, "line 4: the server speaks TLS"},
		"another address":   {"client_certificates: {addr: '127.0.0.1:99999', url: 'https://localhost'}\ntls: {certificate: a, key: b}", nil, `cannot listen at "127.0.0.1:99999"`},
		"a log":             {"", []string{"--log", "xml"}, "text or json"},
		"an empty path":     {"", []string{"--store", "sqlite:"}, "is no store"},
		"a query":           {"", []string{"--store", "sqlite:" + dir + "/x?mode=memory"}, "is no store"},
	} {
		config := filepath.Join(dir, "jot.yaml")
		writeFile(t, config, "addr: localhost:0\nstore: sqlite:"+dir+"/jot.db\ndata: "+dir+"/data\n"+c.text+"\n")
		code, stdout, stderr := jot(t, "", append([]string{"serve", "--config", config}, c.args...)...)
		if code == exitOK || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "msg=listening") {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
}

// TestShellWord has words that a shell takes as they are, and others.
func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"azAZ09-_./:@%+,=": "azAZ09-_./:@%+,=", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "`": "'`'", "[": "'['", "{": "'{'", "ä": "'ä'",
		"a": "a", "z": "z", "A": "A", "Z": "Z", "0": "0", "9": "9", "~": "'~'", "^": "'^'", ";": "';'", "*": "'*'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// TestIsThisMachine tells issuers that only this machine can mean.
func TestIsThisMachine(t *testing.T) {
	for issuer, want := range map[string]bool{"http://localhost:8080": true, "https://as.example": false, "https://localhost": false, "http://[": false} {
		if isThisMachine(issuer) != want {
			t.Errorf("%s: %v", issuer, !want)
		}
	}
}

// TestReloadRefuses reloads what is read well, and cannot be served: all goes on as it was.
func TestReloadRefuses(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "jot.yaml")
	text := "addr: localhost:0\nstore: memory\naudit: " + dir + "/trail/audit.log\n"
	if err := os.Mkdir(dir+"/trail", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, config, text)
	s := serveInside(t, "--config", config)
	for i, c := range []struct{ text, want string }{
		{"resources: []\n", "server.options"},
		{"tls: {certificate: a}\n", "tls has a certificate and its key"},
		{"keys: {every: 1m}\n", "keys.options"},
	} {
		writeFile(t, config, text+c.text)
		s.signal(syscall.SIGHUP)
		s.wait(`msg="not reloaded: the configuration of before goes on" error=.*`+regexp.QuoteMeta(c.want), 1)
		s.wait(`msg="not reloaded: `, i+1)
	}
	if strings.Contains(s.log.String(), "msg=reloaded") {
		t.Errorf("it is reloaded:\n%s", s.log)
	}
	// What could not be opened anew is named, and the rest is reloaded.
	writeFile(t, config, text)
	if err := os.Rename(dir+"/trail", dir+"/moved"); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	s.wait(`msg="not reloaded" what=audit error="cannot write the audit trail`, 1)
	s.wait(`msg=reloaded`, 1)
}

var errBroken = errors.New("broken")

// TestAll pages through everything, and ends at what cannot be read.
func TestAll(t *testing.T) {
	var seen []int
	list := func(_ context.Context, after string, limit int) (out []int, err error) {
		for i := len(after); len(out) < limit && i < 250; i++ {
			out = append(out, i)
		}
		return out, nil
	}
	if err := all(t.Context(), list, func(i int) string { return strings.Repeat("x", i+1) }, func(i int) { seen = append(seen, i) }); err != nil || len(seen) != 250 || seen[249] != 249 {
		t.Error(err, len(seen))
	}
	fails := func(context.Context, string, int) ([]int, error) { return nil, errBroken }
	if err := all(t.Context(), fails, func(int) string { return "" }, func(int) {}); err == nil {
		t.Error("what cannot be read is no failure")
	}
}

// TestWatchedStoreBreaks has each call of a store that is watched fail as it does without.
func TestWatchedStoreBreaks(t *testing.T) {
	var told []string
	s := &watchedStore{memstore.New(), func(ctx context.Context, operation string) (context.Context, func(error)) {
		return ctx, func(err error) {
			if err == nil {
				t.Errorf("%s: there is no error", operation)
			}
			told = append(told, operation)
		}
	}}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.Store = closedStore{s.Store}
	now := time.Now()
	_, _, rotate := s.Rotate(gone, now, serverstore.Rotation{})
	_, _, sweep := s.Sweep(gone, now, 1)
	for what, err := range map[string]error{
		"DeleteDocument": s.DeleteDocument(gone, now, "a", "b"),
		"AddGrant":       s.AddGrant(gone, serverstore.Grant{}),
		"Rotate":         rotate,
		"AddRecord":      s.AddRecord(gone, now, serverstore.Record{}),
		"Sweep":          sweep,
		"Ping":           s.Ping(gone),
	} {
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(told) != 6 {
		t.Errorf("only %v are watched", told)
	}
}

// closedStore fails at all calls of those that return nothing but how they went.
type closedStore struct{ serverstore.Store }

func (closedStore) DeleteDocument(context.Context, time.Time, string, string) error { return errBroken }

func (closedStore) AddGrant(context.Context, serverstore.Grant) error { return errBroken }

func (closedStore) AddRecord(context.Context, time.Time, serverstore.Record) error { return errBroken }

func (closedStore) Ping(context.Context) error { return errBroken }

func (closedStore) Rotate(context.Context, time.Time, serverstore.Rotation) (serverstore.Outcome, serverstore.Grant, error) {
	return 0, serverstore.Grant{}, errBroken
}

func (closedStore) Sweep(context.Context, time.Time, int) (int, bool, error) {
	return 0, false, errBroken
}

// TestConnectionsEnd has who waits for room be let go at the end, and nobody be counted whom nobody has accepted.
func TestConnectionsEnd(t *testing.T) {
	var log logBuffer
	c := newConnections(func() int { return 1 }, slog.New(slog.NewTextHandler(&log, nil)))
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := boundListener{inner, c}
	if !c.wait() {
		t.Fatal("there is no room for one")
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	for !strings.Contains(log.String(), "as many connections") { // so it waits
		time.Sleep(time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("who waits: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	if c.n != 1 {
		t.Errorf("%d are counted", c.n)
	}
	// One that is accepted by nobody is not counted.
	free := boundListener{inner, newConnections(func() int { return 1 }, slog.New(slog.DiscardHandler))}
	for range 2 {
		if _, err := free.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
	if free.all.n != 0 {
		t.Errorf("%d are counted", free.all.n)
	}
}

// TestConnectionsClosesOne closes one connection that waits for each that is new, and no more while it is on its way out.
func TestConnectionsClosesOne(t *testing.T) {
	var asked atomic.Int64
	c := newConnections(func() int { asked.Add(1); return 2 }, slog.New(slog.DiscardHandler))
	var closed []*closingConn
	for range 2 {
		if !c.wait() {
			t.Fatal("there is room")
		}
		conn := &closingConn{done: make(chan struct{})}
		closed = append(closed, conn)
		c.state(conn, http.StateIdle)
	}
	let := make(chan bool)
	go func() { let <- c.wait() }()
	var gone, stays *closingConn
	select {
	case <-closed[0].done:
		gone, stays = closed[0], closed[1]
	case <-closed[1].done:
		gone, stays = closed[1], closed[0]
	}
	for range 20 {
		was := asked.Load()
		c.state(stays, http.StateIdle) // which wakes who waits, with nothing gained
		for asked.Load() == was {
			time.Sleep(time.Millisecond)
		}
	}
	c.state(gone, http.StateClosed)
	if !<-let {
		t.Error("nobody is let in")
	}
	select {
	case <-stays.done:
		t.Error("two are closed for one")
	default:
	}
}

// closingConn is a connection that can only be closed.
type closingConn struct {
	net.Conn
	once sync.Once
	done chan struct{}
}

func (c *closingConn) Close() error {
	c.once.Do(func() { close(c.done) })
	return nil
}

// TestObserveLevels has what needs somebody's attention logged as such.
func TestObserveLevels(t *testing.T) {
	for level, e := range map[string]server.Event{
		"ERROR": {Endpoint: "jwks", Status: http.StatusServiceUnavailable},
		"WARN":  {Endpoint: "token", Status: http.StatusBadRequest, Reused: true},
		"INFO":  {Endpoint: "token", Status: http.StatusOK},
		"DEBUG": {Endpoint: "jwks", Status: http.StatusOK},
	} {
		var log logBuffer
		observe(t.Context(), slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), &e)
		if !strings.Contains(log.String(), "level="+level+" ") {
			t.Errorf("%+v is logged as %s", e, log.String())
		}
	}
	for level, status := range map[string]int{"ERROR": http.StatusInternalServerError, "INFO": http.StatusForbidden} {
		var log logBuffer
		p := &process{log: slog.New(slog.NewTextHandler(&log, nil))}
		if p.administered(t.Context(), &admin.Event{Status: status}); !strings.Contains(log.String(), "level="+level+" ") {
			t.Errorf("%d of administrators is logged as %s", status, log.String())
		}
	}
}

// TestAsks has the main listener ask for certificates where no other address and no proxy is for them.
func TestAsks(t *testing.T) {
	for text, want := range map[string]bool{
		"": false, "{request: true}": true, "{authorities: a}": true, "{request: false}": false,
		"{addr: a, authorities: a}": false, "{header: a, authorities: a}": false,
	} {
		var c config
		if err := c.parse([]byte("client_certificates: " + text)); err != nil {
			t.Fatal(err)
		}
		if c.asks() != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}

// TestAuditStreams has a trail on a stream, and one of what no administrator may do.
func TestAuditStreams(t *testing.T) {
	var out, errs logBuffer
	for place, to := range map[string]*logBuffer{"stdout": &out, "stderr": &errs} {
		tr, err := openTrail(place, &app{terminal: &terminal{stdout: &out, stderr: &errs}, clock: time.Now}, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		_ = tr.record("cli:me", auditClientAdd, place, &oauth.Error{Code: oauth.InvalidClientMetadata})
		if err := errors.Join(tr.reopen()); err != nil || !strings.Contains(to.String(), `"outcome":"refused","by":"cli:me","target":"`+place+`","error":"invalid_client_metadata"`) {
			t.Errorf("%v %s", err, to)
		}
		tr.close()
	}
	(*trail)(nil).write(&auditLine{})
	(*trail)(nil).close()
	if err := (*trail)(nil).reopen(); err != nil {
		t.Error(err)
	}
}

// TestCertificateLook takes the files of the certificate again where anything of them has changed, and only there.
func TestCertificateLook(t *testing.T) {
	dir := t.TempDir()
	files := tlsFiles{certificate: filepath.Join(dir, "tls.pem"), key: filepath.Join(dir, "tls.key")}
	var log logBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	nowhere := &keyPair{files: files}
	for range 2 {
		if nowhere.look("https://localhost", logger); strings.Count(log.String(), "there is no file") != 1 {
			t.Errorf("there are no files: %s", log.String())
		}
	}
	own := newCertificate(t, nil, "localhost")
	writeFile(t, files.certificate, own.pem())
	writeFile(t, files.key, own.keyPEM(t))
	pair, err := files.load()
	if err != nil {
		t.Fatal(err)
	}
	k := &keyPair{}
	k.use(files, pair, "https://localhost", logger)
	at := time.Now().Add(-time.Hour)
	for _, name := range []string{files.certificate, files.key} {
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	k.look("https://localhost", logger)
	copied := func(name, text string) error {
		return errors.Join(os.WriteFile(name+".new", []byte(text), 0o600), os.Chtimes(name+".new", at, at), os.Rename(name+".new", name))
	}
	for _, c := range []struct {
		what   string
		change func() error
		taken  bool
	}{
		{"nothing", func() error { return nil }, false},
		{"the time", func() error { return os.Chtimes(files.certificate, at, at.Add(time.Minute)) }, true},
		{"the time of before", func() error { return os.Chtimes(files.certificate, at, at) }, true},
		{"the time of the key", func() error { return os.Chtimes(files.key, at, at.Add(time.Minute)) }, true},
		{"the length", func() error {
			return errors.Join(os.WriteFile(files.certificate, []byte(own.pem()+"\n"), 0o600), os.Chtimes(files.certificate, at, at))
		}, true},
		{"the file", func() error { return copied(files.certificate, own.pem()+"\n") }, true},
		{"no certificate", func() error { return os.Remove(files.certificate) }, false},
		{"a certificate again", func() error { return copied(files.certificate, own.pem()+"\n") }, true},
		{"nothing more", func() error { return nil }, false},
	} {
		was := k.now.Load()
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		k.look("https://localhost", logger)
		if taken := k.now.Load() != was; taken != c.taken {
			t.Errorf("%s: taken: %v\n%s", c.what, taken, log.String())
		}
	}
	if n := strings.Count(log.String(), "there is no file"); n != 2 {
		t.Errorf("a failure is logged %d times:\n%s", n, log.String())
	}
}

// TestDemoKey refuses a key of the demonstration's issuer that it cannot use, and does not replace it.
func TestDemoKey(t *testing.T) {
	needUnix(t)
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public().JWK().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare func(path string) error
		code    int
		want    string
	}{
		"no key":     {func(path string) error { return os.WriteFile(path, []byte("none"), 0o600) }, exitUnreadable, "[json."},
		"public":     {func(path string) error { return os.WriteFile(path, public, 0o600) }, exitNoKey, "demo-issuer.jwk"},
		"a folder":   {func(path string) error { return os.Mkdir(path, 0o700) }, exitFile, "cannot read"},
		"a link":     {func(path string) error { return os.Symlink("nowhere/at all", path) }, exitFile, "cannot write"},
		"for others": {func(path string) error { return os.Chmod(filepath.Dir(path), 0o755) }, exitFile, "keys.exposed"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := c.prepare(filepath.Join(dir, "demo-issuer.jwk")); err != nil {
			t.Fatal(err)
		}
		_, err := new(demo).key(dir)
		if err == nil {
			t.Errorf("%s: it is used", name)
		} else if f := asFailure(err); f.code != c.code || !strings.Contains(f.msg, c.want) {
			t.Errorf("%s: %d %s", name, f.code, f.msg)
		}
		// The demonstration ends then, with which nobody can be served by it.
		set, err := serviceFlags{Store: "sqlite:" + filepath.Join(t.TempDir(), "jot.db"), Data: t.TempDir() + "/data"}.settle()
		if err != nil {
			t.Fatal(err)
		}
		set.options.Issuer = "http://localhost:8080"
		s, err := set.open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		set.data = dir
		if d, err := set.demo(t.Context(), s, set.options.Issuer); err == nil || d != nil {
			t.Errorf("%s: %v %v", name, d, err)
		}
		_ = s.store.Close()
	}
}

// TestSecretsRefused has folders of secrets that cannot be used, beside a store that is somewhere else.
func TestSecretsRefused(t *testing.T) {
	needUnix(t)
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    string
	}{
		"a folder for all": {func(dir string) error { return os.Mkdir(dir, 0o755) }, "keys.exposed"},
		"a link": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink("nowhere", dir+"/secrets"))
		}, "there is no file"},
		"no base64url": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(dir+"/secrets", []byte(strings.Repeat("A", 64)+"+"), 0o600))
		}, "is no secret"},
		"a folder": {func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+"/secrets", 0o700))
		}, "cannot read"},
		"a folder that is away": {func(dir string) error { return os.Symlink("nowhere", dir) }, "there is no file"},
	} {
		dir := t.TempDir()
		if err := c.prepare(dir + "/data"); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := jot(t, "", "client", "list", "--data", dir+"/data", "--store", "sqlite:"+dir+"/jot.db")
		if code == exitOK || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d: %s%s", name, code, stdout, stderr)
		}
	}
}

// changing is a store while which is asked for its last change something happens.
type changing struct {
	serverstore.Store
	happens func() error
}

func (c *changing) LastChange(ctx context.Context) (int64, error) {
	if err := c.happens(); err != nil {
		return 0, err
	}
	return c.Store.LastChange(ctx)
}

// TestSecretsLost does not go on with secrets that it could not write.
func TestSecretsLost(t *testing.T) {
	dir := t.TempDir()
	set, err := serviceFlags{Data: dir + "/data", Store: "sqlite:" + dir + "/jot.db", over: func(s serverstore.Store) serverstore.Store {
		return &changing{s, func() error { return os.Remove(dir + "/data") }}
	}}.settle()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "cannot write") {
		t.Error(err)
	}
}

// TestDash says how to name what begins with a dash, as one of 64 identifiers that are made at random does.
func TestDash(t *testing.T) {
	const after = "; a name that begins with - comes last, after --\n"
	data := t.TempDir() + "/data"
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"grant show -Sr6g":                {exitUsage, "hint: see jot grant show --help" + after},
		"grant show --data=DATA -- -Sr6g": {exitRefused, `there is no "-Sr6g"`},
		"grant show --nothing":            {exitUsage, "hint: see jot grant show --help\n"},
	} {
		if code, _, stderr := jot(t, "", strings.Fields(strings.ReplaceAll(args, "DATA", data))...); code != want.code || !strings.Contains(stderr, want.text) {
			t.Errorf("jot %s: exit code %d: %s", args, code, stderr)
		}
	}
}

// TestNoStore has a command that administers refuse what is no store.
func TestNoStore(t *testing.T) {
	if code, stdout, stderr := jot(t, "", "client", "list", "--store", "mysql://me:hidden@db"); code != exitUsage || stdout != "" || !strings.Contains(stderr, "is no store") || strings.Contains(stderr, "hidden") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}

// TestDemoBreaks has the store fail at each call that the demonstration makes: none is shown then.
func TestDemoBreaks(t *testing.T) {
	for at, more := int64(0), true; more; at++ {
		b := &breaks{at: -1}
		set, err := serviceFlags{Store: "memory", Data: t.TempDir() + "/data", over: b.over}.settle()
		if err != nil {
			t.Fatal(err)
		}
		set.options.Issuer = "http://localhost:8080"
		s, err := set.open(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		b.at = at
		b.calls.Store(0)
		d, err := set.demo(t.Context(), s, set.options.Issuer)
		if more = b.calls.Load() > at; !more {
			if err != nil || d == nil || at < 5 {
				t.Errorf("after %d calls: %v %v", at, d, err)
			}
		} else if err == nil || d != nil || !strings.HasPrefix(err.Error(), "the store cannot be used") {
			t.Errorf("call %d fails: %v %v", at, d, err)
		}
	}
}

// TestSame has the program that the demonstration names be this one, by whatever name.
func TestSame(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	writeFile(t, dir+"/jot", "")
	writeFile(t, dir+"/other", "")
	if err := os.Symlink("jot", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"jot": true, "link": true, "other": false, "none": false} {
		if same(dir+"/"+name, dir+"/jot") != want || same(dir+"/"+name, dir+"/none") {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// TestChangeFailure says of two who change the same at a time that one has to try again.
func TestChangeFailure(t *testing.T) {
	for want, err := range map[string]error{"someone else has changed": serverstore.ErrConflict, "there is no": serverstore.ErrNotFound, "as it is": fail(exitUsage, "", "as it is")} {
		if f := changeFailure("shop", err); !strings.Contains(f.msg, want) {
			t.Errorf("%v: %s", err, f.msg)
		}
	}
}

// TestAuditAdministered writes nothing of what anybody could have asked for.
func TestAuditAdministered(t *testing.T) {
	for status, want := range map[int]string{http.StatusUnauthorized: auditAuthenticate, http.StatusTooManyRequests: "", http.StatusOK: auditClientChange} {
		var out logBuffer
		tr := &trail{clock: time.Now, failed: func(err error) { t.Error(err) }, to: &out}
		tr.administered(&admin.Event{Action: "putClient", Target: "made-up", Client: "root", Subject: "root", Status: status})
		if line := out.String(); !strings.Contains(line, want) || (want == "") != (line == "") || status == http.StatusUnauthorized && strings.Contains(line, "made-up") {
			t.Errorf("%d: %s", status, line)
		}
	}
}

// TestLimitsUnsaid holds the limits of who has configured none.
func TestLimitsUnsaid(t *testing.T) {
	for text, want := range map[string]server.Limits{
		"":                             {Address: server.Rate{PerSecond: 100, Burst: 1000}},
		"limits: {client: {rate: 5}}":  {Address: server.Rate{PerSecond: 100, Burst: 1000}, Client: server.Rate{PerSecond: 5}},
		"limits: {address: {rate: 0}}": {},
	} {
		var c config
		if err := c.parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		o, _, err := c.options()
		if err != nil || o.Limits != want {
			t.Errorf("%s: %+v %v", text, o.Limits, err)
		}
	}
}
