package golangjwt

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/profile/accesstoken"
)

type order struct {
	Items int `json:"items"`
}

func Example_sign() {
	// after
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret)) // once
	raw, err := jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour),
	}, order{3})
	fmt.Println(strings.Count(raw, "."), err)
	// Output: 2 <nil>
}

func Example_verify() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	raw := shopToken(time.Hour)
	// after
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{ // once
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Leeway: 30 * time.Second,
	}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Issuer, token.Claims.Items, err)
	// Output: https://shop.example 3 <nil>
}

// What ClaimsValidator was for.
func Example_validate() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	raw := shopToken(time.Hour)
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Required: []string{"items"},
	}))
	_, err := v.VerifyWith(ctx, raw, func(t *jwt.Token[order], _ time.Time) []*jwt.ClaimError {
		if t.Claims.Items > 2 {
			return []*jwt.ClaimError{{Claim: "items", Code: "items.many", Want: "at most 2"}}
		}
		return nil
	})
	fmt.Println(err)
	// Output: token refused: items.many: items: want at most 2
}

func Example_map() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	v := must(jwt.NewVerifier[map[string]any](jwk.Set{key}, jwt.Policy{
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"},
	}))
	token := must(v.Verify(ctx, shopToken(time.Hour)))
	fmt.Println(token.Issuer, token.Claims)
	// Output: https://shop.example map[items:3]
}

func Example_keys() {
	server := migrate.NewServer()
	defer server.Close()

	// after
	keys := must(keyset.NewRemote(server.URL+"/jwks", keyset.Options{}))
	defer func() { _ = keys.Close() }()
	v := must(jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{server.URL}, Audiences: []string{"api"}}))
	_, err := v.Verify(ctx, server.Token())
	fmt.Println(err)
	// Output: <nil>
}

// As the one before, by the issuer's name, and with a new key soon after the first.
func Example_rotation() {
	server := migrate.NewServer()
	defer server.Close()
	keys := must(keyset.NewIssuer(server.URL, keyset.Options{MinInterval: time.Nanosecond}))
	defer func() { _ = keys.Close() }()
	v := must(jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{server.URL}, Audiences: []string{"api"}}))
	_, err := v.Verify(ctx, server.Token())
	fmt.Println(err)
	server.Rotate()
	_, err = v.Verify(ctx, server.Token())
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}

func Example_errors() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{Issuers: []string{"https://shop.example"}, Audiences: []string{"another"}}))
	raw := shopToken(-time.Hour)
	_, err := v.Verify(ctx, raw)
	// after
	if r, ok := errors.AsType[*jwt.RejectError](err); ok && r.Only("exp.expired") {
		fmt.Println("expired, and nothing else")
	}
	fmt.Println(errors.Is(err, jwt.ErrExpired), errors.Is(err, jwt.ErrAudience))
	// Output: true true
}

func Example_middleware() {
	server := migrate.NewServer()
	defer server.Close()
	keys := must(keyset.NewIssuer(server.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()

	// after
	v := must(accesstoken.NewVerifier(keys, accesstoken.Policy{
		Issuers: []string{server.URL}, Audiences: []string{"api"}, Lenient: &accesstoken.Lenient{},
	}))
	g := must(guard.New(guard.Policy{Resource: "https://api.example", JWT: v}))
	api := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, guard.FromContext(r.Context()).Subject)
	}), guard.Need{})
	fmt.Println(get(api, server.Token()))
	fmt.Println(get(api, "ey"))
	// Output:
	// 200 alice
	// 401 {"error":"invalid_token","error_description":"the access token is refused: token.malformed (the token is malformed)"}
}

func Example_unverified() {
	token, err := unverified.Parse(shopToken(-time.Hour))
	fmt.Println(token.HeaderString("alg"), token.ClaimString("iss"), err)
	// Output: HS256 https://shop.example <nil>
}
