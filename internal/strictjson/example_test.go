package strictjson_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
)

func Example() {
	type Common struct {
		Issuer string    `json:"iss"`
		Expiry time.Time `json:"exp,omitzero,format:unix"`
	}
	type Order struct {
		Common `json:",inline"`
		ID     string         `json:"order_id"`
		Rest   map[string]any `json:",inline"`
	}
	d, err := strictjson.NewDecoder[Order]()
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Names())

	var o Order
	err = d.Decode([]byte(`{"iss":"https://as.example","order_id":"7","exp":1790000000.5,"x":1}`), &o, strictjson.Limits{})
	fmt.Println(o.Issuer, o.ID, o.Expiry.Format(time.RFC3339Nano), o.Rest, err)

	e, err := strictjson.NewEncoder[Order]()
	if err != nil {
		panic(err)
	}
	out, err := e.Append(nil, &o)
	fmt.Println(string(out), err, e.Names())

	err = d.Decode([]byte(`{"iss":"a","exp":null}`), &o, strictjson.Limits{})
	fmt.Println(err)
	refusal, _ := errors.AsType[*strictjson.Error](err)
	fmt.Println(refusal.Code(), refusal.Member, refusal.Offset)
	// Output:
	// [iss exp order_id]
	// https://as.example 7 2026-09-21T14:13:20.5Z map[x:1] <nil>
	// {"iss":"https://as.example","exp":1790000000.5,"order_id":"7","x":1} <nil> [iss exp order_id]
	// a value of another type is due at byte 17 in "exp"
	// json.type exp 17
}

func ExampleUnmarshal() {
	var v map[string][]int
	fmt.Println(strictjson.Unmarshal([]byte(`{"a":[1,2],"b":[3]}`), &v, strictjson.Limits{}), v)
	fmt.Println(strictjson.Unmarshal([]byte(`{"a":[1],"a":[2]}`), &v, strictjson.Limits{}))
	// Output:
	// <nil> map[a:[1 2] b:[3]]
	// a member name occurs twice at byte 9
}

func ExampleValid() {
	for _, doc := range []string{`{}`, `{"a":1,"a":1}`, `"\ud800"`, "\"\xff\"", `{} x`, `{a:1}`, `[[[]]]`, `[1,2,3]`, `{"sub":null}`, `1e400`} {
		err := strictjson.Valid([]byte(doc), strictjson.Limits{Depth: 2, Members: 2})
		for _, rule := range []error{
			strictjson.ErrSyntax, strictjson.ErrDuplicate, strictjson.ErrUTF8, strictjson.ErrSurrogate, strictjson.ErrTrailing,
			strictjson.ErrDepth, strictjson.ErrLimit, strictjson.ErrType, strictjson.ErrNumber,
		} {
			if errors.Is(err, rule) {
				fmt.Println(err)
			}
		}
	}
	// Output:
	// a member name occurs twice at byte 7
	// a lone surrogate at byte 1
	// not UTF-8 at byte 1
	// data behind the JSON value at byte 3
	// not JSON at byte 1
	// nested too deeply at byte 2
	// a limit is exceeded at byte 5
}

func ExampleObject() {
	err := strictjson.Object([]byte(`{"kty":"oct", "k": ["x"]}`), strictjson.Limits{}, func(name string, raw []byte) error {
		fmt.Printf("%s is %s\n", name, raw)
		return nil
	})
	fmt.Println(err)
	// Output:
	// kty is "oct"
	// k is ["x"]
	// <nil>
}

func ExampleScan() {
	fmt.Println(strictjson.Scan([]byte(`{"act":{"iss":"no"},"iss":"https://as.example"}`), "iss"))
	fmt.Println(strictjson.Scan([]byte(`{"iss":"a","iss":"b"}`), "iss"))
	// Output:
	// https://as.example true <nil>
	//  false a member name occurs twice at byte 11
}

func ExampleConflictError() {
	type Registered struct {
		Subject string `json:"sub"`
	}
	type Claims struct {
		User string `json:"sub"`
	}
	_, err := strictjson.NewDecoder[struct {
		Registered `json:",inline"`
		Claims     Claims `json:",inline"`
	}]()
	if conflict, ok := errors.AsType[*strictjson.ConflictError](err); ok {
		fmt.Println(conflict.Name)
	}
	// Output: sub
}
