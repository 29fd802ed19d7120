package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

type clientCmd struct {
	Add  clientAddCmd  `cmd:"" help:"Add a client, and print its secret, which nobody can ask for again."`
	List clientListCmd `cmd:"" help:"List the clients."`
	Show clientShowCmd `cmd:"" help:"Show a client, without its secret."`
	Rm   clientRmCmd   `cmd:"" help:"Remove a client, and with it all that it was given."`
}

type issuerCmd struct {
	Add  issuerAddCmd  `cmd:"" help:"Trust an issuer: its JWTs are grants."`
	List issuerListCmd `cmd:"" help:"List the trusted issuers."`
	Rm   issuerRmCmd   `cmd:"" help:"Trust an issuer no longer."`
}

// administer opens the server that jot serve runs, for f alone. A process that serves knows of changes within a second.
func (c serviceFlags) administer(a *app, f func(context.Context, *service) error) error {
	set, err := c.settle()
	if err != nil {
		return err
	}
	if set.isMemory() {
		return fail(exitUsage, "give the store of the server with --store, --data or --config", "nothing is kept in memory")
	}
	set.options.Issuer, set.options.Clock = cmp.Or(set.options.Issuer, "http://localhost:8080"), a.clock
	place := set.file.Audit.text
	if place == "stdout" {
		place = "stderr" // on stdout is what the command answers
	}
	t, err := openTrail(place, a, func(err error) { a.warn("the audit trail lacks a line: %s", reason(err)) })
	if err != nil {
		return err
	}
	defer t.close()
	ctx := context.Background()
	s, err := set.open(ctx, nil)
	if err != nil {
		return err
	}
	defer s.store.Close()
	s.trail = t
	return f(ctx, s)
}

// adminFailure is the failure to change or read what is called name.
func adminFailure(name string, err error) *failure {
	var refused *oauth.Error
	switch {
	case errors.Is(err, serverstore.ErrNotFound):
		return fail(exitRefused, "list shows what is there", "there is no %s%s", quoted(name), inCode(err))
	case errors.Is(err, serverstore.ErrConflict):
		return fail(exitRefused, "remove it first, or take another name", "there is %s already%s", quoted(name), inCode(err))
	case errors.Is(err, server.ErrDocument), errors.As(err, &refused):
		return fail(exitUsage, "the resources and methods are those of the server's configuration: give it with --config", "%s is refused: %v%s", quoted(name), err, inCode(err))
	}
	return storeFailure(err)
}

// all lists everything, page by page.
func all[T any](ctx context.Context, list func(context.Context, string, int) ([]T, error), name func(T) string, f func(T)) error {
	const page = 100
	for after := ""; ; {
		some, err := list(ctx, after, page)
		if err != nil {
			return storeFailure(err)
		}
		for _, x := range some {
			f(x)
			after = name(x)
		}
		if len(some) < page {
			return nil
		}
	}
}

type clientAddCmd struct {
	ID             string        `arg:"" help:"Its client_id."`
	Grant          []string      `placeholder:"TYPE" help:"A grant type that it may use, such as client_credentials. Repeats. Unless given, client_credentials."`
	Scope          string        `placeholder:"SCOPES" help:"What it may ask for: names with spaces between them."`
	Auth           string        `placeholder:"METHOD" help:"How it authenticates, such as private_key_jwt. Unless given, client_secret_basic."`
	JWKS           string        `name:"jwks" placeholder:"FILE" help:"Its public keys, for private_key_jwt, or its certificate in PEM, for self_signed_tls_client_auth."`
	JWKSURI        string        `name:"jwks-uri" placeholder:"URL" help:"Where its public keys are fetched."`
	TLSName        string        `name:"tls-name" placeholder:"KIND=NAME" help:"The name that its certificate has, for tls_client_auth: dn=CN=shop,O=Example, dns=shop.example, uri=…, ip=… or email=…."`
	Bound          []string      `placeholder:"KIND" help:"Give it tokens only that are bound to a key of its: dpop, or mtls for its certificate. Repeats."`
	Name           string        `placeholder:"TEXT" help:"What people call it."`
	Resource       []string      `sep:"none" placeholder:"URI" help:"An API that it may get tokens for. Repeats. Unless given, all."`
	ResourceServer string        `placeholder:"URI" help:"The API that it is itself: it may ask about tokens for that."`
	Lifetime       time.Duration `placeholder:"DURATION" help:"For how long its access tokens are good, if it is less than for others."`
	Opaque         bool          `help:"Give it tokens that APIs have to ask the server about, in place of JWTs."`
	Impersonation  bool          `help:"Let it exchange tokens for some in which it is not to be told from their subject."`
	Delegation     bool          `help:"Let it exchange tokens for some that say that it acts for their subject."`

	serviceFlags `embed:""`
}

func (c *clientAddCmd) Run(a *app) error {
	to := server.Client{
		ID: c.ID, Resources: c.Resource, ResourceServer: c.ResourceServer, Lifetime: int64(c.Lifetime / time.Second),
		Opaque: c.Opaque, Impersonation: c.Impersonation, Delegation: c.Delegation,
	}
	m := &to.Metadata
	m.Name, m.Scope, m.AuthMethod, m.JWKSURI = c.Name, c.Scope, c.Auth, c.JWKSURI
	if m.GrantTypes = c.Grant; len(c.Grant) == 0 {
		m.GrantTypes = []string{"client_credentials"}
	}
	for _, kind := range c.Bound {
		switch kind {
		case "dpop":
			m.DPoPBoundTokens = true
		case "mtls":
			m.CertificateBoundTokens = true
		default:
			return fail(exitUsage, "", "tokens are bound by dpop or mtls, and not by %s", quoted(kind))
		}
	}
	if c.TLSName != "" {
		kind, name, _ := strings.Cut(c.TLSName, "=")
		to := map[string]*string{"dn": &m.TLSSubjectDN, "dns": &m.TLSSANDNS, "uri": &m.TLSSANURI, "ip": &m.TLSSANIP, "email": &m.TLSSANEmail}[kind]
		if to == nil || name == "" {
			return fail(exitUsage, "write it as dns=shop.example", "%s is no name of a certificate", quoted(c.TLSName))
		}
		*to = name
	}
	var err error
	if m.JWKS, err = publicSet(a, c.JWKS); err != nil {
		return err
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		saved, err := s.SaveClient(ctx, to)
		if s.trail.record(cliUser(), auditClientAdd, c.ID, err) != nil {
			return adminFailure(c.ID, err)
		}
		a.line(struct {
			ID     string `json:"client_id"`
			Secret string `json:"client_secret,omitempty"`
		}{saved.ID, saved.Secret})
		return nil
	})
}

// publicSet is the public keys of a file as a set, or nil without one.
func publicSet(a *app, name string) (json.RawMessage, error) {
	if name == "" {
		return nil, nil
	}
	f, err := a.in.keys(name, passwordFlags{})
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	for _, j := range f.keys {
		if j.KeyType() == "oct" {
			return nil, fail(exitNoKey, "give public keys", "%s holds a secret [key.private]", label(name))
		}
		raw, err := j.Public().MarshalJSON()
		if err != nil {
			return nil, keyFailure(exitNoKey, name, err)
		}
		set.Keys = append(set.Keys, raw)
	}
	return json.Marshal(set)
}

type clientListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line for each client."`

	serviceFlags `embed:""`
}

func (c *clientListCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		return all(ctx, s.Clients, func(x *server.Client) string { return x.ID }, func(x *server.Client) {
			if c.JSON {
				a.line(x)
				return
			}
			a.data(visible(oneLine(x.ID)) + "\n")
		})
	})
}

type clientShowCmd struct {
	ID string `arg:"" help:"Its client_id."`

	serviceFlags `embed:""`
}

func (c *clientShowCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		x, err := s.Client(ctx, c.ID)
		if err != nil {
			return adminFailure(c.ID, err)
		}
		raw, err := json.Marshal(x)
		if err != nil {
			return err
		}
		a.data(pretty(raw, "") + "\n")
		return nil
	})
}

type clientRmCmd struct {
	ID string `arg:"" help:"Its client_id."`

	serviceFlags `embed:""`
}

func (c *clientRmCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		if err := s.trail.record(cliUser(), auditClientRemove, c.ID, s.DeleteClient(ctx, c.ID)); err != nil {
			return adminFailure(c.ID, err)
		}
		return nil
	})
}

type issuerAddCmd struct {
	Issuer        string        `arg:"" help:"The iss of its JWTs, which is compared exactly."`
	JWKS          string        `name:"jwks" placeholder:"FILE" help:"Its public keys."`
	JWKSURI       string        `name:"jwks-uri" placeholder:"URL" help:"Where its public keys are fetched."`
	Discover      bool          `help:"Find its keys by its metadata."`
	Alg           []string      `placeholder:"ALG" words:"signatures" help:"An algorithm to accept, if not all of its keys'. Repeats."`
	Subject       []string      `sep:"none" placeholder:"NAME" help:"Whose access it may grant; a star at the end is whatever follows, and * alone is anybody. Repeats."`
	SubjectPrefix string        `placeholder:"TEXT" help:"What is put before the subject in the tokens that are issued."`
	Scope         string        `placeholder:"SCOPES" help:"The most that it may grant: names with spaces between them."`
	Resource      []string      `sep:"none" placeholder:"URI" help:"An API that it may grant access to. Repeats. Unless given, all."`
	Client        []string      `sep:"none" placeholder:"ID" help:"A client that may present its grants. Repeats. Unless given, everybody."`
	Audience      []string      `sep:"none" placeholder:"NAME" help:"A name that it has for this server, beside the issuer identifier and the URL of the token endpoint. Repeats."`
	MaxLifetime   time.Duration `placeholder:"DURATION" help:"For how long its JWTs are good at most. Unless given, 1h."`
	Refresh       bool          `help:"Give refresh tokens for its grants, to clients that may have them."`
	Reusable      bool          `help:"Accept a grant as often as it comes, and without jti."`
	TypedOnly     bool          `help:"Accept its JWTs only where their typ says that they are grants."`
	SelfIssued    bool          `help:"Accept JWTs of which it is the subject, too."`
	LegacyScope   bool          `help:"Let the scope in a JWT count where the request has none."`

	serviceFlags `embed:""`
}

func (c *issuerAddCmd) Run(a *app) error {
	to := server.TrustedIssuer{
		Issuer: c.Issuer, JWKSURI: c.JWKSURI, Discover: c.Discover, Algorithms: c.Alg,
		Subjects: c.Subject, SubjectPrefix: c.SubjectPrefix, Scope: c.Scope, Resources: c.Resource, Clients: c.Client,
		Audiences: c.Audience, MaxLifetime: int64(c.MaxLifetime / time.Second),
		Refresh: c.Refresh, Reusable: c.Reusable, TypedOnly: c.TypedOnly, SelfIssued: c.SelfIssued, LegacyScope: c.LegacyScope,
	}
	var err error
	if to.JWKS, err = publicSet(a, c.JWKS); err != nil {
		return err
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		_, err := s.SaveIssuer(ctx, to)
		if s.trail.record(cliUser(), auditIssuerAdd, c.Issuer, err) != nil {
			return adminFailure(c.Issuer, err)
		}
		return nil
	})
}

type issuerListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line for each issuer."`

	serviceFlags `embed:""`
}

func (c *issuerListCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		return all(ctx, s.Issuers, func(x *server.TrustedIssuer) string { return x.Issuer }, func(x *server.TrustedIssuer) {
			if c.JSON {
				a.line(x)
				return
			}
			a.data(visible(oneLine(x.Issuer)) + "\n")
		})
	})
}

type issuerRmCmd struct {
	Issuer string `arg:"" help:"The iss of its JWTs."`

	serviceFlags `embed:""`
}

func (c *issuerRmCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		if err := s.trail.record(cliUser(), auditIssuerRemove, c.Issuer, s.DeleteIssuer(ctx, c.Issuer)); err != nil {
			return adminFailure(c.Issuer, err)
		}
		return nil
	})
}
