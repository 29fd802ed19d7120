// Package nonce makes and checks values that prove that something was made lately: the nonces of DPoP (RFC 9449,
// Section 8) and the challenges of client attestations. Nothing is stored: a value has the time at which it was
// made and a MAC by a secret, so that all servers that have the secret know each other's.
//
// A value is good as often as one likes while it lives. That each proof is used once is for its jti.
package nonce

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
)

// MinSecret is the length in bytes of the shortest secret.
const MinSecret = 32

// Lifetime is how long a value lives unless something else is said.
const Lifetime = 5 * time.Minute

const (
	stamp  = 8  // milliseconds since the epoch
	salt   = 8  // so that no two values are the same
	tag    = 16 // of the MAC
	length = stamp + salt + tag
)

// The refusals of [Issuer.Check].
var (
	ErrUnknown = errors.New("nonce: not made here")
	ErrExpired = errors.New("nonce: made too long ago")
)

// Issuer makes and checks values. It is immutable and safe for concurrent use.
type Issuer struct {
	secrets  [][]byte
	lifetime time.Duration
	clock    func() time.Time
}

// New makes an Issuer. Values are made with the first secret, and checked with all, so that a secret can be changed
// for another; without one, it is a random one, of this process alone. Each has [MinSecret] bytes at least. A lifetime of
// zero is [Lifetime]; a nil clock is time.Now.
func New(lifetime time.Duration, clock func() time.Time, secrets ...[]byte) (*Issuer, error) {
	if lifetime == 0 {
		lifetime = Lifetime
	}
	if lifetime < 0 {
		return nil, errors.New("nonce: the lifetime is negative")
	}
	if clock == nil {
		clock = time.Now
	}
	i := &Issuer{lifetime: lifetime, clock: clock}
	for _, s := range secrets {
		if len(s) < MinSecret {
			return nil, errors.New("nonce: a secret has less than 32 bytes")
		}
		i.secrets = append(i.secrets, slices.Clone(s))
	}
	if secrets == nil {
		s := make([]byte, MinSecret)
		_, _ = rand.Read(s) // which never fails
		i.secrets = [][]byte{s}
	}
	return i, nil
}

// Next makes a value: 43 characters of base64url.
func (i *Issuer) Next() string {
	var v [length]byte
	binary.BigEndian.PutUint64(v[:], uint64(i.clock().UnixMilli()))
	_, _ = rand.Read(v[stamp : stamp+salt])
	sum := mac(i.secrets[0], v[:stamp+salt])
	copy(v[stamp+salt:], sum[:tag])
	return b64url.EncodeToString(v[:])
}

// Check refuses a value that was not made with one of the secrets, and one that was made longer ago than the lifetime.
func (i *Issuer) Check(value string) error {
	// Before it is decoded: a value comes from a stranger, and may be of any length.
	if len(value) != b64url.EncodedLen(length) {
		return ErrUnknown
	}
	v, err := b64url.DecodeString(value)
	if err != nil {
		return ErrUnknown
	}
	made := func(secret []byte) bool {
		sum := mac(secret, v[:stamp+salt])
		return subtle.ConstantTimeCompare(sum[:tag], v[stamp+salt:]) == 1
	}
	if !slices.ContainsFunc(i.secrets, made) {
		return ErrUnknown
	}
	// One that is made ahead of time is by another server, whose clock is ahead of this one's.
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(v)))
	if i.clock().Sub(at) > i.lifetime {
		return ErrExpired
	}
	return nil
}

// mac is labelled, so that it is no MAC of anything else, should the secret have other uses.
func mac(secret, message []byte) [sha256.Size]byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("jot nonce 1\x00"))
	h.Write(message)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}
