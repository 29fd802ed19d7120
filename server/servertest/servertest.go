// Package servertest runs a whole authorization server in a test: with keys, a store in memory, and what clients and trusted issuers
// the test gives it.
//
//	as := servertest.New(t, server.Options{})
//	c := as.AddClient(t, server.Client{Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}})
//	src, err := client.New(client.Config{Server: as.Metadata(), Auth: client.SecretBasic(c.ID, c.Secret)}, client.ClientCredentials())
package servertest

import (
	"context"
	"crypto/rand"
	"net/http/httptest"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
)

// Resource is the identifier of the API that tokens are for where Options name none. It knows the scopes read and write.
const Resource = "https://api.example"

// Server is an authorization server that listens on this machine until the test ends.
type Server struct {
	*server.Server
	// URL is its issuer identifier.
	URL string
	// Options are those that it was made with.
	Options server.Options
}

// New starts a server. What Options leave empty is made: an issuer on this machine, a store in memory, a key for ES256, secrets, and
// [Resource].
func New(t testing.TB, o server.Options) *Server {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	if o.Issuer == "" {
		o.Issuer = "http://" + front.Listener.Addr().String()
	}
	if o.Store == nil {
		o.Store = memstore.New()
	}
	if o.Keys == nil {
		key, err := jwk.Generate(jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = server.FixedKeys(key)
	}
	if o.Secrets == nil {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // which never fails
		o.Secrets = [][]byte{secret}
	}
	if o.Resources == nil {
		o.Resources = []server.Resource{{Identifier: Resource, Scopes: oauth.Scopes{"read", "write"}}}
	}
	s, err := server.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler = s
	front.Start()
	t.Cleanup(front.Close)
	return &Server{s, o.Issuer, o}
}

// AddClient saves a client, and returns it with its secret.
func (s *Server) AddClient(t testing.TB, c server.Client) *server.Client {
	t.Helper()
	saved, err := s.SaveClient(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// AddIssuer saves a trusted issuer.
func (s *Server) AddIssuer(t testing.TB, i server.TrustedIssuer) *server.TrustedIssuer {
	t.Helper()
	saved, err := s.SaveIssuer(context.Background(), i)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}
