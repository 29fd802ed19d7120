package dpop

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// The header fields of requests and responses (RFC 9449, Sections 4.1 and 8).
const (
	Header      = "DPoP"
	NonceHeader = "DPoP-Nonce"
)

// FromHeader returns the proof of a request: that of the one DPoP header, which must be there and must not be there twice. The refusal is a
// *jwt.RejectError.
func FromHeader(h http.Header) (string, error) {
	const spec = "RFC 9449, Section 4.3"
	proofs := h.Values(Header)
	switch {
	case len(proofs) == 0:
		return "", jwt.Refuse(&jwt.ClaimError{Claim: Header, Code: "dpop.missing", Want: "a DPoP header", Spec: spec})
	// Step 1. A proxy may have joined two of them (RFC 9110, Section 5.3).
	case len(proofs) > 1 || strings.Contains(proofs[0], ","):
		return "", jwt.Refuse(&jwt.ClaimError{Claim: Header, Code: "dpop.multiple", Want: "one DPoP header", Spec: spec})
	}
	return proofs[0], nil
}

// replayError is what a Replay failed with; jti.full of jwt.ReplayCache is a refusal, as it is in package jwt.
func replayError(err error) error {
	if errors.Is(err, jwt.ErrReplay) {
		return jwt.Refuse(err)
	}
	return err
}

// Error is what to answer to a request whose proof was refused with err: use_dpop_nonce where a nonce is missing or no longer
// good and nothing else is wrong, invalid_dpop_proof else. It is nil where err is no refusal of a proof. The answer to use_dpop_nonce has
// a nonce, see [Verifier.SetNonce].
func Error(err error) *oauth.Error {
	refused, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		return nil
	}
	if refused.Only("nonce.missing", "nonce.mismatch") {
		return &oauth.Error{Code: oauth.UseDPoPNonce, Description: "the DPoP proof needs the nonce of this response", Cause: err}
	}
	return &oauth.Error{Code: oauth.InvalidDPoPProof, Description: "the DPoP proof is refused: " + profile.Told(refused), Cause: err}
}

// Challenge is the challenge of a resource server: with the algorithms that it accepts and, where err is the refusal of
// a proof, with its [Error]; that of another key than the token's is invalid_token (RFC 9449, Section 7.1).
func (v *Verifier) Challenge(err error) oauth.Challenge {
	c := oauth.Challenge{Scheme: oauth.DPoP, Algs: slices.Clone(v.algorithms), Error: Error(err)}
	if refused, ok := errors.AsType[*jwt.RejectError](err); ok && refused.Only("jkt.mismatch") {
		c.Error = &oauth.Error{Code: oauth.InvalidToken, Description: "the token is bound to another key", Cause: err}
	}
	return c
}

// SetNonce sets the header with a new nonce of Policy.Nonces, and forbids to store the response (RFC 9449, Section 8.2). It may be called for
// every response, and does nothing where the policy has no Nonces.
func (v *Verifier) SetNonce(ctx context.Context, h http.Header) error {
	if v.nonces == nil {
		return nil
	}
	nonce, err := v.nonces.New(ctx)
	if err != nil {
		return err
	}
	h.Set(NonceHeader, nonce)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	return nil
}
