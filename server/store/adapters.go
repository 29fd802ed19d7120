package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// NewReplay makes a [jwt.Replay] of a store. What was used under one name is not used
// under another: assertions and proofs have their own. Where clock is nil it is [time.Now].
func NewReplay(s UseStore, name string, clock func() time.Time) jwt.Replay {
	if clock == nil {
		clock = time.Now
	}
	return replay{s, name, clock}
}

type replay struct {
	s     UseStore
	name  string
	clock func() time.Time
}

// Seen implements [jwt.Replay].
func (r replay) Seen(ctx context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	now := r.clock()
	fresh, err := r.s.Use(ctx, now, Use{UseKey(r.name, issuer, id), now.Add(ttl)})
	if err != nil {
		return false, err
	}
	return !fresh[0], nil
}

// UseKey returns the key of a [Use], for which the parts may be of any length: a SHA-256
// hash, in which their lengths keep them apart.
func UseKey(parts ...string) string {
	b := make([]byte, 0, 256)
	for _, p := range parts {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(p))), p...)
	}
	h := sha256.Sum256(b)
	return string(h[:])
}

// KindKeys is the kind of the documents of [NewKeys].
const KindKeys = "keys"

// NewKeys makes a [keyset.Store] of a document, for a [keyset.Rotation] in all processes that
// share the store.
func NewKeys(s DocumentStore, id string) keyset.Store { return keys{s, id} }

type keys struct {
	s  DocumentStore
	id string
}

// Load implements [keyset.Store].
func (k keys) Load(ctx context.Context) ([]byte, string, error) {
	d, err := k.s.Document(ctx, KindKeys, k.id)
	if errors.Is(err, ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	return d.Body, strconv.FormatInt(d.Version, 10), nil
}

// Save implements [keyset.Store].
func (k keys) Save(ctx context.Context, data []byte, old string) (string, error) {
	d := Document{Kind: KindKeys, ID: k.id, Body: data}
	if old != "" {
		d.Version, _ = strconv.ParseInt(old, 10, 64)
		if d.Version <= 0 {
			return "", keyset.ErrConflict // no version of this store
		}
	}
	v, err := k.s.PutDocument(ctx, d)
	if errors.Is(err, ErrConflict) {
		return "", keyset.ErrConflict
	}
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(v, 10), nil
}
