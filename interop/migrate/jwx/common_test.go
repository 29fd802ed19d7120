// Package jwx is what docs/from-jwx.md shows and says.
package jwx

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

func must[T any](v T, err error) T { return migrate.Must(v, err) }

var (
	ctx     = context.Background()
	secret  = []byte("a secret that is 32 bytes long!!")
	signing = must(jwk.NewSecretKey(jwa.HS256, "", secret))
	private = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sealing = must(jwk.NewDecryptionKey(jwa.ECDH_ES_A256KW, "", private))
)

type order struct {
	Items int `json:"items"`
}

func shopToken(lifetime time.Duration) string {
	return must(jwt.Sign(ctx, signing, jwt.Header{}, jwt.Registered{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(lifetime),
	}, order{3}))
}

// get asks an API with a token, and returns the status and what it answers.
func get(api http.Handler, token string) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Body))
}
