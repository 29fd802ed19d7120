package dpop

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxURL bounds htu and the URL of the request, in bytes. What a request has of a URL is in one line of its header, and few
// servers take 8 KiB of those in all.
const maxURL = 8 << 10

// appendURL appends the one form that all URLs have which RFC 3986, Sections 6.2.2 and 6.2.3, hold to be the same, without
// query and fragment. It refuses what is no http or https URL with a host, and user information: that would be a password
// in a claim. Bytes of the path that no URL should have are escaped: browsers send some of them as they are, and servers read
// both alike. Those of a name stay.
func appendURL(dst []byte, s string) ([]byte, bool) {
	if len(s) > maxURL {
		return dst, false
	}
	scheme, rest, _ := strings.Cut(s, "://")
	port := "443"
	switch {
	case strings.EqualFold(scheme, "https") && len(scheme) == len("https"): // ſ folds to s
		dst = append(dst, "https://"...)
	case strings.EqualFold(scheme, "http"):
		dst, port = append(dst, "http://"...), "80"
	default:
		return dst, false
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	dst, ok := appendAuthority(dst, authority, port)
	if !ok {
		return dst, false
	}
	return appendPath(dst, path)
}

// appendAuthority appends host and port, without the default port of the scheme.
func appendAuthority(dst []byte, s, standard string) ([]byte, bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
	}
	var ok bool
	if strings.HasPrefix(host, "[") {
		dst, ok = appendIPv6(dst, host)
	} else {
		dst, ok = appendName(dst, host)
	}
	if !ok {
		return dst, false
	}
	// Section 6.2.3: no port, an empty one and the standard one are the same.
	if port == "" || port == standard {
		return dst, true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	if err != nil || port[0] == '0' {
		return dst, false
	}
	return append(append(dst, ':'), port...), true
}

// appendIPv6 appends an address in its one form (RFC 5952).
func appendIPv6(dst []byte, host string) ([]byte, bool) {
	inside, ok := strings.CutSuffix(host[1:], "]")
	addr, _ := netip.ParseAddr(inside)
	if !ok || !addr.Is6() || addr.Zone() != "" {
		return dst, false
	}
	return append(addr.AppendTo(append(dst, '[')), ']'), true
}

// appendName appends a registered name or an IPv4 address.
func appendName(dst []byte, host string) ([]byte, bool) {
	for i := 0; i < len(host); i++ {
		c := host[i]
		switch {
		case 'A' <= c && c <= 'Z': // Section 6.2.2.1
			c += 'a' - 'A'
		case c == '%':
			var ok bool
			if dst, ok = appendEscaped(dst, host[i:], true); !ok {
				return dst, false
			}
			i += 2
			continue
		case c <= ' ', c == 0x7f, strings.IndexByte(`"/:<>@[\]^{|}`+"`", c) >= 0:
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, host != ""
}

// appendPath appends an absolute or an empty path.
func appendPath(dst []byte, path string) ([]byte, bool) {
	if path == "" {
		return append(dst, '/'), true // Section 6.2.3
	}
	start, dots := len(dst), false
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			var ok bool
			if dst, ok = appendEscaped(dst, path[i:], false); !ok {
				return dst, false
			}
			i += 2
			c = dst[len(dst)-1]
		case c <= ' ', c == 0x7f:
			return dst, false
		case c > 0x7f, strings.IndexByte(`"<>\^{|}`+"`", c) >= 0:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
		dots = dots || c == '.' && dst[len(dst)-2] == '/'
	}
	if dots {
		dst = removeDots(dst, start)
	}
	return dst, true
}

// appendEscaped appends the escaped byte that s begins with: as itself if it is unreserved (RFC 3986, Section 6.2.2.2), else
// with digits in upper case (Section 6.2.2.1).
func appendEscaped(dst []byte, s string, lower bool) ([]byte, bool) {
	if len(s) < 3 {
		return dst, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	if high > 15 || low > 15 {
		return dst, false
	}
	switch c := high<<4 | low; {
	case lower && 'A' <= c && c <= 'Z':
		return append(dst, c+'a'-'A'), true
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return append(dst, c), true
	default:
		return append(dst, '%', digits[high], digits[low]), true
	}
}

const digits = "0123456789ABCDEF"

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// removeDots removes the segments . and .. of the path that begins at start (RFC 3986, Sections 5.2.4 and 6.2.2.3).
func removeDots(b []byte, start int) []byte {
	out := start // what is kept so far; the path begins with a slash, and so does each segment here
	for i := start; i < len(b); {
		end := i + 1
		for end < len(b) && b[end] != '/' {
			end++
		}
		last := end == len(b)
		switch segment := string(b[i+1 : end]); {
		case segment == "..":
			for out > start {
				if out--; b[out] == '/' {
					break
				}
			}
			fallthrough
		case segment == ".":
			if last { // what it stands for is a folder
				b[out] = '/'
				out++
			}
		default:
			out += copy(b[out:], b[i:end])
		}
		i = end
	}
	return b[:out]
}
