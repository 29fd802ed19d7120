package clients

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/oauth/subjectid"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/atlassian"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/caep"
	"github.com/jotsuite/jot/profile/ciba"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/profile/jar"
	"github.com/jotsuite/jot/profile/jarm"
	"github.com/jotsuite/jot/profile/logout"
	"github.com/jotsuite/jot/profile/secevent"
	"github.com/jotsuite/jot/profile/userinfo"
)

// sample is a kind as jose sees it, which knows none: a typ, the claims that all have, and the rest.
type sample struct {
	kind string
	key  jwk.Signer // nil is the server's
	typ  string
	// sign makes one for an audience, with a defect.
	sign func(key jwk.Signer, r jwt.Registered) (string, error)
	// verify is the library's, by these keys.
	verify func(keys jwk.Set, raw string) error
	// change is what the kind has of the registered claims.
	change func(r *jwt.Registered)
	// issuer and audience are those of the kind.
	issuer, audience string
	encrypted        bool
	// controls are the defects, what jose says of them, and what the library does.
	controls [][3]string
}

// The usual defects, and what the two sides say.
var (
	audience = [3]string{"aud", `"aud"`, "aud.mismatch"}
	issuer   = [3]string{"iss", `"iss"`, "iss.mismatch"}
	expired  = [3]string{"exp", `"exp"`, "exp.expired"}
	old      = [3]string{"iat", `"iat"`, "iat.too_old"}
)

var b64 = base64.RawURLEncoding

const api = "https://api.example"

func samples(r *rig) []sample {
	ctx := context.Background()
	as := r.URL
	client := func(g *jwt.Registered) { g.Subject = web }
	nobody := func(g *jwt.Registered) { g.Subject = "" }
	ids := func(decryption *jwt.Decryption) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			v := must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{as}, ClientID: web, JWT: jwt.Policy{Decryption: decryption}}))
			_, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: "n-1"})
			return err
		}
	}
	decryption := &jwt.Decryption{Keys: jwk.DecryptionSet{r.recipient}}
	id := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return idtoken.Sign(ctx, k, g, idtoken.Claims{Nonce: "n-1"})
	}
	access := func(lenient *accesstoken.Lenient) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			_, err := must(accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{as}, Audiences: []string{api}, Lenient: lenient})).Verify(ctx, raw)
			return err
		}
	}
	bound := func(c *pop.Confirmation) func(jwk.Signer, jwt.Registered) (string, error) {
		return func(k jwk.Signer, g jwt.Registered) (string, error) {
			return accesstoken.Sign(ctx, k, g, accesstoken.Claims{ClientID: web, Scope: "orders:read", Confirmation: c})
		}
	}
	assertions := func(id string) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			v := must(clientauth.NewVerifier(keys, clientauth.Policy{Issuer: as, ClientID: id, Replay: jwt.NewReplayCache(1)}))
			_, err := v.Verify(ctx, raw, clientauth.Expect{ClientID: id})
			return err
		}
	}
	assertion := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return clientauth.Sign(ctx, k, g, clientauth.Claims{})
	}
	response := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return jarm.Sign(ctx, k, g, jarm.Claims{Code: "c-1", State: "st-1"})
	}
	responses := func(decryption *jwt.Decryption) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			v := must(jarm.NewVerifier(keys, jarm.Policy{Issuer: as, ClientID: web, JWT: jwt.Policy{Decryption: decryption}}))
			_, err := v.Verify(ctx, raw, jarm.Expect{State: "st-1"})
			return err
		}
	}
	user := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return userinfo.Sign(ctx, k, g, userinfo.Claims{Email: "alice@example.com"})
	}
	users := func(decryption *jwt.Decryption) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			v := must(userinfo.NewVerifier(keys, userinfo.Policy{Issuers: []string{as}, ClientID: web, JWT: jwt.Policy{Decryption: decryption}}))
			_, err := v.Verify(ctx, raw, userinfo.Expect{Subject: "alice"})
			return err
		}
	}
	endless := func(g *jwt.Registered) { g.Expiry, g.ID = time.Time{}, "" }
	said := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return introspection.Sign(ctx, k, g, introspection.Claims{Response: &introspection.Response{Active: true, Subject: "alice"}})
	}
	explained := func(decryption *jwt.Decryption) func(jwk.Set, string) error {
		return func(keys jwk.Set, raw string) error {
			v := must(introspection.NewVerifier(keys, introspection.Policy{Issuers: []string{as}, Audiences: []string{api}, JWT: jwt.Policy{Decryption: decryption}}))
			_, err := v.Verify(ctx, raw)
			return err
		}
	}
	instance := must(jwk.Generate(jwa.ES256))
	public := instance.Public().JWK()
	attested := func(attesters jwk.Set, attestationOf, proofOf func() (string, error)) error {
		raw, err := attestationOf()
		if err != nil {
			return err
		}
		proof, err := proofOf()
		if err != nil {
			return err
		}
		h := http.Header{}
		h.Set(attestation.Header, raw)
		h.Set(attestation.PoPHeader, proof)
		v := must(attestation.NewVerifier(attesters, attestation.Policy{Audience: as, ClientIDs: []string{web}, Replay: jwt.NewReplayCache(1)}))
		_, err = v.Verify(ctx, h, attestation.Expect{ClientID: web})
		return err
	}
	fixed := func(raw string) func() (string, error) { return func() (string, error) { return raw, nil } }
	untyped := "JWT"
	front := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return idtoken.Sign(ctx, k, g, idtoken.Claims{Nonce: "n-1", CHash: must(idtoken.Hash(jwa.ES256, "c-1"))})
	}
	detached := func(k jwk.Signer, g jwt.Registered) (string, error) {
		return idtoken.Sign(ctx, k, g, idtoken.Claims{Nonce: "n-1", CHash: must(idtoken.Hash(jwa.ES256, "c-1")), SHash: must(idtoken.Hash(jwa.ES256, "st-1"))})
	}
	fronts := func(keys jwk.Set, raw string) error {
		v := must(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{as}, ClientID: web}))
		_, err := v.Verify(ctx, raw, idtoken.Expect{Nonce: "n-1", Code: "c-1", State: "st-1", FrontChannel: true})
		return err
	}
	return []sample{
		{kind: "id-token", typ: untyped, sign: id, verify: ids(nil), issuer: as, audience: web, controls: [][3]string{audience, issuer, expired}},
		{kind: "id-token, encrypted", typ: untyped, sign: id, verify: ids(decryption), issuer: as, audience: web, encrypted: true, controls: [][3]string{audience}},
		{kind: "id-token, front channel", typ: untyped, sign: front, verify: fronts, issuer: as, audience: web, controls: [][3]string{audience}},
		{kind: "id-token, detached signature", typ: untyped, sign: detached, verify: fronts, issuer: as, audience: web, controls: [][3]string{audience}},
		{kind: "access-token", typ: accesstoken.Type, sign: bound(nil), verify: access(nil), issuer: as, audience: api, controls: [][3]string{audience, issuer, expired}},
		{kind: "access-token, without typ", typ: untyped, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return jwt.Sign(ctx, k, jwt.Header{}, g, accesstoken.Claims{ClientID: web, Scope: "orders:read"})
		}, verify: access(&accesstoken.Lenient{}), issuer: as, audience: api, controls: [][3]string{audience}},
		{
			kind: "access-token, DPoP", typ: accesstoken.Type, sign: bound(&pop.Confirmation{Thumbprint: must(dpop.Thumbprint(r.web))}), verify: access(nil),
			issuer: as, audience: api, controls: [][3]string{audience},
		},
		{
			kind: "access-token, certificate", typ: accesstoken.Type, sign: bound(&pop.Confirmation{X5TS256: strings.Repeat("A", 43)}), verify: access(nil),
			issuer: as, audience: api, controls: [][3]string{audience},
		},
		{kind: "dpop-proof", typ: dpop.Type, key: r.web, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return dpop.Sign(ctx, k, jwt.Registered{ID: g.ID, IssuedAt: g.IssuedAt}, dpop.Claims{Method: "GET", URL: api})
		}, verify: func(_ jwk.Set, raw string) error {
			_, err := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1)})).Verify(ctx, raw, dpop.Expect{Method: "GET", URL: api, NoAccessToken: true})
			return err
		}, controls: [][3]string{old}},
		{
			kind: "client-assertion, private_key_jwt", typ: clientauth.Type, key: r.web, sign: assertion, verify: assertions(web), change: client,
			issuer: web, audience: as, controls: [][3]string{audience, expired},
		},
		{
			kind: "client-assertion, client_secret_jwt", typ: clientauth.Type, key: r.native, sign: assertion, verify: assertions(native),
			change: func(g *jwt.Registered) { g.Subject = native }, issuer: native, audience: as, controls: [][3]string{audience},
		},
		{kind: "request-object", typ: jar.Type, key: r.web, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return jar.Sign(ctx, k, g, jar.Claims{ClientID: web, ResponseType: "code", RedirectURI: redirect})
		}, verify: func(keys jwk.Set, raw string) error {
			_, err := must(jar.NewVerifier(keys, jar.Policy{Issuer: as, ClientID: web})).Verify(ctx, raw, jar.Expect{ClientID: web})
			return err
		}, change: nobody, issuer: web, audience: as, controls: [][3]string{audience, expired}},
		{kind: "jarm", typ: untyped, sign: response, verify: responses(nil), change: nobody, issuer: as, audience: web, controls: [][3]string{audience, issuer, expired}},
		{kind: "jarm, encrypted", typ: untyped, sign: response, verify: responses(decryption), change: nobody, issuer: as, audience: web, encrypted: true, controls: [][3]string{audience}},
		{kind: "userinfo", typ: untyped, sign: user, verify: users(nil), change: endless, issuer: as, audience: web, controls: [][3]string{audience, issuer}},
		{kind: "userinfo, encrypted", typ: untyped, sign: user, verify: users(decryption), change: endless, issuer: as, audience: web, encrypted: true, controls: [][3]string{audience}},
		{kind: "introspection", typ: introspection.Type, sign: said, verify: explained(nil), change: func(g *jwt.Registered) { endless(g); nobody(g) }, issuer: as, audience: api, controls: [][3]string{audience, issuer}},
		{kind: "introspection, encrypted", typ: introspection.Type, sign: said, verify: explained(decryption), change: func(g *jwt.Registered) { endless(g); nobody(g) }, issuer: as, audience: api, encrypted: true, controls: [][3]string{audience}},
		{kind: "authorization-grant", typ: grant.Type, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return grant.Sign(ctx, k, g, grant.Claims{})
		}, verify: func(keys jwk.Set, raw string) error {
			v := must(grant.NewVerifier(keys, grant.Policy{Issuer: as, Issuers: []string{partner}, AnySubject: true, Replay: jwt.NewReplayCache(1)}))
			_, err := v.Verify(ctx, raw)
			return err
		}, issuer: partner, audience: as, controls: [][3]string{audience, issuer, expired}},
		{kind: "logout-token", typ: logout.Type, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return logout.Sign(ctx, k, g, logout.Claims{SessionID: "s-1"})
		}, verify: func(keys jwk.Set, raw string) error {
			_, err := must(logout.NewVerifier(keys, logout.Policy{Issuers: []string{as}, ClientID: web, Replay: jwt.NewReplayCache(1)})).Verify(ctx, raw)
			return err
		}, issuer: as, audience: web, controls: [][3]string{audience, issuer, expired}},
		{kind: "security-event", typ: secevent.Type, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return secevent.Sign(ctx, k, g, secevent.Claims{SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "session-1"}}, caep.SessionRevoked{Context: caep.Context{Timestamp: time.Now()}})
		}, verify: func(keys jwk.Set, raw string) error {
			_, err := must(secevent.NewVerifier(keys, secevent.Policy{Issuers: []string{as}, Audiences: []string{api}})).Verify(ctx, raw)
			return err
		}, change: func(g *jwt.Registered) { g.Subject, g.Expiry = "", time.Time{} }, issuer: as, audience: api, controls: [][3]string{audience, issuer}},
		{kind: "ciba-request", typ: untyped, key: r.web, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return ciba.Sign(ctx, k, g, ciba.Claims{Scope: "openid", LoginHint: "alice"})
		}, verify: func(keys jwk.Set, raw string) error {
			v := must(ciba.NewVerifier(keys, ciba.Policy{Issuer: as, ClientID: web, Replay: jwt.NewReplayCache(1)}))
			_, err := v.Verify(ctx, raw, ciba.Expect{ClientID: web, Delivery: ciba.Poll})
			return err
		}, change: func(g *jwt.Registered) { g.Subject, g.NotBefore = "", g.IssuedAt }, issuer: web, audience: as, controls: [][3]string{audience, expired}},
		{kind: "login-hint-token", typ: untyped, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return ciba.SignHint(ctx, k, g, ciba.HintClaims{SubjectID: &subjectid.Identifier{Format: subjectid.Opaque, ID: "alice"}})
		}, verify: func(keys jwk.Set, raw string) error {
			_, err := must(ciba.NewHintVerifier(keys, ciba.HintPolicy{Issuers: []string{partner}, Issuer: as})).Verify(ctx, raw)
			return err
		}, change: nobody, issuer: partner, audience: as, controls: [][3]string{audience, expired}},
		{kind: "client-attestation", typ: attestation.Type, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return attestation.Sign(ctx, k, g, attestation.Claims{Confirmation: &pop.Confirmation{JWK: &public}})
		}, verify: func(keys jwk.Set, raw string) error {
			return attested(keys, fixed(raw), func() (string, error) {
				return attestation.SignPoP(ctx, instance, jwt.Registered{Audience: jwt.Audience{as}}, attestation.PoPClaims{})
			})
		}, change: func(g *jwt.Registered) { client(g); g.Issuer, g.Audience = "", nil }, controls: [][3]string{expired}},
		{kind: "client-attestation-pop", typ: attestation.PoPType, key: r.web, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return attestation.SignPoP(ctx, k, g, attestation.PoPClaims{})
		}, verify: func(keys jwk.Set, raw string) error {
			public := r.web.Public().JWK()
			return attested(jwk.Set{instance.Public()}, func() (string, error) {
				return attestation.Sign(ctx, instance, jwt.Registered{Subject: web, Expiry: time.Now().Add(time.Minute)}, attestation.Claims{Confirmation: &pop.Confirmation{JWK: &public}})
			}, fixed(raw))
		}, change: func(g *jwt.Registered) { g.Issuer, g.Subject, g.Expiry = "", "", time.Time{} }, audience: as, controls: [][3]string{audience, old}},
		{kind: "atlassian", typ: untyped, key: r.native, sign: func(k jwk.Signer, g jwt.Registered) (string, error) {
			return atlassian.Sign(ctx, k, g, atlassian.Claims{QueryHash: strings.Repeat("ab", 32)})
		}, verify: func(keys jwk.Set, raw string) error {
			_, err := must(atlassian.NewVerifier(keys, atlassian.Policy{ClientKey: native})).Verify(ctx, raw, atlassian.Expect{QueryHash: strings.Repeat("ab", 32)})
			return err
		}, change: func(g *jwt.Registered) { g.Audience = nil }, issuer: native, controls: [][3]string{issuer, expired}},
	}
}

// jwkOf is a key for Node.js, with its private half.
func jwkOf(key any) json.RawMessage {
	switch k := key.(type) {
	case *jwk.PrivateKey:
		j := must(k.PrivateJWK())
		return must(j.MarshalPrivateJSON())
	case *jwk.DecryptionKey:
		j := must(k.PrivateJWK())
		return must(j.MarshalPrivateJSON())
	}
	return json.RawMessage(`{"kty":"oct","k":"` + b64.EncodeToString([]byte(secret)) + `"}`)
}

// joseChecks gives each sample to jose, and has it made by jose of the same claims.
func joseChecks(r *rig) []check {
	ctx := context.Background()
	key := must(jwk.Generate(jwa.ES256)) // of the server, as jose makes its tokens
	var checks []check
	for _, s := range samples(r) {
		signer := s.key
		if signer == nil {
			signer = must(r.keys.Signer(ctx, jwa.ES256))
		}
		signed := func(defect string) (string, jwt.Registered, error) {
			g := registered(s.issuer, s.audience, defect)
			if s.change != nil {
				s.change(&g)
			}
			raw, err := s.sign(signer, g)
			return raw, g, err
		}
		options := map[string]any{"typ": s.typ, "algorithms": []string{signer.Algorithm().Name()}}
		if s.issuer != "" {
			options["issuer"] = s.issuer
		}
		if s.audience != "" {
			options["audience"] = s.audience
		}
		for _, c := range s.controls {
			if c == old {
				options["maxTokenAge"] = "5m"
			}
		}
		toJose, fromJose := map[string]string{}, map[string]string{"typ": "typ.mismatch"}
		for _, c := range s.controls {
			toJose[c[0]], fromJose[c[0]] = c[1], c[2]
		}
		verify := func(defect string) error {
			raw, g, err := signed(defect)
			if err != nil {
				return err
			}
			j := map[string]any{"do": "verify", "token": raw, "options": options}
			switch {
			case s.encrypted:
				if j["token"], err = r.encrypted(ctx, signer, s.typ, g, raw); err != nil {
					return err
				}
				j["decrypt"], j["jwks"] = jwkOf(r.recipient), r.URL+"/jwks"
			case s.key == nil:
				j["jwks"] = r.URL + "/jwks"
			case s.typ != dpop.Type:
				j["key"] = jwkOf(s.key)
				if k, ok := s.key.(*jwk.PrivateKey); ok {
					j["key"] = k.Public().JWK()
				}
			}
			var a struct{ Claims map[string]any }
			if err := r.node.Do(j, &a); err != nil {
				return err
			}
			if len(a.Claims) == 0 {
				return errors.New("jose found no claims")
			}
			return nil
		}
		sign := func(defect string) error {
			raw, _, err := signed(defect)
			if err != nil {
				return err
			}
			t := must(unverified.Parse(raw))
			header := map[string]any{"alg": signer.Algorithm().Name(), "typ": s.typ}
			if defect == "typ" {
				header["typ"] = secevent.Type
				if s.typ == secevent.Type {
					header["typ"] = accesstoken.Type
				}
			}
			j := map[string]any{"do": "sign", "header": header, "claims": json.RawMessage(t.Payload)}
			var keys jwk.Set
			switch k := s.key.(type) {
			case nil:
				keys, j["key"] = jwk.Set{key.Public()}, jwkOf(key)
			case *jwk.PrivateKey:
				keys, j["key"] = jwk.Set{k.Public()}, jwkOf(k)
				if s.typ == dpop.Type {
					header["jwk"] = k.Public().JWK()
				}
			case *jwk.SecretKey:
				keys, j["key"] = jwk.Set{k}, jwkOf(k)
			}
			if s.encrypted {
				j["to"] = r.recipient.Public().JWK()
			}
			var a struct{ Token string }
			if err := r.node.Do(j, &a); err != nil {
				return err
			}
			return s.verify(keys, a.Token)
		}
		checks = append(checks, check{s.kind, "jose", ours, verify, toJose}, check{s.kind, "jose", theirs, sign, fromJose})
	}
	return checks
}

// encrypted makes the nested token of what a profile has signed.
func (s *server) encrypted(ctx context.Context, key jwk.Signer, typ string, g jwt.Registered, raw string) (string, error) {
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(must(unverified.Parse(raw)).Payload, &claims); err != nil {
		return "", err
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} {
		delete(claims, name)
	}
	to := jwt.Recipient{Key: s.recipient.Public(), Encryption: jwa.A256GCM}
	return jwt.SignEncrypted(ctx, key, to, jwt.Header{Type: typ}, g, claims, jwt.AllowMissingExpiry)
}

// algorithmChecks exchange ID tokens of all algorithms with jose, which has both names of Ed25519.
func algorithmChecks(r *rig) []check {
	ctx := context.Background()
	keys := []*jwk.PrivateKey{must(jwk.Generate(jwa.Ed25519))}
	for _, alg := range algorithms[1:] {
		keys = append(keys, must(jwk.Generate(alg)))
	}
	each := func(do func(alg string, key *jwk.PrivateKey, raw string) error) func(string) error {
		return func(defect string) error {
			for _, key := range keys {
				raw := must(idtoken.Sign(ctx, key, registered(r.URL, web, defect), idtoken.Claims{Nonce: "n-1"}))
				if err := do(key.Algorithm().Name(), key, raw); err != nil {
					return fmt.Errorf("%s: %w", key.Algorithm(), err)
				}
			}
			return nil
		}
	}
	return []check{
		{"id-token, other algorithms", "jose", ours, each(func(alg string, key *jwk.PrivateKey, raw string) error {
			options := job{"typ": "JWT", "issuer": r.URL, "audience": web, "algorithms": []string{alg}}
			return r.node.Do(job{"do": "verify", "token": raw, "options": options, "key": key.Public().JWK()}, &struct{}{})
		}), map[string]string{"aud": `"aud"`}},
		{"id-token, other algorithms", "jose", theirs, each(func(alg string, key *jwk.PrivateKey, raw string) error {
			var a struct{ Token string }
			j := job{"do": "sign", "header": job{"alg": alg}, "claims": json.RawMessage(must(unverified.Parse(raw)).Payload), "key": jwkOf(key)}
			if err := r.node.Do(j, &a); err != nil {
				return err
			}
			v := must(idtoken.NewVerifier(jwk.Set{key.Public()}, idtoken.Policy{Issuers: []string{r.URL}, ClientID: web}))
			_, err := v.Verify(ctx, a.Token, idtoken.Expect{Nonce: "n-1"})
			return err
		}), map[string]string{"aud": "aud.mismatch"}},
	}
}
