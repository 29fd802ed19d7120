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

// The key management algorithms of encryption.
var (
	// RSA1_5 is RSAES-PKCS1-v1_5. Whoever can tell its failures apart can decrypt with
	// the key, which is why package jwk asks for it to be allowed by name.
	RSA1_5 = enc("RSA1_5", "RSAES", "RSA", 0, "RFC 7518, Section 4.2").deprecated()

	// RSAES-OAEP. The hash of RSA-OAEP is SHA-1, whose collisions do no harm there. The
	// last two are of the Web Cryptography API.
	RSA_OAEP     = enc("RSA-OAEP", "RSAES", "RSA", 0, "RFC 7518, Section 4.3").hashed(crypto.SHA1)
	RSA_OAEP_256 = enc("RSA-OAEP-256", "RSAES", "RSA", 0, "RFC 7518, Section 4.3").hashed(crypto.SHA256)
	RSA_OAEP_384 = enc("RSA-OAEP-384", "RSAES", "RSA", 0, "W3C WebCryptoAPI").hashed(crypto.SHA384)
	RSA_OAEP_512 = enc("RSA-OAEP-512", "RSAES", "RSA", 0, "W3C WebCryptoAPI").hashed(crypto.SHA512)

	// AES Key Wrap (RFC 3394).
	A128KW = enc("A128KW", "AES-KW", "oct", 16, "RFC 7518, Section 4.4")
	A192KW = enc("A192KW", "AES-KW", "oct", 24, "RFC 7518, Section 4.4")
	A256KW = enc("A256KW", "AES-KW", "oct", 32, "RFC 7518, Section 4.4")

	// Dir uses a shared key as the content encryption key.
	Dir = enc("dir", "direct", "oct", 0, "RFC 7518, Section 4.5").giving(direct)

	// Key agreement on P-256, P-384, P-521 and X25519 (RFC 8037, Section 3.2).
	ECDH_ES        = enc("ECDH-ES", "ECDH-ES", "", 0, "RFC 7518, Section 4.6").hashed(crypto.SHA256).giving(direct)
	ECDH_ES_A128KW = enc("ECDH-ES+A128KW", "ECDH-ES", "", 16, "RFC 7518, Section 4.6").hashed(crypto.SHA256)
	ECDH_ES_A192KW = enc("ECDH-ES+A192KW", "ECDH-ES", "", 24, "RFC 7518, Section 4.6").hashed(crypto.SHA256)
	ECDH_ES_A256KW = enc("ECDH-ES+A256KW", "ECDH-ES", "", 32, "RFC 7518, Section 4.6").hashed(crypto.SHA256)

	// Key wrapping with AES-GCM.
	A128GCMKW = enc("A128GCMKW", "AES-GCMKW", "oct", 16, "RFC 7518, Section 4.7")
	A192GCMKW = enc("A192GCMKW", "AES-GCMKW", "oct", 24, "RFC 7518, Section 4.7")
	A256GCMKW = enc("A256GCMKW", "AES-GCMKW", "oct", 32, "RFC 7518, Section 4.7")

	// Key wrapping with a key that PBKDF2 derives from a password.
	PBES2_HS256_A128KW = enc("PBES2-HS256+A128KW", "PBES2", "oct", 16, "RFC 7518, Section 4.8").hashed(crypto.SHA256)
	PBES2_HS384_A192KW = enc("PBES2-HS384+A192KW", "PBES2", "oct", 24, "RFC 7518, Section 4.8").hashed(crypto.SHA384)
	PBES2_HS512_A256KW = enc("PBES2-HS512+A256KW", "PBES2", "oct", 32, "RFC 7518, Section 4.8").hashed(crypto.SHA512)
)

// Hybrid public key encryption, as draft-ietf-jose-hpke-encrypt-22 defines it. What it
// defines on X448 is not here.
var (
	// Integrated encryption (Section 5.1).
	ExperimentalHPKE0Draft22 = hpke("HPKE-0", "EC", "P-256", crypto.SHA256, 16).giving(integrated)
	ExperimentalHPKE1Draft22 = hpke("HPKE-1", "EC", "P-384", crypto.SHA384, 32).giving(integrated)
	ExperimentalHPKE2Draft22 = hpke("HPKE-2", "EC", "P-521", crypto.SHA512, 32).giving(integrated)
	ExperimentalHPKE3Draft22 = hpke("HPKE-3", "OKP", "X25519", crypto.SHA256, 16).giving(integrated)
	// HPKE-4 seals with ChaCha20-Poly1305, the others with AES-GCM.
	ExperimentalHPKE4Draft22 = hpke("HPKE-4", "OKP", "X25519", crypto.SHA256, 0).giving(integrated)
	ExperimentalHPKE7Draft22 = hpke("HPKE-7", "EC", "P-256", crypto.SHA256, 32).giving(integrated)

	// Key encryption (Section 6.2).
	ExperimentalHPKE0KEDraft22 = hpke("HPKE-0-KE", "EC", "P-256", crypto.SHA256, 16)
	ExperimentalHPKE1KEDraft22 = hpke("HPKE-1-KE", "EC", "P-384", crypto.SHA384, 32)
	ExperimentalHPKE2KEDraft22 = hpke("HPKE-2-KE", "EC", "P-521", crypto.SHA512, 32)
	ExperimentalHPKE3KEDraft22 = hpke("HPKE-3-KE", "OKP", "X25519", crypto.SHA256, 16)
	ExperimentalHPKE4KEDraft22 = hpke("HPKE-4-KE", "OKP", "X25519", crypto.SHA256, 0)
	ExperimentalHPKE7KEDraft22 = hpke("HPKE-7-KE", "EC", "P-256", crypto.SHA256, 32)
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
	RSA1_5, RSA_OAEP, RSA_OAEP_256, RSA_OAEP_384, RSA_OAEP_512,
	A128KW, A192KW, A256KW,
	Dir,
	ECDH_ES, ECDH_ES_A128KW, ECDH_ES_A192KW, ECDH_ES_A256KW,
	A128GCMKW, A192GCMKW, A256GCMKW,
	PBES2_HS256_A128KW, PBES2_HS384_A192KW, PBES2_HS512_A256KW,
}

// experimental has what is of a draft. Only New looks into it, to keep the names free.
var experimental = []Algorithm{
	ExperimentalHPKE0Draft22, ExperimentalHPKE1Draft22, ExperimentalHPKE2Draft22,
	ExperimentalHPKE3Draft22, ExperimentalHPKE4Draft22, ExperimentalHPKE7Draft22,
	ExperimentalHPKE0KEDraft22, ExperimentalHPKE1KEDraft22, ExperimentalHPKE2KEDraft22,
	ExperimentalHPKE3KEDraft22, ExperimentalHPKE4KEDraft22, ExperimentalHPKE7KEDraft22,
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

func enc(name, family, kty string, keySize int, spec string) Algorithm {
	return Algorithm{&entry{name: name, canonical: name, family: family, use: "enc", keySize: keySize, Traits: Traits{KeyType: kty, Spec: spec}}}
}

func hpke(name, kty, crv string, h crypto.Hash, keySize int) Algorithm {
	a := enc(name, "HPKE", kty, keySize, "draft-ietf-jose-hpke-encrypt-22").hashed(h)
	a.e.Curve = crv
	return a
}

func content(name string, keySize int, spec string) Encryption {
	return Encryption{&encryption{name, keySize, spec}}
}

// These are for the table alone: they change a row before anyone sees it.

func (a Algorithm) hashed(h crypto.Hash) Algorithm {
	a.e.Hash = h
	return a
}

func (a Algorithm) giving(m mode) Algorithm {
	a.e.mode = m
	return a
}

func (a Algorithm) deprecated() Algorithm {
	a.e.Deprecated = true
	return a
}

func (a Algorithm) as(other Algorithm) Algorithm {
	a.e.canonical = other.e.canonical
	return a
}
