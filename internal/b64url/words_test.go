package b64url

import (
	"bytes"
	"testing"
)

// The way without assembly, which other processors take, agrees with the one taken here: on the
// bytes, on the text, and on what is no text, as far as it goes.
func TestWords(t *testing.T) {
	for n := range 60 {
		plain := make([]byte, n)
		for i := range plain {
			plain[i] = byte(i*37 + n)
		}
		text := AppendEncode(nil, plain)

		out := make([]byte, len(text))
		left, rest := encodeWords(out, plain, &encoding)
		if did := len(out) - len(left); !bytes.Equal(out[:did], text[:did]) || (n-len(rest))/3*4 != did || n > 14 && did == 0 {
			t.Fatalf("encodeWords of %d bytes = %q and %d bytes left, want %q", n, out[:did], len(rest), text)
		}

		out = make([]byte, n)
		left, in, ok := decodeWords(out, text, &decoding)
		did := len(out) - len(left)
		if !ok || !bytes.Equal(out[:did], plain[:did]) || (len(text)-len(in))/4*3 != did || n > 14 && did == 0 {
			t.Fatalf("decodeWords(%q) = %x, %d characters left, %v, want %x", text, out[:did], len(in), ok, plain)
		}
		for i := range len(text) - len(in) {
			for _, c := range []byte("=+/.\n\x00\x80\xff") {
				spoilt := bytes.Clone(text)
				spoilt[i] = c
				if _, _, ok := decodeWords(out, spoilt, &decoding); ok {
					t.Fatalf("decodeWords accepts %q", spoilt)
				}
			}
		}
	}
}
