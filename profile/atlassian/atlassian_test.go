package atlassian

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const (
	now = profiletest.Now
	// of GET&/hello&
	qsh   = "0fc5a2fb9823aa1ae445a319f5fb7327d71fe2b5caecf3b5a50b655ffd44bfd3"
	other = "8063ff4ca1e41df7bc90c8ab6d0f6207d491cf6dad7c66ea797b4614b71922e9"
)

var (
	ctx  = context.Background()
	good = profiletest.Claims{"iss": "jira:1", "sub": "alice", "iat": now, "exp": now + 180, "qsh": qsh}
	sent = Expect{QueryHash: qsh}
)

func some() Policy {
	return Policy{ClientKey: "jira:1", JWT: jwt.Policy{Clock: profiletest.Clock}}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Secret(t), profiletest.Key(t).Public()}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	for name, tc := range map[string]struct {
		change []any
		typ    string
		key    jwk.Signer
		expect Expect
		want   []string
	}{
		"as it should be":           {typ: "JWT"},
		"without typ":               {},
		"typ of an access token":    {typ: "at+jwt", want: []string{"typ.mismatch"}},
		"no sub":                    {change: []any{"sub", nil}},
		"an aud":                    {change: []any{"aud", "anyone"}},
		"no iss":                    {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another product":           {change: []any{"iss", "jira:2"}, want: []string{"iss.mismatch"}},
		"no iat":                    {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"iat in the future":         {change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"no exp":                    {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"expired":                   {change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"no qsh":                    {change: []any{"qsh", nil}, want: []string{"claim.missing"}},
		"an empty qsh":              {change: []any{"qsh", ""}, want: []string{"claim.missing"}},
		"another request":           {change: []any{"qsh", other}, want: []string{"qsh.mismatch"}},
		"another request, context":  {change: []any{"qsh", other}, expect: Expect{QueryHash: qsh, AllowContext: true}, want: []string{"qsh.mismatch"}},
		"of no request":             {change: []any{"qsh", ContextHash}, want: []string{"qsh.mismatch"}},
		"of no request, expected":   {change: []any{"qsh", ContextHash}, expect: Expect{QueryHash: ContextHash}, want: []string{"qsh.mismatch"}},
		"of no request, allowed":    {change: []any{"qsh", ContextHash}, expect: Expect{QueryHash: qsh, AllowContext: true}},
		"of a request, allowed":     {expect: Expect{QueryHash: qsh, AllowContext: true}},
		"HipChat":                   {change: []any{"qsh", nil}, expect: Expect{NoQueryHash: true}},
		"HipChat, of a request":     {expect: Expect{NoQueryHash: true}, want: []string{"qsh.mismatch"}},
		"a nonce":                   {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash":                   {change: []any{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"scope":                     {change: []any{"scope", "read"}, want: []string{"kind.mismatch"}},
		"events":                    {change: []any{"events", map[string]any{}}, want: []string{"kind.mismatch"}},
		"another algorithm":         {key: profiletest.Key(t), want: []string{"alg.not_allowed"}},
		"a qsh of another type":     {change: []any{"qsh", 1}, want: []string{"json.type"}},
		"A4, of another's secret":   {key: secret(t, "another secret of thirty-two bytes"), want: []string{"sig.invalid"}},
		"F9, several names of aud ": {change: []any{"aud", []string{"a", "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.key == nil {
				tc.key = profiletest.Secret(t)
			}
			if tc.expect == (Expect{}) {
				tc.expect = sent
			}
			_, err := verifier(t, some()).Verify(ctx, good.With(tc.change...).Sign(t, tc.key, tc.typ), tc.expect)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func secret(t testing.TB, s string) *jwk.SecretKey {
	t.Helper()
	k, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", []byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// installations finds secrets by product.
type installations map[string]jwk.Set

func (i installations) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return i[q.Selector].Keys(ctx, q)
}

// With AnyClientKey, the secret of one product does not speak for another.
func TestAnyClientKey(t *testing.T) {
	one, two := profiletest.Secret(t), secret(t, "another secret of thirty-two bytes")
	v, err := NewVerifier(installations{"jira:1": {one}, "jira:2": {two}}, Policy{AnyClientKey: true, JWT: jwt.Policy{Clock: profiletest.Clock}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, good.Sign(t, one, "JWT"), sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, good.With("iss", "jira:2").Sign(t, two, "JWT"), sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, good.With("iss", "jira:2").Sign(t, one, "JWT"), sent)
	profiletest.Want(t, err, "sig.invalid")
	_, err = v.Verify(ctx, good.With("iss", "jira:3").Sign(t, one, "JWT"), sent)
	profiletest.Want(t, err, "key.none")
}

// The token of a lifecycle callback is Atlassian's, and for one app.
func TestInstall(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.NewPrivateKey(jwa.RS256, "k1", private)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(jwk.Set{key.Public(), profiletest.Secret(t)}, Policy{InstallBaseURL: "https://app.example", JWT: jwt.Policy{Clock: profiletest.Clock}})
	if err != nil {
		t.Fatal(err)
	}
	install := good.With("aud", []string{"https://app.example"})
	tok, err := v.Verify(ctx, install.Sign(t, key, "JWT"), sent)
	profiletest.Want(t, err)
	if tok.Issuer != "jira:1" {
		t.Error(tok.Issuer)
	}
	for name, tc := range map[string]struct {
		change []any
		key    jwk.Signer
		want   string
	}{
		"another app":              {[]any{"aud", "https://other.example"}, key, "aud.mismatch"},
		"no app":                   {[]any{"aud", nil}, key, "aud.missing"},
		"no product":               {[]any{"iss", nil}, key, "iss.missing"},
		"another request":          {[]any{"qsh", other}, key, "qsh.mismatch"},
		"signed with a secret, A4": {nil, profiletest.Secret(t), "alg.not_allowed"},
	} {
		_, err := v.Verify(ctx, install.With(tc.change...).Sign(t, tc.key, "JWT"), sent)
		t.Log(name)
		profiletest.Want(t, err, tc.want)
	}
}

func TestIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		policy Policy
		word   string // in the error
	}{
		"zero":                   {Policy{}, "ClientKey"},
		"a key and any":          {Policy{ClientKey: "a", AnyClientKey: true}, "ClientKey"},
		"any and one set":        {Policy{AnyClientKey: true}, "jwk.Set"},
		"a callback and a key":   {Policy{ClientKey: "a", InstallBaseURL: "b"}, "InstallBaseURL"},
		"a callback and any":     {Policy{AnyClientKey: true, InstallBaseURL: "b"}, "InstallBaseURL"},
		"another selector":       {Policy{ClientKey: "a", JWT: jwt.Policy{Selector: "sub"}}, "Selector"},
		"JWT.Issuers":            {Policy{ClientKey: "a", JWT: jwt.Policy{Issuers: []string{"b"}}}, "JWT.Issuers"},
		"a negative MaxLifetime": {Policy{ClientKey: "a", JWT: jwt.Policy{MaxLifetime: -1}}, "MaxLifetime"},
	} {
		if _, err := NewVerifier(jwk.Set{profiletest.Secret(t)}, tc.policy); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := verifier(t, some()).Verify(ctx, good.Sign(t, profiletest.Secret(t), ""), Expect{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
}

func TestSign(t *testing.T) {
	key := profiletest.Secret(t)
	r := jwt.Registered{Issuer: "jira:1", IssuedAt: time.Unix(now, 0), Expiry: time.Unix(now+180, 0)}
	for _, hash := range []string{qsh, ContextHash} {
		raw, err := Sign(ctx, key, r, Claims{QueryHash: hash})
		if err != nil {
			t.Fatal(err)
		}
		tok, err := verifier(t, some()).Verify(ctx, raw, Expect{QueryHash: qsh, AllowContext: true})
		profiletest.Want(t, err)
		if tok.Header().Type != "JWT" {
			t.Error(tok.Header().Type)
		}
	}
	for name, tc := range map[string]struct {
		change func(*jwt.Registered)
		hash   string
	}{
		"iss": {func(r *jwt.Registered) { r.Issuer = "" }, qsh},
		"iat": {func(r *jwt.Registered) { r.IssuedAt = time.Time{} }, qsh},
		"exp": {func(r *jwt.Registered) { r.Expiry = time.Time{} }, qsh},
		"qsh": {func(*jwt.Registered) {}, ""},
	} {
		r := r
		tc.change(&r)
		_, err := Sign(ctx, key, r, Claims{QueryHash: tc.hash})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, hash := range []string{"x", strings.ToUpper(qsh), qsh + "0", qsh[1:] + "g"} {
		if _, err := Sign(ctx, key, r, Claims{QueryHash: hash}); err == nil {
			t.Error(hash)
		}
	}
}

// The forms of a URL that Connect's documentation prints, and those of Atlassian's own test suites.
func TestCanonical(t *testing.T) {
	for _, tc := range []struct{ method, url, base, want string }{
		// "Creating a query string hash".
		{"GET", "http://localhost:2990/path/to/service?zee_last=param&repeated=parameter 1&first=param&repeated=parameter 2", "", "GET&/path/to/service&first=param&repeated=parameter%201,parameter%202&zee_last=param"},
		{"get", "http://server:80/some/path/?param=value", "", "GET&/some/path&param=value"},
		{"GET", "http://server:80", "", "GET&/&"},
		{"GET", "http://jira.example.com/jira/getsomething", "/jira", "GET&/getsomething&"},
		{"GET", "/?a=+&b=%20&c=*&d=~&e=%7E", "", "GET&/&a=%20&b=%20&c=%2A&d=~&e=~"},
		{"GET", "/?b=1&B=1&a=1&A=1", "", "GET&/&A=1&B=1&a=1&b=1"},
		// "Query string hash".
		{"GET", "/?param=foo", "", "GET&/&param=foo"},
		{"POST", "/user", "", "POST&/user&"},
		{"Get", "https://addon.example.com/jira-connector", "/jira-connector", "GET&/&"},
		{"GET", "https://addon.example.com/jira-connector/issue", "/jira-connector", "GET&/issue&"},
		{"GET", "https://addon.example.com/jira-connector/issue", "/jira-connector/", "GET&/issue&"},
		// The test suites.
		{"GET", "/path/to/service?zee_last=param&repeated=parameter 1&first=param&repeated=parameter 2&repeated=Parameter 2", "", "GET&/path/to/service&first=param&repeated=Parameter%202,parameter%201,parameter%202&zee_last=param"},
		{"GET", "/hello-world?a&b=foo&c", "", "GET&/hello-world&a=&b=foo&c="},
		{"POST", "/jira/rest/api/2/project/jira&a=b&c=d?x=y", "/jira", "POST&/rest/api/2/project/jira%26a=b%26c=d&x=y"},
		{"POST", "/rest/api/2/project&a=b?x=y", "", "POST&/rest/api/2/project%26a=b&x=y"},
		{"POST", "/rest/api/2/project?a=b&x=y", "", "POST&/rest/api/2/project&a=b&x=y"},
		{"GET", "/hello-world?lic=none&tz=Australia%2FSydney&cp=%2Fjira&user_key=&loc=en-US&user_id=&jwt=eyJ.eyJ.x&xdm_e=http%3A%2F%2Fstorm%3A2990&xdm_c=channel-servlet-hello-world&xdm_p=1", "", "GET&/hello-world&cp=%2Fjira&lic=none&loc=en-US&tz=Australia%2FSydney&user_id=&user_key=&xdm_c=channel-servlet-hello-world&xdm_e=http%3A%2F%2Fstorm%3A2990&xdm_p=1"},
		// What they leave to the reader.
		{"GET", "//", "", "GET&/&"},
		{"GET", "/a//", "", "GET&/a&"},
		{"GET", "/a%2Fb%20c", "", "GET&/a%2Fb%20c&"},
		{"GET", "/ä", "", "GET&/%C3%A4&"},
		{"GET", "/?&&a=1&", "", "GET&/&a=1"},
		{"GET", "/?a=1,2&a=0", "", "GET&/&a=0,1%2C2"},
		{"GET", "/?a=b=c&%6Awt=x", "", "GET&/&a=b%3Dc"},
		{"GET", "/?JWT=x&signed_request=y", "", "GET&/&JWT=x&signed_request=y"},
		{"GET", "/?a=!&a=0", "", "GET&/&a=%21,0"},
		{"GET", "/?ä=%E4%F6", "", "GET&/&%C3%A4=%E4%F6"},
		{"GET", "/x?=1", "", "GET&/x&=1"},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Canonical(tc.method, u, tc.base); got != tc.want || err != nil {
			t.Errorf("%s %s: %q, %v, want %q", tc.method, tc.url, got, err, tc.want)
		}
	}
	for name, tc := range map[string]struct{ method, path, query, base string }{
		"no method":               {"", "/", "", ""},
		"a method of many words":  {"GET /", "/", "", ""},
		"a method without end":    {strings.Repeat("A", 33), "/", "", ""},
		"a method that is no GET": {"GET&", "/", "", ""},
		"a method with a line":    {"GET_", "/", "", ""},
		"not below the base":      {"GET", "/other", "", "/jira"},
		"only beginning as it":    {"GET", "/jiraffe", "", "/jira"},
		"a path that is none":     {"OPTIONS", "*", "", ""},
		"half an escape":          {"GET", "/", "a=%4", ""},
		"half an escape, a name":  {"GET", "/", "%zz=1", ""},
		"a semicolon":             {"GET", "/", "a=1;b=2", ""},
		"many parameters":         {"GET", "/", strings.Repeat("a&", maxParameters), ""},
		"a long query":            {"GET", "/", strings.Repeat("a", maxURL+1), ""},
		"a long path":             {"GET", "/" + strings.Repeat("a", maxURL), "", ""},
	} {
		c, err := Canonical(tc.method, &url.URL{Path: tc.path, RawQuery: tc.query}, tc.base)
		h, err2 := QueryHash(tc.method, &url.URL{Path: tc.path, RawQuery: tc.query}, tc.base)
		if !errors.Is(err, ErrRequest) || !errors.Is(err2, ErrRequest) || c != "" || h != "" {
			t.Errorf("%s: %q %v %v", name, c, err, err2)
		}
	}
	if c, err := Canonical("GET", &url.URL{Scheme: "mailto", Opaque: "a@b.example"}, ""); !errors.Is(err, ErrRequest) {
		t.Error(c, err)
	}
	// What fits the limits by a hair.
	for _, u := range []*url.URL{
		{Path: "/", RawQuery: strings.Repeat("a&", maxParameters-1)},
		{Path: "/", RawQuery: strings.Repeat("a", maxURL)},
		{Path: "/" + strings.Repeat("a", maxURL-1)},
	} {
		if _, err := Canonical(strings.Repeat("A", 32), u, ""); err != nil {
			t.Error(err)
		}
	}
}

// The hashes that Connect's documentation and Atlassian's test suites print.
func TestQueryHash(t *testing.T) {
	for _, tc := range []struct{ method, url, want string }{
		{"GET", "/path", "799be84a7fa35570087163c0cd9af3abff7ac05c2c12ba0bb1d7eebc984b3ac2"},
		{"get", "", "c88caad15a1c1a900b8ac08aa9686f4e8184539bea1deda36e2f649430df3239"},
		{"GET", "/", "c88caad15a1c1a900b8ac08aa9686f4e8184539bea1deda36e2f649430df3239"},
		{"POST", "/hello-world", "6f95f3738e1b037a3bebbe0ad237d80fdbc1d5ae452e98ce03a9c004c178ebb4"},
		{"GET", "/hello-world?lic=none&tz=Australia%2FSydney&cp=%2Fjira&user_key=&loc=en-US&user_id=&jwt=eyJ.eyJ.x&xdm_e=http%3A%2F%2Fstorm%3A2990&xdm_c=channel-servlet-hello-world&xdm_p=1", other},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := QueryHash(tc.method, u, ""); got != tc.want || err != nil {
			t.Errorf("%s %s: %s, %v", tc.method, tc.url, got, err)
		}
	}
}

func TestFromRequest(t *testing.T) {
	hashOf := func(target string) string {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		h, err := QueryHash("GET", u, "")
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, tc := range map[string]struct {
		target string
		header []string
		want   string // the token; empty where the request is refused
		hash   string
	}{
		"header":                        {"/a?b=1", []string{"JWT x.y.z"}, "x.y.z", hashOf("/a?b=1")},
		"header, in other letters":      {"/a?b=1", []string{"jwt x.y.z"}, "x.y.z", hashOf("/a?b=1")},
		"header beside another's":       {"/a?b=1", []string{"Basic YTpi", "JWT x.y.z"}, "x.y.z", hashOf("/a?b=1")},
		"query":                         {"/a?jwt=x.y.z&b=1", nil, "x.y.z", hashOf("/a?b=1")},
		"query, beside another header":  {"/a?jwt=x.y.z&b=1", []string{"Bearer x.y.z"}, "x.y.z", hashOf("/a?b=1")},
		"signed_request":                {"/a?signed_request=x.y.z&b=1", nil, "x.y.z", hashOf("/a?b=1")},
		"none":                          {"/a?b=1", nil, "", ""},
		"Bearer":                        {"/a", []string{"Bearer x.y.z"}, "", ""},
		"an empty one":                  {"/a?jwt=", nil, "", ""},
		"a scheme alone":                {"/a", []string{"JWT"}, "", ""},
		"two in the header":             {"/a", []string{"JWT x.y.z", "JWT x.y.z"}, "", ""},
		"header and query":              {"/a?jwt=x.y.z", []string{"JWT x.y.z"}, "", ""},
		"header and signed_request":     {"/a?signed_request=x.y.z", []string{"JWT x.y.z"}, "", ""},
		"twice in the query":            {"/a?jwt=x.y.z&jwt=x.y.z", nil, "", ""},
		"jwt and signed_request":        {"/a?jwt=x.y.z&signed_request=x.y.z", nil, "", ""},
		"a query that cannot be read":   {"/a?jwt=x.y.z&b=%zz", nil, "", ""},
		"a query that cannot be read 2": {"/a?b=%zz", []string{"JWT x.y.z"}, "", ""},
		"outside of the app":            {"*", []string{"JWT x.y.z"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if u, err := url.Parse(tc.target); err == nil {
				r.URL = u
			}
			r.Header["Authorization"] = tc.header
			raw, x, err := FromRequest(r, "")
			if raw != tc.want || x.QueryHash != tc.hash || (err == nil) != (tc.want != "") {
				t.Errorf("%q %+v %v", raw, x, err)
			}
			if tc.want == "" && (!errors.Is(err, ErrRequest) || x != (Expect{})) {
				t.Error(x, err)
			}
		})
	}
}

// A query is not changed by anyone but its sender, and neither is a path or a method.
func TestAttack(t *testing.T) {
	key := profiletest.Secret(t)
	u := func(s string) *url.URL {
		p, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	h, err := QueryHash("GET", u("/issue?id=1&to=alice"), "")
	if err != nil {
		t.Fatal(err)
	}
	raw := good.With("qsh", h).Sign(t, key, "JWT")
	v := verifier(t, some())
	for name, tc := range map[string]struct {
		method, target string
		want           []string
	}{
		"control":                          {"GET", "/issue?id=1&to=alice&jwt=" + raw, nil},
		"control, in another order":        {"GET", "/issue?jwt=" + raw + "&to=alice&id=1", nil},
		"M/another method":                 {"DELETE", "/issue?id=1&to=alice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/another path":                   {"GET", "/admin?id=1&to=alice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/another value":                  {"GET", "/issue?id=2&to=alice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/a value more":                   {"GET", "/issue?id=1&id=2&to=alice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/a parameter less":               {"GET", "/issue?id=1&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/the query moved into the path":  {"GET", "/issue&id=1?to=alice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/values joined by hand":          {"GET", "/issue?id=1%26to%3Dalice&jwt=" + raw, []string{"qsh.mismatch"}},
		"M/a name of the token in capital": {"GET", "/issue?id=1&to=alice&Jwt=x&jwt=" + raw, []string{"qsh.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, tc.target, nil)
			got, x, err := FromRequest(r, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(ctx, got, x)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// The tokens of the collected texts come with the header of this kind, and are of no kind: the secret is too short
// for RFC 7518, and all that a signed request must have is absent.
func TestSeeds(t *testing.T) {
	for raw, s := range map[string]string{
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiSm9obiBEb2UifQ.xuEv8qrfXu424LZk8bVgr9MQJUIrp1rHcPyZw_KSsds":                           "secret",
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJsb2dnZWRJbkFzIjoiYWRtaW4iLCJpYXQiOjE0MjI3Nzk2Mzh9.gzSraSYS8EXBxLN_oWnFSRgCzcmJmMjLiuyu5CSpyHI": "secretkey",
	} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1337/service/resource", nil)
		r.Header.Set("Authorization", "JWT "+raw)
		found, x, err := FromRequest(r, "")
		if found != raw || err != nil {
			t.Fatal(found, err)
		}
		if _, err := jwk.NewSecretKey(jwa.HS256, "", []byte(s)); !errors.Is(err, jwk.ErrWeak) {
			t.Error(err)
		}
		v, err := NewVerifier(jwk.Set{secret(t, s)}, some())
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, found, x)
		want := []string{"iss.missing", "exp.missing", "iat.missing", "claim.missing"}
		if s == "secretkey" {
			want = []string{"iss.missing", "exp.missing", "claim.missing"}
		}
		profiletest.Want(t, err, want...)
	}
}

// The payload's buffer, the token, and what the request is held to.
func TestAllocations(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Secret(t), "JWT")
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// FuzzCanonical holds that the form is one: of itself, and for any order of the parameters.
func FuzzCanonical(f *testing.F) {
	f.Add("GET", "/path/to/service", "zee_last=param&repeated=parameter+1&first=param&repeated=parameter%202", "")
	f.Add("post", "/jira/a&b/", "jwt=x&a=*", "/jira")
	f.Add("GET", "", "&&=&;", "/")
	f.Fuzz(func(t *testing.T, method, path, query, base string) {
		u := &url.URL{Path: path, RawQuery: query}
		c, err := Canonical(method, u, base)
		if err != nil {
			if c != "" || !errors.Is(err, ErrRequest) {
				t.Errorf("%q %v", c, err)
			}
			return
		}
		m, rest, _ := strings.Cut(c, "&")
		p, q, ok := strings.Cut(rest, "&")
		if !ok || m != strings.ToUpper(method) || p == "" || p[0] != '/' || strings.HasSuffix(p, "/") && p != "/" {
			t.Errorf("%q", c)
		}
		// The query that it has is canonical already, but for commas: they join values, and are encoded in one.
		again, err := Canonical(m, &url.URL{Path: "/", RawQuery: q}, "")
		if err != nil || again != m+"&/&"+q && !strings.Contains(q, ",") {
			t.Errorf("%q became %q, %v", c, again, err)
		}
		parts := strings.Split(query, "&")
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		u.RawQuery = strings.Join(parts, "&")
		if turned, err := Canonical(method, u, base); err != nil || turned != c {
			t.Errorf("%q and %q, %v", c, turned, err)
		}
	})
}

// FuzzFromRequest holds that one token is found, or none.
func FuzzFromRequest(f *testing.F) {
	f.Add("JWT x.y.z", "a=1")
	f.Add("", "jwt=x.y.z&a=1")
	f.Add("Bearer x", "signed_request=x&jwt=y")
	f.Fuzz(func(t *testing.T, header, query string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{"Authorization": {header}}}
		raw, x, err := FromRequest(r, "")
		if (err == nil) != (raw != "") || (err == nil) != isHash(x.QueryHash) || err != nil && !errors.Is(err, ErrRequest) {
			t.Errorf("%q %+v %v", raw, x, err)
		}
	})
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), "JWT")
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{Issuers: []string{"jira:1"}, AnyAudience: true, Clock: profiletest.Clock})
	if err != nil {
		b.Fatal(err)
	}
	v := verifier(b, some())
	b.Run("jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plain.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, raw, sent); err != nil {
				b.Fatal(err)
			}
		}
	})
}
