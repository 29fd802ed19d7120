package jwe_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestBasic(t *testing.T) {
	ctx := context.Background()
	for _, enc := range jwaEncs {
		k, err := jwk.GenerateSharedKey(jwa.Dir, enc)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 100 {
			p := bytes.Repeat([]byte("p"), n*37)
			tok, err := jwe.Encrypt(ctx, k, enc, jwe.Header{}, p)
			if err != nil {
				t.Fatal(err)
			}
			m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{k}, tok, jwe.Options{})
			if err != nil || !bytes.Equal(m.Plaintext, p) {
				t.Fatal(enc, n, err)
			}
			d, err := jwe.EncryptJSON(ctx, enc, jwe.Header{}, jwe.Header{Type: "x"}, []byte("aad"), p, jwe.Recipient{Key: k})
			if err != nil {
				t.Fatal(err)
			}
			m, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{k}, d, jwe.Options{})
			if err != nil || !bytes.Equal(m.Plaintext, p) || string(m.AAD) != "aad" || m.Unprotected.Type != "x" {
				t.Fatal(enc, n, err)
			}
			if n == 1 {
				fmt.Println(string(d))
			}
		}
	}
}

var jwaEncs = []jwa.Encryption{jwa.A128CBC_HS256, jwa.A192CBC_HS384, jwa.A256CBC_HS512, jwa.A128GCM, jwa.A192GCM, jwa.A256GCM}

func BenchmarkDir(b *testing.B) {
	ctx := context.Background()
	k, _ := jwk.GenerateSharedKey(jwa.Dir, jwa.A256GCM)
	p := bytes.Repeat([]byte("p"), 300)
	tok, err := jwe.Encrypt(ctx, k, jwa.A256GCM, jwe.Header{}, p)
	if err != nil {
		b.Fatal(err)
	}
	set := jwk.DecryptionSet{k}
	b.Run("decrypt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jwe.Decrypt(ctx, set, tok, jwe.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encrypt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jwe.Encrypt(ctx, k, jwa.A256GCM, jwe.Header{}, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
