package jwt

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// Header is a token's header. What it says of a key is shown and neither followed
// nor trusted.
type Header = jws.Header

// Token is a verified token: only [Verifier.Verify] makes one that has a Key. It
// belongs to the caller; nothing in it is shared with another token, save the Key,
// which is immutable.
type Token[C any] struct {
	Registered `json:",inline"`
	Claims     C            `json:",inline"` // a map has what is not in Registered
	Key        jwk.Verifier `json:"-"`       // the key that verified the signature

	head    *head // shared with other tokens
	payload []byte
	limits  *strictjson.Limits
	words   [3]string // the room of Audience and of the first lists of Claims
}

// newToken returns an empty token and room for n bytes.
func newToken[C any](n int) (*Token[C], []byte) {
	if n > payloadRoom {
		return new(Token[C]), make([]byte, 0, n)
	}
	t := new(struct {
		Token[C]
		room [payloadRoom]byte
	})
	return &t.Token, t.room[:0]
}

// payloadRoom is what a token with a few claims takes, which then needs one allocation.
const payloadRoom = 264

// Header returns the header: a copy.
func (t *Token[C]) Header() Header {
	var h Header
	if t.head != nil {
		copyHeader(&h, &t.head.header)
	}
	return h
}

// Layers returns the encrypted tokens that were around the signed one, the outermost
// first: the Header of each and the Key that decrypted it, without the Plaintext. It is
// a copy, and nil without [Policy.Decryption].
func (t *Token[C]) Layers() []jwe.Message {
	if t.head == nil {
		return nil
	}
	var layers []jwe.Message
	for _, l := range t.head.layers {
		layers = append(layers, jwe.Message{Header: l.header(), Key: l.key})
	}
	return layers
}

// head is all that was read before the claims.
type head struct {
	header Header
	layers []layer // around it
}

// Payload returns the claims as they were signed, a JSON object: a copy.
func (t *Token[C]) Payload() []byte { return bytes.Clone(t.payload) }

// AudienceIsString reports whether aud was written as one string: what an array of one
// says is the same (RFC 7519, Section 4.1.3), but some profiles do not take it.
func (t *Token[C]) AudienceIsString() bool {
	if t.payload == nil {
		return false
	}
	raw := member(t.payload, "aud", *t.limits)
	return len(raw) > 0 && raw[0] == '"'
}

// Decode decodes all claims, those of [Registered] too, into v as strictly as Verify does: into a struct, which need not
// name all of them, or a map. It is for those who want the claims in a type of their own; times are read with [NumericDate].
func (t *Token[C]) Decode(v any) error {
	if t.payload == nil {
		return errClaims.With("the token was not verified")
	}
	if err := strictjson.Unmarshal(bytes.Clone(t.payload), v, *t.limits); err != nil {
		return unreadable("", t.payload, err)
	}
	return nil
}

// Claim decodes the claim called name, registered or not, into v and reports whether
// the token has it. It reads as strictly as Verify does; a time is read with [NumericDate].
func (t *Token[C]) Claim(name string, v any) (bool, error) {
	if t.payload == nil {
		return false, nil
	}
	raw := member(t.payload, name, *t.limits)
	if raw == nil {
		return false, nil
	}
	// The copy keeps what v may hold apart from the strings that share the payload.
	if err := strictjson.Unmarshal(bytes.Clone(raw), v, *t.limits); err != nil {
		return true, unreadable(name, raw, err)
	}
	return true, nil
}

// member returns the value of the first member called name of an object, or nil.
func member(object []byte, name string, l strictjson.Limits) (found []byte) {
	_ = strictjson.Object(object, l, func(n string, raw []byte) error {
		if n == name {
			found = raw
		}
		return nil
	})
	return found
}

// copyHeader copies what a holder of the copy could change.
func copyHeader(dst, src *Header) {
	*dst = *src
	if src.Critical != nil {
		dst.Critical = slices.Clone(src.Critical)
	}
	if src.JWK != nil {
		k := *src.JWK
		dst.JWK = &k
	}
	if src.X5C != nil {
		dst.X5C = make([][]byte, len(src.X5C))
		for i, c := range src.X5C {
			dst.X5C[i] = bytes.Clone(c)
		}
	}
	if src.Extra != nil {
		dst.Extra = maps.Collect(func(yield func(string, json.RawMessage) bool) {
			for name, raw := range src.Extra {
				if !yield(name, bytes.Clone(raw)) {
					return
				}
			}
		})
	}
}
