package dpop

import (
	"context"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

// free is an algorithm whose signatures cost nothing, which leaves what a proof costs beside them.
func free(tb testing.TB) (jwk.Extension, *jwk.PrivateKey) {
	tb.Helper()
	alg, err := jwa.New("FREE", jwa.Traits{KeyType: "AKP", SignatureSize: 64})
	if err != nil {
		tb.Fatal(err)
	}
	x := jwk.Extension{
		Algorithm: alg, Thumbprint: []string{"kty", "pub"},
		Verify: func(jwk.JWK) (func(_, _ []byte) bool, error) {
			return func(_, _ []byte) bool { return true }, nil
		},
		Sign: func(jwk.JWK) (func(context.Context, []byte) ([]byte, error), error) {
			return func(context.Context, []byte) ([]byte, error) { return make([]byte, 64), nil }, nil
		},
		Generate: func() ([]byte, error) {
			return []byte(`{"kty":"AKP","pub":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","priv":"AAAA"}`), nil
		},
	}
	key, err := jwk.Generate(alg, x)
	if err != nil {
		tb.Fatal(err)
	}
	return x, key
}

// BenchmarkOwn is what a proof costs beside its signature, with the plain verifier of the same claims next to it: what is
// more here is the hash of the access token and the comparison of URLs. A header that is not recognised costs what
// BenchmarkOwn/key shows on top.
func BenchmarkOwn(b *testing.B) {
	const at = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	x, key := free(b)
	c := Claims{Method: "GET", URL: "https://api.example/v1/orders/17", TokenHash: TokenHash(at)}
	proof, err := Sign(context.Background(), key, jwt.Registered{IssuedAt: profiletest.Clock()}, c)
	if err != nil {
		b.Fatal(err)
	}
	jkt, err := Thumbprint(key)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		v, err := NewVerifier(Policy{Replay: forgets{}, Extensions: []jwk.Extension{x}, JWT: jwt.Policy{Clock: profiletest.Clock, Algorithms: []jwa.Algorithm{x.Algorithm}}})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(context.Background(), proof, Expect{Method: "GET", URL: "https://api.example/v1/orders/17", AccessToken: at, Thumbprint: jkt}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("jwt", func(b *testing.B) {
		keys := &headerKeys{algorithms: []jwa.Algorithm{x.Algorithm}, extensions: []jwk.Extension{x}}
		v, err := jwt.NewVerifier[Claims](keys, jwt.Policy{
			AnyIssuer: true, AnyAudience: true, Type: Type, OptionalExpiry: true, Algorithms: keys.algorithms, Clock: profiletest.Clock,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(context.Background(), proof); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.Ed25519, jwa.RS256} {
		key, err := jwk.Generate(alg)
		if err != nil {
			b.Fatal(err)
		}
		proof, err := Sign(context.Background(), key, jwt.Registered{IssuedAt: profiletest.Clock()}, c)
		if err != nil {
			b.Fatal(err)
		}
		header, _, _ := strings.Cut(proof, ".")
		h := headerKeys{algorithms: jwa.Signatures()}
		b.Run("header/"+alg.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jws.ParseHeader(header, jws.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		read, _ := jws.ParseHeader(header, jws.Options{})
		b.Run("key/"+alg.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				j := *read.JWK
				if _, err := h.Keys(context.Background(), jwk.Query{Algorithm: alg.Name(), JWK: &j}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
