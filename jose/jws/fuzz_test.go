package jws_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// Fuzzers cannot sign, so these sign for them: the signature of every input is made
// good, and what is left is everything else.

func FuzzCompact(f *testing.F) {
	f.Add(compactOf(header256, "hello"))
	f.Add(tokenA1)
	f.Add(tokenA5)
	f.Add(compactOf(`{"alg":"HS256","b64":false,"crit":["b64"]}`, ""))
	f.Add(enc(`{"alg":"HS256","b64":false,"crit":["b64"]}`) + ".hello, world." + "AAAA")
	f.Add(compactOf(`{"alg":"HS256","jwk":`+keyA3+`,"x5c":["AQID"],"ext":{"a":[1]},"crit":["ext"]}`, "hello"))
	keys := jwk.Set{secretKey(f, "")}
	f.Fuzz(func(t *testing.T, token string) {
		o := jws.Options{Critical: []string{"ext"}}
		if i := strings.LastIndexByte(token, '.'); i >= 0 {
			token = token[:i+1] + hs(token[:i])
		}
		m, err := jws.Verify(context.Background(), keys, token, o)
		if err != nil {
			return
		}
		// What is accepted has one spelling.
		header, rest, _ := strings.Cut(token, ".")
		raw, err := b64url.DecodeString(header)
		if err != nil {
			t.Fatal(err)
		}
		h := m.Signatures[0].Header
		payload := string(m.Payload)
		if !h.Unencoded {
			payload = b64url.EncodeToString(m.Payload)
		}
		if again := b64url.EncodeToString(raw) + "." + payload + "." + hs(header+"."+payload); again != token {
			t.Errorf("%q is written %q", token, again)
		}
		if strings.Count(rest, ".") != 1 {
			t.Errorf("%q has not three parts", token)
		}
		roundTrip(t, h, o)
	})
}

// roundTrip holds a header that was accepted to being written and read again.
func roundTrip(t *testing.T, h jws.Header, o jws.Options) {
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	again, err := jws.ParseHeader(b64url.EncodeToString(raw), o)
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	fixed, err := json.Marshal(again)
	if err != nil || !bytes.Equal(raw, fixed) {
		t.Errorf("%s becomes %s: %v", raw, fixed, err)
	}
	h.JWK, again.JWK, h.Extra, again.Extra = nil, nil, nil, nil // compared as JSON above
	if !reflect.DeepEqual(h, again) {
		t.Errorf("%+v becomes %+v", h, again)
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(flat(one(header256, `"header":{"x":1},`)))
	f.Add(general(one(header256, ""), one(`{"alg":"HS256","kid":"a"}`, "")))
	f.Add(tokenA6)
	f.Add(tokenA7)
	f.Add(flat(one("", `"header":{"alg":"HS256"},`)))
	f.Add(`{"payload":"a\nb",` + one(`{"alg":"HS256","b64":false,"crit":["b64"]}`, "")[1:])
	keys := jwk.Set{secretKey(f, "")}
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, doc string) {
		for _, o := range []jws.Options{
			{Critical: []string{"ext"}},
			{Critical: []string{"ext"}, Require: jws.Any, AllowUnprotectedHeader: true},
		} {
			m, err := jws.VerifyJSON(ctx, keys, []byte(signed(doc)), o)
			if err != nil {
				continue
			}
			_, _ = jws.VerifyDetachedJSON(ctx, keys, []byte(doc), bytes.NewReader(m.Payload), o)
			if o.AllowUnprotectedHeader {
				continue
			}
			// Signing the same again gives a document of equal value, and it is a fixpoint.
			signers := make([]jws.Signatory, len(m.Signatures))
			for i, s := range m.Signatures {
				signers[i] = jws.Signatory{Key: secretKey(t, s.Header.KeyID), Header: s.Header, Unprotected: s.Unprotected}
			}
			first, err := jws.SignJSON(ctx, m.Payload, signers...)
			if err != nil {
				t.Fatal(err)
			}
			o.MaxSize, o.MaxHeader = 1<<20, 1<<20
			n, err := jws.VerifyJSON(ctx, keys, first, o)
			if err != nil || !bytes.Equal(n.Payload, m.Payload) || len(n.Signatures) != len(m.Signatures) {
				t.Fatalf("%s: %v", first, err)
			}
			for i := range signers {
				signers[i].Header, signers[i].Unprotected = n.Signatures[i].Header, n.Signatures[i].Unprotected
			}
			second, err := jws.SignJSON(ctx, n.Payload, signers...)
			if err != nil || !bytes.Equal(first, second) {
				t.Errorf("%s becomes %s: %v", first, second, err)
			}
		}
	})
}

// signed makes the signatures of a document good where it can be read.
func signed(doc string) string {
	var m map[string]any
	if json.Unmarshal([]byte(doc), &m) != nil {
		return doc
	}
	payload, _ := m["payload"].(string)
	list := []any{m}
	if more, ok := m["signatures"].([]any); ok {
		list = more
	}
	for _, e := range list {
		if s, ok := e.(map[string]any); ok && s["signature"] != nil {
			if old, ok := s["signature"].(string); ok && old != "" {
				protected, _ := s["protected"].(string)
				doc = strings.ReplaceAll(doc, old, hs(protected+"."+payload))
			}
		}
	}
	return doc
}
