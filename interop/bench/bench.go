// Package bench holds the same work done by jot, by its peers and by the bare
// operation of the standard library, for benchmarks side by side.
//
// To verify is: the signature, that exp is ahead, that iss and aud are those
// expected, and the claims in a struct [Order]. To sign is: from that struct to a
// compact token. Where a library cannot decode into a struct, it reads the same
// members one by one. To encrypt and to decrypt is as [Encryptions] says. Each library is set up the way its documentation has it for
// a program that verifies many tokens: whatever can be made once is.
package bench

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	gojose "github.com/go-jose/go-jose/v4/jwt"
	golang "github.com/golang-jwt/jwt/v5"
	kataras "github.com/kataras/jwt"
	jwxjwa "github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Order is what a token says besides the registered claims.
type Order struct {
	Scope    string   `json:"scope"`
	ClientID string   `json:"client_id"`
	Items    []string `json:"items"`
	Total    int64    `json:"total"`
}

const (
	issuer   = "https://as.example.com"
	audience = "https://api.example.com"
	subject  = "5be86359-073c-434b-ad2d-a3932222dabe"
)

var theOrder = Order{"openid orders:write", "s6BhdRkqt3", []string{"1f8a", "9c02"}, 12900}

// Algorithms are those measured.
var Algorithms = []string{"HS256", "ES256", "EdDSA", "RS256", "PS256"}

// Libraries are those measured, jot first; bare is the standard library's operation
// on the same bytes, without reading or writing anything.
var Libraries = []string{"jot", "bare", "golang-jwt", "go-jose", "jwx", "kataras"}

// Op is one thing to measure.
type Op struct {
	Name, Library string
	Run           func() error
}

// secretBytes is the HMAC key.
var secretBytes = sync.OnceValue(func() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return b
})

// material is one key in the form each library takes.
type material struct {
	alg     string
	private any // crypto/* or []byte
	public  any
	jot     jwk.Signer
	keys    jwk.Set
}

var materials = sync.OnceValue(func() map[string]*material {
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	rs := must(rsa.GenerateKey(rand.Reader, 2048))
	out := map[string]*material{}
	for alg, key := range map[string]crypto.Signer{"ES256": ec, "EdDSA": ed, "RS256": rs, "PS256": rs} {
		a, _ := jwa.Lookup(alg)
		k := must(jwk.NewPrivateKey(a, "", key))
		out[alg] = &material{alg: alg, private: key, public: key.Public(), jot: k, keys: jwk.Set{k.Public()}}
	}
	k := must(jwk.NewSecretKey(jwa.HS256, "", secretBytes()))
	out["HS256"] = &material{alg: "HS256", private: secretBytes(), public: secretBytes(), jot: k, keys: jwk.Set{k}}
	return out
})

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

var errWrong = errors.New("the claims are not those of the token")

// same reports whether the claims came out right, so that no library is measured
// that skips them. It costs a few comparisons.
func same(o *Order, sub string) error {
	if o.Total != theOrder.Total || len(o.Items) != 2 || o.ClientID != theOrder.ClientID || sub != subject {
		return errWrong
	}
	return nil
}

func registered() jwt.Registered {
	now := time.Now().Truncate(time.Second)
	return jwt.Registered{
		Issuer: issuer, Subject: subject, Audience: jwt.Audience{audience}, IssuedAt: now, Expiry: now.Add(time.Hour), ID: "8f0c9a52",
	}
}

// Token is the token that every library verifies.
func Token(alg string) string {
	m := materials()[alg]
	return must(jwt.Sign(context.Background(), m.jot, jwt.Header{Type: "JWT"}, registered(), theOrder))
}

// Verifier is one library's way from a token to claims.
type Verifier struct {
	Library string
	Verify  func(token string) error
}

// Verifiers returns the libraries, without the bare operation, which reads no token.
func Verifiers(alg string) []Verifier {
	m := materials()[alg]
	return []Verifier{
		{"jot", jotVerifier(m, 0)}, {"golang-jwt", golangVerifier(m)}, {"go-jose", goJoseVerifier(m)}, {"jwx", jwxVerifier(m)}, {"kataras", katarasVerifier(m)},
	}
}

// LargeToken is Token with what large providers say beside: claims that the program
// which verifies does not want, 1.4 KB in all.
func LargeToken(alg string) string {
	now := registered().IssuedAt
	return must(jwt.Sign(context.Background(), materials()[alg].jot, jwt.Header{Type: "JWT"}, registered(), map[string]any{
		"scope": theOrder.Scope, "client_id": theOrder.ClientID, "items": theOrder.Items, "total": theOrder.Total,
		"session_start": now.Unix(), "auth_time": now.Add(-time.Minute).Unix(), "acr": "urn:mace:incommon:iap:silver", "amr": []string{"pwd", "otp"},
		"azp": "6cb04018-a3f5-46a7-b995-940c78f5aef3", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "tid": "7fe81447-da57-4385-becb-6de57f21477e",
		"name": "Abe Lincoln", "preferred_username": "abelincoln@example.com", "email": "abelincoln@example.com", "email_verified": true,
		"roles": []string{"orders.read", "orders.write", "customers.read", "reports.read"}, "groups": []string{"/sales/emea", "/sales/apac", "/support"},
		"realm_access": map[string]any{"roles": []string{"offline_access", "uma_authorization", "default-roles-shop"}},
		"sid":          "0c7b6e22-8f5d-4d2a-9a3f-3a2f6b6c8a11", "ver": "2.0", "uti": "DgcS0HwMZ0yJ6Y0pTm4BAA", "idp": "https://sts.example.com/7fe81447/",
	}))
}

// Verifications returns the operations "verify ALG".
func Verifications(alg string) []Op { return verifications("verify "+alg, alg, Token(alg)) }

func verifications(name, alg, token string) []Op {
	ops := []Op{{name, "bare", bareVerifier(materials()[alg], token)}}
	for _, v := range Verifiers(alg) {
		ops = append(ops, Op{name, v.Library, func() error { return v.Verify(token) }})
	}
	return ops
}

// CacheHits returns the operations "verify ALG again": jot with its cache of
// verified tokens.
func CacheHits(alg string) []Op {
	token, m := Token(alg), materials()[alg]
	verify := jotVerifier(m, 64)
	claimless := must(jwt.NewVerifier[struct{}](m.keys, jwt.Policy{Issuers: []string{issuer}, Audiences: []string{audience}, CacheSize: 64}))
	return []Op{
		{"verify " + alg + " again", "jot", func() error { return verify(token) }},
		{"verify " + alg + " again, registered claims alone", "jot", func() error {
			_, err := claimless.Verify(context.Background(), token)
			return err
		}},
	}
}

func jotVerifier(m *material, cache int) func(string) error {
	v := must(jwt.NewVerifier[Order](m.keys, jwt.Policy{Issuers: []string{issuer}, Audiences: []string{audience}, CacheSize: cache}))
	return func(token string) error {
		t, err := v.Verify(context.Background(), token)
		if err != nil {
			return err
		}
		return same(&t.Claims, t.Subject)
	}
}

type golangClaims struct {
	Order
	golang.RegisteredClaims
}

func golangVerifier(m *material) func(string) error {
	parser := golang.NewParser(
		golang.WithValidMethods([]string{m.alg}), golang.WithIssuer(issuer), golang.WithAudience(audience), golang.WithExpirationRequired(), golang.WithIssuedAt(),
	)
	key := func(*golang.Token) (any, error) { return m.public, nil }
	return func(token string) error {
		var c golangClaims
		if _, err := parser.ParseWithClaims(token, &c, key); err != nil {
			return err
		}
		return same(&c.Order, c.Subject)
	}
}

func goJoseVerifier(m *material) func(string) error {
	algs := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(m.alg)}
	return func(token string) error {
		t, err := gojose.ParseSigned(token, algs)
		if err != nil {
			return err
		}
		var std gojose.Claims
		var o Order
		if err := t.Claims(m.public, &std, &o); err != nil {
			return err
		}
		if std.Expiry == nil {
			return errors.New("no exp")
		}
		if err := std.Validate(gojose.Expected{Issuer: issuer, AnyAudience: gojose.Audience{audience}, Time: time.Now()}); err != nil {
			return err
		}
		return same(&o, std.Subject)
	}
}

func jwxAlgorithm(alg string) jwxjwa.SignatureAlgorithm {
	a, ok := jwxjwa.LookupSignatureAlgorithm(alg)
	if !ok {
		panic(alg)
	}
	return a
}

func jwxVerifier(m *material) func(string) error {
	options := []jwx.ParseOption{
		jwx.WithKey(jwxAlgorithm(m.alg), must(jwxjwk.Import(m.public))), jwx.WithIssuer(issuer), jwx.WithAudience(audience), jwx.WithRequiredClaim("exp"),
		jwx.WithTypedClaim("items", []string{}), jwx.WithTypedClaim("total", int64(0)),
	}
	return func(token string) error {
		t, err := jwx.Parse([]byte(token), options...)
		if err != nil {
			return err
		}
		var o Order
		err = errors.Join(t.Get("scope", &o.Scope), t.Get("client_id", &o.ClientID), t.Get("items", &o.Items), t.Get("total", &o.Total))
		if err != nil {
			return err
		}
		sub, _ := t.Subject()
		return same(&o, sub)
	}
}

var katarasAlgorithms = map[string]kataras.Alg{
	"HS256": kataras.HS256, "ES256": kataras.ES256, "EdDSA": kataras.EdDSA, "RS256": kataras.RS256, "PS256": kataras.PS256,
}

func katarasVerifier(m *material) func(string) error {
	alg := katarasAlgorithms[m.alg]
	expected := kataras.Expected{Issuer: issuer, Audience: kataras.Audience{audience}}
	return func(token string) error {
		t, err := kataras.Verify(alg, m.public, []byte(token), expected)
		if err != nil {
			return err
		}
		var o Order
		if err := t.Claims(&o); err != nil {
			return err
		}
		if t.StandardClaims.Expiry == 0 {
			return errors.New("no exp")
		}
		return same(&o, t.StandardClaims.Subject)
	}
}

// bareVerifier hashes the signing input and runs the primitive, on one goroutine.
func bareVerifier(m *material, token string) func() error {
	dot := strings.LastIndexByte(token, '.')
	input, sig := []byte(token[:dot]), must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
	failed := errors.New("the primitive refuses")
	verdict := func(ok bool) error {
		if ok {
			return nil
		}
		return failed
	}
	switch m.alg {
	case "HS256":
		mac := hmac.New(sha256.New, secretBytes())
		sum := make([]byte, 0, 32)
		return func() error {
			mac.Reset()
			mac.Write(input)
			return verdict(subtle.ConstantTimeCompare(mac.Sum(sum), sig) == 1)
		}
	case "ES256":
		der := derOf(sig)
		return func() error {
			d := sha256.Sum256(input)
			return verdict(ecdsa.VerifyASN1(m.public.(*ecdsa.PublicKey), d[:], der))
		}
	case "EdDSA":
		return func() error { return verdict(ed25519.Verify(m.public.(ed25519.PublicKey), input, sig)) }
	case "RS256":
		return func() error {
			d := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(m.public.(*rsa.PublicKey), crypto.SHA256, d[:], sig)
		}
	default:
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return func() error {
			d := sha256.Sum256(input)
			return rsa.VerifyPSS(m.public.(*rsa.PublicKey), crypto.SHA256, d[:], sig, options)
		}
	}
}

// derOf is the ASN.1 of r and s side by side.
func derOf(sig []byte) []byte {
	integer := func(b []byte) []byte {
		b = new(big.Int).SetBytes(b).Bytes()
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return append([]byte{2, byte(len(b))}, b...)
	}
	body := append(integer(sig[:len(sig)/2]), integer(sig[len(sig)/2:])...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// Signer is one library's way from claims to a token.
type Signer struct {
	Library string
	Sign    func() (string, error)
}

// Signers returns the libraries, without the bare operation.
func Signers(alg string) []Signer {
	m := materials()[alg]
	reg := registered()
	iat, exp := reg.IssuedAt.Unix(), reg.Expiry.Unix()
	return []Signer{
		{"jot", func() (string, error) {
			return jwt.Sign(context.Background(), m.jot, jwt.Header{Type: "JWT"}, reg, theOrder)
		}},
		{"golang-jwt", func() (string, error) {
			return golang.NewWithClaims(golang.GetSigningMethod(alg), &golangClaims{theOrder, golang.RegisteredClaims{
				Issuer: issuer, Subject: subject, Audience: golang.ClaimStrings{audience}, ID: reg.ID,
				IssuedAt: golang.NewNumericDate(reg.IssuedAt), ExpiresAt: golang.NewNumericDate(reg.Expiry),
			}}).SignedString(m.private)
		}},
		{"go-jose", goJoseSigner(m, reg)},
		{"jwx", jwxSigner(m, reg)},
		{"kataras", func() (string, error) {
			t, err := kataras.Sign(katarasAlgorithms[alg], m.private, &katarasClaims{theOrder, kataras.Claims{
				Issuer: issuer, Subject: subject, Audience: kataras.Audience{audience}, ID: reg.ID, IssuedAt: iat, Expiry: exp,
			}})
			return string(t), err
		}},
	}
}

type katarasClaims struct {
	Order
	kataras.Claims
}

func goJoseSigner(m *material, reg jwt.Registered) func() (string, error) {
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(m.alg), Key: m.private}, (&jose.SignerOptions{}).WithType("JWT")))
	return func() (string, error) {
		return gojose.Signed(signer).Claims(gojose.Claims{
			Issuer: issuer, Subject: subject, Audience: gojose.Audience{audience}, ID: reg.ID,
			IssuedAt: gojose.NewNumericDate(reg.IssuedAt), Expiry: gojose.NewNumericDate(reg.Expiry),
		}).Claims(theOrder).Serialize()
	}
}

func jwxSigner(m *material, reg jwt.Registered) func() (string, error) {
	key := jwx.WithKey(jwxAlgorithm(m.alg), must(jwxjwk.Import(m.private)))
	return func() (string, error) {
		t, err := jwx.NewBuilder().Issuer(issuer).Subject(subject).Audience([]string{audience}).JwtID(reg.ID).IssuedAt(reg.IssuedAt).Expiration(reg.Expiry).
			Claim("scope", theOrder.Scope).Claim("client_id", theOrder.ClientID).Claim("items", theOrder.Items).Claim("total", theOrder.Total).Build()
		if err != nil {
			return "", err
		}
		out, err := jwx.Sign(t, key)
		return string(out), err
	}
}

// Signatures returns the operations "sign ALG".
func Signatures(alg string) []Op {
	token, m := Token(alg), materials()[alg]
	ops := []Op{{"sign " + alg, "bare", bareSigner(m, token[:strings.LastIndexByte(token, '.')])}}
	for _, s := range Signers(alg) {
		ops = append(ops, Op{"sign " + alg, s.Library, func() error {
			_, err := s.Sign()
			return err
		}})
	}
	return ops
}

func bareSigner(m *material, text string) func() error {
	input := []byte(text)
	switch m.alg {
	case "HS256":
		mac := hmac.New(sha256.New, secretBytes())
		sum := make([]byte, 0, 32)
		return func() error {
			mac.Reset()
			mac.Write(input)
			sum = mac.Sum(sum[:0])
			return nil
		}
	case "ES256":
		return func() error {
			d := sha256.Sum256(input)
			_, err := ecdsa.SignASN1(rand.Reader, m.private.(*ecdsa.PrivateKey), d[:])
			return err
		}
	case "EdDSA":
		return func() error {
			ed25519.Sign(m.private.(ed25519.PrivateKey), input)
			return nil
		}
	case "RS256":
		return func() error {
			d := sha256.Sum256(input)
			_, err := rsa.SignPKCS1v15(nil, m.private.(*rsa.PrivateKey), crypto.SHA256, d[:])
			return err
		}
	default:
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return func() error {
			d := sha256.Sum256(input)
			_, err := rsa.SignPSS(rand.Reader, m.private.(*rsa.PrivateKey), crypto.SHA256, d[:], options)
			return err
		}
	}
}

// SetJSON is a JWK set of 60 P-256, 30 RSA-2048 and 10 Ed25519 keys. The RSA moduli
// are odd random numbers, which no reader can tell from products of two primes.
var SetJSON = sync.OnceValue(func() []byte {
	var keys []map[string]string
	add := func(m map[string]string) {
		m["kid"], m["use"] = fmt.Sprintf("key-%02d", len(keys)), "sig"
		keys = append(keys, m)
	}
	enc := base64.RawURLEncoding.EncodeToString
	for range 60 {
		p := must(must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).PublicKey.Bytes())
		add(map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "x": enc(p[1:33]), "y": enc(p[33:])})
	}
	for range 30 {
		n := make([]byte, 256)
		_, _ = rand.Read(n)
		n[0], n[255] = n[0]|0x80, n[255]|1
		add(map[string]string{"kty": "RSA", "alg": "RS256", "n": enc(n), "e": "AQAB"})
	}
	for range 10 {
		pub, _, err := ed25519.GenerateKey(rand.Reader)
		check(err)
		add(map[string]string{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": enc(pub)})
	}
	return must(json.Marshal(map[string]any{"keys": keys}))
})

// Sets returns the operations "set of 100 keys". The bare one is encoding/json into
// a plain struct of strings: no key is made, nothing is checked.
func Sets() []Op {
	const name = "JWK set of 100 keys"
	data := SetJSON()
	many := func(n int, err error) error {
		if err == nil && n != 100 {
			err = fmt.Errorf("%d keys", n)
		}
		return err
	}
	return []Op{
		{name, "jot", func() error {
			set, skipped, err := jwk.ParseSet(data, jwk.Binding{})
			return many(len(set)-len(skipped), err)
		}},
		{name, "bare", func() error {
			var set struct {
				Keys []struct{ Kty, Crv, Alg, Use, Kid, X, Y, N, E string }
			}
			err := json.Unmarshal(data, &set)
			return many(len(set.Keys), err)
		}},
		{name, "go-jose", func() error {
			var set jose.JSONWebKeySet
			err := json.Unmarshal(data, &set)
			return many(len(set.Keys), err)
		}},
		{name, "jwx", func() error {
			set, err := jwxjwk.Parse(data)
			if err != nil {
				return err
			}
			return many(set.Len(), nil)
		}},
	}
}

// All returns every operation on one goroutine.
func All() []Op {
	var ops []Op
	for _, alg := range Algorithms {
		ops = append(ops, Verifications(alg)...)
	}
	ops = append(ops, verifications("verify HS256, 1.4 KB", "HS256", LargeToken("HS256"))...)
	for _, alg := range Algorithms {
		ops = append(ops, Signatures(alg)...)
	}
	ops = append(ops, Sets()...)
	for _, e := range Encryptions() {
		ops = append(ops, e.Operations()...)
	}
	for _, alg := range Algorithms {
		ops = append(ops, CacheHits(alg)...)
	}
	return ops
}
