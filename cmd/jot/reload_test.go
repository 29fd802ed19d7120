package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// inside is jot serve in this process, where its goroutines can be counted.
type inside struct {
	t     *testing.T
	url   string
	ended chan int
	log   *logBuffer
}

// logBuffer is a log that is read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serveInside runs jot serve until the test ends. The signals that end and reload it are this process's own.
func serveInside(t *testing.T, args ...string) *inside {
	t.Helper()
	needUnix(t)
	s := &inside{t: t, ended: make(chan int, 1), log: new(logBuffer)}
	go func() {
		s.ended <- run(append([]string{"serve"}, args...), &terminal{stdin: strings.NewReader(""), stdout: io.Discard, stderr: s.log}, time.Now)
	}()
	s.url = s.wait(`msg=listening issuer=(\S+)`, 1)[0][1]
	t.Cleanup(s.stop)
	return s
}

// wait returns the first n places in the log that match.
func (s *inside) wait(pattern string, n int) [][]string {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if m := regexp.MustCompile(pattern).FindAllStringSubmatch(s.log.String(), n); len(m) == n {
			return m
		}
		select {
		case code := <-s.ended:
			s.ended <- code
			s.t.Fatalf("it ended with %d:\n%s", code, s.log)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the log has not %d times %s:\n%s", n, pattern, s.log)
		}
	}
}

func (s *inside) signal(signal syscall.Signal) {
	s.t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(signal)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *inside) stop() {
	select {
	case <-s.ended: // it has ended before
		return
	default:
	}
	s.signal(syscall.SIGTERM)
	select {
	case code := <-s.ended:
		if code != exitOK {
			s.t.Errorf("exit code %d:\n%s", code, s.log)
		}
	case <-time.After(30 * time.Second):
		s.t.Error("it goes on")
	}
	s.ended <- exitOK
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// addClient adds one with a secret, which it returns.
func addClient(t *testing.T, id string, args ...string) string {
	t.Helper()
	code, stdout, stderr := jot(t, "", append([]string{"client", "add", id}, args...)...)
	if code != exitOK {
		t.Fatal(stderr)
	}
	if m := regexp.MustCompile(`"client_secret":"(.*)"`).FindStringSubmatch(stdout); m != nil {
		return m[1]
	}
	return ""
}

// ask asks for a token, and returns status and body.
func ask(c *http.Client, base, id, secret string) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, base+"/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// TestReload reloads the configuration 20 times under load: no request fails, and nothing is left of what was replaced.
func TestReload(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "jot.yaml")
	life := func(seconds string) string {
		return "addr: 127.0.0.1:0\ndata: " + filepath.Join(dir, "data") + "\nlifetimes: {access: " + seconds + "}\n"
	}
	writeFile(t, config, life("100s"))
	secret := addClient(t, "shop", "--config", config)
	s := serveInside(t, "--config", config)
	kept := &http.Client{Transport: &http.Transport{}}
	if status, body, err := ask(kept, s.url, "shop", secret); err != nil || status != http.StatusOK || !strings.Contains(body, `"expires_in":100`) {
		t.Fatalf("%d %s %v", status, body, err)
	}
	kept.CloseIdleConnections()
	before := runtime.NumGoroutine()

	var asked, failed atomic.Int64
	var clients sync.WaitGroup
	done := make(chan struct{})
	for i := range 4 {
		c := kept
		if i%2 == 0 {
			c = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		}
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				status, body, err := ask(c, s.url, "shop", secret)
				asked.Add(1)
				if err != nil || status != http.StatusOK {
					failed.Add(1)
					t.Errorf("%d %s %v", status, body, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		writeFile(t, config, life([]string{"200s", "300s"}[i%2]))
		was := asked.Load()
		s.signal(syscall.SIGHUP)
		s.wait(`msg=reloaded `, i+1)
		for asked.Load() < was+8 && failed.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	close(done)
	clients.Wait()
	if _, body, err := ask(kept, s.url, "shop", secret); err != nil || !strings.Contains(body, `"expires_in":300`) {
		t.Errorf("the last configuration does not count: %s %v", body, err)
	}
	kept.CloseIdleConnections()
	s.settled(before)
	t.Logf("%d requests", asked.Load())

	// A file that is not good changes nothing, and the log names the line.
	writeFile(t, config, life("400s")+"isuer: https://as.example\n")
	s.signal(syscall.SIGHUP)
	s.wait(`level=ERROR msg="not reloaded: .*line 4: there is no option`, 1)
	if _, body, err := ask(kept, s.url, "shop", secret); err != nil || !strings.Contains(body, `"expires_in":300`) {
		t.Errorf("a bad file counts: %s %v", body, err)
	}
	// What is bound to the process stays, and is named.
	writeFile(t, config, strings.ReplaceAll(life("500s"), "data:", "store: memory\nlog: json\ndata:"))
	s.signal(syscall.SIGHUP)
	s.wait(`level=WARN msg="some options take effect at the next start alone" options="log, store"`, 1)
	if _, body, err := ask(kept, s.url, "shop", secret); err != nil || !strings.Contains(body, `"expires_in":500`) {
		t.Errorf("the rest of the file does not count: %s %v", body, err)
	}
}

// TestReloadMemory reloads a server whose secrets and clients are nowhere but in memory.
func TestReloadMemory(t *testing.T) {
	needUnix(t)
	s := startServe(t, t.TempDir(), "--addr", "127.0.0.1:0", "--store", "memory")
	secret := regexp.MustCompile(`(?m)^SECRET=(\S+)`).FindStringSubmatch(s.printed())[1]
	_, keys := s.get("/jwks")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.logged(), "msg=reloaded"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not reload:\n%s", s.logged())
		}
	}
	if _, now := s.get("/jwks"); now != keys {
		t.Errorf("other keys:\n%s\n%s", keys, now)
	}
	if status := s.token("demo", secret); status != http.StatusOK {
		t.Errorf("the secret of before: %d\n%s", status, s.logged())
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}
