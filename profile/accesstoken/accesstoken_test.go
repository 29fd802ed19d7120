package accesstoken

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "https://as.example", "sub": "alice", "aud": "https://api.example", "exp": now + 600, "iat": now - 10, "jti": "1",
		"client_id": "c1", "scope": "read write",
	}
	some = Policy{Issuers: []string{"https://as.example"}, Audiences: []string{"https://api.example"}, JWT: jwt.Policy{Clock: profiletest.Clock}}
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
func TestStrict(t *testing.T) {
	secret := map[string]any{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr0"}
	for name, tc := range map[string]struct {
		change []any
		typ    string
		want   []string
	}{
		"an access token":       {},
		"the long typ":          {typ: "application/at+JWT"},
		"without typ":           {typ: "-", want: []string{"typ.mismatch"}},
		"typ JWT":               {typ: "JWT", want: []string{"typ.mismatch"}},
		"typ of another":        {typ: "logout+jwt", want: []string{"typ.mismatch"}},
		"no iss":                {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":           {change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"no exp":                {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"expired":               {change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"no aud":                {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another aud":           {change: []any{"aud", []string{"https://other.example"}}, want: []string{"aud.mismatch"}},
		"no sub":                {change: []any{"sub", nil}, want: []string{"claim.missing"}},
		"no client_id":          {change: []any{"client_id", nil}, want: []string{"claim.missing"}},
		"azp is no client_id":   {change: []any{"client_id", nil, "azp", "c1"}, want: []string{"claim.missing"}},
		"no iat":                {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"no jti":                {change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"no scope":              {change: []any{"scope", nil}},
		"scope is an array":     {change: []any{"scope", []string{"a"}}, want: []string{"json.type"}},
		"claims of other kinds": {change: []any{"nonce", "n", "events", 1, "token_use", "id", "typ", 7, "scp", 7}},
		"cnf":                   {change: []any{"cnf", map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}},
		"cnf of no known kind":  {change: []any{"cnf", map[string]any{"x": "y"}}, want: []string{"cnf.invalid"}},
		"cnf with a secret":     {change: []any{"cnf", map[string]any{"jwk": secret}}, want: []string{"cnf.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			typ := tc.typ
			if typ == "" {
				typ = Type
			} else if typ == "-" {
				typ = ""
			}
			_, err := verifier(t, some).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), typ))
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func TestLenient(t *testing.T) {
	cognito := Lenient{Claim: "token_use", Value: "access", Clients: []string{"c1"}}
	bare := []any{"sub", nil, "client_id", nil, "iat", nil, "jti", nil}
	for name, tc := range map[string]struct {
		change  []any
		typ     string
		lenient Lenient
		want    []string
	}{
		"at+jwt":                     {typ: "at+jwt"},
		"without typ":                {},
		"typ JWT":                    {typ: "JWT"},
		"typ of another":             {typ: "dpop+jwt", want: []string{"typ.mismatch"}},
		"typ of the vendor":          {typ: "okta-at+jwt", lenient: Lenient{Types: []string{"okta-at+jwt"}}},
		"typ of no vendor":           {typ: "okta-at+jwt", want: []string{"typ.mismatch"}},
		"bare":                       {change: bare},
		"no iss":                     {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"no exp":                     {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"no aud":                     {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"no aud, of a client":        {change: []any{"aud", nil, "token_use", "access"}, lenient: cognito},
		"no aud, of another client":  {change: []any{"aud", nil, "token_use", "access", "client_id", "c2"}, lenient: cognito, want: []string{"aud.missing"}},
		"no aud, of no client":       {change: []any{"aud", nil, "token_use", "access", "client_id", nil}, lenient: cognito, want: []string{"aud.missing"}},
		"an empty aud, of a client":  {change: []any{"aud", []string{}, "token_use", "access"}, lenient: cognito, want: []string{"aud.mismatch"}},
		"another aud, of a client":   {change: []any{"aud", "other", "token_use", "access"}, lenient: cognito, want: []string{"aud.mismatch"}},
		"the aud, of another client": {change: []any{"client_id", "c2", "token_use", "access"}, lenient: cognito},
		"the claim":                  {change: []any{"typ", "Bearer"}, lenient: Lenient{Claim: "typ", Value: "Bearer"}},
		"no claim":                   {lenient: Lenient{Claim: "typ", Value: "Bearer"}, want: []string{"kind.mismatch"}},
		"another value":              {change: []any{"typ", "Refresh"}, lenient: Lenient{Claim: "typ", Value: "Bearer"}, want: []string{"kind.mismatch"}},
		"a value that is no string":  {change: []any{"typ", 1}, lenient: Lenient{Claim: "typ", Value: "Bearer"}, want: []string{"kind.mismatch"}},
		"the claim, of any value":    {change: []any{"kubernetes.io", map[string]any{}}, lenient: Lenient{Claim: "kubernetes.io"}},
		"no claim, of any value":     {lenient: Lenient{Claim: "kubernetes.io"}, want: []string{"kind.mismatch"}},
		"at+jwt needs no claim":      {typ: "at+jwt", lenient: cognito},
		"nothing that speaks for it": {change: append([]any{"scope", nil, "azp", "c1"}, bare...), want: []string{"kind.mismatch"}},
		"scp":                        {change: append([]any{"scope", nil, "scp", "read"}, bare...)},
		"cid":                        {change: append([]any{"scope", nil, "cid", "c"}, bare...)},
		"appid":                      {change: append([]any{"scope", nil, "appid", "c"}, bare...)},
		"azpacr":                     {change: append([]any{"scope", nil, "azpacr", "1"}, bare...)},
		"client_id":                  {change: []any{"scope", nil}},
		"nonce":                      {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash":                    {change: []any{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"c_hash":                     {change: []any{"c_hash", "n"}, want: []string{"kind.mismatch"}},
		"token_use id":               {change: []any{"token_use", "id"}, want: []string{"kind.mismatch"}},
		"typ ID":                     {change: []any{"typ", "ID"}, want: []string{"kind.mismatch"}},
		"events":                     {change: []any{"events", 1}, want: []string{"kind.mismatch"}},
		"nonce, at+jwt":              {typ: "at+jwt", change: []any{"nonce", "n"}},
		"cnf of no known kind":       {change: []any{"cnf", map[string]any{}}, want: []string{"cnf.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some
			p.Lenient = &tc.lenient
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ))
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// Tokens as providers make them: by default, or by the one option.
func TestProviders(t *testing.T) {
	options := map[string]*Lenient{
		"":                      nil,
		"accesstoken.Lenient{}": {},
		`accesstoken.Lenient{Types: []string{"application/okta-internal-at+jwt"}}`:         {Types: []string{"application/okta-internal-at+jwt"}},
		`accesstoken.Lenient{Claim: "typ", Value: "Bearer"}`:                               {Claim: "typ", Value: "Bearer"},
		`accesstoken.Lenient{Claim: "token_use", Value: "access", Clients: []string{"c"}}`: {Claim: "token_use", Value: "access", Clients: []string{"c"}},
		`accesstoken.Lenient{Claim: "kubernetes.io"}`:                                      {Claim: "kubernetes.io"},
	}
	for _, tc := range profiletest.Providers() {
		if tc.Kind != "access-token" {
			continue
		}
		t.Run(tc.Name, func(t *testing.T) {
			lenient, ok := options[tc.Option]
			if !ok {
				t.Fatal(tc.Option)
			}
			raw := tc.Sign(t, profiletest.Key(t))
			p := some
			p.Issuers, p.Lenient = []string{tc.Claims(t)["iss"].(string)}, lenient
			tok, err := verifier(t, p).Verify(ctx, raw)
			profiletest.Want(t, err)
			if err == nil && (tok.Claims.ClientID != tc.Client || !tok.Claims.HasScope(tc.Scopes...) || tok.Claims.HasScope("x")) {
				t.Errorf("client %q, scope %q", tok.Claims.ClientID, tok.Claims.Scope)
			}
			p.Lenient = nil
			if _, err := verifier(t, p).Verify(ctx, raw); (err != nil) != (lenient != nil) {
				t.Errorf("strict: %v", err)
			}
		})
	}
}

// The access token of the collected texts, made anew with a key of ours. It has no aud.
func TestSeed(t *testing.T) {
	seed := profiletest.Claims{
		"scope": "openid fapir-accounts", "client_id": "9055509671", "exp": 1728907896, "iat": 1728906996, "sub": "1001", "iss": "https://nextreview-as.authlete.net/",
		"jti": "jwwiJULwJ7iqpzlPPlsn4GPXCAe9BAsz8ml1ZoFvCMY", "auth_time": 1728906996, "grant_type": "authorization_code",
	}
	p := Policy{
		Issuers: []string{"https://nextreview-as.authlete.net/"}, Audiences: []string{"https://api.example"},
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1728907000, 0) }},
	}
	raw := seed.Sign(t, profiletest.Key(t), Type)
	_, err := verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err, "aud.missing")
	p.Lenient = &Lenient{Clients: []string{"9055509671"}}
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
}

func TestValues(t *testing.T) {
	for in, want := range map[string][]string{
		`["a","b"]`: {"a", "b"}, `"a"`: {"a"}, `""`: nil, `7`: nil, ``: nil, `[]`: nil,
		`[{"value":"a","display":"A"},{"value":"b"}]`: {"a", "b"}, `[7,"a"]`: nil, `[{"VALUE":"a"}]`: {""}, `{"value":"a"}`: nil, `"\u0061"`: {"a"},
	} {
		if got := Values(json.RawMessage(in)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	for name, change := range map[string]func(*Policy){
		"no issuer":                 func(p *Policy) { p.Issuers = nil },
		"no audience":               func(p *Policy) { p.Audiences = nil },
		"no audience, with clients": func(p *Policy) { p.Audiences, p.Lenient = nil, &Lenient{Clients: []string{"c"}} },
		"JWT.AnyAudience":           func(p *Policy) { p.JWT.AnyIssuer, p.JWT.AnyAudience = true, true },
		"a value of no claim":       func(p *Policy) { p.Lenient = &Lenient{Value: "x"} },
		"an empty type":             func(p *Policy) { p.Lenient = &Lenient{Types: []string{""}} },
	} {
		p := some
		change(&p)
		if _, err := NewVerifier(jwk.Set{profiletest.Key(t).Public()}, p); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// No option turns another kind of token into an access token.
	for _, typ := range profile.Types() {
		p := some
		p.Lenient = &Lenient{Types: []string{"vendor+jwt", "application/" + typ}}
		if _, err := NewVerifier(jwk.Set{profiletest.Key(t).Public()}, p); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{
		Issuer: "https://as.example", Subject: "alice", Audience: jwt.Audience{"https://api.example"}, ID: "1",
		Expiry: time.Unix(now+60, 0), IssuedAt: time.Unix(now, 0),
	}
	public := profiletest.Key(t).Public().JWK()
	c := Claims{ClientID: "c1", Scope: "read", AuthTime: time.Unix(now, 0), Roles: json.RawMessage(`["r"]`), Confirmation: &pop.Confirmation{JWK: &public}}
	raw, err := Sign(ctx, profiletest.Key(t), r, c)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some).Verify(ctx, raw)
	profiletest.Want(t, err)
	if tok.Claims.Confirmation.JWK.Curve() != "P-256" || !slices.Equal(Values(tok.Claims.Roles), []string{"r"}) || tok.Claims.AuthTime.Unix() != now {
		t.Errorf("%+v", tok.Claims)
	}
	for name, change := range map[string]func(*jwt.Registered, *Claims){
		"iss":       func(r *jwt.Registered, _ *Claims) { r.Issuer = "" },
		"sub":       func(r *jwt.Registered, _ *Claims) { r.Subject = "" },
		"aud":       func(r *jwt.Registered, _ *Claims) { r.Audience = nil },
		"exp":       func(r *jwt.Registered, _ *Claims) { r.Expiry = time.Time{} },
		"iat":       func(r *jwt.Registered, _ *Claims) { r.IssuedAt = time.Time{} },
		"jti":       func(r *jwt.Registered, _ *Claims) { r.ID = "" },
		"client_id": func(_ *jwt.Registered, c *Claims) { c.ClientID = "" },
		"cnf":       func(_ *jwt.Registered, c *Claims) { c.Confirmation = &pop.Confirmation{} },
	} {
		r, c := r, c
		change(&r, &c)
		_, err := Sign(ctx, profiletest.Key(t), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The payload's buffer and the token: strict rules need nothing. Lenient ones have a claim to read.
func TestAllocations(t *testing.T) {
	raw := good.Sign(t, profiletest.Secret(t), Type)
	v := verifier(t, some)
	profiletest.Ceiling(t, 2, func() { _, _ = v.Verify(ctx, raw) })
	p := some
	p.Lenient = &Lenient{}
	v = verifier(t, p)
	raw = good.With("client_id", nil, "azp", "c").Sign(t, profiletest.Secret(t), "JWT")
	profiletest.Ceiling(t, 4, func() { _, _ = v.Verify(ctx, raw) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), Type)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: some.Issuers, Audiences: some.Audiences, Type: Type, Clock: profiletest.Clock,
	})
	if err != nil {
		b.Fatal(err)
	}
	lenient := some
	lenient.Lenient = &Lenient{}
	okta := good.With("client_id", nil, "scope", nil, "cid", "c", "scp", []string{"read", "write"}).Sign(b, profiletest.Secret(b), "JWT")
	for _, bench := range []struct {
		name   string
		verify func() error
	}{
		{"jwt", func() error { _, err := plain.Verify(ctx, raw); return err }},
		{"strict", func() func() error {
			v := verifier(b, some)
			return func() error { _, err := v.Verify(ctx, raw); return err }
		}()},
		{"lenient", func() func() error {
			v := verifier(b, lenient)
			return func() error { _, err := v.Verify(ctx, okta); return err }
		}()},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := bench.verify(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// issuers finds keys by issuer.
type issuers map[string]jwk.Set

func (s issuers) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return s[q.Selector].Keys(ctx, q)
}

// With AnyIssuer, the key of one issuer does not speak for another.
func TestAnyIssuer(t *testing.T) {
	keys := issuers{"https://a.example": {profiletest.Key(t).Public()}, "https://b.example": {profiletest.Secret(t)}}
	p := some
	p.Issuers, p.AnyIssuer = nil, true
	for _, selector := range []string{"", "iss"} {
		p.JWT.Selector = selector
		v, err := NewVerifier(keys, p)
		if err != nil {
			t.Fatal(err)
		}
		verify := func(issuer string, key jwk.Signer) error {
			_, err := v.Verify(ctx, good.With("iss", issuer).Sign(t, key, Type))
			return err
		}
		profiletest.Want(t, verify("https://a.example", profiletest.Key(t)))
		profiletest.Want(t, verify("https://b.example", profiletest.Secret(t)))
		profiletest.Want(t, verify("https://b.example", profiletest.Key(t)), "key.none")
		profiletest.Want(t, verify("https://c.example", profiletest.Key(t)), "key.none")
	}
	for name, tc := range map[string]struct {
		keys   jwk.Source
		change func(*Policy)
		word   string
	}{
		"a set":            {jwk.Set{profiletest.Key(t).Public()}, func(*Policy) {}, "jwk.Set"},
		"issuers as well":  {keys, func(p *Policy) { p.Issuers = []string{"https://a.example"} }, "exclude"},
		"another selector": {keys, func(p *Policy) { p.JWT.Selector = "sub" }, "Selector"},
	} {
		p := p
		tc.change(&p)
		if _, err := NewVerifier(tc.keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
