// Package userinfo reads and signs what an OpenID provider's UserInfo endpoint says of a user, as JSON or as
// a JWT that is signed, encrypted or both (OpenID Connect Core 1.0, Sections 5.1 and 5.3).
//
// A client makes one [Verifier] of what it has registered, and gives it each response with the subject of the ID
// token that came with the access token:
//
//	v, err := userinfo.NewVerifier(keys, userinfo.Policy{Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3"})
//	user, err := v.Read(ctx, res.Header.Get("Content-Type"), body, userinfo.Expect{Subject: id.Subject})
//
// user.Claims has the standard claims; all others, those with a language in their name too, are reached with
// user.Claim("family_name#ja-Kana-JP", &name). A provider makes signed responses with [Sign]; an encrypted one is
// made with jwt.SignEncrypted of the same claims, and read with Policy.JWT.Decryption.
//
// # Told apart by
//
// A signed response has no typ of its own: none or JWT is accepted, and so no token of a registered type. It has iss,
// aud and sub, which is not iss. It has no exp, which ID tokens must have (see Policy.AllowExpiry), no nonce, no
// at_hash, no scope, and no claim by which another kind is known (kind.mismatch).
//
// # Codes
//
// Beside those of package jwt: sub.mismatch, aud.untrusted, aud.ambiguous, kind.mismatch, content_type.mismatch. They
// are stable.
package userinfo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// MediaType is the Content-Type of a response that is signed or encrypted (Section 5.3.2).
const MediaType = "application/jwt"

// Claims are the standard claims (Section 5.1), all of them optional. A member that is null is taken for absent. What
// they say of the user is what the provider knows: an email address that is not verified may be anyone's.
type Claims struct {
	Name                string   `json:"name,omitempty" null:"absent"`
	GivenName           string   `json:"given_name,omitempty" null:"absent"`
	FamilyName          string   `json:"family_name,omitempty" null:"absent"`
	MiddleName          string   `json:"middle_name,omitempty" null:"absent"`
	Nickname            string   `json:"nickname,omitempty" null:"absent"`
	PreferredUsername   string   `json:"preferred_username,omitempty" null:"absent"` // not unique, and not to be relied on
	Profile             string   `json:"profile,omitempty" null:"absent"`            // URL
	Picture             string   `json:"picture,omitempty" null:"absent"`            // URL
	Website             string   `json:"website,omitempty" null:"absent"`            // URL
	Email               string   `json:"email,omitempty" null:"absent"`              // not unique, and not to be relied on
	EmailVerified       Bool     `json:"email_verified,omitempty" null:"absent"`
	Gender              string   `json:"gender,omitempty" null:"absent"`
	Birthdate           string   `json:"birthdate,omitempty" null:"absent"` // 2006-01-02, 0000-01-02 without the year, or the year alone
	Zoneinfo            string   `json:"zoneinfo,omitempty" null:"absent"`  // as Europe/Paris
	Locale              string   `json:"locale,omitempty" null:"absent"`    // as en-US, or en_US
	PhoneNumber         string   `json:"phone_number,omitempty" null:"absent"`
	PhoneNumberVerified Bool     `json:"phone_number_verified,omitempty" null:"absent"`
	Address             *Address `json:"address,omitempty"`
	UpdatedAt           Time     `json:"updated_at,omitzero" null:"absent"`

	foreign
}

// Address is the claim address (Section 5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty" null:"absent"`
	StreetAddress string `json:"street_address,omitempty" null:"absent"`
	Locality      string `json:"locality,omitempty" null:"absent"`
	Region        string `json:"region,omitempty" null:"absent"`
	PostalCode    string `json:"postal_code,omitempty" null:"absent"`
	Country       string `json:"country,omitempty" null:"absent"`
}

// Bool is a claim that is true or false. It is written as Section 5.1 has it and read from a string as well, which
// Apple and Cognito send.
type Bool bool

// UnmarshalJSON reads true, false, "true" and "false".
func (b *Bool) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case `true`, `"true"`:
		*b = true
	case `false`, `"false"`:
		*b = false
	default:
		return fmt.Errorf("userinfo: neither true nor false")
	}
	return nil
}

// Time is the claim updated_at. It is written as Section 5.1 has it, in seconds, and read from a string as well,
// which Auth0 sends in the format of RFC 3339.
type Time struct{ time.Time }

// MarshalJSON writes the seconds since the epoch.
func (t Time) MarshalJSON() ([]byte, error) { return jwt.NumericDate{Time: t.Time}.MarshalJSON() }

// UnmarshalJSON reads a number of seconds since the epoch, or a string in the format of RFC 3339.
func (t *Time) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return t.Time.UnmarshalJSON(data)
	}
	var d jwt.NumericDate
	err := d.UnmarshalJSON(data)
	t.Time = d.Time
	return err
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	Nonce    profile.Present `json:"nonce,omitempty"`     // ID tokens
	ATHash   profile.Present `json:"at_hash,omitempty"`   // the same
	CHash    profile.Present `json:"c_hash,omitempty"`    // the same
	Scope    profile.Present `json:"scope,omitempty"`     // access tokens
	SCP      profile.Present `json:"scp,omitempty"`       // the same, of Entra ID and Okta
	ClientID profile.Present `json:"client_id,omitempty"` // the same, and request objects
	TokenUse profile.Present `json:"token_use,omitempty"` // tokens of Cognito
	Typ      profile.Present `json:"typ,omitempty"`       // tokens of Keycloak
}

// Policy says whose responses for whom a [Verifier] accepts, and in which form: that which the client has registered.
// The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly: one, or several spellings of one provider.
	Issuers []string
	// ClientID is the client that verifies: it must be in aud.
	ClientID string
	// TrustedAudiences are what else may be in aud.
	TrustedAudiences []string
	// AllowExpiry accepts responses with exp, which is enforced: no specification speaks of it, and Authlete sends it. It is
	// by exp that a response is told from an ID token without a nonce, so that with AllowExpiry one of the
	// same user for the same client passes. That the endpoint sent it is then what vouches for the kind.
	AllowExpiry bool

	// Unsigned asks for a response that is not signed and accepts no other: JSON, or with JWT.Decryption JSON that is
	// encrypted. The connection to the provider is all that vouches for it. There are no keys then, and neither Issuers
	// nor audiences.
	Unsigned bool

	// JWT is the rest of the policy: Algorithms, Leeway, Clock, Decryption, limits. Issuers, audiences and types stay
	// empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the user. The zero Expect is refused.
type Expect struct {
	// Subject is the sub of the ID token. A response with another is not to be used (Section 5.3.2): the access token
	// may have been swapped for that of someone else (Section 16.11).
	Subject string
}

// Verifier verifies UserInfo responses. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt        *jwt.Verifier[Claims] // nil where responses are not signed
	trusted    []string
	expiry     bool
	decryption *jwt.Decryption // of what is not signed
	size       int
}

// NewVerifier makes a Verifier of p and of the provider's keys, which are nil with Unsigned; with HS256 and its like
// the key is the client_secret, as a jwk.SecretKey. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	if p.Unsigned {
		switch {
		case keys != nil:
			return nil, profile.Incomplete("Unsigned responses are verified with no keys")
		case len(p.Issuers) > 0 || p.ClientID != "" || len(p.TrustedAudiences) > 0:
			return nil, profile.Incomplete("Unsigned responses name neither Issuers nor audiences")
		case p.JWT.Decryption != nil && p.JWT.Decryption.Keys == nil:
			return nil, profile.Incomplete("Decryption has no Keys")
		}
		return &Verifier{decryption: p.JWT.Decryption, size: profile.MaxSize(p.JWT)}, nil
	}
	if p.ClientID == "" {
		return nil, profile.Incomplete("name the ClientID")
	}
	policy, err := profile.Merge(p.JWT, jwt.Policy{Issuers: p.Issuers, Audiences: []string{p.ClientID}, OptionalExpiry: true})
	if err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &Verifier{jwt: v, trusted: append([]string{p.ClientID}, p.TrustedAudiences...), expiry: p.AllowExpiry}, nil
}

// Response is a response that was accepted.
type Response struct {
	Subject string // the user, in the name space of the provider
	Claims  Claims

	payload []byte
}

// Claim decodes the claim called name into v and reports whether the response has it, as the method of jwt.Token does.
// The name of one in a language ends in # and the language, compared exactly (Section 5.2).
func (r *Response) Claim(name string, v any) (bool, error) {
	found := false
	err := strictjson.Object(r.payload, strictjson.Limits{}, func(member string, raw []byte) error {
		if member != name {
			return nil
		}
		found = true
		return strictjson.Unmarshal(bytes.Clone(raw), v, strictjson.Limits{})
	})
	return found, err
}

// Read reads the body of the provider's response, whose status was 200, by its Content-Type. The refusal of a signed
// response is a *jwt.RejectError; that of JSON, or of a form that was not asked for, has a *jwt.ClaimError in it.
func (v *Verifier) Read(ctx context.Context, contentType string, body []byte, x Expect) (*Response, error) {
	if err := x.complete(); err != nil {
		return nil, err
	}
	var r profile.Refusals
	// Section 5.3.2.
	if v.jwt != nil || v.decryption != nil {
		r.RefuseMedia(contentType, MediaType, "OpenID Connect Core 1.0, Section 5.3.2")
	} else {
		r.RefuseMedia(contentType, "application/json", "OpenID Connect Core 1.0, Section 5.3.2")
	}
	if len(r) > 0 {
		return nil, r.Err()
	}
	if v.jwt != nil {
		t, err := v.Verify(ctx, string(body), x)
		if err != nil {
			return nil, err
		}
		return &Response{t.Subject, t.Claims, t.Payload()}, nil
	}
	if d := v.decryption; d != nil {
		m, err := jwe.Decrypt(ctx, d.Keys, string(body), jwe.Options{Algorithms: d.Algorithms, Encryptions: d.Encryptions, MaxSize: v.size})
		if err != nil {
			return nil, err
		}
		body = m.Plaintext
	}
	return v.plain(body, x)
}

// plain reads a response that is not signed.
func (v *Verifier) plain(body []byte, x Expect) (*Response, error) {
	var r profile.Refusals
	var w wire
	payload := bytes.Clone(body)
	if err := wireDecoder.Decode(bytes.Clone(body), &w, strictjson.Limits{Bytes: v.size}); err != nil {
		r.RefuseUnreadable(err)
		return nil, r.Err()
	}
	x.check(&r, w.Subject)
	if len(r) > 0 {
		return nil, r.Err()
	}
	return &Response{w.Subject, w.Claims, payload}, nil
}

// wire is a response that is not signed.
type wire struct {
	Subject string `json:"sub,omitempty"`
	Claims  Claims `json:",inline"`
}

var wireDecoder, _ = strictjson.NewDecoder[wire]()

func (x *Expect) complete() error {
	if x.Subject == "" {
		return profile.Incomplete("Expect has no Subject: take that of the ID token")
	}
	return nil
}

// check holds a response to what is expected of it.
func (x *Expect) check(r *profile.Refusals, sub string) {
	const spec = "OpenID Connect Core 1.0, Section 5.3.2"
	switch sub {
	case x.Subject:
	case "":
		r.RefuseMissing("sub", spec)
	default:
		r.Refuse("sub.mismatch", "sub", sub, "the user of the ID token", spec)
	}
}

// Verify verifies one signed response and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if v.jwt == nil {
		return nil, profile.Incomplete("Unsigned responses are for Read")
	}
	if err := x.complete(); err != nil {
		return nil, err
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, t.Key.Algorithm(), v.expiry)
		r.RefuseUntrusted(&t.Registered, v.trusted)
		x.check(&r, t.Subject)
		return r
	})
}

// rules are those of the specification that hold for every signed response.
func rules(c *jwt.Registered, o *Claims, alg jwa.Algorithm, expiry bool) (r profile.Refusals) {
	// Section 5.3.2: what is signed has iss and aud (MUST since errata set 2), and sub as every response.
	r.Require(c, "OpenID Connect Core 1.0, Section 5.3.2", "iss", "aud", "sub")
	r.RefuseAmbiguous(c, alg)
	// RFC 8725, Section 3.12: an ID token has exp, a client assertion has iss as its sub.
	if !expiry && !c.Expiry.IsZero() {
		r.Refuse("kind.mismatch", "exp", "", "no such claim in a token of this kind", "RFC 8725, Section 3.12")
	}
	if c.Subject != "" && c.Subject == c.Issuer {
		r.Refuse("kind.mismatch", "sub", c.Subject, "a user, who is not the issuer", "RFC 8725, Section 3.12")
	}
	if o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// Sign makes a signed response: r has the provider's issuer identifier, the client as Audience, and the Subject. It
// refuses one that a [Verifier] would refuse whatever its policy is, and one with Expiry.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if err := rules(&r, &c, key.Algorithm(), false).Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c, jwt.AllowMissingExpiry)
}
