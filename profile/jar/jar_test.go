package jar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
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
		"iss": "c1", "aud": "https://as.example", "exp": now + 300, "nbf": now - 10,
		"client_id": "c1", "response_type": "code", "redirect_uri": "https://c1.example/cb", "scope": "openid", "state": "s",
	}
	sent = Expect{ClientID: "c1"}
)

func some() Policy {
	return Policy{Issuer: "https://as.example", ClientID: "c1", JWT: jwt.Policy{Clock: profiletest.Clock}}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public(), profiletest.Secret(t)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fapi(p *Policy)    { p.FAPI = true }
func untyped(p *Policy) { p.LegacyUntyped = true }
func openid(p *Policy)  { p.OpenIDConnect = true }

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	for name, tc := range map[string]struct {
		change []any
		typ    string
		plain  bool // no typ
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"good":                        {},
		"the media type":              {typ: "application/oauth-authz-req+jwt"},
		"typ JWT":                     {typ: "JWT", want: []string{"typ.mismatch"}},
		"no typ":                      {plain: true, want: []string{"typ.mismatch"}},
		"no typ, legacy":              {plain: true, policy: untyped},
		"typ JWT, legacy":             {typ: "JWT", policy: untyped},
		"typed, legacy":               {policy: untyped},
		"no typ, OpenID Connect":      {plain: true, policy: openid},
		"typ of an assertion, legacy": {typ: "client-authentication+jwt", policy: untyped, want: []string{"typ.mismatch"}},

		"no client_id":                 {change: []any{"client_id", nil, "iss", nil}, want: []string{"claim.missing"}},
		"no client_id, but iss":        {change: []any{"client_id", nil}, want: []string{"claim.missing", "iss.mismatch"}},
		"another client_id":            {change: []any{"client_id", "c2", "iss", "c2"}, want: []string{"client_id.mismatch"}},
		"another client_id outside":    {expect: Expect{ClientID: "c2"}, want: []string{"client_id.mismatch"}},
		"that of another, outside too": {change: []any{"client_id", "c2", "iss", "c2"}, expect: Expect{ClientID: "c2"}, want: []string{"client_id.mismatch"}},
		"client_id is a number":        {change: []any{"client_id", 1}, want: []string{"json.type"}},
		"no iss":                       {change: []any{"iss", nil}},
		"another iss":                  {change: []any{"iss", "c2"}, want: []string{"iss.mismatch"}},
		"sub is the client":            {change: []any{"sub", "c1"}, want: []string{"sub.client"}},
		"sub is the client, plain":     {plain: true, policy: untyped, change: []any{"sub", "c1"}, want: []string{"sub.client"}},
		"another sub":                  {change: []any{"sub", "alice"}},
		"another sub, plain":           {plain: true, policy: untyped, change: []any{"sub", "alice"}, want: []string{"kind.mismatch"}},
		"request":                      {change: []any{"request", "x"}, want: []string{"request.nested"}},
		"request, null":                {change: []any{"request", json.RawMessage("null")}, want: []string{"json.type"}},
		"request_uri":                  {change: []any{"request_uri", "https://c1.example"}, want: []string{"request.nested"}},

		"no aud":             {change: []any{"aud", nil}},
		"an empty aud":       {change: []any{"aud", []string{}}, want: []string{"aud.mismatch"}}, // which names nobody
		"another aud":        {change: []any{"aud", "https://evil.example"}, want: []string{"aud.mismatch"}},
		"aud is an array":    {change: []any{"aud", []string{"https://evil.example", "https://as.example"}}},
		"aud is the client":  {change: []any{"aud", "c1"}, want: []string{"aud.mismatch"}},
		"no exp":             {change: []any{"exp", nil}},
		"expired":            {change: []any{"exp", now - 61, "nbf", nil}, want: []string{"exp.expired"}},
		"not yet":            {change: []any{"nbf", now + 61}, want: []string{"nbf.early"}},
		"any lifetime":       {change: []any{"nbf", nil, "exp", now + 1e6}},
		"a limit of its own": {change: []any{"exp", nil}, policy: func(p *Policy) { p.JWT.MaxLifetime = time.Hour }, want: []string{"exp.missing"}},

		"FAPI":                        {policy: fapi},
		"FAPI, untyped":               {policy: func(p *Policy) { p.FAPI, p.LegacyUntyped = true, true }, plain: true},
		"FAPI, no aud":                {policy: fapi, change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"FAPI, no exp":                {policy: fapi, change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"FAPI, no exp, optional":      {policy: func(p *Policy) { p.FAPI, p.JWT.OptionalExpiry = true, true }, change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"FAPI, no nbf":                {policy: fapi, change: []any{"nbf", nil}, want: []string{"nbf.missing"}},
		"FAPI, nbf of an hour ago":    {policy: fapi, change: []any{"nbf", now - 3600, "exp", now}},
		"FAPI, within the leeway":     {policy: fapi, change: []any{"nbf", now - 3660, "exp", now - 60}, want: []string{"exp.expired"}},
		"FAPI, nbf of longer ago":     {policy: fapi, change: []any{"nbf", now - 3661, "exp", now - 59}, want: []string{"nbf.too_old"}},
		"FAPI, an hour":               {policy: fapi, change: []any{"nbf", now, "exp", now + 3600}},
		"FAPI, more than an hour":     {policy: fapi, change: []any{"nbf", now, "exp", now + 3601}, want: []string{"exp.lifetime"}},
		"nbf of longer ago, not FAPI": {change: []any{"nbf", now - 1e6}},

		"max_age":               {change: []any{"max_age", 86400}},
		"a fraction":            {change: []any{"max_age", 1.5}, want: []string{"claim.type"}},
		"null":                  {change: []any{"max_age", json.RawMessage("null")}, want: []string{"claim.type"}},
		"state is a number":     {change: []any{"state", 1}, want: []string{"json.type"}},
		"an exponent":           {change: []any{"max_age", json.RawMessage("1e3")}, want: []string{"claim.type"}},
		"resource is null":      {change: []any{"resource", json.RawMessage("null")}, want: []string{"claim.type"}},
		"resource has a number": {change: []any{"resource", []int{1}}, want: []string{"claim.type"}},
		"100 others":            {change: others(100)},
		"101 others":            {change: others(101), want: []string{"parameters.too_many"}},

		"events, typed":    {change: []any{"events", map[string]any{}}},
		"events":           {plain: true, policy: untyped, change: []any{"events", map[string]any{}}, want: []string{"kind.mismatch"}},
		"login_hint":       {plain: true, policy: untyped, change: []any{"login_hint", "a", "id_token_hint", "b"}},
		"CIBA":             {plain: true, policy: untyped, change: []any{"client_notification_token", "x"}, want: []string{"kind.mismatch"}},
		"requested_expiry": {plain: true, policy: untyped, change: []any{"requested_expiry", 1}, want: []string{"kind.mismatch"}},
		"binding_message":  {plain: true, policy: untyped, change: []any{"binding_message", "x"}, want: []string{"kind.mismatch"}},
		"user_code":        {plain: true, policy: untyped, change: []any{"user_code", "x"}, want: []string{"kind.mismatch"}},
		"login_hint_token": {plain: true, policy: untyped, change: []any{"login_hint_token", "x"}, want: []string{"kind.mismatch"}},
		"code":             {plain: true, policy: untyped, change: []any{"code", "x"}, want: []string{"kind.mismatch"}},
		"error":            {plain: true, policy: untyped, change: []any{"error", "x"}, want: []string{"kind.mismatch"}},
		"access_token":     {plain: true, policy: untyped, change: []any{"access_token", "x"}, want: []string{"kind.mismatch"}},
		"id_token":         {plain: true, policy: untyped, change: []any{"id_token", "x"}, want: []string{"kind.mismatch"}},
		"at_hash":          {plain: true, policy: untyped, change: []any{"at_hash", "x"}, want: []string{"kind.mismatch"}},
		"c_hash":           {plain: true, policy: untyped, change: []any{"c_hash", "x"}, want: []string{"kind.mismatch"}},
		"cnf":              {plain: true, policy: untyped, change: []any{"cnf", map[string]any{}}, want: []string{"kind.mismatch"}},
		"two things at once": {
			change: []any{"exp", now - 61, "nbf", nil, "request", "x"}, expect: Expect{ClientID: "c2"},
			want: []string{"exp.expired", "request.nested", "client_id.mismatch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect == (Expect{}) {
				tc.expect = sent
			}
			if tc.typ == "" && !tc.plain {
				tc.typ = Type
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ), tc.expect)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// others are n parameters that Claims has no fields for.
func others(n int) (pairs []any) {
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("x%d", i), "y")
	}
	return pairs
}

// FAPI 2.0 Security Profile, Section 5.4.1: no HMAC unless it is named.
func TestFAPIAlgorithms(t *testing.T) {
	p := some()
	raw := good.Sign(t, profiletest.Secret(t), Type)
	_, err := verifier(t, p).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	p.FAPI = true
	_, err = verifier(t, p).Verify(ctx, raw, sent)
	profiletest.Want(t, err, "alg.not_allowed")
	p.JWT.Algorithms = []jwa.Algorithm{jwa.HS256}
	_, err = verifier(t, p).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	p.JWT.Algorithms = nil
	for _, alg := range []jwa.Algorithm{jwa.PS256, jwa.ES256, jwa.Ed25519, jwa.EdDSA} {
		key, err := jwk.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewVerifier(jwk.Set{key.Public()}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.Sign(t, key, Type), sent)
		profiletest.Want(t, err)
	}
}

type clients map[string]jwk.Set

func (c clients) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return c[q.Selector].Keys(ctx, q)
}

// With AnyClient, the key of one client does not speak for another (RFC 9101, Section 6.2).
func TestAnyClient(t *testing.T) {
	p := some()
	p.ClientID, p.AnyClient = "", true
	for _, selector := range []string{"", "iss"} {
		p.JWT.Selector = selector
		v, err := NewVerifier(clients{"c1": {profiletest.Key(t).Public()}, "c2": {profiletest.Secret(t)}}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), Type), sent)
		profiletest.Want(t, err)
		two := good.With("iss", "c2", "client_id", "c2")
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Secret(t), Type), Expect{ClientID: "c2"})
		profiletest.Want(t, err)
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Secret(t), Type), sent)
		profiletest.Want(t, err, "client_id.mismatch")
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Key(t), Type), Expect{ClientID: "c2"})
		profiletest.Want(t, err, "key.none")
		_, err = v.Verify(ctx, good.With("iss", "c3", "client_id", "c3").Sign(t, profiletest.Key(t), Type), Expect{ClientID: "c3"})
		profiletest.Want(t, err, "key.none")
	}
}

func TestIncomplete(t *testing.T) {
	keys := jwk.Set{profiletest.Key(t).Public()}
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"zero":                {func(p *Policy) { *p = Policy{} }, "Issuer"},
		"no issuer":           {func(p *Policy) { p.Issuer = "" }, "Issuer"},
		"no client":           {func(p *Policy) { p.ClientID = "" }, "ClientID"},
		"a client and any":    {func(p *Policy) { p.AnyClient = true }, "ClientID"},
		"any client, one set": {func(p *Policy) { p.ClientID, p.AnyClient = "", true }, "jwk.Set"},
		"FAPI and OpenID":     {func(p *Policy) { p.FAPI, p.OpenIDConnect = true, true }, "OpenIDConnect"},
		"FAPI and unsigned":   {func(p *Policy) { p.FAPI, p.UnsignedRequests = true, true }, "UnsignedRequests"},
		"JWT.Type":            {func(p *Policy) { p.JWT.Type = "x" }, "JWT.Type"},
		"JWT.Audiences":       {func(p *Policy) { p.JWT.Audiences = []string{"x"} }, "JWT.Audiences"},
		"JWT.MaxSize":         {func(p *Policy) { p.JWT.MaxSize = -1 }, "negative"},
		"no URLs":             {func(p *Policy) { p.ByReference = &ByReference{} }, "Registered"},
		"all URLs and some":   {func(p *Policy) { p.ByReference = &ByReference{AnyURI: true, Registered: registered()} }, "AnyURI"},
		"a negative time":     {func(p *Policy) { p.ByReference = &ByReference{AnyURI: true, Timeout: -1} }, "Timeout"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(nil, some()); !errors.Is(err, jwt.ErrPolicy) {
		t.Errorf("no keys: %v", err)
	}
	if _, err := verifier(t, some()).Verify(ctx, good.Sign(t, profiletest.Key(t), Type), Expect{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Errorf("zero Expect: %v", err)
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{
		Issuer: "c1", Audience: jwt.Audience{"https://as.example"},
		Expiry: time.Unix(now+60, 0), NotBefore: time.Unix(now, 0),
	}
	p := url.Values{
		"client_id": {"c1"}, "response_type": {"code"}, "response_mode": {"jwt"}, "redirect_uri": {"https://c1.example/cb"},
		"scope": {"openid pay"}, "state": {"s"}, "nonce": {"n"}, "code_challenge": {"c"}, "code_challenge_method": {"S256"},
		"login_hint": {"l"}, "id_token_hint": {"h"},
		"max_age": {"86400"}, "claims": {`{"id_token":{"acr":null}}`}, "authorization_details": {`[{"type":"a"}]`},
		"resource": {"https://a.example", "https://b.example"}, "ui_locales": {"86400"},
	}
	raw, err := Sign(ctx, profiletest.Key(t), r, NewClaims(p))
	if err != nil {
		t.Fatal(err)
	}
	fapi := some()
	fapi.FAPI = true
	tok, err := verifier(t, fapi).Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	if got := tok.Claims.Parameters(); !reflect.DeepEqual(got, p) {
		t.Errorf("%v\n%v", got, p)
	}
	// Numbers and objects are what they are.
	for name, want := range map[string]any{"max_age": 86400., "ui_locales": "86400", "claims": map[string]any{"id_token": map[string]any{"acr": nil}}} {
		var claims map[string]any
		if err := json.Unmarshal(tok.Payload(), &claims); err != nil || !reflect.DeepEqual(claims[name], want) {
			t.Errorf("%s is %v, %v", name, claims[name], err)
		}
	}
	if tok.Header().Type != Type {
		t.Error(tok.Header().Type)
	}

	for name, tc := range map[string]struct {
		change func(*jwt.Registered, *Claims)
		claim  string
	}{
		"no client_id":      {func(r *jwt.Registered, c *Claims) { r.Issuer, c.ClientID = "", "" }, "client_id"},
		"another iss":       {func(r *jwt.Registered, _ *Claims) { r.Issuer = "c2" }, "iss"},
		"sub is the client": {func(r *jwt.Registered, _ *Claims) { r.Subject = "c1" }, "sub"},
		"no exp":            {func(r *jwt.Registered, _ *Claims) { r.Expiry = time.Time{} }, "exp"},
		"a fraction":        {func(_ *jwt.Registered, c *Claims) { c.Other["max_age"] = json.RawMessage("1.5") }, "max_age"},
		"nothing":           {func(_ *jwt.Registered, c *Claims) { c.Other["max_age"] = nil }, "max_age"},
	} {
		r, c := r, NewClaims(p)
		tc.change(&r, &c)
		_, err := Sign(ctx, profiletest.Key(t), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != tc.claim {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"request", "request_uri", "iss", "state"} {
		c := NewClaims(p)
		c.Other[name] = json.RawMessage(`"x"`)
		if _, err := Sign(ctx, profiletest.Key(t), r, c); err == nil {
			t.Errorf("%s is signed", name)
		}
	}
}

func TestNewClaims(t *testing.T) {
	// What is no number and no JSON stays text, and an empty value is none (RFC 6749, Section 3.1).
	for name, tc := range map[string]struct{ in, want string }{
		"max_age 1": {"-5", "-5"}, "max_age 2": {"1.5", `"1.5"`}, "max_age 3": {"-", `"-"`}, "max_age 4": {"", ""},
		"claims 1": {"{}", "{}"}, "claims 2": {"{", `"{"`}, "claims 3": {"null", `"null"`}, "claims 4": {"5", `"5"`},
		"authorization_details 1": {"[]", "[]"},
		"other 1":                 {`{"a":1}`, `"{\"a\":1}"`}, "other 2": {"1", `"1"`},
	} {
		name, _, _ = strings.Cut(name, " ")
		c := NewClaims(url.Values{name: {tc.in}, "nothing": nil})
		if got := string(c.Other[name]); got != tc.want {
			t.Errorf("%s=%s is %s", name, tc.in, got)
		}
		if _, ok := c.Other["nothing"]; ok {
			t.Error("a parameter without values is there")
		}
	}
}

func TestParameters(t *testing.T) {
	c := Claims{ClientID: "c1", Other: map[string]json.RawMessage{
		"string": json.RawMessage(`"a\u0062"`), "empty": json.RawMessage(`""`), "number": json.RawMessage(`-12`), "fraction": json.RawMessage(`1.0`), "exponent": json.RawMessage(`1e3`),
		"minus": json.RawMessage(`-`), "true": json.RawMessage(`true`), "false": json.RawMessage(`false`), "null": json.RawMessage(`null`),
		"object": json.RawMessage(`{"a": 1}`), "array": json.RawMessage(`["a"]`), "nothing": nil, "broken": json.RawMessage(`"`),
		"resource": json.RawMessage(`["https://a.example","https://b.example"]`),
	}}
	want := url.Values{
		"client_id": {"c1"}, "string": {"ab"}, "number": {"-12"}, "true": {"true"}, "false": {"false"},
		"object": {`{"a": 1}`}, "array": {`["a"]`}, "resource": {"https://a.example", "https://b.example"},
	}
	if got := c.Parameters(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	c.Other = map[string]json.RawMessage{"resource": json.RawMessage(`[]`)}
	if got := c.Parameters(); got.Has("resource") {
		t.Errorf("%v", got)
	}
}

// The text of a request and its claims are one another's, whatever is in it.
func FuzzParameters(f *testing.F) {
	f.Add("client_id=c&max_age=5&claims={}&resource=a&resource=b&state=%00")
	f.Add("authorization_details=0 &claims=null")
	f.Add("max_age=-0&authorization_details=[1,2]&a=true")
	f.Fuzz(func(t *testing.T, query string) {
		p, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		want := url.Values{}
		for name, values := range p {
			if len(values) > 1 && name != "resource" || strings.ToValidUTF8(values[0], "") != values[0] || name == "resource" && len(values) > 1 && (values[0] == "" || strings.ToValidUTF8(strings.Join(values, ""), "") != strings.Join(values, "")) {
				return
			}
			if values[0] != "" {
				want[name] = values
			}
		}
		c := NewClaims(maps.Clone(p))
		if got := c.Parameters(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %q", want, got)
		}
	})
}

func TestEncrypted(t *testing.T) {
	server, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "X25519")
	if err != nil {
		t.Fatal(err)
	}
	r := jwt.Registered{Issuer: "c1", Audience: jwt.Audience{"https://as.example"}, Expiry: time.Unix(now+60, 0)}
	c := Claims{ClientID: "c1", Other: map[string]json.RawMessage{"max_age": json.RawMessage("5")}}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: server.Public()}, jwt.Header{Type: Type}, r, c)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	_, err = verifier(t, p).Verify(ctx, raw, sent)
	profiletest.Want(t, err, "token.encrypted")
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{server}}
	v := verifier(t, p)
	tok, err := v.Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	if tok.Claims.Parameters().Get("max_age") != "5" || len(tok.Layers()) != 1 {
		t.Errorf("%+v", tok.Claims)
	}
	signed, err := Sign(ctx, profiletest.Key(t), r, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, signed, sent)
	profiletest.Want(t, err, "token.signed")
}

// RFC 9101 asks for no jti, so a Replay is the caller's choice; what is refused is not used up.
func TestReplay(t *testing.T) {
	p := some()
	p.JWT.Replay = jwt.NewReplayCache(8)
	v := verifier(t, p)
	raw := good.With("jti", "1").Sign(t, profiletest.Key(t), Type)
	_, err := v.Verify(ctx, raw, Expect{ClientID: "c2"})
	profiletest.Want(t, err, "client_id.mismatch")
	_, err = v.Verify(ctx, raw, sent)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw, sent)
	profiletest.Want(t, err, "jti.replayed")
}

// The request object of RFC 9101, Section 4, with its key: it has no typ, and is the one of the collected texts.
func TestSpecificationExample(t *testing.T) {
	raw := "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsyYmRjIn0.ewogICAgImlzcyI6ICJzNkJoZFJrcXQzIiwKICAgICJhdWQiOiAiaHR0cHM6Ly9zZXJ2ZXIuZXhhbXBsZS5jb20iLAogICAgInJlc3BvbnNlX3R5cGUiOiAiY29kZSBpZF90b2tlbiIsCiAgICAiY2xpZW50X2lkIjogInM2QmhkUmtxdDMiLAogICAgInJlZGlyZWN0X3VyaSI6ICJodHRwczovL2NsaWVudC5leGFtcGxlLm9yZy9jYiIsCiAgICAic2NvcGUiOiAib3BlbmlkIiwKICAgICJzdGF0ZSI6ICJhZjBpZmpzbGRraiIsCiAgICAibm9uY2UiOiAibi0wUzZfV3pBMk1qIiwKICAgICJtYXhfYWdlIjogODY0MDAKfQ.Nsxa_18VUElVaPjqW_ToI1yrEJ67BgKb5xsuZRVqzGkfKrOIX7BCx0biSxYGmjK9KJPctH1OC0iQJwXu5YVY-vnW0_PLJb1C2HG-ztVzcnKZC2gE4i0vgQcpkUOCpW3SEYXnyWnKzuKzqSb1wAZALo5f89B_p6QA6j6JwBSRvdVsDPdulW8lKxGTbH82czCaQ50rLAg3EYLYaCb4ik4I1zGXE4fvim9FIMs8OCMmzwIB5S-ujFfzwFjoyuPEV4hJnoVUmXR_W9typPf846lGwA8h9G9oNTIuX8Ft2jfpnZdFmLg3_wr3Wa5q3a-lfbgF3S9H_8nN3j1i7tLR_5Nz-g"
	j, err := jwk.Parse([]byte(`{"kty":"RSA","kid":"k2bdc","n":"x5RbkAZkmpRxia65qRQ1wwSMSxQUnS7gcpVTV_cdHmfmG2ltd2yabEO9XadD8pJNZubINPpmgHh3J1aD9WRwS05ucmFq3CfFsluLt13_7oX5yDRSKX7poXmT_5ko8k4NJZPMAO8fPToDTH7kHYbONSE2FYa5GZ60CUsFhSonI-dcMDJ0Ary9lxIw5k2z4TAdARVWcS7sD07VhlMMshrwsPHBQgTatlkxyIHXbYdtak8fqvNAwr7OlVEvM_Ipf5OfmdB8Sd-wjzaBsyP4VhJKoi_qdgSzpC694XZeYPq45Sw-q51iFUlcOlTCI7z6jltUtnR6ySn6XDGFnzH5Fe5ypw","e":"AQAB"}`))
	if err != nil {
		t.Fatal(err)
	}
	key, err := j.PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Issuer: "https://server.example.com", ClientID: "s6BhdRkqt3", JWT: jwt.Policy{Clock: profiletest.Clock}}
	v, err := NewVerifier(jwk.Set{key}, p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, raw, Expect{ClientID: "s6BhdRkqt3"})
	profiletest.Want(t, err, "typ.mismatch")
	for _, change := range []func(*Policy){untyped, openid} {
		p := p
		change(&p)
		if v, err = NewVerifier(jwk.Set{key}, p); err != nil {
			t.Fatal(err)
		}
		tok, err := v.Verify(ctx, raw, Expect{ClientID: "s6BhdRkqt3"})
		profiletest.Want(t, err)
		want := "client_id=s6BhdRkqt3&max_age=86400&nonce=n-0S6_WzA2Mj&redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb&response_type=code+id_token&scope=openid&state=af0ifjsldkj"
		if got := tok.Claims.Parameters().Encode(); got != want {
			t.Error(got)
		}
	}
}

// The payload's buffer, the token, and what the request is held to; with other parameters, the map for them.
func TestAllocations(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Secret(t), Type)
	profiletest.Ceiling(t, 3, func() { _, _ = v.Verify(ctx, raw, sent) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.With("max_age", 5).Sign(b, profiletest.Secret(b), Type)
	v := verifier(b, some())
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		AnyIssuer: true, Audiences: []string{"https://as.example"}, Type: Type, Clock: profiletest.Clock,
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
