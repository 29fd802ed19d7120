package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync"
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

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) logged(prefix string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.log {
		if strings.HasPrefix(strings.TrimSpace(s), prefix) {
			n++
		}
	}
	return n
}

func TestOpen(t *testing.T) {
	ctx := t.Context()
	for dialect, d := range both {
		for name, c := range map[string]struct {
			change func(*fake, *Options)
			want   error
		}{
			"newer":       {func(f *fake, _ *Options) { f.version = int64(len(migrations)) + 1 }, ErrNewer},
			"set up":      {func(f *fake, _ *Options) { f.want = "delete" }, ErrSetup},
			"readers":     {func(_ *fake, o *Options) { o.Readers = -1 }, ErrSetup},
			"queue":       {func(_ *fake, o *Options) { o.Queue = -1 }, ErrSetup},
			"timeout":     {func(_ *fake, o *Options) { o.Timeout = -1 }, ErrSetup},
			"cannot open": {func(f *fake, _ *Options) { f.failAt, f.err = 1, errBoom }, errBoom},
		} {
			f, o := newFake(d.want), Options{}
			c.change(f, &o)
			s, err := d.open(ctx, f, "name", o)
			if !errors.Is(err, c.want) || s != nil {
				t.Errorf("%s, %s: %v", dialect, name, err)
			}
			if f.open != 0 {
				t.Errorf("%s, %s: %d connections are left", dialect, name, f.open)
			}
			if f.logged("COMMIT")+f.logged("INSERT") > 0 {
				t.Errorf("%s, %s: something was changed", dialect, name)
			}
		}
	}
	if _, err := PostgreSQL(ctx, newFake("read committed"), "", Options{Writers: -1}); !errors.Is(err, ErrSetup) {
		t.Error("writers: ", err)
	}
	if _, err := SQLite(ctx, withContext{}, "", Options{}); !errors.Is(err, errBoom) {
		t.Error("a connector that cannot be made: ", err)
	}
	if _, err := SQLite(ctx, poor{}, "", Options{}); !errors.Is(err, ErrSetup) {
		t.Error("a driver that executes nothing directly: ", err)
	}
}

// withContext is a driver with connectors of its own.
type withContext struct{ driver.Driver }

func (withContext) OpenConnector(string) (driver.Connector, error) { return nil, errBoom }

// poor is a driver that has only what every driver has.
type poor struct{}

func (poor) Open(string) (driver.Conn, error)        { return poorConn{}, nil }
func (p poor) Driver() driver.Driver                 { return p }
func (poorConn) Prepare(string) (driver.Stmt, error) { return nil, errBoom }
func (poorConn) Close() error                        { return nil }
func (poorConn) Begin() (driver.Tx, error)           { return nil, errBoom }

type poorConn struct{}

// TestMigrationFailures lets each step of making the tables fail.
func TestMigrationFailures(t *testing.T) {
	for dialect, d := range both {
		for n := 1; ; n++ {
			f := newFake(d.want)
			f.version, f.failAt, f.err = 0, n, errBoom
			s, err := d.open(t.Context(), f, "name", Options{})
			if len(f.log) < n {
				if err != nil || n < 20 {
					t.Errorf("%s: %d steps, %v", dialect, n, err)
				}
				s.Close()
				break
			}
			what := f.log[n-1]
			if strings.HasPrefix(what, "close") {
				if s != nil {
					s.Close()
				}
				continue
			}
			if !errors.Is(err, errBoom) {
				t.Errorf("%s: step %d, %q: %v", dialect, n, what, err)
			}
			if f.open > 0 || slices.Contains(f.log[n:], "COMMIT") {
				t.Errorf("%s: step %d, %q: it went on: %q", dialect, n, what, f.log[n:])
			}
		}
	}
}

// A transaction that the database asks to repeat is repeated, and its first attempt is
// forgotten.
func TestAgain(t *testing.T) {
	for dialect := range both {
		for _, failing := range []error{sqlState("40001"), sqlState("40P01"), driver.ErrBadConn} {
			s, f := openFake(t, dialect, Options{})
			f.reset()
			// Two writes go in one transaction, which fails when it is committed. Then another process
			// has been faster.
			f.set(func() {
				f.failing, f.errs = "COMMIT", []error{failing, failing}
				f.blocks, f.block, f.waiting = "SELECT last", make(chan struct{}), make(chan struct{})
			})
			ping := make(chan error, 1)
			go func() { ping <- s.Ping(t.Context()) }()
			<-f.waiting
			type answer struct {
				fresh []bool
				err   error
			}
			answers := make(chan answer, 4)
			var others sync.WaitGroup
			for i, call := range []func() answer{
				func() answer {
					fresh, err := s.Use(t.Context(), now, store.Use{Key: "a", Expires: end()}, store.Use{Key: "b", Expires: end()})
					return answer{fresh, err}
				},
				func() answer {
					return answer{nil, s.AddRecord(t.Context(), now, store.Record{Kind: "k", Key: "r", Expires: end()})}
				},
				func() answer { return answer{nil, s.AddGrant(t.Context(), aGrant("g"))} },
				func() answer { _, err := s.TakeRecord(t.Context(), now, "k", "t"); return answer{nil, err} },
			} {
				others.Go(func() { answers <- call() })
				for len(s.writes.queue) <= i {
					time.Sleep(time.Millisecond)
				}
			}
			first := f.block
			f.set(func() { f.blocks, f.block = "COMMIT", make(chan struct{}) })
			close(first)
			<-f.waiting // the first attempt has won all
			f.set(func() {
				f.lose = map[string]bool{"a": true, "r": true, "g": true, "t": true}
				f.blocks = ""
			})
			close(f.block)
			others.Wait()
			close(answers)
			if err := <-ping; err != nil {
				t.Error(err)
			}
			lost := 0
			for a := range answers {
				switch {
				case a.fresh != nil && slices.Equal(a.fresh, []bool{false, true}) && a.err == nil,
					errors.Is(a.err, store.ErrConflict), errors.Is(a.err, store.ErrNotFound):
					lost++
				default:
					t.Errorf("%s, %v: %v, %v", dialect, failing, a.fresh, a.err)
				}
			}
			if lost != 4 || f.logged("COMMIT") != 3 {
				t.Errorf("%s, %v: %d, %d transactions", dialect, failing, lost, f.logged("COMMIT"))
			}
			want := 2
			if failing == driver.ErrBadConn {
				want = 0 // it ended with its connection
			}
			if f.logged("ROLLBACK") != want {
				t.Errorf("%s, %v: %d undone", dialect, failing, f.logged("ROLLBACK"))
			}
		}
	}
}

// Whatever else fails, fails.
func TestNotAgain(t *testing.T) {
	for dialect := range both {
		for failing, want := range map[error]int{errBoom: 1, sqlState("23505"): 1, sqlState("40001"): maxTries} {
			s, f := openFake(t, dialect, Options{})
			f.reset()
			f.set(func() { f.failing, f.errs = usesText[dialect], slices.Repeat([]error{failing}, 100) })
			_, err := s.Use(t.Context(), now, store.Use{Key: "a", Expires: end()})
			if !errors.Is(err, failing) || f.logged(usesText[dialect]) != want {
				t.Errorf("%s, %v: %d times, %v", dialect, failing, f.logged(usesText[dialect]), err)
			}
		}
	}
}

// A connection is not used again if nobody knows in which state it is.
func TestRollbackFails(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.reset()
		f.set(func() { f.failing, f.errs = "ROLLBACK", []error{errBoom}; f.changed = 0 })
		if _, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); !errors.Is(err, store.ErrConflict) {
			t.Error(dialect, err)
		}
		if f.logged("close") == 0 {
			t.Error(dialect, ": the connection is kept")
		}
		f.set(func() { f.changed = 1 })
		if _, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); err != nil {
			t.Error(dialect, err)
		}
		// And one whose transaction was undone is.
		f.reset()
		f.set(func() { f.changed = 0 })
		if _, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); !errors.Is(err, store.ErrConflict) || f.logged("open")+f.logged("close") != f.logged("close rows") {
			t.Error(dialect, err, f.log)
		}
	}
}

// hold has the writer wait in a transaction, until the function that it returns is called.
func hold(t *testing.T, s *Store, f *fake) (release func()) {
	t.Helper()
	block := make(chan struct{})
	f.set(func() { f.blocks, f.block, f.waiting = "SELECT last", block, make(chan struct{}) })
	done := make(chan error, 1)
	go func() { done <- s.Ping(context.Background()) }()
	<-f.waiting
	f.set(func() { f.blocks = "" })
	return sync.OnceFunc(func() {
		close(block)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// queued waits until n writes wait.
func queued(s *Store, n int) {
	for len(s.writes.queue) < n {
		time.Sleep(time.Millisecond)
	}
}

func TestGather(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		release := hold(t, s, f)
		f.reset()
		f.set(func() { f.failing, f.errs = "never", nil })
		var calls sync.WaitGroup
		call := func(n int, f func() error) {
			t.Helper()
			calls.Go(func() {
				if err := f(); err != nil {
					t.Error(err)
				}
			})
			queued(s, n)
		}
		use := func(key string) func() error {
			return func() error {
				fresh, err := s.Use(t.Context(), now, store.Use{Key: key, Expires: end()})
				if err == nil && !fresh[0] {
					err = errBoom
				}
				return err
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		call(1, use("b"))
		call(2, use("a"))
		go s.Use(ctx, now, store.Use{Key: "gone", Expires: end()})
		queued(s, 3)
		call(4, func() error { return s.AddRecord(t.Context(), now, store.Record{Kind: "k", Key: "r", Expires: end()}) })
		call(5, func() error { return s.DeleteDocument(t.Context(), now, "k", "i") }) // alone
		call(6, use("c"))
		call(7, use("d"))
		cancel()
		time.Sleep(10 * time.Millisecond)
		release()
		calls.Wait()
		// Who has left is left out; what is alone is alone.
		begins, commits := f.logged("BEGIN"), f.logged("COMMIT")
		if dialect == "SQLite" && (begins != 3 || commits != 3) || dialect == "PostgreSQL" && (begins != 2 || commits != 2) {
			t.Errorf("%s: %d transactions begun, %d committed: %q", dialect, begins, commits, f.log)
		}
		if n := f.logged(usesText[dialect]); dialect == "SQLite" && n != 4 || dialect == "PostgreSQL" && n != 2 {
			t.Errorf("%s: %d statements", dialect, n)
		}
	}
}

func TestGatherAtMost(t *testing.T) {
	b := newBatcher(nil, sqlite(Options{}), Options{Queue: 1000})
	for range 1000 {
		b.queue <- &write{}
	}
	batch, next := b.gather(nil, &write{})
	if len(batch) != maxBatch || next != nil {
		t.Error(len(batch), next)
	}
	b = newBatcher(nil, sqlite(Options{}), Options{Queue: 1000})
	for range 100 {
		b.queue <- &write{add: &recordRow{Record: store.Record{Body: make([]byte, store.MaxBody/2)}}, grant: &grantRow{Grant: store.Grant{Body: make([]byte, store.MaxBody/2)}}}
	}
	batch, _ = b.gather(nil, <-b.queue)
	if len(batch) != maxBytes/store.MaxBody {
		t.Error(len(batch))
	}
	if len(batch)+len(b.queue) != 100 {
		t.Error("something is lost")
	}
	// A write that nobody waits for does not count; one that is alone is.
	b = newBatcher(nil, sqlite(Options{}), Options{Queue: 1000})
	gone, alone := &write{}, &write{alone: func(*session) error { return nil }}
	gone.state.Store(left)
	b.queue <- &write{}
	b.queue <- alone
	batch, next = b.gather(nil, gone)
	if len(batch) != 1 || next != alone {
		t.Error(len(batch), next)
	}
	batch, next = b.gather(nil, alone)
	if len(batch) != 1 || next != nil {
		t.Error(len(batch), next)
	}
}

// Where the queue is full a call waits, as long as its context lasts.
func TestQueueFull(t *testing.T) {
	s, f := openFake(t, "SQLite", Options{Queue: 1})
	release := hold(t, s, f)
	go s.Ping(t.Context())
	queued(s, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Ping(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	release()
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// A database that does not answer holds nobody up for longer than the timeout.
func TestTimeout(t *testing.T) {
	s, f := openFake(t, "PostgreSQL", Options{Timeout: 20 * time.Millisecond})
	f.set(func() {
		f.blocks, f.block, f.waiting = usesText["PostgreSQL"], make(chan struct{}), make(chan struct{}, 9)
	})
	time.AfterFunc(50*time.Millisecond, func() { close(f.block) })
	if _, err := s.Use(t.Context(), now, store.Use{Key: "a", Expires: end()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	f.set(func() { f.blocks = "" })
	if _, err := s.Use(t.Context(), now, store.Use{Key: "a", Expires: end()}); err != nil {
		t.Error(err)
	}
}

// A rotation in the way of another, with which it was gathered, does not decide for it.
func TestRotationsTogether(t *testing.T) {
	s, f := openFake(t, "PostgreSQL", Options{})
	f.reset()
	f.set(func() { f.rotated, f.grants = nil, [][]driver.Value{fakeGrant("g", 1)} })
	release := hold(t, s, f)
	outcomes := make([]store.Outcome, 3)
	var calls sync.WaitGroup
	for i, client := range []string{"thief", "client", "client"} {
		calls.Go(func() {
			var err error
			outcomes[i], _, err = s.Rotate(t.Context(), now, store.Rotation{ID: "g", Seq: 1, Client: client, Retry: time.Minute})
			if err != nil {
				t.Error(err)
			}
		})
		queued(s, i+1)
	}
	// The first statement has the thief's row alone and rotates nothing. The second has that of
	// the client. Its answer and what is there afterwards are changed when it comes.
	f.set(func() { f.blocks, f.block, f.waiting = "WITH v (k_id, k_seq", make(chan struct{}), make(chan struct{}) })
	release()
	<-f.waiting
	first := f.block
	f.set(func() { f.block = make(chan struct{}) })
	close(first)
	<-f.waiting
	f.set(func() {
		f.rotated, f.grants = [][]driver.Value{fakeGrant("g", 2)}, [][]driver.Value{fakeGrant("g", 2)}
		f.blocks = ""
	})
	close(f.block)
	calls.Wait()
	if !slices.Equal(outcomes, []store.Outcome{store.Foreign, store.Rotated, store.Repeated}) {
		t.Error(outcomes)
	}
}

// A database that contradicts itself is an error, and no loop.
func TestUndecided(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		f.reset()
		f.set(func() { f.rotated, f.grants = nil, [][]driver.Value{fakeGrant("g", 1)} })
		if _, _, err := s.Rotate(t.Context(), now, store.Rotation{ID: "g", Seq: 1, Client: "client"}); !errors.Is(err, errUndecided) {
			t.Error(dialect, err)
		}
	}
}

// Who removes a stolen grant has found it out.
func TestStolenOnce(t *testing.T) {
	for dialect := range both {
		for changed, want := range map[int64]store.Outcome{0: store.Gone, 1: store.Reused} {
			s, f := openFake(t, dialect, Options{})
			f.reset()
			f.set(func() { f.rotated, f.changed = nil, changed })
			o, g, err := s.Rotate(t.Context(), now, store.Rotation{ID: "stolen", Seq: 1, Client: "client"})
			if err != nil || o != want || (g.Seq == 9) != (want == store.Reused) {
				t.Error(dialect, changed, o, g, err)
			}
			if n := f.logged("INSERT INTO jot_revocations"); (n > 0) != (want == store.Reused) {
				t.Error(dialect, changed, n, "revocations")
			}
		}
	}
}

// Checkpoints follow writes.
func TestCheckpoints(t *testing.T) {
	s, f := openFake(t, "SQLite", Options{})
	f.reset()
	checkpoint := func() int { return f.logged("PRAGMA wal_checkpoint") }
	uses := func(n int) {
		for i := range n {
			if _, err := s.Use(t.Context(), now, store.Use{Key: string(rune('a' + i%26)), Expires: end()}); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Each is a write, too.
	for i, after := range []int{firstCheckpoint, checkpointAfter - 1, checkpointAfter - 1} {
		uses(after - 1)
		if checkpoint() != 2*i {
			t.Error("a checkpoint too early")
		}
		uses(1)
		for range 2000 {
			if checkpoint() == 2*i+2 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if checkpoint() != 2*i+2 {
			t.Errorf("%d checkpoints after %d times, of a connection that reads and the one that writes", checkpoint(), i+1)
		}
	}
	p, f := openFake(t, "PostgreSQL", Options{})
	s = p
	f.reset()
	uses(checkpointAfter)
	if checkpoint() != 0 {
		t.Error("a checkpoint of PostgreSQL")
	}
}

func TestSQLText(t *testing.T) {
	s, p := sqlite(Options{}), postgreSQL(Options{})
	rows := [][]any{{"a\"b\\c", []byte{0, 255}, int64(-1)}, {"", []byte{}, int64(2)}}
	for got, want := range map[string]string{
		s.rebind("a ? ?"):               "a ? ?",
		p.rebind("a ? ?"):               "a $1 $2",
		s.rows("tbi", 1):                "VALUES (?, ?, ?)",
		s.rows("i", 2):                  "VALUES (?), (?)",
		p.rows("tb", 5):                 "SELECT * FROM unnest(CAST(CAST(? AS text) AS text[]), CAST(CAST(? AS text) AS bytea[]))",
		p.rows("i", 1):                  "SELECT * FROM unnest(CAST(CAST(? AS text) AS bigint[]))",
		p.args("tbi", rows)[0].(string): `{"a\"b\\c",""}`,
		p.args("tbi", rows)[1].(string): `{"\\x00ff","\\x"}`,
		p.args("tbi", rows)[2].(string): `{-1,2}`,
	} {
		if got != want {
			t.Errorf("%s is not %s", got, want)
		}
	}
	if args := s.args("tbi", rows); len(args) != 6 || args[5] != int64(2) {
		t.Error(args)
	}
	fast, full := strings.Join(sqlite(Options{Fast: true}).writer, ";"), strings.Join(s.writer, ";")
	if !strings.Contains(fast, "synchronous = NORMAL") || !strings.Contains(full, "synchronous = FULL") {
		t.Error(fast, full)
	}
}

// TestStrange has a database return other columns than were asked for.
func TestStrange(t *testing.T) {
	for dialect := range both {
		for name, call := range calls {
			switch name {
			case "Revoked", "Ping":
				continue // these look at nothing
			}
			s, f := openFake(t, dialect, Options{Readers: 1})
			f.reset()
			f.set(func() { f.strange = "jot_" })
			if err := call(t.Context(), s); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || f.logged("COMMIT") > 0 {
				t.Errorf("%s, %s: %v", dialect, name, err)
			}
		}
		s, f := openFake(t, dialect, Options{})
		f.reset()
		f.set(func() { f.rotated, f.grants = nil, [][]driver.Value{make([]driver.Value, 3)} })
		if _, _, err := s.Rotate(t.Context(), now, store.Rotation{ID: "g", Client: "client"}); err == nil {
			t.Error("a grant of three columns is judged")
		}
		f.set(func() { f.rotated, f.grants = f.grants, nil })
		if o, _, err := s.Rotate(t.Context(), now, store.Rotation{ID: "g", Client: "client"}); err == nil {
			t.Error("a grant of three columns is rotated: ", o)
		}
		f.reset()
		f.set(func() { f.changed = 0 })
		if err := s.DeleteDocument(t.Context(), now, "k", "i"); !errors.Is(err, store.ErrNotFound) || f.logged("COMMIT") > 0 {
			t.Error(err)
		}
	}
}

// TestInvalid holds that nothing reaches the database that it might refuse, or take for
// something else.
func TestInvalid(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		f.reset()
		ctx := t.Context()
		for name, c := range map[string]struct {
			call func(context.Context) error
			want error
		}{
			"PutDocument":     {func(ctx context.Context) error { _, err := s.PutDocument(ctx, store.Document{ID: "i"}); return err }, store.ErrInvalid},
			"Document":        {func(ctx context.Context) error { _, err := s.Document(ctx, "k", "\x00"); return err }, store.ErrNotFound},
			"DeleteDocument":  {func(ctx context.Context) error { return s.DeleteDocument(ctx, now, "k", "\x00") }, store.ErrNotFound},
			"Documents":       {func(ctx context.Context) error { _, err := s.Documents(ctx, "\x00", "", 1); return err }, nil},
			"Documents after": {func(ctx context.Context) error { _, err := s.Documents(ctx, "k", "\x00", 1); return err }, store.ErrInvalid},
			"Documents limit": {func(ctx context.Context) error { _, err := s.Documents(ctx, "k", "", 0); return err }, store.ErrInvalid},
			"Changes limit":   {func(ctx context.Context) error { _, err := s.Changes(ctx, 0, 0); return err }, store.ErrInvalid},
			"AddGrant":        {func(ctx context.Context) error { return s.AddGrant(ctx, store.Grant{}) }, store.ErrInvalid},
			"Rotate":          {func(ctx context.Context) error { _, _, err := s.Rotate(ctx, now, store.Rotation{}); return err }, store.ErrInvalid},
			"Rotate ID": {func(ctx context.Context) error {
				o, _, err := s.Rotate(ctx, now, store.Rotation{ID: "\x00", Client: "c"})
				if o != store.Gone {
					t.Error(o)
				}
				return err
			}, nil},
			"Grant":  {func(ctx context.Context) error { _, err := s.Grant(ctx, now, "\x00"); return err }, store.ErrNotFound},
			"Grants": {func(ctx context.Context) error { _, err := s.Grants(ctx, now, store.GrantFilter{}); return err }, store.ErrInvalid},
			"Grants client": {func(ctx context.Context) error {
				_, err := s.Grants(ctx, now, store.GrantFilter{Client: "\x00", Limit: 1})
				return err
			}, nil},
			"Grants after": {func(ctx context.Context) error {
				_, err := s.Grants(ctx, now, store.GrantFilter{Client: "c", After: "\x00", Limit: 1})
				return err
			}, store.ErrInvalid},
			"AddRecord":  {func(ctx context.Context) error { return s.AddRecord(ctx, now, store.Record{}) }, store.ErrInvalid},
			"Record":     {func(ctx context.Context) error { _, err := s.Record(ctx, now, "\x00", "k"); return err }, store.ErrNotFound},
			"TakeRecord": {func(ctx context.Context) error { _, err := s.TakeRecord(ctx, now, "\x00", "k"); return err }, store.ErrNotFound},
			"Use":        {func(ctx context.Context) error { _, err := s.Use(ctx, now, store.Use{}); return err }, store.ErrInvalid},
			"Use ended": {func(ctx context.Context) error {
				_, err := s.Use(ctx, now, store.Use{Key: "a", Expires: now})
				return err
			}, nil},
			"Revoke": {func(ctx context.Context) error { _, err := s.Revoke(ctx, store.Revocation{}); return err }, store.ErrInvalid},
			"Revoked": {func(ctx context.Context) error {
				_, err := s.Revoked(ctx, now, now, store.Target{Sort: store.OfToken})
				return err
			}, nil},
			"Sweep": {func(ctx context.Context) error { _, _, err := s.Sweep(ctx, now, 0); return err }, store.ErrInvalid},
		} {
			if err := c.call(ctx); !errors.Is(err, c.want) {
				t.Errorf("%s, %s: %v", dialect, name, err)
			}
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if err := c.call(gone); c.want != store.ErrInvalid && !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s, cancelled: %v", dialect, name, err)
			}
		}
		if len(f.log) > 0 {
			t.Errorf("%s: %q", dialect, f.log)
		}
		for name, call := range calls {
			gone, cancel := context.WithCancel(ctx)
			cancel()
			if err := call(gone, s); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s, cancelled: %v", dialect, name, err)
			}
		}
		s.Close()
		for name, call := range calls {
			if err := call(ctx, s); !errors.Is(err, store.ErrClosed) {
				t.Errorf("%s, %s, closed: %v", dialect, name, err)
			}
		}
	}
}

// Nobody waits for what was begun for them longer than they want to.
func TestLeave(t *testing.T) {
	s, f := openFake(t, "SQLite", Options{})
	f.set(func() { f.blocks, f.block, f.waiting = usesText["SQLite"], make(chan struct{}), make(chan struct{}) })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Use(ctx, now, store.Use{Key: "a", Expires: end()})
		done <- err
	}()
	<-f.waiting
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	f.set(func() { f.blocks = "" })
	close(f.block)
}

func TestStatements(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		if dialect == "SQLite" && !strings.HasPrefix(f.log[1], "PRAGMA busy_timeout = 10000") {
			t.Errorf("a connection begins with %q", f.log[1])
		}
		for name, want := range map[string]string{
			"PutDocument new": "INSERT INTO jot_documents", "PutDocument": "UPDATE jot_documents",
			"Revoke grant": "DELETE FROM jot_grants WHERE id =", "Revoke client": "DELETE FROM jot_grants WHERE id IN",
		} {
			f.reset()
			if err := calls[name](t.Context(), s); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"INSERT INTO jot_documents", "UPDATE jot_documents", "DELETE FROM jot_grants WHERE id =", "DELETE FROM jot_grants WHERE id IN"} {
				if got := f.logged(text) > 0; got != (text == want) {
					t.Errorf("%s, %s: %q", dialect, name, f.log)
				}
			}
		}
	}
}

func TestResults(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		f.reset()
		if v, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); v != 7 || err != nil {
			t.Error(v, err)
		}
		f.set(func() { f.strange = "UPDATE jot_changes" })
		if _, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); err == nil {
			t.Error("a change without a number")
		}
		f.set(func() { f.grants = nil })
		if _, err := s.Grant(t.Context(), now, "g"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
}

func TestConnectionLost(t *testing.T) {
	for dialect := range both {
		s, f := openFake(t, dialect, Options{})
		f.reset()
		f.set(func() { f.failing, f.errs = "ROLLBACK", []error{errBoom}; f.changed = 0 })
		if _, err := s.PutDocument(t.Context(), store.Document{Kind: "k", ID: "i"}); !errors.Is(err, store.ErrConflict) {
			t.Error(err)
		}
		f.set(func() { f.failing, f.errs = "open", []error{errBoom} })
		if err := s.Ping(t.Context()); !errors.Is(err, errBoom) {
			t.Error(dialect, err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(dialect, err)
		}
		f.set(func() { f.failing, f.errs = "close", []error{errBoom, errBoom, errBoom} })
		if err := s.Close(); !errors.Is(err, errBoom) {
			t.Error(dialect, err)
		}
		if err := s.Close(); err != nil {
			t.Error("the second time: ", err)
		}
	}
}

// SQLite says so while another process opens or leaves a database, and does not wait.
func TestLockedAtStart(t *testing.T) {
	locked := errors.New("database is locked (5) (SQLITE_BUSY)")
	for name, c := range map[string]struct {
		errs     []error
		patience time.Duration
		want     error
	}{
		"for a moment": {[]error{locked, locked, locked}, time.Minute, nil},
		"too long":     {slices.Repeat([]error{locked}, 100), time.Millisecond, locked},
		"not at all":   {[]error{errBoom}, time.Minute, errBoom},
	} {
		f := newFake("wal")
		f.failing, f.errs = "PRAGMA journal_mode = WAL", c.errs
		s, err := SQLite(t.Context(), f, "", Options{Timeout: c.patience})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			s.Close()
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	f := newFake("wal")
	f.failing, f.errs = "PRAGMA journal_mode = WAL", slices.Repeat([]error{locked}, 3)
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := SQLite(gone, f, "", Options{}); err == nil {
		t.Error("it waits for longer than its caller")
	}
}
