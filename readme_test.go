package jot_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// The snippets of README.md stand in these examples, word for word.

type Order struct {
	Items int `json:"items"`
}

var ctx = context.Background()

func Example() {
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwt.Sign(ctx, key, jwt.Header{Type: "order+jwt"},
		jwt.Registered{Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour)}, Order{Items: 3})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier[Order](jwk.Set{key.Public()},
		jwt.Policy{Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Type: "order+jwt"})
	if err != nil {
		log.Fatal(err)
	}
	token, err := verifier.Verify(ctx, raw) // token.Claims is an Order: holding it is the proof
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Registered.Issuer, token.Claims.Items)
	// Output: https://shop.example 3
}

func Example_tolerate() {
	key, err := jwk.GenerateSecret(jwa.HS256)
	if err != nil {
		log.Fatal(err)
	}
	raw, err := jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Expiry: time.Now().Add(-time.Hour)}, struct{}{})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier[struct{}](jwk.Set{key}, jwt.Policy{AnyIssuer: true, AnyAudience: true})
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(ctx, raw)
	var rejected *jwt.RejectError
	if errors.As(err, &rejected) && rejected.Only("exp.expired") {
		fmt.Println("good, but too late")
	}
	// Output: good, but too late
}

func Example_encrypt() {
	recipient, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := jwe.Encrypt(ctx, recipient.Public(), jwa.A256GCM, jwe.Header{}, []byte("for your eyes only"))
	if err != nil {
		log.Fatal(err)
	}
	m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{recipient}, sealed, jwe.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(m.Plaintext))
	// Output: for your eyes only
}
