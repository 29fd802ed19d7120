package jwk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
)

// Source finds the keys that may have made a signature. A [Set] is one; others
// fetch keys. Implementations are safe for concurrent use.
type Source interface {
	// Keys returns the candidates, at least one, or an error: ErrNoKey, ErrAmbiguous,
	// ErrAlgorithm, or one of its own where it could not look.
	Keys(ctx context.Context, q Query) ([]Verifier, error)
}

// Query says what a message tells about its key. All of it is untrusted.
type Query struct {
	Algorithm string // "alg" of the header; without it no key fits
	KeyID     string // "kid" of the header, or ""
	X5TS256   string // "x5t#S256" of the header, or ""
	Selector  string // what a Source asked for beside, such as the issuer

	// Of the header, too, and of no concern to a [Set]: whoever looks at them decides whom
	// they are to be believed. A Source changes nothing of X5C and keeps nothing of it.
	X5C      [][]byte // "x5c", certificates in DER, the leaf first, or nil
	X5U, JKU string   // "x5u" and "jku", or ""
	// JWK is "jwk" of the header of a signature, or nil. It is the sender's choice: a signature that verifies with it
	// proves that the sender has the key, and nothing of who that is. It is for kinds that are made for that
	// alone, such as DPoP proofs, and for nothing else (RFC 8725, Section 2.1).
	JWK *JWK
}

// DecryptionSource finds the keys that may decrypt a message. A [DecryptionSet] is one.
// Implementations are safe for concurrent use.
type DecryptionSource interface {
	// DecryptionKeys returns the candidates, at least one, or an error, as the method of
	// a [Source] does.
	DecryptionKeys(ctx context.Context, q Query) ([]Decrypter, error)
}

// DecryptionSet is a fixed set of keys that decrypt. It must not be changed while it is
// in use.
type DecryptionSet []Decrypter

// DecryptionKeys returns the keys that fit the query, by the rules of [Set.Keys].
func (s DecryptionSet) DecryptionKeys(_ context.Context, q Query) ([]Decrypter, error) {
	return candidates(s, q, "decrypt", func(d Decrypter) bool {
		shared, ok := d.(*SharedKey)
		return !ok || !shared.noDecrypt
	})
}

// maxCandidates bounds the keys that are tried for one message.
const maxCandidates = 4

// Set is a fixed set of keys. It must not be changed while it is in use.
type Set []Key

// Keys returns the keys of the algorithm that the kid names; where there is none of
// that kid, those without a kid; where the query has no kid, all. A key that has a
// certificate must agree with the query's "x5t#S256". More than 4 candidates are
// ErrAmbiguous. ErrAlgorithm says that a key of that kid exists for another
// algorithm. Keys for encryption are no candidates.
func (s Set) Keys(_ context.Context, q Query) ([]Verifier, error) {
	return candidates(s, q, "verify", func(v Verifier) bool {
		secret, ok := v.(*SecretKey)
		return !ok || !secret.noVerify
	})
}

// Encrypters returns the keys for encryption that fit the query, by the rules of Keys.
// In the query, the kid and the algorithm are those that the recipient is wanted to
// have.
func (s Set) Encrypters(q Query) ([]Encrypter, error) {
	return candidates(s, q, "encrypt", func(e Encrypter) bool {
		shared, ok := e.(*SharedKey)
		return !ok || !shared.noEncrypt
	})
}

// candidates returns the keys of type K that fit the query. What a key of that type may
// not do, by "key_ops", it is no candidate for.
func candidates[K interface {
	Algorithm() jwa.Algorithm
	KeyID() string
}, E any](all []E, q Query, do string, may func(K) bool) ([]K, error) {
	alg, _ := jwa.Lookup(q.Algorithm)
	var (
		found     []K
		named     bool // a key of the query's kid exists
		forbidden bool // a key fits but may not
	)
	for pass := range 2 {
		for _, key := range all {
			k, ok := any(key).(K)
			if !ok {
				continue
			}
			kid := k.KeyID()
			switch {
			case pass == 0 && kid != q.KeyID && q.KeyID != "":
				continue
			case pass == 1 && kid != "":
				continue
			}
			named = named || pass == 0 && q.KeyID != ""
			if a := k.Algorithm(); !a.Is(alg) && a.Name() != q.Algorithm {
				continue
			}
			if q.X5TS256 != "" {
				if x5t := certificateOf(k); x5t != "" && x5t != q.X5TS256 {
					continue
				}
			}
			if !may(k) {
				forbidden = true
				continue
			}
			if len(found) == maxCandidates {
				return nil, ErrAmbiguous
			}
			found = append(found, k)
		}
		if len(found) > 0 || named || q.KeyID == "" {
			break
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case forbidden:
		return nil, errUse.With("\"key_ops\" lacks \"" + do + "\"")
	case named:
		return nil, ErrAlgorithm
	}
	return nil, ErrNoKey
}

// certificateOf returns the "x5t#S256" of a key, or "".
func certificateOf(key any) string {
	switch k := key.(type) {
	case *PublicKey:
		return k.x5t
	case *EncryptionKey:
		return k.x5t
	case *DecryptionKey:
		return k.public.x5t
	}
	return ""
}

// MarshalJSON writes the public JWK set. It is ErrPrivate where the set has a
// secret key.
func (s Set) MarshalJSON() ([]byte, error) {
	out := []byte(`{"keys":[`)
	for i, k := range s {
		if k == nil {
			return nil, errInvalid.With("a key of the set is nil")
		}
		data, err := k.JWK().MarshalJSON()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, data...)
	}
	return append(out, `]}`...), nil
}

// Skipped says which key of a set was left out, and why.
type Skipped struct {
	Index int    // its place in "keys"
	KeyID string // its kid, where it could be read
	Err   error
}

var (
	setDecoder, _ = strictjson.NewDecoder[wireSet]()
	rawDecoder, _ = strictjson.NewDecoder[rawSet]()
	// A key has some ten members.
	setLimits = strictjson.Limits{Bytes: maxSet, Members: 100 * maxKeys}
)

type wireSet struct {
	Keys []*wire `json:"keys"`
}

type rawSet struct {
	Keys []json.RawMessage `json:"keys"`
}

// ParseSet reads a JWK set (RFC 7517, Section 5) and binds its keys, public ones and
// secrets, for signatures and for encryption. Of private keys it takes the public half.
// Keys that are unknown or broken are left out and reported; an error means that the
// text is not a JWK set, or too large. Several keys may have one kid, and a key without
// "alg" becomes several where the Binding says so.
func ParseSet(data []byte, b Binding) (Set, []Skipped, error) {
	return parseSet[Key](data, &b, "", (*wire).bind)
}

// ParseDecryptionSet reads a JWK set of private and shared keys and binds those that
// decrypt, as ParseSet does. Others are left out and reported.
func ParseDecryptionSet(data []byte, b Binding) (DecryptionSet, []Skipped, error) {
	return parseSet[Decrypter](data, &b, "enc", func(w *wire, b *Binding, c choice) (Decrypter, error) {
		if w.KeyType == "oct" {
			return w.bindShared(b, c)
		}
		return w.bindDecryption(b, c)
	})
}

// bind makes the key that a Set has.
func (w *wire) bind(b *Binding, c choice) (Key, error) {
	switch oct := w.KeyType == "oct"; {
	case oct && c.alg.Use() == "enc":
		return w.bindShared(b, c)
	case oct:
		return w.bindSecret(c)
	case c.alg.Use() == "enc":
		return w.bindEncryption(b, c, false)
	}
	return w.bindPublic(c, false)
}

func parseSet[K any](data []byte, b *Binding, use string, bind func(*wire, *Binding, choice) (K, error)) ([]K, []Skipped, error) {
	wires, skipped, err := readSet(data)
	if err != nil {
		return nil, nil, err
	}
	set := make([]K, 0, len(wires))
	var buf [4]choice
	for i, w := range wires {
		if w == nil {
			continue
		}
		cs, err := b.choices(buf[:0], w, use)
		for _, c := range cs {
			var k K
			if k, err = bind(w, b, c); err != nil {
				break
			}
			set = append(set, k)
		}
		if err != nil {
			skipped = append(skipped, Skipped{i, w.KeyID, err})
		}
	}
	return set, skipped, nil
}

// ParseJWKs reads the descriptions of a JWK set without binding them, for tools.
func ParseJWKs(data []byte) ([]JWK, []Skipped, error) {
	wires, skipped, err := readSet(data)
	if err != nil {
		return nil, nil, err
	}
	all := make([]JWK, 0, len(wires))
	for _, w := range wires {
		if w != nil {
			all = append(all, JWK{w: w})
		}
	}
	return all, skipped, nil
}

func isUnsupported(err error) bool { return errors.Is(err, ErrUnsupported) }

// readSet reads a set in one pass. Where a key is not what it should be, it reads
// again, key by key, to leave out only that one; its entry is nil.
func readSet(data []byte) ([]*wire, []Skipped, error) {
	if len(data) > maxSet {
		return nil, nil, errLimit.With("a JWK set has at most 1 MiB")
	}
	data = bytes.Clone(data)
	var set wireSet
	var skipped []Skipped
	if err := setDecoder.Decode(data, &set, setLimits); err == nil {
		for i, w := range set.Keys {
			if w == nil || w.KeyType == "" {
				set.Keys[i] = nil
				skipped = append(skipped, Skipped{Index: i, Err: errNoType})
			}
		}
	} else {
		var raw rawSet
		if err := rawDecoder.Decode(data, &raw, setLimits); err != nil {
			return nil, nil, errInvalid.Wrap(err)
		}
		set.Keys = nil
		if raw.Keys != nil {
			set.Keys = make([]*wire, len(raw.Keys))
		}
		for i := range min(len(set.Keys), maxKeys) {
			w, err := decode(raw.Keys[i])
			if err != nil {
				skipped = append(skipped, Skipped{Index: i, Err: err})
			}
			set.Keys[i] = w
		}
	}
	switch {
	case set.Keys == nil:
		return nil, nil, errInvalid.With("a JWK set is an object with the array \"keys\"")
	case len(set.Keys) > maxKeys:
		return nil, nil, errLimit.With("a JWK set has at most 1000 keys")
	}
	return set.Keys, skipped, nil
}
