package jwk_test

import (
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// What FIPS mode forbids is refused with a code of its own. The mode is a setting of
// the whole process, so that this runs the tests that it concerns in another one.
func TestFIPSOnly(t *testing.T) {
	if fipsEnforced {
		t.Skip("already in that mode")
	}
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("instrumented, which is slow twice")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(exe, "-test.run=^Test(NewPublicKey|NewPrivateKey|Secret|Keys|KeyAgreement|PSS|Sign|FIPS|BindEncryption|RFC7518)")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	if err != nil {
		if strings.Contains(string(out), "FIPS 140-3 mode not supported") || strings.Contains(string(out), "fips140") && !strings.Contains(string(out), "FAIL") {
			t.Skipf("no FIPS mode here: %s", out)
		}
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFIPSRefuses(t *testing.T) {
	if !fipsEnforced {
		t.Skip("only in that mode")
	}
	var r *rsa.PrivateKey
	var x []byte
	fips140.WithoutEnforcement(func() {
		for r == nil {
			p, err := rand.Prime(rand.Reader, 1000)
			if err != nil {
				t.Fatal(err)
			}
			q, err := rand.Prime(rand.Reader, 1048)
			if err != nil {
				t.Fatal(err)
			}
			one, n := big.NewInt(1), new(big.Int).Mul(p, q)
			phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
			d := new(big.Int).ModInverse(big.NewInt(65537), phi)
			if d == nil || n.BitLen() != 2048 {
				continue
			}
			r = &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
		}
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x = k.PublicKey().Bytes()
	})
	_, err := jwk.NewPrivateKey(jwa.RS256, "", r)
	wantCode(t, err, "key.fips")
	for _, alg := range []jwa.Algorithm{jwa.RSA_OAEP, jwa.RSA1_5} {
		j, err := jwk.FromKey(&rsaKey().PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		_, err = j.EncryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{alg}, AllowRSA1_5DespitePaddingOracles: true})
		wantCode(t, err, "key.fips")
	}
	_, err = jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	wantCode(t, err, "key.fips")
	_, err = mustParse(t, `{"kty":"OKP","crv":"X25519","x":"`+b64url.EncodeToString(x)+`"}`).MarshalDER()
	wantCode(t, err, "key.fips")
}
