package jwk

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
)

// operations returns the "key_ops" of which one lets a key encrypt or decrypt with alg
// (RFC 7517, Section 4.3).
func operations(alg jwa.Algorithm) (encrypt, decrypt []string) {
	switch alg.Family() {
	case "direct":
		return []string{"encrypt"}, []string{"decrypt"}
	case "ECDH-ES", "HPKE":
		return []string{"deriveKey", "deriveBits"}, []string{"deriveKey", "deriveBits"}
	case "PBES2":
		return []string{"wrapKey", "deriveKey", "deriveBits"}, []string{"unwrapKey", "deriveKey", "deriveBits"}
	}
	return []string{"wrapKey", "encrypt"}, []string{"unwrapKey", "decrypt"}
}

// EncryptionKey binds the description to its algorithm of encryption. Of a private key
// it gives the public half; the private part is checked all the same.
func (j JWK) EncryptionKey(b Binding) (*EncryptionKey, error) {
	w := j.wire()
	if w.KeyType == "oct" {
		return nil, errPrivate.With("an oct key is a secret: use SharedKey")
	}
	c, err := b.single(w, "enc")
	if err != nil {
		return nil, err
	}
	return w.bindEncryption(&b, c, false)
}

// bindEncryption binds the public half. Of a key that decrypts, whose private part has
// been checked, it does not check that part again.
func (w *wire) bindEncryption(b *Binding, c choice, ofDecrypter bool) (*EncryptionKey, error) {
	if err := w.permits("enc"); err != nil {
		return nil, err
	}
	if err := checkRSA1_5(c.alg, b.AllowRSA1_5DespitePaddingOracles); err != nil {
		return nil, err
	}
	private := ofDecrypter || w.hasPrivate()
	encrypt, decrypt := operations(c.alg)
	agrees := c.alg.Family() == "ECDH-ES" || c.alg.Family() == "HPKE"
	switch {
	case w.hasOp(encrypt...):
	case private && w.hasOp(decrypt...): // the public half of a key that decrypts
	case agrees && len(w.KeyOps) == 0: // no operation is registered for the public half
	default:
		return nil, errUse.With("\"key_ops\" does not let the key encrypt")
	}
	if private && !ofDecrypter {
		if _, err := w.exchangeKey(b.agreement(w)); err != nil {
			return nil, err
		}
	}
	k, err := w.checkEncryption(b, c)
	if err != nil {
		return nil, err
	}
	k.desc = JWK{w: w}.Public().w
	if k.x5t, err = w.checkX5C(k.pub); err != nil {
		return nil, err
	}
	return k, nil
}

// checkEncryption makes the key.
func (w *wire) checkEncryption(b *Binding, c choice) (*EncryptionKey, error) {
	a := b.agreement(w)
	switch {
	case a != nil && c.alg.Family() == "ECDH-ES":
		x, err := w.agreementPublic(a)
		if err != nil {
			return nil, err
		}
		if err := checkEncryptions(b.Encryptions); err != nil {
			return nil, err
		}
		return &EncryptionKey{
			alg: c.alg, kid: w.KeyID, encs: slices.Clone(b.Encryptions),
			kty: w.KeyType, crv: w.Crv, agreement: a, x: x,
		}, nil
	case w.KeyType == "RSA":
		pub, err := w.publicKey()
		if err != nil {
			return nil, err
		}
		return newEncryptionKey(c.alg, w.KeyID, pub, b.Encryptions)
	case w.KeyType == "OKP" && w.Crv == "Ed25519":
		return nil, errUse.With("Ed25519 keys do not encrypt")
	}
	pub, err := w.ecdhPublic()
	if err != nil {
		return nil, err
	}
	return newEncryptionKey(c.alg, w.KeyID, pub, b.Encryptions)
}

// DecryptionKey binds a private description to its algorithm of encryption.
func (j JWK) DecryptionKey(b Binding) (*DecryptionKey, error) {
	w := j.wire()
	if w.KeyType == "oct" {
		return nil, errPrivate.With("an oct key is a secret: use SharedKey")
	}
	c, err := b.single(w, "enc")
	if err != nil {
		return nil, err
	}
	return w.bindDecryption(&b, c)
}

func (w *wire) bindDecryption(b *Binding, c choice) (*DecryptionKey, error) {
	if _, decrypt := operations(c.alg); !w.hasOp(decrypt...) {
		return nil, errUse.With("\"key_ops\" does not let the key decrypt")
	}
	public, err := w.bindEncryption(b, c, true)
	if err != nil {
		return nil, err
	}
	k := &DecryptionKey{public: public, desc: w}
	key, err := w.exchangeKey(b.agreement(w))
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		k.local, k.decrypt = key, decryptWith(key)
	case *ecdh.PrivateKey:
		k.local, k.decrypt = key, exchangeWith(key)
	case []byte:
		k.decrypt = agreeWith(public.agreement, key)
	}
	return k, nil
}

// exchangeKey decodes the private members: *rsa.PrivateKey, *ecdh.PrivateKey or, for an
// agreement, bytes.
func (w *wire) exchangeKey(a *Agreement) (any, error) {
	if w.private().D == "" {
		return nil, errPrivate.With("the JWK has no private member \"d\"")
	}
	if a != nil {
		return w.agreementPrivate(a)
	}
	if w.KeyType == "RSA" {
		return w.privateKey()
	}
	pub, err := w.ecdhPublic()
	if err != nil {
		return nil, err
	}
	c, size := exchangeCurve(w.KeyType, w.Crv)
	d, err := octets(nil, "d", w.private().D, size)
	if err != nil {
		return nil, err
	}
	k, err := c.NewPrivateKey(d)
	if err != nil {
		return nil, errInvalid.With("\"d\" is not a scalar of the curve")
	}
	if !pub.Equal(k.PublicKey()) {
		return nil, errMatch
	}
	return k, nil
}

func (w *wire) agreementPrivate(a *Agreement) ([]byte, error) {
	d, err := b64url.AppendDecode(nil, w.private().D)
	if err != nil {
		return nil, errInvalid.With("\"d\" is not canonical base64url")
	}
	x, err := a.Public(d)
	if err != nil {
		return nil, errInvalid.Wrap(err)
	}
	if b64url.EncodeToString(x) != w.X {
		return nil, errMatch
	}
	return d, nil
}

func agreeWith(a *Agreement, private []byte) decryptFunc {
	return func(_ context.Context, public []byte, _ crypto.DecrypterOpts) ([]byte, error) {
		return a.Agree(private, public)
	}
}

// SharedKey binds an oct description to its algorithm: AES key wrapping, PBES2, for
// which the secret is the password, or dir. For dir "alg" may name the content
// encryption instead (RFC 7520, Section 3.6); where it does not, that is the one of the
// Binding, or of all, that has keys of that length.
func (j JWK) SharedKey(b Binding) (*SharedKey, error) {
	w := j.wire()
	if w.KeyType != "oct" && w.KeyType != "" {
		return nil, errPrivate.With("only an oct key is a secret: use EncryptionKey or DecryptionKey")
	}
	c, err := b.single(w, "enc")
	if err != nil {
		return nil, err
	}
	return w.bindShared(&b, c)
}

func (w *wire) bindShared(b *Binding, c choice) (*SharedKey, error) {
	if err := w.permits("enc"); err != nil {
		return nil, err
	}
	encrypt, decrypt := operations(c.alg)
	if !w.hasOp(encrypt...) && !w.hasOp(decrypt...) {
		return nil, errUse.With("\"key_ops\" lets the key neither encrypt nor decrypt")
	}
	secret, err := b64url.AppendDecode(nil, w.private().K)
	if err != nil {
		return nil, errInvalid.With("\"k\" is not canonical base64url")
	}
	var k *SharedKey
	switch c.alg.Family() {
	case "PBES2":
		k, err = NewPassword(c.alg, w.KeyID, secret, b.Encryptions...)
	case "direct":
		var enc jwa.Encryption
		if enc, err = b.content(c, len(secret)); err == nil {
			k, err = NewSharedKey(c.alg, w.KeyID, secret, enc)
		}
	default:
		k, err = NewSharedKey(c.alg, w.KeyID, secret, b.Encryptions...)
	}
	if err != nil {
		return nil, err
	}
	k.noEncrypt, k.noDecrypt = !w.hasOp(encrypt...), !w.hasOp(decrypt...)
	return k, nil
}

// content returns the encryption that a key for dir is bound to.
func (b *Binding) content(c choice, size int) (jwa.Encryption, error) {
	all := b.Encryptions
	if len(all) == 0 {
		all = jwa.Encryptions()
	}
	var found []jwa.Encryption
	for _, enc := range all {
		if enc == c.enc || c.enc == (jwa.Encryption{}) && enc.KeySize() == size {
			found = append(found, enc)
		}
	}
	if len(found) != 1 {
		return jwa.Encryption{}, errAlgorithm.With("a key for dir needs the one content encryption that it is for, in \"alg\" or in the Binding")
	}
	return found[0], nil
}

// GenerateDecryptionKey makes a new private key. Its kid is its SHA-256 thumbprint. RSA
// keys have 3072 bits. The curve is that of a key for ECDH-ES, P-256 where it is empty;
// for other algorithms it is empty or theirs. The agreements are needed only for a curve
// of theirs.
func GenerateDecryptionKey(alg jwa.Algorithm, crv string, agreements ...Agreement) (*DecryptionKey, error) {
	b := Binding{Algorithms: []jwa.Algorithm{alg}, Agreements: agreements}
	kty := alg.KeyType()
	switch {
	case alg.Use() != "enc":
		return nil, notFor(alg.Name(), "enc")
	case alg.Symmetric():
		return nil, errAlgorithm.With(alg.Name() + " takes a secret: use GenerateSharedKey or NewPassword")
	case crv == "" && alg.Family() == "ECDH-ES":
		crv = "P-256"
	case crv == "":
		crv = alg.Curve()
	}
	if alg.Family() == "ECDH-ES" {
		kty = "OKP"
		if c, _ := curve(crv); c != nil {
			kty = "EC"
		}
	}
	w := &wire{KeyType: kty, Crv: crv}
	switch c, _ := exchangeCurve(kty, crv); {
	case kty == "RSA" && crv != "":
		return nil, errAlgorithm.With("an RSA key has no curve")
	case kty == "RSA":
		key, _ := rsa.GenerateKey(rand.Reader, 3072) // which never fails
		describe(w, key)
	case c != nil:
		key, err := c.GenerateKey(rand.Reader)
		if err != nil {
			return nil, errFIPS.Wrap(err)
		}
		describe(w, key)
	default:
		a := b.agreement(w)
		if a == nil {
			return nil, errUnsupported.With(fmt.Sprintf("the curve %.32q needs an Agreement", crv))
		}
		private, err := a.Generate()
		if err != nil {
			return nil, err
		}
		public, err := a.Public(private)
		if err != nil {
			return nil, err
		}
		w.X, w.Private = b64url.EncodeToString(public), &privateWire{D: b64url.EncodeToString(private)}
	}
	w.Alg = alg.Name()
	w.KeyID, _ = JWK{w: w}.Thumbprint(crypto.SHA256) // which a key that is whole has
	return w.bindDecryption(&b, choice{alg: alg})
}
