package jwk_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func algs(a ...jwa.Algorithm) jwk.Binding { return jwk.Binding{Algorithms: a} }

func encs(b jwk.Binding, e ...jwa.Encryption) jwk.Binding {
	b.Encryptions = e
	return b
}

// TestBindEncryption binds for encryption, alone and in sets. What is wanted is the
// algorithm and encryptions, or the code of the refusal.
func TestBindEncryption(t *testing.T) {
	type m = map[string]any
	rsaPriv := string(must[[]byte](t)(must[jwk.JWK](t)(jwk.FromKey(rsaKey())).MarshalPrivateJSON()))
	rsaPub := string(must[[]byte](t)(must[jwk.JWK](t)(jwk.FromKey(&rsaKey().PublicKey)).MarshalJSON()))
	bobPublic := members(t, bobPrivate, m{"d": nil})
	xPublic := members(t, xPrivate, m{"d": nil})
	oct := func(n int, changes m) string {
		return members(t, members(t, `{"kty":"oct"}`, m{"k": b64url.EncodeToString([]byte(strings.Repeat("k", n)))}), changes)
	}
	otherRSA := weakRSA(t)
	allow := algs(jwa.RSA1_5)
	allow.AllowRSA1_5DespitePaddingOracles = true
	for name, c := range map[string]struct {
		key  string
		b    jwk.Binding
		want string
	}{
		"EC":                      {bobPublic, jwk.Binding{}, "ECDH-ES []"},
		"EC private":              {bobPrivate, jwk.Binding{}, "ECDH-ES []"},
		"EC alg":                  {members(t, bobPrivate, m{"alg": "ECDH-ES+A256KW"}), jwk.Binding{}, "ECDH-ES+A256KW []"},
		"EC alg, same listed":     {members(t, bobPrivate, m{"alg": "ECDH-ES+A256KW"}), algs(jwa.ECDH_ES_A256KW), "ECDH-ES+A256KW []"},
		"EC alg, other listed":    {members(t, bobPrivate, m{"alg": "ECDH-ES+A256KW"}), algs(jwa.ECDH_ES), "alg.mismatch"},
		"EC alg, signing listed":  {members(t, bobPrivate, m{"alg": "ECDH-ES+A256KW"}), algs(jwa.ES256), "ECDH-ES+A256KW []"},
		"EC listed":               {bobPublic, algs(jwa.ECDH_ES_A128KW), "ECDH-ES+A128KW []"},
		"EC, RSA listed":          {bobPublic, algs(jwa.RSA_OAEP_256), "ECDH-ES []"},
		"EC, other HPKE listed":   {bobPublic, algs(jwa.ExperimentalHPKE1Draft22), "alg.mismatch"},
		"EC, two listed":          {bobPublic, algs(jwa.ECDH_ES, jwa.ECDH_ES_A128KW), "alg.mismatch"},
		"EC with encryptions":     {bobPublic, encs(jwk.Binding{}, jwa.A256GCM, jwa.A128GCM), "ECDH-ES [A256GCM A128GCM]"},
		"EC zero encryption":      {bobPublic, encs(jwk.Binding{}, jwa.Encryption{}), "alg.mismatch"},
		"EC off the curve":        {members(t, bobPublic, m{"x": strings.Repeat("A", 43)}), jwk.Binding{}, "key.invalid"},
		"EC short x":              {members(t, bobPublic, m{"x": "AAAA"}), jwk.Binding{}, "key.invalid"},
		"EC unknown curve":        {members(t, bobPublic, m{"crv": "secp256k1"}), jwk.Binding{}, "key.unsupported"},
		"EC alg for RSA":          {members(t, bobPublic, m{"alg": "RSA-OAEP"}), jwk.Binding{}, "alg.mismatch"},
		"EC alg A256GCM":          {members(t, bobPublic, m{"alg": "A256GCM"}), jwk.Binding{}, "alg.mismatch"},
		"EC alg unknown":          {members(t, bobPublic, m{"alg": "ECDH-1PU"}), jwk.Binding{}, "key.unsupported"},
		"EC alg of signatures":    {members(t, bobPublic, m{"alg": "ES256"}), jwk.Binding{}, "key.use"},
		"EC d of another":         {members(t, bobPrivate, m{"d": strings.Repeat("A", 42) + "E"}), jwk.Binding{}, "key.invalid"},
		"EC d zero":               {members(t, bobPrivate, m{"d": strings.Repeat("A", 43)}), jwk.Binding{}, "key.invalid"},
		"EC d short":              {members(t, bobPrivate, m{"d": "AAAA"}), jwk.Binding{}, "key.invalid"},
		"use enc":                 {members(t, bobPublic, m{"use": "enc"}), jwk.Binding{}, "ECDH-ES []"},
		"use sig":                 {members(t, bobPublic, m{"use": "sig"}), jwk.Binding{}, "key.use"},
		"use ENC":                 {members(t, bobPublic, m{"use": "ENC"}), jwk.Binding{}, "key.use"},
		"EC private, off curve":   {members(t, bobPrivate, m{"x": strings.Repeat("A", 43)}), jwk.Binding{}, "key.invalid"},
		"EC short y":              {members(t, bobPublic, m{"y": "AAAA"}), jwk.Binding{}, "key.invalid"},
		"PBES2 padded":            {oct(5, m{"alg": "PBES2-HS256+A128KW", "k": "AAAA="}), jwk.Binding{}, "key.invalid"},
		"use against ops":         {members(t, bobPublic, m{"use": "enc", "key_ops": []string{"verify"}}), jwk.Binding{}, "key.invalid"},
		"ops twice":               {members(t, bobPrivate, m{"key_ops": []string{"deriveKey", "deriveKey"}}), jwk.Binding{}, "key.invalid"},
		"ops deriveKey":           {members(t, bobPrivate, m{"key_ops": []string{"deriveKey"}}), jwk.Binding{}, "ECDH-ES []"},
		"ops deriveBits":          {members(t, bobPrivate, m{"key_ops": []string{"deriveBits"}}), jwk.Binding{}, "ECDH-ES []"},
		"ops empty":               {members(t, bobPublic, m{"key_ops": []string{}}), jwk.Binding{}, "ECDH-ES []"},
		"ops wrapKey for ECDH":    {members(t, bobPublic, m{"key_ops": []string{"wrapKey"}}), jwk.Binding{}, "key.use"},
		"ops sign":                {members(t, bobPublic, m{"key_ops": []string{"sign"}}), jwk.Binding{}, "key.use"},
		"Ed25519":                 {edPublic, jwk.Binding{}, "key.use"},
		"Ed25519 with ECDH-ES":    {members(t, edPublic, m{"alg": "ECDH-ES"}), jwk.Binding{}, "key.use"},
		"X25519":                  {xPublic, jwk.Binding{}, "ECDH-ES []"},
		"X25519 private":          {xPrivate, jwk.Binding{}, "ECDH-ES []"},
		"X25519 short":            {members(t, xPublic, m{"x": "AAAA"}), jwk.Binding{}, "key.invalid"},
		"X25519 d of another":     {members(t, xPrivate, m{"d": strings.Repeat("A", 43)}), jwk.Binding{}, "key.invalid"},
		"X448":                    {members(t, xPublic, m{"crv": "X448"}), jwk.Binding{}, "key.unsupported"},
		"HPKE not named":          {members(t, bobPublic, m{"alg": "HPKE-0"}), jwk.Binding{}, "key.unsupported"},
		"HPKE":                    {members(t, bobPublic, m{"alg": "HPKE-0"}), algs(jwa.ExperimentalHPKE0Draft22), "HPKE-0 []"},
		"HPKE on other curve":     {members(t, bobPublic, m{"alg": "HPKE-1"}), algs(jwa.ExperimentalHPKE1Draft22), "alg.mismatch"},
		"HPKE listed":             {bobPublic, algs(jwa.ExperimentalHPKE0KEDraft22), "HPKE-0-KE []"},
		"RSA":                     {rsaPub, jwk.Binding{}, "alg.mismatch"},
		"RSA use enc":             {members(t, rsaPub, m{"use": "enc"}), jwk.Binding{}, "alg.mismatch"},
		"RSA, signing listed":     {rsaPub, algs(jwa.RS256), "alg.mismatch"},
		"RSA listed":              {rsaPub, algs(jwa.RS256, jwa.RSA_OAEP_512), "RSA-OAEP-512 []"},
		"RSA private":             {rsaPriv, algs(jwa.RSA_OAEP_256), "RSA-OAEP-256 []"},
		"RSA alg":                 {members(t, rsaPriv, m{"alg": "RSA-OAEP-384"}), jwk.Binding{}, "RSA-OAEP-384 []"},
		"RSA1_5":                  {members(t, rsaPriv, m{"alg": "RSA1_5"}), jwk.Binding{}, "alg.mismatch"},
		"RSA1_5 listed":           {rsaPriv, algs(jwa.RSA1_5), "alg.mismatch"},
		"RSA1_5 allowed":          {rsaPriv, allow, "RSA1_5 []"},
		"RSA weak":                {members(t, otherRSA, m{"alg": "RSA-OAEP-256"}), jwk.Binding{}, "key.weak"},
		"RSA without n":           {members(t, rsaPub, m{"alg": "RSA-OAEP-256", "n": nil}), jwk.Binding{}, "key.invalid"},
		"RSA d of another":        {members(t, rsaPriv, m{"alg": "RSA-OAEP-256", "d": "AQAB"}), jwk.Binding{}, "key.invalid"},
		"RSA oth":                 {members(t, rsaPriv, m{"alg": "RSA-OAEP-256", "oth": []any{}}), jwk.Binding{}, "key.unsupported"},
		"RSA ops encrypt":         {members(t, rsaPub, m{"alg": "RSA-OAEP-256", "key_ops": []string{"encrypt"}}), jwk.Binding{}, "RSA-OAEP-256 []"},
		"RSA ops wrapKey":         {members(t, rsaPub, m{"alg": "RSA-OAEP-256", "key_ops": []string{"wrapKey"}}), jwk.Binding{}, "RSA-OAEP-256 []"},
		"RSA ops empty":           {members(t, rsaPub, m{"alg": "RSA-OAEP-256", "key_ops": []string{}}), jwk.Binding{}, "key.use"},
		"RSA ops decrypt, public": {members(t, rsaPub, m{"alg": "RSA-OAEP-256", "key_ops": []string{"decrypt"}}), jwk.Binding{}, "key.use"},
		"RSA ops decrypt":         {members(t, rsaPriv, m{"alg": "RSA-OAEP-256", "key_ops": []string{"decrypt"}}), jwk.Binding{}, "RSA-OAEP-256 []"},
		"RSA ops unwrapKey":       {members(t, rsaPriv, m{"alg": "RSA-OAEP-256", "key_ops": []string{"unwrapKey"}}), jwk.Binding{}, "RSA-OAEP-256 []"},
		"oct":                     {oct(16, nil), jwk.Binding{}, "alg.mismatch"},
		"oct listed":              {oct(16, nil), algs(jwa.A128KW), "A128KW []"},
		"oct listed by size":      {oct(24, nil), algs(jwa.A128KW, jwa.A192KW, jwa.A256KW), "A192KW []"},
		"oct of no size":          {oct(20, nil), algs(jwa.A128KW, jwa.A192KW, jwa.A256KW), "alg.mismatch"},
		"oct alg":                 {oct(32, m{"alg": "A256GCMKW"}), jwk.Binding{}, "A256GCMKW []"},
		"oct alg, wrong size":     {oct(16, m{"alg": "A256GCMKW"}), jwk.Binding{}, "key.invalid"},
		"oct padded":              {oct(32, m{"alg": "A256GCMKW", "k": "AA=="}), jwk.Binding{}, "key.invalid"},
		"oct alg A256GCM":         {oct(32, m{"alg": "A256GCM"}), jwk.Binding{}, "dir [A256GCM]"},
		"oct alg A128CBC-HS256":   {oct(32, m{"alg": "A128CBC-HS256"}), encs(jwk.Binding{}, jwa.A256GCM, jwa.A128CBC_HS256), "dir [A128CBC-HS256]"},
		"oct alg not listed":      {oct(32, m{"alg": "A128CBC-HS256"}), encs(jwk.Binding{}, jwa.A256GCM), "alg.mismatch"},
		"oct alg A128GCM, size":   {oct(32, m{"alg": "A128GCM"}), jwk.Binding{}, "key.invalid"},
		"dir by size":             {oct(64, m{"alg": "dir"}), jwk.Binding{}, "dir [A256CBC-HS512]"},
		"dir of two":              {oct(32, m{"alg": "dir"}), jwk.Binding{}, "alg.mismatch"},
		"dir listed":              {oct(32, m{"alg": "dir"}), encs(jwk.Binding{}, jwa.A128GCM, jwa.A256GCM), "dir [A256GCM]"},
		"dir of no size":          {oct(20, m{"alg": "dir"}), jwk.Binding{}, "alg.mismatch"},
		"PBES2":                   {oct(5, m{"alg": "PBES2-HS256+A128KW"}), jwk.Binding{}, "PBES2-HS256+A128KW []"},
		"PBES2 listed":            {oct(5, nil), algs(jwa.PBES2_HS256_A128KW), "PBES2-HS256+A128KW []"},
		"PBES2 empty":             {oct(0, m{"alg": "PBES2-HS256+A128KW"}), jwk.Binding{}, "key.weak"},
		"oct ops":                 {oct(16, m{"alg": "A128KW", "key_ops": []string{"wrapKey", "unwrapKey"}}), jwk.Binding{}, "A128KW []"},
		"oct other ops":           {oct(16, m{"alg": "A128KW", "key_ops": []string{"sign", "verify"}}), jwk.Binding{}, "key.use"},
		"oct use sig":             {oct(16, m{"alg": "A128KW", "use": "sig"}), jwk.Binding{}, "key.use"},
		"oct HS256":               {oct(32, m{"alg": "HS256"}), jwk.Binding{}, "key.use"},
		"unknown type":            {`{"kty":"AKP","use":"enc"}`, jwk.Binding{}, "key.unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			if fipsEnforced && (strings.HasPrefix(name, "X25519") || strings.HasPrefix(name, "RSA1_5 a")) {
				t.Skip("not approved")
			}
			j := mustParse(t, c.key)
			type bound interface {
				Algorithm() jwa.Algorithm
				Encryptions() []jwa.Encryption
			}
			check := func(k bound, err error) {
				t.Helper()
				if err == nil {
					if got := fmt.Sprint(k.Algorithm(), k.Encryptions()); got != c.want {
						t.Errorf("got %s, want %s", got, c.want)
					}
					return
				}
				wantCode(t, err, c.want)
				if text := map[string]string{"EC short x": `"x" is not 32 bytes`, "EC short y": `"y" is not 32 bytes`, "EC d short": `"d" is not 32 bytes`}[name]; !strings.Contains(err.Error(), text) {
					t.Errorf("%v does not say %s", err, text)
				}
			}
			if j.KeyType() == "oct" {
				check(j.SharedKey(c.b))
				_, err := j.EncryptionKey(c.b)
				wantCode(t, err, "key.private")
				_, err = j.DecryptionKey(c.b)
				wantCode(t, err, "key.private")
			} else {
				check(j.EncryptionKey(c.b))
				if j.IsPrivate() {
					check(j.DecryptionKey(c.b))
				}
				_, err := j.SharedKey(c.b)
				wantCode(t, err, "key.private")
			}
			set, skipped, err := jwk.ParseDecryptionSet([]byte(`{"keys":[`+c.key+`]}`), c.b)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case j.KeyType() != "oct" && !j.IsPrivate():
				if len(set) != 0 {
					t.Error("a public key decrypts")
				}
			case strings.HasSuffix(c.want, "]"):
				if len(set) != 1 {
					t.Fatal(skipped)
				}
				check(set[0], nil)
			case len(set) == 0:
				wantCode(t, skipped[0].Err, c.want)
			}
		})
	}
	_, err := mustParse(t, bobPublic).DecryptionKey(jwk.Binding{})
	wantCode(t, err, "key.private")
	// A private key that may only wrap.
	wraps := mustParse(t, members(t, rsaPriv, m{"alg": "RSA-OAEP-256", "key_ops": []string{"wrapKey"}}))
	if _, err := wraps.EncryptionKey(jwk.Binding{}); err != nil {
		t.Error(err)
	}
	_, err = wraps.DecryptionKey(jwk.Binding{})
	wantCode(t, err, "key.use")
	var none jwk.JWK
	for _, err := range []error{second(none.EncryptionKey(jwk.Binding{})), second(none.DecryptionKey(jwk.Binding{})), second(none.SharedKey(jwk.Binding{}))} {
		wantCode(t, err, "key.invalid")
	}
}

func second[K any](_ K, err error) error { return err }

// One set serves both purposes: what a key is for is said by it or by the binding.
func TestParseSetDividesKeys(t *testing.T) {
	type m = map[string]any
	rsaPub := members(t, string(must[[]byte](t)(must[jwk.JWK](t)(jwk.FromKey(&rsaKey().PublicKey)).MarshalJSON())), nil)
	for name, c := range map[string]struct {
		key  string
		b    jwk.Binding
		want string // the algorithms
	}{
		"RSA":                    {rsaPub, jwk.Binding{}, "[RS256]"},
		"RSA, encryption listed": {rsaPub, algs(jwa.RSA_OAEP_256), "[RSA-OAEP-256]"},
		"RSA, both listed":       {rsaPub, algs(jwa.PS256, jwa.RSA_OAEP_256, jwa.RSA_OAEP), "[PS256 RSA-OAEP-256 RSA-OAEP]"},
		"RSA enc, both listed":   {members(t, rsaPub, m{"use": "enc"}), algs(jwa.PS256, jwa.RSA_OAEP_256), "[RSA-OAEP-256]"},
		"RSA sig, both listed":   {members(t, rsaPub, m{"use": "sig"}), algs(jwa.PS256, jwa.RSA_OAEP_256), "[PS256]"},
		"RSA sig, enc listed":    {members(t, rsaPub, m{"use": "sig"}), algs(jwa.RSA_OAEP_256), "[RS256]"},
		"RSA ops encrypt":        {members(t, rsaPub, m{"key_ops": []string{"encrypt"}}), algs(jwa.PS256, jwa.RSA_OAEP_256), "[RSA-OAEP-256]"},
		"RSA ops verify":         {members(t, rsaPub, m{"key_ops": []string{"verify"}}), algs(jwa.PS256, jwa.RSA_OAEP_256), "[PS256]"},
		"EC":                     {ecPublic, jwk.Binding{}, "[ES256]"},
		"EC enc":                 {members(t, ecPublic, m{"use": "enc"}), jwk.Binding{}, "[ECDH-ES]"},
		"EC, both listed":        {ecPublic, algs(jwa.ES256, jwa.ECDH_ES), "[ES256 ECDH-ES]"},
		"EC, encryption listed":  {ecPublic, algs(jwa.ECDH_ES, jwa.ECDH_ES_A128KW), "[ECDH-ES ECDH-ES+A128KW]"},
		"Ed25519, both listed":   {edPublic, algs(jwa.EdDSA, jwa.ECDH_ES), "[EdDSA]"},
	} {
		t.Run(name, func(t *testing.T) {
			if fipsEnforced && strings.Contains(c.want, "RSA-OAEP]") {
				t.Skip("SHA-1 is not approved")
			}
			set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+c.key+`]}`), c.b)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, k := range set {
				got = append(got, k.Algorithm().Name())
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("got %v, want %s, skipped %v", got, c.want, skipped)
			}
		})
	}
}

// Another use than these two is none of both.
func TestOtherUse(t *testing.T) {
	for _, key := range []string{ecPublic, octSecret, members(t, string(must[[]byte](t)(must[jwk.JWK](t)(jwk.FromKey(&rsaKey().PublicKey)).MarshalJSON())), nil)} {
		set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+members(t, key, map[string]any{"use": "tls"})+`]}`), jwk.Binding{})
		if err != nil || len(set) != 0 || len(skipped) != 1 {
			t.Fatal(set, skipped, err)
		}
		wantCode(t, skipped[0].Err, "key.use")
	}
}

func TestEncryptionSets(t *testing.T) {
	ctx := context.Background()
	type m = map[string]any
	set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+strings.Join([]string{
		members(t, ecPublic, m{"kid": "a"}),
		members(t, ecPublic, m{"kid": "a", "use": "enc"}),
		members(t, bobPrivate, m{"kid": "b", "alg": "ECDH-ES+A128KW"}),
		members(t, `{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"A128KW"}`, m{"kid": "w", "key_ops": []string{"unwrapKey"}}),
		members(t, `{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"A128GCM"}`, nil),
	}, ",")+`]}`), jwk.Binding{})
	if err != nil || len(set) != 5 || len(skipped) != 0 {
		t.Fatal(set, skipped, err)
	}
	verifiers := must[[]jwk.Verifier](t)(set.Keys(ctx, jwk.Query{Algorithm: "ES256", KeyID: "a"}))
	if len(verifiers) != 1 {
		t.Errorf("%v verify", verifiers)
	}
	_, err = set.Keys(ctx, jwk.Query{Algorithm: "ECDH-ES", KeyID: "a"})
	wantCode(t, err, "alg.mismatch")
	_, err = set.Keys(ctx, jwk.Query{Algorithm: "A128KW", KeyID: "w"})
	wantCode(t, err, "key.none")
	for name, c := range map[string]struct {
		q    jwk.Query
		want string
	}{
		"kid":          {jwk.Query{Algorithm: "ECDH-ES", KeyID: "a"}, ""},
		"no kid":       {jwk.Query{Algorithm: "ECDH-ES+A128KW"}, ""},
		"dir":          {jwk.Query{Algorithm: "dir", KeyID: "z"}, ""},
		"other alg":    {jwk.Query{Algorithm: "ECDH-ES", KeyID: "b"}, "alg.mismatch"},
		"other kid":    {jwk.Query{Algorithm: "ECDH-ES", KeyID: "z"}, "key.none"},
		"only unwraps": {jwk.Query{Algorithm: "A128KW", KeyID: "w"}, "key.use"},
	} {
		found, err := set.Encrypters(c.q)
		if c.want == "" {
			if err != nil || len(found) != 1 || found[0].Algorithm().Name() != c.q.Algorithm {
				t.Errorf("%s: %v, %v", name, found, err)
			}
		} else {
			wantCode(t, err, c.want)
		}
	}
	_, err = set.MarshalJSON()
	wantCode(t, err, "key.private")
	public := must[[]byte](t)(set[:3].MarshalJSON())
	if again, _, err := jwk.ParseSet(public, jwk.Binding{}); err != nil || len(again) != 3 || strings.Contains(string(public), `"d"`) {
		t.Errorf("%s, %v", public, err)
	}

	unwraps := must[*jwk.SharedKey](t)(mustParse(t, `{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"A128KW","key_ops":["unwrapKey"]}`).SharedKey(jwk.Binding{}))
	wraps := must[*jwk.SharedKey](t)(mustParse(t, `{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"A128KW","key_ops":["wrapKey"]}`).SharedKey(jwk.Binding{}))
	w := jwk.Wrapping{Encryption: jwa.A128GCM}
	_, err = unwraps.EncryptKey(ctx, cekOf(jwa.A128GCM), &w)
	wantCode(t, err, "key.use")
	if _, err = wraps.EncryptKey(ctx, cekOf(jwa.A128GCM), &w); err != nil {
		t.Error(err)
	}
	_, err = wraps.DecryptKey(ctx, &w)
	wantCode(t, err, "key.use")
	if _, err = unwraps.DecryptKey(ctx, &w); err != nil {
		t.Error(err)
	}
	// Neither half becomes whole by being written.
	for _, k := range []*jwk.SharedKey{wraps, unwraps} {
		j := must[jwk.JWK](t)(k.PrivateJWK())
		again := must[*jwk.SharedKey](t)(mustParse(t, string(must[[]byte](t)(j.MarshalPrivateJSON()))).SharedKey(jwk.Binding{}))
		if !slices.Equal(must[jwk.JWK](t)(again.PrivateJWK()).KeyOps(), j.KeyOps()) || len(j.KeyOps()) != 1 {
			t.Error(j.KeyOps())
		}
	}

	ec := must[*jwk.DecryptionKey](t)(mustParse(t, bobPrivate).WithKeyID("b").DecryptionKey(jwk.Binding{}))
	private := jwk.DecryptionSet{ec, unwraps, wraps, unwraps, unwraps, unwraps}
	for name, c := range map[string]struct {
		set  jwk.DecryptionSet
		q    jwk.Query
		n    int
		code string
	}{
		"kid":       {private, jwk.Query{Algorithm: "ECDH-ES", KeyID: "b"}, 1, ""},
		"no kid":    {private, jwk.Query{Algorithm: "A128KW", KeyID: "x"}, 4, ""},
		"too many":  {append(slices.Clone(private), unwraps), jwk.Query{Algorithm: "A128KW"}, 0, "key.ambiguous"},
		"other alg": {private, jwk.Query{Algorithm: "ECDH-ES+A128KW", KeyID: "b"}, 0, "alg.mismatch"},
		"none":      {private, jwk.Query{Algorithm: "RSA-OAEP"}, 0, "key.none"},
		"no alg":    {private, jwk.Query{}, 0, "key.none"},
		"nil":       {jwk.DecryptionSet{nil}, jwk.Query{Algorithm: "A128KW"}, 0, "key.none"},
		"only wrap": {jwk.DecryptionSet{wraps}, jwk.Query{Algorithm: "A128KW"}, 0, "key.use"},
	} {
		found, err := c.set.DecryptionKeys(ctx, c.q)
		if c.code != "" {
			wantCode(t, err, c.code)
		} else if err != nil || len(found) != c.n {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	_, _, err = jwk.ParseDecryptionSet([]byte(`[]`), jwk.Binding{})
	wantCode(t, err, "json.type")
}

// A certificate must be that of the key, which it names in "x5t#S256".
func TestEncryptionCertificates(t *testing.T) {
	ctx := context.Background()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}}
	ders := map[string][]byte{
		"EC":  must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &p256Key().PublicKey, p256Key())),
		"RSA": must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &rsaKey().PublicKey, rsaKey())),
	}
	keys := map[string]jwk.JWK{
		"EC":  must[jwk.JWK](t)(jwk.FromKey(p256Key())),
		"RSA": must[jwk.JWK](t)(jwk.FromKey(rsaKey())),
	}
	algorithm := map[string]jwa.Algorithm{"EC": jwa.ECDH_ES, "RSA": jwa.RSA_OAEP_256}
	for key, j := range keys {
		for cert, der := range ders {
			b := algs(algorithm[key])
			with := must[jwk.JWK](t)(j.With("x5c", []string{base64.StdEncoding.EncodeToString(der)}))
			d, err := with.DecryptionKey(b)
			if key != cert {
				wantCode(t, err, "key.invalid")
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			set, all := jwk.DecryptionSet{d}, jwk.Set{d.Public()}
			q := jwk.Query{Algorithm: algorithm[key].Name(), X5TS256: strings.Repeat("A", 43)}
			_, err = set.DecryptionKeys(ctx, q)
			wantCode(t, err, "key.none")
			_, err = all.Encrypters(q)
			wantCode(t, err, "key.none")
			// The same key without a certificate does not know better.
			plain := must[*jwk.DecryptionKey](t)(j.DecryptionKey(b))
			if _, err := (jwk.DecryptionSet{plain}).DecryptionKeys(ctx, q); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is written is read again as the same key.
func TestEncryptionKeysAreWritten(t *testing.T) {
	ctx := context.Background()
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			b := algs(p.d.Algorithm())
			b.AllowRSA1_5DespitePaddingOracles = true
			w := jwk.Wrapping{Encryption: jwa.A256GCM}
			var cek []byte
			if !p.e.Algorithm().Direct() {
				cek = cekOf(jwa.A256GCM)
			}
			want, err := p.e.EncryptKey(ctx, cek, &w)
			if err != nil {
				t.Fatal(err)
			}
			var j jwk.JWK
			var again jwk.Decrypter
			switch k := p.d.(type) {
			case *jwk.SharedKey:
				j = must[jwk.JWK](t)(k.PrivateJWK())
				again = must[*jwk.SharedKey](t)(mustParse(t, string(must[[]byte](t)(j.MarshalPrivateJSON()))).SharedKey(b))
			case *jwk.DecryptionKey:
				j = must[jwk.JWK](t)(k.PrivateJWK())
				again = must[*jwk.DecryptionKey](t)(mustParse(t, string(must[[]byte](t)(j.MarshalPrivateJSON()))).DecryptionKey(b))
				public := must[*jwk.EncryptionKey](t)(mustParse(t, string(must[[]byte](t)(json.Marshal(k.Public())))).EncryptionKey(b))
				if public.Algorithm() != k.Algorithm() || public.KeyID() != k.KeyID() {
					t.Error(public)
				}
			}
			if j.Algorithm() != p.d.Algorithm().Name() || j.KeyID() != p.d.KeyID() || again.KeyID() != p.d.KeyID() || p.e.JWK().KeyID() != p.d.KeyID() || p.e.JWK().IsPrivate() {
				t.Error(j)
			}
			got, err := again.DecryptKey(ctx, &w)
			if err != nil || string(got) != string(want) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
	for _, enc := range jwa.Encryptions() {
		k := must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.Dir, enc))
		j := must[jwk.JWK](t)(k.PrivateJWK())
		again := must[*jwk.SharedKey](t)(j.SharedKey(jwk.Binding{}))
		if again.Algorithm() != jwa.Dir || again.Encryptions()[0] != enc || j.Algorithm() != enc.Name() {
			t.Errorf("%v: %v %v", enc, again, again.Encryptions())
		}
		sealed := k.AEAD().Seal(nil, nil, []byte("plaintext"), []byte("aad"))
		if open, err := again.AEAD().Open(nil, nil, sealed, []byte("aad")); err != nil || string(open) != "plaintext" {
			t.Errorf("%s: %q, %v", enc, open, err)
		}
	}
	if must[*jwk.SharedKey](t)(jwk.GenerateSharedKey(jwa.A128GCMKW)).AEAD() != nil {
		t.Error("the key that wraps is given out")
	}
}
