package strictjson_test

//lint:file-ignore SA5008 odd tags are what is tested

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

func encode[T any](v T) (string, error) {
	e, err := strictjson.NewEncoder[T]()
	if err != nil {
		return "", err
	}
	b, err := e.Append([]byte("="), &v)
	if err != nil && string(b) != "=" {
		return "", fmt.Errorf("after %w the buffer holds %q", err, b)
	}
	return string(b[1:]), err
}

func writes[T any](t *testing.T, v T, want string) {
	t.Helper()
	got, err := encode(v)
	if err != nil || got != want {
		t.Errorf("%#v = %s, %v, want %s", v, got, err, want)
	}
	if err := strictjson.Valid([]byte(got), strictjson.Limits{}); err != nil {
		t.Errorf("%#v = %s, which is not valid: %v", v, got, err)
	}
}

// same is writes where encoding/json agrees, but for HTML.
func same[T any](t *testing.T, v T) {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	writes(t, v, strings.TrimSuffix(b.String(), "\n"))
}

func TestEncodeAsStandard(t *testing.T) {
	one, empty := 1, ""
	same(t, true)
	same(t, int8(math.MinInt8))
	same(t, int16(math.MinInt16))
	same(t, int32(math.MinInt32))
	same(t, int64(math.MinInt64))
	same(t, math.MaxInt)
	same(t, uint8(math.MaxUint8))
	same(t, uint16(math.MaxUint16))
	same(t, uint32(math.MaxUint32))
	same(t, uint64(math.MaxUint64))
	same(t, uintptr(7))
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e-6, 9.9e20, math.MaxFloat64, math.SmallestNonzeroFloat64 * 1e300, 1 << 53} {
		same(t, f)
		same(t, float32(f/1e300))
	}
	writes(t, 1e21, "1e+21")
	writes(t, 1e-7, "1e-07")
	writes(t, float32(1e21), "1e+21")
	for _, s := range []string{"", "a", "1234567", "12345678", "123456789", "tab\tquote\"back\\slash/\b\f\n\r", "\x00\x01\x1f\x7f", "ä€😀", "12345678ä", "1234567\"", "<&>", "a\ufffdb"} {
		same(t, s)
		same(t, named(s))
		same(t, []string{s, s})
		same(t, map[string]string{s: s})
		same[any](t, s)
	}
	writes(t, "\u2028\u2029", "\"\u2028\u2029\"")
	same(t, json.Number("1.50"))
	same(t, json.Number(""))
	same(t, json.RawMessage(` { "a" : [ 1 , "x y" ] } `))
	same(t, json.RawMessage(nil))
	same(t, []byte{0xff, 0xef})
	same(t, []byte{})
	same(t, []byte(nil))
	same(t, []int(nil))
	same(t, []int{})
	same(t, []int{1, 2})
	same(t, []string(nil))
	same(t, []string{})
	same(t, [2]bool{true})
	same(t, [0]int{})
	same(t, map[string]any(nil))
	same(t, map[string]any{})
	same(t, map[string]any{"b": 1, "a": []any{nil, true, "x", 1.5, int64(2), json.Number("3"), uint8(4)}, "c": map[string]any{"x": nil}})
	same(t, map[named]int{"b": 1, "a": 2})
	same(t, map[named]int(nil))
	same(t, map[string]json.RawMessage{"b": json.RawMessage(`[ ]`), "a": nil})
	same(t, &one)
	same(t, (*int)(nil))
	same[any](t, nil)
	same[any](t, &one)
	same[any](t, struct{ A []any }{[]any{1}})
	same[any](t, []string{"a"})
	same[fmt.Stringer](t, time.Second)
	same[fmt.Stringer](t, nil)
	same(t, struct{}{})
	same(t, chained{1, &chained{2, nil}})
	same(t, tree{[]tree{{}}, map[string]tree{"x": {}}})
	same(t, Deep{Base{"1", "2"}, "3", "4"})
	same(t, Pointed{nil, 1})
	same(t, Pointed{&Base{}, 1})
	same(t, Renamed{Skip: 1, Dash: 2, inner2: 3})
	same(t, Tagged{Left{"a"}, Right{"b"}})
	same(t, Both{})
	same(t, netip.MustParseAddr("192.0.2.1"))
	same(t, big.NewInt(12))
	writes(t, *big.NewInt(12), "12") // its method has a pointer's receiver
	same(t, time.Date(2011, 3, 22, 18, 43, 0, 5, time.UTC))
	same(t, struct {
		I int         `json:"i,string"`
		U uint8       `json:"u,string"`
		F float64     `json:"f,string"`
		B bool        `json:"b,string"`
		S string      `json:"s,string"`
		P *int        `json:"p,string"`
		Q *int        `json:"q,string"`
		N json.Number `json:"n,string"`
		L []int       `json:"l,string"`
	}{-12, 2, 1.5, true, "\"a", &one, nil, "1", []int{1}})
	type omits struct {
		B  bool            `json:"b,omitempty"`
		I  int8            `json:"i,omitempty"`
		F  float64         `json:"f,omitempty"`
		S  string          `json:"s,omitempty"`
		L  []int           `json:"l,omitempty"`
		M  map[string]int  `json:"m,omitempty"`
		P  *string         `json:"p,omitempty"`
		A  any             `json:"a,omitempty"`
		R  json.RawMessage `json:"r,omitempty"`
		A0 [0]int          `json:"a0,omitempty"`
		A1 [1]int          `json:"a1,omitempty"`
		T  struct{}        `json:"t,omitempty"`
	}
	same(t, omits{})
	same(t, omits{L: []int{}, M: map[string]int{}, P: &empty, A: ""})
	same(t, omits{true, 1, 2, "3", []int{4}, map[string]int{"5": 6}, &empty, 0, json.RawMessage("7"), [0]int{}, [1]int{8}, struct{}{}})
	type omitsZero struct {
		B bool            `json:"b,omitzero"`
		I int8            `json:"i,omitzero"`
		S string          `json:"s,omitzero"`
		L []int           `json:"l,omitzero"`
		M map[string]int  `json:"m,omitzero"`
		P *string         `json:"p,omitzero"`
		A any             `json:"a,omitzero"`
		T time.Time       `json:"t,omitzero"`
		U *time.Time      `json:"u,omitzero"`
		V valueZero       `json:"v,omitzero"`
		W pointerZero     `json:"w,omitzero"`
		X [1]int          `json:"x,omitzero"`
		Y struct{ Z int } `json:"y,omitzero"`
		Z fmt.Stringer    `json:"z,omitzero"`
		E []int           `json:"e,omitempty,omitzero"`
		G zeroer          `json:"g,omitzero"`
	}
	same(t, omitsZero{})
	same(t, omitsZero{V: 7, W: 7, U: &time.Time{}, G: valueZero(7), E: []int{}})
	same(t, omitsZero{true, 1, "2", []int{}, map[string]int{}, &empty, 0, time.Unix(1, 0).UTC(), &time.Time{}, 1, 2, [1]int{3}, struct{ Z int }{4}, time.Second, []int{5}, valueZero(6)})
}

// 7 is the zero of these.
type (
	valueZero   int
	pointerZero int
	zeroer      interface{ IsZero() bool }
)

func (v valueZero) IsZero() bool    { return v == 7 }
func (v *pointerZero) IsZero() bool { return *v == 7 }

// Strings are copied and looked at eight bytes at a time, and again from what is not plain.
func TestEncodeStringsOfAllLengths(t *testing.T) {
	for n := range 27 {
		plain := strings.Repeat("abcdefgh ~", 3)[:n]
		same(t, plain)
		for i := range n {
			for _, c := range []string{`"`, `\`, "\n", "\x1f", "\x00", "é", "𝄞"} {
				same(t, plain[:i]+c+plain[i+1:])
			}
			same(t, plain[:i]+"\x7f!#[]"+plain[i+1:])
			for _, c := range []string{"\x80", "\xff", "\xc3"} {
				if got, err := encode(plain[:i] + c + plain[i+1:]); !errors.Is(err, strictjson.ErrUTF8) {
					t.Errorf("%d of %d: %s, %v, want json.utf8", i, n, got, err)
				}
			}
		}
	}
}

func TestEncodeDates(t *testing.T) {
	type dates struct {
		A time.Time  `json:"a,format:unix"`
		B time.Time  `json:"b,omitzero,format:unix"`
		C *time.Time `json:"c,omitempty,format:unix"`
	}
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{time.Unix(1300819380, 0), "1300819380"},
		{time.Unix(1300819380, 500_000_000), "1300819380.5"},
		{time.Unix(1300819380, 120), "1300819380.00000012"},
		{time.Unix(999_999_999, 0), "999999999"},
		{time.Unix(1_000_000_000, 0), "1000000000"},
		{time.Unix(1_000_000_001, 0), "1000000001"},
		{time.Unix(9_876_543_210, 0), "9876543210"},
		{time.Unix(9_999_999_999, 0), "9999999999"},
		{time.Unix(10_000_000_000, 0), "10000000000"},
		{time.Unix(0, 1), "0.000000001"},
		{time.Unix(-1, 0), "-1"},
		{time.Unix(-2, 750_000_000), "-1.25"},
		{time.Unix(-1, 999_999_999), "-0.000000001"},
		{time.Unix(1<<53-1, 999_999_999), "9007199254740991.999999999"},
		{time.Unix(-(1<<53 - 1), 0), "-9007199254740991"},
	} {
		writes(t, dates{A: c.t}, `{"a":`+c.want+`}`)
		writes(t, dates{A: c.t, B: c.t, C: &c.t}, `{"a":`+c.want+`,"b":`+c.want+`,"c":`+c.want+`}`)
		if v, code := decode[dates](`{"a":` + c.want + `}`); code != "" || !v.A.Equal(c.t) {
			t.Errorf("%s is read as %v, %q, want %v", c.want, v.A, code, c.t)
		}
	}
	for _, when := range []time.Time{time.Unix(1<<53, 0), time.Unix(-(1 << 53), 0)} {
		if s, err := encode(dates{A: when}); !errors.Is(err, strictjson.ErrNumber) {
			t.Errorf("%v = %s, %v, want json.number", when, s, err)
		}
	}
}

func TestEncodeOneOrMany(t *testing.T) {
	type audience []string
	type token struct {
		Aud audience `json:"aud,omitempty,format:oneormany"`
	}
	writes(t, token{}, `{}`)
	writes(t, token{audience{"a"}}, `{"aud":"a"}`)
	writes(t, token{audience{"a", "b"}}, `{"aud":["a","b"]}`)
	type always struct {
		Aud []string `json:"aud,format:oneormany"`
	}
	writes(t, always{}, `{"aud":[]}`)
	writes(t, always{[]string{}}, `{"aud":[]}`)
}

func TestEncodeInline(t *testing.T) {
	reg := Registered{Issuer: "i"}
	writes(t, merged[struct{}]{reg, struct{}{}}, `{"iss":"i"}`)
	writes(t, merged[struct{}]{}, `{}`)
	writes(t, merged[map[string]any]{reg, nil}, `{"iss":"i"}`)
	writes(t, merged[map[string]any]{reg, map[string]any{"z": 1, "a": "x"}}, `{"iss":"i","a":"x","z":1}`)
	writes(t, merged[map[string]any]{Claims: map[string]any{"z": 1}}, `{"z":1}`)
	writes(t, merged[map[string]json.RawMessage]{reg, map[string]json.RawMessage{"z": json.RawMessage(" 1 ")}}, `{"iss":"i","z":1}`)
	writes(t, merged[map[named]int]{reg, map[named]int{"z": 1}}, `{"iss":"i","z":1}`)
	writes(t, merged[*Base]{reg, nil}, `{"iss":"i"}`)
	writes(t, merged[*Base]{reg, &Base{"1", "2"}}, `{"iss":"i","a":"1","b":"2"}`)
	type outer struct {
		*Inner
		N int `json:"n"`
	}
	writes(t, outer{nil, 1}, `{"n":1}`)
	writes(t, outer{&Inner{Rest: map[string]string{"x": "y"}}, 1}, `{"name":"","n":1,"x":"y"}`)
	for _, name := range []string{"iss", "exp"} { // exp is a field, even if it is not written
		for _, do := range []func() (string, error){
			func() (string, error) { return encode(merged[map[string]any]{reg, map[string]any{name: 1}}) },
			func() (string, error) {
				return encode(merged[map[string]json.RawMessage]{reg, map[string]json.RawMessage{name: json.RawMessage("1")}})
			},
			func() (string, error) { return encode(merged[map[named]int]{reg, map[named]int{named(name): 1}}) },
		} {
			if s, err := do(); !errors.Is(err, strictjson.ErrDuplicate) {
				t.Errorf("a map with %s = %s, %v, want json.duplicate", name, s, err)
			}
		}
	}
}

// H12: a name cannot break out of its quotes.
func TestNameInjection(t *testing.T) {
	for _, name := range []string{`x":0,"admin`, `x\":0,"admin`, "x\n", `\`, "\x00", `"`} {
		for _, m := range []any{map[string]any{name: true}, map[string]bool{name: true}, map[named]any{named(name): true}, map[string]json.RawMessage{name: json.RawMessage("true")}} {
			s, err := encode(m)
			var back map[string]any
			if err != nil || strictjson.Unmarshal([]byte(s), &back, strictjson.Limits{}) != nil || !reflect.DeepEqual(back, map[string]any{name: true}) {
				t.Errorf("%T with the name %q = %s, %v", m, name, s, err)
			}
		}
	}
	type field struct {
		X bool `json:"x\"\\\n"`
	}
	writes(t, field{true}, `{"x\"\\\n":true}`)
	want(t, `{"x\"\\\n":true}`, field{true})
}

type (
	returning  string
	speaking   string
	errs       struct{}
	errsText   struct{}
	onPointer  struct{ n int }
	sliceWith  []int
	pointsBack struct{ Next *pointsBack }
)

func (r returning) MarshalJSON() ([]byte, error) { return []byte(r), nil }
func (s speaking) MarshalText() ([]byte, error)  { return []byte(s), nil }
func (errs) MarshalJSON() ([]byte, error)        { return nil, errStop }
func (errsText) MarshalText() ([]byte, error)    { return nil, errStop }
func (o *onPointer) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"n" : %d}`, o.n), nil
}
func (s sliceWith) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%d", len(s)), nil }

var errStop = errors.New("stop")

func TestEncodeMethods(t *testing.T) {
	writes(t, returning(" [ 1 , \" \\\" \" ] "), `[1," \" "]`)
	writes(t, []returning{"1", "{}"}, `[1,{}]`)
	writes(t, speaking("a\"\n"), `"a\"\n"`)
	writes(t, onPointer{5}, `{"n":5}`)
	writes(t, []any{&onPointer{5}, onPointer{6}, (*onPointer)(nil)}, `[{"n":5},{"n":6},null]`)
	writes(t, sliceWith(nil), `0`)
	writes(t, struct{ P *returning }{}, `{"P":null}`)
	for doc, code := range map[returning]string{
		"": "json.syntax", "[1,]": "json.syntax", `{"a":1,"a":1}`: "json.duplicate", "1 2": "json.trailing",
		"\"\xff\"": "json.utf8", `"\ud800"`: "json.surrogate",
	} {
		if s, err := encode(doc); fault.CodeOf(err) != code {
			t.Errorf("MarshalJSON that returns %q = %s, %v, want %s", doc, s, err, code)
		}
	}
	if s, err := encode(speaking("\xff")); !errors.Is(err, strictjson.ErrUTF8) {
		t.Errorf("MarshalText that returns no UTF-8 = %s, %v", s, err)
	}
	for _, v := range []any{errs{}, errsText{}, []any{errs{}}, map[string]any{"a": errs{}}, struct{ A errs }{}, struct{ A []errs }{[]errs{{}}}, map[string]errs{"a": {}}} {
		if s, err := encode(v); !errors.Is(err, errStop) {
			t.Errorf("%T = %s, %v, want the method's error", v, s, err)
		}
	}
}

func TestEncodeRefused(t *testing.T) {
	var circle any
	circle = []any{&circle}
	loop := map[string]any{}
	loop["loop"] = loop
	back := &pointsBack{}
	back.Next = back
	for _, c := range []struct {
		code string
		v    any
	}{
		{"json.utf8", "\xff"},
		{"json.utf8", "12345678\xc0\x80"},
		{"json.utf8", "\xed\xa0\x80"},
		{"json.utf8", []string{"a", "\xff"}},
		{"json.utf8", struct{ A string }{"\xff"}},
		{"json.utf8", struct {
			A []string `json:",format:oneormany"`
		}{[]string{"\xff"}}},
		{"json.utf8", map[string]int{"\xff": 1}},
		{"json.utf8", map[string]any{"\xff": 1}},
		{"json.utf8", []named{"\xff"}},
		{"json.utf8", struct {
			A string `json:"a,string"`
		}{"\xff"}},
		{"json.number", math.NaN()},
		{"json.number", math.Inf(1)},
		{"json.number", float32(math.Inf(-1))},
		{"json.number", []any{math.NaN()}},
		{"json.number", json.Number("x")},
		{"json.number", json.Number("1 ")},
		{"json.number", json.Number("-")},
		{"json.number", json.Number(`1,"admin":true`)},
		{"json.number", struct{ N json.Number }{"01"}},
		{"json.syntax", json.RawMessage("[1,]")},
		{"json.syntax", json.RawMessage{}},
		{"json.duplicate", map[string]json.RawMessage{"a": json.RawMessage(`{"b":1,"b":1}`)}},
		{"json.depth", circle},
		{"json.depth", loop},
		{"json.depth", back},
	} {
		if s, err := encode(c.v); fault.CodeOf(err) != c.code {
			t.Errorf("%T = %.80s, %v, want %s", c.v, s, err, c.code)
		}
	}
	for _, v := range []any{make(chan int), func() {}, []any{make(chan int)}, map[string]any{"a": 1i}} {
		if s, err := encode(v); err == nil {
			t.Errorf("%T = %s, want an error", v, s)
		}
	}
}

func TestEncodeAppends(t *testing.T) {
	e, err := strictjson.NewEncoder[Registered]()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 100)
	b, err := e.Append(append(buf, "x"...), &Registered{Issuer: "i"})
	if err != nil || string(b) != `x{"iss":"i"}` || &b[0] != &buf[:1][0] {
		t.Errorf("Append = %s, %v, want the text behind what was there, in place", b, err)
	}
}
