package atlassian

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
)

// The limits on a request: longer URLs and more parameters are refused.
const (
	maxURL        = 64 << 10
	maxParameters = 1000
)

var errRequest = fault.New("request.invalid", "Atlassian Connect, Understanding JWT", "the request cannot be verified")

// ErrRequest is the refusal of a request that has no token, or several, or no canonical form (request.invalid).
var ErrRequest error = errRequest

// FromRequest finds the token of a request, and what to expect of it: in the header Authorization with the scheme JWT,
// or in the query as jwt or signed_request, and in one of them alone. The base is as with [Canonical].
func FromRequest(r *http.Request, base string) (raw string, x Expect, err error) {
	var found []string
	parameter := "jwt"
	for _, h := range r.Header.Values("Authorization") {
		if scheme, rest, _ := strings.Cut(h, " "); strings.EqualFold(scheme, "JWT") {
			found = append(found, rest)
		}
	}
	pairs, err := parameters(r.URL.RawQuery)
	if err != nil {
		return "", Expect{}, err
	}
	for _, p := range pairs {
		if p.name == "jwt" || p.name == "signed_request" {
			found = append(found, p.value)
			parameter = p.name
		}
	}
	if len(found) != 1 || found[0] == "" {
		return "", Expect{}, errRequest.With("it has no token, or several")
	}
	c, err := canonical(r.Method, r.URL, base, pairs, parameter)
	if err != nil {
		return "", Expect{}, err
	}
	return found[0], Expect{QueryHash: hash(c)}, nil
}

// QueryHash is the qsh of a request: the SHA-256 hash of its [Canonical] form, in hexadecimal.
func QueryHash(method string, u *url.URL, base string) (string, error) {
	c, err := Canonical(method, u, base)
	if err != nil {
		return "", err
	}
	return hash(c), nil
}

func hash(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return hex.EncodeToString(sum[:])
}

// isHash reports whether s may be what hash returns.
func isHash(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}

// Canonical is what the qsh of a request is the hash of: its method, its path below the base and its query without the
// parameter jwt, in the one form that Connect has for what means the same.
//
// The base is the path of the base URL: that of the app's descriptor for a request to the app, that of the
// product's baseUrl, such as /jira, for one to the product. A path that is not below it is refused. Scheme, host
// and fragment of the URL do not count.
func Canonical(method string, u *url.URL, base string) (string, error) {
	pairs, err := parameters(u.RawQuery)
	if err != nil {
		return "", err
	}
	return canonical(method, u, base, pairs, "jwt")
}

// canonical is Canonical of a query that was read, without the parameter of a name, in which the token is.
func canonical(method string, u *url.URL, base string, pairs []pair, without string) (string, error) {
	m := strings.ToUpper(method)
	if m == "" || len(m) > 32 || strings.ContainsFunc(m, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "", errRequest.With("the method is none")
	}
	if u.Opaque != "" {
		return "", errRequest.With("the URL has no path")
	}
	path, err := canonicalPath(u.EscapedPath(), base)
	if err != nil {
		return "", err
	}
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return p.name == without })
	for i := range pairs {
		pairs[i] = pair{escape(pairs[i].name), escape(pairs[i].value)}
	}
	// By code point of what is encoded: first the names, then the values.
	slices.SortFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var out strings.Builder
	out.WriteString(m + "&" + path + "&")
	for i, p := range pairs {
		switch {
		case i > 0 && pairs[i-1].name == p.name:
			out.WriteString("," + p.value) // a comma of a value is %2C
			continue
		case i > 0:
			out.WriteByte('&')
		}
		out.WriteString(p.name + "=" + p.value)
	}
	return out.String(), nil
}

// canonicalPath is the path below the base, as it is encoded, without a slash at its end unless it is one.
func canonicalPath(path, base string) (string, error) {
	if len(path) > maxURL {
		return "", errRequest.With("the path is too long")
	}
	base = strings.TrimRight(base, "/")
	rest, below := strings.CutPrefix(path, base)
	// Not below the base is what only begins like it, as /jiraffe does like /jira.
	if !below || rest != "" && rest[0] != '/' {
		return "", errRequest.With("the path is not below the base")
	}
	rest = strings.TrimRight(rest, "/")
	if rest == "" {
		return "/", nil
	}
	// An & of the path would pass for the one that ends it.
	return strings.ReplaceAll(rest, "&", "%26"), nil
}

// pair is a parameter, decoded.
type pair struct{ name, value string }

// parameters reads a query. What is not encoded as it should be is refused: others may read it in another way.
func parameters(query string) ([]pair, error) {
	if len(query) > maxURL || strings.Count(query, "&") >= maxParameters {
		return nil, errRequest.With("the query is too long")
	}
	if strings.Contains(query, ";") { // to some it is an &
		return nil, errRequest.With("the query is not encoded as it should be")
	}
	var pairs []pair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, errRequest.With("the query is not encoded as it should be")
		}
		pairs = append(pairs, pair{n, v})
	}
	return pairs, nil
}

// escape encodes all but the unreserved characters of RFC 3986, Section 2.3, as OAuth 1.0 does (RFC 5849, Section
// 3.6): a space is %20, an asterisk %2A, and a tilde stays.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
