package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
)

// TestSameWork shows that each library does the work that it is measured for: it
// takes the token and refuses those that break one of the rules.
func TestSameWork(t *testing.T) {
	for _, alg := range Algorithms {
		m, good := materials()[alg], Token(alg)
		sign := func(edit func(*jwt.Registered)) string {
			r := registered()
			edit(&r)
			return must(jwt.Sign(context.Background(), m.jot, jwt.Header{Type: "JWT"}, r, theOrder))
		}
		dot := strings.LastIndexByte(good, '.') + 5
		flipped := byte('A')
		if good[dot] == 'A' {
			flipped = 'B'
		}
		bad := map[string]string{
			"signature": good[:dot] + string(flipped) + good[dot+1:],
			"exp":       sign(func(r *jwt.Registered) { r.Expiry = r.IssuedAt.Add(-time.Hour) }),
			"iss":       sign(func(r *jwt.Registered) { r.Issuer = "https://other.example.com" }),
			"aud":       sign(func(r *jwt.Registered) { r.Audience = jwt.Audience{"https://other.example.com"} }),
		}
		for _, v := range Verifiers(alg) {
			if err := v.Verify(good); err != nil {
				t.Errorf("%s %s refuses: %v", v.Library, alg, err)
			}
			for rule, token := range bad {
				if v.Verify(token) == nil {
					t.Errorf("%s %s does not check %s", v.Library, alg, rule)
				}
			}
		}
		for _, s := range Signers(alg) {
			token, err := s.Sign()
			if err != nil {
				t.Errorf("%s %s: %v", s.Library, alg, err)
				continue
			}
			for _, v := range Verifiers(alg) {
				if s.Library == "kataras" && alg == "PS256" && (v.Library == "jot" || v.Library == "jwx") {
					continue // its salt is as long as it can be, where RFC 7518, Section 3.5, asks for the hash's length
				}
				if err := v.Verify(token); err != nil {
					t.Errorf("%s %s, verified by %s: %v", s.Library, alg, v.Library, err)
				}
			}
		}
	}
	for _, op := range All() {
		if err := op.Run(); err != nil {
			t.Errorf("%s %s: %v", op.Name, op.Library, err)
		}
	}
}

func Benchmark(b *testing.B) {
	for _, op := range All() {
		b.Run(strings.ReplaceAll(op.Name, " ", "_")+"/"+op.Library, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := op.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkParallel verifies one token on all cores: a lock or a shared counter
// would show.
func BenchmarkParallel(b *testing.B) {
	for _, alg := range Algorithms {
		token := Token(alg)
		for _, v := range Verifiers(alg) {
			b.Run("verify_"+alg+"/"+v.Library, func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := v.Verify(token); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}
