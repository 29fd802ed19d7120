package subjectid

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isSome is the rule of a member that is not empty; nothing more is said of it.
func isSome(s string) bool { return s != "" && utf8.ValidString(s) }

// isURI reports whether s is a URI, with a scheme (RFC 3986, Section 3).
func isURI(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// isAccount reports whether s is an acct URI: a user at a host (RFC 7565, Section 7).
func isAccount(s string) bool {
	scheme, rest, _ := strings.Cut(s, ":")
	user, host, _ := strings.Cut(rest, "@")
	return isURI(s) && strings.EqualFold(scheme, "acct") && user != "" && host != "" && !strings.ContainsAny(host, "@/?#")
}

// isDID reports whether s is a DID or a DID URL (Decentralized Identifiers 1.0, Sections 3.1 and 3.2).
func isDID(s string) bool {
	method, rest, _ := strings.Cut(strings.TrimPrefix(s, "did:"), ":")
	id, _, _ := strings.Cut(rest, "/")
	id, _, _ = strings.Cut(id, "?")
	id, _, _ = strings.Cut(id, "#")
	return strings.HasPrefix(s, "did:") && isURI(s) && method != "" && strings.Trim(method, "abcdefghijklmnopqrstuvwxyz0123456789") == "" &&
		id != "" && !strings.HasSuffix(id, ":")
}

// isPhone reports whether s is a number as E.164 has it, with its country code: at most fifteen digits behind a
// plus sign (RFC 9493, Section 3.2.5).
func isPhone(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	return ok && len(digits) >= 2 && len(digits) <= 15 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}

// isEmail reports whether s is an addr-spec (RFC 5322, Section 3.4.1; RFC 6532) that mail can be sent to: at
// most 64 bytes before the at sign and 254 in all (RFC 5321, Section 4.5.3.1). Comments and folding are not taken.
func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || at > 64 || len(s) > 254 || !utf8.ValidString(s) {
		return false
	}
	return (isDotted(s[:at]) || isQuoted(s[:at])) && (isDotted(s[at+1:]) || isLiteral(s[at+1:]))
}

// isDotted reports whether s is a dot-atom.
func isDotted(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return strings.ContainsRune(`()<>[]:;@\,"`, r) || unicode.IsSpace(r) || unicode.IsControl(r)
		}) {
			return false
		}
	}
	return true
}

// isQuoted reports whether s is a quoted string, without escapes.
func isQuoted(s string) bool {
	inner, ok := between(s, `"`, `"`)
	return ok && inner != "" && !strings.ContainsFunc(inner, func(r rune) bool { return r == '"' || r == '\\' || unicode.IsControl(r) })
}

// isLiteral reports whether s is an address in brackets.
func isLiteral(s string) bool {
	inner, ok := between(s, "[", "]")
	a, err := netip.ParseAddr(strings.TrimPrefix(inner, "IPv6:"))
	return ok && err == nil && a.Zone() == ""
}

func between(s, before, after string) (string, bool) {
	s, begins := strings.CutPrefix(s, before)
	s, ends := strings.CutSuffix(s, after)
	return s, begins && ends
}
