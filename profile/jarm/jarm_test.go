package jarm

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{"iss": "https://as.example", "aud": "c1", "exp": now + 600, "code": "c", "state": "s"}
	sent = Expect{State: "s"}
	some = Policy{Issuer: "https://as.example", ClientID: "c1", JWT: jwt.Policy{Clock: profiletest.Clock}}
)

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	for name, tc := range map[string]struct {
		change []any
		typ    string
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"good":               {},
		"typ JWT":            {typ: "JWT"},
		"another typ":        {typ: "oauth-authz-req+jwt", want: []string{"typ.mismatch"}},
		"no iss":             {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":        {change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"a slash at the end": {change: []any{"iss", "https://as.example/"}, want: []string{"iss.mismatch"}},
		"no aud":             {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another aud":        {change: []any{"aud", "c2"}, want: []string{"aud.mismatch"}},
		"aud is an array":    {change: []any{"aud", []string{"c1"}}},
		"no exp":             {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"no exp, optional":   {change: []any{"exp", nil}, policy: func(p *Policy) { p.JWT.OptionalExpiry = true }, want: []string{"exp.missing"}},
		"expired":            {change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"within the leeway":  {change: []any{"exp", now + 660}},
		"too long":           {change: []any{"exp", now + 661}, want: []string{"exp.lifetime"}},
		"too long, exactly":  {change: []any{"exp", now + 601}, policy: func(p *Policy) { p.JWT.Leeway = jwt.NoLeeway }, want: []string{"exp.lifetime"}},
		"as long as agreed":  {change: []any{"exp", now + 3600}, policy: func(p *Policy) { p.MaxLifetime = time.Hour }},
		"longer than agreed": {change: []any{"exp", now + 3661}, policy: func(p *Policy) { p.MaxLifetime = time.Hour }, want: []string{"exp.lifetime"}},

		"no state":                 {change: []any{"state", nil}, want: []string{"state.missing"}},
		"another state":            {change: []any{"state", "S"}, want: []string{"state.mismatch"}},
		"no state, as agreed":      {change: []any{"state", nil}, expect: Expect{NoState: true}},
		"a state that none sent":   {expect: Expect{NoState: true}, want: []string{"state.mismatch"}},
		"the same iss outside":     {expect: Expect{State: "s", Issuer: "https://as.example"}},
		"another iss outside":      {expect: Expect{State: "s", Issuer: "https://evil.example"}, want: []string{"iss.ambiguous"}},
		"a slash more outside":     {expect: Expect{State: "s", Issuer: "https://as.example/"}, want: []string{"iss.ambiguous"}},
		"access token":             {change: []any{"code", nil, "access_token", "a", "token_type", "Bearer", "expires_in", 3600, "scope", "x"}},
		"expires_in is a string":   {change: []any{"expires_in", "3600"}, want: []string{"json.type"}},
		"ID token":                 {change: []any{"code", nil, "id_token", "a.b.c"}},
		"hybrid":                   {change: []any{"id_token", "a.b.c", "access_token", "a", "session_state", "x"}},
		"error":                    {change: []any{"code", nil, "error", "access_denied", "error_description", "No.", "error_uri", "https://as.example/x"}},
		"nothing":                  {change: []any{"code", nil}, want: []string{"response.missing"}},
		"an empty code":            {change: []any{"code", ""}, want: []string{"response.missing"}},
		"a code and an error":      {change: []any{"error", "x"}, want: []string{"response.mixed"}},
		"a token and an error":     {change: []any{"code", nil, "access_token", "a", "error", "x"}, want: []string{"response.mixed"}},
		"an ID token and an error": {change: []any{"code", nil, "id_token", "a", "error", "x"}, want: []string{"response.mixed"}},

		"other claims of RFC 7519": {change: []any{"sub", "alice", "jti", "1", "iat", now, "nbf", now, "x", "y"}},
		"client_id":                {change: []any{"client_id", "c1"}, want: []string{"kind.mismatch"}},
		"nonce":                    {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash":                  {change: []any{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"c_hash":                   {change: []any{"c_hash", "n"}, want: []string{"kind.mismatch"}},
		"request":                  {change: []any{"request", "x"}, want: []string{"kind.mismatch"}},
		"response_type":            {change: []any{"response_type", "code"}, want: []string{"kind.mismatch"}},
		"several things at once": {
			change: []any{"exp", now - 61, "state", "x", "error", "x"},
			want:   []string{"exp.expired", "response.mixed", "state.mismatch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := some
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect == (Expect{}) {
				tc.expect = sent
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ), tc.expect)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"zero":              {func(p *Policy) { *p = Policy{} }, "Issuer"},
		"no issuer":         {func(p *Policy) { p.Issuer = "" }, "Issuer"},
		"no client":         {func(p *Policy) { p.ClientID = "" }, "ClientID"},
		"negative lifetime": {func(p *Policy) { p.MaxLifetime = -1 }, "MaxLifetime"},
		"JWT.Type":          {func(p *Policy) { p.JWT.Type = "x" }, "JWT.Type"},
		"JWT.MaxSize":       {func(p *Policy) { p.JWT.MaxSize = -1 }, "negative"},
	} {
		p := some
		tc.change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(nil, some); !errors.Is(err, jwt.ErrPolicy) {
		t.Errorf("no keys: %v", err)
	}
	for _, x := range []Expect{{}, {Issuer: "x"}, {State: "s", NoState: true}} {
		if _, err := verifier(t, some).Verify(ctx, good.Sign(t, profiletest.Key(t), ""), x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{Issuer: "https://as.example", Audience: jwt.Audience{"c1"}, Expiry: time.Unix(now+60, 0)}
	c := Claims{State: "s", AccessToken: "a", TokenType: "Bearer", ExpiresIn: 3600, Scope: "x y", Code: "c", IDToken: "i", SessionState: "z"}
	raw, err := Sign(ctx, profiletest.Key(t), r, c)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	if tok.Claims != c || tok.Claims.Err() != nil {
		t.Errorf("%+v", tok.Claims)
	}
	// JARM, Section 2.1: numbers are numbers.
	var claims map[string]any
	if err := json.Unmarshal(tok.Payload(), &claims); err != nil || claims["expires_in"] != 3600. {
		t.Error(claims, err)
	}
	for name, tc := range map[string]struct {
		change func(*jwt.Registered, *Claims)
		claim  string
	}{
		"iss":   {func(r *jwt.Registered, _ *Claims) { r.Issuer = "" }, "iss"},
		"aud":   {func(r *jwt.Registered, _ *Claims) { r.Audience = nil }, "aud"},
		"exp":   {func(r *jwt.Registered, _ *Claims) { r.Expiry = time.Time{} }, "exp"},
		"code":  {func(_ *jwt.Registered, c *Claims) { *c = Claims{State: "s"} }, "code"},
		"error": {func(_ *jwt.Registered, c *Claims) { c.ErrorCode = "x" }, "error"},
	} {
		r, c := r, c
		tc.change(&r, &c)
		_, err := Sign(ctx, profiletest.Key(t), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != tc.claim {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErr(t *testing.T) {
	c := Claims{State: "s", ErrorCode: "access_denied", ErrorDescription: "No.", ErrorURI: "https://as.example/x"}
	raw, err := Sign(ctx, profiletest.Key(t), jwt.Registered{Issuer: "https://as.example", Audience: jwt.Audience{"c1"}, Expiry: time.Unix(now+60, 0)}, c)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	e, ok := errors.AsType[*oauth.Error](tok.Claims.Err())
	if !ok || e.Code != oauth.AccessDenied || e.Description != "No." || e.URI != "https://as.example/x" {
		t.Errorf("%+v", e)
	}
}

func TestEncrypted(t *testing.T) {
	client, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	if err != nil {
		t.Fatal(err)
	}
	r := jwt.Registered{Issuer: "https://as.example", Audience: jwt.Audience{"c1"}, Expiry: time.Unix(now+60, 0)}
	c := Claims{Code: "c", State: "s"}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: client.Public()}, jwt.Header{}, r, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier(t, some).Verify(ctx, raw, sent)
	profiletest.Want(t, err, "token.encrypted")
	p := some
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{client}}
	v := verifier(t, p)
	tok, err := v.Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	if tok.Claims != c || len(tok.Layers()) != 1 {
		t.Errorf("%+v", tok.Claims)
	}
	_, err = v.Verify(ctx, raw, Expect{State: "x"})
	profiletest.Want(t, err, "state.mismatch")
	signed, err := Sign(ctx, profiletest.Key(t), r, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, signed, sent)
	profiletest.Want(t, err, "token.signed")
}

// The response of the collected texts, which is JARM's own, made anew with a key of ours.
func TestSeeds(t *testing.T) {
	raw := profiletest.Claims{
		"iss": "https://accounts.example.com", "aud": "s6BhdRkqt3", "exp": 1311281970,
		"code": "PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA", "state": "S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw",
	}.Sign(t, profiletest.Key(t), "")
	v := verifier(t, Policy{
		Issuer: "https://accounts.example.com", ClientID: "s6BhdRkqt3",
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1311281400, 0) }},
	})
	tok, err := v.Verify(ctx, raw, Expect{State: "S8NJ7uqk5fY4EjNvP_G_FtyJu6pUsvH9jsYni9dMAJw"})
	profiletest.Want(t, err)
	if tok.Claims.Code != "PyyFaux2o7Q0YfXBU32jhw.5FXSQpvr8akv9CeRDSd0QA" {
		t.Error(tok.Claims)
	}
}

// The attacks of groups A and M that concern responses, each beside the same response untouched.
func TestAttacks(t *testing.T) {
	v := verifier(t, some)
	raw := good.Sign(t, profiletest.Key(t), "")
	_, err := v.Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	t.Run("A1_none", func(t *testing.T) {
		parts := strings.Split(raw, ".")
		_, err := v.Verify(ctx, "eyJhbGciOiJub25lIn0."+parts[1]+".", sent) // {"alg":"none"}
		profiletest.Want(t, err, "alg.none")
	})
	t.Run("M1_mix_up", func(t *testing.T) {
		// A response of another server, or one of ours beside another's name.
		other, err := jwk.Generate(jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.With("iss", "https://evil.example").Sign(t, other, ""), sent)
		profiletest.Want(t, err, "key.none")
		_, err = v.Verify(ctx, good.With("iss", "https://evil.example").Sign(t, profiletest.Key(t), ""), sent)
		profiletest.Want(t, err, "iss.mismatch")
		_, err = v.Verify(ctx, raw, Expect{State: "s", Issuer: "https://evil.example"})
		profiletest.Want(t, err, "iss.ambiguous")
	})
	t.Run("M15_response_of_another_browser", func(t *testing.T) {
		_, err := v.Verify(ctx, raw, Expect{State: "of another"})
		profiletest.Want(t, err, "state.mismatch")
	})
	t.Run("M3_request_object", func(t *testing.T) {
		_, err := v.Verify(ctx, good.With("code", nil, "client_id", "c1", "response_type", "code").Sign(t, profiletest.Key(t), ""), sent)
		profiletest.Want(t, err, "response.missing", "kind.mismatch", "kind.mismatch")
	})
	t.Run("M3_ID_token", func(t *testing.T) {
		_, err := v.Verify(ctx, good.With("code", nil, "sub", "alice", "nonce", "n").Sign(t, profiletest.Key(t), ""), sent)
		profiletest.Want(t, err, "response.missing", "kind.mismatch")
	})
}

// The payload's buffer, the token, and what the request is held to.
func TestAllocations(t *testing.T) {
	v := verifier(t, some)
	raw := good.Sign(t, profiletest.Secret(t), "")
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), "")
	v := verifier(b, some)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: []string{some.Issuer}, Audiences: []string{"c1"}, Clock: profiletest.Clock,
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
