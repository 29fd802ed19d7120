package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
)

const (
	api      = "https://api.example"
	otherAPI = "https://other.example"
	partner  = "https://partner.example" // whose grants have a jti, and are good once
	legacy   = "https://legacy.example"  // whose grants have none
	alice    = "alice"
)

// command is jot, and who certifies servers here.
type command struct {
	t    testing.TB
	path string
	ca   *authority
	// bundle is the file with its certificate.
	bundle string
}

// service is a process of jot serve. Clients with certificates speak TLS with it, or with a proxy before it.
type service struct {
	*command
	dir        string
	issuer     string
	mtls       string // where the endpoints are for clients with certificates
	http       *http.Client
	keys       *keyset.Issuer
	access     *accesstoken.Verifier
	partnerKey *jwk.PrivateKey // ES256
	partnerRSA *jwk.PrivateKey
	clientCA   *authority

	mu  sync.Mutex
	log bytes.Buffer
	// said are the secrets and tokens that no line of the log may have.
	said []string
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const common = `
log: json
data: DIR/data
synchronous: normal # the databases have tests of their own
resources:
  - identifier: ` + api + `
    name: api
    scopes: [read, write]
  - identifier: ` + otherAPI + `
    scopes: [other]
lifetimes:
  refresh_retry: 0s # a refresh token that comes again was stolen
registration:
  open: OPEN
  grant_types: [client_credentials, refresh_token, "` + grant.GrantType + `", "` + exchange.GrantType + `"]
  scopes: [read, write, other]
client_certificates:
  url: https://MTLS
  authorities: DIR/client-ca.pem
`

// Plain HTTP, and a proxy that ends TLS for who has a certificate.
const behindProxy = common + `
  header: Client-Cert
  proxies: [127.0.0.1/32]
addr: 127.0.0.1:0
`

// TLS, and an address at which certificates are asked for.
const withTLS = common + `
  addr: MTLS
issuer: https://ADDR
addr: ADDR
tls:
  certificate: DIR/tls.pem
  key: DIR/tls.key
`

// build builds the command.
func build(t testing.TB) *command {
	t.Helper()
	dir := t.TempDir()
	c := &command{t, filepath.Join(dir, "jot"), newAuthority(), filepath.Join(dir, "ca.pem")}
	build := exec.Command("go", "build", "-o", c.path, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "jot")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(c.bundle, []byte(c.ca.pem()), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// start has the command serve until the test ends.
func (c *command) start(config string) *service {
	c.t.Helper()
	s := &service{
		command: c, dir: c.t.TempDir(), partnerKey: must(jwk.Generate(jwa.ES256)), partnerRSA: must(jwk.Generate(jwa.RS256)), clientCA: newAuthority(),
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(c.ca.certificate)
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}}}
	certificate, key := c.ca.certify(false)
	s.write("tls.pem", encode("CERTIFICATE", certificate.Raw))
	s.write("tls.key", encode("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))))
	addr, mtls := freeAddress(), freeAddress()
	if config == behindProxy {
		mtls = s.proxy(tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key})
	}
	s.mtls = "https://" + mtls
	s.write("client-ca.pem", s.clientCA.pem())
	s.write("jot.yaml", strings.NewReplacer("DIR", s.dir, "MTLS", mtls, "ADDR", addr, "OPEN", strconv.FormatBool(config == withTLS)).Replace(config))
	s.write("partner.json", string(must(jwk.Set{s.partnerKey.Public(), s.partnerRSA.Public()}.MarshalJSON())))
	for _, issuer := range [][]string{{partner, "--refresh"}, {legacy, "--reusable", "--legacy-scope"}} {
		s.admin(append([]string{"issuer", "add", "--jwks", filepath.Join(s.dir, "partner.json"), "--subject", "*", "--scope", "read write"}, issuer...)...)
	}
	s.serve()
	s.keys = must(keyset.NewIssuer(s.issuer, keyset.Options{RootCAs: trusted}))
	c.t.Cleanup(func() { _ = s.keys.Close() })
	s.access = must(accesstoken.NewVerifier(s.keys, accesstoken.Policy{Issuers: []string{s.issuer}, Audiences: []string{api}}))
	return s
}

// freeAddress is one that nobody listens at.
func freeAddress() string {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// proxy starts one that asks for certificates, leaves to the server whose they are, and returns where it listens.
func (s *service) proxy(certificate tls.Certificate) string {
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(must(url.Parse(s.issuer)))
		r.Out.Host = r.In.Host
		r.Out.Header.Del("Client-Cert") // RFC 9440, Section 4
		if c := r.In.TLS.PeerCertificates; len(c) > 0 {
			r.Out.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(c[0].Raw)+":")
		}
	}})
	front.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{certificate}}
	front.StartTLS()
	s.t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

func (s *service) write(name, text string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// admin runs a command of the administrator, and returns what it prints.
func (s *service) admin(args ...string) []byte {
	s.t.Helper()
	out, err := exec.Command(s.path, append(args, "--config", filepath.Join(s.dir, "jot.yaml"))...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w\n%s", err, e.Stderr)
		}
		s.t.Fatalf("jot %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (s *service) serve() {
	s.t.Helper()
	cmd := exec.Command(s.path, "serve", "--config", filepath.Join(s.dir, "jot.yaml"))
	pipe := must(cmd.StderrPipe())
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			s.mu.Lock()
			s.log.WriteString(lines.Text() + "\n")
			s.mu.Unlock()
			var line struct{ Msg, Issuer string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
				listening <- line.Issuer
			}
		}
		ended <- cmd.Wait()
	}()
	select {
	case s.issuer = <-listening:
	case err := <-ended:
		s.t.Fatalf("jot serve ends: %v\n%s", err, s.logged())
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		s.t.Fatalf("jot serve does not listen\n%s", s.logged())
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				s.t.Errorf("jot serve ends with %v", err)
			}
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			s.t.Error("jot serve does not end")
		}
		log := s.logged()
		if !strings.Contains(log, `"msg":"stopped"`) {
			s.t.Errorf("it has not stopped as it should\n%s", log)
		}
		for _, secret := range s.said {
			if strings.Contains(log, secret) {
				s.t.Errorf("the log has the secret or token %.20s…", secret)
			}
		}
	})
}

func (s *service) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// secret notes what is not to be in the log.
func (s *service) secret(text string) string {
	if text != "" && !slices.Contains(s.said, text) {
		s.said = append(s.said, text)
	}
	return text
}

// invite makes a token by which one client can be registered.
func (s *service) invite() string {
	s.t.Helper()
	var made struct {
		Token string `json:"initial_access_token"`
	}
	if err := json.Unmarshal(s.admin("client", "invite"), &made); err != nil {
		s.t.Fatal(err)
	}
	return s.secret(made.Token)
}

// register registers a client, with what a client need not say put in.
func (s *service) register(m oauth.ClientMetadata) *oauth.ClientInformation {
	s.t.Helper()
	if m.GrantTypes == nil {
		m.GrantTypes = []string{"client_credentials"}
	}
	req := must(http.NewRequestWithContext(context.Background(), http.MethodPost, s.issuer+"/register", bytes.NewReader(must(json.Marshal(m)))))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.invite())
	resp := must(s.http.Do(req))
	defer func() { _ = resp.Body.Close() }()
	body := must(io.ReadAll(resp.Body))
	if resp.StatusCode != http.StatusCreated {
		s.t.Fatalf("registration: %s %s", resp.Status, body)
	}
	c := new(oauth.ClientInformation)
	if err := json.Unmarshal(body, c); err != nil {
		s.t.Fatal(err)
	}
	s.secret(c.Secret)
	s.secret(c.RegistrationToken)
	return c
}

// authority certifies clients, or itself.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority() *authority {
	a := &authority{key: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
	a.certificate = sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: "clients"}}, a.key.Public(), nil, a.key)
	return a
}

func sign(c *x509.Certificate, key crypto.PublicKey, by *x509.Certificate, byKey *ecdsa.PrivateKey) *x509.Certificate {
	c.SerialNumber = must(rand.Int(rand.Reader, big.NewInt(1<<62)))
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	if by == nil {
		by = c
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, c, by, key, byKey))))
}

func (a *authority) pem() string { return encode("CERTIFICATE", a.certificate.Raw) }

func encode(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

// certify makes a certificate and its key: of the name that clients have and the address of servers, or certified by itself alone.
func (a *authority) certify(self bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	c := &x509.Certificate{DNSNames: []string{"client.example", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if self {
		return sign(c, key.Public(), nil, key), key
	}
	return sign(c, key.Public(), a.certificate, a.key), key
}

// files are what a client needs for TLS, in PEM.
func (s *service) files(c *x509.Certificate, key *ecdsa.PrivateKey) *files {
	f := &files{CA: s.ca.pem()}
	if c != nil {
		f.Cert, f.Key = encode("CERTIFICATE", c.Raw), encode("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
	}
	return f
}

// post sends a form to an endpoint as nothing but Go would, for what a test needs beside what it tests.
func (s *service) post(path, id, secret string, form url.Values) (answer, error) {
	req := must(http.NewRequestWithContext(context.Background(), http.MethodPost, s.issuer+path, strings.NewReader(form.Encode())))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	resp, err := s.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	return s.read(resp.StatusCode, must(io.ReadAll(resp.Body)))
}

// read reads an answer in JSON.
func (s *service) read(status int, body []byte) (a answer, err error) {
	if status >= 300 {
		return a, fmt.Errorf("%d %s", status, body)
	}
	if len(body) > 0 {
		err = json.Unmarshal(body, &a)
	}
	return a, err
}
