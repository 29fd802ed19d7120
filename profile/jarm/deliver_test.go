package jarm

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jotsuite/jot/oauth"
)

func TestWrite(t *testing.T) {
	const signed, encrypted = "a.b.c", "a.b.c.d.e"
	for name, tc := range map[string]struct {
		mode, types, redirect, response string
		want                            string // Location; "form"; or empty for an error
	}{
		"query":                     {Query, "code", "https://c1.example/cb", signed, "https://c1.example/cb?response=a.b.c"},
		"query, with one":           {Query, "code", "https://c1.example/cb?a=%2f&b", signed, "https://c1.example/cb?a=%2f&b&response=a.b.c"},
		"query, an app":             {Query, "code", "com.example.app:/cb", signed, "com.example.app:/cb?response=a.b.c"},
		"query, not a token at all": {Query, "code", "https://c1.example/cb", "a&b#c", "https://c1.example/cb?response=a%26b%23c"},
		"fragment, not a token":     {Fragment, "code", "https://c1.example/cb", "a&b#c", "https://c1.example/cb#response=a%26b%23c"},
		"query, token":              {Query, "token", "https://c1.example/cb", signed, ""},
		"query, id_token":           {Query, "code id_token", "https://c1.example/cb", signed, ""},
		"query, token, encrypted":   {Query, "code token", "https://c1.example/cb", encrypted, "https://c1.example/cb?response=a.b.c.d.e"},
		"fragment":                  {Fragment, "code", "https://c1.example/cb", signed, "https://c1.example/cb#response=a.b.c"},
		"fragment, token":           {Fragment, "token", "https://c1.example/cb?x=y", signed, "https://c1.example/cb?x=y#response=a.b.c"},
		"default, code":             {Default, "code", "https://c1.example/cb", signed, "https://c1.example/cb?response=a.b.c"},
		"default, token":            {Default, "token", "https://c1.example/cb", signed, "https://c1.example/cb#response=a.b.c"},
		"default, id_token":         {Default, "id_token", "https://c1.example/cb", signed, "https://c1.example/cb#response=a.b.c"},
		"default, hybrid":           {Default, "code id_token token", "https://c1.example/cb", signed, "https://c1.example/cb#response=a.b.c"},
		"form":                      {FormPost, "code", "https://c1.example/cb", signed, "form"},
		"form, token":               {FormPost, "token", "http://localhost/cb", signed, "form"},
		"form, an app":              {FormPost, "code", "com.example.app:/cb", signed, ""},
		"form, no host":             {FormPost, "code", "https:///cb", signed, ""},
		"form, script":              {FormPost, "code", "javascript:alert(1)//", signed, ""},
		"form, quotes":              {FormPost, "code", `https://c1.example/"><script>alert(1)</script>?a=1&b='2'`, `"><img src=x onerror=alert(1)>`, "form"},
		"a mode without .jwt":       {"query", "code", "https://c1.example/cb", signed, ""},
		"no mode":                   {"", "code", "https://c1.example/cb", signed, ""},
		"a fragment":                {Query, "code", "https://c1.example/cb#x", signed, ""},
		"an empty fragment":         {Query, "code", "https://c1.example/cb#", signed, ""},
		"relative":                  {Query, "code", "/cb", signed, ""},
		"no URL":                    {Query, "code", "https://c1.example/%", signed, ""},
		"a line break":              {Query, "code", "https://c1.example/\r\nSet-Cookie: a=b", signed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			err := Write(w, tc.mode, tc.types, tc.redirect, tc.response)
			h := w.Result().Header
			if (err != nil) != (tc.want == "") || err != nil && (w.Body.Len() > 0 || len(w.Header()) > 0) {
				t.Fatal(err, w.Body, w.Header())
			}
			if err != nil {
				return
			}
			if h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
				t.Error(h)
			}
			if tc.want != "form" {
				if w.Code != http.StatusSeeOther || h.Get("Location") != tc.want || w.Body.Len() > 0 {
					t.Errorf("%d %s", w.Code, h)
				}
				return
			}
			page := w.Body.String()
			action := regexp.MustCompile(`<form method="post" action="([^"<>]*)">`).FindStringSubmatch(page)
			value := regexp.MustCompile(`<input type="hidden" name="response" value="([^"<>]*)">`).FindStringSubmatch(page)
			if w.Code != 200 || action == nil || value == nil || html.UnescapeString(action[1]) != tc.redirect || html.UnescapeString(value[1]) != tc.response {
				t.Errorf("%d %s", w.Code, page)
			}
			// The one script is the one that the policy allows, and there is nothing else.
			scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(page, -1)
			if len(scripts) != 1 {
				t.Fatal(page)
			}
			sum := sha256.Sum256([]byte(scripts[0][1]))
			want := "default-src 'none'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'"
			if h.Get("Content-Security-Policy") != want || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("X-Content-Type-Options") != "nosniff" {
				t.Error(h)
			}
		})
	}
}

func get(query string) *http.Request {
	return httptest.NewRequest("GET", "https://c1.example/cb?"+query, nil)
}

func post(query, contentType, body string) *http.Request {
	r := httptest.NewRequest("POST", "https://c1.example/cb?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestExtract(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for name, tc := range map[string]struct {
		r    *http.Request
		own  []string
		want string // response and iss; empty for an error
	}{
		"query":                       {r: get("response=a.b.c"), want: "a.b.c "},
		"query and iss":               {r: get("response=a.b.c&iss=https%3A%2F%2Fas.example"), want: "a.b.c https://as.example"},
		"nothing":                     {r: get("")},
		"an empty response":           {r: get("response=")},
		"twice":                       {r: get("response=a.b.c&response=a.b.c")},
		"iss twice":                   {r: get("response=a.b.c&iss=a&iss=b")},
		"a code beside":               {r: get("response=a.b.c&code=x")},
		"a state beside":              {r: get("response=a.b.c&state=x")},
		"an error beside":             {r: get("response=a.b.c&error=x")},
		"its own":                     {r: get("response=a.b.c&tenant=1"), own: []string{"tenant"}, want: "a.b.c "},
		"another than its own":        {r: get("response=a.b.c&tenants=1"), own: []string{"tenant"}},
		"no query":                    {r: get("response=a.b.c&x=%")},
		"form":                        {r: post("", form, "response=a.b.c&iss=x"), want: "a.b.c x"},
		"form, with a charset":        {r: post("", form+"; charset=utf-8", "response=a.b.c"), want: "a.b.c "},
		"form, in the query":          {r: post("response=a.b.c", form, "")},
		"form, in both":               {r: post("response=a.b.c", form, "response=a.b.c")},
		"form, its own query":         {r: post("tenant=1", form, "response=a.b.c"), own: []string{"tenant"}, want: "a.b.c "},
		"form, another in the query":  {r: post("code=1", form, "response=a.b.c")},
		"form, a code beside":         {r: post("", form, "response=a.b.c&code=x")},
		"form, twice":                 {r: post("", form, "response=a.b.c&response=a")},
		"form, broken":                {r: post("", form, "response=a.b.c&x=%")},
		"form, of another type":       {r: post("", "text/plain", "response=a.b.c")},
		"form, of two types":          {r: post("", form+";;=", "response=a.b.c")},
		"form, of no type":            {r: post("", "", "response=a.b.c")},
		"form, large":                 {r: post("", form, "response="+strings.Repeat("a", maxForm-9)), want: strings.Repeat("a", maxForm-9) + " "},
		"form, too large":             {r: post("", form, "response="+strings.Repeat("a", maxForm-8))},
		"form, the query not a query": {r: post("%", form, "response=a.b.c")},
	} {
		response, iss, err := Extract(tc.r, tc.own...)
		switch e, ok := errors.AsType[*oauth.Error](err); {
		case tc.want == "":
			if !ok || e.Code != oauth.InvalidRequest || response+iss != "" {
				t.Errorf("%s: %q %q %v", name, response, iss, err)
			}
			if large := name == "form, too large"; ok && large != (e.HTTPStatus() == http.StatusRequestEntityTooLarge) {
				t.Errorf("%s: %d", name, e.HTTPStatus())
			}
		case err != nil || response+" "+iss != tc.want:
			t.Errorf("%s: %q %q %v", name, response, iss, err)
		}
	}
	r := post("", form, "")
	r.Body = io.NopCloser(broken{})
	if _, _, err := Extract(r); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// What is written arrives, in the query, in the form, and where a page sends on the fragment.
func TestRoundTrip(t *testing.T) {
	for _, mode := range []string{Query, Fragment, FormPost} {
		w := httptest.NewRecorder()
		if err := Write(w, mode, "code", "https://c1.example/cb?tenant=1", "a.b-_.c"); err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(w.Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		r := get(u.RawQuery)
		switch mode {
		case Fragment:
			r = post(u.RawQuery, "application/x-www-form-urlencoded", u.Fragment)
		case FormPost:
			r = post("tenant=1", "application/x-www-form-urlencoded", url.Values{"response": {regexp.MustCompile(`value="(.*?)"`).FindStringSubmatch(w.Body.String())[1]}}.Encode())
		}
		if got, _, err := Extract(r, "tenant"); got != "a.b-_.c" || err != nil {
			t.Errorf("%s: %q %v", mode, got, err)
		}
	}
}

// Whatever the redirect URI and the response are, the page holds them as they are and no markup of theirs, and a
// Location has neither a line break nor a response that can be read in two ways.
func FuzzWrite(f *testing.F) {
	f.Add("https://c1.example/cb?a=b", "a.b.c")
	f.Add(`https://c1.example/"><script>`, `"'><&amp;`)
	f.Add("com.example:/cb", "a\r\nb")
	f.Fuzz(func(t *testing.T, redirect, response string) {
		w := httptest.NewRecorder()
		if Write(w, FormPost, "code", redirect, response) == nil {
			if page := w.Body.String(); strings.Count(page, "<") != 19 || strings.Count(page, `"`) != 16 {
				t.Errorf("%d %d\n%s", strings.Count(page, "<"), strings.Count(page, `"`), page)
			}
		}
		w = httptest.NewRecorder()
		if Write(w, Query, "code", redirect, response) == nil {
			u, err := url.Parse(w.Header().Get("Location"))
			if err != nil || strings.ContainsAny(w.Header().Get("Location"), "\r\n") {
				t.Fatal(w.Header(), err)
			}
			if all := strings.Split(u.RawQuery, "&"); all[len(all)-1] != "response="+url.QueryEscape(response) {
				t.Errorf("%q", u.RawQuery)
			}
		}
	})
}
