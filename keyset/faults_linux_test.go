package keyset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// lower lowers a limit of the process, and returns what raises it again.
func lower(t *testing.T, resource int, to uint64) (restore func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(resource, &old); err != nil {
		t.Fatal(err)
	}
	set := func(l syscall.Rlimit) {
		if err := syscall.Setrlimit(resource, &l); err != nil {
			t.Fatal(err)
		}
	}
	set(syscall.Rlimit{Cur: to, Max: old.Max})
	restore = func() { set(old) }
	t.Cleanup(restore)
	return restore
}

// openNoMore lets the process open n files more.
func openNoMore(t *testing.T, n uint64) (restore func()) {
	t.Helper()
	f, err := os.Open(os.DevNull) // which gets the first number that is free
	if err != nil {
		t.Fatal(err)
	}
	first := uint64(f.Fd())
	_ = f.Close()
	return lower(t, syscall.RLIMIT_NOFILE, first+n)
}

// A process that can open no more files says so, reads and changes nothing that it does
// not answer for, and goes on when it can.
func TestDirStoreOpensNoMore(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "keys"))
	refuses := func(when string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%s: %v", when, err)
		}
	}
	saveAt := func(at, data, old string) error { // until the next step
		restore := func() {}
		s.step = func(name string) {
			restore()
			if name == at {
				restore = openNoMore(t, 0)
			}
		}
		_, err := s.Save(bg, []byte(data), old)
		restore()
		s.step = func(string) {}
		return err
	}
	refuses("a folder to be cleared", saveAt("locked", "one", ""))
	holds(t, s, "", "")
	one := save(t, s, "one", "")
	for n, when := range []string{"the folder", "the state"} {
		restore := openNoMore(t, uint64(n))
		_, _, err := s.Load(bg)
		restore()
		refuses(when, err)
	}
	for n, when := range []string{"the folder", "the lock"} {
		restore := openNoMore(t, uint64(n))
		_, err := s.Save(bg, []byte("two"), one)
		restore()
		refuses(when, err)
	}
	refuses("the state, to be compared", saveAt("locked", "two", one))
	refuses("a new file", saveAt("cleared", "two", one))
	holds(t, s, "one", one)
	refuses("the folder, to be synced", saveAt("renamed", "two", one))
	data, two, err := s.Load(bg) // it may have been saved or not
	if err != nil || string(data) != "two" {
		t.Errorf("%q, %v", data, err)
	}
	save(t, s, "three", two)
}

// Where the disk is full, nothing is renamed and nothing is left.
func TestDirStoreFullDisk(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "keys"))
	one := save(t, s, "one", "")
	var restore func()
	s.step = func(name string) {
		switch name {
		case "created":
			restore = lower(t, syscall.RLIMIT_FSIZE, 1)
		case "written":
			restore()
		}
	}
	if _, err := s.Save(bg, []byte("two"), one); !errors.Is(err, syscall.EFBIG) {
		t.Error(err)
	}
	holds(t, s, "one", one)
	if names, err := os.ReadDir(s.dir); err != nil || len(names) != 2 {
		t.Errorf("%v, %v", names, err)
	}
	s.step = func(string) {}
	save(t, s, "two", one)
}

// The same of a Dir: a folder that cannot be read is an error at first and keeps its keys
// later, and so does a file.
func TestDirOpensNoMore(t *testing.T) {
	x := testExtension(t)
	o := DirOptions{Binding: jwk.Binding{Extensions: []jwk.Extension{x}}}
	used := func() {}
	verify := x.Verify
	o.Binding.Extensions[0].Verify = func(j jwk.JWK) (func(message, signature []byte) bool, error) {
		used()
		return verify(j)
	}
	f := newFolder(t, o, map[string][]byte{"b": publicJWK(t, "b")})
	for n := range uint64(2) {
		restore := openNoMore(t, n)
		_, err := OpenDir(f.path, DirOptions{})
		restore()
		if !errors.Is(err, syscall.EMFILE) {
			t.Errorf("%d more: %v", n, err)
		}
		f.later()
		restore = openNoMore(t, n)
		kids, skipped := f.kids(), f.Skipped()
		restore()
		if kids != "b" || len(skipped) != 1 || !skipped[0].whole() || !errors.Is(skipped[0].Err, syscall.EMFILE) {
			t.Errorf("%d more: %s, %v", n, kids, skipped)
		}
		f.later()
		if got := f.kids() + f.codes(); got != "b" {
			t.Errorf("%d more, and then enough: %s", n, got)
		}
	}
	// The first file is read, at whose key the limit falls, and the second is not.
	restore := func() {}
	used = func() { restore = lower(t, syscall.RLIMIT_NOFILE, 0) } // its own file is yet to be closed
	key, err := jwk.Generate(x.Algorithm, x)
	if err != nil {
		t.Fatal(err)
	}
	data, err := key.Public().JWK().WithKeyID("a").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	f.write("a", data)
	f.write("b", publicJWK(t, "new"))
	f.later()
	kids, skipped := f.kids(), f.Skipped()
	restore()
	if kids != "a b" || len(skipped) != 1 || skipped[0].Name != "b" || !errors.Is(skipped[0].Err, syscall.EMFILE) {
		t.Errorf("%s, %v", kids, skipped)
	}
	used = func() {}
	f.later()
	if got := f.kids() + f.codes(); got != "a new" {
		t.Error(got)
	}
}

// A file that can be opened and not read is left out by itself.
func TestDirUnreadable(t *testing.T) {
	if info, err := os.Stat("/proc/self/mem"); err != nil || !info.Mode().IsRegular() {
		t.Skip("there is no /proc/self/mem")
	}
	d, err := OpenDir("/proc/self", DirOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range d.Skipped() {
		if s.Name == "mem" {
			if !errors.Is(s.Err, syscall.EIO) {
				t.Error(s.Err)
			}
			return
		}
	}
	t.Error("it is not reported")
}

// Only what flock says of another holder is an answer to wait for.
func TestLocked(t *testing.T) {
	for err, want := range map[syscall.Errno]error{
		syscall.EWOULDBLOCK: nil, syscall.EINTR: nil, syscall.ENOLCK: syscall.ENOLCK,
	} {
		f, e := os.Open(os.DevNull)
		if e != nil {
			t.Fatal(e)
		}
		lock, got := locked(f, err)
		if lock != nil || !errors.Is(got, want) || want != nil && !strings.HasPrefix(got.Error(), "flock: ") {
			t.Errorf("%v: %v, %v", err, lock, got)
		}
		if e := f.Close(); !errors.Is(e, os.ErrClosed) {
			t.Errorf("%v: the file is still open", err)
		}
	}
}
