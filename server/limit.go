package server

import (
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/oauth"
)

// Limits say how often the endpoints of OAuth may be asked. Who asks more often is answered with 429, Retry-After and
// temporarily_unavailable (RFC 6585, Section 4), and the request changes nothing. Each process counts by itself, in at most 2 MiB however many ask.
type Limits struct {
	// Address is for an address, or in IPv6 a network of 64 bits, of which one host has all addresses. It counts before anything of
	// the request is read.
	Address Rate
	// Private has Address count private networks and this machine too. What seems to be one address there is mostly a proxy or a
	// gateway, and all behind it would be counted as one.
	Private bool
	// Client is for a client that has authenticated, so that nobody uses up what is another's. Who only says a name, as public
	// clients do, is not counted.
	Client Rate
}

// Rate is how often something may happen. Its zero value is no limit.
type Rate struct {
	// PerSecond is how often it may happen on average.
	PerSecond float64
	// Burst is how often it may happen at once, after a time without. Zero is what may happen in a second.
	Burst int
}

// AddressHeader makes an Options.RemoteAddress for a server behind proxies, of which each adds to a header of that name whom it was asked by:
// X-Forwarded-For and its like, or Forwarded (RFC 7239). The header counts only as far as proxies have written it; what is left of that
// anyone could have, and where no proxy has sent the request, the header is not looked at.
func AddressHeader(name string, proxies ...netip.Prefix) func(*http.Request) netip.Addr {
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) netip.Addr {
		a := fetch.Sender(r.RemoteAddr)
		values := r.Header[name]
		for i := len(values) - 1; i >= 0; i-- {
			for rest, more := values[i], true; more; {
				if !fetch.Within(a, proxies) {
					return a
				}
				part := rest
				cut := strings.LastIndexByte(rest, ',')
				if more = cut >= 0; more {
					rest, part = rest[:cut], rest[cut+1:]
				}
				if name == "Forwarded" {
					part = forwardedFor(part)
				}
				next := address(strings.TrimSpace(part))
				if !next.IsValid() {
					return a // as "unknown" is none
				}
				a = next
			}
		}
		return a
	}
}

// forwardedFor returns the for of one element of Forwarded (RFC 7239, Section 4).
func forwardedFor(element string) string {
	for pair := range strings.SplitSeq(element, ";") {
		if name, value, _ := strings.Cut(pair, "="); strings.EqualFold(strings.TrimSpace(name), "for") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// address reads an address that may have a port.
func address(s string) netip.Addr {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a.Unmap().WithZone("")
	}
	return fetch.Sender(s)
}

var (
	errAddressRate = fault.New("limit.address", "RFC 6585, Section 4", "server: the address asks more often than Limits.Address allows")
	errClientRate  = fault.New("limit.client", "RFC 6585, Section 4", "server: the client asks more often than Limits.Client allows")
)

// The size of what a limiter remembers: shards that are locked each by itself, of sets that are searched whole.
const (
	limitShards = 256
	limitSets   = 32
	limitWays   = 8
)

// limiter counts by the generic cell rate algorithm: of each sender it has one time, until which what was asked is paid for. It remembers a fixed
// number of senders. When one more comes, the one is forgotten that has least to pay: most often nothing.
type limiter struct {
	seed   maphash.Seed
	every  int64 // nanoseconds that one request pays for
	most   int64 // how far ahead of now a sender may be
	shards [limitShards]struct {
		mu    sync.Mutex
		slots [limitSets * limitWays]limitSlot
	}
}

type limitSlot struct {
	key  uint64
	paid int64 // until when, in nanoseconds
}

// newLimiter makes the limiter of a rate, or nil where there is no limit.
func newLimiter(r Rate) (*limiter, error) {
	if r == (Rate{}) {
		return nil, nil
	}
	if !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 0) || r.Burst < 0 { // not even a NaN
		return nil, errOptions.With("a Rate has PerSecond over zero, and no negative Burst")
	}
	burst := float64(r.Burst)
	if burst == 0 {
		burst = math.Ceil(r.PerSecond)
	}
	every := float64(time.Second) / r.PerSecond
	if burst*every > float64(24*time.Hour) {
		return nil, errOptions.With("a Rate takes over a day to allow its Burst again")
	}
	l := &limiter{seed: maphash.MakeSeed(), every: max(int64(every), 1)}
	l.most = max(int64(burst*every), l.every)
	return l, nil
}

// take counts a request, or returns how long to wait until there may be one.
func (l *limiter) take(key uint64, now int64) time.Duration {
	shard := &l.shards[key%limitShards]
	first := key / limitShards % limitSets * limitWays
	shard.mu.Lock()
	defer shard.mu.Unlock()
	set := shard.slots[first : first+limitWays]
	at := &set[0]
	for i := range set {
		if set[i].key == key {
			at = &set[i]
			break
		}
		if set[i].paid < at.paid {
			at = &set[i]
		}
	}
	paid := now
	if at.key == key {
		paid = min(max(at.paid, now), now+l.most) // however far a clock was set back
	}
	if next := paid + l.every; next <= now+l.most {
		at.key, at.paid = key, next
		return 0
	}
	return time.Duration(paid + l.every - l.most - now)
}

// addressKey is that of an address, or in IPv6 of its network.
func (l *limiter) addressKey(a netip.Addr) uint64 {
	b := a.As16()
	if a.Is4() {
		return maphash.Bytes(l.seed, b[:])
	}
	return maphash.Bytes(l.seed, b[:8])
}

// newLimits makes what counts.
func (s *Server) newLimits() (err error) {
	if s.addresses, err = newLimiter(s.o.Limits.Address); err != nil {
		return err
	}
	s.clients, err = newLimiter(s.o.Limits.Client)
	return err
}

// countAddress counts a request of the sender's address.
func (q *request) countAddress() error {
	var a netip.Addr
	if q.o.RemoteAddress != nil {
		if a = q.o.RemoteAddress(q.r).Unmap(); a.IsValid() {
			q.event.Remote = a.String()
		}
	}
	if q.addresses == nil {
		return nil
	}
	if q.o.RemoteAddress == nil {
		a = fetch.Sender(q.r.RemoteAddr)
	}
	if !a.IsValid() || !q.o.Limits.Private && !fetch.Public(a) {
		return nil
	}
	return q.tooMany(q.addresses.take(q.addresses.addressKey(a), q.now.UnixNano()), errAddressRate)
}

// countClient counts a request of the client that has authenticated.
func (q *request) countClient() error {
	if q.clients == nil || q.client.method == methodNone {
		return nil
	}
	return q.tooMany(q.clients.take(maphash.String(q.clients.seed, q.client.ID), q.now.UnixNano()), errClientRate)
}

func (q *request) tooMany(wait time.Duration, cause error) error {
	if wait == 0 {
		return nil
	}
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	q.w.Header().Set("Retry-After", seconds)
	return &oauth.Error{
		Code: oauth.TemporarilyUnavailable, Description: "there are too many requests: try again in " + seconds + " s",
		Status: http.StatusTooManyRequests, Cause: cause,
	}
}
