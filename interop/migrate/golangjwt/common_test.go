// Package golangjwt is what docs/from-golang-jwt.md shows and says.
package golangjwt

import (
	"context"

	"github.com/jotsuite/jot/interop/migrate"
)

func must[T any](v T, err error) T { return migrate.Must(v, err) }

var (
	ctx    = context.Background()
	secret = []byte("a secret that is 32 bytes long!!")
)
