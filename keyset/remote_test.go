package keyset_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

func TestRemoteRotation(t *testing.T) {
	clock, rec := newClock(), newRecord()
	one, two := keyNamed(t, "1"), keyNamed(t, "2")
	s := newServer(t, one.Public())
	o := options(clock)
	o.Observe = rec.note
	r := remote(t, s.URL+"/jwks", o)

	if got := r.State(); !got.Fetched.IsZero() || got.Keys != 0 || s.count("/jwks") != 0 {
		t.Error("fetched before it was asked", got)
	}
	ask(t, r, "1", "")
	e := rec.next(t)
	if e.Cause != "first" || e.Err != nil || !slices.Equal(e.Added, []string{"1"}) || e.Removed != nil || e.NotModified ||
		e.Source != s.URL+"/jwks" || e.State.Keys != 1 || e.Took <= 0 {
		t.Errorf("%+v", e)
	}
	st := r.State()
	if !st.Fetched.Equal(clock.Now()) || st.Expires.Sub(st.Fetched) != 5*time.Minute || st.Until.Sub(st.Expires) != time.Hour || st.Stale {
		t.Errorf("%+v", st)
	}

	// The key is exchanged: the new one is found by one fetch, and the old one is refused then.
	s.publish(two.Public())
	ask(t, r, "2", "key.none") // within the interval
	clock.Add(30 * time.Second)
	ask(t, r, "1", "")
	ask(t, r, "2", "")
	ask(t, r, "1", "key.none")
	if n := s.count("/jwks"); n != 2 {
		t.Errorf("%d fetches", n)
	}
	if e := rec.next(t); e.Cause != "unknown kid" || !slices.Equal(e.Added, []string{"2"}) || !slices.Equal(e.Removed, []string{"1"}) {
		t.Errorf("%+v", e)
	}

	// Without a token of the new key, the old one is refused when its set has expired.
	s.publish(one.Public())
	clock.Add(5 * time.Minute)
	ask(t, r, "2", "key.none")
	if e := rec.next(t); e.Cause != "expired" {
		t.Errorf("%+v", e)
	}
	noGoroutines(t)
}

// Ahead of the expiry the set is fetched beside the tokens, which do not wait.
func TestRemoteRefreshAhead(t *testing.T) {
	clock, rec := newClock(), newRecord()
	one, two := keyNamed(t, "1"), keyNamed(t, "2")
	s := newServer(t, one.Public())
	o := options(clock)
	o.Observe, o.RefreshAhead = rec.note, time.Minute
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	rec.next(t)

	clock.Add(4*time.Minute - time.Millisecond)
	ask(t, r, "1", "")
	if s.count("/jwks") != 1 {
		t.Error("fetched too early")
	}
	clock.Add(30*time.Second + time.Millisecond) // half of what is ahead is the latest
	gate := make(chan struct{})
	s.with(func() { s.gate, s.keys = gate, []jwk.Key{two.Public()} })
	for range 100 {
		ask(t, r, "1", "") // while the answer waits
	}
	close(gate)
	if e := rec.next(t); e.Cause != "refresh" || s.count("/jwks") != 2 {
		t.Errorf("%+v, %d fetches", e, s.count("/jwks"))
	}
	ask(t, r, "2", "")
	ask(t, r, "1", "key.none")
}

// Instances that began together do not refresh together.
func TestRemoteRefreshJitter(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	early := 0
	for range 40 {
		rec := newRecord()
		o := options(clock)
		o.Observe, o.RefreshAhead = rec.note, 2*time.Minute
		r := remote(t, s.URL+"/jwks", o)
		ask(t, r, "1", "")
		rec.next(t)
		clock.Add(3*time.Minute + 30*time.Second)
		ask(t, r, "1", "")
		_ = r.Close()
		early += len(rec.c)
	}
	if early == 0 || early == 40 {
		t.Errorf("%d of 40 refresh in the first half of the time", early)
	}
}

func TestRemoteExpiry(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{
		{"", 5 * time.Minute},
		{"max-age=600", 10 * time.Minute},
		{"max-age=1", 5 * time.Minute},
		{"no-store", 5 * time.Minute},
		{"max-age=99999999", time.Hour},
	} {
		clock := newClock()
		s := newServer(t, keyNamed(t, "1").Public())
		s.header.Set("Cache-Control", tc.header)
		r := remote(t, s.URL+"/jwks", options(clock))
		ask(t, r, "1", "")
		if st := r.State(); st.Expires.Sub(st.Fetched) != tc.want {
			t.Errorf("%q: %v, want %v", tc.header, st.Expires.Sub(st.Fetched), tc.want)
		}
	}
	o := options(newClock())
	o.MinAge, o.MaxAge = 2*time.Minute, 3*time.Minute
	s := newServer(t, keyNamed(t, "1").Public())
	s.header.Set("Cache-Control", "max-age=600")
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	if st := r.State(); st.Expires.Sub(st.Fetched) != 3*time.Minute {
		t.Errorf("%+v", st)
	}
}

func TestRemoteNotModified(t *testing.T) {
	clock, rec := newClock(), newRecord()
	one := keyNamed(t, "1")
	s := newServer(t, one.Public())
	s.etag = true
	o := options(clock)
	o.Observe = rec.note
	r := remote(t, s.URL+"/jwks", o)
	before, err := r.Keys(ctx, query("1"))
	if err != nil {
		t.Fatal(err)
	}
	rec.next(t)
	for _, etag := range []bool{true, false} { // without one, the same bytes are the same keys, too
		s.with(func() { s.etag = etag })
		clock.Add(time.Hour)
		after, err := r.Keys(ctx, query("1"))
		if err != nil || after[0] != before[0] {
			t.Error("the key is another one", err)
		}
		if e := rec.next(t); e.NotModified != etag || e.Added != nil || e.Removed != nil || !e.State.Fetched.Equal(clock.Now()) {
			t.Errorf("%+v", e)
		}
	}
}

// However many ask at once, and for whatever, one fetch is in flight, and tokens with
// invented kids cause one in each interval.
func TestRemoteFlood(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	r := remote(t, s.URL+"/jwks", options(clock))
	flood := func(round int) {
		var wait sync.WaitGroup
		var refused, served atomic.Int32
		for i := range 10_000 {
			wait.Go(func() {
				switch _, err := r.Keys(ctx, query(fmt.Sprint("random", round, i))); {
				case errors.Is(err, jwk.ErrNoKey):
					refused.Add(1)
				default:
					t.Error(err)
				}
				if _, err := r.Keys(ctx, query("1")); err == nil {
					served.Add(1)
				}
			})
		}
		wait.Wait()
		if refused.Load() != 10_000 || served.Load() != 10_000 {
			t.Error(refused.Load(), served.Load())
		}
	}
	flood(0)
	if n := s.count("/jwks"); n != 1 {
		t.Errorf("%d fetches at the start", n)
	}
	for i := range 2 {
		clock.Add(30 * time.Second)
		before := s.count("/jwks")
		flood(i + 1)
		if n := s.count("/jwks") - before; n != 1 {
			t.Errorf("%d fetches in an interval", n)
		}
	}
	noGoroutines(t)
}

// The same through a verifier, where a random kid is a refused token.
func TestVerifierFlood(t *testing.T) {
	clock := newClock()
	key, stranger := keyNamed(t, "1"), keyNamed(t, "")
	s := newServer(t, key.Public())
	r := remote(t, s.URL+"/jwks", options(clock))
	v, err := jwt.NewVerifier[struct{}](r, jwt.Policy{Issuers: []string{"a"}, AnyAudience: true, Clock: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.Registered{Issuer: "a", Expiry: clock.Now().Add(time.Hour)}
	good, err := jwt.Sign(ctx, key, jwt.Header{}, claims, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			for i := range 30 {
				raw, err := jwt.Sign(ctx, stranger, jwt.Header{KeyID: fmt.Sprint("random", i)}, claims, struct{}{})
				if err != nil {
					t.Error(err)
				}
				if _, err = v.Verify(ctx, raw); !errors.Is(err, jwt.ErrNoKey) {
					t.Error(err)
				}
				if _, err := v.Verify(ctx, good); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if n := s.count("/jwks"); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// A kid that a fetch did not bring has no fetch for it in the next intervals.
func TestRemoteNegativeCache(t *testing.T) {
	clock := newClock()
	one, late := keyNamed(t, "1"), keyNamed(t, "late")
	s := newServer(t, one.Public())
	s.header.Set("Cache-Control", "max-age=3600")
	r := remote(t, s.URL+"/jwks", options(clock))
	ask(t, r, "1", "")
	clock.Add(30 * time.Second)
	ask(t, r, "late", "key.none")
	if s.count("/jwks") != 2 {
		t.Fatal(s.count("/jwks"))
	}
	s.publish(one.Public(), late.Public())
	for range 4 {
		clock.Add(30 * time.Second)
		ask(t, r, "late", "key.none")
	}
	if s.count("/jwks") != 2 {
		t.Error(s.count("/jwks"), "fetches for a kid that is known to be unknown")
	}
	// With another algorithm it is another key.
	if _, err := r.Keys(ctx, jwk.Query{Algorithm: "ES256", KeyID: "late"}); !errors.Is(err, jwk.ErrAlgorithm) {
		t.Error(err)
	}
	ask(t, r, "late", "") // which that fetch has brought
	if s.count("/jwks") != 3 {
		t.Error(s.count("/jwks"))
	}
	s.publish(one.Public())
	clock.Add(30 * time.Second)
	ask(t, r, "gone", "key.none")
	ask(t, r, "late", "key.none")
	s.publish(one.Public(), late.Public())
	clock.Add(150 * time.Second) // five intervals
	ask(t, r, "late", "")
}

// During an outage the last good set is used until the bound, and that can be seen.
func TestRemoteOutage(t *testing.T) {
	for name, fail := range map[string]http.HandlerFunc{
		"500":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[{"kty":`) },
		"short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			_, _ = io.WriteString(w, `{"keys":[]}`)
		},
		"long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[],"x":"`+strings.Repeat("x", 1<<20)+`"}`)
		},
		"dropped": func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_ = c.Close()
		},
		"redirect":     func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"HTML":         func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"no set":       func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) },
		"duplicate":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"keys":[],"keys":[]}`) },
		"304, unasked": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
	} {
		t.Run(name, func(t *testing.T) {
			clock, rec := newClock(), newRecord()
			s := newServer(t, keyNamed(t, "1").Public())
			o := options(clock)
			o.Observe, o.MinAge, o.MaxAge, o.MaxStale = rec.note, time.Minute, time.Minute, 10*time.Minute
			r := remote(t, s.URL+"/jwks", o)
			ask(t, r, "1", "")
			rec.next(t)
			fetched := clock.Now()
			s.down(fail)

			// Sixty-one seconds later the outage is seen; from then on there are ten minutes.
			failures := 0
			for elapsed := time.Duration(0); elapsed < 11*time.Minute; elapsed += 5 * time.Second {
				before := s.count("/jwks")
				ask(t, r, "1", "")
				// Those who find it expired wait for the first attempt; later ones are beside them.
				if st := r.State(); st.Stale != !clock.Now().Before(fetched.Add(time.Minute)) {
					t.Fatalf("%v: %+v", elapsed, st)
				}
				settle(t, r, rec, &failures)
				if n := s.count("/jwks") - before; n > 1 {
					t.Errorf("%d attempts at %v", n, elapsed)
				}
				clock.Add(5 * time.Second)
			}
			if failures < 10 || failures > 40 {
				t.Errorf("%d attempts in ten minutes", failures)
			}
			st := r.State()
			if st.Keys != 1 || st.Failures != failures || st.Err == nil || !st.Next.After(fetched) || !st.Stale {
				t.Errorf("%+v", st)
			}
			ask(t, r, "1", "keys.stale")
			if _, err := r.Keys(ctx, query("1")); !errors.Is(err, keyset.ErrStale) || !errors.Is(err, keyset.ErrUnreachable) {
				t.Error(err)
			}
			if _, err := r.Set(ctx); !errors.Is(err, keyset.ErrStale) {
				t.Error(err)
			}

			// The end of the outage is noticed within the longest wait.
			s.down(nil)
			clock.Add(time.Minute)
			ask(t, r, "1", "")
			if st := r.State(); st.Failures != 0 || st.Err != nil || st.Stale || !st.Next.IsZero() {
				t.Errorf("%+v", st)
			}
		})
	}
}

// settle waits for the attempt in flight, if there is one.
func settle(t *testing.T, r *keyset.Remote, rec *record, failures *int) {
	t.Helper()
	for keyset.InFlight(r) {
		time.Sleep(time.Millisecond)
	}
	for len(rec.c) > 0 || r.State().Failures > *failures {
		if e := rec.next(t); e.Err == nil {
			t.Errorf("%+v", e)
		}
		*failures++
	}
}

func TestRemoteNoStale(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(clock)
	o.MaxStale = keyset.NoStale
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	s.down(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	clock.Add(5*time.Minute - time.Millisecond)
	ask(t, r, "1", "")
	clock.Add(time.Minute)
	ask(t, r, "1", "keys.stale")
}

// Where nothing was ever fetched, attempts come ever less often, and those between
// fail at once with what is wrong.
func TestRemoteUnreachable(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	s.down(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	r := remote(t, s.URL+"/jwks", options(clock))
	var last time.Duration
	var gaps []time.Duration
	for elapsed := time.Duration(0); elapsed < 10*time.Minute; elapsed += 250 * time.Millisecond {
		n := s.count("/jwks")
		_, err := r.Keys(ctx, query("1"))
		wantCode(t, err, "keys.unreachable")
		if !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), s.URL) {
			t.Error(err)
		}
		if s.count("/jwks") > n {
			gaps, last = append(gaps, elapsed-last), elapsed
		}
		clock.Add(250 * time.Millisecond)
	}
	if len(gaps) < 14 || len(gaps) > 28 {
		t.Errorf("%d attempts in ten minutes: %v", len(gaps), gaps)
	}
	for i, gap := range gaps[1:] {
		most := min(time.Second<<i, time.Minute)
		if gap < most/2 || gap > most+250*time.Millisecond {
			t.Errorf("attempt %d after %v, want %v to %v", i+1, gap, most/2, most)
		}
	}
	if n := r.State().Failures; n != len(gaps) {
		t.Errorf("%d failures", n)
	}
}

func TestRemoteRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{"120": 2 * time.Minute, "999999": 10 * time.Minute} {
		clock := newClock()
		s := newServer(t, keyNamed(t, "1").Public())
		s.down(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(429)
		})
		r := remote(t, s.URL+"/jwks", options(clock))
		ask(t, r, "1", "keys.unreachable")
		if got := r.State().Next.Sub(clock.Now()); got != want {
			t.Errorf("%v, want %v", got, want)
		}
		clock.Add(want - time.Second)
		ask(t, r, "1", "keys.unreachable")
		if s.count("/jwks") != 1 {
			t.Error("not left alone")
		}

		// Nor is one that has keys bothered for an unknown kid.
		s.down(nil)
		clock.Add(time.Second)
		ask(t, r, "1", "")
		s.down(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(429)
		})
		clock.Add(time.Minute)
		ask(t, r, "2", "keys.unreachable")
		n := s.count("/jwks")
		clock.Add(time.Minute)
		ask(t, r, "2", "keys.unreachable")
		if s.count("/jwks") != n {
			t.Error("not left alone")
		}
	}
}

// A token with an unknown kid is nobody's fault while the issuer cannot be asked, and
// its key may exist.
func TestRemoteUnknownInOutage(t *testing.T) {
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(clock)
	o.Observe = rec.note
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	s.down(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	clock.Add(30 * time.Second)
	for range 100 {
		ask(t, r, "2", "keys.unreachable")
		ask(t, r, "1", "")
	}
	if n := s.count("/jwks"); n != 2 {
		t.Errorf("%d fetches", n)
	}
	// The set is fresh: what was tried for the unknown kid is not tried again for others.
	for range 29 {
		clock.Add(time.Second)
		ask(t, r, "1", "")
		ask(t, r, "2", "keys.unreachable")
	}
	if n := s.count("/jwks"); n != 2 {
		t.Errorf("%d fetches in an interval", n)
	}
	s.down(nil)
	clock.Add(time.Second)
	ask(t, r, "2", "key.none")
}

// A caller leaves when its context ends; the fetch that it began goes on.
func TestRemoteContexts(t *testing.T) {
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	gate := make(chan struct{})
	s.gate = gate
	o := options(clock)
	o.Observe = rec.note
	r := remote(t, s.URL+"/jwks", o)

	short, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			if _, err := r.Keys(short, query("1")); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	patient := make(chan error)
	go func() {
		_, err := r.Keys(ctx, query("1"))
		patient <- err
	}()
	for s.count("/jwks") == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wait.Wait()
	if err := r.Refresh(short); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := r.Set(short); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	if err := <-patient; err != nil {
		t.Error(err)
	}
	if e := rec.next(t); e.Err != nil || s.count("/jwks") != 1 {
		t.Errorf("%+v, %d fetches", e, s.count("/jwks"))
	}
	// An ended context takes nothing from who needs not wait.
	if _, err := r.Keys(short, query("1")); err != nil {
		t.Error(err)
	}
	gate = make(chan struct{})
	s.with(func() { s.gate = gate })
	clock.Add(time.Minute)
	if _, err := r.Keys(short, query("2")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(gate)
	rec.next(t)
	noGoroutines(t)
}

// A server that hangs costs a fetch its time limit, and those with keys nothing.
func TestRemoteHangs(t *testing.T) {
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(clock)
	// The keys come from a file, since a busy machine may need longer than that for one fetch.
	o.Observe, o.File = rec.note, filepath.Join(t.TempDir(), "keys.json")
	ask(t, remote(t, s.URL+"/jwks", o), "1", "")
	rec.next(t)
	o.Timeout = 50 * time.Millisecond
	r := remote(t, s.URL+"/jwks", o)
	s.with(func() { s.gate = make(chan struct{}) }) // which is never closed
	clock.Add(4*time.Minute + 40*time.Second)
	ask(t, r, "1", "") // beside the fetch
	if e := rec.next(t); e.Cause != "refresh" || e.Err == nil || code(e.Err) != "keys.unreachable" {
		t.Errorf("%+v", e)
	}
	clock.Add(5 * time.Minute) // past the expiry; a failure is known, so nobody waits for the next attempt
	ask(t, r, "1", "")
	rec.next(t)
	noGoroutines(t)
}

func TestRemoteClose(t *testing.T) {
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(clock)
	o.Observe = rec.note
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	rec.next(t)
	s.with(func() { s.gate = make(chan struct{}) })
	clock.Add(4*time.Minute + 40*time.Second)
	ask(t, r, "1", "")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if e := rec.next(t); !errors.Is(e.Err, context.Canceled) {
		t.Errorf("%+v", e)
	}
	noGoroutines(t)
	n := s.count("/jwks")
	clock.Add(time.Hour) // it has expired, and is used for as long as in an outage
	ask(t, r, "1", "")
	clock.Add(5 * time.Minute)
	ask(t, r, "1", "keys.stale")
	if err := r.Refresh(ctx); code(err) != "keys.unreachable" || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
	if s.count("/jwks") != n || len(rec.c) != 0 {
		t.Error("a fetch after Close")
	}

	never := remote(t, s.URL+"/jwks", o)
	if err := errors.Join(never.Close(), never.Close()); err != nil {
		t.Error(err)
	}
	ask(t, never, "1", "keys.unreachable")
}

func TestRemoteRefresh(t *testing.T) {
	clock := newClock()
	one, two := keyNamed(t, "1"), keyNamed(t, "2")
	s := newServer(t, one.Public())
	r := remote(t, s.URL+"/jwks", options(clock))
	ask(t, r, "1", "")
	s.publish(two.Public())
	if err := r.Refresh(ctx); err != nil {
		t.Error(err)
	}
	ask(t, r, "2", "")
	s.down(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	wantCode(t, r.Refresh(ctx), "keys.unreachable")
	s.down(nil)
	if err := r.Refresh(ctx); err != nil { // however lately the last one failed
		t.Error(err)
	}
}

func TestRemoteSet(t *testing.T) {
	enc := `{"kty":"EC","crv":"P-256","use":"enc","kid":"e","alg":"ECDH-ES","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}`
	s := newServer(t)
	s.raw = `{"keys":[` + enc + `]}`
	r := remote(t, s.URL+"/jwks", options(newClock()))
	set, err := r.Set(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := set.Encrypters(jwk.Query{Algorithm: "ECDH-ES", KeyID: "e"})
	if err != nil || len(keys) != 1 {
		t.Error(keys, err)
	}
	set[0] = nil // which is the caller's own
	if again, err := r.Set(ctx); err != nil || again[0] == nil {
		t.Error(err)
	}
}

// Headers go to the configured server, over the URL that is configured.
func TestRemoteHeader(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	var seen []string
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"), r.Header.Get("Accept"))
		inner.ServeHTTP(w, r)
	})
	o := options(newClock())
	o.Header = http.Header{"Authorization": {"Bearer t"}}
	r := remote(t, s.URL+"/jwks", o)
	o.Header.Set("Authorization", "changed later")
	ask(t, r, "1", "")
	if want := []string{"Bearer t", "application/jwk-set+json, application/json, */*;q=0.1"}; !slices.Equal(seen, want) {
		t.Errorf("%q", seen)
	}
}

func TestRemoteRedirect(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/jwks", http.StatusMovedPermanently)
			return
		}
		inner.ServeHTTP(w, r)
	})
	ask(t, remote(t, s.URL+"/old", options(newClock())), "1", "keys.unreachable")
	o := options(newClock())
	o.FollowRedirects = true
	ask(t, remote(t, s.URL+"/old", o), "1", "")
}

func TestRemoteRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"": "keys.refused_url", "http://as.example/jwks": "keys.refused_url", "file:///etc/passwd": "keys.refused_url",
		"https://user:secret@as.example/jwks": "keys.refused_url", "https://as.example/jwks": "",
	} {
		_, err := keyset.NewRemote(url, keyset.Options{})
		wantCode(t, err, want)
		if want != "" && !errors.Is(err, keyset.ErrRefusedURL) {
			t.Error(err)
		}
	}
	for name, o := range map[string]keyset.Options{
		"MinInterval":  {MinInterval: -1},
		"MinAge":       {MinAge: -1},
		"MaxAge":       {MaxAge: -1},
		"RefreshAhead": {RefreshAhead: -1},
		"Timeout":      {Timeout: -1},
		"MaxStale":     {MaxStale: -2},
		"order":        {MinAge: 2, MaxAge: 1},
		"order, other": {MaxAge: time.Minute},
	} {
		_, err := keyset.NewRemote("https://as.example/jwks", o)
		wantCode(t, err, "keys.options")
		if !errors.Is(err, keyset.ErrOptions) {
			t.Error(name, err)
		}
	}
	if _, err := keyset.NewRemote("https://as.example/jwks", keyset.Options{MinAge: 2 * time.Hour}); err != nil {
		t.Error(err)
	}
	_, err := keyset.NewRemote("https://as.example/jwks", keyset.Options{MinInterval: -1})
	wantCode(t, err, "keys.options")
}

// Nothing that is dialled escapes a proxy that fails.
func TestRemoteProxy(t *testing.T) {
	broken := errors.New("no proxy today")
	o := options(newClock())
	o.Proxy = func(*http.Request) (*url.URL, error) { return nil, broken }
	r := remote(t, "https://as.example/jwks", o)
	if _, err := r.Keys(ctx, query("1")); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// What a warm Remote answers is what a fixed set answers.
func TestRemoteAnswersAsASet(t *testing.T) {
	ed, none, es := keyNamed(t, "1"), keyNamed(t, ""), generate(t, jwa.ES256)
	again := keyNamed(t, "1")
	var many []jwk.Key
	for range 5 {
		many = append(many, keyNamed(t, "many").Public())
	}
	keys := append(jwk.Set{ed.Public(), none.Public(), es.Public(), again.Public()}, many...)
	certified, _, err := jwk.ParseSet([]byte(certifiedSet), jwk.Binding{})
	if err != nil || len(certified) != 3 {
		t.Fatal(certified, err)
	}
	keys = append(keys, certified...)
	s := newServer(t, keys...)
	r := remote(t, s.URL+"/jwks", options(newClock()))
	fixed, err := r.Set(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"", "1", "many", "stranger", es.KeyID(), "cert", "two"} {
		for _, alg := range []string{"", "EdDSA", "Ed25519", "ES256", "RS256", "none", "eddsa"} {
			for _, x5t := range []string{"", "AAAA", certifiedX5T} {
				q := jwk.Query{Algorithm: alg, KeyID: kid, X5TS256: x5t}
				want, err1 := fixed.Keys(ctx, q)
				got, err2 := r.Keys(ctx, q)
				if !slices.Equal(got, want) || code(err1) != code(err2) {
					t.Errorf("%+v: %v %v, want %v %v", q, got, err2, want, err1)
				}
			}
		}
	}
	if s.count("/jwks") != 1 {
		t.Error(s.count("/jwks"))
	}
}

func generate(t testing.TB, alg jwa.Algorithm) *jwk.PrivateKey {
	t.Helper()
	k, err := jwk.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	certifiedX5T = "u5ufFQQjAqeoqxHWrFrTSl6TmQUnoW8x4kvWZBScsKo"
	// The kid "two" has two keys, with different certificates.
	certifiedSet = `{"keys":[
{"kty":"OKP","crv":"Ed25519","kid":"cert","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t#S256":"u5ufFQQjAqeoqxHWrFrTSl6TmQUnoW8x4kvWZBScsKo"},
{"kty":"OKP","crv":"Ed25519","kid":"two","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t#S256":"u5ufFQQjAqeoqxHWrFrTSl6TmQUnoW8x4kvWZBScsKo"},
{"kty":"OKP","crv":"Ed25519","kid":"two","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","x5t#S256":"AAAAFQQjAqeoqxHWrFrTSl6TmQUnoW8x4kvWZBScsKo"}]}`
)

// Without a Clock the time is that of the machine.
func TestRemoteRealClock(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	o := options(newClock())
	o.Clock, o.MinAge, o.MaxAge, o.MinInterval = nil, 20*time.Millisecond, 20*time.Millisecond, time.Hour
	r := remote(t, s.URL+"/jwks", o)
	ask(t, r, "1", "")
	if st := r.State(); time.Since(st.Fetched) < 0 || time.Since(st.Fetched) > time.Minute {
		t.Error(st.Fetched)
	}
	for s.count("/jwks") < 3 { // as it expires
		ask(t, r, "1", "")
	}
	o.MinAge, o.MaxAge = time.Hour, time.Hour
	r = remote(t, s.URL+"/jwks", o)
	n := s.count("/jwks")
	for range 1000 {
		ask(t, r, "1", "")
	}
	ask(t, r, "2", "key.none")
	if s.count("/jwks") != n+1 {
		t.Error(s.count("/jwks")-n, "fetches")
	}
}
