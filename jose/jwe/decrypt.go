package jwe

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/aead"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// sealed is the content of a message as it was received.
type sealed struct {
	keys    [][]byte // the encrypted keys of the recipients
	all     []byte   // initialization vector, ciphertext and tag
	iv, tag int      // their lengths
	aad     []byte
}

// decode decodes what is encoded into one piece of memory.
func decode(keys []string, iv, ciphertext, tag string) (*sealed, error) {
	n := len(iv) + len(ciphertext) + len(tag)
	for _, k := range keys {
		n += len(k)
	}
	buf := make([]byte, 0, n/4*3+3*(len(keys)+3))
	part := func(text string) (int, error) {
		start := len(buf)
		var err error
		if buf, err = b64url.AppendDecode(buf, text); err != nil {
			return 0, compact.Refine(text, err)
		}
		return len(buf) - start, nil
	}
	s := new(sealed)
	var err error
	if s.iv, err = part(iv); err != nil {
		return nil, err
	}
	if _, err = part(ciphertext); err != nil {
		return nil, err
	}
	if s.tag, err = part(tag); err != nil {
		return nil, err
	}
	s.all = buf[:len(buf):len(buf)]
	s.keys = make([][]byte, len(keys))
	for i, k := range keys {
		n, err := part(k)
		if err != nil {
			return nil, err
		}
		s.keys[i] = buf[len(buf)-n : len(buf) : len(buf)]
	}
	return s, nil
}

// recipient is one recipient of a message.
type recipient struct {
	joined       *Header // of all that concern it
	encryptedKey []byte
}

// attempt is a key that may decrypt.
type attempt struct {
	key       jwk.Decrypter
	recipient int
}

// maxIterations bounds what all passwords of one message may cost; one alone may cost
// as much (draft-ietf-oauth-rfc8725bis, Section 3.13).
const maxIterations = 1_200_000

// decrypt tries the keys that fit the recipients until one decrypts, and says in m
// which, and what.
func (s *sealed) decrypt(ctx context.Context, keys jwk.DecryptionSource, recipients []recipient, o Options, m *Message) error {
	if keys == nil {
		return errNoKey.With("there is no source of keys")
	}
	var (
		attempts   []attempt
		refusals   []error
		iterations int
	)
	for i := range recipients {
		h := recipients[i].joined
		found, err := header.Candidates(h.Algorithm, o.Algorithms, func() ([]jwk.Decrypter, error) {
			return keys.DecryptionKeys(ctx, jwk.Query{
				Algorithm: h.Algorithm, KeyID: h.KeyID, X5TS256: h.X5T256, X5C: h.X5C, X5U: h.X5U, JKU: h.JKU,
			})
		})
		if err == nil {
			err = s.checkEncryption(h, found, o)
		}
		if err != nil {
			// A source that fails has not said that there is no key.
			if fault.CodeOf(err) == "" {
				return err
			}
			refusals = append(refusals, of(i, len(recipients), err))
			continue
		}
		for _, k := range found {
			if len(recipients) > 1 && single(k.Algorithm()) {
				return errHeader.Wrap(errDirect)
			}
			if k.Algorithm().Family() == "PBES2" {
				if iterations > 0 && iterations+h.Count > maxIterations {
					return errTooLarge.With("its passwords cost more than the limit")
				}
				iterations += max(h.Count, 1)
			}
			attempts = append(attempts, attempt{k, i})
		}
	}
	failed := false
	for i, a := range attempts {
		r := &recipients[a.recipient]
		plaintext, err := s.open(ctx, a.key, r, i == len(attempts)-1)
		if err == nil {
			if r.joined.Compressed {
				if plaintext, err = inflate(plaintext, o); err != nil {
					return err
				}
			}
			m.Plaintext, m.Key, m.Recipient = plaintext, a.key, a.recipient
			return nil
		}
		switch {
		case errors.Is(err, ErrDecrypt):
			failed = true
		case fault.CodeOf(err) == "":
			return err
		default:
			refusals = append(refusals, of(a.recipient, len(recipients), refusal(err)))
		}
	}
	if failed {
		return ErrDecrypt
	}
	return errors.Join(refusals...)
}

// single reports whether an algorithm gives the content encryption key itself, or
// needs none, so that there can be no other recipient.
func single(alg jwa.Algorithm) bool { return alg.Direct() || alg.Integrated() }

// of says which of several recipients an error is about.
func of(i, n int, err error) error {
	if n == 1 {
		return err
	}
	return fmt.Errorf("recipient %d: %w", i+1, err)
}

// refusal makes the refusal of a key one of the token.
func refusal(err error) error {
	switch code := fault.CodeOf(err); {
	case strings.HasPrefix(code, "key."):
		return errNoKey.Wrap(err)
	case strings.HasPrefix(code, "alg."):
		return errAlgorithm.Wrap(err)
	}
	return errHeader.Wrap(err)
}

// checkEncryption refuses an enc that is not allowed or not there, and content that
// does not have its form.
func (s *sealed) checkEncryption(h *Header, found []jwk.Decrypter, o Options) error {
	integrated := found[0].Algorithm().Integrated()
	enc, ok := jwa.LookupEncryption(h.Encryption)
	switch {
	case !ok && !integrated:
		return errAlgorithm.Wrap(errEncMissing)
	case ok && integrated:
		return errAlgorithm.Wrap(errEncPresent)
	case ok && len(o.Encryptions) > 0 && !slices.Contains(o.Encryptions, enc):
		return errAlgorithm.Wrap(errEncRefused)
	}
	// For a zero enc both are 0.
	if iv, tag := aead.Sizes(enc); s.iv != iv || s.tag != tag {
		return errMalformed.Wrap(errEnclosed)
	}
	return nil
}

// open decrypts with one key, in place where it is the last one that is tried.
func (s *sealed) open(ctx context.Context, key jwk.Decrypter, r *recipient, last bool) ([]byte, error) {
	if k, ok := key.(*jwk.DecryptionKey); ok && k.Algorithm().Integrated() {
		return k.Open(ctx, r.encryptedKey, s.aad, s.all)
	}
	h := r.joined
	enc, _ := jwa.LookupEncryption(h.Encryption) // it has been checked
	// RFC 7516, Section 11.5: nobody learns whether it was the key or the content, nor by
	// the time that a random key takes, which is why one is always drawn.
	var spare []byte
	if !key.Algorithm().Direct() {
		spare = make([]byte, enc.KeySize())
		_, _ = rand.Read(spare) // which never fails
	}
	cek, err := key.DecryptKey(ctx, &jwk.Wrapping{
		Encryption: enc, EncryptedKey: r.encryptedKey, EphemeralKey: h.EphemeralKey,
		PartyU: h.PartyU, PartyV: h.PartyV, IV: h.IV, Tag: h.Tag, Salt: h.Salt, Count: h.Count, Encapsulated: h.Encapsulated,
	})
	if err != nil {
		if err != ErrDecrypt { // which is returned as it is; to look into it takes time
			return nil, err
		}
		cek = spare
	}
	var dst []byte
	if last {
		dst = s.all[:0]
	}
	plaintext, err := cipherOf(key, enc, cek).Open(dst, nil, s.all, s.aad)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext[:len(plaintext):len(plaintext)], nil
}

// deflate compresses (RFC 7516, Section 4.1.3).
func deflate(plaintext []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.DefaultCompression) // the level is right
	_, _ = w.Write(plaintext)                             // a buffer never fails
	_ = w.Close()
	return b.Bytes()
}

// inflate undoes deflate within the limits. What is wrong with it, whoever encrypted it
// has done, so that the limits may be told.
func inflate(compressed []byte, o Options) ([]byte, error) {
	most := o.maxPlaintext()
	if ratio := o.maxRatio(); len(compressed) < most/ratio {
		most = ratio * len(compressed)
	}
	src := bytes.NewReader(compressed)
	r := flate.NewReader(src)
	plaintext, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch {
	case len(plaintext) > most:
		return nil, errTooLarge.With("its plaintext is over the limit when it is inflated")
	case err != nil || src.Len() > 0:
		return nil, ErrDecrypt
	}
	return plaintext, nil
}
