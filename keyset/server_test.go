package keyset_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
)

var ctx = context.Background()

// fakeClock is the time of a test.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *fakeClock { return &fakeClock{t: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// issuerServer publishes keys, and misbehaves as a test wants.
type issuerServer struct {
	*httptest.Server
	mu     sync.Mutex
	hits   map[string]int // by path
	keys   []jwk.Key
	raw    string // in place of the keys
	header http.Header
	fail   http.HandlerFunc
	gate   chan struct{} // an answer waits until it can be read from or is closed
	etag   bool
	doc    map[string]string // metadata by path
}

func newServer(t testing.TB, keys ...jwk.Key) *issuerServer {
	s := &issuerServer{keys: keys, hits: map[string]int{}, header: http.Header{}, doc: map[string]string{}}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *issuerServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.hits[r.URL.Path]++
	fail, gate := s.fail, s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
			return
		}
	}
	if fail != nil {
		fail(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.header {
		w.Header()[k] = v
	}
	if doc, ok := s.doc[r.URL.Path]; ok {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, doc)
		return
	}
	if r.URL.Path != "/jwks" {
		http.NotFound(w, r)
		return
	}
	body := s.raw
	if body == "" {
		body = published(s.keys...)
	}
	if s.etag {
		tag := fmt.Sprintf("\"%x\"", len(body)^int(body[len(body)/2]))
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = io.WriteString(w, body)
}

func published(keys ...jwk.Key) string {
	set, err := jwk.Set(keys).MarshalJSON()
	if err != nil {
		panic(err)
	}
	return string(set)
}

func (s *issuerServer) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *issuerServer) publish(keys ...jwk.Key) { s.with(func() { s.keys = keys }) }

func (s *issuerServer) down(f http.HandlerFunc) { s.with(func() { s.fail = f }) }

func (s *issuerServer) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

// keyNamed makes a key with a kid.
func keyNamed(t testing.TB, kid string) *jwk.PrivateKey {
	t.Helper()
	k, err := jwk.Generate(jwa.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	d, err := k.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	if k, err = d.WithKeyID(kid).PrivateKey(jwk.Binding{}); err != nil {
		t.Fatal(err)
	}
	return k
}

func query(kid string) jwk.Query { return jwk.Query{Algorithm: "EdDSA", KeyID: kid} }

// options are those of most tests: a clock of their own, no proxy, and a record.
func options(c *fakeClock) keyset.Options {
	return keyset.Options{Clock: c.Now, Proxy: func(*http.Request) (*url.URL, error) { return nil, nil }}
}

func remote(t testing.TB, url string, o keyset.Options) *keyset.Remote {
	t.Helper()
	r, err := keyset.NewRemote(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// record keeps the events of a source.
type record struct {
	mu     sync.Mutex
	events []keyset.Event
	c      chan keyset.Event
}

func newRecord() *record { return &record{c: make(chan keyset.Event, 1000)} }

func (r *record) note(e keyset.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	r.c <- e
}

func (r *record) next(t testing.TB) keyset.Event {
	t.Helper()
	select {
	case e := <-r.c:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		panic("unreachable")
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	var c interface{ Code() string }
	for _, e := range flatten(err) {
		if f, ok := e.(interface{ Code() string }); ok {
			c = f
			break
		}
	}
	if c == nil {
		return err.Error()
	}
	return c.Code()
}

// flatten walks an error as errors.As does.
func flatten(err error) []error {
	out := []error{err}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if u := e.Unwrap(); u != nil {
			out = append(out, flatten(u)...)
		}
	case interface{ Unwrap() []error }:
		for _, u := range e.Unwrap() {
			out = append(out, flatten(u)...)
		}
	}
	return out
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("code %q, want %q (%v)", got, want, err)
	}
}

// ask asks for a key and wants it, or a code.
func ask(t testing.TB, s jwk.Source, kid, want string) {
	t.Helper()
	keys, err := s.Keys(ctx, query(kid))
	wantCode(t, err, want)
	if err == nil && (len(keys) != 1 || keys[0].KeyID() != kid) {
		t.Errorf("%v, want %s", keys, kid)
	}
}

// noGoroutines fails where one of the package is left. It waits for those that are on
// their way out.
func noGoroutines(t testing.TB) {
	t.Helper()
	var stacks string
	for range 200 {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "keyset.(*core)") && !strings.Contains(stacks, "net/http.(*persistConn)") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("a goroutine is left:\n%s", stacks)
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}
