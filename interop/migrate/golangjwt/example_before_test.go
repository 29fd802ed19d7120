package golangjwt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/jotsuite/jot/interop/migrate"
)

type orderClaims struct {
	Items int `json:"items"`
	jwt.RegisteredClaims
}

func Example_signBefore() {
	// before
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, orderClaims{3, jwt.RegisteredClaims{
		Issuer: "https://shop.example", Audience: jwt.ClaimStrings{"api"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}}).SignedString(secret)
	fmt.Println(strings.Count(raw, "."), err)
	// Output: 2 <nil>
}

func Example_verifyBefore() {
	raw := shopToken(time.Hour)
	// before
	var claims orderClaims
	_, err := jwt.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return secret, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("https://shop.example"), jwt.WithAudience("api"),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(30*time.Second))
	fmt.Println(claims.Issuer, claims.Items, err)
	// Output: https://shop.example 3 <nil>
}

func Example_keysBefore() {
	server := migrate.NewServer()
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// before
	keys := must(keyfunc.NewDefaultCtx(ctx, []string{server.URL + "/jwks"})) // until ctx is done
	verify := func(raw string) error {
		_, err := jwt.Parse(raw, keys.Keyfunc, jwt.WithIssuer(server.URL), jwt.WithAudience("api"))
		return err
	}
	fmt.Println(verify(server.Token()))
	server.Rotate()
	fmt.Println(verify(server.Token()))
	// Output:
	// <nil>
	// <nil>
}

func Example_errorsBefore() {
	raw := shopToken(-time.Hour)
	_, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return secret, nil }, jwt.WithAudience("another"))
	// before
	if errors.Is(err, jwt.ErrTokenExpired) {
		fmt.Println("expired, and what else?")
	}
	fmt.Println(err)
	// Output:
	// expired, and what else?
	// token has invalid claims: token is expired, token has invalid audience
}

func Example_middlewareBefore() {
	server := migrate.NewServer()
	defer server.Close()
	keys := must(keyfunc.NewDefaultCtx(ctx, []string{server.URL + "/jwks"}))

	// before
	guarded := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			token, err := jwt.Parse(raw, keys.Keyfunc, jwt.WithIssuer(server.URL), jwt.WithAudience("api"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, token)))
		})
	}
	api := guarded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Context().Value(tokenKey{}).(*jwt.Token)
		_, _ = fmt.Fprint(w, must(token.Claims.GetSubject()))
	}))
	fmt.Println(get(api, server.Token()))
	fmt.Println(get(api, "ey"))
	// Output:
	// 200 alice
	// 401 token is malformed: token contains an invalid number of segments
}

func Example_unverifiedBefore() {
	// before
	claims := jwt.MapClaims{}
	token, _, err := jwt.NewParser().ParseUnverified(shopToken(-time.Hour), claims)
	fmt.Println(token.Header["alg"], claims["iss"], err)
	// Output: HS256 https://shop.example <nil>
}

type tokenKey struct{}

// get asks an API with a token, and returns the status and what it answers.
func get(api http.Handler, token string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}

func shopToken(lifetime time.Duration) string {
	return must(jwt.NewWithClaims(jwt.SigningMethodHS256, orderClaims{3, jwt.RegisteredClaims{
		Issuer: "https://shop.example", Audience: jwt.ClaimStrings{"api"}, ExpiresAt: jwt.NewNumericDate(time.Now().Add(lifetime)),
	}}).SignedString(secret))
}
