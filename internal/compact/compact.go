// Package compact has the rules that every reader of a compact token shares:
// how one is cut into its parts, and when two media types are the same.
package compact

import (
	"strings"

	"github.com/jotsuite/jot/internal/fault"
)

// MaxSize is the largest token in bytes that is read unless the caller says otherwise.
const MaxSize = 64 << 10

// The refusals of [Split].
var (
	ErrTooLarge  = fault.New("token.too_large", "", "the token is larger than the limit")
	ErrMalformed = fault.New("token.malformed", "RFC 7515, Section 7.1", "the token is malformed")
)

// Split cuts a compact JWS into its three parts without copying. It refuses more
// than max bytes (0: [MaxSize]), any character but A–Z a–z 0–9 - _ and the two
// dots, and an empty header; payload and signature may be empty. What is not
// canonical base64url is left to the decoder.
func Split(token string, max int) (header, payload, signature string, err error) {
	if max == 0 {
		max = MaxSize
	}
	if len(token) > max {
		return "", "", "", ErrTooLarge
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return "", "", "", errParts
	}
	if header == "" {
		return "", "", "", errEmptyHeader
	}
	if !Alphabet(header) || !Alphabet(payload) || !Alphabet(signature) {
		if strings.IndexByte(signature, '.') >= 0 {
			return "", "", "", errParts
		}
		return "", "", "", errAlphabet
	}
	return header, payload, signature, nil
}

// Split5 cuts a compact JWE into its five parts without copying. It refuses more
// than max bytes (0: [MaxSize]), another number of parts, and a header that is empty or
// not in the alphabet. The other parts, one of which is long, are left to their decoder,
// whose refusal is for [Refine].
func Split5(token string, max int) (parts [5]string, err error) {
	if max == 0 {
		max = MaxSize
	}
	if len(token) > max {
		return parts, ErrTooLarge
	}
	rest := token
	for i := range 4 {
		var ok bool
		if parts[i], rest, ok = strings.Cut(rest, "."); !ok {
			if i == 2 {
				return parts, errSigned
			}
			return parts, errFive
		}
	}
	if strings.IndexByte(rest, '.') >= 0 {
		return parts, errFive
	}
	if parts[0] == "" {
		return parts, errEmptyHeader
	}
	if !Alphabet(parts[0]) {
		return parts, errAlphabet
	}
	parts[4] = rest
	return parts, nil
}

// Refine returns the refusal for a part that err says is not canonical base64url.
func Refine(part string, err error) error {
	if !Alphabet(part) {
		return errAlphabet
	}
	return ErrMalformed.Wrap(err)
}

var (
	errFive   = ErrMalformed.Wrap(fault.New("token.malformed", "RFC 7516, Section 7.1", "it has not five parts"))
	errSigned = ErrMalformed.Wrap(fault.New("token.malformed", "RFC 7516, Section 9", "it has three parts: it is signed, not encrypted"))

	errParts       = ErrMalformed.With("it has not three parts")
	errEmptyHeader = ErrMalformed.With("its header is empty")
	// draft-ietf-oauth-rfc8725bis, Section 3.14.
	errAlphabet = ErrMalformed.With("it has a character outside A-Z a-z 0-9 - _ and the dots")
)

// outside has a 1 for each byte that is not in the base64url alphabet.
var outside = func() (t [256]byte) {
	for i := range t {
		t[i] = 1
	}
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		t[c] = 0
	}
	return t
}()

// Alphabet reports whether s has base64url characters only.
func Alphabet(s string) bool {
	var bad byte
	for len(s) >= 8 {
		bad |= outside[s[0]] | outside[s[1]] | outside[s[2]] | outside[s[3]] |
			outside[s[4]] | outside[s[5]] | outside[s[6]] | outside[s[7]]
		s = s[8:]
	}
	for i := range len(s) {
		bad |= outside[s[i]]
	}
	return bad == 0
}

// SameType reports whether two values of typ or cty name the same media type:
// without regard to case, and with application/ understood where there is no
// slash (RFC 7515, Section 4.1.9).
func SameType(a, b string) bool {
	a, b = trimType(a), trimType(b)
	// The names of media types are ASCII (RFC 6838, Section 4.2), of which no letter is longer or shorter in
	// its other case, as ſ is that of s.
	return len(a) == len(b) && strings.EqualFold(a, b)
}

func trimType(s string) string {
	const prefix = "application/"
	if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) &&
		strings.IndexByte(s[len(prefix):], '/') < 0 {
		return s[len(prefix):]
	}
	return s
}
