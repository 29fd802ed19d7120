package guard

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/introspection"
)

// Token is the access token of a request that was let through.
type Token struct {
	Issuer   string
	Subject  string // the user, or the client itself; in the name space of Issuer
	ClientID string
	Audience []string
	Scope    string // names with spaces between them; see HasScope
	ID       string // jti
	Expiry   time.Time
	IssuedAt time.Time
	AuthTime time.Time // when the user logged in
	ACR      string    // how well

	// AuthorizationDetails is what the token allows beside scopes (RFC 9396), an array of objects: oauth has its type.
	AuthorizationDetails json.RawMessage
	// Confirmation says whose the token is. The guard has seen that it is the sender's. Nil for a bearer token.
	Confirmation *pop.Confirmation

	// JWT is the verified token with its other claims, where the token is a JWT; Introspection is what the authorization server says of it,
	// where that was asked.
	JWT           *jwt.Token[accesstoken.Claims]
	Introspection *introspection.Response
}

// HasScope reports whether the token has all scopes of names.
func (t *Token) HasScope(names ...string) bool {
	for _, name := range names {
		if !hasScope(t.Scope, name) {
			return false
		}
	}
	return true
}

func hasScope(scope, name string) bool {
	for s := range strings.SplitSeq(scope, " ") {
		if s == name && name != "" {
			return true
		}
	}
	return false
}

func ofJWT(t *jwt.Token[accesstoken.Claims]) *Token {
	c := &t.Claims
	return &Token{
		Issuer: t.Issuer, Subject: t.Subject, ClientID: c.ClientID, Audience: t.Audience, Scope: c.Scope, ID: t.ID,
		Expiry: t.Expiry, IssuedAt: t.IssuedAt, AuthTime: c.AuthTime, ACR: c.ACR,
		AuthorizationDetails: c.AuthorizationDetails, Confirmation: c.Confirmation, JWT: t,
	}
}

type contextKey struct{}

// FromContext returns the token of the request that a handler behind [Guard.Handler] serves; nil elsewhere.
func FromContext(ctx context.Context) *Token {
	t, _ := ctx.Value(contextKey{}).(*Token)
	return t
}
