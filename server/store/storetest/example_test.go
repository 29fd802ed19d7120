package storetest_test

import (
	"fmt"
	"testing"

	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
	"github.com/jotsuite/jot/server/store/storetest"
)

// The tests of a store, as they stand in its package.
func Example() {
	open := func(string) (store.Store, error) { return memstore.New(), nil } // yours, at a place

	tests := []func(t *testing.T){
		func(t *testing.T) {
			storetest.Run(t, storetest.Backend{New: func(t *testing.T) storetest.Open {
				place := t.TempDir()
				return func() (store.Store, error) { return open(place) }
			}})
		},
		func(t *testing.T) {
			s, err := open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			storetest.Compare(t, memstore.New(), s, 1000)
		},
		func(t *testing.T) {
			storetest.Crash(t, func(t *testing.T) string { return t.TempDir() }, open)
		},
	}
	fmt.Println(len(tests), "tests; more crashes with", storetest.EnvKills)
	// Output: 3 tests; more crashes with JOT_STORETEST_KILLS
}
