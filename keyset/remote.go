package keyset

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/jose/jwk"
)

// NoStale as [Options.MaxStale] refuses keys as soon as they have expired.
const NoStale time.Duration = -1

const (
	maxDocument  = fetch.MaxBody
	firstRetry   = time.Second
	lastRetry    = time.Minute
	maxRetry     = 10 * time.Minute // what a server may ask for
	maxUnknown   = 1024
	unknownTimes = 5 // intervals for which a kid stays unknown
)

// Options say how keys are fetched and for how long they are used. The zero value is
// good.
type Options struct {
	// Binding says what the keys are bound to where they leave it open.
	Binding jwk.Binding

	// MinInterval is the least time between two fetches for tokens whose kid is unknown.
	// A kid that a fetch did not bring has no other fetch for it in five of them. Zero
	// means 30 s.
	MinInterval time.Duration
	// MinAge and MaxAge bound what the issuer says about how long its keys may be kept
	// (RFC 9111, Section 5.2.2.1); where it says nothing, it is MinAge. Zero means 5 minutes
	// and 1 hour.
	MinAge, MaxAge time.Duration
	// RefreshAhead is how long before their expiry keys are fetched again, if a token is
	// verified then: between the whole of it and a half, so that many instances do not
	// come at once. Zero means a fifth of their age.
	RefreshAhead time.Duration
	// MaxStale is how long after their expiry keys are used while no others can be had.
	// Zero means 1 hour.
	MaxStale time.Duration
	// Timeout is for the whole of a fetch. Zero means 10 s.
	Timeout time.Duration
	// File keeps the last good set, so that a program that starts during an outage has
	// it. It is for one source alone, and only its owner may write to it: who can, says
	// which keys are trusted.
	File string
	// Observe is told what has happened, after each fetch. It may be called by several
	// goroutines at once, and must not call Close.
	Observe func(Event)
	// Clock tells the time. Nil means [time.Now].
	Clock func() time.Time

	// RootCAs are who may certify the servers. Nil means the system's.
	RootCAs *x509.CertPool
	// Header is sent to the configured host and port, and to no other: an Authorization,
	// for example.
	Header http.Header
	// Proxy chooses a proxy, as in [http.Transport]. Nil means the environment's.
	Proxy func(*http.Request) (*url.URL, error)
	// FollowRedirects follows redirects that stay on the same scheme, host and port.
	FollowRedirects bool
	// Stranger says that the URL of a [Remote] is not configured but comes from a document,
	// such as the jwks_uri that a client has registered: only public addresses are dialled.
	Stranger bool
	// AllowNetworks and AllowHosts are where a stranger's URL, or a jwks_uri on another host
	// than the issuer's, may lead although it is not public, as in a cluster.
	AllowNetworks []netip.Prefix
	AllowHosts    []string

	real bool // Clock is time.Now
}

func (o Options) normalize() (Options, error) {
	for _, d := range []struct {
		is  *time.Duration
		def time.Duration
	}{
		{&o.MinInterval, 30 * time.Second},
		{&o.MinAge, 5 * time.Minute},
		{&o.MaxAge, max(time.Hour, o.MinAge)},
		{&o.RefreshAhead, 0},
		{&o.Timeout, 10 * time.Second},
	} {
		if *d.is < 0 {
			return o, errOptions.With("a time is negative")
		}
		if *d.is == 0 {
			*d.is = d.def
		}
	}
	switch o.MaxStale {
	case 0:
		o.MaxStale = time.Hour
	case NoStale:
		o.MaxStale = 0
	}
	switch {
	case o.MaxStale < 0:
		return o, errOptions.With("a time is negative")
	case o.MinAge > o.MaxAge:
		return o, errOptions.With("MinAge is longer than MaxAge")
	}
	if o.Clock == nil {
		o.Clock, o.real = time.Now, true
	}
	o.Header = o.Header.Clone()
	return o, nil
}

// operator returns the client for URLs that are configured.
func (o *Options) operator() *fetch.Client {
	return fetch.New(fetch.Options{RootCAs: o.RootCAs, Proxy: o.Proxy, Timeout: o.Timeout, FollowRedirects: o.FollowRedirects})
}

// guarded returns the client for URLs that are not.
func (o *Options) guarded() *fetch.Client {
	return fetch.New(fetch.Options{
		RootCAs: o.RootCAs, Proxy: o.Proxy, Timeout: o.Timeout, FollowRedirects: o.FollowRedirects,
		Guard: &fetch.Guard{Networks: slices.Clone(o.AllowNetworks), Hosts: slices.Clone(o.AllowHosts)},
	})
}

// request is how a set is asked for. Servers of plain files know no better type for a
// name without a suffix; HTML is an error page.
func request(url string, header http.Header, etag string) fetch.Request {
	return fetch.Request{
		URL: url, Header: header, ETag: etag,
		Types: []string{"application/jwk-set+json", "application/json"},
		Also:  []string{"+json", "text/json", "text/plain", "application/octet-stream", "binary/octet-stream"},
	}
}

// Remote has the keys of a JWK set at a URL. It is a [jwk.Source], safe for concurrent
// use; with keys that are fresh it takes no lock and allocates nothing.
type Remote struct{ core }

// NewRemote makes a Remote. It reads [Options.File] but fetches nothing yet. The URL
// is https, or http to this machine.
func NewRemote(url string, o Options) (*Remote, error) {
	o, err := o.normalize()
	if err != nil {
		return nil, err
	}
	client := o.operator()
	if o.Stranger {
		client = o.guarded()
	}
	if err := client.CheckURL(url); err != nil {
		return nil, failure(url, err)
	}
	r := new(Remote)
	r.core.start(url, o, func(ctx context.Context, etag string) (*fetch.Response, error) {
		resp, err := client.Get(ctx, request(url, o.Header, etag))
		if err != nil {
			return nil, failure(url, err)
		}
		return resp, nil
	})
	return r, nil
}

// failure gives the error of a fetch its code.
func failure(url string, err error) error {
	family := ErrUnreachable
	if errors.Is(err, fetch.ErrRefused) {
		family = ErrRefusedURL
	}
	return fmt.Errorf("%w: %s: %w", family, url, err)
}

// State is what a source of fetched keys has, at one moment.
type State struct {
	Source  string        // the URL or the issuer
	Keys    int           // how many keys can be used
	Skipped []jwk.Skipped // which cannot, and why
	Fetched time.Time     // when the issuer last said so; zero: never
	Expires time.Time     // until when they are fresh
	Until   time.Time     // until when they are used if no others can be had
	Stale   bool          // they have expired

	Failures int       // how many fetches have failed since the last good one
	Err      error     // what the last one failed with
	Next     time.Time // when the next may begin, if the last failed
}

// Event is a fetch that has ended, or a file that could not be read or written.
type Event struct {
	Source      string // the URL or the issuer
	Cause       string // why: "first", "refresh", "expired", "unknown kid", "asked" or "file"
	Took        time.Duration
	NotModified bool     // the issuer has confirmed what was known
	Added       []string // the kids of keys that are new, and of those that are gone
	Removed     []string
	Err         error // why it failed
	State       State // what there is now
}

// core is what all sources of fetched keys are.
type core struct {
	source string
	o      Options
	load   func(ctx context.Context, etag string) (*fetch.Response, error)
	snap   atomic.Pointer[snapshot]
	seed   maphash.Seed
	born   time.Time // zero where the clock is not time.Now

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	jobs   sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	flight    *flight
	attempted time.Time // when the last fetch began
	failures  int
	err       error     // of the last fetch
	next      time.Time // where it failed: not before
	unknown   map[uint64]time.Time
}

// snapshot is a set and its times. But for looked, it never changes.
type snapshot struct {
	*index
	skipped []jwk.Skipped
	data    []byte
	etag    string

	fetched, refresh, expires, until time.Time
	// Before check there is nothing to do but to answer, nor, by the monotonic clock,
	// before looked since the core was made.
	check  time.Time
	looked *atomic.Int64
}

// flight is a fetch.
type flight struct {
	done chan struct{}
	err  error // once it is done
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *core) start(source string, o Options, load func(context.Context, string) (*fetch.Response, error)) {
	c.source, c.o, c.load = source, o, load
	c.seed = maphash.MakeSeed()
	if o.real {
		c.born = time.Now()
	}
	c.unknown = map[uint64]time.Time{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if o.File == "" {
		return
	}
	s, err := c.readFile()
	switch {
	case err != nil:
		c.observe(Event{Cause: "file", Err: err})
	case s != nil:
		c.snap.Store(s)
	}
}

// Keys returns the keys that fit the query, by the rules of [jwk.Set.Keys]. Where none
// has the kid, it waits for a fetch, if one may begin.
func (c *core) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	a, err := c.find(ctx, &q)
	if err != nil {
		return nil, err
	}
	return a.keys, a.err
}

func (c *core) find(ctx context.Context, q *jwk.Query) (*answer, error) {
	s := c.snap.Load()
	if s == nil || !c.quiet(s) {
		var err error
		if s, err = c.current(ctx, c.o.Clock()); err != nil {
			return nil, err
		}
	}
	a := s.lookUp(q)
	if a.err != nil && errors.Is(a.err, jwk.ErrNoKey) {
		renewed, err := c.renew(ctx, s, *q, c.o.Clock())
		if err != nil {
			return nil, err
		}
		if renewed != s {
			a = renewed.lookUp(q)
		}
	}
	return a, nil
}

// quiet reports whether there is nothing to do but to answer. The time of day costs as
// much as all the rest, so that it is read once in a second of the monotonic clock,
// which costs half of that but stands still while a machine sleeps.
func (c *core) quiet(s *snapshot) bool {
	var since time.Duration
	if !c.born.IsZero() {
		if since = time.Since(c.born); int64(since) < s.looked.Load() {
			return true
		}
	}
	left := s.check.Sub(c.o.Clock())
	if left > 0 && !c.born.IsZero() {
		s.looked.Store(int64(since + min(left, time.Second)))
	}
	return left > 0
}

// Set returns all the keys, those for encryption too. It must not be asked in place of
// Keys: a set that was returned stays as it is.
func (c *core) Set(ctx context.Context) (jwk.Set, error) {
	s, err := c.current(ctx, c.o.Clock())
	if err != nil {
		return nil, err
	}
	return slices.Clone(s.set), nil
}

// Refresh fetches the keys now, whatever their age, or joins the fetch in flight.
func (c *core) Refresh(ctx context.Context) error {
	c.mu.Lock()
	f := c.flight
	if f == nil {
		if c.closed {
			c.mu.Unlock()
			return errClosed
		}
		f = c.begin(c.o.Clock(), "asked")
	}
	c.mu.Unlock()
	if err := f.wait(ctx); err != nil {
		return err
	}
	return f.err
}

// Close ends the fetch in flight, waits for it, and lets no other begin. The keys that
// are there go on to be used for as long as they may.
func (c *core) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.jobs.Wait()
	return nil
}

// State returns what there is now. It fetches nothing.
func (c *core) State() State {
	now := c.o.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := State{Source: c.source, Failures: c.failures, Err: c.err, Next: c.next}
	if s := c.snap.Load(); s != nil {
		out.Keys, out.Skipped = len(s.set), slices.Clone(s.skipped)
		out.Fetched, out.Expires, out.Until = s.fetched, s.expires, s.until
		out.Stale = !now.Before(s.expires)
	}
	return out
}

// current returns a set that may be used now. It waits only where there is none, or
// where it has expired and nothing is known to be wrong with the issuer.
func (c *core) current(ctx context.Context, now time.Time) (*snapshot, error) {
	c.mu.Lock()
	s := c.snap.Load()
	if s != nil && now.Before(s.check) {
		c.mu.Unlock()
		return s, nil
	}
	usable := s != nil && now.Before(s.until)
	expired := usable && !now.Before(s.expires)
	f := c.flight
	if f == nil && c.may(now) {
		cause := "first"
		switch {
		case expired:
			cause = "expired"
		case usable:
			cause = "refresh"
		}
		f = c.begin(now, cause)
	}
	wait := f != nil && (!usable || expired && c.failures == 0)
	if !wait && usable {
		s = c.postpone(s)
	}
	err := c.err
	c.mu.Unlock()

	if wait {
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
		s, err = c.snap.Load(), f.err
		usable = s != nil && c.o.Clock().Before(s.until)
	}
	switch {
	case usable:
		return s, nil
	case err == nil:
		err = errClosed
	}
	if s != nil {
		err = fmt.Errorf("%w: %w", ErrStale, err)
	}
	return nil, err
}

var errClosed = errUnreachable.With("the source is closed")

// may reports whether a fetch may begin.
func (c *core) may(now time.Time) bool { return !c.closed && !now.Before(c.next) }

// postpone publishes s with the time when something is to be done again, so that until
// then nobody takes the lock.
func (c *core) postpone(s *snapshot) *snapshot {
	p := *s
	p.looked = new(atomic.Int64)
	switch {
	case c.flight != nil && c.failures == 0:
		p.check = s.expires // then they wait for it
	case c.flight == nil && !c.closed:
		p.check = earlier(later(c.next, s.refresh), s.until)
	default:
		p.check = s.until
	}
	c.snap.Store(&p)
	return &p
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// renew returns a newer set than s, which has no key for the query, or s.
func (c *core) renew(ctx context.Context, s *snapshot, q jwk.Query, now time.Time) (*snapshot, error) {
	id := maphash.Comparable(c.seed, keyQuery{q.KeyID, q.Algorithm})
	c.mu.Lock()
	if newer := c.snap.Load(); newer.index != s.index {
		c.mu.Unlock()
		return newer, nil
	}
	if now.Before(c.unknown[id]) {
		c.mu.Unlock()
		return s, nil
	}
	f := c.flight
	if f == nil {
		if now.Before(c.attempted.Add(c.o.MinInterval)) || !c.may(now) {
			// While the issuer cannot be reached, nobody knows whether the key is its.
			defer c.mu.Unlock()
			return s, c.err
		}
		f = c.begin(now, "unknown kid")
	}
	c.mu.Unlock()
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	s = c.snap.Load()
	if a := s.find(q); a.err != nil && errors.Is(a.err, jwk.ErrNoKey) {
		c.remember(id)
	}
	return s, nil
}

// remember notes a kid that the issuer does not have. What is kept is a hash of it, and
// of a flood of them only some.
func (c *core) remember(id uint64) {
	now := c.o.Clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unknown) >= maxUnknown {
		for other, until := range c.unknown {
			if !now.Before(until) {
				delete(c.unknown, other)
			}
		}
	}
	if len(c.unknown) < maxUnknown {
		c.unknown[id] = now.Add(unknownTimes * c.o.MinInterval)
	}
}

// begin begins a fetch, which goes on whatever becomes of the caller. The lock is held.
func (c *core) begin(now time.Time, cause string) *flight {
	f := &flight{done: make(chan struct{})}
	c.flight, c.attempted = f, now.Round(0)
	c.jobs.Add(1)
	go c.run(f, cause)
	return f
}

func (c *core) run(f *flight, cause string) {
	defer c.jobs.Done()
	began := time.Now()
	old := c.snap.Load()
	etag := ""
	if old != nil {
		etag = old.etag
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.o.Timeout)
	defer cancel()
	resp, err := c.load(ctx, etag)
	var s *snapshot
	if err == nil {
		s, err = c.read(old, resp)
	}

	now := c.o.Clock().Round(0)
	c.mu.Lock()
	if err == nil {
		s.live(now, resp, &c.o)
		c.failures, c.err, c.next = 0, nil, time.Time{}
		c.snap.Store(s)
	} else {
		c.failures++
		c.err, c.next = err, now.Add(c.backoff(err))
		if old != nil {
			c.flight = nil
			c.postpone(old)
		}
	}
	c.flight = nil
	f.err = err
	c.mu.Unlock()
	close(f.done)

	e := Event{Cause: cause, Took: time.Since(began), Err: err}
	if err == nil {
		e.NotModified = resp.NotModified
		e.Added, e.Removed = difference(old, s), difference(s, old)
		if c.o.File != "" {
			if err := c.writeFile(s); err != nil {
				c.observe(Event{Cause: "file", Err: err})
			}
		}
	}
	c.observe(e)
}

func (c *core) observe(e Event) {
	if c.o.Observe != nil {
		e.Source, e.State = c.source, c.State()
		c.o.Observe(e)
	}
}

// read makes a snapshot of what was fetched. What has not changed stays the same keys,
// which those who remember tokens recognise.
func (c *core) read(old *snapshot, resp *fetch.Response) (*snapshot, error) {
	if resp.NotModified {
		s := *old
		s.etag = resp.ETag
		return &s, nil
	}
	if old != nil && string(old.data) == string(resp.Body) {
		s := *old
		s.etag = resp.ETag
		return &s, nil
	}
	set, skipped, err := readSet(resp.Body, c.o.Binding)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreachable, c.source, err)
	}
	return &snapshot{index: newIndex(set), skipped: skipped, data: resp.Body, etag: resp.ETag}, nil
}

// live sets the times of a set that was fetched now.
func (s *snapshot) live(now time.Time, resp *fetch.Response, o *Options) {
	age := o.MinAge
	if resp.Explicit {
		age = min(max(resp.Fresh, o.MinAge), o.MaxAge)
	}
	s.fetched, s.expires = now, now.Add(age)
	s.plan(o)
}

// plan sets the times that follow from those of the fetch and the expiry.
func (s *snapshot) plan(o *Options) {
	age := s.expires.Sub(s.fetched)
	ahead := min(o.RefreshAhead, age)
	if o.RefreshAhead == 0 {
		ahead = age / 5
	}
	s.refresh = s.expires.Add(-jitter(ahead))
	s.until = s.expires.Add(o.MaxStale)
	s.check, s.looked = s.refresh, new(atomic.Int64)
}

// jitter returns a time between d and its half.
func jitter(d time.Duration) time.Duration {
	if d < 2 {
		return d
	}
	return d - rand.N(d/2)
}

// backoff returns how long to leave the issuer alone.
func (c *core) backoff(err error) time.Duration {
	d := jitter(min(min(firstRetry, c.o.MinInterval)<<min(c.failures-1, 16), lastRetry))
	if e, ok := errors.AsType[*fetch.StatusError](err); ok {
		d = max(d, min(e.RetryAfter, maxRetry))
	}
	return d
}

// difference returns the kids that b has and a has not.
func difference(a, b *snapshot) []string {
	if b == nil || a != nil && a.index == b.index {
		return nil
	}
	var kids []string
	for kid := range b.kids {
		if a == nil || a.kids[kid] == nil {
			kids = append(kids, kid)
		}
	}
	slices.Sort(kids)
	return kids
}

// thumbprint is the "x5t#S256" of a certificate (RFC 7515, Section 4.1.8).
func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return b64url.EncodeToString(sum[:])
}

var errExposedKey = jwk.ErrPrivate.(*fault.Error).With("it is published, so that it is no secret")
