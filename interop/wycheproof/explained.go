// Package wycheproof runs Project Wycheproof's vectors for signatures and encryption
// through jot. Everything that differs from the suite, or is left out of it, is listed in
// this file with its reason.
package wycheproof

// explained lists, by file and tcId, the outcomes that are not the suite's. A line
// that is no longer needed fails the test as well.
var explained = map[string]map[int]string{
	"json_web_signature_test.json": {
		346: "the JWK says PS256, the token PS384",
		347: "the JWK's alg is ES521, which does not exist",
		350: "the JWK says PS256, the token PS384",
		351: "the JWK's alg is ES521, which does not exist",
		367: "the same bytes as the valid 357: the padding that its name speaks of is not there",
		370: "the same bytes as the valid 357: the padding that its name speaks of is not there",
		372: "labelled valid, and has a ? in the header's base64url",
		373: "labelled valid, and has a ? in the payload's base64url",
	},
	"json_web_key_test.json": {
		1: mixed,
		4: "two keys share a kid: RFC 7517, Section 4.5, only says SHOULD; both are tried, at most four are",
	},
	"json_web_crypto_test.json": {
		47: mixed,
	},
	"rsa_pss_2048_sha256_mgf1_0_test.json": {
		69: "invalid for a salt of 0 bytes, because it has one of 32, and so it is a good PS256",
	},
}

const mixed = "a set with shared and public keys: RFC 7517 allows it, and a key bound to one algorithm cannot be confused"

// counts is how many cases each file that is run has, so that one that shrinks or
// is renamed is noticed.
var counts = map[string]int{
	"json_web_signature_test.json":  401,
	"json_web_key_test.json":        26,
	"json_web_crypto_test.json":     83,
	"json_web_encryption_test.json": 139,

	"ecdsa_secp256r1_sha256_p1363_test.json": 262,
	"ecdsa_secp384r1_sha384_p1363_test.json": 280,
	"ecdsa_secp521r1_sha512_p1363_test.json": 318,
	"ed25519_test.json":                      151,

	// Of the extensions.
	"ecdsa_secp256k1_sha256_p1363_test.json": 252,
	"ed448_test.json":                        87,
	"mldsa_44_verify_test.json":              180,
	"mldsa_65_verify_test.json":              210,
	"mldsa_87_verify_test.json":              241,

	"rsa_signature_2048_sha256_test.json": 259,
	"rsa_signature_2048_sha384_test.json": 258,
	"rsa_signature_2048_sha512_test.json": 259,
	"rsa_signature_3072_sha256_test.json": 259,
	"rsa_signature_3072_sha384_test.json": 259,
	"rsa_signature_3072_sha512_test.json": 260,
	"rsa_signature_4096_sha256_test.json": 258,
	"rsa_signature_4096_sha384_test.json": 259,
	"rsa_signature_4096_sha512_test.json": 259,
	"rsa_signature_8192_sha256_test.json": 258,
	"rsa_signature_8192_sha384_test.json": 259,
	"rsa_signature_8192_sha512_test.json": 259,

	"rsa_pss_2048_sha256_mgf1_32_test.json": 108,
	"rsa_pss_3072_sha256_mgf1_32_test.json": 108,
	"rsa_pss_4096_sha256_mgf1_32_test.json": 108,
	"rsa_pss_2048_sha384_mgf1_48_test.json": 141,
	"rsa_pss_4096_sha384_mgf1_48_test.json": 141,
	"rsa_pss_4096_sha512_mgf1_64_test.json": 179,

	// Another salt or mask than RFC 7518, Section 3.5: valid for their own
	// parameters, and none may pass for PS256 and PS512.
	"rsa_pss_2048_sha256_mgf1_0_test.json":      103,
	"rsa_pss_2048_sha256_mgf1sha1_20_test.json": 108,
	"rsa_pss_4096_sha512_mgf1_32_test.json":     177,

	"hmac_sha256_test.json": 174,
	"hmac_sha384_test.json": 174,
	"hmac_sha512_test.json": 174,

	"aes_gcm_test.json":           316,
	"a128cbc_hs256_test.json":     94,
	"a192cbc_hs384_test.json":     94,
	"a256cbc_hs512_test.json":     94,
	"aes_wrap_test.json":          165,
	"pbkdf2_hmacsha256_test.json": 60,
	"pbkdf2_hmacsha384_test.json": 58,
	"pbkdf2_hmacsha512_test.json": 58,

	"rsa_oaep_2048_sha1_mgf1sha1_test.json":     36,
	"rsa_oaep_2048_sha256_mgf1sha256_test.json": 37,
	"rsa_oaep_2048_sha384_mgf1sha384_test.json": 34,
	"rsa_oaep_2048_sha512_mgf1sha512_test.json": 33,
	"rsa_oaep_3072_sha256_mgf1sha256_test.json": 37,
	"rsa_oaep_3072_sha512_mgf1sha512_test.json": 33,
	"rsa_oaep_4096_sha256_mgf1sha256_test.json": 37,
	"rsa_oaep_4096_sha512_mgf1sha512_test.json": 36,
	"rsa_oaep_misc_test.json":                   56, // the groups with parameters of JOSE
	"rsa_pkcs1_2048_test.json":                  67,
	"rsa_pkcs1_3072_test.json":                  67,
	"rsa_pkcs1_4096_test.json":                  67,

	// Another mask than RFC 7518, Section 4.3, and Web Cryptography have.
	"rsa_oaep_2048_sha256_mgf1sha1_test.json": 31,
	"rsa_oaep_2048_sha384_mgf1sha1_test.json": 31,
	"rsa_oaep_2048_sha512_mgf1sha1_test.json": 31,

	"ecdh_secp256r1_test.json":           612,
	"ecdh_secp384r1_test.json":           1047,
	"ecdh_secp521r1_test.json":           916,
	"ecdh_secp256r1_ecpoint_test.json":   355,
	"ecdh_secp384r1_ecpoint_test.json":   790,
	"ecdh_secp521r1_ecpoint_test.json":   661,
	"ecdh_secp256r1_webcrypto_test.json": 353,
	"ecdh_secp384r1_webcrypto_test.json": 794,
	"ecdh_secp521r1_webcrypto_test.json": 655,
	"ecdh_secp256r1_pem_test.json":       612,
	"ecdh_secp384r1_pem_test.json":       1047,
	"ecdh_secp521r1_pem_test.json":       916,
	"x25519_test.json":                   518,
	"x25519_jwk_test.json":               531,
	"x25519_asn_test.json":               537,
	"x25519_pem_test.json":               518,
}

// otherParameters are the files of counts whose parameters are not JOSE's.
var otherParameters = map[string]bool{
	"rsa_pss_2048_sha256_mgf1_0_test.json":      true,
	"rsa_pss_2048_sha256_mgf1sha1_20_test.json": true,
	"rsa_pss_4096_sha512_mgf1_32_test.json":     true,
	"rsa_oaep_2048_sha256_mgf1sha1_test.json":   true,
	"rsa_oaep_2048_sha384_mgf1sha1_test.json":   true,
	"rsa_oaep_2048_sha512_mgf1sha1_test.json":   true,
}

// skipped gives the reason, by a pattern of path.Match, for each file of a
// signature or MAC that is not run. A file that matches nothing here and is not in
// counts fails the test.
var skipped = []struct{ pattern, why string }{
	{"ecdsa_brainpool*", "no JOSE algorithm uses these curves"},
	{"ecdsa_secp1*", "no JOSE algorithm uses these curves"},
	{"ecdsa_secp2[23][0-9]*", "no JOSE algorithm uses these curves"},
	{"ecdsa_secp256k1*", "ES256K is SHA-256 with r and s side by side"},
	{"ecdsa_*_sha256_test.json", "DER: JOSE has r and s side by side, RFC 7518, Section 3.4"},
	{"ecdsa_*_sha384_test.json", "DER: JOSE has r and s side by side, RFC 7518, Section 3.4"},
	{"ecdsa_*_sha512_test.json", "DER, or a hash that the curve does not go with in JOSE"},
	{"ecdsa_*_sha3_*", "no JOSE algorithm uses SHA-3"},
	{"ecdsa_*_shake*", "no JOSE algorithm uses SHAKE"},
	{"ecdsa_secp256r1_sha512_p1363*", "ES256 is SHA-256"},
	{"ecdsa_secp384r1_sha512_p1363*", "ES384 is SHA-384"},
	{"mldsa_*_sign_*", "signatures to make, without random bytes; those of RFC 9964 are made with them"},
	{"rsa_signature_*_sha224*", "no JOSE algorithm uses SHA-224"},
	{"rsa_signature_*_sha3_*", "no JOSE algorithm uses SHA-3"},
	{"rsa_signature_*_sha512_2*", "no JOSE algorithm uses the short forms of SHA-512"},
	{"rsa_pss_*_params_test.json", "keys of id-RSASSA-PSS: a JWK has no such parameters"},
	{"rsa_pss_*_sha1_*", "no JOSE algorithm uses SHA-1"},
	{"rsa_pss_*_shake*", "no JOSE algorithm uses SHAKE"},
	{"rsa_pss_*_sha512_2*", "no JOSE algorithm uses the short forms of SHA-512"},
	{"rsa_pss_misc_test.json", "each case has parameters of its own; those of JOSE are in the files run"},
	{"rsa_three_primes*", "keys of three primes, which jot refuses: RFC 7518, Section 6.3.2.7"},
	{"rsa_pkcs1_*_sig_gen*", "signatures to make, with keys of 1024 bits among them"},
	{"hmac_sha1*", "no JOSE algorithm uses SHA-1"},
	{"hmac_sha224*", "no JOSE algorithm uses SHA-224"},
	{"hmac_sha3_*", "no JOSE algorithm uses SHA-3"},
	{"hmac_sha512_2*", "no JOSE algorithm uses the short forms of SHA-512"},
	{"hmac_sm3*", "no JOSE algorithm uses SM3"},
	{"aes_cbc_pkcs5*", "encryption without a tag, which JOSE has not"},
	{"aes_gcm_siv*", "no JOSE algorithm uses AES-GCM-SIV"},
	{"aes_kwp*", "JOSE wraps keys without padding, RFC 7518, Section 4.4"},
	{"ecdh_brainpool*", "no JOSE algorithm uses these curves"},
	{"ecdh_secp224r1*", "no JOSE algorithm uses this curve"},
	{"ecdh_secp256k1*", "RFC 8812, Section 3.1: secp256k1 signs only"},
	{"ecdh_sect*", "no JOSE algorithm uses these curves"},
	{"pbes2_*", "PBES2 of PKCS #5, whose CBC has no tag; that of JOSE wraps keys"},
	{"pbkdf2_hmacsha1*", "no JOSE algorithm uses it"},
	{"pbkdf2_hmacsha224*", "no JOSE algorithm uses it"},
	{"rsa_oaep_*_sha224*", "no JOSE algorithm uses SHA-224"},
	{"rsa_oaep_*_sha512_2*", "no JOSE algorithm uses the short forms of SHA-512"},
	{"rsa_oaep_[34]*_mgf1sha1*", "another mask than JOSE's, which those of 2048 bits have too"},
	{"x448_test.json", "TestX448 runs it, through ext/ed448"},
	{"x448_*", "the secrets of x448_test.json again, in formats that jot does not read for X448"},
}
