package strictjson_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
)

var seeds = []string{
	claimsJSON, otherOrder, `{}`, `[]`, `""`, `0`, `null`, `true`, ` [1, -2.5e-3 ,"\u00e4\ud83d\ude00\\" ] `,
	`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"A":1,"a":2}`, "\"\xff\"", `"\ud800"`, `"\ud800\u0041"`, `1e400`, `-0`, `01`, `1 2`,
	`[[[[[[[[]]]]]]]]`, `{"a":{"b":{"c":[{},{"d":null}]}}}`, "\ufeff{}", `{"":""}`, `"0123456\"89"`, `{"` + strings.Repeat("k", 70) + `":[]}`,
	`{"s":"x","i":-1,"u":1,"f":0.5,"t":1.5,"b":true,"l":["a"],"o":"a","m":{"k":1},"p":null,"r":{"x":[]},"a":[1],"more":1}`,
	"{" + members(40) + "}", `{"i":1.0,"u":1E2,"t":1E3,"f":9007199254740993}`, `{"q":"12","x":[1,2,3]}`,
}

// everything has a field of each kind that code of its own reads or writes.
type everything struct {
	S string          `json:"s"`
	I int32           `json:"i,omitempty"`
	U uint8           `json:"u"`
	F float64         `json:"f,omitzero"`
	T time.Time       `json:"t,omitzero,format:unix"`
	B bool            `json:"b"`
	L []string        `json:"l,omitempty"`
	O []string        `json:"o,format:oneormany"`
	M map[string]int  `json:"m"`
	P *everything     `json:"p,omitempty"`
	R json.RawMessage `json:"r,omitempty"`
	A any             `json:"a"`
	Q int             `json:"q,string"`
	E []struct {
		X int `json:"x"`
	} `json:"e"`
	Rest map[string]any `json:",inline"`
}

// FuzzAny: what is accepted is JSON for encoding/json too, and has the same value;
// every way through the package agrees; writing and reading is a fixpoint.
func FuzzAny(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	d, err := strictjson.NewDecoder[any]()
	if err != nil {
		f.Fatal(err)
	}
	e, err := strictjson.NewEncoder[any]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		l := strictjson.Limits{}
		var v any
		err := d.Decode(bytes.Clone(doc), &v, l)
		if valid := strictjson.Valid(doc, l); (valid == nil) != (err == nil) {
			t.Fatalf("%q: Decode %v, Valid %v", doc, err, valid)
		}
		var raw json.RawMessage
		if errRaw := strictjson.Unmarshal(doc, &raw, l); (errRaw == nil) != (err == nil) {
			t.Fatalf("%q: Decode %v, raw %v", doc, err, errRaw)
		}
		members := 0
		errObject := strictjson.Object(doc, l, func(string, []byte) error { members++; return nil })
		object, isObject := v.(map[string]any)
		if (errObject == nil) != (err == nil && isObject) || isObject && err == nil && members != len(object) {
			t.Fatalf("%q: Decode %v, Object %v with %d members", doc, err, errObject, members)
		}
		if err != nil {
			return
		}
		if !json.Valid(doc) {
			t.Fatalf("%q was accepted", doc)
		}
		their := json.NewDecoder(bytes.NewReader(doc))
		their.UseNumber()
		var w any
		if err := their.Decode(&w); err != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("%q = %#v; encoding/json: %#v, %v", doc, v, w, err)
		}
		out, err := e.Append(nil, &v)
		if err != nil {
			t.Fatalf("%q = %#v: %v", doc, v, err)
		}
		var again any
		if err := d.Decode(bytes.Clone(out), &again, l); err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("%q is written as %q, which is %#v, %v", doc, out, again, err)
		}
		if out2, err := e.Append(nil, &again); err != nil || !bytes.Equal(out, out2) {
			t.Fatalf("%q is written as %q, and then as %q, %v", doc, out, out2, err)
		}
	})
}

// FuzzStruct: what a struct accepts is valid, has the value that encoding/json gives it
// where that takes the document, and is a fixpoint.
func FuzzStruct(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	d, err := strictjson.NewDecoder[everything]()
	if err != nil {
		f.Fatal(err)
	}
	e, err := strictjson.NewEncoder[everything]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		l := strictjson.Limits{}
		var v everything
		if err := d.Decode(bytes.Clone(doc), &v, l); err != nil {
			return
		}
		if err := strictjson.Valid(doc, l); err != nil {
			t.Fatalf("%q was accepted: %v", doc, err)
		}
		out, err := e.Append(nil, &v)
		if err != nil {
			t.Fatalf("%q = %#v: %v", doc, v, err)
		}
		var again everything
		if err := d.Decode(bytes.Clone(out), &again, l); err != nil {
			t.Fatalf("%q is written as %q: %v", doc, out, err)
		}
		if out2, err := e.Append(nil, &again); err != nil || !bytes.Equal(out, out2) {
			t.Fatalf("%q is written as %q, and then as %q, %v", doc, out, out2, err)
		}
		compare(t, doc, &v)
	})
}

// compare reads doc with encoding/json, as far as that knows the options.
func compare(t *testing.T, doc []byte, v *everything) {
	type plain struct {
		S string          `json:"s"`
		I int32           `json:"i"`
		U uint8           `json:"u"`
		F float64         `json:"f"`
		B bool            `json:"b"`
		L []string        `json:"l"`
		M map[string]int  `json:"m"`
		R json.RawMessage `json:"r"`
		Q int             `json:"q,string"`
		E []struct {
			X int `json:"x"`
		} `json:"e"`
	}
	if bytes.ContainsAny(doc, "SIUFBLMRQEX\u017f\\") {
		return // encoding/json folds case
	}
	var w plain
	if json.Unmarshal(doc, &w) != nil {
		return // 1.0 for an integer
	}
	ours := plain{v.S, v.I, v.U, v.F, v.B, v.L, v.M, v.R, v.Q, v.E}
	if !reflect.DeepEqual(ours, w) {
		t.Fatalf("%q = %+v; encoding/json: %+v", doc, ours, w)
	}
}

// FuzzScan: the string that Scan finds is the one that a struct would get.
func FuzzScan(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"i\u0073s":"a"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		found, ok, err := strictjson.Scan(doc, "iss")
		var v struct {
			Issuer *string `json:"iss"`
		}
		errStruct := strictjson.Unmarshal(bytes.Clone(doc), &v, strictjson.Limits{})
		if err == nil && (errStruct != nil || ok != (v.Issuer != nil) || ok && found != *v.Issuer) {
			t.Fatalf("%q: Scan %q, %v; struct %v, %v", doc, found, ok, v.Issuer, errStruct)
		}
		if err != nil && errStruct == nil && v.Issuer != nil {
			t.Fatalf("%q: Scan %v; struct %q", doc, err, *v.Issuer)
		}
	})
}

// FuzzEncode: whatever names and strings a program writes come back as they are.
func FuzzEncode(f *testing.F) {
	f.Add(`x":0,"admin`, "a\"\\\n\u2028", 1.5, int64(-1))
	f.Add("", "\xff", 1e300, int64(1)<<62)
	f.Fuzz(func(t *testing.T, name, value string, x float64, n int64) {
		in := map[string]any{name: value, name + "x": []any{x, n, map[string]any{value: name}}}
		e, err := strictjson.NewEncoder[map[string]any]()
		if err != nil {
			t.Fatal(err)
		}
		out, err := e.Append(nil, &in)
		if err != nil {
			return
		}
		if err := strictjson.Valid(out, strictjson.Limits{Name: 1 << 20}); err != nil {
			t.Fatalf("%#v is written as %q: %v", in, out, err)
		}
		var b bytes.Buffer
		theirs := json.NewEncoder(&b)
		theirs.SetEscapeHTML(false)
		if err := theirs.Encode(in); err != nil {
			t.Fatalf("%#v is written as %q; encoding/json: %v", in, out, err)
		}
		var v, w any
		if json.Unmarshal(out, &v) != nil || json.Unmarshal(b.Bytes(), &w) != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("%#v is written as %q, by encoding/json as %q", in, out, b.Bytes())
		}
	})
}
