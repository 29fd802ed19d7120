// Package gooidc is what docs/from-go-oidc.md shows and says.
package gooidc

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/logout"
)

func must[T any](v T, err error) T { return migrate.Must(v, err) }

var ctx = context.Background()

// login is what is kept with the session of a browser that was sent to log in.
type login struct{ state, nonce, verifier string }

// answer is the request by which the browser comes back.
func answer(l login) *http.Request {
	return httptest.NewRequest(http.MethodGet, "/callback?"+url.Values{"state": {l.state}, "code": {l.nonce}}.Encode(), nil)
}

func logoutToken(s *migrate.Server) string {
	return must(logout.Sign(ctx, s.Key(), jwt.Registered{
		Issuer: s.URL, Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"}, IssuedAt: time.Now(), Expiry: time.Now().Add(time.Minute), ID: "1",
	}, logout.Claims{SessionID: "08a5019c"}))
}

// post sends a logout token to an endpoint, and returns the status and what it answers.
func post(endpoint http.Handler, token string) string {
	r := httptest.NewRequest(http.MethodPost, "/backchannel-logout", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	endpoint.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}

// get asks an API with a token, and returns the status and what it answers.
func get(api http.Handler, token string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}
