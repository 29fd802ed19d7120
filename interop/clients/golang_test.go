package clients

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	oauth2jwt "golang.org/x/oauth2/jwt"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/interop/exports"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/logout"
)

// alias is the server by a name that is not its own.
func (s *server) alias() string { return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) }

// tokens are the token source of golang.org/x/oauth2 that a client.Source is.
type tokens struct{ src *client.Source }

func (t tokens) Token() (*oauth2.Token, error) {
	got, err := t.src.Token(context.Background())
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: got.AccessToken, TokenType: got.Type, Expiry: got.Expiry}, nil
}

// sent keeps the form of the one request that is sent with it, and answers with a token.
type sent struct{ url.Values }

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.Values, err = url.ParseQuery(string(body))
	w := httptest.NewRecorder()
	write(w, map[string]string{"access_token": "a", "token_type": "Bearer"})
	return w.Result(), err
}

// goChecks are those of the peers in Go.
func goChecks(r *rig) []check {
	ctx := context.Background()
	provider := must(oidc.NewProvider(ctx, r.URL))
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: web})
	// Its test server is an OpenID provider.
	opKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	op := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: opKey.Public(), KeyID: "k-1", Algorithm: oidc.ES256}}, Algorithms: []string{oidc.ES256}}
	test := httptest.NewServer(op)
	r.t.Cleanup(test.Close)
	op.SetIssuer(test.URL)
	providerKeys := must(keyset.NewIssuer(test.URL, keyset.Options{}))
	r.t.Cleanup(func() { _ = providerKeys.Close() })
	ids := must(idtoken.NewVerifier(providerKeys, idtoken.Policy{Issuers: []string{test.URL}, ClientID: web}))
	partnerKey := must(r.partner.PrivateJWK())

	grants := func(defect string) *oauth2jwt.Config {
		c := &oauth2jwt.Config{
			Email: partner, PrivateKey: must(partnerKey.MarshalPrivatePEM()), PrivateKeyID: r.partner.KeyID(), Subject: "alice",
			Scopes: []string{"orders:read"}, TokenURL: r.URL + "/token",
		}
		switch defect {
		case "aud":
			c.Audience = other
		case "iss":
			c.Email = other
		case "lifetime": // it makes none that has expired
			c.Expires = 3 * time.Hour
		}
		return c
	}
	return []check{
		{"id-token", "go-oidc", ours, func(defect string) error {
			r.begin(turn{kind: "id-token", defect: defect})
			id, err := verifier.Verify(ctx, r.idToken("id-token", idtoken.Claims{Nonce: "n-1"}, "an access token", "", ""))
			if err != nil {
				return err
			}
			if id.Subject != "alice" || id.Nonce != "n-1" {
				return fmt.Errorf("it reads %v", id)
			}
			return id.VerifyAccessToken("an access token")
		}, map[string]string{"aud": "expected audience", "iss": "different provider", "exp": "expired", "at_hash": "hash", "key": "signature"}},
		{"id-token, other algorithms", "go-oidc", ours, func(defect string) error {
			for _, alg := range algorithms[1:] {
				r.begin(turn{kind: "id-token", defect: defect, alg: alg})
				id, err := verifier.Verify(ctx, r.idToken("id-token", idtoken.Claims{}, "an access token", "", ""))
				if err == nil {
					err = id.VerifyAccessToken("an access token")
				}
				if err != nil {
					return fmt.Errorf("%s: %w", alg, err)
				}
			}
			return nil
		}, map[string]string{"at_hash": "hash"}},
		{"id-token", "go-oidc", theirs, func(defect string) error {
			g := registered(test.URL, web, defect)
			claims := must(json.Marshal(map[string]any{"iss": g.Issuer, "sub": g.Subject, "aud": g.Audience, "exp": g.Expiry.Unix(), "iat": g.IssuedAt.Unix()}))
			t, err := ids.Verify(ctx, oidctest.SignIDToken(opKey, "k-1", oidc.ES256, string(claims)), idtoken.Expect{NoNonce: true})
			if err == nil && t.Subject != "alice" {
				return errors.New("another subject")
			}
			return err
		}, map[string]string{"aud": "aud.mismatch", "iss": "iss.mismatch", "exp": "exp.expired"}},
		{"logout-token", "go-oidc", ours, func(defect string) error {
			r.begin(turn{kind: "logout-token", defect: defect})
			t, err := verifier.VerifyLogout(ctx, issue(r.server, "logout-token", "", web, nil, logout.Claims{SessionID: "s-1"}, logout.Sign))
			if err == nil && (t.Subject != "alice" || t.SessionID != "s-1") {
				return fmt.Errorf("it reads %v", t)
			}
			return err
		}, map[string]string{"aud": "audience", "iss": "different provider", "exp": "expired", "key": "signature"}},
		{"userinfo", "go-oidc", ours, func(defect string) error {
			r.begin(turn{kind: "userinfo", defect: defect})
			u, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: r.accessToken("", accesstoken.Claims{})}))
			if err == nil && (u.Subject != "alice" || u.Email != "alice@example.com") {
				return fmt.Errorf("it reads %v", u)
			}
			return err
		}, map[string]string{"key": "signature"}},
		{"server metadata", "go-oidc", ours, func(defect string) error {
			name := r.URL
			if defect != "" {
				name = r.alias()
			}
			_, err := oidc.NewProvider(ctx, name)
			return err
		}, map[string]string{"another name": "issuer"}},
		{"server metadata", "go-oidc", theirs, func(defect string) error {
			name := test.URL
			if defect != "" {
				name = strings.Replace(name, "127.0.0.1", "localhost", 1)
			}
			m, err := client.Discover(ctx, name, client.DiscoverOptions{})
			if err == nil && m.JWKSURI == "" {
				return errors.New("it has no jwks_uri")
			}
			return err
		}, map[string]string{"another name": "issuer"}},

		{"authorization-grant", "x/oauth2", theirs, func(defect string) error {
			s := &sent{}
			if _, err := grants(defect).TokenSource(context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: s})).Token(); err != nil {
				return err
			}
			t, err := r.grants.Verify(ctx, s.Get("assertion"))
			if err == nil && (t.Subject != "alice" || t.Claims.Scope != "orders:read") {
				return errors.New("another subject or scope")
			}
			return err
		}, map[string]string{"aud": "aud.mismatch", "iss": "iss.mismatch", "lifetime": "exp.lifetime"}},
		{"JWT bearer grant", "x/oauth2", theirs, func(defect string) error {
			r.begin(turn{})
			_, err := grants(defect).TokenSource(ctx).Token()
			return r.because(err, "authorization-grant")
		}, map[string]string{"aud": "aud.mismatch"}},
		// It has no client assertions, and sends one that it is given.
		{"client credentials grant", "x/oauth2", theirs, func(defect string) error {
			r.begin(turn{})
			g := registered(web, r.URL, defect)
			g.Subject = g.Issuer
			c := clientcredentials.Config{ClientID: web, TokenURL: r.URL + "/token", AuthStyle: oauth2.AuthStyleInParams, EndpointParams: url.Values{
				"client_assertion_type": {clientauth.AssertionType}, "client_assertion": {must(clientauth.Sign(ctx, r.web, g, clientauth.Claims{}))},
			}}
			_, err := c.Token(ctx)
			return r.because(err, "client-assertion, private_key_jwt")
		}, map[string]string{"aud": "aud.mismatch"}},
		{"token source", "x/oauth2", ours, func(defect string) error {
			r.begin(turn{kind: "access-token", defect: defect})
			src := must(client.New(client.Config{
				Server: must(client.Discover(ctx, r.URL, client.DiscoverOptions{})), Auth: client.Assertion(web, r.web), DPoP: r.web,
			}, client.ClientCredentials()))
			api := &http.Client{Transport: &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, tokens{src}), Base: &dpop.Transport{Key: r.web}}}
			resp, err := api.Get(r.api())
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			if body := must(io.ReadAll(resp.Body)); resp.StatusCode != http.StatusOK || string(body) != "alice" {
				err = errors.New(resp.Status)
			}
			return r.because(err, "dpop-proof")
		}, map[string]string{"aud": "aud.mismatch"}},
	}
}

// because adds to an error why the server has refused a request; without one, the server must have accepted a token of a
// kind.
func (s *server) because(err error, kind string) error {
	t := s.end()
	switch {
	case err == nil && t.seen[kind] == 0:
		return errors.New("the server has seen none")
	case err != nil && t.refused != nil:
		return fmt.Errorf("%w: %w", err, t.refused)
	}
	return err
}

// goLacks are why they have no more.
func goLacks() []lack {
	reads := matching("^(verify|validate|introspect|decrypt)")
	signs := matching("^(sign|issue|encode|encrypt)")
	return []lack{
		{"x/oauth2", otherThan("token source"), ours, "it verifies no tokens", reads, nil, ""},
		{"x/oauth2", otherThan("authorization-grant", "JWT bearer grant", "client credentials grant"), theirs, "it makes grants alone", func(name string) bool {
			return signs(name) || matching("dpop|pushed|request_?object|assertion|tokenexchange|discover|metadata")(name)
		}, nil, ""},
		{"go-oidc", otherThan("id-token", "id-token, encrypted", "id-token, other algorithms", "logout-token", "userinfo", "userinfo, encrypted", "server metadata", "id-token, front channel", "id-token, detached signature"), ours, "it reads ID tokens, logout tokens and UserInfo alone", func(name string) bool {
			return reads(name) && but("Verify", "VerifyLogout", "VerifyAccessToken", "VerifySignature")(name)
		}, nil, ""},
		{"go-oidc", "(id-token|userinfo), encrypted", ours, "it does not decrypt", matching("decrypt"), nil, ""},
		{"go-oidc", "id-token, (front channel|detached signature)", ours, "it has the hash of access tokens alone", matching("code|state"), nil, ""},
		{"go-oidc", otherThan("id-token", "server metadata"), theirs, "its test server makes ID tokens alone", func(name string) bool {
			return signs(name) && but("SignIDToken")(name)
		}, nil, ""},
	}
}

// goNames are the names of functions and methods that the packages export.
func goNames(t *testing.T) map[string][]string {
	t.Helper()
	return map[string][]string{
		"x/oauth2": exports.Of(t, "golang.org/x/oauth2", "golang.org/x/oauth2/clientcredentials", "golang.org/x/oauth2/jwt"),
		"go-oidc":  exports.Of(t, "github.com/coreos/go-oidc/v3/oidc", "github.com/coreos/go-oidc/v3/oidc/oidctest"),
	}
}

// newCertificate makes a client certificate, in PEM, and its thumbprint.
func newCertificate() (string, string) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: web}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, crypto.PublicKey(&key.PublicKey), key))
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), b64.EncodeToString(sum[:])
}
