// Package server gives jot serve to clients that others have written: what each of them can do with a token service, and what it
// says when it is refused.
package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/interop/node"
	"github.com/jotsuite/jot/interop/process"
	"github.com/jotsuite/jot/interop/python"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

// columns are the peers of the table.
var columns = []string{"oauth4webapi", "openid-client", "x/oauth2", "Authlib", "curl"}

// row is a feature of the server.
type row struct {
	name string
	// run has the peer use it, and returns what it fails with. The defect is what is wrong with what it does; "" is nothing.
	run func(p *peer, defect string) error
	// controls are the defects with which it must be refused, and a regular expression of what the peer says then: an error
	// code, mostly.
	controls map[string]string
}

// lack is why a peer has no check: one line for all the rows that match.
type lack struct {
	peer string
	rows string // a regular expression, of the whole name
	why  string
	// has reports whether a name that the peer exports says that it has learned it. curl exports none.
	has func(name string) bool
}

func matching(pattern string) func(string) bool {
	return regexp.MustCompile(`(?i)` + pattern).MatchString
}

var lacks = []lack{
	{"x/oauth2", "metadata.*", "it is told the endpoints", matching("discover|metadata")},
	{"x/oauth2", "DPoP.*", "it makes no proofs", matching("dpop|proof")},
	{"x/oauth2", "introspection.*|revocation", "it gets tokens alone", matching("introspect|revo(ke|cation)")},
	{"x/oauth2", "registration.*", "it gets tokens alone", matching("registration|registerclient|register$")},
	{"Authlib", "metadata.*", "its sessions are told the endpoints", matching("discover|fetch.*metadata|load.*metadata")},
	{"Authlib", "DPoP.*", "it makes no proofs", matching("dpop|proof")},
	{"Authlib", "introspection, (signed|encrypted)", "it reads JSON alone", matching("introspect.*jwt|jwt.*introspect")},
	{"Authlib", "registration.*", "its sessions have a client already", matching("register_client$|registration|dynamic")},
	{"oauth4webapi", "registration, managed", "it registers, and neither reads nor changes what it has registered", matching("(read|get|update|delete|manage).*(client|registration)|registrationmanage")},
	{"openid-client", "registration, managed", "it registers, and neither reads nor changes what it has registered", matching("(read|get|update|delete|manage).*(client|registration)|registrationmanage")},
	{"curl", "metadata.*", "it knows nothing that could be wrong with them", nil},
}

// rig is what the rows need.
type rig struct {
	*service
	jose    *process.Process
	clients map[string]*registered
}

// registered is a client with its keys.
type registered struct {
	id, method, secret string
	key                *jwk.PrivateKey
	recipient          *jwk.DecryptionKey
	tls                *files
	metadata           map[string]any
}

// job is one of the client.
func (r *rig) job(c *registered, what string) job {
	j := job{What: what, service: r.service, Issuer: r.issuer, ClientID: c.id, Method: c.method, Secret: c.secret, TLS: c.tls, Metadata: c.metadata, key: c.key, decrypt: c.recipient}
	if c.key != nil {
		j.Key = private(c.key.PrivateJWK())
	}
	if c.recipient != nil {
		j.Decrypt = private(c.recipient.PrivateJWK())
	}
	return j
}

func private(k jwk.JWK, err error) json.RawMessage {
	if err != nil {
		panic(err)
	}
	return must(k.MarshalPrivateJSON())
}

// add registers a client.
func (r *rig) add(name string, m oauth.ClientMetadata, c registered) {
	info := r.register(m)
	c.id, c.secret, c.method = info.ClientID, info.Secret, m.Method()
	r.clients[name] = &c
}

// addCertified registers clients with certificates.
func (r *rig) addCertified() {
	key := must(jwk.Generate(jwa.ES256))
	certificate, certificateKey := r.clientCA.certify(false)
	r.add("tls_client_auth", oauth.ClientMetadata{AuthMethod: "tls_client_auth", TLSSANDNS: "client.example"}, registered{tls: r.files(certificate, certificateKey)})
	certificate, certificateKey = r.clientCA.certify(true)
	own := must(jwk.NewPrivateKey(jwa.ES256, "own", certificateKey)).JWK()
	own = must(own.With("x5c", []string{base64.StdEncoding.EncodeToString(certificate.Raw)}))
	set, _ := json.Marshal(map[string]any{"keys": []any{json.RawMessage(must(own.Public().MarshalJSON()))}})
	r.add("self_signed_tls_client_auth", oauth.ClientMetadata{AuthMethod: "self_signed_tls_client_auth", JWKS: set}, registered{tls: r.files(certificate, certificateKey)})
	set = must(jwk.Set{key.Public()}.MarshalJSON())
	r.add("bound", oauth.ClientMetadata{AuthMethod: "private_key_jwt", JWKS: set, CertificateBoundTokens: true}, registered{key: key, tls: r.files(certificate, certificateKey)})
}

// addClients registers one for each method, and what else the rows need.
func (r *rig) addClients() {
	for _, method := range []string{"client_secret_basic", "client_secret_post", "client_secret_jwt"} {
		r.add(method, oauth.ClientMetadata{AuthMethod: method}, registered{})
	}
	key := must(jwk.Generate(jwa.ES256))
	set := must(jwk.Set{key.Public()}.MarshalJSON())
	r.add("private_key_jwt", oauth.ClientMetadata{AuthMethod: "private_key_jwt", JWKS: set}, registered{key: key})
	r.add("grants", oauth.ClientMetadata{GrantTypes: []string{grant.GrantType, "refresh_token"}}, registered{})

	recipient := must(jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "P-256"))
	set = must(json.Marshal(map[string]any{"keys": []any{recipient.Public()}}))
	r.add("sealed", oauth.ClientMetadata{JWKS: set, IntrospectionSignedAlg: "ES256", IntrospectionEncryptedAlg: "ECDH-ES+A256KW", IntrospectionEncryptedEnc: "A256GCM"},
		registered{recipient: recipient, metadata: map[string]any{
			"introspection_signed_response_alg": "ES256", "introspection_encrypted_response_alg": "ECDH-ES+A256KW", "introspection_encrypted_response_enc": "A256GCM",
		}})

	// Who is an API, and who acts for others, only the administrator can say.
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal(r.admin("client", "add", "backend", "--grant", exchange.GrantType, "--grant", "client_credentials",
		"--scope", "read write", "--delegation", "--impersonation", "--resource-server", api), &made); err != nil {
		r.t.Fatal(err)
	}
	r.clients["backend"] = &registered{
		id: made.ID, secret: r.secret(made.Secret), method: "client_secret_basic",
		metadata: map[string]any{"introspection_signed_response_alg": "ES256"},
	}
}

// token gets a client a token by nothing that is tested.
func (r *rig) token(client string, form url.Values) (answer, error) {
	c := r.clients[client]
	if form == nil {
		form = url.Values{"grant_type": {"client_credentials"}}
	}
	a, err := r.post("/token", c.id, c.secret, form)
	r.secret(a.AccessToken)
	r.secret(a.RefreshToken)
	return a, err
}

// grantFor is a grant of access of Alice's.
func (r *rig) grantFor() url.Values {
	j := job{Issuer: r.issuer, Grant: &granted{Issuer: partner, Subject: alice, key: r.partnerKey}}
	return url.Values{"grant_type": {grant.GrantType}, "scope": {"read"}, "assertion": {j.granted()}}
}

// want is what an access token has to say.
type want struct {
	subject, client, scope string
	tokenType              string
	dpop                   *jwk.PrivateKey
	certified              bool
	actor                  string
}

// check holds an access token to the profile of the library, to the peer's own verifier where it has one, and to jose.
func (r *rig) check(p *peer, a answer, w want) error {
	r.secret(a.AccessToken)
	r.secret(a.RefreshToken)
	if w.tokenType == "" {
		w.tokenType = "Bearer"
	}
	if !strings.EqualFold(a.TokenType, w.tokenType) {
		return fmt.Errorf("token_type %q, want %q", a.TokenType, w.tokenType)
	}
	if a.Scope != "" && a.Scope != w.scope {
		return fmt.Errorf("scope %q, want %q", a.Scope, w.scope)
	}
	t, err := r.access.Verify(context.Background(), a.AccessToken)
	if err != nil {
		return err
	}
	c := t.Claims
	if t.Subject != w.subject || c.ClientID != w.client || c.Scope != w.scope {
		return fmt.Errorf("sub %q, client_id %q, scope %q, want %+v", t.Subject, c.ClientID, c.Scope, w)
	}
	var act struct {
		Subject string `json:"sub"`
	}
	if len(c.Actor) > 0 {
		if err := json.Unmarshal(c.Actor, &act); err != nil {
			return err
		}
	}
	if act.Subject != w.actor {
		return fmt.Errorf("act is %s, want %q", c.Actor, w.actor)
	}
	proof := ""
	switch {
	case w.dpop != nil:
		if c.Confirmation == nil || c.Confirmation.Thumbprint != must(dpop.Thumbprint(w.dpop)) {
			return errors.New("the token is not bound to the key of the proof")
		}
		proof = must(dpop.Sign(context.Background(), w.dpop, jwt.Registered{}, dpop.Claims{Method: "GET", URL: api + "/orders", TokenHash: dpop.TokenHash(a.AccessToken)}))
	case w.certified:
		if c.Confirmation == nil || c.Confirmation.X5TS256 == "" {
			return errors.New("the token is not bound to the certificate")
		}
	case c.Confirmation != nil:
		return errors.New("the token is bound, and nobody has asked for that")
	}
	j := job{service: r.service, What: "verify", Issuer: r.issuer, Audience: api, URL: api + "/orders", Token: a.AccessToken, Proof: proof, JWKS: r.issuer + "/jwks"}
	verifiers := map[string]func(job) (answer, error){p.name: p.verify}
	if r.jose != nil {
		verifiers["jose"] = func(j job) (a answer, err error) {
			j.Do = "jwtAccessToken"
			return a, r.jose.Do(j, &a)
		}
	}
	for name, verify := range verifiers {
		if verify == nil || name == "oauth4webapi" && w.certified { // which knows one confirmation, that of DPoP
			continue
		}
		said, err := verify(j)
		if err != nil || said.Subject != w.subject || said.ClientID != w.client {
			return fmt.Errorf("the verifier of %s reads %+v: %w", name, said, err)
		}
		j := j
		j.Audience = otherAPI
		if _, err := verify(j); err == nil {
			return fmt.Errorf("the verifier of %s accepts the token for any API", name)
		}
	}
	return nil
}

// credentials is the grant of client credentials, as a client with a method of authentication.
func (r *rig) credentials(name string, w want) row {
	c := r.clients[name]
	w.subject, w.client, w.scope = c.id, c.id, "read write"
	controls := map[string]string{}
	for _, d := range map[string][]string{
		"client_secret_basic": {"secret"}, "client_secret_post": {"secret"},
		"client_secret_jwt": {"secret", "exp", "aud", "endpoint", "jti"}, "private_key_jwt": {"key", "exp", "aud", "endpoint", "jti"},
		"tls_client_auth": {"no certificate", "another authority"}, "self_signed_tls_client_auth": {"no certificate", "another certificate"},
	}[c.method] {
		controls[d] = oauth.InvalidClient
	}
	if name == "bound" {
		controls = map[string]string{"no certificate": oauth.InvalidRequest}
	}
	return row{run: func(p *peer, defect string) error {
		j := r.job(c, "token")
		j.Parameters = map[string]any{"grant_type": "client_credentials"}
		again := false
		switch defect {
		case "secret":
			j.Secret = strings.Repeat("x", 43)
		case "key":
			j.key = must(jwk.NewPrivateKey(jwa.ES256, c.key.KeyID(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
			j.Key = private(j.key.PrivateJWK())
		case "exp", "aud", "jti":
			j.Defect = broken("client-assertion", defect)
			again = defect == "jti"
		case "endpoint": // RFC 10070, Section 4, has ended what RFC 7523 had: it is what Authlib writes unless told
			j.Defect = broken("client-assertion", "aud")
			j.Defect.Claims["aud"] = r.issuer + "/token"
		case "no certificate":
			j.TLS = r.files(nil, nil)
		case "another authority":
			j.TLS = r.files(newAuthority().certify(false))
		case "another certificate":
			j.TLS = r.files(r.clientCA.certify(true))
		}
		a, err := p.do(j)
		if err == nil && again {
			a, err = p.do(j)
		}
		if err != nil {
			return err
		}
		return r.check(p, a, w)
	}, controls: controls}
}

// broken is a JWT with a defect.
func broken(kind, name string) *defect {
	now := time.Now().Unix()
	return &defect{kind, map[string]map[string]any{
		"exp": {"exp": now - 3600, "iat": now - 3660},
		"aud": {"aud": "https://other.example"},
		"htu": {"htu": "https://other.example/token"},
		"jti": {"jti": fmt.Sprint(now, kind, time.Now().UnixNano())}, // the same one twice
	}[name]}
}

// certified are the rows of clients with certificates.
func (r *rig) certified(where string) []row {
	return []row{
		named("tls_client_auth"+where, r.credentials("tls_client_auth", want{})),
		named("self_signed_tls_client_auth"+where, r.credentials("self_signed_tls_client_auth", want{})),
		named("certificate-bound token"+where, r.credentials("bound", want{certified: true})),
	}
}

func named(name string, row row) row {
	row.name = name
	return row
}

// metadata is what a client finds by the issuer identifier.
func (r *rig) metadata(name string) row {
	return row{name, func(p *peer, defect string) error {
		j := job{service: r.service, What: "discover", Issuer: r.issuer}
		if defect != "" {
			j.Issuer = r.alias()
		}
		a, err := p.do(j)
		if err == nil && (a.Issuer != r.issuer || a.TokenEndpoint != r.issuer+"/token") {
			err = fmt.Errorf("it reads %+v", a)
		}
		return err
	}, map[string]string{"another name": "issuer"}}
}

// alias is another name of the issuer's host.
func (r *rig) alias() string {
	return strings.NewReplacer("localhost", "127.0.0.1", "127.0.0.1", "localhost").Replace(r.issuer)
}

func (r *rig) rows() []row {
	basic := r.clients["client_secret_basic"]
	return []row{
		r.metadata("metadata"),
		named("client_secret_basic", r.credentials("client_secret_basic", want{})),
		named("client_secret_post", r.credentials("client_secret_post", want{})),
		named("client_secret_jwt", r.credentials("client_secret_jwt", want{})),
		named("private_key_jwt", r.credentials("private_key_jwt", want{})),
		{"DPoP with a nonce of the server", r.proof, map[string]string{"htu": oauth.InvalidDPoPProof, "jti": oauth.InvalidDPoPProof}},
		{"scope and resource", func(p *peer, defect string) error {
			j := r.job(basic, "token")
			parameters := map[string]any{"grant_type": "client_credentials", "scope": "read", "resource": api}
			switch defect {
			case "scope":
				parameters["scope"] = "read admin"
			case "resource":
				parameters["resource"] = "https://unknown.example"
			}
			j.Parameters = parameters
			a, err := p.do(j)
			if err != nil {
				return err
			}
			return r.check(p, a, want{subject: basic.id, client: basic.id, scope: "read"})
		}, map[string]string{"scope": oauth.InvalidScope, "resource": oauth.InvalidTarget}},
		{"JWT bearer grant", r.bearer, map[string]string{"aud": oauth.InvalidGrant, "jti": oauth.InvalidGrant}},
		{"token exchange", r.exchange, map[string]string{"audience": oauth.InvalidTarget, "subject": oauth.InvalidRequest}},
		{"refresh token, rotated", r.refresh, map[string]string{"used twice": oauth.InvalidGrant}},
		{"introspection", func(p *peer, defect string) error {
			a, err := r.token("client_secret_basic", nil)
			if err != nil {
				return err
			}
			return r.introspected(p, "backend", a.AccessToken, nil, defect)
		}, map[string]string{"secret": oauth.InvalidClient, "revoked": "not active"}},
		{"introspection, signed", func(p *peer, defect string) error {
			a, err := r.token("client_secret_basic", nil)
			if err != nil {
				return err
			}
			return r.introspected(p, "backend", a.AccessToken, r.clients["backend"].metadata, defect)
		}, map[string]string{"secret": oauth.InvalidClient, "revoked": "not active"}},
		{"introspection, encrypted", func(p *peer, defect string) error {
			a, err := r.token("sealed", nil)
			if err != nil {
				return err
			}
			return r.introspected(p, "sealed", a.AccessToken, r.clients["sealed"].metadata, defect)
		}, map[string]string{"secret": oauth.InvalidClient, "another key": "decrypt|key\\.none"}},
		{"revocation", r.revoke, map[string]string{"secret": oauth.InvalidClient, "another's": oauth.InvalidGrant}},
		{"registration", r.registers, map[string]string{"no token": oauth.InvalidToken, "used token": oauth.InvalidToken, "grant type": oauth.InvalidClientMetadata, "no keys": oauth.InvalidClientMetadata}},
		{"registration, managed", r.manage, map[string]string{"another token": oauth.InvalidToken, "another client": oauth.InvalidClientMetadata}},
	}
}

// proof is a request that is sent again with the nonce of the answer.
func (r *rig) proof(p *peer, defect string) error {
	c := r.clients["private_key_jwt"]
	key := must(jwk.Generate(jwa.ES256))
	j := r.job(c, "token")
	j.Parameters = map[string]any{"grant_type": "client_credentials"}
	j.dpop, j.DPoP = key, private(key.PrivateJWK())
	if defect != "" {
		j.Defect = broken("dpop-proof", defect)
	}
	before := r.asked(0)
	a, err := p.do(j)
	if err != nil {
		return err
	}
	if defect == "jti" {
		_, err = p.do(j)
		return err
	}
	if asked := r.asked(before+1) - before; asked != 1 {
		return fmt.Errorf("the server has asked for a nonce %d times, want once", asked)
	}
	return r.check(p, a, want{subject: c.id, client: c.id, scope: "read write", tokenType: "DPoP", dpop: key})
}

// asked is how often the server has asked for a nonce, which the log says, at the latest when it has been read as far as that.
func (r *rig) asked(atLeast int) int {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if n := strings.Count(r.logged(), oauth.UseDPoPNonce); n >= atLeast || time.Now().After(end) {
			return n
		}
	}
}

// bearer is the oldest use: a program signs a JWT and posts it.
func (r *rig) bearer(p *peer, defect string) error {
	j := job{service: r.service, What: "token", Issuer: r.issuer, Method: "none", Parameters: map[string]any{"grant_type": grant.GrantType, "scope": "read"}}
	j.Grant = &granted{Issuer: partner, Subject: alice, Key: private(r.partnerKey.PrivateJWK()), key: r.partnerKey, rsa: r.partnerRSA}
	if defect != "" {
		j.Defect = broken("authorization-grant", defect)
	}
	w := want{subject: alice, client: partner, scope: "read"}
	switch p.name {
	case "oauth4webapi", "openid-client": // which send one that they are given, as a client
		c := r.clients["grants"]
		j.ClientID, j.Secret, j.Method = c.id, c.secret, c.method
		w.client = c.id
		j.Parameters["assertion"] = j.granted()
	case "x/oauth2":
		w.client = legacy
	}
	a, err := p.do(j)
	if err == nil && defect == "jti" {
		a, err = p.do(j)
	}
	if err != nil {
		return err
	}
	return r.check(p, a, w)
}

// exchange has an API get a token in which it acts for Alice.
func (r *rig) exchange(p *peer, defect string) error {
	subject, err := r.token("grants", r.grantFor())
	if err != nil {
		return err
	}
	actor, err := r.token("backend", nil)
	if err != nil {
		return err
	}
	c := r.clients["backend"]
	j := r.job(c, "token")
	parameters := map[string]any{
		"grant_type": exchange.GrantType, "audience": "api", "scope": "read",
		"subject_token": subject.AccessToken, "subject_token_type": string(exchange.AccessToken),
		"actor_token": actor.AccessToken, "actor_token_type": string(exchange.AccessToken),
	}
	switch defect {
	case "audience":
		parameters["audience"] = "another"
	case "subject":
		parameters["subject_token"] = subject.AccessToken[:len(subject.AccessToken)-8] + "AAAAAAAA"
	}
	j.Parameters = parameters
	a, err := p.do(j)
	if err != nil {
		return err
	}
	if a.IssuedTokenType != string(exchange.AccessToken) {
		return fmt.Errorf("issued_token_type is %q", a.IssuedTokenType)
	}
	return r.check(p, a, want{subject: alice, client: c.id, scope: "read", actor: c.id})
}

// refresh uses a refresh token, and what that has given.
func (r *rig) refresh(p *peer, defect string) error {
	first, err := r.token("grants", r.grantFor())
	if err != nil {
		return err
	}
	c := r.clients["grants"]
	use := func(token string) (answer, error) {
		j := r.job(c, "token")
		j.Parameters = map[string]any{"grant_type": "refresh_token", "refresh_token": token}
		return p.do(j)
	}
	used := map[string]bool{}
	for token := first.RefreshToken; len(used) < 3; {
		if token == "" || used[token] {
			return errors.New("the refresh token is not rotated")
		}
		used[token] = true
		a, err := use(token)
		if err != nil {
			return err
		}
		if err := r.check(p, a, want{subject: alice, client: c.id, scope: "read"}); err != nil {
			return err
		}
		token = a.RefreshToken
		if defect == "" {
			continue
		}
		_, err = use(first.RefreshToken)
		if _, last := use(token); err != nil && last == nil {
			return errors.New("the family lives on")
		}
		return err
	}
	return nil
}

// introspected has a client ask about a token.
func (r *rig) introspected(p *peer, client, token string, metadata map[string]any, defect string) error {
	c := r.clients[client]
	j := r.job(c, "introspect")
	j.Token, j.Metadata = token, metadata
	switch defect {
	case "secret":
		j.Secret = strings.Repeat("x", 43)
	case "revoked":
		owner := r.clients["client_secret_basic"]
		if _, err := r.post("/revoke", owner.id, owner.secret, url.Values{"token": {token}}); err != nil {
			return err
		}
	case "another key":
		j.decrypt = must(jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "P-256"))
		j.Decrypt = private(j.decrypt.PrivateJWK())
	}
	a, err := p.do(j)
	if err == nil && !a.Active {
		return errors.New("the token is not active")
	}
	if of := must(r.access.Verify(context.Background(), token)); err == nil && (a.Subject != of.Subject || a.ClientID != of.Claims.ClientID || a.Scope != of.Claims.Scope) {
		return fmt.Errorf("it reads %+v", a)
	}
	return err
}

func (r *rig) revoke(p *peer, defect string) error {
	a, err := r.token("client_secret_basic", nil)
	if err != nil {
		return err
	}
	c := r.clients["client_secret_basic"]
	j := r.job(c, "revoke")
	switch j.Token = a.AccessToken; defect {
	case "secret":
		j.Secret = strings.Repeat("x", 43)
	case "another's":
		j = r.job(r.clients["client_secret_post"], "revoke")
		j.Token = a.AccessToken
	}
	for range 2 { // what is no longer good is revoked as well
		if _, err := p.do(j); err != nil {
			if state, failed := r.post("/introspect", c.id, c.secret, url.Values{"token": {a.AccessToken}}); failed != nil || !state.Active {
				return fmt.Errorf("the token is revoked, though %w, %w", err, failed)
			}
			return err
		}
	}
	state, err := r.post("/introspect", c.id, c.secret, url.Values{"token": {a.AccessToken}})
	if err == nil && state.Active {
		return errors.New("the token is still active")
	}
	return err
}

// registers registers a client, and gets it a token.
func (r *rig) registers(p *peer, defect string) error {
	m := map[string]any{"client_name": "Ünïcode, \"quoted\"", "grant_types": []string{"client_credentials"}, "response_types": []string{}, "scope": "read", "token_endpoint_auth_method": "client_secret_basic"}
	switch defect {
	case "grant type":
		m["grant_types"] = []string{"password"}
	case "no keys":
		m["token_endpoint_auth_method"] = "private_key_jwt"
	}
	j := job{service: r.service, What: "register", Issuer: r.issuer, Metadata: m, Token: r.invite()}
	if defect == "no token" {
		j.Token = ""
	}
	a, err := p.do(j)
	if err == nil && defect == "used token" {
		a, err = p.do(j)
	}
	if err != nil {
		return err
	}
	r.secret(a.Secret)
	r.secret(a.RegistrationToken)
	if a.ClientID == "" || a.Name != m["client_name"] || a.RegistrationURI == "" || a.RegistrationToken == "" {
		return fmt.Errorf("it reads %+v", a)
	}
	j = r.job(&registered{id: a.ClientID, secret: a.Secret, method: "client_secret_basic"}, "token")
	j.Parameters = map[string]any{"grant_type": "client_credentials"}
	if a, err = p.do(j); err != nil {
		return err
	}
	return r.check(p, a, want{subject: j.ClientID, client: j.ClientID, scope: "read"})
}

// manage reads, changes and removes what was registered.
func (r *rig) manage(p *peer, defect string) error {
	c := r.register(oauth.ClientMetadata{Name: "before"})
	ask := func(method string, metadata map[string]any) (answer, error) {
		j := job{service: r.service, What: "manage", Issuer: r.issuer, URL: c.RegistrationURI, Token: c.RegistrationToken, Parameters: map[string]any{"method": method}, Metadata: metadata}
		if defect == "another token" {
			j.Token = strings.Repeat("x", len(j.Token))
		}
		return p.do(j)
	}
	if a, err := ask("GET", nil); err != nil || a.Name != "before" {
		return fmt.Errorf("it reads %+v: %w", a, err)
	}
	id := c.ClientID
	if defect == "another client" {
		id = r.clients["client_secret_basic"].id
	}
	if a, err := ask("PUT", map[string]any{"client_id": id, "client_name": "after", "grant_types": []string{"client_credentials"}}); err != nil || a.Name != "after" {
		return fmt.Errorf("it reads %+v: %w", a, err)
	}
	if _, err := ask("DELETE", nil); err != nil {
		return err
	}
	if _, err := ask("GET", nil); err == nil || !strings.Contains(err.Error(), oauth.InvalidToken) {
		return fmt.Errorf("what is removed is there: %w", err)
	}
	return nil
}

func TestClients(t *testing.T) {
	jot := build(t)
	here, jose := jot.peers(t)
	r := &rig{jot.start(behindProxy), jose, map[string]*registered{}}
	r.addClients()
	r.addCertified()
	direct := &rig{jot.start(withTLS), jose, map[string]*registered{}}
	direct.addCertified()

	exchanges, controls := 0, 0
	used := map[int]bool{}
	var table strings.Builder
	fmt.Fprintf(&table, "%-44s", "")
	for _, c := range columns {
		fmt.Fprintf(&table, " %s", c)
	}
	for _, row := range slices.Concat(r.rows(), r.certified(", behind a proxy"), direct.certified(", by TLS"), []row{direct.metadata("metadata, by TLS")}) {
		fmt.Fprintf(&table, "\n%-44s", row.name)
		if len(row.controls) == 0 {
			t.Errorf("%s has no control", row.name)
		}
		for _, column := range columns {
			i := slices.IndexFunc(here, func(p *peer) bool { return p.name == column })
			why := slices.IndexFunc(lacks, func(l lack) bool {
				return l.peer == column && regexp.MustCompile("^(?:"+l.rows+")$").MatchString(row.name)
			})
			cell := "?" // it is not here
			switch {
			case why >= 0:
				used[why] = true
				cell = "."
			case i >= 0:
				exchanges++
				cell = "no"
				if err := row.run(here[i], ""); err != nil {
					t.Errorf("%s, %s: %v", row.name, column, err)
					break
				}
				cell = "yes"
				for defect, says := range row.controls {
					controls++
					if err := row.run(here[i], defect); err == nil || !regexp.MustCompile(says).MatchString(err.Error()) {
						t.Errorf("%s, %s, with a defect, %s: %v, want %q", row.name, column, defect, err, says)
					}
				}
			}
			fmt.Fprintf(&table, " %-*s", len(column), cell)
		}
	}
	for i, l := range lacks {
		if !used[i] {
			t.Errorf("nothing needs the line that %s: %s", l.peer, l.why)
		}
		for _, p := range here {
			for _, name := range p.exports {
				if p.name == l.peer && l.has != nil && l.has(name) {
					t.Errorf("%s has %s, though %s", l.peer, name, l.why)
				}
			}
		}
	}
	t.Logf("%d exchanges and %d refusals; %s\n%s", exchanges, controls, versions(), table.String())
}

// versions are those of the peers.
func versions() string {
	all := []string{"x/oauth2 " + string(bytes.TrimSpace(must(exec.Command("go", "list", "-m", "-f", "{{.Version}}", "golang.org/x/oauth2").Output())))}
	for _, name := range []string{"oauth4webapi", "openid-client"} {
		all = append(all, name+" "+must(node.Version(name)))
	}
	all = append(all, "Authlib "+must(python.Version("authlib")))
	if out, err := exec.Command("curl", "--version").Output(); err == nil {
		all = append(all, strings.Join(strings.Fields(string(out))[:2], " "))
	}
	return strings.Join(all, ", ")
}

// TestVersions holds that the versions are the ones that the table was made with.
func TestVersions(t *testing.T) {
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(must(os.ReadFile("../npm/package.json")), &p); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"oauth4webapi", "openid-client", "jose", "undici"} {
		if locked, err := node.Version(name); err != nil || locked != p.Dependencies[name] {
			t.Errorf("%s is %s in package.json and %s in the lock file, %v", name, p.Dependencies[name], locked, err)
		}
	}
	if v, err := python.Version("authlib"); err != nil || v == "" {
		t.Errorf("Authlib has no version: %v", err)
	}
}
