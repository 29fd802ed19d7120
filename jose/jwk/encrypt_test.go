package jwk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

// p256Key returns a key that the tests may hand to the constructors.
var p256Key = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

var cekOf = func(enc jwa.Encryption) []byte { return bytes.Repeat([]byte{0x5a}, enc.KeySize()) }

// must returns the key of a call that does not fail.
func must[K any](t testing.TB) func(K, error) K {
	return func(k K, err error) K {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
}

// pairs has a key of every algorithm that jwa.Lookup knows, and of HPKE key encryption.
func pairs(t testing.TB) map[string]struct {
	e jwk.Encrypter
	d jwk.Decrypter
} {
	all := map[string]struct {
		e jwk.Encrypter
		d jwk.Decrypter
	}{}
	put := func(name string, e jwk.Encrypter, d jwk.Decrypter) {
		all[name] = struct {
			e jwk.Encrypter
			d jwk.Decrypter
		}{e, d}
	}
	for _, alg := range []jwa.Algorithm{jwa.RSA_OAEP, jwa.RSA_OAEP_256, jwa.RSA_OAEP_384, jwa.RSA_OAEP_512} {
		if fipsEnforced && alg == jwa.RSA_OAEP {
			continue
		}
		d := must[*jwk.DecryptionKey](t)(jwk.NewDecryptionKey(alg, "r", rsaKey()))
		put(alg.Name(), d.Public(), d)
	}
	if !fipsEnforced {
		j := must[jwk.JWK](t)(jwk.FromKey(rsaKey()))
		d := must[*jwk.DecryptionKey](t)(j.DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RSA1_5}, AllowRSA1_5DespitePaddingOracles: true}))
		put("RSA1_5", d.Public(), d)
	}
	curves := []string{"P-256", "P-384", "P-521", "X25519"}
	hpke := []jwa.Algorithm{
		jwa.ExperimentalHPKE0KEDraft22, jwa.ExperimentalHPKE1KEDraft22, jwa.ExperimentalHPKE2KEDraft22,
		jwa.ExperimentalHPKE3KEDraft22, jwa.ExperimentalHPKE4KEDraft22, jwa.ExperimentalHPKE7KEDraft22,
	}
	if fipsEnforced {
		curves, hpke = curves[:3], hpke[:3]
	}
	for _, alg := range []jwa.Algorithm{jwa.ECDH_ES, jwa.ECDH_ES_A128KW, jwa.ECDH_ES_A192KW, jwa.ECDH_ES_A256KW} {
		for _, crv := range curves {
			d := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(alg, crv))
			put(alg.Name()+" "+crv, d.Public(), d)
		}
	}
	for _, alg := range hpke {
		d := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(alg, ""))
		put(alg.Name(), d.Public(), d)
	}
	for _, alg := range []jwa.Algorithm{jwa.A128KW, jwa.A192KW, jwa.A256KW, jwa.A128GCMKW, jwa.A192GCMKW, jwa.A256GCMKW} {
		s := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(alg))
		put(alg.Name(), s, s)
	}
	return all
}

func TestEncryptKey(t *testing.T) {
	ctx := context.Background()
	others := pairs(t)
	for name, k := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			for _, enc := range jwa.Encryptions() {
				w := jwk.Wrapping{Encryption: enc, PartyU: []byte("u"), EncryptedKey: []byte("left over"), IV: []byte("left over")}
				var cek []byte
				if !k.e.Algorithm().Direct() {
					cek = cekOf(enc)
				}
				got, err := k.e.EncryptKey(ctx, cek, &w)
				if err != nil || len(got) != enc.KeySize() || cek != nil && !bytes.Equal(got, cek) {
					t.Fatalf("%s: %x, %v", enc, got, err)
				}
				if k.e.Algorithm().Direct() != (w.EncryptedKey == nil) {
					t.Errorf("%s: encrypted key %x", enc, w.EncryptedKey)
				}
				if e := w.EphemeralKey; e != nil && (e.IsPrivate() || e.KeyID()+e.Algorithm()+e.Use() != "") {
					t.Errorf("%s: ephemeral key %s", enc, must[[]byte](t)(e.MarshalJSON()))
				}
				back, err := k.d.DecryptKey(ctx, &w)
				if err != nil || !bytes.Equal(back, got) {
					t.Fatalf("%s: %x, %v", enc, back, err)
				}
				// Another key of the same algorithm and curve.
				other, err := others[name].d.DecryptKey(ctx, &w)
				alg := k.e.Algorithm()
				switch {
				case alg.Family() == "RSAES": // the same key
				case alg.Direct():
					if err != nil || bytes.Equal(other, got) {
						t.Errorf("%s: %x, %v", enc, other, err)
					}
				default:
					wantCode(t, err, "dec.failed")
					if other != nil || err != jwk.ErrDecrypt {
						t.Errorf("%s: %x, %v: more than the one error", enc, other, err)
					}
				}
				if n := len(w.EncryptedKey); n > 0 {
					w.EncryptedKey[n-1] ^= 1 // the first byte may make it greater than the modulus
					other, err := k.d.DecryptKey(ctx, &w)
					if alg == jwa.RSA1_5 {
						// RFC 7516, Section 11.5: a random key, and no error.
						if err != nil || len(other) != enc.KeySize() || bytes.Equal(other, got) {
							t.Errorf("%s: %x, %v", enc, other, err)
						}
					} else if other != nil || err != jwk.ErrDecrypt {
						t.Errorf("%s: changed: %x, %v", enc, other, err)
					}
				}
			}
			canceled, cancel := context.WithCancel(ctx)
			cancel()
			if _, err := k.e.EncryptKey(canceled, nil, &jwk.Wrapping{Encryption: jwa.A128GCM}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if _, err := k.d.DecryptKey(canceled, &jwk.Wrapping{Encryption: jwa.A128GCM}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			if k.e.Encryptions() != nil || k.d.Encryptions() != nil {
				t.Error("the encryptions are restricted")
			}
		})
	}
}

func TestPassword(t *testing.T) {
	ctx := context.Background()
	// RFC 7517 and RFC 7520 have vectors of the other two.
	for _, alg := range []jwa.Algorithm{jwa.PBES2_HS384_A192KW} {
		k := must[*jwk.SharedKey](t)(jwk.NewPassword(alg, "p", []byte("Entrap_o–peter_long–credit_tun")))
		w := jwk.Wrapping{Encryption: jwa.A128GCM, Count: 310_000}
		cek := cekOf(jwa.A128GCM)
		if _, err := k.EncryptKey(ctx, cek, &w); err != nil {
			t.Fatal(err)
		}
		if len(w.Salt) != 16 || w.Count != 310_000 {
			t.Errorf("%d bytes of salt, count %d", len(w.Salt), w.Count)
		}
		if got, err := k.DecryptKey(ctx, &w); err != nil || !bytes.Equal(got, cek) {
			t.Errorf("%x, %v", got, err)
		}
		w.Count = 1000 // quicker, and wrong
		if _, err := k.DecryptKey(ctx, &w); err != jwk.ErrDecrypt {
			t.Error(err)
		}
		other := must[*jwk.SharedKey](t)(jwk.NewPassword(alg, "p", []byte("another")))
		if _, err := other.DecryptKey(ctx, &w); err != jwk.ErrDecrypt {
			t.Error(err)
		}
	}
	k := must[*jwk.SharedKey](t)(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("secret")))
	if !raceEnabled { // where it takes a second
		w := jwk.Wrapping{Encryption: jwa.A128GCM}
		if _, err := k.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); err != nil || w.Count != 600_000 {
			t.Errorf("count %d, %v", w.Count, err)
		}
	}
	for _, count := range []int{-1, 1, 1000, 309_999, 1_200_001, 1 << 30} {
		_, err := k.EncryptKey(ctx, cekOf(jwa.A128GCM), &jwk.Wrapping{Encryption: jwa.A128GCM, Count: count})
		wantCode(t, err, "header.invalid")
	}
}

// No initialization vector of AES-GCM key wrapping, no salt and no ephemeral key comes
// twice.
func TestWrappingIsFresh(t *testing.T) {
	ctx := context.Background()
	seen := map[string]bool{}
	gcm := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A256GCMKW))
	ec := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")).Public()
	for i := range 10_000 {
		w := jwk.Wrapping{Encryption: jwa.A128GCM}
		if _, err := gcm.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); err != nil {
			t.Fatal(err)
		}
		all := []string{string(w.IV)}
		if i < 100 {
			if _, err := ec.EncryptKey(ctx, nil, &w); err != nil {
				t.Fatal(err)
			}
			all = append(all, string(must[[]byte](t)(w.EphemeralKey.MarshalJSON())))
		}
		for _, s := range all {
			if seen[s] {
				t.Fatalf("twice: %q", s)
			}
			seen[s] = true
		}
	}
}

func TestEncryptKeyRefuses(t *testing.T) {
	ctx := context.Background()
	kw := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128KW, jwa.A128GCM, jwa.A256GCM))
	dir := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.Dir, jwa.A128GCM))
	ec := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")).Public()
	integrated := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0Draft22, ""))
	for name, c := range map[string]struct {
		key  jwk.Encrypter
		cek  []byte
		enc  jwa.Encryption
		code string
	}{
		"no enc":            {kw, cekOf(jwa.A128GCM), jwa.Encryption{}, "alg.mismatch"},
		"another enc":       {kw, cekOf(jwa.A192GCM), jwa.A192GCM, "alg.mismatch"},
		"no cek":            {kw, nil, jwa.A128GCM, "key.invalid"},
		"cek too short":     {kw, make([]byte, 8), jwa.A128GCM, "key.invalid"},
		"cek of other enc":  {kw, cekOf(jwa.A256GCM), jwa.A128GCM, "key.invalid"},
		"cek for dir":       {dir, cekOf(jwa.A128GCM), jwa.A128GCM, "alg.mismatch"},
		"other enc for dir": {dir, nil, jwa.A256GCM, "alg.mismatch"},
		"cek for ECDH-ES":   {ec, cekOf(jwa.A128GCM), jwa.A128GCM, "alg.mismatch"},
		"integrated":        {integrated.Public(), nil, jwa.A128GCM, "alg.mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.key.EncryptKey(ctx, c.cek, &jwk.Wrapping{Encryption: c.enc})
			if got != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
		})
	}
	if _, err := kw.EncryptKey(ctx, cekOf(jwa.A256GCM), &jwk.Wrapping{Encryption: jwa.A256GCM}); err != nil {
		t.Error(err)
	}
	_, _, err := ec.Seal(nil, nil)
	wantCode(t, err, "alg.mismatch")
	private := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ECDH_ES, ""))
	_, err = private.Open(ctx, nil, nil, nil)
	wantCode(t, err, "alg.mismatch")
	_, err = integrated.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM})
	wantCode(t, err, "alg.mismatch")
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := integrated.Open(canceled, nil, nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDecryptKeyRefuses(t *testing.T) {
	ctx := context.Background()
	bob := mustParse(t, bobPrivate)
	ecdhES := must[*jwk.DecryptionKey](t)(bob.DecryptionKey(jwk.Binding{}))
	ecdhKW := must[*jwk.DecryptionKey](t)(bob.DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES_A128KW}, Encryptions: []jwa.Encryption{jwa.A128GCM}}))
	kw := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128KW))
	gcm := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128GCMKW))
	dir := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.Dir, jwa.A128GCM))
	password := must[*jwk.SharedKey](t)(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("secret")))
	oaep := must[*jwk.DecryptionKey](t)(jwk.NewDecryptionKey(jwa.RSA_OAEP_256, "", rsaKey()))
	hpke := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0KEDraft22, ""))
	epk := func(j string, changes map[string]any) *jwk.JWK {
		k := mustParse(t, members(t, j, changes))
		return &k
	}
	good := epk(alicePub, nil)
	type m = map[string]any
	zero := strings.Repeat("A", 43)
	bobPoint := slices.Concat([]byte{4}, unb64(t, "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ"), unb64(t, "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"))
	b := func(n int) []byte { return make([]byte, n) }
	for name, c := range map[string]struct {
		key  jwk.Decrypter
		w    jwk.Wrapping
		code string
	}{
		"no enc":                  {kw, jwk.Wrapping{EncryptedKey: b(24)}, "alg.mismatch"},
		"another enc":             {ecdhKW, jwk.Wrapping{Encryption: jwa.A256GCM, EphemeralKey: good, EncryptedKey: b(40)}, "alg.mismatch"},
		"dir: encrypted key":      {dir, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(1)}, "header.invalid"},
		"dir: another enc":        {dir, jwk.Wrapping{Encryption: jwa.A256GCM}, "alg.mismatch"},
		"ECDH-ES: encrypted key":  {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: good, EncryptedKey: b(24)}, "header.invalid"},
		"ECDH-ES: no epk":         {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM}, "header.invalid"},
		"ECDH-ES: empty epk":      {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: new(jwk.JWK)}, "header.invalid"},
		"ECDH-ES: off the curve":  {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"x": zero})}, "key.invalid"},
		"ECDH-ES: infinity":       {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"x": zero, "y": zero})}, "key.invalid"},
		"ECDH-ES: x >= p":         {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"x": "_____" + zero[:37] + "8"})}, "key.invalid"},
		"ECDH-ES: short x":        {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"x": zero[:42]})}, "key.invalid"},
		"ECDH-ES: short y":        {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"y": zero[:42]})}, "key.invalid"},
		"ECDH-ES: no y":           {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"y": nil})}, "key.invalid"},
		"ECDH-ES: P-384":          {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"crv": "P-384"})}, "header.invalid"},
		"ECDH-ES: other type":     {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(xEpk, nil)}, "header.invalid"},
		"ECDH-ES: type alone":     {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(alicePub, m{"kty": "OKP"})}, "header.invalid"},
		"ECDH-ES: private epk":    {ecdhES, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: epk(bobPrivate, nil)}, "key.private"},
		"ECDH-ES+A128KW: nothing": {ecdhKW, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: good}, "header.invalid"},
		"ECDH-ES+A128KW: short":   {ecdhKW, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: good, EncryptedKey: b(23)}, "header.invalid"},
		"ECDH-ES+A128KW: long":    {ecdhKW, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: good, EncryptedKey: b(40)}, "header.invalid"},
		"ECDH-ES+A128KW: wrong":   {ecdhKW, jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: good, EncryptedKey: b(24)}, "dec.failed"},
		"A128KW: nothing":         {kw, jwk.Wrapping{Encryption: jwa.A128GCM}, "header.invalid"},
		"A128KW: 7 bytes":         {kw, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(7)}, "header.invalid"},
		"A128KW: of another enc":  {kw, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(40)}, "header.invalid"},
		"A128GCMKW: no iv":        {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(16), Tag: b(16)}, "header.invalid"},
		"A128GCMKW: long iv":      {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(16), IV: b(16), Tag: b(16)}, "header.invalid"},
		"A128GCMKW: short tag":    {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(16), IV: b(12), Tag: b(12)}, "header.invalid"},
		"A128GCMKW: length":       {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(15), IV: b(12), Tag: b(16)}, "header.invalid"},
		"A128GCMKW: moved":        {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(17), IV: b(12), Tag: b(15)}, "header.invalid"},
		"A128GCMKW: wrong":        {gcm, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(16), IV: b(12), Tag: b(16)}, "dec.failed"},
		"PBES2: p2c 0":            {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(16)}, "header.invalid"},
		"PBES2: p2c 999":          {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(16), Count: 999}, "header.invalid"},
		"PBES2: p2c huge":         {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(16), Count: 1_200_001}, "header.invalid"},
		"PBES2: p2c negative":     {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(16), Count: -5000}, "header.invalid"},
		"PBES2: p2s short":        {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(7), Count: 1000}, "header.invalid"},
		"PBES2: p2s missing":      {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Count: 1000}, "header.invalid"},
		"PBES2: length":           {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(16), Salt: b(16), Count: 1000}, "header.invalid"},
		"PBES2: wrong":            {password, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(24), Salt: b(8), Count: 1000}, "dec.failed"},
		"RSA-OAEP: nothing":       {oaep, jwk.Wrapping{Encryption: jwa.A128GCM}, "header.invalid"},
		"RSA-OAEP: short":         {oaep, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(255)}, "header.invalid"},
		"RSA-OAEP: long":          {oaep, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(257)}, "header.invalid"},
		"RSA-OAEP: zero":          {oaep, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(256)}, "dec.failed"},
		"RSA-OAEP: >= n":          {oaep, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: bytes.Repeat([]byte{0xff}, 256)}, "dec.failed"},
		"HPKE: no ek":             {hpke, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(32)}, "header.invalid"},
		"HPKE: ek off the curve":  {hpke, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(32), Encapsulated: append([]byte{4}, b(64)...)}, "header.invalid"},
		"HPKE: length":            {hpke, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(31), Encapsulated: bobPoint}, "header.invalid"},
		"HPKE: wrong":             {hpke, jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(32), Encapsulated: bobPoint}, "dec.failed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.key.DecryptKey(ctx, &c.w)
			if got != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
			if c.code == "dec.failed" && err != jwk.ErrDecrypt {
				t.Errorf("it says more than the one error: %v", err)
			}
		})
	}
	t.Run("CEK of another length", func(t *testing.T) {
		w := jwk.Wrapping{Encryption: jwa.A256GCM}
		if _, err := oaep.Public().EncryptKey(ctx, cekOf(jwa.A256GCM), &w); err != nil {
			t.Fatal(err)
		}
		w.Encryption = jwa.A128GCM
		if got, err := oaep.DecryptKey(ctx, &w); got != nil || err != jwk.ErrDecrypt {
			t.Errorf("%x, %v", got, err)
		}
	})
	if !fipsEnforced {
		t.Run("X25519 of small order", func(t *testing.T) {
			k := must[*jwk.DecryptionKey](t)(mustParse(t, xPrivate).DecryptionKey(jwk.Binding{}))
			hpkeX := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE3KEDraft22, ""))
			for _, x := range []string{zero, "AQ" + zero[:41], "4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA", "7P" + strings.Repeat("_", 39) + "38"} {
				e := epk(xEpk, m{"x": x})
				_, err := k.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: e})
				wantCode(t, err, "header.invalid")
				_, err = e.EncryptionKey(jwk.Binding{})
				wantCode(t, err, "key.weak")
				_, err = hpkeX.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: b(32), Encapsulated: unb64(t, x)})
				wantCode(t, err, "header.invalid")
			}
		})
	}
}

func TestNewEncryptionKeyRefuses(t *testing.T) {
	p, r := p256Key(), rsaKey()
	ec := must[*ecdh.PrivateKey](t)(p.ECDH())
	small := *r
	small.D = nil
	// The private part of one key with the public part of another.
	other := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	other.PublicKey = p.PublicKey
	edPub, edPriv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		alg  jwa.Algorithm
		pub  crypto.PublicKey
		encs []jwa.Encryption
		code string
	}{
		"no algorithm":     {jwa.Algorithm{}, &r.PublicKey, nil, "alg.mismatch"},
		"signatures":       {jwa.RS256, &r.PublicKey, nil, "key.use"},
		"EC signatures":    {jwa.ES256, &p.PublicKey, nil, "key.use"},
		"RSA1_5":           {jwa.RSA1_5, &r.PublicKey, nil, "alg.mismatch"},
		"RSA for ECDH-ES":  {jwa.ECDH_ES, &r.PublicKey, nil, "alg.mismatch"},
		"EC for RSA-OAEP":  {jwa.RSA_OAEP_256, &p.PublicKey, nil, "alg.mismatch"},
		"EC for A128KW":    {jwa.A128KW, &p.PublicKey, nil, "alg.mismatch"},
		"P-256 for HPKE-1": {jwa.ExperimentalHPKE1KEDraft22, &p.PublicKey, nil, "alg.mismatch"},
		"nil":              {jwa.ECDH_ES, nil, nil, "key.unsupported"},
		"nil RSA":          {jwa.RSA_OAEP_256, (*rsa.PublicKey)(nil), nil, "key.invalid"},
		"nil EC":           {jwa.ECDH_ES, (*ecdsa.PublicKey)(nil), nil, "key.invalid"},
		"nil ECDH":         {jwa.ECDH_ES, (*ecdh.PublicKey)(nil), nil, "key.invalid"},
		"Ed25519":          {jwa.ECDH_ES, edPub, nil, "key.unsupported"},
		"private RSA":      {jwa.RSA_OAEP_256, r, nil, "key.private"},
		"private EC":       {jwa.ECDH_ES, p, nil, "key.private"},
		"private ECDH":     {jwa.ECDH_ES, ec, nil, "key.private"},
		"zero encryption":  {jwa.ECDH_ES, &p.PublicKey, []jwa.Encryption{jwa.A128GCM, {}}, "alg.mismatch"},
		"weak RSA":         {jwa.RSA_OAEP_256, &rsa.PublicKey{N: r.Primes[0], E: 65537}, nil, "key.weak"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := jwk.NewEncryptionKey(c.alg, "", c.pub, c.encs...)
			if k != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
		})
	}
	for name, c := range map[string]struct {
		alg  jwa.Algorithm
		priv any
		code string
	}{
		"nil":             {jwa.ECDH_ES, nil, "key.unsupported"},
		"nil RSA":         {jwa.RSA_OAEP_256, (*rsa.PrivateKey)(nil), "key.invalid"},
		"nil EC":          {jwa.ECDH_ES, (*ecdsa.PrivateKey)(nil), "key.invalid"},
		"empty EC":        {jwa.ECDH_ES, new(ecdsa.PrivateKey), "key.invalid"},
		"nil ECDH":        {jwa.ECDH_ES, (*ecdh.PrivateKey)(nil), "key.invalid"},
		"EC without d":    {jwa.ECDH_ES, &ecdsa.PrivateKey{PublicKey: p.PublicKey}, "key.invalid"},
		"Ed25519":         {jwa.ECDH_ES, edPriv, "key.unsupported"},
		"public":          {jwa.ECDH_ES, &p.PublicKey, "key.unsupported"},
		"RSA1_5":          {jwa.RSA1_5, r, "alg.mismatch"},
		"RSA without d":   {jwa.RSA_OAEP_256, &small, "key.invalid"},
		"other public EC": {jwa.ECDH_ES, other, "key.invalid"},
		"signatures":      {jwa.RS256, r, "key.use"},
		"P-256 for HPKE":  {jwa.ExperimentalHPKE2KEDraft22, p, "alg.mismatch"},
	} {
		t.Run("private "+name, func(t *testing.T) {
			k, err := jwk.NewDecryptionKey(c.alg, "", c.priv)
			if k != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
			if c.code == "key.unsupported" && !strings.Contains(err.Error(), "does not decrypt") {
				t.Error(err)
			}
		})
	}
	_, err = jwk.NewRemoteDecryptionKey(jwa.ECDH_ES, "", &p.PublicKey, nil)
	wantCode(t, err, "key.invalid")
	never := func(context.Context, []byte, crypto.DecrypterOpts) ([]byte, error) { return nil, io.EOF }
	_, err = jwk.NewRemoteDecryptionKey(jwa.RSA1_5, "", &r.PublicKey, never)
	wantCode(t, err, "alg.mismatch")
	for name, c := range map[string]struct {
		alg       jwa.Algorithm
		crv, code string
	}{
		"signatures":          {jwa.ES256, "", "key.use"},
		"none":                {jwa.Algorithm{}, "", "key.use"},
		"shared":              {jwa.A128KW, "", "alg.mismatch"},
		"dir":                 {jwa.Dir, "", "alg.mismatch"},
		"RSA1_5":              {jwa.RSA1_5, "", "alg.mismatch"},
		"RSA with a curve":    {jwa.RSA_OAEP_256, "P-256", "alg.mismatch"},
		"HPKE of other curve": {jwa.ExperimentalHPKE0Draft22, "P-384", "alg.mismatch"},
		"unknown curve":       {jwa.ECDH_ES, "X448", "key.unsupported"},
	} {
		_, err := jwk.GenerateDecryptionKey(c.alg, c.crv)
		if err == nil {
			t.Error(name)
		}
		wantCode(t, err, c.code)
	}
}

func TestNewSharedKeyRefuses(t *testing.T) {
	key := func(n int) []byte { return bytes.Repeat([]byte{7}, n) }
	for name, c := range map[string]struct {
		alg    jwa.Algorithm
		secret []byte
		encs   []jwa.Encryption
		code   string
	}{
		"empty":           {jwa.A128KW, nil, nil, "key.invalid"},
		"short":           {jwa.A128KW, key(15), nil, "key.invalid"},
		"long":            {jwa.A128KW, key(24), nil, "key.invalid"},
		"GCM short":       {jwa.A256GCMKW, key(16), nil, "key.invalid"},
		"no algorithm":    {jwa.Algorithm{}, key(16), nil, "alg.mismatch"},
		"HMAC":            {jwa.HS256, key(32), nil, "alg.mismatch"},
		"PBES2":           {jwa.PBES2_HS256_A128KW, key(16), nil, "alg.mismatch"},
		"ECDH-ES":         {jwa.ECDH_ES_A128KW, key(16), nil, "alg.mismatch"},
		"dir without enc": {jwa.Dir, key(16), nil, "alg.mismatch"},
		"dir with two":    {jwa.Dir, key(16), []jwa.Encryption{jwa.A128GCM, jwa.A256GCM}, "alg.mismatch"},
		"dir short":       {jwa.Dir, key(16), []jwa.Encryption{jwa.A256GCM}, "key.invalid"},
		"dir zero enc":    {jwa.Dir, nil, []jwa.Encryption{{}}, "alg.mismatch"},
		"zero enc":        {jwa.A128KW, key(16), []jwa.Encryption{{}}, "alg.mismatch"},
		"PEM":             {jwa.Dir, []byte(`-----BEGIN PUBLIC KEY-----MIGf-----END PUBLIC KEY-----1234567890`)[:64], []jwa.Encryption{jwa.A256CBC_HS512}, "key.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := jwk.NewSharedKey(c.alg, "", c.secret, c.encs...)
			if k != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
			if name == "PEM" && !strings.Contains(err.Error(), "PEM") {
				t.Error(err)
			}
		})
	}
	for name, c := range map[string]struct {
		alg      jwa.Algorithm
		password string
		encs     []jwa.Encryption
		code     string
	}{
		"empty":        {jwa.PBES2_HS256_A128KW, "", nil, "key.weak"},
		"too long":     {jwa.PBES2_HS256_A128KW, strings.Repeat("a", 64<<10+1), nil, "key.limit"},
		"JWK":          {jwa.PBES2_HS256_A128KW, octSecret, nil, "key.invalid"},
		"no PBES2":     {jwa.A128KW, "1234567890123456", nil, "alg.mismatch"},
		"no algorithm": {jwa.Algorithm{}, "secret", nil, "alg.mismatch"},
		"zero enc":     {jwa.PBES2_HS256_A128KW, "secret", []jwa.Encryption{{}}, "alg.mismatch"},
	} {
		t.Run("password "+name, func(t *testing.T) {
			k, err := jwk.NewPassword(c.alg, "", []byte(c.password), c.encs...)
			if k != nil {
				t.Error("a key beside the error")
			}
			wantCode(t, err, c.code)
		})
	}
	_, err := jwk.GenerateSharedKey(jwa.Dir)
	wantCode(t, err, "alg.mismatch")
	_, err = jwk.GenerateSharedKey(jwa.PBES2_HS256_A128KW)
	wantCode(t, err, "alg.mismatch")
}

// hardware hides a key behind the interfaces of the standard library.
type hardware struct {
	ecdh.KeyExchanger
	fail error
}

func (h hardware) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	if h.fail != nil {
		return nil, h.fail
	}
	return h.KeyExchanger.ECDH(peer)
}

type decrypter struct{ crypto.Decrypter }

func TestKeysOutOfReach(t *testing.T) {
	ctx := context.Background()
	ec := must[*ecdh.PrivateKey](t)(p256Key().ECDH())
	broken := errors.New("the hardware is on fire")
	for name, c := range map[string]struct {
		alg  jwa.Algorithm
		priv any
	}{
		"ECDH-ES": {jwa.ECDH_ES_A128KW, hardware{ec, nil}},
		"HPKE":    {jwa.ExperimentalHPKE0KEDraft22, hardware{ec, nil}},
		"RSA":     {jwa.RSA_OAEP_256, decrypter{rsaKey()}},
	} {
		t.Run(name, func(t *testing.T) {
			k := must[*jwk.DecryptionKey](t)(jwk.NewDecryptionKey(c.alg, "h", c.priv, jwa.A256GCM))
			w := jwk.Wrapping{Encryption: jwa.A256GCM}
			cek := cekOf(jwa.A256GCM)
			if _, err := k.Public().EncryptKey(ctx, cek, &w); err != nil {
				t.Fatal(err)
			}
			if got, err := k.DecryptKey(ctx, &w); err != nil || !bytes.Equal(got, cek) {
				t.Errorf("%x, %v", got, err)
			}
			_, err := k.PrivateJWK()
			wantCode(t, err, "key.private")
			if k.Algorithm() != c.alg || k.KeyID() != "h" || len(k.Encryptions()) != 1 || k.JWK().KeyID() != "h" || k.JWK().IsPrivate() {
				t.Error(k)
			}
		})
	}
	k := must[*jwk.DecryptionKey](t)(jwk.NewDecryptionKey(jwa.ECDH_ES, "", hardware{ec, broken}))
	epk := must[jwk.JWK](t)(jwk.FromKey(must[*ecdh.PrivateKey](t)(ecdh.P256().GenerateKey(rand.Reader)).PublicKey()))
	if _, err := k.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &epk}); !errors.Is(err, broken) {
		t.Error(err)
	}
	h := must[*jwk.DecryptionKey](t)(jwk.NewDecryptionKey(jwa.ExperimentalHPKE0Draft22, "", hardware{ec, broken}))
	encapsulated, ciphertext, err := h.Public().Seal(nil, []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Open(ctx, encapsulated, nil, ciphertext); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestRemoteDecryptionKey(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ec := must[*ecdh.PrivateKey](t)(p256Key().ECDH())
	epk := must[jwk.JWK](t)(jwk.FromKey(must[*ecdh.PrivateKey](t)(ecdh.P256().GenerateKey(rand.Reader)).PublicKey()))
	away := errors.New("the service is away")
	agree := jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &epk}
	remote := func(alg jwa.Algorithm, pub crypto.PublicKey, f func(ctx context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error)) *jwk.DecryptionKey {
		return must[*jwk.DecryptionKey](t)(jwk.NewRemoteDecryptionKey(alg, "k", pub, f))
	}
	t.Run("ECDH", func(t *testing.T) {
		for name, c := range map[string]struct {
			z    []byte
			err  error
			code string
		}{
			"zero":  {make([]byte, 32), nil, ""}, // a point of P-256 has that x
			"short": {bytes.Repeat([]byte{1}, 31), nil, "key.invalid"},
			"point": {bytes.Repeat([]byte{4}, 65), nil, "key.invalid"},
			"none":  {nil, nil, "key.invalid"},
			"fine":  {bytes.Repeat([]byte{1}, 32), nil, ""},
			"away":  {nil, away, ""},
		} {
			k := remote(jwa.ECDH_ES, ec.PublicKey(), func(context.Context, []byte, crypto.DecrypterOpts) ([]byte, error) { return c.z, c.err })
			got, err := k.DecryptKey(ctx, &agree)
			switch {
			case c.code != "":
				wantCode(t, err, c.code)
			case !errors.Is(err, c.err) || (err == nil) != (len(got) == 16):
				t.Errorf("%s: %x, %v", name, got, err)
			}
		}
	})
	if !fipsEnforced {
		t.Run("X25519", func(t *testing.T) {
			x := mustParse(t, xEpk)
			pub := must[*ecdh.PublicKey](t)(ecdh.X25519().NewPublicKey(unb64(t, "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08")))
			for _, z := range [][]byte{make([]byte, 32), nil} {
				k := remote(jwa.ECDH_ES, pub, func(context.Context, []byte, crypto.DecrypterOpts) ([]byte, error) { return z, nil })
				_, err := k.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &x})
				wantCode(t, err, "header.invalid")
			}
		})
	}
	t.Run("RSA", func(t *testing.T) {
		w := jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: make([]byte, 256)}
		for name, c := range map[string]struct {
			cek []byte
			err error
			bad bool
		}{
			"fine":  {make([]byte, 16), nil, false},
			"short": {make([]byte, 15), nil, true},
			"away":  {nil, away, true},
			"both":  {make([]byte, 16), away, true},
		} {
			k := remote(jwa.RSA_OAEP_256, &rsaKey().PublicKey, func(_ context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error) {
				if o, ok := opts.(*rsa.OAEPOptions); !ok || o.Hash != crypto.SHA256 || len(input) != 256 {
					t.Errorf("%d bytes, %v", len(input), opts)
				}
				return c.cek, c.err
			})
			got, err := k.DecryptKey(ctx, &w)
			if c.bad && err != jwk.ErrDecrypt || !c.bad && (err != nil || len(got) != 16) {
				t.Errorf("%s: %x, %v", name, got, err)
			}
		}
	})
	t.Run("canceled", func(t *testing.T) {
		for _, alg := range []jwa.Algorithm{jwa.ECDH_ES, jwa.RSA_OAEP_256, jwa.ExperimentalHPKE0Draft22} {
			ctx, cancel := context.WithCancel(ctx)
			var pub crypto.PublicKey = ec.PublicKey()
			if alg == jwa.RSA_OAEP_256 {
				pub = &rsaKey().PublicKey
			}
			k := remote(alg, pub, func(ctx context.Context, _ []byte, _ crypto.DecrypterOpts) ([]byte, error) {
				cancel()
				<-ctx.Done() // the caller's
				return make([]byte, 32), nil
			})
			var err error
			switch alg {
			case jwa.ExperimentalHPKE0Draft22:
				encapsulated, ciphertext, sealErr := k.Public().Seal(nil, nil)
				if sealErr != nil {
					t.Fatal(sealErr)
				}
				_, err = k.Open(ctx, encapsulated, nil, ciphertext)
			default:
				_, err = k.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A256GCM, EphemeralKey: &epk, EncryptedKey: make([]byte, map[bool]int{true: 256}[alg == jwa.RSA_OAEP_256])})
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", alg, err)
			}
		}
	})
}

// What a key is printed as never has its secret.
func TestEncryptionKeysArePrintedSafely(t *testing.T) {
	secret := []byte("0123456789abcdef")
	ec := must[*jwk.DecryptionKey](t)(mustParse(t, bobPrivate).WithKeyID("k").DecryptionKey(jwk.Binding{}))
	for _, k := range []any{
		must[*jwk.SharedKey](t)(jwk.NewSharedKey(jwa.A128KW, "k", secret)),
		must[*jwk.SharedKey](t)(jwk.NewSharedKey(jwa.Dir, "k", secret, jwa.A128GCM)),
		must[*jwk.SharedKey](t)(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "k", secret)),
		ec, *ec, ec.Public(),
		jwk.DecryptionSet{ec},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "key", k)
		marshaled, err := json.Marshal(k)
		for _, s := range []string{
			fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %x %q %d", k, k, k, k, k, k, k), log.String(), string(marshaled),
		} {
			for _, bad := range []string{string(secret), "48 49 50 51", fmt.Sprintf("%x", secret), b64url.EncodeToString(secret), "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw", `"d"`, `"k":`} {
				if strings.Contains(s, bad) {
					t.Errorf("%T shows %q: %s", k, bad, s)
				}
			}
		}
		if _, ok := k.(*jwk.EncryptionKey); ok {
			if err != nil {
				t.Error(err)
			}
		} else {
			wantCode(t, err, "key.private")
		}
	}
}

// fake is an agreement on a curve that only this test knows: X25519 by another name.
func fake() jwk.Agreement {
	c := ecdh.X25519()
	return jwk.Agreement{
		Curve: "X-Test",
		Check: func(public []byte) error {
			_, err := c.NewPublicKey(public)
			return err
		},
		Generate: func() ([]byte, error) {
			k, err := c.GenerateKey(rand.Reader)
			if err != nil {
				return nil, err
			}
			return k.Bytes(), nil
		},
		Public: func(private []byte) ([]byte, error) {
			k, err := c.NewPrivateKey(private)
			if err != nil {
				return nil, err
			}
			return k.PublicKey().Bytes(), nil
		},
		Agree: func(private, public []byte) ([]byte, error) {
			k, err := c.NewPrivateKey(private)
			if err != nil {
				return nil, err
			}
			p, err := c.NewPublicKey(public)
			if err != nil {
				return nil, err
			}
			return k.ECDH(p)
		},
	}
}

func TestAgreement(t *testing.T) {
	if fipsEnforced {
		t.Skip("X25519 is not approved")
	}
	ctx := context.Background()
	a := fake()
	b := jwk.Binding{Agreements: []jwk.Agreement{a}}
	k := must[*jwk.DecryptionKey](t)(jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "X-Test", a))
	private := must[jwk.JWK](t)(k.PrivateJWK())
	text := string(must[[]byte](t)(private.MarshalPrivateJSON()))
	if private.KeyType() != "OKP" || private.Curve() != "X-Test" || private.Algorithm() != "ECDH-ES+A256KW" {
		t.Error(text)
	}
	read := must[*jwk.DecryptionKey](t)(mustParse(t, text).DecryptionKey(b))
	pub := must[*jwk.EncryptionKey](t)(mustParse(t, string(must[[]byte](t)(k.JWK().MarshalJSON()))).EncryptionKey(b))
	if thumbprint := must[string](t)(private.Thumbprint(crypto.SHA256)); thumbprint != pub.KeyID() {
		t.Errorf("kid %s", pub.KeyID())
	}
	w := jwk.Wrapping{Encryption: jwa.A128GCM}
	if _, err := pub.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); err != nil {
		t.Fatal(err)
	}
	if got, err := read.DecryptKey(ctx, &w); err != nil || !bytes.Equal(got, cekOf(jwa.A128GCM)) {
		t.Errorf("%x, %v", got, err)
	}
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+members(t, text, map[string]any{"alg": nil})+`]}`), b)
	if err != nil || len(set) != 1 || set[0].Algorithm() != jwa.ECDH_ES {
		t.Error(set, skipped, err)
	}
	for name, c := range map[string]struct{ epk, code string }{
		"no x":        {`{"kty":"OKP","crv":"X-Test"}`, "key.invalid"},
		"short":       {`{"kty":"OKP","crv":"X-Test","x":"AAAA"}`, "key.invalid"},
		"padded":      {`{"kty":"OKP","crv":"X-Test","x":"AA=="}`, "key.invalid"},
		"small order": {`{"kty":"OKP","crv":"X-Test","x":"` + strings.Repeat("A", 43) + `"}`, "header.invalid"},
		"X25519":      {xEpk, "header.invalid"},
	} {
		epk := mustParse(t, c.epk)
		bad := w
		bad.EphemeralKey = &epk
		if _, err := read.DecryptKey(ctx, &bad); err == nil {
			t.Error(name)
		} else {
			wantCode(t, err, c.code)
		}
	}
	for name, c := range map[string]struct {
		changes map[string]any
		b       jwk.Binding
		code    string
	}{
		"unknown":     {nil, jwk.Binding{}, "key.unsupported"},
		"d of other":  {map[string]any{"d": strings.Repeat("A", 43)}, b, "key.invalid"},
		"d padded":    {map[string]any{"d": "AA=="}, b, "key.invalid"},
		"d short":     {map[string]any{"d": "AAAA"}, b, "key.invalid"},
		"no d":        {map[string]any{"d": nil}, b, "key.private"},
		"x short":     {map[string]any{"x": "AAAA"}, b, "key.invalid"},
		"HPKE":        {map[string]any{"alg": "HPKE-3"}, jwk.Binding{Agreements: b.Agreements, Algorithms: []jwa.Algorithm{jwa.ExperimentalHPKE3Draft22}}, "alg.mismatch"},
		"zero enc":    {nil, jwk.Binding{Agreements: b.Agreements, Encryptions: []jwa.Encryption{{}}}, "alg.mismatch"},
		"for signing": {map[string]any{"alg": nil, "use": "sig"}, b, "key.use"},
	} {
		_, err := mustParse(t, members(t, text, c.changes)).DecryptionKey(c.b)
		if err == nil {
			t.Error(name)
		}
		wantCode(t, err, c.code)
	}
	// What fails in the extension is told, and what it returns beside an error is not used.
	broken := errors.New("no randomness")
	lax := fake()
	lax.Check = func([]byte) error { return nil }
	lax.Agree = func([]byte, []byte) ([]byte, error) { return bytes.Repeat([]byte{1}, 32), broken }
	laxKey := must[*jwk.DecryptionKey](t)(mustParse(t, text).DecryptionKey(jwk.Binding{Agreements: []jwk.Agreement{lax}}))
	_, err = laxKey.DecryptKey(ctx, &w)
	wantCode(t, err, "header.invalid")
	padded, onWire := mustParse(t, `{"kty":"OKP","crv":"X-Test","x":"AA=="}`), w
	onWire.EphemeralKey = &padded
	_, err = laxKey.DecryptKey(ctx, &onWire)
	wantCode(t, err, "key.invalid")
	refusing := fake()
	refusing.Public = func([]byte) ([]byte, error) { return nil, broken }
	if _, err := mustParse(t, text).DecryptionKey(jwk.Binding{Agreements: []jwk.Agreement{refusing}}); !errors.Is(err, broken) {
		t.Error(err)
	}
	_, err = mustParse(t, `{"kty":"OKP","crv":"X-Test","x":"AAAA"}`).EncryptionKey(b)
	wantCode(t, err, "key.invalid")
	if _, err := mustParse(t, members(t, text, map[string]any{"d": "AA=="})).DecryptionKey(b); err == nil || !strings.Contains(err.Error(), "canonical") {
		t.Error(err)
	}
	bad := fake()
	bad.Generate = func() ([]byte, error) { return nil, broken }
	if _, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X-Test", bad); !errors.Is(err, broken) {
		t.Error(err)
	}
	pub = must[*jwk.EncryptionKey](t)(k.JWK().EncryptionKey(jwk.Binding{Agreements: []jwk.Agreement{bad}}))
	if _, err := pub.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); !errors.Is(err, broken) {
		t.Error(err)
	}
	bad = fake()
	bad.Public = func([]byte) ([]byte, error) { return nil, broken }
	if _, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X-Test", bad); !errors.Is(err, broken) {
		t.Error(err)
	}
	pub = must[*jwk.EncryptionKey](t)(k.JWK().EncryptionKey(jwk.Binding{Agreements: []jwk.Agreement{bad}}))
	if _, err := pub.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestUnwrappingAllocates(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("instrumented")
	}
	ctx := context.Background()
	kw := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128KW))
	gcm := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128GCMKW))
	dir := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.Dir, jwa.A256GCM))
	for name, c := range map[string]struct {
		key     *jwk.SharedKey
		cek     []byte
		enc     jwa.Encryption
		ceiling float64
	}{
		"dir":       {dir, nil, jwa.A256GCM, 0},
		"A128KW":    {kw, cekOf(jwa.A128CBC_HS256), jwa.A128CBC_HS256, 1},
		"A128GCMKW": {gcm, cekOf(jwa.A256GCM), jwa.A256GCM, 3},
	} {
		w := jwk.Wrapping{Encryption: c.enc}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.key.EncryptKey(ctx, c.cek, &w); err != nil {
				t.Fatal(err)
			}
		}); n > c.ceiling {
			t.Errorf("%s: encrypting takes %v allocations", name, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.key.DecryptKey(ctx, &w); err != nil {
				t.Fatal(err)
			}
		}); n > c.ceiling {
			t.Errorf("%s: decrypting takes %v allocations", name, n)
		}
	}
}

func FuzzDecryptKey(f *testing.F) {
	ctx := context.Background()
	k := must[*jwk.DecryptionKey](f)(mustParse(f, bobPrivate).DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES_A128KW}}))
	gcm := must[*jwk.SharedKey](f)(jwk.GenerateSharedKey(jwa.A128GCMKW))
	kw := must[*jwk.SharedKey](f)(jwk.GenerateSharedKey(jwa.A128KW))
	rsaKey := must[*jwk.DecryptionKey](f)(jwk.NewDecryptionKey(jwa.RSA_OAEP_256, "", rsaKey()))
	hpke := must[*jwk.DecryptionKey](f)(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0KEDraft22, ""))
	f.Add(alicePub, make([]byte, 24), []byte("Alice"))
	f.Add(`{"kty":"EC","crv":"P-256","x":"","y":""}`, []byte{}, []byte{})
	f.Add(xEpk, make([]byte, 256), make([]byte, 12))
	f.Fuzz(func(t *testing.T, epk string, encrypted, other []byte) {
		w := jwk.Wrapping{Encryption: jwa.A128GCM, EncryptedKey: encrypted, PartyU: other, IV: other, Tag: other, Encapsulated: other}
		if j, err := jwk.Parse([]byte(epk)); err == nil {
			w.EphemeralKey = &j
		}
		for _, d := range []jwk.Decrypter{k, gcm, kw, rsaKey, hpke} {
			if cek, err := d.DecryptKey(ctx, &w); err == nil {
				t.Errorf("%s took it: %x", d.Algorithm(), cek)
			}
		}
	})
}
