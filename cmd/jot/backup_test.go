package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestBackup copies the database of a server that answers, and runs another one on the copy.
func TestBackup(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	s := startServe(t, dir, "--addr", "localhost:0")
	secret := regexp.MustCompile(`SECRET=(\S+)`).FindStringSubmatch(s.printed())[1]
	var stop, failed atomic.Bool
	done := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			if s.token("demo", secret) != http.StatusOK {
				failed.Store(true)
			}
		}
		done <- n
	}()
	backup := func(args ...string) (string, error) {
		cmd := exec.Command("jot", append([]string{"store", "backup"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	copied := filepath.Join(dir, "copy.db")
	if out, err := backup(copied); err != nil || !strings.HasPrefix(out, "ok: ") {
		t.Fatalf("%v\n%s", err, out)
	}
	stop.Store(true)
	if n := <-done; n == 0 || failed.Load() {
		t.Errorf("%d requests, failed: %v\n%s", n, failed.Load(), s.logged())
	}
	_, keys := s.get("/jwks")
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(copied); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"there already":  {[]string{copied}, `copy.db" exists`},
		"no file":        {[]string{"--config", "none.yaml", "other.db"}, "there is no file"},
		"no folder":      {[]string{"none/copy.db"}, "cannot write"},
		"no database":    {[]string{"--data", "none", "other.db"}, "there is no file"},
		"no SQLite":      {[]string{"--store", "memory", "other.db"}, "nothing is kept in memory"},
		"PostgreSQL":     {[]string{"--store", "postgres://localhost/jot", "other.db"}, "pg_dump"},
		"not a database": {[]string{"--store", "sqlite:jot-data/secrets", "other.db"}, "cannot copy"},
	} {
		if out, err := backup(c.args...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if _, err := os.Stat(filepath.Join(dir, "other.db")); err == nil {
			t.Errorf("%s: it leaves a file", name)
		}
	}

	// As docs/server.md says: the copy in place of the database, without its other files, and with its secrets.
	restored := filepath.Join(dir, "restored")
	if err := os.Mkdir(restored, 0o700); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{copied: "jot.db", filepath.Join(dir, "jot-data", "secrets"): "secrets"} {
		if err := os.Rename(from, filepath.Join(restored, to)); err != nil {
			t.Fatal(err)
		}
	}
	again := startServe(t, dir, "--addr", strings.TrimPrefix(s.url, "http://"), "--data", "restored")
	if _, now := again.get("/jwks"); now != keys {
		t.Errorf("other keys:\n%s\n%s", keys, now)
	}
	if status := again.token("demo", secret); status != http.StatusOK || again.printed() != "" {
		t.Errorf("the client of before: %d\n%s", status, again.printed())
	}
}
