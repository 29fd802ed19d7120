package jwk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"sync"
)

// maxDER is the longest DER encoding of an ECDSA signature here, that of P-521:
// two integers of 67 bytes with 2 bytes before each, and 3 bytes before both.
const maxDER = 3 + 2*(2+67)

// maxPoint is the longest uncompressed point, that of P-521.
const maxPoint = 1 + 2*66

// curve returns the curve of a "crv" name and the length of its coordinates in
// bytes (RFC 7518, Section 6.2.1.1).
func curve(name string) (elliptic.Curve, int) {
	switch name {
	case "P-256":
		return elliptic.P256(), 32
	case "P-384":
		return elliptic.P384(), 48
	case "P-521":
		return elliptic.P521(), 66
	}
	return nil, 0
}

// checkEC refuses keys that are not a point of one of the curves.
func checkEC(k *ecdsa.PublicKey) error {
	//lint:ignore SA1019 the coordinates are only seen to be there, without which Bytes panics
	if k == nil || k.Curve == nil || k.X == nil || k.Y == nil {
		return errInvalid.With("the EC point is missing")
	}
	if c, _ := curve(k.Params().Name); c == nil {
		return errUnsupported.With("the curve is none of P-256, P-384 and P-521")
	}
	if _, err := k.Bytes(); err != nil {
		return errInvalid.With("the point is not on the curve")
	}
	return nil
}

// verifyECDSA verifies r‖s (RFC 7518, Section 3.4), which have size bytes each.
func verifyECDSA(pub *ecdsa.PublicKey, size int, digest, signature []byte) bool {
	buf := derPool.Get().(*[maxDER]byte)
	defer derPool.Put(buf)
	der := appendInteger(buf[:3], signature[:size])
	der = appendInteger(der, signature[size:])
	// One byte of length is enough below 128, so that the sequence starts later.
	if n := len(der) - 3; n < 0x80 {
		der = der[1:]
		der[0], der[1] = 0x30, byte(n)
	} else {
		der[0], der[1], der[2] = 0x30, 0x81, byte(n)
	}
	return ecdsa.VerifyASN1(pub, digest, der)
}

// derPool keeps the buffer off the heap of every call: VerifyASN1 lets it escape.
var derPool = sync.Pool{New: func() any { return new([maxDER]byte) }}

// appendInteger appends the DER of the unsigned integer b, which is not empty.
func appendInteger(dst, b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if b[0] >= 0x80 {
		dst = append(dst, 0x02, byte(len(b)+1), 0)
	} else {
		dst = append(dst, 0x02, byte(len(b)))
	}
	return append(dst, b...)
}

// appendRaw appends r‖s of size bytes each for the DER signature that a
// crypto.Signer makes, and reports whether that was well-formed.
func appendRaw(dst, der []byte, size int) ([]byte, bool) {
	body, rest := element(der, 0x30)
	if len(rest) != 0 {
		return dst, false
	}
	for range 2 {
		var n []byte
		if n, body = element(body, 0x02); len(n) == 0 || n[0] >= 0x80 {
			return dst, false
		}
		if len(n) > 1 && n[0] == 0 {
			if n[1] < 0x80 {
				return dst, false // not the shortest form
			}
			n = n[1:]
		}
		if len(n) > size || len(n) == 1 && n[0] == 0 {
			return dst, false
		}
		for range size - len(n) {
			dst = append(dst, 0)
		}
		dst = append(dst, n...)
	}
	return dst, len(body) == 0
}

// element splits off the body of the DER element of a tag, which is shorter than
// 256 bytes. Both are empty where there is none.
func element(der []byte, tag byte) (body, rest []byte) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil
	}
	n, at := int(der[1]), 2
	if n == 0x81 {
		if len(der) < 3 || der[2] < 0x80 {
			return nil, nil
		}
		n, at = int(der[2]), 3
	} else if n >= 0x80 {
		return nil, nil
	}
	if len(der)-at < n {
		return nil, nil
	}
	return der[at : at+n], der[at+n:]
}
