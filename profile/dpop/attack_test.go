package dpop

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// TestAttack is group M4 of the catalogue of attacks, as far as a proof shows it: a stolen access token is presented with a
// proof that is not its owner's, or is for another request. Each case has as its control the owner's own request, which is
// accepted.
func TestAttack(t *testing.T) {
	owner, thief := profiletest.Key(t), mustKey(t)
	jkt := thumbprint(t, owner)
	ath := good.With("ath", TokenHash(access), "nonce", "n")
	own := proof(t, owner, head(t, owner), ath)
	secret, err := owner.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	private, err := secret.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	serve := func(v *Verifier, proofs ...string) error {
		h := http.Header{}
		for _, p := range proofs {
			h.Add("dpop", p)
		}
		raw, err := FromHeader(h)
		if err != nil {
			return err
		}
		_, err = v.Verify(ctx, raw, Expect{Method: "GET", URL: place, AccessToken: access, Thumbprint: jkt})
		return err
	}
	signed := func(pairs ...any) []string { return []string{proof(t, owner, head(t, owner), ath.With(pairs...))} }
	htu := func(s string) []string { return signed("htu", s) }
	for name, tc := range map[string]struct {
		proofs []string
		want   []string // empty: accepted
	}{
		"M4_no_header":                     {nil, []string{"dpop.missing"}},
		"M4_two_headers":                   {[]string{own, own}, []string{"dpop.multiple"}},
		"M4_two_headers_one_bad":           {[]string{"x", own}, []string{"dpop.multiple"}},
		"M4_two_proofs_in_one_header":      {[]string{own + "," + own}, []string{"dpop.multiple"}},
		"M4_two_proofs_with_a_space":       {[]string{own + ", " + own}, []string{"dpop.multiple"}},
		"M4_Bearer_before_the_proof":       {[]string{"Bearer " + own}, []string{"token.malformed"}},
		"M4_private_jwk":                   {[]string{proof(t, owner, `"typ":"dpop+jwt","jwk":`+string(private), ath)}, []string{"key.private"}},
		"M4_oct_jwk":                       {[]string{proof(t, profiletest.Secret(t), `"typ":"dpop+jwt","jwk":{"kty":"oct","k":"YSBzZWNyZXQgb2YgYXQgbGVhc3QgdGhpcnR5LXR3byBieXRlcw"}`, ath)}, []string{"key.private"}},
		"M4_HS256_with_the_public_key":     {[]string{proof(t, profiletest.Secret(t), head(t, owner), ath)}, []string{"alg.not_allowed"}},
		"M4_key_of_the_thief":              {[]string{proof(t, thief, head(t, thief), ath)}, []string{"jkt.mismatch"}},
		"M4_jwk_of_the_owner":              {[]string{proof(t, thief, head(t, owner), ath)}, []string{"sig.invalid"}},
		"M4_kid_is_the_thumbprint":         {[]string{proof(t, thief, strings.Replace(head(t, thief), `"kty"`, `"x-kid":"`+jkt+`","kty"`, 1)+`,"kid":"`+jkt+`"`, ath)}, []string{"jkt.mismatch"}},
		"M4_htm_in_lower_case":             {signed("htm", "get"), []string{"htm.mismatch"}},
		"M4_htm_of_another":                {signed("htm", "POST"), []string{"htm.mismatch"}},
		"M4_htm_with_a_space":              {signed("htm", "GET "), []string{"htm.mismatch"}},
		"M4_htu_with_a_query":              {htu(place + "?a=b"), nil},
		"M4_htu_with_a_fragment":           {htu(place + "#a"), nil},
		"M4_htu_with_its_port":             {htu("https://api.example:443/orders"), nil},
		"M4_htu_in_capitals":               {htu("HTTPS://API.EXAMPLE/orders"), nil},
		"M4_htu_percent":                   {htu("https://api.example/%6frders"), nil},
		"M4_htu_dots":                      {htu("https://api.example/a/../orders"), nil},
		"M4_htu_of_http":                   {htu("http://api.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_with_another_port":         {htu("https://api.example:8443/orders"), []string{"htu.mismatch"}},
		"M4_htu_with_the_port_of_http":     {htu("https://api.example:80/orders"), []string{"htu.mismatch"}},
		"M4_htu_userinfo":                  {htu("https://api.example@evil.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_userinfo_of_ours":          {htu("https://alice@api.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_backslash":                 {htu(`https://api.example\@evil.example/orders`), []string{"htu.mismatch"}},
		"M4_htu_path_in_capitals":          {htu("https://api.example/ORDERS"), []string{"htu.mismatch"}},
		"M4_htu_slash_at_the_end":          {htu(place + "/"), []string{"htu.mismatch"}},
		"M4_htu_escaped_slash":             {htu("https://api.example%2forders"), []string{"htu.mismatch"}},
		"M4_htu_escaped_twice":             {htu("https://api.example/%256frders"), []string{"htu.mismatch"}},
		"M4_htu_dots_beyond_the_host":      {htu("https://evil.example/../api.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_prefix":                    {htu("https://api.example/order"), []string{"htu.mismatch"}},
		"M4_htu_another_host_in_front":     {htu("https://api.example.evil.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_without_a_scheme":          {htu("//api.example/orders"), []string{"htu.mismatch"}},
		"M4_htu_of_a_megabyte":             {[]string{proof(t, owner, head(t, owner), ath.With("htu", place+"?"+strings.Repeat("a", 1<<20)))}, []string{"token.too_large"}},
		"M4_htu_of_nine_kilobytes":         {htu(place + "?" + strings.Repeat("a", 9<<10)), []string{"htu.mismatch"}},
		"M4_htu_an_array":                  {signed("htu", []string{place}), []string{"json.type", "nonce.missing"}},
		"M4_ath_missing":                   {signed("ath", nil), []string{"ath.missing"}},
		"M4_ath_of_another_token":          {signed("ath", TokenHash("another")), []string{"ath.mismatch"}},
		"M4_ath_is_the_token":              {signed("ath", access), []string{"ath.mismatch"}},
		"M4_ath_padded":                    {signed("ath", TokenHash(access)+"="), []string{"ath.mismatch"}},
		"M4_iat_missing":                   {signed("iat", nil), []string{"iat.missing"}},
		"M4_iat_long_ago":                  {signed("iat", now-3600), []string{"iat.too_old"}},
		"M4_iat_far_ahead":                 {signed("iat", now+3600), []string{"iat.future"}},
		"M4_exp_does_not_lengthen_the_iat": {signed("iat", now-3600, "exp", now+3600), []string{"iat.too_old"}},
		"M4_nonce_missing":                 {signed("nonce", nil), []string{"nonce.missing"}},
		"M4_nonce_of_another":              {signed("nonce", "m"), []string{"nonce.mismatch"}},
		"M4_nonce_empty":                   {signed("nonce", ""), []string{"nonce.missing"}},
		"M4_jti_missing":                   {signed("jti", nil), []string{"jti.missing"}},
		"M4_jti_too_long":                  {signed("jti", strings.Repeat("j", 4000)), []string{"jti.too_long"}},
		"M4_typ_missing":                   {[]string{proof(t, owner, strings.Replace(head(t, owner), `"typ":"dpop+jwt",`, "", 1), ath)}, []string{"typ.mismatch"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := some()
			p.Nonces = fixed{"n"}
			v := verifier(t, p)
			err := serve(v, tc.proofs...)
			if name == "M4_htu_an_array" {
				// Members that cannot be read are reported, and those that can be are not held to the request.
				if r, ok := err.(*jwt.RejectError); !ok || r.Codes()[0] != "json.type" {
					t.Error(err)
				}
			} else {
				profiletest.Want(t, err, tc.want...)
			}
			if len(tc.want) == 0 {
				// As another spelling of the same proof it is no new one.
				profiletest.Want(t, serve(v, own), "jti.replayed")
				return
			}
			profiletest.Want(t, serve(v, own))
		})
	}
	t.Run("M4_jti_burnt_by_a_stranger", func(t *testing.T) {
		p := some()
		p.Nonces = fixed{"n"}
		v := verifier(t, p)
		_, err := v.Verify(ctx, proof(t, thief, head(t, thief), good.With("nonce", "n")), here)
		profiletest.Want(t, err)
		profiletest.Want(t, serve(v, own))
		profiletest.Want(t, serve(v, own), "jti.replayed")
	})
	// The twin of an ECDSA signature is another string with the same jti (B2).
	t.Run("M4_jti_of_the_twin", func(t *testing.T) {
		p := some()
		p.Nonces = fixed{"n"}
		v := verifier(t, p)
		profiletest.Want(t, serve(v, own))
		profiletest.Want(t, serve(v, twin(t, own)), "jti.replayed")
	})
}

func mustKey(t testing.TB) *jwk.PrivateKey {
	t.Helper()
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// twin is a proof with the other signature of the same message: s becomes n − s.
func twin(t testing.TB, raw string) string {
	t.Helper()
	message, signature := raw[:strings.LastIndexByte(raw, '.')+1], raw[strings.LastIndexByte(raw, '.')+1:]
	b, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(b[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(b[32:])
	return message + base64.RawURLEncoding.EncodeToString(b)
}
