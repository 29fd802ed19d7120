package ciba

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/oauth/subjectid"
)

const now = profiletest.Now

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "c1", "aud": "https://op.example", "exp": now + 300, "iat": now, "nbf": now, "jti": "1",
		"scope": "openid email", "login_hint": "alice@example.com",
	}
	hint = profiletest.Claims{
		"iss": "https://hints.example", "aud": "https://op.example", "exp": now + 300,
		"sub_id": map[string]any{"format": "phone_number", "phone_number": "+13302818004"},
	}
	poll = Expect{ClientID: "c1", Delivery: Poll}
)

func some() Policy {
	return Policy{
		Issuer: "https://op.example", ClientID: "c1", Replay: jwt.NewReplayCache(8),
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
	type list = []any
	ping, push := Expect{ClientID: "c1", Delivery: Ping}, Expect{ClientID: "c1", Delivery: Push}
	for name, tc := range map[string]struct {
		change list
		typ    string
		key    jwk.Signer
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"a request":                  {},
		"typ JWT":                    {typ: "JWT"},
		"typ of a request object":    {typ: "oauth-authz-req+jwt", want: []string{"typ.mismatch"}},
		"no iss":                     {change: list{"iss", nil}, want: []string{"iss.missing"}},
		"another client":             {change: list{"iss", "c2"}, expect: Expect{ClientID: "c2", Delivery: Poll}, want: []string{"iss.mismatch"}},
		"another has authenticated":  {expect: Expect{ClientID: "c2", Delivery: Poll}, want: []string{"client_id.mismatch"}},
		"no aud":                     {change: list{"aud", nil}, want: []string{"aud.missing"}},
		"another provider":           {change: list{"aud", "https://other.example"}, want: []string{"aud.mismatch"}},
		"the endpoint":               {change: list{"aud", "https://op.example/bc-authorize"}, want: []string{"aud.mismatch"}},
		"several":                    {change: list{"aud", list{"https://op.example", "https://op.example/bc-authorize"}}},
		"no exp":                     {change: list{"exp", nil}, want: []string{"exp.missing"}},
		"expired":                    {change: list{"exp", now - 61, "nbf", now - 100}, want: []string{"exp.expired"}},
		"an hour":                    {change: list{"exp", now + 3600}},
		"more than an hour":          {change: list{"exp", now + 3601}, want: []string{"exp.lifetime"}},
		"an hour, from nbf":          {change: list{"nbf", now - 3400, "exp", now + 300}, want: []string{"exp.lifetime"}},
		"more than MaxLifetime":      {policy: func(p *Policy) { p.MaxLifetime = time.Minute }, want: []string{"exp.lifetime"}},
		"MaxLifetime":                {policy: func(p *Policy) { p.MaxLifetime = 5 * time.Minute }},
		"no iat":                     {change: list{"iat", nil}, want: []string{"iat.missing"}},
		"no nbf":                     {change: list{"nbf", nil}, want: []string{"nbf.missing"}},
		"too early":                  {change: list{"nbf", now + 61}, want: []string{"nbf.early"}},
		"no jti":                     {change: list{"jti", nil}, want: []string{"jti.missing"}},
		"a jti of 256":               {change: list{"jti", strings.Repeat("x", 256)}},
		"a longer jti":               {change: list{"jti", strings.Repeat("x", 257)}, want: []string{"jti.too_long"}},
		"a secret":                   {key: profiletest.Secret(t), want: []string{"alg.not_allowed"}},
		"no hint":                    {change: list{"login_hint", nil}, want: []string{"hint.missing"}},
		"an empty hint":              {change: list{"login_hint", ""}, want: []string{"hint.missing"}},
		"a hint token":               {change: list{"login_hint", nil, "login_hint_token", "e.y.J"}},
		"an ID token":                {change: list{"login_hint", nil, "id_token_hint", "e.y.J"}},
		"two hints":                  {change: list{"login_hint_token", "e.y.J"}, want: []string{"hint.multiple"}},
		"two others":                 {change: list{"login_hint", nil, "login_hint_token", "e.y.J", "id_token_hint", "e.y.J"}, want: []string{"hint.multiple"}},
		"three hints":                {change: list{"login_hint_token", "e.y.J", "id_token_hint", "e.y.J"}, want: []string{"hint.multiple"}},
		"no scope":                   {change: list{"scope", nil}, want: []string{"claim.missing"}},
		"scope openid":               {change: list{"scope", "openid"}},
		"scope without openid":       {change: list{"scope", "email openid2"}, want: []string{"scope.no_openid"}},
		"ping, no token":             {expect: ping, want: []string{"claim.missing"}},
		"push, no token":             {expect: push, want: []string{"claim.missing"}},
		"ping":                       {change: list{"client_notification_token", "8d67dc78-7faa-4d41-aabd-67707b374255"}, expect: ping},
		"push":                       {change: list{"client_notification_token", "a-._~+/Z9=="}, expect: push},
		"poll, with a token":         {change: list{"client_notification_token", "x"}},
		"a token of 1024":            {change: list{"client_notification_token", strings.Repeat("x", 1024)}},
		"a longer token":             {change: list{"client_notification_token", strings.Repeat("x", 1025)}, want: []string{"client_notification_token.invalid"}},
		"a token with a space":       {change: list{"client_notification_token", "a b"}, want: []string{"client_notification_token.invalid"}},
		"a token that ends a header": {change: list{"client_notification_token", "a\r\nX: y"}, want: []string{"client_notification_token.invalid"}},
		"a token with = inside":      {change: list{"client_notification_token", "a=b"}, want: []string{"client_notification_token.invalid"}},
		"a token with a bracket":     {change: list{"client_notification_token", "a[b"}, want: []string{"client_notification_token.invalid"}},
		"a token with a brace":       {change: list{"client_notification_token", "a{b"}, want: []string{"client_notification_token.invalid"}},
		"a token of =":               {change: list{"client_notification_token", "=="}, want: []string{"client_notification_token.invalid"}},
		"a message":                  {change: list{"binding_message", "W4SCT – Überweisung"}},
		"a message of 256":           {change: list{"binding_message", strings.Repeat("é", 256)}},
		"a longer message":           {change: list{"binding_message", strings.Repeat("é", 257)}, want: []string{"binding_message.invalid"}},
		"a message of two lines":     {change: list{"binding_message", "pay\n1 EUR"}, want: []string{"binding_message.invalid"}},
		"a message that turns round": {change: list{"binding_message", "pay \u202e001"}, want: []string{"binding_message.invalid"}},
		"no message":                 {policy: func(p *Policy) { p.JWT.Required = []string{"binding_message"} }, want: []string{"claim.missing"}},
		"expiry as a number":         {change: list{"requested_expiry", 120}},
		"expiry as a string":         {change: list{"requested_expiry", "120"}},
		"expiry zero":                {change: list{"requested_expiry", 0}, want: []string{"json.type"}},
		"expiry negative":            {change: list{"requested_expiry", "-1"}, want: []string{"json.type"}},
		"expiry a fraction":          {change: list{"requested_expiry", 1.5}, want: []string{"json.type"}},
		"expiry an object":           {change: list{"requested_expiry", map[string]any{}}, want: []string{"json.type"}},
		"expiry a word":              {change: list{"requested_expiry", "1m"}, want: []string{"json.type"}},
		"expiry with zeros":          {change: list{"requested_expiry", "0120"}, want: []string{"json.type"}},
		"expiry empty":               {change: list{"requested_expiry", ""}, want: []string{"json.type"}},
		"expiry huge":                {change: list{"requested_expiry", "99999999999"}, want: []string{"json.type"}},
		"acr_values, user_code":      {change: list{"acr_values", "a b", "user_code", "1234"}},
		"an extension":               {change: list{"authorization_details", list{}}},
		"sub of somebody":            {change: list{"sub", "alice"}},
		"sub of the client":          {change: list{"sub", "c1"}, want: []string{"kind.mismatch"}},
		"client_id":                  {change: list{"client_id", "c1"}, want: []string{"kind.mismatch"}},
		"response_type":              {change: list{"response_type", "code"}, want: []string{"kind.mismatch"}},
		"redirect_uri":               {change: list{"redirect_uri", "https://c.example/cb"}, want: []string{"kind.mismatch"}},
		"events":                     {change: list{"events", map[string]any{}}, want: []string{"kind.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect == (Expect{}) {
				tc.expect = poll
			}
			if tc.key == nil {
				tc.key = profiletest.Key(t)
			}
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, tc.key, tc.typ), tc.expect)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// What a request says arrives.
func TestClaims(t *testing.T) {
	raw := good.With("login_hint", nil, "login_hint_token", "e.y.J", "requested_expiry", "120", "acr_values", "a b", "user_code", "7", "binding_message", "W4SCT", "client_notification_token", "x").
		Sign(t, profiletest.Key(t), "")
	got, err := verifier(t, some()).Verify(ctx, raw, poll)
	profiletest.Want(t, err)
	want := Claims{
		Scope: "openid email", LoginHintToken: "e.y.J", RequestedExpiry: 120, ACRValues: "a b", UserCode: "7", BindingMessage: "W4SCT",
		ClientNotificationToken: "x",
	}
	if err == nil && got.Claims != want {
		t.Errorf("%+v", got.Claims)
	}
}

// A request is good once, and one that is refused is not used up.
func TestReplay(t *testing.T) {
	v := verifier(t, some())
	raw := good.Sign(t, profiletest.Key(t), "")
	_, err := v.Verify(ctx, raw, Expect{ClientID: "c1", Delivery: Ping})
	profiletest.Want(t, err, "claim.missing")
	_, err = v.Verify(ctx, raw, poll)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw, poll)
	profiletest.Want(t, err, "jti.replayed")
}

// clients finds keys by client.
type clients map[string]jwk.Set

func (c clients) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return c[q.Selector].Keys(ctx, q)
}

// With AnyClient, the key of one client does not speak for another.
func TestAnyClient(t *testing.T) {
	other, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.ClientID, p.AnyClient = "", true
	for _, selector := range []string{"", "iss"} {
		p.JWT.Selector, p.Replay = selector, jwt.NewReplayCache(8)
		v, err := NewVerifier(clients{"c1": {profiletest.Key(t).Public()}, "c2": {other.Public()}}, p)
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), ""), poll)
		profiletest.Want(t, err)
		two := good.With("iss", "c2")
		_, err = v.Verify(ctx, two.Sign(t, other, ""), Expect{ClientID: "c2", Delivery: Poll})
		profiletest.Want(t, err)
		_, err = v.Verify(ctx, two.Sign(t, profiletest.Key(t), ""), Expect{ClientID: "c2", Delivery: Poll})
		profiletest.Want(t, err, "key.none")
		_, err = v.Verify(ctx, good.With("jti", "2").Sign(t, profiletest.Key(t), ""), Expect{ClientID: "c2", Delivery: Poll})
		profiletest.Want(t, err, "client_id.mismatch")
	}
	// Another selector, such as the request's own client_id, is not there.
	p.JWT.Selector = "client_id"
	v, err := NewVerifier(clients{"c1": {profiletest.Key(t).Public()}}, p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, good.Sign(t, profiletest.Key(t), ""), poll)
	profiletest.Want(t, err, "key.none")
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
		"a secret":              {func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.HS256} }, "symmetric"},
		"replay in two places":  {func(p *Policy) { p.JWT.Replay = p.Replay }, "JWT.Replay"},
		"a leeway of an hour":   {func(p *Policy) { p.JWT.Leeway = time.Hour }, "Leeway"},
		"issuers in two places": {func(p *Policy) { p.JWT.Issuers = []string{"c1"} }, "JWT.Issuers"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range []Expect{{}, {ClientID: "c1"}, {Delivery: Poll}, {ClientID: "c1", Delivery: "pull"}} {
		if _, err := verifier(t, some()).Verify(ctx, good.Sign(t, profiletest.Key(t), ""), x); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	for name, p := range map[string]HintPolicy{
		"zero":                  {},
		"no issuers":            {Issuer: "https://op.example"},
		"no audience":           {AnyIssuer: true},
		"an audience and any":   {AnyIssuer: true, Issuer: "https://op.example", AnyAudience: true},
		"issuers in two places": {Issuers: []string{"i"}, Issuer: "https://op.example", JWT: jwt.Policy{AnyIssuer: true, AnyAudience: true}},
	} {
		if _, err := NewHintVerifier(keys, p); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	r := jwt.Registered{
		Issuer: "c1", Audience: jwt.Audience{"https://op.example"}, ID: "1",
		Expiry: time.Unix(now+60, 0), IssuedAt: time.Unix(now, 0), NotBefore: time.Unix(now, 0),
	}
	c := Claims{Scope: "openid", LoginHint: "alice", RequestedExpiry: 120}
	raw, err := Sign(ctx, profiletest.Key(t), r, c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verifier(t, some()).Verify(ctx, raw, poll)
	profiletest.Want(t, err)
	if err == nil && (got.Claims != c || !strings.Contains(string(got.Payload()), `"requested_expiry":120`)) {
		t.Errorf("%s", got.Payload())
	}
	for name, change := range map[string]func(*jwt.Registered, *Claims) jwk.Signer{
		"iss":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Issuer = ""; return nil },
		"aud":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Audience = nil; return nil },
		"exp":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Expiry = time.Time{}; return nil },
		"iat":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.IssuedAt = time.Time{}; return nil },
		"nbf":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.NotBefore = time.Time{}; return nil },
		"jti":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.ID = ""; return nil },
		"sub":              func(r *jwt.Registered, _ *Claims) jwk.Signer { r.Subject = "c1"; return nil },
		"login_hint":       func(_ *jwt.Registered, c *Claims) jwk.Signer { c.IDTokenHint = "e.y.J"; return nil },
		"scope":            func(_ *jwt.Registered, c *Claims) jwk.Signer { c.Scope = "email"; return nil },
		"requested_expiry": func(_ *jwt.Registered, c *Claims) jwk.Signer { c.RequestedExpiry = -1; return nil },
		"alg":              func(*jwt.Registered, *Claims) jwk.Signer { return profiletest.Secret(t) },
	} {
		r, c := r, c
		key := change(&r, &c)
		if key == nil {
			key = profiletest.Key(t)
		}
		_, err := Sign(ctx, key, r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}

	id := &subjectid.Identifier{Format: subjectid.Email, Email: "alice@example.com"}
	r = jwt.Registered{Issuer: "https://hints.example", Audience: r.Audience, Expiry: r.Expiry}
	if raw, err = SignHint(ctx, profiletest.Key(t), r, HintClaims{SubjectID: id}); err != nil {
		t.Fatal(err)
	}
	h, err := hints(t, someHints()).Verify(ctx, raw)
	profiletest.Want(t, err)
	if err == nil && h.Claims.SubjectID.Email != "alice@example.com" {
		t.Errorf("%+v", h.Claims.SubjectID)
	}
	for name, c := range map[string]HintClaims{
		"none":    {},
		"invalid": {SubjectID: &subjectid.Identifier{Format: subjectid.Email}},
		"unknown": {SubjectID: &subjectid.Identifier{Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}},
	} {
		_, err := SignHint(ctx, profiletest.Key(t), r, c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != "sub_id" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SignHint(ctx, profiletest.Key(t), r, HintClaims{SubjectID: &subjectid.Identifier{Format: "x", Raw: json.RawMessage(`{"format":"x"}`)}}, "x"); err != nil {
		t.Error(err)
	}
}

// A request that only the provider can read.
func TestEncrypted(t *testing.T) {
	private, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "P-256")
	if err != nil {
		t.Fatal(err)
	}
	r := jwt.Registered{
		Issuer: "c1", Audience: jwt.Audience{"https://op.example"}, ID: "1",
		Expiry: time.Unix(now+60, 0), IssuedAt: time.Unix(now, 0), NotBefore: time.Unix(now, 0),
	}
	c := Claims{Scope: "openid", LoginHint: "alice"}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: private.Public()}, jwt.Header{}, r, c)
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	_, err = verifier(t, p).Verify(ctx, raw, poll)
	profiletest.Want(t, err, "token.encrypted")
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{private}}
	_, err = verifier(t, p).Verify(ctx, raw, poll)
	profiletest.Want(t, err)
}

func TestFromForm(t *testing.T) {
	for query, want := range map[string]string{
		"request=e.y.J":                 "e.y.J",
		"request=e.y.J&client_id=c1":    "e.y.J",
		"client_secret=s&request=e.y.J": "e.y.J",
		"request=e.y.J&client_assertion=e.y.J&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer": "e.y.J",
		"":                                      "",
		"request=":                              "",
		"client_id=c1":                          "",
		"login_hint=alice&scope=openid":         "",
		"request=e.y.J&request=e.y.J":           "",
		"request=e.y.J&client_id=c&client_id=c": "",
		"request=e.y.J&scope=openid":            "",
		"request=e.y.J&login_hint=alice":        "",
		"request=e.y.J&binding_message=":        "",
		"request=e.y.J&request_uri=urn:x":       "",
		"request=e.y.J&user_code=7":             "",
		"request=e.y.J&Request=e.y.J":           "",
		"request=e.y.J&requested_expiry=120":    "",
		"request=e.y.J&resource=https://rs":     "",
	} {
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromForm(form)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, &oauth.Error{Code: oauth.InvalidRequest}) {
			t.Errorf("%s: %q, %v", query, got, err)
		}
	}
}

func someHints() HintPolicy {
	return HintPolicy{Issuers: []string{"https://hints.example"}, Issuer: "https://op.example", JWT: jwt.Policy{Clock: profiletest.Clock}}
}

func hints(t testing.TB, p HintPolicy) *HintVerifier {
	t.Helper()
	v, err := NewHintVerifier(jwk.Set{profiletest.Key(t).Public()}, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each case breaks one rule, and no other.
func TestHintRules(t *testing.T) {
	type (
		list   = []any
		object = map[string]any
	)
	legacy := func(p *HintPolicy) { p.LegacySubjectIDs = true }
	phone := object{"format": "phone", "phone": "+13302818004"}
	for name, tc := range map[string]struct {
		change list
		typ    string
		policy func(*HintPolicy)
		want   []string
	}{
		"a hint":                  {},
		"typ JWT":                 {typ: "JWT"},
		"typ of a security event": {typ: "secevent+jwt", want: []string{"typ.mismatch"}},
		"no iss":                  {change: list{"iss", nil}, want: []string{"iss.missing"}},
		"another iss":             {change: list{"iss", "https://other.example"}, want: []string{"iss.mismatch"}},
		"any iss":                 {change: list{"iss", nil}, policy: func(p *HintPolicy) { p.Issuers, p.AnyIssuer = nil, true }},
		"no aud":                  {change: list{"aud", nil}, want: []string{"aud.missing"}},
		"another provider":        {change: list{"aud", "https://other.example"}, want: []string{"aud.mismatch"}},
		"any aud":                 {change: list{"aud", nil}, policy: func(p *HintPolicy) { p.Issuer, p.AnyAudience = "", true }},
		"no exp":                  {change: list{"exp", nil}, want: []string{"exp.missing"}},
		"optional exp":            {change: list{"exp", nil}, policy: func(p *HintPolicy) { p.JWT.OptionalExpiry = true }},
		"expired":                 {change: list{"exp", now - 61}, want: []string{"exp.expired"}},
		"sub beside":              {change: list{"sub", "alice"}},
		"no sub_id":               {change: list{"sub_id", nil}, want: []string{"claim.missing"}},
		"a string":                {change: list{"sub_id", "alice"}, want: []string{"sub_id.invalid"}},
		"no format":               {change: list{"sub_id", object{"email": "a@example.com"}}, want: []string{"sub_id.invalid"}},
		"an email":                {change: list{"sub_id", object{"format": "email", "email": "a@example.com"}}},
		"a member too many":       {change: list{"sub_id", object{"format": "email", "email": "a@example.com", "x": 1}}, want: []string{"sub_id.invalid"}},
		"an unknown format":       {change: list{"sub_id", object{"format": "x", "x": 1}}, want: []string{"sub_id.unknown_format"}},
		"a format agreed on":      {change: list{"sub_id", object{"format": "x", "x": 1}}, policy: func(p *HintPolicy) { p.Formats = []string{"x"} }},
		"phone":                   {change: list{"sub_id", phone}, want: []string{"sub_id.unknown_format"}},
		"phone, legacy":           {change: list{"sub_id", phone}, policy: legacy},
		"legacy, as of today":     {policy: legacy},
		"legacy, neither":         {change: list{"sub_id", object{"format": "phone", "phone": "x"}}, policy: legacy, want: []string{"sub_id.unknown_format"}},
		"legacy, none":            {change: list{"sub_id", nil}, policy: legacy, want: []string{"claim.missing"}},
		"nonce of an ID token":    {change: list{"nonce", "n"}, want: []string{"kind.mismatch"}},
		"at_hash of an ID token":  {change: list{"at_hash", "n"}, want: []string{"kind.mismatch"}},
		"scope":                   {change: list{"scope", "openid"}, want: []string{"kind.mismatch"}},
		"client_id":               {change: list{"client_id", "c1"}, want: []string{"kind.mismatch"}},
		"a hint in it":            {change: list{"login_hint", "alice"}, want: []string{"kind.mismatch"}},
		"events":                  {change: list{"events", object{}}, want: []string{"kind.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := someHints()
			if tc.policy != nil {
				tc.policy(&p)
			}
			got, err := hints(t, p).Verify(ctx, hint.With(tc.change...).Sign(t, profiletest.Key(t), tc.typ))
			profiletest.Want(t, err, tc.want...)
			if err == nil && strings.Contains(name, "legacy") && (got.Claims.SubjectID.Format != subjectid.PhoneNumber || got.Claims.SubjectID.PhoneNumber != "+13302818004") {
				t.Errorf("%+v", got.Claims.SubjectID)
			}
		})
	}
}

// The request of the collected texts, and the hint in it, made anew with a key of ours. The hint's format is of a draft.
func TestSeeds(t *testing.T) {
	inner := profiletest.Claims{"sub_id": map[string]any{"format": "phone", "phone": "+13302818004"}}.Sign(t, profiletest.Key(t), "")
	outer := profiletest.Claims{
		"iss": "s6BhdRkqt3", "aud": "https://server.example.com", "exp": 1537820086, "iat": 1537819486, "nbf": 1537818886,
		"jti": "4LTCqACC2ESC5BWCnN3j58EnA", "scope": "openid email example-scope",
		"client_notification_token": "8d67dc78-7faa-4d41-aabd-67707b374255", "binding_message": "W4SCT", "login_hint_token": inner,
	}
	j := jwt.Policy{Clock: func() time.Time { return time.Unix(1537819500, 0) }}
	v := verifier(t, Policy{Issuer: "https://server.example.com", ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(8), JWT: j})
	got, err := v.Verify(ctx, outer.Sign(t, profiletest.Key(t), ""), Expect{ClientID: "s6BhdRkqt3", Delivery: Ping})
	profiletest.Want(t, err)
	if err != nil {
		return
	}
	j.OptionalExpiry = true
	p := HintPolicy{AnyIssuer: true, AnyAudience: true, JWT: j}
	_, err = hints(t, p).Verify(ctx, got.Claims.LoginHintToken)
	profiletest.Want(t, err, "sub_id.unknown_format")
	p.LegacySubjectIDs = true
	h, err := hints(t, p).Verify(ctx, got.Claims.LoginHintToken)
	profiletest.Want(t, err)
	if err == nil && h.Claims.SubjectID.PhoneNumber != "+13302818004" {
		t.Errorf("%+v", h.Claims.SubjectID)
	}
}

// What one who has seen a token, or is a client himself, can try.
func TestAttacks(t *testing.T) {
	for name, tc := range map[string]struct {
		claims profiletest.Claims
		want   []string
	}{
		"M5_request_object":          {good.With("client_id", "c1", "response_type", "code", "redirect_uri", "https://c.example/cb"), []string{"kind.mismatch", "kind.mismatch", "kind.mismatch"}},
		"M8_client_assertion":        {profiletest.Claims{"iss": "c1", "sub": "c1", "aud": "https://op.example", "exp": now + 60, "iat": now, "nbf": now, "jti": "1"}, []string{"hint.missing", "claim.missing", "kind.mismatch"}},
		"M3_id_token":                {profiletest.Claims{"iss": "c1", "sub": "alice", "aud": "https://op.example", "exp": now + 60, "iat": now, "nonce": "n"}, []string{"jti.missing", "nbf.missing", "hint.missing", "claim.missing"}},
		"F2_times_as_strings":        {good.With("exp", "1767268860"), []string{"json.type"}},
		"F10_aud_longer":             {good.With("aud", "https://op.example.evil"), []string{"aud.mismatch"}},
		"F11_iss_case":               {good.With("iss", "C1"), []string{"iss.mismatch", "client_id.mismatch"}},
		"F18_nbf_after_exp":          {good.With("nbf", now+30, "exp", now+20), []string{"nbf.order"}},
		"R_message_draws_the_screen": {good.With("binding_message", "\x1b]0;pay\a"), []string{"binding_message.invalid"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier(t, some()).Verify(ctx, tc.claims.Sign(t, profiletest.Key(t), ""), poll)
			profiletest.Want(t, err, tc.want...)
		})
	}
}

func FuzzFromForm(f *testing.F) {
	f.Add("request=e.y.J&client_id=c1")
	f.Add("request=e.y.J&login_hint=alice")
	f.Add("request=a&request=b")
	f.Fuzz(func(t *testing.T, query string) {
		form, _ := url.ParseQuery(query)
		raw, err := FromForm(form)
		if (err == nil) != (raw != "") {
			t.Fatal(raw, err)
		}
		for name, values := range form {
			if err == nil && (len(values) != 1 || strings.Contains(name, "hint") || name == "scope") {
				t.Errorf("%q is accepted", query)
			}
		}
	})
}

func FuzzSeconds(f *testing.F) {
	for _, s := range []string{"120", `"120"`, `"0"`, "-1", "1e2", `"`, `""`, `"1`, `1"`, "[]", "null"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var n Seconds
		if err := n.UnmarshalJSON([]byte(s)); (err == nil) != (n > 0) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
		if !json.Valid([]byte(s)) {
			return
		}
		b, err := json.Marshal(n)
		if err != nil || n > 0 && string(b) != strings.Trim(strings.TrimSpace(s), `"`) {
			t.Errorf("%q became %s", s, b)
		}
	})
}

type forgets struct{}

func (forgets) Seen(context.Context, string, string, time.Duration) (bool, error) { return false, nil }

// The payload's buffer, the token, and what the request is held to.
func TestAllocations(t *testing.T) {
	p := some()
	p.Replay = forgets{}
	v := verifier(t, p)
	raw := good.Sign(t, profiletest.Key(t), "")
	profiletest.Ceiling(t, 14, func() { _, _ = v.Verify(ctx, raw, poll) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Key(b), "")
	p := some()
	p.Replay = forgets{}
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Key(b).Public()}, jwt.Policy{
		Issuers: []string{"c1"}, Audiences: []string{p.Issuer}, Replay: p.Replay, Clock: profiletest.Clock,
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
			if _, err := v.Verify(ctx, raw, poll); err != nil {
				b.Fatal(err)
			}
		}
	})
}
