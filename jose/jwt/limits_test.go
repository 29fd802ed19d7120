package jwt

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func members(n int) string {
	var b strings.Builder
	b.WriteString(good[:len(good)-1])
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":%d`, i, i)
	}
	b.WriteByte('}')
	return b.String()
}

func TestLimits(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without instrumentation")
	}
	nested := func(n int) string {
		return forge(plain, with("x", strings.Repeat("[", n)+strings.Repeat("]", n)))
	}
	objects := func(n int) string {
		return forge(plain, with("x", strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n)))
	}
	digits := func(n int) string { return forge(plain, with("x", strings.Repeat("7", n))) }
	many := forge(plain, members(200_000))
	dots := strings.Repeat(".", 10_000_000)
	wide := encode(`{"alg":"HS256","x":"`+strings.Repeat("x", 40<<20)+`"}`) + "." + encode(good) + ".AAAA"
	keys := jwk.Set{secretKey(t)}
	raised := policy()
	raised.MaxSize, raised.MaxDepth, raised.MaxMembers = 64<<20, 10_000, 1<<30
	v := [2]*Verifier[map[string]any]{verifier[map[string]any](t, keys, policy()), verifier[map[string]any](t, keys, raised)}
	s := [2]*Verifier[order]{verifier[order](t, keys, policy()), verifier[order](t, keys, raised)}

	for _, tc := range []struct {
		name, token string
		small       string // at default limits
		large       string // with limits raised
	}{
		{"40 MB of header", wide, "token.too_large", "token.too_large"},
		{"10 million dots", dots, "token.too_large", "token.malformed"},
		{"60,000 dots", dots[:60_000], "token.malformed", "token.malformed"},
		{"2 million levels", nested(2_000_000), "token.too_large", "json.depth"},
		{"20,000 levels", nested(20_000), "json.depth", "json.depth"},
		{"5,000 objects", objects(5_000), "json.depth", "accepted"},
		{"a million digits", digits(1_000_000), "token.too_large", "json.limit"},
		{"40,000 digits", digits(40_000), "json.limit", "json.limit"},
		{"200,000 claims", many, "token.too_large", "accepted"},
		{"10,000 elements", forge(plain, with("x", "["+strings.Repeat("1,", 10_000)+"1]")), "json.limit", "accepted"},
		{"a long string", forge(plain, with("x", `"`+strings.Repeat(`\u0041`, 1_000_000)+`"`)), "token.too_large", "accepted"},
		{"a bad signature", spoil(many), "token.too_large", "sig.invalid"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i, want := range []string{tc.small, tc.large} {
				for claims, verify := range map[string]func() error{
					"map":    func() error { _, err := v[i].Verify(ctx, tc.token); return err },
					"struct": func() error { _, err := s[i].Verify(ctx, tc.token); return err },
				} {
					want := want
					// A Go map for each of the smallest objects costs more than they may.
					if claims == "map" && tc.name == "5,000 objects" && i == 1 {
						want = "json.limit"
					}
					var err error
					n := allocated(func() { err = verify() })
					if got := codes(t, err)[0]; got != want {
						t.Errorf("%s: %s, want %s", claims, got, want)
					}
					budget := uint64(1 << 20)
					if i == 1 {
						budget = uint64(20*len(tc.token)) + 1<<16
					}
					// It is read again to find the claim that is at fault.
					if want == "json.limit" && i == 1 {
						budget = 2 * (budget + 1<<20)
					}
					if n > budget {
						t.Errorf("%s: %d bytes allocated for %d, at most %d", claims, n, len(tc.token), budget)
					}
				}
			}
		})
	}
}

// A forged token costs its sender more than it costs us, whatever it carries.
func TestForgeryAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are counted without instrumentation")
	}
	v := hs(t, nil)
	raw := spoil(forge(plain, with("x", `"`+strings.Repeat("x", 40<<10)+`"`)))
	n := allocated(func() { _, _ = v.Verify(ctx, raw) })
	if n > uint64(2*len(raw)) {
		t.Errorf("%d bytes for %d", n, len(raw))
	}
}
