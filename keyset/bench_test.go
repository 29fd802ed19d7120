package keyset_test

import (
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// claims are a usual set.
type claims struct {
	Scope  string `json:"scope"`
	Client string `json:"client_id"`
	Admin  bool   `json:"admin"`
	Level  int    `json:"level"`
}

// warm returns a verifier of a fixed set, one of a Remote with the same set in memory,
// one of a Trust with it, and a token.
func warm(t testing.TB, alg jwa.Algorithm) (set, remoteOne, trusted *jwt.Verifier[claims], r *keyset.Remote, raw string) {
	t.Helper()
	key := generate(t, alg)
	others := jwk.Set{key.Public()}
	for range 4 {
		others = append(others, generate(t, jwa.ES256).Public())
	}
	s := newServer(t, others...)
	o := options(newClock())
	o.Clock = nil
	r = remote(t, s.URL+"/jwks", o)
	fixed, err := r.Set(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var trust keyset.Trust
	if err := trust.Add("https://as.example", r); err != nil {
		t.Fatal(err)
	}
	p := jwt.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"api"}}
	verifier := func(keys jwk.Source, p jwt.Policy) *jwt.Verifier[claims] {
		v, err := jwt.NewVerifier[claims](keys, p)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	raw, err = jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://as.example", Subject: "alice", Audience: jwt.Audience{"api"}, ID: "3b5c1d2e",
		IssuedAt: time.Now(), Expiry: time.Now().Add(time.Hour),
	}, claims{"read write", "client-7", true, 42})
	if err != nil {
		t.Fatal(err)
	}
	selecting := p
	selecting.Selector = "iss"
	return verifier(fixed, p), verifier(r, p), verifier(&trust, selecting), r, raw
}

// A Remote with keys in memory costs no allocation that a fixed set does not.
func TestWarmAllocations(t *testing.T) {
	if keyset.RaceEnabled || testing.CoverMode() != "" {
		t.Skip("allocations are counted without instrumentation")
	}
	for _, alg := range []jwa.Algorithm{jwa.EdDSA, jwa.ES256} {
		set, remoteOne, _, r, raw := warm(t, alg)
		count := func(v *jwt.Verifier[claims]) float64 {
			return testing.AllocsPerRun(100, func() {
				if _, err := v.Verify(ctx, raw); err != nil {
					t.Fatal(err)
				}
			})
		}
		if fixed, warm := count(set), count(remoteOne); warm > fixed {
			t.Errorf("%s: %v allocations, with a fixed set %v", alg, warm, fixed)
		}
		fixed, err := r.Set(ctx)
		if err != nil {
			t.Fatal(err)
		}
		kid := fixed[0].KeyID()
		for _, q := range []jwk.Query{{Algorithm: alg.Name(), KeyID: kid}, {Algorithm: "EdDSA"}, {Algorithm: "Ed25519", KeyID: kid}, {Algorithm: alg.Name(), KeyID: kid, X5TS256: "x"}} {
			if got := testing.AllocsPerRun(100, func() { _, _ = r.Keys(ctx, q) }); got > 0 && (alg.Is(jwa.EdDSA) || q.KeyID == kid && q.Algorithm == alg.Name()) {
				t.Errorf("%+v: %v allocations", q, got)
			}
		}
	}
}

// What a token costs with a fixed set, with the same set fetched, and through a Trust.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []jwa.Algorithm{jwa.EdDSA, jwa.ES256} {
		set, remoteOne, trusted, _, raw := warm(b, alg)
		for name, v := range map[string]*jwt.Verifier[claims]{"set": set, "remote": remoteOne, "trust": trusted} {
			b.Run(alg.Name()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := v.Verify(ctx, raw); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(alg.Name()+"/"+name+"/parallel", func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := v.Verify(ctx, raw); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkOverhead has signatures that cost nothing, so that the rest can be seen: what
// a warm Remote adds to a fixed set.
func BenchmarkOverhead(b *testing.B) {
	alg, err := jwa.New("FREE", jwa.Traits{KeyType: "FREE"})
	if err != nil {
		b.Fatal(err)
	}
	binding := jwk.Binding{Extensions: []jwk.Extension{{
		Algorithm: alg, Thumbprint: []string{"kty"},
		Verify: func(jwk.JWK) (func(message, signature []byte) bool, error) {
			return func(message, signature []byte) bool { return true }, nil
		},
	}}}
	s := newServer(b)
	s.raw = `{"keys":[{"kty":"FREE","alg":"FREE","kid":"3b5c1d2e"}]}`
	o := options(newClock())
	o.Clock, o.Binding = nil, binding
	r := remote(b, s.URL+"/jwks", o)
	fixed, err := r.Set(ctx)
	if err != nil {
		b.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	raw := encode([]byte(`{"alg":"FREE","kid":"3b5c1d2e"}`)) + "." + encode([]byte(fmt.Sprintf(
		`{"iss":"https://as.example","sub":"alice","aud":"api","exp":%d,"jti":"3b5c1d2e","scope":"read write","client_id":"client-7","admin":true,"level":42}`,
		time.Now().Add(time.Hour).Unix()))) + "." + encode(make([]byte, 64))
	p := jwt.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"api"}}
	for _, source := range []struct {
		name string
		keys jwk.Source
	}{{"set", fixed}, {"remote", r}} {
		v, err := jwt.NewVerifier[claims](source.keys, p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(source.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(source.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := v.Verify(ctx, raw); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// The look-up alone: what a warm Remote takes, of which about half is the time of day.
func BenchmarkKeys(b *testing.B) {
	_, _, _, r, _ := warm(b, jwa.EdDSA)
	fixed, err := r.Set(ctx)
	if err != nil {
		b.Fatal(err)
	}
	q := query(fixed[0].KeyID())
	for name, s := range map[string]jwk.Source{"set": fixed, "remote": r} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Keys(ctx, q); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Keys(ctx, q); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
	b.Run("time.Now", func(b *testing.B) {
		for b.Loop() {
			time.Now()
		}
	})
}
