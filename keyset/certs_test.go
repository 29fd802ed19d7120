package keyset_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// A holder has a certificate and its private key.
type holder struct {
	*x509.Certificate
	key    crypto.Signer
	issuer *holder
}

var serial atomic.Int64

func ecKey() crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// certify makes a certificate: by an issuer, or by itself where that is nil.
func certify(t testing.TB, issuer *holder, key crypto.Signer, change func(*x509.Certificate)) *holder {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)),
		Subject:      pkix.Name{CommonName: "signer.example"},
		NotBefore:    time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		DNSNames:     []string{"signer.example"},
		MaxPathLen:   -1,
	}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if issuer != nil {
		parent, signer = issuer.Certificate, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &holder{cert, key, issuer}
}

// authority makes a certificate of an authority.
func authority(t testing.TB, issuer *holder, name string, change func(*x509.Certificate)) *holder {
	t.Helper()
	return certify(t, issuer, ecKey(), func(c *x509.Certificate) {
		c.Subject.CommonName = name
		c.DNSNames = nil
		c.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
		c.IsCA, c.BasicConstraintsValid = true, true
		if change != nil {
			change(c)
		}
	})
}

// chain is what a header has: the certificate and those above it, without the root.
func (h *holder) chain() [][]byte {
	ders := [][]byte{h.Raw}
	for up := h.issuer; up != nil && up.issuer != nil; up = up.issuer {
		ders = append(ders, up.Raw)
	}
	return ders
}

func (h *holder) x5t() string {
	sum := sha256.Sum256(h.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sign signs with the holder's key; what the header says beside alg is the caller's.
func (h *holder) sign(t testing.TB, alg jwa.Algorithm, header jws.Header) string {
	t.Helper()
	k, err := jwk.NewPrivateKey(alg, "", h.key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(ctx, k, header, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func pool(holders ...*holder) *x509.CertPool {
	p := x509.NewCertPool()
	for _, h := range holders {
		p.AddCert(h.Certificate)
	}
	return p
}

// certificates makes a source for the one name that most tests have.
func certificates(t testing.TB, root *holder, change func(*keyset.CertificateOptions)) *keyset.Certificates {
	t.Helper()
	o := keyset.CertificateOptions{Roots: pool(root), Names: []string{"signer.example"}, Options: options(newClock())}
	if change != nil {
		change(&o)
	}
	c, err := keyset.NewCertificates(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A family is a root, an authority below it, and a signer.
func family(t testing.TB) (root, ca, leaf *holder) {
	root = authority(t, nil, "root", nil)
	ca = authority(t, root, "authority", nil)
	return root, ca, certify(t, ca, ecKey(), nil)
}

func TestCertificates(t *testing.T) {
	root, _, leaf := family(t)
	c := certificates(t, root, nil)
	for name, h := range map[string]jws.Header{
		"chain":           {X5C: leaf.chain()},
		"with the root":   {X5C: append(leaf.chain(), root.Raw)},
		"its x5t#S256":    {X5C: leaf.chain(), X5T256: leaf.x5t()},
		"a kid and a jwk": {X5C: leaf.chain(), KeyID: "of nobody", JWK: ptr(keyNamed(t, "stranger").JWK())},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 { // judged, and remembered
				m, err := jws.Verify(ctx, c, leaf.sign(t, jwa.ES256, h), jws.Options{})
				if err != nil {
					t.Fatal(err)
				}
				key := m.Signatures[0].Key
				print, err := key.JWK().Thumbprint(crypto.SHA256)
				if err != nil || key.KeyID() != print || !bytes.Equal(key.JWK().X5C()[0], leaf.Raw) {
					t.Errorf("%v %v %v", key.JWK(), print, err)
				}
			}
		})
	}
	// A signer that is a root itself, and one that is certified by a root itself.
	own := certify(t, nil, ecKey(), nil)
	direct := certify(t, root, ecKey(), nil)
	both := certificates(t, root, func(o *keyset.CertificateOptions) { o.Roots = pool(root, own) })
	for _, h := range []*holder{own, direct} {
		if _, err := jws.Verify(ctx, both, h.sign(t, jwa.ES256, jws.Header{X5C: h.chain()}), jws.Options{}); err != nil {
			t.Error(err)
		}
	}
	// What the caller does to its pool later changes nothing.
	roots := pool(own)
	fixed := certificates(t, root, func(o *keyset.CertificateOptions) { o.Roots = roots })
	roots.AddCert(root.Certificate)
	_, err := jws.Verify(ctx, fixed, leaf.sign(t, jwa.ES256, jws.Header{X5C: leaf.chain()}), jws.Options{})
	wantCode(t, err, "cert.untrusted")
}

func ptr[T any](v T) *T { return &v }

// TestCertificateAttacks has group A7 of the catalogue for a verifier that trusts
// certificates. Each case differs from the control in one thing.
func TestCertificateAttacks(t *testing.T) {
	root, ca, leaf := family(t)
	other := authority(t, nil, "root", nil) // of the same name
	stranger := certify(t, authority(t, other, "authority", nil), ecKey(), nil)
	under := func(issuer *holder, change func(*x509.Certificate)) *holder {
		return certify(t, issuer, ecKey(), change)
	}
	of := func(change func(*x509.Certificate)) *holder { return under(authority(t, root, "changed", change), nil) }
	day := func(hour, min, sec int) time.Time { return time.Date(2026, 1, 1, hour, min, sec, 0, time.UTC) }
	long := root
	for i := range 8 {
		long = authority(t, long, strings.Repeat("x", i+1), nil)
	}
	names := func(n int) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.DNSNames = slices.Concat(c.DNSNames, slices.Repeat([]string{"one-of-many.signer.example"}, n))
		}
	}
	wide, err := x509.CreateCertificate(rand.Reader, leaf.Certificate, ca.Certificate, &rsa.PublicKey{N: new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8193), big.NewInt(1)), E: 65537}, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	c := certificates(t, root, nil)
	for _, tc := range []struct {
		name  string
		chain [][]byte
		x5t   string
		code  string
	}{
		{"control", leaf.chain(), "", ""},
		{"no certificate", nil, "", "cert.missing"},
		{"no certificate, and the hash of one", nil, leaf.x5t(), "cert.missing"},
		{"self-signed", under(nil, nil).chain(), "", "cert.untrusted"},
		{"of another root of the same name", stranger.chain(), "", "cert.untrusted"},
		{"of another root, which it brings along", append(stranger.chain(), other.Raw), "", "cert.untrusted"},
		{"expired", under(ca, func(c *x509.Certificate) { c.NotAfter = day(11, 59, 59) }).chain(), "", "cert.expired"},
		{"until now", under(ca, func(c *x509.Certificate) { c.NotAfter = day(12, 0, 0) }).chain(), "", ""},
		{"not valid yet", under(ca, func(c *x509.Certificate) { c.NotBefore = day(12, 0, 1) }).chain(), "", "cert.expired"},
		{"of an expired authority", of(func(c *x509.Certificate) { c.NotAfter = day(0, 0, 0) }).chain(), "", "cert.expired"},
		{"for encryption", under(ca, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }).chain(), "", "cert.usage"},
		{"for nothing", under(ca, func(c *x509.Certificate) {
			c.KeyUsage = 0
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: []byte{3, 1, 0}}}
		}).chain(), "", "cert.usage"},
		{"says nothing of its use", under(ca, func(c *x509.Certificate) { c.KeyUsage = 0 }).chain(), "", ""},
		{"of another name", under(ca, func(c *x509.Certificate) { c.DNSNames = []string{"mallory.example"} }).chain(), "", "cert.name"},
		{"with the name as a common name alone", under(ca, func(c *x509.Certificate) { c.DNSNames = nil }).chain(), "", "cert.name"},
		{"with the name as another kind of name", under(ca, func(c *x509.Certificate) {
			c.DNSNames, c.URIs, c.EmailAddresses = nil, []*url.URL{{Path: "signer.example"}}, []string{"signer.example"}
		}).chain(), "", "cert.name"},
		{"with a wildcard", under(ca, func(c *x509.Certificate) { c.DNSNames = []string{"*.example"} }).chain(), "", "cert.name"},
		{"below the name", under(ca, func(c *x509.Certificate) { c.DNSNames = []string{"a.signer.example"} }).chain(), "", "cert.name"},
		{"in another case", under(ca, func(c *x509.Certificate) { c.DNSNames = []string{"SIGNER.example"} }).chain(), "", ""},
		{"the authority's own certificate", ca.chain(), "", "cert.name"},
		{"intermediate missing", leaf.chain()[:1], "", "cert.untrusted"},
		{"order", [][]byte{ca.Raw, leaf.Raw}, "", "cert.malformed"},
		{"a stranger between", [][]byte{leaf.Raw, stranger.Raw, ca.Raw}, "", "cert.malformed"},
		{"two of one subject", append(leaf.chain(), root.Raw, root.Raw), "", "cert.malformed"},
		{"path length", under(authority(t, authority(t, root, "last", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }), "below", nil), nil).chain(), "", "cert.untrusted"},
		{"within the path length", under(authority(t, root, "last", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }), nil).chain(), "", ""},
		{"of one that is no authority", under(leaf, func(c *x509.Certificate) { c.Subject.CommonName = "below" }).chain(), "", "cert.untrusted"},
		{"of an authority for other names", of(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"elsewhere.example"} }).chain(), "", "cert.untrusted"},
		{"with a critical extension", under(ca, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}).chain(), "", "cert.untrusted"},
		{"x5t#S256", leaf.chain(), leaf.x5t(), ""},
		{"x5t#S256 of another", leaf.chain(), ca.x5t(), "cert.mismatch"},
		{"no certificate in it", [][]byte{{1}}, "", "cert.malformed"},
		{"data after it", [][]byte{append(slices.Clone(leaf.Raw), 0), ca.Raw}, "", "cert.malformed"},
		{"the second is none", [][]byte{leaf.Raw, {1}}, "", "cert.malformed"},
		{"eight", long.issuer.signer(t).chain(), "", ""},
		{"nine", long.signer(t).chain(), "", "cert.limit"},
		{"under 32 KiB", under(ca, names(1000)).chain(), "", ""},
		{"over 32 KiB", under(ca, names(1200)).chain(), "", "cert.limit"},
		{"RSA of 8193 bits", [][]byte{wide, ca.Raw}, "", "cert.limit"},
		{"RSA of 1024 bits", certify(t, ca, weak, nil).chain(), "", "key.weak"},
		{"a curve that does not sign here", certify(t, ca, curve(t, elliptic.P224()), nil).chain(), "", "key.unsupported"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alg := "ES256"
			if strings.HasPrefix(tc.name, "RSA") {
				alg = "RS256"
			}
			for range 2 {
				keys, err := c.Keys(ctx, jwk.Query{Algorithm: alg, X5C: tc.chain, X5TS256: tc.x5t})
				wantCode(t, err, tc.code)
				if (len(keys) == 1) != (tc.code == "") {
					t.Errorf("%d keys", len(keys))
				}
				if strings.HasPrefix(tc.code, "cert.") && (!errors.Is(err, keyset.ErrCertificate) || !errors.Is(err, jwk.ErrNoKey)) {
					t.Error(err)
				}
			}
		})
	}
	// A certificate that everyone can have says nothing of who has signed.
	for name, by := range map[string]*holder{"a stranger": stranger, "the authority": ca, "another whom it certifies": under(ca, nil)} {
		_, err := jws.Verify(ctx, c, by.sign(t, jwa.ES256, jws.Header{X5C: leaf.chain()}), jws.Options{})
		wantCode(t, err, "sig.invalid")
		if err == nil {
			t.Error(name)
		}
	}
}

// signer is one that the holder, an authority, certifies.
func (h *holder) signer(t testing.TB) *holder { return certify(t, h, ecKey(), nil) }

func curve(t testing.TB, c elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The SHA-1 thumbprint, which some send, is not looked at, and neither are headers that
// nothing protects.
func TestCertificatesIgnore(t *testing.T) {
	root, _, leaf := family(t)
	c := certificates(t, root, nil)
	sum := sha1.Sum(root.Raw)
	header := jws.Header{X5C: leaf.chain(), Extra: map[string]json.RawMessage{"x5t": json.RawMessage(`"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`)}}
	if _, err := jws.Verify(ctx, c, leaf.sign(t, jwa.ES256, header), jws.Options{}); err != nil {
		t.Error(err)
	}
	part := strings.Split(leaf.sign(t, jwa.ES256, jws.Header{}), ".")
	unprotected, err := json.Marshal(map[string]any{"x5c": leaf.chain()})
	if err != nil {
		t.Fatal(err)
	}
	doc := `{"payload":"` + part[1] + `","protected":"` + part[0] + `","header":` + string(unprotected) + `,"signature":"` + part[2] + `"}`
	_, err = jws.VerifyJSON(ctx, c, []byte(doc), jws.Options{AllowUnprotectedHeader: true})
	wantCode(t, err, "cert.missing")
}

func TestCertificateNames(t *testing.T) {
	root, ca, _ := family(t)
	leaf := certify(t, ca, ecKey(), func(c *x509.Certificate) {
		c.DNSNames = []string{"a.example", "b.example"}
		c.EmailAddresses = []string{"Signer@Mail.example", "odd"}
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "corp.example", Path: "/ns/pay"}}
	})
	for _, tc := range []struct {
		names, uris, emails string
		ok                  bool
	}{
		{names: "a.example", ok: true},
		{names: "x.example b.example", ok: true},
		{names: "corp.example"},
		{uris: "spiffe://corp.example/ns/pay", ok: true},
		{uris: "spiffe://corp.example/ns/PAY"},
		{uris: "spiffe://corp.example/ns/pay/"},
		{emails: "Signer@mail.EXAMPLE", ok: true},
		{emails: "signer@mail.example"},
		{emails: "Signer@other.example"},
		{emails: "odd"},
		{emails: "igner@Mail.example"},
		{names: "x.example", uris: "spiffe://x/", emails: "Signer@Mail.example", ok: true},
	} {
		c := certificates(t, root, func(o *keyset.CertificateOptions) {
			o.Names, o.URIs, o.Emails = strings.Fields(tc.names), strings.Fields(tc.uris), strings.Fields(tc.emails)
		})
		_, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5C: leaf.chain()})
		want := "cert.name"
		if tc.ok {
			want = ""
		}
		wantCode(t, err, want)
	}
	c := certificates(t, root, func(o *keyset.CertificateOptions) { o.Names, o.AnyName = nil, true })
	if _, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5C: leaf.chain()}); err != nil {
		t.Error(err)
	}
}

func TestCertificatePurposes(t *testing.T) {
	jwts, err := x509.ParseOID("1.3.6.1.5.5.7.3.37") // RFC 9509, Section 3
	if err != nil {
		t.Fatal(err)
	}
	jwt37 := []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 37}}
	root := authority(t, nil, "root", nil)
	free := authority(t, root, "free", nil)
	forJWT := authority(t, root, "for JWT", func(c *x509.Certificate) { c.UnknownExtKeyUsage = jwt37 })
	forAny := authority(t, root, "for any", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} })
	forTLS := authority(t, root, "for TLS", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	for _, tc := range []struct {
		name   string
		issuer *holder
		usages []x509.ExtKeyUsage
		other  []asn1.ObjectIdentifier
		want   []x509.OID
		code   string
	}{
		{"none asked for, none there", free, nil, nil, nil, ""},
		{"none asked for", forTLS, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, nil, ""},
		{"it has it", free, nil, jwt37, []x509.OID{jwts}, ""},
		{"it and its issuer have it", forJWT, nil, jwt37, []x509.OID{jwts}, ""},
		{"its issuer has any", forAny, nil, jwt37, []x509.OID{jwts}, ""},
		{"its issuer rules it out", forTLS, nil, jwt37, []x509.OID{jwts}, "cert.usage"},
		{"its issuer has it alone", forJWT, nil, nil, []x509.OID{jwts}, "cert.usage"},
		{"it has another", free, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, nil, []x509.OID{jwts}, "cert.usage"},
		{"it has any", free, []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, nil, []x509.OID{jwts}, "cert.usage"},
		{"one of two", free, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, nil, []x509.OID{jwts, x509.ExtKeyUsageClientAuth.OID()}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := certify(t, tc.issuer, ecKey(), func(c *x509.Certificate) { c.ExtKeyUsage, c.UnknownExtKeyUsage = tc.usages, tc.other })
			c := certificates(t, root, func(o *keyset.CertificateOptions) { o.ExtKeyUsages = tc.want })
			_, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5C: leaf.chain()})
			wantCode(t, err, tc.code)
		})
	}
}

// The header's alg chooses among the algorithms that a certificate's key is bound to, and
// does not choose how it is used.
func TestCertificateAlgorithms(t *testing.T) {
	root, ca, leaf := family(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	rsaLeaf, edLeaf := certify(t, ca, rsaKey, nil), certify(t, ca, edKey, nil)
	both := jwk.Binding{Algorithms: []jwa.Algorithm{jwa.PS256, jwa.RS256, jwa.ECDH_ES}}
	for _, tc := range []struct {
		leaf    *holder
		binding jwk.Binding
		alg     string
		code    string
	}{
		{leaf, jwk.Binding{}, "ES256", ""},
		{leaf, jwk.Binding{}, "ES384", "alg.mismatch"},
		{leaf, jwk.Binding{}, "HS256", "alg.mismatch"},
		{leaf, jwk.Binding{}, "none", "alg.mismatch"},
		{leaf, jwk.Binding{}, "", "alg.mismatch"},
		{leaf, both, "ES256", ""},
		{leaf, both, "ECDH-ES", "alg.mismatch"},
		{rsaLeaf, jwk.Binding{}, "RS256", ""},
		{rsaLeaf, jwk.Binding{}, "PS256", "alg.mismatch"},
		{rsaLeaf, both, "PS256", ""},
		{rsaLeaf, both, "RS256", ""},
		{rsaLeaf, both, "RS512", "alg.mismatch"},
		{leaf, jwk.Binding{Algorithms: []jwa.Algorithm{jwa.ES384}}, "ES256", "alg.mismatch"},
		{edLeaf, jwk.Binding{}, "EdDSA", ""},
		{edLeaf, jwk.Binding{}, "Ed25519", ""},
	} {
		c := certificates(t, root, func(o *keyset.CertificateOptions) { o.Options.Binding = tc.binding })
		keys, err := c.Keys(ctx, jwk.Query{Algorithm: tc.alg, X5C: tc.leaf.chain()})
		wantCode(t, err, tc.code)
		if err == nil && (len(keys) != 1 || !keys[0].Algorithm().Is(alg(t, tc.alg))) {
			t.Errorf("%s: %v", tc.alg, keys)
		}
	}
	// One signer is one, however often it signs.
	c := certificates(t, root, nil)
	renewed := certify(t, ca, leaf.key, nil)
	_, err = jws.VerifyJSON(ctx, c, twice(t, leaf, renewed), jws.Options{MinSignatures: 2})
	wantCode(t, err, "sig.invalid")
	if _, err = jws.VerifyJSON(ctx, c, twice(t, leaf, edLeaf), jws.Options{MinSignatures: 2}); err != nil {
		t.Error(err)
	}
}

func alg(t testing.TB, name string) jwa.Algorithm {
	t.Helper()
	a, ok := jwa.Lookup(name)
	if !ok {
		t.Fatal(name)
	}
	return a
}

// twice is a document that two certificates have signed.
func twice(t testing.TB, holders ...*holder) []byte {
	t.Helper()
	type signature struct {
		Protected string `json:"protected"`
		Signature string `json:"signature"`
	}
	var doc struct {
		Payload    string      `json:"payload"`
		Signatures []signature `json:"signatures"`
	}
	for _, h := range holders {
		alg := jwa.ES256
		if _, ok := h.key.(ed25519.PrivateKey); ok {
			alg = jwa.EdDSA
		}
		part := strings.Split(h.sign(t, alg, jws.Header{X5C: h.chain()}), ".")
		doc.Payload = part[1]
		doc.Signatures = append(doc.Signatures, signature{part[0], part[2]})
	}
	return []byte(mustJSON(doc))
}

// A chain that has been verified is not verified again, until one of its certificates
// expires, and no other chain has its answer.
func TestCertificatesRemember(t *testing.T) {
	clock := newClock()
	root := authority(t, nil, "root", nil)
	ca := authority(t, root, "authority", func(c *x509.Certificate) { c.NotAfter = clock.Now().Add(time.Hour) })
	leaf := certify(t, ca, ecKey(), nil)
	c := certificates(t, root, func(o *keyset.CertificateOptions) { o.Options.Clock = clock.Now })
	q := jwk.Query{Algorithm: "ES256", X5C: leaf.chain()}
	first, err := c.Keys(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	again := func() jwk.Verifier {
		keys, err := c.Keys(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		return keys[0]
	}
	if again() != first[0] {
		t.Error("the key is another one")
	}
	if !keyset.RaceEnabled && testing.CoverMode() == "" {
		if n := testing.AllocsPerRun(100, func() { again() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
	// The same first certificate, with others behind it.
	for _, chain := range [][][]byte{leaf.chain()[:1], {leaf.Raw, authority(t, nil, "authority", nil).Raw}} {
		_, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5C: chain})
		wantCode(t, err, "cert.untrusted")
	}
	// What was asked with is the caller's.
	kept := q.X5C[0][100]
	q.X5C[0][100] ^= 1
	if keys, err := c.Keys(ctx, q); err == nil {
		t.Error(keys)
	}
	q.X5C[0][100] = kept
	if again() != first[0] {
		t.Error("the key is another one")
	}
	clock.Add(time.Hour)
	again()
	clock.Add(time.Second)
	_, err = c.Keys(ctx, q)
	wantCode(t, err, "cert.expired")
	clock.Add(-2 * 365 * 24 * time.Hour)
	_, err = c.Keys(ctx, q)
	wantCode(t, err, "cert.expired")
}

// A token with a certificate goes through the caches of a verifier: what was true of its
// header is asked anew, for each token.
func TestCertificatesOfTokens(t *testing.T) {
	clock := newClock()
	root, ca, _ := family(t)
	leaf := certify(t, ca, ecKey(), func(c *x509.Certificate) { c.NotAfter = clock.Now().Add(time.Hour) })
	c := certificates(t, root, func(o *keyset.CertificateOptions) { o.Options.Clock = clock.Now })
	trust := new(keyset.Trust)
	if err := trust.Add("https://signer.example", c); err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier[struct{}](trust, jwt.Policy{AnyIssuer: true, AnyAudience: true, Selector: "iss", Clock: clock.Now, CacheSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwk.NewPrivateKey(jwa.ES256, "", leaf.key)
	if err != nil {
		t.Fatal(err)
	}
	token := func(issuer string) string {
		raw, err := jwt.Sign(ctx, k, jwt.Header{X5C: leaf.chain()}, jwt.Registered{Issuer: issuer, Expiry: clock.Now().Add(24 * time.Hour)}, struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	raw := token("https://signer.example")
	for range 3 {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(ctx, token("https://signer.example")); err != nil {
			t.Fatal(err)
		}
		_, err := v.Verify(ctx, token("https://other.example"))
		wantCode(t, err, "issuer.untrusted")
	}
	clock.Add(time.Hour + time.Second)
	for _, raw := range []string{raw, token("https://signer.example")} {
		_, err := v.Verify(ctx, raw)
		wantCode(t, err, "cert.expired")
		if _, ok := errors.AsType[*jwt.RejectError](err); !ok {
			t.Errorf("%T", err)
		}
	}
}

// certServer publishes PEM and counts who comes.
type certServer struct {
	*httptest.Server
	mu   sync.Mutex
	hits int
	body map[string]string
	mime string
}

func newCertServer(t testing.TB) *certServer {
	s := &certServer{body: map[string]string{}}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hits++
		body, ok := s.body[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header()["Content-Type"] = []string{s.mime}
		w.Header().Set("ETag", `"`+mustJSON(len(body))+`"`)
		if r.Header.Get("If-None-Match") == w.Header().Get("ETag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *certServer) publish(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body[path] = body
}

func (s *certServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits
}

// reach lets a source dial the server.
func (s *certServer) reach(o *keyset.Options) {
	o.RootCAs = x509.NewCertPool()
	o.RootCAs.AddCert(s.Certificate())
	o.AllowHosts = []string{"127.0.0.1"}
}

func pemOf(ders ...[]byte) string {
	var b strings.Builder
	for _, der := range ders {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return b.String()
}

// TestURLsOfHeaders has group A6: no URL of a header is fetched unless it is on a list.
func TestURLsOfHeaders(t *testing.T) {
	root, _, leaf := family(t)
	s := newCertServer(t)
	s.publish("/chain", pemOf(leaf.chain()...))
	s.publish("/jwks", published(keyNamed(t, "1").Public()))
	open := func(o *keyset.CertificateOptions) { s.reach(&o.Options) }
	for name, tc := range map[string]struct {
		change func(*keyset.CertificateOptions)
		q      jwk.Query
		code   string
	}{
		"x5u":                    {nil, jwk.Query{X5U: s.URL + "/chain"}, "cert.missing"},
		"jku":                    {nil, jwk.Query{JKU: s.URL + "/jwks"}, "cert.missing"},
		"x5u beside x5c":         {nil, jwk.Query{X5U: s.URL + "/chain", X5C: leaf.chain()}, ""},
		"x5u beside another":     {func(o *keyset.CertificateOptions) { o.X5U = []string{s.URL + "/other"} }, jwk.Query{X5U: s.URL + "/chain"}, "cert.missing"},
		"x5u in another case":    {func(o *keyset.CertificateOptions) { o.X5U = []string{s.URL + "/CHAIN"} }, jwk.Query{X5U: s.URL + "/chain"}, "cert.missing"},
		"x5u below":              {func(o *keyset.CertificateOptions) { o.X5U = []string{s.URL + "/"} }, jwk.Query{X5U: s.URL + "/chain"}, "cert.missing"},
		"x5u on the list of jku": {func(o *keyset.CertificateOptions) { o.JKU = []string{s.URL + "/chain"} }, jwk.Query{X5U: s.URL + "/chain"}, "cert.missing"},
		"jku on the list of x5u": {func(o *keyset.CertificateOptions) { o.X5U = []string{s.URL + "/jwks"} }, jwk.Query{JKU: s.URL + "/jwks"}, "cert.missing"},
		"x5c is taken before the URL": {func(o *keyset.CertificateOptions) {
			o.X5U, o.JKU = []string{s.URL + "/chain"}, []string{s.URL + "/jwks"}
		}, jwk.Query{X5U: s.URL + "/chain", JKU: s.URL + "/jwks", X5C: leaf.chain()}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := certificates(t, root, func(o *keyset.CertificateOptions) {
				open(o)
				if tc.change != nil {
					tc.change(o)
				}
			})
			tc.q.Algorithm = "ES256"
			_, err := c.Keys(ctx, tc.q)
			wantCode(t, err, tc.code)
		})
	}
	// On the list, but not at an address that strangers may have us dial.
	for _, host := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		o := keyset.CertificateOptions{Roots: pool(root), Names: []string{"signer.example"}, X5U: []string{host + "/chain"}, Options: options(newClock())}
		c, err := keyset.NewCertificates(o)
		if err == nil {
			_, err = c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5U: host + "/chain"})
			_ = c.Close()
		}
		wantCode(t, err, "keys.refused_url")
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d visits", n)
	}
}

func TestX5U(t *testing.T) {
	clock := newClock()
	root, ca, leaf := family(t)
	s := newCertServer(t)
	at := s.URL + "/chain"
	s.publish("/chain", pemOf(leaf.chain()...))
	c := certificates(t, root, func(o *keyset.CertificateOptions) {
		s.reach(&o.Options)
		o.Options.Clock = clock.Now
		o.X5U = []string{at, at, s.URL + "/none"}
	})
	ask := func(q jwk.Query, want string) {
		t.Helper()
		q.Algorithm, q.X5U = "ES256", at
		keys, err := c.Keys(ctx, q)
		wantCode(t, err, want)
		if err == nil && len(keys) != 1 {
			t.Error(keys)
		}
	}
	for range 3 {
		ask(jwk.Query{}, "")
		ask(jwk.Query{X5TS256: leaf.x5t(), KeyID: "of nobody"}, "")
	}
	if n := s.count(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	m, err := jws.Verify(ctx, c, leaf.sign(t, jwa.ES256, jws.Header{X5U: at}), jws.Options{})
	if err != nil || !bytes.Equal(m.Signatures[0].Key.JWK().X5C()[0], leaf.Raw) {
		t.Error(m, err)
	}
	_, err = c.Keys(ctx, jwk.Query{Algorithm: "RS256", X5U: at})
	wantCode(t, err, "alg.mismatch")

	// A new certificate is fetched when a token says that it has it, at most once in an interval.
	renewed := certify(t, ca, ecKey(), nil)
	s.publish("/chain", pemOf(append(renewed.chain(), root.Raw)...))
	ask(jwk.Query{X5TS256: renewed.x5t()}, "cert.mismatch")
	clock.Add(30 * time.Second)
	ask(jwk.Query{X5TS256: renewed.x5t()}, "")
	ask(jwk.Query{X5TS256: leaf.x5t()}, "cert.mismatch")
	if n := s.count(); n != 2 {
		t.Errorf("%d fetches", n)
	}

	// What is fetched is judged as what is sent.
	for name, tc := range map[string]struct {
		body, mime, code string
		why              string
	}{
		"a stranger":        {body: pemOf(certify(t, nil, ecKey(), nil).Raw), code: "cert.untrusted"},
		"another name":      {body: pemOf(certify(t, root, ecKey(), func(c *x509.Certificate) { c.DNSNames = nil }).Raw), code: "cert.name"},
		"no PEM":            {body: "hello", code: "keys.unreachable", why: "PEM block"},
		"a public key":      {body: publicPEM(leaf), code: "keys.unreachable"},
		"a page":            {body: pemOf(leaf.chain()...), mime: "text/html", code: "keys.unreachable"},
		"too much":          {body: pemOf(slices.Repeat([][]byte{root.Raw}, 200)...), code: "keys.unreachable", why: "limit"},
		"nine":              {body: pemOf(slices.Repeat([][]byte{root.Raw}, 9)...), code: "cert.limit"},
		"as plain text":     {body: pemOf(leaf.chain()...), mime: "text/plain; charset=utf-8"},
		"no key for tokens": {body: pemOf(certify(t, root, curve(t, elliptic.P224()), nil).Raw), code: "keys.unreachable"},
		"a weak key":        {body: pemOf(certify(t, root, mustMake(rsa.GenerateKey(rand.Reader, 1024)), nil).Raw), code: "key.weak"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newCertServer(t)
			s.mime = tc.mime
			s.publish("/chain", tc.body)
			c := certificates(t, root, func(o *keyset.CertificateOptions) {
				s.reach(&o.Options)
				o.X5U = []string{s.URL + "/chain"}
			})
			for range 2 {
				_, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5U: s.URL + "/chain"})
				wantCode(t, err, tc.code)
				if err != nil && !strings.Contains(err.Error(), tc.why) {
					t.Error(err)
				}
			}
		})
	}
	_, err = c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5U: s.URL + "/none"})
	wantCode(t, err, "keys.unreachable")

	// It is fetched again when it has expired, and closed for good.
	clock.Add(time.Hour)
	ask(jwk.Query{}, "")
	if n := s.count(); n != 4 {
		t.Errorf("%d fetches", n)
	}
	_ = c.Close()
	clock.Add(24 * time.Hour)
	ask(jwk.Query{}, "keys.stale")
}

func mustMake[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicPEM(h *holder) string {
	return string(mustMake(mustMake(jwk.FromKey(h.key.Public())).MarshalPEM()))
}

func TestJKU(t *testing.T) {
	s := newCertServer(t)
	one := keyNamed(t, "1")
	s.publish("/jwks", published(one.Public()))
	o := keyset.CertificateOptions{JKU: []string{s.URL + "/jwks", s.URL + "/none"}, Options: options(newClock())}
	s.reach(&o.Options)
	c, err := keyset.NewCertificates(o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _, leaf := family(t)
	for _, tc := range []struct {
		q    jwk.Query
		code string
	}{
		{jwk.Query{KeyID: "1", JKU: s.URL + "/jwks"}, ""},
		{jwk.Query{KeyID: "2", JKU: s.URL + "/jwks"}, "key.none"},
		{jwk.Query{KeyID: "1", JKU: s.URL + "/other"}, "cert.missing"},
		{jwk.Query{KeyID: "1", JKU: s.URL + "/none"}, "keys.unreachable"},
		{jwk.Query{KeyID: "1"}, "cert.missing"},
		// Without roots nobody is asked about certificates.
		{jwk.Query{X5C: leaf.chain()}, "cert.missing"},
		{jwk.Query{KeyID: "1", X5C: leaf.chain(), JKU: s.URL + "/jwks"}, ""},
	} {
		tc.q.Algorithm = "EdDSA"
		keys, err := c.Keys(ctx, tc.q)
		wantCode(t, err, tc.code)
		if err == nil && keys[0].KeyID() != "1" {
			t.Error(keys)
		}
	}
	if n := s.count(); n != 2 {
		t.Errorf("%d fetches", n)
	}
}

func TestCertificateOptions(t *testing.T) {
	root, _, _ := family(t)
	name := []string{"signer.example"}
	oid := []x509.OID{x509.ExtKeyUsageClientAuth.OID()}
	jku := []string{"https://as.example/jwks"}
	for what, o := range map[string]keyset.CertificateOptions{
		"nothing":              {},
		"no roots":             {Names: name},
		"empty roots":          {Names: name, Roots: x509.NewCertPool()},
		"no names":             {Roots: pool(root)},
		"any name and one":     {Roots: pool(root), Names: name, AnyName: true},
		"an empty name":        {Roots: pool(root), Names: []string{"a", ""}},
		"an empty URI":         {Roots: pool(root), URIs: []string{""}},
		"an empty address":     {Roots: pool(root), Emails: []string{""}},
		"jku, names, no roots": {JKU: jku, Names: name},
		"jku, any name":        {JKU: jku, AnyName: true},
		"jku, purposes":        {JKU: jku, ExtKeyUsages: oid},
		"jku, x5u":             {JKU: jku, X5U: jku},
		"a file":               {Roots: pool(root), Names: name, Options: keyset.Options{File: "x"}},
		"a negative time":      {Roots: pool(root), Names: name, Options: keyset.Options{MinAge: -1}},
	} {
		_, err := keyset.NewCertificates(o)
		if !errors.Is(err, keyset.ErrOptions) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bad := range []string{"http://as.example/", "https://10.0.0.1/", "https://u:p@as.example/", "http://localhost/", "file:///etc/passwd", ""} {
		for _, o := range []keyset.CertificateOptions{{JKU: []string{bad}}, {Roots: pool(root), Names: name, X5U: []string{bad}}} {
			_, err := keyset.NewCertificates(o)
			wantCode(t, err, "keys.refused_url")
		}
	}
}

func FuzzCertificates(f *testing.F) {
	root, ca, leaf := family(f)
	f.Add(leaf.Raw, ca.Raw)
	f.Add(root.Raw, []byte{})
	f.Add([]byte("0"), leaf.Raw)
	c := certificates(f, root, nil)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		keys, err := c.Keys(ctx, jwk.Query{Algorithm: "ES256", X5C: [][]byte{first, second}})
		if err == nil && (!bytes.Equal(first, leaf.Raw) || !bytes.Equal(second, ca.Raw)) {
			t.Errorf("%v is trusted", keys)
		}
	})
}
