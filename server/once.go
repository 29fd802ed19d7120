package server

import (
	"context"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server/store"
)

// once is the jwt.Replay of a sort of JWTs that are used once.
type once struct {
	s    *Server
	name string
}

// held is the use of a client assertion that waits for that of the DPoP proof in the same request, so that the store is asked about both
// in one step: each takes it a transaction otherwise. A request that has no good proof in it settles it alone.
type held struct {
	use      store.Use
	id       string // its jti
	waits    bool
	replayed bool
}

// heldKey is that of the *held in the context of what may wait, and of what ends the wait.
type heldKey struct{}

// Seen implements [jwt.Replay].
func (o once) Seen(ctx context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	now := o.s.o.Clock()
	use := store.Use{Key: store.UseKey(o.name, issuer, id), Expires: now.Add(ttl)}
	h, _ := ctx.Value(heldKey{}).(*held)
	switch {
	case h == nil:
		fresh, err := o.s.o.Store.Use(ctx, now, use)
		return err == nil && !fresh[0], err
	case !h.waits:
		h.use, h.id, h.waits = use, id, true
		return false, nil
	}
	h.waits = false
	fresh, err := o.s.o.Store.Use(ctx, now, h.use, use)
	if err != nil {
		return false, err
	}
	h.replayed = !fresh[0]
	return !fresh[1], nil
}

// settle returns the refusal of a client assertion that was used before, of which the request may not have been told yet.
func (q *request) settle() error {
	h := &q.held
	if h.waits {
		h.waits = false
		fresh, err := q.o.Store.Use(q.ctx, q.now, h.use)
		if err != nil {
			return err
		}
		h.replayed = !fresh[0]
	}
	if !h.replayed {
		return nil
	}
	return q.refused(oauth.InvalidClient, "the client_assertion", jwt.Refuse(&jwt.ClaimError{
		Claim: "jti", Code: "jti.replayed", Got: h.id, Want: "a token that was not used before", Spec: "RFC 7519, Section 4.1.7",
	}))
}
