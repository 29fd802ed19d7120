// Package b64url is base64url without padding, canonical only (RFC 7515, Section 2).
package b64url

import "github.com/jotsuite/jot/internal/fault"

// ErrEncoding is every refusal of this package.
var ErrEncoding error = fault.New("token.encoding", "RFC 7515, Section 2", "not canonical base64url")

func EncodedLen(n int) int                                { panic("skeleton") }
func DecodedLen(n int) (int, error)                       { panic("skeleton") }
func AppendEncode(dst, src []byte) []byte                 { panic("skeleton") }
func AppendDecode(dst []byte, src []byte) ([]byte, error) { panic("skeleton") }
func DecodeString(s string) ([]byte, error)               { panic("skeleton") }
func EncodeToString(b []byte) string                      { panic("skeleton") }
