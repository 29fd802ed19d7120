package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
)

// testCertificate is one with its key.
type testCertificate struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

// newCertificate makes one for names, by another or by itself; without names it is an authority.
func newCertificate(t *testing.T, by *testCertificate, names ...string) *testCertificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: strings.Join(names, "+")}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: len(names) == 0,
	}
	if !c.IsCA {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	}
	if by == nil {
		by = &testCertificate{c, key}
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, by.Certificate, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &testCertificate{made, key}
}

func (c *testCertificate) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (c *testCertificate) keyPEM(t *testing.T) string {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// with is an HTTP client that trusts the authority, and has the certificates.
func (c *testCertificate) with(own ...*testCertificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate)
	config := &tls.Config{RootCAs: roots}
	for _, o := range own {
		config.Certificates = append(config.Certificates, tls.Certificate{Certificate: [][]byte{o.Raw}, PrivateKey: o.key})
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
}

// freeAddr is an address where nobody listens, until somebody takes it.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestServeMTLS has clients with certificates get tokens of a process that speaks TLS: at an address of their own, where others are not
// asked (RFC 8705, Sections 2, 3 and 5).
func TestServeMTLS(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	ca, clients := newCertificate(t, nil), newCertificate(t, nil)
	own := newCertificate(t, ca, "localhost")
	file := func(name, text string) string {
		writeFile(t, filepath.Join(dir, name), text)
		return filepath.Join(dir, name)
	}
	addr, mtls := freeAddr(t), freeAddr(t)
	config := file("jot.yaml", "issuer: https://"+addr+"\naddr: "+addr+"\ndata: "+dir+"/data\nlog: text\n"+
		"tls:\n  certificate: "+file("tls.pem", own.pem())+"\n  key: "+file("tls.key", own.keyPEM(t))+"\n"+
		"client_certificates:\n  addr: "+mtls+"\n  url: https://"+mtls+"\n  authorities: "+file("clients.pem", clients.pem())+"\n")
	certified := newCertificate(t, clients, "shop.example")
	self := newCertificate(t, nil, "self")
	addClient(t, "shop", "--config", config, "--auth", "tls_client_auth", "--tls-name", "dns=shop.example", "--bound", "mtls", "--scope", "read")
	addClient(t, "self", "--config", config, "--auth", "self_signed_tls_client_auth", "--jwks", file("self.pem", self.pem()), "--bound", "mtls", "--scope", "read")
	s := startServe(t, dir, "--config", config)

	var m oauth.ServerMetadata
	httpClient := ca.with()
	get := func(url string) {
		t.Helper()
		resp, err := httpClient.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || resp.TLS.Version != tls.VersionTLS13 {
			t.Errorf("%s by %s, TLS %x", resp.Status, resp.Proto, resp.TLS.Version)
		}
	}
	get(s.url + "/readyz")
	as, err := client.Discover(t.Context(), s.url, client.DiscoverOptions{RootCAs: rootsOf(ca)})
	if err != nil {
		t.Fatal(err)
	}
	m = *as
	if m.MTLSEndpointAliases["token_endpoint"] != "https://"+mtls+"/token" {
		t.Errorf("the metadata names %v", m.MTLSEndpointAliases)
	}

	api := guardOf(t, &m, ca)
	for _, c := range []struct {
		id        string
		own, none *testCertificate
	}{
		{"shop", certified, newCertificate(t, clients, "other.example")},
		{"shop", certified, newCertificate(t, nil, "shop.example")}, // of nobody's authority
		{"self", self, newCertificate(t, nil, "self")},
		{"self", self, certified},
	} {
		source := func(own ...*testCertificate) (*client.Source, error) {
			return client.New(client.Config{Server: &m, Auth: client.Certificate(c.id), MTLS: true, HTTP: ca.with(own...)}, client.ClientCredentials())
		}
		src, err := source(c.own)
		if err != nil {
			t.Fatal(err)
		}
		token, err := src.Token(t.Context())
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.id, err, s.logged())
		}
		// The token is good with the certificate, and with no other.
		if status := api(token.AccessToken, c.own); status != http.StatusOK {
			t.Errorf("%s with its certificate: %d", c.id, status)
		}
		for _, other := range []*testCertificate{c.none, nil} {
			if status := api(token.AccessToken, other); status != http.StatusUnauthorized {
				t.Errorf("the token of %s with another certificate, or none: %d", c.id, status)
			}
			with := []*testCertificate{other}
			if other == nil {
				with = nil
			}
			src, err := source(with...)
			if err != nil {
				t.Fatal(err)
			}
			_, err = src.Token(t.Context())
			if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidClient {
				t.Errorf("%s with another certificate, or none: %v", c.id, err)
			}
		}
		// At the other address nobody is asked for one.
		there := m
		there.MTLSEndpointAliases = nil
		src, err = client.New(client.Config{Server: &there, Auth: client.Certificate(c.id), HTTP: ca.with(c.own)}, client.ClientCredentials())
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Token(t.Context())
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidClient {
			t.Errorf("%s at the address for all: %v", c.id, err)
		}
	}
	// Old versions of TLS are not spoken (RFC 9325, Section 3.1.1).
	old := ca.with()
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS11
	if _, err := old.Get(s.url + "/readyz"); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if err := s.end(syscall.SIGTERM); err != nil {
		t.Errorf("%v\n%s", err, s.logged())
	}
}

func rootsOf(c *testCertificate) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(c.Certificate)
	return roots
}

// guardOf is an API that takes the tokens of a server. It returns a function that calls it with one.
func guardOf(t *testing.T, m *oauth.ServerMetadata, ca *testCertificate) func(token string, own *testCertificate) int {
	t.Helper()
	keys, err := keyset.NewRemote(m.JWKSURI, keyset.Options{RootCAs: rootsOf(ca)})
	if err != nil {
		t.Fatal(err)
	}
	v, err := accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{m.Issuer}, Audiences: []string{demoResource}})
	if err != nil {
		t.Fatal(err)
	}
	g, err := guard.New(guard.Policy{Resource: demoResource, JWT: v, RequireBound: true})
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), guard.Need{Scopes: []string{"read"}}))
	own := newCertificate(t, ca, "localhost")
	front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: own.key}}}
	front.StartTLS()
	t.Cleanup(front.Close)
	return func(token string, own *testCertificate) int {
		t.Helper()
		c := ca.with()
		if own != nil {
			c = ca.with(own)
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, front.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
}

// TestServeCertificate replaces the certificate while a connection is open, which goes on.
func TestServeCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, nil)
	names := [2]string{filepath.Join(dir, "tls.pem"), filepath.Join(dir, "tls.key")}
	put := func(c *testCertificate) {
		writeFile(t, names[0]+".new", c.pem())
		writeFile(t, names[1]+".new", c.keyPEM(t))
		for _, name := range names {
			if err := os.Rename(name+".new", name); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := newCertificate(t, ca, "localhost")
	put(first)
	s := serveInside(t, "--addr", "localhost:0", "--store", "memory", "--data", dir, "--tls-cert", names[0], "--tls-key", names[1])
	if !strings.HasPrefix(s.url, "https://localhost:") {
		t.Fatalf("the issuer is %s", s.url)
	}
	kept := ca.with()
	seen := func(c *http.Client) *big.Int {
		t.Helper()
		resp, err := c.Get(s.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.TLS.PeerCertificates[0].SerialNumber
	}
	defer kept.CloseIdleConnections()
	if seen(kept).Cmp(first.SerialNumber) != 0 {
		t.Error("another certificate than that of the files")
	}
	// By the files alone, and at SIGHUP.
	for i, signal := range []bool{false, true} {
		next := newCertificate(t, ca, "localhost")
		put(next)
		if signal {
			s.signal(syscall.SIGHUP)
		}
		s.wait(`msg=certificate .*`, i+2)
		fresh := ca.with()
		if seen(fresh).Cmp(next.SerialNumber) != 0 {
			t.Error("new connections get the certificate of before")
		}
		fresh.CloseIdleConnections()
		if seen(kept).Cmp(first.SerialNumber) != 0 {
			t.Error("the connection of before was dropped")
		}
	}
	// What does not go together changes nothing, and is logged once.
	writeFile(t, names[0], newCertificate(t, ca, "localhost").pem())
	s.wait(`level=ERROR msg="the certificate of before goes on" error="the certificate in`, 1)
	s.signal(syscall.SIGHUP)
	s.wait(`level=ERROR msg="not reloaded: the configuration of before goes on" error="the certificate in`, 1)
	seen(ca.with())
	// Nor does a key that everybody may read.
	if err := os.Chmod(names[1], 0o644); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	s.wait(`keys.exposed`, 1)
}

// TestServeAsks asks for certificates where all go, since there is no other address.
func TestServeAsks(t *testing.T) {
	dir := t.TempDir()
	ca, self := newCertificate(t, nil), newCertificate(t, nil, "self")
	own := newCertificate(t, ca, "localhost")
	for name, text := range map[string]string{"tls.pem": own.pem(), "tls.key": own.keyPEM(t), "self.pem": self.pem()} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	config := filepath.Join(dir, "jot.yaml")
	text := "addr: localhost:0\ndata: " + dir + "/data\ntls: {certificate: " + dir + "/tls.pem, key: " + dir + "/tls.key}\n"
	writeFile(t, config, text)
	addClient(t, "self", "--config", config, "--auth", "self_signed_tls_client_auth", "--jwks", dir+"/self.pem")
	s := serveInside(t, "--config", config)
	ask := func() error {
		t.Helper()
		m, err := client.Discover(t.Context(), s.url, client.DiscoverOptions{RootCAs: rootsOf(ca)})
		if err != nil {
			t.Fatal(err)
		}
		src, err := client.New(client.Config{Server: m, Auth: client.Certificate("self"), HTTP: ca.with(self)}, client.ClientCredentials())
		if err != nil {
			t.Fatal(err)
		}
		_, err = src.Token(t.Context())
		return err
	}
	if e, ok := errors.AsType[*oauth.Error](ask()); !ok || e.Code != oauth.InvalidClient {
		t.Errorf("nobody is asked for a certificate: %v", e)
	}
	writeFile(t, config, text+"client_certificates: {request: true}\n")
	s.signal(syscall.SIGHUP)
	s.wait(`msg=reloaded`, 1)
	if err := ask(); err != nil {
		t.Errorf("everybody is asked: %v\n%s", err, s.log)
	}
}
