//go:build !purego

package b64url

// avx2 is whether processor and system have it, as most have since 2013.
var avx2 = hasAVX2()

func hasAVX2() bool

// decodeQuads decodes n >= 8 times four characters, and reports whether all are of the alphabet.
//
//go:noescape
func decodeQuads(dst, src *byte, n int) bool

// encodeTriples encodes n >= 8 times three bytes.
//
//go:noescape
func encodeTriples(dst, src *byte, n int)

// decodeMost decodes all whole quads, or fewer, and returns what is left.
func decodeMost(out, in []byte) (_, _ []byte, ok bool) {
	n := len(in) / 4
	if n < 8 || !avx2 {
		return decodeWords(out, in, &decoding)
	}
	_ = out[3*n-1]
	if !decodeQuads(&out[0], &in[0], n) {
		return nil, nil, false
	}
	return out[3*n:], in[4*n:], true
}

// encodeMost encodes all whole triples, or fewer, and returns what is left.
func encodeMost(out, in []byte) (_, _ []byte) {
	n := len(in) / 3
	if n < 8 || !avx2 {
		return encodeWords(out, in, &encoding)
	}
	_ = out[4*n-1]
	encodeTriples(&out[0], &in[0], n)
	return out[4*n:], in[3*n:]
}
