package client

import (
	"context"
	"net/url"
	"sync"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

// Grant is what a client gets tokens for.
type Grant struct {
	// request returns the parameters of the next request, and for a token exchange what they were made of.
	request func(context.Context) (url.Values, *exchange.Request, error)
	// done is told what came of it.
	done func(*Token) error
}

// NewGrant makes any other grant: parameters is called for each token request and returns what it has beside those of Config
// and the client's authentication, with grant_type.
func NewGrant(parameters func(context.Context) (url.Values, error)) Grant {
	return Grant{request: func(ctx context.Context) (url.Values, *exchange.Request, error) {
		form, err := parameters(ctx)
		return form, nil, err
	}}
}

// ClientCredentials is for access in the client's own name (RFC 6749, Section 4.4).
func ClientCredentials() Grant {
	return NewGrant(func(context.Context) (url.Values, error) {
		return url.Values{"grant_type": {"client_credentials"}}, nil
	})
}

// JWTBearer is for access that a trusted issuer grants (RFC 7523, Section 2.1): assertion returns a new JWT for each request,
// such as grant.Sign makes with the server's issuer identifier as its audience, or the token of the platform that the
// program runs on.
func JWTBearer(assertion func(context.Context) (string, error)) Grant {
	return NewGrant(func(ctx context.Context) (url.Values, error) {
		raw, err := assertion(ctx)
		if err != nil {
			return nil, err
		}
		return (&grant.Request{Assertion: raw}).Values(), nil
	})
}

// Exchange is for access in exchange for another token (RFC 8693): request returns what to ask for each time, with a subject token
// that is still good. Scope, resources and audiences are those of the request, and not of Config. A Source holds one token,
// so it is for one subject.
func Exchange(request func(context.Context) (*exchange.Request, error)) Grant {
	return Grant{request: func(ctx context.Context) (url.Values, *exchange.Request, error) {
		x, err := request(ctx)
		if err != nil {
			return nil, nil, err
		}
		form, err := x.Values()
		return form, x, err
	}}
}

// Refresh is for access that a refresh token stands for (RFC 6749, Section 6). A server that rotates refresh tokens gives a new
// one with each access token, and the old one is void: rotated is told each before the access token is used, and keeps it
// where the program finds it when it starts again. What it fails with is what the Source fails with, and the new one
// is used from then on. Nil keeps it in memory alone.
func Refresh(token string, rotated func(token string) error) Grant {
	var mu sync.Mutex
	g := NewGrant(func(context.Context) (url.Values, error) {
		mu.Lock()
		defer mu.Unlock()
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, nil
	})
	g.done = func(t *Token) error {
		mu.Lock()
		defer mu.Unlock()
		if t.RefreshToken == "" || t.RefreshToken == token {
			return nil
		}
		token = t.RefreshToken
		if rotated == nil {
			return nil
		}
		return rotated(token)
	}
	return g
}

// secrets are the parameters that are not to be repeated by an error.
var secrets = []string{
	"assertion", "client_secret", "client_assertion", "refresh_token", "subject_token", "actor_token", "code", "code_verifier", "password",
	"device_code", "auth_req_id",
}

// parameters completes those of a grant with what Config asks for.
func (c *Config) parameters(form url.Values) error {
	for name, values := range c.Params {
		if form.Has(name) {
			return errConfig.With("Params has " + name + ", which is the grant's")
		}
		form[name] = values
	}
	set := func(name string, values ...string) {
		if len(values) > 0 && values[0] != "" && !form.Has(name) {
			form[name] = values
		}
	}
	set("scope", c.Scope.String())
	set("resource", c.Resources...)
	set("authorization_details", c.details)
	return nil
}

// public takes what was sent in secret out of the server's error: a careless one repeats it.
func public(e *oauth.Error, secret []string) *oauth.Error {
	for _, s := range secret {
		if contains(e.Description, s) || contains(e.URI, s) || contains(e.Code, s) {
			return &oauth.Error{Status: e.Status, Description: "the error of the server repeats a secret and is withheld"}
		}
	}
	return e
}
