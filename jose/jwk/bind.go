package jwk

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
)

// Binding says which algorithm a JWK is bound to where the JWK leaves it open, and
// which algorithms are known beside those of jwa. Its zero value is what most
// programs want.
//
// The algorithm of a key is that of its "alg"; else, for signatures, that of its
// curve, EdDSA for Ed25519, or RS256 for RSA; else, for encryption, ECDH-ES. An oct key
// without "alg", and an RSA key for encryption without it, cannot be bound by the zero
// value. Whether a key is for signatures or for encryption is said by its "alg", "use",
// "key_ops" or curve; a key in a set that says nothing is for signatures, unless
// Algorithms has only algorithms of encryption for keys of its type.
type Binding struct {
	// Algorithms, where it names any for the type and use of a key, is what such keys may
	// be bound to: a key whose "alg" or curve asks for another is refused, and an RSA or
	// oct key without "alg", or any key for encryption, is bound to each of them. Types
	// and uses that it does not name are not affected. What is Experimental in jwa must be
	// named here.
	Algorithms []jwa.Algorithm
	// Extensions are the algorithms that are not in the table of jwa.
	Extensions []Extension
	// Encryptions is what keys for encryption are bound to, in the order of preference.
	// Where it is empty they may be used with all.
	Encryptions []jwa.Encryption
	// Agreements are the curves for ECDH-ES beside those of the standard library.
	Agreements []Agreement
	// AllowRSA1_5DespitePaddingOracles lets keys be bound to RSA1_5. Its failures are
	// hidden here as well as they can be (RFC 7516, Section 11.5), but the algorithm is
	// broken wherever one shows.
	AllowRSA1_5DespitePaddingOracles bool
}

// Extension teaches this package an algorithm that is not in the table of jwa. It
// is a value that is handed to a [Binding]; nothing is registered.
type Extension struct {
	// Algorithm comes from [jwa.New]. Its key type and curve are those of the JWKs.
	Algorithm jwa.Algorithm
	// Thumbprint names the members that RFC 7638, Section 3.2 calls required, "kty"
	// among them. They are public.
	Thumbprint []string
	// Verify checks the public members of a JWK and returns the function that
	// verifies. That gets the whole message and a signature of the algorithm's
	// SignatureSize, and keeps neither.
	Verify func(JWK) (func(message, signature []byte) bool, error)
	// Sign checks the private members, which must match the public ones, and returns
	// the function that signs the whole message. It is nil where the extension cannot
	// sign. What it signs is verified before it is returned.
	Sign func(JWK) (func(ctx context.Context, message []byte) ([]byte, error), error)
	// Generate returns a new private JWK in JSON, without "alg" and "kid". It is nil
	// where the extension cannot make keys.
	Generate func() ([]byte, error)
}

func (b *Binding) lookup(name string) (jwa.Algorithm, *Extension, bool) {
	if a, ok := jwa.Lookup(name); ok {
		return a, nil, true
	}
	for _, a := range b.Algorithms {
		if a.Family() == "HPKE" && a.Name() == name { // which jwa.Lookup does not find
			return a, nil, true
		}
	}
	for i := range b.Extensions {
		if e := &b.Extensions[i]; e.Algorithm.Name() == name {
			return e.Algorithm, e, true
		}
	}
	return jwa.Algorithm{}, nil, false
}

// choice is an algorithm that a JWK is bound to.
type choice struct {
	alg jwa.Algorithm
	ext *Extension
	enc jwa.Encryption // where "alg" names it instead of dir
}

// choices appends the algorithms that w is bound to for use, which is "sig", "enc" or,
// where the key decides, empty. Only a key without "alg" can have several.
func (b *Binding) choices(dst []choice, w *wire, use string) ([]choice, error) {
	if w.KeyType == "" {
		return nil, errNoType
	}
	if w.Alg != "" {
		c, err := b.declared(w, use)
		if err != nil {
			return nil, err
		}
		return append(dst, c), nil
	}
	signs, encrypts := b.names("sig", w.KeyType), b.names("enc", w.KeyType)
	switch {
	case use == "sig" && encrypts && !signs && w.KeyType == "RSA":
		// Rather than the RS256 that nobody asked for.
		return nil, errUse.With("the Binding has only algorithms that are not for signatures")
	case use != "":
	case w.says(b) != "":
		use = w.says(b)
	case !encrypts:
		use = "sig"
	case !signs:
		use = "enc"
	}
	if use != "" && use != "sig" && use != "enc" {
		return nil, w.permits("sig")
	}
	var err error
	if use != "enc" {
		dst, err = b.signatures(dst, w)
	}
	if use != "sig" && err == nil {
		dst, err = b.encryptions(dst, w)
	}
	return dst, err
}

// declared returns the algorithm that "alg" names.
func (b *Binding) declared(w *wire, use string) (choice, error) {
	var c choice
	var ok bool
	if c.enc, ok = jwa.LookupEncryption(w.Alg); ok {
		// RFC 7520, Section 3.6: the "alg" of a key for dir is the content encryption.
		c.alg = jwa.Dir
	} else if c.alg, c.ext, ok = b.lookup(w.Alg); !ok {
		return c, errUnsupported.With(fmt.Sprintf("the algorithm %.64q needs an Extension", w.Alg))
	}
	switch {
	case use != "" && c.alg.Use() != use:
		return c, notFor(w.Alg, use)
	case !takes(c.alg, w.KeyType) || c.alg.Curve() != "" && c.alg.Curve() != w.Crv:
		return c, errAlgorithm.With(fmt.Sprintf("%s does not take this type of key or this curve", c.alg))
	case !b.allows(c.alg, w.KeyType):
		return c, errNotListed.With(c.alg.Name())
	}
	return c, nil
}

var errNotListed = errAlgorithm.With("not among the algorithms of the Binding")

// says returns what a key without "alg" is for, or "".
func (w *wire) says(b *Binding) string {
	switch {
	case w.Use != "":
		return w.Use
	case w.KeyType == "OKP" && (w.Crv == "X25519" || b.agreement(w) != nil):
		return "enc" // RFC 8037, Section 3.2: for key agreement alone
	}
	for _, op := range w.KeyOps {
		switch op {
		case "sign", "verify":
			return "sig"
		case "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits":
			return "enc"
		}
	}
	return ""
}

// signatures appends the algorithms for signatures of a key without "alg".
func (b *Binding) signatures(dst []choice, w *wire) ([]choice, error) {
	if w.KeyType == "RSA" || w.KeyType == "oct" {
		n := len(dst)
		for _, alg := range b.Algorithms {
			if alg.KeyType() != w.KeyType || alg.Use() != "sig" {
				continue
			}
			_, ext, ok := b.lookup(alg.Name())
			if !ok {
				return nil, errUnsupported.With(alg.Name() + " needs an Extension")
			}
			dst = append(dst, choice{alg: alg, ext: ext})
		}
		switch {
		case len(dst) > n:
			return dst, nil
		case w.KeyType == "RSA":
			return append(dst, choice{alg: jwa.RS256}), nil
		}
		return nil, errOpen
	}
	c, ok := b.implied(w)
	switch {
	case ok && b.allows(c.alg, w.KeyType):
		return append(dst, c), nil
	case ok:
		return nil, errNotListed.With(c.alg.Name())
	case w.KeyType == "OKP" && (w.Crv == "X25519" || w.Crv == "X448"):
		// RFC 8037, Section 3.2: these curves are for key agreement alone.
		return nil, errUse.With(w.Crv + " keys do not sign")
	}
	return nil, w.unsupported()
}

var errOpen = errAlgorithm.With("a key of this type without \"alg\" needs the algorithm in the Binding")

// encryptions appends the algorithms for encryption of a key without "alg".
func (b *Binding) encryptions(dst []choice, w *wire) ([]choice, error) {
	n := len(dst)
	for _, alg := range b.Algorithms {
		if alg.Use() != "enc" || !takes(alg, w.KeyType) || alg.Curve() != "" && alg.Curve() != w.Crv {
			continue
		}
		// One secret fits one size of AES.
		if size := alg.KeySize(); w.KeyType == "oct" && alg.Family() != "PBES2" && size != 0 && len(w.private().K) != b64url.EncodedLen(size) {
			continue
		}
		dst = append(dst, choice{alg: alg})
	}
	switch {
	case len(dst) > n:
		return dst, nil
	case b.names("enc", w.KeyType):
		return nil, errNotListed
	case w.KeyType == "RSA" || w.KeyType == "oct":
		return nil, errOpen
	case w.KeyType == "EC" || w.KeyType == "OKP":
		return append(dst, choice{alg: jwa.ECDH_ES}), nil
	}
	return nil, w.unsupported()
}

// implied returns the algorithm that the curve stands for.
func (b *Binding) implied(w *wire) (choice, bool) {
	for _, alg := range signatures {
		if alg.KeyType() == w.KeyType && alg.Curve() == w.Crv {
			return choice{alg: alg}, true
		}
	}
	for i := range b.Extensions {
		e := &b.Extensions[i]
		if e.Algorithm.KeyType() == w.KeyType && e.Algorithm.Curve() == w.Crv {
			return choice{alg: e.Algorithm, ext: e}, true
		}
	}
	return choice{}, false
}

// signatures is kept because jwa returns a copy each time.
var signatures = jwa.Signatures()

// allows reports whether keys of the type may be bound to alg.
func (b *Binding) allows(alg jwa.Algorithm, kty string) bool {
	for _, a := range b.Algorithms {
		if a.Is(alg) {
			return true
		}
	}
	return !b.names(alg.Use(), kty)
}

// names reports whether Algorithms has any for the use and type of key.
func (b *Binding) names(use, kty string) bool {
	return slices.ContainsFunc(b.Algorithms, func(a jwa.Algorithm) bool { return a.Use() == use && takes(a, kty) })
}

// agreement returns the agreement for the curve of w, or nil.
func (b *Binding) agreement(w *wire) *Agreement {
	for i := range b.Agreements {
		if a := &b.Agreements[i]; w.KeyType == "OKP" && a.Curve == w.Crv {
			return a
		}
	}
	return nil
}

func (b *Binding) single(w *wire, use string) (choice, error) {
	var buf [4]choice
	cs, err := b.choices(buf[:0], w, use)
	if err != nil {
		return choice{}, err
	}
	if len(cs) > 1 {
		return choice{}, errAlgorithm.With("the Binding leaves several algorithms, and a key has one")
	}
	return cs[0], nil
}

// permits checks "use" and "key_ops" against what w is wanted for, "sig" or "enc".
func (w *wire) permits(use string) error {
	// RFC 7517, Section 4.2: the values are case-sensitive.
	if w.Use != "" && w.Use != use {
		return errUse.With(fmt.Sprintf("\"use\" is %.32q", w.Use))
	}
	for i, op := range w.KeyOps {
		// RFC 7517, Section 4.3: no duplicates; consistent with "use".
		if slices.Contains(w.KeyOps[:i], op) {
			return errInvalid.With("\"key_ops\" has a value twice")
		}
		if w.Use != "" && (op == "sign" || op == "verify") != (use == "sig") {
			return errInvalid.With("\"use\" and \"key_ops\" contradict each other")
		}
	}
	return nil
}

func (w *wire) hasOp(ops ...string) bool {
	return w.KeyOps == nil || slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(w.KeyOps, op) })
}

// PublicKey binds the description to its algorithm. Of a private key it gives the
// public half; the private part is checked all the same.
func (j JWK) PublicKey(b Binding) (*PublicKey, error) {
	w := j.wire()
	if w.KeyType == "oct" {
		return nil, errPrivate.With("an oct key is a secret: use SecretKey")
	}
	c, err := b.single(w, "sig")
	if err != nil {
		return nil, err
	}
	return w.bindPublic(c, false)
}

// bindPublic binds the public half. Of a signer, whose private part has been
// checked, it does not check that part again.
func (w *wire) bindPublic(c choice, ofSigner bool) (*PublicKey, error) {
	if err := w.permits("sig"); err != nil {
		return nil, err
	}
	private := ofSigner || w.hasPrivate()
	// The public half of a key that signs verifies.
	if !w.hasOp("verify") && !(private && w.hasOp("sign")) {
		return nil, errUse.With("\"key_ops\" lacks \"verify\"")
	}
	if private && !ofSigner && c.ext == nil {
		if _, err := w.privateKey(); err != nil {
			return nil, err
		}
	}
	k, err := w.checkPublic(c)
	if err != nil {
		return nil, err
	}
	k.alg, k.kid, k.ext = c.alg, w.KeyID, c.ext
	k.desc = JWK{w, c.ext}.Public().w
	if k.x5t, err = w.checkX5C(k.pub); err != nil {
		return nil, err
	}
	return k, nil
}

// checkPublic makes the key without its names. It checks what NewPublicKey does,
// but the point only once, and takes a key and its parts from one allocation.
func (w *wire) checkPublic(c choice) (*PublicKey, error) {
	if c.ext != nil {
		if c.ext.Verify == nil {
			return nil, errUnsupported.With("the extension for " + c.alg.Name() + " does not verify")
		}
		verify, err := c.ext.Verify(JWK{w, c.ext}.Public())
		if err != nil {
			return nil, errInvalid.Wrap(err)
		}
		return &PublicKey{check: extChecker(verify)}, nil
	}
	var k *PublicKey
	switch w.KeyType {
	case "EC":
		all := &struct {
			PublicKey
			ecPoint
			ecChecker
		}{}
		k = &all.PublicKey
		if err := w.ecPublic(&all.ecPoint); err != nil {
			return nil, err
		}
		all.ecChecker = ecChecker{&all.ecPoint.pub, c.alg.SignatureSize() / 2}
		k.pub, k.check = &all.ecPoint.pub, &all.ecChecker
	case "RSA":
		all := &struct {
			PublicKey
			n big.Int
			p rsa.PublicKey
			rsaChecker
		}{rsaChecker: newRSAChecker(c.alg)}
		k = &all.PublicKey
		all.p.N, all.rsaChecker.pub = &all.n, &all.p
		if err := w.rsaPublic(&all.p); err != nil {
			return nil, err
		}
		if err := checkRSA(&all.p); err != nil {
			return nil, err
		}
		k.pub, k.check = &all.p, &all.rsaChecker
	default:
		pub, err := w.publicKey()
		if err != nil {
			return nil, err
		}
		ed := pub.(ed25519.PublicKey)
		if err := checkEd25519(ed); err != nil {
			return nil, err
		}
		k = &PublicKey{pub: ed, check: edChecker(ed)}
	}
	return k, nil
}

// checkX5C checks that the first certificate is that of the key (RFC 7517, Section
// 4.7) and matches "x5t#S256", which it returns. It checks no path and no date: who
// trusts the description trusts the key. The SHA-1 "x5t" is ignored.
func (w *wire) checkX5C(pub crypto.PublicKey) (string, error) {
	if w.X5TS != "" {
		if _, err := octets(nil, "x5t#S256", w.X5TS, sha256.Size); err != nil {
			return "", err
		}
	}
	if w.X5C == nil {
		return w.X5TS, nil
	}
	ders, err := w.certificates()
	if err != nil {
		return "", err
	}
	if pub != nil {
		cert, err := x509.ParseCertificate(ders[0])
		if err != nil {
			return "", errInvalid.With("\"x5c\" does not start with a certificate")
		}
		certified := cert.PublicKey
		if ec, ok := certified.(*ecdsa.PublicKey); ok && isExchange(pub) {
			certified, _ = ec.ECDH() // which the key equals or not
		}
		if !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(certified) {
			return "", errInvalid.With("the certificate in \"x5c\" is for another key")
		}
	}
	sum := sha256.Sum256(ders[0])
	x5t := b64url.EncodeToString(sum[:])
	if w.X5TS != "" && w.X5TS != x5t {
		return "", errInvalid.With("\"x5t#S256\" is not the hash of the certificate in \"x5c\"")
	}
	return x5t, nil
}

func isExchange(pub crypto.PublicKey) bool {
	_, ok := pub.(*ecdh.PublicKey)
	return ok
}

// PrivateKey binds a private description to its algorithm.
func (j JWK) PrivateKey(b Binding) (*PrivateKey, error) {
	w := j.wire()
	if w.KeyType == "oct" {
		return nil, errPrivate.With("an oct key is a secret: use SecretKey")
	}
	c, err := b.single(w, "sig")
	if err != nil {
		return nil, err
	}
	return w.bindPrivate(c)
}

func (w *wire) bindPrivate(c choice) (*PrivateKey, error) {
	if !w.hasOp("sign") {
		return nil, errUse.With("\"key_ops\" lacks \"sign\"")
	}
	k := &PrivateKey{desc: w, opts: signerOpts(c.alg)}
	if c.ext == nil {
		// Before the public half, because that says whether there is a private one.
		local, err := w.privateKey()
		if err != nil {
			return nil, err
		}
		signer := local.(crypto.Signer)
		k.local = signer
		k.sign = func(_ context.Context, input []byte, opts crypto.SignerOpts) ([]byte, error) {
			return signer.Sign(rand.Reader, input, opts)
		}
	} else {
		if c.ext.Sign == nil {
			return nil, errUnsupported.With("the extension for " + c.alg.Name() + " does not sign")
		}
		sign, err := c.ext.Sign(JWK{w, c.ext})
		if err != nil {
			return nil, errInvalid.Wrap(err)
		}
		k.sign = func(ctx context.Context, message []byte, _ crypto.SignerOpts) ([]byte, error) {
			return sign(ctx, message)
		}
	}
	var err error
	k.public, err = w.bindPublic(c, true)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// SecretKey binds an oct description to its algorithm, which must be an HMAC.
// "key_ops" may leave it only signing or only verifying.
func (j JWK) SecretKey(b Binding) (*SecretKey, error) {
	w := j.wire()
	if w.KeyType != "oct" && w.KeyType != "" {
		return nil, errPrivate.With("only an oct key is a secret: use PublicKey or PrivateKey")
	}
	c, err := b.single(w, "sig")
	if err != nil {
		return nil, err
	}
	return w.bindSecret(c)
}

func (w *wire) bindSecret(c choice) (*SecretKey, error) {
	if err := w.permits("sig"); err != nil {
		return nil, err
	}
	if !w.hasOp("sign") && !w.hasOp("verify") {
		return nil, errUse.With("\"key_ops\" has neither \"sign\" nor \"verify\"")
	}
	secret, err := b64url.AppendDecode(nil, w.private().K)
	if err != nil {
		return nil, errInvalid.With("\"k\" is not canonical base64url")
	}
	k, err := NewSecretKey(c.alg, w.KeyID, secret)
	if err != nil {
		return nil, err
	}
	k.noSign, k.noVerify = !w.hasOp("sign"), !w.hasOp("verify")
	return k, nil
}

// Generate makes a new private key. Its kid is its SHA-256 thumbprint. RSA keys have
// 3072 bits, which are as strong as SHA-256 and P-256. The extensions are needed
// only for an algorithm of theirs.
func Generate(alg jwa.Algorithm, extensions ...Extension) (*PrivateKey, error) {
	b := Binding{Extensions: extensions}
	_, ext, ok := b.lookup(alg.Name())
	var w wire
	switch {
	case !ok:
		return nil, errUnsupported.With("the algorithm needs an Extension")
	case alg.Use() != "sig":
		return nil, errUse.With(alg.Name() + " is not for signatures")
	case ext != nil && ext.Generate == nil:
		return nil, errUnsupported.With("the extension for " + alg.Name() + " does not make keys")
	case ext != nil:
		data, err := ext.Generate()
		if err != nil {
			return nil, err
		}
		read, err := decode(bytes.Clone(data))
		if err != nil {
			return nil, err
		}
		w = *read
	default:
		key, err := newKey(alg)
		if err != nil {
			return nil, err
		}
		describe(&w, key)
	}
	w.Alg = alg.Name()
	kid, err := JWK{&w, ext}.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	w.KeyID = kid
	return w.bindPrivate(choice{alg: alg, ext: ext})
}

func newKey(alg jwa.Algorithm) (any, error) {
	switch alg.KeyType() {
	case "EC":
		c, _ := curve(alg.Curve())
		return ecdsa.GenerateKey(c, rand.Reader)
	case "RSA":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "OKP":
		seed := make([]byte, ed25519.SeedSize)
		_, _ = rand.Read(seed) // which never fails
		return ed25519.NewKeyFromSeed(seed), nil
	}
	return nil, errAlgorithm.With(alg.Name() + " takes a secret: use GenerateSecret")
}

// GenerateSecret makes a random secret as long as the hash, with a random kid: a
// thumbprint would be a hash of the secret (RFC 7638, Section 7).
func GenerateSecret(alg jwa.Algorithm) (*SecretKey, error) {
	if alg.Family() != "HMAC" {
		return nil, errAlgorithm.With("the algorithm is not an HMAC")
	}
	var random [64 + 16]byte
	_, _ = rand.Read(random[:]) // which never fails
	return NewSecretKey(alg, b64url.EncodeToString(random[64:]), random[:alg.Hash().Size()])
}
