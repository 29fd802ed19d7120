package dpop

import (
	"context"
	"crypto"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var (
	errNoKey        = fault.New("key.none", "RFC 9449, Section 4.2", "the header has no jwk")
	errNotSupported = fault.New("alg.not_allowed", "RFC 9449, Section 4.3", "alg is not accepted for proofs")
)

// headerKeys is the source of the key of a proof: its own header (RFC 9449, Section 4.3, step 6). The kid of a key
// is its thumbprint, whatever name its sender has for it.
type headerKeys struct {
	algorithms []jwa.Algorithm
	extensions []jwk.Extension
}

// FromHeaderAlone lets jwt.Verifier keep the key with the header that it is in.
func (*headerKeys) FromHeaderAlone() {}

// Keys implements jwk.Source.
func (h *headerKeys) Keys(_ context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	i := slices.IndexFunc(h.algorithms, func(a jwa.Algorithm) bool { return a.Name() == q.Algorithm })
	switch {
	case i < 0:
		return nil, errNotSupported
	case q.JWK == nil:
		return nil, errNoKey
	}
	key, err := q.JWK.PublicKey(jwk.Binding{Algorithms: h.algorithms[i : i+1], Extensions: h.extensions})
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return []jwk.Verifier{key.WithKeyID(thumbprint)}, nil
}
