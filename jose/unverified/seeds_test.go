package unverified_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

func TestDump(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(testvectors.Seeds(t), "*.txt"))
	for _, n := range names {
		b, _ := os.ReadFile(n)
		for _, f := range unverified.Find(string(b)) {
			fmt.Printf("{%q, %q, %q, %q, %q}, %d-%d %q %q\n", filepath.Base(n)[:3], lint.Recognize(f.Token), f.Token.HeaderString("alg"), f.Token.HeaderString("kid"), f.Token.HeaderString("typ"), f.Start, f.End, f.Token.Problems, f.Token.Raw[len(f.Token.Raw)-8:])
		}
	}
}
