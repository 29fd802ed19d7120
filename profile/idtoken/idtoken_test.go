package idtoken

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "https://op.example", "sub": "alice", "aud": "s6BhdRkqt3", "exp": now + 600, "iat": now - 10, "nonce": "n-0S6",
	}
	some = Policy{Issuers: []string{"https://op.example"}, ClientID: "s6BhdRkqt3", JWT: jwt.Policy{Clock: profiletest.Clock}}
	sent = Expect{Nonce: "n-0S6"}
)

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hash(t testing.TB, value string) string {
	t.Helper()
	h, err := Hash(jwa.ES256, value)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	at, c, s := hash(t, "access"), hash(t, "code"), hash(t, "state")
	others := func(p *Policy) { p.TrustedAudiences = []string{"https://api.example"} }
	for name, tc := range map[string]struct {
		change []any
		typ    string
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"an ID token":                  {},
		"typ JWT":                      {typ: "JWT"},
		"typ at+jwt":                   {typ: "at+jwt", want: []string{"typ.mismatch"}},
		"no iss":                       {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":                  {change: []any{"iss", "https://op.example/"}, want: []string{"iss.mismatch"}},
		"no sub":                       {change: []any{"sub", nil}, want: []string{"claim.missing"}},
		"255 characters of sub":        {change: []any{"sub", strings.Repeat("x", 255)}},
		"256 characters of sub":        {change: []any{"sub", strings.Repeat("x", 256)}, want: []string{"sub.invalid"}},
		"sub is not ASCII":             {change: []any{"sub", "zoë"}, want: []string{"sub.invalid"}},
		"sub is iss":                   {change: []any{"sub", "https://op.example"}, want: []string{"kind.mismatch"}},
		"no aud":                       {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another aud":                  {change: []any{"aud", "other"}, want: []string{"aud.mismatch", "aud.untrusted"}},
		"an aud that is not trusted":   {change: []any{"aud", []string{"s6BhdRkqt3", "other"}}, want: []string{"aud.untrusted"}},
		"an aud that is trusted":       {change: []any{"aud", []string{"s6BhdRkqt3", "https://api.example"}}, policy: others},
		"only the aud that is trusted": {change: []any{"aud", "https://api.example"}, policy: others, want: []string{"aud.mismatch"}},
		"no exp":                       {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"no exp, though it is optional": {
			change: []any{"exp", nil}, policy: func(p *Policy) { p.JWT.OptionalExpiry = true },
			want: []string{"exp.missing"},
		},
		"expired":                {change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"no iat":                 {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"no nonce":               {change: []any{"nonce", nil}, want: []string{"nonce.missing"}},
		"another nonce":          {change: []any{"nonce", "N-0S6"}, want: []string{"nonce.mismatch"}},
		"no nonce, as agreed":    {change: []any{"nonce", nil}, expect: Expect{NoNonce: true}},
		"a nonce that none sent": {expect: Expect{NoNonce: true}, want: []string{"nonce.mismatch"}},
		"the nonce, refreshed":   {expect: Expect{Nonce: "n-0S6", NoNonce: true}},
		"no nonce, refreshed":    {change: []any{"nonce", nil}, expect: Expect{Nonce: "n-0S6", NoNonce: true}},
		"any nonce, handed on":   {expect: Expect{AnyNonce: true}},
		"no nonce, handed on":    {change: []any{"nonce", nil}, expect: Expect{AnyNonce: true}},
		"another, refreshed":     {change: []any{"nonce", "x"}, expect: Expect{Nonce: "n-0S6", NoNonce: true}, want: []string{"nonce.mismatch"}},

		"azp is left alone": {change: []any{"azp", "other"}},
		"azp":               {change: []any{"azp", "app"}, policy: func(p *Policy) { p.AuthorizedParties = []string{"app"} }},
		"another azp":       {change: []any{"azp", "other"}, policy: func(p *Policy) { p.AuthorizedParties = []string{"app"} }, want: []string{"azp.mismatch"}},
		"no azp":            {policy: func(p *Policy) { p.AuthorizedParties = []string{"app"} }, want: []string{"azp.missing"}},

		"at_hash":                       {change: []any{"at_hash", at}, expect: Expect{Nonce: "n-0S6", AccessToken: "access"}},
		"at_hash of another token":      {change: []any{"at_hash", at}, expect: Expect{Nonce: "n-0S6", AccessToken: "other"}, want: []string{"at_hash.mismatch"}},
		"no at_hash, token endpoint":    {expect: Expect{Nonce: "n-0S6", AccessToken: "access"}},
		"no at_hash, front channel":     {expect: Expect{Nonce: "n-0S6", AccessToken: "access", FrontChannel: true}, want: []string{"at_hash.missing"}},
		"at_hash with no access token":  {change: []any{"at_hash", "x"}, expect: Expect{Nonce: "n-0S6", FrontChannel: true}},
		"at_hash of SHA-384":            {change: []any{"at_hash", must(Hash(jwa.ES384, "access"))}, expect: Expect{Nonce: "n-0S6", AccessToken: "access"}, want: []string{"at_hash.mismatch"}},
		"c_hash":                        {change: []any{"c_hash", c}, expect: Expect{Nonce: "n-0S6", Code: "code", FrontChannel: true}},
		"c_hash of another code":        {change: []any{"c_hash", c}, expect: Expect{Nonce: "n-0S6", Code: "other"}, want: []string{"c_hash.mismatch"}},
		"no c_hash, front channel":      {expect: Expect{Nonce: "n-0S6", Code: "code", FrontChannel: true}, want: []string{"c_hash.missing"}},
		"s_hash":                        {change: []any{"s_hash", s}, expect: Expect{Nonce: "n-0S6", State: "state"}},
		"s_hash of another state":       {change: []any{"s_hash", s}, expect: Expect{Nonce: "n-0S6", State: "other"}, want: []string{"s_hash.mismatch"}},
		"no s_hash, front channel":      {expect: Expect{Nonce: "n-0S6", State: "state", FrontChannel: true}},
		"a login of 15 minutes ago":     {change: []any{"auth_time", now - 900}, expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}},
		"within the leeway":             {change: []any{"auth_time", now - 960}, expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}},
		"a login too long ago":          {change: []any{"auth_time", now - 961}, expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}, want: []string{"auth_time.too_old"}},
		"too long ago, without leeway":  {change: []any{"auth_time", now - 901}, policy: func(p *Policy) { p.JWT.Leeway = jwt.NoLeeway }, expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}, want: []string{"auth_time.too_old"}},
		"too long ago, a short leeway":  {change: []any{"auth_time", now - 903}, policy: func(p *Policy) { p.JWT.Leeway = 2 * time.Second }, expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}, want: []string{"auth_time.too_old"}},
		"no auth_time":                  {expect: Expect{Nonce: "n-0S6", MaxAge: 15 * time.Minute}, want: []string{"auth_time.missing"}},
		"a login just now":              {change: []any{"auth_time", now - 60}, expect: Expect{Nonce: "n-0S6", MaxAge: JustNow}},
		"not just now":                  {change: []any{"auth_time", now - 61}, expect: Expect{Nonce: "n-0S6", MaxAge: JustNow}, want: []string{"auth_time.too_old"}},
		"an old login, and none minded": {change: []any{"auth_time", 1}},
		"acr":                           {change: []any{"acr", "2"}, expect: Expect{Nonce: "n-0S6", ACR: []string{"3", "2"}}},
		"another acr":                   {change: []any{"acr", "1"}, expect: Expect{Nonce: "n-0S6", ACR: []string{"3", "2"}}, want: []string{"acr.mismatch"}},
		"no acr":                        {expect: Expect{Nonce: "n-0S6", ACR: []string{"2"}}, want: []string{"acr.missing"}},
		"the user":                      {expect: Expect{Nonce: "n-0S6", Subject: "alice"}},
		"another user":                  {expect: Expect{Nonce: "n-0S6", Subject: "bob"}, want: []string{"sub.mismatch"}},

		"scope":              {change: []any{"scope", "openid"}, want: []string{"kind.mismatch"}},
		"scp":                {change: []any{"scp", []string{"a"}}, want: []string{"kind.mismatch"}},
		"cid":                {change: []any{"cid", "c"}, want: []string{"kind.mismatch"}},
		"appid":              {change: []any{"appid", "c"}, want: []string{"kind.mismatch"}},
		"azpacr":             {change: []any{"azpacr", "1"}, want: []string{"kind.mismatch"}},
		"kubernetes.io":      {change: []any{"kubernetes.io", 1}, want: []string{"kind.mismatch"}},
		"client_id":          {change: []any{"client_id", "x"}, want: []string{"kind.mismatch"}},
		"events":             {change: []any{"events", map[string]any{}}, want: []string{"kind.mismatch"}},
		"two foreign claims": {change: []any{"events", map[string]any{}, "scope", ""}, want: []string{"kind.mismatch", "kind.mismatch"}},
		"token_use id":       {change: []any{"token_use", "id"}},
		"token_use access":   {change: []any{"token_use", "access"}, want: []string{"kind.mismatch"}},
		"typ ID":             {change: []any{"typ", "ID"}},
		"typ Bearer":         {change: []any{"typ", "Bearer"}, want: []string{"kind.mismatch"}},
		"a claim of no kind": {change: []any{"email", "a@b.example", "email_verified", "true"}},
		"expired, and for another login": {
			change: []any{"exp", now - 61, "nonce", "x"},
			want:   []string{"exp.expired", "nonce.mismatch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := some
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect.Nonce == "" && !tc.expect.NoNonce && !tc.expect.AnyNonce {
				tc.expect = sent
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ), tc.expect)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// Rule 8 of Section 3.1.3.7: with a MAC, there is one audience.
func TestSecret(t *testing.T) {
	v := verifier(t, Policy{Issuers: some.Issuers, ClientID: some.ClientID, TrustedAudiences: []string{"b"}, JWT: some.JWT})
	_, err := v.Verify(ctx, good.Sign(t, profiletest.Secret(t), ""), sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, good.With("aud", []string{"s6BhdRkqt3", "b"}).Sign(t, profiletest.Secret(t), ""), sent)
	profiletest.Want(t, err, "aud.ambiguous")
}

func TestHash(t *testing.T) {
	// OpenID Connect Core 1.0, Appendix A.3 and A.4.
	if h := must(Hash(jwa.RS256, "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y")); h != "77QmUPtjPfzWtF2AnpK9RQ" {
		t.Errorf("at_hash is %s", h)
	}
	if h := must(Hash(jwa.RS256, "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk")); h != "LDktKdoQak3Pk0cnXxCltA" {
		t.Errorf("c_hash is %s", h)
	}
	for alg, n := range map[jwa.Algorithm]int{jwa.HS384: 32, jwa.PS512: 43, jwa.EdDSA: 43, jwa.Ed25519: 43} {
		if h := must(Hash(alg, "x")); len(h) != n {
			t.Errorf("%s: %s", alg, h)
		}
	}
	other, err := jwa.New("X", jwa.Traits{KeyType: "OKP"})
	if err != nil {
		t.Fatal(err)
	}
	if h, err := Hash(other, "x"); err == nil {
		t.Errorf("a hash for an algorithm that has none: %s", h)
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	whole := func(j jwt.Policy) Policy { return Policy{Issuers: some.Issuers, ClientID: "c", JWT: j} }
	any := jwt.Policy{AnyIssuer: true, AnyAudience: true}
	for word, p := range map[string]Policy{
		"ClientID":      {Issuers: some.Issuers},
		"Issuers":       {ClientID: "c"},
		"JWT.AnyIssuer": whole(any),
		"JWT.Issuers":   whole(jwt.Policy{Issuers: []string{"x"}}),
		"JWT.Audiences": whole(jwt.Policy{Audiences: []string{"x"}}),
		"AnyAudience":   whole(jwt.Policy{AnyAudience: true}),
		"JWT.Type":      whole(jwt.Policy{Type: "at+jwt"}),
		"JWT.Types":     whole(jwt.Policy{Types: []string{"at+jwt"}}),
	} {
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
	if _, err := NewVerifier(keys, Policy{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Errorf("zero: %v", err)
	}
	if _, err := NewVerifier(nil, some); !errors.Is(err, jwt.ErrPolicy) {
		t.Errorf("no keys: %v", err)
	}
	for name, x := range map[string]Expect{
		"zero":                        {},
		"front channel without nonce": {NoNonce: true, FrontChannel: true},
		"any, from the front channel": {AnyNonce: true, FrontChannel: true},
		"any and this one":            {AnyNonce: true, Nonce: "n"},
		"any and none":                {AnyNonce: true, NoNonce: true},
		"negative age":                {Nonce: "n", MaxAge: -2},
	} {
		if _, err := verifier(t, some).Verify(ctx, good.Sign(t, profiletest.Key(t), ""), x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	key := profiletest.Key(t)
	r := jwt.Registered{
		Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"},
		Expiry: time.Unix(now+600, 0), IssuedAt: time.Unix(now, 0),
	}
	c := Claims{Nonce: "n-0S6", AuthTime: time.Unix(now-5, 0), AMR: []string{"pwd", "otp"}, ATHash: hash(t, "access")}
	raw, err := Sign(ctx, key, r, c)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some).Verify(ctx, raw, Expect{Nonce: "n-0S6", AccessToken: "access", FrontChannel: true, MaxAge: time.Minute})
	profiletest.Want(t, err)
	if tok.Claims.AuthTime.Unix() != now-5 || len(tok.Claims.AMR) != 2 || tok.Header().Type != "JWT" {
		t.Errorf("%+v", tok.Claims)
	}
	for name, change := range map[string]func(*jwt.Registered){
		"iss": func(r *jwt.Registered) { r.Issuer = "" },
		"sub": func(r *jwt.Registered) { r.Subject = "" },
		"aud": func(r *jwt.Registered) { r.Audience = nil },
		"exp": func(r *jwt.Registered) { r.Expiry = time.Time{} },
		"iat": func(r *jwt.Registered) { r.IssuedAt = time.Time{} },
	} {
		r := r
		change(&r)
		_, err := Sign(ctx, key, r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name || !errors.Is(err, jwt.ErrMissing) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// The ID token of the specification, with its key (Section A.2).
func TestSpecificationExample(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "examples", "id-token.jwt"))
	if err != nil {
		t.Skip("only in a clone: ", err)
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "examples", "op.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := jwk.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	key, err := j.PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(jwk.Set{key}, Policy{
		Issuers: []string{"https://server.example.com"}, ClientID: "s6BhdRkqt3",
		JWT: jwt.Policy{Clock: func() time.Time { return time.Unix(1311281000, 0) }},
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := v.Verify(ctx, strings.TrimSpace(string(raw)), Expect{Nonce: "n-0S6_WzA2Mj"})
	profiletest.Want(t, err)
	var name string
	if ok, err := tok.Claim("name", &name); !ok || err != nil || name != "Jane Doe" {
		t.Errorf("%q, %v, %v", name, ok, err)
	}
}

// Tokens as providers make them pass by default; an access token of the same provider does not.
func TestProviders(t *testing.T) {
	for _, tc := range profiletest.Providers() {
		t.Run(tc.Kind+" of "+tc.Name, func(t *testing.T) {
			c := tc.Claims(t)
			v := verifier(t, Policy{Issuers: []string{c["iss"].(string)}, ClientID: "c", JWT: some.JWT})
			if tc.Kind == "id-token" {
				_, err := v.Verify(ctx, c.Sign(t, profiletest.Key(t), tc.Type), Expect{Nonce: "n"})
				profiletest.Want(t, err)
				return
			}
			if _, err := v.Verify(ctx, c.With("aud", "c").Sign(t, profiletest.Key(t), tc.Type), Expect{NoNonce: true}); err == nil {
				t.Error("an access token is accepted")
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
			_, err := v.Verify(ctx, good.With("iss", issuer).Sign(t, key, ""), sent)
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
