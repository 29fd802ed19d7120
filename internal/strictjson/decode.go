package strictjson

import (
	"bytes"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"time"

	"github.com/jotsuite/jot/internal/alias"
)

// value reads the value at i into what is at q.
func (p *parser) value(i int, pl *plan, q ptr) int {
	switch pl.kind {
	case kindBool:
		return p.boolean(i, at[bool](q))
	case kindInt:
		u, j := p.whole(i, pl.size, true)
		if j >= 0 {
			store(u, pl.size, q)
		}
		return j
	case kindUint:
		u, j := p.whole(i, pl.size, false)
		if j >= 0 {
			store(u, pl.size, q)
		}
		return j
	case kindFloat:
		f, j := p.float(i, pl.size)
		if pl.size == 4 {
			*at[float32](q) = float32(f)
		} else {
			*at[float64](q) = f
		}
		return j
	case kindString:
		return p.text(i, at[string](q))
	case kindNumber:
		if c := p.at(i); c != '-' && c-'0' > 9 {
			return p.mismatch(i)
		}
		j, _ := p.num(i)
		if j >= 0 {
			*at[string](q) = alias.String(p.data[i:j])
		}
		return j
	case kindRaw:
		j := p.skip(i)
		if j >= 0 {
			*at[[]byte](q) = p.data[i:j:j]
		}
		return j
	case kindBytes:
		return p.base64(i, at[[]byte](q))
	case kindAny:
		v, j := p.any(i)
		*at[any](q) = v
		return j
	case kindStruct:
		return p.structure(i, pl.object, q)
	case kindMap:
		return p.mapping(i, pl, q)
	case kindAnyMap:
		return p.anyMap(i, at[map[string]any](q))
	case kindRawMap:
		return p.rawMap(i, at[map[string]json.RawMessage](q))
	case kindSlice:
		return p.slice(i, pl, q)
	case kindStrings:
		return p.strings(i, at[[]string](q))
	case kindArray:
		return p.fixed(i, pl, q)
	case kindPointer:
		if p.null(i) {
			*at[ptr](q) = nil
			return i + 4
		}
		if !p.pay(i, int(pl.elem.size)) {
			return -1
		}
		v := reflect.New(pl.elem.typ).UnsafePointer()
		*at[ptr](q) = v
		return p.value(i, pl.elem, v)
	case kindUnix:
		return p.date(i, at[time.Time](q))
	case kindOneOrMany:
		if p.at(i) == '"' {
			return p.lone(i, at[[]string](q))
		}
		if p.at(i) != '[' {
			return p.mismatch(i)
		}
		return p.strings(i, at[[]string](q))
	case kindQuoted:
		return p.quoted(i, pl.elem, q)
	case kindNullable:
		if p.null(i) {
			return i + 4
		}
		return p.value(i, pl.elem, q)
	default: // kindMethod, kindText
		return p.method(i, pl, q)
	}
}

func (p *parser) boolean(i int, b *bool) int {
	if p.has(i, "true") {
		*b = true
		return i + 4
	}
	if p.has(i, "false") {
		*b = false
		return i + 5
	}
	return p.mismatch(i)
}

func store(u uint64, size uintptr, q ptr) {
	switch size {
	case 1:
		*at[uint8](q) = uint8(u)
	case 2:
		*at[uint16](q) = uint16(u)
	case 4:
		*at[uint32](q) = uint32(u)
	default:
		*at[uint64](q) = u
	}
}

func (p *parser) null(i int) bool { return p.has(i, "null") }

// structure reads the object at i into the fields of o at base. What few members need has
// functions of its own, so that what all members need stays in registers.
func (p *parser) structure(i int, o *object, base ptr) int {
	d := p.data
	i, more := p.enter(i, '}')
	if !more {
		return i
	}
	var read uint64 // which of the first 64 fields were there
	s := strangers{seen: seen{base: p.open}}
	next := 0
	for {
		if !p.count(i) {
			return -1
		}
		start := i
		// Most senders keep an order, and leave out one member at a time: the next field is
		// tried first, then the one behind it.
		k := next
		f := &o.ahead[k]
		if i = f.named(d, start); i < 0 {
			k++
			f = &o.ahead[k]
			if i = f.named(d, start); i < 0 {
				if k, i = p.field(start, o, &s); i < 0 {
					return -1
				}
				if k >= 0 {
					f = &o.fields[k]
				}
			}
		}
		if uint(i) < uint(len(d)) && d[i] <= ' ' {
			i = p.space(i)
		}
		if k >= 0 {
			next = k + 1
			if k < 64 {
				bit := uint64(1) << k
				if read&bit != 0 {
					return p.fail(start, errDuplicate)
				}
				read |= bit
			} else if !s.once(k, o) {
				return p.fail(start, errDuplicate)
			}
			q := base
			if f.via != nil {
				q = follow(q, f.via)
			}
			q = add(q, f.offset)
			switch f.kind {
			case kindString: // text, but for the calls
				if j := plain(d, i); j >= 0 {
					*at[string](q) = alias.String(d[i+1 : j])
					i = j + 1
				} else {
					i = p.text(i, at[string](q))
				}
			case kindUnix:
				i = p.date(i, at[time.Time](q))
			default:
				i = p.value(i, f.plan, q)
			}
			if i < 0 {
				p.err.Member = f.name
				return -1
			}
		} else if i = p.stranger(i, start, o, base, &s); i < 0 {
			return -1
		}
		// As next does, but without a call where there is no white space.
		if uint(i) < uint(len(d)) && d[i] == ',' {
			i++
			if uint(i) < uint(len(d)) && d[i] <= ' ' {
				i = p.space(i)
			}
			continue
		}
		if i, more = p.next(i, '}'); !more {
			p.open = s.seen.base
			return i
		}
	}
}

// strangers is what the reading of an object needs beside its first 64 fields.
type strangers struct {
	name   []byte // of the member that is read
	seen   seen
	rest   reflect.Value // the inline map
	others []uint64      // which of the fields beyond the first 64 were there
}

// once notes that field k was there, and reports false if it was there before.
func (s *strangers) once(k int, o *object) bool {
	if s.others == nil {
		s.others = make([]uint64, o.words)
	}
	bit := uint64(1) << (k & 63)
	before := s.others[k>>6]
	s.others[k>>6] |= bit
	return before&bit == 0
}

// named returns the offset behind the colon, if the member at i has the name of f and is
// written as usual, or -1.
func (f *field) named(d []byte, i int) int {
	if n := len(d) - i; n < 8 || n < f.width || (load(d, i)^f.word)&f.mask != 0 || f.width > 8 && load(d, i+f.width-8) != f.last {
		return -1
	}
	return i + f.width
}

// field reads the name at i, and returns the number of the field, or -1 if it is a stranger's, and the
// offset behind the colon.
func (p *parser) field(i int, o *object, s *strangers) (k, end int) {
	if p.at(i) != '"' {
		return -1, p.fail(i, errSyntax)
	}
	j, escaped := p.str(i + 1)
	if j < 0 {
		return -1, -1
	}
	if j-i-1 > p.name {
		return -1, p.fail(i, errLimit)
	}
	s.name = p.data[i+1 : j]
	if escaped {
		s.name = alias.Bytes(p.content(i+1, j, true))
	}
	if i = j + 1; p.at(i) != ':' {
		if i = p.space(i); p.at(i) != ':' {
			return -1, p.fail(i, errSyntax)
		}
	}
	return o.find(s.name), i + 1
}

// stranger reads the value at i of the member at start, whose name no field has.
func (p *parser) stranger(i, start int, o *object, base ptr, s *strangers) int {
	if o.rest != nil {
		return p.other(i, start, o.rest, base, &s.rest, s.name)
	}
	if !p.first(&s.seen, alias.String(s.name)) {
		return p.fail(start, errDuplicate)
	}
	return p.skip(i)
}

// follow goes through embedded pointers, and makes the structs they lead to.
func follow(q ptr, via []step) ptr {
	for _, s := range via {
		next := at[ptr](add(q, s.offset))
		if *next == nil {
			*next = reflect.New(s.typ).UnsafePointer()
		}
		q = *next
	}
	return q
}

// other reads the member at start, whose value is at i, into the inline map. The map
// is made anew for each object, and itself shows that a name came twice.
func (p *parser) other(i, start int, f *field, base ptr, m *reflect.Value, name []byte) int {
	if f.via != nil {
		base = follow(base, f.via)
	}
	q := add(base, f.offset)
	if !m.IsValid() {
		*m = reflect.MakeMap(f.plan.typ)
		valueAt(f.plan.typ, q).Set(*m)
	}
	switch f.plan.kind {
	case kindAnyMap:
		return p.anyEntry(i, start, *at[map[string]any](q), alias.String(name))
	case kindRawMap:
		return p.rawEntry(i, start, *at[map[string]json.RawMessage](q), alias.String(name))
	}
	return p.entry(i, start, f.plan, *m, alias.String(name))
}

func (p *parser) anyEntry(i, start int, m map[string]any, name string) int {
	v, j := p.any(i)
	n := len(m)
	if !p.payEntry(start, n, 32) {
		return -1
	}
	m[name] = v
	if len(m) == n {
		return p.fail(start, errDuplicate)
	}
	return j
}

func (p *parser) rawEntry(i, start int, m map[string]json.RawMessage, name string) int {
	j := p.skip(i)
	if j < 0 {
		return -1
	}
	n := len(m)
	if !p.payEntry(start, n, 40) {
		return -1
	}
	m[name] = p.data[i:j:j]
	if len(m) == n {
		return p.fail(start, errDuplicate)
	}
	return j
}

func (p *parser) entry(i, start int, pl *plan, m reflect.Value, name string) int {
	n := m.Len()
	// The value is made apart and then copied into the map.
	if size := int(pl.elem.size); !p.pay(i, size) || !p.payEntry(start, n, 16+size) {
		return -1
	}
	v := reflect.New(pl.elem.typ)
	j := p.value(i, pl.elem, v.UnsafePointer())
	m.SetMapIndex(reflect.ValueOf(name).Convert(pl.typ.Key()), v.Elem())
	if m.Len() == n {
		return p.fail(start, errDuplicate)
	}
	return j
}

// entries reads the object at i; entry reads the value at i of the member at start and
// knows which names were there before.
func (p *parser) entries(i int, entry func(i, start int, name string) int) int {
	i, more := p.enter(i, '}')
	for more {
		start := i
		var name string
		if name, i = p.member(i); i < 0 {
			return -1
		}
		if i = p.colon(i); i < 0 {
			return -1
		}
		if i = entry(i, start, name); i < 0 {
			return -1
		}
		i, more = p.next(i, '}')
	}
	return i
}

// What a map and a slice take without their elements.
const (
	mapHeader   = 48
	sliceHeader = 24
)

func (p *parser) anyMap(i int, to *map[string]any) int {
	if p.null(i) {
		*to = nil
		return i + 4
	}
	if !p.pay(i, mapHeader) {
		return -1
	}
	m := map[string]any{}
	*to = m
	return p.entries(i, func(i, start int, name string) int { return p.anyEntry(i, start, m, name) })
}

func (p *parser) rawMap(i int, to *map[string]json.RawMessage) int {
	if p.null(i) {
		*to = nil
		return i + 4
	}
	if !p.pay(i, mapHeader) {
		return -1
	}
	m := map[string]json.RawMessage{}
	*to = m
	return p.entries(i, func(i, start int, name string) int { return p.rawEntry(i, start, m, name) })
}

func (p *parser) mapping(i int, pl *plan, q ptr) int {
	if p.null(i) {
		*at[ptr](q) = nil
		return i + 4
	}
	if !p.pay(i, mapHeader) {
		return -1
	}
	m := reflect.MakeMap(pl.typ)
	valueAt(pl.typ, q).Set(m)
	return p.entries(i, func(i, start int, name string) int { return p.entry(i, start, pl, m, name) })
}

// noElements is every empty array: nothing can be changed in it.
var noElements any = []any{}

// any reads the value at i as what encoding/json would put into an interface, with
// numbers as they are written.
func (p *parser) any(i int) (any, int) {
	switch p.at(i) {
	case '"':
		if !p.pay(i, 16) {
			return nil, -1
		}
		var s string
		i = p.text(i, &s)
		return s, i
	case '{':
		var m map[string]any
		i = p.anyMap(i, &m)
		return m, i
	case '[':
		var s []any
		i = p.array(i, func(i int) int {
			if len(s) == cap(s) {
				size := p.room(i, len(s))
				if !p.pay(i, sliceHeader+16*size) {
					return -1
				}
				s = append(make([]any, 0, size), s...)
			}
			v, j := p.any(i)
			s = append(s, v)
			return j
		})
		if len(s) == 0 {
			return noElements, i
		}
		return s, i
	case 't':
		return true, p.literal(i, "true")
	case 'f':
		return false, p.literal(i, "false")
	case 'n':
		return nil, p.literal(i, "null")
	}
	j, _ := p.num(i)
	if j < 0 {
		return nil, -1
	}
	if !p.pay(i, 16) {
		return nil, -1
	}
	return json.Number(alias.String(p.data[i:j])), j
}

// strings reads the list at i. It builds it in the parser's spare room, which the lists
// of one document share: most are short, and so one allocation serves them all.
func (p *parser) strings(i int, to *[]string) int {
	if p.at(i) != '[' {
		if p.null(i) {
			*to = nil
			return i + 4
		}
		return p.mismatch(i)
	}
	list := p.spare[:0]
	i, more := p.enter(i, ']')
	for more {
		if !p.count(i) {
			return -1
		}
		if len(list) == cap(list) {
			size := spareStrings
			if len(list) > 0 {
				size = p.room(i, len(list))
			}
			list = append(make([]string, 0, size), list...)
		}
		list = list[:len(list)+1]
		if i = p.text(i, &list[len(list)-1]); i < 0 {
			return -1
		}
		i, more = p.next(i, ']')
	}
	if i >= 0 {
		n := len(list)
		*to = list[:n:n]
		if n == 0 {
			*to = []string{}
		}
		p.spare = list[n:]
	}
	return i
}

// lone reads the string at i as a list of one.
func (p *parser) lone(i int, to *[]string) int {
	if cap(p.spare) == 0 {
		p.spare = make([]string, 0, spareStrings)
	}
	list := p.spare[:1:1]
	if i = p.text(i, &list[0]); i >= 0 {
		*to = list
		p.spare = p.spare[1:1]
	}
	return i
}

// spareStrings is what two lists of two words take.
const spareStrings = 4

// room returns a capacity for a list that is full with n elements before the one at i:
// what is left, where those are scalars, so that long lists of numbers or strings are
// made in their final size; at least twice n, so that no list is copied often.
func (p *parser) room(i, n int) int {
	more := 1
	for d := p.data; i < len(d) && more < p.members; i++ {
		switch d[i] {
		case ',':
			more++
		case '"':
			for i++; i < len(d) && d[i] != '"'; i++ {
				if d[i] == '\\' {
					i++
				}
			}
		case '[', ']', '{', '}':
			return max(n+more, 2*n)
		}
	}
	return max(n+more, 2*n)
}

func (p *parser) slice(i int, pl *plan, q ptr) int {
	if p.null(i) {
		*at[slice](q) = slice{}
		return i + 4
	}
	n := 0
	list := reflect.MakeSlice(pl.typ, 0, 0)
	j := p.array(i, func(i int) int {
		if n == list.Len() {
			size := max(1, 2*n)
			if pl.elem.size <= 16 { // what scalars take
				size = p.room(i, n)
			}
			if !p.pay(i, sliceHeader+size*int(pl.elem.size)) {
				return -1
			}
			grown := reflect.MakeSlice(pl.typ, size, size)
			reflect.Copy(grown, list)
			list = grown
		}
		n++
		return p.value(i, pl.elem, add(list.UnsafePointer(), uintptr(n-1)*pl.elem.size))
	})
	if j >= 0 {
		valueAt(pl.typ, q).Set(list.Slice3(0, n, n))
	}
	return j
}

// fixed reads the array at i into a Go array, which it has to fill: encoding/json
// would drop what is too much and clear what is missing.
func (p *parser) fixed(i int, pl *plan, q ptr) int {
	n := 0
	j := p.array(i, func(i int) int {
		if n == pl.length {
			return p.fail(i, errType)
		}
		n++
		e := add(q, uintptr(n-1)*pl.elem.size)
		return p.value(i, pl.elem, e)
	})
	if j >= 0 && n < pl.length {
		return p.fail(i, errType)
	}
	return j
}

func (p *parser) base64(i int, to *[]byte) int {
	if p.null(i) {
		*to = nil
		return i + 4
	}
	var s string
	j := p.text(i, &s)
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || bytes.ContainsAny(alias.Bytes(s), "\r\n") {
		return p.fail(i, errType)
	}
	*to = b
	return j
}

// quoted reads the string at i, whose content is the scalar that is meant.
func (p *parser) quoted(i int, pl *plan, q ptr) int {
	var s string
	j := p.text(i, &s)
	if j < 0 {
		return -1
	}
	inner := parser{data: alias.Bytes(s), number: p.number}
	if inner.value(0, pl, q) < len(s) {
		rule := errType
		if inner.err != nil && inner.err.rule == errNumber {
			rule = errNumber
		}
		return p.fail(i, rule)
	}
	return j
}

// method hands the value at i, once it is checked, to a method of the type. Such a
// method takes null for a no-op by convention, so null only reaches types with a nil.
func (p *parser) method(i int, pl *plan, q ptr) int {
	var j int
	var err error
	target := reflect.NewAt(pl.typ, q).Interface()
	if pl.kind == kindText {
		var s string
		if j = p.text(i, &s); j < 0 {
			return -1
		}
		err = target.(encoding.TextUnmarshaler).UnmarshalText(alias.Bytes(s))
	} else {
		if j = p.skip(i); j < 0 {
			return -1
		}
		if k := pl.typ.Kind(); p.null(i) && k != reflect.Map && k != reflect.Slice {
			return p.fail(i, errType)
		}
		err = target.(json.Unmarshaler).UnmarshalJSON(p.data[i:j:j])
	}
	if err != nil {
		p.fail(i, errType)
		p.err.cause = err
		return -1
	}
	return j
}
