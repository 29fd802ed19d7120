package python

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestRequirements holds that the list has exact versions and hashes, names no index, so that each machine asks its own, and has
// what it was made of.
func TestRequirements(t *testing.T) {
	list, err := Requirements()
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(list) {
		if bytes.HasPrefix(line, []byte(" ")) {
			if !bytes.HasPrefix(line, []byte("    --hash=sha256:")) {
				t.Errorf("%s is no hash", line)
			}
		} else if !bytes.Contains(line, []byte("==")) || bytes.ContainsAny(line, "/@:") {
			t.Errorf("%s is not one version of a package", line)
		}
	}
	wanted, err := os.ReadFile(filepath.Join(dir, "requirements.in"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(wanted) {
		if !bytes.Contains(list, append(bytes.TrimSpace(line), " \\\n"...)) {
			t.Errorf("the list has not %s", line)
		}
	}
}
