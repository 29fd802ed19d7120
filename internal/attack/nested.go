package attack

import (
	"crypto"
	"fmt"
	"strings"
)

// nested is what groups H, F and J say of tokens that are signed and then encrypted, RFC
// 7519, Section 11.2: encryption says nothing of who made the token inside.
func nested() []Case {
	var out []Case
	kw := aesKW("A128KW")
	good := hs(`{"alg":"HS256"}`, claims())
	around := func(w way, more, inner string) string { return w.seal(w.enc, more, inner).compact() }
	const cty = `,"cty":"JWT"`
	with := func(id, name string, w way, key Key, token, control string, want ...string) {
		out = append(out, Case{
			ID: id, Name: "nested_" + name, Form: Nested, Key: key, Policy: Policy{Decrypt: &w.key},
			Token: fixed(token), Control: fixed(control), Want: want,
		})
	}
	control := around(kw, cty, good)
	add := func(id, name, more, inner string, want ...string) {
		with(id, name, kw, octKey, around(kw, more, inner), control, want...)
	}

	// What is inside is not signed, or not by the right key.
	part := strings.Split(good, ".")
	add("H7", "claims_alone", cty, claims(), "token.malformed") // with two dots in them
	add("H7", "claims_with_four_dots", cty, claims("dots", `"...."`, "iss", "-", "aud", "-"), "token.malformed", "token.depth")
	add("H7", "claims_without_dots", cty, `{"sub":"alice"}`, "token.malformed")
	add("H7", "empty", cty, "", "token.malformed")
	add("H7", "alg_none", cty, enc(`{"alg":"none"}`)+"."+part[1]+".", "alg.none")
	add("H7", "alg_none_with_signature", cty, enc(`{"alg":"none"}`)+"."+part[1]+"."+part[2], "alg.none")
	add("H7", "alg_nOnE", cty, enc(`{"alg":"nOnE"}`)+"."+part[1]+".", "alg.none")
	add("H7", "signature_taken_out", cty, part[0]+"."+part[1]+".", "sig.invalid")
	add("H7", "signature_part_taken_out", cty, part[0]+"."+part[1], "token.malformed")
	add("H7", "signed_by_a_stranger", cty, mac(crypto.SHA256, seed("stranger", 32)).compact(`{"alg":"HS256"}`, claims()), "sig.invalid")
	add("H7", "signed_by_the_key_that_decrypts", cty, mac(crypto.SHA256, seed("A128KW", 16)).compact(`{"alg":"HS256"}`, claims()), "sig.invalid")
	add("H7", "claims_changed", cty, part[0]+"."+enc(claims("sub", `"mallory"`))+"."+part[2], "sig.invalid")
	add("H7", "flattened", cty, `{"protected":"`+part[0]+`","payload":"`+part[1]+`","signature":"`+part[2]+`"}`, "token.malformed")
	add("H7", "newline", cty, good+"\n", "token.malformed")
	add("H7", "Bearer", cty, "Bearer "+good, "token.malformed")
	add("H7", "unknown_crit", cty, hs(`{"alg":"HS256","crit":["x"],"x":1}`, claims()), "crit.unknown")
	add("H7", "typ_of_another_kind", cty, hs(`{"alg":"HS256","typ":"at+jwt"}`, claims()), "typ.mismatch")
	es := one(ecJWK(p256, "alg", "ES256"))
	with("H7", "public_key_as_secret", kw, es, around(kw, cty, mac(crypto.SHA256, []byte(pemText("PUBLIC KEY", spki(&p256.PublicKey)))).compact(`{"alg":"HS256"}`, claims())),
		around(kw, cty, esControl()), "alg.mismatch", "key.none")

	// The policy holds for what is inside.
	add("F1", "expired", cty, hs(`{"alg":"HS256"}`, claims("exp", "1")), "exp.expired")
	add("F1", "no_exp", cty, hs(`{"alg":"HS256"}`, claims("exp", "-")), "exp.missing")
	add("F10", "audience", cty, hs(`{"alg":"HS256"}`, claims("aud", `"https://other.example"`)), "aud.mismatch")
	add("F11", "no_iss", cty, hs(`{"alg":"HS256"}`, claims("iss", "-")), "iss.missing")
	add("D2", "duplicate_claims", cty, hs(`{"alg":"HS256"}`, claims("sub", `"a","sub":"b"`)), "json.duplicate")
	// What the header shows is not what is signed.
	add("H7", "replicated_iss", cty+`,"iss":"https://other.example"`, good, "claim.replicated")
	add("H7", "replicated_aud", cty+`,"aud":["`+Audience+`","https://other.example"]`, good, "claim.replicated")
	add("H7", "replicated_and_not_signed", cty+`,"sub":"alice"`, hs(`{"alg":"HS256"}`, claims("sub", "-")), "claim.replicated")
	add("H7", "replicated_as_a_number", cty+`,"sub":1`, good, "claim.replicated")

	// One kind where the other is due, RFC 7516, Section 9.
	with("H6", "signed_alone", kw, octKey, good, control, "token.signed")
	with("H6", "unsigned_alone", kw, octKey, enc(`{"alg":"none"}`)+"."+part[1]+".", control, "token.signed")
	with("H6", "JSON", kw, octKey, kw.seal("A128GCM", cty, good).flat(""), control, "token.malformed")
	add("H6", "without_cty", "", good, "cty.mismatch")
	add("H6", "cty_of_another_kind", `,"cty":"json"`, good, "cty.mismatch")
	add("H6", "cty_number", `,"cty":1`, good, "json.type")
	add("H6", "typ_of_the_outer", cty+`,"typ":"at+jwt"`, good, "typ.mismatch")
	// CVE-2023-51774: one RSA key verifies and decrypts, and its public half is all that
	// the sender has.
	oaep := rsaes("RSA-OAEP-256", padOAEP(crypto.SHA256, "", 1))
	rs := around(oaep, cty, rsControl())
	with("H6", "claims_to_the_verifier's_key", oaep, rsKey(), around(oaep, cty, claims()), rs, "token.malformed")
	with("H6", "claims_to_the_verifier's_key_without_cty", oaep, rsKey(), around(oaep, "", claims()), rs, "cty.mismatch")
	with("H6", "MAC_by_the_verifier's_key", oaep, rsKey(), around(oaep, cty, mac(crypto.SHA256, []byte(pemText("PUBLIC KEY", spki(rsaKeys()["rsa"].public())))).compact(`{"alg":"HS256"}`, claims())), rs, "alg.mismatch", "key.none")

	// Who can encrypt is nobody: public, shared and password.
	for _, w := range []way{oaep, ecdhES("ECDH-ES", owner256), ecdhES("ECDH-ES+A128KW", owner25519), direct("A128GCM"), aesGCMKW("A256GCMKW"), pbes2("PBES2-HS512+A256KW")} {
		name := "authenticates_no_one_" + w.alg
		with("J15", name, w, octKey, around(w, cty, claims()), around(w, cty, good), "token.malformed")
		if w.key.Kind == Password {
			out[len(out)-1].NoCLI = "--decrypt-key takes a key"
		}
	}
	with("J15", "to_a_stranger", aesKW("A192KW"), octKey, control, around(aesKW("A192KW"), cty, good), "alg.mismatch", "key.none")
	stranger := kw
	stranger.key = octSecret("A128KW", seed("stranger", 16))
	out = append(out, Case{
		ID: "J15", Name: "nested_with_another_key", Form: Nested, Token: fixed(control), Control: fixed(control), Want: []string{"dec.failed"},
		Policy: Policy{Decrypt: &stranger.key}, ControlPolicy: Policy{Decrypt: &kw.key},
	})
	e := kw.seal("A128GCM", cty, good)
	e.tag = flip(e.tag)
	with("J19", "tag_changed", kw, octKey, e.compact(), control, "dec.failed")
	add("J7", "bomb", cty+`,"zip":"DEF"`, deflated(strings.Repeat("x", 9_000_000)), "token.too_large")

	// Tokens in tokens.
	for token, n := control, 3; len(token) < 90_000; n++ {
		token = around(kw, cty, token)
		want := "token.depth"
		if len(token) > 64<<10 { // each is a third longer, so that a thousand of them fit nowhere
			want = "token.too_large"
		}
		with("H7", fmt.Sprintf("depth_%d", n), kw, octKey, token, control, want, "token.depth")
	}
	add("H11", "cty_in_the_signed_one", cty, hs(`{"alg":"HS256","cty":"JWT"}`, good), "json.syntax")
	add("H11", "signed_around_encrypted", cty, hs(`{"alg":"HS256","cty":"JWT"}`, control), "json.syntax")
	deep := good
	for range 20 {
		deep = hs(`{"alg":"HS256","cty":"JWT"}`, deep)
	}
	add("H11", "signed_twenty_times", cty, deep, "json.syntax", "token.too_large")
	add("H11", "encrypted_claims_in_encrypted", cty, around(kw, cty, claims()), "token.depth", "token.malformed")
	return out
}
