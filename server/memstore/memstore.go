// Package memstore is a store of an authorization server in the memory of one process,
// for tests, for trying things out, and for servers whose tokens may end with them.
//
//	s := memstore.New()
//
// It does what every [store.Store] does, and forgets it all with the process. A use or a
// revocation costs some 200 bytes until [Store.Sweep] removes it, a grant some 500 and
// its body. Listing documents and grants, and revoking all of a client or a subject,
// looks at all there are.
package memstore

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// A Store is a [store.Store]. It is safe for concurrent use.
type Store struct {
	mu          sync.Mutex
	closed      bool
	last        int64 // the number of the last change
	documents   map[documentKey]*document
	deleted     []documentKey // in the order in which they were
	grants      table[string, store.Grant]
	records     table[recordKey, store.Record]
	uses        table[string, time.Time]
	revocations table[store.Target, store.Revocation]
}

type documentKey struct{ kind, id string }

type recordKey struct{ kind, key string }

// A document stays when it is deleted, for those who ask what has changed.
type document struct {
	store.Document
	deleted time.Time
}

// New makes an empty store.
func New() *Store {
	return &Store{
		documents:   map[documentKey]*document{},
		grants:      newTable[string](func(g store.Grant) time.Time { return g.Expires }),
		records:     newTable[recordKey](func(r store.Record) time.Time { return r.Expires }),
		uses:        newTable[string](func(t time.Time) time.Time { return t }),
		revocations: newTable[store.Target](func(r store.Revocation) time.Time { return r.Expires }),
	}
}

// enter begins a call; the caller unlocks if there is no error.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	return nil
}

// kept returns the time as databases keep it.
func kept(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// PutDocument implements [store.DocumentStore].
func (s *Store) PutDocument(ctx context.Context, d store.Document) (int64, error) {
	if err := d.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	key := documentKey{d.Kind, d.ID}
	var version int64
	if old := s.documents[key]; old != nil && old.deleted.IsZero() {
		version = old.Version
	}
	if d.Version != version {
		return 0, store.ErrConflict
	}
	s.last++
	d.Version, d.Body = s.last, bytes.Clone(d.Body)
	s.documents[key] = &document{Document: d}
	return d.Version, nil
}

// Document implements [store.DocumentStore].
func (s *Store) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if err := s.enter(ctx); err != nil {
		return store.Document{}, err
	}
	defer s.mu.Unlock()
	d := s.documents[documentKey{kind, id}]
	if d == nil || !d.deleted.IsZero() {
		return store.Document{}, store.ErrNotFound
	}
	return d.copy(), nil
}

func (d *document) copy() store.Document {
	out := d.Document
	out.Body = bytes.Clone(out.Body)
	return out
}

// DeleteDocument implements [store.DocumentStore].
func (s *Store) DeleteDocument(ctx context.Context, now time.Time, kind, id string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	d := s.documents[documentKey{kind, id}]
	if d == nil || !d.deleted.IsZero() {
		return store.ErrNotFound
	}
	s.last++
	d.Version, d.Body, d.deleted = s.last, nil, now
	s.deleted = append(s.deleted, documentKey{kind, id})
	return nil
}

// Documents implements [store.DocumentStore].
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if limit < 1 {
		return nil, store.ErrInvalid
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []*document
	for _, d := range s.documents {
		if d.Kind == kind && d.ID > after && d.deleted.IsZero() {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b *document) int { return cmp.Compare(a.ID, b.ID) })
	var out []store.Document
	for _, d := range found[:min(limit, len(found))] {
		out = append(out, d.copy())
	}
	return out, nil
}

// LastChange implements [store.DocumentStore].
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.last, nil
}

// Changes implements [store.DocumentStore].
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if limit < 1 {
		return nil, store.ErrInvalid
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if s.last <= after {
		return nil, nil // as nearly always, without a look at the documents
	}
	var out []store.Change
	for _, d := range s.documents {
		if d.Version > after {
			out = append(out, store.Change{Version: d.Version, Kind: d.Kind, ID: d.ID})
		}
	}
	slices.SortFunc(out, func(a, b store.Change) int { return cmp.Compare(a.Version, b.Version) })
	return out[:min(limit, len(out))], nil
}

// AddGrant implements [store.GrantStore].
func (s *Store) AddGrant(ctx context.Context, g store.Grant) error {
	if err := g.Check(); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, ok := s.grants.rows[g.ID]; ok {
		return store.ErrConflict
	}
	g.Created, g.Rotated, g.Expires, g.Until = kept(g.Created), kept(g.Rotated), kept(g.Expires), kept(g.Until)
	g.Body = bytes.Clone(g.Body)
	g.Subject = strings.Clone(g.Subject) // which may be a part of a token
	s.grants.put(g.ID, g)
	return nil
}

// Rotate implements [store.GrantStore].
func (s *Store) Rotate(ctx context.Context, now time.Time, r store.Rotation) (store.Outcome, store.Grant, error) {
	if err := r.Check(); err != nil {
		return store.Gone, store.Grant{}, err
	}
	if err := s.enter(ctx); err != nil {
		return store.Gone, store.Grant{}, err
	}
	defer s.mu.Unlock()
	row, ok := s.grants.rows[r.ID]
	if !ok {
		return store.Gone, store.Grant{}, nil
	}
	g := row.value
	outcome := g.Judge(now, r)
	switch outcome {
	case store.Gone:
		return store.Gone, store.Grant{}, nil
	case store.Rotated:
		g.Seq++
		g.Rotated, g.Key = kept(now), r.Key
		if r.Idle > 0 {
			g.Expires = kept(now.Add(r.Idle))
			if g.Until.Before(g.Expires) {
				g.Expires = g.Until
			}
		}
		row.value = g
	case store.Reused:
		delete(s.grants.rows, r.ID)
		s.revoke(store.Revocation{Target: store.Target{Sort: store.OfGrant, ID: r.ID}, At: now, Expires: now.Add(r.Access)})
	}
	g.Body = bytes.Clone(g.Body)
	return outcome, g, nil
}

// Grant implements [store.GrantStore].
func (s *Store) Grant(ctx context.Context, now time.Time, id string) (store.Grant, error) {
	if err := s.enter(ctx); err != nil {
		return store.Grant{}, err
	}
	defer s.mu.Unlock()
	g, ok := s.grants.alive(now, id)
	if !ok {
		return store.Grant{}, store.ErrNotFound
	}
	g.Body = bytes.Clone(g.Body)
	return g, nil
}

// Grants implements [store.GrantStore].
func (s *Store) Grants(ctx context.Context, now time.Time, f store.GrantFilter) ([]store.Grant, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var ids []string
	for id, row := range s.grants.rows {
		g := &row.value
		if id > f.After && (f.Client == "" || f.Client == g.Client) && (f.Subject == "" || f.Subject == g.Subject) && !store.Ended(now, g.Expires) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	var out []store.Grant
	for _, id := range ids[:min(f.Limit, len(ids))] {
		g := s.grants.rows[id].value
		g.Body = bytes.Clone(g.Body)
		out = append(out, g)
	}
	return out, nil
}

// AddRecord implements [store.RecordStore].
func (s *Store) AddRecord(ctx context.Context, now time.Time, r store.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	key := recordKey{r.Kind, r.Key}
	if _, ok := s.records.alive(now, key); ok {
		return store.ErrConflict
	}
	r.Body, r.Expires = bytes.Clone(r.Body), kept(r.Expires)
	s.records.put(key, r)
	return nil
}

// Record implements [store.RecordStore].
func (s *Store) Record(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()
	r, ok := s.records.alive(now, recordKey{kind, key})
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	r.Body = bytes.Clone(r.Body)
	return r, nil
}

// TakeRecord implements [store.RecordStore].
func (s *Store) TakeRecord(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if err := s.enter(ctx); err != nil {
		return store.Record{}, err
	}
	defer s.mu.Unlock()
	r, ok := s.records.alive(now, recordKey{kind, key})
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	delete(s.records.rows, recordKey{kind, key})
	return r, nil
}

// Use implements [store.UseStore].
func (s *Store) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	for _, u := range uses {
		if err := u.Check(); err != nil {
			return nil, err
		}
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	fresh := make([]bool, len(uses))
	for i, u := range uses {
		if _, used := s.uses.alive(now, u.Key); !used && !store.Ended(now, u.Expires) {
			fresh[i] = true
			s.uses.put(u.Key, u.Expires)
		}
	}
	return fresh, nil
}

// Revoke implements [store.RevocationStore].
func (s *Store) Revoke(ctx context.Context, r store.Revocation) (int, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	r.ID = strings.Clone(r.ID) // which may be a part of a token
	s.revoke(r)
	before := len(s.grants.rows)
	switch r.Sort {
	case store.OfGrant:
		delete(s.grants.rows, r.ID)
	case store.OfClient, store.OfSubject:
		maps.DeleteFunc(s.grants.rows, func(_ string, row *row[store.Grant]) bool {
			of := row.value.Client
			if r.Sort == store.OfSubject {
				of = row.value.Subject
			}
			return of == r.ID && store.Ended(r.At, row.value.Created)
		})
	}
	return before - len(s.grants.rows), nil
}

func (s *Store) revoke(r store.Revocation) {
	r.At, r.Expires = kept(r.At), kept(r.Expires)
	if old, ok := s.revocations.rows[r.Target]; ok {
		if old.value.At.After(r.At) {
			r.At = old.value.At
		}
		if old.value.Expires.After(r.Expires) {
			r.Expires = old.value.Expires
		}
	}
	s.revocations.put(r.Target, r)
}

// Revoked implements [store.RevocationStore].
func (s *Store) Revoked(ctx context.Context, now, issued time.Time, of ...store.Target) (bool, error) {
	if err := s.enter(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	for _, t := range of {
		if r, ok := s.revocations.alive(now, t); ok && store.Ended(r.At, issued) {
			return true, nil
		}
	}
	return false, nil
}

// Sweep implements [store.Store].
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (int, bool, error) {
	if limit < 1 {
		return 0, false, store.ErrInvalid
	}
	if err := s.enter(ctx); err != nil {
		return 0, false, err
	}
	defer s.mu.Unlock()
	removed, more := 0, false
	for _, sweep := range []func(time.Time, int) (int, bool){
		s.grants.sweep, s.records.sweep, s.uses.sweep, s.revocations.sweep, s.sweepDeleted,
	} {
		n, m := sweep(now, limit)
		removed, more = removed+n, more || m
	}
	return removed, more, nil
}

func (s *Store) sweepDeleted(now time.Time, limit int) (n int, more bool) {
	for ; len(s.deleted) > 0; limit-- {
		key := s.deleted[0]
		d := s.documents[key]
		again := d == nil || d.deleted.IsZero() // it is there again, or was deleted twice
		switch {
		case !again && !store.Ended(now, d.deleted.Add(store.KeepChanges)):
			return n, false
		case limit == 0:
			return n, true
		case !again:
			delete(s.documents, key)
			n++
		}
		s.deleted = s.deleted[1:]
	}
	return n, false
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Close implements [store.Store]. Everything is forgotten.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.documents, s.deleted = nil, nil
	s.grants, s.records = table[string, store.Grant]{}, table[recordKey, store.Record]{}
	s.uses, s.revocations = table[string, time.Time]{}, table[store.Target, store.Revocation]{}
	return nil
}

// A table is rows that end, with the order in which they do.
type table[K comparable, V any] struct {
	rows  map[K]*row[V]
	order deadlines[K]
	ends  func(V) time.Time
}

type row[V any] struct {
	value  V
	queued int64 // the entry in order that counts; it may come too early
}

func newTable[K comparable, V any](ends func(V) time.Time) table[K, V] {
	return table[K, V]{rows: map[K]*row[V]{}, ends: ends}
}

func (t *table[K, V]) put(k K, v V) {
	r := &row[V]{value: v}
	t.rows[k] = r
	t.queue(k, r)
}

func (t *table[K, V]) queue(k K, r *row[V]) {
	r.queued = t.ends(r.value).UnixMilli()
	heap.Push(&t.order, deadline[K]{r.queued, k})
}

// alive returns what has not ended.
func (t *table[K, V]) alive(now time.Time, k K) (v V, ok bool) {
	r := t.rows[k]
	if r == nil || store.Ended(now, t.ends(r.value)) {
		return v, false
	}
	return r.value, true
}

// sweep removes rows that have ended, having looked at no more than limit entries.
func (t *table[K, V]) sweep(now time.Time, limit int) (n int, more bool) {
	for ; len(t.order) > 0 && t.order[0].at <= now.UnixMilli(); limit-- {
		if limit == 0 {
			return n, true
		}
		d := heap.Pop(&t.order).(deadline[K])
		r := t.rows[d.key]
		switch {
		case r == nil || r.queued != d.at: // removed, or put again
		case store.Ended(now, t.ends(r.value)):
			delete(t.rows, d.key)
			n++
		default: // a grant that was rotated since
			t.queue(d.key, r)
		}
	}
	return n, false
}

type deadline[K comparable] struct {
	at  int64 // in milliseconds
	key K
}

// deadlines is a heap.
type deadlines[K comparable] []deadline[K]

func (d deadlines[K]) Len() int           { return len(d) }
func (d deadlines[K]) Less(i, j int) bool { return d[i].at < d[j].at }
func (d deadlines[K]) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deadlines[K]) Push(x any)        { *d = append(*d, x.(deadline[K])) }
func (d *deadlines[K]) Pop() any {
	old := *d
	last := old[len(old)-1]
	old[len(old)-1] = deadline[K]{} // its key is not kept alive
	*d = old[:len(old)-1]
	return last
}
