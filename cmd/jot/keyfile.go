package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// keyFile is what a file of keys holds: one key, or a set.
type keyFile struct {
	name    string
	keys    []jwk.JWK
	skipped []jwk.Skipped // members of a set that are no keys
	set     bool
	cert    bool
	locked  bool // a password opened it
}

func (in *input) keys(name string, p passwordFlags) (*keyFile, error) {
	if isURL(name) {
		return nil, fail(exitUsage, "give a set with --jwks URL to jot verify, or fetch it: jot jwks fetch URL -o FILE", "the key is read from a file, not from %s", quoted(name))
	}
	data, err := in.file(name, theKey)
	if err != nil {
		return nil, err
	}
	l, err := locked(data, name)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return parseKeys(data, name)
	}
	password, err := in.password(p, label(name), false)
	if err != nil {
		return nil, err
	}
	if data, err = l.open(password); err != nil {
		return nil, err
	}
	f, err := parseKeys(data, name)
	if err == nil {
		f.locked = true
	}
	return f, err
}

func isURL(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

func parseKeys(data []byte, name string) (*keyFile, error) {
	f := &keyFile{name: name}
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	var (
		key jwk.JWK
		err error
	)
	switch {
	case len(text) == 0:
		return nil, fail(exitUnreadable, "make a key with: jot key new ES256", "%s is empty", label(name))
	case text[0] == '{':
		// A map, because it matches names exactly.
		var members map[string]json.RawMessage
		if json.Unmarshal(text, &members) == nil && members["keys"] != nil && members["kty"] == nil {
			f.set = true
			f.keys, f.skipped, err = jwk.ParseJWKs(text)
			if err != nil {
				return nil, keyFailure(exitUnreadable, name, err)
			}
			if len(f.keys) == 0 {
				return nil, fail(exitNoKey, firstReason(f.skipped), "the set in %s has no key that can be used", label(name))
			}
			return f, nil
		}
		key, err = jwk.Parse(text)
	case text[0] == '[':
		return nil, fail(exitUnreadable, `a set of keys is written {"keys": […]}`, "%s holds a JSON array, not a key", label(name))
	case bytes.Contains(text, []byte("-----BEGIN ")):
		f.cert = bytes.Contains(text, []byte("-----BEGIN CERTIFICATE"))
		key, err = jwk.ParsePEM(text)
	case bytes.HasPrefix(text, []byte("ssh-")), bytes.HasPrefix(text, []byte("ecdsa-sha2-")):
		return nil, fail(exitUnreadable, "convert it with: ssh-keygen -e -m PKCS8 -f FILE", "%s is an OpenSSH key", label(name))
	default:
		key, err = jwk.ParseDER(data)
		f.cert = err == nil && len(key.X5C()) > 0
	}
	if err != nil {
		return nil, keyFailure(exitUnreadable, name, err)
	}
	f.keys = []jwk.JWK{key}
	return f, nil
}

// keyFailure is the refusal of a key. What is wrong with the key itself is
// exitNoKey; reading is the exit code where it is only not a key.
func keyFailure(reading int, name string, err error) *failure {
	code, hint := reading, ""
	switch {
	case errors.Is(err, jwk.ErrWeak):
		code, hint = exitNoKey, "--allow-weak-key accepts a short secret; a short RSA key is never accepted"
	case errors.Is(err, jwk.ErrUse), errors.Is(err, jwk.ErrUnsupported), errors.Is(err, jwk.ErrPrivate),
		errors.Is(err, jwk.ErrLimit), errors.Is(err, jwk.ErrFIPS), errors.Is(err, jwk.ErrAlgorithm):
		code = exitNoKey
	case strings.HasPrefix(codeOf(err), "json."):
		hint = "a key is a JWK, a JWK set, PEM or DER; look whether the file was cut off when it was copied"
	}
	return fail(code, hint, "the key in %s: %v%s", label(name), err, inCode(err))
}

// firstReason is why the first of the skipped members was skipped.
func firstReason(skipped []jwk.Skipped) string {
	if len(skipped) == 0 {
		return ""
	}
	return skipped[0].Err.Error()
}

// inCode is the stable code of an error in brackets, or nothing.
func inCode(err error) string {
	if c := codeOf(err); c != "" {
		return " [" + c + "]"
	}
	return ""
}

func codeOf(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}

func specOf(err error) string {
	var c interface{ Spec() string }
	if errors.As(err, &c) {
		return c.Spec()
	}
	return ""
}

// algorithm reads an algorithm for signatures.
func algorithm(name string) (jwa.Algorithm, error) {
	return oneOf(name, "a signature algorithm", jwa.Signatures())
}

// keyManagement reads an algorithm for encryption.
func keyManagement(name string) (jwa.Algorithm, error) {
	return oneOf(name, "a key management algorithm", jwa.KeyManagement())
}

// contentEncryption reads --enc.
func contentEncryption(name string) (jwa.Encryption, error) {
	return oneOf(name, "a content encryption", jwa.Encryptions())
}

// oneOf finds a name in a table; no name is the zero value.
func oneOf[T interface{ Name() string }](name, what string, table []T) (T, error) {
	var zero T
	if name == "" {
		return zero, nil
	}
	for _, v := range table {
		if v.Name() == name {
			return v, nil
		}
	}
	names := tableNames(table)
	return zero, fail(exitUsage, meant(name, names, "one of "+strings.Join(names, " ")), "%s is not %s", quoted(name), what)
}

func tableNames[T interface{ Name() string }](table []T) []string {
	var list []string
	for _, v := range table {
		list = append(list, v.Name())
	}
	return list
}

// encrypts reports whether a key says that it is for encryption.
func encrypts(j jwk.JWK) bool {
	if alg, ok := jwa.Lookup(j.Algorithm()); ok {
		return alg.Use() == "enc"
	}
	if _, ok := jwa.LookupEncryption(j.Algorithm()); ok { // of a key for dir
		return true
	}
	if use := j.Use(); use != "" {
		return use == "enc"
	}
	for _, op := range j.KeyOps() {
		if op == "sign" || op == "verify" {
			return false
		}
	}
	return len(j.KeyOps()) > 0 || j.Curve() == "X25519"
}

// binding binds a key without an algorithm of its own to alg, where one is given.
func binding(j jwk.JWK, alg jwa.Algorithm) jwk.Binding {
	if j.Algorithm() != "" || alg == (jwa.Algorithm{}) {
		return jwk.Binding{}
	}
	return jwk.Binding{Algorithms: []jwa.Algorithm{alg}}
}

// secretFile makes the key of --secret-file: the bytes of the file without one
// final newline, bound to alg, or to HS256.
func (in *input) secretFile(name string, alg jwa.Algorithm, weak bool) (*jwk.SecretKey, error) {
	switch {
	case alg == (jwa.Algorithm{}):
		alg = jwa.HS256
	case !alg.Symmetric():
		return nil, fail(exitUsage, "give its key with --key", "--alg %s does not use a secret", alg)
	}
	data, err := in.file(name, theSecret)
	if err != nil {
		return nil, err
	}
	return secret(name, alg, "", withoutNewline(data), weak)
}

func secret(name string, alg jwa.Algorithm, kid string, data []byte, weak bool) (*jwk.SecretKey, error) {
	made := jwk.NewSecretKey
	if weak {
		made = jwk.NewSecretKeyShorterThanHash
	}
	key, err := made(alg, kid, data)
	if err != nil {
		f := keyFailure(exitNoKey, name, err)
		f.msg = strings.Replace(f.msg, "the key in", "the secret in", 1)
		if len(data) == 0 {
			f.hint = "an empty secret is never accepted"
		} else if errors.Is(err, jwk.ErrWeak) {
			f.hint = "--allow-weak-key accepts it; anyone can guess a short secret and sign with it"
		} else if f.hint == "" {
			f.hint = "a key is given with --key; a secret file holds nothing but the secret"
		}
		return nil, f
	}
	return key, nil
}

// octKey makes the key of a symmetric JWK.
func octKey(name string, j jwk.JWK, alg jwa.Algorithm, weak bool) (*jwk.SecretKey, error) {
	if j.Algorithm() == "" && alg == (jwa.Algorithm{}) {
		return nil, fail(exitNoKey, "say with --alg which it is for, for example --alg HS256", "the secret in %s names no algorithm", label(name))
	}
	key, err := j.SecretKey(binding(j, alg))
	if errors.Is(err, jwk.ErrWeak) && weak {
		if own, ok := jwa.Lookup(j.Algorithm()); ok {
			alg = own
		}
		var k string
		raw, _ := j.Member("k")
		if json.Unmarshal(raw, &k) == nil {
			if b, e := base64.RawURLEncoding.Strict().DecodeString(k); e == nil {
				return secret(name, alg, j.KeyID(), b, true)
			}
		}
	}
	if err != nil {
		return nil, keyFailure(exitNoKey, name, err)
	}
	return key, nil
}

// verifiers makes the keys that a token is verified with. Of a private key or a
// certificate the public key is used.
func (a *app) verifiers(f *keyFile, alg jwa.Algorithm, weak bool) (jwk.Set, error) {
	var (
		set   jwk.Set
		first error
	)
	for _, j := range f.keys {
		key, err := a.verifier(f, j, alg, weak)
		if err == nil {
			err = otherAlgorithm(f.name, key.Algorithm(), alg)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		set = append(set, key)
	}
	if len(set) == 0 {
		return nil, first
	}
	return set, nil
}

func (a *app) verifier(f *keyFile, j jwk.JWK, alg jwa.Algorithm, weak bool) (jwk.Key, error) {
	if j.KeyType() == "oct" {
		return octKey(f.name, j, alg, weak)
	}
	switch {
	case j.IsPrivate():
		// Read as what it is first: a private key that contradicts itself has no public half.
		key, err := j.PrivateKey(binding(j, alg))
		if err != nil {
			return nil, keyFailure(exitNoKey, f.name, err)
		}
		a.warn("%s holds a private key; only its public half is used. jot key pub %s writes that", label(f.name), f.name)
		return key.Public(), nil
	case f.cert:
		a.warn("only the public key of the certificate in %s is used; its dates, its issuer and its names are not checked", label(f.name))
	}
	key, err := j.PublicKey(binding(j, alg))
	if err != nil {
		return nil, keyFailure(exitNoKey, f.name, err)
	}
	return key, nil
}

// otherAlgorithm refuses a key that is not for the algorithm of --alg.
func otherAlgorithm(name string, have, want jwa.Algorithm) error {
	if want == (jwa.Algorithm{}) || have.Is(want) {
		return nil
	}
	return fail(exitNoKey, "leave out --alg, or give another key", "the key in %s is for %s, not for %s [alg.mismatch]", label(name), have, want)
}

// signer makes the key that a token is signed with.
func (a *app) signer(f *keyFile, alg jwa.Algorithm, weak bool) (jwk.Signer, error) {
	var j jwk.JWK
	n := 0
	for _, k := range f.keys {
		// One set serves both purposes.
		if (k.IsPrivate() || k.KeyType() == "oct") && !(f.set && encrypts(k)) {
			j = k
			n++
		}
	}
	switch {
	case n == 0:
		return nil, fail(exitNoKey, "signing takes the private key, as jot key new makes it", "%s holds no private key", label(f.name))
	case n > 1:
		return nil, fail(exitNoKey, "give a file with the one key to sign with", "%s holds %d private keys", label(f.name), n)
	case j.KeyType() == "oct":
		return octKey(f.name, j, alg, weak)
	}
	key, err := j.PrivateKey(binding(j, alg))
	if err != nil {
		return nil, keyFailure(exitNoKey, f.name, err)
	}
	return key, nil
}
