package jwt

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

func decodePart(t testing.TB, raw string, i int) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSign(t *testing.T) {
	key, err := jwk.NewSecretKey(jwa.HS256, "k\"1", secret)
	if err != nil {
		t.Fatal(err)
	}
	exp := time.Unix(unix+60, 0)
	full := Registered{
		Issuer: issuer, Subject: "a\"b", Audience: Audience{"x", "y"}, Expiry: exp,
		NotBefore: time.Unix(unix, 500e6), IssuedAt: time.Unix(unix, 0), ID: "1",
	}
	for _, tc := range []struct {
		name    string
		sign    func() (string, error)
		header  string
		payload string
	}{
		{
			"struct", func() (string, error) { return Sign(ctx, key, Header{}, full, order{Scope: "s"}) },
			`{"alg":"HS256","kid":"k\"1","typ":"JWT"}`,
			`{"iss":"https://as.example","sub":"a\"b","aud":["x","y"],"exp":1767268860,"nbf":1767268800.5,"iat":1767268800,"jti":"1","scope":"s","client_id":"","admin":false,"level":0}`,
		},
		{
			"map", func() (string, error) {
				return Sign(ctx, key, Header{Type: "x+jwt", ContentType: "c", KeyID: "k\"1", Algorithm: "HS256"}, Registered{Audience: Audience{"x"}, Expiry: exp}, map[string]any{"n": 1})
			},
			`{"alg":"HS256","kid":"k\"1","typ":"x+jwt","cty":"c"}`, `{"aud":"x","exp":1767268860,"n":1}`,
		},
		{
			"nothing", func() (string, error) { return Sign(ctx, key, Header{}, Registered{}, struct{}{}, AllowMissingExpiry) },
			`{"alg":"HS256","kid":"k\"1","typ":"JWT"}`, `{}`,
		},
		{
			"nil map", func() (string, error) {
				return Sign(ctx, key, Header{}, Registered{Expiry: exp}, map[string]json.RawMessage(nil))
			},
			`{"alg":"HS256","kid":"k\"1","typ":"JWT"}`, `{"exp":1767268860}`,
		},
		{
			"extra header", func() (string, error) {
				return Sign(ctx, key, Header{Extra: map[string]json.RawMessage{"x": []byte(`1`)}, Critical: []string{"x"}}, Registered{Expiry: exp}, struct{}{})
			},
			`{"alg":"HS256","kid":"k\"1","typ":"JWT","crit":["x"],"x":1}`, `{"exp":1767268860}`,
		},
		{
			// H12: a name is written as a string, whatever it holds.
			"injection", func() (string, error) {
				return Sign(ctx, key, Header{}, Registered{Expiry: exp}, map[string]any{`x":0,"admin`: true})
			},
			`{"alg":"HS256","kid":"k\"1","typ":"JWT"}`, `{"exp":1767268860,"x\":0,\"admin":true}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := tc.sign()
			if err != nil {
				t.Fatal(err)
			}
			if got := decodePart(t, raw, 0); got != tc.header {
				t.Errorf("header %s", got)
			}
			if got := decodePart(t, raw, 1); got != tc.payload {
				t.Errorf("payload %s", got)
			}
			if _, err := jws.Verify(ctx, jwk.Set{key}, raw, jws.Options{Critical: []string{"x"}}); err != nil {
				t.Error(err)
			}
		})
	}
}

// Each member that the fast path does not write itself reaches the token.
func TestSignWholeHeader(t *testing.T) {
	pub := privateKey(t, jwa.ES256).JWK().Public()
	for name, h := range map[string]Header{
		"jwk":      {JWK: &pub},
		"x5c":      {X5C: [][]byte{{1}}},
		"x5t#S256": {X5T256: "abc"},
		"jku":      {JKU: "https://example"},
		"x5u":      {X5U: "https://example"},
		"crit":     {Critical: []string{"x"}, Extra: map[string]json.RawMessage{"x": []byte("1")}},
		"y":        {Extra: map[string]json.RawMessage{"y": []byte("1")}},
	} {
		raw, err := Sign(ctx, secretKey(t), h, Registered{Expiry: clock()}, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		if got := decodePart(t, raw, 0); !strings.Contains(got, `"`+name+`":`) {
			t.Errorf("%s is not in %s", name, got)
		}
	}
}

// The last header is remembered with its key: what comes after it is written anew, unless it is the same.
func TestSignWithHeadersInTurn(t *testing.T) {
	named, err := jwk.NewSecretKey(jwa.HS256, "k", secret)
	if err != nil {
		t.Fatal(err)
	}
	r := Registered{Expiry: clock()}
	edKey := privateKey(t, jwa.EdDSA)
	for i, step := range []struct {
		key  jwk.Signer
		h    Header
		want string
	}{
		{secretKey(t), Header{}, `{"alg":"HS256","typ":"JWT"}`},
		{named, Header{}, `{"alg":"HS256","kid":"k","typ":"JWT"}`},
		{named, Header{}, `{"alg":"HS256","kid":"k","typ":"JWT"}`},
		{edKey, Header{}, `{"alg":"EdDSA","kid":"` + edKey.KeyID() + `","typ":"JWT"}`},
		{edKey, Header{Algorithm: "HS256"}, ""},
		{edKey, Header{Algorithm: "Ed25519"}, `{"alg":"Ed25519","kid":"` + edKey.KeyID() + `","typ":"JWT"}`},
		{named, Header{Type: "x"}, `{"alg":"HS256","kid":"k","typ":"x"}`},
		{named, Header{Type: "x", KeyID: "other"}, ""},
		{named, Header{Type: "x", ContentType: "y"}, `{"alg":"HS256","kid":"k","typ":"x","cty":"y"}`},
		{named, Header{Type: "x", ContentType: "y", JKU: "z"}, `{"alg":"HS256","kid":"k","typ":"x","cty":"y","jku":"z"}`},
		{named, Header{Type: "x", ContentType: "y"}, `{"alg":"HS256","kid":"k","typ":"x","cty":"y"}`},
		{named, Header{Type: "x", ContentType: "y", JKU: "z"}, `{"alg":"HS256","kid":"k","typ":"x","cty":"y","jku":"z"}`},
		{nil, Header{Type: "x", ContentType: "y"}, ""},
		{named, Header{}, `{"alg":"HS256","kid":"k","typ":"JWT"}`},
	} {
		for range 2 {
			raw, err := Sign(ctx, step.key, step.h, r, struct{}{})
			switch {
			case (err == nil) != (step.want != ""):
				t.Errorf("step %d: %v", i, err)
			case err == nil && decodePart(t, raw, 0) != step.want:
				t.Errorf("step %d: %s, want %s", i, decodePart(t, raw, 0), step.want)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	key := secretKey(t)
	exp := time.Unix(unix+60, 0)
	r := Registered{Expiry: exp}
	type open struct {
		A    int            `json:"a"`
		Rest map[string]any `json:",inline"`
	}
	type Embedded struct {
		Rest map[string]any `json:",inline"`
	}
	type outer struct{ Embedded }
	bad := "\xff"
	for _, tc := range []struct {
		name string
		sign func() (string, error)
		want string
	}{
		{"no exp", func() (string, error) { return Sign(ctx, key, Header{}, Registered{Issuer: issuer}, struct{}{}) }, "exp.missing"},
		{"nbf after exp", func() (string, error) {
			return Sign(ctx, key, Header{}, Registered{Expiry: exp, NotBefore: exp.Add(1)}, struct{}{})
		}, "nbf.order"},
		{"b64", func() (string, error) { return Sign(ctx, key, Header{Unencoded: true}, r, struct{}{}) }, "b64.invalid"},
		{"alg", func() (string, error) { return Sign(ctx, key, Header{Algorithm: "HS512"}, r, struct{}{}) }, "alg.mismatch"},
		{"crit", func() (string, error) { return Sign(ctx, key, Header{Critical: []string{"x"}}, r, struct{}{}) }, "crit.invalid"},
		{"extra alg", func() (string, error) {
			return Sign(ctx, key, Header{Extra: map[string]json.RawMessage{"alg": []byte(`"none"`)}}, r, struct{}{})
		}, "header.invalid"},
		{"no key", func() (string, error) { return Sign(ctx, nil, Header{}, r, struct{}{}) }, "key.none"},
		{"iss in a map, not in Registered", func() (string, error) { return Sign(ctx, key, Header{}, r, map[string]any{"iss": "x"}) }, "claim.collision"},
		{"exp in both", func() (string, error) { return Sign(ctx, key, Header{}, r, map[string]any{"exp": 1}) }, "claim.collision"},
		{"raw jti", func() (string, error) {
			return Sign(ctx, key, Header{}, r, map[string]json.RawMessage{"jti": []byte(`"1"`)})
		}, "claim.collision"},
		{"map of strings", func() (string, error) { return Sign(ctx, key, Header{}, r, map[string]string{"sub": "x"}) }, "claim.collision"},
		{"inline map", func() (string, error) { return Sign(ctx, key, Header{}, r, open{Rest: map[string]any{"aud": "x"}}) }, "claim.collision"},
		{"embedded inline map", func() (string, error) {
			return Sign(ctx, key, Header{}, r, outer{Embedded{map[string]any{"nbf": 1}}})
		}, "claim.collision"},
		{"pointer to inline map", func() (string, error) { return Sign(ctx, key, Header{}, r, &open{Rest: map[string]any{"iat": 1}}) }, "claim.collision"},
		{"UTF-8", func() (string, error) {
			return Sign(ctx, key, Header{}, Registered{Expiry: exp, Issuer: bad}, struct{}{})
		}, "json.utf8"},
		{"UTF-8 in kid", func() (string, error) { return Sign(ctx, key, Header{KeyID: bad}, r, struct{}{}) }, "json.utf8"},
		{"UTF-8 in a map", func() (string, error) { return Sign(ctx, key, Header{}, r, map[string]any{"x": bad}) }, "json.utf8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := tc.sign()
			if got := fault.CodeOf(err); got != tc.want || raw != "" {
				t.Errorf("code %s, want %s: %v %s", got, tc.want, err, raw)
			}
		})
	}
	// Found by FuzzClaims: an exp before the year 1 is before the zero time of an nbf that is absent.
	if _, err := Sign(ctx, key, Header{}, Registered{Expiry: time.Unix(-100_000_000_000, 0)}, struct{}{}); err != nil {
		t.Error(err)
	}
	raw, err := Sign(ctx, key, Header{}, r, open{A: 1, Rest: map[string]any{"b": 2}})
	if err != nil || decodePart(t, raw, 1) != `{"exp":1767268860,"a":1,"b":2}` {
		t.Errorf("%s %v", raw, err)
	}
}

// A key whose signer fails hands its error on, and what it holds of the buffers is not used again.
func TestSignFailingSigner(t *testing.T) {
	pub := privateKey(t, jwa.ES256).Public().CryptoKey()
	down := errors.New("the service is down")
	key, err := jwk.NewRemoteKey(jwa.ES256, "r", pub, func(ctx context.Context, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, down
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(ctx, key, Header{}, Registered{Expiry: clock()}, struct{}{}); !errors.Is(err, down) {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Sign(gone, key, Header{}, Registered{Expiry: clock()}, struct{}{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSignVerifyRoundTrip(t *testing.T) {
	type claims struct {
		S    string            `json:"s"`
		T    time.Time         `json:"t,format:unix"`
		D    NumericDate       `json:"d"`
		A    Audience          `json:"a"`
		L    []int             `json:"l,omitempty"`
		P    *string           `json:"p,omitempty"`
		M    map[string]string `json:"m,omitempty"`
		Rest map[string]any    `json:",inline"`
	}
	in := claims{
		S: "grüße \u2028 <&> \"", T: time.Unix(5, 0).UTC(), D: NumericDate{time.Unix(7, 250e6).UTC()}, A: Audience{"x"},
		L: []int{1, -2}, M: map[string]string{"k": "v"}, Rest: map[string]any{"z": "last"},
	}
	raw, err := Sign(ctx, secretKey(t), Header{}, registered7, in)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier[claims](t, jwk.Set{secretKey(t)}, policy()).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	out := tok.Claims
	if out.S != in.S || !out.T.Equal(in.T) || !out.D.Equal(in.D.Time) || !slices.Equal(out.A, in.A) || !slices.Equal(out.L, in.L) || !maps.Equal(out.M, in.M) || out.Rest["z"] != "last" {
		t.Errorf("%+v\n%+v", in, out)
	}
}

// Many types and many goroutines share plans and buffers.
func TestSignConcurrently(t *testing.T) {
	key := secretKey(t)
	v := verifier[map[string]any](t, jwk.Set{key}, policy())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				want := fmt.Sprint(g, "-", i, strings.Repeat("x", i*10))
				raw, err := Sign(ctx, key, Header{}, registered7, map[string]any{"v": want})
				if err != nil {
					t.Error(err)
					return
				}
				tok, err := v.Verify(ctx, raw)
				if err != nil || tok.Claims["v"] != want {
					t.Errorf("%v %v", tok, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestLargeTokensAreNotKept(t *testing.T) {
	big := strings.Repeat("x", maxScratch)
	raw, err := Sign(ctx, secretKey(t), Header{}, registered7, map[string]any{"v": big})
	if err != nil || len(raw) < maxScratch {
		t.Fatal(err)
	}
	p, _ := planOf[map[string]any]()
	for range 4 {
		if s := p.pool.Get().(*scratch[map[string]any]); cap(s.json)+cap(s.encoded) > maxScratch || s.claims.Claims != nil {
			t.Error("a large buffer, or a caller's claims, stay in the pool")
		}
	}
}

func TestClaimTypesAsJSON(t *testing.T) {
	for in, want := range map[string]string{`"a"`: `"a"`, `["a"]`: `"a"`, `["a","b"]`: `["a","b"]`, `[]`: `[]`} {
		var a Audience
		if err := json.Unmarshal([]byte(in), &a); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(a)
		if err != nil || string(out) != want {
			t.Errorf("%s: %s %v", in, out, err)
		}
	}
	for in, want := range map[string]string{"1": "1", "1.5": "1.5", "-1": "-1", "1E3": "1000", "1.0": "1"} {
		var d NumericDate
		if err := json.Unmarshal([]byte(in), &d); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(d)
		if err != nil || string(out) != want {
			t.Errorf("%s: %s %v", in, out, err)
		}
	}
	for _, in := range []string{"null", "1", `["a",1]`, `{}`, `[["a"]]`, `"a","b"`} {
		if err := new(Audience).UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("audience %s", in)
		}
	}
	for _, in := range []string{"null", `"1"`, "1e400", "[]", "1,2", `1,"v":2`} {
		if err := new(NumericDate).UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("date %s", in)
		}
	}
	// A caller's buffer is not kept.
	buf := []byte(`"abc"`)
	var a Audience
	if err := a.UnmarshalJSON(buf); err != nil {
		t.Fatal(err)
	}
	if buf[1] = 'X'; a[0] != "abc" {
		t.Error("Audience keeps the buffer")
	}
	if _, err := (NumericDate{time.Unix(1<<62, 0)}).MarshalJSON(); fault.CodeOf(err) != "json.number" {
		t.Errorf("a time that does not fit: %v", err)
	}
}
