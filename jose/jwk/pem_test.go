//lint:file-ignore SA1019 malformed keys have to be made by hand

package jwk_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// Every form of a key gives the description that its JWK gives.
func TestKeyFiles(t *testing.T) {
	want := map[string]string{"EC": ecPublic, "Ed25519": edPublic, "RSA": rsaPublic(t)}
	for name, file := range keyFiles(t) {
		kind := strings.Fields(name)[0]
		var parse func([]byte) (jwk.JWK, error)
		switch {
		case bytes.HasPrefix(file, []byte("-----BEGIN")):
			parse = jwk.ParsePEM
		case strings.HasSuffix(name, "DER"):
			parse = jwk.ParseDER
		default:
			continue
		}
		variants := [][]byte{file}
		if file[0] == '-' {
			variants = append(variants, bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")), bytes.TrimRight(file, "\n"),
				append([]byte("Some text\nthat says what it is\n"), file...), append(bytes.Clone(file), " \n\t\n"...))
		}
		for i, variant := range variants {
			j, err := parse(variant)
			if err != nil {
				t.Errorf("%s, variant %d: %v", name, i, err)
				continue
			}
			if got := len(j.X5C()); got != strings.Count(name, "certificate") {
				t.Errorf("%s: %d certificates", name, got)
			}
			if private := strings.Contains(name, "PKCS#8") || strings.Contains(name, "SEC1") || strings.Contains(name, "private"); j.IsPrivate() != private {
				t.Errorf("%s: private %v", name, j.IsPrivate())
			}
			if k, err := j.PublicKey(jwk.Binding{}); err != nil {
				t.Errorf("%s: %v", name, err)
			} else if j.IsPrivate() {
				if _, err := j.PrivateKey(jwk.Binding{}); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else if k.KeyID() != "" {
				t.Errorf("%s: kid %q", name, k.KeyID())
			}
			bare, err := j.With("x5c", nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := bare.MarshalJSON()
			if err != nil || members(t, string(got), nil) != members(t, want[kind], nil) {
				t.Errorf("%s: %s, %v", name, got, err)
			}
		}
	}
}

func TestMarshalRoundTrip(t *testing.T) {
	for _, text := range []string{ecPrivate, edPrivate, rsaPrivate(t)} {
		j := mustParse(t, text)
		for name, c := range map[string]struct {
			marshal func() ([]byte, error)
			parse   func([]byte) (jwk.JWK, error)
			private bool
		}{
			"DER":         {j.MarshalDER, jwk.ParseDER, false},
			"PEM":         {j.MarshalPEM, jwk.ParsePEM, false},
			"private DER": {j.MarshalPrivateDER, jwk.ParseDER, true},
			"private PEM": {j.MarshalPrivatePEM, jwk.ParsePEM, true},
		} {
			data, err := c.marshal()
			if err != nil {
				t.Fatal(name, err)
			}
			again, err := c.parse(data)
			if err != nil || again.IsPrivate() != c.private {
				t.Fatal(name, again.IsPrivate(), err)
			}
			got, err := again.MarshalPrivateJSON()
			if err != nil {
				t.Fatal(err)
			}
			want, err := j.MarshalJSON()
			if c.private {
				want, err = j.MarshalPrivateJSON()
			}
			if err != nil || string(got) != string(want) {
				t.Errorf("%s: %s\n%s\n%v", name, got, want, err)
			}
		}
	}
	for name, c := range map[string]struct{ data, code, private string }{
		"oct":     {octSecret, "key.private", "key.private"},
		"unknown": {`{"kty":"X"}`, "key.unsupported", "key.unsupported"},
		"public":  {ecPublic, "", "key.private"},
		"broken":  {members(t, ecPrivate, map[string]any{"x": "AA"}), "key.invalid", "key.invalid"},
	} {
		j := mustParse(t, c.data)
		if c.code != "" {
			_, err := j.MarshalDER()
			wantCode(t, err, c.code)
			_, err = j.MarshalPEM()
			wantCode(t, err, c.code)
		}
		_, err := j.MarshalPrivateDER()
		wantCode(t, err, c.private)
		_, err = j.MarshalPrivatePEM()
		wantCode(t, err, c.private)
		_ = name
	}
}

func TestParsePEMRefuses(t *testing.T) {
	files := keyFiles(t)
	cert, spki := files["EC certificate"], files["EC SPKI"]
	block := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "DES-CBC,00"}, Bytes: []byte{1}})
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty":                  {nil, "key.invalid"},
		"text":                   {[]byte("no PEM"), "key.invalid"},
		"DER":                    {files["EC SPKI DER"], "key.invalid"},
		"two keys":               {append(bytes.Clone(spki), spki...), "key.invalid"},
		"key and certificate":    {append(bytes.Clone(spki), cert...), "key.invalid"},
		"certificate and key":    {append(bytes.Clone(cert), files["EC PKCS#8"]...), "key.invalid"},
		"text after it":          {append(bytes.Clone(spki), "more"...), "key.invalid"},
		"broken block after it":  {append(bytes.Clone(spki), "-----BEGIN PUBLIC KEY-----\n!\n"...), "key.invalid"},
		"encrypted PKCS#8":       {block("ENCRYPTED PRIVATE KEY", []byte{1}), "key.unsupported"},
		"encrypted PKCS#1":       {encrypted, "key.unsupported"},
		"OpenSSH":                {block("OPENSSH PRIVATE KEY", []byte{1}), "key.unsupported"},
		"another label":          {block("DH PARAMETERS", []byte{1}), "key.unsupported"},
		"only parameters":        {block("EC PARAMETERS", []byte{1}), "key.invalid"},
		"private labelled so":    {block("PUBLIC KEY", files["EC PKCS#8 DER"]), "key.invalid"},
		"public labelled so":     {block("PRIVATE KEY", files["EC SPKI DER"]), "key.invalid"},
		"PKCS#1 labelled so":     {block("PUBLIC KEY", files["RSA PKCS#1 DER"]), "key.invalid"},
		"SPKI labelled RSA":      {block("RSA PUBLIC KEY", files["RSA SPKI DER"]), "key.invalid"},
		"PKCS#8 labelled RSA":    {block("RSA PRIVATE KEY", files["EC PKCS#8 DER"]), "key.invalid"},
		"PKCS#8 labelled EC":     {block("EC PRIVATE KEY", files["RSA PKCS#8 DER"]), "key.invalid"},
		"no certificate":         {block("CERTIFICATE", files["EC SPKI DER"]), "key.invalid"},
		"P-224":                  {block("CERTIFICATE", certificate(t, &p224.PublicKey)), "key.unsupported"},
		"trailing data in block": {block("PUBLIC KEY", append(bytes.Clone(files["EC SPKI DER"]), 0)), "key.invalid"},
		"too large":              {append(bytes.Clone(spki), bytes.Repeat([]byte("\n"), 1<<20)...), "key.limit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwk.ParsePEM(c.data)
			wantCode(t, err, c.code)
			if name == "OpenSSH" && err != nil && !strings.Contains(err.Error(), "ssh-keygen") {
				t.Errorf("no hint in %q", err)
			}
		})
	}
	t.Run("chain", func(t *testing.T) {
		j, err := jwk.ParsePEM(append(bytes.Clone(cert), files["RSA certificate"]...))
		if err != nil || len(j.X5C()) != 2 {
			t.Fatal(len(j.X5C()), err)
		}
		if _, err := j.PublicKey(jwk.Binding{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("long chain", func(t *testing.T) {
		j, err := jwk.ParsePEM(bytes.Repeat(cert, 300))
		if err != nil || len(j.X5C()) != 300 {
			t.Fatal(len(j.X5C()), err)
		}
		_, err = j.With("use", "sig") // more than a JWK may have
		wantCode(t, err, "json.limit")
	})
	t.Run("parameters first", func(t *testing.T) {
		j, err := jwk.ParsePEM(append(block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}), files["EC SEC1"]...))
		if err != nil || !j.IsPrivate() {
			t.Error(err)
		}
	})
}

func TestParseDERRefuses(t *testing.T) {
	files := keyFiles(t)
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty":     {nil, "key.invalid"},
		"PEM":       {files["EC SPKI"], "key.invalid"},
		"truncated": {files["EC SPKI DER"][:80], "key.invalid"},
		"trailing":  {append(bytes.Clone(files["EC SPKI DER"]), 0), "key.invalid"},
		"too large": {bytes.Repeat([]byte{0x30}, 1<<20+1), "key.limit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwk.ParseDER(c.data)
			wantCode(t, err, c.code)
		})
	}
}

func TestFromKey(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPub, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := testRSA(t)
	wrong := &rsa.PrivateKey{PublicKey: r.PublicKey, D: new(big.Int).Add(r.D, big.NewInt(2)), Primes: r.Primes}
	mixed := append(bytes.Clone(ed[:32]), edPub...)
	mixed[33] ^= 1
	for name, c := range map[string]struct {
		key  any
		code string
	}{
		"EC":                    {&ec.PublicKey, ""},
		"EC private":            {ec, ""},
		"RSA":                   {&r.PublicKey, ""},
		"RSA private":           {r, ""},
		"Ed25519":               {edPub, ""},
		"Ed25519 private":       {ed, ""},
		"nil":                   {nil, "key.unsupported"},
		"value":                 {r.PublicKey, "key.unsupported"},
		"bytes":                 {[]byte("secret"), "key.unsupported"},
		"P-224":                 {&p224.PublicKey, "key.unsupported"},
		"P-224 private":         {p224, "key.unsupported"},
		"nil EC":                {(*ecdsa.PublicKey)(nil), "key.invalid"},
		"nil EC private":        {(*ecdsa.PrivateKey)(nil), "key.invalid"},
		"empty EC":              {&ecdsa.PublicKey{}, "key.invalid"},
		"no X":                  {&ecdsa.PublicKey{Curve: elliptic.P256(), Y: ec.Y}, "key.invalid"},
		"no Y":                  {&ecdsa.PublicKey{Curve: elliptic.P256(), X: ec.X}, "key.invalid"},
		"off the curve":         {&ecdsa.PublicKey{Curve: elliptic.P256(), X: ec.X, Y: ec.X}, "key.invalid"},
		"EC private, mixed":     {&ecdsa.PrivateKey{PublicKey: other.PublicKey, D: ec.D}, "key.invalid"},
		"nil RSA":               {(*rsa.PublicKey)(nil), "key.invalid"},
		"empty RSA":             {&rsa.PublicKey{}, "key.invalid"},
		"negative RSA":          {&rsa.PublicKey{N: big.NewInt(-5), E: 3}, "key.invalid"},
		"RSA without e":         {&rsa.PublicKey{N: r.N}, "key.invalid"},
		"nil RSA private":       {(*rsa.PrivateKey)(nil), "key.invalid"},
		"empty RSA private":     {&rsa.PrivateKey{}, "key.invalid"},
		"RSA private, mixed":    {wrong, "key.invalid"},
		"short Ed25519":         {edPub[:31], "key.invalid"},
		"short Ed25519 private": {slices.Clip(ed[:10]), "key.invalid"},
		"long Ed25519 private":  {append(slices.Clone(ed), 0), "key.invalid"},
		"Ed25519, mixed":        {ed25519.PrivateKey(mixed), "key.invalid"},
		"nil ECDH":              {(*ecdh.PublicKey)(nil), "key.invalid"},
		"nil ECDH private":      {(*ecdh.PrivateKey)(nil), "key.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := jwk.FromKey(c.key)
			if c.code != "" {
				wantCode(t, err, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.PublicKey(jwk.Binding{}); err != nil {
				t.Error(err)
			}
			if got := strings.Contains(name, "private"); j.IsPrivate() != got {
				t.Errorf("private %v", got)
			}
		})
	}
}

func TestKeyAgreementKeys(t *testing.T) {
	for _, c := range []ecdh.Curve{ecdh.P256(), ecdh.P384(), ecdh.P521(), ecdh.X25519()} {
		if fipsEnforced && c == ecdh.X25519() {
			continue
		}
		k, err := c.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := jwk.FromKey(k.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		priv, err := jwk.FromKey(k)
		if err != nil {
			t.Fatal(err)
		}
		der, err := priv.MarshalPrivateDER()
		if err != nil {
			t.Fatal(err)
		}
		again, err := jwk.ParseDER(der)
		if err != nil || again.Curve() != pub.Curve() || !again.IsPrivate() {
			t.Fatal(again, err)
		}
		if c != ecdh.X25519() {
			continue
		}
		_, err = pub.PublicKey(jwk.Binding{})
		wantCode(t, err, "key.use")
		data, err := priv.MarshalPrivateJSON()
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]any{"x": "AA", "d": "AA"} {
			_, err := mustParse(t, members(t, string(data), map[string]any{name: v})).MarshalPrivateDER()
			wantCode(t, err, "key.invalid")
			wantText(t, "too short", err)
		}
		other, err := c.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o, err := jwk.FromKey(other)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := o.Member("d")
		_, err = mustParse(t, members(t, string(data), map[string]any{"d": strings.Trim(string(raw), `"`)})).MarshalPrivateDER()
		wantCode(t, err, "key.invalid")
	}
}
