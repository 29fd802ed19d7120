package strictjson

import (
	"encoding"
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/alias"
)

type kind uint8

const (
	kindBool kind = iota
	kindInt
	kindUint
	kindFloat
	kindString
	kindNumber    // json.Number
	kindRaw       // json.RawMessage
	kindBytes     // []byte, in standard base64
	kindAny       // any
	kindDynamic   // an interface with methods; written only
	kindStruct    //
	kindMap       // map[K]V where K is a string
	kindAnyMap    // map[string]any
	kindRawMap    // map[string]json.RawMessage
	kindSlice     //
	kindStrings   // []string
	kindArray     //
	kindPointer   //
	kindUnix      // time.Time as a NumericDate
	kindOneOrMany // []string that may be one string
	kindQuoted    // the option string: a scalar within a string
	kindNullable  // the tag null:"absent": null leaves it as it is
	kindMethod    // MarshalJSON, UnmarshalJSON
	kindText      // MarshalText, UnmarshalText
)

// direction says which methods of a type count.
type direction bool

const (
	reading direction = false
	writing direction = true
)

// plan is how a type is read, or how it is written. It never changes once it is made.
type plan struct {
	kind    kind
	typ     reflect.Type
	size    uintptr // of typ; in bytes
	elem    *plan   // of maps, slices, arrays, pointers, quoted scalars
	length  int     // of arrays
	*object         // of structs
}

// object is the part of a plan that only structs have.
type object struct {
	fields []field
	ahead  []field // fields, and two that no document has
	rest   *field  // the inline map
	words  int     // 64 fields are a word of the set that knows which were read

	// A perfect hash of the names: where it finds no such hash, index is nil and byName is used.
	index  []uint16 // 1 + position in fields
	factor uint64
	shift  uint8
	byName map[string]int
}

type field struct {
	name   string
	plan   *plan
	kind   kind // of plan
	offset uintptr
	via    []step // pointers on the way there, outermost first

	// The name as it is expected in a document, from its first quote to the colon: its first
	// and its last eight bytes, and its length.
	word, mask, last uint64
	width            int

	label string // `,"name":`
	omit  omission
}

// step leads through the embedded pointer at offset to a struct.
type step struct {
	offset uintptr
	typ    reflect.Type
}

// omission says when a field is not written.
type omission uint8

const (
	omitNever omission = iota
	omitFalse
	omitZero // by reflect
	omitEmptyString
	omitEmptySlice
	omitEmptyMap
	omitNil // a pointer, interface, map or slice
	omitTime
	omitMethod // IsZero
	omitAlways // an array of length 0
)

var (
	typeTime      = reflect.TypeFor[time.Time]()
	typeNumber    = reflect.TypeFor[json.Number]()
	typeRaw       = reflect.TypeFor[json.RawMessage]()
	typeAny       = reflect.TypeFor[any]()
	typeAnyMap    = reflect.TypeFor[map[string]any]()
	typeRawMap    = reflect.TypeFor[map[string]json.RawMessage]()
	typeStrings   = reflect.TypeFor[[]string]()
	typeMarshal   = reflect.TypeFor[json.Marshaler]()
	typeUnmarshal = reflect.TypeFor[json.Unmarshaler]()
	typeToText    = reflect.TypeFor[encoding.TextMarshaler]()
	typeFromText  = reflect.TypeFor[encoding.TextUnmarshaler]()
	typeIsZero    = reflect.TypeFor[interface{ IsZero() bool }]()
)

// plans keeps the plans of types that are known only at run time. A program has a
// fixed set of types, so it is bounded by the program.
var plans [2]sync.Map // of reflect.Type to *plan

func cachedPlan(t reflect.Type, d direction) (*plan, error) {
	cache := &plans[0]
	if d == writing {
		cache = &plans[1]
	}
	if p, ok := cache.Load(t); ok {
		return p.(*plan), nil
	}
	p, err := newPlan(t, d)
	if err != nil {
		return nil, err
	}
	cache.Store(t, p)
	return p, nil
}

func newPlan(t reflect.Type, d direction) (*plan, error) {
	return (&planner{d: d, known: map[reflect.Type]*plan{}}).plan(t)
}

// planner makes the plan of one type and of all that it holds.
type planner struct {
	d     direction
	known map[reflect.Type]*plan
}

func (b *planner) unsupported(t reflect.Type, why string) error {
	return errors.New("strictjson: " + t.String() + " " + why)
}

func (b *planner) plan(t reflect.Type) (*plan, error) {
	if p, ok := b.known[t]; ok {
		return p, nil
	}
	p := &plan{typ: t, size: t.Size()}
	b.known[t] = p // before its elements: types may be recursive
	var err error
	p.kind, err = b.kind(t) // kindBool, which holds nothing, beside an error
	switch p.kind {
	case kindStruct:
		p.object, err = b.object(t)
	case kindMap, kindSlice, kindPointer, kindAnyMap, kindRawMap:
		p.elem, err = b.plan(t.Elem())
	case kindArray:
		p.length = t.Len()
		p.elem, err = b.plan(t.Elem())
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (b *planner) methods() (asJSON, asText reflect.Type) {
	if b.d == writing {
		return typeMarshal, typeToText
	}
	return typeUnmarshal, typeFromText
}

func (b *planner) hasMethods(t reflect.Type) bool {
	asJSON, asText := b.methods()
	return reflect.PointerTo(t).Implements(asJSON) || reflect.PointerTo(t).Implements(asText)
}

func (b *planner) kind(t reflect.Type) (kind, error) {
	switch t {
	case typeNumber:
		return kindNumber, nil
	case typeRaw:
		return kindRaw, nil
	case typeAny:
		return kindAny, nil
	case typeAnyMap:
		return kindAnyMap, nil
	case typeRawMap:
		return kindRawMap, nil
	case typeStrings:
		return kindStrings, nil
	}
	asJSON, asText := b.methods()
	// A nil pointer has no methods to call, so pointers are followed first.
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		if reflect.PointerTo(t).Implements(asJSON) {
			return kindMethod, nil
		}
		if reflect.PointerTo(t).Implements(asText) {
			return kindText, nil
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return kindBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return kindInt, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return kindUint, nil
	case reflect.Float32, reflect.Float64:
		return kindFloat, nil
	case reflect.String:
		return kindString, nil
	case reflect.Struct:
		return kindStruct, nil
	case reflect.Map:
		if t.Key().Kind() != reflect.String || t.Key().Implements(typeToText) || reflect.PointerTo(t.Key()).Implements(typeFromText) {
			return 0, b.unsupported(t, "has keys that are not plain strings")
		}
		return kindMap, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return kindBytes, nil
		}
		return kindSlice, nil
	case reflect.Array:
		return kindArray, nil
	case reflect.Pointer:
		return kindPointer, nil
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return kindAny, nil
		}
		if b.d == writing {
			return kindDynamic, nil
		}
	}
	return 0, b.unsupported(t, "has no JSON")
}

// candidate is a field that may end up in an object, before the rules of embedding.
type candidate struct {
	field
	depth  int
	tagged bool
}

func (b *planner) object(t reflect.Type) (*object, error) {
	o := &object{}
	found, err := b.collect(t, 0, 0, nil, nil, o)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if dominant(found, i) {
			o.fields = append(o.fields, found[i].field)
		}
	}
	for i := range o.fields {
		o.fields[i].prepare()
	}
	never := field{width: math.MaxInt}
	o.ahead = append(slices.Clip(o.fields), never, never)
	o.words = (len(o.fields) + 63) / 64
	o.hashNames()
	return o, nil
}

// dominant applies the rules of Go for embedded structs, as encoding/json has them:
// the shallowest field of a name counts; of several the one with a tag; else none.
func dominant(all []candidate, i int) bool {
	c := &all[i]
	for k := range all {
		o := &all[k]
		if k == i || o.name != c.name {
			continue
		}
		if o.depth < c.depth || o.depth == c.depth && (o.tagged || !c.tagged) {
			return false
		}
	}
	return true
}

// collect lists the fields of the struct t, which lies at offset behind the pointers
// of via. It goes into embedded structs; inlined ones come with their rules applied.
func (b *planner) collect(t reflect.Type, depth int, offset uintptr, via []step, outer []reflect.Type, o *object) ([]candidate, error) {
	outer = append(slices.Clip(outer), t)
	var all []candidate
	var inlined []string
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, hasTag := sf.Tag.Lookup("json")
		if tag == "-" {
			continue
		}
		name, options, err := parseTag(tag)
		if err != nil {
			return nil, b.unsupported(t, "field "+sf.Name+": "+err.Error())
		}
		options.nullable = sf.Tag.Get("null") == "absent"
		inner := sf.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case sf.IsExported():
		case options.inline && !sf.Anonymous, sf.Anonymous && sf.Type.Kind() == reflect.Pointer && inner.Kind() == reflect.Struct:
			return nil, b.unsupported(t, "cannot merge "+sf.Name+", which is not exported")
		case !sf.Anonymous || inner.Kind() != reflect.Struct:
			continue
		}
		if options.inline && inner.Kind() == reflect.Map && sf.Type.Kind() == reflect.Map {
			p, err := b.plan(sf.Type)
			if err != nil {
				return nil, err
			}
			if p.kind != kindMap && p.kind != kindAnyMap && p.kind != kindRawMap {
				return nil, b.unsupported(sf.Type, "has methods and cannot be inlined")
			}
			if o.rest != nil {
				return nil, b.unsupported(t, "has two inline maps")
			}
			o.rest = &field{plan: p, offset: offset + sf.Offset, via: via}
			continue
		}
		if options.inline || sf.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			if options.inline && (inner.Kind() != reflect.Struct || b.hasMethods(inner)) {
				return nil, b.unsupported(sf.Type, "cannot be inlined")
			}
			if slices.Contains(outer, inner) {
				if options.inline {
					return nil, b.unsupported(t, "holds itself")
				}
				continue // what embeds itself adds nothing
			}
			at, path := offset+sf.Offset, via
			if sf.Type.Kind() == reflect.Pointer {
				at, path = 0, append(slices.Clip(via), step{offset + sf.Offset, inner})
			}
			more, err := b.collect(inner, depth+1, at, path, outer, o)
			if err != nil {
				return nil, err
			}
			if options.inline {
				for k := range more {
					if dominant(more, k) {
						c := more[k]
						c.depth, c.tagged = depth, true
						all = append(all, c)
						inlined = append(inlined, c.name)
					}
				}
			} else {
				all = append(all, more...)
			}
			continue
		}
		if name == "" {
			name = sf.Name
		}
		p, err := b.option(sf.Type, options)
		if err != nil {
			return nil, err
		}
		all = append(all, candidate{
			field: field{name: name, plan: p, offset: offset + sf.Offset, via: via, omit: omissionOf(sf.Type, options)},
			depth: depth, tagged: hasTag && strings.SplitN(tag, ",", 2)[0] != "",
		})
	}
	for _, name := range inlined {
		n := 0
		for k := range all {
			if all[k].name == name {
				n++
			}
		}
		if n > 1 {
			return nil, &ConflictError{Name: name}
		}
	}
	return all, nil
}

type options struct {
	omitempty, omitzero, quoted, inline, nullable, unix, oneOrMany bool
}

func parseTag(tag string) (name string, o options, err error) {
	name, rest, more := strings.Cut(tag, ",")
	for more {
		var opt string
		opt, rest, more = strings.Cut(rest, ",")
		switch opt {
		case "omitempty":
			o.omitempty = true
		case "omitzero":
			o.omitzero = true
		case "string":
			o.quoted = true
		case "inline":
			o.inline = true
		case "format:unix":
			o.unix = true
		case "format:oneormany":
			o.oneOrMany = true
		case "":
		default:
			return "", o, errors.New("unknown option " + strconv.Quote(opt))
		}
	}
	if o.inline && name != "" {
		return "", o, errors.New("is inlined and named")
	}
	if _, err := appendString(nil, name); err != nil {
		return "", o, errors.New("has a name that is not UTF-8")
	}
	return name, o, nil
}

// option is plan, changed as the options of a field ask.
func (b *planner) option(t reflect.Type, o options) (*plan, error) {
	p, err := b.format(t, o)
	if err != nil || !o.nullable || b.d == writing {
		return p, err
	}
	return &plan{kind: kindNullable, typ: t, size: t.Size(), elem: p}, nil
}

// format is plan, changed as the options ask that say how a value is written.
func (b *planner) format(t reflect.Type, o options) (*plan, error) {
	base := t
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		base = t.Elem()
	}
	var special *plan
	switch {
	case o.unix && base == typeTime:
		special = &plan{kind: kindUnix, typ: base, size: base.Size()}
	case o.oneOrMany && base.Kind() == reflect.Slice && base.Elem() == typeStrings.Elem():
		special = &plan{kind: kindOneOrMany, typ: base, size: base.Size()}
	case o.unix || o.oneOrMany:
		return nil, b.unsupported(t, "cannot have that format")
	case o.quoted:
		p, err := b.plan(base)
		if err != nil {
			return nil, err
		}
		switch p.kind {
		case kindBool, kindInt, kindUint, kindFloat, kindString, kindNumber:
			special = &plan{kind: kindQuoted, typ: base, size: base.Size(), elem: p}
		}
	}
	switch {
	case special == nil:
		return b.plan(t)
	case base != t:
		return &plan{kind: kindPointer, typ: t, size: t.Size(), elem: special}, nil
	}
	return special, nil
}

func omissionOf(t reflect.Type, o options) omission {
	k := t.Kind()
	switch {
	case o.omitzero && t == typeTime:
		return omitTime
	case o.omitzero && (t.Implements(typeIsZero) || k != reflect.Pointer && k != reflect.Interface && reflect.PointerTo(t).Implements(typeIsZero)):
		return omitMethod
	case !o.omitzero && !o.omitempty:
		return omitNever
	case k == reflect.String:
		return omitEmptyString
	case k == reflect.Bool:
		return omitFalse
	case k == reflect.Pointer, k == reflect.Interface:
		return omitNil
	case o.omitempty && k == reflect.Map: // omitempty takes what omitzero takes, and more
		return omitEmptyMap
	case o.omitempty && k == reflect.Slice:
		return omitEmptySlice
	case k == reflect.Map, k == reflect.Slice:
		return omitNil
	case o.omitempty && k == reflect.Array && t.Len() == 0:
		return omitAlways
	case !o.omitzero && (k == reflect.Array || k == reflect.Struct):
		return omitNever
	}
	return omitZero
}

// prepare computes what the name looks like in a document.
func (f *field) prepare() {
	f.kind = f.plan.kind
	label, _ := appendString([]byte{','}, f.name) // parseTag has seen that it is UTF-8
	f.label = string(append(label, ':'))
	text := alias.Bytes(f.label[1:])
	if f.width = len(text); f.width > 16 {
		f.width = math.MaxInt // as no document has it: it is looked up
		return
	}
	var word [8]byte
	n := copy(word[:], text)
	f.word = load(word[:], 0)
	f.mask = ^uint64(0) >> (64 - 8*n)
	if f.width > 8 {
		f.last = load(text, f.width-8)
	}
}

// key condenses a name into 64 bits; different names of one struct have different keys,
// but for oddities that share length, beginning and end.
func key(name []byte) uint64 {
	n := len(name)
	var first, last uint64
	switch {
	case n >= 8:
		first, last = load(name, 0), load(name, n-8)
	case n >= 4:
		first = uint64(name[0]) | uint64(name[1])<<8 | uint64(name[2])<<16 | uint64(name[3])<<24
		last = uint64(name[n-4]) | uint64(name[n-3])<<8 | uint64(name[n-2])<<16 | uint64(name[n-1])<<24
	case n > 0:
		first, last = uint64(name[0]), uint64(name[n/2])<<8|uint64(name[n-1])
	}
	return first ^ bits.RotateLeft64(last, 29) ^ uint64(n)<<56
}

// hashNames looks for a factor that spreads the keys of all names over a table without
// a collision.
func (o *object) hashNames() {
	if len(o.fields) == 0 {
		return
	}
	least := bits.Len(uint(2*len(o.fields) - 1))
	for width := least; width <= least+5 && width <= 16; width++ {
		factor := uint64(0x9e3779b97f4a7c15)
		for range 50 {
			if index := o.try(factor, width); index != nil {
				o.index, o.factor, o.shift = index, factor, uint8(64-width)
				return
			}
			factor = factor*6364136223846793005 + 1442695040888963407 | 1
		}
	}
	o.byName = make(map[string]int, len(o.fields))
	for i := range o.fields {
		o.byName[o.fields[i].name] = i
	}
}

func (o *object) try(factor uint64, width int) []uint16 {
	index := make([]uint16, 1<<width)
	for i := range o.fields {
		slot := &index[key(alias.Bytes(o.fields[i].name))*factor>>(64-width)]
		if *slot != 0 {
			return nil
		}
		*slot = uint16(i + 1)
	}
	return index
}

// find returns the position of the field called name, or -1.
func (o *object) find(name []byte) int {
	if o.index == nil {
		if i, ok := o.byName[string(name)]; ok {
			return i
		}
		return -1
	}
	i := int(o.index[key(name)*o.factor>>(o.shift&63)]) - 1
	if i >= 0 && o.fields[i].name != string(name) {
		return -1
	}
	return i
}

// names lists the members that the fields of a struct, or of the struct a pointer
// leads to, take or write.
func (p *plan) names() []string {
	for p.kind == kindPointer {
		p = p.elem
	}
	if p.object == nil {
		return nil
	}
	names := make([]string, len(p.fields))
	for i := range p.fields {
		names[i] = p.fields[i].name
	}
	return names
}
