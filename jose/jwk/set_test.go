package jwk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestParseSetRefuses(t *testing.T) {
	many := func(n int) string { return `{"keys":[` + strings.Repeat(`{"kty":"X"},`, n-1) + `{"kty":"X"}]}` }
	for name, c := range map[string]struct{ data, code string }{
		"empty":                {"", "json.syntax"},
		"HTML":                 {"<html>", "json.syntax"},
		"array":                {"[" + ecPublic + "]", "json.type"},
		"null":                 {"null", "json.type"},
		"a key":                {ecPublic, "key.invalid"},
		"no keys":              {`{}`, "key.invalid"},
		"keys null":            {`{"keys":null}`, "key.invalid"},
		"Keys":                 {`{"Keys":[]}`, "key.invalid"},
		"keys an object":       {`{"keys":{}}`, "json.type"},
		"keys a string":        {`{"keys":"a"}`, "json.type"},
		"keys twice":           {`{"keys":[],"keys":[]}`, "json.duplicate"},
		"a key with duplicate": {`{"keys":[{"kty":"EC","kty":"RSA"}]}`, "json.duplicate"},
		"trailing":             {`{"keys":[]}]`, "json.trailing"},
		"truncated":            {`{"keys":[` + ecPublic, "json.syntax"},
		"1001 keys":            {many(1001), "key.limit"},
		"1001 broken keys":     {strings.Replace(many(1001), `"X"`, `1`, 1), "key.limit"},
		"too large":            {`{"keys":[],"a":"` + strings.Repeat("a", 1<<20) + `"}`, "key.limit"},
		"200,000 members":      {`{"keys":[{` + strings.Repeat(`"":0,`, 200000) + `}]}`, "json.duplicate"},
	} {
		t.Run(name, func(t *testing.T) {
			set, skipped, err := jwk.ParseSet([]byte(c.data), jwk.Binding{})
			if set != nil || skipped != nil {
				t.Errorf("%v, %v beside the error", set, skipped)
			}
			wantCode(t, err, c.code)
			all, skipped, err := jwk.ParseJWKs([]byte(c.data))
			if all != nil || skipped != nil {
				t.Errorf("%v, %v beside the error", all, skipped)
			}
			wantCode(t, err, c.code)
		})
	}
	set, skipped, err := jwk.ParseSet([]byte(many(1000)), jwk.Binding{})
	if err != nil || len(set) != 0 || len(skipped) != 1000 {
		t.Errorf("%d keys, %d skipped, %v", len(set), len(skipped), err)
	}
	set, skipped, err = jwk.ParseSet([]byte(`{"keys":[],"other":{"a":[1]}}`), jwk.Binding{})
	if err != nil || len(set) != 0 || len(skipped) != 0 {
		t.Errorf("%v, %v, %v", set, skipped, err)
	}
}

// A bad key never fails the set, wherever it stands and whatever is wrong with it.
func TestParseSetSkips(t *testing.T) {
	bad := map[string]struct{ data, kid, code string }{
		"null":            {`null`, "", "key.invalid"},
		"number":          {`5`, "", "json.type"},
		"string":          {`"EC"`, "", "json.type"},
		"array":           {`[]`, "", "json.type"},
		"empty object":    {`{}`, "", "key.invalid"},
		"no kty":          {`{"kid":"b"}`, "", "key.invalid"},
		"kty a number":    {`{"kty":5,"kid":"b"}`, "", "json.type"},
		"kid an object":   {`{"kty":"EC","kid":{}}`, "", "json.type"},
		"unknown type":    {`{"kty":"AKP","kid":"b","alg":"ML-DSA-44","pub":"AA"}`, "b", "key.unsupported"},
		"off the curve":   {members(t, ecPublic, map[string]any{"x": strings.Repeat("A", 43), "kid": "b"}), "b", "key.invalid"},
		"for another use": {members(t, ecPublic, map[string]any{"use": "tls", "kid": "b"}), "b", "key.use"},
		"weak RSA":        {members(t, weakRSA(t), map[string]any{"kid": "b"}), "b", "key.weak"},
	}
	good := []string{members(t, ecPublic, map[string]any{"kid": "g1"}), members(t, edPublic, map[string]any{"kid": "g2"}), members(t, ecPublic, map[string]any{"kid": "g1"})}
	for name, c := range bad {
		if name == "null" {
			c.code = "" // by either way it is read, it is refused
		}
		for at := range 4 {
			t.Run(fmt.Sprint(name, " ", at), func(t *testing.T) {
				all := append([]string{}, good[:min(at, 3)]...)
				all = append(append(all, c.data), good[min(at, 3):]...)
				data := []byte(`{"keys":[` + strings.Join(all, ",") + `]}`)
				set, skipped, err := jwk.ParseSet(data, jwk.Binding{})
				if err != nil || len(set) != 3 || len(skipped) != 1 {
					t.Fatalf("%d keys, %v, %v", len(set), skipped, err)
				}
				if skipped[0].Index != at || skipped[0].KeyID != c.kid {
					t.Errorf("skipped %d %q", skipped[0].Index, skipped[0].KeyID)
				}
				if c.code != "" {
					wantCode(t, skipped[0].Err, c.code)
				} else if skipped[0].Err == nil {
					t.Error("no reason")
				}
				if set[0].KeyID() != "g1" || set[1].KeyID() != "g2" || set[2].KeyID() != "g1" {
					t.Errorf("order: %v", set)
				}
				clear(data)
				if set[1].KeyID() != "g2" {
					t.Error("the set shares the caller's memory")
				}
			})
		}
	}
	// Two kinds of trouble in one set, so that both ways of reading it meet.
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[null,`+good[0]+`,{"kty":1},{"kty":"X"}]}`), jwk.Binding{})
	if err != nil || len(set) != 1 || len(skipped) != 3 {
		t.Errorf("%v, %v, %v", set, skipped, err)
	}
	descriptions, skipped, err := jwk.ParseJWKs([]byte(`{"keys":[null,` + good[0] + `,{"kty":1},{"kty":"X"},{}]}`))
	if err != nil || len(descriptions) != 2 || len(skipped) != 3 || descriptions[1].KeyType() != "X" {
		t.Errorf("%v, %v, %v", descriptions, skipped, err)
	}
	descriptions, skipped, err = jwk.ParseJWKs([]byte(`{"keys":[null,` + good[0] + `,{},{"kty":"X"}]}`))
	if err != nil || len(descriptions) != 2 || len(skipped) != 2 || skipped[1].Index != 2 {
		t.Errorf("%v, %v, %v", descriptions, skipped, err)
	}
}

// Of private keys in a set the public half is taken; a broken one is left out.
func TestParseSetOfPrivateKeys(t *testing.T) {
	broken := members(t, ecPrivate, map[string]any{"d": strings.Repeat("A", 42) + "E"})
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+ecPrivate+`,`+edPrivate+`,`+rsaPrivate(t)+`,`+broken+`]}`), jwk.Binding{})
	if err != nil || len(set) != 3 || len(skipped) != 1 {
		t.Fatal(set, skipped, err)
	}
	wantCode(t, skipped[0].Err, "key.invalid")
	data, err := json.Marshal(set)
	if err != nil || bytes.Contains(data, []byte(`"d":`)) || bytes.Contains(data, []byte(`"p":`)) {
		t.Errorf("%s, %v", data, err)
	}
	again, skipped, err := jwk.ParseSet(data, jwk.Binding{})
	if err != nil || len(again) != 3 || len(skipped) != 0 {
		t.Error(again, skipped, err)
	}
}

func TestMarshalSet(t *testing.T) {
	data, err := jwk.Set{}.MarshalJSON()
	if err != nil || string(data) != `{"keys":[]}` {
		t.Errorf("%s, %v", data, err)
	}
	k, err := mustParse(t, edPublic).PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	data, err = json.Marshal(jwk.Set{k, k})
	one := `{"kty":"OKP","alg":"EdDSA","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	if err != nil || string(data) != `{"keys":[`+one+`,`+one+`]}` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestKeys(t *testing.T) {
	ec := func(kid string) *jwk.PublicKey {
		k, err := jwk.Generate(jwa.ES256)
		if err != nil {
			t.Fatal(err)
		}
		b, err := jwk.NewPublicKey(jwa.ES256, kid, k.Public().CryptoKey())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rsaKey := func(kid string, alg jwa.Algorithm) *jwk.PublicKey {
		k, err := jwk.NewPublicKey(alg, kid, &testRSA(t).PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ed := func(kid string, alg jwa.Algorithm) *jwk.PublicKey {
		k, err := mustParse(t, edPublic).WithKeyID(kid).PublicKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		k, err = jwk.NewPublicKey(alg, kid, k.CryptoKey())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b, none1, none2 := ec("a"), ec("b"), ec(""), ec("")
	rs, ps := rsaKey("r", jwa.RS256), rsaKey("r", jwa.PS256)
	eddsa, ed25519 := ed("e", jwa.EdDSA), ed("e", jwa.Ed25519)
	twin := ec("a")
	for name, c := range map[string]struct {
		set  jwk.Set
		q    jwk.Query
		want []jwk.Key
		code string
	}{
		"by kid":                     {jwk.Set{a, b}, jwk.Query{Algorithm: "ES256", KeyID: "b"}, []jwk.Key{b}, ""},
		"no kid in the token":        {jwk.Set{a, b, none1}, jwk.Query{Algorithm: "ES256"}, []jwk.Key{a, b, none1}, ""},
		"no kid in the keys":         {jwk.Set{none1, none2}, jwk.Query{Algorithm: "ES256", KeyID: "x"}, []jwk.Key{none1, none2}, ""},
		"kid before no kid":          {jwk.Set{none1, a, none2}, jwk.Query{Algorithm: "ES256", KeyID: "a"}, []jwk.Key{a}, ""},
		"other kid, or none":         {jwk.Set{a, none1, b}, jwk.Query{Algorithm: "ES256", KeyID: "x"}, []jwk.Key{none1}, ""},
		"no such kid":                {jwk.Set{a, b}, jwk.Query{Algorithm: "ES256", KeyID: "x"}, nil, "key.none"},
		"kid in other case":          {jwk.Set{a, b}, jwk.Query{Algorithm: "ES256", KeyID: "A"}, nil, "key.none"},
		"kid twice":                  {jwk.Set{a, twin}, jwk.Query{Algorithm: "ES256", KeyID: "a"}, []jwk.Key{a, twin}, ""},
		"one kid, two algorithms":    {jwk.Set{rs, ps}, jwk.Query{Algorithm: "PS256", KeyID: "r"}, []jwk.Key{ps}, ""},
		"kid of another algorithm":   {jwk.Set{a, rs}, jwk.Query{Algorithm: "RS256", KeyID: "a"}, nil, "alg.mismatch"},
		"and one without a kid":      {jwk.Set{rs, none1}, jwk.Query{Algorithm: "ES256", KeyID: "r"}, nil, "alg.mismatch"},
		"RS256 key, PS256 token":     {jwk.Set{rs}, jwk.Query{Algorithm: "PS256", KeyID: "r"}, nil, "alg.mismatch"},
		"ES256 key, HS256 token":     {jwk.Set{a}, jwk.Query{Algorithm: "HS256"}, nil, "key.none"},
		"EdDSA key, Ed25519 token":   {jwk.Set{eddsa}, jwk.Query{Algorithm: "Ed25519", KeyID: "e"}, []jwk.Key{eddsa}, ""},
		"Ed25519 key, EdDSA token":   {jwk.Set{ed25519}, jwk.Query{Algorithm: "EdDSA", KeyID: "e"}, []jwk.Key{ed25519}, ""},
		"no algorithm":               {jwk.Set{a}, jwk.Query{KeyID: "a"}, nil, "alg.mismatch"},
		"no algorithm, no kid":       {jwk.Set{a}, jwk.Query{}, nil, "key.none"},
		"alg none":                   {jwk.Set{a}, jwk.Query{Algorithm: "none"}, nil, "key.none"},
		"alg in other case":          {jwk.Set{a}, jwk.Query{Algorithm: "es256"}, nil, "key.none"},
		"encryption algorithm":       {jwk.Set{rs}, jwk.Query{Algorithm: "RSA-OAEP"}, nil, "key.none"},
		"empty set":                  {nil, jwk.Query{Algorithm: "ES256", KeyID: "a"}, nil, "key.none"},
		"nil key":                    {jwk.Set{nil, a}, jwk.Query{Algorithm: "ES256"}, []jwk.Key{a}, ""},
		"four":                       {jwk.Set{a, a, b, b}, jwk.Query{Algorithm: "ES256"}, []jwk.Key{a, a, b, b}, ""},
		"five":                       {jwk.Set{a, a, b, b, a}, jwk.Query{Algorithm: "ES256"}, nil, "key.ambiguous"},
		"five, kid":                  {jwk.Set{a, a, a, a, a}, jwk.Query{Algorithm: "ES256", KeyID: "a"}, nil, "key.ambiguous"},
		"five without a kid":         {jwk.Set{none1, none1, none1, none1, none1}, jwk.Query{Algorithm: "ES256", KeyID: "a"}, nil, "key.ambiguous"},
		"many of another algorithm":  {jwk.Set{a, a, b, b, a, rs}, jwk.Query{Algorithm: "RS256"}, []jwk.Key{rs}, ""},
		"many of another kid":        {jwk.Set{a, a, a, a, a, b}, jwk.Query{Algorithm: "ES256", KeyID: "b"}, []jwk.Key{b}, ""},
		"path as a kid":              {jwk.Set{a}, jwk.Query{Algorithm: "ES256", KeyID: "../../etc/passwd"}, nil, "key.none"},
		"selector is not for a set":  {jwk.Set{a}, jwk.Query{Algorithm: "ES256", Selector: "https://a.example"}, []jwk.Key{a}, ""},
		"certificate of keys w/o it": {jwk.Set{a}, jwk.Query{Algorithm: "ES256", X5TS256: "AA"}, []jwk.Key{a}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.set.Keys(context.Background(), c.q)
			if c.code != "" {
				wantCode(t, err, c.code)
				if got != nil {
					t.Errorf("%v beside the error", got)
				}
				return
			}
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%v, %v", got, err)
			}
			for i := range got {
				if jwk.Key(got[i]) != c.want[i] {
					t.Errorf("key %d is %v, want %v", i, got[i], c.want[i])
				}
			}
		})
	}
	for err, code := range map[error]string{
		jwk.ErrInvalid: "key.invalid", jwk.ErrWeak: "key.weak", jwk.ErrUse: "key.use", jwk.ErrUnsupported: "key.unsupported",
		jwk.ErrPrivate: "key.private", jwk.ErrLimit: "key.limit", jwk.ErrFIPS: "key.fips", jwk.ErrAlgorithm: "alg.mismatch",
		jwk.ErrNoKey: "key.none", jwk.ErrAmbiguous: "key.ambiguous", jwk.ErrSignature: "sig.invalid",
	} {
		wantCode(t, err, code)
	}
	_, err := jwk.Set{}.Keys(context.Background(), jwk.Query{})
	if !errors.Is(err, jwk.ErrNoKey) {
		t.Error(err)
	}
}

// A set of a hundred keys is read in one pass: a ceiling on what that allocates.
func TestParseSetAllocations(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("instrumented")
	}
	data := hundredKeys(t)
	got := testing.AllocsPerRun(5, func() {
		if set, _, err := jwk.ParseSet(data, jwk.Binding{}); err != nil || len(set) != 100 {
			t.Error(err)
		}
	})
	if got > 700 {
		t.Errorf("%v allocations for 100 keys", got)
	}
}
