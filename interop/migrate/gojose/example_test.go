package gojose

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/keyset"
)

func Example_sign() {
	private := ecKey
	// after
	key := must(jwk.NewPrivateKey(jwa.ES256, "k1", private)) // once
	raw, err := jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour),
	}, order{3})
	fmt.Println(strings.Count(raw, "."), err)
	// Output: 2 <nil>
}

func Example_verify() {
	private, raw := ecKey, shopToken(time.Hour)
	key := must(jwk.NewPublicKey(jwa.ES256, "", &private.PublicKey))
	// after
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{ // once
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Leeway: 30 * time.Second,
	}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Issuer, token.Claims.Items, err)
	// Output: https://shop.example 3 <nil>
}

func Example_secret() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{}, order{3}, jwt.AllowMissingExpiry))
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{AnyIssuer: true, AnyAudience: true, OptionalExpiry: true}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Claims.Items, err)
	// Output: 3 <nil>
}

func Example_keys() {
	server := migrate.NewServer()
	defer server.Close()
	raw := server.Token()
	// after
	keys := must(keyset.NewIssuer(server.URL, keyset.Options{})) // or keyset.NewRemote(url, …)
	defer func() { _ = keys.Close() }()
	v := must(jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{server.URL}, Audiences: []string{"api"}}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Subject, err)
	// Output: alice <nil>
}

func Example_errors() {
	key, raw := signing.Public(), shopToken(-time.Hour)
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}}))
	_, err := v.Verify(ctx, raw)
	// after
	if r, ok := errors.AsType[*jwt.RejectError](err); ok && r.Only("exp.expired") {
		fmt.Println("expired, and nothing else")
	}
	// Output: expired, and nothing else
}

func Example_encrypt() {
	private := rsaKey
	// after
	key := must(jwk.NewDecryptionKey(jwa.RSA_OAEP_256, "", private, jwa.A256GCM)) // once
	sealed := must(jwe.Encrypt(ctx, key.Public(), jwa.A256GCM, jwe.Header{}, []byte("for your eyes only")))
	m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, sealed, jwe.Options{})
	fmt.Println(string(m.Plaintext), err)
	// Output: for your eyes only <nil>
}

func Example_nested() {
	shared := must(jwk.NewSharedKey(jwa.A256KW, "", secret, jwa.A256GCM))
	r := jwt.Registered{Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour)}
	raw := must(jwt.SignEncrypted(ctx, signing, jwt.Recipient{Key: shared}, jwt.Header{}, r, order{3}))

	// after
	v := must(jwt.NewVerifier[order](jwk.Set{signing.Public()}, jwt.Policy{
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"},
		Decryption: &jwt.Decryption{Keys: jwk.DecryptionSet{shared}},
	}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Claims.Items, err)
	// Output: 3 <nil>
}

func Example_bytes() {
	raw := must(jws.Sign(ctx, signing, jws.Header{}, []byte("any bytes")))
	m, err := jws.Verify(ctx, jwk.Set{signing.Public()}, raw, jws.Options{})
	fmt.Println(string(m.Payload), err)
	// Output: any bytes <nil>
}

func Example_unverified() {
	token, err := unverified.Parse(shopToken(-time.Hour))
	fmt.Println(token.HeaderString("alg"), token.ClaimString("iss"), err)
	// Output: ES256 https://shop.example <nil>
}

// What a NonceSource and EmbedJWK were for, as ACME has them (RFC 8555, Section 6.2).
func Example_nonce() {
	public := signing.JWK()
	raw := must(jws.Sign(ctx, signing, jws.Header{
		JWK: &public, Extra: map[string]json.RawMessage{"nonce": json.RawMessage(`"oFvnlFP1wIhRlYS2jTaXbA"`)},
	}, []byte(`{}`)))
	token := must(jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256}))
	fmt.Println(token.Signatures[0].Protected.Nonce, token.Signatures[0].Protected.JSONWebKey != nil)
	// Output: oFvnlFP1wIhRlYS2jTaXbA true
}
