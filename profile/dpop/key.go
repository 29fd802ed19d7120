package dpop

import (
	"context"
	"crypto"
	"slices"
	"sync/atomic"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var (
	errNoKey    = fault.New("key.none", "RFC 9449, Section 4.2", "the header has no jwk")
	errNotInUse = fault.New("alg.not_allowed", "RFC 9449, Section 4.3", "alg is not accepted for proofs")
)

// headerKeys is the source of keys of a proof: the one in its own header (RFC 9449, Section 4.3, step 6). The kid of
// a key that it returns is its thumbprint, whatever name its sender has for it.
type headerKeys struct {
	algorithms []jwa.Algorithm
	extensions []jwk.Extension
	recent     [64]atomic.Pointer[boundKey]
}

// boundKey is a key that was in a header. The same header comes with the same description, which
// jwt.Verifier keeps for the headers that have verified.
type boundKey struct {
	from *jwk.JWK
	alg  string
	keys []jwk.Verifier
}

// Keys implements jwk.Source.
func (h *headerKeys) Keys(_ context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	if q.JWK == nil {
		return nil, errNoKey
	}
	i := slices.IndexFunc(h.algorithms, func(a jwa.Algorithm) bool { return a.Name() == q.Algorithm })
	if i < 0 {
		return nil, errNotInUse
	}
	key, err := q.JWK.PublicKey(jwk.Binding{Algorithms: h.algorithms[i : i+1], Extensions: h.extensions})
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.JWK().Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	key, err = key.JWK().WithKeyID(thumbprint).PublicKey(jwk.Binding{Algorithms: h.algorithms[i : i+1], Extensions: h.extensions})
	if err != nil {
		return nil, err
	}
	return []jwk.Verifier{key}, nil
}
