package jwk_test

import (
	"context"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The keys of the appendices of RFC 7517, by section.
var rfc7517 = sync.OnceValue(func() map[string]json.RawMessage {
	data, err := os.ReadFile("testdata/rfc7517.json")
	if err != nil {
		panic(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		panic(err)
	}
	return all
})

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil {
		t.Errorf("accepted, want %s", code)
	} else if got := fault.CodeOf(err); got != code {
		t.Errorf("got %s (%v), want %s", got, err, code)
	}
}

func mustParse(t testing.TB, data string) jwk.JWK {
	t.Helper()
	j, err := jwk.Parse([]byte(data))
	if err != nil {
		t.Fatalf("%v: %.80s", err, data)
	}
	return j
}

// members returns the JWK with some members changed; a nil takes one away.
func members(t testing.TB, base string, changes map[string]any) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(base), &m); err != nil {
		t.Fatal(err)
	}
	for name, v := range changes {
		if v == nil {
			delete(m, name)
		} else {
			m[name] = v
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	// RFC 7517, Appendix A.2, without use and kid.
	ecPrivate = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`
	ecPublic  = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	// RFC 8037, Appendix A.1.
	edPrivate = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	edPublic  = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	// RFC 7515, Appendix A.1.
	octSecret = `{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`
)

func rsaPrivate(t testing.TB) string {
	t.Helper()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(rfc7517()["A.2"], &set); err != nil {
		t.Fatal(err)
	}
	return members(t, string(set.Keys[1]), map[string]any{"alg": nil, "kid": nil})
}

func rsaPublic(t testing.TB) string {
	t.Helper()
	return members(t, rsaPrivate(t), map[string]any{"d": nil, "p": nil, "q": nil, "dp": nil, "dq": nil, "qi": nil})
}

func testRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := mustParse(t, rsaPrivate(t)).MarshalPrivateDER()
	if err != nil {
		t.Fatal(err)
	}
	return parsePKCS8(t, k).(*rsa.PrivateKey)
}

// signers has a key for each algorithm of the table.
func signers(t testing.TB) []jwk.Signer {
	t.Helper()
	var all []jwk.Signer
	for _, alg := range jwa.Signatures() {
		var k jwk.Signer
		var err error
		switch {
		case alg.Symmetric():
			k, err = jwk.GenerateSecret(alg)
		case alg.KeyType() == "RSA":
			k, err = mustParse(t, rsaPrivate(t)).PrivateKey(jwk.Binding{Algorithms: []jwa.Algorithm{alg}})
		default:
			k, err = jwk.Generate(alg)
		}
		if err != nil {
			t.Fatal(alg, err)
		}
		all = append(all, k)
	}
	return all
}

func verifier(s jwk.Signer) jwk.Verifier {
	if k, ok := s.(*jwk.PrivateKey); ok {
		return k.Public()
	}
	return s.(*jwk.SecretKey)
}

func keys(t testing.TB, s jwk.Source, q jwk.Query) []jwk.Verifier {
	t.Helper()
	found, err := s.Keys(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func flip(s string, i int) string {
	const from, to = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "BADCFEHGJILKNMPORQTSVUXWZYbadcfehgjilknmporqtsvuxwzy1032547698_-"
	return s[:i] + string(to[strings.IndexByte(from, s[i])]) + s[i+1:]
}

// fipsEnforced says that the tests run with GODEBUG=fips140=only.
var fipsEnforced = fips140.Enforced()

func parsePKCS8(t testing.TB, der []byte) any {
	t.Helper()
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
