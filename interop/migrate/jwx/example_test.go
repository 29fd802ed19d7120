package jwx

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/profile/accesstoken"
)

func Example_sign() {
	// after
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret)) // once
	raw, err := jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour),
	}, order{3}) // or map[string]any{"items": 3}
	fmt.Println(strings.Count(raw, "."), err)
	// Output: 2 <nil>
}

func Example_verify() {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	raw := shopToken(time.Hour)
	// after
	v := must(jwt.NewVerifier[order](jwk.Set{key}, jwt.Policy{ // once
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Leeway: 30 * time.Second,
	}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Issuer, token.Claims.Items, err)
	// Output: https://shop.example 3 <nil>
}

// What WithValidator was for, and Get of a claim that is not in the struct.
func Example_validate() {
	v := must(jwt.NewVerifier[struct{}](jwk.Set{signing}, jwt.Policy{
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"}, Required: []string{"items"},
	}))
	var items int
	_, err := v.VerifyWith(ctx, shopToken(time.Hour), func(t *jwt.Token[struct{}], _ time.Time) []*jwt.ClaimError {
		if ok, err := t.Claim("items", &items); !ok || err != nil || items > 2 {
			return []*jwt.ClaimError{{Claim: "items", Code: "items.many", Want: "at most 2"}}
		}
		return nil
	})
	fmt.Println(items, err)
	// Output: 3 token refused: items.many: items: want at most 2
}

func Example_keys() {
	server := migrate.NewServer()
	defer server.Close()
	raw := server.Token()
	// after
	keys := must(keyset.NewRemote(server.URL+"/jwks", keyset.Options{}))
	defer func() { _ = keys.Close() }()
	v := must(jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{server.URL}, Audiences: []string{"api"}}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Subject, err)
	// Output: alice <nil>
}

func Example_errors() {
	v := must(jwt.NewVerifier[order](jwk.Set{signing}, jwt.Policy{Issuers: []string{"https://shop.example"}, Audiences: []string{"another"}}))
	_, err := v.Verify(ctx, shopToken(-time.Hour))
	// after
	if r, ok := errors.AsType[*jwt.RejectError](err); ok && !r.Only("exp.expired") {
		fmt.Println("expired, and more:", r.Codes())
	}
	fmt.Println(errors.Is(err, jwt.ErrExpired), errors.Is(err, jwt.ErrAudience))
	// Output:
	// expired, and more: [aud.mismatch exp.expired]
	// true true
}

func Example_middleware() {
	server := migrate.NewServer()
	defer server.Close()
	keys := must(keyset.NewIssuer(server.URL, keyset.Options{}))
	defer func() { _ = keys.Close() }()

	v := must(accesstoken.NewVerifier(keys, accesstoken.Policy{
		Issuers: []string{server.URL}, Audiences: []string{"api"}, Lenient: &accesstoken.Lenient{},
	}))
	g := must(guard.New(guard.Policy{Resource: "https://api.example", JWT: v}))
	api := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, guard.FromContext(r.Context()).Subject)
	}), guard.Need{Scopes: []string{"read"}})
	fmt.Println(get(api, server.Token()))
	// Output: 200 alice
}

func Example_encrypt() {
	// after
	key := must(jwk.NewDecryptionKey(jwa.ECDH_ES_A256KW, "", private)) // once
	sealed := must(jwe.Encrypt(ctx, key.Public(), jwa.A256GCM, jwe.Header{}, []byte("for your eyes only")))
	m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, sealed, jwe.Options{})
	fmt.Println(string(m.Plaintext), err)
	// Output: for your eyes only <nil>
}

func Example_nested() {
	r := jwt.Registered{Issuer: "https://shop.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour)}
	raw := must(jwt.SignEncrypted(ctx, signing, jwt.Recipient{Key: sealing.Public()}, jwt.Header{}, r, struct{}{}))

	// after
	v := must(jwt.NewVerifier[struct{}](jwk.Set{signing}, jwt.Policy{
		Issuers: []string{"https://shop.example"}, Audiences: []string{"api"},
		Decryption: &jwt.Decryption{Keys: jwk.DecryptionSet{sealing}},
	}))
	token, err := v.Verify(ctx, raw)
	fmt.Println(token.Issuer, err)
	// Output: https://shop.example <nil>
}

func Example_bytes() {
	raw := must(jws.Sign(ctx, signing, jws.Header{}, []byte("any bytes")))
	m, err := jws.Verify(ctx, jwk.Set{signing}, raw, jws.Options{})
	fmt.Println(string(m.Payload), err)
	// Output: any bytes <nil>
}

func Example_generate() {
	key, err := jwk.Generate(jwa.ES256) // with a kid; or jwk.NewPrivateKey(jwa.ES256, kid, private)
	if err != nil {
		panic(err)
	}
	var described map[string]any
	_ = json.Unmarshal(must(json.Marshal(key.Public())), &described)
	fmt.Println(described["kty"], described["alg"], described["d"])
	// Output: EC ES256 <nil>
}

func Example_unverified() {
	token, err := unverified.Parse(shopToken(-time.Hour))
	fmt.Println(token.ClaimString("iss"), err)
	// Output: https://shop.example <nil>
}
