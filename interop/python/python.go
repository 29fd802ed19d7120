// Package python runs the peers that are written for Python: those of ../pip/requirements.in, at the versions of
// ../pip/requirements.txt, by the jobs of ../pip/peer.py.
package python

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/interop/process"
)

// dir is where the list of packages is, from the folder of each package of the module, in which its tests run.
var dir = filepath.Join("..", "pip")

// Start starts the process that does the jobs, after it has installed what the list has. Where that cannot be done it returns
// nil; with CI=true in the environment that is a failure, so that a comparison never passes there for want of a peer. The process
// has env in its environment, which what installs has not.
func Start(t testing.TB, env ...string) *process.Process {
	t.Helper()
	program, site, err := install()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Logf("the peer in Python is left out: %v", err)
		return nil
	}
	cmd := exec.Command(program, "peer.py")
	cmd.Dir = dir
	cmd.Env = slices.Concat(os.Environ(), env, []string{"PYTHONPATH=" + site, "PYTHONDONTWRITEBYTECODE=1"})
	return process.Start(t, cmd)
}

// Requirements is the list of the packages with their versions.
func Requirements() ([]byte, error) { return os.ReadFile(filepath.Join(dir, "requirements.txt")) }

// Version returns the version of a package, as the list has it.
func Version(name string) (string, error) {
	list, err := Requirements()
	for line := range bytes.Lines(list) {
		if of, version, ok := strings.Cut(string(line), "=="); ok && of == name {
			return strings.TrimRight(version, " \\\n"), err
		}
	}
	return "", err
}

// install installs what the list has, unless it is there, and returns the interpreter and where the packages are.
func install() (program, site string, err error) {
	if program, err = exec.LookPath("python3"); err != nil {
		return "", "", fmt.Errorf("there is no python3: install Python 3.11 or newer with pip")
	}
	out, err := exec.Command(program, "-c", "import sys; print(*sys.version_info[:2])").Output()
	if err != nil {
		return "", "", fmt.Errorf("python3 does not run: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscan(string(out), &major, &minor); err != nil || major != 3 || minor < 11 {
		return "", "", fmt.Errorf("python3 is %s: install Python 3.11 or newer with pip", bytes.TrimSpace(out))
	}
	list, err := Requirements()
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(fmt.Appendf(list, "%d.%d", major, minor))
	site, err = filepath.Abs(filepath.Join(dir, "site-"+hex.EncodeToString(sum[:8])))
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(site); err == nil {
		return program, site, nil
	}
	// Whoever is first names the folder: what has the name is complete.
	fresh, err := os.MkdirTemp(dir, "site-")
	if err != nil {
		return "", "", err
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	pip := exec.Command(program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location",
		"--require-hashes", "--only-binary=:all:", "--target", fresh, "--requirement", filepath.Join(dir, "requirements.txt"))
	if out, err := pip.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("pip install: %w\n%s", err, out)
	}
	if err := os.Rename(fresh, site); err != nil {
		if _, there := os.Stat(site); there != nil {
			return "", "", err
		}
	}
	return program, site, nil
}
