package server_test

import (
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// The tests of this file are group M of the catalogue of attacks, against the endpoints. Each has a control that is accepted.

// Two ways to authenticate in one request: whichever the server looked at, another party may have looked at the other.
func TestAttack_M8_two_methods_at_once(t *testing.T) {
	a := start(t, server.Options{Attesters: jwk.Set{key(t).Public()}})
	k := key(t)
	b, p := a.add("b", "", nil), a.add("p", "client_secret_post", nil)
	a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	ways := map[string]func(http.Header, url.Values){
		"basic": func(h http.Header, _ url.Values) { h["Authorization"] = basic(b.ID, b.Secret)["Authorization"] },
		"post": func(_ http.Header, f url.Values) {
			f["client_id"], f["client_secret"] = []string{"p"}, []string{p.Secret}
		},
		"assertion": func(_ http.Header, f url.Values) {
			f["client_assertion_type"], f["client_assertion"] = []string{clientauth.AssertionType}, []string{a.assert(k, nil)}
		},
		"attestation": func(h http.Header, _ url.Values) { h.Set(attestation.Header, "x") },
	}
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		for first, one := range ways {
			for second, two := range ways {
				h, f := http.Header{}, form("grant_type", "client_credentials", "token", "x")
				one(h, f)
				two(h, f)
				w := a.do(call{path: path, header: h, form: f})
				switch {
				case first != second:
					if w.want(t, 400, oauth.InvalidRequest); !strings.Contains(w.text("error_description"), "more than one method") {
						t.Errorf("%s: %s and %s: %s", path, first, second, w.Body)
					}
				case first != "attestation":
					w.want(t, 200, "")
				}
			}
		}
	}
}

// What was made for another server, and what another server might have been told to make.
func TestAttack_M2_made_for_another_server(t *testing.T) {
	attester, instance, k := key(t), key(t), key(t)
	a := start(t, server.Options{Attesters: jwk.Set{attester.Public()}})
	a.trust(k, nil)
	a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	a.add("wallet", attestation.Method, nil)
	client := func(aud ...string) answer {
		return a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion",
			a.assert(k, func(r *jwt.Registered) { r.Audience = aud }))})
	}
	granted := func(aud ...string) answer {
		return a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, func(r *jwt.Registered) { r.Audience = aud }))})
	}
	client(a.URL).want(t, 200, "")
	granted(a.URL).want(t, 200, "")
	const evil = "https://evil.example"
	for _, aud := range [][]string{
		{evil},
		{a.URL, evil},
		{evil, a.URL},
		{a.URL + "/"},
		{strings.ToUpper(a.URL)},
		{a.URL + "@evil.example"},
		{a.URL + "/introspect"},
		{a.URL + "#"},
		{"c"},
	} {
		client(aud...).want(t, 401, oauth.InvalidClient)
		granted(aud...).want(t, 400, oauth.InvalidGrant)
	}
	client(a.URL+"/token").want(t, 401, oauth.InvalidClient) // RFC 10070, Section 4: what an attacker's metadata may name

	challenge := a.do(call{path: "/challenge"}).text("attestation_challenge")
	for aud, want := range map[string]bool{a.URL: true, evil: false, a.URL + "/token": false} {
		h := attested(a, attester, instance, "wallet", aud, challenge)
		if w := a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials", "client_id", "wallet")}); (w.Code == 200) != want {
			t.Error(aud, w.Code, w.Body)
		}
	}
}

// Each token that the server makes or takes, wherever a token can be put.
func TestAttack_M3_one_token_for_another(t *testing.T) {
	statements, k := key(t), key(t)
	a := start(t, server.Options{Registration: &server.Registration{Statements: jwk.Set{statements.Public()}, StatementIssuers: []string{stsURL}}})
	a.trust(k, func(i *server.TrustedIssuer) { i.Subjects = []string{"*"} })
	c := a.add("c", "", func(c *server.Client) { c.Impersonation, c.Delegation = true, true })
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer, c.Impersonation = servertest.Resource, true })
	make := map[string]func() string{
		"access token":     func() string { return a.token(c, "grant_type", "client_credentials").text("access_token") },
		"refresh token":    func() string { return a.family(c, k) },
		"grant":            func() string { return a.grantOf(k, nil) },
		"client assertion": func() string { return a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = "k", "k" }) },
		"proof": func() string {
			w := a.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {a.proof(k, "")}}, form: form("grant_type", "client_credentials")})
			return a.proof(k, w.Header().Get("DPoP-Nonce"))
		},
		"introspection response": func() string {
			return a.introspect(api, a.token(c, "grant_type", "client_credentials").text("access_token"), introspection.MediaType).Body.String()
		},
		"software statement": func() string {
			raw, err := jwt.Sign(ctx, statements, jwt.Header{}, jwt.Registered{Issuer: stsURL}, map[string]any{"software_id": "s"}, jwt.AllowMissingExpiry)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		},
		"secret": func() string { return c.Secret },
	}
	exchanged := func(typ exchange.TokenType) func(string) (bool, answer) {
		return func(raw string) (bool, answer) {
			w := a.token(c, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(typ))
			return w.Code == 200, w
		}
	}
	for place, x := range map[string]struct {
		good []string
		put  func(string) (bool, answer)
	}{
		"client assertion": {[]string{"client assertion"}, func(raw string) (bool, answer) {
			w := a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", raw)})
			return w.Code == 200, w
		}},
		"grant": {[]string{"grant"}, func(raw string) (bool, answer) {
			w := a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", raw)})
			return w.Code == 200, w
		}},
		"refresh token": {[]string{"refresh token"}, func(raw string) (bool, answer) {
			w := a.token(c, "grant_type", "refresh_token", "refresh_token", raw)
			return w.Code == 200, w
		}},
		"proof": {[]string{"proof"}, func(raw string) (bool, answer) {
			w := a.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {raw}}, form: form("grant_type", "client_credentials")})
			return w.Code == 200, w
		}},
		"access token to exchange":        {[]string{"access token"}, exchanged(exchange.AccessToken)},
		"JWT to exchange":                 {[]string{"grant"}, exchanged(exchange.JWT)},
		"ID token to exchange":            {nil, exchanged(exchange.IDToken)},
		"refresh token to exchange":       {nil, exchanged(exchange.RefreshToken)},
		"token to introspect, by another": {[]string{"access token"}, func(raw string) (bool, answer) { w := a.introspect(api, raw, ""); return w.json["active"] == true, w }},
		"software statement": {[]string{"software statement"}, func(raw string) (bool, answer) {
			body, _ := json.Marshal(map[string]string{"software_statement": raw})
			w, _ := a.register("POST", "/register", a.initial(), string(body))
			return w.Code == 201, w
		}},
		"registration": {nil, func(raw string) (bool, answer) {
			w, _ := a.register("POST", "/register", raw, "{}")
			return w.Code == 201, w
		}},
		"configuration": {nil, func(raw string) (bool, answer) {
			w, _ := a.register("GET", "/register/c", raw, "")
			return w.Code == 200, w
		}},
	} {
		for name, f := range make {
			want := false
			for _, g := range x.good {
				want = want || g == name
			}
			if got, w := x.put(f()); got != want || w.Code >= 500 {
				t.Errorf("%s as %s: accepted is %v: %d %s", name, place, got, w.Code, w.Body)
			}
		}
	}
}

// A proof that somebody else made, or that was made for something else, or that came before.
func TestAttack_M4_proofs_at_the_token_endpoint(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	o := a.Options
	replica := start(t, o) // with the same store, secrets and keys
	o.Secrets, o.Store = [][]byte{[]byte(strings.Repeat("x", 32))}, nil
	o.Issuer = ""
	stranger := start(t, o)
	k := key(t)
	c := a.add("c", "", nil)
	strange := stranger.add("c", "", nil)
	send := func(to *as, raw string) answer {
		return to.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {raw}}, form: form("grant_type", "client_credentials")})
	}
	nonce := a.bound(c, k, "grant_type", "client_credentials").Header().Get("DPoP-Nonce")
	foreign := stranger.bound(strange, k, "grant_type", "client_credentials").Header().Get("DPoP-Nonce")
	sign := func(k jwk.Signer, change func(*jwt.Registered, *dpop.Claims)) string {
		r, c := jwt.Registered{IssuedAt: now.now(), ID: rand()}, dpop.Claims{Method: "POST", URL: a.URL + "/token", Nonce: nonce}
		if change != nil {
			change(&r, &c)
		}
		raw, err := dpop.Sign(ctx, k, r, c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	// Written by hand: dpop.Sign would not.
	forge := func(alg string, header map[string]any, claim ...any) string {
		h := map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": k.JWK()}
		for name, v := range header {
			h[name] = v
		}
		hb, _ := json.Marshal(h)
		p := map[string]any{"jti": rand(), "htm": "POST", "htu": a.URL + "/token", "iat": now.now().Unix(), "nonce": nonce}
		if len(claim) > 0 {
			if p[claim[0].(string)] = claim[1]; claim[1] == nil {
				delete(p, claim[0].(string))
			}
		}
		pb, _ := json.Marshal(p)
		input := b64(hb) + "." + b64(pb)
		mac, err := k.Sign(ctx, []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + b64(mac)
	}
	host := strings.TrimPrefix(a.URL, "http://")
	send(a, sign(k, nil)).want(t, 200, "")
	send(a, forge("ES256", nil)).want(t, 200, "")
	private, _ := k.PrivateJWK()
	privateJSON, _ := private.MarshalPrivateJSON()
	for name, raw := range map[string]string{
		"private jwk":         forge("ES256", map[string]any{"jwk": json.RawMessage(privateJSON)}),
		"symmetric algorithm": forge("HS256", map[string]any{"jwk": map[string]string{"kty": "oct", "k": strings.Repeat("A", 43)}}),
		"none":                forge("none", nil),
		"another key":         forge("ES256", map[string]any{"jwk": key(t).JWK()}),
		"no key":              forge("ES256", map[string]any{"jwk": nil}),
		"kid in place of jwk": forge("ES256", map[string]any{"jwk": nil, "kid": k.KeyID()}),
		"another typ":         forge("ES256", map[string]any{"typ": "JWT"}),
		"crit":                forge("ES256", map[string]any{"crit": []string{"x"}, "x": 1}),
		"htm in lower case":   sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.Method = "post" }),
		"another port":        sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = "http://127.0.0.1:1/token" }),
		"userinfo":            forge("ES256", nil, "htu", "http://x@"+host+"/token"),
		"no htu":              forge("ES256", nil, "htu", nil),
		"no htm":              forge("ES256", nil, "htm", nil),
		"no iat":              forge("ES256", nil, "iat", nil),
		"iat is text":         forge("ES256", nil, "iat", "now"),
		"dots":                sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = a.URL + "/x/../token/x" }),
		"another path":        sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = a.URL + "/tokens" }),
		"no jti":              forge("ES256", nil, "jti", nil),
		"broken off":          forge("ES256", nil)[:20],
		"long jti":            forge("ES256", nil, "jti", strings.Repeat("j", 2000)),
		"old":                 sign(k, func(r *jwt.Registered, _ *dpop.Claims) { r.IssuedAt = now.now().Add(-10 * time.Minute) }),
		"ahead":               sign(k, func(r *jwt.Registered, _ *dpop.Claims) { r.IssuedAt = now.now().Add(10 * time.Minute) }),
	} {
		if w := send(a, raw); w.Code != 400 || w.text("error") != oauth.InvalidDPoPProof {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	t.Run("nonce of another server", func(t *testing.T) {
		w := send(a, sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.Nonce = foreign }))
		if w.want(t, 400, oauth.UseDPoPNonce); w.Header().Get("DPoP-Nonce") == "" {
			t.Error("and there is no better one")
		}
	})
	t.Run("nonce of long ago", func(t *testing.T) {
		old := nonce
		now.add(time.Hour)
		send(a, sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.Nonce = old })).want(t, 400, oauth.UseDPoPNonce)
		nonce = a.bound(c, k, "grant_type", "client_credentials").Header().Get("DPoP-Nonce")
	})
	t.Run("replayed at another replica", func(t *testing.T) {
		raw := sign(k, nil)
		send(a, raw).want(t, 200, "")
		send(replica, raw).want(t, 400, oauth.InvalidDPoPProof)
	})
	t.Run("jti burnt by a stranger", func(t *testing.T) {
		named := func(r *jwt.Registered, _ *dpop.Claims) { r.ID = "the same" }
		send(a, sign(key(t), named)).want(t, 200, "")
		send(a, sign(k, named)).want(t, 200, "")
		send(a, sign(k, named)).want(t, 400, oauth.InvalidDPoPProof)
	})
	t.Run("host of the sender's choice", func(t *testing.T) {
		x := call{
			path: "/token", host: "evil.example", header: http.Header{
				"Authorization": basic(c.ID, c.Secret)["Authorization"], "X-Forwarded-Host": {"evil.example"}, "Forwarded": {"host=evil.example;proto=https"},
				"Dpop": {sign(k, func(_ *jwt.Registered, c *dpop.Claims) { c.URL = "http://evil.example/token" })},
			}, form: form("grant_type", "client_credentials"),
		}
		a.do(x).want(t, 400, oauth.InvalidDPoPProof)
	})
}

// A token that is bound stays bound, to the same keys.
func TestAttack_M4_M11_bindings_are_kept(t *testing.T) {
	var sent *x509.Certificate
	a := start(t, server.Options{ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return sent, nil }})
	iss, k, thief := key(t), key(t), key(t)
	a.trust(iss, nil)
	mine, _ := certificate(t, nil, nil, nil)
	his, _ := certificate(t, nil, nil, nil)
	public := a.add("public", "none", nil)
	both := a.add("both", "none", func(c *server.Client) { c.Metadata.CertificateBoundTokens = true })
	only := a.add("only", "", func(c *server.Client) { c.Metadata.DPoPBoundTokens = true })
	start := func(c *server.Client) string {
		return a.bound(c, k, "grant_type", grant.GrantType, "assertion", a.grantOf(iss, nil)).text("refresh_token")
	}
	bare := func(c *server.Client, token string) answer {
		return a.do(call{path: "/token", form: form("grant_type", "refresh_token", "refresh_token", token, "client_id", c.ID)})
	}
	with := func(c *server.Client, k jwk.Signer, token string) answer {
		return a.bound(c, k, "grant_type", "refresh_token", "refresh_token", token)
	}
	t.Run("key swapped at refresh", func(t *testing.T) {
		token := start(public)
		with(public, thief, token).want(t, 400, oauth.InvalidGrant)
		with(public, k, token).want(t, 200, "")
	})
	t.Run("downgrade to bearer", func(t *testing.T) {
		token := start(public)
		bare(public, token).want(t, 400, oauth.InvalidGrant)
		if w := with(public, k, token); w.text("token_type") != "DPoP" {
			t.Error(w.Body)
		}
		a.token(only, "grant_type", "client_credentials").want(t, 400, oauth.InvalidDPoPProof)
	})
	t.Run("certificate swapped under the same proof", func(t *testing.T) {
		sent = mine
		token := start(both)
		sent = his
		with(both, k, token).want(t, 400, oauth.InvalidGrant)
		sent = nil
		with(both, k, token).want(t, 400, oauth.InvalidRequest)
		sent = mine
		with(both, thief, token).want(t, 400, oauth.InvalidGrant)
		with(both, k, token).want(t, 200, "")
	})
	t.Run("exchanged for one that is not bound", func(t *testing.T) {
		c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
		token := a.bound(c, k, "grant_type", "client_credentials").text("access_token")
		x := []string{"grant_type", exchange.GrantType, "subject_token", token, "subject_token_type", string(exchange.AccessToken)}
		a.token(c, x...).want(t, 400, oauth.InvalidRequest)
		a.bound(c, thief, x...).want(t, 400, oauth.InvalidRequest)
		if w := a.bound(c, k, x...); w.text("token_type") != "DPoP" {
			t.Error(w.Body)
		}
	})
}

// What is asked for the second time, or in exchange, is never more than what was granted.
func TestAttack_M13_nothing_grows(t *testing.T) {
	a := start(t, server.Options{DetailTypes: detailTypes("pay")})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) {
		i.Scope, i.Resources, i.LegacyScope = "read", []string{servertest.Resource}, true
	})
	c := a.add("c", "", func(c *server.Client) {
		c.Metadata.Scope, c.Impersonation = "read write admin", true
		c.Metadata.AuthorizationDetailsTypes = []string{"pay"}
	})
	exchanged := func(claims map[string]any, pairs ...string) answer {
		now := time.Now()
		raw, err := jwt.Sign(ctx, k, jwt.Header{}, jwt.Registered{Issuer: stsURL, Subject: "alice", Audience: jwt.Audience{a.URL}, IssuedAt: now, Expiry: now.Add(time.Minute), ID: rand()}, claims)
		if err != nil {
			t.Fatal(err)
		}
		return a.token(c, append(pairs, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.JWT))...)
	}
	t.Run("scope that an issuer may not grant", func(t *testing.T) {
		for _, claims := range []map[string]any{{}, {"scope": "read"}, {"scope": "read write admin"}, {"scope": ""}} {
			if w := exchanged(claims); w.text("scope") != "read" {
				t.Error(claims, w.Body)
			}
			exchanged(claims, "scope", "write").want(t, 400, oauth.InvalidScope)
			exchanged(claims, "scope", "read write").want(t, 400, oauth.InvalidScope)
		}
		if w := exchanged(map[string]any{"scope": "write"}); w.Code != 200 || w.json["scope"] != nil {
			t.Error(w.Body)
		}
	})
	t.Run("resources that an issuer may not grant for", func(t *testing.T) {
		exchanged(nil, "resource", other).want(t, 400, oauth.InvalidTarget)
		exchanged(nil, "audience", "other").want(t, 400, oauth.InvalidTarget)
		a.read(exchanged(nil).text("access_token"), servertest.Resource)
		exchanged(nil, "resource", servertest.Resource).want(t, 200, "")
	})
	t.Run("what a refresh token asks for", func(t *testing.T) {
		for _, x := range []struct{ name, value, code string }{
			{"scope", "read write", oauth.InvalidScope},
			{"resource", other, oauth.InvalidTarget},
			{"authorization_details", `[{"type":"pay"}]`, oauth.InvalidAuthorizationDetails},
		} {
			token := a.family(c, k)
			a.token(c, "grant_type", "refresh_token", "refresh_token", token, x.name, x.value).want(t, 400, x.code)
			a.token(c, "grant_type", "refresh_token", "refresh_token", token).want(t, 200, "")
		}
	})
	t.Run("details that a client may no longer have", func(t *testing.T) {
		token := a.family(c, k, "authorization_details", `[{"type":"pay"}]`)
		w := a.token(c, "grant_type", "refresh_token", "refresh_token", token)
		if w.json["authorization_details"] == nil {
			t.Error(w.Body)
		}
		saved, err := a.Server.Server.Client(ctx, "c")
		if err != nil {
			t.Fatal(err)
		}
		saved.Metadata.AuthorizationDetailsTypes = nil
		a.AddClient(t, *saved)
		w = a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token"))
		if w.want(t, 200, ""); w.json["authorization_details"] != nil {
			t.Error(w.Body)
		}
	})
}

// Whoever has a token that is not his learns nothing and ends nothing.
func TestAttack_M10_tokens_of_another_client(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	opaque := a.add("opaque", "", func(c *server.Client) { c.Opaque = true })
	for _, thief := range []*server.Client{
		a.add("thief", "", nil),
		a.add("api of another", "", func(c *server.Client) { c.ResourceServer = other }),
		a.add("exchanger", "", func(c *server.Client) { c.Impersonation, c.Delegation = true, true }),
	} {
		w := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		tokens := []string{w.text("access_token"), w.text("refresh_token"), a.token(opaque, "grant_type", "client_credentials").text("access_token")}
		never := a.introspect(thief, "never issued", "").Body.String()
		for i, raw := range tokens {
			if got := a.introspect(thief, raw, "").Body.String(); got != never {
				t.Errorf("%s learns of token %d: %s", thief.ID, i, got)
			}
			a.do(call{path: "/revoke", header: basic(thief.ID, thief.Secret), form: form("token", raw)}).want(t, 400, oauth.InvalidGrant)
			a.token(thief, "grant_type", "refresh_token", "refresh_token", raw).want(t, 400, oauth.InvalidGrant)
			a.token(thief, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.AccessToken)).want(t, 400, oauth.InvalidRequest)
			owner := c
			if i == 2 {
				owner = opaque
			}
			if got := a.introspect(owner, raw, ""); got.json["active"] != true {
				t.Errorf("%s has ended token %d", thief.ID, i)
			}
		}
		a.token(c, "grant_type", "refresh_token", "refresh_token", tokens[1]).want(t, 200, "")
	}
}

// What those who register themselves would like to have.
func TestAttack_M6_registration(t *testing.T) {
	a := start(t, server.Options{
		DetailTypes:  detailTypes("pay", "look"),
		Registration: &server.Registration{OpenToEverybody: true, Scope: oauth.Scopes{"read"}, DetailTypes: []string{"look"}},
	})
	w, c := a.register("POST", "/register", "", `{"scope":"read write admin","authorization_details_types":["look"],"resource_server":"https://api.example","impersonation":true,"lifetime":999999,"claims":{"role":"root"},"opaque":true}`)
	if w.want(t, 201, ""); c.Scope != "read" {
		t.Error(w.Body)
	}
	saved, err := a.Server.Server.Client(ctx, c.ClientID)
	if err != nil || saved.ResourceServer != "" || saved.Impersonation || saved.Delegation || saved.Lifetime != 0 || saved.Claims != nil || saved.Opaque {
		t.Errorf("%v %+v", err, saved)
	}
	for document, code := range map[string]string{
		`{"authorization_details_types":["pay"]}`:                                    oauth.InvalidClientMetadata,
		`{"grant_types":["urn:ietf:params:oauth:grant-type:token-exchange"]}`:        oauth.InvalidClientMetadata,
		`{"redirect_uris":["javascript:alert(1)"]}`:                                  oauth.InvalidRedirectURI,
		`{"redirect_uris":["JavaScript:alert(1)"]}`:                                  oauth.InvalidRedirectURI,
		`{"redirect_uris":["data:text/html,x"]}`:                                     oauth.InvalidRedirectURI,
		`{"redirect_uris":["https://good.example/#x"]}`:                              oauth.InvalidRedirectURI,
		`{"redirect_uris":["http://evil.example/cb"]}`:                               oauth.InvalidRedirectURI,
		`{"logo_uri":"javascript:alert(1)"}`:                                         oauth.InvalidClientMetadata,
		`{"client_uri":"data:text/html,x"}`:                                          oauth.InvalidClientMetadata,
		`{"token_endpoint_auth_method":"mägic\"\\"}`:                                 oauth.InvalidClientMetadata,
		`{"token_endpoint_auth_method":"private_key_jwt"}`:                           oauth.InvalidClientMetadata,
		`{"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"file:///etc"}`:  oauth.InvalidClientMetadata,
		`{"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"gopher://x/"}`:  oauth.InvalidClientMetadata,
		`{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}}`:        "",
		`{"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"k":1}]}}`: oauth.InvalidClientMetadata,
		`{"client_name":` + strings.Repeat("[", 10_000) + `}`:                        oauth.InvalidClientMetadata,
		`{"contacts":["` + strings.Repeat(`x","`, 100) + `x"]}`:                      oauth.InvalidClientMetadata,
	} {
		w, _ := a.register("POST", "/register", "", document)
		if code != "" {
			w.want(t, 400, code)
		} else if w.Code >= 500 {
			t.Error(document, w.Code)
		}
	}
}

// What the answers to who does not authenticate tell of which clients there are.
func TestAttack_M8_nobody_is_told_which_clients_exist(t *testing.T) {
	a := start(t, server.Options{})
	k, stranger := key(t), key(t)
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	s := a.add("s", clientauth.ClientSecretJWT, nil)
	hs, _ := jwk.NewSecretKey(jwa.HS256, "", []byte(s.Secret[:32]+"another"))
	for _, by := range []jwk.Signer{stranger, hs} {
		var bodies []string
		for _, id := range []string{"nobody", "k", "s"} {
			w := a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion",
				a.assert(by, func(r *jwt.Registered) { r.Issuer, r.Subject = id, id }))})
			w.want(t, 401, oauth.InvalidClient)
			if bodies = append(bodies, w.Body.String()); bodies[0] != w.Body.String() {
				t.Errorf("%s is told from nobody: %s and %s", id, w.Body, bodies[0])
			}
		}
	}
}
