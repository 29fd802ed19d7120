package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
)

// keyFor makes a key with the command, or takes the RSA key of the folder, which costs
// too much to make for each algorithm.
func keyFor(t *testing.T, folder string, alg jwa.Algorithm, extra ...string) string {
	t.Helper()
	name := filepath.Join(folder, "key-"+alg.Name()+strings.Join(extra, "")+".json")
	args := append([]string{"key", "new", alg.Name(), "-o", name}, extra...)
	if alg.KeyType() == "RSA" {
		rsa := filepath.Join(folder, "rsa.json")
		if _, err := os.Stat(rsa); err != nil {
			if code, _, errs := jot(t, "", "key", "new", "RSA1_5", "--allow-rsa1_5", "-o", rsa); code != exitOK {
				t.Fatal(errs)
			}
		}
		data, err := os.ReadFile(rsa)
		if err != nil {
			t.Fatal(err)
		}
		write(name, bytes.Replace(data, []byte(`"RSA1_5"`), []byte(`"`+alg.Name()+`"`), 1))
		return name
	}
	if code, _, errs := jot(t, "", args...); code != exitOK {
		t.Fatalf("%s: %s", alg, errs)
	}
	return name
}

// TestEveryAlgorithm makes a key for each algorithm, encrypts with it and decrypts. Where
// that is quick, it takes each content encryption in turn.
func TestEveryAlgorithm(t *testing.T) {
	folder := t.TempDir()
	message := "any \x00\xff bytes\r\n"
	for _, alg := range jwa.KeyManagement() {
		for i, enc := range jwa.Encryptions() {
			var extra []string
			switch {
			case alg == jwa.Dir:
				extra = []string{"--enc", enc.Name()}
			case alg.Family() == "ECDH-ES":
				extra = []string{"--crv", curves[i%len(curves)]}
			case (alg.Family() == "PBES2" || alg.KeyType() == "RSA") && i > 0:
				continue // which take their time
			}
			key := filepath.Join(folder, "key-"+alg.Name()+strings.Join(extra, "")+".json")
			if _, err := os.Stat(key); err != nil {
				key = keyFor(t, folder, alg, extra...)
			}
			args := []string{"--key", key}
			if alg == jwa.RSA1_5 {
				args = append(args, "--allow-rsa1_5")
			}
			code, token, errs := jot(t, message, append([]string{"encrypt", "--enc", enc.Name()}, args...)...)
			if code != exitOK {
				t.Errorf("%s with %s: exit %d %s", alg, enc, code, errs)
				continue
			}
			code, out, errs := jot(t, token, append([]string{"decrypt", "--alg", alg.Name(), "--enc", enc.Name()}, args...)...)
			if code != exitOK || out != message {
				t.Errorf("%s with %s: exit %d %q %s", alg, enc, code, out, errs)
			}
			if i > 0 {
				continue
			}
			if code, out, _ := jot(t, "", "key", "inspect", key); code != exitOK || !strings.Contains(out, "usable       yes") {
				t.Errorf("%s: exit %d %s", alg, code, out)
			}
			pub, out, _ := jot(t, "", "key", "pub", key)
			if alg.Symmetric() != (pub == exitNoKey) || strings.Contains(out, `"d"`) || strings.Contains(out, `"k"`) {
				t.Errorf("%s: key pub: exit %d %s", alg, pub, out)
			}
		}
	}
}

// TestDecryptAtATerminal holds that a terminal gets text made visible, and nothing else.
func TestDecryptAtATerminal(t *testing.T) {
	key := keyFor(t, t.TempDir(), jwa.A128KW)
	for message, want := range map[string]string{
		"hello\n":             "hello\n",
		"\x1b]0;owned\x07":    `\u001b]0;owned\u0007`,
		"binary \xff\xfe\x00": "",
	} {
		_, token, _ := jot(t, message, "encrypt", "--key", key)
		code, out, errs := at(terminal{stdin: strings.NewReader(token), stdoutTTY: true}, "decrypt", "--key", key)
		if out != want || (code == exitOK) != (want != "") {
			t.Errorf("%q: exit %d %q %q", message, code, out, errs)
		}
	}
	code, _, errs := at(terminal{stdinTTY: true}, "encrypt", "--key", key)
	if code != exitUsage || !strings.HasPrefix(errs, "error: nothing to encrypt is given\nhint: ") {
		t.Errorf("exit %d %q", code, errs)
	}
}

const lockedPEM = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi1rR4N
-----END ENCRYPTED PRIVATE KEY-----`

// lockedKey is an encrypted key of the scripts; its password is correct-horse.
func lockedKey(t testing.TB) []byte {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("testdata", "script", "keys-encrypted.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(script, []byte("-- pkcs8.pem --\n"))
	block, _ := pem.Decode(after)
	if block == nil {
		t.Fatal("the script has no pkcs8.pem")
	}
	return pem.EncodeToMemory(block)
}

// TestPrompt holds what is asked on a terminal, and what is said where there is none.
func TestPrompt(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	write(name, lockedKey(t))
	code, _, errs := at(terminal{}, "key", "pub", name)
	if code != exitUsage || !strings.HasPrefix(errs, "error: there is no terminal to ask for the password of ") || !strings.Contains(errs, "\nhint: give --password-file FILE or --password-fd N\n") {
		t.Errorf("exit %d %q", code, errs)
	}
	for _, c := range []struct {
		answers []string
		err     error
		args    []string
		code    int
		want    string
	}{
		{[]string{"correct-horse"}, nil, []string{"key", "pub", name}, exitOK, ""},
		{[]string{"wrong"}, nil, []string{"key", "pub", name}, exitUnreadable, "dec.failed"},
		{[]string{""}, nil, []string{"key", "pub", name}, exitNoKey, "the password is empty"},
		{nil, errNoTTY, []string{"key", "pub", name}, exitUsage, "there is no terminal"},
		{nil, errors.New("hung up"), []string{"key", "pub", name}, exitFile, "cannot ask for the password: hung up"},
		{[]string{"twelve bytes", "twelve bytes"}, nil, []string{"key", "new", "A128KW", "--encrypt"}, exitOK, ""},
		{[]string{"eleven byte", "eleven byte"}, nil, []string{"key", "new", "A128KW", "--encrypt"}, exitOK, "warning: the password has fewer than 12 bytes"},
		{[]string{"one", "another"}, nil, []string{"key", "new", "A128KW", "--encrypt"}, exitUsage, "the two passwords differ"},
		{[]string{""}, nil, []string{"key", "new", "A128KW", "--encrypt"}, exitNoKey, "the password is empty"},
	} {
		var asked []string
		ask := func(question string) ([]byte, error) {
			asked = append(asked, question)
			if len(asked) > len(c.answers) {
				return nil, c.err
			}
			return []byte(c.answers[len(asked)-1]), nil
		}
		code, _, errs := at(terminal{ask: ask}, c.args...)
		if code != c.code || !strings.Contains(errs, c.want) || c.want == "" && errs != "" || strings.Contains(errs, "horse") {
			t.Errorf("%v %q: exit %d %q", c.args, c.answers, code, errs)
		}
		if len(asked) < len(c.answers) {
			t.Errorf("%v: asked only %q", c.args, asked)
		}
	}
}

// FuzzLockedKey holds that no encrypted key, however broken, makes the command panic or
// work for long: a changed one is refused or the password opens it.
func FuzzLockedKey(f *testing.F) {
	whole := lockedKey(f)
	block, _ := pem.Decode(whole)
	f.Add(whole)
	f.Add(block.Bytes)
	f.Add([]byte(lockedPEM))
	f.Add([]byte("eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMTI4R0NNIiwicDJjIjoxMDAwLCJwMnMiOiJBQUFBQUFBQUFBQSJ9." + strings.Repeat("A", 32) + ".AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA"))
	f.Add([]byte(`{"protected":"e30","ciphertext":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := &input{term: &terminal{stdin: bytes.NewReader(data), stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}}
		in.passwordRead = []byte("correct-horse")
		none := 3 // password-fd, which is not read: the password is there
		file, err := in.keys("-", passwordFlags{PasswordFD: &none})
		if (err == nil) != (file != nil) {
			t.Errorf("%v, %v", file, err)
		}
	})
}

// sealed is PKCS #8 whose parts are as a test has them.
type sealed struct {
	oid        asn1.ObjectIdentifier
	parameters any // in place of scheme and derivation
	derivation any // parameters of PBKDF2
	iv         any
	plain      []byte // with its padding
}

// seal makes it, of one round with the password correct-horse.
func (s sealed) seal(t *testing.T) *encryptedPrivateKeyInfo {
	t.Helper()
	raw := func(v any) asn1.RawValue {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return asn1.RawValue{FullBytes: b}
	}
	if s.oid == nil {
		s.oid = oidPBES2
	}
	salt, iv := []byte("salt"), make([]byte, aes.BlockSize)
	if s.derivation == nil {
		s.derivation = pbkdf2Params{Salt: salt, Count: 1, PRF: pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}}}
	}
	if s.iv == nil {
		s.iv = iv
	}
	if s.parameters == nil {
		s.parameters = pbes2{
			pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: raw(s.derivation)},
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, Parameters: raw(s.iv)},
		}
	}
	key, err := pbkdf2.Key(sha256.New, "correct-horse", salt, 1, 16)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Clone(s.plain)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	return &encryptedPrivateKeyInfo{Algorithm: pkix.AlgorithmIdentifier{Algorithm: s.oid, Parameters: raw(s.parameters)}, Data: data}
}

// TestLockedKeyForms opens PKCS #8 that is as it should be, and refuses each part that is not (RFC 8018, Sections 6.1.1 and 6.2, and
// Appendix A).
func TestLockedKeyForms(t *testing.T) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil || len(der)%aes.BlockSize != 0 {
		t.Fatal(len(der), err)
	}
	// padded is the key, and n bytes of which the last is pad.
	padded := func(n int, fill, pad byte) []byte {
		return append(append(bytes.Clone(der), bytes.Repeat([]byte{fill}, n-1)...), pad)
	}
	good := padded(16, 16, 16)
	type parameters struct {
		Salt  []byte
		Count int
		PRF   struct{ Algorithm int } // which is no OID
	}
	for name, c := range map[string]struct {
		sealed
		want string
	}{
		"good":                     {sealed{plain: good}, ""},
		"another scheme":           {sealed{plain: good, oid: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 10}}, "[key.unsupported]"},
		"no parameters":            {sealed{plain: good, parameters: 1}, "is malformed [key.invalid]"},
		"no derivation":            {sealed{plain: good, derivation: 1}, "is malformed [key.invalid]"},
		"no hash":                  {sealed{plain: good, derivation: parameters{Salt: []byte("salt"), Count: 1}}, "is malformed [key.invalid]"},
		"no rounds":                {sealed{plain: good, derivation: pbkdf2Params{Salt: []byte("salt")}}, "is malformed [key.invalid]"},
		"too many rounds":          {sealed{plain: good, derivation: pbkdf2Params{Salt: []byte("salt"), Count: maxRounds + 1}}, "[key.limit]"},
		"another length":           {sealed{plain: good, derivation: pbkdf2Params{Salt: []byte("salt"), Count: 1, Length: 24}}, "is malformed [key.invalid]"},
		"no vector":                {sealed{plain: good, iv: 1}, "is malformed [key.invalid]"},
		"a short vector":           {sealed{plain: good, iv: []byte("12345678")}, "is malformed [key.invalid]"},
		"no padding":               {sealed{plain: padded(16, 0, 0)}, "[dec.failed]"},
		"padding of over a block":  {sealed{plain: padded(32, 32, 32)}, "[dec.failed]"},
		"padding that is not even": {sealed{plain: padded(16, 0, 16)}, "[dec.failed]"},
		"no key":                   {sealed{plain: append(bytes.Repeat([]byte{0xFF}, 15), 1)}, "[dec.failed]"},
		"an unknown key":           {sealed{plain: unknownKey(t)}, "[key.unsupported]"},
	} {
		data, err := c.seal(t).open("key", []byte("correct-horse"))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasSuffix(err.Error(), c.want) || err == nil && len(data) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// unknownKey has the form of PKCS #8 (RFC 5958, Section 2), and an algorithm that nobody has.
func unknownKey(t *testing.T) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 3, 9999}}, []byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	return fill(b)
}

// fill appends the padding of RFC 8018, Section 6.1.1.
func fill(b []byte) []byte {
	n := aes.BlockSize - len(b)%aes.BlockSize
	return append(b, bytes.Repeat([]byte{byte(n)}, n)...)
}

// TestKeyRefusals has keys, passwords and options that are none.
func TestKeyRefusals(t *testing.T) {
	rsa, err := os.ReadFile("testdata/keys/oidc-core-a7.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	const x = `"x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"`
	for name, text := range map[string]string{
		"password": "correct-horse\n", "sealed": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA", "disguised": "-----BEGIN PRIVATE KEY", "words": "a.b.c.d.e", "broken": "eyJ.a.b.c.d", "jws": someToken,
		"x25519.json": `{"kty":"OKP","crv":"X25519",` + x + `}`,
		"jwk.json":    `{"kty":"OKP","crv":"X25519","ciphertext":"mine",` + x + `}`,
		"alg.json":    `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA",` + x + `},{"kty":"OKP","crv":"Ed25519","alg":"EdDSA",` + x + `}]}`,
		"use.json":    `{"keys":[{"kty":"OKP","crv":"Ed25519","use":"sig",` + x + `},{"kty":"OKP","crv":"Ed25519","use":"sig",` + x + `}]}`,
	} {
		writeFile(t, name, text)
	}
	// One that x509 reads, and that no algorithm of JOSE takes.
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	der, err = asn1.Marshal(*sealed{plain: fill(der)}.seal(t))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, "p224.pem", string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der})))
	writeFile(t, "rsa.json", strings.Replace(string(rsa), `"kty"`, `"use":"enc","kty"`, 1))
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"key inspect rsa.json", exitOK, "usable       yes"},
		{"key inspect x25519.json", exitOK, "usable       yes"},
		{"key inspect jwk.json", exitOK, "usable       yes"},
		{"key inspect words", exitUnreadable, "not the DER of a key"},
		{"key inspect broken", exitUnreadable, "token.malformed"},
		{"key inspect jws", exitUnreadable, "not the DER of a key"},
		{"key inspect p224.pem --password-file password", exitNoKey, "key.unsupported"},
		{"key inspect p224.pem --password-fd=-1", exitUsage, "--password-fd takes the number"},
		{"key new A128KW --crv P-256", exitUsage, "has no choice of a curve"},
		{"key new ECDH-ES --crv P-9", exitUsage, "is not a curve for ECDH-ES"},
		{"key new A128KW --encrypt --password-file disguised", exitNoKey, "the password: "},
		{"encrypt @words --password-file disguised", exitNoKey, "the password: "},
		{"decrypt @sealed --enc X --password-file password", exitUsage, `"X" is not a content encryption`},
		{"decrypt @sealed --alg X --password-file password", exitUsage, `"X" is not a key management algorithm`},
		{"decrypt @sealed --key alg.json", exitNoKey, "is for encryption [key.none]"},
		{"decrypt @sealed --key use.json", exitNoKey, "is for encryption [key.none]"},
		{"verify @jws --secret-file password --allow-weak-key --any-issuer --any-audience --decrypt-alg X --decrypt-key alg.json", exitUsage, `"X" is not a key management algorithm`},
		{"verify @jws --secret-file password --allow-weak-key --any-issuer --any-audience --allow-rsa1_5", exitUsage, "there is nothing to decrypt with"},
		{"verify @jws --secret-file password --allow-weak-key --any-issuer --any-audience --decrypt-key alg.json", exitNoKey, "is for encryption [key.none]"},
	} {
		code, out, errs := jot(t, "", strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("jot %s: exit code %d\n%s%s", c.args, code, out, errs)
		}
	}
}

// TestLockedKeyChanged changes each byte of an encrypted key: no change of an algorithm
// or of a length panics. What is no longer the same key is not always refused, because
// that encryption does not authenticate.
func TestLockedKeyChanged(t *testing.T) {
	block, _ := pem.Decode(lockedKey(t))
	opened := 0
	for i := range block.Bytes {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(block.Bytes)
			changed[i] ^= bit
			l, err := locked(changed, "key")
			if err != nil || l == nil {
				continue
			}
			if data, err := l.open([]byte("correct-horse")); err == nil {
				opened++
				_, _ = parseKeys(data, "key")
			}
		}
	}
	if opened > len(block.Bytes) {
		t.Errorf("%d of %d changed keys were opened", opened, 2*len(block.Bytes))
	}
}
