package keyset

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// keyQuery is what most queries consist of.
type keyQuery struct{ kid, alg string }

// An answer is what a set says to a query. It is shared by all who ask.
type answer struct {
	keys    []jwk.Verifier
	err     error
	x5t     string   // the "x5t#S256" of those that have one
	mixed   bool     // they have several
	issuers []string // the "issuer" of each key's JWK; nil where none has one
}

// index is a fixed set whose answers are made beforehand. It answers as the set does.
type index struct {
	set     jwk.Set
	kids    map[string]jwk.Set
	answers map[keyQuery]*answer
	others  map[string]*answer // by alg, to a kid that no key has
}

func newIndex(set jwk.Set) *index {
	x := &index{set, map[string]jwk.Set{}, map[keyQuery]*answer{}, map[string]*answer{}}
	for _, k := range set {
		x.kids[k.KeyID()] = append(x.kids[k.KeyID()], k)
	}
	for kid, part := range x.kids {
		for _, alg := range algorithmNames(part) {
			if kid != "" {
				x.answers[keyQuery{kid, alg}] = ask(part, jwk.Query{Algorithm: alg, KeyID: kid})
			} else {
				x.others[alg] = ask(part, jwk.Query{Algorithm: alg})
			}
		}
	}
	for _, alg := range algorithmNames(set) {
		x.answers[keyQuery{"", alg}] = ask(set, jwk.Query{Algorithm: alg})
	}
	return x
}

// algorithmNames returns how headers may name the algorithms of the keys.
func algorithmNames(set jwk.Set) []string {
	var names []string
	for _, k := range set {
		alg := k.Algorithm()
		names = append(names, alg.Name())
		for _, other := range []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519} { // RFC 9864, Section 2.2
			if alg.Is(other) {
				names = append(names, other.Name())
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func ask(set jwk.Set, q jwk.Query) *answer {
	a := new(answer)
	a.keys, a.err = set.Keys(context.Background(), q)
	for i, k := range a.keys {
		d := k.JWK()
		if t := certificateOf(d); t != "" {
			a.mixed = a.mixed || a.x5t != "" && a.x5t != t
			a.x5t = t
		}
		if raw, ok := d.Member("issuer"); ok {
			if a.issuers == nil {
				a.issuers = make([]string, len(a.keys))
			}
			if err := strictjson.Unmarshal(raw, &a.issuers[i], strictjson.Limits{}); err != nil {
				a.issuers[i] = string(raw) // which is no issuer
			}
		}
	}
	return a
}

// certificateOf returns the "x5t#S256" that a key answers to.
func certificateOf(d jwk.JWK) string {
	if t := d.X5TS256(); t != "" {
		return t
	}
	if ders := d.X5C(); len(ders) > 0 {
		return thumbprint(ders[0])
	}
	return ""
}

// find answers a query.
func (x *index) find(q jwk.Query) *answer { return x.lookUp(&q) }

// lookUp is find without the copy. It allocates nothing where a token's header is as
// most are.
func (x *index) lookUp(q *jwk.Query) *answer {
	a, ok := x.answers[keyQuery{q.KeyID, q.Algorithm}]
	part, named := x.set, true
	if !ok && q.KeyID != "" {
		if part, named = x.kids[q.KeyID]; !named {
			part = x.kids[""]
			a, ok = x.others[q.Algorithm]
		}
	}
	if ok && (q.X5TS256 == "" || !a.mixed && (a.x5t == "" || a.x5t == q.X5TS256)) {
		return a
	}
	return ask(part, *q)
}

// readSet reads a set that was published. Secrets and private keys are left out of it:
// they are known to all who can fetch it.
func readSet(data []byte, b jwk.Binding) (jwk.Set, []jwk.Skipped, error) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var exposed []jwk.Skipped
	if err := strictjson.Unmarshal(slices.Clone(data), &raw, strictjson.Limits{Bytes: maxDocument, Members: 1000 * 100}); err == nil {
		for i, one := range raw.Keys {
			if d, err := jwk.Parse(one); err == nil && (d.IsPrivate() || d.KeyType() == "oct") {
				exposed = append(exposed, jwk.Skipped{Index: i, KeyID: d.KeyID(), Err: errExposedKey})
				raw.Keys[i] = json.RawMessage("{}") // which ParseSet passes over
			}
		}
	}
	if exposed != nil {
		data, _ = json.Marshal(raw) // what was read can be written
	}
	set, skipped, err := jwk.ParseSet(data, b)
	for i := range skipped {
		for _, e := range exposed {
			if e.Index == skipped[i].Index {
				skipped[i] = e
			}
		}
	}
	return set, skipped, err
}
