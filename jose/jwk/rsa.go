package jwk

import (
	"crypto/fips140"
	"crypto/rsa"
	"math/big"
	"math/bits"
)

const (
	minRSABits = 2048  // RFC 7518, Section 3.3
	maxRSABits = 16384 // beyond it one verification costs milliseconds
	maxRSAExp  = 1<<31 - 1
)

// checkRSA refuses RSA keys that are malformed, too large or not secure.
func checkRSA(pub *rsa.PublicKey) error {
	if pub == nil || pub.N == nil || pub.N.Sign() <= 0 {
		return errInvalid.With("the RSA modulus is missing")
	}
	size := pub.N.BitLen()
	switch {
	case size < minRSABits:
		return errWeak.With("RSA keys have at least 2048 bits")
	case size > maxRSABits:
		return errLimit.With("RSA keys have at most 16384 bits")
	case pub.N.Bit(0) == 0:
		return errInvalid.With("the RSA modulus is even")
	case pub.E < 3 || pub.E > maxRSAExp || pub.E&1 == 0:
		return errInvalid.With("the RSA exponent is not an odd number from 3 to 2^31-1")
	case hasROCA(pub.N.Bits()):
		return errWeak.With("the RSA key comes from a faulty generator (CVE-2017-15361)")
	case fips140.Enforced() && size%2 == 1:
		return errFIPS.With("the RSA modulus has an odd number of bits")
	case fips140.Enforced() && pub.E <= 1<<16:
		return errFIPS.With("the RSA exponent is not above 65536")
	}
	return nil
}

// rocaModuli has the primes that tell the moduli of the ROCA generator from
// others, in two products of less than 64 bits. A modulus of that generator is
// a power of 65537 modulo each of them (Nemec et al., "The Return of
// Coppersmith's Attack", CCS 2017); another one is so for all 17 of them with a
// probability of 2^-27.8.
var rocaModuli = []rocaModulus{
	newRocaModulus(37, 97, 79, 11, 61, 73, 127, 151, 157),
	newRocaModulus(13, 17, 19, 53, 71, 103, 107, 109),
}

type rocaModulus struct {
	product, inverse uint64 // inverse is -1/product modulo 2^64
	primes           []rocaPrime
}

type rocaPrime struct {
	p      uint64
	powers [3]uint64 // bit r is set where r is a power of 65537 modulo p
}

func newRocaModulus(primes ...uint64) rocaModulus {
	m := rocaModulus{product: 1}
	for _, p := range primes {
		m.product *= p
		r := rocaPrime{p: p}
		for x := uint64(1); r.powers[x/64]&(1<<(x%64)) == 0; x = x * 65537 % p {
			r.powers[x/64] |= 1 << (x % 64)
		}
		m.primes = append(m.primes, r)
	}
	// Newton's iteration doubles the correct low bits; an odd number is its own
	// inverse modulo 8.
	inv := m.product
	for range 5 {
		inv *= 2 - m.product*inv
	}
	m.inverse = -inv
	return m
}

// hasROCA reports whether n has the fingerprint of the ROCA generator.
func hasROCA(n []big.Word) bool {
	for i := range rocaModuli {
		m := &rocaModuli[i]
		r := m.reduce(n)
		for _, p := range m.primes {
			if x := r % p.p; p.powers[x/64]&(1<<(x%64)) == 0 {
				return false
			}
		}
	}
	return true
}

// reduce returns n modulo the product. It goes up through the words with
// Montgomery's reduction, which needs no division, and so has n / 2^(64·words) at
// the end; the power is then multiplied back.
func (m *rocaModulus) reduce(n []big.Word) uint64 {
	const perWord = 64 / bits.UintSize
	var acc, words uint64
	for i := 0; i < len(n); i += perWord {
		w := uint64(n[i])
		if perWord == 2 && i+1 < len(n) {
			w |= uint64(n[i+1]) << (64 / perWord % 64)
		}
		// (acc + w + q·product) / 2^64 with q such that it divides.
		lo, c := bits.Add64(acc, w, 0)
		hi, qlo := bits.Mul64(lo*m.inverse, m.product)
		_, c2 := bits.Add64(lo, qlo, 0)
		acc = hi + c + c2 // at most product, which leaves room for the carries
		words++
	}
	power, base := uint64(1)%m.product, -m.product%m.product // base is 2^64 modulo product
	for ; words > 0; words >>= 1 {
		if words&1 == 1 {
			power = m.mul(power, base)
		}
		base = m.mul(base, base)
	}
	return m.mul(acc%m.product, power)
}

func (m *rocaModulus) mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return bits.Rem64(hi, lo, m.product)
}
