// Package clientauth makes and verifies client assertions, by which a client authenticates to an
// authorization server: private_key_jwt and client_secret_jwt (RFC 7523, Sections 2.2 and 3, as RFC 10070 updates
// them; OpenID Connect Core 1.0, Section 9).
//
// An authorization server makes one [Verifier] for all its clients, with a source of keys that looks them up by
// client, and tells it for each request which client that names:
//
//	v, err := clientauth.NewVerifier(clients, clientauth.Policy{Issuer: "https://as.example", AnyClient: true, Replay: jwt.NewReplayCache(1e6)})
//	t, err := v.Verify(ctx, r.PostFormValue("client_assertion"), clientauth.Expect{ClientID: r.PostFormValue("client_id")})
//
// t.Subject is the client, and [Method] how it has authenticated. A client makes assertions with [Sign]. Its
// audience is the issuer identifier of the server as the client is configured with it, never one that
// another server told it.
//
// # Told apart by
//
// The typ client-authentication+jwt, or none or JWT, as clients wrote before RFC 10070; then the assertion
// has no claim by which another kind is known (kind.mismatch). Its iss and its sub are the same client, and
// its aud is the authorization server alone.
//
// # Codes
//
// Beside those of package jwt: sub.mismatch (iss and sub differ), client_id.mismatch, aud.not_sole,
// kind.mismatch. They are stable.
package clientauth

import (
	"context"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Type is the typ of a client assertion (RFC 10070, Section 4).
const Type = "client-authentication+jwt"

// AssertionType is the client_assertion_type of the request (RFC 7523, Section 2.2).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The methods, as token_endpoint_auth_method of a client's metadata names them (OpenID Connect Core 1.0, Section 9).
const (
	PrivateKeyJWT   = "private_key_jwt"
	ClientSecretJWT = "client_secret_jwt"
)

// Claims are those that a client assertion has beside the registered ones: none that a specification names.
type Claims struct{ foreign }

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	Nonce  profile.Present `json:"nonce,omitempty"`   // ID tokens
	ATHash profile.Present `json:"at_hash,omitempty"` // the same
}

// Policy says whose assertions for which server a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the authorization server's issuer identifier (RFC 8414), which has to be the aud: alone, as a string
	// (RFC 10070, Section 4; FAPI 2.0 Security Profile, Section 5.3.2.1).
	Issuer string
	// LegacyAudiences are other names of the server, such as the URL of its token endpoint, that clients from before
	// RFC 10070 write. With them aud may be an array too, of nothing but the server's names: one that
	// names another server as well was made for that one, and could be played back here. To accept an array of Issuer alone, name
	// Issuer here.
	LegacyAudiences []string

	// ClientID is the one client whose keys they are.
	ClientID string
	// AnyClient accepts all clients, each by its own keys: the source finds them by the claim sub, see JWT.Selector,
	// and must look it up in a closed map. A jwk.Set does not know whose its keys are, and is refused.
	AnyClient bool
	// TypedOnly refuses assertions without the typ.
	TypedOnly bool
	// MaxLifetime is the longest time until exp. Zero is an hour.
	MaxLifetime time.Duration
	// Replay remembers the assertions that were used. There is no Verifier without it: each is good once.
	Replay jwt.Replay

	// JWT is the rest of the policy: Algorithms (FAPI 2.0 has PS256, ES256 and EdDSA), Leeway, Clock, limits. Issuers,
	// audiences, types and Replay stay empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the assertion is part of. The zero Expect is refused.
type Expect struct {
	// ClientID is the client_id of the request, or the client that it is otherwise known to come from.
	ClientID string
	// NoClientID says that the request names no client, as RFC 7521, Section 4.2, allows: the assertion alone does.
	NoClientID bool
}

// Verifier verifies client assertions. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt       *jwt.Verifier[Claims]
	audiences []string
	legacy    bool
	lifetime  time.Duration
	leeway    time.Duration
}

// NewVerifier makes a Verifier of p and of the keys of clients: with private_key_jwt those that it has registered, with
// client_secret_jwt its secret as a jwk.SecretKey. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	_, set := keys.(jwk.Set)
	switch {
	case p.Issuer == "":
		return nil, profile.Incomplete("name the Issuer")
	case p.Replay == nil:
		return nil, profile.Incomplete("there is no Replay: an assertion is good once (OpenID Connect Core 1.0, Section 9)")
	case (p.ClientID == "") == !p.AnyClient:
		return nil, profile.Incomplete("name the ClientID, or set AnyClient")
	case p.AnyClient && set:
		return nil, profile.Incomplete("AnyClient needs a source that finds keys by client, which a jwk.Set does not")
	case p.MaxLifetime < 0:
		return nil, profile.Incomplete("MaxLifetime is negative")
	}
	own := jwt.Policy{
		Audiences: append([]string{p.Issuer}, p.LegacyAudiences...),
		Type:      Type, Types: []string{"JWT"}, Replay: p.Replay,
	}
	if p.TypedOnly {
		own.Types = nil
	}
	if p.AnyClient {
		own.AnyIssuer = true // rules wants it to be sub, by which the keys were found
		if p.JWT.Selector == "" {
			p.JWT.Selector = "sub"
		}
	} else {
		own.Issuers = []string{p.ClientID}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	if p.MaxLifetime == 0 {
		p.MaxLifetime = time.Hour
	}
	return &Verifier{v, own.Audiences, len(p.LegacyAudiences) > 0, p.MaxLifetime, profile.Leeway(policy)}, nil
}

// Verify verifies one client assertion and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if (x.ClientID == "") == !x.NoClientID {
		return nil, profile.Incomplete("Expect has no ClientID; NoClientID is how to do without")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, profile.Plain(t.Header().Type))
		v.check(&r, t, now)
		// RFC 7521, Section 4.2: a client_id beside the assertion is that of the same client.
		if x.ClientID != "" && t.Subject != x.ClientID {
			r.Refuse("client_id.mismatch", "sub", t.Subject, "the client of the request", "RFC 7521, Section 4.2")
		}
		return r
	})
}

// rules are those of the specifications that hold for every client assertion.
func rules(c *jwt.Registered, o *Claims, plain bool) (r profile.Refusals) {
	r.Require(c, "RFC 7523, Section 3", "iss", "sub", "aud", "exp")
	r.Require(c, "OpenID Connect Core 1.0, Section 9", "jti")
	// RFC 7523, Section 3, rule 2; OpenID Connect Core 1.0, Section 9: both are the client_id.
	if c.Issuer != c.Subject && c.Subject != "" {
		r.Refuse("sub.mismatch", "sub", c.Subject, "the client that is iss", "RFC 7523, Section 3")
	}
	if plain && o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// check holds an assertion to the policy.
func (v *Verifier) check(r *profile.Refusals, t *jwt.Token[Claims], now time.Time) {
	switch aud := t.Audience; {
	case v.legacy:
		r.RefuseOthers(&t.Registered, v.audiences, "RFC 10070, Section 4")
	case !sole(r, &t.Registered):
	// FAPI 2.0 Security Profile, Section 5.3.2.1: as a string. RFC 10070 has no such rule.
	case len(aud) == 1 && !t.AudienceIsString():
		r.Refuse("aud.not_sole", "aud", aud[0], "a string and no array", "FAPI 2.0 Security Profile, Section 5.3.2.1")
	}
	// RFC 7523, Section 3, rule 4: an exp that is unreasonably far away may be refused. Until then jti is remembered.
	r.RefuseDistant(&t.Registered, now, v.lifetime, v.leeway, "RFC 7523, Section 3")
}

// sole refuses several audiences: any of them could play the assertion back to the others.
func sole(r *profile.Refusals, c *jwt.Registered) bool {
	if len(c.Audience) > 1 {
		r.Refuse("aud.not_sole", "aud", strings.Join(c.Audience, " "), "the issuer identifier of the server and nothing else", "RFC 10070, Section 4")
	}
	return len(c.Audience) <= 1
}

// Method returns how the client of a verified assertion has authenticated: [PrivateKeyJWT] or [ClientSecretJWT].
// Compare it with the method that the client has registered.
func Method(t *jwt.Token[Claims]) string {
	if t.Key.Algorithm().Symmetric() {
		return ClientSecretJWT
	}
	return PrivateKeyJWT
}

// Sign makes a client assertion with the typ of RFC 10070. It refuses one that a [Verifier] would refuse whatever its
// policy is: r has the client_id as Issuer and as Subject, the server's issuer identifier as the one Audience, Expiry, and
// an ID that is used once.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	refusals := rules(&r, &c, false)
	sole(&refusals, &r)
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}
