package exchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/oauth"
)

// GrantType is the grant_type of the request (RFC 8693, Section 2.1).
const GrantType = "urn:ietf:params:oauth:grant-type:token-exchange"

// TokenType is what a token is, as the parameters whose names end in _token_type have it: a URI (RFC 8693, Section 3).
type TokenType string

// The types of RFC 8693, Section 3. There are others.
const (
	AccessToken  TokenType = "urn:ietf:params:oauth:token-type:access_token"  // of this server
	RefreshToken TokenType = "urn:ietf:params:oauth:token-type:refresh_token" // of this server
	IDToken      TokenType = "urn:ietf:params:oauth:token-type:id_token"
	SAML1        TokenType = "urn:ietf:params:oauth:token-type:saml1"
	SAML2        TokenType = "urn:ietf:params:oauth:token-type:saml2"
	JWT          TokenType = "urn:ietf:params:oauth:token-type:jwt" // any JWT; it says nothing of its kind
)

// NotApplicable is the token_type of a token that is not used as an access token (RFC 8693, Section 2.2.1).
const NotApplicable = "N_A"

func (t TokenType) valid() bool { return absolute(string(t)) }

const (
	maxToken     = 64 << 10
	maxParameter = 2 << 10
	maxTargets   = 32
)

// Request is a token exchange request (RFC 8693, Section 2.1).
type Request struct {
	SubjectToken       string    // of the party on whose behalf the request is made
	SubjectTokenType   TokenType // what it is
	ActorToken         string    // of the party that will act, or ""
	ActorTokenType     TokenType // what that is, or ""
	RequestedTokenType TokenType // what is wanted; "" leaves it to the server

	Resource []string     // where the token will be used: absolute URIs without a fragment (RFC 8707)
	Audience []string     // the same by logical names
	Scope    oauth.Scopes // at all of them
}

// check holds a request to RFC 8693, Section 2.1.
func (r *Request) check() error {
	bad := func(description string) error {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
	}
	switch {
	case r.SubjectToken == "":
		return bad("there is no subject_token")
	case len(r.SubjectToken) > maxToken || len(r.ActorToken) > maxToken:
		return bad("a token is too long")
	case !r.SubjectTokenType.valid():
		return bad("the subject_token_type is no URI")
	case r.ActorToken == "" && r.ActorTokenType != "":
		return bad("there is an actor_token_type and no actor_token")
	case r.ActorToken != "" && !r.ActorTokenType.valid():
		return bad("the actor_token_type is no URI")
	case r.RequestedTokenType != "" && !r.RequestedTokenType.valid():
		return bad("the requested_token_type is no URI")
	case len(r.Audience)+len(r.Resource) > maxTargets:
		return &oauth.Error{Code: oauth.InvalidTarget, Description: "there are too many targets"}
	case slices.ContainsFunc(r.Audience, func(a string) bool { return a == "" || len(a) > maxParameter }):
		return &oauth.Error{Code: oauth.InvalidTarget, Description: "an audience is empty or too long"}
	// RFC 8707, Section 2: an absolute URI without a fragment.
	case slices.ContainsFunc(r.Resource, func(s string) bool { return !absolute(s) || strings.Contains(s, "#") }):
		return &oauth.Error{Code: oauth.InvalidTarget, Description: "a resource is no absolute URI without a fragment"}
	}
	return nil
}

// absolute reports whether s begins with a scheme and is a URI (RFC 3986, Section 4.3).
func absolute(s string) bool {
	if len(s) > maxParameter || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme != ""
}

// ParseRequest reads the parameters of a request. The refusal is an *oauth.Error. The client's authentication, and
// parameters that RFC 8693 does not know, are left to others.
func ParseRequest(form url.Values) (*Request, error) {
	// RFC 6749, Section 3.2; RFC 8693, Section 2.1, lets these two be repeated.
	if profile.Repeated(form, "resource", "audience") {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "a parameter is there twice"}
	}
	if form.Get("grant_type") != GrantType {
		return nil, &oauth.Error{Code: oauth.UnsupportedGrantType, Description: "the grant_type is not " + GrantType}
	}
	r := &Request{
		SubjectToken: form.Get("subject_token"), SubjectTokenType: TokenType(form.Get("subject_token_type")),
		ActorToken: form.Get("actor_token"), ActorTokenType: TokenType(form.Get("actor_token_type")),
		RequestedTokenType: TokenType(form.Get("requested_token_type")),
		Resource:           filled(form["resource"]), Audience: filled(form["audience"]),
	}
	if s := form.Get("scope"); s != "" {
		var err error
		if r.Scope, err = oauth.ParseScopes(s); err != nil {
			return nil, err
		}
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// filled leaves out what has no value, as if it were not there (RFC 6749, Section 3.2).
func filled(values []string) (out []string) {
	for _, v := range values {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Values returns the parameters of the request, or the refusal that a server would answer it with.
func (r *Request) Values() (url.Values, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {GrantType}}
	for name, value := range map[string]string{
		"subject_token": r.SubjectToken, "subject_token_type": string(r.SubjectTokenType),
		"actor_token": r.ActorToken, "actor_token_type": string(r.ActorTokenType),
		"requested_token_type": string(r.RequestedTokenType), "scope": r.Scope.String(),
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if len(r.Resource) > 0 {
		form["resource"] = slices.Clone(r.Resource)
	}
	if len(r.Audience) > 0 {
		form["audience"] = slices.Clone(r.Audience)
	}
	return form, nil
}

// Response is the answer to a request (RFC 8693, Section 2.2.1).
type Response struct {
	AccessToken     string        // the token, though it may be no access token
	IssuedTokenType TokenType     // what it is
	TokenType       string        // how it is used: Bearer, DPoP, or [NotApplicable]; case means nothing
	ExpiresIn       time.Duration // in whole seconds; zero is unknown
	Scope           oauth.Scopes  // of the token
	RefreshToken    string        // seldom
}

// wire is a Response as it is sent.
type wire struct {
	AccessToken     string    `json:"access_token"`
	IssuedTokenType TokenType `json:"issued_token_type"`
	TokenType       string    `json:"token_type"`
	ExpiresIn       int64     `json:"expires_in,omitempty"`
	Scope           string    `json:"scope,omitempty"`
	RefreshToken    string    `json:"refresh_token,omitempty"`
}

// check holds a response to RFC 8693, Section 2.2.1.
func (r *Response) check() error {
	switch {
	case r.AccessToken == "" || r.TokenType == "":
		return errResponse.With("a member is missing")
	case !r.IssuedTokenType.valid():
		return errResponse.With("issued_token_type is no URI")
	case r.ExpiresIn < 0:
		return errResponse.With("expires_in is negative")
	case r.IssuedTokenType == AccessToken && strings.EqualFold(r.TokenType, NotApplicable):
		return errResponse.With("an access token has a token_type")
	}
	return nil
}

// MarshalJSON writes the body of the answer, or refuses what a client would.
func (r *Response) MarshalJSON() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	return json.Marshal(wire{r.AccessToken, r.IssuedTokenType, r.TokenType, int64(r.ExpiresIn / time.Second), r.Scope.String(), r.RefreshToken})
}

// ParseResponse reads the answer to r: a response, or the *oauth.Error of the server. It refuses a token of another type
// than the one that was asked for; a scope that is not told is the one of r. The refusal of a response is ErrResponse.
func (r *Request) ParseResponse(status int, body []byte) (*Response, error) {
	if status != http.StatusOK {
		e, err := oauth.ParseError(status, body)
		if err != nil {
			return nil, err
		}
		return nil, e
	}
	var w wire
	if err := strictjson.Unmarshal(slices.Clone(body), &w, strictjson.Limits{}); err != nil {
		return nil, errResponse.Wrap(err)
	}
	if w.ExpiresIn < 0 || w.ExpiresIn > 1<<32 {
		return nil, errResponse.With("expires_in is out of range")
	}
	out := &Response{w.AccessToken, w.IssuedTokenType, w.TokenType, time.Duration(w.ExpiresIn) * time.Second, r.Scope, w.RefreshToken}
	if w.Scope != "" {
		var err error
		if out.Scope, err = oauth.ParseScopes(w.Scope); err != nil {
			return nil, errResponse.Wrap(err)
		}
	}
	if r.RequestedTokenType != "" && out.IssuedTokenType != r.RequestedTokenType {
		return nil, errResponse.With("the token is of another type than the one that was asked for")
	}
	if err := out.check(); err != nil {
		return nil, err
	}
	return out, nil
}
