package keyset_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/keyset"
)

func down(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }

// A program that starts during an outage has the keys that it, or another, had.
func TestFile(t *testing.T) {
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(clock)
	o.File, o.Observe = filepath.Join(t.TempDir(), "keys.json"), rec.note
	first := remote(t, s.URL+"/jwks", o)
	ask(t, first, "1", "")
	rec.next(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(o.File)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	kept, err := os.ReadFile(o.File)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		if err := os.WriteFile(o.File, kept, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	// While it is fresh nothing is fetched.
	clock.Add(time.Minute)
	second := remote(t, s.URL+"/jwks", o)
	before := first.State()
	if st := second.State(); !st.Fetched.Equal(before.Fetched) || !st.Expires.Equal(before.Expires) || !st.Until.Equal(before.Until) || st.Keys != 1 {
		t.Errorf("%+v, want %+v", st, before)
	}
	ask(t, second, "1", "")
	if s.count("/jwks") != 1 {
		t.Error("fetched what the file has")
	}

	// Then the issuer is asked first, and the file serves until its bound.
	s.down(down)
	clock.Add(10 * time.Minute)
	ask(t, remote(t, s.URL+"/jwks", o), "1", "")
	if e := rec.next(t); e.Cause != "expired" || code(e.Err) != "keys.unreachable" || !e.State.Stale {
		t.Errorf("%+v", e)
	}
	clock.Add(time.Hour)
	third := remote(t, s.URL+"/jwks", o)
	ask(t, third, "1", "keys.unreachable")
	if third.State().Keys != 0 {
		t.Error("a set that is too old was read")
	}
	rec.next(t)

	// A clock that was ahead, and a bound that was longer, do not prolong it.
	for name, content := range map[string]string{
		"ahead":  strings.NewReplacer(`"fetched":17672688`, `"fetched":18672688`, `"expires":17672691`, `"expires":18672691`).Replace(string(kept)),
		"longer": strings.Replace(string(kept), `"expires":17672691`, `"expires":18672691`, 1),
	} {
		if content == string(kept) {
			t.Fatal("the test does not know the file", content)
		}
		if err := os.WriteFile(o.File, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		st := remote(t, s.URL+"/jwks", o).State()
		if st.Keys != 1 && name == "ahead" || st.Expires.After(clock.Now().Add(time.Hour)) || st.Fetched.After(clock.Now()) {
			t.Errorf("%s: %+v", name, st)
		}
	}

	// Each of these is reported and not used.
	for name, content := range map[string]string{
		"JSON":      "{",
		"trailing":  string(kept) + "x",
		"member":    strings.Replace(string(kept), `"fetched":`, `"fetched":1,"fetched":`, 1),
		"type":      strings.Replace(string(kept), `"fetched":`, `"fetched":"x","y":`, 1),
		"source":    strings.Replace(string(kept), "/jwks", "/other", 1),
		"set":       strings.Replace(string(kept), `"keys":[`, `"kets":[`, 1),
		"too large": string(kept) + strings.Repeat(" ", 2<<20),
	} {
		if err := os.WriteFile(o.File, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := remote(t, s.URL+"/jwks", o)
		if e := rec.next(t); e.Cause != "file" || code(e.Err) != "keys.file" || e.Source != s.URL+"/jwks" || r.State().Keys != 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}

	// Nor is one that others can write to, or that is no file.
	restore()
	if runtime.GOOS != "windows" {
		for _, mode := range []os.FileMode{0o620, 0o602} {
			if err := os.Chmod(o.File, mode); err != nil {
				t.Fatal(err)
			}
			r := remote(t, s.URL+"/jwks", o)
			if e := rec.next(t); code(e.Err) != "keys.file" || r.State().Keys != 0 {
				t.Errorf("%o: %+v", mode, e)
			}
		}
	}
	o.File = t.TempDir()
	remote(t, s.URL+"/jwks", o)
	if e := rec.next(t); code(e.Err) != "keys.file" || !strings.Contains(e.Err.Error(), "regular") {
		t.Errorf("%+v", e)
	}

	// One that cannot be written takes nothing from the tokens.
	s.down(nil)
	o.File = filepath.Join(t.TempDir(), "none", "keys.json")
	ask(t, remote(t, s.URL+"/jwks", o), "1", "")
	if e := rec.next(t); e.Cause != "file" || code(e.Err) != "keys.file" || !errors.Is(e.Err, os.ErrNotExist) {
		t.Errorf("%+v", e)
	}
	o.File = t.TempDir() // which cannot be replaced
	remote(t, s.URL+"/jwks", o)
	noGoroutines(t)
}

// What is left of a file that could not be put into place is taken away.
func TestFileLeavesNothing(t *testing.T) {
	rec := newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	dir := t.TempDir()
	o := options(newClock())
	o.File, o.Observe = filepath.Join(dir, "keys.json"), rec.note
	r := remote(t, s.URL+"/jwks", o)
	if err := os.MkdirAll(filepath.Join(o.File, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	ask(t, r, "1", "")
	if e := rec.next(t); code(e.Err) != "keys.file" {
		t.Errorf("%+v", e)
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 {
		t.Error(all, err)
	}
}

// An Issuer has its file, too.
func TestFileOfIssuer(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	s.doc["/.well-known/openid-configuration"] = document(s.URL, s.URL+"/jwks")
	o := options(clock)
	o.File = filepath.Join(t.TempDir(), "keys.json")
	first, err := keyset.NewIssuer(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, first, "1", "")
	_ = first.Close()
	s.down(down)
	clock.Add(30 * time.Minute)
	ask(t, issuer(t, s.URL, o), "1", "")
}
