package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server/store"
)

const (
	kindInitial = "initial"
	// maxMetadata is the size of the metadata that is read, in bytes.
	maxMetadata = 64 << 10
)

// Registration lets clients register themselves (RFC 7591), and change and remove what they have registered (RFC 7592). Whoever
// registers has to have an initial access token, of [Server.InitialAccessToken].
type Registration struct {
	// OpenToEverybody lets those register who have no such token. Limit how often that may happen.
	OpenToEverybody bool
	// GrantTypes are those that may be registered. Empty is client_credentials.
	GrantTypes []string
	// Scope is the most that a client gets, and what one gets that asks for none.
	Scope oauth.Scopes
	// DetailTypes are the types of authorization details that may be registered. Empty is none.
	DetailTypes []string
	// Statements are the keys of who makes software statements, and StatementIssuers their names (iss). Without them a
	// registration with one is refused.
	Statements       jwk.Source
	StatementIssuers []string
	// Approve, if not nil, is shown each client before it is saved, for the first time or again, and may change it, save for its ID. What it fails with is
	// the answer if it is an *oauth.Error.
	Approve func(ctx context.Context, c *Client) error
}

// statements verifies software statements.
func (s *Server) newStatements() error {
	r := s.o.Registration
	if r == nil || r.Statements == nil {
		return nil
	}
	// RFC 7591, Section 2.3: signed, with iss. It speaks of software that any server may meet, for as long as it says.
	v, err := jwt.NewVerifier[map[string]json.RawMessage](r.Statements, jwt.Policy{
		Issuers: r.StatementIssuers, AnyAudience: true, OptionalExpiry: true, Required: []string{"software_id"}, Clock: s.o.Clock, MaxSize: maxMetadata,
	})
	s.statements = v
	return err
}

// InitialAccessToken makes a token by which one client can be registered until it has lived that long (RFC 7591, Section 3).
func (s *Server) InitialAccessToken(ctx context.Context, life time.Duration) (string, error) {
	token, now := random(), s.o.Clock()
	return token, s.o.Store.AddRecord(ctx, now, store.Record{
		Kind: kindInitial, Key: string(s.secrets.register.sum([]byte(token))), Body: []byte("{}"), Expires: now.Add(life),
	})
}

// registrationMethods are those of a client that has registered.
var registrationMethods = []string{http.MethodGet, http.MethodPut, http.MethodDelete}

func (s *Server) routeRegistration(path string) {
	if s.o.Registration == nil {
		return
	}
	s.endpoints[path+"/register"] = s.oauth("registration", post, false, (*request).register)
	s.prefix = path + "/register/"
	s.manage = s.oauth("registration", registrationMethods, false, (*request).registered)
}

// bearer returns the token of the request, or "".
func (q *request) bearer() string {
	values := q.r.Header["Authorization"]
	if len(values) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, oauth.Bearer) {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// unregistered is the answer to who has no token, or not a good one (RFC 6750, Section 3.1).
func (q *request) unregistered() error {
	cause := fault.New("registration.missing", "RFC 6750, Section 2.1", "server: the request has no bearer token")
	if q.bearer() != "" {
		cause = fault.New("registration.token", "RFC 7591, Section 3", "server: the token was used, has expired, is another client's, or is none of this server")
	}
	e := &oauth.Error{Code: oauth.InvalidToken, Description: "this needs a token for registration, which is not there or not good", Cause: cause}
	c := oauth.Challenge{Scheme: oauth.Bearer}
	if c.Realm = q.o.Issuer; len(q.r.Header["Authorization"]) > 0 {
		c.Error = e
	}
	q.w.Header().Set("WWW-Authenticate", c.String())
	return e
}

// register is the registration endpoint (RFC 7591, Section 3).
func (q *request) register() error {
	q.event.Action = "create"
	policy := q.o.Registration
	initial := ""
	if !policy.OpenToEverybody {
		var err error
		if initial, err = q.initial(q.bearer()); err != nil {
			return err
		}
		if initial == "" {
			return q.unregistered()
		}
	}
	m, _, err := q.metadata()
	if err != nil {
		return err
	}
	registration := random()
	id := random()[:22]
	if initial != "" {
		id = idFor(initial)
	}
	c := Client{ID: id, Metadata: *m, Created: q.now.UTC().Truncate(time.Second), Registered: true}
	c.stored.Token = encode(q.secrets.register.sum(clientMessage(c.ID, registration)))
	if err := q.approve(&c); err != nil {
		return err
	}
	c.ID = id
	saved, err := q.SaveClient(q.ctx, c)
	if initial != "" && errors.Is(err, store.ErrConflict) {
		return q.unregistered()
	}
	if err != nil {
		return registrationError(err)
	}
	if initial != "" {
		// The client has used the token, and must be told its secret, whatever becomes of this: who comes again with the token meets the client.
		_, _ = q.o.Store.TakeRecord(q.ctx, q.now, kindInitial, initial)
	}
	q.event.Client = saved.ID
	q.information(http.StatusCreated, saved, registration)
	return nil
}

// idFor names the client that an initial access token lets register, so that one of all who have the token can, and the token is good for another
// try where the client could not be saved.
func idFor(initial string) string {
	sum := sha256.Sum256([]byte("client of an initial access token: " + initial))
	return encode(sum[:])[:22]
}

// initial returns the key of the record of an initial access token, or "".
func (q *request) initial(token string) (string, error) {
	_, key, err := q.kept(q.secrets.register, token, func(key string) (store.Record, error) {
		return q.o.Store.Record(q.ctx, q.now, kindInitial, key)
	})
	return key, err
}

// registered is the client configuration endpoint (RFC 7592, Section 2).
func (q *request) registered() error {
	q.event.Action = map[string]string{http.MethodPut: "update", http.MethodDelete: "delete"}[q.r.Method]
	if q.event.Action == "" {
		q.event.Action = "read"
	}
	id := strings.TrimPrefix(q.r.URL.Path, q.prefix)
	token := q.bearer()
	c, err := q.Client(q.ctx, id)
	if err != nil && !isNotFound(err) {
		return err
	}
	var mac []byte
	if c != nil {
		q.event.Attempted = c.ID
		mac, _ = decode(c.stored.Token)
	}
	if !q.secrets.register.verify(clientMessage(id, token), mac) || !c.Registered {
		return q.unregistered() // RFC 7592, Section 2: whether there is no such client is not told
	}
	q.event.Client, q.event.Attempted = c.ID, ""
	switch q.r.Method {
	case http.MethodDelete:
		if err := q.DeleteClient(q.ctx, c.ID); err != nil && !isNotFound(err) {
			return err
		}
		q.event.Status = http.StatusNoContent
		q.w.Header()["Cache-Control"] = noStore
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPut:
		if c, err = q.replace(c); err != nil {
			return err
		}
	}
	q.information(http.StatusOK, c, token)
	return nil
}

// replace is the update of a client: what the request leaves out is left out from now on (RFC 7592, Section 2.2).
func (q *request) replace(c *Client) (*Client, error) {
	m, own, err := q.metadata()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if own[name] != nil {
			return nil, invalid(oauth.InvalidClientMetadata, name+" is not for a client to say", nil)
		}
	}
	if text(own["client_id"]) != c.ID {
		return nil, invalid(oauth.InvalidClientMetadata, "client_id is not that of the client", nil)
	}
	if own["client_secret"] != nil {
		// RFC 7592, Section 2.2: one that is there is the client's own, so that it cannot choose one.
		valid, err := q.ownSecret(c, text(own["client_secret"]))
		if err != nil {
			return nil, err
		}
		if !valid {
			return nil, invalid(oauth.InvalidClientMetadata, "client_secret is not that of the client", nil)
		}
	}
	c.Metadata = *m
	if err := q.approve(c); err != nil {
		return nil, err
	}
	saved, err := q.SaveClient(q.ctx, *c)
	return saved, registrationError(err)
}

// ownSecret reports whether a secret is one that the client has.
func (q *request) ownSecret(c *Client, secret string) (bool, error) {
	kept := []keptSecret{c.stored.keptSecret}
	if c.stored.Old != nil && c.OldSecretExpires.After(q.now) {
		kept = append(kept, c.stored.Old.keptSecret)
	}
	for i, k := range kept {
		hash, _ := decode(k.Hash)
		if q.secrets.client.verify(clientMessage(c.ID, secret), hash) {
			return true, nil
		}
		if k.Sealed == "" {
			continue
		}
		sealed, err := q.secrets.open(k.Sealed, c.ID)
		if err != nil && i == 0 {
			return false, errDocument.Wrap(err)
		}
		if err == nil && same(sealed, secret) {
			return true, nil
		}
	}
	return false, nil
}

// ownMembers are those of a request that are not metadata, but the server's to say.
var ownMembers = []string{"client_id", "client_secret", "client_id_issued_at", "client_secret_expires_at", "registration_access_token", "registration_client_uri"}

// metadata reads the metadata in a request, and what else is there. What a software statement says counts before the rest (RFC 7591,
// Section 2.3).
func (q *request) metadata() (*oauth.ClientMetadata, map[string]json.RawMessage, error) {
	if t, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, nil, &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "the Content-Type is not application/json", Status: http.StatusUnsupportedMediaType}
	}
	b, err := q.body()
	if err != nil {
		return nil, nil, err
	}
	if len(b) > maxMetadata {
		return nil, nil, &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "the metadata has over 64 KiB", Status: http.StatusRequestEntityTooLarge}
	}
	m := new(oauth.ClientMetadata)
	if err := m.UnmarshalJSON(b); err != nil {
		return nil, nil, invalid(oauth.InvalidClientMetadata, "the metadata is no JSON object, or a member has another type than it should", err)
	}
	if m.SoftwareStatement != "" {
		if m, err = q.stated(b, m.SoftwareStatement); err != nil {
			return nil, nil, err
		}
	}
	own := map[string]json.RawMessage{}
	for _, name := range ownMembers {
		if v, ok := m.Extra[name]; ok {
			own[name] = v
			delete(m.Extra, name)
		}
	}
	return m, own, nil
}

// stated puts the claims of a software statement over the metadata.
func (q *request) stated(b []byte, statement string) (*oauth.ClientMetadata, error) {
	if q.statements == nil {
		return nil, invalid(oauth.UnapprovedSoftwareStatement, "no software statements are taken here", nil)
	}
	t, err := q.statements.Verify(q.ctx, statement)
	if err != nil {
		return nil, q.refused(oauth.InvalidSoftwareStatement, "the software statement", err)
	}
	all := map[string]json.RawMessage{}
	_ = strictjson.Unmarshal(bytes.Clone(b), &all, strictjson.Limits{}) // which has been read as metadata
	for name, value := range t.Claims {
		if !slices.Contains(ownMembers, name) && name != "software_statement" {
			all[name] = value
		}
	}
	m := new(oauth.ClientMetadata)
	if err := m.UnmarshalJSON(must(json.Marshal(all))); err != nil {
		return nil, invalid(oauth.InvalidSoftwareStatement, "a claim of the software statement has another type than it should", err)
	}
	return m, nil
}

// approve holds what a client has registered to the policy, and puts in what it has left out (RFC 7591, Section 2).
func (q *request) approve(c *Client) error {
	policy, m := q.o.Registration, &c.Metadata
	allowed := policy.GrantTypes
	if len(allowed) == 0 {
		allowed = []string{grantClientCredentials}
	}
	if m.GrantTypes == nil {
		m.GrantTypes = slices.Clone(allowed)
	}
	for _, g := range m.GrantTypes {
		if !slices.Contains(allowed, g) {
			return unsupported("the grant type %.64s may not be registered", g)
		}
	}
	for _, typ := range m.AuthorizationDetailsTypes { // RFC 9396, Section 10
		if !slices.Contains(policy.DetailTypes, typ) {
			return unsupported("authorization details of the type %.64s may not be registered", typ)
		}
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{}
	}
	if len(m.ResponseTypes) > 0 {
		return unsupported("there are no response types")
	}
	scope := policy.Scope
	if m.Scope != "" {
		asked, err := oauth.ParseScopes(m.Scope)
		if err != nil {
			return invalid(oauth.InvalidClientMetadata, "the scope is malformed", err)
		}
		scope = asked.Intersect(policy.Scope)
	}
	m.Scope = scope.String()
	m.AuthMethod = m.Method()
	if policy.Approve != nil {
		if err := policy.Approve(q.ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// registrationError is the answer where a client cannot be saved.
func registrationError(err error) error {
	if errors.Is(err, errDocument) {
		return invalid(oauth.InvalidClientMetadata, "the client cannot be registered like this", err)
	}
	return err
}

// information answers with what was registered (RFC 7591, Section 3.2.1; RFC 7592, Section 3).
func (q *request) information(status int, c *Client, token string) {
	body := must(json.Marshal(oauth.ClientInformation{
		ClientMetadata: c.Metadata, ClientID: c.ID, Secret: c.Secret, IssuedAt: c.Created.Unix(),
		RegistrationToken: token, RegistrationURI: q.base + "/register/" + c.ID,
	}))
	h := q.w.Header()
	h["Content-Type"], h["Cache-Control"], h["Pragma"] = jsonType, noStore, noCache
	q.event.Status = status
	q.w.WriteHeader(status)
	_, _ = q.w.Write(body)
}
