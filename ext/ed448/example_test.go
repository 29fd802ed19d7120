package ed448_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jotsuite/jot/ext/ed448"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// One value for the whole program, handed to what reads keys.
func ExampleExtension() {
	ed448 := ed448.Extension()
	key, err := jwk.Generate(ed448.Algorithm, ed448)
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
	set, skipped, err := jwk.ParseSet(published, jwk.Binding{Extensions: []jwk.Extension{ed448}})
	if err != nil {
		panic(err)
	}
	message, err := jws.Verify(context.Background(), set, token, jws.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(skipped), set[0].Algorithm(), string(message.Payload))
	// Output: 0 Ed448 hello
}

// One set has the keys to verify with and those to encrypt for.
func ExampleX448() {
	recipient, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "X448", ed448.X448())
	if err != nil {
		panic(err)
	}
	published, err := json.Marshal(jwk.Set{recipient.Public()})
	if err != nil {
		panic(err)
	}
	set, skipped, err := jwk.ParseSet(published, jwk.Binding{Agreements: []jwk.Agreement{ed448.X448()}})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(skipped), set[0].Algorithm(), set[0].JWK().Curve())
	// Output: 0 ECDH-ES+A256KW X448
}
