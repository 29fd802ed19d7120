package attack

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
)

// plaintext is what the tokens of encryption hold.
const plaintext = "the plaintext"

// encryption is a row of the table in RFC 7518, Section 5.1; GCM has no hash.
type encryption struct {
	key, iv, tag int
	hash         crypto.Hash
}

var encryptions = map[string]encryption{
	"A128GCM": {16, 12, 16, 0}, "A192GCM": {24, 12, 16, 0}, "A256GCM": {32, 12, 16, 0},
	"A128CBC-HS256": {32, 16, 16, crypto.SHA256}, "A192CBC-HS384": {48, 16, 24, crypto.SHA384}, "A256CBC-HS512": {64, 16, 32, crypto.SHA512},
}

// envelope has the parts of a JWE as they will be written.
type envelope struct {
	header             string // protected
	key, iv, text, tag []byte
}

// enclose encrypts text with the content encryption key for a protected header.
func enclose(header, enc string, cek, key []byte, text string) envelope {
	e := envelope{header: header, key: key, iv: seed("iv "+header, encryptions[enc].iv)}
	return e.encrypt(enc, cek, e.protected(), text)
}

// encrypt replaces the ciphertext and the tag by those of e.iv and of additional data.
func (e envelope) encrypt(enc string, cek []byte, aad, text string) envelope {
	row := encryptions[enc]
	if row.hash != 0 {
		pad := aes.BlockSize - len(text)%aes.BlockSize
		return e.encryptCBC(enc, cek, aad, text+strings.Repeat(string(rune(pad)), pad))
	}
	// An initialization vector of another length is possible, and not in RFC 7518.
	gcm := must(cipher.NewGCMWithNonceSize(must(aes.NewCipher(cek)), len(e.iv)))
	sealed := gcm.Seal(nil, e.iv, []byte(text), []byte(aad))
	e.text, e.tag = sealed[:len(text)], sealed[len(text):]
	return e
}

// encryptCBC is RFC 7518, Section 5.2.2.1, of text that has its padding.
func (e envelope) encryptCBC(enc string, cek []byte, aad, padded string) envelope {
	half := len(cek) / 2
	e.text = make([]byte, len(padded))
	cipher.NewCBCEncrypter(must(aes.NewCipher(cek[half:])), e.iv).CryptBlocks(e.text, []byte(padded))
	e.tag = e.mac(enc, cek, aad)[:half]
	return e
}

// mac is the whole of what the tag of CBC is the beginning of.
func (e envelope) mac(enc string, cek []byte, aad string) []byte {
	m := hmac.New(encryptions[enc].hash.New, cek[:len(cek)/2])
	for _, b := range [][]byte{[]byte(aad), e.iv, e.text, binary.BigEndian.AppendUint64(nil, uint64(len(aad))*8)} {
		m.Write(b)
	}
	return m.Sum(nil)
}

func (e envelope) protected() string { return enc(e.header) }

func (e envelope) parts() []string {
	out := []string{e.protected()}
	for _, b := range [][]byte{e.key, e.iv, e.text, e.tag} {
		out = append(out, b64.EncodeToString(b))
	}
	return out
}

func (e envelope) compact() string { return strings.Join(e.parts(), ".") }

// flat is the flattened form with members in front of its own.
func (e envelope) flat(members string) string {
	p := e.parts()
	out := "{" + members
	for i, name := range []string{"protected", "encrypted_key", "iv"} {
		if p[i] != "" && (i > 0 || e.header != "") {
			out += `"` + name + `":"` + p[i] + `",`
		}
	}
	return out + `"ciphertext":"` + p[3] + `","tag":"` + p[4] + `"}`
}

// general is the general form; each recipient is a whole object.
func (e envelope) general(recipients ...string) string {
	e.key = nil
	return e.flat(`"recipients":[` + strings.Join(recipients, ",") + `],`)
}

// way is how a content encryption key travels, RFC 7518, Section 4.
type way struct {
	alg  string
	enc  string                               // of its usual token
	key  Key                                  // that decrypts
	wrap func(enc string, cek []byte) wrapped // to whoever has the key
}

// wrapped has what a header says of a key, as members that follow others, and the
// encrypted key. The cek is another than the one given where the way makes its own.
type wrapped struct {
	members  string
	key, cek []byte
}

// seal encrypts text with more members in the header.
func (w way) seal(enc, more, text string) envelope {
	k := w.wrap(enc, seed("content key of "+enc, encryptions[enc].key))
	return enclose(w.header(enc, k.members+more), enc, k.cek, k.key, text)
}

func (w way) header(enc, more string) string {
	return `{"alg":"` + w.alg + `","enc":"` + enc + `"` + more + `}`
}

// usual is the token that a case on this way has for control.
func (w way) usual() string { return w.seal(w.enc, "", plaintext).compact() }

func octSecret(alg string, secret []byte) Key {
	return one(object("kty", "oct", "alg", alg, "k", b64.EncodeToString(secret)))
}

// direct is the way without any: a key for each content encryption.
func direct(enc string) way {
	secret := seed("dir "+enc, encryptions[enc].key)
	return way{"dir", enc, octSecret(enc, secret), func(string, []byte) wrapped { return wrapped{cek: secret} }}
}

// keySize is the number of bytes of the AES key that an alg names.
func keySize(alg string) int {
	for size, name := range map[int]string{16: "A128", 24: "A192", 32: "A256"} {
		if strings.Contains(alg, name) {
			return size
		}
	}
	panic(alg)
}

func aesKW(alg string) way {
	kek := seed(alg, keySize(alg))
	return way{alg, "A128GCM", octSecret(alg, kek), func(_ string, cek []byte) wrapped { return wrapped{"", wrapAES(kek, cek), cek} }}
}

// wrapAES is RFC 3394, Section 2.2.1.
func wrapAES(kek, key []byte) []byte { return wrapFrom(bytes.Repeat([]byte{0xa6}, 8), kek, key) }

func wrapFrom(initial, kek, key []byte) []byte {
	block := must(aes.NewCipher(kek))
	out := append(bytes.Clone(initial), key...)
	var b [16]byte
	copy(b[:], out[:8])
	for t := uint64(1); t <= uint64(6*len(key)/8); t++ {
		r := out[8*(1+int(t-1)%(len(key)/8)):][:8]
		copy(b[8:], r)
		block.Encrypt(b[:], b[:])
		copy(r, b[8:])
		binary.BigEndian.PutUint64(b[:], binary.BigEndian.Uint64(b[:])^t)
	}
	copy(out, b[:8])
	return out
}

func aesGCMKW(alg string) way {
	kek := seed(alg, keySize(alg))
	return way{alg, "A128GCM", octSecret(alg, kek), func(_ string, cek []byte) wrapped {
		iv, key, tag := wrapGCM(kek, cek)
		return wrapped{gcmMembers(iv, tag), key, cek}
	}}
}

func wrapGCM(kek, cek []byte) (iv, key, tag []byte) {
	iv = seed("iv of a key", 12)
	sealed := must(cipher.NewGCM(must(aes.NewCipher(kek)))).Seal(nil, iv, cek, nil)
	return iv, sealed[:len(cek)], sealed[len(cek):]
}

func gcmMembers(iv, tag []byte) string {
	return `,"iv":"` + b64.EncodeToString(iv) + `","tag":"` + b64.EncodeToString(tag) + `"`
}

const password = "correct horse battery staple"

// pbes2 is a password, with as few iterations as RFC 7518, Section 4.8.1.2 has.
func pbes2(alg string) way {
	return way{alg, "A128GCM", Key{Kind: Password, Data: []byte(password), Alg: alg}, func(_ string, cek []byte) wrapped {
		salt := seed("salt", 8)
		return wrapped{`,"p2s":"` + b64.EncodeToString(salt) + `","p2c":1000`, wrapPassword(alg, salt, 1000, cek), cek}
	}}
}

func wrapPassword(alg string, salt []byte, count int, cek []byte) []byte {
	h := map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512}[alg[6:11]]
	return wrapAES(must(pbkdf2.Key(h.New, password, append([]byte(alg+"\x00"), salt...), count, keySize(alg))), cek)
}

// agreed is ECDH-ES with what the two agree on, whoever calculates it.
func agreed(alg, enc, apu, apv string, z, cek []byte) wrapped {
	w := wrapped{key: nil, cek: cek}
	if alg == "ECDH-ES" {
		w.cek = concatKDF(z, enc, apu, apv, encryptions[enc].key)
	} else {
		w.key = wrapAES(concatKDF(z, alg, apu, apv, keySize(alg)), cek)
	}
	return w
}

// concatKDF is RFC 7518, Section 4.6.2.
func concatKDF(z []byte, name, apu, apv string, size int) []byte {
	var out []byte
	for round := uint32(1); len(out) < size; round++ {
		b := append(binary.BigEndian.AppendUint32(nil, round), z...)
		for _, s := range []string{name, apu, apv} {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
		}
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(b, uint32(size)*8))
		out = append(out, sum[:]...)
	}
	return out[:size]
}

// ecdhES is the way to the owner of a private key.
func ecdhES(alg string, owner *ecdh.PrivateKey) way {
	ephemeral := exchangeKey(owner.Curve(), "ephemeral")
	return way{alg, "A128GCM", one(exchangeJWK(owner, "alg", alg)), func(enc string, cek []byte) wrapped {
		w := agreed(alg, enc, "", "", must(ephemeral.ECDH(owner.PublicKey())), cek)
		w.members = `,"epk":` + string(pointJWK(ephemeral.PublicKey()))
		return w
	}}
}

func exchangeKey(c ecdh.Curve, label string) *ecdh.PrivateKey {
	size := map[ecdh.Curve]int{ecdh.P256(): 32, ecdh.P384(): 48, ecdh.P521(): 66, ecdh.X25519(): 32}[c]
	for i := 0; ; i++ {
		d := seed(fmt.Sprint(label, c, i), size)
		if size == 66 {
			d[0] &= 1
		}
		if k, err := c.NewPrivateKey(d); err == nil {
			return k
		}
	}
}

// pointJWK describes a public key.
func pointJWK(k *ecdh.PublicKey, more ...any) []byte {
	if k.Curve() == ecdh.X25519() {
		return okpJWK(k.Bytes(), more...)
	}
	p := k.Bytes()[1:]
	crv := map[int]string{32: "P-256", 48: "P-384", 66: "P-521"}[len(p)/2]
	return coordinates(crv, p[:len(p)/2], p[len(p)/2:], more...)
}

func okpJWK(x []byte, more ...any) []byte {
	return object(append([]any{"kty", "OKP", "crv", "X25519", "x", b64.EncodeToString(x)}, more...)...)
}

func coordinates(crv string, x, y []byte, more ...any) []byte {
	return object(append([]any{"kty", "EC", "crv", crv, "x", b64.EncodeToString(x), "y", b64.EncodeToString(y)}, more...)...)
}

func exchangeJWK(k *ecdh.PrivateKey, more ...any) []byte {
	return pointJWK(k.PublicKey(), append([]any{"d", b64.EncodeToString(k.Bytes())}, more...)...)
}

// rsaes is the way to the usual RSA key, with an encoded message made by pad.
func rsaes(alg string, pad func(size int, cek []byte) []byte) way {
	k := rsaKeys()["rsa"]
	key := one(k.private("alg", alg))
	key.AllowRSA1_5 = alg == "RSA1_5"
	return way{alg, "A128GCM", key, func(_ string, cek []byte) wrapped { return wrapped{"", k.encrypt(pad(k.size(), cek)), cek} }}
}

// encrypt is the public operation on an encoded message.
func (k *rsaKey) encrypt(em []byte) []byte {
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, big.NewInt(k.e), k.n).FillBytes(make([]byte, k.size()))
}

// pad15 is RFC 8017, Section 7.2.1.
func pad15(size int, m []byte) []byte {
	em := bytes.Repeat([]byte{0x5a}, size)
	copy(em, []byte{0, 2})
	em[size-len(m)-1] = 0
	copy(em[size-len(m):], m)
	return em
}

// padOAEP is RFC 8017, Section 7.1.1, with a label; separator is 1 where it is right.
func padOAEP(h crypto.Hash, label string, separator byte) func(size int, m []byte) []byte {
	return func(size int, m []byte) []byte {
		n := h.Size()
		em := make([]byte, size)
		db := em[1+n:]
		copy(em[1:], seed("OAEP", n))
		copy(db, digest(h, label))
		db[len(db)-len(m)-1] = separator
		copy(db[len(db)-len(m):], m)
		mask(h, db, em[1:1+n])
		mask(h, em[1:1+n], db)
		return em
	}
}

// mask adds MGF1 of a seed to data, RFC 8017, Section B.2.1.
func mask(h crypto.Hash, data, from []byte) {
	var stream []byte
	for i := uint32(0); len(stream) < len(data); i++ {
		stream = append(stream, digest(h, string(from)+string(binary.BigEndian.AppendUint32(nil, i)))...)
	}
	for i := range data {
		data[i] ^= stream[i]
	}
}

// oaep lists the hashes, RFC 7518, Section 4.3.
var oaep = []struct {
	alg  string
	hash crypto.Hash
}{{"RSA-OAEP", crypto.SHA1}, {"RSA-OAEP-256", crypto.SHA256}, {"RSA-OAEP-384", crypto.SHA384}, {"RSA-OAEP-512", crypto.SHA512}}

// The usual owners of keys for agreement.
var (
	owner256   = exchangeKey(ecdh.P256(), "owner")
	owner384   = exchangeKey(ecdh.P384(), "owner")
	owner521   = exchangeKey(ecdh.P521(), "owner")
	owner25519 = exchangeKey(ecdh.X25519(), "owner")
)

// wrapping lists the ways that have an encrypted key.
func wrapping() []way {
	out := []way{rsaes("RSA1_5", pad15)}
	for _, o := range oaep {
		out = append(out, rsaes(o.alg, padOAEP(o.hash, "", 1)))
	}
	for _, size := range []string{"A128", "A192", "A256"} {
		out = append(out, aesKW(size+"KW"), aesGCMKW(size+"GCMKW"), ecdhES("ECDH-ES+"+size+"KW", owner256))
	}
	for _, alg := range []string{"PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "PBES2-HS512+A256KW"} {
		out = append(out, pbes2(alg))
	}
	return out
}
