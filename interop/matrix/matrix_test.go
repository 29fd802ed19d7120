// Package matrix counts how many clear violations of the specifications jot and its
// peers let through. Of jot it is demanded that there are none; of the others it is
// only reported. It also exchanges encrypted tokens with them and with jose of npm,
// in every combination of algorithm and encryption, and prints who does which:
//
//	GOWORK=off go test -v ./matrix
package matrix

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/jotsuite/jot/interop/peers"
)

var b64 = base64.RawURLEncoding

func enc(s string) string { return b64.EncodeToString([]byte(s)) }

var secret = []byte("a secret that is 32 bytes long!!")

// seal makes an HS256 signature over the text as it is.
func seal(secret []byte, input string) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(input))
	return input + "." + b64.EncodeToString(m.Sum(nil))
}

func hs(header, payload string) string { return seal(secret, enc(header)+"."+enc(payload)) }

const (
	header = `{"alg":"HS256"}`
	claims = `{"iss":"https://as.example","sub":"alice","aud":"https://api.example","exp":1767272400,"iat":1767268800}`
)

// with adds members to the claims; without takes one away.
func with(members string) string { return strings.TrimSuffix(claims, "}") + "," + members + "}" }

func replaced(from, to string) string {
	out := strings.Replace(claims, from, to, 1)
	if out == claims {
		panic(from)
	}
	return out
}

type violation struct {
	rule, clause string
	token        string
	key          peers.Key // zero: the usual secret
}

var usual = peers.Key{Algorithm: "HS256", Raw: secret}

func violations() []violation {
	inHeader := func(rule, clause, header string) violation {
		return violation{rule: rule, clause: clause, token: hs(header, claims)}
	}
	inClaims := func(rule, clause, payload string) violation {
		return violation{rule: rule, clause: clause, token: hs(header, payload)}
	}
	h, p, s := enc(header), enc(claims), ""
	good := hs(header, claims)
	s = good[strings.LastIndexByte(good, '.')+1:]
	list := []violation{
		inHeader("duplicate header member", "RFC 7515, Section 4", `{"alg":"HS256","kid":"a","kid":"b"}`),
		inHeader("duplicate alg", "RFC 7515, Section 4", `{"alg":"none","alg":"HS256"}`),
		inHeader("crit names an unknown extension", "RFC 7515, Section 4.1.11", `{"alg":"HS256","crit":["x"],"x":1}`),
		inHeader("crit is empty", "RFC 7515, Section 4.1.11", `{"alg":"HS256","crit":[]}`),
		inHeader("crit is no list", "RFC 7515, Section 4.1.11", `{"alg":"HS256","crit":"x"}`),
		inHeader("crit names what is absent", "RFC 7515, Section 4.1.11", `{"alg":"HS256","crit":["b64"]}`),
		inHeader("crit names a registered member", "RFC 7515, Section 4.1.11", `{"alg":"HS256","crit":["alg"]}`),
		inHeader("b64 false in a JWT", "RFC 7797, Section 7", `{"alg":"HS256","b64":false,"crit":["b64"]}`),
		inHeader("b64 false without crit", "RFC 7797, Section 6", `{"alg":"HS256","b64":false}`),
		inHeader("kid is a number", "RFC 7515, Section 4.1.4", `{"alg":"HS256","kid":1}`),
		inHeader("typ is a number", "RFC 7515, Section 4.1.9", `{"alg":"HS256","typ":1}`),
		inHeader("an access token where a plain one is due", "RFC 8725, Section 3.11", `{"alg":"HS256","typ":"at+jwt"}`),
		inHeader("ALG for alg", "RFC 7515, Section 4", `{"ALG":"HS256"}`),
		inHeader("invalid UTF-8 in the header", "RFC 8259, Section 8.1", "{\"alg\":\"HS256\",\"x\":\"\xff\"}"),
		inHeader("text after the header", "RFC 8259, Section 2", header+"{}"),

		inClaims("duplicate exp", "RFC 7519, Section 4", replaced(`"exp":1767272400`, `"exp":1,"exp":1767272400`)),
		inClaims("duplicate sub", "RFC 7519, Section 4", with(`"sub":"mallory"`)),
		inClaims("duplicate member inside cnf", "RFC 7519, Section 4", with(`"cnf":{"jkt":"a","jkt":"b"}`)),
		inClaims("EXP for exp", "RFC 7519, Section 4", replaced(`"exp"`, `"EXP"`)),
		inClaims("ISS for iss", "RFC 7519, Section 4", replaced(`"iss"`, `"ISS"`)),
		inClaims("iſs for iss", "RFC 7519, Section 4", replaced(`"iss"`, `"iſs"`)),
		inClaims("invalid UTF-8 in the claims", "RFC 8725, Section 3.7", with("\"x\":\"\xff\"")),
		inClaims("lone surrogate", "RFC 7493, Section 2.1", with(`"x":"\ud800"`)),
		inClaims("text after the claims", "RFC 8259, Section 2", claims+"{}"),
		inClaims("sub is a number", "RFC 7519, Section 4.1.2", replaced(`"alice"`, "1")),
		inClaims("sub is null", "RFC 7519, Section 4.1.2", replaced(`"alice"`, "null")),
		inClaims("jti is a list", "RFC 7519, Section 4.1.7", with(`"jti":["a"]`)),
		inClaims("aud has a number", "RFC 7519, Section 4.1.3", replaced(`"https://api.example"`, `["https://api.example",1]`)),
		inClaims("aud is null", "RFC 7519, Section 4.1.3", replaced(`"https://api.example"`, `null`)),
		inClaims("exp is a string", "RFC 7519, Section 4.1.4", replaced("1767272400", `"1767272400"`)),
		inClaims("iat is a string", "RFC 7519, Section 4.1.6", replaced("1767268800", `"1767268800"`)),
		inClaims("nbf is null", "RFC 7519, Section 4.1.5", with(`"nbf":null`)),
		inClaims("exp is out of range", "RFC 7519, Section 2", replaced("1767272400", `1e300`)),
		inClaims("expired", "RFC 7519, Section 4.1.4", replaced("1767272400", `1767268800`)),
		inClaims("not yet valid", "RFC 7519, Section 4.1.5", with(`"nbf":1767268801`)),
		inClaims("nesting of 5,000 levels", "RFC 8725bis, Section 3.15", with(`"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000))),

		{rule: "CR and LF in a part", clause: "RFC 7515, Section 2", token: seal(secret, h[:4]+"\r\n"+h[4:]+"."+p)},
		{rule: "LF after the token", clause: "RFC 7515, Section 2", token: good + "\n"},
		{rule: "unused bits of the signature", clause: "RFC 4648, Section 3.5", token: h + "." + p + "." + loose(s)},
		{rule: "unused bits of the payload", clause: "RFC 4648, Section 3.5", token: seal(secret, h+"."+loose(enc(claims+strings.Repeat(" ", (4-len(claims)%3)%3)))), key: usual},
		{rule: "padding", clause: "RFC 7515, Section 2", token: good + "="},
		{rule: "standard base64", clause: "RFC 7515, Section 2", token: seal(secret, h+"."+base64.RawStdEncoding.EncodeToString([]byte(with(`"x":"???>>>~~~"`))))},
		{rule: "secret of 1 byte", clause: "RFC 7518, Section 3.2", token: seal([]byte("x"), h+"."+p), key: peers.Key{Algorithm: "HS256", Raw: []byte("x")}},
		{rule: "empty secret", clause: "RFC 7518, Section 3.2", token: seal(nil, h+"."+p), key: peers.Key{Algorithm: "HS256", Raw: []byte{}}},
	}
	return append(list, keyViolations()...)
}

func loose(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])+1])
}

func keyViolations() []violation {
	var list []violation
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	sum := func(input string) []byte { d := sha256.Sum256([]byte(input)); return d[:] }

	// A public key that somebody keeps as the shared secret.
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&rsaKey.PublicKey))})
	list = append(list, violation{
		"public key as the shared secret", "RFC 8725, Section 2.1", seal(text, enc(header)+"."+enc(claims)), peers.Key{Algorithm: "HS256", Raw: text},
	})

	short := shortRSA()
	input := enc(`{"alg":"RS256"}`) + "." + enc(claims)
	list = append(list, violation{
		"RSA key of 1024 bits", "RFC 7518, Section 3.3", input + "." + b64.EncodeToString(must(rsa.SignPKCS1v15(nil, short, crypto.SHA256, sum(input)))),
		peers.Key{Algorithm: "RS256", Raw: &short.PublicKey},
	})

	input = enc(`{"alg":"PS256"}`) + "." + enc(claims)
	sig := must(rsa.SignPSS(rand.Reader, rsaKey, crypto.SHA256, sum(input), &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256}))
	list = append(list, violation{"PSS salt of 20 bytes", "RFC 7518, Section 3.5", input + "." + b64.EncodeToString(sig), peers.Key{Algorithm: "PS256", Raw: &rsaKey.PublicKey}})

	// The neutral element as the key: R = neutral and S = 0 verify for every message.
	neutral := append([]byte{1}, make([]byte, 31)...)
	input = enc(`{"alg":"EdDSA"}`) + "." + enc(claims)
	list = append(list, violation{
		"Ed25519 key of small order", "RFC 8725, Section 3.4", input + "." + b64.EncodeToString(append(neutral, make([]byte, 32)...)),
		peers.Key{Algorithm: "EdDSA", Raw: ed25519.PublicKey(neutral)},
	})

	// What a JWK says of itself.
	point := must(ec.PublicKey.Bytes())
	input = enc(`{"alg":"ES256"}`) + "." + enc(claims)
	r, s := must2(ecdsa.Sign(rand.Reader, ec, sum(input)))
	token := input + "." + b64.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
	jwk := func(members string) peers.Key {
		return peers.Key{Algorithm: "ES256", JWK: fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"%s}`, b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:]), members)}
	}
	return append(
		list,
		violation{"control JWK", "", token, jwk("")},
		violation{"JWK for encryption", "RFC 7517, Section 4.2", token, jwk(`,"use":"enc"`)},
		violation{"JWK whose key_ops lacks verify", "RFC 7517, Section 4.3", token, jwk(`,"key_ops":["encrypt"]`)},
		violation{"JWK for another algorithm", "RFC 7517, Section 4.4", token, jwk(`,"alg":"ES384"`)},
		violation{"JWK with a member twice", "RFC 7517, Section 4", token, jwk(`,"kty":"EC"`)},
		violation{"JWK with KTY for kty", "RFC 7517, Section 4", token, peers.Key{Algorithm: "ES256", JWK: strings.Replace(jwk("").JWK, `"kty"`, `"KTY"`, 1)}},
		violation{"JWK with a coordinate too long", "RFC 7518, Section 6.2.1.2", token, peers.Key{Algorithm: "ES256", JWK: strings.Replace(jwk("").JWK, `"x":"`+b64.EncodeToString(point[1:33]), `"x":"`+b64.EncodeToString(append([]byte{0}, point[1:33]...)), 1)}},
	)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must2[T any](a, b T, err error) (T, T) { return a, must(b, err) }

// shortRSA is a key of 1024 bits; crypto/rsa makes none unless it is told to.
func shortRSA() *rsa.PrivateKey {
	var m map[string]string
	check(json.Unmarshal([]byte(shortKey), &m))
	n := func(name string) *big.Int { return new(big.Int).SetBytes(must(b64.DecodeString(m[name]))) }
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n("n"), E: 65537}, D: n("d"), Primes: []*big.Int{n("p"), n("q")}}
	key.Precompute()
	return key
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func TestViolations(t *testing.T) {
	all := append([]peers.Library{peers.Jot}, peers.All()...)
	for _, l := range all {
		if _, err := l.Verify(usual, hs(header, claims)); err != nil {
			t.Fatalf("%s refuses the control: %v", l.Name, err)
		}
	}
	accepted := map[string]int{}
	table := []string{}
	list := violations()
	count := 0
	for _, v := range list {
		key := v.key
		if key.Algorithm == "" {
			key = usual
		}
		row := fmt.Sprintf("%-42s %-28s", v.rule, v.clause)
		if v.clause != "" {
			count++
		}
		for _, l := range all {
			_, err := l.Verify(key, v.token)
			mark := "."
			switch {
			case errors.Is(err, peers.ErrNotApplicable):
				mark = " "
			case v.clause == "": // the control of those that follow
				mark = "ok"
				if err != nil {
					t.Errorf("%s refuses %s: %v", l.Name, v.rule, err)
				}
			case err == nil:
				mark = "X"
				accepted[l.Name]++
				if l.Name == "jot" {
					t.Errorf("jot accepts: %s", v.rule)
				}
			}
			row += fmt.Sprintf(" %-*s", len(l.Name), mark)
		}
		table = append(table, row)
	}
	head, foot := fmt.Sprintf("%-42s %-28s", "violation (X: accepted)", ""), fmt.Sprintf("%-42s %-28s", fmt.Sprintf("accepted of %d", count), "")
	for _, l := range all {
		head += " " + l.Name
		foot += fmt.Sprintf(" %-*d", len(l.Name), accepted[l.Name])
	}
	t.Logf("\n%s\n%s\n%s", head, strings.Join(table, "\n"), foot)
}
