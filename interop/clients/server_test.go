package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/profile/jar"
	"github.com/jotsuite/jot/profile/jarm"
	"github.com/jotsuite/jot/profile/userinfo"
)

const (
	web     = "web"     // a client with a private key
	native  = "native"  // one with a secret
	partner = "partner" // who signs grants

	secret   = "a secret of 32 bytes and some more"
	redirect = "https://client.example/cb"
	other    = "https://other.example" // for whom, or by whom, a broken token is
)

// algorithms are those of ID tokens; all else is signed with the first.
var algorithms = []jwa.Algorithm{jwa.ES256, jwa.ES384, jwa.ES512, jwa.RS256, jwa.PS256, jwa.EdDSA}

// server is an authorization server, an OpenID provider and an API, made of the library's packages.
type server struct {
	*httptest.Server
	keys *keyset.Rotation

	web       *jwk.PrivateKey
	recipient *jwk.DecryptionKey // of web
	partner   *jwk.PrivateKey    // RS256, which is what golang.org/x/oauth2/jwt has
	native    *jwk.SecretKey

	auth      map[string]*clientauth.Verifier
	requests  *jar.Verifier
	pushed    *jar.PushedCache
	proofs    *dpop.Verifier
	grants    *grant.Verifier
	access    *accesstoken.Verifier
	exchanges *exchange.Verifier

	mu    sync.Mutex
	codes map[string]code
	turn
}

// code is what an authorization code stands for.
type code struct {
	url.Values
	client string
}

// turn is one exchange of a token.
type turn struct {
	defect  string         // what is wrong with the tokens of kind that the server makes, see [registered]
	kind    string         //
	encrypt bool           // what the server makes for web
	alg     jwa.Algorithm  // of tokens of kind; zero is ES256
	refused error          // why the server has refused a request
	seen    map[string]int // the tokens that it has accepted, by kind
}

// begin starts a turn.
func (s *server) begin(t turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.seen = map[string]int{}
	s.turn = t
}

// end returns what happened in a turn.
func (s *server) end() turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turn
}

// accepted notes that a token of a kind was.
func (s *server) accepted(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[kind]++
}

// note keeps why a request is refused, as far as the other side is not told.
func (s *server) note(err error) {
	if r, ok := errors.AsType[*jwt.RejectError](err); ok {
		err = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// refuse answers a request, and notes why.
func (s *server) refuse(w http.ResponseWriter, code string, cause error) {
	s.note(cause)
	e, ok := errors.AsType[*oauth.Error](cause)
	if !ok {
		e = &oauth.Error{Code: code}
	}
	e.Write(w)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newServer(t *testing.T) *server {
	ctx := t.Context()
	s := &server{
		keys:      must(keyset.NewRotation(&keyset.MemoryStore{}, keyset.Timetable{}, algorithms...)),
		web:       must(jwk.Generate(jwa.ES256)),
		recipient: must(jwk.GenerateDecryptionKey(jwa.ECDH_ES_A256KW, "P-256")),
		partner:   must(jwk.Generate(jwa.RS256)),
		native:    must(jwk.NewSecretKey(jwa.HS256, "", []byte(secret))),
		pushed:    jar.NewPushedCache(100, 0),
		codes:     map[string]code{},
	}
	_ = must(s.keys.Signer(ctx, jwa.ES256)) // makes the first key
	mux := http.NewServeMux()
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)

	replay := jwt.NewReplayCache(10_000)
	s.auth = map[string]*clientauth.Verifier{}
	for id, keys := range map[string]jwk.Set{web: {s.web.Public()}, native: {s.native}} {
		s.auth[id] = must(clientauth.NewVerifier(keys, clientauth.Policy{Issuer: s.URL, ClientID: id, Replay: replay}))
	}
	s.requests = must(jar.NewVerifier(jwk.Set{s.web.Public()}, jar.Policy{
		Issuer: s.URL, ClientID: web, Pushed: s.pushed, UnsignedRequests: true, JWT: jwt.Policy{Replay: replay},
	}))
	s.proofs = must(dpop.NewVerifier(dpop.Policy{Replay: replay, Nonces: must(dpop.NewNonces(dpop.NonceOptions{}))}))
	s.grants = must(grant.NewVerifier(jwk.Set{s.partner.Public()}, grant.Policy{
		Issuer: s.URL, Audiences: []string{s.URL + "/token"}, Issuers: []string{partner}, AnySubject: true, LegacyScope: true, Reusable: true,
	}))
	s.access = must(accesstoken.NewVerifier(s.keys, accesstoken.Policy{Issuers: []string{s.URL}, Audiences: []string{s.api()}}))
	s.exchanges = must(exchange.NewVerifier(exchange.Policy{
		Issuer:  s.URL,
		Subject: map[exchange.TokenType]exchange.Verify{exchange.AccessToken: exchange.From(s.access.Verify)},
		Permit:  func(context.Context, *exchange.Exchange) (bool, error) { return true, nil },
	}))

	api := must(guard.New(guard.Policy{
		Resource: s.api(), JWT: s.access, DPoP: s.proofs,
		Metadata: &oauth.ResourceMetadata{AuthorizationServers: []string{s.URL}, Name: "Orders"},
		Refused:  func(_ *http.Request, err *oauth.Error) { s.note(err) },
	}))
	mux.Handle("GET /orders", api.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.accepted("access-token")
		if r.Header.Get(dpop.Header) != "" {
			s.accepted("dpop-proof")
		}
		_, _ = fmt.Fprint(w, guard.FromContext(r.Context()).Subject)
	}), guard.Need{Scopes: []string{"orders:read"}}))
	mux.Handle("GET "+api.MetadataPath(), api.Metadata())
	users := must(guard.New(guard.Policy{Resource: s.URL + "/userinfo", JWT: s.access}))
	mux.Handle("GET /userinfo", users.Handler(http.HandlerFunc(s.userinfo), guard.Need{}))

	mux.HandleFunc("GET /.well-known/openid-configuration", s.metadata)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", s.metadata)
	mux.Handle("GET /jwks", s.keys.Handler())
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /par", s.push)
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("POST /introspect", s.introspect)
	return s
}

func (s *server) api() string { return s.URL + "/orders" }

func (s *server) metadata(w http.ResponseWriter, _ *http.Request) {
	es := []string{"ES256"}
	var all []string
	for _, a := range algorithms {
		all = append(all, a.Name())
	}
	write(w, oauth.ServerMetadata{
		Issuer: s.URL, AuthorizationEndpoint: s.URL + "/authorize", TokenEndpoint: s.URL + "/token", JWKSURI: s.URL + "/jwks",
		PushedAuthorizationEndpoint: s.URL + "/par", UserInfoEndpoint: s.URL + "/userinfo", IntrospectionEndpoint: s.URL + "/introspect",
		ResponseTypesSupported: []string{"code", "code id_token", "id_token"}, CodeChallengeMethodsSupported: []string{oauth.S256}, IssuerInResponse: true,
		TokenEndpointAuthMethods:     []string{clientauth.PrivateKeyJWT, clientauth.ClientSecretJWT},
		TokenEndpointAuthSigningAlgs: []string{"ES256", "HS256"}, IDTokenSigningAlgs: all, UserInfoSigningAlgs: es,
		AuthorizationSigningAlgs: es, IntrospectionSigningAlgs: es, RequestObjectSigningAlgs: es, DPoPSigningAlgs: es, SubjectTypesSupported: []string{"public"},
	})
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}

// registered are the registered claims of a new token, with a defect in them.
func registered(issuer, audience, defect string) jwt.Registered {
	now := time.Now().Truncate(time.Second)
	r := jwt.Registered{Issuer: issuer, Subject: "alice", Audience: jwt.Audience{audience}, IssuedAt: now, Expiry: now.Add(5 * time.Minute), ID: rand.Text()}
	switch defect {
	case "aud":
		r.Audience = jwt.Audience{other}
	case "iss":
		r.Issuer = other
	case "exp":
		r.IssuedAt, r.Expiry = now.Add(-2*time.Hour), now.Add(-time.Hour)
	case "iat":
		r.IssuedAt = now.Add(-2 * time.Hour)
	}
	return r
}

// issue makes a token of a kind with the key of the server, by the Sign of its profile, or encrypted for web. What the
// kind has of the registered claims is for change to say.
func issue[C any](s *server, kind, typ, audience string, change func(*jwt.Registered), c C, sign func(context.Context, jwk.Signer, jwt.Registered, C) (string, error)) string {
	turn := s.end()
	if turn.kind != kind {
		turn.defect, turn.encrypt = "", false
	}
	if turn.kind != kind || turn.alg == (jwa.Algorithm{}) {
		turn.alg = jwa.ES256
	}
	r := registered(s.URL, audience, turn.defect)
	if change != nil {
		change(&r)
	}
	ctx := context.Background()
	key := must(s.keys.Signer(ctx, turn.alg))
	if turn.defect == "key" {
		key = must(jwk.NewPrivateKey(jwa.ES256, key.KeyID(), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))))
	}
	if turn.encrypt {
		s.accepted("encrypted")
		to := jwt.Recipient{Key: s.recipient.Public(), Encryption: jwa.A256GCM}
		return must(jwt.SignEncrypted(ctx, key, to, jwt.Header{Type: typ}, r, c, jwt.AllowMissingExpiry))
	}
	return must(sign(ctx, key, r, c))
}

// accessToken makes an access token for the API.
func (s *server) accessToken(kind string, c accesstoken.Claims) string {
	c.ClientID, c.Scope = web, "orders:read"
	return issue(s, kind, "", s.api(), nil, c, accesstoken.Sign)
}

// idToken makes an ID token for web; a defect may be one of its hashes.
func (s *server) idToken(kind string, c idtoken.Claims, accessToken, code, state string) string {
	alg := s.end().alg
	if alg == (jwa.Algorithm{}) {
		alg = jwa.ES256
	}
	hash := func(claim, value string) string {
		if t := s.end(); t.kind == kind && t.defect == claim {
			value += "another"
		}
		if value == "" {
			return ""
		}
		return must(idtoken.Hash(alg, value))
	}
	c.ATHash, c.CHash, c.SHash = hash("at_hash", accessToken), hash("c_hash", code), hash("s_hash", state)
	if t := s.end(); t.kind == kind && t.defect == "nonce" {
		c.Nonce = "another"
	}
	return issue(s, kind, "", web, nil, c, idtoken.Sign)
}

// authenticate authenticates the client of a request.
func (s *server) authenticate(w http.ResponseWriter, r *http.Request) (client string, ok bool) {
	client = r.PostFormValue("client_id")
	v := s.auth[client]
	if v == nil || r.PostFormValue("client_assertion_type") != clientauth.AssertionType {
		s.refuse(w, oauth.InvalidClient, errors.New("no client assertion"))
		return "", false
	}
	t, err := v.Verify(r.Context(), r.PostFormValue("client_assertion"), clientauth.Expect{ClientID: client})
	if err != nil {
		s.refuse(w, oauth.InvalidClient, err)
		return "", false
	}
	s.accepted("client-assertion, " + clientauth.Method(t))
	return client, true
}

// resolve returns the parameters of an authorization request.
func (s *server) resolve(w http.ResponseWriter, r *http.Request, q url.Values) (*jar.Request, bool) {
	req, err := s.requests.Resolve(r.Context(), q)
	if err != nil {
		s.refuse(w, oauth.InvalidRequest, err)
		return nil, false
	}
	if req.Token != nil {
		s.accepted("request-object")
	}
	if req.Parameters.Get("redirect_uri") != redirect {
		s.refuse(w, oauth.InvalidRequest, errors.New("redirect_uri"))
		return nil, false
	}
	return req, true
}

func (s *server) push(w http.ResponseWriter, r *http.Request) {
	client, ok := s.authenticate(w, r)
	if !ok {
		return
	}
	key, ok := s.proof(w, r)
	if !ok {
		return
	}
	q := url.Values{}
	for name, values := range r.PostForm {
		if !strings.HasPrefix(name, "client_assertion") {
			q[name] = values
		}
	}
	req, ok := s.resolve(w, r, q)
	if !ok {
		return
	}
	if key != "" {
		req.Parameters.Set("dpop_jkt", key) // RFC 9449, Section 10.1
	}
	uri, life, err := s.pushed.Push(r.Context(), client, req.Parameters)
	if err != nil {
		s.refuse(w, oauth.ServerError, err)
		return
	}
	s.accepted("pushed request")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"request_uri": uri, "expires_in": int(life.Seconds())})
}

// authorize logs Alice in, who agrees to everything.
func (s *server) authorize(w http.ResponseWriter, r *http.Request) {
	req, ok := s.resolve(w, r, r.URL.Query())
	if !ok {
		return
	}
	q := req.Parameters
	id, state, nonce := rand.Text(), q.Get("state"), q.Get("nonce")
	s.mu.Lock()
	s.codes[id] = code{q, q.Get("client_id")}
	s.mu.Unlock()
	back := url.Values{"state": {state}}
	switch q.Get("response_type") {
	case "id_token":
		back.Set("id_token", s.idToken("id-token, front channel", idtoken.Claims{Nonce: nonce}, "", "", ""))
		http.Redirect(w, r, redirect+"#"+back.Encode(), http.StatusFound)
		return
	case "code id_token":
		back.Set("code", id)
		back.Set("id_token", s.idToken("id-token, front channel", idtoken.Claims{Nonce: nonce}, "", id, state))
		http.Redirect(w, r, redirect+"#"+back.Encode(), http.StatusFound)
		return
	}
	if mode := q.Get("response_mode"); mode != "" {
		response := issue(s, "jarm", "", web, func(r *jwt.Registered) { r.Subject, r.ID = "", "" }, jarm.Claims{Code: id, State: state}, jarm.Sign)
		if err := jarm.Write(w, mode, "code", redirect, response); err != nil {
			s.refuse(w, oauth.InvalidRequest, err)
		}
		return
	}
	back.Set("code", id)
	back.Set("iss", s.URL)
	http.Redirect(w, r, redirect+"?"+back.Encode(), http.StatusFound)
}

// proof returns the thumbprint of the key of a proof, if there is one.
func (s *server) proof(w http.ResponseWriter, r *http.Request) (key string, ok bool) {
	if r.Header.Get(dpop.Header) == "" {
		return "", true
	}
	raw, err := dpop.FromHeader(r.Header)
	var t *jwt.Token[dpop.Claims]
	if err == nil {
		t, err = s.proofs.Verify(r.Context(), raw, dpop.Expect{Method: r.Method, URL: s.URL + r.URL.Path, NoAccessToken: true})
	}
	if err != nil {
		_ = s.proofs.SetNonce(r.Context(), w.Header())
		s.note(err)
		dpop.Error(err).Write(w)
		return "", false
	}
	s.accepted("dpop-proof")
	return t.Key.KeyID(), true
}

func (s *server) token(w http.ResponseWriter, r *http.Request) {
	// The grant of golang.org/x/oauth2/jwt comes without a client.
	form := r.FormValue("grant_type")
	client := ""
	if form != grant.GrantType || r.PostFormValue("client_id") != "" {
		var ok bool
		if client, ok = s.authenticate(w, r); !ok {
			return
		}
	}
	claims, kind := accesstoken.Claims{}, oauth.Bearer
	key, ok := s.proof(w, r)
	if !ok {
		return
	}
	if key != "" {
		claims.Confirmation, kind = &pop.Confirmation{Thumbprint: key}, oauth.DPoP
	}
	answer := map[string]any{"token_type": kind, "expires_in": 300}
	answer["access_token"] = s.accessToken("access-token", claims)
	switch form {
	case "client_credentials":
	case "authorization_code":
		s.mu.Lock()
		c := s.codes[r.PostFormValue("code")]
		delete(s.codes, r.PostFormValue("code"))
		s.mu.Unlock()
		err := oauth.CheckVerifier(c.Get("code_challenge"), c.Get("code_challenge_method"), r.PostFormValue("code_verifier"))
		if c.client != client || c.Get("dpop_jkt") != "" && c.Get("dpop_jkt") != key || r.PostFormValue("redirect_uri") != redirect {
			err = &oauth.Error{Code: oauth.InvalidGrant}
		}
		if err != nil {
			s.refuse(w, oauth.InvalidGrant, err)
			return
		}
		answer["id_token"] = s.idToken("id-token", idtoken.Claims{Nonce: c.Get("nonce")}, answer["access_token"].(string), "", "")
	case grant.GrantType:
		req, err := grant.ParseRequest(r.PostForm)
		if err == nil {
			_, err = s.grants.Verify(r.Context(), req.Assertion)
		}
		if err != nil {
			s.refuse(w, oauth.InvalidGrant, err)
			return
		}
		s.accepted("authorization-grant")
	case exchange.GrantType:
		req, err := exchange.ParseRequest(r.PostForm)
		if err == nil {
			_, err = s.exchanges.Verify(r.Context(), req, exchange.Expect{ClientID: client})
		}
		if err != nil {
			s.refuse(w, oauth.InvalidRequest, err)
			return
		}
		s.accepted("token exchange")
		answer["issued_token_type"] = exchange.AccessToken
	default:
		s.refuse(w, oauth.UnsupportedGrantType, &oauth.Error{Code: oauth.UnsupportedGrantType})
		return
	}
	write(w, answer)
}

func (s *server) userinfo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", userinfo.MediaType)
	_, _ = fmt.Fprint(w, issue(s, "userinfo", "", web, func(r *jwt.Registered) {
		r.Expiry, r.ID = time.Time{}, ""
		if t := s.end(); t.kind == "userinfo" && t.defect == "sub" {
			r.Subject = "mallory"
		}
	}, userinfo.Claims{Email: guard.FromContext(r.Context()).Subject + "@example.com"}, userinfo.Sign))
}

func (s *server) introspect(w http.ResponseWriter, r *http.Request) {
	client, ok := s.authenticate(w, r)
	if !ok {
		return
	}
	said := &introspection.Response{}
	if t, err := s.access.Verify(r.Context(), r.PostFormValue("token")); err == nil {
		said = &introspection.Response{Active: true, Subject: t.Subject, Issuer: t.Issuer, Audience: t.Audience, Scope: t.Claims.Scope, Expiry: t.Expiry}
	}
	if r.Header.Get("Accept") != introspection.MediaType {
		write(w, said)
		return
	}
	w.Header().Set("Content-Type", introspection.MediaType)
	_, _ = fmt.Fprint(w, issue(s, "introspection", introspection.Type, client, func(r *jwt.Registered) {
		r.Subject, r.Expiry, r.ID = "", time.Time{}, ""
	}, introspection.Claims{Response: said}, introspection.Sign))
}
