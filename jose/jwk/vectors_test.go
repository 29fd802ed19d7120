package jwk_test

import (
	"context"
	"crypto"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestRFC7517(t *testing.T) {
	t.Run("A.1", func(t *testing.T) {
		set, skipped, err := jwk.ParseSet(rfc7517()["A.1"], jwk.Binding{})
		if err != nil || len(set) != 2 || len(skipped) != 0 {
			t.Fatalf("%d keys, %v, %v", len(set), skipped, err)
		}
		if set[0].Algorithm() != jwa.ECDH_ES || set[0].KeyID() != "1" {
			t.Errorf("got %v", set[0])
		}
		if set[1].Algorithm() != jwa.RS256 || set[1].KeyID() != "2011-04-29" {
			t.Errorf("got %v", set[1])
		}
		// RFC 7638, Section 3.1 has the thumbprint of the same key.
		got, err := set[1].JWK().Thumbprint(crypto.SHA256)
		if err != nil || got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
			t.Errorf("thumbprint %s, %v", got, err)
		}
		// RFC 9278, Section 6 has its URI.
		got, err = set[1].JWK().ThumbprintURI(crypto.SHA256)
		if err != nil || got != "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
			t.Errorf("thumbprint URI %s, %v", got, err)
		}
	})
	t.Run("A.2", func(t *testing.T) {
		all, skipped, err := jwk.ParseJWKs(rfc7517()["A.2"])
		if err != nil || len(all) != 2 || len(skipped) != 0 {
			t.Fatalf("%d keys, %v, %v", len(all), skipped, err)
		}
		_, err = all[0].PrivateKey(jwk.Binding{})
		wantCode(t, err, "key.use")
		k, err := all[1].PrivateKey(jwk.Binding{})
		if err != nil || k.Algorithm() != jwa.RS256 || k.KeyID() != "2011-04-29" {
			t.Fatalf("%v, %v", k, err)
		}
		for i, j := range all {
			if !j.IsPrivate() || j.Public().IsPrivate() {
				t.Errorf("key %d: IsPrivate is wrong", i)
			}
		}
	})
	t.Run("A.3", func(t *testing.T) {
		all, _, err := jwk.ParseJWKs(rfc7517()["A.3"])
		if err != nil || len(all) != 2 {
			t.Fatalf("%d keys, %v", len(all), err)
		}
		_, err = all[0].SecretKey(jwk.Binding{})
		wantCode(t, err, "key.use")
		_, err = all[1].SecretKey(jwk.Binding{})
		wantCode(t, err, "alg.mismatch") // no alg, and none in the binding
		k, err := all[1].SecretKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256}})
		if err != nil || k.Algorithm() != jwa.HS256 || k.KeyID() != "HMAC key used in JWS spec Appendix A.1 example" {
			t.Fatalf("%v, %v", k, err)
		}
	})
	t.Run("B", func(t *testing.T) {
		j := mustParse(t, string(rfc7517()["B"]))
		if len(j.X5C()) != 1 || j.Use() != "sig" || j.KeyID() != "1b94c" {
			t.Errorf("%d certificates, use %q, kid %q", len(j.X5C()), j.Use(), j.KeyID())
		}
		k, err := j.PublicKey(jwk.Binding{})
		if err != nil || k.Algorithm() != jwa.RS256 {
			t.Fatal(err)
		}
	})
}

// RFC 7515, Appendix A: the signing input of each, its key and its signature.
func TestRFC7515(t *testing.T) {
	const (
		payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
		a1      = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + payload
		a1Sig   = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		a3      = "eyJhbGciOiJFUzI1NiJ9." + payload
		a3Key   = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`
		a3Sig   = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
		a4      = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA"
		a4Key   = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2","d":"AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"}`
		a4Sig   = "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	)
	for _, c := range []struct{ name, key, input, signature string }{
		{"A.3", a3Key, a3, a3Sig},
		{"A.4", a4Key, a4, a4Sig},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := mustParse(t, c.key)
			k, err := j.PrivateKey(jwk.Binding{})
			if err != nil {
				t.Fatal(err)
			}
			signature, err := b64url.DecodeString(c.signature)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Public().Verify([]byte(c.input), signature); err != nil {
				t.Error(err)
			}
			signature[5] ^= 1
			wantCode(t, k.Public().Verify([]byte(c.input), signature), "sig.invalid")
		})
	}
	t.Run("A.1", func(t *testing.T) {
		k, err := mustParse(t, octSecret).SecretKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Sign(context.Background(), []byte(a1))
		if err != nil || b64url.EncodeToString(got) != a1Sig {
			t.Errorf("%s, %v", b64url.EncodeToString(got), err)
		}
	})
}

func TestRFC8037(t *testing.T) {
	k, err := mustParse(t, edPrivate).PrivateKey(jwk.Binding{})
	if err != nil || k.Algorithm() != jwa.EdDSA {
		t.Fatal(k, err)
	}
	// A.2: the public key.
	if got, err := k.JWK().With("alg", nil); err != nil {
		t.Error(err)
	} else if data, err := json.Marshal(got); err != nil || string(data) != edPublic {
		t.Errorf("%s, %v", data, err)
	}
	// A.3: the thumbprint.
	if got, err := k.JWK().Thumbprint(crypto.SHA256); err != nil || got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("%s, %v", got, err)
	}
	// A.4 and A.5: the signature, which is deterministic.
	const (
		input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
		want  = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	)
	got, err := k.Sign(context.Background(), []byte(input))
	if err != nil || b64url.EncodeToString(got) != want {
		t.Errorf("%s, %v", b64url.EncodeToString(got), err)
	}
	if err := k.Public().Verify([]byte(input), got); err != nil {
		t.Error(err)
	}
}

func TestRFC7520(t *testing.T) {
	dir := filepath.Join(testvectors.Dir(t), "rfc7520")
	read := func(name string) jwk.JWK {
		data, err := os.ReadFile(filepath.Join(dir, "jwk", name))
		if err != nil {
			t.Fatal(err)
		}
		return mustParse(t, string(data))
	}
	ec, ecPriv := read("3_1.ec_public_key.json"), read("3_2.ec_private_key.json")
	rsa, rsaPriv := read("3_3.rsa_public_key.json"), read("3_4.rsa_private_key.json")
	for _, pair := range [][2]jwk.JWK{{ec, ecPriv}, {rsa, rsaPriv}} {
		pub, err := pair[0].PublicKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		priv, err := pair[1].PrivateKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		signature, err := priv.Sign(context.Background(), []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Verify([]byte("m"), signature); err != nil {
			t.Error(pub, err)
		}
	}
	if _, err := read("3_5.symmetric_key_mac_computation.json").SecretKey(jwk.Binding{}); err != nil {
		t.Error(err)
	}
	_, err := read("3_6.symmetric_key_encryption.json").SecretKey(jwk.Binding{})
	wantCode(t, err, "key.use")

	signed, err := filepath.Glob(filepath.Join(dir, "jws", "4_[1-6]*.json"))
	if err != nil || len(signed) != 6 {
		t.Fatal(signed, err)
	}
	for _, file := range append(signed, filepath.Join(dir, "curve25519", "jws.json")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v struct {
				Input struct {
					Key json.RawMessage
					Alg string
				}
				Signing struct {
					Input string `json:"sig-input"`
					Sig   string
				}
			}
			if err := json.Unmarshal(data, &v); err != nil {
				t.Fatal(err)
			}
			alg, _ := jwa.Lookup(v.Input.Alg)
			b := jwk.Binding{Algorithms: []jwa.Algorithm{alg}}
			j := mustParse(t, string(v.Input.Key))
			var k jwk.Verifier
			if alg.Symmetric() {
				k, err = j.SecretKey(b)
			} else {
				k, err = j.PublicKey(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			signature, err := b64url.DecodeString(v.Signing.Sig)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.Verify([]byte(v.Signing.Input), signature); err != nil {
				t.Error(err)
			}
			wantCode(t, k.Verify([]byte(v.Signing.Input+"x"), signature), "sig.invalid")
		})
	}
}
