package dpop

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/profile"
)

// Nonces are the nonces of a server (RFC 9449, Sections 8 and 9). Implementations are safe for concurrent use.
type Nonces interface {
	// New returns a nonce that nobody can foresee. It may be the same for several requests.
	New(ctx context.Context) (string, error)
	// Accepts reports whether nonce is one that New has returned and that is still good. An error is no refusal but
	// a failure of the server.
	Accepts(ctx context.Context, nonce string) (bool, error)
}

// NonceOptions are those of [NewNonces].
type NonceOptions struct {
	// Secrets make the nonces: the first one new ones, and the others, from before a rotation, are still accepted. Each has 32 bytes or more. Servers that
	// share them accept each other's nonces; an authorization server and a resource server must not share them. Where there is none,
	// a random one is made, for one process.
	Secrets [][]byte
	// Life is how long a nonce is good. Zero is five minutes.
	Life time.Duration
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

// NewNonces makes nonces that need no store: the time, and a MAC of it.
func NewNonces(o NonceOptions) (Nonces, error) {
	n := &macNonces{life: o.Life, clock: o.Clock}
	if n.clock == nil {
		n.clock = time.Now
	}
	switch {
	case o.Life < 0:
		return nil, profile.Incomplete("the Life of nonces is negative")
	case o.Life == 0:
		n.life = 5 * time.Minute
	}
	for _, s := range o.Secrets {
		if len(s) < sha256.Size {
			return nil, profile.Incomplete("a secret of nonces has less than 32 bytes")
		}
		n.secrets = append(n.secrets, append([]byte(nil), s...))
	}
	if n.secrets == nil {
		s := make([]byte, sha256.Size)
		_, _ = rand.Read(s) // which never fails
		n.secrets = [][]byte{s}
	}
	return n, nil
}

type macNonces struct {
	secrets [][]byte
	life    time.Duration
	clock   func() time.Time
}

const (
	nonceTime = 8 // bytes of seconds
	nonceMAC  = 16
)

func (n *macNonces) New(context.Context) (string, error) {
	return n.seal(n.secrets[0], uint64(n.clock().Unix())), nil
}

// seal makes the nonce of a time.
func (n *macNonces) seal(secret []byte, at uint64) string {
	var buf [len(nonceLabel) + nonceTime]byte
	copy(buf[:], nonceLabel)
	binary.BigEndian.PutUint64(buf[len(nonceLabel):], at)
	mac := hmac.New(sha256.New, secret)
	mac.Write(buf[:])
	sum := mac.Sum(buf[len(nonceLabel):])
	return b64url.EncodeToString(sum[:nonceTime+nonceMAC])
}

// nonceLabel keeps these MACs apart from others with the same secret.
const nonceLabel = "jot DPoP nonce\x00"

func (n *macNonces) Accepts(_ context.Context, nonce string) (bool, error) {
	var buf [nonceTime + nonceMAC]byte
	if len(nonce) != b64url.EncodedLen(len(buf)) {
		return false, nil
	}
	raw, err := b64url.AppendDecode(buf[:0], []byte(nonce))
	if err != nil {
		return false, nil
	}
	at := binary.BigEndian.Uint64(raw)
	for _, s := range n.secrets {
		if hmac.Equal([]byte(n.seal(s, at)), []byte(nonce)) {
			age := n.clock().Sub(time.Unix(int64(at), 0))
			// Another replica's clock may be ahead a little.
			return -time.Minute <= age && age <= n.life, nil
		}
	}
	return false, nil
}
