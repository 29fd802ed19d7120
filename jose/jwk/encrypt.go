package jwk

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/hpke"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"

	"github.com/jotsuite/jot/internal/b64url"
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
	alg       jwa.Algorithm
	kid, x5t  string
	encs      []jwa.Encryption
	kty, crv  string
	pub       crypto.PublicKey // *rsa.PublicKey, *ecdh.PublicKey or, with an agreement, nil
	hpke      hpke.PublicKey   // of an *ecdh.PublicKey for HPKE
	agreement *Agreement
	x         []byte // the public key of an agreement
	desc      *wire  // what it was read from, without private members, or nil
}

// NewEncryptionKey binds a public key of the standard library: *rsa.PublicKey,
// *ecdsa.PublicKey or *ecdh.PublicKey. The kid may be empty; encs are the content
// encryptions that it may be used with, the preferred one first, or all where there are
// none. RSA1_5 needs a [Binding] that allows it, and so [FromKey] and
// [JWK.EncryptionKey].
func NewEncryptionKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, encs ...jwa.Encryption) (*EncryptionKey, error) {
	if err := checkRSA1_5(alg, false); err != nil {
		return nil, err
	}
	return newEncryptionKey(alg, kid, pub, encs)
}

func checkRSA1_5(alg jwa.Algorithm, allowed bool) error {
	if alg == jwa.RSA1_5 && !allowed {
		return errAlgorithm.With("RSA1_5 needs a Binding with AllowRSA1_5DespitePaddingOracles")
	}
	return nil
}

func newEncryptionKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, encs []jwa.Encryption) (*EncryptionKey, error) {
	if err := checkEncryptions(encs); err != nil {
		return nil, err
	}
	k := &EncryptionKey{alg: alg, kid: kid, encs: slices.Clone(encs), pub: pub}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		if err := fits(alg, "enc", "RSA", ""); err != nil {
			return nil, err
		}
		if err := checkRSA(pub); err != nil {
			return nil, err
		}
		if fips140.Enforced() && (alg == jwa.RSA1_5 || alg == jwa.RSA_OAEP) {
			return nil, errFIPS.With(alg.Name() + " is not approved")
		}
		k.kty = "RSA"
		return k, nil
	case *ecdsa.PublicKey:
		if err := checkEC(pub); err != nil {
			return nil, err
		}
		k.pub, _ = pub.ECDH() // which cannot fail after that check
	case *ecdh.PublicKey:
		if pub == nil {
			return nil, errInvalid.With("the public key is missing")
		}
	case *ecdsa.PrivateKey, *rsa.PrivateKey, *ecdh.PrivateKey:
		return nil, errPrivate.With("a private key where a public one is due: use NewDecryptionKey and its Public method")
	default:
		return nil, errUnsupported.With(fmt.Sprintf("a %T does not encrypt", pub))
	}
	point := k.pub.(*ecdh.PublicKey)
	k.kty, k.crv = exchangeName(point.Curve())
	if err := fits(alg, "enc", k.kty, k.crv); err != nil {
		return nil, err
	}
	if k.crv == "X25519" {
		// A key of low order agrees with everyone on zero (RFC 7748, Section 6.1).
		probe, err := ecdh.X25519().NewPrivateKey(make([]byte, 32))
		if err == nil {
			_, err = probe.ECDH(point)
		}
		if err != nil {
			return nil, errWeak.With("the X25519 key has a small order")
		}
	}
	if alg.Family() == "HPKE" {
		k.hpke, _ = hpke.NewDHKEMPublicKey(point) // which knows these curves
	}
	return k, nil
}

func checkEncryptions(encs []jwa.Encryption) error {
	if slices.Contains(encs, jwa.Encryption{}) {
		return errAlgorithm.With("one of the encryptions is none")
	}
	return nil
}

// Algorithm returns the one algorithm of the key.
func (k *EncryptionKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *EncryptionKey) KeyID() string { return k.kid }

// Encryptions returns what the key may be used with, the preferred one first, or nil
// where that is not restricted.
func (k *EncryptionKey) Encryptions() []jwa.Encryption { return k.encs }

// JWK returns the public description, with the algorithm the key is bound to.
func (k *EncryptionKey) JWK() JWK {
	var w wire
	if k.desc != nil {
		w = *k.desc
	} else {
		describe(&w, k.pub)
	}
	w.Alg, w.KeyID = k.alg.Name(), k.kid
	return JWK{w: &w}
}

// EncryptKey encrypts cek or, for ECDH-ES, agrees on one, as [Encrypter] says.
func (k *EncryptionKey) EncryptKey(ctx context.Context, cek []byte, w *Wrapping) ([]byte, error) {
	if err := w.begin(ctx, k.alg, k.encs, cek); err != nil {
		return nil, err
	}
	var err error
	switch k.alg.Family() {
	case "RSAES":
		pub := k.pub.(*rsa.PublicKey)
		if h := k.alg.Hash(); h != 0 {
			w.EncryptedKey, err = rsa.EncryptOAEP(h.New(), rand.Reader, pub, cek, nil)
		} else {
			//lint:ignore SA1019 it was allowed by name
			w.EncryptedKey, err = rsa.EncryptPKCS1v15(rand.Reader, pub, cek)
		}
	case "ECDH-ES":
		var z []byte
		if w.EphemeralKey, z, err = k.agree(); err == nil {
			derived := w.derive(k.alg, z)
			if k.alg.Direct() {
				return derived, nil
			}
			block, _ := aes.NewCipher(derived) // its length is right
			w.EncryptedKey = wrapKey(block, cek)
		}
	default:
		w.Encapsulated, w.EncryptedKey, err = k.seal(w.recipient(), nil, cek)
	}
	if err != nil {
		return nil, errInvalid.Wrap(err)
	}
	return cek, nil
}

// begin checks what EncryptKey is given and clears what it fills in.
func (w *Wrapping) begin(ctx context.Context, alg jwa.Algorithm, encs []jwa.Encryption, cek []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.check(alg, encs); err != nil {
		return err
	}
	*w = Wrapping{Encryption: w.Encryption, PartyU: w.PartyU, PartyV: w.PartyV, Count: w.Count}
	switch size := w.Encryption.KeySize(); {
	case alg.Direct() && cek != nil:
		return errAlgorithm.With(alg.Name() + " gives the content encryption key and takes none")
	case !alg.Direct() && len(cek) != size:
		return errInvalid.With(fmt.Sprintf("%s needs a content encryption key of %d bytes", w.Encryption, size))
	}
	return nil
}

// check checks that the key may be used with that encryption.
func (w *Wrapping) check(alg jwa.Algorithm, encs []jwa.Encryption) error {
	switch {
	case alg.Integrated():
		return errAlgorithm.With(alg.Name() + " has no content encryption key: use Seal and Open")
	case w.Encryption == jwa.Encryption{}:
		return errAlgorithm.With("no content encryption is given")
	case len(encs) > 0 && !slices.Contains(encs, w.Encryption):
		return errAlgorithm.With("the key is not for " + w.Encryption.Name())
	}
	return nil
}

// derive makes the key that the parties agree on (RFC 7518, Section 4.6.2).
func (w *Wrapping) derive(alg jwa.Algorithm, z []byte) []byte {
	name, size := alg.Name(), alg.KeySize()
	if alg.Direct() {
		name, size = w.Encryption.Name(), w.Encryption.KeySize()
	}
	return concatKDF(z, name, w.PartyU, w.PartyV, size)
}

// recipient is the Recipient_structure of draft-ietf-jose-hpke-encrypt-22, Section 6.1.
func (w *Wrapping) recipient() []byte {
	return []byte("JOSE-HPKE rcpt\xff" + w.Encryption.Name() + "\xff")
}

// agree makes an ephemeral key and agrees with it on a secret.
func (k *EncryptionKey) agree() (*JWK, []byte, error) {
	w := new(wire)
	if a := k.agreement; a != nil {
		private, err := a.Generate()
		if err != nil {
			return nil, nil, err
		}
		public, err := a.Public(private)
		if err != nil {
			return nil, nil, err
		}
		z, err := a.Agree(private, k.x)
		w.KeyType, w.Crv, w.X = k.kty, k.crv, b64url.EncodeToString(public)
		return &JWK{w: w}, z, err
	}
	pub := k.pub.(*ecdh.PublicKey)
	// Neither fails with a key that has been checked.
	ephemeral, _ := pub.Curve().GenerateKey(rand.Reader)
	z, _ := ephemeral.ECDH(pub)
	describe(w, ephemeral.PublicKey())
	return &JWK{w: w}, z, nil
}

// Seal encrypts plaintext with an Integrated algorithm. What it returns first, the
// encapsulated secret, is the JWE Encrypted Key; there is neither an initialization
// vector nor a tag (draft-ietf-jose-hpke-encrypt-22, Section 5).
func (k *EncryptionKey) Seal(aad, plaintext []byte) (encapsulated, ciphertext []byte, err error) {
	if !k.alg.Integrated() {
		return nil, nil, errAlgorithm.With(k.alg.Name() + " encrypts keys, not plaintext")
	}
	return k.seal(nil, aad, plaintext)
}

func (k *EncryptionKey) seal(info, aad, plaintext []byte) (encapsulated, ciphertext []byte, err error) {
	kdf, aead := suite(k.alg)
	encapsulated, sender, err := hpke.NewSender(k.hpke, kdf, aead, info)
	if err == nil {
		ciphertext, err = sender.Seal(aad, plaintext)
	}
	return encapsulated, ciphertext, err
}

// suite returns how an HPKE algorithm derives keys and encrypts
// (draft-ietf-jose-hpke-encrypt-22, Section 5.1). The curve says how it encapsulates.
func suite(alg jwa.Algorithm) (hpke.KDF, hpke.AEAD) {
	kdf := hpke.HKDFSHA256()
	switch alg.Hash() {
	case crypto.SHA384:
		kdf = hpke.HKDFSHA384()
	case crypto.SHA512:
		kdf = hpke.HKDFSHA512()
	}
	switch alg.KeySize() {
	case 16:
		return kdf, hpke.AES128GCM()
	case 32:
		return kdf, hpke.AES256GCM()
	}
	return kdf, hpke.ChaCha20Poly1305()
}

// String names the key and prints nothing else of it.
func (k *EncryptionKey) String() string { return label("encryption", k.alg, k.kid) }

// Format prints String for every verb.
func (k *EncryptionKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON returns the public JWK.
func (k *EncryptionKey) MarshalJSON() ([]byte, error) { return k.JWK().MarshalJSON() }

func (k *EncryptionKey) key()       {}
func (k *EncryptionKey) encrypter() {}
