// Package node runs the peers that are written for Node.js: those of ../npm/package.json, at the versions of
// ../npm/package-lock.json, by the jobs of ../npm/peer.mjs.
package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/interop/process"
)

// dir is where the packages are, from the folder of each package of the module, in which its tests run.
var dir = filepath.Join("..", "npm")

// Start starts the process that does them, after it has installed what the lock file has. Where there is no Node.js it returns nil; with
// CI=true in the environment that is a failure, so that a comparison never passes there for want of a peer. The process has
// env in its environment, which what installs has not.
func Start(t testing.TB, env ...string) *process.Process {
	t.Helper()
	if lack := lacks(); lack != "" {
		const message = "%s: install Node.js 20 or newer with npm to compare with the peers that run in it"
		if os.Getenv("CI") == "true" {
			t.Fatalf(message, lack)
		}
		t.Logf(message, lack)
		return nil
	}
	if err := install(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "peer.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	return process.Start(t, cmd)
}

// Lock is the lock file.
func Lock() ([]byte, error) { return os.ReadFile(filepath.Join(dir, "package-lock.json")) }

// Version returns the version of a package, as the lock file has it.
func Version(name string) (string, error) {
	lock, err := Lock()
	if err != nil {
		return "", err
	}
	p, err := packages(lock)
	return p["node_modules/"+name], err
}

// lacks says what is missing to run it.
func lacks() string {
	if _, err := exec.LookPath("npm"); err != nil {
		return "there is no npm"
	}
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "there is no node"
	}
	var major int
	if _, err := fmt.Sscanf(string(out), "v%d.", &major); err != nil || major < 20 {
		return "node is " + strings.TrimSpace(string(out))
	}
	return ""
}

// install installs what the lock file has, unless it is there: of the tests that run at the same time, one does and the
// others wait for it.
func install() error {
	const patience = 3 * time.Minute
	turn := filepath.Join(dir, ".installing")
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err := os.Mkdir(turn, 0o700); err == nil {
			break
		} else if !errors.Is(err, os.ErrExist) {
			return err
		}
		if time.Since(begin) > patience { // who made it was killed
			begin = time.Now()
			_ = os.Remove(turn)
		}
	}
	defer func() { _ = os.Remove(turn) }()
	if there, err := installed(); there || err != nil {
		return err
	}
	npm := exec.Command("npm", "ci")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

// installed reports whether the versions of the lock file are there. npm writes its own list last.
func installed() (bool, error) {
	lock, err := Lock()
	if err != nil {
		return false, err
	}
	want, err := packages(lock)
	if err != nil {
		return false, err
	}
	list, err := os.ReadFile(filepath.Join(dir, "node_modules", ".package-lock.json"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	there, err := packages(list)
	for name, version := range want {
		if there[name] != version {
			return false, err
		}
	}
	return err == nil, err
}

// packages are the versions of a lock file, by their folders.
func packages(lock []byte) (map[string]string, error) {
	var l struct {
		Packages map[string]struct{ Version string }
	}
	if err := json.Unmarshal(lock, &l); err != nil {
		return nil, err
	}
	delete(l.Packages, "") // the folder itself
	p := map[string]string{}
	for name, v := range l.Packages {
		p[name] = v.Version
	}
	return p, nil
}
