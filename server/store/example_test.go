package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
)

// Two administrators change a client. The second has not seen what the first did, and is
// told so. Another process keeps clients in memory, and asks what has changed, at least once
// in store.KeepChanges.
func ExampleDocumentStore() {
	ctx := context.Background()
	var s store.DocumentStore = memstore.New()

	version, _ := s.PutDocument(ctx, store.Document{Kind: "client", ID: "app", Body: []byte(`{"scope":"read"}`)})
	known, _ := s.LastChange(ctx) // what is cached from here on is newer

	_, err := s.PutDocument(ctx, store.Document{Kind: "client", ID: "app", Version: version, Body: []byte(`{"scope":"read write"}`)})
	fmt.Println("the first:", err)
	_, err = s.PutDocument(ctx, store.Document{Kind: "client", ID: "app", Version: version, Body: []byte(`{}`)})
	fmt.Println("the second:", errors.Is(err, store.ErrConflict))

	var changes []store.Change
	changes, _ = s.Changes(ctx, known, 100)
	for _, c := range changes {
		fmt.Println("forget the", c.Kind, c.ID)
	}
	page, _ := s.Documents(ctx, "client", "", 100)
	fmt.Println(len(page), "client")

	_ = s.DeleteDocument(ctx, time.Now(), "client", "app")
	_, err = s.Document(ctx, "client", "app")
	fmt.Println(errors.Is(err, store.ErrNotFound), store.KeepChanges)
	// Output:
	// the first: <nil>
	// the second: true
	// forget the client app
	// 1 client
	// true 1h0m0s
}

// A client refreshes its token, repeats the request because the answer was lost, and
// goes on. Then someone comes with the token that was stolen from it before.
func ExampleGrantStore() {
	ctx := context.Background()
	var s store.GrantStore = memstore.New()
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)

	_ = s.AddGrant(ctx, store.Grant{
		ID: "y8fZ2Q", Client: "app", Subject: "alice", Body: []byte(`{"scope":"read"}`), Seq: 1,
		Created: now, Rotated: now, Expires: now.Add(24 * time.Hour), Until: now.Add(30 * 24 * time.Hour),
	})
	names := map[store.Outcome]string{
		store.Gone: "invalid_grant", store.Foreign: "invalid_grant", store.Reused: "invalid_grant, and an alarm",
		store.Rotated: "the next token", store.Repeated: "the same token again",
	}
	for _, seq := range []int64{1, 1, 2, 1, 3} {
		outcome, g, err := s.Rotate(ctx, now, store.Rotation{
			ID: "y8fZ2Q", Seq: seq, Client: "app", Retry: 10 * time.Second, Idle: 24 * time.Hour, Access: 10 * time.Minute,
		})
		fmt.Println(seq, "→", g.Seq, names[outcome], err)
	}
	_, err := s.Grant(ctx, now, "y8fZ2Q")
	fmt.Println(err)
	grants, _ := s.Grants(ctx, now, store.GrantFilter{Subject: "alice", Limit: 100})
	fmt.Println(len(grants), "grants of alice")
	// Output:
	// 1 → 2 the next token <nil>
	// 1 → 2 the same token again <nil>
	// 2 → 3 the next token <nil>
	// 1 → 3 invalid_grant, and an alarm <nil>
	// 3 → 0 invalid_grant <nil>
	// there is none in the store
	// 0 grants of alice
}

// A code is taken by one.
func ExampleRecordStore() {
	ctx := context.Background()
	var s store.RecordStore = memstore.New()
	now := time.Now()

	_ = s.AddRecord(ctx, now, store.Record{Kind: "code", Key: "hash of it", Body: []byte("{}"), Expires: now.Add(time.Minute)})
	r, _ := s.Record(ctx, now, "code", "hash of it")
	fmt.Println(string(r.Body))
	_, err := s.TakeRecord(ctx, now, "code", "hash of it")
	fmt.Println("the first:", err)
	_, err = s.TakeRecord(ctx, now, "code", "hash of it")
	fmt.Println("the second:", err)
	// Output:
	// {}
	// the first: <nil>
	// the second: there is none in the store
}

// All that a client has is revoked; what it gets tomorrow is not.
func ExampleRevocationStore() {
	ctx := context.Background()
	var s store.RevocationStore = memstore.New()
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)

	_, _ = s.Revoke(ctx, store.Revocation{
		Target: store.Target{Sort: store.OfClient, ID: "app"}, At: now,
		Expires: now.Add(time.Hour), // no access token lives longer
	})
	for _, issued := range []time.Time{now.Add(-time.Minute), now.Add(time.Minute)} {
		revoked, _ := s.Revoked(ctx, now.Add(2*time.Minute), issued,
			store.Target{Sort: store.OfToken, ID: "jti of the token"}, store.Target{Sort: store.OfGrant, ID: "y8fZ2Q"},
			store.Target{Sort: store.OfClient, ID: "app"}, store.Target{Sort: store.OfSubject, ID: "alice"})
		fmt.Println(revoked)
	}
	var sort store.Sort = store.OfClient
	fmt.Println(sort)
	// Output:
	// true
	// false
	// client
}

// Proofs are accepted once, whichever process gets them.
func ExampleNewReplay() {
	ctx := context.Background()
	var s store.UseStore = memstore.New()

	proofs := store.NewReplay(s, "dpop", time.Now) // for dpop.Policy.Replay
	for range 2 {
		seen, err := proofs.Seen(ctx, "thumbprint of the key", "jti", time.Minute)
		fmt.Println(seen, err)
	}

	// Several in one step:
	end := time.Now().Add(time.Minute)
	fresh, err := s.Use(ctx, time.Now(),
		store.Use{Key: store.UseKey("assertion", "https://client.example", "1"), Expires: end},
		store.Use{Key: store.UseKey("dpop", "thumbprint of the key", "jti"), Expires: end})
	fmt.Println(fresh, err)
	// Output:
	// false <nil>
	// true <nil>
	// [true false] <nil>
}

// The keys that sign tokens are a document: all processes rotate them together.
func ExampleNewKeys() {
	s := memstore.New()
	rotation, err := keyset.NewRotation(store.NewKeys(s, "tokens"), keyset.Timetable{}, jwa.ES256)
	if err != nil {
		panic(err)
	}
	set, _, err := rotation.Set(context.Background())
	fmt.Println(len(set), "keys,", err) // that which signs, and the next
	d, _ := s.Documents(context.Background(), store.KindKeys, "", 10)
	fmt.Println(d[0].ID)
	// Output:
	// 2 keys, <nil>
	// tokens
}

// Whoever writes a store checks what it is given, and judges rotations, by the functions
// for that.
func ExampleGrant_Judge() {
	now := time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)
	g := store.Grant{ID: "y8fZ2Q", Client: "app", Seq: 7, Created: now, Rotated: now, Expires: now.Add(time.Hour), Until: now.Add(time.Hour)}
	fmt.Println(g.Check(), store.ValidName(g.ID, g.Client), store.Ended(now, g.Expires), store.MaxName, store.MaxBody)
	fmt.Println(g.Judge(now, store.Rotation{Client: "app", Seq: 7}) == store.Rotated)
	fmt.Println(g.Judge(now, store.Rotation{Client: "app", Seq: 6, Retry: time.Minute}) == store.Repeated)
	fmt.Println(errors.Is(store.Grant{}.Check(), store.ErrInvalid))
	// Output:
	// <nil> true false 1024 1048576
	// true
	// true
	// true
}

// A server cleans up now and then, and closes its store at the end.
func ExampleStore() {
	ctx := context.Background()
	var s store.Store = memstore.New()

	_, _ = s.Use(ctx, time.Now(), store.Use{Key: "k", Expires: time.Now().Add(time.Minute)})
	for more := true; more; {
		var removed int
		removed, more, _ = s.Sweep(ctx, time.Now().Add(time.Hour), 1000)
		fmt.Println(removed, more)
	}
	fmt.Println(s.Ping(ctx), s.Close())
	fmt.Println(errors.Is(s.Ping(ctx), store.ErrClosed))
	// Output:
	// 1 false
	// <nil> <nil>
	// true
}
