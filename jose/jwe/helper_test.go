package jwe_test

import (
	"context"
	"crypto/fips140"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

var ctx = context.Background()

var encryptions = []jwa.Encryption{
	jwa.A128CBC_HS256, jwa.A192CBC_HS384, jwa.A256CBC_HS512, jwa.A128GCM, jwa.A192GCM, jwa.A256GCM,
}

// notEnforced skips what the FIPS 140-3 mode forbids where it is enforced.
func notEnforced(t testing.TB) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("the FIPS mode forbids it")
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	switch got := fault.CodeOf(err); {
	case err == nil:
		t.Errorf("accepted, want %s", code)
	case got != code:
		t.Errorf("code %q of %v, want %s", got, err, code)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wrapper is a key of AES key wrap with fixed bytes.
func wrapper(t testing.TB, kid string) *jwk.SharedKey {
	return must(jwk.NewSharedKey(jwa.A128KW, kid, []byte("0123456789abcdef")))(t)
}

// direct is a key for dir and A128GCM with fixed bytes.
func direct(t testing.TB, kid string) *jwk.SharedKey {
	return must(jwk.NewSharedKey(jwa.Dir, kid, []byte("0123456789abcdef"), jwa.A128GCM))(t)
}

func encrypt(t testing.TB, key jwk.Encrypter, enc jwa.Encryption, h jwe.Header, plaintext string) string {
	t.Helper()
	return must(jwe.Encrypt(ctx, key, enc, h, []byte(plaintext)))(t)
}

func encode(s string) string { return b64url.EncodeToString([]byte(s)) }
