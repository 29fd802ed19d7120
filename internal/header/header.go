// Package header has the rules that the headers of signed and encrypted tokens
// share (RFC 7515, Section 4; RFC 7516, Section 4): the members that both have,
// crit, which names an extension may not take, and how alg selects a key.
package header

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The refusals.
var (
	ErrInvalid   = fault.New("header.invalid", "RFC 7515, Section 4", "the header is refused")
	ErrCritical  = fault.New("crit.invalid", "RFC 7515, Section 4.1.11", "crit is refused")
	ErrAlgorithm = fault.New("alg.not_allowed", "RFC 8725, Section 3.1", "the algorithm is refused")
	ErrNoKey     = fault.New("key.none", "RFC 7515, Section 6", "the keys do not serve this token")

	errConflict      = fault.New("header.conflict", "RFC 7515, Section 7.2.1", "a name is in the protected and the unprotected header")
	errPrivate       = fault.New("key.private", "RFC 7515, Section 4.1.3", "jwk is not a public key")
	errNotUnderstood = fault.New("crit.unknown", "RFC 7515, Section 4.1.11", "it lists an extension that is not understood")
	errAlgMissing    = fault.New("alg.missing", "RFC 7515, Section 4.1.1", "the header has no alg")
	errAlgNone       = fault.New("alg.none", "RFC 8725, Section 3.2", "none is no algorithm")
	errAlgUnknown    = fault.New("alg.unknown", "RFC 7515, Section 4.1.1", "alg is no algorithm that is known for this form of token")
	errAlgMismatch   = fault.New("alg.mismatch", "RFC 8725, Section 3.1", "alg is not the key's algorithm")
	errAmbiguous     = fault.New("key.ambiguous", "RFC 7515, Section 6", "more than four keys fit")
)

// Members are those that both kinds of header have, as they are written.
type Members struct {
	Algorithm   string          `json:"alg,omitempty"`
	KeyID       string          `json:"kid,omitempty"`
	Type        string          `json:"typ,omitempty"`
	ContentType string          `json:"cty,omitempty"`
	JWK         json.RawMessage `json:"jwk,omitempty"`
	X5C         json.RawMessage `json:"x5c,omitempty"`
	X5T256      string          `json:"x5t#S256,omitempty"`
	JKU         string          `json:"jku,omitempty"`
	X5U         string          `json:"x5u,omitempty"`
	Critical    json.RawMessage `json:"crit,omitempty"`
}

// registered has the names that crit may not list (RFC 7515, Section 4.1.11; RFC
// 7516, Section 4.1.13) and Extra may not hold; b64 is an extension and stands in
// crit.
var registered = []string{
	"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", // RFC 7515
	"enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", // RFC 7516, RFC 7518
}

// Decode decodes an encoded header of at most most bytes.
func Decode(encoded string, most int) ([]byte, error) {
	if len(encoded) > most {
		return nil, compact.ErrTooLarge.With("its header is over the limit")
	}
	raw, err := b64url.DecodeString(encoded)
	if err != nil {
		return nil, ErrInvalid.Wrap(err)
	}
	return raw, nil
}

// Limits bounds a header's JSON; its length is bounded before it is decoded.
func Limits(raw []byte) strictjson.Limits {
	return strictjson.Limits{Bytes: len(raw), Depth: 16, Members: 1000}
}

// Key reads jwk, which is nil where it is absent.
func (m *Members) Key() (*jwk.JWK, error) { return PublicKey(m.JWK) }

// PublicKey reads a member that is a public key, or returns nil for an absent one.
func PublicKey(raw []byte) (*jwk.JWK, error) {
	if raw == nil {
		return nil, nil
	}
	key := new(jwk.JWK)
	if err := strictjson.Unmarshal(raw, key, Limits(raw)); err != nil {
		return nil, ErrInvalid.Wrap(err)
	}
	// RFC 7515, Section 4.1.3: it is a public key.
	if key.IsPrivate() {
		return nil, ErrInvalid.Wrap(errPrivate)
	}
	return key, nil
}

// Certificates reads x5c: base64, not base64url (RFC 7515, Section 4.1.6).
func (m *Members) Certificates() ([][]byte, error) {
	if m.X5C == nil {
		return nil, nil
	}
	var list []string
	if err := strictjson.Unmarshal(m.X5C, &list, Limits(m.X5C)); err != nil {
		return nil, ErrInvalid.Wrap(err)
	}
	if len(list) == 0 {
		return nil, ErrInvalid.With("x5c has no certificate")
	}
	ders := make([][]byte, len(list))
	for i, s := range list {
		der, err := base64.StdEncoding.Strict().DecodeString(s)
		// The standard decoder passes over line ends.
		if err != nil || s == "" || strings.ContainsAny(s, "\r\n") {
			return nil, ErrInvalid.With("x5c is not base64")
		}
		ders[i] = der
	}
	return ders, nil
}

// CriticalNames reads crit and refuses what RFC 7515, Section 4.1.11 does: has says
// which extensions the header has, understood which of them are processed.
func (m *Members) CriticalNames(has, understood func(name string) bool) ([]string, error) {
	if m.Critical == nil {
		return nil, nil
	}
	var names []string
	if err := strictjson.Unmarshal(m.Critical, &names, Limits(m.Critical)); err != nil {
		return nil, ErrCritical.With("it is not a list of names")
	}
	if len(names) == 0 {
		return nil, ErrCritical.With("it is empty")
	}
	for i, name := range names {
		switch {
		case slices.Contains(registered, name):
			return nil, ErrCritical.With("it lists a registered name")
		case !has(name):
			return nil, ErrCritical.With("it lists a name that the header does not have")
		case !understood(name):
			return nil, ErrCritical.Wrap(errNotUnderstood)
		// All names before this one are understood, so there are few of them.
		case slices.Contains(names[:i], name):
			return nil, ErrCritical.With("it lists a name twice")
		}
	}
	return names, nil
}

// CheckCritical refuses the crit that a sender wants to write where
// [Members.CriticalNames] would.
func CheckCritical(names []string, has func(name string) bool) error {
	for i, name := range names {
		if !has(name) || slices.Contains(registered, name) || slices.Contains(names[:i], name) {
			return ErrCritical.With("a name is registered, absent from the header or there twice")
		}
	}
	return nil
}

// CheckExtra refuses members that are not JSON, or that have a field of their own:
// the registered ones but x5t, and those that own names.
func CheckExtra(extra map[string]json.RawMessage, own ...string) error {
	for name, raw := range extra {
		if slices.Contains(own, name) || name != "x5t" && slices.Contains(registered, name) {
			return ErrInvalid.With("Extra has a member that is not an extension")
		}
		if err := strictjson.Valid(raw, Limits(raw)); err != nil {
			return ErrInvalid.Wrap(err)
		}
	}
	return nil
}

// Set writes the members that are not strings. It refuses a symmetric key.
func (m *Members) Set(key *jwk.JWK, certificates [][]byte, critical []string) error {
	if key != nil {
		raw, err := key.MarshalJSON()
		if err != nil {
			return ErrInvalid.Wrap(err)
		}
		m.JWK = raw
	}
	if certificates != nil {
		list := []byte{'['}
		for i, der := range certificates {
			if i > 0 {
				list = append(list, ',')
			}
			list = append(list, '"')
			list = base64.StdEncoding.AppendEncode(list, der)
			list = append(list, '"')
		}
		m.X5C = append(list, ']')
	}
	if critical != nil {
		m.Critical, _ = json.Marshal(critical) // strings never fail
	}
	return nil
}

// Planned is the encoder of T, whose plan is made at its first use. It is for types
// whose plan cannot fail.
func Planned[T any]() func() *strictjson.Encoder[T] {
	return sync.OnceValue(func() *strictjson.Encoder[T] {
		e, _ := strictjson.NewEncoder[T]()
		return e
	})
}

// Disjoint refuses two objects with a member of one name (RFC 7515, Section 7.2.1;
// RFC 7516, Section 7.2.1). Both have been parsed before; nil is an absent one.
func Disjoint(a, b []byte) error {
	if a == nil || b == nil {
		return nil
	}
	names := make(map[string]bool)
	_ = strictjson.Object(a, Limits(a), func(name string, _ []byte) error {
		names[name] = true
		return nil
	})
	return strictjson.Object(b, Limits(b), func(name string, _ []byte) error {
		if names[name] {
			return ErrInvalid.Wrap(errConflict)
		}
		return nil
	})
}

// CheckAlgorithm refuses the alg of a header that is missing, none, or in the table
// for another use.
func CheckAlgorithm(name, use string) error {
	if name == "" {
		return ErrAlgorithm.Wrap(errAlgMissing)
	}
	// Any spelling of none that some reader might take for it has its own code.
	bare := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, name)
	if strings.EqualFold(bare, "none") {
		return ErrAlgorithm.Wrap(errAlgNone)
	}
	if alg, ok := jwa.Lookup(name); ok && alg.Use() != use {
		return ErrAlgorithm.Wrap(errAlgUnknown)
	}
	return nil
}

// Fits reports whether name is how alg is written in a header.
func Fits(name string, alg jwa.Algorithm) bool {
	if name == alg.Name() {
		return true
	}
	// EdDSA and Ed25519 are two names of one algorithm (RFC 9864, Section 2.2).
	known, _ := jwa.Lookup(name)
	return known.Is(alg)
}

// ForKey returns the alg and kid of a header that a key makes: the key's where they
// are empty. It refuses others than the key's.
func ForKey(alg, kid string, key interface {
	Algorithm() jwa.Algorithm
	KeyID() string
},
) (string, string, error) {
	if alg == "" {
		alg = key.Algorithm().Name()
	}
	if !Fits(alg, key.Algorithm()) {
		return "", "", ErrAlgorithm.Wrap(errAlgMismatch)
	}
	switch {
	case kid == "":
		kid = key.KeyID()
	case key.KeyID() != "" && key.KeyID() != kid:
		return "", "", ErrInvalid.With("its kid is not the key's")
	}
	return alg, kid, nil
}

// maxCandidates bounds the keys that are tried for one header.
const maxCandidates = 4

// Source is a source of keys whose answer follows from the header alone, so that it may be kept with that:
// the key of a DPoP proof is in its header.
type Source interface {
	jwk.Source
	FromHeaderAlone()
}

// Candidates judges what a source of keys answered about a header's alg: its
// refusals are the token's, and its failures are its own. allowed narrows.
func Candidates[K interface{ Algorithm() jwa.Algorithm }](alg string, allowed []jwa.Algorithm, find func() ([]K, error)) ([]K, error) {
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a jwa.Algorithm) bool { return Fits(alg, a) }) {
		return nil, ErrAlgorithm
	}
	found, err := find()
	return Judge(alg, found, err)
}

// Judge is [Candidates] for an alg that is known to be allowed, and what a source has
// answered.
func Judge[K interface{ Algorithm() jwa.Algorithm }](alg string, found []K, err error) ([]K, error) {
	if err != nil {
		return nil, refusal(alg, err)
	}
	if len(found) == 0 {
		return nil, refusal(alg, ErrNoKey)
	}
	if len(found) > maxCandidates {
		return nil, ErrNoKey.Wrap(errAmbiguous)
	}
	for _, k := range found {
		// RFC 8725, Section 3.1: a key has one algorithm, whatever the source thinks.
		if !Fits(alg, k.Algorithm()) {
			return nil, ErrAlgorithm.Wrap(errAlgMismatch)
		}
	}
	return found, nil
}

func refusal(alg string, err error) error {
	code := fault.CodeOf(err)
	switch {
	// A source may have a code of its own for a key that it does not have.
	case strings.HasPrefix(code, "key."), errors.Is(err, jwk.ErrNoKey):
		if _, ok := jwa.Lookup(alg); !ok {
			return ErrAlgorithm.Wrap(errAlgUnknown)
		}
		return ErrNoKey.Wrap(err)
	case strings.HasPrefix(code, "alg."):
		return ErrAlgorithm.Wrap(err)
	}
	return err
}
