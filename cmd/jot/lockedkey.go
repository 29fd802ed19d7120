package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"errors"
	"hash"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/unverified"
)

// lockedFile is a key that a password opens: a JWE with the JWK in it (RFC 7517, Section
// 7), or PKCS #8 (RFC 5958, Section 3).
type lockedFile struct {
	name  string
	token string                   // the JWE, or empty
	pkcs8 *encryptedPrivateKeyInfo // or nil
}

// locked reports whether data is a key that a password opens.
func locked(data []byte, name string) (*lockedFile, error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	switch {
	case isJWE(text):
		t, err := unverified.Parse(string(text))
		if err != nil {
			return nil, keyFailure(exitUnreadable, name, err)
		}
		if alg := t.HeaderString("alg"); alg != "" && !strings.HasPrefix(alg, "PBES2-") {
			return nil, fail(exitUnreadable, "decrypt it first with the key that it is for: jot decrypt --key FILE", "%s is encrypted with %s, not with a password", label(name), quoted(alg))
		}
		return &lockedFile{name: name, token: string(text)}, nil
	case bytes.Contains(text, []byte("-----BEGIN ")):
		block, rest := pem.Decode(text)
		switch {
		case block == nil:
			return nil, nil
		case block.Headers["DEK-Info"] != "":
			// That encryption has one round of MD5 and no check: it is no protection.
			return nil, fail(exitNoKey, "write it anew with: openssl pkcs8 -topk8 -in FILE -out NEW", "%s is encrypted in the old way of OpenSSL [key.unsupported]", label(name))
		case block.Type != "ENCRYPTED PRIVATE KEY":
			return nil, nil
		case len(bytes.TrimSpace(rest)) > 0:
			return nil, fail(exitUnreadable, "give a file with the key alone", "something follows the encrypted key in %s [key.invalid]", label(name))
		}
		info := readPKCS8(block.Bytes)
		if info == nil {
			return nil, fail(exitUnreadable, "", "the PEM block in %s does not hold what its label says [key.invalid]", label(name))
		}
		return &lockedFile{name: name, pkcs8: info}, nil
	}
	if info := readPKCS8(data); info != nil {
		return &lockedFile{name: name, pkcs8: info}, nil
	}
	return nil, nil
}

// isJWE reports whether text is a JWE in one of its forms, rather than a JWK.
func isJWE(text []byte) bool {
	if len(text) > 0 && text[0] == '{' {
		var members map[string]json.RawMessage
		_ = json.Unmarshal(text, &members) // which leaves none of what is no JSON
		return members["ciphertext"] != nil && members["kty"] == nil
	}
	return bytes.HasPrefix(text, []byte("eyJ")) && bytes.Count(text, []byte(".")) == 4
}

// open returns the key, as a JWK or a set in JSON or as PEM.
func (l *lockedFile) open(password []byte) ([]byte, error) {
	if l.pkcs8 != nil {
		return l.pkcs8.open(l.name, password)
	}
	m, err := decryptAny(passwordKeys(password), l.token, jwe.Options{MaxSize: maxInput})
	switch {
	case errors.Is(err, jwe.ErrDecrypt):
		return nil, wrongPassword(l.name)
	case err != nil:
		return nil, fail(exitUnreadable, "", "the encrypted key in %s: %v%s", label(l.name), err, inCode(err))
	}
	switch cty := strings.TrimPrefix(strings.ToLower(m.Header.ContentType), "application/"); cty {
	case "", "jwk+json", "jwk-set+json": // RFC 7517, Section 7; jot knows what it wants
		return m.Plaintext, nil
	}
	return nil, fail(exitUnreadable, "jot decrypt --password prints it", "what is encrypted in %s is not a key but %s", label(l.name), quoted(m.Header.ContentType))
}

func wrongPassword(name string) error {
	return fail(exitUnreadable, "it is the wrong one, or the file was changed", "the password does not open %s [dec.failed]", label(name))
}

// passwordKeys are the keys that a password is: one of each algorithm.
func passwordKeys(password []byte) jwk.DecryptionSet {
	var set jwk.DecryptionSet
	for _, alg := range jwa.KeyManagement() {
		if key, err := jwk.NewPassword(alg, "", password); err == nil { // others do not take a password
			set = append(set, key)
		}
	}
	return set
}

// passwordAlgorithm is what is encrypted with where a password is all there is.
var passwordAlgorithm = jwa.PBES2_HS512_A256KW

// lock encrypts a JWK (RFC 7517, Section 7).
func lock(raw, password []byte) ([]byte, error) {
	key, err := jwk.NewPassword(passwordAlgorithm, "", password)
	if err != nil {
		return nil, fail(exitNoKey, "", "the password: %v%s", err, inCode(err))
	}
	token, err := jwe.Encrypt(context.Background(), key, jwa.A256GCM, jwe.Header{ContentType: "jwk+json"}, raw)
	if err != nil {
		return nil, fail(exitNoKey, "", "cannot encrypt the key: %v%s", err, inCode(err))
	}
	return []byte(token + "\n"), nil
}

// encryptedPrivateKeyInfo is RFC 5958, Section 3.
type encryptedPrivateKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 is RFC 8018, Appendix A.4.
type pbes2 struct {
	Derivation, Scheme pkix.AlgorithmIdentifier
}

// pbkdf2Params is RFC 8018, Appendix A.2.
type pbkdf2Params struct {
	Salt   []byte
	Count  int
	Length int                      `asn1:"optional"`
	PRF    pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}

	// RFC 8018, Appendix B.1; HMAC with SHA-1 where nothing is said.
	prfs = map[string]func() hash.Hash{
		"":                    sha1.New,
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	// The key sizes of AES-CBC: RFC 8018, Appendix B.2.5.
	schemes = map[string]int{
		"2.16.840.1.101.3.4.1.2":  16,
		"2.16.840.1.101.3.4.1.22": 24,
		"2.16.840.1.101.3.4.1.42": 32,
	}
)

// maxRounds bounds what a password of a file may cost: the file may come from
// another. It is what the library takes of PBES2.
const maxRounds = 1_200_000

func readPKCS8(der []byte) *encryptedPrivateKeyInfo {
	var info encryptedPrivateKeyInfo
	if rest, err := asn1.Unmarshal(der, &info); err != nil || len(rest) > 0 || len(info.Algorithm.Algorithm) == 0 || len(info.Data) == 0 {
		return nil
	}
	return &info
}

// open decrypts PKCS #8. The library that others take for it panics where a length is
// wrong, reads two hashes of four and bounds no rounds. Nothing here authenticates: that
// the padding and the form of the key are right is all that tells the password.
func (info *encryptedPrivateKeyInfo) open(name string, password []byte) ([]byte, error) {
	malformed := fail(exitUnreadable, "", "the encrypted key in %s is malformed [key.invalid]", label(name))
	other := fail(exitNoKey, "write it anew with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW", "%s is encrypted in a way that is not known here [key.unsupported]", label(name))
	if !info.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, other
	}
	var (
		scheme pbes2
		params pbkdf2Params
		iv     []byte
	)
	if !readParameters(info.Algorithm, &scheme) {
		return nil, malformed
	}
	size := schemes[scheme.Scheme.Algorithm.String()]
	if size == 0 || !scheme.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, other
	}
	if !readParameters(scheme.Derivation, &params) {
		return nil, malformed
	}
	_ = readParameters(scheme.Scheme, &iv) // its length says whether it is one
	prf := prfs[params.PRF.Algorithm.String()]
	switch {
	case prf == nil:
		return nil, other
	case params.Count > maxRounds:
		return nil, fail(exitNoKey, "write it anew with fewer: openssl pkcs8 -topk8 -iter 600000 -in FILE -out NEW", "the password of %s takes more than %d rounds [key.limit]", label(name), maxRounds)
	case params.Count < 1, params.Length != 0 && params.Length != size, len(iv) != aes.BlockSize, len(info.Data)%aes.BlockSize != 0:
		return nil, malformed
	}
	key, err := pbkdf2.Key(prf, string(password), params.Salt, params.Count, size)
	if err != nil {
		return nil, fail(exitNoKey, "", "the password of %s: %v [key.fips]", label(name), err)
	}
	block, _ := aes.NewCipher(key) // its length is right
	plain := make([]byte, len(info.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, info.Data)
	// RFC 8018, Section 6.1.1. Nobody but who has the file is told that it is wrong.
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.HasSuffix(plain, bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, wrongPassword(name)
	}
	plain = plain[:len(plain)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(plain); err != nil {
		var form struct {
			Version   int
			Algorithm pkix.AlgorithmIdentifier
			Key       []byte
		}
		if _, err := asn1.Unmarshal(plain, &form); err != nil {
			return nil, wrongPassword(name)
		}
		return nil, fail(exitNoKey, "", "the key in %s is of a kind that is not known here [key.unsupported]", label(name))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}), nil
}

// readParameters reads the parameters of an algorithm.
func readParameters(a pkix.AlgorithmIdentifier, v any) bool {
	_, err := asn1.Unmarshal(a.Parameters.FullBytes, v)
	return err == nil
}
