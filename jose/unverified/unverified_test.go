package unverified_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/unverified"
)

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

var (
	sig    = strings.Repeat("Ab0-", 10) + "Ab0"
	header = enc(`{"alg":"HS256","kid":"k"}`)
	claims = enc(`{"iss":"joe","n":1}`)
	token  = header + "." + claims + "." + sig
)

func TestParse(t *testing.T) {
	disclosure := enc(`["salt","name",{"a":1}]`)
	kb := enc(`{"alg":"ES256","typ":"kb+jwt"}`) + "." + enc(`{"nonce":"n"}`) + "." + sig
	jwe := enc(`{"alg":"dir","enc":"A128GCM"}`) + ".." + enc("twelve bytes") + "." + enc("secret") + "." + enc("sixteen bytes...")
	one := `"protected":"` + header + `","header":{"x":1},"signature":"` + sig + `"`
	for _, c := range []struct {
		name, token string
		form        unverified.Form
		problems    string
		check       func(*unverified.Token) bool
	}{
		{"compact", token, unverified.Compact, "", func(t *unverified.Token) bool {
			return t.HeaderString("kid") == "k" && t.ClaimString("iss") == "joe" && string(t.Claim("n")) == "1" &&
				string(t.HeaderMember("alg")) == `"HS256"` && t.ClaimString("n") == "" && len(t.Signatures[0].Signature) == 32
		}},
		{"detached", header + ".." + sig, unverified.Compact, "", func(t *unverified.Token) bool { return t.Payload == nil && t.Claims == nil }},
		{"not claims", header + "." + enc("hello") + "." + sig, unverified.Compact, "", func(t *unverified.Token) bool {
			return string(t.Payload) == "hello" && t.Claims == nil
		}},
		{"none", enc(`{"alg":"none"}`) + "." + claims + ".", unverified.Compact, "", nil},
		{"unencoded", enc(`{"alg":"HS256","b64":false}`) + ".{}." + sig, unverified.Compact, "", func(t *unverified.Token) bool { return string(t.Claims) == "{}" }},
		{"duplicate in header", enc(`{"alg":"a","alg":"b"}`) + "." + claims + "." + sig, unverified.Compact, "json.duplicate header", nil},
		{"duplicate in claims", header + "." + enc(`{"a":1,"a":2}`) + "." + sig, unverified.Compact, "json.duplicate payload", func(t *unverified.Token) bool { return t.Claims != nil }},
		{"header a list", enc(`["alg"]`) + "." + claims + "." + sig, unverified.Compact, "json.type header", func(t *unverified.Token) bool { return t.Header == nil && t.Claims != nil }},
		{"header not JSON", enc(`alg`) + "." + claims + "." + sig, unverified.Compact, "json.syntax header", nil},
		{"header not base64", "*." + claims + "." + sig, unverified.Compact, "token.encoding header,json.syntax header", nil},
		{"padding", header + "." + claims + "." + sig + "=", unverified.Compact, "token.encoding signature", func(t *unverified.Token) bool { return len(t.Signatures[0].Signature) == 32 }},
		{"other alphabet", header + "." + claims + "." + strings.ReplaceAll(sig, "-", "+"), unverified.Compact, "token.encoding signature", func(t *unverified.Token) bool { return len(t.Signatures[0].Signature) == 32 }},
		{"prefixed", "pk." + claims + "." + sig, unverified.Prefixed, "", func(t *unverified.Token) bool {
			return t.Prefix == "pk" && t.ClaimString("iss") == "joe" && t.Header == nil
		}},
		{"nested", header + "." + enc(token) + "." + sig, unverified.Compact, "", func(t *unverified.Token) bool { return t.Nested.ClaimString("iss") == "joe" }},

		{"encrypted", jwe, unverified.Encrypted, "", func(t *unverified.Token) bool {
			e := t.Encryption
			return e.IV == 12 && e.Ciphertext == 6 && e.Tag == 16 && e.Recipients[0].EncryptedKey == 0 && t.HeaderString("enc") == "A128GCM"
		}},
		{"SD-JWT", token + "~" + disclosure + "~" + enc(`["s",true]`) + "~", unverified.Disclosable, "", func(t *unverified.Token) bool {
			d := t.Disclosures
			return len(d) == 2 && d[0].Name == "name" && d[0].Salt == "salt" && string(d[0].Value) == `{"a":1}` && d[1].Name == "" && string(d[1].Value) == "true" && d[0].Raw == disclosure
		}},
		{"SD-JWT without disclosures", token + "~", unverified.Disclosable, "", func(t *unverified.Token) bool { return t.Disclosures == nil }},
		{"SD-JWT with key binding", token + "~" + disclosure + "~" + kb, unverified.Disclosable, "", func(t *unverified.Token) bool {
			return t.KeyBinding.ClaimString("nonce") == "n" && len(t.Disclosures) == 1
		}},
		{"SD-JWT with a broken key binding", token + "~a.b", unverified.Disclosable, "token.malformed key binding", nil},
		{"SD-JWT without last tilde", token + "~" + disclosure, unverified.Disclosable, "token.malformed disclosures", func(t *unverified.Token) bool { return len(t.Disclosures) == 1 }},
		{"SD-JWT with a bad disclosure", token + "~" + enc(`{}`) + "~" + enc(`[1]`) + "~" + enc(`[1,2,3,4]`) + "~", unverified.Disclosable, "json.type disclosure", func(t *unverified.Token) bool { return len(t.Disclosures) == 3 }},
		{"SD-JWT with a duplicate in a disclosure", token + "~" + enc(`["s",{"a":1,"a":1}]`) + "~", unverified.Disclosable, "json.duplicate disclosure", nil},

		{"flattened", ` {"payload":"` + claims + `",` + one + `}`, unverified.Flattened, "", func(t *unverified.Token) bool {
			return t.HeaderString("kid") == "k" && string(t.Signatures[0].Unprotected) == `{"x":1}` && t.ClaimString("iss") == "joe"
		}},
		{"flattened, detached", `{` + one + `}`, unverified.Flattened, "", func(t *unverified.Token) bool { return t.Payload == nil }},
		{"flattened, unencoded", `{"payload":"a.b","protected":"` + enc(`{"b64":false}`) + `","signature":""}`, unverified.Flattened, "", func(t *unverified.Token) bool { return string(t.Payload) == "a.b" }},
		{"flattened twice", `{"payload":"","payload":"",` + one + `}`, unverified.Flattened, "json.duplicate document", nil},
		{"general", `{"payload":"` + claims + `","signatures":[{` + one + `},{` + one + `}]}`, unverified.General, "", func(t *unverified.Token) bool { return len(t.Signatures) == 2 }},
		{"general, empty", `{"payload":"","signatures":[]}`, unverified.General, "sig.none signatures", nil},
		{"general, not a list", `{"payload":"","signatures":1}`, unverified.General, "json.type signatures,sig.none signatures", nil},
		{"general and flattened", `{"payload":"","signatures":[{` + one + `}],` + one + `}`, unverified.General, "token.malformed document", nil},
		{"many signatures", `{"payload":"","signatures":[` + strings.Repeat(`{`+one+`},`, 1000) + `{` + one + `}]}`, unverified.General, "json.limit document,token.too_large signatures", func(t *unverified.Token) bool { return len(t.Signatures) == 1000 }},
		{"SD-JWT in JSON", `{"payload":"` + claims + `","protected":"` + header + `","header":{"disclosures":["` + disclosure + `"],"kb_jwt":"` + kb + `"},"signature":"` + sig + `"}`, unverified.Flattened, "", func(t *unverified.Token) bool {
			return len(t.Disclosures) == 1 && t.KeyBinding.ClaimString("nonce") == "n"
		}},
		{"JWE in JSON", `{"protected":"` + enc(`{"enc":"A128GCM"}`) + `","unprotected":{"a":1},"recipients":[{"header":{"alg":"dir"},"encrypted_key":"AAAA"},{}],"iv":"AAAA","ciphertext":"AAAAAAAA","tag":"AA","aad":"AAA"}`, unverified.EncryptedJSON, "", func(t *unverified.Token) bool {
			e := t.Encryption
			return e.IV == 3 && e.Ciphertext == 6 && e.Tag == 1 && e.AdditionalData == 2 && len(e.Recipients) == 2 && e.Recipients[0].EncryptedKey == 3 && string(e.Recipients[0].Header) == `{"alg":"dir"}` && string(e.Unprotected) == `{"a":1}` && t.HeaderString("enc") == "A128GCM"
		}},
		{"JWE flattened", `{"header":{"alg":"dir"},"encrypted_key":"AAAA","ciphertext":""}`, unverified.EncryptedJSON, "", func(t *unverified.Token) bool { return t.Encryption.Recipients[0].EncryptedKey == 3 }},
		{"JWE with bad recipients", `{"recipients":1,"ciphertext":""}`, unverified.EncryptedJSON, "json.type recipients", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := unverified.Parse(c.token)
			if err != nil {
				t.Fatal(err)
			}
			if tok.Form != c.form || tok.Raw != c.token {
				t.Errorf("form %s", tok.Form)
			}
			var problems []string
			for _, p := range tok.Problems {
				problems = append(problems, p.Code+" "+p.Where)
			}
			if got := strings.Join(problems, ","); got != c.problems {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			if c.check != nil && !c.check(tok) {
				t.Errorf("%+v", tok)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "hello", "a.b", "a.b.c", "a.b.c.d", strings.Repeat(".", 10_000), header + "." + claims, "~", header + "~",
		"a.b.c~", "{}", "{", `{"payload":""}`, `{"iss":"joe"}`, "pk.a.b", enc(`1`) + "." + enc(`2`) + ".",
		enc(`{"enc":"A128GCM"}`) + "....~", "a.b.c.d.e", strings.Repeat("A", 100) + "..", "....",
	} {
		if tok, err := unverified.Parse(s); !errors.Is(err, unverified.ErrNotToken) {
			t.Errorf("%.40q: %+v, %v", s, tok, err)
		}
	}
	big := token + strings.Repeat("A", unverified.MaxSize)
	if _, err := unverified.Parse(big); !errors.Is(err, unverified.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := unverified.ParseMax(big, 2*unverified.MaxSize); err != nil {
		t.Error(err)
	}
	if _, err := unverified.ParseMax(token, len(token)); err != nil {
		t.Error(err)
	}
}

func TestParseIsBounded(t *testing.T) {
	nested := token
	for range 12 {
		nested = header + "." + enc(nested) + "." + sig
	}
	tok, err := unverified.Parse(nested)
	if err != nil {
		t.Fatal(err)
	}
	depth := 0
	for tok.Nested != nil {
		tok, depth = tok.Nested, depth+1
	}
	if depth != 8 || len(tok.Problems) != 1 || tok.Problems[0].Code != "token.malformed" {
		t.Errorf("depth %d, %v", depth, tok.Problems)
	}

	tok, err = unverified.Parse(token + strings.Repeat("~AAAA", 20_000))
	if err != nil || len(tok.Disclosures) != 10_000 || tok.Problems[len(tok.Problems)-1].Code != "token.too_large" {
		t.Error(len(tok.Disclosures), err)
	}
	kb := token
	for range 12 {
		kb = token + "~" + kb
	}
	if _, err := unverified.Parse(kb); err != nil {
		t.Error(err)
	}

	// A thousand different problems are not all listed.
	var many strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&many, `~%s`, enc(fmt.Sprintf(`["s",{"a":1,%s"a":1}]`, strings.Repeat(" ", i))))
	}
	tok, err = unverified.Parse(token + many.String() + "~")
	if err != nil || len(tok.Problems) != 50 {
		t.Error(len(tok.Problems), err)
	}
}

// wrap cuts s into lines of n characters.
func wrap(s string, n int, between string) string {
	var lines []string
	for chunk := range slices.Chunk([]byte(s), n) {
		lines = append(lines, string(chunk))
	}
	return strings.Join(lines, between)
}

func TestFind(t *testing.T) {
	es := enc(`{"alg":"ES256"}`) + "." + claims + "." + strings.Repeat("A", 86)
	rs := enc(`{"alg":"RS256"}`) + "." + claims + "." + strings.Repeat("A", 342)
	none := enc(`{"alg":"none"}`) + "." + claims + "."
	jwe := enc(`{"alg":"dir","enc":"A128GCM"}`) + ".." + enc("twelve bytes") + "." + enc("secret") + "." + enc("sixteen bytes...")
	sd := token + "~" + enc(`["salt","name",{"a":1}]`) + "~"
	kb := sd + enc(`{"alg":"ES256","typ":"kb+jwt"}`) + "." + enc(`{"nonce":"n"}`) + "." + strings.Repeat("A", 86)
	spaced := enc("{ \"alg\": \"HS256\" }") + "." + claims + "." + sig
	lines := enc("{\n \"alg\": \"HS256\" }") + "." + claims + "." + sig
	crlf := enc("{\r\n \"alg\": \"HS256\" }") + "." + claims + "." + sig
	padded := base64.URLEncoding.EncodeToString([]byte(`{"alg":"HS256"} `)) + "." + base64.URLEncoding.EncodeToString([]byte(`{"iss":"joe"} `)) + "." + sig + "="
	flat := `{"payload":"` + claims + `","protected":"` + header + `","signature":"` + sig + `"}`
	long := enc(`{"alg":"HS256"}`) + "." + enc(`{"iss":"`+strings.Repeat("joe", 60)+`"}`) + "." + sig
	other := enc(`{"alg":"XY"}`) + "." + claims + "." + strings.Repeat("A", 360-44)
	even := token + "~" + enc(`["salt","nam",{"a":1}]`) + "~"
	short := enc(`{"alg":"X"}`) + "." + claims + "." + sig
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"prose", "eyes, ewes and eyJ are no tokens. e, ey, ew; pk.ey sk. {} {{ \"", nil},
		{"bare", token, []string{token}},
		{"sentence", "The token is " + token + ". It is long.", []string{token}},
		{"bearer", "Authorization: Bearer " + token + "\r\n", []string{token}},
		{"bearer stuck", "Authorization:Bearer" + token, []string{token}},
		{"JWT stuck", "Authorization:JWT" + token, []string{token}},
		{"JSON", `{"access_token":"` + token + `","id_token":"` + es + `"}`, []string{token, es}},
		{"JSON in JSON", `"{\"t\":\"` + token + `\"}"`, []string{token}},
		{"escaped line end", `"a\n` + token + `\n"`, []string{token}},
		{"escaped character", `"a\u003d` + token + `"`, []string{token}},
		{"form", "request=" + token + "&state=abc", []string{token}},
		{"fragment", "https://a/cb#id_token=" + token + "&state=abc", []string{token}},
		{"path", "https://a/verify/" + token + "/now", []string{token}},
		{"escaped form", "a%3D" + strings.ReplaceAll(token, ".", "%2E") + "%26state", []string{token}},
		{"all escaped", strings.NewReplacer(".", "%2e", "-", "%2D", "_", "%5F", "~", "%7E").Replace(kb), []string{kb}},
		{"escaped padding", strings.ReplaceAll(padded, "=", "%3D"), []string{padded}},
		{"XML", "<t>" + token + "</t>", []string{token}},
		{"cookie", "Set-Cookie: s=" + token + "; Path=/", []string{token}},
		{"file name", token + ".json", []string{token}},
		{"inside a word", "x" + token, nil},
		{"after a dash", "x-" + token, nil},
		{"space in header", spaced, []string{spaced}},
		{"line end in header", lines, []string{lines}},
		{"CRLF in header", crlf, []string{crlf}},
		{"padded", padded + "\n", []string{padded}},
		{"padded in quotes", `"` + padded + `"`, []string{padded}},
		{"unsecured", none, []string{none}},
		{"unsecured in quotes", `"` + none + `"`, []string{none}},
		{"detached", header + ".." + sig, []string{header + ".." + sig}},
		{"encrypted", "enc: " + jwe + ".", []string{jwe}},
		{"SD-JWT", sd + "&x", []string{sd}},
		{"SD-JWT and a word", sd + "word", []string{sd}},
		{"SD-JWT, last tilde missing", sd[:len(sd)-1], []string{sd[:len(sd)-1]}},
		{"SD-JWT with key binding", kb + ".", []string{kb}},
		{"Mapbox", "access_token=pk." + claims + "." + sig + "&x", []string{"pk." + claims + "." + sig}},
		{"Mapbox secret", "sk." + claims + "." + sig, []string{"sk." + claims + "." + sig}},
		{"Mapbox without signature", "sk." + claims + ".", nil},
		{"JSON serialization", "a " + flat + " b", []string{flat}},
		{"JSON serialization in JSON", `{"a":` + flat + `}`, []string{flat}},
		{"braces in strings", `{"a":"}\"{"` + `,"b":` + flat + `}`, []string{flat}},
		{"other JSON with a signature", `{"signature":1} {"payload":"AA","signature":"AA"} {"payload":1,"signatures":[]} {"ciphertext":"AA"}`, nil},
		{"unprotected header", `{"payload":"","header":{},"signature":""}`, []string{`{"payload":"","header":{},"signature":""}`}},
		{"encrypted JSON", `{"header":{},"ciphertext":""}{"unprotected":{},"ciphertext":""}`, []string{`{"header":{},"ciphertext":""}`, `{"unprotected":{},"ciphertext":""}`}},
		{"in braces and bars", "{" + token + "}" + token + "|x", []string{token, token}},
		{"Mapbox and a word", "pk." + claims + "." + sig + "\nword", []string{"pk." + claims + "." + sig}},
		{"padded in single quotes", "'" + padded + "'", []string{padded}},
		{"unknown algorithm in a line", short + "\nword", []string{short}},
		{"unknown algorithm and a word", other + " word\nword", []string{other}},
		{"unknown algorithm, wrapped", wrap(other, 60, "\n") + "\n", []string{other}},
		{"unknown algorithm, RFC 8792", wrap(other, 60, "\\\n") + "\ngrant_type=x", []string{other}},
		{"SD-JWT, RFC 8792, last line full", wrap(even, 46, "\\\n") + "\nWord", []string{even}},
		{"SD-JWT and a word that could be a disclosure", short + "~ Word\n", []string{short + "~"}},
		{"two in a line", token + " " + es, []string{token, es}},
		{"two lines", token + "\n" + token + "\n", []string{token, token}},

		{"elided", "eyJhbGciOiAiSFMyNTYiLCAi... eyJhb... eyJhbGci......yu5CSpyHI", nil},
		{"elided after the header", header + "... " + header + "..." + sig + " " + header + "." + claims[:9] + "...", nil},
		{"elided signature", header + "." + claims + "...", nil},
		{"header alone", header + " " + header + "." + claims, nil},

		{"wrapped", wrap(rs, 64, "\n"), []string{rs}},
		{"wrapped at 72 with CRLF", wrap(rs, 72, "\r\n"), []string{rs}},
		{"wrapped and followed", wrap(es, 64, "\n") + "\nword\n", []string{es}},
		{"wrapped, last line full", wrap(es, len(es)/2, "\n") + "\nword\n", []string{es}},
		{"wrapped and followed by text", wrap(rs, 64, "\n") + "\nword and more\n", []string{rs}},
		{"wrapped after a name", "request=" + rs[:56] + "\n" + wrap(rs[56:], 64, "\n") + "&\nx=y", []string{rs}},
		{"wrapped and indented", "    " + wrap(rs, 64, "\n    "), []string{rs}},
		{"wrapped and quoted", "> > " + wrap(rs, 64, "\n> > "), []string{rs}},
		{"wrapped in a comment", "// " + wrap(rs, 64, " \n// "), []string{rs}},
		{"wrapped at the full stops", strings.ReplaceAll(token, ".", "\n.\n"), []string{token}},
		{"wrapped after the full stops", strings.ReplaceAll(token, ".", ".\n"), []string{token}},
		{"wrapped before the full stops", "    " + strings.ReplaceAll(token, ".", "\n    ."), []string{token}},
		{"wrapped JWE", wrap(jwe, 40, "\n"), []string{jwe}},
		{"wrapped SD-JWT", wrap(kb, 64, "\n"), []string{kb}},
		{"RFC 8792", wrap(rs, 60, "\\\n  ") + "\nword", []string{rs}},
		{"RFC 8792, ragged", rs[:40] + "\\\n" + rs[40:45] + "\\\r\n" + rs[45:] + "\ngrant_type=x\\\n&y", []string{rs}},
		{"blank line between", rs[:40] + "\n\n" + rs[40:], nil},
		{"short line between", rs[:35] + "\n" + rs[35:45] + "\n" + rs[45:], nil},
		{"one line and a word", rs + "\nword", []string{rs}},
		{"long line and a word", long + "\nword", []string{long}},
		{"tokens as lines", es + "\n" + es, []string{es, es}},
		{"unknown algorithm as lines", strings.Repeat(enc(`{"alg":"X"}`)+"."+claims+"."+sig+"\n", 2), []string{enc(`{"alg":"X"}`) + "." + claims + "." + sig, enc(`{"alg":"X"}`) + "." + claims + "." + sig}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range unverified.Find(c.text) {
				got = append(got, f.Raw)
				if tok, err := unverified.Parse(f.Raw); err != nil || tok.Form != f.Token.Form {
					t.Error(tok, err)
				}
				if strings.Contains(c.text, f.Raw) && c.text[f.Start:f.End] != f.Raw {
					t.Errorf("%d to %d is %q", f.Start, f.End, c.text[f.Start:f.End])
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q\nin %q", got, c.want, c.text)
			}
		})
	}
}

// TestFindAlgorithms: the length of a signature says where a wrapped token ends.
func TestFindAlgorithms(t *testing.T) {
	for alg, n := range map[string]int{
		"HS256": 43, "HS384": 64, "HS512": 86, "ES256": 86, "ES256K": 86, "EdDSA": 86, "Ed25519": 86,
		"ES384": 128, "ES512": 176, "RS256": 342, "PS384": 512, "RS512": 683, "none": 0,
	} {
		// In full lines, so that only the algorithm tells the last of them.
		var token string
		for i := 0; token == "" || len(token)%64 != 0; i++ {
			header := `{"alg":"` + alg + `"` + strings.Repeat(" ", i%48) + "}"
			token = enc(header) + "." + enc(`{"iss":"joe"`+strings.Repeat(" ", i/48)+"}") + "." + strings.Repeat("A", n)
		}
		found := unverified.Find(wrap(token, 64, "\n") + "\nword")
		if len(found) != 1 || found[0].Raw != token {
			t.Errorf("%s: %v", alg, found)
		}
	}
}

// TestFindIsLinear gives texts that a careless reader reads many times over.
func TestFindIsLinear(t *testing.T) {
	for name, unit := range map[string]string{
		"braces":        "{",
		"open objects":  `{"signature":`,
		"header starts": "eyJ",
		"lines":         strings.Repeat("eyJhbGciOiJIUzI1NiJ9", 3) + "\n",
		"headers":       "eyJhbGciOiJIUzI1NiJ9.\n",
		"header lines":  "eyJhbGciOiJIUzI1NiJ9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		"escapes":       "%2E",
		"prefixes":      "pk.eyJ",
		"tokens":        "eyJhbGciOiJIUzI1NiJ9..A ",
		"tildes":        "eyJhbGciOiJIUzI1NiJ9..A~~~~~~~~ ",
	} {
		made := func(n int) uint64 {
			text := strings.Repeat(unit, n/len(unit))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			unverified.Find(text)
			runtime.ReadMemStats(&after)
			return after.TotalAlloc - before.TotalAlloc
		}
		small, large := made(10_000), made(100_000)
		if large > 20*small+1<<20 {
			t.Errorf("%s: %d bytes for 10 kB, %d for 100 kB", name, small, large)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{token, wrap(token, 30, "\\\n"), wrap(token, 64, "\n"), "> " + token + "~WyJzIiwxXQ~", `{"payload":"","signatures":[{"protected":"e30"}]}`, "pk." + claims + "." + sig} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, found := range unverified.Find(text) {
			if found.Start < last || found.End <= found.Start || found.End > len(text) {
				t.Fatalf("%d to %d after %d of %d", found.Start, found.End, last, len(text))
			}
			last = found.End
			// What was found is a token by itself too, and the same one.
			again, err := unverified.Parse(found.Raw)
			if err != nil || again.Form != found.Token.Form || again.Raw != found.Raw {
				t.Errorf("%q: %v", found.Raw, err)
			}
			found.Token.FindWithin()
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{token, token + "~" + enc(`["s","n",1]`) + "~" + token, `{"ciphertext":"","recipients":[{}]}`, `{"payload":"","signatures":[{"protected":"e30"}]}`, "pk." + claims + "." + sig} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, s string) {
		if tok, err := unverified.Parse(s); err == nil {
			tok.FindWithin()
			_ = tok.HeaderString("alg")
		}
	})
}
