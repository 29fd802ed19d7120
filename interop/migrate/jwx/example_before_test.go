package jwx

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwe"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsuite/jot/interop/migrate"
)

func Example_signBefore() {
	// before
	token := must(jwt.NewBuilder().Issuer("https://shop.example").Audience([]string{"api"}).
		Expiration(time.Now().Add(time.Hour)).Claim("items", 3).Build())
	raw, err := jwt.Sign(token, jwt.WithKey(jwa.HS256(), secret))
	fmt.Println(strings.Count(string(raw), "."), err)
	// Output: 2 <nil>
}

func Example_verifyBefore() {
	raw := shopToken(time.Hour)
	// before
	token := must(jwt.ParseString(raw, jwt.WithKey(jwa.HS256(), secret), jwt.WithIssuer("https://shop.example"), jwt.WithAudience("api"),
		jwt.WithRequiredClaim("exp"), jwt.WithAcceptableSkew(30*time.Second), jwt.WithTypedClaim("items", 0)))
	var items int
	err := token.Get("items", &items)
	fmt.Println(must2(token.Issuer()), items, err)
	// Output: https://shop.example 3 <nil>
}

func Example_keysBefore() {
	server := migrate.NewServer()
	defer server.Close()
	raw := server.Token()
	// before
	cache := must(jwk.NewCache(ctx, httprc.NewClient()))
	if err := cache.Register(ctx, server.URL+"/jwks"); err != nil {
		log.Fatal(err)
	}
	keys := must(cache.CachedSet(server.URL + "/jwks"))
	token, err := jwt.ParseString(raw, jwt.WithKeySet(keys), jwt.WithIssuer(server.URL), jwt.WithAudience("api"))
	fmt.Println(must2(token.Subject()), err)
	_ = cache.Shutdown(ctx)
	// Output: alice <nil>
}

func Example_errorsBefore() {
	raw := shopToken(-time.Hour)
	_, err := jwt.ParseString(raw, jwt.WithKey(jwa.HS256(), secret), jwt.WithAudience("another"))
	// before
	if errors.Is(err, jwt.TokenExpiredError()) {
		fmt.Println("expired, and perhaps more: it is the first that is found")
	}
	fmt.Println(errors.Is(err, jwt.InvalidAudienceError()))
	// Output:
	// expired, and perhaps more: it is the first that is found
	// false
}

func Example_middlewareBefore() {
	server := migrate.NewServer()
	defer server.Close()
	cache := must(jwk.NewCache(ctx, httprc.NewClient()))
	if err := cache.Register(ctx, server.URL+"/jwks"); err != nil {
		panic(err)
	}
	defer func() { _ = cache.Shutdown(ctx) }()
	keys := must(cache.CachedSet(server.URL + "/jwks"))

	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := jwt.ParseRequest(r, jwt.WithKeySet(keys), jwt.WithIssuer(server.URL), jwt.WithAudience("api"))
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, must2(token.Subject()))
	})
	fmt.Println(get(api, server.Token()))
	fmt.Println(get(api, "ey"))
	// Output:
	// 200 alice
	// 401
}

func Example_encryptBefore() {
	// before
	sealed := must(jwe.Encrypt([]byte("for your eyes only"), jwe.WithKey(jwa.ECDH_ES_A256KW(), &private.PublicKey)))
	plaintext, err := jwe.Decrypt(sealed, jwe.WithKey(jwa.ECDH_ES_A256KW(), private))
	fmt.Println(string(plaintext), err)
	// Output: for your eyes only <nil>
}

func Example_nestedBefore() {
	token := must(jwt.NewBuilder().Issuer("https://shop.example").Audience([]string{"api"}).Expiration(time.Now().Add(time.Hour)).Build())
	raw := must(jwt.NewSerializer().Sign(jwt.WithKey(jwa.HS256(), secret)).
		Encrypt(jwt.WithKey(jwa.ECDH_ES_A256KW(), &private.PublicKey), jwt.WithEncryptOption(jwe.WithContentEncryption(jwa.A256GCM()))).Serialize(token))

	// before
	inner := must(jwe.Decrypt(raw, jwe.WithKey(jwa.ECDH_ES_A256KW(), private)))
	got, err := jwt.Parse(inner, jwt.WithKey(jwa.HS256(), secret), jwt.WithIssuer("https://shop.example"), jwt.WithAudience("api"))
	fmt.Println(must2(got.Issuer()), err)
	// Output: https://shop.example <nil>
}

func Example_bytesBefore() {
	raw := must(jws.Sign([]byte("any bytes"), jws.WithKey(jwa.HS256(), secret)))
	payload, err := jws.Verify(raw, jws.WithKey(jwa.HS256(), secret))
	fmt.Println(string(payload), err)
	// Output: any bytes <nil>
}

func Example_generateBefore() {
	key, err := jwk.Import(private)
	if err != nil {
		panic(err)
	}
	if err := jwk.AssignKeyID(key); err != nil {
		panic(err)
	}
	if err := key.Set(jwk.AlgorithmKey, jwa.ES256()); err != nil {
		panic(err)
	}
	public := must(jwk.PublicKeyOf(key))
	var described map[string]any
	_ = json.Unmarshal(must(json.Marshal(public)), &described)
	fmt.Println(described["kty"], described["alg"], described["d"])
	// Output: EC ES256 <nil>
}

func Example_unverifiedBefore() {
	token, err := jwt.ParseInsecure([]byte(shopToken(-time.Hour)))
	fmt.Println(must2(token.Issuer()), err)
	// Output: https://shop.example <nil>
}

func must2[T any](v T, ok bool) T {
	if !ok {
		panic("it is not there")
	}
	return v
}
