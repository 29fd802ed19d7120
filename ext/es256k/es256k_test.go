package es256k_test

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

	"github.com/jotsuite/jot/ext/es256k"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

var (
	ctx       = context.Background()
	extension = es256k.Extension()
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

// generator is the key whose private number is 1.
func generator(t *testing.T) map[string]string {
	return map[string]string{
		"kty": "EC", "crv": "secp256k1", "kid": "1",
		"x": encode(unhex(t, "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")),
		"y": encode(unhex(t, "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")),
		"d": encode(append(make([]byte, 31), 1)),
	}
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

// TestKnownSignature has the best-known vector of this curve with the nonce of RFC
// 6979 and the lower s; RFC 8812 prints none.
func TestKnownSignature(t *testing.T) {
	key, err := parse(t, generator(t)).PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	got, err := key.Sign(ctx, []byte("Satoshi Nakamoto"))
	want := "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8" +
		"2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
	if err != nil || hex.EncodeToString(got) != want {
		t.Errorf("%x, %v", got, err)
	}
	// The upper s: the order less the lower one.
	upper := "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8" +
		"dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c"
	if err := key.Public().Verify([]byte("Satoshi Nakamoto"), unhex(t, upper)); err != nil {
		t.Errorf("upper s: %v", err)
	}
}

// TestSet holds that a set uses such a key where it is given the extension, and
// leaves out that key alone where it is not.
func TestSet(t *testing.T) {
	key, err := jwk.Generate(extension.Algorithm, extension)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwk.Generate(jwa.ES256)
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
		{"narrowed to another", with, key, []jwa.Algorithm{jwa.ES256}, "alg.not_allowed"},
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

func TestKeys(t *testing.T) {
	other, err := extension.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var stranger map[string]string
	if err := json.Unmarshal(other, &stranger); err != nil {
		t.Fatal(err)
	}
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	prime := unhex(t, "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")
	for _, c := range []struct {
		name    string
		members map[string]string // over those of the generator; an empty value takes one away
		public  string            // the code of the refusal, empty if it is accepted
		private string
	}{
		{"control", nil, "", ""},
		{"alg", map[string]string{"alg": "ES256K"}, "", ""},
		{"no d", map[string]string{"d": ""}, "", "key.invalid"},
		{"alg of P-256", map[string]string{"alg": "ES256"}, "alg.mismatch", "alg.mismatch"},
		{"P-256", map[string]string{"crv": "P-256", "alg": "ES256K"}, "alg.mismatch", "alg.mismatch"},
		{"for encryption", map[string]string{"use": "enc"}, "key.use", "key.use"},
		{"no x", map[string]string{"x": ""}, "key.invalid", "key.invalid"},
		{"no y", map[string]string{"y": ""}, "key.invalid", "key.invalid"},
		{"short x", map[string]string{"x": encode(prime[1:])}, "key.invalid", "key.invalid"},
		{"long x", map[string]string{"x": encode(append([]byte{0}, prime...))}, "key.invalid", "key.invalid"},
		{"padded x", map[string]string{"x": generator(t)["x"] + "="}, "key.invalid", "key.invalid"},
		{"line break in x", map[string]string{"x": generator(t)["x"] + "\n"}, "key.invalid", "key.invalid"},
		{"bits after x", map[string]string{"x": generator(t)["x"][:42] + "h"}, "key.invalid", "key.invalid"},
		{"x is the prime", map[string]string{"x": encode(prime)}, "key.invalid", "key.invalid"},
		{"y is the prime", map[string]string{"y": encode(prime)}, "key.invalid", "key.invalid"},
		{"zeros", map[string]string{"x": encode(make([]byte, 32)), "y": encode(make([]byte, 32))}, "key.invalid", "key.invalid"},
		{"y of another key", map[string]string{"y": stranger["y"]}, "key.invalid", "key.invalid"},
		{"d of another key", map[string]string{"d": stranger["d"]}, "", "key.invalid"},
		{"d is zero", map[string]string{"d": encode(make([]byte, 32))}, "", "key.invalid"},
		{"d is the order and 1", map[string]string{"d": encode(append(order[:31:31], 0x42))}, "", "key.invalid"},
		{"short d", map[string]string{"d": "AQ"}, "", "key.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := generator(t)
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
	key, err := parse(t, generator(t)).PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("message")
	good, err := key.Sign(ctx, message)
	if err != nil {
		t.Fatal(err)
	}
	order := unhex(t, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	zeros := make([]byte, 32)
	r, s := good[:32:32], good[32:]
	for name, bad := range map[string][]byte{
		"empty":     nil,
		"short":     good[:63],
		"long":      append(good[:64:64], 0),
		"swapped":   append(s[:32:32], r...),
		"r is 0":    append(zeros[:32:32], s...),
		"s is 0":    append(r, zeros...),
		"r is n":    append(order[:32:32], s...),
		"s is n":    append(r, order...),
		"all zeros": make([]byte, 64),
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
	j := parse(t, generator(t))
	key, err := j.PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}
	h := crypto.SHA256.New()
	m := generator(t)
	h.Write([]byte(`{"crv":"secp256k1","kty":"EC","x":"` + m["x"] + `","y":"` + m["y"] + `"}`))
	if got, err := key.JWK().Thumbprint(crypto.SHA256); err != nil || got != encode(h.Sum(nil)) {
		t.Errorf("%s, %v", got, err)
	}
}

// TestFIPS runs itself again in the mode that forbids the curve.
func TestFIPS(t *testing.T) {
	if os.Getenv("GODEBUG") == "fips140=only" {
		_, err := parse(t, generator(t)).PublicKey(binding)
		if codeOf(err) != "key.fips" || !errors.Is(err, jwk.ErrInvalid) {
			t.Errorf("%v", err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFIPS$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
