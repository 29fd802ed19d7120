package oauth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/oauth"
)

// wantCode fails the test unless err is an *Error with that code; without one, unless err is nil.
func wantCode(t *testing.T, name string, err error, code string) {
	t.Helper()
	if code == "" {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Code != code {
		t.Errorf("%s: %v (%T), want %s", name, err, err, code)
	}
}

func TestErrorIsPublicInPart(t *testing.T) {
	cause := errors.New("the database is at 10.0.0.7")
	e := &oauth.Error{
		Code: oauth.InvalidGrant, Description: "the code \"x\"\\\r\nis\tünused", URI: "https://as.example/errors#grant", Cause: cause,
	}
	if got := e.Error(); got != "oauth: invalid_grant: the code 'x'/  is ?nused" {
		t.Errorf("%q", got)
	}
	if !errors.Is(e, cause) || !errors.Is(e, &oauth.Error{Code: oauth.InvalidGrant}) || errors.Is(e, &oauth.Error{Code: oauth.InvalidScope}) {
		t.Error("errors.Is")
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"error":"invalid_grant","error_description":"the code 'x'/  is ?nused","error_uri":"https://as.example/errors#grant"}`; string(b) != want {
		t.Errorf("%s", b)
	}
	if b, _ := json.Marshal(&oauth.Error{Code: "x"}); string(b) != `{"error":"x"}` {
		t.Errorf("%s", b)
	}
	if _, err := json.Marshal(new(oauth.Error)); err == nil {
		t.Error("an error without a code was written")
	}
	for _, uri := range []string{
		"javascript:alert(1)", "ftp://as.example", "/errors", "https://as.example/a b", "https://as.example/\"", `https://as.example/\`,
		"https://as.example/ü", "https:///x", "https://as.example/" + strings.Repeat("a", 2000), "https://a\x00",
	} {
		if v := (&oauth.Error{Code: "x", URI: uri}).Values(); v.Has("error_uri") || v.Has("error_description") {
			t.Errorf("%.60q was written", uri)
		}
	}
	if v := (&oauth.Error{Code: "x", URI: "http://localhost/e"}).Values(); v.Get("error_uri") == "" {
		t.Error("a page over http was not written")
	}
	for _, tc := range []struct {
		e    oauth.Error
		want string
	}{
		{oauth.Error{Status: 502}, "oauth: HTTP status 502, without an error of OAuth"},
		{oauth.Error{}, "oauth: an error without a code"},
		{oauth.Error{Code: "x", Description: strings.Repeat("a", 1001)}, "oauth: x: " + strings.Repeat("a", 1000) + "..."},
		{oauth.Error{Code: "x", Description: strings.Repeat("a", 1000)}, "oauth: x: " + strings.Repeat("a", 1000)},
	} {
		if got := tc.e.Error(); got != tc.want {
			t.Errorf("%q", got)
		}
	}
}

func TestErrorOverHTTP(t *testing.T) {
	for _, tc := range []struct {
		e    oauth.Error
		want int
	}{
		{oauth.Error{Code: oauth.InvalidClient}, 401},
		{oauth.Error{Code: oauth.InvalidToken}, 401},
		{oauth.Error{Code: oauth.InsufficientUserAuthentication}, 401},
		{oauth.Error{Code: oauth.InsufficientScope}, 403},
		{oauth.Error{Code: oauth.ServerError}, 500},
		{oauth.Error{Code: oauth.TemporarilyUnavailable}, 503},
		{oauth.Error{Code: oauth.UseDPoPNonce}, 400},
		{oauth.Error{Code: oauth.UseDPoPNonce, Status: 401}, 401},
		{oauth.Error{}, 500},
	} {
		w := httptest.NewRecorder()
		tc.e.Write(w)
		if w.Code != tc.want {
			t.Errorf("%v: %d, want %d", &tc.e, w.Code, tc.want)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
			if w.Header().Get(name) != value {
				t.Errorf("%s is %q", name, w.Header().Get(name))
			}
		}
		got, err := oauth.ParseError(w.Code, w.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if want := max(tc.e.Code, oauth.ServerError); tc.e.Code != "" && got.Code != tc.e.Code || tc.e.Code == "" && got.Code != want || got.Status != tc.want {
			t.Errorf("%+v", got)
		}
	}
}

func TestParseError(t *testing.T) {
	e, err := oauth.ParseError(400, []byte(`{"error":"invalid_scope","error_description":"AADSTS70011: \"x\"\r\n","error_uri":"https://login.example/e?c=70011","trace_id":7,"error_codes":[70011]}`))
	if err != nil {
		t.Fatal(err)
	}
	if *e != (oauth.Error{Code: "invalid_scope", Description: "AADSTS70011: 'x'", URI: "https://login.example/e?c=70011", Status: 400}) {
		t.Errorf("%+v", e)
	}
	e, err = oauth.ParseError(400, []byte(`{"error":"x","error_description":null,"error_uri":"javascript:1"}`))
	if err != nil || e.Description != "" || e.URI != "" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, body := range []string{
		``, `<html>`, `{}`, `{"error":""}`, `{"error":null}`, `{"error":{"code":1}}`, `{"error":"a","error":"b"}`, `{"error":"a\"b"}`,
		`{"error":"ü"}`, `{"error":" a"}`, `{"error":"` + strings.Repeat("a", 129) + `"}`, `["error"]`, `{"error":"x"} `, `{"error":"x","pad":"` + strings.Repeat("a", 64<<10) + `"}`,
		`{"error":"x","error_description":7}`,
	} {
		if e, err := oauth.ParseError(400, []byte(body)); err == nil && body != `{"error":"x"} ` {
			t.Errorf("%.60s: %+v", body, e)
		}
	}
}

func TestChallenges(t *testing.T) {
	age := func(d time.Duration) *time.Duration { return &d }
	for _, tc := range []struct {
		name   string
		header []string
		want   []oauth.Challenge
	}{
		{"none", nil, nil},
		{"empty elements", []string{" , ,", ""}, nil},
		{"a scheme alone", []string{"Bearer"}, []oauth.Challenge{{Scheme: "Bearer"}}},
		{"two schemes alone", []string{"Bearer, DPoP"}, []oauth.Challenge{{Scheme: "Bearer"}, {Scheme: "DPoP"}}},
		{
			"RFC 6750, Section 3",
			[]string{`Bearer realm="example", error="invalid_token", error_description="The access token expired", error_uri="https://a.example/e"`},
			[]oauth.Challenge{{Scheme: "Bearer", Realm: "example", Error: &oauth.Error{Code: "invalid_token", Description: "The access token expired", URI: "https://a.example/e"}}},
		},
		{
			"RFC 9449, Section 7.1, Figure 16",
			[]string{`Bearer, DPoP algs="ES256 PS256"`},
			[]oauth.Challenge{{Scheme: "Bearer"}, {Scheme: "DPoP", Algs: []string{"ES256", "PS256"}}},
		},
		{
			"RFC 9470, Section 3, Figure 3",
			[]string{`Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5"`},
			[]oauth.Challenge{{Scheme: "Bearer", Error: &oauth.Error{Code: "insufficient_user_authentication", Description: "More recent authentication is required"}, MaxAge: age(5 * time.Second)}},
		},
		{
			"RFC 9470, Section 3, Figure 2",
			[]string{`bearer acr_values="myACR other"`},
			[]oauth.Challenge{{Scheme: "Bearer", ACRValues: []string{"myACR", "other"}}},
		},
		{
			"RFC 9728, Section 5.1",
			[]string{`dpop resource_metadata="https://r.example/.well-known/oauth-protected-resource"`},
			[]oauth.Challenge{{Scheme: "DPoP", ResourceMetadata: "https://r.example/.well-known/oauth-protected-resource"}},
		},
		{
			"RFC 9110, Section 11.6.1",
			[]string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
			[]oauth.Challenge{{Scheme: "Basic", Realm: "simple"}, {Scheme: "Newauth", Realm: "apps", Params: map[string]string{"type": "1", "title": `Login to "apps"`}}},
		},
		{
			"several headers, and a token68",
			[]string{`Negotiate YII=`, `Bearer scope="a b" ,, X y/z`},
			[]oauth.Challenge{{Scheme: "Negotiate", Token68: "YII="}, {Scheme: "Bearer", Scope: oauth.Scopes{"a", "b"}}, {Scheme: "X", Token68: "y/z"}},
		},
		{
			"white space around the equals sign, and other parameters",
			[]string{"BEARER  REALM =\t\"a, DPoP b=c\" , MAX_AGE\t= 0,\tx=y"},
			[]oauth.Challenge{{Scheme: "Bearer", Realm: "a, DPoP b=c", MaxAge: age(0), Params: map[string]string{"x": "y"}}},
		},
		{
			"a description without a code means nothing",
			[]string{`Bearer error_description="d", error_uri="https://a.example"`},
			[]oauth.Challenge{{Scheme: "Bearer"}},
		},
		{"a page that no browser should see", []string{`Bearer error=x, error_uri="javascript:1"`}, []oauth.Challenge{{Scheme: "Bearer", Error: &oauth.Error{Code: "x"}}}},
		{"what other schemes say is theirs", []string{`Digest error="x", scope=""`}, []oauth.Challenge{{Scheme: "Digest", Params: map[string]string{"error": "x", "scope": ""}}}},
		{"a tab in a value", []string{"X a=\"b\tc\""}, []oauth.Challenge{{Scheme: "X", Params: map[string]string{"a": "b\tc"}}}},
		{"the next scheme has a token68", []string{`X a=b, Y c==`}, []oauth.Challenge{{Scheme: "X", Params: map[string]string{"a": "b"}}, {Scheme: "Y", Token68: "c=="}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := oauth.ParseChallenges(tc.header)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("%+v", got)
			}
			for i := range got {
				got[i].ACRValues, got[i].Algs = slices.Clip(got[i].ACRValues), slices.Clip(got[i].Algs)
				if len(got[i].ACRValues) == 0 {
					got[i].ACRValues = nil
				}
				if len(got[i].Algs) == 0 {
					got[i].Algs = nil
				}
				if !reflect.DeepEqual(got[i], tc.want[i]) {
					t.Errorf("%+v\nwant\n%+v", got[i], tc.want[i])
				}
			}
			// What is written is read again as the same.
			var lines []string
			for _, c := range got {
				lines = append(lines, c.String())
			}
			again, err := oauth.ParseChallenges(lines)
			if err != nil {
				t.Fatal(err)
			}
			var lines2 []string
			for _, c := range again {
				lines2 = append(lines2, c.String())
			}
			if !slices.Equal(lines, lines2) {
				t.Errorf("%q\n%q", lines, lines2)
			}
		})
	}
	for name, header := range map[string]string{
		"no scheme":                    `="x"`,
		"no space":                     "Bearer\trealm=x",
		"a slash behind a scheme":      "Bearer/x",
		"a value without a name":       `Bearer ="x"`,
		"a name without a value":       `Bearer a=b, realm=`,
		"a name alone and a parameter": `Bearer realm x=y`,
		"a quote without an end":       `Bearer realm="x`,
		"a quote that ends escaped":    `Bearer realm="x\"`,
		"no comma":                     `Bearer realm="x" scope="y"`,
		"a parameter twice":            `Bearer realm="x", Realm="y"`,
		"a control character":          "Bearer realm=\"\x01\"",
		"a line break":                 "Bearer realm=\"a\r\nb\"",
		"an escaped line break":        "Bearer realm=\"a\\\nb\"",
		"beyond ASCII":                 "Bearer realm=\"ü\"",
		"no scope":                     `Bearer scope="a  b"`,
		"a negative age":               `Bearer max_age="-1"`,
		"an age that overflows":        `Bearer max_age="2147483648"`,
		"two words":                    `Bearer a b`,
		"a semicolon":                  `Bearer a;b`,
		"nothing but padding":          `X ==`,
		"a letter beyond ASCII":        "Xš a=b",
		"too many challenges":          strings.Repeat("A, ", 17),
		"too many parameters":          "A " + manyParams(33),
		"too long":                     `A a="` + strings.Repeat("x", 16<<10) + `"`,
	} {
		if got, err := oauth.ParseChallenges([]string{header}); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := oauth.ParseChallenges([]string{strings.Repeat("A, ", 16)}); err != nil {
		t.Error(err)
	}
	if _, err := oauth.ParseChallenges([]string{"A " + manyParams(32)}); err != nil {
		t.Error(err)
	}
}

func manyParams(n int) string {
	var all []string
	for i := range n {
		all = append(all, string(rune('a'+i/26))+string(rune('a'+i%26))+"=1")
	}
	return strings.Join(all, ",")
}

// Nothing that is put into a challenge ends its value or its header.
func TestChallengeInjection(t *testing.T) {
	c := oauth.Challenge{
		Scheme: oauth.Bearer, Realm: "a\", error=\"x\r\nSet-Cookie: y\\",
		Error:  &oauth.Error{Code: "x\"y", Description: "\"\r\nX: y"},
		Params: map[string]string{"a b": "dropped", "": "dropped", "é": "dropped", "š": "dropped", "ok": "é"},
	}
	s := c.String()
	if strings.ContainsAny(s, "\r\n") || strings.Contains(s, "dropped") {
		t.Errorf("%q", s)
	}
	got, err := oauth.ParseChallenges([]string{s})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if g := got[0]; g.Realm != `a", error="x??Set-Cookie: y\` || g.Error.Code != "x'y" || g.Params["ok"] != "?" {
		t.Errorf("%+v", g)
	}
}

func TestScopes(t *testing.T) {
	for s, code := range map[string]string{
		"a":                               "",
		"openid https://api.example/r!#[": "",
		"":                                oauth.InvalidScope,
		" a":                              oauth.InvalidScope,
		"a ":                              oauth.InvalidScope,
		"a  b":                            oauth.InvalidScope,
		"a\tb":                            oauth.InvalidScope,
		`a"b`:                             oauth.InvalidScope,
		`a\b`:                             oauth.InvalidScope,
		"ä":                               oauth.InvalidScope,
		"a\x7f":                           oauth.InvalidScope,
		strings.Repeat("a", 8<<10):        "",
		strings.Repeat("a", 8<<10+1):      oauth.InvalidScope,
		strings.Repeat("a ", 255) + "a":   "",
		strings.Repeat("a ", 256) + "a":   oauth.InvalidScope,
	} {
		_, err := oauth.ParseScopes(s)
		wantCode(t, s[:min(len(s), 20)], err, code)
	}
	s, err := oauth.ParseScopes("b a b c")
	if err != nil || s.String() != "b a c" {
		t.Fatal(s, err)
	}
	other := oauth.Scopes{"c", "d"}
	for _, tc := range []struct{ got, want string }{
		{s.Union(other).String(), "b a c d"},
		{s.Intersect(other).String(), "c"},
		{s.Without(other).String(), "b a"},
		{s.String(), "b a c"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
	if !s.Has() || !s.Has("a") || !s.Has("c", "a") || s.Has("a", "d") || s.Has("A") || oauth.Scopes(nil).Has("a") {
		t.Error("Has")
	}
	var v struct {
		Scope oauth.Scopes `json:"scope,omitempty"`
	}
	if err := json.Unmarshal([]byte(`{"scope":"a b a"}`), &v); err != nil || !slices.Equal(v.Scope, oauth.Scopes{"a", "b"}) {
		t.Error(v, err)
	}
	if b, err := json.Marshal(v); err != nil || string(b) != `{"scope":"a b"}` {
		t.Errorf("%s %v", b, err)
	}
	v.Scope = oauth.Scopes{"z"}
	if err := json.Unmarshal([]byte(`{"scope":""}`), &v); err == nil || v.Scope[0] != "z" {
		t.Error("an empty scope was read")
	}
	if b, err := json.Marshal(oauth.Scopes{}); err == nil {
		t.Errorf("%s", b)
	}
	if b, err := json.Marshal(oauth.Scopes{"a b", ""}); err == nil {
		t.Errorf("%s", b)
	}
}

func TestPKCE(t *testing.T) {
	// RFC 7636, Appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if got := oauth.S256Challenge(verifier); got != challenge {
		t.Errorf("%s", got)
	}
	if a, b := oauth.NewCodeVerifier(), oauth.NewCodeVerifier(); a == b || len(a) != 43 || oauth.CheckVerifier(oauth.S256Challenge(a), oauth.S256, a) != nil {
		t.Error(a, b)
	}
	long := strings.Repeat("a", 128)
	plain := []oauth.PKCEOption{oauth.AllowPlain}
	for _, tc := range []struct {
		name, challenge, method, verifier string
		options                           []oauth.PKCEOption
		request, token                    string
	}{
		{"RFC 7636, Appendix B", challenge, "S256", verifier, nil, "", ""},
		{"another verifier", challenge, "S256", verifier[1:] + "a", nil, "", oauth.InvalidGrant},
		{"no verifier", challenge, "S256", "", nil, "", oauth.InvalidGrant},
		{"M5_downgrade_no_challenge", "", "", verifier, nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"M5_downgrade_neither", "", "", "", nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"M5_plain", long, "plain", long, nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"M5_plain_by_default", long, "", long, nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"plain by name", long, "plain", long, plain, "", ""},
		{"plain by default, by name", long, "", long, plain, "", ""},
		{"plain by name, another verifier", long, "plain", long[1:] + "b", plain, "", oauth.InvalidGrant},
		{"S256 where plain may be", challenge, "S256", verifier, plain, "", ""},
		{"M5_challenge_as_verifier", challenge, "S256", challenge, plain, "", oauth.InvalidGrant},
		{"plain and too short", long[:42], "plain", long[:42], plain, oauth.InvalidRequest, oauth.InvalidGrant},
		{"plain and too long", long + "a", "plain", long + "a", plain, oauth.InvalidRequest, oauth.InvalidGrant},
		{"plain and as short as can be", long[:43], "plain", long[:43], plain, "", ""},
		{"a malformed verifier", oauth.S256Challenge(long[1:] + "+"), "S256", long[1:] + "+", nil, "", oauth.InvalidGrant},
		{"a verifier with a bracket", oauth.S256Challenge(long[1:] + "["), "S256", long[1:] + "[", nil, "", oauth.InvalidGrant},
		{"a verifier with a brace", oauth.S256Challenge(long[1:] + "{"), "S256", long[1:] + "{", nil, "", oauth.InvalidGrant},
		{"a short verifier", oauth.S256Challenge("a"), "S256", "a", nil, "", oauth.InvalidGrant},
		{"a method of another case", challenge, "s256", verifier, plain, oauth.InvalidRequest, oauth.InvalidGrant},
		{"a challenge with padding", challenge + "=", "S256", verifier, nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"a challenge that is too short", challenge[:42], "S256", verifier, nil, oauth.InvalidRequest, oauth.InvalidGrant},
		{"a challenge that is not canonical", challenge[:42] + "N", "S256", verifier, nil, oauth.InvalidRequest, oauth.InvalidGrant},
	} {
		wantCode(t, tc.name+": request", oauth.ValidateChallenge(tc.challenge, tc.method, tc.options...), tc.request)
		wantCode(t, tc.name+": token", oauth.CheckVerifier(tc.challenge, tc.method, tc.verifier, tc.options...), tc.token)
	}
	// The refusals say which side is at fault.
	for _, tc := range []struct{ err, want error }{
		{oauth.CheckVerifier("", "", verifier), errors.New("oauth: invalid_grant: the authorization request had no code_challenge")},
		{oauth.CheckVerifier("", "", ""), errors.New("oauth: invalid_grant: code_verifier is missing")},
		{oauth.ValidateChallenge("", ""), errors.New("oauth: invalid_request: code_challenge is missing")},
		{oauth.CheckVerifier(challenge, "S256", "+"), errors.New("oauth: invalid_grant: code_verifier is malformed")},
	} {
		if tc.err.Error() != tc.want.Error() {
			t.Errorf("%v, want %v", tc.err, tc.want)
		}
	}
}

func TestResources(t *testing.T) {
	for r, code := range map[string]string{
		"https://api.example":            "",
		"https://api.example/a?b=c":      "",
		"urn:example:api":                "",
		"":                               oauth.InvalidTarget,
		"/a":                             oauth.InvalidTarget,
		"//api.example":                  oauth.InvalidTarget,
		"https:":                         oauth.InvalidTarget,
		"https://api.example/#":          oauth.InvalidTarget,
		"https://api.example/#a":         oauth.InvalidTarget,
		"https://api.example/\x7f":       oauth.InvalidTarget,
		"a:" + strings.Repeat("b", 1998): "",
		"a:" + strings.Repeat("b", 1999): oauth.InvalidTarget,
	} {
		wantCode(t, r[:min(len(r), 30)], oauth.ValidateResource(r), code)
	}
	got, err := oauth.ParseResources([]string{"a:b", "a:c", "a:b"})
	if err != nil || !slices.Equal(got, []string{"a:b", "a:c"}) {
		t.Error(got, err)
	}
	if got, err := oauth.ParseResources(nil); err != nil || got != nil {
		t.Error(got, err)
	}
	_, err = oauth.ParseResources([]string{"a:b", "c"})
	wantCode(t, "one of two", err, oauth.InvalidTarget)
	_, err = oauth.ParseResources(slices.Repeat([]string{"a:b"}, 33))
	wantCode(t, "too many", err, oauth.InvalidTarget)
	_, err = oauth.ParseResources(slices.Repeat([]string{"a:b"}, 32))
	wantCode(t, "32", err, "")
}

func TestAuthorizationDetails(t *testing.T) {
	// RFC 9396, Section 2.
	const payment = `[{"type":"payment_initiation","locations":["https://example.com/payments"],"actions":["initiate","status","cancel"],` +
		`"instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant A"}]`
	all, err := oauth.ParseAuthorizationDetails(payment)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, b, []byte(payment)) {
		t.Errorf("%s", b)
	}
	if string(all[0].Extra["creditorName"]) != `"Merchant A"` || all[0].Actions[1] != "status" {
		t.Errorf("%+v", all[0])
	}
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `[{}]`, `[{"type":""}]`, `[{"type":null}]`, `[{"type":7}]`, `[{"type":"a","type":"b"}]`, `["a"]`, `[null]`,
		`[{"type":"a","actions":"b"}]`, `[{"type":"a","actions":null}]x`, `[{"type":"a","x":{"y":1,"y":2}}]`,
		`[` + strings.Repeat(`{"type":"a"},`, 64) + `{"type":"a"}]`, `[{"type":"` + strings.Repeat("a", 32<<10) + `"}]`,
	} {
		_, err := oauth.ParseAuthorizationDetails(s)
		wantCode(t, s[:min(len(s), 40)], err, oauth.InvalidAuthorizationDetails)
	}
	_, err = oauth.ParseAuthorizationDetails(`[` + strings.Repeat(`{"type":"a"},`, 63) + `{"type":"a"}]`)
	wantCode(t, "64", err, "")
	if _, err := json.Marshal(oauth.AuthorizationDetail{}); err == nil {
		t.Error("a detail without a type was written")
	}
	if _, err := json.Marshal(oauth.AuthorizationDetail{Type: "a", Extra: map[string]json.RawMessage{"type": []byte(`"b"`)}}); err == nil {
		t.Error("a second type was written")
	}
	var d oauth.AuthorizationDetail
	wantCode(t, "unmarshal", d.UnmarshalJSON([]byte(`{"type":""}`)), oauth.InvalidAuthorizationDetails)
	data := []byte(`{"type":"abc","x":"yz"}`)
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	copy(data, bytes.Repeat([]byte("#"), len(data)))
	if d.Type != "abc" || string(d.Extra["x"]) != `"yz"` {
		t.Errorf("a detail shares the memory that it was read from: %+v", d)
	}
}

func TestCovered(t *testing.T) {
	parse := func(s string) []oauth.AuthorizationDetail {
		t.Helper()
		if s == "" {
			return nil
		}
		all, err := oauth.ParseAuthorizationDetails(s)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, tc := range []struct {
		requested, granted string
		want               bool
	}{
		{``, ``, true},
		{``, `[{"type":"a"}]`, true},
		{`[{"type":"a"}]`, ``, false},
		{`[{"type":"a"}]`, `[{"type":"b"},{"type":"a"}]`, true},
		{`[{"type":"a"},{"type":"c"}]`, `[{"type":"b"},{"type":"a"}]`, false},
		{`[{"type":"a","actions":["x"]}]`, `[{"type":"a","actions":["y","x"]}]`, true},
		{`[{"type":"a","actions":["x","z"]}]`, `[{"type":"a","actions":["y","x"]}]`, false},
		{`[{"type":"a","actions":["x"]}]`, `[{"type":"a"}]`, false},
		{`[{"type":"a"}]`, `[{"type":"a","actions":["x"]}]`, false},
		{`[{"type":"a","locations":["y"]}]`, `[{"type":"a","locations":["x"]}]`, false},
		{`[{"type":"a","datatypes":["y"]}]`, `[{"type":"a","datatypes":["x"]}]`, false},
		{`[{"type":"a","privileges":["y"]}]`, `[{"type":"a","privileges":["x"]}]`, false},
		{`[{"type":"a","identifier":"y"}]`, `[{"type":"a","identifier":"x"}]`, false},
		{`[{"type":"a","x":1}]`, `[{"type":"a","x":1}]`, true},
		{`[{"type":"a","x":1}]`, `[{"type":"a","x":2}]`, false},
		{`[{"type":"a","x":1}]`, `[{"type":"a","y":1}]`, false},
		{`[{"type":"a","x":1}]`, `[{"type":"a"}]`, false},
		{`[{"type":"a"}]`, `[{"type":"a","x":1}]`, false},
	} {
		if got := oauth.Covered(parse(tc.requested), parse(tc.granted), nil); got != tc.want {
			t.Errorf("%s by %s: %v", tc.requested, tc.granted, got)
		}
	}
	a, b := &oauth.AuthorizationDetail{Type: "a"}, &oauth.AuthorizationDetail{Type: "b"}
	if oauth.CoveredByCommon(a, b) || !oauth.CoveredByCommon(a, a) {
		t.Error("types")
	}
	if oauth.CoveredByCommon(
		&oauth.AuthorizationDetail{Extra: map[string]json.RawMessage{"x": nil}}, &oauth.AuthorizationDetail{Extra: map[string]json.RawMessage{"y": nil}},
	) {
		t.Error("members of other names")
	}
	// The hook is asked about details of one type alone.
	asked := 0
	if !oauth.Covered(parse(`[{"type":"a","x":1}]`), parse(`[{"type":"b"},{"type":"a"}]`), func(r, g *oauth.AuthorizationDetail) bool {
		asked++
		return r.Type == "a" && g.Type == "a"
	}) || asked != 1 {
		t.Error("the hook was not asked once")
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// The metadata of a real server, with members of a dozen specifications, null, false and empty lists.
func TestMetadataLosesNothing(t *testing.T) {
	data, err := os.ReadFile("testdata/authlete.json")
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(data)
	var m oauth.ServerMetadata
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, b, before) {
		t.Errorf("%s", b)
	}
	if err := m.Validate("https://trial.authlete.net"); err != nil {
		t.Error(err)
	}
	// What fields do not hold is null, false, or of specifications that are not registered.
	for name, value := range m.Extra {
		if v := string(value); v != "null" && v != "false" && name != "transformed_claims_functions_supported" {
			t.Errorf("no field holds %s: %s", name, v)
		}
	}
	if !m.IssuerInResponse || m.RevocationEndpointAuthMethods == nil || !*m.RequestURIParameter || m.RequestAuthenticationMethods["token_endpoint"] == nil {
		t.Errorf("%+v", m)
	}
	// A field that is set counts.
	m.RequirePushedAuthorization, m.EndSessionEndpoint = true, "https://trial.authlete.net/end"
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"require_pushed_authorization_requests":true`)) || bytes.Contains(b, []byte(`"end_session_endpoint":null`)) {
		t.Errorf("%s", b)
	}
	for _, s := range []string{`{"issuer":"a","issuer":"b"}`, `{"issuer":7}`, `null`, `[]`, `{"scopes_supported":"a"}`} {
		if err := new(oauth.ServerMetadata).UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s was read", s)
		}
		if err := new(oauth.ResourceMetadata).UnmarshalJSON([]byte(strings.ReplaceAll(s, "issuer", "resource"))); err == nil {
			t.Errorf("%s was read", s)
		}
	}
	if b, err := json.Marshal(oauth.ServerMetadata{Issuer: "a"}); err != nil || string(b) != `{"issuer":"a"}` {
		t.Errorf("%s %v", b, err)
	}
	if _, err := json.Marshal(oauth.ServerMetadata{Issuer: "\xff", Extra: map[string]json.RawMessage{"a": []byte("1")}}); err == nil {
		t.Error("an issuer that is not UTF-8 was written")
	}
	if _, err := json.Marshal(oauth.ServerMetadata{Extra: map[string]json.RawMessage{"a": []byte("{")}}); err == nil {
		t.Error("a member that is not JSON was written")
	}
}

func TestResourceMetadata(t *testing.T) {
	// RFC 9728, Section 3.2, with what Section 2 has beside.
	const document = `{"resource":"https://resource.example.com","authorization_servers":["https://as1.example.com","https://as2.example.net"],` +
		`"bearer_methods_supported":[],"scopes_supported":["profile","email","phone"],"resource_name":"R","resource_name#it":"La mia bella risorsa",` +
		`"resource_documentation":"https://resource.example.com/resource_documentation.html","jwks_uri":"https://resource.example.com/jwks",` +
		`"resource_signing_alg_values_supported":["ES256"],"resource_policy_uri":"https://p","resource_tos_uri":"https://t",` +
		`"tls_client_certificate_bound_access_tokens":true,"authorization_details_types_supported":["a"],"dpop_signing_alg_values_supported":["ES256"],` +
		`"dpop_bound_access_tokens_required":false,"signed_metadata":"a.b.c"}`
	var m oauth.ResourceMetadata
	if err := json.Unmarshal([]byte(document), &m); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, b, []byte(document)) {
		t.Errorf("%s", b)
	}
	if m.BearerMethodsSupported == nil || len(m.Extra) != 2 || m.SignedMetadata != "a.b.c" {
		t.Errorf("%+v", m)
	}
	const r = "https://resource.example.com"
	for _, tc := range []struct {
		name   string
		change func(*oauth.ResourceMetadata)
		asked  string
		code   string
	}{
		{"as it is", func(*oauth.ResourceMetadata) {}, r, ""},
		{"of another resource", func(*oauth.ResourceMetadata) {}, r + "/a", "issuer.mismatch"},
		{"only the slash differs", func(*oauth.ResourceMetadata) {}, r + "/", "issuer.mismatch"},
		{"none, while none was asked for", func(m *oauth.ResourceMetadata) { m.Resource = "" }, "", "metadata.malformed"},
		{"alg none", func(m *oauth.ResourceMetadata) { m.SigningAlgs = []string{"none"} }, r, "metadata.malformed"},
		{"an issuer over http", func(m *oauth.ResourceMetadata) { m.AuthorizationServers[1] = "http://as.example" }, r, "metadata.malformed"},
		{"an empty issuer", func(m *oauth.ResourceMetadata) { m.AuthorizationServers[1] = "" }, r, "metadata.malformed"},
		{"keys over http", func(m *oauth.ResourceMetadata) { m.JWKSURI = "http://as.example" }, r, "metadata.malformed"},
	} {
		m := m
		m.AuthorizationServers = slices.Clone(m.AuthorizationServers)
		tc.change(&m)
		if err := m.Validate(tc.asked); fault.CodeOf(err) != tc.code {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestServerMetadataValidate(t *testing.T) {
	const issuer = "https://as.example/t"
	for _, tc := range []struct {
		name   string
		change func(*oauth.ServerMetadata)
		asked  string
		want   error
	}{
		{"as it is", func(*oauth.ServerMetadata) {}, issuer, nil},
		{"M1_of_another_issuer", func(m *oauth.ServerMetadata) { m.Issuer = "https://evil.example" }, issuer, oauth.ErrIssuer},
		{"F12_slash", func(m *oauth.ServerMetadata) { m.Issuer += "/" }, issuer, oauth.ErrIssuer},
		{"no issuer", func(m *oauth.ServerMetadata) { m.Issuer = "" }, issuer, oauth.ErrIssuer},
		{"none asked for", func(m *oauth.ServerMetadata) { m.Issuer = "" }, "", oauth.ErrIssuer},
		{"over http", func(m *oauth.ServerMetadata) { m.Issuer = "http://as.example" }, "http://as.example", oauth.ErrMetadata},
		{"http to this machine", func(m *oauth.ServerMetadata) { m.Issuer, m.TokenEndpoint = "http://127.0.0.1:8080", "http://[::1]/t" }, "http://127.0.0.1:8080", nil},
		{"with a query", func(m *oauth.ServerMetadata) { m.Issuer += "?" }, issuer + "?", oauth.ErrMetadata},
		{"with a fragment", func(m *oauth.ServerMetadata) { m.Issuer += "#" }, issuer + "#", oauth.ErrMetadata},
		{"authorization", func(m *oauth.ServerMetadata) { m.AuthorizationEndpoint = "http://as.example/a" }, issuer, oauth.ErrMetadata},
		{"token", func(m *oauth.ServerMetadata) { m.TokenEndpoint = "javascript:alert(1)" }, issuer, oauth.ErrMetadata},
		{"jwks", func(m *oauth.ServerMetadata) { m.JWKSURI = "file:///etc/passwd" }, issuer, oauth.ErrMetadata},
		{"registration", func(m *oauth.ServerMetadata) { m.RegistrationEndpoint = "/r" }, issuer, oauth.ErrMetadata},
		{"revocation", func(m *oauth.ServerMetadata) { m.RevocationEndpoint = "https://u:p@as.example" }, issuer, oauth.ErrMetadata},
		{"introspection", func(m *oauth.ServerMetadata) { m.IntrospectionEndpoint = "https://as.example/i#f" }, issuer, oauth.ErrMetadata},
		{"an empty fragment", func(m *oauth.ServerMetadata) { m.IntrospectionEndpoint = "https://as.example/i#" }, issuer, oauth.ErrMetadata},
		{"device", func(m *oauth.ServerMetadata) { m.DeviceAuthorizationEndpoint = "https://:443/d" }, issuer, oauth.ErrMetadata},
		{"par", func(m *oauth.ServerMetadata) { m.PushedAuthorizationEndpoint = "https://as.example/%zz" }, issuer, oauth.ErrMetadata},
		{"userinfo", func(m *oauth.ServerMetadata) { m.UserInfoEndpoint = "http://localhost.evil.example" }, issuer, oauth.ErrMetadata},
		{"end session", func(m *oauth.ServerMetadata) { m.EndSessionEndpoint = "http://as.example" }, issuer, oauth.ErrMetadata},
		{"ciba", func(m *oauth.ServerMetadata) { m.BackchannelAuthenticationEndpoint = "http://as.example" }, issuer, oauth.ErrMetadata},
		{"challenge", func(m *oauth.ServerMetadata) { m.ChallengeEndpoint = "http://as.example" }, issuer, oauth.ErrMetadata},
		{"aliases", func(m *oauth.ServerMetadata) { m.MTLSEndpointAliases["token_endpoint"] = "http://as.example" }, issuer, oauth.ErrMetadata},
		{"an empty alias", func(m *oauth.ServerMetadata) { m.MTLSEndpointAliases["x"] = "" }, issuer, oauth.ErrMetadata},
	} {
		m := oauth.ServerMetadata{
			Issuer: issuer, AuthorizationEndpoint: "https://as.example/a", TokenEndpoint: "https://as.example/t",
			UserInfoEndpoint: "http://LOCALHOST:1/u", MTLSEndpointAliases: map[string]string{"token_endpoint": "https://mtls.as.example/t"},
		}
		tc.change(&m)
		if err := m.Validate(tc.asked); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	for _, tc := range []struct{ got, want, text string }{
		{"", "https://a", "the metadata is not that of the issuer: it names no issuer"},
		{"https://a/", "https://a", `the metadata is not that of the issuer: it is of "https://a/": only one of the two has a final slash`},
		{"https://b", "https://a", `the metadata is not that of the issuer: it is of "https://b"`},
	} {
		if err := oauth.CheckIssuer(tc.got, tc.want); err == nil || err.Error() != tc.text {
			t.Errorf("%v", err)
		}
	}
}

func TestWellKnownURLs(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://as.example":  {"https://as.example/.well-known/openid-configuration", "https://as.example/.well-known/oauth-authorization-server"},
		"https://as.example/": {"https://as.example/.well-known/openid-configuration", "https://as.example/.well-known/oauth-authorization-server"},
		"https://as.example/a%2Fb/": {
			"https://as.example/a%2Fb/.well-known/openid-configuration", "https://as.example/.well-known/oauth-authorization-server/a%2Fb",
			"https://as.example/.well-known/openid-configuration/a%2Fb",
		},
		"http://localhost:8080": {"http://localhost:8080/.well-known/openid-configuration", "http://localhost:8080/.well-known/oauth-authorization-server"},
		"http://as.example":     nil,
		"https://as.example?a":  nil,
		"https://as.example#a":  nil,
		"":                      nil,
		"as.example":            nil,
	} {
		got, err := oauth.MetadataURLs(issuer)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) || err != nil && !errors.Is(err, oauth.ErrMetadata) {
			t.Errorf("%s: %q, %v", issuer, got, err)
		}
	}
	for resource, want := range map[string]string{
		"https://resource.example.com":            "https://resource.example.com/.well-known/oauth-protected-resource",
		"https://resource.example.com/":           "https://resource.example.com/.well-known/oauth-protected-resource",
		"https://resource.example.com/resource1":  "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
		"https://resource.example.com/resource1/": "https://resource.example.com/.well-known/oauth-protected-resource/resource1/",
		"https://resource.example.com?a=b":        "https://resource.example.com/.well-known/oauth-protected-resource?a=b",
		"https://resource.example.com/?a=b":       "https://resource.example.com/.well-known/oauth-protected-resource?a=b",
		"https://resource.example.com/c%2Fd?a=b":  "https://resource.example.com/.well-known/oauth-protected-resource/c%2Fd?a=b",
		"http://127.0.0.1:1/mcp":                  "http://127.0.0.1:1/.well-known/oauth-protected-resource/mcp",
		"http://resource.example.com":             "",
		"https://resource.example.com/#a":         "",
		"urn:example:r":                           "",
		"":                                        "",
	} {
		got, err := oauth.ResourceMetadataURL(resource)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, oauth.ErrMetadata) {
			t.Errorf("%s: %q, %v", resource, got, err)
		}
	}
}

func TestCallback(t *testing.T) {
	const issuer = "https://as.example"
	x := oauth.ExpectCallback{State: "st", Issuer: issuer}
	sent := x
	sent.IssuerSent = true
	form := func(s string) url.Values {
		v, err := url.ParseQuery(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		name, query string
		x           oauth.ExpectCallback
		code        string // of the error
		want        string // in the error
	}{
		{"good", "code=c&state=st", x, "", ""},
		{"good with iss", "code=c&state=st&iss=https%3A%2F%2Fas.example", sent, "", ""},
		{"iss that was not announced", "code=c&state=st&iss=https%3A%2F%2Fas.example", x, "", ""},
		{"M1_iss_of_another", "code=c&state=st&iss=https%3A%2F%2Fevil.example", x, oauth.InvalidRequest, "another server"},
		{"M1_iss_empty", "code=c&state=st&iss=", x, oauth.InvalidRequest, "another server"},
		{"M1_iss_slash", "code=c&state=st&iss=https%3A%2F%2Fas.example%2F", sent, oauth.InvalidRequest, "another server"},
		{"M1_iss_missing", "code=c&state=st", sent, oauth.InvalidRequest, "whose it is"},
		{"M1_iss_of_another_in_an_error", "error=access_denied&state=st&iss=https%3A%2F%2Fevil.example", sent, oauth.InvalidRequest, "another server"},
		{"M1_iss_missing_in_an_error", "error=access_denied&state=st", sent, oauth.InvalidRequest, "whose it is"},
		{"M15_no_state", "code=c", x, oauth.InvalidRequest, "the state"},
		{"M15_another_state", "code=c&state=su", x, oauth.InvalidRequest, "the state"},
		{"M15_state_though_none_was_sent", "code=c&state=st", oauth.ExpectCallback{NoState: true, Issuer: issuer}, oauth.InvalidRequest, "the state"},
		{"no state by name", "code=c", oauth.ExpectCallback{NoState: true, Issuer: issuer}, "", ""},
		{"no issuer by name", "code=c&state=st&iss=x", oauth.ExpectCallback{State: "st", NoIssuer: true}, "", ""},
		{"a refusal", "error=access_denied&error_description=no%22&error_uri=https%3A%2F%2Fas.example%2Fe&state=st", x, oauth.AccessDenied, "no'"},
		{"a refusal with a page for nobody", "error=access_denied&error_uri=javascript:1&state=st", x, oauth.AccessDenied, ""},
		{"an error for another state", "error=access_denied&state=su", x, oauth.InvalidRequest, "the state"},
		{"an empty error", "error=&state=st", x, oauth.InvalidRequest, "without a code"},
		{"both", "code=c&error=access_denied&state=st", x, oauth.InvalidRequest, "both"},
		{"an empty code and an error", "code=&error=access_denied&state=st", x, oauth.InvalidRequest, "both"},
		{"neither", "state=st", x, oauth.InvalidRequest, "neither"},
		{"an empty code", "code=&state=st", x, oauth.InvalidRequest, "neither"},
		{"two codes", "code=c&code=d&state=st", x, oauth.InvalidRequest, "twice"},
		{"two issuers", "code=c&state=st&iss=https%3A%2F%2Fas.example&iss=x", sent, oauth.InvalidRequest, "twice"},
		{"a JWT", "response=a.b.c&code=c&state=st", x, oauth.InvalidRequest, "JWT"},
	} {
		got, err := oauth.ParseCallback(form(tc.query), tc.x)
		wantCode(t, tc.name, err, tc.code)
		if err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if mixUp := strings.HasPrefix(tc.name, "M1_"); errors.Is(err, oauth.ErrIssuer) != mixUp {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err == nil && (got.Code != "c" || got.Issuer != form(tc.query).Get("iss") || !got.Params.Has("code")) {
			t.Errorf("%s: %+v", tc.name, got)
		}
		e, _ := errors.AsType[*oauth.Error](err)
		if e != nil && (e.URI != "") != (tc.name == "a refusal") {
			t.Errorf("%s: %q", tc.name, e.URI)
		}
	}
	for _, x := range []oauth.ExpectCallback{
		{},
		{State: "st"},
		{Issuer: issuer},
		{State: "st", NoState: true, Issuer: issuer},
		{State: "st", Issuer: issuer, NoIssuer: true},
		{State: "st", NoIssuer: true, IssuerSent: true},
	} {
		if _, err := oauth.ParseCallback(form("code=c&state=st"), x); err == nil || errors.As(err, new(*oauth.Error)) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Bearer realm="example", error="invalid_token", DPoP algs="ES256", Negotiate YII=`)
	f.Add(`Basic realm="a \" b",, X a = b`)
	f.Fuzz(func(t *testing.T, s string) {
		all, err := oauth.ParseChallenges([]string{s})
		if err != nil {
			return
		}
		for _, c := range all {
			text := c.String()
			again, err := oauth.ParseChallenges([]string{text})
			if err != nil || len(again) != 1 {
				t.Fatalf("%q became %q: %v", s, text, err)
			}
			if again[0].String() != text {
				t.Fatalf("%q became %q", text, again[0].String())
			}
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://as.example","mtls_endpoint_aliases":{"a":"b"},"request_authentication_methods_supported":{"a":["b"]}}`))
	f.Add([]byte(`{"issuer":"a","x":null,"claims_parameter_supported":false,"ui_locales_supported":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m oauth.ServerMetadata
		before := bytes.Clone(data)
		if m.UnmarshalJSON(data) != nil {
			return
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", before, err)
		}
		var x, y map[string]any
		if json.Unmarshal(before, &x) != nil || json.Unmarshal(b, &y) != nil {
			t.Fatalf("%s became %s", before, b)
		}
		for name := range x {
			if _, ok := y[name]; !ok {
				t.Fatalf("%s lost %q", before, name)
			}
		}
	})
}
