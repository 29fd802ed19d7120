package bench

import (
	"bytes"
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
		bad := map[string]string{
			"signature": flip(good, 2),
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
	for _, e := range Encryptions() {
		if e.size < large { // with the race detector a large one takes its time
			sameEncryption(t, e)
		}
	}
	for _, op := range All() {
		if err := op.Run(); err != nil {
			t.Errorf("%s %s: %v", op.Name, op.Library, err)
		}
	}
}

// sameEncryption shows that each library reads what the others write, and refuses the
// token where a part is changed.
func sameEncryption(t *testing.T, e *Encryption) {
	plaintext := e.Plaintext()
	for _, from := range e.Crypters() {
		token, err := from.Encrypt(plaintext)
		if err != nil {
			t.Errorf("%s %s: %v", from.Library, e.Name, err)
			continue
		}
		bad := map[string]string{}
		for i, part := range strings.Split(token, ".") {
			if part != "" && i > 0 {
				bad[[]string{1: "encrypted key", "initialization vector", "ciphertext", "tag"}[i]] = flip(token, i)
			}
		}
		for _, to := range e.Crypters() {
			if got, err := to.Decrypt(token); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%s of %s, decrypted by %s: %d bytes, %v", e.Name, from.Library, to.Library, len(got), err)
			}
			if from.Library != "jot" {
				continue
			}
			for part, token := range bad {
				if _, err := to.Decrypt(token); err == nil {
					t.Errorf("%s %s does not check the %s", to.Library, e.Name, part)
				}
			}
		}
	}
}

// flip changes a bit in the fifth character of a part.
func flip(token string, part int) string {
	parts := strings.Split(token, ".")
	c := byte('A')
	if parts[part][4] == c {
		c = 'B'
	}
	parts[part] = parts[part][:4] + string(c) + parts[part][5:]
	return strings.Join(parts, ".")
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
