package jar

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

const (
	maxSize = 128 << 10 // of all parameters of a request
	maxURI  = 512       // of a request_uri: RFC 9101, Section 5.2
)

// Request is an authorization request whose source is known.
type Request struct {
	// Parameters are those that count, client_id among them, and neither request nor request_uri.
	Parameters url.Values
	// Token is the request object. It is nil where the request was pushed, or Policy.UnsignedRequests has let it pass.
	Token *jwt.Token[Claims]
	// Pushed says that the request was pushed.
	Pushed bool
}

// ByReference says how request objects are fetched from the URLs of clients (RFC 9101, Sections 5.2.3 and 10.4):
// over https, from public addresses, without redirects, at most 1 MiB, and then at most what JWT.MaxSize allows, as
// application/oauth-authz-req+jwt or without a type; with Policy.OpenIDConnect or LegacyUntyped as application/jwt too.
type ByReference struct {
	// Registered returns the request_uris that a client has registered. One with a fragment is for that fragment alone.
	Registered func(ctx context.Context, clientID string) ([]string, error)
	// AnyURI lets each client name any URL.
	AnyURI bool

	// Timeout is for the whole of a fetch. Zero means 5 s.
	Timeout time.Duration
	// RootCAs are who may certify the servers. Nil means the system's.
	RootCAs *x509.CertPool
	// Proxy chooses a proxy, as in [http.Transport]. Nil means the environment's.
	Proxy func(*http.Request) (*url.URL, error)
	// AllowNetworks and AllowHosts are where a URL may lead although it is not public, as in a cluster.
	AllowNetworks []netip.Prefix
	AllowHosts    []string
}

func (b ByReference) client() (*ByReference, *fetch.Client, error) {
	switch {
	case (b.Registered == nil) == !b.AnyURI:
		return nil, nil, profile.Incomplete("ByReference needs Registered, or AnyURI")
	case b.Timeout < 0:
		return nil, nil, profile.Incomplete("ByReference.Timeout is negative")
	case b.Timeout == 0:
		b.Timeout = 5 * time.Second
	}
	return &b, fetch.New(fetch.Options{
		RootCAs: b.RootCAs, Proxy: b.Proxy, Timeout: b.Timeout,
		Guard: &fetch.Guard{Networks: slices.Clone(b.AllowNetworks), Hosts: slices.Clone(b.AllowHosts)},
	}), nil
}

// Resolve returns the authorization request that the parameters outside stand for: those of the query or of the form. What is
// wrong with the request is an *oauth.Error with the cause inside; other errors are the program's, of a source
// of keys or of Pushed, and the end of ctx.
func (v *Verifier) Resolve(ctx context.Context, outside url.Values) (*Request, error) {
	if err := bounded(outside); err != nil {
		return nil, err
	}
	for _, name := range []string{"client_id", "request", "request_uri"} {
		// RFC 6749, Section 3.1.
		if len(outside[name]) > 1 {
			return nil, invalid(oauth.InvalidRequest, name+" is there more than once", nil)
		}
	}
	client, object, uri := outside.Get("client_id"), outside.Get("request"), outside.Get("request_uri")
	switch {
	// RFC 9101, Section 5.
	case client == "":
		return nil, invalid(oauth.InvalidRequest, "client_id is missing", nil)
	// RFC 9101, Section 5; OpenID Connect Core 1.0, Section 6.1.
	case outside.Has("request") && outside.Has("request_uri"):
		return nil, invalid(oauth.InvalidRequest, "request and request_uri exclude each other", nil)
	case object != "":
		return v.signed(ctx, outside, client, object)
	case strings.HasPrefix(uri, Prefix):
		return v.pushed(ctx, client, uri)
	case uri != "":
		object, err := v.fetch(ctx, client, uri)
		if err != nil {
			return nil, err
		}
		return v.signed(ctx, outside, client, object)
	// RFC 9101, Section 10.5: else it could be left out, and all that it protects.
	case !v.policy.UnsignedRequests:
		return nil, invalid(oauth.InvalidRequest, "the request has no request object", nil)
	}
	return v.unsigned(outside)
}

// bounded refuses more than anyone needs.
func bounded(p url.Values) error {
	n, size := 0, 0
	for name, values := range p {
		n += max(len(values), 1)
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if n > maxParameters || size > maxSize {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "the request is too large", Status: http.StatusRequestEntityTooLarge}
	}
	return nil
}

// unsigned is a request without a request object.
func (v *Verifier) unsigned(outside url.Values) (*Request, error) {
	p, err := ordinary(outside)
	if err != nil {
		return nil, err
	}
	return &Request{Parameters: p}, nil
}

// ordinary are the parameters of an authorization request that is not signed. By which the client authenticates at the
// endpoint for pushed requests are none (RFC 9126, Section 2).
func ordinary(outside url.Values) (url.Values, error) {
	p := url.Values{}
	for name, values := range outside {
		switch {
		case name == "request", name == "request_uri", name == "client_secret", name == "client_assertion", name == "client_assertion_type":
		case len(values) == 0 || len(values) == 1 && values[0] == "":
		// RFC 6749, Section 3.1; RFC 8707, Section 2.
		case len(values) > 1 && name != "resource":
			return nil, invalid(oauth.InvalidRequest, "a parameter is there more than once", nil)
		default:
			p[name] = slices.Clone(values)
		}
	}
	return p, nil
}

// signed is a request with a request object.
func (v *Verifier) signed(ctx context.Context, outside url.Values, client, object string) (*Request, error) {
	var q Request
	if v.policy.OpenIDConnect {
		var err error
		if q.Parameters, err = ordinary(outside); err != nil {
			return nil, err
		}
		// OpenID Connect Core 1.0, Section 6.1: outside, the request is an authorization request of its own.
		if !q.Parameters.Has("response_type") {
			return nil, invalid(oauth.InvalidRequest, "response_type is missing outside the request object", nil)
		}
		if scopes, _ := oauth.ParseScopes(q.Parameters.Get("scope")); !scopes.Has("openid") {
			return nil, invalid(oauth.InvalidRequest, "the scope openid is missing outside the request object", nil)
		}
	}
	var err error
	if q.Token, err = v.Verify(ctx, object, Expect{ClientID: client}); err != nil {
		// RFC 9101, Sections 6.1 and 6.2.
		if r, ok := errors.AsType[*jwt.RejectError](err); ok {
			return nil, invalid(oauth.InvalidRequestObject, "the request object is refused: "+profile.Told(r), err)
		}
		return nil, err
	}
	// RFC 9101, Section 6.3: only the parameters of the request object.
	inside := q.Token.Claims.Parameters()
	if !v.policy.OpenIDConnect {
		q.Parameters = inside
		return &q, nil
	}
	// OpenID Connect Core 1.0, Section 6.1: response_type and client_id are the same in both, and Verify has seen to client_id.
	if t := inside.Get("response_type"); t != "" && !responseTypes(t, q.Parameters.Get("response_type")) {
		return nil, invalid(oauth.InvalidRequestObject, "the request object is refused: response_type.mismatch", nil)
	}
	for name, values := range inside {
		q.Parameters[name] = values
	}
	return &q, nil
}

// pushed is a request that was pushed. What is outside does not count.
func (v *Verifier) pushed(ctx context.Context, client, uri string) (*Request, error) {
	if v.policy.Pushed == nil {
		return nil, invalid(oauth.RequestURINotSupported, "no requests are pushed here", nil)
	}
	if len(uri) > maxURI {
		return nil, invalid(oauth.InvalidRequestURI, "request_uri is too long", nil)
	}
	p, err := v.policy.Pushed.Take(ctx, client, uri)
	if err != nil {
		return nil, err
	}
	// RFC 9126, Sections 2.2 and 4.
	if p.Get("client_id") != client {
		return nil, invalid(oauth.InvalidRequestURI, "request_uri is unknown, expired, used, or of another client", nil)
	}
	return &Request{Parameters: p, Pushed: true}, nil
}

// fetch fetches a request object.
func (v *Verifier) fetch(ctx context.Context, client, uri string) (string, error) {
	by := v.policy.ByReference
	switch {
	case by == nil:
		return "", invalid(oauth.RequestURINotSupported, "request_uri is not supported", nil)
	case len(uri) > maxURI:
		return "", invalid(oauth.InvalidRequestURI, "request_uri is too long", nil)
	}
	bare, fragment, hashed := strings.Cut(uri, "#")
	if hashed && !v.policy.OpenIDConnect {
		// RFC 9101, Section 5: an absolute URI has no fragment (RFC 3986, Section 4.3).
		return "", invalid(oauth.InvalidRequestURI, "request_uri has a fragment", nil)
	}
	if !by.AnyURI {
		all, err := by.Registered(ctx, client)
		if err != nil {
			return "", err
		}
		// RFC 9101, Section 10.4: it leads to no unexpected place.
		if !slices.Contains(all, uri) && !slices.Contains(all, bare) {
			return "", invalid(oauth.InvalidRequestURI, "request_uri is not registered", nil)
		}
	}
	req := fetch.Request{URL: bare, Types: []string{"application/" + Type}}
	if v.policy.OpenIDConnect || v.policy.LegacyUntyped {
		req.Also = []string{"application/jwt"} // RFC 9101, Section 4
	}
	resp, err := v.fetcher.Get(ctx, req)
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		// What has failed, and where, is of no concern to who asks: they could look around in our network.
		return "", invalid(oauth.InvalidRequestURI, "the request object cannot be fetched", err)
	}
	// OpenID Connect Core 1.0, Section 6.2: a fragment is the hash of what is there, so that another is another.
	if sum := sha256.Sum256(resp.Body); hashed && fragment != b64url.EncodeToString(sum[:]) {
		return "", invalid(oauth.InvalidRequestURI, "the fragment of request_uri is not the hash of what is there", nil)
	}
	return string(resp.Body), nil
}

func invalid(code, description string, cause error) error {
	return &oauth.Error{Code: code, Description: description, Cause: cause}
}

// URL returns the URL to which a client sends the user's browser: the server's authorization endpoint with client_id, and
// with request or request_uri, as the last one is a request object, a URL of one, or the name of a pushed request.
// OpenID Connect servers that are not JAR servers need response_type and scope outside as well; with others outside is nil.
func URL(endpoint, clientID, request string, outside url.Values) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "", err
	// RFC 6749, Section 3.1.
	case u.Host == "" || u.Fragment != "":
		return "", errors.New("jar: an authorization endpoint is a URL without a fragment")
	case clientID == "" || request == "":
		return "", errors.New("jar: a request has a client_id and a request object")
	}
	q := u.Query()
	for name, values := range outside {
		q[name] = values
	}
	q.Set("client_id", clientID)
	name := "request"
	if strings.Contains(request, ":") { // which no request object has
		name = "request_uri"
	}
	q.Set(name, request)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
