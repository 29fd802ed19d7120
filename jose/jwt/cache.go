package jwt

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jotsuite/jot/jose/jwk"
)

// headerEntry is a header that has been read and held to the policy.
type headerEntry struct {
	encoded   string
	head      head           // without layers
	keys      []jwk.Verifier // of a static set; nil: ask the source
	cached    bool
	signature int // its length in that token
}

const (
	headerSlots     = 64
	manyHeaderSlots = 4096 // where each sender has a header of its own, with its key in it
	maxCachedHeader = 1024
	maxCachedToken  = 16 << 10
)

// headerCache recognises headers by their bytes. It is filled only once a signature
// has verified, so who has no key cannot displace anything: at most 64 entries of about 3 KiB, or 4096 with
// keys from the headers themselves.
type headerCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[headerEntry]
	last  atomic.Pointer[headerEntry] // the newest, which most often is the only one
}

// of returns the entry for the header that token begins with, or nil.
func (c *headerCache) of(token string) *headerEntry {
	if e := c.last.Load(); e != nil {
		if n := len(e.encoded); n < len(token) && token[n] == '.' && token[:n] == e.encoded {
			return e
		}
	}
	n := strings.IndexByte(token, '.')
	if n < 0 || n > maxCachedHeader {
		return nil
	}
	if e := c.slot(token[:n]).Load(); e != nil && e.encoded == token[:n] {
		return e
	}
	return nil
}

func newHeaderCache(slots int) *headerCache {
	return &headerCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[headerEntry], slots)}
}

func (c *headerCache) put(e *headerEntry) {
	c.slot(e.encoded).Store(e)
	c.last.Store(e)
}

func (c *headerCache) slot(encoded string) *atomic.Pointer[headerEntry] {
	return &c.slots[maphash.String(c.seed, encoded)%uint64(len(c.slots))]
}

// tokenEntry is a token that has verified. Nothing of it is handed out: callers get copies.
type tokenEntry struct {
	hash     uint64
	raw      string
	payload  []byte
	head     head
	key      jwk.Verifier
	selector string
}

// ways is how many places a token may be in.
const ways = 4

// tokenCache holds verified tokens in sets of four slots without a lock. The hash is
// over the token's end, its signature, with a seed that nobody outside knows: who
// cannot present that end learns nothing from the time that the full comparison takes.
type tokenCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[tokenEntry]
	turn  atomic.Uint32
}

func newTokenCache(size int) *tokenCache {
	sets := (size + ways - 1) / ways
	return &tokenCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[tokenEntry], sets*ways)}
}

func (c *tokenCache) set(raw string) (uint64, []atomic.Pointer[tokenEntry]) {
	h := maphash.String(c.seed, raw[max(0, len(raw)-64):])
	i := int(h%uint64(len(c.slots)/ways)) * ways
	return h, c.slots[i : i+ways]
}

func (c *tokenCache) get(raw string) *tokenEntry {
	h, set := c.set(raw)
	for i := range set {
		if e := set[i].Load(); e != nil && e.hash == h && e.raw == raw {
			return e
		}
	}
	return nil
}

// put takes the place of the same token, else an empty one, else any of the four in turn.
func (c *tokenCache) put(e *tokenEntry) {
	var set []atomic.Pointer[tokenEntry]
	e.hash, set = c.set(e.raw)
	free := -1
	for i := range set {
		old := set[i].Load()
		if old == nil {
			free = i
		} else if old.hash == e.hash && old.raw == e.raw {
			free = i
			break
		}
	}
	if free < 0 {
		free = int(c.turn.Add(1) % ways)
	}
	set[free].Store(e)
}

// drop removes an entry that will never be accepted again.
func (c *tokenCache) drop(e *tokenEntry) {
	_, set := c.set(e.raw)
	for i := range set {
		set[i].CompareAndSwap(e, nil)
	}
}

// keyIndex is a jwk.Set by kid. Each part answers by the rules of jwk.Set, where the
// keys of the token's kid count, and those without a kid only if there are none.
type keyIndex struct {
	all  jwk.Set
	kids map[string]jwk.Set
}

func indexSet(s jwk.Set) keyIndex {
	x := keyIndex{slices.Clone(s), map[string]jwk.Set{}}
	for _, k := range s {
		x.kids[k.KeyID()] = append(x.kids[k.KeyID()], k)
	}
	return x
}

func (x keyIndex) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	if q.KeyID == "" {
		return x.all.Keys(ctx, q)
	}
	part, ok := x.kids[q.KeyID]
	if !ok {
		part = x.kids[""]
	}
	return part.Keys(ctx, q)
}
