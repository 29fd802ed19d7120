package gooidc

import (
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/jotsuite/jot/interop/migrate"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/logout"
)

const (
	header       = `{"alg":"ALG","kid":"KID"}`
	logoutHeader = `{"alg":"ALG","kid":"KID","typ":"logout+jwt"}`
	claims       = `{"iss":"ISSUER","sub":"alice","aud":"s6BhdRkqt3","exp":SOON,"iat":NOW,"nonce":"n"}`
	logoutClaims = `{"iss":"ISSUER","sub":"alice","aud":"s6BhdRkqt3","exp":SOON,"iat":NOW,"jti":"1","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`
)

func TestRefused(t *testing.T) {
	op := migrate.NewServer()
	defer op.Close()
	keys := jwk.Set{op.Key().Public()}
	forge := func(header, claims string) string {
		return migrate.Forge(op.Key(), header, strings.Replace(claims, "ISSUER", op.URL, 1))
	}
	theirs := func(raw string) error {
		_, err := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"}).Verify(ctx, raw)
		return err
	}
	ours := func(raw string, x idtoken.Expect, change func(p *idtoken.Policy)) error {
		p := idtoken.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3"}
		if change != nil {
			change(&p)
		}
		v, err := idtoken.NewVerifier(keys, p)
		if err != nil {
			return err
		}
		_, err = v.Verify(ctx, raw, x)
		return err
	}
	theirLogout := func(raw string) error {
		_, err := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"}).VerifyLogout(ctx, raw)
		return err
	}
	ourLogout := func(raw string, change func(p *logout.Policy)) error {
		p := logout.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3", Replay: jwt.NewReplayCache(10)}
		if change != nil {
			change(&p)
		}
		v, err := logout.NewVerifier(keys, p)
		if err != nil {
			return err
		}
		_, err = v.Verify(ctx, raw)
		return err
	}
	nonce := idtoken.Expect{Nonce: "n"}
	good := forge(header, claims)
	// A row in which the ID token is what is refused.
	token := func(what, codes, raw string, option func(p *idtoken.Policy)) migrate.Row {
		r := migrate.Row{
			What: what, Codes: codes,
			Theirs: func() error { return theirs(raw) },
			Ours:   func() error { return ours(raw, nonce, nil) },
		}
		if option != nil {
			r.Option = func() error { return ours(raw, nonce, option) }
		}
		return r
	}
	logoutToken := func(what, codes, raw string, option func(p *logout.Policy)) migrate.Row {
		r := migrate.Row{
			What: what, Codes: codes,
			Theirs: func() error { return theirLogout(raw) },
			Ours:   func() error { return ourLogout(raw, nil) },
		}
		if option != nil {
			r.Option = func() error { return ourLogout(raw, option) }
		}
		return r
	}
	parts := strings.Split(good, ".")
	old := strings.Replace(logoutClaims, `"iat":NOW`, `"iat":1600000000`, 1)
	otherHash := forge(header, strings.Replace(claims, "}", `,"at_hash":"bm90IHRoaXMgb25l"}`, 1))
	others := strings.NewReplacer(`"s6BhdRkqt3"`, `["s6BhdRkqt3","another"]`)

	migrate.Check(t, "from-go-oidc.md", []migrate.Row{
		{
			What: "a nonce that nobody compares", Codes: "policy.invalid",
			Theirs: func() error { return theirs(good) },
			Ours:   func() error { return ours(good, idtoken.Expect{}, nil) },
			Option: func() error {
				return ours(forge(header, strings.Replace(claims, `,"nonce":"n"`, "", 1)), idtoken.Expect{NoNonce: true}, nil)
			},
		},
		{
			What: "an `at_hash` that nobody compares", Codes: "at_hash.mismatch",
			Theirs: func() error { return theirs(otherHash) },
			Ours:   func() error { return ours(otherHash, idtoken.Expect{Nonce: "n", AccessToken: "a"}, nil) },
			Option: func() error { return ours(otherHash, nonce, nil) },
		},
		token("a logout token as an ID token", "typ.mismatch", forge(logoutHeader, logoutClaims), nil),
		token("an access token as an ID token", "kind.mismatch", forge(header, strings.Replace(claims, "}", `,"scope":"read"}`, 1)), nil),
		token("a client beside you in `aud`", "aud.untrusted", forge(header, others.Replace(claims)),
			func(p *idtoken.Policy) { p.TrustedAudiences = []string{"another"} }),
		token("no `sub`", "claim.missing", forge(header, strings.Replace(claims, `"sub":"alice",`, "", 1)), nil),
		token("no `iat`", "iat.missing", forge(header, strings.Replace(claims, `"iat":NOW,`, "", 1)), nil),
		token("`iat` in the future", "iat.future", forge(header, strings.Replace(claims, `"iat":NOW`, `"iat":SOON`, 1)),
			func(p *idtoken.Policy) { p.JWT.AllowFutureIssuedAt = true }),
		token("a member twice", "json.duplicate", forge(header, strings.Replace(claims, "{", `{"sub":"bob",`, 1)), nil),
		token("`SUB`, `Exp`: names in other letters", "claim.missing", forge(header, strings.Replace(claims, `"sub"`, `"SUB"`, 1)), nil),
		token("the JSON form of a signature", "token.malformed",
			`{"protected":"`+parts[0]+`","payload":"`+parts[1]+`","signature":"`+parts[2]+`"}`, nil),
		{
			What: "an unsigned token, with `InsecureSkipSignatureCheck`", Codes: "alg.none",
			Theirs: func() error {
				raw := migrate.Encode(`{"alg":"none"}`) + "." + parts[1] + "."
				_, err := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3", InsecureSkipSignatureCheck: true}).Verify(ctx, raw)
				return err
			},
			Ours: func() error { return ours(migrate.Encode(`{"alg":"none"}`)+"."+parts[1]+".", nonce, nil) },
		},
		logoutToken("a logout token with `typ` JWT, or none", "typ.mismatch", forge(header, logoutClaims),
			func(p *logout.Policy) { p.LegacyUntyped = true }),
		logoutToken("a logout token of more than 5 minutes ago", "iat.too_old", forge(logoutHeader, old),
			func(p *logout.Policy) { p.JWT.MaxAge = 100 * 365 * 24 * time.Hour }),
		{
			What: "a logout token twice", Codes: "jti.replayed",
			Theirs: func() error {
				raw := forge(logoutHeader, logoutClaims)
				if err := theirLogout(raw); err != nil {
					return err
				}
				return theirLogout(raw)
			},
			Ours: func() error {
				raw, once := forge(logoutHeader, logoutClaims), jwt.NewReplayCache(10)
				if err := ourLogout(raw, func(p *logout.Policy) { p.Replay = once }); err != nil {
					return err
				}
				return ourLogout(raw, func(p *logout.Policy) { p.Replay = once })
			},
		},
		{
			What: "a key that is newer than the last fetch, for 30 s", Codes: "key.none",
			Theirs: func() error {
				op := migrate.NewServer()
				defer op.Close()
				v := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"})
				must(v.Verify(ctx, op.IDToken("n", "a")))
				op.Rotate()
				_, err := v.Verify(ctx, op.IDToken("n", "a"))
				for range 100 { // the fetch before may not have been put away yet, and be taken for this one
					if err == nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
					_, err = v.Verify(ctx, op.IDToken("n", "a"))
				}
				return err
			},
			Ours:   func() error { return rotated(keyset.Options{}) },
			Option: func() error { return rotated(keyset.Options{MinInterval: time.Nanosecond}) },
		},
	})
}

// rotated verifies a token of a key that has just replaced another.
func rotated(o keyset.Options) error {
	op := migrate.NewServer()
	defer op.Close()
	keys := must(keyset.NewIssuer(op.URL, o))
	defer func() { _ = keys.Close() }()
	v := must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3"}))
	must(v.Verify(ctx, op.IDToken("n", "a"), idtoken.Expect{Nonce: "n"}))
	op.Rotate()
	_, err := v.Verify(ctx, op.IDToken("n", "a"), idtoken.Expect{Nonce: "n"})
	return err
}

// What is accepted that was refused: a token that ended less than a minute ago, and a client_secret as the key.
func TestAccepted(t *testing.T) {
	op := migrate.NewServer()
	defer op.Close()
	raw := must(jwt.Sign(ctx, op.Key(), jwt.Header{}, jwt.Registered{
		Issuer: op.URL, Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"}, IssuedAt: time.Now().Add(-time.Hour), Expiry: time.Now().Add(-30 * time.Second),
	}, map[string]string{"nonce": "n"}))
	if _, err := must(oidc.NewProvider(ctx, op.URL)).Verifier(&oidc.Config{ClientID: "s6BhdRkqt3"}).Verify(ctx, raw); err == nil {
		t.Error("go-oidc has a leeway")
	}
	for i, test := range []struct {
		p    jwt.Policy
		good bool
	}{{jwt.Policy{}, true}, {jwt.Policy{Leeway: jwt.NoLeeway}, false}, {jwt.Policy{Leeway: jwt.NoLeeway, IgnoreExpiry: true}, true}} {
		v := must(idtoken.NewVerifier(jwk.Set{op.Key().Public()}, idtoken.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3", JWT: test.p}))
		if _, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: "n"}); (err == nil) != test.good {
			t.Error(i, err)
		}
	}

	key := must(jwk.NewSecretKey(jwa.HS256, "", []byte("a client_secret of 32 bytes long")))
	raw = migrate.Forge(key, `{"alg":"ALG"}`, strings.Replace(claims, "ISSUER", op.URL, 1))
	v := must(idtoken.NewVerifier(jwk.Set{key}, idtoken.Policy{Issuers: []string{op.URL}, ClientID: "s6BhdRkqt3"}))
	if _, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: "n"}); err != nil {
		t.Error(err)
	}
}
