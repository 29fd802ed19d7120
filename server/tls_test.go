package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// A client authenticates with its certificate over TLS, and its tokens are bound to that.
func TestTLS(t *testing.T) {
	ca, caKey := certificate(t, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil }, nil, nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	leaf, leafKey := certificate(t, func(c *x509.Certificate) { c.DNSNames = []string{"client.example"} }, ca, caKey)
	front := httptest.NewUnstartedServer(nil)
	front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	a := start(t, server.Options{Issuer: "https://" + front.Listener.Addr().String(), ClientCAs: roots})
	front.Config.Handler = a.Server.Server
	front.StartTLS()
	defer front.Close()
	a.add("c", "tls_client_auth", func(c *server.Client) {
		c.Metadata.TLSSANDNS, c.Metadata.CertificateBoundTokens = "client.example", true
	})
	trust := front.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, certificates := range [][]tls.Certificate{{{Certificate: [][]byte{leaf.Raw}, PrivateKey: leafKey}}, nil} {
		src, err := client.New(client.Config{
			Server: a.Metadata(), Auth: client.Certificate("c"), MTLS: true,
			HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, Certificates: certificates}}},
		}, client.ClientCredentials())
		if err != nil {
			t.Fatal(err)
		}
		token, err := src.Token(ctx)
		if certificates == nil {
			if e, ok := err.(*oauth.Error); !ok || e.Code != oauth.InvalidClient {
				t.Error(err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := a.read(token.AccessToken, servertest.Resource).Claims.Confirmation; c == nil || c.X5TS256 == "" {
			t.Error("the token is not bound")
		}
	}
}
