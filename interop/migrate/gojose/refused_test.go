package gojose

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	gojose "github.com/go-jose/go-jose/v4/jwt"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

const (
	header = `{"alg":"ALG","kid":"KID","typ":"JWT"}`
	claims = `{"iss":"https://a.example","aud":"api","exp":SOON}`
)

// theirs verifies as Example_verifyBefore does, save that it does not look whether there is an exp.
func theirs(key any, raw string) error {
	token, err := gojose.ParseSigned(raw, []jose.SignatureAlgorithm{jose.HS256, jose.ES256, jose.RS256, jose.PS256})
	if err != nil {
		return err
	}
	var c gojose.Claims
	if err := token.Claims(key, &c); err != nil {
		return err
	}
	return c.Validate(gojose.Expected{Issuer: "https://a.example", AnyAudience: gojose.Audience{"api"}})
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

// published is a JWK set as it is published, with members beside the key.
func published(key any, members map[string]string) []byte {
	d := must(jwk.FromKey(key)).WithKeyID("k1")
	for name, value := range members {
		d = must(d.With(name, value))
	}
	return must(json.Marshal(map[string]any{"keys": []jwk.JWK{d}}))
}

// theirSet and ourSet read such a set.
func theirSet(text []byte) (s jose.JSONWebKeySet) {
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	return s
}

func ourSet(text []byte, b jwk.Binding) jwk.Set {
	s, _, err := jwk.ParseSet(text, b)
	return must(s, err)
}

// encrypt encrypts as go-jose does, and decrypt decrypts so.
func encrypt(alg jose.KeyAlgorithm, key any, count int, cty jose.ContentType, plaintext string) string {
	enc := must(jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key, PBES2Count: count}, (&jose.EncrypterOptions{}).WithContentType(cty)))
	return must(must(enc.Encrypt([]byte(plaintext))).CompactSerialize())
}

func decrypt(raw string, key any, algs ...jose.KeyAlgorithm) error {
	m, err := jose.ParseEncryptedCompact(raw, algs, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return err
	}
	_, err = m.Decrypt(key)
	return err
}

func TestRefused(t *testing.T) {
	key := must(jwk.NewSecretKey(jwa.HS256, "", secret))
	token := func(what, codes, raw string, option func(p *jwt.Policy)) migrate.Row {
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
	bits := good[:len(good)-1] + string(good[len(good)-1]+1) // 32 bytes leave two bits over
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	weakToken := must(gojose.Signed(must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: weak}, nil))).Claims(gojose.Claims{
		Issuer: "https://a.example", Audience: gojose.Audience{"api"}, Expiry: gojose.NewNumericDate(time.Now().Add(time.Hour)),
	}).Serialize())
	noAlg := published(rsaKey.Public(), nil)
	ps256 := migrate.Forge(must(jwk.NewPrivateKey(jwa.PS256, "k1", rsaKey)), header, claims)
	forEncryption := published(ecKey.Public(), map[string]string{"use": "enc"})
	es256 := migrate.Forge(must(jwk.NewPrivateKey(jwa.ES256, "k1", ecKey)), header, claims)
	oaep := encrypt(jose.RSA_OAEP, rsaKey.Public(), 0, "", "x")
	rsa15 := encrypt(jose.RSA1_5, rsaKey.Public(), 0, "", "x")
	password := []byte("correct horse battery staple")
	cheap := encrypt(jose.PBES2_HS256_A128KW, password, 999, "", "x")
	unsigned := encrypt(jose.A256KW, secret, 0, "JWT", `{"iss":"https://a.example","aud":"api","exp":9999999999}`)
	shared := jwk.DecryptionSet{must(jwk.NewSharedKey(jwa.A256KW, "", secret))}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey.Public()))})

	migrate.Check(t, "from-go-jose.md", []migrate.Row{
		token("no `exp`", "exp.missing", migrate.Forge(key, header, `{"iss":"https://a.example","aud":"api"}`),
			func(p *jwt.Policy) { p.OptionalExpiry = true }),
		{
			What: "an issuer or audience that nobody asks for", Codes: "policy.invalid",
			Theirs: func() error {
				var c gojose.Claims
				if err := must(gojose.ParseSigned(good, []jose.SignatureAlgorithm{jose.HS256})).Claims(secret, &c); err != nil {
					return err
				}
				return c.Validate(gojose.Expected{})
			},
			Ours: func() error { return ours(jwk.Set{key}, good, func(p *jwt.Policy) { *p = jwt.Policy{} }) },
			Option: func() error {
				return ours(jwk.Set{key}, good, func(p *jwt.Policy) { *p = jwt.Policy{AnyIssuer: true, AnyAudience: true} })
			},
		},
		token("a `typ` that is not JWT", "typ.mismatch", migrate.Forge(key, `{"alg":"ALG","typ":"at+jwt"}`, claims),
			func(p *jwt.Policy) { p.Type = "at+jwt" }),
		token("more than 64 KiB", "token.too_large", migrate.Forge(key, header, `{"iss":"https://a.example","aud":"api","exp":SOON,"x":"`+strings.Repeat("x", 1<<16)+`"}`),
			func(p *jwt.Policy) { p.MaxSize = 1 << 20 }),
		token("claims nested deeper than 32", "json.depth",
			migrate.Forge(key, header, `{"iss":"https://a.example","aud":"api","exp":SOON,"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`),
			func(p *jwt.Policy) { p.MaxDepth = 100 }),
		token("line breaks in the token", "token.malformed", strings.Replace(good, ".", ".\n", 1), nil),
		token("base64url with bits left over", "token.encoding", bits, nil),
		{
			What: "a secret that is a public key in PEM", Codes: "key.invalid",
			Theirs: func() error {
				raw := must(gojose.Signed(must(jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: public}, nil))).Claims(gojose.Claims{
					Issuer: "https://a.example", Audience: gojose.Audience{"api"},
				}).Serialize())
				return theirs(public, raw)
			},
			Ours: func() error { _, err := jwk.NewSecretKey(jwa.HS256, "", public); return err },
		},
		{
			What: "RSA keys of less than 2048 bits", Codes: "key.weak",
			Theirs: func() error { return theirs(weak.Public(), weakToken) },
			Ours:   func() error { _, err := jwk.NewPublicKey(jwa.RS256, "", weak.Public()); return err },
		},
		{
			What: "an RSA key without `alg` for all but RS256", Codes: "alg.mismatch",
			Theirs: func() error { return theirs(theirSet(noAlg), ps256) },
			Ours:   func() error { return ours(ourSet(noAlg, jwk.Binding{}), ps256, nil) },
			Option: func() error {
				return ours(ourSet(noAlg, jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256}}), ps256, nil)
			},
		},
		{
			What: "a signature by a key with `use` `enc`", Codes: "key.none",
			Theirs: func() error { return theirs(theirSet(forEncryption), es256) },
			Ours:   func() error { return ours(ourSet(forEncryption, jwk.Binding{}), es256, nil) },
		},
		{
			What: "one RSA key for several `alg` of encryption", Codes: "key.none",
			Theirs: func() error { return decrypt(oaep, rsaKey, jose.RSA_OAEP, jose.RSA_OAEP_256) },
			Ours: func() error {
				_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{decryption}, oaep, jwe.Options{})
				return err
			},
			Option: func() error {
				both := jwk.DecryptionSet{decryption, must(jwk.NewDecryptionKey(jwa.RSA_OAEP, "", rsaKey))}
				_, err := jwe.Decrypt(ctx, both, oaep, jwe.Options{})
				return err
			},
		},
		{
			What: "RSA1_5", Codes: "alg.mismatch",
			Theirs: func() error { return decrypt(rsa15, rsaKey, jose.RSA1_5) },
			Ours:   func() error { _, err := jwk.NewDecryptionKey(jwa.RSA1_5, "", rsaKey); return err },
			Option: func() error {
				k, err := must(must(jwk.FromKey(rsaKey)).With("alg", "RSA1_5")).DecryptionKey(jwk.Binding{AllowRSA1_5DespitePaddingOracles: true})
				if err != nil {
					return err
				}
				_, err = jwe.Decrypt(ctx, jwk.DecryptionSet{k}, rsa15, jwe.Options{})
				return err
			},
		},
		{
			What: "PBES2 with less than 1,000 rounds", Codes: "header.invalid",
			Theirs: func() error { return decrypt(cheap, password, jose.PBES2_HS256_A128KW) },
			Ours: func() error {
				_, err := jwe.Decrypt(ctx, jwk.DecryptionSet{must(jwk.NewPassword(jwa.PBES2_HS256_A128KW, "", password))}, cheap, jwe.Options{})
				return err
			},
		},
		{
			What: "claims that are encrypted and not signed", Codes: "token.malformed",
			Theirs: func() error {
				token, err := gojose.ParseEncrypted(unsigned, []jose.KeyAlgorithm{jose.A256KW}, []jose.ContentEncryption{jose.A256GCM})
				if err != nil {
					return err
				}
				var c gojose.Claims
				if err := token.Claims(secret, &c); err != nil {
					return err
				}
				return c.Validate(gojose.Expected{Issuer: "https://a.example", AnyAudience: gojose.Audience{"api"}})
			},
			Ours: func() error {
				return ours(jwk.Set{key}, unsigned, func(p *jwt.Policy) { p.Decryption = &jwt.Decryption{Keys: shared} })
			},
			Option: func() error { _, err := jwe.Decrypt(ctx, shared, unsigned, jwe.Options{}); return err },
		},
	})
}

// What is accepted that was refused: a token without kid, where a set is given.
func TestAccepted(t *testing.T) {
	raw := migrate.Forge(must(jwk.NewPrivateKey(jwa.ES256, "", ecKey)), `{"alg":"ALG"}`, claims)
	text := published(ecKey.Public(), map[string]string{"alg": "ES256"})
	if theirs(theirSet(text), raw) == nil {
		t.Error("go-jose accepts it")
	}
	if err := ours(ourSet(text, jwk.Binding{}), raw, nil); err != nil {
		t.Error(err)
	}
}
