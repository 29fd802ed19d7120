package jwe

import (
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// Header is the JOSE header of an encrypted token (RFC 7516, Section 4). What a
// token's header says is a claim of its sender: KeyID and Algorithm select among the
// keys that the caller has already, and JWK, X5C, JKU and X5U are shown and neither
// followed nor trusted.
type Header struct {
	Algorithm   string   // alg; when encrypting, the key's if empty
	Encryption  string   // enc; when encrypting, the one that is asked for if empty
	KeyID       string   // kid; when encrypting, the key's if empty
	Type        string   // typ
	ContentType string   // cty
	JWK         *jwk.JWK // jwk, a public key
	X5C         [][]byte // x5c, certificates in DER, the leaf first
	X5T256      string   // x5t#S256
	JKU         string   // jku
	X5U         string   // x5u
	Critical    []string // crit

	// Compressed is zip with the value DEF. Set it when encrypting only where no part of
	// the plaintext is chosen by others: the length of what is compressed betrays how
	// much of it is alike (RFC 8725, Section 3.6).
	Compressed bool

	// PartyU and PartyV are apu and apv, which ECDH-ES binds the key to; Count is p2c of
	// PBES2, which [jwk.Wrapping] chooses where it is 0.
	PartyU, PartyV []byte
	Count          int

	// These are written by the key and must be empty when encrypting.
	EphemeralKey *jwk.JWK // epk of ECDH-ES
	IV, Tag      []byte   // iv and tag of AES-GCM key wrapping
	Salt         []byte   // p2s of PBES2
	Encapsulated []byte   // ek of HPKE key encryption

	// Extra has every other member, among them x5t, which is never used.
	Extra map[string]json.RawMessage
}

// members is a header as it is written.
type members struct {
	header.Members `json:",inline"`
	Encryption     string                     `json:"enc,omitempty"`
	Zip            json.RawMessage            `json:"zip,omitempty"`
	PartyU         string                     `json:"apu,omitempty"`
	PartyV         string                     `json:"apv,omitempty"`
	EphemeralKey   json.RawMessage            `json:"epk,omitempty"`
	IV             string                     `json:"iv,omitempty"`
	Tag            string                     `json:"tag,omitempty"`
	Salt           string                     `json:"p2s,omitempty"`
	Count          int                        `json:"p2c,omitempty"`
	Encapsulated   string                     `json:"ek,omitempty"`
	Extra          map[string]json.RawMessage `json:",inline"`
}

// binary has the members that are bytes, each as it is written and as it is read.
func (m *members) binary(h *Header) [6]struct {
	text  *string
	bytes *[]byte
} {
	return [...]struct {
		text  *string
		bytes *[]byte
	}{
		{&m.PartyU, &h.PartyU},
		{&m.PartyV, &h.PartyV},
		{&m.IV, &h.IV},
		{&m.Tag, &h.Tag},
		{&m.Salt, &h.Salt},
		{&m.Encapsulated, &h.Encapsulated},
	}
}

// ParseHeader reads the first part of a token strictly: canonical base64url of one
// JSON object without duplicate members, whose alg and enc are there and known, and
// whose crit lists nothing that o.Critical does not. It decrypts nothing. Of o it uses
// Critical and MaxHeader.
func ParseHeader(encoded string, o Options) (Header, error) {
	var h Header
	if err := h.decode(encoded, o); err != nil {
		return Header{}, err
	}
	return h, nil
}

func (h *Header) decode(encoded string, o Options) error {
	raw, err := header.Decode(encoded, o.maxHeader())
	if err != nil {
		return err
	}
	if err := h.parse(raw, o); err != nil {
		return err
	}
	return h.check()
}

// parse reads the JSON of a header, or of a part of one; what must be there is for
// check.
func (h *Header) parse(raw []byte, o Options) (err error) {
	var m members
	if err := strictjson.Unmarshal(raw, &m, header.Limits(raw)); err != nil {
		return errHeader.Wrap(err)
	}
	*h = Header{
		Algorithm: m.Algorithm, Encryption: m.Encryption, KeyID: m.KeyID, Type: m.Type, ContentType: m.ContentType,
		X5T256: m.X5T256, JKU: m.JKU, X5U: m.X5U, Count: m.Count, Extra: m.Extra,
	}
	if m.Zip != nil {
		var zip string // and not null, which others may take for absent
		if err := strictjson.Unmarshal(m.Zip, &zip, header.Limits(m.Zip)); err != nil {
			return errHeader.Wrap(err)
		}
		// RFC 7516, Section 4.1.3.
		if zip != "DEF" {
			return errHeader.Wrap(errZip)
		}
		h.Compressed = true
	}
	if h.JWK, err = m.Key(); err != nil {
		return err
	}
	if h.EphemeralKey, err = header.PublicKey(m.EphemeralKey); err != nil {
		return err
	}
	if h.X5C, err = m.Certificates(); err != nil {
		return err
	}
	for _, b := range m.binary(h) {
		if *b.bytes, err = b64url.DecodeString(*b.text); err != nil {
			return errHeader.Wrap(err)
		}
	}
	h.Critical, err = m.CriticalNames(h.has, func(name string) bool { return slices.Contains(o.Critical, name) })
	return err
}

// has reports whether the header has an extension.
func (h *Header) has(name string) bool {
	_, ok := h.Extra[name]
	return ok
}

// check refuses a whole header that cannot be that of an encrypted token.
func (h *Header) check() error {
	if err := header.CheckAlgorithm(h.Algorithm, "enc"); err != nil {
		return err
	}
	if h.Encryption == "" {
		// Only algorithms that are not in the table do without it.
		if _, ok := jwa.Lookup(h.Algorithm); ok {
			return errAlgorithm.Wrap(errEncMissing)
		}
		return nil
	}
	if _, ok := jwa.LookupEncryption(h.Encryption); !ok {
		return errAlgorithm.Wrap(errEncUnknown)
	}
	return nil
}

// For returns h as key encrypts it with enc: with the key's alg and kid, and the name
// of enc, where h has none. A zero enc is the key's first, or A256GCM for a key of any.
// It refuses what a reader would: another algorithm or kid than the key's, and a crit
// that breaks RFC 7516, Section 4.1.13. What the key writes is still absent.
func (h Header) For(key jwk.Encrypter, enc jwa.Encryption) (Header, error) {
	if key == nil {
		return Header{}, errNoKey.With("there is no key to encrypt with")
	}
	var err error
	if h.Algorithm, h.KeyID, err = header.ForKey(h.Algorithm, h.KeyID, key); err != nil {
		return Header{}, err
	}
	name := ""
	if !key.Algorithm().Integrated() {
		name = choose(key, enc).Name()
	} else if enc != (jwa.Encryption{}) {
		return Header{}, errAlgorithm.Wrap(errEncPresent)
	}
	err = h.complete(name)
	return h, err
}

func choose(key jwk.Encrypter, enc jwa.Encryption) jwa.Encryption {
	if enc != (jwa.Encryption{}) {
		return enc
	}
	if all := key.Encryptions(); len(all) > 0 {
		return all[0]
	}
	return jwa.A256GCM
}

// complete writes enc and refuses a header that a caller may not give.
func (h *Header) complete(enc string) error {
	if h.Encryption != "" && h.Encryption != enc {
		return errHeader.With("its enc is not the one that is asked for")
	}
	h.Encryption = enc
	if h.EphemeralKey != nil || h.IV != nil || h.Tag != nil || h.Salt != nil || h.Encapsulated != nil {
		return errHeader.With("it has a member that the key writes")
	}
	return header.CheckCritical(h.Critical, h.has)
}

// MarshalJSON writes h, with the members of Extra after the others and no more of
// JWK than its public members. It refuses a symmetric JWK, and members of Extra that
// have a field of their own or are not JSON.
func (h Header) MarshalJSON() ([]byte, error) {
	if err := header.CheckExtra(h.Extra, "ek"); err != nil {
		return nil, err
	}
	m := members{
		Members: header.Members{
			Algorithm: h.Algorithm, KeyID: h.KeyID, Type: h.Type, ContentType: h.ContentType,
			X5T256: h.X5T256, JKU: h.JKU, X5U: h.X5U,
		},
		Encryption: h.Encryption, Count: h.Count, Extra: h.Extra,
	}
	if err := m.Set(h.JWK, h.X5C, h.Critical); err != nil {
		return nil, err
	}
	if h.Compressed {
		m.Zip = json.RawMessage(`"DEF"`)
	}
	if h.EphemeralKey != nil {
		raw, err := h.EphemeralKey.MarshalJSON()
		if err != nil {
			return nil, errHeader.Wrap(err)
		}
		m.EphemeralKey = raw
	}
	for _, b := range m.binary(&h) {
		if len(*b.bytes) > 0 {
			*b.text = b64url.EncodeToString(*b.bytes)
		}
	}
	return encodeMembers().Append(nil, &m)
}

var encodeMembers = header.Planned[members]()

// encode returns the first part of a token.
func (h Header) encode() (string, error) {
	raw, err := h.MarshalJSON()
	if err != nil {
		return "", err
	}
	return alias.String(b64url.AppendEncode(nil, raw)), nil
}
