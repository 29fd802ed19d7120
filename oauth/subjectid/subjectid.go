// Package subjectid has subject identifiers: JSON objects that say whom or what a token is about, by an email
// address, a phone number, an account or what else both sides know (RFC 9493). They stand in the claim
// sub_id of security event tokens and of the login hint tokens of CIBA.
//
// Make an [Identifier] as a literal, read a document with [Parse], or have a field of that type among your claims:
//
//	id := subjectid.Identifier{Format: subjectid.Email, Email: "alice@example.com"}
//	id, err := subjectid.Parse(body)
//
// What was read as a claim is held to its format by [Identifier.Check], which the verifiers of the profiles
// call. An identifier that Check refuses has nothing in the fields of its format: only Format and Raw.
//
// # Limits
//
// An identifier has at most 64 members, aliases, addresses or parts. Parts and aliases may be in a complex one, and
// aliases in a part, but neither in themselves.
//
// # Codes
//
// sub_id.invalid, sub_id.unknown_format. They are stable.
package subjectid

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// The formats of RFC 9493, Section 3.2, and those that the OpenID Shared Signals Framework 1.0 adds.
const (
	Account     = "account"      // RFC 9493, Section 3.2.1
	Email       = "email"        // RFC 9493, Section 3.2.2
	IssSub      = "iss_sub"      // RFC 9493, Section 3.2.3
	Opaque      = "opaque"       // RFC 9493, Section 3.2.4
	PhoneNumber = "phone_number" // RFC 9493, Section 3.2.5
	DID         = "did"          // RFC 9493, Section 3.2.6
	URI         = "uri"          // RFC 9493, Section 3.2.7
	Aliases     = "aliases"      // RFC 9493, Section 3.2.8

	Complex         = "complex"           // Shared Signals Framework 1.0, Section 3.3
	JWTID           = "jwt_id"            // Shared Signals Framework 1.0, Section 3.5.1
	SAMLAssertionID = "saml_assertion_id" // Shared Signals Framework 1.0, Section 3.5.2
	IPAddresses     = "ip-addresses"      // Shared Signals Framework 1.0, Section 3.5.3
)

var (
	errInvalid = fault.New("sub_id.invalid", "RFC 9493, Section 3", "the subject identifier does not keep to its format")
	errFormat  = fault.New("sub_id.unknown_format", "RFC 9493, Section 3", "the format of the subject identifier is not known")
)

// The refusals, for errors.Is.
var (
	ErrInvalid       error = errInvalid // sub_id.invalid
	ErrUnknownFormat error = errFormat  // sub_id.unknown_format
)

// most is how many members, aliases, addresses or parts an identifier has.
const most = 64

// Identifier says whom or what something is about. Format decides which of the fields below it count; the others stay
// empty.
type Identifier struct {
	Format string

	URI         string                // of account, an acct URI, and of uri
	Email       string                // of email, as it was written: what else is the same mailbox only its provider knows
	Issuer      string                // of iss_sub, jwt_id and saml_assertion_id
	Subject     string                // of iss_sub
	ID          string                // of opaque; the jti of jwt_id, the assertion_id of saml_assertion_id
	PhoneNumber string                // of phone_number: a plus sign and digits
	URL         string                // of did: a DID, or a DID URL
	Aliases     []Identifier          // of aliases: all of them are the same subject
	Addresses   []netip.Addr          // of ip-addresses
	Parts       map[string]Identifier // of complex: user, device, session, application, tenant, org_unit, group, or another name

	// Raw is the whole object of another format, which the two sides have agreed on. Of an object that was read and that
	// Check refuses, it is what was there.
	Raw json.RawMessage

	err error // of an object that was read
}

// A field is a member that is a string.
type field struct {
	name string
	at   func(*Identifier) *string
	ok   func(string) bool
}

// fields are the members of the formats that have only strings: all of them are required and not empty, and
// there are no others (RFC 9493, Section 3).
var fields = map[string][]field{
	Account:         {{"uri", func(id *Identifier) *string { return &id.URI }, isAccount}},
	Email:           {{"email", func(id *Identifier) *string { return &id.Email }, isEmail}},
	IssSub:          {{"iss", issuer, isSome}, {"sub", func(id *Identifier) *string { return &id.Subject }, isSome}},
	Opaque:          {{"id", identity, isSome}},
	PhoneNumber:     {{"phone_number", func(id *Identifier) *string { return &id.PhoneNumber }, isPhone}},
	DID:             {{"url", func(id *Identifier) *string { return &id.URL }, isDID}},
	URI:             {{"uri", func(id *Identifier) *string { return &id.URI }, isURI}},
	JWTID:           {{"iss", issuer, isSome}, {"jti", identity, isSome}},
	SAMLAssertionID: {{"issuer", issuer, isSome}, {"assertion_id", identity, isSome}},
}

func issuer(id *Identifier) *string   { return &id.Issuer }
func identity(id *Identifier) *string { return &id.ID }

// known reports whether format has a constant here.
func known(format string) bool {
	return fields[format] != nil || format == Aliases || format == Complex || format == IPAddresses
}

// place is where an identifier is.
type place int

const (
	top   place = iota
	part        // of a complex one
	alias       // one of aliases
)

// Parse reads one identifier and checks it; see [Identifier.Check].
func Parse(data []byte, agreed ...string) (Identifier, error) {
	var id Identifier
	id.read(bytes.Clone(data), top, false)
	return id, id.Check(agreed...)
}

// Check holds an identifier to its format: it has every member that the format asks for, and no other (RFC 9493, Section
// 3). The error is ErrInvalid, or ErrUnknownFormat for a format that is neither known here nor one of agreed, which
// are the names of those that the two sides have agreed on: they are read from Raw. Of aliases one whose format
// is known is enough.
func (id *Identifier) Check(agreed ...string) error {
	return id.check(top, func(format string) bool { return slices.Contains(agreed, format) })
}

func (id *Identifier) check(in place, agreed func(format string) bool) error {
	own := 1 // how many fields belong to the format
	switch {
	case id.err != nil:
		return id.err
	case id.Format == "":
		return errInvalid.With("it has no format")
	case id.misplaced(in):
		return errInvalid.With("the format " + id.Format + " within another")
	case id.Format == Aliases:
		if err := id.checkAliases(agreed); err != nil {
			return err
		}
	case id.Format == Complex:
		if err := id.checkParts(agreed); err != nil {
			return err
		}
	case id.Format == IPAddresses:
		if err := few(len(id.Addresses)); err != nil {
			return err
		}
		if slices.ContainsFunc(id.Addresses, func(a netip.Addr) bool { return !a.IsValid() || a.Zone() != "" }) {
			return errInvalid.With("an address without a zone is wanted")
		}
	case known(id.Format):
		for _, f := range fields[id.Format] {
			if !f.ok(*f.at(id)) {
				return errInvalid.With("the member " + f.name + " of the format " + id.Format)
			}
		}
		own = len(fields[id.Format])
	case !agreed(id.Format):
		return errFormat
	default:
		if err := id.checkRaw(); err != nil {
			return err
		}
	}
	if id.count() != own {
		return errInvalid.With("a field that its format does not have")
	}
	return nil
}

// count returns how many of the fields there are, Format aside.
func (id *Identifier) count() (n int) {
	for _, s := range [...]string{id.URI, id.Email, id.Issuer, id.Subject, id.ID, id.PhoneNumber, id.URL} {
		if s != "" {
			n++
		}
	}
	for _, has := range [...]bool{id.Aliases != nil, id.Addresses != nil, id.Parts != nil, id.Raw != nil} {
		if has {
			n++
		}
	}
	return n
}

// misplaced reports aliases among aliases (RFC 9493, Section 3.2.8), and a complex identifier that is a part or an alias:
// the parts of one are simple (Shared Signals Framework 1.0, Section 3.3), and RFC 9493 does not have it.
func (id *Identifier) misplaced(in place) bool {
	return id.Format == Aliases && in == alias || id.Format == Complex && in != top
}

// few refuses an identifier that has nothing, or too much.
func few(n int) error {
	if n == 0 || n > most {
		return errInvalid.With("one to 64 members are wanted")
	}
	return nil
}

func (id *Identifier) checkAliases(agreed func(string) bool) error {
	understood := false
	for i := range id.Aliases {
		// RFC 9493, Section 3.2.8: there are several because it is not known which of them the other side understands.
		err := id.Aliases[i].check(alias, agreed)
		if err != nil && !errors.Is(err, errFormat) {
			return err
		}
		understood = understood || err == nil
	}
	if err := few(len(id.Aliases)); err != nil {
		return err
	}
	if !understood {
		return errFormat
	}
	return nil
}

func (id *Identifier) checkParts(agreed func(string) bool) error {
	if err := few(len(id.Parts)); err != nil {
		return err
	}
	for name, p := range id.Parts {
		if name == "format" {
			return errInvalid.With("a part is called format")
		}
		if err := p.check(part, agreed); err != nil {
			return err
		}
	}
	return nil
}

// checkRaw holds Raw to be an object of the format.
func (id *Identifier) checkRaw() error {
	if text(object(bytes.Clone(id.Raw))["format"]) != id.Format {
		return errInvalid.With("Raw is no object of the format")
	}
	return nil
}

// Equal reports whether two identifiers say the same: the same format, and the same in all members, compared exactly. The
// order of aliases and of addresses does not count. That two identifiers differ does not mean that they are of
// different subjects.
func (id *Identifier) Equal(other *Identifier) bool {
	a, b := *id, *other
	same := sameElements(a.Aliases, b.Aliases, func(x, y Identifier) bool { return x.Equal(&y) }) &&
		sameElements(a.Addresses, b.Addresses, func(x, y netip.Addr) bool { return x == y }) &&
		maps.EqualFunc(a.Parts, b.Parts, func(x, y Identifier) bool { return x.Equal(&y) }) &&
		(bytes.Equal(a.Raw, b.Raw) || sameJSON(a.Raw, b.Raw))
	for _, x := range []*Identifier{&a, &b} {
		x.Aliases, x.Addresses, x.Parts, x.Raw, x.err = nil, nil, nil, nil, nil
	}
	return same && reflect.DeepEqual(a, b)
}

func sameElements[T any](a, b []T, same func(T, T) bool) bool {
	within := func(a, b []T) bool {
		return !slices.ContainsFunc(a, func(x T) bool {
			return !slices.ContainsFunc(b, func(y T) bool { return same(x, y) })
		})
	}
	return len(a) == len(b) && within(a, b) && within(b, a)
}

func sameJSON(a, b []byte) bool {
	x := value(a)
	return x != nil && reflect.DeepEqual(x, value(b))
}

// value reads a document of any kind; one that cannot be read is nil.
func value(data []byte) (v any) {
	if strictjson.Unmarshal(bytes.Clone(data), &v, strictjson.Limits{}) != nil {
		return nil
	}
	return v
}

// UnmarshalJSON reads an identifier. It has no error: [Identifier.Check] has what is wrong with it.
func (id *Identifier) UnmarshalJSON(data []byte) error {
	*id = Identifier{}
	id.read(bytes.Clone(data), top, false)
	return nil
}

// read reads an identifier, which shares the memory of data from then on.
func (id *Identifier) read(data []byte, in place, legacy bool) {
	members := object(data)
	if members == nil {
		*id = Identifier{Raw: data, err: errInvalid.With("it is no JSON object")}
		return
	}
	if legacy {
		modernize(members)
	}
	id.Format = text(members["format"])
	delete(members, "format")
	switch {
	case id.misplaced(in):
		clear(members) // nothing in it is read
	case id.Format == Complex:
		id.Parts = make(map[string]Identifier, len(members))
		for name, raw := range members {
			var p Identifier
			p.read(raw, part, legacy)
			id.Parts[name] = p
		}
		clear(members)
	case id.Format == Aliases:
		var raws []json.RawMessage
		// What is no list has no identifiers, and is refused for that.
		_ = strictjson.Unmarshal(members["identifiers"], &raws, strictjson.Limits{})
		id.Aliases = make([]Identifier, len(raws))
		for i, raw := range raws {
			id.Aliases[i].read(raw, alias, legacy)
		}
		delete(members, "identifiers")
	case id.Format == IPAddresses:
		if strictjson.Unmarshal(members["ip-addresses"], &id.Addresses, strictjson.Limits{}) != nil {
			id.Addresses = nil
		}
		delete(members, "ip-addresses")
	default:
		for _, f := range fields[id.Format] {
			*f.at(id) = text(members[f.name])
			delete(members, f.name)
		}
	}
	if !known(id.Format) {
		id.Raw = data
	} else if len(members) > 0 { // RFC 9493, Section 3
		id.err = errInvalid.With("a member that its format does not have")
	}
	// Which formats are agreed on is only known to who calls Check.
	if err := id.check(in, func(string) bool { return true }); err != nil {
		*id = Identifier{Format: id.Format, Raw: data, err: err}
	}
}

// object reads the members of an object. What is none is nil.
func object(data []byte) (members map[string]json.RawMessage) {
	if strictjson.Unmarshal(data, &members, strictjson.Limits{}) != nil {
		return nil
	}
	return members
}

// text reads a member that is a string. What is none is empty, which no format accepts.
func text(raw []byte) (s string) {
	if raw == nil || strictjson.Unmarshal(raw, &s, strictjson.Limits{}) != nil {
		return ""
	}
	return s
}

// MarshalJSON writes an identifier that [Identifier.Check] accepts; formats that are not known here are taken to be
// agreed on.
func (id Identifier) MarshalJSON() ([]byte, error) {
	if err := id.check(top, func(string) bool { return true }); err != nil {
		return nil, err
	}
	return id.append(nil), nil
}

func (id *Identifier) append(b []byte) []byte {
	if !known(id.Format) {
		return append(b, id.Raw...)
	}
	b = append(append(b, `{"format":`...), quote(id.Format)...)
	for _, f := range fields[id.Format] {
		b = append(append(append(append(b, ','), quote(f.name)...), ':'), quote(*f.at(id))...)
	}
	for _, name := range slices.Sorted(maps.Keys(id.Parts)) {
		p := id.Parts[name]
		b = p.append(append(append(append(b, ','), quote(name)...), ':'))
	}
	if id.Format == Aliases {
		b = append(b, `,"identifiers":[`...)
		for i := range id.Aliases {
			if i > 0 {
				b = append(b, ',')
			}
			b = id.Aliases[i].append(b)
		}
		b = append(b, ']')
	}
	if id.Format == IPAddresses {
		b = append(append(b, `,"ip-addresses":`...), quote(id.Addresses)...)
	}
	return append(b, '}')
}

// quote writes strings and lists of addresses, which have no error.
func quote(v any) []byte {
	b, _ := json.Marshal(v)
	return b
}
