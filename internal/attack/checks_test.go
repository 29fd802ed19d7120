package attack_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

func itoa(i int) string { return strconv.Itoa(i) }

func atoi(s string) int { i, _ := strconv.Atoi(s); return i }

var (
	background = context.Background()
	now        = time.Unix(1767268800, 0)
	claims     = jwt.Registered{
		Issuer: "https://as.example", Audience: jwt.Audience{"https://api.example"}, ID: "n-0S6",
		IssuedAt: now, Expiry: now.Add(time.Hour),
	}
	asked = jwt.Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}, Clock: func() time.Time { return now },
	}
)

func generate(t *testing.T, alg jwa.Algorithm) *jwk.PrivateKey {
	t.Helper()
	key, err := jwk.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got := codes(err); err == nil || len(got) != 1 || got[0] != code {
		t.Errorf("got %q (%v), want %s", got, err, code)
	}
}

// seen is the smallest replay memory.
type seen struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (s *seen) Seen(_ context.Context, issuer, id string, _ time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strconv.Quote(issuer) + id
	was := s.ids[key]
	s.ids[key] = true
	return was, nil
}

// checks are the attacks that no single token shows.
var checks = map[string]func(*testing.T){
	"A12_secrets_leave_no_published_set": func(t *testing.T) {
		secret, err := jwk.GenerateSecret(jwa.HS256)
		if err != nil {
			t.Fatal(err)
		}
		private := generate(t, jwa.ES256)
		_, err = json.Marshal(jwk.Set{private.Public(), secret})
		wantCode(t, err, "key.private")
		description, err := private.PrivateJWK()
		if err != nil {
			t.Fatal(err)
		}
		whole, err := description.MarshalPrivateJSON()
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		if err := json.Unmarshal(whole, &members); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(description)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{string(text), fmt.Sprint(private), fmt.Sprintf("%#v %+v", private, private), fmt.Sprintf("%#v %+v", description, description)} {
			if d := members["d"]; d == "" || strings.Contains(out, d) {
				t.Errorf("the private member is printed: %s", out)
			}
		}
	},

	"A12_encryption_secrets_leave_no_published_set": publishedEncryptionKeys,
	"J7_lengths_tell_nothing_unless_asked":          lengthsTellNothing,
	"J17_nothing_repeats":                           nothingRepeats,
	"J19_no_plaintext_beside_an_error":              noPlaintextBesideAnError,

	// Whoever sees a token can make another that verifies: what marks a token as used
	// is its jti, not its bytes.
	"B2_twin_signature_is_no_new_token": func(t *testing.T) {
		key := generate(t, jwa.ES256)
		token, err := jwt.Sign(background, key, jwt.Header{}, claims, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		head, tail := token[:strings.LastIndexByte(token, '.')+1], token[strings.LastIndexByte(token, '.')+1:]
		sig, err := base64.RawURLEncoding.DecodeString(tail)
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).SetBytes(sig[32:])
		s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
		twin := head + base64.RawURLEncoding.EncodeToString(sig)
		for _, cache := range []int{0, 16} {
			p := asked
			p.Replay, p.CacheSize = &seen{ids: map[string]bool{}}, cache
			v, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(background, token); err != nil {
				t.Fatal(err)
			}
			_, err = v.Verify(background, twin)
			wantCode(t, err, "jti.replayed")
			_, err = v.Verify(background, token)
			wantCode(t, err, "jti.replayed")
		}
	},

	// No timing is measured: the comparison of an HMAC is the standard library's.
	"B10_constant_time": func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join("..", "..", "jose", "jwk", "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal("no sources", err)
		}
		found := false
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(text, []byte("hmac.")) {
				continue
			}
			found = found || bytes.Contains(text, []byte("hmac.Equal(")) || bytes.Contains(text, []byte("subtle.ConstantTimeCompare("))
			for _, bad := range []string{"bytes.Equal(", "bytes.Compare(", "reflect.DeepEqual("} {
				if bytes.Contains(text, []byte(bad)) {
					t.Errorf("%s is in %s, beside an HMAC", bad, file)
				}
			}
		}
		if !found {
			t.Error("nothing compares an HMAC in constant time")
		}
	},

	"B11_nonce_never_repeats": func(t *testing.T) {
		for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.ES384, jwa.ES512} {
			key := generate(t, alg)
			nonces := map[string]string{}
			for i := range 40 {
				message := itoa(i / 2) // each message twice
				sig, err := key.Sign(background, []byte(message))
				if err != nil {
					t.Fatal(err)
				}
				r := string(sig[:len(sig)/2])
				if other, ok := nonces[r]; ok && other != message {
					t.Fatalf("%s: one r for two messages", alg)
				}
				nonces[r] = message
			}
			if len(nonces) < 20 {
				t.Errorf("%s: %d values of r for 20 messages", alg, len(nonces))
			}
		}
	},

	"B13_detached_payload_swapped": func(t *testing.T) {
		key := generate(t, jwa.ES256)
		for _, unencoded := range []bool{false, true} {
			token, err := jws.SignDetached(background, key, jws.Header{Unencoded: unencoded}, strings.NewReader("pay alice"))
			if err != nil {
				t.Fatal(err)
			}
			keys := jwk.Set{key.Public()}
			if _, err := jws.VerifyDetached(background, keys, token, strings.NewReader("pay alice"), jws.Options{}); err != nil {
				t.Errorf("control: %v", err)
			}
			for _, payload := range []string{"pay mallory", "", "pay alice ", "cGF5IGFsaWNl"} {
				_, err := jws.VerifyDetached(background, keys, token, strings.NewReader(payload), jws.Options{})
				wantCode(t, err, "sig.invalid")
			}
			if _, err := jws.Verify(background, keys, token, jws.Options{}); err == nil {
				t.Error("a detached token is accepted with an empty payload")
			}
		}
	},

	// encoding/json takes ROLE, and U+212A for k, as the field's name.
	"D3_typed_claims_match_exactly": func(t *testing.T) {
		type typed struct {
			Role string `json:"role"`
			Key  string `json:"key"`
			Bare string
		}
		secret, err := jwk.GenerateSecret(jwa.HS256)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jwt.NewVerifier[typed](jwk.Set{secret}, asked)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jwt.Sign(background, secret, jwt.Header{}, claims, map[string]any{
			"ROLE": "admin", "Role": "admin", "\u212aey": "x", "KEY": "x", "bare": "x", "BARE": "x",
		})
		if err != nil {
			t.Fatal(err)
		}
		token, err := v.Verify(background, raw)
		if err != nil {
			t.Fatal(err)
		}
		if token.Claims != (typed{}) {
			t.Errorf("members of other names are read: %+v", token.Claims)
		}
		raw, err = jwt.Sign(background, secret, jwt.Header{}, claims, typed{"admin", "x", "y"})
		if err != nil {
			t.Fatal(err)
		}
		if token, err = v.Verify(background, raw); err != nil || token.Claims != (typed{"admin", "x", "y"}) {
			t.Errorf("control: %+v %v", token, err)
		}
	},

	"D13_typed_integers_are_exact": func(t *testing.T) {
		secret, err := jwk.GenerateSecret(jwa.HS256)
		if err != nil {
			t.Fatal(err)
		}
		type typed struct {
			N int64 `json:"n"`
			B uint8 `json:"b"`
		}
		v, err := jwt.NewVerifier[typed](jwk.Set{secret}, asked)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ n, b, code string }{
			{"9223372036854775807", "255", ""},
			{"-9223372036854775808", "0", ""},
			{"9007199254740993", "1", ""},
			{"1.0", "1E2", ""},
			{"9223372036854775808", "0", "json.number"},
			{"1.5", "0", "json.number"},
			{"1e30", "0", "json.number"},
			{"1e-1", "0", "json.number"},
			{"0", "256", "json.number"},
			{"0", "-1", "json.number"},
			{`"1"`, "0", "json.type"},
			{"null", "0", "json.type"},
			{"true", "0", "json.type"},
		} {
			raw, err := jwt.Sign(background, secret, jwt.Header{}, claims, map[string]json.RawMessage{"n": json.RawMessage(c.n), "b": json.RawMessage(c.b)})
			if err != nil {
				t.Fatal(err)
			}
			token, err := v.Verify(background, raw)
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil {
				t.Errorf("n = %s, b = %s: %v", c.n, c.b, err)
			} else if want, _, _ := strings.Cut(c.n, "."); itoa64(token.Claims.N) != want {
				t.Errorf("n = %d, want %s", token.Claims.N, c.n)
			}
		}
	},

	"F15_leeway_out_of_bounds": func(t *testing.T) {
		key := generate(t, jwa.ES256)
		for _, leeway := range []time.Duration{-2, -time.Second, -time.Hour, 10*time.Minute + 1, time.Hour, 1 << 62} {
			p := asked
			p.Leeway = leeway
			_, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, p)
			wantCode(t, err, "policy.invalid")
		}
		p := asked
		p.Leeway = 10 * time.Minute
		if _, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, p); err != nil {
			t.Errorf("control: %v", err)
		}
	},

	"F17_jti_used_twice": func(t *testing.T) {
		key := generate(t, jwa.ES256)
		token, err := jwt.Sign(background, key, jwt.Header{}, claims, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		p := asked
		p.Replay = &seen{ids: map[string]bool{}}
		for i, want := range []string{"", "jti.replayed", "jti.replayed"} {
			v, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = v.Verify(background, token); want != "" {
				wantCode(t, err, want)
			} else if err != nil {
				t.Errorf("use %d: %v", i, err)
			}
		}
		nameless := claims
		nameless.ID = ""
		token, err = jwt.Sign(background, key, jwt.Header{}, nameless, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := jwt.NewVerifier[struct{}](jwk.Set{key.Public()}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(background, token)
		wantCode(t, err, "jti.missing")
	},

	"H8_who_signed_is_reported": func(t *testing.T) {
		one, two := generate(t, jwa.ES256), generate(t, jwa.ES256)
		doc, err := jws.SignJSON(background, []byte("hello"), jws.Signatory{Key: one}, jws.Signatory{Key: two})
		if err != nil {
			t.Fatal(err)
		}
		only := jwk.Set{two.Public()}
		_, err = jws.VerifyJSON(background, only, doc, jws.Options{})
		if err == nil {
			t.Error("all signatures are due, and one is by a stranger")
		}
		m, err := jws.VerifyJSON(background, only, doc, jws.Options{Require: jws.Any})
		if err != nil {
			t.Fatal(err)
		}
		signed := slices.Collect(func(yield func(string) bool) {
			for _, s := range m.Signatures {
				if s.Err == nil && !yield(s.Key.KeyID()) {
					return
				}
			}
		})
		if len(m.Signatures) != 2 || len(signed) != 1 || signed[0] != two.KeyID() || m.Signatures[0].Key != nil {
			t.Errorf("signed by %q, want %q alone", signed, two.KeyID())
		}
		// One of two signatures taken out, where two signers are due.
		stripped, err := jws.SignJSON(background, []byte("hello"), jws.Signatory{Key: two})
		if err != nil {
			t.Fatal(err)
		}
		both := jwk.Set{one.Public(), two.Public()}
		if _, err := jws.VerifyJSON(background, both, doc, jws.Options{MinSignatures: 2}); err != nil {
			t.Errorf("control: %v", err)
		}
		if _, err := jws.VerifyJSON(background, both, stripped, jws.Options{MinSignatures: 2}); err == nil {
			t.Error("one signature passes for two")
		}
	},

	"H12_claim_name_injection": func(t *testing.T) {
		secret, err := jwk.GenerateSecret(jwa.HS256)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{`x":0,"admin`, `\`, "\n", "\u2028", `","sub":"mallory`, "\x00", `</script>`}
		custom := map[string]any{}
		for _, name := range names {
			custom[name] = name
		}
		raw, err := jwt.Sign(background, secret, jwt.Header{Extra: map[string]json.RawMessage{names[0]: json.RawMessage("1")}}, claims, custom)
		if err != nil {
			t.Fatal(err)
		}
		part := strings.Split(raw, ".")
		for i, want := range []int{len(names) + 5, 2} {
			text, err := base64.RawURLEncoding.DecodeString(part[1-i])
			if err != nil {
				t.Fatal(err)
			}
			var members map[string]any
			if err := json.Unmarshal(text, &members); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			_, admin := members["admin"]
			_, sub := members["sub"]
			if admin || sub || len(members) < want {
				t.Errorf("%s", text)
			}
			if i == 0 {
				for _, name := range names {
					if members[name] != name {
						t.Errorf("%q is written as %v in %s", name, members[name], text)
					}
				}
			}
		}
		if _, err := jwt.Sign(background, secret, jwt.Header{Extra: map[string]json.RawMessage{"x": json.RawMessage(`1,"kid":"evil"`)}}, claims, struct{}{}); err == nil {
			t.Error("a header member that is not JSON is written")
		}
	},

	"K15_set_is_refused_cheaply": func(t *testing.T) {
		set := []byte(`{"keys":[` + strings.Repeat(`{"kty":"EC","crv":"P-256"},`, 99_999) + `{}]}`)
		before := allocated()
		_, _, err := jwk.ParseSet(set, jwk.Binding{})
		if spent := allocated() - before; spent > 1<<20 {
			t.Errorf("%d bytes allocated", spent)
		}
		wantCode(t, err, "key.limit")
	},

	"K17_one_thumbprint_for_one_key": func(t *testing.T) {
		// RFC 7638, Section 3.1.
		const e = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
		const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
		for _, text := range []string{
			`{"kty":"RSA","n":"` + n + `","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`,
			"{ \"e\" : \"\\u0041QAB\",\n\"n\":\"" + n + `","kty":"RSA","use":"sig"}`,
		} {
			key, err := jwk.Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := key.Thumbprint(crypto.SHA256); err != nil || got != e {
				t.Errorf("got %s, %v", got, err)
			}
		}
		for _, text := range []string{
			`{"kty":"RSA","n":"` + n + `","e":"AAEAAQ"}`,                               // a leading zero
			`{"kty":"RSA","n":"` + n + `","e":"AQAB=="}`,                               // padding
			`{"kty":"RSA","n":"` + n[:len(n)-1] + `x","e":"AQAB"}`,                     // a trailing bit
			`{"kty":"RSA","n":"` + strings.ReplaceAll(n, "-", "+") + `","e":"AQAB"}`,   // the other alphabet
			`{"kty":"RSA","n":"` + n[:40] + `\n` + n[40:] + `","e":"AQAB"}`,            // a line end
			`{"kty":"RSA","n":"AA` + strings.TrimSuffix(n, "w") + `","e":"AQAB"}`,      // zeros before
			`{"kty":"RSA","n":"` + n + `"}`, `{"kty":"RSA","n":"` + n + `","e":65537}`, // no e; e a number
			`{"kty":"rsa","n":"` + n + `","e":"AQAB"}`,                                      // another type
			`{"kty":"RSA","n":"` + n + `","e":"AQAB","e":"AQAB"}`, `{"kty":"RSA","e":"AQ"}`, // twice; no n
		} {
			key, err := jwk.Parse([]byte(text))
			if err != nil {
				continue
			}
			if got, err := key.Thumbprint(crypto.SHA256); err == nil {
				if _, err := key.PublicKey(jwk.Binding{}); err == nil {
					t.Errorf("%s is read as a key, and has the thumbprint %s", text, got)
				}
			}
		}
	},
}

func itoa64(i int64) string { return strconv.FormatInt(i, 10) }
