// Package strictjson reads and writes the JSON of tokens, keys and headers.
package strictjson

import "github.com/jotsuite/jot/internal/fault"

// The refusals. Each error derived from one carries the byte offset, never the data.
var (
	ErrSyntax    error = fault.New("json.syntax", "RFC 8259, Section 2", "not JSON")
	ErrDuplicate error = fault.New("json.duplicate", "RFC 7515, Section 4", "a member name occurs twice")
	ErrUTF8      error = fault.New("json.utf8", "RFC 8259, Section 8.1", "not UTF-8")
	ErrSurrogate error = fault.New("json.surrogate", "RFC 7493, Section 2.1", "a lone surrogate")
	ErrTrailing  error = fault.New("json.trailing", "RFC 8259, Section 2", "data after the JSON value")
	ErrDepth     error = fault.New("json.depth", "RFC 8259, Section 9", "nested too deeply")
	ErrLimit     error = fault.New("json.limit", "RFC 8259, Section 9", "a limit is exceeded")
	ErrType      error = fault.New("json.type", "RFC 8259, Section 3", "a value of another type is due")
	ErrNumber    error = fault.New("json.number", "RFC 8259, Section 6", "a number that cannot be represented exactly")
)

// Limits bounds what a document may cost. A zero field means its default.
type Limits struct {
	Bytes   int // longest document; default 1 MiB
	Depth   int // deepest nesting of objects and arrays; default 32, never above 10,000
	Members int // most object members and array elements in all; default 4000
	Number  int // longest number in characters; default 64
	Name    int // longest member name in bytes as written; default 1024
}

// ConflictError says that two merged structs of a type take the same member. NewDecoder and NewEncoder return it.
type ConflictError struct{ Name string }

func (e *ConflictError) Error() string { return "strictjson: two fields take one member: " + e.Name }

func Valid(data []byte, l Limits) error            { panic("skeleton") }
func Unmarshal(data []byte, v any, l Limits) error { panic("skeleton") }

// Object calls f for each member of the object that data holds, in order.
func Object(data []byte, l Limits, f func(name string, raw []byte) error) error { panic("skeleton") }

// Scan returns the top-level string member called name.
func Scan(data []byte, name string) (string, bool, error) { panic("skeleton") }

// Decoder decodes into T by a plan computed once.
type Decoder[T any] struct{ _ [0]T }

func NewDecoder[T any]() (*Decoder[T], error)                  { panic("skeleton") }
func (d *Decoder[T]) Decode(data []byte, v *T, l Limits) error { panic("skeleton") }

// Names returns the member names that fields of T take.
func (d *Decoder[T]) Names() []string { panic("skeleton") }

// Encoder encodes T by a plan computed once. Tags: name, omitempty, omitzero, string, inline, "-",
// format:unix (time.Time as NumericDate), format:oneormany ([]string as one string where it has one element, both ways).
type Encoder[T any] struct{ _ [0]T }

func NewEncoder[T any]() (*Encoder[T], error)                 { panic("skeleton") }
func (e *Encoder[T]) Append(dst []byte, v *T) ([]byte, error) { panic("skeleton") }

// Names returns the member names that fields of T write.
func (e *Encoder[T]) Names() []string { panic("skeleton") }
