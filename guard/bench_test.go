package guard

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
)

// nothing is a response that goes nowhere.
type nothing struct{ header http.Header }

func (n nothing) Header() http.Header         { return n.header }
func (n nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n nothing) WriteHeader(int)             {}

var ok = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if FromContext(r.Context()) == nil {
		panic("no token")
	}
})

// A guard allocates the token, its place in the context, and the request that has it; all else is the verifier's.
func TestAllocations(t *testing.T) {
	raw := good.Sign(t, profiletest.Key(t), accesstoken.Type)
	for cache, most := range map[int]float64{0: 15, 16: 5} {
		p := some(t)
		p.JWT = jwts(t, cache)
		h := must(New(p)).Handler(ok, Need{Scopes: []string{"orders:read"}})
		r, w := get("Bearer "+raw), nothing{http.Header{}}
		profiletest.Ceiling(t, most, func() { h.ServeHTTP(w, r) })
	}
}

// BenchmarkHandler is what a request costs, beside what its signatures cost alone.
func BenchmarkHandler(b *testing.B) {
	key := profiletest.Key(b)
	raw := good.Sign(b, key, accesstoken.Type)
	w := nothing{http.Header{}}
	run := func(name string, f func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			f(b)
		})
	}
	run("ES256", func(b *testing.B) {
		message := []byte(raw)
		signature := must(key.Sign(ctx, message))
		public := key.Public()
		for b.Loop() {
			if err := public.Verify(message, signature); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, cache := range map[string]int{"bearer": 0, "bearer, cached": 16} {
		run(name, func(b *testing.B) {
			p := some(b)
			p.JWT = jwts(b, cache)
			h := must(New(p)).Handler(ok, Need{Scopes: []string{"orders:read"}})
			r := get("Bearer " + raw)
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
	// With the token cached, the proof is all that is verified anew.
	client := must(jwk.Generate(jwa.ES256))
	bound := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(client.Public()))}).Sign(b, key, accesstoken.Type)
	run("DPoP, cached", func(b *testing.B) {
		p := some(b)
		p.JWT = jwts(b, 16)
		p.DPoP = must(dpop.NewVerifier(dpop.Policy{Replay: forgets{}, JWT: jwt.Policy{Clock: profiletest.Clock}}))
		h := must(New(p)).Handler(ok, Need{Scopes: []string{"orders:read"}})
		r := request(b, client, bound, nil)
		for b.Loop() {
			h.ServeHTTP(w, r)
		}
	})
}

type forgets struct{}

func (forgets) Seen(context.Context, string, string, time.Duration) (bool, error) { return false, nil }
