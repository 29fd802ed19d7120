package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/big"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var plaintext = bytes.Repeat([]byte("0123456789"), 30)

// experiments returns the oracles that have been found in others: of Bleichenbacher for
// RSA1_5, of Manger for RSA-OAEP, of Vaudenay for CBC, and the unwrapping of keys.
func experiments() []experiment {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	description := must(jwk.FromKey(k))
	old := must(description.DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RSA1_5}, AllowRSA1_5DespitePaddingOracles: true}))
	return []experiment{
		rsaes("RSA1_5", &k.PublicKey, old, func(key []byte) []byte {
			//lint:ignore SA1019 it is what is measured
			return must(rsa.EncryptPKCS1v15(rand.Reader, &k.PublicKey, key))
		}),
		rsaes("RSA-OAEP", &k.PublicKey, must(jwk.NewDecryptionKey(jwa.RSA_OAEP, "", k)), func(key []byte) []byte {
			return must(rsa.EncryptOAEP(jwa.RSA_OAEP.Hash().New(), rand.Reader, &k.PublicKey, key, nil))
		}),
		rsaes("RSA-OAEP-256", &k.PublicKey, must(jwk.NewDecryptionKey(jwa.RSA_OAEP_256, "", k)), func(key []byte) []byte {
			return must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.PublicKey, key, nil))
		}),
		direct(),
		keyWrap(),
		gcmKeyWrap(),
		agreement(),
	}
}

// rsaes has the classes of RSA. Whoever has the public key can make all of them.
func rsaes(alg string, pub *rsa.PublicKey, key jwk.Decrypter, encrypt func(key []byte) []byte) experiment {
	header := `{"alg":"` + alg + `","enc":"A128CBC-HS256"}`
	with := func(wrapped func(cek []byte) []byte, tamper tampering) func() string {
		return func() string {
			cek := random(32)
			return token(header, wrapped(cek), cek, tamper)
		}
	}
	raw := func(first byte) func([]byte) []byte {
		return func([]byte) []byte {
			em := random(pub.Size())
			em[0] = first
			m := new(big.Int).SetBytes(em)
			return m.Exp(m.Mod(m, pub.N), big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, pub.Size()))
		}
	}
	return experiment{alg + "+A128CBC-HS256", jwk.DecryptionSet{key}, []class{
		{name: "good", good: true, make: with(encrypt, untouched)},
		{name: "bad tag", judged: true, make: with(encrypt, badTag)},
		{name: "bad padding", judged: true, make: with(raw(0), untouched)},
		{name: "bad padding, first byte", judged: true, make: with(raw(1), untouched)},
		{name: "bad key", judged: true, make: with(func([]byte) []byte { return encrypt(random(32)) }, untouched)},
		{name: "bad length of the key", judged: true, make: with(func(cek []byte) []byte { return encrypt(cek[:16]) }, untouched)},
	}}
}

// direct has the classes of CBC with HMAC.
func direct() experiment {
	secret := random(32)
	with := func(tamper tampering) func() string {
		return func() string { return token(`{"alg":"dir","enc":"A128CBC-HS256"}`, nil, secret, tamper) }
	}
	key := must(jwk.NewSharedKey(jwa.Dir, "", secret, jwa.A128CBC_HS256))
	return experiment{"dir+A128CBC-HS256", jwk.DecryptionSet{key}, []class{
		{name: "good", good: true, make: with(untouched)},
		{name: "bad tag", judged: true, make: with(badTag)},
		{name: "bad padding", judged: true, make: with(badPadding)},
		{name: "bad block", judged: true, make: with(badBlock)},
		{name: "bad key", judged: true, make: func() string { return token(`{"alg":"dir","enc":"A128CBC-HS256"}`, nil, random(32), untouched) }},
		{name: "bad padding, good tag", make: with(sealedBadPadding)},
	}}
}

// keyWrap has the classes of AES key wrap.
func keyWrap() experiment {
	key := must(jwk.GenerateSharedKey(jwa.A128KW))
	return wrapping("A128KW", key, func(cek []byte) (members string, encryptedKey []byte) {
		return "", wrap(key, cek).EncryptedKey
	})
}

// gcmKeyWrap has those of AES-GCM key wrap.
func gcmKeyWrap() experiment {
	key := must(jwk.GenerateSharedKey(jwa.A128GCMKW))
	return wrapping("A128GCMKW", key, func(cek []byte) (members string, encryptedKey []byte) {
		w := wrap(key, cek)
		return `,"iv":"` + encode(w.IV) + `","tag":"` + encode(w.Tag) + `"`, w.EncryptedKey
	})
}

// agreement has those of a key that is wrapped with one that is agreed on.
func agreement() experiment {
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	key := must(jwk.NewDecryptionKey(jwa.ECDH_ES_A128KW, "", private))
	epk := wrap(key.Public(), random(32)).EphemeralKey
	members := `,"epk":` + string(must(epk.MarshalJSON()))
	// The same ephemeral key each time: what it is agreed with is known only to this
	// process, which wraps with it again.
	kek := must(jwk.NewSharedKey(jwa.A128KW, "", agreedOn(private, epk)))
	return wrapping("ECDH-ES+A128KW", key, func(cek []byte) (string, []byte) { return members, wrap(kek, cek).EncryptedKey })
}

func wrap(key jwk.Encrypter, cek []byte) jwk.Wrapping {
	w := jwk.Wrapping{Encryption: jwa.A128CBC_HS256}
	must(key.EncryptKey(context.Background(), cek, &w))
	return w
}

// agreedOn derives the key that wraps.
func agreedOn(private *ecdsa.PrivateKey, epk *jwk.JWK) []byte {
	public := must(epk.EncryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES}}))
	point := must(public.JWK().MarshalDER())
	exchanger := must(private.ECDH())
	peer := must(exchanger.Curve().NewPublicKey(point[len(point)-65:]))
	const name = "ECDH-ES+A128KW"
	in := append([]byte{0, 0, 0, 1}, must(exchanger.ECDH(peer))...)
	in = append(binary.BigEndian.AppendUint32(in, uint32(len(name))), name...)
	in = binary.BigEndian.AppendUint32(append(in, make([]byte, 8)...), 128)
	sum := sha256.Sum256(in)
	return sum[:16]
}

// wrapping has the classes of a key that is wrapped; send returns what the header says
// of that, and the encrypted key.
func wrapping(alg string, key jwk.Decrypter, send func(cek []byte) (members string, encryptedKey []byte)) experiment {
	with := func(sent func(cek []byte) []byte, tamper tampering, flip byte) func() string {
		return func() string {
			cek := random(32)
			members, encryptedKey := send(sent(cek))
			encryptedKey[int(random(1)[0])%len(encryptedKey)] ^= flip
			return token(`{"alg":"`+alg+`","enc":"A128CBC-HS256"`+members+`}`, encryptedKey, cek, tamper)
		}
	}
	same := func(cek []byte) []byte { return cek }
	return experiment{alg + "+A128CBC-HS256", jwk.DecryptionSet{key}, []class{
		{name: "good", good: true, make: with(same, untouched, 0)},
		{name: "bad tag", judged: true, make: with(same, badTag, 0)},
		{name: "bad wrapping", judged: true, make: with(same, untouched, 1)},
		{name: "bad key", judged: true, make: with(func([]byte) []byte { return random(32) }, untouched, 0)},
	}}
}

// tampering says what is wrong with the content.
type tampering int

const (
	untouched        tampering = iota
	badTag                     // a bit of the tag
	badPadding                 // a bit of the last block but one, so that the padding is wrong
	badBlock                   // a bit of the first block
	sealedBadPadding           // padding that is wrong under a tag that is right
)

// token encrypts with A128CBC-HS256 (RFC 7518, Section 5.2.3).
func token(header string, encryptedKey, cek []byte, tamper tampering) string {
	protected := encode([]byte(header))
	text := bytes.Clone(plaintext)
	pad := aes.BlockSize - len(text)%aes.BlockSize
	text = append(text, bytes.Repeat([]byte{byte(pad)}, pad)...)
	if tamper == sealedBadPadding {
		text[len(text)-2] ^= 1
	}
	iv := random(aes.BlockSize)
	cipher.NewCBCEncrypter(must(aes.NewCipher(cek[16:])), iv).CryptBlocks(text, text)
	m := hmac.New(sha256.New, cek[:16])
	m.Write([]byte(protected))
	m.Write(iv)
	m.Write(text)
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(len(protected))*8))
	tag := m.Sum(nil)[:16]
	switch tamper {
	case badTag:
		tag[random(1)[0]%16] ^= 1
	case badPadding:
		text[len(text)-aes.BlockSize-2] ^= 1
	case badBlock:
		text[random(1)[0]%16] ^= 1
	}
	return protected + "." + encode(encryptedKey) + "." + encode(iv) + "." + encode(text) + "." + encode(tag)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // which never fails
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
