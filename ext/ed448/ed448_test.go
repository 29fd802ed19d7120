package ed448_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/ext/ed448"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

var (
	ctx       = context.Background()
	extension = ed448.Extension()
	binding   = jwk.Binding{Extensions: []jwk.Extension{extension}}
	encode    = base64.RawURLEncoding.EncodeToString
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// codeOf reads the stable code of a refusal, as any program may.
func codeOf(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}

// The first key of RFC 8032, Section 7.4.
const (
	seed  = "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b"
	point = "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180"
	prime = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff00"
)

func members(t *testing.T) map[string]string {
	return map[string]string{"kty": "OKP", "crv": "Ed448", "kid": "1", "x": encode(unhex(t, point)), "d": encode(unhex(t, seed))}
}

func parse(t *testing.T, members map[string]string) jwk.JWK {
	t.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	j, err := jwk.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// TestRFC8032 has the vectors without a context: JOSE has none.
func TestRFC8032(t *testing.T) {
	for _, c := range []struct{ name, seed, public, message, signature string }{
		{
			"blank", seed, point, "",
			"533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980" +
				"ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600",
		},
		{
			"1 octet", "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
			"43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480", "03",
			"26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd77980" +
				"5e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00",
		},
		{
			"11 octets", "cd23d24f714274e744343237b93290f511f6425f98e64459ff203e8985083ffdf60500553abc0e05cd02184bdb89c4ccd67e187951267eb328",
			"dcea9e78f35a1bf3499a831b10b86c90aac01cd84b67a0109b55a36e9328b1e365fce161d71ce7131a543ea4cb5f7e9f1d8b00696447001400", "0c3e544074ec63b0265e0c",
			"1f0a8888ce25e8d458a21130879b840a9089d999aaba039eaf3e3afa090a09d389dba82c4ff2ae8ac5cdfb7c55e94d5d961a29fe0109941e00" +
				"b8dbdeea6d3b051068df7254c0cdc129cbe62db2dc957dbb47b51fd3f213fb8698f064774250a5028961c9bf8ffd973fe5d5c206492b140e00",
		},
	} {
		key, err := parse(t, map[string]string{"kty": "OKP", "crv": "Ed448", "x": encode(unhex(t, c.public)), "d": encode(unhex(t, c.seed))}).PrivateKey(binding)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := key.Sign(ctx, unhex(t, c.message))
		if err != nil || hex.EncodeToString(got) != c.signature {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
		if err := key.Public().Verify(unhex(t, c.message), unhex(t, c.signature)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestSet holds that a set uses such a key where it is given the extension, and
// leaves out that key alone where it is not.
func TestSet(t *testing.T) {
	key, err := jwk.Generate(extension.Algorithm, extension)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwk.Generate(jwa.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jwk.Set{key.Public(), other.Public()})
	if err != nil || strings.Contains(string(text), `"d"`) {
		t.Fatalf("%s, %v", text, err)
	}
	with, skipped, err := jwk.ParseSet(text, binding)
	if err != nil || len(with) != 2 || len(skipped) != 0 {
		t.Fatalf("%d keys, skipped %v, %v", len(with), skipped, err)
	}
	without, skipped, err := jwk.ParseSet(text, jwk.Binding{})
	if err != nil || len(without) != 1 || len(skipped) != 1 || skipped[0].KeyID != key.KeyID() || codeOf(skipped[0].Err) != "key.unsupported" {
		t.Fatalf("%d keys, skipped %v, %v", len(without), skipped, err)
	}

	registered := jwt.Registered{Issuer: "issuer", Audience: jwt.Audience{"me"}, Expiry: time.Now().Add(time.Hour)}
	policy := jwt.Policy{Issuers: []string{"issuer"}, Audiences: []string{"me"}}
	for _, c := range []struct {
		name string
		set  jwk.Set
		key  jwk.Signer
		only []jwa.Algorithm
		want string // the code of jws; that of jwt is the same
	}{
		{"with", with, key, nil, ""},
		{"with, narrowed", with, key, []jwa.Algorithm{extension.Algorithm}, ""},
		{"narrowed to another", with, key, []jwa.Algorithm{jwa.EdDSA}, "alg.not_allowed"},
		{"without", without, key, nil, "alg.unknown"},
		{"with, the other key", with, other, nil, ""},
		{"without, the other key", without, other, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := jws.Sign(ctx, c.key, jws.Header{}, []byte("payload"))
			if err != nil {
				t.Fatal(err)
			}
			message, err := jws.Verify(ctx, c.set, raw, jws.Options{Algorithms: c.only})
			if codeOf(err) != c.want || err == nil && string(message.Payload) != "payload" {
				t.Errorf("jws: %v", err)
			}
			policy := policy
			policy.Algorithms = c.only
			v, err := jwt.NewVerifier[struct{}](c.set, policy)
			if err != nil {
				t.Fatal(err)
			}
			if raw, err = jwt.Sign(ctx, c.key, jwt.Header{}, registered, struct{}{}); err != nil {
				t.Fatal(err)
			}
			token, err := v.Verify(ctx, raw)
			if codeOf(err) != c.want || err == nil && token.Key.KeyID() != c.key.KeyID() {
				t.Errorf("jwt: %v", err)
			}
		})
	}
}

// TestOldName holds that the name EdDSA, which both curves had, is not one of Ed448.
func TestOldName(t *testing.T) {
	key, err := parse(t, members(t)).PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Sign(ctx, key, jws.Header{Algorithm: "EdDSA"}, nil); codeOf(err) != "alg.mismatch" {
		t.Errorf("signed: %v", err)
	}
	input := encode([]byte(`{"alg":"EdDSA","kid":"1"}`)) + "." + encode([]byte("payload"))
	signature, err := key.Sign(ctx, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(ctx, jwk.Set{key.Public()}, input+"."+encode(signature), jws.Options{}); codeOf(err) != "alg.mismatch" {
		t.Errorf("verified: %v", err)
	}
}

func TestKeys(t *testing.T) {
	other, err := extension.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var stranger map[string]string
	if err := json.Unmarshal(other, &stranger); err != nil {
		t.Fatal(err)
	}
	// below returns the prime less n, n at most 255.
	below := func(n byte) []byte {
		b := unhex(t, prime)
		b[0] -= n
		return b
	}
	at := func(n int, value byte) []byte {
		b := make([]byte, 57)
		b[n] = value
		return b
	}
	for _, c := range []struct {
		name    string
		members map[string]string // over those of the first key; an empty value takes one away
		public  string            // the code of the refusal, empty if it is accepted
		private string
	}{
		{"control", nil, "", ""},
		{"alg", map[string]string{"alg": "Ed448"}, "", ""},
		{"no d", map[string]string{"d": ""}, "", "key.invalid"},
		{"the name that is Ed25519's", map[string]string{"alg": "EdDSA"}, "alg.mismatch", "alg.mismatch"},
		{"alg of Ed25519", map[string]string{"alg": "Ed25519"}, "alg.mismatch", "alg.mismatch"},
		{"Ed25519", map[string]string{"crv": "Ed25519", "alg": "Ed448"}, "alg.mismatch", "alg.mismatch"},
		{"for encryption", map[string]string{"use": "enc"}, "key.use", "key.use"},
		{"no x", map[string]string{"x": ""}, "key.invalid", "key.invalid"},
		{"y", map[string]string{"y": encode(unhex(t, point))}, "key.invalid", "key.invalid"},
		{"short x", map[string]string{"x": encode(unhex(t, point)[:56])}, "key.invalid", "key.invalid"},
		{"long x", map[string]string{"x": encode(append(unhex(t, point), 0))}, "key.invalid", "key.invalid"},
		{"padded x", map[string]string{"x": members(t)["x"] + "="}, "key.invalid", "key.invalid"},
		{"line break in x", map[string]string{"x": members(t)["x"] + "\n"}, "key.invalid", "key.invalid"},
		{"no point", map[string]string{"x": encode(at(0, 2))}, "key.invalid", "key.invalid"},
		{"a bit beside the sign", map[string]string{"x": encode(append(unhex(t, point)[:56], 0x81))}, "key.invalid", "key.invalid"},
		{"not below the prime", map[string]string{"x": encode(unhex(t, prime))}, "key.invalid", "key.invalid"},
		{"order 1", map[string]string{"x": encode(at(0, 1))}, "key.weak", "key.weak"},
		{"order 1, not canonical", map[string]string{"x": encode(append(at(0, 1)[:56], 0x80))}, "key.invalid", "key.invalid"},
		{"order 2", map[string]string{"x": encode(below(1))}, "key.weak", "key.weak"},
		{"order 4", map[string]string{"x": encode(at(0, 0))}, "key.weak", "key.weak"},
		{"order 4, the other sign", map[string]string{"x": encode(at(56, 0x80))}, "key.weak", "key.weak"},
		{"x of another key", map[string]string{"x": stranger["x"]}, "", "key.invalid"},
		{"d of another key", map[string]string{"d": stranger["d"]}, "", "key.invalid"},
		{"short d", map[string]string{"d": encode(unhex(t, seed)[:56])}, "", "key.invalid"},
		{"line breaks in d", map[string]string{"d": strings.Repeat("A", 74) + "\n\n"}, "", "key.invalid"},
		{"long d", map[string]string{"d": encode(append(unhex(t, seed), unhex(t, point)...))}, "", "key.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := members(t)
			maps.Copy(m, c.members)
			maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
			j := parse(t, m)
			if _, err := j.PublicKey(binding); codeOf(err) != c.public {
				t.Errorf("public: %v", err)
			}
			if _, err := j.PrivateKey(binding); codeOf(err) != c.private {
				t.Errorf("private: %v", err)
			}
		})
	}
}

func TestSignatures(t *testing.T) {
	key, err := parse(t, members(t)).PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	good, err := key.Sign(ctx, message)
	if err != nil {
		t.Fatal(err)
	}
	order := unhex(t, "f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffffffffffffffffffffffffffffffffffffffffffffffffff3f00")
	r, s := good[:57:57], good[57:]
	// s and the order, which is another spelling of s.
	twin, carry := make([]byte, 57), 0
	for i := range twin {
		carry += int(s[i]) + int(order[i])
		twin[i] = byte(carry)
		carry >>= 8
	}
	for name, bad := range map[string][]byte{
		"empty":           nil,
		"short":           good[:113],
		"long":            append(good[:114:114], 0),
		"swapped":         append(s[:57:57], r...),
		"s and the order": append(r, twin...),
		"the order":       append(r, order...),
		"all zeros":       make([]byte, 114),
		"high bits of s":  append(good[:113:113], good[113]|0x80),
	} {
		if err := key.Public().Verify(message, bad); codeOf(err) != "sig.invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := key.Public().Verify([]byte("massage"), good); codeOf(err) != "sig.invalid" {
		t.Errorf("another message: %v", err)
	}
}

func TestThumbprint(t *testing.T) {
	j := parse(t, members(t))
	key, err := j.PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	h := crypto.SHA256.New()
	h.Write([]byte(`{"crv":"Ed448","kty":"OKP","x":"` + members(t)["x"] + `"}`))
	if got, err := key.JWK().Thumbprint(crypto.SHA256); err != nil || got != encode(h.Sum(nil)) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestFIPS runs itself again in the mode that forbids the curve.
func TestFIPS(t *testing.T) {
	if os.Getenv("GODEBUG") == "fips140=only" {
		_, err := parse(t, members(t)).PublicKey(binding)
		if codeOf(err) != "key.fips" || !errors.Is(err, jwk.ErrInvalid) {
			t.Errorf("%v", err)
		}
		for what, f := range map[string]func() error{
			"Check":    func() error { return agreement.Check(make([]byte, 56)) },
			"Generate": func() error { _, err := agreement.Generate(); return err },
			"Public":   func() error { _, err := agreement.Public(make([]byte, 56)); return err },
		} {
			if err := f(); codeOf(err) != "key.fips" {
				t.Errorf("X448, %s: %v", what, err)
			}
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFIPS$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
