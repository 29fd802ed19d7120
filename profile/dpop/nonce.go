package dpop

import (
	"context"
	"time"

	"github.com/jotsuite/jot/internal/nonce"
	"github.com/jotsuite/jot/internal/profile"
)

// Nonces are the nonces of a server (RFC 9449, Sections 8 and 9). Implementations are safe for concurrent use.
type Nonces interface {
	// New returns a nonce that nobody can foresee. It may be the same for several requests.
	New(ctx context.Context) (string, error)
	// Accepts reports whether nonce is one that New has returned and that is still good. An error is a failure of the
	// server and no refusal.
	Accepts(ctx context.Context, nonce string) (bool, error)
}

// NonceOptions are those of [NewNonces].
type NonceOptions struct {
	// Secrets make the nonces: the first one new ones, and the others, from before a rotation, are still accepted. Each has
	// 32 bytes or more. Replicas of a server share them; an authorization server and a resource server do not (RFC 9449,
	// Section 9). Where there is none, a random one is made, for one process.
	Secrets [][]byte
	// Life is how long a nonce is good. Zero is five minutes.
	Life time.Duration
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

// NewNonces makes nonces that need no store: the time, and a MAC of it. A nonce may be used often while it lives; that
// each proof is used once is for Policy.Replay.
func NewNonces(o NonceOptions) (Nonces, error) {
	n, err := nonce.NewIssuer(nonce.Options(o))
	if err != nil {
		return nil, profile.Incomplete(err.Error())
	}
	return n, nil
}
