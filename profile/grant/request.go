package grant

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/oauth"
)

// The grant types.
const (
	GrantType          = "urn:ietf:params:oauth:grant-type:jwt-bearer" // RFC 7523, Section 2.1
	BitbucketGrantType = "urn:bitbucket:oauth2:jwt"                    // of Bitbucket Cloud
)

// Request is an access token request with a grant (RFC 7521, Section 4.1).
type Request struct {
	Assertion string       // the grant
	Scope     oauth.Scopes // at most what was agreed on with the issuer; empty leaves it to the server
}

// ParseRequest reads the parameters of a request with [GrantType]. The refusal is an *oauth.Error. The client's
// authentication, if there is any, and resource (RFC 8707) are read by others.
func ParseRequest(form url.Values) (*Request, error) {
	r, err := parse(form, GrantType)
	if err != nil {
		return nil, err
	}
	// RFC 7523, Section 2.1: a single JWT.
	if r.Assertion = form.Get("assertion"); r.Assertion == "" {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "there is no assertion"}
	}
	return r, nil
}

// ParseLegacyBitbucketRequest reads a request with [BitbucketGrantType], whose grant is in its Authorization header,
// behind the scheme JWT in capitals. The refusal is an *oauth.Error.
func ParseLegacyBitbucketRequest(header http.Header, form url.Values) (*Request, error) {
	r, err := parse(form, BitbucketGrantType)
	if err != nil {
		return nil, err
	}
	values := header.Values("Authorization")
	if len(values) == 1 {
		r.Assertion, _ = strings.CutPrefix(values[0], "JWT ")
	}
	if len(values) != 1 || r.Assertion == values[0] || r.Assertion == "" {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "there has to be one header Authorization: JWT and the grant"}
	}
	return r, nil
}

func parse(form url.Values, grantType string) (*Request, error) {
	// RFC 6749, Section 3.2, and RFC 8707, Section 2, which lets resource be repeated.
	if profile.Repeated(form, "resource") {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "a parameter is there twice"}
	}
	if form.Get("grant_type") != grantType {
		return nil, &oauth.Error{Code: oauth.UnsupportedGrantType, Description: "the grant_type is not " + grantType}
	}
	r := new(Request)
	// RFC 6749, Section 3.2: a parameter without a value is one that was left out.
	if s := form.Get("scope"); s != "" {
		var err error
		if r.Scope, err = oauth.ParseScopes(s); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Values returns the parameters of a request with [GrantType].
func (r *Request) Values() url.Values {
	form := url.Values{"grant_type": {GrantType}, "assertion": {r.Assertion}}
	if len(r.Scope) > 0 {
		form.Set("scope", r.Scope.String())
	}
	return form
}
