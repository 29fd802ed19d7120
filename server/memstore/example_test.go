package memstore_test

import (
	"context"
	"fmt"

	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
)

func ExampleNew() {
	var s store.Store = memstore.New()
	defer s.Close()
	_, err := s.PutDocument(context.Background(), store.Document{Kind: "client", ID: "app", Body: []byte("{}")})
	fmt.Println(err)
	// Output: <nil>
}
