package servertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// A test of a program that gets tokens.
func ExampleNew() {
	t := new(testing.T) // the test's own

	as := servertest.New(t, server.Options{})
	c := as.AddClient(t, server.Client{Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}})
	src, err := client.New(client.Config{Server: as.Metadata(), Auth: client.SecretBasic(c.ID, c.Secret)}, client.ClientCredentials())
	if err != nil {
		t.Fatal(err)
	}
	token, err := src.Token(context.Background())
	fmt.Println(token.Scope, err)
	fmt.Println(as.URL == as.Metadata().Issuer, servertest.Resource)

	key, _ := jwk.Generate(jwa.ES256)
	set, _ := jwk.Set{key.Public()}.MarshalJSON()
	i := as.AddIssuer(t, server.TrustedIssuer{Issuer: "https://idp.example", JWKS: set, Subjects: []string{"*"}, Scope: "read"})
	fmt.Println(i.Issuer)
	// Output:
	// read <nil>
	// true https://api.example
	// https://idp.example
}
