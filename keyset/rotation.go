package keyset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// Rotation makes the keys of an issuer, publishes them, signs with each for a time, and
// deletes them, in any number of processes that share a [Store]. For each algorithm:
//
//	created, published     active                retired                       deleted
//	│◄──── Ahead or more ────►│◄────── Every ─────►│◄ Cache + Lifetime + 4·Skew ►│
//
//	a key for signatures
//	│ is in the published set until it is deleted                                │
//	                          │ signs              │ loses its private half
//	a key for encryption
//	│ decrypts in every process until it is deleted                              │
//	                          │ is in the set      │
//
// The next key is made as soon as its predecessor is active, so that it can take over
// at any moment; with the default timetable it has then been published for a month.
//
// # Why no verifier ever lacks a key
//
// No process uses what it has seen of the store for longer than Cache, neither to sign
// nor to publish, and the max-age of what it publishes ends with that too. So a set in
// the hands of a verifier shows the store as it was at most Cache ago. Each step is
// taken only after the one before was seen in the store, and the time that counts is
// read after that, so that it does not matter how long saving took or which process
// ended in between:
//
//   - A key is published when it was seen in the store, and active Ahead later, which
//     is Cache and Skew or more. All sets in use, and all processes, have it then.
//   - A key is retired when its successor was seen to be active. For Cache more, a
//     process that has not looked into the store since may sign with it; for Lifetime
//     more, such a token lives, and sets have the key.
//
// A key for encryption comes to the senders as one for signatures comes to its signer,
// and the processes that decrypt stand where the verifiers stand.
//
// The first keys of an empty store are active at once, because no verifier can have
// seen a set without them. The first key of an algorithm that is added later is not. To
// take an algorithm away, revoke its keys when no process names it any more.
//
// # What it costs
//
// There is no goroutine: what is due is done by the call that finds it so, while others
// go on with what they have. See [Rotation.Run] for the alternative. Within Reload of
// the last look into the store, no call waits, takes a lock or reads anything. A
// Rotation is safe for concurrent use.
type Rotation struct {
	store       Store
	algs        []jwa.Algorithm
	t           Timetable
	ahead, keep time.Duration // beside the Cache and the Lifetime of the state

	view atomic.Pointer[view]

	turn chan struct{} // has an element while a call looks into the store
	// What the last look came to, for the one whose turn it is.
	failed time.Time
	err    error
}

// Timetable says when a [Rotation] does what. Its zero value is good for tokens that
// live up to a day. It may differ between processes, as it does while a new one is
// rolled out: the state remembers the longest Cache and Lifetime that any has asked for.
type Timetable struct {
	// Every is how long a key signs, or longer while no process runs. Zero means 30 days.
	Every time.Duration
	// Cache is how long a verifier may use the set before it asks again: the max-age that
	// is published, less the time since the store was read. Without the store, keys serve
	// so long. Zero means an hour; at least a second.
	Cache time.Duration
	// Lifetime is the longest time from when a token is signed until it expires, or from
	// when a message is encrypted until it is decrypted. Zero means a day.
	Lifetime time.Duration
	// Ahead is how long a key is published at least before it signs: Cache and Skew, which
	// zero means, or longer for verifiers that ask less often than they are told. At most
	// Every.
	Ahead time.Duration
	// Skew is how far two clocks may differ, and how much leeway verifiers give. Zero
	// means 5 minutes.
	Skew time.Duration
	// Reload is how often a process looks whether another has changed the state, such as
	// by [Rotation.Revoke]. Zero means 10 seconds, or a quarter of Cache if that is less;
	// at most half of Cache.
	Reload time.Duration
	// Binding has the extensions that the algorithms of all processes need.
	Binding jwk.Binding
	// Failed, if not nil, is told why [Rotation.Run] could not look into the store or do what is due: before Cache
	// has passed nobody else notices. It is called by the goroutine of Run.
	Failed func(error)
	// Clock is the time now; nil means time.Now. It is called concurrently.
	Clock func() time.Time
}

const (
	// At most this many keys of an algorithm at a time.
	maxKept = 100
	// After a failure the store is left alone for so long.
	retryStore = time.Second
	// How often a call begins again because another process was faster.
	maxConflicts = 20
	// How many steps can follow one another without time passing.
	maxSteps = 10
)

// NewRotation returns a rotation of keys for one or more algorithms, for signatures or
// encryption, with private and public keys. It does not look into the store yet.
func NewRotation(store Store, t Timetable, algs ...jwa.Algorithm) (*Rotation, error) {
	orElse(&t.Every, 30*24*time.Hour)
	orElse(&t.Cache, time.Hour)
	orElse(&t.Lifetime, 24*time.Hour)
	orElse(&t.Skew, 5*time.Minute)
	orElse(&t.Ahead, t.Cache+t.Skew)
	orElse(&t.Reload, min(10*time.Second, t.Cache/4))
	if t.Clock == nil {
		t.Clock = time.Now
	}
	bad := func(detail string) (*Rotation, error) { return nil, errOptions.With(detail) }
	switch {
	case store == nil:
		return bad("a Rotation needs a Store")
	case len(algs) == 0:
		return bad("a Rotation needs an algorithm")
	case t.Every < 0 || t.Lifetime < 0 || t.Skew < 0 || t.Reload < 0:
		return bad("a negative time")
	case t.Cache < time.Second:
		return bad("Cache is less than a second")
	case seconds(max(t.Every, t.Cache, t.Lifetime, t.Skew)) > maxSeconds/10:
		return bad("a time of more than 10 years")
	case t.Ahead < t.Cache+t.Skew:
		return bad("Ahead is less than Cache and Skew: verifiers would lack the key when it signs")
	case t.Every < t.Ahead:
		return bad("Every is less than Ahead: the next key would not be ready")
	case t.Reload > t.Cache/2:
		return bad("Reload is more than half of Cache")
	case (t.Cache+t.Lifetime+4*t.Skew)/t.Every > maxKept:
		return bad(fmt.Sprintf("more than %d keys at a time: Every is too short for Lifetime", maxKept))
	}
	for i, alg := range algs {
		switch {
		case alg == jwa.Algorithm{}:
			return bad("the zero algorithm")
		case alg.Symmetric():
			return bad(alg.Name() + " has no public key to publish")
		}
		for _, other := range algs[:i] {
			if other.Is(alg) {
				return bad(alg.Name() + " is given twice")
			}
		}
	}
	return &Rotation{
		store: store, algs: slices.Clone(algs), t: t,
		ahead: t.Ahead - t.Cache, keep: 4 * t.Skew,
		turn: make(chan struct{}, 1),
	}, nil
}

func orElse(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}

// now is wall-clock time, which goes on while the machine is suspended.
func (r *Rotation) now() time.Time { return r.t.Clock().Round(0) }

// Signer returns the key that signs now. Ask for it anew for each token: it is not the
// key for long. It is [jwk.ErrNoKey] for an algorithm that was added later, while its
// first key is published ahead.
func (r *Rotation) Signer(ctx context.Context, alg jwa.Algorithm) (jwk.Signer, error) {
	v, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	if k := v.current(alg, r.now()); k != nil && k.signer != nil {
		return k.signer, nil
	}
	return nil, jwk.ErrNoKey
}

// Keys implements [jwk.Source], for the issuer's own tokens.
func (r *Rotation) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	v, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	a := v.verifiers.find(q)
	return a.keys, a.err
}

// DecryptionKeys implements [jwk.DecryptionSource].
func (r *Rotation) DecryptionKeys(ctx context.Context, q jwk.Query) ([]jwk.Decrypter, error) {
	v, err := r.look(ctx)
	if err != nil {
		return nil, err
	}
	return v.decrypters.DecryptionKeys(ctx, q)
}

// Set returns the public keys and how long others may use them before they ask again:
// nobody shall be told of a longer time. For each algorithm the first key is the current
// one.
func (r *Rotation) Set(ctx context.Context) (set jwk.Set, maxAge time.Duration, err error) {
	v, err := r.look(ctx)
	if err != nil {
		return nil, 0, err
	}
	now := r.now()
	return v.published(now), max(0, r.limit(v)-now.Sub(v.seen)), nil
}

// Handler serves the JWK set (RFC 7517, Section 5) to GET and HEAD, with ETag and a
// Cache-Control that ends in time. While there are no keys it can answer for, it says
// 503, which leaves caches what they have.
func (r *Rotation) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		if req.Method != http.MethodGet && req.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		var body []byte
		set, maxAge, err := r.Set(req.Context())
		if err == nil {
			body, err = set.MarshalJSON()
		}
		if err != nil {
			h.Set("Cache-Control", "no-store")
			h.Set("Retry-After", "10")
			http.Error(w, "the keys cannot be had now", http.StatusServiceUnavailable)
			return
		}
		sum := sha256.Sum256(body)
		h.Set("ETag", `"`+b64url.EncodeToString(sum[:16])+`"`)
		// A proxy that cannot ask again may not go on with it (RFC 9111, Section 5.2.2.2).
		h.Set("Cache-Control", "public, max-age="+strconv.FormatInt(int64(maxAge/time.Second), 10)+", must-revalidate")
		h.Set("Content-Type", "application/jwk-set+json") // RFC 7517, Section 8.5.2
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(body))
	})
}

// RotationKey is a key in the state of a [Rotation].
type RotationKey struct {
	KeyID     string
	Algorithm jwa.Algorithm
	// Phase is "published", "active" or "retired".
	Phase string
	// When each phase began, or will begin; zero where that is not known yet.
	Created, Published, Active, Retired, Deleted time.Time
}

// Inspect looks into the store and returns its keys, the oldest first.
func (r *Rotation) Inspect(ctx context.Context) ([]RotationKey, error) {
	v, err := r.act(ctx, nil)
	if err != nil {
		return nil, err
	}
	now := r.now()
	var all []RotationKey
	for i := range v.keys {
		k := &v.keys[i]
		info := RotationKey{k.kid, k.alg, "published", k.created, k.published, k.active, k.retired, time.Time{}}
		switch {
		case !k.retired.IsZero():
			info.Phase, info.Deleted = "retired", r.deletion(v.state, k)
		case k == v.current(k.alg, now):
			info.Phase = "active"
		}
		all = append(all, info)
	}
	return all, nil
}

// Revoke deletes a key at once, whichever phase it is in. The next one takes over, with
// which verifiers are acquainted if it has been published for Ahead; where there is none
// yet it is made. Other processes know within Reload, or Cache while they cannot reach
// the store, and verifiers when they ask next. It is [jwk.ErrNoKey] if there is no such
// key. After another error it is not known whether the key is revoked.
func (r *Rotation) Revoke(ctx context.Context, kid string) error {
	_, err := r.act(ctx, func(s *state, now time.Time) error {
		i := slices.IndexFunc(s.keys, func(k rotated) bool { return k.kid == kid })
		if i < 0 {
			return jwk.ErrNoKey
		}
		alg := s.keys[i].alg
		had := s.current(alg, now) != nil
		s.keys = slices.Delete(s.keys, i, i+1)
		if had && s.current(alg, now) == nil {
			return r.succeed(s, alg, now)
		}
		return nil
	})
	return err
}

// succeed makes the next key of the algorithm active.
func (r *Rotation) succeed(s *state, alg jwa.Algorithm, now time.Time) error {
	for i := range s.keys {
		if k := &s.keys[i]; k.alg.Is(alg) && k.retired.IsZero() {
			if k.published.IsZero() {
				k.published = now
			}
			k.active = r.atOnce(now)
			return nil
		}
	}
	return r.first(s, alg, now)
}

// atOnce is a time that is past for every process.
func (r *Rotation) atOnce(now time.Time) time.Time { return now.Add(-r.t.Skew) }

// first makes a key that is active at once.
func (r *Rotation) first(s *state, alg jwa.Algorithm, now time.Time) error {
	k, err := r.generate(alg, now)
	if err != nil {
		return err
	}
	k.published, k.active = now, r.atOnce(now)
	s.keys = append(s.keys, k)
	return nil
}

// Rotate brings the next keys forward: they take over as soon as they have been
// published for Ahead, which usually is now. Revoke is for keys that others may have.
func (r *Rotation) Rotate(ctx context.Context) error {
	_, err := r.act(ctx, func(s *state, now time.Time) error {
		for i := range s.keys {
			k := &s.keys[i]
			if at := later(r.ready(s, k), now); k.active.After(at) {
				k.active = at
			}
		}
		return nil
	})
	return err
}

// Run looks into the store and does what is due until ctx is done, so that other calls
// need not. It returns the error of ctx; any other is for Failed, and it goes on.
func (r *Rotation) Run(ctx context.Context) error {
	tick := time.NewTicker(r.t.Reload / 2)
	defer tick.Stop()
	for {
		if _, err := r.act(ctx, nil); err != nil && r.t.Failed != nil && ctx.Err() == nil {
			r.t.Failed(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// view is what a process has seen of the store. It is immutable.
type view struct {
	*state
	version    string
	seen       time.Time // what was in the store then is in it
	due        time.Time // when the next step is to be taken
	verifiers  *index    // all keys for signatures
	decrypters jwk.DecryptionSet
}

func (r *Rotation) newView(s *state, version string, seen, now time.Time) *view {
	v := &view{state: s, version: version, seen: seen, due: r.next(s, now)}
	if old := r.view.Load(); old != nil && old.state == s {
		v.verifiers, v.decrypters = old.verifiers, old.decrypters
		return v
	}
	var set jwk.Set
	for i := range s.keys {
		if k := &s.keys[i]; k.decrypter != nil {
			v.decrypters = append(v.decrypters, k.decrypter)
		} else {
			set = append(set, k.public)
		}
	}
	v.verifiers = newIndex(set)
	return v
}

// limit is how long a view may be used. What this process has asked for does not count
// before the others know.
func (r *Rotation) limit(v *view) time.Duration { return min(r.t.Cache, v.cache) }

// usable reports whether the process may answer with the view.
func (r *Rotation) usable(v *view, now time.Time) bool {
	if v == nil || v.lifetime < r.t.Lifetime {
		return false
	}
	age := now.Sub(v.seen)
	return age >= 0 && age <= r.limit(v) // below zero the clock was set back
}

// fresh reports whether there is no need to look into the store.
func (r *Rotation) fresh(v *view, now time.Time) bool {
	return r.usable(v, now) && now.Sub(v.seen) < r.t.Reload && now.Before(v.due)
}

// look returns a view that may be used. One call at a time looks into the store, and
// others do not wait for it if they have one.
func (r *Rotation) look(ctx context.Context) (*view, error) {
	v, now := r.view.Load(), r.now()
	if r.fresh(v, now) {
		return v, nil
	}
	if r.usable(v, now) {
		select {
		case r.turn <- struct{}{}:
		default:
			return v, nil
		}
	} else {
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-r.turn }()

	// Others may have looked, or failed to, while this one waited.
	v, now = r.view.Load(), r.now()
	if r.fresh(v, now) {
		return v, nil
	}
	err := r.err
	if since := now.Sub(r.failed); err == nil || since < 0 || since >= retryStore {
		err = r.refresh(ctx, nil)
	}
	v, now = r.view.Load(), r.now()
	switch {
	case r.usable(v, now):
		return v, nil
	case err == nil:
		return nil, errStale.With("the store took too long")
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case v == nil:
		return nil, errUnreachable.Wrap(err)
	}
	return nil, errStale.Wrap(err)
}

// act waits for its turn and makes a change of the state. The view that it returns shows
// the store as it is.
func (r *Rotation) act(ctx context.Context, change func(*state, time.Time) error) (*view, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.turn }()
	if err := r.refresh(ctx, change); err != nil {
		return nil, err
	}
	return r.view.Load(), nil
}

// refresh reads the store and takes the steps that are due, after a change if one is
// given. What it has read is kept even where it fails to go on from there.
func (r *Rotation) refresh(ctx context.Context, change func(*state, time.Time) error) (err error) {
	defer func() {
		r.err, r.failed = err, r.now()
		if ctx.Err() != nil {
			r.err = nil // it is not the store that failed
		}
	}()
	for range maxConflicts {
		seen := r.now()
		data, version, err := r.store.Load(ctx)
		if err != nil {
			return err
		}
		s := &state{}
		if old := r.view.Load(); old != nil && version == old.version {
			s = old.state
		} else if version != "" {
			if s, err = parseState(data, r.t.Binding); err != nil {
				return err
			}
		}
		if done, err := r.advance(ctx, s, version, seen, &change); done {
			return err
		}
	}
	return errConflict.With("too often")
}

// advance makes the change, if there is one, and takes steps from what was seen until
// none is due. It is not done where another process has saved in between. A change that
// was saved is taken away, so that it is made once.
func (r *Rotation) advance(ctx context.Context, s *state, version string, seen time.Time, change *func(*state, time.Time) error) (done bool, err error) {
	for range maxSteps {
		now := r.now() // and not before: see Rotation
		next := &state{s.cache, s.lifetime, slices.Clone(s.keys)}
		var changed, made bool
		switch {
		case version == "":
			changed, err = true, r.begin(next, now)
		case *change != nil:
			r.view.Store(r.newView(s, version, seen, now))
			changed, made, err = true, true, (*change)(next, now)
		default:
			r.view.Store(r.newView(s, version, seen, now))
			changed, err = r.step(next, now)
		}
		if !changed || err != nil {
			return true, err
		}
		data, err := next.marshal()
		if err != nil {
			return true, err
		}
		seen = r.now()
		switch version, err = r.store.Save(ctx, data, version); {
		case errors.Is(err, ErrConflict):
			return false, nil
		case err != nil:
			return true, err
		}
		if made {
			*change = nil
		}
		s = next
	}
	return true, errState.With("the store gives back other than what was saved")
}

// begin makes the state of an empty store.
func (r *Rotation) begin(s *state, now time.Time) error {
	r.promise(s)
	for _, alg := range r.algs {
		if err := r.first(s, alg, now); err != nil {
			return err
		}
	}
	return nil
}

// promise raises what the state remembers to what this process asks for, and reports
// whether it did.
func (r *Rotation) promise(s *state) bool {
	cache := max(s.cache, time.Duration(seconds(r.t.Cache))*time.Second)
	lifetime := max(s.lifetime, time.Duration(seconds(r.t.Lifetime))*time.Second)
	raised := cache != s.cache || lifetime != s.lifetime
	s.cache, s.lifetime = cache, lifetime
	return raised
}

// step takes every step that is due, given that s is what the store has had before now,
// and reports whether there was one.
func (r *Rotation) step(s *state, now time.Time) (changed bool, err error) {
	changed = r.promise(s)
	kept := len(s.keys)
	s.keys = slices.DeleteFunc(s.keys, func(k rotated) bool {
		return !k.retired.IsZero() && !now.Before(r.deletion(s, &k))
	})
	changed = changed || len(s.keys) < kept
	for i := range s.keys {
		if k := &s.keys[i]; k.published.IsZero() {
			k.published, changed = now, true
		}
	}
	for _, alg := range s.algorithms() {
		current := s.current(alg, now)
		for i := range s.keys {
			k := &s.keys[i]
			if current == nil || !k.alg.Is(alg) || !k.retired.IsZero() || k.active.IsZero() || !k.active.Before(current.active) {
				continue
			}
			if *k, err = k.retire(now, r.t.Binding); err != nil {
				return true, err
			}
			changed = true
		}
	}
	for _, alg := range r.algs {
		scheduled, err := r.prepare(s, alg, now)
		if err != nil {
			return true, err
		}
		changed = changed || scheduled
	}
	return changed, nil
}

// prepare makes the next key of an algorithm, or says when it takes over.
func (r *Rotation) prepare(s *state, alg jwa.Algorithm, now time.Time) (changed bool, err error) {
	current := s.current(alg, now)
	for i := range s.keys {
		k := &s.keys[i]
		if !k.alg.Is(alg) || !k.retired.IsZero() || k == current {
			continue
		}
		if !k.active.IsZero() {
			return false, nil
		}
		k.active = r.ready(s, k)
		if current != nil {
			k.active = later(k.active, current.active.Add(r.t.Every))
		}
		return true, nil
	}
	k, err := r.generate(alg, now)
	if err != nil {
		return false, err
	}
	s.keys = append(s.keys, k)
	return true, nil
}

// retire drops the private half of a key for signatures. Of a key for encryption it is
// needed for what was encrypted with it.
func (k *rotated) retire(now time.Time, b jwk.Binding) (rotated, error) {
	desc := k.desc
	if k.decrypter == nil {
		desc = k.public.JWK()
	}
	old, err := bindRotated(desc, true, b)
	old.created, old.published, old.active, old.retired = k.created, k.published, k.active, now
	return old, err
}

// generate makes a key. RFC 7517, Section 4.2: "use" tells those apart that are for
// signatures and for encryption.
func (r *Rotation) generate(alg jwa.Algorithm, now time.Time) (rotated, error) {
	var key interface{ PrivateJWK() (jwk.JWK, error) }
	var err error
	if alg.Use() == "enc" {
		key, err = jwk.GenerateDecryptionKey(alg, "", r.t.Binding.Agreements...)
	} else {
		key, err = jwk.Generate(alg, r.t.Binding.Extensions...)
	}
	if err != nil {
		return rotated{}, err
	}
	desc, err := key.PrivateJWK()
	if err == nil {
		desc, err = desc.With("use", alg.Use())
	}
	if err != nil {
		return rotated{}, err
	}
	k, err := bindRotated(desc, false, r.t.Binding)
	k.created = now
	return k, err
}

// ready returns when a key that was published may be active.
func (r *Rotation) ready(s *state, k *rotated) time.Time { return k.published.Add(s.cache + r.ahead) }

// deletion returns when a retired key is deleted.
func (r *Rotation) deletion(s *state, k *rotated) time.Time {
	return k.retired.Add(s.cache + s.lifetime + r.keep)
}

// next returns when the next step is due: there is one as soon as each algorithm has a
// key that waits.
func (r *Rotation) next(s *state, now time.Time) (due time.Time) {
	for i := range s.keys {
		at := s.keys[i].active
		if !s.keys[i].retired.IsZero() {
			at = r.deletion(s, &s.keys[i])
		} else if !at.After(now) {
			continue
		}
		if due.IsZero() || at.Before(due) {
			due = at
		}
	}
	return due
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
