package strictjson_test

import (
	"encoding/json"
	"testing"

	"github.com/jotsuite/jot/internal/strictjson"
)

func TestSmoke(t *testing.T) {
	d, err := strictjson.NewDecoder[claims]()
	if err != nil {
		t.Fatal(err)
	}
	e, err := strictjson.NewEncoder[claims]()
	if err != nil {
		t.Fatal(err)
	}
	var v claims
	if err := d.Decode([]byte(otherOrder), &v, strictjson.Limits{}); err != nil {
		t.Fatal(err)
	}
	b, err := e.Append(nil, &v)
	t.Logf("%s %v", b, err)
	if string(b) != claimsJSON {
		t.Error("differs")
	}
	type inl struct {
		claims `json:",inline"`
		C      map[string]any `json:",inline"`
	}
	type Claims = claims
	type inl2 struct {
		Claims `json:",inline"`
		C      map[string]any `json:",inline"`
	}
	_, err = strictjson.NewDecoder[inl]()
	t.Log(err)
	var w inl2
	err = strictjson.Unmarshal([]byte(`{"iss":"x","zz":[1,{"a":"\u00e4\ud83d\ude00"}],"iat":1.5e9}`), &w, strictjson.Limits{})
	t.Logf("%+v %v", w, err)
	e2, err := strictjson.NewEncoder[inl2]()
	if err != nil {
		t.Fatal(err)
	}
	b, err = e2.Append(nil, &w)
	t.Logf("%s %v %v", b, err, json.Valid(b))
}
