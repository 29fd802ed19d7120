package sqlstore_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jotsuite/jot/server/sqlstore"
	"github.com/jotsuite/jot/server/store"
)

// unreachable stands for &sqlite.Driver{} of modernc.org/sqlite, or
// stdlib.GetDefaultDriver() of github.com/jackc/pgx/v5/stdlib.
type unreachable struct{}

func (unreachable) Open(string) (driver.Conn, error) {
	return nil, errors.New("no database in an example")
}

func ExampleSQLite() {
	var s *sqlstore.Store
	s, err := sqlstore.SQLite(context.Background(), unreachable{}, "jot.db", sqlstore.Options{Fast: true})
	if err != nil {
		fmt.Println("cannot open:", err, errors.Is(err, sqlstore.ErrNewer), errors.Is(err, sqlstore.ErrSetup))
		return
	}
	defer s.Close()
	_, _ = s.Use(context.Background(), time.Now(), store.Use{Key: "jti", Expires: time.Now().Add(time.Minute)})
	// Output: cannot open: no database in an example false false
}

func ExamplePostgreSQL() {
	_, err := sqlstore.PostgreSQL(context.Background(), unreachable{}, "postgres://jot@db.example/jot", sqlstore.Options{})
	fmt.Println("cannot open:", err)
	// Output: cannot open: no database in an example
}

// What the store has done, for metrics.
func ExampleStore_Stats() {
	s, err := sqlstore.SQLite(context.Background(), unreachable{}, "jot.db", sqlstore.Options{})
	if err != nil {
		fmt.Println("cannot open:", err)
		return
	}
	show := func(now sqlstore.Stats) {
		fmt.Println(now.Queue, now.Writes/now.Batches, now.Busy/time.Duration(now.Batches))
	}
	show(s.Stats())
	// Output: cannot open: no database in an example
}
