//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	switch os.Getenv(asVariable) {
	case "":
		os.Exit(m.Run())
	case "load":
		_ = os.Unsetenv(asVariable)
	}
	main()
}

// TestLoad loads the handler over the store in memory for a second with each of what it can be sent: that the load is still answered, and the
// table still made.
func TestLoad(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip("there is no wrk here (Debian: apt-get install wrk)")
		}
		if out, err := exec.Command("sh", "-c", "apt-get update -q && apt-get install -qy --no-install-recommends wrk").CombinedOutput(); err != nil {
			t.Fatalf("wrk cannot be installed: %v\n%s", err, out)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-turns", "1", "-seconds", "1", "-only", "(client|DPoP|refresh).*/memory")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), asVariable+"=load")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "| memory |") != 4 { // once in the heading
		t.Fatalf("%v\n%s", err, out)
	}
}
