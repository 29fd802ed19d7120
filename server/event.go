package server

import (
	"log/slog"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/oauth"
)

// Event is a request that was answered. It holds no token and no secret, nor anything that an unverified token says.
type Event struct {
	Endpoint string // token, introspection, revocation, registration
	Remote   string // the address that the request came from
	Client   string // that has authenticated, or "" where none has
	Method   string // by which it has
	Grant    string // grant_type, one of those that are known
	Issuer   string // of the JWT that was the grant, once it is verified

	// Of the token that was issued, or asked about.
	TokenID  string // jti, which a revocation names too
	Family   string // the grant that refresh tokens stand for
	Subject  string
	Scope    string
	Audience []string
	Bound    string // "" for bearer tokens, "dpop", "mtls"

	// Reused says that a refresh token came a second time: someone has stolen it, and its family was revoked.
	Reused bool

	Status int
	// Err is what the client was told. Its Cause, with the stable codes of what was refused, is for the operator alone.
	Err  *oauth.Error
	Took time.Duration
}

// LogValue lists what is there, for package slog.
func (e *Event) LogValue() slog.Value {
	a := []slog.Attr{slog.String("endpoint", e.Endpoint), slog.Int("status", e.Status), slog.Duration("took", e.Took)}
	for _, f := range []struct{ name, value string }{
		{"remote", e.Remote},
		{"client", e.Client},
		{"method", e.Method},
		{"grant", e.Grant},
		{"issuer", e.Issuer},
		{"jti", e.TokenID},
		{"family", e.Family},
		{"sub", e.Subject},
		{"scope", e.Scope},
		{"bound", e.Bound},
	} {
		if f.value != "" {
			a = append(a, slog.String(f.name, f.value))
		}
	}
	if len(e.Audience) > 0 {
		a = append(a, slog.Any("aud", e.Audience))
	}
	if e.Reused {
		a = append(a, slog.Bool("reused", true))
	}
	if e.Err != nil {
		a = append(a, slog.String("error", e.Err.Code), slog.String("description", e.Err.Description))
		if c := fault.CodeOf(e.Err.Cause); c != "" {
			a = append(a, slog.String("code", c))
		}
		if e.Err.Cause != nil {
			a = append(a, slog.String("cause", e.Err.Cause.Error()))
		}
	}
	return slog.GroupValue(a...)
}
