package stores_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

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

// A postgres is a server of PostgreSQL for one test.
type postgres struct {
	t        testing.TB
	bin, dir string
	stdin    io.Closer
	cmd      *exec.Cmd
	places   atomic.Int64
}

// startPostgres starts a server of its own, which nobody else can reach, and which ends
// with the test however that ends.
func startPostgres(t testing.TB) *postgres {
	if testing.Short() {
		t.Skip("a server takes seconds to start")
	}
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			bins = []string{path}
		}
	}
	if len(bins) == 0 {
		if os.Getenv("CI") != "true" {
			t.Skip("there is no PostgreSQL here (Debian: apt-get install postgresql), so nothing is tested with it")
		}
		out, err := exec.Command("sh", "-c", "apt-get update -q && apt-get install -qy --no-install-recommends postgresql").CombinedOutput()
		bins, _ = filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if err != nil || len(bins) == 0 {
			t.Fatalf("PostgreSQL cannot be installed: %v\n%s", err, out)
		}
	}
	slices.Sort(bins)
	// The path of a socket is short.
	dir, err := os.MkdirTemp("", "jot")
	if err != nil {
		t.Fatal(err)
	}
	p := &postgres{t: t, bin: filepath.Dir(bins[len(bins)-1]), dir: dir}
	t.Cleanup(func() {
		p.stop()
		os.RemoveAll(dir)
	})
	if os.Getuid() == 0 { // which the server refuses to be
		u, err := user.Lookup("postgres")
		if err != nil {
			const message = "this is root, and there is no user postgres who could run the server"
			if os.Getenv("CI") == "true" {
				t.Fatal(message)
			}
			t.Skip(message)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := p.command("initdb", "--pgdata", dir+"/data", "--username=jot", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.start()
	return p
}

// command returns a command of PostgreSQL, for a user who may run it.
func (p *postgres) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(p.bin, name)}, args...)
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, args...) // which becomes the command
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = p.dir
	return cmd
}

// start starts the server, and waits until it can be reached.
func (p *postgres) start(options ...string) {
	p.t.Helper()
	args := []string{"-D", p.dir + "/data", "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	if os.Getenv(storetest.EnvKills) == "" {
		args = append(args, "-c", "fsync=off") // no power is lost here
	}
	cmd := p.command("postgres", append(args, options...)...)
	// The shell ends the server when this process is gone, and with it the other end of
	// the pipe.
	cmd.Args = append([]string{"sh", "-c", `"$@" & p=$!; cat >/dev/null; kill -QUIT $p; wait $p`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.stdin = cmd, stdin
	db := p.db()
	defer db.Close()
	for range 200 {
		if err = db.Ping(); err == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.stop()
	p.t.Fatalf("PostgreSQL does not start: %v\n%s", err, log.String())
}

// stop stops the server as a loss of power does: without a word to anyone.
func (p *postgres) stop() {
	if p.cmd != nil {
		p.stdin.Close()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// db returns a connection of its own, beside those of stores.
func (p *postgres) db() *sql.DB {
	p.t.Helper()
	config, err := pgx.ParseConfig(p.url("public"))
	if err != nil {
		p.t.Fatal(err)
	}
	return stdlib.OpenDB(*config)
}

func (p *postgres) url(schema string) string {
	return "postgres:///postgres?user=jot&host=" + p.dir + "&search_path=" + schema
}

// place makes an empty place, and returns its URL.
func (p *postgres) place(t testing.TB) string {
	t.Helper()
	db := p.db()
	defer db.Close()
	schema := fmt.Sprint("place", p.places.Add(1))
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return p.url(schema)
}

func TestPostgreSQL(t *testing.T) {
	p := startPostgres(t)
	t.Run("Suite", func(t *testing.T) {
		storetest.Run(t, storetest.Backend{New: func(t *testing.T) storetest.Open {
			url := p.place(t)
			return func() (store.Store, error) { return openPostgreSQL(url) }
		}})
	})
	t.Run("LikeMemory", func(t *testing.T) {
		s, err := openPostgreSQL(p.place(t))
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
		return p.place(t)
	}, openPostgreSQL)
}

// TestReplicas has three replicas on one database and 64 clients that use everything twice,
// while a replica is closed, and the database ends without a word and is started again.
func TestReplicas(t *testing.T) {
	p := startPostgres(t)
	url := p.place(t)
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
	p.stop()
	time.Sleep(length / 8)
	p.start()
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
	s, err := openPostgreSQL(p.place(t))
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
		p.stop()
		if err := s.Ping(t.Context()); err == nil {
			t.Error("a database that is not there answers")
		}
		if _, err := s.LastChange(t.Context()); err == nil {
			t.Error("a database that is not there answers")
		}
		p.start()
	}
}
