package keyset

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

var bg = context.Background()

// A bench is a store and a clock for tests of one thing at a time.
type bench struct {
	t     *testing.T
	mu    sync.Mutex
	now   time.Time
	store faulty
}

// faulty is a store that fails on demand and counts.
type faulty struct {
	Store
	load, save   error
	loads, saves atomic.Int64
	before       func() // called by Save
}

func (s *faulty) Load(ctx context.Context) ([]byte, string, error) {
	s.loads.Add(1)
	if s.load != nil {
		return nil, "", s.load
	}
	return s.Store.Load(ctx)
}

func (s *faulty) Save(ctx context.Context, data []byte, old string) (string, error) {
	s.saves.Add(1)
	if s.before != nil {
		s.before()
	}
	if s.save != nil {
		return "", s.save
	}
	return s.Store.Save(ctx, data, old)
}

func newBench(t *testing.T) *bench {
	return &bench{t: t, now: time.Unix(1_800_000_000, 0), store: faulty{Store: new(MemoryStore)}}
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// table is a timetable in which each time is another one.
var table = Timetable{
	Every:    100 * time.Hour,
	Cache:    time.Hour,
	Lifetime: 10 * time.Hour,
	Ahead:    2 * time.Hour,
	Skew:     time.Minute,
	Reload:   10 * time.Second,
}

const kept = time.Hour + 10*time.Hour + 4*time.Minute

func (b *bench) rotation(change func(*Timetable), algs ...jwa.Algorithm) *Rotation {
	b.t.Helper()
	t := table
	t.Clock = b.clock
	if change != nil {
		change(&t)
	}
	if algs == nil {
		algs = []jwa.Algorithm{jwa.EdDSA}
	}
	r, err := NewRotation(&b.store, t, algs...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) signer(r *Rotation) string {
	b.t.Helper()
	s, err := r.Signer(bg, jwa.EdDSA)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.KeyID()
}

func (b *bench) published(r *Rotation) []string {
	b.t.Helper()
	set, _, err := r.Set(bg)
	if err != nil {
		b.t.Fatal(err)
	}
	var kids []string
	for _, k := range set {
		kids = append(kids, k.KeyID())
	}
	return kids
}

func (b *bench) inspect(r *Rotation) []RotationKey {
	b.t.Helper()
	keys, err := r.Inspect(bg)
	if err != nil {
		b.t.Fatal(err)
	}
	return keys
}

func phases(keys []RotationKey) string {
	var all []string
	for _, k := range keys {
		all = append(all, k.Algorithm.Name()+" "+k.Phase)
	}
	return strings.Join(all, ", ")
}

func (b *bench) stored() string {
	b.t.Helper()
	data, _, err := b.store.Store.Load(bg)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Errorf("got %v (%q), want %q", err, got, code)
	}
}

func TestPhases(t *testing.T) {
	b := newBench(t)
	start := b.now
	r := b.rotation(nil)
	first := b.signer(r)
	keys := b.inspect(r)
	if got := phases(keys); got != "EdDSA active, EdDSA published" {
		t.Fatal(got)
	}
	second := keys[1].KeyID
	if want := (RotationKey{second, jwa.EdDSA, "published", start, start, start.Add(100*time.Hour - time.Minute), time.Time{}, time.Time{}}); keys[1] != want {
		t.Errorf("got %v, want %v", keys[1], want)
	}
	if got := b.published(r); !slices.Equal(got, []string{first, second}) {
		t.Errorf("published %v", got)
	}

	b.pass(100*time.Hour - time.Minute - 1)
	if b.signer(r) != first {
		t.Error("the second signs too early")
	}
	b.pass(1)
	if b.signer(r) != second {
		t.Error("the second does not sign")
	}
	if got := b.published(r); len(got) != 3 || got[0] != second {
		t.Errorf("published %v", got)
	}
	keys = b.inspect(r)
	if got := phases(keys); got != "EdDSA retired, EdDSA active, EdDSA published" {
		t.Fatal(got)
	}
	if keys[0].Retired != b.now || keys[0].Deleted != b.now.Add(kept) {
		t.Errorf("retired %v, deleted %v", keys[0].Retired, keys[0].Deleted)
	}
	if n := strings.Count(b.stored(), `"d":`); n != 2 {
		t.Errorf("%d private keys are stored", n)
	}

	b.pass(kept - 1)
	if !slices.Contains(b.published(r), first) {
		t.Error("the first is deleted too early")
	}
	b.pass(1)
	if slices.Contains(b.published(r), first) || strings.Contains(b.stored(), first) {
		t.Error("the first is not deleted")
	}
	// From one store, another process says the same.
	if got, want := b.published(b.rotation(nil)), b.published(r); !slices.Equal(got, want) {
		t.Errorf("published %v and %v", got, want)
	}
}

func TestPhasesOfEncryption(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil, jwa.ECDH_ES_A128KW, jwa.EdDSA)
	ids := func() []string {
		var kids []string
		set, _, err := r.Set(bg)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := set.Encrypters(jwk.Query{Algorithm: "ECDH-ES+A128KW"})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			kids = append(kids, k.KeyID())
		}
		return kids
	}
	message := func() string {
		set, _, _ := r.Set(bg)
		keys, err := set.Encrypters(jwk.Query{Algorithm: "ECDH-ES+A128KW"})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jwe.Encrypt(bg, keys[0], jwa.A128GCM, jwe.Header{}, []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first, raw := ids(), message()
	if len(first) != 1 {
		t.Fatalf("%d keys to encrypt with", len(first))
	}
	b.pass(table.Every)
	second := ids()
	if len(second) != 1 || second[0] == first[0] {
		t.Fatalf("%v follows %v", second, first)
	}
	b.pass(kept - 1)
	if _, err := jwe.Decrypt(bg, r, raw, jwe.Options{}); err != nil {
		t.Error(err)
	}
	b.pass(1)
	_, err := r.DecryptionKeys(bg, jwk.Query{Algorithm: "ECDH-ES+A128KW", KeyID: first[0]})
	wantCode(t, err, "key.none")

	if _, err := r.Signer(bg, jwa.ECDH_ES_A128KW); !errors.Is(err, jwk.ErrNoKey) {
		t.Errorf("an encryption key signs: %v", err)
	}
	set, _, _ := r.Set(bg)
	data, _ := set.MarshalJSON()
	if sig, enc := strings.Count(string(data), `"use":"sig"`), strings.Count(string(data), `"use":"enc"`); sig != 2 || enc != 1 {
		t.Errorf("%d keys for signatures and %d for encryption", sig, enc)
	}
	_, err = r.Keys(bg, jwk.Query{Algorithm: "EdDSA", KeyID: second[0]})
	wantCode(t, err, "key.none")
}

func TestRotationSource(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil, jwa.ES256, jwa.EdDSA)
	for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.EdDSA} {
		s, err := r.Signer(bg, alg)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jws.Sign(bg, s, jws.Header{}, []byte("hello"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jws.Verify(bg, r, raw, jws.Options{}); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
	}
	_, err := r.Signer(bg, jwa.ES384)
	wantCode(t, err, "key.none")
}

func TestNewRotationRefuses(t *testing.T) {
	ed := []jwa.Algorithm{jwa.EdDSA}
	year := 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		t     Timetable
		algs  []jwa.Algorithm
		store Store
		want  string
	}{
		"no store":            {Timetable{}, ed, nil, "Store"},
		"no algorithm":        {Timetable{}, nil, new(MemoryStore), "algorithm"},
		"zero algorithm":      {Timetable{}, []jwa.Algorithm{{}}, new(MemoryStore), "zero"},
		"a secret":            {Timetable{}, []jwa.Algorithm{jwa.HS256}, new(MemoryStore), "public key"},
		"twice":               {Timetable{}, []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519}, new(MemoryStore), "twice"},
		"Ahead of Cache":      {Timetable{Ahead: time.Hour}, ed, new(MemoryStore), "Ahead is less"},
		"Ahead of Every":      {Timetable{Every: time.Hour}, ed, new(MemoryStore), "Every is less"},
		"Reload":              {Timetable{Cache: time.Minute, Reload: time.Minute}, ed, new(MemoryStore), "Reload"},
		"a short Cache":       {Timetable{Cache: time.Millisecond}, ed, new(MemoryStore), "less than a second"},
		"a negative Cache":    {Timetable{Cache: -1}, ed, new(MemoryStore), "less than a second"},
		"a negative Every":    {Timetable{Every: -1}, ed, new(MemoryStore), "negative"},
		"a negative Lifetime": {Timetable{Lifetime: -1}, ed, new(MemoryStore), "negative"},
		"a negative Skew":     {Timetable{Skew: -1, Ahead: 2 * time.Hour}, ed, new(MemoryStore), "negative"},
		"a negative Reload":   {Timetable{Reload: -1}, ed, new(MemoryStore), "negative"},
		"a century":           {Timetable{Every: 100 * year}, ed, new(MemoryStore), "10 years"},
		"too many keys":       {Timetable{Every: 2 * time.Hour, Lifetime: year}, ed, new(MemoryStore), "at a time"},
	} {
		_, err := NewRotation(c.store, c.t, c.algs...)
		if fault.CodeOf(err) != "keys.options" || !errors.Is(err, ErrOptions) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewRotation(new(MemoryStore), Timetable{}, jwa.ES256); err != nil {
		t.Errorf("the zero timetable: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	b := newBench(t)
	r, other := b.rotation(nil), b.rotation(nil)
	first := b.signer(r)
	second := b.inspect(r)[1].KeyID
	if b.signer(other) != first {
		t.Fatal("two processes, two keys")
	}
	if err := r.Revoke(bg, first); err != nil {
		t.Fatal(err)
	}
	if b.signer(r) != second || slices.Contains(b.published(r), first) || strings.Contains(b.stored(), first) {
		t.Error("the key is not revoked")
	}
	_, err := r.Keys(bg, jwk.Query{Algorithm: "EdDSA", KeyID: first})
	wantCode(t, err, "key.none")
	if got := phases(b.inspect(r)); got != "EdDSA active, EdDSA published" {
		t.Error(got)
	}
	b.pass(table.Reload)
	if b.signer(other) != second {
		t.Error("the other process has not noticed")
	}

	// The next one, of which nothing depends.
	third := b.inspect(r)[1].KeyID
	if err := r.Revoke(bg, third); err != nil {
		t.Fatal(err)
	}
	if b.signer(r) != second || slices.Contains(b.published(r), third) || len(b.published(r)) != 2 {
		t.Error("the next key is not revoked, or nothing follows")
	}

	// A retired one.
	b.pass(table.Every)
	fourth := b.signer(r)
	if err := r.Revoke(bg, second); err != nil {
		t.Fatal(err)
	}
	if b.signer(r) != fourth || slices.Contains(b.published(r), second) {
		t.Error("the retired key is not revoked")
	}

	for _, kid := range []string{first, "", "no such"} {
		wantCode(t, r.Revoke(bg, kid), "key.none")
	}
}

// Where there is no other key yet, one is made.
func TestRevokeTheOnlyKey(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	only := b.signer(r)
	s, err := parseState([]byte(b.stored()), jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	s.keys = s.keys[:1]
	data, err := s.marshal()
	if err != nil {
		t.Fatal(err)
	}
	b.store.Store = new(MemoryStore)
	if _, err := b.store.Store.Save(bg, data, ""); err != nil {
		t.Fatal(err)
	}
	r = b.rotation(nil)
	b.store.save = errors.New("read only")
	if b.signer(r) != only {
		t.Fatal("another key")
	}
	b.store.save = nil
	if err := r.Revoke(bg, only); err != nil {
		t.Fatal(err)
	}
	if b.signer(r) == only || phases(b.inspect(r)) != "EdDSA active, EdDSA published" {
		t.Errorf("%v", phases(b.inspect(r)))
	}
}

// unpublished returns a bench whose second key was saved and not published yet, as after
// a crash.
func unpublished(t *testing.T) (b *bench, r *Rotation, first, second string) {
	t.Helper()
	b = newBench(t)
	saves := 0
	b.store.before = func() {
		if saves++; saves == 3 {
			b.store.save = errors.New("out of order")
		}
	}
	r = b.rotation(nil)
	first = b.signer(r)
	b.store.save, b.store.before = nil, nil
	s, err := parseState([]byte(b.stored()), jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.keys) != 2 || !s.keys[1].published.IsZero() {
		t.Fatal("the second is published already")
	}
	return b, r, first, s.keys[1].kid
}

// A key that was made but not published is made known and used at once.
func TestRevokeBeforeThePublication(t *testing.T) {
	b, r, first, second := unpublished(t)
	if err := r.Revoke(bg, first); err != nil {
		t.Fatal(err)
	}
	if got := b.signer(r); got != second {
		t.Errorf("%v signs", got)
	}
}

// It cannot be brought forward before it is known.
func TestRotateBeforeThePublication(t *testing.T) {
	b, r, first, _ := unpublished(t)
	for range 2 {
		if err := r.Rotate(bg); err != nil {
			t.Fatal(err)
		}
		if got := b.inspect(r)[1].Active; b.signer(r) != first || got.Before(b.now.Add(table.Ahead)) {
			t.Errorf("active at %v", got)
		}
	}
}

func TestRotate(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	first := b.signer(r)
	second := b.inspect(r)[1].KeyID
	start := b.now

	b.pass(time.Hour)
	if err := r.Rotate(bg); err != nil {
		t.Fatal(err)
	}
	if got := b.inspect(r)[1].Active; !got.Equal(start.Add(table.Ahead)) || b.signer(r) != first {
		t.Errorf("active at %v", got)
	}
	b.pass(time.Hour)
	if b.signer(r) != second {
		t.Error("the second does not sign")
	}
	third := b.inspect(r)[2].KeyID
	b.pass(table.Ahead + time.Hour)
	if err := r.Rotate(bg); err != nil {
		t.Fatal(err)
	}
	if b.signer(r) != third || b.inspect(r)[2].Active != b.now {
		t.Error("the third does not sign")
	}
	if got := phases(b.inspect(r)); got != "EdDSA retired, EdDSA retired, EdDSA active, EdDSA published" {
		t.Error(got)
	}
	if got := b.inspect(r)[1].Retired; got != b.now {
		t.Errorf("retired %v", got)
	}
}

// The first rotation also begins an empty store.
func TestRotateBegins(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	if err := r.Rotate(bg); err != nil {
		t.Fatal(err)
	}
	if got := phases(b.inspect(r)); got != "EdDSA active, EdDSA published" {
		t.Error(got)
	}
}

// An algorithm that is added waits until verifiers know its key.
func TestAlgorithmAddedLater(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	b.signer(r)
	b.pass(time.Hour)
	both := b.rotation(nil, jwa.EdDSA, jwa.ES256)
	_, err := both.Signer(bg, jwa.ES256)
	wantCode(t, err, "key.none")
	b.pass(table.Reload)
	if got := len(b.published(r)); got != 3 {
		t.Errorf("the process that does not know the algorithm publishes %d keys", got)
	}
	b.pass(table.Ahead - table.Reload - 1)
	_, err = both.Signer(bg, jwa.ES256)
	wantCode(t, err, "key.none")
	b.pass(1)
	if _, err = both.Signer(bg, jwa.ES256); err != nil {
		t.Error(err)
	}
	if _, err = r.Signer(bg, jwa.ES256); err != nil {
		t.Error(err)
	}
}

func TestOutage(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	b.store.load = errors.New("the store is down")
	_, err := r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.unreachable")
	if !errors.Is(err, b.store.load) {
		t.Errorf("the cause is lost: %v", err)
	}
	b.store.load = nil
	_, err = r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.unreachable") // the store is left alone for a second
	b.pass(-time.Hour)                   // and not for longer, where the clock is set back
	kid := b.signer(r)
	seen := b.now

	b.store.load = errors.New("the store is down")
	b.pass(table.Cache)
	before := b.store.loads.Load()
	for range 10 {
		if b.signer(r) != kid {
			t.Error("another key")
		}
	}
	if n := b.store.loads.Load() - before; n != 1 {
		t.Errorf("%d attempts within a second", n)
	}
	if err := r.Rotate(bg); !errors.Is(err, b.store.load) {
		t.Error(err)
	}
	if _, age, err := r.Set(bg); age != 0 || err != nil {
		t.Errorf("max-age %v, %v", age, err)
	}
	b.pass(1)
	for _, f := range []func() error{
		func() error { _, err := r.Signer(bg, jwa.EdDSA); return err },
		func() error { _, err := r.Keys(bg, jwk.Query{}); return err },
		func() error { _, err := r.DecryptionKeys(bg, jwk.Query{}); return err },
		func() error { _, _, err := r.Set(bg); return err },
	} {
		err := f()
		wantCode(t, err, "keys.stale")
		if !errors.Is(err, ErrStale) {
			t.Error(err)
		}
	}
	if _, err = r.Inspect(bg); !errors.Is(err, b.store.load) {
		t.Error(err)
	}
	b.store.load = nil
	b.pass(time.Hour)
	if b.signer(r) != kid {
		t.Error("another key")
	}

	// A clock that is set back makes what is known no newer.
	b.pass(seen.Sub(b.now) - time.Hour)
	b.store.load = errors.New("the store is down")
	_, err = r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.stale")
}

// A store that answers, but so late that the answer is too old.
func TestSlowStore(t *testing.T) {
	b := newBench(t)
	late := func() { b.pass(table.Cache + 1) }
	b.store.before = late
	r := b.rotation(nil)
	_, err := r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.stale")
	b.store.before = nil
	b.signer(r)
	b.pass(table.Cache + 1)
	b.store.Store = slow{b.store.Store, late}
	_, err = r.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.stale")
}

type slow struct {
	Store
	pass func()
}

func (s slow) Load(ctx context.Context) ([]byte, string, error) {
	defer s.pass()
	return s.Store.Load(ctx)
}

// What this process has asked for does not count before the store has it.
func TestPromiseIsKeptFirst(t *testing.T) {
	b := newBench(t)
	b.signer(b.rotation(nil))
	b.store.save = errors.New("read only")
	longer := b.rotation(func(t *Timetable) { t.Lifetime *= 2 })
	_, err := longer.Signer(bg, jwa.EdDSA)
	wantCode(t, err, "keys.stale")
	wide := b.rotation(func(t *Timetable) { t.Cache *= 4; t.Ahead *= 4 })
	_, age, err := wide.Set(bg)
	if err != nil || age != table.Cache {
		t.Errorf("max-age %v, %v", age, err)
	}
	b.store.save = nil
	b.pass(time.Minute)
	if _, err = longer.Signer(bg, jwa.EdDSA); err != nil {
		t.Error(err)
	}
	if _, age, err = wide.Set(bg); err != nil || age != 4*table.Cache {
		t.Errorf("max-age %v, %v", age, err)
	}
	// And it counts for those who ask for less.
	b.pass(table.Every)
	r := b.rotation(nil)
	keys := b.inspect(r)
	if got := keys[0].Deleted.Sub(keys[0].Retired); got != kept+3*table.Cache+table.Lifetime {
		t.Errorf("deleted after %v", got)
	}
	if _, age, err = r.Set(bg); err != nil || age != table.Cache {
		t.Errorf("max-age %v, %v", age, err)
	}
}

func TestHandler(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	h := r.Handler()
	get := func(method, etag string) *http.Response {
		req := httptest.NewRequest(method, "/jwks", nil)
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		return rec.Result()
	}
	resp := get("GET", "")
	body, _ := io.ReadAll(resp.Body)
	set, skipped, err := jwk.ParseSet(body, jwk.Binding{})
	if err != nil || len(skipped) > 0 || len(set) != 2 || bytes.Contains(body, []byte(`"d"`)) {
		t.Errorf("%s: %v %v", body, skipped, err)
	}
	etag := resp.Header.Get("ETag")
	for name, want := range map[string]string{
		"Content-Type":  "application/jwk-set+json",
		"Cache-Control": "public, max-age=3600, must-revalidate",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	b.pass(4*time.Second + time.Millisecond)
	for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
		resp = get("GET", match)
		if got := resp.Header.Get("Cache-Control"); resp.StatusCode != 304 || got != "public, max-age=3595, must-revalidate" {
			t.Errorf("%s: %d %s", match, resp.StatusCode, got)
		}
	}
	if resp = get("GET", `"other"`); resp.StatusCode != 200 {
		t.Errorf("status %d", resp.StatusCode)
	}
	resp = get("HEAD", "")
	if n, _ := io.Copy(io.Discard, resp.Body); n != 0 || resp.StatusCode != 200 || resp.Header.Get("ETag") != etag {
		t.Errorf("HEAD: %d, %d bytes", resp.StatusCode, n)
	}
	if resp = get("POST", ""); resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", resp.StatusCode)
	}
	if err := r.Rotate(bg); err != nil {
		t.Fatal(err)
	}
	b.pass(table.Ahead)
	if resp = get("GET", etag); resp.StatusCode != 200 || resp.Header.Get("ETag") == etag {
		t.Error("another set, and the same ETag")
	}

	b.store.load = errors.New("secret place is down")
	b.pass(table.Cache + 1)
	resp = get("GET", etag)
	body, _ = io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Retry-After") == "" ||
		resp.Header.Get("ETag") != "" || bytes.Contains(body, []byte("secret")) {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
}

// What several processes want at a time all happens.
func TestConflictsLoseNothing(t *testing.T) {
	b := newBench(t)
	all := []jwa.Algorithm{jwa.EdDSA, jwa.ES256, jwa.ES384, jwa.ECDH_ES, jwa.ECDH_ES_A256KW, jwa.ES512}
	b.signer(b.rotation(nil, jwa.EdDSA))
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			if _, err := b.rotation(nil, all[i]).Inspect(bg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	b.pass(table.Ahead)
	r := b.rotation(nil, all...)
	keys := b.inspect(r)
	if len(keys) != 2*len(all) {
		t.Fatalf("%s", phases(keys))
	}
	// Every key is revoked, by as many processes.
	for _, k := range keys {
		wg.Go(func() {
			if err := b.rotation(nil, all...).Revoke(bg, k.KeyID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	after := b.inspect(r)
	for _, k := range after {
		if slices.ContainsFunc(keys, func(old RotationKey) bool { return old.KeyID == k.KeyID }) {
			t.Errorf("%s was revoked", k.KeyID)
		}
	}
	if len(after) != 2*len(all) {
		t.Errorf("%s", phases(after))
	}
}

// A store that always says that another was faster is no reason to go on for ever.
func TestEndlessConflict(t *testing.T) {
	b := newBench(t)
	b.store.save = fmt.Errorf("in a word: %w", ErrConflict)
	_, err := b.rotation(nil).Inspect(bg)
	wantCode(t, err, "keys.conflict")
	if n := b.store.saves.Load(); n != maxConflicts {
		t.Errorf("%d attempts", n)
	}
	b.store.save = nil
	b.store.Store = forgetful{}
	_, err = b.rotation(nil).Inspect(bg)
	wantCode(t, err, "keys.state")
}

// forgetful is a broken store: it never has a version.
type forgetful struct{}

func (forgetful) Load(context.Context) ([]byte, string, error)         { return nil, "", nil }
func (forgetful) Save(context.Context, []byte, string) (string, error) { return "", nil }

// A warm rotation costs nothing.
func TestWarm(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	kid := b.signer(r)
	q := jwk.Query{Algorithm: "EdDSA", KeyID: kid}
	before := b.store.loads.Load()
	use := func() {
		if _, err := r.Signer(bg, jwa.EdDSA); err != nil {
			t.Error(err)
		}
		if _, err := r.Keys(bg, q); err != nil {
			t.Error(err)
		}
	}
	if n := testing.AllocsPerRun(100, use); n > 0 && !raceEnabled && testing.CoverMode() == "" {
		t.Errorf("%v allocations", n)
	}
	b.pass(table.Reload - 1)
	use()
	if n := b.store.loads.Load() - before; n != 0 {
		t.Errorf("the store was read %d times", n)
	}
	b.pass(1)
	use()
	if n := b.store.loads.Load() - before; n != 1 {
		t.Errorf("the store was read %d times", n)
	}
}

// While one call is at the store, others go on with what they have; those that have
// nothing wait, each as long as its own context.
func TestOthersDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		gate := make(chan struct{})
		b.store.Store = gated{b.store.Store, gate}
		r := b.rotation(nil)
		ctx, cancel := context.WithCancel(bg)
		first := make(chan error)
		go func() { _, err := r.Signer(bg, jwa.EdDSA); first <- err }()
		synctest.Wait()
		second := make(chan error)
		go func() { _, err := r.Signer(ctx, jwa.EdDSA); second <- err }()
		revoke := make(chan error)
		go func() { revoke <- r.Revoke(ctx, "x") }()
		synctest.Wait()
		cancel()
		if err := <-second; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-revoke; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		third := make(chan error)
		go func() { _, err := r.Signer(bg, jwa.EdDSA); third <- err }()
		synctest.Wait()
		gate <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-third; err != nil { // for which one look was enough
			t.Error(err)
		}
		b.pass(table.Reload)
		go func() { _, err := r.Signer(bg, jwa.EdDSA); first <- err }()
		synctest.Wait()
		b.signer(r) // though the other hangs
		gate <- struct{}{}
		if err := <-first; err != nil {
			t.Error(err)
		}

		// The end of one caller is no failure of the store.
		b.pass(table.Cache + 1)
		ctx, cancel = context.WithCancel(bg)
		go func() { _, err := r.Signer(ctx, jwa.EdDSA); first <- err }()
		synctest.Wait()
		cancel()
		if err := <-first; err != context.Canceled {
			t.Error(err)
		}
		go func() { gate <- struct{}{} }()
		b.signer(r)
	})
}

type gated struct {
	Store
	gate chan struct{}
}

func (s gated) Load(ctx context.Context) ([]byte, string, error) {
	select {
	case <-s.gate:
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	return s.Store.Load(ctx)
}

// fullDisk is a store that takes nothing until it is mended.
type fullDisk struct {
	MemoryStore
	err    error
	mended atomic.Bool
}

func (s *fullDisk) Save(ctx context.Context, data []byte, old string) (string, error) {
	if !s.mended.Load() {
		return "", s.err
	}
	return s.MemoryStore.Save(ctx, data, old)
}

// Run tells of a store that fails, and goes on.
func TestRunFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := table
		table.Clock, table.Every = nil, 3*time.Hour
		full := errors.New("the disk is full")
		store := &fullDisk{err: full}
		var told atomic.Int64
		table.Failed = func(err error) {
			if !errors.Is(err, full) {
				t.Error(err)
			}
			told.Add(1)
		}
		r, err := NewRotation(store, table, jwa.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(10*table.Reload + time.Second)
		synctest.Wait()
		n := told.Load()
		if n < 2 {
			t.Errorf("told %d times", n)
		}
		store.mended.Store(true)
		time.Sleep(2*table.Reload + time.Second)
		synctest.Wait()
		n = told.Load()
		if _, err := r.Signer(bg, jwa.EdDSA); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * table.Reload)
		cancel()
		<-done
		if got := told.Load(); got != n {
			t.Errorf("told %d times more after the store was mended", got-n)
		}
	})
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := table
		table.Clock, table.Every = nil, 3*time.Hour
		store := &faulty{Store: new(MemoryStore)}
		r, err := NewRotation(store, table, jwa.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(bg)
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		first, err := r.Signer(bg, jwa.EdDSA)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(table.Every)
			synctest.Wait()
			before := store.loads.Load()
			s, err := r.Signer(bg, jwa.EdDSA)
			if err != nil || s.KeyID() == first.KeyID() {
				t.Errorf("%v, %v", s, err)
			}
			if store.loads.Load() != before {
				t.Error("a call had to look into the store")
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// testExtension is an extension that proves nothing: whoever knows the public key signs.
func testExtension(t *testing.T) jwk.Extension {
	alg, err := jwa.New("TST1", jwa.Traits{KeyType: "TST", SignatureSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	mac := func(j jwk.JWK, message []byte) []byte {
		x, _ := j.Member("x5")
		sum := sha256.Sum256(append(x, message...))
		return sum[:]
	}
	return jwk.Extension{
		Algorithm: alg, Thumbprint: []string{"kty", "x5"},
		Verify: func(j jwk.JWK) (func(message, signature []byte) bool, error) {
			return func(message, signature []byte) bool { return bytes.Equal(signature, mac(j, message)) }, nil
		},
		Sign: func(j jwk.JWK) (func(context.Context, []byte) ([]byte, error), error) {
			return func(_ context.Context, message []byte) ([]byte, error) { return mac(j, message), nil }, nil
		},
		Generate: func() ([]byte, error) {
			return fmt.Appendf(nil, `{"kty":"TST","x5":%q,"priv":%q}`, rand.Text(), rand.Text()), nil
		},
	}
}

func TestRotationExtension(t *testing.T) {
	b := newBench(t)
	x := testExtension(t)
	r := b.rotation(func(t *Timetable) { t.Binding.Extensions = []jwk.Extension{x} }, x.Algorithm)
	s, err := r.Signer(bg, x.Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jws.Sign(bg, s, jws.Header{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.pass(table.Every)
	for range 2 {
		if _, err := jws.Verify(bg, r, raw, jws.Options{}); err != nil {
			t.Error(err)
		}
		b.pass(time.Hour)
	}
	if n := strings.Count(b.stored(), `"priv"`); n != 2 {
		t.Errorf("%d private keys are stored", n)
	}
	if b.published(r)[1] != s.KeyID() {
		t.Error("the retired key is not published")
	}
	// A process that lacks the extension cannot stand in for the others.
	_, err = b.rotation(nil).Signer(bg, jwa.EdDSA)
	wantCode(t, err, "key.unsupported")
}

// A key that cannot be made is no reason to stop.
func TestNoKeyIsMade(t *testing.T) {
	b := newBench(t)
	x := testExtension(t)
	for range 2 {
		r := b.rotation(nil, x.Algorithm, jwa.EdDSA)
		_, err := r.Inspect(bg)
		wantCode(t, err, "key.unsupported")
		if data, version, _ := b.store.Store.Load(bg); version != "" {
			t.Errorf("%s was saved", data)
		}
	}
	b.signer(b.rotation(nil))
	b.signer(b.rotation(nil, jwa.EdDSA, x.Algorithm))
	// Nor to revoke no key.
	broken := x
	broken.Generate = func() ([]byte, error) { return nil, errors.New("no entropy") }
	with := func(t *Timetable) { t.Binding.Extensions = []jwk.Extension{x} }
	b = newBench(t)
	s, err := b.rotation(with, x.Algorithm).Signer(bg, x.Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	r := b.rotation(func(t *Timetable) { t.Binding.Extensions = []jwk.Extension{broken} }, x.Algorithm)
	if err := r.Revoke(bg, s.KeyID()); err == nil || err.Error() != "no entropy" {
		t.Error(err)
	}
	if strings.Contains(b.stored(), s.KeyID()) {
		t.Error("the key is not revoked")
	}
}

// Where an extension fails, nothing is saved of the step in which it does, and the rotation
// goes on from there when it works again.
func TestExtensionFails(t *testing.T) {
	x := testExtension(t)
	generate, sign, verify := x.Generate, x.Sign, x.Verify
	var noGenerate, noSign, noVerify int // which of the next calls fails
	fails := func(n *int) bool {
		*n--
		return *n == 0
	}
	large := false
	x.Generate = func() ([]byte, error) {
		if fails(&noGenerate) {
			return nil, errBroken
		}
		data, err := generate()
		if large { // as large as a JWK may be, before it says what it is for
			data = append(data[:len(data)-1], `,"more":"`...)
			data = append(append(data, bytes.Repeat([]byte("x"), 64<<10-len(data)-2)...), `"}`...)
		}
		return data, err
	}
	x.Sign = func(j jwk.JWK) (func(context.Context, []byte) ([]byte, error), error) {
		if fails(&noSign) {
			return nil, errBroken
		}
		return sign(j)
	}
	x.Verify = func(j jwk.JWK) (func(message, signature []byte) bool, error) {
		if fails(&noVerify) {
			return nil, errBroken
		}
		return verify(j)
	}
	b := newBench(t)
	r := b.rotation(func(t *Timetable) { t.Binding.Extensions = []jwk.Extension{x} }, x.Algorithm)
	broken := func() {
		t.Helper()
		before := b.stored()
		if _, err := r.Inspect(bg); !errors.Is(err, errBroken) {
			t.Error(err)
		}
		if b.stored() != before {
			t.Error("the state has changed")
		}
	}

	noSign = 2 // the key is made, and then read as it will be stored
	broken()
	large = true
	_, err := r.Inspect(bg)
	wantCode(t, err, "json.limit")
	if large = false; b.stored() != "" {
		t.Error("something was saved")
	}

	noGenerate = 2 // the first key is made, and the next one is not
	if _, err := r.Inspect(bg); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	only, err := r.Signer(bg, x.Algorithm)
	if err != nil {
		t.Fatal(err)
	}
	noGenerate = 1 // and so there is none to take over
	before := b.stored()
	if err := r.Revoke(bg, only.KeyID()); !errors.Is(err, errBroken) || b.stored() != before {
		t.Errorf("%v, %s", err, b.stored())
	}
	if got := phases(b.inspect(r)); got != "TST1 active, TST1 published" {
		t.Error(got)
	}

	b.pass(table.Every)
	noVerify = 1 // the public half of the key that retires
	broken()
	if got := phases(b.inspect(r)); got != "TST1 retired, TST1 active, TST1 published" {
		t.Error(got)
	}
}

// A time that cannot be written is saved as nothing else.
func TestRotationBeyondTime(t *testing.T) {
	b := newBench(t)
	r := b.rotation(nil)
	b.now = time.Unix(1<<60, 0)
	_, err := r.Inspect(bg)
	wantCode(t, err, "json.number")
	if stored := b.stored(); stored != "" {
		t.Error(stored)
	}
	b.now = time.Unix(1_800_000_000, 0)
	b.signer(r)
}

func TestRotationConcurrent(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir() + "/keys"
	var wg sync.WaitGroup
	var signed atomic.Int64
	for range 2 {
		store, err := OpenDirStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		table := table
		table.Clock = b.clock
		r, err := NewRotation(store, table, jwa.EdDSA, jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			wg.Go(func() {
				for range 25 {
					b.pass(3 * time.Minute)
					s, err := r.Signer(bg, jwa.ES256)
					switch {
					case errors.Is(err, errStale): // the others have let more time pass meanwhile than keys may be old
						continue
					case err != nil:
						t.Error(err)
						return
					}
					signed.Add(1)
					if set, _, err := r.Set(bg); !errors.Is(err, errStale) && (err != nil || !hasKid(set, s.KeyID())) {
						t.Errorf("%v is not published: %v", s, err)
					}
					rec := httptest.NewRecorder()
					r.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
				}
			})
		}
		wg.Go(func() {
			for range 5 {
				if err := r.Rotate(bg); err != nil && !errors.Is(err, errStale) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := signed.Load(); n < 100 {
		t.Errorf("%d of 200 had a key", n)
	}
}
