package gooidc

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/jotsuite/jot/interop/migrate"
)

func Example_loginBefore() {
	op := migrate.NewServer()
	defer op.Close()

	// before
	provider := must(oidc.NewProvider(ctx, op.URL)) // fetches
	config := oauth2.Config{ClientID: "s6BhdRkqt3", Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"}}
	verifier := provider.Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"})

	l := login{state: "af0ifjsldkj", nonce: "n-0S6_WzA2Mj", verifier: oauth2.GenerateVerifier()}
	u := config.AuthCodeURL(l.state, oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier))
	fmt.Println(strings.Contains(u, "nonce=n-0S6_WzA2Mj"))

	callback := func(r *http.Request) (string, error) {
		if r.FormValue("state") != l.state {
			return "", errors.New("another state")
		}
		tokens, err := config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(l.verifier))
		if err != nil {
			return "", err
		}
		return userBefore(verifier, l, tokens)
	}
	fmt.Println(callback(answer(l)))
	// Output:
	// true
	// alice alice@example.com <nil>
}

func userBefore(verifier *oidc.IDTokenVerifier, l login, tokens *oauth2.Token) (string, error) {
	// before
	raw, _ := tokens.Extra("id_token").(string)
	t, err := verifier.Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	if t.Nonce != l.nonce {
		return "", errors.New("another nonce")
	}
	if err := t.VerifyAccessToken(tokens.AccessToken); t.AccessTokenHash != "" && err != nil {
		return "", err
	}
	var claims struct {
		Email string `json:"email"`
	}
	err = t.Claims(&claims)
	return t.Subject + " " + claims.Email, err
}

func Example_errorsBefore() {
	op := migrate.NewServer()
	defer op.Close()
	tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) }
	verifier := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3", Now: tomorrow})
	raw := op.IDToken("n", "a")
	_, err := verifier.Verify(ctx, raw)
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		fmt.Println("expired; what else is wrong, nobody has looked")
	}
	// Output: expired; what else is wrong, nobody has looked
}

func Example_accessBefore() {
	as := migrate.NewServer()
	defer as.Close()
	// before
	verifier := must(oidc.NewProvider(ctx, as.URL)).Verifier(&oidc.Config{ClientID: "api"}) // or SkipClientIDCheck
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := verifier.Verify(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, t.Subject)
	})
	fmt.Println(get(api, as.Token()))
	// Output: 200 alice
}

func Example_logoutBefore() {
	op := migrate.NewServer()
	defer op.Close()
	verifier := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"})
	// before
	endpoint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := verifier.VerifyLogout(r.Context(), r.PostFormValue("logout_token"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Println("end", t.SessionID, "of", t.Subject) // if t.TokenID is new
	})
	fmt.Println(post(endpoint, logoutToken(op)))
	// Output:
	// end 08a5019c of alice
	// 200
}

func Example_userinfoBefore() {
	op := migrate.NewServer()
	defer op.Close()
	provider := must(oidc.NewProvider(ctx, op.URL))
	user, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "SlAV32hkKG"}))
	fmt.Println(user.Email, err) // if user.Subject is that of the ID token
	// Output: alice@example.com <nil>
}

func Example_keysBefore() {
	op := migrate.NewServer()
	defer op.Close()
	keys := oidc.NewRemoteKeySet(ctx, op.URL+"/jwks")
	verifier := oidc.NewVerifier(op.URL, keys, &oidc.Config{ClientID: "s6BhdRkqt3", SupportedSigningAlgs: []string{oidc.ES256}})
	_, err := verifier.Verify(ctx, op.IDToken("n", "a"))
	fmt.Println(err)
	// Output: <nil>
}
