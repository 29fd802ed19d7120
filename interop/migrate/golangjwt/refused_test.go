package golangjwt

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	golang "github.com/golang-jwt/jwt/v5"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

const (
	header = `{"alg":"ALG","kid":"KID","typ":"JWT"}`
	claims = `{"iss":"https://a.example","aud":"api","exp":SOON}`
)

// theirs verifies as Example_verifyBefore does.
func theirs(key any, raw string, options ...golang.ParserOption) error {
	var c orderClaims
	_, err := golang.ParseWithClaims(raw, &c, func(*golang.Token) (any, error) { return key, nil },
		append(options, golang.WithIssuer("https://a.example"), golang.WithAudience("api"))...)
	return err
}

// ours verifies as Example_verify does, with a policy that p changes.
func ours(keys jwk.Source, raw string, change func(p *jwt.Policy)) error {
	p := jwt.Policy{Issuers: []string{"https://a.example"}, Audiences: []string{"api"}}
	if change != nil {
		change(&p)
	}
	v, err := jwt.NewVerifier[order](keys, p)
	if err != nil {
		return err
	}
	_, err = v.Verify(ctx, raw)
	return err
}

// set is a JWK set as it is published, with "alg" or without.
func set(private *rsa.PrivateKey, alg string) []byte {
	d := must(jwk.FromKey(private.Public())).WithKeyID("k1")
	if alg != "" {
		d = must(d.With("alg", alg))
	}
	return must(json.Marshal(map[string]any{"keys": []jwk.JWK{d}}))
}

func bound(text []byte, b jwk.Binding) jwk.Set {
	s, _, err := jwk.ParseSet(text, b)
	return must(s, err)
}

func TestRefused(t *testing.T) {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	// A row in which the token is what is refused.
	token := func(what, codes, header, claims string, option func(p *jwt.Policy)) migrate.Row {
		raw := migrate.Forge(key, header, claims)
		r := migrate.Row{
			What: what, Codes: codes,
			Theirs: func() error { return theirs(secret, raw) },
			Ours:   func() error { return ours(jwk.Set{key}, raw, nil) },
		}
		if option != nil {
			r.Option = func() error { return ours(jwk.Set{key}, raw, option) }
		}
		return r
	}
	good := migrate.Forge(key, header, claims)
	short := []byte("secret")
	short256 := migrate.Forge(must(jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", short)), header, claims)

	private := must(rsa.GenerateKey(rand.Reader, 2048))
	ps256 := migrate.Forge(must(jwk.NewPrivateKey(jwa.PS256, "k1", private)), header, claims)
	noAlg := set(private, "")

	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	weakToken := must(golang.NewWithClaims(golang.SigningMethodRS256, golang.MapClaims{
		"iss": "https://a.example", "aud": "api", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(weak))

	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(private.Public()))})
	pemToken := must(golang.NewWithClaims(golang.SigningMethodHS256, golang.MapClaims{
		"iss": "https://a.example", "aud": "api", "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(public))

	a, b := migrate.NewServer(), migrate.NewServer()
	defer a.Close()
	defer b.Close()
	foreign := migrate.Forge(b.Key(), header, strings.Replace(claims, "https://a.example", a.URL, 1))

	migrate.Check(t, "from-golang-jwt.md", []migrate.Row{
		token("no `exp`", "exp.missing", header, `{"iss":"https://a.example","aud":"api"}`,
			func(p *jwt.Policy) { p.OptionalExpiry = true }),
		token("`iat` in the future", "iat.future", header, `{"iss":"https://a.example","aud":"api","exp":SOON,"iat":SOON}`,
			func(p *jwt.Policy) { p.AllowFutureIssuedAt = true }),
		token("a `typ` that is not JWT", "typ.mismatch", `{"alg":"ALG","typ":"at+jwt"}`, claims,
			func(p *jwt.Policy) { p.Type = "at+jwt" }),
		token("an extension in `crit`", "crit.unknown", `{"alg":"ALG","crit":["exp"],"exp":1}`, claims,
			func(p *jwt.Policy) { p.Critical = []string{"exp"} }),
		token("a member twice", "json.duplicate", header, `{"iss":"https://b.example","iss":"https://a.example","aud":"api","exp":SOON}`, nil),
		token("`ISS`, `Exp`: names in other letters", "iss.missing", header, `{"ISS":"https://a.example","aud":"api","exp":SOON}`, nil),
		token("more than 64 KiB", "token.too_large", header, `{"iss":"https://a.example","aud":"api","exp":SOON,"x":"`+strings.Repeat("x", 1<<16)+`"}`,
			func(p *jwt.Policy) { p.MaxSize = 1 << 20 }),
		{
			What: "padding, with `WithPaddingAllowed`", Codes: "token.malformed",
			Theirs: func() error { return theirs(secret, good+"=", golang.WithPaddingAllowed()) },
			Ours:   func() error { return ours(jwk.Set{key}, good+"=", nil) },
		},
		{
			What: "an issuer or audience that nobody asks for", Codes: "policy.invalid",
			Theirs: func() error {
				_, err := golang.Parse(good, func(*golang.Token) (any, error) { return secret, nil })
				return err
			},
			Ours: func() error { return ours(jwk.Set{key}, good, func(p *jwt.Policy) { *p = jwt.Policy{} }) },
			Option: func() error {
				return ours(jwk.Set{key}, good, func(p *jwt.Policy) { *p = jwt.Policy{AnyIssuer: true, AnyAudience: true} })
			},
		},
		{
			What: "a secret shorter than its hash", Codes: "key.weak",
			Theirs: func() error { return theirs(short, short256) },
			Ours:   func() error { _, err := jwk.NewSecretKey(jwa.HS256, "", short); return err },
			Option: func() error {
				return ours(jwk.Set{must(jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", short))}, short256, nil)
			},
		},
		{
			What: "a secret that is a public key in PEM", Codes: "key.invalid",
			Theirs: func() error { return theirs(public, pemToken) },
			Ours:   func() error { _, err := jwk.NewSecretKey(jwa.HS256, "", public); return err },
		},
		{
			What: "RSA keys of less than 2048 bits", Codes: "key.weak",
			Theirs: func() error { return theirs(weak.Public(), weakToken) },
			Ours:   func() error { _, err := jwk.NewPublicKey(jwa.RS256, "", weak.Public()); return err },
		},
		{
			What: "an RSA key without `alg` for all but RS256", Codes: "alg.mismatch",
			Theirs: func() error {
				_, err := golang.Parse(ps256, must(keyfunc.NewJWKSetJSON(noAlg)).Keyfunc)
				return err
			},
			Ours: func() error { return ours(bound(noAlg, jwk.Binding{}), ps256, nil) },
			Option: func() error {
				return ours(bound(noAlg, jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}}), ps256, nil)
			},
		},
		{
			What: "a token of one issuer by a key of another", Codes: "key.none",
			Theirs: func() error {
				_, err := golang.Parse(foreign, must(keyfunc.NewDefaultCtx(t.Context(), []string{a.URL + "/jwks", b.URL + "/jwks"})).Keyfunc, golang.WithIssuer(a.URL))
				return err
			},
			Ours: func() error {
				var trust keyset.Trust
				for _, s := range []*migrate.Server{a, b} {
					keys := must(keyset.NewRemote(s.URL+"/jwks", keyset.Options{}))
					t.Cleanup(func() { _ = keys.Close() })
					if err := trust.Add(s.URL, keys); err != nil {
						return err
					}
				}
				return ours(&trust, foreign, func(p *jwt.Policy) { p.Issuers, p.AnyIssuer, p.Selector = nil, true, "iss" })
			},
		},
		{
			What: "a key that is newer than the last fetch, for 30 s", Codes: "key.none",
			Theirs: func() error {
				s := migrate.NewServer()
				defer s.Close()
				keys := must(keyfunc.NewDefaultCtx(t.Context(), []string{s.URL + "/jwks"}))
				s.Rotate()
				_, err := golang.Parse(s.Token(), keys.Keyfunc)
				return err
			},
			Ours:   func() error { return rotated(keyset.Options{}) },
			Option: func() error { return rotated(keyset.Options{MinInterval: time.Nanosecond}) },
		},
	})
}

// rotated verifies a token of a key that has just replaced another.
func rotated(o keyset.Options) error {
	s := migrate.NewServer()
	defer s.Close()
	keys := must(keyset.NewRemote(s.URL+"/jwks", o))
	defer func() { _ = keys.Close() }()
	change := func(p *jwt.Policy) { p.Issuers = []string{s.URL} }
	if err := ours(keys, s.Token(), change); err != nil {
		return err
	}
	s.Rotate()
	return ours(keys, s.Token(), change)
}

// What is accepted that was refused: clocks may differ by a minute.
func TestAccepted(t *testing.T) {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	raw := must(jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{
		Issuer: "https://a.example", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(-30 * time.Second),
	}, order{}))
	if theirs(secret, raw) == nil {
		t.Error("golang-jwt has a leeway")
	}
	if err := ours(jwk.Set{key}, raw, nil); err != nil {
		t.Error(err)
	}
	if ours(jwk.Set{key}, raw, func(p *jwt.Policy) { p.Leeway = jwt.NoLeeway }) == nil {
		t.Error("NoLeeway has a leeway")
	}
}
