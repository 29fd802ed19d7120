package attack

import (
	"fmt"
	"strings"
	"time"
)

// claimRules is group F: what the claims say and what the caller asks.
func claimRules() []Case {
	const header = `{"alg":"HS256"}`
	var out []Case
	add := func(id, name, payload string, want ...string) *Case {
		out = append(out, Case{ID: id, Name: name, Token: fixed(hs(header, payload)), Want: want})
		return &out[len(out)-1]
	}
	later := func(d int) string { return fmt.Sprint(Unix + d) }

	add("F1", "no_exp", claims("exp", "-"), "exp.missing")
	for _, name := range []string{"exp", "nbf", "iat"} {
		for i, v := range []string{`"` + later(3600) + `"`, `"2026-12-31T00:00:00Z"`, `""`, "true", "[" + later(3600) + "]", "{}"} {
			add("F2", fmt.Sprintf("%s_not_a_number_%d", name, i), claims(name, v), "json.type")
		}
		add("F3", name+"_null", claims(name, "null"), "json.type")
		for i, v := range []string{"1e400", "1e300", "9223372036854775807", "9223372036854775808", "18446744073709551616"} {
			c := add("F4", fmt.Sprintf("%s_huge_%d", name, i), claims(name, v), "json.number")
			if name != "exp" {
				c.Want = append(c.Want, "nbf.early", "nbf.order", "iat.future")
			}
		}
	}
	for _, name := range []string{"iss", "aud", "sub", "jti"} {
		add("F3", name+"_null", claims(name, "null"), "json.type", "claim.type")
	}
	add("F5", "exp_negative", claims("exp", "-1"), "exp.expired", "json.number")
	add("F5", "exp_negative_of_the_right_size", claims("exp", "-"+later(3600)), "exp.expired", "json.number")
	add("F5", "exp_zero", claims("exp", "0"), "exp.expired")
	add("F5", "exp_minus_zero", claims("exp", "-0"), "exp.expired")
	add("F6", "exp_fraction_over", claims("exp", later(-61)+".5"), "exp.expired")
	add("F6", "exp_milliseconds_of_the_past_in_exponent", claims("exp", "1.767268700e9"), "exp.expired")
	add("F6", "nbf_fraction", claims("nbf", later(60)+".5"), "nbf.early").Control = fixed(hs(header, claims("nbf", later(59)+".5")))
	add("F7", "iat_ahead", claims("iat", later(61)), "iat.future").Control = fixed(hs(header, claims("iat", later(59))))
	add("F7", "iat_far_ahead", claims("iat", later(86400), "exp", later(2*86400)), "iat.future")
	add("F7", "iat_milliseconds", claims("iat", later(0)+"000"), "iat.future")
	add("F7", "nbf_ahead", claims("nbf", later(61)), "nbf.early").Control = fixed(hs(header, claims("nbf", later(59))))

	add("F8", "no_aud", claims("aud", "-"), "aud.missing")
	add("F8", "aud_empty_string", claims("aud", `""`), "aud.mismatch", "aud.missing")
	add("F8", "aud_empty_array", claims("aud", `[]`), "aud.mismatch", "aud.missing")
	add("F8", "aud_of_another", claims("aud", `"https://other.example"`), "aud.mismatch")
	for i, v := range []string{`1`, `true`, `{}`, `{"` + Audience + `":1}`, `["` + Audience + `",1]`, `[null,"` + Audience + `"]`, `[["` + Audience + `"]]`, `["` + Audience + `",{}]`} {
		add("F9", fmt.Sprintf("aud_%d", i), claims("aud", v), "json.type", "claim.type").Control = fixed(hs(header, claims("aud", `["https://other.example","`+Audience+`"]`)))
	}
	for i, v := range near(Audience) {
		add("F10", fmt.Sprintf("aud_%d", i), claims("aud", `"`+v+`"`), "aud.mismatch")
		add("F10", fmt.Sprintf("aud_in_array_%d", i), claims("aud", `["`+v+`"]`), "aud.mismatch")
	}
	add("F11", "no_iss", claims("iss", "-"), "iss.missing")
	add("F11", "iss_empty", claims("iss", `""`), "iss.mismatch", "iss.missing")
	for i, v := range []string{`["` + Issuer + `"]`, `{"iss":"` + Issuer + `"}`, "1", "true"} {
		add("F12", fmt.Sprintf("iss_not_a_string_%d", i), claims("iss", v), "json.type", "claim.type")
	}
	for i, v := range near(Issuer) {
		add("F12", fmt.Sprintf("iss_%d", i), claims("iss", `"`+v+`"`), "iss.mismatch")
	}
	for _, name := range []string{"sub", "jti"} {
		for i, v := range []string{"1", "true", "[]", `["alice"]`, `{"alice":1}`, "1.5"} {
			add("F13", fmt.Sprintf("%s_not_a_string_%d", name, i), claims(name, v), "json.type", "claim.type")
		}
	}

	typ := func(name, token, control, policy string) {
		out = append(out, Case{
			ID: "F14", Name: name, Policy: Policy{Type: policy}, Want: []string{"typ.mismatch"},
			Token: fixed(hs(token, claims())), Control: fixed(hs(control, claims())),
		})
	}
	for i, t := range []string{"at+jwt", "logout+jwt", "dpop+jwt", "application/at+jwt", "secevent+jwt", "JOSE", "kb+jwt", "x", ""} {
		typ(fmt.Sprintf("typed_as_plain_%d", i), `{"alg":"HS256","typ":"`+t+`"}`, `{"alg":"HS256","typ":"JWT"}`, "")
	}
	for i, h := range []string{
		`{"alg":"HS256"}`, `{"alg":"HS256","typ":"JWT"}`, `{"alg":"HS256","typ":"logout+jwt"}`, `{"alg":"HS256","typ":"at+jwt "}`, `{"alg":"HS256","typ":"at"}`,
		`{"alg":"HS256","typ":"text/at+jwt"}`, `{"alg":"HS256","typ":"application/application/at+jwt"}`, `{"alg":"HS256","TYP":"at+jwt"}`, `{"alg":"HS256","cty":"at+jwt"}`,
		`{"alg":"HS256","typ":"at+jwt;x=1"}`, `{"alg":"HS256","typ":"at+\u006awtx"}`, `{"alg":"HS256","typ":"aT+jWt\u0000"}`, `{"alg":"HS256","typ":"at+jw\u0074\u0301"}`,
	} {
		typ(fmt.Sprintf("not_of_the_type_%d", i), h, []string{`{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS256","typ":"application/AT+JWT"}`}[i%2], "at+jwt")
	}
	for i, v := range []string{"1", "null", `["at+jwt"]`} {
		out = append(out, Case{
			ID: "F14", Name: fmt.Sprintf("typ_not_a_string_%d", i), Policy: Policy{Type: "at+jwt"}, Want: []string{"json.type"},
			Token: fixed(hs(`{"alg":"HS256","typ":`+v+`}`, claims())), Control: fixed(hs(`{"alg":"HS256","typ":"at+jwt"}`, claims())),
		})
	}

	out = append(out, Case{
		ID: "F16", Name: "at_exp", Policy: Policy{NoLeeway: true}, Want: []string{"exp.expired"},
		Token: fixed(hs(header, claims("exp", later(0)))), Control: fixed(hs(header, claims("exp", later(1)))),
	}, Case{
		ID: "F16", Name: "at_exp_and_leeway", Want: []string{"exp.expired"},
		Token: fixed(hs(header, claims("exp", later(-60)))), Control: fixed(hs(header, claims("exp", later(-59)))),
	}, Case{
		ID: "F16", Name: "before_nbf", Policy: Policy{NoLeeway: true}, Want: []string{"nbf.early"},
		Token: fixed(hs(header, claims("nbf", later(1)))), Control: fixed(hs(header, claims("nbf", later(0)))),
	}, Case{
		// Both are within the leeway, and no time is in both.
		ID: "F18", Name: "nbf_after_exp", Want: []string{"nbf.order"},
		Token: fixed(hs(header, claims("nbf", later(40), "exp", later(30)))), Control: fixed(hs(header, claims("nbf", later(30), "exp", later(40)))),
	}, Case{
		ID: "F19", Name: "max_age", Policy: Policy{MaxAge: time.Minute}, Want: []string{"iat.too_old"}, NoCLI: "the command has no such option",
		Token: fixed(hs(header, claims("iat", later(-121)))), Control: fixed(hs(header, claims("iat", later(-119)))),
	}, Case{
		ID: "F19", Name: "max_age_no_iat", Policy: Policy{MaxAge: time.Minute}, Want: []string{"iat.missing"}, NoCLI: "the command has no such option",
		Token: fixed(hs(header, claims("iat", "-"))),
	}, Case{
		ID: "F19", Name: "max_lifetime", Policy: Policy{MaxLifetime: time.Hour}, Want: []string{"exp.lifetime"}, NoCLI: "the command has no such option",
		Token: fixed(hs(header, claims("exp", later(3601)))), Control: fixed(hs(header, claims("exp", later(3600)))),
	}, Case{
		ID: "F19", Name: "max_lifetime_no_iat", Policy: Policy{MaxLifetime: time.Hour}, Want: []string{"iat.missing", "exp.lifetime"}, NoCLI: "the command has no such option",
		Token: fixed(hs(header, claims("iat", "-", "exp", later(7200)))), Control: fixed(hs(header, claims())),
	})
	return out
}

// near lists strings that are not quite s.
func near(s string) []string {
	return []string{
		s + "/", s + ".evil.example", s[:len(s)-1], s[1:], strings.ToUpper(s), strings.Replace(s, "https", "HTTPS", 1), strings.Replace(s, "https", "http", 1),
		s + ":443", s + "?", s + "#", " " + s, s + " ", s + `\u0000`, s + `\n`, strings.Replace(s, "s", "ſ", 1), "https://user@" + s[8:], s + "," + s, s + " " + s, "*", "https://*",
	}
}
