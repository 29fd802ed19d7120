// Package es256k adds ES256K to jot: ECDSA with SHA-256 on secp256k1, the curve of
// blockchains (RFC 8812, Section 3.2). Hand the extension to whatever reads keys:
//
//	binding := jwk.Binding{Extensions: []jwk.Extension{es256k.Extension()}}
//	set, skipped, err := jwk.ParseSet(data, binding)
//	key, err := jwk.Generate(es256k.Extension().Algorithm, es256k.Extension())
//
// Without it a set that holds such keys is read all the same, and they are reported
// as left out.
//
// The arithmetic is that of decred's secp256k1. Its signatures have the lower of the
// two values of s, which RFC 8812 does not ask for; either is accepted. The nonce
// follows from the key and the message (RFC 6979). Signing does not take the same
// time for every nonce: keep it where others cannot measure it. The curve is not
// approved for FIPS 140-3, so that the "only" mode refuses all keys.
package es256k

import (
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// size is the length of a coordinate, of the private number, and of r and s.
const size = 32

// New refuses only what every test would show.
var algorithm, _ = jwa.New("ES256K", jwa.Traits{
	KeyType:       "EC",
	Curve:         "secp256k1", // RFC 8812, Section 3.1
	Hash:          crypto.SHA256,
	SignatureSize: 2 * size,
	Spec:          "RFC 8812, Section 3.2",
})

// Extension returns ES256K. Its keys are EC keys with the curve secp256k1; its
// Algorithm narrows a policy.
func Extension() jwk.Extension {
	return jwk.Extension{
		Algorithm:  algorithm,
		Thumbprint: []string{"crv", "kty", "x", "y"}, // RFC 7638, Section 3.2
		Verify:     verifier,
		Sign:       signer,
		Generate:   generate,
	}
}

var (
	errPoint  = errors.New("x and y are not a point of secp256k1")
	errNumber = errors.New("d is not the private number of x and y")
)

// member reads a coordinate or the private number, which have their full length:
// RFC 7518, Sections 6.2.1.2 and 6.2.2.1.
func member(j jwk.JWK, name string) ([]byte, error) {
	raw, _ := j.Member(name)
	var text string
	_ = json.Unmarshal(raw, &text) // which leaves it empty where there is no string
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder drops line breaks, so that both lengths count.
	if err != nil || len(b) != size || len(text) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, fmt.Errorf("%s is not %d bytes of base64url", name, size)
	}
	return b, nil
}

func public(j jwk.JWK) (*secp256k1.PublicKey, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("%w: secp256k1 is not approved", jwk.ErrFIPS)
	}
	x, err := member(j, "x")
	if err != nil {
		return nil, err
	}
	y, err := member(j, "y")
	if err != nil {
		return nil, err
	}
	point := append([]byte{secp256k1.PubKeyFormatUncompressed}, x...)
	// It checks that x and y are below the prime and on the curve.
	key, err := secp256k1.ParsePubKey(append(point, y...))
	if err != nil {
		return nil, errPoint
	}
	return key, nil
}

func verifier(j jwk.JWK) (func(message, signature []byte) bool, error) {
	key, err := public(j)
	if err != nil {
		return nil, err
	}
	return func(message, signature []byte) bool {
		var r, s secp256k1.ModNScalar
		// A number that is not below the order has a smaller twin that would verify. The
		// library refuses zero.
		if r.SetByteSlice(signature[:size]) || s.SetByteSlice(signature[size:]) {
			return false
		}
		digest := sha256.Sum256(message)
		return ecdsa.NewSignature(&r, &s).Verify(digest[:], key)
	}, nil
}

func signer(j jwk.JWK) (func(ctx context.Context, message []byte) ([]byte, error), error) {
	want, err := public(j)
	if err != nil {
		return nil, err
	}
	b, err := member(j, "d")
	if err != nil {
		return nil, err
	}
	var d secp256k1.ModNScalar
	// A number that is not below the order has a smaller twin with the same point.
	if d.SetByteSlice(b) {
		return nil, errNumber
	}
	key := secp256k1.NewPrivateKey(&d)
	if !key.PubKey().IsEqual(want) {
		return nil, errNumber
	}
	return func(_ context.Context, message []byte) ([]byte, error) {
		digest := sha256.Sum256(message)
		signature := ecdsa.Sign(key, digest[:])
		r, s := signature.R(), signature.S()
		out := make([]byte, 2*size)
		r.PutBytesUnchecked(out[:size])
		s.PutBytesUnchecked(out[size:])
		return out, nil
	}, nil
}

func generate() ([]byte, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	point := key.PubKey().SerializeUncompressed()[1:]
	return json.Marshal(map[string]string{
		"kty": "EC", "crv": "secp256k1",
		"x": encode(point[:size]), "y": encode(point[size:]), "d": encode(key.Serialize()),
	})
}
