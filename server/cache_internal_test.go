package server

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestCache_turn holds that who waits for another's look at the store, without which nothing is known, gives up with its request.
func TestCache_turn(t *testing.T) {
	c := newCache(nil, time.Second)
	c.turn <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.look(ctx, time.Now()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
