package server

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/jotsuite/jot/server/store"
)

// tokenSize is the length of an opaque token.
var tokenSize = base64.RawURLEncoding.EncodedLen(32)

func isJWT(raw string) bool { return strings.Count(raw, ".") == 2 }

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// targets are what a revocation may name that ends the token.
func (b *tokenBody) targets() []store.Target {
	out := []store.Target{{Sort: store.OfToken, ID: b.ID}, {Sort: store.OfClient, ID: b.ClientID}, {Sort: store.OfSubject, ID: b.Subject}}
	if family, _, ok := strings.Cut(b.ID, "."); ok {
		out = append(out, store.Target{Sort: store.OfGrant, ID: family})
	}
	return out
}
