package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
)

// The errors of this package, for errors.Is. Each has a stable code.
var (
	// ErrResponse: the answer is no token response, or not one that this client may use (token.response).
	ErrResponse error = errResponse
	// ErrConfig: the configuration is incomplete or contradicts itself (client.config).
	ErrConfig error = errConfig
)

var (
	errResponse = fault.New("token.response", "RFC 6749, Section 5.1", "the token response cannot be used")
	errConfig   = fault.New("client.config", "", "the configuration is not valid")
)

const (
	maxResponse    = 1 << 20
	maxToken       = 64 << 10
	maxChallenge   = 1 << 10 // it is in a header of each further request
	defaultTimeout = 30 * time.Second
	unknownLife    = time.Hour       // of a token whose response does not say
	maxAhead       = 5 * time.Minute // of an early refresh
	maxMargin      = 10 * time.Second
	retryAhead     = 10 * time.Second // between early refreshes that fail
	retryRefused   = 10 * time.Second // between tokens that resources refuse
)

// Config is a client at one authorization server. The zero value is refused.
type Config struct {
	// Server is the authorization server: its Issuer and TokenEndpoint, as Discover returns them or as they are
	// configured.
	Server *oauth.ServerMetadata
	// Auth authenticates the client. There is no default; a public client is None.
	Auth Authentication

	// Scope, Resources (RFC 8707) and Details (RFC 9396) are what is asked for.
	Scope     oauth.Scopes
	Resources []string
	Details   []oauth.AuthorizationDetail
	// Params are other parameters, such as the audience that some servers know. None may be one of the grant's.
	Params url.Values

	// DPoP is the key that the tokens are to be bound to (RFC 9449). A response that has a Bearer token then is refused (RFC
	// 9449, Section 5).
	DPoP jwk.Signer
	// MTLS sends the requests to the server's alias for clients with certificates, where it has one (RFC 8705, Section 5).
	MTLS bool

	// HTTP sends the token requests; its Transport has the client's certificate, if there is any. Of the rest only Timeout is
	// used, where zero means 30 s. Nil means http.DefaultTransport.
	HTTP *http.Client
	// RefreshAhead is how long before its expiry a token is renewed while the old one still serves. Zero means a fifth of its life, at
	// most 5 minutes.
	RefreshAhead time.Duration
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time

	details string
}

// Token is an access token. As text it is printed without its secrets.
type Token struct {
	AccessToken  string
	Type         string       // oauth.Bearer, oauth.DPoP, or of an exchange N_A
	Expiry       time.Time    // an hour from now where the server does not say
	Scope        oauth.Scopes // what was granted; as it was asked for where the server does not say
	RefreshToken string
	// IDToken is not verified: that is for package idtoken.
	IDToken string
	Details []oauth.AuthorizationDetail
	// IssuedType is what the token is, of an exchange.
	IssuedType exchange.TokenType
}

// String says what the token is for, and not what it is.
func (t Token) String() string {
	return fmt.Sprintf("%s token until %s for %q", t.Type, t.Expiry.UTC().Format(time.RFC3339), t.Scope.String())
}

// GoString is String.
func (t Token) GoString() string { return t.String() }

// LogValue is String, for package slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Source gets tokens and keeps the last one. It is safe for concurrent use, and has no goroutine but that of a request in
// flight.
type Source struct {
	c        Config
	grant    Grant
	endpoint string
	http     *http.Client

	mu        sync.Mutex
	token     *Token
	refresh   time.Time // from when on the token is renewed
	until     time.Time // until when it serves
	next      time.Time // not before: the next early refresh, after one that failed
	dropped   time.Time // when a resource had its token refused
	flight    *flight
	challenge string
}

type flight struct {
	done  chan struct{}
	token *Token // once it is done
	err   error
}

// New makes a Source. It sends nothing yet. The error is [ErrConfig].
func New(c Config, g Grant) (*Source, error) {
	switch {
	case c.Server == nil || c.Server.TokenEndpoint == "":
		return nil, errConfig.With("Server has no token endpoint")
	case c.Auth == nil:
		return nil, errConfig.With("there is no Auth; None is how to do without")
	case g.request == nil:
		return nil, errConfig.With("there is no grant")
	case c.RefreshAhead < 0:
		return nil, errConfig.With("RefreshAhead is negative")
	}
	if err := c.Server.Validate(c.Server.Issuer); err != nil {
		return nil, errConfig.Wrap(err)
	}
	if _, err := oauth.ParseResources(c.Resources); err != nil {
		return nil, errConfig.Wrap(err)
	}
	if _, err := oauth.ParseScopes(c.Scope.String()); err != nil && len(c.Scope) > 0 {
		return nil, errConfig.Wrap(err)
	}
	if len(c.Details) > 0 {
		b, err := json.Marshal(c.Details)
		if err != nil {
			return nil, errConfig.Wrap(err)
		}
		c.details = string(b)
	}
	server := *c.Server // whoever changes it later changes no audience
	c.Server = &server
	c.Scope, c.Resources, c.Params = slices.Clone(c.Scope), slices.Clone(c.Resources), maps.Clone(c.Params)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	s := &Source{c: c, grant: g, endpoint: c.Server.TokenEndpoint}
	if alias := c.Server.MTLSEndpointAliases["token_endpoint"]; c.MTLS && alias != "" {
		s.endpoint = alias
	}
	s.http = &http.Client{
		Timeout: defaultTimeout,
		// Where it leads to would be given all that is in the request.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if c.HTTP != nil {
		s.http.Transport = c.HTTP.Transport
		if c.HTTP.Timeout > 0 {
			s.http.Timeout = c.HTTP.Timeout
		}
	}
	if c.DPoP != nil {
		s.http.Transport = &dpop.Transport{Key: c.DPoP, Base: s.http.Transport}
	}
	return s, nil
}

// String names the server.
func (s *Source) String() string { return "tokens of " + s.c.Server.Issuer }

// GoString is String.
func (s *Source) GoString() string { return s.String() }

// Token returns the token, or gets one where there is none, or it is about to expire. What the server refuses with is
// an *[oauth.Error].
func (s *Source) Token(ctx context.Context) (*Token, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	now := s.c.Clock()
	s.mu.Lock()
	t, f := s.token, s.flight
	good := t != nil && now.Before(s.until)
	if good && now.Before(s.refresh) {
		s.mu.Unlock()
		return clone(t), nil
	}
	if f == nil && (!good || !now.Before(s.next)) {
		f = &flight{done: make(chan struct{})}
		s.flight = f
		// What the caller's context carries goes with the request; its end does not.
		go s.fly(context.WithoutCancel(ctx), f)
	}
	s.mu.Unlock()
	if good {
		return clone(t), nil
	}
	select {
	case <-f.done:
		if f.err != nil {
			return nil, f.err
		}
		return clone(f.token), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func clone(t *Token) *Token {
	c := *t
	c.Scope, c.Details = slices.Clone(t.Scope), slices.Clone(t.Details)
	return &c
}

// Invalidate drops the token, if it is the one that the Source has: a resource has refused it although it has not expired. The
// transport of a Source does so by itself, at most every ten seconds.
func (s *Source) Invalidate(accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != nil && s.token.AccessToken == accessToken {
		s.token = nil
	}
}

// refused is Invalidate for what a resource says: at most once in a while, so that one that refuses every token does not have a new
// one asked for with each request.
func (s *Source) refused(accessToken string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.c.Clock()
	if s.token == nil || s.token.AccessToken != accessToken || now.Before(s.dropped.Add(retryRefused)) {
		return
	}
	s.token, s.dropped = nil, now
}

// fly gets a token and keeps it.
func (s *Source) fly(ctx context.Context, f *flight) {
	// A hook may end the goroutine, as FailNow of a test does, and others wait.
	f.err = errors.New("client: the request for a token was given up")
	defer func() {
		s.mu.Lock()
		s.flight = nil
		s.next = s.c.Clock().Add(retryAhead)
		s.mu.Unlock()
		close(f.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, s.http.Timeout)
	defer cancel()
	t, life, err := s.get(ctx)
	f.token, f.err = t, err
	if err != nil {
		return
	}
	ahead := s.c.RefreshAhead
	if ahead == 0 {
		ahead = min(life/5, maxAhead)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = t
	s.refresh = t.Expiry.Add(-ahead)
	s.until = t.Expiry.Add(-min(life/10, maxMargin))
}

// get gets a token, and says how long it lives. It asks a second time where the server has asked for something first.
func (s *Source) get(ctx context.Context) (*Token, time.Duration, error) {
	asked := map[string]bool{}
	for {
		t, life, again, err := s.request(ctx)
		if err == nil && s.grant.done != nil {
			err = s.grant.done(t)
		}
		if again == "" || asked[again] {
			return t, life, err
		}
		asked[again] = true
	}
}

// request sends one token request. It returns the code of the error by which the server asks for another one.
func (s *Source) request(ctx context.Context) (*Token, time.Duration, string, error) {
	form, x, err := s.grant.request(ctx)
	if err != nil {
		return nil, 0, "", err
	}
	if form = maps.Clone(form); form.Get("grant_type") == "" {
		return nil, 0, "", errConfig.With("the grant has no grant_type")
	}
	if err := s.c.parameters(form); err != nil {
		return nil, 0, "", err
	}
	sent := s.c.Clock()
	s.mu.Lock()
	r := &Request{Issuer: s.c.Server.Issuer, Header: http.Header{}, Form: form, Time: sent, Challenge: s.challenge}
	s.mu.Unlock()
	if err := s.c.Auth(ctx, r); err != nil {
		return nil, 0, "", fmt.Errorf("client: the client cannot authenticate: %w", err)
	}
	resp, body, err := s.send(ctx, r)
	if err != nil {
		return nil, 0, "", err
	}
	if c := resp.Header.Get(attestation.ChallengeHeader); c != "" && len(c) <= maxChallenge {
		s.mu.Lock()
		s.challenge = c
		s.mu.Unlock()
	}
	if resp.StatusCode != http.StatusOK {
		e, err := oauth.ParseError(resp.StatusCode, body)
		if err != nil {
			return nil, 0, "", &oauth.Error{Status: resp.StatusCode, Cause: err}
		}
		var again string
		if e.Code == oauth.UseDPoPNonce && s.c.DPoP != nil && resp.Header.Get(dpop.NonceHeader) != "" ||
			e.Code == oauth.UseAttestationChallenge && resp.Header.Get(attestation.ChallengeHeader) != "" {
			again = e.Code
		}
		return nil, 0, again, public(e, r.secrets())
	}
	t, life, err := s.read(body, form, x)
	if err != nil {
		return nil, 0, "", err
	}
	// Counted from when it was asked for, it has not expired before we think so.
	t.Expiry = sent.Add(life)
	return t, life, "", nil
}

// secrets are what the request has that is not to be seen.
func (r *Request) secrets() []string {
	var all []string
	for _, name := range secrets {
		all = append(all, r.Form[name]...)
	}
	for _, v := range r.Header {
		all = append(all, v...)
	}
	if _, password, ok := (&http.Request{Header: r.Header}).BasicAuth(); ok {
		secret, _ := url.QueryUnescape(password)
		all = append(all, password, secret)
	}
	return all
}

// contains reports whether a text repeats a secret. One of a few characters could be a part of any text.
func contains(text, secret string) bool { return len(secret) >= 6 && strings.Contains(text, secret) }

func (s *Source) send(ctx context.Context, r *Request) (*http.Response, []byte, error) {
	// The URL has been parsed before.
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, strings.NewReader(r.Form.Encode()))
	if s.c.DPoP != nil {
		// The transport would send an assertion twice with the nonce that the server asks for.
		req.GetBody = nil
	}
	maps.Copy(req.Header, r.Header)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return nil, nil, fmt.Errorf("client: the token endpoint of %s was not reached: %w", s.c.Server.Issuer, err)
	}
	defer func() { _ = resp.Body.Close() }()
	// One byte more than the readers of JSON take.
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, nil, fmt.Errorf("client: the answer of %s broke off: %w", s.c.Server.Issuer, err)
	}
	return resp, body, nil
}

// wire is a token response (RFC 6749, Section 5.1). Some servers write null for what they do not have.
type wire struct {
	AccessToken  string                      `json:"access_token"`
	Type         string                      `json:"token_type"`
	ExpiresIn    json.RawMessage             `json:"expires_in"`
	Scope        *string                     `json:"scope"`
	RefreshToken *string                     `json:"refresh_token"`
	IDToken      *string                     `json:"id_token"`
	Details      []oauth.AuthorizationDetail `json:"authorization_details"`
}

var wireDecoder, _ = strictjson.NewDecoder[wire]()

// read reads a token response, and says how long the token lives.
func (s *Source) read(body []byte, form url.Values, x *exchange.Request) (*Token, time.Duration, error) {
	t, life, err := parse(body, x)
	if err != nil {
		return nil, 0, err
	}
	if t.Scope == nil && form.Get("scope") != "" {
		t.Scope, _ = oauth.ParseScopes(form.Get("scope")) // RFC 6749, Section 5.1: it is as it was asked for
	}
	if !tokenSyntax(t.AccessToken) || t.RefreshToken != "" && !tokenSyntax(t.RefreshToken) {
		return nil, 0, errResponse.With("a token is missing, too long, or has characters that it cannot have")
	}
	// RFC 6749, Section 7.1: a type that the client does not understand is not used. Section 5.1: without regard to case.
	switch {
	case strings.EqualFold(t.Type, oauth.DPoP) && s.c.DPoP != nil:
		t.Type = oauth.DPoP
	case x != nil && t.Type == exchange.NotApplicable && t.IssuedType != exchange.AccessToken:
	case s.c.DPoP != nil:
		// RFC 9449, Section 5: a token that is not bound is good for whoever steals it.
		return nil, 0, errResponse.With("token_type is not DPoP, though the request had a proof")
	case strings.EqualFold(t.Type, oauth.Bearer):
		t.Type = oauth.Bearer
	default:
		return nil, 0, errResponse.With("token_type is neither Bearer nor one that was asked for")
	}
	return t, life, nil
}

func parse(body []byte, x *exchange.Request) (*Token, time.Duration, error) {
	if x != nil {
		r, err := x.ParseResponse(http.StatusOK, body)
		if err != nil {
			return nil, 0, errResponse.Wrap(err)
		}
		t := &Token{AccessToken: r.AccessToken, Type: r.TokenType, Scope: r.Scope, RefreshToken: r.RefreshToken, IssuedType: r.IssuedTokenType}
		if r.ExpiresIn == 0 {
			return t, unknownLife, nil
		}
		return t, r.ExpiresIn, nil
	}
	var w wire
	// The tokens share the memory of what they are read from.
	if err := wireDecoder.Decode(bytes.Clone(body), &w, strictjson.Limits{Bytes: maxResponse}); err != nil {
		return nil, 0, errResponse.Wrap(err)
	}
	t := &Token{AccessToken: w.AccessToken, Type: w.Type, Details: w.Details}
	for _, f := range []struct{ to, from *string }{{&t.RefreshToken, w.RefreshToken}, {&t.IDToken, w.IDToken}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if w.Scope != nil && *w.Scope != "" {
		var err error
		// Its error would look like one that the server has answered with.
		if t.Scope, err = oauth.ParseScopes(*w.Scope); err != nil {
			return nil, 0, errResponse.With("the scope is malformed")
		}
	}
	if w.ExpiresIn == nil || string(w.ExpiresIn) == "null" {
		return t, unknownLife, nil
	}
	// A number; some servers write it as a string.
	n, err := strconv.ParseUint(strings.Trim(string(w.ExpiresIn), `"`), 10, 32)
	if err != nil {
		return nil, 0, errResponse.With("expires_in is no number of seconds")
	}
	return t, time.Duration(n) * time.Second, nil
}

// tokenSyntax is what RFC 6749, Appendix A.12, allows, without the space that no header can carry.
func tokenSyntax(s string) bool {
	return s != "" && len(s) <= maxToken && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
