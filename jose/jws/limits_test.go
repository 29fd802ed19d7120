package jws_test

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// allocated is what f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestRefusalIsCheap(t *testing.T) {
	ctx := context.Background()
	keys := jwk.Set{secretKey(t, "k")}
	big := strings.Repeat("A", 40<<20)
	p, s := enc("hello"), hs("x")
	compact := func(token string, o jws.Options) error {
		_, err := jws.Verify(ctx, keys, token, o)
		return err
	}
	for _, c := range []struct {
		name, token string
		verify      func(string, jws.Options) error
		raised      string // the code at raised limits
	}{
		{"header of 40 MB", big + "." + p + "." + s, compact, "json.syntax"},
		{"10 million dots", strings.Repeat(".", 10_000_000), compact, "token.malformed"},
		{"10 million dots after a header", enc(header256) + strings.Repeat(".", 10_000_000), compact, "token.malformed"},
		{
			"100,000 signatures", general(strings.TrimSuffix(strings.Repeat(one(header256, "")+",", 100_000), ",")),
			func(token string, o jws.Options) error {
				_, err := jws.VerifyJSON(ctx, keys, []byte(token), o)
				return err
			}, "json.limit",
		},
		{"detached, header of 40 MB", big + ".." + s, func(token string, o jws.Options) error {
			_, err := jws.VerifyDetached(ctx, keys, token, strings.NewReader(""), o)
			return err
		}, "json.syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			start := time.Now()
			made := allocated(func() { err = c.verify(c.token, jws.Options{}) })
			wantCode(t, err, "token.too_large")
			// The JSON is handed over as bytes, which the test copies.
			if c.raised == "json.limit" {
				made -= min(made, uint64(len(c.token))+1<<16)
			}
			if made > 1<<20 {
				t.Errorf("%d bytes allocated", made)
			}
			t.Logf("refused in %v, %d bytes allocated", time.Since(start), made)

			if raceEnabled {
				return // it takes long and shows nothing of races
			}
			made = allocated(func() { err = c.verify(c.token, jws.Options{MaxSize: 1 << 30, MaxHeader: 1 << 30}) })
			wantCode(t, err, c.raised)
			if made > 20*uint64(len(c.token)) {
				t.Errorf("%d bytes allocated for %d at raised limits", made, len(c.token))
			}
		})
	}
}

func TestRaisedLimits(t *testing.T) {
	ctx := context.Background()
	key := secretKey(t, "k")
	payload := make([]byte, 1<<20)
	token, err := jws.Sign(ctx, key, jws.Header{}, payload)
	if err != nil {
		t.Fatal(err)
	}
	_, err = jws.Verify(ctx, jwk.Set{key}, token, jws.Options{})
	wantCode(t, err, "token.too_large")
	made := allocated(func() {
		_, err = jws.Verify(ctx, jwk.Set{key}, token, jws.Options{MaxSize: 2 << 20})
	})
	if err != nil || made > 20*uint64(len(token)) {
		t.Error(err, made)
	}
	_, err = jws.Verify(ctx, jwk.Set{key}, token, jws.Options{MaxSize: -1})
	wantCode(t, err, "token.too_large")

	doc, err := jws.SignJSON(ctx, []byte("x"), jws.Signatory{Key: key}, jws.Signatory{Key: key}, jws.Signatory{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.VerifyJSON(ctx, jwk.Set{key}, doc, jws.Options{MaxSignatures: 3}); err != nil {
		t.Error(err)
	}
	_, err = jws.VerifyJSON(ctx, jwk.Set{key}, doc, jws.Options{MaxSignatures: 2})
	wantCode(t, err, "token.too_large")
	_, err = jws.VerifyJSON(ctx, jwk.Set{key}, doc, jws.Options{MaxHeader: 8})
	wantCode(t, err, "token.too_large")
}

// endless has n bytes.
func endless(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestDetachedLimit: what is not hashed in passing must fit into memory, and says so.
func TestDetachedLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long and shows nothing of races")
	}
	ctx := context.Background()
	key := generate(t, jwa.Ed25519)
	h := jws.Header{Unencoded: true}
	_, err := jws.SignDetached(ctx, key, h, endless(65<<20))
	wantCode(t, err, "key.limit")
	token, err := jws.SignDetached(ctx, key, h, endless(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = jws.VerifyDetached(ctx, jwk.Set{key.Public()}, token, endless(65<<20), jws.Options{})
	wantCode(t, err, "key.limit")

	hashed := generate(t, jwa.ES256)
	token, err = jws.SignDetached(ctx, hashed, h, endless(65<<20))
	if err != nil {
		t.Fatal(err)
	}
	made := allocated(func() {
		_, err = jws.VerifyDetached(ctx, jwk.Set{hashed.Public()}, token, endless(65<<20), jws.Options{})
	})
	if err != nil || made > 1<<20 {
		t.Error(err, made)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("the race detector and the coverage counters allocate")
	}
	ctx := context.Background()
	key := secretKey(t, "k")
	keys := jwk.Set{key}
	token, err := jws.Sign(ctx, key, jws.Header{Type: "JWT"}, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = jws.Verify(ctx, keys, token, jws.Options{}) }); n > 12 {
		t.Errorf("Verify: %v allocations", n)
	}
	payload := []byte("hello")
	if n := testing.AllocsPerRun(100, func() { _, _ = jws.Sign(ctx, key, jws.Header{Type: "JWT"}, payload) }); n > 8 {
		t.Errorf("Sign: %v allocations", n)
	}
}

func BenchmarkVerify(b *testing.B) {
	ctx := context.Background()
	key := secretKey(b, "k")
	keys := jwk.Set{key}
	token, _ := jws.Sign(ctx, key, jws.Header{Type: "JWT"}, []byte("hello"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jws.Verify(ctx, keys, token, jws.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	ctx := context.Background()
	key := secretKey(b, "k")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jws.Sign(ctx, key, jws.Header{Type: "JWT"}, []byte("hello")); err != nil {
			b.Fatal(err)
		}
	}
}
