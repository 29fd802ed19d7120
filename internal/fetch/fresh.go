package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const forever = 100 * 365 * 24 * time.Hour

// freshness returns how much longer an answer may be used, for a cache that is
// private: max-age, else Expires, less its age (RFC 9111, Sections 4.2.1 and 4.2.3).
// Where directives contradict each other, the strictest counts.
func freshness(h http.Header) (time.Duration, bool) {
	lifetime, known := time.Duration(0), false
	for _, field := range h.Values("Cache-Control") {
		for directive := range strings.SplitSeq(field, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0, true
			case "max-age":
				// RFC 9111, Section 4.2.1: what cannot be read is stale.
				d, _ := seconds(strings.Trim(value, `"`))
				if !known || d < lifetime {
					lifetime = d
				}
				known = true
			}
		}
	}
	if !known {
		if expires := h.Get("Expires"); expires != "" {
			known = true
			// RFC 9111, Section 5.3: an invalid date, such as 0, is in the past.
			end, err := http.ParseTime(expires)
			date, err2 := http.ParseTime(h.Get("Date"))
			if err == nil && err2 == nil {
				lifetime = max(0, end.Sub(date))
			}
		}
	}
	age, _ := seconds(h.Get("Age"))
	return max(0, lifetime-age), known
}

// seconds reads a number of seconds. One that is too large means very long (RFC 9111,
// Section 1.2.2).
func seconds(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > int64(forever/time.Second) {
		return forever, true
	}
	return time.Duration(n) * time.Second, true
}

// retryAfter returns how long a server asks to be left alone.
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	if d, ok := seconds(s); ok {
		return d
	}
	at, err := http.ParseTime(s)
	date, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(0, at.Sub(date))
}
