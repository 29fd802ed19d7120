package attack

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// signatures is group B: the signature's own bytes.
func signatures() []Case {
	var out []Case
	ecCase := func(id, name string, k *ecdsa.PrivateKey, alg string, h crypto.Hash, sig func(input string) []byte) {
		header := `{"alg":"` + alg + `"}`
		out = append(out, Case{
			ID: id, Name: alg + "_" + name, Key: one(ecJWK(k, "alg", alg)), Want: []string{"sig.invalid"},
			Token:   func() string { return signer(sig).compact(header, claims()) },
			Control: func() string { return es(k, h).compact(header, claims()) },
		})
	}
	for _, c := range []struct {
		alg string
		key *ecdsa.PrivateKey
		h   crypto.Hash
	}{{"ES256", p256, crypto.SHA256}, {"ES384", p384, crypto.SHA384}, {"ES512", p521, crypto.SHA512}} {
		zero, n := new(big.Int), c.key.Params().N
		for _, v := range []struct {
			name string
			edit func(r, s *big.Int) (*big.Int, *big.Int)
		}{
			{"r0_s0", func(_, _ *big.Int) (*big.Int, *big.Int) { return zero, zero }},
			{"r0", func(_, s *big.Int) (*big.Int, *big.Int) { return zero, s }},
			{"s0", func(r, _ *big.Int) (*big.Int, *big.Int) { return r, zero }},
			{"rn_sn", func(_, _ *big.Int) (*big.Int, *big.Int) { return n, n }},
			{"rn", func(_, s *big.Int) (*big.Int, *big.Int) { return n, s }},
			{"sn", func(r, _ *big.Int) (*big.Int, *big.Int) { return r, n }},
			{"r1_s1", func(_, _ *big.Int) (*big.Int, *big.Int) { return big.NewInt(1), big.NewInt(1) }},
			{"swapped", func(r, s *big.Int) (*big.Int, *big.Int) { return s, r }},
		} {
			ecCase("B1", v.name, c.key, c.alg, c.h, func(input string) []byte {
				r, s := v.edit(esPair(c.key, c.h, input))
				return p1363(c.key, r, s)
			})
		}
		ecCase("B3", "DER", c.key, c.alg, c.h, func(input string) []byte {
			r, s := esPair(c.key, c.h, input)
			return must(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
		})
		for _, v := range []struct {
			name string
			edit func(sig []byte) []byte
		}{
			{"padded", func(sig []byte) []byte {
				half := len(sig) / 2
				return slices.Concat([]byte{0}, sig[:half], []byte{0}, sig[half:])
			}},
			{"one_byte_more", func(sig []byte) []byte { return append(sig, 0) }},
			{"one_byte_less", func(sig []byte) []byte { return sig[:len(sig)-1] }},
			{"only_r", func(sig []byte) []byte { return sig[:len(sig)/2] }},
			{"empty", func([]byte) []byte { return nil }},
			{"twice", func(sig []byte) []byte { return append(sig, sig...) }},
			{"one_bit", func(sig []byte) []byte { sig[0] ^= 1; return sig }},
		} {
			ecCase("B4", v.name, c.key, c.alg, c.h, func(input string) []byte { return v.edit(es(c.key, c.h)(input)) })
		}
	}
	// r + n still fits 66 bytes on P-521, where a check modulo n would let it through.
	ecCase("B1", "r_plus_n", p521, "ES512", crypto.SHA512, func(input string) []byte {
		r, s := esPair(p521, crypto.SHA512, input)
		return p1363(p521, new(big.Int).Add(r, p521.Params().N), s)
	})

	// A key's curve and its alg must agree before any token comes.
	for _, c := range []struct {
		name string
		jwk  []byte
	}{
		{"ES256_names_P-384", ecJWK(p384, "alg", "ES256")},
		{"ES512_names_P-256", ecJWK(p256, "alg", "ES512")},
		{"ES256K_names_P-256", ecJWK(p256, "alg", "ES256K")},
		{"EdDSA_names_P-256", ecJWK(p256, "alg", "EdDSA")},
		{"HS256_names_P-256", ecJWK(p256, "alg", "HS256")},
		{"RS256_names_P-256", ecJWK(p256, "alg", "RS256")},
	} {
		out = append(out, Case{
			ID: "B5", Name: c.name, Key: one(c.jwk), ControlKey: esKey(), Token: esControl, Control: esControl,
			Want: []string{"key.invalid", "key.unsupported", "alg.mismatch", "alg.unknown"},
		})
	}

	// L, the order of the group; RFC 8032, Section 5.1.
	l, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	for _, v := range []struct {
		name string
		edit func(sig []byte) []byte
	}{
		{"S_plus_L", func(sig []byte) []byte { return addScalar(sig, l) }},
		{"S_plus_8L", func(sig []byte) []byte { return addScalar(sig, new(big.Int).Lsh(l, 3)) }},
		{"zero", func([]byte) []byte { return make([]byte, 64) }},
		{"63_bytes", func(sig []byte) []byte { return sig[:63] }},
		{"65_bytes", func(sig []byte) []byte { return append(sig, 0) }},
		{"empty", func([]byte) []byte { return nil }},
		{"R_not_canonical", func(sig []byte) []byte { copy(sig, fieldElement(19)); return sig }},
		{"one_bit", func(sig []byte) []byte { sig[40] ^= 1; return sig }},
	} {
		out = append(out, Case{
			ID: "B6", Name: v.name, Key: one(edJWK(edPair[32:])), Control: edControl, Want: []string{"sig.invalid"},
			Token: func() string {
				return signer(func(in string) []byte { return v.edit(ed(edPair)(in)) }).compact(`{"alg":"EdDSA"}`, claims())
			},
		})
	}
	// With the neutral element as the key, R = the neutral element and S = 0 "sign" everything.
	neutral := append([]byte{1}, make([]byte, 31)...)
	for name, k := range map[string][]byte{
		"key_neutral":               neutral,
		"key_order_2":               fieldElement(18), // (0, -1)
		"key_order_4":               make([]byte, 32),
		"key_neutral_not_canonical": fieldElement(20),
		"key_neutral_negative_zero": append(append([]byte{1}, make([]byte, 30)...), 0x80),
		"key_31_bytes":              edPair[33:],
		"key_33_bytes":              append(bytes.Clone(edPair[32:]), 0),
		"key_not_a_point":           append([]byte{2}, make([]byte, 31)...),
	} {
		want := []string{"key.invalid", "key.weak"}
		if name == "key_not_a_point" {
			want = append(want, "sig.invalid") // found out at the first signature
		}
		out = append(out, Case{
			ID: "B6", Name: name, Key: one(edJWK(k)), ControlKey: one(edJWK(edPair[32:])), Control: edControl, Want: want,
			Token: func() string {
				return signer(func(string) []byte { return append(bytes.Clone(neutral), make([]byte, 32)...) }).compact(`{"alg":"EdDSA"}`, claims())
			},
		})
	}

	usual := rsaKeys()["rsa"]
	rsaCase := func(id, name string, jwk []byte, sign signer, want ...string) {
		out = append(out, Case{
			ID: id, Name: name, Key: one(jwk), ControlKey: rsKey(), Control: rsControl, Want: want,
			Token: func() string { return sign.compact(`{"alg":"RS256"}`, claims()) },
		})
	}
	for name, label := range map[string]string{"1024_bits": "short", "2040_bits": "almost"} {
		k := rsaKeys()[label]
		rsaCase("B7", name, k.jwk("alg", "RS256"), rs(k), "key.weak")
	}
	roca := rsaKeys()["roca"]
	rsaCase("B7", "ROCA", roca.jwk("alg", "RS256"), rs(roca), "key.weak")
	// With e = 1 the encoded message is its own signature.
	rsaCase("B7", "e1", object("kty", "RSA", "alg", "RS256", "n", usual.members["n"], "e", "AQ"),
		func(in string) []byte { return emPKCS1(usual.size(), info256(in)) }, "key.invalid", "key.weak")
	rsaCase("B7", "e_even", object("kty", "RSA", "alg", "RS256", "n", usual.members["n"], "e", "AQAA"), rs(usual), "key.invalid", "key.weak")
	rsaCase("B7", "e2", object("kty", "RSA", "alg", "RS256", "n", usual.members["n"], "e", "Ag"), rs(usual), "key.invalid", "key.weak")
	rsaCase("B7", "n_even", object("kty", "RSA", "alg", "RS256", "n", b64.EncodeToString(new(big.Int).Lsh(usual.n, 1).Bytes()), "e", "AQAB"), rs(usual), "key.invalid", "key.weak")
	rsaCase("B7", "16392_bits", object("kty", "RSA", "alg", "RS256", "n", oddNumber(16392), "e", "AQAB"), rs(usual), "key.invalid", "key.weak", "key.limit")

	ps := func(name string, sign signer) {
		out = append(out, Case{
			ID: "B8", Name: name, Key: one(usual.jwk("alg", "PS256")), Want: []string{"sig.invalid"},
			Token:   func() string { return sign.compact(`{"alg":"PS256"}`, claims()) },
			Control: func() string { return pss(usual, 32, crypto.SHA256).compact(`{"alg":"PS256"}`, claims()) },
		})
	}
	for _, n := range []int{0, 20, 31, 33, 64, usual.size() - 32 - 2} {
		ps(fmt.Sprintf("salt_%d", n), pss(usual, n, crypto.SHA256))
	}
	ps("MGF1_SHA-1", pss(usual, 32, crypto.SHA1))
	ps("MGF1_SHA-512", pss(usual, 32, crypto.SHA512))

	// RFC 8017, Section 8.2.2: the whole encoded message is compared, never parsed.
	three := rsaKeys()["three"]
	em := func(name string, build func(size int, input string) []byte) {
		out = append(out, Case{
			ID: "B9", Name: name, Key: rsKey(), Control: rsControl, Want: []string{"sig.invalid"},
			Token: func() string {
				return signer(func(in string) []byte { return usual.raw(build(usual.size(), in)) }).compact(`{"alg":"RS256"}`, claims())
			},
		})
	}
	em("no_null_parameter", func(size int, in string) []byte {
		info := append([]byte{0x30, 0x2f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04, 0x20}, digest(crypto.SHA256, in)...)
		return emPKCS1(size, info)
	})
	em("digest_without_info", func(size int, in string) []byte { return emPKCS1(size, digest(crypto.SHA256, in)) })
	em("short_padding", func(size int, in string) []byte {
		garbage := seed("garbage", size-3-8-51)
		return slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), []byte{0}, info256(in), garbage)
	})
	em("block_type_2", func(size int, in string) []byte {
		e := emPKCS1(size, info256(in))
		e[1] = 2
		return e
	})
	em("other_padding_byte", func(size int, in string) []byte {
		e := emPKCS1(size, info256(in))
		e[10] = 0xfe
		return e
	})
	em("no_separator", func(size int, in string) []byte {
		e := emPKCS1(size, info256(in))
		e[size-52] = 0xff
		return e
	})
	em("other_hash", func(size int, in string) []byte {
		return emPKCS1(size, append(bytes.Clone(digestInfo), digest(crypto.SHA256, in+" ")...))
	})
	out = append(out, Case{
		// Bleichenbacher, Crypto 2006: a cube root, rounded up, whose cube begins as
		// an encoded message does. No private key is needed.
		ID: "B9", Name: "cube_root", Key: one(three.jwk("alg", "RS256")), Want: []string{"sig.invalid"},
		Token: func() string {
			return signer(func(in string) []byte {
				want := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, 8), []byte{0}, info256(in))
				high := new(big.Int).SetBytes(append(want, bytes.Repeat([]byte{0xff}, three.size()-len(want))...))
				return cubeRoot(high).FillBytes(make([]byte, three.size()))
			}).compact(`{"alg":"RS256"}`, claims())
		},
		Control: func() string { return rs(three).compact(`{"alg":"RS256"}`, claims()) },
	}, Case{
		ID: "B9", Name: "signature_plus_n", Key: rsKey(), Control: rsControl, Want: []string{"sig.invalid"},
		Token: func() string {
			return signer(func(in string) []byte {
				s := new(big.Int).SetBytes(rs(usual)(in))
				return s.Add(s, usual.n).Bytes() // in 256 bytes or 257: wrong either way
			}).compact(`{"alg":"RS256"}`, claims())
		},
	}, Case{
		ID: "B9", Name: "signature_leading_zero", Key: rsKey(), Control: rsControl, Want: []string{"sig.invalid"},
		Token: func() string {
			return signer(func(in string) []byte { return append([]byte{0}, rs(usual)(in)...) }).compact(`{"alg":"RS256"}`, claims())
		},
	})

	for _, v := range []struct {
		name string
		edit func(sig []byte) []byte
	}{
		{"empty", func([]byte) []byte { return nil }},
		{"1_byte", func(sig []byte) []byte { return sig[:1] }},
		{"16_bytes", func(sig []byte) []byte { return sig[:16] }},
		{"31_bytes", func(sig []byte) []byte { return sig[:31] }},
		{"33_bytes", func(sig []byte) []byte { return append(sig, 0) }},
		{"last_bit", func(sig []byte) []byte { sig[31] ^= 1; return sig }},
		{"first_bit", func(sig []byte) []byte { sig[0] ^= 0x80; return sig }},
		{"zero", func([]byte) []byte { return make([]byte, 32) }},
		{"hex", func(sig []byte) []byte { return fmt.Appendf(nil, "%x", sig) }},
	} {
		out = append(out, Case{
			ID: "B10", Name: "MAC_" + v.name, Want: []string{"sig.invalid"},
			Token: func() string {
				return signer(func(in string) []byte { return v.edit(hsSign(in)) }).compact(`{"alg":"HS256"}`, claims())
			},
		})
	}

	// RFC 7515, Appendix F: the payload taken out, and another one put in.
	good := strings.Split(hs(`{"alg":"HS256"}`, claims()), ".")
	out = append(out, Case{
		ID: "B13", Name: "payload_taken_out", Token: fixed(good[0] + ".." + good[2]), Want: []string{"sig.invalid", "token.malformed"},
	}, Case{
		ID: "B13", Name: "payload_swapped", Want: []string{"sig.invalid"},
		Token: fixed(good[0] + "." + enc(claims("sub", `"mallory"`)) + "." + good[2]),
	})
	return out
}

func addScalar(sig []byte, n *big.Int) []byte {
	s := bytes.Clone(sig[32:])
	slices.Reverse(s)
	sum := new(big.Int).SetBytes(s)
	sum.Add(sum, n).FillBytes(s)
	slices.Reverse(s)
	return append(sig[:32:32], s...)
}

// fieldElement is the little-endian encoding of p - 19 + n for Ed25519's
// p = 2^255 - 19: numbers from 19 on are not canonical.
func fieldElement(n int64) []byte {
	v := new(big.Int).Lsh(big.NewInt(1), 255)
	v.Sub(v, big.NewInt(38)).Add(v, big.NewInt(n))
	b := v.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

func cubeRoot(n *big.Int) *big.Int {
	lo, hi := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(n.BitLen()/3+1))
	for lo.Cmp(hi) < 0 {
		mid := new(big.Int).Add(lo, hi)
		mid.Add(mid, big.NewInt(1)).Rsh(mid, 1)
		if new(big.Int).Exp(mid, big.NewInt(3), nil).Cmp(n) > 0 {
			hi = mid.Sub(mid, big.NewInt(1))
		} else {
			lo = mid
		}
	}
	return lo
}

// oddNumber is a number of so many bits that stands in for a modulus.
func oddNumber(bits int) string {
	b := seed("modulus", bits/8)
	b[0] |= 0x80
	b[len(b)-1] |= 1
	return b64.EncodeToString(b)
}
