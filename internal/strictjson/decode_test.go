package strictjson_test

//lint:file-ignore SA5008 odd tags are what is tested

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// decode decodes doc into a T, or gives the code of the refusal.
func decode[T any](doc string) (T, string) {
	var v T
	d, err := strictjson.NewDecoder[T]()
	if err != nil {
		return v, "plan: " + err.Error()
	}
	if err := d.Decode([]byte(doc), &v, strictjson.Limits{}); err != nil {
		return v, fault.CodeOf(err)
	}
	return v, ""
}

func want[T any](t *testing.T, doc string, v T) {
	t.Helper()
	if got, code := decode[T](doc); code != "" || !reflect.DeepEqual(got, v) {
		t.Errorf("%s into %T = %#v, %q, want %#v", doc, v, got, code, v)
	}
}

func refused[T any](t *testing.T, code string, docs ...string) {
	t.Helper()
	for _, doc := range docs {
		if got, c := decode[T](doc); c != code {
			t.Errorf("%s into %T = %#v, %q, want %s", doc, got, got, c, code)
		}
	}
}

func TestIntegers(t *testing.T) {
	want(t, "127", int8(127))
	want(t, "-128", int8(-128))
	want(t, "-1", int16(-1))
	want(t, "32767", int16(32767))
	want(t, "2147483647", int32(math.MaxInt32))
	want(t, "-2147483648", int32(math.MinInt32))
	want(t, "9223372036854775807", int64(math.MaxInt64))
	want(t, "-9223372036854775808", int64(math.MinInt64))
	want(t, "255", uint8(255))
	want(t, "65535", uint16(65535))
	want(t, "4294967295", uint32(math.MaxUint32))
	want(t, "18446744073709551615", uint64(math.MaxUint64))
	want(t, "18446744073709551615.00", uint64(math.MaxUint64))
	want(t, "7", uintptr(7))
	want(t, "-0", uint8(0))
	want(t, "-0.0", uint8(0))
	want(t, "-0", 0)
	want(t, "0", 0)
	want(t, "1.0", 1)
	want(t, "1E3", 1000)
	want(t, "1e+3", 1000)
	want(t, "-1.5e1", -15)
	want(t, "1200e-2", 12)
	want(t, "0.0012e4", 12)
	want(t, "0e999999999999", 0)
	want(t, "0.000e99999999999999999999", 0)
	want(t, "100000000000000000000000e-23", 1)
	want(t, "999999999999999999", int64(999999999999999999))
	want(t, "1000000000000000000", int64(1000000000000000000))

	refused[int8](t, "json.number", "128", "-129", "1000", "1e2147483648", "9223372036854775808")
	refused[int16](t, "json.number", "32768", "-32769")
	refused[int32](t, "json.number", "2147483648", "-2147483649")
	refused[int64](t, "json.number", "9223372036854775808", "-9223372036854775809", "18446744073709551616", "184467440737095516150",
		"99999999999999999999999999999", "1e19", "1e20", "1e400", "1e99999999999999999999", "0.1", "1.5", "1e-1", "1e-400", "15e-1", "1e-99999999999999999999",
		"1.000000001", "1.0000000001", "1.0000000000000000000000001", "123456789012345678.5", "-0.5")
	refused[uint8](t, "json.number", "256", "-1", "-1e0", "-256", "1e3")
	refused[uint16](t, "json.number", "65536", "-1")
	refused[uint32](t, "json.number", "4294967296", "-1")
	refused[uint64](t, "json.number", "18446744073709551616", "-1", "-1.0", "-18446744073709551615")
	refused[int](t, "json.type", `"1"`, "null", "true", "[]", "{}", `""`)
	refused[uint](t, "json.type", `"1"`, "null", "true", "[]", "{}")
	refused[int](t, "json.syntax", "-", "1.", "1e", "+1", "1.e2", "")
	refused[int](t, "json.trailing", "01", "1x", "00", "-01", "0123456789012345678901")
	refused[int](t, "json.limit", strings.Repeat("1", 65), "1."+strings.Repeat("0", 63))
}

func TestFloats(t *testing.T) {
	want(t, "0.1", 0.1)
	want(t, "-0", math.Copysign(0, -1))
	want(t, "1e-400", 0.0)
	want(t, "1e308", 1e308)
	want(t, "9007199254740992", float64(1<<53))
	want(t, "-9007199254740994", -float64(1<<53+2))
	want(t, "9007199254740993.5", float64(1<<53+2)-0)
	want(t, "18446744073709551616", float64(1<<64))
	want(t, "16777216", float32(1<<24))
	want(t, "0.1", float32(0.1))
	want(t, "12345678", 12345678.0)
	refused[float64](t, "json.number", "1e400", "-1e309", "9007199254740993", "-9007199254740993", "100000000000000000000000", "18446744073709551615")
	refused[float32](t, "json.number", "1e39", "16777217", "123456789")
	refused[float64](t, "json.type", `"1"`, "null", "true", "[]", "{}", `"NaN"`)
	refused[float64](t, "json.syntax", "NaN", "1.", "Infinity")
	refused[float64](t, "json.limit", strings.Repeat("1", 65))
}

func TestNumbersAsWritten(t *testing.T) {
	want(t, "1.50e+01", json.Number("1.50e+01"))
	want(t, "123456789012345678901234567890", json.Number("123456789012345678901234567890"))
	want[any](t, "123456789012345678901234567890", json.Number("123456789012345678901234567890"))
	want[any](t, "-0", json.Number("-0"))
	refused[json.Number](t, "json.type", `"1"`, `null`, `true`)
	refused[json.Number](t, "json.syntax", `1.`, `-`)
}

// date is a struct, since the format is an option of a field.
type date struct {
	T time.Time `json:"t,format:unix"`
}

func TestNumericDate(t *testing.T) {
	for doc, v := range map[string]time.Time{
		"0":                     time.Unix(0, 0),
		"-0":                    time.Unix(0, 0),
		"1300819380":            time.Unix(1300819380, 0),
		"1300819380.0":          time.Unix(1300819380, 0),
		"1.30081938E9":          time.Unix(1300819380, 0),
		"1E3":                   time.Unix(1000, 0),
		"1300819380.5":          time.Unix(1300819380, 500_000_000),
		"1300819380.123456789":  time.Unix(1300819380, 123_456_789),
		"1300819380.1234567899": time.Unix(1300819380, 123_456_789),
		"1300819380.0000000001": time.Unix(1300819380, 0),
		"-1.25":                 time.Unix(-2, 750_000_000),
		"-1":                    time.Unix(-1, 0),
		"-0.0000000001":         time.Unix(-1, 999_999_999),
		"1e-400":                time.Unix(0, 0),
		"-1e-400":               time.Unix(-1, 999_999_999),
		"15e-1":                 time.Unix(1, 500_000_000),
		"15e-9":                 time.Unix(0, 15),
		"15e-10":                time.Unix(0, 1),
		"15e-11":                time.Unix(0, 0),
		"9007199254740991":      time.Unix(1<<53-1, 0),
		"-9007199254740991":     time.Unix(-(1<<53 - 1), 0),
		"9007199254740991.9":    time.Unix(1<<53-1, 900_000_000),
	} {
		got, code := decode[date](`{"t":` + doc + `}`)
		if code != "" || !got.T.Equal(v) || got.T.Location() != time.UTC {
			t.Errorf("%s = %v, %q, want %v", doc, got.T, code, v.UTC())
		}
	}
	for code, docs := range map[string][]string{
		"json.number": {"1e400", "-1e400", "9007199254740992", "-9007199254740992", "9223372036854775808", "99999999999999999999999999", "1e16", "9007199254740992.0", "1e18446744073709551616"},
		"json.type":   {`"1300819380"`, "null", "true", "[]", "{}", `"2011-03-22T18:43:00Z"`}, // F2, F3
		"json.syntax": {"01", "-", "1.", "1e", "", "+1", "0x1"},
		"json.limit":  {strings.Repeat("1", 65), "0." + strings.Repeat("0", 63)},
	} {
		for _, doc := range docs {
			if got, c := decode[date](`{"t":` + doc + `}`); c != code {
				t.Errorf("%s = %v, %q, want %s", doc, got.T, c, code)
			}
		}
	}
	type pointers struct {
		T *time.Time `json:"t,omitempty,format:unix"`
	}
	if got, code := decode[pointers](`{"t":1.5}`); code != "" || got.T == nil || !got.T.Equal(time.Unix(1, 5e8)) {
		t.Errorf("into a pointer: %v, %q", got.T, code)
	}
	want(t, `{"t":null}`, pointers{})
	refused[struct{ T time.Time }](t, "json.type", `{"T":null}`, `{"T":1}`)
	want(t, `{"T":"2011-03-22T18:43:00Z"}`, struct{ T time.Time }{time.Date(2011, 3, 22, 18, 43, 0, 0, time.UTC)})
}

type (
	named   string
	yes     bool
	chained struct {
		V    int      `json:"v"`
		Next *chained `json:"next"`
	}
	tree struct {
		Kids []tree          `json:"kids"`
		By   map[string]tree `json:"by"`
	}
)

func TestTypes(t *testing.T) {
	one := 1
	want(t, `"a\u00e4\n"`, "aä\n")
	want(t, `"\ud83d\ude00\"\\\/\b\f\r\t"`, "😀\"\\/\b\f\r\t")
	want(t, `"x"`, named("x"))
	want(t, `true`, yes(true))
	type whatever any
	want(t, `[1]`, []whatever{json.Number("1")})
	want(t, `false`, false)
	want(t, `1`, &one)
	want(t, `null`, (*int)(nil))
	want(t, `null`, []int(nil))
	want(t, `null`, []string(nil))
	want(t, `null`, []byte(nil))
	want(t, `null`, map[string]any(nil))
	want(t, `null`, map[string]int(nil))
	want(t, `null`, map[string]json.RawMessage(nil))
	want[any](t, `null`, nil)
	want(t, `null`, json.RawMessage("null"))
	want(t, `[]`, []int{})
	want(t, `[]`, []string{})
	want(t, `[1,2,3,4,5,6,7,8,9]`, []int{1, 2, 3, 4, 5, 6, 7, 8, 9})
	want(t, `["a","b","c","d","e","f","g","h","i","\""]`, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", `"`})
	want(t, `["a"]`, []named{"a"})
	want(t, `[[1],[],null,[2,3]]`, [][]int{{1}, {}, nil, {2, 3}})
	want(t, `[[],["a"],null,["b","c"]]`, [][]string{{}, {"a"}, nil, {"b", "c"}})
	want(t, `[1,2]`, [2]int{1, 2})
	want(t, `[]`, [0]int{})
	want(t, `{}`, map[string]int{})
	want(t, `{"a":1,"b":2}`, map[named]int{"a": 1, "b": 2})
	want(t, `{"a":[1],"b":null}`, map[string][]int{"a": {1}, "b": nil})
	want(t, `{"a": {"b" : 1 } ,"c":null}`, map[string]json.RawMessage{"a": json.RawMessage(`{"b" : 1 }`), "c": json.RawMessage("null")})
	want[any](t, `{"a":[1,"x",true,false,null,{}],"b":[]}`, map[string]any{
		"a": []any{json.Number("1"), "x", true, false, nil, map[string]any{}}, "b": []any{},
	})
	want(t, `"/+8="`, []byte{0xff, 0xef})
	want(t, `""`, []byte{})
	want(t, `{"v":1,"next":{"v":2,"next":null}}`, chained{1, &chained{2, nil}})
	want(t, `{"kids":[{},{"kids":[]}],"by":{"a":{}}}`, tree{[]tree{{}, {Kids: []tree{}}}, map[string]tree{"a": {}}})
	want(t, `{}`, struct{}{})
	want(t, `{"a":1}`, struct{}{})
	want(t, `"192.0.2.1"`, netip.MustParseAddr("192.0.2.1"))
	want(t, `123456789012345678901234567890`, *func() *big.Int { i, _ := new(big.Int).SetString("123456789012345678901234567890", 10); return i }())

	refused[yes](t, "json.type", `1`, `null`, `"true"`)
	refused[[2]int](t, "json.type", `[1]`, `[1,2,3]`, `[]`, `null`, `{}`)
	refused[[0]int](t, "json.type", `[1]`)
	refused[[]byte](t, "json.type", `"/+8"`, `"_-8="`, `"/+9="`, `"/+8=\n"`, `"/\r+8="`, `[1]`, `1`, `"="`)
	refused[[]byte](t, "json.syntax", `"`)
	refused[netip.Addr](t, "json.type", `"300.0.2.1"`, `1`, `null`)
	refused[big.Int](t, "json.type", `"x"`, `null`)
	refused[map[named]int](t, "json.duplicate", `{"a":1,"a":2}`)
	refused[*int](t, "json.type", `"1"`)
	refused[*int](t, "json.syntax", `nul`)
}

func TestQuoted(t *testing.T) {
	type quoted struct {
		I int         `json:"i,string"`
		U uint8       `json:"u,string"`
		F float64     `json:"f,string"`
		B bool        `json:"b,string"`
		S string      `json:"s,string"`
		N json.Number `json:"n,string"`
		P *int        `json:"p,string"`
		L []int       `json:"l,string"`
	}
	one := 1
	want(t, `{"i":"-12","u":"2","f":"1.5","b":"true","s":"\"a\"","n":"1e9","p":"1","l":[1]}`,
		quoted{-12, 2, 1.5, true, "a", "1e9", &one, []int{1}})
	want(t, `{"p":null}`, quoted{})
	refused[quoted](t, "json.type", `{"i":1}`, `{"i":null}`, `{"i":"x"}`, `{"i":""}`, `{"i":" 1"}`, `{"i":"1 "}`, `{"i":"1,"}`, `{"b":"tru"}`, `{"s":"a"}`, `{"i":"01"}`, `{"n":"x"}`, `{"i":"null"}`)
	refused[quoted](t, "json.number", `{"u":"256"}`, `{"i":"1.5"}`, `{"f":"1e400"}`)
	refused[quoted](t, "json.syntax", `{"i":"1`, `{"i":"\q"}`)
}

// A member that is null is as good as absent with the tag null:"absent", and without it refused.
func TestNullable(t *testing.T) {
	type T struct {
		S string    `json:"s,omitempty" null:"absent"`
		A []string  `json:"a,omitempty,format:oneormany" null:"absent"`
		D time.Time `json:"d,omitzero,format:unix" null:"absent"`
		B yesNo     `json:"b,omitempty" null:"absent"`
		N string    `json:"n,omitempty"`
	}
	var v T
	if err := strictjson.Unmarshal([]byte(`{"s":null,"a":null,"d":null,"b":null}`), &v, strictjson.Limits{}); err != nil || v.S != "" || v.A != nil || !v.D.IsZero() || bool(v.B) {
		t.Error(v, err)
	}
	if err := strictjson.Unmarshal([]byte(`{"s":"x","a":"y","d":1,"b":"yes"}`), &v, strictjson.Limits{}); err != nil || v.S != "x" || v.A[0] != "y" || v.D.Unix() != 1 || !bool(v.B) {
		t.Error(v, err)
	}
	for _, doc := range []string{`{"n":null}`, `{"s":nul}`, `{"s":nullx}`, `{"s":1}`, `{"s":null,"s":null}`, `{"d":"x"}`} {
		if err := strictjson.Unmarshal([]byte(doc), &v, strictjson.Limits{}); err == nil {
			t.Error(doc)
		}
	}
	if _, err := strictjson.NewDecoder[struct {
		C chan int `json:"c" null:"absent"`
	}](); err == nil {
		t.Error("a channel has no JSON")
	}
	e, err := strictjson.NewEncoder[T]()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := e.Append(nil, &T{S: "x", A: []string{"y"}, D: time.Unix(1, 0)}); err != nil || string(out) != `{"s":"x","a":"y","d":1}` {
		t.Errorf("%s %v", out, err)
	}
}

type yesNo bool

func (y *yesNo) UnmarshalJSON(data []byte) error {
	*y = string(data) == `"yes"`
	return nil
}

func TestOneOrMany(t *testing.T) {
	type audience []string
	type token struct {
		Aud   audience  `json:"aud,omitempty,format:oneormany"`
		Other *[]string `json:"other,omitempty,format:oneormany"`
		Roles []string  `json:"roles,omitempty"`
	}
	want(t, `{"aud":"a"}`, token{Aud: audience{"a"}})
	want(t, `{"aud":["a"]}`, token{Aud: audience{"a"}})
	want(t, `{"aud":["a","b"],"other":"c","roles":["d"]}`, token{audience{"a", "b"}, &[]string{"c"}, []string{"d"}})
	want(t, `{"aud":[]}`, token{Aud: audience{}})
	want(t, `{"aud":"\u0061"}`, token{Aud: audience{"a"}})
	refused[token](t, "json.type", `{"aud":null}`, `{"aud":1}`, `{"aud":[1]}`, `{"aud":[null]}`, `{"aud":{}}`, `{"aud":["a",["b"]]}`, `{"roles":"a"}`) // F8, F9
	refused[token](t, "json.syntax", `{"aud":"a`, `{"aud":["a"`, `{"aud":nul}`)

	// Lists stand in the room that there is, and cannot grow into what follows.
	d, err := strictjson.NewDecoder[token]()
	if err != nil {
		t.Fatal(err)
	}
	for doc, room := range map[string][3]string{
		`{"aud":"a","roles":["b","c"]}`:     {"a", "b", "c"},
		`{"roles":["b"],"aud":"a"}`:         {"b", "a", ""},
		`{"aud":["a","b","c","d"]}`:         {"a", "b", "c"},
		`{"roles":[],"aud":"a"}`:            {"a", "", ""},
		`{"roles":["b","c","d"],"aud":"a"}`: {"b", "c", "d"},
	} {
		var v token
		var have [3]string
		if err := d.DecodeWith(have[:], []byte(doc), &v, &strictjson.Limits{}); err != nil || have != room || cap(v.Aud) != len(v.Aud) || cap(v.Roles) != len(v.Roles) {
			t.Errorf("%s: %q and %q of %q, %v", doc, v.Aud, v.Roles, have, err)
		}
		var again token
		if err := d.Decode([]byte(doc), &again, strictjson.Limits{}); err != nil || !reflect.DeepEqual(v, again) {
			t.Errorf("%s: %+v, %v without room, %+v with it", doc, again, err, v)
		}
	}
}

// Lists of one document share an allocation, and yet none can grow into another.
func TestListsDoNotOverlap(t *testing.T) {
	type lists struct {
		A []string `json:"a,format:oneormany"`
		B []string `json:"b"`
		C []string `json:"c,format:oneormany"`
		D []string `json:"d"`
		E []string `json:"e"`
	}
	v, code := decode[lists](`{"a":"1","b":["2","3"],"c":"4","d":["5","6","7","8","9","10","11"],"e":["12"]}`)
	if code != "" {
		t.Fatal(code)
	}
	before := fmt.Sprint(v)
	for _, l := range [][]string{v.A, v.B, v.C, v.D, v.E} {
		_ = append(l, "overwritten")
		if cap(l) != len(l) {
			t.Errorf("a list of %d has room for %d", len(l), cap(l))
		}
	}
	if after := fmt.Sprint(v); after != before || before != "{[1] [2 3] [4] [5 6 7 8 9 10 11] [12]}" {
		t.Errorf("lists were %s, are %s", before, after)
	}
}

type (
	Base struct {
		A string `json:"a"`
		B string `json:"b"`
	}
	Deep struct {
		Base
		B string `json:"b"`
		C string
	}
	inner   struct{ X int }
	Self    struct{ *Self }
	Pointed struct {
		*Base
		D int `json:"d"`
	}
	Renamed struct {
		Base `json:"base"`
		inner
		inner2 int //lint:ignore U1000 that it is unexported is the point
		Skip   int `json:"-"`
		Dash   int `json:"-,"`
	}
	Tagged struct {
		Left
		Right
	}
	Left  struct{ A string }
	Right struct {
		B string `json:"A"`
	}
	Both struct {
		Left
		Other
	}
	RightToo struct {
		B string `json:"A"`
	}
	Other struct{ A string }
)

// Embedded structs merge as encoding/json merges them.
func TestEmbedding(t *testing.T) {
	want(t, `{"a":"1","b":"2","C":"3"}`, Deep{Base{A: "1"}, "2", "3"})
	want(t, `{"a":"1","d":2}`, Pointed{&Base{A: "1"}, 2})
	want(t, `{"d":2}`, Pointed{nil, 2})
	want(t, `{"base":{"a":"1"},"X":2,"-":3,"Skip":4,"inner2":5}`, Renamed{Base: Base{A: "1"}, inner: inner{2}, Dash: 3})
	want(t, `{"A":"1"}`, Tagged{Right: Right{"1"}})
	want(t, `{"A":"1"}`, Both{})
	// Two fields with the tag cancel each other out, which go vet knows as well.
	twice := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Right", Type: reflect.TypeFor[Right](), Anonymous: true},
		{Name: "RightToo", Type: reflect.TypeFor[RightToo](), Anonymous: true},
	}))
	if err := strictjson.Unmarshal([]byte(`{"A":"1"}`), twice.Interface(), strictjson.Limits{}); err != nil || !twice.Elem().IsZero() {
		t.Errorf("into two fields of one tag: %+v, %v", twice.Elem(), err)
	}
	want(t, `{"x":1}`, Self{})
	for _, doc := range []string{`{"a":"1","b":"2","C":"3"}`, `{"a":"1"}`, `{}`} {
		ours, code := decode[Deep](doc)
		var theirs Deep
		if err := json.Unmarshal([]byte(doc), &theirs); err != nil || code != "" || ours != theirs {
			t.Errorf("%s = %v, %q; encoding/json: %v, %v", doc, ours, code, theirs, err)
		}
	}
	type hidden struct{ *inner }
	if _, err := strictjson.NewDecoder[hidden](); err == nil {
		t.Error("an embedded pointer to a struct that is not exported was accepted")
	}
}

type Registered struct {
	Issuer  string    `json:"iss,omitempty"`
	Subject string    `json:"sub,omitempty"`
	Expiry  time.Time `json:"exp,omitzero,format:unix"`
}

type merged[C any] struct {
	Registered `json:",inline"`
	Claims     C `json:",inline"`
}

func TestInline(t *testing.T) {
	type order struct {
		ID    string `json:"order_id"`
		Admin bool   `json:"admin"`
	}
	reg := Registered{Issuer: "i", Expiry: time.Unix(5, 0).UTC()}
	const doc = `{"order_id":"o","iss":"i","admin":true,"exp":5,"more":{"x":[1]}}`
	want(t, doc, merged[order]{reg, order{"o", true}})
	want(t, doc, merged[*order]{reg, &order{"o", true}})
	want(t, `{"iss":"i","exp":5}`, merged[*order]{reg, nil})
	want(t, doc, merged[struct{}]{reg, struct{}{}})
	want(t, `{"iss":"i","exp":5}`, merged[map[string]any]{reg, nil})
	want(t, doc, merged[map[string]any]{reg, map[string]any{
		"order_id": "o", "admin": true, "more": map[string]any{"x": []any{json.Number("1")}},
	}})
	want(t, doc, merged[map[string]json.RawMessage]{reg, map[string]json.RawMessage{
		"order_id": json.RawMessage(`"o"`), "admin": json.RawMessage(`true`), "more": json.RawMessage(`{"x":[1]}`),
	}})
	want(t, `{"a":1,"b":2,"iss":"i","exp":5}`, merged[map[named]int8]{reg, map[named]int8{"a": 1, "b": 2}})
	want(t, doc, merged[struct {
		order `json:"-"`
		Map   map[string]any `json:",inline"`
		Admin bool           `json:"admin"`
		ID    string         `json:"order_id"`
	}]{Registered: reg, Claims: struct {
		order `json:"-"`
		Map   map[string]any `json:",inline"`
		Admin bool           `json:"admin"`
		ID    string         `json:"order_id"`
	}{Map: map[string]any{"more": map[string]any{"x": []any{json.Number("1")}}}, Admin: true, ID: "o"}})
	refused[merged[map[string]any]](t, "json.duplicate", `{"iss":"a","iss":"a"}`, `{"x":1,"iss":"a","x":1}`)
	refused[merged[map[string]int8]](t, "json.duplicate", `{"x":1,"x":1}`)
	refused[merged[map[string]int8]](t, "json.number", `{"x":128}`)
	refused[merged[map[string]int8]](t, "json.type", `{"x":null}`, `{"x":"1"}`)
	refused[merged[struct{}]](t, "json.duplicate", `{"x":1,"x":1}`)
	refused[merged[struct{}]](t, "json.type", `{"exp":null}`, `{"iss":null}`, `[]`)
	refused[merged[map[string]any]](t, "json.syntax", `{"x":}`, `{"x"`, `{"x":[1,]}`)
	refused[merged[map[string]json.RawMessage]](t, "json.syntax", `{"x":}`, `{"x"`, `{"x":[1,]}`)

	// The map is made anew, whatever was in it.
	v := merged[map[string]any]{Claims: map[string]any{"old": 1}}
	if err := strictjson.Unmarshal([]byte(`{"new":true}`), &v, strictjson.Limits{}); err != nil || len(v.Claims) != 1 {
		t.Errorf("into a map that was not empty: %v, %v", v.Claims, err)
	}
}

type optional struct{ Via *merged[map[string]string] }

type Inner struct {
	Name string            `json:"name"`
	Rest map[string]string `json:",inline"`
}

// An inline map behind an embedded pointer is reached only when there is something for it.
func TestInlineBehindPointer(t *testing.T) {
	type outer struct {
		*Inner
		N int `json:"n"`
	}
	want(t, `{"n":1}`, outer{nil, 1})
	want(t, `{"n":1,"x":"y"}`, outer{&Inner{Rest: map[string]string{"x": "y"}}, 1})
	want(t, `{"name":"a","n":1}`, outer{&Inner{Name: "a"}, 1})
	want(t, `{"Via":{"iss":"i","k":"v"}}`, optional{&merged[map[string]string]{Registered{Issuer: "i"}, map[string]string{"k": "v"}}})
}

func TestConflicts(t *testing.T) {
	type collides struct {
		Sub string `json:"sub"`
	}
	type twice struct {
		A Base `json:",inline"`
		B Base `json:",inline"`
	}
	type parent struct {
		A string `json:"a"`
		B Base   `json:",inline"`
	}
	conflict := func(name string, errs ...error) {
		t.Helper()
		for _, err := range errs {
			if e, ok := errors.AsType[*strictjson.ConflictError](err); !ok || e.Name != name || !strings.Contains(e.Error(), name) {
				t.Errorf("%v, want a conflict of %s", err, name)
			}
		}
	}
	_, err1 := strictjson.NewDecoder[merged[collides]]()
	_, err2 := strictjson.NewEncoder[merged[collides]]()
	conflict("sub", err1, err2)
	_, err1 = strictjson.NewDecoder[twice]()
	_, err2 = strictjson.NewDecoder[parent]()
	conflict("a", err1, err2)
	conflict("a", strictjson.Unmarshal([]byte(`{}`), &parent{}, strictjson.Limits{}))
}

type withMethods struct{ A int }

func (*withMethods) UnmarshalJSON([]byte) error  { return nil }
func (withMethods) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

type Broken struct{ C chan int }

type mapWithMethods map[string]int

func (*mapWithMethods) UnmarshalJSON([]byte) error  { return nil }
func (mapWithMethods) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

type withText struct{ A int }

func (*withText) UnmarshalText([]byte) error  { return nil }
func (withText) MarshalText() ([]byte, error) { return nil, nil }

type keyToText string

func (keyToText) MarshalText() ([]byte, error) { return nil, nil }

type keyFromText string

func (*keyFromText) UnmarshalText([]byte) error { return nil }

type textKey string

func (*textKey) UnmarshalText([]byte) error  { return nil }
func (textKey) MarshalText() ([]byte, error) { return nil, nil }

func TestUnsupported(t *testing.T) {
	type inlineTwo struct {
		A map[string]any `json:",inline"`
		B map[string]any `json:",inline"`
	}
	type inlineSelf struct {
		A string
		S *inlineSelf `json:",inline"`
	}
	for name, errs := range map[string][2]error{
		"has no JSON":         both[chan int](),
		"[]func() is no JSON": both[[]func()](),
		"in a struct":         both[struct{ C complex128 }](),
		"in an array":         both[[1]chan int](),
		"in a map":            both[map[string]chan int](),
		"behind a pointer":    both[*chan int](),
		"as an inline map": both[struct {
			M map[string]chan int `json:",inline"`
		}](),
		"keys of integers":  both[map[int]string](),
		"keys with methods": both[map[textKey]string](),
		"keys to text":      both[map[keyToText]string](),
		"keys from text":    both[map[keyFromText]string](),
		"inline with text": both[struct {
			S withText `json:",inline"`
		}](),
		"two inline maps": both[inlineTwo](),
		"an inline string": both[struct {
			S string `json:",inline"`
		}](),
		"an inline interface": both[struct {
			S any `json:",inline"`
		}](),
		"an inline pointer": both[struct {
			S *map[string]any `json:",inline"`
		}](),
		"inline with a name": both[struct {
			S struct{} `json:"s,inline"`
		}](),
		"inline with methods": both[struct {
			S withMethods `json:",inline"`
		}](),
		"inline map, methods": both[struct {
			S mapWithMethods `json:",inline"`
		}](),
		"within an inlined":  both[merged[struct{ C chan int }]](),
		"within an embedded": both[struct{ Broken }](),
		"an inline circle":   both[inlineSelf](),
		"an unknown option": both[struct {
			S string `json:"s,omitnever"`
		}](),
		"unix of a string": both[struct {
			S string `json:"s,format:unix"`
		}](),
		"oneormany of a string": both[struct {
			S string `json:"s,format:oneormany"`
		}](),
		"oneormany of numbers": both[struct {
			S []int `json:"s,format:oneormany"`
		}](),
		"quoted no JSON": both[struct {
			S chan int `json:"s,string"`
		}](),
		"a name without UTF-8": both[struct {
			S string `json:"\xff"`
		}](),
	} {
		for i, err := range errs {
			if err == nil {
				t.Errorf("%s: accepted (%d)", name, i)
			}
		}
	}
	if _, err := strictjson.NewDecoder[fmt.Stringer](); err == nil {
		t.Error("an interface with methods was accepted for reading")
	}
	hidden := reflect.StructOf([]reflect.StructField{{
		Name: "s", PkgPath: "example.com/x", Type: reflect.TypeFor[struct{}](), Tag: `json:",inline"`,
	}})
	if err := strictjson.Unmarshal([]byte("{}"), reflect.New(hidden).Interface(), strictjson.Limits{}); err == nil {
		t.Error("an inline field that is not exported was accepted")
	}
	var c chan int
	if err := strictjson.Unmarshal([]byte("1"), &c, strictjson.Limits{}); err == nil {
		t.Error("Unmarshal into a channel was accepted")
	}
	for _, v := range []any{nil, 1, (*int)(nil), map[string]any{}} {
		if err := strictjson.Unmarshal([]byte("1"), v, strictjson.Limits{}); err == nil {
			t.Errorf("Unmarshal into %T was accepted", v)
		}
	}
}

func both[T any]() [2]error {
	_, err1 := strictjson.NewDecoder[T]()
	_, err2 := strictjson.NewEncoder[T]()
	return [2]error{err1, err2}
}

type failing struct{}

func (f *failing) UnmarshalJSON(b []byte) error { return fmt.Errorf("it said %s", b) }

type coded struct{}

func (*coded) UnmarshalJSON([]byte) error {
	return fault.New("key.invalid", "RFC 7517, Section 4", "not a key")
}

type textual struct{ s string }

func (x *textual) UnmarshalText(b []byte) error { x.s = string(b) + "!"; return nil }

type failingText struct{}

func (*failingText) UnmarshalText(b []byte) error { return errors.New("no: " + string(b)) }

type seesNull []int

func (s *seesNull) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*s = seesNull{-1}
	}
	return nil
}

func TestMethods(t *testing.T) {
	want(t, `{"T":"a\u0062"}`, struct{ T textual }{textual{"ab!"}})
	want(t, `{"T":null}`, struct{ T *textual }{})
	want(t, `{"T":"x"}`, struct{ T *textual }{&textual{"x!"}})
	want(t, `[null]`, []seesNull{{-1}})
	refused[failing](t, "json.type", `1`, `null`)
	refused[failing](t, "json.duplicate", `{"a":1,"a":1}`)
	refused[textual](t, "json.type", `1`, `null`)
	refused[textual](t, "json.surrogate", `"\ud800"`)
	refused[failingText](t, "json.type", `"x"`)
	refused[failingText](t, "json.syntax", `"x`)
	refused[coded](t, "key.invalid", `1`)

	err := strictjson.Unmarshal([]byte(`{"f":"secret"}`), &struct {
		F failing `json:"f"`
	}{}, strictjson.Limits{})
	e, ok := errors.AsType[*strictjson.Error](err)
	if !ok || strings.Contains(err.Error(), "secret") || e.Member != "f" || !errors.Is(err, strictjson.ErrType) {
		t.Errorf("error of a method: %v, want a json.type that quotes nothing", err)
	}
	if causes := e.Unwrap(); len(causes) != 2 || causes[0].Error() != `it said "secret"` {
		t.Errorf("causes %v", causes)
	}
	err = strictjson.Unmarshal([]byte(`1`), &coded{}, strictjson.Limits{})
	if e, ok := errors.AsType[*strictjson.Error](err); !ok || e.Spec() != "RFC 7517, Section 4" || !errors.Is(err, strictjson.ErrType) {
		t.Errorf("error of a method with a code: %v", err)
	}
}

// A struct whose names are many, alike, or long is read like any other.
func TestManyFields(t *testing.T) {
	var fields []reflect.StructField
	var doc strings.Builder
	names := []string{"a", "ab", "ba", "abc", "acb", "abcd", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "ä", "a/b", `q"uote`}
	for i := range 150 {
		names = append(names, fmt.Sprintf("urn:example:claim:%03d:of-many", i), fmt.Sprintf("n%d", i))
	}
	// Of these, beginning, end and length are alike: no hash tells them apart.
	for i := range 3 {
		names = append(names, fmt.Sprintf("the same beginning %d and the same end", i))
	}
	for i, name := range names {
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int](), Tag: reflect.StructTag(fmt.Sprintf("json:%q", name)),
		})
	}
	backward := slices.Clone(names)
	slices.Reverse(backward)
	for seed, order := range [][]string{names, backward} {
		doc.Reset()
		for i, name := range order {
			fmt.Fprintf(&doc, ",%q:%d", name, i)
		}
		v := reflect.New(reflect.StructOf(fields))
		text := "{" + doc.String()[1:] + "}"
		if err := strictjson.Unmarshal([]byte(text), v.Interface(), strictjson.Limits{}); err != nil {
			t.Fatal(err)
		}
		for i := range names {
			at := i
			if seed == 1 {
				at = len(names) - 1 - i
			}
			if got := v.Elem().Field(i).Int(); got != int64(at) {
				t.Errorf("order %d: %s is %d, want %d", seed, names[i], got, at)
			}
		}
		if err := strictjson.Unmarshal([]byte(text[:len(text)-1]+`,"n150":1,"x":2}`), v.Interface(), strictjson.Limits{}); err != nil {
			t.Errorf("with members that are not known: %v", err)
		}
		for _, name := range names {
			twice := fmt.Sprintf("%s,%q:1}", text[:len(text)-1], name)
			if err := strictjson.Unmarshal([]byte(twice), v.Interface(), strictjson.Limits{}); !errors.Is(err, strictjson.ErrDuplicate) {
				t.Errorf("%s twice: %v, want json.duplicate", name, err)
			}
		}
	}
}

// A member's name is told from others that begin as it does, at every distance from
// the end of the document.
func TestSimilarNames(t *testing.T) {
	type similar struct {
		A  int `json:"a"`
		AB int `json:"abcdefghij"`
		S  int `json:"abcdefg"`
		L  int `json:"abcdefgh"`
	}
	for _, c := range []struct {
		doc  string
		want similar
	}{
		{`{"a":1}`, similar{A: 1}},
		{`{"a" :1}`, similar{A: 1}},
		{`{"a":1,"abcdefghij":2,"abcdefg":3,"abcdefgh":4}`, similar{1, 2, 3, 4}},
		{`{"a":1,"abcdefghij" :2,"abcdefg" :3,"abcdefgh"	: 4}`, similar{1, 2, 3, 4}},
		{`{"a":1,"abcdefghik":2}`, similar{A: 1}},
		{`{"a":1,"abcdefghi":2}`, similar{A: 1}},
		{`{"a":1,"abcdefghijk":2}`, similar{A: 1}},
		{`{"abcdefgh":4,"abcdefg":3,"abcdefghij":2,"a":1}`, similar{1, 2, 3, 4}},
		{`{"aa":1}`, similar{}},
		{`{"":1}`, similar{}},
		{`{"b":1}`, similar{}},
		{`{"a\"":1}`, similar{}},
		{`{"a":1,"abcdefghij` + `":2}   `, similar{A: 1, AB: 2}},
	} {
		want(t, c.doc, c.want)
	}
	refused[similar](t, "json.syntax", `{"a":1,"abcdefghij`, `{"a":1,"abcdefghij"`, `{"a":1,"abcdefghij":`, `{"a":1,"abcdefghij"2}`)
}

func TestNames(t *testing.T) {
	d, err := strictjson.NewDecoder[merged[*struct {
		ID   string         `json:"id"`
		Rest map[string]any `json:",inline"`
	}]]()
	if err != nil {
		t.Fatal(err)
	}
	e, err := strictjson.NewEncoder[*Registered]()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(d.Names(), e.Names()); got != "[iss sub exp id] [iss sub exp]" {
		t.Errorf("Names = %s", got)
	}
	if d, err := strictjson.NewDecoder[[]Registered](); err != nil || d.Names() != nil {
		t.Errorf("Names of a slice = %v, %v", d.Names(), err)
	}
}

// Strings without escapes are not copied; the document is the caller's gift.
func TestAliases(t *testing.T) {
	doc := []byte(`{"iss":"aaaa"}`)
	var v Registered
	if err := strictjson.Unmarshal(doc, &v, strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	doc[8] = 'b'
	if v.Issuer != "baaa" {
		t.Errorf("issuer = %s: the string was copied", v.Issuer)
	}
}

// A member is taken for the field that is expected only if each byte of its name is that field's.
func TestExpectedNames(t *testing.T) {
	for n := 1; n <= 20; n++ {
		name := "abcdefghijklmnopqrst"[:n]
		fields := reflect.StructOf([]reflect.StructField{
			{Name: "A", Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`json:"` + name + `"`)},
			{Name: "B", Type: reflect.TypeFor[string](), Tag: `json:"b2"`},
		})
		read := func(doc string) []any {
			v := reflect.New(fields)
			if err := strictjson.Unmarshal([]byte(doc), v.Interface(), strictjson.Limits{}); err != nil {
				t.Fatalf("%s: %v", doc, err)
			}
			return []any{v.Elem().Field(0).Interface(), v.Elem().Field(1).Interface()}
		}
		for _, doc := range []string{`{"` + name + `":"1","b2":"2"}`, `{"b2":"2","` + name + `":"1"}`, `{"` + name + `":"1" , "b2":"2"}`} {
			if got := read(doc); got[0] != "1" || got[1] != "2" {
				t.Errorf("%s is read as %q", doc, got)
			}
		}
		for i := range n {
			other := name[:i] + "." + name[i+1:]
			if got := read(`{"` + other + `":"1","b2":"2"}`); got[0] != "" || got[1] != "2" {
				t.Errorf("%s is taken for %s", other, name)
			}
		}
		for _, other := range []string{name + ".", "." + name, name[1:] + ".."} {
			if got := read(`{"` + other + `":"1","b2":"2"}`); got[0] != "" || got[1] != "2" {
				t.Errorf("%s is taken for %s", other, name)
			}
		}
		for _, doc := range []string{`{"` + name + `" :"1"}`, `{"` + name + `": "1"}`, `{ "` + name + `":"1"}`} {
			if got := read(doc); got[0] != "1" {
				t.Errorf("%s is read as %q", doc, got)
			}
		}
	}
}

// Eight digits are read at once: all lengths around that, and every byte in the place of each digit.
func TestDigits(t *testing.T) {
	const digits = "9182736450918273645"
	for n := 1; n <= len(digits); n++ {
		for _, sign := range []string{"", "-"} {
			whole := sign + digits[:n]
			value, err := strconv.ParseInt(whole, 10, 64)
			for _, doc := range []string{whole, whole + ".0", whole + "e0"} {
				if got, code := decode[int64](doc); (code == "") != (err == nil) || err == nil && got != value {
					t.Errorf("%s = %d, %q, want %d, %v", doc, got, code, value, err)
				}
			}
		}
	}
	for i := range 10 {
		for c := range 256 {
			doc := []byte("9182736450")
			doc[i] = byte(c)
			var value int64
			err := json.Unmarshal(bytes.TrimSuffix(bytes.TrimSuffix(bytes.ToLower(doc), []byte("e0")), []byte(".0")), &value)
			if got, code := decode[int64](string(doc)); (code == "") != (err == nil) || err == nil && got != value {
				t.Errorf("%q = %d, %q, want %d, %v", doc, got, code, value, err)
			}
		}
	}
}
