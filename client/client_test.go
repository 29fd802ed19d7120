package client_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

var ctx = context.Background()

// clock is a time that tests move.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(profiletest.Now+c.seconds.Load(), 0) }
func (c *clock) forward(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

// server is an authorization server with a token endpoint alone.
type server struct {
	*httptest.Server
	clock clock
	calls atomic.Int64
	// answer is what it answers with, by the number of the request.
	answer func(n int64, w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	last *http.Request
}

func start(t *testing.T, answer func(n int64, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.last = r
		s.mu.Unlock()
		s.answer(s.calls.Add(1), w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) form() url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.PostForm
}

func (s *server) header() http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.Header
}

func (s *server) config() client.Config {
	return client.Config{
		Server: &oauth.ServerMetadata{Issuer: s.URL, TokenEndpoint: s.URL + "/token"},
		Auth:   client.None("c1"), Clock: s.clock.now,
	}
}

func text(s string) func(int64, http.ResponseWriter, *http.Request) {
	return func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func numbered(format string) func(int64, http.ResponseWriter, *http.Request) {
	return func(n int64, w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, format, n) }
}

const bearer = `{"access_token":"at%d","token_type":"bearer","expires_in":600}`

func source(t *testing.T, c client.Config, g client.Grant) *client.Source {
	t.Helper()
	s, err := client.New(c, g)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func token(t *testing.T, s *client.Source) *client.Token {
	t.Helper()
	got, err := s.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestIncompleteConfig(t *testing.T) {
	good := client.Config{Server: &oauth.ServerMetadata{Issuer: "https://as.example", TokenEndpoint: "https://as.example/t"}, Auth: client.None("c1")}
	if _, err := client.New(good, client.ClientCredentials()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*client.Config){
		"no server":         func(c *client.Config) { c.Server = nil },
		"no token endpoint": func(c *client.Config) { c.Server = &oauth.ServerMetadata{Issuer: "https://as.example"} },
		"no issuer":         func(c *client.Config) { c.Server = &oauth.ServerMetadata{TokenEndpoint: "https://as.example/t"} },
		"token endpoint by http": func(c *client.Config) {
			c.Server = &oauth.ServerMetadata{Issuer: "https://as.example", TokenEndpoint: "http://as.example/t"}
		},
		"no authentication":     func(c *client.Config) { c.Auth = nil },
		"a negative time":       func(c *client.Config) { c.RefreshAhead = -1 },
		"a malformed scope":     func(c *client.Config) { c.Scope = oauth.Scopes{"a\n"} },
		"an empty scope":        func(c *client.Config) { c.Scope = oauth.Scopes{""} },
		"a malformed resource":  func(c *client.Config) { c.Resources = []string{"/a"} },
		"a detail without type": func(c *client.Config) { c.Details = []oauth.AuthorizationDetail{{}} },
	} {
		c := good
		change(&c)
		if _, err := client.New(c, client.ClientCredentials()); !errors.Is(err, client.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.New(good, client.Grant{}); !errors.Is(err, client.ErrConfig) {
		t.Error("no grant:", err)
	}
	s := start(t, numbered(bearer))
	c := s.config()
	c.Params = url.Values{"grant_type": {"x"}}
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); !errors.Is(err, client.ErrConfig) {
		t.Error(err)
	}
	empty := client.NewGrant(func(context.Context) (url.Values, error) { return nil, nil })
	if _, err := source(t, s.config(), empty).Token(ctx); !errors.Is(err, client.ErrConfig) {
		t.Error(err)
	}
	if n := s.calls.Load(); n > 0 {
		t.Errorf("%d requests", n)
	}
}

func TestGrants(t *testing.T) {
	failing := errors.New("no assertion to be had")
	for _, tc := range []struct {
		name  string
		grant client.Grant
		want  url.Values
		err   error
	}{
		{
			"client credentials", client.ClientCredentials(),
			url.Values{"grant_type": {"client_credentials"}, "scope": {"a b"}, "resource": {"https://api.example/1", "https://api.example/2"}},
			nil,
		},
		{
			"JWT bearer", client.JWTBearer(func(context.Context) (string, error) { return "a.b.c", nil }),
			url.Values{
				"grant_type": {grant.GrantType}, "assertion": {"a.b.c"}, "scope": {"a b"}, "resource": {"https://api.example/1", "https://api.example/2"},
			},
			nil,
		},
		{"no assertion", client.JWTBearer(func(context.Context) (string, error) { return "", failing }), nil, failing},
		{
			"token exchange", client.Exchange(func(context.Context) (*exchange.Request, error) {
				return &exchange.Request{SubjectToken: "st", SubjectTokenType: exchange.AccessToken, Scope: oauth.Scopes{"c"}, Resource: []string{"https://r.example"}}, nil
			}),
			url.Values{
				"grant_type": {exchange.GrantType}, "subject_token": {"st"}, "subject_token_type": {string(exchange.AccessToken)}, "scope": {"c"},
				"resource": {"https://r.example"},
			},
			nil,
		},
		{
			"an incomplete request", client.Exchange(func(context.Context) (*exchange.Request, error) { return new(exchange.Request), nil }), nil,
			&oauth.Error{Code: oauth.InvalidRequest},
		},
		{"no subject token", client.Exchange(func(context.Context) (*exchange.Request, error) { return nil, failing }), nil, failing},
		{
			"refresh token", client.Refresh("rt", nil),
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt"}, "scope": {"a b"}, "resource": {"https://api.example/1", "https://api.example/2"}},
			nil,
		},
		{"another", client.NewGrant(func(context.Context) (url.Values, error) { return nil, failing }), nil, failing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "application/json" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Method != "POST" {
					t.Errorf("%s %v", r.Method, r.Header)
				}
				_, _ = io.WriteString(w, `{"access_token":"at","token_type":"BEARER","expires_in":"600","issued_token_type":"`+string(exchange.AccessToken)+`"}`)
			})
			if tc.name == "token exchange" {
				s.answer = text(`{"access_token":"at","token_type":"bearer","expires_in":600,"issued_token_type":"` + string(exchange.AccessToken) + `"}`)
			}
			c := s.config()
			c.Scope, c.Resources = oauth.Scopes{"a", "b"}, []string{"https://api.example/1", "https://api.example/2"}
			c.Details = []oauth.AuthorizationDetail{{Type: "t"}}
			c.Params = url.Values{"audience": {"x"}}
			got, err := source(t, c, tc.grant).Token(ctx)
			if tc.err != nil {
				if !errors.Is(err, tc.err) || s.calls.Load() > 0 {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != "at" || got.Type != oauth.Bearer || !got.Expiry.Equal(s.clock.now().Add(600*time.Second)) || got.Scope.String() != tc.want.Get("scope") {
				t.Errorf("%#v", *got)
			}
			tc.want["client_id"] = []string{"c1"}
			tc.want["audience"] = []string{"x"}
			tc.want["authorization_details"] = []string{`[{"type":"t"}]`}
			if s.form().Encode() != tc.want.Encode() {
				t.Errorf("%v\nwant\n%v", s.form(), tc.want)
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	key, secret := profiletest.Key(t), profiletest.Secret(t)
	s := start(t, numbered(bearer))
	send := func(a client.Authentication) {
		t.Helper()
		c := s.config()
		c.Auth = a
		token(t, source(t, c, client.ClientCredentials()))
	}
	base := url.Values{"grant_type": {"client_credentials"}}
	expect := func(name string, pairs ...string) {
		t.Helper()
		want := url.Values{"grant_type": base["grant_type"]}
		for i := 0; i < len(pairs); i += 2 {
			want.Set(pairs[i], pairs[i+1])
		}
		if got := s.form().Encode(); got != want.Encode() {
			t.Errorf("%s: %s", name, got)
		}
	}
	send(client.None("c1"))
	expect("none", "client_id", "c1")
	send(client.Certificate("c1"))
	expect("certificate", "client_id", "c1")
	send(client.SecretPost("c1", "s&cret"))
	expect("post", "client_id", "c1", "client_secret", "s&cret")
	// RFC 6749, Section 2.3.1: encoded first, so that a colon in the name is none between the two.
	send(client.SecretBasic("c:1", "p+ %ü"))
	expect("basic")
	user, password, ok := (&http.Request{Header: s.header()}).BasicAuth()
	if !ok || user != "c%3A1" || password != "p%2B+%25%C3%BC" {
		t.Errorf("%q %q", user, password)
	}
	if u, err := url.QueryUnescape(password); err != nil || u != "p+ %ü" {
		t.Error(u, err)
	}
	for _, k := range []jwk.Signer{key, secret} {
		for _, legacy := range []string{"", s.URL + "/token"} {
			p := clientauth.Policy{Issuer: s.URL, ClientID: "c1", Replay: jwt.NewReplayCache(8), JWT: jwt.Policy{Clock: s.clock.now}, MaxLifetime: time.Minute}
			auth := client.Assertion("c1", k)
			if legacy != "" {
				auth = client.LegacyAssertion("c1", k, legacy)
				p.Issuer = legacy
			}
			v, err := clientauth.NewVerifier(jwk.Set{verifier(k)}, p)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // each request has an assertion of its own
				send(auth)
				f := s.form()
				if f.Get("client_assertion_type") != clientauth.AssertionType {
					t.Errorf("%v", f)
				}
				if _, err := v.Verify(ctx, f.Get("client_assertion"), clientauth.Expect{ClientID: f.Get("client_id")}); err != nil {
					t.Error(err)
				}
			}
		}
	}
	failing := errors.New("the key is gone")
	c := s.config()
	c.Auth = func(context.Context, *client.Request) error { return failing }
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); !errors.Is(err, failing) {
		t.Error(err)
	}
	c.Auth = client.Assertion("", key)
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil {
		t.Error("an assertion of nobody was made")
	}
}

func verifier(k jwk.Signer) jwk.Key {
	if p, ok := k.(*jwk.PrivateKey); ok {
		return p.Public()
	}
	return k.(*jwk.SecretKey)
}

// A server that tells the client to address its assertion to someone else gets nothing that it could take there.
func TestAttackAudienceInjection(t *testing.T) {
	s := start(t, numbered(bearer))
	honest := "https://honest.example"
	for _, m := range []*oauth.ServerMetadata{
		{Issuer: s.URL, TokenEndpoint: s.URL + "/token?aud=" + honest},
		{Issuer: s.URL, TokenEndpoint: s.URL + "/token", Extra: map[string]json.RawMessage{"token_endpoint_auth_aud": []byte(`"` + honest + `"`)}},
		{Issuer: s.URL, TokenEndpoint: s.URL + "/token", MTLSEndpointAliases: map[string]string{"token_endpoint": s.URL + "/" + honest}},
	} {
		c := s.config()
		c.Server, c.MTLS = m, true
		c.Auth = client.Assertion("c1", profiletest.Key(t))
		token(t, source(t, c, client.ClientCredentials()))
		v, err := jwt.NewVerifier[struct{}](jwk.Set{profiletest.Key(t).Public()}, jwt.Policy{
			Issuers: []string{"c1"}, Audiences: []string{s.URL}, Type: clientauth.Type, Clock: s.clock.now,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := v.Verify(ctx, s.form().Get("client_assertion"))
		if err != nil || !slices.Equal(got.Audience, jwt.Audience{s.URL}) {
			t.Error("M2:", got, err)
		}
	}
}

func TestMTLSAlias(t *testing.T) {
	s := start(t, numbered(bearer))
	c := s.config()
	c.Server.MTLSEndpointAliases = map[string]string{"token_endpoint": s.URL + "/mtls"}
	for _, mtls := range []bool{false, true} {
		c.MTLS = mtls
		token(t, source(t, c, client.ClientCredentials()))
		if got := s.last.URL.Path; got != map[bool]string{false: "/token", true: "/mtls"}[mtls] {
			t.Error(got)
		}
	}
	c.Server.MTLSEndpointAliases = nil
	token(t, source(t, c, client.ClientCredentials()))
	if s.last.URL.Path != "/token" {
		t.Error(s.last.URL.Path)
	}
}

func TestResponses(t *testing.T) {
	const ok = `"access_token":"at","token_type":"Bearer"`
	s := start(t, nil)
	for _, tc := range []struct {
		name, body string
		life       time.Duration // -1: refused
	}{
		{"an hour where it does not say", `{` + ok + `}`, time.Hour},
		{"null is nothing", `{` + ok + `,"expires_in":null,"scope":null,"refresh_token":null,"id_token":null,"authorization_details":null}`, time.Hour},
		{"other members", `{` + ok + `,"ext_expires_in":7,"expires_in":60}`, time.Minute},
		{"a string", `{` + ok + `,"expires_in":"60"}`, time.Minute},
		{"an empty scope", `{` + ok + `,"scope":""}`, time.Hour},
		{"no time at all", `{` + ok + `,"expires_in":0}`, 0},
		{"a time that has passed", `{` + ok + `,"expires_in":-1}`, -1},
		{"a fraction", `{` + ok + `,"expires_in":1.5}`, -1},
		{"a time beyond all", `{` + ok + `,"expires_in":4294967296}`, -1},
		{"a word", `{` + ok + `,"expires_in":"soon"}`, -1},
		{"no token", `{"token_type":"Bearer"}`, -1},
		{"an empty token", `{"access_token":"","token_type":"Bearer"}`, -1},
		{"a token with a space", `{"access_token":"a b","token_type":"Bearer"}`, -1},
		{"a token with a line break", `{"access_token":"a\r\nX: y","token_type":"Bearer"}`, -1},
		{"a token beyond ASCII", `{"access_token":"ü","token_type":"Bearer"}`, -1},
		{"a token of 64 KiB", `{"access_token":"` + strings.Repeat("a", 64<<10) + `","token_type":"Bearer"}`, time.Hour},
		{"a longer one", `{"access_token":"` + strings.Repeat("a", 64<<10+1) + `","token_type":"Bearer"}`, -1},
		{"a refresh token with a space", `{` + ok + `,"refresh_token":"a b"}`, -1},
		{"no type", `{"access_token":"at"}`, -1},
		{"another type", `{"access_token":"at","token_type":"mac"}`, -1},
		{"N_A where nothing was exchanged", `{"access_token":"at","token_type":"N_A"}`, -1},
		{"DPoP that was not asked for", `{"access_token":"at","token_type":"DPoP"}`, -1},
		{"a malformed scope", `{` + ok + `,"scope":"a  b"}`, -1},
		{"a list of scopes", `{` + ok + `,"scope":["a"]}`, -1},
		{"D1_two_tokens", `{` + ok + `,"access_token":"other"}`, -1},
		{"D3_another_case", `{"ACCESS_TOKEN":"at","token_type":"Bearer"}`, -1},
		{"D6_trailing_data", `{` + ok + `}{}`, -1},
		{"no JSON", `access_token=at&token_type=bearer`, -1},
		{"nothing", ``, -1},
		{"over 1 MiB", `{` + ok + `,"pad":"` + strings.Repeat("a", 1<<20) + `"}`, -1},
	} {
		s.answer = text(tc.body)
		got, err := source(t, s.config(), client.ClientCredentials()).Token(ctx)
		if tc.life < 0 {
			if _, ok := errors.AsType[*oauth.Error](err); !errors.Is(err, client.ErrResponse) || got != nil || ok {
				t.Errorf("%s: %v, %v", tc.name, got, err)
			}
			continue
		}
		if err != nil || !got.Expiry.Equal(s.clock.now().Add(tc.life)) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
	s.answer = text(`{` + ok + `,"scope":"b a","refresh_token":"rt","id_token":"a.b.c","authorization_details":[{"type":"t","x":1}]}`)
	c := s.config()
	c.Scope = oauth.Scopes{"a", "b", "c"}
	got := token(t, source(t, c, client.ClientCredentials()))
	if got.Scope.String() != "b a" || got.RefreshToken != "rt" || got.IDToken != "a.b.c" || string(got.Details[0].Extra["x"]) != "1" {
		t.Errorf("%+v", got.Details)
	}
}

func TestExchangeResponses(t *testing.T) {
	s := start(t, nil)
	const id = `"issued_token_type":"urn:ietf:params:oauth:token-type:jwt"`
	key := profiletest.Key(t)
	for _, tc := range []struct {
		name, body, typ string
		dpop            bool
	}{
		{"a token that is no access token", `{"access_token":"x","token_type":"N_A",` + id + `}`, "N_A", false},
		{"the same with a proof", `{"access_token":"x","token_type":"N_A",` + id + `}`, "N_A", true},
		{"bound", `{"access_token":"x","token_type":"dpop",` + id + `}`, "DPoP", true},
		{"not bound", `{"access_token":"x","token_type":"Bearer",` + id + `}`, "", true},
		{"of another type than was asked for", `{"access_token":"x","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`, "", false},
		{"without a type", `{"access_token":"x","token_type":"Bearer"}`, "", false},
	} {
		s.answer = text(tc.body)
		c := s.config()
		if tc.dpop {
			c.DPoP = key
		}
		got, err := source(t, c, client.Exchange(func(context.Context) (*exchange.Request, error) {
			return &exchange.Request{SubjectToken: "st", SubjectTokenType: exchange.AccessToken, RequestedTokenType: exchange.JWT}, nil
		})).Token(ctx)
		if tc.typ == "" {
			if !errors.Is(err, client.ErrResponse) {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err != nil || got.Type != tc.typ || got.IssuedType != exchange.JWT || !got.Expiry.Equal(s.clock.now().Add(time.Hour)) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
	// An access token of type N_A cannot be used.
	s.answer = text(`{"access_token":"x","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)
	if _, err := source(t, s.config(), client.Exchange(func(context.Context) (*exchange.Request, error) {
		return &exchange.Request{SubjectToken: "st", SubjectTokenType: exchange.AccessToken}, nil
	})).Token(ctx); !errors.Is(err, client.ErrResponse) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	s := start(t, nil)
	get := func(status int, body string) error {
		t.Helper()
		s.answer = func(_ int64, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "SECRET", r.PostForm.Get("client_secret")))
		}
		c := s.config()
		c.Auth = client.SecretPost("c1", "correct horse")
		before := s.calls.Load()
		got, err := source(t, c, client.ClientCredentials()).Token(ctx)
		if got != nil || s.calls.Load() != before+1 {
			t.Errorf("%v, %d requests", got, s.calls.Load()-before)
		}
		return err
	}
	err := get(400, `{"error":"invalid_scope","error_description":"no such scope"}`)
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Code != oauth.InvalidScope || e.Description != "no such scope" || e.Status != 400 {
		t.Errorf("%v", err)
	}
	for _, tc := range []struct {
		status int
		body   string
	}{{502, `<html>`}, {302, ``}, {201, `{"access_token":"at","token_type":"Bearer"}`}, {204, ``}, {500, `{}`}} {
		err := get(tc.status, tc.body)
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != "" || e.Status != tc.status || e.Cause == nil {
			t.Errorf("%d: %v", tc.status, err)
		}
	}
	// A server that repeats what it was sent.
	for _, body := range []string{
		`{"error":"invalid_client","error_description":"bad secret SECRET"}`,
		`{"error":"invalid_client","error_uri":"https://as.example/?s=SECRET","error_description":"correct horse"}`,
		`{"error":"correct horse"}`,
	} {
		if err := get(401, body); err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "horse") {
			t.Errorf("%v", err)
		}
	}
	c := s.config()
	c.Auth = client.SecretBasic("c1", "correct horse")
	for _, body := range []string{`{"error":"x","error_description":"correct horse"}`, `{"error":"x","error_description":"correct+horse"}`} {
		s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, body)
		}
		if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("%v", err)
		}
	}
	// A short one is a part of many words.
	c.Auth = client.SecretPost("c1", "val")
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		(&oauth.Error{Code: oauth.InvalidClient, Description: "invalid"}).Write(w)
	}
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); !errors.Is(err, &oauth.Error{Code: oauth.InvalidClient}) {
		t.Error(err)
	}
	c.Auth = client.SecretPost("c1", "horse-battery")
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		(&oauth.Error{Code: "x", URI: "https://as.example/?horse-battery"}).Write(w)
	}
	_, err = source(t, c, client.ClientCredentials()).Token(ctx)
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.URI != "" {
		t.Error(err)
	}
	// The network.
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
	}
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", err)
	}
	s.Close()
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || strings.Contains(err.Error(), "/token") || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("%v", err)
	}
}

// A redirect of the token endpoint would carry the secrets wherever it leads.
func TestNoRedirects(t *testing.T) {
	hits := atomic.Int64{}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer other.Close()
	s := start(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	c := s.config()
	c.HTTP = other.Client() // whose own policy follows them
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || hits.Load() > 0 {
		t.Error(err, hits.Load())
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	s := start(t, text(`{"access_token":"hunter2","token_type":"Bearer","refresh_token":"hunter3","id_token":"hunter4","scope":"a"}`))
	c := s.config()
	c.Auth = client.SecretBasic("c1", "hunter1")
	g := client.Refresh("hunter0", nil)
	src := source(t, c, g)
	got := token(t, src)
	var printed strings.Builder
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "token", got, "value", *got, "source", src, "config", c, "grant", g)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&printed, format, got)
		fmt.Fprintf(&printed, format, *got)
		fmt.Fprintf(&printed, format, src)
		fmt.Fprintf(&printed, format, c)
		fmt.Fprintf(&printed, format, g)
	}
	if strings.Contains(printed.String(), "hunter") {
		t.Error(printed.String())
	}
	if want := `Bearer token until 2026-01-01T13:00:00Z for "a"`; got.String() != want {
		t.Errorf("%s", got)
	}
	if src.String() != "tokens of "+s.URL {
		t.Errorf("%s", src)
	}
}

func TestCache(t *testing.T) {
	s := start(t, numbered(bearer))
	src := source(t, s.config(), client.ClientCredentials())
	first := token(t, src)
	if first.AccessToken != "at1" {
		t.Fatal(first.AccessToken)
	}
	first.AccessToken, first.Scope = "changed by its owner", oauth.Scopes{"x"}
	s.clock.forward(479 * time.Second)
	if got := token(t, src); got.AccessToken != "at1" || got.Scope != nil || s.calls.Load() != 1 {
		t.Error(got.AccessToken, s.calls.Load())
	}
	// A fifth of 600 seconds before the end the old one is still given out.
	s.clock.forward(time.Second)
	if got := token(t, src); got.AccessToken != "at1" {
		t.Error(got.AccessToken)
	}
	eventually(t, func() bool { return token(t, src).AccessToken == "at2" })
	// Ten seconds before the end it is not.
	s.clock.forward(589 * time.Second)
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusServiceUnavailable)
	}
	if got := token(t, src); got.AccessToken != "at2" {
		t.Error(got.AccessToken)
	}
	eventually(t, func() bool { return s.calls.Load() == 3 })
	// An early renewal that failed is not tried again at once.
	for range 10 {
		_ = token(t, src)
	}
	if n := s.calls.Load(); n != 3 {
		t.Error(n)
	}
	s.clock.forward(time.Second)
	if got, err := src.Token(ctx); err == nil {
		t.Error(got.AccessToken)
	}
	s.answer = numbered(bearer)
	n := s.calls.Load() // 3 where the renewal took so long that the last one waited for it, else 4
	at := func(n int64) string { return fmt.Sprintf("at%d", n) }
	if got := token(t, src); got.AccessToken != at(n+1) {
		t.Error(got.AccessToken)
	}
	src.Invalidate(at(n))
	if token(t, src).AccessToken != at(n+1) {
		t.Error("another token was dropped")
	}
	src.Invalidate(at(n + 1))
	if token(t, src).AccessToken != at(n+2) {
		t.Error("the token was not dropped")
	}
}

// BenchmarkToken is what a request pays for a token that is there.
func BenchmarkToken(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, bearer, 1) }))
	defer s.Close()
	src := must(client.New(client.Config{
		Server: &oauth.ServerMetadata{Issuer: s.URL, TokenEndpoint: s.URL}, Auth: client.None("c1"),
	}, client.ClientCredentials()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := src.Token(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

func TestRefreshAhead(t *testing.T) {
	for _, tc := range []struct {
		ahead   time.Duration
		life    int
		renewed time.Duration
	}{{0, 3600, 3300 * time.Second}, {time.Minute, 3600, 3540 * time.Second}, {0, 100, 80 * time.Second}, {time.Hour, 100, 0}} {
		s := start(t, numbered(fmt.Sprintf(`{"access_token":"at%%d","token_type":"bearer","expires_in":%d}`, tc.life)))
		c := s.config()
		c.RefreshAhead = tc.ahead
		src := source(t, c, client.ClientCredentials())
		token(t, src)
		s.clock.forward(max(tc.renewed, 10*time.Second) - time.Second)
		token(t, src)
		time.Sleep(time.Millisecond)
		if n := s.calls.Load(); n != 1 {
			t.Errorf("%v: %d requests too early", tc, n)
		}
		s.clock.forward(time.Second)
		eventually(t, func() bool { return token(t, src).AccessToken == "at2" })
	}
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 2000 {
		if f() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it did not happen")
}

// With the margin a token of 20 seconds serves for 18.
func TestMargin(t *testing.T) {
	s := start(t, numbered(`{"access_token":"at%d","token_type":"bearer","expires_in":20}`))
	src := source(t, s.config(), client.ClientCredentials())
	token(t, src)
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusServiceUnavailable)
	}
	s.clock.forward(17 * time.Second)
	token(t, src)
	eventually(t, func() bool { return s.calls.Load() == 2 })
	s.clock.forward(time.Second)
	if _, err := src.Token(ctx); err == nil {
		t.Error("a token that is about to expire was given out")
	}
}

func TestSingleFlight(t *testing.T) {
	release := make(chan struct{})
	s := start(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = fmt.Fprintf(w, bearer, n)
	})
	src := source(t, s.config(), client.ClientCredentials())
	// The caller that begins leaves, and the request goes on.
	leaving, cancel := context.WithCancel(context.WithValue(ctx, key{}, "carried"))
	left := make(chan error)
	go func() {
		_, err := src.Token(leaving)
		left <- err
	}()
	eventually(t, func() bool { return s.calls.Load() == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			got, err := src.Token(ctx)
			if err != nil || got.AccessToken != "at1" {
				t.Error(got, err)
			}
		})
	}
	// Nobody waits longer than their own context.
	short, stop := context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	if _, err := src.Token(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(release)
	wg.Wait()
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if _, err := src.Token(leaving); !errors.Is(err, context.Canceled) {
		t.Error("a context that has ended:", err)
	}
}

type key struct{}

func TestContextIsCarried(t *testing.T) {
	s := start(t, numbered(bearer))
	g := client.NewGrant(func(ctx context.Context) (url.Values, error) {
		if ctx.Value(key{}) != "carried" {
			t.Error("the grant does not see the context of the caller")
		}
		if _, ok := ctx.Deadline(); !ok {
			t.Error("the request has no end")
		}
		return url.Values{"grant_type": {"x"}}, nil
	})
	if _, err := source(t, s.config(), g).Token(context.WithValue(ctx, key{}, "carried")); err != nil {
		t.Error(err)
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	s := start(t, func(int64, http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	c := s.config()
	c.HTTP = &http.Client{Timeout: 5 * time.Millisecond}
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil {
		t.Error("a server that does not answer was waited for")
	}
}

func TestRefreshRotation(t *testing.T) {
	s := start(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if got, want := r.PostForm.Get("refresh_token"), fmt.Sprintf("rt%d", n-1); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"at%d","token_type":"Bearer","expires_in":100,"refresh_token":"rt%d"}`, n, n)
	})
	var kept []string
	var fail error
	src := source(t, s.config(), client.Refresh("rt0", func(token string) error {
		kept = append(kept, token)
		return fail
	}))
	token(t, src)
	s.clock.forward(time.Hour)
	fail = errors.New("the disk is full")
	if _, err := src.Token(ctx); !errors.Is(err, fail) {
		t.Error(err)
	}
	fail = nil
	token(t, src)
	if !slices.Equal(kept, []string{"rt1", "rt2", "rt3"}) {
		t.Error(kept)
	}
	// A server that does not rotate.
	for _, body := range []string{bearer, `{"access_token":"at%d","token_type":"Bearer","refresh_token":"rt0"}`} {
		s.answer = func(n int64, w http.ResponseWriter, r *http.Request) {
			if got := r.PostForm.Get("refresh_token"); got != "rt0" {
				t.Error(got)
			}
			_, _ = fmt.Fprintf(w, body, n)
		}
		src = source(t, s.config(), client.Refresh("rt0", func(token string) error {
			t.Error("rotated:", token)
			return nil
		}))
		token(t, src)
		s.clock.forward(2 * time.Hour)
		token(t, src)
	}
	// In memory alone.
	s.answer = func(n int64, w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"access_token":"%s","token_type":"Bearer","refresh_token":"x%d"}`, r.PostForm.Get("refresh_token"), n)
	}
	src = source(t, s.config(), client.Refresh("rt0", nil))
	token(t, src)
	s.clock.forward(2 * time.Hour)
	if got := token(t, src); got.AccessToken[0] != 'x' {
		t.Error(got.AccessToken)
	}
}

// The server wants a nonce in proofs, and takes each assertion once: both are made anew for the second request.
func TestDPoP(t *testing.T) {
	dkey, akey := profiletest.Key(t), must(jwk.Generate(jwa.ES256))
	nonces := must(dpop.NewNonces(dpop.NonceOptions{}))
	proofs := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(100), Nonces: nonces}))
	var s *server
	var assertions *clientauth.Verifier
	typ := "DPoP"
	s = start(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		f := r.PostForm
		if _, err := assertions.Verify(ctx, f.Get("client_assertion"), clientauth.Expect{ClientID: "c1"}); err != nil {
			t.Error(err)
			(&oauth.Error{Code: oauth.InvalidClient}).Write(w)
			return
		}
		proof, err := dpop.FromHeader(r.Header)
		if err == nil {
			_, err = proofs.Verify(ctx, proof, dpop.Expect{Method: "POST", URL: s.URL + "/token", NoAccessToken: true})
		}
		_ = proofs.SetNonce(ctx, w.Header())
		if e := dpop.Error(err); e != nil {
			e.Write(w)
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token":"at%d","token_type":"%s","expires_in":60}`, n, typ)
	})
	assertions = must(clientauth.NewVerifier(jwk.Set{akey.Public()}, clientauth.Policy{Issuer: s.URL, ClientID: "c1", Replay: jwt.NewReplayCache(100)}))
	c := s.config()
	c.Clock = nil
	c.DPoP, c.Auth = dkey, client.Assertion("c1", akey)
	src := source(t, c, client.ClientCredentials())
	if got := token(t, src); got.AccessToken != "at2" || got.Type != oauth.DPoP {
		t.Error(got, got.AccessToken)
	}
	src.Invalidate("at2")
	// The nonce is known now.
	if got := token(t, src); got.AccessToken != "at3" {
		t.Error(got.AccessToken)
	}
	src.Invalidate("at3")
	typ = "bearer"
	if _, err := src.Token(ctx); !errors.Is(err, client.ErrResponse) {
		t.Error("M4: a token that is not bound:", err)
	}
	// A server that never has enough is not asked a third time.
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(dpop.NonceHeader, rand.Text())
		(&oauth.Error{Code: oauth.UseDPoPNonce}).Write(w)
	}
	before := s.calls.Load()
	if _, err := src.Token(ctx); !errors.Is(err, &oauth.Error{Code: oauth.UseDPoPNonce}) || s.calls.Load() != before+2 {
		t.Error(err, s.calls.Load()-before)
	}
	// Nor one that gives no nonce, or that the client has sent no proof.
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		(&oauth.Error{Code: oauth.UseDPoPNonce}).Write(w)
	}
	before = s.calls.Load()
	if _, err := src.Token(ctx); err == nil || s.calls.Load() != before+1 {
		t.Error(err, s.calls.Load()-before)
	}
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(dpop.NonceHeader, "n")
		(&oauth.Error{Code: oauth.UseDPoPNonce}).Write(w)
	}
	c.DPoP = nil
	before = s.calls.Load()
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || s.calls.Load() != before+1 {
		t.Error(err, s.calls.Load()-before)
	}
}

func TestAttestation(t *testing.T) {
	attester, instance := profiletest.Key(t), must(jwk.Generate(jwa.ES256))
	challenges := must(attestation.NewChallenges(attestation.ChallengeOptions{}))
	var s *server
	var v *attestation.Verifier
	s = start(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		_, err := v.Verify(ctx, r.Header, attestation.Expect{ClientID: r.PostForm.Get("client_id")})
		if err != nil {
			_ = v.SetChallenge(ctx, w.Header())
			attestation.Error(err).Write(w)
			return
		}
		_, _ = fmt.Fprintf(w, bearer, n)
	})
	v = must(attestation.NewVerifier(jwk.Set{attester.Public()}, attestation.Policy{
		Audience: s.URL, ClientIDs: []string{"c1"}, Replay: jwt.NewReplayCache(8), Challenges: challenges,
	}))
	claims := attestation.Claims{Confirmation: &pop.Confirmation{JWK: new(instance.Public().JWK())}}
	fail := error(nil)
	usual := s.answer
	s.answer = func(_ int64, w http.ResponseWriter, r *http.Request) {
		if proof := r.Header.Get(attestation.PoPHeader); len(proof) > 1000 {
			t.Error("a challenge of any size goes into each request:", len(proof))
		}
		w.Header().Set(attestation.ChallengeHeader, strings.Repeat("x", 1025))
		(&oauth.Error{Code: oauth.UseAttestationChallenge}).Write(w)
	}
	c := s.config()
	c.Clock = nil
	c.Auth = client.Attestation("c1", instance, func(ctx context.Context) (string, error) {
		raw, err := attestation.Sign(ctx, attester, jwt.Registered{Subject: "c1", Expiry: time.Now().Add(time.Hour), IssuedAt: time.Now()}, claims)
		return raw, errors.Join(err, fail)
	})
	src := source(t, c, client.ClientCredentials())
	if _, err := src.Token(ctx); err == nil {
		t.Error("no error")
	}
	s.answer = usual
	s.calls.Store(0)
	if got := token(t, src); got.AccessToken != "at2" {
		t.Error(got.AccessToken)
	}
	src.Invalidate("at2")
	if got := token(t, src); got.AccessToken != "at3" {
		t.Error("the challenge was forgotten:", got.AccessToken)
	}
	src.Invalidate("at3")
	fail = errors.New("the attester is not there")
	if _, err := src.Token(ctx); !errors.Is(err, fail) {
		t.Error(err)
	}
	fail = nil
	c.Auth = client.Attestation("c1", profiletest.Secret(t), func(context.Context) (string, error) { return "a.b.c", nil })
	calls := s.calls.Load()
	if _, err := source(t, c, client.ClientCredentials()).Token(ctx); err == nil || s.calls.Load() != calls {
		t.Error("a request was sent without a proof:", err)
	}
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		(&oauth.Error{Code: oauth.UseAttestationChallenge}).Write(w)
	}
	before := s.calls.Load()
	if _, err := src.Token(ctx); err == nil || s.calls.Load() != before+1 {
		t.Error("a server without a challenge:", err, s.calls.Load()-before)
	}
}

func TestTransport(t *testing.T) {
	s := start(t, numbered(bearer))
	src := source(t, s.config(), client.ClientCredentials())
	var got []string
	var answer func(w http.ResponseWriter, r *http.Request)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		if answer != nil {
			answer(w, r)
		}
	}))
	defer api.Close()
	stranger := ""
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stranger += "[" + r.Header.Get("Authorization") + "]" }))
	defer other.Close()
	rt, err := src.Transport(nil, api.URL+"/")
	if err != nil {
		t.Fatal(err)
	}
	hc := &http.Client{Transport: rt}
	do := func(url string) int {
		t.Helper()
		resp, err := hc.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	do(api.URL + "/a")
	// A redirect elsewhere gets nothing, and a request to elsewhere is not sent.
	answer = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }
	do(api.URL + "/b")
	answer = nil
	if stranger != "[]" {
		t.Errorf("the stranger got %s", stranger)
	}
	closed := &closer{}
	if resp, err := hc.Post(other.URL, "text/plain", closed); err == nil || !closed.closed {
		_ = resp.Body.Close()
		t.Error("a token for another origin")
	}
	if _, err := hc.Get(other.URL); err == nil || stranger != "[]" {
		t.Error("a token for another origin", stranger)
	}
	// A token that is refused is not used again, and the request is not repeated.
	for _, challenge := range []string{`Bearer error="invalid_token"`, `Bearer`, `Bearer error="insufficient_scope"`, `Bearer error="x`} {
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(401)
		}
		do(api.URL)
	}
	answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(400)
	}
	do(api.URL)
	if want := []string{"at1", "at1", "at1", "at2", "at2", "at2", "at2"}; fmt.Sprint(got) != "[Bearer "+strings.Join(want, " Bearer ")+"]" {
		t.Error(got)
	}
	// A request of the program's own is left as it is.
	req := must(http.NewRequest("GET", api.URL, nil))
	resp := must(rt.RoundTrip(req))
	_ = resp.Body.Close()
	if len(req.Header) > 0 {
		t.Error(req.Header)
	}
	resp = must(rt.RoundTrip(&http.Request{Method: "GET", URL: req.URL}))
	_ = resp.Body.Close()
	// Without a token nothing is sent.
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		(&oauth.Error{Code: oauth.InvalidClient}).Write(w)
	}
	src.Invalidate("at2")
	n, closed := len(got), &closer{}
	if _, err := hc.Post(api.URL, "text/plain", closed); !errors.Is(err, &oauth.Error{Code: oauth.InvalidClient}) || len(got) != n || !closed.closed {
		t.Error(err)
	}
	if _, err := hc.Get(api.URL); err == nil {
		t.Error("sent without a token")
	}
	for _, origins := range [][]string{nil, {""}, {"api.example"}, {"https://api.example/path"}, {"https://api.example?a"}, {"https://u@api.example"}, {"ftp://a"}, {"https://a\x00"}, {"https:///"}} {
		if _, err := src.Transport(nil, origins...); !errors.Is(err, client.ErrConfig) {
			t.Errorf("%q: %v", origins, err)
		}
	}
}

type closer struct{ closed bool }

func (c *closer) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closer) Close() error {
	c.closed = true
	return nil
}

// Origins are compared as such.
// A resource that refuses every token has a new one asked for now and then, and not with each request.
func TestAlwaysRefused(t *testing.T) {
	s := start(t, numbered(bearer))
	var got []string
	code := oauth.InvalidToken
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		w.Header().Set("WWW-Authenticate", `Bearer error="`+code+`"`)
		w.WriteHeader(401)
	}))
	defer api.Close()
	c := s.config()
	var at time.Duration
	c.Clock = func() time.Time { return time.Unix(1767268800, 0).Add(at) }
	rt := must(source(t, c, client.ClientCredentials()).Transport(nil, api.URL))
	for _, at = range []time.Duration{0, 1, 9 * time.Second, 10 * time.Second, 19 * time.Second, 20 * time.Second, 21 * time.Second} {
		resp := must((&http.Client{Transport: rt}).Get(api.URL))
		_ = resp.Body.Close()
	}
	code = oauth.InsufficientScope // which is not the token's fault
	for _, at = range []time.Duration{40 * time.Second, 60 * time.Second} {
		resp := must((&http.Client{Transport: rt}).Get(api.URL))
		_ = resp.Body.Close()
	}
	if want := "[Bearer at1 Bearer at2 Bearer at2 Bearer at2 Bearer at3 Bearer at3 Bearer at4 Bearer at4 Bearer at4]"; fmt.Sprint(got) != want {
		t.Error(got)
	}
}

func TestOrigins(t *testing.T) {
	s := start(t, numbered(bearer))
	src := source(t, s.config(), client.ClientCredentials())
	for _, tc := range []struct {
		origin, url string
		want        bool
	}{
		{"https://API.example:443", "https://api.example/x", true},
		{"https://api.example", "https://API.EXAMPLE:443/x", true},
		{"http://api.example:80", "http://api.example", true},
		{"https://api.example", "https://api.example:", true},
		{"https://[::1]", "https://[::1]:443/", true},
		{"https://api.example", "http://api.example", false},
		{"https://api.example", "https://api.example:8443", false},
		{"https://api.example:80", "https://api.example", false},
		{"https://api.example", "https://api.example.evil.example", false},
		{"https://api.example:4443", "https://api.example:4", false},
	} {
		sent := false
		rt := must(src.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
			sent = true
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		}), tc.origin))
		resp, err := rt.RoundTrip(must(http.NewRequest("GET", tc.url, nil)))
		if err == nil {
			_ = resp.Body.Close()
		}
		if sent != tc.want || (err == nil) != tc.want {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// A redirect leads from one origin of the transport to another with the token, bound or not; but what a stranger redirects to, with
// its choice of path, goes without.
func TestRedirects(t *testing.T) {
	for _, typ := range []string{oauth.Bearer, oauth.DPoP} {
		s := start(t, text(`{"access_token":"at","token_type":"`+typ+`"}`))
		c := s.config()
		if typ == oauth.DPoP {
			c.DPoP = profiletest.Key(t)
		}
		var got []string
		serve := func(to *string) *httptest.Server {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Header.Get("Authorization"))
				if r.URL.Path != "/end" {
					http.Redirect(w, r, *to, http.StatusFound)
				}
			}))
			t.Cleanup(s.Close)
			return s
		}
		var fromA, fromB, fromStranger string
		a, b, stranger := serve(&fromA), serve(&fromB), serve(&fromStranger)
		hc := &http.Client{Transport: must(source(t, c, client.ClientCredentials()).Transport(nil, a.URL, b.URL))}
		for _, tc := range []struct {
			fromA, fromB, fromStranger string
			want                       []string
		}{
			{b.URL + "/end", "", "", []string{typ + " at", typ + " at"}},
			{a.URL + "/end", "", "", []string{typ + " at", typ + " at"}},
			{b.URL, a.URL + "/end", "", []string{typ + " at", typ + " at", typ + " at"}},
			{stranger.URL + "/end", "", "", []string{typ + " at", ""}},
			{stranger.URL, "", a.URL + "/end", []string{typ + " at", "", ""}},
			{stranger.URL, a.URL + "/end", b.URL, []string{typ + " at", "", "", ""}},
		} {
			got, fromA, fromB, fromStranger = nil, tc.fromA, tc.fromB, tc.fromStranger
			resp := must(hc.Get(a.URL))
			_ = resp.Body.Close()
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s: %q, want %q", typ, got, tc.want)
			}
		}
	}
}

// A token that is no access token is for the program, and goes to no API as if it were one (RFC 8693, Section 2.2.1).
func TestTransportNotApplicable(t *testing.T) {
	s := start(t, text(`{"access_token":"at","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`))
	src := source(t, s.config(), client.Exchange(func(context.Context) (*exchange.Request, error) {
		return &exchange.Request{SubjectToken: "a", SubjectTokenType: exchange.AccessToken}, nil
	}))
	rt := must(src.Transport(roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("it was sent")
		return nil, io.EOF
	}), "https://api.example"))
	if _, err := rt.RoundTrip(must(http.NewRequest("GET", "https://api.example/", nil))); !errors.Is(err, client.ErrResponse) {
		t.Error(err)
	}
	if token(t, src).Type != exchange.NotApplicable {
		t.Error("it was lost")
	}
}

// Whoever changes the metadata later changes no audience of what the client signs.
func TestServerIsCopied(t *testing.T) {
	s := start(t, numbered(bearer))
	c := s.config()
	src := source(t, c, client.ClientCredentials())
	c.Server.Issuer = "https://evil.example"
	if got := src.String(); got != "tokens of "+s.URL {
		t.Error(got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDPoPTransport(t *testing.T) {
	s := start(t, numbered(`{"access_token":"at%d","token_type":"DPoP"}`))
	c := s.config()
	c.DPoP = profiletest.Key(t)
	src := source(t, c, client.ClientCredentials())
	v := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(100)}))
	thumbprint := must(dpop.Thumbprint(profiletest.Key(t)))
	refuse := false
	var tokens []string
	var api *httptest.Server
	api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), "DPoP ")
		tokens = append(tokens, token)
		proof, err := dpop.FromHeader(r.Header)
		if err == nil {
			_, err = v.Verify(ctx, proof, dpop.Expect{Method: r.Method, URL: api.URL + r.URL.Path, AccessToken: token, Thumbprint: thumbprint})
		}
		if err != nil {
			t.Error(err)
		}
		if refuse {
			w.Header().Set("WWW-Authenticate", oauth.Challenge{Scheme: oauth.DPoP, Error: &oauth.Error{Code: oauth.InvalidToken}}.String())
			w.WriteHeader(401)
		}
	}))
	defer api.Close()
	hc := &http.Client{Transport: must(src.Transport(http.DefaultTransport, api.URL))}
	for i := range 3 {
		refuse = i == 1
		resp := must(hc.Get(api.URL + "/a?b"))
		_ = resp.Body.Close()
	}
	if !slices.Equal(tokens, []string{"at1", "at1", "at2"}) {
		t.Error(tokens)
	}
	s.answer = func(_ int64, w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "", http.StatusServiceUnavailable)
	}
	src.Invalidate("at2")
	if _, err := hc.Get(api.URL); err == nil || len(tokens) != 3 {
		t.Error(err)
	}
}

func TestDiscover(t *testing.T) {
	documents := map[string]string{}
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, ok := documents[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, strings.ReplaceAll(doc, "URL", "http://"+r.Host))
	}))
	defer as.Close()
	issuer := as.URL + "/t"
	good := `{"issuer":"URL/t","token_endpoint":"URL/token"}`
	for _, path := range []string{"/t/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/t", "/.well-known/openid-configuration/t"} {
		clear(documents)
		documents[path] = good
		m, err := client.Discover(ctx, issuer, client.DiscoverOptions{})
		if err != nil || m.TokenEndpoint != as.URL+"/token" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, tc := range []struct{ name, doc, code string }{
		{"M1_of_another", `{"issuer":"https://evil.example","token_endpoint":"URL/token"}`, "issuer.mismatch"},
		{"over http", `{"issuer":"URL/t","token_endpoint":"http://as.example/token"}`, "metadata.malformed"},
		{"D1_two_issuers", `{"issuer":"URL/t","issuer":"URL/t"}`, "json.duplicate"},
	} {
		documents["/t/.well-known/openid-configuration"] = tc.doc
		if _, err := client.Discover(ctx, issuer, client.DiscoverOptions{}); err == nil || fault.CodeOf(err) != tc.code {
			t.Errorf("%s: %v (%s)", tc.name, err, fault.CodeOf(err))
		}
	}
	clear(documents)
	if _, err := client.Discover(ctx, issuer, client.DiscoverOptions{}); err == nil || !strings.Contains(err.Error(), "no metadata") {
		t.Error(err)
	}
	if _, err := client.Discover(ctx, "http://as.example", client.DiscoverOptions{}); !errors.Is(err, oauth.ErrMetadata) {
		t.Error(err)
	}
	// M6: what a document names is not dialled in here.
	documents["/t/.well-known/openid-configuration"] = good
	if _, err := client.Discover(ctx, issuer, client.DiscoverOptions{Stranger: true}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

// A stranger in a private network, which the program allows by name.
func TestDiscoverAllowed(t *testing.T) {
	var as *httptest.Server
	as = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"issuer":"`+as.URL+`","token_endpoint":"`+as.URL+`/token"}`)
	}))
	as.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not trust it
	as.StartTLS()
	defer as.Close()
	roots := x509.NewCertPool()
	roots.AddCert(as.Certificate())
	for _, tc := range []struct {
		o  client.DiscoverOptions
		ok bool
	}{
		{client.DiscoverOptions{RootCAs: roots}, true},
		{client.DiscoverOptions{}, false},
		{client.DiscoverOptions{RootCAs: roots, Stranger: true}, false},
		{client.DiscoverOptions{RootCAs: roots, Stranger: true, AllowHosts: []string{"127.0.0.1"}}, true},
		{client.DiscoverOptions{RootCAs: roots, Stranger: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, true},
		{client.DiscoverOptions{RootCAs: roots, Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no proxy") }}, false},
		{client.DiscoverOptions{RootCAs: roots, Timeout: time.Nanosecond}, false},
	} {
		if _, err := client.Discover(ctx, as.URL, tc.o); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc.o, err)
		}
	}
}

func TestDiscoverResource(t *testing.T) {
	document, challenge := "", ""
	asked := ""
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "metadata") || strings.Contains(r.URL.Path, "well-known") {
			asked = r.URL.Path
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, document)
			return
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(401)
	}))
	defer api.Close()
	for _, tc := range []struct {
		name, challenge, document string
		o                         client.DiscoverOptions
		want, err                 string
	}{
		{"named", `Basic realm=x, Bearer resource_metadata="URL/metadata"`, `{"resource":"URL/orders?x=1","authorization_servers":["https://as.example"]}`, client.DiscoverOptions{}, "/metadata", ""},
		{"not named", `Bearer realm="x"`, `{"resource":"URL/orders?x=1"}`, client.DiscoverOptions{}, "/.well-known/oauth-protected-resource/orders", ""},
		{"a resource of several URLs", `Bearer realm="x"`, `{"resource":"URL"}`, client.DiscoverOptions{Resource: "URL"}, "/.well-known/oauth-protected-resource", ""},
		{"of another resource", `Bearer resource_metadata="URL/metadata"`, `{"resource":"URL"}`, client.DiscoverOptions{}, "/metadata", "DiscoverOptions.Resource"},
		{"of another than is expected", `Bearer resource_metadata="URL/metadata"`, `{"resource":"URL"}`, client.DiscoverOptions{Resource: "URL/v1"}, "/metadata", `is of "http`},
		{"of authorization servers over http", `Bearer resource_metadata="URL/metadata"`, `{"resource":"URL/orders?x=1","authorization_servers":["http://as.example"]}`, client.DiscoverOptions{}, "/metadata", "issuer is not https"},
		{"malformed", `Bearer resource_metadata="URL/metadata"`, `{"resource":7}`, client.DiscoverOptions{}, "/metadata", "type"},
		{"M6_another_host", `Bearer resource_metadata="http://localhost:1/metadata"`, ``, client.DiscoverOptions{}, "", "refused"},
		{"no URL", `Bearer resource_metadata="http://%zz"`, ``, client.DiscoverOptions{}, "", "no URL"},
		{"no challenge", `Bearer a=`, ``, client.DiscoverOptions{Resource: "urn:x"}, "", "malformed"},
		{"a challenge that cannot be read", `Bearer a="`, ``, client.DiscoverOptions{}, "", "malformed"},
		{"of a stranger", `Bearer resource_metadata="URL/metadata"`, `{"resource":"URL/orders?x=1"}`, client.DiscoverOptions{Stranger: true}, "", "refused"},
	} {
		fill := func(s string) string { return strings.ReplaceAll(s, "URL", api.URL) }
		challenge, document, asked = fill(tc.challenge), fill(tc.document), ""
		tc.o.Resource = fill(tc.o.Resource)
		resp := must(http.Get(api.URL + "/orders?x=1#part"))
		_ = resp.Body.Close()
		m, err := client.DiscoverResource(ctx, resp, tc.o)
		if asked != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, asked %q", tc.name, err, asked)
		}
		if hint := "DiscoverOptions"; err != nil && strings.Contains(err.Error(), hint) != (tc.err == hint+".Resource") {
			t.Errorf("%s: %v", tc.name, err)
		}
		if tc.name == "named" && err == nil && m.AuthorizationServers[0] != "https://as.example" {
			t.Errorf("%+v", m)
		}
	}
	// As a http.RoundTripper of one's own may leave it.
	for _, r := range []*http.Response{{StatusCode: 401}, {StatusCode: 401, Request: &http.Request{}}} {
		if _, err := client.DiscoverResource(ctx, r, client.DiscoverOptions{}); !errors.Is(err, client.ErrConfig) {
			t.Error(err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
