package stores_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/sqlstore"
	"github.com/jotsuite/jot/server/store"
)

// BenchmarkStore has 64 goroutines that use identifiers and rotate grants, through stores
// and in the plain way: a statement and a transaction for each. It reports how long the
// slowest call took.
func BenchmarkStore(b *testing.B) {
	p := startPostgres(b)
	for _, backend := range []struct {
		name  string
		open  func(b *testing.B) (store.Store, error)
		plain func(b *testing.B) (*sql.DB, string)
	}{
		{"memory", func(*testing.B) (store.Store, error) { return memstore.New(), nil }, nil},
		{"SQLiteFull", func(b *testing.B) (store.Store, error) {
			return openSQLite(sqlstore.Options{})(b.TempDir() + "/jot.db")
		}, plainSQLite("FULL")},
		{"SQLiteFast", func(b *testing.B) (store.Store, error) {
			return openSQLite(sqlstore.Options{Fast: true})(b.TempDir() + "/jot.db")
		}, plainSQLite("NORMAL")},
		{"PostgreSQL", func(b *testing.B) (store.Store, error) {
			return openPostgreSQL(p.Place(b))
		}, func(b *testing.B) (*sql.DB, string) {
			config, err := pgx.ParseConfig(p.Place(b))
			if err != nil {
				b.Fatal(err)
			}
			db := stdlib.OpenDB(*config)
			db.SetMaxOpenConns(16)
			db.SetMaxIdleConns(16)
			return db, "BYTEA"
		}},
	} {
		b.Run(backend.name, func(b *testing.B) {
			for _, op := range []struct {
				name string
				do   func(s store.Store, g int, i int64) error
			}{
				{"use", func(s store.Store, g int, i int64) error {
					_, err := s.Use(context.Background(), benchTime, store.Use{Key: benchKey(int64(g)<<40 + i), Expires: benchTime.Add(time.Hour)})
					return err
				}},
				{"rotate", func(s store.Store, g int, i int64) error {
					// Each goroutine has a client of its own.
					o, _, err := s.Rotate(context.Background(), benchTime, store.Rotation{ID: fmt.Sprint("g", g), Seq: i, Client: "client"})
					if err == nil && o != store.Rotated {
						err = fmt.Errorf("outcome %d", o)
					}
					return err
				}},
				{"grant", func(s store.Store, g int, i int64) error {
					return s.AddGrant(context.Background(), store.Grant{
						ID: fmt.Sprintf("%x-%d", benchKey(i)[:16], g), Client: fmt.Sprint("client", i%100), Subject: fmt.Sprint("subject", i%10000), Body: make([]byte, 200),
						Created: benchTime, Rotated: benchTime, Expires: benchTime.Add(time.Hour), Until: benchTime.Add(time.Hour),
					})
				}},
			} {
				b.Run(op.name, func(b *testing.B) {
					s, err := backend.open(b)
					if err != nil {
						b.Fatal(err)
					}
					defer s.Close()
					if op.name == "rotate" {
						for i := range 64 {
							if err := s.AddGrant(b.Context(), store.Grant{
								ID: fmt.Sprint("g", i), Client: "client", Body: make([]byte, 200),
								Created: benchTime, Rotated: benchTime, Expires: benchTime.Add(time.Hour), Until: benchTime.Add(time.Hour),
							}); err != nil {
								b.Fatal(err)
							}
						}
					}
					many(b, func(g int, i int64) error { return op.do(s, g, i) })
				})
			}
			if backend.plain == nil {
				return
			}
			b.Run("plain", func(b *testing.B) {
				db, blob := backend.plain(b)
				defer db.Close()
				if _, err := db.Exec("CREATE TABLE plain (key " + blob + " PRIMARY KEY NOT NULL, expires BIGINT NOT NULL)"); err != nil {
					b.Fatal(err)
				}
				if _, err := db.Exec("CREATE INDEX plain_expires ON plain (expires)"); err != nil {
					b.Fatal(err)
				}
				stmt, err := db.Prepare("INSERT INTO plain VALUES ($1, $2) ON CONFLICT DO NOTHING")
				if err != nil {
					b.Fatal(err)
				}
				many(b, func(g int, i int64) error {
					_, err := stmt.Exec([]byte(benchKey(int64(g)<<40+i)), benchTime.UnixMilli())
					return err
				})
			})
		})
	}
}

var benchTime = time.UnixMilli(1_800_000_000_000)

func benchKey(i int64) string { return store.UseKey("bench", fmt.Sprint(i)) }

func plainSQLite(synchronous string) func(b *testing.B) (*sql.DB, string) {
	return func(b *testing.B) (*sql.DB, string) {
		db, err := sql.Open("sqlite", "file:"+b.TempDir()+"/plain.db?_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")
		if err != nil {
			b.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		return db, "BLOB"
	}
}

// many has 64 goroutines call f b.N times in all, each counting its own.
func many(b *testing.B, f func(g int, i int64) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	times := make([][]time.Duration, 64)
	b.ResetTimer()
	for g := range times {
		wg.Go(func() {
			for i := int64(0); next.Add(1) <= int64(b.N); i++ {
				began := time.Now()
				if err := f(g, i); err != nil {
					b.Error(err)
					return
				}
				times[g] = append(times[g], time.Since(began))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) > 100 {
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
		b.ReportMetric(float64(all[len(all)-1].Microseconds()), "max-µs")
	}
	if os.Getenv("JOT_MEMORY") != "" {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.Sys)/1e6, "sys-MB")
	}
}
