// Package jwa names the algorithms of JOSE: one immutable value for each, and
// one table that says what each needs.
//
// Most programs only name an algorithm:
//
//	key, err := jwk.Generate(jwa.ES256)
//
// and [Lookup] turns a name from a configuration file into a value. Names are
// exact and case-sensitive (RFC 7515, Section 4.1.1). The algorithm "none" has no
// value here, so that nothing can be configured to accept it.
//
// What is named Experimental follows a draft, the number of which is in the name. It
// goes away when the draft does, and [Lookup] does not find it: programs that want it
// name it.
//
// There is no registry: an algorithm that is not in the table is a value made by
// [New] and handed to the functions that shall understand it. Values are
// comparable with ==; [Algorithm.Is] also knows that EdDSA and Ed25519 are two
// names of one algorithm (RFC 9864).
package jwa

import (
	"crypto"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
)

// Algorithm is the algorithm that an "alg" header parameter names. The zero value
// is no algorithm. Values are immutable and comparable.
type Algorithm struct{ e *entry }

// Traits say what an algorithm needs of its keys and what it makes.
type Traits struct {
	// KeyType is the "kty" of its keys: "EC", "RSA", "OKP", "oct" or another. It is
	// empty only where keys of several types fit, as with ECDH-ES.
	KeyType string
	// Curve is the "crv" of its keys, or empty.
	Curve string
	// Hash is what the message is hashed with before the key is used, or 0 where
	// the key is used on the whole message, as with Ed25519. Algorithms of encryption
	// derive or pad keys with it.
	Hash crypto.Hash
	// SignatureSize is the length of every signature in bytes, or 0 where it
	// depends on the key.
	SignatureSize int
	// Deprecated says that a specification advises against new uses.
	Deprecated bool
	// Spec is the clause that defines the algorithm.
	Spec string
}

// entry is a row of the table. It never changes.
type entry struct {
	name      string
	canonical string // what names the same algorithm shares it
	family    string
	use       string
	mode      mode
	keySize   int // of the AES key that wraps or seals, in bytes
	Traits
}

// mode is how the content encryption key comes about (RFC 7516, Section 2).
type mode byte

const (
	wrapped    mode = iota // random, and encrypted to each recipient
	direct                 // shared or agreed on
	integrated             // there is none
)

// ErrInvalid is the refusal of [New]: the name is taken, forbidden, or not a name.
var ErrInvalid error = errInvalid

var errInvalid = fault.New("alg.invalid", "RFC 7515, Section 4.1.1", "the algorithm cannot be defined")

// New makes an algorithm that is not in the table, for signatures. It refuses the
// names that are, "none" in any spelling, and traits without a key type. It is
// called once for each algorithm: what it returns twice for one name is not equal
// by ==, only by [Algorithm.Is].
func New(name string, t Traits) (Algorithm, error) {
	switch {
	case name == "" || strings.ContainsFunc(name, notPrintable):
		return Algorithm{}, errInvalid.With("a name is one or more printable ASCII characters without spaces")
	case strings.EqualFold(name, "none"):
		return Algorithm{}, errInvalid.With("\"none\" is not an algorithm")
	case t.KeyType == "":
		return Algorithm{}, errInvalid.With("the key type is missing")
	case t.SignatureSize < 0:
		return Algorithm{}, errInvalid.With("the signature size is negative")
	case t.Hash > crypto.BLAKE2b_512:
		return Algorithm{}, errInvalid.With("the hash is unknown")
	}
	for _, a := range slices.Concat(table, experimental) {
		// Names that differ from a standard one only in case would be mistaken for it.
		if strings.EqualFold(a.Name(), name) {
			return Algorithm{}, errInvalid.With("the name " + a.Name() + " is taken")
		}
	}
	return Algorithm{&entry{name: name, canonical: name, use: "sig", Traits: t}}, nil
}

func notPrintable(r rune) bool { return r <= ' ' || r > '~' }

var noEntry entry

func (a Algorithm) entry() *entry {
	if a.e == nil {
		return &noEntry
	}
	return a.e
}

// Name returns the name as it stands in the header, or "" for the zero value.
func (a Algorithm) Name() string { return a.entry().name }

// String returns the name.
func (a Algorithm) String() string { return a.entry().name }

// KeyType returns the "kty" of the keys that fit. It is empty where several types
// do: ECDH-ES takes EC and OKP keys (RFC 8037, Section 3.2).
func (a Algorithm) KeyType() string { return a.entry().KeyType }

// Curve returns the "crv" of the keys that fit, or "" where there is none or any.
func (a Algorithm) Curve() string { return a.entry().Curve }

// Hash returns the hash of the message, or 0 where the key takes all of it. For
// encryption it is the hash of the padding (RSA-OAEP) or of the derivation (ECDH-ES,
// PBES2, HPKE), or 0 where there is none.
func (a Algorithm) Hash() crypto.Hash { return a.entry().Hash }

// SignatureSize returns the length of a signature in bytes, or 0 where it depends
// on the key.
func (a Algorithm) SignatureSize() int { return a.entry().SignatureSize }

// Family returns the scheme that algorithms share and differ in their parameters
// by: "HMAC", "RSASSA-PKCS1-v1_5", "RSASSA-PSS", "ECDSA", "EdDSA", for encryption
// "RSAES", "AES-KW", "AES-GCMKW", "direct", "ECDH-ES", "PBES2", "HPKE", and "" for
// an algorithm made by [New].
func (a Algorithm) Family() string { return a.entry().family }

// Use returns "sig" or "enc", as in the "use" of a JWK (RFC 7517, Section 4.2).
func (a Algorithm) Use() string { return a.entry().use }

// KeySize returns the length in bytes of the AES key that wraps the content
// encryption key: 16 for A128KW, A128GCMKW, PBES2-HS256+A128KW and ECDH-ES+A128KW. It
// is 0 for other algorithms.
func (a Algorithm) KeySize() int { return a.entry().keySize }

// Direct reports whether the algorithm gives the content encryption key itself, so
// that no encrypted key travels: dir and ECDH-ES (RFC 7516, Section 2).
func (a Algorithm) Direct() bool { return a.entry().mode == direct }

// Integrated reports whether the algorithm encrypts the plaintext itself, so that
// there is no "enc" and no content encryption key: HPKE without -KE
// (draft-ietf-jose-hpke-encrypt-22, Section 5).
func (a Algorithm) Integrated() bool { return a.entry().mode == integrated }

// Symmetric reports whether one secret both makes and checks.
func (a Algorithm) Symmetric() bool { return a.entry().KeyType == "oct" }

// Deprecated reports whether a specification advises against new uses.
func (a Algorithm) Deprecated() bool { return a.entry().Deprecated }

// Spec returns the clause that defines the algorithm.
func (a Algorithm) Spec() string { return a.entry().Spec }

// Is reports whether both are the same algorithm, under whichever name. The zero
// value is no algorithm, not even itself.
func (a Algorithm) Is(other Algorithm) bool {
	if a == (Algorithm{}) || other == (Algorithm{}) {
		return false
	}
	// RFC 9864, Section 2.2: Ed25519 is EdDSA with that curve.
	return a == other || a.e.canonical == other.e.canonical
}

// Lookup returns the algorithm of a name in the table, for signatures or for
// encryption. It finds neither "none" nor what is Experimental.
func Lookup(name string) (Algorithm, bool) {
	a, ok := byName[name]
	return a, ok
}

// Signatures returns the table of signature algorithms, in the order of preference
// for a key that several fit.
func Signatures() []Algorithm { return used("sig") }

// KeyManagement returns the table of key management algorithms, which bring the
// content encryption key of a token to its recipient.
func KeyManagement() []Algorithm { return used("enc") }

func used(use string) []Algorithm {
	var all []Algorithm
	for _, a := range table {
		if a.Use() == use {
			all = append(all, a)
		}
	}
	return all
}

// Encryption is the content encryption that an "enc" header parameter names. The
// zero value is none. Values are immutable and comparable.
type Encryption struct{ e *encryption }

type encryption struct {
	name    string
	keySize int
	spec    string
}

// Name returns the name as it stands in the header, or "" for the zero value.
func (e Encryption) Name() string { return e.entry().name }

// String returns the name.
func (e Encryption) String() string { return e.entry().name }

// KeySize returns the length of the content encryption key in bytes.
func (e Encryption) KeySize() int { return e.entry().keySize }

// Spec returns the clause that defines the encryption.
func (e Encryption) Spec() string { return e.entry().spec }

var noEncryption encryption

func (e Encryption) entry() *encryption {
	if e.e == nil {
		return &noEncryption
	}
	return e.e
}

// Encryptions returns the table of content encryptions.
func Encryptions() []Encryption { return slices.Clone(encryptions) }

// LookupEncryption returns the content encryption of a name, exact and
// case-sensitive.
func LookupEncryption(name string) (Encryption, bool) {
	for _, e := range encryptions {
		if e.Name() == name {
			return e, true
		}
	}
	return Encryption{}, false
}
