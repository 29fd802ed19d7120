//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// dockerUser is the user of the image.
const dockerUser = 65532

// TestDockerfile builds what the image is built with, and runs it as the image does: alone in its file system, as another user, where
// the test may do that.
func TestDockerfile(t *testing.T) {
	file, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	build := regexp.MustCompile(`(?m)^RUN (.*) && mkdir -m 0700 /out/data$`).FindSubmatch(file)
	if build == nil || !bytes.Contains(file, []byte("\nUSER 65532:65532\n")) || !bytes.Contains(file, []byte("--chown=65532:65532 /out/data /data\n")) {
		t.Fatalf("the image is built in another way:\n%s", file)
	}
	cmd := exec.Command("sh", "-euc", strings.Replace(string(build[1]), "-o /out/jot", "-o "+root+"/jot", 1))
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var entry, args []string
	for name, list := range map[string]*[]string{"ENTRYPOINT": &entry, "CMD": &args} {
		m := regexp.MustCompile(`(?m)^` + name + ` (\[.*\])$`).FindSubmatch(file)
		if m == nil || json.Unmarshal(m[1], list) != nil {
			t.Fatalf("there is no %s", name)
		}
	}
	if len(entry) != 1 || entry[0] != "/usr/local/bin/jot" {
		t.Fatalf("the program is %q", entry)
	}
	data := filepath.Join(root, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	alone := os.Getuid() == 0
	var attr *syscall.SysProcAttr
	program := filepath.Join(root, "jot")
	if alone {
		if err := os.Chown(data, dockerUser, dockerUser); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		program, attr = "/jot", &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: dockerUser, Gid: dockerUser}}
	} else {
		args = strings.Split(strings.Replace(strings.Join(args, "\x00"), "\x00/data", "\x00"+data, 1), "\x00")
	}
	for i := range args {
		if args[i] == ":8080" {
			args[i] = "127.0.0.1:0"
		}
	}
	s := startServing(t, &exec.Cmd{Path: program, Args: append([]string{"jot"}, args...), Dir: "/", SysProcAttr: attr, Env: []string{}})
	addr := regexp.MustCompile(`msg=listening .*addr=(\S+)`).FindStringSubmatch(s.logged())[1]
	s.url = "http://" + addr
	secret := regexp.MustCompile(`SECRET=(\S+)`).FindStringSubmatch(s.printed())
	if secret == nil {
		t.Fatalf("it prints\n%s", s.printed())
	}
	if status := s.token("demo", secret[1]); status != 200 {
		t.Errorf("a token: %d\n%s", status, s.logged())
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("%v\n%s", err, s.logged())
	}
	if _, err := os.Stat(filepath.Join(data, "jot.db")); err != nil {
		t.Error(err)
	}
}

// TestUnit has systemd read the unit, and runs its commands.
func TestUnit(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/jot.service")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, err := exec.LookPath("jot")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("/usr/local/bin/jot", program, "/etc/jot/jot.yaml", dir+"/jot.yaml", "/var/lib/jot", dir+"/state").Replace(string(unit))
	if err := os.WriteFile(dir+"/jot.service", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/jot.yaml", []byte("issuer: http://localhost:8080\naddr: localhost:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if analyze, err := exec.LookPath("systemd-analyze"); err == nil {
		if out, err := exec.Command(analyze, "verify", dir+"/jot.service").CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
	} // the rest needs no systemd
	commands := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(Exec\w+)=(.*)$`).FindAllStringSubmatch(text, -1) {
		commands[m[1]] = strings.Fields(m[2])
	}
	if out, err := exec.Command(commands["ExecStartPre"][0], commands["ExecStartPre"][1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	s := startServing(t, exec.Command(commands["ExecStart"][0], commands["ExecStart"][1:]...))
	reload := strings.ReplaceAll(strings.Join(commands["ExecReload"], " "), "$MAINPID", "$0")
	if err := exec.Command("sh", "-euc", strings.Replace(reload, "/bin/kill", "kill", 1), strconv.Itoa(s.cmd.Process.Pid)).Run(); err != nil {
		t.Error(err)
	}
	for until := time.Now().Add(30 * time.Second); !strings.Contains(s.logged(), "msg=reloaded"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("it is not reloaded\n%s", s.logged())
		}
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("%v\n%s", err, s.logged())
	}
}
