package oauth

import "time"

// The schemes of access tokens.
const (
	Bearer = "Bearer" // RFC 6750
	DPoP   = "DPoP"   // RFC 9449
)

// Challenge is a challenge of a WWW-Authenticate header: how a resource is to be asked for (RFC 9110, Section 11.6.1).
type Challenge struct {
	Scheme string // Bearer, DPoP, or another
	Realm  string
	Error  *Error // nil where the request had no token (RFC 6750, Section 3.1)
	Scope  Scopes // what the resource asks for

	ACRValues        []string       // RFC 9470, Section 3
	MaxAge           *time.Duration // the same, in whole seconds
	Algs             []string       // RFC 9449, Section 7.1: for proofs
	ResourceMetadata string         // RFC 9728, Section 5.1: a URL

	Token68 string            // of other schemes, in place of all else
	Params  map[string]string // others, by their names in lower case
}

// String returns the challenge as it stands in the header.
func (c Challenge) String() string { return "" }

// ParseChallenges reads all the WWW-Authenticate headers of a response.
func ParseChallenges(header []string) ([]Challenge, error) { return nil, nil }
