package idtoken_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/idtoken"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A provider makes an ID token beside an access token, and the client verifies it.
func Example() {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256))
	raw := must(idtoken.Sign(ctx, key, jwt.Registered{
		Issuer: "https://op.example", Subject: "24400320", Audience: jwt.Audience{"s6BhdRkqt3"},
		Expiry: time.Now().Add(10 * time.Minute), IssuedAt: time.Now(),
	}, idtoken.Claims{
		Nonce: "n-0S6_WzA2Mj", AuthTime: time.Now(),
		ATHash: must(idtoken.Hash(key.Algorithm(), "SlAV32hkKG")),
	}))

	v := must(idtoken.NewVerifier(jwk.Set{key.Public()}, idtoken.Policy{
		Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3",
	}))
	t := must(v.Verify(ctx, raw, idtoken.Expect{Nonce: "n-0S6_WzA2Mj", AccessToken: "SlAV32hkKG"}))
	fmt.Println(t.Subject)

	// Expect says what is known of this one login.
	_, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: "of another browser", AccessToken: "of another user"})
	fmt.Println(err)
	_, err = v.Verify(ctx, raw, idtoken.Expect{})
	fmt.Println(err)
	// max_age=0 was sent, and no nonce.
	_, err = v.Verify(ctx, raw, idtoken.Expect{NoNonce: true, MaxAge: idtoken.JustNow})
	fmt.Println(err)
	// Output:
	// 24400320
	// token refused: nonce.mismatch: nonce: want the one that is expected; at_hash.mismatch: at_hash: want the hash of what came with the token
	// the policy is invalid: Expect has no Nonce; NoNonce is how to do without
	// token refused: nonce.mismatch: nonce: want the one that is expected
}
