package sqlstore

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A fake is a driver without a database: it notes what it is asked, and fails where it is told to.
// What statements return is set by the test; rows that are added win.
type fake struct {
	mu      sync.Mutex
	log     []string // what was executed
	failAt  int      // the number of the call that fails, from 1
	err     error
	errs    []error // of the calls that begin with failWith, one after the other
	failing string
	version int64              // of the tables
	want    string             // the answer to the query about the set up
	grants  [][]driver.Value   // what there is
	rotated [][]driver.Value   // what a rotation returns
	lose    map[string]bool    // keys that do not win
	changed int64              // rows, of other statements
	begun   map[*fakeConn]bool // transactions
	open    int                // connections
	block   chan struct{}      // what holds up statements that begin with blocking
	blocks  string
	waiting chan struct{}
	took    int    // of calls
	strange string // what statements contain whose results are not what was asked for
}

func newFake(want string) *fake {
	return &fake{want: want, version: int64(len(migrations)), changed: 1, begun: map[*fakeConn]bool{}, lose: map[string]bool{}}
}

func (f *fake) Open(string) (driver.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.call("open"); err != nil {
		return nil, err
	}
	f.open++
	return &fakeConn{f: f}, nil
}

// call notes a call, and returns its error.
func (f *fake) call(what string) error {
	if f.want == "read committed" && strings.Contains(what, "?") {
		return errors.New("PostgreSQL has no question marks: " + what)
	}
	f.log = append(f.log, what)
	f.took++
	if f.took == f.failAt {
		return f.err
	}
	if f.failing != "" && strings.HasPrefix(what, f.failing) && len(f.errs) > 0 {
		err := f.errs[0]
		f.errs = f.errs[1:]
		return err
	}
	return nil
}

// usesText is how the statements begin that use.
var usesText = map[string]string{"SQLite": "INSERT INTO jot_uses", "PostgreSQL": "WITH v (k, e)"}

type fakeConn struct{ f *fake }

func (c *fakeConn) Prepare(string) (driver.Stmt, error) { panic("without a context") }
func (c *fakeConn) Begin() (driver.Tx, error)           { panic("transactions are begun by statements") }

func (c *fakeConn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.open--
	delete(c.f.begun, c)
	return c.f.call("close")
}

func (c *fakeConn) PrepareContext(_ context.Context, text string) (driver.Stmt, error) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if err := c.f.call("prepare " + text); err != nil {
		return nil, err
	}
	return &fakeStmt{c, text}, nil
}

type fakeStmt struct {
	c    *fakeConn
	text string
}

func (s *fakeStmt) Close() error                               { return nil }
func (s *fakeStmt) NumInput() int                              { return -1 }
func (s *fakeStmt) Exec([]driver.Value) (driver.Result, error) { panic("without a context") }
func (s *fakeStmt) Query([]driver.Value) (driver.Rows, error)  { panic("without a context") }
func (s *fakeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.ExecContext(ctx, s.text, args)
}

func (s *fakeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.QueryContext(ctx, s.text, args)
}

func (c *fakeConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.f.wait(text)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.f.call(text); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(text, "BEGIN"):
		if c.f.begun[c] {
			return nil, errors.New("a transaction in a transaction")
		}
		c.f.begun[c] = true
	case strings.HasPrefix(text, "INSERT INTO jot_schema"):
		c.f.version++
	case text == "COMMIT" || text == "ROLLBACK":
		if !c.f.begun[c] {
			return nil, errors.New("no transaction")
		}
		delete(c.f.begun, c)
	}
	if c.f.strange != "" && strings.Contains(text, c.f.strange) {
		return driver.ResultNoRows, nil
	}
	if strings.HasPrefix(text, usesText["SQLite"]) {
		return driver.RowsAffected(len(c.f.winners(columns(args, 2), 0))), nil
	}
	return driver.RowsAffected(c.f.changed), nil
}

// wait holds a statement up until the test lets it go.
func (f *fake) wait(text string) {
	f.mu.Lock()
	block, waiting := f.block, f.waiting
	if f.blocks == "" || !strings.HasPrefix(strings.TrimSpace(text), f.blocks) {
		block = nil
	}
	f.mu.Unlock()
	if block != nil {
		waiting <- struct{}{}
		<-block
	}
}

func (c *fakeConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.f.wait(text)
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := c.f.call(text); err != nil {
		return nil, err
	}
	rows := &fakeRows{f: c.f}
	switch {
	case c.f.strange != "" && strings.Contains(text, c.f.strange):
		rows.rows = [][]driver.Value{make([]driver.Value, 30)}
	case strings.HasPrefix(text, "PRAGMA") || strings.HasPrefix(text, "SHOW"):
		rows.rows = [][]driver.Value{{c.f.want}}
	case strings.Contains(text, "FROM jot_schema"):
		rows.rows = [][]driver.Value{{c.f.version}}
	case strings.Contains(text, "jot_changes"):
		rows.rows = [][]driver.Value{{int64(7)}}
	case strings.Contains(text, "INTO jot_uses"):
		rows.rows = c.f.winners(columns(args, 2), 0)
	case strings.Contains(text, "INTO jot_records"):
		rows.rows = c.f.winners(columns(args, 4), 0, 1)
	case strings.Contains(text, "DELETE FROM jot_records"):
		for _, r := range c.f.winners(columns(args, 2), 0, 1) {
			rows.rows = append(rows.rows, append(r, []byte("body"), int64(1<<60)))
		}
	case strings.Contains(text, "INTO jot_grants"):
		rows.rows = c.f.winners(columns(args, 12), 0)
	case strings.Contains(text, "UPDATE jot_grants"):
		rows.rows = c.f.rotated
	case strings.Contains(text, "FROM v, jot_revocations"):
		rows.rows = [][]driver.Value{{int64(1)}}
	case strings.Contains(text, "FROM v, jot_grants"), strings.Contains(text, "FROM jot_grants"):
		rows.rows = c.f.grants
	case strings.Contains(text, "version, kind, id"):
		rows.rows = [][]driver.Value{{int64(1), "k", "i"}}
	case strings.Contains(text, "id, version, body"):
		rows.rows = [][]driver.Value{{"i", int64(1), []byte("body")}}
	case strings.Contains(text, "version, body"):
		rows.rows = [][]driver.Value{{int64(1), []byte("body")}}
	case strings.Contains(text, "body, expires"):
		rows.rows = [][]driver.Value{{[]byte("body"), int64(1 << 60)}}
	default:
		return nil, errors.New("the fake does not know " + text)
	}
	return rows, nil
}

// columns returns rows of arguments, as SQLite and PostgreSQL get them.
func columns(args []driver.NamedValue, n int) (rows [][]driver.Value) {
	if s, ok := args[0].Value.(string); !ok || !strings.HasPrefix(s, "{") {
		var row []driver.Value
		for _, a := range args[:n] {
			row = append(row, a.Value)
		}
		return [][]driver.Value{row}
	}
	element := regexp.MustCompile(`"((?:[^"\\]|\\.)*)"|[0-9-]+`)
	for i, a := range args[:n] {
		for j, m := range element.FindAllStringSubmatch(a.Value.(string), -1) {
			if len(rows) <= j {
				rows = append(rows, make([]driver.Value, n))
			}
			if rest, ok := strings.CutPrefix(m[1], `\\x`); ok {
				b, err := hex.DecodeString(rest)
				if err != nil {
					panic(err)
				}
				rows[j][i] = b
			} else {
				rows[j][i] = m[1]
			}
		}
	}
	return rows
}

// winners returns the named columns of the rows that win.
func (f *fake) winners(rows [][]driver.Value, of ...int) (out [][]driver.Value) {
	for _, r := range rows {
		var key []driver.Value
		for _, i := range of {
			key = append(key, r[i])
		}
		last := key[len(key)-1]
		if b, ok := last.([]byte); ok {
			last = string(b)
		}
		if !f.lose[last.(string)] {
			out = append(out, key)
		}
	}
	return out
}

type fakeRows struct {
	f    *fake
	rows [][]driver.Value
}

func (r *fakeRows) Columns() []string {
	if len(r.rows) == 0 {
		return make([]string, 20)
	}
	return make([]string, len(r.rows[0]))
}

func (r *fakeRows) Close() error {
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.call("close rows")
}

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.rows) == 0 {
		r.f.mu.Lock()
		defer r.f.mu.Unlock()
		if err := r.f.call("end of rows"); err != nil {
			return err
		}
		return io.EOF
	}
	copy(dest, r.rows[0])
	r.rows = r.rows[1:]
	return nil
}

var now = time.UnixMilli(1_800_000_000_123)

// fakeGrant is a row of a grant.
func fakeGrant(id string, seq int64) []driver.Value {
	end := now.Add(time.Hour).UnixMilli()
	return []driver.Value{id, "client", "", "", int64(0), []byte("body"), seq, now.UnixMilli(), now.UnixMilli(), end, end}
}
