// Package atlassian makes and verifies the tokens by which Atlassian products and the apps in them sign
// their HTTP requests to each other: Atlassian Connect, and HipChat before it ("Understanding JWT for Connect
// apps", called Connect below).
//
// A token is good for one request: its claim qsh is a hash of the method, the path and the query. An app makes one
// [Verifier] for all products that it is installed in, with a source of keys that looks up the shared secret by
// iss, the product's client key:
//
//	v, err := atlassian.NewVerifier(installations, atlassian.Policy{AnyClientKey: true})
//	raw, x, err := atlassian.FromRequest(r, "")
//	t, err := v.Verify(ctx, raw, x)
//
// t.Issuer is the product, t.Subject its user. An app calls a product with a token of [Sign], [QueryHash] of the request
// and the header Authorization: JWT followed by the token. The body is not signed.
//
// # Told apart by
//
// The claim qsh, which must be the hash of the request. The typ is JWT, or none; a token of a registered type is
// refused, and so is one with a claim by which another kind is known (kind.mismatch).
//
// # Codes
//
// Beside those of package jwt: qsh.invalid, qsh.mismatch, kind.mismatch. They are stable.
package atlassian

import (
	"context"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// ContextHash is the qsh of a token that is tied to no request: the context tokens that a page gets from the product
// in the browser, and the session tokens that an app makes for its own pages.
const ContextHash = "context-qsh"

// Claims are what Connect defines beside the registered claims. The product's context claim is reached with the
// Claim method of the token.
type Claims struct {
	QueryHash string `json:"qsh,omitempty"` // [QueryHash] of the request, or [ContextHash]

	foreign
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	Nonce  profile.Present `json:"nonce,omitempty"`   // ID tokens
	ATHash profile.Present `json:"at_hash,omitempty"` // the same
	Scope  profile.Present `json:"scope,omitempty"`   // access tokens
}

// Policy says whose tokens a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// ClientKey is the one product whose secret it is: it must be iss.
	ClientKey string
	// AnyClientKey accepts all products, each by its own secret: the source finds it by the claim iss, and must look
	// it up in a closed map. A jwk.Set does not know whose its keys are, and is refused.
	AnyClientKey bool

	// InstallBaseURL asks for the tokens of the lifecycle callbacks installed and uninstalled, and for no others. They
	// are signed by Atlassian with RS256; keys are those of Atlassian, found by kid. It is the base URL of the app,
	// which must be in aud. The product's client key is not known before, so neither of the above is set; t.Issuer must
	// be the clientKey of the callback's body.
	InstallBaseURL string

	// JWT is the rest of the policy: Leeway, Clock, MaxLifetime, limits, Replay where a token shall be good once and has
	// jti. Algorithms are HS256, or RS256 with InstallBaseURL, unless they are named. Issuers, audiences, types and
	// Selector stay empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the token came with. The zero Expect is refused.
type Expect struct {
	// QueryHash is that of the request, see [FromRequest] and the function [QueryHash].
	QueryHash string
	// AllowContext accepts a token that is tied to no request: one with [ContextHash].
	AllowContext bool
	// NoQueryHash accepts a token without qsh, as HipChat sent it. One that has a qsh must have that of QueryHash.
	NoQueryHash bool
}

// Verifier verifies signed requests. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt *jwt.Verifier[Claims]
}

// NewVerifier makes a Verifier of p and of the products' secrets, each a jwk.SecretKey, or of Atlassian's keys. It
// refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	_, set := keys.(jwk.Set)
	install := p.InstallBaseURL != ""
	switch {
	case install && (p.ClientKey != "" || p.AnyClientKey):
		return nil, profile.Incomplete("InstallBaseURL is for callbacks, before the client key is known")
	case !install && (p.ClientKey == "") == !p.AnyClientKey:
		return nil, profile.Incomplete("name the ClientKey, or set AnyClientKey")
	case p.AnyClientKey && set:
		return nil, profile.Incomplete("AnyClientKey needs a source that finds keys by client key, which a jwk.Set does not")
	case p.JWT.Selector != "":
		return nil, profile.Incomplete("JWT.Selector is decided by the profile")
	}
	own := jwt.Policy{AnyAudience: true} // Connect has no aud but in callbacks: whose secret it is says for whom
	algorithm := jwa.HS256
	switch {
	case install:
		own.AnyIssuer, own.AnyAudience, own.Audiences, algorithm = true, false, []string{p.InstallBaseURL}, jwa.RS256
	case p.AnyClientKey:
		own.AnyIssuer, p.JWT.Selector = true, "iss"
	default:
		own.Issuers = []string{p.ClientKey}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	if len(policy.Algorithms) == 0 {
		policy.Algorithms = []jwa.Algorithm{algorithm}
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &Verifier{v}, nil
}

// Verify verifies the token of one request and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if x == (Expect{}) {
		return nil, profile.Incomplete("Expect has no QueryHash; AllowContext and NoQueryHash are how to do without")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims)
		x.check(&r, t.Claims.QueryHash)
		return r
	})
}

const spec = "Atlassian Connect, Understanding JWT"

// check holds the hash to what is expected of it.
func (x *Expect) check(r *profile.Refusals, hash string) {
	switch {
	case hash == "":
		if !x.NoQueryHash {
			r.RefuseMissing("qsh", spec)
		}
	case hash == ContextHash && x.AllowContext:
	case hash != x.QueryHash || hash == ContextHash:
		r.Refuse("qsh.mismatch", "qsh", hash, "the hash of the request", spec)
	}
}

// rules are those that hold for every token.
func rules(c *jwt.Registered, o *Claims) (r profile.Refusals) {
	r.Require(c, spec, "iss", "iat", "exp")
	if o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// Sign makes the token of one request, with the typ JWT. It refuses one that a [Verifier] would refuse whatever its
// policy is: r has the app's or the product's key as Issuer, IssuedAt, and Expiry, usually three minutes later; c has the QueryHash.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	refusals := rules(&r, &c)
	if c.QueryHash != ContextHash && !isHash(c.QueryHash) {
		refusals.Refuse("qsh.invalid", "qsh", c.QueryHash, "what QueryHash returns, or ContextHash", spec)
	}
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c)
}
