package keyset_test

import (
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// Sets that issuers and specifications have published: each key that can be used is,
// and each that cannot is reported with the reason.
func TestPublishedSets(t *testing.T) {
	data, err := os.ReadFile("testdata/sets.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name    string
		From    string
		JWKS    json.RawMessage
		Usable  [][2]string       // kid and alg
		Skipped map[string]string // the place of the key, and the code
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, tc := range cases {
		t.Run(tc.Name, func(t *testing.T) {
			s := newServer(t)
			s.raw = string(tc.JWKS)
			r := remote(t, s.URL+"/jwks", options(newClock()))
			for _, q := range tc.Usable {
				keys, err := r.Keys(ctx, jwk.Query{KeyID: q[0], Algorithm: q[1]})
				if err != nil || len(keys) == 0 || keys[0].KeyID() != q[0] {
					t.Error(q, keys, err)
				}
			}
			if err := r.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, k := range r.State().Skipped {
				got[strconv.Itoa(k.Index)] = code(k.Err)
			}
			if len(got) != len(tc.Skipped) {
				t.Errorf("%v", r.State().Skipped)
			}
			for i, want := range tc.Skipped {
				if got[i] != want {
					t.Errorf("key %s: %s, want %s", i, got[i], want)
				}
			}
		})
	}
}

// What can be fetched by all is no secret: such a key verifies nothing, in whatever
// form it is written, and the others do.
func TestExposedKeys(t *testing.T) {
	ed := `{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	s := newServer(t)
	s.raw = `{"keys":[
		{"kty":"oct","kid":"hmac","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
		{"kty":"o\u0063t","kid":"aes","alg":"A128KW","\u006b":"GawgguFyGrWKav7AX4VKUg"},
		{"kty":"OKP","crv":"Ed25519","kid":"leaked","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
		` + ed + `,
		{"kty":"AKP","alg":"ML-DSA-44","kid":"akp","pub":"AAAA","priv":"AAAA"}]}`
	r := remote(t, s.URL+"/jwks", options(newClock()))
	ask(t, r, "1", "")
	for kid, alg := range map[string]string{"hmac": "HS256", "leaked": "EdDSA", "aes": "A128KW", "akp": "ML-DSA-44"} {
		_, err := r.Keys(ctx, jwk.Query{Algorithm: alg, KeyID: kid})
		wantCode(t, err, "key.none")
	}
	var kids []string
	for _, k := range r.State().Skipped {
		wantCode(t, k.Err, "key.private")
		kids = append(kids, k.KeyID)
	}
	if !slices.Equal(kids, []string{"hmac", "aes", "leaked", "akp"}) {
		t.Errorf("%q", kids)
	}
	set, err := r.Set(ctx)
	if err != nil || len(set) != 1 {
		t.Error(set, err)
	}
}
