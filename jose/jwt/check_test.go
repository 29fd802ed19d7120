package jwt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jotsuite/jot/jose/jwk"
)

func TestClaimRules(t *testing.T) {
	at := func(d int) string { return fmt.Sprint(unix + d) }
	none := func(*Policy) {}
	exact := func(p *Policy) { p.Leeway = NoLeeway }
	anyone := func(p *Policy) { p.Issuers, p.AnyIssuer = nil, true }
	anywhere := func(p *Policy) { p.Audiences, p.AnyAudience = nil, true }
	optional := func(p *Policy) { p.OptionalExpiry = true }
	ignore := func(p *Policy) { p.IgnoreExpiry = true }
	age := func(p *Policy) { p.MaxAge = time.Minute }
	life := func(p *Policy) { p.MaxLifetime = time.Hour }
	both := func(p *Policy) { p.MaxAge, p.MaxLifetime = time.Minute, time.Hour }
	require := func(names ...string) func(*Policy) { return func(p *Policy) { p.Required = names } }

	for _, tc := range []struct {
		name   string
		claims []string // pairs for with
		change func(*Policy)
		want   string // codes with a blank between them; empty: accepted
	}{
		{"good", nil, none, ""},

		{"F1 no exp", []string{"exp", "-"}, none, "exp.missing"},
		{"no exp, optional", []string{"exp", "-"}, optional, ""},
		{"no exp, ignored", []string{"exp", "-"}, ignore, ""},
		{"expired, optional", []string{"exp", "1"}, optional, "exp.expired"},
		{"expired, ignored", []string{"exp", "1"}, ignore, ""},
		{"F2 date in a string", []string{"exp", `"1767272400"`}, none, "json.type"},
		{"F2 nbf in a string", []string{"nbf", `"1"`}, none, "json.type"},
		{"F2 iat in an array", []string{"iat", `[1]`}, none, "json.type"},
		{"F3 exp null", []string{"exp", "null"}, none, "json.type"},
		{"F3 exp null, optional", []string{"exp", "null"}, optional, "json.type"},
		{"F3 exp null, ignored", []string{"exp", "null"}, ignore, "json.type"},
		{"F3 nbf null", []string{"nbf", "null"}, none, "json.type"},
		{"F3 iat null", []string{"iat", "null"}, none, "json.type"},
		{"F3 iss null", []string{"iss", "null"}, anyone, "json.type"},
		{"F3 aud null", []string{"aud", "null"}, anywhere, "json.type"},
		{"F3 sub null", []string{"sub", "null"}, none, "json.type"},
		{"F3 jti null", []string{"jti", "null"}, none, "json.type"},
		{"F4 exp over", []string{"exp", "1e400"}, none, "json.number"},
		{"F4 exp int64", []string{"exp", "9223372036854775807"}, none, "json.number"},
		{"F4 exp int64 and one", []string{"exp", "9223372036854775808"}, none, "json.number"},
		{"F4 exp under", []string{"exp", "-1e300"}, none, "json.number"},
		{"F4 exp over, ignored", []string{"exp", "1e400"}, ignore, "json.number"},
		{"F4 nbf under", []string{"nbf", "-9223372036854775808"}, none, "json.number"},
		{"F4 iat over", []string{"iat", "1e400"}, none, "json.number"},
		{"F5 exp negative", []string{"exp", "-1"}, none, "exp.expired"},
		{"F5 exp zero", []string{"exp", "0"}, none, "exp.expired"},
		{"F5 exp zero, optional", []string{"exp", "0"}, optional, "exp.expired"},
		{"F5 exp in year 1", []string{"exp", "-62135596800"}, none, "exp.missing"},
		{"F5 exp in year 1, optional", []string{"exp", "-62135596800"}, optional, "exp.expired"},
		{"F6 exp one and a zero", []string{"exp", at(1) + ".0"}, exact, ""},
		{"F6 exp with exponent", []string{"exp", "1.7672688005e9"}, exact, ""},
		{"F6 exp over", []string{"exp", "1.7672687995e9"}, exact, "exp.expired"},
		{"far exp", []string{"exp", "253402300799"}, none, ""},

		{"F7 iat ahead", []string{"iat", at(61)}, none, "iat.future"},
		{"F7 iat in the leeway", []string{"iat", at(60)}, none, ""},
		{"F7 iat ahead, allowed", []string{"iat", at(61)}, func(p *Policy) { p.AllowFutureIssuedAt = true }, ""},
		{"nbf ahead", []string{"nbf", at(61)}, none, "nbf.early"},
		{"nbf in the leeway", []string{"nbf", at(60)}, none, ""},
		{"nbf now", []string{"nbf", at(0)}, exact, ""},
		{"nbf ahead, exact", []string{"nbf", at(1)}, exact, "nbf.early"},
		{"iat now", []string{"iat", at(0)}, exact, ""},
		{"iat ahead, exact", []string{"iat", at(1)}, exact, "iat.future"},
		{"no iat", []string{"iat", "-"}, none, ""},

		{"F8 no aud", []string{"aud", "-"}, none, "aud.missing"},
		{"F8 empty aud", []string{"aud", "[]"}, none, "aud.missing"},
		{"F8 empty string", []string{"aud", `""`}, none, "aud.mismatch"},
		{"no aud, any", []string{"aud", "-"}, anywhere, ""},
		{"aud of another, any", []string{"aud", `"x"`}, anywhere, ""},
		{"F9 mixed", []string{"aud", `["https://api.example",1]`}, none, "json.type"},
		{"F9 mixed, any", []string{"aud", `["https://api.example",null]`}, anywhere, "json.type"},
		{"F9 number", []string{"aud", `1`}, anywhere, "json.type"},
		{"F9 object", []string{"aud", `{"https://api.example":1}`}, none, "json.type"},
		{"one of several", []string{"aud", `["x","https://api.example"]`}, none, ""},
		{"twice the same", []string{"aud", `["https://api.example","https://api.example"]`}, none, ""},
		{"second of the policy", []string{"aud", `"b"`}, func(p *Policy) { p.Audiences = []string{"a", "b"} }, ""},
		{"F10 prefix", []string{"aud", `"https://api.exampl"`}, none, "aud.mismatch"},
		{"F10 longer", []string{"aud", `"https://api.example.evil"`}, none, "aud.mismatch"},
		{"F10 case", []string{"aud", `"HTTPS://api.example"`}, none, "aud.mismatch"},
		{"F10 in a list", []string{"aud", `"https://api.example x"`}, none, "aud.mismatch"},

		{"F11 no iss", []string{"iss", "-"}, none, "iss.missing"},
		{"F11 empty iss", []string{"iss", `""`}, none, "iss.missing"},
		{"no iss, any", []string{"iss", "-"}, anyone, ""},
		{"F12 iss array", []string{"iss", `["https://as.example"]`}, none, "json.type"},
		{"F12 iss array, any", []string{"iss", `["https://as.example"]`}, anyone, "json.type"},
		{"F12 slash", []string{"iss", `"https://as.example/"`}, none, "iss.mismatch"},
		{"F12 case", []string{"iss", `"https://AS.example"`}, none, "iss.mismatch"},
		{"second issuer", []string{"iss", `"b"`}, func(p *Policy) { p.Issuers = []string{"a", "b"} }, ""},
		{"F13 sub", []string{"sub", "1"}, none, "json.type"},
		{"F13 jti", []string{"jti", "1"}, none, "json.type"},

		{"F16 at exp", []string{"exp", at(0)}, exact, "exp.expired"},
		{"F16 before exp", []string{"exp", at(1)}, exact, ""},
		{"F16 at exp and leeway", []string{"exp", at(-60)}, none, "exp.expired"},
		{"F16 before exp and leeway", []string{"exp", at(-59)}, none, ""},
		{"F16 at exp and own leeway", []string{"exp", at(-5)}, func(p *Policy) { p.Leeway = 5 * time.Second }, "exp.expired"},
		{"F18 nbf after exp", []string{"nbf", at(31), "exp", at(30)}, none, "nbf.order"},
		{"F18 nbf at exp", []string{"nbf", at(30), "exp", at(30)}, none, ""},
		{"F18 nbf without exp", []string{"nbf", at(30), "exp", "-"}, optional, ""},

		{"F19 too old", []string{"iat", at(-121)}, age, "iat.too_old"},
		{"F19 old enough", []string{"iat", at(-120)}, age, ""},
		{"F19 no iat", []string{"iat", "-"}, age, "iat.missing"},
		{"F19 long life", []string{"iat", at(0), "exp", at(3601)}, life, "exp.lifetime"},
		{"F19 life", []string{"iat", at(0), "exp", at(3600)}, life, ""},
		{"F19 no iat, nbf", []string{"iat", "-", "nbf", at(0), "exp", at(3601)}, life, "exp.lifetime"},
		{"F19 no iat, nbf in time", []string{"iat", "-", "nbf", at(0), "exp", at(3600)}, life, ""},
		{"F19 iat counts, not nbf", []string{"iat", at(-100), "nbf", at(0), "exp", at(3600)}, life, "exp.lifetime"},
		{"F19 no start", []string{"iat", "-"}, life, "iat.missing"},
		{"F19 no start, no age", []string{"iat", "-"}, both, "iat.missing"},
		{"F19 no end", []string{"exp", "-"}, func(p *Policy) { p.OptionalExpiry, p.MaxLifetime = true, time.Hour }, "exp.missing"},
		{"F19 no end, ignored", []string{"exp", "-"}, func(p *Policy) { p.IgnoreExpiry, p.MaxLifetime = true, time.Hour }, "exp.missing"},
		{"F19 life overflows", []string{"exp", "253402300799"}, life, "exp.lifetime"},

		{"required there", []string{"nbf", at(0), "x", "false"}, require("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "x"), ""},
		{"no sub", []string{"sub", "-"}, require("sub"), "claim.missing"},
		{"empty sub", []string{"sub", `""`}, require("sub"), "claim.missing"},
		{"no nbf", nil, require("nbf"), "claim.missing"},
		{"no iat required", []string{"iat", "-"}, require("iat"), "iat.missing"},
		{"no jti", []string{"jti", "-"}, require("jti"), "jti.missing"},
		{"no x", nil, require("x", "jti", "y"), "claim.missing claim.missing"},
		{"x null", []string{"x", "null"}, require("x"), "claim.missing"},
		{"no iss required", []string{"iss", "-"}, require("iss"), "iss.missing"},
		{"no iss, any, required", []string{"iss", "-"}, func(p *Policy) { anyone(p); p.Required = []string{"iss"} }, "iss.missing"},
		{"no aud, any, required", []string{"aud", "-"}, func(p *Policy) { anywhere(p); p.Required = []string{"aud"} }, "aud.missing"},
		{"no exp, optional, required", []string{"exp", "-"}, func(p *Policy) { optional(p); p.Required = []string{"exp"} }, "exp.missing"},
		{"no jti, replay", []string{"jti", "-"}, func(p *Policy) { p.Replay = NewReplayCache(1) }, "jti.missing"},
		{"empty jti, replay, required", []string{"jti", `""`}, func(p *Policy) { p.Replay, p.Required = NewReplayCache(1), []string{"jti"} }, "jti.missing"},

		{
			"everything",
			[]string{"iss", `"x"`, "aud", `"x"`, "exp", "3", "nbf", at(100), "iat", at(100)},
			require("x"),
			"iss.mismatch aud.mismatch exp.expired nbf.early nbf.order iat.future claim.missing",
		},
		{"types and policy", []string{"iss", "1", "sub", "2", "exp", "3"}, none, "json.type json.type exp.expired"},
		{"type, and not missing too", []string{"exp", `"x"`, "aud", `"x"`}, require("exp"), "json.type aud.mismatch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := hs(t, tc.change).Verify(ctx, forge(plain, with(tc.claims...)))
			if tc.want == "" {
				accept(t, err)
				return
			}
			want(t, err, strings.Fields(tc.want)...)
		})
	}
}

func TestCustomClaimErrors(t *testing.T) {
	type claims struct {
		N int    `json:"n"`
		S string `json:"s"`
		T date8  `json:"t"`
	}
	v := verifier[claims](t, jwk.Set{secretKey(t)}, policy())
	_, err := v.Verify(ctx, forge(plain, with("n", "1.5", "s", "7", "t", `"hush"`, "exp", "1")))
	want(t, err, "json.number", "json.type", "json.type", "exp.expired")
	for _, e := range err.(*RejectError).Unwrap()[:3] {
		c := e.(*ClaimError)
		if got := map[string]string{"n": "1.5", "s": "7", "t": `"hush"`}[c.Claim]; c.Got != got {
			t.Errorf("%s: got %q, want %q", c.Claim, c.Got, got)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("%v quotes the payload", err)
	}
}

type date8 struct{}

func (*date8) UnmarshalJSON(data []byte) error { return errors.New("what is " + string(data)) }

func TestClaimError(t *testing.T) {
	long := strings.Repeat("é", 40)
	_, err := hs(t, func(p *Policy) { p.Issuers = []string{"a", "b"} }).Verify(ctx, forge(plain, with("iss", `"`+long+`"`, "aud", `["x","y"]`, "exp", "0")))
	want(t, err, "iss.mismatch", "aud.mismatch", "exp.expired")
	list := err.(*RejectError).Unwrap()
	iss, aud, exp := list[0].(*ClaimError), list[1].(*ClaimError), list[2].(*ClaimError)
	if iss.Claim != "iss" || len(iss.Got) > 64 || !utf8.ValidString(iss.Got) || !strings.HasPrefix(iss.Got, "éé") || iss.Want != `"a" or "b"` || iss.Spec != "RFC 8725, Section 3.8" {
		t.Errorf("%+v", iss)
	}
	if aud.Got != "x y" || aud.Spec != "RFC 7519, Section 4.1.3" {
		t.Errorf("%+v", aud)
	}
	if exp.Got != "1970-01-01T00:00:00Z" || exp.Want != "a time after 2026-01-01T11:59:00Z" {
		t.Errorf("%+v", exp)
	}
	const text = `token refused: iss.mismatch: iss: want "a" or "b"; aud.mismatch: aud: want "https://api.example"; exp.expired: exp: want a time after 2026-01-01T11:59:00Z`
	if err.Error() != text {
		t.Errorf("%s", err)
	}
	if got := (&ClaimError{Claim: "a\x1b[2J\u202e", Code: "x"}).Error(); got != `x: "a\x1b[2J\u202e"` {
		t.Errorf("%s", got)
	}
	if got := (&ClaimError{Claim: "a\xff", Code: "x"}).Error(); got != `x: "a\xff"` {
		t.Errorf("%s", got)
	}
	_, err = hs(t, nil).Verify(ctx, spoil(forge(plain, good)))
	if err.Error() != "token refused: sig.invalid: the signature does not verify" {
		t.Errorf("%s", err)
	}
}

func TestOnly(t *testing.T) {
	v := hs(t, nil)
	_, err := v.Verify(ctx, forge(plain, with("exp", "0", "aud", `"x"`)))
	r := err.(*RejectError)
	if r.Only("exp.expired") || r.Only("aud.mismatch") || r.Only() || r.Only("") || !r.Only("aud.mismatch", "exp.expired", "sig.invalid") {
		t.Error("two refusals")
	}
	_, err = v.Verify(ctx, forge(plain, with("exp", "0")))
	if r := err.(*RejectError); !r.Only("exp.expired") || r.Only("exp.missing") {
		t.Error("one refusal")
	}
	if new(RejectError).Only() || new(RejectError).Only("x") {
		t.Error("none is not only")
	}
	// What a claim cannot be read as is not hidden by what else is wrong.
	_, err = v.Verify(ctx, forge(plain, with("exp", "0", "sub", "1")))
	if err.(*RejectError).Only("exp.expired") {
		t.Error("exp and sub")
	}
	list := r.Unwrap()
	list[0] = nil
	if slices.Contains(r.Unwrap(), nil) {
		t.Error("Unwrap hands out its list")
	}
}

func TestSentinels(t *testing.T) {
	for _, tc := range []struct {
		claims []string
		change func(*Policy)
		want   []error
	}{
		{[]string{"iss", "-"}, nil, []error{ErrIssuer, ErrMissing}},
		{[]string{"iss", `"x"`}, nil, []error{ErrIssuer}},
		{[]string{"aud", "-"}, nil, []error{ErrAudience, ErrMissing}},
		{[]string{"aud", `"x"`}, nil, []error{ErrAudience}},
		{[]string{"exp", "-"}, nil, []error{ErrMissing}},
		{[]string{"exp", "0"}, nil, []error{ErrExpired}},
		{[]string{"exp", "1767969999"}, func(p *Policy) { p.MaxLifetime = 1 }, []error{ErrLifetime}},
		{[]string{"nbf", "1767270000"}, nil, []error{ErrNotYetValid}},
		{[]string{"nbf", "1767268801", "exp", "1767268800"}, nil, []error{ErrClaims}},
		{[]string{"iat", "1767270000"}, nil, []error{ErrIssuedAt}},
		{[]string{"iat", "-"}, func(p *Policy) { p.MaxAge = 1 }, []error{ErrIssuedAt, ErrMissing}},
		{[]string{"iat", "1"}, func(p *Policy) { p.MaxAge = 1 }, []error{ErrIssuedAt}},
		{[]string{"jti", "-"}, func(p *Policy) { p.Replay = NewReplayCache(1) }, []error{ErrReplay, ErrMissing}},
		{nil, func(p *Policy) { p.Required = []string{"x"} }, []error{ErrMissing}},
		{[]string{"sub", "1"}, nil, []error{ErrClaims}},
		{[]string{"exp", "1e400"}, nil, []error{ErrClaims}},
		{[]string{"x", "}"}, nil, []error{ErrClaims}},
	} {
		_, err := hs(t, tc.change).Verify(ctx, forge(plain, with(tc.claims...)))
		for _, sentinel := range []error{
			ErrMalformed, ErrTooLarge, ErrHeader, ErrCritical, ErrAlgorithm, ErrNoKey, ErrSignature, ErrType, ErrClaims, ErrMissing,
			ErrIssuer, ErrAudience, ErrExpired, ErrLifetime, ErrNotYetValid, ErrIssuedAt, ErrReplay, ErrPolicy, ErrCollision,
		} {
			if got := errors.Is(err, sentinel); got != slices.Contains(tc.want, sentinel) {
				t.Errorf("%v: errors.Is(%v) is %v", tc.claims, sentinel, got)
			}
		}
	}
}

func TestHint(t *testing.T) {
	for _, tc := range []struct{ policy, claim, want string }{
		{"https://as.example", "https://as.example/", "the token's value has a final slash; the policy's has none"},
		{"https://as.example/", "https://as.example", "the token's value has no final slash; the policy's has one"},
		{"https://as.example", "https://other.example/", ""},
	} {
		_, err := hs(t, func(p *Policy) { p.Issuers, p.Audiences = []string{"x", tc.policy}, []string{"x", tc.policy} }).
			Verify(ctx, forge(plain, with("iss", `"`+tc.claim+`"`, "aud", `["y","`+tc.claim+`"]`)))
		want(t, err, "iss.mismatch", "aud.mismatch")
		for _, e := range err.(*RejectError).Unwrap() {
			if got := e.(*ClaimError).Hint; got != tc.want {
				t.Errorf("%s for %s: hint %q", tc.claim, tc.policy, got)
			}
		}
		if tc.want != "" && strings.Contains(err.Error(), "slash") {
			t.Errorf("%v tells of the value", err)
		}
	}
}

// later is time's own arithmetic, to the nanosecond, for every time that a claim can hold.
func TestLater(t *testing.T) {
	now := time.Now() // with a monotonic time
	times := []time.Time{
		{},
		now, now.Add(1), now.Add(-1), now.Add(-time.Minute), now.Add(time.Minute), now.Add(-time.Minute + 1), now.Add(time.Minute + 1),
		now.Add(-time.Minute - 1), now.Add(time.Minute - 1), now.Truncate(time.Second), now.Truncate(time.Second).Add(time.Second - 1),
		time.Unix(0, 0), time.Unix(1<<32, 0), time.Unix(now.Unix()+1<<33, 1), time.Unix(now.Unix()-1<<33, 1), time.Unix(now.Unix()+1<<34, 0),
		time.Unix(253402300799, 999999999), time.Unix(1<<53-1, 0), time.Unix(1-1<<53, 0),
	}
	for _, at := range times {
		for _, d := range []time.Duration{0, 1, -1, time.Minute, -time.Minute, 10 * time.Minute} {
			if got, want := later(at, now, d), now.Add(d).Before(at); got != want {
				t.Errorf("later(%v, %v, %v) = %v", at, now, d, got)
			}
		}
	}
}
