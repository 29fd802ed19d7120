package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// forge signs a JWT of any claims, which the packages of its kind would not make.
func forge(t testing.TB, k jwk.Signer, header, claims string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(claims))
	mac, err := k.Sign(ctx, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(mac)
}

// Every way to a token, with the members and headers that the answer has.
func Test_RFC6749_5_1_responses_of_every_grant(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	access := a.token(c, "grant_type", "client_credentials").text("access_token")
	for name, x := range map[string]struct {
		pairs   []string
		refresh bool
	}{
		"client credentials": {[]string{"grant_type", "client_credentials"}, false}, // 4.4.3
		"JWT bearer":         {[]string{"grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)}, true},
		"refresh":            {[]string{"grant_type", "refresh_token", "refresh_token", a.family(c, k)}, true},
		"exchange":           {[]string{"grant_type", exchange.GrantType, "subject_token", access, "subject_token_type", string(exchange.AccessToken)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := a.token(c, x.pairs...)
			w.want(t, 200, "")
			for h, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff"} {
				if w.Header().Get(h) != want {
					t.Errorf("%s is %q", h, w.Header().Get(h))
				}
			}
			expires, number := w.json["expires_in"].(float64)
			if w.text("access_token") == "" || w.text("token_type") != "Bearer" || !number || expires < 1 || expires > 900 || w.text("scope") != "read write" || (w.text("refresh_token") != "") != x.refresh {
				t.Error(w.Body)
			}
			if name == "exchange" != (w.text("issued_token_type") != "") {
				t.Error(w.Body)
			}
		})
	}
	t.Run("3.3 the scope is told where it is another than was asked for", func(t *testing.T) {
		less := a.add("less", "", func(c *server.Client) { c.Metadata.Scope = "read" })
		if w := a.token(less, "grant_type", "client_credentials"); w.text("scope") != "read" {
			t.Error(w.Body)
		}
	})
}

// Each error code of the token endpoint, and which comes first where several things are wrong.
func Test_RFC6749_5_2_codes(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	few := a.add("few", "", func(c *server.Client) { c.Metadata.GrantTypes = []string{"refresh_token"} })
	a.add("p", "none", nil)
	for _, x := range []struct {
		name   string
		c      *server.Client
		pairs  []string
		status int
		code   string
	}{
		{"no grant_type", c, []string{"scope", "read"}, 400, oauth.InvalidRequest},
		{"a grant_type twice", c, []string{"grant_type", "client_credentials", "grant_type", "refresh_token"}, 400, oauth.InvalidRequest},
		{"a scope twice", c, []string{"grant_type", "client_credentials", "scope", "read", "scope", "read"}, 400, oauth.InvalidRequest},
		{"client_id twice", c, []string{"grant_type", "client_credentials", "client_id", "c", "client_id", "c"}, 400, oauth.InvalidRequest},
		{"no refresh_token", c, []string{"grant_type", "refresh_token"}, 400, oauth.InvalidRequest},
		{"no assertion", c, []string{"grant_type", grant.GrantType}, 400, oauth.InvalidRequest},
		{"no subject_token", c, []string{"grant_type", exchange.GrantType}, 400, oauth.InvalidRequest},
		{"nobody", &server.Client{ID: "nobody", Secret: "x"}, []string{"grant_type", "client_credentials"}, 401, oauth.InvalidClient},
		{"nobody, and a wrong grant", &server.Client{ID: "nobody", Secret: "x"}, []string{"grant_type", "refresh_token", "refresh_token", "x"}, 401, oauth.InvalidClient},
		{"no such refresh_token", c, []string{"grant_type", "refresh_token", "refresh_token", "x"}, 400, oauth.InvalidGrant},
		{"no such assertion", c, []string{"grant_type", grant.GrantType, "assertion", "x"}, 400, oauth.InvalidGrant},
		{"a grant that it may not", few, []string{"grant_type", "client_credentials"}, 400, oauth.UnauthorizedClient},
		{"the password grant", c, []string{"grant_type", "password", "username", "u", "password", "p"}, 400, oauth.UnsupportedGrantType},
		{"the code grant", c, []string{"grant_type", "authorization_code", "code", "x"}, 400, oauth.UnsupportedGrantType},
		{"in capitals", c, []string{"grant_type", "Client_Credentials"}, 400, oauth.UnsupportedGrantType},
		{"an unknown scope", c, []string{"grant_type", "client_credentials", "scope", "fly"}, 400, oauth.InvalidScope},
		{"a malformed one", c, []string{"grant_type", "client_credentials", "scope", "read  write"}, 400, oauth.InvalidScope},
		{"another malformed one", c, []string{"grant_type", "client_credentials", "scope", " read"}, 400, oauth.InvalidScope},
		{"in other letters", c, []string{"grant_type", "client_credentials", "scope", "Read"}, 400, oauth.InvalidScope},
		{"an unknown resource", c, []string{"grant_type", "client_credentials", "resource", "https://x.example"}, 400, oauth.InvalidTarget},
	} {
		t.Run(x.name, func(t *testing.T) { a.token(x.c, x.pairs...).want(t, x.status, x.code) })
	}
	t.Run("methods", func(t *testing.T) {
		for _, path := range []string{"/token", "/introspect", "/revoke"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH"} {
				w := a.do(call{method: method, path: path})
				if w.want(t, 405, oauth.InvalidRequest); w.Header().Get("Allow") != "POST" {
					t.Error(path, method, w.Header())
				}
			}
		}
	})
	t.Run("401 names the scheme", func(t *testing.T) {
		for _, h := range []http.Header{nil, basic("c", "x"), {"Authorization": {"Bearer x"}}} {
			w := a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials", "client_id", "c")})
			w.want(t, 401, oauth.InvalidClient)
			all, err := oauth.ParseChallenges(w.Header().Values("WWW-Authenticate"))
			if err != nil || len(all) != 1 || !strings.EqualFold(all[0].Scheme, "Basic") || all[0].Realm != a.URL {
				t.Errorf("%v %+v", err, all)
			}
		}
	})
}

func Test_RFC6749_6_clients_of_refresh_tokens(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	public := a.add("p", "none", nil)
	q := a.add("q", "none", nil)
	bare := func(id, token string, more ...string) answer {
		return a.do(call{path: "/token", form: form(append(more, "grant_type", "refresh_token", "refresh_token", token, "client_id", id)...)})
	}
	t.Run("a confidential client authenticates", func(t *testing.T) {
		token := a.family(c, k)
		bare("c", token).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/token", form: form("grant_type", "refresh_token", "refresh_token", token)}).want(t, 401, oauth.InvalidClient)
		a.do(call{path: "/token", header: basic("c", "x"), form: form("grant_type", "refresh_token", "refresh_token", token)}).want(t, 401, oauth.InvalidClient)
		bare("p", token).want(t, 400, oauth.InvalidGrant)
		a.token(c, "grant_type", "refresh_token", "refresh_token", token).want(t, 200, "")
	})
	t.Run("a public client names itself", func(t *testing.T) {
		w := a.do(call{path: "/token", form: form("client_id", public.ID, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))})
		w.want(t, 200, "")
		token := w.text("refresh_token")
		bare(q.ID, token).want(t, 400, oauth.InvalidGrant)
		bare(public.ID, token, "client_secret", "x").want(t, 401, oauth.InvalidClient)
		if w := bare(public.ID, token); w.text("refresh_token") == token {
			t.Error("RFC 9700, Section 4.14.2: it is not rotated")
		} else {
			w.want(t, 200, "")
		}
	})
	t.Run("a client that may refresh no longer", func(t *testing.T) {
		token := a.family(c, k)
		saved, err := a.Server.Server.Client(ctx, "c")
		if err != nil {
			t.Fatal(err)
		}
		saved.Metadata.GrantTypes = []string{"client_credentials"}
		a.AddClient(t, *saved)
		a.token(c, "grant_type", "refresh_token", "refresh_token", token).want(t, 400, oauth.UnauthorizedClient)
	})
}

// What an assertion has to have, each left out or made wrong in turn, in both uses.
func Test_RFC7521_5_2_and_RFC7523_3_each_claim(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	rs, err := jwk.Generate(jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	a.trust(k, func(i *server.TrustedIssuer) { i.JWKS = jwks(t, k.Public(), rs.Public()) })
	a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public(), rs.Public()) })
	now := time.Now().Unix()
	for _, use := range []struct {
		name, iss, sub, typ string
		send                func(string) answer
		status              int
		code                string
	}{
		{"4.1 and RFC 7523, 2.1, a grant", stsURL, "alice", "authorization-grant+jwt", func(raw string) answer {
			return a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", raw)})
		}, 400, oauth.InvalidGrant},
		{"4.2 and RFC 7523, 2.2, a client", "c", "c", "client-authentication+jwt", func(raw string) answer {
			return a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", raw)})
		}, 401, oauth.InvalidClient},
	} {
		claims := func(change ...any) string {
			m := map[string]any{"iss": use.iss, "sub": use.sub, "aud": a.URL, "exp": now + 60, "iat": now, "jti": rand()}
			for i := 0; i+1 < len(change); i += 2 {
				if m[change[i].(string)] = change[i+1]; change[i+1] == nil {
					delete(m, change[i].(string))
				}
			}
			return string(must(m))
		}
		header := func(change ...any) string {
			m := map[string]any{"alg": "ES256", "typ": use.typ, "kid": k.KeyID()}
			for i := 0; i+1 < len(change); i += 2 {
				if m[change[i].(string)] = change[i+1]; change[i+1] == nil {
					delete(m, change[i].(string))
				}
			}
			return string(must(m))
		}
		for name, good := range map[string]string{
			"as it should be":                    forge(t, k, header(), claims()),
			"rule 8, with claims nobody knows":   forge(t, k, header(), claims("x", 1, "y", []int{1})),
			"RFC 7523, 5, by RS256":              forge(t, rs, header("alg", "RS256", "kid", rs.KeyID()), claims()),
			"rule 6, without iat":                forge(t, k, header(), claims("iat", nil)),
			"typ JWT, as before RFC 10070":       forge(t, k, header("typ", "JWT"), claims()),
			"rule 5, nbf is now":                 forge(t, k, header(), claims("nbf", now)),
			"rule 4, a fraction is a number too": forge(t, k, header(), claims("exp", float64(now)+60.5)),
		} {
			t.Run(use.name+", "+name, func(t *testing.T) { use.send(good).want(t, 200, "") })
		}
		for name, bad := range map[string]string{
			"rule 1, no iss":              forge(t, k, header(), claims("iss", nil)),
			"rule 1, iss is empty":        forge(t, k, header(), claims("iss", "")),
			"rule 1, iss is a list":       forge(t, k, header(), claims("iss", []string{use.iss})),
			"rule 1, with NUL":            forge(t, k, header(), claims("iss", use.iss+"\x00")),
			"rule 2, no sub":              forge(t, k, header(), claims("sub", nil)),
			"rule 2, sub is empty":        forge(t, k, header(), claims("sub", "")),
			"rule 2, sub is a number":     forge(t, k, header(), claims("sub", 1)),
			"rule 2, with NUL":            forge(t, k, header(), claims("sub", use.sub+"\x00")),
			"rule 3, no aud":              forge(t, k, header(), claims("aud", nil)),
			"rule 3, aud is empty":        forge(t, k, header(), claims("aud", "")),
			"rule 3, no aud in the list":  forge(t, k, header(), claims("aud", []string{})),
			"rule 3, aud is an object":    forge(t, k, header(), claims("aud", map[string]string{"x": a.URL})),
			"rule 4, no exp":              forge(t, k, header(), claims("exp", nil)),
			"rule 4, exp is text":         forge(t, k, header(), claims("exp", "60")),
			"rule 4, exp is past":         forge(t, k, header(), claims("exp", now-3600, "iat", now-3700)),
			"rule 4, exp is huge":         forge(t, k, header(), claims("exp", 1e300)),
			"rule 5, nbf is ahead":        forge(t, k, header(), claims("nbf", now+1800)),
			"rule 6, iat is ahead":        forge(t, k, header(), claims("iat", now+1800, "exp", now+1860)),
			"rule 7, jti is a number":     forge(t, k, header(), claims("jti", 7)),
			"rule 9, none":                b64([]byte(header("alg", "none"))) + "." + b64([]byte(claims())) + ".",
			"rule 9, no signature":        b64([]byte(header())) + "." + b64([]byte(claims())) + ".",
			"rule 9, of another":          forge(t, key(t), header(), claims()),
			"rule 9, of another, no kid":  forge(t, key(t), header("kid", nil), claims()),
			"rule 10, a claim twice":      forge(t, k, header(), strings.Replace(claims(), "{", `{"sub":"mallory",`, 1)),
			"rule 10, no object":          forge(t, k, header(), `["a"]`),
			"rule 10, crit":               forge(t, k, header("crit", []string{"x"}, "x", 1), claims()),
			"rule 10, another kind":       forge(t, k, header("typ", "at+jwt"), claims()),
			"RFC 10070, of the other use": forge(t, k, header("typ", map[string]string{"c": "authorization-grant+jwt", "alice": "client-authentication+jwt"}[use.sub]), claims()),
			"two JWTs":                    forge(t, k, header(), claims()) + "," + forge(t, k, header(), claims()),
			"two JWTs, with a space":      forge(t, k, header(), claims()) + " " + forge(t, k, header(), claims()),
		} {
			t.Run(use.name+", "+name, func(t *testing.T) { use.send(bad).want(t, use.status, use.code) })
		}
	}
	t.Run("RFC 7521, 4.1, 4.2, an assertion is there once", func(t *testing.T) {
		raw := a.grantOf(k, nil)
		a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", raw, "assertion", raw)}).want(t, 400, oauth.InvalidRequest)
		a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", raw)}).want(t, 200, "")
	})
	t.Run("RFC 7521, 4.2, each without the other", func(t *testing.T) {
		raw := a.assert(k, nil)
		for _, pairs := range [][]string{
			{"client_assertion", raw},
			{"client_assertion_type", clientauth.AssertionType},
			{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "client_assertion", raw},
		} {
			a.do(call{path: "/token", form: form(append(pairs, "grant_type", "client_credentials")...)}).want(t, 401, oauth.InvalidClient)
		}
		// What did not count as an authentication has not used the assertion up.
		a.do(call{path: "/token", form: form("client_assertion", raw, "client_assertion_type", clientauth.AssertionType, "grant_type", "client_credentials")}).want(t, 200, "")
	})
	t.Run("RFC 7523, 2.1, a scope that is granted is told", func(t *testing.T) {
		w := a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil), "scope", "write")})
		if w.want(t, 200, ""); w.text("scope") != "write" || a.read(w.text("access_token"), servertest.Resource).Claims.Scope != "write" {
			t.Error(w.Body)
		}
	})
}

// The access tokens of every grant, as they are on the wire.
func Test_RFC9068_2_access_tokens(t *testing.T) {
	rs, err := jwk.Generate(jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	for _, signer := range []*jwk.PrivateKey{key(t), rs} { // 2.1: RS256 is one that servers know
		a := start(t, server.Options{Keys: server.FixedKeys(signer), Algorithm: signer.Algorithm()})
		k := key(t)
		a.trust(k, nil)
		c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
		user := a.token(c, "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))
		for name, x := range map[string]struct {
			raw, sub string
		}{
			"client credentials": {a.token(c, "grant_type", "client_credentials").text("access_token"), "c"}, // 2.2: the client itself
			"JWT bearer":         {user.text("access_token"), "alice"},
			"refresh":            {a.token(c, "grant_type", "refresh_token", "refresh_token", user.text("refresh_token")).text("access_token"), "alice"},
			"exchange":           {a.token(c, "grant_type", exchange.GrantType, "subject_token", user.text("access_token"), "subject_token_type", string(exchange.AccessToken)).text("access_token"), "alice"},
		} {
			t.Run(signer.Algorithm().Name()+" "+name, func(t *testing.T) {
				header, claims := parts(t, x.raw)
				// 2.1: the media type, and never none; RFC 7515, Section 4.1.4: the key, as the JWK set has it.
				if header["typ"] != "at+jwt" || header["alg"] != signer.Algorithm().Name() || header["kid"] != signer.KeyID() {
					t.Error(header)
				}
				for claim, want := range map[string]any{"iss": a.URL, "sub": x.sub, "aud": servertest.Resource, "client_id": "c", "scope": "read write"} { // 2.2, 2.2.3
					if claims[claim] != want {
						t.Errorf("%s is %v", claim, claims[claim])
					}
				}
				exp, iat := claims["exp"].(float64), claims["iat"].(float64)
				if id, _ := claims["jti"].(string); id == "" || exp <= iat || exp-iat > 900 {
					t.Error(claims)
				}
				a.read(x.raw, servertest.Resource)
			})
		}
	}
	a := start(t, server.Options{})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.Scope = "read write admin" })
	t.Run("2.2 each jti is another", func(t *testing.T) {
		seen := map[any]bool{}
		for range 50 {
			_, claims := parts(t, a.token(c, "grant_type", "client_credentials").text("access_token"))
			if seen[claims["jti"]] {
				t.Fatal(claims)
			}
			seen[claims["jti"]] = true
		}
	})
	t.Run("3 aud is the resource of the request, or the default", func(t *testing.T) {
		for resource, want := range map[string]string{"": servertest.Resource, servertest.Resource: servertest.Resource, other: other} {
			_, claims := parts(t, a.token(c, "grant_type", "client_credentials", "resource", resource).text("access_token"))
			if claims["aud"] != want {
				t.Errorf("%s: %v", resource, claims["aud"])
			}
		}
		_, claims := parts(t, a.token(c, "grant_type", "client_credentials", "scope", "admin").text("access_token"))
		if claims["aud"] != other {
			t.Error("the scope speaks of another resource: ", claims)
		}
	})
	t.Run("4 an API verifies them by what the metadata says", func(t *testing.T) {
		m := a.Metadata()
		if m.Issuer != a.URL || m.JWKSURI != a.URL+"/jwks" {
			t.Error(m)
		}
		w := a.do(call{method: "GET", path: "/jwks"})
		set, skipped, err := jwk.ParseSet(w.Body.Bytes(), jwk.Binding{})
		if err != nil || len(skipped) != 0 || len(set) != 1 || w.Header().Get("Content-Type") != "application/jwk-set+json" || strings.Contains(w.Body.String(), `"d"`) {
			t.Error(err, w.Body, w.Header())
		}
		header, _ := parts(t, a.token(c, "grant_type", "client_credentials").text("access_token"))
		if set[0].KeyID() != header["kid"] {
			t.Error(header)
		}
	})
	t.Run("4 one that another server made is not taken", func(t *testing.T) {
		b := start(t, server.Options{})
		raw := b.token(b.add("c", "", nil), "grant_type", "client_credentials").text("access_token")
		api := a.add("api", "", func(c *server.Client) { c.ResourceServer = servertest.Resource })
		if w := a.introspect(api, raw, ""); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
}
