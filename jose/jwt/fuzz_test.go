package jwt

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// A token that is accepted is the canonical form of its three parts, and its payload is what was signed.
func FuzzVerify(f *testing.F) {
	key := secretKey(f)
	p := policy()
	p.Critical = []string{"x"}
	v := verifier[map[string]any](f, jwk.Set{key}, p)
	p.CacheSize = 64
	cached := verifier[map[string]any](f, jwk.Set{key}, p)
	for _, tail := range []string{"", "=", ".", "\n", " ", "A"} {
		f.Add(plain, good, tail)
	}
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"HS256","typ":"JWT","kid":"a"}`, `{"alg":"HS256","crit":["x"],"x":1}`, `{"alg":"HS256","crit":["b64"],"b64":false}`,
		`{"typ":"JWT",` + "\r\n" + ` "alg":"HS256"}`, `{"alg":"HS256","alg":"HS256"}`, ``, `null`, `{"alg":"RS256"}`,
	} {
		f.Add(header, good, "")
	}
	f.Fuzz(func(t *testing.T, header, payload, tail string) {
		raw := forge(header, payload) + tail
		tok, err := v.Verify(ctx, raw)
		again, errAgain := cached.Verify(ctx, raw)
		if (err == nil) != (errAgain == nil) {
			t.Fatalf("%v without a cache, %v with one", err, errAgain)
		}
		if err != nil {
			if _, ok := err.(*RejectError); !ok || tok != nil {
				t.Fatalf("%T %v", err, tok)
			}
			return
		}
		if tail != "" {
			t.Fatalf("accepted with %q behind it", tail)
		}
		parts := strings.Split(raw, ".")
		for i, part := range parts {
			b, err := base64.RawURLEncoding.Strict().DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(b) != part {
				t.Fatalf("part %d is not canonical: %v", i, err)
			}
		}
		if base64.RawURLEncoding.EncodeToString(tok.Payload()) != parts[1] {
			t.Fatal("the payload is not the one that was signed")
		}
		hit, err := cached.Verify(ctx, raw)
		if err != nil || !reflect.DeepEqual(hit.Claims, tok.Claims) || !reflect.DeepEqual(again.Registered, tok.Registered) {
			t.Fatalf("from the cache: %v, %+v", err, hit)
		}
	})
}

// Claims that are accepted mean the same to encoding/json, and signing them again is a fixpoint.
func FuzzClaims(f *testing.F) {
	key := secretKey(f)
	p := Policy{AnyIssuer: true, AnyAudience: true, OptionalExpiry: true, IgnoreExpiry: true, AllowFutureIssuedAt: true, Clock: clock}
	v := verifier[map[string]any](f, jwk.Set{key}, p)
	for _, payload := range []string{
		good, "{}", "", "[]", "null", `{"aud":["a","b"]}`, `{"aud":[]}`, `{"exp":1.5,"nbf":-1,"iat":1e3}`, `{"exp":1e400}`, `{"exp":-62135596800}`,
		`{"\u0065xp":1}`, `{"EXP":1}`, `{"a":{"b":[1,2,{"c":null}]},"d":12345678901234567890}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ud800"}`, `{"a":1,"a":2}`,
		`{"iss":null}`, `{"jti":7}`, `{"nbf":2,"exp":1}`, "{\"a\":\"\xff\"}", "\ufeff{}", `{"":""}`,
	} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		tok, err := v.Verify(ctx, forge(plain, payload))
		if err != nil {
			return
		}
		var std map[string]any
		d := json.NewDecoder(strings.NewReader(payload))
		d.UseNumber()
		if err := d.Decode(&std); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		for name, got := range map[string]string{"iss": tok.Issuer, "sub": tok.Subject, "jti": tok.ID} {
			if want, _ := std[name].(string); got != want {
				t.Fatalf("%s is %q, encoding/json says %q", name, got, want)
			}
		}
		for _, name := range registered {
			delete(std, name)
		}
		if !reflect.DeepEqual(std, tok.Claims) && len(std)+len(tok.Claims) > 0 {
			t.Fatalf("claims %v, encoding/json says %v", tok.Claims, std)
		}

		first, err := Sign(ctx, key, Header{}, tok.Registered, tok.Claims, AllowMissingExpiry)
		if err != nil {
			t.Fatalf("what was accepted cannot be signed: %v", err)
		}
		tok2, err := v.Verify(ctx, first)
		if err != nil {
			t.Fatalf("what was signed is refused: %v", err)
		}
		if !reflect.DeepEqual(tok.Registered, tok2.Registered) || !reflect.DeepEqual(tok.Claims, tok2.Claims) && len(tok.Claims)+len(tok2.Claims) > 0 {
			t.Fatalf("%+v and again %+v", tok, tok2)
		}
		second, err := Sign(ctx, key, Header{}, tok2.Registered, tok2.Claims, AllowMissingExpiry)
		if err != nil || second != first {
			t.Fatalf("no fixpoint: %s %s %v", first, second, err)
		}
	})
}

// A nested token that is accepted says cty JWT, has a signed token in it that is accepted alone, and
// shows no other claims than that.
func FuzzNested(f *testing.F) {
	key := secretKey(f)
	p := policy()
	alone := verifier[map[string]any](f, jwk.Set{key}, p)
	p.Decryption = &Decryption{Keys: jwk.DecryptionSet{sharedKey(f)}, MaxNesting: 3}
	v := verifier[map[string]any](f, jwk.Set{key}, p)
	p.CacheSize = 64
	cached := verifier[map[string]any](f, jwk.Set{key}, p)
	usual := forge(plain, good)
	for _, tail := range []string{"", "=", ".", "A"} {
		f.Add(outerPlain, usual, tail)
	}
	for _, header := range []string{
		`{"alg":"dir","enc":"A256GCM"}`, `{"alg":"dir","enc":"A256GCM","cty":"jwt","iss":"https://as.example","aud":["https://api.example"]}`,
		`{"alg":"dir","enc":"A256GCM","cty":"JWT","zip":"DEF"}`, `{"alg":"dir","enc":"A256GCM","cty":"JWT","sub":"b"}`, `{"alg":"none","enc":"A256GCM"}`, `{}`,
		`{"alg":"dir","enc":"A256GCM","cty":"JWT","typ":"at+jwt"}`, `{"alg":"dir","enc":"A256GCM","cty":"JWT","cty":"JWT"}`,
	} {
		f.Add(header, usual, "")
	}
	for _, inner := range []string{"", good, encode(`{"alg":"none"}`) + "." + encode(good) + ".", spoil(usual), wrap(outerPlain, usual), layersOf(2, usual)} {
		f.Add(outerPlain, inner, "")
	}
	f.Fuzz(func(t *testing.T, header, inner, tail string) {
		raw := wrap(header, inner) + tail
		tok, err := v.Verify(ctx, raw)
		again, errAgain := cached.Verify(ctx, raw)
		if (err == nil) != (errAgain == nil) {
			t.Fatalf("%v without a cache, %v with one", err, errAgain)
		}
		if err != nil {
			if _, ok := err.(*RejectError); !ok || tok != nil {
				t.Fatalf("%T %v", err, tok)
			}
			return
		}
		if tail != "" {
			t.Fatalf("accepted with %q behind it", tail)
		}
		layers := tok.Layers()
		if len(layers) == 0 || len(layers) > 2 || !reflect.DeepEqual(layers, again.Layers()) {
			t.Fatalf("layers %+v", layers)
		}
		for _, l := range layers {
			if !strings.EqualFold(strings.TrimPrefix(strings.ToLower(l.Header.ContentType), "application/"), "jwt") {
				t.Fatalf("cty %q", l.Header.ContentType)
			}
			for name, want := range map[string]string{"iss": tok.Issuer, "sub": tok.Subject, "jti": tok.ID} {
				var got string
				if raw, ok := l.Header.Extra[name]; ok && (json.Unmarshal(raw, &got) != nil || got != want) {
					t.Fatalf("%s is %s, and %q is signed", name, raw, want)
				}
			}
		}
		if len(layers) == 1 && !layers[0].Header.Compressed {
			bare, err := alone.Verify(ctx, inner)
			if err != nil || !reflect.DeepEqual(bare.Claims, tok.Claims) || !reflect.DeepEqual(bare.Registered, tok.Registered) {
				t.Fatalf("what is inside: %v, %+v", err, bare)
			}
		}
	})
}
