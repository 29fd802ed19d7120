package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/server/memstore"
	serverstore "github.com/jotsuite/jot/server/store"
)

// contested is a store in which another process is always first, once.
type contested struct {
	serverstore.Store
	first func()
	err   error
}

func (c *contested) PutDocument(ctx context.Context, d serverstore.Document) (int64, error) {
	if c.err != nil {
		return 0, c.err
	}
	if f := c.first; f != nil {
		c.first = nil
		f()
	}
	return c.Store.PutDocument(ctx, d)
}

func TestAgree(t *testing.T) {
	a, b, other := []byte("the secret of before"), []byte("the next secret"), []byte("that of another store")
	s := memstore.New()
	for i, c := range []struct {
		secrets [][]byte
		good    bool
	}{
		{[][]byte{a}, true},
		{[][]byte{other}, false},
		{[][]byte{a, b}, true},
		{[][]byte{b}, false}, // nothing was made with it yet
		{[][]byte{b, a}, true},
		{[][]byte{a, b}, true}, // a process that has not been told
		{[][]byte{b, a}, true},
		{[][]byte{b}, true},
		{[][]byte{a}, false},
		{[][]byte{other, a}, false},
	} {
		err := agree(t.Context(), s, c.secrets)
		if (err == nil) != c.good || err != nil && !strings.Contains(err.Error(), "made with other secrets") {
			t.Errorf("%d: %v", i, err)
		}
	}

	// Of two processes that are the first, with secrets of their own, one is told.
	s = memstore.New()
	if err := agree(t.Context(), &contested{Store: s, first: func() { _ = agree(t.Context(), s, [][]byte{b}) }}, [][]byte{a}); err == nil || !strings.Contains(err.Error(), "other secrets") {
		t.Error(err)
	}
	s = memstore.New()
	if err := agree(t.Context(), &contested{Store: s, first: func() { _ = agree(t.Context(), s, [][]byte{a}) }}, [][]byte{a}); err != nil {
		t.Error(err)
	}
	boom := errors.New("boom")
	if err := agree(t.Context(), &contested{Store: s, err: boom}, [][]byte{b, a}); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
	_ = s.Close()
	if err := agree(t.Context(), s, [][]byte{a}); err == nil {
		t.Error("a store that is closed")
	}
}

// While a database is down the keys are asked for again and again, and the log has room for other things.
func TestKeysFailed(t *testing.T) {
	var out strings.Builder
	now := time.Unix(1_800_000_000, 0)
	p := &process{a: &app{clock: func() time.Time { return now }}, log: slog.New(slog.NewTextHandler(&out, nil))}
	for i, c := range []struct {
		after time.Duration
		err   string
		lines int
	}{{0, "down", 1}, {time.Second, "down", 1}, {58 * time.Second, "down", 1}, {time.Second, "down", 2}, {time.Second, "away", 3}, {time.Second, "down", 4}} {
		now = now.Add(c.after)
		p.keysFailed(errors.New(c.err))
		if n := strings.Count(out.String(), "\n"); n != c.lines {
			t.Errorf("%d: %d lines\n%s", i, n, out.String())
		}
	}
}
