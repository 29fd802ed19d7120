// Package ciba makes and verifies the tokens by which a client asks an OpenID provider to authenticate a user without a browser: the
// signed authentication request and the login_hint_token (OpenID Connect Client-Initiated Backchannel Authentication Flow Core 1.0,
// CIBA, Sections 7.1, 7.1.1 and 7.2; Financial-grade API: CIBA Profile).
//
// A provider makes one [Verifier] for all its clients, with a source of keys that looks them up by client. It authenticates the client,
// and takes all of the request from the token, as [FromForm] sees to:
//
//	v, err := ciba.NewVerifier(clients, ciba.Policy{Issuer: "https://op.example", AnyClient: true, Replay: jwt.NewReplayCache(1e6)})
//	raw, err := ciba.FromForm(r.PostForm)
//	t, err := v.Verify(ctx, raw, ciba.Expect{ClientID: client, Delivery: ciba.Poll})
//
// Whom it is about is in one of t.Claims.LoginHint, IDTokenHint and LoginHintToken; the last is a token too, which a [HintVerifier]
// verifies. A client makes requests with [Sign]; whoever knows the users makes hints with [SignHint].
//
// # Told apart by
//
// Neither has a typ of its own: none or JWT is accepted, and so no token of a registered type. A request has scope and exactly one
// of the three hints, and no client_id, response_type or redirect_uri, as a request object has; its sub is not its iss, as in a
// client assertion. A hint has sub_id, and no events, as a security event token has, nor any hint or nonce.
//
// # Codes
//
// Beside those of package jwt: client_id.mismatch, hint.missing, hint.multiple, scope.no_openid, client_notification_token.invalid,
// binding_message.invalid, nbf.missing, jti.too_long, kind.mismatch, and sub_id.invalid and sub_id.unknown_format of package
// subjectid. They are stable.
package ciba

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// Delivery is how a client gets the tokens, as backchannel_token_delivery_mode of its metadata says (Section 4).
type Delivery string

// The modes. The FAPI profile has no push.
const (
	Poll Delivery = "poll"
	Ping Delivery = "ping"
	Push Delivery = "push"
)

// Claims are the parameters of an authentication request (Section 7.1). Those of extensions are reached with the Claim
// method of the token.
type Claims struct {
	Scope                   string  `json:"scope,omitempty"`                     // with openid among others
	ClientNotificationToken string  `json:"client_notification_token,omitempty"` // a bearer token for the provider, with ping and push
	ACRValues               string  `json:"acr_values,omitempty"`                // separated by spaces, the preferred one first
	LoginHintToken          string  `json:"login_hint_token,omitempty"`          // see [HintVerifier]
	IDTokenHint             string  `json:"id_token_hint,omitempty"`             // an ID token of an earlier login
	LoginHint               string  `json:"login_hint,omitempty"`                // such as an email address
	BindingMessage          string  `json:"binding_message,omitempty"`           // shown on both devices
	UserCode                string  `json:"user_code,omitempty"`                 // that only the user knows
	RequestedExpiry         Seconds `json:"requested_expiry,omitempty"`          // how long the request should be good

	foreign
}

// foreign is what other kinds have.
type foreign struct {
	profile.Foreign
	ClientID profile.Present `json:"client_id,omitempty"` // request objects: here iss is the client
}

// Seconds is a positive number of seconds, which stands in JSON as a number or as a string of digits (Section 7.1.1).
type Seconds int64

var errSeconds = errors.New("ciba: a positive number of seconds is wanted, as a number or as a string of digits")

// UnmarshalJSON reads either form.
func (s *Seconds) UnmarshalJSON(data []byte) error {
	text := string(data)
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(quoted, `"`)
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || text[0] == '0' {
		return errSeconds
	}
	*s = Seconds(n)
	return nil
}

// Policy says whose requests to which provider a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the provider's issuer identifier, which has to be in aud.
	Issuer string
	// ClientID is the one client whose keys they are.
	ClientID string
	// AnyClient accepts all clients, each by its own keys: the source finds them by the claim iss, see JWT.Selector, and must
	// look it up in a closed map. A jwk.Set does not know whose its keys are, and is refused.
	AnyClient bool
	// MaxLifetime is the longest time from nbf to exp. Zero is an hour, as the FAPI profile has it.
	MaxLifetime time.Duration
	// Replay remembers the requests that were used. There is no Verifier without it: each is good once.
	Replay jwt.Replay

	// JWT is the rest of the policy: Algorithms, which are all asymmetric ones of package jwa where there are none (FAPI has PS256 and
	// ES256), Required (binding_message, where nothing else binds the two devices), Leeway, Clock, Decryption, limits. Issuers,
	// audiences, types and Replay stay empty there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the client that sent the request. The zero Expect is refused.
type Expect struct {
	// ClientID is the client that has authenticated (Section 7.2, rule 1).
	ClientID string
	// Delivery is the mode that it has registered.
	Delivery Delivery
}

// Verifier verifies signed authentication requests. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt      *jwt.Verifier[Claims]
	lifetime time.Duration
}

// NewVerifier makes a Verifier of p and of the keys that clients have registered. It refuses an incomplete policy with
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
	case p.Replay == nil:
		return nil, profile.Incomplete("there is no Replay: a request is good once (CIBA Core, Section 7.1.1)")
	case p.MaxLifetime < 0:
		return nil, profile.Incomplete("MaxLifetime is negative")
	}
	own := jwt.Policy{Audiences: []string{p.Issuer}, Replay: p.Replay}
	if p.AnyClient {
		own.AnyIssuer = true // Expect has the client; the keys are found by iss
		if p.JWT.Selector == "" {
			p.JWT.Selector = "iss"
		}
	} else {
		own.Issuers = []string{p.ClientID}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	// Section 7.1.1: with an asymmetric signature.
	if policy.Algorithms, err = profile.Asymmetric(policy.Algorithms); err != nil {
		return nil, err
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	if p.MaxLifetime == 0 {
		p.MaxLifetime = time.Hour
	}
	return &Verifier{v, p.MaxLifetime}, nil
}

// Verify verifies one request and returns what it says. The refusal of a token is a *jwt.RejectError.
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	switch {
	case x.ClientID == "":
		return nil, profile.Incomplete("Expect has no ClientID: the client has to authenticate (CIBA Core, Section 7.2)")
	case x.Delivery != Poll && x.Delivery != Ping && x.Delivery != Push:
		return nil, profile.Incomplete("Expect has no Delivery")
	}
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims)
		if t.Issuer != x.ClientID && t.Issuer != "" {
			r.Refuse("client_id.mismatch", "iss", t.Issuer, "the client that has authenticated", section711)
		}
		if x.Delivery != Poll && t.Claims.ClientNotificationToken == "" {
			r.RefuseMissing("client_notification_token", section71)
		}
		// From nbf on, which is not in the future. Until exp, jti is remembered.
		if !t.NotBefore.IsZero() && t.Expiry.Sub(t.NotBefore) > v.lifetime {
			r.Refuse("exp.lifetime", "exp", t.Expiry.UTC().Format(time.RFC3339), "at most "+v.lifetime.String()+" after nbf", "FAPI: CIBA Profile, Section 5.2.2")
		}
		return r
	})
}

const (
	section71  = "CIBA Core 1.0, Section 7.1"
	section711 = "CIBA Core 1.0, Section 7.1.1"

	maxToken   = 1024 // characters of client_notification_token
	maxMessage = 256  // characters of binding_message: both screens show it
	maxID      = 256  // bytes of jti, which a Replay keeps
)

// rules are those of the specification that hold for every request.
func rules(c *jwt.Registered, o *Claims) (r profile.Refusals) {
	r.Require(c, section711, "iss", "aud", "exp", "iat", "jti")
	if c.NotBefore.IsZero() {
		r.Refuse("nbf.missing", "nbf", "", "the claim", section711)
	}
	if len(c.ID) > maxID {
		r.Refuse("jti.too_long", "jti", c.ID, "at most 256 bytes", section711)
	}
	// Section 7.1: one and only one; Section 7.2, rule 3.
	switch hints := count(o.LoginHint, o.LoginHintToken, o.IDTokenHint); {
	case hints == 0:
		r.Refuse("hint.missing", "login_hint", "", "login_hint, login_hint_token or id_token_hint", section71)
	case hints > 1:
		r.Refuse("hint.multiple", "login_hint", "", "one hint of three", section71)
	}
	// It is an OpenID Connect request.
	switch {
	case o.Scope == "":
		r.RefuseMissing("scope", section71)
	case !hasOpenID(o.Scope):
		r.Refuse("scope.no_openid", "scope", o.Scope, "openid among others", section71)
	}
	if t := o.ClientNotificationToken; len(t) > maxToken || t != "" && !isBearer(t) {
		r.Refuse("client_notification_token.invalid", "client_notification_token", "", "at most 1024 characters of a bearer token (RFC 6750, Section 2.1)", section71)
	}
	// Plain text, and short: control characters could make it something else on the screen.
	if m := o.BindingMessage; utf8.RuneCountInString(m) > maxMessage || strings.ContainsFunc(m, func(c rune) bool { return !unicode.IsPrint(c) }) {
		r.Refuse("binding_message.invalid", "binding_message", "", "at most 256 characters that can be shown", section71)
	}
	// RFC 8725, Section 3.12: a client assertion is so.
	if c.Subject != "" && c.Subject == c.Issuer {
		r.Refuse("kind.mismatch", "sub", c.Subject, "no sub that is the client", "RFC 8725, Section 3.12")
	}
	if o.foreign != (foreign{}) {
		r.RefuseForeign(o.foreign)
	}
	return r
}

// count returns how many of values are there.
func count(values ...string) (n int) {
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

// hasOpenID reports whether a scope has openid among its values.
func hasOpenID(scope string) bool {
	for s := range strings.SplitSeq(scope, " ") {
		if s == "openid" {
			return true
		}
	}
	return false
}

// isBearer reports whether token has the syntax of b64token (RFC 6750, Section 2.1).
func isBearer(token string) bool {
	token = strings.TrimRight(token, "=")
	return token != "" && !strings.ContainsFunc(token, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~+/", c))
	})
}

// Sign makes a signed authentication request. It refuses one that a [Verifier] would refuse whatever its policy is: r has the
// client_id as Issuer, the provider's issuer identifier as Audience, and all else but Subject.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	refusals := rules(&r, &c)
	if key.Algorithm().Symmetric() {
		refusals.Refuse("alg.not_allowed", "alg", key.Algorithm().Name(), "an asymmetric algorithm", section711)
	}
	if c.RequestedExpiry < 0 {
		refusals.Refuse("claim.type", "requested_expiry", "", "a positive number of seconds", section71)
	}
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{}, r, c)
}

// beside are the parameters that may be there with a signed request: those by which clients authenticate (RFC 6749, Section 2.3.1; RFC
// 7521, Section 4.2; RFC 8705, Section 2).
var beside = []string{"request", "client_id", "client_secret", "client_assertion", "client_assertion_type"}

// FromForm returns the signed request of a form, which has nothing beside it but what the client authenticates with: each parameter
// that is outside of the token is refused, though it be in it as well (Section 7.1.1). The error is an *oauth.Error for the client.
func FromForm(form url.Values) (string, error) {
	invalid := func(description string) error {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
	}
	switch {
	case profile.Repeated(form):
		return "", invalid("a parameter is there more than once")
	case form.Get("request") == "":
		return "", invalid("the parameter request is missing")
	}
	for name := range form {
		if !slices.Contains(beside, name) {
			return "", invalid("with a signed request all other parameters are in it")
		}
	}
	return form.Get("request"), nil
}
