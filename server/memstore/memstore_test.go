package memstore_test

import (
	"testing"

	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
	"github.com/jotsuite/jot/server/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		New: func(*testing.T) storetest.Open {
			s := memstore.New()
			return func() (store.Store, error) { return s, nil }
		},
		Volatile: true,
	})
}
