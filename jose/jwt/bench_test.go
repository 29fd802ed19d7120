package jwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var algorithms = []jwa.Algorithm{jwa.HS256, jwa.ES256, jwa.EdDSA, jwa.RS256, jwa.PS256}

func pair(b *testing.B, alg jwa.Algorithm) (jwk.Signer, jwk.Verifier) {
	if alg.Symmetric() {
		k := secretKey(b)
		return k, k
	}
	k := privateKey(b, alg)
	return k, k.Public()
}

// BenchmarkHMAC is what no HS256 token can cost less than.
func BenchmarkHMAC(b *testing.B) {
	raw := sample(b, secretKey(b))
	message := []byte(raw[:strings.LastIndexByte(raw, '.')])
	m := hmac.New(sha256.New, secret)
	var sum [32]byte
	b.ReportAllocs()
	for b.Loop() {
		m.Reset()
		m.Write(message)
		m.Sum(sum[:0])
	}
}

// The key alone, on the bytes of the same token, beside the whole of Verify.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range algorithms {
		signer, verifierKey := pair(b, alg)
		raw := sample(b, signer)
		i := strings.LastIndexByte(raw, '.')
		sig, _ := b64url.DecodeString(raw[i+1:])
		v := verifier[order](b, jwk.Set{verifierKey}, policy())
		p := policy()
		p.CacheSize = 16
		cached := verifier[order](b, jwk.Set{verifierKey}, p)
		b.Run(alg.Name()+"/key", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := verifierKey.Verify(alias.Bytes(raw[:i]), sig); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg.Name()+"/token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg.Name()+"/cached", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := cached.Verify(ctx, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range algorithms {
		key, _ := pair(b, alg)
		raw := sample(b, key)
		message := []byte(raw[:strings.LastIndexByte(raw, '.')])
		var buf []byte
		b.Run(alg.Name()+"/key", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = key.AppendSign(ctx, buf[:0], message); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(alg.Name()+"/token", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Sign(ctx, key, Header{}, registered7, someOrder); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a hit costs before the claims are decoded: the look-up and the copy of the payload.
func BenchmarkCacheHit(b *testing.B) {
	for _, alg := range algorithms {
		signer, key := pair(b, alg)
		raw := sample(b, signer)
		p := policy()
		p.CacheSize = 1024
		v := verifier[order](b, jwk.Set{key}, p)
		if _, err := v.Verify(ctx, raw); err != nil {
			b.Fatal(err)
		}
		b.Run(alg.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := v.tokens.get(raw)
				if e == nil || !v.offered(ctx, e) {
					b.Fatal("miss")
				}
				sink = append([]byte(nil), e.payload...)
			}
		})
	}
}

var sink []byte

func BenchmarkVerifyParallel(b *testing.B) {
	key := secretKey(b)
	raw := sample(b, key)
	v := verifier[order](b, jwk.Set{key}, policy())
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(ctx, raw); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkNested(b *testing.B) {
	key := secretKey(b)
	to := Recipient{Key: sharedKey(b)}
	raw, err := SignEncrypted(ctx, key, to, Header{}, registered7, someOrder)
	if err != nil {
		b.Fatal(err)
	}
	p := policy()
	p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(b)}}
	v := verifier[order](b, jwk.Set{key}, p)
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = v.Verify(ctx, raw)
		}
	})
	b.Run("sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = SignEncrypted(ctx, key, to, Header{}, registered7, someOrder)
		}
	})
}
