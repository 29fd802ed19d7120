package strictjson

import (
	"reflect"
	"unsafe"
)

// This file is the package's only use of unsafe. A plan knows the type and the offset
// of each field from reflect, so a field is reached by address, without the cost of a
// reflect.Value per member. The rules that keep it sound:
//   - A ptr is only ever made from a *T of the plan's own type, from an allocation of
//     reflect, or by add with an offset that reflect gave for that type.
//   - at[T] is used only where the plan has seen that the value's type is T, or a type
//     whose underlying type is T.
//   - No ptr is kept beyond the call, nor turned into a uintptr.

// ptr is the address of a Go value whose type a plan knows.
type ptr = unsafe.Pointer

func pointer[T any](v *T) ptr { return ptr(v) }

// at views the value at p as a T.
func at[T any](p ptr) *T { return (*T)(p) }

// add returns the address of what lies n bytes into the value at p.
func add(p ptr, n uintptr) ptr { return unsafe.Add(p, n) }

// valueAt is the value of type t at p, for what is not worth a case of its own.
func valueAt(t reflect.Type, p ptr) reflect.Value { return reflect.NewAt(t, p).Elem() }

// slice is the layout of any slice: reflect's SliceHeader with a pointer that the
// garbage collector sees.
type slice struct {
	data ptr
	len  int
	_    int // the capacity
}
