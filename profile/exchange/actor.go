package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/jotsuite/jot/internal/strictjson"
)

// MaxActors is the longest chain of actors.
const MaxActors = 8

// maxMembers is how many claims may identify one party.
const maxMembers = 16

// Actor is the claim act: who acts for the subject of a token (RFC 8693, Section 4.1). A resource server
// reads it with t.Claim("act", &actor).
type Actor struct {
	Issuer   string                     // iss: in whose name space Subject is
	Subject  string                     // sub
	ClientID string                     // client_id, of an actor that is known by it
	Other    map[string]json.RawMessage // claims that tell more of the actor
	// Prior is who acted before. It informs and decides nothing: access is a matter of the subject and of the
	// outermost actor.
	Prior *Actor
}

// Check refuses a chain that is longer than [MaxActors], in which someone is twice, or in which someone has neither
// Subject nor ClientID. The error is ErrActor. A chain that was read has been checked.
func (a *Actor) Check() error {
	var seen []Actor
	for ; a != nil; a = a.Prior {
		id := Actor{Issuer: a.Issuer, Subject: a.Subject, ClientID: a.ClientID}
		switch {
		case len(seen) == MaxActors:
			return errDepth
		case a.Subject == "" && a.ClientID == "", len(a.Other) > maxMembers:
			return errActor
		case slices.ContainsFunc(seen, func(s Actor) bool { return reflect.DeepEqual(s, id) }):
			return errLoop
		}
		seen = append(seen, id)
	}
	return nil
}

// UnmarshalJSON reads a chain and refuses what Check refuses.
func (a *Actor) UnmarshalJSON(data []byte) error {
	data = bytes.Clone(data)
	*a = Actor{}
	for at := a; ; at = at.Prior { // the reader limits the depth
		prior, err := at.read(data)
		if err != nil {
			return err
		}
		if prior == nil {
			return a.Check()
		}
		at.Prior, data = new(Actor), prior
	}
}

// read reads one actor and returns the one before as it is written.
func (a *Actor) read(data []byte) (prior []byte, err error) {
	err = strictjson.Object(data, strictjson.Limits{}, func(name string, raw []byte) error {
		switch name {
		case "iss":
			return strictjson.Unmarshal(raw, &a.Issuer, strictjson.Limits{})
		case "sub":
			return strictjson.Unmarshal(raw, &a.Subject, strictjson.Limits{})
		case "client_id":
			return strictjson.Unmarshal(raw, &a.ClientID, strictjson.Limits{})
		case "act":
			prior = raw
		default:
			if a.Other == nil {
				a.Other = map[string]json.RawMessage{}
			}
			a.Other[name] = raw
		}
		return nil
	})
	if err != nil {
		return nil, errActor.Wrap(err)
	}
	return prior, nil
}

// MarshalJSON writes a chain. It refuses what Check refuses, and leaves out of Other what has a field of its own or says
// nothing of who the actor is (RFC 8693, Section 4.1): exp, nbf, aud and others.
func (a *Actor) MarshalJSON() ([]byte, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(a.members())
}

func (a *Actor) members() map[string]any {
	m := map[string]any{}
	for name, raw := range a.Other {
		if !slices.Contains(notIdentity, name) {
			m[name] = raw
		}
	}
	for name, value := range map[string]string{"iss": a.Issuer, "sub": a.Subject, "client_id": a.ClientID} {
		if delete(m, name); value != "" {
			m[name] = value
		}
	}
	if delete(m, "act"); a.Prior != nil {
		m["act"] = a.Prior.members()
	}
	return m
}

// notIdentity are claims that say nothing of who a party is.
var notIdentity = []string{"aud", "exp", "iat", "jti", "nbf", "may_act"}

// Next returns the act of a token that is issued in exchange for subject: with an actor, that actor before those who
// acted until then; without one, which is impersonation, those alone. It refuses an actor who acts for someone itself, and what Check
// refuses. The error is ErrActor.
func Next(subject, actor *Token) (*Actor, error) {
	next := subject.Act
	if actor != nil {
		if actor.Act != nil {
			return nil, errActor.With("the actor token has an actor of its own")
		}
		next = &Actor{Issuer: actor.Issuer, Subject: actor.Subject, Prior: subject.Act}
		if actor.Subject == "" {
			next.ClientID = actor.ClientID
		}
	}
	if err := next.Check(); err != nil {
		return nil, err
	}
	return next, nil
}

// Permits refuses a party that the token's may_act does not name: each claim in it must be one of the party's, with the same
// value (RFC 8693, Section 4.4). A sub without an iss is one of the token's own issuer. A may_act that names nobody, by
// neither sub nor client_id, permits nobody. The error is ErrMayAct.
func (t *Token) Permits(party *Token) error {
	may := t.MayAct
	switch {
	case may == nil:
		return errNone
	case may["sub"] == nil && may["client_id"] == nil, len(may) > maxMembers,
		slices.ContainsFunc(notIdentity, func(name string) bool { return may[name] != nil }):
		return errStrange
	case may["sub"] != nil && may["iss"] == nil && party.Issuer != t.Issuer:
		return errMayAct
	}
	claims := maps.Clone(party.Claims)
	if claims == nil {
		claims = map[string]json.RawMessage{}
	}
	for name, value := range map[string]string{"iss": party.Issuer, "sub": party.Subject, "client_id": party.ClientID} {
		if delete(claims, name); value != "" {
			claims[name], _ = json.Marshal(value)
		}
	}
	for name, want := range may {
		if !same(claims[name], want) {
			return errMayAct
		}
	}
	return nil
}

// same reports whether two JSON values are the same, however they are written.
func same(a, b json.RawMessage) bool {
	var x, y any
	err := errors.Join(
		strictjson.Unmarshal(bytes.Clone(a), &x, strictjson.Limits{}), // which is nil where there is no such claim
		strictjson.Unmarshal(bytes.Clone(b), &y, strictjson.Limits{}))
	return err == nil && reflect.DeepEqual(x, y)
}
