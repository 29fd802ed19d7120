package attack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// The checks of encryption that no single token shows.

func shared(t *testing.T, alg jwa.Algorithm, encs ...jwa.Encryption) *jwk.SharedKey {
	t.Helper()
	key, err := jwk.GenerateSharedKey(alg, encs...)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sealed(t *testing.T, key jwk.Encrypter, h jwe.Header, plaintext []byte) string {
	t.Helper()
	token, err := jwe.Encrypt(background, key, jwa.Encryption{}, h, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func publishedEncryptionKeys(t *testing.T) {
	private, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(jwk.Set{private.Public()}); err != nil {
		t.Errorf("control: %v", err)
	}
	kept, err := private.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	text, err := kept.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	published, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(published), fmt.Sprintf("%v %+v %#v %s", private, private, private, *private)} {
		if members["d"] == "" || strings.Contains(out, members["d"]) {
			t.Errorf("the private member is printed: %s", out)
		}
	}
	password, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*jwk.SharedKey{shared(t, jwa.A128KW), shared(t, jwa.Dir, jwa.A128GCM), password} {
		_, err := json.Marshal(jwk.Set{key})
		wantCode(t, err, "key.private")
		_, err = json.Marshal(key)
		wantCode(t, err, "key.private")
		description, err := key.PrivateJWK()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := description.MarshalPrivateJSON()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(whole, &members); err != nil {
			t.Fatal(err)
		}
		out := fmt.Sprintf("%v %+v %#v %x %s", key, key, key, key, description)
		if members["k"] == "" || strings.Contains(out, members["k"]) || strings.Contains(out, "correct horse") {
			t.Errorf("the secret is printed: %s", out)
		}
	}
	_, err = json.Marshal(private)
	wantCode(t, err, "key.private")
}

// With compression the length would tell how much of the plaintext is alike (CRIME).
func lengthsTellNothing(t *testing.T) {
	key := shared(t, jwa.A256KW)
	lengths := func(h jwe.Header) (alike, unlike int) {
		random := bytes.Repeat([]byte{'x'}, 2048)
		for i := range 64 {
			sum := sha256.Sum256([]byte{byte(i)})
			copy(random[32*i:], sum[:])
		}
		return len(sealed(t, key, h, bytes.Repeat([]byte{'x'}, 2048))), len(sealed(t, key, h, random))
	}
	if alike, unlike := lengths(jwe.Header{}); alike != unlike {
		t.Errorf("the token of what repeats has %d characters, of what does not %d", alike, unlike)
	}
	if alike, unlike := lengths(jwe.Header{Compressed: true}); alike >= unlike {
		t.Errorf("control: compressed they have %d and %d", alike, unlike)
	}
}

// One key and 10,000 messages: no initialization vector, content encryption key,
// ephemeral key or salt comes twice (NIST SP 800-38D, Section 8).
func nothingRepeats(t *testing.T) {
	ecdh, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	password, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple"))
	if err != nil {
		t.Fatal(err)
	}
	iv := func(_ jwe.Header, parts []string) string { return parts[2] }
	for _, c := range []struct {
		name  string
		key   jwk.Encrypter
		count int
		of    func(h jwe.Header, parts []string) string
	}{
		{"iv of A256GCM", shared(t, jwa.Dir, jwa.A256GCM), 10_000, iv},
		{"iv of A128CBC-HS256", shared(t, jwa.Dir, jwa.A128CBC_HS256), 2_000, iv},
		{"iv of A128GCMKW", shared(t, jwa.A128GCMKW), 10_000, func(h jwe.Header, _ []string) string { return string(h.IV) }},
		// One key wraps one key to one text: that they differ says that the keys do.
		{"key that A128KW wraps", shared(t, jwa.A128KW), 2_000, func(_ jwe.Header, parts []string) string { return parts[1] }},
		{"ephemeral key", ecdh.Public(), 200, func(h jwe.Header, _ []string) string { return string(must(h.EphemeralKey.MarshalJSON())) }},
		{"salt", password, 2, func(h jwe.Header, _ []string) string { return string(h.Salt) }},
	} {
		seen := make(map[string]bool, c.count)
		for range c.count {
			parts := strings.Split(sealed(t, c.key, jwe.Header{Count: 310_000 * btoi(c.name == "salt")}, []byte("the same")), ".")
			h, err := jwe.ParseHeader(parts[0], jwe.Options{})
			if err != nil {
				t.Fatal(err)
			}
			seen[c.of(h, parts)] = true
		}
		if len(seen) != c.count || seen[""] {
			t.Errorf("%s: %d of %d are new", c.name, len(seen), c.count)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Whichever byte is changed, there is no message; and where another recipient's key
// failed before, the plaintext is still the right one.
func noPlaintextBesideAnError(t *testing.T) {
	plaintext := []byte("attack at dawn, and not before")
	for _, enc := range jwa.Encryptions() {
		key := shared(t, jwa.Dir, enc)
		token := sealed(t, key, jwe.Header{}, plaintext)
		parts := strings.Split(token, ".")
		for i := 2; i < 5; i++ {
			part := must(base64.RawURLEncoding.DecodeString(parts[i]))
			for at := range part {
				changed := bytes.Clone(part)
				changed[at] ^= 0x80
				other := append([]string{}, parts...)
				other[i] = base64.RawURLEncoding.EncodeToString(changed)
				m, err := jwe.Decrypt(background, jwk.DecryptionSet{key}, strings.Join(other, "."), jwe.Options{})
				wantCode(t, err, "dec.failed")
				if m != nil {
					t.Fatalf("%s: %q is returned", enc, m.Plaintext)
				}
			}
		}
		if m, err := jwe.Decrypt(background, jwk.DecryptionSet{key}, token, jwe.Options{}); err != nil || !bytes.Equal(m.Plaintext, plaintext) {
			t.Errorf("%s: control: %v", enc, err)
		}

		first, second, stranger := shared(t, jwa.A128KW), shared(t, jwa.A128KW), shared(t, jwa.A128KW)
		doc, err := jwe.EncryptJSON(background, enc, jwe.Header{}, jwe.Header{}, nil, plaintext, jwe.Recipient{Key: first}, jwe.Recipient{Key: second})
		if err != nil {
			t.Fatal(err)
		}
		// The keys have no names here, so that each is tried.
		nameless := func(k *jwk.SharedKey) jwk.Decrypter {
			secret := must(k.PrivateJWK())
			var members map[string]string
			if err := json.Unmarshal(must(secret.MarshalPrivateJSON()), &members); err != nil {
				t.Fatal(err)
			}
			return must(jwk.NewSharedKey(jwa.A128KW, "", must(base64.RawURLEncoding.DecodeString(members["k"]))))
		}
		m, err := jwe.DecryptJSON(background, jwk.DecryptionSet{nameless(stranger), nameless(second)}, doc, jwe.Options{})
		if err != nil || !bytes.Equal(m.Plaintext, plaintext) || m.Recipient != 1 {
			t.Errorf("%s: the second recipient of two: %v", enc, err)
		}
		m, err = jwe.DecryptJSON(background, jwk.DecryptionSet{nameless(stranger)}, doc, jwe.Options{})
		wantCode(t, err, "dec.failed")
		if m != nil {
			t.Errorf("%s: a stranger has a message", enc)
		}
	}
}
