package main

import (
	"context"
	"time"
)

type clientInviteCmd struct {
	Life time.Duration `default:"24h" placeholder:"DURATION" help:"For how long it is good. Unless given, 24h."`

	serviceFlags `embed:""`
}

func (*clientInviteCmd) Help() string {
	return `The token is an initial access token (RFC 7591): who has it sends it to the registration endpoint as a bearer token, with the metadata of one client, and it is good no more. The configuration says what clients may register.`
}

func (c *clientInviteCmd) Run(a *app) error {
	if c.Life < time.Second {
		return fail(exitUsage, "", "a token is good for a second or more")
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		endpoint := s.Metadata().RegistrationEndpoint
		if endpoint == "" {
			return fail(exitUsage, "registration in the file of --config lets them", "clients may not register themselves")
		}
		token, err := s.InitialAccessToken(ctx, c.Life)
		if s.trail.record(cliUser(), auditInitialToken, "", err) != nil {
			return storeFailure(err)
		}
		a.line(struct {
			Token    string `json:"initial_access_token"`
			Endpoint string `json:"registration_endpoint"`
		}{token, endpoint})
		return nil
	})
}
