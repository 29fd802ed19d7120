package admin

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/store"
)

// The scopes of administrators.
const (
	Read  = "admin:read"  // looks at everything, and at no secret
	Write = "admin:write" // changes everything: who has it can make clients that have it too
)

// maxBody is the size of a body that is read, in bytes.
const maxBody = 1 << 20

// Resource is the API as one of the Resources of a server: <issuer>/admin. It is Reserved: clients have to name it.
func Resource(issuer string) server.Resource {
	return server.Resource{Identifier: strings.TrimSuffix(issuer, "/") + "/admin", Name: "admin", Scopes: oauth.Scopes{Read, Write}, Reserved: true}
}

// Keys are those that the server signs with. A *keyset.Rotation is such.
type Keys interface {
	Inspect(ctx context.Context) ([]keyset.RotationKey, error)
	Rotate(ctx context.Context) error
	Revoke(ctx context.Context, kid string) error
}

// Options are those of [New]. The zero value is good.
type Options struct {
	// Keys are rotated and revoked. Nil has nothing at their paths.
	Keys Keys
	// Observe is told of each request, those that were refused included, for logs and audit. It is called concurrently, after the answer
	// was written, and keeps nothing of e.
	Observe func(ctx context.Context, e *Event)
	// RemoteAddress is that of server.Options, for Event.Remote. Nil is the address of the connection.
	RemoteAddress func(*http.Request) netip.Addr
}

// Event is a request that was answered. It holds no token and no secret.
type Event struct {
	// Action is the operationId of the document, such as putClient; empty where the path or the method is none.
	Action string
	// Target is the name of what it was about, and Of what that is: client, issuer, grant, key, token or subject. New says that
	// it was to be made.
	Target, Of string
	New        bool

	Remote  string // the address that the request came from
	Client  string // the administrator
	Subject string // on whose behalf it acts, which may be itself
	TokenID string // jti of its token

	Status int
	// Err is what the sender was told, and its Cause what was not.
	Err  *oauth.Error
	Took time.Duration
}

// LogValue lists what is there, for package slog.
func (e *Event) LogValue() slog.Value {
	a := []slog.Attr{slog.String("endpoint", "admin"), slog.Int("status", e.Status), slog.Duration("took", e.Took)}
	for _, f := range []struct{ name, value string }{
		{"action", e.Action},
		{"of", e.Of},
		{"target", e.Target},
		{"remote", e.Remote},
		{"client", e.Client},
		{"sub", e.Subject},
		{"jti", e.TokenID},
	} {
		if f.value != "" {
			a = append(a, slog.String(f.name, f.value))
		}
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

// handler serves the API.
type handler struct {
	s        *server.Server
	keys     Keys
	observe  func(context.Context, *Event)
	remote   func(*http.Request) netip.Addr
	prefix   string // the path, with a slash at its end
	document []byte
	routes   []*route
}

// route is what a method does at a path. An asterisk stands for the name of something.
type route struct {
	method, path string
	scope        string // that it needs; empty needs no token
	action       string // operationId
	query        []string
	// serve returns what it answers with as JSON, or nil for an answer without content.
	serve func(*handler, *call) (any, error)

	guarded http.Handler
}

// call is a request to a route.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	id    string
	query map[string]string
	event *Event
	// status is that of an answer with content.
	status int
}

type contextKey struct{}

// New makes the handler of the API. s has [Resource] among its Resources, or it is server.ErrOptions. The handler is for the paths
// below <path of the issuer>/admin/v1/, and sees them whole: http.StripPrefix is not for it.
func New(s *server.Server, o Options) (http.Handler, error) {
	issuer := s.Metadata().Issuer
	resource := Resource(issuer).Identifier
	u, _ := url.Parse(resource) // which the server has taken
	h := &handler{s: s, keys: o.Keys, observe: o.Observe, remote: o.RemoteAddress, prefix: u.EscapedPath() + "/v1/", routes: routes(o.Keys != nil)}
	g, err := s.Guard(guard.Policy{Resource: resource, Refused: func(r *http.Request, e *oauth.Error) {
		if c, ok := r.Context().Value(contextKey{}).(*call); ok {
			c.event.Err, c.event.Status = e, e.HTTPStatus()
		}
	}})
	if err != nil {
		return nil, err
	}
	for _, to := range h.routes {
		if to.guarded = h.answer(to); to.scope != "" {
			to.guarded = g.Handler(to.guarded, guard.Need{Scopes: []string{to.scope}})
		}
	}
	base, _ := json.Marshal(strings.TrimSuffix(issuer, "/")) // a string always can be
	h.document = bytes.ReplaceAll(openAPI, []byte(documentIssuer), bytes.Trim(base, `"`))
	return h, nil
}

//go:embed openapi.json
var openAPI []byte

// documentIssuer is the issuer in the document, which that of the server takes the place of.
const documentIssuer = "https://as.example"

func routes(keys bool) []*route {
	page := []string{"after", "limit"}
	all := []*route{
		{method: http.MethodGet, path: "clients", scope: Read, action: "listClients", query: page, serve: (*handler).listClients},
		{method: http.MethodGet, path: "clients/*", scope: Read, action: "getClient", serve: (*handler).getClient},
		{method: http.MethodPut, path: "clients/*", scope: Write, action: "putClient", serve: (*handler).putClient},
		{method: http.MethodDelete, path: "clients/*", scope: Write, action: "deleteClient", serve: (*handler).deleteClient},
		{method: http.MethodPost, path: "clients/*/secret", scope: Write, action: "renewSecret", query: []string{"overlap"}, serve: (*handler).renewSecret},
		{method: http.MethodDelete, path: "clients/*/old-secret", scope: Write, action: "endOldSecret", serve: (*handler).endOldSecret},
		{method: http.MethodGet, path: "issuers", scope: Read, action: "listIssuers", query: page, serve: (*handler).listIssuers},
		{method: http.MethodGet, path: "issuers/*", scope: Read, action: "getIssuer", serve: (*handler).getIssuer},
		{method: http.MethodPut, path: "issuers/*", scope: Write, action: "putIssuer", serve: (*handler).putIssuer},
		{method: http.MethodDelete, path: "issuers/*", scope: Write, action: "deleteIssuer", serve: (*handler).deleteIssuer},
		{method: http.MethodGet, path: "grants", scope: Read, action: "listGrants", query: append([]string{"client_id", "subject"}, page...), serve: (*handler).listGrants},
		{method: http.MethodGet, path: "grants/*", scope: Read, action: "getGrant", serve: (*handler).getGrant},
		{method: http.MethodDelete, path: "grants/*", scope: Write, action: "revokeGrant", serve: (*handler).revokeGrant},
		{method: http.MethodPost, path: "revocations", scope: Write, action: "revoke", serve: (*handler).revoke},
		{method: http.MethodGet, path: "openapi.json", action: "getDocument", serve: (*handler).getDocument},
	}
	if keys {
		all = append(all,
			&route{method: http.MethodGet, path: "keys", scope: Read, action: "listKeys", serve: (*handler).listKeys},
			&route{method: http.MethodPost, path: "keys/rotate", scope: Write, action: "rotateKeys", serve: (*handler).rotateKeys},
			&route{method: http.MethodDelete, path: "keys/*", scope: Write, action: "revokeKey", serve: (*handler).revokeKey})
	}
	return all
}

// match returns the name of what the path is about, if the route is that of the path.
func (r *route) match(path []string) (id string, ok bool) {
	pattern := strings.Split(r.path, "/")
	if len(pattern) != len(path) {
		return "", false
	}
	for i, p := range pattern {
		name, _ := url.PathUnescape(path[i]) // of an escaped path, which can be
		switch {
		case p == path[i]:
		case p != "*" || name == "":
			return "", false
		default:
			id = name
		}
	}
	return id, true
}

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	c := &call{event: &Event{Remote: r.RemoteAddr}}
	if h.remote != nil {
		if a := h.remote(r); a.IsValid() {
			c.event.Remote = a.Unmap().String()
		}
	}
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	// The escaped path: the name of an issuer has slashes.
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), h.prefix)
	path := strings.Split(rest, "/")
	method := r.Method
	if method == http.MethodHead { // RFC 9110, Section 9.3.2; net/http leaves the content out
		method = http.MethodGet
	}
	var to *route
	var allow []string
	for _, candidate := range h.routes {
		if id, is := candidate.match(path); ok && is {
			allow = append(allow, candidate.method)
			if candidate.method == method {
				to, c.id = candidate, id
			}
		}
	}
	switch {
	case to != nil:
		c.event.Action = to.action
		if c.id != "" && len(c.id) <= store.MaxName { // nothing has a longer name
			c.event.Target, c.event.Of = c.id, strings.TrimSuffix(path[0], "s")
		}
		to.guarded.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, c)))
	case allow != nil:
		head.Set("Allow", strings.Join(allow, ", "))
		c.w = w
		c.refuse(&oauth.Error{Code: "method_not_allowed", Description: "the method is not " + strings.Join(allow, " or "), Status: http.StatusMethodNotAllowed})
	default:
		c.w = w
		c.refuse(notFound("this path"))
	}
	if h.observe != nil {
		c.event.Took = time.Since(start)
		h.observe(r.Context(), c.event)
	}
}

// answer serves a route behind the guard.
func (h *handler) answer(to *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Context().Value(contextKey{}).(*call) // which ServeHTTP has put there
		c.w, c.r, c.ctx, c.status = w, r, r.Context(), http.StatusOK
		v, err := h.try(to, c)
		if err != nil {
			c.refuse(err)
			return
		}
		c.write(v)
	})
}

func (h *handler) try(to *route, c *call) (any, error) {
	if t := guard.FromContext(c.ctx); t != nil {
		c.event.Client, c.event.Subject, c.event.TokenID = t.ClientID, t.Subject, t.ID
		if len(t.Audience) != 1 {
			// Whoever else is sent the token could administer the server with it.
			return nil, &oauth.Error{Code: oauth.InvalidToken, Description: "the token is for other APIs too: ask for one with this resource alone", Status: http.StatusForbidden}
		}
	}
	if err := c.parameters(to.query); err != nil {
		return nil, err
	}
	return to.serve(h, c)
}

// parameters reads those of the URL: the known ones, each once.
func (c *call) parameters(known []string) error {
	values, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return invalid("the query of the URL is not form-encoded", nil)
	}
	c.query = map[string]string{}
	for name, v := range values {
		switch {
		case !slices.Contains(known, name):
			return invalid(fmt.Sprintf("there is no parameter %.64s here", name), nil)
		case len(v) > 1:
			return invalid("the parameter "+name+" is there twice", nil)
		}
		c.query[name] = v[0]
	}
	return nil
}

func invalid(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description, Cause: cause}
}

func notFound(what string) error {
	return &oauth.Error{Code: "not_found", Description: "there is nothing at " + what, Status: http.StatusNotFound}
}

// refuse answers with an error.
func (c *call) refuse(err error) {
	e := refusal(err)
	c.event.Err, c.event.Status = e, e.HTTPStatus()
	if c.event.Status == http.StatusRequestEntityTooLarge {
		c.w.Header().Set("Connection", "close")
	}
	e.Write(c.w)
}

// write answers with JSON, or with nothing.
func (c *call) write(v any) {
	if v == nil {
		c.event.Status = http.StatusNoContent
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	body, _ := json.Marshal(v) // of documents that were read from JSON
	c.w.Header().Set("Content-Type", "application/json")
	c.event.Status = c.status
	c.w.WriteHeader(c.status)
	_, _ = c.w.Write(body)
}

func (h *handler) getDocument(c *call) (any, error) {
	return json.RawMessage(h.document), nil
}
