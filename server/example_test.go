package server_test

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
)

// A program with an authorization server of its own, and a client that gets a token there.
func Example() {
	ctx := context.Background()
	front := httptest.NewUnstartedServer(nil)
	issuer := "http://" + front.Listener.Addr().String()
	secret := make([]byte, 32) // from a file that only this program reads
	_, _ = cryptorand.Read(secret)

	s, err := server.New(ctx, server.Options{
		Issuer: issuer, Store: memstore.New(), Secrets: [][]byte{secret},
		Resources: []server.Resource{{Identifier: "https://api.example", Scopes: oauth.Scopes{"orders:read"}}},
	})
	if err != nil {
		panic(err)
	}
	front.Config.Handler = s
	front.Start()
	defer front.Close()

	shop, err := s.SaveClient(ctx, server.Client{ID: "shop", Metadata: oauth.ClientMetadata{
		GrantTypes: []string{"client_credentials"}, Scope: "orders:read",
	}})
	if err != nil {
		panic(err)
	}
	src, err := client.New(client.Config{Server: s.Metadata(), Auth: client.SecretBasic(shop.ID, shop.Secret)}, client.ClientCredentials())
	if err != nil {
		panic(err)
	}
	t, err := src.Token(ctx)
	fmt.Println(t.Type, t.Scope, err)
	// Output: Bearer orders:read <nil>
}

// newServer is what the other examples have in common.
func newServer(o server.Options) (*server.Server, *jwk.PrivateKey) {
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		panic(err)
	}
	o.Issuer, o.Store, o.Keys, o.Secrets = "https://as.example", memstore.New(), server.FixedKeys(key), [][]byte{make([]byte, 32)}
	if o.Resources == nil {
		o.Resources = []server.Resource{{Identifier: "https://api.example", Scopes: oauth.Scopes{"read"}}}
	}
	s, err := server.New(context.Background(), o)
	if err != nil {
		panic(err)
	}
	return s, key
}

// A program that signs its own JWTs gets access tokens for them (RFC 7523).
func ExampleServer_SaveIssuer() {
	ctx := context.Background()
	s, as := newServer(server.Options{Lifetimes: server.Lifetimes{Access: 5 * time.Minute}})
	key, _ := jwk.Generate(jwa.ES256)
	set, _ := jwk.Set{key.Public()}.MarshalJSON()
	_, err := s.SaveIssuer(ctx, server.TrustedIssuer{Issuer: "https://ci.example", JWKS: set, Subjects: []string{"job-*"}, Scope: "read"})
	if err != nil {
		panic(err)
	}

	assertion, err := grant.Sign(ctx, key, jwt.Registered{
		Issuer: "https://ci.example", Subject: "job-7", Audience: jwt.Audience{"https://as.example"}, Expiry: time.Now().Add(time.Minute), ID: "1",
	}, grant.Claims{})
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/token", nil)
	r.Body, r.ContentLength = body((&grant.Request{Assertion: assertion}).Values().Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.ServeHTTP(w, r)

	v, _ := accesstoken.NewVerifier(jwk.Set{as.Public()}, accesstoken.Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}})
	t, err := v.Verify(ctx, member(w, "access_token"))
	fmt.Println(t.Subject, t.Claims.Scope, t.Expiry.Sub(t.IssuedAt), err)

	all, _ := s.Issuers(ctx, "", 10)
	one, _ := s.Issuer(ctx, all[0].Issuer)
	fmt.Println(len(all), one.Subjects, s.DeleteIssuer(ctx, one.Issuer))
	// Output:
	// job-7 read 5m0s <nil>
	// 1 [job-*] <nil>
}

// What people administer: a client is changed by who has seen its latest version.
func ExampleServer_SaveClient() {
	ctx := context.Background()
	s, _ := newServer(server.Options{})
	c, err := s.SaveClient(ctx, server.Client{ID: "shop", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}})
	fmt.Println(len(c.Secret), err)

	c, _ = s.Client(ctx, "shop")
	fmt.Printf("%q\n", c.Secret)
	c.NewSecret, c.Overlap = true, 24*time.Hour // the old one is accepted for another day
	c, _ = s.SaveClient(ctx, *c)
	fmt.Println(len(c.Secret), time.Until(c.OldSecretExpires) > 23*time.Hour)

	_, err = s.SaveClient(ctx, server.Client{ID: "other", Resources: []string{"https://unknown.example"}, Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}}})
	fmt.Println(errors.Is(err, server.ErrDocument))
	all, _ := s.Clients(ctx, "", 10)
	fmt.Println(len(all), s.DeleteClient(ctx, "shop"))
	// Output:
	// 43 <nil>
	// ""
	// 43 true
	// true
	// 1 <nil>
}

// Each request is told to a hook, which writes it to the log.
func ExampleEvent() {
	h := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "time" || a.Key == "took" || a.Key == "request.took" {
			return slog.Attr{}
		}
		return a
	}}))
	s, _ := newServer(server.Options{Observe: func(_ context.Context, e *server.Event) {
		h.Info("oauth", "endpoint", e.Endpoint, "status", e.Status, "error", e.Err.Code)
	}})
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	s.ServeHTTP(httptest.NewRecorder(), r)
	// Output: level=INFO msg=oauth endpoint=token status=415 error=invalid_request
}

// Options that are incomplete are refused.
func ExampleNew() {
	var keys server.Keys // nil, a *keyset.Rotation, or FixedKeys
	_, err := server.New(context.Background(), server.Options{Issuer: "https://as.example", Store: memstore.New(), Keys: keys})
	fmt.Println(errors.Is(err, server.ErrOptions), err)
	// Output: true the options of the server are incomplete or contradict each other: there are no Secrets
}

// Run removes what has ended, until the program does.
func ExampleServer_Run() {
	s, _ := newServer(server.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(s.Run(ctx))
	// Output: context canceled
}

// Clients register themselves, each with a token that somebody has given it.
func ExampleServer_InitialAccessToken() {
	ctx := context.Background()
	s, _ := newServer(server.Options{Registration: &server.Registration{Scope: oauth.Scopes{"read"}}})
	token, err := s.InitialAccessToken(ctx, time.Hour)
	if err != nil {
		panic(err)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", s.Metadata().RegistrationEndpoint, nil)
	r.Body, r.ContentLength = body(`{"client_name":"Shop"}`)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	s.ServeHTTP(w, r)
	fmt.Println(w.Code, member(w, "client_name"), member(w, "scope"), member(w, "token_endpoint_auth_method"))
	// Output: 201 Shop read client_secret_basic
}

// A server behind a proxy that sends the address of the client along.
func ExampleLimits() {
	s, _ := newServer(server.Options{
		RemoteAddress: server.AddressHeader("X-Forwarded-For", netip.MustParsePrefix("10.0.0.0/8")),
		Limits:        server.Limits{Address: server.Rate{PerSecond: 10, Burst: 2}},
	})
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/token", nil)
		r.RemoteAddr = "10.0.0.1:50000"
		r.Header.Set("X-Forwarded-For", "8.8.8.8")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Retry-After"])
	}
	// Output:
	// 415 []
	// 415 []
	// 429 [1]
}
