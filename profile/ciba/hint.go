package ciba

import (
	"context"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
)

// HintClaims are those that a login_hint_token has beside the registered ones.
type HintClaims struct {
	SubjectID *subjectid.Identifier `json:"sub_id,omitempty"` // whom to authenticate (RFC 9493)

	hintForeign
}

// hintForeign is what other kinds have.
type hintForeign struct {
	profile.Foreign
	Nonce    profile.Present `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present `json:"at_hash,omitempty"`   // the same
	Scope    profile.Present `json:"scope,omitempty"`     // access tokens, requests
	ClientID profile.Present `json:"client_id,omitempty"` // the same
}

// HintPolicy says whose hints for which provider a [HintVerifier] accepts. CIBA leaves it to a deployment who makes hints and what they
// have beside sub_id; here they have iss, aud and exp unless it is said otherwise. The zero HintPolicy is refused.
type HintPolicy struct {
	// Issuers are those that make hints: the client itself, or a third party.
	Issuers []string
	// AnyIssuer accepts any iss, and none. Only for keys of a single issuer.
	AnyIssuer bool
	// Issuer is the provider's issuer identifier, which has to be in aud.
	Issuer string
	// AnyAudience accepts any aud, and none, though the hint may be meant for another provider.
	AnyAudience bool
	// Formats are those of subject identifiers that the two sides have agreed on, beside the ones of package subjectid.
	Formats []string
	// LegacySubjectIDs accepts the forms of drafts before RFC 9493, such as phone, and returns them as they are written today.
	LegacySubjectIDs bool

	// JWT is the rest of the policy: Algorithms, OptionalExpiry for hints without exp, Leeway, Clock, Decryption, Replay, limits.
	// Issuers, audiences and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// HintVerifier verifies login_hint_tokens. It is immutable and safe for concurrent use.
type HintVerifier struct {
	jwt     *jwt.Verifier[HintClaims]
	formats []string
	legacy  bool
}

// NewHintVerifier makes a HintVerifier of p and of the keys of those that make hints. It refuses an incomplete policy with
// jwt.ErrPolicy.
func NewHintVerifier(keys jwk.Source, p HintPolicy) (*HintVerifier, error) {
	if (p.Issuer == "") == !p.AnyAudience {
		return nil, profile.Incomplete("name the Issuer, which is the audience, or set AnyAudience")
	}
	own := jwt.Policy{Issuers: p.Issuers, AnyIssuer: p.AnyIssuer, AnyAudience: p.AnyAudience}
	if !p.AnyAudience {
		own.Audiences = []string{p.Issuer}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[HintClaims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &HintVerifier{v, slices.Clone(p.Formats), p.LegacySubjectIDs}, nil
}

// Verify verifies one hint and returns what it says. The refusal of a token is a *jwt.RejectError; for one that has only expired the
// answer to the client is expired_login_hint_token (Section 13).
func (v *HintVerifier) Verify(ctx context.Context, raw string) (*jwt.Token[HintClaims], error) {
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[HintClaims], _ time.Time) []*jwt.ClaimError {
		if id := t.Claims.SubjectID; v.legacy && id != nil {
			if modern, err := id.Legacy(v.formats...); err == nil {
				*id = modern
			}
		}
		return hintRules(&t.Claims, v.formats)
	})
}

// hintRules are those that hold for every hint.
func hintRules(o *HintClaims, formats []string) (r profile.Refusals) {
	if o.SubjectID == nil {
		r.RefuseMissing("sub_id", "RFC 9493, Section 4.1")
	} else if err := o.SubjectID.Check(formats...); err != nil {
		r.Refuse(fault.CodeOf(err), "sub_id", "", "a subject identifier of a format that is known", "RFC 9493, Section 3")
	}
	if o.hintForeign != (hintForeign{}) {
		r.RefuseForeign(o.hintForeign)
	}
	return r
}

// SignHint makes a login_hint_token: of the registered claims it has Expiry, and should have Issuer and Audience. Formats are those of
// HintPolicy. It refuses a hint that a [HintVerifier] with them would refuse whatever else its policy is.
func SignHint(ctx context.Context, key jwk.Signer, r jwt.Registered, c HintClaims, formats ...string) (string, error) {
	if err := hintRules(&c, formats).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c)
}
