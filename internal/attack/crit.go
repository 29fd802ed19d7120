package attack

import (
	"fmt"
	"strings"
)

// criticals is group E: crit and b64, RFC 7515, Section 4.1.11, and RFC 7797.
func criticals() []Case {
	var out []Case
	add := func(id, name, header string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Token: fixed(hs(header, claims())), Want: want})
	}
	add("E1", "unknown", `{"alg":"HS256","crit":["x"],"x":1}`, "crit.unknown")
	add("E1", "unknown_uri", `{"alg":"HS256","crit":["http://example.com/UNDEFINED"],"http://example.com/UNDEFINED":true}`, "crit.unknown")
	add("E1", "one_known_one_unknown", `{"alg":"HS256","crit":["b64","x"],"b64":true,"x":1}`, "crit.unknown")
	add("E1", "other_case", `{"alg":"HS256","crit":["B64"],"B64":true}`, "crit.unknown")
	add("E1", "empty_name", `{"alg":"HS256","crit":[""],"":1}`, "crit.unknown", "crit.invalid")
	add("E2", "empty", `{"alg":"HS256","crit":[]}`, "crit.invalid")
	for i, v := range []string{`"x"`, "null", "{}", "1", "true", "[1]", "[null]", `[["x"]]`, `["x",1]`} {
		add("E3", fmt.Sprintf("not_a_list_of_strings_%d", i), `{"alg":"HS256","x":1,"crit":`+v+`}`, "crit.invalid", "json.type")
	}
	for _, name := range []string{"alg", "kid", "crit", "typ", "jwk", "x5t#S256"} {
		add("E4", "registered_"+strings.ReplaceAll(name, "#", "_"), `{"alg":"HS256","kid":"k","typ":"JWT","crit":["`+name+`"]}`, "crit.invalid", "crit.unknown")
	}
	add("E5", "absent", `{"alg":"HS256","crit":["x"]}`, "crit.invalid", "crit.unknown")
	add("E5", "absent_b64", `{"alg":"HS256","crit":["b64"]}`, "crit.invalid")
	add("E6", "twice", `{"alg":"HS256","crit":["b64","b64"],"b64":true}`, "crit.invalid")
	add("E6", "twice_unknown", `{"alg":"HS256","crit":["x","x"],"x":1}`, "crit.invalid", "crit.unknown")

	flat := func(protected, unprotected, payload string) string {
		sig := b64.EncodeToString(hsSign(enc(protected) + "." + payload))
		return `{"protected":"` + enc(protected) + `","header":` + unprotected + `,"payload":"` + payload + `","signature":"` + sig + `"}`
	}
	plain := fixed(flat(`{"alg":"HS256"}`, `{"x":1}`, enc("hello")))
	out = append(out, Case{
		ID: "E7", Name: "only_unprotected", Form: JSON, Control: plain, Want: []string{"header.unprotected", "crit.invalid"},
		Token: fixed(flat(`{"alg":"HS256"}`, `{"crit":["x"],"x":1}`, enc("hello"))),
	}, Case{
		ID: "E7", Name: "names_an_unprotected_member", Form: JSON, Control: plain, Want: []string{"crit.invalid", "crit.unknown", "header.unprotected"},
		Token: fixed(flat(`{"alg":"HS256","crit":["b64"]}`, `{"b64":true}`, enc("hello"))),
	})

	// A claims set without a dot, so that it could stand in a compact token as it is.
	undotted := strings.NewReplacer(Issuer, "issuer", Audience, "audience").Replace(claims())
	raw := Policy{Issuers: []string{"issuer"}, Audiences: []string{"audience"}}
	control := fixed(hs(`{"alg":"HS256"}`, undotted))
	h := enc(`{"alg":"HS256","b64":false,"crit":["b64"]}`)
	out = append(out, Case{
		ID: "E8", Name: "unencoded_claims", Policy: raw, Control: control,
		Token: fixed(hsSign.seal(h + "." + undotted)), Want: []string{"token.malformed", "b64.invalid"},
	}, Case{
		// Only base64url's alphabet, so that nothing but b64 is wrong.
		ID: "E8", Name: "in_the_alphabet", Policy: raw, Control: control,
		Token: fixed(hsSign.seal(h + "." + enc(undotted))), Want: []string{"b64.invalid"},
	}, Case{
		ID: "E9", Name: "b64_without_crit", Want: []string{"b64.invalid"},
		Token: fixed(hs(`{"alg":"HS256","b64":false}`, claims())),
	}, Case{
		ID: "E9", Name: "b64_not_boolean", Want: []string{"json.type", "b64.invalid"},
		Token: fixed(hs(`{"alg":"HS256","b64":"false","crit":["b64"]}`, claims())),
	}, Case{
		ID: "E9", Name: "b64_null", Want: []string{"json.type", "b64.invalid"},
		Token: fixed(hs(`{"alg":"HS256","b64":null,"crit":["b64"]}`, claims())),
	})
	general := func(second string) string {
		sign := func(protected string) string {
			return `{"protected":"` + enc(protected) + `","signature":"` + b64.EncodeToString(hsSign(enc(protected)+"."+enc("hello"))) + `"}`
		}
		return `{"payload":"` + enc("hello") + `","signatures":[` + sign(`{"alg":"HS256"}`) + "," + sign(second) + `]}`
	}
	out = append(out, Case{
		ID: "E10", Name: "b64_differs", Form: JSON, Control: fixed(general(`{"alg":"HS256","x":1}`)),
		Token: fixed(general(`{"alg":"HS256","b64":false,"crit":["b64"]}`)), Want: []string{"b64.invalid"},
	}, Case{
		ID: "E11", Name: "dot_in_unencoded_payload", Want: []string{"token.malformed", "b64.invalid"},
		Token: fixed(hsSign.seal(h + "." + "a.b")),
	})
	return out
}
