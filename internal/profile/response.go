package profile

import (
	"errors"
	"mime"
	"slices"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

// RefuseUntrusted refuses an aud with anyone beside trusted: whoever is in it can present the token elsewhere.
func (r *Refusals) RefuseUntrusted(c *jwt.Registered, trusted []string) {
	if i := slices.IndexFunc(c.Audience, func(a string) bool { return !slices.Contains(trusted, a) }); i >= 0 {
		r.Refuse("aud.untrusted", "aud", c.Audience[i], "no audience but ClientID and TrustedAudiences", "OpenID Connect Core 1.0, Section 3.1.3.7")
	}
}

// RefuseAmbiguous refuses several audiences where the key is a client_secret: whose is not said.
func (r *Refusals) RefuseAmbiguous(c *jwt.Registered, alg jwa.Algorithm) {
	if alg.Symmetric() && len(c.Audience) > 1 {
		// OpenID Connect Core 1.0, Section 3.1.3.7, rule 8.
		r.Refuse("aud.ambiguous", "aud", strings.Join(c.Audience, " "), "one audience, whose secret is the key", "OpenID Connect Core 1.0, Section 3.1.3.7")
	}
}

// RefuseUnbound refuses a confirmation that nobody can hold a proof to: the token would pass for one that is not bound.
func (r *Refusals) RefuseUnbound(c *pop.Confirmation) {
	if c != nil && c.Check() != nil {
		r.Refuse("cnf.invalid", "cnf", "", "a public key, or the name or thumbprint of one", "RFC 7800, Section 3")
	}
}

// RefuseMedia refuses a response of another media type than want, without regard to case and parameters.
func (r *Refusals) RefuseMedia(contentType, want, spec string) {
	if got, _, err := mime.ParseMediaType(contentType); err != nil || !strings.EqualFold(got, want) {
		r.Refuse("content_type.mismatch", "Content-Type", contentType, want, spec)
	}
}

// RefuseUnreadable refuses a body that is not what is due, with the code of what is wrong with it.
func (r *Refusals) RefuseUnreadable(err error) {
	var e interface {
		Code() string
		Spec() string
	}
	if errors.As(err, &e) {
		r.Refuse(e.Code(), "", "", "a body that can be read", e.Spec())
	}
}

// MaxSize is how long a body may be, in bytes, where it takes the place of a token.
func MaxSize(p jwt.Policy) int {
	if p.MaxSize > 0 {
		return p.MaxSize
	}
	return 64 << 10 // as in package jwt
}
