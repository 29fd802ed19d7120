// Package jwe encrypts and decrypts bytes: the JSON Web Encryption of RFC 7516. Most
// people want [Encrypt] and [Decrypt], which make and read the compact form of five
// parts; for claims there is package jwt, which builds on this one.
//
//	token, err := jwe.Encrypt(ctx, key, jwa.A256GCM, jwe.Header{}, plaintext)
//	m, err := jwe.Decrypt(ctx, jwk.DecryptionSet{key}, token, jwe.Options{})
//
// [EncryptJSON] and [DecryptJSON] are the JSON forms, which can have several recipients
// and authenticate bytes beside the plaintext.
//
// To have decrypted a token says nothing about its sender: whoever has the public key,
// the shared key or the password can have made it. What must come from someone is
// signed first and then encrypted.
//
// A token is at most 64 KiB, its header 16 KiB, and what was compressed 250,000 bytes
// and ten times the compressed size unless [Options] says otherwise. The order of checks
// is fixed: size and alphabet, header, crit, alg and enc, keys, content. What is wrong
// before a key is used is told as it is. After that there is one error, [ErrDecrypt],
// on one path: where a content encryption key cannot be had, a random one takes its
// place, so that neither the error nor the time tells why (RFC 7516, Section 11.5).
package jwe

import (
	"context"
	"crypto/cipher"
	"crypto/rand"

	"github.com/jotsuite/jot/internal/aead"
	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The refusals. Each error derived from one has a Code, such as crit.unknown, and
// the Spec that it enforces.
var (
	ErrMalformed error = errMalformed   // not the form that is due
	ErrTooLarge  error = errTooLarge    // over a limit of Options
	ErrHeader    error = errHeader      // a rule of the header is broken
	ErrCritical  error = errCritical    // crit is malformed or lists what is not understood
	ErrAlgorithm error = errAlgorithm   // alg or enc is missing, unknown, not allowed or not the key's
	ErrNoKey     error = errNoKey       // no key fits, or more than four do
	ErrDecrypt   error = jwk.ErrDecrypt // it cannot be decrypted; nothing more is said
)

var (
	errMalformed = compact.ErrMalformed
	errTooLarge  = compact.ErrTooLarge
	errHeader    = header.ErrInvalid
	errCritical  = header.ErrCritical
	errAlgorithm = header.ErrAlgorithm
	errNoKey     = header.ErrNoKey

	errEncMissing  = fault.New("enc.missing", "RFC 7516, Section 4.1.2", "the header has no enc")
	errEncUnknown  = fault.New("enc.unknown", "RFC 7516, Section 4.1.2", "enc is no content encryption that is known")
	errEncPresent  = fault.New("enc.present", "draft-ietf-jose-hpke-encrypt-22, Section 5", "alg encrypts the content itself and has no enc")
	errEncRefused  = fault.New("enc.not_allowed", "RFC 8725, Section 3.1", "enc is not allowed here")
	errZip         = fault.New("zip.unknown", "RFC 7516, Section 4.1.3", "zip is not DEF")
	errUnprotected = fault.New("header.unprotected", "RFC 7516, Section 4", "a member must be in the protected header")
	errDirect      = fault.New("header.invalid", "draft-ietf-jose-hpke-encrypt-22, Section 7.2", "an algorithm that gives the content encryption key itself has one recipient")
	errEmpty       = fault.New("token.malformed", "RFC 7516, Section 7.2.1", "a member is there and empty")
	errSigned      = fault.New("token.malformed", "RFC 7516, Section 9", "it is signed, not encrypted")
	errEnclosed    = fault.New("token.malformed", "RFC 7516, Section 5.2", "the initialization vector or the tag has not the length that enc needs")
)

// Options is what a reader accepts. The zero value accepts the algorithms and
// encryptions of the keys it is given, understands no extension, and has safe limits.
type Options struct {
	// Algorithms and Encryptions narrow what the keys allow. Empty does not narrow.
	Algorithms  []jwa.Algorithm
	Encryptions []jwa.Encryption
	// Critical names the header extensions that the caller understands and will
	// process.
	Critical []string

	MaxSize       int // longest token, or JSON document, in bytes; 0 is 64 KiB
	MaxHeader     int // longest encoded header in bytes; 0 is 16 KiB
	MaxRecipients int // most recipients in a JSON document; 0 is 10

	// MaxPlaintext bounds what was compressed, in bytes; 0 is 250,000. MaxRatio bounds
	// how many times larger it may be than what it was compressed to; 0 is 10. Where
	// nothing was compressed, MaxSize is bound enough.
	MaxPlaintext int
	MaxRatio     int

	// AllowUnprotectedHeader takes every member but crit and zip from the unprotected
	// headers too, as RFC 7516 permits. Without it, only documents with several
	// recipients have, in the header of each, what differs between them: alg, kid, and
	// what the algorithm needs.
	AllowUnprotectedHeader bool
}

func (o Options) maxSize() int       { return orDefault(o.MaxSize, compact.MaxSize) }
func (o Options) maxHeader() int     { return orDefault(o.MaxHeader, 16<<10) }
func (o Options) maxRecipients() int { return orDefault(o.MaxRecipients, 10) }
func (o Options) maxPlaintext() int  { return orDefault(o.MaxPlaintext, 250_000) }
func (o Options) maxRatio() int      { return orDefault(o.MaxRatio, 10) }

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Message is what was decrypted.
type Message struct {
	Plaintext []byte
	Header    Header        // protected
	Key       jwk.Decrypter // that decrypted it

	// Of the JSON forms:
	Unprotected Header // what nothing protects, the shared header's and the recipient's
	AAD         []byte // authenticated beside the plaintext
	Recipient   int    // which of the recipients Key is, from 0
}

// Encrypt returns the compact form. A zero enc is the key's first, or A256GCM for a
// key of any; algorithms without enc have only the zero one.
func Encrypt(ctx context.Context, key jwk.Encrypter, enc jwa.Encryption, h Header, plaintext []byte) (string, error) {
	h, err := h.For(key, enc)
	if err != nil {
		return "", err
	}
	if h.Compressed {
		plaintext = deflate(plaintext)
	}
	if key.Algorithm().Integrated() {
		return integrated(ctx, key, h, plaintext)
	}
	content, encryptedKey, err := wrap(ctx, key, choose(key, enc), nil, &h)
	if err != nil {
		return "", err
	}
	raw, err := h.MarshalJSON()
	if err != nil {
		return "", err
	}
	return assemble(content.AEAD, content.iv, content.tag, raw, encryptedKey, plaintext), nil
}

// integrated is Encrypt with an algorithm that encrypts the content itself
// (draft-ietf-jose-hpke-encrypt-22, Section 5).
func integrated(ctx context.Context, key jwk.Encrypter, h Header, plaintext []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	encoded, err := h.encode()
	if err != nil {
		return "", err
	}
	encapsulated, ciphertext, err := key.(*jwk.EncryptionKey).Seal(alias.Bytes(encoded), plaintext)
	if err != nil {
		return "", err
	}
	return encoded + "." + b64url.EncodeToString(encapsulated) + ".." + b64url.EncodeToString(ciphertext) + ".", nil
}

// content encrypts the content of one message.
type content struct {
	cipher.AEAD
	cek     []byte // nil where the algorithm gives it itself
	iv, tag int
}

// wrap brings the content encryption key to whoever has key: that of earlier
// recipients, else a new one. What that takes it writes into h.
func wrap(ctx context.Context, key jwk.Encrypter, enc jwa.Encryption, c *content, h *Header) (*content, []byte, error) {
	var cek []byte
	if c != nil {
		cek = c.cek
	} else if !key.Algorithm().Direct() {
		cek = make([]byte, enc.KeySize())
		_, _ = rand.Read(cek) // which never fails
	}
	w := jwk.Wrapping{Encryption: enc, PartyU: h.PartyU, PartyV: h.PartyV, Count: h.Count}
	agreed, err := key.EncryptKey(ctx, cek, &w)
	if err != nil {
		return nil, nil, err
	}
	h.EphemeralKey, h.IV, h.Tag, h.Salt, h.Count, h.Encapsulated = w.EphemeralKey, w.IV, w.Tag, w.Salt, w.Count, w.Encapsulated
	if c == nil {
		c = &content{cek: cek}
		c.iv, c.tag = aead.Sizes(enc)
		c.AEAD = cipherOf(key, enc, agreed)
	}
	return c, w.EncryptedKey, nil
}

// cipherOf returns the content encryption with a key that was wrapped or agreed on,
// and so has the length that enc needs; a shared key for dir has it ready.
func cipherOf(key any, enc jwa.Encryption, cek []byte) cipher.AEAD {
	if shared, ok := key.(*jwk.SharedKey); ok {
		if ready := shared.AEAD(); ready != nil {
			return ready
		}
	}
	c, _ := aead.New(enc, cek)
	return c
}

// assemble encrypts plaintext into the end of the token's own memory and encodes it
// from there, so that there is no other copy of it.
func assemble(c cipher.AEAD, iv, tag int, rawHeader, encryptedKey, plaintext []byte) string {
	most := len(plaintext) + c.Overhead()
	size := b64url.EncodedLen(len(rawHeader)) + b64url.EncodedLen(len(encryptedKey)) + b64url.EncodedLen(most) + 8
	token := b64url.AppendEncode(make([]byte, 0, size), rawHeader)
	// The tail begins behind all that is written before it is read: three bytes of it
	// give four of the token, and it is a third longer there.
	sealed := c.Seal(token[size-most:size-most], nil, plaintext, token)
	text, mac := len(sealed)-tag, [64]byte{}
	copy(mac[:], sealed[text:])

	token = append(token, '.')
	token = b64url.AppendEncode(token, encryptedKey)
	token = append(token, '.')
	token = appendMoved(token, sealed[:iv])
	token = append(token, '.')
	token = appendMoved(token, sealed[iv:text])
	token = append(token, '.')
	return alias.String(b64url.AppendEncode(token, mac[:tag]))
}

// appendMoved is the encoder for bytes that stand further back in dst's own memory.
func appendMoved(dst, src []byte) []byte {
	var chunk [3 << 8]byte
	for len(src) > 0 {
		n := copy(chunk[:], src)
		dst = b64url.AppendEncode(dst, chunk[:n])
		src = src[n:]
	}
	return dst
}

// Decrypt reads the compact form.
func Decrypt(ctx context.Context, keys jwk.DecryptionSource, token string, o Options) (*Message, error) {
	parts, err := compact.Split5(token, o.maxSize())
	if err != nil {
		return nil, err
	}
	s, err := decode(parts[1:2], parts[2], parts[3], parts[4])
	if err != nil {
		return nil, err
	}
	m := new(Message)
	if err := m.Header.decode(parts[0], o); err != nil {
		return nil, err
	}
	s.aad = alias.Bytes(parts[0])
	if err := s.decrypt(ctx, keys, []recipient{{&m.Header, s.keys[0]}}, o, m); err != nil {
		return nil, err
	}
	return m, nil
}
