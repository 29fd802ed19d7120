package jwa_test

import (
	"fmt"

	"github.com/jotsuite/jot/jose/jwa"
)

// The names in Go, and those in a header.
func ExampleAlgorithm() {
	for _, family := range [][]jwa.Algorithm{
		{jwa.HS256, jwa.HS384, jwa.HS512},
		{jwa.RS256, jwa.RS384, jwa.RS512},
		{jwa.PS256, jwa.PS384, jwa.PS512},
		{jwa.ES256, jwa.ES384, jwa.ES512},
		{jwa.EdDSA, jwa.Ed25519},
		{jwa.RSA1_5, jwa.RSA_OAEP, jwa.RSA_OAEP_256, jwa.RSA_OAEP_384, jwa.RSA_OAEP_512},
		{jwa.A128KW, jwa.A192KW, jwa.A256KW},
		{jwa.Dir},
		{jwa.ECDH_ES, jwa.ECDH_ES_A128KW, jwa.ECDH_ES_A192KW, jwa.ECDH_ES_A256KW},
		{jwa.A128GCMKW, jwa.A192GCMKW, jwa.A256GCMKW},
		{jwa.PBES2_HS256_A128KW, jwa.PBES2_HS384_A192KW, jwa.PBES2_HS512_A256KW},
		{
			jwa.ExperimentalHPKE0Draft22, jwa.ExperimentalHPKE1Draft22, jwa.ExperimentalHPKE2Draft22,
			jwa.ExperimentalHPKE3Draft22, jwa.ExperimentalHPKE4Draft22, jwa.ExperimentalHPKE7Draft22,
		},
		{
			jwa.ExperimentalHPKE0KEDraft22, jwa.ExperimentalHPKE1KEDraft22, jwa.ExperimentalHPKE2KEDraft22,
			jwa.ExperimentalHPKE3KEDraft22, jwa.ExperimentalHPKE4KEDraft22, jwa.ExperimentalHPKE7KEDraft22,
		},
	} {
		fmt.Println(family[0].Use(), family[0].Family(), family)
	}
	// Output:
	// sig HMAC [HS256 HS384 HS512]
	// sig RSASSA-PKCS1-v1_5 [RS256 RS384 RS512]
	// sig RSASSA-PSS [PS256 PS384 PS512]
	// sig ECDSA [ES256 ES384 ES512]
	// sig EdDSA [EdDSA Ed25519]
	// enc RSAES [RSA1_5 RSA-OAEP RSA-OAEP-256 RSA-OAEP-384 RSA-OAEP-512]
	// enc AES-KW [A128KW A192KW A256KW]
	// enc direct [dir]
	// enc ECDH-ES [ECDH-ES ECDH-ES+A128KW ECDH-ES+A192KW ECDH-ES+A256KW]
	// enc AES-GCMKW [A128GCMKW A192GCMKW A256GCMKW]
	// enc PBES2 [PBES2-HS256+A128KW PBES2-HS384+A192KW PBES2-HS512+A256KW]
	// enc HPKE [HPKE-0 HPKE-1 HPKE-2 HPKE-3 HPKE-4 HPKE-7]
	// enc HPKE [HPKE-0-KE HPKE-1-KE HPKE-2-KE HPKE-3-KE HPKE-4-KE HPKE-7-KE]
}

// Content encryption is named beside the algorithm, in "enc".
func ExampleEncryption() {
	for _, enc := range []jwa.Encryption{
		jwa.A128CBC_HS256, jwa.A192CBC_HS384, jwa.A256CBC_HS512, jwa.A128GCM, jwa.A192GCM, jwa.A256GCM,
	} {
		fmt.Println(enc.Name(), enc.KeySize())
	}
	// Output:
	// A128CBC-HS256 32
	// A192CBC-HS384 48
	// A256CBC-HS512 64
	// A128GCM 16
	// A192GCM 24
	// A256GCM 32
}
