//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

	p11 "github.com/miekg/pkcs11"
)

// Find says which key is meant, by its CKA_LABEL, its CKA_ID, or both. One must be
// given.
type Find struct {
	Label string
	ID    []byte
}

func (f Find) String() string { return fmt.Sprintf("the key %q %x", f.Label, f.ID) }

func (f Find) template(class uint) []*p11.Attribute {
	all := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class)}
	if f.Label != "" {
		all = append(all, p11.NewAttribute(p11.CKA_LABEL, f.Label))
	}
	if len(f.ID) > 0 {
		all = append(all, p11.NewAttribute(p11.CKA_ID, f.ID))
	}
	return all
}

// key is what keys of all types have.
type key struct {
	token *Token
	find  Find
	asks  bool // CKA_ALWAYS_AUTHENTICATE: for each operation there is a login of its own

	mu     sync.Mutex
	known  bool // handle is that of era
	era    uint64
	handle p11.ObjectHandle
}

// Key finds a private key, and its public key: in the private object itself, in the
// public key or else in the certificate with the same CKA_ID, or with the same label. It
// is an [*RSAKey] or an [*ECKey], and of use as long as the token is open.
func (t *Token) Key(f Find) (crypto.Signer, error) {
	if f.Label == "" && len(f.ID) == 0 {
		return nil, errors.New("pkcs11: a key is found by its label or its id, and none is given")
	}
	f.ID = bytes.Clone(f.ID)
	k := &key{token: t, find: f}
	var pub crypto.PublicKey
	err := k.do(context.Background(), func(s p11.SessionHandle, o p11.ObjectHandle) (err error) {
		pub, err = k.public(s, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return &RSAKey{k, pub}, nil
	case *ecdsa.PublicKey:
		agreement, err := pub.ECDH()
		if err != nil {
			return nil, failed(f.String(), err)
		}
		return &ECKey{k, pub, agreement}, nil
	}
	return nil, failed(fmt.Sprintf("%s is a %T", f, pub), ErrUnsupported)
}

// do runs an operation with the key.
func (k *key) do(ctx context.Context, op func(p11.SessionHandle, p11.ObjectHandle) error) error {
	return k.token.do(ctx, func(s session) error {
		k.mu.Lock()
		known, o := k.known && k.era == s.era, k.handle
		k.mu.Unlock()
		if !known {
			var err error
			if o, err = k.token.object(s.handle, k.find, p11.CKO_PRIVATE_KEY); err != nil {
				return failed(k.find.String(), err)
			}
			k.mu.Lock()
			k.known, k.era, k.handle = true, s.era, o
			k.mu.Unlock()
		}
		return op(s.handle, o)
	})
}

// object finds the only object of a class.
func (t *Token) object(s p11.SessionHandle, f Find, class uint) (p11.ObjectHandle, error) {
	if err := t.c.FindObjectsInit(s, f.template(class)); err != nil {
		return 0, err
	}
	found, _, err := t.c.FindObjects(s, 2)
	if err := errors.Join(err, t.c.FindObjectsFinal(s)); err != nil {
		return 0, err
	}
	switch len(found) {
	case 0:
		return 0, ErrNotFound
	case 1:
		return found[0], nil
	}
	return 0, ErrAmbiguous
}

// attribute returns an attribute, or nil where the object has none or does not show it.
func (t *Token) attribute(s p11.SessionHandle, o p11.ObjectHandle, name uint) ([]byte, error) {
	all, err := t.c.GetAttributeValue(s, o, []*p11.Attribute{p11.NewAttribute(name, nil)})
	switch {
	case is(err, p11.CKR_ATTRIBUTE_TYPE_INVALID, p11.CKR_ATTRIBUTE_SENSITIVE):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return all[0].Value, nil
}

// public reads the public key of a private one.
func (k *key) public(s p11.SessionHandle, o p11.ObjectHandle) (crypto.PublicKey, error) {
	t := k.token
	asks, err := t.attribute(s, o, p11.CKA_ALWAYS_AUTHENTICATE)
	if err != nil {
		return nil, failed(k.find.String(), err)
	}
	k.asks = len(asks) == 1 && asks[0] != 0
	id, err := t.attribute(s, o, p11.CKA_ID)
	if err != nil {
		return nil, failed(k.find.String(), err)
	}
	f := k.find
	if len(id) > 0 {
		f = Find{ID: id}
	}
	for _, class := range []uint{p11.CKO_PRIVATE_KEY, p11.CKO_PUBLIC_KEY, p11.CKO_CERTIFICATE} {
		if class != p11.CKO_PRIVATE_KEY {
			o, err = t.object(s, f, class)
		}
		var pub crypto.PublicKey
		if err == nil {
			pub, err = t.read(s, o, class)
		}
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return nil, failed("the public half of "+k.find.String(), err)
		default:
			return pub, nil
		}
	}
	return nil, failed("the public half of "+k.find.String(), ErrNotFound)
}

// read reads the public key that an object has, or returns ErrNotFound.
func (t *Token) read(s p11.SessionHandle, o p11.ObjectHandle, class uint) (crypto.PublicKey, error) {
	var err error
	get := func(name uint) (value []byte) {
		if err == nil {
			value, err = t.attribute(s, o, name)
		}
		return value
	}
	if class == p11.CKO_CERTIFICATE {
		der := get(p11.CKA_VALUE)
		if err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	kty := get(p11.CKA_KEY_TYPE)
	switch {
	case err != nil:
		return nil, err
	case bytes.Equal(kty, p11.NewAttribute(p11.CKA_KEY_TYPE, uint(p11.CKK_RSA)).Value):
		n, e := get(p11.CKA_MODULUS), new(big.Int).SetBytes(get(p11.CKA_PUBLIC_EXPONENT))
		switch {
		case err != nil:
			return nil, err
		case len(n) == 0 || e.Sign() == 0:
			return nil, ErrNotFound
		case e.BitLen() > 31:
			return nil, ErrUnsupported
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(e.Int64())}, nil
	case bytes.Equal(kty, p11.NewAttribute(p11.CKA_KEY_TYPE, uint(p11.CKK_EC)).Value):
		params, point := get(p11.CKA_EC_PARAMS), get(p11.CKA_EC_POINT)
		switch {
		case err != nil:
			return nil, err
		case len(params) == 0 || len(point) == 0:
			return nil, ErrNotFound
		}
		return parsePoint(params, point)
	}
	return nil, ErrUnsupported
}

var curves = map[string]elliptic.Curve{
	"1.2.840.10045.3.1.7": elliptic.P256(), // RFC 5480, Section 2.1.1.1
	"1.3.132.0.34":        elliptic.P384(),
	"1.3.132.0.35":        elliptic.P521(),
}

// parsePoint reads CKA_EC_PARAMS and CKA_EC_POINT, which is an OCTET STRING (PKCS #11
// 2.40, Section 2.3.3 of the mechanisms); some have the point itself there.
func parsePoint(params, point []byte) (*ecdsa.PublicKey, error) {
	var oid asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(params, &oid); err != nil || len(rest) > 0 {
		return nil, ErrUnsupported
	}
	curve := curves[oid.String()]
	if curve == nil {
		return nil, ErrUnsupported
	}
	if len(point) != 1+2*((curve.Params().BitSize+7)/8) {
		if rest, err := asn1.Unmarshal(point, &point); err != nil || len(rest) > 0 {
			return nil, ErrUnsupported
		}
	}
	return ecdsa.ParseUncompressedPublicKey(curve, point)
}

// start begins an operation, and logs in for it where the key wants that.
func (k *key) start(s p11.SessionHandle, init func() error) error {
	if err := init(); err != nil {
		return err
	}
	if !k.asks || k.token.o.PIN == nil {
		return nil
	}
	k.token.mu.Lock()
	defer k.token.mu.Unlock()
	if k.token.refused != nil {
		return k.token.refused
	}
	return k.token.authenticate(s, p11.CKU_CONTEXT_SPECIFIC)
}

// sign signs what the mechanism signs.
func (k *key) sign(ctx context.Context, m *p11.Mechanism, input []byte) (signature []byte, err error) {
	err = k.do(ctx, func(s p11.SessionHandle, o p11.ObjectHandle) error {
		c := k.token.c
		err := k.start(s, func() error { return c.SignInit(s, []*p11.Mechanism{m}, o) })
		if err == nil {
			signature, err = c.Sign(s, input)
		}
		if err != nil {
			return failed(k.find.String()+" does not sign", err)
		}
		return nil
	})
	return signature, err
}

// RSAKey is an RSA key in a token. It is a [crypto.Signer] and a [crypto.Decrypter].
type RSAKey struct {
	*key
	pub *rsa.PublicKey
}

// Public returns the [*rsa.PublicKey].
func (k *RSAKey) Public() crypto.PublicKey { return k.pub }

// Sign signs a digest of SHA-256, SHA-384 or SHA-512: for PSS where opts is an
// [*rsa.PSSOptions], else for PKCS #1 v1.5. The randomness is the token's.
func (k *RSAKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

// SignContext is Sign for [jwk.NewRemoteKey]: it waits for a session no longer than ctx
// allows. What the token has begun it ends.
func (k *RSAKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	h, ok := hashes[opts.HashFunc()]
	if !ok || h.prefix == nil || len(digest) != opts.HashFunc().Size() {
		return nil, failed("this digest", ErrUnsupported)
	}
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		// RFC 8017, Section 9.2: the token pads, and has no word for the hash.
		return k.sign(ctx, p11.NewMechanism(p11.CKM_RSA_PKCS, nil), append(bytes.Clone(h.prefix), digest...))
	}
	salt := pss.SaltLength
	switch salt {
	case rsa.PSSSaltLengthEqualsHash:
		salt = len(digest)
	case rsa.PSSSaltLengthAuto: // RFC 8017, Section 9.1.1: as long as it can be
		salt = (k.pub.N.BitLen()+6)/8 - 2 - len(digest)
	}
	if salt < 0 {
		return nil, failed("this length of the salt", ErrUnsupported)
	}
	params := p11.NewPSSParams(h.mechanism, h.mgf, uint(salt))
	return k.sign(ctx, p11.NewMechanism(p11.CKM_RSA_PKCS_PSS, params), digest)
}

// hashes have the names that PKCS #11 gives them, and the beginning of a DigestInfo (RFC
// 8017, Section 9.2, note 1). SHA-1 is for OAEP alone.
var hashes = map[crypto.Hash]struct {
	mechanism, mgf uint
	prefix         []byte
}{
	crypto.SHA1:   {p11.CKM_SHA_1, p11.CKG_MGF1_SHA1, nil},
	crypto.SHA256: {p11.CKM_SHA256, p11.CKG_MGF1_SHA256, digestInfo(1, 32)},
	crypto.SHA384: {p11.CKM_SHA384, p11.CKG_MGF1_SHA384, digestInfo(2, 48)},
	crypto.SHA512: {p11.CKM_SHA512, p11.CKG_MGF1_SHA512, digestInfo(3, 64)},
}

// digestInfo has the last number of the hash's OID, 2.16.840.1.101.3.4.2.x.
func digestInfo(x, size byte) []byte {
	return []byte{0x30, 17 + size, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, x, 5, 0, 4, size}
}

// Decrypt decrypts for an [*rsa.OAEPOptions], with the hashes that the token has.
// PKCS #1 v1.5 is refused.
func (k *RSAKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.DecryptContext(context.Background(), ciphertext, opts)
}

// DecryptContext is Decrypt for [jwk.NewRemoteDecryptionKey]: it waits for a session no
// longer than ctx allows.
func (k *RSAKey) DecryptContext(ctx context.Context, ciphertext []byte, opts crypto.DecrypterOpts) (plaintext []byte, err error) {
	oaep, ok := opts.(*rsa.OAEPOptions)
	if !ok {
		return nil, failed("any padding but OAEP", ErrUnsupported)
	}
	h, ok := hashes[oaep.Hash]
	g, ok2 := hashes[oaep.MGFHash]
	switch {
	case oaep.MGFHash == 0:
		g = h
	case !ok2:
		ok = false
	}
	if !ok {
		return nil, failed("this hash", ErrUnsupported)
	}
	params := p11.NewOAEPParams(h.mechanism, g.mgf, p11.CKZ_DATA_SPECIFIED, oaep.Label)
	err = k.do(ctx, func(s p11.SessionHandle, o p11.ObjectHandle) error {
		c := k.token.c
		err := k.start(s, func() error {
			return c.DecryptInit(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_RSA_PKCS_OAEP, params)}, o)
		})
		if err == nil {
			plaintext, err = c.Decrypt(s, ciphertext)
		}
		if err != nil {
			return failed(k.find.String()+" does not decrypt", err)
		}
		return nil
	})
	return plaintext, err
}

// ECKey is a key on P-256, P-384 or P-521 in a token. It is a [crypto.Signer] and an
// [ecdh.KeyExchanger].
type ECKey struct {
	*key
	pub       *ecdsa.PublicKey
	agreement *ecdh.PublicKey
}

// Public returns the [*ecdsa.PublicKey].
func (k *ECKey) Public() crypto.PublicKey { return k.pub }

// Sign signs a digest and returns DER, as [ecdsa.PrivateKey] does. The randomness is the
// token's.
func (k *ECKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

// SignContext is Sign for [jwk.NewRemoteKey]: it waits for a session no longer than ctx
// allows. What the token has begun it ends.
func (k *ECKey) SignContext(ctx context.Context, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	raw, err := k.sign(ctx, p11.NewMechanism(p11.CKM_ECDSA, nil), digest)
	if err != nil {
		return nil, err
	}
	// Two numbers of equal length (PKCS #11 2.40, Section 2.3.1 of the mechanisms).
	half := len(raw) / 2
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}

// PublicKey returns the public key as one for key agreement.
func (k *ECKey) PublicKey() *ecdh.PublicKey { return k.agreement }

// Curve returns the curve of the key.
func (k *ECKey) Curve() ecdh.Curve { return k.agreement.Curve() }

// ECDH agrees on a secret, the x coordinate, with another key on the same curve.
func (k *ECKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	return k.DecryptContext(context.Background(), nil, peer)
}

// DecryptContext is ECDH for [jwk.NewRemoteDecryptionKey]: opts is the other key, an
// [*ecdh.PublicKey]. It waits for a session no longer than ctx allows.
func (k *ECKey) DecryptContext(ctx context.Context, _ []byte, opts crypto.DecrypterOpts) (secret []byte, err error) {
	peer, ok := opts.(*ecdh.PublicKey)
	if !ok || peer == nil || peer.Curve() != k.agreement.Curve() {
		return nil, failed("a key that is not on the curve", ErrUnsupported)
	}
	m := p11.NewMechanism(p11.CKM_ECDH1_DERIVE, p11.NewECDH1DeriveParams(p11.CKD_NULL, nil, peer.Bytes()))
	template := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY),
		p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_GENERIC_SECRET),
		p11.NewAttribute(p11.CKA_TOKEN, false),
		p11.NewAttribute(p11.CKA_SENSITIVE, false),
		p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		p11.NewAttribute(p11.CKA_VALUE_LEN, (k.pub.Params().BitSize+7)/8),
	}
	err = k.do(ctx, func(s p11.SessionHandle, o p11.ObjectHandle) error {
		c := k.token.c
		derived, err := c.DeriveKey(s, []*p11.Mechanism{m}, o, template)
		if err == nil {
			secret, err = k.token.attribute(s, derived, p11.CKA_VALUE)
			err = errors.Join(err, c.DestroyObject(s, derived))
		}
		if err == nil && secret == nil {
			err = ErrUnsupported // it does not show the secret
		}
		if err != nil {
			return failed(k.find.String()+" does not agree on a secret", err)
		}
		return nil
	})
	return secret, err
}
