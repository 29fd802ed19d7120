package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

// What happens to be audited. docs/audit.md says what each means; a name stays what it is, since others search for it.
const (
	auditIssue        = "token.issue"
	auditRevoke       = "token.revoke"
	auditAuthenticate = "client.authenticate"
	auditReuse        = "refresh.reuse"
	auditIntrospect   = "token.introspect"

	auditClientAdd    = "client.add"
	auditClientChange = "client.change"
	auditClientRemove = "client.remove"
	auditIssuerAdd    = "issuer.add"
	auditIssuerChange = "issuer.change"
	auditIssuerRemove = "issuer.remove"
	auditKeyRotate    = "key.rotate"
	auditKeyRevoke    = "key.revoke"
	auditGrantRevoke  = "grant.revoke"
	auditInitialToken = "registration.token"

	auditStart  = "server.start"
	auditStop   = "server.stop"
	auditReload = "config.reload"
)

// How it went: done, not allowed, or not possible.
const (
	auditSuccess = "success"
	auditRefused = "refused"
	auditFailure = "failure"
)

// auditLine is a line of the audit trail. Nothing in it is a token or a secret, nor anything that an unverified token says.
type auditLine struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"`
	Outcome string    `json:"outcome"`
	// By is who has done it: client:ID, issuer:NAME for a grant that no client has presented, cli:USER, admin:NAME, server, or
	// anonymous.
	By     string `json:"by"`
	Target string `json:"target,omitempty"` // what was administered: a client_id, an issuer, a kid, a family
	Error  string `json:"error,omitempty"`  // of OAuth, as the client was told
	Code   string `json:"code,omitempty"`   // the stable code of the cause

	Remote string `json:"remote,omitempty"`
	Client string `json:"client,omitempty"`
	// Attempted is a client that someone has named and not authenticated as.
	Attempted string `json:"attempted,omitempty"`
	Method    string `json:"method,omitempty"`
	Grant     string `json:"grant,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	// AttemptedIssuer is a trusted issuer that a JWT names which is refused.
	AttemptedIssuer string `json:"attempted_issuer,omitempty"`

	Subject  string   `json:"sub,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	Audience []string `json:"aud,omitempty"`
	TokenID  string   `json:"jti,omitempty"`
	Family   string   `json:"family,omitempty"`
	Bound    string   `json:"bound,omitempty"`
	Detail   string   `json:"detail,omitempty"` // such as the version that was started
}

// trail writes the audit trail. A nil one writes nothing.
type trail struct {
	clock  func() time.Time
	failed func(error) // is told why a line could not be written, or may not have been
	name   string      // of the file, or "" where it is a stream
	lost   atomic.Int64

	mu sync.Mutex
	to io.Writer
}

// openTrail opens the trail at a place: a file, which is made, or stdout or stderr. Without a place there is none.
func openTrail(place string, a *app, failed func(error)) (*trail, error) {
	t := &trail{clock: a.clock, failed: failed}
	switch place {
	case "":
		return nil, nil // which writes nothing
	case "stdout":
		t.to = a.stdout
	case "stderr":
		t.to = a.stderr
	default:
		t.name = place
		if err := t.reopen(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// checkTrail says whether a trail could be opened, and makes nothing.
func checkTrail(place scalar) error {
	if place.text == "" || place.text == "stdout" || place.text == "stderr" {
		return nil
	}
	st, err := os.Stat(place.text)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if st, err = os.Stat(filepath.Dir(place.text)); err == nil && st.IsDir() {
			return nil
		}
		return inLine(place.line, "there is no folder for the audit trail %s", label(place.text))
	case err != nil || st.IsDir():
		return inLine(place.line, "%s cannot be an audit trail", label(place.text))
	case st.Mode().IsRegular():
		if err := private(place.text, st); err != nil {
			return inLine(place.line, "%v", err)
		}
	}
	return nil
}

// reopen opens the file anew, as after someone has renamed it. Where that is not possible the old one stays.
func (t *trail) reopen() error {
	if t == nil || t.name == "" {
		return nil
	}
	f, err := os.OpenFile(t.name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fail(exitFile, "check the name; the folder has to exist", "cannot write the audit trail %s: %s", label(t.name), reason(err))
	}
	if st, err := f.Stat(); err != nil {
		_ = f.Close()
		return fileFailure(t.name, err)
	} else if st.Mode().IsRegular() {
		if err := private(t.name, st); err != nil {
			_ = f.Close()
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	t.to = f
	return nil
}

func (t *trail) close() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
}

// end closes the file, if there is one. Some systems tell only now that what was written could not be kept.
func (t *trail) end() {
	if f, ok := t.to.(*os.File); ok && t.name != "" {
		if err := f.Close(); err != nil {
			t.failed(err)
		}
	}
}

// write writes a line, in one call, so that processes which share a file do not mix theirs.
func (t *trail) write(l *auditLine) {
	if t == nil {
		return
	}
	l.Time = t.clock().UTC()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	if err == nil {
		t.mu.Lock()
		_, err = t.to.Write(b.Bytes())
		t.mu.Unlock()
	}
	if err != nil {
		t.lost.Add(1)
		t.failed(err)
	}
}

// record is for who administers: what was done, to what, by whom (cli:USER, admin:NAME, server), and how it ended. It
// returns err as it is.
func (t *trail) record(by, event, target string, err error) error {
	return t.recordDetail(by, event, target, "", err)
}

// What of a client was changed, where that is its secret.
const (
	detailSecret    = "secret"
	detailOldSecret = "old secret"
)

// recordDetail is record with what there is to say beyond it.
func (t *trail) recordDetail(by, event, target, detail string, err error) error {
	l := auditLine{Event: event, Outcome: auditSuccess, By: by, Target: target, Detail: detail}
	if err != nil {
		l.Outcome, l.Code = auditFailure, codeOf(err)
		var refused *oauth.Error
		switch {
		case errors.As(err, &refused):
			l.Outcome, l.Error = auditRefused, refused.Code
		case errors.Is(err, serverstore.ErrNotFound), errors.Is(err, serverstore.ErrConflict), errors.Is(err, server.ErrDocument):
			l.Outcome = auditRefused
		}
	}
	t.write(&l)
	return err
}

// cliUser is who runs a command, for [trail.record].
func cliUser() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

// observe writes what a request has changed, or was refused.
func (t *trail) observe(_ context.Context, e *server.Event) {
	if t == nil {
		return
	}
	l := auditLine{
		Outcome: auditSuccess, By: "anonymous", Remote: e.Remote, Client: e.Client, Attempted: e.Attempted, Method: e.Method, Grant: e.Grant, Issuer: e.Issuer, AttemptedIssuer: e.AttemptedIssuer,
		Subject: e.Subject, Scope: e.Scope, Audience: e.Audience, TokenID: e.TokenID, Family: e.Family, Bound: e.Bound,
	}
	switch {
	case e.Client != "":
		l.By = "client:" + e.Client
	case e.Issuer != "":
		l.By = "issuer:" + e.Issuer
	}
	if e.Err != nil {
		l.Outcome, l.Error, l.Code = auditRefused, e.Err.Code, codeOf(e.Err.Cause)
		if e.Status >= http.StatusInternalServerError {
			l.Outcome = auditFailure
		}
	}
	l.Event = auditEvent(e)
	if l.Event == "" {
		return
	}
	if e.Endpoint == "registration" {
		l.Target, l.Client = e.Client, ""
	}
	t.write(&l)
}

// noise are errors of requests that nobody need be held to account for: they were malformed before anyone was known to have sent them.
var noise = []string{oauth.InvalidRequest, oauth.UnsupportedGrantType, oauth.UseDPoPNonce, oauth.UseAttestationChallenge}

// auditEvent is the name of what has happened, or "" for what is only in the log.
func auditEvent(e *server.Event) string {
	switch {
	case e.Err != nil && e.Client == "" && slices.Contains(noise, e.Err.Code):
		return ""
	case e.Status == http.StatusTooManyRequests: // or who floods the server would fill the disk, too
		return ""
	case e.Reused:
		return auditReuse
	case e.Err != nil && (e.Err.Code == oauth.InvalidClient || e.Err.Code == oauth.InvalidToken || strings.Contains(e.Err.Code, "attestation")):
		return auditAuthenticate
	}
	switch e.Endpoint {
	case "token":
		return auditIssue
	case "revocation":
		return auditRevoke
	case "introspection":
		if e.Err != nil {
			return auditIntrospect
		}
	case "registration":
		return map[string]string{"create": auditClientAdd, "update": auditClientChange, "delete": auditClientRemove}[e.Action]
	}
	return ""
}
