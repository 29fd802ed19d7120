package attack

import (
	"crypto"
	"strings"
)

// compositions is group H: one serialization taken for another, and several
// signatures, RFC 7515, Section 7.2.
func compositions() []Case {
	const header = `{"alg":"HS256"}`
	good := hs(header, claims())
	part := strings.Split(good, ".")
	var out []Case
	add := func(id, name, token string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Token: fixed(token), Want: want})
	}
	flattened := `{"protected":"` + part[0] + `","payload":"` + part[1] + `","signature":"` + part[2] + `"}`
	add("H1", "flattened", flattened, "token.malformed")
	add("H1", "general", `{"payload":"`+part[1]+`","signatures":[{"protected":"`+part[0]+`","signature":"`+part[2]+`"}]}`, "token.malformed")
	add("H1", "claims_alone", claims(), "token.malformed")
	// One reader takes the text between the dots, another takes the members.
	forged := enc(claims("sub", `"mallory"`))
	add("H4", "polyglot_dots_in_a_name", `{"`+part[0]+"."+forged+`.x":"","protected":"`+part[0]+`","payload":"`+part[1]+`","signature":"`+part[2]+`"}`, "token.malformed")
	add("H4", "polyglot_dots_in_a_value", `{"protected":"`+part[0]+`","payload":"`+part[1]+`","signature":"`+part[2]+`","header":{"x":"`+good+`"}}`, "token.malformed")
	add("H4", "compact_then_JSON", good+flattened, "token.malformed")
	add("H4", "newline_then_compact", good+"\n"+part[0]+"."+forged+"."+part[2], "token.malformed", "token.encrypted")
	add("H5", "four_parts", good+"."+part[2], "token.malformed")
	add("H5", "two_parts", part[0]+"."+part[1], "token.malformed")
	add("H5", "list", good+","+good, "token.malformed", "token.encrypted")
	jwe := enc(`{"alg":"dir","enc":"A128GCM"}`) + ".." + enc("iv-12-bytes.") + "." + part[1] + "." + enc("tag-of-16-bytes.")
	add("H6", "encrypted_five_parts", jwe, "token.encrypted")
	add("H6", "encryption_header_in_three_parts", hs(`{"alg":"dir","enc":"A128GCM"}`, claims()), "alg.unknown")
	add("H11", "nested_where_claims_are_due", hs(`{"alg":"HS256","cty":"JWT"}`, good), "json.syntax")
	add("H11", "nested_hundred_times", func() string {
		t := good
		for range 20 {
			t = hs(`{"alg":"HS256","cty":"JWT"}`, t)
		}
		return t
	}(), "json.syntax", "token.too_large")
	add("H11", "nested_as_a_JSON_string", hs(`{"alg":"HS256","cty":"JWT"}`, `"`+good+`"`), "json.type")
	add("H11", "nested_unsigned", hs(`{"alg":"HS256","cty":"JWT"}`, enc(`{"alg":"none"}`)+"."+part[1]+"."), "json.syntax")

	// One signature's members, made by a signer; protected may be empty.
	sig := func(s signer, protected, rest string) string {
		p := ""
		if protected != "" {
			p = `"protected":"` + enc(protected) + `",`
		}
		return "{" + p + rest + `"signature":"` + b64.EncodeToString(s(enc(protected)+"."+enc("hello"))) + `"}`
	}
	general := func(signatures ...string) string {
		return `{"payload":"` + enc("hello") + `","signatures":[` + strings.Join(signatures, ",") + `]}`
	}
	flat := func(one string) string { return `{"payload":"` + enc("hello") + `",` + one[1:] }
	usual := sig(hsSign, header, "")
	stranger := sig(mac(crypto.SHA256, seed("stranger", 32)), header, "")
	inJSON := func(id, name, token, control string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: JSON, Token: fixed(token), Control: fixed(control), Want: want})
	}
	two := general(usual, usual)
	inJSON("H2", "good_and_bad", general(usual, stranger), two, "sig.invalid")
	inJSON("H2", "bad_and_good", general(stranger, usual), two, "sig.invalid")
	inJSON("H2", "good_and_none", general(usual, sig(hsSign, `{"alg":"none"}`, "")), two, "alg.none")
	inJSON("H2", "good_and_unknown", general(usual, sig(hsSign, `{"alg":"HS1"}`, "")), two, "alg.unknown")
	inJSON("H2", "bad_alone", general(stranger), general(usual), "sig.invalid")
	inJSON("H3", "alg_only_unprotected", flat(sig(hsSign, `{"x":1}`, `"header":{"alg":"HS256"},`)), flat(usual), "header.unprotected", "alg.missing")
	inJSON("H3", "everything_unprotected", flat(sig(hsSign, "", `"header":{"alg":"HS256"},`)), flat(usual), "header.unprotected", "alg.missing")
	inJSON("H3", "alg_in_both", flat(sig(hsSign, header, `"header":{"alg":"HS256"},`)), flat(sig(hsSign, header, `"header":{"x":1},`)), "header.conflict")
	inJSON("H3", "kid_in_both", flat(sig(hsSign, `{"alg":"HS256","kid":"a"}`, `"header":{"kid":"b"},`)), flat(sig(hsSign, `{"alg":"HS256","kid":"a"}`, `"header":{"x":"b"},`)), "header.conflict")
	inJSON("H3", "unknown_in_both", flat(sig(hsSign, `{"alg":"HS256","x":1}`, `"header":{"x":1},`)), flat(sig(hsSign, `{"alg":"HS256","x":1}`, `"header":{"y":1},`)), "header.conflict")
	inJSON("H3", "escaped_in_both", flat(sig(hsSign, header, `"header":{"\u0061lg":"none"},`)), flat(usual), "header.conflict")
	inJSON("H3", "header_not_an_object", flat(sig(hsSign, header, `"header":[],`)), flat(usual), "json.type", "token.malformed")
	inJSON("H3", "header_null", flat(sig(hsSign, header, `"header":null,`)), flat(usual), "json.type", "token.malformed")
	inJSON("H8", "signatures_empty", general(), general(usual), "sig.none")
	inJSON("H8", "signatures_absent", `{"payload":"`+enc("hello")+`"}`, general(usual), "sig.none", "token.malformed")
	inJSON("H8", "signatures_null", `{"payload":"`+enc("hello")+`","signatures":null}`, general(usual), "sig.none", "json.type", "token.malformed")
	inJSON("H8", "signature_empty", general(`{"protected":"`+part[0]+`","signature":""}`), general(usual), "sig.invalid")
	inJSON("H8", "signature_absent", general(`{"protected":"`+part[0]+`"}`), general(usual), "sig.invalid", "sig.none", "token.malformed")
	inJSON("H9", "protected_absent", flat(sig(hsSign, "", "")), flat(usual), "alg.missing", "header.unprotected", "token.malformed")
	inJSON("H9", "protected_empty", flat(`{"protected":"",`+sig(hsSign, "", "")[1:]), flat(usual), "alg.missing", "header.unprotected", "json.syntax", "token.malformed")
	inJSON("H9", "protected_null", flat(`{"protected":null,`+sig(hsSign, "", "")[1:]), flat(usual), "json.type", "alg.missing", "token.malformed")
	inJSON("H9", "protected_object", flat(`{"protected":`+header+`,`+sig(hsSign, "", "")[1:]), flat(usual), "json.type", "token.malformed")
	inJSON("H9", "signature_null_in_list", general(usual, "null"), general(usual), "json.type", "token.malformed")
	inJSON("H9", "empty_object", "{}", flat(usual), "sig.none", "token.malformed")
	inJSON("H9", "payload_absent", usual, flat(usual), "token.malformed")
	inJSON("H10", "flattened_and_general", strings.Replace(general(usual), "{", `{`+usual[1:len(usual)-1]+",", 1), general(usual), "token.malformed")
	inJSON("H10", "general_with_header", strings.Replace(general(usual), "{", `{"header":{"x":1},`, 1), general(usual), "token.malformed")
	inJSON("H10", "payload_twice", strings.Replace(flat(usual), "{", `{"payload":"",`, 1), flat(usual), "json.duplicate")
	inJSON("H10", "compact_in_the_JSON_reader", hs(header, "hello"), flat(usual), "json.syntax", "token.malformed")
	inJSON("H10", "padded_member", strings.Replace(flat(usual), `"}`, `="}`, 1), flat(usual), "token.encoding", "token.malformed")
	inJSON("H10", "newline_in_member", strings.Replace(flat(usual), `"}`, `\n"}`, 1), flat(usual), "token.encoding", "token.malformed")
	inJSON("H10", "trailing_text", flat(usual)+"{}", flat(usual), "json.trailing")
	return out
}
