package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jotsuite/jot/oauth"
)

// TestHTTP sends what no library sends by itself, with curl.
func TestHTTP(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no curl")
		}
		t.Skip("there is no curl")
	}
	s := build(t).start(behindProxy)
	c := s.register(oauth.ClientMetadata{})
	// A name that means something else in a URL, in a form, and in the header of Basic.
	const odd = `a b:c%2Bd+e&f="g"/\`
	var special struct {
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(s.admin("client", "add", "--scope", "read write", odd), &special); err != nil {
		t.Fatal(err)
	}
	s.secret(special.Secret)

	const (
		formType = "application/x-www-form-urlencoded"
		grant    = "grant_type=client_credentials"
	)
	basic := func(scheme, id, secret string) []string {
		return []string{"--header", "Authorization: " + scheme + " " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
	}
	good := basic("Basic", c.ClientID, c.Secret)
	percent := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
		}
		return b.String()
	}
	header := func(name, value string) []string { return []string{"--header", name + ": " + value} }
	post := func(body string, args ...[]string) request {
		return request{url: s.issuer + "/token", body: body, bodyType: formType, args: slices.Concat(args...)}
	}
	typed := func(r request, typ string) request {
		r.bodyType = typ
		return r
	}
	by := func(r request, method string) request {
		r.method = method
		return r
	}
	at := func(r request, path string) request {
		r.url = s.issuer + path
		return r
	}
	both := url.Values{"grant_type": {"client_credentials"}, "client_id": {odd}, "client_secret": {special.Secret}}.Encode()
	raw := base64.StdEncoding.EncodeToString([]byte(c.ClientID + ":" + c.Secret))

	for name, tc := range map[string]struct {
		request
		status int
		code   string            // of the error, or "" for a token
		header map[string]string // what the answer has; "" is that it has none
	}{
		// RFC 6749, Section 2.3.1: both are form-encoded before they are put together.
		"Basic, form-encoded":                 {post(grant, basic("Basic", url.QueryEscape(odd), special.Secret)), 200, "", nil},
		"Basic, encoded as in a URL":          {post(grant, basic("Basic", strings.ReplaceAll(url.QueryEscape(odd), "+", "%20"), special.Secret)), 200, "", nil},
		"Basic, every character encoded":      {post(grant, basic("Basic", percent(odd), percent(special.Secret))), 200, "", nil},
		"Basic, hex digits in lower case":     {post(grant, basic("Basic", strings.ToLower(percent(c.ClientID)), strings.ToLower(percent(c.Secret)))), 200, "", nil},
		"Basic, not encoded":                  {post(grant, basic("Basic", odd, special.Secret)), 401, oauth.InvalidClient, nil},
		"Basic, a percent sign alone":         {post(grant, basic("Basic", "a%", special.Secret)), 401, oauth.InvalidClient, nil},
		"Basic, no secret":                    {post(grant, basic("Basic", c.ClientID, "")), 401, oauth.InvalidClient, nil},
		"Basic, no base64":                    {post(grant, header("Authorization", "Basic $$$")), 401, oauth.InvalidClient, nil},
		"Basic without its secret's last":     {post(grant, basic("Basic", c.ClientID, c.Secret[1:])), 401, oauth.InvalidClient, nil},
		"another scheme":                      {post(grant, header("Authorization", "Digest "+raw)), 401, oauth.InvalidClient, nil},
		"two Authorization headers":           {post(grant, good, good), 400, oauth.InvalidRequest, nil},
		"Basic, and the same in the body":     {post(grant+"&client_id="+c.ClientID+"&client_secret="+c.Secret, good), 400, oauth.InvalidRequest, nil},
		"Basic, and its client_id":            {post(grant+"&client_id="+c.ClientID, good), 200, "", nil},
		"Basic, and another client_id":        {post(grant+"&client_id=another", good), 400, oauth.InvalidRequest, nil},
		"Basic, and no secret in the body":    {post(grant+"&client_secret=", good), 200, "", nil}, // RFC 6749, Section 3.2: as if it were omitted
		"special characters in the body":      {post(both), 401, oauth.InvalidClient, nil},
		"the secret in the body, for Basic":   {post(grant + "&client_id=" + c.ClientID + "&client_secret=" + c.Secret), 401, oauth.InvalidClient, nil},
		"curl --user":                         {post(grant, []string{"--user", c.ClientID + ":" + c.Secret}), 200, "", nil},
		"basic in lower case":                 {post(grant, basic("basic", c.ClientID, c.Secret)), 200, "", nil}, // RFC 9110, Section 11.1
		"BASIC in upper case":                 {post(grant, basic("BASIC", c.ClientID, c.Secret)), 200, "", nil},
		"two spaces after Basic":              {post(grant, header("Authorization", "Basic  "+raw)), 200, "", nil}, // RFC 9110, Section 11.4: 1*SP
		"the header's name in lower case":     {post(grant, header("authorization", "Basic "+raw)), 200, "", nil},
		"charset":                             {typed(post(grant, good), formType+";charset=UTF-8"), 200, "", nil},
		"charset after a space, in quotes":    {typed(post(grant, good), formType+`; charset="utf-8"`), 200, "", nil},
		"the type in upper case":              {typed(post(grant, good), strings.ToUpper(formType)), 200, "", nil},
		"JSON":                                {typed(post(`{"grant_type":"client_credentials"}`, good), "application/json"), 415, oauth.InvalidRequest, nil},
		"multipart":                           {request{url: s.issuer + "/token", args: slices.Concat(good, []string{"--form", grant})}, 415, oauth.InvalidRequest, nil},
		"a compressed body":                   {post(grant, good, header("Content-Encoding", "gzip")), 415, oauth.InvalidRequest, nil},
		"chunks":                              {post(grant, good, header("Transfer-Encoding", "chunked")), 200, "", nil},
		"HTTP/1.0":                            {post(grant, good, []string{"--http1.0"}), 200, "", nil},
		"Expect":                              {post(grant, good, header("Expect", "100-continue")), 200, "", nil},
		"spaces as plus signs":                {post(grant+"&scope=read+write", good), 200, "", nil},
		"spaces as %20":                       {post(grant+"&scope=read%20write", good), 200, "", nil},
		"a scope with a tab":                  {post(grant+"&scope=read%09write", good), 400, oauth.InvalidScope, nil},
		"an empty scope":                      {post(grant+"&scope=", good), 200, "", nil},
		"a parameter that nobody knows":       {post(grant+"&unknown=1", good), 200, "", nil}, // RFC 6749, Section 3.2
		"a parameter twice":                   {post(grant+"&"+grant, good), 400, oauth.InvalidRequest, nil},
		"resource twice":                      {post(grant+"&resource="+url.QueryEscape(api)+"&resource="+url.QueryEscape(otherAPI), good), 200, "", nil}, // RFC 8707, Section 2
		"a semicolon":                         {post(grant+";scope=read", good), 400, oauth.InvalidRequest, nil},
		"no UTF-8":                            {post(grant+"&scope=%ff", good), 400, oauth.InvalidRequest, nil},
		"no body":                             {by(post("", good), "POST"), 400, oauth.InvalidRequest, nil},
		"no grant_type":                       {post("scope=read", good), 400, oauth.InvalidRequest, nil},
		"another grant_type":                  {post("grant_type=password&username=a&password=b", good), 400, oauth.UnsupportedGrantType, nil},
		"the parameters in the URL":           {at(by(post("", good), "POST"), "/token?"+grant), 400, oauth.InvalidRequest, nil},
		"over 1 MiB":                          {post(grant+"&x="+strings.Repeat("x", 1<<20), good), 413, oauth.InvalidRequest, nil},
		"GET":                                 {by(at(request{args: good}, "/token?"+grant), "GET"), 405, oauth.InvalidRequest, map[string]string{"Allow": "POST"}},
		"PUT":                                 {by(post(grant, good), "PUT"), 405, oauth.InvalidRequest, map[string]string{"Allow": "POST"}},
		"GET of the introspection endpoint":   {at(request{args: good}, "/introspect"), 405, oauth.InvalidRequest, map[string]string{"Allow": "POST"}},
		"GET of the revocation endpoint":      {at(request{args: good}, "/revoke"), 405, oauth.InvalidRequest, map[string]string{"Allow": "POST"}},
		"GET of the registration endpoint":    {at(request{args: good}, "/register"), 405, oauth.InvalidRequest, map[string]string{"Allow": "POST"}},
		"POST of the metadata":                {at(post(grant), "/.well-known/oauth-authorization-server"), 405, oauth.InvalidRequest, map[string]string{"Allow": "GET, HEAD"}},
		"a page of another origin":            {post(grant, good, header("Origin", "https://app.example")), 200, "", map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "DPoP-Nonce, WWW-Authenticate, OAuth-Client-Attestation-Challenge, Retry-After", "Access-Control-Allow-Credentials": ""}},
		"a page of another origin is refused": {post(grant, basic("Basic", c.ClientID, "x"), header("Origin", "https://app.example")), 401, oauth.InvalidClient, map[string]string{"Access-Control-Allow-Origin": "*"}},
		"a page may not introspect":           {at(post("token=x", good, header("Origin", "https://app.example")), "/introspect"), 200, "none", map[string]string{"Access-Control-Allow-Origin": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := s.send(tc.request)
			if err != nil {
				t.Fatal(err)
			}
			var said struct {
				Token       string `json:"access_token"`
				Error       string `json:"error"`
				Description string `json:"error_description"`
			}
			if err := json.Unmarshal(got.body, &said); err != nil {
				t.Fatalf("%v: %s", err, got.body)
			}
			s.secret(said.Token)
			if got.status != tc.status || said.Error != strings.Replace(tc.code, "none", "", 1) || (said.Token == "") == (tc.code == "") {
				t.Fatalf("%d %s, want %d %s", got.status, got.body, tc.status, tc.code)
			}
			for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
				if got.header.Get(name) != value {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
				}
			}
			for name, value := range tc.header {
				if got.header.Get(name) != value {
					t.Errorf("%s is %q, want %q", name, got.header.Get(name), value)
				}
			}
			if said.Error == "" {
				return
			}
			// RFC 6749, Section 5.2: without quotation mark, backslash and what is not ASCII.
			if said.Description == "" || strings.ContainsFunc(said.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
				t.Errorf("the description is %q", said.Description)
			}
			// RFC 9110, Section 15.5.2: every 401 has a challenge; RFC 6749, Section 5.2, says which.
			if challenge := got.header.Get("WWW-Authenticate"); (got.status == 401) != (tc.code == oauth.InvalidClient) || (got.status == 401) != (challenge == `Basic realm="`+s.issuer+`"`) {
				t.Errorf("%d for %s, with the challenge %q", got.status, tc.code, challenge)
			}
		})
	}

	t.Run("HEAD", func(t *testing.T) {
		head := []string{"--head"}
		for path, want := range map[string]int{"/token": 405, "/.well-known/oauth-authorization-server": 200, "/.well-known/openid-configuration": 200, "/jwks": 200, "/readyz": 200} {
			got, err := s.send(request{url: s.issuer + path, args: head})
			if err != nil {
				t.Fatal(err)
			}
			full, err := s.send(request{url: s.issuer + path})
			if err != nil {
				t.Fatal(err)
			}
			if got.status != want || full.status != want || got.header.Get("Content-Type") != full.header.Get("Content-Type") || got.header.Get("Content-Length") != full.header.Get("Content-Length") {
				t.Errorf("%s: %d %v, and with GET %d %v", path, got.status, got.header, full.status, full.header)
			}
		}
	})
	t.Run("If-None-Match", func(t *testing.T) {
		for _, path := range []string{"/.well-known/oauth-authorization-server", "/jwks"} {
			first, err := s.send(request{url: s.issuer + path})
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.send(request{url: s.issuer + path, args: header("If-None-Match", first.header.Get("ETag"))})
			if err != nil || first.header.Get("ETag") == "" || again.status != 304 || len(again.body) > 0 {
				t.Errorf("%s: %d %v, %v", path, again.status, again.header, err)
			}
		}
	})
	t.Run("preflight", func(t *testing.T) {
		ask := slices.Concat(header("Origin", "https://app.example"), header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization, content-type, dpop"))
		got, err := s.send(request{method: "OPTIONS", url: s.issuer + "/token", args: ask})
		if err != nil || got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Methods") != "POST" {
			t.Errorf("%d %v, %v", got.status, got.header, err)
		}
		allowed := strings.ToLower(got.header.Get("Access-Control-Allow-Headers"))
		for _, name := range []string{"authorization", "content-type", "dpop"} {
			if !strings.Contains(allowed, name) {
				t.Errorf("%s is not among %q", name, allowed)
			}
		}
		if got, err := s.send(request{method: "OPTIONS", url: s.issuer + "/introspect", args: ask}); err != nil || got.status != 405 || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("introspection: %d %v, %v", got.status, got.header, err)
		}
	})
	t.Run("bytes that are no text", func(t *testing.T) {
		got, err := s.send(post(grant, header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("\xff\x00:\xfe")))))
		if err != nil || got.status != 401 || !utf8.Valid(got.body) || bytes.IndexByte(got.body, 0) >= 0 {
			t.Errorf("%d %q, %v", got.status, got.body, err)
		}
	})
}
