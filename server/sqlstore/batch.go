package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/fault"
)

// maxBatch and maxBytes are how many writes go into one transaction, and how large their
// bodies are together. More make those who wait, wait longer, and save little.
const (
	maxBatch = 256
	maxBytes = 4 << 20
)

// rollbackTime is for undoing what has failed, after which the connection is closed.
const rollbackTime = time.Second

// maxTries is how often a transaction is begun that the database asks to repeat.
const maxTries = 5

// A write waits to be gathered: rows of the sorts that go together, or something else.
type write struct {
	uses   []*useRow
	add    *recordRow
	take   *recordRow
	grant  *grantRow
	rotate *rotateRow
	alone  func(*session) error

	state atomic.Int32
	done  chan error
}

// size returns how large the bodies are that are written.
func (w *write) size() (n int) {
	if w.add != nil {
		n = len(w.add.Body)
	}
	if w.grant != nil {
		n += len(w.grant.Body)
	}
	return n
}

// The states of a write.
const (
	waiting int32 = iota
	taken         // it is in a transaction
	left          // its caller was gone before
)

// A batcher gathers the writes of concurrent calls. Each of its goroutines takes what
// waits, executes it in one transaction, and then tells the callers. While it does, more
// come, so the batches have the size that the speed of the database asks for.
type batcher struct {
	db    *sql.DB
	d     *dialect
	queue chan *write
	wg    sync.WaitGroup

	batches, writes, failed, checkpointed atomic.Uint64
	busy, checkpointing                   atomic.Int64 // nanoseconds

	written int           // since the last checkpoint was asked for
	full    chan struct{} // asks for one
}

// checkpointAfter is how many writes have a checkpoint follow, and firstCheckpoint how many after the start: a process that is
// killed leaves its log to the next one, which may be killed as soon.
const (
	checkpointAfter = 4000
	firstCheckpoint = 64
)

func newBatcher(db *sql.DB, d *dialect, o Options) *batcher {
	b := &batcher{db: db, d: d, queue: make(chan *write, o.Queue), full: make(chan struct{}, 1), written: checkpointAfter - firstCheckpoint}
	for range o.Writers {
		b.wg.Go(b.work)
	}
	return b
}

// close waits for what is in the queue. Nobody may put anything into it any more.
func (b *batcher) close() {
	close(b.queue)
	b.wg.Wait()
	close(b.full)
}

// do has a write executed, and returns when it is committed. If the context ends before
// it is taken it will not be executed; if afterwards, nobody waits for it.
func (s *Store) do(ctx context.Context, w *write) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	w.done = make(chan error, 1) // so that nobody waits for a caller who has left
	select {
	case s.writes.queue <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		w.state.CompareAndSwap(waiting, left)
		return ctx.Err()
	}
}

// alone has something executed that is more than the usual writes. If it fails, nothing
// of it is stored. It may be called again if the database asks for that.
func (s *Store) alone(ctx context.Context, f func(*session) error) error {
	return s.do(ctx, &write{alone: f})
}

func (b *batcher) work() {
	var t *session
	defer func() {
		if t != nil {
			t.close()
		}
	}()
	var batch []*write
	var w *write
	for {
		if w == nil {
			var ok bool
			if w, ok = <-b.queue; !ok {
				return
			}
		}
		batch, w = b.gather(batch[:0], w)
		if len(batch) > 0 {
			t = b.commit(t, batch)
			b.count(len(batch))
		}
	}
}

// count asks for a checkpoint if there is enough for one. There is one writer where there
// are checkpoints.
func (b *batcher) count(n int) {
	if b.d.checkpoint == "" {
		return
	}
	if b.written += n; b.written >= checkpointAfter {
		b.written = 0
		select {
		case b.full <- struct{}{}:
		default: // one is asked for
		}
	}
}

// checkpoints keeps the log of SQLite short. By itself SQLite copies what is in the log to
// its place, and waits for the disk, in the transaction that fills it, and whoever writes
// meanwhile waits for up to some tenths of a second. Here it is copied beside the writes,
// and only what came in that time in between them, so that the log can begin anew.
func (s *Store) checkpoints() {
	for range s.writes.full {
		start := time.Now()
		// What fails is done by the next one, or by SQLite.
		_ = s.each(context.Background(), s.d.checkpoint, nil, func(func(...any) error) error { return nil })
		_ = s.alone(context.Background(), func(t *session) error {
			return t.each(s.d.checkpoint, nil, func(func(...any) error) error { return nil })
		})
		s.writes.checkpointed.Add(1)
		s.writes.checkpointing.Add(int64(time.Since(start)))
	}
}

// gather takes w and what else waits, up to the first write, which it returns, that does
// not go together with those before: what takes long, or may not be stored, is alone.
func (b *batcher) gather(batch []*write, w *write) ([]*write, *write) {
	for size := 0; w != nil; {
		if w.alone != nil && len(batch) > 0 {
			return batch, w
		}
		if w.state.CompareAndSwap(waiting, taken) {
			batch = append(batch, w)
			size += w.size()
			if w.alone != nil || len(batch) == maxBatch || size >= maxBytes {
				break
			}
		}
		select {
		case w = <-b.queue: // nil if it is closed
		default:
			w = nil
		}
	}
	return batch, nil
}

// commit executes a batch, and tells the callers.
func (b *batcher) commit(t *session, batch []*write) *session {
	var err error
	start := time.Now()
	for range maxTries {
		if t, err = b.attempt(t, batch); !again(err) {
			break
		}
	}
	b.busy.Add(int64(time.Since(start)))
	b.batches.Add(1)
	b.writes.Add(uint64(len(batch)))
	if err != nil && fault.CodeOf(err) == "" { // others are answers, to the one caller of the batch
		b.failed.Add(1)
	}
	for _, w := range batch {
		w.done <- err
	}
	return t
}

// again reports whether a transaction has failed, as a whole, for a reason that was of
// that moment alone.
func again(err error) bool {
	if errors.Is(err, driver.ErrBadConn) { // which promises that nothing was done
		return true
	}
	state, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	// serialization_failure, deadlock_detected
	return ok && (state.SQLState() == "40001" || state.SQLState() == "40P01")
}

// attempt executes a batch in one transaction, with the session of the one before, if
// that stays, and returns it if it does now.
func (b *batcher) attempt(t *session, batch []*write) (*session, error) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if b.d.timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, b.d.timeout)
	}
	defer cancel()
	if t == nil {
		conn, err := b.db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		t = &session{d: b.d, conn: conn, stmts: map[string]*sql.Stmt{}}
	}
	t.ctx = ctx
	err := t.end(t.batch(batch))
	if b.d.many || t.broken || errors.Is(err, driver.ErrBadConn) {
		t.close()
		t = nil
	}
	return t, err
}

// A session is a connection of the one who writes, for a transaction or for longer.
type session struct {
	d      *dialect
	conn   *sql.Conn
	ctx    context.Context
	begun  bool
	broken bool                 // nobody knows in which state the connection is
	stmts  map[string]*sql.Stmt // of one that stays
}

// close gives the connection back, or closes it if it is broken.
func (t *session) close() {
	for _, s := range t.stmts {
		s.Close()
	}
	if t.broken {
		t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	t.conn.Close()
}

// batch executes the writes of a batch.
func (t *session) batch(batch []*write) error {
	if f := batch[0].alone; f != nil {
		return f(t)
	}
	var g groups
	for _, w := range batch {
		g.uses = append(g.uses, w.uses...)
		g.adds = appendIf(g.adds, w.add)
		g.takes = appendIf(g.takes, w.take)
		g.grants = appendIf(g.grants, w.grant)
		g.rotations = appendIf(g.rotations, w.rotate)
	}
	// A single statement is a transaction by itself, which saves two messages.
	if g.statements(t.d.many) > 1 {
		if err := t.begin(); err != nil {
			return err
		}
	}
	// The order of tables and, in a statement, that of keys is the same in all processes,
	// so that they wait for one another and not in a circle.
	for _, f := range []func() error{
		func() error { return useStatement.run(t, g.uses) },
		func() error { return addStatement.run(t, g.adds) },
		func() error { return takeStatement.run(t, g.takes) },
		func() error { return grantStatement.run(t, g.grants) },
		func() error { return t.rotations(g.rotations) },
	} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

type groups struct {
	uses        []*useRow
	adds, takes []*recordRow
	grants      []*grantRow
	rotations   []*rotateRow
}

func appendIf[T any](list []*T, x *T) []*T {
	if x == nil {
		return list
	}
	return append(list, x)
}

func (g *groups) statements(many bool) (n int) {
	for _, rows := range []int{len(g.uses), len(g.adds), len(g.takes), len(g.grants), len(g.rotations)} {
		if many {
			rows = min(rows, 1)
		}
		n += rows
	}
	return n
}

// begin begins a transaction if none is begun.
func (t *session) begin() error {
	if t.begun {
		return nil
	}
	_, err := t.conn.ExecContext(t.ctx, t.d.begin)
	t.begun = err == nil
	return err
}

// end commits the transaction, if one is begun, or undoes it after an error, which it
// returns.
func (t *session) end(err error) error {
	if !t.begun {
		return err
	}
	t.begun = false
	if err == nil {
		if _, err = t.conn.ExecContext(t.ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	// The context may be what has failed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), rollbackTime)
	defer cancel()
	if _, failed := t.conn.ExecContext(ctx, "ROLLBACK"); failed != nil {
		t.broken = true
	}
	return err
}

// prepare returns the statement of a connection that stays.
func (t *session) prepare(text string) (*sql.Stmt, error) {
	if s := t.stmts[text]; s != nil {
		return s, nil
	}
	s, err := t.conn.PrepareContext(t.ctx, text)
	if err == nil {
		t.stmts[text] = s
	}
	return s, err
}

// each reads the rows of a statement.
func (t *session) each(text string, args []any, row func(scan func(...any) error) error) error {
	if t.d.many {
		rows, err := t.conn.QueryContext(t.ctx, t.d.rebind(text), args...)
		return scan(rows, err, row)
	}
	s, err := t.prepare(text)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	return scan(rows, err, row)
}

// exec executes a statement, and returns how many rows it has changed.
func (t *session) exec(text string, args ...any) (int, error) {
	var r sql.Result
	var err error
	if t.d.many {
		r, err = t.conn.ExecContext(t.ctx, t.d.rebind(text), args...)
	} else {
		var s *sql.Stmt
		if s, err = t.prepare(text); err == nil {
			r, err = s.ExecContext(t.ctx, args...)
		}
	}
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}
