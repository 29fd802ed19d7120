package grant

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "https://idp.example", "sub": "alice", "aud": "https://as.example", "exp": now + 60, "iat": now, "jti": "1",
	}
)

func some() Policy {
	return Policy{
		Issuer: "https://as.example", Issuers: []string{"https://idp.example"}, AnySubject: true, Replay: jwt.NewReplayCache(8),
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
	endpoint := func(p *Policy) { p.Audiences = []string{"https://as.example/token"} }
	trusted := func(p *Policy) { p.TrustedAudiences = []string{"https://api.example"} }
	typedOnly := func(p *Policy) { p.TypedOnly = true }
	selfIssued := func(p *Policy) { p.SelfIssued = true }
	reusable := func(p *Policy) { p.Replay, p.Reusable = nil, true }
	subjects := func(p *Policy) {
		p.AnySubject, p.Subjects = false, func(iss, sub string) bool { return iss == "https://idp.example" && sub == "alice" }
	}
	self := []any{"iss", "https://idp.example", "sub", "https://idp.example"}
	for name, tc := range map[string]struct {
		change []any
		typ    string
		policy func(*Policy)
		want   []string
	}{
		"typed":                      {typ: Type},
		"without typ":                {},
		"typ JWT":                    {typ: "JWT"},
		"typ of a client assertion":  {typ: "client-authentication+jwt", want: []string{"typ.mismatch"}},
		"typed only":                 {typ: Type, policy: typedOnly},
		"typed only, JWT":            {typ: "JWT", policy: typedOnly, want: []string{"typ.mismatch"}},
		"typed only, without typ":    {policy: typedOnly, want: []string{"typ.mismatch"}},
		"no iss":                     {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":                {change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"no sub":                     {change: []any{"sub", nil}, want: []string{"claim.missing"}},
		"a subject":                  {policy: subjects},
		"another subject":            {change: []any{"sub", "root"}, policy: subjects, want: []string{"sub.untrusted"}},
		"no aud":                     {change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another server":             {change: []any{"aud", "https://evil.example"}, want: []string{"aud.mismatch", "aud.not_sole"}},
		"an array of one":            {change: []any{"aud", []string{"https://as.example"}}},
		"the token endpoint":         {change: []any{"aud", "https://as.example/token"}, policy: endpoint},
		"both names":                 {change: []any{"aud", []string{"https://as.example", "https://as.example/token"}}, policy: endpoint},
		"the endpoint, not named":    {change: []any{"aud", "https://as.example/token"}, want: []string{"aud.mismatch", "aud.not_sole"}},
		"several servers":            {change: []any{"aud", []string{"https://as.example", "https://evil.example"}}, want: []string{"aud.not_sole"}},
		"a trusted audience":         {change: []any{"aud", []string{"https://as.example", "https://api.example"}}, policy: trusted},
		"a trusted audience alone":   {change: []any{"aud", "https://api.example"}, policy: trusted, want: []string{"aud.mismatch"}},
		"another beside the trusted": {change: []any{"aud", []string{"https://as.example", "https://evil.example"}}, policy: trusted, want: []string{"aud.not_sole"}},
		"no exp":                     {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"expired":                    {change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"not yet":                    {change: []any{"nbf", now + 61, "exp", now + 120}, want: []string{"nbf.early"}},
		"an hour and the leeway":     {change: []any{"exp", now + 3660}},
		"more than an hour":          {change: []any{"exp", now + 3661}, want: []string{"exp.lifetime"}},
		"more than MaxLifetime":      {change: []any{"exp", now + 61}, policy: func(p *Policy) { p.MaxLifetime = time.Minute; p.JWT.Leeway = jwt.NoLeeway }, want: []string{"exp.lifetime"}},
		"no iat":                     {change: []any{"iat", nil}},
		"no jti":                     {change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"no jti, reusable":           {change: []any{"jti", nil}, policy: reusable},
		"self-issued":                {change: self, want: []string{"kind.mismatch"}},
		"self-issued, by name":       {change: self, policy: selfIssued},
		"self-issued, typed":         {change: self, typ: Type},
		"a scope":                    {change: []any{"scope", "read"}, want: []string{"kind.mismatch"}},
		"a scope, by name":           {change: []any{"scope", "read"}, policy: func(p *Policy) { p.LegacyScope = true }},
		"a scope, typed":             {change: []any{"scope", "read"}, typ: Type},
		"a nonce":                    {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"a nonce, JWT":               {change: []any{"nonce", "n"}, typ: "JWT", want: []string{"kind.mismatch"}},
		"a nonce, typed":             {change: []any{"nonce", "n"}, typ: Type},
		"at_hash":                    {change: []any{"at_hash", "x"}, want: []string{"kind.mismatch"}},
		"c_hash":                     {change: []any{"c_hash", "x"}, want: []string{"kind.mismatch"}},
		"client_id":                  {change: []any{"client_id", "c1"}, want: []string{"kind.mismatch"}},
		"scp":                        {change: []any{"scp", []string{"read"}}, want: []string{"kind.mismatch"}},
		"token_use":                  {change: []any{"token_use", "access"}, want: []string{"kind.mismatch"}},
		"the claim typ":              {change: []any{"typ", "Bearer"}, want: []string{"kind.mismatch"}},
		"a request of Atlassian":     {change: []any{"qsh", "x"}, want: []string{"kind.mismatch"}},
		"a request object":           {change: []any{"response_type", "code"}, want: []string{"kind.mismatch"}},
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

// A grant is good once, and one that is refused is not used up.
func TestReplay(t *testing.T) {
	p := some()
	v := verifier(t, p)
	p.Issuer = "https://other.example"
	other := verifier(t, p)
	raw := good.Sign(t, profiletest.Key(t), Type)
	_, err := other.Verify(ctx, raw)
	profiletest.Want(t, err, "aud.mismatch", "aud.not_sole")
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err, "jti.replayed")

	p = some()
	p.Replay, p.Reusable = nil, true
	v = verifier(t, p)
	for range 2 {
		_, err = v.Verify(ctx, raw)
		profiletest.Want(t, err)
	}
}

// The keys of one issuer speak for it alone, whether the policy names the issuers or the Trust does.
func TestTrust(t *testing.T) {
	var trust keyset.Trust
	for iss, keys := range map[string]jwk.Set{"https://idp.example": {profiletest.Key(t).Public()}, "https://two.example": {profiletest.Secret(t)}} {
		if err := trust.Add(iss, keys); err != nil {
			t.Fatal(err)
		}
	}
	for name, issuers := range map[string][]string{
		"any": nil, "one": {"https://idp.example"}, "both": {"https://idp.example", "https://two.example"},
	} {
		p := some()
		p.Issuers, p.AnyIssuer = issuers, issuers == nil
		v, err := NewVerifier(&trust, p)
		if err != nil {
			t.Fatal(name, err)
		}
		_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
		profiletest.Want(t, err)
		two := good.With("iss", "https://two.example")
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Secret(t), Type))
		if name == "one" {
			profiletest.Want(t, err, "iss.mismatch")
		} else {
			profiletest.Want(t, err)
		}
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Key(t), Type))
		profiletest.Want(t, err, "key.none")
		_, err = v.Verify(ctx, good.With("iss", "https://three.example").Sign(t, profiletest.Key(t), Type))
		profiletest.Want(t, err, "issuer.untrusted")
	}
}

// secrets finds the secret of an installation by its client key.
type secrets map[string]jwk.Set

func (s secrets) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return s[q.Selector].Keys(ctx, q)
}

// What apps of Bitbucket send has neither aud nor jti, and the secret of the installation that is sub.
func TestLegacyBitbucket(t *testing.T) {
	app := profiletest.Claims{"iss": "my-app", "sub": "connection:479", "iat": now, "exp": now + 180}
	p := some()
	p.Issuers, p.Replay, p.LegacyBitbucket = []string{"my-app"}, nil, true
	keys := secrets{"connection:479": {profiletest.Secret(t)}}
	v, err := NewVerifier(keys, p)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change []any
		typ    string
		want   []string
	}{
		"as it is":            {},
		"JWT":                 {typ: "JWT"},
		"typed":               {typ: Type, want: []string{"typ.mismatch"}},
		"a hash of a request": {change: []any{"qsh", "88396352255a6c933def07620a3281c9e27d8c668e0f4d01a8ecdbb74ca52c97"}},
		"the server":          {change: []any{"aud", "https://as.example"}},
		"an empty aud":        {change: []any{"aud", []string{}}, want: []string{"aud.mismatch"}},
		"another server":      {change: []any{"aud", "https://evil.example"}, want: []string{"aud.mismatch", "aud.not_sole"}},
		"another beside":      {change: []any{"aud", []string{"https://as.example", "https://evil.example"}}, want: []string{"aud.not_sole"}},
		"another app":         {change: []any{"iss", "evil"}, want: []string{"iss.mismatch"}},
		"no iss":              {change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"no iat":              {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"no exp":              {change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"another client key":  {change: []any{"sub", "connection:480"}, want: []string{"key.none"}},
		"a nonce":             {change: []any{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"more than an hour":   {change: []any{"exp", now + 3661}, want: []string{"exp.lifetime"}},
	} {
		_, err := v.Verify(ctx, app.With(tc.change...).Sign(t, profiletest.Secret(t), tc.typ))
		t.Run(name, func(t *testing.T) { profiletest.Want(t, err, tc.want...) })
	}
	strict := some()
	strict.Issuers = []string{"my-app"}
	_, err = verifier(t, strict).Verify(ctx, app.Sign(t, profiletest.Secret(t), "JWT"))
	profiletest.Want(t, err, "aud.missing", "jti.missing")
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"no server":                {func(p *Policy) { p.Issuer = "" }, "name the Issuer"},
		"no issuer":                {func(p *Policy) { p.Issuers = nil }, "Issuers"},
		"any issuer, one set":      {func(p *Policy) { p.Issuers, p.AnyIssuer = nil, true }, "jwk.Set"},
		"two issuers, one set":     {func(p *Policy) { p.Issuers = []string{"a", "b"} }, "jwk.Set"},
		"Bitbucket, one set":       {func(p *Policy) { p.Replay, p.LegacyBitbucket = nil, true }, "jwk.Set"},
		"no subjects":              {func(p *Policy) { p.AnySubject = false }, "Subjects"},
		"subjects and any":         {func(p *Policy) { p.Subjects = func(_, _ string) bool { return true } }, "Subjects"},
		"no replay":                {func(p *Policy) { p.Replay = nil }, "Replay"},
		"replay and reusable":      {func(p *Policy) { p.Reusable = true }, "Replay"},
		"replay and Bitbucket":     {func(p *Policy) { p.LegacyBitbucket = true }, "Replay"},
		"replay in another place":  {func(p *Policy) { p.JWT.Replay, p.Replay, p.Reusable = p.Replay, nil, true }, "JWT.Replay"},
		"a selector":               {func(p *Policy) { p.JWT.Selector = "sub" }, "JWT.Selector"},
		"typed and self-issued":    {func(p *Policy) { p.TypedOnly, p.SelfIssued = true, true }, "TypedOnly"},
		"typed and with scope":     {func(p *Policy) { p.TypedOnly, p.LegacyScope = true, true }, "TypedOnly"},
		"typed and of Bitbucket":   {func(p *Policy) { p.TypedOnly, p.LegacyBitbucket, p.Replay = true, true, nil }, "TypedOnly"},
		"negative lifetime":        {func(p *Policy) { p.MaxLifetime = -1 }, "MaxLifetime"},
		"JWT.AnyAudience":          {func(p *Policy) { p.JWT.AnyAudience = true }, "JWT.AnyAudience"},
		"an empty name of its own": {func(p *Policy) { p.Audiences = []string{""} }, "empty"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{
		Issuer: "https://idp.example", Subject: "alice", Audience: jwt.Audience{"https://as.example"}, ID: "1",
		Expiry: time.Unix(now+60, 0), IssuedAt: time.Unix(now, 0),
	}
	raw, err := Sign(ctx, profiletest.Key(t), r, Claims{Scope: "read"})
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.TypedOnly = true
	tok, err := verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
	if tok.Claims.Scope != "read" {
		t.Error(tok.Claims.Scope)
	}
	for name, change := range map[string]func(*jwt.Registered){
		"iss": func(r *jwt.Registered) { r.Issuer = "" },
		"sub": func(r *jwt.Registered) { r.Subject = "" },
		"aud": func(r *jwt.Registered) { r.Audience = nil },
		"exp": func(r *jwt.Registered) { r.Expiry = time.Time{} },
	} {
		r := r
		change(&r)
		_, err := Sign(ctx, profiletest.Key(t), r, Claims{})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A grant tells of a user, so it may be encrypted for the server.
func TestEncrypted(t *testing.T) {
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "P-256")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: key.Public()}, jwt.Header{Type: Type}, jwt.Registered{
		Issuer: "https://idp.example", Subject: "alice", Audience: jwt.Audience{"https://as.example"}, Expiry: time.Unix(now+60, 0), ID: "1",
	}, Claims{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err, "token.encrypted")
	p := some()
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
}

// Each kind of token that has a typ is refused by it, whatever its claims are.
func TestForeignTypes(t *testing.T) {
	for _, typ := range profile.Types() {
		_, err := verifier(t, some()).Verify(ctx, good.Sign(t, profiletest.Key(t), typ))
		if typ == Type {
			profiletest.Want(t, err)
			continue
		}
		profiletest.Want(t, err, "typ.mismatch")
	}
}

// The claims of RFC 7523, Section 4, as RFC 10070, Section 4, has them, and of the collected texts.
func TestSeeds(t *testing.T) {
	at := func() time.Time { return time.Unix(1731721541, 0) }
	claims := profiletest.Claims{
		"aud": "https://authz.example.net", "iss": "https://jwt-idp.example.com", "sub": "mailto:mike@example.com",
		"iat": 1731721541, "exp": 1731725141, "http://claims.example.com/member": true,
	}
	p := Policy{
		Issuer: "https://authz.example.net", Issuers: []string{"https://jwt-idp.example.com"}, AnySubject: true, Reusable: true,
		JWT: jwt.Policy{Clock: at},
	}
	tok, err := verifier(t, p).Verify(ctx, claims.Sign(t, profiletest.Key(t), ""))
	profiletest.Want(t, err)
	var member bool
	if ok, err := tok.Claim("http://claims.example.com/member", &member); !ok || err != nil || !member {
		t.Error(ok, err, member)
	}
	p.Reusable, p.Replay = false, jwt.NewReplayCache(1)
	_, err = verifier(t, p).Verify(ctx, claims.Sign(t, profiletest.Key(t), ""))
	profiletest.Want(t, err, "jti.missing")
}

func TestParseRequest(t *testing.T) {
	ok := url.Values{"grant_type": {GrantType}, "assertion": {"a.b.c"}, "scope": {"read write"}, "resource": {"https://a", "https://b"}, "client_id": {"c1"}}
	r, err := ParseRequest(ok)
	if err != nil || r.Assertion != "a.b.c" || !r.Scope.Has("read", "write") {
		t.Fatal(r, err)
	}
	again, err := ParseRequest(r.Values())
	if err != nil || again.Assertion != r.Assertion || again.Scope.String() != r.Scope.String() {
		t.Error(again, err)
	}
	if form := (&Request{Assertion: "a.b.c"}).Values(); form.Has("scope") {
		t.Error(form)
	}
	for name, tc := range map[string]struct {
		param  string
		values []string
		code   string
	}{
		"no grant type":     {"grant_type", nil, oauth.UnsupportedGrantType},
		"another":           {"grant_type", []string{"authorization_code"}, oauth.UnsupportedGrantType},
		"of Bitbucket":      {"grant_type", []string{BitbucketGrantType}, oauth.UnsupportedGrantType},
		"no assertion":      {"assertion", nil, oauth.InvalidRequest},
		"an empty one":      {"assertion", []string{""}, oauth.InvalidRequest},
		"two assertions":    {"assertion", []string{"a.b.c", "a.b.c"}, oauth.InvalidRequest},
		"two scopes":        {"scope", []string{"a", "b"}, oauth.InvalidRequest},
		"a strange scope":   {"scope", []string{"a\"b"}, oauth.InvalidScope},
		"two of an unknown": {"x", []string{"a", "b"}, oauth.InvalidRequest},
		"an empty scope":    {"scope", []string{""}, ""},
	} {
		form := url.Values{}
		for k, v := range ok {
			form[k] = v
		}
		form[tc.param] = tc.values
		_, err := ParseRequest(form)
		wantCode(t, name, err, tc.code)
	}
}

func TestParseLegacyBitbucketRequest(t *testing.T) {
	form := url.Values{"grant_type": {BitbucketGrantType}, "scope": {"repository:write"}}
	for name, tc := range map[string]struct {
		header []string
		code   string
	}{
		"as it is":      {[]string{"JWT a.b.c"}, ""},
		"none":          {nil, oauth.InvalidRequest},
		"two":           {[]string{"JWT a.b.c", "JWT a.b.c"}, oauth.InvalidRequest},
		"in lower case": {[]string{"jwt a.b.c"}, oauth.InvalidRequest},
		"Bearer":        {[]string{"Bearer a.b.c"}, oauth.InvalidRequest},
		"empty":         {[]string{"JWT "}, oauth.InvalidRequest},
	} {
		r, err := ParseLegacyBitbucketRequest(http.Header{"Authorization": tc.header}, form)
		wantCode(t, name, err, tc.code)
		if err == nil && (r.Assertion != "a.b.c" || !r.Scope.Has("repository:write")) {
			t.Error(name, r)
		}
	}
	_, err := ParseLegacyBitbucketRequest(http.Header{"Authorization": {"JWT a.b.c"}}, url.Values{"grant_type": {GrantType}})
	wantCode(t, "another grant type", err, oauth.UnsupportedGrantType)
}

func wantCode(t *testing.T, name string, err error, code string) {
	t.Helper()
	e, _ := errors.AsType[*oauth.Error](err)
	if (err == nil) != (code == "") || err != nil && (e == nil || e.Code != code || e.Description == "") {
		t.Errorf("%s: %v, want %q", name, err, code)
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("grant_type=" + GrantType + "&assertion=a.b.c&scope=read+write&resource=https://a&resource=https://b")
	f.Add("grant_type=" + BitbucketGrantType)
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := ParseRequest(form)
		if err != nil {
			wantCode(t, query, err, err.(*oauth.Error).Code)
			return
		}
		if again, err := ParseRequest(r.Values()); err != nil || again.Assertion != r.Assertion || again.Scope.String() != r.Scope.String() {
			t.Errorf("%q: %v, %v", query, again, err)
		}
	})
}

// The payload's buffer, and the token.
func TestAllocations(t *testing.T) {
	p := some()
	p.Replay = forgets{}
	v := verifier(t, p)
	raw := good.Sign(t, profiletest.Secret(t), Type)
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), "JWT")
	p := some()
	p.Replay = forgets{}
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: p.Issuers, Audiences: []string{p.Issuer}, Replay: p.Replay, Clock: profiletest.Clock,
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

type forgets struct{}

func (forgets) Seen(context.Context, string, string, time.Duration) (bool, error) { return false, nil }
