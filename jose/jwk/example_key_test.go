package jwk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// What may stand in a set: public keys and secrets, side by side.
func ExampleKey() {
	private, err := jwk.Generate(jwa.Ed25519)
	if err != nil {
		panic(err)
	}
	secret, err := jwk.GenerateSecret(jwa.HS256)
	if err != nil {
		panic(err)
	}
	for _, key := range []jwk.Key{private.Public(), secret} {
		fmt.Println(key.Algorithm(), key.JWK().KeyType(), key.JWK().IsPrivate())
	}
	// Output:
	// Ed25519 OKP false
	// HS256 oct false
}

// Signing into a buffer that the caller keeps.
func ExamplePrivateKey_AppendSign() {
	private, err := jwk.Generate(jwa.ES256)
	if err != nil {
		panic(err)
	}
	secret, err := jwk.GenerateSecret(jwa.HS512)
	if err != nil {
		panic(err)
	}
	message := []byte("hello")
	buffer := make([]byte, 0, 128)
	buffer, err = private.AppendSign(context.Background(), buffer, message)
	fmt.Println(len(buffer), err, private.Public().Verify(message, buffer))
	buffer, err = secret.AppendSign(context.Background(), buffer[:0], message)
	fmt.Println(len(buffer), err, secret.Verify(message, buffer))
	// Output:
	// 64 <nil> <nil>
	// 64 <nil> <nil>
}

// Errors are told apart by their sentinels.
func ExampleErrLimit() {
	_, _, err := jwk.ParseSet([]byte(`{"keys":[`+strings.Repeat(" ", 1<<20)+`]}`), jwk.Binding{})
	switch {
	case errors.Is(err, jwk.ErrFIPS):
		fmt.Println("the program runs in FIPS mode, which forbids the key")
	case errors.Is(err, jwk.ErrLimit):
		fmt.Println("the set is too large")
	}
	// Output: the set is too large
}
