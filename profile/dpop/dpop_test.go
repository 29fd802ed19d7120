package dpop

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
)

const (
	now    = profiletest.Now
	access = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	place  = "https://api.example/orders"
)

var (
	ctx  = context.Background()
	good = profiletest.Claims{"jti": "1", "htm": "GET", "htu": place, "iat": now}
	here = Expect{Method: "GET", URL: place, NoAccessToken: true}
)

func some() Policy {
	return Policy{Replay: jwt.NewReplayCache(8), JWT: jwt.Policy{Clock: profiletest.Clock}}
}

func verifier(t testing.TB, p Policy) *Verifier {
	t.Helper()
	v, err := NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// proof makes a proof of any claims, with any header but that alg is the key's.
func proof(t testing.TB, key jwk.Signer, header string, c profiletest.Claims) string {
	t.Helper()
	payload, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	message := encode([]byte(`{"alg":"`+key.Algorithm().Name()+`",`+header+`}`)) + "." + encode(payload)
	signature, err := key.Sign(ctx, []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return message + "." + encode(signature)
}

// head is that of a good proof.
func head(t testing.TB, key *jwk.PrivateKey) string {
	t.Helper()
	j, err := key.Public().JWK().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return `"typ":"dpop+jwt","jwk":` + string(j)
}

func thumbprint(t testing.TB, key *jwk.PrivateKey) string {
	t.Helper()
	s, err := Thumbprint(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each case breaks one rule, and no other.
func TestRules(t *testing.T) {
	key := profiletest.Key(t)
	with := Expect{Method: "GET", URL: place, AccessToken: access, Thumbprint: thumbprint(t, key)}
	whoever := with
	whoever.Thumbprint, whoever.AnyKey = "", true
	bound, other, nonce := here, here, here
	bound.Thumbprint, other.Thumbprint = thumbprint(t, key), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	nonce.Nonce = "n"
	wrongKey := with
	wrongKey.Thumbprint = other.Thumbprint
	server := func(p *Policy) { p.Nonces = fixed{"n"} }
	for name, tc := range map[string]struct {
		change []any
		policy func(*Policy)
		expect Expect
		want   []string
	}{
		"good":                      {},
		"no jti":                    {change: []any{"jti", nil}, want: []string{"jti.missing"}},
		"jti of 256 bytes":          {change: []any{"jti", strings.Repeat("x", 256)}},
		"jti of 257 bytes":          {change: []any{"jti", strings.Repeat("x", 257)}, want: []string{"jti.too_long"}},
		"no htm":                    {change: []any{"htm", nil}, want: []string{"claim.missing"}},
		"another htm":               {change: []any{"htm", "POST"}, want: []string{"htm.mismatch"}},
		"no htu":                    {change: []any{"htu", nil}, want: []string{"claim.missing"}},
		"another htu":               {change: []any{"htu", place + "/17"}, want: []string{"htu.mismatch"}},
		"no iat":                    {change: []any{"iat", nil}, want: []string{"iat.missing"}},
		"two minutes old":           {change: []any{"iat", now - 120}},
		"more than two minutes old": {change: []any{"iat", now - 121}, want: []string{"iat.too_old"}},
		"more than MaxAge old":      {change: []any{"iat", now - 6}, policy: func(p *Policy) { p.MaxAge = 5 * time.Second; p.JWT.Leeway = jwt.NoLeeway }, want: []string{"iat.too_old"}},
		"a minute ahead":            {change: []any{"iat", now + 60}},
		"more than a minute ahead":  {change: []any{"iat", now + 61}, want: []string{"iat.future"}},
		"expired":                   {change: []any{"exp", now - 60}, want: []string{"exp.expired"}},
		"not valid yet":             {change: []any{"nbf", now + 61}, want: []string{"nbf.early"}},
		"of the key":                {expect: bound},
		"of another key":            {expect: other, want: []string{"jkt.mismatch"}},
		"ath without a token":       {change: []any{"ath", TokenHash(access)}, want: []string{"ath.unexpected"}},
		"ath":                       {change: []any{"ath", TokenHash(access)}, expect: with},
		"ath, any key":              {change: []any{"ath", TokenHash(access)}, expect: whoever},
		"ath, another key":          {change: []any{"ath", TokenHash(access)}, expect: wrongKey, want: []string{"jkt.mismatch"}},
		"no ath":                    {expect: with, want: []string{"ath.missing"}},
		"ath of another token":      {change: []any{"ath", TokenHash("another")}, expect: with, want: []string{"ath.mismatch"}},
		"a nonce nobody asked for":  {change: []any{"nonce", "x"}},
		"nonce":                     {change: []any{"nonce", "n"}, policy: server},
		"no nonce":                  {policy: server, want: []string{"nonce.missing"}},
		"another nonce":             {change: []any{"nonce", "x"}, policy: server, want: []string{"nonce.mismatch"}},
		"nonce of the call":         {change: []any{"nonce", "n"}, expect: nonce},
		"no nonce of the call":      {expect: nonce, want: []string{"nonce.missing"}},
		"another than of the call":  {change: []any{"nonce", "x"}, expect: nonce, want: []string{"nonce.mismatch"}},
		"the call's, not another":   {change: []any{"nonce", "x"}, expect: nonce, policy: func(p *Policy) { p.Nonces = fixed{"x"} }, want: []string{"nonce.mismatch"}},
		"all at once": {
			change: []any{"jti", nil, "htm", "PUT", "htu", "x", "ath", "x"}, policy: server,
			want: []string{"jti.missing", "htm.mismatch", "htu.mismatch", "ath.unexpected", "nonce.missing"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			if tc.expect == (Expect{}) {
				tc.expect = here
			}
			tok, err := verifier(t, p).Verify(ctx, proof(t, key, head(t, key), good.With(tc.change...)), tc.expect)
			profiletest.Want(t, err, tc.want...)
			if err == nil && tok.Key.KeyID() != thumbprint(t, key) {
				t.Errorf("the kid is %q", tok.Key.KeyID())
			}
		})
	}
}

// fixed is one nonce.
type fixed struct{ nonce string }

func (f fixed) New(context.Context) (string, error) { return f.nonce, nil }
func (f fixed) Accepts(_ context.Context, n string) (bool, error) {
	return n == f.nonce, nil
}

// Each case breaks one rule on the header.
func TestHeader(t *testing.T) {
	key := profiletest.Key(t)
	other, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := private.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	public := head(t, key)
	rsa, err := jwk.Generate(jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := rsa.Public().JWK().With("alg", nil)
	if err != nil {
		t.Fatal(err)
	}
	bareJSON, err := bare.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		key    jwk.Signer
		header string
		policy func(*Policy)
		want   []string
	}{
		"good":                     {key: key, header: public},
		"typ with application/":    {key: key, header: strings.Replace(public, "dpop+jwt", "application/DPoP+JWT", 1)},
		"no typ":                   {key: key, header: strings.Replace(public, `"typ":"dpop+jwt",`, "", 1), want: []string{"typ.mismatch"}},
		"typ JWT":                  {key: key, header: strings.Replace(public, "dpop+jwt", "JWT", 1), want: []string{"typ.mismatch"}},
		"no jwk":                   {key: key, header: `"typ":"dpop+jwt"`, want: []string{"key.none"}},
		"another kid":              {key: key, header: public + `,"kid":"x"`},
		"another's key":            {key: other, header: public, want: []string{"sig.invalid"}},
		"a private key":            {key: key, header: `"typ":"dpop+jwt","jwk":` + string(secret), want: []string{"key.private"}},
		"a secret":                 {key: profiletest.Secret(t), header: `"typ":"dpop+jwt","jwk":{"kty":"oct","k":"YSBzZWNyZXQgb2YgYXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcw"}`, want: []string{"key.private"}},
		"MAC with a public key":    {key: profiletest.Secret(t), header: public, want: []string{"alg.not_allowed"}},
		"no curve":                 {key: key, header: `"typ":"dpop+jwt","jwk":{"kty":"EC"}`, want: []string{"key.unsupported"}},
		"a point off its curve":    {key: key, header: `"typ":"dpop+jwt","jwk":{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"}`, want: []string{"key.invalid"}},
		"a key for encryption":     {key: key, header: strings.Replace(public, `"kty"`, `"use":"enc","kty"`, 1), want: []string{"alg.mismatch", "key.use"}},
		"RSA":                      {key: rsa, header: `"typ":"dpop+jwt","jwk":` + string(bareJSON)},
		"RSA that is not accepted": {key: rsa, header: `"typ":"dpop+jwt","jwk":` + string(bareJSON), policy: func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256} }, want: []string{"alg.not_allowed"}},
		"certificates, a stranger": {key: other, header: `"typ":"dpop+jwt","x5c":["AQID"]`, want: []string{"key.none"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			if tc.policy != nil {
				tc.policy(&p)
			}
			_, err := verifier(t, p).Verify(ctx, proof(t, tc.key, tc.header, good), here)
			if name == "a key for encryption" { // which of two reasons comes first is for package jwk
				if r, ok := errors.AsType[*jwt.RejectError](err); !ok || !r.Only(tc.want...) {
					t.Error(err)
				}
				return
			}
			profiletest.Want(t, err, tc.want...)
		})
	}
}

// A proof is good once; one that is refused is not used up; and nobody uses up those of another's key.
func TestReplay(t *testing.T) {
	v := verifier(t, some())
	key := profiletest.Key(t)
	raw := proof(t, key, head(t, key), good)
	elsewhere := here
	elsewhere.URL = "https://api.example/else"
	_, err := v.Verify(ctx, raw, elsewhere)
	profiletest.Want(t, err, "htu.mismatch")
	stranger, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Verify(ctx, proof(t, stranger, head(t, stranger), good), here)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw, here)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, raw, here)
	profiletest.Want(t, err, "jti.replayed")
	if !errors.Is(err, jwt.ErrReplay) {
		t.Error(err)
	}
	// Another spelling of the URL is not another request.
	_, err = v.Verify(ctx, proof(t, key, head(t, key), good.With("htu", "HTTPS://API.example:443/x/../orders")), here)
	profiletest.Want(t, err, "jti.replayed")
}

// seen is what a Replay was asked.
type seen struct {
	issuer, id string
	ttl        time.Duration
	err        error
}

func (s *seen) Seen(_ context.Context, issuer, id string, ttl time.Duration) (bool, error) {
	s.issuer, s.id, s.ttl = issuer, id, ttl
	return false, s.err
}

// The Replay is told the key and how long to remember, and its failure is not the proof's.
func TestReplayIsAsked(t *testing.T) {
	s := &seen{}
	p := some()
	p.Replay = s
	v := verifier(t, p)
	key := profiletest.Key(t)
	raw := proof(t, key, head(t, key), good.With("iat", now-10))
	_, err := v.Verify(ctx, raw, here)
	profiletest.Want(t, err)
	uri, err := key.JWK().ThumbprintURI(5) // crypto.SHA256
	if err != nil || s.issuer != uri || s.id != "1" || s.ttl != 110*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	s.err = io.ErrUnexpectedEOF
	if _, err := v.Verify(ctx, raw, here); err != s.err {
		t.Error(err)
	}
	p.Replay = jwt.NewReplayCache(1)
	v = verifier(t, p)
	_, err = v.Verify(ctx, raw, here)
	profiletest.Want(t, err)
	_, err = v.Verify(ctx, proof(t, key, head(t, key), good.With("jti", "2")), here)
	if r, ok := errors.AsType[*jwt.RejectError](err); !ok || !r.Only("jti.full") {
		t.Error(err)
	}
}

func TestIncomplete(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Policy)
		word   string // in the error
	}{
		"no replay":            {func(p *Policy) { p.Replay = nil }, "Replay"},
		"replay in two places": {func(p *Policy) { p.JWT.Replay = p.Replay }, "JWT.Replay"},
		"negative age":         {func(p *Policy) { p.MaxAge = -1 }, "MaxAge"},
		"JWT.MaxAge":           {func(p *Policy) { p.JWT.MaxAge = time.Hour }, "JWT.MaxAge"},
		"proofs of the future": {func(p *Policy) { p.JWT.AllowFutureIssuedAt = true }, "AllowFutureIssuedAt"},
		"expired proofs":       {func(p *Policy) { p.JWT.IgnoreExpiry = true }, "IgnoreExpiry"},
		"encrypted proofs":     {func(p *Policy) { p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{}} }, "Decryption"},
		"a selector":           {func(p *Policy) { p.JWT.Selector = "iss" }, "Selector"},
		"a cache":              {func(p *Policy) { p.JWT.CacheSize = 1 }, "CacheSize"},
		"a MAC":                {func(p *Policy) { p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256, jwa.HS256} }, "symmetric"},
		"an audience":          {func(p *Policy) { p.JWT.Audiences = []string{"a"} }, "Audiences"},
		"a leeway too long":    {func(p *Policy) { p.JWT.Leeway = time.Hour }, "leeway"},
	} {
		p := some()
		tc.change(&p)
		if _, err := NewVerifier(p); !errors.Is(err, jwt.ErrPolicy) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tc.word)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	key := profiletest.Key(t)
	v, raw := verifier(t, some()), proof(t, key, head(t, key), good)
	for name, x := range map[string]Expect{
		"zero":                {},
		"no method":           {URL: place, NoAccessToken: true},
		"no URL":              {Method: "GET", NoAccessToken: true},
		"no token":            {Method: "GET", URL: place},
		"a token and none":    {Method: "GET", URL: place, AccessToken: "a", AnyKey: true, NoAccessToken: true},
		"a token, no key":     {Method: "GET", URL: place, AccessToken: "a"},
		"a token, two words":  {Method: "GET", URL: place, AccessToken: "a", Thumbprint: "x", AnyKey: true},
		"a key without token": {Method: "GET", URL: place, Thumbprint: "x"},
	} {
		if _, err := v.Verify(ctx, raw, x); !errors.Is(err, jwt.ErrPolicy) || Error(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSign(t *testing.T) {
	key := profiletest.Key(t)
	raw, err := Sign(ctx, key, jwt.Registered{}, Claims{Method: "GET", URL: place + "?a=b#c", TokenHash: TokenHash(access)})
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.JWT.Clock = nil
	tok, err := verifier(t, p).Verify(ctx, raw, Expect{Method: "GET", URL: place + "?q", AccessToken: access, Thumbprint: thumbprint(t, key)})
	profiletest.Want(t, err)
	if err == nil && (tok.Claims.URL != place || len(tok.ID) < 16 || tok.IssuedAt.IsZero() || tok.Header().JWK.KeyID() != "") {
		t.Errorf("%+v %+v", tok.Registered, tok.Claims)
	}
	again, err := Sign(ctx, key, jwt.Registered{ID: "1", IssuedAt: time.Unix(now, 0)}, Claims{Method: "GET", URL: place})
	if err != nil {
		t.Fatal(err)
	}
	tok, err = verifier(t, some()).Verify(ctx, again, here)
	profiletest.Want(t, err)
	if err == nil && tok.ID != "1" {
		t.Error(tok.ID)
	}
	for name, tc := range map[string]struct {
		r    jwt.Registered
		c    Claims
		want string
	}{
		"htm":   {c: Claims{URL: place}, want: "htm"},
		"htu":   {c: Claims{Method: "GET"}, want: "htu"},
		"jti":   {r: jwt.Registered{ID: strings.Repeat("x", 257)}, c: Claims{Method: "GET", URL: place}, want: "jti"},
		"ftp":   {c: Claims{Method: "GET", URL: "ftp://a"}, want: "htu"},
		"alice": {c: Claims{Method: "GET", URL: "https://alice@a"}, want: "htu"},
	} {
		_, err := Sign(ctx, key, tc.r, tc.c)
		if e, ok := errors.AsType[*jwt.ClaimError](err); !ok || e.Claim != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sign(ctx, profiletest.Secret(t), jwt.Registered{}, Claims{Method: "GET", URL: place}); err == nil {
		t.Error("a secret makes a proof")
	}
	if _, err := Sign(ctx, nil, jwt.Registered{}, Claims{Method: "GET", URL: place}); !errors.Is(err, jwt.ErrPolicy) {
		t.Error(err)
	}
}

// Certificates of the key stay at home.
func TestSignWithoutCertificates(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	j, err := jwk.FromKey(private)
	if err == nil {
		j, err = j.With("x5c", [][]byte{der})
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := j.PrivateKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Sign(ctx, key, jwt.Registered{}, Claims{Method: "GET", URL: place})
	if err != nil {
		t.Fatal(err)
	}
	h, err := jws.ParseHeader(strings.Split(raw, ".")[0], jws.Options{})
	if err != nil || h.JWK.X5C() != nil || h.JWK.KeyType() != "EC" {
		t.Errorf("%+v, %v", h, err)
	}
}

// The proofs of RFC 9449, Figures 2, 5, 7 and 13, with the key of Figure 8. The first is that of the collected texts.
func TestSeeds(t *testing.T) {
	const (
		jkt    = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
		figure = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
		post   = "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYy"
	)
	token := Expect{Method: "POST", URL: "https://server.example.com/token", NoAccessToken: true, Thumbprint: jkt}
	for name, tc := range map[string]struct {
		raw    string
		at     int64
		expect Expect
	}{
		"Figure 2":  {figure + post + "MjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg", 1562262616, token},
		"Figure 7":  {figure + post + "MjY1Mjk2fQ.pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA", 1562265296, token},
		"Figure 13": {figure + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA", 1562262618, Expect{Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: access, Thumbprint: jkt}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			p.JWT.Clock = func() time.Time { return time.Unix(tc.at, 0) }
			_, err := verifier(t, p).Verify(ctx, tc.raw, tc.expect)
			profiletest.Want(t, err)
		})
	}
}

func TestFromHeader(t *testing.T) {
	h := http.Header{}
	_, err := FromHeader(h)
	profiletest.Want(t, err, "dpop.missing")
	h.Add("dpop", "a")
	if raw, err := FromHeader(h); raw != "a" || err != nil {
		t.Error(raw, err)
	}
	h.Add("DPoP", "a")
	_, err = FromHeader(h)
	profiletest.Want(t, err, "dpop.multiple")
}

// What a server answers.
func TestAnswers(t *testing.T) {
	refused := func(codes ...string) error {
		var all []error
		for _, c := range codes {
			all = append(all, &jwt.ClaimError{Claim: "x", Code: c, Want: "w", Spec: "s"})
		}
		return jwt.Refuse(all...)
	}
	p := some()
	p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256, jwa.PS256}
	v := verifier(t, p)
	for name, tc := range map[string]struct {
		err       error
		code      string
		challenge string
	}{
		"nothing":        {nil, "", `DPoP algs="ES256 PS256"`},
		"a failure":      {io.EOF, "", `DPoP algs="ES256 PS256"`},
		"no nonce":       {refused("nonce.missing"), "use_dpop_nonce", `DPoP error="use_dpop_nonce", error_description="the DPoP proof needs the nonce of this response", algs="ES256 PS256"`},
		"an old nonce":   {refused("nonce.mismatch"), "use_dpop_nonce", `DPoP error="use_dpop_nonce", error_description="the DPoP proof needs the nonce of this response", algs="ES256 PS256"`},
		"that and more":  {refused("htm.mismatch", "nonce.mismatch"), "invalid_dpop_proof", `DPoP error="invalid_dpop_proof", error_description="the DPoP proof is refused: htm.mismatch (x: want w), nonce.mismatch (x: want w)", algs="ES256 PS256"`},
		"another key":    {refused("jkt.mismatch"), "invalid_dpop_proof", `DPoP error="invalid_token", error_description="the token is bound to another key", algs="ES256 PS256"`},
		"that and more ": {refused("jkt.mismatch", "htm.mismatch"), "invalid_dpop_proof", `DPoP error="invalid_dpop_proof", error_description="the DPoP proof is refused: jkt.mismatch (x: want w), htm.mismatch (x: want w)", algs="ES256 PS256"`},
	} {
		e := Error(tc.err)
		if tc.code == "" && e != nil || tc.code != "" && (e == nil || e.Code != tc.code || !errors.Is(e, tc.err)) {
			t.Errorf("%s: %v", name, e)
		}
		if got := v.Challenge(tc.err).String(); got != tc.challenge {
			t.Errorf("%s: %s", name, got)
		}
	}
	h := http.Header{}
	if err := v.SetNonce(ctx, h); err != nil || len(h) != 0 {
		t.Error(h, err)
	}
	p.Nonces = fixed{"n"}
	v = verifier(t, p)
	if err := v.SetNonce(ctx, h); err != nil || h.Get(NonceHeader) != "n" || h.Get("Cache-Control") != "no-store" {
		t.Error(h, err)
	}
	h.Set("Cache-Control", "no-cache, no-store")
	if err := v.SetNonce(ctx, h); err != nil || len(h.Values(NonceHeader)) != 1 || h.Get("Cache-Control") != "no-cache, no-store" {
		t.Error(h, err)
	}
}

// outOfOrder is a store of nonces that is out of order.
type outOfOrder struct{}

func (outOfOrder) New(context.Context) (string, error)           { return "", io.ErrClosedPipe }
func (outOfOrder) Accepts(context.Context, string) (bool, error) { return false, io.ErrClosedPipe }

// That a store of nonces fails is not the proof's fault, and does not let it pass.
func TestNoncesFail(t *testing.T) {
	p := some()
	p.Nonces = outOfOrder{}
	v := verifier(t, p)
	key := profiletest.Key(t)
	for _, htm := range []string{"GET", "PUT"} {
		if tok, err := v.Verify(ctx, proof(t, key, head(t, key), good.With("nonce", "n", "htm", htm)), here); tok != nil || err != io.ErrClosedPipe {
			t.Error(tok, err)
		}
	}
	if err := v.SetNonce(ctx, http.Header{}); err != io.ErrClosedPipe {
		t.Error(err)
	}
}

func TestNonces(t *testing.T) {
	at := time.Unix(now, 0)
	clock := func() time.Time { return at }
	secret := []byte(strings.Repeat("s", 32))
	n, err := NewNonces(NonceOptions{Secrets: [][]byte{secret}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	p := some()
	p.Nonces, p.JWT.Clock = n, clock
	v := verifier(t, p)
	nonce, err := n.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key := profiletest.Key(t)
	for i, want := range []string{"", "nonce.mismatch"} {
		_, err := v.Verify(ctx, proof(t, key, head(t, key), good.With("nonce", nonce, "iat", at.Unix(), "jti", nonce+want)), here)
		if i == 0 {
			profiletest.Want(t, err)
		} else {
			profiletest.Want(t, err, want)
		}
		at = at.Add(5*time.Minute + time.Second)
	}
	for name, o := range map[string]NonceOptions{
		"a short secret": {Secrets: [][]byte{secret[1:]}}, "negative": {Life: -1},
	} {
		if _, err := NewNonces(o); !errors.Is(err, jwt.ErrPolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThumbprint(t *testing.T) {
	key := profiletest.Key(t)
	want := thumbprint(t, key)
	if got, err := Thumbprint(key.Public()); got != want || err != nil {
		t.Error(got, err)
	}
	if TokenHash(access) != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" { // RFC 9449, Figure 14
		t.Error(TokenHash(access))
	}
}

// EdDSA and Ed25519 are two names of one algorithm (RFC 9864).
func TestEd25519(t *testing.T) {
	for _, alg := range []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519} {
		key, err := jwk.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Sign(ctx, key, jwt.Registered{IssuedAt: profiletest.Clock()}, Claims{Method: "GET", URL: place})
		if err != nil {
			t.Fatal(err)
		}
		for _, accepted := range []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519} {
			p := some()
			p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256, accepted}
			_, err := verifier(t, p).Verify(ctx, raw, here)
			profiletest.Want(t, err)
		}
	}
}

// An algorithm of an extension is one like the others.
func TestExtension(t *testing.T) {
	x, key := free(t)
	p := some()
	p.Extensions, p.JWT.Algorithms = []jwk.Extension{x}, []jwa.Algorithm{x.Algorithm}
	raw, err := Sign(ctx, key, jwt.Registered{IssuedAt: profiletest.Clock()}, Claims{Method: "GET", URL: place})
	if err != nil {
		t.Fatal(err)
	}
	bound := here
	bound.Thumbprint = thumbprint(t, key)
	v := verifier(t, p)
	_, err = v.Verify(ctx, raw, bound)
	profiletest.Want(t, err)
	// What the extension does not miss has no thumbprint all the same.
	_, err = v.Verify(ctx, proof(t, key, `"typ":"dpop+jwt","jwk":{"kty":"AKP"}`, good), here)
	if r, ok := errors.AsType[*jwt.RejectError](err); !ok || !r.Only("alg.unknown") {
		t.Error(err)
	}
}

// The payload's buffer, the token, what the request is held to, the hash, and what the Replay is told.
func TestAllocations(t *testing.T) {
	x, key := free(t)
	p := some()
	p.Extensions, p.JWT.Algorithms, p.Replay = []jwk.Extension{x}, []jwa.Algorithm{x.Algorithm}, forgets{}
	v := verifier(t, p)
	raw, err := Sign(ctx, key, jwt.Registered{IssuedAt: profiletest.Clock()}, Claims{Method: "GET", URL: place, TokenHash: TokenHash(access)})
	if err != nil {
		t.Fatal(err)
	}
	x2 := Expect{Method: "GET", URL: place, AccessToken: access, Thumbprint: thumbprint(t, key)}
	profiletest.Ceiling(t, 5, func() { _, _ = v.Verify(ctx, raw, x2) })
}
