package keyset

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/fault"
)

// Store keeps the state of a [Rotation] for all its processes: one document of at most
// 1 MiB. It holds private keys, so whoever can read it can sign. A store that must not
// be trusted with them is wrapped in one that encrypts.
//
// Implementations are safe for concurrent use. Their errors are printed, and so must
// not hold what is stored.
type Store interface {
	// Load returns the document that was saved last, and its version: of what is saved
	// here, by whichever process, before Load is called, nothing is missed. Where nothing
	// was ever saved, data and version are empty and there is no error. The caller does
	// not change data.
	Load(ctx context.Context) (data []byte, version string, err error)
	// Save stores data, all of it or nothing, if the version of what is stored is still
	// old, and returns its new version, which is not empty. Otherwise it changes nothing
	// and fails with ErrConflict. After any other error, it may have been saved or not.
	// It does not keep data.
	Save(ctx context.Context, data []byte, old string) (version string, err error)
}

var (
	// ErrConflict: another process has saved since (keys.conflict).
	ErrConflict error = errConflict
	// ErrState: what a [Store] holds is no state of a [Rotation] (keys.state).
	ErrState error = errState
	// ErrExposed: others can read private keys, or write keys (keys.exposed).
	ErrExposed error = errExposed
)

var (
	errConflict = fault.New("keys.conflict", "", "another process has saved the keys since")
	errState    = fault.New("keys.state", "", "the stored keys cannot be read")
	errExposed  = fault.New("keys.exposed", "RFC 7517, Section 9.2", "others have access to the keys")
)

const maxState = 1 << 20

// MemoryStore is a [Store] for a single process, and for tests. Its zero value is
// empty. The keys end with the process, and with them all tokens.
type MemoryStore struct {
	mu    sync.Mutex
	data  []byte
	saved uint64
}

// Load implements [Store].
func (s *MemoryStore) Load(context.Context) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data, s.version(), nil
}

// Save implements [Store].
func (s *MemoryStore) Save(_ context.Context, data []byte, old string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version() != old {
		return "", ErrConflict
	}
	s.data = bytes.Clone(data)
	s.saved++
	return s.version(), nil
}

func (s *MemoryStore) version() string {
	if s.saved == 0 {
		return ""
	}
	return strconv.FormatUint(s.saved, 10)
}

// DirStore is a [Store] in a folder of its own, for processes of one machine, or of
// several where locks of the file system hold between them.
//
// The folder has mode 0700 and its files 0600; where others have any access, or a file
// is a link or no regular file, nothing is read or written (modes mean nothing on
// Windows, where they are not looked at). A new state replaces the old one at once or
// not at all, also where the machine stops in between. The lock that keeps two from
// saving at a time ends with the process that holds it. Readers take no lock.
type DirStore struct {
	dir string
	// For tests: step is called between the steps of Save; sync is the method of a file.
	step func(name string)
	sync func(*os.File) error
}

const (
	stateFile = "rotation.json"
	lockName  = "lock"
	tempStart = "rotation-"
	tempEnd   = ".tmp"
)

// OpenDirStore returns the store in a folder, which is made where it does not exist,
// in a parent that does.
func OpenDirStore(dir string) (*DirStore, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	s := &DirStore{dir: dir, step: func(string) {}, sync: (*os.File).Sync}
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return s, nil
}

// open opens the folder for one call, so that no file stays open and a folder that was
// replaced is noticed.
func (s *DirStore) open() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		err = private(info)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

// private refuses what others than its owner have access to.
func private(info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return errExposed.With(fmt.Sprintf("%s has mode %#o: take all rights from group and others", info.Name(), mode))
	}
	return nil
}

// Load implements [Store].
func (s *DirStore) Load(ctx context.Context) ([]byte, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	root, err := s.open()
	if err != nil {
		return nil, "", err
	}
	defer root.Close()
	return readState(root)
}

// readState returns the state and its version, which is its hash: two equal states are
// one, whoever saved them.
func readState(root *os.Root) ([]byte, string, error) {
	data, err := readFile(root, stateFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", nil
	case err != nil:
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:]), nil
}

// readFile reads a regular file, which is no link and which others have no access to.
func readFile(root *os.Root, name string) ([]byte, error) {
	// Before it is opened, because opening a pipe waits for its writer.
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errState.With(name + " is not a regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err == nil {
		err = private(info)
	}
	if err != nil {
		return nil, err
	}
	data, err := readLimited(f, maxState)
	if err != nil {
		return nil, errState.Wrap(err)
	}
	return data, nil
}

func readLimited(f *os.File, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, errTooMany.With(fmt.Sprintf("more than %d bytes", limit))
	}
	return data, nil
}

// Save implements [Store]. It waits for others who save until ctx is done.
func (s *DirStore) Save(ctx context.Context, data []byte, old string) (string, error) {
	if len(data) > maxState {
		return "", errState.With("more than 1 MiB")
	}
	root, err := s.open()
	if err != nil {
		return "", err
	}
	defer root.Close()
	lock, err := waitLock(ctx, root)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	s.step("locked")
	_, version, err := readState(root)
	if err != nil {
		return "", err
	}
	if version != old {
		return "", ErrConflict
	}
	if err := removeTemps(root); err != nil {
		return "", err
	}
	s.step("cleared")
	if err := s.replace(root, data); err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// replace writes a new file, sees to it that it is on the disk, and gives it the name of
// the old one.
func (s *DirStore) replace(root *os.Root, data []byte) (err error) {
	temp := tempStart + rand.Text() + tempEnd
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(temp)
		}
	}()
	s.step("created")
	_, err = f.Write(data)
	s.step("written")
	if err == nil {
		err = s.sync(f)
	}
	_ = f.Close() // which has nothing to add: all is on the disk, or err says why not
	if err != nil {
		return err
	}
	s.step("synced")
	if err := root.Rename(temp, stateFile); err != nil {
		return err
	}
	s.step("renamed")
	return s.syncDir(root)
}

// syncDir makes the rename last, where the system has a way to.
func (s *DirStore) syncDir(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return s.sync(d)
}

// removeTemps removes what a process left that ended while it wrote: there are private
// keys in it. Whoever has the lock is the only one who writes.
func removeTemps(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, tempStart) && strings.HasSuffix(name, tempEnd) {
			if err := root.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// waitLock takes the lock of the folder. It asks again and again, because a wait inside
// the system would not end with ctx; the lock is held for some milliseconds.
func waitLock(ctx context.Context, root *os.Root) (io.Closer, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lock, err := tryLock(root, lockName)
		if lock != nil || err != nil {
			return lock, err
		}
		wait := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
	}
}
