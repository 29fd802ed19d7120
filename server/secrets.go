package server

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// secrets are the keys that Options.Secrets are made into, one for each purpose. Of each the first makes what is new.
type secrets struct {
	client   macs // hashes of the secrets of clients
	refresh  macs // refresh tokens
	register macs // registration and initial access tokens
	record   macs // what is kept of opaque tokens
	seal     []cipher.AEAD
	nonce    [][]byte // of DPoP, and challenges for attestations
}

type macs []*jwk.SecretKey

// must returns what cannot fail: keys of 32 bytes, JSON that was JSON before, verifiers of what was checked before.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newSecrets(all [][]byte) *secrets {
	s := new(secrets)
	for _, secret := range all {
		derive := func(purpose string) []byte {
			return must(hkdf.Key(sha256.New, secret, nil, "jot authorization server: "+purpose, 32))
		}
		for _, m := range []struct {
			to      *macs
			purpose string
		}{{&s.client, "client secrets"}, {&s.refresh, "refresh tokens"}, {&s.register, "registration tokens"}, {&s.record, "opaque tokens"}} {
			*m.to = append(*m.to, must(jwk.NewSecretKey(jwa.HS256, "", derive(m.purpose))))
		}
		s.seal = append(s.seal, must(cipher.NewGCMWithRandomNonce(must(aes.NewCipher(derive("sealed secrets"))))))
		s.nonce = append(s.nonce, derive("nonces"))
	}
	return s
}

// sum is the MAC of what is new.
func (m macs) sum(message []byte) []byte {
	return must(m[0].Sign(context.Background(), message))
}

// verify reports whether mac is that of message, by any of the keys.
func (m macs) verify(message, mac []byte) bool {
	for _, k := range m {
		if k.Verify(message, mac) == nil {
			return true
		}
	}
	return false
}

// clientMessage is what is hashed of the secret of a client: the same secret has another hash for each.
func clientMessage(id, secret string) []byte {
	b := make([]byte, 0, 160)
	b = binary.BigEndian.AppendUint32(b, uint32(len(id)))
	return append(append(b, id...), secret...)
}

// sealed encrypts a secret that the server has to have in clear, for one owner.
func (s *secrets) sealed(secret, owner string) string {
	return base64.RawURLEncoding.EncodeToString(s.seal[0].Seal(nil, nil, []byte(secret), []byte(owner)))
}

var errSealed = errors.New("server: a sealed secret cannot be opened: the secret of the server that it was sealed with is not among Options.Secrets")

func (s *secrets) open(sealed, owner string) ([]byte, error) {
	b, _ := decode(sealed) // what is not base64url opens no better
	for _, a := range s.seal {
		if secret, err := a.Open(nil, nil, b, []byte(owner)); err == nil {
			return secret, nil
		}
	}
	return nil, errSealed
}

// random returns 256 random bits in base64url.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // which never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// The size of a refresh token: the identifier of its grant, the number of the token, and their MAC.
const (
	refreshID   = 16
	refreshBody = refreshID + 8
	refreshSize = refreshBody + sha256.Size
)

// refreshToken makes the token of a grant with a number: always the same one.
func (s *secrets) refreshToken(id string, seq int64) string {
	b := make([]byte, 0, refreshSize)
	b, _ = base64.RawURLEncoding.AppendDecode(b, []byte(id)) // of newGrantID
	b = binary.BigEndian.AppendUint64(b, uint64(seq))
	b = append(b, s.refresh.sum(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// grantOf returns the grant and the number of a refresh token that this server has made.
func (s *secrets) grantOf(token string) (id string, seq int64, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(refreshSize) {
		return "", 0, false
	}
	b, _ := base64.RawURLEncoding.Strict().DecodeString(token)
	if len(b) != refreshSize || !s.refresh.verify(b[:refreshBody], b[refreshBody:]) {
		return "", 0, false
	}
	return base64.RawURLEncoding.EncodeToString(b[:refreshID]), int64(binary.BigEndian.Uint64(b[refreshID:])), true
}

func newGrantID() string {
	var b [refreshID]byte
	_, _ = rand.Read(b[:]) // which never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
