package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	serverstore "github.com/jotsuite/jot/server/store"
)

// auditLines reads a trail.
func auditLines(t *testing.T, name string) (out []auditLine) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.Time.IsZero() || l.Event == "" || l.Outcome == "" || l.By == "" {
			t.Errorf("something is missing: %s", line)
		}
		out = append(out, l)
	}
	return out
}

func testTrail(t *testing.T, name string) *trail {
	t.Helper()
	tr, err := openTrail(name, &app{clock: time.Now}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

// TestAuditSchema holds the documentation to what is written.
func TestAuditSchema(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "audit.md"))
	if err != nil {
		t.Skip("the documentation is not around this module")
	}
	source, err := os.ReadFile("audit.go")
	if err != nil {
		t.Fatal(err)
	}
	events := regexp.MustCompile(`(?m)^\taudit\w+ += "(\w+\.\w+)"$`).FindAllStringSubmatch(string(source), -1)
	members := regexp.MustCompile("`json:\"(\\w+)[,\"]").FindAllStringSubmatch(string(source), -1)
	if len(events) < 15 || len(members) < 15 {
		t.Fatalf("there are only %v and %v", events, members)
	}
	for _, m := range append(events, members...) {
		if !strings.Contains(string(page), "`"+m[1]+"`") {
			t.Errorf("docs/audit.md has no %s", m[1])
		}
	}
	_, block, _ := strings.Cut(string(page), "```json\n")
	block, _, _ = strings.Cut(block, "```")
	for line := range strings.Lines(block) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var l auditLine
		if err := d.Decode(&l); err != nil || !strings.Contains(string(source), `"`+l.Event+`"`) {
			t.Errorf("docs/audit.md: %v: %s", err, line)
		}
	}
	for _, m := range regexp.MustCompile("`(\\w+\\.\\w+)`").FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(string(source), `"`+m[1]+`"`) {
			t.Errorf("docs/audit.md has %s, which is never written", m[1])
		}
	}
}

// TestAuditFile appends to a file, whoever has written before, and goes on in a new one after it was renamed.
func TestAuditFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing, and an open file cannot be renamed")
	}
	name := filepath.Join(t.TempDir(), "audit.log")
	one, two := testTrail(t, name), testTrail(t, name)
	var wg sync.WaitGroup
	for range 50 {
		for _, tr := range []*trail{one, two} {
			wg.Go(func() { _ = tr.record("cli:me", auditClientAdd, strings.Repeat("x", 3000)+"\nevent", nil) })
		}
	}
	wg.Wait()
	if n := len(auditLines(t, name)); n != 100 {
		t.Errorf("%d lines", n)
	}
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Error(st.Mode(), err)
	}
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	_ = one.record("cli:me", auditClientAdd, "still in the old one", nil)
	if err := one.reopen(); err != nil {
		t.Fatal(err)
	}
	_ = one.record("cli:me", auditClientRemove, "in the new one", nil)
	if old, now := auditLines(t, name+".1"), auditLines(t, name); len(old) != 101 || len(now) != 1 || now[0].Target != "in the new one" {
		t.Error(len(old), now)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := one.reopen(); err == nil || !strings.Contains(err.Error(), "keys.exposed") {
		t.Errorf("a file that others may read: %v", err)
	}
	if _, err := openTrail(filepath.Join(name, "x"), &app{clock: time.Now}, nil); err == nil || !strings.Contains(err.Error(), "cannot write the audit trail") {
		t.Errorf("no folder: %v", err)
	}
}

// TestAuditOutcome tells what was not allowed from what did not work.
func TestAuditOutcome(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.log")
	tr := testTrail(t, name)
	for _, err := range []error{nil, serverstore.ErrNotFound, errors.New("a database with a secret")} {
		if got := tr.record("admin:alice", auditKeyRevoke, "k1", err); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
	l := auditLines(t, name)
	if len(l) != 3 || l[0].Outcome != auditSuccess || l[1].Outcome != auditRefused || l[1].Code != "store.not_found" || l[2].Outcome != auditFailure {
		t.Errorf("%+v", l)
	}
	if b, _ := os.ReadFile(name); strings.Contains(string(b), "with a secret") {
		t.Errorf("the text of an error is in %s", b)
	}
	if err := (*trail)(nil).record("cli", auditKeyRevoke, "", serverstore.ErrConflict); !errors.Is(err, serverstore.ErrConflict) {
		t.Error(err)
	}
}

// TestAuditLost counts what cannot be written, and goes on.
func TestAuditLost(t *testing.T) {
	var told error
	tr := &trail{clock: time.Now, failed: func(err error) { told = err }, to: fullDisk{}}
	_ = tr.record("server", auditStart, "", nil)
	if tr.lost.Load() != 1 || told == nil {
		t.Error(tr.lost.Load(), told)
	}
}

// TestAuditClose tells of a file whose last lines may not have been kept, and leaves a stream open, which is not its own.
func TestAuditClose(t *testing.T) {
	s := startObserved(t, "store: memory")
	for i, end := range []func(){func() { _ = s.trail.reopen() }, s.closeObservers} {
		if err := s.trail.to.(*os.File).Close(); err != nil {
			t.Fatal(err)
		}
		if end(); strings.Count(s.log.String(), "level=ERROR msg=audit error=") != i+1 || !strings.Contains(s.log.String(), "file already closed") {
			t.Errorf("%d: %s", i, s.log)
		}
	}
	stream, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	tr, err := openTrail("stderr", &app{terminal: &terminal{stderr: stream}, clock: time.Now}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	tr.close()
	if err := stream.Close(); err != nil {
		t.Errorf("what is not its own is closed: %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestAuditFlood has requests beyond a limit in the log alone: they would fill the disk otherwise.
func TestAuditFlood(t *testing.T) {
	s := startObserved(t, "limits:\n  address: {rate: 0.001, burst: 2, private: true}")
	for i, want := range []int{http.StatusUnauthorized, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusTooManyRequests} {
		if status, body := s.post("/token", basicAuth("nobody", "x"), "grant_type", "client_credentials"); status != want {
			t.Errorf("request %d: %d %s", i, status, body)
		}
	}
	var refused int
	for _, l := range auditLines(t, s.audit) {
		if l.Event != auditStart {
			refused++
		}
	}
	if refused != 2 || strings.Count(s.log.String(), "status=429") != 2 {
		t.Errorf("%d lines in the trail, and in the log:\n%s", refused, s.log)
	}
}
