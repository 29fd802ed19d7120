package introspection

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

const now = profiletest.Now

type object = map[string]any

var (
	ctx    = context.Background()
	active = object{"active": true, "sub": "alice", "scope": "read", "client_id": "c1", "exp": now + 600, "aud": "https://api.example"}
	good   = profiletest.Claims{"iss": "https://as.example", "aud": "https://api.example", "iat": now, "token_introspection": active}
)

func some() Policy {
	return Policy{
		Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"},
		JWT: jwt.Policy{Clock: profiletest.Clock},
	}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unsigned(t testing.TB) *Verifier {
	t.Helper()
	v, err := NewVerifier(nil, Policy{Unsigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	lenient := func(p *Policy) { p.LenientSubjectAndExpiry = true }
	with := func(pairs ...any) []any {
		return []any{"token_introspection", map[string]any(profiletest.Claims(active).With(pairs...))}
	}
	for name, tc := range map[string]struct {
		change []any
		typ    string
		policy func(*Policy)
		want   []string
	}{
		"as it should be":             {typ: Type},
		"the whole media type":        {typ: MediaType},
		"without typ":                 {want: []string{"typ.mismatch"}},
		"typ JWT":                     {typ: "JWT", want: []string{"typ.mismatch"}},
		"M3, typ of an access token":  {typ: "at+jwt", want: []string{"typ.mismatch"}},
		"no iss":                      {typ: Type, change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"M1, another server":          {typ: Type, change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"no aud":                      {typ: Type, change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another API":                 {typ: Type, change: []any{"aud", "https://other.example"}, want: []string{"aud.mismatch"}},
		"several":                     {typ: Type, change: []any{"aud", []string{"https://other.example", "https://api.example"}}},
		"no iat":                      {typ: Type, change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"old":                         {typ: Type, change: []any{"iat", now - 361}, want: []string{"iat.too_old"}},
		"almost old":                  {typ: Type, change: []any{"iat", now - 360}},
		"old, allowed":                {typ: Type, change: []any{"iat", now - 361}, policy: func(p *Policy) { p.JWT.MaxAge = time.Hour }},
		"of the future":               {typ: Type, change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"a sub":                       {typ: Type, change: []any{"sub", "alice"}, want: []string{"kind.mismatch"}},
		"a sub, lenient":              {typ: Type, change: []any{"sub", "alice"}, policy: lenient},
		"an exp":                      {typ: Type, change: []any{"exp", now + 60}, want: []string{"kind.mismatch"}},
		"an exp, lenient":             {typ: Type, change: []any{"exp", now + 60}, policy: lenient},
		"an exp that is over":         {typ: Type, change: []any{"exp", now - 61}, policy: lenient, want: []string{"exp.expired"}},
		"other claims":                {typ: Type, change: []any{"jti", "1", "nbf", now, "x", "y"}},
		"no response":                 {typ: Type, change: []any{"token_introspection", nil}, want: []string{"claim.missing"}},
		"a response that is null":     {typ: Type, change: []any{"token_introspection", json.RawMessage("null")}, want: []string{"claim.missing"}},
		"a response that is a string": {typ: Type, change: []any{"token_introspection", "x"}, want: []string{"json.type"}},
		"no active":                   {typ: Type, change: with("active", nil), want: []string{"claim.missing"}},
		"active is a string":          {typ: Type, change: with("active", "true"), want: []string{"json.type"}},
		"not active":                  {typ: Type, change: []any{"token_introspection", object{"active": false}}},
		"not active, and a member":    {typ: Type, change: []any{"token_introspection", object{"active": false, "sub": "alice"}}, want: []string{"active.not_alone"}},
		"not active, and another":     {typ: Type, change: []any{"token_introspection", object{"active": false, "x": 1}}, want: []string{"active.not_alone"}},
		"null for what is not there":  {typ: Type, change: with("aud", json.RawMessage("null"), "username", json.RawMessage("null"))},
		"bound":                       {typ: Type, change: with("cnf", object{"jkt": "x"})},
		"bound to nothing":            {typ: Type, change: with("cnf", object{}), want: []string{"cnf.invalid"}},
		"bound to a secret":           {typ: Type, change: with("cnf", object{"jwk": object{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0"}}), want: []string{"cnf.invalid"}},
		"members of the wrong type":   {typ: Type, change: with("exp", "tomorrow"), want: []string{"json.type"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ))
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func TestResponse(t *testing.T) {
	v := verifier(t, some())
	raw := good.With("token_introspection", object{
		"active": true, "scope": "read write", "client_id": "c1", "username": "Alice", "token_type": "DPoP", "exp": now + 1, "iat": now - 1,
		"nbf": now - 2, "sub": "alice", "aud": []string{"a", "b"}, "iss": "https://as.example", "jti": "7", "auth_time": now - 3, "acr": "gold",
		"cnf": object{"jkt": "x"}, "authorization_details": []any{object{"type": "t"}}, "act": object{"sub": "bob"},
	}).Sign(t, profiletest.Key(t), Type)
	got, err := v.Read(ctx, MediaType, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	want := &Response{
		Active: true, Scope: "read write", ClientID: "c1", Username: "Alice", TokenType: "DPoP", Expiry: at(now + 1), IssuedAt: at(now - 1),
		NotBefore: at(now - 2), Subject: "alice", Audience: jwt.Audience{"a", "b"}, Issuer: "https://as.example", ID: "7",
		AuthTime: at(now - 3), ACR: "gold", Confirmation: &pop.Confirmation{Thumbprint: "x"},
		AuthorizationDetails: json.RawMessage(`[{"type":"t"}]`), Other: map[string]json.RawMessage{"act": json.RawMessage(`{"sub":"bob"}`)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	// What is read is what is written, as JSON and in a token.
	out, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := unsigned(t).Read(ctx, "application/json", out); err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("%+v, %v", again, err)
	}
	raw, err = Sign(ctx, profiletest.Key(t), registered, Claims{Response: got})
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := v.Verify(ctx, raw); err != nil || !reflect.DeepEqual(tok.Claims.Response, want) {
		t.Errorf("%+v, %v", tok, err)
	}
}

// Of a token that is not active, nothing but that leaves a server or reaches an API.
func TestInactive(t *testing.T) {
	for _, r := range []Response{{}, {Subject: "alice", Expiry: time.Unix(now, 0), Other: map[string]json.RawMessage{"x": json.RawMessage("1")}}} {
		if out, err := json.Marshal(r); string(out) != `{"active":false}` || err != nil {
			t.Errorf("%s, %v", out, err)
		}
	}
	for _, body := range []string{`{"active":false}`, `{"active":false,"sub":"alice","x":1}`} {
		if got, err := unsigned(t).Read(ctx, "application/json", []byte(body)); err != nil || !reflect.DeepEqual(got, &Response{}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
	raw, err := Sign(ctx, profiletest.Key(t), registered, Claims{Response: &Response{}})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err)
	if !strings.Contains(string(tok.Payload()), `"token_introspection":{"active":false}}`) {
		t.Errorf("%s", tok.Payload())
	}
	// An answer that must be signed is not taken because it says no: it may be anyone's.
	if _, err := verifier(t, some()).Read(ctx, "application/json", []byte(`{"active":false}`)); err == nil {
		t.Error("JSON instead of a JWT is accepted")
	}
}

func TestRead(t *testing.T) {
	raw := good.Sign(t, profiletest.Key(t), Type)
	plain := `{"active":true,"sub":"alice"}`
	for name, tc := range map[string]struct {
		v                 *Verifier
		contentType, body string
		want              string // the code; empty where it is accepted
	}{
		"JWT":                           {verifier(t, some()), MediaType, raw, ""},
		"JWT, in other letters":         {verifier(t, some()), "Application/Token-Introspection+JWT; charset=utf-8", raw, ""},
		"JWT as JSON":                   {verifier(t, some()), "application/json", raw, "content_type.mismatch"},
		"JWT of no type":                {verifier(t, some()), "", raw, "content_type.mismatch"},
		"JWT of userinfo's":             {verifier(t, some()), "application/jwt", raw, "content_type.mismatch"},
		"JSON where a JWT is due":       {verifier(t, some()), "application/json", plain, "content_type.mismatch"},
		"JSON as a JWT":                 {verifier(t, some()), MediaType, plain, "token.malformed"},
		"JSON":                          {unsigned(t), "application/json", plain, ""},
		"JSON with a charset":           {unsigned(t), "application/json;charset=UTF-8", plain, ""},
		"JSON with half a parameter":    {unsigned(t), "application/json; =", plain, "content_type.mismatch"},
		"a JWT where JSON is due":       {unsigned(t), MediaType, raw, "content_type.mismatch"},
		"no JSON":                       {unsigned(t), "application/json", "active", "json.syntax"},
		"JSON, twice":                   {unsigned(t), "application/json", `{"active":false,"active":true}`, "json.duplicate"},
		"D3, JSON in other letters":     {unsigned(t), "application/json", `{"Active":true}`, "claim.missing"},
		"JSON with more behind it":      {unsigned(t), "application/json", plain + "x", "json.trailing"},
		"JSON without active":           {unsigned(t), "application/json", `{}`, "claim.missing"},
		"JSON of the wrong type":        {unsigned(t), "application/json", `{"active":1}`, "json.type"},
		"JSON bound to nothing":         {unsigned(t), "application/json", `{"active":true,"cnf":{}}`, "cnf.invalid"},
		"JSON, L: too large":            {unsigned(t), "application/json", `{"active":true,"x":"` + strings.Repeat("a", 64<<10) + `"}`, "json.limit"},
		"JSON with null, as Authlete's": {unsigned(t), "application/json", `{"active":true,"aud":null,"username":null,"exp":null}`, ""},
	} {
		got, err := tc.v.Read(ctx, tc.contentType, []byte(tc.body))
		if tc.want == "" {
			if err != nil || got == nil || !got.Active {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		code := ""
		if e, ok := errors.AsType[*jwt.ClaimError](err); ok {
			code = e.Code
		} else if e, ok := errors.AsType[*jwt.RejectError](err); ok {
			code = e.Codes()[0]
		}
		if code != tc.want || got != nil {
			t.Errorf("%s: %v, %v", name, code, err)
		}
	}
	if _, err := unsigned(t).Verify(ctx, raw); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
	// What is read belongs to the caller: the body may be used again.
	body := []byte(plain)
	got, err := unsigned(t).Read(ctx, "application/json", body)
	clear(body)
	if err != nil || got.Subject != "alice" {
		t.Error(got, err)
	}
	small, err := NewVerifier(nil, Policy{Unsigned: true, JWT: jwt.Policy{MaxSize: 10}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Read(ctx, "application/json", []byte(plain)); err == nil {
		t.Error("MaxSize is not a limit of JSON")
	}
}

func TestRequest(t *testing.T) {
	if got := Form("a.b&c", "access_token").Encode(); got != "token=a.b%26c&token_type_hint=access_token" {
		t.Error(got)
	}
	if got := Form("x", "").Encode(); got != "token=x" {
		t.Error(got)
	}
	if a, b := verifier(t, some()).Accept(), unsigned(t).Accept(); a != "application/token-introspection+jwt" || b != "application/json" {
		t.Error(a, b)
	}
}

// RFC 9701, Section 5: signed, then encrypted.
func TestEncrypted(t *testing.T) {
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: key.Public()}, jwt.Header{Type: Type}, registered,
		Claims{Response: &Response{Active: true, Subject: "alice"}}, jwt.AllowMissingExpiry)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	got, err := verifier(t, p).Read(ctx, MediaType, []byte(raw))
	if err != nil || got.Subject != "alice" {
		t.Error(got, err)
	}
	_, err = verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err, "token.encrypted")
	_, err = verifier(t, p).Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "token.signed")
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		keys   jwk.Source
		policy Policy
		word   string // in the error
	}{
		"zero":                     {keys, Policy{}, "Issuers"},
		"no issuer":                {keys, Policy{Audiences: []string{"a"}}, "Issuers"},
		"no audience":              {keys, Policy{Issuers: []string{"a"}}, "Audiences"},
		"JWT.Type":                 {keys, Policy{Issuers: []string{"a"}, Audiences: []string{"a"}, JWT: jwt.Policy{Type: "x"}}, "JWT.Type"},
		"no keys":                  {nil, Policy{Issuers: []string{"a"}, Audiences: []string{"a"}}, "keys"},
		"unsigned and keys":        {keys, Policy{Unsigned: true}, "keys"},
		"unsigned and an issuer":   {nil, Policy{Unsigned: true, Issuers: []string{"a"}}, "Issuers"},
		"unsigned and an audience": {nil, Policy{Unsigned: true, Audiences: []string{"a"}}, "Issuers"},
		"unsigned and encrypted":   {nil, Policy{Unsigned: true, JWT: jwt.Policy{Decryption: &jwt.Decryption{}}}, "encrypted"},
		"a negative MaxAge":        {keys, Policy{Issuers: []string{"a"}, Audiences: []string{"a"}, JWT: jwt.Policy{MaxAge: -1}}, "MaxAge"},
	} {
		if _, err := NewVerifier(tc.keys, tc.policy); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var registered = jwt.Registered{Issuer: "https://as.example", Audience: jwt.Audience{"https://api.example"}, IssuedAt: time.Unix(now, 0)}

func TestSign(t *testing.T) {
	for name, change := range map[string]func(*jwt.Registered, *Claims){
		"iss":                 func(r *jwt.Registered, _ *Claims) { r.Issuer = "" },
		"aud":                 func(r *jwt.Registered, _ *Claims) { r.Audience = nil },
		"iat":                 func(r *jwt.Registered, _ *Claims) { r.IssuedAt = time.Time{} },
		"sub":                 func(r *jwt.Registered, _ *Claims) { r.Subject = "alice" },
		"exp":                 func(r *jwt.Registered, _ *Claims) { r.Expiry = time.Unix(now+60, 0) },
		"token_introspection": func(_ *jwt.Registered, c *Claims) { c.Response = nil },
		"cnf": func(_ *jwt.Registered, c *Claims) {
			c.Response = &Response{Active: true, Confirmation: &pop.Confirmation{}}
		},
	} {
		r, c := registered, Claims{Response: &Response{Active: true}}
		change(&r, &c)
		_, err := Sign(ctx, profiletest.Key(t), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Sign(ctx, profiletest.Key(t), registered, Claims{Response: &Response{Subject: "alice"}})
	if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Code != "active.not_alone" {
		t.Error(err)
	}
	if _, err := json.Marshal(Response{Active: true, Other: map[string]json.RawMessage{"sub": json.RawMessage(`"x"`)}}); err == nil {
		t.Error("Other holds the name of a field")
	}
}

// The token of the collected texts is that of RFC 9701, Section 5, made anew with a key of ours; the JSON is Authlete's.
func TestSeeds(t *testing.T) {
	raw := profiletest.Claims{
		"iss": "https://as.example.com/", "aud": "https://rs.example.com/resource", "iat": 1514797892,
		"token_introspection": object{
			"active": true, "iss": "https://as.example.com/", "aud": "https://rs.example.com/resource", "iat": 1514797822, "exp": 1514797942,
			"client_id": "paiB2goo0a", "scope": "read write dolphin", "sub": "Z5O3upPC88QrAjx00dis", "birthdate": "1982-02-01",
			"given_name": "John", "family_name": "Doe", "jti": "t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w",
		},
	}.Sign(t, profiletest.Key(t), Type)
	v := verifier(t, Policy{
		Issuers: []string{"https://as.example.com/"}, Audiences: []string{"https://rs.example.com/resource"},
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1514797892, 0) }},
	})
	got, err := v.Read(ctx, MediaType, []byte(raw))
	if err != nil || got.ClientID != "paiB2goo0a" || string(got.Other["birthdate"]) != `"1982-02-01"` || len(got.Other) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = unsigned(t).Read(ctx, "application/json", []byte(`{"active": true, "scope": "openid potential.track2.light.profile", "client_id": "track2_light",
		"token_type": "Bearer", "exp": 1732014893, "sub": "1004", "aud": null, "iss": "https://trial.authlete.net", "auth_time": 1731928492}`))
	if err != nil || !got.Active || got.Audience != nil || got.AuthTime.Unix() != 1731928492 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzRead holds that what is not active says nothing, and that what is read can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"active":true,"sub":"alice","aud":["a","b"],"exp":1.5,"x":{"y":[1]}}`))
	f.Add([]byte(`{"active":false,"sub":"alice"}`))
	f.Add([]byte(`{"active":true,"aud":null,"cnf":{"jkt":"x"}}`))
	v := unsigned(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := v.Read(ctx, "application/json", body)
		if err != nil {
			return
		}
		if !got.Active && !reflect.DeepEqual(got, &Response{}) {
			t.Errorf("%+v", got)
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := v.Read(ctx, "application/json", out)
		if err != nil || again.Subject != got.Subject || !again.Expiry.Equal(got.Expiry) || len(again.Other) != len(got.Other) {
			t.Errorf("%s became %+v, %v", out, again, err)
		}
	})
}

// The payload's buffer, the token, and the response: itself, its copy of the bytes, aud.
func TestAllocations(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Secret(t), Type)
	profiletest.Ceiling(t, 8, func() { _, _ = v.Verify(ctx, raw) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), Type)
	p := some()
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: p.Issuers, Audiences: p.Audiences, Type: Type, OptionalExpiry: true, Clock: profiletest.Clock,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("jwt", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := plain.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("profile", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(ctx, raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
