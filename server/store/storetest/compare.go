package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// Compare makes n random calls of two empty stores, and expects the same of both.
func Compare(t *testing.T, a, b store.Store, n int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	when := now
	for i := range n {
		when = when.Add(time.Duration(r.IntN(3000)) * time.Millisecond)
		call, what := anyCall(t, r, when)
		got, want := call(b), call(a)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("call %d, %s, at %v\ngot  %+v\nwant %+v", i, what, when.Sub(now), got, want)
		}
	}
}

// anyCall returns a call of any method, and what it is.
func anyCall(t *testing.T, r *rand.Rand, when time.Time) (func(store.Store) []any, string) {
	ctx := t.Context()
	pick := func(prefix string, n int) string { return fmt.Sprint(prefix, r.IntN(n)) }
	soon := func() time.Time { return when.Add(time.Duration(r.IntN(60000)-5000) * time.Millisecond) }
	kind, id := pick("k", 2), pick("i", 6)
	switch r.IntN(16) {
	case 0, 1:
		// The versions of both stores differ where changes were undone; so this asks first.
		stale, body := r.IntN(4) == 0, pick("b", 100)
		return func(s store.Store) []any {
			d, err := s.Document(ctx, kind, id)
			d.Kind, d.ID, d.Body = kind, id, []byte(body)
			if stale {
				d.Version++
			}
			_, err2 := s.PutDocument(ctx, d)
			return result(err, err2)
		}, "put " + kind + " " + id
	case 2:
		return func(s store.Store) []any { return result(s.DeleteDocument(ctx, when, kind, id)) }, "delete " + id
	case 3:
		after, limit := pick("i", 6), 1+r.IntN(4)
		return func(s store.Store) []any {
			ds, err := s.Documents(ctx, kind, after, limit)
			out := result(err)
			for _, d := range ds {
				out = append(out, d.ID, string(d.Body))
			}
			cs, err := s.Changes(ctx, 0, limit)
			out = append(out, result(err)...)
			for _, c := range cs {
				out = append(out, c.Kind, c.ID)
			}
			return out
		}, "list " + kind
	case 4, 5:
		g := store.Grant{
			ID: pick("g", 30), Client: pick("c", 2), Subject: pick("s", 3), Key: pick("x", 2), Bound: r.IntN(2) == 0,
			Body: []byte(pick("b", 100)), Seq: 1, Created: when, Rotated: when, Expires: soon(), Until: when.Add(2 * time.Minute),
		}
		return func(s store.Store) []any { return result(s.AddGrant(ctx, g)) }, fmt.Sprintf("add %+v", g)
	case 6, 7, 8:
		x := store.Rotation{
			ID: pick("g", 30), Client: pick("c", 2), Key: pick("x", 2), Retry: time.Duration(r.IntN(2)) * 10 * time.Second,
			Idle: time.Duration(r.IntN(60000)) * time.Millisecond, Access: time.Minute,
		}
		behind := int64(r.IntN(12)) / 4
		return func(s store.Store) []any {
			g, err := s.Grant(ctx, when, x.ID)
			x.Seq = g.Seq - behind
			o, g2, err2 := s.Rotate(ctx, when, x)
			return append(result(err, err2), g, o, g2)
		}, fmt.Sprintf("rotate %+v", x)
	case 9:
		f := store.GrantFilter{Client: pick("c", 2), Subject: pick("s", 3), After: pick("g", 30), Limit: 1 + r.IntN(4)}
		return func(s store.Store) []any {
			gs, err := s.Grants(ctx, when, f)
			return append(result(err), fmt.Sprintf("%+v", gs))
		}, fmt.Sprintf("list %+v", f)
	case 10:
		x := store.Record{Kind: kind, Key: id, Body: []byte(pick("b", 100)), Expires: soon()}
		return func(s store.Store) []any { return result(s.AddRecord(ctx, when, x)) }, "add record"
	case 11:
		take := r.IntN(2) == 0
		return func(s store.Store) []any {
			f := s.Record
			if take {
				f = s.TakeRecord
			}
			x, err := f(ctx, when, kind, id)
			return append(result(err), x)
		}, "record"
	case 12:
		uses := []store.Use{{Key: pick("u", 10), Expires: soon()}, {Key: pick("u", 10), Expires: soon()}}
		return func(s store.Store) []any {
			fresh, err := s.Use(ctx, when, uses...)
			return append(result(err), fresh)
		}, fmt.Sprintf("use %+v", uses)
	case 13:
		x := store.Revocation{
			Target: store.Target{Sort: []store.Sort{store.OfToken, store.OfGrant, store.OfClient, store.OfSubject}[r.IntN(4)], ID: pick([]string{"g", "c", "s"}[r.IntN(3)], 30)},
			At:     when.Add(time.Duration(r.IntN(60)-60) * time.Second), Expires: soon(),
		}
		return func(s store.Store) []any {
			n, err := s.Revoke(ctx, x)
			return append(result(err), n)
		}, fmt.Sprintf("revoke %+v", x)
	case 14:
		issued := when.Add(-time.Duration(r.IntN(60)) * time.Second)
		of := []store.Target{{Sort: store.OfGrant, ID: pick("g", 30)}, {Sort: store.OfClient, ID: pick("c", 30)}, {Sort: store.OfToken, ID: pick("s", 30)}}
		return func(s store.Store) []any {
			ok, err := s.Revoked(ctx, when, issued, of...)
			return append(result(err), ok)
		}, fmt.Sprintf("revoked %+v", of)
	}
	return func(s store.Store) []any {
		total := 0
		for {
			n, more, err := s.Sweep(ctx, when, 3)
			total += n
			if err != nil || !more {
				return append(result(err), total)
			}
		}
	}, "sweep"
}

// result returns what is equal in all stores of errors.
func result(errs ...error) (out []any) {
	for _, err := range errs {
		for _, e := range []error{store.ErrNotFound, store.ErrConflict, store.ErrInvalid} {
			if errors.Is(err, e) {
				err = e
			}
		}
		out = append(out, err)
	}
	return out
}
