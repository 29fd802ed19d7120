package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// TestAskTerminal asks for a password on a terminal, whatever stdin and stdout are, and shows nothing of it.
func TestAskTerminal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	write(name, lockedKey(t))
	for _, c := range []struct {
		answer string // "" is no terminal, & a job in the background, which gets none
		code   int
		want   string
	}{
		{"correct-horse\n", exitOK, ""},
		{"wrong\n", exitUnreadable, "the password does not open"},
		{"&", exitFile, "cannot ask for the password: "},
		{"", exitUsage, "there is no terminal to ask for the password"},
	} {
		cmd := exec.Command("jot", "key", "pub", name)
		if c.answer == "&" {
			cmd = exec.Command("sh", "-c", `trap "" TTIN TTOU; set -m; jot key pub "$0" & wait $!`, name)
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		var shown strings.Builder
		if c.answer == "" {
			_ = cmd.Run()
		} else {
			here, there := openTerminal(t)
			cmd.ExtraFiles = []*os.File{there}
			cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, 3
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = there.Close()
			b := make([]byte, 1024)
			for !strings.Contains(shown.String(), ": ") {
				n, err := here.Read(b)
				if err != nil {
					t.Fatalf("%q: %v", shown.String(), err)
				}
				shown.Write(b[:n])
			}
			if c.answer != "&" {
				for echoes(t, here) {
					time.Sleep(time.Millisecond)
				}
				if _, err := here.WriteString(c.answer); err != nil {
					t.Fatal(err)
				}
			}
			for { // until nobody has it open
				n, err := here.Read(b)
				if shown.Write(b[:n]); err != nil {
					break
				}
			}
			_ = cmd.Wait()
			if text := shown.String(); !strings.HasPrefix(text, "password of ") || strings.Contains(text, strings.TrimSpace(c.answer)) {
				t.Errorf("%q: the terminal shows %q", c.answer, text)
			}
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(errs.String(), c.want) || (out.Len() > 0) != (code == exitOK) {
			t.Errorf("%q: exit code %d\n%s%s", c.answer, code, out.String(), errs.String())
		}
	}
}

// openTerminal opens both ends of a terminal.
func openTerminal(t *testing.T) (here, there *os.File) {
	t.Helper()
	here, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = here.Close() })
	n, err := unix.IoctlGetInt(int(here.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(here.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if there, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return here, there
}

// echoes reports whether a terminal shows what is written to it.
func echoes(t *testing.T, here *os.File) bool {
	t.Helper()
	now, err := unix.IoctlGetTermios(int(here.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return now.Lflag&unix.ECHO != 0
}
