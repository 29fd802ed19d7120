package attack

import (
	"fmt"
	"strings"
	"time"
)

// An Edit is a case of group F that can be made of a valid token of any kind: what is put into its claims, or into
// its header.
type Edit struct {
	ID, Name string
	// Claims are pairs of a name and raw JSON; the value "-" takes the member out. The first is what the attack is about.
	Claims  []string
	Control []string // the same for what is accepted; nil for the token as it is
	// Header and ControlHeader are the same for the header.
	Header, ControlHeader []string
	Policy                Policy // but for Issuers, Audiences and Type, which are those of the token
	Want                  []string
	NoCLI                 string
}

// Title is the name of the edit's test.
func (e Edit) Title() string { return title(e.ID, e.Name) }

// ClaimEdits are those of the claims, for a token with this issuer and this audience and the dates of [Unix].
func ClaimEdits(issuer, audience string) []Edit {
	var out []Edit
	add := func(id, name string, claims []string, want ...string) *Edit {
		out = append(out, Edit{ID: id, Name: name, Claims: claims, Want: want})
		return &out[len(out)-1]
	}
	set := func(pairs ...string) []string { return pairs }
	later := func(d int) string { return fmt.Sprint(Unix + d) }

	add("F1", "no_exp", set("exp", "-"), "exp.missing")
	for _, name := range []string{"exp", "nbf", "iat"} {
		for i, v := range []string{`"` + later(3600) + `"`, `"2026-12-31T00:00:00Z"`, `""`, "true", "[" + later(3600) + "]", "{}"} {
			add("F2", fmt.Sprintf("%s_not_a_number_%d", name, i), set(name, v), "json.type")
		}
		// What other readers of numbers take for one, and JSON does not.
		for i, v := range []string{"NaN", "Infinity", "-Infinity", "+" + later(3600), "0" + later(3600), "0x7fffffff", later(3600) + ".", ".5e10", "1e"} {
			add("F2", fmt.Sprintf("%s_no_JSON_%d", name, i), set(name, v), "json.syntax")
		}
		add("F3", name+"_null", set(name, "null"), "json.type")
		for i, v := range []string{"1e400", "1e300", "9223372036854775807", "9223372036854775808", "18446744073709551616"} {
			e := add("F4", fmt.Sprintf("%s_huge_%d", name, i), set(name, v), "json.number")
			if name != "exp" {
				e.Want = append(e.Want, "nbf.early", "nbf.order", "iat.future")
			}
		}
	}
	for _, name := range []string{"iss", "aud", "sub", "jti"} {
		add("F3", name+"_null", set(name, "null"), "json.type", "claim.type")
	}
	add("F5", "exp_negative", set("exp", "-1"), "exp.expired", "json.number")
	add("F5", "exp_negative_of_the_right_size", set("exp", "-"+later(3600)), "exp.expired", "json.number")
	add("F5", "exp_zero", set("exp", "0"), "exp.expired")
	add("F5", "exp_minus_zero", set("exp", "-0"), "exp.expired")
	// The start of year 1, which is the zero value of Go's time.
	add("F5", "exp_year_1", set("exp", "-62135596800"), "exp.expired", "exp.missing")
	add("F6", "exp_fraction_over", set("exp", later(-61)+".5"), "exp.expired")
	add("F6", "exp_milliseconds_of_the_past_in_exponent", set("exp", "1.767268700e9"), "exp.expired")
	add("F6", "nbf_fraction", set("nbf", later(60)+".5"), "nbf.early").Control = set("nbf", later(59)+".5")
	add("F7", "iat_ahead", set("iat", later(61)), "iat.future").Control = set("iat", later(59))
	add("F7", "iat_far_ahead", set("iat", later(86400), "exp", later(2*86400)), "iat.future")
	add("F7", "iat_milliseconds", set("iat", later(0)+"000"), "iat.future")
	add("F7", "nbf_ahead", set("nbf", later(61)), "nbf.early").Control = set("nbf", later(59))

	add("F8", "no_aud", set("aud", "-"), "aud.missing")
	add("F8", "aud_empty_string", set("aud", `""`), "aud.mismatch", "aud.missing")
	add("F8", "aud_empty_array", set("aud", `[]`), "aud.mismatch", "aud.missing")
	add("F8", "aud_array_of_an_empty_string", set("aud", `[""]`), "aud.mismatch", "aud.missing")
	add("F8", "aud_of_another", set("aud", `"https://other.example"`), "aud.mismatch")
	for i, v := range []string{`1`, `true`, `{}`, `{"` + audience + `":1}`, `["` + audience + `",1]`, `[null,"` + audience + `"]`, `[["` + audience + `"]]`, `["` + audience + `",{}]`} {
		add("F9", fmt.Sprintf("aud_%d", i), set("aud", v), "json.type", "claim.type").Control = set("aud", `["https://other.example","`+audience+`"]`)
	}
	for i, v := range near(audience) {
		add("F10", fmt.Sprintf("aud_%d", i), set("aud", `"`+v+`"`), "aud.mismatch")
		add("F10", fmt.Sprintf("aud_in_array_%d", i), set("aud", `["`+v+`"]`), "aud.mismatch")
	}
	add("F11", "no_iss", set("iss", "-"), "iss.missing")
	add("F11", "iss_empty", set("iss", `""`), "iss.mismatch", "iss.missing")
	for i, v := range []string{`["` + issuer + `"]`, `{"iss":"` + issuer + `"}`, "1", "true"} {
		add("F12", fmt.Sprintf("iss_not_a_string_%d", i), set("iss", v), "json.type", "claim.type")
	}
	for i, v := range near(issuer) {
		add("F12", fmt.Sprintf("iss_%d", i), set("iss", `"`+v+`"`), "iss.mismatch")
	}
	for _, name := range []string{"sub", "jti"} {
		for i, v := range []string{"1", "true", "[]", `["alice"]`, `{"alice":1}`, "1.5"} {
			add("F13", fmt.Sprintf("%s_not_a_string_%d", name, i), set(name, v), "json.type", "claim.type")
		}
	}

	e := add("F16", "at_exp", set("exp", later(0)), "exp.expired")
	e.Policy, e.Control = Policy{NoLeeway: true}, set("exp", later(1))
	add("F16", "at_exp_and_leeway", set("exp", later(-60), "nbf", later(-60)), "exp.expired").Control = set("exp", later(-59), "nbf", later(-60))
	e = add("F16", "before_nbf", set("nbf", later(1)), "nbf.early")
	e.Policy, e.Control = Policy{NoLeeway: true}, set("nbf", later(0))
	// Both are within the leeway, and no time is in both.
	add("F18", "nbf_after_exp", set("nbf", later(40), "exp", later(30)), "nbf.order").Control = set("nbf", later(30), "exp", later(40))
	for _, c := range []struct {
		name            string
		policy          Policy
		claims, control []string
		want            []string
	}{
		{"max_age", Policy{MaxAge: time.Minute}, set("iat", later(-121)), set("iat", later(-119)), []string{"iat.too_old"}},
		{"max_age_no_iat", Policy{MaxAge: time.Minute}, set("iat", "-"), nil, []string{"iat.missing"}},
		{"max_lifetime", Policy{MaxLifetime: time.Hour}, set("exp", later(3601)), set("exp", later(3600)), []string{"exp.lifetime"}},
		{"max_lifetime_no_iat", Policy{MaxLifetime: time.Hour}, set("iat", "-", "exp", later(7200)), set("exp", later(1800)), []string{"iat.missing", "exp.lifetime"}},
	} {
		e := add("F19", c.name, c.claims, c.want...)
		e.Policy, e.Control, e.NoCLI = c.policy, c.control, "the command has no such option"
	}
	return out
}

// TypeEdits are those of the typ, for a token that has own, or none if own is empty.
func TypeEdits(own string) []Edit {
	var out []Edit
	add := func(name string, header, control []string, want string) {
		out = append(out, Edit{ID: "F14", Name: name, Header: header, ControlHeader: control, Want: []string{want}})
	}
	text := func(s string) []string { return []string{"typ", `"` + s + `"`} }
	short, _, _ := strings.Cut(own, "+")
	if own == "" {
		for i, t := range []string{"at+jwt", "logout+jwt", "dpop+jwt", "application/at+jwt", "secevent+jwt", "JOSE", "kb+jwt", "x", ""} {
			add(fmt.Sprintf("typed_as_plain_%d", i), text(t), text("JWT"), "typ.mismatch")
		}
	} else {
		other := "logout+jwt"
		if own == other {
			other = "at+jwt"
		}
		for i, header := range [][]string{
			{"typ", "-"},
			text("JWT"), text(other), text(own + " "), text(short),
			text("text/" + own), text("application/application/" + own),
			{"typ", "-", "TYP", `"` + own + `"`},
			{"typ", "-", "cty", `"` + own + `"`},
			text(own + ";x=1"), text(short + `+\u006awtx`), text(strings.ToUpper(own) + `\u0000`), text(strings.TrimSuffix(own, "t") + `\u0074\u0301`),
		} {
			add(fmt.Sprintf("not_of_the_type_%d", i), header, [][]string{nil, text("application/" + strings.ToUpper(own))}[i%2], "typ.mismatch")
		}
		// The names of media types are ASCII, where no other letter is the other case of s or k (RFC 6838, Section 4.2).
		for _, fold := range [][2]string{{"s", "\u017f"}, {"k", "\u212a"}} {
			if folded := strings.ReplaceAll(own, fold[0], fold[1]); folded != own {
				add("folded_"+fold[0], text(folded), text(strings.ToUpper(own)), "typ.mismatch")
			}
		}
	}
	for i, v := range []string{"1", "null", `["` + own + `"]`} {
		add(fmt.Sprintf("typ_not_a_string_%d", i), []string{"typ", v}, nil, "json.type")
	}
	return out
}

// claimRules is group F: what the claims say and what the caller asks.
func claimRules() []Case {
	var out []Case
	add := func(e Edit, prefix, typ string) {
		header := [][2]string{{"alg", `"HS256"`}}
		if typ != "" {
			header = append(header, [2]string{"typ", `"` + typ + `"`})
		}
		c := Case{
			ID: e.ID, Name: prefix + e.Name, Policy: e.Policy, Want: e.Want, NoCLI: e.NoCLI,
			Token:   fixed(hs(Members(header, e.Header...), claims(e.Claims...))),
			Control: fixed(hs(Members(header, e.ControlHeader...), claims(e.Control...))),
		}
		c.Policy.Type = typ
		out = append(out, c)
	}
	for _, e := range ClaimEdits(Issuer, Audience) {
		add(e, "", "")
	}
	for _, e := range TypeEdits("at+jwt") {
		add(e, "", "at+jwt")
	}
	for _, e := range TypeEdits("") {
		add(e, map[bool]string{true: "plain_"}[strings.HasPrefix(e.Name, "typ_")], "")
	}
	// No typ of the others has a k or begins with an s.
	for _, typ := range []string{"kb+jwt", "statuslist+jwt"} {
		for _, e := range TypeEdits(typ) {
			if strings.HasPrefix(e.Name, "folded_") {
				add(e, typ+"_", typ)
			}
		}
	}
	return out
}

// near lists strings that are not quite s.
func near(s string) []string {
	return []string{
		s + "/", s + ".evil.example", s[:len(s)-1], s[1:], strings.ToUpper(s), strings.Replace(s, "https", "HTTPS", 1), strings.Replace(s, "https", "http", 1),
		s + ":443", s + "?", s + "#", " " + s, s + " ", s + `\u0000`, s + `\n`, strings.Replace(s, "s", "ſ", 1), "https://user@" + s[8:], s + "," + s, s + " " + s, "*", "https://*",
	}
}
