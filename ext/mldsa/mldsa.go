// Package mldsa adds ML-DSA to jot, the signatures of FIPS 204 that a quantum
// computer does not forge: ML-DSA-44, ML-DSA-65 and ML-DSA-87, with keys of the type
// AKP (RFC 9964). Hand the extensions to whatever reads keys:
//
//	binding := jwk.Binding{Extensions: mldsa.Extensions()}
//	set, skipped, err := jwk.ParseSet(data, binding)
//	key, err := jwk.Generate(mldsa.MLDSA65().Algorithm, mldsa.Extensions()...)
//
// Without them a set that holds such keys is read all the same, and they are
// reported as left out.
//
// A private key is the seed of 32 bytes; expanded keys are not read. Signing is
// hedged with random bytes, so that no two signatures are the same. A token has a
// signature of 3.2, 4.4 or 6.2 kB.
//
// The arithmetic is that of filippo.io/mldsa, which is not in Go's FIPS 140-3 module,
// so that the "only" mode refuses all keys.
package mldsa

import (
	"context"
	"crypto/fips140"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"filippo.io/mldsa"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// set is an algorithm with its parameters.
type set struct {
	mldsa.Parameters
	algorithm jwa.Algorithm
}

func newSet(p mldsa.Parameters) *set {
	// New refuses only what every test would show.
	a, _ := jwa.New(p.String(), jwa.Traits{KeyType: "AKP", SignatureSize: p.SignatureSize(), Spec: "RFC 9964, Section 5"})
	return &set{p, a}
}

var (
	set44 = newSet(mldsa.MLDSA44())
	set65 = newSet(mldsa.MLDSA65())
	set87 = newSet(mldsa.MLDSA87())
)

// MLDSA44 returns ML-DSA-44, whose signatures have 2,420 bytes and its public keys
// 1,312: the choice of most programs. Its Algorithm narrows a policy.
func MLDSA44() jwk.Extension { return set44.extension() }

// MLDSA65 returns ML-DSA-65, whose signatures have 3,309 bytes and its public keys
// 1,952.
func MLDSA65() jwk.Extension { return set65.extension() }

// MLDSA87 returns ML-DSA-87, whose signatures have 4,627 bytes and its public keys
// 2,592.
func MLDSA87() jwk.Extension { return set87.extension() }

// Extensions returns all three.
func Extensions() []jwk.Extension { return []jwk.Extension{MLDSA44(), MLDSA65(), MLDSA87()} }

func (s *set) extension() jwk.Extension {
	return jwk.Extension{
		Algorithm:  s.algorithm,
		Thumbprint: []string{"alg", "kty", "pub"}, // RFC 9964, Section 6
		Verify:     s.verifier,
		Sign:       s.signer,
		Generate:   s.generate,
	}
}

var errSeed = errors.New("priv is not the seed of pub")

// member reads a member of exactly size bytes. RFC 9964, Section 3.
func member(j jwk.JWK, name string, size int) ([]byte, error) {
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

func (s *set) public(j jwk.JWK) (*mldsa.PublicKey, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("%w: ML-DSA is not in Go's module", jwk.ErrFIPS)
	}
	// RFC 9964, Section 3: alg is required. Without it nothing tells the sets apart.
	if j.Algorithm() != s.algorithm.Name() {
		return nil, errors.New("an AKP key has an alg")
	}
	// RFC 9964, Section 5.
	pub, err := member(j, "pub", s.PublicKeySize())
	if err != nil {
		return nil, err
	}
	return mldsa.NewPublicKey(s.Parameters, pub)
}

func (s *set) verifier(j jwk.JWK) (func(message, signature []byte) bool, error) {
	key, err := s.public(j)
	if err != nil {
		return nil, err
	}
	return func(message, signature []byte) bool {
		// RFC 9964, Section 5: the context is empty, which nil means.
		return mldsa.Verify(key, message, signature, nil) == nil
	}, nil
}

func (s *set) signer(j jwk.JWK) (func(ctx context.Context, message []byte) ([]byte, error), error) {
	want, err := s.public(j)
	if err != nil {
		return nil, err
	}
	// RFC 9964, Section 4: the seed, whose length must be checked (Section 7.3).
	seed, err := member(j, "priv", mldsa.PrivateKeySize)
	if err != nil {
		return nil, err
	}
	key, err := mldsa.NewPrivateKey(s.Parameters, seed)
	if err != nil {
		return nil, err
	}
	// RFC 9964, Section 7.4.
	if !key.PublicKey().Equal(want) {
		return nil, errSeed
	}
	return func(_ context.Context, message []byte) ([]byte, error) {
		return key.Sign(nil, message, nil)
	}, nil
}

func (s *set) generate() ([]byte, error) {
	key, err := mldsa.GenerateKey(s.Parameters)
	if err != nil {
		return nil, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	return json.Marshal(map[string]string{"kty": "AKP", "pub": encode(key.PublicKey().Bytes()), "priv": encode(key.Bytes())})
}
