package sqlstore

import (
	"context"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// change counts a change. Until the transaction ends no other process can, so numbers
// become visible in their order.
func (t *session) change() (version int64, err error) {
	if err := t.begin(); err != nil {
		return 0, err
	}
	err = t.each("UPDATE jot_changes SET last = last + 1 RETURNING last", nil, func(scan func(...any) error) error {
		return scan(&version)
	})
	return version, err
}

// PutDocument implements [store.DocumentStore].
func (s *Store) PutDocument(ctx context.Context, d store.Document) (version int64, err error) {
	if err := d.Check(); err != nil {
		return 0, err
	}
	err = s.alone(ctx, func(t *session) error {
		v, err := t.change()
		if err != nil {
			return err
		}
		n := 0
		if d.Version == 0 {
			n, err = t.exec(`INSERT INTO jot_documents (kind, id, version, body, deleted) VALUES (?, ?, ?, ?, 0)
				ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = excluded.body, deleted = 0
				WHERE jot_documents.deleted <> 0`, d.Kind, d.ID, v, blob(d.Body))
		} else {
			n, err = t.exec("UPDATE jot_documents SET version = ?, body = ? WHERE kind = ? AND id = ? AND version = ? AND deleted = 0",
				v, blob(d.Body), d.Kind, d.ID, d.Version)
		}
		if err == nil && n == 0 {
			err = store.ErrConflict // and the change is not counted
		}
		version = v
		return err
	})
	return found(version, err)
}

// DeleteDocument implements [store.DocumentStore]. The row stays, for Changes.
func (s *Store) DeleteDocument(ctx context.Context, now time.Time, kind, id string) error {
	if !store.ValidName(kind, id) {
		return s.none(ctx)
	}
	return s.alone(ctx, func(t *session) error {
		v, err := t.change()
		if err != nil {
			return err
		}
		n, err := t.exec("UPDATE jot_documents SET version = ?, body = ?, deleted = ? WHERE kind = ? AND id = ? AND deleted = 0",
			v, []byte{}, now.UnixMilli(), kind, id)
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// Document implements [store.DocumentStore].
func (s *Store) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if !store.ValidName(kind, id) {
		return store.Document{}, s.none(ctx)
	}
	d := store.Document{Kind: kind, ID: id}
	err := s.one(ctx, "SELECT version, body FROM jot_documents WHERE kind = ? AND id = ? AND deleted = 0", []any{kind, id},
		func(scan func(...any) error) error {
			err := scan(&d.Version, &d.Body)
			d.Body = body(d.Body)
			return err
		})
	return found(d, err)
}

// Documents implements [store.DocumentStore].
func (s *Store) Documents(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if limit < 1 || after != "" && !store.ValidName(after) {
		return nil, store.ErrInvalid
	}
	if !store.ValidName(kind) {
		return nil, s.nothing(ctx)
	}
	var out []store.Document
	err := s.each(ctx, "SELECT id, version, body FROM jot_documents WHERE kind = ? AND id > ? AND deleted = 0 ORDER BY id LIMIT ?",
		[]any{kind, after, limit}, func(scan func(...any) error) error {
			d := store.Document{Kind: kind}
			err := scan(&d.ID, &d.Version, &d.Body)
			d.Body = body(d.Body)
			out = append(out, d)
			return err
		})
	return found(out, err)
}

// LastChange implements [store.DocumentStore].
func (s *Store) LastChange(ctx context.Context) (n int64, err error) {
	err = s.each(ctx, "SELECT last FROM jot_changes", nil, func(scan func(...any) error) error { return scan(&n) })
	return found(n, err)
}

// Changes implements [store.DocumentStore].
func (s *Store) Changes(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	if limit < 1 {
		return nil, store.ErrInvalid
	}
	var out []store.Change
	err := s.each(ctx, "SELECT version, kind, id FROM jot_documents WHERE version > ? ORDER BY version LIMIT ?", []any{after, limit},
		func(scan func(...any) error) error {
			var c store.Change
			err := scan(&c.Version, &c.Kind, &c.ID)
			out = append(out, c)
			return err
		})
	return found(out, err)
}
