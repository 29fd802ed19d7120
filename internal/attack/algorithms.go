package attack

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// algorithms is group A: which algorithm and which key.
func algorithms(fetch string) []Case {
	out := []Case{
		{ID: "A1", Name: "none", Token: unsigned(`{"alg":"none"}`), Want: []string{"alg.none"}},
		{ID: "A1", Name: "none_typ", Token: unsigned(`{"typ":"JWT","alg":"none"}`), Want: []string{"alg.none"}},
		{ID: "A1", Name: "none_asymmetric_key", Token: unsigned(`{"alg":"none"}`), Key: esKey(), Control: esControl, Want: []string{"alg.none"}},
		{ID: "A1", Name: "none_with_signature", Token: fixed(hs(`{"alg":"none"}`, claims())), Want: []string{"alg.none"}},
		{ID: "A1", Name: "empty_signature", Token: unsigned(`{"alg":"HS256"}`), Want: []string{"sig.invalid"}},

		// An escape in the member's value or name is the same name.
		{ID: "A2", Name: "escaped", Token: unsigned(`{"alg":"n\u006fne"}`), Want: []string{"alg.none"}},
		{ID: "A2", Name: "escaped_member", Token: unsigned(`{"\u0061lg":"none"}`), Want: []string{"alg.none"}},
	}
	for i, name := range []string{
		"None", "NONE", "nOnE", "none ", " none", `none\u0000`, `\u0000none`, "nоne", "nοne", "ｎｏｎｅ", "no\u0301ne", "no\u200bne", "",
	} {
		header := fmt.Sprintf(`{"alg":"%s"}`, name)
		out = append(
			out,
			Case{ID: "A2", Name: fmt.Sprintf("spelling_%d_unsigned", i), Token: unsigned(header), Want: []string{"alg.none", "alg.unknown", "alg.missing"}},
			Case{ID: "A2", Name: fmt.Sprintf("spelling_%d_signed", i), Token: fixed(hs(header, claims())), Want: []string{"alg.none", "alg.unknown", "alg.missing"}},
		)
	}

	out = append(out, Case{ID: "A3", Name: "missing", Token: fixed(hs(`{"typ":"JWT"}`, claims())), Want: []string{"alg.missing"}})
	for i, value := range []string{"null", "256", `["HS256"]`, `{"HS256":1}`, "true"} {
		out = append(out, Case{
			ID: "A3", Name: fmt.Sprintf("not_a_string_%d", i),
			Token: fixed(hs(`{"alg":`+value+`}`, claims())), Want: []string{"json.type", "alg.missing"},
		})
	}
	out = append(out, confusions()...)

	// The stranger's own key in the header is never a reason to trust it.
	own := string(ecJWK(p256Other))
	chain := base64.StdEncoding.EncodeToString(cert(p256Other, "stranger"))
	for _, h := range []struct{ id, name, header string }{
		{"A5", "embedded_jwk", `{"alg":"ES256","jwk":` + own + `}`},
		{"A5", "embedded_jwk_with_kid", `{"alg":"ES256","kid":"k1","jwk":` + own + `}`},
		{"A6", "jku", `{"alg":"ES256","jku":"` + fetch + `/jku"}`},
		{"A6", "x5u", `{"alg":"ES256","x5u":"` + fetch + `/x5u"}`},
		{"A6", "kid_is_a_url", `{"alg":"ES256","kid":"` + fetch + `/kid"}`},
		{"A7", "x5c_of_a_stranger", `{"alg":"ES256","x5c":["` + chain + `"]}`},
	} {
		key := esKey()
		if strings.Contains(h.header, `"k1"`) {
			key = one(ecJWK(p256, "alg", "ES256", "kid", "k1"))
		}
		out = append(out, Case{
			ID: h.id, Name: h.name, Key: key, Want: []string{"sig.invalid"},
			Token:   func() string { return es(p256Other, crypto.SHA256).compact(h.header, claims()) },
			Control: func() string { return es256.compact(h.header, claims()) },
		})
	}
	der := cert(p256, "known")
	print256 := sha256.Sum256(der)
	certified := set(ecJWK(p256, "alg", "ES256", "x5c", []string{base64.StdEncoding.EncodeToString(der)}, "x5t#S256", b64.EncodeToString(print256[:])))
	out = append(out, Case{
		ID: "A7", Name: "x5t_s256_of_another_certificate", Key: certified, Want: []string{"key.none"},
		Token: func() string {
			return es256.compact(`{"alg":"ES256","x5t#S256":"`+b64.EncodeToString(seed("other", 32))+`"}`, claims())
		},
		Control: func() string {
			return es256.compact(`{"alg":"ES256","x5t#S256":"`+b64.EncodeToString(print256[:])+`"}`, claims())
		},
	}, Case{
		// The SHA-1 print neither helps nor hurts: the control carries a wrong one.
		ID: "A7", Name: "x5t_is_not_trusted", Key: certified, Want: []string{"sig.invalid"},
		Token: func() string {
			return es(p256Other, crypto.SHA256).compact(`{"alg":"ES256","x5t":"`+x5t(der)+`"}`, claims())
		},
		Control: func() string { return es256.compact(`{"alg":"ES256","x5t":"`+x5t([]byte("wrong"))+`"}`, claims()) },
	})

	named := set(object("kty", "oct", "alg", "HS256", "kid", "k1", "k", b64.EncodeToString(secret)))
	kidControl := fixed(hs(`{"alg":"HS256","kid":"k1"}`, claims()))
	for i, kid := range []string{
		"../../../../dev/null", `k1' OR '1'='1`, "*)(kid=*", "file:///dev/null", `k1\u0000`, "K1", "k1 ", `\u212a1`, "k2",
	} {
		out = append(out, Case{
			ID: "A8", Name: fmt.Sprintf("kid_injection_%d", i), Key: named, Control: kidControl,
			Token: fixed(hs(`{"alg":"HS256","kid":"`+kid+`"}`, claims())), Want: []string{"key.none"},
		})
	}
	for i, kid := range []string{"1", `{"k1":1}`, `["k1"]`, "null", "true"} {
		out = append(out, Case{
			ID: "A8", Name: fmt.Sprintf("kid_not_a_string_%d", i), Key: named, Control: kidControl,
			Token: fixed(hs(`{"alg":"HS256","kid":`+kid+`}`, claims())), Want: []string{"json.type"},
		})
	}
	out = append(out, Case{
		ID: "A8", Name: "kid_1MB", Key: named, Control: kidControl, Want: []string{"token.too_large"},
		Token: func() string { return hs(`{"alg":"HS256","kid":"`+strings.Repeat("k", 1<<20)+`"}`, claims()) },
	})

	var anonymous, same [][]byte
	for i := range 5 {
		k := ecKey(p256.Curve, fmt.Sprint("many ", i))
		if i == 1 {
			k = p256
		}
		anonymous = append(anonymous, ecJWK(k, "alg", "ES256"))
		same = append(same, ecJWK(k, "alg", "ES256", "kid", "k1"))
	}
	out = append(out, Case{
		ID: "A9", Name: "five_keys_no_kid", Key: set(anonymous...), ControlKey: set(anonymous[:4]...),
		Token: esControl, Control: esControl, Want: []string{"key.ambiguous"},
	}, Case{
		ID: "A9", Name: "five_keys_of_one_kid", Key: set(same...), ControlKey: set(same[:4]...), Want: []string{"key.ambiguous"},
		Token:   func() string { return es256.compact(`{"alg":"ES256","kid":"k1"}`, claims()) },
		Control: func() string { return es256.compact(`{"alg":"ES256","kid":"k1"}`, claims()) },
	}, Case{
		// One kid, two algorithms: the header's alg chooses among them and cannot leave them.
		ID: "A9", Name: "one_kid_two_algorithms", Want: []string{"sig.invalid"},
		Key: set(object("kty", "oct", "alg", "HS256", "kid", "k1", "k", b64.EncodeToString(secret)), ecJWK(p256, "alg", "ES256", "kid", "k1")),
		Token: func() string {
			return mac(crypto.SHA256, must(p256.PublicKey.Bytes())).compact(`{"alg":"HS256","kid":"k1"}`, claims())
		},
		Control: func() string { return es256.compact(`{"alg":"ES256","kid":"k1"}`, claims()) },
	})

	for _, k := range []struct {
		name string
		more []any
		want string
	}{
		{"use_enc", []any{"use", "enc"}, "key.use"},
		{"key_ops_encrypt", []any{"key_ops", []string{"encrypt"}}, "key.use"},
		{"key_ops_without_verify", []any{"key_ops", []string{"sign"}}, "key.use"},
		{"use_unknown", []any{"use", "SIG"}, "key.use"},
		{"key_ops_twice", []any{"key_ops", []string{"verify", "verify"}}, "key.invalid"}, // RFC 7517, Section 4.3
	} {
		out = append(out, Case{
			ID: "A10", Name: k.name, Key: one(ecJWK(p256, append(k.more, "alg", "ES256")...)),
			ControlKey: one(ecJWK(p256, "alg", "ES256", "use", "sig", "key_ops", []string{"verify"})),
			Token:      esControl, Control: esControl, Want: []string{k.want},
		})
	}
	rsa := rsaKeys()["rsa"]
	out = append(out, Case{
		ID: "A10", Name: "alg_of_key_is_not_the_headers", Key: rsKey(), Control: rsControl,
		Token: func() string { return pss(rsa, 32, crypto.SHA256).compact(`{"alg":"PS256"}`, claims()) },
		Want:  []string{"alg.mismatch", "key.none"},
	}, Case{
		ID: "A10", Name: "alg_of_key_is_for_encryption", Key: one(rsa.jwk("alg", "RSA-OAEP-256")), ControlKey: rsKey(),
		Token: rsControl, Control: rsControl, Want: []string{"key.unsupported", "key.use"},
	})

	out = append(out, Case{
		ID: "A11", Name: "ES256_with_P-384", Key: one(ecJWK(p384, "alg", "ES384")), Want: []string{"alg.mismatch", "key.none"},
		Token:   func() string { return es(p384, crypto.SHA256).compact(`{"alg":"ES256"}`, claims()) },
		Control: func() string { return es384.compact(`{"alg":"ES384"}`, claims()) },
	}, Case{
		ID: "A11", Name: "ES384_with_P-256", Key: esKey(), Control: esControl, Want: []string{"alg.mismatch", "key.none"},
		Token: func() string { return es(p256, crypto.SHA384).compact(`{"alg":"ES384"}`, claims()) },
	}, Case{
		ID: "A11", Name: "EdDSA_with_P-256", Key: esKey(), Control: esControl, Want: []string{"alg.mismatch", "key.none"},
		Token: func() string { return es256.compact(`{"alg":"EdDSA"}`, claims()) },
	}, Case{
		ID: "A11", Name: "ES256_with_Ed25519", Key: one(edJWK(edPair[32:])), Control: edControl, Want: []string{"alg.mismatch", "key.none"},
		Token: func() string { return ed(edPair).compact(`{"alg":"ES256"}`, claims()) },
	}, Case{
		ID: "A11", Name: "RS256_with_the_PS256_key", Key: one(rsa.jwk("alg", "PS256")), Token: rsControl, Want: []string{"alg.mismatch", "key.none"},
		Control: func() string { return pss(rsa, 32, crypto.SHA256).compact(`{"alg":"PS256"}`, claims()) },
	}, Case{
		ID: "A11", Name: "HS512_with_the_HS256_key", Want: []string{"alg.mismatch", "key.none"},
		Token: fixed(mac(crypto.SHA512, secret).compact(`{"alg":"HS512"}`, claims())),
	}, Case{
		ID: "A11", Name: "HS256_with_a_key_wrapping_key", Key: one(object("kty", "oct", "alg", "A256KW", "k", b64.EncodeToString(secret))),
		ControlKey: octKey, Token: fixed(hs(`{"alg":"HS256"}`, claims())), Want: []string{"key.unsupported", "key.use"},
	})

	for _, name := range []string{
		"hs256", "HS256 ", "Hs256", "HS1", "RS1", "SHA256", "HMAC", "HS256/64", "A256KW", "dir", "RSA1_5", "PBES2-HS256+A128KW", "A128GCM",
		"ML-DSA-44", "Ed448", "ES256K", "ESP256", "SLH-DSA-SHA2-128s", "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
	} {
		out = append(out, Case{
			ID: "A13", Name: "alg_" + strings.Map(wordOnly, name), Want: []string{"alg.unknown"},
			Token: fixed(hs(`{"alg":"`+name+`"}`, claims())),
		})
	}
	return out
}

func wordOnly(r rune) rune {
	if r < '!' || r == '/' || r == '#' || r == ':' {
		return '_'
	}
	return r
}

func unsigned(header string) func() string { return fixed(enc(header) + "." + enc(claims()) + ".") }

func x5t(der []byte) string { return b64.EncodeToString(digest(crypto.SHA1, string(der))) }

// confusions is A4: the public key, in every spelling somebody might hold it in,
// taken as a shared secret.
func confusions() []Case {
	rsa, eddsa := rsaKeys()["rsa"], edPair
	type public struct {
		name    string
		key     any
		jwk     []byte
		ssh     string
		cert    []byte
		alg     string
		control func() string
	}
	keys := []public{
		{
			"RSA", rsa.public(), rsa.jwk("alg", "RS256"),
			ssh("ssh-rsa", mpint(rsa.public().E), append([]byte{0}, rsa.n.Bytes()...)), nil, "RS256", rsControl,
		},
		{
			"EC", &p256.PublicKey, ecJWK(p256, "alg", "ES256"),
			ssh("ecdsa-sha2-nistp256", []byte("nistp256"), must(p256.PublicKey.Bytes())), cert(p256, "known"), "ES256", esControl,
		},
		{
			"Ed25519", eddsa.Public(), edJWK(eddsa[32:], "alg", "EdDSA"),
			ssh("ssh-ed25519", eddsa[32:]), cert(eddsa, "known"), "EdDSA", edControl,
		},
	}
	var out []Case
	for _, k := range keys {
		text := pemText("PUBLIC KEY", spki(k.key))
		secrets := []struct{ name, bytes string }{
			{"PEM", text},
			{"PEM_CRLF", strings.ReplaceAll(text, "\n", "\r\n")},
			{"PEM_no_final_newline", strings.TrimSuffix(text, "\n")},
			{"PEM_body", strings.Join(strings.Split(text, "\n")[1:len(strings.Split(text, "\n"))-2], "")},
			{"SPKI", string(spki(k.key))},
			{"JWK", string(k.jwk)},
			{"OpenSSH", k.ssh},
			{"OpenSSH_no_newline", strings.TrimSuffix(k.ssh, "\n")},
		}
		if k.name == "RSA" {
			der := x509.MarshalPKCS1PublicKey(rsa.public())
			secrets = append(secrets,
				struct{ name, bytes string }{"PKCS1", string(der)},
				struct{ name, bytes string }{"PKCS1_PEM", pemText("RSA PUBLIC KEY", der)},
				struct{ name, bytes string }{"modulus", string(rsa.n.Bytes())},
			)
		}
		if k.cert != nil {
			secrets = append(secrets,
				struct{ name, bytes string }{"certificate", string(k.cert)},
				struct{ name, bytes string }{"certificate_PEM", pemText("CERTIFICATE", k.cert)},
				struct{ name, bytes string }{"x5c_text", base64.StdEncoding.EncodeToString(k.cert)},
			)
		}
		for _, s := range secrets {
			out = append(out, Case{
				ID: "A4", Name: k.name + "_as_HS256_secret_" + s.name, Control: k.control, Want: []string{"alg.mismatch", "key.none"},
				Key:   Key{Kind: PEM, Data: []byte(text), Alg: k.alg},
				Token: func() string { return mac(crypto.SHA256, []byte(s.bytes)).compact(`{"alg":"HS256"}`, claims()) },
			})
		}
		out = append(out, Case{
			ID: "A4", Name: k.name + "_as_HS512_secret_JWK", Control: k.control, Want: []string{"alg.mismatch", "key.none"}, Key: one(k.jwk),
			Token: func() string { return mac(crypto.SHA512, k.jwk).compact(`{"alg":"HS512"}`, claims()) },
		}, Case{
			ID: "A4", Name: k.name + "_in_a_set", Control: k.control, Want: []string{"alg.mismatch", "key.none"}, Key: set(k.jwk),
			Token: func() string { return mac(crypto.SHA256, []byte(text)).compact(`{"alg":"HS256"}`, claims()) },
		})
	}
	return out
}

func mpint(e int) []byte { return bytes.TrimLeft([]byte{byte(e >> 16), byte(e >> 8), byte(e)}, "\x00") }
