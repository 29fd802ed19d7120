package attack

import (
	"strings"
)

// limits is group L: what costs much and must be refused before it does. The
// numbers follow the order of the catalogue's list.
func limits() []Case {
	const header = `{"alg":"HS256"}`
	junk := strings.Repeat("A", 43)
	return []Case{
		{ID: "L1", Name: "ten_million_dots", Token: func() string { return strings.Repeat(".", 10_000_000) }, Want: []string{"token.too_large"}},
		{ID: "L1", Name: "as_many_dots_as_fit", Token: func() string { return strings.Repeat(".", 60_000) }, Want: []string{"token.malformed"}},
		{ID: "L1", Name: "dots_after_a_good_header", Token: func() string { return enc(header) + strings.Repeat(".", 60_000) }, Want: []string{"token.malformed"}},
		{ID: "L2", Name: "40MB_header_bad_MAC", Want: []string{"token.too_large"}, Token: func() string {
			return long(`{"alg":"HS256","abc":"`, `"}`) + "." + enc(claims()) + "." + junk
		}},
		{ID: "L2", Name: "40MB_header_good_MAC", Want: []string{"token.too_large"}, Token: func() string {
			return hsSign.seal(long(`{"alg":"HS256","abc":"`, `"}`) + "." + enc(claims()))
		}},
		{ID: "L2", Name: "40MB_payload", Want: []string{"token.too_large"}, Token: func() string {
			return hsSign.seal(enc(header) + "." + long(strings.TrimSuffix(claims("pad", `"`), "}"), `"}`))
		}},
		{ID: "L2", Name: "40MB_signature", Want: []string{"token.too_large"}, Token: func() string {
			return enc(header) + "." + enc(claims()) + "." + strings.Repeat("A", 40_000_000)
		}},
		// The claims are no JSON at all: what is said is that the signature is wrong.
		{ID: "L3", Name: "claims_not_read_before_the_signature", Want: []string{"sig.invalid"}, Token: fixed(enc(header) + "." + enc("\xff{[") + "." + junk)},
		{ID: "L3", Name: "expired_not_said_before_the_signature", Want: []string{"sig.invalid"}, Token: fixed(enc(header) + "." + enc(claims("exp", "1")) + "." + junk)},
		{ID: "L3", Name: "duplicates_not_said_before_the_signature", Want: []string{"sig.invalid"}, Token: fixed(enc(header) + "." + enc(`{"a":1,"a":2}`) + "." + junk)},
		{ID: "L3", Name: "depth_not_said_before_the_signature", Want: []string{"sig.invalid"}, Token: fixed(enc(header) + "." + enc(strings.Repeat("[", 30_000)) + "." + junk)},
		{ID: "L4", Name: "two_million_levels", Want: []string{"token.too_large"}, Token: func() string { return hs(header, strings.Repeat("[", 2_000_000)) }},
		{ID: "L4", Name: "levels_that_fit", Want: []string{"json.depth", "json.type"}, Token: fixed(hs(header, strings.Repeat(`{"a":`, 6_000)))},
		{ID: "L4", Name: "levels_in_the_header", Want: []string{"json.depth", "token.too_large"}, Token: fixed(enc(`{"alg":"HS256","x":`+strings.Repeat("[", 20_000)) + "." + enc(claims()) + "." + junk)},
		{
			ID: "L5", Name: "100000_signatures", Form: JSON, Want: []string{"token.too_large", "json.limit"}, Control: fixed(signatures5(1)),
			Token: func() string { return signatures5(100_000) },
		},
		{
			ID: "L5", Name: "more_signatures_than_allowed", Form: JSON, Want: []string{"token.too_large", "json.limit", "sig.limit"}, Control: fixed(signatures5(2)),
			Token: func() string { return signatures5(400) },
		},
	}
}

// long is enc of 30 million letters between the two. It is quick where the race detector
// is slow; spaces make the first a multiple of three bytes long.
func long(before, after string) string {
	return enc("  "[:(3-len(before)%3)%3]+before) + strings.Repeat("eHh4", 10_000_000) + enc(after)
}

func signatures5(n int) string {
	protected := enc(`{"alg":"HS256"}`)
	one := `{"protected":"` + protected + `","signature":"` + b64.EncodeToString(hsSign(protected+"."+enc("hello"))) + `"}`
	return `{"payload":"` + enc("hello") + `","signatures":[` + strings.Repeat(one+",", n-1) + one + `]}`
}
