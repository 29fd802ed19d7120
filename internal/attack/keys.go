package attack

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
)

// keyRules is group K: descriptions of keys that are no keys. The numbers follow
// the order of the catalogue's list.
func keyRules() []Case {
	var out []Case
	rsa := rsaKeys()["rsa"]
	es := func(id, name string, key []byte, want ...string) {
		out = append(out, Case{ID: id, Name: name, Key: one(key), ControlKey: esKey(), Token: esControl, Control: esControl, Want: want})
	}
	rs := func(id, name string, key []byte, want ...string) {
		out = append(out, Case{ID: id, Name: name, Key: one(key), ControlKey: rsKey(), Token: rsControl, Control: rsControl, Want: want})
	}
	private := func(id, name string, key, control []byte, want ...string) {
		out = append(out, Case{ID: id, Name: name, Form: Private, Key: one(key), ControlKey: one(control), Want: want})
	}
	point := must(p256.PublicKey.Bytes())[1:]
	x, y := point[:32], point[32:]
	ec := func(crv string, x, y []byte, more ...any) []byte {
		return object(append([]any{"kty", "EC", "alg", "ES256", "crv", crv, "x", b64.EncodeToString(x), "y", b64.EncodeToString(y)}, more...)...)
	}

	es("K1", "off_curve", ec("P-256", x, flip(y)), "key.invalid")
	es("K1", "swapped", ec("P-256", y, x), "key.invalid")
	es("K1", "zero", ec("P-256", make([]byte, 32), make([]byte, 32)), "key.invalid")
	p := p256.Params().P
	es("K1", "x_is_p", ec("P-256", p.Bytes(), y), "key.invalid")
	es("K1", "all_ones", ec("P-256", bytes.Repeat([]byte{0xff}, 32), y), "key.invalid")
	es("K1", "x_of_P-384", ec("P-256", must(p384.PublicKey.Bytes())[1:49], y), "key.invalid")
	es("K2", "x_31_bytes", ec("P-256", x[1:], y), "key.invalid")
	es("K2", "x_33_bytes", ec("P-256", append([]byte{0}, x...), y), "key.invalid")
	es("K2", "y_33_bytes", ec("P-256", x, append([]byte{0}, y...)), "key.invalid")
	es("K2", "no_y", object("kty", "EC", "alg", "ES256", "crv", "P-256", "x", b64.EncodeToString(x)), "key.invalid")
	es("K2", "empty_y", ec("P-256", x, nil), "key.invalid")
	es("K2", "x_padded_base64", bytes.Replace(ec("P-256", x, y), []byte(`","y"`), []byte(`=","y"`), 1), "key.invalid", "token.encoding")
	es("K2", "x_standard_alphabet", bytes.Replace(ec("P-256", x, y), []byte(`"x":"`), []byte(`"x":"+`), 1), "key.invalid", "token.encoding")
	es("K2", "x_trailing_bits", bytes.Replace(ec("P-256", x, y), []byte(b64.EncodeToString(x)), []byte(loose(b64.EncodeToString(x))), 1), "key.invalid", "token.encoding")
	es("K2", "x_a_number", bytes.Replace(ec("P-256", x, y), []byte(`"`+b64.EncodeToString(x)+`"`), []byte("1"), 1), "json.type", "key.invalid")
	es("K2", "curve_unknown", ec("P-224", x, y), "alg.mismatch", "key.unsupported", "key.invalid")
	es("K2", "curve_case", ec("p-256", x, y), "alg.mismatch", "key.unsupported", "key.invalid")
	es("K2", "curve_absent", object("kty", "EC", "alg", "ES256", "x", b64.EncodeToString(x), "y", b64.EncodeToString(y)), "alg.mismatch", "key.unsupported", "key.invalid")

	d := must(p256.Bytes())
	ecD := func(d []byte) []byte { return ec("P-256", x, y, "d", b64.EncodeToString(d)) }
	private("K3", "d_of_another_key", ecD(must(p256Other.Bytes())), ecD(d), "key.invalid")
	private("K3", "d_zero", ecD(make([]byte, 32)), ecD(d), "key.invalid")
	private("K3", "d_is_n", ecD(p256.Params().N.Bytes()), ecD(d), "key.invalid")
	private("K3", "d_31_bytes", ecD(d[1:]), ecD(d), "key.invalid")
	private("K3", "d_33_bytes", ecD(append([]byte{0}, d...)), ecD(d), "key.invalid")
	private("K3", "d_plus_n", ecD(new(big.Int).Add(new(big.Int).SetBytes(d), p256.Params().N).Bytes()), ecD(d), "key.invalid")
	private("K3", "Ed25519_x_of_another_key", edJWK(edOther[32:], "d", b64.EncodeToString(edPair[:32])), edJWK(edPair[32:], "d", b64.EncodeToString(edPair[:32])), "key.invalid")
	private("K3", "Ed25519_d_64_bytes", edJWK(edPair[32:], "d", b64.EncodeToString(edPair)), edJWK(edPair[32:], "d", b64.EncodeToString(edPair[:32])), "key.invalid")

	modulus := func(n []byte) []byte {
		return object("kty", "RSA", "alg", "RS256", "n", b64.EncodeToString(n), "e", "AQAB")
	}
	rs("K4", "n_leading_zero", modulus(append([]byte{0}, rsa.n.Bytes()...)), "key.invalid")
	rs("K4", "n_empty", modulus(nil), "key.invalid", "key.weak")
	rs("K4", "n_absent", object("kty", "RSA", "alg", "RS256", "e", "AQAB"), "key.invalid", "key.weak")
	exponent := func(e string) []byte {
		return object("kty", "RSA", "alg", "RS256", "n", rsa.members["n"], "e", e)
	}
	for i, e := range []string{
		b64.EncodeToString(bytes.Repeat([]byte{0xff}, 9)), b64.EncodeToString([]byte{0x80, 0, 0, 1}), b64.EncodeToString([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1}),
		b64.EncodeToString(rsa.n.Bytes()), b64.EncodeToString([]byte{0, 1, 0, 1}), "", "AA",
	} {
		rs("K5", fmt.Sprintf("e_%d", i), exponent(e), "key.invalid", "key.weak")
	}
	control := rsa.private()
	rs("K6", "oth_in_a_public_key", rsa.jwk("alg", "RS256", "oth", []any{}), "key.private", "key.invalid", "key.unsupported")
	private("K6", "oth", rsa.private("oth", []any{map[string]string{"r": "Aw", "d": "Aw", "t": "Aw"}}), control, "key.unsupported", "key.invalid")
	other := rsaKeys()["other"]
	private("K7", "p_of_another_key", rsa.private("p", other.members["p"]), control, "key.invalid")
	private("K7", "all_primes_of_another_key", rsa.private("p", other.members["p"], "q", other.members["q"], "dp", other.members["dp"], "dq", other.members["dq"], "qi", other.members["qi"]), control, "key.invalid")
	private("K7", "p_is_one", rsa.private("p", "AQ", "q", rsa.members["n"]), control, "key.invalid")
	private("K7", "d_of_another_key", rsa.private("d", other.members["d"]), control, "key.invalid")
	private("K7", "dp_wrong", rsa.private("dp", other.members["dp"]), control, "key.invalid")
	private("K7", "qi_wrong", rsa.private("qi", other.members["qi"]), control, "key.invalid")
	private("K7", "n_of_another_key", rsa.private("n", other.members["n"]), control, "key.invalid")

	ed := func(id, name string, key []byte, want ...string) {
		out = append(out, Case{ID: id, Name: name, Key: one(key), ControlKey: one(edJWK(edPair[32:])), Token: edControl, Control: edControl, Want: want})
	}
	ed("K8", "x_31_bytes", edJWK(edPair[32:63]), "key.invalid")
	ed("K8", "x_64_bytes", edJWK(edPair), "key.invalid")
	ed("K8", "x_empty", edJWK(nil), "key.invalid")
	ed("K8", "with_y", object("kty", "OKP", "crv", "Ed25519", "x", b64.EncodeToString(edPair[32:63])), "key.invalid")
	ed("K8", "X25519", object("kty", "OKP", "crv", "X25519", "x", b64.EncodeToString(edPair[32:])), "key.unsupported", "key.use", "key.invalid")
	for i, point := range lowOrder() {
		ed("K9", fmt.Sprintf("low_order_%d", i), edJWK(point), "key.weak", "key.invalid")
	}
	out = append(out, Case{
		ID: "K10", Name: "k_empty", Key: one(octJWK("HS256", nil)), ControlKey: octKey, Token: fixed(hs(`{"alg":"HS256"}`, claims())), Want: []string{"key.weak", "key.invalid"},
	}, Case{
		ID: "K10", Name: "k_absent", Key: one(object("kty", "oct", "alg", "HS256")), ControlKey: octKey, Token: fixed(hs(`{"alg":"HS256"}`, claims())), Want: []string{"key.weak", "key.invalid"},
	})
	for i, kty := range []string{"ec", "Ec", "EC ", "ECDSA", "", "oct"} {
		es("K11", fmt.Sprintf("kty_%d", i), bytes.Replace(ecJWK(p256, "alg", "ES256"), []byte(`"EC"`), []byte(`"`+kty+`"`), 1), "alg.mismatch", "key.unsupported", "key.invalid")
	}
	es("K11", "kty_number", bytes.Replace(ecJWK(p256, "alg", "ES256"), []byte(`"EC"`), []byte(`1`), 1), "json.type", "key.invalid")
	for i, m := range []string{`"kty":"EC"`, `"crv":"P-256"`, `"\u0078":""`, `"z":1,"z":2`, `"z":{"a":1,"a":2}`} {
		es("K12", fmt.Sprintf("duplicate_%d", i), append(bytes.TrimSuffix(ecJWK(p256, "alg", "ES256"), []byte("}")), ","+m+"}"...), "json.duplicate")
	}
	out = append(out, Case{
		ID: "K12", Name: "duplicate_keys_member", Token: esControl, Control: esControl, ControlKey: set(ecJWK(p256, "alg", "ES256")), Want: []string{"json.duplicate"},
		Key: Key{Kind: JWKSet, Data: append(bytes.TrimSuffix(set(ecJWK(p256Other)).Data, []byte("}")), bytes.TrimPrefix(set(ecJWK(p256)).Data, []byte("{"))...)},
	})
	out[len(out)-1].Key.Data = bytes.Replace(out[len(out)-1].Key.Data, []byte(`]"keys"`), []byte(`],"keys"`), 1)
	for i, m := range [][2]string{{"kty", "KTY"}, {"kty", "\u212aty"}, {"x", "X"}, {"crv", "Crv"}} {
		es("K13", fmt.Sprintf("member_%d", i), bytes.Replace(ecJWK(p256, "alg", "ES256"), []byte(`"`+m[0]+`"`), []byte(`"`+m[1]+`"`), 1), "alg.mismatch", "key.invalid", "key.unsupported")
	}
	es("K14", "x5c_of_another_key", ecJWK(p256, "alg", "ES256", "x5c", []string{base64.StdEncoding.EncodeToString(cert(p256Other, "other"))}), "key.invalid")
	es("K14", "x5c_not_a_certificate", ecJWK(p256, "alg", "ES256", "x5c", []string{"AAAA"}), "key.invalid")
	es("K14", "x5c_base64url", ecJWK(p256, "alg", "ES256", "x5c", []string{base64.URLEncoding.EncodeToString(urlish())}), "key.invalid")
	es("K14", "x5t_s256_of_another_certificate", ecJWK(p256, "alg", "ES256", "x5c", []string{base64.StdEncoding.EncodeToString(cert(p256, "known"))}, "x5t#S256", b64.EncodeToString(seed("other", 32))), "key.invalid")
	out = append(out, Case{
		ID: "K15", Name: "set_of_100000_keys", Token: esControl, Control: esControl, ControlKey: set(ecJWK(p256, "alg", "ES256")), Want: []string{"key.limit"},
		Key: Key{Kind: JWKSet, Data: fmt.Appendf(nil, `{"keys":[%s%s]}`, strings.Repeat(`{"kty":"x"},`, 99_999), ecJWK(p256, "alg", "ES256"))},
	}, Case{
		ID: "K15", Name: "set_of_1001_small_keys", Token: esControl, Control: esControl, ControlKey: set(ecJWK(p256, "alg", "ES256")), Want: []string{"key.limit"},
		Key: Key{Kind: JWKSet, Data: fmt.Appendf(nil, `{"keys":[%s%s]}`, strings.Repeat(`{"kty":"x"},`, 1_000), ecJWK(p256, "alg", "ES256"))},
	})
	rs("K16", "n_of_128_kbit", object("kty", "RSA", "alg", "RS256", "n", oddNumber(128<<10), "e", "AQAB"), "key.invalid", "key.weak", "key.limit")

	onePEM := pemText("PUBLIC KEY", spki(&p256.PublicKey))
	file := func(id, name, text string, want ...string) {
		out = append(out, Case{
			ID: id, Name: name, Token: esControl, Control: esControl, Want: want,
			Key: Key{Kind: PEM, Data: []byte(text)}, ControlKey: Key{Kind: PEM, Data: []byte(onePEM)},
		})
	}
	file("K18", "two_blocks", onePEM+pemText("PUBLIC KEY", spki(&p256Other.PublicKey)), "key.invalid")
	file("K18", "same_block_twice", onePEM+onePEM, "key.invalid")
	file("K18", "public_then_private", onePEM+pemText("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(p256))), "key.invalid")
	file("K18", "trailing_text", onePEM+"-----BEGIN", "key.invalid")
	file("K18", "label_of_another_kind", pemText("PUBLIC KEY", must(x509.MarshalPKCS8PrivateKey(p256))), "key.invalid")
	file("K18", "bytes_after_the_key", pemText("PUBLIC KEY", append(spki(&p256.PublicKey), 0)), "key.invalid")
	file("K18", "unknown_label", pemText("DSA PRIVATE KEY", spki(&p256.PublicKey)), "key.unsupported", "key.invalid")
	file("K18", "not_base64", strings.Replace(onePEM, "M", "!", 1), "key.invalid")
	legacy := &pem.Block{
		Type: "EC PRIVATE KEY", Bytes: seed("ciphertext", 128),
		Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "DES-EDE3-CBC,0011223344556677"},
	}
	file("K19", "legacy_encryption", string(pem.EncodeToMemory(legacy)), "key.unsupported", "key.invalid")
	file("K19", "PKCS8_encrypted", pemText("ENCRYPTED PRIVATE KEY", seed("ciphertext", 200)), "key.unsupported", "key.invalid")
	return out
}

func flip(b []byte) []byte {
	c := bytes.Clone(b)
	c[len(c)-1] ^= 1
	return c
}

// urlish is a certificate whose base64 has a character of the URL alphabet.
func urlish() []byte {
	for {
		der := cert(p256, "known")
		if strings.ContainsAny(base64.URLEncoding.EncodeToString(der), "-_") {
			return der
		}
	}
}

// lowOrder lists the encodings of the points of order 1, 2, 4 and 8, the
// non-canonical ones included.
func lowOrder() [][]byte {
	eight, _ := new(big.Int).SetString("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16)
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	var out [][]byte
	for _, y := range []*big.Int{
		new(big.Int), big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1)),
		eight, new(big.Int).Sub(p, eight),
	} {
		for _, sign := range []byte{0, 0x80} {
			b := y.FillBytes(make([]byte, 32))
			for i := range 16 {
				b[i], b[31-i] = b[31-i], b[i]
			}
			b[31] |= sign
			out = append(out, b)
		}
	}
	return out
}
