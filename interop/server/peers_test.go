package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	oauth2jwt "golang.org/x/oauth2/jwt"

	"github.com/jotsuite/jot/interop/exports"
	"github.com/jotsuite/jot/interop/node"
	"github.com/jotsuite/jot/interop/process"
	"github.com/jotsuite/jot/interop/python"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/introspection"
)

// job is what ../npm/service.mjs and ../pip/peer.py read, and the peers in Go.
type job struct {
	Do   string `json:"do"`
	What string `json:"what"`

	Issuer   string          `json:"issuer"`
	ClientID string          `json:"client_id,omitempty"`
	Method   string          `json:"method,omitempty"`
	Secret   string          `json:"secret,omitempty"`
	Key      json.RawMessage `json:"key,omitempty"`
	Metadata map[string]any  `json:"metadata,omitempty"` // what the client knows of itself, or registers
	TLS      *files          `json:"tls,omitempty"`
	DPoP     json.RawMessage `json:"dpop,omitempty"`
	Decrypt  json.RawMessage `json:"decrypt,omitempty"`

	Parameters map[string]any `json:"parameters,omitempty"`
	Token      string         `json:"token,omitempty"`
	Grant      *granted       `json:"grant,omitempty"`
	Defect     *defect        `json:"defect,omitempty"`

	Audience string `json:"audience,omitempty"`
	URL      string `json:"url,omitempty"`
	Proof    string `json:"proof,omitempty"`
	JWKS     string `json:"jwks,omitempty"`

	// What the peers in Go need: the service, and what they sign with.
	service   *service
	key, dpop *jwk.PrivateKey
	decrypt   *jwk.DecryptionKey
}

// files are what a client needs for TLS, in PEM.
type files struct {
	CA   string `json:"ca"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
}

// granted is what a client needs to make grants itself.
type granted struct {
	Issuer  string          `json:"issuer"`
	Subject string          `json:"subject"`
	Key     json.RawMessage `json:"key"`

	key, rsa *jwk.PrivateKey
}

// defect is what is wrong with a JWT of the client's.
type defect struct {
	Kind   string         `json:"kind"`
	Claims map[string]any `json:"claims"`
}

// answer is what a peer makes of an answer of the server.
type answer struct {
	AccessToken     string `json:"access_token"`
	RefreshToken    string `json:"refresh_token"`
	TokenType       string `json:"token_type"`
	Scope           string `json:"scope"`
	IssuedTokenType string `json:"issued_token_type"`

	Active   bool   `json:"active"`
	ClientID string `json:"client_id"`
	Subject  string `json:"sub"`

	Secret            string `json:"client_secret"`
	RegistrationURI   string `json:"registration_client_uri"`
	RegistrationToken string `json:"registration_access_token"`
	Name              string `json:"client_name"`

	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
}

// peer is a column of the table.
type peer struct {
	name string
	do   func(job) (answer, error)
	// verify is its own verifier of access tokens, or nil.
	verify func(job) (answer, error)
	// exports are the names by which a test would notice that it has learned something.
	exports []string
}

// peers are those that run here.
func (c *command) peers(t *testing.T) (all []*peer, jose *process.Process) {
	t.Helper()
	of := func(p *process.Process, name string) func(job) (answer, error) {
		return func(j job) (a answer, err error) {
			j.Do = name
			return a, p.Do(j, &a)
		}
	}
	names := func(p *process.Process) map[string][]string {
		var a struct{ Names map[string][]string }
		if err := p.Do(job{Do: "names"}, &a); err != nil {
			t.Fatal(err)
		}
		return a.Names
	}
	if jose = node.Start(t, "NODE_EXTRA_CA_CERTS="+c.bundle); jose != nil {
		known := names(jose)
		verify := of(jose, "serviceOAuth4WebAPI")
		all = append(
			all,
			&peer{"oauth4webapi", verify, verify, known["oauth4webapi"]},
			&peer{"openid-client", of(jose, "serviceOpenIDClient"), nil, known["openid-client"]},
		)
	}
	all = append(all, &peer{"x/oauth2", xoauth2, nil, exports.Of(t, "golang.org/x/oauth2", "golang.org/x/oauth2/clientcredentials", "golang.org/x/oauth2/jwt")})
	if p := python.Start(t, "REQUESTS_CA_BUNDLE="+c.bundle); p != nil {
		do := of(p, "serviceAuthlib")
		all = append(all, &peer{"Authlib", do, do, names(p)["Authlib"]})
	}
	switch _, err := exec.LookPath("curl"); {
	case err == nil:
		all = append(all, &peer{"curl", curl, nil, nil})
	case os.Getenv("CI") == "true":
		t.Fatal("there is no curl")
	default:
		t.Log("there is no curl: it is left out")
	}
	return all, jose
}

// registered are the registered claims of a JWT of the client's, with the defect of the job in them.
func (j *job) registered(kind, issuer, subject string) jwt.Registered {
	now := time.Now().Truncate(time.Second)
	r := jwt.Registered{Issuer: issuer, Subject: subject, Audience: jwt.Audience{j.Issuer}, IssuedAt: now, Expiry: now.Add(5 * time.Minute), ID: rand.Text()}
	if d := j.Defect; d != nil && d.Kind == kind {
		for name, value := range d.Claims {
			switch name {
			case "aud":
				r.Audience = jwt.Audience{value.(string)}
			case "jti":
				r.ID = value.(string)
			case "exp":
				r.Expiry = time.Unix(value.(int64), 0)
			case "iat":
				r.IssuedAt = time.Unix(value.(int64), 0)
			default:
				panic("no such defect: " + name)
			}
		}
	}
	return r
}

// assertion is the client assertion of a peer that makes none itself.
func (j *job) assertion() string {
	var key jwk.Signer = j.key
	if j.Method == clientauth.ClientSecretJWT {
		key = must(jwk.NewSecretKey(jwa.HS256, "", []byte(j.Secret)))
	}
	return must(clientauth.Sign(context.Background(), key, j.registered("client-assertion", j.ClientID, j.ClientID), clientauth.Claims{}))
}

// granted is the grant of a peer that makes none itself.
func (j *job) granted() string {
	return must(grant.Sign(context.Background(), j.Grant.key, j.registered("authorization-grant", j.Grant.Issuer, j.Grant.Subject), grant.Claims{}))
}

// form are the parameters of the job.
func (j *job) form() url.Values {
	form := url.Values{}
	for name, value := range j.Parameters {
		switch v := value.(type) {
		case string:
			form.Set(name, v)
		case []string:
			form[name] = v
		default:
			panic(fmt.Sprintf("%s is a %T", name, v))
		}
	}
	return form
}

// at is where an endpoint is for the client.
func (j *job) at(path string) string {
	if j.TLS != nil {
		return j.service.mtls + path
	}
	return j.Issuer + path
}

// xoauth2 has golang.org/x/oauth2 do what it can.
func xoauth2(j job) (a answer, err error) {
	ctx := context.Background()
	if j.TLS != nil {
		c := &tls.Config{RootCAs: x509.NewCertPool()}
		c.RootCAs.AppendCertsFromPEM([]byte(j.TLS.CA))
		if j.TLS.Cert != "" {
			c.Certificates = []tls.Certificate{must(tls.X509KeyPair([]byte(j.TLS.Cert), []byte(j.TLS.Key)))}
		}
		transport := &http.Transport{TLSClientConfig: c}
		defer transport.CloseIdleConnections()
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
	}
	var src oauth2.TokenSource
	form := j.form()
	style := oauth2.AuthStyleInParams
	switch j.Method {
	case "client_secret_basic":
		style = oauth2.AuthStyleInHeader
	case clientauth.PrivateKeyJWT, clientauth.ClientSecretJWT: // which it sends, and does not make
		form.Set("client_assertion_type", clientauth.AssertionType)
		form.Set("client_assertion", j.assertion())
		j.Secret = ""
	}
	switch {
	case j.What != "token":
		return a, errors.New("it gets tokens alone")
	case j.Grant != nil:
		c := &oauth2jwt.Config{
			Email: j.Grant.Issuer, PrivateKey: must(must(j.Grant.rsa.PrivateJWK()).MarshalPrivatePEM()), PrivateKeyID: j.Grant.rsa.KeyID(),
			Subject: j.Grant.Subject, Scopes: strings.Fields(form.Get("scope")), TokenURL: j.at("/token"),
		}
		if j.Defect == nil {
			c.Email = legacy // it writes no jti by itself
		} else {
			claims := maps.Clone(j.Defect.Claims)
			if aud, ok := claims["aud"].(string); ok {
				c.Audience = aud
				delete(claims, "aud")
				claims["jti"] = rand.Text()
			}
			c.PrivateClaims = claims
		}
		src = c.TokenSource(ctx)
	case form.Get("grant_type") == "refresh_token":
		c := &oauth2.Config{ClientID: j.ClientID, ClientSecret: j.Secret, Endpoint: oauth2.Endpoint{TokenURL: j.at("/token"), AuthStyle: style}}
		src = c.TokenSource(ctx, &oauth2.Token{RefreshToken: form.Get("refresh_token")})
	default:
		scopes := strings.Fields(form.Get("scope"))
		form.Del("scope")
		src = (&clientcredentials.Config{ClientID: j.ClientID, ClientSecret: j.Secret, TokenURL: j.at("/token"), AuthStyle: style, Scopes: scopes, EndpointParams: form}).TokenSource(ctx)
	}
	t, err := src.Token()
	if err != nil {
		return a, err
	}
	if time.Until(t.Expiry) < time.Minute {
		return a, fmt.Errorf("it has the token expire at %s", t.Expiry)
	}
	a = answer{AccessToken: t.AccessToken, RefreshToken: t.RefreshToken, TokenType: t.TokenType}
	a.Scope, _ = t.Extra("scope").(string)
	a.IssuedTokenType, _ = t.Extra("issued_token_type").(string)
	return a, nil
}

// request is what curl sends, and curled what it gets.
type (
	request struct {
		method, url string
		args        []string
		body        string
		bodyType    string
	}
	curled struct {
		status int
		header http.Header
		body   []byte
	}
)

// curl sends a request. What is secret goes through files, as a user should do it.
func (s *service) send(r request) (curled, error) {
	dir, err := os.MkdirTemp(s.dir, "curl")
	if err != nil {
		return curled{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	head := filepath.Join(dir, "head")
	args := append([]string{"--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--cacert", s.bundle, "--dump-header", head}, r.args...)
	if r.method != "" {
		args = append(args, "--request", r.method)
	}
	if r.body != "" {
		data := filepath.Join(dir, "data")
		if err := os.WriteFile(data, []byte(r.body), 0o600); err != nil {
			return curled{}, err
		}
		args = append(args, "--data-binary", "@"+data)
	}
	if r.bodyType != "" {
		args = append(args, "--header", "Content-Type: "+r.bodyType)
	}
	cmd := exec.Command("curl", append(args, r.url)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	body, err := cmd.Output()
	if err != nil {
		return curled{}, fmt.Errorf("curl: %w: %s", err, stderr.Bytes())
	}
	text, err := os.ReadFile(head)
	if err != nil {
		return curled{}, err
	}
	text = text[max(bytes.LastIndex(text, []byte("HTTP/")), 0):] // after 100 Continue
	lines := textproto.NewReader(bufio.NewReader(bytes.NewReader(text)))
	first, err := lines.ReadLine()
	if err != nil {
		return curled{}, err
	}
	c := curled{body: body}
	if _, err := fmt.Sscanf(first, "HTTP/%s %d", new(string), &c.status); err != nil {
		return c, fmt.Errorf("%q: %w", first, err)
	}
	h, err := lines.ReadMIMEHeader()
	c.header = http.Header(h)
	return c, err
}

// curl does with the command what a user of a shell would.
func curl(j job) (a answer, err error) {
	s := j.service
	form, path := j.form(), "/token"
	r := request{}
	switch j.What {
	case "introspect":
		path = "/introspect"
		form.Set("token", j.Token)
	case "revoke":
		path = "/revoke"
		form.Set("token", j.Token)
	case "register", "manage":
		r = request{url: j.Issuer + "/register", body: string(must(json.Marshal(j.Metadata))), bodyType: "application/json"}
		if j.Token != "" {
			r.args = []string{"--header", "Authorization: Bearer " + j.Token}
		}
		if j.What == "manage" {
			r.url = j.URL
			if r.method, _ = j.Parameters["method"].(string); r.method != "PUT" {
				r.body, r.bodyType = "", ""
			}
		}
		c, err := s.send(r)
		if err != nil {
			return a, err
		}
		return s.read(c.status, c.body)
	}
	if j.Grant != nil {
		form.Set("assertion", j.granted())
	}
	switch j.Method {
	case "client_secret_basic":
		r.args = append(r.args, "--user", j.ClientID+":"+j.Secret)
	case "client_secret_post":
		form.Set("client_id", j.ClientID)
		form.Set("client_secret", j.Secret)
	case clientauth.ClientSecretJWT, clientauth.PrivateKeyJWT:
		form.Set("client_assertion_type", clientauth.AssertionType)
		form.Set("client_assertion", j.assertion())
	default:
		if j.ClientID != "" {
			form.Set("client_id", j.ClientID)
		}
	}
	if j.TLS != nil && j.TLS.Cert != "" {
		s.write("curl.pem", j.TLS.Cert+j.TLS.Key)
		r.args = append(r.args, "--cert", filepath.Join(s.dir, "curl.pem"))
	}
	signed := j.What == "introspect" && j.Metadata["introspection_signed_response_alg"] != nil
	if signed {
		r.args = append(r.args, "--header", "Accept: application/token-introspection+jwt")
	}
	r.url, r.body = j.at(path), form.Encode()
	args := r.args
	nonce := ""
	for {
		if j.dpop != nil {
			g, p := jwt.Registered{}, dpop.Claims{Method: http.MethodPost, URL: r.url, Nonce: nonce}
			if j.Defect != nil && j.Defect.Kind == "dpop-proof" {
				g.ID, _ = j.Defect.Claims["jti"].(string)
				if htu, ok := j.Defect.Claims["htu"].(string); ok {
					p.URL = htu
				}
			}
			r.args = append(args[:len(args):len(args)], "--header", "DPoP: "+must(dpop.Sign(context.Background(), j.dpop, g, p)))
		}
		c, err := s.send(r)
		if err != nil {
			return a, err
		}
		if fresh := c.header.Get("DPoP-Nonce"); nonce == "" && c.status == http.StatusBadRequest && bytes.Contains(c.body, []byte(`"use_dpop_nonce"`)) && fresh != "" {
			nonce = fresh
			if strings.Contains(r.body, "client_assertion=") {
				form.Set("client_assertion", j.assertion())
				r.body = form.Encode()
			}
			continue
		}
		if !signed || c.status != http.StatusOK {
			return s.read(c.status, c.body)
		}
		p := introspection.Policy{Issuers: []string{s.issuer}, Audiences: []string{j.ClientID}}
		if j.decrypt != nil {
			p.JWT.Decryption = &jwt.Decryption{Keys: jwk.DecryptionSet{j.decrypt}}
		}
		t, err := must(introspection.NewVerifier(s.keys, p)).Verify(context.Background(), string(c.body))
		if err != nil {
			return a, err
		}
		said := t.Claims.Response
		return answer{Active: said.Active, ClientID: said.ClientID, Subject: said.Subject, Scope: said.Scope}, nil
	}
}
