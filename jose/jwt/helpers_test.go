package jwt

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The setup of most tests: tokens are made with the standard library alone.
const (
	issuer   = "https://as.example"
	audience = "https://api.example"
	unix     = 1767268800 // 2026-01-01T12:00:00Z
)

var (
	ctx    = context.Background()
	secret = []byte("a secret of at least thirty-two bytes")
	plain  = `{"alg":"HS256"}`
	good   = `{"iss":"https://as.example","aud":"https://api.example","exp":1767272400,"iat":1767268700,"sub":"alice","jti":"1"}`
)

func clock() time.Time { return time.Unix(unix, 0) }

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and payload with secret, as they are.
func forge(header, payload string) string { return forgeParts(encode(header), encode(payload)) }

func forgeParts(header, payload string) string {
	return header + "." + payload + "." + base64.RawURLEncoding.EncodeToString(mac(secret, header+"."+payload))
}

func mac(secret []byte, message string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// spoil flips a bit in the middle of the signature, of a token that stays well formed.
func spoil(token string) string {
	i := strings.LastIndexByte(token, '.') + 5
	c := byte('A')
	if token[i] == 'A' {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

func secretKey(t testing.TB) *jwk.SecretKey {
	t.Helper()
	k, err := jwk.NewSecretKey(jwa.HS256, "", secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// privateKey makes each kind of key once: RSA is slow.
var privateKey = func() func(testing.TB, jwa.Algorithm) *jwk.PrivateKey {
	var mu sync.Mutex
	keys := map[jwa.Algorithm]*jwk.PrivateKey{}
	return func(t testing.TB, alg jwa.Algorithm) *jwk.PrivateKey {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if k := keys[alg]; k != nil {
			return k
		}
		var k *jwk.PrivateKey
		var err error
		if alg.KeyType() == "RSA" {
			var s *rsa.PrivateKey
			if s, err = rsa.GenerateKey(rand.Reader, 2048); err == nil {
				k, err = jwk.NewPrivateKey(alg, "rsa", s)
			}
		} else {
			k, err = jwk.Generate(alg)
		}
		if err != nil {
			t.Fatal(err)
		}
		keys[alg] = k
		return k
	}
}()

func policy() Policy {
	return Policy{Issuers: []string{issuer}, Audiences: []string{audience}, Clock: clock}
}

func verifier[C any](t testing.TB, keys jwk.Source, p Policy) *Verifier[C] {
	t.Helper()
	v, err := NewVerifier[C](keys, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func hs(t testing.TB, change func(*Policy)) *Verifier[struct{}] {
	t.Helper()
	p := policy()
	if change != nil {
		change(&p)
	}
	return verifier[struct{}](t, jwk.Set{secretKey(t)}, p)
}

// codes returns the codes of a refusal; "accepted" where there is none.
func codes(t testing.TB, err error) []string {
	t.Helper()
	if err == nil {
		return []string{"accepted"}
	}
	r, ok := errors.AsType[*RejectError](err)
	if !ok {
		t.Fatalf("%T is no *RejectError: %v", err, err)
	}
	return r.Codes()
}

func want(t testing.TB, err error, want ...string) {
	t.Helper()
	if got := codes(t, err); !slices.Equal(got, want) {
		t.Errorf("codes %v, want %v (%v)", got, want, err)
	}
}

func accept(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("refused: %v", err)
	}
}

// with replaces members of good: with("exp", "1", "iat", "-") sets one and removes one.
func with(pairs ...string) string {
	order := []string{"iss", "aud", "exp", "iat", "sub", "jti"}
	values := map[string]string{
		"iss": `"https://as.example"`, "aud": `"https://api.example"`, "exp": "1767272400",
		"iat": "1767268700", "sub": `"alice"`, "jti": `"1"`,
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := values[pairs[i]]; !ok {
			order = append(order, pairs[i])
		}
		values[pairs[i]] = pairs[i+1]
	}
	var members []string
	for _, name := range order {
		if values[name] != "-" {
			members = append(members, `"`+name+`":`+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// asked is a source that counts its visitors.
type asked struct {
	jwk.Source
	queries []jwk.Query
	err     error
}

func (a *asked) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	a.queries = append(a.queries, q)
	if a.err != nil {
		return nil, a.err
	}
	return a.Source.Keys(ctx, q)
}
