package keyset

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// aState returns a state that was stored, with its private members, which no error may
// show.
func aState(t testing.TB) (text string, secrets []string) {
	t.Helper()
	store := new(MemoryStore)
	r, err := NewRotation(store, Timetable{}, jwa.ES256, jwa.ECDH_ES)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Inspect(bg); err != nil {
		t.Fatal(err)
	}
	data, _, _ := store.Load(bg)
	for _, part := range strings.Split(string(data), `"d":"`)[1:] {
		d, _, _ := strings.Cut(part, `"`)
		secrets = append(secrets, d)
	}
	if len(secrets) != 4 {
		t.Fatalf("%d private keys", len(secrets))
	}
	return string(data), secrets
}

func TestStateIsReadBack(t *testing.T) {
	text, _ := aState(t)
	s, err := parseState([]byte(text), jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	if s.cache != time.Hour || s.lifetime != 24*time.Hour || len(s.keys) != 4 {
		t.Errorf("%v %v %d", s.cache, s.lifetime, len(s.keys))
	}
	data, err := s.marshal()
	if err != nil || string(data) != text {
		t.Errorf("%v: read back other than written", err)
	}
}

func TestStateRefused(t *testing.T) {
	text, secrets := aState(t)
	replace := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the state has no %s", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	s, _ := parseState([]byte(text), jwk.Binding{})
	kid := func(i int) string { return fmt.Sprintf(`"kid":%q`, s.keys[i].kid) }
	for name, c := range map[string]struct{ text, code string }{
		"empty":              {"", "json.syntax"},
		"half":               {text[:len(text)/2], "json.syntax"},
		"twice":              {text + text, "json.trailing"},
		"an array":           {"[]", "json.type"},
		"no version":         {replace(`"version":1,`, ``), "keys.state"},
		"next version":       {replace(`"version":1`, `"version":2`), "keys.state"},
		"another member":     {replace(`"version":1`, `"version":1,"more":true`), "keys.state"},
		"a member twice":     {replace(`"version":1`, `"version":1,"version":1`), "json.duplicate"},
		"another case":       {replace(`"version":1`, `"Version":1`), "keys.state"},
		"another in a key":   {replace(`"created":`, `"more":1,"created":`), "keys.state"},
		"no cache":           {replace(`"cache":3600,`, ``), "keys.state"},
		"endless cache":      {replace(`"cache":3600`, `"cache":9000000000000000000`), "keys.state"},
		"negative cache":     {replace(`"cache":3600`, `"cache":-1`), "keys.state"},
		"no lifetime":        {replace(`"lifetime":86400,`, ``), "keys.state"},
		"endless lifetime":   {replace(`"lifetime":86400`, `"lifetime":9000000000000000000`), "keys.state"},
		"negative lifetime":  {replace(`"lifetime":86400`, `"lifetime":-86400`), "keys.state"},
		"never created":      {replace(`"created":`, `"retired":`), "json.duplicate|keys.state"},
		"active unpublished": {replace(`"published":`, `"created":`), "json.duplicate"},
		"not a key":          {replace(`"key":{`, `"key":7,"x":{`), "keys.state|json.type"},
		"no kty":             {replace(`"kty":"EC",`, ``), "key.invalid"},
		"another use":        {replace(`"use":"sig"`, `"use":"tls"`), "key.use"},
		"another algorithm":  {replace(`"alg":"ES256"`, `"alg":"ES256K"`), "key.unsupported"},
		"a secret":           {replace(`"kty":"EC"`, `"kty":"oct"`), "key.private|alg.mismatch"},
		"half a key":         {replace(secrets[0], secrets[0][1:]), "key.invalid"},
		"another d":          {replace(secrets[0], secrets[1]), "key.invalid"},
		"no d":               {replace(`"d":"`+secrets[0]+`"`, `"z":1`), "key.private"},
		"no kid":             {replace(kid(0), `"kid":""`), "keys.state"},
		"one kid twice":      {replace(kid(0), kid(1)), "keys.state"},
		"a number too many":  {replace(`"created":`, `"created":1e999,"x":`), "json.number"},
	} {
		s, err := parseState([]byte(c.text), jwk.Binding{})
		if err == nil {
			t.Errorf("%s: accepted, %d keys", name, len(s.keys))
			continue
		}
		var coded interface{ Code() string }
		if !errors.Is(err, ErrState) || !errors.As(err, &coded) || !strings.Contains("|"+c.code+"|", "|"+coded.Code()+"|") {
			t.Errorf("%s: %v (%s), want %s", name, err, coded.Code(), c.code)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			for _, secret := range secrets {
				if strings.Contains(fmt.Sprintf("%v %+v", e, e), secret[1:8]) {
					t.Errorf("%s: the error shows the key", name)
				}
			}
		}
	}
	for name, k := range map[string]wireKey{
		"active unpublished": {Created: time.Unix(1, 0), Active: time.Unix(1, 0)},
		"retired inactive":   {Created: time.Unix(1, 0), Published: time.Unix(1, 0), Retired: time.Unix(1, 0)},
		"never created":      {Published: time.Unix(1, 0)},
	} {
		_, err := k.bind(jwk.Binding{})
		if wantCode(t, err, "keys.state"); err == nil || !strings.Contains(err.Error(), "phase") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A state that cannot be read is no empty one: nothing is written over it.
func TestStateIsNotWrittenOver(t *testing.T) {
	b := newBench(t)
	for _, text := range []string{"", "{}", "{", `{"version":2}`} {
		b.store.Store = new(MemoryStore)
		if _, err := b.store.Store.Save(bg, []byte(text), ""); err != nil {
			t.Fatal(err)
		}
		r := b.rotation(nil)
		_, err := r.Signer(bg, jwa.EdDSA)
		if !errors.Is(err, ErrState) || !errors.Is(err, ErrUnreachable) {
			t.Errorf("%q: %v", text, err)
		}
		if err := r.Revoke(bg, "x"); !errors.Is(err, ErrState) {
			t.Errorf("%q: %v", text, err)
		}
		if b.stored() != text {
			t.Errorf("%q was written over", text)
		}
	}
}

func FuzzState(f *testing.F) {
	text, _ := aState(f)
	f.Add([]byte(text))
	f.Add([]byte(`{"version":1,"cache":1,"lifetime":1,"keys":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data, jwk.Binding{})
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Error(err)
			}
			return
		}
		again, err := s.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseState(again, jwk.Binding{}); err != nil {
			t.Errorf("%v: what was written cannot be read", err)
		}
	})
}
