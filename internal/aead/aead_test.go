package aead

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func upTo(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// RFC 7518, Appendix B.
func TestAppendixB(t *testing.T) {
	const (
		plaintext = "A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience"
		aad       = "The second principle of Auguste Kerckhoffs"
		iv        = "1af38c2dc2b96ffdd86694092341bc04"
	)
	for _, tc := range []struct {
		enc   jwa.Encryption
		first string // block of the ciphertext
		tag   string
	}{
		{jwa.A128CBC_HS256, "c80edfa32ddf39d5ef00c0b468834279", "652c3fa36b0a7c5b3219fab3a30bc1c4"},
		{jwa.A192CBC_HS384, "ea65da6b59e61edb419be62d19712ae5", "8490ac0e58949bfe51875d733f93ac2075168039ccc733d7"},
		{jwa.A256CBC_HS512, "4affaaadb78c31c5da4b1b590d10ffbd", "4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"},
	} {
		key := upTo(tc.enc.KeySize())
		block, err := aes.NewCipher(key[len(key)/2:])
		if err != nil {
			t.Fatal(err)
		}
		text := append([]byte(plaintext), bytes.Repeat([]byte{16}, 16)...)
		cipher.NewCBCEncrypter(block, unhex(t, iv)).CryptBlocks(text, text)
		if !bytes.HasPrefix(text, unhex(t, tc.first)) {
			t.Errorf("%v: ciphertext %x", tc.enc, text[:16])
		}
		c, err := New(tc.enc, key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Open(nil, nil, slices.Concat(unhex(t, iv), text, unhex(t, tc.tag)), []byte(aad))
		if err != nil || string(got) != plaintext {
			t.Errorf("%v: %q, %v", tc.enc, got, err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, a := range algorithms {
		key := upTo(a.enc.KeySize())
		c, err := New(a.enc, key)
		if err != nil {
			t.Fatal(err)
		}
		clear(key) // it is not kept
		for n := range 50 {
			plaintext, aad := upTo(n), upTo(n%7)
			sealed := c.Seal([]byte("before"), nil, plaintext, aad)
			if string(sealed[:6]) != "before" {
				t.Fatal("Seal does not append")
			}
			sealed = sealed[6:]
			size := n
			if a.hash != nil {
				size = n/16*16 + 16
			}
			if len(sealed) != a.iv+size+a.tag || len(sealed) > n+c.Overhead() || c.NonceSize() != 0 {
				t.Errorf("%v: %d bytes become %d", a.enc, n, len(sealed))
			}
			apart, err := c.Open([]byte("before"), nil, sealed, aad)
			if err != nil || string(apart) != "before"+string(plaintext) {
				t.Errorf("%v: %x, %v", a.enc, apart, err)
			}
			// Where the ciphertext goes, the plaintext may stand.
			buf := make([]byte, a.iv+n, n+c.Overhead())
			copy(buf[a.iv:], plaintext)
			if a.hash != nil {
				sealed = c.Seal(buf[:0], nil, buf[a.iv:], aad)
			}
			inPlace, err := c.Open(sealed[:0], nil, sealed, aad)
			if err != nil || !bytes.Equal(inPlace, plaintext) || n > 0 && &inPlace[0] != &sealed[0] {
				t.Errorf("%v: %x, %v", a.enc, inPlace, err)
			}
		}
	}
}

// What was sealed by the standard library under a nonce of its own opens.
func TestGCM(t *testing.T) {
	for _, enc := range []jwa.Encryption{jwa.A128GCM, jwa.A192GCM, jwa.A256GCM} {
		key := upTo(enc.KeySize())
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			t.Skip(err) // the FIPS mode forbids it
		}
		sealed := gcm.Seal(upTo(12), upTo(12), []byte("plaintext"), []byte("aad"))
		c, err := New(enc, key)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(nil, nil, sealed, []byte("aad")); err != nil || string(got) != "plaintext" {
			t.Errorf("%v: %q, %v", enc, got, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, a := range algorithms {
		c, err := New(a.enc, upTo(a.enc.KeySize()))
		if err != nil {
			t.Fatal(err)
		}
		good := c.Seal(nil, nil, []byte("seventeen bytes !"), []byte("aad"))
		refused := func(what string, sealed []byte, aad string) {
			t.Helper()
			if got, err := c.Open(nil, nil, sealed, []byte(aad)); err == nil || got != nil {
				t.Errorf("%v: %s is accepted: %q", a.enc, what, got)
			}
		}
		for n := range good {
			refused("a beginning", good[:n], "aad")
			refused("an end", good[n+1:], "aad")
		}
		for i := range 8 * len(good) {
			spoilt := bytes.Clone(good)
			spoilt[i/8] ^= 1 << (i % 8)
			refused("a flipped bit", spoilt, "aad")
		}
		refused("a longer tag", append(bytes.Clone(good), 0), "aad")
		refused("other additional data", good, "aaD")
		refused("no additional data", good, "")
		for _, n := range []int{0, 1, a.enc.KeySize() - 1, a.enc.KeySize() + 1, 2 * a.enc.KeySize()} {
			if c, err := New(a.enc, upTo(n)); !errors.Is(err, ErrKey) || c != nil {
				t.Errorf("%v: a key of %d bytes: %v", a.enc, n, err)
			}
		}
	}
	if _, err := New(jwa.Encryption{}, nil); !errors.Is(err, ErrKey) {
		t.Errorf("no enc: %v", err)
	}
	if iv, tag := Sizes(jwa.Encryption{}); iv != 0 || tag != 0 {
		t.Error(iv, tag)
	}
}

// A right tag over wrong padding is refused like all else, and leaves nothing behind.
func TestPadding(t *testing.T) {
	a, _ := find(jwa.A128CBC_HS256)
	c, err := New(a.enc, upTo(32))
	if err != nil {
		t.Fatal(err)
	}
	impl := c.(*cbcHMAC)
	seal := func(text []byte) []byte {
		out := append(make([]byte, 16), text...)
		if len(text)%16 == 0 {
			cipher.NewCBCEncrypter(impl.block, out[:16]).CryptBlocks(out[16:], out[16:])
		}
		return append(out, impl.sum(out, nil)[:16]...)
	}
	block := func(end ...byte) []byte { return append(bytes.Repeat([]byte{1}, 16-len(end)), end...) }
	if got, err := c.Open(nil, nil, seal(block(2, 2)), nil); err != nil || len(got) != 14 {
		t.Errorf("%x, %v", got, err)
	}
	for _, text := range [][]byte{block(0), block(17), block(255), block(1, 2), block(3, 2, 3), bytes.Repeat([]byte{17}, 32), {}, make([]byte, 17)} {
		sealed := seal(text)
		if got, err := c.Open(sealed[:0], nil, sealed, nil); !errors.Is(err, errOpen) || got != nil {
			t.Errorf("%x: %x, %v", text, got, err)
		} else if n := len(text); n > 0 && n%16 == 0 && !bytes.Equal(sealed[:len(text)], make([]byte, len(text))) {
			t.Errorf("%x stays", sealed[:len(text)])
		}
	}
}

// J17: no initialization vector comes twice.
func TestFreshVectors(t *testing.T) {
	for _, a := range algorithms {
		c, err := New(a.enc, upTo(a.enc.KeySize()))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range 10_000 {
			seen[string(c.Seal(nil, nil, nil, nil)[:a.iv])] = true
		}
		if len(seen) != 10_000 {
			t.Errorf("%v: %d of 10000 are different", a.enc, len(seen))
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(0, []byte("plaintext"), []byte("aad"), []byte("sealed"))
	f.Add(3, bytes.Repeat([]byte{16}, 16), []byte{}, make([]byte, 64))
	f.Fuzz(func(t *testing.T, i int, plaintext, aad, sealed []byte) {
		a := algorithms[uint(i)%uint(len(algorithms))]
		c, err := New(a.enc, upTo(a.enc.KeySize()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Open(nil, nil, sealed, aad); err == nil {
			t.Errorf("%x opens", sealed)
		}
		got, err := c.Open(nil, nil, c.Seal(nil, nil, plaintext, aad), aad)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%x, %v", got, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	benchmark(b, func(c cipher.AEAD, p, s []byte) { c.Seal(s[:0], nil, p, nil) })
}

func BenchmarkOpen(b *testing.B) {
	buf := make([]byte, 0, 1024)
	benchmark(b, func(c cipher.AEAD, _, s []byte) { _, _ = c.Open(buf, nil, s, nil) })
}

func BenchmarkNew(b *testing.B) {
	for _, a := range algorithms {
		key := upTo(a.enc.KeySize())
		b.Run(a.enc.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = New(a.enc, key)
			}
		})
	}
}

func benchmark(b *testing.B, f func(c cipher.AEAD, plaintext, sealed []byte)) {
	for _, a := range algorithms {
		c, err := New(a.enc, upTo(a.enc.KeySize()))
		if err != nil {
			b.Fatal(err)
		}
		plaintext := upTo(300)
		sealed := c.Seal(nil, nil, plaintext, nil)
		b.Run(a.enc.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f(c, plaintext, sealed)
			}
		})
	}
}
