// Package idtoken makes and verifies ID tokens, by which an OpenID provider tells a client
// who has logged in (OpenID Connect Core 1.0, Sections 2, 3.1.3.7, 3.2.2.9 to 3.2.2.11 and 3.3.2.9 to
// 3.3.2.12).
//
// A client makes one [Verifier] for its provider and tells it for each token what it
// expects of it:
//
//	v, err := idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3"})
//	t, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: nonce})
//
// t.Subject is the user, in the name space of t.Issuer. What else the provider tells of them is reached
// with t.Claim("email", &email). A provider makes tokens with [Sign].
//
// # Told apart by
//
// An ID token has no typ of its own: none or JWT is accepted, and so no token of a registered type.
// It has iss, sub, aud, exp and iat, and the nonce that was sent. It has no scope, no client_id, no
// token_use but "id", and no claim by which another kind is known (kind.mismatch). Its sub is
// not its iss: a client assertion is so, and the self-issued tokens of Section 7 are not accepted.
//
// # Codes
//
// Beside those of package jwt: aud.untrusted, aud.ambiguous, azp.missing, azp.mismatch,
// nonce.missing, nonce.mismatch, at_hash.missing, at_hash.mismatch, and the same of c_hash and
// s_hash, auth_time.missing, auth_time.too_old, acr.missing, acr.mismatch, sub.invalid, sub.mismatch,
// kind.mismatch. They are stable.
package idtoken

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Claims are what OpenID Connect defines beside the registered claims. What a token has of the
// user, such as email, is reached with the Claim method of the token.
type Claims struct {
	Nonce           string    `json:"nonce,omitempty"`                // of the authentication request
	AuthTime        time.Time `json:"auth_time,omitzero,format:unix"` // when the user logged in
	ACR             string    `json:"acr,omitempty"`                  // how well
	AMR             []string  `json:"amr,omitempty"`                  // by what means (RFC 8176)
	AuthorizedParty string    `json:"azp,omitempty"`                  // the client that asked
	ATHash          string    `json:"at_hash,omitempty"`              // [Hash] of the access token
	CHash           string    `json:"c_hash,omitempty"`               // [Hash] of the code
	SHash           string    `json:"s_hash,omitempty"`               // [Hash] of the state (FAPI 1.0 Part 2)
	SessionID       string    `json:"sid,omitempty"`                  // of the login (OpenID Connect Back-Channel Logout 1.0, Section 2.1)

	foreign
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	Scope    profile.Present         `json:"scope,omitempty"`         // access tokens
	SCP      profile.Present         `json:"scp,omitempty"`           // the same, of Entra ID and Okta
	ClientID profile.Present         `json:"client_id,omitempty"`     // the same, and request objects
	CID      profile.Present         `json:"cid,omitempty"`           // access tokens of Okta
	AppID    profile.Present         `json:"appid,omitempty"`         // of Entra ID
	AZPACR   profile.Present         `json:"azpacr,omitempty"`        // the same
	Account  profile.Present         `json:"kubernetes.io,omitempty"` // of Kubernetes
	TokenUse profile.PresentUnlessID `json:"token_use,omitempty"`     // of Cognito
	Typ      profile.PresentUnlessID `json:"typ,omitempty"`           // of Keycloak
}

// Policy says whose tokens for whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly: one, or several spellings of one
	// provider. Keys must be those of that provider.
	Issuers []string
	// AnyIssuer accepts every issuer that the source of keys knows, each by its own keys: a keyset.Trust, with the issuers and
	// the tenants that it was given. A jwk.Set does not know whose its keys are, and is refused.
	AnyIssuer bool
	// ClientID is the client that verifies: it must be in aud.
	ClientID string
	// TrustedAudiences are what else may be in aud (Section 3.1.3.7, rule 3).
	TrustedAudiences []string
	// AuthorizedParties are the accepted values of azp, which then must be there. Empty leaves
	// azp to the caller: what it means is for extensions to say (Section 3.1.3.7, rule 4).
	AuthorizedParties []string

	// JWT is the rest of the policy: Algorithms, Leeway, Clock, Decryption, MaxAge, limits. Issuers,
	// audiences and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the token answers. The zero Expect is refused.
type Expect struct {
	// Nonce is the nonce that was sent. The token must have it.
	Nonce string
	// NoNonce accepts a token without nonce. One that has a nonce must have that of Nonce
	// (Section 12.2, for tokens that are refreshed).
	NoNonce bool
	// AnyNonce accepts a token with any nonce or none. It is for who was handed the token by its client, which alone knows the nonce
	// and has compared it: as in a token exchange (RFC 8693).
	AnyNonce bool

	// AccessToken, Code and State are what came with the token. A hash of one of them that the
	// token has must be the right one.
	AccessToken, Code, State string
	// FrontChannel says that the token came from the authorization endpoint, through the browser: the
	// hash of the access token and of the code that came with it must be there, and so must the nonce.
	FrontChannel bool

	// MaxAge is the max_age that was sent: the login is no longer ago. Zero means that none was sent;
	// see [JustNow].
	MaxAge time.Duration
	// ACR are the accepted values of acr, where one was asked for.
	ACR []string
	// Subject, if not empty, is the user: that of an earlier ID token (Sections 3.3.3.6 and 12.2), or of the session.
	Subject string
}

// JustNow as [Expect.MaxAge] says that max_age=0 was sent.
const JustNow time.Duration = -1

func (x *Expect) complete() error {
	switch {
	case x.AnyNonce && (x.Nonce != "" || x.NoNonce || x.FrontChannel):
		return profile.Incomplete("with AnyNonce nothing else is said of the nonce, and the token did not come through the browser")
	case x.Nonce == "" && !x.NoNonce && !x.AnyNonce:
		return profile.Incomplete("Expect has no Nonce; NoNonce is how to do without")
	// Sections 3.2.2.11 and 3.3.2.11: without it, a token of another login could be put into the browser.
	case x.FrontChannel && x.NoNonce:
		return profile.Incomplete("a token from the authorization endpoint has a nonce")
	case x.MaxAge < 0 && x.MaxAge != JustNow:
		return profile.Incomplete("Expect.MaxAge is negative")
	}
	return nil
}

// Verifier verifies ID tokens. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt     *jwt.Verifier[Claims]
	trusted []string
	parties []string
	leeway  time.Duration
}

// NewVerifier makes a Verifier of p and of the provider's keys; with HS256 and its like the key is the
// client_secret, as a jwk.SecretKey (Section 3.1.3.7, rule 8). It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	if p.ClientID == "" {
		return nil, profile.Incomplete("name the ClientID")
	}
	own := jwt.Policy{Issuers: p.Issuers, Audiences: []string{p.ClientID}}
	if p.AnyIssuer {
		if err := profile.AnyIssuer(keys, &p.JWT, &own); err != nil {
			return nil, err
		}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &Verifier{v, append([]string{p.ClientID}, p.TrustedAudiences...), slices.Clone(p.AuthorizedParties), profile.Leeway(policy)}, nil
}

// Verify verifies one ID token and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if err := x.complete(); err != nil {
		return nil, err
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, t.Key.Algorithm())
		v.check(&r, t)
		x.check(&r, t, now.Add(-v.leeway))
		return r
	})
}

// rules are those of the specification that hold for every ID token.
func rules(c *jwt.Registered, o *Claims, alg jwa.Algorithm) (r profile.Refusals) {
	r.Require(c, "OpenID Connect Core 1.0, Section 2", "iss", "sub", "aud", "exp", "iat")
	// OpenID Connect Core 1.0, Section 2: at most 255 ASCII characters.
	if len(c.Subject) > 255 || strings.ContainsFunc(c.Subject, func(r rune) bool { return r > '\x7f' }) {
		r.Refuse("sub.invalid", "sub", c.Subject, "at most 255 ASCII characters", "OpenID Connect Core 1.0, Section 2")
	}
	r.RefuseAmbiguous(c, alg)
	if c.Subject != "" && c.Subject == c.Issuer {
		r.Refuse("kind.mismatch", "sub", c.Subject, "a user, who is not the issuer", "RFC 8725, Section 3.12")
	}
	if o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// check holds a token to the policy.
func (v *Verifier) check(r *profile.Refusals, t *jwt.Token[Claims]) {
	const spec = "OpenID Connect Core 1.0, Section 3.1.3.7"
	// Rule 3: no audiences beside that are not trusted. Who is in aud can present the token elsewhere.
	r.RefuseUntrusted(&t.Registered, v.trusted)
	// Rule 4.
	if len(v.parties) > 0 {
		oneOf(r, "azp", t.Claims.AuthorizedParty, v.parties, spec)
	}
}

// check holds a token to what is expected of it; earliest is now, less the leeway.
func (x *Expect) check(r *profile.Refusals, t *jwt.Token[Claims], earliest time.Time) {
	c := &t.Claims
	const spec = "OpenID Connect Core 1.0, Section 3.1.3.7"
	// Rule 11; Section 12.2.
	if !x.AnyNonce && (c.Nonce != "" || !x.NoNonce) {
		oneOf(r, "nonce", c.Nonce, []string{x.Nonce}, spec)
	}
	// Rule 12.
	if len(x.ACR) > 0 {
		oneOf(r, "acr", c.ACR, x.ACR, spec)
	}
	// Rule 13; Section 3.1.2.1: with max_age the token has auth_time.
	if x.MaxAge != 0 {
		switch {
		case c.AuthTime.IsZero():
			r.Refuse("auth_time.missing", "auth_time", "", "the time of the login", spec)
		case c.AuthTime.Before(earliest.Add(-max(x.MaxAge, 0))):
			r.Refuse("auth_time.too_old", "auth_time", c.AuthTime.UTC().Format(time.RFC3339), "a login at most "+max(x.MaxAge, 0).String()+" ago", spec)
		}
	}
	if x.Subject != "" && t.Subject != x.Subject {
		r.Refuse("sub.mismatch", "sub", t.Subject, "the user that is expected", "OpenID Connect Core 1.0, Sections 3.3.3.6 and 12.2")
	}
	alg := t.Key.Algorithm()
	// Sections 3.1.3.8 and 3.2.2.9, where the browser could have changed the access token; 3.3.2.9.
	hashed(r, "at_hash", c.ATHash, alg, x.AccessToken, x.FrontChannel, "OpenID Connect Core 1.0, Section 3.2.2.9")
	hashed(r, "c_hash", c.CHash, alg, x.Code, x.FrontChannel, "OpenID Connect Core 1.0, Section 3.3.2.10")
	// Only FAPI has this one, so it may be absent.
	hashed(r, "s_hash", c.SHash, alg, x.State, false, "FAPI 1.0 Part 2, Section 5.2.3.1")
}

func oneOf(r *profile.Refusals, name, got string, want []string, spec string) {
	switch {
	case got == "":
		r.Refuse(name+".missing", name, "", "the one that is expected", spec)
	case !slices.Contains(want, got):
		r.Refuse(name+".mismatch", name, got, "the one that is expected", spec)
	}
}

// hashed refuses a hash of value that is wrong, and one that is absent though it is required.
func hashed(r *profile.Refusals, name, got string, alg jwa.Algorithm, value string, required bool, spec string) {
	if value == "" || got == "" {
		if value != "" && required {
			r.Refuse(name+".missing", name, "", "the hash of what came with the token", spec)
		}
		return
	}
	if want, _ := profile.HalfHash(alg, value); got != want { // want is empty where no hash is agreed on
		r.Refuse(name+".mismatch", name, got, "the hash of what came with the token", spec)
	}
}

// Hash is the hash of an access token, a code or a state, as [Claims] has it in a token that a key of
// alg signs. It fails for an algorithm for which no hash is agreed on.
func Hash(alg jwa.Algorithm, value string) (string, error) {
	h, ok := profile.HalfHash(alg, value)
	if !ok {
		return "", fmt.Errorf("idtoken: no hash is agreed on for %s", alg)
	}
	return h, nil
}

// Sign makes an ID token. It refuses one that a [Verifier] would refuse whatever its policy is.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c, key.Algorithm()).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c)
}
