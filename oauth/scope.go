package oauth

import (
	"slices"
	"strings"
)

const (
	maxScope  = 8 << 10
	maxScopes = 256
)

// Scopes are the values of a scope parameter or claim, without duplicates, in the order in which they came; their order
// means nothing (RFC 6749, Section 3.3). In JSON they are one string.
type Scopes []string

// ParseScopes reads a scope by the syntax of RFC 6749, Section 3.3: values with one space between each two, and at least one.
// It takes at most 256 values in 8 KiB. The error is an *Error with [InvalidScope].
func ParseScopes(s string) (Scopes, error) {
	if len(s) > maxScope || strings.Count(s, " ") >= maxScopes {
		return nil, refuse(InvalidScope, "the scope is too long")
	}
	var out Scopes
	for v := range strings.SplitSeq(s, " ") {
		if !validScope(v) {
			return nil, refuse(InvalidScope, "the scope is malformed")
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

// validScope is scope-token of RFC 6749, Section 3.3.
func validScope(v string) bool {
	return v != "" && strings.IndexFunc(v, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}

// String returns the values with a space between each two.
func (s Scopes) String() string { return strings.Join(s, " ") }

// Has reports whether all of these values are among s. Values are compared exactly.
func (s Scopes) Has(values ...string) bool { return len(Scopes(values).Without(s)) == 0 }

// Union returns the values of both.
func (s Scopes) Union(other Scopes) Scopes { return slices.Concat(s, other.Without(s)) }

// Intersect returns those of s that other has too: what is left of a scope that is narrowed.
func (s Scopes) Intersect(other Scopes) Scopes {
	return slices.DeleteFunc(slices.Clone(s), func(v string) bool { return !slices.Contains(other, v) })
}

// Without returns those of s that other has not: what is asked for in excess of a grant.
func (s Scopes) Without(other Scopes) Scopes {
	return slices.DeleteFunc(slices.Clone(s), func(v string) bool { return slices.Contains(other, v) })
}

// MarshalText writes the values as one string. No values are refused, as RFC 6749, Section 3.3, has no empty scope: leave
// the member out.
func (s Scopes) MarshalText() ([]byte, error) {
	text := s.String()
	if _, err := ParseScopes(text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// UnmarshalText is [ParseScopes].
func (s *Scopes) UnmarshalText(text []byte) error {
	v, err := ParseScopes(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
