package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/server/store"
)

var errBoom = errors.New("boom")

// A sqlState is an error as drivers of PostgreSQL make them.
type sqlState string

func (s sqlState) Error() string    { return "state " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

// both are the two dialects, with how the fake has to answer them.
var both = map[string]struct {
	open func(context.Context, driver.Driver, string, Options) (*Store, error)
	want string
}{
	"SQLite":     {SQLite, "wal"},
	"PostgreSQL": {PostgreSQL, "read committed"},
}

func openFake(t *testing.T, dialect string, o Options) (*Store, *fake) {
	t.Helper()
	f := newFake(both[dialect].want)
	o.Writers = 1
	s, err := both[dialect].open(t.Context(), f, "name", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, f
}

func end() time.Time { return now.Add(time.Hour) }

func aGrant(id string) store.Grant {
	return store.Grant{ID: id, Client: "client", Created: now, Rotated: now, Expires: end(), Until: end()}
}

// calls are a call of each method that reaches the database.
var calls = map[string]func(context.Context, *Store) error{
	"PutDocument new": func(ctx context.Context, s *Store) error {
		_, err := s.PutDocument(ctx, store.Document{Kind: "k", ID: "i"})
		return err
	},
	"PutDocument": func(ctx context.Context, s *Store) error {
		_, err := s.PutDocument(ctx, store.Document{Kind: "k", ID: "i", Version: 1})
		return err
	},
	"Document":       func(ctx context.Context, s *Store) error { _, err := s.Document(ctx, "k", "i"); return err },
	"DeleteDocument": func(ctx context.Context, s *Store) error { return s.DeleteDocument(ctx, now, "k", "i") },
	"Documents":      func(ctx context.Context, s *Store) error { _, err := s.Documents(ctx, "k", "", 1); return err },
	"LastChange":     func(ctx context.Context, s *Store) error { _, err := s.LastChange(ctx); return err },
	"Changes":        func(ctx context.Context, s *Store) error { _, err := s.Changes(ctx, 0, 1); return err },
	"AddGrant":       func(ctx context.Context, s *Store) error { return s.AddGrant(ctx, aGrant("g")) },
	"Rotate": func(ctx context.Context, s *Store) error {
		_, _, err := s.Rotate(ctx, now, store.Rotation{ID: "g", Seq: 1, Client: "client"})
		return err
	},
	"Rotate stolen": func(ctx context.Context, s *Store) error {
		_, _, err := s.Rotate(ctx, now, store.Rotation{ID: "stolen", Seq: 1, Client: "client"})
		return err
	},
	"Grant": func(ctx context.Context, s *Store) error { _, err := s.Grant(ctx, now, "g"); return err },
	"Grants": func(ctx context.Context, s *Store) error {
		_, err := s.Grants(ctx, now, store.GrantFilter{Client: "c", Limit: 1})
		return err
	},
	"AddRecord": func(ctx context.Context, s *Store) error {
		return s.AddRecord(ctx, now, store.Record{Kind: "k", Key: "r", Expires: end()})
	},
	"Record":     func(ctx context.Context, s *Store) error { _, err := s.Record(ctx, now, "k", "r"); return err },
	"TakeRecord": func(ctx context.Context, s *Store) error { _, err := s.TakeRecord(ctx, now, "k", "r"); return err },
	"Use": func(ctx context.Context, s *Store) error {
		_, err := s.Use(ctx, now, store.Use{Key: "a", Expires: end()}, store.Use{Key: "b", Expires: end()})
		return err
	},
	"Revoke grant": func(ctx context.Context, s *Store) error {
		_, err := s.Revoke(ctx, store.Revocation{Target: store.Target{Sort: store.OfGrant, ID: "g"}, At: now, Expires: end()})
		return err
	},
	"Revoke client": func(ctx context.Context, s *Store) error {
		_, err := s.Revoke(ctx, store.Revocation{Target: store.Target{Sort: store.OfClient, ID: "c"}, At: now, Expires: end()})
		return err
	},
	"Revoked": func(ctx context.Context, s *Store) error {
		_, err := s.Revoked(ctx, now, now, store.Target{Sort: store.OfGrant, ID: "g"})
		return err
	},
	"Sweep": func(ctx context.Context, s *Store) error { _, _, err := s.Sweep(ctx, now, 1); return err },
	"Ping":  func(ctx context.Context, s *Store) error { return s.Ping(ctx) },
}

func (f *fake) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log, f.took, f.failAt, f.err, f.failing, f.errs = nil, 0, 0, nil, "", nil
	f.rotated = [][]driver.Value{fakeGrant("g", 2)}
	f.grants = [][]driver.Value{fakeGrant("stolen", 9)}
}

// TestFailures lets each step of each method fail, in turn.
func TestFailures(t *testing.T) {
	for dialect := range both {
		for name, call := range calls {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				s, f := openFake(t, dialect, Options{Readers: 1})
				f.reset()
				if err := call(t.Context(), s); err != nil && !errors.Is(err, store.ErrNotFound) {
					t.Fatal(err)
				}
				steps := 0
				for n := 1; ; n++ {
					s, f := openFake(t, dialect, Options{Readers: 1})
					f.reset()
					f.mu.Lock()
					f.failAt, f.err = n, errBoom
					f.mu.Unlock()
					err := call(t.Context(), s)
					f.mu.Lock()
					log := slices.Clone(f.log)
					begun := len(f.begun)
					f.mu.Unlock()
					if len(log) < n {
						break
					}
					steps++
					what := log[n-1]
					switch {
					case strings.HasPrefix(what, "close"):
						// That a thing cannot be closed is no failure of what was done.
					case !errors.Is(err, errBoom):
						t.Errorf("step %d, %q: the error is %v", n, what, err)
					}
					if err != nil && begun != 0 {
						t.Errorf("step %d, %q: a transaction is left open", n, what)
					}
					if err != nil && slices.Contains(log[min(n, len(log)):], "COMMIT") {
						t.Errorf("step %d, %q: half of it is committed: %q", n, what, log)
					}
					// The next call finds everything in order.
					f.reset()
					if err := call(t.Context(), s); err != nil && !errors.Is(err, store.ErrNotFound) {
						t.Errorf("after step %d, %q: %v", n, what, err)
					}
				}
				if steps < 2 {
					t.Errorf("%d steps", steps)
				}
			})
		}
	}
}
