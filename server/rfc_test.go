package server_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// The tests of this file are named for the section of the specification whose rule they show.

func Test_RFC6749_2_3_one_method_in_a_request(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	a.token(c, "grant_type", "client_credentials", "client_secret", c.Secret).want(t, 400, oauth.InvalidRequest)
	a.token(c, "grant_type", "client_credentials", "client_assertion", "x", "client_assertion_type", clientauth.AssertionType).want(t, 400, oauth.InvalidRequest)
	a.token(c, "grant_type", "client_credentials", "client_id", "d").want(t, 400, oauth.InvalidRequest)
	a.token(c, "grant_type", "client_credentials", "client_id", "c").want(t, 200, "")
}

func Test_RFC6749_2_3_1_secrets(t *testing.T) {
	a := start(t, server.Options{})
	// A secret and an identifier with all that form-encoding changes.
	c := a.add("c d:%+", "", func(c *server.Client) { c.Secret = "a secret: with %25, + and = and ü, long enough" })
	a.token(c, "grant_type", "client_credentials").want(t, 200, "")
	raw := http.Header{}
	r, _ := http.NewRequest("POST", "/token", nil)
	r.SetBasicAuth(c.ID, c.Secret)
	raw.Set("Authorization", r.Header.Get("Authorization"))
	a.do(call{path: "/token", header: raw, form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)

	// RFC 9110, Section 11.4: case means nothing in the name of a scheme, and spaces after it may be several.
	spaced := basic(c.ID, c.Secret)
	spaced.Set("Authorization", strings.Replace(spaced.Get("Authorization"), "Basic ", "bAsIc   ", 1))
	a.do(call{path: "/token", header: spaced, form: form("grant_type", "client_credentials")}).want(t, 200, "")
	for _, bad := range []string{"Basic", "Basic ", "Basic\t" + strings.TrimPrefix(basic(c.ID, c.Secret).Get("Authorization"), "Basic "), "Basicx"} {
		a.do(call{path: "/token", header: http.Header{"Authorization": {bad}}, form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
	}

	p := a.add("p", "client_secret_post", nil)
	a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "p", "client_secret", p.Secret)}).want(t, 200, "")
	w := a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "p", "client_secret", p.Secret+"x")})
	w.want(t, 401, oauth.InvalidClient)
	// The parameters are not in the URL.
	a.do(call{path: "/token?client_id=p&client_secret=" + url.QueryEscape(p.Secret), form: form("grant_type", "client_credentials")}).want(t, 400, oauth.InvalidRequest)
}

// A client has one method, and a client that does not exist is not told from a wrong secret.
func Test_RFC6749_5_2_invalid_client(t *testing.T) {
	a := start(t, server.Options{})
	c, p := a.add("c", "", nil), a.add("p", "client_secret_post", nil)
	k := key(t)
	a.add("k", "private_key_jwt", func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	cc := func(pairs ...string) url.Values { return form(append(pairs, "grant_type", "client_credentials")...) }
	var bodies []string
	for name, x := range map[string]call{
		"unknown":             {header: basic("nobody", c.Secret), form: cc()},
		"wrong secret":        {header: basic("c", p.Secret), form: cc()},
		"empty secret":        {header: basic("c", ""), form: cc()},
		"long secret":         {header: basic("c", strings.Repeat("x", 2000)), form: cc()},
		"another method":      {header: basic("p", p.Secret), form: cc()},
		"no header of Basic":  {header: http.Header{"Authorization": {"Bearer " + c.Secret}}, form: cc()},
		"malformed":           {header: http.Header{"Authorization": {"Basic !!!"}}, form: cc()},
		"not form-encoded":    {header: http.Header{"Authorization": {"Basic JXg6eA=="}}, form: cc()},
		"post by another":     {form: cc("client_id", "c", "client_secret", c.Secret)},
		"post by nobody":      {form: cc("client_id", "nobody", "client_secret", c.Secret)},
		"no credentials":      {form: cc("client_id", "c")},
		"no credentials, key": {form: cc("client_id", "k")},
		"nobody":              {form: cc("client_id", "nobody")},
		"no client":           {form: cc()},
		"secret of a key":     {header: basic("k", "x"), form: cc()},
	} {
		x.path = "/token"
		w := a.do(x)
		w.want(t, 401, oauth.InvalidClient)
		if e := a.last(); e.Err == nil || e.Err.Cause == nil || e.Client != "" {
			t.Errorf("%s: the operator is told %+v", name, e)
		}
		if bodies = append(bodies, w.Body.String()); bodies[0] != w.Body.String() {
			t.Errorf("%s: %s tells more than %s", name, w.Body, bodies[0])
		}
	}
	a.do(call{path: "/token", header: http.Header{"Authorization": {basic("c", c.Secret).Get("Authorization"), "Basic x"}}, form: cc()}).want(t, 400, oauth.InvalidRequest)
}

func Test_RFC6749_3_2_the_request(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	h := basic(c.ID, c.Secret)
	typed := func(typ string) http.Header {
		h := h.Clone()
		h.Set("Content-Type", typ)
		return h
	}
	for name, x := range map[string]struct {
		call
		status int
		code   string
	}{
		"GET":                  {call{method: "GET"}, 405, oauth.InvalidRequest},
		"a parameter twice":    {call{header: h, form: form("grant_type", "client_credentials", "grant_type", "client_credentials")}, 400, oauth.InvalidRequest},
		"an unknown one twice": {call{header: h, form: form("grant_type", "client_credentials", "x", "1", "x", "2")}, 400, oauth.InvalidRequest},
		"an unknown one":       {call{header: h, form: form("grant_type", "client_credentials", "x", "1")}, 200, ""},
		"one without a value":  {call{header: h, form: form("grant_type", "client_credentials", "scope", "", "resource", "")}, 200, ""},
		"no grant_type":        {call{header: h, form: form("scope", "read")}, 400, oauth.InvalidRequest},
		"an unknown one type":  {call{header: h, form: form("grant_type", "password")}, 400, oauth.UnsupportedGrantType},
		"in the URL":           {call{path: "/token?grant_type=client_credentials", header: h, form: form("grant_type", "client_credentials")}, 400, oauth.InvalidRequest},
		"JSON":                 {call{header: typed("application/json"), body: `{"grant_type":"client_credentials"}`}, 415, oauth.InvalidRequest},
		"no type":              {call{header: h, body: "grant_type=client_credentials"}, 415, oauth.InvalidRequest},
		"another charset":      {call{header: typed("application/x-www-form-urlencoded; charset=utf-16"), body: "grant_type=client_credentials"}, 415, oauth.InvalidRequest},
		"a malformed charset":  {call{header: typed("application/x-www-form-urlencoded; charset"), body: "grant_type=client_credentials"}, 415, oauth.InvalidRequest},
		"a charset":            {call{header: typed("Application/X-WWW-Form-urlencoded; charset=utf-8"), body: "grant_type=client_credentials"}, 200, ""},
		"malformed":            {call{header: typed("application/x-www-form-urlencoded"), body: "grant_type=%zz"}, 400, oauth.InvalidRequest},
		"not UTF-8":            {call{header: h, form: form("grant_type", "client_credentials", "x", "\xff")}, 400, oauth.InvalidRequest},
		"NUL":                  {call{header: h, form: form("grant_type", "client_credentials", "x", "\x00")}, 400, oauth.InvalidRequest},
		"over 1 MiB":           {call{header: h, form: form("grant_type", "client_credentials", "x", strings.Repeat("x", 1<<20))}, 413, oauth.InvalidRequest},
		"many parameters": {call{header: typed("application/x-www-form-urlencoded"), body: func() (s string) {
			for i := range 300 {
				s += "a" + strconv.Itoa(i) + "=b&"
			}
			return s + "grant_type=client_credentials"
		}()}, 400, oauth.InvalidRequest},
		"thousands of scopes": {call{header: h, form: form("grant_type", "client_credentials", "scope", strings.Repeat("s ", 5000)+"s")}, 400, oauth.InvalidScope},
		"many resources":      {call{header: h, form: url.Values{"grant_type": {"client_credentials"}, "resource": slices.Repeat([]string{"https://a.example"}, 200)}}, 400, oauth.InvalidTarget},
		"compressed": {call{header: func() http.Header {
			h := typed("application/x-www-form-urlencoded")
			h.Set("Content-Encoding", "gzip")
			return h
		}(), body: "x"}, 415, oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			if x.path == "" {
				x.path = "/token"
			}
			a.do(x.call).want(t, x.status, x.code)
		})
	}
}

func Test_RFC6749_3_3_scope(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.Scope = "read write admin" })
	for scope, want := range map[string]string{"read": "read", "write read": "write read", "admin": "admin", "read admin": "read admin"} {
		w := a.token(c, "grant_type", "client_credentials", "scope", scope)
		if w.want(t, 200, ""); w.text("scope") != want {
			t.Error(scope, w.Body)
		}
	}
	// RFC 9068, Section 3: each value means something to the resource.
	a.token(c, "grant_type", "client_credentials", "scope", "write admin").want(t, 400, oauth.InvalidScope)
	a.token(c, "grant_type", "client_credentials", "scope", "delete").want(t, 400, oauth.InvalidScope)
	a.token(c, "grant_type", "client_credentials", "scope", "read\"").want(t, 400, oauth.InvalidScope)
	if w := a.token(c, "grant_type", "client_credentials"); w.text("scope") != "read write" {
		t.Error(w.Body)
	}
}

func Test_RFC6749_4_4_public_clients(t *testing.T) {
	a := start(t, server.Options{})
	a.add("p", "none", nil)
	a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "p")}).want(t, 400, oauth.UnauthorizedClient)
}

func Test_RFC6749_5_2_unauthorized_client(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.GrantTypes = []string{"refresh_token"} })
	a.token(c, "grant_type", "client_credentials").want(t, 400, oauth.UnauthorizedClient)
	a.token(c, "grant_type", exchange.GrantType).want(t, 400, oauth.UnauthorizedClient)
}

func Test_RFC8707_2_resources(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.Scope = "read write admin" })
	one := a.add("one", "", func(c *server.Client) { c.Resources = []string{other}; c.Metadata.Scope = "read admin" })
	w := a.token(c, "grant_type", "client_credentials", "resource", other)
	if w.want(t, 200, ""); w.text("scope") != "read admin" {
		t.Error(w.Body)
	}
	a.read(w.text("access_token"), other)
	w = a.token(c, "grant_type", "client_credentials", "resource", other, "resource", servertest.Resource)
	if w.want(t, 200, ""); len(a.read(w.text("access_token"), other).Audience) != 2 || w.text("scope") != "read write admin" {
		t.Error(w.Body)
	}
	a.read(a.token(one, "grant_type", "client_credentials").text("access_token"), other)
	for name, pairs := range map[string][]string{
		"unknown":  {"resource", "https://evil.example"},
		"beside":   {"resource", other, "resource", "https://evil.example"},
		"relative": {"resource", "/api"},
		"fragment": {"resource", other + "#x"},
		"a prefix": {"resource", other + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			a.token(c, append(pairs, "grant_type", "client_credentials")...).want(t, 400, oauth.InvalidTarget)
		})
	}
	a.token(one, "grant_type", "client_credentials", "resource", servertest.Resource).want(t, 400, oauth.InvalidTarget)
}

// assertions are what is wrong with a client assertion, by the section that says so.
func Test_RFC7523_3_client_assertions(t *testing.T) {
	c := newClock()
	a := start(t, server.Options{Clock: c.now})
	k := key(t)
	a.add("c", "private_key_jwt", func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	a.add("d", "private_key_jwt", func(c *server.Client) { c.Metadata.JWKS = jwks(t, key(t).Public()) })
	ask := func(assertion string, pairs ...string) answer {
		return a.do(call{path: "/token", form: form(append(pairs, "grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", assertion)...)})
	}
	ask(a.assert(k, nil)).want(t, 200, "")                   // RFC 7521, Section 4.2: client_id is optional
	ask(a.assert(k, nil), "client_id", "c").want(t, 200, "") //
	for name, change := range map[string]func(*jwt.Registered){
		"rule 1, iss is another client":      func(r *jwt.Registered) { r.Issuer = "d" },
		"rule 2, sub is another client":      func(r *jwt.Registered) { r.Subject = "d" },
		"rule 2, both are another client":    func(r *jwt.Registered) { r.Issuer, r.Subject = "d", "d" },
		"rule 2, both are no client":         func(r *jwt.Registered) { r.Issuer, r.Subject = "nobody", "nobody" },
		"rule 3, aud is another server":      func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://evil.example"} },
		"rule 3, M2 aud is the endpoint":     func(r *jwt.Registered) { r.Audience = jwt.Audience{a.URL + "/token"} },
		"rule 3, M2 aud has another server":  func(r *jwt.Registered) { r.Audience = jwt.Audience{a.URL, "https://evil.example"} },
		"rule 3, M2 aud is that of an alias": func(r *jwt.Registered) { r.Audience = jwt.Audience{a.URL + "/"} },
		"rule 4, expired":                    func(r *jwt.Registered) { r.Expiry = c.now().Add(-2 * time.Minute); r.IssuedAt = time.Time{} },
		"rule 4, for a year":                 func(r *jwt.Registered) { r.Expiry = c.now().Add(365 * 24 * time.Hour) },
		"rule 5, not before": func(r *jwt.Registered) {
			r.NotBefore = c.now().Add(10 * time.Minute)
			r.Expiry = c.now().Add(20 * time.Minute)
		},
		"rule 7, no jti": func(r *jwt.Registered) { r.ID = "" },
	} {
		t.Run(name, func(t *testing.T) { ask(a.assert(k, change)).want(t, 401, oauth.InvalidClient) })
	}
	t.Run("rule 7, M8 used twice", func(t *testing.T) {
		raw := a.assert(k, nil)
		ask(raw).want(t, 200, "")
		ask(raw).want(t, 401, oauth.InvalidClient)
	})
	t.Run("rule 9, another key", func(t *testing.T) { ask(a.assert(key(t), nil)).want(t, 401, oauth.InvalidClient) })
	t.Run("RFC 7521, Section 4.2, another client_id", func(t *testing.T) {
		ask(a.assert(k, nil), "client_id", "d").want(t, 401, oauth.InvalidClient)
	})
	t.Run("the type", func(t *testing.T) {
		a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", "urn:x", "client_assertion", a.assert(k, nil))}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion", a.assert(k, nil))}).want(t, 401, oauth.InvalidClient)
	})
}

func TestAttack_M8_client_authentication(t *testing.T) {
	a := start(t, server.Options{})
	rsa, err := jwk.Generate(jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	a.add("c", "private_key_jwt", func(c *server.Client) { c.Metadata.JWKS = jwks(t, rsa.Public()) })
	s := a.add("s", clientauth.ClientSecretJWT, nil)
	ask := func(assertion string) answer {
		return a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", assertion)})
	}
	of := func(id string) func(*jwt.Registered) {
		return func(r *jwt.Registered) { r.Issuer, r.Subject = id, id }
	}
	ask(a.assert(rsa, of("c"))).want(t, 200, "")
	secret, err := jwk.NewSecretKey(jwa.HS256, "", []byte(s.Secret))
	if err != nil {
		t.Fatal(err)
	}
	ask(a.assert(secret, of("s"))).want(t, 200, "")
	// The public key of another, or of the client itself, as a secret, and the secret with the key's name.
	pem, _ := rsa.JWK().MarshalDER()
	if public, err := jwk.NewSecretKey(jwa.HS256, rsa.KeyID(), append(pem, 0)); err == nil {
		ask(a.assert(public, of("c"))).want(t, 401, oauth.InvalidClient)
	}
	named, _ := jwk.NewSecretKey(jwa.HS256, rsa.KeyID(), []byte(s.Secret))
	ask(a.assert(named, of("c"))).want(t, 401, oauth.InvalidClient)
	ask(a.assert(rsa, of("s"))).want(t, 401, oauth.InvalidClient)
	// A short secret is not taken in the first place.
	if _, err := a.SaveClient(ctx, server.Client{ID: "short", Secret: "password", Metadata: oauth.ClientMetadata{AuthMethod: clientauth.ClientSecretJWT}}); err == nil {
		t.Error("a short secret is taken")
	}
	// The secret of client_secret_jwt is no password, and it is not in the store in clear.
	a.do(call{path: "/token", header: basic("s", s.Secret), form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
	for _, kind := range []string{"client"} {
		all, err := a.Options.Store.Documents(ctx, kind, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if strings.Contains(string(d.Body), s.Secret) {
				t.Error("a secret is in the store")
			}
		}
	}
}

func Test_RFC7523_2_1_and_3_grants(t *testing.T) {
	c := newClock()
	a := start(t, server.Options{Clock: c.now})
	k := key(t)
	a.trust(k, nil)
	ask := func(assertion string, pairs ...string) answer {
		return a.do(call{path: "/token", form: form(append(pairs, "grant_type", grant.GrantType, "assertion", assertion)...)})
	}
	w := ask(a.grantOf(k, nil))
	w.want(t, 200, "")
	tok := a.read(w.text("access_token"), servertest.Resource)
	if tok.Subject != "alice" || tok.Claims.ClientID != stsURL || tok.Claims.Scope != "read write" || w.json["refresh_token"] != nil {
		t.Errorf("%+v %s", tok, w.Body)
	}
	if w := ask(a.grantOf(k, nil), "scope", "read"); w.text("scope") != "read" {
		t.Error(w.Body)
	}
	ask(a.grantOf(k, func(r *jwt.Registered) { r.Audience = jwt.Audience{a.URL + "/token"} })).want(t, 200, "") // RFC 10070, Section 4
	ask(a.grantOf(k, func(r *jwt.Registered) { r.Subject = "team-7" })).want(t, 200, "")
	for name, change := range map[string]func(*jwt.Registered){
		"rule 1, an unknown issuer":             func(r *jwt.Registered) { r.Issuer = "https://evil.example" },
		"rule 2, a subject that only begins so": func(r *jwt.Registered) { r.Subject = "alice2" },
		"rule 2, a subject that it may not":     func(r *jwt.Registered) { r.Subject = "bob" },
		"rule 3, another server":                func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://evil.example"} },
		"rule 3, M2 and another server":         func(r *jwt.Registered) { r.Audience = jwt.Audience{a.URL, "https://evil.example"} },
		"rule 4, expired":                       func(r *jwt.Registered) { r.Expiry = c.now().Add(-2 * time.Minute); r.IssuedAt = time.Time{} },
		"rule 4, for a year":                    func(r *jwt.Registered) { r.Expiry = c.now().Add(365 * 24 * time.Hour) },
		"rule 5, not before": func(r *jwt.Registered) {
			r.NotBefore = c.now().Add(10 * time.Minute)
			r.Expiry = c.now().Add(20 * time.Minute)
		},
		"rule 7, no jti": func(r *jwt.Registered) { r.ID = "" },
	} {
		t.Run(name, func(t *testing.T) { ask(a.grantOf(k, change)).want(t, 400, oauth.InvalidGrant) })
	}
	t.Run("rule 7, used twice", func(t *testing.T) {
		raw := a.grantOf(k, nil)
		ask(raw).want(t, 200, "")
		ask(raw).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("rule 9, another key", func(t *testing.T) { ask(a.grantOf(key(t), nil)).want(t, 400, oauth.InvalidGrant) })
	for _, junk := range []string{"x", "a.b.c", strings.Repeat("a", 70<<10), "..", "e30.e30.e30"} {
		ask(junk).want(t, 400, oauth.InvalidGrant)
	}
	a.do(call{path: "/token", form: form("grant_type", grant.GrantType)}).want(t, 400, oauth.InvalidRequest)
	ask(a.grantOf(k, nil), "scope", "admin").want(t, 400, oauth.InvalidScope)
	ask(a.grantOf(k, nil), "resource", "https://evil.example").want(t, 400, oauth.InvalidTarget)

	t.Run("RFC 7521, Section 4.1, a client that authenticates", func(t *testing.T) {
		c := a.add("c", "", func(c *server.Client) { c.Metadata.Scope = "read" })
		w := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		if w.want(t, 200, ""); w.text("scope") != "read" || a.read(w.text("access_token"), servertest.Resource).Claims.ClientID != "c" || w.text("refresh_token") == "" {
			t.Error(w.Body)
		}
		a.do(call{path: "/token", header: basic("c", "wrong"), form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/token", form: form("client_id", "c", "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))}).want(t, 401, oauth.InvalidClient)
	})
	t.Run("clients that may present them", func(t *testing.T) {
		i, err := a.Server.Server.Issuer(ctx, stsURL)
		if err != nil {
			t.Fatal(err)
		}
		i.Clients = []string{"d"}
		a.AddIssuer(t, *i)
		ask(a.grantOf(k, nil)).want(t, 400, oauth.UnauthorizedClient)
		a.token(a.add("d", "", nil), "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).want(t, 200, "")
	})
	t.Run("an issuer that is no longer trusted", func(t *testing.T) {
		if err := a.DeleteIssuer(ctx, stsURL); err != nil {
			t.Fatal(err)
		}
		ask(a.grantOf(k, nil)).want(t, 400, oauth.InvalidGrant)
	})
}

// family starts a family of refresh tokens for a client.
func (a *as) family(c *server.Client, k jwk.Signer, pairs ...string) string {
	a.t.Helper()
	w := a.token(c, append(pairs, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))...)
	w.want(a.t, 200, "")
	if w.text("refresh_token") == "" {
		a.t.Fatal("there is no refresh token: ", w.Body)
	}
	return w.text("refresh_token")
}

func Test_RFC6749_6_refresh(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	k := key(t)
	a.trust(k, nil)
	c, d := a.add("c", "", nil), a.add("d", "", nil)
	refresh := func(c *server.Client, token string, pairs ...string) answer {
		return a.token(c, append(pairs, "grant_type", "refresh_token", "refresh_token", token)...)
	}
	first := a.family(c, k)
	w := refresh(c, first)
	if w.want(t, 200, ""); w.text("refresh_token") == first || w.text("refresh_token") == "" || w.text("scope") != "read write" {
		t.Fatal(w.Body)
	}
	tok := a.read(w.text("access_token"), servertest.Resource)
	if tok.Subject != "alice" || tok.Claims.ClientID != "c" {
		t.Errorf("%+v", tok)
	}
	t.Run("a retry has the same successor", func(t *testing.T) {
		now.add(10 * time.Second)
		if again := refresh(c, first); again.text("refresh_token") != w.text("refresh_token") {
			t.Error(again.Body)
		}
	})
	second := w.text("refresh_token")
	t.Run("another client", func(t *testing.T) {
		refresh(d, second).want(t, 400, oauth.InvalidGrant)
		refresh(c, second).want(t, 200, "") // and it is not used up by that
	})
	t.Run("M10 scope is not widened, and to ask costs nothing", func(t *testing.T) {
		token := a.family(c, k, "scope", "read")
		refresh(c, token, "scope", "read write").want(t, 400, oauth.InvalidScope)
		refresh(c, token, "scope", "admin").want(t, 400, oauth.InvalidScope)
		now.add(31 * time.Second) // after which it would be reuse
		if w := refresh(c, token, "scope", "read"); w.text("scope") != "read" {
			t.Error(w.Body)
		}
	})
	t.Run("narrowed for one token alone", func(t *testing.T) {
		token := a.family(c, k)
		w := refresh(c, token, "scope", "read")
		if w.text("scope") != "read" {
			t.Error(w.Body)
		}
		if w := refresh(c, w.text("refresh_token")); w.text("scope") != "read write" {
			t.Error(w.Body)
		}
	})
	t.Run("M13 RFC 8707, Section 2.2, resources are not widened", func(t *testing.T) {
		token := a.family(c, k)
		refresh(c, token, "resource", other).want(t, 400, oauth.InvalidTarget)
		refresh(c, token, "resource", servertest.Resource).want(t, 200, "")
	})
	t.Run("M10 reuse ends the family", func(t *testing.T) {
		token := a.family(c, k)
		w := refresh(c, token)
		now.add(31 * time.Second)
		refresh(c, token).want(t, 400, oauth.InvalidGrant)
		if e := a.last(); !e.Reused || e.Client != "c" {
			t.Errorf("%+v", e)
		}
		refresh(c, w.text("refresh_token")).want(t, 400, oauth.InvalidGrant)
		// The access tokens of the family end too, for who asks.
		if w := a.do(call{path: "/introspect", header: basic(c.ID, c.Secret), form: form("token", w.text("access_token"))}); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
	t.Run("M10 reuse with a scope ends it too", func(t *testing.T) {
		token := a.family(c, k)
		w := refresh(c, token)
		now.add(31 * time.Second)
		refresh(c, token, "scope", "read").want(t, 400, oauth.InvalidGrant)
		refresh(c, w.text("refresh_token")).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("idle", func(t *testing.T) {
		token := a.family(c, k)
		now.add(14*24*time.Hour + time.Second)
		refresh(c, token).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("in all", func(t *testing.T) {
		token := a.family(c, k)
		for range 9 {
			now.add(10 * 24 * time.Hour)
			w := refresh(c, token)
			if w.Code != 200 {
				break
			}
			token = w.text("refresh_token")
		}
		refresh(c, token).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("invented", func(t *testing.T) {
		token := a.family(c, k)
		other := "A" // than the first letter
		if token[0] == 'A' {
			other = "B"
		}
		for _, bad := range []string{"", "x", token[:10], other + token[1:], token + "A", token[:len(token)-1] + "!"} {
			code := oauth.InvalidGrant
			if bad == "" {
				code = oauth.InvalidRequest
			}
			refresh(c, bad).want(t, 400, code)
		}
		refresh(c, token).want(t, 200, "")
	})
	t.Run("forged of an older one", func(t *testing.T) {
		token := a.family(c, k)
		refresh(c, token).want(t, 200, "")
		b, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		b[23]++ // the number of its successor
		refresh(c, base64.RawURLEncoding.EncodeToString(b)).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("of a client that is deleted", func(t *testing.T) {
		token := a.family(d, k)
		if err := a.DeleteClient(ctx, "d"); err != nil {
			t.Fatal(err)
		}
		refresh(d, token).want(t, 401, oauth.InvalidClient)
		d = a.add("d", "", nil)
		refresh(d, token).want(t, 400, oauth.InvalidGrant)
	})
	t.Run("of a client that may have less", func(t *testing.T) {
		token := a.family(c, k)
		saved, err := a.Server.Server.Client(ctx, "c")
		if err != nil {
			t.Fatal(err)
		}
		saved.Metadata.Scope = "read"
		a.AddClient(t, *saved)
		if w := refresh(c, token); w.text("scope") != "read" {
			t.Error(w.Body)
		}
	})
	t.Run("of an issuer that is no longer trusted", func(t *testing.T) {
		token := a.family(c, k)
		if err := a.DeleteIssuer(ctx, stsURL); err != nil {
			t.Fatal(err)
		}
		refresh(c, token).want(t, 400, oauth.InvalidGrant)
	})
}

func Test_RFC7009(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c, d := a.add("c", "", nil), a.add("d", "", nil)
	opaque := a.add("o", "", func(c *server.Client) { c.Opaque = true })
	revoke := func(c *server.Client, token string) answer {
		return a.do(call{path: "/revoke", header: basic(c.ID, c.Secret), form: form("token", token, "token_type_hint", "whatever")})
	}
	active := func(c *server.Client, token string) bool {
		w := a.do(call{path: "/introspect", header: basic(c.ID, c.Secret), form: form("token", token)})
		w.want(t, 200, "")
		return w.json["active"] == true
	}
	t.Run("2.1 a refresh token ends its family", func(t *testing.T) {
		w := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		refresh, access := w.text("refresh_token"), w.text("access_token")
		if !active(c, refresh) || !active(c, access) {
			t.Fatal("not active")
		}
		revoke(d, refresh).want(t, 400, oauth.InvalidGrant)
		revoke(c, refresh).want(t, 200, "")
		a.token(c, "grant_type", "refresh_token", "refresh_token", refresh).want(t, 400, oauth.InvalidGrant)
		if active(c, refresh) || active(c, access) {
			t.Error("still active")
		}
	})
	t.Run("2.1 a JWT", func(t *testing.T) {
		access, kept := a.token(c, "grant_type", "client_credentials").text("access_token"), a.token(c, "grant_type", "client_credentials").text("access_token")
		revoke(d, access).want(t, 400, oauth.InvalidGrant)
		if !active(c, access) {
			t.Error("another client has revoked it")
		}
		revoke(c, access).want(t, 200, "")
		revoke(c, access).want(t, 200, "")
		if active(c, access) || !active(c, kept) {
			t.Error("the wrong one")
		}
	})
	t.Run("2.1 an opaque token", func(t *testing.T) {
		access := a.token(opaque, "grant_type", "client_credentials").text("access_token")
		if strings.Contains(access, ".") || !active(opaque, access) {
			t.Fatal(access)
		}
		revoke(d, access).want(t, 400, oauth.InvalidGrant)
		revoke(opaque, access).want(t, 200, "")
		if active(opaque, access) {
			t.Error("still active")
		}
	})
	t.Run("2.2 no such token", func(t *testing.T) {
		for _, token := range []string{"x", "a.b.c", strings.Repeat("A", 43)} {
			revoke(c, token).want(t, 200, "")
		}
	})
	t.Run("2.1 the client authenticates", func(t *testing.T) {
		a.do(call{path: "/revoke", form: form("token", "x")}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/revoke", header: basic("c", "x"), form: form("token", "x")}).want(t, 401, oauth.InvalidClient)
		revoke(c, "").want(t, 400, oauth.InvalidRequest)
	})
}
