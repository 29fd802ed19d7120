package dpop

import (
	"context"
	"crypto"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var errNoKey = fault.New("key.none", "RFC 9449, Section 4.2", "the header has no jwk")

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
	if q.JWK == nil {
		return nil, errNoKey
	}
	b := jwk.Binding{Extensions: h.extensions}
	for _, a := range h.algorithms { // of which one fits, or the token would have been refused before
		if header.Fits(q.Algorithm, a) {
			b.Algorithms = []jwa.Algorithm{a}
		}
	}
	key, err := q.JWK.PublicKey(b)
	if err != nil {
		return nil, err
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return []jwk.Verifier{key.WithKeyID(thumbprint)}, nil
}
