package gooidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/logout"
	"github.com/jotsuite/jot/profile/userinfo"
)

func Example_login() {
	op := migrate.NewServer()
	defer op.Close()

	// after
	provider := must(client.Discover(ctx, op.URL, client.DiscoverOptions{})) // fetches
	config := oauth2.Config{ClientID: "s6BhdRkqt3", Scopes: []string{"openid", "email"}, Endpoint: oauth2.Endpoint{
		AuthURL: provider.AuthorizationEndpoint, TokenURL: provider.TokenEndpoint,
	}}
	keys := must(keyset.NewIssuer(op.URL, keyset.Options{}))
	verifier := must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3"}))
	defer func() { _ = keys.Close() }()

	l := login{state: "af0ifjsldkj", nonce: "n-0S6_WzA2Mj", verifier: oauth2.GenerateVerifier()}
	u := config.AuthCodeURL(l.state, oauth2.SetAuthURLParam("nonce", l.nonce), oauth2.S256ChallengeOption(l.verifier))
	fmt.Println(strings.Contains(u, "nonce=n-0S6_WzA2Mj"))

	callback := func(r *http.Request) (string, error) {
		cb, err := oauth.ParseCallback(r.URL.Query(), oauth.ExpectCallback{
			State: l.state, Issuer: provider.Issuer, IssuerSent: provider.IssuerInResponse,
		})
		if err != nil {
			return "", err
		}
		tokens, err := config.Exchange(r.Context(), cb.Code, oauth2.VerifierOption(l.verifier))
		if err != nil {
			return "", err
		}
		return user(verifier, l, tokens)
	}
	fmt.Println(callback(answer(l)))
	// Output:
	// true
	// alice alice@example.com <nil>
}

func user(verifier *idtoken.Verifier, l login, tokens *oauth2.Token) (string, error) {
	// after
	raw, _ := tokens.Extra("id_token").(string)
	t, err := verifier.Verify(ctx, raw, idtoken.Expect{Nonce: l.nonce, AccessToken: tokens.AccessToken})
	if err != nil {
		return "", err
	}
	var email string
	_, err = t.Claim("email", &email)
	return t.Subject + " " + email, err
}

func Example_errors() {
	op := migrate.NewServer()
	defer op.Close()
	keys := must(keyset.NewIssuer(op.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()
	tomorrow := func() time.Time { return time.Now().Add(24 * time.Hour) }
	verifier := must(idtoken.NewVerifier(keys, idtoken.Policy{
		Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3", JWT: jwt.Policy{Clock: tomorrow},
	}))
	raw := op.IDToken("n", "a")
	_, err := verifier.Verify(ctx, raw, idtoken.Expect{Nonce: "n"})
	if r, ok := errors.AsType[*jwt.RejectError](err); ok && r.Only("exp.expired") {
		fmt.Println("expired, and nothing else")
	}
	// Output: expired, and nothing else
}

func Example_access() {
	as := migrate.NewServer()
	defer as.Close()
	keys := must(keyset.NewIssuer(as.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()
	// after
	verifier := must(accesstoken.NewVerifier(keys, accesstoken.Policy{
		Issuers: []string{as.URL}, Audiences: []string{"api"}, Lenient: &accesstoken.Lenient{},
	}))
	g := must(guard.New(guard.Policy{Resource: "https://api.example", JWT: verifier}))
	api := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, guard.FromContext(r.Context()).Subject)
	}), guard.Need{Scopes: []string{"read"}})
	fmt.Println(get(api, as.Token()))
	// Output: 200 alice
}

func Example_logout() {
	op := migrate.NewServer()
	defer op.Close()
	keys := must(keyset.NewIssuer(op.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()
	// after
	verifier := must(logout.NewVerifier(keys, logout.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(1000)}))
	endpoint := verifier.Handler(func(_ context.Context, t *jwt.Token[logout.Claims]) error {
		fmt.Println("end", t.Claims.SessionID, "of", t.Subject)
		return nil
	})
	fmt.Println(post(endpoint, logoutToken(op)))
	// Output:
	// end 08a5019c of alice
	// 200
}

func Example_userinfo() {
	op := migrate.NewServer()
	defer op.Close()
	provider := must(client.Discover(ctx, op.URL, client.DiscoverOptions{}))
	v := must(userinfo.NewVerifier(nil, userinfo.Policy{Unsigned: true})) // once
	httpClient := oauth2.NewClient(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "SlAV32hkKG"}))
	resp, err := httpClient.Get(provider.UserInfoEndpoint)
	if err != nil {
		panic(err)
	}
	defer func() { _ = resp.Body.Close() }()
	user, err := v.Read(ctx, resp.Header.Get("Content-Type"), must(io.ReadAll(io.LimitReader(resp.Body, 1<<16))), userinfo.Expect{Subject: "alice"})
	fmt.Println(user.Claims.Email, err)
	// Output: alice@example.com <nil>
}

func Example_keys() {
	op := migrate.NewServer()
	defer op.Close()
	keys := must(keyset.NewRemote(op.URL+"/jwks", keyset.Options{}))
	defer func() { _ = keys.Close() }()
	verifier := must(idtoken.NewVerifier(keys, idtoken.Policy{
		Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3", JWT: jwt.Policy{Algorithms: []jwa.Algorithm{jwa.ES256}},
	}))
	_, err := verifier.Verify(ctx, op.IDToken("n", "a"), idtoken.Expect{Nonce: "n"})
	fmt.Println(err)
	// Output: <nil>
}

// The tenants of a provider with one key set: each has an issuer of its own, and only those that are named may log in.
func Example_tenants() {
	op := migrate.NewServer()
	defer op.Close()
	tenant := op.URL + "/contoso/v2.0"
	raw := must(idtoken.Sign(ctx, op.Key(), jwt.Registered{
		Issuer: tenant, Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"}, Expiry: time.Now().Add(time.Hour), IssuedAt: time.Now(),
	}, idtoken.Claims{Nonce: "n"}))

	var trust keyset.Trust
	err := trust.AddTemplate(keyset.Template{
		Issuer: op.URL + "/{tenantid}/v2.0", Tenants: []string{"contoso"}, Keys: must(keyset.NewRemote(op.URL+"/jwks", keyset.Options{})),
	})
	if err != nil {
		panic(err)
	}
	verifier := must(idtoken.NewVerifier(&trust, idtoken.Policy{
		AnyIssuer: true, ClientID: "s6BhdRkqt3", // any that the Trust knows
	}))
	t, err := verifier.Verify(ctx, raw, idtoken.Expect{Nonce: "n"})
	fmt.Println(t.Subject, err)
	// Output: alice <nil>
}
