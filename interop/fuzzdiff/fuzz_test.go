package fuzzdiff

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/jotsuite/jot/interop/peers"
	"github.com/jotsuite/jot/jose/jwt"
)

// signers have fixed keys, so that a corpus means the same everywhere.
var signers = []struct {
	key  peers.Key
	sign func(input string) []byte
}{
	{peers.Key{Algorithm: "HS256", Raw: secret}, func(input string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(input))
		return m.Sum(nil)
	}},
	{peers.Key{Algorithm: "ES256", Raw: &ec.PublicKey}, func(input string) []byte {
		d := sha256.Sum256([]byte(input))
		var pair struct{ R, S *big.Int }
		must(asn1.Unmarshal(must(ec.Sign(rand.Reader, d[:], crypto.SHA256)), &pair))
		return append(pair.R.FillBytes(make([]byte, 32)), pair.S.FillBytes(make([]byte, 32))...)
	}},
	{peers.Key{Algorithm: "EdDSA", Raw: ed.Public()}, func(input string) []byte { return ed25519.Sign(ed, []byte(input)) }},
}

var (
	secret = []byte("fuzzing secret of 32 bytes: fine")
	ec     = must(ecdsa.ParseRawPrivateKey(elliptic.P256(), secret))
	ed     = ed25519.NewKeyFromSeed(secret)
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const claims = `{"iss":"https://as.example","sub":"alice","aud":"https://api.example","exp":1767272400,"iat":1767268800,"scope":"all"}`

var seedHeaders = []string{
	`{"alg":"%s"}`, `{"typ":"JWT","alg":"%s","kid":"k1"}`, `{"alg":"%s","typ":"at+jwt"}`, `{"alg":"%s","crit":["x"],"x":1}`, `{"alg":"%s","crit":[]}`,
	`{"alg":"%s","crit":["b64"],"b64":true}`, `{"alg":"%s","crit":["b64"],"b64":false}`, `{"alg":"%s","b64":false}`, `{"alg":"%s","alg":"none"}`,
	`{"alg":"none"}`, `{"ALG":"%s"}`, `{"alg":"%s","kid":1}`, `{"alg":"%s","x":{"a":1,"a":2}}`, `{"alg":"%s"} {}`, "{\"alg\":\"%s\",\"x\":\"\xff\"}",
	`{"alg":"%s","jwk":{"kty":"oct","k":"AA"}}`, `{"alg":"%s","x5c":["AAAA"],"x5t":"AA","jku":"https://evil.example"}`, `{"alg":"%s","cty":"JWT"}`,
	`{"alg":"%s","typ":null}`, `{"alg":"%s","kid":null}`, `null`, `[]`, ` {"alg" : "%s" } `, `{"\u0061lg":"%s"}`, `{"alg":"%s","":""}`, "{\"alg\":\"%s\",\"x\":\"\x00\"}",
}

var seedClaims = []string{
	claims,
	`{"iss":"https://as.example","sub":"alice","aud":["x","https://api.example"],"exp":1767272400.5,"nbf":1.767268800e9,"jti":"1"}`,
	strings.Replace(claims, `"exp"`, `"EXP"`, 1), strings.Replace(claims, `"scope"`, `"SUB":"mallory","scope"`, 1), strings.Replace(claims, `"sub"`, `"sub":"mallory","sub"`, 1),
	strings.Replace(claims, `"iss"`, `"iſs"`, 1), strings.Replace(claims, `1767272400`, `"1767272400"`, 1), strings.Replace(claims, `1767272400`, `null`, 1),
	strings.Replace(claims, `1767272400`, `1e300`, 1), strings.Replace(claims, `1767272400`, `1767268800`, 1), strings.Replace(claims, `1767272400`, `1767268800.5`, 1),
	strings.Replace(claims, `1767268800`, `1767268801`, 1), strings.Replace(claims, `"alice"`, `1`, 1), strings.Replace(claims, `"alice"`, `null`, 1),
	strings.Replace(claims, `"alice"`, `"\ud800"`, 1), strings.Replace(claims, `"alice"`, "\"\xff\"", 1), strings.Replace(claims, `"alice"`, `"\ud83d\ude00"`, 1),
	strings.Replace(claims, `"https://api.example"`, `["https://api.example",1]`, 1), strings.Replace(claims, `"https://api.example"`, `""`, 1),
	strings.Replace(claims, `"all"`, `["all"]`, 1), strings.Replace(claims, `"all"`, `null`, 1), strings.Replace(claims, `"all"`, `"\u0000"`, 1),
	strings.Replace(claims, `"all"`, strings.Repeat("[", 40)+strings.Repeat("]", 40), 1), strings.Replace(claims, `"scope"`, `"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,"scope"`, 1), claims + "{}", claims + " ", "\ufeff" + claims, `null`, `[]`, `{}`, ``,
	`{"iss":"https://as.example","aud":"https://api.example","exp":1767272400,"nbf":1767272401}`, `{"iss":"https://as.example","aud":"https://api.example","exp":-1}`,
	strings.Replace(claims, `"scope"`, `"nbf":1767268800.5,"scope"`, 1), strings.Replace(claims, `1767272400`, `1767272400,"nbf":1767272410`, 1),
	strings.Replace(claims, `"scope"`, `"nbf":1767268700,"scope"`, 1), strings.Replace(claims, `1767272400`, `1767268700.5`, 1),
	strings.Replace(claims, `"scope"`, `"nbf":null,"scope"`, 1), strings.Replace(claims, `"scope"`, `"iat":"1","scope"`, 1), strings.Replace(claims, `"scope"`, `"a":{"b":1,"b":2},"scope"`, 1),
}

// FuzzDifferential signs the header and the payload as they come, with an insertion
// anywhere in their text, and puts a tail after the signature. Without a header the
// payload is the whole token.
func FuzzDifferential(f *testing.F) {
	for i, s := range signers {
		for _, header := range seedHeaders {
			header = strings.ReplaceAll(header, "%s", s.key.Algorithm)
			f.Add(uint8(i), []byte(header), []byte(claims), uint16(0), []byte{}, []byte{})
		}
		header := []byte(fmt.Sprintf(`{"alg":"%s"}`, s.key.Algorithm))
		for _, payload := range seedClaims {
			f.Add(uint8(i), header, []byte(payload), uint16(0), []byte{}, []byte{})
		}
		for _, insert := range inserts {
			f.Add(uint8(i), header, []byte(claims), uint16(7), []byte(insert), []byte{})
			f.Add(uint8(i), header, []byte(claims), uint16(30), []byte(insert), []byte{})
			f.Add(uint8(i), header, []byte(claims), uint16(0), []byte{}, []byte(insert))
			f.Add(uint8(i), header, []byte(claims), uint16(1<<15), []byte(insert), []byte{})
		}
		text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
		f.Add(uint8(i), []byte{}, []byte(text+"."+base64.RawURLEncoding.EncodeToString(s.sign(text))), uint16(0), []byte{}, []byte{})
	}
	for _, token := range rawSeeds {
		f.Add(uint8(0), []byte{}, []byte(token), uint16(0), []byte{}, []byte{})
	}
	libraries := peers.All()
	f.Fuzz(func(t *testing.T, which uint8, header, payload []byte, at uint16, insert, tail []byte) {
		s := signers[int(which)%len(signers)]
		token := string(payload)
		if len(header) > 0 {
			text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
			cut := int(at) % (len(text) + 1)
			text = text[:cut] + string(insert) + text[cut:]
			token = text + "." + base64.RawURLEncoding.EncodeToString(s.sign(text)) + string(tail)
		}
		for _, d := range compare(s.key, token, libraries) {
			if _, ok := explain(d); !ok {
				t.Errorf("%s and jot differ, and no class explains it\ntoken %q\nheader %q\nclaims %q\njot refuses: %q\n%s refuses: %v\nother claims: %t",
					d.peer, d.token, d.header, d.payload, d.codes, d.peer, d.peerErr, d.other)
			}
		}
	})
}

// compare lists the differences between jot and each peer.
func compare(key peers.Key, token string, libraries []peers.Library) []difference {
	ours, err := peers.Jot.Verify(key, token)
	var codes []string
	if err != nil {
		codes = []string{"?"}
		var rejected *jwt.RejectError
		if errors.As(err, &rejected) {
			codes = rejected.Codes()
		}
	}
	header, payload := loosely(token)
	var out []difference
	for _, l := range libraries {
		theirs, peerErr := l.Verify(key, token)
		other := err == nil && peerErr == nil && ours != theirs
		if (err == nil) != (peerErr == nil) || other {
			out = append(out, difference{l.Name, token, header, payload, codes, peerErr, other})
		}
	}
	return out
}

// loosely decodes the first two parts as the laxest peer might.
func loosely(token string) (header, payload []byte) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) < 2 {
		return nil, nil
	}
	decode := func(s string) []byte {
		s = strings.NewReplacer("+", "-", "/", "_", "=", "", "\r", "", "\n", "").Replace(s)
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			return nil
		}
		return b
	}
	return decode(parts[0]), decode(parts[1])
}

// rawSeeds are tokens as they stand: RFC 7515, A.1, without the key it names, a
// token without a signature, one that is encrypted, and rubbish.
var rawSeeds = []string{
	"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
	"eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
	"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", "", ".", "..", "...", "a.b.c", "{}",
	`{"payload":"e30","protected":"eyJhbGciOiJIUzI1NiJ9","signature":"AAAA"}`,
}

// TestClasses crosses the seeds with one another, and finds classes that explain
// nothing.
func TestClasses(t *testing.T) {
	s := signers[0]
	libraries := peers.All()
	used := map[string]int{}
	run := func(text, tail string) {
		token := text + "." + base64.RawURLEncoding.EncodeToString(s.sign(text)) + tail
		for _, d := range compare(s.key, token, libraries) {
			c, ok := explain(d)
			if !ok {
				t.Errorf("%s and jot differ, and no class explains it: header %q, claims %q, jot %q, %s %v", d.peer, d.header, d.payload, d.codes, d.peer, d.peerErr)
			}
			used[c.name]++
		}
	}
	encode := base64.RawURLEncoding.EncodeToString
	for _, header := range seedHeaders {
		header = strings.ReplaceAll(header, "%s", s.key.Algorithm)
		for _, payload := range seedClaims {
			run(encode([]byte(header))+"."+encode([]byte(payload)), "")
		}
	}
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode([]byte(claims))
	for _, insert := range inserts {
		for _, at := range []int{0, 7, 20, 30, len(text)} {
			run(text[:at]+insert+text[at:], "")
		}
		run(text, insert)
	}
	run(encode([]byte(`{"alg":"HS256"}`))+"."+loose(encode([]byte(claims+strings.Repeat(" ", 2-(len(claims)+1)%3)))), "")
	run(text+strings.Repeat("A", 1<<17), "")
	for _, c := range classes {
		if used[c.name] == 0 {
			t.Errorf("the class %q explains nothing", c.name)
		}
	}
	t.Log(used)
}

// loose sets an unused bit in the last character.
func loose(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return s[:len(s)-1] + string(alphabet[strings.IndexByte(alphabet, s[len(s)-1])+1])
}

var inserts = []string{"\n", "\r", " ", "=", "+", "/", ".", "AA", "%", "\x00", "é"}
