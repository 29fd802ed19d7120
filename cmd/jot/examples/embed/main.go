// Embed is a program with an authorization server of its own, on SQLite, beside what it serves otherwise.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/sqlstore"
	"modernc.org/sqlite"
)

func main() {
	ctx := context.Background()
	s := must(server.New(ctx, server.Options{
		Issuer:    "http://localhost:8090",
		Store:     must(sqlstore.SQLite(ctx, &sqlite.Driver{}, "embed.db", sqlstore.Options{})),
		Secrets:   [][]byte{must(os.ReadFile("embed.secret"))}, // head -c 32 /dev/urandom > embed.secret
		Resources: []server.Resource{{Identifier: "https://api.example"}},
	}))
	if _, err := s.Client(ctx, "shop"); err != nil { // at the first start
		shop := server.Client{ID: "shop"}
		shop.Metadata.GrantTypes, shop.Metadata.Scope = []string{"client_credentials"}, "orders:read"
		fmt.Println("the secret of shop:", must(s.SaveClient(ctx, shop)).Secret)
	}
	go s.Run(ctx)
	http.Handle("/", s) // and what the program serves otherwise at other paths
	log.Fatal(http.ListenAndServe("localhost:8090", nil))
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
