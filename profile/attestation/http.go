package attestation

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/jotsuite/jot/internal/nonce"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// The header fields of requests and responses (Sections 4, 5.1 and 6.2).
const (
	Header          = "OAuth-Client-Attestation"
	PoPHeader       = "OAuth-Client-Attestation-PoP"
	ChallengeHeader = "OAuth-Client-Attestation-Challenge"
)

// dpopHeader is that of a DPoP proof (RFC 9449, Section 4.1).
const dpopHeader = "DPoP"

// headers returns the tokens of a request (Sections 7.1 to 7.3): one attestation, and one proof unless a DPoP proof that was
// verified is combined with it.
func (v *Verifier) headers(h http.Header, verified bool) (attested, proof string, combined bool, err error) {
	var r []error
	attested = single(&r, h, Header, "attestation", draft+", Section 7.1")
	// Section 7: where both proofs are there, that of the attestation counts, and the other is one of RFC 9449 alone.
	combined = v.dpop && verified && len(h.Values(PoPHeader)) == 0
	if combined {
		single(&r, h, dpopHeader, "dpop", draft+", Section 7.3")
	} else {
		proof = single(&r, h, PoPHeader, "pop", section7)
	}
	if len(r) > 0 {
		return "", "", false, jwt.Refuse(r...)
	}
	return attested, proof, combined, nil
}

// single returns the value of a header field that must be there, and must not be there twice.
func single(r *[]error, h http.Header, name, code, spec string) string {
	values := h.Values(name)
	switch len(values) {
	case 0:
		*r = append(*r, &jwt.ClaimError{Claim: name, Code: code + ".missing", Want: "the header", Spec: spec})
		return ""
	case 1:
	default:
		*r = append(*r, &jwt.ClaimError{Claim: name, Code: code + ".multiple", Want: "one such header", Spec: spec})
	}
	return values[0]
}

// Challenges are the challenges of a server (Section 6). Implementations are safe for concurrent use. The nonces of package dpop
// are such challenges too, and these are such nonces.
type Challenges interface {
	// New returns a challenge that nobody can foresee. It may be the same for several requests.
	New(ctx context.Context) (string, error)
	// Accepts reports whether challenge is one that New has returned and that is still good. An error is no refusal but
	// a failure of the server.
	Accepts(ctx context.Context, challenge string) (bool, error)
}

// ChallengeOptions are those of [NewChallenges].
type ChallengeOptions struct {
	// Secrets make the challenges: the first one new ones, and the others, from before a rotation, are still accepted. Each has
	// 32 bytes or more. Servers that share them accept each other's challenges. Where there is none, a random one is made, for one
	// process.
	Secrets [][]byte
	// Life is how long a challenge is good. Zero is five minutes.
	Life time.Duration
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

// NewChallenges makes challenges that need no store: the time, and a MAC of it. They show that a proof is fresh (Section 12.1); that
// each is used once is for Policy.Replay.
func NewChallenges(o ChallengeOptions) (Challenges, error) {
	n, err := nonce.NewIssuer(nonce.Options(o))
	if err != nil {
		return nil, profile.Incomplete(err.Error())
	}
	return n, nil
}

// ChallengeResponse is the body of a response of the challenge endpoint (Section 6.1). A client puts the challenge into its
// next proof.
type ChallengeResponse struct {
	Challenge string `json:"attestation_challenge"`
}

// ServeHTTP is the challenge endpoint (Section 6.1), which the metadata of the server names as challenge_endpoint: a POST is answered with a
// [ChallengeResponse]. Without Policy.Challenges it is not found. Where the server has DPoP nonces too, the caller sets their header before, as
// draft -11 asks for.
func (v *Verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case v.challenges == nil:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	challenge, err := v.challenges.New(r.Context())
	if err != nil {
		(&oauth.Error{Code: oauth.ServerError, Cause: err}).Write(w)
		return
	}
	body, _ := json.Marshal(ChallengeResponse{challenge}) // a string is always JSON
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body)
}

// SetChallenge sets the header with a new one of Policy.Challenges, and forbids to store the response (Section 6.2). A response with the
// error use_attestation_challenge must have it, and any other may. It does nothing where the policy has no Challenges.
func (v *Verifier) SetChallenge(ctx context.Context, h http.Header) error {
	if v.challenges == nil {
		return nil
	}
	challenge, err := v.challenges.New(ctx)
	if err != nil {
		return err
	}
	h.Set(ChallengeHeader, challenge)
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	return nil
}

// SetHeaders sets the two headers of a request: the attestation as the attester made it, and a new proof with the key of the instance, for the
// server that audience names: its issuer identifier, or the resource identifier of a resource server. The challenge is the last one that
// the server has given, if any: in a header, or at its challenge endpoint.
func SetHeaders(ctx context.Context, h http.Header, attestation string, key jwk.Signer, audience, challenge string) error {
	proof, err := SignPoP(ctx, key, jwt.Registered{Audience: jwt.Audience{audience}}, PoPClaims{Challenge: challenge})
	if err != nil {
		return err
	}
	h.Set(Header, attestation)
	h.Set(PoPHeader, proof)
	return nil
}

// tokenError says which of the two tokens a refusal is of.
type tokenError struct {
	token string
	err   error
}

func (e *tokenError) Error() string { return e.token + ": " + e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }

// of says of which token err is the refusal, if it is one.
func of(token string, err error) error {
	if _, ok := errors.AsType[*jwt.RejectError](err); !ok {
		return err
	}
	return &tokenError{token, err}
}

// Error is what to answer to a request that was refused with err (Section 7.4): use_attestation_challenge where a challenge is missing or no
// longer good and nothing else is wrong; use_fresh_attestation where the attestation has expired, or is older than the
// policy wants; invalid_client where there is none; and invalid_client_attestation else. It is nil where err is no refusal.
// The answer to use_attestation_challenge has a challenge, see [Verifier.SetChallenge].
func Error(err error) *oauth.Error {
	refused, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		return nil
	}
	t, _ := errors.AsType[*tokenError](err)
	answer := &oauth.Error{Code: oauth.InvalidClientAttestation, Description: "refused: " + profile.Told(refused), Cause: err}
	switch {
	case refused.Only("challenge.missing", "challenge.mismatch"):
		answer.Code = oauth.UseAttestationChallenge
	case t != nil && t.token == theAttestation && refused.Only("exp.expired", "iat.too_old"):
		answer.Code = oauth.UseFreshAttestation
	case refused.Codes()[0] == "attestation.missing":
		answer.Code = oauth.InvalidClient
	}
	return answer
}
