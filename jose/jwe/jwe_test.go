package jwe_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/fips140"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/aead"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// keysOf returns a pair of keys for each algorithm, and for each curve it has.
func keysOf(t testing.TB, alg jwa.Algorithm, enc jwa.Encryption) (pairs map[string]jwk.Decrypter) {
	t.Helper()
	pairs = map[string]jwk.Decrypter{}
	switch alg.Family() {
	case "RSAES":
		pairs[alg.Name()] = rsaKey(t, alg)
	case "ECDH-ES":
		for _, crv := range []string{"P-256", "P-384", "P-521", "X25519"} {
			if crv == "X25519" && fips140.Enforced() {
				continue
			}
			pairs[alg.Name()+" "+crv] = must(jwk.GenerateDecryptionKey(alg, crv))(t)
		}
	case "HPKE":
		if fips140.Enforced() {
			return nil
		}
		pairs[alg.Name()] = must(jwk.GenerateDecryptionKey(alg, ""))(t)
	case "PBES2":
		pairs[alg.Name()] = must(jwk.NewPassword(alg, "", []byte("correct horse battery staple")))(t)
	case "direct":
		pairs[alg.Name()] = must(jwk.GenerateSharedKey(alg, enc))(t)
	default:
		pairs[alg.Name()] = must(jwk.GenerateSharedKey(alg))(t)
	}
	return pairs
}

// publicOf returns the half that encrypts.
func publicOf(k jwk.Decrypter) jwk.Encrypter {
	if d, ok := k.(*jwk.DecryptionKey); ok {
		return d.Public()
	}
	return k.(*jwk.SharedKey)
}

// rsaKey binds the key of RFC 7516, Appendix A.1, which is quicker than a new one.
func rsaKey(t testing.TB, alg jwa.Algorithm) jwk.Decrypter {
	t.Helper()
	return decryptionKey(t, alg, rfcKey(t), "")
}

func algorithms() (all []jwa.Algorithm) {
	for _, name := range strings.Fields(`RSA1_5 RSA-OAEP RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512
		ECDH-ES ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW A128KW A192KW A256KW A128GCMKW A192GCMKW A256GCMKW
		dir PBES2-HS256+A128KW PBES2-HS384+A192KW PBES2-HS512+A256KW`) {
		alg, _ := jwa.Lookup(name)
		all = append(all, alg)
	}
	return append(all, hpkeAlgorithms...)
}

// TestEveryCombination encrypts and decrypts with each algorithm and each encryption,
// in both forms.
func TestEveryCombination(t *testing.T) {
	plaintext := []byte("The true sign of intelligence is not knowledge but imagination.")
	for _, alg := range algorithms() {
		if fips140.Enforced() && (alg == jwa.RSA1_5 || alg == jwa.RSA_OAEP) {
			continue
		}
		for _, enc := range encryptions {
			if alg.Integrated() {
				enc = jwa.Encryption{}
			}
			if alg.Family() == "PBES2" && (enc != jwa.A128GCM || testing.Short() || raceEnabled && alg != jwa.PBES2_HS256_A128KW) {
				continue // each use takes a good part of a second
			}
			for name, key := range keysOf(t, alg, enc) {
				h := jwe.Header{Type: "x", PartyU: []byte("Alice"), PartyV: []byte("Bob"), Extra: map[string]json.RawMessage{"ext": json.RawMessage("1")}, Critical: []string{"ext"}}
				o := jwe.Options{Critical: []string{"ext"}, Algorithms: []jwa.Algorithm{alg}}
				if enc != (jwa.Encryption{}) {
					o.Encryptions = []jwa.Encryption{enc}
				}
				if alg.Family() == "PBES2" {
					h.Count = 310_000
				}
				keys := jwk.DecryptionSet{key}
				token := must(jwe.Encrypt(ctx, publicOf(key), enc, h, plaintext))(t)
				m, err := jwe.Decrypt(ctx, keys, token, o)
				if err != nil || !bytes.Equal(m.Plaintext, plaintext) || m.Key != key {
					t.Fatalf("%s %v: %v", name, enc, err)
				}
				if m.Header.Algorithm != alg.Name() || m.Header.Encryption != enc.Name() || m.Header.KeyID != key.KeyID() || string(m.Header.PartyU) != "Alice" {
					t.Errorf("%s %v: %+v", name, enc, m.Header)
				}
				if alg.Family() == "PBES2" {
					continue
				}
				document := must(jwe.EncryptJSON(ctx, enc, h, jwe.Header{ContentType: "y"}, []byte("aad"), plaintext, jwe.Recipient{Key: publicOf(key)}))(t)
				m, err = jwe.DecryptJSON(ctx, keys, document, o)
				if err != nil || !bytes.Equal(m.Plaintext, plaintext) || string(m.AAD) != "aad" || m.Unprotected.ContentType != "y" {
					t.Fatalf("%s %v: %v", name, enc, err)
				}
			}
			if alg.Integrated() {
				break
			}
		}
	}
}

func TestLengths(t *testing.T) {
	for _, enc := range encryptions {
		key := must(jwk.GenerateSharedKey(jwa.Dir, enc))(t)
		for n := range 300 {
			plaintext := bytes.Repeat([]byte{byte(n)}, n*n%4099)
			m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, must(jwe.Encrypt(ctx, key, enc, jwe.Header{}, plaintext))(t), jwe.Options{})
			if err != nil || !bytes.Equal(m.Plaintext, plaintext) {
				t.Fatalf("%v, %d bytes: %v", enc, len(plaintext), err)
			}
			// Nobody who appends to it changes what is behind it.
			if cap(m.Plaintext) != len(m.Plaintext) {
				t.Fatal("the plaintext has room behind it")
			}
		}
	}
}

func TestChosenEncryption(t *testing.T) {
	any := wrapper(t, "")
	two := must(jwk.NewSharedKey(jwa.A128KW, "", []byte("0123456789abcdef"), jwa.A128CBC_HS256, jwa.A192GCM))(t)
	for _, c := range []struct {
		key  jwk.Encrypter
		enc  jwa.Encryption
		want string
	}{
		{any, jwa.Encryption{}, "A256GCM"},
		{any, jwa.A128GCM, "A128GCM"},
		{two, jwa.Encryption{}, "A128CBC-HS256"},
		{two, jwa.A192GCM, "A192GCM"},
	} {
		h, _, _ := strings.Cut(encrypt(t, c.key, c.enc, jwe.Header{}, "x"), ".")
		if got := must(jwe.ParseHeader(h, jwe.Options{}))(t); got.Encryption != c.want {
			t.Errorf("%s, want %s", got.Encryption, c.want)
		}
	}
	_, err := jwe.Encrypt(ctx, two, jwa.A256GCM, jwe.Header{}, nil)
	wantCode(t, err, "alg.mismatch")
}

func TestWrittenHeader(t *testing.T) {
	key := must(jwk.NewSharedKey(jwa.A128KW, "k", []byte("0123456789abcdef")))(t)
	integrated := must(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0Draft22, ""))(t).Public()
	epk := integrated.JWK()
	secret := must(wrapper(t, "").PrivateJWK())(t)
	ext := func(name string) map[string]json.RawMessage {
		return map[string]json.RawMessage{name: json.RawMessage("1")}
	}
	for _, c := range []struct {
		name, want string
		key        jwk.Encrypter
		enc        jwa.Encryption
		h          jwe.Header
	}{
		{"no key", "key.none", nil, jwa.Encryption{}, jwe.Header{}},
		{"other alg", "alg.mismatch", key, jwa.Encryption{}, jwe.Header{Algorithm: "A256KW"}},
		{"other kid", "header.invalid", key, jwa.Encryption{}, jwe.Header{KeyID: "l"}},
		{"other enc", "header.invalid", key, jwa.A128GCM, jwe.Header{Encryption: "A256GCM"}},
		{"enc of integrated encryption", "enc.present", integrated, jwa.A128GCM, jwe.Header{}},
		{"enc in the header of integrated encryption", "header.invalid", integrated, jwa.Encryption{}, jwe.Header{Encryption: "A128GCM"}},
		{"epk", "header.invalid", key, jwa.Encryption{}, jwe.Header{EphemeralKey: &epk}},
		{"iv", "header.invalid", key, jwa.Encryption{}, jwe.Header{IV: []byte{1}}},
		{"tag", "header.invalid", key, jwa.Encryption{}, jwe.Header{Tag: []byte{1}}},
		{"p2s", "header.invalid", key, jwa.Encryption{}, jwe.Header{Salt: []byte{1}}},
		{"ek", "header.invalid", key, jwa.Encryption{}, jwe.Header{Encapsulated: []byte{1}}},
		{"crit of nothing", "crit.invalid", key, jwa.Encryption{}, jwe.Header{Critical: []string{"x"}}},
		{"crit of a registered name", "crit.invalid", key, jwa.Encryption{}, jwe.Header{Critical: []string{"zip"}, Compressed: true}},
		{"Extra with enc", "header.invalid", key, jwa.Encryption{}, jwe.Header{Extra: ext("enc")}},
		{"Extra with ek", "header.invalid", key, jwa.Encryption{}, jwe.Header{Extra: ext("ek")}},
		{"Extra of integrated encryption", "header.invalid", integrated, jwa.Encryption{}, jwe.Header{Extra: ext("ek")}},
		{"Extra that is no JSON", "json.syntax", key, jwa.Encryption{}, jwe.Header{Extra: map[string]json.RawMessage{"x": json.RawMessage("{")}}},
		{"a secret as jwk", "key.private", key, jwa.Encryption{}, jwe.Header{JWK: &secret}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := jwe.Encrypt(ctx, c.key, c.enc, c.h, []byte("x"))
			wantCode(t, err, c.want)
			if token != "" {
				t.Error("a token beside the error")
			}
		})
	}
	if _, err := (jwe.Header{EphemeralKey: &secret}).MarshalJSON(); err == nil {
		t.Error("a secret as epk is written")
	}
	token := encrypt(t, key, jwa.A128GCM, jwe.Header{Algorithm: "A128KW", Encryption: "A128GCM", KeyID: "k", Extra: ext("x5t")}, "x")
	if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token, jwe.Options{}); err != nil {
		t.Error(err)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	for _, k := range []jwk.Encrypter{key, integrated} {
		if _, err := jwe.Encrypt(done, k, jwa.Encryption{}, jwe.Header{}, nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if _, err := jwe.EncryptJSON(done, jwa.Encryption{}, jwe.Header{}, jwe.Header{}, nil, nil, jwe.Recipient{Key: k}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}

// forge seals under any header, with the key that all tests share.
func forge(t testing.TB, header, plaintext string) string {
	t.Helper()
	encoded := encode(header)
	return encoded + "." + sealed(t, encoded, plaintext)
}

// sealed is the rest of a token of direct.
func sealed(t testing.TB, aad, plaintext string) string {
	t.Helper()
	all := direct(t, "").AEAD().Seal(nil, nil, []byte(plaintext), []byte(aad))
	text := len(all) - 16
	return "." + b64url.EncodeToString(all[:12]) + "." + b64url.EncodeToString(all[12:text]) + "." + b64url.EncodeToString(all[text:])
}

const plain = `{"alg":"dir","enc":"A128GCM"}`

func TestRefusals(t *testing.T) {
	good := forge(t, plain, "x")
	part := strings.Split(good, ".")
	replace := func(i int, with string) string {
		p := slices.Clone(part)
		p[i] = with
		return strings.Join(p, ".")
	}
	other := "AA"
	if part[3] == other { // one time in 256
		other = "AQ"
	}
	headerOf := func(h string) string { return forge(t, h, "x") }
	with := func(members string) string { return headerOf(plain[:len(plain)-1] + "," + members + "}") }
	for _, c := range []struct{ name, token, want string }{
		{"nothing", "", "token.malformed"},
		{"a signed token", "a.b.c", "token.malformed"},
		{"four parts", "a.b.c.d", "token.malformed"},
		{"six parts", good + ".", "token.malformed"},
		{"no header", replace(0, ""), "token.malformed"},
		{"JSON", "{" + good, "token.malformed"},
		{"alphabet of the header", replace(0, part[0]+"+"), "token.malformed"},
		{"alphabet of the key", replace(1, "+A"), "token.malformed"},
		{"alphabet of the vector", replace(2, part[2][1:]+"/"), "token.malformed"},
		{"alphabet of the ciphertext", replace(3, "A="), "token.malformed"},
		{"alphabet of the tag", replace(4, part[4][1:]+"\n"), "token.malformed"},
		{"a line end behind", good + "\n", "token.malformed"},
		{"encoding of the header", replace(0, part[0]+"AA"), "token.encoding"},
		{"encoding of the key", replace(1, "B"), "token.encoding"},
		{"encoding of the vector", replace(2, part[2]+"A"), "token.encoding"},
		{"encoding of the ciphertext", replace(3, "AB"), "token.encoding"},
		{"encoding of the tag", replace(4, part[4][:21]+"B"), "token.encoding"},

		{"header that is no JSON", headerOf("{"), "json.syntax"},
		{"header behind the header", headerOf(plain + "{}"), "json.trailing"},
		{"null", headerOf("null"), "json.type"},
		{"duplicate", with(`"x":1,"x":1`), "json.duplicate"},
		{"no alg", headerOf(`{"enc":"A128GCM"}`), "alg.missing"},
		{"alg none", headerOf(`{"alg":"none","enc":"A128GCM"}`), "alg.none"},
		{"alg None", headerOf(`{"alg":" nOne","enc":"A128GCM"}`), "alg.none"},
		{"alg of signatures", headerOf(`{"alg":"HS256","enc":"A128GCM"}`), "alg.unknown"},
		{"alg that nobody knows", headerOf(`{"alg":"DIR","enc":"A128GCM"}`), "alg.unknown"},
		{"alg of another type", headerOf(`{"alg":["dir"],"enc":"A128GCM"}`), "json.type"},
		{"no enc", headerOf(`{"alg":"dir"}`), "enc.missing"},
		{"no enc of an alg that nobody knows", headerOf(`{"alg":"DIR"}`), "alg.unknown"},
		{"enc that nobody knows", headerOf(`{"alg":"dir","enc":"a128gcm"}`), "enc.unknown"},
		{"enc of another type", headerOf(`{"alg":"dir","enc":null}`), "json.type"},
		{"zip that nobody knows", with(`"zip":"GZIP"`), "zip.unknown"},
		{"zip in lower case", with(`"zip":"def"`), "zip.unknown"},
		{"empty zip", with(`"zip":""`), "zip.unknown"},
		{"zip of another type", with(`"zip":true`), "json.type"},
		{"null zip", with(`"zip":null`), "json.type"},
		{"crit that nobody knows", with(`"crit":["x"],"x":1`), "crit.unknown"},
		{"empty crit", with(`"crit":[]`), "crit.invalid"},
		{"crit of another type", with(`"crit":"x"`), "crit.invalid"},
		{"crit of a registered name", with(`"crit":["enc"]`), "crit.invalid"},
		{"crit of an absent name", with(`"crit":["understood"]`), "crit.invalid"},
		{"crit of a name twice", with(`"crit":["understood","understood"],"understood":1`), "crit.invalid"},
		{"a private jwk", with(`"jwk":` + privateJWK), "key.private"},
		{"a private epk", with(`"epk":` + privateJWK), "key.private"},
		{"a broken jwk", with(`"jwk":{}`), "key.invalid"},
		{"a broken epk", with(`"epk":7`), "json.type"},
		{"empty x5c", with(`"x5c":[]`), "header.invalid"},
		{"base64url x5c", with(`"x5c":["-_-_"]`), "header.invalid"},
		{"apu not encoded", with(`"apu":"+"`), "token.encoding"},
		{"apv not encoded", with(`"apv":"B"`), "token.encoding"},
		{"iv not encoded", with(`"iv":"B"`), "token.encoding"},
		{"tag not encoded", with(`"tag":"B"`), "token.encoding"},
		{"p2s not encoded", with(`"p2s":"B"`), "token.encoding"},
		{"ek not encoded", with(`"ek":"B"`), "token.encoding"},
		{"apu of another type", with(`"apu":7`), "json.type"},
		{"p2c of another type", with(`"p2c":"1000"`), "json.type"},
		{"p2c with a fraction", with(`"p2c":1000.5`), "json.number"},

		{"kid of another key", with(`"kid":"l"`), "key.none"},
		{"alg of another key", headerOf(`{"alg":"A128KW","enc":"A128GCM"}`), "key.none"},
		{"alg of another key of that kid", headerOf(`{"alg":"A128KW","enc":"A128GCM","kid":"k"}`), "alg.mismatch"},
		{"enc of another key", headerOf(`{"alg":"dir","enc":"A192GCM"}`), "alg.mismatch"},
		{"an encrypted key", replace(1, "AA"), "header.invalid"}, // J1
		{"short vector", replace(2, part[2][:12]), "token.malformed"},
		{"long vector", replace(2, part[2]+"AA"), "token.malformed"},
		{"no vector", replace(2, ""), "token.malformed"},
		{"short tag", replace(4, part[4][:20]), "token.malformed"}, // J2
		{"long tag", replace(4, part[4][:20]+"AAAA"), "token.malformed"},
		{"no tag", replace(4, ""), "token.malformed"},

		{"another tag", replace(4, "AAAAAAAAAAAAAAAAAAAAAA"), "dec.failed"},
		{"another vector", replace(2, "AAAAAAAAAAAAAAAA"), "dec.failed"},
		{"another ciphertext", replace(3, other), "dec.failed"},
		{"no ciphertext", replace(3, ""), "dec.failed"},
		{"another header", encode(`{"alg":"dir","enc":"A128GCM" }`) + good[len(part[0]):], "dec.failed"},
		{"compressed and is not", with(`"zip":"DEF"`), "dec.failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{direct(t, "k")}, c.token, jwe.Options{Critical: []string{"understood"}})
			wantCode(t, err, c.want)
			if family, _, _ := strings.Cut(c.want, "."); (family == "alg" || family == "enc") && !errors.Is(err, jwe.ErrAlgorithm) {
				t.Errorf("%v is not ErrAlgorithm", err)
			}
			if m != nil {
				t.Error("a message beside the error")
			}
		})
	}
	if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{direct(t, "k")}, with(`"crit":["understood"],"understood":1`), jwe.Options{Critical: []string{"understood"}}); err != nil {
		t.Error(err)
	}
}

const privateJWK = `{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck","d":"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"}`

// sourceFunc is a source of keys for tests.
type sourceFunc func(q jwk.Query) ([]jwk.Decrypter, error)

func (f sourceFunc) DecryptionKeys(_ context.Context, q jwk.Query) ([]jwk.Decrypter, error) {
	return f(q)
}

func TestKeySources(t *testing.T) {
	token := forge(t, `{"alg":"dir","enc":"A128GCM","kid":"k","x5t#S256":"hash","x5c":["AQID"],"x5u":"https://b","jku":"https://a"}`, "x")
	var asked jwk.Query
	source := func(keys []jwk.Decrypter, err error) sourceFunc {
		return func(q jwk.Query) ([]jwk.Decrypter, error) {
			asked = q
			return keys, err
		}
	}
	key := direct(t, "k")
	other := must(jwk.NewSharedKey(jwa.Dir, "k", []byte("another 16 bytes"), jwa.A128GCM))(t)
	m, err := jwe.Decrypt(ctx, source([]jwk.Decrypter{other, key}, nil), token, jwe.Options{})
	if err != nil || m.Key != key || !reflect.DeepEqual(asked, jwk.Query{Algorithm: "dir", KeyID: "k", X5TS256: "hash", X5C: [][]byte{{1, 2, 3}}, X5U: "https://b", JKU: "https://a"}) {
		t.Errorf("%v %v %v", m, err, asked)
	}
	// The other order: what a first attempt leaves behind is what the second needs.
	if m, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{key, other}, nil), token, jwe.Options{}); err != nil || m.Key != key {
		t.Error(err)
	}
	_, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{other, other}, nil), token, jwe.Options{})
	wantCode(t, err, "dec.failed")
	_, err = jwe.Decrypt(ctx, nil, token, jwe.Options{})
	wantCode(t, err, "key.none")
	_, err = jwe.Decrypt(ctx, source(nil, nil), token, jwe.Options{})
	wantCode(t, err, "key.none")
	_, err = jwe.Decrypt(ctx, source(slices.Repeat([]jwk.Decrypter{key}, 5), nil), token, jwe.Options{})
	wantCode(t, err, "key.ambiguous")
	_, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{wrapper(t, "k")}, nil), token, jwe.Options{})
	wantCode(t, err, "alg.mismatch")
	failure := errors.New("the network is down")
	if _, err = jwe.Decrypt(ctx, source(nil, failure), token, jwe.Options{}); err != failure {
		t.Errorf("%v", err)
	}
	d := []byte(document(t, `{"enc":"A128GCM"}`, `"recipients":[{"header":{"alg":"A128KW","kid":"1"}},{"header":{"alg":"A128KW","kid":"2"}}],`))
	_, err = jwe.DecryptJSON(ctx, sourceFunc(func(q jwk.Query) ([]jwk.Decrypter, error) {
		if q.KeyID == "1" {
			return nil, failure
		}
		return []jwk.Decrypter{wrapper(t, "2")}, nil
	}), d, jwe.Options{})
	if err != failure {
		t.Errorf("%v", err)
	}
	_, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{key}, nil), token, jwe.Options{Algorithms: []jwa.Algorithm{jwa.A128KW}})
	wantCode(t, err, "alg.not_allowed")
	_, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{key}, nil), token, jwe.Options{Encryptions: []jwa.Encryption{jwa.A256GCM}})
	wantCode(t, err, "enc.not_allowed")
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = jwe.Decrypt(done, source([]jwk.Decrypter{key}, nil), token, jwe.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// One that may not decrypt is passed over, or told of where it is the only one.
	j := must(jwk.Parse([]byte(`{"kty":"oct","kid":"k","alg":"A128GCM","k":"MDEyMzQ1Njc4OWFiY2RlZg","key_ops":["encrypt"]}`)))(t)
	noDecrypt := must(j.SharedKey(jwk.Binding{}))(t)
	_, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{noDecrypt}, nil), token, jwe.Options{})
	wantCode(t, err, "key.use")
	if !errors.Is(err, jwe.ErrNoKey) {
		t.Error(err)
	}
	if _, err = jwe.Decrypt(ctx, source([]jwk.Decrypter{noDecrypt, key}, nil), token, jwe.Options{}); err != nil {
		t.Error(err)
	}
}

// What fails in a remote key is not the token's fault.
func TestRemoteFailure(t *testing.T) {
	local := must(ecdh.P256().GenerateKey(nil))(t)
	failure := errors.New("the service is down")
	remote := must(jwk.NewRemoteDecryptionKey(jwa.ECDH_ES, "", local.PublicKey(), func(context.Context, []byte, crypto.DecrypterOpts) ([]byte, error) {
		return nil, failure
	}))(t)
	token := encrypt(t, remote.Public(), jwa.A128GCM, jwe.Header{}, "x")
	if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{remote}, token, jwe.Options{}); err != failure {
		t.Errorf("%v", err)
	}
}

// TestOneError: whatever fails after a secret was used fails alike.
func TestOneError(t *testing.T) {
	flip := func(token string, part int) string {
		p := strings.Split(token, ".")
		b := must(b64url.DecodeString(p[part]))(t)
		b[len(b)/2] ^= 1
		p[part] = b64url.EncodeToString(b)
		return strings.Join(p, ".")
	}
	for _, alg := range algorithms() {
		if alg.Family() == "PBES2" || alg.Direct() && alg != jwa.ECDH_ES || fips140.Enforced() && (alg == jwa.RSA1_5 || alg == jwa.RSA_OAEP) {
			continue
		}
		for _, enc := range []jwa.Encryption{jwa.A128GCM, jwa.A128CBC_HS256} {
			if alg.Integrated() {
				enc = jwa.Encryption{}
			}
			for name, key := range keysOf(t, alg, enc) {
				token := encrypt(t, publicOf(key), enc, jwe.Header{}, "The quick brown fox jumps over the lazy dog.")
				spoilt := map[string]string{"ciphertext": flip(token, 3)}
				if alg != jwa.ECDH_ES && !alg.Integrated() {
					spoilt["key"] = flip(token, 1)
				}
				if !alg.Integrated() {
					spoilt["vector"], spoilt["tag"] = flip(token, 2), flip(token, 4)
				}
				for what, token := range spoilt {
					_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token, jwe.Options{})
					if err != jwe.ErrDecrypt {
						t.Errorf("%s %v: the error of a spoilt %s is %v", name, enc, what, err)
					}
				}
			}
		}
	}
}

// A key that unwraps to one of a wrong length, or is another one, fails in the same way.
func TestWrongContentKey(t *testing.T) {
	notEnforced(t)
	for _, alg := range []jwa.Algorithm{jwa.RSA1_5, jwa.RSA_OAEP, jwa.RSA_OAEP_256} {
		key := rsaKey(t, alg)
		for _, size := range []jwa.Encryption{jwa.A192GCM, jwa.A256GCM, jwa.A256CBC_HS512} {
			w := jwk.Wrapping{Encryption: size}
			cek := must(publicOf(key).EncryptKey(ctx, make([]byte, size.KeySize()), &w))(t)
			encoded := encode(fmt.Sprintf(`{"alg":%q,"enc":"A128GCM"}`, alg))
			all := must(aead.New(jwa.A128GCM, cek[:16]))(t).Seal(nil, nil, []byte("x"), []byte(encoded))
			token := encoded + "." + b64url.EncodeToString(w.EncryptedKey) + "." + b64url.EncodeToString(all[:12]) + "." +
				b64url.EncodeToString(all[12:13]) + "." + b64url.EncodeToString(all[13:])
			if _, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token, jwe.Options{}); err != jwe.ErrDecrypt {
				t.Errorf("%s: %d bytes: %v", alg, size.KeySize(), err)
			}
		}
	}
}

// What is public about a wrapped key is told before it is unwrapped.
func TestPublicFlaws(t *testing.T) {
	ec := must(jwk.GenerateDecryptionKey(jwa.ECDH_ES, "P-256"))(t)
	password := must(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple")))(t)
	gcm := must(jwk.GenerateSharedKey(jwa.A128GCMKW))(t)
	content := ".AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA"
	pbes2 := func(members string) string {
		return encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM",`+members+`}`) + "." + strings.Repeat("A", 32) + content
	}
	for _, c := range []struct {
		name, token, want string
		key               jwk.Decrypter
	}{
		{"no epk", encode(`{"alg":"ECDH-ES","enc":"A128GCM"}`) + "." + content, "header.invalid", ec},
		{"epk of another curve", encode(`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}}`) + "." + content, "header.invalid", ec},
		{"epk off the curve", encode(`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"`+strings.Repeat("A", 43)+`","y":"`+strings.Repeat("A", 43)+`"}}`) + "." + content, "key.invalid", ec}, // J12
		{"an encrypted key", encode(`{"alg":"ECDH-ES","enc":"A128GCM"}`) + ".AA" + content, "header.invalid", ec},                                                                                                  // J1
		{"p2c too low", pbes2(`"p2c":999,"p2s":"AAAAAAAAAAA"`), "header.invalid", password},                                                                                                                        // J8
		{"p2c too high", pbes2(`"p2c":1200001,"p2s":"AAAAAAAAAAA"`), "header.invalid", password},
		{"p2c negative", pbes2(`"p2c":-1,"p2s":"AAAAAAAAAAA"`), "header.invalid", password},
		{"p2c absent", pbes2(`"p2s":"AAAAAAAAAAA"`), "header.invalid", password},
		{"p2s too short", pbes2(`"p2c":1000,"p2s":"AAAAAAAAAA"`), "header.invalid", password},
		{"iv of the key too short", encode(`{"alg":"A128GCMKW","enc":"A128GCM","iv":"AA","tag":"AAAAAAAAAAAAAAAAAAAAAA"}`) + "." + strings.Repeat("A", 22) + content, "header.invalid", gcm},
		{"tag of the key too short", encode(`{"alg":"A128GCMKW","enc":"A128GCM","iv":"AAAAAAAAAAAAAAAA","tag":"AA"}`) + "." + strings.Repeat("A", 22) + content, "header.invalid", gcm},
		{"an empty encrypted key", encode(`{"alg":"A128GCMKW","enc":"A128GCM","iv":"AAAAAAAAAAAAAAAA","tag":"AAAAAAAAAAAAAAAAAAAAAA"}`) + "." + content, "header.invalid", gcm}, // J13
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{c.key}, c.token, jwe.Options{})
			wantCode(t, err, c.want)
			want := jwe.ErrHeader
			if strings.HasPrefix(c.want, "key.") {
				want = jwe.ErrNoKey
			}
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		})
	}
	token := pbes2(`"p2c":1000,"p2s":"AAAAAAAAAAA"`)
	_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{password}, token, jwe.Options{})
	wantCode(t, err, "dec.failed")
}

func TestIntegratedForm(t *testing.T) {
	notEnforced(t)
	key := must(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0Draft22, ""))(t)
	wrapping := must(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0KEDraft22, ""))(t)
	token := encrypt(t, key.Public(), jwa.Encryption{}, jwe.Header{}, "x")
	p := strings.Split(token, ".")
	if p[2] != "" || p[4] != "" || p[1] == "" {
		t.Error(token)
	}
	for _, c := range []struct {
		name, token, want string
		key               jwk.Decrypter
	}{
		{"a vector", p[0] + "." + p[1] + ".AA." + p[3] + ".", "token.malformed", key},
		{"a tag", p[0] + "." + p[1] + ".." + p[3] + ".AA", "token.malformed", key},
		{"another header", encode(`{"alg":"HPKE-0"}`) + token[len(p[0]):], "dec.failed", key},
		{"no encapsulated secret", p[0] + "..." + p[3] + ".", "header.invalid", key},
		{"enc", encode(`{"alg":"HPKE-0","enc":"A128GCM"}`) + token[len(p[0]):], "enc.present", key},
		{"no enc of key encryption", encode(`{"alg":"HPKE-0-KE"}`) + token[len(p[0]):], "enc.missing", wrapping},
	} {
		_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{c.key}, c.token, jwe.Options{})
		if c.want != fmt.Sprint(errorCode(err)) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	_, err := jwe.EncryptJSON(ctx, jwa.Encryption{}, jwe.Header{}, jwe.Header{}, nil, nil,
		jwe.Recipient{Key: key.Public()}, jwe.Recipient{Key: wrapping.Public()})
	wantCode(t, err, "header.invalid")
}

func errorCode(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}

// Every member of a header comes back as it went.
func TestHeaderRoundTrip(t *testing.T) {
	j := must(jwk.Parse([]byte(privateJWK)))(t).Public()
	h := jwe.Header{
		Algorithm: "a", Encryption: "A128GCM", KeyID: "k", Type: "t", ContentType: "c", JWK: &j, X5C: [][]byte{{1, 2}}, X5T256: "x",
		JKU: "j", X5U: "u", Critical: []string{"ext"}, Compressed: true, PartyU: []byte("U"), PartyV: []byte("V"), EphemeralKey: &j,
		IV: []byte("iv"), Tag: []byte("tag"), Salt: []byte("salt"), Count: 7, Encapsulated: []byte("ek"),
		Extra: map[string]json.RawMessage{"ext": json.RawMessage(`{"a":[1]}`)},
	}
	raw := must(json.Marshal(h))(t)
	const want = `{"alg":"a","kid":"k","typ":"t","cty":"c","jwk":{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"},` +
		`"x5c":["AQI="],"x5t#S256":"x","jku":"j","x5u":"u","crit":["ext"],"enc":"A128GCM","zip":"DEF","apu":"VQ","apv":"Vg",` +
		`"epk":{"kty":"EC","crv":"P-256","x":"weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ","y":"e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"},` +
		`"iv":"aXY","tag":"dGFn","p2s":"c2FsdA","p2c":7,"ek":"ZWs","ext":{"a":[1]}}`
	if string(raw) != want {
		t.Errorf("%s", raw)
	}
	again := must(jwe.ParseHeader(encode(string(raw)), jwe.Options{Critical: []string{"ext"}}))(t)
	again.JWK, again.EphemeralKey, h.JWK, h.EphemeralKey = nil, nil, nil, nil
	if !reflect.DeepEqual(h, again) {
		t.Errorf("%+v", again)
	}
	var zero jwe.Header
	if raw := must(json.Marshal(zero))(t); string(raw) != "{}" {
		t.Errorf("%s", raw)
	}
}

// J17: nothing that must be new comes twice.
func TestFresh(t *testing.T) {
	seen := map[string]bool{}
	key := must(jwk.GenerateSharedKey(jwa.A128GCMKW))(t)
	const n = 2000
	for range n {
		token := encrypt(t, key, jwa.A128GCM, jwe.Header{}, "x")
		p := strings.Split(token, ".")
		h := must(jwe.ParseHeader(p[0], jwe.Options{}))(t)
		for _, part := range []string{string(h.IV), p[1], p[2]} {
			seen[part] = true
		}
	}
	if len(seen) != 3*n {
		t.Errorf("%d of %d values are different", len(seen), 3*n)
	}
}
