//go:build unix

package jot_test

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestReadmeCommands runs what README.md says to run, as it is printed, in a copy of the project: the server, what it says to try
// with it, and what looks at tokens.
func TestReadmeCommands(t *testing.T) {
	nested(t)
	if testing.Short() || strings.Contains(os.Getenv("GODEBUG"), "fips140") || runtime.GOARCH == "386" {
		t.Skip("once is enough")
	}
	for _, name := range []string{"sh", "git", "curl", "sed"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("there is no ", name)
			}
			t.Skip("there is no " + name + " here, which the commands of README.md need")
		}
	}
	sh := blocks(read(t, "README.md"), "sh")
	if len(sh) < 4 || sh[0] != "go run ./cmd/jot serve\n" || sh[2] != "make test\n" {
		t.Fatalf("README.md begins with %q", sh)
	}
	dir := copyOfClone(t)
	serve, try := strings.TrimSpace(sh[0]), sh[1]
	const shown = "localhost:8080"
	if l, err := net.Listen("tcp", shown); err == nil {
		l.Close()
	} else { // another program is there
		if l, err = net.Listen("tcp", "localhost:0"); err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		l.Close()
		serve, try = serve+" --addr localhost:"+port, strings.ReplaceAll(try, shown, "localhost:"+port)
	}

	server := command(dir, serve)
	log := &bytes.Buffer{}
	server.Stderr = log
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceValue(func() error {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGINT)
		return server.Wait()
	})
	defer stop()
	printed := &bytes.Buffer{}
	for lines := bufio.NewScanner(out); !strings.Contains(printed.String(), "/introspect\ncurl -sS -u") || strings.Count(printed.String(), "/introspect\n") < 2; {
		if !lines.Scan() {
			t.Fatalf("jot serve ended: %v\n%s%s", stop(), printed, log)
		}
		printed.WriteString(lines.Text() + "\n")
	}
	secret := regexp.MustCompile(`(?m)^SECRET=.*$`).FindString(printed.String())
	if i := strings.Index(printed.String(), "SECRET="); i < 0 || strings.Replace(printed.String()[i:], secret, "SECRET=…", 1) != try {
		t.Errorf("README.md says to try\n%s\nand jot serve\n%s", try, printed)
	}
	got, err := command(dir, strings.Replace(try, "SECRET=…", secret, 1)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, got, log)
	}
	for _, want := range []string{`"token_type":"Bearer"`, `"sub": "alice"`, `"issued_token_type"`, `"active":true`, `"active":false`} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("there is no %s in\n%s\n%s", want, got, log)
		}
	}
	if _ = stop(); !strings.Contains(log.String(), "msg=stopped") { // what the shell makes of it is its own affair
		t.Errorf("interrupted, jot serve says\n%s", log)
	}

	for line := range strings.Lines(sh[3]) {
		got, err := command(dir, line).CombinedOutput()
		if err != nil || !bytes.Contains(got, []byte("Jane Doe")) {
			t.Errorf("%s%v\n%s", line, err, got)
		}
	}
}

// command is a shell that runs a text in a folder, in a process group of its own.
func command(dir, text string) *exec.Cmd {
	cmd := exec.Command("sh", "-euc", text)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run and what it runs are interrupted together
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "GOWORK=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}

// copyOfClone is a folder with the files that git knows, or would.
func copyOfClone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is gone, and git does not know yet
		}
		to := filepath.Join(dir, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
