//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package keyset

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// tryLock takes the lock that is a file, or returns nil where another has it. Closing
// the file gives it back, and so does the end of the process.
func tryLock(root *os.Root, name string) (io.Closer, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return locked(f, syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

// locked makes the answer of tryLock of that of flock. A wait for a server of files can be
// interrupted, after which the lock is asked for again.
func locked(f *os.File, err error) (io.Closer, error) {
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, syscall.EWOULDBLOCK), errors.Is(err, syscall.EINTR):
		return nil, f.Close()
	default:
		_ = f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
}
