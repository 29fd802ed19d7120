// Package peers puts one face on jot and on the libraries it is compared with: a
// key, a compact token, and whether the token is accepted.
//
// Each library is set up as its documentation advises for a program that takes
// tokens of one issuer: the algorithm named, exp required, iss and aud expected,
// no leeway. "golang-jwt strict" and "jwx strict" have every option on that makes
// them refuse more.
package peers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	gojose "github.com/go-jose/go-jose/v4/jwt"
	golang "github.com/golang-jwt/jwt/v5"
	jwxjwa "github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"
	jwx "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// What every library expects.
const (
	Issuer   = "https://as.example"
	Audience = "https://api.example"
)

// Now is the clock of every library.
var Now = time.Unix(1767268800, 0)

// Key is what a token is verified with, as a program has it: a key of the standard
// library or the bytes of a secret, or else a JWK.
type Key struct {
	Algorithm string
	Raw       any
	JWK       string // used where the library reads JWKs; then Raw is nil
}

// Claims is what a library made of an accepted token.
type Claims struct{ Subject, Scope string }

// own is the one claim that is not registered.
type own struct {
	Scope string `json:"scope"`
}

// Library verifies a token. Its error is nil where the token is accepted.
type Library struct {
	Name   string
	Verify func(Key, string) (Claims, error)
}

// Jot is the library of this repository.
var Jot = Library{"jot", verifyJot}

// All returns the peers.
func All() []Library {
	return []Library{
		{"golang-jwt", func(k Key, token string) (Claims, error) { return verifyGolang(k, token) }},
		{"golang-jwt strict", func(k Key, token string) (Claims, error) { return verifyGolang(k, token, golang.WithStrictDecoding()) }},
		{"go-jose", verifyGoJose},
		{"jwx", func(k Key, token string) (Claims, error) { return verifyJWX(k, token) }},
		{"jwx strict", func(k Key, token string) (Claims, error) {
			return verifyJWX(k, token, jwx.WithPedantic(true), jwx.WithStrictStringClaims(true))
		}},
	}
}

// ErrNotApplicable says that a library has no such thing to be verified with.
var ErrNotApplicable = errors.New("the library reads no JWK")

func verifyJot(k Key, token string) (Claims, error) {
	alg, ok := jwa.Lookup(k.Algorithm)
	if !ok {
		return Claims{}, errors.New("no such algorithm")
	}
	key, err := jotKey(alg, k)
	if err != nil {
		return Claims{}, err
	}
	v, err := jwt.NewVerifier[own](jwk.Set{key}, jwt.Policy{
		Issuers: []string{Issuer}, Audiences: []string{Audience}, Leeway: jwt.NoLeeway, Clock: func() time.Time { return Now },
	})
	if err != nil {
		return Claims{}, err
	}
	t, err := v.Verify(context.Background(), token)
	if err != nil {
		return Claims{}, err
	}
	return Claims{t.Subject, t.Claims.Scope}, nil
}

func jotKey(alg jwa.Algorithm, k Key) (jwk.Key, error) {
	if secret, ok := k.Raw.([]byte); ok {
		return jwk.NewSecretKey(alg, "", secret)
	}
	if k.Raw != nil {
		return jwk.NewPublicKey(alg, "", k.Raw)
	}
	description, err := jwk.Parse([]byte(k.JWK))
	if err != nil {
		return nil, err
	}
	if description.KeyType() == "oct" {
		return description.SecretKey(jwk.Binding{})
	}
	return description.PublicKey(jwk.Binding{})
}

func verifyGolang(k Key, token string, more ...golang.ParserOption) (Claims, error) {
	if k.Raw == nil {
		return Claims{}, ErrNotApplicable
	}
	options := append(more,
		golang.WithValidMethods([]string{k.Algorithm}), golang.WithIssuer(Issuer), golang.WithAudience(Audience),
		golang.WithExpirationRequired(), golang.WithIssuedAt(), golang.WithTimeFunc(func() time.Time { return Now }),
	)
	var claims struct {
		golang.RegisteredClaims
		own
	}
	_, err := golang.ParseWithClaims(token, &claims, func(*golang.Token) (any, error) { return k.Raw, nil }, options...)
	return Claims{claims.Subject, claims.Scope}, err
}

func verifyGoJose(k Key, token string) (Claims, error) {
	key := k.Raw
	if key == nil {
		var j jose.JSONWebKey
		if err := json.Unmarshal([]byte(k.JWK), &j); err != nil {
			return Claims{}, err
		}
		key = j
	}
	t, err := gojose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.Algorithm)})
	if err != nil {
		return Claims{}, err
	}
	var claims gojose.Claims
	var mine own
	if err := t.Claims(key, &claims, &mine); err != nil {
		return Claims{}, err
	}
	if claims.Expiry == nil {
		return Claims{}, errors.New("no exp")
	}
	return Claims{claims.Subject, mine.Scope}, claims.ValidateWithLeeway(gojose.Expected{Issuer: Issuer, AnyAudience: gojose.Audience{Audience}, Time: Now}, 0)
}

func verifyJWX(k Key, token string, more ...jwx.ParseOption) (Claims, error) {
	alg, ok := jwxjwa.LookupSignatureAlgorithm(k.Algorithm)
	if !ok {
		return Claims{}, errors.New("no such algorithm")
	}
	key := k.Raw
	if key == nil {
		j, err := jwxjwk.ParseKey([]byte(k.JWK))
		if err != nil {
			return Claims{}, err
		}
		key = j
	}
	options := append(more,
		jwx.WithKey(alg, key), jwx.WithIssuer(Issuer), jwx.WithAudience(Audience), jwx.WithRequiredClaim("exp"), jwx.WithTypedClaim("scope", ""),
		jwx.WithClock(jwx.ClockFunc(func() time.Time { return Now })),
	)
	t, err := jwx.Parse([]byte(token), options...)
	if err != nil {
		return Claims{}, err
	}
	var c Claims
	c.Subject, _ = t.Subject()
	if t.Has("scope") {
		err = t.Get("scope", &c.Scope)
	}
	return c, err
}
