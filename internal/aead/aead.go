// Package aead has the six content encryptions of JSON Web Encryption (RFC 7518,
// Section 5) behind the one interface of the standard library.
//
// Each makes a new random initialization vector for every message and puts it in
// front, so that no caller can use one twice: NonceSize is 0, and what Seal
// returns is IV ‖ ciphertext ‖ tag.
package aead

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
)

var errKey = fault.New("key.invalid", "RFC 7518, Section 5.1", "the content encryption key has not the length that enc needs")

// ErrKey is the refusal of [New]: the key is too short or too long, or there is no
// such enc.
var ErrKey error = errKey

// errOpen says no more than crypto/cipher does.
var errOpen = errors.New("aead: message authentication failed")

// An algorithm is a row of the table in RFC 7518, Section 5.1.
type algorithm struct {
	enc     jwa.Encryption
	iv, tag int
	hash    func() hash.Hash // nil for AES-GCM
}

var algorithms = [...]algorithm{
	{jwa.A128GCM, 12, 16, nil},
	{jwa.A192GCM, 12, 16, nil},
	{jwa.A256GCM, 12, 16, nil},
	{jwa.A128CBC_HS256, aes.BlockSize, 16, sha256.New},
	{jwa.A192CBC_HS384, aes.BlockSize, 24, sha512.New384},
	{jwa.A256CBC_HS512, aes.BlockSize, 32, sha512.New},
}

func find(enc jwa.Encryption) (algorithm, bool) {
	i := slices.IndexFunc(algorithms[:], func(a algorithm) bool { return a.enc == enc })
	if i < 0 {
		return algorithm{}, false
	}
	return algorithms[i], true
}

// Sizes returns the lengths of the initialization vector and of the tag in bytes;
// both are 0 for what is no content encryption.
func Sizes(enc jwa.Encryption) (iv, tag int) {
	a, _ := find(enc)
	return a.iv, a.tag
}

// New returns the content encryption enc with the key cek, which it does not keep.
// The result is safe for concurrent use.
//
// Its Seal appends IV ‖ ciphertext ‖ tag; the plaintext may stand where Seal puts
// the ciphertext or be apart from it. Its Open takes the same and may write over it
// where dst is its beginning; otherwise both must be apart. The nonce is nil. All
// failures of Open are one, and what it has written is then cleared.
func New(enc jwa.Encryption, cek []byte) (cipher.AEAD, error) {
	a, ok := find(enc)
	if !ok || len(cek) != enc.KeySize() {
		return nil, errKey
	}
	if a.hash == nil {
		block, _ := aes.NewCipher(cek) // its length is right
		return cipher.NewGCMWithRandomNonce(block)
	}
	// RFC 7518, Section 5.2.2.1: the first half authenticates, the second encrypts.
	half := len(cek) / 2
	block, _ := aes.NewCipher(cek[half:])
	return &cbcHMAC{block: block, mac: slices.Clone(cek[:half]), hash: a.hash, tag: a.tag}, nil
}

// cbcHMAC is AES in CBC mode with PKCS #7 padding, then HMAC over all of it
// (RFC 7518, Section 5.2).
type cbcHMAC struct {
	block cipher.Block
	mac   []byte
	hash  func() hash.Hash
	tag   int
}

func (c *cbcHMAC) NonceSize() int { return 0 }

// Overhead is that of the longest padding.
func (c *cbcHMAC) Overhead() int { return aes.BlockSize + aes.BlockSize + c.tag }

// Seal implements [cipher.AEAD].
func (c *cbcHMAC) Seal(dst, _, plaintext, aad []byte) []byte {
	n := len(plaintext)
	whole := n - n%aes.BlockSize
	size := aes.BlockSize + whole + aes.BlockSize
	dst = slices.Grow(dst, size+c.tag)
	out := dst[len(dst) : len(dst)+size]
	var last, iv [aes.BlockSize]byte
	copy(last[:], plaintext[whole:])
	pad := byte(aes.BlockSize - n%aes.BlockSize)
	for i := aes.BlockSize - int(pad); i < aes.BlockSize; i++ {
		last[i] = pad
	}
	_, _ = rand.Read(iv[:]) // which never fails
	text := out[aes.BlockSize:]
	mode := cipher.NewCBCEncrypter(c.block, iv[:])
	mode.CryptBlocks(text[:whole], plaintext[:whole])
	mode.CryptBlocks(text[whole:], last[:])
	copy(out, iv[:])
	return append(dst[:len(dst)+size], c.sum(out, aad)[:c.tag]...)
}

// sum is the HMAC over additional data, IV, ciphertext and the number of bits of
// the additional data (RFC 7518, Section 5.2.2.1, step 5).
func (c *cbcHMAC) sum(ivText, aad []byte) []byte {
	h := hmac.New(c.hash, c.mac)
	var bits [8]byte
	binary.BigEndian.PutUint64(bits[:], uint64(len(aad))*8)
	h.Write(aad)
	h.Write(ivText)
	h.Write(bits[:])
	return h.Sum(nil)
}

// Open implements [cipher.AEAD].
func (c *cbcHMAC) Open(dst, _, sealed, aad []byte) ([]byte, error) {
	size := len(sealed) - c.tag
	if size < 2*aes.BlockSize || size%aes.BlockSize != 0 {
		return nil, errOpen
	}
	// RFC 7518, Section 5.2.2.2: the tag before anything is decrypted, so that nobody
	// learns of the padding without knowing the key.
	if subtle.ConstantTimeCompare(c.sum(sealed[:size], aad)[:c.tag], sealed[size:]) != 1 {
		return nil, errOpen
	}
	var iv [aes.BlockSize]byte
	copy(iv[:], sealed)
	n := size - aes.BlockSize
	dst = slices.Grow(dst, n)
	out := dst[len(dst) : len(dst)+n]
	copy(out, sealed[aes.BlockSize:size])
	cipher.NewCBCDecrypter(c.block, iv[:]).CryptBlocks(out, out)
	// The tag is right, so that this tells nothing to who has not the key.
	pad := int(out[n-1])
	if pad < 1 || pad > aes.BlockSize || bytes.Count(out[n-pad:], out[n-1:]) != pad {
		clear(out)
		return nil, errOpen
	}
	return dst[:len(dst)+n-pad], nil
}
