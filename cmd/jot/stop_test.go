package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	serverstore "github.com/jotsuite/jot/server/store"
)

// logs waits until the log has a text.
func (s *serving) logs(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.logged(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the log has no %s:\n%s", text, s.logged())
		}
	}
}

// TestStopDrains has a server that is told to stop say that it is not ready while it answers all the rest, for as long as drain says. A
// second signal ends it at once, by that signal.
func TestStopDrains(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	port := freePort(t)
	for _, c := range []struct {
		path   string
		signal syscall.Signal
	}{{"", syscall.SIGTERM}, {"/as", syscall.SIGINT}} {
		if signal.Ignored(c.signal) {
			continue // who runs the tests in the background has SIGINT ignored, and what they start inherits that
		}
		config := filepath.Join(dir, "jot.yaml")
		writeFile(t, config, "addr: localhost:"+port+"\nissuer: http://localhost:"+port+c.path+"\ndrain: 1h\nstore: memory\n")
		s := startServe(t, dir, "--config", config)
		if resp, _ := s.get("/readyz"); resp.StatusCode != http.StatusOK {
			t.Errorf("before it is told to stop: %s", resp.Status)
		}
		if err := s.cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		s.logs(`msg=stopping drain=1h`)
		if resp, body := s.get("/readyz"); resp.StatusCode != http.StatusServiceUnavailable || body != "stopping\n" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %q %v", resp.Status, body, resp.Header)
		}
		for _, path := range []string{"/healthz", "/jwks"} {
			if resp, _ := s.get(path); resp.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", path, resp.Status)
			}
		}
		http.DefaultClient.CloseIdleConnections()
		if status := s.token("nobody", "nothing"); status != http.StatusUnauthorized {
			t.Errorf("a request on a new connection: %d", status)
		}
		e, ok := errors.AsType[*exec.ExitError](s.end(c.signal))
		if !ok || !e.Sys().(syscall.WaitStatus).Signaled() || e.Sys().(syscall.WaitStatus).Signal() != c.signal {
			t.Errorf("the second signal: %v\n%s", e, s.logged())
		}
	}
}

// TestStopAnswers ends a server in the middle of a request, which is answered, while there are no new connections.
func TestStopAnswers(t *testing.T) {
	needUnix(t)
	s := startServe(t, t.TempDir(), "--addr", "127.0.0.1:0", "--store", "memory")
	addr := strings.TrimPrefix(strings.Replace(s.url, "localhost", "127.0.0.1", 1), "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	const body = "grant_type=client_credentials"
	// The server asks for the body, so it is known to have begun with the request.
	answers := bufio.NewReader(conn)
	if _, err := io.WriteString(conn, head+"Content-Length: 29\r\nExpect: 100-continue\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%s %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.logs("msg=stopping")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		other, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		_ = other.Close()
		if time.Now().After(deadline) {
			t.Fatal("it goes on to accept connections")
		}
	}
	if strings.Contains(s.logged(), "msg=stopped") {
		t.Errorf("it has not waited for the request:\n%s", s.logged())
	}
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("no answer: %v\n%s", err, s.logged())
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), `"invalid_client"`) {
		t.Errorf("%s %s %v", resp.Status, text, err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("%v\n%s", err, s.logged())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	if log := s.logged(); !strings.Contains(log, "msg=stopped\n") || strings.Contains(log, "stopped while") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestStopGivesUp ends a server that a request keeps, whose store does not answer.
func TestStopGivesUp(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	var armed atomic.Bool
	var once sync.Once
	over := func(s serverstore.Store) serverstore.Store {
		return &watchedStore{s, func(ctx context.Context, operation string) (context.Context, func(error)) {
			if armed.Load() && operation == "Document" { // the client of the request, not what the server asks by itself
				once.Do(func() { close(held) })
				<-release
			}
			return ctx, func(error) {}
		}}
	}
	s := serveImpatient(t, &serveCmd{Addr: "127.0.0.1:0", patience: 300 * time.Millisecond, serviceFlags: serviceFlags{Store: "memory", Data: t.TempDir() + "/data", over: over}})
	armed.Store(true)
	answered := make(chan error, 1)
	go func() {
		_, _, err := ask(&http.Client{Transport: &http.Transport{}}, s.url, "nobody", "nothing")
		answered <- err
	}()
	<-held
	s.signal(syscall.SIGTERM)
	s.wait(`level=WARN msg="stopped while requests were answered" error=`, 1)
	if err := <-answered; err == nil {
		t.Error("the request is answered")
	}
	close(release)
	code := <-s.ended
	if s.ended <- code; code != exitOK || !strings.Contains(s.log.String(), "msg=stopped\n") {
		t.Errorf("exit code %d:\n%s", code, s.log)
	}
}
