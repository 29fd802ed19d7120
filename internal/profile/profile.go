// Package profile has what the packages under profile share. Each of them is a
// jwt.Verifier with a policy that its specification completes ([Merge]), and rules on the claims
// that stand beside that policy's in one refusal ([Refusals]).
//
// How a kind is told from the others (RFC 8725, Section 3.12): by the one typ that its verifier
// accepts, and so no other registered typ passes; where plain tokens are accepted too, by
// claims that another kind has and this one has not ([Foreign]).
package profile

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// AnyIssuer sets own to accept every issuer that keys knows, by its own keys: the source is told iss. It refuses a source that
// does not keep the keys of issuers apart.
func AnyIssuer(keys jwk.Source, base, own *jwt.Policy) error {
	if _, set := keys.(jwk.Set); set {
		return Incomplete("AnyIssuer needs a source that finds keys by issuer, such as a keyset.Trust; a jwk.Set does not")
	}
	if base.Selector != "" && base.Selector != "iss" {
		return Incomplete("JWT.Selector is iss with AnyIssuer")
	}
	base.Selector, own.AnyIssuer = "iss", true
	return nil
}

// Merge completes the policy that a caller gives a profile for what is no concern of
// its specification with own, the policy of the specification. It refuses a base that decides what own decides.
func Merge(base, own jwt.Policy) (jwt.Policy, error) {
	switch {
	case len(base.Issuers) > 0 || base.AnyIssuer:
		return base, Incomplete("JWT.Issuers and JWT.AnyIssuer are decided by the profile")
	case len(base.Audiences) > 0 || base.AnyAudience:
		return base, Incomplete("JWT.Audiences and JWT.AnyAudience are decided by the profile")
	case base.Type != "" || len(base.Types) > 0:
		return base, Incomplete("JWT.Type and JWT.Types are decided by the profile")
	case base.Replay != nil && own.Replay != nil:
		return base, Incomplete("JWT.Replay is decided by the profile")
	}
	base.Issuers, base.AnyIssuer = own.Issuers, own.AnyIssuer
	base.Audiences, base.AnyAudience = own.Audiences, own.AnyAudience
	base.Type, base.Types = own.Type, own.Types
	base.OptionalExpiry = base.OptionalExpiry || own.OptionalExpiry
	if own.Replay != nil {
		base.Replay = own.Replay
	}
	if base.Leeway == 0 {
		base.Leeway = 60 * time.Second // as in package jwt; said here so that both parts of a profile have the same
	}
	return base, nil
}

// Leeway is the leeway of a merged policy, as a profile's own rules on times need it.
func Leeway(p jwt.Policy) time.Duration { return max(p.Leeway, 0) }

// Incomplete is the refusal of a policy, or of what is expected of one token: an
// error of the program, and not of any token.
func Incomplete(detail string) error { return jwt.ErrPolicy.(*fault.Error).With(detail) }

// types are the values of typ that name a kind of token.
var types = []string{
	"at+jwt",                             // RFC 9068, Section 2.1
	"authorization-grant+jwt",            // draft-ietf-wimse-workload-identity-practices, Section 5.2
	"client-authentication+jwt",          // RFC 10070, Section 4
	"dc+sd-jwt",                          // draft-ietf-oauth-sd-jwt-vc
	"dpop+jwt",                           // RFC 9449, Section 4.2
	"entity-statement+jwt",               // OpenID Federation 1.0, Section 3
	"explicit-registration-response+jwt", // OpenID Federation 1.0
	"jwk-set+jwt",                        // OpenID Federation 1.0
	"kb+jwt",                             // RFC 9901, Section 4.3
	"logout+jwt",                         // OpenID Connect Back-Channel Logout 1.0, Section 2.4
	"oauth-authz-req+jwt",                // RFC 9101, Section 10.8
	"oauth-client-attestation+jwt",       // draft-ietf-oauth-attestation-based-client-auth
	"oauth-client-attestation-pop+jwt",   // the same
	"openid4vci-proof+jwt",               // OpenID4VCI 1.0, Appendix F.1
	"resolve-response+jwt",               // OpenID Federation 1.0
	"secevent+jwt",                       // RFC 8417, Section 2.3
	"statuslist+jwt",                     // draft-ietf-oauth-status-list
	"token-introspection+jwt",            // RFC 9701, Section 5
	"trust-mark+jwt",                     // OpenID Federation 1.0, Section 7
	"trust-mark-delegation+jwt",          // OpenID Federation 1.0
	"trust-mark-status-response+jwt",     // OpenID Federation 1.0
	"vc+sd-jwt",                          // older drafts of SD-JWT VC
}

// Types returns the values of typ that name a kind of token.
func Types() []string { return slices.Clone(types) }

// Registered reports whether typ names a kind of token.
func Registered(typ string) bool {
	return slices.ContainsFunc(types, func(t string) bool { return compact.SameType(t, typ) })
}

// Plain reports whether typ is that of a token without a type of its own.
func Plain(typ string) bool { return typ == "" || compact.SameType(typ, "JWT") }

// Refusals collects what the rules of a profile refuse.
type Refusals []*jwt.ClaimError

// Refuse refuses a claim.
func (r *Refusals) Refuse(code, claim, got, want, spec string) {
	*r = append(*r, &jwt.ClaimError{Claim: claim, Code: code, Got: got, Want: want, Spec: spec})
}

// Told is why a token is refused, for whoever has sent it: the codes, and a sentence for each that says nothing of the policy but what the
// specification of the kind does.
func Told(e *jwt.RejectError) string {
	all := e.Unwrap()
	words := make([]string, len(all))
	for i, err := range all {
		words[i] = fault.CodeOf(err)
		if s := fault.Sentence(err); s != "" {
			words[i] += " (" + s + ")"
		}
	}
	return strings.Join(words, ", ")
}

// Require refuses the registered claims of names that are absent, with the codes of package jwt.
func (r *Refusals) Require(c *jwt.Registered, spec string, names ...string) {
	for _, name := range names {
		switch {
		case name == "iss" && c.Issuer == "", name == "aud" && len(c.Audience) == 0, name == "exp" && c.Expiry.IsZero(),
			name == "iat" && c.IssuedAt.IsZero(), name == "jti" && c.ID == "":
			r.Refuse(name+".missing", name, "", "the claim", spec)
		case name == "sub" && c.Subject == "":
			r.RefuseMissing("sub", spec)
		}
	}
}

// RefuseMissing refuses a claim of the profile that is absent.
func (r *Refusals) RefuseMissing(name, spec string) {
	r.Refuse("claim.missing", name, "", "the claim", spec)
}

// RefuseDistant refuses an exp that is more than most away, and until when there would be no end of remembering.
func (r *Refusals) RefuseDistant(c *jwt.Registered, now time.Time, most, leeway time.Duration, spec string) {
	if c.Expiry.Sub(now) > most+leeway {
		r.Refuse("exp.lifetime", "exp", c.Expiry.UTC().Format(time.RFC3339), "at most "+most.String()+" from now", spec)
	}
}

// RefuseOthers refuses an aud with anyone beside names: whoever is in it could play the token back to the others.
func (r *Refusals) RefuseOthers(c *jwt.Registered, names []string, spec string) {
	if i := slices.IndexFunc(c.Audience, func(a string) bool { return !slices.Contains(names, a) }); i >= 0 {
		r.Refuse("aud.not_sole", "aud", c.Audience[i], "no other server beside this one", spec)
	}
}

// Err returns all refusals as one error, for Sign; nil where there is none.
func (r Refusals) Err() error {
	errs := make([]error, len(r))
	for i, e := range r {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// Unaddressed reports whether a token has no aud at all: an empty one is there, and names nobody, so that it is for
// nobody (RFC 7519, Section 4.1.3).
func Unaddressed[C any](t *jwt.Token[C]) bool {
	there, _ := t.Claim("aud", new(jwt.Audience)) // which has been read before
	return !there
}

// Present is a claim that is noticed and not read.
type Present bool

// UnmarshalJSON notices the claim.
func (p *Present) UnmarshalJSON([]byte) error {
	*p = true
	return nil
}

// PresentUnlessID notices a claim by which an issuer names the kind of its tokens, unless it
// names an ID token: token_use of Cognito, typ of Keycloak.
type PresentUnlessID bool

// UnmarshalJSON notices the claim.
func (p *PresentUnlessID) UnmarshalJSON(data []byte) error {
	*p = string(data) != `"id"` && string(data) != `"ID"`
	return nil
}

// IDMarker notices such a claim that does name an ID token.
type IDMarker bool

// UnmarshalJSON notices the claim.
func (p *IDMarker) UnmarshalJSON(data []byte) error {
	var not PresentUnlessID
	_ = not.UnmarshalJSON(data)
	*p = IDMarker(!not)
	return nil
}

// Foreign are claims by which a kind of token is known. A profile that accepts plain tokens
// embeds it in its Claims, through a type of its own that is not exported and may name more. A
// claim that the profile's Claims names themselves is its own and not foreign: the decoder
// follows Go, where the field nearest to the surface counts.
type Foreign struct {
	Events             Present `json:"events,omitempty"`              // security events, logout tokens
	TokenIntrospection Present `json:"token_introspection,omitempty"` // introspection responses
	HTM                Present `json:"htm,omitempty"`                 // DPoP proofs
	SDHash             Present `json:"sd_hash,omitempty"`             // key binding
	SD                 Present `json:"_sd,omitempty"`                 // SD-JWT without its disclosures
	SDAlg              Present `json:"_sd_alg,omitempty"`             // the same
	VCT                Present `json:"vct,omitempty"`                 // SD-JWT VC
	StatusList         Present `json:"status_list,omitempty"`         // status lists
	JWKS               Present `json:"jwks,omitempty"`                // entity statements
	ResponseType       Present `json:"response_type,omitempty"`       // request objects
	RedirectURI        Present `json:"redirect_uri,omitempty"`        // the same
	LoginHint          Present `json:"login_hint,omitempty"`          // requests, of CIBA foremost
	LoginHintToken     Present `json:"login_hint_token,omitempty"`    // CIBA requests
	IDTokenHint        Present `json:"id_token_hint,omitempty"`       // the same
	SubjectID          Present `json:"sub_id,omitempty"`              // login hint tokens
	QueryHash          Present `json:"qsh,omitempty"`                 // requests of Atlassian's kind
}

// RefuseForeign refuses each claim that foreign, a struct of [Present] fields, has noticed.
func (r *Refusals) RefuseForeign(foreign any) { r.refuseForeign(reflect.ValueOf(foreign)) }

func (r *Refusals) refuseForeign(v reflect.Value) {
	for field, value := range v.Fields() {
		switch {
		case field.Anonymous:
			r.refuseForeign(value)
		case value.Bool():
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			r.Refuse("kind.mismatch", name, "", "no such claim in a token of this kind", "RFC 8725, Section 3.12")
		}
	}
}

// HalfHash is the left half of value's hash in base64url, by the hash of alg, as at_hash,
// c_hash and s_hash have it (OpenID Connect Core 1.0, Section 3.1.3.6). It reports false for an
// algorithm for which no hash is agreed on.
func HalfHash(alg jwa.Algorithm, value string) (string, bool) {
	switch h := alg.Hash(); {
	case h == crypto.SHA256:
		sum := sha256.Sum256([]byte(value))
		return b64url.EncodeToString(sum[:16]), true
	case h == crypto.SHA384:
		sum := sha512.Sum384([]byte(value))
		return b64url.EncodeToString(sum[:24]), true
	// The name says nothing of a hash for Ed25519; SHA-512 is the one inside, and what is sent.
	case h == crypto.SHA512, alg.Is(jwa.Ed25519):
		sum := sha512.Sum512([]byte(value))
		return b64url.EncodeToString(sum[:32]), true
	}
	return "", false
}
