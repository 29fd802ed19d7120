package jwe_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// Fuzzers cannot encrypt, so these do it for them: what stands where the ciphertext
// goes is taken for the plaintext, and what is left is everything else.

var fuzzOptions = jwe.Options{Critical: []string{"ext"}}

func FuzzCompact(f *testing.F) {
	f.Add(encode(plain) + "..." + encode("hello") + ".")
	f.Add(encode(`{"alg":"dir","enc":"A128GCM","jwk":{"kty":"oct","k":"AA"},"x5c":["AQID"],"ext":{"a":[1]},"crit":["ext"]}`) + "..AA." + encode("hello") + ".AA")
	f.Add(encode(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..." + b64url.EncodeToString([]byte{1, 0, 0, 0xff, 0xff}) + ".")
	f.Add(encode(`{"alg":"dir","enc":"A128GCM","apu":"AA","p2c":7,"epk":`+privateJWK+`}`) + "....")
	f.Add(encode(`{"alg":"A128KW","enc":"A128GCM"}`) + ".AAAA.AAAAAAAAAAAAAAAA..AAAAAAAAAAAAAAAAAAAAAA")
	keys := jwk.DecryptionSet{direct(f, "")}
	f.Fuzz(func(t *testing.T, token string) {
		_, _ = jwe.Decrypt(ctx, keys, token, fuzzOptions)
		header, rest, _ := strings.Cut(token, ".")
		if parts := strings.Split(rest, "."); len(parts) == 4 {
			plaintext, err := b64url.DecodeString(parts[2])
			if err != nil {
				return
			}
			token = header + "." + parts[0] + sealed(t, header, string(plaintext))
		}
		m, err := jwe.Decrypt(ctx, keys, token, fuzzOptions)
		if err != nil {
			return
		}
		// What is accepted has one spelling.
		parts := strings.Split(token, ".")
		if len(parts) != 5 {
			t.Fatalf("%q has not five parts", token)
		}
		for i, p := range parts {
			parts[i] = b64url.EncodeToString(must(b64url.DecodeString(p))(t))
		}
		if again := strings.Join(parts, "."); again != token {
			t.Errorf("%q is written %q", token, again)
		}
		headerRoundTrip(t, m.Header)
		again := encrypt(t, direct(t, ""), jwa.A128GCM, writable(m.Header), string(m.Plaintext))
		n, err := jwe.Decrypt(ctx, keys, again, jwe.Options{Critical: fuzzOptions.Critical, MaxSize: 1 << 20, MaxHeader: 1 << 20, MaxRatio: 1 << 20})
		if err != nil || !bytes.Equal(n.Plaintext, m.Plaintext) {
			t.Errorf("%q becomes %q: %v", m.Plaintext, again, err)
		}
	})
}

// writable leaves out of a header what its key writes.
func writable(h jwe.Header) jwe.Header {
	h.EphemeralKey, h.IV, h.Tag, h.Salt, h.Encapsulated = nil, nil, nil, nil, nil
	return h
}

// headerRoundTrip holds a header that was accepted to being written and read again.
func headerRoundTrip(t *testing.T, h jwe.Header) {
	t.Helper()
	raw := must(json.Marshal(h))(t)
	o := fuzzOptions
	o.MaxHeader = 1 << 20
	again, err := jwe.ParseHeader(b64url.EncodeToString(raw), o)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if fixed := must(json.Marshal(again))(t); !bytes.Equal(raw, fixed) {
		t.Errorf("%s becomes %s", raw, fixed)
	}
	// Compared as JSON above.
	h.JWK, again.JWK, h.EphemeralKey, again.EphemeralKey, h.Extra, again.Extra = nil, nil, nil, nil, nil, nil
	if !reflect.DeepEqual(h, again) {
		t.Errorf("%+v becomes %+v", h, again)
	}
}

func FuzzJSON(f *testing.F) {
	for _, d := range []string{
		document(f, plain, ""), document(f, plain, `"aad":"AAAA","unprotected":{"cty":"x"},`), document(f, plain, `"recipients":[{}],`),
		document(f, `{"enc":"A128GCM"}`, `"recipients":[{"header":{"alg":"A128KW","kid":"a"},"encrypted_key":"AA"},{"header":{"alg":"A192KW"}}],`),
		document(f, `{"alg":"dir","enc":"A128GCM","crit":["ext"],"ext":1}`, `"header":{"x":[1]},`),
		strings.Replace(document(f, plain, `"unprotected":`+plain+`,`), `"protected"`, `"y"`, 1),
	} {
		f.Add(d)
	}
	keys := jwk.DecryptionSet{direct(f, "")}
	f.Fuzz(func(t *testing.T, doc string) {
		for _, o := range []jwe.Options{fuzzOptions, {Critical: fuzzOptions.Critical, AllowUnprotectedHeader: true}} {
			_, _ = jwe.DecryptJSON(ctx, keys, []byte(doc), o)
			m, err := jwe.DecryptJSON(ctx, keys, resealed(t, doc), o)
			if err != nil || o.AllowUnprotectedHeader {
				continue
			}
			headerRoundTrip(t, m.Header)
			// Encrypting the same again gives a document of equal value.
			d, err := jwe.EncryptJSON(ctx, jwa.A128GCM, writable(m.Header), jwe.Header{}, m.AAD, m.Plaintext, jwe.Recipient{Key: direct(t, ""), Header: m.Unprotected})
			if err != nil {
				t.Fatal(err)
			}
			n, err := jwe.DecryptJSON(ctx, keys, d, jwe.Options{Critical: o.Critical, MaxSize: 1 << 20, MaxHeader: 1 << 20, MaxRatio: 1 << 20})
			if err != nil || !bytes.Equal(n.Plaintext, m.Plaintext) || !bytes.Equal(n.AAD, m.AAD) {
				t.Fatalf("%s: %v", d, err)
			}
			for _, pair := range [][2]jwe.Header{{writable(m.Header), n.Header}, {m.Unprotected, n.Unprotected}} {
				a, b := must(json.Marshal(pair[0]))(t), must(json.Marshal(pair[1]))(t)
				if !bytes.Equal(a, b) {
					t.Errorf("%s becomes %s", a, b)
				}
			}
		}
	})
}

// resealed makes the content of a document good where it can be read.
func resealed(t testing.TB, doc string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(doc), &m) != nil {
		return []byte(doc)
	}
	var protected, aad, ciphertext string
	for name, s := range map[string]*string{"protected": &protected, "aad": &aad, "ciphertext": &ciphertext} {
		if raw, ok := m[name]; ok && json.Unmarshal(raw, s) != nil {
			return []byte(doc)
		}
	}
	plaintext, err := b64url.DecodeString(ciphertext)
	if err != nil {
		return []byte(doc)
	}
	if aad != "" {
		protected += "." + aad
	}
	p := strings.Split(sealed(t, protected, string(plaintext)), ".")
	for name, text := range map[string]string{"iv": p[1], "ciphertext": p[2], "tag": p[3]} {
		m[name] = must(json.Marshal(text))(t)
	}
	return must(json.Marshal(m))(t)
}
