//go:build cgo

package pkcs11_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/jotsuite/jot/ext/pkcs11"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// The key signs in the token, and everything else is as with other keys.
func ExampleOpen() {
	token, err := pkcs11.Open(pkcs11.Options{
		Module: "/usr/lib/softhsm/libsofthsm2.so",
		Token:  "production",
		PIN: func() (string, error) {
			pin, err := os.ReadFile("/run/secrets/pin")
			return strings.TrimSpace(string(pin)), err
		},
		Observe: func(err error) { fmt.Fprintln(os.Stderr, err) },
	})
	if err != nil {
		panic(err)
	}
	defer token.Close()
	key, err := token.Key(pkcs11.Find{Label: "signing-2026"})
	if err != nil {
		panic(err)
	}
	signer, err := jwk.NewPrivateKey(jwa.ES256, "signing-2026", key)
	if err != nil {
		panic(err)
	}
	raw, err := jws.Sign(context.Background(), signer, jws.Header{}, []byte("hello"))
	if err != nil {
		panic(err)
	}
	fmt.Println(raw)
}

// An RSA key decrypts through its interface, an EC key agrees on a secret through its
// own: the call is the same.
func ExampleToken_Key() {
	token, err := pkcs11.Open(pkcs11.Options{Module: "/usr/lib/softhsm/libsofthsm2.so", Serial: "5cf4a8fd4b6c1e2a"})
	if err != nil {
		panic(err)
	}
	defer token.Close()
	key, err := token.Key(pkcs11.Find{ID: []byte{1}})
	if err != nil {
		panic(err)
	}
	alg := jwa.RSA_OAEP
	if _, ok := key.(*pkcs11.ECKey); ok {
		alg = jwa.ECDH_ES_A256KW
	}
	recipient, err := jwk.NewDecryptionKey(alg, "1", key)
	if err != nil {
		panic(err)
	}
	fmt.Println(recipient.Public())
}
