package clientauth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "c1", "sub": "c1", "aud": "https://as.example", "exp": now + 60, "iat": now, "jti": "1",
	}
	sent = Expect{ClientID: "c1"}
)

func some() Policy {
	return Policy{
		Issuer: "https://as.example", ClientID: "c1", Replay: jwt.NewReplayCache(8),
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

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	legacy := func(p *Policy) { p.LegacyAudiences = []string{"https://as.example/token"} }
	const typed = Type
	for name, tc := range map[string]struct {
		change []any
		typ    string
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"typed":                        {typ: typed},
		"without typ":                  {},
		"typ JWT":                      {typ: "JWT"},
		"typ of a grant":               {typ: "authorization-grant+jwt", want: []string{"typ.mismatch"}},
		"typed only":                   {typ: typed, policy: func(p *Policy) { p.TypedOnly = true }},
		"typed only, JWT":              {typ: "JWT", policy: func(p *Policy) { p.TypedOnly = true }, want: []string{"typ.mismatch"}},
		"typed only, without typ":      {policy: func(p *Policy) { p.TypedOnly = true }, want: []string{"typ.mismatch"}},
		"no iss":                       {typ: typed, change: []any{"iss", nil}, want: []string{"iss.missing", "sub.mismatch"}},
		"no sub":                       {typ: typed, change: []any{"sub", nil}, expect: Expect{NoClientID: true}, want: []string{"claim.missing"}},
		"another client":               {typ: typed, change: []any{"iss", "c2", "sub", "c2"}, expect: Expect{NoClientID: true}, want: []string{"iss.mismatch"}},
		"another iss":                  {typ: typed, change: []any{"iss", "c2"}, want: []string{"iss.mismatch", "sub.mismatch"}},
		"another sub":                  {typ: typed, change: []any{"sub", "alice"}, expect: Expect{NoClientID: true}, want: []string{"sub.mismatch"}},
		"client_id of another":         {typ: typed, expect: Expect{ClientID: "c2"}, want: []string{"client_id.mismatch"}},
		"without client_id":            {typ: typed, expect: Expect{NoClientID: true}},
		"no aud":                       {typ: typed, change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another server":               {typ: typed, change: []any{"aud", "https://evil.example"}, want: []string{"aud.mismatch"}},
		"the token endpoint":           {typ: typed, change: []any{"aud", "https://as.example/token"}, want: []string{"aud.mismatch"}},
		"the token endpoint, legacy":   {typ: typed, change: []any{"aud", "https://as.example/token"}, policy: legacy},
		"an array of one":              {typ: typed, change: []any{"aud", []string{"https://as.example"}}, want: []string{"aud.not_sole"}},
		"an array of one, legacy":      {typ: typed, change: []any{"aud", []string{"https://as.example"}}, policy: legacy},
		"several":                      {typ: typed, change: []any{"aud", []string{"https://as.example", "https://evil.example"}}, want: []string{"aud.not_sole"}},
		"several, legacy":              {typ: typed, change: []any{"aud", []string{"https://as.example", "https://as.example/token"}}, policy: legacy},
		"several with another, legacy": {typ: typed, change: []any{"aud", []string{"https://as.example", "https://evil.example"}}, policy: legacy, want: []string{"aud.not_sole"}},
		"another server, legacy":       {typ: typed, change: []any{"aud", "https://evil.example"}, policy: legacy, want: []string{"aud.mismatch", "aud.not_sole"}},
		"no exp":                       {typ: typed, change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"expired":                      {typ: typed, change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"an hour and the leeway":       {typ: typed, change: []any{"exp", now + 3660}},
		"more than an hour":            {typ: typed, change: []any{"exp", now + 3661}, want: []string{"exp.lifetime"}},
		"more than MaxLifetime":        {typ: typed, change: []any{"exp", now + 61}, policy: func(p *Policy) { p.MaxLifetime = time.Minute; p.JWT.Leeway = jwt.NoLeeway }, want: []string{"exp.lifetime"}},
		"no iat":                       {typ: typed, change: []any{"iat", nil}},
		"no jti":                       {typ: typed, change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"a nonce, typed":               {typ: typed, change: []any{"nonce", "n"}},
		"a nonce":                      {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"a nonce, JWT":                 {typ: "JWT", change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash":                      {change: []any{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"a request object":             {change: []any{"response_type", "code"}, want: []string{"kind.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
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

// An assertion is good once, and one that is refused is not used up.
func TestReplay(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Key(t), Type)
	_, err := v.Verify(ctx, raw, Expect{ClientID: "c2"})
	profiletest.Want(t, err, "client_id.mismatch")
	_, err = v.Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw, sent)
	profiletest.Want(t, err, "jti.replayed")
}

func TestMethod(t *testing.T) {
	v := verifier(t, some())
	tok, err := v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type), sent)
	profiletest.Want(t, err)
	if m := Method(tok); m != PrivateKeyJWT {
		t.Error(m)
	}
	tok, err = v.Verify(ctx, good.With("jti", "2").Sign(t, profiletest.Secret(t), Type), sent)
	profiletest.Want(t, err)
	if m := Method(tok); m != ClientSecretJWT {
		t.Error(m)
	}
}

// clients finds keys by client.
type clients map[string]jwk.Set

func (c clients) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return c[q.Selector].Keys(ctx, q)
}

// With AnyClient, the key of one client does not speak for another.
func TestAnyClient(t *testing.T) {
	p := some()
	p.ClientID, p.AnyClient = "", true
	for _, selector := range []string{"", "iss"} {
		p.JWT.Selector, p.Replay = selector, jwt.NewReplayCache(8)
		v, err := NewVerifier(clients{"c1": {profiletest.Key(t).Public()}, "c2": {profiletest.Secret(t)}}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type), sent)
		profiletest.Want(t, err)
		two := good.With("iss", "c2", "sub", "c2")
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Secret(t), Type), Expect{NoClientID: true})
		profiletest.Want(t, err)
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Key(t), Type), Expect{ClientID: "c2"})
		profiletest.Want(t, err, "key.none")
		_, err = v.Verify(ctx, good.With("iss", "c3", "sub", "c3").Sign(t, profiletest.Key(t), Type), Expect{NoClientID: true})
		profiletest.Want(t, err, "key.none")
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"no issuer":             {func(p *Policy) { p.Issuer = "" }, "Issuer"},
		"no replay":             {func(p *Policy) { p.Replay = nil }, "Replay"},
		"no client":             {func(p *Policy) { p.ClientID = "" }, "ClientID"},
		"a client and any":      {func(p *Policy) { p.AnyClient = true }, "ClientID"},
		"any client, one set":   {func(p *Policy) { p.ClientID, p.AnyClient = "", true }, "jwk.Set"},
		"negative lifetime":     {func(p *Policy) { p.MaxLifetime = -1 }, "MaxLifetime"},
		"replay in two places":  {func(p *Policy) { p.JWT.Replay = p.Replay }, "JWT.Replay"},
		"JWT.AnyAudience":       {func(p *Policy) { p.JWT.AnyIssuer, p.JWT.AnyAudience = true, true }, "JWT.AnyIssuer"},
		"an empty old audience": {func(p *Policy) { p.LegacyAudiences = []string{""} }, "empty"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range []Expect{{}, {ClientID: "c1", NoClientID: true}} {
		if _, err := verifier(t, some()).Verify(ctx, good.Sign(t, profiletest.Key(t), Type), x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{
		Issuer: "c1", Subject: "c1", Audience: jwt.Audience{"https://as.example"}, ID: "1",
		Expiry: time.Unix(now+60, 0), IssuedAt: time.Unix(now, 0),
	}
	raw, err := Sign(ctx, profiletest.Key(t), r, Claims{})
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.TypedOnly = true
	_, err = verifier(t, p).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	for name, change := range map[string]func(*jwt.Registered){
		"iss": func(r *jwt.Registered) { r.Issuer, r.Subject = "", "" },
		"sub": func(r *jwt.Registered) { r.Subject = "alice" },
		"aud": func(r *jwt.Registered) { r.Audience = jwt.Audience{"a", "b"} },
		"exp": func(r *jwt.Registered) { r.Expiry = time.Time{} },
		"jti": func(r *jwt.Registered) { r.ID = "" },
	} {
		r := r
		change(&r)
		_, err := Sign(ctx, profiletest.Key(t), r, Claims{})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The assertions of the collected texts, made anew with a key of ours.
func TestSeeds(t *testing.T) {
	for _, tc := range []struct {
		claims profiletest.Claims
		typ    string
	}{
		{profiletest.Claims{"iss": "s6BhdRkqt3", "sub": "s6BhdRkqt3", "aud": "https://server.example.com", "jti": "cc_1Xsssf-2i8o2gPzIJk1", "iat": 1537819486, "exp": 1537819777}, ""},
		{profiletest.Claims{"iss": "my_client", "sub": "my_client", "aud": "https://as.example.com", "iat": 1731837308, "exp": 1731840908, "jti": "d387b098-9a6d-41d3-a4f8-2e5355a8da56"}, "JWT"},
	} {
		at := time.Unix(int64(tc.claims["iat"].(int)), 0)
		v := verifier(t, Policy{
			Issuer: tc.claims["aud"].(string), ClientID: tc.claims["sub"].(string), Replay: jwt.NewReplayCache(8),
			JWT: jwt.Policy{Clock: func() time.Time { return at }},
		})
		_, err := v.Verify(ctx, tc.claims.Sign(t, profiletest.Key(t), tc.typ), Expect{NoClientID: true})
		profiletest.Want(t, err)
	}
}

// The payload's buffer, the token, and what the request is held to.
func TestAllocations(t *testing.T) {
	p := some()
	p.Replay = forgets{}
	v := verifier(t, p)
	raw := good.Sign(t, profiletest.Secret(t), Type)
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), Type)
	p := some()
	p.Replay = forgets{}
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: []string{"c1"}, Audiences: []string{p.Issuer}, Type: Type, Replay: p.Replay, Clock: profiletest.Clock,
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

type forgets struct{}

func (forgets) Seen(context.Context, string, string, time.Duration) (bool, error) { return false, nil }
