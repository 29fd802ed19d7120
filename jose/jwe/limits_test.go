package jwe_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
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
	keys := jwk.DecryptionSet{direct(t, "")}
	big := strings.Repeat("A", 40<<20)
	rest := sealed(t, "", "x")
	compact := func(token string, o jwe.Options) error {
		_, err := jwe.Decrypt(ctx, keys, token, o)
		return err
	}
	for _, c := range []struct {
		name, token string
		open        func(string, jwe.Options) error
		raised      string // the code at raised limits
	}{
		{"header of 40 MB", big + "." + rest, compact, "json.syntax"},
		{"ciphertext of 40 MB", encode(plain) + "..AAAAAAAAAAAAAAAA." + big + ".AAAAAAAAAAAAAAAAAAAAAA", compact, "dec.failed"},
		{"key of 40 MB", encode(plain) + "." + big + rest, compact, "header.invalid"},
		{"10 million dots", strings.Repeat(".", 10_000_000), compact, "token.malformed"},
		{"10 million dots after a header", encode(plain) + strings.Repeat(".", 10_000_000), compact, "token.malformed"},
		{
			"100,000 recipients", document(t, plain, `"recipients":[`+strings.Repeat(`{"encrypted_key":"AA"},`, 99_999)+`{}],`),
			func(token string, o jwe.Options) error {
				_, err := jwe.DecryptJSON(ctx, keys, []byte(token), o)
				return err
			}, "json.limit",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			start := time.Now()
			made := allocated(func() { err = c.open(c.token, jwe.Options{}) })
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
			made = allocated(func() { err = c.open(c.token, jwe.Options{MaxSize: 1 << 30, MaxHeader: 1 << 30}) })
			wantCode(t, err, c.raised)
			if made > 20*uint64(len(c.token)) {
				t.Errorf("%d bytes allocated for %d at raised limits", made, len(c.token))
			}
		})
	}
}

func TestLimits(t *testing.T) {
	key := direct(t, "")
	keys := jwk.DecryptionSet{key}
	token := encrypt(t, key, jwa.A128GCM, jwe.Header{}, strings.Repeat("x", 1<<20))
	_, err := jwe.Decrypt(ctx, keys, token, jwe.Options{})
	wantCode(t, err, "token.too_large")
	if !errors.Is(err, jwe.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := jwe.Decrypt(ctx, keys, token, jwe.Options{MaxSize: len(token)}); err != nil {
		t.Error(err)
	}
	for _, size := range []int{len(token) - 1, -1} {
		_, err = jwe.Decrypt(ctx, keys, token, jwe.Options{MaxSize: size})
		wantCode(t, err, "token.too_large")
	}
	header := encode(plain)
	if _, err := jwe.ParseHeader(header, jwe.Options{MaxHeader: len(header)}); err != nil {
		t.Error(err)
	}
	_, err = jwe.ParseHeader(header, jwe.Options{MaxHeader: len(header) - 1})
	wantCode(t, err, "token.too_large")
	_, err = jwe.ParseHeader(encode(`{"alg":"dir","enc":"A128GCM","x":"`+strings.Repeat("x", 12<<10)+`"}`), jwe.Options{})
	wantCode(t, err, "token.too_large")
}

// J7: what is compressed is read within limits, and nothing is compressed unasked.
func TestCompression(t *testing.T) {
	key := direct(t, "")
	keys := jwk.DecryptionSet{key}
	text := "You can trust us to stick with you through thick and thin - to the bitter end."
	token := encrypt(t, key, jwa.A128GCM, jwe.Header{Compressed: true}, text)
	m, err := jwe.Decrypt(ctx, keys, token, jwe.Options{})
	if err != nil || string(m.Plaintext) != text || !m.Header.Compressed {
		t.Error(m, err)
	}
	if m := must(jwe.Decrypt(ctx, keys, encrypt(t, key, jwa.A128GCM, jwe.Header{}, text), jwe.Options{}))(t); m.Header.Compressed {
		t.Error("compressed unasked")
	}
	doc := must(jwe.EncryptJSON(ctx, jwa.A128GCM, jwe.Header{Compressed: true}, jwe.Header{}, nil, []byte(text), jwe.Recipient{Key: key}))(t)
	if m, err := jwe.DecryptJSON(ctx, keys, doc, jwe.Options{}); err != nil || string(m.Plaintext) != text {
		t.Error(m, err)
	}
	hpke := must(jwk.GenerateDecryptionKey(jwa.ExperimentalHPKE0Draft22, ""))(t)
	token = encrypt(t, hpke.Public(), jwa.Encryption{}, jwe.Header{Compressed: true}, text)
	if m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{hpke}, token, jwe.Options{}); err != nil || string(m.Plaintext) != text {
		t.Error(m, err)
	}

	compress := func(plaintext []byte) string {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, flate.BestCompression)
		_, _ = w.Write(plaintext)
		_ = w.Close()
		return b.String()
	}
	random := make([]byte, 0, 40_000)
	for i := range uint32(40_000) {
		random = append(random, byte(i*i*2654435761>>13))
	}
	const header = `{"alg":"dir","enc":"A128GCM","zip":"DEF"}`
	zeros := compress(make([]byte, 10_000))
	for _, c := range []struct {
		name, compressed, want string
		o                      jwe.Options
	}{
		{"a bomb of 20 MB", compress(make([]byte, 20<<20)), "token.too_large", jwe.Options{}},
		{"a bomb for whom ratios do not count", compress(make([]byte, 250_001)), "token.too_large", jwe.Options{MaxRatio: 1 << 30}},
		{"the largest for whom ratios do not count", compress(make([]byte, 250_000)), "", jwe.Options{MaxRatio: 1 << 30}},
		{"an eleventh", zeros, "token.too_large", jwe.Options{}},
		{"the ratio", zeros, "", jwe.Options{MaxRatio: 10_000/len(zeros) + 1}},
		{"less than the ratio", zeros, "token.too_large", jwe.Options{MaxRatio: 10_000 / len(zeros)}},
		{"the size", compress(random), "", jwe.Options{MaxPlaintext: len(random)}},
		{"less than the size", compress(random), "token.too_large", jwe.Options{MaxPlaintext: len(random) - 1}},
		{"cut", compress([]byte(text))[:20], "dec.failed", jwe.Options{}},
		{"data behind", compress([]byte(text)) + "x", "dec.failed", jwe.Options{}},
		{"nothing", "", "dec.failed", jwe.Options{}},
		{"not compressed", text, "dec.failed", jwe.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := forge(t, header, c.compressed)
			c.o.MaxSize = 1 << 20
			var m *jwe.Message
			var err error
			made := allocated(func() { m, err = jwe.Decrypt(ctx, keys, token, c.o) })
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, c.want)
			if m != nil {
				t.Error("a message beside the error")
			}
			if made > 2<<20 {
				t.Errorf("%d bytes allocated", made)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled || testing.CoverMode() != "" {
		t.Skip("the race detector and the coverage counters allocate")
	}
	plaintext := make([]byte, 300)
	for _, c := range []struct {
		key              *jwk.SharedKey
		enc              jwa.Encryption
		encrypt, decrypt float64
	}{
		{direct(t, "k"), jwa.A128GCM, 8, 9},
		{wrapper(t, "k"), jwa.A128CBC_HS256, 28, 25},
	} {
		keys := jwk.DecryptionSet{c.key}
		token := encrypt(t, c.key, c.enc, jwe.Header{}, string(plaintext))
		if n := testing.AllocsPerRun(100, func() { _, _ = jwe.Encrypt(ctx, c.key, c.enc, jwe.Header{}, plaintext) }); n > c.encrypt {
			t.Errorf("%v Encrypt: %v allocations", c.key, n)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = jwe.Decrypt(ctx, keys, token, jwe.Options{}) }); n > c.decrypt {
			t.Errorf("%v Decrypt: %v allocations", c.key, n)
		}
	}
}

// TestOneCopy: beside the token there is at most one copy of the plaintext.
func TestOneCopy(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const size = 10 << 20
	plaintext := make([]byte, size)
	for _, enc := range encryptions {
		key := must(jwk.GenerateSharedKey(jwa.Dir, enc))(t)
		var token string
		if made := allocated(func() { token = encrypt(t, key, enc, jwe.Header{}, string(plaintext[:0])) }); made > 1<<20 {
			t.Errorf("%v: %d bytes for nothing", enc, made)
		}
		var err error
		made := allocated(func() { token, err = jwe.Encrypt(ctx, key, enc, jwe.Header{}, plaintext) })
		if err != nil || made > uint64(b64url.EncodedLen(size))+64<<10 {
			t.Errorf("%v: Encrypt allocates %d bytes: %v", enc, made, err)
		}
		keys := jwk.DecryptionSet{key}
		made = allocated(func() { _, err = jwe.Decrypt(ctx, keys, token, jwe.Options{MaxSize: 16 << 20}) })
		if err != nil || made > size+64<<10 {
			t.Errorf("%v: Decrypt allocates %d bytes: %v", enc, made, err)
		}
	}
}
