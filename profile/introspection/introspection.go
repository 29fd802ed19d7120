// Package introspection asks and answers what an access token is worth: the response of an
// introspection endpoint as JSON (RFC 7662) and as a signed JWT (RFC 9701).
//
// An API that is given tokens it cannot read makes one [Verifier] for its authorization server, and gives it what
// the server answers:
//
//	v, err := introspection.NewVerifier(keys, introspection.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}})
//	// POST introspection.Form(token, "access_token"), with the API's own authentication and Accept: v.Accept()
//	answer, err := v.Read(ctx, res.Header.Get("Content-Type"), body)
//
// Only where answer.Active is true is the token good for anything. What answer says of its times, its audience and
// its confirmation is for the API to hold the request to, as with any access token; package guard does so. A server
// makes answers with [Sign], or writes a [Response] as JSON.
//
// # Told apart by
//
// The typ token-introspection+jwt, and nothing else. What is said of the token is inside the claim
// token_introspection, and sub and exp are not beside it, so that no answer passes for an access token (RFC 9701,
// Section 8.1).
//
// # Codes
//
// Beside those of package jwt: active.not_alone, cnf.invalid, kind.mismatch, content_type.mismatch. They are stable.
package introspection

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

// Type is the typ of an introspection response (RFC 9701, Section 5).
const Type = "token-introspection+jwt"

// MediaType is the Content-Type of a signed response, and the Accept of a request for one (RFC 9701, Sections 4 and 5).
const MediaType = "application/" + Type

// Response is what a server says of a token (RFC 7662, Section 2.2). The zero Response is what it says of one that
// is good for nothing. Members that are null are taken for absent.
type Response struct {
	Active    bool   `json:"active"`                            // whether the token is good for anything
	Scope     string `json:"scope,omitempty" null:"absent"`     // names with spaces between them
	ClientID  string `json:"client_id,omitempty" null:"absent"` // the client that got the token
	Username  string `json:"username,omitempty" null:"absent"`  // for people to read
	TokenType string `json:"token_type,omitempty" null:"absent"`

	Expiry    time.Time    `json:"exp,omitzero,format:unix" null:"absent"`
	IssuedAt  time.Time    `json:"iat,omitzero,format:unix" null:"absent"`
	NotBefore time.Time    `json:"nbf,omitzero,format:unix" null:"absent"`
	Subject   string       `json:"sub,omitempty" null:"absent"`
	Audience  jwt.Audience `json:"aud,omitempty,format:oneormany" null:"absent"`
	Issuer    string       `json:"iss,omitempty" null:"absent"`
	ID        string       `json:"jti,omitempty" null:"absent"`

	AuthTime             time.Time         `json:"auth_time,omitzero,format:unix" null:"absent"` // when the user logged in (RFC 9470, Section 6.2)
	ACR                  string            `json:"acr,omitempty" null:"absent"`                  // how well (RFC 9470, Section 6.2)
	Confirmation         *pop.Confirmation `json:"cnf,omitempty"`                                // whose the token is (RFC 9449, Section 6.2; RFC 8705, Section 3.2)
	AuthorizationDetails json.RawMessage   `json:"authorization_details,omitempty"`              // RFC 9396, Section 9.2

	// Other has every other member, as it is written: act, claims of the user, and what the server adds.
	Other map[string]json.RawMessage `json:",inline"`

	unsaid bool // active is missing
}

// members is a Response without its methods.
type members Response

// wire is a Response in which the absence of active shows.
type wire struct {
	Active *bool `json:"active"`
	members
}

var (
	wireDecoder, _    = strictjson.NewDecoder[wire]()
	membersEncoder, _ = strictjson.NewEncoder[members]()
)

// UnmarshalJSON reads a response strictly. One without active is not active, and refused by a [Verifier].
func (r *Response) UnmarshalJSON(data []byte) error { return r.read(data, 0) }

// read reads a response of at most size bytes.
func (r *Response) read(data []byte, size int) error {
	var w wire
	if err := wireDecoder.Decode(bytes.Clone(data), &w, strictjson.Limits{Bytes: size}); err != nil {
		return err
	}
	*r = Response(w.members)
	if r.unsaid = w.Active == nil; !r.unsaid {
		r.Active = *w.Active
	}
	return nil
}

// MarshalJSON writes a response. Of a token that is not active it says nothing else (RFC 7662, Section 2.2; RFC
// 9701, Section 5), whatever the other fields hold.
func (r Response) MarshalJSON() ([]byte, error) {
	if !r.Active {
		return []byte(`{"active":false}`), nil
	}
	return membersEncoder.Append(nil, (*members)(&r))
}

// Claims are what RFC 9701 defines beside the registered claims, and never nil in what a [Verifier] returns.
type Claims struct {
	Response *Response `json:"token_introspection,omitempty"`
}

// Policy says whose answers to whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly: the issuer identifier of the authorization server.
	Issuers []string
	// Audiences are the names by which the server knows the API that asks: one of them must be in aud.
	Audiences []string
	// LenientSubjectAndExpiry accepts answers with sub or exp beside token_introspection, which RFC 9701, Section 5,
	// says should not be there.
	LenientSubjectAndExpiry bool

	// Unsigned asks for JSON (RFC 7662) and accepts nothing else: the connection to the server is all that vouches
	// for it. There are no keys then, and neither Issuers nor Audiences.
	Unsigned bool

	// JWT is the rest of the policy: Algorithms, Leeway, Clock, Decryption, limits. Its MaxAge, zero for 5 minutes, is
	// how old an answer may be, which has no exp. Issuers, audiences and types stay empty there: they are decided here.
	JWT jwt.Policy
}

// Verifier verifies introspection responses. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt     *jwt.Verifier[Claims] // nil where responses are not signed
	lenient bool
	size    int
}

// NewVerifier makes a Verifier of p and of the server's keys, which are nil with Unsigned. It refuses an incomplete
// policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	v := &Verifier{lenient: p.LenientSubjectAndExpiry, size: profile.MaxSize(p.JWT)}
	if p.Unsigned {
		switch {
		case keys != nil:
			return nil, profile.Incomplete("Unsigned responses are verified with no keys")
		case len(p.Issuers) > 0 || len(p.Audiences) > 0:
			return nil, profile.Incomplete("Unsigned responses name neither Issuers nor Audiences")
		case p.JWT.Decryption != nil:
			return nil, profile.Incomplete("Unsigned responses are not encrypted (RFC 9701, Section 5)")
		}
		return v, nil
	}
	policy, err := profile.Merge(p.JWT, jwt.Policy{Issuers: p.Issuers, Audiences: p.Audiences, Type: Type, OptionalExpiry: true})
	if err != nil {
		return nil, err
	}
	if policy.MaxAge == 0 {
		policy.MaxAge = 5 * time.Minute
	}
	v.jwt, err = jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Accept returns the Accept header of the request.
func (v *Verifier) Accept() string {
	if v.jwt == nil {
		return "application/json"
	}
	return MediaType
}

// Form is the body of the request, application/x-www-form-urlencoded (RFC 7662, Section 2.1). The hint, such as
// access_token, may be empty. How the API authenticates, which the server asks for (RFC 9701, Section 5), is for the caller to add.
func Form(token, hint string) url.Values {
	form := url.Values{"token": {token}}
	if hint != "" {
		form.Set("token_type_hint", hint)
	}
	return form
}

// Read reads the body of the server's answer, whose status was 200, by its Content-Type. The refusal of a JWT is a
// *jwt.RejectError; that of JSON, or of a form that was not asked for, has a *jwt.ClaimError in it.
//
// Of a token that is not active, nothing but that is returned.
func (v *Verifier) Read(ctx context.Context, contentType string, body []byte) (*Response, error) {
	var r profile.Refusals
	r.RefuseMedia(contentType, v.Accept(), "RFC 9701, Section 5")
	if len(r) > 0 {
		return nil, r.Err()
	}
	if v.jwt != nil {
		t, err := v.Verify(ctx, string(body))
		if err != nil {
			return nil, err
		}
		return t.Claims.Response, nil
	}
	answer := &Response{}
	if err := answer.read(body, v.size); err != nil {
		r.RefuseUnreadable(err)
		return nil, r.Err()
	}
	if answer.said(&r); len(r) > 0 {
		return nil, r.Err()
	}
	if !answer.Active {
		// RFC 7662, Section 2.2: nothing else SHOULD be said; what is said all the same is nobody's business.
		return &Response{}, nil
	}
	return answer, nil
}

// Verify verifies one signed response and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string) (*jwt.Token[Claims], error) {
	if v.jwt == nil {
		return nil, profile.Incomplete("Unsigned responses are for Read")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		return rules(&t.Registered, &t.Claims, v.lenient)
	})
}

// rules are those of the specification that hold for every signed response.
func rules(c *jwt.Registered, o *Claims, lenient bool) (r profile.Refusals) {
	const spec = "RFC 9701, Section 5"
	r.Require(c, spec, "iss", "aud", "iat")
	if !lenient {
		// RFC 9701, Section 5: sub and exp SHOULD NOT be there, so that it does not pass for an access token.
		if c.Subject != "" {
			r.Refuse("kind.mismatch", "sub", "", "no such claim beside token_introspection", spec)
		}
		if !c.Expiry.IsZero() {
			r.Refuse("kind.mismatch", "exp", "", "no such claim beside token_introspection", spec)
		}
	}
	if o.Response == nil {
		r.RefuseMissing("token_introspection", spec)
		return r
	}
	o.Response.said(&r)
	// RFC 9701, Section 5: of a token that is not active, nothing else MUST be said.
	if !o.Response.Active && !o.Response.unsaid && !reflect.ValueOf(*o.Response).IsZero() {
		r.Refuse("active.not_alone", "token_introspection", "", "no other member where active is false", spec)
	}
	return r
}

// said refuses what holds for no response of either form.
func (r *Response) said(refusals *profile.Refusals) {
	if r.unsaid {
		refusals.RefuseMissing("active", "RFC 7662, Section 2.2")
	}
	if r.Active {
		refusals.RefuseUnbound(r.Confirmation)
	}
}

// Sign makes a signed response: r has the server's issuer identifier, the API as Audience, and IssuedAt; c has a
// Response, the zero one for a token that is not active, or not for this API. It refuses what a [Verifier] would refuse whatever its policy is.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c, false).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c, jwt.AllowMissingExpiry)
}
