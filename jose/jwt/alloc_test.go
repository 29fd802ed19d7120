package jwt

import (
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// order is a usual set of claims.
type order struct {
	Scope  string `json:"scope"`
	Client string `json:"client_id"`
	Admin  bool   `json:"admin"`
	Level  int    `json:"level"`
}

var (
	someOrder   = order{"read write", "client-7", true, 42}
	registered7 = Registered{
		Issuer: issuer, Subject: "alice", Audience: Audience{audience}, ID: "3b5c1d2e",
		Expiry: time.Unix(unix+3600, 0), IssuedAt: time.Unix(unix, 0),
	}
)

func sample(t testing.TB, key jwk.Signer) string {
	t.Helper()
	raw, err := Sign(ctx, key, Header{}, registered7, someOrder)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func ceiling(t *testing.T, name string, most float64, f func()) {
	t.Helper()
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("allocations are counted without instrumentation")
	}
	if got := testing.AllocsPerRun(200, f); got > most {
		t.Errorf("%s: %v allocations, at most %v", name, got, most)
	}
}

func TestAllocations(t *testing.T) {
	key := secretKey(t)
	raw := sample(t, key)
	v := verifier[order](t, jwk.Set{key}, policy())
	p := policy()
	p.CacheSize = 16
	cached := verifier[order](t, jwk.Set{key}, p)
	// The Token with its payload; a fourth string in lists is one more.
	ceiling(t, "verify", 1, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	})
	ceiling(t, "verify from the cache", 1, func() {
		if _, err := cached.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	})
	ceiling(t, "sign", 2, func() {
		if _, err := Sign(ctx, key, Header{}, registered7, someOrder); err != nil {
			t.Fatal(err)
		}
	})
	bad := spoil(raw)
	ceiling(t, "refuse a signature", 8, func() {
		if _, err := v.Verify(ctx, bad); err == nil {
			t.Fatal("accepted")
		}
	})
}

func TestAllocationsPublicKey(t *testing.T) {
	key := privateKey(t, jwa.EdDSA)
	raw := sample(t, key)
	v := verifier[order](t, jwk.Set{key.Public()}, policy())
	ceiling(t, "verify", 1, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAllocationsNested(t *testing.T) {
	key := secretKey(t)
	to := Recipient{Key: sharedKey(t)}
	sign := func() string {
		raw, err := SignEncrypted(ctx, key, to, Header{}, registered7, someOrder)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw := sign()
	p := policy()
	p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(t)}}
	v := verifier[order](t, jwk.Set{key}, p)
	p.CacheSize = 16
	cached := verifier[order](t, jwk.Set{key}, p)
	// The header twice, the layer, and what is decrypted come on top of a signed token's.
	ceiling(t, "verify", 15, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	})
	ceiling(t, "verify from the cache", 1, func() {
		if _, err := cached.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	})
	ceiling(t, "sign", 9, func() { sign() })
}
