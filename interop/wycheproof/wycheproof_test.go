package wycheproof

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"

	"github.com/jotsuite/jot/ext/ed448"
	"github.com/jotsuite/jot/ext/es256k"
	"github.com/jotsuite/jot/ext/mldsa"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

type file struct {
	NumberOfTests int
	TestGroups    []group
}

type group struct {
	Type             string
	Public, Private  json.RawMessage // a JWK or a set
	PublicKeyDer     string
	PublicKey        json.RawMessage // of ML-DSA in hexadecimal
	PrivateKeyPkcs8  string
	Sha, MgfSha      string
	KeySize, TagSize int
	IVSize           int
	Tests            []test
}

type test struct {
	TcID               int
	Comment, Result    string
	Msg, Sig, Key, Tag string
	Ctx                string
	JWS, JWE           *token
	Flags              []string

	// Of encryption.
	PT                    *string
	IV, AAD, CT, Label    string
	Public, Private       json.RawMessage
	Shared                string
	Password, Salt, Dk    string
	IterationCount, DkLen int
}

// token is a compact token, or a document in the JSON serialization as it stands.
type token string

func (t *token) UnmarshalJSON(data []byte) error {
	if data[0] != '"' {
		*t = token(data)
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// count is what the test of a file came to.
type count struct{ run, accepted, refused, explained int }

func TestWycheproof(t *testing.T) {
	total := count{}
	for name, want := range counts {
		t.Run(strings.TrimSuffix(name, "_test.json"), func(t *testing.T) {
			if raced && (strings.HasPrefix(name, "ecdh_secp384r1") || strings.HasPrefix(name, "ecdh_secp521r1")) {
				t.Skip("a minute with the race detector; make suites runs it without")
			}
			data, err := fs.ReadFile(wycheproof.TestVectors, name)
			if err != nil {
				t.Fatal(err)
			}
			var f file
			if err := json.Unmarshal(data, &f); err != nil {
				t.Fatal(err)
			}
			var c count
			for _, g := range f.TestGroups {
				runGroup(t, name, g, &c)
			}
			if c.run != want {
				t.Errorf("%d cases were run, want %d", c.run, want)
			}
			if c.explained != len(explained[name]) {
				t.Errorf("%d lines explain %s, and %d cases need one", len(explained[name]), name, c.explained)
			}
			// A file in which everything is refused would pass for a wrong reason.
			if c.accepted == 0 && !otherParameters[name] {
				t.Error("nothing was accepted")
			}
			total.run, total.accepted, total.refused, total.explained = total.run+c.run, total.accepted+c.accepted, total.refused+c.refused, total.explained+c.explained
		})
	}
	t.Logf("%d files, %d cases: %d accepted, %d refused, %d explained", len(counts), total.run, total.accepted, total.refused, total.explained)
}

func runGroup(t *testing.T, name string, g group, c *count) {
	if g.Type == "JsonWebCrypto" && g.Tests[0].JWE != nil {
		g.Type = "JsonWebEncryption"
	}
	if name == "rsa_oaep_misc_test.json" && (g.Sha != g.MgfSha || g.Sha == "SHA-224" || g.KeySize < 2048 || g.KeySize > 4096) {
		return // not the parameters of JOSE, or slow
	}
	var verify func(test) error
	switch g.Type {
	case "JsonWebSignature", "JsonWebKey", "JsonWebCrypto":
		verify = tokens(g)
	case "MacTest":
		verify = macs(t, name)
	default:
		if verify = encryptions(t, name, g); verify == nil {
			verify = signatures(t, name, g)
		}
	}
	for _, v := range g.Tests {
		c.run++
		err := verify(v)
		if err == nil {
			c.accepted++
		} else {
			c.refused++
		}
		accept, open := expected(name, g, v)
		if open {
			continue
		}
		if accept == (err == nil) {
			continue
		}
		if explained[name][v.TcID] == "" {
			t.Errorf("%d (%s) is %s in the suite; here: %v", v.TcID, v.Comment, v.Result, err)
			continue
		}
		c.explained++
	}
}

// expected says whether JOSE accepts a case. Where the suite leaves that open, so does
// this.
func expected(name string, g group, v test) (accept, open bool) {
	fits := true // in JOSE
	switch {
	case otherParameters[name]:
		fits = false
	case g.Type == "MacTest":
		fits = g.TagSize == fullTag(name) // not cut off, nor made longer
	case v.Ctx != "":
		fits = false // RFC 9964, Section 5: the context is empty
	case g.Type == "AeadTest" && isGCM(name):
		fits = g.IVSize == 96 // RFC 7518, Section 5.3
	case g.Type == "KeywrapTest", g.Type == "RsaesPkcs1Decrypt":
		_, err := lengthOf(len(v.Msg) / 2) // what is encrypted is a key
		fits = err == nil
	case g.Type == "RsaesOaepDecrypt":
		fits = v.Label == ""
	case strings.HasPrefix(name, "x25519") && v.Result == "acceptable":
		// RFC 7748 asks to take them all, RFC 8037, Section 3.2, not where the secret is zero.
		return !slices.Contains(v.Flags, "ZeroSharedSecret"), false
	}
	return fits && v.Result == "valid", fits && v.Result == "acceptable"
}

// tokens verifies compact tokens with the group's JWK or set.
func tokens(g group) func(test) error {
	text := g.Public
	if text == nil {
		text = g.Private
	}
	var set struct{ Keys []json.RawMessage }
	if json.Unmarshal(text, &set) != nil || set.Keys == nil {
		text = json.RawMessage(`{"keys":[` + string(text) + `]}`)
	}
	keys, skipped, err := jwk.ParseSet(text, jwk.Binding{})
	return func(v test) error {
		if err != nil {
			return err
		}
		if len(keys) == 0 && len(skipped) > 0 {
			return skipped[0].Err
		}
		_, err := jws.Verify(context.Background(), keys, string(*v.JWS), jws.Options{})
		return err
	}
}

func macs(t *testing.T, name string) func(test) error {
	alg := map[int]jwa.Algorithm{256: jwa.HS256, 384: jwa.HS384, 512: jwa.HS512}[fullTag(name)]
	return func(v test) error {
		key, err := jwk.NewSecretKeyShorterThanHash(alg, "", unhex(t, v.Key))
		if err != nil {
			t.Errorf("%d: key: %v", v.TcID, err)
			return err
		}
		return key.Verify(unhex(t, v.Msg), unhex(t, v.Tag))
	}
}

// fullTag is the length in bits of a whole tag in a file of hmac_sha256 and the like.
func fullTag(name string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(name, "hmac_sha"), "_test.json"))
	return n
}

func signatures(t *testing.T, name string, g group) func(test) error {
	var key *jwk.PublicKey
	var err error
	if e, ok := extensionOf(name); ok {
		key, err = extended(t, g, e)
	} else {
		alg, ok := algorithmOf(name)
		if !ok {
			t.Fatalf("no algorithm for %s", name)
		}
		var description jwk.JWK
		if description, err = jwk.ParseDER(unhex(t, g.PublicKeyDer)); err == nil {
			key, err = description.PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{alg}})
		}
	}
	return func(v test) error {
		if err != nil {
			return err
		}
		return key.Verify(unhex(t, v.Msg), unhex(t, v.Sig))
	}
}

// extended binds the key of a file that is for an extension. Not every group has a
// JWK, and the standard library does not read their DER, which ends with the key.
func extended(t *testing.T, g group, e jwk.Extension) (*jwk.PublicKey, error) {
	text := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	members := map[string]string{"kty": e.Algorithm.KeyType(), "crv": e.Algorithm.Curve()}
	der := unhex(t, g.PublicKeyDer)
	switch e.Algorithm.KeyType() {
	case "EC":
		members["x"], members["y"] = text(der[len(der)-64:len(der)-32]), text(der[len(der)-32:])
	case "OKP":
		members["x"] = text(der[len(der)-57:])
	default:
		var public string
		if err := json.Unmarshal(g.PublicKey, &public); err != nil {
			t.Fatal(err)
		}
		members["alg"], members["pub"] = e.Algorithm.Name(), text(unhex(t, public))
	}
	data, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	description, err := jwk.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return description.PublicKey(jwk.Binding{Extensions: []jwk.Extension{e}})
}

func extensionOf(name string) (jwk.Extension, bool) {
	e, ok := map[string]jwk.Extension{
		"ecdsa_secp256k1_sha256_p1363_test.json": es256k.Extension(),
		"ed448_test.json":                        ed448.Extension(),
		"mldsa_44_verify_test.json":              mldsa.MLDSA44(),
		"mldsa_65_verify_test.json":              mldsa.MLDSA65(),
		"mldsa_87_verify_test.json":              mldsa.MLDSA87(),
	}[name]
	return e, ok
}

func algorithmOf(name string) (jwa.Algorithm, bool) {
	for part, alg := range map[string]string{
		"ecdsa_secp256r1_sha256": "ES256", "ecdsa_secp384r1_sha384": "ES384", "ecdsa_secp521r1_sha512": "ES512", "ed25519": "EdDSA",
		"rsa_signature_*_sha256": "RS256", "rsa_signature_*_sha384": "RS384", "rsa_signature_*_sha512": "RS512",
		"rsa_pss_*_sha256": "PS256", "rsa_pss_*_sha384": "PS384", "rsa_pss_*_sha512": "PS512",
	} {
		if ok, _ := path.Match(part+"_*", name); ok {
			return jwa.Lookup(alg)
		}
	}
	return jwa.Algorithm{}, false
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// about matches the files of what JOSE has.
var about = regexp.MustCompile(`^(ecdsa|ed|rsa|hmac|mldsa|json_web|ecdh|x25519|x448|aes_gcm|aes_k?w|a\d+cbc|pbkdf2|pbes2|aes_cbc)`)

// TestEveryFileIsAccountedFor finds files that are neither run nor
// left out for a reason, and reasons for files that are not there.
func TestEveryFileIsAccountedFor(t *testing.T) {
	files, err := fs.Glob(wycheproof.TestVectors, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range files {
		if counts[name] > 0 {
			continue
		}
		why := ""
		for _, s := range skipped {
			if ok, _ := path.Match(s.pattern, name); ok {
				why = s.why
				used[s.pattern] = true
				break
			}
		}
		if about.MatchString(name) && why == "" {
			t.Errorf("%s is not run, and no reason is given", name)
		}
	}
	for _, s := range skipped {
		if !used[s.pattern] {
			t.Errorf("the reason for %s is for no file", s.pattern)
		}
	}
}
