package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestVerify(t *testing.T) {
	type order struct {
		Number int      `json:"order"`
		Tags   []string `json:"tags"`
	}
	v := verifier[order](t, jwk.Set{secretKey(t)}, policy())
	tok, err := v.Verify(ctx, forge(`{"alg":"HS256","typ":"JWT","extra":1}`,
		with("order", "7", "tags", `["a","b"]`, "nbf", "1767268000.25", "scope", `"read"`, "big", "12345678901234567890")))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Issuer != issuer || tok.Subject != "alice" || tok.ID != "1" || !tok.Audience.Contains(audience) ||
		!tok.Expiry.Equal(time.Unix(1767272400, 0)) || !tok.NotBefore.Equal(time.Unix(1767268000, 250e6)) || !tok.IssuedAt.Equal(time.Unix(1767268700, 0)) {
		t.Errorf("registered claims %+v", tok.Registered)
	}
	if tok.Claims.Number != 7 || strings.Join(tok.Claims.Tags, " ") != "a b" {
		t.Errorf("claims %+v", tok.Claims)
	}
	if tok.Header().Type != "JWT" || string(tok.Header().Extra["extra"]) != "1" || tok.Key.Algorithm() != jwa.HS256 {
		t.Errorf("header %+v", tok.Header())
	}
	var scope string
	if ok, err := tok.Claim("scope", &scope); !ok || err != nil || scope != "read" {
		t.Errorf("scope: %v %v %q", ok, err, scope)
	}
	var nbf NumericDate
	if ok, err := tok.Claim("nbf", &nbf); !ok || err != nil || !nbf.Equal(tok.NotBefore) {
		t.Errorf("nbf: %v %v %v", ok, err, nbf)
	}
	var big json.Number
	if ok, err := tok.Claim("big", &big); !ok || err != nil || big != "12345678901234567890" {
		t.Errorf("big: %v %v %v", ok, err, big)
	}
	if ok, err := tok.Claim("none", &scope); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
	if ok, err := tok.Claim("order", &scope); !ok || !errors.Is(err, ErrClaims) {
		t.Errorf("order into a string: %v %v", ok, err)
	}
	var all struct {
		Issuer string `json:"iss"`
		Scope  json.RawMessage
	}
	if err := tok.Decode(&all); err != nil || all.Issuer != issuer {
		t.Errorf("decode: %v %+v", err, all)
	}
	var named struct {
		Scope json.RawMessage `json:"scope"`
	}
	if err := tok.Decode(&named); err != nil || string(named.Scope) != `"read"` {
		t.Errorf("decode: %v %+v", err, named)
	}
	named.Scope[1] = 'X'
	if err := tok.Decode(&struct {
		Scope int `json:"scope"`
	}{}); !errors.Is(err, ErrClaims) {
		t.Errorf("a scope into a number: %v", err)
	}
	p := tok.Payload()
	p[2] = 'X'
	if string(tok.Payload()[:6]) != `{"iss"` || tok.Issuer != issuer {
		t.Error("Payload is not a copy")
	}
	var raw json.RawMessage
	if ok, err := tok.Claim("scope", &raw); !ok || err != nil {
		t.Fatal(err)
	}
	raw[1] = 'X'
	if _, _ = tok.Claim("scope", &scope); scope != "read" {
		t.Error("Claim hands out the payload's memory")
	}
	var zero Token[order]
	if ok, err := zero.Claim("iss", &scope); ok || err != nil || zero.Payload() != nil {
		t.Errorf("zero token: %v %v", ok, err)
	}
	if err := zero.Decode(&all); !errors.Is(err, ErrClaims) {
		t.Errorf("zero token: %v", err)
	}
}

func TestMapClaims(t *testing.T) {
	raw := forge(plain, with("n", "9007199254740993", "o", `{"a":[1.5,null]}`))
	tok, err := verifier[map[string]any](t, jwk.Set{secretKey(t)}, policy()).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(tok.Claims) != 2 || tok.Claims["n"] != json.Number("9007199254740993") || fmt.Sprint(tok.Claims["o"]) != "map[a:[1.5 <nil>]]" {
		t.Errorf("%v", tok.Claims)
	}
	rawTok, err := verifier[map[string]json.RawMessage](t, jwk.Set{secretKey(t)}, policy()).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(rawTok.Claims) != 2 || string(rawTok.Claims["o"]) != `{"a":[1.5,null]}` {
		t.Errorf("%s", rawTok.Claims)
	}
}

// The rules apply in one order, and a token that breaks several is refused for the first.
func TestOrder(t *testing.T) {
	unknownCrit := `{"alg":"HS256","crit":["x"],"x":1,"typ":"at+jwt"}`
	expired := with("exp", "1")
	v := hs(t, func(p *Policy) { p.MaxSize = 600 })
	warm := hs(t, func(p *Policy) { p.MaxSize = 600 })
	if _, err := warm.Verify(ctx, forge(plain, good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, token, want string }{
		{"size before alphabet", strings.Repeat("*", 601), "token.too_large"},
		{"alphabet before header", "***.***.***", "token.malformed"},
		{"parts before header", encode(unknownCrit), "token.malformed"},
		{"four parts", forge(plain, good) + ".", "token.malformed"},
		{"alphabet of the payload before the signature", spoil(forgeParts(encode(plain), "a*b")), "token.malformed"},
		{"alphabet of the payload before its decoding", forgeParts(encode(plain), "a*bc"), "token.malformed"},
		{"alphabet of the signature", forge(plain, good) + "=", "token.malformed"},
		{"header before crit", forge(`{"alg":"HS256","crit":["x"],"x":1,"x":1}`, expired), "json.duplicate"},
		{"crit before typ", spoil(forge(unknownCrit, expired)), "crit.unknown"},
		{"typ before key", spoil(forge(`{"alg":"RS256","typ":"at+jwt"}`, expired)), "typ.mismatch"},
		{"key before signature", spoil(forge(`{"alg":"HS512"}`, "{")), "key.none"},
		{"canonical signature before its value", spoil(forge(plain, good))[:len(forge(plain, good))-1] + "B", "token.encoding"},
		{"signature before base64 of the payload", spoil(forgeParts(encode(plain), "e")), "sig.invalid"},
		{"signature before claims", spoil(forge(plain, "{")), "sig.invalid"},
		{"empty signature", strings.TrimRight(forge(plain, good), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), "sig.invalid"},
		{"base64 of the payload", forgeParts(encode(plain), "e"), "token.encoding"},
		{"claims before policy", forge(plain, `{"exp":1}x`), "json.trailing"},
		{"empty payload", forge(plain, ""), "json.syntax"},
		{"array", forge(plain, "[]"), "json.type"},
		{"string", forge(plain, `"x"`), "json.type"},
		{"null", forge(plain, `null`), "json.type"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tok, err := v.Verify(ctx, tc.token)
			want(t, err, tc.want)
			if tok != nil {
				t.Error("a refused token is returned")
			}
			// A header that is recognised leads to the same refusals.
			_, err = warm.Verify(ctx, tc.token)
			want(t, err, tc.want)
		})
	}
}

func TestSizeLimit(t *testing.T) {
	raw := forge(plain, good)
	_, err := hs(t, func(p *Policy) { p.MaxSize = len(raw) }).Verify(ctx, raw)
	accept(t, err)
	_, err = hs(t, func(p *Policy) { p.MaxSize = len(raw) - 1 }).Verify(ctx, raw)
	want(t, err, "token.too_large")
	large := forge(plain, with("x", `"`+strings.Repeat("x", 60<<10)+`"`))
	_, err = hs(t, nil).Verify(ctx, large)
	want(t, err, "token.too_large")
	_, err = hs(t, func(p *Policy) { p.MaxSize = 1 << 20 }).Verify(ctx, large)
	accept(t, err)
}

var calls int

type counting struct{}

func (*counting) UnmarshalJSON([]byte) error { calls++; return nil }

func TestNothingIsDecodedBeforeTheSignatureHolds(t *testing.T) {
	type claims struct {
		C counting `json:"c"`
	}
	v := verifier[claims](t, jwk.Set{secretKey(t)}, policy())
	calls = 0
	raw := forge(plain, with("c", "1"))
	for range 2 { // the header is new, and then recognised
		_, err := v.Verify(ctx, spoil(raw))
		want(t, err, "sig.invalid")
		if calls != 0 {
			t.Fatal("the claims of a token with a bad signature were decoded")
		}
		_, err = v.Verify(ctx, raw)
		accept(t, err)
		if calls != 1 {
			t.Fatalf("%d calls for a good token", calls)
		}
		calls = 0
	}
}

func TestType(t *testing.T) {
	for _, tc := range []struct {
		policy, header string
		ok             bool
	}{
		{"", `{"alg":"HS256"}`, true},
		{"", `{"alg":"HS256","typ":"JWT"}`, true},
		{"", `{"alg":"HS256","typ":"jwt"}`, true},
		{"", `{"alg":"HS256","typ":"application/jwt"}`, true},
		{"", `{"alg":"HS256","typ":""}`, false},
		{"", `{"alg":"HS256","typ":"at+jwt"}`, false},
		{"", `{"alg":"HS256","typ":"JOSE"}`, false},
		{"", `{"alg":"HS256","typ":"text/jwt"}`, false},
		{"at+jwt", `{"alg":"HS256","typ":"at+jwt"}`, true},
		{"at+jwt", `{"alg":"HS256","typ":"AT+JWT"}`, true},
		{"at+jwt", `{"alg":"HS256","typ":"application/at+jwt"}`, true},
		{"application/at+jwt", `{"alg":"HS256","typ":"at+jwt"}`, true},
		{"at+jwt", `{"alg":"HS256"}`, false},
		{"at+jwt", `{"alg":"HS256","typ":""}`, false},
		{"at+jwt", `{"alg":"HS256","typ":"JWT"}`, false},
		{"at+jwt", `{"alg":"HS256","typ":"at+jwt "}`, false},
		{"JWT", `{"alg":"HS256","typ":"JWT"}`, true},
		{"JWT", `{"alg":"HS256"}`, false},
	} {
		v := hs(t, func(p *Policy) { p.Type = tc.policy })
		_, err := v.Verify(ctx, forge(tc.header, good))
		if tc.ok {
			accept(t, err)
			continue
		}
		want(t, err, "typ.mismatch")
		if !errors.Is(err, ErrType) {
			t.Errorf("%v is not ErrType", err)
		}
		if w := "want typ " + tc.policy; tc.policy != "" && !strings.Contains(err.Error(), w) {
			t.Errorf("%v does not say %q", err, w)
		}
	}
	_, err := hs(t, nil).Verify(ctx, forge(`{"alg":"HS256","typ":7}`, good))
	want(t, err, "json.type")
}

func TestHeaderRules(t *testing.T) {
	for _, tc := range []struct{ header, want string }{
		{`{"alg":"HS256","b64":false,"crit":["b64"]}`, "b64.invalid"}, // E8
		{`{"alg":"HS256","b64":false}`, "b64.invalid"},
		{`{"alg":"HS256","crit":[]}`, "crit.invalid"},
		{`{"alg":"none"}`, "alg.none"},
		{`{"alg":"None"}`, "alg.none"},
		{`{}`, "alg.missing"},
		{`{"alg":"HS257"}`, "alg.unknown"},
		{`{"alg":"HS384"}`, "key.none"},
		{`{"alg":"HS256","alg":"HS256"}`, "json.duplicate"},
		{`{"ALG":"HS256"}`, "alg.missing"},
		{`{"alg":"HS256"} x`, "json.trailing"},
		{"{\"alg\":\"HS256\",\"a\":\"\xff\"}", "json.utf8"},
		{`{"alg":"HS256","a":"\ud800"}`, "json.surrogate"},
	} {
		_, err := hs(t, nil).Verify(ctx, forge(tc.header, good))
		want(t, err, tc.want)
	}
	_, err := hs(t, nil).Verify(ctx, forge(`{"alg":"HS256","b64":true,"crit":["b64"]}`, good))
	accept(t, err)
	_, err = hs(t, func(p *Policy) { p.Algorithms = []jwa.Algorithm{jwa.RS256} }).Verify(ctx, forge(plain, good))
	want(t, err, "alg.not_allowed")
	if !errors.Is(err, ErrAlgorithm) {
		t.Error("not ErrAlgorithm")
	}
	_, err = hs(t, func(p *Policy) { p.Critical = []string{"x"} }).Verify(ctx, forge(`{"alg":"HS256","crit":["x"],"x":1}`, good))
	accept(t, err)
}

func TestClaimsJSON(t *testing.T) {
	v := hs(t, nil)
	open := good[:len(good)-1]
	for _, tc := range []struct{ name, payload, want string }{
		{"duplicate", open + `,"exp":1767272400}`, "json.duplicate"},
		{"duplicate by escape", open + `,"\u0065xp":1767272400}`, "json.duplicate"},
		{"nested duplicate", open + `,"act":{"sub":"a","sub":"b"}}`, "json.duplicate"},
		{"nested in an array", open + `,"act":[[{"sub":"a","sub":"b"}]]}`, "json.duplicate"},
		{"trailing", good + "{}", "json.trailing"},
		{"trailing NUL", good + "\x00", "json.trailing"},
		{"UTF-8", open + ",\"x\":\"\xff\"}", "json.utf8"},
		{"byte order mark", "\ufeff" + good, "json.syntax"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "json.syntax"},
		{"surrogate", open + `,"x":"\udc00"}`, "json.surrogate"},
		{"depth", open + `,"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, "json.depth"},
		{"members", open + `,"x":[` + strings.Repeat("1,", 4000) + `1]}`, "json.limit"},
		{"number", open + `,"x":1` + strings.Repeat("0", 64) + `}`, "json.limit"},
		{"comment", open + `/**/}`, "json.syntax"},
		{"not finished", open, "json.syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := v.Verify(ctx, forge(plain, tc.payload))
			want(t, err, tc.want)
			if !errors.Is(err, ErrClaims) {
				t.Errorf("%v is not ErrClaims", err)
			}
		})
	}
	deep := forge(plain, open+`,"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32)+`}`)
	_, err := hs(t, func(p *Policy) { p.MaxDepth = 33 }).Verify(ctx, deep)
	accept(t, err)
	_, err = hs(t, func(p *Policy) { p.MaxMembers = 7 }).Verify(ctx, forge(plain, with("x", "[1]")))
	want(t, err, "json.limit")
	_, err = hs(t, func(p *Policy) { p.MaxMembers = 8 }).Verify(ctx, forge(plain, with("x", "[1]")))
	accept(t, err)
	// Go's own decoder would take these for exp and sub.
	tok, err := v.Verify(ctx, forge(plain, with("EXP", "1", "ſub", `"mallory"`, "SUB", `"mallory"`)))
	accept(t, err)
	if tok != nil && tok.Subject != "alice" {
		t.Errorf("sub is %q", tok.Subject)
	}
}

func TestSelector(t *testing.T) {
	src := &asked{Source: jwk.Set{secretKey(t)}}
	p := policy()
	p.Selector = "iss"
	v := verifier[struct{}](t, src, p)

	_, err := v.Verify(ctx, forge(plain, good))
	accept(t, err)
	if len(src.queries) != 1 || !reflect.DeepEqual(src.queries[0], jwk.Query{Algorithm: "HS256", Selector: issuer}) {
		t.Fatalf("queries %+v", src.queries)
	}
	src.queries = nil
	for _, payload := range []string{"", "{", "[]", "{}", `{"iss":1}`, `{"iss":""}`, `{"iss":null}`, `{"sub":"https://as.example"}`} {
		_, err = v.Verify(ctx, spoil(forge(plain, payload)))
		want(t, err, "key.none")
	}
	_, err = v.Verify(ctx, spoil(forgeParts(encode(plain), "e")))
	want(t, err, "key.none")
	if len(src.queries) != 0 {
		t.Error("a token without the selector reached the source")
	}

	// The alphabet comes first here too, and where the header is recognised.
	for range 2 {
		_, err = v.Verify(ctx, forgeParts(encode(plain), "a*bc"))
		want(t, err, "token.malformed")
	}
	static := hs(t, func(p *Policy) { p.Selector = "iss" })
	_, err = static.Verify(ctx, forge(plain, good))
	accept(t, err)
	_, err = static.Verify(ctx, forgeParts(encode(plain), "a*bc"))
	want(t, err, "token.malformed")

	// The first of two is what selects, so two are refused once the signature holds.
	_, err = v.Verify(ctx, forge(plain, `{"iss":"https://as.example","iss":"https://other.example"}`))
	want(t, err, "json.duplicate")
	if len(src.queries) != 1 || src.queries[0].Selector != issuer {
		t.Errorf("queries %+v", src.queries)
	}

	secretIss := "https://not-to-be-printed.example"
	src.queries = nil
	_, err = v.Verify(ctx, spoil(forge(plain, with("iss", `"`+secretIss+`"`))))
	want(t, err, "sig.invalid")
	if strings.Contains(fmt.Sprintf("%v %+v", err, err), secretIss) {
		t.Errorf("%v quotes the payload", err)
	}
	if len(src.queries) != 1 || src.queries[0].Selector != secretIss {
		t.Errorf("queries %+v", src.queries)
	}

	for _, name := range []string{"sub", "client_id"} {
		p.Selector = name
		_, err := verifier[struct{}](t, src, p).Verify(ctx, forge(plain, with("client_id", `"alice"`)))
		accept(t, err)
		if q := src.queries[len(src.queries)-1]; q.Selector != "alice" {
			t.Errorf("%s: %+v", name, q)
		}
	}
	// Limits that the policy raises hold for the selector too.
	p.MaxDepth = 40
	_, err = verifier[struct{}](t, src, p).Verify(ctx, forge(plain, with("x", strings.Repeat("[", 35)+strings.Repeat("]", 35), "client_id", `"alice"`)))
	accept(t, err)
}

// accept compares what selected the key with what the claims say. No token can differ
// there, so the comparison is driven by hand.
func TestSelectorIsComparedAgain(t *testing.T) {
	for _, name := range []string{"iss", "sub", "client_id"} {
		v := hs(t, func(p *Policy) { p.Selector = name })
		payload := []byte(with("client_id", `"c"`))
		_, err := v.accept(ctx, &Token[struct{}]{head: new(head), payload: payload}, "https://other.example", nil)
		want(t, err, "key.none")
	}
}

func TestSourceErrors(t *testing.T) {
	down := errors.New("the network is down")
	for name, tc := range map[string]struct {
		err  error
		code string // empty: returned as it is
	}{
		"failure":  {down, ""},
		"canceled": {context.Canceled, ""},
		"no key":   {jwk.ErrNoKey, "key.none"},
		"ambig":    {jwk.ErrAmbiguous, "key.ambiguous"},
		"alg":      {jwk.ErrAlgorithm, "alg.mismatch"},
	} {
		v := verifier[struct{}](t, &asked{err: tc.err}, policy())
		_, err := v.Verify(ctx, forge(plain, good))
		if tc.code == "" {
			if err != tc.err {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		want(t, err, tc.code)
	}
	// A source that hands out a key of another algorithm changes nothing.
	k, err := jwk.GenerateSecret(jwa.HS384)
	if err != nil {
		t.Fatal(err)
	}
	_, err = verifier[struct{}](t, liar{k}, policy()).Verify(ctx, forge(plain, good))
	want(t, err, "alg.mismatch")
	_, err = verifier[struct{}](t, liar{}, policy()).Verify(ctx, forge(plain, good))
	want(t, err, "key.none")
}

type liar []jwk.Verifier

func (l liar) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) { return l, nil }

// fussy is a key that refuses for a reason of its own; embedding opens the closed interface for a test.
type fussy struct {
	*jwk.SecretKey
	err error
}

func (f fussy) Verify(message, signature []byte) error { return f.err }

func TestReasonOfAKey(t *testing.T) {
	_, err := verifier[struct{}](t, liar{fussy{secretKey(t), jwk.ErrFIPS}}, policy()).Verify(ctx, forge(plain, good))
	want(t, err, "key.fips")
	if !errors.Is(err, ErrSignature) || !errors.Is(err, jwk.ErrFIPS) {
		t.Errorf("%v", err)
	}
	_, err = verifier[struct{}](t, liar{fussy{secretKey(t), jwk.ErrSignature}}, policy()).Verify(ctx, forge(plain, good))
	want(t, err, "sig.invalid")
	_, err = verifier[struct{}](t, liar{fussy{secretKey(t), jwk.ErrFIPS}, secretKey(t)}, policy()).Verify(ctx, forge(plain, good))
	accept(t, err)
}

// Every bit of a token counts: none can be flipped, not even one that base64 would drop.
func TestFlippedBits(t *testing.T) {
	v := hs(t, func(p *Policy) { p.CacheSize = 8 })
	raw := forge(plain, good)
	_, err := v.Verify(ctx, raw)
	accept(t, err)
	for i := range len(raw) {
		for bit := range 8 {
			b := []byte(raw)
			b[i] ^= 1 << bit
			if _, err := v.Verify(ctx, string(b)); err == nil {
				t.Fatalf("bit %d of byte %d", bit, i)
			}
		}
		if _, err := v.Verify(ctx, raw[:i]); err == nil {
			t.Fatalf("cut at %d", i)
		}
	}
	for _, pad := range []string{" ", "\n", "\r\n", "\t", "=", ".", "A"} {
		for i := range len(raw) + 1 {
			if _, err := v.Verify(ctx, raw[:i]+pad+raw[i:]); err == nil {
				t.Fatalf("%q inserted at %d", pad, i)
			}
		}
	}
	_, err = v.Verify(ctx, "Bearer "+raw)
	want(t, err, "token.malformed")
}

func TestCandidates(t *testing.T) {
	var set jwk.Set
	for range 3 {
		k, err := jwk.GenerateSecret(jwa.HS256)
		if err != nil {
			t.Fatal(err)
		}
		set = append(set, k)
	}
	other, err := jwk.NewSecretKey(jwa.HS256, "", []byte(strings.Repeat("another one ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	set = append(set, secretKey(t))
	tok, err := verifier[struct{}](t, set, policy()).Verify(ctx, forge(plain, good))
	accept(t, err)
	if tok != nil && tok.Key != set[3] {
		t.Error("another key is named")
	}
	_, err = verifier[struct{}](t, append(set, other), policy()).Verify(ctx, forge(plain, good))
	want(t, err, "key.ambiguous")
}

// The index changes how keys are found, not which.
func TestIndexedSet(t *testing.T) {
	named := func(kid string) *jwk.SecretKey {
		k, err := jwk.NewSecretKey(jwa.HS256, kid, append([]byte(kid), secret...))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ours, err := jwk.NewSecretKey(jwa.HS256, "ours", secret)
	if err != nil {
		t.Fatal(err)
	}
	sets := []jwk.Set{
		{ours},
		{named("a"), ours, named("b")},
		{secretKey(t), named("a")},
		{secretKey(t), ours},
		{named("a"), named("b"), named("c"), named("d"), ours},
		{},
	}
	for i, set := range sets {
		index := indexSet(set)
		for _, q := range []jwk.Query{
			{Algorithm: "HS256"}, {Algorithm: "HS256", KeyID: "ours"}, {Algorithm: "HS256", KeyID: "x"}, {Algorithm: "HS512", KeyID: "ours"}, {Algorithm: "HS256", KeyID: "a"},
		} {
			a, errA := set.Keys(ctx, q)
			b, errB := index.Keys(ctx, q)
			if fmt.Sprint(a, errA) != fmt.Sprint(b, errB) {
				t.Errorf("set %d, %+v: %v %v with the index, %v %v without", i, q, b, errB, a, errA)
			}
		}
	}
}

// RFC 7519, Section 3.1, which is RFC 7515, Appendix A.1.
func TestRFC7519(t *testing.T) {
	const raw = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" +
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
		".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	k, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	key, err := jwk.NewSecretKey(jwa.HS256, "", k)
	if err != nil {
		t.Fatal(err)
	}
	type claims struct {
		Root bool `json:"http://example.com/is_root"`
	}
	p := Policy{Issuers: []string{"joe"}, AnyAudience: true, Clock: func() time.Time { return time.Unix(1300819379, 0) }}
	tok, err := verifier[claims](t, jwk.Set{key}, p).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if !tok.Claims.Root || tok.Issuer != "joe" || tok.Expiry.Unix() != 1300819380 {
		t.Errorf("%+v", tok)
	}
	p.Clock = clock
	_, err = verifier[claims](t, jwk.Set{key}, p).Verify(ctx, raw)
	want(t, err, "exp.expired")
	// RFC 7519, Section 6.1: an unsecured token.
	p.IgnoreExpiry = true
	_, err = verifier[claims](t, jwk.Set{key}, p).Verify(ctx,
		"eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.")
	want(t, err, "alg.none")
}

func TestAlgorithms(t *testing.T) {
	for _, alg := range jwa.Signatures() {
		t.Run(alg.Name(), func(t *testing.T) {
			var signer jwk.Signer
			var set jwk.Set
			if alg.Symmetric() {
				k, err := jwk.GenerateSecret(alg)
				if err != nil {
					t.Fatal(err)
				}
				signer, set = k, jwk.Set{k}
			} else {
				k := privateKey(t, alg)
				signer, set = k, jwk.Set{k.Public()}
			}
			raw, err := Sign(ctx, signer, Header{}, Registered{Issuer: issuer, Audience: Audience{audience}, Expiry: clock().Add(time.Hour)}, struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			v := verifier[struct{}](t, set, policy())
			for range 2 {
				tok, err := v.Verify(ctx, raw)
				if err != nil {
					t.Fatal(err)
				}
				if tok.Header().Algorithm != alg.Name() || tok.Header().KeyID != signer.KeyID() {
					t.Errorf("header %+v", tok.Header())
				}
				_, err = v.Verify(ctx, spoil(raw))
				want(t, err, "sig.invalid")
			}
		})
	}
}

// What a verifier that has seen the header before says of a token is what one says that has not.
func TestRecognisedHeader(t *testing.T) {
	good := forge(plain, good)
	for i := range len(good) + 1 {
		for _, raw := range []string{good[:i] + "." + good[i:], good[:i] + "A" + good[i:], good[:i], good[:i] + good[min(i+1, len(good)):]} {
			fresh, seen := hs(t, nil), hs(t, nil)
			_, err := seen.Verify(ctx, good)
			accept(t, err)
			_, err = fresh.Verify(ctx, raw)
			_, again := seen.Verify(ctx, raw)
			if a, b := fmt.Sprint(err), fmt.Sprint(again); a != b {
				t.Fatalf("%s: %s, and of a header that was seen before: %s", raw, a, b)
			}
		}
	}
}
