// Package gojose is what docs/from-go-jose.md shows and says.
package gojose

import (
	"context"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func must[T any](v T, err error) T { return migrate.Must(v, err) }

var (
	ctx    = context.Background()
	secret = []byte("a secret that is 32 bytes long!!")

	signing    = must(jwk.Generate(jwa.ES256))
	decryption = must(jwk.GenerateDecryptionKey(jwa.RSA_OAEP_256, ""))
)

type order struct {
	Items int `json:"items"`
}
