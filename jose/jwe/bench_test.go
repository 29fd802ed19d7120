package jwe_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// pairs are the algorithms that are measured, for a payload of 300 bytes.
func pairs(b *testing.B, run func(name string, key jwk.Decrypter, enc jwa.Encryption)) {
	for _, c := range []struct {
		alg jwa.Algorithm
		enc jwa.Encryption
	}{
		{jwa.Dir, jwa.A256GCM},
		{jwa.A128KW, jwa.A128CBC_HS256},
		{jwa.ECDH_ES, jwa.A256GCM},
		{jwa.RSA_OAEP_256, jwa.A256GCM},
	} {
		var key jwk.Decrypter
		switch c.alg.Family() {
		case "RSAES":
			key = rsaKey(b, c.alg)
		case "ECDH-ES":
			key = must(jwk.GenerateDecryptionKey(c.alg, "P-256"))(b)
		case "direct":
			key = must(jwk.GenerateSharedKey(c.alg, c.enc))(b)
		default:
			key = must(jwk.GenerateSharedKey(c.alg))(b)
		}
		run(c.alg.Name()+"+"+c.enc.Name(), key, c.enc)
	}
}

func BenchmarkEncrypt(b *testing.B) {
	plaintext := make([]byte, 300)
	pairs(b, func(name string, key jwk.Decrypter, enc jwa.Encryption) {
		b.Run(name, func(b *testing.B) {
			public := publicOf(key)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwe.Encrypt(ctx, public, enc, jwe.Header{}, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/bare", func(b *testing.B) {
			public := publicOf(key)
			cek := make([]byte, enc.KeySize())
			if key.Algorithm().Direct() {
				cek = nil
			}
			for b.Loop() {
				if _, err := public.EncryptKey(ctx, cek, &jwk.Wrapping{Encryption: enc}); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkDecrypt(b *testing.B) {
	pairs(b, func(name string, key jwk.Decrypter, enc jwa.Encryption) {
		keys := jwk.DecryptionSet{key}
		token := encrypt(b, publicOf(key), enc, jwe.Header{}, strings.Repeat("x", 300))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwe.Decrypt(ctx, keys, token, jwe.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/bare", func(b *testing.B) {
			w := jwk.Wrapping{Encryption: enc}
			var cek []byte
			if !key.Algorithm().Direct() {
				cek = make([]byte, enc.KeySize())
			}
			if _, err := publicOf(key).EncryptKey(ctx, cek, &w); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := key.DecryptKey(ctx, &w); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// BenchmarkLarge has 10 MB beside what nobody can do without: the bare AEAD, and the
// base64url of the standard library.
func BenchmarkLarge(b *testing.B) {
	const size = 10_000_000
	plaintext := make([]byte, size)
	_, _ = rand.Read(plaintext)
	for _, enc := range []jwa.Encryption{jwa.A256GCM, jwa.A128CBC_HS256} {
		key := must(jwk.GenerateSharedKey(jwa.Dir, enc))(b)
		keys := jwk.DecryptionSet{key}
		token := encrypt(b, key, enc, jwe.Header{}, string(plaintext))
		run := func(name string, f func() error) {
			b.Run(fmt.Sprintf("%v/%s", enc, name), func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("encrypt", func() error {
			_, err := jwe.Encrypt(ctx, key, enc, jwe.Header{}, plaintext)
			return err
		})
		run("decrypt", func() error {
			_, err := jwe.Decrypt(ctx, keys, token, jwe.Options{MaxSize: 1 << 24})
			return err
		})
		if enc != jwa.A256GCM {
			continue
		}
		block, _ := aes.NewCipher(make([]byte, 32))
		gcm, _ := cipher.NewGCM(block)
		nonce := make([]byte, 12)
		run("bare/encrypt", func() error {
			_ = base64.RawURLEncoding.EncodeToString(gcm.Seal(nil, nonce, plaintext, nil))
			return nil
		})
		text := base64.RawURLEncoding.EncodeToString(gcm.Seal(nil, nonce, plaintext, nil))
		run("bare/decrypt", func() error {
			sealed, err := base64.RawURLEncoding.DecodeString(text)
			if err == nil {
				_, err = gcm.Open(sealed[:0], nonce, sealed, nil)
			}
			return err
		})
	}
}
