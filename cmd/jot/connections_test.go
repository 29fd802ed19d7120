package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveImpatient runs jot serve in this process, with little patience for slow clients.
func serveImpatient(t *testing.T, c *serveCmd) *inside {
	t.Helper()
	needUnix(t)
	s := &inside{t: t, ended: make(chan int, 1), log: new(logBuffer)}
	term := &terminal{stdin: strings.NewReader(""), stdout: io.Discard, stderr: s.log}
	go func() {
		if err := c.Run(&app{terminal: term, in: &input{term: term}, clock: time.Now}); err != nil {
			s.ended <- asFailure(err).code
			return
		}
		s.ended <- exitOK
	}()
	s.url = s.wait(`msg=listening issuer=(\S+)`, 1)[0][1]
	t.Cleanup(s.stop)
	return s
}

func (s *inside) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

const head = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"

// TestServeSlow has clients that send less than they should, more slowly, or more.
func TestServeSlow(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "jot.yaml")
	writeFile(t, config, "addr: 127.0.0.1:0\nstore: memory\n")
	s := serveImpatient(t, &serveCmd{serviceFlags: serviceFlags{Config: config}, patience: 300 * time.Millisecond})
	before := runtime.NumGoroutine()
	for name, c := range map[string]struct {
		begin string // at once
		drip  string // and then a byte of this, again and again
		want  string // of the answer; "" is none
	}{
		"nothing":         {"", "", ""},
		"a header":        {head, "X-A: b\r\n", ""},
		"a body":          {head + "Content-Length: 1000\r\n\r\n", "a", `{"error":"invalid_request","error_description":"the body broke off"}`},
		"a chunk":         {head + "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", `{"error":"invalid_request","error_description":"the body broke off"}`},
		"too long a body": {head + "Content-Length: 1048577\r\n\r\n", "", "HTTP/1.1 413 "},
		"endless chunks":  {head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("8000\r\n"+strings.Repeat("a", 1<<15)+"\r\n", 33), "", "the body has over 1 MiB"},
		"a long header":   {head + "X-A: " + strings.Repeat("a", 80<<10), "", "HTTP/1.1 431 "},
		"many parameters": {head + "Connection: close\r\nContent-Length: 4000\r\n\r\n" + strings.Repeat("a=b&", 1000), "", "there are too many parameters"},
	} {
		conn := s.dial()
		stop := make(chan struct{})
		dripped := make(chan struct{})
		go func() {
			defer close(dripped)
			_, err := io.WriteString(conn, c.begin)
			for i := 0; err == nil && c.drip != ""; i++ {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				_, err = conn.Write([]byte{c.drip[i%len(c.drip)]})
			}
		}()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(conn) // until the server closes, which may come as a reset
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Errorf("%s: the server goes on waiting", name)
		}
		close(stop)
		<-dripped
		_ = conn.Close()
		if c.want == "" && strings.HasPrefix(string(answer), "HTTP/1.1 2") || !strings.Contains(string(answer), c.want) {
			t.Errorf("%s: %.600s", name, answer)
		}
	}
	if resp, err := http.Get(s.url + "/readyz"); err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%v %v", resp, err)
	}
	http.DefaultClient.CloseIdleConnections()
	s.settled(before)
}

// TestServeSlowHTTP2 has clients of HTTP/2 that never come to an end, with a body or with a header.
func TestServeSlowHTTP2(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, nil)
	own := newCertificate(t, ca, "localhost")
	c := &serveCmd{Addr: "localhost:0", TLSCert: filepath.Join(dir, "tls.pem"), TLSKey: filepath.Join(dir, "tls.key"), patience: 300 * time.Millisecond}
	c.Store = "memory"
	writeFile(t, c.TLSCert, own.pem())
	writeFile(t, c.TLSKey, own.keyPEM(t))
	s := serveImpatient(t, c)
	before := runtime.NumGoroutine()

	// drip writes the same byte again and again, until nobody takes it.
	drip := func(to io.Writer) (ended chan struct{}) {
		ended = make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := to.Write([]byte("a")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
		return ended
	}
	body, in := io.Pipe()
	dripped := drip(in)
	h := ca.with()
	h.Timeout = 20 * time.Second
	resp, err := h.Post(s.url+"/token", "application/x-www-form-urlencoded", body)
	if err != nil {
		t.Fatalf("a body: %v", err)
	}
	text, _ := io.ReadAll(resp.Body)
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "the body broke off") {
		t.Errorf("a body: %s %s %s", resp.Proto, resp.Status, text)
	}
	_ = resp.Body.Close()
	_ = body.Close()
	<-dripped
	h.CloseIdleConnections()

	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: rootsOf(ca), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The preface, no settings, and a HEADERS frame of 16 KiB that does not end (RFC 9113, Sections 3.4, 4.1 and 6.2).
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+"\x00\x00\x00\x04\x00\x00\x00\x00\x00"+"\x00\x40\x00\x01\x00\x00\x00\x00\x01"); err != nil {
		t.Fatal(err)
	}
	dripped = drip(conn)
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, conn); err != nil {
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Error("a header: the server goes on waiting")
		}
	}
	_ = conn.Close()
	<-dripped
	s.settled(before)
}

// settled waits until there are no more goroutines than before.
func (s *inside) settled(before int) {
	s.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		all := make([]byte, 1<<20)
		s.t.Errorf("%d goroutines, and %d before:\n%s", n, before, all[:runtime.Stack(all, true)])
	}
}

// TestServeConnections opens many more connections than may be: those that wait are closed for new ones, which are all answered.
func TestServeConnections(t *testing.T) {
	const most, many = 50, 10000
	dir := t.TempDir()
	config := filepath.Join(dir, "jot.yaml")
	writeFile(t, config, fmt.Sprintf("addr: 127.0.0.1:0\nstore: memory\nlimits: {connections: %d}\n", most))
	s := serveInside(t, "--config", config)
	before := runtime.NumGoroutine()
	for i := range many {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil && i > 4*most {
			break // the system has no more for this end
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // until then its client does not know that it is closed
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if n := runtime.NumGoroutine(); n > before+most+10 {
			t.Fatalf("%d goroutines for at most %d connections, and %d before", n, most, before)
		}
	}
	s.wait(`there are as many connections as limits allow`, 1)
	// What waits for nothing is not in the way of stopping, nor of a reload that allows more.
	writeFile(t, config, "addr: 127.0.0.1:0\nstore: memory\nlimits: {connections: 0}\n")
	s.signal(syscall.SIGHUP)
	s.wait(`msg=reloaded`, 1)
	for range most {
		conn := s.dial()
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := runtime.NumGoroutine(); n < before+most+most/2 {
		t.Errorf("%d goroutines: connections are closed although there is no limit", n)
	}
}
