package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/fault"
)

// parser is the state of one reading. Its methods take the offset where something
// begins and return the offset behind it, or -1 once err is set.
type parser struct {
	data    []byte
	depth   int // levels that are left
	members int // members and elements that are left
	memory  int // bytes that may yet be allocated
	number  int
	name    int
	err     *Error

	// The names of the objects that are open and have no set: the first in near,
	// which costs no allocation, the others in far; open is their number.
	open int
	near [24]string
	far  []string

	spare []string // of length 0; see strings
}

// begin sets the limits and returns the offset of the value.
func (p *parser) begin(data []byte, l *Limits) int {
	p.data = data
	p.depth = min(or(l.Depth, defaultDepth), maxDepth)
	p.members = or(l.Members, defaultMembers)
	p.memory = freeMemory + memoryPerByte*len(data)
	p.number = or(l.Number, defaultNumber)
	p.name = or(l.Name, defaultName)
	if len(data) > or(l.Bytes, defaultBytes) {
		return p.fail(0, errLimit)
	}
	return p.space(0)
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// end refuses what stands behind the value that ends at i.
func (p *parser) end(i int) {
	if i >= 0 {
		if i = p.space(i); i < len(p.data) {
			p.fail(i, errTrailing)
		}
	}
}

// result is p.err without the trap of a typed nil.
func (p *parser) result() error {
	if p.err == nil {
		return nil
	}
	return p.err
}

func (p *parser) fail(i int, rule *fault.Error) int {
	p.err = &Error{Offset: i, rule: rule}
	return -1
}

func (p *parser) space(i int) int {
	for i < len(p.data) {
		switch p.data[i] {
		case ' ', '\t', '\n', '\r':
			i++
		default:
			return i
		}
	}
	return i
}

// at returns the byte at i, and a NUL, which begins nothing, behind the end.
func (p *parser) at(i int) byte {
	if uint(i) < uint(len(p.data)) {
		return p.data[i]
	}
	return 0
}

// after returns the offset of the next thing behind the punctuation at i.
func (p *parser) after(i int) int {
	i++
	if p.at(i) <= ' ' {
		i = p.space(i)
	}
	return i
}

// enter goes into the array or object whose bracket is at i, and returns where its
// first element begins; there is none where closing follows.
func (p *parser) enter(i int, closing byte) (_ int, more bool) {
	if p.at(i) != closing-2 { // '[' and ']', '{' and '}' are that far apart
		return p.mismatch(i), false
	}
	p.depth--
	if p.depth < 0 {
		return p.fail(i, errDepth), false
	}
	i = p.after(i)
	if p.at(i) == closing {
		p.depth++
		return i + 1, false
	}
	return i, true
}

func (p *parser) count(i int) bool {
	p.members--
	if p.members < 0 {
		p.fail(i, errLimit)
		return false
	}
	return true
}

// pay takes the cost of an allocation for the value at i.
func (p *parser) pay(i, bytes int) bool {
	p.memory -= bytes
	if p.memory < 0 {
		p.fail(i, errLimit)
		return false
	}
	return true
}

// payEntry takes the cost of one more entry of that size in a Go map of n. Such a map
// begins with 8 places and doubles them whenever 7 of 8 are taken, the first time all.
func (p *parser) payEntry(i, n, size int) bool {
	switch {
	case n == 0:
		return p.pay(i, 24+8*(size+1))
	case n == 8:
		return p.pay(i, 128+16*(size+1))
	case n >= 14 && n%7 == 0 && n/7&(n/7-1) == 0:
		return p.pay(i, 128+n/7*16*(size+size/8+1)) // what malloc rounds up, too
	}
	return true
}

// skip checks the value at i.
func (p *parser) skip(i int) int {
	switch c := p.at(i); c {
	case '"':
		j, _ := p.str(i + 1)
		if j < 0 {
			return -1
		}
		return j + 1
	case '{':
		return p.object(i, nil)
	case '[':
		return p.array(i, nil)
	case 't':
		return p.literal(i, "true")
	case 'f':
		return p.literal(i, "false")
	case 'n':
		return p.literal(i, "null")
	default:
		j, _ := p.num(i)
		return j
	}
}

func (p *parser) literal(i int, s string) int {
	if !p.has(i, s) {
		return p.fail(i, errSyntax)
	}
	return i + len(s)
}

func (p *parser) has(i int, s string) bool {
	return len(p.data)-i >= len(s) && string(p.data[i:i+len(s)]) == s
}

// array reads the array at i; each, or skip if there is none, reads an element.
func (p *parser) array(i int, each func(i int) int) int {
	i, more := p.enter(i, ']')
	for more {
		if !p.count(i) {
			return -1
		}
		if each == nil {
			i = p.skip(i)
		} else {
			i = each(i)
		}
		if i < 0 {
			return -1
		}
		i, more = p.next(i, ']')
	}
	return i
}

// next passes the comma behind an element that ends at i, or the closing bracket,
// which ends the level.
func (p *parser) next(i int, closing byte) (_ int, more bool) {
	if p.at(i) <= ' ' {
		i = p.space(i)
	}
	switch p.at(i) {
	case ',':
		return p.after(i), true
	case closing:
		p.depth++
		return i + 1, false
	}
	return p.fail(i, errSyntax), false
}

// object reads the object at i; each, or skip if there is none, reads a member's value.
func (p *parser) object(i int, each func(name string, i int) int) int {
	seen := seen{base: p.open}
	i, more := p.enter(i, '}')
	for more {
		start := i
		var name string
		if name, i = p.member(i); i < 0 {
			return -1
		}
		if !p.first(&seen, name) {
			return p.fail(start, errDuplicate)
		}
		if i = p.colon(i); i < 0 {
			return -1
		}
		if each == nil {
			i = p.skip(i)
		} else {
			i = each(name, i)
		}
		if i < 0 {
			return -1
		}
		i, more = p.next(i, '}')
	}
	p.open = seen.base
	return i
}

// member reads the name at i.
func (p *parser) member(i int) (string, int) {
	if p.at(i) != '"' {
		return "", p.fail(i, errSyntax)
	}
	if !p.count(i) {
		return "", -1
	}
	j, escaped := p.str(i + 1)
	if j < 0 {
		return "", -1
	}
	if j-i-1 > p.name {
		return "", p.fail(i, errLimit)
	}
	return p.content(i+1, j, escaped), j + 1
}

// colon passes the colon that is due at i and the white space around it.
func (p *parser) colon(i int) int {
	if p.at(i) <= ' ' {
		i = p.space(i)
	}
	if p.at(i) != ':' {
		return p.fail(i, errSyntax)
	}
	return p.after(i)
}

// seen knows the names of an object that were read. The first few are the parser's
// open names from base on, compared one by one, which a filter of a bit per hash mostly
// saves. Beyond that they move into a map: its hash has a random seed, so that no
// document can make it slow.
type seen struct {
	base   int
	filter uint64
	set    map[string]struct{}
}

const fewNames = 32

// first records name, and reports false if it was there before.
func (p *parser) first(s *seen, name string) bool {
	if s.set != nil {
		n := len(s.set)
		s.set[name] = struct{}{}
		return len(s.set) > n
	}
	bit := uint64(1)
	if n := len(name); n > 0 {
		bit <<= (uint(n)*7 + uint(name[0])*3 + uint(name[n-1])) & 63
	}
	if s.filter&bit != 0 {
		for k := s.base; k < p.open; k++ {
			if p.opened(k) == name {
				return false
			}
		}
	}
	s.filter |= bit
	if p.open < len(p.near) {
		p.near[p.open] = name
	} else {
		p.far = append(p.far[:p.open-len(p.near)], name)
	}
	p.open++
	if p.open-s.base > fewNames {
		s.set = make(map[string]struct{}, 56) // what 64 slots hold
		for ; p.open > s.base; p.open-- {
			s.set[p.opened(p.open-1)] = struct{}{}
		}
	}
	return true
}

func (p *parser) opened(k int) string {
	if k < len(p.near) {
		return p.near[k]
	}
	return p.far[k-len(p.near)]
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func load(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i : i+8]) }

// special has the high bit of each byte of w set that may not stand for itself in a
// string, or ends it: controls, the quote, the backslash, all that is not ASCII. Only
// the lowest bit that is set is exact: a borrow may set one above it. Of all that is ASCII,
// only controls and the quote are at most 0x20 once their second bit is flipped.
func special(w uint64) uint64 {
	return (((w ^ ones*2) - ones*0x21) | ((w ^ ones*'\\') - ones) | w) & highs
}

// plain returns the offset of the quote that ends the string at i, where that string is
// but for it as it says: without escapes, in ASCII, and not among the last bytes of the document. Else it returns -1.
func plain(d []byte, i int) int {
	if uint(i) >= uint(len(d)) || d[i] != '"' {
		return -1
	}
	for i++; i <= len(d)-8; i += 8 {
		if m := special(load(d, i)); m != 0 {
			if i += bits.TrailingZeros64(m) >> 3; d[i] == '"' {
				return i
			}
			break
		}
	}
	return -1
}

// str returns the offset of the quote that ends the string whose content begins at i,
// and whether there are escapes in it.
func (p *parser) str(i int) (end int, escaped bool) {
	d := p.data
	for {
		for i+8 <= len(d) {
			if m := special(load(d, i)); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		if i >= len(d) {
			return p.fail(len(d), errSyntax), false
		}
		switch c := d[i]; {
		case c == '"':
			return i, escaped
		case c == '\\':
			escaped = true
			if i = p.escape(i); i < 0 {
				return -1, false
			}
		case c < ' ':
			return p.fail(i, errSyntax), false
		case c < utf8.RuneSelf: // among the last seven bytes of the document
			i++
		default:
			for i < len(d) && d[i] >= utf8.RuneSelf {
				r, n := utf8.DecodeRune(d[i:])
				if r == utf8.RuneError && n == 1 {
					return p.fail(i, errUTF8), false
				}
				i += n
			}
		}
	}
}

// escape checks the escape at i.
func (p *parser) escape(i int) int {
	switch p.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		r := p.hex(i + 2)
		switch {
		case r < 0:
			return p.fail(i, errSyntax)
		case r < 0xd800 || r > 0xdfff:
			return i + 6
		case r < 0xdc00 && p.at(i+6) == '\\' && p.at(i+7) == 'u':
			// RFC 8259, Section 7: a character beyond the BMP is two escapes.
			if low := p.hex(i + 8); low >= 0xdc00 && low <= 0xdfff {
				return i + 12
			}
		}
		return p.fail(i, errSurrogate)
	}
	return p.fail(i, errSyntax)
}

// hex returns the value of the four digits at i, or -1.
func (p *parser) hex(i int) rune {
	var r rune
	for k := range 4 {
		c := p.at(i + k)
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// content returns what the checked string between i and j says.
func (p *parser) content(i, j int, escaped bool) string {
	if !escaped {
		return alias.String(p.data[i:j])
	}
	b := make([]byte, 0, j-i) // no escape is shorter than what it stands for
	for i < j {
		c := p.data[i]
		if c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		c = p.data[i+1]
		i += 2
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := p.hex(i)
			i += 4
			if r >= 0xd800 && r <= 0xdfff {
				r = 0x10000 + (r-0xd800)<<10 + (p.hex(i+2) - 0xdc00)
				i += 6
			}
			b = utf8.AppendRune(b, r)
			continue
		}
		b = append(b, c)
	}
	return alias.String(b)
}

// text reads the string at i into s.
func (p *parser) text(i int, s *string) int {
	if j := plain(p.data, i); j >= 0 {
		*s = alias.String(p.data[i+1 : j])
		return j + 1
	}
	if p.at(i) != '"' {
		return p.mismatch(i)
	}
	j, escaped := p.str(i + 1)
	if j < 0 {
		return -1
	}
	*s = p.content(i+1, j, escaped)
	return j + 1
}

// mismatch refuses the value at i because another type is due, unless it is no JSON at all.
func (p *parser) mismatch(i int) int {
	if p.skip(i) < 0 {
		return -1
	}
	return p.fail(i, errType)
}

// num returns the offset behind the number at i, and whether it has neither fraction nor exponent.
func (p *parser) num(i int) (end int, integer bool) {
	start := i
	if p.at(i) == '-' {
		i++
	}
	switch c := p.at(i); {
	case c == '0':
		i++
	case '1' <= c && c <= '9':
		i = p.digits(i)
	default:
		return p.fail(start, errSyntax), false
	}
	integer = true
	if p.at(i) == '.' {
		integer = false
		j := p.digits(i + 1)
		if j == i+1 {
			return p.fail(j, errSyntax), false
		}
		i = j
	}
	if p.at(i)|0x20 == 'e' {
		integer = false
		i++
		if c := p.at(i); c == '+' || c == '-' {
			i++
		}
		j := p.digits(i)
		if j == i {
			return p.fail(j, errSyntax), false
		}
		i = j
	}
	if i-start > p.number {
		return p.fail(start, errLimit), false
	}
	return i, integer
}

func (p *parser) digits(i int) int {
	for i < len(p.data) && p.data[i]-'0' < 10 {
		i++
	}
	return i
}
