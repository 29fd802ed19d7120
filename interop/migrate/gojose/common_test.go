// Package gojose is what docs/from-go-jose.md shows and says.
package gojose

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func must[T any](v T, err error) T { return migrate.Must(v, err) }

var (
	ctx    = context.Background()
	secret = []byte("a secret that is 32 bytes long!!")

	ecKey  = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsaKey = must(rsa.GenerateKey(rand.Reader, 2048))

	signing    = must(jwk.NewPrivateKey(jwa.ES256, "", ecKey))
	decryption = must(jwk.NewDecryptionKey(jwa.RSA_OAEP_256, "", rsaKey))
)

type order struct {
	Items int `json:"items"`
}
