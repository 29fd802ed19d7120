package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/strictjson"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

type reader struct {
	name string
	read func([]byte, strictjson.Limits) error
}

// all readers of a whole document into the types that allocate most.
var allReaders = []reader{
	{"Valid", strictjson.Valid},
	{"empty struct", func(b []byte, l strictjson.Limits) error { return strictjson.Unmarshal(b, &struct{}{}, l) }},
	{"any", func(b []byte, l strictjson.Limits) error { var v any; return strictjson.Unmarshal(b, &v, l) }},
	{"raw map", func(b []byte, l strictjson.Limits) error {
		var v map[string]json.RawMessage
		return strictjson.Unmarshal(b, &v, l)
	}},
	{"strings", func(b []byte, l strictjson.Limits) error { var v []string; return strictjson.Unmarshal(b, &v, l) }},
	{"maps of ints", func(b []byte, l strictjson.Limits) error {
		var v []map[string]int
		return strictjson.Unmarshal(b, &v, l)
	}},
	{"map of maps", func(b []byte, l strictjson.Limits) error {
		var v map[string]map[string]int
		return strictjson.Unmarshal(b, &v, l)
	}},
	{"structs", func(b []byte, l strictjson.Limits) error { var v []claims; return strictjson.Unmarshal(b, &v, l) }},
	{"pointers", func(b []byte, l strictjson.Limits) error { var v []*claims; return strictjson.Unmarshal(b, &v, l) }},
	{"ints", func(b []byte, l strictjson.Limits) error { var v []int32; return strictjson.Unmarshal(b, &v, l) }},
	{"inline map", func(b []byte, l strictjson.Limits) error {
		return strictjson.Unmarshal(b, new(merged[map[string]json.RawMessage]), l)
	}},
	{"Object", func(b []byte, l strictjson.Limits) error {
		return strictjson.Object(b, l, func(string, []byte) error { return nil })
	}},
}

// list repeats a format with the numbers below n.
func list(n int, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, ",")
}

func claimsOf(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"claim%06d":%d`, i, i)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// L: what is too much is refused before it costs memory.
func TestLimitsBoundMemory(t *testing.T) {
	for name, doc := range map[string]string{
		"40 MB":                        `{"a":"` + strings.Repeat("x", 40<<20) + `"}`,
		"2 million levels":             strings.Repeat("[", 2_000_000/scale),
		"2 million objects":            strings.Repeat(`{"":`, 2_000_000/scale),
		"a million digits":             strings.Repeat("9", 1_000_000/scale),
		"a million digits in a member": `{"a":1.` + strings.Repeat("9", 1_000_000/scale) + "}",
		"200,000 claims":               claimsOf(200_000 / scale),
		"a million elements":           "[0" + strings.Repeat(",0", 1_000_000/scale) + "]",
		"a million strings":            `[""` + strings.Repeat(`,""`, 1_000_000/scale) + "]",
		"a long name":                  `{"` + strings.Repeat("n", 1_000_000/scale) + `":1}`,
	} {
		data := []byte(doc)
		for _, l := range []strictjson.Limits{{}, {Bytes: 4 << 20}} {
			for _, r := range allReaders {
				var err error
				n := allocated(func() { err = r.read(data, l) })
				if err == nil || n > 1_000_000 {
					t.Errorf("%s by %s, %+v: %v, %d bytes allocated, want a refusal for less than 1 MB", name, r.name, l, err, n)
				}
			}
		}
	}
}

// With the limits raised memory grows with the input, and not by much. What could only
// be had for more is refused.
func TestRaisedLimits(t *testing.T) {
	// A map or a struct for every few bytes.
	costly := []string{"empty objects", "tiny objects", "tiny arrays", "17 objects deep"}
	refused := map[string]bool{}
	raised := strictjson.Limits{Bytes: math.MaxInt, Depth: math.MaxInt, Members: math.MaxInt, Number: math.MaxInt, Name: math.MaxInt}
	for name, doc := range map[string]string{
		"many claims":         claimsOf(100_000 / scale),
		"10,000 levels":       strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000),
		"many digits":         strings.Repeat("9", 200_000/scale),
		"a long name":         `{"` + strings.Repeat("n", 200_000/scale) + `":1}`,
		"an escaped name":     `{"` + strings.Repeat(`\n`, 200_000/scale) + `":1}`,
		"escapes":             `"` + strings.Repeat(`\"`, 200_000/scale) + `"`,
		"many elements":       "[0" + strings.Repeat(",0", 200_000/scale) + "]",
		"strings":             `[""` + strings.Repeat(`,""`, 200_000/scale) + "]",
		"strings with quotes": `["\"["` + strings.Repeat(`,"\"["`, 100_000/scale) + "]",
		"numbers and arrays":  "[0" + strings.Repeat(",[],0", 100_000/scale) + "]",
		"towers":              "[0" + strings.Repeat(","+strings.Repeat("[", 100)+strings.Repeat("]", 100), 1000/scale) + "]",
		"33 names":            "[0" + strings.Repeat(",{"+members(33)+"}", 1000/scale) + "]",
		"a million elements":  "[0" + strings.Repeat(",[],0", 1_000_000/scale) + "]",
		"empty objects":       "[{}" + strings.Repeat(",{}", 500_000/scale) + "]",
		"tiny objects":        `[{"":0}` + strings.Repeat(`,{"":0}`, 500_000/scale) + "]",
		"tiny arrays":         "[[0]" + strings.Repeat(",[0]", 500_000/scale) + "]",
		"9 names":             "[0" + strings.Repeat(",{"+members(9)+"}", 50_000/scale) + "]",
		"named objects":       "{" + list(200_000/scale, `"m%d":{}`) + "}",
		"records":             "[" + list(100_000/scale, `{"id":%d,"name":"somebody"}`) + "]",
		"17 objects deep":     "[0" + strings.Repeat(","+strings.Repeat(`{"a":1,"b":`, 17)+"1"+strings.Repeat("}", 17), 1000/scale) + "]",
	} {
		for _, r := range allReaders {
			data := []byte(doc)
			var err error
			n := allocated(func() { err = r.read(data, raised) })
			tooMuch := errors.Is(err, strictjson.ErrLimit) && slices.Contains(costly, name)
			if err != nil && !tooMuch && !errors.Is(err, strictjson.ErrType) && !errors.Is(err, strictjson.ErrNumber) {
				t.Errorf("%s by %s: %v", name, r.name, err)
			}
			refused[name] = refused[name] || tooMuch
			if n > 1<<20+20*uint64(len(doc)) {
				t.Errorf("%s by %s: %d bytes allocated for %d (%.1f each), want less than 20 each", name, r.name, n, len(doc), float64(n)/float64(len(doc)))
			}
		}
	}
	for _, name := range costly {
		if !refused[name] && scale == 1 {
			t.Errorf("%s are taken by all", name)
		}
	}
	if err := strictjson.Valid([]byte(strings.Repeat("[", 10_001)+strings.Repeat("]", 10_001)), raised); !errors.Is(err, strictjson.ErrDepth) {
		t.Errorf("more than 10,000 levels: %v, want json.depth whatever is asked for", err)
	}
}

// Each limit holds to the unit, for every reader that meets it.
func TestEachLimit(t *testing.T) {
	type deep struct {
		A *deep   `json:"a"`
		L []deep  `json:"l"`
		N float64 `json:"n"`
		I int     `json:"i"`
		U uint    `json:"u"`
		S []string
		M map[string]any
		R map[string]json.RawMessage
		G map[string]int
		Y [2]int
		J json.Number
		D date
		Q any
	}
	read := func(doc string, l strictjson.Limits) error { return strictjson.Unmarshal([]byte(doc), new(deep), l) }
	for _, c := range []struct {
		doc        string
		fits, less strictjson.Limits
		code       error
	}{
		{`{"a":1`, strictjson.Limits{Bytes: 6}, strictjson.Limits{Bytes: 5}, strictjson.ErrLimit},
		{`{"a":{"a":{}}}`, strictjson.Limits{Depth: 3}, strictjson.Limits{Depth: 2}, strictjson.ErrDepth},
		{`{"l":[{}]}`, strictjson.Limits{Depth: 3}, strictjson.Limits{Depth: 2}, strictjson.ErrDepth},
		{`{"x":[{}],"y":[{}]}`, strictjson.Limits{Depth: 3}, strictjson.Limits{Depth: 2}, strictjson.ErrDepth},
		{`{"Q":[{}],"M":{"x":[]}}`, strictjson.Limits{Depth: 3}, strictjson.Limits{Depth: 2}, strictjson.ErrDepth},
		{`{"S":["a"],"R":{},"G":{},"Y":[1,2]}`, strictjson.Limits{Depth: 2}, strictjson.Limits{Depth: 1}, strictjson.ErrDepth},
		{`{"x":[1,2],"i":1}`, strictjson.Limits{Members: 4}, strictjson.Limits{Members: 3}, strictjson.ErrLimit},
		{`{"S":["a","b"]}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"M":{"a":1,"b":2}}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"R":{"a":1,"b":2}}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"G":{"a":1,"b":2}}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"l":[{},{}]}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"Y":[1,2]}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"Q":[1,2]}`, strictjson.Limits{Members: 3}, strictjson.Limits{Members: 2}, strictjson.ErrLimit},
		{`{"n":-1.5e1}`, strictjson.Limits{Number: 6}, strictjson.Limits{Number: 5}, strictjson.ErrLimit},
		{`{"i":-12}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"u":123}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"J":123}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"Q":123}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"x":123}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"D":{"t":123}}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"D":{"t":1.5}}`, strictjson.Limits{Number: 3}, strictjson.Limits{Number: 2}, strictjson.ErrLimit},
		{`{"xxx":1}`, strictjson.Limits{Name: 3}, strictjson.Limits{Name: 2}, strictjson.ErrLimit},
		{`{"M":{"xxx":1}}`, strictjson.Limits{Name: 3}, strictjson.Limits{Name: 2}, strictjson.ErrLimit},
		{`{"x":{"xxx":1}}`, strictjson.Limits{Name: 3}, strictjson.Limits{Name: 2}, strictjson.ErrLimit},
	} {
		if err := read(c.doc, c.fits); err != nil && !errors.Is(err, strictjson.ErrType) && !errors.Is(err, strictjson.ErrSyntax) {
			t.Errorf("%s with %+v: %v, want no error", c.doc, c.fits, err)
		}
		if err := read(c.doc, c.less); !errors.Is(err, c.code) {
			t.Errorf("%s with %+v: %v, want %v", c.doc, c.less, err, c.code)
		}
	}
	d, err := strictjson.NewDecoder[deep]()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Decode([]byte(`{}`), new(deep), strictjson.Limits{Bytes: 1}); !errors.Is(err, strictjson.ErrLimit) {
		t.Errorf("Decode of too much: %v", err)
	}
	if err := strictjson.Valid([]byte(`{}`), strictjson.Limits{Bytes: 1}); !errors.Is(err, strictjson.ErrLimit) {
		t.Errorf("Valid of too much: %v", err)
	}
	// A level that is left counts no more.
	if err := strictjson.Valid([]byte(`[[[]],[[]],{"a":{}},{"a":{}},[{}]]`), strictjson.Limits{Depth: 3}); err != nil {
		t.Errorf("three levels, time and again: %v", err)
	}
	if err := read(`{"a":{"a":{}},"l":[{},{}],"S":[],"M":{"a":{}},"R":{"a":{}},"G":{},"Q":[{},[]],"x":[{}]}`, strictjson.Limits{Depth: 3}); err != nil {
		t.Errorf("three levels of a struct, time and again: %v", err)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("allocations are counted without instrumentation")
	}
	d, err := strictjson.NewDecoder[claims]()
	if err != nil {
		t.Fatal(err)
	}
	e, err := strictjson.NewEncoder[claims]()
	if err != nil {
		t.Fatal(err)
	}
	declared, other := []byte(claimsJSON), []byte(otherOrder)
	nested := []byte(`{"a":{"b":{"c":{"d":[1,2,{"e":1}]}}},"f":[[[]]]}`)
	var v claims
	decode := func(doc []byte) error {
		v = claims{}
		return d.Decode(doc, &v, strictjson.Limits{})
	}
	buf := make([]byte, 0, 1024)
	for _, c := range []struct {
		name string
		most float64
		f    func() error
	}{
		{"decode: one for the lists", 1, func() error { return decode(declared) }},
		{"decode in another order", 1, func() error { return decode(other) }},
		{"encode", 0, func() error { _, err := e.Append(buf, &v); return err }},
		{"Valid", 0, func() error { return strictjson.Valid(other, strictjson.Limits{}) }},
		{"Valid, nested", 0, func() error { return strictjson.Valid(nested, strictjson.Limits{}) }},
		{"Scan", 0, func() error { _, _, err := strictjson.Scan(declared, "iss"); return err }},
		{"Object", 0, func() error {
			return strictjson.Object(declared, strictjson.Limits{}, func(string, []byte) error { return nil })
		}},
	} {
		var err error
		if n := testing.AllocsPerRun(100, func() { err = c.f() }); n > c.most || err != nil {
			t.Errorf("%s: %v allocations, %v, want %v", c.name, n, err, c.most)
		}
	}
}
