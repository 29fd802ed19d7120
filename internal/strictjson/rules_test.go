package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// flat has a field of each kind that has code of its own in the decoder.
type flat struct {
	A any               `json:"a"`
	B bool              `json:"b"`
	S string            `json:"s"`
	L []string          `json:"l"`
	M map[string]int    `json:"m"`
	R json.RawMessage   `json:"r"`
	O struct{ X int }   `json:"o"`
	P *struct{ Y int }  `json:"p"`
	E []struct{ Z int } `json:"e"`
}

type withRest struct {
	S    string         `json:"s"`
	Rest map[string]any `json:",inline"`
}

type withRaw struct {
	S    string                     `json:"s"`
	Rest map[string]json.RawMessage `json:",inline"`
}

type withInts struct {
	S    string         `json:"s"`
	Rest map[string]int `json:",inline"`
}

// readers are all the ways through the package that read whatever JSON there is.
var readers = map[string]func(string) error{
	"Valid": func(s string) error { return strictjson.Valid([]byte(s), strictjson.Limits{}) },
	"any": func(s string) error {
		var v any
		return strictjson.Unmarshal([]byte(s), &v, strictjson.Limits{})
	},
	"raw": func(s string) error {
		var v json.RawMessage
		return strictjson.Unmarshal([]byte(s), &v, strictjson.Limits{})
	},
	"method": func(s string) error {
		var v []accepting
		return strictjson.Unmarshal([]byte("[0,"+s+"]"), &v, strictjson.Limits{})
	},
	"empty struct, nested": func(s string) error {
		var v struct{}
		return strictjson.Unmarshal([]byte(`{"skipped":`+s+`}`), &v, strictjson.Limits{})
	},
	"field of type any": func(s string) error {
		var v flat
		return strictjson.Unmarshal([]byte(`{"a":`+s+`}`), &v, strictjson.Limits{})
	},
	"field of raw type": func(s string) error {
		var v flat
		return strictjson.Unmarshal([]byte(`{"r":`+s+`}`), &v, strictjson.Limits{})
	},
	"member of an inline map": func(s string) error {
		var v withRest
		return strictjson.Unmarshal([]byte(`{"x":`+s+`}`), &v, strictjson.Limits{})
	},
	"member of a raw inline map": func(s string) error {
		var v withRaw
		return strictjson.Unmarshal([]byte(`{"x":`+s+`}`), &v, strictjson.Limits{})
	},
	"map": func(s string) error {
		var v map[string]any
		return strictjson.Unmarshal([]byte(`{"x":`+s+`}`), &v, strictjson.Limits{})
	},
	"raw map": func(s string) error {
		var v map[string]json.RawMessage
		return strictjson.Unmarshal([]byte(`{"x":`+s+`}`), &v, strictjson.Limits{})
	},
	"map of named strings": func(s string) error {
		type name string
		var v map[name]any
		return strictjson.Unmarshal([]byte(`{"x":`+s+`}`), &v, strictjson.Limits{})
	},
	"Object": func(s string) error {
		return strictjson.Object([]byte(`{"x":`+s+`}`), strictjson.Limits{}, func(string, []byte) error { return nil })
	},
	"Scan": func(s string) error {
		_, _, err := strictjson.Scan([]byte(`{"x":`+s+`,"iss":"a"}`), "iss")
		return err
	},
	"Encoder": func(s string) error {
		e, err := strictjson.NewEncoder[json.RawMessage]()
		if err != nil {
			return err
		}
		raw := json.RawMessage(s)
		_, err = e.Append(nil, &raw)
		return err
	},
}

// accepting is a type whose method accepts whatever it is given.
type accepting []byte

func (a *accepting) UnmarshalJSON(b []byte) error { *a = b; return nil }

// Every reader accepts what JSON accepts.
func TestAccepted(t *testing.T) {
	for _, doc := range []string{
		`{}`, `[]`, `""`, `0`, `-0`, `1`, `-1`, `10`, `0.5`, `-0.5e-5`, `1E3`, `1e+3`, `true`, `false`, `null`,
		" \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n1 \t\r\n, \t\r\n\"b\" : [ 1 , 2 ] } \t\r\n",
		`{"a":{"a":{"a":1}}}`, `[{"a":1},{"a":1}]`, `{"a":1,"A":2,"\u00e4":3}`, `{"":0}`,
		`"\"\\\/\b\f\n\r\t\u0000\u00e4\ud83d\ude00\uD7FF\uE000\uffff"`,
		`"ä€😀 and sixteen more characters, then ä"`, "\"\u2028\u2029\ufeff\ufffd\uffff\x7f\"",
		`"0123456"`, `"01234567"`, `"012345678"`, `"0123456789012345"`,
	} {
		if !json.Valid([]byte(doc)) {
			t.Fatalf("encoding/json refuses the case %s", doc)
		}
		for name, read := range readers {
			if err := read(doc); err != nil {
				t.Errorf("%s: %q: %v, want no error", name, doc, err)
			}
		}
	}
}

// Every reader refuses what breaks a rule, by the same code. D5, folding by
// encoding/json, and D15 concern other packages.
func TestRefused(t *testing.T) {
	deep := strings.Repeat("[", 33) + strings.Repeat("]", 33)
	for _, c := range []struct{ name, code, doc string }{
		{"D1 duplicate", "json.duplicate", `{"a":1,"a":1}`},
		{"D1 duplicate after another", "json.duplicate", `{"a":1,"b":2,"a":1}`},
		{"D1 duplicate of the empty name", "json.duplicate", `{"":1,"":1}`},
		{"D1 duplicate by an escape", "json.duplicate", `{"a":1,"\u0061":1}`},
		{"D1 duplicate by a pair of escapes", "json.duplicate", `{"😀":1,"\ud83d\ude00":1}`},
		{"D2 duplicate in an object", "json.duplicate", `{"act":{"sub":"a","sub":"b"}}`},
		{"D2 duplicate in an array", "json.duplicate", `[[{"cnf":{"jwk":{"kty":"EC","kty":"RSA"}}}]]`},
		{"D2 duplicate behind an object", "json.duplicate", `{"a":{"b":1,"c":2},"a":1}`},
		{"D2 duplicate among many", "json.duplicate", "{" + members(100) + `,"m50":1}`},
		{"D2 duplicate of the last of few", "json.duplicate", "{" + members(32) + `,"m31":1}`},
		{"D2 duplicate of the first of many", "json.duplicate", "{" + members(33) + `,"m0":1}`},
		{"D2 duplicate far down", "json.duplicate", strings.Repeat(`{"a":{"b":1},"c":[`, 8) + `{"x":1,"y":1,"x":1}` + strings.Repeat("]}", 8)},
		{"D9 white space", "json.syntax", " \n"},
		{"D9 empty", "json.syntax", ""},
		{"D10 invalid byte", "json.utf8", "\"\xff\""},
		{"D10 overlong", "json.utf8", "\"\xc0\x80\""},
		{"D10 surrogate in UTF-8", "json.utf8", "\"\xed\xa0\x80\""},
		{"D10 above the last character", "json.utf8", "\"\xf4\x90\x80\x80\""},
		{"D10 cut sequence", "json.utf8", "\"\xe2\x82\""},
		{"D10 invalid byte far in", "json.utf8", `"0123456789abcdef` + "ä\xff\""},
		{"D10 invalid byte in a name", "json.utf8", "{\"0123456789\xff\":1}"},
		{"D10 invalid byte behind an escape", "json.utf8", "\"\\n\xff\""},
		{"D10 byte order mark", "json.syntax", "\ufeff{}"},
		{"D10 UTF-16", "json.syntax", "{\x00}\x00"},
		{"D11 high surrogate alone", "json.surrogate", `"\ud800"`},
		{"D11 highest high surrogate alone", "json.surrogate", `"\udbff"`},
		{"D11 low surrogate alone", "json.surrogate", `"\udc00"`},
		{"D11 highest low surrogate alone", "json.surrogate", `"\uDFFF"`},
		{"D11 two high surrogates", "json.surrogate", `"\ud800\ud800"`},
		{"D11 high surrogate and a letter", "json.surrogate", `"\ud800\u0061"`},
		{"D11 high surrogate and above", "json.surrogate", `"\ud800\ue000"`},
		{"D11 high surrogate and another escape", "json.surrogate", `"\ud800\nabcdef"`},
		{"D11 high surrogate and text", "json.surrogate", `"\ud800xudc00"`},
		{"D11 high surrogate and no digits", "json.surrogate", `"\ud800\uzzzz"`},
		{"D11 in a name", "json.surrogate", `{"\ud800":1}`},
		{"D12 depth", "json.depth", deep},
		{"D12 depth of objects", "json.depth", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33)},
		{"D14 long name", "json.limit", `{"` + strings.Repeat("a", 1025) + `":1}`},
		{"D14 members", "json.limit", "{" + members(4001) + "}"},
		{"D14 elements", "json.limit", "[0" + strings.Repeat(",0", 4000) + "]"},
		{"D14 long number", "json.limit", strings.Repeat("1", 65)},
		{"D14 long fraction", "json.limit", "1." + strings.Repeat("1", 63)},

		{"nothing behind a minus", "json.syntax", "-"},
		{"letter behind a minus", "json.syntax", "-a"},
		{"plus", "json.syntax", "+1"},
		{"no integer part", "json.syntax", ".5"},
		{"no fraction", "json.syntax", "1."},
		{"letter as fraction", "json.syntax", "1.e1"},
		{"no exponent", "json.syntax", "1e"},
		{"no exponent behind its sign", "json.syntax", "1e+"},
		{"hexadecimal", "json.syntax", "[0x10]"},
		{"leading zero", "json.syntax", "[01]"},
		{"leading zero of a negative", "json.syntax", "[-01]"},
		{"NaN", "json.syntax", "NaN"},
		{"Infinity", "json.syntax", "Infinity"},
		{"half a literal", "json.syntax", "tru"},
		{"half of false", "json.syntax", "fals"},
		{"half of null", "json.syntax", "nul"},
		{"literal in capitals", "json.syntax", "True"},
		{"comment", "json.syntax", "[1/**/]"},
		{"comma at the end of an array", "json.syntax", "[1,]"},
		{"comma at the start of an array", "json.syntax", "[,1]"},
		{"comma at the end of an object", "json.syntax", `{"a":1,}`},
		{"comma at the start of an object", "json.syntax", `{,"a":1}`},
		{"two commas", "json.syntax", "[1,,2]"},
		{"no comma in an array", "json.syntax", "[1 2]"},
		{"no comma in an object", "json.syntax", `{"a":1 "b":2}`},
		{"no colon", "json.syntax", `{"a" 1}`},
		{"no value", "json.syntax", `{"a":}`},
		{"another sign for the colon", "json.syntax", `{"a"=1}`},
		{"no first quote of a name", "json.syntax", `{a":1}`},
		{"name only", "json.syntax", `{"a"}`},
		{"name without quotes", "json.syntax", `{a:1}`},
		{"name that is a number", "json.syntax", `{1:1}`},
		{"single quotes", "json.syntax", `'a'`},
		{"brackets crossed", "json.syntax", `[1}`},
		{"brackets crossed the other way", "json.syntax", `{"a":1]`},
		{"control in a string", "json.syntax", "\"a\x1f\""},
		{"NUL in a string", "json.syntax", "\"\x00\""},
		{"line end in a string", "json.syntax", "\"01234567\n\""},
		{"control behind a high byte", "json.syntax", "\"ä\n\""},
		{"unknown escape", "json.syntax", `"\x41"`},
		{"escaped single quote", "json.syntax", `"\'"`},
		{"escape in capitals", "json.syntax", `"\N"`},
		{"no digits", "json.syntax", `"\u"`},
		{"three digits", "json.syntax", `"\u006"`},
		{"no hexadecimal digits", "json.syntax", `"\u00g0"`},
		{"digit below the letters", "json.syntax", `"\u00@0"`},
		{"vertical tab as white space", "json.syntax", "[\v1]"},
		{"no-break space as white space", "json.syntax", "[\u00a01]"},
		{"semicolon", "json.syntax", "[1;2]"},
	} {
		for name, read := range readers {
			if name == "Object" || name == "Scan" || strings.Contains(name, "map") || strings.Contains(name, "field") || strings.Contains(name, "nested") || name == "method" {
				if c.name == "D14 members" || c.name == "D14 elements" {
					continue // their own limits test has these
				}
			}
			if name == "Encoder" && (strings.HasPrefix(c.name, "D12") || strings.HasPrefix(c.name, "D14")) {
				continue // what the program itself holds is not limited
			}
			if err := read(c.doc); fault.CodeOf(err) != c.code {
				t.Errorf("%s, %s: %.60q: %v (%s), want %s", name, c.name, c.doc, err, fault.CodeOf(err), c.code)
			}
		}
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"m%d":%d`, i, i)
	}
	return b.String()
}

// A document that is cut anywhere is refused, as is one with something behind it.
func TestCutAndTrailing(t *testing.T) {
	const doc = `{"a":[1,-2.5e3,true,false,null,{"b":"x\u00e4ä\n"}],"c":"0123456789abcdef"}`
	for name, read := range readers {
		if err := read(doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range len(doc) {
			if code := fault.CodeOf(read(doc[:i])); code != "json.syntax" && code != "json.utf8" {
				t.Errorf("%s: %q: code %q, want json.syntax", name, doc[:i], code)
			}
		}
	}
	for _, behind := range []string{"x", "{}", ",", "]", "}", "\x00", "\"", "\ufeff"} { // D6
		for _, read := range []string{"Valid", "any", "raw", "Encoder"} {
			if code := fault.CodeOf(readers[read](doc + " " + behind)); code != "json.trailing" {
				t.Errorf("%s: %q behind a document: code %q, want json.trailing", read, behind, code)
			}
		}
		if err := strictjson.Object([]byte(doc+behind), strictjson.Limits{}, func(string, []byte) error { return nil }); !errors.Is(err, strictjson.ErrTrailing) {
			t.Errorf("Object: %q behind a document: %v, want json.trailing", behind, err)
		}
		if s, ok, err := strictjson.Scan([]byte(doc+behind), "c"); !errors.Is(err, strictjson.ErrTrailing) || s != "" || ok {
			t.Errorf("Scan: %q behind a document: %q, %v, %v, want json.trailing", behind, s, ok, err)
		}
		var v flat
		if err := strictjson.Unmarshal([]byte(`{}`+behind), &v, strictjson.Limits{}); !errors.Is(err, strictjson.ErrTrailing) {
			t.Errorf("struct: %q behind a document: %v, want json.trailing", behind, err)
		}
	}
}

// Duplicates and syntax within what a struct's own fields read.
func TestRefusedInStructs(t *testing.T) {
	for _, c := range []struct{ code, doc string }{
		{"json.duplicate", `{"b":true,"b":true}`},
		{"json.duplicate", `{"b":true,"x":1,"b":true}`},
		{"json.duplicate", `{"x":1,"b":true,"x":1}`},
		{"json.duplicate", `{"s":"1","\u0073":"2"}`},
		{"json.duplicate", `{"o":{"X":1,"X":1}}`},
		{"json.duplicate", `{"p":{"Y":1,"Y":1}}`},
		{"json.duplicate", `{"e":[{"Z":1,"Z":1}]}`},
		{"json.duplicate", `{"m":{"a":1,"a":1}}`},
		{"json.duplicate", `{"m":{"a":1,"\u0061":1}}`},
		{"json.type", `{"b":null}`},
		{"json.type", `{"b":1}`},
		{"json.type", `{"b":"true"}`},
		{"json.type", `{"s":null}`},
		{"json.type", `{"s":1}`},
		{"json.type", `{"s":["a"]}`},
		{"json.type", `{"l":"a"}`},
		{"json.type", `{"l":[1]}`},
		{"json.type", `{"l":[null]}`},
		{"json.type", `{"m":[]}`},
		{"json.type", `{"m":{"a":null}}`},
		{"json.type", `{"m":{"a":"1"}}`},
		{"json.type", `{"o":null}`},
		{"json.type", `{"o":[]}`},
		{"json.type", `{"o":{"X":null}}`},
		{"json.type", `{"p":1}`},
		{"json.type", `{"p":{"Y":"1"}}`},
		{"json.type", `{"e":{}}`},
		{"json.type", `{"e":[null]}`},
		{"json.type", `{"e":[[]]}`},
		{"json.number", `{"o":{"X":1.5}}`},
		{"json.number", `{"e":[{"Z":1e400}]}`},
		{"json.type", `null`}, // D8
		{"json.type", `[]`},
		{"json.type", `"a"`},
		{"json.type", `1`},
		{"json.type", `true`},
		{"json.syntax", `{"b":tru}`},
		{"json.syntax", `{"b":true "s":"x"}`},
		{"json.syntax", `{"b":true,}`},
		{"json.syntax", `{"b":true,s:1}`},
		{"json.syntax", `{"b" true}`},
		{"json.syntax", `{"b"=true}`},
		{"json.syntax", `{"unknown"=true}`},
		{"json.syntax", `{unknown":true}`},
		{"json.syntax", `{"b":true,unknown":true}`},
		{"json.syntax", `{"b"x:true}`},
		{"json.syntax", `{"b":true`},
		{"json.syntax", `{"b":true]`},
		{"json.syntax", `{"s":"a`},
		{"json.syntax", `{"s":"a\q"}`},
		{"json.syntax", `{"s":}`},
		{"json.syntax", `{"unknown":}`},
		{"json.syntax", `{"unknown`},
		{"json.syntax", `{"l":["a"`},
		{"json.syntax", `{"l":["a",]}`},
		{"json.syntax", `{"l":["a" "b"]}`},
		{"json.syntax", `{"l":["a}`},
		{"json.syntax", `{"l":[`},
		{"json.syntax", `{"m":{"a":1,}}`},
		{"json.syntax", `{"m":{"a" 1}}`},
		{"json.syntax", `{"m":{a:1}}`},
		{"json.syntax", `{"e":[{},]}`},
		{"json.syntax", `{"e":[{}`},
		{"json.syntax", `{"p":{"Y":1}`},
		{"json.syntax", `{"o":[1}`},
		{"json.utf8", "{\"s\":\"\xff\"}"},
		{"json.utf8", "{\"l\":[\"\xff\"]}"},
		{"json.utf8", "{\"\xff\":1}"},
		{"json.surrogate", `{"s":"\ud800"}`},
		{"json.surrogate", `{"l":["\ud800"]}`},
		{"json.trailing", `{} {}`},
		{"json.limit", `{"` + strings.Repeat("x", 1025) + `":1}`},
	} {
		var v flat
		if err := strictjson.Unmarshal([]byte(c.doc), &v, strictjson.Limits{}); fault.CodeOf(err) != c.code {
			t.Errorf("%.60q: %v (%s), want %s", c.doc, err, fault.CodeOf(err), c.code)
		}
	}
	for _, doc := range []string{`{"s":"1","s":"2"}`, `{"x":1,"x":2}`, `{"x":1,"\u0078":2}`, `{"x":1,"s":"1","x":2}`} {
		for _, v := range []any{new(withRest), new(withRaw), new(withInts)} {
			if err := strictjson.Unmarshal([]byte(doc), v, strictjson.Limits{}); !errors.Is(err, strictjson.ErrDuplicate) {
				t.Errorf("%s into %T: %v, want json.duplicate", doc, v, err)
			}
		}
	}
}

// D3, D4: a member whose name differs by case, or by folding, is another member.
func TestNamesMatchExactly(t *testing.T) {
	type registered struct {
		Subject string         `json:"sub"`
		Key     string         `json:"k"`
		Expiry  int            `json:"exp"`
		Rest    map[string]any `json:",inline"`
	}
	var v registered
	doc := `{"SUB":"a","` + "\u017f" + `ub":"b","Sub":"c","K":"d","` + "\u212a" + `":"e","EXP":1,"sub ":"f","sub\u0000":"g","su":"h","subb":"i"}`
	if err := strictjson.Unmarshal([]byte(doc), &v, strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	if v.Subject != "" || v.Key != "" || v.Expiry != 0 || len(v.Rest) != 10 {
		t.Errorf("%s = %+v, want all in the map", doc, v)
	}
	if err := strictjson.Unmarshal([]byte(`{"s\u0075b":"a","\u006b":"b"}`), &v, strictjson.Limits{}); err != nil || v.Subject != "a" || v.Key != "b" {
		t.Errorf("names with escapes: %+v, %v", v, err)
	}
}

func TestErrorTellsWhere(t *testing.T) {
	for _, c := range []struct {
		doc, text, member string
		offset            int
	}{
		{`{"b":true,"s":5}`, `a value of another type is due at byte 14 in "s"`, "s", 14},
		{`{"b":true, "b":true}`, `a member name occurs twice at byte 11`, "", 11},
		{`{"o":{"X":"secret"}}`, `a value of another type is due at byte 10 in "o"`, "o", 10},
		{`{"s":"secret`, `not JSON at byte 12 in "s"`, "s", 12},
		{`{"x":"secret","x":"secret"}`, `a member name occurs twice at byte 14`, "", 14},
		{`{} secret`, `data behind the JSON value at byte 3`, "", 3},
		{`{"s":"` + "secret\xff" + `"}`, `not UTF-8 at byte 12 in "s"`, "s", 12},
	} {
		var v flat
		err := strictjson.Unmarshal([]byte(c.doc), &v, strictjson.Limits{})
		e, ok := errors.AsType[*strictjson.Error](err)
		if !ok || e.Error() != c.text || e.Offset != c.offset || e.Member != c.member || e.Spec() == "" {
			t.Errorf("%s: %v, want %s", c.doc, err, c.text)
		}
	}
}

func TestOffsets(t *testing.T) {
	for doc, offset := range map[string]int{
		`{"a" 1}`: 5, `{"a":[1,}`: 8, `{"a":1,}`: 7, `{"a":1`: 6, `["a`: 3, `[1e]`: 3, `[1.]`: 3, `[tru]`: 1, "\"\xff\"": 1, `"a\q"`: 2, `"\ud800"`: 1, ``: 0,
	} {
		for name, v := range map[string]any{"any": new(any), "raw": new(json.RawMessage)} {
			err := strictjson.Unmarshal([]byte(doc), v, strictjson.Limits{})
			if e, ok := errors.AsType[*strictjson.Error](err); !ok || e.Offset != offset {
				t.Errorf("%q into %s: %v, want offset %d", doc, name, err, offset)
			}
		}
	}
}

func TestObject(t *testing.T) {
	var got []string
	doc := []byte(` { "a" : 1 , "\u0062":[ true ],"c":"x" } `)
	err := strictjson.Object(doc, strictjson.Limits{}, func(name string, raw []byte) error {
		got = append(got, name+"="+string(raw))
		if cap(raw) != len(raw) {
			t.Errorf("the raw value of %s can grow into what follows it", name)
		}
		return nil
	})
	if want := "a=1 b=[ true ] c=\"x\""; strings.Join(got, " ") != want || err != nil {
		t.Errorf("Object = %q, %v, want %q", got, err, want)
	}
	stop := errors.New("stop")
	n := 0
	if err := strictjson.Object(doc, strictjson.Limits{}, func(string, []byte) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("Object after an error of f: %v after %d calls, want that error after one", err, n)
	}
	for doc, want := range map[string]error{
		`[]`: strictjson.ErrType, `null`: strictjson.ErrType, ``: strictjson.ErrSyntax,
		`{"a":1,"a":1}`: strictjson.ErrDuplicate, `{"a":[1,]}`: strictjson.ErrSyntax,
	} {
		if err := strictjson.Object([]byte(doc), strictjson.Limits{}, func(string, []byte) error { return nil }); !errors.Is(err, want) {
			t.Errorf("Object of %q: %v, want %v", doc, err, want)
		}
	}
	if err := strictjson.Object(doc, strictjson.Limits{Bytes: 5}, nil); !errors.Is(err, strictjson.ErrLimit) {
		t.Errorf("Object of too much: %v", err)
	}
}

func TestScan(t *testing.T) {
	for _, c := range []struct {
		doc, found string
		ok         bool
		err        error
	}{
		{`{"iss":"a"}`, "a", true, nil},
		{`{"a":{"iss":"no"},"iss":"a\u0062","z":[{"iss":"no"}]}`, "ab", true, nil},
		{`{"ISS":"a"}`, "", false, nil},
		{`{"i\u0073s":"a"}`, "a", true, nil},
		{`{}`, "", false, nil},
		{`{"iss":""}`, "", true, nil},
		{`{"iss":1}`, "", false, strictjson.ErrType},
		{`{"iss":null}`, "", false, strictjson.ErrType},
		{`{"iss":["a"]}`, "", false, strictjson.ErrType},
		{`["iss"]`, "", false, strictjson.ErrType},
		{`{"iss":"a","iss":"b"}`, "", false, strictjson.ErrDuplicate},
		{`{"iss":"a","x":{"y":1,"y":2}}`, "", false, strictjson.ErrDuplicate},
		{`{"iss":"a","x":"` + "\xff" + `"}`, "", false, strictjson.ErrUTF8},
		{`{"iss":"a","x":`, "", false, strictjson.ErrSyntax},
		{`{"iss":"a`, "", false, strictjson.ErrSyntax},
	} {
		found, ok, err := strictjson.Scan([]byte(c.doc), "iss")
		if found != c.found || ok != c.ok || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("Scan(%s) = %q, %v, %v, want %q, %v, %v", c.doc, found, ok, err, c.found, c.ok, c.err)
		}
	}
	if _, _, err := strictjson.Scan(make([]byte, 1<<20+1), "iss"); !errors.Is(err, strictjson.ErrLimit) {
		t.Errorf("Scan of too much: %v", err)
	}
}
