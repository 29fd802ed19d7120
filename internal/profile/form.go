package profile

import (
	"net/url"
	"slices"
)

// Repeated reports whether a parameter of form that is not among repeatable stands there more than once (RFC 6749,
// Sections 3.1 and 3.2): which of the two counts is what one party may see otherwise than another.
func Repeated(form url.Values, repeatable ...string) bool {
	for name, values := range form {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return true
		}
	}
	return false
}
