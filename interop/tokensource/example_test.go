// Package tokensource_test shows how golang.org/x/oauth2 and the library work together: a token source of the library
// in programs that know x/oauth2, and a login by x/oauth2 whose responses the library verifies. docs/getting-tokens.md
// tells it.
package tokensource_test

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/idtoken"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

type tokenSource struct {
	ctx context.Context
	src *client.Source
}

func (t tokenSource) Token() (*oauth2.Token, error) {
	got, err := t.src.Token(t.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: got.AccessToken, TokenType: got.Type, Expiry: got.Expiry}, nil
}

// A Source of the library where golang.org/x/oauth2 wants a TokenSource.
func Example() {
	as := newServer()
	defer as.Close()
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	src := must(client.New(client.Config{
		Server: must(client.Discover(ctx, as.URL, client.DiscoverOptions{})),
		Auth:   client.SecretBasic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
		DPoP:   key,
	}, client.ClientCredentials()))

	httpClient := &http.Client{Transport: &oauth2.Transport{
		Source: tokenSource{ctx, src},
		Base:   &dpop.Transport{Key: key}, // without Config.DPoP, nothing
	}}
	resp := must(httpClient.Get(as.URL + "/api"))
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status, string(must(io.ReadAll(resp.Body))))
	// Output: 200 OK a request with a proof
}

// login is what a browser's session keeps of a request.
type login struct{ state, nonce, verifier string }

// app is a web application whose users log in at an OpenID provider.
type app struct {
	oauth2   oauth2.Config
	provider *oauth.ServerMetadata
	idTokens *idtoken.Verifier

	mu     sync.Mutex
	logins map[string]login // by session
}

func (a *app) session(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie("session"); err == nil {
		return c.Value
	}
	id := rand.Text()
	http.SetCookie(w, &http.Cookie{Name: "session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) // and Secure
	return id
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	l := login{state: rand.Text(), nonce: rand.Text(), verifier: oauth.NewCodeVerifier()}
	session := a.session(w, r)
	a.mu.Lock()
	a.logins[session] = l
	a.mu.Unlock()
	http.Redirect(w, r, a.oauth2.AuthCodeURL(l.state,
		oauth2.S256ChallengeOption(l.verifier), oauth2.SetAuthURLParam("nonce", l.nonce)), http.StatusFound)
}

func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	session := a.session(w, r)
	a.mu.Lock()
	l, ok := a.logins[session]
	delete(a.logins, session) // it is good once
	a.mu.Unlock()
	if !ok {
		http.Error(w, "no login is under way", http.StatusBadRequest)
		return
	}
	user, err := a.user(r.Context(), r.URL.Query(), l)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprint(w, user)
}

func (a *app) user(ctx context.Context, query url.Values, l login) (string, error) {
	// state, and iss: it is the answer to this request, of this provider.
	cb, err := oauth.ParseCallback(query, oauth.ExpectCallback{
		State: l.state, Issuer: a.provider.Issuer, IssuerSent: a.provider.IssuerInResponse,
	})
	if err != nil {
		return "", err
	}
	tokens, err := a.oauth2.Exchange(ctx, cb.Code, oauth2.VerifierOption(l.verifier))
	if err != nil {
		return "", err
	}
	raw, _ := tokens.Extra("id_token").(string)
	t, err := a.idTokens.Verify(ctx, raw, idtoken.Expect{Nonce: l.nonce, AccessToken: tokens.AccessToken, Code: cb.Code})
	if err != nil {
		return "", err
	}
	return t.Subject, nil
}

// The authorization code flow with golang.org/x/oauth2: PKCE, state, nonce and iss.
func Example_login() {
	op := newServer()
	defer op.Close()
	web := httptest.NewServer(nil)
	defer web.Close()
	ctx := context.Background()

	keys := must(keyset.NewIssuer(op.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()
	provider := must(client.Discover(ctx, op.URL, client.DiscoverOptions{}))
	a := &app{
		provider: provider,
		oauth2: oauth2.Config{
			ClientID: "s6BhdRkqt3", ClientSecret: "7Fjfp0ZBr1KtDRbnfVdmIw", RedirectURL: web.URL + "/callback", Scopes: []string{"openid"},
			Endpoint: oauth2.Endpoint{
				AuthURL: provider.AuthorizationEndpoint, TokenURL: provider.TokenEndpoint, AuthStyle: oauth2.AuthStyleInHeader,
			},
		},
		idTokens: must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{provider.Issuer}, ClientID: "s6BhdRkqt3"})),
		logins:   map[string]login{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("GET /callback", a.callback)
	web.Config.Handler = mux

	browser := &http.Client{Jar: must(cookiejar.New(nil))}
	get := func(url string) string {
		resp := must(browser.Get(url))
		defer func() { _ = resp.Body.Close() }()
		return string(must(io.ReadAll(resp.Body)))
	}
	fmt.Println(get(web.URL + "/login"))

	// Answers that an attacker makes the browser bring: to no request at all, and to none of this browser.
	fmt.Print(get(web.URL + "/callback?code=stolen&state=guessed"))
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	get(web.URL + "/login")
	fmt.Print(get(web.URL + "/callback?code=stolen&state=guessed"))
	// Output:
	// jane
	// no login is under way
	// oauth: invalid_request: the state is not that of the request
}

// server is an OpenID provider, as far as the examples need one.
type server struct {
	*httptest.Server
	key    *jwk.PrivateKey
	proofs *dpop.Verifier

	mu    sync.Mutex
	codes map[string]url.Values // the requests that they answer
}

func newServer() *server {
	s := &server{
		key:    must(jwk.Generate(jwa.ES256)),
		proofs: must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(100)})),
		codes:  map[string]url.Values{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.metadata)
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { write(w, jwk.Set{s.key.Public()}) })
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("GET /api", s.api)
	s.Server = httptest.NewServer(mux)
	return s
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *server) metadata(w http.ResponseWriter, _ *http.Request) {
	write(w, oauth.ServerMetadata{
		Issuer: s.URL, AuthorizationEndpoint: s.URL + "/authorize", TokenEndpoint: s.URL + "/token", JWKSURI: s.URL + "/jwks",
		ResponseTypesSupported: []string{"code"}, CodeChallengeMethodsSupported: []string{oauth.S256}, IssuerInResponse: true,
	})
}

// authorize logs Jane in, who agrees to everything.
func (s *server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := oauth.ValidateChallenge(q.Get("code_challenge"), q.Get("code_challenge_method")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = q
	s.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {s.URL}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != "s6BhdRkqt3" || subtle.ConstantTimeCompare([]byte(secret), []byte("7Fjfp0ZBr1KtDRbnfVdmIw")) != 1 {
		(&oauth.Error{Code: oauth.InvalidClient}).Write(w)
		return
	}
	answer := map[string]any{"access_token": rand.Text(), "token_type": oauth.Bearer, "expires_in": 300}
	switch r.PostFormValue("grant_type") {
	case "client_credentials":
		t, err := s.proof(r, s.URL+"/token", dpop.Expect{NoAccessToken: true})
		if err != nil {
			dpop.Error(err).Write(w)
			return
		}
		answer["token_type"] = oauth.DPoP
		answer["access_token"] = base64.RawURLEncoding.EncodeToString([]byte(t.Key.KeyID()))
	case "authorization_code":
		s.mu.Lock()
		q := s.codes[r.PostFormValue("code")]
		delete(s.codes, r.PostFormValue("code"))
		s.mu.Unlock()
		err := oauth.CheckVerifier(q.Get("code_challenge"), q.Get("code_challenge_method"), r.PostFormValue("code_verifier"))
		if q.Get("redirect_uri") != r.PostFormValue("redirect_uri") {
			err = &oauth.Error{Code: oauth.InvalidGrant}
		}
		if e, ok := errors.AsType[*oauth.Error](err); ok {
			e.Write(w)
			return
		}
		answer["id_token"] = must(idtoken.Sign(r.Context(), s.key, jwt.Registered{
			Issuer: s.URL, Subject: "jane", Audience: jwt.Audience{id}, IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute),
		}, idtoken.Claims{Nonce: q.Get("nonce"), ATHash: must(idtoken.Hash(jwa.ES256, answer["access_token"].(string)))}))
	default:
		(&oauth.Error{Code: oauth.UnsupportedGrantType}).Write(w)
		return
	}
	write(w, answer)
}

func (s *server) proof(r *http.Request, url string, x dpop.Expect) (*jwt.Token[dpop.Claims], error) {
	raw, err := dpop.FromHeader(r.Header)
	if err != nil {
		return nil, err
	}
	x.Method, x.URL = r.Method, url
	return s.proofs.Verify(r.Context(), raw, x)
}

// api takes a token for the thumbprint of its key.
func (s *server) api(w http.ResponseWriter, r *http.Request) {
	var token string
	_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "DPoP %s", &token)
	thumbprint, _ := base64.RawURLEncoding.DecodeString(token)
	if _, err := s.proof(r, s.URL+"/api", dpop.Expect{AccessToken: token, Thumbprint: string(thumbprint)}); err != nil {
		w.Header().Set("WWW-Authenticate", s.proofs.Challenge(err).String())
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	_, _ = fmt.Fprint(w, "a request with a proof")
}
