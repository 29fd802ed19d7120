package attack

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"encoding/base64"
	"fmt"
	"strings"
)

// encryptionCompositions is what groups H and L say of encryption: one serialization or
// one kind of token taken for another, RFC 7516, Sections 7.2 and 9.
func encryptionCompositions() []Case {
	var out []Case
	w, kw := direct("A128GCM"), aesKW("A128KW")
	good := w.seal("A128GCM", "", plaintext)
	usual, flat := good.compact(), good.flat("")
	part := good.parts()
	add := func(id, name, token string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: JWE, Key: w.key, Token: fixed(token), Control: fixed(usual), Want: want})
	}
	inJSON := func(id, name, token, control string, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: JWEJSON, Key: w.key, Token: fixed(token), Control: fixed(control), Want: want})
	}
	listed := func(name, token string, want ...string) {
		out = append(out, Case{ID: "H10", Name: name, Form: JWEJSON, Key: kw.key, Token: fixed(token), Control: fixed(several(kw, kw)), Want: want})
	}
	// The command takes what it is given for what it looks like.
	either := func() { out[len(out)-1].NoCLI = "the command reads both forms" }
	add("H1", "encrypted_flattened", flat, "token.malformed")
	either()
	add("H1", "encrypted_general", several(kw, kw), "token.malformed")
	either()
	inJSON("H1", "encrypted_compact", usual, flat, "json.syntax", "token.malformed")
	either()
	inJSON("H1", "encrypted_compact_as_a_string", `"`+usual+`"`, flat, "json.type", "token.malformed")

	header := `{"alg":"dir","enc":"A128GCM"}`
	unprotect := func(protected string) envelope {
		return enclose(protected, "A128GCM", seed("dir A128GCM", 16), nil, plaintext)
	}
	for _, where := range []string{"unprotected", "header"} {
		at := func(members string) string { return `"` + where + `":{` + members + `},` }
		inJSON("H3", "alg_in_"+where, unprotect(`{"enc":"A128GCM"}`).flat(at(`"alg":"dir"`)), flat, "header.unprotected", "alg.missing")
		inJSON("H3", "enc_in_"+where, unprotect(`{"alg":"dir"}`).flat(at(`"enc":"A128GCM"`)), flat, "header.unprotected", "enc.missing")
		bare := envelope{iv: good.iv}.encrypt("A128GCM", seed("dir A128GCM", 16), "", plaintext)
		inJSON("H3", "all_in_"+where, bare.flat(at(header[1:len(header)-1])), flat, "header.unprotected", "alg.missing")
		inJSON("H3", "kid_in_"+where, good.flat(at(`"kid":"a"`)), good.flat(at(`"x":"a"`)), "header.unprotected")
		inJSON("H3", "alg_also_in_"+where, good.flat(at(`"alg":"dir"`)), good.flat(at(`"x":"dir"`)), "header.unprotected", "header.conflict")
		typed := w.seal("A128GCM", `,"typ":"x"`, plaintext)
		inJSON("H3", "typ_also_in_"+where, typed.flat(at(`"typ":"x"`)), typed.flat(at(`"cty":"x"`)), "header.conflict")
		inJSON("H3", "escaped_also_in_"+where, typed.flat(at(`"\u0074yp":"x"`)), typed.flat(at(`"\u0063ty":"x"`)), "header.conflict")
		for i, v := range []string{"null", "[]", `"x"`, "1"} {
			inJSON("H3", fmt.Sprintf("%s_no_object_%d", where, i), good.flat(`"`+where+`":`+v+`,`), good.flat(at("")), "json.type")
		}
	}
	inJSON("H3", "in_shared_and_own", good.flat(`"unprotected":{"x":1},"header":{"x":1},`), good.flat(`"unprotected":{"x":1},"header":{"y":1},`), "header.conflict")
	two := several(kw, kw)
	out = append(out, Case{
		ID: "H3", Name: "enc_of_the_recipients", Form: JWEJSON, Key: kw.key, Want: []string{"header.unprotected", "enc.missing"}, Control: fixed(two),
		Token: fixed(strings.Replace(strings.ReplaceAll(two, `"alg":"A128KW"`, `"alg":"A128KW","enc":"A128GCM"`), `"protected":"`+enc(`{"enc":"A128GCM"}`)+`",`, "", 1)),
	}, Case{
		ID: "H3", Name: "alg_once_for_several", Form: JWEJSON, Key: kw.key, Want: []string{"header.unprotected"}, Control: fixed(two),
		Token: fixed(strings.Replace(strings.ReplaceAll(two, `"alg":"A128KW"`, ""), "{", `{"unprotected":{"alg":"A128KW"},`, 1)),
	}, Case{
		// It was meant for the first, and says so where nothing protects it.
		ID: "H2", Name: "no_recipient_is_the_key's", Form: JWEJSON, Key: aesKW("A256KW").key, Want: []string{"alg.mismatch", "key.none"}, Token: fixed(two),
		Control: fixed(several(kw, aesKW("A256KW"))),
	})

	forged := enc("mallory")
	add("H4", "encrypted_polyglot_name", `{"`+part[0]+".."+part[2]+"."+forged+"."+part[4]+`":"",`+flat[1:], "token.malformed")
	either()
	add("H4", "encrypted_polyglot_value", good.flat(`"x":"`+usual+`",`), "token.malformed")
	either()
	add("H4", "encrypted_then_JSON", usual+flat, "token.malformed", "token.encoding")
	add("H4", "encrypted_newline_compact", usual+"\n"+usual, "token.malformed")
	inJSON("H4", "encrypted_JSON_then_compact", flat+usual, flat, "json.trailing", "json.syntax")
	inJSON("H4", "encrypted_JSON_twice", flat+flat, flat, "json.trailing")

	add("H5", "encrypted_six_parts", usual+"."+part[4], "token.malformed")
	add("H5", "encrypted_four_parts", strings.Join(part[:4], "."), "token.malformed")
	add("H5", "encrypted_two_parts", strings.Join(part[:2], "."), "token.malformed")
	add("H5", "encrypted_one_part", part[0], "token.malformed")
	add("H5", "encrypted_header_empty", usual[len(part[0]):], "token.malformed")
	add("H5", "encrypted_empty_parts", "....", "token.malformed")
	add("H5", "encrypted_list", usual+","+usual, "token.malformed")

	// What is signed is not encrypted, and what is encrypted is not signed.
	signed := hs(`{"alg":"HS256"}`, claims())
	s := strings.Split(signed, ".")
	add("H6", "signed_to_a_decrypter", signed, "token.malformed")
	add("H6", "unsigned_to_a_decrypter", enc(`{"alg":"none"}`)+"."+s[1]+".", "token.malformed")
	add("H6", "signed_and_two_parts_more", signed+"..", "alg.unknown", "token.malformed")
	add("H6", "alg_of_signatures_in_five_parts", unprotect(`{"alg":"HS256","enc":"A128GCM"}`).compact(), "alg.unknown")
	add("H6", "alg_of_public_key_signatures_in_five_parts", unprotect(`{"alg":"RS256","enc":"A128GCM"}`).compact(), "alg.unknown")
	flatSigned := `{"protected":"` + s[0] + `","payload":"` + s[1] + `","signature":"` + s[2] + `"}`
	inJSON("H6", "signed_JSON_to_a_decrypter", flatSigned, flat, "token.malformed")
	inJSON("H6", "signed_general_to_a_decrypter", `{"payload":"`+s[1]+`","signatures":[{"protected":"`+s[0]+`","signature":"`+s[2]+`"}]}`, flat, "token.malformed")
	inJSON("H6", "payload_and_ciphertext", good.flat(`"payload":"`+s[1]+`",`), flat, "token.malformed")
	inJSON("H6", "signature_and_ciphertext", good.flat(`"signature":"`+s[2]+`",`), flat, "token.malformed")
	inJSON("H6", "signatures_and_ciphertext", good.flat(`"signatures":[],`), flat, "token.malformed")
	oaep := rsaes("RSA-OAEP-256", padOAEP(crypto.SHA256, "", 1))
	for name, sealed := range map[string]envelope{
		"to_the_verifier's_RSA_key": oaep.seal("A128GCM", "", claims()),
		"to_the_verifier's_EC_key":  ecdhES("ECDH-ES", must(p256.ECDH())).seal("A128GCM", "", claims()),
		"with_cty":                  oaep.seal("A128GCM", `,"cty":"JWT"`, hs(`{"alg":"HS256"}`, claims())),
	} {
		key, control := rsKey(), fixed(rsControl())
		if strings.Contains(name, "EC") {
			key, control = esKey(), fixed(esControl())
		}
		out = append(out, Case{ID: "H6", Name: "encrypted_" + name, Key: key, Token: fixed(sealed.compact()), Control: control, Want: []string{"token.encrypted"}})
	}
	for name, text := range map[string]string{"flattened": flat, "general": several(kw, kw), "flattened_with_signature": good.flat(`"signature":"` + s[2] + `",`)} {
		out = append(out, Case{ID: "H6", Name: "encrypted_to_a_JSON_verifier_" + name, Form: JSON, Token: fixed(text), Control: fixed(flatSigned), Want: []string{"token.malformed", "sig.none"}})
	}

	for _, m := range []string{"protected", "iv", "ciphertext", "tag"} {
		at := strings.Index(flat, `"`+m+`":"`)
		end := at + len(m) + 4 + strings.IndexByte(flat[at+len(m)+4:], '"') + 1
		text := flat[at:end]
		want := []string{"token.malformed"}
		if m == "protected" {
			want = []string{"alg.missing"}
		}
		without := strings.Replace(strings.Replace(flat, text, "", 1), ",,", ",", 1)
		without = strings.Replace(strings.Replace(without, ",}", "}", 1), "{,", "{", 1)
		inJSON("H9", "encrypted_"+m+"_absent", without, flat, want...)
		for name, v := range map[string]string{"null": "null", "number": "1", "object": "{}", "empty": `""`} {
			if m == "ciphertext" && name == "empty" {
				want = []string{"dec.failed"} // of no plaintext there is no ciphertext
			} else {
				want = []string{"token.malformed", "json.type"}
			}
			inJSON("H9", "encrypted_"+m+"_"+name, strings.Replace(flat, text, `"`+m+`":`+v, 1), flat, want...)
		}
	}
	inJSON("H9", "encrypted_empty_object", "{}", flat, "token.malformed")
	inJSON("H9", "encrypted_list", "["+flat+"]", flat, "json.type", "token.malformed")

	whole := several(kw, kw)
	listed("encrypted_flattened_and_general", strings.Replace(whole, "{", `{"encrypted_key":"AAAA",`, 1), "token.malformed")
	listed("encrypted_general_with_header", strings.Replace(whole, "{", `{"header":{},`, 1), "token.malformed")
	listed("no_recipients", several(), "token.malformed")
	from, to := strings.Index(whole, "["), strings.Index(whole, "]")+1
	for i, v := range []string{"null", "{}", `"x"`, "[null]", "[1]", "[[]]"} {
		listed(fmt.Sprintf("recipients_%d", i), whole[:from]+v+whole[to:], "token.malformed", "json.type")
	}
	listed("recipient_without_header", whole[:from]+"[{}]"+whole[to:], "alg.missing")
	listed("encrypted_padded_member", strings.Replace(whole, `"}]`, `="}]`, 1), "token.malformed", "token.encoding")

	limited := func(id, name string, form Form, token func() string, want ...string) {
		control := usual
		if form == JWEJSON {
			control = flat
		}
		out = append(out, Case{ID: id, Name: name, Form: form, Key: w.key, Token: token, Control: fixed(control), Want: want})
	}
	limited("L1", "encrypted_ten_million_dots", JWE, func() string { return strings.Repeat(".", 10_000_000) }, "token.too_large")
	out[len(out)-1].NoCLI = "the command reads so much of what is encrypted"
	limited("L1", "encrypted_as_many_dots_as_fit", JWE, func() string { return strings.Repeat(".", 60_000) }, "token.malformed")
	limited("L1", "encrypted_dots_after_a_good_header", JWE, func() string { return part[0] + strings.Repeat(".", 60_000) }, "token.malformed")
	limited("L2", "encrypted_20MB", JWE, func() string {
		return strings.Join(part[:3], ".") + "." + strings.Repeat("A", 20_000_000) + "." + part[4]
	}, "token.too_large")
	out[len(out)-1].NoCLI = "the command reads so much of what is encrypted"
	limited("L2", "encrypted_header_over_its_limit", JWE, fixed(w.seal("A128GCM", `,"x":"`+strings.Repeat("x", 16_000)+`"`, plaintext).compact()), "token.too_large")
	limited("L2", "encrypted_unprotected_header_over_its_limit", JWEJSON, fixed(good.flat(`"unprotected":{"x":"`+strings.Repeat("x", 17_000)+`"},`)), "token.too_large")
	limited("L4", "encrypted_levels_in_the_header", JWE, fixed(enc(`{"alg":"dir","enc":"A128GCM","x":`+strings.Repeat("[", 10_000))+usual[len(part[0]):]), "json.depth")
	limited("L4", "encrypted_levels_in_the_document", JWEJSON, fixed(good.flat(`"x":`+strings.Repeat("[", 40_000)+`,`)), "json.depth")
	limited("L5", "100000_recipients", JWEJSON, func() string {
		return strings.Replace(flat, "{", `{"recipients":[`+strings.Repeat("{},", 99_999)+`{}],`, 1)
	}, "token.too_large", "json.limit")
	limited("L5", "recipients_that_fit", JWEJSON, func() string {
		return strings.Replace(flat, "{", `{"recipients":[`+strings.Repeat("{},", 20_000)+`{}],`, 1)
	}, "token.too_large", "token.malformed", "json.limit")
	return out
}

// encryptionKeys is what groups A, G and K say of keys for encryption. As in keyRules,
// the numbers of K follow the order of the catalogue's list.
func encryptionKeys() []Case {
	var out []Case
	add := func(id, name string, w way, key Key, want ...string) {
		token := fixed(w.usual())
		out = append(out, Case{ID: id, Name: "encryption_" + name, Form: JWE, Key: key, ControlKey: w.key, Token: token, Control: token, Want: want})
	}
	public := func(id, name string, key, control []byte, want ...string) {
		out = append(out, Case{ID: id, Name: "to_encrypt_to_" + name, Form: Public, Key: one(key), ControlKey: one(control), Want: want})
	}
	// Each is bad as the private key of who decrypts and as the public one of who encrypts.
	es, okp := ecdhES("ECDH-ES", owner256), ecdhES("ECDH-ES", owner25519)
	ec := func(id, name, crv string, x, y, d []byte, want ...string) {
		add(id, name, es, one(coordinates(crv, x, y, "d", b64.EncodeToString(d), "alg", "ECDH-ES")), want...)
		public(id, name, coordinates(crv, x, y, "alg", "ECDH-ES"), pointJWK(owner256.PublicKey(), "alg", "ECDH-ES"), want...)
	}
	point, d := owner256.PublicKey().Bytes()[1:], owner256.Bytes()
	x, y := point[:32], point[32:]
	ec("K1", "off_curve", "P-256", x, flip(y), d, "key.invalid")
	ec("K1", "swapped", "P-256", y, x, d, "key.invalid")
	ec("K1", "zero", "P-256", make([]byte, 32), make([]byte, 32), d, "key.invalid")
	ec("K1", "x_is_p", "P-256", p256.Params().P.Bytes(), y, d, "key.invalid")
	ec("K2", "x_31_bytes", "P-256", x[1:], y, d, "key.invalid")
	ec("K2", "y_33_bytes", "P-256", x, append([]byte{0}, y...), d, "key.invalid")
	ec("K2", "empty", "P-256", nil, nil, d, "key.invalid")
	ec("K2", "labelled_P-384", "P-384", x, y, d, "key.invalid")
	ec("K2", "curve_unknown", "P-224", x, y, d, "alg.mismatch", "key.unsupported")
	ec("K2", "curve_of_signatures", "secp256k1", x, y, d, "alg.mismatch", "key.unsupported")
	ec("K2", "curve_case", "p-256", x, y, d, "alg.mismatch", "key.unsupported")

	withD := func(d []byte) Key {
		return one(coordinates("P-256", x, y, "d", b64.EncodeToString(d), "alg", "ECDH-ES"))
	}
	add("K3", "d_of_another_key", es, withD(must(p256.Bytes())), "key.invalid")
	add("K3", "d_zero", es, withD(make([]byte, 32)), "key.invalid")
	add("K3", "d_is_n", es, withD(p256.Params().N.Bytes()), "key.invalid")
	add("K3", "d_31_bytes", es, withD(d[1:]), "key.invalid")
	add("K3", "d_33_bytes", es, withD(append([]byte{0}, d...)), "key.invalid")
	add("K3", "d_empty", es, withD(nil), "key.private", "key.invalid")
	add("K3", "no_d", es, one(pointJWK(owner256.PublicKey(), "alg", "ECDH-ES")), "key.private")
	okpD := func(x, d []byte) Key { return one(okpJWK(x, "d", b64.EncodeToString(d), "alg", "ECDH-ES")) }
	u, ud := owner25519.PublicKey().Bytes(), owner25519.Bytes()
	another := exchangeKey(ecdh.X25519(), "another")
	add("K3", "X25519_d_of_another_key", okp, okpD(u, another.Bytes()), "key.invalid")
	add("K3", "X25519_x_of_another_key", okp, okpD(another.PublicKey().Bytes(), ud), "key.invalid")
	add("K3", "X25519_d_31_bytes", okp, okpD(u, ud[:31]), "key.invalid")
	add("K3", "X25519_d_64_bytes", okp, okpD(u, append(ud, ud...)), "key.invalid")
	add("K3", "X25519_no_d", okp, one(okpJWK(u, "alg", "ECDH-ES")), "key.private")

	rsa, other := rsaKeys()["rsa"], rsaKeys()["other"]
	oaep := rsaes("RSA-OAEP-256", padOAEP(crypto.SHA256, "", 1))
	with := func(edits ...any) Key { return one(rsa.private(append(edits, "alg", "RSA-OAEP-256")...)) }
	add("K3", "RSA_no_d", oaep, one(rsa.jwk("alg", "RSA-OAEP-256")), "key.private")
	add("K4", "n_leading_zero", oaep, with("n", b64.EncodeToString(append([]byte{0}, rsa.n.Bytes()...))), "key.invalid")
	add("K5", "e_is_one", oaep, with("e", "AQ"), "key.weak", "key.invalid")
	add("K5", "e_of_nine_bytes", oaep, with("e", "_____________"), "key.weak", "key.invalid")
	add("K6", "oth", oaep, with("oth", []any{map[string]string{"r": "Aw", "d": "Aw", "t": "Aw"}}), "key.unsupported", "key.invalid")
	add("K7", "p_of_another_key", oaep, with("p", other.members["p"]), "key.invalid")
	add("K7", "d_of_another_key", oaep, with("d", other.members["d"]), "key.invalid")
	add("K7", "n_of_another_key", oaep, with("n", other.members["n"]), "key.invalid")
	add("K7", "qi_wrong", oaep, with("qi", other.members["qi"]), "key.invalid")
	for name, weak := range rsaKeys() {
		if name == "rsa" || name == "other" || name == "three" || weak.n.BitLen() >= 2048 && name != "roca" {
			continue
		}
		public("B7", name, weak.jwk("alg", "RSA-OAEP-256"), rsa.jwk("alg", "RSA-OAEP-256"), "key.weak", "key.invalid")
	}

	onCurve := pointJWK(owner25519.PublicKey(), "alg", "ECDH-ES")
	for _, n := range []int{0, 31, 33, 56, 64} {
		long := append(bytes.Clone(u), u...)[:n]
		add("K8", fmt.Sprintf("X25519_%d_bytes", n), okp, okpD(long, ud), "key.invalid")
		public("K8", fmt.Sprintf("X25519_%d_bytes", n), okpJWK(long, "alg", "ECDH-ES"), onCurve, "key.invalid")
	}
	for i, low := range lowOrder25519() {
		add("K9", fmt.Sprintf("low_order_%d", i), okp, okpD(low, ud), "key.invalid", "key.weak")
		public("K9", fmt.Sprintf("low_order_%d", i), okpJWK(low, "alg", "ECDH-ES"), onCurve, "key.weak")
		if i > 1 {
			continue
		}
		public("K9", fmt.Sprintf("low_order_wrapping_%d", i), okpJWK(low, "alg", "ECDH-ES+A256KW"), onCurve, "key.weak")
	}

	kw, kw256, gcmkw, dir, cbc := aesKW("A128KW"), aesKW("A256KW"), aesGCMKW("A192GCMKW"), direct("A256GCM"), direct("A128CBC-HS256")
	for _, w := range []way{kw, kw256, gcmkw, dir, cbc} {
		alg, right := w.alg, 0
		if w.alg == "dir" {
			alg, right = w.enc, encryptions[w.enc].key
		} else {
			right = keySize(alg)
		}
		for _, n := range []int{0, 1, right - 1, right + 1, right - 8, right + 8, 2 * right} {
			add("K10", fmt.Sprintf("k_of_%d_bytes_for_%s", n, alg), w, octSecret(alg, seed("k", n)), "key.invalid", "key.weak")
		}
		add("K10", "k_absent_for_"+alg, w, one(object("kty", "oct", "alg", alg)), "key.invalid", "key.weak")
		add("K10", "k_padded_for_"+alg, w, one(object("kty", "oct", "alg", alg, "k", b64.EncodeToString(seed("k", right))+"=")), "key.invalid")
	}
	pb := pbes2("PBES2-HS256+A128KW")
	add("K10", "k_empty_for_PBES2", pb, octSecret(pb.alg, nil), "key.weak", "key.invalid")
	add("G2", "empty_password", pb, Key{Kind: Password, Alg: pb.alg}, "key.weak")
	add("G5", "password_is_PEM", pb, Key{Kind: Password, Alg: pb.alg, Data: []byte(pemText("PUBLIC KEY", spki(&p256.PublicKey)))}, "key.invalid", "key.none")
	add("G5", "password_is_a_JWK", pb, Key{Kind: Password, Alg: pb.alg, Data: pointJWK(owner256.PublicKey())}, "key.invalid", "key.none")
	add("G5", "PBES2_JWK_of_a_PEM", pb, octSecret(pb.alg, []byte(pemText("PUBLIC KEY", spki(&p256.PublicKey)))), "key.invalid")

	private := exchangeJWK(owner256, "alg", "ECDH-ES")
	edit := func(from, to string) Key { return one(bytes.Replace(private, []byte(from), []byte(to), 1)) }
	for i, kty := range []string{"ec", "OKP", "RSA", "oct", ""} {
		add("K11", fmt.Sprintf("kty_%d", i), es, edit(`"EC"`, `"`+kty+`"`), "alg.mismatch", "key.unsupported", "key.invalid", "key.private")
	}
	for i, m := range []string{`"kty":"EC"`, `"d":"AA"`, `"\u0064":"AA"`, `"z":1,"z":2`, `"z":{"a":1,"a":2}`} {
		add("K12", fmt.Sprintf("duplicate_%d", i), es, edit("{", "{"+m+","), "json.duplicate")
	}
	add("K13", "KTY", es, edit(`"kty"`, `"KTY"`), "alg.mismatch", "key.invalid", "key.unsupported")
	add("K13", "D", es, edit(`"d"`, `"D"`), "key.private")
	add("K14", "x5c_of_another_key", es, one(exchangeJWK(owner256, "alg", "ECDH-ES", "x5c", []string{base64.StdEncoding.EncodeToString(cert(p256Other, "other"))})), "key.invalid")
	add("K14", "RSA_x5c_of_another_key", oaep, with("x5c", []string{base64.StdEncoding.EncodeToString(cert(p256Other, "other"))}), "key.invalid")

	// RFC 7517, Sections 4.2 to 4.4: what the key is for.
	marked := func(w way, more ...any) Key {
		if bytes.Contains(w.key.Data, []byte(`"EC"`)) {
			return one(exchangeJWK(owner256, append([]any{"alg", "ECDH-ES"}, more...)...))
		}
		return one(object(append([]any{"kty", "oct", "alg", w.alg, "k", b64.EncodeToString(seed(w.alg, keySize(w.alg)))}, more...)...))
	}
	for _, w := range []way{es, kw} {
		add("A10", w.alg+"_use_sig", w, marked(w, "use", "sig"), "key.use")
		add("A10", w.alg+"_use_ENC", w, marked(w, "use", "ENC"), "key.use")
		add("A10", w.alg+"_use_other", w, marked(w, "use", "tls"), "key.use")
		add("A10", w.alg+"_key_ops_of_signatures", w, marked(w, "key_ops", []string{"sign", "verify"}), "key.use")
		add("A10", w.alg+"_key_ops_empty", w, marked(w, "key_ops", []string{}), "key.use")
		add("A10", w.alg+"_key_ops_twice", w, marked(w, "key_ops", []string{"unwrapKey", "deriveKey", "deriveKey", "unwrapKey"}), "key.invalid")
		add("A10", w.alg+"_key_ops_against_use", w, marked(w, "use", "enc", "key_ops", []string{"verify", "deriveKey", "unwrapKey"}), "key.invalid", "key.use")
	}
	add("A10", "key_ops_to_encrypt_only", kw, marked(kw, "key_ops", []string{"wrapKey"}), "key.use")
	ecPublic := pointJWK(owner256.PublicKey(), "alg", "ECDH-ES")
	public("A10", "use_sig", pointJWK(owner256.PublicKey(), "alg", "ECDH-ES", "use", "sig"), ecPublic, "key.use")
	public("A10", "key_ops_verify", pointJWK(owner256.PublicKey(), "alg", "ECDH-ES", "key_ops", []string{"verify"}), ecPublic, "key.use")
	public("A10", "alg_of_signatures", pointJWK(owner256.PublicKey(), "alg", "ES256"), ecPublic, "alg.mismatch", "key.use")
	public("A10", "alg_unknown", pointJWK(owner256.PublicKey(), "alg", "ECDH-1PU"), ecPublic, "key.unsupported")
	public("A10", "RSA1_5", rsa.jwk("alg", "RSA1_5"), rsa.jwk("alg", "RSA-OAEP"), "alg.mismatch")
	public("A10", "Ed25519", edJWK(edPair[32:], "alg", "ECDH-ES"), onCurve, "key.use", "alg.mismatch")
	public("A10", "shared_secret", octKey.Data, ecPublic, "alg.mismatch", "key.private", "key.use")

	// A11: a key of another family, of the right size.
	add("A11", "HS256_key_wraps", kw256, octSecret("HS256", seed("A256KW", 32)), "alg.mismatch", "key.use")
	add("A11", "HS256_key_is_the_content_key", dir, octSecret("HS256", seed("dir A256GCM", 32)), "alg.mismatch", "key.use")
	out = append(out, Case{
		ID: "A11", Name: "wrapping_key_MACs", Key: octSecret("A256KW", secret), ControlKey: octKey,
		Token: fixed(hs(`{"alg":"HS256"}`, claims())), Want: []string{"alg.mismatch", "key.use"},
	}, Case{
		ID: "A11", Name: "content_key_MACs", Key: octSecret("A256GCM", secret), ControlKey: octKey,
		Token: fixed(hs(`{"alg":"HS256"}`, claims())), Want: []string{"alg.mismatch", "key.use"},
	})
	return out
}
