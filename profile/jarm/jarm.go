// Package jarm makes and verifies authorization responses that are signed, so that the client knows by
// whom, for whom and to which request the code was issued (JWT Secured Authorization Response Mode for OAuth 2.0, JARM;
// FAPI 2.0 Message Signing, Section 5.4).
//
// A client makes one [Verifier] for each authorization server, and takes that of the server to which it has sent this
// browser, never one that the response names:
//
//	v, err := jarm.NewVerifier(keys, jarm.Policy{Issuer: "https://as.example", ClientID: "s6BhdRkqt3"})
//	raw, iss, err := jarm.Extract(r)
//	t, err := v.Verify(ctx, raw, jarm.Expect{State: state, Issuer: iss})
//	err = t.Claims.Err() // what the server could not do
//	code := t.Claims.Code
//
// An authorization server makes responses with [Sign], and answers with [Write] in the response mode that was asked for. An
// encrypted one is made with jwt.SignEncrypted of the same claims, and read with Policy.JWT.Decryption.
//
// # Told apart by
//
// A response has no typ of its own: none or JWT is accepted, and so no token of a registered type. It has iss, aud and
// exp, and one of code, access_token, id_token and error. It has no claim by which another kind is known
// (kind.mismatch): no client_id, no nonce, no hash of a code. So response_type=none, to which nothing is returned but the
// state, is not supported.
//
// # Codes
//
// Beside those of package jwt: state.missing, state.mismatch, response.missing, response.mixed, iss.ambiguous,
// kind.mismatch. They are stable.
package jarm

import (
	"context"
	"crypto/subtle"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// Claims are the parameters of an authorization response (JARM, Section 2.1). Others are reached with the Claim method of
// the token.
type Claims struct {
	Code         string `json:"code,omitempty"`
	State        string `json:"state,omitempty"`
	AccessToken  string `json:"access_token,omitempty"`
	TokenType    string `json:"token_type,omitempty"`
	ExpiresIn    int64  `json:"expires_in,omitempty"` // seconds
	Scope        string `json:"scope,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	SessionState string `json:"session_state,omitempty"` // OpenID Connect Session Management 1.0

	ErrorCode        string `json:"error,omitempty"` // see Err
	ErrorDescription string `json:"error_description,omitempty"`
	ErrorURI         string `json:"error_uri,omitempty"`

	foreign
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	ClientID profile.Present `json:"client_id,omitempty"` // request objects, access tokens
	Nonce    profile.Present `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present `json:"at_hash,omitempty"`   // the same
	CHash    profile.Present `json:"c_hash,omitempty"`    // the same
	Request  profile.Present `json:"request,omitempty"`   // requests
}

// Err returns the error that the server has responded with, as an *oauth.Error; nil where it has granted the request.
func (c *Claims) Err() error {
	if c.ErrorCode == "" {
		return nil
	}
	return &oauth.Error{Code: c.ErrorCode, Description: c.ErrorDescription, URI: c.ErrorURI}
}

// Policy says whose responses to whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the issuer identifier of the authorization server, and the keys are its keys.
	Issuer string
	// ClientID is the client that verifies: it must be in aud.
	ClientID string
	// MaxLifetime is the longest time until exp. Zero is ten minutes (JARM, Section 2.1).
	MaxLifetime time.Duration

	// JWT is the rest of the policy: Algorithms, Decryption, Leeway, Clock, limits. Issuers, audiences and types stay
	// empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the response answers. The zero Expect is refused.
type Expect struct {
	// State is the state of the request, which this browser was given: it is good for one response.
	State string
	// NoState says that none was sent, which only suits a request that PKCE or a nonce protects from forgery
	// (RFC 9700, Section 2.1).
	NoState bool
	// Issuer is the parameter iss beside the response, if it was there: it must be the same server (RFC 9207, Section 4).
	Issuer string
}

// Verifier verifies authorization responses. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt      *jwt.Verifier[Claims]
	lifetime time.Duration
	leeway   time.Duration
}

// NewVerifier makes a Verifier of p and of the server's keys; with HS256 and its like the key is the client_secret, as a
// jwk.SecretKey. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	switch {
	case p.Issuer == "":
		return nil, profile.Incomplete("name the Issuer")
	case p.ClientID == "":
		return nil, profile.Incomplete("name the ClientID")
	case p.MaxLifetime < 0:
		return nil, profile.Incomplete("MaxLifetime is negative")
	case p.MaxLifetime == 0:
		p.MaxLifetime = 10 * time.Minute
	}
	// JARM, Section 2.4, steps 2 and 3. The keys are known beforehand, so step 5, the signature, can come first: of a response
	// that the server has not signed nothing is read (JARM, Section 5.1).
	policy, err := profile.Merge(p.JWT, jwt.Policy{Issuers: []string{p.Issuer}, Audiences: []string{p.ClientID}})
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &Verifier{v, p.MaxLifetime, profile.Leeway(policy)}, nil
}

// Verify verifies one response and returns what it says, be it the refusal of the request: see [Claims.Err]. The refusal
// of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if (x.State == "") == !x.NoState {
		return nil, profile.Incomplete("Expect has no State; NoState is how to do without")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims)
		// JARM, Section 2.1.
		if t.Expiry.Sub(now) > v.lifetime+v.leeway {
			r.Refuse("exp.lifetime", "exp", t.Expiry.UTC().Format(time.RFC3339), "at most "+v.lifetime.String()+" from now", "JARM, Section 2.1")
		}
		x.check(&r, t)
		return r
	})
}

// rules are those of the specification that hold for every response.
func rules(c *jwt.Registered, o *Claims) (r profile.Refusals) {
	r.Require(c, "JARM, Section 2.1", "iss", "aud", "exp")
	granted := o.Code != "" || o.AccessToken != "" || o.IDToken != ""
	switch {
	case !granted && o.ErrorCode == "":
		r.Refuse("response.missing", "code", "", "code, access_token, id_token or error", "JARM, Section 2.1")
	// RFC 6749, Section 4.1.2.1: it is one or the other.
	case granted && o.ErrorCode != "":
		r.Refuse("response.mixed", "error", o.ErrorCode, "an error, or what was granted", "RFC 6749, Section 4.1.2.1")
	}
	if o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// check holds a response to what is expected of it.
func (x *Expect) check(r *profile.Refusals, t *jwt.Token[Claims]) {
	const spec = "RFC 6749, Section 10.12"
	switch state := t.Claims.State; {
	case state == "" && x.State != "":
		r.Refuse("state.missing", "state", "", "the one that was sent", spec)
	// It is a secret of this browser.
	case subtle.ConstantTimeCompare([]byte(state), []byte(x.State)) != 1:
		r.Refuse("state.mismatch", "state", state, "the one that was sent", spec)
	}
	// RFC 9207, Section 4: several issuer identifiers that do not match.
	if x.Issuer != "" && x.Issuer != t.Issuer {
		r.Refuse("iss.ambiguous", "iss", t.Issuer, "the same as the parameter iss beside the response", "RFC 9207, Section 4")
	}
}

// Sign makes an authorization response. It refuses one that a [Verifier] would refuse whatever its policy is. The Audience is
// the client_id, and the Expiry at most ten minutes away.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c)
}
