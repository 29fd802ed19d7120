package userinfo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/userinfo"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A provider signs what it knows of a user, and the client reads it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(userinfo.Sign(ctx, key, jwt.Registered{
		Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"},
	}, userinfo.Claims{
		Name: "Alice Adams", Email: "alice@example.com", EmailVerified: true,
		Address: &userinfo.Address{Country: "NL"}, UpdatedAt: userinfo.Time{Time: time.Unix(1767268800, 0)},
	}))

	v := must(userinfo.NewVerifier(jwk.Set{key.Public()}, userinfo.Policy{
		Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3",
	}))
	var user *userinfo.Response = must(v.Read(ctx, userinfo.MediaType, []byte(raw), userinfo.Expect{Subject: "alice"}))
	fmt.Println(user.Subject, user.Claims.Email, user.Claims.EmailVerified, user.Claims.Address.Country)

	// The access token may have been someone else's.
	_, err := v.Verify(ctx, raw, userinfo.Expect{Subject: "mallory"})
	fmt.Println(err)
	// Output:
	// alice alice@example.com true NL
	// token refused: sub.mismatch: sub: want the user of the ID token
}

// Most clients get JSON that nobody has signed.
func ExampleVerifier_Read() {
	v := must(userinfo.NewVerifier(nil, userinfo.Policy{Unsigned: true}))
	body := []byte(`{"sub":"alice","email_verified":"true","family_name#ja-Kana-JP":"アダムズ"}`)
	user := must(v.Read(context.Background(), "application/json", body, userinfo.Expect{Subject: "alice"}))
	var name string
	found := must(user.Claim("family_name#ja-Kana-JP", &name))
	fmt.Println(user.Claims.EmailVerified, found, name)
	// Output: true true アダムズ
}

func ExampleBool() {
	var b userinfo.Bool
	err := json.Unmarshal([]byte(`"true"`), &b) // of Apple
	fmt.Println(b, err)
	// Output: true <nil>
}
