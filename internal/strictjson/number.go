package strictjson

import (
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/jotsuite/jot/internal/alias"
)

// maxSeconds bounds a NumericDate to the integers that every JSON implementation
// agrees on (RFC 7493, Section 2.2): 285 million years, which time.Time holds.
const maxSeconds = 1<<53 - 1

// small reads the common integer: at most 18 digits, without fraction or exponent.
func (p *parser) small(i int) (v int64, end int, ok bool) {
	d := p.data
	start, neg := i, false
	if i < len(d) && d[i] == '-' {
		neg = true
		i++
	}
	first := i
	if i <= len(d)-8 {
		if t := load(d, i) ^ ones*'0'; ((t+ones*(0x80-10))|t)&highs == 0 { // eight digits
			v = eight(t)
			i += 8
		}
	}
	for end := min(len(d), first+19); i < end; i++ {
		c := d[i] - '0'
		if c > 9 {
			break
		}
		v = v*10 + int64(c)
	}
	if i-first > 18 {
		return 0, 0, false
	}
	if i == first || i-start > p.number || d[first] == '0' && i-first > 1 {
		return 0, 0, false
	}
	if i < len(d) && (d[i] == '.' || d[i]|0x20 == 'e') {
		return 0, 0, false
	}
	if neg {
		v = -v
	}
	return v, i, true
}

// eight returns the number whose eight digits t has, the first in the low byte: it joins two
// digits each, then two pairs, then the two halves.
func eight(t uint64) int64 {
	t = (t * (1 + 10<<8)) >> 8 & 0x00ff00ff00ff00ff
	t = (t * (1 + 100<<16)) >> 16 & 0x0000ffff0000ffff
	return int64((t * (1 + 10000<<32)) >> 32)
}

// whole reads the number at i, whose value has to be an integer that fits into size
// bytes, signed or not: 17, 17.0 and 1.7E1 are the same number.
func (p *parser) whole(i int, size uintptr, signed bool) (uint64, int) {
	v, j, ok := p.small(i)
	neg := v < 0
	u := uint64(v)
	if neg {
		u = -u
	}
	if !ok {
		if c := p.at(i); c != '-' && c-'0' > 9 {
			return 0, p.mismatch(i)
		}
		if j, _ = p.num(i); j < 0 {
			return 0, -1
		}
		n := parse(p.data[i:j])
		if n.over || n.nanos != 0 || n.more {
			return 0, p.fail(i, errNumber)
		}
		neg, u = n.neg, n.whole
	}
	most := uint64(math.MaxUint64) >> (64 - 8*size)
	if signed {
		most >>= 1
		if neg {
			most++
		}
	} else if neg && u != 0 {
		most = 0
	}
	if u > most {
		return 0, p.fail(i, errNumber)
	}
	if neg {
		u = -u
	}
	return u, j
}

// float reads the number at i. A float is the nearest value, as everywhere, but an
// integer that it would change is refused, and so is one out of range.
func (p *parser) float(i int, size uintptr) (float64, int) {
	if c := p.at(i); c != '-' && c-'0' > 9 {
		return 0, p.mismatch(i)
	}
	j, integer := p.num(i)
	if j < 0 {
		return 0, -1
	}
	s := alias.String(p.data[i:j])
	f, err := strconv.ParseFloat(s, int(size)*8)
	if err != nil {
		return 0, p.fail(i, errNumber)
	}
	// Up to 7 digits every float is exact; with no decimals, 'f' prints all digits.
	if integer && j-i > 7 && strconv.FormatFloat(f, 'f', 0, 64) != s {
		return 0, p.fail(i, errNumber)
	}
	return f, j
}

// date reads a NumericDate (RFC 7519, Section 2). Digits below the nanosecond are
// dropped towards the past.
func (p *parser) date(i int, t *time.Time) int {
	if v, j, ok := p.small(i); ok {
		if v > maxSeconds || v < -maxSeconds {
			return p.fail(i, errNumber)
		}
		*t = time.Unix(v, 0).UTC()
		return j
	}
	if c := p.at(i); c != '-' && c-'0' > 9 {
		return p.mismatch(i)
	}
	j, _ := p.num(i)
	if j < 0 {
		return -1
	}
	n := parse(p.data[i:j])
	if n.over || n.whole > maxSeconds {
		return p.fail(i, errNumber)
	}
	sec, nanos := int64(n.whole), n.nanos
	if n.neg {
		if n.more {
			nanos++
		}
		sec, nanos = -sec, -nanos
	}
	*t = time.Unix(sec, nanos).UTC()
	return j
}

// decimal is the value of a number: its sign, its integer part, nine digits of its
// fraction, and whether there are digits other than 0 behind them.
type decimal struct {
	neg   bool
	over  bool // the integer part does not fit
	whole uint64
	nanos int64
	more  bool
}

// parse takes apart a number that is within the grammar.
func parse(s []byte) (n decimal) {
	if s[0] == '-' {
		n.neg = true
		s = s[1:]
	}
	// point is the number of digits before the decimal point, once the exponent has moved it.
	point, end := -1, len(s)
	for i, c := range s {
		if c == '.' {
			point = i
		}
		if c|0x20 == 'e' {
			end = i
			break
		}
	}
	if point < 0 {
		point = end
	}
	if end < len(s) {
		point += exponent(s[end+1:])
	}
	k := 0 // digits that were seen
	place := int64(100_000_000)
	for ; point < k && place > 0; point++ { // 0.00… by the exponent
		place /= 10
	}
	for _, c := range s[:end] {
		if c == '.' {
			continue
		}
		digit := c - '0'
		switch {
		case k < point:
			n.push(digit)
		case place > 0:
			n.nanos += int64(digit) * place
			place /= 10
		case digit != 0:
			n.more = true
		}
		k++
	}
	for ; k < point && n.whole != 0 && !n.over; k++ {
		n.push(0)
	}
	return n
}

func (n *decimal) push(digit byte) {
	hi, lo := bits.Mul64(n.whole, 10)
	sum, carry := bits.Add64(lo, uint64(digit), 0)
	if hi != 0 || carry != 0 {
		n.over = true
	}
	n.whole = sum
}

// exponent returns the value of an exponent, or one that is as good where it is huge.
func exponent(s []byte) int {
	const huge = 1 << 29 // more than a document has digits; fits an int of 32 bits
	neg := s[0] == '-'
	e := 0
	for _, c := range s {
		if c == '-' || c == '+' {
			continue
		}
		if e = e*10 + int(c-'0'); e > huge {
			e = huge
		}
	}
	if neg {
		return -e
	}
	return e
}

// appendDate writes t as a NumericDate, with a fraction only where it has one.
func appendDate(b []byte, t time.Time) ([]byte, error) {
	sec, nanos := t.Unix(), t.Nanosecond()
	if sec > maxSeconds || sec < -maxSeconds {
		return b, errNumber.With("a time beyond the NumericDates")
	}
	if nanos == 0 {
		if sec < 1e9 || sec >= 1e10 {
			return strconv.AppendInt(b, sec, 10), nil
		}
		// From 2001 to 2286 the digits are ten, so they are written where they belong.
		b = append(b, "0000000000"...)
		for i, u := len(b)-1, uint64(sec); u > 0; i, u = i-1, u/10 {
			b[i] = byte('0' + u%10)
		}
		return b, nil
	}
	if sec < 0 { // −1.25 is two seconds before 0 and 0.75 after that
		b = append(b, '-')
		sec, nanos = -sec-1, 1_000_000_000-nanos
	}
	b = strconv.AppendInt(b, sec, 10)
	b = append(b, '.')
	for place := 100_000_000; nanos > 0; place /= 10 {
		b = append(b, byte('0'+nanos/place))
		nanos %= place
	}
	return b, nil
}
