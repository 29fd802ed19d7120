// Package exchange has the two sides of token exchange (RFC 8693): a client gives an authorization server a token of
// the party on whose behalf it asks, and perhaps one of the party that will act, and gets another token for both.
// Services do so that call other services for a user, and gateways between two domains.
//
// An authorization server makes one [Verifier], with a way to verify each type of token that it takes:
//
//	v, err := exchange.NewVerifier(exchange.Policy{Issuer: "https://as.example", Subject: map[exchange.TokenType]exchange.Verify{exchange.AccessToken: exchange.From(access.Verify)}})
//	req, err := exchange.ParseRequest(r.PostForm)
//	x, err := v.Verify(ctx, req, exchange.Expect{ClientID: client})
//	rights, err := exchange.Rights{Scope: x.Subject.Scope, Audience: mayReach[client]}.Narrow(req)
//
// and issues a token for x.Subject with rights and, as its act, x.Act. What refuses the request is an *oauth.Error that
// can be sent as it is. The token is made by the package of its kind. A client writes a [Request] and reads
// the answer with its ParseResponse method.
//
// # Delegation and impersonation
//
// With an actor token the exchange is a delegation: the new token has the actor in act, before those who acted until then.
// Without, it is an impersonation: the client is not to be told from the subject, and act is that of the subject
// token, so that nobody who acted is lost. Whoever gets a token decides by its subject and the
// outermost actor alone: [Actor.Prior] is history (RFC 8693, Section 4.1).
//
// # Told apart by
//
// There is no kind of token here. A token is verified as what the request says it is, by nothing but the function for
// that type, and a type that has none is refused. An access token that is called an ID token is held to the rules of ID tokens.
//
// # Limits
//
// A request has tokens of at most 64 KiB, other parameters of at most 2 KiB, and 32 targets. A chain has at most
// [MaxActors] actors, and nobody is in it twice.
//
// # Codes
//
// act.invalid, act.depth, act.loop, may_act.missing, may_act.invalid, may_act.mismatch, response.invalid. They are
// stable. Those of act and may_act are of causes, which are private: what is sent is the code of OAuth.
package exchange

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// Token is what a subject or actor token says, as far as an exchange asks for it.
type Token struct {
	Type     TokenType // what it was verified as
	Issuer   string
	Subject  string
	ClientID string // the client that it was issued to (RFC 8693, Section 4.3)
	Audience []string
	Scope    oauth.Scopes
	Expiry   time.Time // the zero time is unknown

	Act    *Actor                     // who acts for the subject already
	MayAct map[string]json.RawMessage // who may (RFC 8693, Section 4.4); see [Token.Permits]
	// Claims are all claims, where it has such. One that has cnf is good only for who proves to have that key, in an
	// exchange as at an API: that is for the caller to see to, or the new token would not be bound.
	Claims map[string]json.RawMessage
}

// Verify verifies a token of one type. It refuses one with a *jwt.RejectError or an *oauth.Error; any other error says
// that it could not look. It is called concurrently.
type Verify func(ctx context.Context, raw string) (*Token, error)

// From makes a Verify of the method of a verifier for JWTs, such as that of package accesstoken, or one of package jwt
// for [JWT]. A chain of actors that is malformed, too long or a loop refuses the token.
func From[C any](verify func(context.Context, string) (*jwt.Token[C], error)) Verify {
	return func(ctx context.Context, raw string) (*Token, error) {
		t, err := verify(ctx, raw)
		if err != nil {
			return nil, err
		}
		out := &Token{Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, Expiry: t.Expiry}
		if err := strictjson.Unmarshal(t.Payload(), &out.Claims, strictjson.Limits{}); err != nil {
			return nil, refused("the claims of a token exceed a limit", err)
		}
		if err := out.read(); err != nil {
			return nil, refused("the claims of a token are malformed", err)
		}
		return out, nil
	}
}

// read reads what RFC 8693, Section 4, defines.
func (t *Token) read() error {
	var scope string
	for name, to := range map[string]any{"client_id": &t.ClientID, "scope": &scope, "act": &t.Act, "may_act": &t.MayAct} {
		raw := t.Claims[name]
		if raw == nil {
			continue
		}
		// The decoder takes null for no map and no pointer; a token says who may act or it does not.
		if string(raw) == "null" {
			return errNull
		}
		if err := strictjson.Unmarshal(bytes.Clone(raw), to, strictjson.Limits{}); err != nil {
			return err
		}
	}
	if scope == "" {
		return nil
	}
	var err error
	t.Scope, err = oauth.ParseScopes(scope)
	return err
}

// Policy says which exchanges a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Issuer is the authorization server's issuer identifier, in whose name space its clients are.
	Issuer string
	// Subject and Actor verify subject and actor tokens of each type. Without Actor there is no delegation.
	Subject, Actor map[TokenType]Verify
	// Permit reports whether the actor, or without one the client, may act for the subject, where the subject token
	// has no may_act that would say so. Without it such tokens are not exchanged. It is called concurrently.
	Permit func(ctx context.Context, x *Exchange) (bool, error)
}

// Expect is what is known of the client that asks. The zero Expect is refused.
type Expect struct {
	// ClientID is the client, as it has authenticated.
	ClientID string
	// NoClientID accepts a request of nobody in particular: whoever has found a token can exchange it (RFC 8693, Section
	// 2.1). Without an actor token, a may_act then permits nobody.
	NoClientID bool
}

// Exchange is a request that was verified.
type Exchange struct {
	Request  *Request
	ClientID string
	Subject  *Token
	Actor    *Token // nil: an impersonation
	Act      *Actor // of the token that is to be issued
}

// Verifier verifies the tokens of requests. It is immutable and safe for concurrent use.
type Verifier struct{ policy Policy }

// NewVerifier makes a Verifier. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(p Policy) (*Verifier, error) {
	switch {
	case p.Issuer == "":
		return nil, profile.Incomplete("name the Issuer")
	case len(p.Subject) == 0:
		return nil, profile.Incomplete("say how each type of Subject token is verified")
	}
	for _, m := range []map[TokenType]Verify{p.Subject, p.Actor} {
		for typ, verify := range m {
			if verify == nil || !typ.valid() {
				return nil, profile.Incomplete("a token type is no URI, or has nothing that verifies it")
			}
		}
	}
	p.Subject, p.Actor = maps.Clone(p.Subject), maps.Clone(p.Actor)
	return &Verifier{p}, nil
}

// Verify verifies the tokens of a request, and that the one party may act for the other. The refusal is an *oauth.Error
// with a private cause; another error says that it could not be decided.
func (v *Verifier) Verify(ctx context.Context, req *Request, e Expect) (*Exchange, error) {
	if (e.ClientID == "") == !e.NoClientID {
		return nil, profile.Incomplete("Expect has no ClientID; NoClientID is how to do without")
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	x := &Exchange{Request: req, ClientID: e.ClientID}
	var err error
	if x.Subject, err = verify(ctx, v.policy.Subject, req.SubjectTokenType, req.SubjectToken, "subject_token"); err != nil {
		return nil, err
	}
	party := &Token{Issuer: v.policy.Issuer, Subject: e.ClientID, ClientID: e.ClientID}
	if req.ActorToken != "" {
		if x.Actor, err = verify(ctx, v.policy.Actor, req.ActorTokenType, req.ActorToken, "actor_token"); err != nil {
			return nil, err
		}
		party = x.Actor
	}
	if x.Act, err = Next(x.Subject, x.Actor); err != nil {
		return nil, refused("the chain of actors ends here", err)
	}
	if err := v.permit(ctx, x, party); err != nil {
		return nil, err
	}
	return x, nil
}

// permit refuses a party that may not act for the subject: by the may_act of the subject token, or the policy.
func (v *Verifier) permit(ctx context.Context, x *Exchange, party *Token) error {
	const description = "nothing permits this party to act for the subject"
	if x.Subject.MayAct != nil || v.policy.Permit == nil {
		if err := x.Subject.Permits(party); err != nil {
			return refused(description, err)
		}
		return nil
	}
	ok, err := v.policy.Permit(ctx, x)
	if err == nil && !ok {
		err = refused(description, errMayAct)
	}
	return err
}

// refused is the error of a token that is invalid or unacceptable: always invalid_request (RFC 8693, Section 2.2.2).
func refused(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description, Cause: cause}
}

// verify verifies a token as what typ says it is, and as nothing else (RFC 8693, Section 2.1).
func verify(ctx context.Context, by map[TokenType]Verify, typ TokenType, raw, name string) (*Token, error) {
	f := by[typ]
	if f == nil {
		return nil, refused(name+"_type is none that is taken here", nil)
	}
	t, err := f(ctx, raw)
	if err != nil {
		_, token := errors.AsType[*jwt.RejectError](err)
		_, other := errors.AsType[*oauth.Error](err)
		if token || other {
			return nil, refused("the "+name+" is not accepted", err)
		}
		return nil, err
	}
	out := *t
	out.Type = typ
	return &out, nil
}

// Rights are what a token may be used for.
type Rights struct {
	Scope    oauth.Scopes
	Audience []string
	Resource []string
}

// Narrow returns what of r a request asks for, where r is all that may be issued: the scope of the subject token, as far as
// the client may have it, and the targets that it may reach. A request that names no scope gets that of r, and
// one that names no target gets all of them. What is asked for beyond r is refused, with invalid_scope or invalid_target, and names are
// compared exactly: nothing is added to the answer that r has not.
func (r Rights) Narrow(req *Request) (Rights, error) {
	if len(req.Scope) > 0 {
		if !within(req.Scope, r.Scope) {
			return Rights{}, &oauth.Error{Code: oauth.InvalidScope, Description: "the scope exceeds what the subject token can be exchanged for"}
		}
		r.Scope = req.Scope
	}
	if len(req.Audience)+len(req.Resource) > 0 {
		// RFC 8693, Section 2.2.2; RFC 8707, Section 2.
		if !within(req.Audience, r.Audience) || !within(req.Resource, r.Resource) {
			return Rights{}, &oauth.Error{Code: oauth.InvalidTarget, Description: "no token is issued for one of the targets"}
		}
		r.Audience, r.Resource = req.Audience, req.Resource
	}
	return r, nil
}

func within(asked, all []string) bool {
	return !slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(all, s) })
}

var (
	errActor    = fault.New("act.invalid", "RFC 8693, Section 4.1", "the chain of actors is not accepted")
	errDepth    = errActor.Wrap(fault.New("act.depth", "RFC 8693, Section 4.1", "it is too long"))
	errLoop     = errActor.Wrap(fault.New("act.loop", "RFC 8693, Section 4.1", "someone is in it twice"))
	errMayAct   = fault.New("may_act.mismatch", "RFC 8693, Section 4.4", "the party may not act for the subject")
	errNone     = errMayAct.Wrap(fault.New("may_act.missing", "RFC 8693, Section 4.4", "the subject token does not say who may"))
	errStrange  = errMayAct.Wrap(fault.New("may_act.invalid", "RFC 8693, Section 4.4", "the subject token does not say clearly who may"))
	errNull     = fault.New("json.type", "RFC 8693, Section 4", "a claim is null")
	errResponse = fault.New("response.invalid", "RFC 8693, Section 2.2.1", "the response is not that of a token exchange")
)

// The refusals beside those of package oauth, for errors.Is.
var (
	ErrActor    error = errActor    // act.invalid, act.depth, act.loop
	ErrMayAct   error = errMayAct   // may_act.missing, may_act.invalid, may_act.mismatch
	ErrResponse error = errResponse // response.invalid
)
