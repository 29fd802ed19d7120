package guard

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jotsuite/jot/oauth"
)

// Whatever the header holds, what comes out of it is one token that could stand in a header again.
func FuzzCredentials(f *testing.F) {
	for _, s := range []string{"Bearer a.b.c", "dpop x", "Bearer ", "Bearer a b", "Basic a", "", "Bearer  a==", "Bearer a=b", "\x00", "bearer\ta"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := get(s)
		scheme, raw, err := credentials(r)
		if err != nil {
			if raw != "" || scheme != "" {
				t.Errorf("%q, %q with %v", scheme, raw, err)
			}
			return
		}
		if scheme != oauth.Bearer && scheme != oauth.DPoP || raw == "" || strings.ContainsAny(raw, " \t\r\n,\"") || !strings.HasSuffix(s, raw) {
			t.Errorf("%q became %q %q", s, scheme, raw)
		}
	})
}

// A certificate that is read from a header is the one that was written there.
func FuzzCertificate(f *testing.F) {
	for _, s := range []string{":AAAA:", ":", "::", "%2d", "-----BEGIN CERTIFICATE-----%0A-----END CERTIFICATE-----", "%zz"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCertificate(s)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if c != nil && (len(c.Raw) > len(s) || bytes.Contains(c.Raw, []byte("-----BEGIN"))) {
			t.Errorf("%d bytes of %d", len(c.Raw), len(s))
		}
	})
}
