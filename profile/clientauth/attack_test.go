package clientauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// TestAttack is groups M2 and M8 of the catalogue of attacks, as far as one assertion shows them. Each case has as its control
// the assertion of the client itself, which is accepted.
func TestAttack(t *testing.T) {
	key := profiletest.Key(t)
	control := func(t *testing.T, p Policy, keys jwk.Source) {
		t.Helper()
		v, err := NewVerifier(keys, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.With("jti", "control").Sign(t, key, Type), sent)
		profiletest.Want(t, err)
	}

	// What was made for one server is played to another, or is for several at once (RFC 10070, Section 4).
	t.Run("M2_audience_injection", func(t *testing.T) {
		control(t, some(), jwk.Set{key.Public()})
		for _, p := range []func(*Policy){func(*Policy) {}, func(p *Policy) { p.LegacyAudiences = []string{"https://as.example/token"} }} {
			for name, aud := range map[string]any{
				"the other server":         "https://evil.example",
				"its token endpoint":       "https://evil.example/token",
				"ours in its path":         "https://evil.example/https://as.example",
				"ours and a path":          "https://as.example/token/",
				"ours as a user":           "https://as.example@evil.example",
				"both":                     []string{"https://as.example", "https://evil.example"},
				"both, the other first":    []string{"https://evil.example", "https://as.example"},
				"both in one string":       "https://as.example https://evil.example",
				"ours and our name again":  []string{"https://as.example", "https://as.example/"},
				"ours and an empty string": []string{"https://as.example", ""},
			} {
				q := some()
				p(&q)
				_, err := verifier(t, q).Verify(ctx, good.With("aud", aud).Sign(t, key, Type), sent)
				r, ok := errors.AsType[*jwt.RejectError](err)
				if !ok || !r.Only("aud.mismatch", "aud.not_sole") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	})

	// The public key of a client that signs, taken for its secret.
	t.Run("M8_public_key_as_secret", func(t *testing.T) {
		public := key.Public()
		description, err := json.Marshal(public.JWK())
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(public.CryptoKey())
		if err != nil {
			t.Fatal(err)
		}
		payload, err := json.Marshal(good)
		if err != nil {
			t.Fatal(err)
		}
		encode := base64.RawURLEncoding.EncodeToString
		for _, secret := range [][]byte{description, der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), {}} {
			input := encode([]byte(`{"alg":"HS256","typ":"`+Type+`"}`)) + "." + encode(payload)
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(input))
			raw := input + "." + encode(mac.Sum(nil))
			v, err := NewVerifier(jwk.Set{public}, some())
			if err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(ctx, raw, sent)
			profiletest.Want(t, err, "key.none")
			// A client that has a secret too.
			_, err = verifier(t, some()).Verify(ctx, raw, sent)
			profiletest.Want(t, err, "sig.invalid")
		}
		control(t, some(), jwk.Set{public})
	})

	// One method is registered, and the client's other credential is used.
	t.Run("M8_another_method", func(t *testing.T) {
		p := some()
		p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256}
		_, err := verifier(t, p).Verify(ctx, good.Sign(t, profiletest.Secret(t), Type), sent)
		profiletest.Want(t, err, "alg.not_allowed")
		control(t, p, jwk.Set{key.Public(), profiletest.Secret(t)})
	})

	t.Run("M8_short_secret", func(t *testing.T) {
		for _, n := range []int{0, 1, 16, 31} {
			if _, err := jwk.NewSecretKey(jwa.HS256, "", make([]byte, n)); err == nil || fault.CodeOf(err) == "" {
				t.Errorf("a client_secret of %d bytes: %v", n, err)
			}
		}
		if _, err := jwk.NewSecretKey(jwa.HS256, "", []byte("a secret of exactly 32 bytes, ok")); err != nil {
			t.Error(err)
		}
	})

	t.Run("M8_key_of_a_stranger", func(t *testing.T) {
		stranger, err := jwk.Generate(jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		_, err = verifier(t, some()).Verify(ctx, good.Sign(t, stranger, Type), sent)
		r, ok := errors.AsType[*jwt.RejectError](err)
		if !ok || !r.Only("sig.invalid", "key.none") {
			t.Error(err)
		}
		control(t, some(), jwk.Set{key.Public()})
	})

	// One client uses up the jti of another, or plays an assertion to another replica.
	t.Run("M8_jti", func(t *testing.T) {
		p := some()
		p.ClientID, p.AnyClient = "", true
		keys := clients{"c1": {key.Public()}, "c2": {profiletest.Secret(t)}}
		var replicas []*Verifier
		for range 2 {
			v, err := NewVerifier(keys, p)
			if err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, v)
		}
		_, err := replicas[0].Verify(ctx, good.With("iss", "c2", "sub", "c2").Sign(t, profiletest.Secret(t), Type), Expect{ClientID: "c2"})
		profiletest.Want(t, err)
		raw := good.Sign(t, key, Type)
		_, err = replicas[0].Verify(ctx, raw, sent)
		profiletest.Want(t, err)
		for _, v := range replicas {
			_, err = v.Verify(ctx, raw, sent)
			profiletest.Want(t, err, "jti.replayed")
			_, err = v.Verify(ctx, good.With("exp", now+61).Sign(t, key, Type), sent) // another assertion of the same name
			profiletest.Want(t, err, "jti.replayed")
		}
	})
}
