package sqlstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// A grantRow is a grant that is added.
type grantRow struct {
	store.Grant
	ok bool
}

var grantStatement = &statement[*grantRow]{
	columns: "ttttibiiiiii",
	text: `WITH v (a, b, c, d, e, f, g, h, i, j, k, l) AS ({rows})
		INSERT INTO jot_grants (id, client, subject, key, bound, body, seq, created, rotated, expires, until, due)
		SELECT a, b, c, d, e, f, g, h, i, j, k, l FROM v WHERE TRUE
		ON CONFLICT (id) DO NOTHING
		RETURNING id`,
	now:  func(*grantRow) time.Time { return time.Time{} },
	key:  func(r *grantRow) string { return r.ID },
	lose: func(r *grantRow) { r.ok = false },
	row: func(r *grantRow) []any {
		var bound int64
		if r.Bound {
			bound = 1
		}
		// due is when Sweep looks at the grant. It is left alone when the grant is rotated,
		// so that the index need not be written, and Sweep sets it anew.
		return []any{
			r.ID, r.Client, r.Subject, r.Key, bound, blob(r.Body), r.Seq, r.Created.UnixMilli(), r.Rotated.UnixMilli(),
			r.Expires.UnixMilli(), r.Until.UnixMilli(), r.Expires.UnixMilli(),
		}
	},
	result: func(scan func(...any) error) (string, func(*grantRow), error) {
		var id string
		err := scan(&id)
		return id, func(r *grantRow) { r.ok = true }, err
	},
}

// AddGrant implements [store.GrantStore].
func (s *Store) AddGrant(ctx context.Context, g store.Grant) error {
	if err := g.Check(); err != nil {
		return err
	}
	g.Body = slices.Clone(g.Body) // a caller who leaves may change it
	row := &grantRow{Grant: g}
	if err := s.do(ctx, &write{grant: row}); err != nil {
		return err
	}
	if !row.ok {
		return store.ErrConflict
	}
	return nil
}

const grantColumns = "id, client, subject, key, bound, body, seq, created, rotated, expires, until"

func scanGrant(scan func(...any) error) (store.Grant, error) {
	var g store.Grant
	var bound, created, rotated, expires, until int64
	err := scan(&g.ID, &g.Client, &g.Subject, &g.Key, &bound, &g.Body, &g.Seq, &created, &rotated, &expires, &until)
	g.Bound, g.Body = bound != 0, body(g.Body)
	g.Created, g.Rotated = time.UnixMilli(created), time.UnixMilli(rotated)
	g.Expires, g.Until = time.UnixMilli(expires), time.UnixMilli(until)
	return g, err
}

// A rotateRow is a rotation, and what became of it.
type rotateRow struct {
	store.Rotation
	now     time.Time
	decided bool
	outcome store.Outcome
	grant   store.Grant
}

func (r *rotateRow) decide(o store.Outcome, g store.Grant) {
	r.decided, r.outcome, r.grant = true, o, g
	r.grant.Body = slices.Clone(g.Body) // the row may be that of others, too
}

// rotateStatement rotates what may be rotated. Who else asks is judged by judgeStatement.
var rotateStatement = &statement[*rotateRow]{
	columns: "tittii",
	text: `WITH v (k_id, k_seq, k_client, k_key, k_now, k_idle) AS ({rows})
		UPDATE jot_grants SET seq = seq + 1, key = k_key, rotated = k_now,
		expires = CASE WHEN k_idle = 0 THEN expires WHEN k_now + k_idle < until THEN k_now + k_idle ELSE until END
		FROM v WHERE id = k_id AND seq = k_seq AND client = k_client AND expires > k_now AND (bound = 0 OR key = k_key)
		RETURNING ` + grantColumns,
	now:  func(r *rotateRow) time.Time { return r.now },
	key:  func(r *rotateRow) string { return r.ID },
	lose: func(r *rotateRow) { r.decided = false },
	row: func(r *rotateRow) []any {
		return []any{r.ID, r.Seq, r.Client, r.Key, r.now.UnixMilli(), r.Idle.Milliseconds()}
	},
	result: func(scan func(...any) error) (string, func(*rotateRow), error) {
		g, err := scanGrant(scan)
		return g.ID, func(r *rotateRow) { r.decide(store.Rotated, g) }, err
	},
}

// judgeText reads the grants of rotations that were not executed.
const judgeText = "WITH v (k_id) AS ({rows}) SELECT " + grantColumns + " FROM v, jot_grants WHERE id = k_id"

var errUndecided = errors.New("the database neither rotates a grant nor says why")

// rotations executes rotations, of which several may be of one grant.
func (t *session) rotations(rows []*rotateRow) error {
	for len(rows) > 0 {
		if err := rotateStatement.run(t, rows); err != nil {
			return err
		}
		left := undecided(rows)
		if err := t.judge(left); err != nil {
			return err
		}
		// What can still be rotated is what another rotation of the same grant, in the same
		// statement, has kept from it, without being entitled to.
		left = undecided(left)
		if len(left) == len(rows) {
			return errUndecided
		}
		rows = left
	}
	return nil
}

func undecided(rows []*rotateRow) (out []*rotateRow) {
	for _, r := range rows {
		if !r.decided {
			out = append(out, r)
		}
	}
	return out
}

// judge decides what becomes of rotations that were not executed, unless they can be.
func (t *session) judge(rows []*rotateRow) error {
	ids := firsts(rows, func(r *rotateRow) string { return r.ID })
	grants := map[string]store.Grant{}
	n := len(ids)
	if !t.d.many {
		n = 1
	}
	for chunk := range slices.Chunk(ids, max(n, 1)) {
		var values [][]any
		for _, r := range chunk {
			values = append(values, []any{r.ID})
		}
		err := t.each(t.d.expand(judgeText, "t"), t.d.args("t", values), func(scan func(...any) error) error {
			g, err := scanGrant(scan)
			grants[g.ID] = g
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, r := range rows {
		g, ok := grants[r.ID]
		if !ok {
			r.decide(store.Gone, store.Grant{})
			continue
		}
		switch o := g.Judge(r.now, r.Rotation); o {
		case store.Rotated:
		case store.Gone:
			r.decide(o, store.Grant{})
		case store.Reused:
			// Whoever removes the grant has found it out; to the others it is gone.
			ok, err := t.stolen(r)
			if err != nil {
				return err
			}
			delete(grants, r.ID)
			if ok {
				r.decide(o, g)
			} else {
				r.decide(store.Gone, store.Grant{})
			}
		default:
			r.decide(o, g)
		}
	}
	return nil
}

// stolen removes a grant and revokes what came of it, or reports that it was removed.
func (t *session) stolen(r *rotateRow) (bool, error) {
	if err := t.begin(); err != nil {
		return false, err
	}
	n, err := t.exec("DELETE FROM jot_grants WHERE id = ?", r.ID)
	if n == 0 {
		return false, err
	}
	return true, t.revoke(store.Revocation{Target: store.Target{Sort: store.OfGrant, ID: r.ID}, At: r.now, Expires: r.now.Add(r.Access)})
}

// Rotate implements [store.GrantStore].
func (s *Store) Rotate(ctx context.Context, now time.Time, r store.Rotation) (store.Outcome, store.Grant, error) {
	if err := r.Check(); err != nil {
		return store.Gone, store.Grant{}, err
	}
	if !store.ValidName(r.ID) {
		return store.Gone, store.Grant{}, s.nothing(ctx)
	}
	row := &rotateRow{Rotation: r, now: now}
	if err := s.do(ctx, &write{rotate: row}); err != nil {
		return store.Gone, store.Grant{}, err
	}
	return row.outcome, row.grant, nil
}

// Grant implements [store.GrantStore].
func (s *Store) Grant(ctx context.Context, now time.Time, id string) (store.Grant, error) {
	if !store.ValidName(id) {
		return store.Grant{}, s.none(ctx)
	}
	var g store.Grant
	err := s.one(ctx, "SELECT "+grantColumns+" FROM jot_grants WHERE id = ? AND expires > ?", []any{id, now.UnixMilli()},
		func(scan func(...any) error) (err error) {
			g, err = scanGrant(scan)
			return err
		})
	return found(g, err)
}

// Grants implements [store.GrantStore].
func (s *Store) Grants(ctx context.Context, now time.Time, f store.GrantFilter) ([]store.Grant, error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	text, args := "SELECT "+grantColumns+" FROM jot_grants WHERE id > ? AND expires > ?", []any{f.After, now.UnixMilli()}
	for _, c := range []struct{ column, value string }{{"client", f.Client}, {"subject", f.Subject}} {
		if c.value != "" {
			text, args = text+" AND "+c.column+" = ?", append(args, c.value)
			if !store.ValidName(c.value) {
				return nil, s.nothing(ctx)
			}
		}
	}
	if f.After != "" && !store.ValidName(f.After) {
		return nil, store.ErrInvalid
	}
	var out []store.Grant
	err := s.each(ctx, text+" ORDER BY id LIMIT ?", append(args, f.Limit), func(scan func(...any) error) error {
		g, err := scanGrant(scan)
		out = append(out, g)
		return err
	})
	return found(out, err)
}
