package jarm_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/jarm"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A server answers with a signed response, and the client verifies it at its redirect URI.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	w := httptest.NewRecorder()

	response := must(jarm.Sign(ctx, key, jwt.Registered{
		Issuer: "https://as.example", Audience: jwt.Audience{"s6BhdRkqt3"}, Expiry: time.Now().Add(time.Minute),
	}, jarm.Claims{Code: "SplxlOBeZQQYbYS6WxSbIA", State: "xyz"}))
	err := jarm.Write(w, jarm.Default, "code", "https://c.example/cb", response)

	fmt.Println(w.Code, err)
	r := httptest.NewRequest("GET", w.Header().Get("Location"), nil)

	v := must(jarm.NewVerifier(jwk.Set{key.Public()}, jarm.Policy{
		Issuer: "https://as.example", ClientID: "s6BhdRkqt3",
	}))
	raw, iss, err := jarm.Extract(r)
	if err != nil {
		log.Fatal(err)
	}
	t := must(v.Verify(ctx, raw, jarm.Expect{State: "xyz", Issuer: iss}))
	if err := t.Claims.Err(); err != nil {
		log.Fatal(err) // what the server refuses
	}
	fmt.Println(t.Claims.Code)

	_, err = v.Verify(ctx, raw, jarm.Expect{State: "of another browser"})
	fmt.Println(err)
	// Output:
	// 303 <nil>
	// SplxlOBeZQQYbYS6WxSbIA
	// token refused: state.mismatch: state: want the one that was sent
}

// An error is signed as well.
func ExampleClaims_Err() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(jarm.Sign(ctx, key, jwt.Registered{
		Issuer: "https://as.example", Audience: jwt.Audience{"s6BhdRkqt3"}, Expiry: time.Now().Add(time.Minute),
	}, jarm.Claims{State: "xyz", ErrorCode: oauth.AccessDenied}))
	v := must(jarm.NewVerifier(jwk.Set{key.Public()}, jarm.Policy{Issuer: "https://as.example", ClientID: "s6BhdRkqt3"}))
	t := must(v.Verify(ctx, raw, jarm.Expect{State: "xyz"}))
	fmt.Println(t.Claims.Err(), errors.Is(t.Claims.Err(), &oauth.Error{Code: oauth.AccessDenied}))
	// Output: oauth: access_denied true
}

// The response modes: a URL is logged, so a token is only in one that is encrypted.
func ExampleWrite() {
	for _, mode := range []string{jarm.Query, jarm.Fragment, jarm.FormPost} {
		w := httptest.NewRecorder()
		err := jarm.Write(w, mode, "code id_token", "https://c.example/cb", "eyJ.eyJ.c2l")
		fmt.Println(mode, w.Code, w.Header().Get("Location"), err)
	}
	// Output:
	// query.jwt 200  jarm: tokens are not sent in the query unless they are encrypted
	// fragment.jwt 303 https://c.example/cb#response=eyJ.eyJ.c2l <nil>
	// form_post.jwt 200  <nil>
}
