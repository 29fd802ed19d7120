package b64url_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
)

// standard is the decoder that must agree on every text it and this package accept.
var standard = base64.RawURLEncoding.Strict()

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		s := b64url.EncodeToString(b)
		if want := standard.EncodeToString(b); s != want {
			t.Fatalf("EncodeToString of %d bytes = %q, want %q", n, s, want)
		}
		if len(s) != b64url.EncodedLen(n) {
			t.Errorf("EncodedLen(%d) = %d, want %d", n, b64url.EncodedLen(n), len(s))
		}
		if m, err := b64url.DecodedLen(len(s)); m != n || err != nil {
			t.Errorf("DecodedLen(%d) = %d, %v, want %d", len(s), m, err, n)
		}
		if got, err := b64url.DecodeString(s); err != nil || !bytes.Equal(got, b) {
			t.Errorf("DecodeString(%q) = %x, %v, want %x", s, got, err, b)
		}
	}
}

// RFC 7515, Appendix C, and Appendix A.1.1's header.
func TestVectors(t *testing.T) {
	for _, v := range []struct{ text, bytes string }{
		{"A-z_4ME", "\x03\xec\xff\xe0\xc1"},
		{"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"},
		{"", ""},
	} {
		if got, err := b64url.DecodeString(v.text); string(got) != v.bytes || err != nil {
			t.Errorf("DecodeString(%q) = %q, %v, want %q", v.text, got, err, v.bytes)
		}
		if got := b64url.EncodeToString([]byte(v.bytes)); got != v.text {
			t.Errorf("EncodeToString(%q) = %q, want %q", v.bytes, got, v.text)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, s := range map[string]string{
		"C1 trailing bits of two characters":   "AB",
		"C1 lowest trailing bit of two":        "AB"[:1] + "B",
		"C1 highest trailing bit of two":       "AI",
		"C1 trailing bits of three characters": "AAB",
		"C1 highest trailing bit of three":     "AAC",
		"C1 after whole groups":                "AAAAAAAAAAAAAAAAAB",
		"C2 padding of two":                    "AA==",
		"C2 padding of one":                    "AAA=",
		"C2 padding alone":                     "====",
		"C3 LF at the end":                     "AAA\n",
		"C3 LF that makes a group":             "AAAA\n",
		"C3 CR LF":                             "AA\r\n",
		"C3 LF inside":                         "AAAAAA\nAAAAAAAAA",
		"C3 space":                             " AAA",
		"C3 tab":                               "AA\tA",
		"C7 plus":                              "AA+A",
		"C7 slash":                             "AA/A",
		"C10 ideographic full stop":            "AAA。AA",
		"C11 percent":                          "AA%3D",
		"NUL":                                  "AAA\x00",
		"dot":                                  "AA.A",
		"high byte":                            "AAA\xff",
		"length 1":                             "A",
		"length 5":                             "AAAAA",
		"length 9":                             "AAAAAAAAA",
	} {
		got, err := b64url.DecodeString(s)
		if !errors.Is(err, b64url.ErrEncoding) || fault.CodeOf(err) != "token.encoding" || got != nil {
			t.Errorf("%s: DecodeString(%q) = %x, %v, want token.encoding", name, s, got, err)
		}
	}
}

// Every character outside the alphabet is refused at every place of every loop.
func TestRefusedEverywhere(t *testing.T) {
	for n := range 80 {
		if n%4 == 1 {
			continue
		}
		for i := range n {
			for c := range 256 {
				b := bytes.Repeat([]byte{'A'}, n)
				b[i] = byte(c)
				_, want := standard.DecodeString(string(b))
				if c == '\r' || c == '\n' {
					want = errors.New("encoding/base64 drops these")
				}
				got, err := b64url.AppendDecode(nil, string(b))
				if (err == nil) != (want == nil) {
					t.Fatalf("AppendDecode(%q) = %x, %v; encoding/base64 says %v", b, got, err, want)
				}
			}
		}
	}
}

func TestErrorNamesTheOffset(t *testing.T) {
	for s, want := range map[string]string{
		"AAAAAAAAAAA+AAAA":  "not canonical base64url: character outside the alphabet at byte 11",
		"AAAAAAAAAAAAAA\nA": "not canonical base64url: character outside the alphabet at byte 14",
		"=A":                "not canonical base64url: character outside the alphabet at byte 0",
		"AAAAAB":            "not canonical base64url: trailing bits at byte 5",
		"AAAAA":             "not canonical base64url: impossible length 5",
	} {
		if _, err := b64url.DecodeString(s); err == nil || err.Error() != want {
			t.Errorf("DecodeString(%q): %v, want %s", s, err, want)
		}
	}
}

// What stands in the caller's buffer, before and behind the result, stays.
func TestCallersBuffer(t *testing.T) {
	for n := range 40 {
		plain := bytes.Repeat([]byte{'x'}, n)
		text := standard.EncodeToString(plain)
		for _, f := range []struct {
			name string
			do   func(dst []byte) ([]byte, error)
			want []byte
		}{
			{"AppendDecode", func(dst []byte) ([]byte, error) { return b64url.AppendDecode(dst, text) }, plain},
			{"AppendEncode", func(dst []byte) ([]byte, error) { return b64url.AppendEncode(dst, plain), nil }, []byte(text)},
		} {
			room := bytes.Repeat([]byte{'#'}, 200)
			got, err := f.do(room[:3])
			if err != nil {
				t.Fatal(err)
			}
			if want := "###" + string(f.want); string(got) != want || &got[0] != &room[0] {
				t.Errorf("%s into a buffer = %q, want %q in place", f.name, got, want)
			}
			if behind := room[len(got):]; strings.Trim(string(behind), "#") != "" {
				t.Errorf("%s of %d bytes wrote behind its result: %q", f.name, n, behind)
			}
		}
	}
	dst := []byte("kept")
	if got, err := b64url.AppendDecode(dst, "AAAAAAAAAAA="); string(got) != "kept" || err == nil {
		t.Errorf("AppendDecode after a refusal = %q, %v, want what came in and an error", got, err)
	}
	if got, err := b64url.AppendDecode(dst, "A"); string(got) != "kept" || err == nil {
		t.Errorf("AppendDecode after a refusal = %q, %v, want what came in and an error", got, err)
	}
}

func TestAllocations(t *testing.T) {
	plain := bytes.Repeat([]byte{'x'}, 225)
	text := standard.EncodeToString(plain)
	buf := make([]byte, 0, 512)
	if n := testing.AllocsPerRun(100, func() {
		_ = b64url.AppendEncode(buf, plain)
		_, _ = b64url.AppendDecode(buf, text)
	}); n != 0 {
		t.Errorf("%v allocations into the caller's buffers, want none", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "AA", "AAA", "AAAA", "AB", "AAB", "A", "AA==", "A-z_4ME", "AAAA\n", "AA\rAA", "AA+/", strings.Repeat("-_", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := b64url.DecodeString(s)
		want, errStd := standard.DecodeString(s)
		if strings.ContainsAny(s, "\r\n") {
			if err == nil {
				t.Fatalf("a line end was accepted in %q", s)
			}
			return
		}
		if (err == nil) != (errStd == nil) || !bytes.Equal(got, want) && err == nil {
			t.Fatalf("%q: %x, %v; encoding/base64: %x, %v", s, got, err, want, errStd)
		}
		if err == nil && b64url.EncodeToString(got) != s {
			t.Fatalf("%q decodes to %x, which encodes to %q", s, got, b64url.EncodeToString(got))
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte("The quick brown fox jumps over the lazy dog"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := b64url.EncodeToString(b)
		if got, err := b64url.DecodeString(s); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x encodes to %q, which decodes to %x, %v", b, s, got, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	plain := bytes.Repeat([]byte("claims"), 38)
	text := standard.EncodeToString(plain)
	buf := make([]byte, 0, len(text))
	b.Run("b64url", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			_, _ = b64url.AppendDecode(buf, text)
		}
	})
	b.Run("encoding-base64", func(b *testing.B) {
		text := []byte(text)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			_, _ = standard.AppendDecode(buf, text)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	plain := bytes.Repeat([]byte("claims"), 38)
	buf := make([]byte, 0, 512)
	b.Run("b64url", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			_ = b64url.AppendEncode(buf, plain)
		}
	})
	b.Run("encoding-base64", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			_ = standard.AppendEncode(buf, plain)
		}
	})
}

func Example() {
	s := b64url.EncodeToString([]byte{3, 236, 255, 224, 193})
	fmt.Println(s, len(s) == b64url.EncodedLen(5))
	b, err := b64url.DecodeString(s)
	fmt.Println(b, err)
	_, err = b64url.AppendDecode(nil, "A-z_4MF")
	fmt.Println(err, errors.Is(err, b64url.ErrEncoding))
	_, err = b64url.DecodedLen(5)
	fmt.Println(err)
	fmt.Println(string(b64url.AppendEncode([]byte("Bearer "), b)))
	// Output:
	// A-z_4ME true
	// [3 236 255 224 193] <nil>
	// not canonical base64url: trailing bits at byte 6 true
	// not canonical base64url: impossible length 5
	// Bearer A-z_4ME
}
