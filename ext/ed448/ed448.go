// Package ed448 adds to jot the larger curve of RFC 8037: Ed448 for signatures
// (Section 3.1; RFC 9864, Section 2.2) and X448 for ECDH-ES (Section 3.2). Hand them
// to whatever reads keys:
//
//	binding := jwk.Binding{Extensions: []jwk.Extension{ed448.Extension()}, Agreements: []jwk.Agreement{ed448.X448()}}
//	set, skipped, err := jwk.ParseSet(data, binding)
//	key, err := jwk.Generate(ed448.Extension().Algorithm, ed448.Extension())
//
// Without them a set that holds such keys is read all the same, and they are reported
// as left out.
//
// The signature has one name, Ed448. The older name EdDSA says nothing of the curve,
// which is why RFC 9864 deprecates it, and jot binds it to Ed25519 alone: a key with
// this curve and "alg" EdDSA is refused with [jwk.ErrAlgorithm], and a signature
// whose header says EdDSA is never checked with a key of this package. Of a peer
// that still sends that name, ask for the new one.
//
// The arithmetic is that of Cloudflare's CIRCL. It is not in Go's FIPS 140-3 module,
// so that the "only" mode refuses all keys.
package ed448

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/ecc/goldilocks"
	"github.com/cloudflare/circl/sign/ed448"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// New refuses only what every test would show.
var algorithm, _ = jwa.New("Ed448", jwa.Traits{
	KeyType:       "OKP",
	Curve:         "Ed448", // RFC 8037, Section 3.1
	SignatureSize: ed448.SignatureSize,
	Spec:          "RFC 9864, Section 2.2",
})

// Extension returns Ed448. Its keys are OKP keys with the curve Ed448; its Algorithm
// narrows a policy.
func Extension() jwk.Extension {
	return jwk.Extension{
		Algorithm:  algorithm,
		Thumbprint: []string{"crv", "kty", "x"}, // RFC 8037, Section 2
		Verify:     verifier,
		Sign:       signer,
		Generate:   generate,
	}
}

var (
	errPoint = errors.New("x is not a point of Ed448")
	errSeed  = errors.New("d is not the private key of x")
)

// member reads a member of 57 bytes. RFC 8037, Section 2.
func member(j jwk.JWK, name string) ([]byte, error) {
	raw, _ := j.Member(name)
	var text string
	_ = json.Unmarshal(raw, &text) // which leaves it empty where there is no string
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder drops line breaks, so that both lengths count.
	if err != nil || len(b) != ed448.PublicKeySize || len(text) != base64.RawURLEncoding.EncodedLen(ed448.PublicKeySize) {
		return nil, fmt.Errorf("%s is not %d bytes of base64url", name, ed448.PublicKeySize)
	}
	return b, nil
}

func public(j jwk.JWK) (ed448.PublicKey, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("%w: Ed448 is not in Go's module", jwk.ErrFIPS)
	}
	// RFC 8037, Section 2: an OKP key has no y.
	if _, ok := j.Member("y"); ok {
		return nil, errors.New("an OKP key has no y")
	}
	x, err := member(j, "x")
	if err != nil {
		return nil, err
	}
	// RFC 8032, Section 5.2.3.
	if _, err := goldilocks.FromBytes(x); err != nil {
		return nil, errPoint
	}
	if lowOrder(x) {
		return nil, fmt.Errorf("%w: x is a point of low order", jwk.ErrWeak)
	}
	return x, nil
}

// lowOrder reports whether x, the canonical encoding of a point, has the order 1, 2
// or 4. A signature by such a key holds for messages that nobody signed. Those are
// the points whose y is 1, -1 or 0.
func lowOrder(x []byte) bool {
	var y [ed448.PublicKeySize]byte // the last byte has nothing but the sign of x
	copy(y[:], x[:len(x)-1])
	var one, zero, minusOne [ed448.PublicKeySize]byte
	one[0] = 1
	// The prime is 2^448 - 2^224 - 1, least significant byte first.
	for i := range len(minusOne) - 1 {
		minusOne[i] = 0xff
	}
	minusOne[0], minusOne[28] = 0xfe, 0xfe
	return y == one || y == zero || y == minusOne
}

func verifier(j jwk.JWK) (func(message, signature []byte) bool, error) {
	key, err := public(j)
	if err != nil {
		return nil, err
	}
	return func(message, signature []byte) bool {
		// RFC 8037, Section 3.1: the message itself, and the empty context.
		return ed448.Verify(key, message, signature, "")
	}, nil
}

func signer(j jwk.JWK) (func(ctx context.Context, message []byte) ([]byte, error), error) {
	want, err := public(j)
	if err != nil {
		return nil, err
	}
	seed, err := member(j, "d")
	if err != nil {
		return nil, err
	}
	key := ed448.NewKeyFromSeed(seed)
	// Signing with another public key than the seed's would give the private one away.
	if !bytes.Equal(key[ed448.SeedSize:], want) {
		return nil, errSeed
	}
	return func(_ context.Context, message []byte) ([]byte, error) {
		return ed448.Sign(key, message, ""), nil
	}, nil
}

func generate() ([]byte, error) {
	public, key, err := ed448.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]string{"kty": "OKP", "crv": "Ed448", "x": encode(public), "d": encode(key.Seed())})
}
