// Package jwk holds the keys of JOSE: JSON Web Keys, PEM and DER files, keys in
// hardware and in remote services, each bound to one algorithm (RFC 7517).
//
// To make a key, or to use one that the program already has:
//
//	key, err := jwk.Generate(jwa.ES256)                    // *PrivateKey, with a kid
//	key, err := jwk.NewPrivateKey(jwa.RS256, "k1", signer) // from any crypto.Signer
//	key, err := jwk.NewSecretKey(jwa.HS256, "k2", secret)  // *SecretKey, for HMAC
//	pub := key.Public()                                    // *PublicKey
//
// Keys for encryption are types of their own, so that no key serves both:
//
//	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")       // *DecryptionKey
//	key, err := jwk.NewSharedKey(jwa.Dir, "k3", s, jwa.A256GCM)  // *SharedKey
//	key, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", pw)  // *SharedKey
//	pub := key.Public()                                          // *EncryptionKey
//
// To read keys: [Parse], [ParsePEM] and [ParseDER] give a [JWK], which is only a
// description: nothing in it is trusted and it can neither sign nor verify.
// Binding it makes a key:
//
//	pub, err := description.PublicKey(jwk.Binding{})
//
// and [ParseSet] reads and binds a whole JWK set, leaving out what it cannot use
// and saying why. A [Set] is a [Source], which is what verifiers ask for keys.
//
// # One key, one algorithm
//
// A key has exactly one algorithm (RFC 8725, Section 3.1): that of the JWK's
// "alg", else that of its curve, else, for RSA, RS256, unless the [Binding] says
// otherwise. The header of a token only chooses among keys; it never chooses how
// a key is used. A key for encryption may be bound to some content encryptions too; one
// for dir is bound to exactly one.
//
// # What is refused
//
// Points off their curve, coordinates of the wrong length, numbers with leading
// zeros, RSA keys below 2048 or above 16384 bits, even or tiny exponents, keys with
// the ROCA weakness, Ed25519 keys of small order, private parts that do not match
// the public ones, multi-prime RSA, secrets shorter than their hash (save through
// [NewSecretKeyShorterThanHash]), and secrets that are public keys or certificates
// in disguise. For encryption also X25519 keys of small order, ephemeral keys off the
// curve, iteration counts of PBES2 below 1,000 or above 1,200,000, salts below 8 bytes, and
// RSA1_5, unless a Binding allows it. In the FIPS 140-3 "only" mode, what the Go Cryptographic Module
// forbids is refused with [ErrFIPS]. An Ed25519 key that is no point of the curve
// is not recognised when it is read; it verifies nothing.
//
// # Limits
//
// A JWK is at most 64 KiB, a set at most 1 MiB and 1000 keys, and at most 4 keys of
// a set are candidates for one message. Ed25519 and extension algorithms need the
// whole message in memory: from a reader at most 64 MiB.
//
// # Promises
//
// Keys and descriptions are immutable and safe for concurrent use. Nothing here
// prints private or secret members, except the functions that have Private in their
// name. The codes of errors are stable. Once a secret was used to decrypt, there is one
// error, [ErrDecrypt]; package jwe sees to it that neither it nor the time tells more.
package jwk
