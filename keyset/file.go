package keyset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// wireFile is what [Options.File] holds.
type wireFile struct {
	Source  string          `json:"source"`
	Fetched int64           `json:"fetched"` // seconds since 1970
	Expires int64           `json:"expires"`
	Keys    json.RawMessage `json:"jwks"`
}

var errFile = fault.New("keys.file", "", "the file of keys cannot be used")

// readFile returns the set that was kept, or nil where there is none or it is too old.
func (c *core) readFile() (*snapshot, error) {
	data, err := readTrusted(c.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFile, err)
	}
	var w wireFile
	if err := strictjson.Unmarshal(data, &w, strictjson.Limits{Bytes: len(data), Members: 1000 * 100}); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFile, c.o.File, err)
	}
	if w.Source != c.source {
		return nil, errFile.With(fmt.Sprintf("%s is that of %.200q", c.o.File, w.Source))
	}
	set, skipped, err := readSet(w.Keys, c.o.Binding)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFile, c.o.File, err)
	}
	s := &snapshot{index: newIndex(set), skipped: skipped, fetched: time.Unix(w.Fetched, 0), expires: time.Unix(w.Expires, 0)}
	// The clock may have been another one, and the bounds too.
	now := c.o.Clock().Round(0)
	s.fetched = earlier(s.fetched, now)
	s.expires = earlier(s.expires, s.fetched.Add(c.o.MaxAge))
	s.plan(&c.o)
	if !now.Before(s.until) {
		return nil, nil
	}
	return s, nil
}

// readTrusted reads a file that nobody but its owner can have changed.
func readTrusted(name string) ([]byte, error) {
	info, err := os.Stat(name) // before it is opened, because opening a pipe waits for its writer
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errFile.With(name + " is not a regular file")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0:
		return nil, errFile.With(name + " can be changed by others")
	case info.Size() > maxDocument+4096:
		return nil, errFile.With(name + " is too large")
	}
	return os.ReadFile(name)
}

// writeFile keeps a set. Who reads meanwhile reads the old file or the new one.
func (c *core) writeFile(s *snapshot) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", errFile, err)
		}
	}()
	data, _ := json.Marshal(wireFile{c.source, s.fetched.Unix(), s.expires.Unix(), s.data}) // the set has been read
	f, err := os.CreateTemp(filepath.Dir(c.o.File), filepath.Base(c.o.File)+".*.tmp")       // which is the owner's alone
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.o.File)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
