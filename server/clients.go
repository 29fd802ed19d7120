package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/server/store"
)

// The methods by which clients authenticate that have no package of their own (RFC 6749, Section 2.3.1; RFC 7591, Section 2; RFC
// 8705, Section 2).
const (
	methodNone          = "none"
	methodBasic         = "client_secret_basic"
	methodPost          = "client_secret_post"
	methodTLS           = "tls_client_auth"
	methodSelfSignedTLS = "self_signed_tls_client_auth"
)

const (
	kindClient = "client"
	// minSecret is the shortest secret that is taken from outside: 32 characters of base64url are 192 bits.
	minSecret = 32
	// maxOverlap is for how long two secrets of a client are accepted at most: one that is forgotten ends.
	maxOverlap = 90 * 24 * time.Hour
	// maxLifetime is the most seconds that a document may have: no time.Duration overflows.
	maxLifetime = 100 * 366 * 24 * 60 * 60
)

// Client is a client as it is administered. What it may do is in its Metadata: grant_types, scope, how it authenticates.
type Client struct {
	ID       string               `json:"client_id"`
	Metadata oauth.ClientMetadata `json:"metadata"`
	// Version is that of the document that was read. SaveClient replaces no other; zero makes a new client.
	Version int64 `json:"-"`

	// Secret is what SaveClient has made, and returns this once: only a keyed hash is kept, or for client_secret_jwt, where the
	// server has to have it, the secret encrypted under Options.Secrets. Where it is set before, it is the secret, and has to be
	// random, of 32 bytes or more.
	Secret string `json:"-"`
	// NewSecret has SaveClient make a new one where there is one.
	NewSecret bool `json:"-"`
	// Overlap is for how long the secret that a new one takes the place of is accepted beside it, at most 90 days: the client is given the new
	// one meanwhile. Zero is for a secret that others may have, and ends the one before it too. A client has two secrets at most.
	Overlap time.Duration `json:"-"`
	// OldSecretExpires is when the secret before the last ends, and zero where there is none. SaveClient ends it sooner, where it is sooner,
	// and at once where it is zero; it extends none.
	OldSecretExpires time.Time `json:"old_secret_expires,omitzero"`
	// ChosenSecret is the hash of a secret that people have chosen, which Options.VerifySecret knows how to verify. There is no
	// other secret then.
	ChosenSecret string `json:"chosen_secret,omitempty"`

	// Resources are the identifiers of those that it may get tokens for. Empty is all that are not Reserved.
	Resources []string `json:"resources,omitempty"`
	// Opaque gives it tokens that APIs have to ask the server about.
	Opaque bool `json:"opaque,omitempty"`
	// Lifetime of its access tokens in seconds, if it is shorter than that of others.
	Lifetime int64 `json:"lifetime,omitempty"`
	// Claims are put into its access tokens.
	Claims map[string]any `json:"claims,omitempty"`
	// ResourceServer is the identifier of the resource that this client is: it may ask about tokens for that (RFC 7662).
	// Every client may ask about its own.
	ResourceServer string `json:"resource_server,omitempty"`
	// Impersonation and Delegation let it exchange access tokens that do not say who may act for their subject (may_act): for
	// tokens in which it is not to be told from the subject, and for tokens that say who acts.
	Impersonation bool `json:"impersonation,omitempty"`
	Delegation    bool `json:"delegation,omitempty"`
	// Created is when it was first saved, or has registered.
	Created time.Time `json:"created,omitzero"`
	// Registered says that it has registered itself, and may change and remove what it has registered (RFC 7592).
	Registered bool `json:"registered,omitempty"`

	stored storedSecret
}

// keptSecret is what is kept of a secret. One of them is there at most.
type keptSecret struct {
	Hash   string `json:"secret_hash,omitempty"`
	Sealed string `json:"secret_sealed,omitempty"`
}

// storedSecret is what is kept of the secrets of a client.
type storedSecret struct {
	keptSecret

	// Old is the secret before the last, until Client.OldSecretExpires.
	Old *oldSecret `json:"old_secret,omitempty"`
	// Token is the hash of the registration access token.
	Token string `json:"registration_token_hash,omitempty"`
}

// oldSecret is a secret that another has taken the place of.
type oldSecret struct {
	keptSecret

	Chosen string `json:"chosen_secret,omitempty"`
}

// clientDocument is a client as it is kept.
type clientDocument struct {
	Client
	storedSecret
}

// client is a Client made ready for requests.
type client struct {
	Client
	method     string
	grants     []string
	scope      oauth.Scopes
	hash       []byte
	secret     jwk.Set // of client_secret_jwt
	oldHash    []byte
	oldChosen  string
	oldSecret  jwk.Set
	keys       jwk.Source
	set        func(context.Context) (jwk.Set, error)
	resources  []*resource
	claims     map[string]json.RawMessage
	introspect *resource
}

// old reports whether the secret before the last is still accepted.
func (c *client) old(now time.Time) bool { return c.OldSecretExpires.After(now) }

func (c *client) may(grant string) bool { return slices.Contains(c.grants, grant) }

// SaveClient stores a client and returns it as it is now, with its secret if it has got a new one. The error is ErrDocument or
// an *oauth.Error for what the client is, and store.ErrConflict where it has been changed since it was read.
func (s *Server) SaveClient(ctx context.Context, c Client) (*Client, error) {
	if c.ID == "" {
		c.ID = random()[:22]
	}
	if c.Created.IsZero() {
		c.Created = s.o.Clock().UTC().Truncate(time.Second)
	}
	old := new(Client)
	if c.Version != 0 {
		var err error
		if old, err = s.Client(ctx, c.ID); err != nil {
			return nil, err
		}
		c.stored = old.stored
		if old.Metadata.Method() != c.Metadata.Method() {
			c.stored.keptSecret = keptSecret{}
		}
	}
	if err := s.secretOf(&c); err != nil {
		return nil, err
	}
	if err := s.overlap(&c, old); err != nil {
		return nil, err
	}
	if _, err := s.ready(c); err != nil {
		return nil, err
	}
	body, err := json.Marshal(clientDocument{c, c.stored})
	if err != nil {
		return nil, errDocument.Wrap(err)
	}
	c.Version, err = s.o.Store.PutDocument(ctx, store.Document{Kind: kindClient, ID: c.ID, Version: c.Version, Body: body})
	s.cache.forget(kindClient, c.ID)
	if err != nil {
		return nil, err
	}
	c.NewSecret, c.Overlap = false, 0
	return &c, nil
}

// overlap says what of the secret before that of c is still accepted, and until when.
func (s *Server) overlap(c, old *Client) error {
	switch {
	case c.Overlap < 0 || c.Overlap > maxOverlap:
		return errDocument.With("an overlap is negative, or over 90 days")
	case c.Overlap > 0 && c.ChosenSecret != "": // the time of a refusal would say that there are two to try
		return errDocument.With("a chosen secret has no overlap with the one before")
	}
	now, before := s.o.Clock(), oldSecret{old.stored.keptSecret, old.ChosenSecret}
	switch {
	case before == oldSecret{c.stored.keptSecret, c.ChosenSecret}: // it is the same secret as before
		if old.OldSecretExpires.Before(c.OldSecretExpires) {
			c.OldSecretExpires = old.OldSecretExpires
		}
	case c.Overlap > 0 && old.Metadata.Method() == c.Metadata.Method():
		c.stored.Old, c.OldSecretExpires = &before, now.Add(c.Overlap).UTC().Truncate(time.Second)
	default:
		c.OldSecretExpires = time.Time{}
	}
	if !c.OldSecretExpires.After(now) {
		c.stored.Old, c.OldSecretExpires = nil, time.Time{}
	}
	return nil
}

// secretOf makes the secret of a client that has to have one, and what is kept of it.
func (s *Server) secretOf(c *Client) error {
	method := c.Metadata.Method()
	sealed := method == clientauth.ClientSecretJWT
	if !sealed && method != methodBasic && method != methodPost {
		if c.Secret != "" || c.ChosenSecret != "" {
			return errDocument.With("a client that authenticates by " + method + " has no secret")
		}
		c.stored.keptSecret = keptSecret{}
		return nil
	}
	if c.ChosenSecret != "" {
		switch {
		case sealed:
			return errDocument.With("client_secret_jwt needs a random secret, and no chosen one") // RFC 8725, Section 3.5
		case s.o.VerifySecret == nil:
			return errDocument.With("there is a chosen secret, and no Options.VerifySecret")
		}
		c.stored.keptSecret = keptSecret{}
		return nil
	}
	if c.Secret == "" {
		if !c.NewSecret && c.stored.Hash+c.stored.Sealed != "" {
			return nil
		}
		c.Secret = random()
	}
	if len(c.Secret) < minSecret {
		return errDocument.With(fmt.Sprintf("a secret has under %d bytes: leave it empty and a random one is made", minSecret))
	}
	c.stored.keptSecret = keptSecret{}
	if sealed {
		c.stored.Sealed = s.secrets.sealed(c.Secret, c.ID)
	} else {
		c.stored.Hash = base64.RawURLEncoding.EncodeToString(s.secrets.client.sum(clientMessage(c.ID, c.Secret)))
	}
	return nil
}

// Client returns a client, without its secret, or store.ErrNotFound.
func (s *Server) Client(ctx context.Context, id string) (*Client, error) {
	d, err := s.o.Store.Document(ctx, kindClient, id)
	if err != nil {
		return nil, err
	}
	return s.shownClient(d)
}

// Clients lists the clients whose ID is greater than after, at most limit.
func (s *Server) Clients(ctx context.Context, after string, limit int) ([]*Client, error) {
	return list(ctx, s.o.Store, kindClient, after, limit, s.shownClient)
}

// shownClient is a client as it is now: an old secret that has ended is none.
func (s *Server) shownClient(d store.Document) (*Client, error) {
	c, err := parseClient(d)
	if err == nil && !c.OldSecretExpires.After(s.o.Clock()) {
		c.OldSecretExpires = time.Time{}
	}
	return c, err
}

// DeleteClient deletes a client, and with it all that it was given: JWTs are refused where the server is asked about them. It can be
// repeated after an error, until it is store.ErrNotFound.
func (s *Server) DeleteClient(ctx context.Context, id string) error {
	if _, err := s.o.Store.Document(ctx, kindClient, id); err != nil {
		return err
	}
	// First, for who is interrupted finds no client to delete again; and afterwards, for what it was given meanwhile.
	if err := s.revokeClient(ctx, id); err != nil {
		return err
	}
	err := s.o.Store.DeleteDocument(ctx, s.o.Clock(), kindClient, id)
	s.cache.forget(kindClient, id)
	if err != nil {
		return err
	}
	return s.revokeClient(ctx, id)
}

// revokeClient ends all that a client was given.
func (s *Server) revokeClient(ctx context.Context, id string) error {
	now := s.o.Clock()
	_, err := s.o.Store.Revoke(ctx, store.Revocation{
		Target: store.Target{Sort: store.OfClient, ID: id}, At: now, Expires: now.Add(s.longest() + leeway),
	})
	return err
}

func list[T any](ctx context.Context, from store.DocumentStore, kind, after string, limit int, parse func(store.Document) (*T, error)) ([]*T, error) {
	all, err := from.Documents(ctx, kind, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]*T, 0, len(all))
	for _, d := range all {
		t, err := parse(d)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func parseClient(d store.Document) (*Client, error) {
	var stored clientDocument
	if err := json.Unmarshal(d.Body, &stored); err != nil {
		return nil, errDocument.Wrap(err)
	}
	c := stored.Client
	c.ID, c.Version, c.stored = d.ID, d.Version, stored.storedSecret
	return &c, nil
}

// client returns the client that requests name, or store.ErrNotFound.
func (s *Server) client(ctx context.Context, id string) (*client, error) {
	return cached(ctx, s.cache, s.o.Clock(), kindClient, id, s.readyClient)
}

func (s *Server) readyClient(d store.Document) (*client, error) {
	c, err := parseClient(d)
	if err != nil {
		return nil, err
	}
	r, err := s.ready(*c)
	if e, ok := errors.AsType[*oauth.Error](err); ok { // which is for who registers, and not for who asks for a token
		return nil, errDocument.With(e.Error())
	}
	return r, err
}

// ready holds a client to what the server supports, and makes it ready for requests.
func (s *Server) ready(c Client) (*client, error) {
	m := &c.Metadata
	if err := m.Validate(); err != nil {
		return nil, err
	}
	r := &client{Client: c, method: m.Method(), grants: m.Grants()}
	if !store.ValidName(c.ID) || strings.ContainsFunc(c.ID, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil, errDocument.With("a client_id has printable ASCII characters, at most 1024") // RFC 6749, Appendix A.1
	}
	if !slices.Contains(s.authMethods(), r.method) {
		return nil, unsupported("the authentication method %.64s is not supported", r.method)
	}
	for _, g := range r.grants {
		if !slices.Contains(grantTypes, g) {
			return nil, unsupported("the grant type %.64s is not supported", g)
		}
	}
	if m.Scope != "" {
		r.scope, _ = oauth.ParseScopes(m.Scope) // which Validate has read
	}
	if len(c.Metadata.AuthorizationDetailsTypes) > 0 {
		for _, typ := range m.AuthorizationDetailsTypes {
			if _, ok := s.o.DetailTypes[typ]; !ok {
				return nil, unsupported("authorization details of the type %.64s are not supported", typ)
			}
		}
	}
	if err := s.readySecret(r); err != nil {
		return nil, err
	}
	if err := s.readyKeys(r); err != nil {
		return nil, err
	}
	if len(c.Resources) == 0 {
		r.resources = s.open
	}
	for _, id := range c.Resources {
		found := s.resource(id)
		if found == nil {
			return nil, errDocument.With(fmt.Sprintf("there is no resource %.200q", id))
		}
		r.resources = append(r.resources, found)
	}
	if c.ResourceServer != "" {
		if r.introspect = s.resource(c.ResourceServer); r.introspect == nil {
			return nil, errDocument.With(fmt.Sprintf("there is no resource %.200q", c.ResourceServer))
		}
		if r.method == methodNone {
			return nil, errDocument.With("a resource server authenticates") // RFC 7662, Section 2.1
		}
	}
	if c.Lifetime < 0 || c.Lifetime > maxLifetime {
		return nil, errDocument.With("a lifetime is negative, or over 100 years")
	}
	var err error
	if r.claims, err = extraClaims(c.Claims); err != nil {
		return nil, err
	}
	return r, s.readyIntrospection(r)
}

func unsupported(format string, args ...any) error {
	return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: fmt.Sprintf(format, args...)}
}

func (s *Server) readySecret(r *client) (err error) {
	old := r.stored.Old
	if old == nil {
		old = new(oldSecret)
	}
	if r.ChosenSecret+old.Chosen != "" && s.o.VerifySecret != nil {
		s.chosen.Store(true)
	}
	if r.hash, r.secret, err = s.openSecret(r, r.stored.keptSecret); err != nil {
		return err
	}
	// An old one that the server can no longer open has ended with the server's own.
	r.oldHash, r.oldSecret, _ = s.openSecret(r, old.keptSecret)
	r.oldChosen = old.Chosen
	return nil
}

// openSecret returns the hash of a secret, or the keys that one of client_secret_jwt is.
func (s *Server) openSecret(r *client, kept keptSecret) (hash []byte, keys jwk.Set, err error) {
	if kept.Hash != "" {
		if hash, _ = decode(kept.Hash); len(hash) != sha256.Size {
			return nil, nil, errDocument.With("the hash of a secret is malformed")
		}
	}
	if kept.Sealed == "" {
		return hash, nil, nil
	}
	secret, err := s.secrets.open(kept.Sealed, r.ID)
	if err != nil {
		return nil, nil, errDocument.Wrap(err)
	}
	// RFC 7518, Section 3.2: as long as the hash. A secret here has 32 bytes or more, so HS256 fits all of them.
	for _, alg := range []jwa.Algorithm{jwa.HS256, jwa.HS384, jwa.HS512} {
		if name := r.Metadata.AuthSigningAlg; name != "" && name != alg.Name() {
			continue
		}
		if key, err := jwk.NewSecretKey(alg, "", secret); err == nil {
			keys = append(keys, key)
		}
	}
	if keys == nil {
		return nil, nil, unsupported("the secret is too short for %.64s", r.Metadata.AuthSigningAlg)
	}
	return hash, keys, nil
}

func (s *Server) readyKeys(r *client) error {
	m := &r.Metadata
	var b jwk.Binding
	if m.AuthSigningAlg != "" && r.method != clientauth.ClientSecretJWT {
		alg, _ := jwa.Lookup(m.AuthSigningAlg)
		if alg.Symmetric() || alg.Use() != "sig" {
			return unsupported("token_endpoint_auth_signing_alg %.64s is not supported for %s", m.AuthSigningAlg, r.method)
		}
		b.Algorithms = append(b.Algorithms, alg)
	}
	if m.IntrospectionEncryptedAlg != "" {
		alg, _ := jwa.Lookup(m.IntrospectionEncryptedAlg)
		if alg.Symmetric() || alg.Use() != "enc" {
			return unsupported("introspection_encrypted_response_alg %.64s is not supported", m.IntrospectionEncryptedAlg)
		}
		b.Algorithms = append(b.Algorithms, alg)
	}
	switch {
	case m.JWKS != nil:
		set, skipped, _ := jwk.ParseSet(m.JWKS, b) // which Validate has read
		if len(set) == 0 && len(skipped) > 0 {
			return unsupported("no key of jwks can be used")
		}
		r.keys, r.set = set, func(context.Context) (jwk.Set, error) { return set, nil }
	case m.JWKSURI != "":
		o := s.o.Fetch
		o.Binding, o.Stranger, o.File = b, true, ""
		remote, err := keyset.NewRemote(m.JWKSURI, o)
		if err != nil {
			return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "the jwks_uri cannot be fetched", Cause: err}
		}
		r.keys, r.set = s.fetched(remote), remote.Set
	}
	return nil
}

// clientKeys finds the keys of a client by the sub of its assertion.
type clientKeys struct{ s *Server }

// Keys implements [jwk.Source].
func (k clientKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	c, err := k.s.client(ctx, q.Selector)
	if errors.Is(err, store.ErrNotFound) {
		return nil, jwk.ErrNoKey
	}
	if err != nil {
		return nil, err
	}
	// The method decides which keys there are: a public key is never taken for a secret, nor the other way round.
	var keys jwk.Source = jwk.Set(nil)
	switch c.method {
	case clientauth.ClientSecretJWT:
		if keys = c.secret; c.old(k.s.o.Clock()) {
			keys = slices.Concat(c.secret, c.oldSecret)
		}
	case clientauth.PrivateKeyJWT:
		keys = c.keys
	}
	return keys.Keys(ctx, q)
}

func (s *Server) authMethods() []string {
	all := []string{methodNone, methodBasic, methodPost, clientauth.ClientSecretJWT, clientauth.PrivateKeyJWT, methodSelfSignedTLS}
	if s.o.ClientCAs != nil {
		all = append(all, methodTLS)
	}
	if s.o.Attesters != nil {
		all = append(all, attestation.Method)
	}
	return all
}

// extraClaims writes claims that are configured. Those that the server writes itself are refused.
func extraClaims(claims map[string]any) (map[string]json.RawMessage, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	out := make(map[string]json.RawMessage, len(claims))
	for name, value := range claims {
		if slices.Contains(ownClaims, name) {
			return nil, errDocument.With(fmt.Sprintf("the claim %.64q is the server's own", name))
		}
		raw, err := json.Marshal(value)
		if err == nil {
			err = strictjson.Valid(bytes.Clone(raw), strictjson.Limits{})
		}
		if err != nil {
			return nil, errDocument.Wrap(err)
		}
		out[name] = raw
	}
	return out, nil
}
