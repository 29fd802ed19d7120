package stores_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/jotsuite/jot/cmd/jot/internal/pgtest"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/sqlstore"
	"github.com/jotsuite/jot/server/store"
	"github.com/jotsuite/jot/server/store/storetest"
)

func openSQLite(o sqlstore.Options) func(string) (store.Store, error) {
	return func(path string) (store.Store, error) {
		return asStore(sqlstore.SQLite(context.Background(), &sqlite.Driver{}, path, o))
	}
}

func openPostgreSQL(url string) (store.Store, error) {
	return asStore(sqlstore.PostgreSQL(context.Background(), stdlib.GetDefaultDriver(), url, sqlstore.Options{}))
}

// asStore keeps a nil store from being one that is not nil.
func asStore(s *sqlstore.Store, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

func newSQLite(t *testing.T) string { return filepath.Join(t.TempDir(), "jot.db") }

func TestSQLite(t *testing.T) {
	for name, o := range map[string]sqlstore.Options{"Full": {}, "Fast": {Fast: true}} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, storetest.Backend{New: func(t *testing.T) storetest.Open {
				path := newSQLite(t)
				return func() (store.Store, error) { return openSQLite(o)(path) }
			}})
		})
	}
}

func TestSQLiteLikeMemory(t *testing.T) {
	s, err := openSQLite(sqlstore.Options{Fast: true})(newSQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	storetest.Compare(t, memstore.New(), s, 3000)
}

func TestSQLiteCrash(t *testing.T) {
	storetest.Crash(t, newSQLite, openSQLite(sqlstore.Options{}))
}

func TestSQLiteFastCrash(t *testing.T) {
	storetest.Crash(t, newSQLite, openSQLite(sqlstore.Options{Fast: true}))
}

// startPostgres starts a server, which waits for the disk where processes are killed often.
func startPostgres(t testing.TB) *pgtest.Server {
	return pgtest.Start(t, os.Getenv(storetest.EnvKills) != "")
}

func TestPostgreSQL(t *testing.T) {
	p := startPostgres(t)
	t.Run("Suite", func(t *testing.T) {
		storetest.Run(t, storetest.Backend{New: func(t *testing.T) storetest.Open {
			url := p.Place(t)
			return func() (store.Store, error) { return openPostgreSQL(url) }
		}})
	})
	t.Run("LikeMemory", func(t *testing.T) {
		s, err := openPostgreSQL(p.Place(t))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		storetest.Compare(t, memstore.New(), s, 3000)
	})
}

func TestPostgreSQLCrash(t *testing.T) {
	storetest.Crash(t, func(t *testing.T) string {
		p := startPostgres(t)
		return p.Place(t)
	}, openPostgreSQL)
}

// TestReplicas has three replicas on one database and 64 clients that use everything twice,
// while a replica is closed, and the database ends without a word and is started again.
func TestReplicas(t *testing.T) {
	p := startPostgres(t)
	url := p.Place(t)
	var replicas []store.Store
	for range 3 {
		s, err := openPostgreSQL(url)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		replicas = append(replicas, s)
	}
	ctx := t.Context()
	now := time.Now()
	length := 2 * time.Second
	if os.Getenv(storetest.EnvKills) != "" {
		length = 20 * time.Second
	}
	var mu sync.Mutex
	won := map[string]int{}
	var failed, done int
	var lastFailed, up time.Time
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var round atomic.Int64 // all clients use the same, on different replicas
	for c := range 64 {
		clients.Go(func() {
			for n := c; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				s := replicas[n%3]
				at := round.Add(1)
				key, id := fmt.Sprint("jti", at/100), fmt.Sprint("grant", at/1000)
				fresh, err := s.Use(ctx, now, store.Use{Key: key, Expires: now.Add(time.Hour)})
				var made []bool
				if err == nil {
					made, err = s.Use(ctx, now, store.Use{Key: id, Expires: now.Add(time.Hour)})
				}
				if err == nil && made[0] {
					err = s.AddGrant(ctx, store.Grant{
						ID: id, Client: "client", Created: now, Rotated: now, Expires: now.Add(time.Hour), Until: now.Add(time.Hour),
					})
				}
				var o store.Outcome
				var g store.Grant
				if err == nil {
					// Who was two behind is taken for a thief, and then there is no grant for anyone.
					if g, err = s.Grant(ctx, now, id); err == nil {
						o, _, err = s.Rotate(ctx, now, store.Rotation{ID: id, Seq: g.Seq, Client: "client", Retry: time.Hour})
					} else if errors.Is(err, store.ErrNotFound) {
						err = nil
					}
				}
				mu.Lock()
				switch {
				case errors.Is(err, store.ErrClosed):
				case err != nil:
					failed, lastFailed = failed+1, time.Now()
				default:
					done++
				}
				if fresh != nil && fresh[0] {
					won[key]++
				}
				if err == nil && o == store.Rotated {
					won[fmt.Sprint(id, " ", g.Seq)]++
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	time.Sleep(length / 4)
	p.Stop()
	time.Sleep(length / 8)
	p.Start()
	up = time.Now()
	time.Sleep(length / 4)
	replicas[2].Close()
	time.Sleep(length / 4)
	close(stop)
	clients.Wait()
	for key, n := range won {
		if n != 1 {
			t.Errorf("%s had %d winners", key, n)
		}
	}
	t.Logf("%d requests, %d failed, %d winners; the last failed %v after the database was up", done, failed, len(won), lastFailed.Sub(up))
	if failed == 0 || done == 0 || len(won) < 10 {
		t.Error("nothing was tried")
	}
	if lastFailed.Sub(up) > time.Second {
		t.Error("requests failed after the database was up")
	}
	for _, s := range replicas[:2] {
		if err := s.Ping(ctx); err != nil {
			t.Error(err)
		}
	}
}

// A store that was opened while the database was there works when it is back, though all
// its connections are dead.
func TestDatabaseReturns(t *testing.T) {
	p := startPostgres(t)
	s, err := openPostgreSQL(p.Place(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 2 {
		if _, err := s.Use(t.Context(), time.Now(), store.Use{Key: fmt.Sprint(i), Expires: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.LastChange(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.Stop()
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a database that is not there answers")
		}
		if _, err := s.LastChange(t.Context()); err == nil {
			t.Error("a database that is not there answers")
		}
		p.Start()
	}
}
