package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/jotsuite/jot/server"
)

// issuerFlags say what a trusted issuer is, as clientFlags do of a client.
type issuerFlags struct {
	JWKS                *string        `name:"jwks" placeholder:"FILE" help:"Its public keys."`
	JWKSURI             *string        `name:"jwks-uri" placeholder:"URL" help:"Where its public keys are fetched."`
	Discover            *bool          `negatable:"" help:"Find its keys by its metadata."`
	Alg                 []string       `placeholder:"ALG" words:"signatures" help:"An algorithm to accept, if not all of its keys'. Repeats."`
	Subject             []string       `sep:"none" placeholder:"NAME" help:"Whose access it may grant; a star at the end is whatever follows, and * alone is anybody. Repeats."`
	SubjectPrefix       *string        `placeholder:"TEXT" help:"What is put before the subject in the tokens that are issued."`
	Scope               *string        `placeholder:"SCOPES" help:"The most that it may grant: names with spaces between them."`
	Resource            []string       `sep:"none" placeholder:"URI" help:"An API that it may grant access to. Repeats. Unless given, all."`
	Client              []string       `sep:"none" placeholder:"ID" help:"A client that may present its grants. Repeats. Unless given, everybody."`
	Audience            []string       `sep:"none" placeholder:"NAME" help:"A name that it has for this server, beside the issuer identifier and the URL of the token endpoint. Repeats."`
	IDTokenClient       []string       `name:"id-token-client" sep:"none" placeholder:"ID" help:"A client_id at the issuer: the ID tokens that it makes for it may be exchanged here. Repeats."`
	AccessTokenAudience []string       `name:"access-token-audience" sep:"none" placeholder:"NAME" help:"A name of this side in its access tokens (RFC 9068), which may then be exchanged here. Repeats."`
	MaxLifetime         *time.Duration `placeholder:"DURATION" help:"For how long its JWTs are good at most. Unless given, 1h."`
	Refresh             *bool          `negatable:"" help:"Give refresh tokens for its grants, to clients that may have them."`
	Reusable            *bool          `negatable:"" help:"Accept a grant as often as it comes, and without jti."`
	TypedOnly           *bool          `negatable:"" help:"Accept its JWTs only where their typ says that they are grants."`
	SelfIssued          *bool          `negatable:"" help:"Accept JWTs of which it is the subject, too."`
	LegacyScope         *bool          `negatable:"" help:"Let the scope in a JWT count where the request has none."`
	Bitbucket           *bool          `negatable:"" help:"It is a Connect app of Bitbucket Cloud, and the issuer its key: its tokens are signed with the shared secrets of its installations."`
	SecretFile          []string       `sep:"none" placeholder:"KEY=FILE" help:"The shared secret of the installation with that client key: the bytes of FILE without one final newline. Repeats."`
	SecretEnv           []string       `sep:"none" placeholder:"KEY=NAME" help:"The same, in a variable of the environment. Repeats."`
	RemoveSecret        []string       `sep:"none" placeholder:"KEY" help:"Forget the shared secret of that installation. Repeats."`
}

// read changes an issuer to what the flags say.
func (c *issuerFlags) read(a *app, to *server.TrustedIssuer) error {
	assign(&to.Discover, c.Discover)
	assignList(&to.Algorithms, c.Alg)
	assignList(&to.Subjects, c.Subject)
	assign(&to.SubjectPrefix, c.SubjectPrefix)
	assign(&to.Scope, c.Scope)
	assignList(&to.Resources, c.Resource)
	assignList(&to.Clients, c.Client)
	assignList(&to.Audiences, c.Audience)
	assignList(&to.IDTokenClients, c.IDTokenClient)
	assignList(&to.AccessTokenAudiences, c.AccessTokenAudience)
	assign(&to.Refresh, c.Refresh)
	assign(&to.Reusable, c.Reusable)
	assign(&to.TypedOnly, c.TypedOnly)
	assign(&to.SelfIssued, c.SelfIssued)
	assign(&to.LegacyScope, c.LegacyScope)
	assign(&to.LegacyBitbucket, c.Bitbucket)
	if c.MaxLifetime != nil {
		to.MaxLifetime = int64(*c.MaxLifetime / time.Second)
	}
	if err := readKeys(a, &to.JWKS, &to.JWKSURI, c.JWKS, c.JWKSURI); err != nil {
		return err
	}
	switch {
	case to.JWKS == nil && to.JWKSURI == "" && !to.Discover && !to.LegacyBitbucket:
		return fail(exitUsage, "give one of --jwks, --jwks-uri, --discover and --bitbucket", "nothing says where the keys of %s are", quoted(to.Issuer))
	case len(to.Subjects) == 0:
		return fail(exitUsage, "give --subject: a star at its end is whatever follows, and * alone is anybody", "nothing says whose access %s may grant", quoted(to.Issuer))
	}
	return c.secrets(a, to)
}

// secrets reads those of installations.
func (c *issuerFlags) secrets(a *app, to *server.TrustedIssuer) error {
	to.Secrets = map[string]string{}
	for _, id := range c.RemoveSecret {
		to.Secrets[id] = ""
	}
	add := func(given, what string, read func(string) (string, error)) error {
		id, from, _ := strings.Cut(given, "=")
		if id == "" || from == "" {
			return fail(exitUsage, "write it as CLIENT-KEY="+what, "%s does not say whose secret it is, or where", quoted(given))
		}
		text, err := read(from)
		if err != nil {
			return err
		}
		if text == "" {
			return fail(exitUnreadable, "", "the secret of %s is empty", quoted(id))
		}
		to.Secrets[id] = text
		return nil
	}
	for _, given := range c.SecretFile {
		if err := add(given, "FILE", func(name string) (string, error) {
			b, err := a.in.file(name, theSecret)
			return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), err
		}); err != nil {
			return err
		}
	}
	for _, given := range c.SecretEnv {
		if err := add(given, "NAME", func(name string) (string, error) {
			text, ok := os.LookupEnv(name)
			if !ok {
				return "", fail(exitUsage, "", "the environment has no variable %s", quoted(name))
			}
			return text, nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// shownIssuer is a trusted issuer with whose secrets are kept.
type shownIssuer struct {
	*server.TrustedIssuer

	SecretIDs []string `json:"secret_ids,omitempty"`
}

type issuerShowCmd struct {
	Issuer string `arg:"" help:"The iss of its JWTs."`

	serviceFlags `embed:""`
}

func (c *issuerShowCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		x, err := s.Issuer(ctx, c.Issuer)
		if err != nil {
			return adminFailure(c.Issuer, err)
		}
		a.show(shownIssuer{x, x.SecretIDs()})
		return nil
	})
}

type issuerSetCmd struct {
	Issuer string `arg:"" help:"The iss of its JWTs."`

	issuerFlags  `embed:""`
	serviceFlags `embed:""`
}

func (*issuerSetCmd) Help() string {
	return `What is given empty is taken away, as with --scope= and --resource=, and a list takes the place of the one before. Secrets are added to those that are kept. Examples:

    jot issuer set https://ci.example --jwks new-keys.json
    jot issuer set https://ci.example --subject 'repo:shop/*' --subject 'repo:desk/*'
    jot issuer set my-app --secret-env 'CLIENT-KEY=SHARED_SECRET' --remove-secret OLD-CLIENT-KEY`
}

func (c *issuerSetCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		if err := s.trail.record(cliUser(), auditIssuerChange, c.Issuer, c.save(ctx, a, s)); err != nil {
			return changeFailure(c.Issuer, err)
		}
		return nil
	})
}

func (c *issuerSetCmd) save(ctx context.Context, a *app, s *service) error {
	x, err := s.Issuer(ctx, c.Issuer)
	if err != nil {
		return err
	}
	if err := c.read(a, x); err != nil {
		return err
	}
	_, err = s.SaveIssuer(ctx, *x)
	return err
}
