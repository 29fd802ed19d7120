package jwk_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func Example() {
	ctx := context.Background()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		panic(err)
	}
	signature, err := key.Sign(ctx, []byte("message"))
	if err != nil {
		panic(err)
	}
	var pub *jwk.PublicKey = key.Public()
	fmt.Println(pub.Verify([]byte("message"), signature))
	fmt.Println(errors.Is(pub.Verify([]byte("massage"), signature), jwk.ErrSignature))
	// Output:
	// <nil>
	// true
}

func ExampleParse() {
	j, err := jwk.Parse([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(j.KeyType(), j.Curve(), j.KeyID(), j.IsPrivate(), j)
	key, err := j.PublicKey(jwk.Binding{})
	fmt.Println(key, err)
	fmt.Println(key.Algorithm(), key.KeyID())
	// Output:
	// OKP Ed25519 k1 false "JWK OKP Ed25519 k1"
	// public key EdDSA "k1" <nil>
	// EdDSA k1
}

// A key that its own members forbid is refused with the reason.
func ExampleJWK_PublicKey() {
	j, err := jwk.Parse([]byte(`{"kty":"EC","crv":"P-256","use":"enc","key_ops":["deriveKey"],"alg":"ECDH-ES",` +
		`"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`))
	if err != nil {
		panic(err)
	}
	_, err = j.PublicKey(jwk.Binding{})
	fmt.Println(errors.Is(err, jwk.ErrUse), err)
	fmt.Println(j.Use(), j.KeyOps(), j.Algorithm())
	// Output:
	// true the key is for another use: ECDH-ES is not for signatures
	// enc [deriveKey] ECDH-ES
}

// An RSA key without "alg" is RS256 unless the binding says otherwise.
func ExampleBinding() {
	data := rfc7517()["A.1"]
	all, skipped, err := jwk.ParseJWKs(data)
	if err != nil || len(skipped) > 0 {
		panic(err)
	}
	j, err := all[1].With("alg", nil)
	if err != nil {
		panic(err)
	}
	key, err := j.PublicKey(jwk.Binding{})
	fmt.Println(key, err)
	key, err = j.PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}})
	fmt.Println(key, err)
	_, err = j.PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RS256, jwa.PS256}})
	fmt.Println(errors.Is(err, jwk.ErrAlgorithm))
	// Output:
	// public key RS256 "2011-04-29" <nil>
	// public key PS256 "2011-04-29" <nil>
	// true
}

func ExampleParseSet() {
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[
		{"kty":"EC","crv":"P-256","kid":"1","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
		{"kty":"AKP","alg":"ML-DSA-44","kid":"2","pub":"AA"},
		{"kty":"RSA","kid":"3","n":"AQAB","e":"AQAB"}]}`), jwk.Binding{})
	if err != nil {
		panic(err)
	}
	for _, s := range skipped {
		fmt.Println(s.Index, s.KeyID, s.Err)
	}
	fmt.Println(errors.Is(skipped[0].Err, jwk.ErrUnsupported), errors.Is(skipped[1].Err, jwk.ErrWeak))

	var source jwk.Source = set
	keys, err := source.Keys(context.Background(), jwk.Query{Algorithm: "ES256", KeyID: "1"})
	fmt.Println(keys, err)
	_, err = source.Keys(context.Background(), jwk.Query{Algorithm: "ES256", KeyID: "9"})
	fmt.Println(errors.Is(err, jwk.ErrNoKey), errors.Is(err, jwk.ErrAmbiguous))
	// Output:
	// 1 2 the key is of an unknown kind: the algorithm "ML-DSA-44" needs an Extension
	// 2 3 the key is too weak: RSA keys have at least 2048 bits
	// true true
	// [public key ES256 "1"] <nil>
	// true false
}

func ExampleSet_MarshalJSON() {
	j, err := jwk.Parse([]byte(`{"kty":"OKP","crv":"Ed25519","kid":"k1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		panic(err)
	}
	key, err := j.PrivateKey(jwk.Binding{})
	if err != nil {
		panic(err)
	}
	data, err := json.Marshal(jwk.Set{key.Public()})
	fmt.Println(string(data), err)

	secret, err := jwk.GenerateSecret(jwa.HS256)
	if err != nil {
		panic(err)
	}
	_, err = jwk.Set{secret}.MarshalJSON()
	fmt.Println(errors.Is(err, jwk.ErrPrivate))
	// Output:
	// {"keys":[{"kty":"OKP","alg":"EdDSA","kid":"k1","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]} <nil>
	// true
}

func ExampleParsePEM() {
	j, err := jwk.ParsePEM([]byte(`-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`))
	if err != nil {
		panic(err)
	}
	data, err := j.MarshalJSON()
	fmt.Println(string(data), err)

	text, err := j.MarshalPEM()
	fmt.Println(strings.Count(string(text), "PUBLIC KEY"), err)
	der, err := j.MarshalDER()
	if err != nil {
		panic(err)
	}
	again, err := jwk.ParseDER(der)
	fmt.Println(again, err)

	_, err = jwk.ParsePEM([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	fmt.Println(err)
	// Output:
	// {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"} <nil>
	// 2 <nil>
	// "JWK OKP Ed25519" <nil>
	// the key is of an unknown kind: the PEM is encrypted: decrypt it first, as with openssl pkey
}

func ExampleJWK_MarshalPrivateJSON() {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	j, err := jwk.FromKey(key)
	if err != nil {
		panic(err)
	}
	j = j.WithKeyID("zero")

	data, err := json.Marshal(j) // public
	fmt.Println(string(data), err)
	data, err = j.MarshalPrivateJSON() // by its name
	fmt.Println(string(data), err)

	pem, err := j.MarshalPrivatePEM()
	fmt.Println(strings.Count(string(pem), "PRIVATE KEY"), err)
	der, err := j.MarshalPrivateDER()
	fmt.Println(len(der), err)
	fmt.Println(j.Public().IsPrivate())
	// Output:
	// {"kty":"OKP","kid":"zero","crv":"Ed25519","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik"} <nil>
	// {"kty":"OKP","kid":"zero","crv":"Ed25519","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik","d":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} <nil>
	// 2 <nil>
	// 48 <nil>
	// false
}

// RFC 7638, Section 3.1.
func ExampleJWK_Thumbprint() {
	all, _, err := jwk.ParseJWKs(rfc7517()["A.1"])
	if err != nil {
		panic(err)
	}
	fmt.Println(all[1].Thumbprint(crypto.SHA256))
	fmt.Println(all[1].ThumbprintURI(crypto.SHA256))
	// Output:
	// NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs <nil>
	// urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs <nil>
}

func ExampleJWK_Member() {
	j, err := jwk.Parse([]byte(`{"kty":"RSA","issuer":"https://login.example/{tenantid}/v2.0","n":"AQAB","e":"AQAB"}`))
	if err != nil {
		panic(err)
	}
	raw, ok := j.Member("issuer")
	fmt.Println(string(raw), ok)
	j, err = j.With("use", "sig")
	fmt.Println(j.Use(), err)
	fmt.Println(len(j.X5C()), j.X5TS256() == "")
	// Output:
	// "https://login.example/{tenantid}/v2.0" true
	// sig <nil>
	// 0 true
}

// A key in a key management service: the function is what talks to it.
func ExampleNewRemoteKey() {
	inTheService, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	key, err := jwk.NewRemoteKey(jwa.ES256, "projects/p/keys/k", &inTheService.PublicKey,
		func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
			if err := ctx.Err(); err != nil { // a real one hands ctx to its client
				return nil, err
			}
			return inTheService.Sign(rand.Reader, digest, opts)
		})
	if err != nil {
		panic(err)
	}
	signature, err := key.Sign(context.Background(), []byte("message"))
	fmt.Println(len(signature), err, key.Public().Verify([]byte("message"), signature))
	_, err = key.PrivateJWK()
	fmt.Println(err)
	// Output:
	// 64 <nil> <nil>
	// private and public keys are confused: the private key cannot leave its signer
}

func ExampleNewPrivateKey() {
	_, signer, err := ed25519.GenerateKey(rand.Reader) // or any other crypto.Signer
	if err != nil {
		panic(err)
	}
	key, err := jwk.NewPrivateKey(jwa.Ed25519, "2026-01", signer)
	fmt.Println(key, err)
	pub, err := jwk.NewPublicKey(jwa.Ed25519, "2026-01", signer.Public())
	fmt.Println(pub, err, pub.JWK().Algorithm())
	// Output:
	// private key Ed25519 "2026-01" <nil>
	// public key Ed25519 "2026-01" <nil> Ed25519
}

func ExampleNewSecretKey() {
	_, err := jwk.NewSecretKey(jwa.HS256, "", []byte("secret"))
	fmt.Println(errors.Is(err, jwk.ErrWeak), err)
	_, err = jwk.NewSecretKey(jwa.HS256, "", []byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----"))
	fmt.Println(errors.Is(err, jwk.ErrInvalid))

	// For a peer who insists:
	key, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", []byte("a poor secret"+"!"))
	fmt.Println(key, err)
	// Output:
	// true the key is too weak: HS256 needs a secret of at least 32 bytes (RFC 7518, Section 3.2)
	// true
	// secret key HS256 <nil>
}

func ExampleGenerateSecret() {
	key, err := jwk.GenerateSecret(jwa.HS512)
	if err != nil {
		panic(err)
	}
	var signer jwk.Signer = key
	var verifier jwk.Verifier = key
	mac, err := signer.SignReader(context.Background(), strings.NewReader("a long message"))
	fmt.Println(len(mac), err, verifier.VerifyReader(strings.NewReader("a long message"), mac))

	j, err := key.PrivateJWK()
	if err != nil {
		panic(err)
	}
	again, err := j.SecretKey(jwk.Binding{})
	if err != nil {
		panic(err)
	}
	fmt.Println(again.Verify([]byte("a long message"), mac))
	// Output:
	// 64 <nil> <nil>
	// <nil>
}

// An algorithm that is not in the table is a value: nothing is registered.
func ExampleExtension() {
	alg, err := jwa.New("ES256K", jwa.Traits{KeyType: "EC", Curve: "secp256k1", SignatureSize: 64})
	if err != nil {
		panic(err)
	}
	es256k := jwk.Extension{
		Algorithm:  alg,
		Thumbprint: []string{"crv", "kty", "x", "y"},
		Verify: func(j jwk.JWK) (func(message, signature []byte) bool, error) {
			// A real one decodes x and y, checks the point and verifies.
			return func(message, signature []byte) bool { return false }, nil
		},
	}
	j, err := jwk.Parse([]byte(`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`))
	if err != nil {
		panic(err)
	}
	_, err = j.PublicKey(jwk.Binding{})
	fmt.Println(err)
	key, err := j.PublicKey(jwk.Binding{Extensions: []jwk.Extension{es256k}})
	fmt.Println(key, err, key.CryptoKey())
	// Output:
	// the key is of an unknown kind: the key type "EC" with the curve "secp256k1" needs an Extension
	// public key ES256K <nil> <nil>
}
