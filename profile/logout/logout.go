// Package logout makes and verifies logout tokens, by which an OpenID provider tells a client, server to
// server, to end a user's sessions (OpenID Connect Back-Channel Logout 1.0, "the specification" below).
//
// A client makes one [Verifier] for its provider, and serves its backchannel_logout_uri with it:
//
//	v, err := logout.NewVerifier(keys, logout.Policy{Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(1e5)})
//	mux.Handle("/backchannel-logout", v.Handler(func(ctx context.Context, t *jwt.Token[logout.Claims]) error {
//		return sessions.End(ctx, t.Issuer, t.Subject, t.Claims.SessionID)
//	}))
//
// Where the token has a session, that one ends; where it has only a subject, all of theirs. A provider makes tokens with [Sign];
// an encrypted one is made with jwt.SignEncrypted of the same claims and typ, and read with Policy.JWT.Decryption.
//
// # Told apart by
//
// The typ logout+jwt, and nothing else; with LegacyUntyped none or JWT too, and then no claim by which another kind
// is known (kind.mismatch). The claim events has the logout event in either case, and there is no nonce, so that no
// logout token passes for an ID token.
//
// # Codes
//
// Beside those of package jwt: aud.untrusted, aud.ambiguous, events.mismatch, nonce.forbidden, kind.mismatch. They
// are stable.
package logout

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// Type is the typ of a logout token (the specification, Section 2.4).
const Type = "logout+jwt"

// event is the member of the claim events that makes a token a logout token (the specification, Section 2.4).
const event = "http://schemas.openid.net/event/backchannel-logout"

// Claims are what the specification defines beside the registered claims. The claim events is written and read by this package.
type Claims struct {
	SessionID string `json:"sid,omitempty"` // of the session that ends; that of the ID token it began with

	own
	foreign
}

type own struct {
	Events events          `json:"events"` // written always
	Nonce  profile.Present `json:"nonce,omitempty"`
}

// foreign is what other kinds have. Only LegacyUntyped looks at it.
type foreign struct{ profile.Foreign }

// events is what the claim says.
type events uint8

const (
	noEvents events = iota
	otherEvents
	logoutEvent
)

// UnmarshalJSON notices the logout event, whose value is an object. Other events do not count.
func (e *events) UnmarshalJSON(data []byte) error {
	*e = otherEvents
	return strictjson.Object(data, strictjson.Limits{}, func(name string, raw []byte) error {
		if name == event && raw[0] == '{' {
			*e = logoutEvent
		}
		return nil
	})
}

// MarshalJSON writes the logout event.
func (e events) MarshalJSON() ([]byte, error) { return []byte(`{"` + event + `":{}}`), nil }

// Policy says whose logout tokens for whom a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuers are the accepted values of iss, compared exactly: one, or several spellings of one provider.
	Issuers []string
	// ClientID is the client that verifies: it must be in aud.
	ClientID string
	// TrustedAudiences are what else may be in aud.
	TrustedAudiences []string

	// LegacyUntyped accepts tokens with the typ JWT or none beside logout+jwt, which the specification recommends and
	// many providers do not write.
	LegacyUntyped bool
	// LegacyNoExpiry accepts tokens without exp, which drafts of the specification did not have.
	LegacyNoExpiry bool

	// Replay remembers the tokens that were used. There is no Verifier without it: each is good once.
	Replay jwt.Replay

	// JWT is the rest of the policy: Leeway, Clock, Decryption, limits, and Algorithms, which are those of ID tokens
	// (the specification, Section 2.6, rule 3). Its MaxAge, zero for 5 minutes, is how old a token may be. Issuers,
	// audiences, types and Replay stay empty there: they are decided here.
	JWT jwt.Policy
}

// Verifier verifies logout tokens. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt      *jwt.Verifier[Claims]
	trusted  []string
	noExpiry bool
	size     int
}

// NewVerifier makes a Verifier of p and of the provider's keys, the same as for ID tokens. It refuses an incomplete
// policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	switch {
	case p.ClientID == "":
		return nil, profile.Incomplete("name the ClientID")
	case p.Replay == nil:
		return nil, profile.Incomplete("there is no Replay: a logout token is good once (the specification, Section 2.6)")
	}
	own := jwt.Policy{Issuers: p.Issuers, Audiences: []string{p.ClientID}, Type: Type, OptionalExpiry: p.LegacyNoExpiry, Replay: p.Replay}
	if p.LegacyUntyped {
		own.Types = []string{"JWT"}
	}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	if policy.MaxAge == 0 {
		policy.MaxAge = 5 * time.Minute
	}
	v, err := jwt.NewVerifier[Claims](keys, policy)
	if err != nil {
		return nil, err
	}
	return &Verifier{v, append([]string{p.ClientID}, p.TrustedAudiences...), p.LegacyNoExpiry, profile.MaxSize(policy)}, nil
}

// Verify verifies one logout token and returns what it says. The refusal of a token is a *jwt.RejectError.
//
// Whether the provider is the one that the sessions came from is for the caller: look them up by t.Issuer too.
func (v *Verifier) Verify(ctx context.Context, raw string) (*jwt.Token[Claims], error) {
	return v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, t.Key.Algorithm())
		if !v.noExpiry {
			r.Require(&t.Registered, "OpenID Connect Back-Channel Logout 1.0, Section 2.4", "exp")
		}
		// Section 2.6, rule 4: aud as in an ID token.
		r.RefuseUntrusted(&t.Registered, v.trusted)
		if profile.Plain(t.Header().Type) && t.Claims.foreign != (foreign{}) {
			r.RefuseForeign(t.Claims.foreign)
		}
		return r
	})
}

// rules are those of the specification that hold for every logout token.
func rules(c *jwt.Registered, o *Claims, alg jwa.Algorithm) (r profile.Refusals) {
	const spec = "OpenID Connect Back-Channel Logout 1.0, Section 2.4"
	r.Require(c, spec, "iss", "aud", "iat", "jti")
	r.RefuseAmbiguous(c, alg)
	// Section 2.6, rule 5.
	if c.Subject == "" && o.SessionID == "" {
		r.Refuse("claim.missing", "sub", "", "the claim, or sid", spec)
	}
	// Section 2.6, rule 6.
	switch o.Events {
	case noEvents:
		r.RefuseMissing("events", spec)
	case otherEvents:
		r.Refuse("events.mismatch", "events", "", "the member "+event+", an object", spec)
	}
	// Section 2.6, rule 7.
	if bool(o.Nonce) {
		r.Refuse("nonce.forbidden", "nonce", "", "no such claim, so that it does not pass for an ID token", spec)
	}
	return r
}

// Handler is the endpoint to which the provider posts its logout tokens (the specification, Sections 2.5 and 2.8). For
// each that verifies it calls end, which ends the sessions; that there are none is a success (Section 2.7).
//
// The token is used up when end is called: where end fails, it must see to a second attempt itself. The provider is
// told that the logout failed, and of a refused token its codes.
func (v *Verifier) Handler(end func(ctx context.Context, t *jwt.Token[Claims]) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Section 2.8: the response SHOULD not be stored, lest it answer a later request.
		w.Header().Set("Cache-Control", "no-store")
		raw, err := v.read(w, r)
		var t *jwt.Token[Claims]
		if err == nil {
			t, err = v.Verify(r.Context(), raw)
		}
		if err == nil {
			err = end(r.Context(), t)
		}
		if err == nil {
			w.WriteHeader(http.StatusOK)
			return
		}
		// Section 2.8: whatever went wrong is a 400; the body is for people.
		refusal := &oauth.Error{Code: oauth.ServerError, Status: http.StatusBadRequest}
		if e, ok := errors.AsType[*jwt.RejectError](err); ok {
			refusal.Code, refusal.Description = oauth.InvalidRequest, "the logout token is refused: "+profile.Told(e)
		} else if e, ok := errors.AsType[*oauth.Error](err); ok {
			refusal = e
		}
		refusal.Write(w)
	})
}

// read returns the logout token of a request (the specification, Section 2.5).
func (v *Verifier) read(w http.ResponseWriter, r *http.Request) (string, error) {
	refused := func(status int, description string) (string, error) {
		return "", &oauth.Error{Code: oauth.InvalidRequest, Description: description, Status: status}
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return refused(http.StatusMethodNotAllowed, "the logout token is sent with POST")
	}
	if m, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || m != "application/x-www-form-urlencoded" {
		return refused(http.StatusBadRequest, "the body is no form")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(v.size)+other))
	if err != nil {
		return refused(http.StatusBadRequest, "the body cannot be read, or is too large")
	}
	// The query of the URL is not looked at. Other parameters MUST be ignored.
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form["logout_token"]) != 1 {
		return refused(http.StatusBadRequest, "the body has no logout_token, or several")
	}
	return form.Get("logout_token"), nil
}

// other is how much, in bytes, there may be in the body beside the token.
const other = 4 << 10

// Sign makes a logout token with the typ of the specification. It refuses one that a [Verifier] would refuse whatever
// its policy is: r has Issuer, Audience, IssuedAt, an ID that is used once, Expiry, which should be two minutes away
// at most, and Subject unless c has a SessionID.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	c.Events = logoutEvent
	refusals := rules(&r, &c, key.Algorithm())
	refusals.Require(&r, "OpenID Connect Back-Channel Logout 1.0, Section 2.4", "exp")
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}
