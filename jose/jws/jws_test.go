package jws_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

var secret = []byte("a secret of no less than 32 bytes")

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// hs signs text with the secret, so that only what a case names is wrong.
func hs(text string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func compactOf(header, payload string) string {
	text := enc(header) + "." + enc(payload)
	return text + "." + hs(text)
}

func secretKey(t testing.TB, kid string) *jwk.SecretKey {
	t.Helper()
	k, err := jwk.NewSecretKey(jwa.HS256, kid, secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaKey is made once, because that takes long.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func generate(t testing.TB, alg jwa.Algorithm) *jwk.PrivateKey {
	t.Helper()
	if alg.KeyType() == "RSA" {
		r, err := rsaKey()
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwk.NewPrivateKey(alg, "rsa", r)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k, err := jwk.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVerifyRefuses(t *testing.T) {
	good := compactOf(`{"alg":"HS256"}`, "hello")
	h, rest, _ := strings.Cut(good, ".")
	p, s, _ := strings.Cut(rest, ".")
	unencoded := func(payload string) string {
		text := enc(`{"alg":"HS256","b64":false,"crit":["b64"]}`) + "." + payload
		return text + "." + hs(text)
	}
	header := func(h string) string { return compactOf(h, "hello") }
	private := `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}`
	for _, c := range []struct{ name, token, code string }{
		{"too large", strings.Repeat("A", 64<<10+1), "token.too_large"},
		{"header too large", header(`{"alg":"HS256","x":"` + strings.Repeat("A", 12<<10) + `"}`), "token.too_large"},
		{"empty", "", "token.malformed"},
		{"two parts", h + "." + p, "token.malformed"},
		{"four parts", good + "." + s, "token.malformed"},
		{"empty header", "." + p + "." + s, "token.malformed"},
		{"space", good + " ", "token.malformed"},
		{"space in header", h + " ." + p + "." + s, "token.malformed"},
		{"space in payload", h + "." + p + " ." + s, "token.malformed"},
		{"line end in payload", h + "." + p + "\n." + s, "token.malformed"},
		{"padding", h + "." + p + "=." + s, "token.malformed"},
		{"bearer", "Bearer " + good, "token.malformed"},
		{"JSON", `{"protected":"` + h + `","payload":"` + p + `","signature":"` + s + `"}`, "token.malformed"},
		{"loose bits in header", enc(`{"alg":"HS256"} `)[:21] + "B." + p + "." + s, "token.encoding"},
		{"loose bits in signature", good[:len(good)-1] + "B", "token.encoding"},
		{"payload length", h + "." + p + "AA." + hs(h+"."+p+"AA"), "token.encoding"},
		{"signature", h + "." + enc("hullo") + "." + s, "sig.invalid"},
		{"empty signature", h + "." + p + ".", "sig.invalid"},

		{"header not JSON", header(`alg`), "json.syntax"},
		{"header a list", header(`["alg","HS256"]`), "json.type"},
		{"header null", header(`null`), "json.type"},
		{"duplicate", header(`{"alg":"HS256","alg":"HS256"}`), "json.duplicate"},
		{"duplicate escaped", header(`{"alg":"HS256","\u0061lg":"none"}`), "json.duplicate"},
		{"nested duplicate", header(`{"alg":"HS256","x":{"a":1,"a":2}}`), "json.duplicate"},
		{"trailing", header(`{"alg":"HS256"}{}`), "json.trailing"},
		{"deep", header(`{"alg":"HS256","x":` + strings.Repeat("[", 17) + strings.Repeat("]", 17) + `}`), "json.depth"},
		{"many members", header(`{"alg":"HS256","x":[` + strings.Repeat("1,", 1000) + `1]}`), "json.limit"},
		{"kid number", header(`{"alg":"HS256","kid":1}`), "json.type"},
		{"kid null", header(`{"alg":"HS256","kid":null}`), "json.type"},
		{"typ list", header(`{"alg":"HS256","typ":["JWT"]}`), "json.type"},
		{"enc", header(`{"alg":"HS256","enc":"A128GCM"}`), "header.invalid"},
		{"JWE", header(`{"alg":"dir","enc":"A128GCM"}`), "alg.unknown"},
		{"jwk private", header(`{"alg":"HS256","jwk":` + private + `}`), "key.private"},
		{"jwk symmetric", header(`{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`), "key.private"},
		{"jwk null", header(`{"alg":"HS256","jwk":null}`), "json.type"},
		{"jwk not a key", header(`{"alg":"HS256","jwk":{}}`), "key.invalid"},
		{"x5c string", header(`{"alg":"HS256","x5c":"AAAA"}`), "json.type"},
		{"x5c empty", header(`{"alg":"HS256","x5c":[]}`), "header.invalid"},
		{"x5c empty string", header(`{"alg":"HS256","x5c":[""]}`), "header.invalid"},
		{"x5c base64url", header(`{"alg":"HS256","x5c":["__--"]}`), "header.invalid"},
		{"x5c line end", header(`{"alg":"HS256","x5c":["AA\nAA"]}`), "header.invalid"},

		{"alg missing", header(`{"typ":"JWT"}`), "alg.missing"},
		{"alg empty", header(`{"alg":""}`), "alg.missing"},
		{"alg null", header(`{"alg":null}`), "json.type"},
		{"alg list", header(`{"alg":["HS256"]}`), "json.type"},
		{"none", header(`{"alg":"none"}`), "alg.none"},
		{"none in another case", header(`{"alg":"nOnE"}`), "alg.none"},
		{"none escaped", header(`{"alg":"n\u006fne"}`), "alg.none"},
		{"none with a space", header(`{"alg":"none "}`), "alg.none"},
		{"none with NUL", header(`{"alg":"none\u0000"}`), "alg.none"},
		{"none unsigned", h[:0] + enc(`{"alg":"none"}`) + "." + p + ".", "alg.none"},
		{"unknown", header(`{"alg":"HS255"}`), "alg.unknown"},
		{"lower case", header(`{"alg":"hs256"}`), "alg.unknown"},
		{"no key", header(`{"alg":"ES256"}`), "key.none"},
		{"no key of that kid", header(`{"alg":"HS256","kid":"other"}`), "key.none"},

		{"crit unknown", header(`{"alg":"HS256","crit":["x"],"x":1}`), "crit.unknown"},
		{"crit empty", header(`{"alg":"HS256","crit":[]}`), "crit.invalid"},
		{"crit string", header(`{"alg":"HS256","crit":"ext","ext":1}`), "crit.invalid"},
		{"crit null", header(`{"alg":"HS256","crit":null}`), "crit.invalid"},
		{"crit half a list", header(`{"alg":"HS256","crit":["ext",1],"ext":1}`), "crit.invalid"},
		{"crit numbers", header(`{"alg":"HS256","crit":[1]}`), "crit.invalid"},
		{"crit twice", header(`{"alg":"HS256","crit":["ext","ext"],"ext":1}`), "crit.invalid"},
		{"crit b64 twice", header(`{"alg":"HS256","crit":["b64","b64"],"b64":true}`), "crit.invalid"},
		{"crit registered", header(`{"alg":"HS256","crit":["alg"]}`), "crit.invalid"},
		{"crit registered and understood", header(`{"alg":"HS256","crit":["x5t"],"x5t":"AA"}`), "crit.invalid"},
		{"crit absent", header(`{"alg":"HS256","crit":["ext"]}`), "crit.invalid"},
		{"crit b64 absent", header(`{"alg":"HS256","crit":["b64"]}`), "crit.invalid"},
		{"b64 without crit", header(`{"alg":"HS256","b64":false}`), "b64.invalid"},
		{"b64 with another crit", header(`{"alg":"HS256","b64":false,"crit":["ext"],"ext":1}`), "b64.invalid"},
		{"b64 string", header(`{"alg":"HS256","b64":"false","crit":["b64"]}`), "b64.invalid"},
		{"b64 null", header(`{"alg":"HS256","b64":null,"crit":["b64"]}`), "b64.invalid"},
		{"unencoded with a full stop", unencoded("a.b"), "token.malformed"},
		{"unencoded with a line end", unencoded("a\nb"), "token.malformed"},
		{"unencoded with DEL", unencoded("a\x7fb"), "token.malformed"},
		{"unencoded with UTF-8", unencoded("é"), "token.malformed"},
		{"unencoded too large", unencoded(strings.Repeat(" ", 64<<10)), "token.too_large"},
		{"unencoded and unsigned", strings.TrimRight(unencoded("a b"), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), "token.malformed"},
		{"unencoded without header", strings.TrimLeft(unencoded("a b"), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), "token.malformed"},
		{"unencoded, padded signature", unencoded("a b") + "=", "token.malformed"},
		{"unencoded, padded header", strings.Replace(unencoded("a b"), ".", "=.", 1), "token.malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := jws.Options{Critical: []string{"ext", "alg", "x5t"}}
			m, err := jws.Verify(context.Background(), jwk.Set{secretKey(t, "k")}, c.token, o)
			wantCode(t, err, c.code)
			if m != nil {
				t.Error("a message comes with the error")
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	text := enc(`{"alg":"HS256","b64":false,"crit":["b64"]}`) + ".hello, world ~"
	for _, c := range []struct{ name, token, payload string }{
		{"plain", compactOf(`{"alg":"HS256"}`, "hello"), "hello"},
		{"empty payload", compactOf(`{"alg":"HS256"}`, ""), ""},
		{"white space in the header", compactOf("\n{ \"alg\" : \"HS256\" }\n", "hello"), "hello"},
		{"crit understood", compactOf(`{"alg":"HS256","crit":["ext","b64"],"ext":1,"b64":true}`, "hello"), "hello"},
		{"b64 true", compactOf(`{"alg":"HS256","b64":true}`, "hello"), "hello"},
		{"x5t", compactOf(`{"alg":"HS256","x5t":"AA"}`, "hello"), "hello"},
		{"unencoded", text + "." + hs(text), "hello, world ~"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := jws.Verify(context.Background(), jwk.Set{secretKey(t, "k")}, c.token, jws.Options{Critical: []string{"ext"}})
			if err != nil || string(m.Payload) != c.payload {
				t.Fatal(m, err)
			}
		})
	}
}

func TestHeaderFields(t *testing.T) {
	const header = `{"alg":"HS256","kid":"k","typ":"x+jwt","cty":"JWT","jwk":` + keyA3 + `,"x5c":["AQID"],"x5t#S256":"t","x5t":"s","jku":"https://a","x5u":"https://b","crit":["ext"],"ext":{"a":[1]}}`
	m, err := jws.Verify(context.Background(), source(func(jwk.Query) ([]jwk.Verifier, error) {
		return []jwk.Verifier{secretKey(t, "k")}, nil
	}), compactOf(header, ""), jws.Options{Critical: []string{"ext"}})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Signatures[0].Header
	if h.Algorithm != "HS256" || h.KeyID != "k" || h.Type != "x+jwt" || h.ContentType != "JWT" || h.JWK.Curve() != "P-256" ||
		string(h.X5C[0]) != "\x01\x02\x03" || h.X5T256 != "t" || h.JKU != "https://a" || h.X5U != "https://b" ||
		h.Critical[0] != "ext" || h.Unencoded || len(h.Extra) != 2 || string(h.Extra["ext"]) != `{"a":[1]}` {
		t.Errorf("%+v", h)
	}
	// What was read can be written, with its members in order.
	raw, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	again, err := jws.ParseHeader(enc(string(raw)), jws.Options{Critical: []string{"ext"}})
	if err != nil || again.Algorithm != "HS256" || len(again.Extra) != 2 || string(again.X5C[0]) != "\x01\x02\x03" {
		t.Errorf("%s: %v", raw, err)
	}
}

// source is a source of keys as a caller may write one.
type source func(jwk.Query) ([]jwk.Verifier, error)

func (s source) Keys(_ context.Context, q jwk.Query) ([]jwk.Verifier, error) { return s(q) }

func TestSource(t *testing.T) {
	ctx := context.Background()
	token := compactOf(`{"alg":"HS256","kid":"k","x5t#S256":"p","x5c":["AQID"],"x5u":"https://b","jku":"https://a","jwk":{"kty":"OKP"}}`, "hello")
	key := secretKey(t, "k")
	description, err := jwk.Parse([]byte(`{"kty":"OKP"}`))
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("the network is down")
	times := func(n int) []jwk.Verifier {
		out := make([]jwk.Verifier, n)
		for i := range out {
			out[i] = key
		}
		return out
	}
	for _, c := range []struct {
		name  string
		found []jwk.Verifier
		err   error
		code  string
		is    error
	}{
		{"none", nil, nil, "key.none", jws.ErrNoKey},
		{"five", times(5), nil, "key.ambiguous", jws.ErrNoKey},
		{"another algorithm", []jwk.Verifier{key, generate(t, jwa.ES256).Public()}, nil, "alg.mismatch", jws.ErrAlgorithm},
		{"its own failure", nil, down, "", down},
		{"context", nil, context.Canceled, "", context.Canceled},
		{"refusal", nil, jwk.ErrUse, "key.use", jws.ErrNoKey},
		{"refused algorithm", nil, jwk.ErrAlgorithm, "alg.mismatch", jws.ErrAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jws.Verify(ctx, source(func(jwk.Query) ([]jwk.Verifier, error) { return c.found, c.err }), token, jws.Options{})
			if !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			wantCode(t, err, c.code)
		})
	}
	if _, err := jws.Verify(ctx, nil, token, jws.Options{}); !errors.Is(err, jws.ErrNoKey) {
		t.Error(err)
	}
	// Four are tried, and the query says what the header does.
	var asked jwk.Query
	other, _ := jwk.NewSecretKey(jwa.HS256, "k", []byte(strings.Repeat("another!", 5)))
	m, err := jws.Verify(ctx, source(func(q jwk.Query) ([]jwk.Verifier, error) {
		asked = q
		return []jwk.Verifier{other, other, other, key}, nil
	}), token, jws.Options{})
	if err != nil || m.Signatures[0].Key != key {
		t.Error(m, err)
	}
	if !reflect.DeepEqual(asked, jwk.Query{Algorithm: "HS256", KeyID: "k", X5TS256: "p", X5C: [][]byte{{1, 2, 3}}, X5U: "https://b", JKU: "https://a", JWK: &description}) {
		t.Errorf("%+v", asked)
	}
	h := m.Signatures[0].Header
	if _, err := h.Verifiers(ctx, source(func(q jwk.Query) ([]jwk.Verifier, error) {
		asked = q
		return []jwk.Verifier{key}, nil
	}), "https://as.example", jws.Options{}); err != nil || asked.Selector != "https://as.example" {
		t.Error(asked, err)
	}
}

func TestAlgorithms(t *testing.T) {
	ctx := context.Background()
	token := compactOf(`{"alg":"HS256"}`, "hello")
	keys := jwk.Set{secretKey(t, "")}
	if _, err := jws.Verify(ctx, keys, token, jws.Options{Algorithms: []jwa.Algorithm{jwa.ES256, jwa.HS256}}); err != nil {
		t.Error(err)
	}
	_, err := jws.Verify(ctx, keys, token, jws.Options{Algorithms: []jwa.Algorithm{jwa.ES256}})
	wantCode(t, err, "alg.not_allowed")

	// EdDSA and Ed25519 are one algorithm by two names.
	key := generate(t, jwa.Ed25519)
	for _, name := range []string{"EdDSA", "Ed25519"} {
		for _, allowed := range []jwa.Algorithm{jwa.EdDSA, jwa.Ed25519} {
			token, err := jws.Sign(ctx, key, jws.Header{Algorithm: name}, []byte("hello"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jws.Verify(ctx, jwk.Set{key.Public()}, token, jws.Options{Algorithms: []jwa.Algorithm{allowed}}); err != nil {
				t.Error(name, allowed, err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	ctx := context.Background()
	key := secretKey(t, "k")
	private, err := jwk.Parse([]byte(`{"kty":"oct","k":"AAAA"}`))
	if err != nil {
		t.Fatal(err)
	}
	extra := func(name, value string) map[string]json.RawMessage {
		return map[string]json.RawMessage{name: json.RawMessage(value)}
	}
	for _, c := range []struct {
		name    string
		header  jws.Header
		payload string
		code    string
	}{
		{"alg", jws.Header{Algorithm: "ES256"}, "", "alg.mismatch"},
		{"none", jws.Header{Algorithm: "none"}, "", "alg.mismatch"},
		{"kid", jws.Header{KeyID: "other"}, "", "header.invalid"},
		{"crit absent", jws.Header{Critical: []string{"x"}}, "", "crit.invalid"},
		{"crit b64", jws.Header{Critical: []string{"b64"}}, "", "crit.invalid"},
		{"crit b64 of the program", jws.Header{Critical: []string{"b64"}, Extra: extra("b64", "true")}, "", "crit.invalid"},
		{"crit absent beside b64", jws.Header{Critical: []string{"x"}, Unencoded: true}, "", "crit.invalid"},
		{"crit twice", jws.Header{Critical: []string{"x", "x"}, Extra: extra("x", "1")}, "", "crit.invalid"},
		{"crit registered", jws.Header{Critical: []string{"x5t"}, Extra: extra("x5t", `"a"`)}, "", "crit.invalid"},
		{"jwk", jws.Header{JWK: &private}, "", "key.private"},
		{"extra alg", jws.Header{Extra: extra("alg", `"none"`)}, "", "header.invalid"},
		{"extra b64", jws.Header{Extra: extra("b64", `false`)}, "", "header.invalid"},
		{"extra enc", jws.Header{Extra: extra("enc", `"A128GCM"`)}, "", "header.invalid"},
		{"extra not JSON", jws.Header{Extra: extra("x", `1,"alg":"none"`)}, "", "json.trailing"},
		{"extra name", jws.Header{Extra: extra("\xff", `1`)}, "", "json.utf8"},
		{"kid not UTF-8", jws.Header{Type: "\xff"}, "", "json.utf8"},
		{"unencoded full stop", jws.Header{Unencoded: true}, "a.b", "b64.invalid"},
		{"unencoded line end", jws.Header{Unencoded: true}, "a\nb", "b64.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := jws.Sign(ctx, key, c.header, []byte(c.payload))
			wantCode(t, err, c.code)
			if token != "" {
				t.Error("a token comes with the error")
			}
		})
	}
	if token, err := jws.SignDetached(ctx, key, jws.Header{Algorithm: "none"}, strings.NewReader("")); fault.CodeOf(err) != "alg.mismatch" || token != "" {
		t.Error(token, err)
	}
	if _, err := jws.Sign(ctx, nil, jws.Header{}, nil); !errors.Is(err, jws.ErrNoKey) {
		t.Error(err)
	}
	// The name of a member is escaped, so that it makes no other.
	token, err := jws.Sign(ctx, key, jws.Header{Extra: extra(`x":0,"crit`, "1")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(ctx, jwk.Set{key}, token, jws.Options{}); err != nil {
		t.Error(err)
	}
}

func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	for _, alg := range []jwa.Algorithm{jwa.ES256, jwa.ES384, jwa.ES512, jwa.Ed25519, jwa.RS256, jwa.PS256} {
		t.Run(alg.Name(), func(t *testing.T) {
			key := generate(t, alg)
			keys := jwk.Set{key.Public()}
			public := key.JWK()
			for _, h := range []jws.Header{
				{Type: "x", JWK: &public, X5C: [][]byte{{1}, {2, 3}}, JKU: "https://a", X5U: "https://b"},
				{Unencoded: true},
				{Critical: []string{"x", "b64"}, Unencoded: true, Extra: map[string]json.RawMessage{"x": json.RawMessage(`"1"`)}},
			} {
				o := jws.Options{Critical: []string{"x"}}
				token, err := jws.Sign(ctx, key, h, []byte("hello"))
				if err != nil {
					t.Fatal(err)
				}
				m, err := jws.Verify(ctx, keys, token, o)
				if err != nil || string(m.Payload) != "hello" || m.Signatures[0].Key != keys[0] || m.Signatures[0].Header.KeyID != key.KeyID() {
					t.Fatal(m, err)
				}
				detached, err := jws.SignDetached(ctx, key, h, iotest.OneByteReader(strings.NewReader("hello, world. ✓")))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := jws.VerifyDetached(ctx, keys, detached, iotest.DataErrReader(strings.NewReader("hello, world. ✓")), o); err != nil {
					t.Fatal(err)
				}
				_, err = jws.VerifyDetached(ctx, keys, detached, strings.NewReader("hello, world. ✗"), o)
				wantCode(t, err, "sig.invalid")
			}
		})
	}
}

func TestDetached(t *testing.T) {
	ctx := context.Background()
	key := secretKey(t, "k")
	keys := jwk.Set{key}
	inside := compactOf(`{"alg":"HS256"}`, "hello")
	h, rest, _ := strings.Cut(inside, ".")
	_, s, _ := strings.Cut(rest, ".")
	for _, c := range []struct{ name, token, payload, code string }{
		{"inside", inside, "hello", "token.malformed"},
		{"swapped", h + ".." + s, "hullo", "sig.invalid"},
		{"empty", h + ".." + s, "", "sig.invalid"},
		{"two parts", h + "." + s, "hello", "token.malformed"},
		{"header", enc(`{"alg":"none"}`) + "..", "hello", "alg.none"},
		{"no key", enc(`{"alg":"HS256","kid":"x"}`) + ".." + s, "hello", "key.none"},
		{"signature", h + ".." + s[:42] + "B", "hello", "token.encoding"},
		{"good", h + ".." + s, "hello", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := jws.VerifyDetached(ctx, keys, c.token, strings.NewReader(c.payload), jws.Options{})
			wantCode(t, err, c.code)
			if err == nil && m.Payload != nil {
				t.Error("the payload is detached")
			}
		})
	}
	// A detached signature is not one over nothing.
	_, err := jws.Verify(ctx, keys, h+".."+s, jws.Options{})
	wantCode(t, err, "sig.invalid")

	// More than one block of the encoder, and lengths around its edge.
	for _, n := range []int{3071, 3072, 3073, 100_000} {
		payload := strings.Repeat("x", n)
		token, err := jws.SignDetached(ctx, key, jws.Header{}, strings.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		h, _, _ := strings.Cut(token, ".")
		if token != h+".."+hs(h+"."+enc(payload)) {
			t.Errorf("%d bytes: the signature is not over header.payload", n)
		}
	}

	// Failures of the payload are not refusals, and half a payload is not a whole one.
	broken := errors.New("broken")
	for _, failure := range []error{broken, io.ErrUnexpectedEOF} {
		half := func() io.Reader { return io.MultiReader(strings.NewReader("hello"), iotest.ErrReader(failure)) }
		if _, err := jws.VerifyDetached(ctx, keys, h+".."+s, half(), jws.Options{}); !errors.Is(err, failure) {
			t.Error(err)
		}
		if token, err := jws.SignDetached(ctx, key, jws.Header{}, half()); !errors.Is(err, failure) || token != "" {
			t.Error(token, err)
		}
		two := jws.Signatory{Key: key}
		if doc, err := jws.SignDetachedJSON(ctx, half(), two, two); !errors.Is(err, failure) || doc != nil {
			t.Error(doc, err)
		}
		if doc, err := jws.SignDetachedJSON(ctx, half(), two); !errors.Is(err, failure) || doc != nil {
			t.Error(doc, err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := jws.VerifyDetached(gone, keys, h+".."+s, strings.NewReader("hello"), jws.Options{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}

	// Several candidates share one stream.
	other, _ := jwk.NewSecretKey(jwa.HS256, "", []byte(strings.Repeat("another!", 5)))
	m, err := jws.VerifyDetached(ctx, jwk.Set{other, other, key}, h+".."+s, strings.NewReader("hello"), jws.Options{})
	if err != nil || m.Signatures[0].Key != key {
		t.Error(m, err)
	}
	m, err = jws.VerifyDetached(ctx, jwk.Set{key, secretKey(t, "twin")}, h+".."+s, strings.NewReader("hello"), jws.Options{})
	if err != nil || m.Signatures[0].Key != key {
		t.Error(m, err)
	}
	_, err = jws.VerifyDetached(ctx, jwk.Set{other, other}, h+".."+s, strings.NewReader("hello"), jws.Options{})
	wantCode(t, err, "sig.invalid")
	if _, err := jws.VerifyDetached(ctx, jwk.Set{other, key}, h+".."+s, iotest.ErrReader(broken), jws.Options{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestSignerFails(t *testing.T) {
	ctx := context.Background()
	broken := errors.New("the device is gone")
	good := generate(t, jwa.ES256)
	key, err := jwk.NewRemoteKey(jwa.ES256, "r", good.Public().CryptoKey(), remote(broken))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Sign(ctx, key, jws.Header{}, nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := jws.SignDetached(ctx, key, jws.Header{}, strings.NewReader("")); !errors.Is(err, broken) {
		t.Error(err)
	}
	signers := []jws.Signatory{{Key: good}, {Key: key}}
	if _, err := jws.SignJSON(ctx, nil, signers...); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := jws.SignDetachedJSON(ctx, strings.NewReader(""), signers...); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// remote is a device that answers with err.
func remote(err error) func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
	return func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) { return nil, err }
}

// TestPanics: what panics while one signature is made does so where the caller can
// recover.
func TestPanics(t *testing.T) {
	good := generate(t, jwa.ES256)
	key, err := jwk.NewRemoteKey(jwa.ES256, "r", good.Public().CryptoKey(), func(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
		panic("the device is on fire")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = jws.SignDetached(context.Background(), key, jws.Header{}, strings.NewReader(""))
}

func TestErrorsSayNothingOfTheToken(t *testing.T) {
	token := compactOf(`{"alg":"HS256","kid":"marker-in-kid","crit":["marker-in-crit"],"marker-in-crit":"marker"}`, "marker")
	_, err := jws.Verify(context.Background(), jwk.Set{secretKey(t, "")}, token, jws.Options{})
	if strings.Contains(fmt.Sprint(err), "marker") {
		t.Error(err)
	}
	_, notList := jws.ParseHeader(enc(`{"alg":"HS256","crit":[1]}`), jws.Options{})
	if notList == nil || !strings.Contains(notList.Error(), "not a list of names") {
		t.Error(notList)
	}
	var spec interface{ Spec() string }
	if !errors.As(err, &spec) || spec.Spec() != "RFC 7515, Section 4.1.11" {
		t.Errorf("%v cites %v", err, spec)
	}
}
