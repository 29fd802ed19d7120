package server_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
)

// TestKeysOfTheStore holds that processes that are given no keys have those of their store in common.
func TestKeysOfTheStore(t *testing.T) {
	o := server.Options{
		Issuer: "https://as.example", Store: memstore.New(), Secrets: [][]byte{make([]byte, 32)},
		Resources: []server.Resource{{Identifier: "https://api.example", Scopes: oauth.Scopes{"read"}}},
	}
	var sets []string
	var raw string
	for range 2 {
		s, err := server.New(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/jwks", nil))
		sets = append(sets, w.Body.String())
		if raw != "" {
			continue
		}
		c := server.Client{ID: "shop"}
		c.Metadata.GrantTypes, c.Metadata.Scope = []string{"client_credentials"}, "read"
		if c, err := s.SaveClient(ctx, c); err != nil {
			t.Fatal(err)
		} else {
			r := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type=client_credentials"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth(c.ID, c.Secret)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			raw = member(w, "access_token")
		}
	}
	if sets[0] != sets[1] {
		t.Errorf("two processes publish\n%s\n%s", sets[0], sets[1])
	}
	set, _, err := jwk.ParseSet([]byte(sets[1]), jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := accesstoken.NewVerifier(set, accesstoken.Policy{Issuers: []string{o.Issuer}, Audiences: []string{"https://api.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(ctx, raw); err != nil {
		t.Error(err)
	}
}
