package jwk

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/jotsuite/jot/internal/b64url"
)

// octets decodes a member of size bytes exactly into buf (RFC 7518, Section
// 6.2.1.2: the length of a coordinate is that of the curve, with leading zeros).
func octets(buf []byte, name, text string, size int) ([]byte, error) {
	if len(text) != b64url.EncodedLen(size) {
		return nil, errInvalid.With(fmt.Sprintf("%q is not %d bytes in base64url", name, size))
	}
	b, err := b64url.AppendDecode(buf, text)
	if err != nil {
		return nil, errInvalid.With("\"" + name + "\" is not canonical base64url")
	}
	return b, nil
}

// number decodes a Base64urlUInt of at most limit bytes into buf. RFC 7518,
// Section 2: the shortest form, so that no zero byte leads and equal keys have equal
// thumbprints.
func number(buf []byte, name, text string, limit int) ([]byte, error) {
	if len(text) > b64url.EncodedLen(limit) {
		return nil, errLimit.With(fmt.Sprintf("%q has more than %d bytes", name, limit))
	}
	b, err := b64url.AppendDecode(buf, text)
	switch {
	case err != nil:
		return nil, errInvalid.With("\"" + name + "\" is not canonical base64url")
	case len(b) == 0:
		return nil, errInvalid.With("\"" + name + "\" is missing")
	case b[0] == 0:
		return nil, errInvalid.With("\"" + name + "\" starts with a zero byte")
	}
	return b, nil
}

// publicKey decodes the public members: *ecdsa.PublicKey, *rsa.PublicKey,
// ed25519.PublicKey or *ecdh.PublicKey. The point is on its curve; how strong the
// key is, is judged where it is bound.
func (w *wire) publicKey() (crypto.PublicKey, error) {
	switch w.KeyType {
	case "EC":
		p := new(ecPoint)
		if err := w.ecPublic(p); err != nil {
			return nil, err
		}
		return &p.pub, nil
	case "RSA":
		pub := &rsa.PublicKey{N: new(big.Int)}
		if err := w.rsaPublic(pub); err != nil {
			return nil, err
		}
		return pub, nil
	case "OKP":
		switch w.Crv {
		case "Ed25519":
			x, err := octets(make([]byte, 0, ed25519.PublicKeySize), "x", w.X, ed25519.PublicKeySize)
			if err != nil {
				return nil, err
			}
			return ed25519.PublicKey(x), nil
		case "X25519":
			k, err := w.ecdhPublic()
			if err != nil { // which would be a key that is not nil
				return nil, err
			}
			return k, nil
		}
	case "oct":
		return nil, errPrivate.With("an oct key has no public half")
	}
	return nil, w.unsupported()
}

// ecdhPublic decodes the public members of a key for ECDH-ES or HPKE.
func (w *wire) ecdhPublic() (*ecdh.PublicKey, error) {
	c, size := exchangeCurve(w.KeyType, w.Crv)
	var buf [maxPoint]byte
	switch {
	case c == nil:
		return nil, w.unsupported()
	case w.KeyType == "OKP":
		x, err := octets(buf[:0], "x", w.X, size)
		if err != nil {
			return nil, err
		}
		k, err := c.NewPublicKey(x)
		if err != nil {
			return nil, errFIPS.With("X25519 is not approved")
		}
		return k, nil
	}
	buf[0] = 4 // uncompressed: SEC 1, Section 2.3.3
	if _, err := octets(buf[1:1], "x", w.X, size); err != nil {
		return nil, err
	}
	if _, err := octets(buf[1+size:1+size], "y", w.Y, size); err != nil {
		return nil, err
	}
	k, err := c.NewPublicKey(buf[:1+2*size])
	if err != nil {
		return nil, errInvalid.With("the point is not on the curve")
	}
	return k, nil
}

// exchangeCurve returns the curve for key agreement and the length of its coordinates,
// or nil where there is none (RFC 7518, Section 6.2.1.1; RFC 8037, Section 2).
func exchangeCurve(kty, crv string) (ecdh.Curve, int) {
	switch {
	case kty == "EC" && crv == "P-256":
		return ecdh.P256(), 32
	case kty == "EC" && crv == "P-384":
		return ecdh.P384(), 48
	case kty == "EC" && crv == "P-521":
		return ecdh.P521(), 66
	case kty == "OKP" && crv == "X25519":
		return ecdh.X25519(), 32
	}
	return nil, 0
}

// exchangeName returns what exchangeCurve takes.
func exchangeName(c ecdh.Curve) (kty, crv string) {
	switch c {
	case ecdh.P256():
		return "EC", "P-256"
	case ecdh.P384():
		return "EC", "P-384"
	case ecdh.P521():
		return "EC", "P-521"
	}
	return "OKP", "X25519"
}

func (w *wire) unsupported() error {
	what := fmt.Sprintf("the key type %.32q", w.KeyType)
	if w.Crv != "" {
		what += fmt.Sprintf(" with the curve %.32q", w.Crv)
	}
	return errUnsupported.With(what + " needs an Extension")
}

// ecPoint is an EC key in one allocation: the words of the coordinates too, where
// the curve is P-256.
type ecPoint struct {
	pub  ecdsa.PublicKey
	x, y big.Int
	room [2][256 / bits.UintSize]big.Word
}

func (w *wire) ecPublic(p *ecPoint) error {
	c, size := curve(w.Crv)
	if c == nil {
		return w.unsupported()
	}
	var buf [maxPoint - 1]byte
	x, err := octets(buf[:0], "x", w.X, size)
	if err != nil {
		return err
	}
	y, err := octets(buf[size:size], "y", w.Y, size)
	if err != nil {
		return err
	}
	p.x.SetBits(p.room[0][:0]).SetBytes(x)
	p.y.SetBits(p.room[1][:0]).SetBytes(y)
	//lint:ignore SA1019 ParseUncompressedPublicKey would take seven allocations more; Bytes checks as it does
	p.pub = ecdsa.PublicKey{Curve: c, X: &p.x, Y: &p.y}
	if _, err := p.pub.Bytes(); err != nil {
		return errInvalid.With("the point is not on the curve")
	}
	return nil
}

// rsaPublic decodes into pub, whose N is not nil.
func (w *wire) rsaPublic(pub *rsa.PublicKey) error {
	var buf [maxRSABits / 8]byte
	n, err := number(buf[:0], "n", w.N, len(buf))
	if err != nil {
		return err
	}
	pub.N.SetBytes(n)
	e, err := number(buf[:0], "e", w.E, len(buf))
	if err != nil {
		return err
	}
	if len(e) > 4 || len(e) == 4 && e[0] >= 0x80 {
		return errInvalid.With("the RSA exponent is above 2^31-1")
	}
	for _, b := range e {
		pub.E = pub.E<<8 | int(b)
	}
	return nil
}

// privateKey decodes the private members, which must match the public ones:
// *ecdsa.PrivateKey, *rsa.PrivateKey, ed25519.PrivateKey or *ecdh.PrivateKey.
func (w *wire) privateKey() (any, error) {
	pub, err := w.publicKey()
	if err != nil {
		return nil, err
	}
	if w.private().D == "" {
		return nil, errPrivate.With("the JWK has no private member \"d\"")
	}
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		_, size := curve(w.Crv)
		// RFC 7518, Section 6.2.2.1: as long as the order of the curve.
		d, err := octets(nil, "d", w.private().D, size)
		if err != nil {
			return nil, err
		}
		k, err := ecdsa.ParseRawPrivateKey(pub.Curve, d)
		if err != nil {
			return nil, errInvalid.With("\"d\" is not a scalar of the curve")
		}
		if !k.PublicKey.Equal(pub) {
			return nil, errMatch
		}
		return k, nil
	case ed25519.PublicKey:
		d, err := octets(nil, "d", w.private().D, ed25519.SeedSize)
		if err != nil {
			return nil, err
		}
		k := ed25519.NewKeyFromSeed(d)
		if !pub.Equal(k.Public()) {
			return nil, errMatch
		}
		return k, nil
	case *ecdh.PublicKey:
		d, err := octets(nil, "d", w.private().D, 32)
		if err != nil {
			return nil, err
		}
		if k, err := ecdh.X25519().NewPrivateKey(d); err == nil && pub.Equal(k.Public()) {
			return k, nil
		}
		return nil, errMatch
	default:
		return w.rsaPrivate(pub.(*rsa.PublicKey))
	}
}

var errMatch = errInvalid.With("the private members do not match the public ones")

func (w *wire) rsaPrivate(pub *rsa.PublicKey) (*rsa.PrivateKey, error) {
	v := w.private()
	if v.Oth != nil {
		// RFC 7518, Section 6.3.2.7: whoever does not support it must not use the key.
		return nil, errUnsupported.With("RSA keys of more than two primes")
	}
	var n [6]*big.Int
	for i, m := range []struct{ name, text string }{
		{"d", v.D}, {"p", v.P}, {"q", v.Q}, {"dp", v.DP}, {"dq", v.DQ}, {"qi", v.QI},
	} {
		// RFC 7518, Section 6.3.2: d alone would do, but it is how nobody writes keys,
		// and with one of the others all must be there.
		b, err := number(nil, m.name, m.text, maxRSABits/8)
		if err != nil {
			return nil, err
		}
		n[i] = new(big.Int).SetBytes(b)
	}
	k := &rsa.PrivateKey{PublicKey: *pub, D: n[0], Primes: []*big.Int{n[1], n[2]}}
	k.Precompute()
	if err := checkPrivate(k); err != nil {
		return nil, err
	}
	c := &k.Precomputed
	if c.Dp.Cmp(n[3]) != 0 || c.Dq.Cmp(n[4]) != 0 || c.Qinv.Cmp(n[5]) != 0 {
		return nil, errMatch
	}
	return k, nil
}

// checkPrivate checks the private part of a key of the standard library; of other
// signers, nothing of it is known.
func checkPrivate(s any) error {
	switch k := s.(type) {
	case *ecdsa.PrivateKey:
		raw, _ := k.Bytes() // nothing where D is not below the order
		derived, err := ecdsa.ParseRawPrivateKey(k.Curve, raw)
		if err != nil || !derived.PublicKey.Equal(&k.PublicKey) {
			return errMatch
		}
	case *rsa.PrivateKey:
		if len(k.Primes) != 2 {
			return errUnsupported.With("RSA keys of more or less than two primes")
		}
		if k.Validate() != nil {
			return errMatch
		}
		if fips140.Enforced() && k.Primes[0].BitLen() != k.Primes[1].BitLen() {
			return errFIPS.With("the RSA primes differ in length")
		}
	case ed25519.PrivateKey:
		if !ed25519.NewKeyFromSeed(k.Seed()).Equal(k) {
			return errMatch
		}
	}
	return nil
}

// lowOrder has the y coordinates, little-endian and without the sign bit, of the
// points of the Ed25519 curve whose order divides 8. Under such a key a signature
// can be made without a private key (RFC 8037 defers to RFC 8032, Section 5.1.7;
// Chalkias et al., "Taming the Many EdDSAs", SSR 2020). Encodings of y above the
// prime are refused before, which leaves five.
var lowOrder = [][32]byte{
	{0},
	{1},
	{
		0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
	},
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

func checkEd25519(pub ed25519.PublicKey) error {
	if len(pub) != ed25519.PublicKeySize {
		return errInvalid.With("an Ed25519 public key has 32 bytes")
	}
	y := [32]byte(pub)
	y[31] &= 0x7f
	// RFC 8032, Section 5.1.3: y is below p = 2^255-19, which is 0x7fff…ffed.
	if y[31] == 0x7f && y[0] >= 0xed {
		full := true
		for _, b := range y[1:31] {
			full = full && b == 0xff
		}
		if full {
			return errInvalid.With("the Ed25519 key is not canonical")
		}
	}
	for i := range lowOrder {
		if y == lowOrder[i] {
			return errWeak.With("the Ed25519 key has a small order")
		}
	}
	return nil
}

// describe fills in the members of a key of the standard library.
func describe(w *wire, key any) {
	text := b64url.EncodeToString
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		_, size := curve(k.Params().Name)
		w.KeyType, w.Crv = "EC", k.Params().Name
		if point, err := k.Bytes(); err == nil {
			w.X, w.Y = text(point[1:1+size]), text(point[1+size:])
		}
	case *ecdsa.PrivateKey:
		describe(w, &k.PublicKey)
		if d, err := k.Bytes(); err == nil {
			w.Private = &privateWire{D: text(d)}
		}
	case *rsa.PublicKey:
		w.KeyType, w.N, w.E = "RSA", text(k.N.Bytes()), text(big.NewInt(int64(k.E)).Bytes())
	case *rsa.PrivateKey:
		describe(w, &k.PublicKey)
		p, q := k.Primes[0], k.Primes[1]
		one := big.NewInt(1)
		dp := new(big.Int).Mod(k.D, new(big.Int).Sub(p, one))
		dq := new(big.Int).Mod(k.D, new(big.Int).Sub(q, one))
		w.Private = &privateWire{
			D: text(k.D.Bytes()), P: text(p.Bytes()), Q: text(q.Bytes()),
			DP: text(dp.Bytes()), DQ: text(dq.Bytes()), QI: text(new(big.Int).ModInverse(q, p).Bytes()),
		}
	case ed25519.PublicKey:
		w.KeyType, w.Crv, w.X = "OKP", "Ed25519", text(k)
	case ed25519.PrivateKey:
		describe(w, k.Public())
		w.Private = &privateWire{D: text(k.Seed())}
	case *ecdh.PublicKey:
		b := k.Bytes()
		if w.KeyType, w.Crv = exchangeName(k.Curve()); w.KeyType == "OKP" {
			w.X = text(b)
			return
		}
		size := len(b) / 2
		w.X, w.Y = text(b[1:1+size]), text(b[1+size:])
	case *ecdh.PrivateKey:
		describe(w, k.PublicKey())
		w.Private = &privateWire{D: text(k.Bytes())}
	}
}
