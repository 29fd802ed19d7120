package jwt

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// answering is a source that answers what the test wants, whatever it is asked.
type answering struct {
	keys []jwk.Verifier
	err  error
}

func (a *answering) Keys(context.Context, jwk.Query) ([]jwk.Verifier, error) { return a.keys, a.err }

// A header that is recognised is asked about anew, and what the source answers is
// held to the same rules as the first time.
func TestSourceOfRecognisedHeader(t *testing.T) {
	key, stranger, other := secretKey(t), privateKey(t, jwa.ES256).Public(), privateKey(t, jwa.EdDSA).Public()
	raw := sample(t, key)
	down := errors.New("down")
	for _, tc := range []struct {
		name, raw, code string
		answer          answering
		err             error
	}{
		{name: "the key", raw: raw, answer: answering{keys: []jwk.Verifier{key}}},
		{name: "no key", raw: raw, answer: answering{}, code: "key.none"},
		{name: "its key is gone", raw: raw, answer: answering{err: jwk.ErrNoKey}, code: "key.none"},
		{name: "a key of another algorithm", raw: raw, answer: answering{keys: []jwk.Verifier{other}}, code: "alg.mismatch"},
		{name: "one of them of another algorithm", raw: raw, answer: answering{keys: []jwk.Verifier{key, stranger}}, code: "alg.mismatch"},
		{name: "too many", raw: raw, answer: answering{keys: []jwk.Verifier{key, key, key, key, key}}, code: "key.ambiguous"},
		{name: "four", raw: raw, answer: answering{keys: []jwk.Verifier{key, key, key, key}}},
		{name: "it fails", raw: raw, answer: answering{err: down}, err: down},
		{name: "keys beside an error", raw: raw, answer: answering{keys: []jwk.Verifier{key}, err: down}, err: down},
		{name: "not the alphabet", raw: raw + "=", answer: answering{keys: []jwk.Verifier{key}}, code: "token.malformed"},
		{name: "not the alphabet, and no key", raw: raw + "=", answer: answering{err: jwk.ErrNoKey}, code: "token.malformed"},
		{name: "four parts", raw: raw + ".AA", answer: answering{keys: []jwk.Verifier{key}}, code: "token.malformed"},
		{name: "two parts", raw: raw[:len(raw)-44], answer: answering{keys: []jwk.Verifier{key}}, code: "token.malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source := &answering{keys: []jwk.Verifier{key}}
			v := verifier[order](t, source, policy())
			if _, err := v.Verify(ctx, raw); err != nil {
				t.Fatal(err)
			}
			*source = tc.answer
			_, err := v.Verify(ctx, tc.raw)
			switch {
			case tc.code != "":
				want(t, err, tc.code)
			case !errors.Is(err, tc.err):
				t.Errorf("%v, want %v", err, tc.err)
			}
		})
	}
}

// A source's own code for a key that it does not have refuses the token.
func TestSourceWithItsOwnRefusal(t *testing.T) {
	key := secretKey(t)
	v := verifier[order](t, &answering{err: stranger{}}, policy())
	_, err := v.Verify(ctx, sample(t, key))
	want(t, err, "key.none")
	if !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

type stranger struct{}

func (stranger) Error() string { return "unknown here" }
func (stranger) Code() string  { return "issuer.untrusted" }
func (stranger) Unwrap() error { return jwk.ErrNoKey }

// A source that looks at more of the header than alg and kid is asked about all of it,
// for each token: where the header is read, where it is recognised, and where the token is.
func TestSourceIsAskedAboutTheHeader(t *testing.T) {
	key := secretKey(t)
	const header = `{"alg":"HS256","kid":"k","x5t#S256":"t","x5c":["AQID"],"x5u":"https://b","jku":"https://a","jwk":{"kty":"OKP"}}`
	src := &asked{Source: jwk.Set{key}}
	p := policy()
	p.CacheSize = 16
	v := verifier[struct{}](t, src, p)
	for range 2 {
		for _, payload := range []string{good, with("x", "1")} {
			_, err := v.Verify(ctx, forge(header, payload))
			accept(t, err)
		}
	}
	description, err := jwk.Parse([]byte(`{"kty":"OKP"}`))
	if err != nil {
		t.Fatal(err)
	}
	whole := jwk.Query{Algorithm: "HS256", KeyID: "k", X5TS256: "t", X5C: [][]byte{{1, 2, 3}}, X5U: "https://b", JKU: "https://a", JWK: &description}
	if len(src.queries) != 4 {
		t.Errorf("%d queries", len(src.queries))
	}
	for _, q := range src.queries {
		if !reflect.DeepEqual(q, whole) {
			t.Errorf("%+v", q)
		}
	}
}

// What a fixed set has answered is remembered for the header as it is written, so that
// no other header has the same answer.
func TestStaticAnswerIsForOneHeader(t *testing.T) {
	const leaf = "MIIB" // no set looks at the certificates of a header
	private := privateKey(t, jwa.ES256)
	described, err := private.JWK().With("x5t#S256", strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	certified, err := described.WithKeyID("").PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	v := verifier[struct{}](t, jwk.Set{certified}, policy())
	sign := func(h Header) string {
		h.KeyID = private.KeyID()
		raw, err := Sign(ctx, private, h, registered7, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	right := Header{X5T256: strings.Repeat("A", 43), X5C: [][]byte{[]byte(leaf)}}
	wrong := right
	wrong.X5T256 = strings.Repeat("B", 42) + "A"
	for range 3 {
		_, err := v.Verify(ctx, sign(right))
		accept(t, err)
		_, err = v.Verify(ctx, sign(wrong))
		want(t, err, "key.none")
	}
}

// A source that answers by the header alone is asked once for each header that has verified.
func TestSourceByHeaderAlone(t *testing.T) {
	key := secretKey(t)
	src := &byHeader{asked{Source: jwk.Set{key}}}
	v := verifier[struct{}](t, src, policy())
	for _, kid := range []string{"k", "k", "l", "k", "l"} {
		_, err := v.Verify(ctx, forge(`{"alg":"HS256","x":"`+kid+`"}`, good))
		accept(t, err)
	}
	if len(src.queries) != 2 {
		t.Errorf("%d queries", len(src.queries))
	}
}

type byHeader struct{ asked }

func (*byHeader) FromHeaderAlone() {}
