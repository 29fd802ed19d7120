package attack

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// documents is group D: the JSON of headers and claims.
func documents() []Case {
	const header = `{"alg":"HS256"}`
	var out []Case
	inHeader := func(id, name, header string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Token: fixed(hs(header, claims())), Want: want})
	}
	inClaims := func(id, name, payload string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Token: fixed(hs(header, payload)), Want: want})
	}
	more := func(members string) string { return strings.TrimSuffix(claims(), "}") + "," + members + "}" }

	for i, h := range []string{
		`{"alg":"HS256","alg":"HS256"}`, `{"alg":"none","alg":"HS256"}`, `{"alg":"HS256","alg":"none"}`,
		`{"alg":"HS256","\u0061lg":"HS256"}`, `{"alg":"HS256","kid":"a","kid":"a"}`, `{"alg":"HS256","x":1,"x":1}`,
		`{"alg":"HS256","typ":"JWT","typ":"at+jwt"}`, `{"alg":"HS256","jwk":{"kty":"oct","kty":"oct"}}`,
		`{"alg":"HS256","x":{"y":[{"z":1,"z":2}]}}`, `{"alg":"HS256","crit":[],"crit":[]}`,
	} {
		inHeader("D1", fmt.Sprintf("header_%d", i), h, "json.duplicate")
	}
	for i, m := range []string{
		`"exp":99999999999`, `"sub":"alice"`, `"iss":"https://evil.example"`, `"s\u0075b":"mallory"`, `"x":1,"x":1`, `"x":1,"y":2,"x":3`,
		`"cnf":{"jwk":{"kty":"EC","kty":"oct"}}`, `"cnf":{"jkt":"a"},"cnf":{"jkt":"b"}`, `"act":{"sub":"a","sub":"b"}`, `"act":{"act":{"sub":"a","sub":"b"}}`,
		`"_claim_names":{"a":"x","a":"y"}`, `"x":[[[{"":1,"":2}]]]`, `"é":1,"\u00e9":2`, `"😀":1,"\ud83d\ude00":2`, `"x":{},"x":{}`,
	} {
		inClaims("D2", fmt.Sprintf("claims_%d", i), more(m), "json.duplicate")
	}

	// A member under another spelling is another member, and the right one is missing.
	for _, c := range []struct{ id, from, to, want string }{
		{"D3", "exp", "EXP", "exp.missing"},
		{"D3", "exp", "Exp", "exp.missing"},
		{"D3", "iss", "ISS", "iss.missing"},
		{"D3", "aud", "Aud", "aud.missing"},
		{"D4", "iss", "iſſ", "iss.missing"},
		{"D4", "iss", "ıss", "iss.missing"},
		{"D4", "exp", "exp ", "exp.missing"},
		{"D4", "exp", `exp\u0000`, "exp.missing"},
	} {
		inClaims(c.id, "claim_"+strings.Map(wordOnly, c.to), claims(c.from, "-", c.to, value(c.from)), c.want)
	}
	inHeader("D3", "header_ALG", `{"ALG":"HS256"}`, "alg.missing")
	inHeader("D3", "header_Alg", `{"Alg":"HS256"}`, "alg.missing")

	for i, tail := range []string{"x", "{}", claims(), " null", ",", "}", "\x00", "]"} {
		inClaims("D6", fmt.Sprintf("after_claims_%d", i), claims()+tail, "json.trailing", "json.syntax")
		inHeader("D7", fmt.Sprintf("after_header_%d", i), header+tail, "json.trailing", "json.syntax")
	}
	for i, doc := range []string{"null", "[]", `"claims"`, "1", "true", "[" + claims() + "]"} {
		inClaims("D8", fmt.Sprintf("claims_%d", i), doc, "json.type")
		inHeader("D8", fmt.Sprintf("header_%d", i), strings.ReplaceAll(doc, claims(), header), "json.type")
	}
	inClaims("D9", "empty", "", "json.syntax", "token.malformed")
	inClaims("D9", "white_space", "  ", "json.syntax")
	inClaims("D9", "empty_object", "{}", "iss.missing", "aud.missing", "exp.missing")

	for i, b := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf8\x88\x80\x80\x80", "\x80"} {
		inClaims("D10", fmt.Sprintf("value_%d", i), more(`"x":"`+b+`"`), "json.utf8")
		inClaims("D10", fmt.Sprintf("name_%d", i), more(`"`+b+`":1`), "json.utf8")
		inHeader("D10", fmt.Sprintf("header_%d", i), `{"alg":"HS256","x":"`+b+`"}`, "json.utf8")
	}
	inClaims("D10", "outside_a_string", strings.Replace(claims(), ",", ",\xff", 1), "json.utf8", "json.syntax")
	inClaims("D10", "byte_order_mark", "\ufeff"+claims(), "json.syntax", "json.utf8")
	inHeader("D10", "byte_order_mark_header", "\ufeff"+header, "json.syntax", "json.utf8")
	inClaims("D10", "UTF-16LE", utf16le(claims()), "json.syntax", "json.utf8")
	inHeader("D10", "UTF-16LE_header", utf16le(header), "json.syntax", "json.utf8")

	for i, s := range []string{`\ud800`, `\udc00`, `\ud800\ud800`, `\udc00\ud800`, `\ud800x`, `\uD83D`, `\ud800\n`} {
		inClaims("D11", fmt.Sprintf("value_%d", i), more(`"x":"`+s+`"`), "json.surrogate")
		inClaims("D11", fmt.Sprintf("name_%d", i), more(`"`+s+`":1`), "json.surrogate")
		inHeader("D11", fmt.Sprintf("header_%d", i), `{"alg":"HS256","x":"`+s+`"}`, "json.surrogate")
	}

	deep := func(open, close string, n int) string {
		return `"x":` + strings.Repeat(open, n) + "1" + strings.Repeat(close, n)
	}
	inClaims("D12", "arrays", more(deep("[", "]", 10_000)), "json.depth")
	inClaims("D12", "objects", more(deep(`{"a":`, "}", 5_000)), "json.depth")
	inClaims("D12", "unfinished", more(`"x":` + strings.Repeat("[", 20_000))[:20_000], "json.depth")
	inHeader("D12", "header", `{"alg":"HS256",`+deep("[", "]", 1_000)+"}", "json.depth", "token.too_large")

	for i, n := range []string{"1e400", "-1e400", "1e99999999999999999999", "9223372036854775808", "1e30", "-1e30", "9007199254740993e10"} {
		inClaims("D13", fmt.Sprintf("exp_out_of_range_%d", i), claims("exp", n), "json.number", "exp.expired")
	}
	for i, n := range []string{"01", "+1", ".5", "1.", "1e", "1e+", "NaN", "Infinity", " -", "0x1", "1_000", "1f", "- 1", "١"} {
		inClaims("D13", fmt.Sprintf("not_a_number_%d", i), claims("exp", n), "json.syntax", "json.number")
		inClaims("D13", fmt.Sprintf("not_a_number_in_skipped_member_%d", i), more(`"x":`+n), "json.syntax", "json.number")
	}
	for i, n := range []string{"1767272400.0", "1.7672724E9", "1767272400.999999", "17672724e2", "1767272400000e-3"} {
		out = append(out, Case{
			ID: "D13", Name: fmt.Sprintf("control_is_a_NumericDate_%d", i), Want: []string{"exp.expired"},
			Token:   fixed(hs(header, claims("exp", strings.NewReplacer("1767272400", "1767262400", "1.7672724", "1.7672624", "17672724", "17672624").Replace(n)))),
			Control: fixed(hs(header, claims("exp", n))),
		})
	}
	inClaims("D13", "million_digits", more(`"x":`+strings.Repeat("9", 40_000)), "json.limit", "json.number")

	inClaims("D14", "long_name", more(`"`+strings.Repeat("n", 40_000)+`":1`), "json.limit")
	inClaims("D14", "many_members", more(many(5_000)), "json.limit")
	inHeader("D14", "many_members_in_header", `{"alg":"HS256",`+many(1_500)+"}", "json.limit", "token.too_large")
	inClaims("D14", "many_members_nested", more(`"x":{`+many(5_000)+"}"), "json.limit")

	for i, doc := range []string{
		"{", `{"iss"`, `{"iss":}`, `{iss:1}`, `{'iss':1}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{"a":tru}`, "{\"a\":\"\n\"}", `{"a":"\x41"}`,
		`{"a":"\u12"}`, `{"a":[1,]}`, `{"a":1}/**/`, "//\n{}", `{"a":"`, `{1:2}`, `{"a"::1}`, `{"a":1,,"b":2}`, "{\"a\":\"\t\"}", "\v{}",
	} {
		inClaims("D6", fmt.Sprintf("not_JSON_%d", i), doc, "json.syntax", "json.trailing")
	}
	return out
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%x":0`, i)
	}
	return b.String()
}

// value is the usual raw value of a claim.
func value(name string) string {
	switch name {
	case "exp":
		return fmt.Sprint(Unix + 3600)
	case "iss":
		return `"` + Issuer + `"`
	default:
		return `"` + Audience + `"`
	}
}

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}
