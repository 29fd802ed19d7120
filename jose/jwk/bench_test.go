package jwk_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// hundredKeys is a set of 60 P-256, 30 RSA-2048 and 10 Ed25519 keys. The RSA moduli
// are random odd numbers: nothing public tells them from others.
func hundredKeys(tb testing.TB) []byte {
	tb.Helper()
	var keys []jwk.JWK
	for i := range 100 {
		var pub any
		alg := jwa.ES256
		switch {
		case i < 60:
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				tb.Fatal(err)
			}
			pub = &k.PublicKey
		case i < 90:
			b := make([]byte, 256)
			_, _ = rand.Read(b)
			b[0] |= 0x80
			b[255] |= 1
			pub, alg = &rsa.PublicKey{N: new(big.Int).SetBytes(b), E: 65537}, jwa.RS256
		default:
			k, _, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				tb.Fatal(err)
			}
			pub, alg = k, jwa.EdDSA
		}
		j, err := jwk.FromKey(pub)
		if err != nil {
			tb.Fatal(err)
		}
		j = j.WithKeyID(fmt.Sprintf("key-%03d", i))
		if j, err = j.With("alg", alg.Name()); err != nil {
			tb.Fatal(err)
		}
		if j, err = j.With("use", "sig"); err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, j)
	}
	data, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func BenchmarkParseSet(b *testing.B) {
	data := hundredKeys(b)
	b.Run("jot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			set, skipped, err := jwk.ParseSet(data, jwk.Binding{})
			if err != nil || len(skipped) > 0 || len(set) != 100 {
				b.Fatal(err, skipped)
			}
		}
	})
	b.Run("encoding_json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var set struct {
				Keys []struct {
					Kty, Use, Alg, Kid, Crv, X, Y, N, E string
				}
			}
			if err := json.Unmarshal(data, &set); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkSign(b *testing.B) {
	message := make([]byte, 200)
	for _, s := range signers(b) {
		b.Run(s.Algorithm().Name(), func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 512)
			for b.Loop() {
				if _, err := s.AppendSign(context.Background(), buf, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	message := make([]byte, 200)
	for _, s := range signers(b) {
		b.Run(s.Algorithm().Name(), func(b *testing.B) {
			sig, err := s.Sign(context.Background(), message)
			if err != nil {
				b.Fatal(err)
			}
			v := verifier(s)
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Verify(message, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
