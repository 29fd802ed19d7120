package compact

import (
	"errors"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ token, header, payload, signature string }{
		{"a.b.c", "a", "b", "c"},
		{"a..", "a", "", ""},
		{"azAZ09-_xyz.x.azAZ09-_", "azAZ09-_xyz", "x", "azAZ09-_"},
	} {
		h, p, s, err := Split(c.token, 0)
		if err != nil || h != c.header || p != c.payload || s != c.signature {
			t.Errorf("%q: %q %q %q %v", c.token, h, p, s, err)
		}
	}
	for _, token := range []string{"", "a", "a.b", ".b.c", "..", "a.b.c.", "a.b.c.d", "a.b.c.d.e", strings.Repeat(".", 1000)} {
		if _, _, _, err := Split(token, 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, _, _, err := Split("a.b.c", 4); fault.CodeOf(err) != "token.too_large" {
		t.Error(err)
	}
	if _, _, _, err := Split("a.b.c", 5); err != nil {
		t.Error(err)
	}
	if _, _, _, err := Split("a.b."+strings.Repeat("c", MaxSize-3), 0); fault.CodeOf(err) != "token.too_large" {
		t.Error(err)
	}
}

// TestSplitAlphabet puts every byte into every place of every part.
func TestSplitAlphabet(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	part := strings.Repeat("A", 11)
	token := part + "." + part + "." + part
	for b := range 256 {
		for i := range len(token) {
			if token[i] == '.' {
				continue
			}
			_, _, _, err := Split(token[:i]+string([]byte{byte(b)})+token[i+1:], 0)
			if (err == nil) != (strings.IndexByte(alphabet, byte(b)) >= 0) {
				t.Errorf("byte %#x at %d: %v", b, i, err)
			}
		}
	}
}

func TestSplitSaysWhy(t *testing.T) {
	for token, want := range map[string]string{
		"a.b":        "three parts",
		"a.b.c.d":    "three parts",
		".b.c":       "header is empty",
		"a.b.c=":     "character",
		"a\n.b.c":    "character",
		"a.b .c.d.e": "three parts",
	} {
		if _, _, _, err := Split(token, 0); !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestSplitDoesNotAllocate(t *testing.T) {
	token := strings.Repeat("A", 300) + "." + strings.Repeat("B", 300) + "." + strings.Repeat("C", 43)
	if n := testing.AllocsPerRun(100, func() { _, _, _, _ = Split(token, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSameType(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"at+jwt", "at+jwt", true},
		{"at+jwt", "AT+JWT", true},
		{"at+jwt", "application/at+jwt", true},
		{"Application/AT+jwt", "at+jwt", true},
		{"JWT", "application/jwt", true},
		{"", "", true},
		{"", "application/", false},
		{"at+jwt", "", false},
		{"at+jwt", "jwt", false},
		{"at+jwt", "text/at+jwt", false},
		{"application/a/b", "a/b", false}, // RFC 7515, Section 4.1.9: a/b is whole without the prefix
		{"application/application/x", "application/x", false},
		{"secevent+jwt", "\u017fecevent+jwt", false}, // the small letter long s, whose other case is S
		{"kb+jwt", "\u212ab+jwt", false},             // the sign of the kelvin, whose other case is k
	} {
		if SameType(c.a, c.b) != c.same || SameType(c.b, c.a) != c.same {
			t.Errorf("%q and %q", c.a, c.b)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a.b.c")
	f.Add("a.b.c.d")
	f.Add("a..")
	f.Fuzz(func(t *testing.T, token string) {
		h, p, s, err := Split(token, 0)
		if err == nil && h+"."+p+"."+s != token {
			t.Errorf("%q", token)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	token := strings.Repeat("A", 36) + "." + strings.Repeat("B", 200) + "." + strings.Repeat("C", 43)
	for b.Loop() {
		_, _, _, _ = Split(token, 0)
	}
}

func TestSplit5(t *testing.T) {
	for _, c := range []struct {
		token string
		parts [5]string
	}{
		{"a.b.c.d.e", [5]string{"a", "b", "c", "d", "e"}},
		{"aZ09-_....", [5]string{"aZ09-_", "", "", "", ""}},
		{"a.+.=.\n. ", [5]string{"a", "+", "=", "\n", " "}}, // left to the decoder
	} {
		parts, err := Split5(c.token, 0)
		if err != nil || parts != c.parts {
			t.Errorf("%q: %q %v", c.token, parts, err)
		}
	}
	for token, want := range map[string]string{
		"":             "five parts",
		"a":            "five parts",
		"a.b":          "five parts",
		"a.b.c":        "signed",
		"a.b.c.d":      "five parts",
		"a.b.c.d.e.":   "five parts",
		"a.b.c.d.e.f":  "five parts",
		".b.c.d.e":     "header is empty",
		"....":         "header is empty",
		"a+.b.c.d.e":   "outside A-Z",
		" a.b.c.d.e":   "outside A-Z",
		"a=.b.c.d.e.f": "five parts",
	} {
		if _, err := Split5(token, 0); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, err := Split5("a.b.c.d.e", 9); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		token string
		max   int
	}{{"a.b.c.d.e", 8}, {"a.b.c.d." + strings.Repeat("e", MaxSize-7), 0}} {
		if _, err := Split5(c.token, c.max); fault.CodeOf(err) != "token.too_large" {
			t.Errorf("%d bytes: %v", len(c.token), err)
		}
	}
}

func TestRefine(t *testing.T) {
	cause := fault.New("token.encoding", "", "not canonical")
	if err := Refine("AB+", cause); fault.CodeOf(err) != "token.malformed" || !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
	if err := Refine("AB", cause); fault.CodeOf(err) != "token.encoding" || !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}
