package attack

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// trimmed is why the command takes white space around a token.
const trimmed = "white space around a token is trimmed at this edge"

// encodings is group C: the text of a token, RFC 7515, Section 2, and the
// alphabet check of RFC 8725bis, Section 3.14. Parts that are signed are signed
// over the very text that is sent.
func encodings() []Case {
	const header = `{"alg":"HS256"}`
	good := hs(header, claims())
	h, rest, _ := strings.Cut(good, ".")
	p, s, _ := strings.Cut(rest, ".")
	alphabet := []string{"token.malformed", "token.encoding"}
	var out []Case
	add := func(id, name, token string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Token: fixed(token), Want: want})
	}

	add("C1", "signature", h+"."+p+"."+loose(s), "token.encoding")
	// One space more or less in the JSON makes room for unused bits.
	looseHeader, loosePayload := room(header), room(claims())
	add("C1", "header", hsSign.seal(loose(looseHeader)+"."+p), "token.encoding")
	add("C1", "payload", hsSign.seal(h+"."+loose(loosePayload)), "token.encoding")
	add("C1", "signature_length_1_mod_4", h+"."+p+"."+s+"AA", "token.encoding")
	add("C1", "payload_length_1_mod_4", hsSign.seal(h+"."+p+strings.Repeat("A", 4-len(p)%4+1)), "token.encoding", "json.trailing", "json.syntax")

	add("C2", "signature", good+"=", alphabet...)
	add("C2", "header", hsSign.seal(h+"=."+p), alphabet...)
	add("C2", "payload", hsSign.seal(h+"."+base64.URLEncoding.EncodeToString([]byte(claims()+" "))+"=="), alphabet...)
	add("C2", "padded_properly", hsSign.seal(pad(looseHeader)+"."+pad(loosePayload)), alphabet...)

	for i, sep := range []string{"\r", "\n", "\r\n", " ", "\t", "\x00", "\v", "\u00a0", "\ufeff"} {
		for _, v := range []struct{ id, where, token string }{
			{"C3", "before", sep + good},
			{"C3", "after", good + sep},
			{"C3", "inside_signature", h + "." + p + "." + s[:9] + sep + s[9:]},
			{"C3", "before_signature", h + "." + p + "." + sep + s},
			{"C4", "inside_header", hsSign.seal(h[:5] + sep + h[5:] + "." + p)},
			{"C4", "inside_payload", hsSign.seal(h + "." + p[:76] + sep + p[76:])},
			{"C4", "after_header", hsSign.seal(h + sep + "." + p)},
		} {
			c := Case{ID: v.id, Name: fmt.Sprintf("white_space_%d_%s", i, v.where), Token: fixed(v.token), Want: alphabet}
			if v.where == "before" || v.where == "after" {
				c.NoCLI = trimmed
			}
			out = append(out, c)
		}
	}

	// A header that no encoder would write: its signature holds over these bytes, and
	// a signature over what an encoder would write does not.
	odd := "{ \"typ\" :\t\"JWT\" ,\n \"\\u0061lg\" : \"HS256\" }"
	spaced := strings.ReplaceAll(claims(), ",", " , ")
	out = append(out, Case{
		ID: "C5", Name: "header_encoded_again", Want: []string{"sig.invalid"}, Control: fixed(hs(odd, claims())),
		Token: fixed(enc(odd) + "." + p + "." + b64.EncodeToString(hsSign(enc(`{"typ":"JWT","alg":"HS256"}`)+"."+p))),
	}, Case{
		ID: "C6", Name: "payload_encoded_again", Want: []string{"sig.invalid"}, Control: fixed(hs(header, spaced)),
		Token: fixed(h + "." + enc(spaced) + "." + s),
	})

	// "???" and "~~~" give '/' and '+' in the standard alphabet.
	tilde := claims("sub", `"~~~~???????"`)
	out = append(out, Case{
		ID: "C7", Name: "payload", Want: alphabet, Control: fixed(hs(header, tilde)),
		Token: fixed(hsSign.seal(h + "." + base64.RawStdEncoding.EncodeToString([]byte(tilde)))),
	})
	for i := 0; ; i++ { // a signature with one of the two characters
		jti := fmt.Sprintf(`"%d"`, i)
		token := hs(header, claims("jti", jti))
		sig := token[strings.LastIndexByte(token, '.')+1:]
		if std := strings.NewReplacer("-", "+", "_", "/").Replace(sig); std != sig {
			out = append(out, Case{
				ID: "C7", Name: "signature", Want: alphabet, Control: fixed(token), Token: fixed(strings.TrimSuffix(token, sig) + std),
			})
			break
		}
	}
	for i, r := range []string{"!", "~", "%", "é", "А", "\x80", "*"} {
		add("C7", fmt.Sprintf("outside_the_alphabet_%d", i), h+"."+p[:20]+r+p[20:]+"."+s, alphabet...)
	}

	add("C8", "none", "", "token.malformed")
	add("C8", "one_part", h, "token.malformed")
	add("C8", "two_parts", h+"."+p, "token.malformed")
	add("C8", "four_parts", good+"."+s, "token.malformed")
	add("C8", "final_dot", good+".", "token.malformed")
	add("C8", "first_dot", "."+good, "token.malformed")
	add("C8", "six_parts", good+"."+good, "token.malformed")
	add("C8", "only_dots", "..", "token.malformed", "json.syntax")
	out[len(out)-8].NoCLI = "an empty token is a missing argument, exit 2"

	add("C9", "empty_header", hsSign.seal("."+p), "token.malformed", "json.syntax")
	add("C9", "empty_header_object", hs("{}", claims()), "alg.missing")
	add("C9", "empty_payload", hs(header, ""), "token.malformed", "json.syntax")
	for i, dot := range []string{"。", "．", "․", "｡", "·", ","} {
		add("C10", fmt.Sprintf("dot_%d", i), h+dot+p+dot+s, "token.malformed")
	}
	add("C11", "dots", strings.ReplaceAll(good, ".", "%2E"), "token.malformed")
	add("C11", "padding", good+"%3D", "token.malformed")
	add("C11", "letter", "%65"+good[1:], "token.malformed")
	add("C12", "bearer", "Bearer "+good, "token.malformed")
	add("C12", "bearer_lower", "bearer "+good, "token.malformed")
	add("C12", "quotes", `"`+good+`"`, "token.malformed")
	return out
}

// room encodes a JSON text, with a space at its end if need be, so that the last
// character has unused bits.
func room(text string) string {
	for len(text)%3 == 0 {
		text += " "
	}
	return enc(text)
}

// loose sets an unused bit in the last character: a lax decoder reads the same bytes.
func loose(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + alphabet[last+1:last+2]
}

func pad(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }
