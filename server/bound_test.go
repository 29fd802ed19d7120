package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
)

// bound asks with a proof, and once more with the nonce that the server wants.
func (a *as) bound(c *server.Client, k jwk.Signer, pairs ...string) answer {
	a.t.Helper()
	ask := func(nonce string) answer {
		h := http.Header{}
		f := form(pairs...)
		if c.Secret != "" {
			h = basic(c.ID, c.Secret)
		} else {
			f.Set("client_id", c.ID)
		}
		h["Dpop"] = []string{a.proof(k, nonce)}
		return a.do(call{path: "/token", header: h, form: f})
	}
	w := ask("")
	if w.text("error") == oauth.UseDPoPNonce {
		w = ask(w.Header().Get("DPoP-Nonce"))
	}
	return w
}

func Test_RFC9449_token_requests(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now})
	k, stranger := key(t), key(t)
	jkt, _ := dpop.Thumbprint(k)
	c := a.add("c", "", nil)
	t.Run("8 a nonce", func(t *testing.T) {
		w := a.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {a.proof(k, "")}}, form: form("grant_type", "client_credentials")})
		if w.want(t, 400, oauth.UseDPoPNonce); w.Header().Get("DPoP-Nonce") == "" {
			t.Error("no nonce")
		}
	})
	t.Run("5 a bound token", func(t *testing.T) {
		w := a.bound(c, k, "grant_type", "client_credentials")
		if w.want(t, 200, ""); w.text("token_type") != "DPoP" || w.Header().Get("DPoP-Nonce") == "" {
			t.Error(w.Body, w.Header())
		}
		if tok := a.read(w.text("access_token"), servertest.Resource); tok.Claims.Confirmation == nil || tok.Claims.Confirmation.Thumbprint != jkt {
			t.Errorf("%+v", tok.Claims)
		}
	})
	nonce := a.bound(c, k, "grant_type", "client_credentials").Header().Get("DPoP-Nonce")
	send := func(proofs ...string) answer {
		return a.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": proofs}, form: form("grant_type", "client_credentials")})
	}
	make := func(claims dpop.Claims, at time.Time) string {
		claims.Nonce = nonce
		raw, err := dpop.Sign(ctx, k, jwt.Registered{IssuedAt: at}, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := dpop.Claims{Method: "POST", URL: a.URL + "/token"}
	used := make(good, now.now())
	send(used).want(t, 200, "")
	for name, proofs := range map[string][]string{
		"11.1 used twice":     {used},
		"4.3 two proofs":      {make(good, now.now()), make(good, now.now())},
		"4.3 another method":  {make(dpop.Claims{Method: "GET", URL: a.URL + "/token"}, now.now())},
		"4.3 another URL":     {make(dpop.Claims{Method: "POST", URL: a.URL + "/introspect"}, now.now())},
		"4.3 another host":    {make(dpop.Claims{Method: "POST", URL: "https://evil.example/token"}, now.now())},
		"4.3 too old":         {make(good, now.now().Add(-5*time.Minute))},
		"4.3 from the future": {make(good, now.now().Add(5*time.Minute))},
		"4.3 no JWT":          {"x"},
		"4.3 none":            {""},
		"4.2 an access token where none is given": {make(dpop.Claims{Method: "POST", URL: a.URL + "/token", TokenHash: dpop.TokenHash("x")}, now.now())},
	} {
		t.Run(name, func(t *testing.T) { send(proofs...).want(t, 400, oauth.InvalidDPoPProof) })
	}
	t.Run("5 a refresh token of a public client is bound, and that of another is not", func(t *testing.T) {
		iss := key(t)
		a.trust(iss, nil)
		public := a.add("p", "none", nil)
		for _, x := range []struct {
			c    *server.Client
			want int
		}{{public, 400}, {c, 200}} {
			w := a.bound(x.c, k, "grant_type", grant.GrantType, "assertion", a.grantOf(iss, nil))
			if w.text("error") == oauth.InvalidGrant {
				t.Fatal("the grant was used up before the nonce was there: ", w.Body)
			}
			token := w.text("refresh_token")
			a.bound(x.c, stranger, "grant_type", "refresh_token", "refresh_token", token).want(t, x.want, map[int]string{400: oauth.InvalidGrant}[x.want])
			if x.want == 400 {
				h := form("grant_type", "refresh_token", "refresh_token", token, "client_id", "p")
				a.do(call{path: "/token", form: h}).want(t, 400, oauth.InvalidGrant)
				a.bound(x.c, k, "grant_type", "refresh_token", "refresh_token", token).want(t, 200, "")
			}
		}
	})
	t.Run("5.2 a client whose tokens are all bound", func(t *testing.T) {
		only := a.add("only", "", func(c *server.Client) { c.Metadata.DPoPBoundTokens = true })
		a.token(only, "grant_type", "client_credentials").want(t, 400, oauth.InvalidDPoPProof)
		a.bound(only, k, "grant_type", "client_credentials").want(t, 200, "")
	})
	t.Run("without nonces, by option", func(t *testing.T) {
		a := start(t, server.Options{NoDPoPNonce: true})
		c := a.add("c", "", nil)
		w := a.do(call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {a.proof(k, "")}}, form: form("grant_type", "client_credentials")})
		w.want(t, 200, "")
	})
}

// certificate makes a certificate, by itself or by an authority.
func certificate(t *testing.T, change func(*x509.Certificate), ca *x509.Certificate, caKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client", Organization: []string{"Example"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(c)
	}
	if ca == nil {
		ca, caKey = c, k
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, c, ca, k.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, k
}

func Test_RFC8705(t *testing.T) {
	var sent *x509.Certificate
	ca, caKey := certificate(t, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid, c.ExtKeyUsage = true, true, nil }, nil, nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	a := start(t, server.Options{ClientCAs: roots, ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return sent, nil }})
	uri, _ := url.Parse("spiffe://example/client")
	named, _ := certificate(t, func(c *x509.Certificate) {
		c.DNSNames, c.URIs, c.IPAddresses, c.EmailAddresses = []string{"client.example"}, []*url.URL{uri}, []net.IP{net.IPv4(192, 0, 2, 1)}, []string{"c@example"}
	}, ca, caKey)
	self, selfKey := certificate(t, nil, nil, nil)
	stranger, _ := certificate(t, nil, nil, nil)
	server_, _ := certificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, ca, caKey)
	expired, _ := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, ca, caKey)
	ask := func(id string, with *x509.Certificate) answer {
		sent = with
		return a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", id)})
	}
	for name, change := range map[string]func(*oauth.ClientMetadata){
		"dn": func(m *oauth.ClientMetadata) { m.TLSSubjectDN = "CN=client,O=Example" }, "dns": func(m *oauth.ClientMetadata) { m.TLSSANDNS = "Client.example" },
		"uri": func(m *oauth.ClientMetadata) { m.TLSSANURI = "spiffe://example/client" }, "ip": func(m *oauth.ClientMetadata) { m.TLSSANIP = "192.0.2.1" },
		"email": func(m *oauth.ClientMetadata) { m.TLSSANEmail = "c@example" },
	} {
		t.Run("2.1 "+name, func(t *testing.T) {
			a.add(name, "tls_client_auth", func(c *server.Client) { change(&c.Metadata) })
			a.add("not "+name, "tls_client_auth", func(c *server.Client) {
				change(&c.Metadata)
				m := &c.Metadata
				for _, s := range []*string{&m.TLSSubjectDN, &m.TLSSANDNS, &m.TLSSANURI, &m.TLSSANEmail} {
					if *s != "" {
						*s += "x"
					}
				}
				if m.TLSSANIP != "" {
					m.TLSSANIP = "192.0.2.2"
				}
			})
			ask(name, named).want(t, 200, "")
			for _, bad := range []*x509.Certificate{nil, self, server_, expired} {
				ask(name, bad).want(t, 401, oauth.InvalidClient)
			}
			ask("not "+name, named).want(t, 401, oauth.InvalidClient)
		})
	}
	t.Run("2.2 self-signed", func(t *testing.T) {
		j, err := jwk.FromKey(selfKey.Public())
		if err == nil {
			j, err = j.With("x5c", []string{base64.StdEncoding.EncodeToString(self.Raw)})
		}
		if err != nil {
			t.Fatal(err)
		}
		set, _ := json.Marshal(map[string]any{"keys": []any{j}})
		a.add("self", "self_signed_tls_client_auth", func(c *server.Client) { c.Metadata.JWKS = set })
		ask("self", self).want(t, 200, "")
		for _, bad := range []*x509.Certificate{nil, stranger, named} {
			ask("self", bad).want(t, 401, oauth.InvalidClient)
		}
	})
	t.Run("3 bound tokens, M11", func(t *testing.T) {
		c := a.add("bound", "", func(c *server.Client) { c.Metadata.CertificateBoundTokens = true })
		sent = nil
		a.token(c, "grant_type", "client_credentials").want(t, 400, oauth.InvalidRequest)
		sent = self
		w := a.token(c, "grant_type", "client_credentials")
		w.want(t, 200, "")
		sum := sha256.Sum256(self.Raw)
		if tok := a.read(w.text("access_token"), servertest.Resource); tok.Claims.Confirmation == nil || tok.Claims.Confirmation.X5TS256 != base64.RawURLEncoding.EncodeToString(sum[:]) {
			t.Errorf("%+v", tok.Claims)
		}
		if w.text("token_type") != "Bearer" {
			t.Error(w.Body)
		}
	})
	t.Run("3 and 4, refresh tokens of a public client, M11", func(t *testing.T) {
		iss := key(t)
		a.trust(iss, nil)
		a.add("pub", "none", func(c *server.Client) { c.Metadata.CertificateBoundTokens = true })
		sent = self
		w := a.do(call{path: "/token", form: form("client_id", "pub", "grant_type", grant.GrantType, "assertion", a.grantOf(iss, nil))})
		w.want(t, 200, "")
		sent = stranger
		f := form("client_id", "pub", "grant_type", "refresh_token", "refresh_token", w.text("refresh_token"))
		a.do(call{path: "/token", form: f}).want(t, 400, oauth.InvalidGrant)
		sent = self
		a.do(call{path: "/token", form: f}).want(t, 200, "")
	})
	t.Run("5 aliases", func(t *testing.T) {
		a := start(t, server.Options{MTLSURL: "https://mtls.example", NoDPoPNonce: true})
		if a.Metadata().MTLSEndpointAliases["token_endpoint"] != "https://mtls.example/token" {
			t.Error(a.Metadata().MTLSEndpointAliases)
		}
		c, k := a.add("c", "", nil), key(t)
		proof, _ := dpop.Sign(ctx, k, jwt.Registered{}, dpop.Claims{Method: "POST", URL: "https://mtls.example/token"})
		x := call{path: "/token", header: http.Header{"Authorization": basic(c.ID, c.Secret)["Authorization"], "Dpop": {proof}}, form: form("grant_type", "client_credentials")}
		a.do(x).want(t, 400, oauth.InvalidDPoPProof)
		x.host = "mtls.example"
		a.do(x).want(t, 200, "")
	})
}

// attestationOf is what attester says of an instance of a client.
func attestationOf(a *as, attester, instance *jwk.PrivateKey, sub string) string {
	a.t.Helper()
	j, now := instance.JWK(), a.time()
	raw, err := attestation.Sign(ctx, attester, jwt.Registered{Subject: sub, Expiry: now.Add(time.Hour), IssuedAt: now}, attestation.Claims{Confirmation: &pop.Confirmation{JWK: &j}})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

// attested are the headers of an instance that its maker vouches for.
func attested(a *as, attester, instance *jwk.PrivateKey, sub, audience, challenge string) http.Header {
	a.t.Helper()
	h := http.Header{}
	if err := attestation.SetHeaders(ctx, h, attestationOf(a, attester, instance, sub), instance, audience, challenge); err != nil {
		a.t.Fatal(err)
	}
	return h
}

func Test_attestation_based_client_auth(t *testing.T) {
	attester, instance, stranger := key(t), key(t), key(t)
	a := start(t, server.Options{Attesters: jwk.Set{attester.Public()}})
	a.add("wallet", attestation.Method, nil)
	a.add("c", "", nil)
	attest := func(by *jwk.PrivateKey, sub string) string { return attestationOf(a, by, instance, sub) }
	challenge := a.do(call{path: "/challenge"}).text("attestation_challenge")
	if challenge == "" {
		t.Fatal("there is no challenge")
	}
	send := func(attested string, by *jwk.PrivateKey, challenge, id string) answer {
		h := http.Header{}
		if err := attestation.SetHeaders(ctx, h, attested, by, a.URL, challenge); err != nil {
			t.Fatal(err)
		}
		return a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials", "client_id", id)})
	}
	send(attest(attester, "wallet"), instance, challenge, "wallet").want(t, 200, "")
	if w := send(attest(attester, "wallet"), instance, "", "wallet"); w.Header().Get(attestation.ChallengeHeader) == "" {
		t.Error("no challenge: ", w.Body)
	} else {
		w.want(t, 400, oauth.UseAttestationChallenge)
	}
	if w := send(attest(stranger, "wallet"), instance, challenge, "wallet"); w.Code == 200 {
		t.Error("a stranger attests")
	}
	if w := send(attest(attester, "wallet"), stranger, challenge, "wallet"); w.Code == 200 {
		t.Error("another instance")
	}
	send(attest(attester, "c"), instance, challenge, "c").want(t, 401, oauth.InvalidClient)
	t.Run("10.3 refresh tokens are bound to the instance", func(t *testing.T) {
		iss := key(t)
		a.trust(iss, nil)
		h := http.Header{}
		_ = attestation.SetHeaders(ctx, h, attest(attester, "wallet"), instance, a.URL, challenge)
		w := a.do(call{path: "/token", header: h, form: form("grant_type", grant.GrantType, "client_id", "wallet", "assertion", a.grantOf(iss, nil))})
		w.want(t, 200, "")
		instance = stranger // another instance of the same client
		h = http.Header{}
		_ = attestation.SetHeaders(ctx, h, attest(attester, "wallet"), instance, a.URL, challenge)
		a.do(call{path: "/token", header: h, form: form("grant_type", "refresh_token", "client_id", "wallet", "refresh_token", w.text("refresh_token"))}).want(t, 400, oauth.InvalidGrant)
	})
}
