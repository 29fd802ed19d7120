package jwt

import (
	"context"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/jose/jwa"
)

// NoLeeway as [Policy.Leeway] asks for exact times.
const NoLeeway time.Duration = -1

const (
	defaultLeeway = 60 * time.Second
	maxLeeway     = 10 * time.Minute
)

// Policy says which tokens a [Verifier] accepts. The zero Policy is refused: issuer
// and audience must be named, or waived by name (RFC 8725, Sections 3.8 and 3.9).
// NewVerifier copies it, so later changes have no effect.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly.
	Issuers []string
	// AnyIssuer accepts any iss, and none. Only for keys of a single issuer.
	AnyIssuer bool
	// Audiences are the names that you answer to: one of them must be in aud, compared exactly.
	Audiences []string
	// AnyAudience accepts any aud, and none, though the token may be meant for someone else.
	AnyAudience bool

	// Type is the typ that a token must have, without regard to case or a leading
	// "application/" (RFC 8725, Section 3.11). Empty accepts only plain tokens:
	// those without a typ and those with "JWT".
	Type string
	// Types are other values of typ that are accepted beside Type, for kinds that had none
	// when their senders were written: "JWT" accepts plain tokens. They make it the caller's task to
	// tell the kinds apart by their claims (RFC 8725, Section 3.12); see [Verifier.VerifyWith].
	Types []string
	// Algorithms narrows the algorithms of the keys. Empty accepts those of all keys.
	Algorithms []jwa.Algorithm
	// Required names claims, registered or not, that must be present and neither null nor,
	// if registered, empty.
	Required []string

	// OptionalExpiry accepts a token without exp; one that is present is enforced.
	OptionalExpiry bool
	// IgnoreExpiry accepts a token whether or not it has expired.
	IgnoreExpiry bool
	// AllowFutureIssuedAt accepts an iat that is further ahead than Leeway.
	AllowFutureIssuedAt bool
	// MaxAge is the longest time since iat, which then must be present. Zero is no limit.
	MaxAge time.Duration
	// MaxLifetime is the longest time between iat (nbf, if there is no iat) and exp; the
	// token must have both, even with OptionalExpiry. Zero is no limit.
	MaxLifetime time.Duration
	// Leeway is how far clocks may differ, at most 10 minutes. Zero means 60 seconds; see [NoLeeway].
	Leeway time.Duration
	// Clock is the time now; nil means time.Now. It is called concurrently.
	Clock func() time.Time

	// MaxSize is the longest token in bytes. Zero means 64 KiB.
	MaxSize int
	// MaxDepth is the deepest nesting of the claims. Zero means 32; at most 10,000.
	MaxDepth int
	// MaxMembers is the number of members and elements in the claims, at all levels. Zero means 4,000.
	MaxMembers int
	// Critical names the extensions in crit that the caller understands and enforces on [Token.Header].
	Critical []string

	// Decryption, if not nil, asks for nested tokens: signed, then encrypted. A token that is
	// only signed is refused then (token.signed), as an encrypted one is without (token.encrypted).
	Decryption *Decryption

	// Replay, if not nil, lets each token be used once. It needs jti in every token
	// and a time after which the token is dead: exp, or MaxAge.
	Replay Replay
	// Selector is "iss", "sub" or "client_id" where the source of keys chooses by that
	// claim (RFC 7523 assertions, for example). It is the one thing that is read before the signature
	// has verified: it goes into jwk.Query, nowhere else, and is compared again afterwards.
	// A token without it is refused. The source must look it up in a closed map.
	Selector string
	// CacheSize, if not zero, keeps about so many verified tokens, so that a second
	// presentation costs a look-up instead of a signature. Times, replay and all else of the policy
	// are checked each time, and the claims are decoded afresh. A source that is
	// not a jwk.Set is asked again each time whether it still offers the key.
	// Tokens over 16 KiB are not kept, nor encrypted ones with a header over 1 KiB, so the
	// cache holds at most CacheSize × 29 KiB; with usual tokens under 2 KiB each.
	// What was decrypted stays in memory with them.
	CacheSize int
}

// Replay remembers the identifiers of tokens that were used. It is asked last, only
// about a token that passed everything else, and is safe for concurrent use.
//
// The identifier is issuer and jti, never a hash of the token: an ECDSA signature has a
// twin that verifies as well.
type Replay interface {
	// Seen reports whether id of issuer was used before, and records it for ttl, in one
	// step. An error refuses the token too.
	Seen(ctx context.Context, issuer, id string, ttl time.Duration) (bool, error)
}

// normalize checks p, fills in the defaults, and copies what the caller could change.
func (p Policy) normalize() (Policy, error) {
	bad := func(detail string) (Policy, error) { return Policy{}, errPolicy.With(detail) }
	switch {
	case len(p.Issuers) == 0 && !p.AnyIssuer:
		return bad("name Issuers, or set AnyIssuer")
	case len(p.Issuers) > 0 && p.AnyIssuer:
		return bad("Issuers and AnyIssuer exclude each other")
	case len(p.Audiences) == 0 && !p.AnyAudience:
		return bad("name Audiences, or set AnyAudience")
	case len(p.Audiences) > 0 && p.AnyAudience:
		return bad("Audiences and AnyAudience exclude each other")
	case slices.Contains(p.Issuers, ""), slices.Contains(p.Audiences, ""), slices.Contains(p.Required, ""), slices.Contains(p.Critical, ""), slices.Contains(p.Types, ""):
		return bad("an empty name")
	case slices.Contains(p.Algorithms, jwa.Algorithm{}):
		return bad("the zero algorithm in Algorithms")
	// RFC 7797, Section 7: a JWT has an encoded payload.
	case slices.Contains(p.Critical, "b64"):
		return bad("b64 in Critical")
	case p.Leeway > maxLeeway || p.Leeway < 0 && p.Leeway != NoLeeway:
		return bad("Leeway is negative or over 10 minutes")
	case p.MaxAge < 0 || p.MaxLifetime < 0:
		return bad("MaxAge or MaxLifetime is negative")
	case p.MaxSize < 0 || p.MaxDepth < 0 || p.MaxMembers < 0 || p.CacheSize < 0:
		return bad("a negative limit")
	case p.MaxDepth > 10_000:
		return bad("MaxDepth is over 10,000")
	case p.Selector != "" && p.Selector != "iss" && p.Selector != "sub" && p.Selector != "client_id":
		return bad(`Selector is not "iss", "sub" or "client_id"`)
	case p.Replay != nil && (p.OptionalExpiry || p.IgnoreExpiry) && p.MaxAge == 0:
		return bad("Replay would have to remember for ever: set MaxAge, or ask for exp")
	}
	if p.Decryption != nil {
		d, err := p.Decryption.normalize()
		if err != nil {
			return Policy{}, err
		}
		p.Decryption = d
	}
	p.Issuers = slices.Clone(p.Issuers)
	p.Audiences = slices.Clone(p.Audiences)
	p.Types = slices.Clone(p.Types)
	p.Algorithms = slices.Clone(p.Algorithms)
	p.Required = slices.Clone(p.Required)
	p.Critical = slices.Clone(p.Critical)
	switch p.Leeway {
	case 0:
		p.Leeway = defaultLeeway
	case NoLeeway:
		p.Leeway = 0
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.MaxSize == 0 {
		p.MaxSize = compact.MaxSize
	}
	return p, nil
}
