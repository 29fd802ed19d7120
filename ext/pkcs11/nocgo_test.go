//go:build !cgo

package pkcs11

import (
	"os"
	"testing"
)

func TestWithoutCgo(t *testing.T) {
	const why = "PKCS #11 libraries are called through cgo: install a C compiler and do not set CGO_ENABLED=0"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
