package node

import (
	"strings"
	"testing"
)

// TestLock holds that the lock file names the versions and no registry, so that each
// machine asks its own; ../npm/.npmrc has npm write it so.
func TestLock(t *testing.T) {
	data, err := Lock()
	if err != nil {
		t.Fatal(err)
	}
	lock := string(data)
	if strings.Contains(lock, `"resolved"`) || !strings.Contains(lock, `"integrity": "sha512-`) {
		t.Error("package-lock.json names where a package came from, or not what it is")
	}
}
