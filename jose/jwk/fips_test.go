package jwk_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What FIPS mode forbids is refused with a code of its own. The mode is a setting of
// the whole process, so that this runs the tests again in another one.
func TestFIPSOnly(t *testing.T) {
	if fipsEnforced || testing.Short() {
		t.Skip("already in that mode, or short")
	}
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("instrumented, which is slow twice")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(exe, "-test.run=^Test", "-test.short")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "FIPS 140-3 mode not supported") || strings.Contains(string(out), "fips140") && !strings.Contains(string(out), "FAIL") {
			t.Skipf("no FIPS mode here: %s", out)
		}
		t.Errorf("%v\n%s", err, out)
	}
}
