// Package profiletest helps to test the packages under profile: it makes tokens that
// Sign would refuse, and names the codes of a refusal.
package profiletest

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

// Now is the time at which the tests run: 2026-01-01T12:00:00Z.
const Now = 1767268800

// Clock is the time now, for a policy.
func Clock() time.Time { return time.Unix(Now, 0) }

var es256 = sync.OnceValues(func() (*jwk.PrivateKey, error) { return jwk.Generate(jwa.ES256) })

// Key is the key of most tests, with ES256.
func Key(t testing.TB) *jwk.PrivateKey {
	t.Helper()
	k, err := es256()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Secret is a key with HS256.
func Secret(t testing.TB) *jwk.SecretKey {
	t.Helper()
	k, err := jwk.NewSecretKey(jwa.HS256, "", []byte("a secret of at least thirty-two bytes"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Claims are the claims of a token, as any type that JSON has.
type Claims map[string]any

// With returns the claims with others set, as pairs of name and value; a nil value removes one.
func (c Claims) With(pairs ...any) Claims {
	c = maps.Clone(c)
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		if c[name] = pairs[i+1]; pairs[i+1] == nil {
			delete(c, name)
		}
	}
	return c
}

// Sign makes a token of any claims; typ may be empty.
func (c Claims) Sign(t testing.TB, key jwk.Signer, typ string) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.Sign(context.Background(), key, jws.Header{Type: typ}, payload)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Want fails the test unless err refuses a token with these codes and no others; without
// codes, unless err is nil.
func Want(t testing.TB, err error, codes ...string) {
	t.Helper()
	var got []string
	if err != nil {
		r, ok := errors.AsType[*jwt.RejectError](err)
		if !ok {
			t.Fatalf("%T is no refusal of a token: %v", err, err)
		}
		got = r.Codes()
	}
	if !slices.Equal(got, codes) {
		t.Errorf("codes %v, want %v (%v)", got, codes, err)
	}
	for e := range Refusals(err) {
		if e.Spec == "" || e.Want == "" && !strings.HasPrefix(e.Code, "json.") {
			t.Errorf("%s does not say what is wanted, and by which specification: %+v", e.Code, e)
		}
	}
}

// Refusals iterates over the claims that err refuses.
func Refusals(err error) func(yield func(*jwt.ClaimError) bool) {
	return func(yield func(*jwt.ClaimError) bool) {
		r, ok := errors.AsType[*jwt.RejectError](err)
		if !ok {
			return
		}
		for _, e := range r.Unwrap() {
			if c, ok := e.(*jwt.ClaimError); ok && !yield(c) {
				return
			}
		}
	}
}

// Ceiling fails the test if f allocates more than most times.
func Ceiling(t *testing.T, most float64, f func()) {
	t.Helper()
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("allocations are counted without instrumentation")
	}
	if got := testing.AllocsPerRun(200, f); got > most {
		t.Errorf("%v allocations, at most %v", got, most)
	}
}
