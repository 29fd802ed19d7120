// Package grant makes and verifies JWTs that are authorization grants: an authorization server gives an access token
// for one that an issuer it trusts has signed (RFC 7523, Sections 2.1 and 3; RFC 7521; RFC 10070, Section 4). The
// issuer is an identity provider, the platform that a workload runs on, or another authorization server.
//
// An authorization server makes one [Verifier] for all issuers, whose keys a keyset.Trust keeps apart, and says
// whose access each of them may grant:
//
//	v, err := grant.NewVerifier(&trust, grant.Policy{Issuer: "https://as.example", AnyIssuer: true, Subjects: may, Replay: jwt.NewReplayCache(1e6)})
//	req, err := grant.ParseRequest(r.PostForm)
//	t, err := v.Verify(ctx, req.Assertion)
//
// t.Subject, in the name space of t.Issuer, is whose access is granted. What refuses the token is answered with
// invalid_grant (RFC 7523, Section 3.1). An issuer makes grants with [Sign].
//
// # Told apart by
//
// The typ authorization-grant+jwt, which no RFC asks for but draft-ietf-wimse-workload-identity-practices; or none or
// JWT, as nearly everyone writes. Then the grant has no claim by which another kind is known (kind.mismatch), and its
// iss is not its sub: such a token could be meant as a client assertion, see [Policy.SelfIssued]. An ID token that has
// no nonce and is for the same audience has nothing that tells it from a grant; [Policy.TypedOnly] does.
//
// # Codes
//
// Beside those of package jwt: aud.not_sole, sub.untrusted, kind.mismatch. They are stable.
package grant

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Type is the typ that [Sign] writes (draft-ietf-wimse-workload-identity-practices, Section 5.2).
const Type = "authorization-grant+jwt"

// Claims are those that a grant has beside the registered ones: none that RFC 7523 names. What else an issuer tells is
// reached with the Claim method of the token.
type Claims struct {
	// Scope is what some write into the grant and not into the request. In a token without the typ it
	// is an access token's claim, and refused, unless Policy.LegacyScope says otherwise.
	Scope string `json:"scope,omitempty"`

	foreign
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	Nonce    profile.Present `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present `json:"at_hash,omitempty"`   // the same
	CHash    profile.Present `json:"c_hash,omitempty"`    // the same
	ClientID profile.Present `json:"client_id,omitempty"` // access tokens
	SCP      profile.Present `json:"scp,omitempty"`       // the same, of Entra ID and Okta
	TokenUse profile.Present `json:"token_use,omitempty"` // both, of Cognito
	Typ      profile.Present `json:"typ,omitempty"`       // both, of Keycloak
}

// Policy says whose grants for which server a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the authorization server's own issuer identifier (RFC 8414), by which a grant names it in aud.
	Issuer string
	// Audiences are its other names: the URL of its token endpoint, which RFC 10070, Section 4, allows in grants as it
	// does not in client assertions, or what was agreed on.
	Audiences []string
	// TrustedAudiences are what may be in aud beside the server. Each of them can present here what it is given there.
	TrustedAudiences []string

	// Issuers are whose grants are accepted: iss, compared exactly. The keys of several need a source that finds them
	// by issuer, such as a keyset.Trust.
	Issuers []string
	// AnyIssuer accepts those of every issuer that the source of keys knows.
	AnyIssuer bool
	// Subjects reports whether an issuer may grant the access of a subject. It is called concurrently.
	Subjects func(issuer, subject string) bool
	// AnySubject lets each issuer speak for all of its subjects, and the caller map them to accounts by both names.
	AnySubject bool

	// TypedOnly refuses grants without the typ.
	TypedOnly bool
	// SelfIssued accepts a grant without the typ whose iss is its sub, by which a party grants its own access (RFC 7521,
	// Section 3). Nothing tells one from a client assertion of the same party, which whoever saw one could
	// then present as a grant.
	SelfIssued bool
	// LegacyScope accepts a grant without the typ that has the claim scope, as golang.org/x/oauth2/jwt makes them.
	LegacyScope bool
	// LegacyBitbucket accepts the tokens of Bitbucket Cloud's Connect apps instead, with [BitbucketGrantType]: without
	// typ, aud and jti, signed with a secret that is looked up by sub, the client key of the installation; iss is the
	// key of the app. A qsh is not looked at: package atlassian holds it to the request.
	LegacyBitbucket bool

	// MaxLifetime is the longest time until exp. Zero is an hour.
	MaxLifetime time.Duration
	// Replay remembers the grants that were used: each is good once, and has a jti.
	Replay jwt.Replay
	// Reusable accepts a grant as often as it comes until exp, and without jti, as RFC 7523, Section 3, rule 7, leaves
	// open. LegacyBitbucket implies it.
	Reusable bool

	// JWT is the rest of the policy: Algorithms, Leeway, Clock, Decryption, limits. Issuers, audiences, types, Replay and
	// Selector stay empty there: they are decided here.
	JWT jwt.Policy
}

// Verifier verifies grants. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt       *jwt.Verifier[Claims]
	policy    Policy
	audiences []string // of the server
	allowed   []string // and those beside it
	leeway    time.Duration
}

// NewVerifier makes a Verifier of p and of the keys of the issuers. It refuses an incomplete policy with
// jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	_, set := keys.(jwk.Set)
	switch {
	case p.Issuer == "":
		return nil, profile.Incomplete("name the Issuer")
	case (p.Subjects == nil) == !p.AnySubject:
		return nil, profile.Incomplete("say which Subjects, or set AnySubject")
	case (p.Replay == nil) == !(p.Reusable || p.LegacyBitbucket):
		return nil, profile.Incomplete("give a Replay, or set Reusable; LegacyBitbucket has no jti to remember")
	case p.JWT.Replay != nil || p.JWT.Selector != "":
		return nil, profile.Incomplete("JWT.Replay and JWT.Selector are decided by the profile")
	case p.TypedOnly && (p.SelfIssued || p.LegacyScope || p.LegacyBitbucket):
		return nil, profile.Incomplete("TypedOnly refuses what SelfIssued, LegacyScope and LegacyBitbucket accept")
	case set && (p.AnyIssuer || len(p.Issuers) > 1 || p.LegacyBitbucket):
		return nil, profile.Incomplete("several issuers, and LegacyBitbucket, need a source that finds keys by name, which a jwk.Set does not")
	case p.MaxLifetime < 0:
		return nil, profile.Incomplete("MaxLifetime is negative")
	}
	own := jwt.Policy{
		Issuers: p.Issuers, AnyIssuer: p.AnyIssuer,
		Audiences: append([]string{p.Issuer}, p.Audiences...),
		Type:      Type, Types: []string{"JWT"}, Replay: p.Replay,
	}
	v := &Verifier{
		policy: p, audiences: own.Audiences, allowed: slices.Concat(own.Audiences, p.TrustedAudiences),
	}
	if p.TypedOnly {
		own.Types = nil
	}
	if !set {
		p.JWT.Selector = "iss"
	}
	if p.LegacyBitbucket {
		p.JWT.Selector = "sub"
		own.Type, own.Types = "", nil
		own.Audiences, own.AnyAudience = nil, true // check looks at aud
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v.jwt, err = jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	if p.MaxLifetime == 0 {
		v.policy.MaxLifetime = time.Hour
	}
	v.leeway = profile.Leeway(policy)
	return v, nil
}

// Verify verifies one grant and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string) (*jwt.Token[Claims], error) {
	return v.jwt.VerifyWith(ctx, raw, v.check)
}

// rules are those of the specifications that hold for every grant.
func rules(c *jwt.Registered) (r profile.Refusals) {
	r.Require(c, "RFC 7523, Section 3", "iss", "sub", "aud", "exp")
	return r
}

// check holds a grant to the rules and to the policy.
func (v *Verifier) check(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
	c, p := &t.Registered, &v.policy
	var r profile.Refusals
	if p.LegacyBitbucket {
		r.Require(c, "Bitbucket Cloud, Understanding JWT for apps", "iss", "sub", "exp", "iat")
		if !slices.ContainsFunc(c.Audience, func(a string) bool { return slices.Contains(v.audiences, a) }) && !profile.Unaddressed(t) {
			r.Refuse("aud.mismatch", "aud", strings.Join(c.Audience, " "), "the server, or no audience", "RFC 7519, Section 4.1.3")
		}
		t.Claims.QueryHash = false // which is theirs
	} else {
		r = rules(c)
	}
	// RFC 7523, Section 3, rule 3, as RFC 10070, Section 4, replaces it: the server is the intended audience. A grant
	// that others got too is one that they can present here (RFC 7521, Section 8.1).
	r.RefuseOthers(c, v.allowed, "RFC 10070, Section 4")
	// RFC 7523, Section 3, rule 4: an exp that is unreasonably far away may be refused.
	r.RefuseDistant(c, now, p.MaxLifetime, v.leeway, "RFC 7523, Section 3")
	// RFC 7523, Section 3, rule 2.A: who may grant whose access is a matter of trust in the issuer.
	if p.Subjects != nil && !p.Subjects(c.Issuer, c.Subject) {
		r.Refuse("sub.untrusted", "sub", c.Subject, "a subject whose access this issuer may grant", "RFC 7523, Section 3")
	}
	if profile.Plain(t.Header().Type) {
		v.plain(&r, t)
	}
	return r
}

// plain refuses what could be a token of another kind (RFC 8725, Section 3.12).
func (v *Verifier) plain(r *profile.Refusals, t *jwt.Token[Claims]) {
	if t.Issuer == t.Subject && !v.policy.SelfIssued {
		r.Refuse("kind.mismatch", "sub", t.Subject, "a subject that is not the issuer, as it is in a client assertion", "RFC 8725, Section 3.12")
	}
	if t.Claims.Scope != "" && !v.policy.LegacyScope {
		r.Refuse("kind.mismatch", "scope", t.Claims.Scope, "no such claim in a token of this kind", "RFC 8725, Section 3.12")
	}
	if t.Claims.foreign != (foreign{}) {
		r.RefuseForeign(t.Claims.foreign)
	}
}

// Sign makes a grant. It refuses one that a [Verifier] would refuse whatever its policy is: r has Issuer, Subject,
// Audience and Expiry. Most servers want an ID as well, which is used once.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}
