package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/server/store"
)

const kindIssuer = "issuer"

// TrustedIssuer is a party whose JWTs are grants here (RFC 7523, Section 2.1), as it is administered: an identity provider, the platform
// that workloads run on, or a program that signs its own.
type TrustedIssuer struct {
	Issuer string `json:"issuer"` // iss, compared exactly
	// Version is that of the document that was read. SaveIssuer replaces no other; zero makes a new one.
	Version int64 `json:"-"`

	// One of these has its keys: JWKS itself, JWKSURI where it is fetched, or Discover, which finds it by the issuer's
	// metadata. They are the operator's, and may lead anywhere.
	JWKS     json.RawMessage `json:"jwks,omitempty"`
	JWKSURI  string          `json:"jwks_uri,omitempty"`
	Discover bool            `json:"discover,omitempty"`
	// Algorithms narrows those of the keys, by their names.
	Algorithms []string `json:"algorithms,omitempty"`

	// Subjects are whose access it may grant: compared exactly, or by what is before a star at the end; "*" is anybody.
	Subjects []string `json:"subjects"`
	// SubjectPrefix is put before sub in the tokens that are issued, to tell the subjects of several issuers apart, and from clients, whose
	// sub is their client_id (RFC 9068, Section 5).
	SubjectPrefix string `json:"subject_prefix,omitempty"`
	// Scope is the most that it may grant, names with spaces between them, and Resources for what: empty is no scope, and all
	// resources that are not Reserved.
	Scope     string   `json:"scope,omitempty"`
	Resources []string `json:"resources,omitempty"`
	// Clients are those that may present its grants. Empty is everybody, and who names no client too (RFC 7521, Section 4.1): the
	// client_id of the token is the issuer then.
	Clients []string `json:"clients,omitempty"`
	// Refresh gives clients that may have them refresh tokens, with which access outlives the grant.
	Refresh bool `json:"refresh,omitempty"`

	// Audiences are names of this server, beside its issuer identifier and the URL of its token endpoint.
	Audiences []string `json:"audiences,omitempty"`
	// MaxLifetime is the longest time until exp in seconds. Zero is an hour.
	MaxLifetime int64 `json:"max_lifetime,omitempty"`
	// Reusable accepts a grant as often as it comes, and without jti (RFC 7523, Section 3, rule 7).
	Reusable bool `json:"reusable,omitempty"`
	// TypedOnly, SelfIssued and LegacyScope are those of grant.Policy. With LegacyScope the scope of a grant counts where
	// the request has none.
	TypedOnly   bool `json:"typed_only,omitempty"`
	SelfIssued  bool `json:"self_issued,omitempty"`
	LegacyScope bool `json:"legacy_scope,omitempty"`

	// IDTokenClients are client_ids at that issuer, whose ID tokens may be exchanged here, and AccessTokenAudiences are names of this side there:
	// access tokens (RFC 9068) for one of them may be exchanged. Without them only JWTs that are made for this server may (RFC 8693,
	// Section 3). They are good until they expire, and as often.
	IDTokenClients       []string `json:"id_token_clients,omitempty"`
	AccessTokenAudiences []string `json:"access_token_audiences,omitempty"`

	// LegacyBitbucket takes the tokens of Bitbucket Cloud's Connect apps, with a grant type of their own: the issuer is the key of the
	// app, and Secrets are the shared secrets of its installations, by client key. They are kept encrypted under
	// Options.Secrets, and not returned.
	LegacyBitbucket bool              `json:"legacy_bitbucket,omitempty"`
	Secrets         map[string]string `json:"-"`

	sealed map[string]string
}

// issuerDocument is a TrustedIssuer as it is kept.
type issuerDocument struct {
	TrustedIssuer
	Sealed map[string]string `json:"secrets_sealed,omitempty"`
}

// issuer is a TrustedIssuer made ready for requests.
type issuer struct {
	TrustedIssuer
	verifier  *grant.Verifier
	exchanged map[exchange.TokenType][]exchange.Verify // what else of it may be exchanged
	scope     oauth.Scopes
	resources []*resource
}

// SaveIssuer stores a trusted issuer and returns it as it is now. Secrets are added to those that are kept; one that is empty is removed. The
// error is ErrDocument for what it is, and store.ErrConflict where it has been changed since it was read.
func (s *Server) SaveIssuer(ctx context.Context, t TrustedIssuer) (*TrustedIssuer, error) {
	t.sealed = nil
	if t.Version != 0 {
		old, err := s.Issuer(ctx, t.Issuer)
		if err != nil {
			return nil, err
		}
		t.sealed = maps.Clone(old.sealed)
	}
	for id, secret := range t.Secrets {
		if t.sealed == nil {
			t.sealed = map[string]string{}
		}
		if delete(t.sealed, id); secret != "" {
			t.sealed[id] = s.secrets.sealed(secret, sealedOwner(t.Issuer, id))
		}
	}
	t.Secrets = nil
	if _, err := s.readyIssuer(t); err != nil {
		return nil, err
	}
	var err error
	t.Version, err = s.o.Store.PutDocument(ctx, store.Document{
		Kind: kindIssuer, ID: t.Issuer, Version: t.Version, Body: must(json.Marshal(issuerDocument{t, t.sealed})),
	})
	s.cache.forget(kindIssuer, t.Issuer)
	if err != nil {
		return nil, err
	}
	return &t, nil
}

// SecretIDs are the client keys of the installations whose secrets are kept.
func (t *TrustedIssuer) SecretIDs() []string { return slices.Sorted(maps.Keys(t.sealed)) }

func sealedOwner(issuer, id string) string { return "issuer\x00" + issuer + "\x00" + id }

// Issuer returns a trusted issuer, without secrets, or store.ErrNotFound.
func (s *Server) Issuer(ctx context.Context, name string) (*TrustedIssuer, error) {
	d, err := s.o.Store.Document(ctx, kindIssuer, name)
	if err != nil {
		return nil, err
	}
	return parseIssuer(d)
}

// Issuers lists the trusted issuers that are greater than after, at most limit.
func (s *Server) Issuers(ctx context.Context, after string, limit int) ([]*TrustedIssuer, error) {
	return list(ctx, s.o.Store, kindIssuer, after, limit, parseIssuer)
}

// DeleteIssuer ends the trust in an issuer. The refresh tokens that its grants have given are refused from then on; access tokens live until
// they expire.
func (s *Server) DeleteIssuer(ctx context.Context, name string) error {
	err := s.o.Store.DeleteDocument(ctx, s.o.Clock(), kindIssuer, name)
	s.cache.forget(kindIssuer, name)
	return err
}

func parseIssuer(d store.Document) (*TrustedIssuer, error) {
	var stored issuerDocument
	if err := json.Unmarshal(d.Body, &stored); err != nil {
		return nil, errDocument.Wrap(err)
	}
	t := stored.TrustedIssuer
	t.Issuer, t.Version, t.sealed = d.ID, d.Version, stored.Sealed
	return &t, nil
}

// issuer returns a trusted issuer, or store.ErrNotFound.
func (s *Server) issuer(ctx context.Context, name string) (*issuer, error) {
	return cached(ctx, s.cache, s.o.Clock(), kindIssuer, name, func(d store.Document) (*issuer, error) {
		t, err := parseIssuer(d)
		if err != nil {
			return nil, err
		}
		return s.readyIssuer(*t)
	})
}

// readyIssuer makes the verifier of an issuer's grants.
func (s *Server) readyIssuer(t TrustedIssuer) (*issuer, error) {
	i := &issuer{TrustedIssuer: t}
	switch {
	case !store.ValidName(t.Issuer):
		return nil, errDocument.With("an issuer has a name of at most 1024 bytes")
	case len(t.Subjects) == 0 || slices.Contains(t.Subjects, ""):
		return nil, errDocument.With(`an issuer has Subjects; "*" is anybody`)
	case t.MaxLifetime > maxLifetime:
		return nil, errDocument.With("MaxLifetime is over 100 years")
	}
	keys, err := s.issuerKeys(&t)
	if err != nil {
		return nil, err
	}
	if t.Scope != "" {
		if i.scope, err = oauth.ParseScopes(t.Scope); err != nil {
			return nil, errDocument.Wrap(err)
		}
	}
	if i.resources = s.open; len(t.Resources) > 0 {
		i.resources = nil
	}
	for _, id := range t.Resources {
		r := s.resource(id)
		if r == nil {
			return nil, errDocument.With(fmt.Sprintf("there is no resource %.200q", id))
		}
		i.resources = append(i.resources, r)
	}
	p := grant.Policy{
		Issuer: s.o.Issuer, Audiences: append([]string{s.tokenURL}, t.Audiences...),
		Issuers: []string{t.Issuer}, Subjects: func(_, subject string) bool { return matches(t.Subjects, subject) },
		TypedOnly: t.TypedOnly, SelfIssued: t.SelfIssued, LegacyScope: t.LegacyScope, LegacyBitbucket: t.LegacyBitbucket,
		MaxLifetime: time.Duration(t.MaxLifetime) * time.Second, Reusable: t.Reusable,
		JWT: jwt.Policy{Clock: s.o.Clock},
	}
	for _, name := range t.Algorithms {
		alg, _ := jwa.Lookup(name)
		if alg.Use() != "sig" {
			return nil, errDocument.With(fmt.Sprintf("there is no algorithm %.64q", name))
		}
		p.JWT.Algorithms = append(p.JWT.Algorithms, alg)
	}
	if !t.Reusable && !t.LegacyBitbucket {
		p.Replay = s.replay("grant")
	}
	if i.verifier, err = grant.NewVerifier(keys, p); err != nil {
		return nil, errDocument.Wrap(err)
	}
	if i.exchanged, err = exchanged(&t, keys, p.JWT); err != nil {
		return nil, errDocument.Wrap(err)
	}
	return i, nil
}

// exchanged verifies tokens of an issuer that are not made for this server.
func exchanged(t *TrustedIssuer, keys jwk.Source, p jwt.Policy) (map[exchange.TokenType][]exchange.Verify, error) {
	if t.LegacyBitbucket && len(t.IDTokenClients)+len(t.AccessTokenAudiences) > 0 {
		return nil, errors.New("an app of Bitbucket makes no ID tokens and no access tokens")
	}
	out := map[exchange.TokenType][]exchange.Verify{}
	for _, id := range t.IDTokenClients {
		v, err := idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{t.Issuer}, ClientID: id, JWT: p})
		if err != nil {
			return nil, err
		}
		out[exchange.IDToken] = append(out[exchange.IDToken], exchange.From(func(ctx context.Context, raw string) (*jwt.Token[idtoken.Claims], error) {
			return v.Verify(ctx, raw, idtoken.Expect{AnyNonce: true})
		}))
	}
	if len(t.AccessTokenAudiences) > 0 {
		v, err := accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{t.Issuer}, Audiences: t.AccessTokenAudiences, JWT: p})
		if err != nil {
			return nil, err
		}
		out[exchange.AccessToken] = []exchange.Verify{exchange.From(v.Verify)}
	}
	return out, nil
}

func (s *Server) issuerKeys(t *TrustedIssuer) (jwk.Source, error) {
	if n := len(slices.DeleteFunc([]bool{t.JWKS != nil, t.JWKSURI != "", t.Discover, t.LegacyBitbucket}, func(b bool) bool { return !b })); n != 1 {
		return nil, errDocument.With("an issuer has one of JWKS, JWKSURI, Discover and LegacyBitbucket")
	}
	o := s.o.Fetch
	o.File, o.Stranger = "", false
	for _, name := range t.Algorithms {
		if alg, ok := jwa.Lookup(name); ok {
			o.Binding.Algorithms = append(slices.Clip(o.Binding.Algorithms), alg)
		}
	}
	var keys jwk.Source
	var err error
	switch {
	case t.JWKS != nil:
		if all, _, err := jwk.ParseJWKs(t.JWKS); err == nil && slices.ContainsFunc(all, func(k jwk.JWK) bool { return k.IsPrivate() }) {
			return nil, errDocument.With("JWKS has a private or secret key, which all would see who are shown the issuer")
		}
		var set jwk.Set
		if set, _, err = jwk.ParseSet(t.JWKS, o.Binding); err == nil && len(set) == 0 {
			err = errors.New("there is no key in it that can be used")
		}
		keys = set
	case t.JWKSURI != "":
		keys, err = keyset.NewRemote(t.JWKSURI, o)
	case t.Discover:
		keys, err = keyset.NewIssuer(t.Issuer, o)
	default:
		keys, err = s.bitbucketKeys(t)
	}
	if err != nil {
		return nil, errDocument.Wrap(err)
	}
	if t.JWKSURI != "" || t.Discover {
		keys = s.fetched(keys)
	}
	return keys, nil
}

// bitbucketKeys are the secrets of an app's installations, found by the client key that is sub.
type bitbucketKeys map[string]jwk.Set

func (s *Server) bitbucketKeys(t *TrustedIssuer) (jwk.Source, error) {
	keys := bitbucketKeys{}
	for id, sealed := range t.sealed {
		secret, err := s.secrets.open(sealed, sealedOwner(t.Issuer, id))
		if err != nil {
			return nil, err
		}
		key, err := jwk.NewSecretKey(jwa.HS256, "", secret)
		if err != nil {
			return nil, err
		}
		keys[id] = jwk.Set{key}
	}
	return keys, nil
}

// Keys implements [jwk.Source].
func (b bitbucketKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	return b[q.Selector].Keys(ctx, q)
}

// matches reports whether a name is one of patterns, of which some end in a star.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, star := strings.CutSuffix(p, "*")
		return p == name || star && strings.HasPrefix(name, prefix)
	})
}

// claimed returns a claim of a JWT before anything of it is verified: the issuer, or the client, that it names. It is looked up among those
// that there are, and goes nowhere else; the verifier compares it again.
func claimed(raw, claim string) string {
	if len(raw) > 64<<10 {
		return ""
	}
	_, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	name, _, err := strictjson.Scan(b, claim)
	if err != nil {
		return ""
	}
	return strings.Clone(name)
}
