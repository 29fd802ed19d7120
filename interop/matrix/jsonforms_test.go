package matrix

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	jwxjwa "github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

const extra = "authenticated beside the plaintext"

// TestJSONForms exchanges the JSON serializations: flattened with additional
// authenticated data, and general with two recipients.
func TestJSONForms(t *testing.T) {
	ctx := context.Background()
	c := combination{"ECDH-ES+A128KW", "A128CBC-HS256", "P-256", newKeys()["P-256"]}
	encrypter, decrypter, err := jotKeys(c)
	check(err)
	read := func(t *testing.T, from string, document []byte, aad string) {
		t.Helper()
		m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{decrypter}, document, jwe.Options{})
		if err != nil || string(m.Plaintext) != text || string(m.AAD) != aad {
			t.Errorf("jot reads %s: %v, %v\n%s", from, m, err, document)
		}
	}
	flattened := must(jwe.EncryptJSON(ctx, jwa.Encryption{}, jwe.Header{}, jwe.Header{}, []byte(extra), []byte(text), jwe.Recipient{Key: encrypter}))
	read(t, "jot", flattened, extra)
	second := must(jwk.GenerateSharedKey(jwa.A256KW))
	general := must(jwe.EncryptJSON(ctx, jwa.A128CBC_HS256, jwe.Header{}, jwe.Header{}, []byte(extra), []byte(text), jwe.Recipient{Key: second}, jwe.Recipient{Key: encrypter}))
	read(t, "jot", general, extra)
	if !bytes.Contains(general, []byte(`"recipients"`)) || bytes.Contains(flattened, []byte(`"recipients"`)) {
		t.Errorf("jot wrote other forms: %s %s", flattened, general)
	}

	t.Run("go-jose", func(t *testing.T) {
		var private, public jose.JSONWebKey
		check(json.Unmarshal([]byte(c.key), &private))
		check(json.Unmarshal(c.public(), &public))
		for form, document := range map[string][]byte{"flattened": flattened, "general": general} {
			o, err := jose.ParseEncryptedJSON(string(document), []jose.KeyAlgorithm{jose.ECDH_ES_A128KW, jose.A256KW}, []jose.ContentEncryption{jose.A128CBC_HS256})
			if err != nil {
				t.Fatal(form, err)
			}
			_, _, plaintext, err := o.DecryptMulti(private)
			if err != nil || string(plaintext) != text || string(o.GetAuthData()) != extra {
				t.Errorf("%s: %q, %v", form, plaintext, err)
			}
		}
		own := jose.Recipient{Algorithm: jose.ECDH_ES_A128KW, Key: public.Key}
		one := must(jose.NewEncrypter(jose.A128CBC_HS256, own, nil))
		read(t, "flattened", []byte(must(one.EncryptWithAuthData([]byte(text), []byte(extra))).FullSerialize()), extra)
		two := must(jose.NewMultiEncrypter(jose.A128CBC_HS256, []jose.Recipient{{Algorithm: jose.A256KW, Key: make([]byte, 32)}, own}, nil))
		document := must(two.EncryptWithAuthData([]byte(text), []byte(extra))).FullSerialize()
		// It leaves the first recipient's encrypted key beside the list, which RFC 7516,
		// Section 7.2.2, forbids and jot refuses.
		if _, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{decrypter}, []byte(document), jwe.Options{}); err == nil {
			t.Error("general: what explains the difference is gone, or jot takes it")
		}
		var members map[string]json.RawMessage
		check(json.Unmarshal([]byte(document), &members))
		delete(members, "encrypted_key")
		read(t, "general", must(json.Marshal(members)), extra)
	})

	t.Run("jwx", func(t *testing.T) {
		alg, enc, private, err := jwxKey(c, []byte(c.key))
		check(err)
		for form, document := range map[string][]byte{"flattened": flattened, "general": general} {
			plaintext, err := jwxjwe.Decrypt(document, jwxjwe.WithKey(alg, private))
			if err != nil || string(plaintext) != text {
				t.Errorf("%s: %q, %v", form, plaintext, err)
			}
		}
		// Its default repeats the protected members as unprotected ones, which RFC 7516,
		// Section 7.2.1, forbids and jot refuses.
		_, _, public, err := jwxKey(c, c.public())
		check(err)
		options := []jwxjwe.EncryptOption{jwxjwe.WithJSON(), jwxjwe.WithAuthenticateData([]byte(extra)), jwxjwe.WithContentEncryption(enc), jwxjwe.WithKey(alg, public)}
		document := must(jwxjwe.Encrypt([]byte(text), options...))
		if _, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{decrypter}, document, jwe.Options{}); err == nil {
			t.Error("flattened: what explains the difference is gone, or jot takes it")
		}
		options = append(options, jwxjwe.WithLegacyHeaderMerging(false))
		read(t, "flattened", must(jwxjwe.Encrypt([]byte(text), options...)), extra)
		options = append(options, jwxjwe.WithKey(jwxjwa.A256KW(), make([]byte, 32)))
		read(t, "general", must(jwxjwe.Encrypt([]byte(text), options...)), extra)
	})

	t.Run("jose", func(t *testing.T) {
		n := startNode(t)
		if n == nil {
			t.Skip("there is no Node.js")
		}
		for form, document := range map[string][]byte{"flattened": flattened, "general": general} {
			a, err := n.do(job{Do: "read", Alg: c.alg, Enc: c.enc, Key: json.RawMessage(c.key), Token: string(document)})
			if err != nil || a.Plaintext != text || a.AAD != extra {
				t.Errorf("%s: %v, %v", form, a, err)
			}
			a, err = n.do(job{Do: "write", Form: form, Alg: c.alg, Enc: c.enc, Key: c.public(), AAD: extra, Plaintext: text})
			if err != nil || strings.Contains(a.Token, `"recipients"`) != (form == "general") {
				t.Fatal(form, a, err)
			}
			read(t, form, []byte(a.Token), extra)
		}
	})
}

// TestCompressed exchanges what was compressed.
func TestCompressed(t *testing.T) {
	c := combination{"A128KW", "A128GCM", "", newKeys()["16"]}
	encrypter, _, err := jotKeys(c)
	check(err)
	long := strings.Repeat(text, 4)
	token := must(jwe.Encrypt(context.Background(), encrypter, jwa.Encryption{}, jwe.Header{Compressed: true}, []byte(long)))
	both := func(name string, read func(combination, string) (string, error), theirs string) {
		if got, err := read(c, token); err != nil || got != long {
			t.Errorf("%s reads %q, %v", name, got, err)
		}
		if got, err := readJot(c, theirs); err != nil || got != long {
			t.Errorf("jot reads of %s %q, %v", name, got, err)
		}
		if len(theirs) > len(long) {
			t.Errorf("%s did not compress", name)
		}
	}
	var key jose.JSONWebKey
	check(json.Unmarshal([]byte(c.key), &key))
	e := must(jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.A128KW, Key: key.Key}, &jose.EncrypterOptions{Compression: jose.DEFLATE}))
	both("go-jose", goJose.read, must(must(e.Encrypt([]byte(long))).CompactSerialize()))

	alg, enc, imported, err := jwxKey(c, []byte(c.key))
	check(err)
	both("jwx", jwx.read, string(must(jwxjwe.Encrypt([]byte(long), jwxjwe.WithKey(alg, imported), jwxjwe.WithContentEncryption(enc), jwxjwe.WithCompress(jwxjwa.Deflate())))))

	if n := startNode(t); n != nil {
		a, err := n.do(job{Do: "write", Alg: c.alg, Enc: c.enc, Key: json.RawMessage(c.key), Zip: "DEF", Plaintext: long})
		check(err)
		both("jose", n.crypter().read, a.Token)
	}
}
