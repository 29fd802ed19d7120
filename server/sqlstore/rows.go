package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// A statement writes rows of one sort, each of which wins or loses: who returns it has won.
type statement[R any] struct {
	columns string // of the rows, see [dialect.rows]
	// text has {rows} for the rows, and now, if with is set, for the one argument behind them.
	text string
	now  func(R) time.Time
	key  func(R) string // of rows with equal keys the first may win
	lose func(R)        // undoes what result has done in an attempt that failed
	row  func(R) []any
	// result reads what is returned, and returns the key of the row and what to do with it.
	result func(scan func(...any) error) (string, func(R), error)

	// single, if it is set, writes one row in place of text, where each is a statement by itself, and returns nothing: SQLite makes
	// a table for what is returned, which takes a third of the time. What is changed has won.
	single string
	won    func(R)
}

// run executes the statement for the rows, in as many rounds as the database needs.
func (s *statement[R]) run(t *session, rows []R) error {
	if len(rows) == 0 {
		return nil
	}
	for _, r := range rows {
		s.lose(r)
	}
	if !t.d.many {
		for _, r := range rows {
			if err := s.one(t, r); err != nil {
				return err
			}
		}
		return nil
	}
	return s.round(t, firsts(rows, s.key))
}

// one executes the statement for one row.
func (s *statement[R]) one(t *session, r R) error {
	if s.single == "" {
		return s.round(t, []R{r})
	}
	n, err := t.exec(s.single, append(s.row(r), s.now(r).UnixMilli())...)
	if n > 0 {
		s.won(r)
	}
	return err
}

// firsts returns the first row with each key, in the order of keys.
func firsts[R any](rows []R, key func(R) string) []R {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b R) int { return cmp.Compare(key(a), key(b)) })
	return slices.CompactFunc(out, func(a, b R) bool { return key(a) == key(b) })
}

// round executes the statement once. Keys are in order, each once.
func (s *statement[R]) round(t *session, rows []R) error {
	values := make([][]any, len(rows))
	now := s.now(rows[0])
	for i, r := range rows {
		values[i] = s.row(r)
		if n := s.now(r); n.Before(now) {
			now = n
		}
	}
	args := t.d.args(s.columns, values)
	if strings.Count(s.text, "?") > 0 {
		// What ended between the first and the last of those that go together has not ended
		// for any.
		args = append(args, now.UnixMilli())
	}
	return t.each(t.d.expand(s.text, s.columns), args, func(scan func(...any) error) error {
		key, won, err := s.result(scan)
		if err != nil {
			return err
		}
		if i, ok := slices.BinarySearchFunc(rows, key, func(r R, key string) int { return cmp.Compare(s.key(r), key) }); ok {
			won(rows[i])
		}
		return nil
	})
}

// A useRow is a use, and whether it was fresh.
type useRow struct {
	store.Use
	now   time.Time
	fresh bool
}

var useStatement = &statement[*useRow]{
	columns: "bi",
	text: `WITH v (k, e) AS ({rows})
		INSERT INTO jot_uses (key, expires) SELECT k, e FROM v WHERE TRUE
		ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE jot_uses.expires <= ?
		RETURNING key`,
	now:  func(r *useRow) time.Time { return r.now },
	key:  func(r *useRow) string { return r.Key },
	lose: func(r *useRow) { r.fresh = false },
	row:  func(r *useRow) []any { return []any{[]byte(r.Key), r.Expires.UnixMilli()} },
	result: func(scan func(...any) error) (string, func(*useRow), error) {
		var key []byte
		err := scan(&key)
		return string(key), (*useRow).won, err
	},
	single: `INSERT INTO jot_uses (key, expires) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE jot_uses.expires <= ?`,
	won: (*useRow).won,
}

func (r *useRow) won() { r.fresh = true }

// Use implements [store.UseStore].
func (s *Store) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	var rows []*useRow
	of := make([]*useRow, len(uses)) // nil where it is known not to be fresh
	seen := map[string]bool{}
	for i, u := range uses {
		if err := u.Check(); err != nil {
			return nil, err
		}
		if !store.Ended(now, u.Expires) && !seen[u.Key] {
			seen[u.Key] = true
			of[i] = &useRow{Use: u, now: now}
			rows = append(rows, of[i])
		}
	}
	if err := s.do(ctx, &write{uses: rows}); err != nil {
		return nil, err
	}
	fresh := make([]bool, len(uses))
	for i, r := range of {
		fresh[i] = r != nil && r.fresh
	}
	return fresh, nil
}

// A recordRow is a record that is added or taken.
type recordRow struct {
	store.Record
	now time.Time
	ok  bool
}

func (r *recordRow) key() string { return recordKey(r.Kind, []byte(r.Key)) }

func recordKey(kind string, key []byte) string { return kind + "\x00" + string(key) } // a kind has no NUL

func (r *recordRow) time() time.Time { return r.now }

func (r *recordRow) lose() { r.ok = false }

var addStatement = &statement[*recordRow]{
	columns: "tbbi",
	text: `WITH v (d, k, b, e) AS ({rows})
		INSERT INTO jot_records (kind, key, body, expires) SELECT d, k, b, e FROM v WHERE TRUE
		ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body, expires = excluded.expires WHERE jot_records.expires <= ?
		RETURNING kind, key`,
	now:  (*recordRow).time,
	key:  (*recordRow).key,
	lose: (*recordRow).lose,
	row: func(r *recordRow) []any {
		return []any{r.Kind, []byte(r.Key), blob(r.Body), r.Expires.UnixMilli()}
	},
	result: func(scan func(...any) error) (string, func(*recordRow), error) {
		var kind string
		var key []byte
		err := scan(&kind, &key)
		return recordKey(kind, key), func(r *recordRow) { r.ok = true }, err
	},
}

// blob is what is stored of a body: drivers take nil for NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// body is what is returned of it.
func body(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// AddRecord implements [store.RecordStore].
func (s *Store) AddRecord(ctx context.Context, now time.Time, r store.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	r.Body = slices.Clone(r.Body) // a caller who leaves may change it
	row := &recordRow{Record: r, now: now}
	if err := s.do(ctx, &write{add: row}); err != nil {
		return err
	}
	if !row.ok {
		return store.ErrConflict
	}
	return nil
}

// Record implements [store.RecordStore].
func (s *Store) Record(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if !store.ValidName(kind) {
		return store.Record{}, s.none(ctx)
	}
	r := store.Record{Kind: kind, Key: key}
	err := s.one(ctx, "SELECT body, expires FROM jot_records WHERE kind = ? AND key = ? AND expires > ?",
		[]any{kind, []byte(key), now.UnixMilli()}, func(scan func(...any) error) error {
			var expires int64
			err := scan(&r.Body, &expires)
			r.Body, r.Expires = body(r.Body), time.UnixMilli(expires)
			return err
		})
	return found(r, err)
}

// nothing is for a list of what has such a name.
func (s *Store) nothing(ctx context.Context) error {
	if err := s.none(ctx); err != store.ErrNotFound {
		return err
	}
	return nil
}

// found returns what was read, or nothing where it could not be.
func found[T any](x T, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return x, nil
}

// one reads the row of a query, or it is [store.ErrNotFound].
func (s *Store) one(ctx context.Context, text string, args []any, row func(scan func(...any) error) error) error {
	none := store.ErrNotFound
	err := s.each(ctx, text, args, func(scan func(...any) error) error {
		none = nil
		return row(scan)
	})
	if err != nil {
		return err
	}
	return none
}

// none is [store.ErrNotFound], for a name that nothing can have.
func (s *Store) none(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	s.leave()
	return store.ErrNotFound
}

var takeStatement = &statement[*recordRow]{
	columns: "tb",
	text: `WITH v (d, k) AS ({rows})
		DELETE FROM jot_records WHERE (kind, key) IN (SELECT d, k FROM v) AND expires > ?
		RETURNING kind, key, body, expires`,
	now:  (*recordRow).time,
	key:  (*recordRow).key,
	lose: (*recordRow).lose,
	row:  func(r *recordRow) []any { return []any{r.Kind, []byte(r.Key)} },
	result: func(scan func(...any) error) (string, func(*recordRow), error) {
		var kind string
		var key, content []byte
		var expires int64
		err := scan(&kind, &key, &content, &expires)
		return recordKey(kind, key), func(r *recordRow) {
			r.Body, r.Expires = body(content), time.UnixMilli(expires)
			r.ok = !store.Ended(r.now, r.Expires)
		}, err
	},
}

// TakeRecord implements [store.RecordStore].
func (s *Store) TakeRecord(ctx context.Context, now time.Time, kind, key string) (store.Record, error) {
	if !store.ValidName(kind) {
		return store.Record{}, s.none(ctx)
	}
	row := &recordRow{Record: store.Record{Kind: kind, Key: key}, now: now}
	if err := s.do(ctx, &write{take: row}); err != nil {
		return store.Record{}, err
	}
	if !row.ok {
		return store.Record{}, store.ErrNotFound
	}
	return row.Record, nil
}

const revokeText = `INSERT INTO jot_revocations (sort, id, at, expires) VALUES (?, ?, ?, ?)
	ON CONFLICT (sort, id) DO UPDATE SET
	at = CASE WHEN jot_revocations.at > excluded.at THEN jot_revocations.at ELSE excluded.at END,
	expires = CASE WHEN jot_revocations.expires > excluded.expires THEN jot_revocations.expires ELSE excluded.expires END`

func (t *session) revoke(r store.Revocation) error {
	_, err := t.exec(revokeText, string(r.Sort), r.ID, r.At.UnixMilli(), r.Expires.UnixMilli())
	return err
}

// step is how many grants one statement removes.
const step = 500

// Revoke implements [store.RevocationStore].
func (s *Store) Revoke(ctx context.Context, r store.Revocation) (int, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	n := 0
	err := s.alone(ctx, func(t *session) error {
		if err := t.begin(); err != nil {
			return err
		}
		if err := t.revoke(r); err != nil || r.Sort != store.OfGrant {
			return err
		}
		var err error
		n, err = t.exec("DELETE FROM jot_grants WHERE id = ?", r.ID)
		return err
	})
	column := map[store.Sort]string{store.OfClient: "client", store.OfSubject: "subject"}[r.Sort]
	for more := column != ""; more && err == nil; {
		var k int
		err = s.alone(ctx, func(t *session) (err error) {
			k, err = t.exec("DELETE FROM jot_grants WHERE id IN (SELECT id FROM jot_grants WHERE "+column+" = ? AND created <= ? ORDER BY id LIMIT ?"+s.d.forUpdate+")",
				r.ID, r.At.UnixMilli(), step)
			return err
		})
		n, more = n+k, k == step
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// Revoked implements [store.RevocationStore].
func (s *Store) Revoked(ctx context.Context, now, issued time.Time, of ...store.Target) (bool, error) {
	var rows [][]any
	for _, t := range of {
		if store.ValidName(string(t.Sort), t.ID) {
			rows = append(rows, []any{string(t.Sort), t.ID})
		}
	}
	if len(rows) == 0 {
		return false, s.nothing(ctx)
	}
	revoked := false
	err := s.each(ctx, "WITH v (s, i) AS ("+s.d.rows("tt", len(rows))+") SELECT 1 FROM v, jot_revocations WHERE sort = s AND id = i AND at >= ? AND expires > ?",
		append(s.d.args("tt", rows), issued.UnixMilli(), now.UnixMilli()), func(func(...any) error) error {
			revoked = true
			return nil
		})
	return revoked && err == nil, err
}
