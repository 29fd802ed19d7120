package jwk

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hpke"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"io"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
)

// DecryptionKey decrypts with one algorithm. Its private part may be out of reach, in
// hardware or in a remote service.
type DecryptionKey struct {
	public  *EncryptionKey
	decrypt decryptFunc
	opaque  bool  // decrypt may fail for reasons of its own
	local   any   // the standard library's key, or nil where it is out of reach
	desc    *wire // the private JWK it was read from, or nil
}

// decryptFunc uses the private key. For RSA, input is the encrypted key and opts are
// those of a [crypto.Decrypter]; for ECDH-ES and HPKE, input is the other public key,
// and opts is the same as an [*ecdh.PublicKey], or nil with an Agreement.
type decryptFunc = func(ctx context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error)

// NewDecryptionKey binds a private key: an *rsa.PrivateKey, *ecdsa.PrivateKey or
// *ecdh.PrivateKey, or a key that cannot leave its hardware: a [crypto.Decrypter] with
// an RSA key, or an [ecdh.KeyExchanger]. Its public key must fit alg. The kid, encs and
// RSA1_5 are as with [NewEncryptionKey].
func NewDecryptionKey(alg jwa.Algorithm, kid string, priv any, encs ...jwa.Encryption) (*DecryptionKey, error) {
	if err := checkRSA1_5(alg, false); err != nil {
		return nil, err
	}
	return newDecryptionKey(alg, kid, priv, encs)
}

func newDecryptionKey(alg jwa.Algorithm, kid string, priv any, encs []jwa.Encryption) (*DecryptionKey, error) {
	k := new(DecryptionKey)
	var pub crypto.PublicKey
	switch p := priv.(type) {
	case *rsa.PrivateKey:
		if p == nil {
			return nil, errMissing
		}
		k.local, pub = p, &p.PublicKey
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 it is only seen to be there, without which the rest panics
		if p == nil || p.D == nil {
			return nil, errMissing
		}
		pub = &p.PublicKey
	case *ecdh.PrivateKey:
		if p == nil {
			return nil, errMissing
		}
		k.local, pub = p, p.PublicKey()
	case ecdh.KeyExchanger:
		k.opaque, pub = true, p.PublicKey()
		k.decrypt = exchangeWith(p)
	case crypto.Decrypter:
		k.opaque, pub = true, p.Public()
		k.decrypt = decryptWith(p)
	default:
		return nil, errUnsupported.With(fmt.Sprintf("a %T does not decrypt", priv))
	}
	var err error
	if k.public, err = newEncryptionKey(alg, kid, pub, encs); err != nil {
		return nil, err
	}
	// The public key is known to be good, without which the checks would panic.
	if err := checkPrivate(priv); err != nil {
		return nil, err
	}
	switch p := priv.(type) {
	case *rsa.PrivateKey:
		k.decrypt = decryptWith(p)
	case *ecdh.PrivateKey:
		k.decrypt = exchangeWith(p)
	case *ecdsa.PrivateKey:
		exchanger, _ := p.ECDH() // which cannot fail after that check
		k.local, k.decrypt = exchanger, exchangeWith(exchanger)
	}
	return k, nil
}

var errMissing = errInvalid.With("the private key is missing")

func decryptWith(d crypto.Decrypter) decryptFunc {
	return func(_ context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error) {
		return d.Decrypt(rand.Reader, input, opts)
	}
}

func exchangeWith(x ecdh.KeyExchanger) decryptFunc {
	return func(_ context.Context, _ []byte, opts crypto.DecrypterOpts) ([]byte, error) {
		return x.ECDH(opts.(*ecdh.PublicKey))
	}
}

// NewRemoteDecryptionKey binds a key that a function decrypts with, such as a key in a
// key management service.
//
// For RSA the function gets the encrypted key and, as a [crypto.Decrypter] does, an
// [*rsa.OAEPOptions]; it returns the content encryption key. Every error of it but
// that of ctx becomes ErrDecrypt, because nobody outside may tell a service that
// refuses what it got from one that is out of order; the function can tell its
// operator. For ECDH-ES and HPKE it gets the other public key as bytes and, in opts,
// as an [*ecdh.PublicKey]; it returns the shared secret, the x coordinate or that of
// X25519, and its errors are returned as they are.
//
// It shall return when ctx is done. RSA1_5 is refused.
func NewRemoteDecryptionKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, decrypt func(ctx context.Context, input []byte, opts crypto.DecrypterOpts) ([]byte, error), encs ...jwa.Encryption) (*DecryptionKey, error) {
	if decrypt == nil {
		return nil, errInvalid.With("the function to decrypt with is nil")
	}
	public, err := NewEncryptionKey(alg, kid, pub, encs...)
	if err != nil {
		return nil, err
	}
	return &DecryptionKey{public: public, decrypt: decrypt, opaque: true}, nil
}

// Algorithm returns the one algorithm of the key.
func (k *DecryptionKey) Algorithm() jwa.Algorithm { return k.public.alg }

// KeyID returns the "kid", or "".
func (k *DecryptionKey) KeyID() string { return k.public.kid }

// Encryptions returns what the key may be used with, or nil where that is not
// restricted.
func (k *DecryptionKey) Encryptions() []jwa.Encryption { return k.public.encs }

// Public returns the public key.
func (k *DecryptionKey) Public() *EncryptionKey { return k.public }

// JWK returns the public description.
func (k *DecryptionKey) JWK() JWK { return k.public.JWK() }

// PrivateJWK returns the description with the private members. It is ErrPrivate where
// they are out of reach, in hardware or a remote service.
func (k *DecryptionKey) PrivateJWK() (JWK, error) {
	var w wire
	switch {
	case k.desc != nil:
		w = *k.desc
	case k.local == nil:
		return JWK{}, errPrivate.With("the private key cannot be read")
	default:
		describe(&w, k.local)
	}
	w.Alg, w.KeyID = k.public.alg.Name(), k.public.kid
	return JWK{w: &w}, nil
}

// DecryptKey decrypts or agrees on the content encryption key, as [Decrypter] says.
func (k *DecryptionKey) DecryptKey(ctx context.Context, w *Wrapping) ([]byte, error) {
	alg := k.public.alg
	if err := w.check(alg, k.public.encs); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var cek []byte
	var err error
	switch alg.Family() {
	case "RSAES":
		cek, err = k.decryptRSA(ctx, w)
	case "ECDH-ES":
		cek, err = k.decryptECDH(ctx, w)
	default:
		if len(w.EncryptedKey) != w.Encryption.KeySize()+16 { // the tag of each AEAD of HPKE
			return nil, errKeyLength
		}
		cek, err = k.open(ctx, w.Encapsulated, w.recipient(), nil, w.EncryptedKey)
	}
	if err != nil {
		return nil, err
	}
	if len(cek) != w.Encryption.KeySize() {
		return nil, ErrDecrypt
	}
	return cek, nil
}

var errKeyLength = errWrapping.With("the encrypted key does not have the length that the algorithm gives it")

func (k *DecryptionKey) decryptRSA(ctx context.Context, w *Wrapping) ([]byte, error) {
	if len(w.EncryptedKey) != k.public.pub.(*rsa.PublicKey).Size() {
		return nil, errKeyLength
	}
	var opts crypto.DecrypterOpts
	if h := k.public.alg.Hash(); h != 0 {
		opts = &rsa.OAEPOptions{Hash: h}
	} else {
		// RFC 7516, Section 11.5: a random key where the padding is wrong, in the same time.
		//lint:ignore SA1019 it was allowed by name
		opts = &rsa.PKCS1v15DecryptOptions{SessionKeyLen: w.Encryption.KeySize()}
	}
	cek, err := k.decrypt(ctx, w.EncryptedKey, opts)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, ErrDecrypt
	}
	return cek, nil
}

func (k *DecryptionKey) decryptECDH(ctx context.Context, w *Wrapping) ([]byte, error) {
	alg := k.public.alg
	switch {
	case alg.Direct() && len(w.EncryptedKey) != 0:
		return nil, errEncryptedKey
	case !alg.Direct() && len(w.EncryptedKey) != w.Encryption.KeySize()+wrapOverhead:
		return nil, errKeyLength
	}
	raw, peer, err := k.public.peer(w.EphemeralKey)
	if err != nil {
		return nil, err
	}
	z, err := k.exchange(ctx, raw, peer)
	if err != nil {
		return nil, err
	}
	derived := w.derive(alg, z)
	if alg.Direct() {
		return derived, nil
	}
	block, _ := aes.NewCipher(derived) // its length is right
	cek, ok := unwrapKey(block, w.EncryptedKey)
	if !ok {
		return nil, ErrDecrypt
	}
	return cek, nil
}

// RFC 7516, Section 5.2, step 10.
var errEncryptedKey = errWrapping.With("there is an encrypted key, and the algorithm has none")

// exchange agrees on a secret with the other public key.
func (k *DecryptionKey) exchange(ctx context.Context, raw []byte, peer *ecdh.PublicKey) ([]byte, error) {
	var opts crypto.DecrypterOpts
	if peer != nil {
		opts = peer
	}
	z, err := k.decrypt(ctx, raw, opts)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size := len(raw)
	if k.public.kty == "EC" {
		size /= 2 // two coordinates after a byte
	}
	switch {
	case err != nil && k.opaque:
		return nil, err
	// Whether the secret is zero follows from the public key alone (RFC 8037, Section
	// 3.2), so that it may be told. On the curves of NIST, zero is a coordinate like
	// others.
	case err != nil, k.public.kty == "OKP" && allZero(z):
		return nil, errWrapping.With("the ephemeral key has a small order")
	// RFC 7518, Section 6.2.1.2: a coordinate has the length of the curve.
	case peer != nil && len(z) != size:
		return nil, errInvalid.With("the secret that was agreed on has a wrong length")
	}
	return z, nil
}

// allZero reports in constant time whether there is no other byte.
func allZero(b []byte) bool {
	var or byte
	for _, c := range b {
		or |= c
	}
	return subtle.ConstantTimeByteEq(or, 0) == 1
}

// peer checks an ephemeral key and returns it as bytes and, without an agreement, as a
// key of the standard library.
func (k *EncryptionKey) peer(epk *JWK) ([]byte, *ecdh.PublicKey, error) {
	if epk == nil {
		return nil, nil, errWrapping.With("\"epk\" is missing")
	}
	w := epk.wire()
	switch {
	case w.KeyType != k.kty || w.Crv != k.crv:
		return nil, nil, errWrapping.With("\"epk\" is not on the curve of the key")
	case epk.IsPrivate():
		// RFC 7518, Section 4.6.1.1: only public members.
		return nil, nil, errWrapping.Wrap(errPrivate)
	case k.agreement != nil:
		x, err := w.agreementPublic(k.agreement)
		if err != nil {
			return nil, nil, errWrapping.Wrap(err)
		}
		return x, nil, nil
	}
	pub, err := w.ecdhPublic()
	if err != nil {
		return nil, nil, errWrapping.Wrap(err)
	}
	return pub.Bytes(), pub, nil
}

// agreementPublic decodes the public member of a key for an agreement.
func (w *wire) agreementPublic(a *Agreement) ([]byte, error) {
	x, err := b64url.AppendDecode(nil, w.X)
	if err != nil {
		return nil, errInvalid.With("\"x\" is not canonical base64url")
	}
	if err := a.Check(x); err != nil {
		return nil, errInvalid.Wrap(err)
	}
	return x, nil
}

// Open decrypts what Seal made. Every failure after the secret was used is ErrDecrypt.
func (k *DecryptionKey) Open(ctx context.Context, encapsulated, aad, ciphertext []byte) ([]byte, error) {
	if !k.public.alg.Integrated() {
		return nil, errAlgorithm.With(k.public.alg.Name() + " encrypts keys, not plaintext")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return k.open(ctx, encapsulated, nil, aad, ciphertext)
}

func (k *DecryptionKey) open(ctx context.Context, encapsulated, info, aad, ciphertext []byte) ([]byte, error) {
	pub := k.public.pub.(*ecdh.PublicKey)
	if _, err := pub.Curve().NewPublicKey(encapsulated); err != nil {
		return nil, errWrapping.With("the encapsulated secret is not a point of the curve")
	}
	priv, _ := hpke.NewDHKEMPrivateKey(&exchanger{ctx, k}) // which knows these curves
	kdf, aead := suite(k.public.alg)
	recipient, err := hpke.NewRecipient(encapsulated, priv, kdf, aead, info)
	if err != nil {
		return nil, err // of exchange: nothing else can fail
	}
	plaintext, err := recipient.Open(aad, ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// exchanger lends a key to crypto/hpke for one message.
type exchanger struct {
	ctx context.Context
	key *DecryptionKey
}

func (x *exchanger) PublicKey() *ecdh.PublicKey { return x.key.public.pub.(*ecdh.PublicKey) }

func (x *exchanger) Curve() ecdh.Curve { return x.PublicKey().Curve() }

func (x *exchanger) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	return x.key.exchange(x.ctx, peer.Bytes(), peer)
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
