// Package alias views bytes as a string and a string as bytes without a copy.
// It and strictjson are the only packages that import unsafe.
package alias

import "unsafe"

// String returns a string that shares b's memory: b must not change afterwards.
func String(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Bytes returns a slice that shares s's memory: it must only be read.
func Bytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
