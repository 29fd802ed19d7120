package jwa

import "crypto"

// The signature algorithms.
var (
	// HMAC with SHA-2 (RFC 7518, Section 3.2).
	HS256 = sig("HS256", "HMAC", "oct", "", crypto.SHA256, 32, "RFC 7518, Section 3.2")
	HS384 = sig("HS384", "HMAC", "oct", "", crypto.SHA384, 48, "RFC 7518, Section 3.2")
	HS512 = sig("HS512", "HMAC", "oct", "", crypto.SHA512, 64, "RFC 7518, Section 3.2")

	// RSASSA-PKCS1-v1_5 with SHA-2 (RFC 7518, Section 3.3).
	RS256 = sig("RS256", "RSASSA-PKCS1-v1_5", "RSA", "", crypto.SHA256, 0, "RFC 7518, Section 3.3")
	RS384 = sig("RS384", "RSASSA-PKCS1-v1_5", "RSA", "", crypto.SHA384, 0, "RFC 7518, Section 3.3")
	RS512 = sig("RS512", "RSASSA-PKCS1-v1_5", "RSA", "", crypto.SHA512, 0, "RFC 7518, Section 3.3")

	// RSASSA-PSS with SHA-2, MGF1 of the same hash and a salt of its length
	// (RFC 7518, Section 3.5).
	PS256 = sig("PS256", "RSASSA-PSS", "RSA", "", crypto.SHA256, 0, "RFC 7518, Section 3.5")
	PS384 = sig("PS384", "RSASSA-PSS", "RSA", "", crypto.SHA384, 0, "RFC 7518, Section 3.5")
	PS512 = sig("PS512", "RSASSA-PSS", "RSA", "", crypto.SHA512, 0, "RFC 7518, Section 3.5")

	// ECDSA, each on its own curve (RFC 7518, Section 3.4).
	ES256 = sig("ES256", "ECDSA", "EC", "P-256", crypto.SHA256, 64, "RFC 7518, Section 3.4")
	ES384 = sig("ES384", "ECDSA", "EC", "P-384", crypto.SHA384, 96, "RFC 7518, Section 3.4")
	ES512 = sig("ES512", "ECDSA", "EC", "P-521", crypto.SHA512, 132, "RFC 7518, Section 3.4")

	// EdDSA is Ed25519 under its older name, which most software still writes
	// (RFC 8037, Section 3.1). Ed448 is not in the table.
	EdDSA = sig("EdDSA", "EdDSA", "OKP", "Ed25519", 0, 64, "RFC 8037, Section 3.1").deprecated()
	// Ed25519 is the same under the name of RFC 9864, Section 2.2.
	Ed25519 = sig("Ed25519", "EdDSA", "OKP", "Ed25519", 0, 64, "RFC 9864, Section 2.2").as(EdDSA)
)

// The key management algorithms of encryption. They are named here; this version
// has no encryption.
var (
	RSA1_5       = enc("RSA1_5", "RSAES", "RSA", "RFC 7518, Section 4.2").deprecated()
	RSA_OAEP     = enc("RSA-OAEP", "RSAES", "RSA", "RFC 7518, Section 4.3")
	RSA_OAEP_256 = enc("RSA-OAEP-256", "RSAES", "RSA", "RFC 7518, Section 4.3")

	A128KW = enc("A128KW", "AES-KW", "oct", "RFC 7518, Section 4.4")
	A192KW = enc("A192KW", "AES-KW", "oct", "RFC 7518, Section 4.4")
	A256KW = enc("A256KW", "AES-KW", "oct", "RFC 7518, Section 4.4")

	Dir = enc("dir", "direct", "oct", "RFC 7518, Section 4.5")

	ECDH_ES        = enc("ECDH-ES", "ECDH-ES", "", "RFC 7518, Section 4.6")
	ECDH_ES_A128KW = enc("ECDH-ES+A128KW", "ECDH-ES", "", "RFC 7518, Section 4.6")
	ECDH_ES_A192KW = enc("ECDH-ES+A192KW", "ECDH-ES", "", "RFC 7518, Section 4.6")
	ECDH_ES_A256KW = enc("ECDH-ES+A256KW", "ECDH-ES", "", "RFC 7518, Section 4.6")

	A128GCMKW = enc("A128GCMKW", "AES-GCMKW", "oct", "RFC 7518, Section 4.7")
	A192GCMKW = enc("A192GCMKW", "AES-GCMKW", "oct", "RFC 7518, Section 4.7")
	A256GCMKW = enc("A256GCMKW", "AES-GCMKW", "oct", "RFC 7518, Section 4.7")

	PBES2_HS256_A128KW = enc("PBES2-HS256+A128KW", "PBES2", "oct", "RFC 7518, Section 4.8")
	PBES2_HS384_A192KW = enc("PBES2-HS384+A192KW", "PBES2", "oct", "RFC 7518, Section 4.8")
	PBES2_HS512_A256KW = enc("PBES2-HS512+A256KW", "PBES2", "oct", "RFC 7518, Section 4.8")
)

// The content encryptions.
var (
	A128CBC_HS256 = content("A128CBC-HS256", 32, "RFC 7518, Section 5.2.3")
	A192CBC_HS384 = content("A192CBC-HS384", 48, "RFC 7518, Section 5.2.4")
	A256CBC_HS512 = content("A256CBC-HS512", 64, "RFC 7518, Section 5.2.5")
	A128GCM       = content("A128GCM", 16, "RFC 7518, Section 5.3")
	A192GCM       = content("A192GCM", 24, "RFC 7518, Section 5.3")
	A256GCM       = content("A256GCM", 32, "RFC 7518, Section 5.3")
)

// table has every algorithm once; everything else here is derived from it. The
// exported variables are only names of its rows.
var table = []Algorithm{
	HS256, HS384, HS512,
	RS256, RS384, RS512,
	PS256, PS384, PS512,
	ES256, ES384, ES512,
	EdDSA, Ed25519,
	RSA1_5, RSA_OAEP, RSA_OAEP_256,
	A128KW, A192KW, A256KW,
	Dir,
	ECDH_ES, ECDH_ES_A128KW, ECDH_ES_A192KW, ECDH_ES_A256KW,
	A128GCMKW, A192GCMKW, A256GCMKW,
	PBES2_HS256_A128KW, PBES2_HS384_A192KW, PBES2_HS512_A256KW,
}

var encryptions = []Encryption{
	A128CBC_HS256, A192CBC_HS384, A256CBC_HS512, A128GCM, A192GCM, A256GCM,
}

var byName = func() map[string]Algorithm {
	m := make(map[string]Algorithm, len(table))
	for _, a := range table {
		m[a.Name()] = a
	}
	return m
}()

func sig(name, family, kty, crv string, h crypto.Hash, size int, spec string) Algorithm {
	return Algorithm{&entry{name: name, canonical: name, family: family, use: "sig", Traits: Traits{
		KeyType: kty, Curve: crv, Hash: h, SignatureSize: size, Spec: spec,
	}}}
}

func enc(name, family, kty, spec string) Algorithm {
	return Algorithm{&entry{name: name, canonical: name, family: family, use: "enc", Traits: Traits{KeyType: kty, Spec: spec}}}
}

func content(name string, keySize int, spec string) Encryption {
	return Encryption{&encryption{name: name, keySize: keySize, spec: spec}}
}

// deprecated and as are for the table alone: they change a row before anyone sees it.
func (a Algorithm) deprecated() Algorithm {
	a.e.Deprecated = true
	return a
}

func (a Algorithm) as(other Algorithm) Algorithm {
	a.e.canonical = other.e.canonical
	return a
}
