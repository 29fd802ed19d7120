package jwe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

func Example() {
	ctx := context.Background()
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES_A128KW, "P-256")
	if err != nil {
		panic(err)
	}
	// Whoever encrypts has the public key only.
	token, err := jwe.Encrypt(ctx, key.Public(), jwa.A256GCM, jwe.Header{}, []byte("attack at dawn"))
	if err != nil {
		panic(err)
	}

	m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token, jwe.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, by %s and %s\n", m.Plaintext, m.Header.Algorithm, m.Header.Encryption)

	_, err = jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token[:len(token)-2]+"AA", jwe.Options{})
	fmt.Println(errors.Is(err, jwe.ErrDecrypt), err)
	// Output:
	// attack at dawn, by ECDH-ES+A128KW and A256GCM
	// true it cannot be decrypted
}

func ExampleOptions() {
	ctx := context.Background()
	key, _ := jwk.GenerateSharedKey(jwa.A128KW)
	keys := jwk.DecryptionSet{key}
	token, _ := jwe.Encrypt(ctx, key, jwa.A128CBC_HS256, jwe.Header{
		Type:       "receipt",
		Compressed: true,
		Critical:   []string{"http://example.com/paid"},
		Extra:      map[string]json.RawMessage{"http://example.com/paid": json.RawMessage("true")},
	}, []byte(strings.Repeat("£5 ", 1000)))

	// An extension that the sender calls critical is refused by who does not know it,
	// and what is compressed may not grow without end.
	o := jwe.Options{
		Algorithms:  []jwa.Algorithm{jwa.A128KW, jwa.A256KW},
		Encryptions: []jwa.Encryption{jwa.A128CBC_HS256, jwa.A256GCM},
		MaxSize:     1024,
		MaxHeader:   512,
	}
	_, err := jwe.Decrypt(ctx, keys, token, o)
	fmt.Println(errors.Is(err, jwe.ErrCritical), err)
	o.Critical = []string{"http://example.com/paid"}
	_, err = jwe.Decrypt(ctx, keys, token, o)
	fmt.Println(errors.Is(err, jwe.ErrTooLarge), err)
	o.MaxRatio, o.MaxPlaintext = 1000, 4000
	m, err := jwe.Decrypt(ctx, keys, token, o)
	fmt.Println(m.Header.Type, len(m.Plaintext), err)

	o.Encryptions = []jwa.Encryption{jwa.A256GCM}
	_, err = jwe.Decrypt(ctx, keys, token, o)
	fmt.Println(errors.Is(err, jwe.ErrAlgorithm), err)
	// Output:
	// true crit is refused: it lists an extension that is not understood
	// true the token is larger than the limit: its plaintext is over the limit when it is inflated
	// receipt 4000 <nil>
	// true the algorithm is refused: enc is not allowed here
}

func ExampleEncryptJSON() {
	ctx := context.Background()
	alice, _ := jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "P-384")
	team, _ := jwk.GenerateSharedKey(jwa.A256GCMKW)
	protected := jwe.Header{Type: "minutes"}
	unprotected := jwe.Header{ContentType: "text/plain"}
	doc, err := jwe.EncryptJSON(ctx, jwa.A256GCM, protected, unprotected, []byte("for the record"), []byte("we agreed"),
		jwe.Recipient{Key: alice.Public()},
		jwe.Recipient{Key: team, Header: jwe.Header{Extra: map[string]json.RawMessage{"team": json.RawMessage(`"red"`)}}})
	if err != nil {
		panic(err)
	}

	for _, key := range []jwk.Decrypter{alice, team} {
		m, err := jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, doc, jwe.Options{MaxRecipients: 2})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%d %s: %s, %s, %s %s\n", m.Recipient, m.Unprotected.Algorithm, m.Plaintext, m.AAD, m.Header.Type, m.Unprotected.ContentType)
	}
	// Output:
	// 0 ECDH-ES+A256KW: we agreed, for the record, minutes text/plain
	// 1 A256GCMKW: we agreed, for the record, minutes text/plain
}

func ExampleDecryptJSON() {
	// RFC 7516, Appendix A.5, whose alg and kid nothing protects.
	const doc = `{"protected":"eyJlbmMiOiJBMTI4Q0JDLUhTMjU2In0","unprotected":{"jku":"https://server.example.com/keys.jwks"},
		"header":{"alg":"A128KW","kid":"7"},"encrypted_key":"6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ",
		"iv":"AxY8DCtDaGlsbGljb3RoZQ","ciphertext":"KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY","tag":"Mz-VPPyU4RlcuYv1IwIvzw"}`
	ctx := context.Background()
	j, _ := jwk.Parse([]byte(`{"kty":"oct","alg":"A128KW","kid":"7","k":"GawgguFyGrWKav7AX4VKUg"}`))
	key, err := j.SharedKey(jwk.Binding{})
	if err != nil {
		panic(err)
	}
	_, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, []byte(doc), jwe.Options{})
	fmt.Println(errors.Is(err, jwe.ErrHeader), err)

	var m *jwe.Message
	m, err = jwe.DecryptJSON(ctx, jwk.DecryptionSet{key}, []byte(doc), jwe.Options{AllowUnprotectedHeader: true})
	fmt.Println(string(m.Plaintext), m.Key == key, err)
	// Output:
	// true the header is refused: a member must be in the protected header
	// Live long and prosper. true <nil>
}

func ExampleParseHeader() {
	h, err := jwe.ParseHeader("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0", jwe.Options{})
	fmt.Println(h.Algorithm, h.Encryption, err)

	_, err = jwe.ParseHeader("eyJhbGciOiJkaXIifQ", jwe.Options{})
	fmt.Println(errors.Is(err, jwe.ErrAlgorithm), err)
	// Output:
	// dir A128GCM <nil>
	// true the algorithm is refused: the header has no enc
}

func ExampleHeader_For() {
	key, _ := jwk.NewSharedKey(jwa.A128KW, "k1", []byte("0123456789abcdef"))
	h, err := jwe.Header{ContentType: "JWT"}.For(key, jwa.A128GCM)
	if err != nil {
		panic(err)
	}
	raw, err := h.MarshalJSON()
	fmt.Println(string(raw), err)
	// Output: {"alg":"A128KW","kid":"k1","cty":"JWT","enc":"A128GCM"} <nil>
}

func ExampleDecrypt() {
	ctx := context.Background()
	key, _ := jwk.NewSharedKey(jwa.A128KW, "k1", []byte("0123456789abcdef"))
	other, _ := jwk.GenerateSharedKey(jwa.A128KW)
	token, _ := jwe.Encrypt(ctx, key, jwa.A128GCM, jwe.Header{}, []byte("hello"))
	for _, try := range []struct {
		key   jwk.Decrypter
		token string
	}{
		{key, token},
		{key, "eyJhbGciOiJIUzI1NiJ9.aGVsbG8.AAAA"},
		{other, token},
	} {
		_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{try.key}, try.token, jwe.Options{})
		fmt.Println(err, errors.Is(err, jwe.ErrMalformed), errors.Is(err, jwe.ErrNoKey))
	}
	// Output:
	// <nil> false false
	// the token is malformed: it has three parts: it is signed, not encrypted true false
	// the keys do not serve this token: no key fits false true
}
