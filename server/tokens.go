package server

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/server/store"
)

// tokenSize is the length of an opaque token.
var tokenSize = base64.RawURLEncoding.EncodedLen(32)

func isJWT(raw string) bool { return strings.Count(raw, ".") == 2 }

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// targets are those of the token.
func (b *tokenBody) targets() []store.Target {
	return targets(b.ID, b.ClientID, b.Subject)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// same compares secrets in a time that does not depend on what differs.
func same(a []byte, b string) bool { return subtle.ConstantTimeCompare(a, []byte(b)) == 1 }

// text is the string that raw is, or "".
func text(raw json.RawMessage) (s string) {
	_ = strictjson.Unmarshal(bytes.Clone(raw), &s, strictjson.Limits{})
	return s
}
