package jws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// Header is the JOSE header of one signature (RFC 7515, Section 4.1). What a
// token's header says is a claim of its sender: KeyID and Algorithm select among
// the keys that the caller trusts already, and JWK, X5C, JKU and X5U are shown
// and neither followed nor trusted.
type Header struct {
	Algorithm   string   // alg; when signing, the key's if empty
	KeyID       string   // kid; when signing, the key's if empty
	Type        string   // typ
	ContentType string   // cty
	JWK         *jwk.JWK // jwk, a public key
	X5C         [][]byte // x5c, certificates in DER, the leaf first
	X5T256      string   // x5t#S256
	JKU         string   // jku
	X5U         string   // x5u
	Critical    []string // crit; when signing, b64 is added where it is due
	Unencoded   bool     // b64 is false (RFC 7797)

	// Extra has every other member, among them x5t, which is never used.
	Extra map[string]json.RawMessage
}

// members is a header as it is written.
type members struct {
	Algorithm   string                     `json:"alg,omitempty"`
	KeyID       string                     `json:"kid,omitempty"`
	Type        string                     `json:"typ,omitempty"`
	ContentType string                     `json:"cty,omitempty"`
	JWK         json.RawMessage            `json:"jwk,omitempty"`
	X5C         json.RawMessage            `json:"x5c,omitempty"`
	X5T256      string                     `json:"x5t#S256,omitempty"`
	JKU         string                     `json:"jku,omitempty"`
	X5U         string                     `json:"x5u,omitempty"`
	Critical    json.RawMessage            `json:"crit,omitempty"`
	B64         json.RawMessage            `json:"b64,omitempty"`
	Extra       map[string]json.RawMessage `json:",inline"`
}

// registered has the names that crit may not list (RFC 7515, Section 4.1.11) and
// Extra may not hold; b64 is an extension and stands in crit.
var registered = []string{
	"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", // RFC 7515
	"enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", // RFC 7516, RFC 7518
}

// ParseHeader reads the first part of a token, or a protected member, strictly:
// canonical base64url of one JSON object without duplicate members, whose alg is
// there and is not none, and whose crit lists nothing that o.Critical does not.
// It checks no signature. Of o it uses Critical and MaxHeader.
func ParseHeader(encoded string, o Options) (Header, error) {
	raw, err := decodeHeader(encoded, o)
	if err != nil {
		return Header{}, err
	}
	h, err := parseProtected(raw, o)
	if err != nil {
		return Header{}, err
	}
	return h, checkAlgorithm(h.Algorithm)
}

func decodeHeader(encoded string, o Options) ([]byte, error) {
	if len(encoded) > o.maxHeader() {
		return nil, errTooLarge.With("its header is over the limit")
	}
	raw, err := b64url.DecodeString(encoded)
	if err != nil {
		return nil, errHeader.Wrap(err)
	}
	return raw, nil
}

// headerLimits bounds a header's JSON; its length is bounded before it is decoded.
func headerLimits(raw []byte) strictjson.Limits {
	return strictjson.Limits{Bytes: len(raw), Depth: 16, Members: 1000}
}

// parseProtected reads the JSON of a protected header; alg is for the caller.
func parseProtected(raw []byte, o Options) (Header, error) {
	h, m, err := parse(raw)
	if err != nil {
		return Header{}, err
	}
	if h.Critical, err = m.critical(o.Critical); err != nil {
		return Header{}, err
	}
	if h.Unencoded, err = m.unencoded(); err != nil {
		return Header{}, err
	}
	// RFC 7797, Section 6: who does not know b64 must refuse what it changes.
	if h.Unencoded && !slices.Contains(h.Critical, "b64") {
		return Header{}, errHeader.Wrap(errB64)
	}
	return h, nil
}

// parse reads what protected and unprotected headers have in common.
func parse(raw []byte) (Header, *members, error) {
	var m members
	if err := strictjson.Unmarshal(raw, &m, headerLimits(raw)); err != nil {
		return Header{}, nil, errHeader.Wrap(err)
	}
	// RFC 7516, Section 9: enc is what tells an encrypted token from a signed one.
	if _, ok := m.Extra["enc"]; ok {
		if err := checkAlgorithm(m.Algorithm); err != nil {
			return Header{}, nil, err
		}
		return Header{}, nil, errHeader.With("it has enc: this is the header of an encrypted token")
	}
	h := Header{
		Algorithm: m.Algorithm, KeyID: m.KeyID, Type: m.Type, ContentType: m.ContentType,
		X5T256: m.X5T256, JKU: m.JKU, X5U: m.X5U, Extra: m.Extra,
	}
	if m.JWK != nil {
		h.JWK = new(jwk.JWK)
		if err := strictjson.Unmarshal(m.JWK, h.JWK, headerLimits(m.JWK)); err != nil {
			return Header{}, nil, errHeader.Wrap(err)
		}
		// RFC 7515, Section 4.1.3: it is a public key.
		if h.JWK.IsPrivate() {
			return Header{}, nil, errHeader.Wrap(errPrivate)
		}
	}
	if m.X5C != nil {
		var err error
		if h.X5C, err = parseX5C(m.X5C); err != nil {
			return Header{}, nil, err
		}
	}
	return h, &m, nil
}

// parseX5C reads certificates: base64, not base64url (RFC 7515, Section 4.1.6).
func parseX5C(raw []byte) ([][]byte, error) {
	var list []string
	if err := strictjson.Unmarshal(raw, &list, headerLimits(raw)); err != nil {
		return nil, errHeader.Wrap(err)
	}
	if len(list) == 0 {
		return nil, errHeader.With("x5c has no certificate")
	}
	ders := make([][]byte, len(list))
	for i, s := range list {
		der, err := base64.StdEncoding.Strict().DecodeString(s)
		// The standard decoder passes over line ends.
		if err != nil || s == "" || strings.ContainsAny(s, "\r\n") {
			return nil, errHeader.With("x5c is not base64")
		}
		ders[i] = der
	}
	return ders, nil
}

// critical reads crit and refuses what RFC 7515, Section 4.1.11 does.
func (m *members) critical(understood []string) ([]string, error) {
	if m.Critical == nil {
		return nil, nil
	}
	var names []string
	if err := strictjson.Unmarshal(m.Critical, &names, headerLimits(m.Critical)); err != nil {
		return nil, errCritical.With("it is not a list of names")
	}
	if len(names) == 0 {
		return nil, errCritical.With("it is empty")
	}
	for i, name := range names {
		_, extra := m.Extra[name]
		switch {
		case slices.Contains(registered, name):
			return nil, errCritical.With("it lists a registered name")
		case name == "b64" && m.B64 == nil, name != "b64" && !extra:
			return nil, errCritical.With("it lists a name that the header does not have")
		case name != "b64" && !slices.Contains(understood, name):
			return nil, errCritical.Wrap(errNotUnderstood)
		// All names before this one are understood, so there are few of them.
		case slices.Contains(names[:i], name):
			return nil, errCritical.With("it lists a name twice")
		}
	}
	return names, nil
}

func (m *members) unencoded() (bool, error) {
	switch string(m.B64) {
	case "", "true":
		return false, nil
	case "false":
		return true, nil
	}
	return false, errHeader.Wrap(errB64Type)
}

func checkAlgorithm(name string) error {
	if name == "" {
		return errAlgorithm.Wrap(errAlgMissing)
	}
	// Any spelling of none that some reader might take for it has its own code.
	bare := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, name)
	if strings.EqualFold(bare, "none") {
		return errAlgorithm.Wrap(errAlgNone)
	}
	if alg, ok := jwa.Lookup(name); ok && alg.Use() != "sig" {
		return errAlgorithm.Wrap(errAlgUnknown)
	}
	return nil
}

// fits reports whether name is how alg is written in a header.
func fits(name string, alg jwa.Algorithm) bool {
	if name == alg.Name() {
		return true
	}
	// EdDSA and Ed25519 are two names of one algorithm (RFC 9864, Section 2.2).
	known, _ := jwa.Lookup(name)
	return known.Is(alg)
}

// Verifiers asks keys for those that may have made a signature under h, one to
// four of them, each bound to the header's algorithm. selector goes into the
// query as it is; of o only Algorithms is used. A refusal is [ErrAlgorithm] or
// [ErrNoKey]; any other failure of keys is returned as it came.
func (h Header) Verifiers(ctx context.Context, keys jwk.Source, selector string, o Options) ([]jwk.Verifier, error) {
	if keys == nil {
		return nil, errNoKey.With("there is no source of keys")
	}
	if len(o.Algorithms) > 0 && !slices.ContainsFunc(o.Algorithms, func(a jwa.Algorithm) bool { return fits(h.Algorithm, a) }) {
		return nil, errAlgorithm
	}
	found, err := keys.Keys(ctx, jwk.Query{
		Algorithm: h.Algorithm, KeyID: h.KeyID, X5TS256: h.X5T256, Selector: selector,
	})
	if err != nil {
		return nil, h.refusal(err)
	}
	if len(found) == 0 {
		return nil, h.refusal(errNoKey)
	}
	if len(found) > maxCandidates {
		return nil, errNoKey.Wrap(errAmbiguous)
	}
	for _, k := range found {
		// RFC 8725, Section 3.1: a key has one algorithm, whatever the source thinks.
		if !fits(h.Algorithm, k.Algorithm()) {
			return nil, errAlgorithm.Wrap(errAlgMismatch)
		}
	}
	return found, nil
}

// maxCandidates bounds the keys that one signature is tried with.
const maxCandidates = 4

// refusal sorts what a source of keys answered: its refusals are the token's, and
// its failures are its own.
func (h Header) refusal(err error) error {
	code := fault.CodeOf(err)
	switch {
	case strings.HasPrefix(code, "key."):
		if _, ok := jwa.Lookup(h.Algorithm); !ok {
			return errAlgorithm.Wrap(errAlgUnknown)
		}
		return errNoKey.Wrap(err)
	case strings.HasPrefix(code, "alg."):
		return errAlgorithm.Wrap(err)
	}
	return err
}

// For returns h as key signs it: with the key's alg and kid where h has none, and
// with b64 in crit where the payload is unencoded. It refuses what a verifier
// would: another algorithm or kid than the key's, and a crit that breaks RFC 7515,
// Section 4.1.11.
func (h Header) For(key jwk.Signer) (Header, error) {
	if key == nil {
		return Header{}, errNoKey.With("there is no key to sign with")
	}
	if h.Algorithm == "" {
		h.Algorithm = key.Algorithm().Name()
	}
	if !fits(h.Algorithm, key.Algorithm()) {
		return Header{}, errAlgorithm.Wrap(errAlgMismatch)
	}
	switch {
	case h.KeyID == "":
		h.KeyID = key.KeyID()
	case key.KeyID() != "" && key.KeyID() != h.KeyID:
		return Header{}, errHeader.With("its kid is not the key's")
	}
	if h.Unencoded && !slices.Contains(h.Critical, "b64") {
		h.Critical = append(slices.Clip(h.Critical), "b64")
	}
	for i, name := range h.Critical {
		_, extra := h.Extra[name]
		if name == "b64" {
			extra = h.Unencoded
		}
		if !extra || slices.Contains(registered, name) || slices.Contains(h.Critical[:i], name) {
			return Header{}, errCritical.With("a name is registered, absent from the header or there twice")
		}
	}
	return h, nil
}

// MarshalJSON writes h, with the members of Extra after the others and no more of
// JWK than its public members. It refuses a symmetric JWK, and members of Extra
// that have a field of their own or are not JSON.
func (h Header) MarshalJSON() ([]byte, error) {
	m := members{
		Algorithm: h.Algorithm, KeyID: h.KeyID, Type: h.Type, ContentType: h.ContentType,
		X5T256: h.X5T256, JKU: h.JKU, X5U: h.X5U, Extra: h.Extra,
	}
	for name, raw := range h.Extra {
		if name == "b64" || name != "x5t" && slices.Contains(registered, name) {
			return nil, errHeader.With("Extra has a member that is not an extension")
		}
		if err := strictjson.Valid(raw, headerLimits(raw)); err != nil {
			return nil, errHeader.Wrap(err)
		}
	}
	if h.JWK != nil {
		raw, err := h.JWK.MarshalJSON()
		if err != nil {
			return nil, errHeader.Wrap(err)
		}
		m.JWK = raw
	}
	if h.X5C != nil {
		m.X5C = quoteAll(len(h.X5C), func(dst []byte, i int) []byte {
			return base64.StdEncoding.AppendEncode(dst, h.X5C[i])
		})
	}
	if h.Critical != nil {
		m.Critical, _ = json.Marshal(h.Critical) // strings never fail
	}
	if h.Unencoded {
		m.B64 = json.RawMessage("false")
	}
	return encodeMembers().Append(nil, &m)
}

// planned is the encoder of T, whose plan is made at its first use. It cannot fail
// for the types of this package.
func planned[T any]() func() *strictjson.Encoder[T] {
	return sync.OnceValue(func() *strictjson.Encoder[T] {
		e, _ := strictjson.NewEncoder[T]()
		return e
	})
}

var encodeMembers = planned[members]()

// quoteAll writes a list of strings that need no escapes.
func quoteAll(n int, appendTo func(dst []byte, i int) []byte) []byte {
	list := []byte{'['}
	for i := range n {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, '"')
		list = appendTo(list, i)
		list = append(list, '"')
	}
	return append(list, ']')
}

// encode returns the header as key signs it: the value, its JSON, and the first
// part of a token.
func (h Header) encode(key jwk.Signer) (Header, []byte, string, error) {
	h, err := h.For(key)
	if err != nil {
		return Header{}, nil, "", err
	}
	raw, err := h.MarshalJSON()
	if err != nil {
		return Header{}, nil, "", err
	}
	return h, raw, alias.String(b64url.AppendEncode(nil, raw)), nil
}
