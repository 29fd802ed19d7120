package jwt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// counted counts how often a signature is verified.
type counted struct {
	*jwk.SecretKey
	n *atomic.Int32
}

func (c counted) Verify(message, signature []byte) error {
	c.n.Add(1)
	return c.SecretKey.Verify(message, signature)
}

// rotating is a source whose keys change.
type rotating struct {
	keys atomic.Pointer[[]jwk.Verifier]
}

func (r *rotating) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) {
	keys := *r.keys.Load()
	if len(keys) == 0 {
		return nil, jwk.ErrNoKey
	}
	return keys, nil
}

func (r *rotating) set(keys ...jwk.Verifier) { r.keys.Store(&keys) }

func caching(change func(*Policy)) Policy {
	p := policy()
	p.CacheSize = 16
	if change != nil {
		change(&p)
	}
	return p
}

func TestTokenCache(t *testing.T) {
	key := counted{secretKey(t), new(atomic.Int32)}
	v := verifier[map[string]any](t, jwk.Set{key}, caching(nil))
	raw := forge(plain, with("list", `["a"]`, "x", `"y"`))
	var first *Token[map[string]any]
	for range 5 {
		tok, err := v.Verify(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = tok
		}
		if tok.Claims["list"].([]any)[0] != "a" || tok.Key != jwk.Verifier(key) || tok.Issuer != issuer {
			t.Fatalf("%+v", tok)
		}
		// What one caller does to its token is not seen by the next.
		tok.Claims["list"].([]any)[0] = "spoilt"
		tok.Audience[0] = "spoilt"
		clear(tok.payload)
	}
	if n := key.n.Load(); n != 1 {
		t.Errorf("%d verifications", n)
	}
	_, err := v.Verify(ctx, spoil(raw))
	want(t, err, "sig.invalid")
	_, err = v.Verify(ctx, "x"+raw)
	if err == nil {
		t.Error("another token with the same end is accepted")
	}
}

func TestNothingUnverifiedIsCached(t *testing.T) {
	key := counted{secretKey(t), new(atomic.Int32)}
	v := verifier[struct{}](t, jwk.Set{key}, caching(nil))
	for _, raw := range []string{spoil(forge(plain, good)), forge(plain, with("exp", "1")), forge(plain, "{")} {
		for range 2 {
			if _, err := v.Verify(ctx, raw); err == nil {
				t.Fatal("accepted")
			}
		}
		if v.tokens.get(raw) != nil {
			t.Error("a refused token is kept")
		}
	}
	if v.headers.of(encode(plain)+".") == nil {
		t.Error("the header of a token with a good signature is not kept")
	}
	_, _ = v.Verify(ctx, spoil(forge(`{"alg":"HS256","x":1}`, good)))
	if v.headers.of(encode(`{"alg":"HS256","x":1}`)+".") != nil {
		t.Error("the header of a forgery is kept")
	}
	wide := `{"alg":"HS256","x":"` + strings.Repeat("x", 1024) + `"}`
	_, err := v.Verify(ctx, forge(wide, good))
	accept(t, err)
	if v.headers.of(encode(wide)+".") != nil {
		t.Error("a header over 1 KiB is kept")
	}
	long := forge(plain, with("x", `"`+strings.Repeat("x", maxCachedToken)+`"`))
	_, err = v.Verify(ctx, long)
	accept(t, err)
	if v.tokens.get(long) != nil {
		t.Error("a token over 16 KiB is kept")
	}
}

// The policy is checked on every hit.
func TestCachedTokenExpires(t *testing.T) {
	now := atomic.Int64{}
	now.Store(unix)
	key := counted{secretKey(t), new(atomic.Int32)}
	v := verifier[struct{}](t, jwk.Set{key}, caching(func(p *Policy) {
		p.Clock, p.Leeway = func() time.Time { return time.Unix(now.Load(), 0) }, NoLeeway
	}))
	raw := forge(plain, with("nbf", fmt.Sprint(unix-10)))
	_, err := v.Verify(ctx, raw)
	accept(t, err)
	now.Store(unix - 60)
	_, err = v.Verify(ctx, raw)
	want(t, err, "nbf.early")
	now.Store(1767272400)
	_, err = v.Verify(ctx, raw)
	want(t, err, "exp.expired")
	if key.n.Load() != 1 {
		t.Error("the hits were none")
	}
	if v.tokens.get(raw) != nil {
		t.Error("an expired token is kept")
	}
}

func TestCachedTokenLosesItsKey(t *testing.T) {
	for _, size := range []int{0, 16} {
		key, err := jwk.NewSecretKey(jwa.HS256, "", secret)
		if err != nil {
			t.Fatal(err)
		}
		same, _ := jwk.NewSecretKey(jwa.HS256, "", secret)
		other, _ := jwk.GenerateSecret(jwa.HS256)
		src := new(rotating)
		src.set(key)
		v := verifier[struct{}](t, src, caching(func(p *Policy) { p.CacheSize = size }))
		raw := forge(plain, good)
		for range 2 {
			_, err = v.Verify(ctx, raw)
			accept(t, err)
		}
		src.set(other, same)
		tok, err := v.Verify(ctx, raw)
		accept(t, err)
		if tok != nil && tok.Key != jwk.Verifier(same) {
			t.Error("a key that is no longer offered is named")
		}
		src.set(other)
		_, err = v.Verify(ctx, raw)
		want(t, err, "sig.invalid")
		src.set()
		_, err = v.Verify(ctx, raw)
		want(t, err, "key.none")
		src.set(key)
		_, err = v.Verify(ctx, raw)
		accept(t, err)
	}
}

func TestCachedTokenSelector(t *testing.T) {
	src := &asked{Source: jwk.Set{secretKey(t)}}
	v := verifier[struct{}](t, src, caching(func(p *Policy) { p.Selector = "sub" }))
	for range 3 {
		_, err := v.Verify(ctx, forge(plain, good))
		accept(t, err)
	}
	for _, q := range src.queries {
		if q.Selector != "alice" {
			t.Errorf("query %+v", q)
		}
	}
	src.err = errors.New("down")
	if _, err := v.Verify(ctx, forge(plain, good)); err != src.err {
		t.Errorf("%v", err)
	}
}

func TestReplayIsNeverCached(t *testing.T) {
	v := verifier[struct{}](t, jwk.Set{secretKey(t)}, caching(func(p *Policy) { p.Replay = NewReplayCache(8) }))
	raw := forge(plain, good)
	_, err := v.Verify(ctx, raw)
	accept(t, err)
	for range 3 {
		_, err = v.Verify(ctx, raw)
		want(t, err, "jti.replayed")
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	for _, size := range []int{1, 3, 16} {
		v := verifier[struct{}](t, jwk.Set{secretKey(t)}, caching(func(p *Policy) { p.CacheSize = size }))
		for i := range 200 {
			raw := forge(plain, with("jti", fmt.Sprintf(`"%d"`, i)))
			_, err := v.Verify(ctx, raw)
			accept(t, err)
			if v.tokens.get(raw) == nil {
				t.Errorf("token %d was not kept", i)
			}
		}
		if n := len(v.tokens.slots); n > size+3 {
			t.Errorf("%d slots for a size of %d", n, size)
		}
	}
	// Two that are verified at once take one place.
	c := newTokenCache(4)
	c.put(&tokenEntry{raw: "a"})
	c.put(&tokenEntry{raw: "b"})
	c.put(&tokenEntry{raw: "a"})
	n := 0
	for i := range c.slots {
		if c.slots[i].Load() != nil {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d places for two tokens", n)
	}
}

// A cache that kept a substring would keep the request around it alive.
func TestCachesCopyTheirStrings(t *testing.T) {
	v := verifier[struct{}](t, &asked{Source: jwk.Set{secretKey(t)}}, caching(func(p *Policy) { p.Selector = "iss" }))
	request := "Authorization: Bearer " + forge(plain, good)
	raw := request[len("Authorization: Bearer "):]
	tok, err := v.Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	inside := func(s string, b string) bool {
		p, q := uintptr(unsafe.Pointer(unsafe.StringData(s))), uintptr(unsafe.Pointer(unsafe.StringData(b)))
		return p >= q && p < q+uintptr(len(b))
	}
	e, h := v.tokens.get(raw), v.headers.of(raw)
	payload := unsafe.String(unsafe.SliceData(tok.payload), len(tok.payload))
	if inside(e.raw, request) || inside(h.encoded, request) || inside(e.selector, payload) ||
		unsafe.SliceData(e.payload) == unsafe.SliceData(tok.payload) {
		t.Error("a cache shares memory with the request or the token")
	}
}

func TestHeadersAreNotShared(t *testing.T) {
	const header = `{"alg":"HS256","crit":["x"],"x":[1],"x5c":["AQ=="],"jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}`
	v := verifier[struct{}](t, jwk.Set{secretKey(t)}, caching(func(p *Policy) { p.Critical = []string{"x"} }))
	for i := range 4 {
		tok, err := v.Verify(ctx, forge(header, with("jti", fmt.Sprintf(`"%d"`, i/2))))
		if err != nil {
			t.Fatal(err)
		}
		h := tok.Header()
		if string(h.Extra["x"]) != "[1]" || len(h.Extra) != 1 || h.Critical[0] != "x" || h.X5C[0][0] != 1 || h.JWK.KeyType() != "OKP" {
			t.Fatalf("%d: %+v", i, h)
		}
		copy(h.Extra["x"], "zzz")
		h.Extra["y"] = json.RawMessage("1")
		h.Critical[0] = "spoilt"
		h.X5C[0][0] = 9
		*h.JWK = jwk.JWK{}
	}
}

func TestHeaderCacheIsBounded(t *testing.T) {
	v := hs(t, nil)
	for i := range 500 {
		_, err := v.Verify(ctx, forge(fmt.Sprintf(`{"alg":"HS256","x":%d}`, i), good))
		accept(t, err)
	}
	// The newest is found by its bytes, the others by their hash; neither by a part. Two may want one place: then the older is
	// forgotten, and gets another chance.
	for range 100 {
		for _, header := range []string{plain, `{"alg":"HS256","x":1}`} {
			_, err := v.Verify(ctx, forge(header, good))
			accept(t, err)
		}
		if v.headers.of(encode(plain)+".e30.AA") != nil {
			break
		}
		v = hs(t, nil) // which hashes by another seed
	}
	for header, found := range map[string]bool{
		plain: true, `{"alg":"HS256","x":1}`: true, `{"alg":"HS256","x":2,"y":1}`: false,
	} {
		if e := v.headers.of(encode(header) + ".e30.AA"); (e != nil) != found || e != nil && e.encoded != encode(header) {
			t.Errorf("%s: %v", header, e)
		}
	}
	if v.headers.of(encode(`{"alg":"HS256","x":1}`)) != nil || v.headers.of(encode(`{"alg":"HS256","x":1}`)+"A.") != nil || v.headers.of("") != nil {
		t.Error("a part of a token is recognised")
	}
}

func TestCachesConcurrently(t *testing.T) {
	key := secretKey(t)
	src := new(rotating)
	src.set(key)
	for _, keys := range []jwk.Source{jwk.Set{key}, src} {
		v := verifier[map[string]any](t, keys, caching(func(p *Policy) { p.CacheSize = 4 }))
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 60 {
					n := (g + i) % 12
					raw := forge(fmt.Sprintf(`{"alg":"HS256","n":%d}`, n), with("n", fmt.Sprint(n)))
					if i%5 == 0 {
						raw = spoil(raw)
					}
					tok, err := v.Verify(ctx, raw)
					if i%5 == 0 {
						if err == nil {
							t.Error("a forgery is accepted")
						}
						continue
					}
					if err != nil || tok.Claims["n"] != json.Number(fmt.Sprint(n)) {
						t.Errorf("%v %v", tok, err)
						continue
					}
					tok.Claims["n"] = "mine"
					tok.Header().Extra["n"][0] = 'X'
				}
			})
		}
		wg.Wait()
	}
}
