package guard

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Denylist says which tokens are refused although they are valid: those that were revoked before they expired.
type Denylist interface {
	// Denied reports whether the token is refused. It is asked for every request, after the token was verified, and is
	// called concurrently. An error refuses the request as well, with 503.
	Denied(ctx context.Context, t *Token) (bool, error)
}

// ErrFull is the error of a [MemoryDenylist] that has no room.
var ErrFull = errors.New("guard: the deny-list is full")

// MemoryDenylist is a [Denylist] in the memory of one process.
type MemoryDenylist struct {
	mu      sync.RWMutex
	size    int
	clock   func() time.Time
	entries map[denied]entry
	next    time.Time // when the first entry may be forgotten
}

// denied is what an entry is about: a token, or with an empty id all tokens of a subject, or with that empty too those of an issuer.
type denied struct{ issuer, subject, id string }

type entry struct {
	before time.Time // tokens that were issued before; zero is all
	until  time.Time // when the last of them has expired
}

// NewMemoryDenylist makes a MemoryDenylist of at most size entries. It panics if size is less than one.
func NewMemoryDenylist(size int) *MemoryDenylist {
	if size < 1 {
		panic("guard: a deny-list of no size")
	}
	return &MemoryDenylist{size: size, clock: time.Now, entries: map[denied]entry{}}
}

// DenyToken refuses the token of issuer with this jti. The entry is forgotten after until, when the token has expired by
// itself: give it its exp and the leeway of the verifier.
func (d *MemoryDenylist) DenyToken(issuer, jti string, until time.Time) error {
	if issuer == "" || jti == "" {
		return errors.New("guard: a token is denied by its issuer and its jti")
	}
	return d.add(denied{issuer: issuer, id: jti}, entry{until: until})
}

// DenyBefore refuses the tokens of issuer about subject, or with an empty subject all of its tokens, that were issued before that
// time or do not say when they were. The entry is forgotten after until, when the last of them has expired by itself.
func (d *MemoryDenylist) DenyBefore(issuer, subject string, before, until time.Time) error {
	if issuer == "" || before.IsZero() {
		return errors.New("guard: tokens are denied by their issuer and the time at which they were issued")
	}
	return d.add(denied{issuer: issuer, subject: subject}, entry{before: before, until: until})
}

func (d *MemoryDenylist) add(key denied, e entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock()
	if !e.until.After(now) {
		return nil // nothing is left to refuse
	}
	if old, ok := d.entries[key]; ok {
		if old.before.After(e.before) {
			e.before = old.before
		}
		if old.until.After(e.until) {
			e.until = old.until
		}
	} else if len(d.entries) >= d.size {
		d.forget(now)
		if len(d.entries) >= d.size {
			return ErrFull
		}
	}
	if d.next.IsZero() || e.until.Before(d.next) {
		d.next = e.until
	}
	d.entries[key] = e
	return nil
}

// forget drops what no longer refuses anything; a look through all entries only once the first of them has had its time.
func (d *MemoryDenylist) forget(now time.Time) {
	if now.Before(d.next) {
		return
	}
	d.next = time.Time{}
	for key, e := range d.entries {
		switch {
		case !e.until.After(now):
			delete(d.entries, key)
		case d.next.IsZero() || e.until.Before(d.next):
			d.next = e.until
		}
	}
}

// Denied implements [Denylist].
func (d *MemoryDenylist) Denied(_ context.Context, t *Token) (bool, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.entries) == 0 {
		return false, nil
	}
	if t.ID != "" {
		if _, ok := d.entries[denied{issuer: t.Issuer, id: t.ID}]; ok {
			return true, nil
		}
	}
	if t.Subject != "" && d.tooOld(denied{issuer: t.Issuer, subject: t.Subject}, t) {
		return true, nil
	}
	return d.tooOld(denied{issuer: t.Issuer}, t), nil
}

func (d *MemoryDenylist) tooOld(key denied, t *Token) bool {
	return t.IssuedAt.Before(d.entries[key].before) // which is never where there is no entry
}
