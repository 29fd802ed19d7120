// Package nonce makes and checks values that prove that something was made lately: the nonces of DPoP (RFC 9449,
// Section 8) and the challenges of client attestations. Nothing is stored: a value is the time at which it was made
// and a MAC of it, so that all servers that have the secret know each other's.
//
// A value is good as often as one likes while it lives. That each proof is used once is for its jti.
package nonce

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
)

// Options are those of [NewIssuer].
type Options struct {
	// Secrets make the values: the first one new ones, and the others, from before a rotation, are still accepted. Each has
	// 32 bytes or more. Where there is none, a random one is made, for one process.
	Secrets [][]byte
	// Life is how long a value is good. Zero is five minutes.
	Life time.Duration
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

// Issuer makes and checks values. It is immutable and safe for concurrent use.
type Issuer struct {
	secrets [][]byte
	life    time.Duration
	clock   func() time.Time
}

// ahead is how far the clock of another server that has the secret may be ahead of this one's.
const ahead = time.Minute

// NewIssuer makes an Issuer. An error is one of the program.
func NewIssuer(o Options) (*Issuer, error) {
	n := &Issuer{life: o.Life, clock: o.Clock}
	if n.clock == nil {
		n.clock = time.Now
	}
	switch {
	case o.Life < 0:
		return nil, errors.New("the Life of nonces is negative")
	case o.Life == 0:
		n.life = 5 * time.Minute
	}
	for _, s := range o.Secrets {
		if len(s) < sha256.Size {
			return nil, errors.New("a secret of nonces has less than 32 bytes")
		}
		n.secrets = append(n.secrets, slices.Clone(s))
	}
	if n.secrets == nil {
		s := make([]byte, sha256.Size)
		_, _ = rand.Read(s) // which never fails
		n.secrets = [][]byte{s}
	}
	return n, nil
}

const (
	stamp = 8  // bytes of seconds since the epoch
	tag   = 16 // of the MAC
)

// label keeps the MACs apart from others with the same secret.
const label = "jot nonce\x00"

// New returns a value: 32 characters of base64url, the same for all that is asked for within a second. It never fails.
func (n *Issuer) New(context.Context) (string, error) {
	v := seal(n.secrets[0], uint64(n.clock().Unix()))
	return b64url.EncodeToString(v[:]), nil
}

// Accepts reports whether value was made with one of the secrets, and lately. It never fails.
func (n *Issuer) Accepts(_ context.Context, value string) (bool, error) {
	var buf [stamp + tag]byte
	// Before it is decoded: a value comes from a stranger, and may be of any length.
	if len(value) != b64url.EncodedLen(len(buf)) {
		return false, nil
	}
	raw, err := b64url.AppendDecode(buf[:0], value)
	if err != nil {
		return false, nil
	}
	at := binary.BigEndian.Uint64(raw)
	for _, s := range n.secrets {
		if v := seal(s, at); hmac.Equal(v[:], raw) {
			age := n.clock().Sub(time.Unix(int64(at), 0))
			return -ahead <= age && age <= n.life, nil
		}
	}
	return false, nil
}

// seal makes the value of a time.
func seal(secret []byte, at uint64) (v [stamp + tag]byte) {
	var buf [len(label) + stamp]byte
	copy(buf[:], label)
	binary.BigEndian.PutUint64(buf[len(label):], at)
	mac := hmac.New(sha256.New, secret)
	mac.Write(buf[:])
	copy(v[:], buf[len(label):])
	copy(v[stamp:], mac.Sum(nil))
	return v
}
