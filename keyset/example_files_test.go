package keyset_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// partner makes a key and puts its public half into a folder of its own, as one that came
// from a partner.
func partner(folder string) *jwk.PrivateKey {
	key := must(jwk.Generate(jwa.ES256))
	if err := os.Mkdir(folder, 0o700); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "signing.pem"), must(key.Public().JWK().MarshalPEM()), 0o600); err != nil {
		log.Fatal(err)
	}
	return key
}

// The keys of several issuers in files: a folder for each, so that none can sign for
// another.
func ExampleTrust_files() {
	root := must(os.MkdirTemp("", ""))
	defer func() { _ = os.RemoveAll(root) }()
	keyA, keyB := partner(filepath.Join(root, "a")), partner(filepath.Join(root, "b"))

	var trust keyset.Trust
	for issuer, folder := range map[string]string{
		"https://a.example": filepath.Join(root, "a"),
		"https://b.example": filepath.Join(root, "b"),
	} {
		keys, err := keyset.OpenDir(folder, keyset.DirOptions{})
		if err != nil {
			log.Fatal(err)
		}
		if err := trust.Add(issuer, keys); err != nil {
			log.Fatal(err)
		}
	}
	v := must(jwt.NewVerifier[struct{}](&trust, jwt.Policy{AnyIssuer: true, Selector: "iss", Audiences: []string{"api"}}))
	for _, raw := range []string{sign(keyA, "https://a.example"), sign(keyB, "https://b.example"), sign(keyB, "https://a.example")} {
		_, err := v.Verify(ctx, raw)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// token refused: sig.invalid: the signature does not verify
}
