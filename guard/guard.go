package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
)

// Policy says which requests a [Guard] lets through. The zero Policy is refused.
type Policy struct {
	// Resource is the identifier of the API, an https URL without fragment (RFC 9728, Section 1.2; RFC 8707, Section 2).
	Resource string

	// JWT verifies tokens that are JWTs. With its policy's CacheSize, a token that comes again costs a look-up.
	JWT *accesstoken.Verifier
	// Introspection asks the authorization server about tokens: about those that are not JWTs or, without JWT, about all.
	Introspection *Introspector

	// DPoP verifies the proofs that come with tokens that are bound to a key (RFC 9449). Without it such tokens are refused.
	DPoP *dpop.Verifier
	// PublicURL is what clients have before the path of a request, such as https://api.example or, where a proxy takes a
	// prefix away, https://api.example/v1. A proof names the whole URL. Headers of the request are not asked, since
	// anyone writes them. Empty is the origin of Resource.
	PublicURL string
	// ClientCertificate returns the certificate of the sender, for tokens that are bound to one (RFC 8705). Nil is
	// [TLSCertificate].
	ClientCertificate ClientCertificate
	// RequireBound refuses bearer tokens: each must be bound to a key or a certificate (FAPI 2.0 Security Profile, Section 5.3.4).
	RequireBound bool

	// Denylist, if not nil, refuses tokens that were revoked.
	Denylist Denylist

	// Metadata is the rest of what is published of the API (RFC 9728): the guard adds resource and what it knows
	// itself. Nil publishes nothing, and challenges do not name it.
	Metadata *oauth.ResourceMetadata
	// Refused, if not nil, is told why a request was refused; Unwrap of err has the reason that the sender is not told.
	Refused func(r *http.Request, err *oauth.Error)
	// Clock is the time now, for step-up; nil means time.Now.
	Clock func() time.Time
}

// Need is what a handler asks of a token beyond that it is valid. The zero Need asks for nothing.
type Need struct {
	// Scopes that the token must have, all of them.
	Scopes []string
	// Details, if not nil, says whether the authorization_details of the token, none where it has none, allow the
	// request (RFC 9396, Section 9).
	Details func(r *http.Request, details []oauth.AuthorizationDetail) bool
	// ACRValues, if not empty, are the ways of logging in that suffice, any of them (RFC 9470).
	ACRValues []string
	// MaxAge, if not zero, is the longest time since the user logged in (RFC 9470).
	MaxAge time.Duration
}

// Guard lets requests with a good token through. It is immutable and safe for concurrent use.
type Guard struct {
	policy   Policy
	public   string // PublicURL
	metadata string // URL of the metadata; empty without
	document []byte
}

// New makes a Guard. It refuses an incomplete or contradictory policy with jwt.ErrPolicy.
func New(p Policy) (*Guard, error) {
	resource, err := url.Parse(p.Resource)
	switch {
	case err != nil || resource.Scheme != "https" && resource.Scheme != "http" || resource.Host == "" || strings.Contains(p.Resource, "#") || resource.User != nil:
		return nil, incomplete("Resource is the https URL by which clients name the API")
	case p.JWT == nil && p.Introspection == nil:
		return nil, incomplete("there is neither JWT nor Introspection: nothing can verify a token")
	}
	g := &Guard{policy: p, public: strings.TrimSuffix(p.PublicURL, "/")}
	if p.PublicURL == "" {
		g.public = resource.Scheme + "://" + resource.Host
	}
	// What follows a question mark, even a bare one, is no part of what a proof is held to: the path would be none.
	if u, err := url.Parse(g.public); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(g.public, "?#") || u.User != nil {
		return nil, incomplete("PublicURL is an http or https URL without query and fragment")
	}
	if p.ClientCertificate == nil {
		g.policy.ClientCertificate = TLSCertificate
	}
	if p.Clock == nil {
		g.policy.Clock = time.Now
	}
	if p.Metadata != nil {
		if err := g.publish(*p.Metadata); err != nil {
			return nil, err
		}
	}
	return g, nil
}

func incomplete(detail string) error { return fmt.Errorf("%w: guard: %s", jwt.ErrPolicy, detail) }

// Handler serves with next the requests whose token is good and has what need asks for, and answers all others itself, with the
// challenges of RFC 6750, 9449, 9470 and 9728. [FromContext] returns the token. A request goes through one such handler: a second one
// behind it would find the DPoP proof used.
func (g *Guard) Handler(next http.Handler, need Need) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := g.Verify(r, need)
		if err == nil && g.policy.DPoP != nil && t.Confirmation != nil && t.Confirmation.Thumbprint != "" {
			err = g.policy.DPoP.SetNonce(r.Context(), w.Header()) // RFC 9449, Section 8.2
		}
		if err != nil {
			g.refuse(w, r, need, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, t)))
	})
}

// Verify verifies the token of a request: what [Guard.Handler] does, for those who serve something else than HTTP. Each error is an
// *oauth.Error that may be shown to the sender; its cause may not.
func (g *Guard) Verify(r *http.Request, need Need) (*Token, error) {
	scheme, raw, err := credentials(r)
	if err != nil {
		return nil, err
	}
	t, err := g.token(r.Context(), raw)
	if err != nil {
		return nil, err
	}
	if err := g.bound(r, scheme, raw, t); err != nil {
		return nil, err
	}
	if g.policy.Denylist != nil {
		denied, err := g.policy.Denylist.Denied(r.Context(), t)
		if err != nil {
			return nil, unavailable(err)
		}
		if denied {
			return nil, invalid("the access token was revoked", nil)
		}
	}
	if err := g.allows(r, need, t); err != nil {
		return nil, err
	}
	return t, nil
}

// errNoToken is the cause of the error of a request without a token: the challenge to it names no error (RFC 6750, Section 3.1).
var errNoToken = errors.New("guard: there is neither Bearer nor DPoP")

// credentials returns the token of the request and the scheme by which it came.
func credentials(r *http.Request) (scheme, raw string, err error) {
	values := r.Header["Authorization"]
	// RFC 6750, Section 2.3, and RFC 9700, Section 4.3.2: not in the URL, which ends in logs and histories.
	query := r.URL.RawQuery
	inURL := strings.HasPrefix(query, "access_token=") || strings.Contains(query, "&access_token=")
	switch {
	case len(values) > 1:
		return "", "", badRequest("there are several Authorization headers") // RFC 6750, Section 3.1
	case inURL && len(values) > 0:
		return "", "", badRequest("there are several access tokens")
	case inURL:
		return "", "", badRequest("the access token belongs into the Authorization header, not into the URL")
	case len(values) == 0:
		return "", "", invalid("there is no access token", errNoToken)
	}
	scheme, raw, _ = strings.Cut(values[0], " ")
	switch {
	case strings.EqualFold(scheme, oauth.Bearer): // RFC 9110, Section 11.1: without regard to case
		scheme = oauth.Bearer
	case strings.EqualFold(scheme, oauth.DPoP):
		scheme = oauth.DPoP
	default:
		return "", "", invalid("there is no access token", errNoToken)
	}
	if raw = strings.TrimLeft(raw, " "); !isToken68(raw) {
		return "", "", badRequest("the Authorization header has no token")
	}
	return scheme, raw, nil
}

// isToken68 reports whether raw is a b64token (RFC 6750, Section 2.1).
func isToken68(raw string) bool {
	raw = strings.TrimRight(raw, "=")
	for i := range len(raw) {
		switch c := raw[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return raw != ""
}

// token verifies raw.
func (g *Guard) token(ctx context.Context, raw string) (*Token, error) {
	if g.policy.JWT == nil || g.policy.Introspection != nil && strings.Count(raw, ".") < 2 {
		t, err := g.policy.Introspection.token(ctx, raw)
		if err != nil {
			return nil, err
		}
		// The server vouches for the token; for whom it is, is for the API to check (RFC 7662, Section 4).
		return t, nil
	}
	t, err := g.policy.JWT.Verify(ctx, raw)
	if err == nil {
		return ofJWT(t), nil
	}
	if refusal, ok := errors.AsType[*jwt.RejectError](err); ok {
		return nil, invalid("the access token is refused: "+profile.Told(refusal), err)
	}
	return nil, unavailable(err)
}

// bound sees to it that a token that is bound to a key comes from who has that key.
func (g *Guard) bound(r *http.Request, scheme, raw string, t *Token) error {
	c := t.Confirmation
	switch {
	case c == nil && g.policy.RequireBound:
		return invalid("the access token is not bound to a key", nil)
	case c == nil && scheme == oauth.DPoP:
		return invalid("the access token is not bound to the key of DPoP proofs", nil) // RFC 9449, Section 7.1
	case c == nil:
		return nil
	case c.Thumbprint == "" && c.X5TS256 == "":
		return invalid("the access token is bound to a key that cannot be proven here", nil)
	}
	if c.X5TS256 != "" { // RFC 8705, Section 3
		certificate, err := g.policy.ClientCertificate(r)
		if err != nil || !confirms(c.X5TS256, certificate) {
			return invalid("the access token is bound to another client certificate", err)
		}
	}
	switch {
	case c.Thumbprint == "" && scheme == oauth.DPoP:
		return invalid("the access token is not bound to the key of DPoP proofs", nil)
	case c.Thumbprint == "":
		return nil
	case scheme != oauth.DPoP: // RFC 9449, Section 7.2: no downgrade
		return invalid("the access token is bound to the key of DPoP proofs: its scheme is DPoP", nil)
	case g.policy.DPoP == nil:
		return invalid("DPoP is not supported here", nil)
	}
	return g.proof(r, raw, c.Thumbprint)
}

// proof holds the request to the proof of the token's key.
func (g *Guard) proof(r *http.Request, raw, thumbprint string) error {
	proof, err := dpop.FromHeader(r.Header)
	if err == nil {
		path := r.URL.EscapedPath()
		if path != "" && path[0] != '/' { // as http.StripPrefix leaves it; it must not go on the name of the host
			path = "/" + path
		}
		_, err = g.policy.DPoP.Verify(r.Context(), proof, dpop.Expect{
			Method: r.Method, URL: g.public + path, AccessToken: raw, Thumbprint: thumbprint,
		})
	}
	if err == nil {
		return nil
	}
	if refusal := g.policy.DPoP.Challenge(err).Error; refusal != nil {
		refusal.Status = http.StatusUnauthorized // RFC 9449, Section 7.1
		return refusal
	}
	return unavailable(err)
}

// allows holds the token to what a handler needs.
func (g *Guard) allows(r *http.Request, need Need, t *Token) error {
	if !t.HasScope(need.Scopes...) {
		return &oauth.Error{Code: oauth.InsufficientScope, Description: "the access token lacks a scope", Status: http.StatusForbidden}
	}
	if need.Details != nil {
		var details []oauth.AuthorizationDetail
		if len(t.AuthorizationDetails) > 0 {
			var err error
			if details, err = oauth.ParseAuthorizationDetails(string(t.AuthorizationDetails)); err != nil {
				return invalid("the authorization details of the access token cannot be read", err)
			}
		}
		if !need.Details(r, details) {
			return &oauth.Error{Code: oauth.InsufficientScope, Description: "the authorization details do not allow this", Status: http.StatusForbidden}
		}
	}
	// RFC 9470, Section 3.
	if len(need.ACRValues) > 0 && !slices.Contains(need.ACRValues, t.ACR) {
		return stepUp("another way of logging in is asked for")
	}
	if need.MaxAge != 0 && g.policy.Clock().Sub(t.AuthTime) > need.MaxAge { // the zero time is long ago
		return stepUp("the login is too long ago")
	}
	return nil
}

func stepUp(description string) error {
	return &oauth.Error{Code: oauth.InsufficientUserAuthentication, Description: description, Status: http.StatusUnauthorized}
}

func badRequest(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description, Status: http.StatusBadRequest}
}

func invalid(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: description, Status: http.StatusUnauthorized, Cause: cause}
}

// unavailable is the failure of something that the guard asks. It is no statement about the token.
func unavailable(cause error) error {
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "the access token cannot be verified now", Status: http.StatusServiceUnavailable, Cause: cause}
}
