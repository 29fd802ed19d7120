package sqlstore

import (
	"context"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// Sweep implements [store.Store]. Each sort has a transaction of its own, between which
// others write.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (removed int, more bool, err error) {
	if limit < 1 {
		return 0, false, store.ErrInvalid
	}
	ms := now.UnixMilli()
	one := func(text string, args ...any) func(*session) (int, int, error) {
		return func(t *session) (int, int, error) {
			n, err := t.exec(text, args...)
			return n, n, err
		}
	}
	for _, f := range []func(*session) (gone, seen int, err error){
		s.sweepGrants(ms, limit),
		one("DELETE FROM jot_records WHERE (kind, key) IN (SELECT kind, key FROM jot_records WHERE expires <= ? ORDER BY expires LIMIT ?"+s.d.skipLocked+")", ms, limit),
		one("DELETE FROM jot_uses WHERE key IN (SELECT key FROM jot_uses WHERE expires <= ? ORDER BY expires LIMIT ?"+s.d.skipLocked+")", ms, limit),
		one("DELETE FROM jot_revocations WHERE (sort, id) IN (SELECT sort, id FROM jot_revocations WHERE expires <= ? ORDER BY expires LIMIT ?"+s.d.skipLocked+")", ms, limit),
		one("DELETE FROM jot_documents WHERE (kind, id) IN (SELECT kind, id FROM jot_documents WHERE deleted <> 0 AND deleted <= ? ORDER BY deleted LIMIT ?"+s.d.skipLocked+")",
			ms-store.KeepChanges.Milliseconds(), limit),
	} {
		var gone, seen int
		err := s.alone(ctx, func(t *session) (err error) {
			gone, seen, err = f(t)
			return err
		})
		if err != nil {
			return removed, true, err
		}
		removed, more = removed+gone, more || seen >= limit
	}
	return removed, more, nil
}

// sweepGrants looks at grants that were to end, and gives those that were rotated
// since another time at which to look.
func (s *Store) sweepGrants(ms int64, limit int) func(*session) (int, int, error) {
	const due = "(SELECT id FROM jot_grants WHERE due <= ? ORDER BY due LIMIT ?"
	return func(t *session) (gone, seen int, err error) {
		if err := t.begin(); err != nil {
			return 0, 0, err
		}
		alive, err := t.exec("UPDATE jot_grants SET due = expires WHERE id IN "+due+s.d.skipLocked+") AND expires > ?", ms, limit, ms)
		if err != nil {
			return 0, 0, err
		}
		gone, err = t.exec("DELETE FROM jot_grants WHERE id IN "+due+s.d.skipLocked+") AND expires <= ?", ms, limit, ms)
		return gone, alive + gone, err
	}
}
