package server

import (
	"errors"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server/store"
)

var errUntrusted = fault.New("issuer.untrusted", "RFC 7523, Section 3", "server: there is no trusted issuer of that name")

// jwtBearer is access that a trusted issuer grants with a JWT (RFC 7523, Section 2.1).
func (q *request) jwtBearer() error {
	bitbucket := q.event.Grant == grant.BitbucketGrantType
	// RFC 7521, Section 4.1: the client need not authenticate. One that names itself does. The header is the grant's for Bitbucket.
	if !bitbucket && q.named() {
		if err := q.authorized(); err != nil {
			return err
		}
	}
	cnf, key, err := q.bind()
	if err != nil {
		return err
	}
	var req *grant.Request
	if bitbucket {
		req, err = grant.ParseLegacyBitbucketRequest(q.r.Header, q.form)
	} else {
		req, err = grant.ParseRequest(q.form)
	}
	if err != nil {
		return err
	}
	i, err := q.trusted(req.Assertion)
	if err != nil {
		return err
	}
	untrusted := errUntrusted
	if i != nil {
		q.event.AttemptedIssuer = i.Issuer
		untrusted = errUntrusted.With("its grants have the other grant_type")
	}
	if i == nil || i.LegacyBitbucket != bitbucket {
		return invalid(oauth.InvalidGrant, "the issuer of the assertion is not trusted, or not for this grant_type", untrusted)
	}
	if len(i.Clients) > 0 && (q.client == nil || !slices.Contains(i.Clients, q.client.ID)) {
		return invalid(oauth.UnauthorizedClient, "the client may not present grants of this issuer", nil)
	}
	ctx, end := q.trace(q.ctx, "verify")
	t, err := i.verifier.Verify(ctx, req.Assertion)
	end(err)
	if err != nil {
		return q.refused(oauth.InvalidGrant, "the assertion", err) // RFC 7523, Section 3.1
	}
	q.event.Issuer, q.event.AttemptedIssuer = i.Issuer, ""
	a := &access{client: q.client, clientID: i.Issuer, subject: i.SubjectPrefix + t.Subject, cnf: cnf}
	if !store.ValidName(a.subject) {
		return invalid(oauth.InvalidGrant, "the subject of the assertion is too long", nil)
	}
	scope, resources := i.scope, i.resources
	if q.client != nil {
		a.clientID = q.client.ID
		resources = common(resources, q.client.resources)
		scope = scope.Intersect(q.client.scope)
	}
	if i.LegacyScope && t.Claims.Scope != "" && !q.form.Has("scope") {
		q.form.Set("scope", t.Claims.Scope)
	}
	if err := q.ask(a, resources, scope); err != nil {
		return err
	}
	refresh := ""
	if i.Refresh && q.client != nil && q.client.may(grantRefresh) {
		if refresh, err = q.start(a, key, i.Issuer); err != nil {
			return err
		}
	}
	return q.grant(a, refresh)
}

// trusted returns the issuer of a JWT, or nil where it is not trusted.
func (q *request) trusted(raw string) (*issuer, error) {
	i, err := q.issuer(q.ctx, claimed(raw, "iss"))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return i, err
}

// common returns those of a that are in b too.
func common(a, b []*resource) []*resource {
	return slices.DeleteFunc(slices.Clone(a), func(r *resource) bool { return !slices.Contains(b, r) })
}
