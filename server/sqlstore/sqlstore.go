// Package sqlstore is a store of an authorization server in SQLite or PostgreSQL, with a
// driver of the caller's choice.
//
//	s, err := sqlstore.SQLite(ctx, &sqlite.Driver{}, "jot.db", sqlstore.Options{})                     // modernc.org/sqlite
//	s, err := sqlstore.PostgreSQL(ctx, stdlib.GetDefaultDriver(), "postgres://…", sqlstore.Options{}) // github.com/jackc/pgx/v5/stdlib
//
// The tables, whose names begin with jot_, are made and brought up to date when a store
// is opened, whichever of several processes comes first. A database that a newer version
// has changed is refused with [ErrNewer].
//
// # How it writes
//
// Writes of concurrent calls are gathered: while one transaction is on its way to the
// disk, those that come meanwhile wait, and go together in the next. A call returns when
// the transaction with its write is committed. With SQLite there is one connection that
// writes; with PostgreSQL [Options.Writers], and what goes together is one statement of many rows.
// A call that finds [Options.Queue] others waiting waits for its turn to wait.
//
// # SQLite
//
// The database is in WAL mode, with synchronous=FULL: what is acknowledged survives the
// loss of power. [Options.Fast] means synchronous=NORMAL, with which that may take the
// last moments, and leaves the rest in order; the end of the process takes nothing
// either way. What is in the log is copied to its place beside the writes, so that no
// writer waits for it; the log has 64 MB then. Several processes may use one database on
// one machine; a network file system will not do.
//
// # PostgreSQL
//
// Any number of processes may use one database, of version 15 in the tests. The isolation
// level has to be READ COMMITTED, which it is unless someone has set another. The user
// has the right to create tables in the first schema of the search_path. What is
// acknowledged is as durable as synchronous_commit says.
package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/server/store"
)

var (
	errNewer = fault.New("store.newer", "", "a newer version of this program has changed the database")
	errSetup = fault.New("store.setup", "", "the database is not set up as it has to be")
)

var (
	// ErrNewer: the tables are those of a newer version (store.newer).
	ErrNewer error = errNewer
	// ErrSetup: the driver or the database lacks what is needed (store.setup).
	ErrSetup error = errSetup
)

// Options are the options of a store. The zero value is good.
type Options struct {
	// Fast is for SQLite: see the package comment on what the loss of power then costs.
	Fast bool
	// Readers is the number of connections that read. Zero means 4 with SQLite and 8 with
	// PostgreSQL.
	Readers int
	// Writers is the number of connections that write, with PostgreSQL. Zero means 1: all that comes while it waits for the disk goes
	// together in the next transaction. With two, each gathers half as much; more are for a database that is far away.
	Writers int
	// Queue is the number of writes that wait to be gathered. Zero means 1024.
	Queue int
	// Timeout is for one transaction, with PostgreSQL, and for getting the lock of other
	// processes, with SQLite. Zero means 10 seconds.
	Timeout time.Duration
}

// A Store is a [store.Store].
type Store struct {
	d      *dialect
	read   *sql.DB
	write  *sql.DB
	writes *batcher

	mu       sync.RWMutex
	closed   bool
	inFlight sync.WaitGroup
	stmts    sync.Map // of text, to *sql.Stmt of read

	background sync.WaitGroup
}

// Stats say what a store has written since it was opened. Writes by Batches is how many go together, Busy by Batches how long a
// transaction takes.
type Stats struct {
	Queue          int // of writes that wait now
	Batches        uint64
	Writes         uint64
	Failed         uint64        // of the batches; an error of package store is an answer, and no failure
	Busy           time.Duration // in transactions, of all writers together
	Checkpoints    uint64        // with SQLite
	CheckpointTime time.Duration
}

// Stats returns the numbers of now. They cost next to nothing.
func (s *Store) Stats() Stats {
	b := s.writes
	return Stats{
		Queue: len(b.queue), Batches: b.batches.Load(), Writes: b.writes.Load(), Failed: b.failed.Load(), Busy: time.Duration(b.busy.Load()),
		Checkpoints: b.checkpointed.Load(), CheckpointTime: time.Duration(b.checkpointing.Load()),
	}
}

// SQLite opens a store in a file. The name is what the driver takes for one.
func SQLite(ctx context.Context, d driver.Driver, name string, o Options) (*Store, error) {
	o.Readers = cmp.Or(o.Readers, 4)
	o.Writers = 1
	return open(ctx, sqlite, d, name, o)
}

// PostgreSQL opens a store at the URL of a database, or whatever the driver takes for one.
func PostgreSQL(ctx context.Context, d driver.Driver, url string, o Options) (*Store, error) {
	o.Readers = cmp.Or(o.Readers, 8)
	o.Writers = cmp.Or(o.Writers, 1)
	return open(ctx, postgreSQL, d, url, o)
}

func open(ctx context.Context, make func(Options) *dialect, d driver.Driver, name string, o Options) (*Store, error) {
	o.Queue = cmp.Or(o.Queue, 1024)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	if o.Readers < 1 || o.Writers < 1 || o.Queue < 1 || o.Timeout < 1 {
		return nil, errSetup.With("an option is negative")
	}
	dia := make(o)
	base, err := connect(d, name)
	if err != nil {
		return nil, err
	}
	s := &Store{
		d:     dia,
		read:  sql.OpenDB(connector{base, dia.reader}),
		write: sql.OpenDB(connector{base, dia.writer}),
	}
	s.read.SetMaxOpenConns(o.Readers)
	s.read.SetMaxIdleConns(o.Readers)
	s.write.SetMaxOpenConns(o.Writers)
	s.write.SetMaxIdleConns(o.Writers)
	if err := s.setUp(ctx, o.Timeout); err != nil {
		return nil, errors.Join(err, s.write.Close(), s.read.Close())
	}
	s.writes = newBatcher(s.write, dia, o)
	s.background.Go(s.checkpoints)
	return s, nil
}

// A connector prepares each connection that is made.
type connector struct {
	driver.Connector
	setup []string
}

func connect(d driver.Driver, name string) (driver.Connector, error) {
	if dc, ok := d.(driver.DriverContext); ok {
		return dc.OpenConnector(name)
	}
	return named{d, name}, nil
}

// named is a connector of drivers that have none.
type named struct {
	d    driver.Driver
	name string
}

func (n named) Connect(context.Context) (driver.Conn, error) { return n.d.Open(n.name) }
func (n named) Driver() driver.Driver                        { return n.d }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, text := range c.setup {
		x, ok := conn.(driver.ExecerContext)
		if !ok {
			err = errSetup.With("the driver executes nothing directly")
		} else {
			_, err = x.ExecContext(ctx, text, nil)
		}
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

// enter begins a call, for which Close waits until leave.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	s.inFlight.Add(1)
	return nil
}

func (s *Store) leave() { s.inFlight.Done() }

// Close implements [store.Store].
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.inFlight.Wait()
	s.writes.close()
	s.background.Wait()
	return errors.Join(s.read.Close(), s.write.Close())
}

// Ping implements [store.Store]: it goes the way of what is written.
func (s *Store) Ping(ctx context.Context) error {
	return s.alone(ctx, func(t *session) error {
		return t.each("SELECT last FROM jot_changes", nil, func(func(...any) error) error { return nil })
	})
}

// each reads the rows of a query.
func (s *Store) each(ctx context.Context, text string, args []any, row func(scan func(...any) error) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	stmt, ok := s.stmts.Load(text)
	if !ok {
		made, err := s.read.PrepareContext(ctx, s.d.rebind(text))
		if err != nil {
			return err
		}
		if stmt, ok = s.stmts.LoadOrStore(text, made); ok {
			made.Close()
		}
	}
	rows, err := stmt.(*sql.Stmt).QueryContext(ctx, args...)
	return scan(rows, err, row)
}

func scan(rows *sql.Rows, err error, row func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
