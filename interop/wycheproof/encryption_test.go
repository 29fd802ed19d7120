package wycheproof

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/pbkdf2"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

var ctx = context.Background()

// encryptions returns what runs the cases of a group that is not about signatures, or
// nil. It returns nil for a case that was accepted with the result that the suite has,
// or that the suite calls invalid and that was accepted with any result.
func encryptions(t *testing.T, name string, g group) func(test) error {
	switch g.Type {
	case "JsonWebEncryption":
		return encrypted(g)
	case "AeadTest":
		return contents(t, name, g)
	case "KeywrapTest":
		return wrapped(t, g)
	case "RsaesOaepDecrypt":
		return padded(t, g)
	case "RsaesPkcs1Decrypt":
		return oldPadded(t, g)
	case "EcdhTest", "EcdhEcpointTest", "EcdhWebcryptoTest", "EcdhPemTest", "XdhComp", "XdhJwkComp", "XdhAsnComp", "XdhPemComp":
		return agreed(t, name)
	case "PbkdfTest":
		return derived(t, name)
	}
	return nil
}

// compare reports a result that is not that of a case which may be accepted.
func compare(t *testing.T, v test, got, want []byte) error {
	t.Helper()
	if v.Result != "invalid" && !bytes.Equal(got, want) {
		t.Errorf("%d (%s): %x, want %x", v.TcID, v.Comment, got, want)
	}
	return nil
}

// encrypted decrypts tokens with the group's JWK.
func encrypted(g group) func(test) error {
	// The group's algorithm is that of its key, RSA1_5 among them.
	keys, skipped, err := jwk.ParseDecryptionSet(
		[]byte(`{"keys":[`+string(g.Private)+`]}`), jwk.Binding{AllowRSA1_5DespitePaddingOracles: bytes.Contains(g.Private, []byte(`"RSA1_5"`))},
	)
	if err == nil && len(skipped) > 0 {
		err = skipped[0].Err
	}
	return func(v test) error {
		if err != nil {
			return err
		}
		// Where the suite has a document of the JSON serialization, it refuses that form.
		m, err := jwe.Decrypt(ctx, keys, string(*v.JWE), jwe.Options{})
		// json_web_crypto does not say what the plaintext is.
		if err == nil && v.Result == "valid" && v.PT != nil && fmt.Sprintf("%x", m.Plaintext) != *v.PT {
			return fmt.Errorf("the plaintext is %x", m.Plaintext)
		}
		return err
	}
}

// contents opens what a key for dir seals.
func contents(t *testing.T, name string, g group) func(test) error {
	i := slices.IndexFunc(jwa.Encryptions(), func(e jwa.Encryption) bool {
		return e.KeySize()*8 == g.KeySize && strings.HasSuffix(e.Name(), "GCM") == isGCM(name)
	})
	if i < 0 {
		t.Fatal(g.KeySize)
	}
	enc := jwa.Encryptions()[i]
	return func(v test) error {
		k, err := jwk.NewSharedKey(jwa.Dir, "", unhex(t, v.Key), enc)
		if err != nil {
			return err
		}
		got, err := k.AEAD().Open(nil, nil, slices.Concat(unhex(t, v.IV), unhex(t, v.CT), unhex(t, v.Tag)), unhex(t, v.AAD))
		if err != nil {
			return err
		}
		return compare(t, v, got, unhex(t, v.Msg))
	}
}

func isGCM(name string) bool { return name == "aes_gcm_test.json" }

var errLength = errors.New("not the length of a content encryption key")

// lengthOf returns an encryption whose keys have a length.
func lengthOf(n int) (jwa.Encryption, error) {
	for _, e := range jwa.Encryptions() {
		if e.KeySize() == n {
			return e, nil
		}
	}
	return jwa.Encryption{}, errLength
}

// wrapped unwraps keys, and wraps them again.
func wrapped(t *testing.T, g group) func(test) error {
	alg, ok := jwa.Lookup(fmt.Sprintf("A%dKW", g.KeySize))
	if !ok {
		t.Fatal(g.KeySize)
	}
	return func(v test) error {
		k, err := jwk.NewSharedKey(alg, "", unhex(t, v.Key))
		if err != nil {
			return err
		}
		ct, msg := unhex(t, v.CT), unhex(t, v.Msg)
		var got []byte
		w := jwk.Wrapping{}
		for _, w.Encryption = range jwa.Encryptions() {
			if got, err = k.DecryptKey(ctx, &jwk.Wrapping{Encryption: w.Encryption, EncryptedKey: ct}); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		if _, err := k.EncryptKey(ctx, got, &w); err != nil || !bytes.Equal(w.EncryptedKey, ct) {
			t.Errorf("%d (%s): wrapped again it is %x, %v", v.TcID, v.Comment, w.EncryptedKey, err)
		}
		return compare(t, v, got, msg)
	}
}

// recorder is a key in hardware as far as jot knows. It shows what jot has it decrypt:
// most messages of the suite are no content encryption keys.
type recorder struct {
	*rsa.PrivateKey
	message []byte
	err     error
}

func (r *recorder) Decrypt(random io.Reader, ct []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	r.message, r.err = r.PrivateKey.Decrypt(random, ct, opts)
	return r.message, r.err
}

func privateRSA(t *testing.T, g group) *rsa.PrivateKey {
	t.Helper()
	description, err := jwk.ParseDER(unhex(t, g.PrivateKeyPkcs8))
	if err != nil {
		t.Fatal(err)
	}
	private, err := description.MarshalPrivateJSON()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(private, &m); err != nil {
		t.Fatal(err)
	}
	number := func(name string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(m[name])
		if err != nil {
			t.Fatal(err)
		}
		return new(big.Int).SetBytes(b)
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number("n"), E: int(number("e").Int64())}, D: number("d"), Primes: []*big.Int{number("p"), number("q")}}
	key.Precompute()
	return key
}

// padded decrypts with RSA-OAEP. The label of JOSE is empty.
func padded(t *testing.T, g group) func(test) error {
	alg, ok := jwa.Lookup(map[string]string{"SHA-1": "RSA-OAEP", "SHA-256": "RSA-OAEP-256", "SHA-384": "RSA-OAEP-384", "SHA-512": "RSA-OAEP-512"}[g.Sha])
	if !ok {
		t.Fatal(g.Sha)
	}
	r := &recorder{PrivateKey: privateRSA(t, g)}
	opaque, err := jwk.NewDecryptionKey(alg, "", r)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jwk.NewDecryptionKey(alg, "", r.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return func(v test) error {
		ct, msg := unhex(t, v.CT), unhex(t, v.Msg)
		enc, noKey := lengthOf(len(msg))
		if noKey != nil {
			enc = jwa.A128GCM
		}
		w := jwk.Wrapping{Encryption: enc, EncryptedKey: ct}
		r.message, r.err = nil, errLength // of the ciphertext, where jot does not ask
		got, err := opaque.DecryptKey(ctx, &w)
		same, again := plain.DecryptKey(ctx, &w)
		switch {
		case (err == nil) != (again == nil) || !bytes.Equal(got, same):
			t.Errorf("%d (%s): %x, %v through crypto.Decrypter and %x, %v without", v.TcID, v.Comment, got, err, same, again)
		case r.err == nil && len(r.message) == enc.KeySize():
			if err != nil || !bytes.Equal(got, r.message) {
				t.Errorf("%d (%s): %x, %v of %x", v.TcID, v.Comment, got, err, r.message)
			}
		case err == nil:
			t.Errorf("%d (%s): %x of %x, %v", v.TcID, v.Comment, got, r.message, r.err)
		}
		if r.err != nil {
			return r.err
		}
		return compare(t, v, r.message, msg)
	}
}

var errRandom = errors.New("a random key, as where the padding is wrong")

// oldPadded decrypts with RSA1_5, where a wrong padding gives a random key.
func oldPadded(t *testing.T, g group) func(test) error {
	description, err := jwk.ParseDER(unhex(t, g.PrivateKeyPkcs8))
	if err != nil {
		t.Fatal(err)
	}
	k, err := description.DecryptionKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.RSA1_5}, AllowRSA1_5DespitePaddingOracles: true})
	if err != nil {
		t.Fatal(err)
	}
	return func(v test) error {
		msg := unhex(t, v.Msg)
		enc, err := lengthOf(len(msg))
		if err != nil {
			enc = jwa.A256GCM
		}
		w := jwk.Wrapping{Encryption: enc, EncryptedKey: unhex(t, v.CT)}
		got, err := k.DecryptKey(ctx, &w)
		if err != nil {
			return err
		}
		again, err := k.DecryptKey(ctx, &w)
		if err != nil || len(got) != enc.KeySize() {
			t.Errorf("%d (%s): %x, %v", v.TcID, v.Comment, got, err)
		}
		if !bytes.Equal(got, again) {
			return errRandom
		}
		return compare(t, v, got, msg)
	}
}

// agreed agrees with ECDH-ES, and compares what is derived from the secret.
func agreed(t *testing.T, name string) func(test) error {
	return func(v test) error {
		key, err := privateExchange(t, name, v)
		if err != nil {
			return err
		}
		epk, err := publicExchange(t, name, v)
		if err != nil {
			return err
		}
		got, err := key.DecryptKey(ctx, &jwk.Wrapping{Encryption: jwa.A128GCM, EphemeralKey: &epk})
		if err != nil {
			return err
		}
		return compare(t, v, got, concatKDF("A128GCM", unhex(t, v.Shared), 16))
	}
}

// concatKDF is one round of RFC 7518, Section 4.6.2, without apu and apv.
func concatKDF(name string, z []byte, size int) []byte {
	in := append([]byte{0, 0, 0, 1}, z...)
	in = append(binary.BigEndian.AppendUint32(in, uint32(len(name))), name...)
	in = binary.BigEndian.AppendUint32(append(in, make([]byte, 8)...), uint32(size)*8)
	sum := sha256.Sum256(in)
	return sum[:size]
}

// exchangeCurve is the curve of a file.
func exchangeCurve(name string) (crv string, curve ecdh.Curve) {
	switch part, _, _ := strings.Cut(strings.TrimPrefix(name, "ecdh_"), "_"); part {
	case "secp256r1":
		return "P-256", ecdh.P256()
	case "secp384r1":
		return "P-384", ecdh.P384()
	case "secp521r1":
		return "P-521", ecdh.P521()
	}
	return "X25519", ecdh.X25519()
}

func privateExchange(t *testing.T, name string, v test) (*jwk.DecryptionKey, error) {
	b := jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ECDH_ES}}
	if description, err, ok := described(t, v.Private); ok || strings.HasSuffix(name, "_asn_test.json") {
		if !ok {
			description, err = jwk.ParseDER(unhex(t, str(t, v.Private)))
		}
		if err != nil {
			return nil, err
		}
		return description.DecryptionKey(b)
	}
	crv, curve := exchangeCurve(name)
	d := unhex(t, str(t, v.Private))
	if crv != "X25519" {
		size := map[string]int{"P-256": 32, "P-384": 48, "P-521": 66}[crv]
		d = new(big.Int).SetBytes(d).FillBytes(make([]byte, size))
	}
	private, err := curve.NewPrivateKey(d)
	if err != nil {
		return nil, err
	}
	return jwk.NewDecryptionKey(jwa.ECDH_ES, "", private)
}

func publicExchange(t *testing.T, name string, v test) (jwk.JWK, error) {
	if description, err, ok := described(t, v.Public); ok {
		return description, err
	}
	public := unhex(t, str(t, v.Public))
	crv, _ := exchangeCurve(name)
	text := base64.RawURLEncoding.EncodeToString
	switch {
	case strings.HasSuffix(name, "_asn_test.json"), crv != "X25519" && !strings.HasSuffix(name, "_ecpoint_test.json"):
		return jwk.ParseDER(public)
	case crv == "X25519":
		return jwk.Parse([]byte(`{"kty":"OKP","crv":"X25519","x":"` + text(public) + `"}`))
	case len(public) == 0 || public[0] != 4:
		return jwk.JWK{}, errors.New("a JWK has both coordinates")
	}
	x, y := public[1:1+len(public)/2], public[1+len(public)/2:]
	return jwk.Parse([]byte(`{"kty":"EC","crv":"` + crv + `","x":"` + text(x) + `","y":"` + text(y) + `"}`))
}

// described reads a key that the suite has as a JWK or in PEM.
func described(t *testing.T, raw json.RawMessage) (j jwk.JWK, err error, ok bool) {
	if raw[0] == '{' {
		j, err = jwk.Parse(raw)
		return j, err, true
	}
	if s := str(t, raw); strings.Contains(s, "BEGIN") {
		j, err = jwk.ParsePEM([]byte(s))
		return j, err, true
	}
	return jwk.JWK{}, nil, false
}

func str(t *testing.T, raw json.RawMessage) (s string) {
	t.Helper()
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// derived checks the standard library's derivation from a password, which PBES2 calls
// with the name of the algorithm before the salt; and, with that name, that jot unwraps
// with what it derives.
func derived(t *testing.T, name string) func(test) error {
	p := map[string]struct {
		hash    func() hash.Hash
		alg, kw jwa.Algorithm
	}{
		"pbkdf2_hmacsha256_test.json": {sha256.New, jwa.PBES2_HS256_A128KW, jwa.A128KW},
		"pbkdf2_hmacsha384_test.json": {sha512.New384, jwa.PBES2_HS384_A192KW, jwa.A192KW},
		"pbkdf2_hmacsha512_test.json": {sha512.New, jwa.PBES2_HS512_A256KW, jwa.A256KW},
	}[name]
	return func(v test) error {
		password, salt := unhex(t, v.Password), unhex(t, v.Salt)
		got, err := pbkdf2.Key(p.hash, string(password), salt, v.IterationCount, v.DkLen)
		if err != nil {
			return err
		}
		if err := compare(t, v, got, unhex(t, v.Dk)); err != nil {
			return err
		}
		key, err := jwk.NewPassword(p.alg, "", password)
		if (err != nil) != (len(password) == 0) {
			t.Errorf("%d (%s): %v", v.TcID, v.Comment, err)
		}
		if err != nil {
			return nil
		}
		kek, err := pbkdf2.Key(p.hash, string(password), append([]byte(p.alg.Name()+"\x00"), salt...), v.IterationCount, p.kw.KeySize())
		if err != nil {
			return err
		}
		shared, err := jwk.NewSharedKey(p.kw, "", kek)
		if err != nil {
			return err
		}
		w, cek := jwk.Wrapping{Encryption: jwa.A128GCM}, []byte("sixteen bytes...")
		if _, err := shared.EncryptKey(ctx, cek, &w); err != nil {
			return err
		}
		w.Salt, w.Count = salt, v.IterationCount
		opened, err := key.DecryptKey(ctx, &w)
		// RFC 7518, Sections 4.8.1.1 and 4.8.1.2.
		if fits := len(salt) >= 8 && v.IterationCount >= 1000; (err == nil) != fits || fits && !bytes.Equal(opened, cek) {
			t.Errorf("%d (%s): jot unwraps %x, %v", v.TcID, v.Comment, opened, err)
		}
		return nil
	}
}
