package jws

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
)

// Header is the JOSE header of one signature (RFC 7515, Section 4.1). What a
// token's header says is a claim of its sender: KeyID and Algorithm select among
// the keys that the caller trusts already, and JWK, X5C, JKU and X5U are shown
// and neither followed nor trusted, unless the caller's [jwk.Source] is one for
// certificates, or for proofs of possession, where the sender's own key is the point.
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
	header.Members `json:",inline"`
	B64            json.RawMessage            `json:"b64,omitempty"`
	Extra          map[string]json.RawMessage `json:",inline"`
}

// ParseHeader reads the first part of a token, or a protected member, strictly:
// canonical base64url of one JSON object without duplicate members, whose alg is
// there and is not none, and whose crit lists nothing that o.Critical does not.
// It checks no signature. Of o it uses Critical and MaxHeader.
func ParseHeader(encoded string, o Options) (Header, error) {
	raw, err := header.Decode(encoded, o.maxHeader())
	if err != nil {
		return Header{}, err
	}
	h, err := parseProtected(raw, o)
	if err != nil {
		return Header{}, err
	}
	return h, header.CheckAlgorithm(h.Algorithm, "sig")
}

// parseProtected reads the JSON of a protected header; alg is for the caller.
func parseProtected(raw []byte, o Options) (Header, error) {
	h, m, err := parse(raw)
	if err != nil {
		return Header{}, err
	}
	if h.Critical, err = m.CriticalNames(m.has, func(name string) bool {
		return name == "b64" || slices.Contains(o.Critical, name)
	}); err != nil {
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
	if err := strictjson.Unmarshal(raw, &m, header.Limits(raw)); err != nil {
		return Header{}, nil, errHeader.Wrap(err)
	}
	// RFC 7516, Section 9: enc is what tells an encrypted token from a signed one.
	if _, ok := m.Extra["enc"]; ok {
		if err := header.CheckAlgorithm(m.Algorithm, "sig"); err != nil {
			return Header{}, nil, err
		}
		return Header{}, nil, errHeader.With("it has enc: this is the header of an encrypted token")
	}
	h := Header{
		Algorithm: m.Algorithm, KeyID: m.KeyID, Type: m.Type, ContentType: m.ContentType,
		X5T256: m.X5T256, JKU: m.JKU, X5U: m.X5U, Extra: m.Extra,
	}
	var err error
	if h.JWK, err = m.Key(); err != nil {
		return Header{}, nil, err
	}
	if h.X5C, err = m.Certificates(); err != nil {
		return Header{}, nil, err
	}
	return h, &m, nil
}

// has reports whether the header has an extension.
func (m *members) has(name string) bool {
	if name == "b64" {
		return m.B64 != nil
	}
	_, ok := m.Extra[name]
	return ok
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

// Verifiers asks keys for those that may have made a signature under h, one to
// four of them, each bound to the header's algorithm. selector goes into the
// query as it is; of o only Algorithms is used. A refusal is [ErrAlgorithm] or
// [ErrNoKey]; any other failure of keys is returned as it came.
func (h Header) Verifiers(ctx context.Context, keys jwk.Source, selector string, o Options) ([]jwk.Verifier, error) {
	if keys == nil {
		return nil, errNoKey.With("there is no source of keys")
	}
	return header.Candidates(h.Algorithm, o.Algorithms, func() ([]jwk.Verifier, error) {
		return keys.Keys(ctx, jwk.Query{
			Algorithm: h.Algorithm, KeyID: h.KeyID, X5TS256: h.X5T256, Selector: selector,
			X5C: h.X5C, X5U: h.X5U, JKU: h.JKU, JWK: h.JWK,
		})
	})
}

// For returns h as key signs it: with the key's alg and kid where h has none, and
// with b64 in crit where the payload is unencoded. It refuses what a verifier
// would: another algorithm or kid than the key's, and a crit that breaks RFC 7515,
// Section 4.1.11.
func (h Header) For(key jwk.Signer) (Header, error) {
	if key == nil {
		return Header{}, errNoKey.With("there is no key to sign with")
	}
	var err error
	if h.Algorithm, h.KeyID, err = header.ForKey(h.Algorithm, h.KeyID, key); err != nil {
		return Header{}, err
	}
	if h.Unencoded && !slices.Contains(h.Critical, "b64") {
		h.Critical = append(slices.Clip(h.Critical), "b64")
	}
	err = header.CheckCritical(h.Critical, func(name string) bool {
		_, ok := h.Extra[name]
		return ok && name != "b64" || name == "b64" && h.Unencoded
	})
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

// MarshalJSON writes h, with the members of Extra after the others and no more of
// JWK than its public members. It refuses a symmetric JWK, and members of Extra
// that have a field of their own or are not JSON.
func (h Header) MarshalJSON() ([]byte, error) {
	if err := header.CheckExtra(h.Extra, "b64"); err != nil {
		return nil, err
	}
	m := members{header.Members{
		Algorithm: h.Algorithm, KeyID: h.KeyID, Type: h.Type, ContentType: h.ContentType,
		X5T256: h.X5T256, JKU: h.JKU, X5U: h.X5U,
	}, nil, h.Extra}
	if err := m.Set(h.JWK, h.X5C, h.Critical); err != nil {
		return nil, err
	}
	if h.Unencoded {
		m.B64 = json.RawMessage("false")
	}
	return encodeMembers().Append(nil, &m)
}

var encodeMembers = header.Planned[members]()

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
