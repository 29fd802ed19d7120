package jwk

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"fmt"
	"io"
	"slices"

	"github.com/jotsuite/jot/internal/aead"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
)

// SharedKey both encrypts and decrypts: it wraps keys with AES, is the content
// encryption key itself (dir), or is a password (PBES2). Whoever decrypts with it can
// encrypt with it.
type SharedKey struct {
	alg                  jwa.Algorithm
	kid                  string
	encs                 []jwa.Encryption
	noEncrypt, noDecrypt bool // by "key_ops"
	secret               []byte
	block                cipher.Block // of AES key wrap
	aead                 cipher.AEAD  // of AES-GCM key wrap, or of the content for dir
}

const (
	minSalt      = 8         // RFC 7518, Section 4.8.1.1
	minCount     = 1000      // RFC 7518, Section 4.8.1.2
	maxCount     = 1_200_000 // about half a second; whoever sends the message chooses it
	minNewCount  = 310_000
	defaultCount = 600_000 // OWASP's number for HMAC-SHA-256
	gcmIV        = 12      // RFC 7518, Section 4.7.1.1
	gcmTag       = 16      // RFC 7518, Section 4.7.1.2
)

// NewSharedKey makes a key for AES key wrapping or for dir. The secret has exactly the
// length of the AES key, or of the content encryption key for dir, and should be random. A
// secret that is a PEM, DER, JWK or OpenSSH key or a certificate is refused. For dir,
// exactly one encryption must be given; for others, encs are those that the key may be
// used with, the preferred one first, or all where there are none. The kid may be empty;
// the secret is copied.
func NewSharedKey(alg jwa.Algorithm, kid string, secret []byte, encs ...jwa.Encryption) (*SharedKey, error) {
	if err := checkEncryptions(encs); err != nil {
		return nil, err
	}
	size := alg.KeySize()
	switch alg.Family() {
	case "AES-KW", "AES-GCMKW":
	case "direct":
		if len(encs) != 1 {
			return nil, errAlgorithm.With("a key for dir is for exactly one content encryption")
		}
		size = encs[0].KeySize()
	default:
		return nil, errAlgorithm.With(fmt.Sprintf("%q does not take a shared key", alg))
	}
	if what := disguise(secret); what != "" {
		return nil, errDisguise.With(what)
	}
	if len(secret) != size {
		return nil, errInvalid.With(fmt.Sprintf("the secret must have %d bytes", size))
	}
	k := &SharedKey{alg: alg, kid: kid, encs: slices.Clone(encs), secret: bytes.Clone(secret)}
	if alg.Direct() {
		k.aead, _ = aead.New(encs[0], k.secret) // its length is right
		return k, nil
	}
	k.block, _ = aes.NewCipher(k.secret)
	if alg.Family() == "AES-GCMKW" {
		// RFC 7518, Section 4.7: a new initialization vector for each use of the key.
		k.aead, _ = cipher.NewGCMWithRandomNonce(k.block)
	}
	return k, nil
}

var errDisguise = errInvalid.With("the secret is a key or certificate in a file format")

// NewPassword makes a key for PBES2. Each use of it costs a large part of a second,
// so that passwords are hard to try, and for messages from strangers that is a way to
// be kept busy. The password should be long: what is encrypted with it can be guessed at
// without end. The encs are as with NewSharedKey.
func NewPassword(alg jwa.Algorithm, kid string, password []byte, encs ...jwa.Encryption) (*SharedKey, error) {
	if err := checkEncryptions(encs); err != nil {
		return nil, err
	}
	if alg.Family() != "PBES2" {
		return nil, errAlgorithm.With(fmt.Sprintf("%q does not take a password", alg))
	}
	if len(password) == 0 {
		return nil, errWeak.With("the password is empty")
	}
	if len(password) > maxJWK {
		return nil, errLimit.With("a password has at most 64 KiB")
	}
	if what := disguise(password); what != "" {
		return nil, errDisguise.With(what)
	}
	return &SharedKey{alg: alg, kid: kid, encs: slices.Clone(encs), secret: bytes.Clone(password)}, nil
}

// GenerateSharedKey makes a random key for AES key wrapping or for dir, with a random
// kid: a thumbprint would be a hash of the secret (RFC 7638, Section 7).
func GenerateSharedKey(alg jwa.Algorithm, encs ...jwa.Encryption) (*SharedKey, error) {
	size := alg.KeySize()
	if alg.Direct() && len(encs) == 1 {
		size = encs[0].KeySize()
	}
	random := make([]byte, 16+size)
	_, _ = rand.Read(random) // which never fails
	return NewSharedKey(alg, b64url.EncodeToString(random[:16]), random[16:], encs...)
}

// Algorithm returns the one algorithm of the key.
func (k *SharedKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *SharedKey) KeyID() string { return k.kid }

// Encryptions returns what the key may be used with, the preferred one first, or nil
// where that is not restricted. A key for dir has one.
func (k *SharedKey) Encryptions() []jwa.Encryption { return k.encs }

// JWK returns a description without the secret: type, algorithm and kid.
func (k *SharedKey) JWK() JWK {
	w := &wire{KeyType: "oct", Alg: k.alg.Name(), KeyID: k.kid}
	if k.alg.Direct() {
		// As in RFC 7520, Section 3.6: "dir" would not say what the key is for.
		w.Alg = k.encs[0].Name()
	}
	return JWK{w: w}
}

// PrivateJWK returns the description with the secret.
func (k *SharedKey) PrivateJWK() (JWK, error) {
	w := k.JWK().w
	w.Private = &privateWire{K: b64url.EncodeToString(k.secret)}
	encrypt, decrypt := operations(k.alg)
	switch {
	case k.noEncrypt:
		w.KeyOps = decrypt[:1]
	case k.noDecrypt:
		w.KeyOps = encrypt[:1]
	}
	return JWK{w: w}, nil
}

// AEAD returns the content encryption of a key for dir, made ready once, and nil for
// other algorithms. Its nonce is nil: it makes a new one for each message, and what it
// seals is IV, ciphertext and tag in that order. It does not heed "key_ops", as
// EncryptKey and DecryptKey do.
func (k *SharedKey) AEAD() cipher.AEAD {
	if !k.alg.Direct() {
		return nil
	}
	return k.aead
}

// EncryptKey wraps cek or, for dir, returns the key itself, as [Encrypter] says.
func (k *SharedKey) EncryptKey(ctx context.Context, cek []byte, w *Wrapping) ([]byte, error) {
	if k.noEncrypt {
		return nil, errUse.With("\"key_ops\" does not let the key encrypt")
	}
	if err := w.begin(ctx, k.alg, k.encs, cek); err != nil {
		return nil, err
	}
	switch k.alg.Family() {
	case "direct":
		return k.secret, nil
	case "AES-KW":
		w.EncryptedKey = wrapKey(k.block, cek)
	case "AES-GCMKW":
		sealed := k.aead.Seal(make([]byte, 0, gcmIV+len(cek)+gcmTag), nil, cek, nil)
		w.IV, w.EncryptedKey, w.Tag = sealed[:gcmIV:gcmIV], sealed[gcmIV:gcmIV+len(cek):gcmIV+len(cek)], sealed[gcmIV+len(cek):]
	default:
		if w.Count == 0 {
			w.Count = defaultCount
		}
		if w.Count < minNewCount || w.Count > maxCount {
			return nil, errCount
		}
		w.Salt = make([]byte, 16)
		_, _ = rand.Read(w.Salt) // which never fails
		w.EncryptedKey = wrapKey(k.derive(w), cek)
	}
	return cek, nil
}

var errCount = errWrapping.With("\"p2c\" is below 1,000, or 310,000 in a new message, or above 1,200,000")

// derive makes the key that wraps from the password (RFC 7518, Section 4.8.1.1).
func (k *SharedKey) derive(w *Wrapping) cipher.Block {
	// The name makes the salt long enough for FIPS mode too, so that nothing fails.
	salt := append([]byte(k.alg.Name()+"\x00"), w.Salt...)
	key, _ := pbkdf2.Key(k.alg.Hash().New, string(k.secret), salt, w.Count, k.alg.KeySize())
	block, _ := aes.NewCipher(key)
	return block
}

// DecryptKey unwraps the content encryption key or, for dir, returns the key itself, as
// [Decrypter] says.
func (k *SharedKey) DecryptKey(ctx context.Context, w *Wrapping) ([]byte, error) {
	if k.noDecrypt {
		return nil, errUse.With("\"key_ops\" does not let the key decrypt")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.check(k.alg, k.encs); err != nil {
		return nil, err
	}
	size := w.Encryption.KeySize()
	switch k.alg.Family() {
	case "direct":
		if len(w.EncryptedKey) != 0 {
			return nil, errEncryptedKey
		}
		return k.secret, nil
	case "AES-GCMKW":
		if len(w.EncryptedKey) != size || len(w.IV) != gcmIV || len(w.Tag) != gcmTag {
			return nil, errWrapping.With("the encrypted key, \"iv\" or \"tag\" has a wrong length")
		}
		cek, err := k.aead.Open(nil, nil, slices.Concat(w.IV, w.EncryptedKey, w.Tag), nil)
		if err != nil {
			return nil, ErrDecrypt
		}
		return cek, nil
	}
	if len(w.EncryptedKey) != size+wrapOverhead {
		return nil, errKeyLength
	}
	block := k.block
	if block == nil {
		if w.Count < minCount || w.Count > maxCount {
			return nil, errCount
		}
		if len(w.Salt) < minSalt {
			return nil, errWrapping.With("\"p2s\" has fewer than 8 bytes")
		}
		block = k.derive(w)
	}
	cek, ok := unwrapKey(block, w.EncryptedKey)
	if !ok {
		return nil, ErrDecrypt
	}
	return cek, nil
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
