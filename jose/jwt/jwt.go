// Package jwt makes and verifies JSON Web Tokens (RFC 7519) as RFC 8725 asks.
package jwt

import (
	"context"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// Header is the header of a token.
type Header = jws.Header

// Registered holds the registered claims of RFC 7519, Section 4.1.
type Registered struct {
	Issuer    string    `json:"iss,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	Audience  Audience  `json:"aud,omitempty,format:oneormany"`
	Expiry    time.Time `json:"exp,omitzero,format:unix"`
	NotBefore time.Time `json:"nbf,omitzero,format:unix"`
	IssuedAt  time.Time `json:"iat,omitzero,format:unix"`
	ID        string    `json:"jti,omitempty"`
}

// Audience is the aud claim.
type Audience []string

// NumericDate is a time as a JSON number of seconds.
type NumericDate struct{ time.Time }

// SignOption weakens a rule of Sign.
type SignOption int

// AllowMissingExpiry lets Sign make a token that never ends.
const AllowMissingExpiry SignOption = 1

// Sign makes a token.
func Sign[C any](ctx context.Context, key jwk.Signer, h Header, r Registered, claims C, opts ...SignOption) (string, error) {
	panic("skeleton")
}

// NoLeeway asks for exact times.
const NoLeeway time.Duration = -1

// Policy says which tokens are accepted.
type Policy struct {
	Issuers             []string
	AnyIssuer           bool
	Audiences           []string
	AnyAudience         bool
	Type                string
	Algorithms          []jwa.Algorithm
	Required            []string
	OptionalExpiry      bool
	IgnoreExpiry        bool
	AllowFutureIssuedAt bool
	MaxAge              time.Duration
	MaxLifetime         time.Duration
	Leeway              time.Duration
	Clock               func() time.Time
	MaxSize             int
	MaxDepth            int
	MaxMembers          int
	Critical            []string
	Replay              Replay
	Selector            string
	CacheSize           int
}

// Replay remembers token identifiers.
type Replay interface {
	Seen(ctx context.Context, issuer, id string, until time.Time) (bool, error)
}

// ReplayCache is a Replay in memory.
type ReplayCache struct{}

// NewReplayCache makes a ReplayCache.
func NewReplayCache(entries int) *ReplayCache { panic("skeleton") }

// Seen implements Replay.
func (c *ReplayCache) Seen(ctx context.Context, issuer, id string, until time.Time) (bool, error) {
	panic("skeleton")
}

// Verifier verifies tokens.
type Verifier[C any] struct{}

// NewVerifier makes a Verifier.
func NewVerifier[C any](keys jwk.Source, p Policy) (*Verifier[C], error) { panic("skeleton") }

// Verify verifies one token.
func (v *Verifier[C]) Verify(ctx context.Context, raw string) (*Token[C], error) { panic("skeleton") }

// Token is a verified token.
type Token[C any] struct {
	Header Header
	Registered
	Claims C
	Key    jwk.Verifier
}

// Payload returns the claims as JSON.
func (t *Token[C]) Payload() []byte { panic("skeleton") }

// Claim decodes one claim.
func (t *Token[C]) Claim(name string, v any) (bool, error) { panic("skeleton") }
