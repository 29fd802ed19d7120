package main

import (
	"bytes"
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
