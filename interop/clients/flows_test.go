package clients

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

// job is what npm/flows.mjs reads.
type job map[string]any

// flow has a client of Node.js do something with the server, of which the kind of token that the turn names is a part.
// What the client fails with is the error or, where the server has refused something, why.
func (r *rig) flow(do string, t turn, j job) (string, error) {
	all := job{"do": do, "issuer": r.URL, "client": web, "key": jwkOf(r.web), "metadata": job{}}
	maps.Copy(all, j)
	r.begin(t)
	var a struct{ Sub string }
	err := r.node.Do(all, &a)
	if refused := r.end().refused; err != nil && refused != nil {
		return "", fmt.Errorf("%w: %w", err, refused)
	}
	return a.Sub, err
}

// defects of the tokens of clients, as claims in place of the right ones.
func defects(defect, kind string) any {
	claims := job{}
	switch defect {
	case "":
		return nil
	case "aud":
		claims["aud"] = other
	case "iss":
		claims["iss"] = other
	case "exp":
		claims["exp"], claims["iat"], claims["nbf"] = time.Now().Unix()-3600, time.Now().Unix()-3660, time.Now().Unix()-3660
	case "htu":
		claims["htu"] = other
	case "htm":
		claims["htm"] = "PUT"
	case "iat":
		claims["iat"] = time.Now().Unix() - 3600
	case "ath":
		claims["ath"] = dpop.TokenHash("another")
	}
	return job{"kind": kind, "claims": claims}
}

// flowChecks are those of oauth4webapi and openid-client.
func flowChecks(r *rig) []check {
	var checks []check
	audience, issuer, expired := `JWT "aud"`, `JWT "iss"`, `JWT "exp"`
	for peer, do := range map[string]string{"oauth4webapi": "oauth4webapi", "openid-client": "openidClient"} {
		// accepts is a check of what the server makes, in a flow that ends with a user.
		accepts := func(kind, made string, t turn, j job, controls map[string]string) {
			checks = append(checks, check{kind, peer, ours, func(defect string) error {
				t.kind, t.defect = made, defect
				all := maps.Clone(j)
				if all["access_token"] == true {
					all["access_token"] = r.accessToken("", accesstoken.Claims{})
				}
				sub, err := r.flow(do, t, all)
				switch {
				case err == nil && sub != "alice":
					err = fmt.Errorf("the user is %q", sub)
				case err == nil && t.encrypt != (r.end().seen["encrypted"] > 0):
					err = errors.New("it was not encrypted, or another was")
				}
				return err
			}, controls})
		}
		// makes is a check of what the client makes, or does: the server has accepted one of that name.
		makes := func(kind, seen string, j job, controls map[string]string) {
			checks = append(checks, check{kind, peer, theirs, func(defect string) error {
				all := maps.Clone(j)
				part, _ := all["part"].(string)
				all["defect"] = defects(defect, part)
				if p, ok := all["parameters"].(func(defect string) job); ok {
					all["parameters"] = p(defect)
				}
				if all["access_token"] == true {
					all["access_token"] = r.accessToken("", accesstoken.Claims{Confirmation: &pop.Confirmation{Thumbprint: must(dpop.Thumbprint(r.web))}})
				}
				_, err := r.flow(do, turn{}, all)
				switch t := r.end(); {
				case err == nil && t.seen[seen] == 0:
					err = errors.New("the server has seen none")
				case err == nil && all["dpop"] != nil && (t.refused == nil || !strings.Contains(t.refused.Error(), "nonce.missing")):
					err = errors.New("the server has not asked for a nonce")
				}
				return err
			}, controls})
		}
		accepts("id-token", "id-token", turn{}, job{"what": "login"}, map[string]string{"aud": audience, "iss": issuer, "exp": expired, "nonce": "nonce"})
		accepts("id-token, encrypted", "id-token", turn{encrypt: true}, job{"what": "login", "decrypt": jwkOf(r.recipient)}, map[string]string{"aud": audience})
		accepts("id-token, detached signature", "id-token, front channel", turn{}, job{"what": "login", "mode": "detached", "response_type": "code id_token"},
			map[string]string{"aud": audience, "c_hash": "c_hash", "s_hash": "s_hash"})
		checks = append(checks, check{"id-token, other algorithms", peer, ours, func(defect string) error {
			for _, alg := range algorithms[1:] {
				sub, err := r.flow(do, turn{kind: "id-token, front channel", defect: defect, alg: alg}, job{"what": "login", "mode": "detached", "response_type": "code id_token"})
				if err != nil || sub != "alice" {
					return fmt.Errorf("%s: %q, %w", alg, sub, err)
				}
			}
			return nil
		}, map[string]string{"c_hash": "c_hash"}})
		if peer == "oauth4webapi" {
			accepts("id-token, front channel", "id-token, front channel", turn{}, job{"what": "login", "mode": "hybrid", "response_type": "code id_token"},
				map[string]string{"aud": audience, "c_hash": "c_hash"})
		} else {
			accepts("id-token, front channel", "id-token, front channel", turn{}, job{"what": "login", "mode": "implicit", "response_type": "id_token"},
				map[string]string{"aud": audience, "nonce": "nonce"})
		}
		accepts("jarm", "jarm", turn{}, job{"what": "login", "mode": "jarm"}, map[string]string{"aud": audience, "iss": issuer, "exp": expired})
		accepts("jarm, encrypted", "jarm", turn{encrypt: true}, job{"what": "login", "mode": "jarm", "decrypt": jwkOf(r.recipient)}, map[string]string{"aud": audience})
		info := job{"what": "userinfo", "access_token": true, "metadata": job{"userinfo_signed_response_alg": "ES256"}}
		accepts("userinfo", "userinfo", turn{}, info, map[string]string{"aud": audience, "iss": issuer, "sub": "sub"})
		info = maps.Clone(info)
		info["decrypt"] = jwkOf(r.recipient)
		accepts("userinfo, encrypted", "userinfo", turn{encrypt: true}, info, map[string]string{"aud": audience})
		worth := job{"what": "introspection", "access_token": true, "metadata": job{"introspection_signed_response_alg": "ES256"}}
		accepts("introspection", "introspection", turn{}, worth, map[string]string{"aud": audience, "iss": issuer})
		worth = maps.Clone(worth)
		worth["decrypt"] = jwkOf(r.recipient)
		accepts("introspection, encrypted", "introspection", turn{encrypt: true}, worth, map[string]string{"aud": audience})

		credentials := job{"what": "grant", "grant_type": "client_credentials", "parameters": job{}, "part": "client-assertion"}
		makes("client-assertion, private_key_jwt", "client-assertion, private_key_jwt", credentials,
			map[string]string{"aud": "aud.mismatch", "iss": "iss.mismatch", "exp": "exp.expired"})
		shared := maps.Clone(credentials)
		shared["client"], shared["secret"] = native, secret
		makes("client-assertion, client_secret_jwt", "client-assertion, client_secret_jwt", shared, map[string]string{"aud": "aud.mismatch", "exp": "exp.expired"})
		plain := job{"what": "client credentials", "part": "client-assertion"}
		makes("client credentials grant", "client-assertion, private_key_jwt", plain, map[string]string{"aud": "aud.mismatch"})
		makes("request-object", "request-object", job{"what": "login", "jar": true, "part": "request-object"},
			map[string]string{"aud": "aud.mismatch", "iss": "iss.mismatch", "exp": "exp.expired"})
		makes("pushed request", "pushed request", job{"what": "login", "jar": true, "par": true, "dpop": jwkOf(r.web), "part": "request-object"}, map[string]string{"aud": "aud.mismatch"})
		// To the token endpoint, which wants a nonce.
		proof := maps.Clone(credentials)
		proof["dpop"], proof["part"] = jwkOf(r.web), "dpop-proof"
		makes("dpop-proof", "dpop-proof", proof, map[string]string{"htu": "htu.mismatch", "htm": "htm.mismatch", "iat": "iat.too_old"})
		makes("guard with DPoP and nonce", "dpop-proof", job{"what": "resource", "url": r.api() + "?limit=3", "access_token": true, "dpop": jwkOf(r.web), "part": "dpop-proof"},
			map[string]string{"htu": "htu.mismatch", "ath": "ath.mismatch"})

		// They carry what others have made.
		makes("JWT bearer grant", "authorization-grant", job{"what": "grant", "grant_type": grant.GrantType, "parameters": func(defect string) job {
			g := registered(partner, r.URL, defect)
			return job{"assertion": must(grant.Sign(context.Background(), r.partner, g, grant.Claims{}))}
		}}, map[string]string{"aud": "aud.mismatch"})
		makes("token exchange", "token exchange", job{"what": "grant", "grant_type": exchange.GrantType, "parameters": func(defect string) job {
			r.begin(turn{kind: "subject", defect: defect})
			return job{"subject_token": r.accessToken("subject", accesstoken.Claims{}), "subject_token_type": exchange.AccessToken}
		}}, map[string]string{"aud": "aud.mismatch"})

		checks = append(checks, check{"guard's challenge", peer, ours, func(defect string) error {
			j := job{"what": "challenge", "url": r.api(), "access_token": "none"}
			if defect != "" { // then there is none
				j["access_token"] = r.accessToken("", accesstoken.Claims{})
			}
			got, err := r.flow(do, turn{}, j)
			where := r.URL + "/.well-known/oauth-protected-resource/orders"
			if want := "dpop undefined " + where + ", bearer invalid_token " + where; err == nil && got != want {
				err = fmt.Errorf("it reads %q, want %q", got, want)
			}
			return err
		}, map[string]string{"a good token": "no challenge"}})
		checks = append(checks, check{"server metadata", peer, ours, func(defect string) error {
			j := job{"what": "metadata", "algorithm": "oauth2"}
			if defect != "" {
				j["issuer"] = r.alias()
			}
			sub, err := r.flow(do, turn{}, j)
			if err == nil && sub != r.URL {
				err = errors.New("that is the metadata of " + sub)
			}
			return err
		}, map[string]string{"another name": "issuer"}})
	}
	checks = append(checks, check{"guard's metadata", "oauth4webapi", ours, func(defect string) error {
		j := job{"what": "resource-metadata", "url": r.api(), "expected": r.api()}
		if defect != "" {
			j["expected"] = r.URL + "/other"
		}
		sub, err := r.flow("oauth4webapi", turn{}, j)
		if err == nil && sub != r.URL+"/token" {
			err = errors.New("it found " + sub)
		}
		return err
	}, map[string]string{"another resource": "the challenge says"}})
	return append(checks, accessChecks("oauth4webapi", func(access *accesstoken.Claims, defect string, required bool) error {
		req := r.request(api, access, defect)
		h := job{}
		for name := range req.Header {
			h[name] = req.Header.Get(name)
		}
		_, err := r.flow("oauth4webapi", turn{}, job{"what": "access-token", "url": req.URL.String(), "headers": h, "audience": r.api(), "required": required})
		return err
	}, map[string]string{"aud": audience, "exp": expired, "htu": "htu", "ath": "ath", "jkt": "confirmation mismatch"})...)
}

// accessChecks are those of a peer that is an API: access tokens of the library, alone and with a proof.
func accessChecks(peer string, get func(c *accesstoken.Claims, defect string, bound bool) error, says map[string]string) []check {
	some := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m[n] = says[n]
		}
		return m
	}
	return []check{
		{"access-token", peer, ours, func(defect string) error { return get(&accesstoken.Claims{}, defect, false) }, some("aud", "exp")},
		{"access-token, DPoP", peer, ours, func(defect string) error { return get(nil, defect, true) }, some("aud", "jkt")},
		{"dpop-proof", peer, ours, func(defect string) error { return get(nil, defect, true) }, some("htu", "ath")},
	}
}

// request is a request to an API with an access token; where claims are nil it is bound to a key, and has a proof.
func (s *server) request(url string, claims *accesstoken.Claims, defect string) *http.Request {
	req := must(http.NewRequest(http.MethodGet, url, nil))
	scheme, key := "Bearer", jwk.Signer(s.web)
	bound := claims == nil
	if bound {
		scheme, claims = "DPoP", &accesstoken.Claims{Confirmation: &pop.Confirmation{Thumbprint: must(dpop.Thumbprint(s.web))}}
	}
	s.begin(turn{kind: "subject", defect: defect})
	token := s.accessToken("subject", *claims)
	req.Header.Set("Authorization", scheme+" "+token)
	if bound {
		p := dpop.Claims{Method: http.MethodGet, URL: url, TokenHash: dpop.TokenHash(token)}
		switch defect {
		case "htu":
			p.URL = other
		case "ath":
			p.TokenHash = dpop.TokenHash("another")
		case "jkt":
			key = must(jwk.Generate(jwa.ES256))
		}
		req.Header.Set(dpop.Header, must(dpop.Sign(context.Background(), key, jwt.Registered{}, p)))
	}
	return req
}

// singleChecks are those of dpop and of express-oauth2-jwt-bearer.
func singleChecks(r *rig) []check {
	checks := []check{{"dpop-proof", "dpop", theirs, func(defect string) error {
		ctx := context.Background()
		const token = "an access token"
		j := job{"do": "proof", "url": api, "method": "GET", "accessToken": token, "nonce": "n-1", "pair": jwkOf(r.web)}
		switch defect {
		case "htu":
			j["url"] = other
		case "ath":
			j["accessToken"] = "another"
		case "nonce":
			j["nonce"] = "another"
		}
		var a struct{ Token string }
		if err := r.node.Do(j, &a); err != nil {
			return err
		}
		v := must(dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1)}))
		_, err := v.Verify(ctx, a.Token, dpop.Expect{Method: "GET", URL: api, AccessToken: token, Thumbprint: must(dpop.Thumbprint(r.web)), Nonce: "n-1"})
		return err
	}, map[string]string{"htu": "htu.mismatch", "ath": "ath.mismatch", "nonce": "nonce.mismatch"}}}

	const peer = "express-oauth2-jwt-bearer"
	serve := func(options, more job) string {
		o := job{"issuerBaseURL": r.URL, "audience": r.api(), "tokenSigningAlg": "ES256"}
		maps.Copy(o, options)
		j := job{"do": "serve", "options": o}
		maps.Copy(j, more)
		var a struct{ URL string }
		if err := r.node.Do(j, &a); err != nil {
			r.t.Fatal(err)
		}
		return a.URL
	}
	ask := func(req *http.Request) error {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err == nil && (resp.StatusCode != http.StatusOK || string(body) != "alice") {
			err = fmt.Errorf("%s: %v %s", resp.Status, resp.Header["Www-Authenticate"], body)
		}
		return err
	}
	strict := serve(job{"strict": true}, nil)
	bound := serve(job{"strict": true, "dpop": job{"enabled": true, "required": true}}, nil)
	loose := serve(nil, nil)
	says := map[string]string{"aud": "'aud' value", "exp": "'exp' claim", "htu": "htu mismatch", "ath": "'ath' mismatch", "jkt": "confirmation mismatch"}
	checks = append(checks, accessChecks(peer, func(c *accesstoken.Claims, defect string, isBound bool) error {
		if isBound {
			return ask(r.request(bound, nil, defect))
		}
		return ask(r.request(strict, c, defect))
	}, says)...)

	certificate, thumbprint := newCertificate()
	mtls := serve(job{"strict": true, "mtls": job{"enabled": true, "required": true}}, job{"certificate": certificate})
	return append(
		checks,
		check{"access-token, certificate", peer, ours, func(defect string) error {
			confirmed := &pop.Confirmation{X5TS256: thumbprint}
			if defect != "" {
				confirmed.X5TS256 = strings.Repeat("A", 43)
			}
			return ask(r.request(mtls, &accesstoken.Claims{Confirmation: confirmed}, ""))
		}, map[string]string{"another certificate": "confirmation mismatch"}},
		check{"access-token, without typ", peer, ours, func(defect string) error {
			ctx := context.Background()
			raw := must(jwt.Sign(ctx, must(r.keys.Signer(ctx, jwa.ES256)), jwt.Header{}, registered(r.URL, r.api(), defect), accesstoken.Claims{ClientID: web, Scope: "orders:read"}))
			req := must(http.NewRequest(http.MethodGet, loose, nil))
			req.Header.Set("Authorization", "Bearer "+raw)
			return ask(req)
		}, map[string]string{"aud": "'aud' value"}},
	)
}

// nodeLacks are why the peers of Node.js have no more checks.
func nodeLacks(r *rig) []lack {
	const did = "(server metadata|client credentials grant|pushed request|token exchange|JWT bearer grant|token source|guard.*)"
	const made = "(id-token.*|access-token.*|jarm.*|userinfo.*|introspection.*)"
	const more = "(security-event|ciba-request|login-hint-token|client-attestation.*|atlassian)"
	verifies := matching("^(validate|verify|process)[A-Za-z]*(assertion|requestobject|bearer|logout|event|hint|attestation|qsh)")
	signs := func(known ...string) func(string) bool {
		return func(name string) bool { return matching("^(issue|sign|create|encrypt)")(name) && but(known...)(name) }
	}
	lacks := []lack{
		{"jose", did, ours, "it makes and reads tokens, and does nothing with them", matching("discover|^fetch|grant|introspect|challenge"), nil, ""},
		{"jose", did, theirs, "it makes and reads tokens, and sends none", matching("discover|^fetch|grant|introspect|pushed"), nil, ""},
	}
	dpopOnly := but("calculateThumbprint", "generateKeyPair", "generateProof")
	bearerOnly := but("auth", "claimCheck", "claimEquals", "claimIncludes", "requiredScopes", "scopeIncludesAny",
		"UnauthorizedError", "InvalidRequestError", "InvalidTokenError", "InsufficientScopeError")
	lacks = append(
		lacks,
		lack{"dpop", ".*", ours, "it makes proofs and nothing else", dpopOnly, nil, ""},
		lack{"dpop", otherThan("dpop-proof"), theirs, "it makes proofs and nothing else", dpopOnly, nil, ""},
		lack{"express-oauth2-jwt-bearer", ".*", theirs, "it makes no tokens", bearerOnly, nil, ""},
		lack{"express-oauth2-jwt-bearer", otherThan("access-token", "access-token, without typ", "access-token, DPoP", "access-token, certificate", "dpop-proof"), ours, "it reads access tokens and their proofs alone", bearerOnly, nil, ""},
	)
	for _, peer := range []string{"oauth4webapi", "openid-client"} {
		lacks = append(
			lacks,
			lack{peer, "client-assertion.*|request-object|authorization-grant|" + more, ours, "it is a client, and reads what is made for clients alone", verifies, nil, ""},
			lack{peer, "logout-token", ours, "it reads no logout tokens", matching("logout.*(token|request)|(validate|process).*logout"), nil, ""},
			lack{peer, made + "|logout-token|authorization-grant|" + more, theirs, "it signs client assertions, request objects and proofs alone", signs("issueRequestObject"), nil, ""},
			lack{peer, "client credentials grant|pushed request|token exchange|JWT bearer grant|token source|guard with DPoP and nonce", ours, "that is for a server to accept", matching("^(serve|handle|middleware)"), nil, ""},
			lack{peer, "server metadata|guard's (challenge|metadata)", theirs, "it publishes none", matching("^(publish|serve)"), nil, ""},
			lack{peer, "token source", theirs, "that is of Go", matching("tokensource"), nil, ""},
		)
	}
	refuses := func(raw string) func() error {
		return func() error {
			_, err := r.flow("oauth4webapi", turn{}, job{"what": "access-token", "url": api, "headers": job{"Authorization": "Bearer " + raw}, "audience": r.api()})
			return err
		}
	}
	ctx := context.Background()
	untyped := must(jwt.Sign(ctx, must(r.keys.Signer(ctx, jwa.ES256)), jwt.Header{}, registered(r.URL, r.api(), ""), accesstoken.Claims{ClientID: web, Scope: "orders:read"}))
	return append(
		lacks,
		lack{"oauth4webapi", "access-token, certificate", ours, "it knows one confirmation, that of DPoP", nil, refuses(r.accessToken("", accesstoken.Claims{Confirmation: &pop.Confirmation{X5TS256: strings.Repeat("A", 43)}})), "OAUTH_UNSUPPORTED_OPERATION: unsupported JWT Confirmation method"},
		lack{"oauth4webapi", "access-token, without typ", ours, "it reads no access token without the typ", nil, refuses(untyped), `"typ"`},
		lack{"openid-client", "access-token.*|dpop-proof", ours, "it is no API", matching("validate.*(access|proof|dpop)"), nil, ""},
		lack{"openid-client", "guard's metadata", ours, "it does not fetch the metadata of resources", matching("resource.*(discovery|metadata)"), nil, ""},
	)
}

// otherThan matches all kinds but these.
func otherThan(known ...string) string {
	var rest []string
	for _, k := range kinds {
		if but(known...)(k) {
			rest = append(rest, k)
		}
	}
	return strings.Join(rest, "|")
}
