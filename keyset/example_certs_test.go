package keyset_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// A bank knows the authority and the names of those who may send it orders. Their keys
// come with the tokens, in certificates.
func ExampleNewCertificates() {
	authority, issue := exampleAuthority()
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	keys, err := keyset.NewCertificates(keyset.CertificateOptions{
		Roots: roots,
		URIs:  []string{"https://shop.example"},
	})
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	verifier, err := jwt.NewVerifier[struct{}](keys, jwt.Policy{Issuers: []string{"https://shop.example"}, Audiences: []string{"bank"}})
	if err != nil {
		panic(err)
	}

	for _, sender := range []string{"https://shop.example", "https://mallory.example"} {
		key, certificate := issue(sender)
		raw, err := jwt.Sign(context.Background(), key, jwt.Header{X5C: [][]byte{certificate}},
			jwt.Registered{Issuer: "https://shop.example", Audience: jwt.Audience{"bank"}, Expiry: time.Now().Add(time.Minute)}, struct{}{})
		if err != nil {
			panic(err)
		}
		_, err = verifier.Verify(context.Background(), raw)
		fmt.Println(err == nil, errors.Is(err, keyset.ErrCertificate))
	}
	// Output:
	// true false
	// false true
}

// Who accepts everyone that the authority has certified finds the name in the
// certificate of the key.
func ExampleCertificates_Keys() {
	authority, issue := exampleAuthority()
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	keys, err := keyset.NewCertificates(keyset.CertificateOptions{Roots: roots, AnyName: true})
	if err != nil {
		panic(err)
	}
	_, certificate := issue("https://anyone.example")
	found, err := keys.Keys(context.Background(), jwk.Query{Algorithm: "ES256", X5C: [][]byte{certificate}})
	if err != nil {
		panic(err)
	}
	leaf, err := x509.ParseCertificate(found[0].JWK().X5C()[0])
	if err != nil {
		panic(err)
	}
	fmt.Println(found[0].Algorithm(), leaf.URIs)
	// Output: ES256 [https://anyone.example]
}

// exampleAuthority makes an authority, and a function that certifies new keys.
func exampleAuthority() (*x509.Certificate, func(uri string) (*jwk.PrivateKey, []byte)) {
	certify := func(template, parent *x509.Certificate, public any, private any) *x509.Certificate {
		template.SerialNumber = big.NewInt(1)
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, private)
		if err != nil {
			panic(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		return certificate
	}
	generate := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	}
	key := generate()
	template := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authority := certify(template, template, key.Public(), key)
	return authority, func(uri string) (*jwk.PrivateKey, []byte) {
		name, err := url.Parse(uri)
		if err != nil {
			panic(err)
		}
		own := generate()
		signer, err := jwk.NewPrivateKey(jwa.ES256, "", own)
		if err != nil {
			panic(err)
		}
		certificate := certify(&x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature, URIs: []*url.URL{name}}, authority, own.Public(), key)
		return signer, certificate.Raw
	}
}
