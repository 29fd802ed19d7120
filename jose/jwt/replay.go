package jwt

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// ReplayCache is a [Replay] in the memory of one process. It may serve several
// verifiers. Each entry costs some 150 bytes, however long the identifier is.
type ReplayCache struct {
	mu      sync.Mutex
	size    int
	entries map[[sha256.Size]byte]struct{}
	order   deadlines // which entry dies first
}

// NewReplayCache makes a ReplayCache of at most size entries. When all of them are
// alive it refuses further tokens (code jti.full) rather than forget one. It panics if size is
// less than one.
func NewReplayCache(size int) *ReplayCache {
	if size < 1 {
		panic("jwt: a replay cache of no entries")
	}
	return &ReplayCache{size: size, entries: make(map[[sha256.Size]byte]struct{})}
}

// Seen implements [Replay]. The error is [ErrReplay] when the cache is full.
func (c *ReplayCache) Seen(_ context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	// The length in front keeps issuer and id apart.
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 128), uint64(len(issuer)))
	key := sha256.Sum256(append(append(b, issuer...), id...))
	now := time.Now()

	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.order) > 0 && !now.Before(c.order[0].at) {
		delete(c.entries, heap.Pop(&c.order).(deadline).key)
	}
	if _, ok := c.entries[key]; ok {
		return true, nil
	}
	if len(c.entries) >= c.size {
		return false, errReplayFull
	}
	c.entries[key] = struct{}{}
	heap.Push(&c.order, deadline{now.Add(ttl), key})
	return false, nil
}

type deadline struct {
	at  time.Time
	key [sha256.Size]byte
}

// deadlines is a heap.
type deadlines []deadline

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)        { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	old := *d
	last := old[len(old)-1]
	*d = old[:len(old)-1]
	return last
}
