package guard

import (
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
)

// Access tokens as providers make them are let through, by default or by the one option; their ID tokens never are.
func TestProviders(t *testing.T) {
	options := map[string]*accesstoken.Lenient{
		"":                      nil,
		"accesstoken.Lenient{}": {},
		`accesstoken.Lenient{Types: []string{"application/okta-internal-at+jwt"}}`:         {Types: []string{"application/okta-internal-at+jwt"}},
		`accesstoken.Lenient{Claim: "typ", Value: "Bearer"}`:                               {Claim: "typ", Value: "Bearer"},
		`accesstoken.Lenient{Claim: "token_use", Value: "access", Clients: []string{"c"}}`: {Claim: "token_use", Value: "access", Clients: []string{"c"}},
		`accesstoken.Lenient{Claim: "kubernetes.io"}`:                                      {Claim: "kubernetes.io"},
	}
	for _, p := range profiletest.Providers() {
		raw := p.Sign(t, profiletest.Key(t))
		for name, lenient := range options {
			if p.Kind == "access-token" && name != p.Option {
				continue
			}
			v := must(accesstoken.NewVerifier(jwk.Set{profiletest.Key(t).Public()}, accesstoken.Policy{
				Issuers: []string{p.Claims(t)["iss"].(string)}, Audiences: []string{"https://api.example", "c"}, Lenient: lenient,
				JWT: jwt.Policy{Clock: profiletest.Clock},
			}))
			resp := serve(must(New(Policy{Resource: resource, JWT: v})), Need{Scopes: p.Scopes}, get("Bearer "+raw))
			if let := resp.StatusCode == 200; let != (p.Kind == "access-token") {
				t.Errorf("%s, %s with %q: %d %v", p.Name, p.Kind, name, resp.StatusCode, resp.Header["Www-Authenticate"])
			}
		}
		if _, ok := options[p.Option]; !ok {
			t.Errorf("%s needs %s", p.Name, p.Option)
		}
	}
}
