package jws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// The keys of RFC 7515, Appendix A.
const (
	keyA1 = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
	keyA2 = `{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}`
	keyA3 = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`
	keyA4 = `{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}`
)

const joe = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"

const (
	tokenA1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	sigA2   = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
	sigA3   = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	joeB64  = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	tokenA2 = "eyJhbGciOiJSUzI1NiJ9." + joeB64 + "." + sigA2
	tokenA3 = "eyJhbGciOiJFUzI1NiJ9." + joeB64 + "." + sigA3
	tokenA4 = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
	tokenA5 = "eyJhbGciOiJub25lIn0." + joeB64 + "."
	partA6  = `{"protected":"eyJhbGciOiJSUzI1NiJ9","header":{"kid":"2010-12-29"},"signature":"` + sigA2 + `"}`
	partA7  = `"protected":"eyJhbGciOiJFUzI1NiJ9","header":{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"},"signature":"` + sigA3 + `"}`
	tokenA6 = `{"payload":"` + joeB64 + `","signatures":[` + partA6 + `,{` + partA7 + `]}`
	tokenA7 = `{"payload":"` + joeB64 + `",` + partA7
)

// set binds JWKs; those without alg get the algorithms named.
func set(t testing.TB, keys ...string) jwk.Set {
	t.Helper()
	var out jwk.Set
	for _, k := range keys {
		j, err := jwk.Parse([]byte(k))
		if err != nil {
			t.Fatal(err)
		}
		b := jwk.Binding{}
		if j.KeyType() == "oct" {
			if j.Algorithm() == "" {
				b.Algorithms = []jwa.Algorithm{jwa.HS256}
			}
			s, err := j.SecretKey(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
			continue
		}
		p, err := j.PublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestRFC7515Appendix(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ name, key, token, payload, alg string }{
		{"A.1", keyA1, tokenA1, joe, "HS256"},
		{"A.2", keyA2, tokenA2, joe, "RS256"},
		{"A.3", keyA3, tokenA3, joe, "ES256"},
		{"A.4", keyA4, tokenA4, "Payload", "ES512"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := jws.Verify(ctx, set(t, c.key), c.token, jws.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s := m.Signatures[0]; string(m.Payload) != c.payload || s.Header.Algorithm != c.alg || s.Key.Algorithm().Name() != c.alg {
				t.Errorf("payload %q, signed %+v", m.Payload, s)
			}
			flipEach(t, c.token, func(bad string) error {
				_, err := jws.Verify(ctx, set(t, c.key), bad, jws.Options{})
				return err
			})
		})
	}
	t.Run("A.5", func(t *testing.T) {
		_, err := jws.Verify(ctx, set(t, keyA1, keyA2), tokenA5, jws.Options{})
		wantCode(t, err, "alg.none")
	})
	t.Run("A.6", func(t *testing.T) {
		keys := set(t, keyA2, keyA3)
		// The kids are in the unprotected headers, which is allowed by name only.
		_, err := jws.VerifyJSON(ctx, keys, []byte(tokenA6), jws.Options{})
		wantCode(t, err, "header.unprotected")
		m, err := jws.VerifyJSON(ctx, keys, []byte(tokenA6), jws.Options{AllowUnprotectedHeader: true, MinSignatures: 2})
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Payload) != joe || len(m.Signatures) != 2 || m.Signatures[1].Key != keys[1] || m.Signatures[1].Unprotected.KeyID == "" {
			t.Errorf("%+v", m)
		}
	})
	t.Run("A.7", func(t *testing.T) {
		m, err := jws.VerifyJSON(ctx, set(t, keyA3), []byte(tokenA7), jws.Options{AllowUnprotectedHeader: true})
		if err != nil || string(m.Payload) != joe {
			t.Fatal(m, err)
		}
	})
}

// flipEach hands over the token with one bit of each of its parts flipped.
func flipEach(t *testing.T, token string, verify func(string) error) {
	t.Helper()
	at := 0
	for i, part := range strings.Split(token, ".") {
		b := []byte(token)
		b[at+len(part)/2] ^= 1
		if verify(string(b)) == nil {
			t.Errorf("part %d may be changed", i)
		}
		at += len(part) + 1
	}
}

func wantCode(t testing.TB, err error, code string) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("code %q, want %q; error: %v", got, code, err)
	}
}

func TestRFC7797Section4(t *testing.T) {
	ctx := context.Background()
	keys := set(t, keyA1)
	m, err := jws.Verify(ctx, keys, "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ", jws.Options{})
	if err != nil || string(m.Payload) != "$.02" {
		t.Fatal(m, err)
	}
	const detached = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY"
	if _, err = jws.VerifyDetached(ctx, keys, detached, strings.NewReader("$.02"), jws.Options{}); err != nil {
		t.Fatal(err)
	}
	_, err = jws.VerifyDetached(ctx, keys, detached, strings.NewReader("$.03"), jws.Options{})
	wantCode(t, err, "sig.invalid")
	// Its payload cannot be inside, because it has a full stop.
	_, err = jws.Verify(ctx, keys, strings.Replace(detached, "..", ".$.02.", 1), jws.Options{})
	wantCode(t, err, "token.malformed")
}

// vector is a file of the JOSE cookbook.
type vector struct {
	Input struct {
		Payload string          `json:"payload"`
		Key     json.RawMessage `json:"key"`
	} `json:"input"`
	Output struct {
		Compact  string          `json:"compact"`
		General  json.RawMessage `json:"json"`
		Flatened json.RawMessage `json:"json_flat"`
	} `json:"output"`
}

func TestCookbook(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(testvectors.Dir(t), "rfc7520")
	files, _ := filepath.Glob(filepath.Join(dir, "jws", "*.json"))
	if len(files) != 8 {
		t.Fatalf("%d files of RFC 7520, Section 4", len(files))
	}
	more, _ := filepath.Glob(filepath.Join(dir, "rfc7797", "*.json"))
	files = append(append(files, more...), filepath.Join(dir, "curve25519", "jws.json"))
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var v vector
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			keys := cookbookKeys(t, name, v.Input.Key)
			// 4.6 to 4.8 show alg and kid where nothing protects them.
			o := jws.Options{AllowUnprotectedHeader: true}
			if v.Output.Compact != "" {
				check(t, v, func() (*jws.Message, error) {
					if strings.Contains(v.Output.Compact, "..") {
						return jws.VerifyDetached(ctx, keys, v.Output.Compact, strings.NewReader(v.Input.Payload), o)
					}
					return jws.Verify(ctx, keys, v.Output.Compact, o)
				})
			}
			for _, doc := range []json.RawMessage{v.Output.General, v.Output.Flatened} {
				if doc == nil {
					continue
				}
				verify := func() (*jws.Message, error) {
					if !bytes.Contains(doc, []byte(`"payload"`)) {
						return jws.VerifyDetachedJSON(ctx, keys, doc, strings.NewReader(v.Input.Payload), o)
					}
					return jws.VerifyJSON(ctx, keys, doc, o)
				}
				// This file's header lacks the crit that RFC 7797, Section 6 asks for.
				if name == "4.2.hmac-sha2_b64_false.json" {
					_, err := verify()
					wantCode(t, err, "b64.invalid")
					continue
				}
				check(t, v, verify)
			}
		})
	}
}

func check(t *testing.T, v vector, verify func() (*jws.Message, error)) {
	t.Helper()
	m, err := verify()
	if err != nil {
		t.Error(err)
	} else if m.Payload != nil && string(m.Payload) != v.Input.Payload {
		t.Errorf("payload %q", m.Payload)
	}
}

// cookbookKeys binds the keys of a file, whose RSA keys have no alg.
func cookbookKeys(t *testing.T, name string, raw json.RawMessage) jwk.Set {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		list = nil
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatal(err)
		}
	}
	var out jwk.Set
	for _, k := range list {
		j, err := jwk.Parse(k)
		if err != nil {
			t.Fatal(err)
		}
		var b jwk.Binding
		if strings.Contains(name, "rsa-pss") {
			b.Algorithms = []jwa.Algorithm{jwa.PS384}
		}
		if j.KeyType() == "oct" {
			s, err := j.SecretKey(b)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
			continue
		}
		p, err := j.Public().PublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}
