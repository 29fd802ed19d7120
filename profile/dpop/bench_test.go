package dpop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

type forgets struct{}

func (forgets) Seen(context.Context, string, string, time.Duration) (bool, error) { return false, nil }

// BenchmarkVerify shows what a proof costs beside its signature: of one client, whose header is recognised, and of a
// thousand in turn, whose headers are read and whose keys are checked each time.
func BenchmarkVerify(b *testing.B) {
	const at = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.Ed25519} {
		keys := make([]*jwk.PrivateKey, 1000)
		proofs := make([]string, len(keys))
		thumbprints := make([]string, len(keys))
		c := Claims{Method: "GET", URL: "https://api.example/v1/orders/17", TokenHash: TokenHash(at)}
		r := jwt.Registered{IssuedAt: profiletest.Clock()}
		for i := range keys {
			var err error
			if keys[i], err = jwk.Generate(alg); err != nil {
				b.Fatal(err)
			}
			if proofs[i], err = Sign(context.Background(), keys[i], r, c); err != nil {
				b.Fatal(err)
			}
			if thumbprints[i], err = Thumbprint(keys[i]); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint(alg, "/signature"), func(b *testing.B) {
			message := []byte(proofs[0][:len(proofs[0])-87])
			sig, err := keys[0].Sign(context.Background(), message)
			if err != nil {
				b.Fatal(err)
			}
			pub := keys[0].Public()
			b.ReportAllocs()
			for b.Loop() {
				if err := pub.Verify(message, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
		v, err := NewVerifier(Policy{Replay: forgets{}, JWT: jwt.Policy{Clock: profiletest.Clock}})
		if err != nil {
			b.Fatal(err)
		}
		for _, clients := range []int{1, len(keys)} {
			b.Run(fmt.Sprint(alg, "/clients=", clients), func(b *testing.B) {
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					n := i % clients
					x := Expect{Method: "GET", URL: "https://api.example/v1/orders/17", AccessToken: at, Thumbprint: thumbprints[n]}
					if _, err := v.Verify(context.Background(), proofs[n], x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
