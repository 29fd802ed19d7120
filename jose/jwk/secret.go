package jwk

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/subtle"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
)

// SecretKey both signs and verifies with an HMAC. Whoever verifies with it can
// sign with it.
type SecretKey struct {
	alg              jwa.Algorithm
	kid              string
	noSign, noVerify bool // by "key_ops"
	secret           []byte
	pool             sync.Pool // of *mac
}

// mac is an HMAC state that is used again: the key has been hashed into it.
type mac struct {
	state hash.Hash
	sum   [64]byte
}

// NewSecretKey makes an HMAC key. The secret must be at least as long as the hash,
// 32 bytes for HS256 (RFC 7518, Section 3.2), and should be random. A secret that
// is a PEM, DER, JWK or OpenSSH key or a certificate is refused: it is public, or a
// private key of another algorithm. The kid may be empty; the secret is copied.
func NewSecretKey(alg jwa.Algorithm, kid string, secret []byte) (*SecretKey, error) {
	return newSecret(alg, kid, secret, false)
}

// NewSecretKeyShorterThanHash is NewSecretKey for peers whose secret is shorter
// than RFC 7518, Section 3.2 demands. Such a secret can often be guessed from one
// token. An empty one is refused all the same.
func NewSecretKeyShorterThanHash(alg jwa.Algorithm, kid string, secret []byte) (*SecretKey, error) {
	return newSecret(alg, kid, secret, true)
}

// minFIPSSecret is what the Go Cryptographic Module demands: 112 bits.
const minFIPSSecret = 14

func newSecret(alg jwa.Algorithm, kid string, secret []byte, short bool) (*SecretKey, error) {
	if alg.Family() != "HMAC" {
		return nil, errAlgorithm.With(fmt.Sprintf("%q is not an HMAC", alg))
	}
	if len(secret) == 0 {
		return nil, errWeak.With("the secret is empty")
	}
	if len(secret) > maxJWK {
		return nil, errLimit.With("a secret has at most 64 KiB")
	}
	if what := disguise(secret); what != "" {
		return nil, errInvalid.With("the secret is " + what + ": read it with Parse, ParsePEM or ParseDER and verify with an algorithm of its own")
	}
	if size := alg.Hash().Size(); len(secret) < size && !short {
		return nil, errWeak.With(fmt.Sprintf("%s needs a secret of at least %d bytes (RFC 7518, Section 3.2)", alg, size))
	}
	if len(secret) < minFIPSSecret && fips140.Enforced() {
		return nil, errFIPS.With("an HMAC key has at least 14 bytes")
	}
	k := &SecretKey{alg: alg, kid: kid, secret: bytes.Clone(secret)}
	k.pool.New = func() any { return &mac{state: hmac.New(alg.Hash().New, k.secret)} }
	return k, nil
}

// Algorithm returns the one algorithm of the key.
func (k *SecretKey) Algorithm() jwa.Algorithm { return k.alg }

// KeyID returns the "kid", or "".
func (k *SecretKey) KeyID() string { return k.kid }

// JWK returns a description without the secret: type, algorithm and kid.
func (k *SecretKey) JWK() JWK {
	return JWK{&wire{KeyType: "oct", Alg: k.alg.Name(), KeyID: k.kid}, nil}
}

// PrivateJWK returns the description with the secret.
func (k *SecretKey) PrivateJWK() (JWK, error) {
	w := &wire{KeyType: "oct", Alg: k.alg.Name(), KeyID: k.kid}
	w.Private = &privateWire{K: b64url.EncodeToString(k.secret)}
	switch {
	case k.noSign:
		w.KeyOps = []string{"verify"}
	case k.noVerify:
		w.KeyOps = []string{"sign"}
	}
	return JWK{w, nil}, nil
}

// Verify returns nil if signature is the HMAC of message, compared in constant
// time and in full length.
func (k *SecretKey) Verify(message, signature []byte) error {
	if k.noVerify {
		return errUse.With("key_ops lacks \"verify\"")
	}
	m := k.pool.Get().(*mac)
	m.state.Reset()
	m.state.Write(message)
	ok := subtle.ConstantTimeCompare(m.state.Sum(m.sum[:0]), signature) == 1
	k.pool.Put(m)
	if !ok {
		return ErrSignature
	}
	return nil
}

// VerifyReader is Verify for a message that is read to its end.
func (k *SecretKey) VerifyReader(message io.Reader, signature []byte) error {
	if k.noVerify {
		return errUse.With("key_ops lacks \"verify\"")
	}
	sum, err := k.read(message)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum, signature) != 1 {
		return ErrSignature
	}
	return nil
}

// Sign returns the HMAC of message.
func (k *SecretKey) Sign(ctx context.Context, message []byte) ([]byte, error) {
	return k.AppendSign(ctx, nil, message)
}

// AppendSign appends the HMAC of message to dst.
func (k *SecretKey) AppendSign(ctx context.Context, dst, message []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if k.noSign {
		return nil, errUse.With("key_ops lacks \"sign\"")
	}
	m := k.pool.Get().(*mac)
	m.state.Reset()
	m.state.Write(message)
	dst = m.state.Sum(dst)
	k.pool.Put(m)
	return dst, nil
}

// SignReader is Sign for a message that is read to its end.
func (k *SecretKey) SignReader(ctx context.Context, message io.Reader) ([]byte, error) {
	if k.noSign {
		return nil, errUse.With("key_ops lacks \"sign\"")
	}
	return k.read(contextReader{ctx, message})
}

func (k *SecretKey) read(message io.Reader) ([]byte, error) {
	m := k.pool.Get().(*mac)
	defer k.pool.Put(m)
	m.state.Reset()
	if _, err := io.Copy(m.state, message); err != nil {
		return nil, err
	}
	return m.state.Sum(nil), nil
}

// String names the key and prints nothing else of it.
func (k *SecretKey) String() string { return label("secret", k.alg, k.kid) }

// Format prints String for every verb, so that no way of printing shows the secret.
func (k *SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalJSON refuses: the named way is PrivateJWK.
func (k *SecretKey) MarshalJSON() ([]byte, error) {
	return nil, errPrivate.With("a secret key is not printed: use PrivateJWK")
}

func (k *SecretKey) key()    {}
func (k *SecretKey) signer() {}

// disguise says what kind of key file a secret is, or "". A verifier that takes
// the text of a public key as a secret accepts tokens from anyone (RFC 8725,
// Section 2.1).
func disguise(secret []byte) string {
	s := bytes.TrimPrefix(secret, []byte("\xef\xbb\xbf"))
	s = bytes.TrimSpace(s)
	for _, d := range []struct{ mark, what string }{
		{"-----BEGIN ", "a PEM file"},
		{"---- BEGIN SSH2 ", "an SSH2 key"},
		{"ssh-rsa AAAA", "an OpenSSH key"},
		{"ssh-dss AAAA", "an OpenSSH key"},
		{"ssh-ed25519 AAAA", "an OpenSSH key"},
		{"ssh-ed448 AAAA", "an OpenSSH key"},
		{"ecdsa-sha2-nistp", "an OpenSSH key"},
		{"sk-ssh-ed25519@openssh.com", "an OpenSSH key"},
		{"openssh-key-v1\x00", "an OpenSSH key"},
		{"\x00\x00\x00\x07ssh-rsa", "an OpenSSH key"},
		{"\x00\x00\x00\x0bssh-ed25519", "an OpenSSH key"},
		{"AAAAB3NzaC1", "an OpenSSH key"},
		{"AAAAC3NzaC1lZDI1NTE5", "an OpenSSH key"},
		{"AAAAE2VjZHNhLXNoYTIt", "an OpenSSH key"},
		{"PuTTY-User-Key-File-", "a PuTTY key"},
	} {
		if bytes.Contains(s, []byte(d.mark)) {
			return d.what
		}
	}
	for _, mark := range []string{"Certificate:", "Public-Key:", "RSA Public-Key:", "Private-Key:", "RSA Private-Key:"} {
		if bytes.HasPrefix(s, []byte(mark)) {
			return "the text form of a key or certificate"
		}
	}
	if len(s) > 0 && (s[0] == '{' || s[0] == '[') && (bytes.Contains(s, []byte(`"kty"`)) || bytes.Contains(s, []byte(`"keys"`))) {
		return "a JWK"
	}
	// Raw bytes are judged as they are: their first or last may look like space.
	if isDER(secret) || isDER(s) || isPoint(secret) {
		return "the DER of a key or certificate"
	}
	if len(s) > 0 && s[0] == 'M' { // base64 of 0x30, the tag that all of them start with
		text := bytes.Map(func(r rune) rune {
			switch r {
			case '\r', '\n', ' ', '\t', '=':
				return -1
			case '-':
				return '+'
			case '_':
				return '/'
			}
			return r
		}, s)
		der := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
		if n, err := base64.RawStdEncoding.Decode(der, text); err == nil && isDER(der[:n]) {
			return "the base64 of a key or certificate"
		}
	}
	return ""
}

// isDER reports whether b is a public key, a private key or a certificate in DER,
// or starts with a public key or certificate of whatever algorithm.
func isDER(b []byte) bool {
	if _, err := ParseDER(b); err == nil {
		return true
	}
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(b, &spki); err == nil {
		return true
	}
	var cert struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(b, &cert)
	return err == nil
}

// isPoint reports whether b is an uncompressed point of one of the curves.
func isPoint(b []byte) bool {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if _, err := ecdsa.ParseUncompressedPublicKey(c, b); err == nil {
			return true
		}
	}
	return false
}
