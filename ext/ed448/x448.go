package ed448

import (
	"crypto/fips140"
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/dh/x448"

	"github.com/jotsuite/jot/jose/jwk"
)

// X448 returns the curve for ECDH-ES (RFC 8037, Section 3.2). Keys that agree on zero
// are refused.
func X448() jwk.Agreement {
	return jwk.Agreement{
		Curve:    "X448",
		Check:    checkX448,
		Generate: generateX448,
		Public:   publicX448,
		Agree:    agreeX448,
	}
}

// x448Key reads a private or a public key. RFC 7748, Section 5: every string of that
// length is one, those too that are not below the prime.
func x448Key(b []byte) (*x448.Key, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("%w: X448 is not in Go's module", jwk.ErrFIPS)
	}
	if len(b) != x448.Size {
		return nil, fmt.Errorf("an X448 key has %d bytes", x448.Size)
	}
	return (*x448.Key)(b), nil
}

func checkX448(public []byte) error {
	// With a key of low order every private key agrees on zero.
	_, err := agreeX448(make([]byte, x448.Size), public)
	return err
}

func generateX448() ([]byte, error) {
	private := make([]byte, x448.Size)
	_, _ = rand.Read(private) // which never fails
	_, err := x448Key(private)
	return private, err
}

func publicX448(private []byte) ([]byte, error) {
	secret, err := x448Key(private)
	if err != nil {
		return nil, err
	}
	var public x448.Key
	x448.KeyGen(&public, secret)
	return public[:], nil
}

func agreeX448(private, public []byte) ([]byte, error) {
	secret, err := x448Key(private)
	if err != nil {
		return nil, err
	}
	peer, err := x448Key(public)
	if err != nil {
		return nil, err
	}
	var shared x448.Key
	// RFC 8037, Section 3.2, and RFC 7748, Section 6.2: not all zeros.
	if !x448.Shared(&shared, secret, peer) {
		return nil, fmt.Errorf("%w: the X448 key has a small order", jwk.ErrWeak)
	}
	return shared[:], nil
}
