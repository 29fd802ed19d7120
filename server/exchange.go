package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/server/store"
)

// newExchanger makes what verifies token exchanges: of the server's own access tokens, of what trusted issuers make, and of what Options
// know beside.
func (s *Server) newExchanger() (err error) {
	types := maps.Clone(s.o.ExchangeTokens)
	if types == nil {
		types = map[exchange.TokenType]exchange.Verify{}
	}
	types[exchange.AccessToken] = s.accessToken
	if types[exchange.JWT] == nil {
		types[exchange.JWT] = s.issuersToken
	}
	if types[exchange.IDToken] == nil {
		types[exchange.IDToken] = func(ctx context.Context, raw string) (*exchange.Token, error) {
			return s.foreign(ctx, exchange.IDToken, raw)
		}
	}
	s.exchanger, err = exchange.NewVerifier(exchange.Policy{Issuer: s.o.Issuer, Subject: types, Actor: types, Permit: s.permit})
	return err
}

// exchange is access in exchange for another token (RFC 8693).
func (q *request) exchange() error {
	if err := q.authorized(); err != nil {
		return err
	}
	cnf, _, err := q.bind()
	if err != nil {
		return err
	}
	req, err := exchange.ParseRequest(q.form)
	if err != nil {
		return err
	}
	if t := req.RequestedTokenType; t != "" && t != exchange.AccessToken && t != exchange.JWT {
		return invalid(oauth.InvalidRequest, "no token of the requested_token_type is issued", nil)
	}
	ctx, end := q.trace(q.ctx, "verify")
	x, err := q.exchanger.Verify(ctx, req, exchange.Expect{ClientID: q.client.ID})
	end(err)
	if err != nil {
		return err
	}
	for _, t := range []*exchange.Token{x.Subject, x.Actor} {
		if t == nil {
			continue
		}
		if err := q.entitled(t); err != nil {
			return err
		}
		if err := q.possessed(t, cnf); err != nil {
			return err
		}
	}
	a := &access{client: q.client, clientID: q.client.ID, subject: x.Subject.Subject, cnf: cnf, until: x.Subject.Expiry}
	if !store.ValidName(a.subject) {
		return invalid(oauth.InvalidRequest, "the subject_token has no subject, or one that is too long", nil)
	}
	if x.Act != nil {
		a.act = must(json.Marshal(x.Act))
	}
	rights, resources, err := q.rights(x)
	if err != nil {
		return err
	}
	narrowed, err := rights.Narrow(req)
	if err != nil {
		return err
	}
	var targets []string
	if len(req.Resource)+len(req.Audience) > 0 {
		targets = identifiers(resources, narrowed)
	}
	if err := a.narrow(targets, req.Scope, resources, rights.Scope); err != nil {
		return err
	}
	issued := exchange.AccessToken
	if req.RequestedTokenType == exchange.JWT {
		if q.client.Opaque || slices.ContainsFunc(a.resources, func(r *resource) bool { return r.Opaque }) {
			return invalid(oauth.InvalidRequest, "the access token is no JWT", nil)
		}
		issued = exchange.JWT
	}
	return q.answer(a, "", issued)
}

// issuerOf returns the trusted issuer of a token, or nil where it is the server's own, or of an issuer that Options know.
func (s *Server) issuerOf(ctx context.Context, t *exchange.Token) (*issuer, error) {
	if t.Issuer == s.o.Issuer {
		return nil, nil
	}
	i, err := s.issuer(ctx, t.Issuer)
	if isNotFound(err) {
		return nil, nil
	}
	return i, err
}

// rights are all that may be issued for an exchange, and for which resources: what the subject token allows, as far as the client may have
// it. The token of a trusted issuer allows what that may grant, whatever it says, and all of it if it says nothing.
func (q *request) rights(x *exchange.Exchange) (exchange.Rights, []*resource, error) {
	r, resources := exchange.Rights{Scope: x.Subject.Scope.Intersect(q.client.scope)}, q.client.resources
	i, err := q.issuerOf(q.ctx, x.Subject)
	switch {
	case err != nil:
		return r, nil, err
	case i != nil:
		if r.Scope = i.scope.Intersect(q.client.scope); x.Subject.Scope != nil {
			r.Scope = r.Scope.Intersect(x.Subject.Scope)
		}
		resources = common(i.resources, resources)
	}
	for _, res := range resources {
		r.Resource = append(r.Resource, res.Identifier)
		r.Audience = append(r.Audience, res.Identifier)
		if res.Name != "" {
			r.Audience = append(r.Audience, res.Name)
		}
	}
	return r, resources, nil
}

// identifiers are those of the resources that an exchange names in either way.
func identifiers(resources []*resource, r exchange.Rights) []string {
	var out []string
	for _, res := range resources {
		if slices.Contains(r.Resource, res.Identifier) || slices.Contains(r.Audience, res.Identifier) || res.Name != "" && slices.Contains(r.Audience, res.Name) {
			out = append(out, res.Identifier)
		}
	}
	return out
}

// entitled refuses a token of an issuer whose tokens are for other clients to present.
func (q *request) entitled(t *exchange.Token) error {
	i, err := q.issuerOf(q.ctx, t)
	if err != nil {
		return err
	}
	if i != nil && len(i.Clients) > 0 && !slices.Contains(i.Clients, q.client.ID) {
		return invalid(oauth.InvalidRequest, "the client may not present tokens of that issuer", nil)
	}
	return nil
}

// possessed refuses a token that is bound to a key which the sender has not shown to have: in an exchange as at an API.
func (q *request) possessed(t *exchange.Token, cnf *pop.Confirmation) error {
	if t.Claims["cnf"] == nil {
		return nil
	}
	var c pop.Confirmation
	if err := strictjson.Unmarshal(bytes.Clone(t.Claims["cnf"]), &c, strictjson.Limits{}); err != nil {
		return invalid(oauth.InvalidRequest, "the confirmation of a token cannot be read", err)
	}
	ok := c.Thumbprint != "" || c.X5TS256 != ""
	if c.Thumbprint != "" {
		ok = cnf != nil && cnf.Thumbprint == c.Thumbprint
	}
	if c.X5TS256 != "" {
		certificate, err := q.certificate()
		if err != nil {
			return err
		}
		ok = ok && certificate != nil && thumbprint(certificate) == c.X5TS256
	}
	if !ok {
		return invalid(oauth.InvalidRequest, "a token is bound to a key that the request does not prove to have", nil)
	}
	return nil
}

// permit decides on subject tokens without may_act, where no hook does: the client has to be allowed it, has to be the actor, and
// has to have come by the token as it should: it was issued to it or for it.
func (s *Server) permit(ctx context.Context, x *exchange.Exchange) (bool, error) {
	if s.o.PermitExchange != nil {
		return s.o.PermitExchange(ctx, x)
	}
	c, err := s.client(ctx, x.ClientID)
	if err != nil {
		return false, err
	}
	i, err := s.issuerOf(ctx, x.Subject)
	switch {
	case err != nil:
		return false, err
	case x.Actor == nil && !c.Impersonation:
		return false, unpermitted("exchange.impersonation", "the client may not impersonate the subjects of tokens that do not say who may act for them")
	case x.Actor != nil && !c.Delegation:
		return false, unpermitted("exchange.delegation", "the client may not act for the subjects of tokens that do not say who may")
	case x.Actor != nil && x.Actor.ClientID != c.ID:
		return false, unpermitted("exchange.actor", "the actor_token was issued to another client")
	case i == nil && x.Subject.Type != exchange.JWT && x.Subject.ClientID != c.ID &&
		(c.ResourceServer == "" || !slices.Contains(x.Subject.Audience, c.ResourceServer)):
		return false, unpermitted("exchange.foreign", "the subject_token was issued neither to the client nor for the API that it is")
	}
	return true, nil
}

// unpermitted is the answer of package exchange, with the cause for the operator.
func unpermitted(code, cause string) error {
	return invalid(oauth.InvalidRequest, "nothing permits this party to act for the subject", fault.New(code, "RFC 8693, Section 4.4", "server: "+cause))
}

// accessToken verifies an access token: of this server, or of a trusted issuer.
func (s *Server) accessToken(ctx context.Context, raw string) (*exchange.Token, error) {
	if isJWT(raw) && claimed(raw, "iss") != s.o.Issuer {
		return s.foreign(ctx, exchange.AccessToken, raw)
	}
	return s.ownToken(ctx, raw)
}

// foreign verifies a token that a trusted issuer has made for others.
func (s *Server) foreign(ctx context.Context, of exchange.TokenType, raw string) (*exchange.Token, error) {
	i, err := s.issuer(ctx, claimed(raw, "iss"))
	if err != nil && !isNotFound(err) {
		return nil, err
	}
	if i == nil || len(i.exchanged[of]) == 0 {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "no tokens of that type are taken of its issuer"}
	}
	var t *exchange.Token
	for _, verify := range i.exchanged[of] { // one for each audience
		if t, err = verify(ctx, raw); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	if !matches(i.Subjects, t.Subject) {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the issuer may not speak for the subject of the token"}
	}
	t.Subject = i.SubjectPrefix + strings.Clone(t.Subject)
	return t, nil
}

// ownToken verifies an access token of this server.
func (s *Server) ownToken(ctx context.Context, raw string) (*exchange.Token, error) {
	now := s.o.Clock()
	b, err := s.inspect(ctx, now, raw)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the token is not valid, or no longer"}
	}
	t := &exchange.Token{Issuer: b.Issuer, Subject: b.Subject, ClientID: b.ClientID, Audience: b.Audience, Expiry: b.Expiry, Claims: maps.Clone(b.Extra)}
	if t.Claims == nil {
		t.Claims = map[string]json.RawMessage{}
	}
	if b.Confirmation != nil {
		t.Claims["cnf"] = must(json.Marshal(b.Confirmation))
	}
	for name, to := range map[string]struct {
		raw json.RawMessage
		to  any
	}{"act": {b.Actor, &t.Act}, "may_act": {b.MayAct, &t.MayAct}} {
		if to.raw == nil {
			continue
		}
		t.Claims[name] = to.raw
		if err := strictjson.Unmarshal(bytes.Clone(to.raw), to.to, strictjson.Limits{}); err != nil {
			return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the actors of the token cannot be read", Cause: err}
		}
	}
	if b.Scope != "" {
		t.Scope, err = oauth.ParseScopes(b.Scope)
	}
	return t, err
}

// issuersToken verifies a JWT of a trusted issuer, as a grant: it is good once, and its subject is told from those of others.
func (s *Server) issuersToken(ctx context.Context, raw string) (*exchange.Token, error) {
	i, err := s.issuer(ctx, claimed(raw, "iss"))
	if errors.Is(err, store.ErrNotFound) || err == nil && i.LegacyBitbucket {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the issuer of the token is not trusted"}
	}
	if err != nil {
		return nil, err
	}
	t, err := exchange.From(i.verifier.Verify)(ctx, raw)
	if err != nil {
		return nil, err
	}
	t.Subject = i.SubjectPrefix + strings.Clone(t.Subject)
	return t, nil
}
