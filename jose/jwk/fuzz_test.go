package jwk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var everything = jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256, jwa.RS256, jwa.ES256, jwa.ES384, jwa.ES512, jwa.EdDSA}}

// use does with a description what a program could, and checks what must hold.
func use(t *testing.T, j jwk.JWK) {
	full, err := j.MarshalPrivateJSON()
	if err != nil {
		t.Fatalf("what was read cannot be written: %v", err)
	}
	again, err := jwk.Parse(full)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v: %s", err, full)
	}
	twice, err := again.MarshalPrivateJSON()
	if err != nil || !bytes.Equal(full, twice) {
		t.Fatalf("not a fixpoint: %s and %s", full, twice)
	}
	if public, err := j.MarshalJSON(); err == nil {
		p, err := jwk.Parse(public)
		if err != nil || p.IsPrivate() {
			t.Fatalf("%v: %s", err, public)
		}
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
			if _, ok := p.Member(name); ok {
				t.Fatalf("%s is public: %s", name, public)
			}
		}
	}
	_ = j.String()
	_, _ = j.Thumbprint(5)
	_, _ = j.MarshalPEM()
	if k, err := j.PublicKey(everything); err == nil {
		if k.Verify([]byte("m"), make([]byte, 64)) == nil {
			t.Fatal("zeros verify")
		}
		a, err := j.Thumbprint(5)
		b, err2 := k.JWK().Thumbprint(5)
		if err != nil || err2 != nil || a != b {
			t.Fatalf("thumbprints %s, %s: %v, %v", a, b, err, err2)
		}
		der, err := j.MarshalDER()
		if err != nil {
			t.Fatal(err)
		}
		back, err := jwk.ParseDER(der)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := back.Thumbprint(5); err != nil || c != a {
			t.Fatalf("another key came back: %s, %v", c, err)
		}
	}
	if k, err := j.PrivateKey(everything); err == nil {
		sig, err := k.Sign(context.Background(), []byte("m"))
		if err != nil || k.Public().Verify([]byte("m"), sig) != nil {
			t.Fatalf("a bound key does not sign: %v", err)
		}
	}
	if k, err := j.SecretKey(everything); err == nil {
		_, _ = k.Sign(context.Background(), []byte("m"))
	}
	useEncryption(t, j)
}

// useEncryption encrypts to what can be bound for it, and decrypts that again.
func useEncryption(t *testing.T, j jwk.JWK) {
	ctx := context.Background()
	b := jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RSA_OAEP_256, jwa.ECDH_ES_A128KW, jwa.A128KW}}
	cek, w := make([]byte, 16), jwk.Wrapping{Encryption: jwa.A128GCM}
	if k, err := j.EncryptionKey(b); err == nil {
		if _, err := k.EncryptKey(ctx, cek, &w); err != nil {
			t.Fatalf("a bound key does not encrypt: %v", err)
		}
		if private, err := j.DecryptionKey(b); err == nil {
			if got, err := private.DecryptKey(ctx, &w); err != nil || !bytes.Equal(got, cek) {
				t.Fatalf("a bound key does not decrypt: %v", err)
			}
		}
	}
	if k, err := j.SharedKey(b); err == nil {
		_, wErr := k.EncryptKey(ctx, cek, &w)
		if got, err := k.DecryptKey(ctx, &w); wErr == nil && err == nil && !bytes.Equal(got, cek) {
			t.Fatalf("another key comes back: %x", got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		bobPrivate, xPrivate, `{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZg"}`, ecPublic, ecPrivate, edPublic, edPrivate, octSecret, rsaPrivate(f), rsaPublic(f), string(rfc7517()["B"]),
		`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","priv":"AB"}`, `{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","d":"AA"}`,
		`{"kty":"RSA","n":"AQ","e":"AQAB","oth":[]}`, `{"kty":"EC","key_ops":["sign","verify"],"use":"sig","x5c":["AA=="],"x5t":"","x5t#S256":"AA","x5u":"u","a":{"b":[1,null,"\u0041"]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if j, err := jwk.Parse(data); err == nil {
			use(t, j)
			// encoding/json sees the same members, by their exact names.
			var m map[string]json.RawMessage
			if err := json.Unmarshal(data, &m); err != nil {
				t.Fatalf("encoding/json refuses it: %v", err)
			}
			var kty string
			if json.Unmarshal(m["kty"], &kty) != nil || kty != j.KeyType() {
				t.Fatalf("kty %q and %q", kty, j.KeyType())
			}
		}
	})
}

func FuzzParseSet(f *testing.F) {
	for _, section := range []string{"A.1", "A.2", "A.3"} {
		f.Add([]byte(rfc7517()[section]))
	}
	f.Add([]byte(`{"keys":[` + ecPublic + `,null,5,{},{"kty":1},` + octSecret + `,` + edPublic + `]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		descriptions, skipped, err := jwk.ParseJWKs(data)
		set, unbound, err2 := jwk.ParseSet(data, everything)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%v and %v", err, err2)
		}
		if err != nil {
			return
		}
		if len(unbound) < len(skipped) || len(set)+len(unbound) < len(descriptions)+len(skipped) {
			t.Fatalf("%d descriptions, %d skipped, %d keys, %d unbound", len(descriptions), len(skipped), len(set), len(unbound))
		}
		last := map[int]bool{}
		for _, s := range unbound {
			if s.Err == nil || last[s.Index] {
				t.Fatalf("%+v", s)
			}
			last[s.Index] = true
		}
		for _, j := range descriptions {
			use(t, j)
		}
		if public, err := set.MarshalJSON(); err == nil {
			again, skipped, err := jwk.ParseSet(public, everything)
			if err != nil || len(again) != len(set) || len(skipped) != 0 {
				t.Fatalf("%d keys became %d, %v, %v", len(set), len(again), skipped, err)
			}
		}
	})
}

func FuzzParsePEM(f *testing.F) {
	for name, file := range keyFiles(f) {
		if file[0] == '-' {
			f.Add(file)
			_ = name
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if j, err := jwk.ParsePEM(data); err == nil {
			use(t, j)
		}
	})
}

func FuzzParseDER(f *testing.F) {
	for _, file := range keyFiles(f) {
		if file[0] == 0x30 {
			f.Add(file)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := jwk.ParseDER(data)
		if err != nil {
			return
		}
		use(t, j)
		// What is a key is no secret.
		if _, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", data); err == nil {
			t.Fatal("a key was taken for a secret")
		}
		again, err := jwk.ParseDER(data)
		if err != nil || !reflect.DeepEqual(again.X5C(), j.X5C()) {
			t.Fatal(err)
		}
	})
}

// The secrets of a fuzzer: never a panic, and what is accepted signs.
func FuzzSecret(f *testing.F) {
	for _, file := range keyFiles(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", data)
		if err != nil {
			return
		}
		sig, err := k.Sign(context.Background(), data)
		if err != nil || k.Verify(data, sig) != nil {
			t.Fatal(err)
		}
	})
}
