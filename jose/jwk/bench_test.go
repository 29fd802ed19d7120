package jwk_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
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

// What a recipient pays beside the content encryption.
func BenchmarkDecryptKey(b *testing.B) {
	ctx := context.Background()
	for _, c := range []struct {
		alg jwa.Algorithm
		crv string
	}{{jwa.Dir, ""}, {jwa.A128KW, ""}, {jwa.A256GCMKW, ""}, {jwa.ECDH_ES, "P-256"}, {jwa.ECDH_ES_A256KW, "X25519"}, {jwa.RSA_OAEP_256, ""}} {
		var e jwk.Encrypter
		var d jwk.Decrypter
		var cek []byte
		if c.alg.Symmetric() {
			var encs []jwa.Encryption
			if c.alg.Direct() {
				encs = []jwa.Encryption{jwa.A128CBC_HS256}
			}
			k := must[*jwk.SharedKey](b)(jwk.GenerateSharedKey(c.alg, encs...))
			e, d = k, k
		} else {
			k := must[*jwk.DecryptionKey](b)(jwk.GenerateDecryptionKey(c.alg, c.crv))
			e, d = k.Public(), k
		}
		if !c.alg.Direct() {
			cek = cekOf(jwa.A128CBC_HS256)
		}
		w := jwk.Wrapping{Encryption: jwa.A128CBC_HS256}
		b.Run(c.alg.Name()+"/encrypt", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.EncryptKey(ctx, cek, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.alg.Name()+"/decrypt", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.DecryptKey(ctx, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	r, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		b.Fatal(err)
	}
	ct, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &r.PublicKey, cekOf(jwa.A128CBC_HS256), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare/RSA-OAEP-256", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Decrypt(nil, ct, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, curve := range map[string]ecdh.Curve{"P-256": ecdh.P256(), "X25519": ecdh.X25519()} {
		k, err := curve.GenerateKey(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("bare/ECDH "+name, func(b *testing.B) { // the peer's point is read from the message
			raw := k.PublicKey().Bytes()
			for b.Loop() {
				peer, err := curve.NewPublicKey(raw)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := k.ECDH(peer); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("bare/ECDH ephemeral "+name, func(b *testing.B) {
			for b.Loop() {
				e, err := curve.GenerateKey(rand.Reader)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := e.ECDH(k.PublicKey()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
