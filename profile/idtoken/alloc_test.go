package idtoken

import (
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

func policyOf(p Policy) jwt.Policy {
	j := p.JWT
	j.Issuers, j.Audiences = p.Issuers, []string{p.ClientID}
	return j
}

// The payload's buffer, the token, and what Expect is held to.
func TestAllocations(t *testing.T) {
	raw := good.Sign(t, profiletest.Secret(t), "JWT")
	v := verifier(t, some)
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.With("auth_time", now-5, "at_hash", "77QmUPtjPfzWtF2AnpK9RQ", "name", "Jane Doe", "email", "jane@example.com").Sign(b, profiletest.Secret(b), "JWT")
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, policyOf(some))
	if err != nil {
		b.Fatal(err)
	}
	v := verifier(b, some)
	b.Run("jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plain.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, raw, sent); err != nil {
				b.Fatal(err)
			}
		}
	})
}
