package extalg

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/c2sp/wycheproof"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

func extension(t *testing.T) jwk.Extension {
	t.Helper()
	e, err := ES256K()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

type claims struct {
	Scope string `json:"scope"`
}

var background = context.Background()

// TestToken goes the whole way: make a key, write and read its JWK, sign, publish a
// set, verify with a policy.
func TestToken(t *testing.T) {
	e := extension(t)
	binding := jwk.Binding{Extensions: []jwk.Extension{e}}
	made, err := jwk.Generate(e.Algorithm, e)
	if err != nil {
		t.Fatal(err)
	}
	description, err := made.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	file, err := description.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	read, err := jwk.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	key, err := read.PrivateKey(binding)
	if err != nil {
		t.Fatal(err)
	}

	var m map[string]string
	if err := json.Unmarshal(file, &m); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, `{"crv":"secp256k1","kty":"EC","x":"%s","y":"%s"}`, m["x"], m["y"]))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	if got, err := key.JWK().Thumbprint(crypto.SHA256); err != nil || got != want || key.KeyID() != want {
		t.Errorf("thumbprint %s, kid %s, %v; want %s", got, key.KeyID(), err, want)
	}

	other, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jwk.Set{other.Public(), key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), m["d"]) {
		t.Error("the set has the private member")
	}
	set, skipped, err := jwk.ParseSet(text, binding)
	if err != nil || len(set) != 2 || len(skipped) != 0 {
		t.Fatalf("%d keys, skipped %v, %v", len(set), skipped, err)
	}
	// Without the extension the set is read all the same, without the key.
	if plain, skipped, err := jwk.ParseSet(text, jwk.Binding{}); err != nil || len(plain) != 1 || len(skipped) != 1 || !errors.Is(skipped[0].Err, jwk.ErrUnsupported) {
		t.Errorf("%d keys, skipped %v, %v", len(plain), skipped, err)
	}

	now := time.Now()
	raw, err := jwt.Sign(background, key, jwt.Header{}, jwt.Registered{Issuer: "issuer", Audience: jwt.Audience{"me"}, Expiry: now.Add(time.Hour)}, claims{"all"})
	if err != nil {
		t.Fatal(err)
	}
	policy := jwt.Policy{Issuers: []string{"issuer"}, Audiences: []string{"me"}, Algorithms: []jwa.Algorithm{e.Algorithm}}
	v, err := jwt.NewVerifier[claims](set, policy)
	if err != nil {
		t.Fatal(err)
	}
	token, err := v.Verify(background, raw)
	if err != nil {
		t.Fatal(err)
	}
	if token.Header().Algorithm != "ES256K" || token.Claims.Scope != "all" || token.Key.KeyID() != want {
		t.Errorf("%+v", token)
	}
	policy.Algorithms = []jwa.Algorithm{jwa.ES256}
	if v, err = jwt.NewVerifier[claims](set, policy); err == nil {
		_, err = v.Verify(background, raw)
	}
	if !errors.Is(err, jwt.ErrAlgorithm) {
		t.Errorf("a policy for ES256: %v", err)
	}

	signature := raw[strings.LastIndexByte(raw, '.')+1:]
	b, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func([]byte) []byte{
		"one bit": func(b []byte) []byte { b[5] ^= 1; return b },
		"zeros":   func([]byte) []byte { return make([]byte, 64) },
		"short":   func(b []byte) []byte { return b[:63] },
		"long":    func(b []byte) []byte { return append(b, 0) },
		"empty":   func([]byte) []byte { return nil },
	} {
		bad := strings.TrimSuffix(raw, signature) + base64.RawURLEncoding.EncodeToString(edit(append([]byte{}, b...)))
		if _, err := jws.Verify(background, set, bad, jws.Options{}); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeysAreRefused shows that what the extension refuses is no key.
func TestKeysAreRefused(t *testing.T) {
	e := extension(t)
	binding := jwk.Binding{Extensions: []jwk.Extension{e}}
	text, err := e.Generate()
	if err != nil {
		t.Fatal(err)
	}
	other, err := e.Generate()
	if err != nil {
		t.Fatal(err)
	}
	var good, stranger map[string]string
	if err := errors.Join(json.Unmarshal(text, &good), json.Unmarshal(other, &stranger)); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(map[string]string){
		"another y": func(m map[string]string) { m["y"] = stranger["y"] },
		"another d": func(m map[string]string) { m["d"] = stranger["d"] },
		"d is zero": func(m map[string]string) { m["d"] = base64.RawURLEncoding.EncodeToString(make([]byte, 32)) },
		"short x":   func(m map[string]string) { m["x"] = m["x"][:40] },
		"no y":      func(m map[string]string) { delete(m, "y") },
		"padding":   func(m map[string]string) { m["x"] += "=" },
		"P-256":     func(m map[string]string) { m["crv"], m["alg"] = "P-256", "ES256K" },
		"ES256":     func(m map[string]string) { m["alg"] = "ES256" },
		"use":       func(m map[string]string) { m["use"] = "enc" },
	} {
		m := map[string]string{}
		for k, v := range good {
			m[k] = v
		}
		edit(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		description, err := jwk.Parse(text)
		if err == nil {
			_, err = description.PrivateKey(binding)
		}
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	description, err := jwk.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := description.PrivateKey(binding); err != nil {
		t.Errorf("control: %v", err)
	}
	if _, err := description.PrivateKey(jwk.Binding{}); !errors.Is(err, jwk.ErrUnsupported) {
		t.Errorf("without the extension: %v", err)
	}
}

func TestWycheproof(t *testing.T) {
	data, err := fs.ReadFile(wycheproof.TestVectors, "ecdsa_secp256k1_sha256_p1363_test.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			PublicKey struct{ Wx, Wy string }
			Tests     []struct {
				TcID                      int
				Comment, Msg, Sig, Result string
			}
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	e := extension(t)
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	coordinate := func(s string) string {
		b := unhex(s)
		for len(b) > 32 && b[0] == 0 {
			b = b[1:]
		}
		return base64.RawURLEncoding.EncodeToString(append(make([]byte, 32-len(b)), b...))
	}
	run := 0
	for _, g := range file.TestGroups {
		text := fmt.Appendf(nil, `{"kty":"EC","crv":"secp256k1","x":"%s","y":"%s"}`, coordinate(g.PublicKey.Wx), coordinate(g.PublicKey.Wy))
		description, err := jwk.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		key, err := description.PublicKey(jwk.Binding{Extensions: []jwk.Extension{e}})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, c := range g.Tests {
			run++
			if err := key.Verify(unhex(c.Msg), unhex(c.Sig)); (err == nil) != (c.Result == "valid") {
				t.Errorf("%d (%s) is %s in the suite; here: %v", c.TcID, c.Comment, c.Result, err)
			}
		}
	}
	if run != 252 {
		t.Errorf("%d cases, want 252", run)
	}
}
