package server

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server/store"
)

// Grant is what the refresh tokens of one family stand for, as it is administered.
type Grant struct {
	ID      string `json:"grant_id"`
	Client  string `json:"client_id"`
	Subject string `json:"subject,omitempty"`
	// Issuer is the trusted issuer that has granted the access, if one has.
	Issuer    string                      `json:"issuer,omitempty"`
	Scope     string                      `json:"scope,omitempty"`
	Resources []string                    `json:"resources"`
	Details   []oauth.AuthorizationDetail `json:"authorization_details,omitempty"`
	// Bound says that the tokens are good only with the key of the client that got the first.
	Bound bool `json:"bound,omitempty"`
	// Created is when the first refresh token was given out, and Rotated when the one was that is good now. It is good until Expires, and what
	// it is rotated into until Until.
	Created time.Time `json:"created"`
	Rotated time.Time `json:"rotated"`
	Expires time.Time `json:"expires"`
	Until   time.Time `json:"until"`
}

// Grant returns a grant, or store.ErrNotFound.
func (s *Server) Grant(ctx context.Context, id string) (*Grant, error) {
	g, err := s.o.Store.Grant(ctx, s.o.Clock(), id)
	if err != nil {
		return nil, err
	}
	return parseGrant(&g)
}

// Grants lists grants: those of a client, a subject, or both.
func (s *Server) Grants(ctx context.Context, f store.GrantFilter) ([]*Grant, error) {
	all, err := s.o.Store.Grants(ctx, s.o.Clock(), f)
	if err != nil {
		return nil, err
	}
	out := make([]*Grant, len(all))
	for i := range all {
		if out[i], err = parseGrant(&all[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseGrant(g *store.Grant) (*Grant, error) {
	var f family
	if err := json.Unmarshal(g.Body, &f); err != nil {
		return nil, errDocument.Wrap(err)
	}
	return &Grant{
		ID: g.ID, Client: g.Client, Subject: g.Subject, Issuer: f.Issuer, Scope: f.Scope.String(), Resources: f.Resources, Details: f.Details, Bound: g.Bound,
		Created: g.Created.UTC(), Rotated: g.Rotated.UTC(), Expires: g.Expires.UTC(), Until: g.Until.UTC(),
	}, nil
}

// Revoke ends what was issued until now: a token by its jti, a grant with all of its tokens, or all that a client or a subject has. It
// returns how many grants that were. JWTs are refused from then on by those who ask the server about them, and by others when they expire.
func (s *Server) Revoke(ctx context.Context, t store.Target) (grants int, err error) {
	now := s.o.Clock()
	return s.o.Store.Revoke(ctx, store.Revocation{Target: t, At: now, Expires: now.Add(s.longest() + leeway)})
}
