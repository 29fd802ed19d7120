package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
)

var now = time.UnixMilli(1_800_000_000_123)

func TestValidName(t *testing.T) {
	for s, want := range map[string]bool{
		"":                                   false,
		"a":                                  true,
		strings.Repeat("a", store.MaxName):   true,
		strings.Repeat("a", store.MaxName+1): false,
		"https://as.example/日":               true,
		"a\x00":                              false,
		"\xff":                               false,
		strings.Repeat("ä", store.MaxName/2) + "": true,
	} {
		if store.ValidName(s) != want || store.ValidName("x", s) != want || store.ValidName(s, "x") != want {
			t.Errorf("%.20q: %t", s, !want)
		}
	}
	if !store.ValidName() {
		t.Error("no name is invalid, and there is none")
	}
}

type checker interface{ Check() error }

func TestCheck(t *testing.T) {
	long := strings.Repeat("x", store.MaxName+1)
	big := make([]byte, store.MaxBody+1)
	doc := store.Document{Kind: "k", ID: "i", Version: 1, Body: big[1:]}
	grant := store.Grant{ID: "g", Client: "c", Subject: "s", Key: "k", Bound: true, Body: big[1:], Created: now, Rotated: now, Expires: now, Until: now}
	rotation := store.Rotation{Client: "c"}
	record := store.Record{Kind: "k", Key: "\x00\xff", Body: big[1:], Expires: now}
	use := store.Use{Key: "\x00\xff", Expires: now}
	revocation := store.Revocation{Target: store.Target{Sort: store.OfToken, ID: "i"}, At: now, Expires: now}
	filter := store.GrantFilter{Client: "c", Limit: 1}
	with := func(c checker, change func(any)) checker {
		switch c := c.(type) {
		case store.Document:
			change(&c)
			return c
		case store.Grant:
			change(&c)
			return c
		case store.Rotation:
			change(&c)
			return c
		case store.Record:
			change(&c)
			return c
		case store.Use:
			change(&c)
			return c
		case store.Revocation:
			change(&c)
			return c
		case store.GrantFilter:
			change(&c)
			return c
		}
		panic("unknown")
	}
	for name, c := range map[string]struct {
		base   checker
		change func(any)
	}{
		"document kind":      {doc, func(x any) { x.(*store.Document).Kind = "" }},
		"document id":        {doc, func(x any) { x.(*store.Document).ID = long }},
		"document version":   {doc, func(x any) { x.(*store.Document).Version = -1 }},
		"document body":      {doc, func(x any) { x.(*store.Document).Body = big }},
		"grant id":           {grant, func(x any) { x.(*store.Grant).ID = "" }},
		"grant client":       {grant, func(x any) { x.(*store.Grant).Client = "" }},
		"grant subject":      {grant, func(x any) { x.(*store.Grant).Subject = "\xff" }},
		"grant key":          {grant, func(x any) { x.(*store.Grant).Key = "\x00" }},
		"grant bound":        {grant, func(x any) { x.(*store.Grant).Key = "" }},
		"grant seq":          {grant, func(x any) { x.(*store.Grant).Seq = -1 }},
		"grant body":         {grant, func(x any) { x.(*store.Grant).Body = big }},
		"grant created":      {grant, func(x any) { x.(*store.Grant).Created = time.Time{} }},
		"grant rotated":      {grant, func(x any) { x.(*store.Grant).Rotated = time.Time{} }},
		"grant expires":      {grant, func(x any) { x.(*store.Grant).Expires = time.Time{} }},
		"grant until":        {grant, func(x any) { x.(*store.Grant).Until = now.Add(-1) }},
		"rotation client":    {rotation, func(x any) { x.(*store.Rotation).Client = "" }},
		"rotation key":       {rotation, func(x any) { x.(*store.Rotation).Key = "\xff" }},
		"rotation retry":     {rotation, func(x any) { x.(*store.Rotation).Retry = -1 }},
		"rotation idle":      {rotation, func(x any) { x.(*store.Rotation).Idle = -1 }},
		"rotation access":    {rotation, func(x any) { x.(*store.Rotation).Access = -1 }},
		"record kind":        {record, func(x any) { x.(*store.Record).Kind = "" }},
		"record key":         {record, func(x any) { x.(*store.Record).Key = "" }},
		"record long key":    {record, func(x any) { x.(*store.Record).Key = long }},
		"record body":        {record, func(x any) { x.(*store.Record).Body = big }},
		"record expires":     {record, func(x any) { x.(*store.Record).Expires = time.Time{} }},
		"use key":            {use, func(x any) { x.(*store.Use).Key = "" }},
		"use long key":       {use, func(x any) { x.(*store.Use).Key = long }},
		"use expires":        {use, func(x any) { x.(*store.Use).Expires = time.Time{} }},
		"revocation sort":    {revocation, func(x any) { x.(*store.Revocation).Sort = "other" }},
		"revocation id":      {revocation, func(x any) { x.(*store.Revocation).ID = "" }},
		"revocation at":      {revocation, func(x any) { x.(*store.Revocation).At = time.Time{} }},
		"revocation expires": {revocation, func(x any) { x.(*store.Revocation).Expires = time.Time{} }},
		"filter limit":       {filter, func(x any) { x.(*store.GrantFilter).Limit = 0 }},
		"filter all":         {filter, func(x any) { x.(*store.GrantFilter).Client = "" }},
	} {
		if err := c.base.Check(); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		if err := with(c.base, c.change).Check(); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ok := range []checker{
		store.Grant{ID: "g", Client: "c", Created: now, Rotated: now, Expires: now, Until: now},
		store.GrantFilter{Subject: "s", Limit: 1},
		store.Document{Kind: "k", ID: "i"},
	} {
		if err := ok.Check(); err != nil {
			t.Errorf("%+v: %v", ok, err)
		}
	}
}

func TestEnded(t *testing.T) {
	for d, want := range map[time.Duration]bool{
		-time.Hour: true, 0: true, time.Millisecond: false, time.Hour: false,
		// Less than a millisecond is not kept, so it does not count.
		time.Nanosecond: true, 876 * time.Microsecond: true, 877 * time.Microsecond: true,
	} {
		if store.Ended(now, now.Add(d)) != want {
			t.Errorf("%v: %t", d, !want)
		}
	}
}

// Who comes second may have begun first, here or where the clock is behind.
func TestJudgeBefore(t *testing.T) {
	g := store.Grant{Client: "client", Seq: 1, Created: now, Rotated: now, Expires: now.Add(time.Hour), Until: now.Add(time.Hour)}
	for retry, want := range map[time.Duration]store.Outcome{0: store.Reused, time.Minute: store.Repeated} {
		if got := g.Judge(now.Add(-time.Second), store.Rotation{Client: "client", Retry: retry}); got != want {
			t.Errorf("with a retry of %v: %v", retry, got)
		}
	}
}

// A failing store fails always.
type failing struct {
	store.Store
	err error
}

func (f failing) Use(context.Context, time.Time, ...store.Use) ([]bool, error) { return nil, f.err }

func (f failing) Document(context.Context, string, string) (store.Document, error) {
	return store.Document{}, f.err
}

func (f failing) PutDocument(context.Context, store.Document) (int64, error) { return 0, f.err }

var errBoom = errors.New("boom")

func TestReplay(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	when := now
	clock := func() time.Time { return when }
	dpop, assertion := store.NewReplay(s, "dpop", clock), store.NewReplay(s, "assertion", clock)
	seen := func(r interface {
		Seen(context.Context, string, string, time.Duration) (bool, error)
	}, issuer, id string, want bool,
	) {
		t.Helper()
		if got, err := r.Seen(ctx, issuer, id, time.Minute); got != want || err != nil {
			t.Errorf("seen is %t, %v", got, err)
		}
	}
	seen(dpop, "ab", "c", false)
	seen(dpop, "ab", "c", true)
	seen(dpop, "a", "bc", false)
	seen(assertion, "ab", "c", false)
	when = now.Add(time.Minute - time.Millisecond)
	seen(dpop, "ab", "c", true)
	when = now.Add(time.Minute)
	seen(dpop, "ab", "c", false)
	seen(store.NewReplay(s, "real", nil), "a", "b", false)
	if fresh, err := s.Use(ctx, time.Now().Add(50*time.Second), store.Use{Key: store.UseKey("real", "a", "b"), Expires: time.Now().Add(time.Hour)}); err != nil || fresh[0] {
		t.Error("without a clock it is not time.Now: ", fresh, err)
	}
	if got, err := store.NewReplay(failing{err: errBoom}, "x", nil).Seen(ctx, "a", "b", time.Minute); got || !errors.Is(err, errBoom) {
		t.Error(got, err)
	}
}

func TestKeys(t *testing.T) {
	ctx := t.Context()
	s := memstore.New()
	k := store.NewKeys(s, "as")
	data, version, err := k.Load(ctx)
	if data != nil || version != "" || err != nil {
		t.Fatal(data, version, err)
	}
	v1, err := k.Save(ctx, []byte("one"), "")
	if err != nil || v1 == "" {
		t.Fatal(v1, err)
	}
	for _, old := range []string{"", "0", "-1", "999", "x"} {
		if _, err := k.Save(ctx, []byte("two"), old); !errors.Is(err, keyset.ErrConflict) {
			t.Errorf("%q: %v", old, err)
		}
	}
	v2, err := k.Save(ctx, []byte("two"), v1)
	if err != nil || v2 == v1 {
		t.Fatal(v2, err)
	}
	if _, err := k.Save(ctx, []byte("three"), v1); !errors.Is(err, keyset.ErrConflict) {
		t.Error(err)
	}
	data, version, err = k.Load(ctx)
	if string(data) != "two" || version != v2 || err != nil {
		t.Error(string(data), version, err)
	}
	if _, v, _ := store.NewKeys(s, "other").Load(ctx); v != "" {
		t.Error("another has the same keys")
	}
	broken := store.NewKeys(failing{err: errBoom}, "as")
	if _, _, err := broken.Load(ctx); !errors.Is(err, errBoom) {
		t.Error(err)
	}
	if _, err := broken.Save(ctx, nil, ""); !errors.Is(err, errBoom) {
		t.Error(err)
	}

	// Two processes make the keys of a new issuer: one set of them is kept.
	rotations := make([]*keyset.Rotation, 2)
	for i := range rotations {
		if rotations[i], err = keyset.NewRotation(store.NewKeys(s, "new"), keyset.Timetable{}, jwa.ES256); err != nil {
			t.Fatal(err)
		}
	}
	var kids []string
	for _, r := range rotations {
		set, _, err := r.Set(ctx)
		if err != nil {
			t.Fatal(err)
		}
		kids = append(kids, set[0].KeyID())
	}
	if kids[0] != kids[1] {
		t.Error("two sets of keys: ", kids)
	}
}
