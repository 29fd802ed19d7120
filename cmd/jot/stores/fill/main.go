// Fill puts clients and grants into the store of a server, so that it can be measured how the server does with many.
//
//	go run ./stores/fill -clients 1000000 -grants 1000000 -like with-key -of with-secret sqlite:jot.db
//
// The clients are client-0, client-1 and so on: those that are not there yet are made after the one that is given.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/jotsuite/jot/server/sqlstore"
	"github.com/jotsuite/jot/server/store"
)

func main() {
	log.SetFlags(0)
	from := flag.Int64("from", 0, "the number of those that are there already")
	clients := flag.Int64("clients", 0, "how many clients there are to be")
	grants := flag.Int64("grants", 0, "how many grants")
	like := flag.String("like", "", "the client that the others are like")
	of := flag.String("of", "", "the client that has the grants")
	flag.Parse()
	ctx := context.Background()
	// What is lost with the power is filled in again.
	var s *sqlstore.Store
	var err error
	if path, ok := strings.CutPrefix(flag.Arg(0), "sqlite:"); ok {
		s, err = sqlstore.SQLite(ctx, &sqlite.Driver{}, path, sqlstore.Options{Fast: true})
	} else {
		s, err = sqlstore.PostgreSQL(ctx, stdlib.GetDefaultDriver(), flag.Arg(0)+"&synchronous_commit=off", sqlstore.Options{})
	}
	check(err)
	model, err := s.Document(ctx, "client", *like)
	check(err)
	many(*from, *clients, func(i int64) error {
		_, err := s.PutDocument(ctx, store.Document{Kind: model.Kind, ID: fmt.Sprint("client-", i), Body: model.Body})
		if errors.Is(err, store.ErrConflict) {
			err = nil // it is there
		}
		return err
	})
	now := time.Now()
	many(*from, *grants, func(i int64) error {
		var id [16]byte
		_, _ = rand.Read(id[:])
		return s.AddGrant(ctx, store.Grant{
			ID: base64.RawURLEncoding.EncodeToString(id[:]), Client: *of, Subject: fmt.Sprint("user-", i/2),
			Body:    []byte(`{"scope":["read","write"],"resources":["https://api.example"],"issuer":"https://issuer.example"}`),
			Created: now, Rotated: now, Expires: now.Add(14 * 24 * time.Hour), Until: now.Add(90 * 24 * time.Hour),
		})
	})
	check(s.Close())
}

// many calls f for each number, some at a time.
func many(from, to int64, f func(int64) error) {
	var next atomic.Int64
	next.Store(from)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < to; i = next.Add(1) - 1 {
				check(f(i))
			}
		})
	}
	wg.Wait()
}

func check(err error) {
	if err != nil {
		log.Fatal("error: ", err)
	}
}
