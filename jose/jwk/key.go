package jwk

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"

	"github.com/jotsuite/jot/jose/jwa"
)

// Key is a key that may be in a [Set]: for signatures a [*PublicKey] or a [*SecretKey],
// for encryption an [*EncryptionKey] or a [*SharedKey]. The interface is closed, because
// whoever uses them relies on what the types here check.
type Key interface {
	// Algorithm returns the one algorithm of the key.
	Algorithm() jwa.Algorithm
	// KeyID returns the "kid", or "" where there is none.
	KeyID() string
	// JWK returns the public description; of a secret key its type, algorithm and
	// kid alone.
	JWK() JWK
	key()
}

// Verifier is a key that verifies signatures. The interface is closed.
type Verifier interface {
	Key
	// Verify returns nil if the signature of message is valid, else ErrSignature, or
	// ErrUse where the JWK forbids verifying with it. It keeps neither slice.
	Verify(message, signature []byte) error
	// VerifyReader is Verify for a message that is read to its end. An error of the
	// reader is returned as it is.
	VerifyReader(message io.Reader, signature []byte) error
}

// Signer is a key that signs: a [*PrivateKey] or a [*SecretKey]. The interface is
// closed. The signature has the form of JOSE: r‖s for ECDSA.
type Signer interface {
	Algorithm() jwa.Algorithm
	KeyID() string
	JWK() JWK
	// Sign returns the signature of message. It heeds ctx before it starts; a remote
	// signer gets ctx too.
	Sign(ctx context.Context, message []byte) ([]byte, error)
	// AppendSign is Sign into the caller's buffer.
	AppendSign(ctx context.Context, dst, message []byte) ([]byte, error)
	// SignReader is Sign for a message that is read to its end.
	SignReader(ctx context.Context, message io.Reader) ([]byte, error)
	signer()
}

// PublicKey verifies the signatures of one algorithm. There is no way to make one
// from secret bytes.
type PublicKey struct {
	alg      jwa.Algorithm
	kid, x5t string
	pub      crypto.PublicKey // nil for the key of an extension
	check    checker
	desc     *wire // what it was read from, without private members, or nil
	ext      *Extension
}

// checker verifies with the public key alone. The input is the digest, or the
// message where the algorithm has no hash; the signature has the algorithm's size.
type checker interface {
	check(input, signature []byte) bool
}

type ecChecker struct {
	pub  *ecdsa.PublicKey
	size int
}

func (c *ecChecker) check(digest, signature []byte) bool {
	return verifyECDSA(c.pub, c.size, digest, signature)
}

type rsaChecker struct {
	pub  *rsa.PublicKey
	hash crypto.Hash
	pss  bool
}

func newRSAChecker(alg jwa.Algorithm) rsaChecker {
	return rsaChecker{hash: alg.Hash(), pss: alg.Family() == "RSASSA-PSS"}
}

// RFC 7518, Section 3.5: the salt is as long as the hash.
var saltLikeHash = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

func (c *rsaChecker) check(digest, signature []byte) bool {
	if c.pss {
		return rsa.VerifyPSS(c.pub, c.hash, digest, signature, &saltLikeHash) == nil
	}
	return rsa.VerifyPKCS1v15(c.pub, c.hash, digest, signature) == nil
}

type edChecker ed25519.PublicKey

func (c edChecker) check(message, signature []byte) bool {
	return ed25519.Verify(ed25519.PublicKey(c), message, signature)
}

type extChecker func(message, signature []byte) bool

func (c extChecker) check(message, signature []byte) bool { return c(message, signature) }

// NewPublicKey binds a public key of the standard library: *ecdsa.PublicKey,
// *rsa.PublicKey or ed25519.PublicKey. The kid may be empty.
func NewPublicKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey) (*PublicKey, error) {
	k := &PublicKey{alg: alg, kid: kid, pub: pub}
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if err := checkEC(pub); err != nil {
			return nil, err
		}
		if err := fits(alg, "sig", "EC", pub.Params().Name); err != nil {
			return nil, err
		}
		_, size := curve(pub.Params().Name)
		k.check = &ecChecker{pub, size}
	case *rsa.PublicKey:
		if err := fits(alg, "sig", "RSA", ""); err != nil {
			return nil, err
		}
		if err := checkRSA(pub); err != nil {
			return nil, err
		}
		c := newRSAChecker(alg)
		c.pub = pub
		k.check = &c
	case ed25519.PublicKey:
		if err := fits(alg, "sig", "OKP", "Ed25519"); err != nil {
			return nil, err
		}
		if err := checkEd25519(pub); err != nil {
			return nil, err
		}
		k.check = edChecker(pub)
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		return nil, errPrivate.With("a private key where a public one is due: use NewPrivateKey and its Public method")
	default:
		return nil, errUnsupported.With(fmt.Sprintf("a %T does not verify signatures", pub))
	}
	return k, nil
}

// fits reports whether alg is an algorithm of the table for that use, and for keys of
// that type and curve.
func fits(alg jwa.Algorithm, use, kty, crv string) error {
	switch {
	case alg == (jwa.Algorithm{}):
		return errAlgorithm.With("no algorithm is given")
	case alg.Use() != use:
		return notFor(alg.Name(), use)
	case alg.Family() == "":
		return errUnsupported.With("a key for the extension " + alg.Name() + " is bound from its JWK")
	case !takes(alg, kty):
		return errAlgorithm.With(alg.Name() + " does not take keys of the type " + kty)
	case alg.Curve() != "" && alg.Curve() != crv:
		return errAlgorithm.With(alg.Name() + " takes keys on the curve " + alg.Curve() + ", not " + crv)
	}
	return nil
}

func notFor(name, use string) error {
	if use == "sig" {
		return errUse.With(name + " is not for signatures")
	}
	return errUse.With(name + " is not for encryption")
}

// takes reports whether keys of the type may be for alg.
func takes(alg jwa.Algorithm, kty string) bool {
	if t := alg.KeyType(); t != "" {
		return t == kty
	}
	return kty == "EC" || kty == "OKP" // RFC 8037, Section 3.2
}

// Algorithm returns the one algorithm of the key.
func (k *PublicKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *PublicKey) KeyID() string { return k.kid }

// CryptoKey returns the key as the standard library has it, or nil for the key of
// an extension. The caller must not change it.
func (k *PublicKey) CryptoKey() crypto.PublicKey { return k.pub }

// WithKeyID returns the key under another kid.
func (k *PublicKey) WithKeyID(kid string) *PublicKey {
	named := *k
	named.kid = kid
	return &named
}

// JWK returns the public description, with the algorithm the key is bound to.
func (k *PublicKey) JWK() JWK {
	var w wire
	if k.desc != nil {
		w = *k.desc
	} else {
		describe(&w, k.pub)
	}
	w.Alg, w.KeyID = k.alg.Name(), k.kid
	return JWK{&w, k.ext}
}

// Verify returns nil if signature is the key's signature of message.
func (k *PublicKey) Verify(message, signature []byte) error {
	h := k.alg.Hash()
	ok := false
	switch {
	case !k.fitting(signature):
	case k.ext != nil || h == 0:
		ok = k.check.check(message, signature)
	default:
		d := getDigester(h)
		ok = k.check.check(d.digest(message), signature)
		d.put()
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// VerifyReader is Verify for a message that is read to its end, in constant memory
// save for Ed25519 and extensions, which take at most 64 MiB.
func (k *PublicKey) VerifyReader(message io.Reader, signature []byte) error {
	input, err := k.read(message)
	if err != nil {
		return err
	}
	if !k.fitting(signature) || !k.check.check(input, signature) {
		return ErrSignature
	}
	return nil
}

// fitting spares the work on a signature that cannot be one, and keeps extensions
// from having to check the length.
func (k *PublicKey) fitting(signature []byte) bool {
	size := k.alg.SignatureSize()
	return size == 0 || len(signature) == size
}

func (k *PublicKey) read(message io.Reader) ([]byte, error) {
	if h := k.alg.Hash(); h != 0 && k.ext == nil {
		state := h.New()
		if _, err := io.Copy(state, message); err != nil {
			return nil, err
		}
		return state.Sum(nil), nil
	}
	all, err := io.ReadAll(io.LimitReader(message, maxWhole+1))
	if err != nil {
		return nil, err
	}
	if len(all) > maxWhole {
		return nil, errLimit.With(k.alg.Name() + " needs the whole message, at most 64 MiB")
	}
	return all, nil
}

const maxWhole = 64 << 20

// String names the key and prints nothing else of it.
func (k *PublicKey) String() string { return label("public", k.alg, k.kid) }

// Format prints String for every verb.
func (k *PublicKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON returns the public JWK.
func (k *PublicKey) MarshalJSON() ([]byte, error) { return k.JWK().MarshalJSON() }

func (k *PublicKey) key() {}

func label(kind string, alg jwa.Algorithm, kid string) string {
	s := kind + " key " + alg.Name()
	if kid != "" {
		s += fmt.Sprintf(" %q", kid)
	}
	return s
}

// PrivateKey signs with one algorithm, with a key in memory, in hardware or behind
// a remote service.
type PrivateKey struct {
	public *PublicKey
	opts   crypto.SignerOpts
	sign   func(ctx context.Context, input []byte, opts crypto.SignerOpts) ([]byte, error)
	local  any   // the standard library's key, or nil where it is out of reach
	desc   *wire // the private JWK it was read from, or nil
}

// NewPrivateKey binds a signer: an *ecdsa.PrivateKey, *rsa.PrivateKey or
// ed25519.PrivateKey, or anything else that implements [crypto.Signer], such as a
// key in hardware. Its public key must fit alg. Signatures of a signer that is not
// of the standard library are verified before they are returned. The kid may be
// empty.
func NewPrivateKey(alg jwa.Algorithm, kid string, s crypto.Signer) (*PrivateKey, error) {
	switch s := s.(type) {
	case nil:
		return nil, errInvalid.With("the signer is nil")
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 it is only seen to be there, without which the rest panics
		if s == nil || s.D == nil {
			return nil, errInvalid.With("the private key is missing")
		}
	case *rsa.PrivateKey:
		if s == nil {
			return nil, errInvalid.With("the private key is missing")
		}
	case ed25519.PrivateKey:
		if len(s) != ed25519.PrivateKeySize {
			return nil, errInvalid.With("an Ed25519 private key has 64 bytes")
		}
	}
	public, err := NewPublicKey(alg, kid, s.Public())
	if err != nil {
		return nil, err
	}
	k := &PrivateKey{public: public, opts: signerOpts(alg)}
	if err := checkPrivate(s); err != nil {
		return nil, err
	}
	switch s.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey:
		k.local = s
	}
	k.sign = func(_ context.Context, input []byte, opts crypto.SignerOpts) ([]byte, error) {
		return s.Sign(rand.Reader, input, opts)
	}
	return k, nil
}

// NewRemoteKey binds a key that a function signs with, such as a key in a key
// management service. The function gets the digest, or the whole message for
// Ed25519, and options as [crypto.Signer] does: an [*rsa.PSSOptions] for PSS, else
// the hash. For ECDSA it returns DER. It shall return when ctx is done; its errors
// are returned as they are. Every signature is verified before it is returned, so
// that a service that signs with another key is noticed here and not by others.
func NewRemoteKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, sign func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)) (*PrivateKey, error) {
	if sign == nil {
		return nil, errInvalid.With("the function to sign with is nil")
	}
	public, err := NewPublicKey(alg, kid, pub)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{public: public, opts: signerOpts(alg), sign: sign}, nil
}

func signerOpts(alg jwa.Algorithm) crypto.SignerOpts {
	if alg.Family() == "RSASSA-PSS" {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: alg.Hash()}
	}
	return alg.Hash()
}

// Algorithm returns the one algorithm of the key.
func (k *PrivateKey) Algorithm() jwa.Algorithm { return k.public.alg }

// KeyID returns the "kid", or "".
func (k *PrivateKey) KeyID() string { return k.public.kid }

// Public returns the public key.
func (k *PrivateKey) Public() *PublicKey { return k.public }

// JWK returns the public description.
func (k *PrivateKey) JWK() JWK { return k.public.JWK() }

// PrivateJWK returns the description with the private members. It is ErrPrivate
// where they are out of reach, in hardware or a remote service.
func (k *PrivateKey) PrivateJWK() (JWK, error) {
	var w wire
	switch {
	case k.desc != nil:
		w = *k.desc
	case k.local == nil:
		return JWK{}, errPrivate.With("the private key cannot leave its signer")
	default:
		describe(&w, k.local)
	}
	w.Alg, w.KeyID = k.public.alg.Name(), k.public.kid
	return JWK{&w, k.public.ext}, nil
}

// Sign returns the signature of message.
func (k *PrivateKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return k.AppendSign(ctx, nil, message)
}

// AppendSign appends the signature of message to dst.
func (k *PrivateKey) AppendSign(ctx context.Context, dst, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h := k.public.alg.Hash()
	if h == 0 || k.public.ext != nil {
		return k.appendSign(ctx, dst, message)
	}
	d := getDigester(h)
	defer d.put()
	return k.appendSign(ctx, dst, d.digest(message))
}

// SignReader returns the signature of a message that is read to its end, in
// constant memory save for Ed25519 and extensions, which take at most 64 MiB.
func (k *PrivateKey) SignReader(ctx context.Context, message io.Reader) ([]byte, error) {
	input, err := k.public.read(contextReader{ctx, message})
	if err != nil {
		return nil, err
	}
	return k.appendSign(ctx, nil, input)
}

func (k *PrivateKey) appendSign(ctx context.Context, dst, input []byte) ([]byte, error) {
	signature, err := k.sign(ctx, input, k.opts)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := len(dst)
	if ec, ok := k.public.check.(*ecChecker); ok {
		if dst, ok = appendRaw(dst, signature, ec.size); !ok {
			return nil, errSignature.With("the signer returned no DER of two positive integers of the curve's size")
		}
	} else {
		dst = append(dst, signature...)
	}
	if k.local == nil && (!k.public.fitting(dst[start:]) || !k.public.check.check(input, dst[start:])) {
		return nil, errSignature.With("the signer returned a signature that the public key does not verify")
	}
	return dst, nil
}

// String names the key and prints nothing else of it.
func (k PrivateKey) String() string { return label("private", k.public.alg, k.public.kid) }

// Format prints String for every verb, so that no way of printing shows the key.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON refuses: the named ways are JWK and PrivateJWK.
func (k PrivateKey) MarshalJSON() ([]byte, error) {
	return nil, errPrivate.With("a private key is not printed: use JWK or PrivateJWK")
}

func (k *PrivateKey) signer() {}

// contextReader ends a reading when ctx is done.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
