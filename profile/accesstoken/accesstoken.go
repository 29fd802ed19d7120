// Package accesstoken makes and verifies access tokens that are JWTs, which a client presents to
// an API and which the API's authorization server has issued (RFC 9068).
//
// An API makes one [Verifier] for its authorization server:
//
//	v, err := accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}})
//	t, err := v.Verify(ctx, raw)
//
// and then asks what the token allows: t.Claims.HasScope("orders:read"). Nothing of one request
// is expected of the token itself, so there is no Expect; whether its bearer has the key that
// t.Claims.Confirmation names, and how long ago the user logged in, is for who serves the request.
// An authorization server makes tokens with [Sign].
//
// # Told apart by
//
// The typ at+jwt, and nothing else. With [Lenient], for servers that do not write one: the token has
// a claim that ID tokens have not (scope, scp, client_id, cid, appid, azpacr) or the one that Lenient
// names, and none by which another kind is known: nonce, at_hash, c_hash, token_use "id" and others
// (kind.mismatch).
//
// # Codes
//
// Beside those of package jwt: cnf.invalid, kind.mismatch. They are stable.
package accesstoken

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

// Type is the typ of an access token (RFC 9068, Section 2.1).
const Type = "at+jwt"

// Claims are what RFC 9068 names beside the registered claims.
type Claims struct {
	ClientID string `json:"client_id,omitempty"` // the client that got the token; with [Lenient] also from azp, appid or cid
	Scope    string `json:"scope,omitempty"`     // names with spaces between them; with [Lenient] also from scp

	AuthTime time.Time `json:"auth_time,omitzero,format:unix"` // when the user logged in (RFC 9068, Section 2.2.1)
	ACR      string    `json:"acr,omitempty"`                  // how well
	AMR      []string  `json:"amr,omitempty"`                  // by what means

	// Attributes of the user (RFC 9068, Section 2.2.3.1), of which no more is said than that they look
	// as in SCIM: see [Values].
	Groups       json.RawMessage `json:"groups,omitempty"`
	Roles        json.RawMessage `json:"roles,omitempty"`
	Entitlements json.RawMessage `json:"entitlements,omitempty"`

	AuthorizationDetails json.RawMessage   `json:"authorization_details,omitempty"` // RFC 9396, Section 9.1
	Confirmation         *pop.Confirmation `json:"cnf,omitempty"`                   // whose the token is (RFC 7800)

	// Who acts for the user, and who may (RFC 8693, Sections 4.1 and 4.4), as package exchange reads and makes them.
	Actor  json.RawMessage `json:"act,omitempty"`
	MayAct json.RawMessage `json:"may_act,omitempty"`

	vendor
	foreign
}

// vendor is how others say what RFC 9068 has a name for. Only [Lenient] looks at it.
type vendor struct {
	SCP    json.RawMessage `json:"scp,omitempty"`
	AZP    json.RawMessage `json:"azp,omitempty"`
	AppID  json.RawMessage `json:"appid,omitempty"`
	CID    json.RawMessage `json:"cid,omitempty"`
	AZPACR profile.Present `json:"azpacr,omitempty"`
}

// foreign is what other kinds have. Only [Lenient] looks at it: at+jwt says enough.
type foreign struct {
	profile.Foreign
	Nonce    profile.Present  `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present  `json:"at_hash,omitempty"`   // the same
	CHash    profile.Present  `json:"c_hash,omitempty"`    // the same
	TokenUse profile.IDMarker `json:"token_use,omitempty"` // the same, of Cognito
	Typ      profile.IDMarker `json:"typ,omitempty"`       // the same, of Keycloak
}

// HasScope reports whether the token has all scopes of names.
func (c *Claims) HasScope(names ...string) bool {
	have := strings.Fields(c.Scope)
	for _, n := range names {
		if !slices.Contains(have, n) {
			return false
		}
	}
	return true
}

// Values are the names in an attribute: of an array of strings, of an array of objects whose value is
// the name (RFC 7643, Section 2.4), or of one string. It is nil where there is none that can be read.
func Values(attribute json.RawMessage) []string {
	if one := text(attribute); one != "" {
		return []string{one}
	}
	var names []string
	if read(attribute, &names) {
		return names
	}
	var objects []struct {
		Value string `json:"value"`
	}
	if !read(attribute, &objects) {
		return nil
	}
	names = nil // of the attempt
	for _, o := range objects {
		names = append(names, o.Value)
	}
	return names
}

func read(raw json.RawMessage, v any) bool {
	return strictjson.Unmarshal(raw, v, strictjson.Limits{}) == nil
}

// text is the string that raw is, or "".
func text(raw json.RawMessage) (s string) {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	read(raw, &s)
	return s
}

// Policy says whose tokens for whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly.
	Issuers []string
	// AnyIssuer accepts every issuer that the source of keys knows, each by its own keys: a keyset.Trust, with the issuers and
	// the tenants that it was given. A jwk.Set does not know whose its keys are, and is refused.
	AnyIssuer bool
	// Audiences are the names that the API answers to: one of them must be in aud.
	Audiences []string
	// Lenient, if not nil, accepts tokens that do not keep to RFC 9068. Most large providers
	// make such.
	Lenient *Lenient

	// JWT is the rest of the policy: Algorithms, Leeway, Clock, Decryption, CacheSize, limits. Issuers,
	// audiences and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// Lenient is the policy for tokens as they are. The zero Lenient accepts tokens without a typ or with JWT beside
// at+jwt, and without sub, client_id, iat and jti. Issuer, audience and expiry are asked for as always, and what
// speaks for another kind is refused.
//
//	Auth0, Entra ID   Lenient{}
//	Okta              Lenient{Types: []string{"application/okta-internal-at+jwt"}}
//	Keycloak          Lenient{Claim: "typ", Value: "Bearer"}
//	Cognito           Lenient{Claim: "token_use", Value: "access", Clients: …}
//	Kubernetes        Lenient{Claim: "kubernetes.io"}
type Lenient struct {
	// Types are values of typ of the issuer's own that are accepted too.
	Types []string
	// Claim and Value are what its access tokens have and its other tokens have not. With an empty Value the
	// claim only has to be there.
	Claim, Value string
	// Clients are those whose tokens are accepted without aud. Without it they are not: such a token is good for
	// every API of the issuer.
	Clients []string
}

// Verifier verifies access tokens. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt       *jwt.Verifier[Claims]
	check     func(*jwt.Token[Claims], time.Time) []*jwt.ClaimError // strict or tolerant
	audiences []string
	lenient   *Lenient
}

// NewVerifier makes a Verifier of p and of the issuer's keys. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	own := jwt.Policy{Issuers: p.Issuers, Audiences: p.Audiences, Type: Type}
	v := &Verifier{check: strict, audiences: slices.Clone(p.Audiences)}
	if l := p.Lenient; l != nil {
		if l.Claim == "" && l.Value != "" {
			return nil, profile.Incomplete("Lenient has a Value of no Claim")
		}
		if i := slices.IndexFunc(l.Types, profile.Registered); i >= 0 {
			return nil, profile.Incomplete("Lenient.Types has " + l.Types[i] + ", which is another kind of token")
		}
		v.lenient = &Lenient{slices.Clone(l.Types), l.Claim, l.Value, slices.Clone(l.Clients)}
		v.check = v.tolerant
		own.Types = append([]string{"JWT"}, l.Types...)
		if len(l.Clients) > 0 && len(p.Audiences) > 0 {
			own.Audiences, own.AnyAudience = nil, true // audience looks at aud
		}
	}
	if p.AnyIssuer {
		if err := profile.AnyIssuer(keys, &p.JWT, &own); err != nil {
			return nil, err
		}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v.jwt, err = jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Verify verifies one access token and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string) (*jwt.Token[Claims], error) {
	return v.jwt.VerifyWith(ctx, raw, v.check)
}

func strict(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
	return rules(&t.Registered, &t.Claims)
}

// rules are those of the specification that hold for every access token.
func rules(c *jwt.Registered, o *Claims) (r profile.Refusals) {
	r.Require(c, "RFC 9068, Section 2.2", "iss", "exp", "aud", "sub", "iat", "jti")
	if o.ClientID == "" {
		r.RefuseMissing("client_id", "RFC 9068, Section 2.2")
	}
	r.RefuseUnbound(o.Confirmation)
	return r
}

// tolerant is strict for tokens as they are.
func (v *Verifier) tolerant(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
	var r profile.Refusals
	c, l := &t.Claims, v.lenient
	r.Require(&t.Registered, "RFC 9068, Section 2.2", "iss", "exp")
	r.RefuseUnbound(c.Confirmation)
	speaks := c.Scope != "" || c.SCP != nil || c.ClientID != "" || c.CID != nil || c.AppID != nil || bool(c.AZPACR)

	if c.Scope == "" && c.SCP != nil {
		// Entra ID sends a string, Okta an array.
		c.Scope = strings.Join(Values(c.SCP), " ")
	}
	for _, other := range []json.RawMessage{c.AZP, c.AppID, c.CID} {
		if c.ClientID == "" {
			c.ClientID = text(other) // what is no string names no client
		}
	}
	v.audience(&r, t)

	if typ := t.Header().Type; compact.SameType(typ, Type) {
		return r
	}
	switch {
	case l.Claim != "":
		// RFC 8725, Section 3.12.
		var got json.RawMessage
		if ok, _ := t.Claim(l.Claim, &got); !ok || l.Value != "" && text(got) != l.Value {
			r.Refuse("kind.mismatch", l.Claim, string(got), "what access tokens of this issuer have", "RFC 8725, Section 3.12")
		}
	case !speaks:
		r.Refuse("kind.mismatch", "scope", "", "a claim that access tokens have: scope, scp, client_id, cid, appid or azpacr", "RFC 8725, Section 3.12")
	}
	if c.foreign != (foreign{}) {
		r.RefuseForeign(c.foreign)
	}
	return r
}

// audience is jwt's rule for a policy with Lenient.Clients.
func (v *Verifier) audience(r *profile.Refusals, t *jwt.Token[Claims]) {
	switch {
	case len(v.lenient.Clients) == 0: // package jwt has looked
	case slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(v.audiences, a) }):
	case !profile.Unaddressed(t):
		r.Refuse("aud.mismatch", "aud", strings.Join(t.Audience, " "), strings.Join(v.audiences, " or "), "RFC 9068, Section 4")
	case !slices.Contains(v.lenient.Clients, t.Claims.ClientID):
		r.Refuse("aud.missing", "aud", "", "an audience, or a client whose tokens have none", "RFC 9068, Section 2.2")
	}
}

// Sign makes an access token with the typ of RFC 9068. It refuses one that a [Verifier] would refuse whatever its
// policy is.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}
