// Package pkcs11 lets jot sign and decrypt with keys that never leave their hardware:
// a security module, a smart card, or any other token with a PKCS #11 library.
//
//	token, err := pkcs11.Open(pkcs11.Options{
//		Module: "/usr/lib/softhsm/libsofthsm2.so", Token: "production",
//		PIN: func() (string, error) { return readPIN() },
//	})
//	key, err := token.Key(pkcs11.Find{Label: "signing-2026"})
//	signer, err := jwk.NewPrivateKey(jwa.ES256, "signing-2026", key)
//
// [Token.Key] returns an [*ECKey], which is a [crypto.Signer] and an
// [ecdh.KeyExchanger], or an [*RSAKey], which is a [crypto.Signer] and a
// [crypto.Decrypter]; [jwk.NewPrivateKey] and [jwk.NewDecryptionKey] bind them to an
// algorithm. That a key is for one purpose is better said in the token too, by its
// CKA_SIGN, CKA_DECRYPT and CKA_DERIVE.
//
// Signatures: ES256, ES384, ES512, RS256 to RS512, PS256 to PS512. Decryption: RSA-OAEP
// and those with other hashes, where the token has them (SoftHSM 2.6 has SHA-1 alone),
// and ECDH-ES, whose shared secret the token must let out: the key that the rest of
// RFC 7518, Section 4.6 is computed with is made by CKM_ECDH1_DERIVE as one that is
// extractable. RSA1_5 is refused.
//
// # Sessions
//
// Operations run in sessions that are kept open, at most [Options.Sessions] at once; who
// comes when all are in use waits. When the token was taken away, was reset, or has
// logged the program out, an operation opens it anew, in whatever slot it is then, and
// is tried once more. The PIN is asked for at each login and is not kept. A token that
// refuses it is not asked again, because it locks itself after some attempts: open it
// anew.
//
// A PKCS #11 library is initialised once in a process, and other parts of a program may
// use it too. So it is never finalised here, and a login counts for all.
//
// # Without cgo
//
// The library is called through cgo. Where CGO_ENABLED is 0, or there was no C compiler,
// the package is empty, and a program that uses it does not compile.
package pkcs11
