package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
)

// administered adds the API of administrators to those that tokens are for, if there is one.
func (f *settings) administered(o *server.Options) {
	if f.file.Admin.is {
		o.Resources = append(slices.Clip(o.Resources), admin.Resource(o.Issuer))
	}
}

// withAdministration puts the API of administrators before next, if there is one.
func (p *process) withAdministration(f *settings, s *service, next http.Handler) (http.Handler, error) {
	if !f.file.Admin.is {
		return next, nil
	}
	h, err := admin.New(s.Server, admin.Options{Keys: s.keys, RemoteAddress: f.options.RemoteAddress, Observe: p.administered})
	if err != nil {
		return nil, serverFailure(err)
	}
	u, _ := url.Parse(s.Metadata().Issuer) // which the server has taken
	prefix := strings.TrimSuffix(u.Path, "/") + "/admin/v1/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, prefix) {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}

// administered tells all who look of a request to the API of administrators.
func (p *process) administered(ctx context.Context, e *admin.Event) {
	level := slog.LevelInfo
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	p.log.LogAttrs(ctx, level, "request", slog.Attr{Value: e.LogValue()})
	p.trail.administered(e)
	p.metrics.observe(&server.Event{Endpoint: "admin", Status: e.Status, Err: e.Err, Took: e.Took})
}

// administered writes what an administrator has changed, or was refused.
func (t *trail) administered(e *admin.Event) {
	if t == nil {
		return
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusTooManyRequests {
		e = &admin.Event{Remote: e.Remote, Status: e.Status, Err: e.Err} // what anybody could have asked for is of no account
	}
	l := auditLine{Event: administeredEvent(e), Outcome: auditSuccess, By: "anonymous", Target: e.Target, Remote: e.Remote, TokenID: e.TokenID}
	if l.Event == "" {
		return
	}
	switch e.Action {
	case "renewSecret":
		l.Detail = detailSecret
	case "endOldSecret":
		l.Detail = detailOldSecret
	}
	if e.Client != "" {
		l.By = "admin:" + e.Client
		if e.Subject != e.Client {
			l.Subject = e.Subject
		}
	}
	if e.Err != nil {
		l.Outcome, l.Error, l.Code = auditRefused, e.Err.Code, codeOf(e.Err.Cause)
		if e.Status >= http.StatusInternalServerError {
			l.Outcome = auditFailure
		}
	}
	t.write(&l)
}

// administeredEvent is the name of what has happened, or "" for what only looks.
func administeredEvent(e *admin.Event) string {
	switch e.Action {
	case "putClient":
		if e.New {
			return auditClientAdd
		}
		return auditClientChange
	case "renewSecret", "endOldSecret":
		return auditClientChange
	case "deleteClient":
		return auditClientRemove
	case "putIssuer":
		if e.New {
			return auditIssuerAdd
		}
		return auditIssuerChange
	case "deleteIssuer":
		return auditIssuerRemove
	case "revokeGrant":
		return auditGrantRevoke
	case "revoke":
		if e.Of == "token" {
			return auditRevoke
		}
		return auditGrantRevoke
	case "rotateKeys":
		return auditKeyRotate
	case "revokeKey":
		return auditKeyRevoke
	}
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return auditAuthenticate
	}
	return ""
}
