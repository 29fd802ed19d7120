package main

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEmbed runs the program that shows how a server is embedded, at a port that is free, and gets a token from it: also after it
// was started again, when its client is there.
func TestEmbed(t *testing.T) {
	needUnix(t)
	const shown = "localhost:8090"
	code, err := os.ReadFile("examples/embed/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(code, []byte("\n")); n >= 40 || bytes.Count(code, []byte(shown)) != 2 {
		t.Errorf("it has %d lines, and is to have fewer than 40, with the address %s twice", n, shown)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := strings.Replace(l.Addr().String(), "127.0.0.1", "localhost", 1)
	_ = l.Close()

	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"main.go":      bytes.ReplaceAll(code, []byte(shown), []byte(addr)),
		"embed.secret": bytes.Repeat([]byte("s"), 32),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, "embed")
	if out, err := exec.Command("go", "build", "-o", program, filepath.Join(dir, "main.go")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var secret string
	for range 2 {
		cmd := exec.Command(program)
		cmd.Dir = dir
		var talk bytes.Buffer
		cmd.Stderr = &talk
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stop := func() { _, _ = cmd.Process.Kill(), cmd.Wait() }
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		if secret == "" {
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				stop()
				t.Fatalf("%v\n%s", err, talk.String())
			}
			secret = strings.TrimSpace(line[strings.LastIndex(line, " "):])
		}
		s := &serving{t: t, url: "http://" + addr}
		for until := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			resp, err := http.Get(s.url + "/readyz")
			if err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK {
				break
			}
			if time.Now().After(until) {
				t.Fatalf("it does not listen: %v\n%s", err, talk.String())
			}
		}
		if status := s.token("shop", secret); status != http.StatusOK {
			t.Errorf("a token: %d", status)
		}
		if status := s.token("shop", "another"); status != http.StatusUnauthorized {
			t.Errorf("another secret: %d", status)
		}
		stop()
	}
}
