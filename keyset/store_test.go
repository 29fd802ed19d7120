package keyset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
)

func openStore(t *testing.T, dir string) *DirStore {
	t.Helper()
	s, err := OpenDirStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, s Store, data, old string) string {
	t.Helper()
	version, err := s.Save(bg, []byte(data), old)
	if err != nil || version == "" {
		t.Fatalf("%q, %v", version, err)
	}
	return version
}

func holds(t *testing.T, s Store, data, version string) {
	t.Helper()
	got, v, err := s.Load(bg)
	if err != nil || string(got) != data || v != version {
		t.Errorf("%q, %q, %v; want %q, %q", got, v, err, data, version)
	}
}

func TestStores(t *testing.T) {
	for name, open := range map[string]func() Store{
		"MemoryStore": func() Store { return new(MemoryStore) },
		"DirStore":    func() Store { return openStore(t, filepath.Join(t.TempDir(), "keys")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open()
			holds(t, s, "", "")
			_, err := s.Save(bg, []byte("x"), "1")
			wantCode(t, err, "keys.conflict")
			holds(t, s, "", "")

			data := []byte("one")
			one, err := s.Save(bg, data, "")
			if err != nil {
				t.Fatal(err)
			}
			data[0] = 'x' // which the store has not kept
			holds(t, s, "one", one)
			for _, old := range []string{"", "x", one + "x"} {
				_, err = s.Save(bg, []byte("two"), old)
				wantCode(t, err, "keys.conflict")
			}
			holds(t, s, "one", one)
			two := save(t, s, "two", one)
			if two == one {
				t.Error("the version is the same")
			}
			_, err = s.Save(bg, []byte("three"), one)
			wantCode(t, err, "keys.conflict")
			empty := save(t, s, "", two)
			holds(t, s, "", empty)
			_, err = s.Save(bg, []byte("x"), "")
			wantCode(t, err, "keys.conflict")
		})
	}
}

// Of many who save on top of what they read, one succeeds each time.
func TestStoresCompare(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	memory := new(MemoryStore)
	for name, open := range map[string]func() Store{
		"MemoryStore": func() Store { return memory },
		"DirStore":    func() Store { return openStore(t, dir) },
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for i := range 4 {
				s := open()
				wg.Go(func() {
					for n := 0; n < 10; {
						data, version, err := s.Load(bg)
						if err != nil {
							t.Error(err)
							return
						}
						_, err = s.Save(bg, fmt.Appendf(data[:len(data):len(data)], "%d", i), version)
						switch {
						case err == nil:
							n++
						case !errors.Is(err, ErrConflict):
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			data, _, err := open().Load(bg)
			for i := range 4 {
				if n := bytes.Count(data, fmt.Append(nil, i)); n != 10 || err != nil {
					t.Errorf("%d of 10 are left, %v", n, err)
				}
			}
		})
	}
}

func TestDirStoreModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := filepath.Join(t.TempDir(), "keys")
	s := openStore(t, dir)
	version := save(t, s, "one", "")
	for name, want := range map[string]os.FileMode{".": 0o700, "rotation.json": 0o600, "lock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, mode := range []os.FileMode{0o701, 0o710, 0o720, 0o704, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Load(bg)
		wantCode(t, err, "keys.exposed")
		_, err = s.Save(bg, []byte("two"), version)
		wantCode(t, err, "keys.exposed")
		_, err = OpenDirStore(dir)
		wantCode(t, err, "keys.exposed")
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610} {
		if err := os.Chmod(filepath.Join(dir, stateFile), mode); err != nil {
			t.Fatal(err)
		}
		_, _, err := s.Load(bg)
		wantCode(t, err, "keys.exposed")
		_, err = s.Save(bg, []byte("two"), version)
		wantCode(t, err, "keys.exposed")
	}
	if err := os.Chmod(filepath.Join(dir, stateFile), 0o600); err != nil {
		t.Fatal(err)
	}
	holds(t, s, "one", version)
}

func TestDirStoreRefuses(t *testing.T) {
	file := func(dir string) string { return filepath.Join(dir, stateFile) }
	for name, c := range map[string]struct {
		prepare func(dir string) error
		want    error
	}{
		"a link out of it": {func(dir string) error {
			if err := os.WriteFile(dir+"-outside", []byte("{}"), 0o600); err != nil {
				return err
			}
			return os.Symlink(dir+"-outside", file(dir))
		}, ErrState},
		"a link in it": {func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "other"), []byte("{}"), 0o600); err != nil {
				return err
			}
			return os.Symlink("other", file(dir))
		}, ErrState},
		"a folder":        {func(dir string) error { return os.Mkdir(file(dir), 0o700) }, ErrState},
		"more than 1 MiB": {func(dir string) error { return os.WriteFile(file(dir), make([]byte, maxState+1), 0o600) }, ErrState},
		"a very large one": {func(dir string) error {
			return errors.Join(os.WriteFile(file(dir), nil, 0o600), os.Truncate(file(dir), 1<<30))
		}, ErrState},
		"a lock elsewhere": {func(dir string) error {
			return os.Symlink(dir+"-outside", filepath.Join(dir, lockName))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			s := openStore(t, dir)
			if err := c.prepare(dir); err != nil {
				t.Skip(err)
			}
			if _, _, err := s.Load(bg); !errors.Is(err, c.want) {
				t.Errorf("Load: %v", err)
			}
			if _, err := s.Save(bg, []byte("{}"), ""); err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Save: %v", err)
			}
			if _, err := s.Save(bg, []byte("{}"), ""); name == "a lock elsewhere" && !errors.As(err, new(*os.PathError)) {
				t.Errorf("Save: %v", err)
			}
			if names, _ := filepath.Glob(dir + "-outside*"); len(names) > 1 {
				t.Errorf("%v", names)
			}
		})
	}
	if runtime.GOOS != "windows" {
		dir := filepath.Join(t.TempDir(), "keys")
		s := openStore(t, dir)
		if err := exec.Command("mkfifo", "-m", "600", file(dir)).Run(); err == nil {
			_, _, err := s.Load(bg)
			wantCode(t, err, "keys.state") // without a wait for someone who writes
		}
	}
	s := openStore(t, t.TempDir()+"/keys")
	_, err := s.Save(bg, make([]byte, maxState+1), "")
	wantCode(t, err, "keys.state")
	var path *os.PathError
	if _, err := OpenDirStore(t.TempDir() + "/not/there"); !errors.Is(err, os.ErrNotExist) || !errors.As(err, &path) || path.Op != "mkdir" {
		t.Error(err)
	}
	plain := t.TempDir() + "/plain"
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirStore(plain); err == nil {
		t.Error("a file as the folder")
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(bg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that was removed is no empty store: %v", err)
	}
	if _, err := s.Save(bg, nil, ""); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestDirStoreContext(t *testing.T) {
	s := openStore(t, t.TempDir()+"/keys")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, _, err := s.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := s.Save(ctx, nil, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// A lock that is held is waited for no longer than the context.
	synctest.Test(t, func(t *testing.T) {
		root, err := s.open()
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		lock, err := waitLock(bg, root)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		if _, err := s.Save(ctx, nil, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Second)
			_ = lock.Close()
		}()
		save(t, s, "one", "")
	})
}

// TestMain lets the tests start themselves as a process that ends in the middle of
// saving.
func TestMain(m *testing.M) {
	if dir := os.Getenv("KEYSET_SAVE_IN"); dir != "" {
		dieWhileSaving(dir, os.Getenv("KEYSET_DIE_AT"))
	}
	os.Exit(m.Run())
}

func dieWhileSaving(dir, at string) {
	s, err := OpenDirStore(dir)
	if err == nil {
		s.step = func(name string) {
			if name == at {
				p, _ := os.FindProcess(os.Getpid())
				_ = p.Kill()
				select {}
			}
		}
		var version string
		if _, version, err = s.Load(bg); err == nil {
			_, err = s.Save(bg, []byte("new, with a secret"), version)
		}
	}
	fmt.Println(err)
	os.Exit(0)
}

// A process that ends between two steps leaves the old state or the new one, no lock,
// and nothing secret for longer than until the next save.
func TestDirStoreCrash(t *testing.T) {
	for at, want := range map[string]string{
		"locked": "old", "cleared": "old", "created": "old", "written": "old", "synced": "old",
		"renamed": "new, with a secret",
	} {
		t.Run(at, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			s := openStore(t, dir)
			save(t, s, "old", "")
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "KEYSET_SAVE_IN="+dir, "KEYSET_DIE_AT="+at)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatalf("the process did not die: %s", out)
			}
			data, version, err := s.Load(bg)
			if err != nil || string(data) != want {
				t.Errorf("%q, %v", data, err)
			}
			save(t, s, "next", version)
			names, err := os.ReadDir(dir)
			if err != nil || len(names) != 2 {
				t.Errorf("%v, %v", names, err)
			}
		})
	}
}

// A rotation goes on after each crash of its store.
func TestRotationCrash(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "keys")
	s := openStore(t, dir)
	b.store.Store = s
	var kids []string
	for round := range 5 {
		for _, at := range []string{"locked", "cleared", "created", "written", "synced", "renamed"} {
			s.step = func(name string) {
				if name == at {
					panic(crash{})
				}
			}
			func() {
				defer func() { _ = recover() }()
				_, _ = b.rotation(nil).Inspect(bg)
			}()
		}
		s.step = func(string) {}
		r := b.rotation(nil)
		kids = append(kids, b.signer(r))
		if got := phases(b.inspect(r)); round == 0 && got != "EdDSA active, EdDSA published" {
			t.Error(got)
		}
		b.pass(table.Every)
	}
	for i, kid := range kids[1:] {
		if kid == kids[i] {
			t.Error("the key has not changed")
		}
	}
}

// A rename that fails leaves the old state.
func TestDirStoreRename(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s := openStore(t, dir)
	version := save(t, s, "old", "")
	s.step = func(name string) {
		if name == "synced" { // so that there is nothing to rename
			names, _ := filepath.Glob(filepath.Join(dir, tempStart+"*"+tempEnd))
			for _, n := range names {
				_ = os.Remove(n)
			}
		}
	}
	if _, err := s.Save(bg, []byte("new"), version); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	holds(t, s, "old", version)
	s.step = func(string) {}
	next := save(t, s, "new", version)
	holds(t, s, "new", next)
}

// What is not on the disk is not renamed, and a rename that is not on the disk is no
// success.
func TestDirStoreSync(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "keys"))
	version := save(t, s, "old", "")
	sync := s.sync
	var steps []string
	s.step = func(name string) { steps = append(steps, name) }
	fails := -1
	s.sync = func(f *os.File) error {
		name := filepath.Base(f.Name())
		if strings.HasPrefix(name, tempStart) {
			name = "file"
			if data, err := os.ReadFile(filepath.Join(s.dir, filepath.Base(f.Name()))); err != nil || string(data) != "new" {
				t.Errorf("%q is synced, %v", data, err)
			}
		}
		steps = append(steps, "sync "+name)
		if fails--; fails == 0 {
			return errBroken
		}
		return sync(f)
	}
	folder := " synced renamed sync ."
	if runtime.GOOS == "windows" {
		folder = " synced renamed"
	}
	for _, c := range []struct {
		fails       int
		want, state string
	}{
		{1, "", "old"},
		{2, folder, "new"},
		{0, folder, "new"},
	} {
		if c.fails == 2 && runtime.GOOS == "windows" {
			continue
		}
		steps, fails = nil, c.fails
		_, err := s.Save(bg, []byte("new"), version)
		if got := strings.Join(steps, " "); got != "locked cleared created written sync file"+c.want {
			t.Error(got)
		}
		if c.fails == 0 && err != nil || c.fails != 0 && !errors.Is(err, errBroken) {
			t.Errorf("%d: %v", c.fails, err)
		}
		var data []byte
		if data, version, err = s.Load(bg); err != nil || string(data) != c.state {
			t.Errorf("%q, %v", data, err)
		}
		if names, err := os.ReadDir(s.dir); err != nil || len(names) != 2 {
			t.Errorf("%v, %v", names, err)
		}
	}
}

var errBroken = errors.New("broken")

// What another process left and cannot be removed is no reason to write beside it: there
// are private keys in it.
func TestDirStoreLeftover(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "keys"))
	version := save(t, s, "old", "")
	left := filepath.Join(s.dir, tempStart+"x"+tempEnd)
	if err := os.MkdirAll(filepath.Join(left, "file"), 0o700); err != nil {
		t.Fatal(err)
	}
	var path *os.PathError
	if _, err := s.Save(bg, []byte("new"), version); !errors.As(err, &path) || filepath.Base(path.Path) != filepath.Base(left) {
		t.Error(err)
	}
	holds(t, s, "old", version)
	if err := os.RemoveAll(left); err != nil {
		t.Fatal(err)
	}
	save(t, s, "new", version)
}

func TestStoreErrorsShowNothing(t *testing.T) {
	b := newBench(t)
	s := openStore(t, t.TempDir()+"/keys")
	b.store.Store = s
	r := b.rotation(nil, jwa.EdDSA)
	b.signer(r)
	data, _, err := s.Load(bg)
	if err != nil {
		t.Fatal(err)
	}
	_, d, _ := strings.Cut(string(data), `"d":"`)
	if err := os.WriteFile(filepath.Join(s.dir, stateFile), data[:len(data)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	b.pass(2 * table.Cache)
	_, err = r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "json.syntax")
	if s := fmt.Sprintf("%v %+v %#v", err, err, r); strings.Contains(s, d[:8]) {
		t.Error("it shows the key")
	}
}
