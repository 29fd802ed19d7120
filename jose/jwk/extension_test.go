package jwk_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// toy is an algorithm as another module would define one, by the exported names
// alone: Ed25519 of a prefixed message, with a key type, members and an encoding of
// its own.
func toy(t testing.TB) jwk.Extension {
	t.Helper()
	alg, err := jwa.New("TOY", jwa.Traits{KeyType: "TOY", Hash: crypto.SHA256, SignatureSize: ed25519.SignatureSize, Spec: "this test"})
	if err != nil {
		t.Fatal(err)
	}
	member := func(j jwk.JWK, name string, size int) ([]byte, error) {
		raw, ok := j.Member(name)
		if !ok {
			return nil, fmt.Errorf("no %s", name)
		}
		var b []byte
		if err := json.Unmarshal(raw, &b); err != nil || len(b) != size {
			return nil, fmt.Errorf("bad %s", name)
		}
		return b, nil
	}
	prefixed := func(message []byte) []byte { return append([]byte("toy:"), message...) }
	return jwk.Extension{
		Algorithm:  alg,
		Thumbprint: []string{"toy", "kty"},
		Verify: func(j jwk.JWK) (func(message, signature []byte) bool, error) {
			if _, ok := j.Member("seed"); ok {
				t.Error("Verify got a private member")
			}
			pub, err := member(j, "toy", ed25519.PublicKeySize)
			if err != nil {
				return nil, err
			}
			return func(message, signature []byte) bool {
				if len(signature) != ed25519.SignatureSize {
					t.Errorf("Verify got a signature of %d bytes", len(signature))
				}
				return ed25519.Verify(pub, prefixed(message), signature)
			}, nil
		},
		Sign: func(j jwk.JWK) (func(context.Context, []byte) ([]byte, error), error) {
			seed, err := member(j, "seed", ed25519.SeedSize)
			if err != nil {
				return nil, err
			}
			key := ed25519.NewKeyFromSeed(seed)
			return func(ctx context.Context, message []byte) ([]byte, error) {
				return ed25519.Sign(key, prefixed(message)), ctx.Err()
			}, nil
		},
		Generate: func() ([]byte, error) {
			pub, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return nil, err
			}
			return json.Marshal(map[string]any{"kty": "TOY", "toy": []byte(pub), "seed": key.Seed()})
		},
	}
}

func TestExtension(t *testing.T) {
	ctx := context.Background()
	e := toy(t)
	b := jwk.Binding{Extensions: []jwk.Extension{e}}
	k, err := jwk.Generate(e.Algorithm, e)
	if err != nil {
		t.Fatal(err)
	}
	if k.Algorithm() != e.Algorithm || k.KeyID() == "" || k.Public().CryptoKey() != nil {
		t.Errorf("%v", k)
	}
	kid, err := k.JWK().Thumbprint(crypto.SHA256)
	if err != nil || kid != k.KeyID() {
		t.Errorf("thumbprint %s, kid %s, %v", kid, k.KeyID(), err)
	}
	public, err := k.Public().MarshalJSON()
	if err != nil || bytes.Contains(public, []byte("seed")) || !bytes.Contains(public, []byte(`"toy"`)) {
		t.Fatalf("%s, %v", public, err)
	}
	j, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	private, err := j.MarshalPrivateJSON()
	if err != nil || !bytes.Contains(private, []byte("seed")) {
		t.Fatalf("%s, %v", private, err)
	}

	// Read from JSON, alone and in a set, with and without "alg".
	again, err := mustParse(t, string(private)).PrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	var verifiers []jwk.Verifier
	for _, changes := range []map[string]any{nil, {"alg": nil}} {
		text := members(t, string(public), changes)
		pub, err := mustParse(t, text).PublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+text+`,`+ecPublic+`]}`), b)
		if err != nil || len(set) != 2 || len(skipped) != 0 {
			t.Fatal(set, skipped, err)
		}
		verifiers = append(verifiers, pub, keys(t, set, jwk.Query{Algorithm: "TOY", KeyID: kid})[0])
		data, err := json.Marshal(set)
		if err != nil || bytes.Contains(data, []byte("seed")) {
			t.Errorf("%s, %v", data, err)
		}
		_, err = set.Keys(ctx, jwk.Query{Algorithm: "toy"})
		wantCode(t, err, "key.none")
	}
	verifiers = append(verifiers, k.Public(), again.Public())
	message := []byte("m")
	for _, s := range []*jwk.PrivateKey{k, again} {
		signature, err := s.Sign(ctx, message)
		if err != nil {
			t.Fatal(err)
		}
		streamed, err := s.SignReader(ctx, bytes.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range verifiers {
			if v.Verify(message, signature) != nil || v.VerifyReader(bytes.NewReader(message), streamed) != nil {
				t.Error("the signature does not verify")
			}
			wantCode(t, v.Verify([]byte("n"), signature), "sig.invalid")
			wantCode(t, v.Verify(message, signature[:10]), "sig.invalid")
			wantCode(t, v.VerifyReader(bytes.NewReader(message), signature[:10]), "sig.invalid")
		}
	}
	for _, name := range []string{"%v", "%+v", "%#v"} {
		if s := fmt.Sprintf(name, again); strings.Contains(s, "seed") {
			t.Error(s)
		}
	}
}

func TestExtensionRefuses(t *testing.T) {
	e := toy(t)
	k, err := jwk.Generate(e.Algorithm, e)
	if err != nil {
		t.Fatal(err)
	}
	j, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	data, err := j.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	private := string(data)
	other, err := jwk.Generate(e.Algorithm, e)
	if err != nil {
		t.Fatal(err)
	}
	otherJWK, err := other.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := otherJWK.Member("seed")
	with := func(change func(*jwk.Extension)) jwk.Binding {
		e := e
		change(&e)
		return jwk.Binding{Extensions: []jwk.Extension{e}}
	}
	all := with(func(*jwk.Extension) {})
	for name, c := range map[string]struct {
		data         string
		b            jwk.Binding
		public, priv string
	}{
		"control":       {private, all, "", ""},
		"unknown":       {private, jwk.Binding{}, "key.unsupported", "key.unsupported"},
		"only verifies": {private, with(func(e *jwk.Extension) { e.Sign = nil }), "", "key.unsupported"},
		"no Verify":     {private, with(func(e *jwk.Extension) { e.Verify = nil }), "key.unsupported", "key.unsupported"},
		"bad public":    {members(t, private, map[string]any{"toy": "AA=="}), all, "key.invalid", "key.invalid"},
		"no private":    {members(t, private, map[string]any{"seed": nil}), all, "", "key.invalid"},
		"other type":    {members(t, private, map[string]any{"kty": "EC"}), all, "alg.mismatch", "alg.mismatch"},
		"use enc":       {members(t, private, map[string]any{"use": "enc"}), all, "key.use", "key.use"},
		"bad x5c":       {members(t, private, map[string]any{"x5c": []string{"!"}}), all, "key.invalid", "key.invalid"},
		"list":          {private, jwk.Binding{Algorithms: []jwa.Algorithm{e.Algorithm}, Extensions: all.Extensions}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustParse(t, c.data).PublicKey(c.b)
			if c.public != "" {
				wantCode(t, err, c.public)
			} else if err != nil {
				t.Error(err)
			}
			_, err = mustParse(t, c.data).PrivateKey(c.b)
			if c.priv != "" {
				wantCode(t, err, c.priv)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("other private", func(t *testing.T) {
		text := members(t, private, map[string]any{"seed": strings.Trim(string(seed), `"`)})
		k, err := mustParse(t, text).PrivateKey(all)
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Sign(context.Background(), []byte("m"))
		wantCode(t, err, "sig.invalid")
	})
	t.Run("short signature", func(t *testing.T) {
		k, err := mustParse(t, private).PrivateKey(with(func(e *jwk.Extension) {
			e.Sign = func(jwk.JWK) (func(context.Context, []byte) ([]byte, error), error) {
				return func(context.Context, []byte) ([]byte, error) { return []byte("short"), nil }, nil
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Sign(context.Background(), []byte("m"))
		wantCode(t, err, "sig.invalid")
	})
	t.Run("thumbprint", func(t *testing.T) {
		for name, required := range map[string][]string{"absent member": {"kty", "absent"}, "not a string": {"kty", "key_ops"}} {
			text := members(t, private, map[string]any{"key_ops": []string{"sign"}})
			k, err := mustParse(t, text).PrivateKey(with(func(e *jwk.Extension) { e.Thumbprint = append(slices.Clone(required), "toy") }))
			if err != nil {
				t.Fatal(err)
			}
			_, err = k.JWK().Thumbprint(crypto.SHA256)
			t.Run(name, func(t *testing.T) { wantCode(t, err, "key.invalid") })
		}
	})
	t.Run("generate", func(t *testing.T) {
		broken := errors.New("broken")
		generate := func(f func() ([]byte, error)) error {
			e := e
			e.Generate = f
			_, err := jwk.Generate(e.Algorithm, e)
			return err
		}
		wantCode(t, generate(nil), "key.unsupported")
		if err := generate(func() ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
		wantCode(t, generate(func() ([]byte, error) { return []byte("{"), nil }), "json.syntax")
		wantCode(t, generate(func() ([]byte, error) { return []byte(`{"kty":"TOY"}`), nil }), "key.invalid")
		wantCode(t, generate(func() ([]byte, error) { return []byte(`{"kty":"TOY","toy":"AA"}`), nil }), "key.invalid")
		mute := e
		mute.Thumbprint = []string{"kty", "toy", "absent"}
		_, err := jwk.Generate(e.Algorithm, mute)
		wantCode(t, err, "key.invalid")
		_, err = jwk.Generate(e.Algorithm)
		wantCode(t, err, "key.unsupported")
	})
	// With a curve of its own in a known type, the members of that type are kept from print.
	t.Run("known type", func(t *testing.T) {
		alg, err := jwa.New("ES256T", jwa.Traits{KeyType: "EC", Curve: "toy256"})
		if err != nil {
			t.Fatal(err)
		}
		b := jwk.Binding{Extensions: []jwk.Extension{{
			Algorithm:  alg,
			Thumbprint: []string{"crv", "kty", "x", "y"},
			Verify: func(j jwk.JWK) (func(message, signature []byte) bool, error) {
				if j.IsPrivate() {
					t.Error("Verify got a private member")
				}
				return func(_, signature []byte) bool { return len(signature) == 0 }, nil
			},
		}}}
		for _, changes := range []map[string]any{{"crv": "toy256"}, {"crv": "toy256", "alg": "ES256T"}} {
			k, err := mustParse(t, members(t, ecPrivate, changes)).PublicKey(b)
			if err != nil || k.Algorithm() != alg {
				t.Fatal(k, err)
			}
			if data, err := k.MarshalJSON(); err != nil || bytes.Contains(data, []byte(`"d"`)) {
				t.Errorf("%s, %v", data, err)
			}
			if _, err := k.JWK().Thumbprint(crypto.SHA256); err != nil {
				t.Error(err)
			}
			if err := k.Verify([]byte("m"), nil); err != nil {
				t.Error(err)
			}
		}
		_, err = mustParse(t, members(t, ecPublic, map[string]any{"alg": "ES256T"})).PublicKey(b)
		wantCode(t, err, "alg.mismatch")
	})
}
