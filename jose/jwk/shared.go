package jwk

import (
	"context"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/jotsuite/jot/jose/jwa"
)

// SharedKey both encrypts and decrypts: with AES key wrapping, as the content
// encryption key itself (dir), or with a password (PBES2).
type SharedKey struct {
	alg  jwa.Algorithm
	kid  string
	encs []jwa.Encryption
}

// NewSharedKey makes a key for AES key wrapping or dir. The secret has the length that
// the algorithm demands and should be random; dir needs exactly one encryption.
func NewSharedKey(alg jwa.Algorithm, kid string, secret []byte, encs ...jwa.Encryption) (*SharedKey, error) {
	panic("skeleton")
}

// NewPassword makes a key for PBES2 from a password.
func NewPassword(alg jwa.Algorithm, kid string, password []byte, encs ...jwa.Encryption) (*SharedKey, error) {
	panic("skeleton")
}

// GenerateSharedKey makes a random key with a random kid.
func GenerateSharedKey(alg jwa.Algorithm, encs ...jwa.Encryption) (*SharedKey, error) {
	panic("skeleton")
}

// Algorithm returns the one algorithm of the key.
func (k *SharedKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *SharedKey) KeyID() string { return k.kid }

// Encryptions returns what the key may be used with, or nil.
func (k *SharedKey) Encryptions() []jwa.Encryption { return k.encs }

// JWK returns a description without the secret: type, algorithm and kid.
func (k *SharedKey) JWK() JWK { panic("skeleton") }

// PrivateJWK returns the description with the secret.
func (k *SharedKey) PrivateJWK() (JWK, error) { panic("skeleton") }

// AEAD returns the content encryption of a key for dir, made ready once, or nil for
// another algorithm.
func (k *SharedKey) AEAD() cipher.AEAD { panic("skeleton") }

// EncryptKey is as [Encrypter] says.
func (k *SharedKey) EncryptKey(ctx context.Context, cek []byte, w *Wrapping) ([]byte, error) {
	panic("skeleton")
}

// DecryptKey is as [Decrypter] says.
func (k *SharedKey) DecryptKey(ctx context.Context, w *Wrapping) ([]byte, error) {
	panic("skeleton")
}

// String names the key and prints nothing else of it.
func (k *SharedKey) String() string { return label("shared", k.alg, k.kid) }

// Format prints String for every verb, so that no way of printing shows the secret.
func (k *SharedKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON refuses: the named way is PrivateJWK.
func (k *SharedKey) MarshalJSON() ([]byte, error) {
	return nil, errPrivate.With("a shared key is not printed: use PrivateJWK")
}

func (k *SharedKey) key()       {}
func (k *SharedKey) encrypter() {}
func (k *SharedKey) decrypter() {}
