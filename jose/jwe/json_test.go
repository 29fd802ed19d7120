package jwe_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// document puts a token of direct into the flattened form, with more members before.
func document(t testing.TB, header, more string) string {
	t.Helper()
	p := strings.Split(forge(t, header, "x"), ".")
	return fmt.Sprintf(`{%s"protected":%q,"iv":%q,"ciphertext":%q,"tag":%q}`, more, p[0], p[2], p[3], p[4])
}

func TestJSONRefusals(t *testing.T) {
	good := document(t, plain, "")
	edit := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s has no %s", good, old)
		}
		return strings.Replace(good, old, with, 1)
	}
	cut := func(name string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(good), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, name)
		return string(must(json.Marshal(m))(t))
	}
	more := func(members string) string { return document(t, plain, members+",") }
	short := strings.Repeat("A", 400)
	for _, c := range []struct{ name, document, want string }{
		{"nothing", "", "json.syntax"},
		{"a token", forge(t, plain, "x"), "json.syntax"},
		{"an array", "[" + good + "]", "json.type"},
		{"data behind", good + "x", "json.trailing"},
		{"duplicate", more(`"x":1,"x":2`), "json.duplicate"},
		{"a member twice", more(`"tag":"AA"`), "json.duplicate"},
		{"protected of another type", edit(`"protected":"`, `"protected":7,"y":"`), "json.type"},
		{"iv of another type", edit(`"iv":"`, `"iv":null,"y":"`), "json.type"},
		{"ciphertext of another type", edit(`"ciphertext":"`, `"ciphertext":{},"y":"`), "json.type"},
		{"tag of another type", edit(`"tag":"`, `"tag":[],"y":"`), "json.type"},
		{"aad of another type", more(`"aad":7`), "json.type"},
		{"encrypted_key of another type", more(`"encrypted_key":7`), "json.type"},
		{"unprotected of another type", more(`"unprotected":"x"`), "json.type"},
		{"unprotected null", more(`"unprotected":null`), "json.type"},
		{"header of another type", more(`"header":[]`), "json.type"},
		{"empty encrypted_key", more(`"encrypted_key":""`), "token.malformed"},
		{"empty aad", more(`"aad":""`), "token.malformed"},
		{"empty protected", edit(`"protected":"`, `"protected":"","y":"`), "token.malformed"},
		{"empty iv", edit(`"iv":"`, `"iv":"","y":"`), "token.malformed"},
		{"empty tag", edit(`"tag":"`, `"tag":"","y":"`), "token.malformed"},
		{"no ciphertext", cut("ciphertext"), "token.malformed"},
		{"no iv", cut("iv"), "token.malformed"},
		{"no tag", cut("tag"), "token.malformed"},
		{"payload too", more(`"payload":"AA"`), "token.malformed"},
		{"signature too", more(`"signature":"AA"`), "token.malformed"},
		{"signatures too", more(`"signatures":[]`), "token.malformed"},
		{"flattened and general, by header", more(`"header":{},"recipients":[{}]`), "token.malformed"},
		{"flattened and general, by encrypted_key", more(`"encrypted_key":"AA","recipients":[{}]`), "token.malformed"},
		{"no recipients", more(`"recipients":[]`), "token.malformed"},
		{"recipients of another type", more(`"recipients":{}`), "json.type"},
		{"null recipients", more(`"recipients":null`), "token.malformed"},
		{"a recipient of another type", more(`"recipients":[7]`), "json.type"},
		{"a recipient's key of another type", more(`"recipients":[{"encrypted_key":7}]`), "json.type"},
		{"many recipients", more(`"recipients":[` + strings.Repeat("{},", 10) + `{}]`), "token.too_large"},
		{"a large unprotected header", more(`"unprotected":{"x":"` + short + `"}`), "token.too_large"},
		{"a large recipient's header", more(`"header":{"x":"` + short + `"}`), "token.too_large"},
		{"a large protected header", document(t, plain[:len(plain)-1]+`,"xyz":"`+short+`"}`, ""), "token.too_large"},

		{"protected that is not encoded", edit(`"protected":"`, `"protected":"+`), "token.encoding"},
		{"protected that is no JSON", document(t, "{", ""), "json.syntax"},
		{"alphabet of the aad", more(`"aad":"+"`), "token.malformed"},
		{"alphabet of the tag", edit(`"tag":"`, `"tag":"+`), "token.malformed"},
		{"encoding of the aad", more(`"aad":"B"`), "token.encoding"},
		{"unprotected duplicates", more(`"unprotected":{"x":1,"x":1}`), "json.duplicate"},
		{"in both headers", document(t, plain[:len(plain)-1]+`,"x":1}`, `"unprotected":{"x":1},`), "header.conflict"},
		{"in the protected and the recipient's", document(t, plain[:len(plain)-1]+`,"x":1}`, `"header":{"x":1},`), "header.conflict"},
		{"in both unprotected ones", more(`"unprotected":{"x":1},"header":{"x":1}`), "header.conflict"},
		{"alg twice", more(`"recipients":[{"header":{"alg":"dir"}},{}]`), "header.conflict"},
		{"no alg at all", document(t, `{"enc":"A128GCM"}`, ""), "alg.missing"},
		{"no header at all", cut("protected"), "alg.missing"},
		{"a private jwk outside", more(`"unprotected":{"jwk":` + privateJWK + `}`), "key.private"},

		{"enc outside", document(t, `{"alg":"dir"}`, `"unprotected":{"enc":"A128GCM"},`), "header.unprotected"},
		{"alg outside", document(t, `{"enc":"A128GCM"}`, `"unprotected":{"alg":"dir"},`), "header.unprotected"},
		{"alg of the one recipient", document(t, `{"enc":"A128GCM"}`, `"header":{"alg":"dir"},`), "header.unprotected"},
		{"alg of the one recipient in a list", document(t, `{"enc":"A128GCM"}`, `"recipients":[{"header":{"alg":"dir"}}],`), "header.unprotected"},
		{"enc of recipients", document(t, `{"alg":"dir"}`, `"recipients":[{"header":{"enc":"A128GCM"}},{}],`), "header.unprotected"},
		{"kid outside", more(`"unprotected":{"kid":"k"}`), "header.unprotected"},
		{"zip outside", more(`"unprotected":{"zip":"DEF"}`), "header.unprotected"},
		{"zip of a recipient", more(`"header":{"zip":"DEF"}`), "header.unprotected"},
		{"zip of recipients", more(`"recipients":[{"header":{"zip":"DEF"}},{}]`), "header.unprotected"},
		{"crit outside", more(`"unprotected":{"crit":["x"],"x":1}`), "header.unprotected"},
		{"crit of recipients", more(`"recipients":[{"header":{"crit":["x"],"x":1}},{}]`), "header.unprotected"},
		{"epk outside", more(`"unprotected":{"epk":{}}`), "header.unprotected"},
		{"iv outside", more(`"unprotected":{"iv":"AA"}`), "header.unprotected"}, // J18
		{"tag outside", more(`"unprotected":{"tag":"AA"}`), "header.unprotected"},
		{"p2c outside", more(`"unprotected":{"p2c":1}`), "header.unprotected"},
		{"p2s outside", more(`"unprotected":{"p2s":"AA"}`), "header.unprotected"},
		{"apu outside", more(`"unprotected":{"apu":"AA"}`), "header.unprotected"},
		{"apv outside", more(`"unprotected":{"apv":"AA"}`), "header.unprotected"},
		{"ek outside", more(`"header":{"ek":"AA"}`), "header.unprotected"},

		{"dir for two", document(t, `{"enc":"A128GCM"}`, `"recipients":[{"header":{"alg":"dir"}},{"header":{"alg":"dir"}}],`), "header.invalid"},
		{"an encrypted key", more(`"encrypted_key":"AA"`), "header.invalid"},
		{"other aad", more(`"aad":"AA"`), "dec.failed"},
		{"understood by a name outside", document(t, plain[:len(plain)-1]+`,"crit":["x"]}`, `"unprotected":{"x":1},`), "crit.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{direct(t, "")}, []byte(c.document), jwe.Options{MaxHeader: 350, Critical: []string{"x"}})
			wantCode(t, err, c.want)
			if m != nil {
				t.Error("a message beside the error")
			}
		})
	}
	for _, d := range []string{
		good, more(`"x":{"y":[1]}`), more(`"unprotected":{}`), more(`"header": { } `), more(`"recipients":[{}]`), more(`"unprotected":{"x":1},"header":{"y":1}`),
	} {
		if _, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{direct(t, "")}, []byte(d), jwe.Options{}); err != nil {
			t.Errorf("%s: %v", d, err)
		}
	}
}

// What the option allows is allowed, and crit and zip are not.
func TestAllowUnprotectedHeader(t *testing.T) {
	o := jwe.Options{AllowUnprotectedHeader: true, Critical: []string{"x"}}
	keys := jwk.DecryptionSet{direct(t, "")}
	outside := strings.Replace(document(t, plain, `"unprotected":`+plain+`,`), `"protected"`, `"y"`, 1)
	_, err := jwe.DecryptJSON(ctx, keys, []byte(outside), o)
	wantCode(t, err, "dec.failed") // the additional data is empty then
	p := strings.Split("."+sealed(t, "", "x"), ".")
	for _, place := range []string{`"unprotected":` + plain, `"header":` + plain, `"unprotected":{"alg":"dir"},"header":{"enc":"A128GCM"}`, `"recipients":[{"header":` + plain + `}]`} {
		d := fmt.Sprintf(`{%s,"iv":%q,"ciphertext":%q,"tag":%q}`, place, p[2], p[3], p[4])
		m, err := jwe.DecryptJSON(ctx, keys, []byte(d), o)
		if err != nil || string(m.Plaintext) != "x" || m.Header.Algorithm != "" || m.Unprotected.Algorithm != "dir" || m.Unprotected.Encryption != "A128GCM" {
			t.Errorf("%s: %v", d, err)
		}
	}
	for _, members := range []string{`"crit":["x"],"x":1`, `"zip":"DEF"`} {
		_, err := jwe.DecryptJSON(ctx, keys, []byte(document(t, plain, `"unprotected":{`+members+`},`)), o)
		wantCode(t, err, "header.unprotected")
	}
	_, err = jwe.DecryptJSON(ctx, keys, []byte(document(t, `{"alg":"A128KW"}`, `"recipients":[{"header":{"enc":"A128GCM"}},{"header":{"enc":"A256GCM"}}],`)), o)
	wantCode(t, err, "header.invalid")
}

func TestSeveralRecipients(t *testing.T) {
	ec := must(jwk.GenerateDecryptionKey(jwa.ECDH_ES_A128KW, "P-256"))(t)
	hpke := must(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0KEDraft22, ""))(t)
	gcm := must(jwk.GenerateSharedKey(jwa.A256GCMKW))(t)
	kw := wrapper(t, "")
	recipients := []jwe.Recipient{
		{Key: ec.Public(), Header: jwe.Header{PartyU: []byte("Alice")}},
		{Key: hpke.Public(), Header: jwe.Header{Extra: map[string]json.RawMessage{"note": json.RawMessage(`"for you"`)}}},
		{Key: gcm},
		{Key: kw},
	}
	d := must(jwe.EncryptJSON(ctx, jwa.A128CBC_HS256, jwe.Header{Type: "t"}, jwe.Header{ContentType: "c"}, []byte("aad"), []byte("hello"), recipients...))(t)
	for i, key := range []jwk.Decrypter{ec, hpke, gcm, kw} {
		m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, d, jwe.Options{})
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if string(m.Plaintext) != "hello" || m.Recipient != i || m.Key != key || string(m.AAD) != "aad" || m.Header.Type != "t" || m.Header.Algorithm != "" ||
			m.Unprotected.ContentType != "c" || m.Unprotected.Algorithm != key.Algorithm().Name() {
			t.Errorf("%d: %+v", i, m)
		}
	}
	// The first that decrypts, in the document's order.
	if m := must(jwe.DecryptJSON(ctx, jwk.DecryptionSet{kw, gcm}, d, jwe.Options{}))(t); m.Recipient != 2 {
		t.Error(m.Recipient)
	}
	// A key that does not fit does not keep others from being tried.
	other := must(jwk.NewSharedKey(jwa.A256GCMKW, gcm.KeyID(), make([]byte, 32)))(t)
	if m := must(jwe.DecryptJSON(ctx, jwk.DecryptionSet{other, kw}, d, jwe.Options{}))(t); m.Recipient != 3 {
		t.Error(m.Recipient)
	}
	if _, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{other}, d, jwe.Options{}); err != jwe.ErrDecrypt {
		t.Errorf("%v", err)
	}
	stranger := must(jwk.GenerateSharedKey(jwa.A192KW))(t)
	_, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{stranger}, d, jwe.Options{})
	wantCode(t, err, "key.none")
	for i := range 4 {
		if !strings.Contains(err.Error(), fmt.Sprintf("recipient %d: ", i+1)) {
			t.Errorf("%v does not tell of recipient %d", err, i+1)
		}
	}
	if !errors.Is(err, jwe.ErrNoKey) {
		t.Error(err)
	}
	_, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{kw}, d, jwe.Options{MaxRecipients: 3})
	wantCode(t, err, "token.too_large")
}

func TestEncryptJSONRefusals(t *testing.T) {
	key, dir := wrapper(t, ""), direct(t, "")
	ext := map[string]json.RawMessage{"x": json.RawMessage("1")}
	broken := map[string]json.RawMessage{"x": json.RawMessage("{")}
	one, two := []jwe.Recipient{{Key: key}}, []jwe.Recipient{{Key: key}, {Key: key}}
	for _, c := range []struct {
		name, want     string
		h, unprotected jwe.Header
		recipients     []jwe.Recipient
	}{
		{"nobody", "key.none", jwe.Header{}, jwe.Header{}, nil},
		{"no key", "key.none", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{}}},
		{"no second key", "key.none", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {}}},
		{"dir for two", "header.invalid", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {Key: dir}}},
		{"the header of one", "alg.mismatch", jwe.Header{Algorithm: "A256KW"}, jwe.Header{}, one},
		{"the header of two", "header.invalid", jwe.Header{IV: []byte("x")}, jwe.Header{}, two},
		{"crit of two", "crit.invalid", jwe.Header{Critical: []string{"x"}}, jwe.Header{}, two},
		{"enc of two", "header.invalid", jwe.Header{Encryption: "A128GCM"}, jwe.Header{}, two},
		{"alg of two", "header.conflict", jwe.Header{Algorithm: "A128KW"}, jwe.Header{}, two},
		{"the own header of one", "json.syntax", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key, Header: jwe.Header{Extra: broken}}}},
		{"the own header of two", "json.syntax", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {Key: key, Header: jwe.Header{Extra: broken}}}},
		{"the own alg of two", "alg.mismatch", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {Key: key, Header: jwe.Header{Algorithm: "dir"}}}},
		{"a key for another enc", "alg.mismatch", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {Key: must(jwk.GenerateSharedKey(jwa.A128KW, jwa.A128GCM))(t)}}},
		{"the protected header", "json.syntax", jwe.Header{Extra: broken}, jwe.Header{}, one},
		{"the unprotected header", "json.syntax", jwe.Header{}, jwe.Header{Extra: broken}, one},
		{"kid outside", "header.unprotected", jwe.Header{}, jwe.Header{KeyID: "k"}, one},
		{"zip outside", "header.unprotected", jwe.Header{}, jwe.Header{Compressed: true}, one},
		{"crit of a recipient", "header.unprotected", jwe.Header{}, jwe.Header{}, []jwe.Recipient{{Key: key}, {Key: key, Header: jwe.Header{Critical: []string{"x"}, Extra: ext}}}},
		{"a name twice", "header.conflict", jwe.Header{Extra: ext}, jwe.Header{Extra: ext}, one},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := jwe.EncryptJSON(ctx, jwa.Encryption{}, c.h, c.unprotected, nil, []byte("x"), c.recipients...)
			wantCode(t, err, c.want)
			if d != nil {
				t.Error("a document beside the error")
			}
		})
	}
	// No limit of a reader keeps large documents from being written.
	var many []jwe.Recipient
	for range 20 {
		many = append(many, jwe.Recipient{Key: key})
	}
	d := must(jwe.EncryptJSON(ctx, jwa.A128GCM, jwe.Header{JKU: strings.Repeat("x", 20_000)}, jwe.Header{}, nil, make([]byte, 100_000), many...))(t)
	m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, d, jwe.Options{MaxSize: len(d), MaxHeader: len(d), MaxRecipients: 20})
	if err != nil || len(m.Plaintext) != 100_000 {
		t.Error(err)
	}
	empty := must(jwe.EncryptJSON(ctx, jwa.Encryption{}, jwe.Header{}, jwe.Header{}, nil, nil, jwe.Recipient{Key: dir}))(t)
	if m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{dir}, empty, jwe.Options{}); err != nil || len(m.Plaintext) != 0 || m.AAD != nil {
		t.Error(m, err)
	}
}

// J16: passwords cost much, so that a document may not have many.
func TestManyPasswords(t *testing.T) {
	key := must(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple")))(t)
	recipient := func(count int) string {
		return fmt.Sprintf(`{"header":{"alg":"PBES2-HS256+A128KW","p2c":%d,"p2s":"AAAAAAAAAAA"},"encrypted_key":%q}`, count, strings.Repeat("A", 32))
	}
	of := func(recipients ...string) []byte {
		return []byte(document(t, `{"enc":"A128GCM"}`, `"recipients":[`+strings.Join(recipients, ",")+`],`))
	}
	_, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, of(recipient(1000), recipient(1000)), jwe.Options{})
	wantCode(t, err, "dec.failed")
	_, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, of(recipient(1000), recipient(1_199_001)), jwe.Options{})
	wantCode(t, err, "token.too_large")
	_, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{key, key}, of(recipient(700_000), `{"header":{"alg":"A128KW"}}`), jwe.Options{})
	wantCode(t, err, "token.too_large")
}
