package attack

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"crypto/ecdh"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
)

// encryptionRules is group J: encryption, RFC 7516.
func encryptionRules() []Case {
	var out []Case
	add := func(id, name string, w way, token, control string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: JWE, Key: w.key, Token: fixed(token), Control: fixed(control), Want: want})
	}
	inJSON := func(id, name string, w way, token, control string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: JWEJSON, Key: w.key, Token: fixed(token), Control: fixed(control), Want: want})
	}
	dir := direct("A128GCM")
	good := dir.seal("A128GCM", "", plaintext)
	usual := good.compact()
	kw := aesKW("A128KW")
	es, x25519 := ecdhES("ECDH-ES", owner256), ecdhES("ECDH-ES", owner25519)

	// RFC 7516, Section 5.2, step 10.
	for _, w := range []way{dir, es, x25519} {
		e := w.seal("A128GCM", "", plaintext)
		name := w.alg + fmt.Sprint(len(e.header))
		for _, n := range []int{1, 16, 24, 5000} {
			e.key = seed("encrypted key", n)
			add("J1", fmt.Sprintf("%s_%d_bytes", name, n), w, e.compact(), w.usual(), "header.invalid")
		}
		e.key = seed("encrypted key", 16)
		inJSON("J1", name+"_JSON", w, e.flat(""), w.seal("A128GCM", "", plaintext).flat(""), "header.invalid")
	}
	inJSON("J1", "empty_member", dir, strings.Replace(good.flat(""), "{", `{"encrypted_key":"",`, 1), good.flat(""), "token.malformed")

	for enc, row := range encryptions {
		w := direct(enc)
		e := w.seal(enc, "", plaintext)
		control := e.compact()
		bad := func(name string, e envelope, want ...string) {
			add("J2", enc+"_"+name, w, e.compact(), control, want...)
		}
		for _, n := range []int{0, 1, 8, row.iv - 1, row.iv + 1, 2 * row.iv} {
			other := e
			other.iv = seed("iv", n)
			if row.hash == 0 && n > 0 { // a token that is right but for the length
				other = other.encrypt(enc, direct(enc).wrap(enc, nil).cek, e.protected(), plaintext)
			}
			bad(fmt.Sprintf("iv_%d_bytes", n), other, "token.malformed")
		}
		for _, n := range []int{0, 1, 4, 8, 12, row.tag - 1} { // a tag cut short is a beginning of the right one
			other := e
			other.tag = e.tag[:n]
			bad(fmt.Sprintf("tag_%d_bytes", n), other, "token.malformed")
		}
		other := e
		other.tag = append(bytes.Clone(e.tag), 0)
		bad("tag_and_a_byte", other, "token.malformed")
		if row.hash != 0 {
			other.tag = e.mac(enc, w.wrap(enc, nil).cek, e.protected())
			bad("whole_MAC", other, "token.malformed")
			// The tag is right, so that only the length is wrong.
			other = e
			other.text = nil
			other.tag = other.mac(enc, w.wrap(enc, nil).cek, e.protected())[:row.tag]
			bad("no_ciphertext", other, "dec.failed")
			other.text = append(bytes.Clone(e.text), 0)
			other.tag = other.mac(enc, w.wrap(enc, nil).cek, e.protected())[:row.tag]
			bad("block_and_a_byte", other, "dec.failed")
		}
		for name, edit := range map[string]func(*envelope){
			"tag_changed":        func(e *envelope) { e.tag = flip(e.tag) },
			"iv_changed":         func(e *envelope) { e.iv = flip(e.iv) },
			"ciphertext_changed": func(e *envelope) { e.text = flip(e.text) },
			"ciphertext_longer":  func(e *envelope) { e.text = append(bytes.Clone(e.text), make([]byte, 16)...) },
			"tag_of_zeros":       func(e *envelope) { e.tag = make([]byte, row.tag) },
			"header_spaced":      func(e *envelope) { e.header += " " },
			"header_typ":         func(e *envelope) { e.header = strings.Replace(e.header, "{", `{"typ":"JWT",`, 1) },
		} {
			other := e
			edit(&other)
			bad(name, other, "dec.failed")
		}
	}

	header := func(id, name, more string, want ...string) {
		add(id, name, dir, dir.seal("A128GCM", more, plaintext).compact(), usual, want...)
	}
	header("J3", "unknown", `,"crit":["x"],"x":1`, "crit.unknown")
	header("J3", "b64_is_of_signatures", `,"crit":["b64"],"b64":true`, "crit.unknown")
	header("J3", "empty", `,"crit":[]`, "crit.invalid")
	header("J3", "absent", `,"crit":["x"]`, "crit.invalid")
	header("J3", "null", `,"crit":null`, "crit.invalid")
	header("J3", "not_a_list", `,"crit":"x","x":1`, "crit.invalid")
	header("J3", "not_of_strings", `,"crit":[1],"1":1`, "crit.invalid")
	header("J3", "twice", `,"crit":["x","x"],"x":1`, "crit.unknown", "crit.invalid")
	for _, name := range []string{"alg", "enc", "zip", "epk", "apu", "p2c", "iv", "crit"} {
		header("J3", "registered_"+name, `,"zip":"DEF","crit":["`+name+`"]`, "crit.invalid")
	}
	inJSON("J3", "only_unprotected", dir, good.flat(`"unprotected":{"crit":["x"],"x":1},`), good.flat(`"unprotected":{"x":1},`), "header.unprotected")
	inJSON("J3", "only_of_the_recipient", dir, good.flat(`"header":{"crit":["x"],"x":1},`), good.flat(`"header":{"x":1},`), "header.unprotected")
	noted := dir.seal("A128GCM", `,"crit":["x"]`, plaintext)
	inJSON("J3", "names_an_unprotected_member", dir, noted.flat(`"unprotected":{"x":1},`), good.flat(`"unprotected":{"x":1},`), "crit.invalid", "crit.unknown")

	packed := dir.seal("A128GCM", `,"zip":"DEF"`, deflated(plaintext))
	for i, v := range []string{`"GZIP"`, `"def"`, `"DEFLATE"`, `""`, `"DEF "`, "null", "1", "true", `["DEF"]`, "{}"} {
		add("J4", fmt.Sprintf("unknown_%d", i), dir, dir.seal("A128GCM", `,"zip":`+v, deflated(plaintext)).compact(), packed.compact(), "zip.unknown", "json.type")
	}
	inJSON("J4", "unprotected", dir, dir.seal("A128GCM", "", deflated(plaintext)).flat(`"unprotected":{"zip":"DEF"},`), packed.flat(""), "header.unprotected")
	inJSON("J4", "of_the_recipient", dir, dir.seal("A128GCM", "", deflated(plaintext)).flat(`"header":{"zip":"DEF"},`), packed.flat(""), "header.unprotected")

	for i, m := range []string{`"alg":"dir"`, `"enc":"A128GCM"`, `"\u0061lg":"dir"`, `"x":1,"x":2`, `"x":{"y":1,"y":2}`, `"zip":"DEF","zip":"DEF"`} {
		header("J5", fmt.Sprintf("header_%d", i), ","+m, "json.duplicate")
	}
	header("J5", "epk", `,"epk":{"kty":"EC","kty":"EC"}`, "json.duplicate")
	for _, m := range []string{"protected", "iv", "ciphertext", "tag"} {
		inJSON("J5", m, dir, strings.Replace(good.flat(""), "{", `{"`+m+`":"AAAA",`, 1), good.flat(""), "json.duplicate")
	}
	inJSON("J5", "unprotected", dir, good.flat(`"unprotected":{"a":1,"a":2},`), good.flat(`"unprotected":{"a":1},`), "json.duplicate")
	inJSON("J5", "unprotected_twice", dir, good.flat(`"unprotected":{},"unprotected":{},`), good.flat(`"unprotected":{},`), "json.duplicate")
	inJSON("J5", "recipients_twice", kw, twice(kw, kw), several(kw, kw), "json.duplicate")

	whole := kw.seal("A128GCM", "", plaintext).parts()
	for i, part := range []string{"header", "key", "iv", "ciphertext", "tag"} {
		for name, text := range map[string]string{
			"newline": whole[i][:4] + "\n" + whole[i][4:], "CRLF": whole[i] + "\r\n", "space": " " + whole[i], "NUL": whole[i] + "\x00",
			"padding": whole[i] + "=", "standard_alphabet": "+" + whole[i][1:], "percent": "%41" + whole[i][1:], "one_more": whole[i] + "AAAAA"[:5-len(whole[i])%4],
		} {
			parts := slices.Clone(whole)
			parts[i] = text
			token := strings.Join(parts, ".")
			add("J6", part+"_"+name, kw, token, kw.usual(), "token.malformed", "token.encoding")
			if strings.TrimSpace(token) != token {
				out[len(out)-1].NoCLI = trimmed
			}
		}
	}
	add("J6", "key_trailing_bits", kw, loosened(kw, "A128CBC-HS256", 1), kw.seal("A128CBC-HS256", "", plaintext).compact(), "token.encoding")
	add("J6", "tag_trailing_bits", dir, loosened(dir, "A128GCM", 4), usual, "token.encoding")
	add("J6", "Bearer", dir, "Bearer "+usual, usual, "token.malformed")
	for _, m := range []string{"protected", "iv", "ciphertext", "tag"} {
		inJSON("J6", "JSON_"+m, dir, strings.Replace(good.flat(""), `"`+m+`":"`, `"`+m+`":"\n`, 1), good.flat(""), "token.malformed", "token.encoding")
	}

	zip := func(name, compressed string, want ...string) {
		add("J7", name, dir, dir.seal("A128GCM", `,"zip":"DEF"`, compressed).compact(), packed.compact(), want...)
	}
	bomb := deflated(strings.Repeat("\x00", 9_000_000))
	zip("nine_megabytes", bomb, "token.too_large")
	zip("eleven_times", deflated(strings.Repeat(string(seed("line", 64)), 20)), "token.too_large")
	zip("hundred_kilobytes", deflated(strings.Repeat("\x00", 100_000)), "token.too_large")
	add("J7", "more_than_250_kilobytes", dir, dir.seal("A128GCM", `,"zip":"DEF"`, deflated(lines(300_000))).compact(),
		dir.seal("A128GCM", `,"zip":"DEF"`, deflated(lines(240_000))).compact(), "token.too_large")
	zip("that_was_not_compressed", plaintext, "dec.failed")
	zip("cut_short", deflated(plaintext)[:5], "dec.failed")
	zip("of_nothing", "", "dec.failed")
	zip("with_more_behind", deflated(plaintext)+"x", "dec.failed")
	zip("twice", deflated(plaintext)+deflated(plaintext), "dec.failed")
	zip("with_the_header_of_zlib", zlibbed(plaintext), "dec.failed")
	inJSON("J7", "JSON", dir, dir.seal("A128GCM", `,"zip":"DEF"`, bomb).flat(""), packed.flat(""), "token.too_large")
	forged := dir.seal("A128GCM", `,"zip":"DEF"`, bomb)
	forged.tag = flip(forged.tag)
	add("J7", "with_a_wrong_tag", dir, forged.compact(), packed.compact(), "dec.failed") // nothing is inflated before

	pb := pbes2("PBES2-HS256+A128KW")
	cek := seed("content key of A128GCM", 16)
	count := func(name, p2c string, want ...string) {
		add("J8", name, pb, enclose(pb.header("A128GCM", `,"p2s":"`+b64.EncodeToString(seed("salt", 8))+`"`+p2c), "A128GCM", cek, pb.wrap("A128GCM", cek).key, plaintext).compact(), pb.usual(), want...)
	}
	count("absent", "", "header.invalid")
	for i, v := range []string{"0", "1", "-1", "-1000", "999", "1200001", "2000000", "2147483647", "-2147483648"} {
		count(fmt.Sprintf("number_%d", i), `,"p2c":`+v, "header.invalid")
	}
	for i, v := range []string{"2147483648", "4294968296", "9223372036854775807", "9223372036854775808", "18446744073709552616", "1e18", "1e400", "1000.5", "1e-3"} {
		count(fmt.Sprintf("huge_or_fraction_%d", i), `,"p2c":`+v, "header.invalid", "json.number")
	}
	for i, v := range []string{`"1000"`, "null", "true", "[1000]", "{}"} {
		count(fmt.Sprintf("type_%d", i), `,"p2c":`+v, "json.type")
	}
	salt := func(name, p2s string, salt []byte, want ...string) {
		add("J8", name, pb, enclose(pb.header("A128GCM", p2s+`,"p2c":1000`), "A128GCM", cek, wrapPassword(pb.alg, salt, 1000, cek), plaintext).compact(), pb.usual(), want...)
	}
	salt("salt_absent", "", nil, "header.invalid")
	salt("salt_empty", `,"p2s":""`, nil, "header.invalid")
	for _, n := range []int{1, 7} {
		salt(fmt.Sprintf("salt_%d_bytes", n), `,"p2s":"`+b64.EncodeToString(seed("salt", n))+`"`, seed("salt", n), "header.invalid")
	}
	salt("salt_number", `,"p2s":12345678`, []byte("12345678"), "json.type")
	salt("salt_null", `,"p2s":null`, nil, "json.type")
	salt("salt_padded", `,"p2s":"AAAAAAAAAAA="`, make([]byte, 8), "token.encoding", "header.invalid")
	salt("other_salt", `,"p2s":"`+b64.EncodeToString(seed("other salt", 8))+`"`, seed("salt", 8), "dec.failed")
	salt("other_count", `,"p2s":"`+b64.EncodeToString(seed("salt", 8))+`","z":1`, seed("other", 8), "dec.failed")

	one15 := rsaes("RSA1_5", pad15)
	for name, key := range map[string]Key{
		"without_opt_in":          one(rsaKeys()["rsa"].private("alg", "RSA1_5")),
		"key_for_OAEP":            one(rsaKeys()["rsa"].private("alg", "RSA-OAEP")),
		"key_for_OAEP_and_opt_in": {Kind: JWK, Data: rsaKeys()["rsa"].private("alg", "RSA-OAEP"), AllowRSA1_5: true},
		"bound_without_opt_in":    {Kind: JWK, Data: rsaKeys()["rsa"].private("alg", "-"), Alg: "RSA1_5"},
		"key_for_signatures":      {Kind: JWK, Data: rsaKeys()["rsa"].private(), AllowRSA1_5: true},
	} {
		key.Data = bytes.Replace(key.Data, []byte(`"alg":"-",`), nil, 1)
		out = append(out, Case{
			ID: "J9", Name: name, Form: JWE, Key: key, ControlKey: one15.key,
			Token: one15.usual, Control: one15.usual, Want: []string{"alg.mismatch", "key.use", "key.none"},
		})
	}
	for name, edit := range map[string]func([]byte) []byte{
		"first_byte":     func(em []byte) []byte { em[0] = 1; return em },
		"block_type_1":   func(em []byte) []byte { em[1] = 1; return em },
		"block_type_0":   func(em []byte) []byte { em[1] = 0; return em },
		"zero_early":     func(em []byte) []byte { em[5] = 0; return em },
		"zero_in_middle": func(em []byte) []byte { em[100] = 0; return em },
		"no_zero":        func(em []byte) []byte { return append(em[:2:2], bytes.ReplaceAll(em[2:], []byte{0}, []byte{1})...) },
		"CEK_changed":    func(em []byte) []byte { return flip(em) },
		"all_zero":       func(em []byte) []byte { return make([]byte, len(em)) },
		"one":            func(em []byte) []byte { return append(make([]byte, len(em)-1), 1) },
	} {
		w := rsaes("RSA1_5", func(size int, cek []byte) []byte { return edit(pad15(size, cek)) })
		add("J9", "padding_"+name, w, w.usual(), one15.usual(), "dec.failed")
		w = rsaes("RSA1_5", func(size int, cek []byte) []byte { return edit(pad15(size, cek)) })
		add("J9", "padding_"+name+"_CBC", w, w.seal("A128CBC-HS256", "", plaintext).compact(), one15.seal("A128CBC-HS256", "", plaintext).compact(), "dec.failed")
	}
	for _, n := range []int{0, 1, 15, 17, 24, 32, 200} {
		w := rsaes("RSA1_5", func(size int, _ []byte) []byte { return pad15(size, seed("CEK", n)) })
		add("J9", fmt.Sprintf("CEK_of_%d_bytes", n), w, w.usual(), one15.usual(), "dec.failed")
	}

	for _, o := range oaep {
		w := func(pad func(int, []byte) []byte) way { return rsaes(o.alg, pad) }
		control := w(padOAEP(o.hash, "", 1)).usual()
		for name, pad := range map[string]func(int, []byte) []byte{
			// Manger's question: is the first byte zero?
			"first_byte": func(size int, m []byte) []byte { em := padOAEP(o.hash, "", 1)(size, m); em[0] = 1; return em },
			"label":      padOAEP(o.hash, "x", 1),
			"separator":  padOAEP(o.hash, "", 2),
			"other_hash": padOAEP(map[bool]crypto.Hash{true: crypto.SHA256, false: crypto.SHA1}[o.hash == crypto.SHA1], "", 1),
			"CEK_short":  func(size int, m []byte) []byte { return padOAEP(o.hash, "", 1)(size, m[1:]) },
			"CEK_long":   func(size int, m []byte) []byte { return padOAEP(o.hash, "", 1)(size, append(m[:16:16], 0)) },
			"CEK_empty":  func(size int, _ []byte) []byte { return padOAEP(o.hash, "", 1)(size, nil) },
			"PKCS1":      pad15,
			"zero":       func(size int, _ []byte) []byte { return make([]byte, size) },
		} {
			add("J10", o.alg+"_"+name, w(pad), w(pad).usual(), control, "dec.failed")
		}
		e := w(padOAEP(o.hash, "", 1)).seal("A128GCM", "", plaintext)
		e.key = bytes.Repeat([]byte{0xff}, len(e.key)) // more than n
		add("J10", o.alg+"_not_below_n", w(pad15), e.compact(), control, "dec.failed")
	}

	for enc, row := range encryptions {
		if row.hash == 0 {
			continue
		}
		w := direct(enc)
		secret := w.wrap(enc, nil).cek
		e := w.seal(enc, "", plaintext)
		control := e.compact()
		for name, padded := range map[string]string{
			"0":       strings.Repeat("x", 15) + "\x00",
			"17":      strings.Repeat("\x11", 32),
			"255":     strings.Repeat("\xff", 16),
			"unequal": strings.Repeat("x", 13) + "\x02\x03\x03",
			"short":   strings.Repeat("x", 14) + "\x01\x02",
		} {
			bad := e.encryptCBC(enc, secret, e.protected(), padded)
			add("J11", enc+"_padding_"+name, w, bad.compact(), control, "dec.failed")
			bad.tag = flip(bad.tag)
			add("J11", enc+"_padding_"+name+"_and_tag", w, bad.compact(), control, "dec.failed")
		}
		bad := e
		bad.tag = flip(e.tag)
		add("J11", enc+"_tag_alone", w, bad.compact(), control, "dec.failed")
		// The lengths of the authenticated parts are part of what is authenticated.
		moved := e
		moved.iv, moved.text = append(bytes.Clone(e.iv[1:]), e.text[0]), append(bytes.Clone(e.text[1:]), e.iv[0])
		add("J11", enc+"_parts_moved", w, moved.compact(), control, "dec.failed")
	}

	out = append(out, ephemerals()...)

	for _, w := range wrapping() {
		e := w.seal("A128GCM", "", plaintext)
		n := len(e.key)
		sizes := []int{0, 1, 8, n - 8, n - 1, n + 1, 2 * n}
		slices.Sort(sizes)
		for _, size := range slices.Compact(sizes) {
			other := e
			other.key = append(bytes.Clone(e.key), e.key...)[:size]
			out = append(out, Case{
				ID: "J13", Name: fmt.Sprintf("%s_%d_bytes", w.alg, size), Form: JWE, Key: w.key,
				Token: fixed(other.compact()), Control: fixed(e.compact()), Want: []string{"header.invalid"},
			})
		}
		other := e
		other.key = flip(e.key)
		add("J13", w.alg+"_changed", w, other.compact(), e.compact(), "dec.failed")
		other.key = make([]byte, n)
		add("J13", w.alg+"_zero", w, other.compact(), e.compact(), "dec.failed")
		other.key = nil
		inJSON("J13", w.alg+"_JSON_absent", w, other.flat(""), e.flat(""), "header.invalid")
		inJSON("J13", w.alg+"_JSON_null", w, other.flat(`"encrypted_key":null,`), e.flat(""), "json.type")
		inJSON("J13", w.alg+"_JSON_empty", w, other.flat(`"encrypted_key":"",`), e.flat(""), "token.malformed")
	}
	// A good wrapping of a key that enc has no use for.
	long := kw.wrap("A128GCM", seed("long", 32))
	add("J13", "CEK_of_another_length", kw, enclose(kw.header("A128GCM", ""), "A128GCM", cek, long.key, plaintext).compact(), kw.usual(), "header.invalid")
	// The right key, by which no one sees that it was unwrapped with the right one.
	add("J13", "initial_value_of_another", kw, enclose(kw.header("A128GCM", ""), "A128GCM", cek, wrapFrom(make([]byte, 8), seed("A128KW", 16), cek), plaintext).compact(), kw.usual(), "dec.failed")
	stranger := aesKW("A128KW")
	strange := enclose(kw.header("A128GCM", ""), "A128GCM", cek, wrapAES(seed("stranger", 16), cek), plaintext)
	add("J13", "wrapped_by_a_stranger", stranger, strange.compact(), kw.usual(), "dec.failed")

	out = append(out, parties()...)
	out = append(out, allowed()...)

	two := several(kw, aesKW("A192KW"))
	inJSON("J16", "passwords_that_cost_too_much", pb, several(dear(10, 1_000_000)...), several(pb, kw), "token.too_large")
	inJSON("J16", "two_that_cost_too_much", pb, several(dear(2, 600_001)...), several(pb, pb), "token.too_large")
	inJSON("J16", "cheap_ones_then_a_dear_one", pb, several(append(dear(8, 1000), dear(1, 1_200_000)...)...), several(pb, pb), "token.too_large")
	inJSON("J16", "more_than_the_limit", kw, several(repeated(kw, 11)...), several(repeated(kw, 4)...), "token.too_large")
	inJSON("J16", "thousand", kw, several(repeated(kw, 200)...), two, "token.too_large")
	inJSON("J16", "dir_among_several", dir, several(dir, kw), good.flat(""), "header.invalid")
	inJSON("J16", "ECDH-ES_among_several", es, several(es, kw), es.seal("A128GCM", "", plaintext).flat(""), "header.invalid")

	for _, alg := range []string{"A128GCMKW", "A192GCMKW", "A256GCMKW"} {
		w := aesGCMKW(alg)
		iv, key, tag := wrapGCM(seed(alg, keySize(alg)), cek)
		members := gcmMembers(iv, tag)[1:]
		bare := enclose(w.header("A128GCM", ""), "A128GCM", cek, key, plaintext)
		control := w.seal("A128GCM", "", plaintext)
		inJSON("J18", alg+"_unprotected", w, bare.flat(`"unprotected":{`+members+`},`), control.flat(""), "header.unprotected")
		inJSON("J18", alg+"_of_the_recipient", w, bare.flat(`"header":{`+members+`},`), control.flat(""), "header.unprotected")
		inJSON("J18", alg+"_in_both", w, control.flat(`"header":{"iv":"AAAA"},`), control.flat(""), "header.unprotected", "header.conflict")
		variant := func(name string, iv, key, tag []byte, want ...string) {
			add("J18", alg+"_"+name, w, enclose(w.header("A128GCM", gcmMembers(iv, tag)), "A128GCM", cek, key, plaintext).compact(), control.compact(), want...)
		}
		add("J18", alg+"_absent", w, bare.compact(), control.compact(), "header.invalid")
		for _, n := range []int{0, 4, 12, 15} {
			variant(fmt.Sprintf("tag_%d_bytes", n), iv, key, tag[:n], "header.invalid")
		}
		for _, n := range []int{0, 8, 11} {
			variant(fmt.Sprintf("iv_%d_bytes", n), iv[:n], key, tag, "header.invalid")
		}
		variant("iv_16_bytes", seed("iv", 16), key, tag, "header.invalid")
		variant("tag_17_bytes", iv, key, append(bytes.Clone(tag), 0), "header.invalid")
		variant("tag_changed", iv, key, flip(tag), "dec.failed")
		variant("iv_changed", flip(iv), key, tag, "dec.failed")
		variant("key_changed", iv, flip(key), tag, "dec.failed")
	}

	// What is authenticated beside the plaintext.
	beside := func(said, sealed string) string {
		e := good.encrypt("A128GCM", seed("dir A128GCM", 16), good.protected()+sealed, plaintext)
		return e.flat(said)
	}
	control := beside(`"aad":"`+enc("pay alice")+`",`, "."+enc("pay alice"))
	inJSON("J19", "aad_of_another", dir, beside(`"aad":"`+enc("pay mallory")+`",`, "."+enc("pay alice")), control, "dec.failed")
	inJSON("J19", "aad_taken_out", dir, beside("", "."+enc("pay alice")), control, "dec.failed")
	inJSON("J19", "aad_put_in", dir, beside(`"aad":"`+enc("pay alice")+`",`, ""), control, "dec.failed")
	inJSON("J19", "aad_not_encoded_when_sealed", dir, beside(`"aad":"`+enc("pay alice")+`",`, ".pay alice"), control, "dec.failed")
	inJSON("J19", "aad_empty", dir, beside(`"aad":"",`, ""), control, "token.malformed")
	inJSON("J19", "aad_null", dir, beside(`"aad":null,`, ""), control, "json.type")
	inJSON("J19", "aad_trailing_bits", dir, beside(`"aad":"`+loose(enc("pay alic"))+`",`, "."+loose(enc("pay alic"))), control, "token.malformed", "token.encoding")
	return out
}

// ephemerals is J12: public keys that are none, or not of the owner's curve.
func ephemerals() []Case {
	var out []Case
	// The token is right for the secret z, which who does not look would agree on.
	epk := func(name string, w way, epk string, z []byte, want ...string) {
		k := agreed(w.alg, "A128GCM", "", "", z, seed("content key of A128GCM", 16))
		e := enclose(w.header("A128GCM", epk), "A128GCM", k.cek, k.key, plaintext)
		out = append(out, Case{
			ID: "J12", Name: w.alg + "_" + name, Form: JWE, Key: w.key,
			Token: fixed(e.compact()), Control: fixed(w.usual()), Want: want,
		})
	}
	as := func(key []byte) string { return `,"epk":` + string(key) }
	for _, w := range []way{ecdhES("ECDH-ES", owner256), ecdhES("ECDH-ES+A128KW", owner256)} {
		ephemeral := exchangeKey(ecdh.P256(), "ephemeral")
		z := must(ephemeral.ECDH(owner256.PublicKey()))
		point := ephemeral.PublicKey().Bytes()[1:]
		x, y := point[:32], point[32:]
		// The addition of points does not use b: who does not check calculates on another
		// curve, whose order the sender chose.
		crooked := onNoCurve(owner256.Bytes(), x, flip(y))
		epk("off_curve", w, as(coordinates("P-256", x, flip(y))), crooked, "key.invalid")
		epk("swapped", w, as(coordinates("P-256", y, x)), onNoCurve(owner256.Bytes(), y, x), "key.invalid")
		epk("zero", w, as(coordinates("P-256", make([]byte, 32), make([]byte, 32))), make([]byte, 32), "key.invalid")
		epk("infinity", w, as(coordinates("P-256", nil, nil)), make([]byte, 32), "key.invalid")
		epk("infinity_absent", w, `,"epk":{"kty":"EC","crv":"P-256"}`, make([]byte, 32), "key.invalid")
		epk("y_absent", w, as(object("kty", "EC", "crv", "P-256", "x", b64.EncodeToString(x))), z, "key.invalid")
		epk("x_31_bytes", w, as(coordinates("P-256", x[1:], y)), z, "key.invalid")
		epk("x_33_bytes", w, as(coordinates("P-256", append([]byte{0}, x...), y)), z, "key.invalid")
		epk("compressed", w, as(object("kty", "EC", "crv", "P-256", "x", b64.EncodeToString(append([]byte{2 + y[31]&1}, x...)))), z, "key.invalid")
		small, big := smallX()
		epk("x_not_below_p", w, as(coordinates("P-256", big, small.Bytes()[33:])), must(owner256.ECDH(small)), "key.invalid")
		epk("all_ones", w, as(coordinates("P-256", bytes.Repeat([]byte{0xff}, 32), bytes.Repeat([]byte{0xff}, 32))), z, "key.invalid")
		epk("other_curve", w, as(pointJWK(owner384.PublicKey())), z, "header.invalid")
		epk("labelled_P-384", w, as(coordinates("P-384", x, y)), z, "header.invalid")
		epk("X25519", w, as(pointJWK(owner25519.PublicKey())), z, "header.invalid")
		epk("P-256K", w, as(coordinates("secp256k1", x, y)), z, "header.invalid")
		epk("crv_absent", w, as(object("kty", "EC", "x", b64.EncodeToString(x), "y", b64.EncodeToString(y))), z, "header.invalid")
		epk("oct", w, as(object("kty", "oct", "k", b64.EncodeToString(z))), z, "key.private", "header.invalid")
		epk("RSA", w, as(rsaKeys()["rsa"].jwk()), z, "header.invalid")
		epk("private", w, as(exchangeJWK(ephemeral)), z, "key.private")
		epk("absent", w, "", z, "header.invalid")
		epk("null", w, `,"epk":null`, z, "header.invalid", "json.type", "key.invalid")
		epk("string", w, `,"epk":"P-256"`, z, "json.type", "key.invalid")
		epk("empty", w, `,"epk":{}`, z, "header.invalid", "key.invalid")
		epk("kty_absent", w, as(object("crv", "P-256", "x", b64.EncodeToString(x), "y", b64.EncodeToString(y))), z, "header.invalid", "key.invalid")
		epk("padded", w, as(bytes.Replace(pointJWK(ephemeral.PublicKey()), []byte(`","y"`), []byte(`=","y"`), 1)), z, "key.invalid")
		epk("of_another", w, as(pointJWK(exchangeKey(ecdh.P256(), "another").PublicKey())), z, "dec.failed")
	}
	for _, w := range []way{ecdhES("ECDH-ES", owner25519), ecdhES("ECDH-ES+A128KW", owner25519)} {
		ephemeral := exchangeKey(ecdh.X25519(), "ephemeral")
		z := must(ephemeral.ECDH(owner25519.PublicKey()))
		for i, u := range lowOrder25519() {
			epk(fmt.Sprintf("low_order_%d", i), w, as(okpJWK(u)), make([]byte, 32), "header.invalid")
		}
		u := ephemeral.PublicKey().Bytes()
		epk("X25519_31_bytes", w, as(okpJWK(u[:31])), z, "key.invalid")
		epk("X25519_33_bytes", w, as(okpJWK(append(bytes.Clone(u), 0))), z, "key.invalid")
		epk("X25519_empty", w, as(okpJWK(nil)), make([]byte, 32), "key.invalid")
		epk("X25519_labelled_X448", w, as(object("kty", "OKP", "crv", "X448", "x", b64.EncodeToString(u))), z, "header.invalid")
		epk("X25519_labelled_Ed25519", w, as(edJWK(u)), z, "header.invalid")
		epk("X25519_labelled_EC", w, as(object("kty", "EC", "crv", "X25519", "x", b64.EncodeToString(u))), z, "header.invalid")
		epk("X25519_P-256", w, as(pointJWK(owner256.PublicKey())), z, "header.invalid")
	}
	for _, owner := range []*ecdh.PrivateKey{owner384, owner521} {
		w := ecdhES("ECDH-ES", owner)
		k := exchangeKey(owner.Curve(), "ephemeral")
		point := k.PublicKey().Bytes()[1:]
		n := len(point) / 2
		crv := map[int]string{48: "P-384", 66: "P-521"}[n]
		z := must(k.ECDH(owner.PublicKey()))
		epk(crv+"_off_curve", w, as(coordinates(crv, point[:n], flip(point[n:]))), z, "key.invalid")
		epk(crv+"_short", w, as(coordinates(crv, point[1:n], point[n:])), z, "key.invalid")
		epk(crv+"_P-256", w, as(pointJWK(owner256.PublicKey())), z, "header.invalid")
	}
	return out
}

// onNoCurve is the x of d times a point by the formulas for P-256, wherever the point is.
func onNoCurve(d, x, y []byte) []byte {
	p := p256.Params().P
	type point struct{ x, y *big.Int }
	add := func(a, b *point) *point {
		if a == nil {
			return b
		}
		rise, run := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
		if run.Sign() == 0 { // twice the same
			rise.Mul(a.x, a.x).Sub(rise, big.NewInt(1)).Mul(rise, big.NewInt(3)) // a is -3
			run.Lsh(a.y, 1)
		}
		slope := rise.Mul(rise, run.ModInverse(run.Mod(run, p), p))
		x := new(big.Int).Mul(slope, slope)
		x.Sub(x, a.x).Sub(x, b.x).Mod(x, p)
		y := new(big.Int).Sub(a.x, x)
		y.Mul(y, slope).Sub(y, a.y).Mod(y, p)
		return &point{x, y}
	}
	var sum *point
	one := &point{new(big.Int).SetBytes(x), new(big.Int).SetBytes(y)}
	for n, i := new(big.Int).SetBytes(d), 0; i < n.BitLen(); i++ {
		if n.Bit(i) == 1 {
			sum = add(sum, one)
		}
		one = add(one, one)
	}
	return sum.x.FillBytes(make([]byte, 32))
}

// smallX is a point of P-256 whose x is so small that there is another number for it
// in 32 bytes.
func smallX() (*ecdh.PublicKey, []byte) {
	params := p256.Params()
	for i := int64(1); ; i++ {
		x := big.NewInt(i)
		y := new(big.Int).Exp(x, big.NewInt(3), nil)
		y.Sub(y, big.NewInt(3*i)).Add(y, params.B).Mod(y, params.P)
		if y.ModSqrt(y, params.P) == nil {
			continue
		}
		b := make([]byte, 65)
		b[0] = 4
		x.FillBytes(b[1:33])
		y.FillBytes(b[33:])
		return must(ecdh.P256().NewPublicKey(b)), x.Add(x, params.P).FillBytes(make([]byte, 32))
	}
}

// lowOrder25519 lists the values of u with which every secret is zero, RFC 7748,
// Section 6.1, the non-canonical ones included.
func lowOrder25519() [][]byte {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	eight, _ := new(big.Int).SetString("325606250916557431795983626356110631294008115727848805560023387167927233504", 10)
	other, _ := new(big.Int).SetString("39382357235489614581723060781553021112529911719440698176882885853963445705823", 10)
	var out [][]byte
	for _, u := range []*big.Int{
		new(big.Int), big.NewInt(1), eight, other, new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1)),
	} {
		for _, top := range []byte{0, 0x80} { // a bit that is to be ignored
			b := u.FillBytes(make([]byte, 32))
			for i := range 16 {
				b[i], b[31-i] = b[31-i], b[i]
			}
			b[31] |= top
			out = append(out, b)
		}
	}
	return out
}

// parties is J14: what the two parties are called is part of the key that they agree on.
func parties() []Case {
	var out []Case
	for _, alg := range []string{"ECDH-ES", "ECDH-ES+A256KW"} {
		w := ecdhES(alg, owner256)
		ephemeral := exchangeKey(ecdh.P256(), "ephemeral")
		z := must(ephemeral.ECDH(owner256.PublicKey()))
		cek := seed("content key of A128GCM", 16)
		// The header says one thing, and the key was made with another.
		seal := func(apu, apv, members string) string {
			k := agreed(alg, "A128GCM", apu, apv, z, cek)
			members = `,"epk":` + string(pointJWK(ephemeral.PublicKey())) + members
			return enclose(w.header("A128GCM", members), "A128GCM", k.cek, k.key, plaintext).compact()
		}
		named := `,"apu":"` + enc("Alice") + `","apv":"` + enc("Bob") + `"`
		control := seal("Alice", "Bob", named)
		add := func(name, token string, want ...string) {
			out = append(out, Case{ID: "J14", Name: alg + "_" + name, Form: JWE, Key: w.key, Token: fixed(token), Control: fixed(control), Want: want})
		}
		add("apu_of_another", seal("Mallory", "Bob", named), "dec.failed")
		add("apv_of_another", seal("Alice", "Mallory", named), "dec.failed")
		add("swapped", seal("Bob", "Alice", named), "dec.failed")
		add("taken_out", seal("Alice", "Bob", ""), "dec.failed")
		add("put_in", seal("", "", named), "dec.failed")
		add("moved_across", seal("AliceB", "ob", named), "dec.failed")
		fitting, huge := strings.Repeat("A", 8_000), strings.Repeat("A", 12_000) // base64url twice, 16 KiB
		out = append(out, Case{
			ID: "J14", Name: alg + "_apu_huge", Form: JWE, Key: w.key, Want: []string{"token.too_large"},
			Token:   fixed(seal(huge, "", `,"apu":"`+enc(huge)+`"`)),
			Control: fixed(seal(fitting, "", `,"apu":"`+enc(fitting)+`"`)),
		})
		add("apv_huge", seal("", huge, `,"apv":"`+enc(huge)+`"`), "token.too_large")
		add("apu_number", seal("1", "", `,"apu":1`), "json.type")
		add("apu_list", seal("", "", `,"apu":[]`), "json.type")
		add("apu_null", seal("", "", `,"apu":null`), "json.type")
		add("apu_text", seal("Alice Liddell", "", `,"apu":"Alice Liddell"`), "token.encoding")
		add("apu_padded", seal("Alic", "", `,"apu":"QWxpYw=="`), "token.encoding")
		add("apu_trailing_bits", seal("Alic", "", `,"apu":"`+loose(enc("Alic"))+`"`), "token.encoding")
	}
	e := ecdhES("ECDH-ES", owner256).seal("A128GCM", "", plaintext)
	for _, where := range []string{"unprotected", "header"} {
		out = append(out, Case{
			ID: "J14", Name: "only_in_" + where, Form: JWEJSON, Key: ecdhES("ECDH-ES", owner256).key, Want: []string{"header.unprotected"},
			Token: fixed(e.flat(`"` + where + `":{"apu":"QQ"},`)), Control: fixed(e.flat(`"` + where + `":{"x":"QQ"},`)),
		})
	}
	return out
}

// allowed is J15: keys and callers say which alg and which enc, and the token does not.
func allowed() []Case {
	var out []Case
	add := func(name string, w way, token string, key Key, want ...string) {
		out = append(out, Case{ID: "J15", Name: name, Form: JWE, Token: fixed(token), Control: fixed(w.usual()), Key: key, ControlKey: w.key, Want: want})
	}
	kw, dir := aesKW("A128KW"), direct("A128GCM")
	narrow := func(name string, algs, encs []string, want ...string) {
		c := Case{
			ID: "J15", Name: name, Form: JWE, Key: kw.key, Token: fixed(kw.usual()), Control: fixed(kw.usual()), Want: want,
			Policy: Policy{Algs: algs, Encs: encs}, ControlPolicy: Policy{Algs: []string{"A128KW"}, Encs: []string{"A128GCM"}},
		}
		if len(algs) > 1 || len(encs) > 1 {
			c.NoCLI = "--alg and --enc name one"
		}
		out = append(out, c)
	}
	narrow("alg_not_allowed", []string{"A256KW"}, nil, "alg.not_allowed", "alg.mismatch")
	narrow("enc_not_allowed", nil, []string{"A256GCM"}, "enc.not_allowed")
	narrow("alg_allowed_enc_not", []string{"A128KW"}, []string{"A128CBC-HS256", "A256GCM"}, "enc.not_allowed")
	narrow("enc_allowed_alg_not", []string{"dir", "A128GCMKW"}, []string{"A128GCM"}, "alg.not_allowed")

	// One secret, and the algorithm of the token is not that of the key.
	secret := seed("A128KW", 16)
	bound := func(alg string) Key { return octSecret(alg, secret) }
	for _, alg := range []string{"A128GCMKW", "A128GCM", "PBES2-HS256+A128KW"} {
		add("key_for_"+alg, kw, kw.usual(), bound(alg), "alg.mismatch", "key.none")
	}
	add("caller_binds_to_another", kw, kw.usual(), Key{Kind: JWK, Data: object("kty", "oct", "k", b64.EncodeToString(secret)), Alg: "A128GCMKW"}, "alg.mismatch", "key.none", "alg.not_allowed")
	add("wrapping_key_used_as_content_key", kw, enclose(`{"alg":"dir","enc":"A128GCM"}`, "A128GCM", secret, nil, plaintext).compact(), kw.key, "alg.mismatch", "key.none")
	gcm, cbc := seed("dir A128CBC-HS256", 32), direct("A128CBC-HS256")
	out = append(out, Case{
		ID: "J15", Name: "dir_with_another_enc", Form: JWE, Key: cbc.key, Control: func() string { return cbc.seal("A128CBC-HS256", "", plaintext).compact() },
		Token: fixed(enclose(`{"alg":"dir","enc":"A256GCM"}`, "A256GCM", gcm, nil, plaintext).compact()), Want: []string{"alg.mismatch", "key.none"},
	}, Case{
		// Half of the key of CBC is a key of GCM.
		ID: "J15", Name: "dir_with_half_the_key", Form: JWE, Key: cbc.key, Control: func() string { return cbc.seal("A128CBC-HS256", "", plaintext).compact() },
		Token: fixed(enclose(`{"alg":"dir","enc":"A128GCM"}`, "A128GCM", gcm[16:], nil, plaintext).compact()), Want: []string{"alg.mismatch", "key.none"},
	})
	es := ecdhES("ECDH-ES+A128KW", owner256)
	add("ECDH-ES_to_a_key_for_its_wrapping", es, ecdhES("ECDH-ES", owner256).usual(), es.key, "alg.mismatch", "key.none")
	o := rsaes("RSA-OAEP-256", padOAEP(crypto.SHA256, "", 1))
	add("OAEP_with_another_hash", o, rsaes("RSA-OAEP", padOAEP(crypto.SHA1, "", 1)).usual(), o.key, "alg.mismatch", "key.none")
	// An RSA key that signs, and what is encrypted to its public half.
	add("key_for_signatures", o, o.usual(), one(rsaKeys()["rsa"].private("alg", "RS256")), "alg.mismatch", "key.use")

	claimed := func(name, header string, want ...string) {
		add(name, dir, enclose(header, "A128GCM", seed("dir A128GCM", 16), nil, plaintext).compact(), dir.key, want...)
	}
	claimed("alg_none", `{"alg":"none","enc":"A128GCM"}`, "alg.none")
	claimed("alg_NONE", `{"alg":"NONE","enc":"A128GCM"}`, "alg.none")
	claimed("alg_absent", `{"enc":"A128GCM"}`, "alg.missing")
	claimed("alg_empty", `{"alg":"","enc":"A128GCM"}`, "alg.missing")
	claimed("alg_null", `{"alg":null,"enc":"A128GCM"}`, "json.type")
	claimed("alg_number", `{"alg":1,"enc":"A128GCM"}`, "json.type")
	claimed("alg_list", `{"alg":["dir"],"enc":"A128GCM"}`, "json.type")
	claimed("alg_case", `{"alg":"DIR","enc":"A128GCM"}`, "alg.unknown")
	claimed("alg_space", `{"alg":"dir ","enc":"A128GCM"}`, "alg.unknown")
	claimed("alg_unknown", `{"alg":"A128XKW","enc":"A128GCM"}`, "alg.unknown")
	claimed("enc_absent", `{"alg":"dir"}`, "enc.missing")
	claimed("enc_empty", `{"alg":"dir","enc":""}`, "enc.missing")
	claimed("enc_null", `{"alg":"dir","enc":null}`, "json.type")
	claimed("enc_number", `{"alg":"dir","enc":1}`, "json.type")
	claimed("enc_case", `{"alg":"dir","enc":"a128gcm"}`, "enc.unknown")
	claimed("enc_unknown", `{"alg":"dir","enc":"A128CTR"}`, "enc.unknown")
	claimed("enc_none", `{"alg":"dir","enc":"none"}`, "enc.unknown")
	claimed("enc_is_an_alg", `{"alg":"dir","enc":"dir"}`, "enc.unknown")
	claimed("alg_is_an_enc", `{"alg":"A128GCM","enc":"A128GCM"}`, "alg.unknown")
	claimed("header_not_an_object", `["dir","A128GCM"]`, "json.type")
	claimed("member_in_another_case", `{"ALG":"dir","ENC":"A128GCM"}`, "alg.missing")
	claimed("kid_of_another", `{"alg":"dir","enc":"A128GCM","kid":1}`, "json.type")
	return out
}

func deflated(text string) string {
	var b bytes.Buffer
	return compressed(&b, must(flate.NewWriter(&b, flate.BestCompression)), text)
}

func zlibbed(text string) string {
	var b bytes.Buffer
	return compressed(&b, zlib.NewWriter(&b), text)
}

func compressed(b *bytes.Buffer, w io.WriteCloser, text string) string {
	must(w.Write([]byte(text)))
	must(0, w.Close())
	return b.String()
}

// lines is text of n bytes that compresses to a seventh or so.
func lines(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(strings.Repeat(string(seed(fmt.Sprint("line ", i), 100)), 8))
	}
	return b.String()[:n]
}

// loosened is the usual token with another spelling of a part.
func loosened(w way, enc string, part int) string {
	parts := w.seal(enc, "", plaintext).parts()
	parts[part] = loose(parts[part])
	return strings.Join(parts, ".")
}

// several is one message to several recipients.
func several(ways ...way) string { return toSeveral("", ways) }

// twice has the list of recipients twice.
func twice(ways ...way) string { return toSeveral(`"recipients":[],`, ways) }

func toSeveral(members string, ways []way) string {
	cek := seed("content key", 16)
	e := enclose(`{"enc":"A128GCM"}`, "A128GCM", cek, nil, plaintext)
	var all []string
	for _, w := range ways {
		k := w.wrap("A128GCM", cek)
		r := `{"header":{"alg":"` + w.alg + `"` + k.members + `}`
		if len(k.key) > 0 {
			r += `,"encrypted_key":"` + b64.EncodeToString(k.key) + `"`
		}
		all = append(all, r+"}")
	}
	return strings.Replace(e.general(all...), "{", "{"+members, 1)
}

// dear is a password of n recipients; that they cost so much is only said.
func dear(n, count int) []way {
	w := pbes2("PBES2-HS256+A128KW")
	return repeated(way{w.alg, w.enc, w.key, func(enc string, cek []byte) wrapped {
		k := w.wrap(enc, seed("not the key", len(cek)))
		k.members = strings.Replace(k.members, "1000", fmt.Sprint(count), 1)
		return k
	}}, n)
}

func repeated(w way, n int) []way {
	out := make([]way, n)
	for i := range out {
		out[i] = w
	}
	return out
}
