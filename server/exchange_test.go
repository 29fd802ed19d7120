package server_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

func Test_RFC8693(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	app := a.add("app", "", nil)
	gateway := a.add("gateway", "", func(c *server.Client) {
		c.ResourceServer, c.Impersonation, c.Delegation = servertest.Resource, true, true
		c.Metadata.Scope = "read admin"
	})
	plain := a.add("plain", "", nil)
	user := a.token(app, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).text("access_token")
	actor := a.token(gateway, "grant_type", "client_credentials", "scope", "read").text("access_token")
	ask := func(c *server.Client, pairs ...string) answer {
		all := []string{"grant_type", exchange.GrantType, "subject_token", user, "subject_token_type", string(exchange.AccessToken)}
		f := form(all...)
		for i := 0; i < len(pairs); i += 2 {
			f[pairs[i]] = nil
		}
		for i := 0; i < len(pairs); i += 2 {
			f.Add(pairs[i], pairs[i+1])
		}
		return a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: f})
	}
	act := []string{"actor_token", actor, "actor_token_type", string(exchange.AccessToken)}
	t.Run("2.2.1 impersonation", func(t *testing.T) {
		w := ask(gateway, "resource", other)
		w.want(t, 200, "")
		tok := a.read(w.text("access_token"), other)
		if tok.Subject != "alice" || tok.Claims.ClientID != "gateway" || tok.Claims.Actor != nil || tok.Claims.Scope != "read" || w.text("issued_token_type") != string(exchange.AccessToken) || w.text("token_type") != "Bearer" {
			t.Errorf("%+v %s", tok, w.Body)
		}
		if user := a.read(user, servertest.Resource); tok.Expiry.After(user.Expiry) {
			t.Error("it lives longer than its subject token")
		}
	})
	t.Run("4.1 delegation", func(t *testing.T) {
		w := ask(gateway, append(act, "audience", "other")...)
		w.want(t, 200, "")
		tok := a.read(w.text("access_token"), other)
		var actor exchange.Actor
		if err := json.Unmarshal(tok.Claims.Actor, &actor); err != nil || actor.ClientID != "gateway" && actor.Subject != "gateway" {
			t.Error(err, string(tok.Claims.Actor))
		}
	})
	t.Run("2.1 a JWT of a trusted issuer", func(t *testing.T) {
		ask(gateway, "subject_token", a.grantOf(k, nil), "subject_token_type", string(exchange.JWT)).want(t, 200, "")
		ask(gateway, "subject_token", a.grantOf(key(t), nil), "subject_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
		ask(gateway, "subject_token", a.grantOf(k, func(r *jwt.Registered) { r.Subject = "bob" }), "subject_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
	})
	t.Run("2.1 requested_token_type", func(t *testing.T) {
		if w := ask(gateway, "requested_token_type", string(exchange.JWT)); w.text("issued_token_type") != string(exchange.JWT) {
			t.Error(w.Body)
		}
		ask(gateway, "requested_token_type", string(exchange.RefreshToken)).want(t, 400, oauth.InvalidRequest)
		ask(gateway, "requested_token_type", string(exchange.SAML2)).want(t, 400, oauth.InvalidRequest)
	})
	stranger := a.add("stranger", "", func(c *server.Client) { c.Impersonation, c.Delegation = true, true })
	for name, x := range map[string]struct {
		c     *server.Client
		pairs []string
		code  string
	}{
		"1.1 a client that may not":              {plain, nil, oauth.InvalidRequest},
		"1.1 one that the token is not for":      {stranger, nil, oauth.InvalidRequest},
		"1.1 an actor that is not the client":    {gateway, []string{"actor_token", user, "actor_token_type", string(exchange.AccessToken)}, oauth.InvalidRequest},
		"2.1 no subject_token":                   {gateway, []string{"subject_token", ""}, oauth.InvalidRequest},
		"2.1 no type":                            {gateway, []string{"subject_token_type", ""}, oauth.InvalidRequest},
		"2.1 a type of a stranger":               {gateway, []string{"subject_token_type", string(exchange.SAML2)}, oauth.InvalidRequest},
		"2.1 an access token as a JWT":           {gateway, []string{"subject_token_type", string(exchange.JWT)}, oauth.InvalidRequest},
		"2.1 an actor_token_type alone":          {gateway, []string{"actor_token_type", string(exchange.AccessToken)}, oauth.InvalidRequest},
		"2.2.2 no token":                         {gateway, []string{"subject_token", "x"}, oauth.InvalidRequest},
		"2.2.2 a scope that the subject has not": {gateway, []string{"scope", "admin"}, oauth.InvalidScope},
		"2.2.2 a scope that the client has not":  {gateway, []string{"scope", "write"}, oauth.InvalidScope},
		"M13 2.2.2 an unknown resource":          {gateway, []string{"resource", "https://evil.example"}, oauth.InvalidTarget},
		"M13 2.2.2 an unknown audience":          {gateway, []string{"audience", "evil"}, oauth.InvalidTarget},
	} {
		t.Run(name, func(t *testing.T) { ask(x.c, x.pairs...).want(t, 400, x.code) })
	}
	t.Run("2.2.2 a revoked token", func(t *testing.T) {
		gone := a.token(app, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).text("access_token")
		ask(gateway, "subject_token", gone).want(t, 200, "")
		a.do(call{path: "/revoke", header: basic(app.ID, app.Secret), form: form("token", gone)}).want(t, 200, "")
		ask(gateway, "subject_token", gone).want(t, 400, oauth.InvalidRequest)
	})
	t.Run("an opaque token", func(t *testing.T) {
		o := a.add("o", "", func(c *server.Client) { c.Opaque = true })
		raw := a.token(o, "grant_type", "client_credentials").text("access_token")
		ask(gateway, "subject_token", raw).want(t, 200, "")
	})
	t.Run("5 a bound token is exchanged by who has the key", func(t *testing.T) {
		k := key(t)
		bound := a.bound(app, k, "grant_type", "client_credentials").text("access_token")
		ask(gateway, "subject_token", bound).want(t, 400, oauth.InvalidRequest)
		w := a.bound(gateway, k, "grant_type", exchange.GrantType, "subject_token", bound, "subject_token_type", string(exchange.AccessToken))
		w.want(t, 200, "")
		a.bound(gateway, key(t), "grant_type", exchange.GrantType, "subject_token", bound, "subject_token_type", string(exchange.AccessToken)).want(t, 400, oauth.InvalidRequest)
	})
	sign := func(c accesstoken.Claims) string {
		signer := a.Options.Keys.(interface {
			Signer(context.Context, jwa.Algorithm) (jwk.Signer, error)
		})
		key, _ := signer.Signer(ctx, jwa.ES256)
		c.ClientID, c.Scope = "app", "read"
		raw, err := accesstoken.Sign(ctx, key, jwt.Registered{Issuer: a.URL, Subject: "alice", Audience: jwt.Audience{servertest.Resource}, IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute), ID: rand()}, c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	t.Run("4.4 may_act", func(t *testing.T) {
		may := sign(accesstoken.Claims{MayAct: json.RawMessage(`{"client_id":"plain"}`)})
		ask(plain, "subject_token", may).want(t, 200, "")
		ask(gateway, "subject_token", may).want(t, 400, oauth.InvalidRequest)
	})
	t.Run("M12 chains of actors", func(t *testing.T) {
		chain := `{"sub":"s0"}`
		for i := range exchange.MaxActors - 1 {
			chain = `{"sub":"s` + string(rune('1'+i)) + `","act":` + chain + `}`
		}
		ask(gateway, "subject_token", sign(accesstoken.Claims{Actor: json.RawMessage(chain)})).want(t, 200, "")
		ask(gateway, append(act, "subject_token", sign(accesstoken.Claims{Actor: json.RawMessage(chain)}))...).want(t, 400, oauth.InvalidRequest) // one too many
		loop := `{"iss":"` + a.URL + `","sub":"gateway","act":{"sub":"s1"}}`
		ask(gateway, append(act, "subject_token", sign(accesstoken.Claims{Actor: json.RawMessage(loop)}))...).want(t, 400, oauth.InvalidRequest)
		once := ask(gateway, act...)
		once.want(t, 200, "")
		ask(gateway, append(act, "subject_token", once.text("access_token"))...).want(t, 400, oauth.InvalidRequest)
	})
	t.Run("a hook decides", func(t *testing.T) {
		a := start(t, server.Options{PermitExchange: func(_ context.Context, x *exchange.Exchange) (bool, error) { return x.ClientID == "d", nil }})
		c, d := a.add("c", "", nil), a.add("d", "", nil)
		raw := a.token(c, "grant_type", "client_credentials").text("access_token")
		f := form("grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.AccessToken))
		a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: f}).want(t, 400, oauth.InvalidRequest)
		a.do(call{path: "/token", header: basic(d.ID, d.Secret), form: f}).want(t, 200, "")
	})
}
