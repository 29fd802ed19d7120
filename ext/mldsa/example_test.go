package mldsa_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jotsuite/jot/ext/mldsa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// All three are handed to what reads keys; a key has one of them.
func ExampleExtensions() {
	key, err := jwk.Generate(mldsa.MLDSA65().Algorithm, mldsa.Extensions()...)
	if err != nil {
		panic(err)
	}
	token, err := jws.Sign(context.Background(), key, jws.Header{}, []byte("hello"))
	if err != nil {
		panic(err)
	}

	published, err := json.Marshal(jwk.Set{key.Public()})
	if err != nil {
		panic(err)
	}
	set, skipped, err := jwk.ParseSet(published, jwk.Binding{Extensions: mldsa.Extensions()})
	if err != nil {
		panic(err)
	}
	message, err := jws.Verify(context.Background(), set, token, jws.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(skipped), set[0].Algorithm(), string(message.Payload))
	// Output: 0 ML-DSA-65 hello
}

// Verifiers may narrow what they accept.
func ExampleMLDSA44() {
	for _, e := range []jwk.Extension{mldsa.MLDSA44(), mldsa.MLDSA87()} {
		fmt.Println(e.Algorithm, e.Algorithm.KeyType(), e.Algorithm.SignatureSize())
	}
	// Output:
	// ML-DSA-44 AKP 2420
	// ML-DSA-87 AKP 4627
}
