// Package jar makes and verifies request objects, by which a client signs its authorization request (RFC 9101, JAR;
// OpenID Connect Core 1.0, Section 6; FAPI 2.0 Message Signing, Section 5.3), and finds out at the authorization
// endpoint what was requested: by a request object, by a URL of one, or by the name of a request that was pushed (RFC 9126).
//
// An authorization server makes one [Verifier] for all its clients, with a source of keys that looks them up by client,
// and goes on with what [Verifier.Resolve] returns:
//
//	v, err := jar.NewVerifier(clients, jar.Policy{Issuer: "https://as.example", AnyClient: true, Pushed: pushed})
//	q, err := v.Resolve(ctx, r.URL.Query())
//	redirect := q.Parameters.Get("redirect_uri")
//
// Nothing outside the request object is in q.Parameters: who could change the URL has changed nothing. A client makes
// request objects with [Sign], of the parameters that it would have put into the URL ([NewClaims]), and the URL with [URL].
// An encrypted one is made with jwt.SignEncrypted of the same claims and typ, and read with Policy.JWT.Decryption.
//
// An error of Resolve is an *oauth.Error for the client where the request is at fault. Nothing of a refused request may be
// used, its redirect_uri neither: show the error to the user.
//
// # Told apart by
//
// The typ oauth-authz-req+jwt. Where a policy accepts none or JWT too, by client_id, which must be there, and by sub, which
// must not, nor any claim by which another kind is known (kind.mismatch): so no client assertion is a request object, and
// none of these request objects is an assertion (RFC 9101, Section 10.8).
//
// # Codes
//
// Beside those of package jwt: client_id.mismatch, sub.client, request.nested, parameters.too_many,
// response_type.mismatch, nbf.missing, nbf.too_old, kind.mismatch. They are stable.
package jar

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Type is the typ of a request object (RFC 9101, Section 10.8), and its media type without application/.
const Type = "oauth-authz-req+jwt"

// maxParameters is how many parameters a request has.
const maxParameters = 100

// Claims are the parameters of an authorization request. Those without a value are absent.
type Claims struct {
	ClientID            string `json:"client_id,omitempty"`
	ResponseType        string `json:"response_type,omitempty"`
	ResponseMode        string `json:"response_mode,omitempty"`
	RedirectURI         string `json:"redirect_uri,omitempty"`
	Scope               string `json:"scope,omitempty"`
	State               string `json:"state,omitempty"`
	Nonce               string `json:"nonce,omitempty"`
	CodeChallenge       string `json:"code_challenge,omitempty"`        // RFC 7636
	CodeChallengeMethod string `json:"code_challenge_method,omitempty"` // the same
	LoginHint           string `json:"login_hint,omitempty"`
	IDTokenHint         string `json:"id_token_hint,omitempty"`

	// Other are all others, as JSON: max_age is a number, claims and authorization_details are objects and arrays,
	// several values of resource are an array. At most 100.
	Other map[string]json.RawMessage `json:",inline"`

	nested
	foreign
}

// nested are what a request object must not have (RFC 9101, Section 4).
type nested struct {
	Request    profile.Present `json:"request,omitempty"`
	RequestURI profile.Present `json:"request_uri,omitempty"`
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	NotificationToken profile.Present `json:"client_notification_token,omitempty"` // CIBA requests
	RequestedExpiry   profile.Present `json:"requested_expiry,omitempty"`          // the same
	BindingMessage    profile.Present `json:"binding_message,omitempty"`           // the same
	UserCode          profile.Present `json:"user_code,omitempty"`                 // the same
	Code              profile.Present `json:"code,omitempty"`                      // authorization responses
	Error             profile.Present `json:"error,omitempty"`                     // the same
	AccessToken       profile.Present `json:"access_token,omitempty"`              // the same
	IDToken           profile.Present `json:"id_token,omitempty"`                  // the same
	ATHash            profile.Present `json:"at_hash,omitempty"`                   // ID tokens
	CHash             profile.Present `json:"c_hash,omitempty"`                    // the same
	Confirmation      profile.Present `json:"cnf,omitempty"`                       // access tokens
}

// Policy says whose requests to which server a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the authorization server's issuer identifier, which has to be in aud where that is (RFC 9101, Section 4).
	Issuer string

	// ClientID is the one client whose keys they are.
	ClientID string
	// AnyClient accepts all clients, each by its own keys: the source finds them by the claim client_id, see
	// JWT.Selector, and must look it up in a closed map. A jwk.Set does not know whose its keys are, and is refused.
	AnyClient bool

	// FAPI holds request objects to FAPI 2.0 Message Signing, Section 5.3.1: aud, nbf and exp are there, nbf
	// at most 60 minutes ago, exp at most 60 minutes after it. Without JWT.Algorithms those of FAPI are
	// accepted: PS256, ES256 and Ed25519.
	FAPI bool
	// LegacyUntyped accepts request objects with the typ JWT or none beside those with the typ, as most clients
	// send them (RFC 9101, Section 10.8).
	LegacyUntyped bool
	// OpenIDConnect reads requests as OpenID Connect Core 1.0, Section 6, has them: what the
	// request object does not have is taken from outside, response_type, client_id and the scope openid must be outside, and
	// the typ may be absent. Parameters outside are not signed: whoever sees the URL can add some. What that section
	// says of unsigned request objects (alg none) is not accepted.
	OpenIDConnect bool
	// UnsignedRequests lets Resolve pass on requests that have no request object (RFC 9101, Section 10.5).
	UnsignedRequests bool

	// ByReference and Pushed are for the authorization endpoint. The verifier at the endpoint for pushed requests has neither: a
	// request that is pushed refers to no other (RFC 9126, Section 2.1), and pushed again it would live on.

	// ByReference fetches request objects from the URL in request_uri. Nil refuses them.
	ByReference *ByReference
	// Pushed has the requests that were pushed. Nil refuses their names.
	Pushed Pushed

	// JWT is the rest of the policy: Algorithms, Decryption, Leeway, Clock, limits; MaxLifetime, and Replay, with which each
	// request object needs jti and exp. Issuers, audiences and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the object is part of. The zero Expect is refused.
type Expect struct {
	// ClientID is the client_id beside the request object, or at the endpoint for pushed requests the client
	// that has authenticated.
	ClientID string
}

// Verifier verifies request objects. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt     *jwt.Verifier[Claims]
	policy  Policy
	leeway  time.Duration
	fetcher *fetch.Client // nil without Policy.ByReference
}

// NewVerifier makes a Verifier of p and of the keys of clients. It refuses an incomplete or contradictory policy with
// jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	_, set := keys.(jwk.Set)
	switch {
	case p.Issuer == "":
		return nil, profile.Incomplete("name the Issuer")
	case (p.ClientID == "") == !p.AnyClient:
		return nil, profile.Incomplete("name the ClientID, or set AnyClient")
	case p.AnyClient && set:
		return nil, profile.Incomplete("AnyClient needs a source that finds keys by client, which a jwk.Set does not")
	case p.FAPI && (p.OpenIDConnect || p.UnsignedRequests):
		return nil, profile.Incomplete("with FAPI only what is signed counts, so neither OpenIDConnect nor UnsignedRequests can be set")
	}
	// RFC 9101, Section 6.3; each of iss, aud and exp may be absent, and check has their rules.
	own := jwt.Policy{AnyIssuer: true, AnyAudience: true, OptionalExpiry: !p.FAPI && p.JWT.Replay == nil, Type: Type}
	if p.OpenIDConnect || p.LegacyUntyped {
		own.Types = []string{"JWT"}
	}
	if p.AnyClient && p.JWT.Selector == "" {
		p.JWT.Selector = "client_id" // RFC 9101, Section 6.2: a key of the client
	}
	if p.FAPI && len(p.JWT.Algorithms) == 0 {
		// FAPI 2.0 Security Profile, Section 5.4.1.
		p.JWT.Algorithms = []jwa.Algorithm{jwa.PS256, jwa.ES256, jwa.Ed25519}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	v := &Verifier{policy: p, leeway: profile.Leeway(policy)}
	if v.jwt, err = jwt.NewVerifier[Claims](keys, policy); err != nil {
		return nil, err
	}
	if p.ByReference != nil {
		if v.policy.ByReference, v.fetcher, err = p.ByReference.client(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Verify verifies one request object and returns what it says. The refusal of a token is a *jwt.RejectError. Most
// servers want [Verifier.Resolve].
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if x.ClientID == "" {
		return nil, profile.Incomplete("Expect has no ClientID")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, profile.Plain(t.Header().Type))
		v.check(&r, t, now)
		// RFC 9101, Section 6.3. That it is there is a matter of rules.
		if c := t.Claims.ClientID; c != "" && (c != x.ClientID || v.policy.ClientID != "" && c != v.policy.ClientID) {
			r.Refuse("client_id.mismatch", "client_id", c, "the client of the request", "RFC 9101, Section 6.3")
		}
		return r
	})
}

// rules are those of the specifications that hold for every request object.
func rules(c *jwt.Registered, o *Claims, plain bool) (r profile.Refusals) {
	// OpenID Connect Core 1.0, Section 6.1, would let it be outside alone; RFC 9101, Section 6.3, does not.
	if o.ClientID == "" {
		r.RefuseMissing("client_id", "RFC 9101, Section 6.3")
	}
	// RFC 9101, Section 4.
	if o.nested != (nested{}) {
		r.Refuse("request.nested", "request", "", "neither request nor request_uri in a request object", "RFC 9101, Section 4")
	}
	if c.Issuer != "" && c.Issuer != o.ClientID {
		r.Refuse("iss.mismatch", "iss", c.Issuer, "the client, where it is there", "RFC 9101, Section 4")
	}
	switch {
	// RFC 9101, Section 10.8: with it, the request object could be used as a client assertion.
	case c.Subject != "" && c.Subject == o.ClientID:
		r.Refuse("sub.client", "sub", c.Subject, "no sub that is the client", "RFC 9101, Section 10.8")
	case c.Subject != "" && plain:
		r.Refuse("kind.mismatch", "sub", c.Subject, "no such claim in a token of this kind", "RFC 8725, Section 3.12")
	}
	if plain && o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	if len(o.Other) > maxParameters {
		r.Refuse("parameters.too_many", "", "", "at most 100 parameters", "RFC 9101, Section 10.4.1")
		return r
	}
	for name, value := range o.Other {
		if !valid(name, value) {
			r.Refuse("claim.type", name, "", "a string, an integer, true or false, an object or an array", "RFC 9101, Section 4")
		}
	}
	return r
}

// check holds a request object to the policy.
func (v *Verifier) check(r *profile.Refusals, t *jwt.Token[Claims], now time.Time) {
	const (
		spec = "FAPI 2.0 Message Signing, Section 5.3.1"
		most = 60 * time.Minute
	)
	// RFC 7519, Section 4.1.3.
	if !t.Audience.Contains(v.policy.Issuer) && !profile.Unaddressed(t) {
		r.Refuse("aud.mismatch", "aud", strings.Join(t.Audience, " "), "the issuer identifier of the server", "RFC 9101, Section 4")
	}
	if !v.policy.FAPI {
		return
	}
	r.Require(&t.Registered, spec, "aud", "exp")
	switch nbf := t.NotBefore; {
	case nbf.IsZero():
		r.Refuse("nbf.missing", "nbf", "", "the claim", spec)
	case nbf.Before(now.Add(-most - v.leeway)):
		r.Refuse("nbf.too_old", "nbf", nbf.UTC().Format(time.RFC3339), "at most 60 minutes ago", spec)
	case t.Expiry.Sub(nbf) > most:
		r.Refuse("exp.lifetime", "exp", t.Expiry.UTC().Format(time.RFC3339), "at most 60 minutes after nbf", spec)
	}
}

// Sign makes a request object. It refuses one that a [Verifier] would refuse whatever its policy is. The Issuer, if any, is the
// client_id, the Audience the server's issuer identifier, and there is no Subject. FAPI has NotBefore, and Expiry
// at most 60 minutes later.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c, false).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}

// fields are the parameters that Claims has fields for.
func (c *Claims) fields() map[string]*string {
	return map[string]*string{
		"client_id": &c.ClientID, "response_type": &c.ResponseType, "response_mode": &c.ResponseMode,
		"redirect_uri": &c.RedirectURI, "scope": &c.Scope, "state": &c.State, "nonce": &c.Nonce,
		"code_challenge": &c.CodeChallenge, "code_challenge_method": &c.CodeChallengeMethod,
		"login_hint": &c.LoginHint, "id_token_hint": &c.IDTokenHint,
	}
}

// NewClaims returns the claims of a request with parameters p, such as the query of a URL that golang.org/x/oauth2
// has made: max_age becomes a number, claims and authorization_details become the JSON that they are, several values an array.
func NewClaims(p url.Values) Claims {
	var c Claims
	fields := c.fields()
	for name, values := range p {
		switch f := fields[name]; {
		case len(values) == 0 || len(values) == 1 && values[0] == "":
		case f != nil:
			*f = values[0]
		default:
			if c.Other == nil {
				c.Other = map[string]json.RawMessage{}
			}
			c.Other[name] = raw(name, values)
		}
	}
	return c
}

// raw is the JSON of a parameter.
func raw(name string, values []string) json.RawMessage {
	if first := []byte(values[0]); len(values) == 1 &&
		(name == "max_age" && integer(values[0]) || (name == "claims" || name == "authorization_details") && (first[0] == '{' || first[0] == '[') && json.Valid(first)) {
		return first
	}
	var v any = values
	if len(values) == 1 {
		v = values[0]
	}
	out, _ := json.Marshal(v) // strings have JSON
	return out
}

// Parameters returns the claims as the parameters of an authorization request. It is for verified claims: a value in
// Other that is null or a fraction, or no JSON, is left out.
func (c *Claims) Parameters() url.Values {
	p := url.Values{}
	for name, f := range c.fields() {
		if *f != "" {
			p.Set(name, *f)
		}
	}
	for name, value := range c.Other {
		if values := parameter(name, value); len(values) > 0 {
			p[name] = values
		}
	}
	return p
}

// parameter returns the values of a parameter: a string as it is, numbers, objects and arrays as their JSON. There
// are none where it has none, or a value that no parameter has.
func parameter(name string, raw json.RawMessage) (values []string) {
	var s string
	switch {
	case !valid(name, raw):
	case name == "resource" && raw[0] == '[':
		_ = json.Unmarshal(raw, &values) // valid has done it before
	case raw[0] != '"':
		return []string{string(raw)}
	// RFC 6749, Section 3.1: a parameter without a value is absent.
	case json.Unmarshal(raw, &s) == nil && s != "":
		return []string{s}
	}
	return values
}

// valid reports whether JSON can be the value of a parameter. Only resource may have several (RFC 8707, Section 2;
// RFC 6749, Section 3.1).
func valid(name string, raw json.RawMessage) bool {
	if len(raw) == 0 {
		return false
	}
	switch c := raw[0]; {
	case name == "resource" && c != '"':
		var all []string
		return c == '[' && json.Unmarshal(raw, &all) == nil
	case c == '-', '0' <= c && c <= '9':
		return integer(string(raw))
	}
	return raw[0] != 'n' // null
}

func integer(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// responseTypes reports whether two values of response_type are one: their order does not matter (RFC 6749, Section 3.1.1).
func responseTypes(a, b string) bool {
	return slices.Equal(slices.Sorted(slices.Values(strings.Fields(a))), slices.Sorted(slices.Values(strings.Fields(b))))
}
