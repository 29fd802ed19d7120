package jws_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// one is a signature's members, made by the secret; an empty header is absent.
func one(protected, rest string) string {
	p := ""
	if protected != "" {
		p = `"protected":"` + enc(protected) + `",`
	}
	return "{" + p + rest + `"signature":"` + hs(enc(protected)+"."+enc("hello")) + `"}`
}

func general(signatures ...string) string {
	return `{"payload":"` + enc("hello") + `","signatures":[` + strings.Join(signatures, ",") + `]}`
}

func flat(one string) string { return `{"payload":"` + enc("hello") + `",` + one[1:] }

const header256 = `{"alg":"HS256"}`

func TestVerifyJSONRefuses(t *testing.T) {
	usual := one(header256, "")
	stranger := strings.Replace(usual, `"signature":"`+hs(enc(header256) + "." + enc("hello"))[:4], `"signature":"AAAA`, 1)
	b64false := `{"alg":"HS256","b64":false,"crit":["b64"]}`
	for _, c := range []struct{ name, doc, code string }{
		{"too large", general(usual) + strings.Repeat(" ", 64<<10), "token.too_large"},
		{"eleven signatures", general(strings.Split(strings.Repeat(usual+" ", 11), " ")[:11]...), "token.too_large"},
		{"compact", compactOf(header256, "hello"), "json.syntax"},
		{"list", "[" + flat(usual) + "]", "json.type"},
		{"trailing", flat(usual) + "{}", "json.trailing"},
		{"payload twice", strings.Replace(flat(usual), "{", `{"payload":"",`, 1), "json.duplicate"},
		{"payload absent", usual, "token.malformed"},
		{"payload null", `{"payload":null,` + usual[1:], "json.type"},
		{"payload number", `{"payload":1,` + usual[1:], "json.type"},
		{"empty object", "{}", "sig.none"},
		{"no signatures", general(), "sig.none"},
		{"signatures absent", `{"payload":"` + enc("hello") + `"}`, "sig.none"},
		{"signatures null", `{"payload":"","signatures":null}`, "sig.none"},
		{"signatures an object", `{"payload":"","signatures":{}}`, "json.type"},
		{"signature null in list", general(usual, "null"), "json.type"},
		{"signature absent in list", general(`{"protected":"` + enc(header256) + `"}`), "sig.none"},
		{"signature number", general(`{"protected":"` + enc(header256) + `","signature":1}`), "json.type"},
		{"signature empty", general(`{"protected":"` + enc(header256) + `","signature":""}`), "sig.invalid"},
		{"signature padded", strings.Replace(flat(usual), `"}`, `="}`, 1), "token.encoding"},
		{"both forms", strings.Replace(general(usual), "{", "{"+usual[1:len(usual)-1]+",", 1), "token.malformed"},
		{"general with protected", strings.Replace(general(usual), "{", `{"protected":"",`, 1), "token.malformed"},
		{"general with header", strings.Replace(general(usual), "{", `{"header":{},`, 1), "token.malformed"},
		{"protected absent", flat(one("", "")), "alg.missing"},
		{"protected empty", flat(`{"protected":"",` + one("", "")[1:]), "json.syntax"},
		{"protected null", flat(`{"protected":null,` + one("", "")[1:]), "json.type"},
		{"protected an object", flat(`{"protected":` + header256 + `,` + one("", "")[1:]), "json.type"},
		{"protected too large", flat(one(`{"alg":"HS256","x":"`+strings.Repeat("A", 16<<10)+`"}`, "")), "token.too_large"},
		{"header too large", flat(one(header256, `"header":{"x":"`+strings.Repeat("A", 16<<10)+`"},`)), "token.too_large"},
		{"header null", flat(one(header256, `"header":null,`)), "json.type"},
		{"header a list", flat(one(header256, `"header":[],`)), "json.type"},
		{"header with a wrong typ", flat(one(header256, `"header":{"typ":1},`)), "json.type"},
		{"header duplicate", flat(one(header256, `"header":{"x":1,"x":1},`)), "json.duplicate"},
		{"alg unprotected", flat(one(`{"x":1}`, `"header":{"alg":"HS256"},`)), "header.unprotected"},
		{"all unprotected", flat(one("", `"header":{"alg":"HS256"},`)), "header.unprotected"},
		{"kid unprotected", flat(one(header256, `"header":{"kid":"k"},`)), "header.unprotected"},
		{"alg in both", flat(one(header256, `"header":{"alg":"HS256"},`)), "header.conflict"},
		{"alg escaped in both", flat(one(header256, `"header":{"\u0061lg":"none"},`)), "header.conflict"},
		{"kid in both", flat(one(`{"alg":"HS256","kid":"k"}`, `"header":{"kid":"k"},`)), "header.conflict"},
		{"unknown in both", flat(one(`{"alg":"HS256","x":1}`, `"header":{"x":1},`)), "header.conflict"},
		{"crit unprotected", flat(one(header256, `"header":{"crit":["ext"],"ext":1},`)), "header.unprotected"},
		{"b64 unprotected", flat(one(header256, `"header":{"b64":true},`)), "header.unprotected"},
		{"crit names an unprotected member", flat(one(`{"alg":"HS256","crit":["ext"]}`, `"header":{"ext":1},`)), "crit.invalid"},
		{"crit unknown", flat(one(`{"alg":"HS256","crit":["x"],"x":1}`, "")), "crit.unknown"},
		{"b64 differs", general(usual, one(b64false, "")), "b64.invalid"},
		{"none", flat(one(`{"alg":"none"}`, "")), "alg.none"},
		{"good and bad", general(usual, stranger), "sig.invalid"},
		{"bad and good", general(stranger, usual), "sig.invalid"},
		{"good and none", general(usual, one(`{"alg":"none"}`, "")), "alg.none"},
		{"good and unknown", general(usual, one(`{"alg":"HS1"}`, "")), "alg.unknown"},
		{"good and of another key", general(usual, one(`{"alg":"HS256","kid":"x"}`, "")), "key.none"},
		{"payload encoding", strings.Replace(flat(`{"protected":"`+enc(header256)+`","signature":"`+hs(enc(header256)+".AB")+`"}`), enc("hello"), "AB", 1), "token.encoding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := jws.Options{Critical: []string{"ext"}}
			m, err := jws.VerifyJSON(context.Background(), jwk.Set{secretKey(t, "k")}, []byte(c.doc), o)
			wantCode(t, err, c.code)
			if m != nil {
				t.Error("a message comes with the error")
			}
		})
	}
}

func TestAllAndAny(t *testing.T) {
	ctx := context.Background()
	a, b, c := generate(t, jwa.ES256), generate(t, jwa.Ed25519), generate(t, jwa.ES384)
	doc, err := jws.SignJSON(ctx, []byte("hello"), jws.Signatory{Key: a}, jws.Signatory{Key: b}, jws.Signatory{Key: c})
	if err != nil {
		t.Fatal(err)
	}
	known := jwk.Set{a.Public(), c.Public()}
	all := append(jwk.Set{b.Public()}, known...)
	if m, err := jws.VerifyJSON(ctx, all, doc, jws.Options{MinSignatures: 3}); err != nil || string(m.Payload) != "hello" {
		t.Error(m, err)
	}
	_, err = jws.VerifyJSON(ctx, known, doc, jws.Options{})
	wantCode(t, err, "key.none")
	if err == nil || !strings.Contains(err.Error(), "signature 2") {
		t.Errorf("%v does not say which", err)
	}
	m, err := jws.VerifyJSON(ctx, known, doc, jws.Options{Require: jws.Any})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []jwk.Verifier{a.Public(), nil, c.Public()} {
		s := m.Signatures[i]
		if (s.Err == nil) != (want != nil) || (s.Key == nil) != (want == nil) || s.Key != nil && s.Key.KeyID() != want.KeyID() {
			t.Errorf("signature %d: %+v", i, s)
		}
	}
	if !errors.Is(m.Signatures[1].Err, jws.ErrNoKey) || strings.Contains(m.Signatures[1].Err.Error(), "signature 2") {
		t.Error(m.Signatures[1].Err)
	}
	_, err = jws.VerifyJSON(ctx, known, doc, jws.Options{Require: jws.Any, MinSignatures: 3})
	wantCode(t, err, "sig.invalid")
	_, err = jws.VerifyJSON(ctx, jwk.Set{generate(t, jwa.ES256).Public()}, doc, jws.Options{Require: jws.Any})
	wantCode(t, err, "key.none")

	// Taking signatures away leaves too few, and repeating one does not help.
	var parsed struct {
		Payload    string            `json:"payload"`
		Signatures []json.RawMessage `json:"signatures"`
	}
	if err := json.Unmarshal(doc, &parsed); err != nil {
		t.Fatal(err)
	}
	parsed.Signatures = parsed.Signatures[:1]
	stripped, _ := json.Marshal(parsed)
	if _, err := jws.VerifyJSON(ctx, all, stripped, jws.Options{}); err != nil {
		t.Error(err)
	}
	_, err = jws.VerifyJSON(ctx, all, stripped, jws.Options{MinSignatures: 2})
	wantCode(t, err, "sig.invalid")
	parsed.Signatures = append(parsed.Signatures, parsed.Signatures[0])
	repeated, _ := json.Marshal(parsed)
	_, err = jws.VerifyJSON(ctx, all, repeated, jws.Options{MinSignatures: 2})
	wantCode(t, err, "sig.invalid")
	// Nor does a source that makes its keys anew.
	fresh := source(func(jwk.Query) ([]jwk.Verifier, error) {
		j, _ := a.JWK().Public().PublicKey(jwk.Binding{})
		return []jwk.Verifier{j}, nil
	})
	_, err = jws.VerifyJSON(ctx, fresh, repeated, jws.Options{MinSignatures: 2})
	wantCode(t, err, "sig.invalid")

	// Nor does its b64 count, which nobody could read.
	unencoded := one(`{"alg":"HS256","b64":false,"crit":["b64"]}`, "")
	m, err = jws.VerifyJSON(ctx, jwk.Set{secretKey(t, "")}, []byte(general(one("x", ""), unencoded)), jws.Options{Require: jws.Any})
	if err != nil || string(m.Payload) != enc("hello") {
		t.Error(m, err)
	}

	// Under Any, a signature that cannot be judged is one that does not verify.
	good := one(header256, "")
	for _, bad := range []string{
		one(`{"alg":"none"}`, ""), one(`{"alg":"HS256","crit":["x"],"x":1}`, ""), one("x", ""), `{"protected":"=","signature":"A"}`,
		one(header256, `"header":{"alg":"HS256"},`), `{"protected":"` + enc(header256) + `","signature":"A"}`,
	} {
		m, err := jws.VerifyJSON(ctx, jwk.Set{secretKey(t, "")}, []byte(general(bad, good)), jws.Options{Require: jws.Any})
		if err != nil || m.Signatures[0].Err == nil || m.Signatures[0].Key != nil || m.Signatures[1].Err != nil {
			t.Errorf("%s: %+v, %v", bad, m, err)
		}
	}
}

func TestUnprotectedHeader(t *testing.T) {
	ctx := context.Background()
	key := jwk.Set{secretKey(t, "k")}
	allow := jws.Options{AllowUnprotectedHeader: true}
	for _, c := range []struct{ doc, code string }{
		{flat(one("", `"header":{"alg":"HS256","kid":"k"},`)), ""},
		{flat(one(`{"x":1}`, `"header":{"alg":"HS256"},`)), ""},
		{flat(one(header256, `"header":{"kid":"k"},`)), ""},
		{flat(one(header256, `"header":{"kid":"other"},`)), "key.none"},
		{flat(one("", `"header":{"alg":"none"},`)), "alg.none"},
		{flat(one("", `"header":{"kid":"k"},`)), "alg.missing"},
		{flat(one("", "")), "alg.missing"},
		{flat(one(header256, `"header":{"alg":"HS256"},`)), "header.conflict"},
		{flat(one("", `"header":{"alg":"HS256","crit":["ext"],"ext":1},`)), "header.unprotected"},
	} {
		_, err := jws.VerifyJSON(ctx, key, []byte(c.doc), allow)
		wantCode(t, err, c.code)
	}

	m, err := jws.VerifyJSON(ctx, key, []byte(flat(one(header256, `"header":{"typ":"t","x":1},"more":[1],`))), jws.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := m.Signatures[0]; s.Header.Type != "" || s.Unprotected.Type != "t" || string(s.Unprotected.Extra["x"]) != "1" {
		t.Errorf("%+v", s)
	}
}

func TestSignJSON(t *testing.T) {
	ctx := context.Background()
	key := secretKey(t, "k")
	keys := jwk.Set{key}
	extra := map[string]json.RawMessage{"x": json.RawMessage("1")}
	doc, err := jws.SignJSON(ctx, []byte("hello"), jws.Signatory{Key: key, Unprotected: jws.Header{Type: "t", Extra: extra}})
	if err != nil {
		t.Fatal(err)
	}
	protected := enc(`{"alg":"HS256","kid":"k"}`)
	want := `{"payload":"aGVsbG8","protected":"` + protected + `","header":{"typ":"t","x":1},"signature":"` + hs(protected+".aGVsbG8") + `"}`
	if string(doc) != want {
		t.Errorf("got  %s\nwant %s", doc, want)
	}
	// An empty payload is there; a detached one is not.
	doc, err = jws.SignJSON(ctx, nil, jws.Signatory{Key: key})
	if err != nil || !strings.HasPrefix(string(doc), `{"payload":"",`) {
		t.Errorf("%s %v", doc, err)
	}
	if _, err := jws.VerifyJSON(ctx, keys, doc, jws.Options{}); err != nil {
		t.Error(err)
	}
	_, err = jws.VerifyDetachedJSON(ctx, keys, doc, strings.NewReader(""), jws.Options{})
	wantCode(t, err, "token.malformed")

	// Unencoded text is escaped as JSON is, and signed as it is.
	text := "line\n\"quoted\" ✓ a.b"
	plain := jws.Header{Unencoded: true}
	doc, err = jws.SignJSON(ctx, []byte(text), jws.Signatory{Key: key, Header: plain}, jws.Signatory{Key: key, Header: plain})
	if err != nil {
		t.Fatal(err)
	}
	m, err := jws.VerifyJSON(ctx, keys, doc, jws.Options{})
	if err != nil || string(m.Payload) != text {
		t.Error(m, err)
	}

	for _, c := range []struct {
		name    string
		payload string
		signers []jws.Signatory
		code    string
	}{
		{"nobody", "", nil, "sig.none"},
		{"no key", "", []jws.Signatory{{}}, "key.none"},
		{"header", "", []jws.Signatory{{Key: key, Header: jws.Header{Algorithm: "none"}}}, "alg.mismatch"},
		{"b64 differs", "", []jws.Signatory{{Key: key}, {Key: key, Header: plain}}, "b64.invalid"},
		{"not UTF-8", "\xff", []jws.Signatory{{Key: key, Header: plain}}, "b64.invalid"},
		{"alg twice", "", []jws.Signatory{{Key: key, Unprotected: jws.Header{Algorithm: "HS256"}}}, "header.conflict"},
		{"name twice", "", []jws.Signatory{{Key: key, Header: jws.Header{Extra: extra}, Unprotected: jws.Header{Extra: extra}}}, "header.conflict"},
		{"kid unprotected", "", []jws.Signatory{{Key: secretKey(t, ""), Unprotected: jws.Header{KeyID: "k"}}}, "header.unprotected"},
		{"crit unprotected", "", []jws.Signatory{{Key: key, Unprotected: jws.Header{Critical: []string{"x"}, Extra: extra}}}, "header.unprotected"},
		{"b64 unprotected", "", []jws.Signatory{{Key: key, Unprotected: jws.Header{Unencoded: true}}}, "header.unprotected"},
		{"unprotected extra b64", "", []jws.Signatory{{Key: key, Unprotected: jws.Header{Extra: map[string]json.RawMessage{"b64": json.RawMessage("true")}}}}, "header.invalid"},
		{"unprotected not JSON", "", []jws.Signatory{{Key: key, Unprotected: jws.Header{Extra: map[string]json.RawMessage{"x": nil}}}}, "json.syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, err := jws.SignJSON(ctx, []byte(c.payload), c.signers...)
			wantCode(t, err, c.code)
			if doc != nil {
				t.Error("a document comes with the error")
			}
			if c.payload == "" {
				doc, err = jws.SignDetachedJSON(ctx, strings.NewReader(""), c.signers...)
				wantCode(t, err, c.code)
				if doc != nil {
					t.Error("a document comes with the error")
				}
			}
		})
	}
}

func TestDetachedJSON(t *testing.T) {
	ctx := context.Background()
	a, b := generate(t, jwa.ES256), generate(t, jwa.Ed25519)
	keys := jwk.Set{a.Public(), b.Public()}
	payload := strings.Repeat("a payload that is kept elsewhere. ", 5000)
	for _, unencoded := range []bool{false, true} {
		h := jws.Header{Unencoded: unencoded}
		doc, err := jws.SignDetachedJSON(ctx, strings.NewReader(payload), jws.Signatory{Key: a, Header: h}, jws.Signatory{Key: b, Header: h})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(doc), `"payload"`) {
			t.Errorf("%s", doc)
		}
		m, err := jws.VerifyDetachedJSON(ctx, keys, doc, strings.NewReader(payload), jws.Options{MinSignatures: 2})
		if err != nil || m.Payload != nil {
			t.Fatal(m, err)
		}
		_, err = jws.VerifyDetachedJSON(ctx, keys, doc, strings.NewReader(payload+"."), jws.Options{})
		wantCode(t, err, "sig.invalid")
		_, err = jws.VerifyJSON(ctx, keys, doc, jws.Options{})
		wantCode(t, err, "token.malformed")
		m, err = jws.VerifyDetachedJSON(ctx, keys[1:], doc, strings.NewReader(payload), jws.Options{Require: jws.Any})
		if err != nil || m.Signatures[0].Err == nil || m.Signatures[1].Key != keys[1] {
			t.Error(m, err)
		}
		_, err = jws.VerifyDetachedJSON(ctx, jwk.Set{secretKey(t, "")}, doc, strings.NewReader(payload), jws.Options{})
		wantCode(t, err, "key.none")
	}
	_, err := jws.VerifyDetachedJSON(ctx, keys, []byte("{}"), strings.NewReader(payload), jws.Options{})
	wantCode(t, err, "sig.none")
	doc := []byte(`{"signatures":[` + one(header256, "") + "," + one(header256, "") + `]}`)
	broken := errors.New("broken")
	if _, err := jws.VerifyDetachedJSON(ctx, jwk.Set{secretKey(t, "")}, doc, iotest.ErrReader(broken), jws.Options{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	// What cannot verify is not read for.
	_, err = jws.VerifyDetachedJSON(ctx, keys, doc, iotest.ErrReader(broken), jws.Options{})
	wantCode(t, err, "key.none")
	mixed := `{"signatures":[` + one(header256, "") + "," + one(`{"alg":"HS256","b64":false,"crit":["b64"]}`, "") + `]}`
	_, err = jws.VerifyDetachedJSON(ctx, keys, []byte(mixed), strings.NewReader(payload), jws.Options{})
	wantCode(t, err, "b64.invalid")
}
