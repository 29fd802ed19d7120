// Package storetest is what every [store.Store] must pass.
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Backend{New: func(t *testing.T) storetest.Open { … }})
//	}
//
// [Run] is for each method and for races between processes. [Crash] kills processes in the middle of
// their work, and looks for what they were told is stored. [Compare] does the same to two stores,
// and expects the same of them.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// Open opens a store. Each call stands for a process of its own, with the same place for what is stored.
type Open func() (store.Store, error)

// A Backend is where stores keep things.
type Backend struct {
	// New returns the means to open stores on a new, empty place.
	New func(t *testing.T) Open
	// Volatile says that what is stored ends with Close, and that Open returns the same
	// store each time.
	Volatile bool
}

// now is the time in the tests, which no store has to know.
var now = time.UnixMilli(1_800_000_000_123)

func at(d time.Duration) time.Time { return now.Add(d) }

// A bench is a test of one or two stores on the same place.
type bench struct {
	*testing.T
	ctx  context.Context
	open Open
	s    store.Store
}

// Run runs all tests of the methods.
func Run(t *testing.T, b Backend) {
	for _, c := range []struct {
		name string
		test func(*bench)
	}{
		{"Documents", testDocuments},
		{"DocumentPages", testDocumentPages},
		{"Changes", testChanges},
		{"Grants", testGrants},
		{"GrantPages", testGrantPages},
		{"Rotations", testRotations},
		{"RotationEnds", testRotationEnds},
		{"Records", testRecords},
		{"Uses", testUses},
		{"Revocations", testRevocations},
		{"RevokedGrants", testRevokedGrants},
		{"Sweep", testSweep},
		{"SweepRotated", testSweepRotated},
		{"Limits", testLimits},
		{"Odd", testOdd},
		{"Copies", testCopies},
		{"RaceDocuments", testRaceDocuments},
		{"RaceRotations", testRaceRotations},
		{"RaceForeign", testRaceForeign},
		{"RaceStolen", testRaceStolen},
		{"RaceRecords", testRaceRecords},
		{"RaceUses", testRaceUses},
		{"RaceSweep", testRaceSweep},
		{"Cancelled", testCancelled},
		{"CancelledInFlight", testCancelledInFlight},
		{"Closed", testClosed},
		{"ClosedInFlight", testClosedInFlight},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(newBench(t, b))
		})
	}
	t.Run("OpenedTogether", func(t *testing.T) { testOpenedTogether(t, b) })
	t.Run("Reopened", func(t *testing.T) {
		if b.Volatile {
			t.Skip("what is stored ends with Close")
		}
		testReopened(newBench(t, b))
	})
}

func newBench(t *testing.T, b Backend) *bench {
	x := &bench{T: t, ctx: t.Context(), open: b.New(t)}
	x.s = x.another()
	return x
}

// another opens a store on the same place, as another process does.
func (b *bench) another() store.Store {
	b.Helper()
	s, err := b.open()
	b.ok(err)
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Errorf("Close: %v", err)
		}
	})
	return s
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("unexpected error: %v", err)
	}
}

func (b *bench) fails(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("error is %v, want %v", err, want)
	}
}

func equal[T any](b *bench, got, want T) {
	b.Helper()
	if !reflect.DeepEqual(got, want) {
		b.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func (b *bench) put(kind, id string, version int64, body string) int64 {
	b.Helper()
	v, err := b.s.PutDocument(b.ctx, store.Document{Kind: kind, ID: id, Version: version, Body: []byte(body)})
	b.ok(err)
	return v
}

func testDocuments(b *bench) {
	_, err := b.s.Document(b.ctx, "client", "a")
	b.fails(err, store.ErrNotFound)
	b.fails(b.s.DeleteDocument(b.ctx, now, "client", "a"), store.ErrNotFound)
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Version: 1})
	b.fails(err, store.ErrConflict)

	v1 := b.put("client", "a", 0, "one")
	if v1 < 1 {
		b.Fatalf("the first version is %d", v1)
	}
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Body: []byte("two")})
	b.fails(err, store.ErrConflict)
	v2 := b.put("client", "a", v1, "two")
	if v2 <= v1 {
		b.Fatalf("version %d comes after %d", v2, v1)
	}
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Version: v1})
	b.fails(err, store.ErrConflict)
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Version: v2 + 1})
	b.fails(err, store.ErrConflict)

	d, err := b.s.Document(b.ctx, "client", "a")
	b.ok(err)
	equal(b, d, store.Document{Kind: "client", ID: "a", Version: v2, Body: []byte("two")})
	_, err = b.s.Document(b.ctx, "issuer", "a")
	b.fails(err, store.ErrNotFound)
	b.put("issuer", "a", 0, "another")

	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "a"))
	_, err = b.s.Document(b.ctx, "client", "a")
	b.fails(err, store.ErrNotFound)
	b.fails(b.s.DeleteDocument(b.ctx, now, "client", "a"), store.ErrNotFound)
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Version: v2})
	b.fails(err, store.ErrConflict)
	if v := b.put("client", "a", 0, "three"); v <= v2 {
		b.Fatalf("version %d of what was made again comes after %d", v, v2)
	}
	d, err = b.s.Document(b.ctx, "client", "a")
	b.ok(err)
	equal(b, string(d.Body), "three")
	d, err = b.s.Document(b.ctx, "issuer", "a")
	b.ok(err)
	equal(b, string(d.Body), "another")
}

func testDocumentPages(b *bench) {
	// The order is that of bytes, not of a language.
	ids := []string{"B", "Z", "_", "a", "a b", "aa", "a\x7f", "b", "z", "ä", "日"}
	for _, id := range slices.Backward(ids) {
		b.put("client", id, 0, "body of "+id)
	}
	b.put("client", "gone", 0, "")
	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "gone"))
	b.put("issuer", "c", 0, "")

	for _, limit := range []int{1, 3, len(ids), 100} {
		var got []string
		after := ""
		for {
			page, err := b.s.Documents(b.ctx, "client", after, limit)
			b.ok(err)
			for _, d := range page {
				equal(b, string(d.Body), "body of "+d.ID)
				equal(b, d.Kind, "client")
				got = append(got, d.ID)
				after = d.ID
			}
			if len(page) > limit {
				b.Fatalf("a page of %d has %d", limit, len(page))
			}
			if len(page) < limit {
				break
			}
		}
		equal(b, got, ids)
	}
}

func testChanges(b *bench) {
	n, err := b.s.LastChange(b.ctx)
	b.ok(err)
	equal(b, n, 0)
	c, err := b.s.Changes(b.ctx, 0, 10)
	b.ok(err)
	equal(b, len(c), 0)

	v1 := b.put("client", "a", 0, "")
	v2 := b.put("issuer", "b", 0, "")
	v3 := b.put("client", "a", v1, "")
	v4 := b.put("client", "c", 0, "")
	b.ok(b.s.DeleteDocument(b.ctx, now, "issuer", "b"))
	v5, err := b.s.LastChange(b.ctx)
	b.ok(err)
	if !(0 < v1 && v1 < v2 && v2 < v3 && v3 < v4 && v4 < v5) {
		b.Fatal("numbers of changes do not grow: ", v1, v2, v3, v4, v5)
	}
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a"})
	b.fails(err, store.ErrConflict)
	n, err = b.s.LastChange(b.ctx)
	b.ok(err)
	equal(b, n, v5)

	all := []store.Change{{Version: v3, Kind: "client", ID: "a"}, {Version: v4, Kind: "client", ID: "c"}, {Version: v5, Kind: "issuer", ID: "b"}}
	for _, x := range []struct {
		after int64
		limit int
		want  []store.Change
	}{
		{0, 10, all},
		{v2, 3, all},
		{0, 2, all[:2]},
		{v3, 1, all[1:2]},
		{v4, 5, all[2:]},
		{v5, 5, nil},
		{v5 + 100, 5, nil},
	} {
		c, err := b.s.Changes(b.ctx, x.after, x.limit)
		b.ok(err)
		equal(b, slices.Clip(c), x.want)
	}

	// What was deleted is listed for as long as promised, what exists for ever.
	sweep := func(now time.Time) int {
		n, more, err := b.s.Sweep(b.ctx, now, 10)
		b.ok(err)
		equal(b, more, false)
		return n
	}
	equal(b, sweep(at(store.KeepChanges-time.Millisecond)), 0)
	c, err = b.s.Changes(b.ctx, v4, 5)
	b.ok(err)
	equal(b, len(c), 1)
	equal(b, sweep(at(store.KeepChanges)), 1)
	c, err = b.s.Changes(b.ctx, 0, 5)
	b.ok(err)
	equal(b, c, all[:2])
	n, err = b.s.LastChange(b.ctx)
	b.ok(err)
	equal(b, n, v5)
	if v := b.put("issuer", "b", 0, ""); v <= v5 {
		b.Fatal("a number came twice: ", v)
	}

	// What was deleted and made again is no more forgotten than the rest.
	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "c"))
	b.put("client", "c", 0, "")
	equal(b, sweep(at(2*store.KeepChanges)), 0)
	_, err = b.s.Document(b.ctx, "client", "c")
	b.ok(err)
	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "c"))
	b.put("client", "c", 0, "")
	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "c"))
	equal(b, sweep(at(2*store.KeepChanges)), 1)
}

// grant returns a grant with all that one can have.
func grant(id string) store.Grant {
	return store.Grant{
		ID: id, Client: "client", Subject: "subject", Body: []byte(`{"scope":"a b"}`),
		Seq: 1, Created: now, Rotated: now, Expires: at(time.Hour), Until: at(24 * time.Hour),
	}
}

func (b *bench) add(g store.Grant) store.Grant {
	b.Helper()
	b.ok(b.s.AddGrant(b.ctx, g))
	return g
}

func testGrants(b *bench) {
	_, err := b.s.Grant(b.ctx, now, "g")
	b.fails(err, store.ErrNotFound)
	g := b.add(grant("g"))
	b.fails(b.s.AddGrant(b.ctx, store.Grant{ID: "g", Client: "other", Created: now, Rotated: now, Expires: at(1e9), Until: at(1e9)}), store.ErrConflict)
	got, err := b.s.Grant(b.ctx, now, "g")
	b.ok(err)
	equal(b, got, g)
	_, err = b.s.Grant(b.ctx, at(time.Hour-time.Millisecond), "g")
	b.ok(err)
	_, err = b.s.Grant(b.ctx, at(time.Hour), "g")
	b.fails(err, store.ErrNotFound)

	plain := grant("plain")
	plain.Subject, plain.Key, plain.Body = "", "", nil
	b.add(plain)
	got, err = b.s.Grant(b.ctx, now, "plain")
	b.ok(err)
	equal(b, got.Subject+got.Key+string(got.Body), "")
	bound := grant("bound")
	bound.Key, bound.Bound = "key", true
	b.add(bound)
	got, err = b.s.Grant(b.ctx, now, "bound")
	b.ok(err)
	equal(b, got, bound)
}

func testGrantPages(b *bench) {
	ids := map[string][]string{}
	for i, c := range []string{"c1", "c2"} {
		for j, s := range []string{"s1", "s2", ""} {
			for k := range 4 {
				g := grant(fmt.Sprintf("%c%d%d", "aBz_"[k], i, j))
				g.Client, g.Subject = c, s
				if k == 3 {
					g.Expires = at(time.Minute)
				}
				b.add(g)
				for _, key := range []string{c + "/", "/" + s, c + "/" + s} {
					ids[key] = append(ids[key], g.ID)
				}
			}
		}
	}
	for _, f := range []store.GrantFilter{{Client: "c1"}, {Client: "c2"}, {Subject: "s1"}, {Client: "c1", Subject: "s2"}} {
		want := ids[f.Client+"/"+f.Subject]
		slices.Sort(want)
		want = slices.Compact(want)
		for _, when := range []time.Duration{0, time.Minute} {
			if when > 0 {
				want = slices.DeleteFunc(slices.Clone(want), func(id string) bool { return id[0] == '_' })
			}
			for _, limit := range []int{1, 2, 100} {
				var got []string
				for f := (store.GrantFilter{Client: f.Client, Subject: f.Subject, Limit: limit}); ; {
					page, err := b.s.Grants(b.ctx, at(when), f)
					b.ok(err)
					for _, g := range page {
						if f.Client != "" && g.Client != f.Client || f.Subject != "" && g.Subject != f.Subject || string(g.Body) != `{"scope":"a b"}` {
							b.Fatalf("%+v has %+v", f, g)
						}
						got = append(got, g.ID)
						f.After = g.ID
					}
					if len(page) < limit {
						break
					}
				}
				equal(b, got, want)
			}
		}
	}
	none, err := b.s.Grants(b.ctx, now, store.GrantFilter{Client: "c3", Limit: 5})
	b.ok(err)
	equal(b, len(none), 0)
}

func (b *bench) rotate(now time.Time, r store.Rotation, want store.Outcome) store.Grant {
	b.Helper()
	o, g, err := b.s.Rotate(b.ctx, now, r)
	b.ok(err)
	if o != want {
		b.Fatalf("outcome is %d, want %d", o, want)
	}
	return g
}

func testRotations(b *bench) {
	const retry = 10 * time.Second
	g := b.add(grant("g"))
	r := store.Rotation{ID: "g", Seq: 1, Client: "client", Retry: retry}

	// What changes nothing.
	for want, rs := range map[store.Outcome][]func(*store.Rotation){
		store.Gone:    {func(r *store.Rotation) { r.ID = "other" }, func(r *store.Rotation) { r.ID = "" }, func(r *store.Rotation) { r.Seq = 2 }},
		store.Foreign: {func(r *store.Rotation) { r.Client = "other" }, func(r *store.Rotation) { r.Client, r.Seq = "other", 0 }},
	} {
		for _, change := range rs {
			r := r
			change(&r)
			got := b.rotate(now, r, want)
			if want == store.Gone {
				equal(b, got, store.Grant{})
			} else {
				equal(b, got, g)
			}
		}
	}

	got := b.rotate(at(time.Minute), r, store.Rotated)
	g.Seq, g.Rotated = 2, at(time.Minute)
	equal(b, got, g)
	got, err := b.s.Grant(b.ctx, now, "g")
	b.ok(err)
	equal(b, got, g)

	// A repetition gets the same, until the window ends.
	equal(b, b.rotate(at(time.Minute), r, store.Repeated), g)
	equal(b, b.rotate(at(time.Minute+retry-time.Millisecond), r, store.Repeated), g)
	b.rotate(at(time.Minute), store.Rotation{ID: "g", Seq: 1, Client: "other", Retry: retry}, store.Foreign)
	got, err = b.s.Grant(b.ctx, now, "g")
	b.ok(err)
	equal(b, got, g)
	r.Seq = 2
	equal(b, b.rotate(at(2*time.Minute), r, store.Rotated).Seq, 3)
	r.Seq = 1
	r.Access = time.Hour
	stolen := b.rotate(at(2*time.Minute), r, store.Reused)
	equal(b, stolen.Seq, 3)
	equal(b, stolen.Subject, "subject")
	for seq := range int64(5) {
		b.rotate(at(2*time.Minute), store.Rotation{ID: "g", Seq: seq, Client: "client"}, store.Gone)
	}
	_, err = b.s.Grant(b.ctx, now, "g")
	b.fails(err, store.ErrNotFound)
	// Its access tokens are revoked, for as long as they live.
	for when, want := range map[time.Duration]bool{2 * time.Minute: true, 62*time.Minute - time.Millisecond: true, 62 * time.Minute: false} {
		revoked, err := b.s.Revoked(b.ctx, at(when), at(2*time.Minute), store.Target{Sort: store.OfGrant, ID: "g"})
		b.ok(err)
		equal(b, revoked, want)
	}

	// The end of the window is the end of it.
	b.add(grant("late"))
	late := store.Rotation{ID: "late", Seq: 1, Client: "client", Retry: retry}
	b.rotate(now, late, store.Rotated)
	b.rotate(at(retry), late, store.Reused)
	b.add(grant("none"))
	none := store.Rotation{ID: "none", Seq: 1, Client: "client"}
	b.rotate(now, none, store.Rotated)
	b.rotate(now, none, store.Reused)
	// The predecessor of the predecessor is no repetition, however fast.
	b.add(grant("fast"))
	fast := store.Rotation{ID: "fast", Seq: 1, Client: "client", Retry: retry}
	b.rotate(now, fast, store.Rotated)
	fast.Seq = 2
	b.rotate(now, fast, store.Rotated)
	fast.Seq = 1
	b.rotate(now, fast, store.Reused)

	// A bound grant has one key; a repetition has that of what it repeats.
	bound := grant("bound")
	bound.Key, bound.Bound = "key", true
	b.add(bound)
	for _, key := range []string{"", "other"} {
		b.rotate(now, store.Rotation{ID: "bound", Seq: 1, Client: "client", Key: key}, store.Foreign)
		b.rotate(now, store.Rotation{ID: "bound", Seq: 0, Client: "client", Key: key}, store.Foreign)
	}
	equal(b, b.rotate(now, store.Rotation{ID: "bound", Seq: 1, Client: "client", Key: "key"}, store.Rotated).Key, "key")
	b.rotate(now, store.Rotation{ID: "bound", Seq: 1, Client: "client", Key: "key", Retry: retry}, store.Repeated)
	b.rotate(now, store.Rotation{ID: "bound", Seq: 2, Client: "client", Key: "key"}, store.Rotated)
	b.add(grant("free"))
	equal(b, b.rotate(now, store.Rotation{ID: "free", Seq: 1, Client: "client", Key: "one", Retry: retry}, store.Rotated).Key, "one")
	equal(b, b.rotate(now, store.Rotation{ID: "free", Seq: 1, Client: "client", Key: "one", Retry: retry}, store.Repeated).Key, "one")
	equal(b, b.rotate(now, store.Rotation{ID: "free", Seq: 2, Client: "client", Key: "two", Retry: retry}, store.Rotated).Key, "two")
	b.rotate(now, store.Rotation{ID: "free", Seq: 2, Client: "client", Key: "one", Retry: retry}, store.Reused)
}

func testRotationEnds(b *bench) {
	b.add(grant("g"))
	r := store.Rotation{ID: "g", Seq: 1, Client: "client", Idle: 20 * time.Hour}
	equal(b, b.rotate(at(time.Hour-time.Millisecond), r, store.Rotated).Expires, at(21*time.Hour-time.Millisecond))
	r.Seq, r.Idle = 2, 0
	equal(b, b.rotate(at(2*time.Hour), r, store.Rotated).Expires, at(21*time.Hour-time.Millisecond))
	r.Seq, r.Idle = 3, time.Hour // what remains may get shorter
	equal(b, b.rotate(at(3*time.Hour), r, store.Rotated).Expires, at(4*time.Hour))
	r.Seq, r.Idle = 4, 24*time.Hour
	g := b.rotate(at(4*time.Hour-time.Millisecond), r, store.Rotated)
	equal(b, g.Expires, at(24*time.Hour)) // and never longer than the grant
	equal(b, g.Until, at(24*time.Hour))
	equal(b, g.Created, now)
	r.Seq = 5
	b.rotate(at(24*time.Hour), r, store.Gone)
	// What has ended is no reuse, and is not revoked.
	r.Seq = 1
	b.rotate(at(24*time.Hour), r, store.Gone)
	r.Seq = 5
	b.rotate(at(24*time.Hour-time.Millisecond), r, store.Rotated)
}

func testRecords(b *bench) {
	_, err := b.s.Record(b.ctx, now, "token", "k")
	b.fails(err, store.ErrNotFound)
	_, err = b.s.TakeRecord(b.ctx, now, "token", "k")
	b.fails(err, store.ErrNotFound)
	key := "\x00\xff'\"\\{}, k"
	r := store.Record{Kind: "token", Key: key, Body: []byte("\x00\xffbody"), Expires: at(time.Minute)}
	b.ok(b.s.AddRecord(b.ctx, now, r))
	b.fails(b.s.AddRecord(b.ctx, now, store.Record{Kind: "token", Key: key, Expires: at(time.Hour)}), store.ErrConflict)
	b.ok(b.s.AddRecord(b.ctx, now, store.Record{Kind: "code", Key: key, Expires: at(time.Hour)}))
	got, err := b.s.Record(b.ctx, at(time.Minute-time.Millisecond), "token", key)
	b.ok(err)
	equal(b, got, r)
	for _, s := range []func(context.Context, time.Time, string, string) (store.Record, error){b.s.Record, b.s.TakeRecord} {
		_, err = s(b.ctx, at(time.Minute), "token", key)
		b.fails(err, store.ErrNotFound)
	}
	got, err = b.s.TakeRecord(b.ctx, now, "token", key)
	b.ok(err)
	equal(b, got, r)
	for _, s := range []func(context.Context, time.Time, string, string) (store.Record, error){b.s.Record, b.s.TakeRecord} {
		_, err = s(b.ctx, now, "token", key)
		b.fails(err, store.ErrNotFound)
	}
	_, err = b.s.Record(b.ctx, now, "code", key)
	b.ok(err)

	// Where one has ended there is place for another, swept or not.
	b.ok(b.s.AddRecord(b.ctx, now, r))
	r.Body, r.Expires = []byte("next"), at(2*time.Minute)
	b.fails(b.s.AddRecord(b.ctx, at(time.Minute-time.Millisecond), r), store.ErrConflict)
	b.ok(b.s.AddRecord(b.ctx, at(time.Minute), r))
	got, err = b.s.Record(b.ctx, at(time.Minute), "token", key)
	b.ok(err)
	equal(b, got, r)
}

func (b *bench) use(now time.Time, expires time.Time, keys ...string) []bool {
	b.Helper()
	var uses []store.Use
	for _, k := range keys {
		uses = append(uses, store.Use{Key: k, Expires: expires})
	}
	fresh, err := b.s.Use(b.ctx, now, uses...)
	b.ok(err)
	return fresh
}

func testUses(b *bench) {
	equal(b, len(b.use(now, at(time.Minute))), 0)
	equal(b, b.use(now, at(time.Minute), "a"), []bool{true})
	equal(b, b.use(now, at(time.Minute), "a"), []bool{false})
	equal(b, b.use(now, at(time.Minute), "b", "a", "c", "b", "\x00\xff\\", "a"), []bool{true, false, true, false, true, false})
	equal(b, b.use(at(time.Minute-time.Millisecond), at(time.Hour), "a", "\x00\xff\\", "c"), []bool{false, false, false})
	// The first expiry counts, though later ones were asked for.
	equal(b, b.use(at(time.Minute), at(2*time.Minute), "a"), []bool{true})
	equal(b, b.use(at(time.Minute), at(2*time.Minute), "a"), []bool{false})
	// What has ended is not fresh, and is not remembered.
	equal(b, b.use(now, now, "ended"), []bool{false})
	equal(b, b.use(now, at(-time.Hour), "ended", "ended"), []bool{false, false})
	equal(b, b.use(now, at(time.Millisecond), "ended"), []bool{true})
}

func (b *bench) revoke(s store.Sort, id string, when, expires time.Time, want int) {
	b.Helper()
	n, err := b.s.Revoke(b.ctx, store.Revocation{Target: store.Target{Sort: s, ID: id}, At: when, Expires: expires})
	b.ok(err)
	equal(b, n, want)
}

func (b *bench) revoked(now, issued time.Time, want bool, of ...store.Target) {
	b.Helper()
	got, err := b.s.Revoked(b.ctx, now, issued, of...)
	b.ok(err)
	if got != want {
		b.Fatalf("revoked is %t", got)
	}
}

func testRevocations(b *bench) {
	token, client := store.Target{Sort: store.OfToken, ID: "x"}, store.Target{Sort: store.OfClient, ID: "x"}
	b.revoked(now, now, false)
	b.revoked(now, now, false, token)
	b.revoke(store.OfToken, "x", now, at(time.Hour), 0)
	b.revoked(now, now, true, token)
	b.revoked(now, now, false, client)
	b.revoked(now, now, false)
	b.revoked(now, now, true, client, store.Target{Sort: store.OfSubject, ID: "y"}, token)
	b.revoked(now, at(-time.Hour), true, token)
	b.revoked(at(time.Second), at(time.Millisecond), false, token) // issued later
	b.revoked(at(time.Hour-time.Millisecond), now, true, token)
	b.revoked(at(time.Hour), now, false, token)

	// Of several, the later times count, each for itself.
	b.revoke(store.OfToken, "x", at(time.Minute), at(time.Minute), 0)
	b.revoked(at(time.Hour-time.Millisecond), at(time.Minute), true, token)
	b.revoke(store.OfToken, "x", at(-time.Minute), at(2*time.Hour), 0)
	b.revoked(at(2*time.Hour-time.Millisecond), at(time.Minute), true, token)
	b.revoked(at(2*time.Hour-time.Millisecond), at(time.Minute+time.Millisecond), false, token)
	b.revoked(at(2*time.Hour), now, false, token)
}

func testRevokedGrants(b *bench) {
	left := func(ids ...string) {
		b.Helper()
		var got []string
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			if _, err := b.s.Grant(b.ctx, now, id); err == nil {
				got = append(got, id)
			}
		}
		equal(b, got, ids)
	}
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		g := grant(id)
		g.Client = []string{"c1", "c1", "c2", "c2", "c2"}[i]
		g.Subject = []string{"s1", "s2", "s1", "s2", "s2"}[i]
		g.Created = at(time.Duration(i) * time.Second)
		b.add(g)
	}
	far := at(24 * time.Hour)
	b.revoke(store.OfToken, "a", at(time.Minute), far, 0)
	b.revoke(store.OfGrant, "none", at(time.Minute), far, 0)
	b.revoke(store.OfClient, "s1", at(time.Minute), far, 0)
	left("a", "b", "c", "d", "e")
	b.revoke(store.OfGrant, "a", now, far, 1)
	b.revoke(store.OfGrant, "a", now, far, 0)
	left("b", "c", "d", "e")
	b.rotate(now, store.Rotation{ID: "a", Seq: 1, Client: "c1"}, store.Gone)
	b.revoke(store.OfClient, "c2", at(3*time.Second), far, 2) // d was made at that time, e later
	left("b", "e")
	b.revoke(store.OfSubject, "s2", at(4*time.Second-time.Millisecond), far, 1)
	left("e")
	b.revoke(store.OfSubject, "s2", at(4*time.Second), far, 1)
	left()
	b.revoked(now, now, true, store.Target{Sort: store.OfGrant, ID: "a"})
	b.revoked(now, now, true, store.Target{Sort: store.OfClient, ID: "c2"})
	b.revoked(now, now, true, store.Target{Sort: store.OfSubject, ID: "s2"})

	// More than any step of it.
	const many = 2500
	b.together(8, func(i int) {
		for j := range many / 8 {
			g := grant(fmt.Sprintf("many-%d-%d", i, j))
			g.Client = "many"
			if err := b.s.AddGrant(b.ctx, g); err != nil {
				b.Error(err)
			}
		}
	})
	b.add(grant("e"))
	b.revoke(store.OfClient, "many", now, far, many/8*8)
	left("e")
}

func testSweep(b *bench) {
	const n = 10
	for i := range n {
		d := time.Duration(i) * time.Minute
		g := grant(fmt.Sprint("g", i))
		g.Expires = at(d)
		b.add(g)
		b.ok(b.s.AddRecord(b.ctx, at(-1e9), store.Record{Kind: "token", Key: fmt.Sprint(i), Expires: at(d)}))
		b.use(at(-1e9), at(d), fmt.Sprint(i))
		b.revoke(store.OfToken, fmt.Sprint(i), now, at(d), 0)
		b.put("client", fmt.Sprint(i), 0, "")
		b.ok(b.s.DeleteDocument(b.ctx, at(d-store.KeepChanges), "client", fmt.Sprint(i)))
	}
	sweep := func(d time.Duration, limit, want int) (more bool) {
		b.Helper()
		got, more, err := b.s.Sweep(b.ctx, at(d), limit)
		b.ok(err)
		if got != want {
			b.Fatalf("swept %d, want %d", got, want)
		}
		return more
	}
	equal(b, sweep(-time.Millisecond, 100, 0), false)
	equal(b, sweep(0, 100, 5), false)
	equal(b, sweep(4*time.Minute, 3, 15), true)
	equal(b, sweep(4*time.Minute, 3, 5), false)
	equal(b, sweep(4*time.Minute, 3, 0), false)
	// Whatever has not ended is still there.
	for i := 5; i < n; i++ {
		_, err := b.s.Grant(b.ctx, at(4*time.Minute), fmt.Sprint("g", i))
		b.ok(err)
		_, err = b.s.Record(b.ctx, at(4*time.Minute), "token", fmt.Sprint(i))
		b.ok(err)
		equal(b, b.use(at(4*time.Minute), at(time.Hour), fmt.Sprint(i)), []bool{false})
		b.revoked(at(4*time.Minute), now, true, store.Target{Sort: store.OfToken, ID: fmt.Sprint(i)})
	}
	for range 4 {
		equal(b, sweep(time.Hour, 1, 5), true)
	}
	sweep(time.Hour, 1, 5) // of none that is left, it need not know
	equal(b, sweep(time.Hour, 1, 0), false)
}

// A grant that is rotated again and again outlives the time at which it was to end.
func testSweepRotated(b *bench) {
	for i := range 3 {
		b.add(grant(fmt.Sprint(i)))
		b.rotate(now, store.Rotation{ID: fmt.Sprint(i), Seq: 1, Client: "client", Idle: 4 * time.Hour}, store.Rotated)
	}
	n, more, err := b.s.Sweep(b.ctx, at(2*time.Hour), 2)
	b.ok(err)
	equal(b, n, 0)
	equal(b, more, true)
	n, more, err = b.s.Sweep(b.ctx, at(2*time.Hour), 2)
	b.ok(err)
	equal(b, n, 0)
	equal(b, more, false)
	for i := range 3 {
		_, err := b.s.Grant(b.ctx, at(2*time.Hour), fmt.Sprint(i))
		b.ok(err)
	}
	n, more, err = b.s.Sweep(b.ctx, at(4*time.Hour), 5)
	b.ok(err)
	equal(b, n, 3)
	equal(b, more, false)
}

func testLimits(b *bench) {
	long := strings.Repeat("x", store.MaxName)
	body := bytes.Repeat([]byte{0xff}, store.MaxBody)
	v, err := b.s.PutDocument(b.ctx, store.Document{Kind: long, ID: long, Body: body})
	b.ok(err)
	d, err := b.s.Document(b.ctx, long, long)
	b.ok(err)
	equal(b, d, store.Document{Kind: long, ID: long, Version: v, Body: body})
	b.ok(b.s.AddGrant(b.ctx, store.Grant{ID: long, Client: long, Subject: long, Key: long, Bound: true, Body: body, Created: now, Rotated: now, Expires: at(1e9), Until: at(1e9)}))
	b.ok(b.s.AddRecord(b.ctx, now, store.Record{Kind: long, Key: long, Body: body, Expires: at(1e9)}))
	equal(b, b.use(now, at(1e9), long), []bool{true})
	b.revoke(store.OfClient, long, now, at(1e9), 1)

	over := append(slices.Clone(body), 1)
	for _, bad := range []string{"", long + "x", "a\x00b", "\xff"} {
		for _, d := range []store.Document{{Kind: bad, ID: "a"}, {Kind: "a", ID: bad}} {
			_, err = b.s.PutDocument(b.ctx, d)
			b.fails(err, store.ErrInvalid)
			_, err = b.s.Document(b.ctx, d.Kind, d.ID)
			b.fails(err, store.ErrNotFound)
			b.fails(b.s.DeleteDocument(b.ctx, now, d.Kind, d.ID), store.ErrNotFound)
			_, err = b.s.TakeRecord(b.ctx, now, d.Kind, d.ID)
			b.fails(err, store.ErrNotFound)
			_, err = b.s.Record(b.ctx, now, d.Kind, d.ID)
			b.fails(err, store.ErrNotFound)
		}
		g := grant("a")
		g.ID = bad
		b.fails(b.s.AddGrant(b.ctx, g), store.ErrInvalid)
		_, err = b.s.Grant(b.ctx, now, bad)
		b.fails(err, store.ErrNotFound)
		b.rotate(now, store.Rotation{ID: bad, Client: "client"}, store.Gone)
		_, _, err = b.s.Rotate(b.ctx, now, store.Rotation{ID: "a", Client: bad})
		b.fails(err, store.ErrInvalid)
		b.fails(b.s.AddRecord(b.ctx, now, store.Record{Kind: bad, Key: "a", Expires: at(1e9)}), store.ErrInvalid)
		_, err = b.s.Revoke(b.ctx, store.Revocation{Target: store.Target{Sort: store.OfToken, ID: bad}, At: now, Expires: at(1e9)})
		b.fails(err, store.ErrInvalid)
		b.revoked(now, now, false, store.Target{Sort: store.OfToken, ID: bad}, store.Target{Sort: store.Sort(bad), ID: "a"})
		if bad != "" {
			_, _, err = b.s.Rotate(b.ctx, now, store.Rotation{ID: "a", Client: "client", Key: bad})
			b.fails(err, store.ErrInvalid)
			for _, f := range []store.GrantFilter{{Client: bad, Limit: 1}, {Subject: bad, Limit: 1}} {
				none, err := b.s.Grants(b.ctx, now, f)
				b.ok(err)
				equal(b, len(none), 0)
			}
			none, err := b.s.Documents(b.ctx, bad, "", 1)
			b.ok(err)
			equal(b, len(none), 0)
		}
	}
	_, err = b.s.PutDocument(b.ctx, store.Document{Kind: "a", ID: "big", Body: over})
	b.fails(err, store.ErrInvalid)
	_, err = b.s.Use(b.ctx, now, store.Use{Key: "good", Expires: at(1e9)}, store.Use{})
	b.fails(err, store.ErrInvalid)
	equal(b, b.use(now, at(1e9), "good"), []bool{true}) // it was not used by the call that failed
	_, _, err = b.s.Rotate(b.ctx, now, store.Rotation{ID: "a", Client: "client", Retry: -1})
	b.fails(err, store.ErrInvalid)
	_, err = b.s.Documents(b.ctx, "a", "", 0)
	b.fails(err, store.ErrInvalid)
	_, err = b.s.Changes(b.ctx, 0, 0)
	b.fails(err, store.ErrInvalid)
	_, err = b.s.Grants(b.ctx, now, store.GrantFilter{Limit: 1})
	b.fails(err, store.ErrInvalid)
	_, _, err = b.s.Sweep(b.ctx, now, 0)
	b.fails(err, store.ErrInvalid)
}

// testOdd holds that a text is text to a database, too, whatever is in it.
func testOdd(b *bench) {
	for i, odd := range []string{`'; DROP TABLE jot_grants; --`, `"\{},`, `NULL`, "a\nb", "\u202e\U0001F600", `{"a":[1]}`, "%_", "\\x00", " ", "\\", `"`, "{}", "a,b", "null"} {
		g := grant(odd)
		g.Client, g.Subject, g.Key = odd+"c", odd+"s", odd+"k"
		g.Created = at(time.Duration(i))
		g = func() store.Grant { b.add(g); return g }()
		got, err := b.s.Grant(b.ctx, now, odd)
		b.ok(err)
		g.Created = now
		equal(b, got, g)
		r := store.Rotation{ID: odd, Seq: 1, Client: odd + "c", Key: odd + "z"}
		equal(b, b.rotate(now, r, store.Rotated).Key, odd+"z")
		list, err := b.s.Grants(b.ctx, now, store.GrantFilter{Client: odd + "c", Subject: odd + "s", Limit: 5})
		b.ok(err)
		equal(b, len(list), 1)
		v := b.put(odd, odd, 0, odd)
		d, err := b.s.Document(b.ctx, odd, odd)
		b.ok(err)
		equal(b, d, store.Document{Kind: odd, ID: odd, Version: v, Body: []byte(odd)})
		equal(b, b.use(now, at(1e9), odd), []bool{true})
		b.revoke(store.OfSubject, odd+"s", now, at(1e9), 1)
		b.revoked(now, now, true, store.Target{Sort: store.OfSubject, ID: odd + "s"})
	}
}

// testCopies holds that no slice is shared with a caller.
func testCopies(b *bench) {
	body := []byte("body")
	_, err := b.s.PutDocument(b.ctx, store.Document{Kind: "a", ID: "a", Body: body})
	b.ok(err)
	g := grant("a")
	g.Body = body
	b.ok(b.s.AddGrant(b.ctx, g))
	b.ok(b.s.AddRecord(b.ctx, now, store.Record{Kind: "a", Key: "a", Body: body, Expires: at(1e9)}))
	body[0] = 'X'
	for range 2 {
		var bodies [][]byte
		d, err := b.s.Document(b.ctx, "a", "a")
		b.ok(err)
		ds, err := b.s.Documents(b.ctx, "a", "", 1)
		b.ok(err)
		g, err := b.s.Grant(b.ctx, now, "a")
		b.ok(err)
		gs, err := b.s.Grants(b.ctx, now, store.GrantFilter{Client: "client", Limit: 1})
		b.ok(err)
		r, err := b.s.Record(b.ctx, now, "a", "a")
		b.ok(err)
		foreign := b.rotate(now, store.Rotation{ID: "a", Client: "other"}, store.Foreign)
		for _, body := range append(bodies, d.Body, ds[0].Body, g.Body, gs[0].Body, r.Body, foreign.Body) {
			equal(b, string(body), "body")
			body[0] = 'X'
		}
	}
}

// together calls f n times at once.
func (b *bench) together(n int, f func(i int)) {
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-begin
			f(i)
		})
	}
	close(begin)
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
}

// race calls f from 64 goroutines on two stores, and returns how often it was true.
func (b *bench) race(f func(s store.Store, i int) (bool, error)) int {
	stores := []store.Store{b.s, b.another()}
	var won atomic.Int64
	b.together(64, func(i int) {
		ok, err := f(stores[i%2], i)
		if err != nil {
			b.Error(err)
		}
		if ok {
			won.Add(1)
		}
	})
	return int(won.Load())
}

func testRaceDocuments(b *bench) {
	put := func(version int64) func(s store.Store, i int) (bool, error) {
		return func(s store.Store, i int) (bool, error) {
			_, err := s.PutDocument(b.ctx, store.Document{Kind: "client", ID: "a", Version: version, Body: fmt.Append(nil, i)})
			if errors.Is(err, store.ErrConflict) {
				return false, nil
			}
			return err == nil, err
		}
	}
	for range 3 {
		d, err := b.s.Document(b.ctx, "client", "a")
		if !errors.Is(err, store.ErrNotFound) {
			b.ok(err)
		}
		equal(b, b.race(put(d.Version)), 1)
	}
	equal(b, b.race(func(s store.Store, _ int) (bool, error) {
		err := s.DeleteDocument(b.ctx, now, "client", "a")
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}), 1)

	// Whoever sees a change has seen all before it.
	done := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		var seen int64
		for all := map[int64]bool{}; ; {
			c, err := b.s.Changes(b.ctx, seen, 1000)
			if err != nil {
				b.Error(err)
				return
			}
			for _, c := range c {
				all[c.Version] = true
				seen = c.Version
			}
			select {
			case <-done:
				if c, err := b.s.Changes(b.ctx, 0, 1000); err != nil || len(c) < 128 {
					b.Errorf("%d changes, %v", len(c), err)
				} else {
					for _, c := range c {
						if c.Version <= seen && !all[c.Version] && c.ID != "a" {
							b.Errorf("change %d became visible after %d", c.Version, seen)
						}
					}
				}
				return
			default:
			}
		}
	})
	equal(b, b.race(func(s store.Store, i int) (bool, error) {
		for j := range 2 {
			if _, err := s.PutDocument(b.ctx, store.Document{Kind: "many", ID: fmt.Sprint(i, j)}); err != nil {
				return false, err
			}
		}
		return true, nil
	}), 64)
	close(done)
	watch.Wait()
}

func testRaceRotations(b *bench) {
	b.add(grant("g"))
	for seq := range int64(5) {
		var repeated atomic.Int64
		equal(b, b.race(func(s store.Store, _ int) (bool, error) {
			o, g, err := s.Rotate(b.ctx, now, store.Rotation{ID: "g", Seq: seq + 1, Client: "client", Retry: time.Minute})
			if err != nil {
				return false, err
			}
			if g.Seq != seq+2 {
				return false, fmt.Errorf("the next token is %d", g.Seq)
			}
			if o == store.Repeated {
				repeated.Add(1)
			}
			return o == store.Rotated, nil
		}), 1)
		equal(b, repeated.Load(), 63)
	}
}

// What is another's neither takes a token nor keeps its owner from it.
func testRaceForeign(b *bench) {
	g := grant("g")
	g.Key, g.Bound = "key", true
	b.add(g)
	for seq := range int64(3) {
		var foreign, repeated atomic.Int64
		equal(b, b.race(func(s store.Store, i int) (bool, error) {
			r := store.Rotation{ID: "g", Seq: seq + 1, Client: "client", Key: "key", Retry: time.Minute}
			switch i % 4 {
			case 0:
				r.Client = "other"
			case 1:
				r.Key = "other"
			}
			o, _, err := s.Rotate(b.ctx, now, r)
			switch {
			case o == store.Foreign && i%4 < 2:
				foreign.Add(1)
			case o == store.Repeated && i%4 >= 2:
				repeated.Add(1)
			}
			return o == store.Rotated && i%4 >= 2, err
		}), 1)
		equal(b, foreign.Load(), 32)
		equal(b, repeated.Load(), 31)
	}
}

// Without a window, whoever comes second is a thief.
func testRaceStolen(b *bench) {
	b.add(grant("g"))
	var reused, rotated atomic.Int64
	b.race(func(s store.Store, _ int) (bool, error) {
		o, _, err := s.Rotate(b.ctx, now, store.Rotation{ID: "g", Seq: 1, Client: "client", Access: time.Hour})
		switch o {
		case store.Rotated:
			rotated.Add(1)
		case store.Reused:
			reused.Add(1)
		case store.Gone:
		default:
			return false, fmt.Errorf("outcome is %d", o)
		}
		return false, err
	})
	equal(b, rotated.Load(), 1)
	equal(b, reused.Load(), 1)
	_, err := b.s.Grant(b.ctx, now, "g")
	b.fails(err, store.ErrNotFound)
	b.revoked(now, now, true, store.Target{Sort: store.OfGrant, ID: "g"})
}

func testRaceRecords(b *bench) {
	for range 3 {
		equal(b, b.race(func(s store.Store, _ int) (bool, error) {
			err := s.AddRecord(b.ctx, now, store.Record{Kind: "code", Key: "k", Expires: at(1e9)})
			if errors.Is(err, store.ErrConflict) {
				return false, nil
			}
			return err == nil, err
		}), 1)
		equal(b, b.race(func(s store.Store, _ int) (bool, error) {
			_, err := s.TakeRecord(b.ctx, now, "code", "k")
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		}), 1)
	}
}

func testRaceUses(b *bench) {
	for i := range 3 {
		equal(b, b.race(func(s store.Store, _ int) (bool, error) {
			fresh, err := s.Use(b.ctx, now, store.Use{Key: fmt.Sprint("k", i), Expires: at(1e9)})
			return err == nil && fresh[0], err
		}), 1)
	}
	// Many at a time, in any order.
	var mu sync.Mutex
	won := map[string]int{}
	b.race(func(s store.Store, i int) (bool, error) {
		uses := make([]store.Use, 20)
		for j := range uses {
			uses[j] = store.Use{Key: fmt.Sprint("m", (i*7+j*(i%3*2+1))%50), Expires: at(1e9)}
		}
		fresh, err := s.Use(b.ctx, now, uses...)
		if err != nil {
			return false, err
		}
		mu.Lock()
		defer mu.Unlock()
		for j, f := range fresh {
			if f {
				won[uses[j].Key]++
			}
		}
		return true, nil
	})
	for k, n := range won {
		if n != 1 {
			b.Errorf("%s was fresh %d times", k, n)
		}
	}
	equal(b, len(won), 50)
}

func testRaceSweep(b *bench) {
	const n = 200
	for i := range n {
		b.use(now, at(time.Minute), fmt.Sprint(i))
	}
	var removed atomic.Int64
	b.race(func(s store.Store, i int) (bool, error) {
		if i%4 == 0 { // while others work
			_, err := s.Use(b.ctx, at(time.Hour), store.Use{Key: fmt.Sprint("new", i), Expires: at(2 * time.Hour)})
			return true, err
		}
		for {
			n, more, err := s.Sweep(b.ctx, at(time.Hour), 10)
			removed.Add(int64(n))
			if err != nil || !more {
				return true, err
			}
		}
	})
	for { // where another held a row, a sweep passes it over
		k, more, err := b.s.Sweep(b.ctx, at(time.Hour), 10)
		b.ok(err)
		removed.Add(int64(k))
		if !more {
			break
		}
	}
	equal(b, removed.Load(), n)
}

// calls returns a call of each method.
func calls(s store.Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"PutDocument": func(ctx context.Context) error {
			_, err := s.PutDocument(ctx, store.Document{Kind: "k", ID: "i"})
			return err
		},
		"Document":       func(ctx context.Context) error { _, err := s.Document(ctx, "k", "i"); return err },
		"DeleteDocument": func(ctx context.Context) error { return s.DeleteDocument(ctx, now, "k", "i") },
		"Documents":      func(ctx context.Context) error { _, err := s.Documents(ctx, "k", "", 1); return err },
		"LastChange":     func(ctx context.Context) error { _, err := s.LastChange(ctx); return err },
		"Changes":        func(ctx context.Context) error { _, err := s.Changes(ctx, 0, 1); return err },
		"AddGrant":       func(ctx context.Context) error { return s.AddGrant(ctx, grant("g")) },
		"Rotate": func(ctx context.Context) error {
			_, _, err := s.Rotate(ctx, now, store.Rotation{ID: "g", Seq: 1, Client: "client"})
			return err
		},
		"Grant": func(ctx context.Context) error { _, err := s.Grant(ctx, now, "g"); return err },
		"Grants": func(ctx context.Context) error {
			_, err := s.Grants(ctx, now, store.GrantFilter{Client: "c", Limit: 1})
			return err
		},
		"AddRecord": func(ctx context.Context) error {
			return s.AddRecord(ctx, now, store.Record{Kind: "k", Key: "r", Expires: at(1e9)})
		},
		"Record":     func(ctx context.Context) error { _, err := s.Record(ctx, now, "k", "r"); return err },
		"TakeRecord": func(ctx context.Context) error { _, err := s.TakeRecord(ctx, now, "k", "r"); return err },
		"Use": func(ctx context.Context) error {
			_, err := s.Use(ctx, now, store.Use{Key: "u", Expires: at(1e9)})
			return err
		},
		"Revoke": func(ctx context.Context) error {
			_, err := s.Revoke(ctx, store.Revocation{Target: store.Target{Sort: store.OfGrant, ID: "g"}, At: now, Expires: at(1e9)})
			return err
		},
		"Revoked": func(ctx context.Context) error {
			_, err := s.Revoked(ctx, now, now, store.Target{Sort: store.OfGrant, ID: "g"})
			return err
		},
		"Sweep": func(ctx context.Context) error { _, _, err := s.Sweep(ctx, now, 1); return err },
		"Ping":  func(ctx context.Context) error { return s.Ping(ctx) },
	}
}

func testCancelled(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	for name, call := range calls(b.s) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			b.Errorf("%s: %v", name, err)
		}
	}
	// Nothing of it was done.
	_, err := b.s.Grant(b.ctx, now, "g")
	b.fails(err, store.ErrNotFound)
	equal(b, b.use(now, at(1e9), "u"), []bool{true})
	b.ok(b.s.Ping(b.ctx))
}

// Callers that leave do not hold up those who stay, and what they left is done
// wholly or not at all.
func testCancelledInFlight(b *bench) {
	var stayed atomic.Int64
	b.together(64, func(i int) {
		for j := range 10 {
			ctx, cancel := b.ctx, context.CancelFunc(func() {})
			if i%2 == 0 {
				ctx, cancel = context.WithTimeout(ctx, time.Duration(i*j)*10*time.Microsecond)
			}
			fresh, err := b.s.Use(ctx, now, store.Use{Key: fmt.Sprint(i, j, "a"), Expires: at(1e9)}, store.Use{Key: fmt.Sprint(i, j, "b"), Expires: at(1e9)})
			cancel()
			switch {
			case err == nil && !(fresh[0] && fresh[1]):
				b.Error("used before it was")
			case err == nil && i%2 == 1:
				stayed.Add(1)
			case err != nil && (i%2 == 1 || !errors.Is(err, context.DeadlineExceeded)):
				b.Error(err)
			}
			again, err2 := b.s.Use(b.ctx, now, store.Use{Key: fmt.Sprint(i, j, "a"), Expires: at(1e9)}, store.Use{Key: fmt.Sprint(i, j, "b"), Expires: at(1e9)})
			switch {
			case err2 != nil:
				b.Error(err2)
			case again[0] != again[1]:
				b.Error("half of it was done")
			case err == nil && again[0]:
				b.Error("used twice")
			}
		}
	})
	equal(b, stayed.Load(), 320)
}

func testClosed(b *bench) {
	s := b.another()
	b.ok(s.Close())
	for name, call := range calls(s) {
		if err := call(b.ctx); !errors.Is(err, store.ErrClosed) {
			b.Errorf("%s: %v", name, err)
		}
	}
	b.ok(s.Close())
}

// Close waits: what was begun before is done or refused, and never left open.
func testClosedInFlight(b *bench) {
	s := b.another()
	var done, refused atomic.Int64
	time.AfterFunc(5*time.Millisecond, func() { s.Close() })
	b.together(64, func(i int) {
		for j := range 1000 {
			fresh, err := s.Use(b.ctx, now, store.Use{Key: fmt.Sprint(i, j), Expires: at(1e9)})
			switch {
			case errors.Is(err, store.ErrClosed):
				refused.Add(1)
				return
			case err != nil:
				b.Error(err)
				return
			case !fresh[0]:
				b.Error("used before it was")
			}
			done.Add(1)
		}
	})
	b.Logf("%d were done, %d refused", done.Load(), refused.Load())
}

// Several processes may start at once, on a place where nothing is yet.
func testOpenedTogether(t *testing.T, backend Backend) {
	b := &bench{T: t, ctx: t.Context(), open: backend.New(t)}
	b.together(8, func(i int) {
		s, err := b.open()
		if err != nil {
			b.Error(err)
			return
		}
		if !backend.Volatile { // of which there is one
			defer s.Close()
		}
		if fresh, err := s.Use(b.ctx, now, store.Use{Key: fmt.Sprint(i), Expires: at(time.Hour)}); err != nil || !fresh[0] {
			b.Error(fresh, err)
		}
	})
	b.s = b.another()
	equal(b, b.use(now, at(time.Hour), "0", "7", "8"), []bool{false, false, true})
}

func testReopened(b *bench) {
	v := b.put("client", "a", 0, "body")
	b.put("client", "gone", 0, "")
	b.ok(b.s.DeleteDocument(b.ctx, now, "client", "gone"))
	b.add(grant("g"))
	g := b.rotate(at(time.Second), store.Rotation{ID: "g", Seq: 1, Client: "client", Key: "key", Idle: time.Hour}, store.Rotated)
	b.ok(b.s.AddRecord(b.ctx, now, store.Record{Kind: "token", Key: "k", Body: []byte("body"), Expires: at(time.Hour)}))
	b.use(now, at(time.Hour), "u")
	b.revoke(store.OfToken, "t", now, at(time.Hour), 0)
	last, err := b.s.LastChange(b.ctx)
	b.ok(err)
	b.ok(b.s.Close())

	b.s = b.another()
	d, err := b.s.Document(b.ctx, "client", "a")
	b.ok(err)
	equal(b, d, store.Document{Kind: "client", ID: "a", Version: v, Body: []byte("body")})
	got, err := b.s.Grant(b.ctx, now, "g")
	b.ok(err)
	equal(b, got, g)
	r, err := b.s.Record(b.ctx, now, "token", "k")
	b.ok(err)
	equal(b, string(r.Body), "body")
	equal(b, b.use(now, at(time.Hour), "u"), []bool{false})
	b.revoked(now, now, true, store.Target{Sort: store.OfToken, ID: "t"})
	n, err := b.s.LastChange(b.ctx)
	b.ok(err)
	equal(b, n, last)
	c, err := b.s.Changes(b.ctx, v, 5)
	b.ok(err)
	equal(b, len(c), 1)
}
