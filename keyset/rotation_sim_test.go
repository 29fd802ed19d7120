package keyset

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// A world has one store, processes that rotate keys in it, and verifiers that fetch
// their sets from any of them and keep these as long as they are told. Its time is no
// one's: each process and each verifier has a clock of its own, up to Skew from the
// others. What happens next, how long it takes and what fails is drawn by lot.
type world struct {
	rng       *rand.Rand
	now       time.Time
	store     MemoryStore
	t         Timetable // of which processes have variations
	vary      bool
	tamper    func(*Rotation)
	processes []*process
	verifiers []*holder
	tokens    []token
	messages  []token
	depth     int
	signed    map[string]bool // kids
	revoked   map[string]bool
	checks    int
}

type process struct {
	w      *world
	r      *Rotation
	offset time.Duration
	cut    bool // the store is out of its reach
}

// A holder is a verifier, or a sender of encrypted messages.
type holder struct {
	offset  time.Duration
	set     jwk.Set
	etag    string
	fetched time.Time
	maxAge  time.Duration
	has     bool
}

type token struct {
	kid     string
	expires time.Time // on the clock of who made it
}

type crash struct{}

var errDown = errors.New("the store is down")

var (
	simSig = jwa.EdDSA
	simEnc = jwa.ECDH_ES
)

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &world{rng: rng, now: time.Unix(1_800_000_000, 0), signed: map[string]bool{}, revoked: map[string]bool{}}
	between := func(lo, hi time.Duration) time.Duration { return lo + time.Duration(rng.Int64N(int64(hi-lo+1))) }
	w.t.Cache = between(10*time.Second, 2*time.Hour)
	w.t.Skew = between(time.Second, max(time.Second, w.t.Cache/[]time.Duration{2, 50}[rng.IntN(2)]))
	w.t.Lifetime = between(time.Second, 10*w.t.Cache)
	w.t.Ahead = w.t.Cache + w.t.Skew
	if rng.IntN(2) == 0 {
		w.t.Ahead = between(w.t.Ahead, 3*w.t.Ahead)
	}
	w.t.Every = max(w.t.Ahead, w.t.Lifetime/4)
	if rng.IntN(2) == 0 {
		w.t.Every = between(w.t.Every, 5*w.t.Ahead+w.t.Lifetime)
	}
	w.t.Reload = between(w.t.Cache/100, w.t.Cache/2)
	w.vary = rng.IntN(2) == 0
	return w
}

func (w *world) populate() {
	for range 1 + w.rng.IntN(4) {
		p := &process{w: w, offset: w.skew()}
		p.start()
		w.processes = append(w.processes, p)
	}
	for range 1 + w.rng.IntN(3) {
		w.verifiers = append(w.verifiers, &holder{offset: w.skew()})
	}
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

func (w *world) skew() time.Duration {
	switch w.rng.IntN(4) {
	case 0:
		return w.t.Skew / 2
	case 1:
		return -w.t.Skew / 2
	}
	return w.upTo(w.t.Skew) - w.t.Skew/2
}

// start makes the process anew, with nothing in its memory.
func (p *process) start() {
	t := p.w.t
	if p.w.vary { // as while a new timetable is rolled out
		if p.w.rng.IntN(2) == 0 {
			t.Lifetime *= 2
		}
		if p.w.rng.IntN(2) == 0 {
			t.Cache *= 2
			t.Ahead = 0
			t.Every *= 2
		}
	}
	t.Clock = func() time.Time { return p.w.now.Add(p.offset) }
	r, err := NewRotation(p, t, simSig, simEnc)
	if err != nil {
		panic(err)
	}
	if p.w.tamper != nil {
		p.w.tamper(r)
	}
	p.r = r
}

// pass lets time pass, mostly little, sometimes a lot, and others act meanwhile.
func (w *world) pass() {
	scale := []time.Duration{w.t.Cache / 1000, w.t.Cache / 20, w.t.Cache}[min(2, w.rng.IntN(20)/9)]
	w.now = w.now.Add(w.upTo(scale + 1))
	if w.depth < 2 && w.rng.IntN(4) == 0 {
		w.depth++
		w.must(w.next())
		w.depth--
	}
}

// violation ends a run.
type violation struct{ err error }

func (w *world) must(err error) {
	if err != nil {
		panic(violation{err})
	}
}

func (p *process) trouble() {
	p.w.pass()
	if p.w.rng.IntN(60) == 0 {
		panic(crash{})
	}
}

// Load and Save are the way of the process to the store.
func (p *process) Load(ctx context.Context) ([]byte, string, error) {
	p.trouble()
	if p.cut || p.w.rng.IntN(20) == 0 {
		return nil, "", errDown
	}
	data, version, err := p.w.store.Load(ctx)
	p.trouble()
	return data, version, err
}

func (p *process) Save(ctx context.Context, data []byte, old string) (string, error) {
	p.trouble()
	if p.cut || p.w.rng.IntN(10) == 0 {
		return "", errDown
	}
	version, err := p.w.store.Save(ctx, data, old)
	p.trouble()
	if p.w.rng.IntN(10) == 0 {
		return "", errDown // it was saved, but the answer got lost
	}
	return version, err
}

// try calls a method of the process, which may crash on the way.
func (p *process) try(f func()) (crashed bool) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case crash:
			p.start()
			crashed = true
		default:
			panic(e)
		}
	}()
	f()
	return false
}

// act is what a process does on its own.
func (w *world) act(p *process) (err error) {
	switch w.rng.IntN(20) {
	case 0:
		p.cut = !p.cut
	case 1:
		p.start()
	case 2, 3:
		_ = p.try(func() { _ = p.r.Rotate(context.Background()) })
	case 4, 5, 6, 7, 8, 9, 10, 11:
		_ = p.try(func() { err = w.sign(p) })
	default:
		_ = p.try(func() { err = w.accept(p) })
	}
	return err
}

// sign makes a token. All other processes have to publish its key.
func (w *world) sign(p *process) error {
	s, err := p.r.Signer(context.Background(), simSig)
	if err != nil {
		return w.excused(err)
	}
	w.signed[s.KeyID()] = true
	w.tokens = append(w.tokens, token{s.KeyID(), w.now.Add(p.offset + p.r.t.Lifetime)})
	at := w.now
	for _, other := range w.processes {
		if !other.idle() || w.rng.IntN(3) > 0 {
			continue
		}
		var set jwk.Set
		var err error
		if other.try(func() { set, _, err = other.r.Set(context.Background()) }) || err != nil {
			continue
		}
		// Time may have passed, but not so much that the key is deleted.
		w.checks++
		if !hasKid(set, s.KeyID()) && w.now.Sub(at) < w.t.Lifetime {
			return fmt.Errorf("a process signs with %.5s, which another does not publish", s.KeyID())
		}
	}
	return nil
}

// excused passes over what happens where the store is down.
func (w *world) excused(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrStale) || errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

func hasKid(set jwk.Set, kid string) bool {
	return slices.ContainsFunc(set, func(k jwk.Key) bool { return k.KeyID() == kid })
}

// accept has the process verify and decrypt all that is alive.
func (w *world) accept(p *process) error {
	w.forget()
	for i, all := range [][]token{w.tokens, w.messages} {
		for _, tok := range all {
			var err error
			crashed := p.try(func() {
				q := jwk.Query{KeyID: tok.kid}
				if q.Algorithm = simSig.Name(); i == 0 {
					_, err = p.r.Keys(context.Background(), q)
				} else {
					q.Algorithm = simEnc.Name()
					_, err = p.r.DecryptionKeys(context.Background(), q)
				}
			})
			if crashed {
				return nil
			}
			if w.alive(tok) && !w.revoked[tok.kid] && w.excused(err) != nil {
				return fmt.Errorf("a process lacks %.5s: %w", tok.kid, err)
			}
			w.checks++
		}
	}
	return nil
}

// alive reports whether anyone may still accept it: with the clock that is behind most
// and the leeway.
func (w *world) alive(tok token) bool { return w.now.Before(tok.expires.Add(w.t.Skew + w.t.Skew/2)) }

func (w *world) forget() {
	dead := func(tok token) bool { return !w.alive(tok) }
	w.tokens = slices.DeleteFunc(w.tokens, dead)
	w.messages = slices.DeleteFunc(w.messages, dead)
	// Few of each key are enough: the last ones.
	w.tokens = last(w.tokens)
	w.messages = last(w.messages)
}

// last keeps the one of each kid that lives longest.
func last(all []token) []token {
	var out []token
	for _, tok := range all {
		if i := slices.IndexFunc(out, func(o token) bool { return o.kid == tok.kid }); i < 0 {
			out = append(out, tok)
		} else if tok.expires.After(out[i].expires) {
			out[i] = tok
		}
	}
	return out
}

// fetch gets the set anew where it is too old, from a process by lot.
func (w *world) fetch(v *holder) error {
	if v.has && w.now.Sub(v.fetched) <= v.maxAge {
		return nil
	}
	v.has = false
	p := w.processes[w.rng.IntN(len(w.processes))]
	if !p.idle() {
		return nil
	}
	req := httptest.NewRequest(http.MethodGet, "/jwks", nil)
	if v.etag != "" {
		req.Header.Set("If-None-Match", v.etag)
	}
	rec := httptest.NewRecorder()
	if p.try(func() { p.r.Handler().ServeHTTP(rec, req) }) {
		return nil
	}
	switch rec.Code {
	case http.StatusOK:
		set, skipped, err := jwk.ParseSet(rec.Body.Bytes(), jwk.Binding{})
		if err != nil || len(skipped) > 0 {
			return fmt.Errorf("the published set: %w %v", err, skipped)
		}
		v.set = set
	case http.StatusNotModified:
	case http.StatusServiceUnavailable:
		return nil
	default:
		return fmt.Errorf("status %d", rec.Code)
	}
	age, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(rec.Header().Get("Cache-Control"), "public, max-age="), ", must-revalidate"))
	if err != nil {
		return err
	}
	v.has, v.etag, v.fetched, v.maxAge = true, rec.Header().Get("ETag"), w.now, time.Duration(age)*time.Second
	return nil
}

// hold has the verifier check all that is alive against the set that it has, and send a
// message with one of its keys.
func (w *world) hold(v *holder) error {
	if err := w.fetch(v); err != nil || !v.has {
		return err
	}
	w.forget()
	for _, tok := range w.tokens {
		w.checks++
		if !hasKid(v.set, tok.kid) && !w.revoked[tok.kid] {
			return fmt.Errorf("a verifier lacks %.5s of a token that is alive until %v", tok.kid, tok.expires.Sub(w.now))
		}
	}
	keys, err := v.set.Encrypters(jwk.Query{Algorithm: simEnc.Name()})
	if err != nil {
		return fmt.Errorf("a sender: %w", err)
	}
	if len(keys) != 1 {
		return fmt.Errorf("a sender has the choice of %d keys", len(keys))
	}
	w.messages = append(w.messages, token{keys[0].KeyID(), w.now.Add(v.offset + w.t.Lifetime)})
	return nil
}

// run plays the world for so many events.
func (w *world) run(events int) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case violation:
			err = e.err
		default:
			panic(e)
		}
	}()
	w.populate()
	for range events {
		switch w.rng.IntN(30) {
		case 0: // nobody comes for long
			w.now = w.now.Add(w.upTo(2 * w.t.Every))
		case 1, 2, 3:
			w.now = w.now.Add(w.upTo(w.t.Cache))
		default:
			w.now = w.now.Add(w.upTo(w.t.Cache / 10))
		}
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// next has someone do something.
func (w *world) next() error {
	if w.rng.IntN(2) == 0 {
		return w.hold(w.verifiers[w.rng.IntN(len(w.verifiers))])
	}
	if p := w.processes[w.rng.IntN(len(w.processes))]; p.idle() {
		return w.act(p)
	}
	return nil
}

// idle reports whether the process can be called: it is not while it is at the store, or
// this one thread would wait for itself.
func (p *process) idle() bool { return len(p.r.turn) == 0 }

// FuzzTimetable holds that at no moment a verifier lacks the key of a token that is
// alive, nor a process that of a message, for random timetables, clocks, accesses,
// failures and crashes.
func FuzzTimetable(f *testing.F) {
	n := uint64(seeds)
	if raceEnabled {
		n /= 10 // nothing in it is concurrent
	}
	for seed := range n {
		f.Add(seed)
	}
	// Worlds that notice: a max-age that is not shortened by the age of what the process
	// knows; a time that counts from before the store was seen; one from when a key was
	// made; a first key that is not active for a clock that is behind.
	for _, seed := range []uint64{126, 3068, 309, 2813, 2596, 81} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := newWorld(seed)
		if err := w.run(events); err != nil {
			t.Fatalf("%v\n%s", err, w.describe())
		}
	})
}

const (
	seeds  = 50
	events = 300
)

// TestTimetableIsTight holds that the worlds above notice when a rotation goes a little
// faster than it says.
func TestTimetableIsTight(t *testing.T) {
	if raceEnabled {
		t.Skip("nothing in it is concurrent")
	}
	for name, tamper := range map[string]func(*Rotation){
		"published for less than Cache": func(r *Rotation) {
			r.ahead = -r.t.Cache / 4
			r.t.Every = r.t.Cache * 3 / 4
		},
		"deleted before the tokens have ended":  func(r *Rotation) { r.keep -= 4*r.t.Skew + r.t.Cache + r.t.Lifetime/3 },
		"first keys that the others do not see": func(r *Rotation) { r.t.Skew = -r.t.Cache },
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(10 * seeds) {
				w := newWorld(seed)
				w.vary, w.tamper = false, tamper
				w.t.Lifetime = w.t.Cache // so that there are few keys
				if err := w.run(events); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("nothing was noticed")
		})
	}
}

func (w *world) describe() string {
	data, version, _ := w.store.Load(context.Background())
	w.t.Clock = nil
	return fmt.Sprintf("%+v\nnow %d, state %s: %d bytes, %d processes", w.t, w.now.Unix(), version, len(data), len(w.processes))
}
