package server

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/server/store"
)

const (
	// maxCached documents take some 15 MB: a client with a key has 3.5 KB, and the collector lets as much again gather.
	maxCached  = 2_000
	maxChanges = 500
	// staleDocuments is for how long documents are used while the store does not say whether they have changed.
	staleDocuments = time.Minute
)

// cache has the documents that requests need, as they were parsed. Within Reload of the last look at the store, what is there
// takes no more than a look into a map; no request waits while another one looks.
type cache struct {
	store  store.DocumentStore
	reload time.Duration

	checked atomic.Int64  // when the store was last asked for changes, in nanoseconds; zero is never
	turn    chan struct{} // whose turn it is to ask

	mu      sync.RWMutex
	entries map[cacheKey]any
	// forgotten counts what was taken out, so that nothing goes in that was read before.
	forgotten uint64
	version   int64 // of the last change that is known; for who has the turn
}

type cacheKey struct{ kind, id string }

func newCache(s store.DocumentStore, reload time.Duration) *cache {
	return &cache{store: s, reload: reload, turn: make(chan struct{}, 1), entries: map[cacheKey]any{}}
}

// look takes out what others have changed, if it is time.
func (c *cache) look(ctx context.Context, now time.Time) error {
	checked := c.checked.Load()
	age := time.Duration(now.UnixNano() - checked)
	if checked != 0 && age >= 0 && age < c.reload {
		return nil
	}
	usable := checked != 0 && age >= 0 && age < staleDocuments
	if usable {
		select {
		case c.turn <- struct{}{}:
		default:
			return nil
		}
	} else {
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-c.turn }()
	if c.checked.Load() != checked {
		return nil // another has looked while this one waited
	}
	// A change that is listed was made before; one that is not is found by the next look.
	if err := c.changes(ctx, checked == 0 || age < 0 || age >= store.KeepChanges/2); err != nil {
		if usable {
			return nil // and the next request tries again
		}
		return err
	}
	c.checked.Store(now.UnixNano())
	return nil
}

// changes asks the store for changes, or where it would not list all of them, forgets everything.
func (c *cache) changes(ctx context.Context, all bool) error {
	if !all {
		list, err := c.store.Changes(ctx, c.version, maxChanges)
		if err != nil {
			return err
		}
		if len(list) < maxChanges {
			for _, change := range list {
				c.forget(change.Kind, change.ID)
				c.version = change.Version
			}
			return nil
		}
	}
	version, err := c.store.LastChange(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	clear(c.entries)
	c.forgotten++
	c.mu.Unlock()
	c.version = version
	return nil
}

func (c *cache) forget(kind, id string) {
	c.mu.Lock()
	delete(c.entries, cacheKey{kind, id})
	c.forgotten++
	c.mu.Unlock()
}

// cached returns a document as parse makes it, or store.ErrNotFound.
func cached[T any](ctx context.Context, c *cache, now time.Time, kind, id string, parse func(store.Document) (*T, error)) (*T, error) {
	if err := c.look(ctx, now); err != nil {
		return nil, err
	}
	key := cacheKey{kind, id}
	c.mu.RLock()
	v, ok := c.entries[key]
	forgotten := c.forgotten
	c.mu.RUnlock()
	if ok {
		return v.(*T), nil
	}
	// What stays holds on to nothing of the request, of whose body the name may be a part.
	id = strings.Clone(id)
	key.id = id
	d, err := c.store.Document(ctx, kind, id)
	if err != nil {
		return nil, err
	}
	t, err := parse(d)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgotten != forgotten {
		return t, nil
	}
	if len(c.entries) >= maxCached {
		n := 0
		for k := range c.entries { // in no order that a client could choose
			if delete(c.entries, k); n > maxCached/16 {
				break
			}
			n++
		}
	}
	c.entries[key] = t
	return t, nil
}
