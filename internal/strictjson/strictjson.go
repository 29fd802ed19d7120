// Package strictjson reads and writes the JSON of tokens, keys and headers.
//
// A [Decoder] reads one document in one pass, straight into a Go value, by a plan
// made once per type; an [Encoder] writes by such a plan. [Unmarshal] is for values
// whose type is known only at run time, [Object] hands out the members of an object,
// [Scan] finds one string, [Valid] only checks.
//
// All readers enforce the same rules. The document is one JSON value of RFC 8259
// with nothing behind it, in UTF-8 without a byte order mark. A member name that
// occurs twice in an object, after escapes are undone, is refused at any depth, in
// skipped values too; so is a lone surrogate. [Limits] bound size, depth and count.
// Noncharacters, which RFC 7493 forbids as well, pass.
//
// Types decode as in encoding/json with these differences:
//   - Member names match exactly; case is never folded.
//   - null is refused unless the type has a nil: pointers, maps, slices, interfaces. A field with
//     the tag null:"absent" takes null for a member that is absent.
//   - A number in an any is a [json.Number]; one that a numeric type cannot hold
//     exactly is refused, save that floats round fractions. 1.0 and 1E3 are integers.
//   - A field with the option inline merges the members of its struct into those of
//     its parent. An inline map takes every member that no field takes. Two inlined
//     structs, or one and its parent, that take the same member are a [*ConflictError].
//   - A [time.Time] with the option format:unix is a NumericDate of RFC 7519, Section 2;
//     digits below the nanosecond are dropped. A []string with the option
//     format:oneormany stands as a plain string where it has one element, as `aud` does.
//   - Array elements and pointers are made anew, never merged into what was there.
//
// Beyond what the document itself takes, reading allocates at most 1 MiB and 20 bytes
// for each byte, whatever the limits. What would need more is refused with [ErrLimit]:
// thousands of objects of a few bytes each that become Go maps, of which one with one
// entry takes some 300 bytes. Raw values or structs take less.
//
// Strings without escapes, names and raw values share the memory of the document:
// whoever decodes gives it up. On an error the target holds an unspecified part.
package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"

	"github.com/jotsuite/jot/internal/fault"
)

var (
	errSyntax    = fault.New("json.syntax", "RFC 8259, Section 2", "not JSON")
	errDuplicate = fault.New("json.duplicate", "RFC 7515, Section 4", "a member name occurs twice")
	errUTF8      = fault.New("json.utf8", "RFC 8259, Section 8.1", "not UTF-8")
	errSurrogate = fault.New("json.surrogate", "RFC 7493, Section 2.1", "a lone surrogate")
	errTrailing  = fault.New("json.trailing", "RFC 8259, Section 2", "data behind the JSON value")
	errDepth     = fault.New("json.depth", "RFC 8259, Section 9", "nested too deeply")
	errLimit     = fault.New("json.limit", "RFC 8259, Section 9", "a limit is exceeded")
	errType      = fault.New("json.type", "RFC 8259, Section 3", "a value of another type is due")
	errNumber    = fault.New("json.number", "RFC 8259, Section 6", "a number that cannot be held exactly")
)

// The refusals, for errors.Is.
var (
	ErrSyntax    error = errSyntax    // outside the grammar
	ErrDuplicate error = errDuplicate // one name twice in an object
	ErrUTF8      error = errUTF8      // bytes that are not UTF-8, in either direction
	ErrSurrogate error = errSurrogate // an escape that is half a character
	ErrTrailing  error = errTrailing  // anything but white space behind the value
	ErrDepth     error = errDepth     // more nesting than Limits.Depth
	ErrLimit     error = errLimit     // another of the Limits
	ErrType      error = errType      // JSON of the wrong type for the Go type
	ErrNumber    error = errNumber    // overflow, or digits that would be lost
)

// Error is a refusal of a document. It never holds anything of the data.
type Error struct {
	Offset int    // where in the document, in bytes
	Member string // the outermost struct field's name that was being decoded, or ""

	rule  *fault.Error
	cause error // of a type's own UnmarshalJSON or UnmarshalText
}

// Error returns the rule that is broken, and where. A cause is not printed: it may quote the data.
func (e *Error) Error() string {
	s := e.rule.Error() + " at byte " + strconv.Itoa(e.Offset)
	if e.Member != "" {
		s += " in " + strconv.Quote(e.Member)
	}
	return s
}

// Code returns the stable code: of the cause, where it has one, else of the rule.
func (e *Error) Code() string {
	if c := fault.CodeOf(e.cause); c != "" {
		return c
	}
	return e.rule.Code()
}

// Spec returns the clause that is enforced.
func (e *Error) Spec() string {
	if c, ok := errors.AsType[*fault.Error](e.cause); ok {
		return c.Spec()
	}
	return e.rule.Spec()
}

// Unwrap returns the cause, if there is one, and the sentinel.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.cause, e.rule}
	}
	return []error{e.rule}
}

// ConflictError says that two merged structs of a type take the same member.
// [NewDecoder] and [NewEncoder] return it.
type ConflictError struct{ Name string }

func (e *ConflictError) Error() string {
	return "strictjson: two fields of one object are named " + strconv.Quote(e.Name)
}

// Limits bounds what a document may cost. A zero field means its default.
type Limits struct {
	Bytes   int // length of the document; default 1 MiB
	Depth   int // nesting of objects and arrays; default 32, at most 10,000
	Members int // members of all objects and elements of all arrays together; default 4000
	Number  int // characters of a number; default 64
	Name    int // bytes of a member name as it is written; default 1024
}

const (
	defaultBytes   = 1 << 20
	defaultDepth   = 32
	defaultMembers = 4000
	defaultNumber  = 64
	defaultName    = 1024

	// A document may cost so much memory, and so much more for each of its bytes. What
	// exceeds that are long lists of tiny objects that become maps or large structs.
	freeMemory    = 1 << 20
	memoryPerByte = 18

	// maxDepth keeps the stack small whatever a caller asks for: readers recurse.
	maxDepth = 10_000
)

// Valid checks a whole document against every rule of this package.
func Valid(data []byte, l Limits) error {
	var p parser
	if i := p.begin(data, &l); i >= 0 {
		p.end(p.skip(i))
	}
	return p.result()
}

// Decoder decodes documents into T by a plan made once. It is immutable and safe
// for concurrent use.
type Decoder[T any] struct{ plan *plan }

// NewDecoder makes the plan for T. It refuses a type that has no JSON, and inlined
// structs that collide (see [ConflictError]).
func NewDecoder[T any]() (*Decoder[T], error) {
	p, err := newPlan(reflect.TypeFor[T](), reading)
	if err != nil {
		return nil, err
	}
	return &Decoder[T]{p}, nil
}

// Decode reads data into v, and afterwards data belongs to v. Fields whose member is
// absent stay as they are.
func (d *Decoder[T]) Decode(data []byte, v *T, l Limits) error {
	return d.DecodeWith(nil, data, v, &l)
}

// DecodeWith is Decode for a caller who has room for the first strings of lists, such as
// a part of v, so that they need no memory of their own.
func (d *Decoder[T]) DecodeWith(room []string, data []byte, v *T, l *Limits) error {
	p := parser{spare: room[:0]}
	if i := p.begin(data, l); i >= 0 {
		p.end(p.value(i, d.plan, pointer(v)))
	}
	return p.result()
}

// Names returns the member names that fields of T take, in the order of the fields.
func (d *Decoder[T]) Names() []string { return d.plan.names() }

// Unmarshal is [Decoder.Decode] for a non-nil pointer of any type.
func Unmarshal(data []byte, v any, l Limits) error {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Pointer || r.IsNil() {
		return &json.InvalidUnmarshalError{Type: reflect.TypeOf(v)}
	}
	pl, err := cachedPlan(r.Type().Elem(), reading)
	if err != nil {
		return err
	}
	var p parser
	if i := p.begin(data, &l); i >= 0 {
		p.end(p.value(i, pl, r.UnsafePointer()))
	}
	return p.result()
}

// Object calls f for each member of the object that data is, in their order, with its
// name and the value as it is written; both share data's memory. Each value is checked
// before f sees it. An error of f ends the reading and is returned as it is. What
// follows the last call may still be refused: act on the members after Object returns.
func Object(data []byte, l Limits, f func(name string, raw []byte) error) error {
	var p parser
	i := p.begin(data, &l)
	if i < 0 {
		return p.err
	}
	var failed error
	p.end(p.object(i, func(name string, i int) int {
		j := p.skip(i)
		if j >= 0 {
			if failed = f(name, data[i:j:j]); failed != nil {
				return -1
			}
		}
		return j
	}))
	if failed != nil {
		return failed
	}
	return p.result()
}

// Scan returns the string that the top-level member called name is, and whether there
// is one. It checks the whole document at the default [Limits]. A member of that name
// that is no string is [ErrType].
func Scan(data []byte, name string) (string, bool, error) {
	var p parser
	var found string
	var ok bool
	if i := p.begin(data, &Limits{}); i >= 0 {
		p.end(p.object(i, func(n string, i int) int {
			if n != name {
				return p.skip(i)
			}
			ok = true
			return p.text(i, &found)
		}))
	}
	if p.err != nil {
		return "", false, p.result()
	}
	return found, ok, nil
}
