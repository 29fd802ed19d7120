// Package pop has the confirmation claim, cnf, by which a token says whose it is: only
// who can prove to have the key that it names may use it (RFC 7800). Every profile whose
// tokens can be bound to a key has a [Confirmation] among its claims.
//
// A confirmation is a statement of the issuer and no check: the proof itself is a DPoP
// proof, a client certificate, a key binding JWT or another token, and belongs to the package of that.
package pop

import (
	"errors"

	"github.com/jotsuite/jot/jose/jwk"
)

// Confirmation is the claim cnf. Usually one member is there; where several are, the issuer says
// that all of them name one key (RFC 7800, Section 3.1).
type Confirmation struct {
	JWK        *jwk.JWK `json:"jwk,omitempty"`      // the public key itself (RFC 7800, Section 3.2)
	JWE        string   `json:"jwe,omitempty"`      // a symmetric key, encrypted to the recipient (RFC 7800, Section 3.3)
	KeyID      string   `json:"kid,omitempty"`      // a key that the recipient knows by that name (RFC 7800, Section 3.4)
	Thumbprint string   `json:"jkt,omitempty"`      // of the key of DPoP proofs, with SHA-256 (RFC 9449, Section 6.1)
	X5TS256    string   `json:"x5t#S256,omitempty"` // of the client's certificate, with SHA-256 (RFC 8705, Section 3.1)
}

// Check refuses a confirmation that names no key of the kinds that this package knows, and one
// whose JWK is private: RFC 7800, Section 3.2, sends a symmetric key encrypted and a private one not at all.
func (c *Confirmation) Check() error {
	switch {
	case *c == Confirmation{}:
		return errors.New("pop: the confirmation names no key that is understood")
	case c.JWK != nil && c.JWK.IsPrivate():
		return errors.New("pop: the confirmation has a key that is not public")
	}
	return nil
}
