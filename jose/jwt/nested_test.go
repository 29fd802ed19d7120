package jwt

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/testvectors"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

var (
	contentKey = []byte("thirty-two bytes for dir, in all")
	outerPlain = `{"alg":"dir","enc":"A256GCM","cty":"JWT"}`
)

// wrap encrypts any plaintext under any header, as they are, with the standard library alone.
func wrap(header, plaintext string) string {
	block, err := aes.NewCipher(contentKey)
	if err != nil {
		panic(err)
	}
	c, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	sealed := c.Seal(nil, nil, []byte(plaintext), []byte(encode(header)))
	text := len(sealed) - 16
	return encode(header) + ".." + encode(string(sealed[:12])) + "." + encode(string(sealed[12:text])) + "." + encode(string(sealed[text:]))
}

func sharedKey(t testing.TB) *jwk.SharedKey {
	t.Helper()
	k, err := jwk.NewSharedKey(jwa.Dir, "", contentKey, jwa.A256GCM)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func decryptionKey(t testing.TB, alg jwa.Algorithm, crv string) *jwk.DecryptionKey {
	t.Helper()
	k, err := jwk.GenerateDecryptionKey(alg, crv)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// oaepKey shares the numbers of the other RSA key: they are slow to make.
func oaepKey(t testing.TB) *jwk.DecryptionKey {
	t.Helper()
	desc, err := privateKey(t, jwa.RS256).PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := desc.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	k, err := fromJWK(t, bytes.Replace(raw, []byte(`"alg":"RS256"`), []byte(`"alg":"RSA-OAEP-256"`), 1)).DecryptionKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func nested(t testing.TB, change func(*Policy)) *Verifier[struct{}] {
	t.Helper()
	return hs(t, func(p *Policy) {
		p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(t)}}
		if change != nil {
			change(p)
		}
	})
}

// RFC 7519, Section 11.2: sign, then encrypt.
func TestNested(t *testing.T) {
	signer := privateKey(t, jwa.ES256)
	ecdh := decryptionKey(t, jwa.ECDH_ES, "X25519")
	wrapped := decryptionKey(t, jwa.ECDH_ES_A256KW, "P-256")
	oaep := oaepKey(t)
	kw, err := jwk.GenerateSharedKey(jwa.A128KW)
	if err != nil {
		t.Fatal(err)
	}
	password, err := jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", []byte("correct horse battery staple"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		to   jwk.Encrypter
		enc  jwa.Encryption
		keys jwk.Decrypter
		want string // enc
		p2c  int
	}{
		{sharedKey(t), jwa.Encryption{}, sharedKey(t), "A256GCM", 0},
		{ecdh.Public(), jwa.A128CBC_HS256, ecdh, "A128CBC-HS256", 0},
		{wrapped.Public(), jwa.A192GCM, wrapped, "A192GCM", 0},
		{oaep.Public(), jwa.Encryption{}, oaep, "A256GCM", 0},
		{kw, jwa.A256CBC_HS512, kw, "A256CBC-HS512", 0},
		{password, jwa.A128GCM, password, "A128GCM", 310_000},
	} {
		t.Run(tc.to.Algorithm().Name(), func(t *testing.T) {
			raw, err := SignEncrypted(ctx, signer, Recipient{Key: tc.to, Encryption: tc.enc, Header: jwe.Header{Count: tc.p2c}}, Header{Type: "order+jwt"}, registered7, someOrder)
			if err != nil {
				t.Fatal(err)
			}
			p := policy()
			p.Type = "order+jwt"
			p.Decryption = &Decryption{Keys: jwk.DecryptionSet{tc.keys}}
			tok, err := verifier[order](t, jwk.Set{signer.Public()}, p).Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if tok.Claims != someOrder || tok.Subject != "alice" || tok.Key != jwk.Verifier(signer.Public()) || tok.Header().Type != "order+jwt" {
				t.Errorf("%+v", tok)
			}
			layers := tok.Layers()
			if len(layers) != 1 || layers[0].Key != tc.keys {
				t.Fatalf("layers %+v", layers)
			}
			// RFC 7519, Section 5.2: upper case is recommended.
			if h := layers[0].Header; h.ContentType != "JWT" || h.Type != "" || h.Algorithm != tc.to.Algorithm().Name() || h.Encryption != tc.want || h.KeyID != tc.to.KeyID() {
				t.Errorf("header %+v", h)
			}
			if got := decodePart(t, raw, 0); !strings.Contains(got, `"cty":"JWT"`) {
				t.Errorf("header %s", got)
			}
		})
	}
}

func TestLayersOfOtherTokens(t *testing.T) {
	tok, err := hs(t, nil).Verify(ctx, forge(plain, good))
	if err != nil || tok.Layers() != nil {
		t.Errorf("%v %v", tok.Layers(), err)
	}
	var zero Token[struct{}]
	if zero.Layers() != nil {
		t.Error("a token of nothing has layers")
	}
}

func fromJWK(t testing.TB, raw []byte) jwk.JWK {
	t.Helper()
	k, err := jwk.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// RFC 7519, Appendix A.2, with the keys of RFC 7516, Appendix A.2, and RFC 7515, Appendix A.2.
func TestRFC7519Nested(t *testing.T) {
	var vector struct {
		Token           string
		Decrypt, Verify json.RawMessage
	}
	raw, err := os.ReadFile(filepath.Join("testdata", "rfc7519-a2.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vector); err != nil {
		t.Fatal(err)
	}
	decrypt, err := fromJWK(t, vector.Decrypt).DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RSA1_5}, AllowRSA1_5DespitePaddingOracles: true})
	if err != nil {
		t.Fatal(err)
	}
	verify, err := fromJWK(t, vector.Verify).PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	type claims struct {
		Root bool `json:"http://example.com/is_root"`
	}
	p := Policy{
		Issuers: []string{"joe"}, AnyAudience: true, Clock: func() time.Time { return time.Unix(1300819379, 0) },
		Decryption: &Decryption{Keys: jwk.DecryptionSet{decrypt}},
	}
	tok, err := verifier[claims](t, jwk.Set{verify}, p).Verify(ctx, vector.Token)
	if err != nil {
		t.Fatal(err)
	}
	if !tok.Claims.Root || tok.Issuer != "joe" || tok.Layers()[0].Header.Algorithm != "RSA1_5" {
		t.Errorf("%+v", tok)
	}
}

// RFC 7520, Section 6.
func TestRFC7520Nested(t *testing.T) {
	var vector struct {
		Sign    struct{ Input struct{ Key json.RawMessage } }
		Encrypt struct {
			Input  struct{ Key json.RawMessage }
			Output struct{ Compact string }
		}
	}
	raw, err := os.ReadFile(filepath.Join(testvectors.Dir(t), "rfc7520", "6.nesting_signatures_and_encryption.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &vector); err != nil {
		t.Fatal(err)
	}
	decrypt, err := fromJWK(t, vector.Encrypt.Input.Key).DecryptionKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	sign, err := fromJWK(t, vector.Sign.Input.Key).PrivateKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}})
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{
		Issuers: []string{"hobbiton.example"}, AnyAudience: true, Clock: func() time.Time { return time.Unix(1300819379, 0) },
		Decryption: &Decryption{Keys: jwk.DecryptionSet{decrypt}, Encryptions: []jwa.Encryption{jwa.A128GCM}},
	}
	tok, err := verifier[map[string]any](t, jwk.Set{sign.Public()}, p).Verify(ctx, vector.Encrypt.Output.Compact)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Claims["http://example.com/is_root"] != true || tok.Key.Algorithm() != jwa.PS256 {
		t.Errorf("%+v", tok)
	}
}

// H6: an encrypted token where a signed one is due, and the other way round (RFC 8725,
// Section 3.3; draft-ietf-oauth-rfc8725bis, Section 3.3).
func TestSignedOrEncrypted(t *testing.T) {
	signed, encrypted := forge(plain, good), wrap(outerPlain, forge(plain, good))
	v, n := hs(t, nil), nested(t, nil)
	for range 2 { // the header is new, and then recognised
		_, err := v.Verify(ctx, signed)
		accept(t, err)
		_, err = n.Verify(ctx, encrypted)
		accept(t, err)

		_, err = v.Verify(ctx, encrypted)
		want(t, err, "token.encrypted")
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "Decryption") {
			t.Errorf("%v", err)
		}
		_, err = n.Verify(ctx, signed)
		want(t, err, "token.signed")
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "Decryption") {
			t.Errorf("%v", err)
		}
	}
	// The header of one with the parts of the other.
	_, err := v.Verify(ctx, encode(plain)+"."+encode(good)+".AA.AA.AA")
	want(t, err, "token.encrypted")
	_, err = v.Verify(ctx, forge(outerPlain, good))
	want(t, err, "alg.unknown")
	_, err = n.Verify(ctx, encode(plain)+"."+encode(good)+".AA.AA.AA")
	want(t, err, "alg.unknown")
	_, err = n.Verify(ctx, forge(outerPlain, good))
	want(t, err, "token.signed")
	// A signed token where the policy asks for an encrypted one is not tried, whoever signed it.
	_, err = n.Verify(ctx, "")
	want(t, err, "token.malformed")
}

// RFC 7519, Section 5.2: cty is there and is JWT. It is judged before a key is asked for.
func TestNestedContentType(t *testing.T) {
	src := &askedToDecrypt{DecryptionSource: jwk.DecryptionSet{sharedKey(t)}}
	v := nested(t, func(p *Policy) { p.Decryption.Keys = src })
	inner := forge(plain, good)
	for _, cty := range []string{`"JWT"`, `"jwt"`, `"application/jwt"`} {
		_, err := v.Verify(ctx, wrap(`{"alg":"dir","enc":"A256GCM","cty":`+cty+`}`, inner))
		accept(t, err)
	}
	src.queries = nil
	for _, header := range []string{
		`{"alg":"dir","enc":"A256GCM"}`, `{"alg":"dir","enc":"A256GCM","cty":""}`, `{"alg":"dir","enc":"A256GCM","cty":"JWE"}`,
		`{"alg":"dir","enc":"A256GCM","cty":"application/json"}`, `{"alg":"dir","enc":"A256GCM","typ":"JWT"}`, `{"alg":"dir","enc":"A256GCM","CTY":"JWT"}`,
	} {
		_, err := v.Verify(ctx, wrap(header, inner))
		want(t, err, "cty.mismatch")
		if !errors.Is(err, ErrType) || !strings.Contains(err.Error(), "cty JWT") {
			t.Errorf("%v", err)
		}
	}
	if src.queries != nil {
		t.Error("a key was asked for")
	}
	_, err := v.Verify(ctx, wrap(`{"alg":"dir","enc":"A256GCM","cty":7}`, inner))
	want(t, err, "json.type")
}

// RFC 8725, Section 3.11: the typ that counts is that of the token inside.
func TestNestedType(t *testing.T) {
	for _, tc := range []struct {
		policy, outer, inner, want string
	}{
		{"", ``, ``, "accepted"},
		{"", `,"typ":"JWT"`, `,"typ":"JWT"`, "accepted"},
		{"", `,"typ":"at+jwt"`, ``, "typ.mismatch"},
		{"", ``, `,"typ":"at+jwt"`, "typ.mismatch"},
		{"at+jwt", ``, `,"typ":"at+jwt"`, "accepted"},
		{"at+jwt", `,"typ":"JWT"`, `,"typ":"at+jwt"`, "accepted"},
		{"at+jwt", `,"typ":"application/at+jwt"`, `,"typ":"at+jwt"`, "accepted"},
		{"at+jwt", `,"typ":"logout+jwt"`, `,"typ":"at+jwt"`, "typ.mismatch"},
		{"at+jwt", `,"typ":"at+jwt"`, ``, "typ.mismatch"},
		{"at+jwt", `,"typ":"at+jwt"`, `,"typ":"JWT"`, "typ.mismatch"},
	} {
		v := nested(t, func(p *Policy) { p.Type = tc.policy })
		raw := wrap(outerPlain[:len(outerPlain)-1]+tc.outer+`}`, forge(`{"alg":"HS256"`+tc.inner+`}`, good))
		_, err := v.Verify(ctx, raw)
		if tc.want == "accepted" {
			accept(t, err)
			continue
		}
		want(t, err, tc.want)
	}
}

// H7: what decrypts is not thereby authentic (RFC 8725, Sections 3.2 and 3.3; RFC 7519, Section 7.2).
func TestNestedUnsigned(t *testing.T) {
	pub := privateKey(t, jwa.ES256).Public()
	der, err := pub.JWK().MarshalPEM()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := jwk.NewSecretKey(jwa.HS256, "", []byte(strings.Repeat("another one ", 4)))
	if err != nil {
		t.Fatal(err)
	}
	strange, err := Sign(ctx, stranger, Header{}, registered7, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	usual := forge(plain, good)
	parts := strings.Split(usual, ".")
	none := encode(`{"alg":"none"}`) + "." + encode(good) + "."
	for _, tc := range []struct{ name, inner, want string }{
		{"claims alone", good, "token.malformed"},
		{"encoded claims alone", encode(good), "token.malformed"},
		{"nothing", "", "token.malformed"},
		{"none", none, "alg.none"},
		{"None", encode(`{"alg":"None"}`) + "." + encode(good) + ".", "alg.none"},
		{"none with a signature", none + parts[2], "alg.none"},
		{"no alg", encode(`{}`) + "." + encode(good) + ".", "alg.missing"},
		{"signature removed", parts[0] + "." + parts[1] + ".", "sig.invalid"},
		{"signature and dot removed", parts[0] + "." + parts[1], "token.malformed"},
		{"signature of a stranger", strange, "sig.invalid"},
		{"signature changed", spoil(usual), "sig.invalid"},
		{"the content key as secret", strings.Replace(usual, parts[2], base64.RawURLEncoding.EncodeToString(mac(contentKey, parts[0]+"."+parts[1])), 1), "sig.invalid"},
		{"the public key as secret", strings.Replace(usual, parts[2], base64.RawURLEncoding.EncodeToString(mac(der, parts[0]+"."+parts[1])), 1), "sig.invalid"},
		{"another alg", forge(`{"alg":"HS512"}`, good), "key.none"},
		{"JSON serialization", `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, "token.malformed"},
		{"white space", usual + "\n", "token.malformed"},
		{"a signed token in the signed one", forge(`{"alg":"HS256","cty":"JWT"}`, usual), "json.syntax"},
		{"an encrypted token in the signed one", forge(`{"alg":"HS256","cty":"JWT"}`, wrap(outerPlain, usual)), "json.syntax"},
		{"expired", forge(plain, with("exp", "1")), "exp.expired"},
		{"a JSON string of it", `"` + usual + `"`, "token.malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := nested(t, nil)
			for range 2 {
				tok, err := v.Verify(ctx, wrap(outerPlain, tc.inner))
				want(t, err, tc.want)
				if tok != nil {
					t.Error("a refused token is returned")
				}
				_, err = v.Verify(ctx, wrap(outerPlain, usual))
				accept(t, err)
			}
		})
	}
	// It is told which of the two tokens is malformed.
	for _, inner := range []string{good, encode(good), usual + "\n"} {
		_, err = nested(t, nil).Verify(ctx, wrap(outerPlain, inner))
		if err == nil || !strings.Contains(err.Error(), "what is encrypted in it") {
			t.Errorf("%v", err)
		}
	}
	// The holder of the public key alone is nobody, with each kind of key.
	oaep := oaepKey(t)
	raw, err := jwe.Encrypt(ctx, oaep.Public(), jwa.A256GCM, jwe.Header{ContentType: "JWT"}, []byte(none))
	if err != nil {
		t.Fatal(err)
	}
	_, err = nested(t, func(p *Policy) { p.Decryption.Keys = jwk.DecryptionSet{oaep} }).Verify(ctx, raw)
	want(t, err, "alg.none")
}

func layersOf(n int, inner string) string {
	for range n {
		inner = wrap(outerPlain, inner)
	}
	return inner
}

// H7, H11: nesting ends, and costs no more than the limit says.
func TestNesting(t *testing.T) {
	inner := forge(plain, good)
	for _, tc := range []struct {
		max, layers int
		want        string
	}{
		{0, 1, "accepted"},
		{0, 2, "token.depth"},
		{2, 1, "accepted"},
		{2, 2, "token.depth"},
		{3, 2, "accepted"},
		{3, 1, "accepted"},
		{3, 3, "token.depth"},
		{5, 4, "accepted"},
		{5, 5, "token.depth"},
		{5, 20, "token.depth"},
	} {
		src := &askedToDecrypt{DecryptionSource: jwk.DecryptionSet{sharedKey(t)}}
		v := nested(t, func(p *Policy) {
			p.MaxSize = 1 << 20
			p.Decryption = &Decryption{Keys: src, MaxNesting: tc.max}
		})
		raw := layersOf(tc.layers, inner)
		tok, err := v.Verify(ctx, raw)
		if most := max(tc.max, 2) - 1; len(src.queries) > most {
			t.Errorf("%+v: %d decryptions", tc, len(src.queries))
		}
		if tc.want == "accepted" {
			if accept(t, err); err == nil && len(tok.Layers()) != tc.layers {
				t.Errorf("%d layers", len(tok.Layers()))
			}
			continue
		}
		want(t, err, tc.want)
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v", err)
		}
	}
	// Each layer is judged as the first.
	v := nested(t, func(p *Policy) { p.Decryption.MaxNesting = 3 })
	_, err := v.Verify(ctx, wrap(outerPlain, wrap(`{"alg":"dir","enc":"A256GCM"}`, inner)))
	want(t, err, "cty.mismatch")
	_, err = v.Verify(ctx, wrap(outerPlain, wrap(`{"alg":"dir","enc":"A256GCM","cty":"JWT","iss":"x"}`, inner)))
	want(t, err, "claim.replicated")
	_, err = v.Verify(ctx, wrap(`{"alg":"dir","enc":"A256GCM","cty":"JWT","iss":"x"}`, wrap(outerPlain, inner)))
	want(t, err, "claim.replicated")
	_, err = v.Verify(ctx, wrap(outerPlain, inner))
	accept(t, err)
	tok, err := v.Verify(ctx, wrap(`{"alg":"dir","enc":"A256GCM","cty":"JWT","n":1}`, wrap(`{"alg":"dir","enc":"A256GCM","cty":"JWT","n":2}`, inner)))
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range tok.Layers() {
		if string(l.Header.Extra["n"]) != fmt.Sprint(i+1) {
			t.Error("the outermost layer is not the first")
		}
	}
}

// RFC 7519, Section 5.3: claims that the header shows are those that are signed.
func TestReplicatedClaims(t *testing.T) {
	v := nested(t, nil)
	inner := forge(plain, with("jti", `"a\u0062"`, "nbf", "1767268000.25", "client_id", `"c"`))
	for _, tc := range []struct {
		extra string
		want  []string
	}{
		{`"iss":"https://as.example"`, nil},
		{`"iss":"https:\/\/as.example","sub":"alice","aud":"https://api.example"`, nil},
		{`"aud":["https://api.example"]`, nil},
		{`"jti":"ab","exp":1767272400,"iat":1.7672687E9,"nbf":1767268000.250`, nil},
		{`"client_id":"d","x":1`, nil},
		{`"ISS":"x"`, nil},
		{`"iss":"https://as.example/"`, []string{"iss"}},
		{`"iss":""`, []string{"iss"}},
		{`"iss":null`, []string{"iss"}},
		{`"iss":["https://as.example"]`, []string{"iss"}},
		{`"sub":"mallory"`, []string{"sub"}},
		{`"sub":"Alice"`, []string{"sub"}},
		{`"aud":"https://api.example/"`, []string{"aud"}},
		{`"aud":["https://api.example","x"]`, []string{"aud"}},
		{`"aud":[]`, []string{"aud"}},
		{`"aud":7`, []string{"aud"}},
		{`"exp":1767272401`, []string{"exp"}},
		{`"nbf":1`, []string{"nbf"}},
		{`"iat":"1767268700"`, []string{"iat"}},
		{`"jti":"b"`, []string{"jti"}},
		{`"sub":"mallory","iss":"https://as.example","jti":"x"`, []string{"sub", "jti"}},
	} {
		raw := wrap(outerPlain[:len(outerPlain)-1]+","+tc.extra+`}`, inner)
		_, err := v.Verify(ctx, raw)
		if tc.want == nil {
			if err != nil {
				t.Errorf("%s: %v", tc.extra, err)
			}
			continue
		}
		r, ok := errors.AsType[*RejectError](err)
		if !ok || len(r.Unwrap()) != len(tc.want) || !errors.Is(err, ErrClaims) {
			t.Errorf("%s: %v", tc.extra, err)
			continue
		}
		for i, e := range r.Unwrap() {
			c, ok := e.(*ClaimError)
			if !ok || c.Claim != tc.want[i] || c.Code != "claim.replicated" || c.Got == "" || c.Spec != "RFC 7519, Section 5.3" {
				t.Errorf("%s: %+v", tc.extra, e)
			}
		}
		if strings.Contains(err.Error(), "mallory") {
			t.Errorf("%v quotes the token", err)
		}
	}
	// A claim that is not signed at all is no replica, and what the policy says is said too.
	_, err := v.Verify(ctx, wrap(outerPlain[:len(outerPlain)-1]+`,"sub":"alice"}`, forge(plain, with("sub", "-", "aud", `"x"`))))
	want(t, err, "aud.mismatch", "claim.replicated")
	// Comparing changes nothing: not even the one audience, which has its room in the token.
	tok, err := v.Verify(ctx, wrap(outerPlain[:len(outerPlain)-1]+`,"aud":"https://api.example"}`, inner))
	if err != nil || !slices.Equal(tok.Audience, []string{audience}) {
		t.Errorf("%v %v", tok, err)
	}
	// The audience of the token is not written over by the one that it is compared with.
	layers := []layer{{extra: map[string]json.RawMessage{"aud": []byte(`"other"`)}}}
	r := Registered{Audience: Audience{audience}}
	if v.replicas(layers, &r) == nil || r.Audience[0] != audience {
		t.Errorf("%v", r.Audience)
	}
	// A replica is judged before the token counts as used.
	rec := new(recorder)
	_, err = nested(t, func(p *Policy) { p.Replay = rec }).Verify(ctx, wrap(outerPlain[:len(outerPlain)-1]+`,"sub":"x"}`, inner))
	want(t, err, "claim.replicated")
	if rec.calls != nil {
		t.Error("a refused token counts as used")
	}
}

// The rules apply in one order, and a token that breaks several is refused for the first.
func TestNestedOrder(t *testing.T) {
	expired := forge(plain, with("exp", "1"))
	unknownCrit := `{"alg":"dir","enc":"A256GCM","crit":["x"],"x":1,"typ":"at+jwt"}`
	v := nested(t, func(p *Policy) {
		p.MaxSize = 900
		p.Decryption.Algorithms = []jwa.Algorithm{jwa.Dir, jwa.A128KW}
		p.Decryption.Encryptions = []jwa.Encryption{jwa.A256GCM}
	})
	_, err := v.Verify(ctx, wrap(outerPlain, forge(plain, good)))
	accept(t, err)
	broken := func(raw string) string { return spoil(raw) }
	for _, tc := range []struct{ name, token, want string }{
		{"size before parts", strings.Repeat("*", 901), "token.too_large"},
		{"one part", "abc", "token.malformed"},
		{"four parts", "a.b.c.d", "token.malformed"},
		{"six parts", wrap(outerPlain, expired) + ".", "token.malformed"},
		{"alphabet of the header", "*" + wrap(outerPlain, expired), "token.malformed"},
		{"alphabet of the tag before the header", wrap(`{"alg":"dir","enc":"A256GCM","x":1,"x":1}`, expired) + "=", "token.malformed"},
		{"alphabet of the tag before cty", wrap(`{"alg":"dir","enc":"A256GCM"}`, expired) + "=", "token.malformed"},
		{"alphabet of the tag before the key", wrap(outerPlain, expired) + "=", "token.malformed"},
		{"no header", "." + wrap(outerPlain, expired)[len(encode(outerPlain))+1:], "token.malformed"},
		{"header before crit", wrap(`{"alg":"dir","enc":"A256GCM","crit":["x"],"x":1,"x":1}`, expired), "json.duplicate"},
		{"crit before alg", wrap(strings.Replace(unknownCrit, "dir", "HS256", 1), expired), "crit.unknown"},
		{"crit before typ", wrap(unknownCrit, expired), "crit.unknown"},
		{"alg before typ", wrap(`{"alg":"RS256","enc":"A256GCM","typ":"at+jwt"}`, expired), "alg.unknown"},
		{"enc before typ", wrap(`{"alg":"dir","enc":"A257GCM","typ":"at+jwt"}`, expired), "enc.unknown"},
		{"none outside", wrap(`{"alg":"none","enc":"A256GCM","cty":"JWT"}`, expired), "alg.none"},
		{"typ before cty", wrap(`{"alg":"dir","enc":"A256GCM","typ":"at+jwt"}`, expired), "typ.mismatch"},
		{"cty before the key", wrap(`{"alg":"A128KW","enc":"A256GCM"}`, expired), "cty.mismatch"},
		{"alg that the policy does not have", wrap(`{"alg":"A256KW","enc":"A256GCM","cty":"JWT"}`, expired), "alg.not_allowed"},
		{"no key", wrap(`{"alg":"A128KW","enc":"A256GCM","cty":"JWT"}`, expired), "key.none"},
		{"enc that the policy does not have", wrap(`{"alg":"dir","enc":"A128GCM","cty":"JWT"}`, expired), "enc.not_allowed"},
		{"decryption before the inner token", broken(wrap(outerPlain, "{")), "dec.failed"},
		{"inner form before its signature", wrap(outerPlain, spoil(expired)+"*"), "token.malformed"},
		{"inner header before its signature", wrap(outerPlain, forge(`{"alg":"HS256","crit":["x"],"x":1}`, "{")), "crit.unknown"},
		{"inner signature before its claims", wrap(outerPlain, spoil(expired)), "sig.invalid"},
		{"inner claims before replicas", wrap(outerPlain[:len(outerPlain)-1]+`,"iss":"x"}`, forge(plain, "{")), "json.syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tok, err := v.Verify(ctx, tc.token)
			want(t, err, tc.want)
			if tok != nil {
				t.Error("a refused token is returned")
			}
		})
	}
}

// Whatever bit of the encrypted token is changed, it is refused, and nothing is said of what is inside.
func TestNestedFlippedBits(t *testing.T) {
	v := nested(t, func(p *Policy) { p.CacheSize = 8 })
	raw := wrap(outerPlain, forge(plain, with("exp", "1")))
	for i := range len(raw) {
		for bit := range 8 {
			b := []byte(raw)
			b[i] ^= 1 << bit
			_, err := v.Verify(ctx, string(b))
			for _, c := range codes(t, err) {
				if strings.HasPrefix(c, "exp.") || strings.HasPrefix(c, "sig.") || c == "accepted" {
					t.Fatalf("bit %d of byte %d: %s", bit, i, c)
				}
			}
		}
	}
	_, err := v.Verify(ctx, raw)
	want(t, err, "exp.expired")
}

func deflated(s string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// The policy's size is that of the encrypted token and of what comes out of it.
func TestNestedSize(t *testing.T) {
	inner := forge(plain, good)
	raw := wrap(outerPlain, inner)
	_, err := nested(t, func(p *Policy) { p.MaxSize = len(raw) }).Verify(ctx, raw)
	accept(t, err)
	_, err = nested(t, func(p *Policy) { p.MaxSize = len(raw) - 1 }).Verify(ctx, raw)
	want(t, err, "token.too_large")

	zipped := `{"alg":"dir","enc":"A256GCM","cty":"JWT","zip":"DEF"}`
	alike := func(n int) string { return forge(plain, with("x", `"`+strings.Repeat("x", n)+`"`)) }
	_, err = nested(t, nil).Verify(ctx, wrap(zipped, deflated(inner)))
	accept(t, err)
	// J7: a bomb, which is not inflated further than the policy's size.
	bomb, v := wrap(zipped, deflated(alike(4<<20))), nested(t, nil)
	n := allocated(func() { _, err = v.Verify(ctx, bomb) })
	want(t, err, "token.too_large")
	if !raceEnabled && n > 1<<20 {
		t.Errorf("%d bytes allocated for %d", n, len(bomb))
	}
	// Within the ratio, and over the size only when it is inflated.
	raw = wrap(zipped, deflated(alike(600)))
	if len(raw) > 700 {
		t.Fatalf("%d bytes", len(raw))
	}
	_, err = nested(t, func(p *Policy) { p.MaxSize = 2000 }).Verify(ctx, raw)
	accept(t, err)
	_, err = nested(t, func(p *Policy) { p.MaxSize = 700 }).Verify(ctx, raw)
	want(t, err, "token.too_large")
}

func TestDecryptionPolicy(t *testing.T) {
	set := jwk.DecryptionSet{sharedKey(t)}
	for name, tc := range map[string]struct {
		d    Decryption
		want string // empty: accepted
	}{
		"complete":        {Decryption{Keys: set}, ""},
		"no keys":         {Decryption{}, "Keys"},
		"nil key":         {Decryption{Keys: jwk.DecryptionSet{nil}}, "nil"},
		"zero algorithm":  {Decryption{Keys: set, Algorithms: []jwa.Algorithm{{}}}, "Algorithms"},
		"zero encryption": {Decryption{Keys: set, Encryptions: []jwa.Encryption{{}}}, "Encryptions"},
		"negative":        {Decryption{Keys: set, MaxNesting: -1}, "MaxNesting"},
		"one":             {Decryption{Keys: set, MaxNesting: 1}, "MaxNesting"},
		"two":             {Decryption{Keys: set, MaxNesting: 2}, ""},
		"five":            {Decryption{Keys: set, MaxNesting: 5}, ""},
		"six":             {Decryption{Keys: set, MaxNesting: 6}, "MaxNesting"},
	} {
		p := policy()
		p.Decryption = &tc.d
		_, err := NewVerifier[struct{}](jwk.Set{secretKey(t)}, p)
		if tc.want == "" {
			accept(t, err)
		} else if !errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// It is copied.
	p := policy()
	p.Decryption = &Decryption{Keys: set, Algorithms: []jwa.Algorithm{jwa.Dir}, Encryptions: []jwa.Encryption{jwa.A256GCM}}
	v := verifier[struct{}](t, jwk.Set{secretKey(t)}, p)
	set[0], p.Decryption.Algorithms[0], p.Decryption.Encryptions[0], p.Decryption.Keys = nil, jwa.A128KW, jwa.A128GCM, nil
	_, err := v.Verify(ctx, wrap(outerPlain, forge(plain, good)))
	accept(t, err)
}

// askedToDecrypt is a source that counts its visitors.
type askedToDecrypt struct {
	jwk.DecryptionSource
	queries []jwk.Query
	err     error
}

func (a *askedToDecrypt) DecryptionKeys(ctx context.Context, q jwk.Query) ([]jwk.Decrypter, error) {
	a.queries = append(a.queries, q)
	if a.err != nil {
		return nil, a.err
	}
	return a.DecryptionSource.DecryptionKeys(ctx, q)
}

func TestDecryptionSource(t *testing.T) {
	src := &askedToDecrypt{DecryptionSource: jwk.DecryptionSet{sharedKey(t)}}
	v := nested(t, func(p *Policy) { p.Decryption.Keys = src })
	raw := wrap(`{"alg":"dir","enc":"A256GCM","cty":"JWT","kid":"k","x5t#S256":"t"}`, forge(plain, good))
	_, err := v.Verify(ctx, raw)
	accept(t, err)
	if len(src.queries) != 1 || !reflect.DeepEqual(src.queries[0], jwk.Query{Algorithm: "dir", KeyID: "k", X5TS256: "t"}) {
		t.Errorf("queries %+v", src.queries)
	}
	// What is not the token's fault is returned as it is.
	for _, failure := range []error{errors.New("the network is down"), context.Canceled} {
		src.err = failure
		if _, err := v.Verify(ctx, raw); err != failure {
			t.Errorf("%v", err)
		}
	}
	src.err = jwk.ErrNoKey
	_, err = v.Verify(ctx, raw)
	want(t, err, "key.none")
	// Every key that has a reason of its own is heard.
	v = nested(t, func(p *Policy) {
		p.Decryption.Keys = jwk.DecryptionSet{fussyDecrypter{sharedKey(t)}, fussyDecrypter{sharedKey(t)}}
	})
	_, err = v.Verify(ctx, raw)
	want(t, err, "key.fips", "key.fips")
}

// fussyDecrypter is a key that refuses for a reason of its own.
type fussyDecrypter struct{ *jwk.SharedKey }

func (fussyDecrypter) DecryptKey(context.Context, *jwk.Wrapping) ([]byte, error) {
	return nil, jwk.ErrFIPS
}

// A remote key hears that its caller has gone.
func TestNestedContext(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := jwk.NewRemoteDecryptionKey(jwa.RSA_OAEP_256, "", &key.PublicKey, func(ctx context.Context, _ []byte, _ crypto.DecrypterOpts) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := SignEncrypted(ctx, secretKey(t), Recipient{Key: remote.Public()}, Header{}, registered7, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = nested(t, func(p *Policy) { p.Decryption.Keys = jwk.DecryptionSet{remote} }).Verify(short, raw)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if _, ok := errors.AsType[*RejectError](err); ok {
		t.Error("the end of ctx is told as a refusal of the token")
	}
}

// A token that is kept is neither decrypted nor verified again, as long as both keys are offered.
func TestNestedCache(t *testing.T) {
	key := sharedKey(t)
	src := &askedToDecrypt{DecryptionSource: jwk.DecryptionSet{key}}
	signers := new(rotating)
	signers.set(secretKey(t))
	p := caching(func(p *Policy) { p.Decryption = &Decryption{Keys: src} })
	for _, keys := range []jwk.Source{jwk.Set{secretKey(t)}, signers} {
		v := verifier[map[string]any](t, keys, p)
		raw := wrap(outerPlain[:len(outerPlain)-1]+`,"iss":"https://as.example","x":"y"}`, forge(plain, with("list", `["a"]`)))
		for range 3 {
			tok, err := v.Verify(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			layers := tok.Layers()
			if v.tokens.get(raw) == nil || tok.Claims["list"].([]any)[0] != "a" || string(layers[0].Header.Extra["x"]) != `"y"` || layers[0].Key != jwk.Decrypter(key) {
				t.Fatalf("%+v %+v", tok, layers)
			}
			// What one caller does to its token is not seen by the next.
			tok.Claims["list"].([]any)[0] = "spoilt"
			clear(layers[0].Header.Extra["x"])
			clear(tok.payload)
			layers[0].Key = nil
		}
		if v.tokens.get(forge(plain, with("list", `["a"]`))) != nil {
			t.Error("the signed token is kept beside the encrypted one")
		}
		_, err := v.Verify(ctx, forge(plain, with("list", `["a"]`)))
		want(t, err, "token.signed")
		_, err = v.Verify(ctx, spoil(raw))
		want(t, err, "dec.failed")
		// The key to decrypt with is withdrawn.
		src.err = jwk.ErrNoKey
		_, err = v.Verify(ctx, raw)
		want(t, err, "key.none")
		src.err = nil
		src.DecryptionSource = jwk.DecryptionSet{sharedKey(t)}
		tok, err := v.Verify(ctx, raw)
		if err != nil || tok.Layers()[0].Key == jwk.Decrypter(key) {
			t.Errorf("a key that is no longer offered is named: %v", err)
		}
		src.DecryptionSource = jwk.DecryptionSet{key}
	}
	// Anyone can encrypt a signed token anew, under a header of any size.
	v := verifier[map[string]any](t, signers, p)
	for n, kept := range map[int]bool{500: true, 1024: false} {
		raw := wrap(outerPlain[:len(outerPlain)-1]+`,"x":"`+strings.Repeat("x", n)+`"}`, forge(plain, good))
		_, err := v.Verify(ctx, raw)
		accept(t, err)
		if (v.tokens.get(raw) != nil) != kept {
			t.Errorf("with %d bytes more of a header, kept is not %v", n, kept)
		}
	}
	signers.set()
	v = verifier[map[string]any](t, signers, p)
	_, err := v.Verify(ctx, wrap(outerPlain, forge(plain, good)))
	want(t, err, "key.none")
}

func TestNestedCacheAsksForTheSigner(t *testing.T) {
	signers := new(rotating)
	signers.set(secretKey(t))
	v := verifier[struct{}](t, signers, caching(func(p *Policy) { p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(t)}} }))
	raw := wrap(outerPlain, forge(plain, good))
	for range 2 {
		_, err := v.Verify(ctx, raw)
		accept(t, err)
	}
	signers.set()
	_, err := v.Verify(ctx, raw)
	want(t, err, "key.none")
}

func TestNestedSelector(t *testing.T) {
	src := &asked{Source: jwk.Set{secretKey(t)}}
	p := policy()
	p.Selector = "iss"
	p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(t)}}
	_, err := verifier[struct{}](t, src, p).Verify(ctx, wrap(outerPlain, forge(plain, good)))
	accept(t, err)
	if len(src.queries) != 1 || src.queries[0].Selector != issuer {
		t.Errorf("queries %+v", src.queries)
	}
}

func TestSignEncryptedHeader(t *testing.T) {
	to := Recipient{
		Key:       sharedKey(t),
		Header:    jwe.Header{Type: "x+jwt", ContentType: "jwt", Extra: map[string]json.RawMessage{"x": []byte("1")}},
		Replicate: []string{"iss", "sub", "aud"},
	}
	r := registered7
	r.Issuer, r.Audience = "a\"<b", Audience{audience, "x"}
	raw, err := SignEncrypted(ctx, secretKey(t), to, Header{Type: "x+jwt"}, r, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := nested(t, func(p *Policy) { p.Type, p.Issuers = "x+jwt", []string{r.Issuer} }).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	h := tok.Layers()[0].Header
	if h.Type != "x+jwt" || h.ContentType != "JWT" || string(h.Extra["x"]) != "1" || string(h.Extra["sub"]) != `"alice"` || string(h.Extra["aud"]) != `["https://api.example","x"]` || len(h.Extra) != 4 {
		t.Errorf("%+v", h)
	}
	if len(to.Header.Extra) != 1 {
		t.Error("the caller's map is changed")
	}
	to.Header.Extra, to.Replicate, r = nil, []string{"aud"}, registered7
	if raw, err = SignEncrypted(ctx, secretKey(t), to, Header{Type: "x+jwt"}, r, struct{}{}); err != nil {
		t.Fatal(err)
	}
	if got := decodePart(t, raw, 0); got != `{"alg":"dir","typ":"x+jwt","cty":"JWT","enc":"A256GCM","aud":"https://api.example"}` {
		t.Errorf("header %s", got)
	}
}

func TestSignEncryptedRefuses(t *testing.T) {
	usual := Recipient{Key: sharedKey(t)}
	extra := func(name string) jwe.Header {
		return jwe.Header{Extra: map[string]json.RawMessage{name: []byte(`"x"`)}}
	}
	for _, tc := range []struct {
		name string
		to   Recipient
		r    Registered
		want error
	}{
		{"usual", usual, registered7, nil},
		{"no key", Recipient{}, registered7, ErrNoKey},
		{"no exp", usual, Registered{}, ErrMissing},
		{"cty", Recipient{Key: usual.Key, Header: jwe.Header{ContentType: "JSON"}}, registered7, ErrType},
		{"typ", Recipient{Key: usual.Key, Header: jwe.Header{Type: "other+jwt"}}, registered7, ErrType},
		{"typ JWT", Recipient{Key: usual.Key, Header: jwe.Header{Type: "JWT"}}, registered7, nil},
		{"alg", Recipient{Key: usual.Key, Header: jwe.Header{Algorithm: "A128KW"}}, registered7, ErrAlgorithm},
		{"enc of the key", Recipient{Key: usual.Key, Encryption: jwa.A128GCM}, registered7, jwk.ErrAlgorithm},
		{"claim in the header", Recipient{Key: usual.Key, Header: extra("iss")}, registered7, ErrCollision},
		{"jti in the header", Recipient{Key: usual.Key, Header: extra("jti")}, registered7, ErrCollision},
		{"replica and claim in the header", Recipient{Key: usual.Key, Header: extra("aud"), Replicate: []string{"aud"}}, registered7, ErrCollision},
		{"another claim", Recipient{Key: usual.Key, Replicate: []string{"jti"}}, registered7, ErrClaims},
		{"no iss", Recipient{Key: usual.Key, Replicate: []string{"iss"}}, Registered{Expiry: clock()}, ErrIssuer},
		{"no sub", Recipient{Key: usual.Key, Replicate: []string{"sub"}}, Registered{Expiry: clock()}, ErrMissing},
		{"no aud", Recipient{Key: usual.Key, Replicate: []string{"aud"}}, Registered{Expiry: clock()}, ErrAudience},
		{"bad iss", Recipient{Key: usual.Key}, Registered{Expiry: clock(), Issuer: "\xff"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := SignEncrypted(ctx, secretKey(t), tc.to, Header{Type: "x+jwt"}, tc.r, struct{}{})
			if tc.name == "bad iss" {
				if err == nil {
					t.Error("accepted")
				}
				return
			}
			if !errors.Is(err, tc.want) || (err == nil) != (raw != "") {
				t.Errorf("%v %s", err, raw)
			}
		})
	}
	// Nothing is signed for a recipient who cannot be written to.
	signed := false
	key, err := jwk.NewRemoteKey(jwa.ES256, "r", privateKey(t, jwa.ES256).Public().CryptoKey(), func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
		signed = true
		return nil, errors.New("the service is down")
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = SignEncrypted(ctx, key, Recipient{}, Header{}, registered7, struct{}{})
	if !errors.Is(err, ErrNoKey) || signed {
		t.Errorf("%v", err)
	}
	if _, err = SignEncrypted(ctx, key, usual, Header{}, registered7, struct{}{}); err == nil || !signed {
		t.Errorf("%v", err)
	}
}

func TestNestedConcurrently(t *testing.T) {
	key := decryptionKey(t, jwa.ECDH_ES, "P-256")
	p := caching(func(p *Policy) { p.Decryption, p.CacheSize = &Decryption{Keys: jwk.DecryptionSet{key}}, 4 })
	v := verifier[map[string]any](t, jwk.Set{secretKey(t)}, p)
	var tokens []string
	for n := range 6 {
		raw, err := SignEncrypted(ctx, secretKey(t), Recipient{Key: key.Public(), Replicate: []string{"aud"}}, Header{}, registered7, map[string]any{"n": n})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, raw)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 30 {
				n := (g + i) % len(tokens)
				tok, err := v.Verify(ctx, tokens[n])
				if err != nil || tok.Claims["n"] != json.Number(fmt.Sprint(n)) {
					t.Errorf("%v %v", tok, err)
					continue
				}
				clear(tok.Layers()[0].Header.Extra)
				tok.Audience[0] = "spoilt"
			}
		})
	}
	wg.Wait()
}
