package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

type clientCmd struct {
	Add    clientAddCmd    `cmd:"" help:"Add a client, and print its secret, which nobody can ask for again."`
	List   clientListCmd   `cmd:"" help:"List the clients."`
	Show   clientShowCmd   `cmd:"" help:"Show a client, without its secret."`
	Set    clientSetCmd    `cmd:"" help:"Change what is given of a client, and leave the rest."`
	Secret clientSecretCmd `cmd:"" help:"Make a new secret of a client, and print it; --overlap keeps the old one for a while."`
	Invite clientInviteCmd `cmd:"" help:"Make a token by which one client can register itself, and print it."`
	Rm     clientRmCmd     `cmd:"" help:"Remove a client, and with it all that it was given."`
}

type issuerCmd struct {
	Add  issuerAddCmd  `cmd:"" help:"Trust an issuer: its JWTs are grants."`
	List issuerListCmd `cmd:"" help:"List the trusted issuers."`
	Show issuerShowCmd `cmd:"" help:"Show a trusted issuer, without secrets."`
	Set  issuerSetCmd  `cmd:"" help:"Change what is given of a trusted issuer, and leave the rest."`
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
		return fail(exitRefused, "set changes it; rm removes it", "there is %s already%s", quoted(name), inCode(err))
	case errors.Is(err, server.ErrDocument), errors.As(err, &refused):
		return fail(exitUsage, "--help has the options; the resources and methods that there are, the file of --config says", "%s is refused: %v%s", quoted(name), err, inCode(err))
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
	ID         string `arg:"" help:"Its client_id."`
	SecretFrom string `placeholder:"@FILE" help:"Take a secret that people have chosen from a file, or with - from stdin, without one final newline, in place of making a random one. Its argon2id hash alone is kept."`

	clientFlags  `embed:""`
	serviceFlags `embed:""`
}

func (*clientAddCmd) Help() string {
	return `The secret is printed once, and only a keyed hash of it is kept. Examples:

    jot client add shop --scope 'orders:read'
    jot client add robot --auth private_key_jwt --jwks robot.json --scope 'orders:read'
    jot client add gateway --resource-server https://api.example --grant client_credentials

With admin: true in the file of --config, this makes an administrator, who gets tokens for /admin/v1 of the issuer:

    jot client add root --admin --config jot.yaml`
}

func (c *clientAddCmd) Run(a *app) error {
	to := server.Client{ID: c.ID}
	to.Metadata.GrantTypes = []string{"client_credentials"}
	if err := c.read(a, &to); err != nil {
		return err
	}
	if c.SecretFrom != "" {
		var err error
		if to.ChosenSecret, err = a.in.chosen(c.SecretFrom); err != nil {
			return err
		}
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		if err := c.administrator(s, &to); err != nil {
			return err
		}
		saved, err := s.SaveClient(ctx, to)
		if s.trail.record(cliUser(), auditClientAdd, c.ID, err) != nil {
			return adminFailure(c.ID, err)
		}
		a.line(clientSecret{ID: saved.ID, Secret: saved.Secret})
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
				x.ChosenSecret = ""
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
		x.ChosenSecret = "" // with its hash, words could be tried
		a.show(x)
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
	Issuer string `arg:"" help:"The iss of its JWTs, which is compared exactly."`

	issuerFlags  `embed:""`
	serviceFlags `embed:""`
}

func (*issuerAddCmd) Help() string {
	return `One of --jwks, --jwks-uri, --discover and --bitbucket says where its keys are. Examples:

    jot issuer add https://ci.example --discover --subject 'repo:shop/*' --scope deploy
    jot issuer add my-app --bitbucket --subject '*' --scope read --secret-file 'CLIENT-KEY=secret.txt'

A secret is in a file, or in a variable of the environment, and never in an argument, which other users see.`
}

func (c *issuerAddCmd) Run(a *app) error {
	to := server.TrustedIssuer{Issuer: c.Issuer}
	if err := c.read(a, &to); err != nil {
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
				a.line(shownIssuer{x, x.SecretIDs()})
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
