package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/dpop"
)

// Transport returns an http.RoundTripper that puts the token on requests, as Bearer or with a proof as DPoP, and sends them by
// base; nil means http.DefaultTransport. The token goes to the origins alone, such as https://api.example: of a redirect to
// another one the request is sent without it, and so is one to which that redirects; any other request is refused. There must be
// one at least.
//
// Where a resource answers that the token is not good (RFC 6750, Section 3.1, invalid_token), the next request has a new one. This
// one is not repeated.
func (s *Source) Transport(base http.RoundTripper, origins ...string) (http.RoundTripper, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &transport{source: s, bare: base}
	for _, o := range origins {
		u, err := url.Parse(o)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return nil, errConfig.With(fmt.Sprintf("%q is no origin", o))
		}
		t.origins = append(t.origins, origin(u))
	}
	if len(origins) == 0 {
		return nil, errConfig.With("no origin may be given the token")
	}
	t.send = t.bearer
	if s.c.DPoP != nil {
		prove := &dpop.Transport{Key: s.c.DPoP, Base: base, Token: t.token}
		t.send = func(req *http.Request) (*http.Response, error) {
			req.Response = nil // a redirect was judged here, by all origins
			return prove.RoundTrip(req)
		}
	}
	return t, nil
}

type transport struct {
	source  *Source
	origins []string
	bare    http.RoundTripper
	send    func(*http.Request) (*http.Response, error)
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	listed := slices.Contains(t.origins, origin(req.URL))
	for r := req.Response; r != nil && r.Request != nil; r = r.Request.Response { // a redirect
		listed = listed && slices.Contains(t.origins, origin(r.Request.URL))
	}
	if !listed {
		if req.Response != nil {
			return t.bare.RoundTrip(req)
		}
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, fmt.Errorf("client: the token is not for %s", origin(req.URL))
	}
	used := new(string)
	resp, err := t.send(req.WithContext(withToken(req.Context(), used)))
	if err == nil && resp.StatusCode == http.StatusUnauthorized && refused(resp) {
		t.source.refused(*used)
	}
	return resp, err
}

// refused reports whether a resource says that the token is not good.
func refused(resp *http.Response) bool {
	all, _ := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate")) // what cannot be read says nothing
	return slices.ContainsFunc(all, func(c oauth.Challenge) bool {
		return c.Error != nil && c.Error.Code == oauth.InvalidToken
	})
}

// token returns the token for a request, and tells RoundTrip which it was.
func (t *transport) token(req *http.Request) (string, error) {
	token, err := t.source.Token(req.Context())
	if err != nil {
		return "", err
	}
	if token.Type != oauth.Bearer && token.Type != oauth.DPoP { // RFC 8693, Section 2.2.1
		return "", errResponse.With("the token of this exchange is no access token, and goes to no API in a header")
	}
	*req.Context().Value(tokenKey{}).(*string) = token.AccessToken
	return token.AccessToken, nil
}

func (t *transport) bearer(req *http.Request) (*http.Response, error) {
	token, err := t.token(req)
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	// A RoundTripper changes nothing of what it got; WithContext has made a copy, but not of the header.
	req.Header = req.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Authorization", oauth.Bearer+" "+token)
	return t.bare.RoundTrip(req)
}

type tokenKey struct{}

func withToken(ctx context.Context, used *string) context.Context {
	return context.WithValue(ctx, tokenKey{}, used)
}

// origin returns the scheme, host and port of a URL, which the default port is no part of.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if p := u.Port(); p == "443" && u.Scheme == "https" || p == "80" && u.Scheme == "http" || p == "" {
		host = strings.TrimSuffix(strings.TrimSuffix(host, p), ":")
	}
	return u.Scheme + "://" + host
}
