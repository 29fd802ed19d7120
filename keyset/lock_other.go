//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd && !windows

package keyset

import (
	"errors"
	"io"
	"os"
)

// tryLock refuses: without a lock that ends with its process, two could save at a time.
func tryLock(*os.Root, string) (io.Closer, error) {
	return nil, errors.ErrUnsupported
}
