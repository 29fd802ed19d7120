package gojose

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/jotsuite/jot/interop/migrate"
)

func Example_signBefore() {
	private := ecKey
	// before
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: "k1"}},
		(&jose.SignerOptions{}).WithType("JWT")))
	raw, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).Claims(order{3}).Serialize()
	fmt.Println(strings.Count(raw, "."), err)
	// Output: 2 <nil>
}

func Example_verifyBefore() {
	private, raw := ecKey, shopToken(time.Hour)
	// before
	token := must(jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256}))
	var registered jwt.Claims
	var own order
	if err := token.Claims(&private.PublicKey, &registered, &own); err != nil || registered.Expiry == nil {
		log.Fatal("not verified, or without exp", err)
	}
	err := registered.ValidateWithLeeway(jwt.Expected{Issuer: "https://shop.example", AnyAudience: jwt.Audience{"api"}}, 30*time.Second)
	fmt.Println(registered.Issuer, own.Items, err)
	// Output: https://shop.example 3 <nil>
}

func Example_secretBefore() {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, nil))
	raw := must(jwt.Signed(signer).Claims(order{3}).Serialize())
	var own order
	err := must(jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.HS256})).Claims(secret, &own)
	fmt.Println(own.Items, err)
	// Output: 3 <nil>
}

func Example_keysBefore() {
	server := migrate.NewServer()
	defer server.Close()
	raw := server.Token()
	// before
	resp := must(http.Get(server.URL + "/jwks")) // when, how often and how much is up to you
	defer func() { _ = resp.Body.Close() }()
	var set jose.JSONWebKeySet // what Claims takes for a key
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		log.Fatal(err)
	}
	token := must(jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256}))
	var registered jwt.Claims
	err := token.Claims(set, &registered)
	fmt.Println(registered.Subject, err)
	// Output: alice <nil>
}

func Example_errorsBefore() {
	private, raw := ecKey, shopToken(-time.Hour)
	var registered jwt.Claims
	_ = must(jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})).Claims(&private.PublicKey, &registered)
	err := registered.Validate(jwt.Expected{Issuer: "https://shop.example"})
	// before
	if errors.Is(err, jwt.ErrExpired) {
		fmt.Println("expired; iss and aud are right, for they are asked before")
	}
	// Output: expired; iss and aud are right, for they are asked before
}

func Example_encryptBefore() {
	private := rsaKey
	// before
	enc := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: &private.PublicKey}, nil))
	sealed := must(must(enc.Encrypt([]byte("for your eyes only"))).CompactSerialize())
	m := must(jose.ParseEncryptedCompact(sealed, []jose.KeyAlgorithm{jose.RSA_OAEP_256}, []jose.ContentEncryption{jose.A256GCM}))
	plaintext, err := m.Decrypt(private)
	fmt.Println(string(plaintext), err)
	// Output: for your eyes only <nil>
}

func Example_nestedBefore() {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: ecKey}, nil))
	enc := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.A256KW, Key: secret}, (&jose.EncrypterOptions{}).WithContentType("JWT")))
	raw := must(jwt.SignedAndEncrypted(signer, enc).Claims(order{3}).Serialize())

	// before
	nested := must(jwt.ParseSignedAndEncrypted(raw,
		[]jose.KeyAlgorithm{jose.A256KW}, []jose.ContentEncryption{jose.A256GCM}, []jose.SignatureAlgorithm{jose.ES256}))
	var own order
	err := must(nested.Decrypt(secret)).Claims(&ecKey.PublicKey, &own)
	fmt.Println(own.Items, err)
	// Output: 3 <nil>
}

func Example_bytesBefore() {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: ecKey}, nil))
	raw := must(must(signer.Sign([]byte("any bytes"))).CompactSerialize())
	m, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		panic(err)
	}
	payload, err := m.Verify(&ecKey.PublicKey)
	fmt.Println(string(payload), err)
	// Output: any bytes <nil>
}

func Example_unverifiedBefore() {
	token := must(jwt.ParseSigned(shopToken(-time.Hour), []jose.SignatureAlgorithm{jose.ES256}))
	var registered jwt.Claims
	err := token.UnsafeClaimsWithoutVerification(&registered)
	fmt.Println(token.Headers[0].Algorithm, registered.Issuer, err)
	// Output: ES256 https://shop.example <nil>
}

func shopToken(lifetime time.Duration) string {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: ecKey}, nil))
	return must(jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: jwt.NewNumericDate(time.Now().Add(lifetime)),
	}).Claims(order{3}).Serialize())
}
