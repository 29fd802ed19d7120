package unverified

import (
	"slices"
	"strings"
)

// Found is a token in a text.
type Found struct {
	Start, End int    // bytes of the text; between them may be line ends
	Raw        string // the token in one piece
	Token      *Token
}

// Find returns every token of a text, in order. It joins what is wrapped: with the
// backslash of RFC 8792, or plainly at one width, indented or quoted. A token ends
// where its form does, so that &state= after it is no part of it. What is elided,
// as in eyJhbGci…, is no token.
func Find(text string) []Found {
	f := finder{text: text, budget: 8*len(text) + 1<<16}
	for f.pos < len(text) {
		i := strings.IndexAny(text[f.pos:], "{espt")
		if i < 0 {
			break
		}
		f.pos += i
		if !f.json() && !f.compact() {
			f.pos++
		}
	}
	return f.found
}

// FindWithin is [Find] in the strings of a token's own claims: the tokens that it
// carries, such as a login_hint_token.
func (t *Token) FindWithin() []Found { return Find(string(t.Claims)) }

type finder struct {
	text   string
	pos    int
	budget int // bytes that may yet be read in vain, so that the work is linear
	found  []Found
}

func (f *finder) add(end int, t *Token) {
	f.found = append(f.found, Found{f.pos, end, t.Raw, t})
	f.pos = end
}

// json takes a JWS or JWE in JSON at pos.
func (f *finder) json() bool {
	if f.text[f.pos] != '{' || f.budget < 0 {
		return false
	}
	n := objectLen(f.text[f.pos:min(len(f.text), f.pos+MaxSize)])
	f.budget -= n
	t, err := Parse(f.text[f.pos : f.pos+n])
	if err != nil || !t.hasHeader() {
		return false
	}
	f.add(f.pos+n, t)
	return true
}

// hasHeader tells a token in JSON from other documents with a signature in them.
func (t *Token) hasHeader() bool {
	switch {
	case t.Header != nil:
		return true
	case t.Encryption != nil:
		return t.Encryption.Unprotected != nil || slices.ContainsFunc(t.Encryption.Recipients, func(r Recipient) bool { return r.Header != nil })
	}
	return slices.ContainsFunc(t.Signatures, func(s Signature) bool { return s.Unprotected != nil })
}

// objectLen is the length of s up to the brace that closes its first one, or all.
func objectLen(s string) int {
	depth, inString := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case inString:
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// compact takes a token of the compact forms at pos. It reports whether it moved.
func (f *finder) compact() bool {
	start := f.text[f.pos:]
	prefixed := slices.ContainsFunc(prefixes, func(p string) bool {
		return strings.HasPrefix(start, p+".")
	})
	if !prefixed && !startsHeader(start) || !boundary(f.text[:f.pos]) {
		return false
	}
	r := run{text: f.text, next: f.pos, prefixed: prefixed}
	r.line()
	first := r.next
	for f.budget >= 0 && len(r.chars) <= MaxSize && !r.broken && (r.dots > 0 || len(r.chars) < 1<<16) && r.wraps() {
		r.line()
	}
	raw := r.cut()
	if t, err := Parse(raw); err == nil {
		f.add(r.ends[len(raw)-1], t)
		return true
	}
	f.budget -= len(r.chars)
	f.pos = first
	return true
}

// startsHeader reports whether s starts as the base64url of a JSON object does:
// a brace, then a quote or a space, or another white space.
func startsHeader(s string) bool {
	return strings.HasPrefix(s, "ey") || strings.HasPrefix(s, "ew")
}

// boundary reports whether a token may start after before.
func boundary(before string) bool {
	n := len(before)
	if n == 0 || !inToken(before[n-1]) || before[n-1] == '~' {
		return true
	}
	tail := before[max(0, n-6):]
	switch {
	case n >= 2 && before[n-2] == '\\' && strings.IndexByte("nrt", before[n-1]) >= 0:
		return true // an escaped line end
	case n >= 3 && before[n-3] == '%', strings.HasPrefix(tail, `\u`) && len(tail) == 6:
		return true // an escaped character
	}
	// White space is lost where pages are turned into text.
	return strings.EqualFold(tail, "bearer") || strings.HasSuffix(strings.ToLower(tail), "jwt")
}

// inToken reports whether c may stand in a compact token or SD-JWT.
func inToken(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// run is a token's characters as they are gathered from one line or several.
type run struct {
	text     string
	next     int // where the next line's characters start, or the text after them
	prefixed bool

	chars []byte
	ends  []int // for each character, where it ends in the text

	backslash bool // lines are wrapped as in RFC 8792
	plain     bool // lines are wrapped without a sign
	width     int  // of the widest line so far
	dots      int
	part      int    // where the current part starts in chars
	header    *Token // what the first part says, once it is whole
	broken    bool   // the first part is whole and no header
}

// line gathers the characters of one line.
func (r *run) line() {
	for r.next < len(r.text) {
		c, n := r.text[r.next], 1
		if c == '%' {
			c, n = unescape(r.text[r.next:])
		}
		switch {
		case c == '=' && r.padding(r.next+n):
		case !inToken(c) || n == 0:
			return
		}
		r.next += n
		r.chars, r.ends = append(r.chars, c), append(r.ends, r.next)
		if c == '.' {
			r.dot()
		}
	}
}

// padding reports whether what follows an equals sign shows that it ends a part.
// Padding is wrong, but some issuers send it.
func (r *run) padding(next int) bool {
	if next == len(r.text) {
		return true
	}
	c := r.text[next]
	return c == '=' || c == '.' || c == '%' || c <= ' ' || c == '"' || c == '\''
}

// unescape reads one percent-encoded character of a token.
func unescape(s string) (c byte, n int) {
	if len(s) < 3 {
		return 0, 0
	}
	switch strings.ToUpper(s[:3]) {
	case "%2E":
		return '.', 3
	case "%2D":
		return '-', 3
	case "%5F":
		return '_', 3
	case "%7E":
		return '~', 3
	case "%3D":
		return '=', 3
	}
	return 0, 0
}

func (r *run) dot() {
	r.dots++
	if r.dots == 1 && !r.prefixed {
		t := &Token{}
		t.setHeader(t.decode("header", string(r.chars[:len(r.chars)-1])))
		r.header, r.broken = t, t.header == nil
	}
	r.part = len(r.chars)
}

// wraps reports whether the token goes on in the next line, and moves there.
func (r *run) wraps() bool {
	rest := r.text[r.next:]
	if !r.plain && strings.HasPrefix(rest, `\`) {
		if after := lineEnd(rest[1:]); after > 0 {
			r.backslash = true
			r.next += 1 + after
			r.next += indent(r.text[r.next:])
			return true
		}
	}
	if r.backslash {
		return false
	}
	after := lineEnd(rest)
	if after == 0 || r.whole() {
		return false
	}
	column := r.next - (strings.LastIndexByte(r.text[:r.next], '\n') + 1)
	r.width = max(r.width, column)
	following := rest[after:]
	skip := indent(following)
	n := wholeLine(following[skip:])
	if n == 0 || startsToken(following[skip:skip+n]) {
		return false
	}
	const most = 132 // columns: longer lines are not wrapped by hand
	atDot := r.chars[len(r.chars)-1] == '.' || following[skip] == '.'
	full := column >= 30 && column >= r.width-1 && skip+n <= r.width+1 && (r.width <= most || r.dots < 2)
	if !full && !atDot {
		return false
	}
	r.plain = true
	r.next += after + skip
	return true
}

// lineEnd is the length of white space up to and including one line end, or 0.
func lineEnd(s string) int {
	rest := strings.TrimLeft(s, " \t\r")
	if !strings.HasPrefix(rest, "\n") {
		return 0
	}
	return len(s) - len(rest) + 1
}

// indent is the length of what may stand before a line: white space and the signs
// of quotes, comments and tables.
func indent(s string) int {
	return len(s) - len(strings.TrimLeft(s, " \t>|#*/"))
}

// wholeLine is the number of token characters that s starts with, or 0 where other
// text follows in their line.
func wholeLine(s string) int {
	n := 0
	for n < len(s) && inToken(s[n]) {
		n++
	}
	rest := s[n:]
	if rest == "" || strings.IndexByte("&\"'<>),;]}=", rest[0]) >= 0 {
		return n
	}
	if lineEnd(rest) > 0 || strings.TrimSpace(rest) == "" {
		return n
	}
	return 0
}

// startsToken reports whether a line has a token of its own.
func startsToken(s string) bool {
	header, _, _ := strings.Cut(s, ".")
	t := &Token{}
	t.setHeader(t.decode("header", header))
	return t.header["alg"] != nil
}

// whole reports whether the signature has the length that the algorithm gives it,
// so that the next line is another matter.
func (r *run) whole() bool {
	if r.dots != 2 || slices.Contains(r.chars, '~') {
		return false
	}
	n := len(r.chars) - r.part
	alg := ""
	if r.header != nil {
		alg = r.header.HeaderString("alg")
	}
	switch alg {
	case "HS256":
		return n >= 43
	case "HS384":
		return n >= 64
	case "HS512", "ES256", "ES256K", "EdDSA", "Ed25519":
		return n >= 86
	case "ES384":
		return n >= 128
	case "ES512":
		return n >= 176
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		return n == 342 || n == 512 || n >= 683 // 2048, 3072, 4096 bits
	case "none":
		return true
	}
	// Nobody wraps lines so wide that all three parts begin in the first.
	return !r.plain && n >= 22
}

// cut returns the token that the characters start with, or "".
func (r *run) cut() string {
	s := string(r.chars)
	head, rest, tilde := strings.Cut(s, "~")
	parts := strings.Split(head, ".")
	if tilde && len(parts) == 3 {
		return head + "~" + cutDisclosures(rest)
	}
	switch {
	case r.prefixed && len(parts) >= 3:
	case r.header == nil || r.broken:
		return ""
	case r.header.header["enc"] != nil && len(parts) >= 5:
		return strings.Join(parts[:5], ".")
	case len(parts) < 3:
		return ""
	}
	if parts[2] == "" {
		// Full stops in a row stand for what was left out; only an unsecured token ends
		// in one.
		if r.prefixed || len(parts) > 3 || !startsHeader(parts[1]) {
			return ""
		}
	}
	return strings.Join(parts[:3], ".")
}

// cutDisclosures returns what belongs to an SD-JWT of what follows its first tilde.
func cutDisclosures(s string) string {
	i := strings.LastIndexByte(s, '~') + 1
	kb := strings.Split(s[i:], ".")
	if len(kb) >= 3 && startsHeader(kb[0]) {
		return s[:i] + strings.Join(kb[:3], ".")
	}
	// A disclosure starts as the base64url of a bracket does.
	if strings.HasPrefix(s[i:], "W") && len(kb) == 1 {
		return s
	}
	return s[:i]
}
