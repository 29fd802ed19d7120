package server_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// hints are values of token_type_hint: right, wrong and unknown ones (RFC 7009, Section 2.1; RFC 7662, Section 2.1).
var hints = []string{"", "access_token", "refresh_token", "saml", "x y\"\\"}

func Test_RFC7009_2_1_requests(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	o := a.add("o", "", func(c *server.Client) { c.Opaque = true })
	public, another := a.add("p", "none", nil), a.add("q", "none", nil)
	for _, hint := range hints { // where the hint is wrong the search goes on
		for name, make := range map[string]func() (*server.Client, string){
			"refresh token": func() (*server.Client, string) { return c, a.family(c, k) },
			"JWT": func() (*server.Client, string) {
				return c, a.token(c, "grant_type", "client_credentials").text("access_token")
			},
			"opaque token": func() (*server.Client, string) {
				return o, a.token(o, "grant_type", "client_credentials").text("access_token")
			},
		} {
			owner, raw := make()
			if w := a.introspect(owner, raw, ""); w.json["active"] != true {
				t.Fatal(name, w.Body)
			}
			w := a.do(call{path: "/revoke", header: basic(owner.ID, owner.Secret), form: form("token", raw, "token_type_hint", hint)})
			if w.want(t, 200, ""); w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" {
				t.Error(w.Header(), w.Body)
			}
			if w := a.introspect(owner, raw, ""); w.json["active"] != false { // 2: from then on
				t.Errorf("the %s lives on, with the hint %q: %s", name, hint, w.Body)
			}
		}
	}
	t.Run("a public client revokes its own", func(t *testing.T) {
		w := a.do(call{path: "/token", form: form("client_id", public.ID, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))})
		for _, raw := range []string{w.text("access_token"), w.text("refresh_token")} {
			a.do(call{path: "/revoke", form: form("client_id", another.ID, "token", raw)}).want(t, 400, oauth.InvalidGrant)
			a.do(call{path: "/revoke", form: form("client_id", public.ID, "token", raw)}).want(t, 200, "")
		}
		a.do(call{path: "/token", form: form("client_id", public.ID, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token"))}).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("an access token does not end its refresh token", func(t *testing.T) {
		w := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", w.text("access_token"))}).want(t, 200, "")
		a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token")).want(t, 200, "")
	})
	t.Run("an older refresh token ends the family too", func(t *testing.T) {
		first := a.family(c, k)
		w := a.token(c, "grant_type", "refresh_token", "refresh_token", first)
		a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", first)}).want(t, 200, "")
		a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token")).want(t, 400, oauth.InvalidGrant)
		if w := a.introspect(c, w.text("access_token"), ""); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
}

func Test_RFC7009_2_2_1_errors(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	h := basic(c.ID, c.Secret)
	for name, x := range map[string]struct {
		call
		status int
		code   string
	}{
		"no token":       {call{header: h, form: form("token_type_hint", "access_token")}, 400, oauth.InvalidRequest},
		"two tokens":     {call{header: h, form: form("token", "x", "token", "y")}, 400, oauth.InvalidRequest},
		"no client":      {call{form: form("token", "x")}, 401, oauth.InvalidClient},
		"a wrong secret": {call{header: basic("c", "x"), form: form("token", "x")}, 401, oauth.InvalidClient},
		"in the URL":     {call{path: "/revoke?token=x", header: h, form: form("token", "x")}, 400, oauth.InvalidRequest},
		"JSON":           {call{header: http.Header{"Authorization": h["Authorization"], "Content-Type": {"application/json"}}, body: `{"token":"x"}`}, 415, oauth.InvalidRequest},
		"GET":            {call{method: "GET", path: "/revoke"}, 405, oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if x.path == "" {
				x.path = "/revoke"
			}
			a.do(x.call).want(t, x.status, x.code)
		})
	}
	t.Run("2.3 pages of other origins may revoke", func(t *testing.T) {
		w := a.do(call{method: "OPTIONS", path: "/revoke"})
		if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "POST") || w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Error(w.Code, w.Header())
		}
	})
}

func Test_RFC7662_2_and_4_requests_and_answers(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	c := a.add("c", "", nil)
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
	raw := a.token(c, "grant_type", "client_credentials").text("access_token")
	t.Run("2.1 hints", func(t *testing.T) {
		for _, hint := range hints {
			w := a.do(call{path: "/introspect", header: basic(api.ID, api.Secret), form: form("token", raw, "token_type_hint", hint)})
			if w.want(t, 200, ""); w.json["active"] != true {
				t.Error(hint, w.Body)
			}
		}
	})
	t.Run("2.2 numbers are numbers", func(t *testing.T) {
		w := a.introspect(api, raw, "")
		exp, _ := w.json["exp"].(float64)
		iat, _ := w.json["iat"].(float64)
		if int64(iat) != now.now().Unix() || exp-iat != 900 {
			t.Error(w.Body)
		}
	})
	t.Run("2.3 errors", func(t *testing.T) {
		h := basic(api.ID, api.Secret)
		for name, x := range map[string]struct {
			call
			status int
			code   string
		}{
			"no token":       {call{header: h, form: form("x", "y")}, 400, oauth.InvalidRequest},
			"two tokens":     {call{header: h, form: form("token", raw, "token", raw)}, 400, oauth.InvalidRequest},
			"a wrong secret": {call{header: basic("api", "x"), form: form("token", raw)}, 401, oauth.InvalidClient},
			"a token of its": {call{header: http.Header{"Authorization": {"Bearer " + raw}}, form: form("token", raw)}, 401, oauth.InvalidClient},
			"GET":            {call{method: "GET", path: "/introspect", header: h}, 405, oauth.InvalidRequest},
		} {
			t.Run(name, func(t *testing.T) {
				x.path = "/introspect"
				a.do(x.call).want(t, x.status, x.code)
			})
		}
	})
	own := func(change func(*jwt.Registered, *accesstoken.Claims)) string {
		k, err := a.Options.Keys.Signer(ctx, jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		r := jwt.Registered{Issuer: a.URL, Subject: "c", Audience: jwt.Audience{servertest.Resource}, IssuedAt: now.now(), Expiry: now.now().Add(time.Minute), ID: rand()}
		claims := accesstoken.Claims{ClientID: "c"}
		change(&r, &claims)
		raw, err := accesstoken.Sign(ctx, k, r, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	t.Run("4 each check", func(t *testing.T) {
		if w := a.introspect(api, own(func(*jwt.Registered, *accesstoken.Claims) {}), ""); w.json["active"] != true {
			t.Fatal(w.Body)
		}
		good := own(func(*jwt.Registered, *accesstoken.Claims) {})
		i := strings.LastIndexByte(good, '.')
		for name, raw := range map[string]string{
			"expired": own(func(r *jwt.Registered, _ *accesstoken.Claims) {
				r.IssuedAt, r.Expiry = now.now().Add(-time.Hour), now.now().Add(-time.Minute)
			}),
			"not yet":             own(func(r *jwt.Registered, _ *accesstoken.Claims) { r.NotBefore = now.now().Add(30 * time.Second) }),
			"of another issuer":   own(func(r *jwt.Registered, _ *accesstoken.Claims) { r.Issuer = "https://evil.example" }),
			"for another API":     own(func(r *jwt.Registered, _ *accesstoken.Claims) { r.Audience = jwt.Audience{other} }),
			"for one that is not": own(func(r *jwt.Registered, _ *accesstoken.Claims) { r.Audience = jwt.Audience{"https://gone.example"} }),
			"of no signature":     good[:i+1],
			"of another":          good[:i+1] + strings.Repeat("A", len(good)-i-1),
			"of another case":     strings.ToUpper(good),
			"with a space":        good + " ",
		} {
			if w := a.introspect(api, raw, ""); w.Code != 200 || w.Body.String() != `{"active":false}` {
				t.Error(name, w.Code, w.Body)
			}
		}
	})
	t.Run("4 once revoked, always", func(t *testing.T) {
		a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", raw)}).want(t, 200, "")
		for range 20 {
			if w := a.introspect(api, raw, ""); w.json["active"] != false {
				t.Fatal(w.Body)
			}
			now.add(time.Minute)
		}
	})
}

// What an API is told of a token that is bound.
func Test_RFC9449_6_2_and_RFC8705_3_2_introspection(t *testing.T) {
	mine, _ := certificate(t, nil, nil, nil)
	a := start(t, server.Options{ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return mine, nil }})
	k := key(t)
	jkt, _ := dpop.Thumbprint(k)
	sum := sha256.Sum256(mine.Raw)
	for _, opaque := range []bool{false, true} {
		c := a.add("c"+map[bool]string{true: " opaque"}[opaque], "", func(c *server.Client) { c.Opaque = opaque })
		tls := a.add("t"+map[bool]string{true: " opaque"}[opaque], "", func(c *server.Client) { c.Opaque, c.Metadata.CertificateBoundTokens = opaque, true })
		for _, x := range []struct {
			raw, typ, member, want string
			by                     *server.Client
		}{
			{a.bound(c, k, "grant_type", "client_credentials").text("access_token"), "DPoP", "jkt", jkt, c},
			{a.token(tls, "grant_type", "client_credentials").text("access_token"), "Bearer", "x5t#S256", b64(sum[:]), tls},
		} {
			w := a.introspect(x.by, x.raw, "")
			cnf, _ := w.json["cnf"].(map[string]any)
			if w.json["active"] != true || w.text("token_type") != x.typ || cnf[x.member] != x.want || len(cnf) != 1 {
				t.Error(w.Body)
			}
		}
	}
}

func Test_RFC9701_5_the_JWT(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
	raw := a.token(c, "grant_type", "client_credentials").text("access_token")
	for _, x := range []struct {
		by     *server.Client
		raw    string
		aud    any // all names of who asks
		active bool
	}{{api, raw, []any{servertest.Resource, "api"}, true}, {c, raw, "c", true}, {api, "x", []any{servertest.Resource, "api"}, false}} {
		w := a.introspect(x.by, x.raw, introspection.MediaType)
		w.want(t, 200, "")
		if w.Header().Get("Content-Type") != "application/token-introspection+jwt" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Vary") != "Accept" {
			t.Error(w.Header())
		}
		header, claims := parts(t, w.Body.String())
		if header["typ"] != "token-introspection+jwt" || header["alg"] != "ES256" || claims["iss"] != a.URL || !reflect.DeepEqual(claims["aud"], x.aud) || claims["iat"] == nil {
			t.Error(header, claims)
		}
		for _, name := range []string{"sub", "exp", "jti", "client_id", "scope"} { // 5: so that it is not taken for an access token
			if claims[name] != nil {
				t.Errorf("%s is beside token_introspection: %v", name, claims)
			}
		}
		inside, _ := claims["token_introspection"].(map[string]any)
		if inside["active"] != x.active || !x.active && len(inside) != 1 || x.active && inside["client_id"] != "c" {
			t.Error(claims)
		}
	}
	t.Run("5 errors are no JWTs", func(t *testing.T) {
		h := basic("api", "wrong")
		h.Set("Accept", introspection.MediaType)
		a.do(call{path: "/introspect", header: h, form: form("token", raw)}).want(t, 401, oauth.InvalidClient)
	})
	t.Run("7 metadata", func(t *testing.T) {
		m := a.Metadata()
		if len(m.IntrospectionSigningAlgs) == 0 || len(m.IntrospectionEncryptionAlgs) == 0 || len(m.IntrospectionEncryptionEncs) == 0 {
			t.Error(m)
		}
		for _, alg := range m.IntrospectionSigningAlgs {
			if alg == "none" {
				t.Error("none")
			}
		}
	})
}

func Test_RFC8414_2_and_3_metadata(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true}})
	w := a.do(call{method: "GET", path: "/.well-known/oauth-authorization-server"})
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatal(w.Code, w.Header())
	}
	if w.json["issuer"] != a.URL { // 3.3
		t.Error(w.json["issuer"])
	}
	for name, v := range w.json {
		list, ok := v.([]any)
		if ok && len(list) == 0 && name != "response_types_supported" { // 2: required; 3.2: and no other is empty
			t.Errorf("%s has no elements", name)
		}
		if strings.HasSuffix(name, "_alg_values_supported") || strings.HasSuffix(name, "_signing_alg_values_supported") {
			for _, alg := range list {
				if alg == "none" {
					t.Errorf("%s has none", name) // 2
				}
			}
		}
	}
	for _, of := range []string{"token", "introspection", "revocation"} { // 2: as there are methods with JWTs
		if list, _ := w.json[of+"_endpoint_auth_signing_alg_values_supported"].([]any); len(list) == 0 {
			t.Errorf("the %s endpoint has no algorithms", of)
		}
	}
	for _, path := range []string{"/token", "/introspect", "/revoke", "/register", "/jwks"} {
		found := false
		for _, v := range w.json {
			found = found || v == a.URL+path
		}
		if !found {
			t.Errorf("%s is not there", path)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} { // 3.1
		if w := a.do(call{method: method, path: "/.well-known/oauth-authorization-server"}); w.Code != 405 || w.Header().Get("Allow") == "" {
			t.Error(method, w.Code)
		}
	}
	if w := a.do(call{method: "HEAD", path: "/.well-known/oauth-authorization-server"}); w.Code != 200 || w.Body.Len() != 0 {
		t.Error(w.Code, w.Body)
	}
	t.Run("RFC 9449, 5.1 proofs are signed with private keys", func(t *testing.T) {
		list, _ := w.json["dpop_signing_alg_values_supported"].([]any)
		for _, alg := range list {
			if s, _ := alg.(string); strings.HasPrefix(s, "HS") || s == "none" {
				t.Error(list)
			}
		}
		if len(list) == 0 {
			t.Error("there are none")
		}
	})
}

func Test_RFC8693_2_parameters(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) { c.Impersonation, c.Delegation = true, true })
	raw := a.token(c, "grant_type", "client_credentials").text("access_token")
	const at = "urn:ietf:params:oauth:token-type:access_token"
	good := []string{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", raw, "subject_token_type", at}
	t.Run("2.2.1 the response", func(t *testing.T) {
		w := a.token(c, good...)
		if w.want(t, 200, ""); w.text("issued_token_type") != at || w.text("token_type") != "Bearer" || w.json["expires_in"] == nil || w.json["refresh_token"] != nil {
			t.Error(w.Body)
		}
		w = a.token(c, append(good, "requested_token_type", "urn:ietf:params:oauth:token-type:jwt")...)
		if w.want(t, 200, ""); w.text("issued_token_type") != "urn:ietf:params:oauth:token-type:jwt" {
			t.Error(w.Body)
		}
	})
	for name, x := range map[string]struct {
		pairs []string
		code  string
	}{
		"2.1 actor_token without its type":   {append(good, "actor_token", raw), oauth.InvalidRequest},
		"2.1 the type without actor_token":   {append(good, "actor_token_type", at), oauth.InvalidRequest},
		"2.1 subject_token twice":            {append(good, "subject_token", raw), oauth.InvalidRequest},
		"2.1 scope twice":                    {append(good, "scope", "read", "scope", "write"), oauth.InvalidRequest},
		"2.1 a resource that is no URI":      {append(good, "resource", "api"), oauth.InvalidTarget},
		"2.1 a resource with a fragment":     {append(good, "resource", servertest.Resource+"#x"), oauth.InvalidTarget},
		"2.1 one audience of two is unknown": {append(good, "audience", "other", "audience", "evil"), oauth.InvalidTarget},
		"2.1 an unknown requested type":      {append(good, "requested_token_type", "urn:ietf:params:oauth:token-type:id_token"), oauth.InvalidRequest},
		"2.1 a requested type that is none":  {append(good, "requested_token_type", "x"), oauth.InvalidRequest},
		"2.2.2 another type than it is":      {append(good[:4:4], "subject_token_type", "urn:ietf:params:oauth:token-type:id_token"), oauth.InvalidRequest},
		"2.2.2 a refresh token":              {append(good[:2:2], "subject_token", a.family(c, k), "subject_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) { a.token(c, x.pairs...).want(t, 400, x.code) })
	}
	t.Run("2.1 the client authenticates", func(t *testing.T) {
		a.do(call{path: "/token", form: form(good...)}).want(t, 401, oauth.InvalidClient)
		a.token(&server.Client{ID: "c", Secret: "x"}, good...).want(t, 401, oauth.InvalidClient)
	})
	t.Run("4.1 who acts, and who acted before", func(t *testing.T) {
		d := a.add("d", "", func(c *server.Client) { c.ResourceServer, c.Delegation = servertest.Resource, true })
		e := a.add("e", "", func(c *server.Client) { c.ResourceServer, c.Delegation = servertest.Resource, true })
		user := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).text("access_token")
		by := func(c *server.Client, subject string) string {
			own := a.token(c, "grant_type", "client_credentials").text("access_token")
			w := a.token(c, "grant_type", exchange.GrantType, "subject_token", subject, "subject_token_type", at, "actor_token", own, "actor_token_type", at)
			w.want(t, 200, "")
			return w.text("access_token")
		}
		_, claims := parts(t, by(e, by(d, user)))
		act, _ := claims["act"].(map[string]any)
		before, _ := act["act"].(map[string]any)
		if claims["sub"] != "alice" || act["sub"] != "e" || before["sub"] != "d" || before["act"] != nil || claims["client_id"] != "e" {
			t.Error(string(must(claims)))
		}
		for _, name := range []string{"exp", "nbf", "aud"} { // 4.1: they mean nothing there
			if act[name] != nil {
				t.Errorf("act has %s", name)
			}
		}
	})
}

func Test_RFC7591_2_and_3(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true, Scope: oauth.Scopes{"read"}}})
	k := key(t)
	set := string(jwks(t, k.Public()))
	t.Run("2 what is left out has a default", func(t *testing.T) {
		w, c := a.register("POST", "/register", "", `{}`)
		if w.want(t, 201, ""); c.AuthMethod != "client_secret_basic" || len(c.GrantTypes) != 1 || c.GrantTypes[0] != "client_credentials" || c.Scope != "read" {
			t.Error(w.Body)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
			t.Error(w.Header())
		}
	})
	t.Run("2.2 names in other languages", func(t *testing.T) {
		w, _ := a.register("POST", "/register", "", `{"client_name":"Shop","client_name#ja-Hani-JP":"店"}`)
		if w.want(t, 201, ""); w.json["client_name#ja-Hani-JP"] != "店" {
			t.Error(w.Body)
		}
	})
	t.Run("3.2.1 each client is another", func(t *testing.T) {
		seen := map[string]bool{}
		for range 20 {
			_, c := a.register("POST", "/register", "", `{}`)
			for _, v := range []string{c.ClientID, c.Secret, c.RegistrationToken} {
				if seen[v] || v == "" {
					t.Fatal(v)
				}
				seen[v] = true
			}
		}
	})
	t.Run("3.2.1 without a secret there is no word of one", func(t *testing.T) {
		w, c := a.register("POST", "/register", "", `{"token_endpoint_auth_method":"private_key_jwt","jwks":`+set+`}`)
		if w.want(t, 201, ""); w.json["client_secret"] != nil || w.json["client_secret_expires_at"] != nil || w.json["jwks"] == nil {
			t.Error(w.Body)
		}
		a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion",
			a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = c.ClientID, c.ClientID }))}).want(t, 200, "")
	})
	for name, x := range map[string]struct{ document, code string }{
		"2 jwks and jwks_uri":              {`{"jwks":` + set + `,"jwks_uri":"https://c.example/jwks"}`, oauth.InvalidClientMetadata},
		"2.1 a response without its grant": {`{"response_types":["code"],"grant_types":["client_credentials"]}`, oauth.InvalidClientMetadata},
		"3.1 no object":                    {`"x"`, oauth.InvalidClientMetadata},
		"3.1 nothing":                      {``, oauth.InvalidClientMetadata},
		"3.1 two objects":                  {`{}{}`, oauth.InvalidClientMetadata},
		"3.1 a member twice":               {`{"client_name":"a","client_name":"b"}`, oauth.InvalidClientMetadata},
		"3.1 grant_types is text":          {`{"grant_types":"client_credentials"}`, oauth.InvalidClientMetadata},
		"3.1 not UTF-8":                    {"{\"client_name\":\"\xff\"}", oauth.InvalidClientMetadata},
		"3.2.2 a redirect URI":             {`{"redirect_uris":["/cb"]}`, oauth.InvalidRedirectURI},
		"3.2.2 a software statement":       {`{"software_statement":"a.b.c"}`, oauth.UnapprovedSoftwareStatement},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := a.register("POST", "/register", "", x.document)
			w.want(t, 400, x.code)
		})
	}
	t.Run("3 POST", func(t *testing.T) {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			w, _ := a.register(method, "/register", "", `{}`)
			if w.want(t, 405, oauth.InvalidRequest); w.Header().Get("Allow") != "POST" {
				t.Error(w.Header())
			}
		}
	})
}

func Test_RFC7592_2_and_3(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true, Scope: oauth.Scopes{"read", "write"}}})
	_, c := a.register("POST", "/register", "", `{"client_name":"Shop","client_uri":"https://shop.example/","contacts":["a@b.example"],"scope":"read"}`)
	path := "/register/" + c.ClientID
	t.Run("3 the answers", func(t *testing.T) {
		for method, body := range map[string]string{"GET": "", "PUT": `{"client_id":"` + c.ClientID + `","client_name":"Shop","client_uri":"https://shop.example/","contacts":["a@b.example"],"scope":"read"}`} {
			w, got := a.register(method, path, c.RegistrationToken, body)
			if w.want(t, 200, ""); got.ClientID != c.ClientID || got.RegistrationURI != a.URL+path || got.RegistrationToken == "" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Error(method, w.Header(), w.Body)
			}
		}
	})
	t.Run("2.2 null is as if it were left out", func(t *testing.T) {
		w, got := a.register("PUT", path, c.RegistrationToken, `{"client_id":"`+c.ClientID+`","client_name":"Shop","client_uri":null,"contacts":null,"scope":"read"}`)
		if w.want(t, 200, ""); got.URI != "" || got.Contacts != nil || w.json["client_uri"] != nil {
			t.Error(w.Body)
		}
	})
	t.Run("2.2 the whole answer may be sent back, but for what is the server's", func(t *testing.T) {
		w, _ := a.register("GET", path, c.RegistrationToken, "")
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
			delete(all, name)
		}
		w, _ = a.register("PUT", path, c.RegistrationToken, string(must(all)))
		w.want(t, 200, "")
	})
	t.Run("2 a token of another kind", func(t *testing.T) {
		access := a.token(&server.Client{ID: c.ClientID, Secret: c.Secret}, "grant_type", "client_credentials").text("access_token")
		for _, token := range []string{access, c.Secret, "", c.RegistrationToken + "x", strings.ToLower(c.RegistrationToken)} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				w, _ := a.register(method, path, token, `{"client_id":"`+c.ClientID+`"}`)
				w.want(t, 401, oauth.InvalidToken)
			}
		}
	})
	t.Run("2.3 what is removed is gone with its tokens", func(t *testing.T) {
		w, _ := a.register("DELETE", path, c.RegistrationToken, "")
		if w.want(t, 204, ""); w.Body.Len() != 0 || w.Header().Get("Cache-Control") != "no-store" {
			t.Error(w.Header(), w.Body)
		}
		for _, method := range []string{"GET", "PUT", "DELETE"} { // 2.1, 2.2, 2.3: and the token is void
			w, _ := a.register(method, path, c.RegistrationToken, `{"client_id":"`+c.ClientID+`"}`)
			w.want(t, 401, oauth.InvalidToken)
		}
	})
}

func Test_RFC8705_2_requests(t *testing.T) {
	var sent *x509.Certificate
	var broken error
	a := start(t, server.Options{ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return sent, broken }})
	mine, mineKey := certificate(t, nil, nil, nil)
	his, _ := certificate(t, nil, nil, nil)
	j, err := jwk.FromKey(mineKey.Public())
	if err == nil {
		sum := sha256.Sum256(mine.Raw)
		j, err = j.With("x5t#S256", b64(sum[:]))
	}
	if err != nil {
		t.Fatal(err)
	}
	a.add("self", "self_signed_tls_client_auth", func(c *server.Client) { c.Metadata.JWKS = must(map[string]any{"keys": []any{j}}) })
	ask := func(path string, pairs ...string) answer {
		return a.do(call{path: path, form: form(append(pairs, "grant_type", "client_credentials", "token", "x")...)})
	}
	for _, path := range []string{"/token", "/introspect", "/revoke"} {
		sent, broken = mine, nil
		ask(path, "client_id", "self").want(t, 200, "")                                                                                                    // 2.2: by the thumbprint of the key set, too
		ask(path).want(t, 401, oauth.InvalidClient)                                                                                                        // 2: with client_id
		a.do(call{path: path, header: basic("self", "x"), form: form("token", "x", "grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient) // 2.3 of RFC 6749: by its method
		sent = his
		ask(path, "client_id", "self").want(t, 401, oauth.InvalidClient)
		sent, broken = nil, errDown
		ask(path, "client_id", "self").want(t, 400, oauth.InvalidRequest)
	}
	if !a.Metadata().CertificateBoundAccessTokens { // 3.3
		t.Error("not announced")
	}
}

func Test_RFC8707_2_refresh_tokens(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) { i.Scope = "read" })
	c := a.add("c", "", nil)
	token := a.family(c, k, "resource", servertest.Resource, "resource", other)
	w := a.token(c, "grant_type", "refresh_token", "refresh_token", token, "resource", other) // 2.2: fewer for one token
	if _, claims := parts(t, w.text("access_token")); claims["aud"] != other {
		t.Error(claims)
	}
	w = a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token")) // and the refresh token still has all
	_, claims := parts(t, w.text("access_token"))
	if aud, _ := claims["aud"].([]any); len(aud) != 2 {
		t.Error(claims)
	}
	a.token(c, "grant_type", "refresh_token", "refresh_token", w.text("refresh_token"), "resource", "https://evil.example").want(t, 400, oauth.InvalidTarget)
}

// Clients from before RFC 10070 name the token endpoint, and are accepted by name alone (RFC 10070, Section 4).
func Test_RFC10070_4_legacy_audience(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		a := start(t, server.Options{LegacyAudience: legacy, MTLSURL: "https://mtls.example"})
		k := key(t)
		c := a.add("c", "private_key_jwt", func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
		for name, x := range map[string]struct {
			aud  jwt.Audience
			good bool
		}{
			"the issuer":                       {jwt.Audience{a.URL}, true},
			"the token endpoint":               {jwt.Audience{a.URL + "/token"}, legacy},
			"its alias for certificates":       {jwt.Audience{"https://mtls.example/token"}, legacy},
			"both":                             {jwt.Audience{a.URL, a.URL + "/token"}, legacy},
			"another endpoint":                 {jwt.Audience{a.URL + "/introspect"}, false},
			"the endpoint of another":          {jwt.Audience{"https://evil.example/token"}, false},
			"ours beside that of another":      {jwt.Audience{a.URL + "/token", "https://evil.example/token"}, false},
			"the issuer beside that of others": {jwt.Audience{a.URL, "https://evil.example"}, false},
		} {
			w := a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", c.ID, "client_assertion_type", clientauth.AssertionType,
				"client_assertion", a.assert(k, func(r *jwt.Registered) { r.Audience = x.aud }))})
			if (w.Code == 200) != x.good {
				t.Errorf("legacy %t, %s: %d %s", legacy, name, w.Code, w.Body)
			}
		}
	}
}
