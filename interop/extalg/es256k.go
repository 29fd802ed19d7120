// Package extalg defines an algorithm outside jot's module: ES256K (RFC 8812), on
// a curve that the standard library does not have. It shows that an extension is a
// value handed to a parser, with no registry and nothing changed in jot.
package extalg

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// ES256K is ECDSA with SHA-256 on secp256k1, r and s side by side: RFC 8812,
// Section 3.2.
func ES256K() (jwk.Extension, error) {
	alg, err := jwa.New("ES256K", jwa.Traits{
		KeyType: "EC", Curve: "secp256k1", Hash: crypto.SHA256, SignatureSize: 64, Spec: "RFC 8812, Section 3.2",
	})
	if err != nil {
		return jwk.Extension{}, err
	}
	return jwk.Extension{
		Algorithm:  alg,
		Thumbprint: []string{"crv", "kty", "x", "y"}, // RFC 7638, Section 3.2
		Verify:     verifier,
		Sign:       signer,
		Generate:   generate,
	}, nil
}

var (
	errPoint  = errors.New("x and y are not a point of secp256k1")
	errScalar = errors.New("d is not the private number of x and y")
)

// coordinate reads a member of exactly 32 bytes: RFC 7518, Section 6.2.1.2.
func coordinate(j jwk.JWK, name string) ([]byte, error) {
	raw, ok := j.Member(name)
	var text string
	if !ok || json.Unmarshal(raw, &text) != nil {
		return nil, errors.New(name + " is missing")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != 32 || base64.RawURLEncoding.EncodeToString(b) != text {
		return nil, errors.New(name + " is not 32 bytes of base64url")
	}
	return b, nil
}

func public(j jwk.JWK) (*secp256k1.PublicKey, error) {
	x, err := coordinate(j, "x")
	if err != nil {
		return nil, err
	}
	y, err := coordinate(j, "y")
	if err != nil {
		return nil, err
	}
	key, err := secp256k1.ParsePubKey(append(append([]byte{4}, x...), y...)) // checks the curve's equation
	if err != nil {
		return nil, errPoint
	}
	return key, nil
}

func verifier(j jwk.JWK) (func(message, sig []byte) bool, error) {
	key, err := public(j)
	if err != nil {
		return nil, err
	}
	return func(message, sig []byte) bool {
		var r, s secp256k1.ModNScalar
		if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || r.IsZero() || s.IsZero() {
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
	b, err := coordinate(j, "d")
	if err != nil {
		return nil, err
	}
	var d secp256k1.ModNScalar
	if d.SetByteSlice(b) || d.IsZero() {
		return nil, errScalar
	}
	key := secp256k1.NewPrivateKey(&d)
	if !key.PubKey().IsEqual(want) {
		return nil, errScalar
	}
	return func(_ context.Context, message []byte) ([]byte, error) {
		digest := sha256.Sum256(message)
		signature := ecdsa.Sign(key, digest[:])
		r, s := signature.R(), signature.S()
		rb, sb := r.Bytes(), s.Bytes()
		return append(rb[:], sb[:]...), nil
	}, nil
}

func generate() ([]byte, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	enc := base64.RawURLEncoding.EncodeToString
	p := key.PubKey().SerializeUncompressed()
	return json.Marshal(map[string]string{"kty": "EC", "crv": "secp256k1", "x": enc(p[1:33]), "y": enc(p[33:]), "d": enc(key.Serialize())})
}
