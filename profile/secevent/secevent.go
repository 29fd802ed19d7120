// Package secevent makes and verifies security event tokens, by which one party tells another that something
// has happened to a user, a session or a device both of them know (RFC 8417; OpenID Shared Signals
// Framework 1.0, SSF). What happened is an [Event]: packages caep and risc have those of OpenID.
//
// A receiver makes one [Verifier] for each transmitter, and asks what it understands:
//
//	v, err := secevent.NewVerifier(keys, secevent.Policy{Issuers: []string{"https://idp.example"}, Audiences: []string{"https://sp.example"}})
//	t, err := v.Verify(ctx, raw)
//	revoked, err := secevent.Read[caep.SessionRevoked](&t.Claims)
//
// The subject is t.Claims.SubjectID. A transmitter makes tokens with [Sign]. Where tokens are pushed (RFC 8935) or
// polled for (RFC 8936), a [Receiver] answers for the receiver.
//
// A token says what was so when it was made and does not expire: Policy.JWT.MaxAge bounds how old it is, and
// Policy.JWT.Replay refuses one that was seen. Transmitters may deliver one twice, so a receiver that
// has acted on an issuer's jti does not act again.
//
// # Told apart by
//
// The typ secevent+jwt, and the claim events without the one event that makes a logout token; there is no sub and no exp,
// which ID tokens, access tokens and logout tokens have. With LegacyUntyped none or JWT is accepted too, and then no claim by
// which another kind is known (kind.mismatch).
//
// # Codes
//
// Beside those of package jwt: exp.forbidden, sub.forbidden, events.invalid, events.not_sole, events.too_many,
// sub_id.invalid, sub_id.unknown_format, kind.mismatch; of Read: events.invalid, events.absent. They are stable.
package secevent

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth/subjectid"
)

// Type is the typ of a security event token (RFC 8417, Section 2.3), and its media type without application/.
const Type = "secevent+jwt"

// most is how many events, which are names for one thing that has happened, a token has.
const most = 16

// logoutEvent is the event of logout tokens (OpenID Connect Back-Channel Logout 1.0, Section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Claims are what RFC 8417 and RFC 9493 define beside the registered claims.
type Claims struct {
	// Events are the payloads, JSON objects, by the URI of their type: one, where SSF is kept. A receiver that does not
	// know the type does not refuse the token for that. See [Read]; Sign adds the events that it is given.
	Events map[string]json.RawMessage `json:"events,omitempty"`
	// SubjectID says whom or what the events are about (RFC 9493, Section 4.1).
	SubjectID *subjectid.Identifier `json:"sub_id,omitempty"`
	// TransactionID is the same in all tokens that have the same cause (SSF 1.0, Section 4.1.9).
	TransactionID TransactionID `json:"txn,omitempty"`
	// Occurred is the time of the event, which may be approximate.
	Occurred time.Time `json:"toe,omitzero,format:unix"`

	foreign
}

// foreign is what other kinds have. Only LegacyUntyped looks at it.
type foreign struct {
	profile.Foreign
	Nonce    profile.Present `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present `json:"at_hash,omitempty"`   // the same
	Scope    profile.Present `json:"scope,omitempty"`     // access tokens
	ClientID profile.Present `json:"client_id,omitempty"` // the same, and request objects
}

// TransactionID is the claim txn, a string.
type TransactionID string

// numeric marks a txn that was written as a number, until the rules have seen it.
const numeric = "\x00"

// UnmarshalJSON reads a string. A number, which drafts of SSF had, is for the verifier to refuse or to accept.
func (id *TransactionID) UnmarshalJSON(data []byte) error {
	if data[0] != '"' {
		var number json.Number
		*id = numeric + TransactionID(data)
		return strictjson.Unmarshal(data, &number, strictjson.Limits{})
	}
	return strictjson.Unmarshal(slices.Clone(data), (*string)(id), strictjson.Limits{})
}

// Policy says whose tokens for whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly: that of the stream's configuration (SSF 1.0, Section
	// 4.1.6). Keys must be those of that transmitter.
	Issuers []string
	// Audiences are the names that the receiver has with the transmitter: one of them must be in aud.
	Audiences []string
	// Formats are formats of subject identifiers beside those of package subjectid, as agreed on with the transmitter
	// (SSF 1.0, Section 3.4).
	Formats []string

	// AnyProfile accepts tokens of other profiles of RFC 8417 than SSF: they may have several events, exp and sub, and
	// need no sub_id. What RFC 8417 says is held to.
	AnyProfile bool
	// LegacyUntyped accepts tokens without a typ and with JWT, as RFC 8417 does (Section 2.3) and SSF does not.
	LegacyUntyped bool
	// LegacyDrafts accepts what drafts of SSF and RFC 9493 had and some transmitters still send: a number for txn, the
	// subject identifiers of [subjectid.Identifier.Legacy], and the subject in the payload of the event, as the member
	// subject, where there is no sub_id. Claims has it in the form of today.
	LegacyDrafts bool

	// JWT is the rest of the policy: Algorithms, MaxAge, Replay, Leeway, Clock, Decryption, limits. Issuers, audiences
	// and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// Verifier verifies security event tokens. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt    *jwt.Verifier[Claims]
	rules  ruleset
	legacy bool
	replay bool
	size   int
}

// NewVerifier makes a Verifier of p and of the transmitter's keys. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	own := jwt.Policy{Issuers: p.Issuers, Audiences: p.Audiences, Type: Type, OptionalExpiry: true}
	if p.LegacyUntyped {
		own.Types = []string{"JWT"}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	rules := ruleset{anyProfile: p.AnyProfile, formats: slices.Clone(p.Formats)}
	return &Verifier{v, rules, p.LegacyDrafts, policy.Replay != nil, profile.MaxSize(policy)}, nil
}

// Verify verifies one security event token and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string) (*jwt.Token[Claims], error) {
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		if v.legacy {
			t.Claims.modernize()
		}
		return v.rules.refuse(&t.Registered, &t.Claims, profile.Plain(t.Header().Type))
	})
}

// modernize gives claims as drafts had them the form of today.
func (c *Claims) modernize() {
	if id, ok := cut(c.TransactionID); ok {
		c.TransactionID = id
	}
	if c.SubjectID == nil && len(c.Events) == 1 {
		for _, payload := range c.Events {
			var event struct {
				Subject *subjectid.Identifier `json:"subject"`
			}
			if strictjson.Unmarshal(slices.Clone(payload), &event, strictjson.Limits{}) == nil && event.Subject != nil {
				c.SubjectID = event.Subject
			}
		}
	}
	if c.SubjectID != nil {
		id, _ := c.SubjectID.Legacy() // the rules look at it again
		c.SubjectID = &id
	}
}

// cut takes the mark off a txn that was a number.
func cut(id TransactionID) (TransactionID, bool) {
	if len(id) == 0 || id[:1] != numeric {
		return id, false
	}
	return id[1:], true
}

// ruleset are the rules of the specifications, for those who verify and those who sign.
type ruleset struct {
	anyProfile bool     // not those of SSF
	formats    []string // of subject identifiers; nil is none
}

func (s *ruleset) refuse(c *jwt.Registered, o *Claims, plain bool) (r profile.Refusals) {
	r.Require(c, "RFC 8417, Section 2.2", "iss", "iat", "jti", "aud") // aud as every verifier asks for it
	if !s.anyProfile {
		if !c.Expiry.IsZero() {
			r.Refuse("exp.forbidden", "exp", "", "no such claim, so that it does not pass for another token", "Shared Signals Framework 1.0, Section 4.1.7")
		}
		if c.Subject != "" {
			r.Refuse("sub.forbidden", "sub", c.Subject, "no such claim but sub_id", "Shared Signals Framework 1.0, Section 4.1.2")
		}
		if len(o.Events) > 1 {
			r.Refuse("events.not_sole", "events", "", "one event", "Shared Signals Framework 1.0, Section 4.2.1")
		}
		if o.SubjectID == nil {
			r.RefuseMissing("sub_id", "Shared Signals Framework 1.0, Section 3.1")
		}
	}
	s.events(&r, o.Events)
	if o.SubjectID != nil {
		if err := o.SubjectID.Check(s.formats...); err != nil {
			r.Refuse(fault.CodeOf(err), "sub_id", o.SubjectID.Format, "a subject identifier of a known format, with its members and no others", "RFC 9493, Section 3")
		}
	}
	if _, number := cut(o.TransactionID); number {
		r.Refuse("json.type", "txn", "", "a string", "RFC 8417, Section 2.2")
	}
	if plain && o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// events holds the claim to RFC 8417: at least one member, named by URI, with an object.
func (s *ruleset) events(r *profile.Refusals, events map[string]json.RawMessage) {
	const spec = "RFC 8417, Section 2.2"
	switch {
	case len(events) == 0:
		r.RefuseMissing("events", spec)
	case len(events) > most:
		r.Refuse("events.too_many", "events", "", "at most 16", spec)
		return
	}
	for name, payload := range events {
		switch {
		case !isURI(name) || len(payload) == 0 || payload[0] != '{':
			r.Refuse("events.invalid", "events", name, "objects by the URI of their type", spec)
		case name == logoutEvent:
			r.Refuse("kind.mismatch", "events", name, "no event that makes it a logout token", "RFC 8725, Section 3.12")
		}
	}
}

// isURI reports whether s begins with a scheme and has only the characters of a URI (RFC 3986, Sections 2 and 3.1).
func isURI(s string) bool {
	scheme, _, ok := strings.Cut(s, ":")
	return ok && scheme != "" && !strings.ContainsFunc(scheme, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && !strings.ContainsRune("0123456789+-.", r)
	}) && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// Sign makes a security event token with the typ of the specification, with events added to those of c. It refuses one
// that a [Verifier] would refuse whatever its policy is, AnyProfile aside, and an event that does not conform to its
// definition. r has Issuer, Audience, IssuedAt and an ID that is used once; no Expiry and no Subject.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims, events ...Event) (string, error) {
	return sign(ctx, key, r, c, events, false)
}

// SignAnyProfile is Sign without the rules of SSF, for other profiles of RFC 8417: see [Policy.AnyProfile].
func SignAnyProfile(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims, events ...Event) (string, error) {
	return sign(ctx, key, r, c, events, true)
}

func sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims, events []Event, anyProfile bool) (string, error) {
	if err := c.add(events); err != nil {
		return "", err
	}
	s := ruleset{anyProfile: anyProfile}
	if c.SubjectID != nil {
		s.formats = formats(c.SubjectID) // agreed on with the receiver, where they are not known here
	}
	if err := s.refuse(&r, &c, false).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c, jwt.AllowMissingExpiry)
}

// formats are those of a subject identifier and of what is in it.
func formats(id *subjectid.Identifier) []string {
	out := []string{id.Format}
	for i := range id.Aliases {
		out = append(out, formats(&id.Aliases[i])...)
	}
	for _, p := range id.Parts {
		out = append(out, formats(&p)...)
	}
	return out
}
