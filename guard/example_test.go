package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// issued is an access token of https://as.example for https://api.example, as its server makes it.
func issued(key jwk.Signer, c accesstoken.Claims) string {
	now := time.Now()
	return must(accesstoken.Sign(context.Background(), key, jwt.Registered{
		Issuer: "https://as.example", Subject: "alice", Audience: jwt.Audience{"https://api.example"},
		IssuedAt: now, Expiry: now.Add(time.Minute), ID: "1",
	}, c))
}

// An API behind a guard says what it wants, and serves who has it.
func Example() {
	key := must(jwk.Generate(jwa.ES256)) // the server's; keyset.NewIssuer finds its public half
	verifier := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"},
		JWT: jwt.Policy{CacheSize: 1000},
	}))

	g, err := guard.New(guard.Policy{
		Resource: "https://api.example",
		JWT:      verifier,
		Metadata: &oauth.ResourceMetadata{AuthorizationServers: []string{"https://as.example"}},
		Refused:  func(r *http.Request, err *oauth.Error) { fmt.Println("log:", r.URL.Path, err, errors.Unwrap(err)) },
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := guard.FromContext(r.Context())
		_, _ = fmt.Fprintln(w, "the orders of", token.Subject, "for", token.ClientID, token.HasScope("orders:write"))
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", g.Handler(orders, guard.Need{Scopes: []string{"orders:read"}}))
	mux.Handle(g.MetadataPath(), g.Metadata())

	for _, scope := range []string{"orders:read", "profile", ""} {
		r := httptest.NewRequest("GET", "/orders", nil)
		if scope != "" {
			r.Header.Set("Authorization", "Bearer "+issued(key, accesstoken.Claims{ClientID: "shop", Scope: scope}))
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Www-Authenticate"], strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 200 [] the orders of alice for shop false
	// log: /orders oauth: insufficient_scope: the access token lacks a scope <nil>
	// 403 [Bearer error="insufficient_scope", error_description="the access token lacks a scope", scope="orders:read", resource_metadata="https://api.example/.well-known/oauth-protected-resource"] {"error":"insufficient_scope","error_description":"the access token lacks a scope"}
	// log: /orders oauth: invalid_token: there is no access token guard: there is neither Bearer nor DPoP
	// 401 [Bearer scope="orders:read", resource_metadata="https://api.example/.well-known/oauth-protected-resource"]
}

// A token that is bound to a key is good with a proof of that key, and a client of package dpop makes the proof.
func Example_dpop() {
	key, client := must(jwk.Generate(jwa.ES256)), must(jwk.Generate(jwa.ES256))
	var g *guard.Guard
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, "hello ", guard.FromContext(r.Context()).Subject)
		}), guard.Need{}).ServeHTTP(w, r)
	}))
	defer api.Close()
	g = must(guard.New(guard.Policy{
		Resource: api.URL,
		JWT: must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
			Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"},
		})),
		DPoP: must(dpop.NewVerifier(dpop.Policy{
			Replay: jwt.NewReplayCache(1000), Nonces: must(dpop.NewNonces(dpop.NonceOptions{})),
		})),
		PublicURL:    api.URL, // where clients find it, whatever a request says
		RequireBound: true,
	}))

	token := issued(key, accesstoken.Claims{ClientID: "shop", Confirmation: &pop.Confirmation{Thumbprint: must(dpop.Thumbprint(client.Public()))}})
	browser := http.Client{Transport: &dpop.Transport{Key: client, Token: func(*http.Request) (string, error) { return token, nil }}}
	resp := must(browser.Get(api.URL + "/"))
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status, string(must(io.ReadAll(resp.Body))))

	stolen := must(http.NewRequest("GET", api.URL+"/", nil))
	stolen.Header.Set("Authorization", "Bearer "+token)
	resp = must(http.DefaultClient.Do(stolen))
	_ = resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// 200 OK hello alice
	// 401 Unauthorized
}

// An API that cannot read its tokens asks the server that has issued them.
func ExampleNewIntrospector() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if user != "api" || password != "secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"active":true,"sub":"alice","client_id":"shop","scope":"orders:read","aud":"https://api.example"}`)
	}))
	defer server.Close()

	introspector := must(guard.NewIntrospector(guard.IntrospectionOptions{
		Endpoint: server.URL, Issuer: "https://as.example", Audiences: []string{"https://api.example"},
		Authenticate: func(_ context.Context, h http.Header, _ url.Values) error {
			r := http.Request{Header: h}
			r.SetBasicAuth("api", "secret")
			return nil
		},
		CacheFor: 10 * time.Second,
	}))
	g := must(guard.New(guard.Policy{Resource: "https://api.example", Introspection: introspector}))

	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer 2YotnFZFEjr1zCsicMWpAA")
	token := must(g.Verify(r, guard.Need{Scopes: []string{"orders:read"}}))
	fmt.Println(token.Subject, token.Introspection.Active)
	// Output: alice true
}

// Behind a proxy that ends TLS, the client's certificate comes in a header, which counts from the proxy alone.
func ExampleCertificateHeader() {
	var certificate guard.ClientCertificate = guard.CertificateHeader("Client-Cert", netip.MustParsePrefix("10.0.0.0/8"))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header.Set("Client-Cert", ":MIIB:")
	_, err := certificate(r)
	fmt.Println(err)

	c, err := guard.TLSCertificate(r)
	fmt.Println(c == nil, err)
	// Output:
	// guard: a client certificate in the header of a request that no trusted proxy sent
	// true <nil>
}

// What was revoked is refused until it would have expired.
func ExampleMemoryDenylist() {
	list := guard.NewMemoryDenylist(2)
	soon := time.Now().Add(time.Hour)
	fmt.Println(list.DenyToken("https://as.example", "1", soon))
	fmt.Println(list.DenyBefore("https://as.example", "alice", time.Now(), soon))
	fmt.Println(errors.Is(list.DenyToken("https://as.example", "2", soon), guard.ErrFull))

	var denylist guard.Denylist = list // Policy.Denylist
	for _, t := range []*guard.Token{
		{Issuer: "https://as.example", ID: "1", Subject: "bob", IssuedAt: time.Now()},
		{Issuer: "https://as.example", ID: "2", Subject: "alice", IssuedAt: time.Now().Add(-time.Minute)},
		{Issuer: "https://as.example", ID: "3", Subject: "alice", IssuedAt: time.Now().Add(time.Minute)},
	} {
		fmt.Println(denylist.Denied(context.Background(), t))
	}
	// Output:
	// <nil>
	// <nil>
	// true
	// true <nil>
	// true <nil>
	// false <nil>
}
