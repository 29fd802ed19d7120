package bench

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	jose "github.com/go-jose/go-jose/v4"
	jwxjwa "github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwe "github.com/lestrrat-go/jwx/v3/jwe"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// Encryption is one thing that is encrypted and decrypted.
type Encryption struct {
	Name      string
	alg, enc  string
	size      int    // of the plaintext
	secret    []byte // of a shared key
	private   any    // of another, as the standard library has it
	public    any
	encrypter jwk.Encrypter
	decrypter jwk.Decrypter
}

const large = 10_000_000

// Encryptions returns what is measured. To encrypt is: from the plaintext to the
// compact form, with a new content encryption key where the algorithm has one. To
// decrypt is: from the compact form to the plaintext, and the algorithm and the
// encryption are those expected.
var Encryptions = sync.OnceValue(func() []*Encryption {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	ec, x := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdh.X25519().GenerateKey(rand.Reader))
	rs := must(rsa.GenerateKey(rand.Reader, 2048))
	all := []*Encryption{
		{Name: "dir+A256GCM", alg: "dir", enc: "A256GCM", secret: random(32)},
		{Name: "A128KW+A128CBC-HS256", alg: "A128KW", enc: "A128CBC-HS256", secret: random(16)},
		{Name: "ECDH-ES+A256GCM, P-256", alg: "ECDH-ES", enc: "A256GCM", private: ec, public: &ec.PublicKey},
		{Name: "ECDH-ES+A256GCM, X25519", alg: "ECDH-ES", enc: "A256GCM", private: x, public: x.PublicKey()},
		{Name: "RSA-OAEP-256+A256GCM", alg: "RSA-OAEP-256", enc: "A256GCM", private: rs, public: &rs.PublicKey},
		{Name: "dir+A256GCM, 10 MB", alg: "dir", enc: "A256GCM", secret: random(32), size: large},
	}
	for _, e := range all {
		if e.size == 0 {
			e.size = 300
		}
		alg, _ := jwa.Lookup(e.alg)
		enc, _ := jwa.LookupEncryption(e.enc)
		if e.secret != nil {
			k := must(jwk.NewSharedKey(alg, "", e.secret, enc))
			e.encrypter, e.decrypter = k, k
			continue
		}
		k := must(jwk.NewDecryptionKey(alg, "", e.private, enc))
		e.encrypter, e.decrypter = k.Public(), k
	}
	return all
})

// Plaintext is what is encrypted.
func (e *Encryption) Plaintext() []byte {
	return bytes.Repeat([]byte("0123456789"), e.size/10)
}

// Token is what every library decrypts.
func (e *Encryption) Token() string {
	return must(jwe.Encrypt(context.Background(), e.encrypter, jwa.Encryption{}, jwe.Header{}, e.Plaintext()))
}

// Crypter is one library's way to a token and back.
type Crypter struct {
	Library string
	Encrypt func(plaintext []byte) (string, error)
	Decrypt func(token string) ([]byte, error)
}

// Crypters returns the libraries that can, without the bare operation.
func (e *Encryption) Crypters() []Crypter {
	all := []Crypter{e.jot()}
	if !strings.HasSuffix(e.Name, "X25519") { // go-jose has it not
		all = append(all, e.goJose())
	}
	return append(all, e.jwx())
}

func (e *Encryption) jot() Crypter {
	keys := jwk.DecryptionSet{e.decrypter}
	o := jwe.Options{MaxSize: 2 * large}
	return Crypter{
		"jot",
		func(plaintext []byte) (string, error) {
			return jwe.Encrypt(context.Background(), e.encrypter, jwa.Encryption{}, jwe.Header{}, plaintext)
		},
		func(token string) ([]byte, error) {
			m, err := jwe.Decrypt(context.Background(), keys, token, o)
			if err != nil {
				return nil, err
			}
			return m.Plaintext, nil
		},
	}
}

// keys are those of the standard library, or the bytes of a secret twice.
func (e *Encryption) keys() (private, public any) {
	if e.secret != nil {
		return e.secret, e.secret
	}
	return e.private, e.public
}

func (e *Encryption) goJose() Crypter {
	alg, enc := jose.KeyAlgorithm(e.alg), jose.ContentEncryption(e.enc)
	algs, encs := []jose.KeyAlgorithm{alg}, []jose.ContentEncryption{enc}
	private, public := e.keys()
	encrypter := must(jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: public}, nil))
	return Crypter{
		"go-jose",
		func(plaintext []byte) (string, error) {
			o, err := encrypter.Encrypt(plaintext)
			if err != nil {
				return "", err
			}
			return o.CompactSerialize()
		},
		func(token string) ([]byte, error) {
			o, err := jose.ParseEncryptedCompact(token, algs, encs)
			if err != nil {
				return nil, err
			}
			return o.Decrypt(private)
		},
	}
}

func (e *Encryption) jwx() Crypter {
	alg, ok := jwxjwa.LookupKeyEncryptionAlgorithm(e.alg)
	enc, known := jwxjwa.LookupContentEncryptionAlgorithm(e.enc)
	if !ok || !known {
		panic(e.Name)
	}
	private, public := e.keys()
	encryptWith, content := jwxjwe.WithKey(alg, must(jwxjwk.Import(public))), jwxjwe.WithContentEncryption(enc)
	decryptWith := jwxjwe.WithKey(alg, must(jwxjwk.Import(private)))
	return Crypter{
		"jwx",
		func(plaintext []byte) (string, error) {
			token, err := jwxjwe.Encrypt(plaintext, encryptWith, content)
			return string(token), err
		},
		func(token string) ([]byte, error) {
			return jwxjwe.Decrypt([]byte(token), decryptWith)
		},
	}
}

var errPlaintext = errors.New("the plaintext is not that of the token")

// Operations returns the operations "encrypt NAME" and "decrypt NAME".
func (e *Encryption) Operations() []Op {
	plaintext, token := e.Plaintext(), e.Token()
	seal, open := e.bare(plaintext, token)
	encrypt, decrypt := []Op{{"encrypt " + e.Name, "bare", seal}}, []Op{{"decrypt " + e.Name, "bare", open}}
	for _, c := range e.Crypters() {
		encrypt = append(encrypt, Op{"encrypt " + e.Name, c.Library, func() error {
			_, err := c.Encrypt(plaintext)
			return err
		}})
		decrypt = append(decrypt, Op{"decrypt " + e.Name, c.Library, func() error {
			got, err := c.Decrypt(token)
			if err == nil && len(got) != len(plaintext) {
				return errPlaintext
			}
			return err
		}})
	}
	return append(encrypt, decrypt...)
}

// bare returns the standard library's operations on the bytes of the plaintext and the
// token, without reading or writing anything; for 10 MB the base64 counts too.
func (e *Encryption) bare(plaintext []byte, token string) (encrypt, decrypt func() error) {
	parts := strings.Split(token, ".")
	var bin [5][]byte
	for i, p := range parts {
		bin[i] = must(base64.RawURLEncoding.DecodeString(p))
	}
	encryptedKey, aad := bin[1], []byte(parts[0])
	sealed := bytes.Join(bin[2:], nil)

	if e.alg == "dir" {
		return e.bareDir(plaintext, sealed, aad)
	}
	seal := func(cek []byte) { gcmOf(cek).Seal(make([]byte, 0, len(sealed)), nil, plaintext, aad) }
	open := func(cek []byte) error {
		_, err := gcmOf(cek).Open(nil, nil, sealed, aad)
		return err
	}
	switch e.alg {
	case "A128KW":
		// The standard library has no RFC 3394. Of it, what it calls is timed: six times
		// a block for each half block of the key.
		kek := must(aes.NewCipher(e.secret))
		known := must(e.decrypter.DecryptKey(context.Background(), &jwk.Wrapping{Encryption: jwa.A128CBC_HS256, EncryptedKey: encryptedKey}))
		var block [16]byte
		return func() error {
				cek := make([]byte, 32)
				_, _ = rand.Read(cek)
				for range 6 * 4 {
					kek.Encrypt(block[:], block[:])
				}
				sealCBC(cek, plaintext, aad)
				return nil
			}, func() error {
				for range 6 * 4 {
					kek.Decrypt(block[:], block[:])
				}
				return openCBC(known, sealed, aad)
			}
	case "RSA-OAEP-256":
		k := e.private.(*rsa.PrivateKey)
		return func() error {
				cek := make([]byte, 32)
				_, _ = rand.Read(cek)
				_, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.PublicKey, cek, nil)
				seal(cek)
				return err
			}, func() error {
				cek, err := rsa.DecryptOAEP(sha256.New(), nil, k, encryptedKey, nil)
				if err != nil {
					return err
				}
				return open(cek)
			}
	}
	k, ok := e.private.(*ecdh.PrivateKey)
	if !ok {
		k = must(e.private.(*ecdsa.PrivateKey).ECDH())
	}
	peer := ephemeralOf(bin[0])
	return func() error {
			ephemeral, err := k.Curve().GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			z, err := ephemeral.ECDH(k.PublicKey())
			seal(derive(z))
			return err
		}, func() error {
			public, err := k.Curve().NewPublicKey(peer)
			if err != nil {
				return err
			}
			z, err := k.ECDH(public)
			if err != nil {
				return err
			}
			return open(derive(z))
		}
}

// ephemeralOf returns the "epk" of a header as bytes.
func ephemeralOf(header []byte) []byte {
	var h struct{ EPK struct{ X, Y string } }
	check(json.Unmarshal(header, &h))
	x, y := must(base64.RawURLEncoding.DecodeString(h.EPK.X)), must(base64.RawURLEncoding.DecodeString(h.EPK.Y))
	if len(y) == 0 {
		return x
	}
	return append(append([]byte{4}, x...), y...)
}

// bareDir is the AEAD alone, and around it the base64 of a large payload.
func (e *Encryption) bareDir(plaintext, sealed, aad []byte) (encrypt, decrypt func() error) {
	gcm := gcmOf(e.secret)
	if e.size < large {
		buf := make([]byte, 0, len(sealed))
		return func() error {
				gcm.Seal(buf, nil, plaintext, aad)
				return nil
			}, func() error {
				_, err := gcm.Open(buf, nil, sealed, aad)
				return err
			}
	}
	encoded := base64.RawURLEncoding.EncodeToString(sealed)
	return func() error {
			text := base64.RawURLEncoding.EncodeToString(gcm.Seal(make([]byte, 0, len(sealed)), nil, plaintext, aad))
			if len(text) != len(encoded) {
				return errPlaintext
			}
			return nil
		}, func() error {
			raw, err := base64.RawURLEncoding.DecodeString(encoded)
			if err != nil {
				return err
			}
			_, err = gcm.Open(raw[:0], nil, raw, aad)
			return err
		}
}

func gcmOf(key []byte) cipher.AEAD {
	return must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(key))))
}

// derive is the hash of RFC 7518, Section 4.6.2, for A256GCM without apu and apv.
func derive(z []byte) []byte {
	in := append([]byte{0, 0, 0, 1}, z...)
	in = append(in, "\x00\x00\x00\x07A256GCM\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00"...)
	sum := sha256.Sum256(in)
	return sum[:]
}

// sealCBC and openCBC are the calls of RFC 7518, Section 5.2.3.
func sealCBC(cek, plaintext, aad []byte) []byte {
	pad := 16 - len(plaintext)%16
	out := make([]byte, 16, 16+len(plaintext)+pad+32)
	_, _ = rand.Read(out)
	out = append(append(out, plaintext...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(must(aes.NewCipher(cek[16:])), out[:16]).CryptBlocks(out[16:], out[16:])
	return append(out, tagCBC(cek, out, aad)...)
}

func openCBC(cek, sealed, aad []byte) error {
	body := sealed[:len(sealed)-16]
	if subtle.ConstantTimeCompare(tagCBC(cek, body, aad), sealed[len(body):]) != 1 {
		return errPlaintext
	}
	out := make([]byte, len(body)-16)
	cipher.NewCBCDecrypter(must(aes.NewCipher(cek[16:])), body[:16]).CryptBlocks(out, body[16:])
	if int(out[len(out)-1]) > 16 {
		return errPlaintext
	}
	return nil
}

func tagCBC(cek, body, aad []byte) []byte {
	m := hmac.New(sha256.New, cek[:16])
	m.Write(aad)
	m.Write(body)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(aad))*8))
	return m.Sum(nil)[:16]
}
