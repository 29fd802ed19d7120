package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

func (a *as) introspect(c *server.Client, token, accept string) answer {
	a.t.Helper()
	h := basic(c.ID, c.Secret)
	if accept != "" {
		h.Set("Accept", accept)
	}
	return a.do(call{path: "/introspect", header: h, form: form("token", token)})
}

func Test_RFC7662(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) {
		c.Metadata.Scope = "read write admin"
		c.Claims = map[string]any{"tier": "gold"}
	})
	opaque := a.add("o", "", func(c *server.Client) { c.Opaque = true; c.Claims = map[string]any{"tier": "gold"} })
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
	stranger := a.add("stranger", "", func(c *server.Client) { c.ResourceServer = other })
	a.add("p", "none", nil)
	for _, owner := range []*server.Client{c, opaque} {
		t.Run("2.2 of "+owner.ID, func(t *testing.T) {
			w := a.token(owner, "grant_type", "client_credentials", "scope", "read")
			raw := w.text("access_token")
			got := a.introspect(api, raw, "")
			got.want(t, 200, "")
			for name, want := range map[string]any{"active": true, "scope": "read", "client_id": owner.ID, "token_type": "Bearer", "sub": owner.ID, "iss": a.URL, "aud": servertest.Resource, "tier": "gold"} {
				if got.json[name] != want {
					t.Errorf("%s is %v", name, got.json[name])
				}
			}
			for _, name := range []string{"exp", "iat", "jti"} {
				if got.json[name] == nil {
					t.Errorf("no %s", name)
				}
			}
			if got.Header().Get("Cache-Control") != "no-store" || got.Header().Get("Content-Type") != "application/json" {
				t.Error(got.Header())
			}
			// 4: who is not concerned is told nothing, and the owner may ask.
			if w := a.introspect(stranger, raw, ""); w.Body.String() != `{"active":false}` {
				t.Error(w.Body)
			}
			if w := a.introspect(owner, raw, ""); w.json["active"] != true {
				t.Error(w.Body)
			}
		})
	}
	t.Run("2.2 no longer, not here, never", func(t *testing.T) {
		old := a.token(c, "grant_type", "client_credentials").text("access_token")
		oldOpaque := a.token(opaque, "grant_type", "client_credentials").text("access_token")
		now.add(16 * time.Minute)
		strange, err := jwt.Sign(ctx, key(t), jwt.Header{Type: "at+jwt"}, jwt.Registered{Issuer: a.URL, Subject: "c", Audience: jwt.Audience{servertest.Resource}, Expiry: now.now().Add(time.Hour), IssuedAt: now.now(), ID: "1"}, map[string]any{"client_id": "c"})
		if err != nil {
			t.Fatal(err)
		}
		for name, raw := range map[string]string{"expired": old, "expired, opaque": oldOpaque, "of a stranger": strange, "garbage": "garbage", "dots": "a.b.c", "as long": strings.Repeat("A", 43)} {
			if w := a.introspect(api, raw, ""); w.Code != 200 || w.Body.String() != `{"active":false}` {
				t.Error(name, w.Code, w.Body)
			}
		}
	})
	t.Run("2.2 a claim that is a member of the answer too", func(t *testing.T) {
		for name, want := range map[any]any{"Alice": "Alice", 1: nil} {
			c := a.add(rand(), "", func(c *server.Client) { c.Claims = map[string]any{"username": name, "tenant": "x"} })
			w := a.introspect(c, a.token(c, "grant_type", "client_credentials").text("access_token"), "")
			if w.json["active"] != true || w.json["username"] != want || w.json["tenant"] != "x" {
				t.Errorf("%v: %s", name, w.Body)
			}
		}
	})
	t.Run("2.1 who asks authenticates", func(t *testing.T) {
		a.do(call{path: "/introspect", form: form("token", "x")}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/introspect", form: form("token", "x", "client_id", "p")}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/introspect", form: form("token", "x", "client_id", "c")}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/introspect", header: basic(c.ID, c.Secret), form: form("token", "")}).want(t, 400, oauth.InvalidRequest)
		a.do(call{method: "GET", path: "/introspect?token=x", header: basic(c.ID, c.Secret)}).want(t, 405, oauth.InvalidRequest)
	})
	t.Run("a refresh token is its client's business", func(t *testing.T) {
		raw := a.family(c, k)
		if w := a.introspect(c, raw, ""); w.json["active"] != true || w.json["client_id"] != "c" {
			t.Error(w.Body)
		}
		if w := a.introspect(api, raw, ""); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
	t.Run("of a client that is deleted", func(t *testing.T) {
		gone := a.add("gone", "", nil)
		raw := a.token(gone, "grant_type", "client_credentials").text("access_token")
		if w := a.introspect(api, raw, ""); w.json["active"] != true {
			t.Error(w.Body)
		}
		if err := a.DeleteClient(ctx, "gone"); err != nil {
			t.Fatal(err)
		}
		if w := a.introspect(api, raw, ""); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
	t.Run("5.1 an API with two in aud is told of itself", func(t *testing.T) {
		raw := a.token(c, "grant_type", "client_credentials", "resource", servertest.Resource, "resource", other).text("access_token")
		if w := a.introspect(stranger, raw, ""); w.json["aud"] != other || w.json["scope"] != "read admin" {
			t.Error(w.Body)
		}
	})
}

// answers verifies signed answers to who has that name.
func (a *as) answers(name string, d *jwt.Decryption) *introspection.Verifier {
	a.t.Helper()
	v, err := introspection.NewVerifier(a.Options.Keys, introspection.Policy{Issuers: []string{a.URL}, Audiences: []string{name}, JWT: jwt.Policy{Decryption: d}})
	if err != nil {
		a.t.Fatal(err)
	}
	return v
}

func Test_RFC9701(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
	raw := a.token(c, "grant_type", "client_credentials").text("access_token")
	v := a.answers(servertest.Resource, nil)
	t.Run("4 and 5", func(t *testing.T) {
		for accept, signed := range map[string]bool{
			introspection.MediaType: true, "application/json;q=0.5, " + introspection.MediaType: true, "application/json": false, "": false,
			introspection.MediaType + ";q=0": false, "*/*": false,
		} {
			w := a.introspect(api, raw, accept)
			w.want(t, 200, "")
			if got := w.Header().Get("Content-Type") == introspection.MediaType; got != signed {
				t.Errorf("Accept %q: %s", accept, w.Header().Get("Content-Type"))
			}
			if !signed {
				continue
			}
			answer, err := v.Read(ctx, w.Header().Get("Content-Type"), w.Body.Bytes())
			if err != nil || !answer.Active || answer.ClientID != "c" {
				t.Error(err, answer)
			}
		}
	})
	t.Run("5 aud", func(t *testing.T) { // by both names that the API has here
		for _, name := range []string{servertest.Resource, "api"} {
			if _, err := a.answers(name, nil).Verify(ctx, a.introspect(api, raw, introspection.MediaType).Body.String()); err != nil {
				t.Error(name, err)
			}
		}
	})
	t.Run("5 nothing of what is not active", func(t *testing.T) {
		w := a.introspect(api, "x", introspection.MediaType)
		answer, err := v.Read(ctx, w.Header().Get("Content-Type"), w.Body.Bytes())
		if err != nil || answer.Active {
			t.Error(err, answer)
		}
	})
	t.Run("5 encrypted", func(t *testing.T) {
		private, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
		if err != nil {
			t.Fatal(err)
		}
		j, _ := private.Public().JWK().With("use", "enc")
		set, _ := json.Marshal(map[string]any{"keys": []any{j}})
		enc := a.add("enc", "", func(c *server.Client) {
			c.ResourceServer = servertest.Resource
			c.Metadata.JWKS, c.Metadata.IntrospectionEncryptedAlg, c.Metadata.IntrospectionSignedAlg = set, "ECDH-ES", "ES256"
		})
		v := a.answers(servertest.Resource, &jwt.Decryption{Keys: jwk.DecryptionSet{private}})
		for _, accept := range []string{introspection.MediaType, "application/json"} {
			w := a.introspect(enc, raw, accept)
			answer, err := v.Read(ctx, w.Header().Get("Content-Type"), w.Body.Bytes())
			if err != nil || !answer.Active || strings.Count(w.Body.String(), ".") != 4 {
				t.Error(err, answer, w.Body)
			}
		}
	})
	t.Run("6 what the server has not", func(t *testing.T) {
		for _, change := range []func(*oauth.ClientMetadata){
			func(m *oauth.ClientMetadata) { m.IntrospectionSignedAlg = "RS256" },
			func(m *oauth.ClientMetadata) { m.IntrospectionSignedAlg = "none" },
			func(m *oauth.ClientMetadata) { m.IntrospectionEncryptedAlg = "RSA-OAEP" },
			func(m *oauth.ClientMetadata) { m.IntrospectionEncryptedEnc = "A128GCM" },
		} {
			c := server.Client{ID: "x"}
			change(&c.Metadata)
			if _, err := a.SaveClient(ctx, c); err == nil {
				t.Errorf("%+v is saved", c.Metadata)
			}
		}
	})
}

func Test_RFC8414(t *testing.T) {
	for issuer, paths := range map[string][]string{
		"https://as.example":          {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"},
		"https://as.example/tenant/1": {"/.well-known/oauth-authorization-server/tenant/1", "/.well-known/openid-configuration/tenant/1", "/tenant/1/.well-known/openid-configuration"},
	} {
		a := start(t, server.Options{Issuer: issuer})
		for _, p := range paths {
			w := a.do(call{method: "GET", path: p})
			w.want(t, 200, "")
			var m oauth.ServerMetadata
			if err := json.Unmarshal(w.Body.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
			// 3.3: the issuer is exactly the one that was asked for; 2: what is there is https.
			if err := m.Validate(issuer); err != nil {
				t.Error(err)
			}
			if m.TokenEndpoint != issuer+"/token" || m.ResponseTypesSupported == nil || m.AuthorizationEndpoint != "" || m.RegistrationEndpoint != "" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%+v", m)
			}
			// What is announced is there.
			for _, u := range []string{m.TokenEndpoint, m.IntrospectionEndpoint, m.RevocationEndpoint} {
				if w := a.do(call{path: strings.TrimPrefix(u, "https://as.example"), form: form("x", "y")}); w.Code == 404 {
					t.Error(u, "is not there")
				}
			}
			jwks := a.do(call{method: "GET", path: strings.TrimPrefix(m.JWKSURI, "https://as.example")})
			if set, _, err := jwk.ParseSet(jwks.Body.Bytes(), jwk.Binding{}); err != nil || len(set) != 1 {
				t.Error(err, jwks.Body)
			}
			for _, g := range m.GrantTypesSupported {
				if w := a.do(call{path: strings.TrimPrefix(m.TokenEndpoint, "https://as.example"), form: form("grant_type", g)}); w.text("error") == oauth.UnsupportedGrantType {
					t.Error(g, w.Body)
				}
			}
		}
		a.do(call{method: "GET", path: "/nowhere"}).want(t, 404, "")
	}
}

func TestEdges(t *testing.T) {
	a := start(t, server.Options{})
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if w := a.do(call{method: "GET", path: path}); w.Code != 200 || w.Body.String() != want {
			t.Error(path, w.Code, w.Body)
		}
	}
	t.Run("CORS", func(t *testing.T) {
		for path, open := range map[string]bool{"/token": true, "/revoke": true, "/jwks": true, "/.well-known/oauth-authorization-server": true, "/introspect": false, "/healthz": false} {
			w := a.do(call{method: "OPTIONS", path: path, header: http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"dpop"}}})
			if got := w.Header().Get("Access-Control-Allow-Origin") == "*"; got != open || open != (w.Code == 204) || w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error(path, w.Code, w.Header())
			}
		}
		w := a.do(call{path: "/token", form: form("x", "y")})
		if !strings.Contains(w.Header().Get("Access-Control-Expose-Headers"), "DPoP-Nonce") {
			t.Error(w.Header())
		}
	})
	t.Run("a body of unknown length", func(t *testing.T) {
		w := a.do(call{path: "/token", header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Transfer-Encoding": {"chunked"}}, body: strings.Repeat("x", 2<<20)})
		w.want(t, 413, oauth.InvalidRequest)
	})
	t.Run("the store is closed", func(t *testing.T) {
		now := newClock()
		a := start(t, server.Options{Clock: now.now})
		c, k := a.add("c", "", nil), key(t)
		a.trust(k, nil)
		token := a.family(c, k)
		a.token(c, "grant_type", "client_credentials").want(t, 200, "")
		if err := a.Options.Store.Close(); err != nil {
			t.Fatal(err)
		}
		now.add(10 * time.Second)
		// What is in memory serves on, for a while.
		a.token(c, "grant_type", "client_credentials").want(t, 200, "")
		a.token(c, "grant_type", "refresh_token", "refresh_token", token).want(t, 503, oauth.TemporarilyUnavailable)
		a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).want(t, 503, oauth.TemporarilyUnavailable)
		if w := a.do(call{method: "GET", path: "/readyz"}); w.Code != 503 {
			t.Error(w.Code)
		}
		if w := a.do(call{method: "GET", path: "/healthz"}); w.Code != 200 {
			t.Error(w.Code)
		}
		now.add(2 * time.Minute)
		a.token(c, "grant_type", "client_credentials").want(t, 503, oauth.TemporarilyUnavailable)
	})
}

// What one process changes, another knows within Lifetimes.Reload.
func TestReplicas(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	o := a.Options
	b := start(t, o)
	c := a.add("c", "", nil)
	b.token(c, "grant_type", "client_credentials").want(t, 200, "")
	saved, err := a.Server.Server.Client(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	saved.NewSecret = true
	fresh := a.AddClient(t, *saved)
	if fresh.Secret == "" || fresh.Secret == c.Secret {
		t.Fatal("no new secret")
	}
	if _, err := a.SaveClient(ctx, *saved); err == nil {
		t.Error("an old version is saved")
	}
	now.add(2 * time.Second)
	a.token(c, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	b.token(c, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	b.token(fresh, "grant_type", "client_credentials").want(t, 200, "")
	if err := a.DeleteClient(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	now.add(2 * time.Second)
	b.token(fresh, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	// A secret of the server that is rotated is still accepted.
	old := a.add("old", "", nil)
	jwtClient := a.add("j", "client_secret_jwt", nil)
	o.Secrets = append([][]byte{[]byte(strings.Repeat("n", 32))}, o.Secrets...)
	n := start(t, o)
	n.token(old, "grant_type", "client_credentials").want(t, 200, "")
	secret, _ := jwk.NewSecretKey(jwa.HS256, "", []byte(jwtClient.Secret))
	n.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion",
		n.assert(secret, func(r *jwt.Registered) { r.Issuer, r.Subject = "j", "j"; r.Audience = jwt.Audience{o.Issuer} }))}).want(t, 200, "")
	o.Secrets = o.Secrets[:1]
	start(t, o).token(old, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
}

// Nothing that the operator is told, and nothing that is kept, has a token or a secret in it.
func TestSecrecy(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	assertion := a.grantOf(k, nil)
	w := a.token(c, "grant_type", grant.GrantType, "assertion", assertion)
	a.token(c, "grant_type", grant.GrantType, "assertion", assertion).want(t, 400, oauth.InvalidGrant)
	a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token"))
	a.do(call{path: "/token", header: basic("c", c.Secret+"x"), form: form("grant_type", "client_credentials")})
	var log strings.Builder
	a.mu.Lock()
	for i := range a.log {
		b, _ := json.Marshal(a.log[i])
		log.Write(b)
		log.WriteString(a.log[i].LogValue().String())
		if a.log[i].Err != nil && a.log[i].Err.Cause != nil {
			log.WriteString(a.log[i].Err.Cause.Error())
		}
	}
	a.mu.Unlock()
	for name, secret := range map[string]string{"secret": c.Secret, "refresh token": w.text("refresh_token"), "access token": w.text("access_token"), "assertion": assertion} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the %s is told to the operator", name)
		}
	}
	if !strings.Contains(log.String(), "jti.replayed") {
		t.Error("the operator is not told why: ", log.String())
	}
}
