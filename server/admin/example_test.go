package admin_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
)

// A server with its administration, and an administrator that makes a client.
func Example() {
	ctx := context.Background()
	front := httptest.NewUnstartedServer(nil)
	issuer := "http://" + front.Listener.Addr().String()
	secret := make([]byte, 32) // from a file that only this program reads
	_, _ = rand.Read(secret)
	kept := memstore.New()
	keys, err := keyset.NewRotation(store.NewKeys(kept, "signing"), keyset.Timetable{}, jwa.ES256)
	if err != nil {
		panic(err)
	}
	s, err := server.New(ctx, server.Options{
		Issuer: issuer, Store: kept, Keys: keys, Secrets: [][]byte{secret},
		Resources: []server.Resource{{Identifier: "https://api.example"}, admin.Resource(issuer)},
	})
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if strings.Contains("time remote jti took", a.Key) { // which differ each time
			return slog.Attr{}
		}
		return a
	}}))
	var administration admin.Keys = keys
	h, err := admin.New(s, admin.Options{Keys: administration, Observe: func(ctx context.Context, e *admin.Event) {
		log.LogAttrs(ctx, slog.LevelInfo, "administered", slog.Attr{Value: e.LogValue()})
	}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/admin/v1/", h)
	mux.Handle("/", s)
	front.Config.Handler = mux
	front.Start()
	defer front.Close()

	// The first administrator is made beside the API.
	root, err := s.SaveClient(ctx, server.Client{
		ID: "root", Resources: []string{admin.Resource(issuer).Identifier},
		Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: admin.Read + " " + admin.Write},
	})
	if err != nil {
		panic(err)
	}
	src, err := client.New(client.Config{Server: s.Metadata(), Auth: client.SecretBasic(root.ID, root.Secret)}, client.ClientCredentials())
	if err != nil {
		panic(err)
	}
	rt, err := src.Transport(nil, issuer)
	if err != nil {
		panic(err)
	}
	r, _ := http.NewRequest(http.MethodPut, issuer+"/admin/v1/clients/shop", strings.NewReader(`{"metadata": {"grant_types": ["client_credentials"]}}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-None-Match", "*")
	resp, err := (&http.Client{Transport: rt}).Do(r)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Contains(string(body), `"client_secret"`))
	// Output:
	// level=INFO msg=administered endpoint=admin status=201 action=putClient of=client target=shop client=root sub=root
	// 201 true
}
