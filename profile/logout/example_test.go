package logout_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/logout"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A provider ends the session of a user at a client.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(logout.Sign(ctx, key, jwt.Registered{
		Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"},
		IssuedAt: time.Now(), Expiry: time.Now().Add(2 * time.Minute), ID: rand.Text(),
	}, logout.Claims{SessionID: "08a5019c-17e1-4977-8f42-65a12843ea02"}))
	form := url.Values{"logout_token": {raw}}

	v := must(logout.NewVerifier(jwk.Set{key.Public()}, logout.Policy{
		Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(1000),
	}))
	endpoint := v.Handler(func(ctx context.Context, t *jwt.Token[logout.Claims]) error {
		fmt.Println("end", t.Claims.SessionID, "of", t.Subject, t.Header().Type == logout.Type)
		return nil
	})

	post := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/backchannel-logout", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		endpoint.ServeHTTP(w, r)
		return w
	}
	fmt.Println(post().Code)
	fmt.Println(post().Body) // it is good once
	// Output:
	// end 08a5019c-17e1-4977-8f42-65a12843ea02 of alice true
	// 200
	// {"error":"invalid_request","error_description":"the logout token is refused: jti.replayed (the token was used before)"}
}

// A client without an endpoint of this package verifies the token itself.
func ExampleVerifier() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	var v *logout.Verifier = must(logout.NewVerifier(jwk.Set{key.Public()}, logout.Policy{
		Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(1000),
		LegacyUntyped: true, // this provider writes typ JWT
	}))
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"},
		IssuedAt: time.Now(), Expiry: time.Now().Add(2 * time.Minute), ID: rand.Text(),
	}, logout.Claims{}))
	fmt.Println(must(v.Verify(ctx, raw)).Subject)
	// Output: alice
}
