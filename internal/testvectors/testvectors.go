// Package testvectors finds the test vectors of public specifications that are
// kept beside a clone and not in it, because of their size.
//
// Tests that need them call [Dir]. Where the folder is absent the test is
// skipped with a message that says how to get it to run; with CI=true in the
// environment the absence fails the test, so that a suite never passes there for
// want of its data.
package testvectors

import (
	"os"
	"path/filepath"
	"testing"
)

// env names the environment variable that overrides the search.
const env = "JOT_VECTORS"

// Dir returns the folder of the vectors: $JOT_VECTORS if that is set, else
// ../shared/vectors beside the clone.
func Dir(t testing.TB) string {
	t.Helper()
	return find(t, "vectors")
}

// Seeds returns the folder of the collected real tokens, which stands beside the
// vectors.
func Seeds(t testing.TB) string {
	t.Helper()
	return find(t, "seeds")
}

// Spec returns the folder of the catalogue of attacks, which stands beside the vectors.
func Spec(t testing.TB) string {
	t.Helper()
	return find(t, "spec")
}

func find(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv(env); dir != "" {
		if name != "vectors" {
			dir = filepath.Join(filepath.Dir(filepath.Clean(dir)), name)
		}
		if !isDir(dir) {
			t.Fatalf("%s=%s: there is no folder %s", env, os.Getenv(env), dir)
		}
		return dir
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for up := wd; ; up = filepath.Dir(up) {
		if dir := filepath.Join(up, "shared", name); isDir(dir) {
			return dir
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	const message = "no ../shared/%s beside this clone and %s is not set: the cases of the public specifications are not run"
	if os.Getenv("CI") == "true" {
		t.Fatalf(message, name, env)
	}
	t.Skipf(message, name, env)
	return ""
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
