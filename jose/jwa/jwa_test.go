package jwa_test

import (
	"crypto"
	"fmt"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
)

func TestTable(t *testing.T) {
	for _, want := range []struct {
		alg           jwa.Algorithm
		name          string
		kty, crv      string
		hash          crypto.Hash
		size          int
		symmetric     bool
		deprecated    bool
		family, short string
	}{
		{jwa.HS256, "HS256", "oct", "", crypto.SHA256, 32, true, false, "HMAC", "RFC 7518, Section 3.2"},
		{jwa.HS384, "HS384", "oct", "", crypto.SHA384, 48, true, false, "HMAC", "RFC 7518, Section 3.2"},
		{jwa.HS512, "HS512", "oct", "", crypto.SHA512, 64, true, false, "HMAC", "RFC 7518, Section 3.2"},
		{jwa.RS256, "RS256", "RSA", "", crypto.SHA256, 0, false, false, "RSASSA-PKCS1-v1_5", "RFC 7518, Section 3.3"},
		{jwa.RS384, "RS384", "RSA", "", crypto.SHA384, 0, false, false, "RSASSA-PKCS1-v1_5", "RFC 7518, Section 3.3"},
		{jwa.RS512, "RS512", "RSA", "", crypto.SHA512, 0, false, false, "RSASSA-PKCS1-v1_5", "RFC 7518, Section 3.3"},
		{jwa.PS256, "PS256", "RSA", "", crypto.SHA256, 0, false, false, "RSASSA-PSS", "RFC 7518, Section 3.5"},
		{jwa.PS384, "PS384", "RSA", "", crypto.SHA384, 0, false, false, "RSASSA-PSS", "RFC 7518, Section 3.5"},
		{jwa.PS512, "PS512", "RSA", "", crypto.SHA512, 0, false, false, "RSASSA-PSS", "RFC 7518, Section 3.5"},
		{jwa.ES256, "ES256", "EC", "P-256", crypto.SHA256, 64, false, false, "ECDSA", "RFC 7518, Section 3.4"},
		{jwa.ES384, "ES384", "EC", "P-384", crypto.SHA384, 96, false, false, "ECDSA", "RFC 7518, Section 3.4"},
		{jwa.ES512, "ES512", "EC", "P-521", crypto.SHA512, 132, false, false, "ECDSA", "RFC 7518, Section 3.4"},
		{jwa.EdDSA, "EdDSA", "OKP", "Ed25519", 0, 64, false, true, "EdDSA", "RFC 8037, Section 3.1"},
		{jwa.Ed25519, "Ed25519", "OKP", "Ed25519", 0, 64, false, false, "EdDSA", "RFC 9864, Section 2.2"},
	} {
		a := want.alg
		if got, ok := jwa.Lookup(want.name); !ok || got != a {
			t.Errorf("Lookup(%q) = %v, %v", want.name, got, ok)
		}
		got := []any{a.Name(), a.String(), a.KeyType(), a.Curve(), a.Hash(), a.SignatureSize(), a.Symmetric(), a.Deprecated(), a.Family(), a.Spec(), a.Use()}
		exp := []any{want.name, want.name, want.kty, want.crv, want.hash, want.size, want.symmetric, want.deprecated, want.family, want.short, "sig"}
		if fmt.Sprint(got) != fmt.Sprint(exp) {
			t.Errorf("%s: got %v, want %v", want.name, got, exp)
		}
		if want.size != 0 && want.hash != 0 && want.kty == "oct" && want.hash.Size() != want.size {
			t.Errorf("%s: the size of the hash is %d", want.name, want.hash.Size())
		}
	}
	if n := len(jwa.Signatures()); n != 14 {
		t.Errorf("Signatures has %d rows, want 14", n)
	}
	for _, a := range jwa.Signatures() {
		if a.Use() != "sig" {
			t.Errorf("%s is not for signatures", a)
		}
	}
}

func TestSignaturesIsACopy(t *testing.T) {
	jwa.Signatures()[0] = jwa.RS512
	if got := jwa.Signatures()[0]; got != jwa.HS256 {
		t.Errorf("the table was changed through the copy: %s", got)
	}
}

func TestLookupRefuses(t *testing.T) {
	for _, name := range []string{"", "none", "None", "NONE", "nOnE", "hs256", "HS256 ", " HS256", "HS256\x00", "HPKE-0", "HPKE-0-KE", "ES256K", "Ed448", "ΕS256"} {
		if a, ok := jwa.Lookup(name); ok {
			t.Errorf("Lookup(%q) found %s", name, a)
		}
	}
}

func TestEncryptionNames(t *testing.T) {
	for name, want := range map[string]struct {
		alg     jwa.Algorithm
		kty     string
		retired bool
	}{
		"RSA1_5": {jwa.RSA1_5, "RSA", true}, "RSA-OAEP": {jwa.RSA_OAEP, "RSA", false}, "RSA-OAEP-256": {jwa.RSA_OAEP_256, "RSA", false},
		"RSA-OAEP-384": {jwa.RSA_OAEP_384, "RSA", false}, "RSA-OAEP-512": {jwa.RSA_OAEP_512, "RSA", false},
		"A128KW": {jwa.A128KW, "oct", false}, "A192KW": {jwa.A192KW, "oct", false}, "A256KW": {jwa.A256KW, "oct", false},
		"dir":     {jwa.Dir, "oct", false},
		"ECDH-ES": {jwa.ECDH_ES, "", false}, "ECDH-ES+A128KW": {jwa.ECDH_ES_A128KW, "", false},
		"ECDH-ES+A192KW": {jwa.ECDH_ES_A192KW, "", false}, "ECDH-ES+A256KW": {jwa.ECDH_ES_A256KW, "", false},
		"A128GCMKW": {jwa.A128GCMKW, "oct", false}, "A192GCMKW": {jwa.A192GCMKW, "oct", false}, "A256GCMKW": {jwa.A256GCMKW, "oct", false},
		"PBES2-HS256+A128KW": {jwa.PBES2_HS256_A128KW, "oct", false}, "PBES2-HS384+A192KW": {jwa.PBES2_HS384_A192KW, "oct", false},
		"PBES2-HS512+A256KW": {jwa.PBES2_HS512_A256KW, "oct", false},
	} {
		a, ok := jwa.Lookup(name)
		if !ok || a != want.alg || a.Name() != name || a.Use() != "enc" || a.KeyType() != want.kty || a.Deprecated() != want.retired || a.Spec() == "" || a.Family() == "" {
			t.Errorf("Lookup(%q) = %v, %v: use %s, key type %q", name, a, ok, a.Use(), a.KeyType())
		}
	}
	for name, want := range map[string]struct {
		enc  jwa.Encryption
		size int
	}{
		"A128CBC-HS256": {jwa.A128CBC_HS256, 32}, "A192CBC-HS384": {jwa.A192CBC_HS384, 48}, "A256CBC-HS512": {jwa.A256CBC_HS512, 64},
		"A128GCM": {jwa.A128GCM, 16}, "A192GCM": {jwa.A192GCM, 24}, "A256GCM": {jwa.A256GCM, 32},
	} {
		e, ok := jwa.LookupEncryption(name)
		if !ok || e != want.enc || e.Name() != name || e.String() != name || e.KeySize() != want.size || e.Spec() == "" {
			t.Errorf("LookupEncryption(%q) = %v, %v, key size %d", name, e, ok, e.KeySize())
		}
	}
	if e, ok := jwa.LookupEncryption("a128gcm"); ok {
		t.Errorf("found %s under a name in lower case", e)
	}
}

// TestEncryptionTraits holds what each algorithm makes keys with.
func TestEncryptionTraits(t *testing.T) {
	for _, want := range []struct {
		alg     jwa.Algorithm
		crv     string
		hash    crypto.Hash
		keySize int
		how     string
	}{
		{alg: jwa.RSA1_5},
		{alg: jwa.RSA_OAEP, hash: crypto.SHA1},
		{alg: jwa.RSA_OAEP_256, hash: crypto.SHA256},
		{alg: jwa.RSA_OAEP_384, hash: crypto.SHA384},
		{alg: jwa.RSA_OAEP_512, hash: crypto.SHA512},
		{alg: jwa.A128KW, keySize: 16},
		{alg: jwa.A192KW, keySize: 24},
		{alg: jwa.A256KW, keySize: 32},
		{alg: jwa.Dir, how: "direct"},
		{alg: jwa.ECDH_ES, hash: crypto.SHA256, how: "direct"},
		{alg: jwa.ECDH_ES_A128KW, hash: crypto.SHA256, keySize: 16},
		{alg: jwa.ECDH_ES_A192KW, hash: crypto.SHA256, keySize: 24},
		{alg: jwa.ECDH_ES_A256KW, hash: crypto.SHA256, keySize: 32},
		{alg: jwa.A128GCMKW, keySize: 16},
		{alg: jwa.A192GCMKW, keySize: 24},
		{alg: jwa.A256GCMKW, keySize: 32},
		{alg: jwa.PBES2_HS256_A128KW, hash: crypto.SHA256, keySize: 16},
		{alg: jwa.PBES2_HS384_A192KW, hash: crypto.SHA384, keySize: 24},
		{alg: jwa.PBES2_HS512_A256KW, hash: crypto.SHA512, keySize: 32},
		{alg: jwa.ExperimentalHPKE0Draft22, crv: "P-256", hash: crypto.SHA256, keySize: 16, how: "integrated"},
		{alg: jwa.ExperimentalHPKE1Draft22, crv: "P-384", hash: crypto.SHA384, keySize: 32, how: "integrated"},
		{alg: jwa.ExperimentalHPKE2Draft22, crv: "P-521", hash: crypto.SHA512, keySize: 32, how: "integrated"},
		{alg: jwa.ExperimentalHPKE3Draft22, crv: "X25519", hash: crypto.SHA256, keySize: 16, how: "integrated"},
		{alg: jwa.ExperimentalHPKE4Draft22, crv: "X25519", hash: crypto.SHA256, how: "integrated"},
		{alg: jwa.ExperimentalHPKE7Draft22, crv: "P-256", hash: crypto.SHA256, keySize: 32, how: "integrated"},
		{alg: jwa.ExperimentalHPKE0KEDraft22, crv: "P-256", hash: crypto.SHA256, keySize: 16},
		{alg: jwa.ExperimentalHPKE1KEDraft22, crv: "P-384", hash: crypto.SHA384, keySize: 32},
		{alg: jwa.ExperimentalHPKE2KEDraft22, crv: "P-521", hash: crypto.SHA512, keySize: 32},
		{alg: jwa.ExperimentalHPKE3KEDraft22, crv: "X25519", hash: crypto.SHA256, keySize: 16},
		{alg: jwa.ExperimentalHPKE4KEDraft22, crv: "X25519", hash: crypto.SHA256},
		{alg: jwa.ExperimentalHPKE7KEDraft22, crv: "P-256", hash: crypto.SHA256, keySize: 32},
	} {
		how := map[bool]string{true: "direct"}[want.alg.Direct()] + map[bool]string{true: "integrated"}[want.alg.Integrated()]
		got := fmt.Sprint(want.alg.Curve(), want.alg.Hash(), want.alg.KeySize(), how, want.alg.Use())
		if exp := fmt.Sprint(want.crv, want.hash, want.keySize, want.how, "enc"); got != exp {
			t.Errorf("%s: got %s, want %s", want.alg, got, exp)
		}
	}
	jwa.Encryptions()[0] = jwa.A256GCM
	if len(jwa.Encryptions()) != 6 || jwa.Encryptions()[0] != jwa.A128CBC_HS256 {
		t.Error("the table was changed through the copy")
	}
}

func TestIs(t *testing.T) {
	own, err := jwa.New("X1", jwa.Traits{KeyType: "X"})
	if err != nil {
		t.Fatal(err)
	}
	same, err := jwa.New("X1", jwa.Traits{KeyType: "X"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b jwa.Algorithm
		want bool
	}{
		{jwa.EdDSA, jwa.Ed25519, true},
		{jwa.Ed25519, jwa.EdDSA, true},
		{jwa.ES256, jwa.ES256, true},
		{jwa.ES256, jwa.ES384, false},
		{own, same, true},
		{own, jwa.ES256, false},
		{jwa.Algorithm{}, jwa.Algorithm{}, false},
		{jwa.ES256, jwa.Algorithm{}, false},
		{jwa.Algorithm{}, jwa.ES256, false},
	} {
		if got := c.a.Is(c.b); got != c.want {
			t.Errorf("%q.Is(%q) = %v", c.a, c.b, got)
		}
	}
	if jwa.EdDSA == jwa.Ed25519 {
		t.Error("two names are one value")
	}
}

func TestZeroValues(t *testing.T) {
	var a jwa.Algorithm
	if a.Name()+a.String()+a.KeyType()+a.Curve()+a.Use()+a.Family()+a.Spec() != "" || a.Hash() != 0 || a.SignatureSize() != 0 || a.KeySize() != 0 || a.Direct() || a.Integrated() || a.Symmetric() || a.Deprecated() {
		t.Error("the zero algorithm has traits")
	}
	var e jwa.Encryption
	if e.Name()+e.String()+e.Spec() != "" || e.KeySize() != 0 {
		t.Error("the zero encryption has traits")
	}
}

func TestNewRefuses(t *testing.T) {
	ok := jwa.Traits{KeyType: "EC", Curve: "secp256k1", Hash: crypto.SHA256, SignatureSize: 64}
	if a, err := jwa.New("ES256K", ok); err != nil || a.Use() != "sig" || a.Name() != "ES256K" || a.SignatureSize() != 64 || a.Family() != "" {
		t.Fatalf("the control is refused: %v, %v", a, err)
	}
	for name, c := range map[string]struct {
		name string
		t    jwa.Traits
	}{
		"empty":          {"", ok},
		"none":           {"none", ok},
		"None":           {"nOnE", ok},
		"taken":          {"ES256", ok},
		"taken in case":  {"es256", ok},
		"taken for enc":  {"RSA-OAEP", ok},
		"taken by draft": {"hpke-4-KE", ok},
		"space":          {"ES256 ", ok},
		"not ASCII":      {"ΕS256K", ok},
		"no key type":    {"ES256K", jwa.Traits{Curve: "secp256k1"}},
		"negative size":  {"ES256K", jwa.Traits{KeyType: "EC", SignatureSize: -1}},
		"unknown hash":   {"ES256K", jwa.Traits{KeyType: "EC", Hash: 99}},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := jwa.New(c.name, c.t)
			if fault.CodeOf(err) != "alg.invalid" || a != (jwa.Algorithm{}) {
				t.Errorf("New = %v, %v", a, err)
			}
		})
	}
}

func TestNamesDoNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		a, _ := jwa.Lookup("EdDSA")
		if !a.Is(jwa.Ed25519) || a.Name() != "EdDSA" {
			t.Error("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
