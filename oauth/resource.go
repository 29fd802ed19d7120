package oauth

import (
	"net/url"
	"slices"
	"strings"
)

const (
	maxResources = 32
	maxResource  = 2000
)

// ValidateResource holds a resource indicator to RFC 8707, Section 2: an absolute URI without a fragment, of at most 2000
// bytes. The error is an *Error with [InvalidTarget].
func ValidateResource(resource string) error {
	u, err := url.Parse(resource)
	switch {
	case len(resource) > maxResource:
		return refuse(InvalidTarget, "a resource is too long")
	// RFC 3986, Section 4.3: with a scheme and something behind it.
	case err != nil || !u.IsAbs() || u.Host == "" && u.Path == "" && u.Opaque == "":
		return refuse(InvalidTarget, "a resource is no absolute URI")
	case strings.Contains(resource, "#"):
		return refuse(InvalidTarget, "a resource has a fragment")
	}
	return nil
}

// ParseResources reads the resource parameters of a request: each is validated, and one that is there twice is returned
// once. It takes at most 32. The error is an *Error with [InvalidTarget].
func ParseResources(values []string) ([]string, error) {
	if len(values) > maxResources {
		return nil, refuse(InvalidTarget, "there are over %d resources", maxResources)
	}
	var out []string
	for _, v := range values {
		if err := ValidateResource(v); err != nil {
			return nil, err
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}
