package oauth

// Scopes are the values of a scope parameter or claim, without duplicates, in the order in which they came.
type Scopes []string

// ParseScopes reads a scope by the syntax of RFC 6749, Section 3.3.
func ParseScopes(s string) (Scopes, error) { return nil, nil }

// String returns the scopes with a space between each two.
func (s Scopes) String() string { return "" }

// Has reports whether all of other are among s.
func (s Scopes) Has(other ...string) bool { return false }

// Union returns the scopes of both.
func (s Scopes) Union(other Scopes) Scopes { return nil }

// Intersect returns those of s that other has too.
func (s Scopes) Intersect(other Scopes) Scopes { return nil }

// Without returns those of s that other has not.
func (s Scopes) Without(other Scopes) Scopes { return nil }
