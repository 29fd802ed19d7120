package jws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

func Example() {
	ctx := context.Background()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		panic(err)
	}
	token, err := jws.Sign(ctx, key, jws.Header{}, []byte("attack at dawn"))
	if err != nil {
		panic(err)
	}

	m, err := jws.Verify(ctx, jwk.Set{key.Public()}, token, jws.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s, signed with %s\n", m.Payload, m.Signatures[0].Key.Algorithm())

	_, err = jws.Verify(ctx, jwk.Set{key.Public()}, token+"A", jws.Options{})
	fmt.Println(err != nil)
	// Output:
	// attack at dawn, signed with ES256
	// true
}

func ExampleOptions() {
	ctx := context.Background()
	key, _ := jwk.GenerateSecret(jwa.HS256)
	token, _ := jws.Sign(ctx, key, jws.Header{
		Type:     "receipt",
		Critical: []string{"http://example.com/paid"},
		Extra:    map[string]json.RawMessage{"http://example.com/paid": json.RawMessage("true")},
	}, []byte("£5"))

	// An extension that the signer calls critical is refused by who does not know it.
	_, err := jws.Verify(ctx, jwk.Set{key}, token, jws.Options{})
	fmt.Println(errors.Is(err, jws.ErrCritical), err)

	m, err := jws.Verify(ctx, jwk.Set{key}, token, jws.Options{
		Algorithms: []jwa.Algorithm{jwa.HS256},
		Critical:   []string{"http://example.com/paid"},
		MaxSize:    1024,
		MaxHeader:  512,
	})
	fmt.Println(m.Signatures[0].Header.Type, string(m.Payload), err)
	// Output:
	// true crit is refused: it lists an extension that is not understood
	// receipt £5 <nil>
}

func ExampleVerifyJSON() {
	ctx := context.Background()
	alice, _ := jwk.Generate(jwa.ES256)
	bob, _ := jwk.Generate(jwa.Ed25519)
	doc, _ := jws.SignJSON(ctx, []byte("the contract"),
		jws.Signatory{Key: alice},
		jws.Signatory{Key: bob, Unprotected: jws.Header{ContentType: "text"}})

	// Everybody must have signed, and there must be two of them.
	both := jwk.Set{alice.Public(), bob.Public()}
	m, err := jws.VerifyJSON(ctx, both, doc, jws.Options{Require: jws.All, MinSignatures: 2, MaxSignatures: 2})
	fmt.Println(string(m.Payload), err)

	// One known signer is enough; the others are named with the reason.
	var enough jws.Require = jws.Any
	m, err = jws.VerifyJSON(ctx, jwk.Set{bob.Public()}, doc, jws.Options{Require: enough})
	if err != nil {
		panic(err)
	}
	var s jws.Signature
	for _, s = range m.Signatures {
		fmt.Println(s.Header.Algorithm, s.Key != nil, errors.Is(s.Err, jws.ErrNoKey))
	}
	// Output:
	// the contract <nil>
	// ES256 false true
	// Ed25519 true false
}

func ExampleVerifyDetached() {
	ctx := context.Background()
	key, _ := jwk.Generate(jwa.ES256)
	keys := jwk.Set{key.Public()}
	const film = "a film of many gigabytes"

	token, err := jws.SignDetached(ctx, key, jws.Header{Unencoded: true}, strings.NewReader(film))
	if err != nil {
		panic(err)
	}
	m, err := jws.VerifyDetached(ctx, keys, token, strings.NewReader(film), jws.Options{})
	fmt.Println(m.Signatures[0].Header.Unencoded, err)

	_, err = jws.VerifyDetached(ctx, keys, token, strings.NewReader("another film"), jws.Options{})
	fmt.Println(errors.Is(err, jws.ErrSignature))
	// Output:
	// true <nil>
	// true
}

func ExampleVerifyDetachedJSON() {
	ctx := context.Background()
	one, _ := jwk.Generate(jwa.ES256)
	two, _ := jwk.Generate(jwa.ES384)
	doc, err := jws.SignDetachedJSON(ctx, strings.NewReader("a long film"), jws.Signatory{Key: one}, jws.Signatory{Key: two})
	if err != nil {
		panic(err)
	}
	m, err := jws.VerifyDetachedJSON(ctx, jwk.Set{one.Public(), two.Public()}, doc, strings.NewReader("a long film"), jws.Options{})
	fmt.Println(len(m.Signatures), m.Payload == nil, err)
	// Output: 2 true <nil>
}

func ExampleParseHeader() {
	h, err := jws.ParseHeader("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0", jws.Options{})
	fmt.Println(h.Algorithm, h.KeyID, err)

	_, err = jws.ParseHeader("eyJhbGciOiJub25lIn0", jws.Options{})
	fmt.Println(errors.Is(err, jws.ErrAlgorithm), err)
	_, err = jws.ParseHeader("e30=", jws.Options{})
	fmt.Println(errors.Is(err, jws.ErrHeader), err)
	// Output:
	// ES256 k1 <nil>
	// true the algorithm is refused: none is no algorithm
	// true the header is refused: not canonical base64url: character outside the alphabet at byte 3
}

func ExampleHeader_Verifiers() {
	ctx := context.Background()
	key, _ := jwk.Generate(jwa.ES256)

	// What package jwt does for each token: which of my keys may have signed this?
	h := jws.Header{Algorithm: "ES256", KeyID: key.KeyID()}
	found, err := h.Verifiers(ctx, jwk.Set{key.Public()}, "", jws.Options{})
	fmt.Println(len(found), err)

	h.KeyID = "unknown"
	_, err = h.Verifiers(ctx, jwk.Set{key.Public()}, "", jws.Options{})
	fmt.Println(errors.Is(err, jws.ErrNoKey))
	// Output:
	// 1 <nil>
	// true
}

func ExampleHeader_For() {
	key, _ := jwk.NewSecretKey(jwa.HS256, "k1", []byte("a secret of no less than 32 bytes"))
	h, err := jws.Header{Type: "JWT"}.For(key)
	if err != nil {
		panic(err)
	}
	raw, err := h.MarshalJSON()
	fmt.Println(string(raw), err)
	// Output: {"alg":"HS256","kid":"k1","typ":"JWT"} <nil>
}

func ExampleMessage() {
	ctx := context.Background()
	key, _ := jwk.NewSecretKey(jwa.HS256, "k1", []byte("a secret of no less than 32 bytes"))
	keys := jwk.Set{key}
	for _, token := range []string{
		"not a token",
		strings.Repeat("A", 65<<10),
		"eyJhbGciOiJIUzI1NiJ9.aGVsbG8.AAAA",
	} {
		var m *jws.Message
		m, err := jws.Verify(ctx, keys, token, jws.Options{})
		fmt.Println(m == nil, errors.Is(err, jws.ErrMalformed), errors.Is(err, jws.ErrTooLarge), errors.Is(err, jws.ErrSignature))
	}
	// Output:
	// true true false false
	// true false true false
	// true false false true
}
