package jar

import (
	"context"
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/jotsuite/jot/oauth"
)

// Prefix is how the names of pushed requests begin (RFC 9126, Section 2.2).
const Prefix = "urn:ietf:params:oauth:request_uri:"

// MaxPushedLifetime is how long a pushed request is kept at most (RFC 9126, Section 2.2; FAPI 2.0 Security
// Profile, Section 5.3.2.2).
const MaxPushedLifetime = 600 * time.Second

// NewRequestURI returns a name for a pushed request that nobody can guess: it has 128 random bits or more (RFC 9101,
// Section 10.2; RFC 9126, Section 7.1).
func NewRequestURI() string { return Prefix + rand.Text() }

// Pushed has the requests that clients have pushed. It is safe for concurrent use.
type Pushed interface {
	// Take returns the parameters of the request that this client has pushed, and forgets them, in one step. They are nil
	// where there are none: the name is unknown, older than at most [MaxPushedLifetime], used, or of another
	// client, which must not use it up.
	Take(ctx context.Context, clientID, requestURI string) (url.Values, error)
}

// PushedCache is a [Pushed] in the memory of one process.
type PushedCache struct {
	lifetime time.Duration
	clock    func() time.Time

	mu   sync.Mutex
	size int
	live map[string]pushedRequest
	// ages are the names by age, the oldest first: all live equally long. What was taken stays until it would have expired.
	ages []aged
}

type pushedRequest struct {
	client     string
	parameters url.Values
	expiry     time.Time
}

type aged struct {
	uri    string
	expiry time.Time
}

// NewPushedCache makes a PushedCache for at most size requests, of up to 128 KiB each, that are kept for lifetime: zero
// means a minute. It panics if size is less than one, or lifetime negative or over [MaxPushedLifetime].
func NewPushedCache(size int, lifetime time.Duration) *PushedCache {
	if lifetime == 0 {
		lifetime = time.Minute
	}
	if size < 1 || lifetime < 0 || lifetime > MaxPushedLifetime {
		panic("jar: a cache of pushed requests has a size, and a lifetime of at most 600 s")
	}
	return &PushedCache{lifetime: lifetime, clock: time.Now, size: size, live: map[string]pushedRequest{}}
}

// Push keeps the request of a client that has authenticated, as [Verifier.Resolve] has returned its Parameters, and returns the
// request_uri and the expires_in of the answer (RFC 9126, Section 2.2). What is wrong is an *oauth.Error; when all of size are
// alive it is that of a server that is busy.
func (c *PushedCache) Push(_ context.Context, clientID string, p url.Values) (requestURI string, expiresIn time.Duration, err error) {
	if err := bounded(p); err != nil {
		return "", 0, err
	}
	// RFC 9126, Section 2.1, and RFC 9101, Section 6.3.
	if clientID == "" || len(p["client_id"]) != 1 || p.Get("client_id") != clientID {
		return "", 0, invalid(oauth.InvalidRequest, "client_id is not the client that has authenticated", nil)
	}
	// RFC 9126, Section 2.1: a pushed request does not refer to another; what a request object says has been taken out of it.
	if p.Has("request") || p.Has("request_uri") {
		return "", 0, invalid(oauth.InvalidRequest, "request and request_uri are no parameters of a pushed request", nil)
	}
	kept := make(url.Values, len(p))
	for name, values := range p {
		kept[name] = slices.Clone(values)
	}
	now := c.clock()
	r := pushedRequest{clientID, kept, now.Add(c.lifetime)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	if len(c.ages) >= c.size {
		return "", 0, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "too many requests are pushed", Status: http.StatusServiceUnavailable}
	}
	requestURI = NewRequestURI()
	c.live[requestURI] = r
	c.ages = append(c.ages, aged{requestURI, r.expiry})
	return requestURI, c.lifetime, nil
}

// expire forgets what is too old.
func (c *PushedCache) expire(now time.Time) {
	n := 0
	for n < len(c.ages) && !now.Before(c.ages[n].expiry) {
		delete(c.live, c.ages[n].uri)
		n++
	}
	c.ages = c.ages[n:] // append moves the rest to new memory when it has none left
}

// Take implements [Pushed].
func (c *PushedCache) Take(_ context.Context, clientID, requestURI string) (url.Values, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(c.clock())
	r, ok := c.live[requestURI]
	// RFC 9126, Section 2.2: it is bound to the client.
	if !ok || r.client != clientID {
		return nil, nil
	}
	delete(c.live, requestURI) // RFC 9126, Section 4: for one use
	return maps.Clone(r.parameters), nil
}
