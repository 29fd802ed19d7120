package jwk

import (
	"context"
	"crypto"
	"fmt"
	"io"

	"github.com/jotsuite/jot/jose/jwa"
)

// Wrapping is what a JWE says about how its content encryption key (CEK) travels to
// one recipient (RFC 7518, Section 4). Encrypting fills it in, decrypting reads it.
type Wrapping struct {
	Encryption   jwa.Encryption // "enc", always needed
	EncryptedKey []byte         // the JWE Encrypted Key
	EphemeralKey *JWK           // "epk" of ECDH-ES
	PartyU       []byte         // "apu" of ECDH-ES, the producer; given when encrypting too
	PartyV       []byte         // "apv" of ECDH-ES, the recipient; given when encrypting too
	IV           []byte         // "iv" of AES-GCM key wrapping
	Tag          []byte         // "tag" of AES-GCM key wrapping
	Salt         []byte         // "p2s" of PBES2
	// Count is "p2c" of PBES2. When encrypting, 0 stands for 600,000 and less than
	// 310,000 is refused. When decrypting, 1,000 to 1,200,000 are taken.
	Count        int
	Encapsulated []byte // "ek" of HPKE key encryption
}

// Encrypter is a key that encrypts: an [*EncryptionKey] or a [*SharedKey]. The
// interface is closed.
type Encrypter interface {
	Key
	// Encryptions returns what the key may be used with, the preferred one first, or
	// nil where that is not restricted. The caller must not change it.
	Encryptions() []jwa.Encryption
	// EncryptKey brings cek to whoever has the key, fills in what w.Encryption, PartyU,
	// PartyV and Count do not say, and returns cek. Where the algorithm is Direct, cek
	// must be nil, and the key that was shared or agreed on is returned; the caller must
	// not change it. An Integrated algorithm has no cek: see [EncryptionKey.Seal].
	EncryptKey(ctx context.Context, cek []byte, w *Wrapping) ([]byte, error)
	encrypter()
}

// Decrypter is a key that decrypts: a [*DecryptionKey] or a [*SharedKey]. The
// interface is closed.
type Decrypter interface {
	Algorithm() jwa.Algorithm
	KeyID() string
	JWK() JWK
	// Encryptions returns what the key may be used with, or nil where that is not
	// restricted. The caller must not change it.
	Encryptions() []jwa.Encryption
	// DecryptKey returns the CEK, which has the length that w.Encryption demands; the
	// caller must not change it. What is wrong with w alone is told as it is. From the
	// moment on that the secret is used there is one error, ErrDecrypt: for it the
	// caller takes a random CEK and goes on, so that neither the error nor the time says
	// what was wrong (RFC 7516, Section 11.5).
	DecryptKey(ctx context.Context, w *Wrapping) ([]byte, error)
	decrypter()
}

// EncryptionKey encrypts for whoever has the [DecryptionKey].
type EncryptionKey struct {
	alg      jwa.Algorithm
	kid, x5t string
	encs     []jwa.Encryption
}

// DecryptionKey decrypts with one algorithm. Its private part may be out of reach, in
// hardware or in a remote service.
type DecryptionKey struct {
	public *EncryptionKey
}

// NewEncryptionKey binds a public key of the standard library: *rsa.PublicKey,
// *ecdsa.PublicKey or *ecdh.PublicKey. The kid may be empty; encs are the content
// encryptions that it may be used with, all where there are none.
func NewEncryptionKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, encs ...jwa.Encryption) (*EncryptionKey, error) {
	panic("skeleton")
}

// NewDecryptionKey binds a private key: *rsa.PrivateKey, *ecdsa.PrivateKey, or anything
// else that implements [crypto.Decrypter] for RSA or [ecdh.KeyExchanger], such as a key
// in hardware.
func NewDecryptionKey(alg jwa.Algorithm, kid string, priv any, encs ...jwa.Encryption) (*DecryptionKey, error) {
	panic("skeleton")
}

// NewRemoteDecryptionKey binds a key that a function decrypts with, such as a key in a
// key management service.
func NewRemoteDecryptionKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, decrypt func(ctx context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error), encs ...jwa.Encryption) (*DecryptionKey, error) {
	panic("skeleton")
}

// GenerateDecryptionKey makes a new private key. Its kid is its SHA-256 thumbprint. The
// curve is needed for ECDH-ES alone, where empty is P-256.
func GenerateDecryptionKey(alg jwa.Algorithm, crv string, agreements ...Agreement) (*DecryptionKey, error) {
	panic("skeleton")
}

// Algorithm returns the one algorithm of the key.
func (k *EncryptionKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *EncryptionKey) KeyID() string { return k.kid }

// Encryptions returns what the key may be used with, or nil.
func (k *EncryptionKey) Encryptions() []jwa.Encryption { return k.encs }

// JWK returns the public description.
func (k *EncryptionKey) JWK() JWK { panic("skeleton") }

// EncryptKey is as [Encrypter] says.
func (k *EncryptionKey) EncryptKey(ctx context.Context, cek []byte, w *Wrapping) ([]byte, error) {
	panic("skeleton")
}

// Seal encrypts with an Integrated algorithm. The encapsulated secret is the JWE
// Encrypted Key; there is neither an initialization vector nor a tag.
func (k *EncryptionKey) Seal(aad, plaintext []byte) (encapsulated, ciphertext []byte, err error) {
	panic("skeleton")
}

func (k *EncryptionKey) key()       {}
func (k *EncryptionKey) encrypter() {}

// Algorithm returns the one algorithm of the key.
func (k *DecryptionKey) Algorithm() jwa.Algorithm { return k.public.alg }

// KeyID returns the "kid", or "".
func (k *DecryptionKey) KeyID() string { return k.public.kid }

// Encryptions returns what the key may be used with, or nil.
func (k *DecryptionKey) Encryptions() []jwa.Encryption { return k.public.encs }

// Public returns the public key.
func (k *DecryptionKey) Public() *EncryptionKey { return k.public }

// JWK returns the public description.
func (k *DecryptionKey) JWK() JWK { return k.public.JWK() }

// PrivateJWK returns the description with the private members. It is ErrPrivate where
// they are out of reach.
func (k *DecryptionKey) PrivateJWK() (JWK, error) { panic("skeleton") }

// DecryptKey is as [Decrypter] says.
func (k *DecryptionKey) DecryptKey(ctx context.Context, w *Wrapping) ([]byte, error) {
	panic("skeleton")
}

// Open decrypts what Seal made. Every failure after the secret was used is ErrDecrypt.
func (k *DecryptionKey) Open(ctx context.Context, encapsulated, aad, ciphertext []byte) ([]byte, error) {
	panic("skeleton")
}

// String names the key and prints nothing else of it.
func (k DecryptionKey) String() string { return label("decryption", k.public.alg, k.public.kid) }

// Format prints String for every verb, so that no way of printing shows the key.
func (k DecryptionKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON refuses: the named ways are JWK and PrivateJWK.
func (k DecryptionKey) MarshalJSON() ([]byte, error) {
	return nil, errPrivate.With("a private key is not printed: use JWK or PrivateJWK")
}

func (k *DecryptionKey) decrypter() {}

// Agreement teaches this package a curve of "OKP" keys for ECDH-ES. It is a value that
// is handed to a [Binding]; nothing is registered. All members are needed.
type Agreement struct {
	Curve string // the "crv", such as "X448"
	// Check refuses what is no public key of the curve.
	Check func(public []byte) error
	// Generate returns a new private key.
	Generate func() (private []byte, err error)
	// Public returns the public key of a private key, or refuses it.
	Public func(private []byte) (public []byte, err error)
	// Agree returns the shared secret. It refuses public keys of low order, where the
	// secret would be zero (RFC 8037, Section 3.2).
	Agree func(private, public []byte) (secret []byte, err error)
}

// EncryptionKey binds the description to its algorithm of encryption.
func (j JWK) EncryptionKey(b Binding) (*EncryptionKey, error) { panic("skeleton") }

// DecryptionKey binds a private description to its algorithm of encryption.
func (j JWK) DecryptionKey(b Binding) (*DecryptionKey, error) { panic("skeleton") }

// SharedKey binds an oct description to its algorithm of encryption.
func (j JWK) SharedKey(b Binding) (*SharedKey, error) { panic("skeleton") }

// DecryptionSource finds the keys that may decrypt a message. A [DecryptionSet] is one.
// Implementations are safe for concurrent use.
type DecryptionSource interface {
	// DecryptionKeys returns the candidates, at least one, or an error, as the method
	// Keys of a [Source] does.
	DecryptionKeys(ctx context.Context, q Query) ([]Decrypter, error)
}

// DecryptionSet is a fixed set of keys. It must not be changed while it is in use.
type DecryptionSet []Decrypter

// DecryptionKeys returns the keys that fit the query, by the rules of [Set.Keys].
func (s DecryptionSet) DecryptionKeys(_ context.Context, q Query) ([]Decrypter, error) {
	panic("skeleton")
}

// Encrypters returns the keys of the set that encrypt and fit the query.
func (s Set) Encrypters(q Query) ([]Encrypter, error) { panic("skeleton") }

// ParseDecryptionSet reads a JWK set of private and shared keys.
func ParseDecryptionSet(data []byte, b Binding) (DecryptionSet, []Skipped, error) {
	panic("skeleton")
}
