package logout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const now = profiletest.Now

type object = map[string]any

var (
	ctx  = context.Background()
	good = profiletest.Claims{
		"iss": "https://op.example", "sub": "alice", "aud": "c1", "iat": now, "exp": now + 120, "jti": "1",
		"events": object{event: object{}},
	}
)

func some() Policy {
	return Policy{
		Issuers: []string{"https://op.example"}, ClientID: "c1", Replay: jwt.NewReplayCache(8),
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
	untyped := func(p *Policy) { p.LegacyUntyped = true }
	trusting := func(p *Policy) { p.TrustedAudiences = []string{"c2"} }
	for name, tc := range map[string]struct {
		change []any
		typ    string
		secret bool
		policy func(*Policy)
		want   []string
	}{
		"as it should be":              {typ: Type},
		"the whole media type":         {typ: "application/logout+jwt"},
		"without typ":                  {want: []string{"typ.mismatch"}},
		"typ JWT":                      {typ: "JWT", want: []string{"typ.mismatch"}},
		"without typ, legacy":          {policy: untyped},
		"typ JWT, legacy":              {typ: "JWT", policy: untyped},
		"typed, legacy":                {typ: Type, policy: untyped},
		"M3, a security event":         {typ: "secevent+jwt", policy: untyped, want: []string{"typ.mismatch"}},
		"no iss":                       {typ: Type, change: []any{"iss", nil}, want: []string{"iss.missing"}},
		"M1, another provider":         {typ: Type, change: []any{"iss", "https://evil.example"}, want: []string{"iss.mismatch"}},
		"no aud":                       {typ: Type, change: []any{"aud", nil}, want: []string{"aud.missing"}},
		"another client":               {typ: Type, change: []any{"aud", "c2"}, want: []string{"aud.mismatch", "aud.untrusted"}},
		"another client beside":        {typ: Type, change: []any{"aud", []string{"c1", "c2"}}, want: []string{"aud.untrusted"}},
		"another client, trusted":      {typ: Type, change: []any{"aud", []string{"c1", "c2"}}, policy: trusting},
		"whose secret it is":           {typ: Type, change: []any{"aud", []string{"c1", "c2"}}, secret: true, policy: trusting, want: []string{"aud.ambiguous"}},
		"signed with the secret":       {typ: Type, secret: true},
		"no iat":                       {typ: Type, change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"almost old":                   {typ: Type, change: []any{"iat", now - 360}},
		"old":                          {typ: Type, change: []any{"iat", now - 361}, want: []string{"iat.too_old"}},
		"old, allowed":                 {typ: Type, change: []any{"iat", now - 361}, policy: func(p *Policy) { p.JWT.MaxAge = time.Hour }},
		"of the future":                {typ: Type, change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"no exp":                       {typ: Type, change: []any{"exp", nil}, want: []string{"exp.missing"}},
		"no exp, legacy":               {typ: Type, change: []any{"exp", nil}, policy: func(p *Policy) { p.LegacyNoExpiry = true }},
		"expired":                      {typ: Type, change: []any{"exp", now - 61}, want: []string{"exp.expired"}},
		"expired, legacy":              {typ: Type, change: []any{"exp", now - 61}, policy: func(p *Policy) { p.LegacyNoExpiry = true }, want: []string{"exp.expired"}},
		"no jti":                       {typ: Type, change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"a session":                    {typ: Type, change: []any{"sub", nil, "sid", "s1"}},
		"a session of a user":          {typ: Type, change: []any{"sid", "s1"}},
		"neither":                      {typ: Type, change: []any{"sub", nil}, want: []string{"claim.missing"}},
		"M9, without events":           {typ: Type, change: []any{"events", nil}, want: []string{"claim.missing"}},
		"M9, with other events":        {typ: Type, change: []any{"events", object{"https://e.example": object{}}}, want: []string{"events.mismatch"}},
		"M9, with no events":           {typ: Type, change: []any{"events", object{}}, want: []string{"events.mismatch"}},
		"M9, with a string":            {typ: Type, change: []any{"events", object{event: "{}"}}, want: []string{"events.mismatch"}},
		"M9, with null":                {typ: Type, change: []any{"events", object{event: nil}}, want: []string{"events.mismatch"}},
		"M9, events that are a list":   {typ: Type, change: []any{"events", []string{event}}, want: []string{"json.type"}},
		"M9, events that are null":     {typ: Type, change: []any{"events", json.RawMessage("null")}, want: []string{"json.type"}},
		"D3, the event in capitals":    {typ: Type, change: []any{"events", object{strings.ToUpper(event): object{}}}, want: []string{"events.mismatch"}},
		"an event that says something": {typ: Type, change: []any{"events", object{event: object{"x": 1}}}},
		"an event beside":              {typ: Type, change: []any{"events", object{event: object{}, "https://e.example": object{}}}},
		"M9, with a nonce":             {typ: Type, change: []any{"nonce", "n"}, want: []string{"nonce.forbidden"}},
		"M9, with an empty nonce":      {typ: Type, change: []any{"nonce", ""}, want: []string{"nonce.forbidden"}},
		"M9, with a nonce, legacy":     {change: []any{"nonce", "n"}, policy: untyped, want: []string{"nonce.forbidden"}},
		"other claims":                 {typ: Type, change: []any{"x", "y", "sub_id", object{}}},
		"those of another kind":        {change: []any{"sub_id", object{}}, policy: untyped, want: []string{"kind.mismatch"}},
		"another algorithm":            {typ: Type, policy: func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.RS256} }, want: []string{"alg.not_allowed"}},
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
			_, err := verifier(t, p).Verify(ctx, good.With(tc.change...).Sign(t, key, tc.typ))
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// Section 2.6, rule 3: none is never an algorithm of a logout token.
func TestAttack(t *testing.T) {
	t.Run("A1_none", func(t *testing.T) {
		parts := strings.Split(good.Sign(t, profiletest.Key(t), Type), ".")
		// {"alg":"none","typ":"logout+jwt"}
		_, err := verifier(t, some()).Verify(ctx, "eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9."+parts[1]+".")
		profiletest.Want(t, err, "alg.none")
	})
	t.Run("M9_of_a_stranger", func(t *testing.T) {
		key, err := jwk.Generate(jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		v, err := NewVerifier(jwk.Set{profiletest.Key(t).Public()}, some())
		if err != nil {
			t.Fatal(err)
		}
		_, err = v.Verify(ctx, good.Sign(t, key, Type))
		profiletest.Want(t, err, "key.none")
	})
}

// A token is good once, and one that is refused is not used up.
func TestReplay(t *testing.T) {
	v := verifier(t, some())
	_, err := v.Verify(ctx, good.With("nonce", "n").Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "nonce.forbidden")
	raw := good.Sign(t, profiletest.Key(t), Type)
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err, "jti.replayed")
	// Without exp, MaxAge says how long.
	p := some()
	p.LegacyNoExpiry = true
	v = verifier(t, p)
	raw = good.With("exp", nil).Sign(t, profiletest.Key(t), Type)
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw)
	profiletest.Want(t, err, "jti.replayed")
}

func TestClaims(t *testing.T) {
	tok, err := verifier(t, some()).Verify(ctx, good.With("sid", "s1").Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err)
	if tok.Claims.SessionID != "s1" || tok.Subject != "alice" {
		t.Errorf("%+v", tok)
	}
}

// The specification, Section 2.4: signed, then encrypted, as ID tokens are.
func TestEncrypted(t *testing.T) {
	key, err := jwk.GenerateDecryptionKey(jwa.ECDH_ES, "")
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{key}}
	raw, err := jwt.SignEncrypted(ctx, profiletest.Key(t), jwt.Recipient{Key: key.Public()}, jwt.Header{Type: Type}, registered, Claims{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier(t, p).Verify(ctx, raw)
	profiletest.Want(t, err)
	// Where encryption was registered, a token that is only signed is refused (Section 2.6, rule 1).
	_, err = verifier(t, p).Verify(ctx, good.Sign(t, profiletest.Key(t), Type))
	profiletest.Want(t, err, "token.signed")
}

func TestIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"no issuer":         {func(p *Policy) { p.Issuers = nil }, "Issuers"},
		"no client":         {func(p *Policy) { p.ClientID = "" }, "ClientID"},
		"no replay":         {func(p *Policy) { p.Replay = nil }, "Replay"},
		"replay in two":     {func(p *Policy) { p.JWT.Replay = p.Replay }, "JWT.Replay"},
		"JWT.AnyAudience":   {func(p *Policy) { p.JWT.AnyAudience = true }, "JWT.Audiences"},
		"a negative MaxAge": {func(p *Policy) { p.JWT.MaxAge = -1 }, "MaxAge"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(jwk.Set{profiletest.Key(t).Public()}, p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(err.Error(), tc.word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewVerifier(jwk.Set{profiletest.Key(t).Public()}, Policy{}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
}

var registered = jwt.Registered{
	Issuer: "https://op.example", Subject: "alice", Audience: jwt.Audience{"c1"}, ID: "1",
	IssuedAt: time.Unix(now, 0), Expiry: time.Unix(now+120, 0),
}

func TestSign(t *testing.T) {
	raw, err := Sign(ctx, profiletest.Key(t), registered, Claims{SessionID: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := verifier(t, some()).Verify(ctx, raw)
	profiletest.Want(t, err)
	if got := string(tok.Payload()); !strings.HasSuffix(got, `"sid":"s1","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`) {
		t.Error(got)
	}
	r := registered
	r.Subject = ""
	if _, err := Sign(ctx, profiletest.Key(t), r, Claims{SessionID: "s1"}); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*jwt.Registered){
		"iss": func(r *jwt.Registered) { r.Issuer = "" },
		"sub": func(r *jwt.Registered) { r.Subject = "" },
		"aud": func(r *jwt.Registered) { r.Audience = nil },
		"iat": func(r *jwt.Registered) { r.IssuedAt = time.Time{} },
		"exp": func(r *jwt.Registered) { r.Expiry = time.Time{} },
		"jti": func(r *jwt.Registered) { r.ID = "" },
	} {
		r := registered
		change(&r)
		_, err := Sign(ctx, profiletest.Key(t), r, Claims{})
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{}

func (failing) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) {
	return nil, errors.New("a secret of the operator")
}

func TestHandler(t *testing.T) {
	raw := good.Sign(t, profiletest.Key(t), Type)
	form := func(pairs ...string) string {
		f := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			f.Add(pairs[i], pairs[i+1])
		}
		return f.Encode()
	}
	const urlencoded = "application/x-www-form-urlencoded"
	for name, tc := range map[string]struct {
		method, target, contentType, body string
		end                               error
		keys                              jwk.Source
		status                            int
		answer                            string
		ended                             bool
	}{
		"a logout":                    {body: form("logout_token", raw), status: 200, ended: true},
		"a logout, beside what else":  {body: form("logout_token", raw, "x", "y"), contentType: urlencoded + "; charset=UTF-8", status: 200, ended: true},
		"one that fails":              {body: form("logout_token", raw), end: errors.New("a secret of the operator"), status: 400, answer: `{"error":"server_error"}`, ended: true},
		"keys that are not to be had": {body: form("logout_token", raw), keys: failing{}, status: 400, answer: `{"error":"server_error"}`},
		"a token that is refused":     {body: form("logout_token", good.With("nonce", "n").Sign(t, profiletest.Key(t), Type)), status: 400, answer: `{"error":"invalid_request","error_description":"the logout token is refused: nonce.forbidden (nonce: want no such claim, so that it does not pass for an ID token)"}`},
		"M9, an ID token":             {body: form("logout_token", good.With("nonce", "n", "events", nil).Sign(t, profiletest.Key(t), "JWT")), status: 400, answer: `{"error":"invalid_request","error_description":"the logout token is refused: typ.mismatch (the token is of another type)"}`},
		"no token":                    {body: form("x", "y"), status: 400, answer: `"error_description":"the body has no logout_token, or several"`},
		"an empty token":              {body: form("logout_token", ""), status: 400, answer: `token.malformed`},
		"two tokens":                  {body: form("logout_token", raw, "logout_token", raw), status: 400, answer: `"error_description":"the body has no logout_token, or several"`},
		"a token in the query":        {target: "/?" + form("logout_token", raw), body: form("x", "y"), status: 400, answer: `"error_description":"the body has no logout_token, or several"`},
		"a body that cannot be read":  {body: "logout_token=%zz", status: 400, answer: `"error":"invalid_request"`},
		"L, a body that is too large": {body: form("logout_token", raw, "x", strings.Repeat("y", 70<<10)), status: 400, answer: `"error_description":"the body cannot be read, or is too large"`},
		"a body that is just not":     {body: form("logout_token", raw, "x", strings.Repeat("y", 60<<10)), status: 200, ended: true},
		"JSON":                        {contentType: "application/json", body: `{}`, status: 400, answer: `"error_description":"the body is no form"`},
		"a form with files":           {contentType: "multipart/form-data; boundary=x", body: form("logout_token", raw), status: 400, answer: `"error_description":"the body is no form"`},
		"a type that is none":         {contentType: "/;", body: form("logout_token", raw), status: 400, answer: `"error_description":"the body is no form"`},
		"a type that ends in nothing": {contentType: urlencoded + "; =", body: form("logout_token", raw), status: 400, answer: `"error_description":"the body is no form"`},
		"a body that is half read":    {body: form("logout_token", raw) + "&x=%zz", status: 400, answer: `"error":"invalid_request"`},
		"GET":                         {method: "GET", target: "/?" + form("logout_token", raw), status: 405, answer: `"error":"invalid_request"`},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.method == "" {
				tc.method = "POST"
			}
			if tc.target == "" {
				tc.target = "/"
			}
			if tc.contentType == "" {
				tc.contentType = urlencoded
			}
			if tc.keys == nil {
				tc.keys = jwk.Set{profiletest.Key(t).Public()}
			}
			v, err := NewVerifier(tc.keys, some())
			if err != nil {
				t.Fatal(err)
			}
			ended := false
			h := v.Handler(func(_ context.Context, tok *jwt.Token[Claims]) error {
				ended = tok.Subject == "alice"
				return tc.end
			})
			r := httptest.NewRequest(tc.method, tc.target, strings.NewReader(tc.body))
			r.Header.Set("Content-Type", tc.contentType)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			res := w.Result()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tc.status || !strings.Contains(string(body), tc.answer) || ended != tc.ended {
				t.Errorf("%d %s, ended: %v", res.StatusCode, body, ended)
			}
			if tc.answer == "" && len(body) > 0 || strings.Contains(string(body), "secret") {
				t.Errorf("%s", body)
			}
			// Section 2.8.
			if res.Header.Get("Cache-Control") != "no-store" || tc.status == http.StatusMethodNotAllowed && res.Header.Get("Allow") != "POST" {
				t.Error(res.Header)
			}
		})
	}
}

// FuzzHandler holds that whatever is posted gets an answer of the specification, and that nobody is logged out by it.
func FuzzHandler(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "logout_token=x.y.z")
	f.Add("text/plain", "logout_token=a&logout_token=b")
	v, err := NewVerifier(jwk.Set{profiletest.Key(f).Public()}, some())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType, body string) {
		h := v.Handler(func(context.Context, *jwt.Token[Claims]) error {
			t.Error("somebody is logged out")
			return nil
		})
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
			t.Error(w.Code, w.Body)
		}
	})
}

// The payload's buffer, the token, and what events is held to.
func TestAllocations(t *testing.T) {
	p := some()
	p.Replay = forgets{}
	v := verifier(t, p)
	raw := good.Sign(t, profiletest.Secret(t), Type)
	profiletest.Ceiling(t, 5, func() { _, _ = v.Verify(ctx, raw) })
}

// BenchmarkVerify shows what the profile costs over the plain verifier of the same claims.
func BenchmarkVerify(b *testing.B) {
	raw := good.Sign(b, profiletest.Secret(b), Type)
	p := some()
	p.Replay = forgets{}
	v := verifier(b, p)
	plain, err := jwt.NewVerifier[Claims](jwk.Set{profiletest.Secret(b)}, jwt.Policy{
		Issuers: p.Issuers, Audiences: []string{p.ClientID}, Type: Type, Replay: p.Replay, Clock: profiletest.Clock,
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
