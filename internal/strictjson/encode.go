package strictjson

import (
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/alias"
)

// Encoder writes values of T by a plan made once. It is immutable and safe for
// concurrent use.
//
// The JSON is compact, members stand in the order of the fields, those of maps are
// sorted. Only what JSON asks for is escaped. What a type's own MarshalJSON returns,
// and a json.RawMessage, is checked like any document and written without its white
// space. A Go string that is not UTF-8 is refused, and so is an inline map that holds
// the name of a field.
type Encoder[T any] struct{ plan *plan }

// NewEncoder makes the plan for T. It refuses a type that has no JSON, and inlined
// structs that collide (see [ConflictError]).
func NewEncoder[T any]() (*Encoder[T], error) {
	p, err := newPlan(reflect.TypeFor[T](), writing)
	if err != nil {
		return nil, err
	}
	return &Encoder[T]{p}, nil
}

// Append appends the JSON of v to dst. On an error it returns dst as it came.
func (e *Encoder[T]) Append(dst []byte, v *T) ([]byte, error) {
	b, err := appendValue(dst, e.plan, pointer(v), maxDepth)
	if err != nil {
		return dst, err
	}
	return b, nil
}

// Names returns the member names that fields of T write, in the order of the fields.
func (e *Encoder[T]) Names() []string { return e.plan.names() }

// appendValue writes the value at q; depth is the number of levels that are left,
// which ends values that hold themselves.
func appendValue(b []byte, pl *plan, q ptr, depth int) ([]byte, error) {
	if depth < 0 {
		return b, errDepth
	}
	switch pl.kind {
	case kindBool:
		return strconv.AppendBool(b, *at[bool](q)), nil
	case kindInt:
		switch pl.size {
		case 1:
			return strconv.AppendInt(b, int64(*at[int8](q)), 10), nil
		case 2:
			return strconv.AppendInt(b, int64(*at[int16](q)), 10), nil
		case 4:
			return strconv.AppendInt(b, int64(*at[int32](q)), 10), nil
		}
		return strconv.AppendInt(b, *at[int64](q), 10), nil
	case kindUint:
		switch pl.size {
		case 1:
			return strconv.AppendUint(b, uint64(*at[uint8](q)), 10), nil
		case 2:
			return strconv.AppendUint(b, uint64(*at[uint16](q)), 10), nil
		case 4:
			return strconv.AppendUint(b, uint64(*at[uint32](q)), 10), nil
		}
		return strconv.AppendUint(b, *at[uint64](q), 10), nil
	case kindFloat:
		if pl.size == 4 {
			return appendFloat(b, float64(*at[float32](q)), 32)
		}
		return appendFloat(b, *at[float64](q), 64)
	case kindString:
		return appendString(b, *at[string](q))
	case kindNumber:
		return appendNumber(b, *at[string](q))
	case kindRaw:
		return appendRaw(b, *at[[]byte](q))
	case kindBytes:
		if v := *at[[]byte](q); v != nil {
			b = append(b, '"')
			b = base64.StdEncoding.AppendEncode(b, v)
			return append(b, '"'), nil
		}
		return append(b, "null"...), nil
	case kindAny:
		return appendAny(b, *at[any](q), depth)
	case kindStruct:
		return appendStruct(b, pl.object, q, depth)
	case kindMap, kindAnyMap, kindRawMap:
		if *at[ptr](q) == nil {
			return append(b, "null"...), nil
		}
		b = append(b, '{')
		start := len(b)
		b, err := appendMap(b, pl, q, nil, depth)
		if err != nil {
			return b, err
		}
		return closeObject(b, start), nil
	case kindSlice, kindStrings, kindOneOrMany:
		s := at[slice](q)
		switch {
		case pl.kind != kindSlice:
			return appendStrings(b, *at[[]string](q), pl.kind == kindOneOrMany)
		case s.data == nil:
			return append(b, "null"...), nil
		}
		return appendElements(b, pl.elem, s.data, s.len, depth)
	case kindArray:
		return appendElements(b, pl.elem, q, pl.length, depth)
	case kindPointer:
		if *at[ptr](q) == nil {
			return append(b, "null"...), nil
		}
		return appendValue(b, pl.elem, *at[ptr](q), depth-1)
	case kindUnix:
		return appendDate(b, *at[time.Time](q))
	case kindQuoted:
		inner, err := appendValue(nil, pl.elem, q, depth)
		if err != nil {
			return b, err
		}
		return appendString(b, alias.String(inner))
	case kindDynamic:
		return appendAny(b, valueAt(pl.typ, q).Interface(), depth)
	default: // kindMethod, kindText
		return appendMethod(b, pl, q)
	}
}

// closeObject ends the object whose members begin at start, each with a comma before it.
func closeObject(b []byte, start int) []byte {
	if len(b) > start {
		b = slices.Delete(b, start, start+1)
	}
	return append(b, '}')
}

func appendStruct(b []byte, o *object, base ptr, depth int) ([]byte, error) {
	start := len(b)
	var err error
	for i := range o.fields {
		f := &o.fields[i]
		q := base
		if f.via != nil {
			if q = lead(q, f.via); q == nil {
				continue
			}
		}
		q = add(q, f.offset)
		// The usual kinds of fields, without the calls that all take.
		switch f.omit {
		case omitNever:
		case omitEmptyString:
			if *at[string](q) == "" {
				continue
			}
		case omitTime:
			if at[time.Time](q).IsZero() {
				continue
			}
		default:
			if f.omitted(q) {
				continue
			}
		}
		b = append(b, f.label...)
		switch f.kind {
		case kindString:
			b, err = appendString(b, *at[string](q))
		case kindUnix:
			b, err = appendDate(b, *at[time.Time](q))
		default:
			b, err = appendValue(b, f.plan, q, depth-1)
		}
		if err != nil {
			return b, err
		}
	}
	if o.rest != nil {
		q := base
		if o.rest.via != nil {
			q = lead(q, o.rest.via)
		}
		if q != nil {
			if b, err = appendMap(b, o.rest.plan, add(q, o.rest.offset), o, depth); err != nil {
				return b, err
			}
		}
	}
	if len(b) == start {
		return append(b, "{}"...), nil
	}
	b[start] = '{' // in place of the first comma
	return append(b, '}'), nil
}

// lead goes through embedded pointers; one that is nil has no members to write.
func lead(q ptr, via []step) ptr {
	for _, s := range via {
		if q = *at[ptr](add(q, s.offset)); q == nil {
			return nil
		}
	}
	return q
}

func (f *field) omitted(q ptr) bool {
	switch f.omit {
	case omitFalse:
		return !*at[bool](q)
	case omitEmptySlice:
		return at[slice](q).len == 0
	case omitNil:
		return *at[ptr](q) == nil
	case omitEmptyMap:
		return valueAt(f.plan.typ, q).Len() == 0
	case omitMethod:
		v := valueAt(f.plan.typ, q)
		if k := v.Kind(); (k == reflect.Pointer || k == reflect.Interface) && v.IsNil() {
			return true
		}
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok {
			return z.IsZero()
		}
		return v.Addr().Interface().(interface{ IsZero() bool }).IsZero()
	case omitAlways:
		return true
	default: // omitZero
		return valueAt(f.plan.typ, q).IsZero()
	}
}

func appendElements(b []byte, pl *plan, q ptr, n, depth int) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, pl, add(q, uintptr(i)*pl.size), depth-1); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

func appendStrings(b []byte, list []string, oneOrMany bool) ([]byte, error) {
	if oneOrMany && len(list) == 1 {
		return appendString(b, list[0])
	}
	if list == nil && !oneOrMany { // which null is not
		return append(b, "null"...), nil
	}
	b = append(b, '[')
	var err error
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, s); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// appendMap writes the members of the map at q, sorted, each with a comma before it.
// None may have the name of a field of o.
func appendMap(b []byte, pl *plan, q ptr, o *object, depth int) ([]byte, error) {
	var room [16]string
	names := room[:0]
	var m reflect.Value
	switch pl.kind {
	case kindAnyMap:
		for name := range *at[map[string]any](q) {
			names = append(names, name)
		}
	case kindRawMap:
		for name := range *at[map[string]json.RawMessage](q) {
			names = append(names, name)
		}
	default:
		m = valueAt(pl.typ, q)
		for it := m.MapRange(); it.Next(); {
			names = append(names, it.Key().String())
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if o != nil && len(o.fields) > 0 && o.find(alias.Bytes(name)) >= 0 {
			return b, errDuplicate.With("a field and an entry of the inline map")
		}
		b = append(b, ',')
		var err error
		if b, err = appendString(b, name); err != nil {
			return b, err
		}
		b = append(b, ':')
		switch pl.kind {
		case kindAnyMap:
			b, err = appendAny(b, (*at[map[string]any](q))[name], depth-1)
		case kindRawMap:
			b, err = appendRaw(b, (*at[map[string]json.RawMessage](q))[name])
		default:
			v := reflect.New(pl.elem.typ)
			v.Elem().Set(m.MapIndex(reflect.ValueOf(name).Convert(pl.typ.Key())))
			b, err = appendValue(b, pl.elem, v.UnsafePointer(), depth-1)
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// appendAny writes a value whose type shows only now: the usual ones at once, others by
// their plan.
func appendAny(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v, 64)
	case json.Number:
		return appendNumber(b, string(v))
	}
	pl, err := cachedPlan(reflect.TypeOf(v), writing)
	if err != nil {
		return b, err
	}
	q := reflect.New(pl.typ)
	q.Elem().Set(reflect.ValueOf(v))
	return appendValue(b, pl, q.UnsafePointer(), depth-1)
}

func appendFloat(b []byte, f float64, size int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, errNumber.With("not a number, or infinite")
	}
	format := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, size), nil
}

func appendNumber(b []byte, s string) ([]byte, error) {
	if s == "" {
		s = "0" // as encoding/json: the zero json.Number
	}
	p := parser{data: alias.Bytes(s), number: len(s)}
	if j, _ := p.num(0); j != len(s) {
		return b, errNumber.With("a json.Number that is none")
	}
	return append(b, s...), nil
}

// unlimited is for JSON that this program itself holds.
var unlimited = Limits{Bytes: math.MaxInt, Depth: maxDepth, Members: math.MaxInt, Number: math.MaxInt, Name: math.MaxInt}

// appendRaw writes JSON that somebody else made, once it is checked.
func appendRaw(b, raw []byte) ([]byte, error) {
	if raw == nil {
		return append(b, "null"...), nil
	}
	if err := Valid(raw, unlimited); err != nil {
		return b, err
	}
	return appendCompact(b, raw), nil
}

// appendCompact writes valid JSON without the white space between its tokens.
func appendCompact(b, raw []byte) []byte {
	p := parser{data: raw}
	from := 0
	for i := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			i, _ = p.str(i + 1)
			i++
		case ' ', '\t', '\n', '\r':
			b = append(b, raw[from:i]...)
			i = p.space(i)
			from = i
		default:
			i++
		}
	}
	return append(b, raw[from:]...)
}

// appendMethod asks the type itself. Its errors come back as they are: they are about
// a value of the caller's.
func appendMethod(b []byte, pl *plan, q ptr) ([]byte, error) {
	v := reflect.NewAt(pl.typ, q).Interface()
	if pl.kind == kindText {
		text, err := v.(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return b, err
		}
		return appendString(b, alias.String(text))
	}
	raw, err := v.(json.Marshaler).MarshalJSON()
	if err != nil {
		return b, err
	}
	if err := Valid(raw, unlimited); err != nil {
		return b, err
	}
	return appendCompact(b, raw), nil
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string, or refuses it where it is not UTF-8. What needs no
// escape is copied while it is looked at.
func appendString(b []byte, s string) ([]byte, error) {
	d := alias.Bytes(s)
	n := len(b) + 1
	b = slices.Grow(b, len(d)+2)[:n+len(d)+1]
	b[n-1] = '"'
	out := b[n:]
	if last := len(d) - 8; last >= 0 {
		for i := 0; ; i = min(i+8, last) { // the last eight may have been copied in part before
			w := load(d, i)
			if special(w) != 0 {
				return appendEscaped(b[:n], d)
			}
			binary.LittleEndian.PutUint64(out[i:i+8], w)
			if i == last {
				break
			}
		}
	} else {
		for i, c := range d {
			if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
				return appendEscaped(b[:n], d)
			}
			out[i] = c
		}
	}
	out[len(d)] = '"'
	return b, nil
}

// appendEscaped writes the content of a string and the quote that ends it.
func appendEscaped(b, d []byte) ([]byte, error) {
	from, i := 0, 0
	for i < len(d) {
		if i+8 <= len(d) {
			m := special(load(d, i))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) >> 3
		}
		c := d[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(d[i:])
			if r == utf8.RuneError && n == 1 {
				return b, errUTF8
			}
			i += n
			continue
		case c >= ' ' && c != '"' && c != '\\':
			i++
			continue
		}
		b = append(b, d[from:i]...)
		i++
		from = i
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, d[from:]...)
	return append(b, '"'), nil
}
