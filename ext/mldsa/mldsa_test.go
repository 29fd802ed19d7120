package mldsa_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/ext/mldsa"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

var (
	ctx     = context.Background()
	binding = jwk.Binding{Extensions: mldsa.Extensions()}
	encode  = base64.RawURLEncoding.EncodeToString
)

// codeOf reads the stable code of a refusal, as any program may.
func codeOf(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}

// An example is one of RFC 9964, Appendix A.1.
type example struct {
	JWK map[string]string `json:"jwk"`
	JWS string            `json:"jws"`
}

func examples(t *testing.T) []example {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc9964.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	if err := json.Unmarshal(data, &all); err != nil || len(all) != 3 {
		t.Fatal(len(all), err)
	}
	return all
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

func TestRFC9964(t *testing.T) {
	for i, e := range examples(t) {
		key, err := parse(t, e.JWK).PrivateKey(binding)
		if err != nil {
			t.Fatal(err)
		}
		if key.Algorithm() != mldsa.Extensions()[i].Algorithm || key.Algorithm().Name() != e.JWK["alg"] {
			t.Errorf("%s: bound to %s", e.JWK["alg"], key.Algorithm())
		}
		if kid, err := key.JWK().Thumbprint(crypto.SHA256); err != nil || kid != e.JWK["kid"] {
			t.Errorf("%s: thumbprint %s, %v", key.Algorithm(), kid, err)
		}
		text, err := key.JWK().MarshalJSON()
		if err != nil || strings.Contains(string(text), `"priv"`) || !strings.Contains(string(text), e.JWK["pub"]) {
			t.Errorf("%s: %s, %v", key.Algorithm(), text, err)
		}
		message, err := jws.Verify(ctx, jwk.Set{key.Public()}, e.JWS, jws.Options{})
		if err != nil || string(message.Payload) != "It’s a dangerous business, Frodo, going out your door." {
			t.Errorf("%s: %v", key.Algorithm(), err)
		}
		// Signing is hedged, so that the example's signature cannot be made again.
		again, err := jws.Sign(ctx, key, jws.Header{}, message.Payload)
		if err != nil || again == e.JWS {
			t.Errorf("%s: %v", key.Algorithm(), err)
		}
		if _, err := jws.Verify(ctx, jwk.Set{key.Public()}, again, jws.Options{}); err != nil {
			t.Errorf("%s: %v", key.Algorithm(), err)
		}
	}
}

// TestSet holds that a set uses such keys where it is given the extensions, and
// leaves out those alone whose extension it is not given.
func TestSet(t *testing.T) {
	es256, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	signers := map[string]*jwk.PrivateKey{"ES256": es256}
	all := jwk.Set{es256.Public()}
	for _, e := range mldsa.Extensions() {
		key, err := jwk.Generate(e.Algorithm, e)
		if err != nil {
			t.Fatal(err)
		}
		signers[e.Algorithm.Name()] = key
		all = append(all, key.Public())
	}
	text, err := json.Marshal(all)
	if err != nil || strings.Contains(string(text), `"priv"`) {
		t.Fatalf("%s, %v", text, err)
	}
	registered := jwt.Registered{Issuer: "issuer", Audience: jwt.Audience{"me"}, Expiry: time.Now().Add(time.Hour)}
	policy := jwt.Policy{Issuers: []string{"issuer"}, Audiences: []string{"me"}}
	for _, c := range []struct {
		name       string
		extensions []jwk.Extension
		only       []jwa.Algorithm
		skipped    int
		want       map[string]string // the codes of jws; those of jwt are the same
	}{
		{"all", mldsa.Extensions(), nil, 0, nil},
		{"none", nil, nil, 3, map[string]string{"ML-DSA-44": "alg.unknown", "ML-DSA-65": "alg.unknown", "ML-DSA-87": "alg.unknown"}},
		{"one", []jwk.Extension{mldsa.MLDSA65()}, nil, 2, map[string]string{"ML-DSA-44": "alg.unknown", "ML-DSA-87": "alg.unknown"}},
		{
			"narrowed", mldsa.Extensions(),
			[]jwa.Algorithm{mldsa.MLDSA44().Algorithm, jwa.ES256},
			0,
			map[string]string{"ML-DSA-65": "alg.not_allowed", "ML-DSA-87": "alg.not_allowed"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, skipped, err := jwk.ParseSet(text, jwk.Binding{Extensions: c.extensions})
			if err != nil || len(set) != 4-c.skipped || len(skipped) != c.skipped {
				t.Fatalf("%d keys, skipped %v, %v", len(set), skipped, err)
			}
			for _, s := range skipped {
				if codeOf(s.Err) != "key.unsupported" || s.KeyID == "" {
					t.Errorf("%+v", s)
				}
			}
			policy := policy
			policy.Algorithms = c.only
			v, err := jwt.NewVerifier[struct{}](set, policy)
			if err != nil {
				t.Fatal(err)
			}
			for name, key := range signers {
				raw, err := jws.Sign(ctx, key, jws.Header{}, []byte("payload"))
				if err != nil {
					t.Fatal(err)
				}
				message, err := jws.Verify(ctx, set, raw, jws.Options{Algorithms: c.only})
				if codeOf(err) != c.want[name] || err == nil && string(message.Payload) != "payload" {
					t.Errorf("jws: %s: %v", name, err)
				}
				if raw, err = jwt.Sign(ctx, key, jwt.Header{}, registered, struct{}{}); err != nil {
					t.Fatal(err)
				}
				token, err := v.Verify(ctx, raw)
				if codeOf(err) != c.want[name] || err == nil && token.Key.KeyID() != key.KeyID() {
					t.Errorf("jwt: %s: %v", name, err)
				}
			}
		})
	}
}

func TestKeys(t *testing.T) {
	all := examples(t)
	text, err := mldsa.MLDSA44().Generate()
	if err != nil {
		t.Fatal(err)
	}
	var stranger map[string]string
	if err := json.Unmarshal(text, &stranger); err != nil {
		t.Fatal(err)
	}
	pub, seed := all[0].JWK["pub"], all[0].JWK["priv"]
	for _, c := range []struct {
		name    string
		members map[string]string // over those of ML-DSA-44's example; an empty value takes one away
		public  string            // the code of the refusal, empty if it is accepted
		private string
	}{
		{"control", nil, "", ""},
		{"no priv", map[string]string{"priv": ""}, "", "key.invalid"},
		{"no alg", map[string]string{"alg": ""}, "key.invalid", "key.invalid"},
		{"another set", map[string]string{"alg": "ML-DSA-65"}, "key.invalid", "key.invalid"},
		{"alg of another type", map[string]string{"alg": "ES256"}, "alg.mismatch", "alg.mismatch"},
		{"another type", map[string]string{"kty": "OKP"}, "alg.mismatch", "alg.mismatch"},
		{"unknown set", map[string]string{"alg": "ML-DSA-66"}, "key.unsupported", "key.unsupported"},
		{"for encryption", map[string]string{"use": "enc"}, "key.use", "key.use"},
		{"no pub", map[string]string{"pub": ""}, "key.invalid", "key.invalid"},
		{"short pub", map[string]string{"pub": pub[:len(pub)-4]}, "key.invalid", "key.invalid"},
		{"pub of another set", map[string]string{"pub": all[1].JWK["pub"]}, "key.invalid", "key.invalid"},
		{"line break in pub", map[string]string{"pub": pub + "\n"}, "key.invalid", "key.invalid"},
		{"padded pub", map[string]string{"pub": pub + "=="}, "key.invalid", "key.invalid"},
		{"bits after pub", map[string]string{"pub": pub[:len(pub)-1] + "R"}, "key.invalid", "key.invalid"},
		{"pub of another key", map[string]string{"pub": stranger["pub"]}, "", "key.invalid"},
		{"priv of another key", map[string]string{"priv": stranger["priv"]}, "", "key.invalid"},
		{"short priv", map[string]string{"priv": seed[:42]}, "", "key.invalid"},
		{"expanded priv", map[string]string{"priv": encode(make([]byte, 2560))}, "", "key.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := maps.Clone(all[0].JWK)
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
	for _, e := range mldsa.Extensions() {
		key, err := jwk.Generate(e.Algorithm, e)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("message")
		good, err := key.Sign(ctx, message)
		if err != nil {
			t.Fatal(err)
		}
		size := len(good)
		flip := func(i int) []byte {
			b := append([]byte{}, good...)
			b[i] ^= 1
			return b
		}
		for name, bad := range map[string][]byte{
			"empty":     nil,
			"short":     good[:size-1],
			"long":      append(good[:size:size], 0),
			"all zeros": make([]byte, size),
			"challenge": flip(0),
			"response":  flip(size / 2),
			"hint":      flip(size - 1),
		} {
			if err := key.Public().Verify(message, bad); codeOf(err) != "sig.invalid" {
				t.Errorf("%s, %s: %v", e.Algorithm, name, err)
			}
		}
		if err := key.Public().Verify([]byte("massage"), good); codeOf(err) != "sig.invalid" {
			t.Errorf("%s, another message: %v", e.Algorithm, err)
		}
	}
}

// TestFIPS runs itself again in the mode that allows Go's module alone.
func TestFIPS(t *testing.T) {
	if os.Getenv("GODEBUG") == "fips140=only" {
		_, err := parse(t, examples(t)[0].JWK).PublicKey(binding)
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
