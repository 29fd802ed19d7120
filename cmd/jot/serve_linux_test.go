package main

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeFails takes the listener away from jwks serve, which must not go on as if it
// served.
func TestServeFails(t *testing.T) {
	lines, ended := make(lineWriter, 1), make(chan int, 1)
	var talk strings.Builder
	dir := t.TempDir()
	go func() {
		ended <- run([]string{"jwks", "serve", "--dir", dir}, &terminal{stdin: strings.NewReader(""), stdout: lines, stderr: &talk}, time.Now)
	}()
	var url string
	select {
	case url = <-lines:
	case code := <-ended:
		t.Fatalf("exit code %d: %s", code, talk.String())
	}
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/jwks.json"))
	if err != nil {
		t.Fatal(err)
	}
	takeListener(port)
	select {
	case code := <-ended:
		if code != exitFile || !strings.Contains(talk.String(), "error: cannot serve: ") {
			t.Errorf("exit code %d: %s", code, talk.String())
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

// takeListener ends what this process listens at.
func takeListener(port string) {
	for fd := range 1000 {
		at, err := syscall.Getsockname(fd)
		if v4, ok := at.(*syscall.SockaddrInet4); err == nil && ok && strconv.Itoa(v4.Port) == port {
			_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
		}
	}
}

// TestServeListenerFails takes the listener away from jot serve, which ends with the reason.
func TestServeListenerFails(t *testing.T) {
	t.Chdir(t.TempDir())
	s := serveInside(t, "--addr", "127.0.0.1:0", "--store", "memory")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	takeListener(port)
	select {
	case code := <-s.ended:
		s.ended <- code
		if code != exitFile || !strings.Contains(s.log.String(), "error: cannot serve: ") {
			t.Errorf("exit code %d: %s", code, s.log)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}
