package jwa_test

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/jotsuite/jot/jose/jwa"
)

func ExampleLookup() {
	alg, ok := jwa.Lookup("ES256")
	fmt.Println(alg, ok, alg.KeyType(), alg.Curve(), alg.Hash(), alg.SignatureSize(), alg.Spec())
	_, ok = jwa.Lookup("none")
	fmt.Println(ok)
	// Output:
	// ES256 true EC P-256 SHA-256 64 RFC 7518, Section 3.4
	// false
}

func ExampleAlgorithm_Is() {
	fmt.Println(jwa.EdDSA == jwa.Ed25519, jwa.EdDSA.Is(jwa.Ed25519), jwa.EdDSA.Deprecated())
	// Output: false true true
}

func ExampleSignatures() {
	for _, alg := range jwa.Signatures() {
		if alg.Symmetric() {
			fmt.Println(alg.Name(), alg.Family(), alg.Use())
		}
	}
	// Output:
	// HS256 HMAC sig
	// HS384 HMAC sig
	// HS512 HMAC sig
}

func ExampleKeyManagement() {
	for _, alg := range jwa.KeyManagement() {
		if alg.Direct() {
			fmt.Println(alg.Name(), alg.Family(), alg.Use())
		}
	}
	// Output:
	// dir direct enc
	// ECDH-ES ECDH-ES enc
}

func ExampleNew() {
	es256k, err := jwa.New("ES256K", jwa.Traits{
		KeyType:       "EC",
		Curve:         "secp256k1",
		Hash:          crypto.SHA256,
		SignatureSize: 64,
		Spec:          "RFC 8812, Section 3.2",
	})
	fmt.Println(es256k, err)

	_, err = jwa.New("None", jwa.Traits{KeyType: "EC"})
	fmt.Println(errors.Is(err, jwa.ErrInvalid), err)
	// Output:
	// ES256K <nil>
	// true the algorithm cannot be defined: "none" is not an algorithm
}

func ExampleLookupEncryption() {
	var enc jwa.Encryption
	enc, ok := jwa.LookupEncryption("A256GCM")
	fmt.Println(enc, ok, enc.KeySize(), enc.Spec())
	fmt.Println(enc == jwa.A256GCM, enc == jwa.A128CBC_HS256)
	// Output:
	// A256GCM true 32 RFC 7518, Section 5.3
	// true false
}

func ExampleEncryptions() {
	for _, enc := range jwa.Encryptions() {
		fmt.Print(enc, " ")
	}
	// Output: A128CBC-HS256 A192CBC-HS384 A256CBC-HS512 A128GCM A192GCM A256GCM
}

func ExampleAlgorithm_Direct() {
	for _, alg := range []jwa.Algorithm{jwa.Dir, jwa.ECDH_ES, jwa.ECDH_ES_A128KW, jwa.ExperimentalHPKE0Draft22} {
		fmt.Println(alg, alg.Direct(), alg.Integrated(), alg.KeySize())
	}
	// Output:
	// dir true false 0
	// ECDH-ES true false 0
	// ECDH-ES+A128KW false false 16
	// HPKE-0 false true 16
}
