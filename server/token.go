package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server/store"
)

// The grant types that have no package of their own (RFC 6749, Sections 4.4 and 6).
const (
	grantClientCredentials = "client_credentials"
	grantRefresh           = "refresh_token"
)

const kindAccess = "access"

var grantTypes = []string{grantClientCredentials, grant.GrantType, grant.BitbucketGrantType, exchange.GrantType, grantRefresh}

// token is the token endpoint (RFC 6749, Section 3.2).
func (q *request) token() error {
	if err := q.parse(); err != nil {
		return err
	}
	typ := q.form.Get("grant_type")
	var f func(*request) error
	switch typ {
	case grantClientCredentials:
		f = (*request).clientCredentials
	case grant.GrantType, grant.BitbucketGrantType:
		f = (*request).jwtBearer
	case grantRefresh:
		f = (*request).refresh
	case exchange.GrantType:
		f = (*request).exchange
	case "":
		return invalid(oauth.InvalidRequest, "there is no grant_type", nil)
	default:
		return invalid(oauth.UnsupportedGrantType, "the grant_type is none of those that the metadata of the server names", nil)
	}
	q.event.Grant = grantTypes[slices.Index(grantTypes, typ)] // and no part of the body, which who keeps the event would keep
	err := f(q)
	if e := q.settle(); e != nil { // which comes before whatever else was wrong
		return e
	}
	return err
}

// authorized authenticates the client, and holds it to the grant types that it has registered.
func (q *request) authorized() error {
	if err := q.authenticate(); err != nil {
		return err
	}
	if !q.client.may(q.event.Grant) {
		return invalid(oauth.UnauthorizedClient, "the client has not registered this grant_type", nil)
	}
	return nil
}

// clientCredentials is access in the client's own name (RFC 6749, Section 4.4).
func (q *request) clientCredentials() error {
	if err := q.authorized(); err != nil {
		return err
	}
	if q.client.method == methodNone { // RFC 6749, Section 4.4
		return invalid(oauth.UnauthorizedClient, "a public client has no access of its own", nil)
	}
	a := access{client: q.client, clientID: q.client.ID, subject: q.client.ID}
	var err error
	if a.cnf, _, err = q.bind(); err != nil {
		return err
	}
	if err := q.ask(&a, q.client.resources, q.client.scope); err != nil {
		return err
	}
	return q.grant(&a, "")
}

// access is what a token stands for.
type access struct {
	client    *client // nil where none presents the grant
	clientID  string
	subject   string
	scope     oauth.Scopes
	resources []*resource
	details   []oauth.AuthorizationDetail
	cnf       *pop.Confirmation
	act       json.RawMessage
	family    string    // of refresh tokens, if there is one
	until     time.Time // it ends no later
}

// bind verifies the proof and the certificate that tokens are to be bound to. It returns what names the keys that the request
// has shown: of the client's instance or of the proof, and of the certificate.
func (q *request) bind() (*pop.Confirmation, string, error) {
	var c pop.Confirmation
	var keys []string
	if q.instance != "" {
		keys = append(keys, "instance "+q.instance)
	}
	if q.client != nil && q.client.Metadata.CertificateBoundTokens { // RFC 8705, Section 3.4
		certificate, err := q.certificate()
		if err != nil {
			return nil, "", err
		}
		if certificate == nil {
			return nil, "", invalid(oauth.InvalidRequest, "the tokens of this client are bound to its certificate, and the request has none", nil)
		}
		c.X5TS256 = thumbprint(certificate)
		keys = append(keys, "x5t#S256 "+c.X5TS256)
		q.event.Bound = "mtls"
	}
	if len(q.r.Header["Dpop"]) == 0 {
		if q.client != nil && q.client.Metadata.DPoPBoundTokens { // RFC 9449, Section 5.2
			return nil, "", invalid(oauth.InvalidDPoPProof, "the tokens of this client are bound to a key, and the request has no DPoP proof", nil)
		}
		if c == (pop.Confirmation{}) {
			return nil, strings.Join(keys, " "), nil
		}
		return &c, strings.Join(keys, " "), nil
	}
	proof, err := dpop.FromHeader(q.r.Header)
	if err == nil {
		var t *jwt.Token[dpop.Claims]
		ctx, end := q.trace(q.ctx, "verify")
		if q.held.waits {
			ctx = context.WithValue(ctx, heldKey{}, &q.held)
		}
		t, err = q.proofs.Verify(ctx, proof, dpop.Expect{Method: q.r.Method, URL: q.tokenEndpoint(), NoAccessToken: true})
		end(err)
		if e := q.settle(); e != nil {
			return nil, "", e
		}
		if err == nil {
			c.Thumbprint = t.Key.KeyID()
			q.event.Bound = "dpop"
			if q.instance == "" {
				keys = append(keys, "jkt "+c.Thumbprint)
			}
			return &c, strings.Join(keys, " "), q.proofs.SetNonce(q.ctx, q.w.Header()) // RFC 9449, Section 8.2
		}
	}
	e := dpop.Error(err)
	if e == nil {
		return nil, "", err
	}
	if r, ok := errors.AsType[*jwt.RejectError](err); ok && slices.Contains(r.Codes(), "htu.mismatch") {
		e.Description += "; htu is to be " + q.tokenEndpoint() // as the metadata says too: who is behind a proxy may know another
	}
	return nil, "", e
}

// ask holds what the request asks for to what may be granted: resources (RFC 8707), scope (RFC 6749, Section 3.3) and
// authorization details (RFC 9396). Without a scope of its own the request gets all that means something to its resources.
func (q *request) ask(a *access, resources []*resource, scope oauth.Scopes) error {
	asked, err := q.scope()
	if err != nil {
		return err
	}
	identifiers, err := oauth.ParseResources(q.form["resource"])
	if err != nil {
		return err
	}
	if err := a.narrow(identifiers, asked, resources, scope); err != nil {
		return err
	}
	a.details, err = q.details(a)
	return err
}

// scope reads the scope parameter.
func (q *request) scope() (oauth.Scopes, error) {
	text := q.form.Get("scope")
	if text == "" {
		return nil, nil
	}
	return oauth.ParseScopes(text)
}

// narrow sets the resources and the scope of a token. Nothing is added that is not among those that may be granted.
func (a *access) narrow(identifiers []string, asked oauth.Scopes, resources []*resource, scope oauth.Scopes) error {
	if len(resources) == 0 {
		return invalid(oauth.InvalidTarget, "there is no resource that a token could be for", nil)
	}
	if over := asked.Without(scope); len(over) > 0 {
		return invalid(oauth.InvalidScope, "the scope exceeds what may be granted", nil)
	}
	if len(identifiers) == 0 {
		// RFC 9068, Section 3: the resource that the scope speaks of, or the first.
		i := slices.IndexFunc(resources, func(r *resource) bool { return r.Scopes == nil || r.Scopes.Has(asked...) })
		a.resources = resources[max(i, 0):][:1]
	} else {
		a.resources = nil
		for _, id := range identifiers {
			i := slices.IndexFunc(resources, func(r *resource) bool { return r.Identifier == id })
			if i < 0 {
				return invalid(oauth.InvalidTarget, "no token is issued for one of the resources", nil)
			}
			a.resources = append(a.resources, resources[i])
		}
	}
	// RFC 9068, Section 3: each value of the scope means something to a resource of the token.
	var known oauth.Scopes
	for _, r := range a.resources {
		if r.Scopes == nil {
			a.scope = asked
			if asked == nil {
				a.scope = scope
			}
			return nil
		}
		if known == nil {
			known = r.Scopes
		} else {
			known = known.Union(r.Scopes)
		}
	}
	if asked == nil {
		a.scope = scope.Intersect(known)
		return nil
	}
	if len(asked.Without(known)) > 0 {
		return invalid(oauth.InvalidScope, "the scope means nothing to the resources of the token", nil)
	}
	a.scope = asked
	return nil
}

// details reads the authorization_details parameter, and holds each to its type.
func (q *request) details(a *access) ([]oauth.AuthorizationDetail, error) {
	text := q.form.Get("authorization_details")
	if text == "" {
		return nil, nil
	}
	all, err := oauth.ParseAuthorizationDetails(text)
	if err != nil {
		return nil, err
	}
	for i := range all {
		check := q.o.DetailTypes[all[i].Type] // which ready holds the types of clients to
		if a.client == nil || !slices.Contains(a.client.Metadata.AuthorizationDetailsTypes, all[i].Type) {
			return nil, invalid(oauth.InvalidAuthorizationDetails, "authorization details have a type that is not known, or not allowed to the client", nil)
		}
		if check == nil {
			if len(all[i].Extra) > 0 {
				return nil, invalid(oauth.InvalidAuthorizationDetails, "authorization details have a member that their type has not", nil)
			}
			continue
		}
		if err := check(q.ctx, a.clientID, &all[i]); err != nil {
			return nil, invalid(oauth.InvalidAuthorizationDetails, "authorization details are not allowed", err)
		}
	}
	return all, nil
}

// tokenClaims are the claims of an access token, with those that are configured.
type tokenClaims struct {
	accesstoken.Claims `json:",inline"`
	Extra              map[string]json.RawMessage `json:",inline"`
}

// tokenBody is all that an access token says: the payload of a JWT, and what is kept of an opaque one.
type tokenBody struct {
	jwt.Registered `json:",inline"`
	tokenClaims    `json:",inline"`
}

var (
	bodyEncoder, _ = strictjson.NewEncoder[tokenBody]()
	bodyDecoder, _ = strictjson.NewDecoder[tokenBody]()
	// ownClaims are those of the server, and what it says of a token when it is asked (RFC 7662, Section 2.2).
	ownClaims = append(bodyEncoder.Names(), "active", "token_type")
)

// issue makes an access token (RFC 9068), and says for how long it is good.
func (q *request) issue(a *access) (string, time.Duration, error) {
	now := q.now.Truncate(time.Second)
	life, opaque := q.o.Lifetimes.Access, a.client != nil && a.client.Opaque
	if a.client != nil && a.client.Lifetime > 0 {
		life = min(life, time.Duration(a.client.Lifetime)*time.Second)
	}
	b := tokenBody{}
	b.Audience = make(jwt.Audience, len(a.resources))
	for i, r := range a.resources {
		b.Audience[i] = r.Identifier
		opaque = opaque || r.Opaque
		if r.Lifetime > 0 {
			life = min(life, r.Lifetime)
		}
	}
	if !a.until.IsZero() {
		life = min(life, a.until.Sub(now).Truncate(time.Second))
	}
	if life <= 0 {
		return "", 0, invalid(oauth.InvalidGrant, "the access has ended", nil)
	}
	b.Issuer, b.Subject = q.o.Issuer, a.subject
	b.IssuedAt, b.Expiry = now, now.Add(life)
	b.ID = rand.Text()
	if a.family != "" {
		b.ID = a.family + "." + b.ID // by which a revocation of the family is known to be the token's too
	}
	b.ClientID, b.Scope, b.Confirmation, b.Actor = a.clientID, a.scope.String(), a.cnf, a.act
	var err error
	if len(a.details) > 0 {
		if b.AuthorizationDetails, err = json.Marshal(a.details); err != nil {
			return "", 0, invalid(oauth.InvalidAuthorizationDetails, "authorization details cannot be written", err)
		}
	}
	b.Extra = a.claims()
	q.event.TokenID, q.event.Family, q.event.Subject, q.event.Scope, q.event.Audience = b.ID, a.family, b.Subject, b.Scope, b.Audience
	if opaque {
		token, err := q.keep(&b)
		return token, life, err
	}
	key, err := q.o.Keys.Signer(q.ctx, q.o.Algorithm)
	if err != nil {
		return "", 0, err
	}
	ctx, end := q.trace(q.ctx, "sign")
	token, err := jwt.Sign(ctx, key, jwt.Header{Type: accesstoken.Type}, b.Registered, b.tokenClaims)
	end(err)
	return token, life, err
}

// claims are those that are configured for the client and the resources. Where both have one, it is the client's.
func (a *access) claims() map[string]json.RawMessage {
	var out map[string]json.RawMessage
	add := func(m map[string]json.RawMessage) {
		if out == nil && len(m) > 0 {
			out = make(map[string]json.RawMessage, len(m))
		}
		for name, value := range m {
			out[name] = value
		}
	}
	for _, r := range a.resources {
		add(r.claims)
	}
	if a.client != nil {
		add(a.client.claims)
	}
	return out
}

// keep makes an opaque token. What is kept of it is a keyed hash, and what it says.
func (q *request) keep(b *tokenBody) (string, error) {
	token := random()
	return token, q.o.Store.AddRecord(q.ctx, q.now, store.Record{
		Kind: kindAccess, Key: string(q.secrets.record.sum([]byte(token))), Body: must(bodyEncoder.Append(nil, b)), Expires: b.Expiry,
	})
}

// grant answers with an access token, and a refresh token if there is one.
func (q *request) grant(a *access, refresh string) error { return q.answer(a, refresh, "") }

// answer writes a token response (RFC 6749, Section 5.1; RFC 8693, Section 2.2.1). What is put into it needs no escape in JSON.
func (q *request) answer(a *access, refresh string, issued exchange.TokenType) error {
	token, life, err := q.issue(a)
	if err != nil {
		return err
	}
	typ := oauth.Bearer
	if a.cnf != nil && a.cnf.Thumbprint != "" {
		typ = oauth.DPoP // RFC 9449, Section 5
	}
	b := make([]byte, 0, len(token)+len(refresh)+256)
	b = append(append(b, `{"access_token":"`...), token...)
	if issued != "" {
		b = append(append(b, `","issued_token_type":"`...), issued...)
	}
	b = append(append(b, `","token_type":"`...), typ...)
	b = strconv.AppendInt(append(b, `","expires_in":`...), int64(life/time.Second), 10)
	if len(a.scope) > 0 {
		b = append(append(append(b, `,"scope":"`...), q.event.Scope...), '"')
	}
	if refresh != "" {
		b = append(append(append(b, `,"refresh_token":"`...), refresh...), '"')
	}
	if len(a.details) > 0 { // RFC 9396, Section 7
		b = append(append(b, `,"authorization_details":`...), must(json.Marshal(a.details))...) // which issue has written before
	}
	q.writeJSON(append(b, '}'))
	return nil
}

// writeJSON answers with what nobody may store (RFC 6749, Section 5.1).
func (q *request) writeJSON(body []byte) {
	h := q.w.Header()
	h["Content-Type"], h["Cache-Control"], h["Pragma"] = jsonType, noStore, noCache
	_, _ = q.w.Write(body)
}

// inspect returns what an access token of this server says, or nil where it is not good: expired, revoked, or no such token. The refusal of
// a JWT is a *jwt.RejectError.
func (s *Server) inspect(ctx context.Context, now time.Time, raw string) (*tokenBody, error) {
	body, err := s.read(ctx, now, raw)
	if body == nil {
		return nil, err
	}
	b := new(tokenBody)
	if err := bodyDecoder.Decode(body, b, strictjson.Limits{}); err != nil {
		return nil, fmt.Errorf("server: an access token cannot be read: %w", err)
	}
	revoked, err := s.o.Store.Revoked(ctx, now, b.IssuedAt, b.targets()...)
	if err != nil || revoked {
		return nil, err
	}
	return b, nil
}

func (s *Server) read(ctx context.Context, now time.Time, raw string) ([]byte, error) {
	if isJWT(raw) {
		t, err := s.tokens.Verify(ctx, raw)
		if err != nil {
			return nil, err
		}
		return t.Payload(), nil
	}
	b, _, err := s.kept(s.secrets.record, raw, func(key string) (store.Record, error) { return s.o.Store.Record(ctx, now, kindAccess, key) })
	return b, err
}

// kept looks an opaque token up by each of the hashes that it may have. It returns what is kept of it, and by what key, or nil.
func (s *Server) kept(hashes macs, raw string, look func(key string) (store.Record, error)) ([]byte, string, error) {
	if len(raw) != tokenSize {
		return nil, "", nil
	}
	for i := range hashes {
		key := string(hashes[i:].sum([]byte(raw)))
		r, err := look(key)
		if err == nil {
			return r.Body, key, nil
		}
		if !isNotFound(err) {
			return nil, "", err
		}
	}
	return nil, "", nil
}
