package keyset

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// state is what all processes of a rotation agree on. It is not changed once others can
// see it.
type state struct {
	cache, lifetime time.Duration // the longest that any process has asked for
	keys            []rotated     // in the order in which they were made
}

// rotated is a key with the moments at which it went, or will go, from one phase to the
// next; zero where that is not known yet. Each of them is read off a clock after the
// phase before was seen in the store.
type rotated struct {
	created, published, active, retired time.Time

	kid       string
	alg       jwa.Algorithm
	desc      jwk.JWK            // with private members, save for a retired key that signed
	public    jwk.Key            // for the published set
	signer    *jwk.PrivateKey    // nil for encryption, and once it is retired
	decrypter *jwk.DecryptionKey // nil for signatures
}

// wireState is the state as it is stored.
type wireState struct {
	Version  int                        `json:"version"`
	Cache    int64                      `json:"cache"`    // seconds
	Lifetime int64                      `json:"lifetime"` // seconds
	Keys     []wireKey                  `json:"keys"`
	Others   map[string]json.RawMessage `json:",inline"`
}

type wireKey struct {
	Created   time.Time                  `json:"created,format:unix"`
	Published time.Time                  `json:"published,omitzero,format:unix"`
	Active    time.Time                  `json:"active,omitzero,format:unix"`
	Retired   time.Time                  `json:"retired,omitzero,format:unix"`
	Key       json.RawMessage            `json:"key"`
	Others    map[string]json.RawMessage `json:",inline"`
}

const stateVersion = 1

// A mistake in the types would show as a nil decoder or encoder in every test.
var (
	stateDecoder, _ = strictjson.NewDecoder[wireState]()
	stateEncoder, _ = strictjson.NewEncoder[wireState]()
)

// parseState reads what is stored. Members that are not known are refused: whoever
// wrote them would miss them after the next save.
func parseState(data []byte, b jwk.Binding) (*state, error) {
	var w wireState
	// The keys are parsed again below, each under the limits of a JWK.
	if err := stateDecoder.Decode(slices.Clone(data), &w, strictjson.Limits{Bytes: maxState, Members: 20_000}); err != nil {
		return nil, errState.Wrap(err)
	}
	switch {
	case w.Version != stateVersion:
		return nil, errState.With(fmt.Sprintf("it has version %d and not %d", w.Version, stateVersion))
	case len(w.Others) > 0:
		return nil, errState.With("it has an unknown member")
	case w.Cache <= 0 || w.Cache > maxSeconds || w.Lifetime <= 0 || w.Lifetime > maxSeconds:
		return nil, errState.With("\"cache\" or \"lifetime\" is out of range")
	}
	s := &state{cache: time.Duration(w.Cache) * time.Second, lifetime: time.Duration(w.Lifetime) * time.Second}
	for i, wk := range w.Keys {
		k, err := wk.bind(b)
		if err == nil && slices.ContainsFunc(s.keys, func(other rotated) bool { return other.kid == k.kid }) {
			err = errState.With("its kid is that of another key")
		}
		if err != nil {
			return nil, errState.Wrap(fmt.Errorf("key %d: %w", i, err))
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

func (w wireKey) bind(b jwk.Binding) (rotated, error) {
	switch {
	case len(w.Others) > 0:
		return rotated{}, errState.With("it has an unknown member")
	case w.Created.IsZero(),
		w.Published.IsZero() && !w.Active.IsZero(),
		w.Active.IsZero() && !w.Retired.IsZero():
		return rotated{}, errState.With("a phase is missing")
	}
	desc, err := jwk.Parse(w.Key)
	if err != nil {
		return rotated{}, err
	}
	k, err := bindRotated(desc, !w.Retired.IsZero(), b)
	k.created, k.published, k.active, k.retired = w.Created, w.Published, w.Active, w.Retired
	return k, err
}

// bindRotated makes the key of a description.
func bindRotated(desc jwk.JWK, retired bool, b jwk.Binding) (rotated, error) {
	k := rotated{kid: desc.KeyID(), desc: desc}
	var err error
	switch {
	case k.kid == "":
		return k, errState.With("it has no kid")
	case desc.Use() == "enc":
		if k.decrypter, err = desc.DecryptionKey(b); err == nil {
			k.public = k.decrypter.Public()
		}
	case retired:
		k.public, err = desc.PublicKey(b)
	default:
		if k.signer, err = desc.PrivateKey(b); err == nil {
			k.public = k.signer.Public()
		}
	}
	if err != nil {
		return k, err
	}
	k.alg = k.public.Algorithm()
	return k, nil
}

// marshal writes the state, with private keys.
func (s *state) marshal() ([]byte, error) {
	w := wireState{Version: stateVersion, Cache: seconds(s.cache), Lifetime: seconds(s.lifetime), Keys: []wireKey{}}
	for _, k := range s.keys {
		data, _ := k.desc.MarshalPrivateJSON() // what was read can be written
		w.Keys = append(w.Keys, wireKey{Created: k.created, Published: k.published, Active: k.active, Retired: k.retired, Key: data})
	}
	return stateEncoder.Append(nil, &w)
}

const maxSeconds = 100 * 365 * 24 * 60 * 60

// seconds rounds up, so that what is kept covers what was asked for.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// current returns the key of the algorithm that signs at that time, or that others
// encrypt with, or nil where there is none yet. A retired key shows that a process has
// seen the hour of the next one come, even where the clock of this one is behind.
func (s *state) current(alg jwa.Algorithm, now time.Time) *rotated {
	var best, next *rotated
	succeeds := false
	for i := range s.keys {
		k := &s.keys[i]
		switch {
		case !k.alg.Is(alg):
		case !k.retired.IsZero():
			succeeds = true
		case k.active.IsZero():
		case k.active.After(now):
			if next == nil || k.active.Before(next.active) {
				next = k
			}
		case best == nil || k.active.After(best.active):
			best = k
		}
	}
	if best == nil && succeeds {
		return next
	}
	return best
}

// algorithms returns those of the keys.
func (s *state) algorithms() []jwa.Algorithm {
	var all []jwa.Algorithm
	for _, k := range s.keys {
		if !slices.ContainsFunc(all, k.alg.Is) {
			all = append(all, k.alg)
		}
	}
	return all
}

// published returns the set that others see: of keys for signatures all, the one that
// signs first, for those who try only one; of keys for encryption the current one.
func (s *state) published(now time.Time) jwk.Set {
	var first, rest jwk.Set
	for _, alg := range s.algorithms() {
		current := s.current(alg, now)
		for i := range s.keys {
			k := &s.keys[i]
			switch {
			case !k.alg.Is(alg):
			case k == current:
				first = append(first, k.public)
			case k.decrypter == nil:
				rest = append(rest, k.public)
			}
		}
	}
	return append(first, rest...)
}
