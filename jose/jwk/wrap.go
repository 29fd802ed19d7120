package jwk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// wrapOverhead is how much longer a wrapped key is (RFC 3394, Section 2.2.1).
const wrapOverhead = 8

// wrapIV is the initial value of RFC 3394, Section 2.2.3.1, by which a key is known
// to have been unwrapped with the right one.
var wrapIV = [wrapOverhead]byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}

// wrapKey wraps a key of two or more times 8 bytes (RFC 3394, Section 2.2.1).
func wrapKey(kek cipher.Block, key []byte) []byte {
	// The last block is where AES works.
	out := make([]byte, wrapOverhead+len(key), wrapOverhead+len(key)+aes.BlockSize)
	b := out[len(out):cap(out)]
	copy(out[wrapOverhead:], key)
	copy(b, wrapIV[:])
	t := uint64(1)
	for range 6 {
		for r := out[wrapOverhead:]; len(r) > 0; r = r[8:] {
			copy(b[8:], r[:8])
			kek.Encrypt(b, b)
			binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^t)
			copy(r[:8], b[8:])
			t++
		}
	}
	copy(out, b[:8])
	return out
}

// unwrapKey undoes wrapKey (RFC 3394, Section 2.2.2). Its time depends on the length
// alone.
func unwrapKey(kek cipher.Block, wrapped []byte) ([]byte, bool) {
	n := len(wrapped) - wrapOverhead
	out := make([]byte, n, n+aes.BlockSize)
	b := out[n:cap(out)]
	copy(out, wrapped[wrapOverhead:])
	copy(b, wrapped[:8])
	t := uint64(6 * (n / 8))
	for range 6 {
		for i := n - 8; i >= 0; i -= 8 {
			binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(b)^t)
			copy(b[8:], out[i:i+8])
			kek.Decrypt(b, b)
			copy(out[i:i+8], b[8:])
			t--
		}
	}
	return out, subtle.ConstantTimeCompare(b[:8], wrapIV[:]) == 1
}

// concatKDF derives size bytes from the secret z that was agreed on (RFC 7518, Section
// 4.6.2; NIST SP 800-56A, Section 5.8.1). The name is that of the algorithm that the
// result is a key of.
func concatKDF(z []byte, name string, partyU, partyV []byte, size int) []byte {
	var info []byte
	info = appendSized(info, []byte(name))
	info = appendSized(info, partyU)
	info = appendSized(info, partyV)
	info = binary.BigEndian.AppendUint32(info, uint32(size)*8)
	var out []byte
	h := sha256.New()
	for round := uint32(1); len(out) < size; round++ {
		h.Reset()
		h.Write(binary.BigEndian.AppendUint32(nil, round))
		h.Write(z)
		h.Write(info)
		out = h.Sum(out)
	}
	return out[:size:size]
}

func appendSized(dst, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(b))), b...)
}
