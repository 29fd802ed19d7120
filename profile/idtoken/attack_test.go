package idtoken

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// TestAttack is group M7 of the catalogue of attacks: an ID token is put beside an access token, a code, a state or a user
// that are not its own. Each case has as its control the token with its own, which is accepted.
func TestAttack(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	half := func(value string) string { sum := sha256.Sum256([]byte(value)); return encode(sum[:16]) }
	front := Expect{Nonce: "n-0S6", AccessToken: "access", Code: "code", State: "state", FrontChannel: true}
	own := good.With("at_hash", half("access"), "c_hash", half("code"), "s_hash", half("state"), "azp", "s6BhdRkqt3")
	p := some
	p.AuthorizedParties = []string{"s6BhdRkqt3"}
	v := verifier(t, p)
	check := func(c profiletest.Claims, x Expect, want ...string) {
		t.Helper()
		_, err := v.Verify(ctx, c.Sign(t, profiletest.Key(t), ""), x)
		profiletest.Want(t, err, want...)
	}
	check(own, front)

	for name, value := range map[string]string{"at_hash": "access", "c_hash": "code", "s_hash": "state"} {
		t.Run("M7_"+name, func(t *testing.T) {
			if name == "s_hash" {
				check(own.With(name, nil), front) // which FAPI 1.0 alone asks for
			} else {
				check(own.With(name, nil), front, name+".missing")
				check(own.With(name, ""), front, name+".missing")
			}
			sum256, sum384, sum512 := sha256.Sum256([]byte(value)), sha512.Sum384([]byte(value)), sha512.Sum512([]byte(value))
			for what, hash := range map[string]string{
				"of another":          half("another"),
				"the whole hash":      encode(sum256[:]),
				"the right half":      encode(sum256[16:]),
				"a part of the half":  half(value)[:11],
				"of SHA-384":          encode(sum384[:24]),
				"of SHA-512":          encode(sum512[:32]),
				"SHA-512, cut":        encode(sum512[:16]),
				"padded":              half(value) + "==",
				"in the other case":   strings.ToUpper(half(value)),
				"not encoded":         string([]rune{rune(sum256[0] & 0x7f)}),
				"the value":           value,
				"another's hash":      own[map[string]string{"at_hash": "c_hash", "c_hash": "s_hash", "s_hash": "at_hash"}[name]].(string),
				"with a trailing bit": half(value)[:21] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", half(value)[21])|1]),
			} {
				t.Run(what, func(t *testing.T) { check(own.With(name, hash), front, name+".mismatch") })
			}
			check(own.With(name, []string{half(value)}), Expect{Nonce: "n-0S6"}, "json.type")
			check(own.With(name, 1), Expect{Nonce: "n-0S6"}, "json.type")
		})
	}

	// The length is that of the algorithm which the key has, not of one that the token or its sender chose.
	t.Run("M7_hash_of_the_key", func(t *testing.T) {
		key, err := jwk.Generate(jwa.ES384)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewVerifier(jwk.Set{key.Public()}, p)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum384([]byte("access"))
		_, err = w.Verify(ctx, own.With("at_hash", encode(sum[:24])).Sign(t, key, ""), Expect{Nonce: "n-0S6", AccessToken: "access"})
		profiletest.Want(t, err)
		_, err = w.Verify(ctx, own.Sign(t, key, ""), Expect{Nonce: "n-0S6", AccessToken: "access"})
		profiletest.Want(t, err, "at_hash.mismatch")
	})

	t.Run("M7_nonce", func(t *testing.T) {
		for _, nonce := range []string{"N-0S6", "n-0S6 ", "n-0S", "n-0S67", "n-0S6,n-0S6", " "} {
			check(own.With("nonce", nonce), front, "nonce.mismatch")
		}
		check(own.With("nonce", ""), front, "nonce.missing")
		check(own.With("nonce", nil), front, "nonce.missing")
		check(own.With("nonce", []string{"n-0S6"}), front, "json.type")
		// Without one that was sent, a token of a login that sent one is not taken.
		check(good, Expect{NoNonce: true}, "azp.missing", "nonce.mismatch")
	})

	t.Run("M7_azp", func(t *testing.T) {
		for _, azp := range []string{"S6BhdRkqt3", "s6BhdRkqt3 ", "other"} {
			check(own.With("azp", azp), front, "azp.mismatch")
		}
		check(own.With("azp", nil), front, "azp.missing")
		check(own.With("azp", []string{"s6BhdRkqt3"}), front, "json.type")
		check(own.With("aud", []string{"s6BhdRkqt3", "other"}), front, "aud.untrusted")
	})

	t.Run("M7_sub", func(t *testing.T) {
		x := front
		x.Subject = "alice"
		check(own, x)
		for _, sub := range []string{"Alice", "alice ", "mallory", "alice@op.example"} {
			check(own.With("sub", sub), x, "sub.mismatch")
		}
	})

	// max_age was asked for, and the login is an older one than the token says nothing of.
	t.Run("M7_auth_time", func(t *testing.T) {
		x := front
		x.MaxAge = time.Minute
		check(own.With("auth_time", now), x)
		check(own, x, "auth_time.missing")
		check(own.With("auth_time", now-121), x, "auth_time.too_old")
	})
}
