package server

import (
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server/store"
)

// family is what is kept of a grant, for the access tokens that its refresh tokens are exchanged for.
type family struct {
	Scope     oauth.Scopes                `json:"scope,omitempty"`
	Resources []string                    `json:"resources"`
	Details   []oauth.AuthorizationDetail `json:"details,omitempty"`
	Actor     json.RawMessage             `json:"act,omitempty"`
	// Issuer is who has granted the access, if it was a trusted issuer: without the trust there is none.
	Issuer string `json:"issuer,omitempty"`
}

// start makes a grant of an access, and returns its first refresh token. Where its client cannot prove who it is, the tokens are bound to
// key (RFC 9449, Section 5; RFC 8705, Section 4), and those of an attested instance to that (attestation-based-client-auth, Section 10.3).
func (q *request) start(a *access, key, issuer string) (string, error) {
	f := family{Scope: a.scope, Details: a.details, Actor: a.act, Issuer: issuer}
	for _, r := range a.resources {
		f.Resources = append(f.Resources, r.Identifier)
	}
	a.family = newGrantID()
	l := &q.o.Lifetimes
	if err := q.o.Store.AddGrant(q.ctx, store.Grant{
		ID: a.family, Client: a.client.ID, Subject: a.subject,
		Key: key, Bound: key != "" && (a.client.method == methodNone || q.instance != ""),
		Body: must(json.Marshal(f)), Created: q.now, Rotated: q.now, Expires: q.now.Add(l.Refresh), Until: q.now.Add(l.RefreshMax),
	}); err != nil {
		return "", err
	}
	return q.secrets.refreshToken(a.family, 0), nil
}

// gone is the one answer to a refresh token that is no good: whoever has found one is not told what it was. The cause is for the operator.
func gone(code, cause string) error {
	return invalid(oauth.InvalidGrant, "the refresh token is not valid: it has expired, was revoked or used, or is another client's",
		fault.New(code, "RFC 6749, Section 5.2", "server: "+cause))
}

func goneEnded() error {
	return gone("refresh.ended", "the refresh token has expired, or its grant was revoked")
}

func goneForeign() error {
	return gone("refresh.foreign", "the refresh token is another client's, or bound to another key")
}

// refresh is the exchange of a refresh token for an access token and the next refresh token (RFC 6749, Section 6).
func (q *request) refresh() error {
	if err := q.authorized(); err != nil {
		return err
	}
	cnf, key, err := q.bind()
	if err != nil {
		return err
	}
	raw := q.form.Get("refresh_token")
	if raw == "" {
		return invalid(oauth.InvalidRequest, "there is no refresh_token", nil)
	}
	id, seq, ok := q.secrets.grantOf(raw)
	if !ok {
		return gone("refresh.unknown", "this server has not made the refresh token, or has no longer the secret with which it did")
	}
	q.event.Family = id
	// What asks for more than it may must not cost the client its token. What asks for nothing of its own is not looked at twice.
	asks := q.form.Has("scope") || q.form.Has("resource") || q.form.Has("authorization_details")
	if asks {
		g, err := q.o.Store.Grant(q.ctx, q.now, id)
		switch {
		case isNotFound(err):
			return goneEnded()
		case err != nil:
			return err
		case g.Client != q.client.ID:
			return goneForeign()
		}
		if g.Seq == seq { // of another one Rotate knows what it means that it is used
			if _, err := q.renew(&g, cnf); err != nil {
				return err
			}
		}
	}
	l := &q.o.Lifetimes
	outcome, g, err := q.o.Store.Rotate(q.ctx, q.now, store.Rotation{
		ID: id, Seq: seq, Client: q.client.ID, Key: key, Retry: l.RefreshRetry, Idle: l.Refresh, Access: q.longest() + leeway,
	})
	switch {
	case err != nil:
		return err
	case outcome == store.Reused: // RFC 9700, Section 4.14.2
		q.event.Reused = true
		return gone("refresh.reused", "the refresh token was used before: its grant was revoked, with all that came of it")
	case outcome == store.Foreign:
		return goneForeign()
	case outcome == store.Gone:
		return goneEnded()
	}
	a, err := q.renew(&g, cnf)
	if err != nil {
		return err
	}
	return q.grant(a, q.secrets.refreshToken(g.ID, g.Seq))
}

// renew returns what of a grant the request asks for: never more than was granted, or than the client and the issuer may have by now.
func (q *request) renew(g *store.Grant, cnf *pop.Confirmation) (*access, error) {
	var f family
	if err := json.Unmarshal(g.Body, &f); err != nil {
		return nil, err
	}
	a := &access{client: q.client, clientID: q.client.ID, subject: g.Subject, cnf: cnf, act: f.Actor, family: g.ID, until: g.Until}
	scope := f.Scope.Intersect(q.client.scope)
	var resources []*resource
	for _, id := range f.Resources {
		if r := q.resource(id); r != nil {
			resources = append(resources, r)
		}
	}
	resources = common(resources, q.client.resources)
	if f.Issuer != "" {
		i, err := q.Server.issuer(q.ctx, f.Issuer)
		if isNotFound(err) {
			return nil, invalid(oauth.InvalidGrant, "who has granted the access is no longer trusted", nil)
		}
		if err != nil {
			return nil, err
		}
		scope = scope.Intersect(i.scope)
		resources = common(resources, i.resources)
	}
	q.event.Issuer = f.Issuer
	asked, err := q.scope()
	if err != nil {
		return nil, err
	}
	identifiers, err := oauth.ParseResources(q.form["resource"])
	if err != nil {
		return nil, err
	}
	if len(identifiers) == 0 && len(resources) > 1 {
		// Without a resource of its own the request gets those of the grant (RFC 8707, Section 2.2).
		for _, r := range resources {
			identifiers = append(identifiers, r.Identifier)
		}
	}
	if err := a.narrow(identifiers, asked, resources, scope); err != nil {
		return nil, err
	}
	a.details = slices.DeleteFunc(f.Details, func(d oauth.AuthorizationDetail) bool {
		return !slices.Contains(q.client.Metadata.AuthorizationDetailsTypes, d.Type)
	})
	details, err := q.details(a)
	if err != nil {
		return nil, err
	}
	if details != nil {
		if !oauth.Covered(details, a.details, nil) { // RFC 9396, Section 6.1
			return nil, invalid(oauth.InvalidAuthorizationDetails, "the authorization details exceed what was granted", nil)
		}
		a.details = details
	}
	return a, nil
}
