package server

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
)

const (
	// maxRequest is the size of a body that is read, in bytes.
	maxRequest = 1 << 20
	// maxParameters is how many parameters a request has at most.
	maxParameters = 256
	// leeway is how far the clocks of the server's processes may differ.
	leeway = 5 * time.Second
)

// Server is an authorization server: an http.Handler for its issuer's host. It is safe for concurrent use.
type Server struct {
	o         Options
	secrets   *secrets
	cache     *cache
	resources []*resource
	open      []*resource // those that are not Reserved
	endpoints map[string]*endpoint

	base, tokenURL string
	mtlsHost, mtls string
	meta           oauth.ServerMetadata
	// prefix is where the clients are that have registered themselves, by their ID; empty without registration.
	prefix       string
	manage       *endpoint
	statements   *jwt.Verifier[map[string]json.RawMessage]
	assertions   *clientauth.Verifier
	proofs       *dpop.Verifier
	attestations *attestation.Verifier
	tokens       *accesstoken.Verifier
	exchanger    *exchange.Verifier
	// chosen says that there are clients with chosen secrets.
	chosen atomic.Bool
	// Where there are Limits.
	addresses, clients *limiter
	realm              string
}

// resource is a Resource made ready for requests.
type resource struct {
	Resource
	claims map[string]json.RawMessage
}

// New makes a Server. It asks Keys for a key, and fails where there is none, or where the store does not answer. The error of options is ErrOptions.
func New(ctx context.Context, o Options) (*Server, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	s := &Server{o: o, cache: newCache(o.Store, o.Lifetimes.Reload), secrets: newSecrets(o.Secrets)}
	var audiences []string
	for i := range s.o.Resources {
		r := &resource{Resource: s.o.Resources[i]}
		r.claims, _ = extraClaims(r.Claims) // which were read before
		s.resources = append(s.resources, r)
		if !r.Reserved {
			s.open = append(s.open, r)
		}
		audiences = append(audiences, r.Identifier)
	}
	s.base = strings.TrimSuffix(o.Issuer, "/")
	s.tokenURL = s.base + "/token"
	s.realm = `Basic realm="` + o.Issuer + `"`
	if o.MTLSURL != "" {
		u := must(url.Parse(o.MTLSURL)) // which normalize has read
		s.mtlsHost, s.mtls = u.Host, strings.TrimSuffix(o.MTLSURL, "/")
	}
	if _, err := o.Keys.Signer(ctx, s.o.Algorithm); err != nil {
		return nil, errOptions.Wrap(err)
	}
	if err := s.newLimits(); err != nil {
		return nil, err
	}
	if err := s.verifiers(audiences); err != nil {
		return nil, errOptions.Wrap(err)
	}
	if err := s.describe(ctx); err != nil {
		return nil, err
	}
	s.route()
	return s, nil
}

// verifiers makes what verifies tokens, of options that normalize has read.
func (s *Server) verifiers(audiences []string) error {
	policy := jwt.Policy{Clock: s.o.Clock}
	assertions := clientauth.Policy{Issuer: s.o.Issuer, AnyClient: true, Replay: s.replay("assertion"), JWT: policy}
	if s.o.LegacyAudience {
		assertions.LegacyAudiences = []string{s.tokenURL}
		if s.mtls != "" {
			assertions.LegacyAudiences = append(assertions.LegacyAudiences, s.mtls+"/token")
		}
	}
	s.assertions = must(clientauth.NewVerifier(clientKeys{s}, assertions))
	proofs := dpop.Policy{Replay: s.replay("proof"), JWT: policy}
	if !s.o.NoDPoPNonce {
		proofs.Nonces = must(dpop.NewNonces(dpop.NonceOptions{Secrets: s.secrets.nonce, Clock: s.o.Clock}))
	}
	s.proofs = must(dpop.NewVerifier(proofs))
	if s.o.Attesters != nil {
		challenges := must(attestation.NewChallenges(attestation.ChallengeOptions{Secrets: s.secrets.nonce, Clock: s.o.Clock}))
		s.attestations = must(attestation.NewVerifier(s.o.Attesters, attestation.Policy{
			Audience: s.o.Issuer, AnyClient: true, Replay: s.replay("attestation"), Challenges: challenges, JWT: policy,
		}))
	}
	own := policy
	own.Leeway = leeway
	s.tokens = must(accesstoken.NewVerifier(s.o.Keys, accesstoken.Policy{Issuers: []string{s.o.Issuer}, Audiences: audiences, JWT: own}))
	if err := s.newStatements(); err != nil {
		return err
	}
	return s.newExchanger()
}

func (s *Server) replay(name string) jwt.Replay { return once{s, name} }

func (s *Server) resource(id string) *resource {
	i := slices.IndexFunc(s.resources, func(r *resource) bool { return r.Identifier == id })
	if i < 0 {
		return nil
	}
	return s.resources[i]
}

// longest is the longest time that an access token lives.
func (s *Server) longest() time.Duration { return s.o.Lifetimes.Access }

// Run removes what has ended from the store, once a minute and in small batches, until ctx is done. Each process may do so.
func (s *Server) Run(ctx context.Context) error {
	const batch = 1000
	for {
		for {
			_, more, err := s.o.Store.Sweep(ctx, s.o.Clock(), batch)
			if err != nil || !more {
				break // an error is one of the next minute too, and shows in Ping
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
		}
	}
}

// endpoint is what is at a path.
type endpoint struct {
	name    string // as in Event
	methods []string
	// cors lets browsers send requests of pages from any origin, without their cookies.
	cors  bool
	serve func(w http.ResponseWriter, r *http.Request)
}

// ServeHTTP implements [http.Handler]. The path of the request is that of the public URL.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := s.endpoints[r.URL.Path]
	if e == nil && s.prefix != "" && strings.HasPrefix(r.URL.Path, s.prefix) {
		e = s.manage
	}
	if e == nil {
		http.NotFound(w, r)
		s.observe(r, &Event{Status: http.StatusNotFound, Err: &oauth.Error{Code: oauth.InvalidRequest, Description: "there is nothing at this path", Status: http.StatusNotFound}})
		return
	}
	h := w.Header()
	h["X-Content-Type-Options"] = nosniff
	if e.cors {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = exposed
		if r.Method == http.MethodOptions {
			preflight(h, e.methods)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if !slices.Contains(e.methods, r.Method) {
		h.Set("Allow", strings.Join(e.methods, ", "))
		refusal := &oauth.Error{Code: oauth.InvalidRequest, Description: "the method is not " + strings.Join(e.methods, " or "), Status: http.StatusMethodNotAllowed}
		s.answer(e.name, w, r, func(*request) error { return refusal })
		return
	}
	e.serve(w, r)
}

// Values of headers that many responses share. Nobody appends to them.
var (
	nosniff   = []string{"nosniff"}
	anyOrigin = []string{"*"}
	exposed   = []string{"DPoP-Nonce, WWW-Authenticate, OAuth-Client-Attestation-Challenge, Retry-After"}
	noStore   = []string{"no-store"}
	noCache   = []string{"no-cache"}
	jsonType  = []string{"application/json"}
)

// preflight lets a browser send what clients in browsers need. No cookie means anything to these endpoints, so any origin may.
func preflight(h http.Header, methods []string) {
	h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, OAuth-Client-Attestation, OAuth-Client-Attestation-PoP")
	h.Set("Access-Control-Max-Age", "86400")
}

var (
	get  = []string{http.MethodGet, http.MethodHead}
	post = []string{http.MethodPost}
)

// route says what is where.
func (s *Server) route() {
	path := strings.TrimSuffix(must(url.Parse(s.o.Issuer)).Path, "/") // which normalize has read
	document := must(json.Marshal(s.meta))
	metadata := s.plain("metadata", get, true, func(w http.ResponseWriter, r *http.Request) error {
		serveDocument(w, r, document)
		return nil
	})
	keys := s.o.Keys.Handler()
	s.endpoints = map[string]*endpoint{
		// RFC 8414, Sections 3 and 5; OpenID Connect Discovery 1.0, Section 4.
		"/.well-known/oauth-authorization-server" + path: metadata,
		"/.well-known/openid-configuration" + path:       metadata,
		path + "/.well-known/openid-configuration":       metadata,
		path + "/jwks": s.plain("jwks", get, true, func(w http.ResponseWriter, r *http.Request) error {
			keys.ServeHTTP(w, r)
			if s.o.Observe == nil {
				return nil
			}
			_, _, err := s.o.Keys.Set(r.Context()) // which the handler does not tell
			return err
		}),
		path + "/token":      s.oauth("token", post, true, (*request).token),
		path + "/introspect": s.oauth("introspection", post, false, (*request).introspect),
		path + "/revoke":     s.oauth("revocation", post, true, (*request).revoke),
		path + "/healthz": s.plain("healthz", get, false, func(w http.ResponseWriter, _ *http.Request) error {
			say(w, http.StatusOK, "ok")
			return nil
		}),
		path + "/readyz": s.plain("readyz", get, false, s.serveReady),
	}
	if s.attestations != nil {
		s.endpoints[path+"/challenge"] = s.plain("challenge", post, true, func(w http.ResponseWriter, r *http.Request) error {
			s.attestations.ServeHTTP(w, r)
			return nil
		})
	}
	s.routeRegistration(path)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header()["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// serveReady says whether tokens can be issued and remembered now.
func (s *Server) serveReady(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.o.Store.Ping(ctx); err != nil {
		say(w, http.StatusServiceUnavailable, "the store cannot be reached")
		return err
	}
	if _, err := s.o.Keys.Signer(ctx, s.o.Algorithm); err != nil {
		say(w, http.StatusServiceUnavailable, "there is no key to sign with")
		return err
	}
	say(w, http.StatusOK, "ready")
	return nil
}

// request is one at an endpoint of OAuth.
type request struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	ctx  context.Context
	now  time.Time
	form url.Values

	client *client // nil where none is named, and none is needed
	// instance is the key of the client's instance, by attestation.
	instance string
	held     held
	event    Event
}

// oauth is an endpoint of OAuth, which answers as f does, or with its error.
func (s *Server) oauth(name string, methods []string, cors bool, f func(*request) error) *endpoint {
	return &endpoint{name, methods, cors, func(w http.ResponseWriter, r *http.Request) { s.answer(name, w, r, f) }}
}

func (s *Server) answer(name string, w http.ResponseWriter, r *http.Request, f func(*request) error) {
	q := &request{Server: s, w: w, r: r, ctx: r.Context(), now: s.o.Clock(), event: Event{Endpoint: name, Remote: r.RemoteAddr, Status: http.StatusOK}}
	start := time.Now()
	err := q.countAddress()
	if err == nil {
		err = f(q)
	}
	if err != nil {
		q.refuse(err)
	}
	if s.o.Observe != nil {
		q.event.Took = time.Since(start)
		s.o.Observe(q.ctx, &q.event)
	}
}

// refuse answers with an error.
func (q *request) refuse(err error) {
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		e = q.failure(err)
	}
	switch {
	case e.Code == oauth.InvalidClient: // RFC 6749, Section 5.2; RFC 9110, Section 15.5.2: every 401 has a challenge
		q.w.Header().Set("WWW-Authenticate", q.realm)
	case e.Code == oauth.UseDPoPNonce, e.Code == oauth.InvalidDPoPProof: // RFC 9449, Section 8
		_ = q.proofs.SetNonce(q.ctx, q.w.Header()) // which needs nothing that could fail
	case e.Code == oauth.UseAttestationChallenge && q.attestations != nil:
		_ = q.attestations.SetChallenge(q.ctx, q.w.Header())
	}
	q.event.Err, q.event.Status = e, e.HTTPStatus()
	if e.Status == http.StatusRequestEntityTooLarge {
		q.w.Header().Set("Connection", "close")
	}
	e.Write(q.w)
}

// failure is the answer where it is not the request that is wrong.
func (q *request) failure(err error) *oauth.Error {
	if errors.Is(err, errDocument) || errors.Is(err, jwt.ErrPolicy) {
		return &oauth.Error{Code: oauth.ServerError, Description: "the server is not configured for this", Cause: err}
	}
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "something that the server needs does not answer: try again", Cause: err}
}

func invalid(code, description string, cause error) error {
	return &oauth.Error{Code: code, Description: description, Cause: cause}
}

// refused is the refusal of a token and why, or what the server failed with.
func (s *Server) refused(code, what string, err error) error {
	r, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		return err
	}
	description := what + " is refused: " + profile.Told(r)
	if slices.ContainsFunc(r.Codes(), func(c string) bool { return strings.HasPrefix(c, "aud.") }) {
		description += "; aud is to be " + s.o.Issuer // of all that is made for a server, which may accept others
	}
	return invalid(code, description, err)
}

const formType = "application/x-www-form-urlencoded"

// body reads the body of a request.
func (q *request) body() ([]byte, error) {
	tooLarge := &oauth.Error{Code: oauth.InvalidRequest, Description: "the body has over 1 MiB", Status: http.StatusRequestEntityTooLarge}
	n := q.r.ContentLength
	if n > maxRequest {
		return nil, tooLarge
	}
	if q.r.Header.Get("Content-Encoding") != "" {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the body is compressed or otherwise encoded", Status: http.StatusUnsupportedMediaType}
	}
	// No more is set aside than has come, save for what is short.
	if n >= 0 && n <= 16<<10 {
		b := make([]byte, n)
		if _, err := io.ReadFull(q.r.Body, b); err != nil {
			return nil, invalid(oauth.InvalidRequest, "the body broke off", err)
		}
		return b, nil
	}
	b, err := io.ReadAll(io.LimitReader(q.r.Body, maxRequest+1))
	switch {
	case err != nil:
		return nil, invalid(oauth.InvalidRequest, "the body broke off", err)
	case len(b) > maxRequest:
		return nil, tooLarge
	}
	return b, nil
}

// isForm reports whether a body is form-encoded, in UTF-8 (RFC 6749, Appendix B), and says so once.
func isForm(types []string) bool {
	if len(types) != 1 {
		return false
	}
	t, parameters, more := strings.Cut(types[0], ";")
	if !strings.EqualFold(strings.TrimSpace(t), formType) {
		return false
	}
	if !more {
		return true
	}
	_, p, err := mime.ParseMediaType(formType + ";" + parameters)
	return err == nil && (p["charset"] == "" || strings.EqualFold(p["charset"], "utf-8"))
}

// parse reads the parameters of the request, which are in its body alone (RFC 6749, Sections 2.3.1 and 3.2).
func (q *request) parse() error {
	if q.r.URL.RawQuery != "" {
		return invalid(oauth.InvalidRequest, "the parameters belong into the body, not into the URL, which ends in logs", nil)
	}
	if !isForm(q.r.Header["Content-Type"]) {
		return &oauth.Error{Code: oauth.InvalidRequest, Description: "the Content-Type is not " + formType + " in UTF-8", Status: http.StatusUnsupportedMediaType}
	}
	b, err := q.body()
	if err != nil {
		return err
	}
	text := string(b)
	if strings.Count(text, "&") >= maxParameters {
		return invalid(oauth.InvalidRequest, "there are too many parameters", nil)
	}
	form, err := url.ParseQuery(text)
	if err != nil {
		return invalid(oauth.InvalidRequest, "the body is not form-encoded", nil)
	}
	bad := func(v string) bool { return !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 }
	for name, values := range form {
		if bad(name) || slices.ContainsFunc(values, bad) {
			return invalid(oauth.InvalidRequest, "a parameter is not UTF-8, or has a NUL in it", nil) // RFC 6749, Appendix B
		}
		if values = slices.DeleteFunc(values, func(v string) bool { return v == "" }); len(values) == 0 {
			delete(form, name) // RFC 6749, Section 3.2: as if it were omitted
		} else {
			form[name] = values
		}
	}
	// RFC 6749, Section 3.2; RFC 8707, Section 2, and RFC 8693, Section 2.1, let these two be repeated.
	if profile.Repeated(form, "resource", "audience") {
		return invalid(oauth.InvalidRequest, "a parameter is there twice", nil)
	}
	q.form = form
	return nil
}

// certificate returns the certificate that the request came with, or nil.
func (q *request) certificate() (*x509.Certificate, error) {
	c, err := q.o.ClientCertificate(q.r)
	if err != nil {
		return nil, invalid(oauth.InvalidRequest, "the client certificate cannot be taken", err)
	}
	return c, nil
}
