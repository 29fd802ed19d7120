package jwt

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
)

// SignOption waives a rule of [Sign] by name.
type SignOption int

// AllowMissingExpiry lets Sign make a token that never expires, as a security event
// token is (RFC 8417, Section 2.2), or one whose age its verifier bounds by iat.
const AllowMissingExpiry SignOption = 1

// Sign makes a compact token of claims, signed by key. The claims are a struct or a
// map as for [NewVerifier]; struct{}{} where there are none of your own.
//
// The header's alg and kid are the key's; its typ is "JWT" unless h.Type says better:
// name one for every kind of token you have (RFC 8725, Section 3.11). All else of h is written as it is. The context
// is handed to a remote key.
//
// Sign refuses a token without exp (see [AllowMissingExpiry]), one whose nbf is after its exp,
// and a claim of yours that has a registered name ([ErrCollision]).
func Sign[C any](ctx context.Context, key jwk.Signer, h Header, r Registered, claims C, opts ...SignOption) (string, error) {
	switch {
	case r.Expiry.IsZero() && !slices.Contains(opts, AllowMissingExpiry):
		return "", claimError(errExpMissing, "exp", "", "a time, or AllowMissingExpiry")
	case !r.Expiry.IsZero() && !r.NotBefore.IsZero() && r.NotBefore.After(r.Expiry):
		return "", claimError(errOrder, "nbf", date(r.NotBefore), "a time not after exp")
	// RFC 7797, Section 7: JWTs do not use the unencoded payload.
	case h.Unencoded:
		return "", errB64
	}
	p, err := planOf[C]()
	if err != nil {
		return "", err
	}
	if h.Type == "" {
		h.Type = "JWT"
	}
	s := p.pool.Get().(*scratch[C])
	s.claims = signed[C]{r, claims}
	token, err := s.sign(ctx, key, &h, p)
	if err != nil {
		// What is left of a signer that has failed may still read the buffers, so they are not used again.
		return "", err
	}
	s.claims = signed[C]{}
	if cap(s.json)+cap(s.encoded) <= maxScratch {
		p.pool.Put(s)
	}
	return token, nil
}

// maxScratch bounds what the pool keeps of a large token.
const maxScratch = 64 << 10

// signed is what Sign writes.
type signed[C any] struct {
	Registered `json:",inline"`
	Claims     C `json:",inline"`
}

// plan is what Sign computes once for each type of claims.
type plan[C any] struct {
	claims *strictjson.Encoder[signed[C]]
	pool   sync.Pool
}

// plans has a plan for each type of claims, by the type; a program has few of them.
var plans sync.Map

func planOf[C any]() (*plan[C], error) {
	t := reflect.TypeFor[C]()
	if p, ok := plans.Load(t); ok {
		return p.(*plan[C]), nil
	}
	claims, err := strictjson.NewEncoder[signed[C]]()
	if err != nil {
		return nil, planError(err)
	}
	p := &plan[C]{claims: claims}
	p.pool.New = func() any { return new(scratch[C]) }
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan[C]), nil
}

type scratch[C any] struct {
	claims    signed[C]
	json      []byte
	signature []byte

	// The last header as it was asked for, and of which key; encoded is what became of it, or of another
	// header if that is zero.
	header  plainHeader
	key     jwk.Signer
	encoded []byte
}

// plainHeader is what most headers are.
type plainHeader struct {
	Algorithm   string `json:"alg"`
	KeyID       string `json:"kid,omitempty"`
	Type        string `json:"typ"`
	ContentType string `json:"cty,omitempty"`
}

var plainEncoder = encoderOf[plainHeader]()

func (s *scratch[C]) sign(ctx context.Context, key jwk.Signer, h *Header, p *plan[C]) (string, error) {
	if err := s.encodeHeader(key, h); err != nil {
		return "", err
	}
	var err error
	if s.json, err = p.claims.Append(s.json[:0], &s.claims); err != nil {
		// A map has the name of a claim in Registered, be that one written or left out.
		if errors.Is(err, strictjson.ErrDuplicate) {
			return "", errCollide
		}
		return "", err
	}
	// The last signature is as long as this one will be, unless keys of different sizes take turns.
	size := max(key.Algorithm().SignatureSize(), len(s.signature))
	token := make([]byte, 0, len(s.encoded)+b64url.EncodedLen(len(s.json))+1+b64url.EncodedLen(size))
	token = b64url.AppendEncode(append(token, s.encoded...), s.json)
	if s.signature, err = key.AppendSign(ctx, s.signature[:0], token); err != nil {
		return "", err
	}
	token = b64url.AppendEncode(append(token, '.'), s.signature)
	return alias.String(token), nil
}

// encodeHeader sets s.encoded to the first part of the token and the dot behind it. A
// program signs with few keys and headers, so the last ones are often these.
func (s *scratch[C]) encodeHeader(key jwk.Signer, h *Header) error {
	asked := plainHeader{h.Algorithm, h.KeyID, h.Type, h.ContentType}
	plain := h.JWK == nil && h.X5C == nil && h.X5T256 == "" && h.JKU == "" && h.X5U == "" && h.Critical == nil && h.Extra == nil
	if plain && key == s.key && asked == s.header {
		return nil
	}
	whole, err := h.For(key)
	if err != nil {
		return err
	}
	if plain {
		s.header, s.key = asked, key
		s.json, err = plainEncoder().Append(s.json[:0], &plainHeader{whole.Algorithm, whole.KeyID, whole.Type, whole.ContentType})
	} else {
		s.header = plainHeader{}
		s.json, err = whole.MarshalJSON()
	}
	if err == nil {
		s.encoded = append(b64url.AppendEncode(s.encoded[:0], s.json), '.')
	}
	return err
}
