package matrix

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	jwxjwa "github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// What is exchanged is all that jot has; a test of jose/jwe holds that this is at least
// what the metadata of a real OpenID provider offers: 17 algorithms and 6 encryptions.

// crypter is a library that encrypts and decrypts the compact form. The key is a JWK
// without alg.
type crypter struct {
	name  string
	write func(c combination, plaintext string) (string, error)
	read  func(c combination, token string) (string, error)
}

// combination is what a token is encrypted with.
type combination struct {
	alg, enc, crv string
	key           string
}

// public returns the public half of the key, or the key where it is shared.
func (c combination) public() json.RawMessage {
	if j := must(jwk.Parse([]byte(c.key))); j.KeyType() != "oct" {
		return must(j.Public().MarshalJSON())
	}
	return json.RawMessage(c.key)
}

// unsupported has what a peer does not do, the one reason why a combination is not
// exchanged with it. Each line must be true both ways: a peer that learns it fails the
// test until the line goes.
var unsupported = []struct {
	library, why string
	covers       func(combination) bool
}{
	{"jose", "RSA1_5 was removed in version 5", func(c combination) bool { return c.alg == "RSA1_5" }},
	{"go-jose", "it has ECDH-ES on the NIST curves alone", func(c combination) bool { return c.crv == "X25519" }},
	{"go-jose", "it has RSA-OAEP with SHA-1 and SHA-256 alone", func(c combination) bool { return c.alg == "RSA-OAEP-384" || c.alg == "RSA-OAEP-512" }},
}

const (
	ours  = "jot"
	text  = "The true sign of intelligence is not knowledge but imagination."
	count = 1000 // of PBES2, the least that RFC 7518 allows, where a peer can be told
)

func TestEncryption(t *testing.T) {
	peers := []crypter{goJose, jwx}
	node := startNode(t)
	if node != nil {
		peers = append([]crypter{node.crypter()}, peers...)
	}
	keys := newKeys()
	type row struct{ alg, crv string }
	var rows []row
	for _, a := range jwa.KeyManagement() {
		alg := a.Name()
		if !strings.HasPrefix(alg, "ECDH-ES") {
			rows = append(rows, row{alg, ""})
			continue
		}
		for _, crv := range []string{"P-256", "P-384", "P-521", "X25519"} {
			rows = append(rows, row{alg, crv})
		}
	}

	used := map[string]bool{}
	agreed, tokens := map[string]int{}, 0
	var table strings.Builder
	fmt.Fprintf(&table, "%-28s", "")
	for _, enc := range jwa.Encryptions() {
		fmt.Fprintf(&table, " %-14s", enc)
	}
	for _, r := range rows {
		fmt.Fprintf(&table, "\n%-28s", strings.TrimSpace(r.alg+" "+r.crv))
		for _, e := range jwa.Encryptions() {
			enc := e.Name()
			if raced && strings.HasPrefix(r.alg, "PBES2") && enc != "A256GCM" {
				continue // half a minute of iterations; make suites runs them without the race detector
			}
			c := combination{r.alg, enc, r.crv, keys.of(r.alg, r.crv, enc)}
			fail := func(format string, args ...any) {
				t.Errorf("%s %s %s: "+format, append([]any{c.alg, c.crv, c.enc}, args...)...)
			}
			token, err := writeJot(c, text)
			if err != nil {
				fail("jot does not write: %v", err)
				continue
			}
			cell := ""
			if got, err := readJot(c, token); err != nil || got != text {
				fail("jot does not read its own: %q, %v", got, err)
			} else {
				cell = "J"
				agreed[ours]++
			}
			tokens++
			for _, p := range peers {
				got, readErr := p.read(c, token)
				theirs, writeErr := p.write(c, text)
				var ownErr error
				if writeErr == nil {
					var own string
					if own, ownErr = readJot(c, theirs); ownErr == nil && own != text {
						ownErr = fmt.Errorf("it read %q", own)
					}
				}
				if readErr == nil && got != text {
					readErr = fmt.Errorf("it read %q", got)
				}
				why := ""
				for _, u := range unsupported {
					if u.library == p.name && u.covers(c) {
						why = u.why
						used[u.library+u.why] = true
					}
				}
				switch {
				case why != "" && (readErr == nil || writeErr == nil):
					fail("%s does it, though %s", p.name, why)
				case why != "":
					cell += "."
				case readErr == nil && writeErr == nil && ownErr == nil:
					cell += initial(p.name)
					agreed[p.name]++
				default:
					fail("%s reads jot's: %v; writes: %v; jot reads that: %v", p.name, readErr, writeErr, ownErr)
				}
			}
			fmt.Fprintf(&table, " %-14s", cell)
		}
	}
	for _, u := range unsupported {
		if (u.library != "jose" || node != nil) && !used[u.library+u.why] {
			t.Errorf("nothing needs the line that %s: %s", u.library, u.why)
		}
	}
	var legend []string
	for _, p := range append([]crypter{{name: ours}}, peers...) {
		legend = append(legend, fmt.Sprintf("%s %s %d", initial(p.name), p.name, agreed[p.name]))
	}
	t.Logf("%d combinations, each written and read by jot, and both ways with each peer that has a letter: %s\n%s", tokens, strings.Join(legend, ", "), table.String())
}

func initial(library string) string {
	return map[string]string{ours: "J", "jose": "n", "go-jose": "g", "jwx": "x"}[library]
}

// keyring has one key of each kind, as JWK.
type keyring map[string]string

func newKeys() keyring {
	k := keyring{}
	describe := func(name string, key any) {
		j := must(jwk.FromKey(key))
		k[name] = string(must(j.MarshalPrivateJSON()))
	}
	describe("RSA", must(rsa.GenerateKey(rand.Reader, 2048)))
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		describe(c.Params().Name, must(ecdsa.GenerateKey(c, rand.Reader)))
	}
	describe("X25519", must(ecdh.X25519().GenerateKey(rand.Reader)))
	for _, size := range []int{16, 24, 32, 48, 64} {
		secret := make([]byte, size)
		_, _ = rand.Read(secret)
		k[fmt.Sprint(size)] = octJWK(secret)
	}
	k["password"] = octJWK([]byte("correct horse battery staple"))
	return k
}

func octJWK(secret []byte) string { return `{"kty":"oct","k":"` + b64.EncodeToString(secret) + `"}` }

func (k keyring) of(alg, crv, enc string) string {
	a, _ := jwa.Lookup(alg)
	switch a.Family() {
	case "RSAES":
		return k["RSA"]
	case "ECDH-ES":
		return k[crv]
	case "PBES2":
		return k["password"]
	case "direct":
		e, _ := jwa.LookupEncryption(enc)
		return k[fmt.Sprint(e.KeySize())]
	}
	return k[fmt.Sprint(a.KeySize())]
}

// jotKeys binds the key to the combination.
func jotKeys(c combination) (jwk.Encrypter, jwk.Decrypter, error) {
	alg, ok := jwa.Lookup(c.alg)
	enc, known := jwa.LookupEncryption(c.enc)
	if !ok || !known {
		return nil, nil, errors.New("not in jot's table")
	}
	description, err := jwk.Parse([]byte(c.key))
	if err != nil {
		return nil, nil, err
	}
	b := jwk.Binding{Algorithms: []jwa.Algorithm{alg}, Encryptions: []jwa.Encryption{enc}, AllowRSA1_5DespitePaddingOracles: alg == jwa.RSA1_5}
	if alg.Symmetric() {
		k, err := description.SharedKey(b)
		return k, k, err
	}
	k, err := description.DecryptionKey(b)
	if err != nil {
		return nil, nil, err
	}
	return k.Public(), k, nil
}

func writeJot(c combination, plaintext string) (string, error) {
	key, _, err := jotKeys(c)
	if err != nil {
		return "", err
	}
	h := jwe.Header{}
	if key.Algorithm().Family() == "PBES2" {
		h.Count = 310_000 // the least that jot writes
	}
	return jwe.Encrypt(context.Background(), key, jwa.Encryption{}, h, []byte(plaintext))
}

func readJot(c combination, token string) (string, error) {
	_, key, err := jotKeys(c)
	if err != nil {
		return "", err
	}
	m, err := jwe.Decrypt(context.Background(), jwk.DecryptionSet{key}, token, jwe.Options{})
	if err != nil {
		return "", err
	}
	if m.Header.Algorithm != c.alg || m.Header.Encryption != c.enc {
		return "", fmt.Errorf("the header says %s, %s", m.Header.Algorithm, m.Header.Encryption)
	}
	return string(m.Plaintext), nil
}

var goJose = crypter{
	name: "go-jose",
	write: func(c combination, plaintext string) (string, error) {
		var key jose.JSONWebKey
		if err := json.Unmarshal(c.public(), &key); err != nil {
			return "", err
		}
		e, err := jose.NewEncrypter(jose.ContentEncryption(c.enc), jose.Recipient{Algorithm: jose.KeyAlgorithm(c.alg), Key: key.Key, PBES2Count: count}, nil)
		if err != nil {
			return "", err
		}
		o, err := e.Encrypt([]byte(plaintext))
		if err != nil {
			return "", err
		}
		return o.CompactSerialize()
	},
	read: func(c combination, token string) (string, error) {
		var key jose.JSONWebKey
		if err := json.Unmarshal([]byte(c.key), &key); err != nil {
			return "", err
		}
		o, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.KeyAlgorithm(c.alg)}, []jose.ContentEncryption{jose.ContentEncryption(c.enc)})
		if err != nil {
			return "", err
		}
		plaintext, err := o.Decrypt(key.Key)
		return string(plaintext), err
	},
}

var jwx = crypter{
	name: "jwx",
	write: func(c combination, plaintext string) (string, error) {
		alg, enc, key, err := jwxKey(c, c.public())
		if err != nil {
			return "", err
		}
		out, err := jwxjwe.Encrypt([]byte(plaintext), jwxjwe.WithKey(alg, key), jwxjwe.WithContentEncryption(enc), jwxjwe.WithPBES2Count(count))
		return string(out), err
	},
	read: func(c combination, token string) (string, error) {
		alg, _, key, err := jwxKey(c, []byte(c.key))
		if err != nil {
			return "", err
		}
		plaintext, err := jwxjwe.Decrypt([]byte(token), jwxjwe.WithKey(alg, key), jwxjwe.WithMaxPBES2Count(1_200_000))
		return string(plaintext), err
	},
}

func jwxKey(c combination, jwk []byte) (jwxjwa.KeyEncryptionAlgorithm, jwxjwa.ContentEncryptionAlgorithm, jwxjwk.Key, error) {
	alg, ok := jwxjwa.LookupKeyEncryptionAlgorithm(c.alg)
	enc, known := jwxjwa.LookupContentEncryptionAlgorithm(c.enc)
	if !ok || !known {
		return alg, enc, nil, errors.New("not in jwx's table")
	}
	key, err := jwxjwk.ParseKey(jwk)
	return alg, enc, key, err
}
