package main

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// serving is a process of jot serve.
type serving struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	stdout *os.File // which has all of it as soon as it is written
	ended  chan error

	mu  sync.Mutex
	log bytes.Buffer
}

// startServe runs jot serve in a folder until it listens.
func startServe(t *testing.T, dir string, args ...string) *serving {
	t.Helper()
	cmd := exec.Command("jot", append([]string{"serve"}, args...)...)
	cmd.Dir = dir
	return startServing(t, cmd)
}

// startServing starts a command that is jot serve, and waits until it listens.
func startServing(t *testing.T, cmd *exec.Cmd) *serving {
	t.Helper()
	s := &serving{t: t, cmd: cmd, ended: make(chan error, 1)}
	var err error
	if s.stdout, err = os.CreateTemp(t.TempDir(), "stdout"); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stdout = s.stdout
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.stdout.Close()
	})
	listening := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			if m := regexp.MustCompile(`msg=listening issuer=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				listening <- m[1]
			}
		}
		s.ended <- s.cmd.Wait()
	}()
	select {
	case s.url = <-listening:
	case err := <-s.ended:
		t.Fatalf("it ended: %v\n%s", err, s.logged())
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not listen\n%s", s.logged())
	}
	return s
}

func (s *serving) printed() string {
	s.t.Helper()
	text, err := os.ReadFile(s.stdout.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

func (s *serving) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// end sends a signal and returns how the process ended.
func (s *serving) end(signal os.Signal) error {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(30 * time.Second):
		s.t.Fatal("it goes on")
		return nil
	}
}

func (s *serving) get(path string) (*http.Response, string) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

// token asks for one with a client's secret, and returns the status.
func (s *serving) token(id, secret string) int {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func needUnix(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh, and no SIGTERM")
	}
}

// TestServeFirstRun runs what the first start prints, kills the server, and finds all of it again.
func TestServeFirstRun(t *testing.T) {
	needUnix(t)
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no curl")
		}
		t.Skip("there is no curl here (Debian: apt-get install curl), which the commands of the first start need")
	}
	dir := t.TempDir()
	s := startServe(t, dir, "--addr", "localhost:0")
	printed := s.printed()
	sh := exec.Command("sh", "-eu")
	sh.Dir, sh.Stdin = dir, strings.NewReader(printed)
	var out, talk bytes.Buffer
	sh.Stdout, sh.Stderr = &out, &talk
	if err := sh.Run(); err != nil {
		t.Fatalf("%v\n%s%s%s%s", err, printed, out.String(), talk.String(), s.logged())
	}
	want := regexp.MustCompile(`(?s)^\{[^}]*"access_token":"ey[^}]*\}\s*` + // of the client
		`ey[\w.-]+\n` + // for alice
		`\{\s*"(?:[^}]*)"sub": "alice"[^}]*\}\s*` + // verified
		`\{[^}]*"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"[^}]*\}\s*` + // exchanged
		`\{"active":true[^}]*"sub":"alice"[^}]*\}\s*` +
		`\{"active":false\}\s*$`)
	if !want.MatchString(out.String()) || !strings.Contains(talk.String(), "ok") || strings.Contains(talk.String(), "error") {
		t.Errorf("the commands wrote\n%s\n%s\n%s", out.String(), talk.String(), s.logged())
	}
	// What it says to go on with works too, before secret is another.
	next := regexp.MustCompile(`(?m)^#   (.+?)  `).FindAllStringSubmatch(printed, -1)
	if len(next) != 3 {
		t.Errorf("to go on it says %q", next)
	}
	for _, m := range next {
		if strings.Contains(m[1], "client secret demo") {
			m[1] += " --overlap 1h" // for what follows
		}
		sh := exec.Command("sh", "-euc", m[1])
		sh.Dir = dir
		if got, err := sh.CombinedOutput(); err != nil || !bytes.Contains(got, []byte("client")) {
			t.Errorf("%s: %v\n%s", m[1], err, got)
		}
	}
	secret := regexp.MustCompile(`SECRET=(\S+)`).FindStringSubmatch(printed)[1]
	for _, line := range []string{`msg=request endpoint=token status=200 `, `endpoint=introspection`, `endpoint=revocation`, `sub=alice`, `issuer=https://issuer.example`} {
		if !strings.Contains(s.logged(), line) {
			t.Errorf("the log has no %s:\n%s", line, s.logged())
		}
	}
	if strings.Contains(s.logged(), secret) || strings.Contains(s.logged(), "eyJ") {
		t.Errorf("the log has a secret or a token in it:\n%s", s.logged())
	}

	for name, mode := range map[string]fs.FileMode{"": 0o700, "secrets": 0o600, "jot.db": 0o600, "jot.db-wal": 0o600, "demo-issuer.jwk": 0o600} {
		if st, err := os.Stat(filepath.Join(dir, "jot-data", name)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}

	_, keys := s.get("/jwks")
	if err := s.end(os.Kill); err == nil {
		t.Error("it was killed, and ended well")
	}
	again := startServe(t, dir, "--addr", strings.TrimPrefix(s.url, "http://"))
	if _, now := again.get("/jwks"); now != keys {
		t.Errorf("other keys:\n%s\n%s", keys, now)
	}
	if status := again.token("demo", secret); status != http.StatusOK {
		t.Errorf("the secret of before: %d", status)
	}
	if status := again.token("demo", "another"); status != http.StatusUnauthorized {
		t.Errorf("another secret: %d", status)
	}
	if log := again.logged(); !strings.Contains(log, "msg=demonstration client=demo new_secret=\"") || !strings.Contains(log, " client secret demo\"") {
		t.Errorf("who has not kept the secret is not told how to get another:\n%s", log)
	}
	if err := again.end(syscall.SIGTERM); err != nil || again.printed() != "" || !strings.Contains(again.logged(), "msg=stopped") {
		t.Errorf("%v\n%s\n%s", err, again.printed(), again.logged())
	}

	// Secrets that are lost make the rest void, which nobody should find out later.
	if err := os.Remove(filepath.Join(dir, "jot-data", "secrets")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("jot", "serve", "--addr", "localhost:0")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(text), "error: there is no file") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestServeStartPage(t *testing.T) {
	needUnix(t)
	s := startServe(t, t.TempDir(), "--addr", "127.0.0.1:0", "--store", "memory", "--log", "text")
	if p := s.printed(); !strings.Contains(p, "/introspect") || strings.Contains(p, "client add") {
		t.Errorf("a server that keeps nothing is to be administered:\n%s", p)
	}
	resp, page := s.get("/")
	h := resp.Header
	if resp.StatusCode != http.StatusOK || h.Get("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; ") {
		t.Errorf("%s %v", resp.Status, h)
	}
	for _, link := range []string{"/jwks", "/token", "/introspect", "/revoke", "/.well-known/openid-configuration", "/readyz"} {
		if !strings.Contains(page, s.url+link) {
			t.Errorf("no %s in\n%s", link, page)
		}
	}
	for _, ready := range []string{"/readyz", "/healthz", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if resp, _ := s.get(ready); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", ready, resp.Status)
		}
	}
	if resp, _ := s.get("/nothing"); resp.StatusCode != http.StatusNotFound {
		t.Error(resp.Status)
	}
	if resp, err := http.Post(s.url+"/", "text/plain", nil); err != nil || resp.StatusCode != http.StatusMethodNotAllowed || resp.Body.Close() != nil {
		t.Error(resp, err)
	}
	if err := s.end(os.Interrupt); err != nil {
		t.Error(err)
	}
}

// TestServeRefuses tries what cannot be served.
func TestServeRefuses(t *testing.T) {
	needUnix(t)
	for name, c := range map[string]struct {
		prepare func(dir string) error
		args    []string
		code    int
		want    string
	}{
		"a folder that others may read":   {func(dir string) error { return os.Mkdir(dir+"/open", 0o755) }, []string{"--data", "DIR/open"}, exitFile, "keys.exposed"},
		"a database that others may read": {func(dir string) error { return os.WriteFile(dir+"/x.db", nil, 0o644) }, []string{"--store", "sqlite:DIR/x.db"}, exitFile, "keys.exposed"},
		"secrets that others may read": {func(dir string) error {
			return prepareSecrets(dir, strings.Repeat("A", 43), 0o644)
		}, []string{"--data", "DIR/s"}, exitFile, "keys.exposed"},
		"a secret that is short":  {func(dir string) error { return prepareSecrets(dir, "AAAA", 0o600) }, []string{"--data", "DIR/s"}, exitUnreadable, "is no secret"},
		"no secret":               {func(dir string) error { return prepareSecrets(dir, "\n", 0o600) }, []string{"--data", "DIR/s"}, exitUnreadable, "has no secret"},
		"no folder":               {nil, []string{"--data", "DIR/a/b"}, exitFile, "cannot make"},
		"no folder of a database": {nil, []string{"--store", "sqlite:DIR/a/b"}, exitFile, "cannot open"},
		"no database": {func(dir string) error {
			return os.WriteFile(dir+"/x.db", []byte(strings.Repeat("no database ", 100)), 0o600)
		}, []string{"--store", "sqlite:DIR/x.db"}, exitFile, "the store cannot be used"},
		"no store":      {nil, []string{"--store", "mysql://me:hidden@db"}, exitUsage, "is no store"},
		"no address":    {nil, []string{"--addr", "nowhere"}, exitFile, "cannot listen"},
		"http for all":  {nil, []string{"--issuer", "http://as.example", "--store", "memory"}, exitUsage, "http is for this machine"},
		"no PostgreSQL": {nil, []string{"--store", "postgres://me:hidden@127.0.0.1:1/x?connect_timeout=2"}, exitFile, "the store cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.prepare != nil {
				if err := c.prepare(dir); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{"serve"}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "DIR", dir))
			}
			if !strings.Contains(strings.Join(args, " "), "--addr") {
				args = append(args, "--addr", "localhost:0")
			}
			if !strings.Contains(strings.Join(args, " "), "--data") {
				args = append(args, "--data", filepath.Join(dir, "data"))
			}
			code, stdout, stderr := jot(t, "", args...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hidden") {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func prepareSecrets(dir, text string, mode fs.FileMode) error {
	if err := os.Mkdir(dir+"/s", 0o700); err != nil {
		return err
	}
	return os.WriteFile(dir+"/s/secrets", []byte(text), mode)
}

// TestServeAdministered adds a client while the server runs, and takes it away.
func TestServeAdministered(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	s := startServe(t, dir, "--addr", "localhost:0", "--data", data)
	code, stdout, stderr := jot(t, "", "client", "add", "shop", "--data", data, "--scope", "read")
	if code != exitOK {
		t.Fatal(stderr)
	}
	secret := regexp.MustCompile(`"client_secret":"(.*)"`).FindStringSubmatch(stdout)[1]
	if status := s.token("shop", secret); status != http.StatusOK {
		t.Error(status)
	}
	if code, _, stderr := jot(t, "", "client", "rm", "shop", "--data", data); code != exitOK {
		t.Fatal(stderr)
	}
	deadline := time.Now().Add(10 * time.Second)
	for s.token("shop", secret) != http.StatusUnauthorized {
		if time.Now().After(deadline) {
			t.Fatal("a client that was removed gets tokens")
		}
		time.Sleep(50 * time.Millisecond)
	}
	// Nobody need be shown the demonstration who has removed it.
	if code, _, stderr := jot(t, "", "client", "rm", "demo", "--data", data); code != exitOK {
		t.Fatal(stderr)
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	again := startServe(t, dir, "--addr", "localhost:0", "--data", data, "--log", "text")
	if again.printed() != "" || strings.Contains(again.logged(), "msg=demonstration") {
		t.Error(again.printed(), again.logged())
	}
	if err := again.end(os.Interrupt); err != nil {
		t.Error(err)
	}
}

// TestServeDemoAgain shows the demonstration again where it was made, and not shown.
func TestServeDemoAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	set, err := serviceFlags{Data: dir}.settle()
	if err != nil {
		t.Fatal(err)
	}
	set.options.Issuer = "http://localhost:8080"
	s, err := set.open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.store.Close()
	first, err := set.demo(t.Context(), s, set.options.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	second, err := set.demo(t.Context(), s, set.options.Issuer)
	if err != nil || second == nil || second.Secret == first.Secret || !strings.Contains(second.text(), second.Secret) {
		t.Fatalf("%v %v", second, err)
	}
	for range 2 { // as two processes would
		if err := second.shown(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if third, err := set.demo(t.Context(), s, set.options.Issuer); third != nil || err != nil {
		t.Errorf("%v %v", third, err)
	}
}
