package jwe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// decryptionKey binds a JWK, or a password, to an algorithm.
func decryptionKey(t testing.TB, alg jwa.Algorithm, raw []byte, password string) jwk.Decrypter {
	t.Helper()
	if password != "" {
		k, err := jwk.NewPassword(alg, "", []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	j, err := jwk.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	b := jwk.Binding{Algorithms: []jwa.Algorithm{alg}, AllowRSA1_5DespitePaddingOracles: true}
	if j.KeyType() == "oct" {
		k, err := j.SharedKey(b)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k, err := j.DecryptionKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func lookup(t testing.TB, name string) jwa.Algorithm {
	t.Helper()
	alg, ok := jwa.Lookup(name)
	if !ok {
		t.Fatal("no algorithm " + name)
	}
	return alg
}

// TestRFCs decrypts what the appendices of RFC 7516, 7517 and 7519 print.
func TestRFCs(t *testing.T) {
	notEnforced(t) // RSA1_5 and OAEP with SHA-1
	data, err := os.ReadFile(filepath.Join("testdata", "rfc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Alg, Password, Token string
		Key, Document              json.RawMessage
		Plaintext, Contains        string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			keys := jwk.DecryptionSet{decryptionKey(t, lookup(t, c.Alg), c.Key, c.Password)}
			m, err := open(keys, c.Token, c.Document, jwe.Options{AllowUnprotectedHeader: true})
			if err != nil {
				t.Fatal(err)
			}
			if c.Contains == "" && string(m.Plaintext) != c.Plaintext || !strings.Contains(string(m.Plaintext), c.Contains) {
				t.Errorf("%q", m.Plaintext)
			}
		})
	}
}

// open reads a token, or a document where there is none.
func open(keys jwk.DecryptionSource, token string, document []byte, o jwe.Options) (*jwe.Message, error) {
	if token != "" {
		return jwe.Decrypt(context.Background(), keys, token, o)
	}
	return jwe.DecryptJSON(context.Background(), keys, document, o)
}

// cookbook is a file of RFC 7520.
type cookbook struct {
	Input struct {
		Plaintext string
		Key       json.RawMessage
		Pwd       string
		Alg       json.RawMessage
		AAD       string
	}
	Output struct {
		Compact  string
		JSON     json.RawMessage
		JSONFlat json.RawMessage `json:"json_flat"`
	}
}

// asList makes a list of what may be one.
func asList[T any](t *testing.T, raw []byte) (list []T) {
	t.Helper()
	if raw == nil {
		return nil
	}
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		t.Fatal(err)
	}
	return []T{one}
}

// TestRFC7520 decrypts Sections 5.1 to 5.13, in each form that they print, and the
// example of RFC 8037 that goes with them.
func TestRFC7520(t *testing.T) {
	notEnforced(t)
	dir := filepath.Join(testvectors.Dir(t), "rfc7520")
	files, err := filepath.Glob(filepath.Join(dir, "jwe", "5_*.json"))
	if err != nil || len(files) != 13 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, filepath.Join(dir, "curve25519", "ecdh-es.json")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v cookbook
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			keys := asList[json.RawMessage](t, v.Input.Key)
			if keys == nil {
				keys = []json.RawMessage{nil}
			}
			read := 0
			for i, name := range asList[string](t, v.Input.Alg) {
				set := jwk.DecryptionSet{decryptionKey(t, lookup(t, name), keys[i], v.Input.Pwd)}
				for form, document := range [][]byte{v.Output.JSON, v.Output.JSONFlat, []byte(v.Output.Compact)} {
					token := ""
					switch {
					case form == 2:
						token = v.Output.Compact
						fallthrough
					case len(document) == 0:
						if token == "" {
							continue
						}
					}
					m, err := open(set, token, document, jwe.Options{AllowUnprotectedHeader: true})
					if err != nil {
						t.Fatalf("%s, form %d: %v", name, form, err)
					}
					read++
					if string(m.Plaintext) != v.Input.Plaintext || m.Recipient != i || m.Key != set[0] {
						t.Errorf("%s, form %d: %q for %d", name, form, m.Plaintext, m.Recipient)
					}
					if string(m.AAD) != v.Input.AAD {
						t.Errorf("%s, form %d: aad %q", name, form, m.AAD)
					}
					// Without the option, the sections where it is needed are refused for it.
					_, err = open(set, token, document, jwe.Options{})
					if base := filepath.Base(file); strings.HasPrefix(base, "5_11") || strings.HasPrefix(base, "5_12") {
						wantCode(t, err, "header.unprotected")
					} else if err != nil {
						t.Error(err)
					}
				}
			}
			if read == 0 {
				t.Error("nothing was read")
			}
		})
	}
}

// TestRFC7520Nested opens Section 6: what is encrypted is signed.
func TestRFC7520Nested(t *testing.T) {
	notEnforced(t)
	data, err := os.ReadFile(filepath.Join(testvectors.Dir(t), "rfc7520", "6.nesting_signatures_and_encryption.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Sign struct {
			Input struct {
				Payload string
				Key     json.RawMessage
			}
		}
		Encrypt cookbook
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	key := decryptionKey(t, jwa.RSA_OAEP, v.Encrypt.Input.Key, "")
	m, err := jwe.Decrypt(context.Background(), jwk.DecryptionSet{key}, v.Encrypt.Output.Compact, jwe.Options{})
	if err != nil || m.Header.ContentType != "JWT" {
		t.Fatal(m, err)
	}
	j, err := jwk.Parse(v.Sign.Input.Key)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := j.Public().PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}})
	if err != nil {
		t.Fatal(err)
	}
	inner, err := jws.Verify(context.Background(), jwk.Set{signer}, string(m.Plaintext), jws.Options{})
	if err != nil || string(inner.Payload) != v.Sign.Input.Payload {
		t.Fatal(inner, err)
	}
}

// Integrated encryption and key encryption in whole, from the examples of
// draft-ietf-jose-hpke-encrypt.
func TestHPKE(t *testing.T) {
	notEnforced(t) // X25519
	data, err := os.ReadFile(filepath.Join("testdata", "hpke.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Key      json.RawMessage
		Document json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	all := slices.Clone(hpkeAlgorithms)
	for _, c := range cases {
		var name struct{ Alg string }
		if err := json.Unmarshal(c.Key, &name); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(a jwa.Algorithm) bool { return a.Name() == name.Alg })
		if i < 0 {
			t.Fatal(name.Alg)
		}
		key := decryptionKey(t, all[i], c.Key, "")
		m, err := jwe.DecryptJSON(context.Background(), jwk.DecryptionSet{key}, c.Document, jwe.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name.Alg, err)
		}
		if !bytes.HasPrefix(m.Plaintext, []byte("You can trust us to stick with you")) || string(m.AAD) != "The Fellowship of the Ring" {
			t.Errorf("%s: %q, %q", name.Alg, m.Plaintext, m.AAD)
		}
	}
}

var hpkeAlgorithms = []jwa.Algorithm{
	jwa.ExperimentalHPKE0Draft22, jwa.ExperimentalHPKE1Draft22, jwa.ExperimentalHPKE2Draft22,
	jwa.ExperimentalHPKE3Draft22, jwa.ExperimentalHPKE4Draft22, jwa.ExperimentalHPKE7Draft22,
	jwa.ExperimentalHPKE0KEDraft22, jwa.ExperimentalHPKE1KEDraft22, jwa.ExperimentalHPKE2KEDraft22,
	jwa.ExperimentalHPKE3KEDraft22, jwa.ExperimentalHPKE4KEDraft22, jwa.ExperimentalHPKE7KEDraft22,
}

// rfcKey is the RSA key of RFC 7516, Appendix A.1.
func rfcKey(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "rfc.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ Key json.RawMessage }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases[0].Key
}

// TestSeedMetadata holds that all which the metadata of a real OpenID provider offers for
// ID tokens is in the table.
func TestSeedMetadata(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testvectors.Seeds(t), "004_*.txt"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		n     int
		known func(string) bool
	}{
		{"id_token_encryption_alg_values_supported", 17, func(name string) bool {
			a, ok := jwa.Lookup(name)
			return ok && slices.Contains(jwa.KeyManagement(), a)
		}},
		{"id_token_encryption_enc_values_supported", 6, func(name string) bool {
			e, ok := jwa.LookupEncryption(name)
			return ok && slices.Contains(jwa.Encryptions(), e)
		}},
	} {
		_, list, _ := strings.Cut(string(data), `"`+c.name+`": `)
		var got []string
		if err := json.NewDecoder(strings.NewReader(list)).Decode(&got); err != nil || len(got) != c.n {
			t.Fatalf("%s: %q, %v", c.name, got, err)
		}
		for _, name := range got {
			if !c.known(name) {
				t.Errorf("%s has %s, which is not in the table", c.name, name)
			}
		}
	}
}
