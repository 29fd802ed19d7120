package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

// fake is an authorization server and an API in one. It tells how a token was asked for.
func fake() *httptest.Server {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(oauth.ServerMetadata{Issuer: s.URL, TokenEndpoint: s.URL + "/token"})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		how := r.PostFormValue("client_assertion_type")
		if _, _, ok := r.BasicAuth(); ok {
			how = "basic"
		}
		typ := oauth.Bearer
		if r.Header.Get("DPoP") != "" {
			typ = oauth.DPoP
		}
		_, _ = fmt.Fprintf(w, `{"access_token":%q,"token_type":%q,"expires_in":300,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`,
			tail(r.PostFormValue("grant_type"))+"-"+tail(how), typ)
	})
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", oauth.Challenge{Scheme: oauth.Bearer, ResourceMetadata: s.URL + "/metadata"}.String())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	mux.HandleFunc("GET /metadata", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(oauth.ResourceMetadata{Resource: s.URL + "/orders", AuthorizationServers: []string{s.URL}})
	})
	return s
}

func tail(urn string) string { return urn[strings.LastIndexByte(urn, ':')+1:] }

// A service calls an API in its own name.
func Example() {
	server := fake()
	defer server.Close()
	issuer, api := server.URL, server.URL // such as https://as.example and https://api.example
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256)) // whose public half is registered with the server

	as := must(client.Discover(ctx, issuer, client.DiscoverOptions{}))
	src := must(client.New(client.Config{
		Server: as, Auth: client.Assertion("s6BhdRkqt3", key), Scope: oauth.Scopes{"orders:read"},
	}, client.ClientCredentials()))
	httpClient := &http.Client{Transport: must(src.Transport(nil, api))}

	resp := must(httpClient.Get(api + "/orders"))
	defer func() { _ = resp.Body.Close() }()
	var authorization strings.Builder
	_ = resp.Write(&authorization)
	fmt.Println(resp.Status, strings.Contains(authorization.String(), "Bearer client_credentials-jwt-bearer"))
	// Output: 200 OK true
}

// Each way of a client to say who it is. Tokens are printed without their secrets.
func ExampleAuthentication() {
	server := fake()
	defer server.Close()
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	as := &oauth.ServerMetadata{Issuer: server.URL, TokenEndpoint: server.URL + "/token"}
	own := func(_ context.Context, r *client.Request) error {
		r.Header.Set("X-Platform", "token of the platform")
		return nil
	}
	for _, auth := range []client.Authentication{
		client.None("app"),
		client.Certificate("app"), // and the certificate in Config.HTTP
		client.SecretBasic("app", "a secret of the two"),
		client.SecretPost("app", "a secret of the two"),
		client.Assertion("app", key),
		client.LegacyAssertion("app", key, "https://as.example/token"), // as the server's documentation has it
		client.Attestation("app", key, func(context.Context) (string, error) { return "a.b.c", nil }),
		own,
	} {
		src := must(client.New(client.Config{Server: as, Auth: auth, Clock: at}, client.ClientCredentials()))
		t := must(src.Token(ctx))
		fmt.Println(t.AccessToken)
		src.Invalidate(t.AccessToken) // the next one is new
	}
	_, err := client.New(client.Config{Server: as}, client.ClientCredentials())
	fmt.Println(errors.Is(err, client.ErrConfig))
	// Output:
	// client_credentials-
	// client_credentials-
	// client_credentials-basic
	// client_credentials-
	// client_credentials-jwt-bearer
	// client_credentials-jwt-bearer
	// client_credentials-
	// client_credentials-
	// true
}

func at() time.Time { return time.Unix(1767268800, 0) }

// Each thing that a client gets a token for.
func ExampleGrant() {
	server := fake()
	defer server.Close()
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	c := client.Config{
		Server: &oauth.ServerMetadata{Issuer: server.URL, TokenEndpoint: server.URL + "/token"},
		Auth:   client.None("app"),
		DPoP:   key,
		Clock:  at,
	}
	for _, g := range []client.Grant{
		client.ClientCredentials(),
		client.JWTBearer(func(ctx context.Context) (string, error) {
			return grant.Sign(ctx, key, jwt.Registered{
				Issuer: "https://idp.example", Subject: "jane", Audience: jwt.Audience{server.URL}, Expiry: time.Now().Add(time.Minute),
			}, grant.Claims{})
		}),
		client.Exchange(func(context.Context) (*exchange.Request, error) {
			return &exchange.Request{SubjectToken: "the caller's token", SubjectTokenType: exchange.AccessToken}, nil
		}),
		client.Refresh("8xLOxBtZp8", func(token string) error { return nil }), // keep it
		client.NewGrant(func(context.Context) (url.Values, error) {
			return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"GmRhm"}}, nil
		}),
	} {
		t := must(must(client.New(c, g)).Token(ctx))
		fmt.Println(t.AccessToken, t)
	}
	// Output:
	// client_credentials- DPoP token until 2026-01-01T12:05:00Z for ""
	// jwt-bearer- DPoP token until 2026-01-01T12:05:00Z for ""
	// token-exchange- DPoP token until 2026-01-01T12:05:00Z for ""
	// refresh_token- DPoP token until 2026-01-01T12:05:00Z for ""
	// device_code- DPoP token until 2026-01-01T12:05:00Z for ""
}

// An API says which authorization server it trusts.
func ExampleDiscoverResource() {
	server := fake()
	defer server.Close()
	ctx := context.Background()

	answer := must(http.Get(server.URL + "/orders")) // 401
	_ = answer.Body.Close()
	resource := must(client.DiscoverResource(ctx, answer, client.DiscoverOptions{}))
	issuer := resource.AuthorizationServers[0] // if that is one that this program wants to talk to
	fmt.Println(issuer == server.URL)

	// It comes from a stranger, so only a public address is dialled for it.
	_, err := client.Discover(ctx, issuer, client.DiscoverOptions{Stranger: true})
	fmt.Println(err != nil)
	// Output:
	// true
	// true
}

// A token that is not bound is refused where one was asked for that is.
func ExampleErrResponse() {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("client_assertion_type") != clientauth.AssertionType {
			log.Fatal("no assertion")
		}
		_, _ = fmt.Fprint(w, `{"access_token":"at","token_type":"Bearer"}`)
	}))
	defer as.Close()
	key := must(jwk.Generate(jwa.ES256))
	src := must(client.New(client.Config{
		Server: &oauth.ServerMetadata{Issuer: as.URL, TokenEndpoint: as.URL},
		Auth:   client.Assertion("app", key), DPoP: key,
	}, client.ClientCredentials()))
	_, err := src.Token(context.Background())
	fmt.Println(err, errors.Is(err, client.ErrResponse))
	// Output: the token response cannot be used: token_type is not DPoP, though the request had a proof true
}
