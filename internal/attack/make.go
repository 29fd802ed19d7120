package attack

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	_ "crypto/sha1" // so that crypto.SHA1, crypto.SHA384 and crypto.SHA512 are linked
	_ "crypto/sha512"
)

// keysJSON holds private RSA keys made for this table: two usual ones, one with
// e = 3, two that are too short, and one with the primes of the ROCA flaw.
//
//go:embed keys.json
var keysJSON []byte

var b64 = base64.RawURLEncoding

func enc(s string) string { return b64.EncodeToString([]byte(s)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// claims returns the usual claims with edits, as [Members] has them.
func claims(edits ...string) string {
	return Members([][2]string{
		{"iss", `"` + Issuer + `"`},
		{"sub", `"alice"`},
		{"aud", `"` + Audience + `"`},
		{"exp", fmt.Sprint(Unix + 3600)},
		{"iat", fmt.Sprint(Unix)},
		{"jti", `"n-0S6"`},
	}, edits...)
}

// Members writes an object of members, each a name and raw JSON, with edits: pairs of a name and a raw
// value, which need not be JSON; the value "-" takes the member out.
func Members(members [][2]string, edits ...string) string {
	members = slices.Clone(members)
	for i := 0; i < len(edits); i += 2 {
		at := slices.IndexFunc(members, func(m [2]string) bool { return m[0] == edits[i] })
		switch {
		case at >= 0 && edits[i+1] == "-":
			members = slices.Delete(members, at, at+1)
		case at >= 0:
			members[at][1] = edits[i+1]
		case edits[i+1] != "-":
			members = append(members, [2]string{edits[i], edits[i+1]})
		}
	}
	var b strings.Builder
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + m[0] + `":` + m[1])
	}
	return "{" + b.String() + "}"
}

// signer makes the signature over a signing input.
type signer func(input string) []byte

// compact signs the header and the payload exactly as they are written.
func (s signer) compact(header, payload string) string {
	return s.seal(enc(header) + "." + enc(payload))
}

// seal signs text that need not be the encoding of anything.
func (s signer) seal(input string) string { return input + "." + b64.EncodeToString(s(input)) }

func seed(label string, n int) []byte {
	out := []byte{}
	for i := 0; len(out) < n; i++ {
		h := sha256.Sum256(fmt.Appendf(nil, "jot attack catalogue: %s %d", label, i))
		out = append(out, h[:]...)
	}
	return out[:n]
}

func mac(h crypto.Hash, secret []byte) signer {
	return func(input string) []byte {
		m := hmac.New(h.New, secret)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

// The usual shared key.
var (
	secret = seed("secret", 32)
	octKey = Key{Kind: JWK, Data: object("kty", "oct", "alg", "HS256", "k", b64.EncodeToString(secret))}
	hsSign = mac(crypto.SHA256, secret)
)

func hs(header, payload string) string { return hsSign.compact(header, payload) }

// object is a JSON object of pairs, in their order; a value that is not a string
// is marshalled.
func object(pairs ...any) []byte {
	var b bytes.Buffer
	for i := 0; i < len(pairs); i += 2 {
		b.WriteByte(",{"[btoi(i == 0)])
		b.Write(must(json.Marshal(pairs[i])))
		b.WriteByte(':')
		b.Write(must(json.Marshal(pairs[i+1])))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// set is a JWK set of descriptions.
func set(keys ...[]byte) Key {
	return Key{Kind: JWKSet, Data: fmt.Appendf(nil, `{"keys":[%s]}`, bytes.Join(keys, []byte(",")))}
}

func one(description []byte) Key { return Key{Kind: JWK, Data: description} }

func ecKey(c elliptic.Curve, label string) *ecdsa.PrivateKey {
	size := (c.Params().BitSize + 7) / 8
	for i := 0; ; i++ {
		d := seed(fmt.Sprint(label, i), size)
		if size == 66 {
			d[0] &= 1 // P-521 has 521 bits
		}
		if k, err := ecdsa.ParseRawPrivateKey(c, d); err == nil {
			return k
		}
	}
}

// ecJWK describes the public half.
func ecJWK(k *ecdsa.PrivateKey, more ...any) []byte {
	return pointJWK(must(k.PublicKey.ECDH()), more...)
}

// es signs with r and s side by side, RFC 7518, Section 3.4.
func es(k *ecdsa.PrivateKey, h crypto.Hash) signer {
	return func(input string) []byte {
		r, s := esPair(k, h, input)
		return p1363(k, r, s)
	}
}

func esPair(k *ecdsa.PrivateKey, h crypto.Hash, input string) (r, s *big.Int) {
	der := must(ecdsa.SignASN1(rand.Reader, k, digest(h, input)))
	var pair struct{ R, S *big.Int }
	must(asn1.Unmarshal(der, &pair))
	return pair.R, pair.S
}

func p1363(k *ecdsa.PrivateKey, r, s *big.Int) []byte {
	n := (k.Params().BitSize + 7) / 8
	out := make([]byte, 2*n)
	r.FillBytes(out[:n])
	s.FillBytes(out[n:])
	return out
}

func digest(h crypto.Hash, input string) []byte {
	d := h.New()
	d.Write([]byte(input))
	return d.Sum(nil)
}

func edKey(label string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seed(label, 32)) }

func ed(k ed25519.PrivateKey) signer {
	return func(input string) []byte { return ed25519.Sign(k, []byte(input)) }
}

func edJWK(public []byte, more ...any) []byte {
	return object(append([]any{"kty", "OKP", "crv", "Ed25519", "x", b64.EncodeToString(public)}, more...)...)
}

// rsaKey is a key as plain numbers, so that one which crypto/rsa refuses can sign too.
type rsaKey struct {
	members map[string]string
	n, d    *big.Int
	e       int64
}

var rsaKeys = sync.OnceValue(func() map[string]*rsaKey {
	var all map[string]map[string]string
	if err := json.Unmarshal(keysJSON, &all); err != nil {
		panic(err)
	}
	keys := map[string]*rsaKey{}
	for name, m := range all {
		keys[name] = &rsaKey{members: m, n: number(m["n"]), d: number(m["d"]), e: number(m["e"]).Int64()}
	}
	return keys
})

func number(s string) *big.Int { return new(big.Int).SetBytes(must(b64.DecodeString(s))) }

// jwk describes the public half.
func (k *rsaKey) jwk(more ...any) []byte {
	return object(append([]any{"kty", "RSA", "n", k.members["n"], "e", k.members["e"]}, more...)...)
}

// private describes the whole key, with members replaced.
func (k *rsaKey) private(edits ...any) []byte {
	pairs := []any{"kty", "RSA", "alg", "RS256"}
	for _, name := range []string{"n", "e", "d", "p", "q", "dp", "dq", "qi"} {
		pairs = append(pairs, name, k.members[name])
	}
	for i := 0; i < len(edits); i += 2 {
		if at := slices.Index(pairs, edits[i]); at >= 0 {
			pairs[at+1] = edits[i+1]
		} else {
			pairs = append(pairs, edits[i], edits[i+1])
		}
	}
	return object(pairs...)
}

func (k *rsaKey) public() *rsa.PublicKey { return &rsa.PublicKey{N: k.n, E: int(k.e)} }

func (k *rsaKey) size() int { return (k.n.BitLen() + 7) / 8 }

// raw is the private operation on an encoded message.
func (k *rsaKey) raw(em []byte) []byte {
	m := new(big.Int).SetBytes(em)
	return new(big.Int).Exp(m, k.d, k.n).FillBytes(make([]byte, k.size()))
}

// digestInfo is the DER that precedes a SHA-256 digest, RFC 8017, Section 9.2.
var digestInfo = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// emPKCS1 is RFC 8017, Section 9.2, with the DigestInfo given.
func emPKCS1(size int, info []byte) []byte {
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-3-len(info))...)
	return append(append(em, 0), info...)
}

func info256(input string) []byte {
	return append(bytes.Clone(digestInfo), digest(crypto.SHA256, input)...)
}

func rs(k *rsaKey) signer {
	return func(input string) []byte { return k.raw(emPKCS1(k.size(), info256(input))) }
}

// pss is RFC 8017, Section 9.1.1, with SHA-256, a salt of any length and any mask.
func pss(k *rsaKey, saltLen int, of crypto.Hash) signer {
	return func(input string) []byte {
		salt := seed("salt", saltLen)
		h := digest(crypto.SHA256, string(make([]byte, 8))+string(digest(crypto.SHA256, input))+string(salt))
		size := (k.n.BitLen() - 1 + 7) / 8
		db := make([]byte, size-len(h)-1)
		db[len(db)-saltLen-1] = 1
		copy(db[len(db)-saltLen:], salt)
		mask(of, db, h)
		db[0] &= 0xff >> (8*size - (k.n.BitLen() - 1))
		return k.raw(append(append(db, h...), 0xbc))
	}
}

// cert is a certificate for a key, signed by itself.
func cert(k crypto.Signer, name string) []byte {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(Unix-86400, 0), NotAfter: time.Unix(Unix+86400, 0),
	}
	return must(x509.CreateCertificate(rand.Reader, t, t, k.Public(), k))
}

func pemText(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func spki(public any) []byte { return must(x509.MarshalPKIXPublicKey(public)) }

// ssh is the one-line text of OpenSSH, RFC 4253, Section 6.6: a type and fields
// with their lengths.
func ssh(kind string, fields ...[]byte) string {
	var b []byte
	for _, f := range append([][]byte{[]byte(kind)}, fields...) {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
	}
	return kind + " " + base64.StdEncoding.EncodeToString(b) + " alice@example\n"
}

// The usual asymmetric keys.
var (
	p256      = ecKey(elliptic.P256(), "P-256")
	p256Other = ecKey(elliptic.P256(), "P-256 of a stranger")
	p384      = ecKey(elliptic.P384(), "P-384")
	p521      = ecKey(elliptic.P521(), "P-521")
	edPair    = edKey("Ed25519")
	edOther   = edKey("Ed25519 of a stranger")
	es256     = es(p256, crypto.SHA256)
	es384     = es(p384, crypto.SHA384)
)

func esKey() Key { return one(ecJWK(p256, "alg", "ES256")) }

func rsKey() Key { return one(rsaKeys()["rsa"].jwk("alg", "RS256")) }

// The controls of a case whose key is one of these.
func esControl() string { return es256.compact(`{"alg":"ES256"}`, claims()) }

func rsControl() string { return rs(rsaKeys()["rsa"]).compact(`{"alg":"RS256"}`, claims()) }

func edControl() string { return ed(edPair).compact(`{"alg":"EdDSA"}`, claims()) }
