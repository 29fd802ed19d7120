package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
)

// Event is a request that was answered. It holds no token and no secret, nor anything that an unverified token says.
type Event struct {
	// Endpoint is token, introspection, revocation, registration, challenge, jwks, metadata, healthz or readyz, or "" where there is none.
	Endpoint string
	// Action is what a registration was to do: create, read, update, delete.
	Action string
	Remote string // the address that the request came from
	Client string // that has authenticated, or "" where none has
	// Attempted is the client that the request has named and not authenticated as. There is such a client; whether the request
	// is its own nobody knows.
	Attempted string
	Method    string // by which Client has authenticated
	// OldSecret says that it was by the secret before its last, which ends at Client.OldSecretExpires.
	OldSecret bool
	Grant     string // grant_type, one of those that are known
	Issuer    string // of the JWT that was the grant, once it is verified

	// AttemptedIssuer is the trusted issuer that the JWT names which is no good as a grant. Whether it has made it nobody knows.
	AttemptedIssuer string

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
		{"action", e.Action},
		{"remote", e.Remote},
		{"client", e.Client},
		{"attempted", e.Attempted},
		{"method", e.Method},
		{"grant", e.Grant},
		{"issuer", e.Issuer},
		{"attempted_issuer", e.AttemptedIssuer},
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
	if e.OldSecret {
		a = append(a, slog.Bool("old_secret", true))
	}
	if e.Reused {
		a = append(a, slog.Bool("reused", true))
	}
	if e.Err != nil {
		a = append(a, slog.String("error", e.Err.Code), slog.String("description", e.Err.Description))
		a = append(a, slog.String("code", cmp.Or(fault.CodeOf(e.Err.Cause), e.Err.Code)))
		if e.Err.Cause != nil {
			a = append(a, slog.String("cause", e.Err.Cause.Error()))
		}
	}
	return slog.GroupValue(a...)
}

// observe tells Observe of a request that has got no further.
func (s *Server) observe(r *http.Request, e *Event) {
	if s.o.Observe != nil {
		e.Remote = r.RemoteAddr
		s.o.Observe(r.Context(), e)
	}
}

// plain serves an endpoint that is none of OAuth. What it fails with is the cause if the answer is an error.
func (s *Server) plain(name string, methods []string, cors bool, serve func(http.ResponseWriter, *http.Request) error) *endpoint {
	return &endpoint{name, methods, cors, func(w http.ResponseWriter, r *http.Request) {
		if s.o.Observe == nil {
			_ = serve(w, r)
			return
		}
		start, kept := time.Now(), &statusWriter{w, http.StatusOK}
		err := serve(kept, r)
		e := &Event{Endpoint: name, Status: kept.status, Took: time.Since(start)}
		if e.Status >= http.StatusInternalServerError {
			e.Err = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "something that the server needs does not answer", Status: e.Status, Cause: err}
		}
		s.observe(r, e)
	}}
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for [http.ResponseController].
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func untraced(error) {}

// trace begins what is called what, and returns the context for it, and what ends it.
func (s *Server) trace(ctx context.Context, what string) (context.Context, func(error)) {
	if s.o.Trace == nil {
		return ctx, untraced
	}
	return s.o.Trace(ctx, what)
}

// tracedKeys are keys that may have to be fetched.
type tracedKeys struct {
	jwk.Source
	s *Server
}

// Keys implements [jwk.Source].
func (t tracedKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	ctx, end := t.s.trace(ctx, "keys")
	keys, err := t.Source.Keys(ctx, q)
	end(err)
	return keys, err
}

// fetched has looks into a source of keys traced, if anything is.
func (s *Server) fetched(keys jwk.Source) jwk.Source {
	if s.o.Trace == nil {
		return keys
	}
	return tracedKeys{keys, s}
}
