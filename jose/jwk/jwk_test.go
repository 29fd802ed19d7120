package jwk_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ data, code string }{
		"empty":              {"", "json.syntax"},
		"not JSON":           {"kty", "json.syntax"},
		"array":              {"[" + ecPublic + "]", "json.type"},
		"null":               {"null", "json.type"},
		"duplicate":          {`{"kty":"EC","kty":"EC"}`, "json.duplicate"},
		"duplicate unknown":  {`{"kty":"EC","a":1,"\u0061":2}`, "json.duplicate"},
		"trailing":           {ecPublic + ecPublic, "json.trailing"},
		"invalid UTF-8":      {"{\"kty\":\"EC\xff\"}", "json.utf8"},
		"byte order mark":    {"\xef\xbb\xbf" + ecPublic, "json.syntax"},
		"lone surrogate":     {`{"kty":"EC","kid":"\ud800"}`, "json.surrogate"},
		"depth":              {`{"kty":"EC","a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "json.depth"},
		"no kty":             {`{"kid":"1"}`, "key.invalid"},
		"KTY is unknown":     {`{"KTY":"EC"}`, "key.invalid"},
		"empty kty":          {`{"kty":""}`, "key.invalid"},
		"kty a number":       {`{"kty":5}`, "json.type"},
		"kty null":           {`{"kty":null}`, "json.type"},
		"use an array":       {`{"kty":"EC","use":["sig"]}`, "json.type"},
		"key_ops a string":   {`{"kty":"EC","key_ops":"sign"}`, "json.type"},
		"key_ops of numbers": {`{"kty":"EC","key_ops":[1]}`, "json.type"},
		"kid a number":       {`{"kty":"EC","kid":1}`, "json.type"},
		"alg null":           {`{"kty":"EC","alg":null}`, "json.type"},
		"x5c a string":       {`{"kty":"EC","x5c":"MII"}`, "json.type"},
		"too large":          {`{"kty":"EC","a":"` + strings.Repeat("a", 64<<10) + `"}`, "key.limit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwk.Parse([]byte(c.data))
			wantCode(t, err, c.code)
			var j jwk.JWK
			if err := j.UnmarshalJSON([]byte(c.data)); err == nil {
				t.Error("UnmarshalJSON accepts it")
			}
		})
	}
}

func TestDescription(t *testing.T) {
	const text = `{"kty":"EC","use":"sig","key_ops":["verify"],"alg":"ES256","kid":"k","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","x5u":"https://a.example/","x5c":["AQI=","Aw=="],"x5t":"AA","x5t#S256":"BB","ext":true,"issuer":"https://a.example"}`
	data := []byte(`{"issuer":"https://a.example","ext":true,` + text[1:strings.Index(text, `,"ext"`)] + `}`)
	j, err := jwk.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data) // the description has its own copy
	if j.KeyType() != "EC" || j.Use() != "sig" || !slices.Equal(j.KeyOps(), []string{"verify"}) || j.Algorithm() != "ES256" ||
		j.KeyID() != "k" || j.Curve() != "P-256" || j.X5TS256() != "BB" || len(j.X5C()) != 2 || string(j.X5C()[1]) != "\x03" {
		t.Errorf("%v: %v %v", j, j.KeyOps(), j.X5C())
	}
	for name, want := range map[string]string{"issuer": `"https://a.example"`, "ext": "true", "kty": `"EC"`, "x5c": `["AQI=","Aw=="]`} {
		if raw, ok := j.Member(name); !ok || string(raw) != want {
			t.Errorf("Member(%q) = %s, %v", name, raw, ok)
		}
	}
	for _, name := range []string{"d", "absent", "KTY"} {
		if raw, ok := j.Member(name); ok {
			t.Errorf("Member(%q) = %s", name, raw)
		}
	}
	// RFC order, then the unknown members.
	if got, err := json.Marshal(j); err != nil || string(got) != text {
		t.Errorf("got  %s, %v\nwant %s", got, err, text)
	}
	if got, err := j.MarshalPrivateJSON(); err != nil || string(got) != text {
		t.Errorf("got  %s, %v\nwant %s", got, err, text)
	}
	j.KeyOps()[0] = "changed"
	if j.KeyOps()[0] != "verify" {
		t.Error("the description was changed through KeyOps")
	}
	raw, _ := j.Member("ext")
	raw[0] = 'x'
	if raw, _ := j.Member("ext"); string(raw) != "true" {
		t.Error("the description was changed through Member")
	}
	if bad := mustParse(t, `{"kty":"EC","x5c":["AQI=","A_"]}`); bad.X5C() != nil {
		t.Error("certificates that are not base64 were returned")
	}
	if bad := mustParse(t, `{"kty":"EC","x5c":["AQIDBAUG!"]}`); bad.X5C() != nil {
		t.Error("the front of a certificate that is not base64 was returned")
	}
	if bad := mustParse(t, `{"kty":"EC","x5c":["AQI=",""]}`); bad.X5C() != nil {
		t.Error("an empty certificate was returned")
	}
}

func TestZeroJWK(t *testing.T) {
	var j jwk.JWK
	if j.KeyType()+j.Use()+j.Algorithm()+j.KeyID()+j.Curve()+j.X5TS256() != "" || j.KeyOps() != nil || j.X5C() != nil || j.IsPrivate() {
		t.Error("the zero value describes something")
	}
	if _, ok := j.Member("kty"); ok {
		t.Error("the zero value has a member")
	}
	_, err := j.MarshalJSON()
	wantCode(t, err, "key.invalid")
	_, err = j.PublicKey(jwk.Binding{})
	wantCode(t, err, "key.invalid")
	_, err = j.PrivateKey(jwk.Binding{})
	wantCode(t, err, "key.invalid")
	_, err = j.SecretKey(jwk.Binding{})
	wantCode(t, err, "key.invalid")
	_, err = j.Thumbprint(crypto.SHA256)
	wantCode(t, err, "key.invalid")
	_, err = j.With("use", "sig")
	wantCode(t, err, "key.invalid")
	if j.Public().KeyType() != "" {
		t.Error("the zero value has a public half")
	}
}

func TestWith(t *testing.T) {
	j := mustParse(t, ecPrivate)
	k := j.WithKeyID("other")
	if j.KeyID() != "" || k.KeyID() != "other" || k.Curve() != "P-256" {
		t.Errorf("%v became %v", j, k)
	}
	k, err := k.With("use", "sig")
	if err != nil || k.Use() != "sig" || k.KeyID() != "other" || !k.IsPrivate() {
		t.Errorf("%v, %v", k, err)
	}
	if k, err = k.With("issuer", []string{"a"}); err != nil {
		t.Fatal(err)
	}
	if raw, ok := k.Member("issuer"); !ok || string(raw) != `["a"]` {
		t.Errorf("%s", raw)
	}
	if k, err = k.With("issuer", nil); err != nil {
		t.Fatal(err)
	}
	if raw, ok := k.Member("issuer"); ok {
		t.Errorf("%s", raw)
	}
	for _, name := range []string{"kty", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi", "oth", "pub", "priv"} {
		_, err := j.With(name, "AA")
		wantCode(t, err, "key.invalid")
	}
	_, err = j.With("use", 5)
	wantCode(t, err, "json.type")
	_, err = j.With("use", func() {})
	wantCode(t, err, "key.invalid")
	_, err = j.WithKeyID("\xff").MarshalJSON()
	wantCode(t, err, "json.utf8")
}

// Each row breaks one rule; the private ones are bound both ways.
func TestMaterial(t *testing.T) {
	type c struct {
		base    string
		changes map[string]any
		code    string
	}
	m := func(kv ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = kv[i+1]
		}
		return out
	}
	rsaPub, rsaPriv := rsaPublic(t), rsaPrivate(t)
	str := func(base, name string) string {
		var all map[string]any
		_ = json.Unmarshal([]byte(base), &all)
		return all[name].(string)
	}
	b64 := b64url.EncodeToString
	raw := func(base, name string) []byte {
		b, err := b64url.DecodeString(str(base, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p := elliptic.P256().Params()
	x := new(big.Int).SetBytes(raw(ecPublic, "x"))
	zeroX := b64(append([]byte{0}, raw(ecPublic, "x")...))
	fill := func(b byte) string { return b64(slices.Repeat([]byte{b}, 32)) }
	n := raw(rsaPub, "n")
	bigN := slices.Concat([]byte{0x80}, make([]byte, 2047), []byte{1})
	bits2047 := slices.Clone(n)
	bits2047[0] = 0x7f
	even := slices.Clone(n)
	even[len(even)-1] &^= 1
	for name, c := range map[string]c{
		"EC":                        {ecPublic, nil, ""},
		"EC private":                {ecPrivate, nil, ""},
		"EC kty case":               {ecPublic, m("kty", "ec"), "key.unsupported"},
		"EC crv case":               {ecPublic, m("crv", "p-256"), "key.unsupported"},
		"EC no crv":                 {ecPublic, m("crv", nil), "key.unsupported"},
		"EC secp256k1":              {ecPublic, m("crv", "secp256k1"), "key.unsupported"},
		"EC no x":                   {ecPublic, m("x", nil), "key.invalid"},
		"EC no y":                   {ecPublic, m("y", nil), "key.invalid"},
		"EC x too long":             {ecPublic, m("x", zeroX), "key.invalid"},
		"EC x too short":            {ecPublic, m("x", b64(raw(ecPublic, "x")[1:])), "key.invalid"},
		"EC y too long":             {ecPublic, m("y", b64(append([]byte{0}, raw(ecPublic, "y")...))), "key.invalid"},
		"EC x padded":               {ecPublic, m("x", str(ecPublic, "x")+"="), "key.invalid"},
		"EC x not canonical":        {ecPublic, m("x", flip(str(ecPublic, "x"), 42)), "key.invalid"},
		"EC x with a line feed":     {ecPublic, m("x", str(ecPublic, "x")[:42]+"\n"), "key.invalid"},
		"EC x in base64":            {ecPublic, m("x", "+"+str(ecPublic, "x")[1:]), "key.invalid"},
		"EC off the curve":          {ecPublic, m("x", flip(str(ecPublic, "x"), 5)), "key.invalid"},
		"EC x and y swapped":        {ecPublic, m("x", str(ecPublic, "y"), "y", str(ecPublic, "x")), "key.invalid"},
		"EC infinity":               {ecPublic, m("x", fill(0), "y", fill(0)), "key.invalid"},
		"EC x >= p":                 {ecPublic, m("x", fill(0xff)), "key.invalid"},
		"EC x + p":                  {ecPublic, m("x", b64(new(big.Int).Add(x, p.P).Bytes())), "key.invalid"},
		"EC P-384 with P-256 point": {ecPublic, m("crv", "P-384"), "key.invalid"},
		"EC alg of other curve":     {ecPublic, m("alg", "ES384"), "alg.mismatch"},
		"EC alg of other type":      {ecPublic, m("alg", "RS256"), "alg.mismatch"},
		"EC alg HS256":              {ecPublic, m("alg", "HS256"), "alg.mismatch"},
		"EC alg ECDH-ES":            {ecPublic, m("alg", "ECDH-ES"), "key.use"},
		"EC alg A256GCM":            {ecPublic, m("alg", "A256GCM"), "key.use"},
		"EC alg unknown":            {ecPublic, m("alg", "ES256K"), "key.unsupported"},
		"EC alg none":               {ecPublic, m("alg", "none"), "key.unsupported"},
		"EC alg case":               {ecPublic, m("alg", "es256"), "key.unsupported"},
		"EC d of another key":       {ecPrivate, m("d", flip(str(ecPrivate, "d"), 3)), "key.invalid"},
		"EC d zero":                 {ecPrivate, m("d", fill(0)), "key.invalid"},
		"EC d = n":                  {ecPrivate, m("d", b64(p.N.Bytes())), "key.invalid"},
		"EC d too long":             {ecPrivate, m("d", b64(append([]byte{0}, raw(ecPrivate, "d")...))), "key.invalid"},
		"EC d too short":            {ecPrivate, m("d", b64(raw(ecPrivate, "d")[1:])), "key.invalid"},
		"EC d not canonical":        {ecPrivate, m("d", flip(str(ecPrivate, "d"), 42)), "key.invalid"},

		"OKP":                   {edPublic, nil, ""},
		"OKP private":           {edPrivate, nil, ""},
		"OKP alg Ed25519":       {edPublic, m("alg", "Ed25519"), ""},
		"OKP alg EdDSA":         {edPublic, m("alg", "EdDSA"), ""},
		"OKP no crv":            {edPublic, m("crv", nil), "key.unsupported"},
		"OKP Ed448":             {edPublic, m("crv", "Ed448"), "key.unsupported"},
		"OKP Ed448 with alg":    {edPublic, m("crv", "Ed448", "alg", "EdDSA"), "alg.mismatch"},
		"OKP X25519":            {edPublic, m("crv", "X25519"), "key.use"},
		"OKP X448":              {edPublic, m("crv", "X448"), "key.use"},
		"OKP no x":              {edPublic, m("x", nil), "key.invalid"},
		"OKP x too long":        {edPublic, m("x", b64(append(raw(edPublic, "x"), 0))), "key.invalid"},
		"OKP x too short":       {edPublic, m("x", b64(raw(edPublic, "x")[1:])), "key.invalid"},
		"OKP x not canonical":   {edPublic, m("x", flip(str(edPublic, "x"), 42)), "key.invalid"},
		"OKP identity":          {edPublic, m("x", b64(append([]byte{1}, make([]byte, 31)...))), "key.weak"},
		"OKP order 4":           {edPublic, m("x", fill(0)), "key.weak"},
		"OKP order 4, sign":     {edPublic, m("x", b64(append(make([]byte, 31), 0x80))), "key.weak"},
		"OKP y = p":             {edPublic, m("x", b64(slices.Concat([]byte{0xed}, slices.Repeat([]byte{0xff}, 30), []byte{0x7f}))), "key.invalid"},
		"OKP y = p + 1":         {edPublic, m("x", b64(slices.Concat([]byte{0xee}, slices.Repeat([]byte{0xff}, 30), []byte{0xff}))), "key.invalid"},
		"OKP d of another key":  {edPrivate, m("d", flip(str(edPrivate, "d"), 3)), "key.invalid"},
		"OKP d too long":        {edPrivate, m("d", b64(append(raw(edPrivate, "d"), 0))), "key.invalid"},
		"OKP d with x appended": {edPrivate, m("d", b64(append(raw(edPrivate, "d"), raw(edPrivate, "x")...))), "key.invalid"},

		"RSA":                   {rsaPub, nil, ""},
		"RSA private":           {rsaPriv, nil, ""},
		"RSA no n":              {rsaPub, m("n", nil), "key.invalid"},
		"RSA no e":              {rsaPub, m("e", nil), "key.invalid"},
		"RSA n leading zero":    {rsaPub, m("n", b64(append([]byte{0}, n...))), "key.invalid"},
		"RSA e leading zero":    {rsaPub, m("e", "AAEAAQ"), "key.invalid"},
		"RSA n not canonical":   {rsaPub, m("n", flip(str(rsaPub, "n"), 341)), "key.invalid"},
		"RSA e not canonical":   {rsaPub, m("e", "AQAB="), "key.invalid"},
		"RSA e zero":            {rsaPub, m("e", "AA"), "key.invalid"},
		"RSA e=1":               {rsaPub, m("e", "AQ"), "key.invalid"},
		"RSA e=2":               {rsaPub, m("e", "Ag"), "key.invalid"},
		"RSA e even":            {rsaPub, m("e", "AQAA"), "key.invalid"},
		"RSA e=2^31+1":          {rsaPub, m("e", "gAAAAQ"), "key.invalid"},
		"RSA e=2^32+1":          {rsaPub, m("e", "AQAAAAE"), "key.invalid"},
		"RSA e=2^64+1":          {rsaPub, m("e", b64([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1})), "key.invalid"},
		"RSA e=2^64+65537":      {rsaPub, m("e", b64([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})), "key.invalid"},
		"RSA e=2^31-1":          {rsaPub, m("e", "f____w"), ""},
		"RSA n even":            {rsaPub, m("n", b64(even)), "key.invalid"},
		"RSA n 2047 bits":       {rsaPub, m("n", b64(bits2047)), "key.weak"},
		"RSA n 16 bytes":        {rsaPub, m("n", b64(n[:16])), "key.weak"},
		"RSA n 16385 bits":      {rsaPub, m("n", b64(bigN)), "key.limit"},
		"RSA n 128,000 bits":    {rsaPub, m("n", strings.Repeat("_", 22000)), "key.limit"},
		"RSA e of 5000 bytes":   {rsaPub, m("e", strings.Repeat("_", 5000)), "key.limit"},
		"RSA d only":            {rsaPriv, m("p", nil, "q", nil, "dp", nil, "dq", nil, "qi", nil), "key.invalid"},
		"RSA no p":              {rsaPriv, m("p", nil), "key.invalid"},
		"RSA no qi":             {rsaPriv, m("qi", nil), "key.invalid"},
		"RSA p and q swapped":   {rsaPriv, m("p", str(rsaPriv, "q"), "q", str(rsaPriv, "p")), "key.invalid"},
		"RSA p*q != n":          {rsaPriv, m("p", str(rsaPriv, "q")), "key.invalid"},
		"RSA p changed":         {rsaPriv, m("p", flip(str(rsaPriv, "p"), 20)), "key.invalid"},
		"RSA d changed":         {rsaPriv, m("d", flip(str(rsaPriv, "d"), 20)), "key.invalid"},
		"RSA dp changed":        {rsaPriv, m("dp", flip(str(rsaPriv, "dp"), 20)), "key.invalid"},
		"RSA dq changed":        {rsaPriv, m("dq", flip(str(rsaPriv, "dq"), 20)), "key.invalid"},
		"RSA qi changed":        {rsaPriv, m("qi", flip(str(rsaPriv, "qi"), 20)), "key.invalid"},
		"RSA d leading zero":    {rsaPriv, m("d", b64(append([]byte{0}, raw(rsaPriv, "d")...))), "key.invalid"},
		"RSA oth":               {rsaPriv, m("oth", []any{map[string]any{"r": "AQ", "d": "AQ", "t": "AQ"}}), "key.unsupported"},
		"RSA oth empty":         {rsaPriv, m("oth", []any{}), "key.unsupported"},
		"RSA oth without d":     {rsaPub, m("oth", []any{}), "key.private"},
		"RSA alg RSA-OAEP":      {rsaPub, m("alg", "RSA-OAEP"), "key.use"},
		"RSA alg ES256":         {rsaPub, m("alg", "ES256"), "alg.mismatch"},
		"unknown type":          {ecPublic, m("kty", "AKP"), "key.unsupported"},
		"unknown type with alg": {ecPublic, m("kty", "AKP", "alg", "ES256"), "alg.mismatch"},

		"use sig":              {ecPublic, m("use", "sig"), ""},
		"use enc":              {ecPublic, m("use", "enc"), "key.use"},
		"use in other case":    {ecPublic, m("use", "SIG"), "key.use"},
		"use tls":              {ecPublic, m("use", "tls"), "key.use"},
		"ops verify":           {ecPublic, m("key_ops", []any{"verify"}), ""},
		"ops sign on a public": {ecPublic, m("key_ops", []any{"sign"}), "key.use"},
		"ops empty":            {ecPublic, m("key_ops", []any{}), "key.use"},
		"ops encrypt":          {ecPublic, m("key_ops", []any{"encrypt"}), "key.use"},
		"ops in other case":    {ecPublic, m("key_ops", []any{"Verify"}), "key.use"},
		"ops twice":            {ecPublic, m("key_ops", []any{"verify", "verify"}), "key.invalid"},
		"ops of neither half":  {ecPrivate, m("key_ops", []any{"deriveKey"}), "key.use"},
		"use against ops":      {ecPublic, m("use", "sig", "key_ops", []any{"verify", "encrypt"}), "key.invalid"},
		"use with ops":         {ecPublic, m("use", "sig", "key_ops", []any{"verify", "sign"}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := mustParse(t, members(t, c.base, c.changes))
			_, err := j.PublicKey(jwk.Binding{})
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantCode(t, err, c.code)
				wantText(t, name, err)
			}
			set, skipped, err := jwk.ParseSet([]byte(`{"keys":[`+members(t, c.base, c.changes)+`]}`), jwk.Binding{})
			if err != nil {
				t.Fatal(err)
			}
			switch name {
			case "EC alg ECDH-ES", "OKP X25519", "RSA alg RSA-OAEP", "use enc", "ops of neither half":
				if fipsEnforced && len(skipped) == 1 && fault.CodeOf(skipped[0].Err) == "key.fips" {
					return
				}
				if len(set) != 1 || set[0].Algorithm().Use() != "enc" {
					t.Errorf("not in the set for encryption: %v", skipped)
				}
				return
			case "EC alg A256GCM": // for no key that is not oct
				c.code = "alg.mismatch"
			}
			if c.code == "" {
				if len(set) != 1 {
					t.Errorf("not in the set: %v", skipped)
				}
			} else if len(set) != 0 || len(skipped) != 1 {
				t.Errorf("%d keys in the set, %d skipped", len(set), len(skipped))
			} else {
				wantCode(t, skipped[0].Err, c.code)
			}
			if !j.IsPrivate() {
				return
			}
			_, err = j.PrivateKey(jwk.Binding{})
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
			} else {
				wantCode(t, err, c.code)
				wantText(t, name, err)
			}
		})
	}
}

// wantText checks that the reason is the one that the name of the case gives:
// most broken members would be refused further on, for a worse one.
func wantText(t *testing.T, name string, err error) {
	t.Helper()
	for part, text := range map[string]string{
		"not canonical": "canonical base64url", "too long": "bytes in base64url", "too short": "bytes in base64url", "no x": "bytes in base64url",
		"no y": "bytes in base64url", "leading zero": "starts with a zero byte", "RSA no ": "is missing", "RSA d only": "is missing", "e=2^31+1": "above 2^31-1",
	} {
		if err != nil && strings.Contains(name, part) && !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
}

func TestPrivateKeyRefuses(t *testing.T) {
	for name, c := range map[string]struct{ data, code string }{
		"public EC":      {ecPublic, "key.private"},
		"public OKP":     {edPublic, "key.private"},
		"public RSA":     {rsaPublic(t), "key.private"},
		"oct":            {octSecret, "key.private"},
		"ops verify":     {members(t, ecPrivate, map[string]any{"key_ops": []string{"verify"}}), "key.use"},
		"use enc":        {members(t, ecPrivate, map[string]any{"use": "enc"}), "key.use"},
		"small order":    {members(t, edPrivate, map[string]any{"alg": "ES256"}), "alg.mismatch"},
		"weak RSA":       {weakRSA(t), "key.weak"},
		"unknown":        {members(t, ecPrivate, map[string]any{"alg": "X"}), "key.unsupported"},
		"unknown public": {members(t, ecPublic, map[string]any{"kty": "X"}), "key.unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustParse(t, c.data).PrivateKey(jwk.Binding{})
			wantCode(t, err, c.code)
		})
	}
	// The operations of the private half do not keep the public half from verifying.
	k, err := mustParse(t, members(t, ecPrivate, map[string]any{"key_ops": []string{"sign"}})).PrivateKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := k.JWK().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	pub := mustParse(t, string(data))
	if !slices.Equal(pub.KeyOps(), []string{"verify"}) {
		t.Errorf("key_ops of the public half: %v", pub.KeyOps())
	}
	if _, err := pub.PublicKey(jwk.Binding{}); err != nil {
		t.Error(err)
	}
}

// weakRSA is an RSA key of 1024 bits, well-formed otherwise.
func weakRSA(t testing.TB) string {
	t.Helper()
	var data []byte
	fips140.WithoutEnforcement(func() {
		k, err := rsa.GenerateKey(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		j, err := jwk.FromKey(k)
		if err != nil {
			t.Fatal(err)
		}
		if data, err = j.MarshalPrivateJSON(); err != nil {
			t.Fatal(err)
		}
	})
	return string(data)
}

func TestPublicHalfOfOperations(t *testing.T) {
	j := mustParse(t, members(t, ecPrivate, map[string]any{"key_ops": []string{"decrypt", "unwrapKey", "deriveKey", "deriveBits", "sign", "verify", "other"}}))
	if got := j.Public().KeyOps(); !slices.Equal(got, []string{"encrypt", "wrapKey", "verify", "other"}) {
		t.Error(got)
	}
	got := mustParse(t, members(t, octSecret, map[string]any{"other": "CANARY", "pub": "CANARY", "key_ops": []string{"sign"}})).Public()
	if _, ok := got.Member("pub"); ok {
		t.Error("a member of an oct key is public")
	}
	if _, ok := got.Member("other"); ok || got.IsPrivate() || got.KeyType() != "oct" || !slices.Equal(got.KeyOps(), []string{"sign"}) {
		t.Error(got, got.KeyOps())
	}
	// What is public stays as it is, whether or not that makes sense.
	j = mustParse(t, members(t, ecPublic, map[string]any{"key_ops": []string{"sign", "deriveKey"}, "other": 1}))
	if got := j.Public(); !slices.Equal(got.KeyOps(), []string{"sign", "deriveKey"}) {
		t.Error(got.KeyOps())
	}
}

func TestBinding(t *testing.T) {
	list := func(algs ...jwa.Algorithm) jwk.Binding { return jwk.Binding{Algorithms: algs} }
	rsaPub := rsaPublic(t)
	with := func(base, alg string) string { return members(t, base, map[string]any{"alg": alg}) }
	own, err := jwa.New("X1", jwa.Traits{KeyType: "RSA"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data string
		b    jwk.Binding
		want string // algorithm
		code string
	}{
		"RSA default":              {rsaPub, list(), "RS256", ""},
		"RSA from the list":        {rsaPub, list(jwa.PS256), "PS256", ""},
		"RSA other types listed":   {rsaPub, list(jwa.ES256, jwa.HS256), "RS256", ""},
		"RSA several":              {rsaPub, list(jwa.PS256, jwa.RS256), "", "alg.mismatch"},
		"RSA several, has alg":     {with(rsaPub, "RS256"), list(jwa.PS256, jwa.RS256), "RS256", ""},
		"RSA alg not listed":       {with(rsaPub, "RS256"), list(jwa.PS256), "", "alg.mismatch"},
		"RSA alg, others listed":   {with(rsaPub, "RS512"), list(jwa.ES256), "RS512", ""},
		"RSA encryption listed":    {rsaPub, list(jwa.RSA_OAEP), "", "key.use"},
		"RSA unknown listed":       {rsaPub, list(own), "", "key.unsupported"},
		"EC by its curve":          {ecPublic, list(), "ES256", ""},
		"EC not listed":            {ecPublic, list(jwa.ES384), "", "alg.mismatch"},
		"EC with alg not listed":   {with(ecPublic, "ES256"), list(jwa.ES384), "", "alg.mismatch"},
		"EC listed":                {ecPublic, list(jwa.ES384, jwa.ES256), "ES256", ""},
		"OKP by its curve":         {edPublic, list(), "EdDSA", ""},
		"OKP under the other name": {with(edPublic, "Ed25519"), list(jwa.EdDSA), "Ed25519", ""},
		"OKP named by the list":    {edPublic, list(jwa.Ed25519), "EdDSA", ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := mustParse(t, c.data).PublicKey(c.b)
			if c.code != "" {
				wantCode(t, err, c.code)
				return
			}
			if err != nil || k.Algorithm().Name() != c.want {
				t.Errorf("%v, %v", k, err)
			}
		})
	}
	_, err = mustParse(t, ecPublic).PublicKey(list(jwa.ECDH_ES))
	if err != nil {
		t.Error(err)
	}
	_, err = mustParse(t, members(t, ecPublic, map[string]any{"kty": "X"})).PublicKey(list(jwa.ECDH_ES))
	wantCode(t, err, "key.unsupported")
	_, err = mustParse(t, octSecret).PublicKey(jwk.Binding{})
	wantCode(t, err, "key.private")
	_, err = mustParse(t, octSecret).PublicKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256}})
	wantCode(t, err, "key.private")
	_, err = mustParse(t, ecPrivate).SecretKey(jwk.Binding{})
	wantCode(t, err, "key.private")
}

func certificate(t testing.TB, pub any) []byte {
	t.Helper()
	_, ca, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(2)}, pub, ca)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCertificates(t *testing.T) {
	k, err := mustParse(t, ecPublic).PublicKey(jwk.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, otherDER, rsaDER := certificate(t, k.CryptoKey()), certificate(t, &other.PublicKey), certificate(t, &testRSA(t).PublicKey)
	text := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256(der)
	hash := b64url.EncodeToString(sum[:])
	for name, c := range map[string]struct {
		x5c  any
		x5t  any
		code string
	}{
		"right":              {[]string{text(der)}, nil, ""},
		"right with issuer":  {[]string{text(der), text(otherDER)}, hash, ""},
		"hash alone":         {nil, hash, ""},
		"of another key":     {[]string{text(otherDER)}, nil, "key.invalid"},
		"of another type":    {[]string{text(rsaDER)}, nil, "key.invalid"},
		"second is right":    {[]string{text(otherDER), text(der)}, nil, "key.invalid"},
		"not a certificate":  {[]string{text([]byte("certificate"))}, nil, "key.invalid"},
		"base64url":          {[]string{b64url.EncodeToString(der)}, nil, "key.invalid"},
		"second not base64":  {[]string{text(der), "!"}, nil, "key.invalid"},
		"with a line feed":   {[]string{text(der)[:64] + "\n" + text(der)[64:]}, nil, "key.invalid"},
		"empty certificate":  {[]string{""}, nil, "key.invalid"},
		"empty list":         {[]string{}, nil, "key.invalid"},
		"hash of another":    {[]string{text(der)}, b64url.EncodeToString(make([]byte, 32)), "key.invalid"},
		"hash too short":     {nil, "AA", "key.invalid"},
		"hash not canonical": {nil, flip(hash, 42), "key.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			changes := map[string]any{"x5c": c.x5c, "x5t#S256": c.x5t, "x5t": "ignored"}
			if c.x5c == nil {
				delete(changes, "x5c")
			}
			if c.x5t == nil {
				delete(changes, "x5t#S256")
			}
			_, err := mustParse(t, members(t, ecPublic, changes)).PublicKey(jwk.Binding{})
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, c.code)
		})
	}
	t.Run("query", func(t *testing.T) {
		bound, err := mustParse(t, members(t, ecPublic, map[string]any{"x5c": []string{text(der)}})).PublicKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		keys(t, jwk.Set{bound}, jwk.Query{Algorithm: "ES256", X5TS256: hash})
		_, err = jwk.Set{bound}.Keys(context.Background(), jwk.Query{Algorithm: "ES256", X5TS256: "AA"})
		wantCode(t, err, "key.none")
		keys(t, jwk.Set{k}, jwk.Query{Algorithm: "ES256", X5TS256: "AA"}) // it has no certificate to disagree
	})
}

// A key has the thumbprint of its description, under any kid.
func TestPublicKeyThumbprint(t *testing.T) {
	for _, data := range []string{ecPublic, rsaPublic(t), edPublic} {
		j := mustParse(t, data)
		k, err := j.PublicKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := j.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		named := k.WithKeyID("another")
		for _, k := range []*jwk.PublicKey{k, named} {
			if got, err := k.Thumbprint(crypto.SHA256); got != want || err != nil {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
			_, err = k.Thumbprint(crypto.SHA1)
			wantCode(t, err, "key.unsupported")
		}
		if named.KeyID() != "another" || named.JWK().KeyID() != "another" || k.KeyID() != j.KeyID() {
			t.Errorf("%s, %s, %s", named.KeyID(), named.JWK().KeyID(), k.KeyID())
		}
	}
}

func TestThumbprint(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		h    crypto.Hash
		code string
	}{
		"EC":                 {ecPublic, crypto.SHA256, ""},
		"private EC":         {ecPrivate, crypto.SHA384, ""},
		"OKP":                {edPublic, crypto.SHA512, ""},
		"oct":                {octSecret, crypto.SHA256, ""},
		"unknown curve":      {members(t, ecPublic, map[string]any{"crv": "secp256k1"}), crypto.SHA256, ""},
		"SHA-1":              {ecPublic, crypto.SHA1, "key.unsupported"},
		"no hash":            {ecPublic, 0, "key.unsupported"},
		"unknown type":       {`{"kty":"AKP","pub":"AA"}`, crypto.SHA256, "key.unsupported"},
		"x too long":         {members(t, ecPublic, map[string]any{"x": "ADCgQkzSHClEg4otdckrN-duog2fAIk6O07uijwKr-w-"}), crypto.SHA256, "key.invalid"},
		"e leading zero":     {members(t, rsaPublic(t), map[string]any{"e": "AAEAAQ"}), crypto.SHA256, "key.invalid"},
		"x not canonical":    {members(t, edPublic, map[string]any{"x": flip("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", 42)}), crypto.SHA256, "key.invalid"},
		"unknown, padded":    {members(t, ecPublic, map[string]any{"crv": "secp256k1", "x": "AQ=="}), crypto.SHA256, "key.invalid"},
		"unknown, no x":      {members(t, ecPublic, map[string]any{"crv": "secp256k1", "x": nil}), crypto.SHA256, "key.invalid"},
		"crv with a quote":   {members(t, ecPublic, map[string]any{"crv": `a"b`}), crypto.SHA256, "key.invalid"},
		"crv with a slash":   {members(t, ecPublic, map[string]any{"crv": `a\b`}), crypto.SHA256, "key.invalid"},
		"crv not ASCII":      {members(t, ecPublic, map[string]any{"crv": "é"}), crypto.SHA256, "key.invalid"},
		"crv with a newline": {members(t, ecPublic, map[string]any{"crv": "a\nb"}), crypto.SHA256, "key.invalid"},
		"empty k":            {`{"kty":"oct"}`, crypto.SHA256, "key.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mustParse(t, c.data).Thumbprint(c.h)
			uri, uriErr := mustParse(t, c.data).ThumbprintURI(c.h)
			if c.code != "" {
				wantCode(t, err, c.code)
				wantCode(t, uriErr, c.code)
				return
			}
			if err != nil || uriErr != nil || len(got) != b64url.EncodedLen(c.h.Size()) || !strings.HasSuffix(uri, ":"+got) {
				t.Errorf("%s, %v; %s, %v", got, err, uri, uriErr)
			}
		})
	}
	// Members that are not the key change nothing.
	a, _ := mustParse(t, ecPublic).Thumbprint(crypto.SHA256)
	b, _ := mustParse(t, members(t, ecPrivate, map[string]any{"kid": "1", "use": "sig", "alg": "ES256", "z": 1})).Thumbprint(crypto.SHA256)
	if a != b {
		t.Errorf("%s and %s", a, b)
	}
}

// No way of printing shows private or secret members.
func TestNothingLeaks(t *testing.T) {
	canaries := []string{
		"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ", "X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH", "83i-7IvMGXoMXCskv73TKr8637FiO7Z27zv8oj6pbWUQ",
		"CANARY", "[3 35 53 75", "0323354b", "\\x03#5K", "243 189",
	}
	var things []any
	add := func(j jwk.JWK) {
		things = append(things, j, &j, []jwk.JWK{j}, map[string]jwk.JWK{"a": j}, struct{ J jwk.JWK }{j}, j.Public())
	}
	add(mustParse(t, octSecret))
	add(mustParse(t, members(t, ecPrivate, map[string]any{"priv": "CANARY", "k": "CANARY"})))
	add(mustParse(t, `{"kty":"AKP","alg":"ML-DSA-44","pub":"AA","priv":"CANARY","seed":"CANARY"}`))
	for _, text := range []string{ecPrivate, edPrivate, rsaPrivate(t)} {
		j := mustParse(t, text)
		add(j)
		k, err := j.PrivateKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		add(k.JWK())
		p, err := k.PrivateJWK()
		if err != nil || !p.IsPrivate() {
			t.Fatal(err)
		}
		add(p)
		pub, err := j.PublicKey(jwk.Binding{})
		if err != nil {
			t.Fatal(err)
		}
		add(pub.JWK())
		things = append(things, k, *k, []*jwk.PrivateKey{k}, struct{ K *jwk.PrivateKey }{k}, k.Public(), pub, jwk.Set{pub})
	}
	s, err := mustParse(t, octSecret).SecretKey(jwk.Binding{Algorithms: []jwa.Algorithm{jwa.HS256}})
	if err != nil {
		t.Fatal(err)
	}
	add(s.JWK())
	p, err := s.PrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	add(p)
	things = append(things, s, []*jwk.SecretKey{s}, jwk.Set{s}, struct{ K *jwk.SecretKey }{s})
	for _, thing := range things {
		var out []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out = append(out, fmt.Sprintf(verb, thing))
		}
		data, _ := json.Marshal(thing) // may refuse
		out = append(out, string(data), fmt.Sprint(thing))
		for _, text := range out {
			for _, canary := range canaries {
				if strings.Contains(text, canary) {
					t.Errorf("%T shows %q: %.200s", thing, canary, text)
				}
			}
		}
	}
	// The control: asked by name, it is there.
	data, err := p.MarshalPrivateJSON()
	if err != nil || !strings.Contains(string(data), canaries[2]) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestMarshalRefusesSecrets(t *testing.T) {
	j := mustParse(t, octSecret)
	_, err := j.MarshalJSON()
	wantCode(t, err, "key.private")
	_, err = j.Public().MarshalJSON()
	wantCode(t, err, "key.private")
	s, err := jwk.GenerateSecret(jwa.HS256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.MarshalJSON()
	wantCode(t, err, "key.private")
	_, err = json.Marshal(jwk.Set{s})
	if err == nil {
		t.Error("a set with a secret was written")
	}
	_, err = jwk.Set{s}.MarshalJSON()
	wantCode(t, err, "key.private")
	_, err = jwk.Set{nil}.MarshalJSON()
	wantCode(t, err, "key.invalid")
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.MarshalJSON()
	wantCode(t, err, "key.private")
}

func TestUnknownMembersOfUnknownTypes(t *testing.T) {
	j := mustParse(t, `{"kty":"X","pub":"AA","seed":"AB","issuer":"i"}`)
	data, err := j.MarshalJSON()
	if err != nil || string(data) != `{"kty":"X","pub":"AA"}` {
		t.Errorf("%s, %v", data, err)
	}
	if j.IsPrivate() {
		t.Error("an unknown member counts as private")
	}
	for _, name := range []string{"k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		j := mustParse(t, members(t, rsaPublic(t), map[string]any{name: "AA"}))
		if _, ok := j.Public().Member(name); ok || !j.IsPrivate() || j.Public().IsPrivate() {
			t.Errorf("%s does not count as private", name)
		}
	}
	data, err = j.MarshalPrivateJSON()
	if err != nil || string(data) != `{"kty":"X","issuer":"i","pub":"AA","seed":"AB"}` {
		t.Errorf("%s, %v", data, err)
	}
}

func TestGenerate(t *testing.T) {
	for _, alg := range jwa.Signatures() {
		if alg.Symmetric() {
			_, err := jwk.Generate(alg)
			wantCode(t, err, "alg.mismatch")
			k, err := jwk.GenerateSecret(alg)
			if err != nil || k.Algorithm() != alg || k.KeyID() == "" {
				t.Errorf("%v, %v", k, err)
			}
			j, err := k.PrivateJWK()
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := j.Member("k")
			if want := b64url.EncodedLen(alg.Hash().Size()) + 2; len(raw) != want {
				t.Errorf("%s: %d characters, want %d", alg, len(raw), want)
			}
			if _, err := j.SecretKey(jwk.Binding{}); err != nil {
				t.Error(err)
			}
			continue
		}
		_, err := jwk.GenerateSecret(alg)
		wantCode(t, err, "alg.mismatch")
		if alg.KeyType() == "RSA" && alg != jwa.PS256 {
			continue // each takes a good part of a second
		}
		k, err := jwk.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		kid, err := k.JWK().Thumbprint(crypto.SHA256)
		if err != nil || k.KeyID() != kid || k.Algorithm() != alg {
			t.Errorf("%s: kid %s, thumbprint %s, %v", alg, k.KeyID(), kid, err)
		}
		if pub, ok := k.Public().CryptoKey().(*rsa.PublicKey); ok && pub.N.BitLen() != 3072 {
			t.Errorf("%d bits", pub.N.BitLen())
		}
		// Through the private JWK and back.
		j, err := k.PrivateJWK()
		if err != nil {
			t.Fatal(err)
		}
		data, err := j.MarshalPrivateJSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := mustParse(t, string(data)).PrivateKey(jwk.Binding{})
		if err != nil || again.KeyID() != kid || again.Algorithm() != alg {
			t.Fatalf("%v, %v", again, err)
		}
		if !reflect.DeepEqual(again.Public().CryptoKey(), k.Public().CryptoKey()) {
			t.Errorf("%s: another key came back", alg)
		}
		data2, err := again.JWK().MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		data1, err := k.Public().MarshalJSON()
		if err != nil || string(data1) != string(data2) {
			t.Errorf("%s\n%s\n%v", data1, data2, err)
		}
	}
	for _, alg := range []jwa.Algorithm{jwa.RSA_OAEP, jwa.A128KW, jwa.ECDH_ES} {
		_, err := jwk.Generate(alg)
		wantCode(t, err, "key.use")
	}
	_, err := jwk.Generate(jwa.Algorithm{})
	wantCode(t, err, "key.unsupported")
	own, err := jwa.New("X1", jwa.Traits{KeyType: "X"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = jwk.Generate(own)
	wantCode(t, err, "key.unsupported")
	_, err = jwk.GenerateSecret(jwa.A128KW)
	wantCode(t, err, "alg.mismatch")
}

// The generator of CVE-2017-15361 makes primes, and so moduli, that are powers of
// 65537 modulo the product of the first primes.
func TestROCA(t *testing.T) {
	primes := []int64{3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167}
	m := big.NewInt(2)
	for _, p := range primes {
		m.Mul(m, big.NewInt(p))
	}
	for bits := 2048; bits <= 4096; bits += 1024 {
		for i := range 5 {
			n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(int64(1000+i)), m)
			k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 200))
			if err != nil {
				t.Fatal(err)
			}
			top := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
			k.Add(k, top.Div(top, m))
			k.Add(k, big.NewInt(1))
			n.Add(n, k.Mul(k, m))
			if n.BitLen() != bits {
				t.Fatalf("%d bits", n.BitLen())
			}
			_, err = jwk.NewPublicKey(jwa.RS256, "", &rsa.PublicKey{N: n, E: 65537})
			wantCode(t, err, "key.weak")
			// Off the group modulo one prime of the fingerprint, the key is another's.
			for _, p := range []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
				step := new(big.Int).Div(m, big.NewInt(p))
				other := new(big.Int).Set(n)
				for range p {
					other.Add(other, step)
					if !isPower(new(big.Int).Mod(other, big.NewInt(p)).Int64(), p) {
						break
					}
				}
				if _, err := jwk.NewPublicKey(jwa.RS256, "", &rsa.PublicKey{N: other, E: 65537}); err != nil {
					t.Errorf("prime %d: %v", p, err)
				}
			}
		}
	}
}

func isPower(x, p int64) bool {
	y := int64(1)
	for range p {
		if x == y {
			return true
		}
		y = y * 65537 % p
	}
	return false
}
