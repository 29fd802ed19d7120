package jwk_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// keyFiles has every way in which a public key, a private key or a certificate
// is written, for each kind of key.
func keyFiles(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	marshal := func(der []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	block := func(label string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
	}
	for kind, text := range map[string]string{"EC": ecPrivate, "Ed25519": edPrivate, "RSA": rsaPrivate(t)} {
		j := mustParse(t, text)
		der := marshal(j.MarshalPrivateDER())
		priv := parsePKCS8(t, der)
		spki := marshal(j.MarshalDER())
		files[kind+" PKCS#8 DER"] = der
		files[kind+" PKCS#8"] = block("PRIVATE KEY", der)
		files[kind+" SPKI DER"] = spki
		files[kind+" SPKI"] = block("PUBLIC KEY", spki)
		files[kind+" JWK"] = marshal(j.MarshalJSON())
		files[kind+" private JWK"] = []byte(text)
		files[kind+" JWK set"] = []byte(`{"keys":[` + string(marshal(j.MarshalJSON())) + `]}`)
		var pub any
		switch k := priv.(type) {
		case *ecdsa.PrivateKey:
			pub = &k.PublicKey
			point := marshal(k.PublicKey.Bytes())
			files["EC point"] = point
			files["EC SEC1 DER"] = marshal(x509.MarshalECPrivateKey(k))
			files["EC SEC1"] = block("EC PRIVATE KEY", files["EC SEC1 DER"])
			files["EC OpenSSH"] = openSSH("ecdsa-sha2-nistp256", []byte("nistp256"), point)
		case *rsa.PrivateKey:
			pub = &k.PublicKey
			files["RSA PKCS#1 DER"] = x509.MarshalPKCS1PublicKey(&k.PublicKey)
			files["RSA PKCS#1"] = block("RSA PUBLIC KEY", files["RSA PKCS#1 DER"])
			files["RSA PKCS#1 private DER"] = x509.MarshalPKCS1PrivateKey(k)
			files["RSA PKCS#1 private"] = block("RSA PRIVATE KEY", files["RSA PKCS#1 private DER"])
			files["RSA OpenSSH"] = openSSH("ssh-rsa", []byte{1, 0, 1}, append([]byte{0}, k.N.Bytes()...))
		case ed25519.PrivateKey:
			pub = k.Public()
			files["Ed25519 OpenSSH"] = openSSH("ssh-ed25519", k.Public().(ed25519.PublicKey))
		}
		cert := certificate(t, pub)
		files[kind+" certificate DER"] = cert
		files[kind+" certificate"] = block("CERTIFICATE", cert)
		files[kind+" x5c"] = []byte(base64.StdEncoding.EncodeToString(cert))
		files[kind+" SPKI base64"] = []byte(base64.StdEncoding.EncodeToString(spki))
		files[kind+" SPKI base64url"] = []byte(base64.RawURLEncoding.EncodeToString(spki))
	}
	return files
}

func openSSH(kind string, parts ...[]byte) []byte {
	var blob []byte
	for _, p := range append([][]byte{[]byte(kind)}, parts...) {
		blob = binary.BigEndian.AppendUint32(blob, uint32(len(p)))
		blob = append(blob, p...)
	}
	return []byte(kind + " " + base64.StdEncoding.EncodeToString(blob) + " user@host\n")
}

// RFC 8725, Section 2.1, and CVE-2016-10555, CVE-2022-29217 and CVE-2024-33663: the
// text of a public key is no secret.
func TestSecretInDisguise(t *testing.T) {
	files := keyFiles(t)
	files["OpenSSH blob"] = bytes.Fields(files["Ed25519 OpenSSH"])[1]
	files["OpenSSH RSA blob"] = bytes.Fields(files["RSA OpenSSH"])[1]
	files["OpenSSH EC blob"] = bytes.Fields(files["EC OpenSSH"])[1]
	for _, kind := range []string{"RSA", "Ed25519"} {
		raw, err := base64.StdEncoding.DecodeString(string(bytes.Fields(files[kind+" OpenSSH"])[1]))
		if err != nil {
			t.Fatal(err)
		}
		files[kind+" OpenSSH raw"] = raw
	}
	files["OpenSSH with options"] = append([]byte(`from="10.0.0.0/8" `), files["Ed25519 OpenSSH"]...)
	files["OpenSSH security key"] = []byte("sk-ssh-ed25519@openssh.com AAAAGnNr user@host")
	files["OpenSSH DSA"] = []byte("ssh-dss AAAAB3NzaC1kc3MAAACB user@host")
	files["OpenSSH Ed448"] = []byte("ssh-ed448 AAAACXNzaC1lZDQ0OA user@host")
	files["OpenSSH private"] = []byte("openssh-key-v1\x00\x00\x00\x00\x04none\x00\x00\x00\x04none")
	files["SSH2"] = []byte("---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"k\"\nAAAA\n---- END SSH2 PUBLIC KEY ----")
	files["PuTTY"] = []byte("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
	files["PEM of unknown kind"] = []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ\n-----END PGP PUBLIC KEY BLOCK-----")
	files["certificate text"] = []byte("Certificate:\n    Data:\n        Version: 3 (0x2)\n        Serial Number: 1")
	files["public key text"] = []byte("Public-Key: (2048 bit)\nModulus:\n    00:c1:\nExponent: 65537")
	files["RSA public key text"] = []byte("RSA Public-Key: (2048 bit)\nModulus:\n    00:c1:\nExponent: 65537")
	files["private key text"] = []byte("Private-Key: (2048 bit, 2 primes)\nmodulus:\n    00:c1:\n")
	files["RSA private key text"] = []byte("RSA Private-Key: (2048 bit, 2 primes)\nmodulus:\n    00:c1:\n")
	files["OpenSSL text before PEM"] = append([]byte("Bag Attributes\n    friendlyName: k\n"), files["RSA SPKI"]...)
	files["JWK array"] = []byte("[" + ecPublic + "]")
	files["oct JWK"] = []byte(octSecret)
	files["P-384 point"] = point(t, jwa.ES384)
	files["P-521 point"] = point(t, jwa.ES512)
	spki := func(oid asn1.ObjectIdentifier) []byte {
		der, err := asn1.Marshal(struct {
			A pkix.AlgorithmIdentifier
			K asn1.BitString
		}{pkix.AlgorithmIdentifier{Algorithm: oid}, asn1.BitString{Bytes: make([]byte, 57), BitLength: 57 * 8}})
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	files["SPKI of Ed448"] = spki(asn1.ObjectIdentifier{1, 3, 101, 113})
	files["certificate of an unknown kind"] = oddCertificate(t, spki(asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}))

	for name, file := range files {
		for variant, secret := range map[string][]byte{
			"":                    file,
			", CRLF":              bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")),
			", no final newline":  bytes.TrimRight(file, "\n"),
			", white space first": append([]byte(" \r\n\t"), file...),
			", space after":       append(bytes.Clone(file), " \n"...),
			", byte order mark":   append([]byte("\xef\xbb\xbf"), file...),
		} {
			if variant == ", byte order mark" && !isText(file) {
				continue
			}
			if strings.HasSuffix(name, "point") && variant != "" && variant != ", CRLF" && variant != ", no final newline" {
				continue // raw bytes have no white space around them
			}
			if strings.HasSuffix(name, "raw") && variant == ", CRLF" || strings.Contains(name, "DER") && variant == ", CRLF" || !isText(file) && variant != "" {
				continue
			}
			t.Run(name+variant, func(t *testing.T) {
				_, err := jwk.NewSecretKey(jwa.HS256, "", secret)
				wantCode(t, err, "key.invalid")
				_, err = jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", secret)
				wantCode(t, err, "key.invalid")
				if err != nil && !strings.Contains(err.Error(), "Parse") {
					t.Errorf("no hint in %q", err)
				}
				b := base64.RawURLEncoding.EncodeToString(secret)
				_, err = mustParse(t, `{"kty":"oct","alg":"HS256","k":"`+b+`"}`).SecretKey(jwk.Binding{})
				wantCode(t, err, "key.invalid")
			})
		}
	}
}

func isText(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r > '~' || r < '\t' })
}

func point(t testing.TB, alg jwa.Algorithm) []byte {
	t.Helper()
	k, err := jwk.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Public().CryptoKey().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oddCertificate has the form of a certificate that the standard library refuses.
func oddCertificate(t testing.TB, spki []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal(struct {
		TBS struct {
			Serial *big.Int
			Key    asn1.RawValue
		}
		A pkix.AlgorithmIdentifier
		S asn1.BitString
	}{
		struct {
			Serial *big.Int
			Key    asn1.RawValue
		}{big.NewInt(-1), asn1.RawValue{FullBytes: spki}},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 3}},
		asn1.BitString{Bytes: []byte{1}, BitLength: 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// What looks a little like a key but is none is a secret like any other.
func TestSecretThatIsNoKey(t *testing.T) {
	random := make([]byte, 64)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	random[0] = 'x'
	der := append([]byte{0x30, 62}, random[2:]...)
	der[2] = 0
	point := append([]byte{4}, random...)
	for name, secret := range map[string][]byte{
		"random":         random,
		"sequence":       der,
		"sequence, cut":  {0x30},
		"point-like":     point,
		"JSON":           []byte(`{"password":"correct horse battery staple","n":1}`),
		"braces":         []byte("{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{"),
		"starts with MI": []byte("MIGHTY mice make merry music every monday morning"),
		"MI in base64":   []byte("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"),
		"spaces":         bytes.Repeat([]byte(" "), 40),
		"mentions ssh":   []byte("I like ssh-rsa and certificates and -----dashes-----"),
	} {
		t.Run(name, func(t *testing.T) {
			k, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "k", secret)
			if len(secret) < 14 && fipsEnforced {
				wantCode(t, err, "key.fips")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			sig, err := k.Sign(context.Background(), []byte("m"))
			if err != nil || k.Verify([]byte("m"), sig) != nil {
				t.Error(err)
			}
		})
	}
}

func TestSecretLength(t *testing.T) {
	for _, c := range []struct {
		alg  jwa.Algorithm
		size int
	}{{jwa.HS256, 32}, {jwa.HS384, 48}, {jwa.HS512, 64}} {
		secret := bytes.Repeat([]byte{0x5a}, 65)
		if _, err := jwk.NewSecretKey(c.alg, "", secret[:c.size]); err != nil {
			t.Errorf("%s, %d bytes: %v", c.alg, c.size, err)
		}
		if _, err := jwk.NewSecretKey(c.alg, "", secret[:c.size+1]); err != nil {
			t.Errorf("%s, %d bytes: %v", c.alg, c.size+1, err)
		}
		_, err := jwk.NewSecretKey(c.alg, "", secret[:c.size-1])
		wantCode(t, err, "key.weak")
		k, err := jwk.NewSecretKeyShorterThanHash(c.alg, "short", secret[:c.size-1])
		if err != nil || k.KeyID() != "short" || k.Algorithm() != c.alg {
			t.Error(k, err)
		}
	}
	for _, make := range []func(jwa.Algorithm, string, []byte) (*jwk.SecretKey, error){jwk.NewSecretKey, jwk.NewSecretKeyShorterThanHash} {
		_, err := make(jwa.HS256, "", nil)
		wantCode(t, err, "key.weak")
		_, err = make(jwa.HS256, "", []byte{})
		wantCode(t, err, "key.weak")
		_, err = make(jwa.HS256, "", bytes.Repeat([]byte{1}, 64<<10+1))
		wantCode(t, err, "key.limit")
		_, err = make(jwa.ES256, "", bytes.Repeat([]byte{1}, 64))
		wantCode(t, err, "alg.mismatch")
		_, err = make(jwa.A256KW, "", bytes.Repeat([]byte{1}, 64))
		wantCode(t, err, "alg.mismatch")
		_, err = make(jwa.Algorithm{}, "", bytes.Repeat([]byte{1}, 64))
		wantCode(t, err, "alg.mismatch")
		_, err = make(jwa.HS256, "", bytes.Repeat([]byte{1}, 13))
		if err == nil && fipsEnforced {
			t.Error("a secret of 13 bytes passes in FIPS mode")
		}
	}
	if fipsEnforced {
		_, err := jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", make([]byte, 13))
		wantCode(t, err, "key.fips")
		_, err = jwk.NewSecretKeyShorterThanHash(jwa.HS256, "", make([]byte, 14))
		if err != nil {
			t.Error(err)
		}
	}
}

func TestSecretIsCopied(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	k, err := jwk.NewSecretKey(jwa.HS256, "", secret)
	if err != nil {
		t.Fatal(err)
	}
	before, err := k.Sign(context.Background(), []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	clear(secret)
	for range 100 { // past what a pool may have kept
		after, err := k.Sign(context.Background(), []byte("m"))
		if err != nil || !bytes.Equal(before, after) {
			t.Fatal("the key changed with the caller's slice")
		}
	}
}

func TestOctJWK(t *testing.T) {
	with := func(changes map[string]any) string {
		all := map[string]any{"alg": "HS256"}
		for k, v := range changes {
			all[k] = v
		}
		return members(t, octSecret, all)
	}
	long := strings.Repeat("A", 43)
	for name, c := range map[string]struct {
		data, code string
	}{
		"control":       {with(nil), ""},
		"no k":          {with(map[string]any{"k": nil}), "key.weak"},
		"short":         {with(map[string]any{"k": "c2VjcmV0"}), "key.weak"},
		"padded":        {with(map[string]any{"k": long + "="}), "key.invalid"},
		"not canonical": {with(map[string]any{"k": long[:42] + "B"}), "key.invalid"},
		"base64":        {with(map[string]any{"k": "+/" + long}), "key.invalid"},
		"alg ES256":     {with(map[string]any{"alg": "ES256"}), "alg.mismatch"},
		"alg A128KW":    {with(map[string]any{"alg": "A128KW"}), "key.use"},
		"alg dir":       {with(map[string]any{"alg": "dir"}), "key.use"},
		"use enc":       {with(map[string]any{"use": "enc"}), "key.use"},
		"ops encrypt":   {with(map[string]any{"key_ops": []string{"encrypt"}}), "key.use"},
		"kty case":      {with(map[string]any{"kty": "OCT"}), "alg.mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustParse(t, c.data).SecretKey(jwk.Binding{})
			set, skipped, setErr := jwk.ParseSet([]byte(`{"keys":[`+c.data+`]}`), jwk.Binding{})
			if setErr != nil {
				t.Fatal(setErr)
			}
			if c.code == "" {
				if len(set) != 1 || err != nil {
					t.Error(skipped, err)
				}
				return
			}
			if name != "kty case" { // which is not asked for a secret
				wantCode(t, err, c.code)
			}
			for _, k := range set {
				if _, ok := k.(jwk.Verifier); ok {
					t.Error("it verifies")
				}
			}
			if c.code != "key.use" { // else it may be for encryption
				if len(skipped) != 1 {
					t.Fatal("not skipped")
				}
				wantCode(t, skipped[0].Err, c.code)
			}
		})
	}
	ctx := context.Background()
	t.Run("only sign", func(t *testing.T) {
		k, err := mustParse(t, with(map[string]any{"key_ops": []string{"sign"}})).SecretKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign(ctx, []byte("m"))
		if err != nil {
			t.Fatal(err)
		}
		wantCode(t, k.Verify([]byte("m"), sig), "key.use")
		wantCode(t, k.VerifyReader(strings.NewReader("m"), sig), "key.use")
		_, err = jwk.Set{k}.Keys(ctx, jwk.Query{Algorithm: "HS256"})
		wantCode(t, err, "key.use")
		j, err := k.PrivateJWK()
		if err != nil || len(j.KeyOps()) != 1 || j.KeyOps()[0] != "sign" {
			t.Error(j.KeyOps(), err)
		}
	})
	t.Run("only verify", func(t *testing.T) {
		k, err := mustParse(t, with(map[string]any{"key_ops": []string{"verify"}})).SecretKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Sign(ctx, []byte("m"))
		wantCode(t, err, "key.use")
		_, err = k.SignReader(ctx, strings.NewReader("m"))
		wantCode(t, err, "key.use")
		wantCode(t, k.Verify([]byte("m"), make([]byte, 32)), "sig.invalid")
		j, err := k.PrivateJWK()
		if err != nil || len(j.KeyOps()) != 1 || j.KeyOps()[0] != "verify" {
			t.Error(j.KeyOps(), err)
		}
	})
	t.Run("several algorithms", func(t *testing.T) {
		b := jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256, jwa.HS512}}
		set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+octSecret+`]}`), b)
		if err != nil || len(set) != 2 || len(skipped) != 0 {
			t.Fatal(set, skipped, err)
		}
		_, err = mustParse(t, octSecret).SecretKey(b)
		wantCode(t, err, "alg.mismatch")
	})
}

// A reader that fails in the middle leaves nothing in the state for the next one.
func TestHMACAfterBrokenReader(t *testing.T) {
	k, err := jwk.GenerateSecret(jwa.HS256)
	if err != nil {
		t.Fatal(err)
	}
	want, err := k.Sign(context.Background(), []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_, _ = k.SignReader(context.Background(), io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) { return 0, fmt.Errorf("broken") })))
		got, err := k.Sign(context.Background(), []byte("m"))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, %v", got, err)
		}
	}
}
