package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
)

// clientFlags say what a client is. Those that are not given change nothing, and those that are given empty take away what is there.
type clientFlags struct {
	Grant          []string       `placeholder:"TYPE" help:"A grant type that it may use, such as client_credentials. Repeats. A new client has client_credentials."`
	Scope          *string        `placeholder:"SCOPES" help:"What it may ask for: names with spaces between them."`
	Auth           *string        `placeholder:"METHOD" help:"How it authenticates, such as private_key_jwt. Unless given, client_secret_basic."`
	JWKS           *string        `name:"jwks" placeholder:"FILE" help:"Its public keys, for private_key_jwt, or its certificate in PEM, for self_signed_tls_client_auth."`
	JWKSURI        *string        `name:"jwks-uri" placeholder:"URL" help:"Where its public keys are fetched."`
	TLSName        *string        `name:"tls-name" placeholder:"KIND=NAME" help:"The name that its certificate has, for tls_client_auth: dn=CN=shop,O=Example, as openssl x509 -noout -subject -nameopt RFC2253 prints it, dns=shop.example, uri=…, ip=… or email=…."`
	Bound          []string       `placeholder:"KIND" help:"Give it tokens only that are bound to a key of its: dpop, or mtls for its certificate. Repeats."`
	Name           *string        `placeholder:"TEXT" help:"What people call it."`
	Resource       []string       `sep:"none" placeholder:"URI" help:"An API that it may get tokens for. Repeats. Unless given, all."`
	ResourceServer *string        `placeholder:"URI" help:"The API that it is itself: it may ask about tokens for that."`
	Lifetime       *time.Duration `placeholder:"DURATION" help:"For how long its access tokens are good, if it is less than for others."`
	Opaque         *bool          `negatable:"" help:"Give it tokens that APIs have to ask the server about, in place of JWTs."`
	Impersonation  *bool          `negatable:"" help:"Let it exchange tokens for some in which it is not to be told from their subject."`
	Delegation     *bool          `negatable:"" help:"Let it exchange tokens for some that say that it acts for their subject."`
	Admin          bool           `help:"Let it administer the server, as far as its scope says: admin:read and admin:write, unless --scope has one of them."`
}

// assign sets what a flag was given for.
func assign[T any](to, given *T) {
	if given != nil {
		*to = *given
	}
}

// assignList is assign for a flag that repeats, with which a single empty value is none.
func assignList(to *[]string, given []string) {
	switch {
	case len(given) == 1 && given[0] == "":
		*to = nil
	case given != nil:
		*to = given
	}
}

// read changes a client to what the flags say.
func (c *clientFlags) read(a *app, to *server.Client) error {
	m := &to.Metadata
	assignList(&m.GrantTypes, c.Grant)
	assign(&m.Scope, c.Scope)
	assign(&m.AuthMethod, c.Auth)
	assign(&m.Name, c.Name)
	assignList(&to.Resources, c.Resource)
	assign(&to.ResourceServer, c.ResourceServer)
	assign(&to.Opaque, c.Opaque)
	assign(&to.Impersonation, c.Impersonation)
	assign(&to.Delegation, c.Delegation)
	if c.Lifetime != nil {
		to.Lifetime = int64(*c.Lifetime / time.Second)
	}
	if c.Bound != nil {
		m.DPoPBoundTokens, m.CertificateBoundTokens = false, false
	}
	for _, kind := range c.Bound {
		switch kind {
		case "":
		case "dpop":
			m.DPoPBoundTokens = true
		case "mtls":
			m.CertificateBoundTokens = true
		default:
			return fail(exitUsage, "", "tokens are bound by dpop or mtls, and not by %s", quoted(kind))
		}
	}
	if err := c.readTLSName(m); err != nil {
		return err
	}
	return readKeys(a, &m.JWKS, &m.JWKSURI, c.JWKS, c.JWKSURI)
}

func (c *clientFlags) readTLSName(m *oauth.ClientMetadata) error {
	if c.TLSName == nil {
		return nil
	}
	names := map[string]*string{"dn": &m.TLSSubjectDN, "dns": &m.TLSSANDNS, "uri": &m.TLSSANURI, "ip": &m.TLSSANIP, "email": &m.TLSSANEmail}
	for _, n := range names {
		*n = ""
	}
	if *c.TLSName == "" {
		return nil
	}
	kind, name, _ := strings.Cut(*c.TLSName, "=")
	if names[kind] == nil || name == "" {
		return fail(exitUsage, "write it as dns=shop.example", "%s is no name of a certificate", quoted(*c.TLSName))
	}
	*names[kind] = name
	return nil
}

// readKeys sets the keys by a file or a URL: the one that is given takes the place of the other.
func readKeys(a *app, set *json.RawMessage, uri *string, file, url *string) (err error) {
	if file != nil {
		if *set, err = publicSet(a, *file); err != nil {
			return err
		}
		*uri = ""
	}
	if url != nil {
		*uri = *url
		if file == nil {
			*set = nil
		}
	}
	return nil
}

// administrator gives a client what administrators have, if that is asked for.
func (c *clientFlags) administrator(s *service, to *server.Client) error {
	if !c.Admin {
		return nil
	}
	m := s.Metadata()
	resource := admin.Resource(m.Issuer).Identifier
	if !slices.Contains(m.ProtectedResources, resource) {
		return fail(exitUsage, "set admin: true and issuer there, and give it with --config", "the configuration has no administration over HTTP")
	}
	if !slices.Contains(to.Resources, resource) {
		to.Resources = append(to.Resources, resource)
	}
	scope, err := oauth.ParseScopes(to.Metadata.Scope)
	if err != nil && to.Metadata.Scope != "" {
		return adminFailure(to.ID, &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "the scope is malformed"})
	}
	if !scope.Has(admin.Read) && !scope.Has(admin.Write) {
		scope = scope.Union(oauth.Scopes{admin.Read, admin.Write})
	}
	to.Metadata.Scope = scope.String()
	return nil
}

// clientSecret is the answer where a secret may have been made.
type clientSecret struct {
	ID               string    `json:"client_id"`
	Secret           string    `json:"client_secret,omitempty"`
	OldSecretExpires time.Time `json:"old_secret_expires,omitzero"`
}

// show prints what is administered.
func (a *app) show(x any) {
	raw, _ := json.Marshal(x) // which came from JSON
	a.data(pretty(raw, "") + "\n")
}

type clientSetCmd struct {
	ID string `arg:"" help:"Its client_id."`

	clientFlags  `embed:""`
	serviceFlags `embed:""`
}

func (*clientSetCmd) Help() string {
	return `What is given empty is taken away, as with --scope= and --resource=, and a list takes the place of the one before. A secret is printed where the client gets one, because its method of authentication has changed. Tokens that it has stay as they are until they expire. Examples:

    jot client set shop --scope 'orders:read orders:write' --lifetime 5m
    jot client set robot --jwks new-key.json
    jot client set gateway --no-opaque`
}

func (c *clientSetCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		saved, err := c.save(ctx, a, s)
		if s.trail.record(cliUser(), auditClientChange, c.ID, err) != nil {
			return changeFailure(c.ID, err)
		}
		if saved.Secret != "" {
			a.line(clientSecret{ID: saved.ID, Secret: saved.Secret})
		}
		return nil
	})
}

func (c *clientSetCmd) save(ctx context.Context, a *app, s *service) (*server.Client, error) {
	x, err := s.Client(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	method := x.Metadata.Method()
	if err := c.read(a, x); err != nil {
		return nil, err
	}
	if err := c.administrator(s, x); err != nil {
		return nil, err
	}
	if x.Metadata.Method() != method {
		x.ChosenSecret = ""
	}
	return s.SaveClient(ctx, *x)
}

type clientSecretCmd struct {
	ID      string        `arg:"" help:"Its client_id."`
	Overlap time.Duration `placeholder:"24h" xor:"old" help:"Accept the old secret beside the new one for so long, at most 2160h, which are 90 days. Without it, it is void at once."`
	EndOld  bool          `xor:"old" help:"End the old secret of an overlap now, and make no new one."`

	serviceFlags `embed:""`
}

func (*clientSecretCmd) Help() string {
	return `To change a secret while the client runs, give it an overlap, in which both are accepted. Set the new one at the client. The log of the server has old_secret=true for each request with the old one: when there are none, end it, or wait for its end, which jot client show has as old_secret_expires.

    jot client secret shop --overlap 24h
    jot client secret shop --end-old

A secret that others may have got has no overlap: it is void as soon as the processes that serve know of it, within a second.

    jot client secret shop`
}

func (c *clientSecretCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		saved, err := c.save(ctx, s)
		detail := detailSecret
		if c.EndOld {
			detail = detailOldSecret
		}
		if s.trail.recordDetail(cliUser(), auditClientChange, c.ID, detail, err) != nil {
			return changeFailure(c.ID, err)
		}
		if saved.Secret != "" {
			a.line(clientSecret{saved.ID, saved.Secret, saved.OldSecretExpires})
		}
		return nil
	})
}

func (c *clientSecretCmd) save(ctx context.Context, s *service) (*server.Client, error) {
	x, err := s.Client(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if method := x.Metadata.Method(); !strings.HasPrefix(method, "client_secret_") {
		return nil, fail(exitUsage, "jot client set --auth client_secret_basic gives it one", "%s authenticates by %s and has no secret", quoted(c.ID), method)
	}
	if c.EndOld {
		if x.OldSecretExpires.IsZero() {
			return nil, fail(exitRefused, "jot client show has old_secret_expires where there is one", "%s has no old secret", quoted(c.ID))
		}
		x.OldSecretExpires = time.Time{}
	} else {
		x.ChosenSecret, x.NewSecret, x.Overlap = "", true, c.Overlap
	}
	return s.SaveClient(ctx, *x)
}
