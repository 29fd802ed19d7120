package ed448_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/jotsuite/jot/ext/ed448"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

var (
	agreement = ed448.X448()
	agreeing  = jwk.Binding{Agreements: []jwk.Agreement{agreement}}
)

// The keys of RFC 7748, Section 6.2, which are those of RFC 8037, Appendix A.7, too.
const (
	alice       = "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b"
	alicePublic = "9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0"
	bob         = "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d"
	bobPublic   = "3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b43027d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609"
	shared      = "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d"
)

func TestRFC7748(t *testing.T) {
	for _, c := range []struct{ private, public, peer string }{{alice, alicePublic, bobPublic}, {bob, bobPublic, alicePublic}} {
		private, peer := unhex(t, c.private), unhex(t, c.peer)
		if got, err := agreement.Public(private); err != nil || hex.EncodeToString(got) != c.public {
			t.Errorf("public: %x, %v", got, err)
		}
		if got, err := agreement.Agree(private, peer); err != nil || hex.EncodeToString(got) != shared {
			t.Errorf("shared: %x, %v", got, err)
		}
		if err := agreement.Check(peer); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(private, unhex(t, c.private)) || !bytes.Equal(peer, unhex(t, c.peer)) {
			t.Error("an argument was changed")
		}
	}
	// Section 5.2: a thousand rounds, each with the secret of the last.
	k, u := make([]byte, 56), make([]byte, 56)
	k[0], u[0] = 5, 5
	for range 1000 {
		next, err := agreement.Agree(k, u)
		if err != nil {
			t.Fatal(err)
		}
		k, u = next, k
	}
	if got := hex.EncodeToString(k); got != "aa3b4749d55b9daf1e5b00288826c467274ce3ebbdd5c17b975e09d4af6c67cf10d087202db88286e2b79fceea3ec353ef54faa26e219f38" {
		t.Errorf("after 1,000: %s", got)
	}
}

func TestX448Keys(t *testing.T) {
	prime := unhex(t, prime)[:56]
	near := func(n int) []byte {
		b := slices.Clone(prime)
		b[0] = byte(int(b[0]) + n) // of 0xff
		if n > 0 {                 // the carry goes through the first 28 bytes
			for i := range 28 {
				b[i] = 0
			}
			b[0], b[28] = byte(n-1), 0xff
		}
		return b
	}
	one := make([]byte, 56)
	one[0] = 1
	private := unhex(t, alice)
	for _, c := range []struct {
		name   string
		public []byte
		want   string // the code, or "any" for a refusal that jwk gives its code
	}{
		{"control", unhex(t, bobPublic), ""},
		{"not below the prime", near(3), ""},
		{"empty", nil, "any"},
		{"short", unhex(t, bobPublic)[:55], "any"},
		{"long", append(unhex(t, bobPublic), 0), "any"},
		{"zero", make([]byte, 56), "key.weak"},
		{"one", one, "key.weak"},
		{"the prime less one", near(-1), "key.weak"},
		{"the prime", prime, "key.weak"},
		{"the prime and one", near(1), "key.weak"},
	} {
		for what, err := range map[string]error{
			"Check": agreement.Check(c.public),
			"Agree": func() error { _, err := agreement.Agree(private, c.public); return err }(),
		} {
			if c.want == "any" && err != nil && codeOf(err) == "" {
				continue
			}
			if codeOf(err) != c.want || (err == nil) != (c.want == "") {
				t.Errorf("%s: %s: %v", c.name, what, err)
			}
		}
	}
	for _, bad := range [][]byte{nil, private[:55], append(private[:56:56], 0)} {
		if _, err := agreement.Public(bad); err == nil {
			t.Errorf("Public took %d bytes", len(bad))
		}
		if _, err := agreement.Agree(bad, unhex(t, bobPublic)); err == nil {
			t.Errorf("Agree took a private key of %d bytes", len(bad))
		}
	}
	a, err := agreement.Generate()
	if err != nil || len(a) != 56 {
		t.Fatal(len(a), err)
	}
	if b, err := agreement.Generate(); err != nil || bytes.Equal(a, b) {
		t.Errorf("the same key twice, %v", err)
	}
}

// dave is the recipient of RFC 8037, Appendix A.7.
func dave(t *testing.T) map[string]string {
	return map[string]string{"kty": "OKP", "crv": "X448", "kid": "Dave", "x": encode(unhex(t, bobPublic)), "d": encode(unhex(t, bob))}
}

func TestRFC8037AppendixA7(t *testing.T) {
	if x := dave(t)["x"]; x != "PreoKbDNIPW8_AtZm2_sz22kYnEHvbDU80W0MCfYuXL8PjT7QjKhPKcG3LV67D2uB73BxnvzNgk" {
		t.Errorf("x is %s", x)
	}
	key, err := parse(t, dave(t)).DecryptionKey(agreeing)
	if err != nil {
		t.Fatal(err)
	}
	epk, err := jwk.Parse([]byte(`{"kty":"OKP","crv":"X448","x":"mwj3zDG34-Z9ItWuoSEHSic70rg94Jxj-qc9LCLF2bvINmRyQdlT1AxbEtqIEg1TF3-A5TLEH6A"}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := key.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A256GCM, EphemeralKey: &epk})
	// The appendix ends with the secret; RFC 7518, Section 4.6.2, makes a key of it.
	input := append([]byte{0, 0, 0, 1}, unhex(t, shared)...)
	input = append(input, "\x00\x00\x00\x07A256GCM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00"...)
	if want := sha256.Sum256(input); err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("%x, %v", got, err)
	}
}

// TestX448Set holds that a set uses such a key where it is given the agreement, and
// leaves out that key alone where it is not.
func TestX448Set(t *testing.T) {
	for _, alg := range []jwa.Algorithm{jwa.ECDH_ES, jwa.ECDH_ES_A256KW} {
		key, err := jwk.GenerateDecryptionKey(alg, "X448", agreement)
		if err != nil {
			t.Fatal(err)
		}
		other, err := jwk.GenerateDecryptionKey(alg, "P-256")
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(jwk.Set{key.Public(), other.Public()})
		if err != nil || bytes.Contains(text, []byte(`"d"`)) {
			t.Fatalf("%s, %v", text, err)
		}
		without, skipped, err := jwk.ParseSet(text, jwk.Binding{})
		if err != nil || len(without) != 1 || len(skipped) != 1 || skipped[0].KeyID != key.KeyID() || codeOf(skipped[0].Err) != "key.unsupported" {
			t.Fatalf("%d keys, skipped %v, %v", len(without), skipped, err)
		}
		with, skipped, err := jwk.ParseSet(text, agreeing)
		if err != nil || len(with) != 2 || len(skipped) != 0 {
			t.Fatalf("%d keys, skipped %v, %v", len(with), skipped, err)
		}
		found, err := with.Encrypters(jwk.Query{Algorithm: alg.Name(), KeyID: key.KeyID()})
		if err != nil || len(found) != 1 {
			t.Fatal(len(found), err)
		}
		w := &jwk.Wrapping{Encryption: jwa.A128GCM}
		var cek []byte
		if !alg.Direct() {
			cek = []byte("0123456789abcdef")
		}
		if cek, err = found[0].EncryptKey(ctx, cek, w); err != nil {
			t.Fatal(err)
		}
		if got, err := key.DecryptKey(ctx, w); err != nil || !bytes.Equal(got, cek) {
			t.Errorf("%s: %x, %v", alg, got, err)
		}

		raw, err := jwe.Encrypt(ctx, found[0], jwa.A256GCM, jwe.Header{}, []byte("plaintext"))
		if err != nil {
			t.Fatal(err)
		}
		message, err := jwe.Decrypt(ctx, jwk.DecryptionSet{other, key}, raw, jwe.Options{})
		if err != nil || string(message.Plaintext) != "plaintext" {
			t.Errorf("%s: %v", alg, err)
		}

		// What is wrong with the other key is told before it is used.
		zero, err := jwk.Parse([]byte(`{"kty":"OKP","crv":"X448","x":"` + base64.RawURLEncoding.EncodeToString(make([]byte, 56)) + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		w.EphemeralKey = &zero
		if _, err := key.DecryptKey(ctx, w); codeOf(err) != "key.weak" {
			t.Errorf("%s: a key of order 2: %v", alg, err)
		}
	}
}

func TestX448JWK(t *testing.T) {
	for _, c := range []struct {
		name    string
		members map[string]string // over those of Dave; an empty value takes one away
		public  string            // the code of the refusal, empty if it is accepted
		private string
	}{
		{"control", nil, "", ""},
		{"alg", map[string]string{"alg": "ECDH-ES+A128KW"}, "", ""},
		{"to sign", map[string]string{"alg": "Ed448"}, "key.unsupported", "key.unsupported"},
		{"for signatures", map[string]string{"use": "sig"}, "key.use", "key.use"},
		{"no x", map[string]string{"x": ""}, "key.invalid", "key.invalid"},
		{"short x", map[string]string{"x": encode(unhex(t, bobPublic)[:55])}, "key.invalid", "key.invalid"},
		{"x of another key", map[string]string{"x": encode(unhex(t, alicePublic))}, "key.invalid", "key.invalid"},
		{"x of low order", map[string]string{"x": encode(make([]byte, 56)), "d": ""}, "key.weak", "key.weak"},
		{"d of another key", map[string]string{"d": encode(unhex(t, alice))}, "key.invalid", "key.invalid"},
		{"short d", map[string]string{"d": encode(unhex(t, bob)[:55])}, "key.invalid", "key.invalid"},
		{"no d", map[string]string{"d": ""}, "", "key.private"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := dave(t)
			maps.Copy(m, c.members)
			maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
			j := parse(t, m)
			if _, err := j.EncryptionKey(agreeing); codeOf(err) != c.public {
				t.Errorf("public: %v", err)
			}
			if _, err := j.DecryptionKey(agreeing); codeOf(err) != c.private {
				t.Errorf("private: %v", err)
			}
		})
	}
}
