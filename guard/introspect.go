package guard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/introspection"
)

// IntrospectionOptions are those of [NewIntrospector].
type IntrospectionOptions struct {
	// Endpoint is the introspection endpoint of the authorization server, a URL from your configuration: https, or http to this
	// machine, since whoever is in between could else read the tokens and say what they are worth.
	Endpoint string
	// Issuer is the authorization server: the Issuer of tokens of which it says none, and refused if it says another.
	Issuer string
	// Audiences are the names that the API answers to: one of them must be among those that the server says (RFC 7662, Section 4).
	Audiences []string
	// AnyAudience accepts tokens whatever they are for, and those of which the server says nothing of it.
	AnyAudience bool
	// Authenticate adds what authenticates the API to the server, to the header or to the form (RFC 7662, Section 2.1).
	// Nil is for servers that know the sender by its client certificate.
	Authenticate func(ctx context.Context, h http.Header, form url.Values) error
	// Responses reads what the server answers. Nil is JSON, for which the connection vouches (introspection.Policy.Unsigned);
	// with another the answers are signed (RFC 9701).
	Responses *introspection.Verifier

	// CacheFor is how long an answer is used again, and no longer than until the token's exp: so long a revocation may go
	// unnoticed. Zero asks each time.
	CacheFor time.Duration
	// CacheSize is how many answers are kept. Zero is 10,000. With a cache a question is asked to its end though its request has
	// gone; there are at most 1,000 at a time, and 503 for more.
	CacheSize int
	// Timeout is how long the server may take. Zero is 5 seconds.
	Timeout time.Duration
	// Client sends the requests. Nil means http.DefaultClient; redirects are not followed either way.
	Client *http.Client
	// Clock is the time now; nil means time.Now.
	Clock func() time.Time
}

const (
	// The longest token that is asked about, and the longest answer, in bytes.
	maxToken  = 16 << 10
	maxAnswer = 256 << 10

	// So many questions at a time, where they outlive their requests.
	maxAsking = 1000

	defaultTimeout   = 5 * time.Second
	defaultCacheSize = 10_000
	// How far the server's clock may be ahead: it has said that the token is active, although its nbf is yet to come.
	ahead = time.Minute
	// Answers that say that a token is not active are kept no longer than that: it may be that it is not active yet.
	maxInactive = 10 * time.Second
)

// Introspector asks an authorization server what a token is worth (RFC 7662). Requests about the same token wait for one
// answer. It is safe for concurrent use.
type Introspector struct {
	o        IntrospectionOptions
	question *http.Request // without its body
	client   *http.Client

	mu      sync.Mutex
	answers map[[sha256.Size]byte]*answer
	asking  int // questions that have no answer yet
}

// answer is what the server has said of a token, or will say once done is closed.
type answer struct {
	done     chan struct{}
	response *introspection.Response
	err      error
	until    time.Time
}

// NewIntrospector makes an Introspector. It refuses incomplete options with jwt.ErrPolicy.
func NewIntrospector(o IntrospectionOptions) (*Introspector, error) {
	switch {
	case fetch.New(fetch.Options{}).CheckURL(o.Endpoint) != nil:
		return nil, incomplete("Endpoint is the URL of the introspection endpoint: https, or http to this machine, without user and fragment")
	case o.Issuer == "":
		return nil, incomplete("name the Issuer")
	case (len(o.Audiences) == 0) == !o.AnyAudience:
		return nil, incomplete("name the Audiences, or set AnyAudience")
	case o.CacheFor < 0 || o.CacheSize < 0 || o.Timeout < 0:
		return nil, incomplete("a negative CacheFor, CacheSize or Timeout")
	}
	o.Audiences = slices.Clone(o.Audiences)
	o.CacheSize, o.Timeout = cmp.Or(o.CacheSize, defaultCacheSize), cmp.Or(o.Timeout, defaultTimeout)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Responses == nil {
		o.Responses, _ = introspection.NewVerifier(nil, introspection.Policy{Unsigned: true}) // which is complete
	}
	question, _ := http.NewRequest(http.MethodPost, o.Endpoint, nil) // which is a URL
	client := http.Client{}
	if o.Client != nil {
		client = *o.Client
	}
	// The token would go to wherever the answer says.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Introspector{o: o, question: question, client: &client, answers: map[[sha256.Size]byte]*answer{}}, nil
}

// token returns the token that raw is.
func (i *Introspector) token(ctx context.Context, raw string) (*Token, error) {
	if len(raw) > maxToken {
		return nil, invalid("the access token is too long", nil)
	}
	r, err := i.response(ctx, raw)
	if err != nil {
		return nil, unavailable(err)
	}
	now := i.o.Clock()
	switch {
	case !r.Active:
		return nil, invalid("the access token is not active", nil)
	// What was cached may have ended since; and a server may say more than active.
	case !r.Expiry.IsZero() && !now.Before(r.Expiry):
		return nil, invalid("the access token is expired", nil)
	case now.Add(ahead).Before(r.NotBefore):
		return nil, invalid("the access token is not valid yet", nil)
	case !forResources(r):
		return nil, invalid("the token is no access token", nil)
	// RFC 9449, Section 6.2: else a bound token would pass for one of whoever sends it.
	case strings.EqualFold(r.TokenType, oauth.DPoP) && (r.Confirmation == nil || r.Confirmation.Thumbprint == ""):
		return nil, invalid("the access token is bound to a key that the server does not say", nil)
	case r.Issuer != "" && r.Issuer != i.o.Issuer:
		return nil, invalid("the access token is of another issuer", nil)
	case !i.o.AnyAudience && !slices.ContainsFunc(r.Audience, func(a string) bool { return slices.Contains(i.o.Audiences, a) }):
		return nil, invalid("the access token is for another audience", nil)
	}
	r = clone(r)
	return &Token{
		Issuer: i.o.Issuer, Subject: r.Subject, ClientID: r.ClientID, Audience: r.Audience, Scope: r.Scope, ID: r.ID,
		Expiry: r.Expiry, IssuedAt: r.IssuedAt, AuthTime: r.AuthTime, ACR: r.ACR,
		AuthorizationDetails: r.AuthorizationDetails, Confirmation: r.Confirmation, Introspection: r,
	}, nil
}

// clone returns a copy of which a caller may change all: the answer itself is that to the next request too.
func clone(r *introspection.Response) *introspection.Response {
	c := *r
	c.Audience, c.AuthorizationDetails = slices.Clone(r.Audience), bytes.Clone(r.AuthorizationDetails)
	if r.Confirmation != nil {
		c.Confirmation = new(*r.Confirmation) // its key is immutable
	}
	c.Other = maps.Clone(r.Other)
	for name, value := range c.Other {
		c.Other[name] = bytes.Clone(value)
	}
	return &c
}

// forResources reports whether the token is one that resources take. Servers say of refresh tokens too that they are active, and
// look for them whatever the hint is (RFC 7662, Section 2.1), but those are for the server alone (RFC 6749, Section 1.5).
// What they are, servers say in token_type, or in members of their own: token_use, and the typ of the token.
func forResources(r *introspection.Response) bool {
	is := func(s string, all ...string) bool {
		return slices.ContainsFunc(all, func(v string) bool { return strings.EqualFold(s, v) })
	}
	own := func(name string) (s string, ok bool) {
		raw := r.Other[name]
		return s, raw == nil || json.Unmarshal(raw, &s) == nil
	}
	use, read := own("token_use")
	typ, _ := own("typ")
	return is(r.TokenType, "", oauth.Bearer, oauth.DPoP, "access_token") && read && is(use, "", "access_token", "access") && !is(typ, "Refresh", "Offline")
}

// response returns what the server says of raw: what it has said lately, what it is about to say to another request, or what it
// says now.
func (i *Introspector) response(ctx context.Context, raw string) (*introspection.Response, error) {
	if i.o.CacheFor == 0 {
		ctx, cancel := context.WithTimeout(ctx, i.o.Timeout)
		defer cancel()
		return i.ask(ctx, raw)
	}
	key := sha256.Sum256([]byte(raw))
	i.mu.Lock()
	a := i.answers[key]
	if a == nil || a.over(i.o.Clock()) {
		if i.asking == maxAsking {
			i.mu.Unlock()
			return nil, errors.New("guard: too many questions to the introspection endpoint at a time")
		}
		i.asking++
		a = &answer{done: make(chan struct{})}
		i.makeRoom()
		i.answers[key] = a
		go i.fill(context.WithoutCancel(ctx), key, raw, a) // others may wait for it
	}
	i.mu.Unlock()
	select {
	case <-a.done:
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// over reports whether the answer is there and no longer good.
func (a *answer) over(now time.Time) bool {
	select {
	case <-a.done:
		return !now.Before(a.until)
	default:
		return false
	}
}

func (i *Introspector) fill(ctx context.Context, key [sha256.Size]byte, raw string, a *answer) {
	ctx, cancel := context.WithTimeout(ctx, i.o.Timeout)
	defer cancel()
	// Authenticate may end the goroutine, as FailNow of a test does, and others wait.
	a.err = errors.New("guard: the question was given up")
	defer func() {
		i.mu.Lock()
		i.asking--
		if a.err != nil && i.answers[key] == a { // asked again by the next request
			delete(i.answers, key)
		}
		i.mu.Unlock()
		close(a.done)
	}()
	if a.response, a.err = i.ask(ctx, raw); a.err != nil {
		return
	}
	now := i.o.Clock()
	switch {
	case !a.response.Active:
		a.until = now.Add(min(i.o.CacheFor, maxInactive))
	default:
		a.until = now.Add(i.o.CacheFor)
		if exp := a.response.Expiry; !exp.IsZero() && exp.Before(a.until) {
			a.until = exp
		}
	}
}

// makeRoom forgets answers until there is room for one more: those of a few that are over, or else one of them.
func (i *Introspector) makeRoom() {
	if len(i.answers) < i.o.CacheSize {
		return
	}
	var one [sha256.Size]byte
	now, looked := i.o.Clock(), 0
	for key, a := range i.answers { // in no order
		if one = key; a.over(now) {
			delete(i.answers, key)
		}
		if looked++; looked == 16 {
			break
		}
	}
	if len(i.answers) >= i.o.CacheSize {
		delete(i.answers, one)
	}
}

// ask asks the server.
func (i *Introspector) ask(ctx context.Context, raw string) (*introspection.Response, error) {
	form := introspection.Form(raw, "access_token")
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {i.o.Responses.Accept()}}
	if i.o.Authenticate != nil {
		if err := i.o.Authenticate(ctx, header, form); err != nil {
			return nil, err
		}
	}
	req := i.question.Clone(ctx)
	body := form.Encode()
	req.Header, req.Body, req.ContentLength = header, io.NopCloser(strings.NewReader(body)), int64(len(body))
	resp, err := i.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()                        // it was read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // no part of a longer one can be read
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		if e, err := oauth.ParseError(resp.StatusCode, answer); err == nil {
			return nil, fmt.Errorf("guard: the introspection endpoint: %w", e)
		}
		return nil, fmt.Errorf("guard: the introspection endpoint answers with status %d", resp.StatusCode)
	}
	return i.o.Responses.Read(ctx, resp.Header.Get("Content-Type"), answer)
}
