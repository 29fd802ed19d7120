package main

import (
	"context"
	"time"

	serverstore "github.com/jotsuite/jot/server/store"
)

// watchedStore is a store whose calls are counted and traced.
type watchedStore struct {
	serverstore.Store
	begin func(ctx context.Context, operation string) (context.Context, func(error))
}

// watched is a call that returns a value.
func watched[T any](ctx context.Context, s *watchedStore, operation string, f func(context.Context) (T, error)) (T, error) {
	ctx, end := s.begin(ctx, operation)
	v, err := f(ctx)
	end(err)
	return v, err
}

func (s *watchedStore) PutDocument(ctx context.Context, d serverstore.Document) (int64, error) {
	return watched(ctx, s, "PutDocument", func(ctx context.Context) (int64, error) { return s.Store.PutDocument(ctx, d) })
}

func (s *watchedStore) Document(ctx context.Context, kind, id string) (serverstore.Document, error) {
	return watched(ctx, s, "Document", func(ctx context.Context) (serverstore.Document, error) { return s.Store.Document(ctx, kind, id) })
}

func (s *watchedStore) DeleteDocument(ctx context.Context, now time.Time, kind, id string) error {
	ctx, end := s.begin(ctx, "DeleteDocument")
	err := s.Store.DeleteDocument(ctx, now, kind, id)
	end(err)
	return err
}

func (s *watchedStore) Documents(ctx context.Context, kind, after string, limit int) ([]serverstore.Document, error) {
	return watched(ctx, s, "Documents", func(ctx context.Context) ([]serverstore.Document, error) {
		return s.Store.Documents(ctx, kind, after, limit)
	})
}

func (s *watchedStore) LastChange(ctx context.Context) (int64, error) {
	return watched(ctx, s, "LastChange", s.Store.LastChange)
}

func (s *watchedStore) Changes(ctx context.Context, after int64, limit int) ([]serverstore.Change, error) {
	return watched(ctx, s, "Changes", func(ctx context.Context) ([]serverstore.Change, error) { return s.Store.Changes(ctx, after, limit) })
}

func (s *watchedStore) AddGrant(ctx context.Context, g serverstore.Grant) error {
	ctx, end := s.begin(ctx, "AddGrant")
	err := s.Store.AddGrant(ctx, g)
	end(err)
	return err
}

func (s *watchedStore) Rotate(ctx context.Context, now time.Time, r serverstore.Rotation) (serverstore.Outcome, serverstore.Grant, error) {
	ctx, end := s.begin(ctx, "Rotate")
	outcome, g, err := s.Store.Rotate(ctx, now, r)
	end(err)
	return outcome, g, err
}

func (s *watchedStore) Grant(ctx context.Context, now time.Time, id string) (serverstore.Grant, error) {
	return watched(ctx, s, "Grant", func(ctx context.Context) (serverstore.Grant, error) { return s.Store.Grant(ctx, now, id) })
}

func (s *watchedStore) Grants(ctx context.Context, now time.Time, f serverstore.GrantFilter) ([]serverstore.Grant, error) {
	return watched(ctx, s, "Grants", func(ctx context.Context) ([]serverstore.Grant, error) { return s.Store.Grants(ctx, now, f) })
}

func (s *watchedStore) AddRecord(ctx context.Context, now time.Time, r serverstore.Record) error {
	ctx, end := s.begin(ctx, "AddRecord")
	err := s.Store.AddRecord(ctx, now, r)
	end(err)
	return err
}

func (s *watchedStore) Record(ctx context.Context, now time.Time, kind, key string) (serverstore.Record, error) {
	return watched(ctx, s, "Record", func(ctx context.Context) (serverstore.Record, error) { return s.Store.Record(ctx, now, kind, key) })
}

func (s *watchedStore) TakeRecord(ctx context.Context, now time.Time, kind, key string) (serverstore.Record, error) {
	return watched(ctx, s, "TakeRecord", func(ctx context.Context) (serverstore.Record, error) { return s.Store.TakeRecord(ctx, now, kind, key) })
}

func (s *watchedStore) Use(ctx context.Context, now time.Time, uses ...serverstore.Use) ([]bool, error) {
	return watched(ctx, s, "Use", func(ctx context.Context) ([]bool, error) { return s.Store.Use(ctx, now, uses...) })
}

func (s *watchedStore) Revoke(ctx context.Context, r serverstore.Revocation) (int, error) {
	return watched(ctx, s, "Revoke", func(ctx context.Context) (int, error) { return s.Store.Revoke(ctx, r) })
}

func (s *watchedStore) Revoked(ctx context.Context, now, issued time.Time, of ...serverstore.Target) (bool, error) {
	return watched(ctx, s, "Revoked", func(ctx context.Context) (bool, error) { return s.Store.Revoked(ctx, now, issued, of...) })
}

func (s *watchedStore) Sweep(ctx context.Context, now time.Time, limit int) (int, bool, error) {
	ctx, end := s.begin(ctx, "Sweep")
	removed, more, err := s.Store.Sweep(ctx, now, limit)
	end(err)
	return removed, more, err
}

func (s *watchedStore) Ping(ctx context.Context) error {
	ctx, end := s.begin(ctx, "Ping")
	err := s.Store.Ping(ctx)
	end(err)
	return err
}
