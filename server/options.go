package server

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/server/store"
)

var (
	errOptions  = fault.New("server.options", "", "the options of the server are incomplete or contradict each other")
	errDocument = fault.New("server.document", "", "the document cannot be used")
)

// The errors of programs and operators, for errors.Is. Each has a stable code.
var (
	// ErrOptions: the options are incomplete or contradict each other (server.options).
	ErrOptions error = errOptions
	// ErrDocument: a client or a trusted issuer is not one that the server can use (server.document).
	ErrDocument error = errDocument
)

// Keys sign what the server issues. A *keyset.Rotation is one; [FixedKeys] makes one of keys that stay.
type Keys interface {
	jwk.Source
	Signer(ctx context.Context, alg jwa.Algorithm) (jwk.Signer, error)
	Set(ctx context.Context) (set jwk.Set, maxAge time.Duration, err error)
	Handler() http.Handler // serves the JWK set
}

// Options are those of [New]. Issuer, Store, Secrets and Resources are needed.
type Options struct {
	// Issuer is the server's issuer identifier: the https URL, or http on this machine, that its endpoints are behind (RFC
	// 8414, Section 2).
	Issuer string
	// Store is where everything is kept; the processes of one issuer share it.
	Store store.Store
	// Keys sign what is issued. Nil are keys that the processes keep in Store and rotate by the zero keyset.Timetable.
	Keys Keys
	// Algorithm is that of access tokens. Zero is ES256. Keys must have it.
	Algorithm jwa.Algorithm
	// Secrets protect what is kept and given out: the hashes of client secrets, refresh tokens, opaque tokens, DPoP nonces. Each has
	// 32 random bytes or more, and all processes have the same. The first is used for what is new; the others are still
	// accepted. Without the secret under which a client secret or a refresh token was made, it is void.
	Secrets [][]byte

	// Resources are the APIs that tokens are for, and no token is for any other (RFC 8707). The first is that of requests that name none
	// and ask for no scope of another (RFC 9068, Section 3).
	Resources []Resource
	// DetailTypes are the types of authorization details that may be asked for (RFC 9396), each with a function that
	// refuses those that it does not allow this client. Other types are refused.
	DetailTypes map[string]func(ctx context.Context, clientID string, d *oauth.AuthorizationDetail) error
	Lifetimes   Lifetimes

	// NoDPoPNonce accepts DPoP proofs without a nonce of the server: one that was made in advance is then good too (RFC 9449,
	// Section 11.2).
	NoDPoPNonce bool
	// LegacyAudience accepts client assertions that name the URL of the token endpoint, as RFC 7523 has it and many clients still write: one
	// that was made for another server with such a name can be played back here (RFC 10070, Section 4).
	LegacyAudience bool
	// ClientCertificate returns the certificate of a client. Nil is guard.TLSCertificate; behind a proxy it is
	// guard.CertificateHeader.
	ClientCertificate guard.ClientCertificate
	// ClientCAs certify the clients of tls_client_auth. Without them that method is not offered.
	ClientCAs *x509.CertPool
	// MTLSURL is where the endpoints are for clients with certificates, if they are elsewhere than behind Issuer: there the
	// listener asks for certificates, which a browser would show its user (RFC 8705, Section 5).
	MTLSURL string
	// Attesters are the keys by which the makers of clients vouch for them (attest_jwt_client_auth). Without them that
	// method is not offered.
	Attesters jwk.Source
	// VerifySecret holds a secret that people have chosen to the hash of it, [Client.ChosenSecret]: such as argon2id, which the
	// standard library has not. Once the process has met a client with such a secret, it is called for each other secret that is
	// refused too, without a hash: to take as long, since else the time would tell which clients there are. What can be
	// observed nevertheless is a hash that takes another time than that, and that it fails: bound how many it
	// verifies at a time, and how often an address may ask, by Limits.
	VerifySecret func(ctx context.Context, hash, secret string) (bool, error)

	// PermitExchange reports whether the actor, or without one the client, may act for the subject of a token exchange, where
	// the subject token has no may_act. Nil asks what [Client] says.
	PermitExchange func(ctx context.Context, x *exchange.Exchange) (bool, error)
	// ExchangeTokens verify subject and actor tokens of other types than the server's own access tokens and the JWTs of
	// trusted issuers, such as ID tokens.
	ExchangeTokens map[exchange.TokenType]exchange.Verify

	// Registration lets clients register themselves (RFC 7591). Nil does not.
	Registration *Registration

	// Limits say how often the endpoints may be asked. The zero value is as often as anyone likes.
	Limits Limits
	// RemoteAddress returns the address that a request comes from. Nil is that of its connection; behind proxies it is
	// [AddressHeader].
	RemoteAddress func(*http.Request) netip.Addr

	// Fetch says how the keys of clients and trusted issuers are fetched: where they may lead, through what proxy.
	Fetch keyset.Options
	// Observe is told of each request that was answered, once, but for those by which browsers ask for leave (CORS): for logs, audit and
	// metrics. It is called concurrently, before the answer is complete, and keeps nothing of e.
	Observe func(ctx context.Context, e *Event)
	// Trace is called before what takes time in a request, and what it returns when that has ended: authenticate, verify (of a grant, a
	// proof or another token), keys (that may have to be fetched), sign. The calls that are made for it have the context that is returned.
	Trace func(ctx context.Context, what string) (context.Context, func(error))
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

// Resource is an API that tokens are for.
type Resource struct {
	// Identifier is its URI (RFC 8707, Section 2), the aud of its tokens.
	Identifier string
	// Name is a short name by which a token exchange may ask for it too (audience).
	Name string
	// Scopes are those that mean something to it. Nil is any.
	Scopes oauth.Scopes
	// Opaque gives it tokens that it has to ask the server about, in place of JWTs.
	Opaque bool
	// Reserved gives its tokens only to clients, and for grants of trusted issuers, that name it among their Resources. It is none of
	// those that are meant where they name none.
	Reserved bool
	// Lifetime of its tokens, if it is shorter than that of others.
	Lifetime time.Duration
	// Claims are put into its tokens.
	Claims map[string]any
}

// Lifetimes say how long what is issued is good for.
type Lifetimes struct {
	// Access tokens: zero is 15 minutes. Keys must be kept as long: see keyset.Timetable.Lifetime.
	Access time.Duration
	// Refresh is for how long a refresh token is good that is not used, and RefreshMax for how long it is with all that it is
	// rotated into. Zero is 14 days and 90 days.
	Refresh, RefreshMax time.Duration
	// RefreshRetry is for how long after its rotation a refresh token gives the same successor again, to the same client with the same
	// key: the answer may have been lost. Zero is 30 seconds, and less than zero none.
	RefreshRetry time.Duration
	// Reload is how often a process looks whether another has changed clients or issuers. Zero is a second.
	Reload time.Duration
}

func (o *Options) normalize() error {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Algorithm == (jwa.Algorithm{}) {
		o.Algorithm = jwa.ES256
	}
	if o.ClientCertificate == nil {
		o.ClientCertificate = guard.TLSCertificate
	}
	l := &o.Lifetimes
	for _, d := range []struct {
		is  *time.Duration
		def time.Duration
	}{
		{&l.Access, 15 * time.Minute},
		{&l.Refresh, 14 * 24 * time.Hour},
		{&l.RefreshMax, 90 * 24 * time.Hour},
		{&l.Reload, time.Second},
	} {
		if *d.is == 0 {
			*d.is = d.def
		}
		if *d.is < time.Second {
			return errOptions.With("a lifetime is under a second")
		}
	}
	switch {
	case l.RefreshRetry == 0:
		l.RefreshRetry = 30 * time.Second
	case l.RefreshRetry < 0:
		l.RefreshRetry = 0
	}
	l.Refresh = min(l.Refresh, l.RefreshMax)

	if o.Issuer == "" {
		return errOptions.With("there is no Issuer")
	}
	m := oauth.ServerMetadata{Issuer: o.Issuer, TokenEndpoint: o.MTLSURL}
	if err := m.Validate(o.Issuer); err != nil {
		return errOptions.Wrap(err)
	}
	switch {
	case o.Store == nil:
		return errOptions.With("there is no Store")
	case o.Algorithm.Symmetric() || o.Algorithm.Use() != "sig":
		return errOptions.With("Algorithm is not one of signatures with a private key")
	case len(o.Secrets) == 0:
		return errOptions.With("there are no Secrets")
	case slices.ContainsFunc(o.Secrets, func(s []byte) bool { return len(s) < 32 }):
		return errOptions.With("a secret has under 32 bytes")
	case len(o.Resources) == 0:
		return errOptions.With("there are no Resources: no token could be for anything")
	}
	if o.Keys == nil {
		keys, err := keyset.NewRotation(store.NewKeys(o.Store, "signing"), keyset.Timetable{Lifetime: l.Access, Clock: o.Clock}, o.Algorithm)
		if err != nil {
			return errOptions.Wrap(err)
		}
		o.Keys = keys
	}
	o.Resources = slices.Clone(o.Resources)
	for i := range o.Resources {
		r := &o.Resources[i]
		if err := oauth.ValidateResource(r.Identifier); err != nil {
			return errOptions.Wrap(err)
		}
		if slices.ContainsFunc(o.Resources[:i], func(other Resource) bool { return other.Identifier == r.Identifier }) {
			return errOptions.With(fmt.Sprintf("the resource %.200q is there twice", r.Identifier))
		}
		if _, err := extraClaims(r.Claims); err != nil {
			return errOptions.Wrap(err)
		}
	}
	return nil
}

// FixedKeys makes [Keys] that stay as they are: one for each algorithm.
func FixedKeys(keys ...*jwk.PrivateKey) Keys { return fixedKeys(keys) }

type fixedKeys []*jwk.PrivateKey

// Signer implements [Keys].
func (f fixedKeys) Signer(_ context.Context, alg jwa.Algorithm) (jwk.Signer, error) {
	for _, k := range f {
		if k.Algorithm() == alg {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: for %s", jwk.ErrNoKey, alg)
}

// Set implements [Keys].
func (f fixedKeys) Set(context.Context) (jwk.Set, time.Duration, error) {
	set := make(jwk.Set, len(f))
	for i, k := range f {
		set[i] = k.Public()
	}
	return set, time.Hour, nil
}

// Handler implements [Keys].
func (f fixedKeys) Handler() http.Handler {
	set, _, _ := f.Set(context.Background())
	document := must(json.Marshal(set))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		serveDocument(w, r, document)
	})
}

// Keys implements [jwk.Source].
func (f fixedKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	set, _, _ := f.Set(ctx)
	return set.Keys(ctx, q)
}
