// Package subjectid has subject identifiers: JSON objects that say whom or what a token is about, by
// an email address, a phone number, an account or whatever else two parties both know (RFC 9493). They are
// the claim sub_id of security event tokens and of CIBA's login hint tokens.
//
// An [Identifier] is read by encoding/json and as a claim. One that was read is a description until [Identifier.Check]
// has held it to its format: whoever has it among claims has to do so; the packages under profile do.
package subjectid

import (
	"encoding/json"
	"errors"
	"net/netip"
)

// The formats: of RFC 9493, Section 3.2, and of the OpenID Shared Signals Framework 1.0, Sections 3.2 and 3.4.
const (
	Account     = "account"
	Email       = "email"
	IssSub      = "iss_sub"
	Opaque      = "opaque"
	PhoneNumber = "phone_number"
	DID         = "did"
	URI         = "uri"
	Aliases     = "aliases"

	Complex         = "complex"
	JWTID           = "jwt_id"
	SAMLAssertionID = "saml_assertion_id"
	IPAddresses     = "ip-addresses"
)

// Identifier is a subject identifier. Its Format says which of its other fields it has. One that breaks the rules of
// its format, or whose format is not known here, has Format and Raw alone.
type Identifier struct {
	Format string

	URI         string                // account, where it is an acct URI, and uri
	Email       string                // email
	Issuer      string                // iss_sub, jwt_id, and saml_assertion_id
	Subject     string                // iss_sub
	ID          string                // opaque; jwt_id: the jti; saml_assertion_id
	PhoneNumber string                // phone_number: + and digits (E.164)
	URL         string                // did: a DID URL, or a DID alone
	Identifiers []Identifier          // aliases
	Addresses   []netip.Addr          // ip-addresses
	Parts       map[string]Identifier // complex: user, device, session, application, tenant, org_unit, group, or another name

	// Raw is the object as it was read, or is to be written, where this package cannot say it with the other fields.
	Raw json.RawMessage

	err error
}

// Check holds an identifier to the rules of its format.
func (id *Identifier) Check() error { return errors.ErrUnsupported }

// Equal reports whether two identifiers are the same.
func (id *Identifier) Equal(other *Identifier) bool { return false }

// Legacy reads an identifier that Check refuses as older senders write them.
func (id *Identifier) Legacy() (Identifier, error) { return Identifier{}, errors.ErrUnsupported }

// UnmarshalJSON reads an object.
func (id *Identifier) UnmarshalJSON(data []byte) error { return errors.ErrUnsupported }

// MarshalJSON writes an object.
func (id Identifier) MarshalJSON() ([]byte, error) { return nil, errors.ErrUnsupported }
