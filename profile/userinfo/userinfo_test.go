package userinfo

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
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const now = profiletest.Now

type object = map[string]any

var (
	ctx  = context.Background()
	good = profiletest.Claims{"iss": "https://op.example", "sub": "alice", "aud": "c1", "email": "alice@example.com"}
	sent = Expect{Subject: "alice"}
)

func some() Policy {
	return Policy{Issuers: []string{"https://op.example"}, ClientID: "c1", JWT: jwt.Policy{Clock: profiletest.Clock}}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unsigned(t testing.TB, d *jwt.Decryption) *Verifier {
	t.Helper()
	v, err := NewVerifier(nil, Policy{Unsigned: true, JWT: jwt.Policy{Decryption: d}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	allow := func(p *Policy) { p.AllowExpiry = true }
	trusting := func(p *Policy) { p.TrustedAudiences = []string{"c2"} }
	for name, tc := range map[string]struct {
		change []any
		typ    string
		secret bool
		policy func(*Policy)
		want   []string
	}{
		"as it should be":            {},
		"typ JWT":                    {typ: "JWT"},
		"M3, typ of an access token": {typ: "at+jwt", want: []string{"typ.mismatch"}},
		"no iss":                     {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"M1, another provider":       {change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"no aud":                     {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another client":             {change: []any{"aud", "c3"}, want: []string{"aud.mismatch", "aud.untrusted"}},
		"another client beside":      {change: []any{"aud", []string{"c1", "c2"}}, want: []string{"aud.untrusted"}},
		"another client, trusted":    {change: []any{"aud", []string{"c1", "c2"}}, policy: trusting},
		"whose secret it is":         {change: []any{"aud", []string{"c1", "c2"}}, secret: true, policy: trusting, want: []string{"aud.ambiguous"}},
		"signed with the secret":     {secret: true},
		"no sub":                     {change: []any{"sub", nil}, want: []string{"claim.missing"}},
		"M7, another user":           {change: []any{"sub", "mallory"}, want: []string{"sub.mismatch"}},
		"M7, in other letters":       {change: []any{"sub", "Alice"}, want: []string{"sub.mismatch"}},
		"iat":                        {change: []any{"iat", now}},
		"iat of the future":          {change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"exp":                        {change: []any{"exp", now + 60}, want: []string{"kind.mismatch"}},
		"exp, allowed":               {change: []any{"exp", now + 60}, policy: allow},
		"expired":                    {change: []any{"exp", now - 61}, policy: allow, want: []string{"exp.expired"}},
		"M3, an ID token":            {change: []any{"exp", now + 60, "nonce", "n"}, policy: allow, want: []string{"kind.mismatch"}},
		"M3, at_hash":                {change: []any{"at_hash", "x"}, want: []string{"kind.mismatch"}},
		"M3, c_hash":                 {change: []any{"c_hash", "x"}, want: []string{"kind.mismatch"}},
		"M3, an access token":        {change: []any{"scope", "openid"}, want: []string{"kind.mismatch"}},
		"M3, of Okta":                {change: []any{"scp", []string{"openid"}}, want: []string{"kind.mismatch"}},
		"M3, a client_id":            {change: []any{"client_id", "c1"}, want: []string{"kind.mismatch"}},
		"M3, of Cognito":             {change: []any{"token_use", "id"}, want: []string{"kind.mismatch"}},
		"M3, of Keycloak":            {change: []any{"typ", "ID"}, want: []string{"kind.mismatch"}},
		"M3, events":                 {change: []any{"events", object{}}, want: []string{"kind.mismatch"}},
		"null for what is not there": {change: []any{"email", json.RawMessage("null"), "email_verified", json.RawMessage("null"), "address", json.RawMessage("null"), "updated_at", json.RawMessage("null")}},
		"email of another type":      {change: []any{"email", 1}, want: []string{"json.type"}},
		"email_verified as a number": {change: []any{"email_verified", 1}, want: []string{"json.type"}},
		"email_verified as yes":      {change: []any{"email_verified", "yes"}, want: []string{"json.type"}},
		"updated_at as a word":       {change: []any{"updated_at", "yesterday"}, want: []string{"json.type"}},
		"updated_at as true":         {change: []any{"updated_at", true}, want: []string{"json.type"}},
		"another algorithm":          {policy: func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.RS256} }, want: []string{"alg.not_allowed"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			var key jwk.Signer = profiletest.Key(t)
			if tc.secret {
				key = profiletest.Secret(t)
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, key, tc.typ), sent)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// A client's issuer is no user: an assertion of itself passes for nobody.
func TestSelfIssued(t *testing.T) {
	_, err := verifier(t, some()).Verify(ctx, good.With("sub", "https://op.example").Sign(t, profiletest.Key(t), ""), Expect{Subject: "https://op.example"})
	profiletest.Want(t, err, "kind.mismatch")
}

// OpenID Connect Core 1.0, Section 5.1, and what Apple, Cognito and Auth0 make of it.
const everything = `{"sub":"alice","name":"Jane Doe","given_name":"Jane","family_name":"Doe","middle_name":"Q","nickname":"J","preferred_username":"j.doe",
	"profile":"https://p.example","picture":"https://i.example","website":"https://w.example","email":"janedoe@example.com","email_verified":true,
	"gender":"female","birthdate":"0000-10-31","zoneinfo":"Europe/Paris","locale":"en-US","phone_number":"+1 (604) 555-1234;ext=5678",
	"phone_number_verified":true,"address":{"formatted":"f","street_address":"s","locality":"l","region":"r","postal_code":"p","country":"c"},
	"updated_at":1311280970,"family_name#ja-Kana-JP":"ドウ","x":[1]}`

func TestClaims(t *testing.T) {
	want := Claims{
		Name: "Jane Doe", GivenName: "Jane", FamilyName: "Doe", MiddleName: "Q", Nickname: "J", PreferredUsername: "j.doe",
		Profile: "https://p.example", Picture: "https://i.example", Website: "https://w.example", Email: "janedoe@example.com", EmailVerified: true,
		Gender: "female", Birthdate: "0000-10-31", Zoneinfo: "Europe/Paris", Locale: "en-US", PhoneNumber: "+1 (604) 555-1234;ext=5678",
		PhoneNumberVerified: true, Address: &Address{"f", "s", "l", "r", "p", "c"}, UpdatedAt: Time{time.Unix(1311280970, 0).UTC()},
	}
	var claims profiletest.Claims
	if err := json.Unmarshal([]byte(everything), &claims); err != nil {
		t.Fatal(err)
	}
	raw := claims.With("iss", "https://op.example", "aud", "c1").Sign(t, profiletest.Key(t), "")
	signed, err := verifier(t, some()).Read(ctx, MediaType, []byte(raw), sent)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := unsigned(t, nil).Read(ctx, "application/json", []byte(everything), sent)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Response{signed, plain} {
		if r.Subject != "alice" || !reflect.DeepEqual(r.Claims, want) {
			t.Errorf("%+v", r)
		}
		// Section 5.2.
		var name string
		if ok, err := r.Claim("family_name#ja-Kana-JP", &name); !ok || err != nil || name != "ドウ" {
			t.Error(ok, err, name)
		}
		if ok, err := r.Claim("family_name#ja", &name); ok || err != nil {
			t.Error(ok, err)
		}
		if ok, err := r.Claim("x", &name); !ok || err == nil {
			t.Error(ok, err)
		}
	}
	// What Sign writes is what is read.
	raw, err = Sign(ctx, profiletest.Key(t), registered, want)
	if err != nil {
		t.Fatal(err)
	}
	if tok, err := verifier(t, some()).Verify(ctx, raw, sent); err != nil || !reflect.DeepEqual(tok.Claims, want) {
		t.Errorf("%+v %v", tok, err)
	}
	for body, want := range map[string]Claims{
		`{"sub":"alice","email_verified":"true","phone_number_verified":"false"}`:       {EmailVerified: true},
		`{"sub":"alice","email_verified":false,"address":null,"name":null}`:             {},
		`{"sub":"alice","email_verified":"false","updated_at":"2017-03-30T15:13:40Z"}`:  {UpdatedAt: Time{time.Date(2017, 3, 30, 15, 13, 40, 0, time.UTC)}},
		`{"sub":"alice","address":{"formatted":"f","region":null},"updated_at":1.5}`:    {Address: &Address{Formatted: "f"}, UpdatedAt: Time{time.Unix(1, 5e8).UTC()}},
		`{"sub":"alice","email_verified":true,"email":"a@b.example","Email":"x","x":1}`: {EmailVerified: true, Email: "a@b.example"},
	} {
		got, err := unsigned(t, nil).Read(ctx, "application/json", []byte(body), sent)
		if err != nil || !reflect.DeepEqual(got.Claims, want) {
			t.Errorf("%s: %+v %v", body, got, err)
		}
	}
}

func TestRead(t *testing.T) {
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	d := &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	encrypt := func(s string) string {
		raw, err := jwe.Encrypt(ctx, key.Public(), jwa.A256GCM, jwe.Header{}, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	nested, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: key.Public()}, jwt.Header{}, registered, Claims{}, jwt.AllowMissingExpiry)
	if err != nil {
		t.Fatal(err)
	}
	both := some()
	both.JWT.Decryption = d
	narrow := &jwt.Decryption{Keys: d.Keys, Encryptions: []jwa.Encryption{jwa.A128GCM}}
	other := &jwt.Decryption{Keys: d.Keys, Algorithms: []jwa.Algorithm{jwa.RSA_OAEP}}
	raw := good.Sign(t, profiletest.Key(t), "")
	const plain, mime = `{"sub":"alice"}`, "application/json"
	tampered := encrypt(plain)
	tag := strings.LastIndexByte(tampered, '.') + 1
	tampered = tampered[:tag] + map[bool]string{true: "B", false: "A"}[tampered[tag] == 'A'] + tampered[tag+1:]
	for name, tc := range map[string]struct {
		v                 *Verifier
		contentType, body string
		want              string // the code; empty where it is accepted
	}{
		"signed":                       {verifier(t, some()), MediaType, raw, ""},
		"signed, in other letters":     {verifier(t, some()), "Application/JWT; charset=utf-8", raw, ""},
		"signed, as JSON":              {verifier(t, some()), mime, raw, "content_type.mismatch"},
		"signed, of no type":           {verifier(t, some()), "", raw, "content_type.mismatch"},
		"JSON where signed is due":     {verifier(t, some()), mime, plain, "content_type.mismatch"},
		"JSON as signed":               {verifier(t, some()), MediaType, plain, "token.malformed"},
		"signed and encrypted":         {verifier(t, both), MediaType, nested, ""},
		"H6, encrypted alone, of both": {verifier(t, both), MediaType, encrypt(plain), "cty.mismatch"},
		"signed alone, of both":        {verifier(t, both), MediaType, raw, "token.signed"},
		"JSON":                         {unsigned(t, nil), mime, plain, ""},
		"signed where JSON is due":     {unsigned(t, nil), MediaType, raw, "content_type.mismatch"},
		"encrypted where JSON is due":  {unsigned(t, nil), MediaType, encrypt(plain), "content_type.mismatch"},
		"M7, another user":             {unsigned(t, nil), mime, `{"sub":"mallory"}`, "sub.mismatch"},
		"no user":                      {unsigned(t, nil), mime, `{"email":"a@b.example"}`, "claim.missing"},
		"no JSON":                      {unsigned(t, nil), mime, "sub=alice", "json.syntax"},
		"two users":                    {unsigned(t, nil), mime, `{"sub":"mallory","sub":"alice"}`, "json.duplicate"},
		"D3, sub in other letters":     {unsigned(t, nil), mime, `{"SUB":"alice"}`, "claim.missing"},
		"L, too large":                 {unsigned(t, nil), mime, `{"sub":"alice","x":"` + strings.Repeat("a", 64<<10) + `"}`, "json.limit"},
		"encrypted":                    {unsigned(t, d), MediaType, encrypt(plain), ""},
		"encrypted, another user":      {unsigned(t, d), MediaType, encrypt(`{"sub":"mallory"}`), "sub.mismatch"},
		"encrypted, no JSON":           {unsigned(t, d), MediaType, encrypt("x"), "json.syntax"},
		"H6, nested where it is not":   {unsigned(t, d), MediaType, nested, "json.syntax"},
		"JSON where encrypted is due":  {unsigned(t, d), mime, plain, "content_type.mismatch"},
		"JSON as encrypted":            {unsigned(t, d), MediaType, plain, "token.malformed"},
		"encrypted in another way":     {unsigned(t, narrow), MediaType, encrypt(plain), "enc.not_allowed"},
		"encrypted by another key":     {unsigned(t, other), MediaType, encrypt(plain), "alg.not_allowed"},
		"L, encrypted and too large":   {unsigned(t, d), MediaType, encrypt(`{"sub":"alice","x":"` + strings.Repeat("a", 64<<10) + `"}`), "token.too_large"},
		"encrypted, and tampered with": {unsigned(t, d), MediaType, tampered, "dec.failed"},
	} {
		got, err := tc.v.Read(ctx, tc.contentType, []byte(tc.body), sent)
		if tc.want == "" {
			if err != nil || got == nil || got.Subject != "alice" {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		var e interface{ Code() string }
		code := ""
		if c, ok := errors.AsType[*jwt.ClaimError](err); ok {
			code = c.Code
		} else if r, ok := errors.AsType[*jwt.RejectError](err); ok {
			code = r.Codes()[0]
		} else if errors.As(err, &e) {
			code = e.Code()
		}
		if code != tc.want || got != nil {
			t.Errorf("%s: %v, %v", name, code, err)
		}
	}
	if _, err := unsigned(t, nil).Verify(ctx, raw, sent); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
	// What is read belongs to the caller: the body may be used again.
	body := []byte(`{"sub":"alice","name":"Alice","x":"y"}`)
	got, err := unsigned(t, nil).Read(ctx, mime, body, sent)
	clear(body)
	var x string
	if ok, err2 := got.Claim("x", &x); err != nil || got.Subject != "alice" || got.Claims.Name != "Alice" || !ok || x != "y" {
		t.Error(got, err, err2, x)
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		keys   jwk.Source
		policy Policy
		word   string // in the error
	}{
		"zero":                       {keys, Policy{}, "ClientID"},
		"no issuer":                  {keys, Policy{ClientID: "c1"}, "Issuers"},
		"no client":                  {keys, Policy{Issuers: []string{"a"}}, "ClientID"},
		"no keys":                    {nil, Policy{Issuers: []string{"a"}, ClientID: "c1"}, "keys"},
		"JWT.Type":                   {keys, Policy{Issuers: []string{"a"}, ClientID: "c1", JWT: jwt.Policy{Type: "x"}}, "JWT.Type"},
		"unsigned and keys":          {keys, Policy{Unsigned: true}, "keys"},
		"unsigned and an issuer":     {nil, Policy{Unsigned: true, Issuers: []string{"a"}}, "Issuers"},
		"unsigned and a client":      {nil, Policy{Unsigned: true, ClientID: "a"}, "Issuers"},
		"unsigned and trust":         {nil, Policy{Unsigned: true, TrustedAudiences: []string{"a"}}, "Issuers"},
		"unsigned, nothing decrypts": {nil, Policy{Unsigned: true, JWT: jwt.Policy{Decryption: &jwt.Decryption{}}}, "Keys"},
	} {
		if _, err := NewVerifier(tc.keys, tc.policy); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := good.Sign(t, profiletest.Key(t), "")
	if _, err := verifier(t, some()).Verify(ctx, raw, Expect{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
	for _, v := range []*Verifier{verifier(t, some()), unsigned(t, nil)} {
		if _, err := v.Read(ctx, "text/plain", []byte(`{}`), Expect{}); !errors.Is(err, jwt.ErrPolicy) {
			t.Error(err)
		}
	}
}

var registered = jwt.Registered{Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"c1"}}

func TestSign(t *testing.T) {
	for name, change := range map[string]func(*jwt.Registered){
		"iss": func(r *jwt.Registered) { r.Issuer = "" },
		"sub": func(r *jwt.Registered) { r.Subject = "" },
		"aud": func(r *jwt.Registered) { r.Audience = nil },
		"exp": func(r *jwt.Registered) { r.Expiry = time.Unix(now+60, 0) },
	} {
		r := registered
		change(&r)
		_, err := Sign(ctx, profiletest.Key(t), r, Claims{})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := registered
	r.Audience = jwt.Audience{"c1", "c2"}
	if _, err := Sign(ctx, profiletest.Secret(t), r, Claims{}); err == nil {
		t.Error("two audiences of one secret")
	}
}

// The signed response of the collected texts has exp, as Authlete sends it, and nothing that tells it from an ID token:
// it is accepted by name. The other is Section 5.3.2's.
func TestSeeds(t *testing.T) {
	raw := profiletest.Claims{"iss": "https://trial.authlete.net", "sub": "1004", "aud": []string{"track2_light"}, "exp": 1732015118, "iat": 1731928718}.Sign(t, profiletest.Key(t), "")
	p := Policy{
		Issuers: []string{"https://trial.authlete.net"}, ClientID: "track2_light",
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1731928718, 0) }},
	}
	_, err := verifier(t, p).Verify(ctx, raw, Expect{Subject: "1004"})
	profiletest.Want(t, err, "kind.mismatch")
	p.AllowExpiry = true
	_, err = verifier(t, p).Verify(ctx, raw, Expect{Subject: "1004"})
	profiletest.Want(t, err)
	got, err := unsigned(t, nil).Read(ctx, "application/json", []byte(`{"sub": "248289761001", "name": "Jane Doe", "given_name": "Jane", "family_name": "Doe",
		"preferred_username": "j.doe", "email": "janedoe@example.com", "picture": "http://example.com/janedoe/me.jpg"}`), Expect{Subject: "248289761001"})
	if err != nil || got.Claims.Name != "Jane Doe" {
		t.Error(got, err)
	}
}

// FuzzRead holds that no body gives anyone but the user that is expected, and that what is read is read again.
func FuzzRead(f *testing.F) {
	f.Add([]byte(everything))
	f.Add([]byte(`{"sub":"alice","email_verified":"true","updated_at":"2017-03-30T15:13:40.474Z"}`))
	f.Add([]byte(`{"sub":"mallory"}`))
	v := unsigned(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := v.Read(ctx, "application/json", body, sent)
		if err != nil {
			return
		}
		var sub string
		if ok, err := got.Claim("sub", &sub); got.Subject != "alice" || sub != "alice" || !ok || err != nil {
			t.Errorf("%+v %v", got, err)
		}
		raw, err := Sign(ctx, profiletest.Secret(t), registered, got.Claims)
		if err != nil {
			return // claims of another kind, or a time that is none
		}
		if len(raw) > 64<<10 {
			return
		}
		if tok, err := verifier(t, some()).Verify(ctx, raw, sent); err != nil || tok.Claims.Email != got.Claims.Email {
			t.Errorf("%+v %v", tok, err)
		}
	})
}

// The payload's buffer, the token, and what Expect is held to.
func TestAllocations(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Secret(t), "JWT")
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.With("name", "Jane Doe", "email_verified", true, "locale", "en").Sign(b, profiletest.Secret(b), "JWT")
	p := some()
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: p.Issuers, Audiences: []string{p.ClientID}, OptionalExpiry: true, Clock: profiletest.Clock,
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
			if _, err := v.Verify(ctx, raw, sent); err != nil {
				b.Fatal(err)
			}
		}
	})
}
