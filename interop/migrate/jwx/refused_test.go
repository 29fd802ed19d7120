package jwx

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	theirjwa "github.com/lestrrat-go/jwx/v3/jwa"
	theirjwe "github.com/lestrrat-go/jwx/v3/jwe"
	theirjwk "github.com/lestrrat-go/jwx/v3/jwk"
	theirjws "github.com/lestrrat-go/jwx/v3/jws"
	theirjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

const (
	header = `{"alg":"ALG","kid":"KID","typ":"JWT"}`
	claims = `{"iss":"https://a.example","aud":"api","exp":SOON}`
)

// theirs verifies as Example_verifyBefore does.
func theirs(key any, raw string, options ...theirjwt.ParseOption) error {
	_, err := theirjwt.ParseString(raw, append(options, theirjwt.WithKey(theirjwa.HS256(), key), theirjwt.WithIssuer("https://a.example"), theirjwt.WithAudience("api"))...)
	return err
}

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

func TestRefused(t *testing.T) {
	token := func(what, codes, raw string, option func(p *jwt.Policy)) migrate.Row {
		r := migrate.Row{
			What: what, Codes: codes,
			Theirs: func() error { return theirs(secret, raw) },
			Ours:   func() error { return ours(jwk.Set{signing}, raw, nil) },
		}
		if option != nil {
			r.Option = func() error { return ours(jwk.Set{signing}, raw, option) }
		}
		return r
	}
	good := migrate.Forge(signing, header, claims)
	bits := good[:len(good)-1] + string(good[len(good)-1]+1) // 32 bytes leave two bits over
	short := []byte("secret")
	short256 := migrate.Forge(must(jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", short)), header, claims)
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	strong := must(rsa.GenerateKey(rand.Reader, 2048))
	ps256 := migrate.Forge(must(jwk.NewPrivateKey(jwa.PS256, "k1", strong)), header, claims)
	noAlg := must(json.Marshal(map[string]any{"keys": []jwk.JWK{must(jwk.FromKey(strong.Public())).WithKeyID("k1")}}))

	server := migrate.NewServer()
	defer server.Close()
	secure := httptest.NewTLSServer(server.Config.Handler)
	defer secure.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	jku := migrate.Forge(server.Key(), `{"alg":"ALG","kid":"KID","jku":"`+secure.URL+`/jwks"}`, claims)

	migrate.Check(t, "from-jwx.md", []migrate.Row{
		token("no `exp`", "exp.missing", migrate.Forge(signing, header, `{"iss":"https://a.example","aud":"api"}`),
			func(p *jwt.Policy) { p.OptionalExpiry = true }),
		{
			What: "an issuer or audience that nobody asks for", Codes: "policy.invalid",
			Theirs: func() error {
				_, err := theirjwt.ParseString(good, theirjwt.WithKey(theirjwa.HS256(), secret))
				return err
			},
			Ours: func() error { return ours(jwk.Set{signing}, good, func(p *jwt.Policy) { *p = jwt.Policy{} }) },
			Option: func() error {
				return ours(jwk.Set{signing}, good, func(p *jwt.Policy) { *p = jwt.Policy{AnyIssuer: true, AnyAudience: true} })
			},
		},
		token("a `typ` that is not JWT", "typ.mismatch", migrate.Forge(signing, `{"alg":"ALG","typ":"at+jwt"}`, claims),
			func(p *jwt.Policy) { p.Type = "at+jwt" }),
		token("a member twice", "json.duplicate", migrate.Forge(signing, header, `{"iss":"https://b.example","iss":"https://a.example","aud":"api","exp":SOON}`), nil),
		token("more behind the JSON of the claims", "json.trailing", migrate.Forge(signing, header, claims+" x"), nil),
		token("`exp` as a string", "json.type", migrate.Forge(signing, header, `{"iss":"https://a.example","aud":"api","exp":"SOON"}`), nil),
		token("`null` for a registered claim", "json.type", migrate.Forge(signing, header, `{"iss":"https://a.example","aud":"api","exp":SOON,"sub":null}`), nil),
		token("more than 64 KiB", "token.too_large", migrate.Forge(signing, header, `{"iss":"https://a.example","aud":"api","exp":SOON,"x":"`+strings.Repeat("x", 1<<16)+`"}`),
			func(p *jwt.Policy) { p.MaxSize = 1 << 20 }),
		token("claims nested deeper than 32", "json.depth",
			migrate.Forge(signing, header, `{"iss":"https://a.example","aud":"api","exp":SOON,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`),
			func(p *jwt.Policy) { p.MaxDepth = 100 }),
		token("white space around it, or padding", "token.malformed", " "+good+"=\n", nil),
		token("base64url with bits left over", "token.encoding", bits, nil),
		{
			What: "a secret shorter than its hash", Codes: "key.weak",
			Theirs: func() error { return theirs(short, short256) },
			Ours:   func() error { _, err := jwk.NewSecretKey(jwa.HS256, "", short); return err },
			Option: func() error {
				return ours(jwk.Set{must(jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", short))}, short256, nil)
			},
		},
		{
			What: "RSA keys of less than 2048 bits", Codes: "key.weak",
			Theirs: func() error {
				_, err := theirjws.Verify(must(theirjws.Sign([]byte("x"), theirjws.WithKey(theirjwa.RS256(), weak))), theirjws.WithKey(theirjwa.RS256(), weak.Public()))
				return err
			},
			Ours: func() error { _, err := jwk.NewPublicKey(jwa.RS256, "", weak.Public()); return err },
		},
		{
			What: "an RSA key without `alg` for all but RS256", Codes: "alg.mismatch",
			Theirs: func() error {
				_, err := theirjwt.ParseString(ps256, theirjwt.WithKeySet(must(theirjwk.Parse(noAlg)), theirjws.WithInferAlgorithmFromKey(true)))
				return err
			},
			Ours: func() error { return ours(bound(noAlg, jwk.Binding{}), ps256, nil) },
			Option: func() error {
				return ours(bound(noAlg, jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}}), ps256, nil)
			},
		},
		{
			What: "the keys that a token's `jku` names", Codes: "key.none",
			Theirs: func() error {
				_, err := theirjwt.ParseString(jku, theirjwt.WithVerifyAuto(fetcher{secure.Client()}))
				return err
			},
			Ours: func() error { return ours(jwk.Set{must(jwk.Generate(jwa.ES256)).Public()}, jku, nil) },
			Option: func() error {
				keys := must(keyset.NewCertificates(keyset.CertificateOptions{
					JKU:     []string{secure.URL + "/jwks"},
					Options: keyset.Options{RootCAs: roots, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
				}))
				defer func() { _ = keys.Close() }()
				return ours(keys, jku, nil)
			},
		},
		{
			What: "RSA1_5", Codes: "alg.mismatch",
			Theirs: func() error {
				sealed := must(theirjwe.Encrypt([]byte("x"), theirjwe.WithKey(theirjwa.RSA1_5(), strong.Public())))
				_, err := theirjwe.Decrypt(sealed, theirjwe.WithKey(theirjwa.RSA1_5(), strong))
				return err
			},
			Ours: func() error { _, err := jwk.NewDecryptionKey(jwa.RSA1_5, "", strong); return err },
			Option: func() error {
				k, err := must(must(jwk.FromKey(strong)).With("alg", "RSA1_5")).DecryptionKey(jwk.Binding{AllowRSA1_5DespitePaddingOracles: true})
				if err != nil {
					return err
				}
				sealed := must(theirjwe.Encrypt([]byte("x"), theirjwe.WithKey(theirjwa.RSA1_5(), strong.Public())))
				_, err = jwe.Decrypt(ctx, jwk.DecryptionSet{k}, string(sealed), jwe.Options{})
				return err
			},
		},
	})
}

// fetcher fetches with a client that knows the certificate of the test's server.
type fetcher struct{ client *http.Client }

func (f fetcher) Fetch(ctx context.Context, url string, _ ...theirjwk.FetchOption) (theirjwk.Set, error) {
	return theirjwk.Fetch(ctx, url, theirjwk.WithHTTPClient(f.client))
}

func bound(text []byte, b jwk.Binding) jwk.Set {
	s, _, err := jwk.ParseSet(text, b)
	return must(s, err)
}

// What is accepted that was refused: clocks may differ by a minute; a published RSA key without alg is for RS256; a
// token needs no kid.
func TestAccepted(t *testing.T) {
	late := shopToken(-30 * time.Second)
	if _, err := theirjwt.ParseString(late, theirjwt.WithKey(theirjwa.HS256(), secret)); err == nil {
		t.Error("jwx has a leeway")
	}
	if err := ours(jwk.Set{signing}, late, func(p *jwt.Policy) { p.Issuers = []string{"https://shop.example"} }); err != nil {
		t.Error(err)
	}
	if ours(jwk.Set{signing}, late, func(p *jwt.Policy) { p.Issuers, p.Leeway = []string{"https://shop.example"}, jwt.NoLeeway }) == nil {
		t.Error("NoLeeway has a leeway")
	}
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	d := must(jwk.FromKey(key.Public())).WithKeyID("k1")
	for _, test := range []struct {
		set []jwk.JWK
		raw string
	}{
		{[]jwk.JWK{d}, migrate.Forge(must(jwk.NewPrivateKey(jwa.RS256, "k1", key)), header, claims)},
		{[]jwk.JWK{must(d.With("alg", "RS256"))}, migrate.Forge(must(jwk.NewPrivateKey(jwa.RS256, "", key)), `{"alg":"ALG"}`, claims)},
	} {
		text := must(json.Marshal(map[string]any{"keys": test.set}))
		if _, err := theirjwt.ParseString(test.raw, theirjwt.WithKeySet(must(theirjwk.Parse(text)))); err == nil {
			t.Error("jwx accepts it")
		}
		if err := ours(bound(text, jwk.Binding{}), test.raw, nil); err != nil {
			t.Error(err)
		}
	}
}

// A new key is found by its kid, and not when the time of a cache has come.
func TestRotation(t *testing.T) {
	server := migrate.NewServer()
	defer server.Close()
	cache := must(theirjwk.NewCache(t.Context(), httprc.NewClient()))
	if err := cache.Register(t.Context(), server.URL+"/jwks"); err != nil {
		t.Fatal(err)
	}
	keys := must(keyset.NewRemote(server.URL+"/jwks", keyset.Options{MinInterval: time.Nanosecond}))
	defer func() { _ = keys.Close() }()
	for i, want := range []bool{true, false} {
		_, err := theirjwt.ParseString(server.Token(), theirjwt.WithKeySet(must(cache.CachedSet(server.URL+"/jwks"))))
		if (err == nil) != want {
			t.Error(i, err)
		}
		if err := ours(keys, server.Token(), func(p *jwt.Policy) { p.Issuers = []string{server.URL} }); err != nil {
			t.Error(i, err)
		}
		server.Rotate()
	}
}
