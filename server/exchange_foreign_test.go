package server_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// Test_RFC8693_2_1_tokens_of_trusted_issuers exchanges ID tokens and access tokens that a trusted issuer has made for others.
func Test_RFC8693_2_1_tokens_of_trusted_issuers(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) {
		i.IDTokenClients, i.AccessTokenAudiences = []string{"web", "phone"}, []string{"https://gateway.example"}
		i.Scope, i.SubjectPrefix, i.Resources = "read", "idp|", []string{servertest.Resource}
	})
	silent := key(t)
	a.trust(silent, func(i *server.TrustedIssuer) { i.Issuer = "https://silent.example" })
	narrow := key(t)
	a.trust(narrow, func(i *server.TrustedIssuer) {
		i.Issuer, i.Clients, i.IDTokenClients = "https://narrow.example", []string{"another"}, []string{"web"}
	})
	app := a.add("app", "", func(c *server.Client) { c.Impersonation = true })
	plain := a.add("plain", "", nil)

	claims := func(change func(*jwt.Registered)) jwt.Registered {
		r := jwt.Registered{Issuer: stsURL, Subject: "alice", IssuedAt: time.Now(), Expiry: time.Now().Add(5 * time.Minute), ID: rand()}
		change(&r)
		return r
	}
	id := func(k jwk.Signer, change func(*jwt.Registered)) string {
		raw, err := idtoken.Sign(ctx, k, claims(func(r *jwt.Registered) { r.Audience = jwt.Audience{"phone"}; change(r) }), idtoken.Claims{Nonce: "n"})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	access := func(k jwk.Signer, c accesstoken.Claims, change func(*jwt.Registered)) string {
		c.ClientID = "web"
		raw, err := accesstoken.Sign(ctx, k, claims(func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://gateway.example"}; change(r) }), c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	same := func(*jwt.Registered) {}
	ask := func(c *server.Client, of exchange.TokenType, raw string, pairs ...string) answer {
		f := form(append([]string{"grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(of)}, pairs...)...)
		return a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: f})
	}
	for name, x := range map[string]struct {
		of    exchange.TokenType
		raw   string
		scope string
	}{
		"an ID token":                       {exchange.IDToken, id(k, same), "read"},
		"one for the first client":          {exchange.IDToken, id(k, func(r *jwt.Registered) { r.Audience = jwt.Audience{"web"} }), "read"},
		"an access token":                   {exchange.AccessToken, access(k, accesstoken.Claims{Scope: "read admin"}, same), "read"},
		"an access token that says no more": {exchange.AccessToken, access(k, accesstoken.Claims{}, same), "read"},
	} {
		for range 2 { // it may come again
			w := ask(app, x.of, x.raw)
			w.want(t, 200, "")
			tok := a.read(w.text("access_token"), servertest.Resource)
			if tok.Subject != "idp|alice" || tok.Claims.Scope != x.scope || tok.Claims.ClientID != "app" || tok.Expiry.After(time.Now().Add(5*time.Minute)) {
				t.Errorf("%s: %+v", name, tok)
			}
		}
	}
	for name, x := range map[string]struct {
		c     *server.Client
		of    exchange.TokenType
		raw   string
		pairs []string
		code  string
	}{
		"an ID token for another client":     {app, exchange.IDToken, id(k, func(r *jwt.Registered) { r.Audience = jwt.Audience{"other"} }), nil, oauth.InvalidRequest},
		"an ID token as an access token":     {app, exchange.AccessToken, id(k, same), nil, oauth.InvalidRequest},
		"an ID token as a JWT":               {app, exchange.JWT, id(k, same), nil, oauth.InvalidRequest},
		"an access token as an ID token":     {app, exchange.IDToken, access(k, accesstoken.Claims{}, same), nil, oauth.InvalidRequest},
		"an access token for another API":    {app, exchange.AccessToken, access(k, accesstoken.Claims{}, func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://b.example"} }), nil, oauth.InvalidRequest},
		"another key":                        {app, exchange.IDToken, id(silent, same), nil, oauth.InvalidRequest},
		"an unknown issuer":                  {app, exchange.IDToken, id(k, func(r *jwt.Registered) { r.Issuer = "https://unknown.example" }), nil, oauth.InvalidRequest},
		"an issuer that has named no client": {app, exchange.IDToken, id(silent, func(r *jwt.Registered) { r.Issuer = "https://silent.example" }), nil, oauth.InvalidRequest},
		"its access token":                   {app, exchange.AccessToken, access(silent, accesstoken.Claims{}, func(r *jwt.Registered) { r.Issuer = "https://silent.example" }), nil, oauth.InvalidRequest},
		"a subject that is not its own":      {app, exchange.IDToken, id(k, func(r *jwt.Registered) { r.Subject = "mallory" }), nil, oauth.InvalidRequest},
		"a client that may not present them": {app, exchange.IDToken, id(narrow, func(r *jwt.Registered) { r.Issuer, r.Audience = "https://narrow.example", jwt.Audience{"web"} }), nil, oauth.InvalidRequest},
		"no more than the issuer may grant":  {app, exchange.IDToken, id(k, same), []string{"scope", "write"}, oauth.InvalidScope},
		"for no other resource":              {app, exchange.IDToken, id(k, same), []string{"resource", other}, oauth.InvalidTarget},
		"who may not impersonate":            {plain, exchange.IDToken, id(k, same), nil, oauth.InvalidRequest},
		"a token bound to another key":       {app, exchange.AccessToken, access(k, accesstoken.Claims{Confirmation: &pop.Confirmation{Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, same), nil, oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) { ask(x.c, x.of, x.raw, x.pairs...).want(t, 400, x.code) })
	}

	_, err := a.SaveIssuer(ctx, server.TrustedIssuer{Issuer: "app-key", LegacyBitbucket: true, Subjects: []string{"*"}, Secrets: map[string]string{"c": "0123456789012345678901234567890123456789"}, IDTokenClients: []string{"web"}})
	if !errors.Is(err, server.ErrDocument) {
		t.Errorf("ID tokens of Bitbucket's apps: %v", err)
	}
}
