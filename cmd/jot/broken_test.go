package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
		"a log":             {"log: xml", nil, "text or json"},
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
	text := "addr: localhost:0\nstore: memory\naudit: " + dir + "/audit.log\n"
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
