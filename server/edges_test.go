package server_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// A secret of any length is not handed to what hashes slowly.
func TestChosenSecretsAreShort(t *testing.T) {
	asked := 0
	a := start(t, server.Options{VerifySecret: func(_ context.Context, hash, secret string) (bool, error) {
		asked++
		return true, nil
	}})
	c := a.add("c", "", func(c *server.Client) { c.ChosenSecret = "hash" })
	c.Secret = strings.Repeat("x", 1024)
	a.token(c, "grant_type", "client_credentials").want(t, 200, "")
	c.Secret += "x"
	a.token(c, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	if asked != 1 {
		t.Error(asked)
	}
	// A server that was started without the hook says that it is not the client's fault.
	o := a.Options
	o.VerifySecret = nil
	b := start(t, o)
	b.token(c, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	c.Secret = "x"
	b.token(c, "grant_type", "client_credentials").want(t, 500, oauth.ServerError)
}

// Credentials that are not form-encoded are not taken for those that they would be otherwise.
func TestBasicIsFormEncoded(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	good := std64("c:" + c.Secret)
	for _, h := range []string{"Digest " + good, "Basic " + good + "!!!!", "Basic" + good} {
		a.do(call{path: "/token", header: http.Header{"Authorization": {h}}, form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
	}
	for _, credentials := range []string{"c%:" + c.Secret, "c:" + c.Secret + "%", "c:" + c.Secret + "%zz"} {
		w := a.do(call{path: "/token", header: http.Header{"Authorization": {"Basic " + std64(credentials)}}, form: form("grant_type", "client_credentials")})
		if w.want(t, 401, oauth.InvalidClient); !strings.Contains(a.last().Err.Cause.Error(), "form-encoded") {
			t.Error(a.last().Err.Cause)
		}
	}
}

func TestAttestationOfNobody(t *testing.T) {
	attester, instance := key(t), key(t)
	a := start(t, server.Options{Attesters: jwk.Set{attester.Public()}})
	challenge := a.do(call{path: "/challenge"}).text("attestation_challenge")
	h := attested(a, attester, instance, "nobody", a.URL, challenge)
	a.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials")}).want(t, 401, oauth.InvalidClient)
	// Where no attesters are trusted nobody is attested.
	b := start(t, server.Options{})
	b.add("c", "none", nil)
	b.do(call{path: "/token", header: h, form: form("grant_type", "client_credentials", "client_id", "c")}).want(t, 401, oauth.InvalidClient)
}

// Who may present the grants of an issuer, and for which subjects.
func TestGrantsOfAnIssuer(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	a.trust(k, func(i *server.TrustedIssuer) {
		i.Clients, i.SubjectPrefix, i.Subjects = []string{"c"}, strings.Repeat("p", 1000), []string{"*"}
	})
	c, d := a.add("c", "", nil), a.add("d", "", func(c *server.Client) { c.Impersonation = true })
	of := func(sub string) string { return a.grantOf(k, func(r *jwt.Registered) { r.Subject = sub }) }
	a.token(d, "grant_type", grant.GrantType, "assertion", of("alice")).want(t, 400, oauth.UnauthorizedClient)
	a.token(c, "grant_type", grant.GrantType, "assertion", of("alice")).want(t, 200, "")
	a.token(c, "grant_type", grant.GrantType, "assertion", of(strings.Repeat("s", 100))).want(t, 400, oauth.InvalidGrant)
	// Those for certain clients are not for an exchange by others.
	a.token(d, "grant_type", exchange.GrantType, "subject_token", of("alice"), "subject_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
	i, err := a.Server.Server.Issuer(ctx, stsURL)
	if err != nil {
		t.Fatal(err)
	}
	i.Clients = nil
	a.AddIssuer(t, *i)
	a.token(d, "grant_type", exchange.GrantType, "subject_token", of("alice"), "subject_token_type", string(exchange.JWT)).want(t, 200, "")
	a.token(d, "grant_type", exchange.GrantType, "subject_token", of(strings.Repeat("s", 100)), "subject_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
}

// A JWT is not promised where the token is none.
func TestExchangeForJWTs(t *testing.T) {
	a := start(t, server.Options{Resources: []server.Resource{{Identifier: servertest.Resource}, {Identifier: other, Opaque: true}}})
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	o := a.add("o", "", func(c *server.Client) { c.Impersonation, c.Opaque = true, true })
	of := func(c *server.Client, pairs ...string) answer {
		raw := a.token(c, "grant_type", "client_credentials").text("access_token")
		return a.token(c, append(pairs, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.AccessToken))...)
	}
	of(c, "requested_token_type", string(exchange.JWT)).want(t, 200, "")
	of(c, "requested_token_type", string(exchange.JWT), "resource", other).want(t, 400, oauth.InvalidRequest)
	of(o, "requested_token_type", string(exchange.JWT)).want(t, 400, oauth.InvalidRequest)
	of(o, "requested_token_type", string(exchange.AccessToken)).want(t, 200, "")
	of(c, "scope", "\"").want(t, 400, oauth.InvalidScope)
}

// A token whose confirmation says what is not known here is bound to a key that nobody can show.
func TestExchangeOfUnknownConfirmations(t *testing.T) {
	mine, _ := certificate(t, nil, nil, nil)
	var sent *x509.Certificate
	var broken error
	a := start(t, server.Options{ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return sent, broken }})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", func(c *server.Client) { c.Impersonation = true })
	of := func(cnf string) answer {
		now := time.Now().Unix()
		claims := map[string]any{"iss": stsURL, "sub": "alice", "aud": a.URL, "iat": now, "exp": now + 60, "jti": rand()}
		text := string(must(claims))
		if cnf != "" {
			text = `{"cnf":` + cnf + "," + text[1:]
		}
		raw := forge(t, k, `{"alg":"ES256"}`, text)
		return a.token(c, "grant_type", exchange.GrantType, "subject_token", raw, "subject_token_type", string(exchange.JWT))
	}
	of("").want(t, 200, "")
	for _, cnf := range []string{`{"jkt":"x"}`, `{"x5t#S256":"x"}`, `{"kid":"x"}`, `{}`, `"x"`, `null`, `{"jkt":1}`, `{"jkt":"a","jkt":"b"}`} {
		of(cnf).want(t, 400, oauth.InvalidRequest)
	}
	x5t := `{"x5t#S256":"` + thumbprint(mine) + `"}`
	of(x5t).want(t, 400, oauth.InvalidRequest)
	sent = mine
	of(x5t).want(t, 200, "")
	of(`{"jkt":"x",`+x5t[1:]).want(t, 400, oauth.InvalidRequest) // both
	broken = errDown
	of(x5t).want(t, 400, oauth.InvalidRequest)
}

// Documents that were written by hand, or by a version to come, make no client that has less to prove.
func TestDocumentsInTheStore(t *testing.T) {
	kept := memstore.New()
	now := newClock()
	a := start(t, server.Options{Store: kept, Clock: now.now})
	k := key(t)
	c := a.add("c", "", nil)
	self := a.add("self", "self_signed_tls_client_auth", func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	_ = self
	for _, body := range []string{
		`{`, `[]`, `{"metadata":{"token_endpoint_auth_method":"magic"}}`, `{"metadata":{"grant_types":["password"]}}`,
		`{"metadata":{"grant_types":["client_credentials"]},"secret_hash":"!"}`, `{"metadata":{"grant_types":["client_credentials"]},"secret_hash":"AAAA"}`,
		`{"metadata":{"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_jwt"},"secret_sealed":"AAAA"}`,
		`{"metadata":{"grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_jwt"},"secret_sealed":"!"}`,
		`{"metadata":{"grant_types":["client_credentials"]},"lifetime":9223372036854775807}`,
		`{"metadata":{"grant_types":["client_credentials"],"introspection_signed_response_alg":"RS256"}}`,
		`{"metadata":{"grant_types":["client_credentials"],"introspection_encrypted_response_alg":"ECDH-ES"}}`,
		`{"metadata":{"grant_types":["client_credentials"],"introspection_encrypted_response_alg":"dir"}}`,
		`{"metadata":{"grant_types":["client_credentials"],"introspection_encrypted_response_alg":"ES256"}}`,
		`{"metadata":{"grant_types":["client_credentials"],"introspection_encrypted_response_alg":"x"}}`,
	} {
		d, err := kept.Document(ctx, "client", "c")
		if err != nil {
			t.Fatal(err)
		}
		d.Body = []byte(body)
		if _, err := kept.PutDocument(ctx, d); err != nil {
			t.Fatal(err)
		}
		now.add(2 * time.Second)
		if w := a.token(c, "grant_type", "client_credentials"); w.Code != 500 || w.text("error") != oauth.ServerError {
			t.Error(body, w.Code, w.Body)
		}
	}
	if _, err := kept.PutDocument(ctx, store.Document{Kind: "issuer", ID: stsURL, Body: []byte(`{`)}); err != nil {
		t.Fatal(err)
	}
	if w := a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil))}); w.Code < 500 {
		t.Error(w.Code, w.Body)
	}
}

func TestDocumentsThatWouldOverflow(t *testing.T) {
	a := start(t, server.Options{})
	const much = 1 << 62
	if _, err := a.SaveClient(ctx, server.Client{ID: "x", Lifetime: much, Metadata: oauth.ClientMetadata{GrantTypes: []string{}}}); err == nil {
		t.Error("a lifetime overflows")
	}
	good := server.TrustedIssuer{Issuer: stsURL, JWKS: jwks(t, key(t).Public()), Subjects: []string{"*"}}
	for name, change := range map[string]func(*server.TrustedIssuer){
		"a lifetime":                 func(i *server.TrustedIssuer) { i.MaxLifetime = much },
		"an algorithm of encryption": func(i *server.TrustedIssuer) { i.Algorithms = []string{"ECDH-ES"} },
		"a name":                     func(i *server.TrustedIssuer) { i.Issuer = "https://\x00" },
		"a long name":                func(i *server.TrustedIssuer) { i.Issuer = "https://" + strings.Repeat("x", 2000) },
	} {
		i := good
		change(&i)
		if _, err := a.SaveIssuer(ctx, i); err == nil {
			t.Errorf("%s is saved", name)
		}
	}
}

// A client that tells its own secret again is believed, and one that tells another's is not (RFC 7592, Section 2.2).
func TestUpdateWithSecrets(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true}})
	for _, method := range []string{"client_secret_basic", "client_secret_jwt"} {
		_, c := a.register("POST", "/register", "", `{"token_endpoint_auth_method":"`+method+`"}`)
		for secret, status := range map[string]int{c.Secret: 200, c.Secret + "x": 400, "": 400} {
			w, _ := a.register("PUT", "/register/"+c.ClientID, c.RegistrationToken, `{"client_id":"`+c.ClientID+`","token_endpoint_auth_method":"`+method+`","client_secret":"`+secret+`"}`)
			if w.Code != status {
				t.Errorf("%s: %d %s", method, w.Code, w.Body)
			}
		}
	}
	_, c := a.register("POST", "/register", "", `{"token_endpoint_auth_method":"none","grant_types":["client_credentials"]}`)
	w, _ := a.register("PUT", "/register/"+c.ClientID, c.RegistrationToken, `{"client_id":"`+c.ClientID+`","token_endpoint_auth_method":"none","client_secret":""}`)
	w.want(t, 400, oauth.InvalidClientMetadata)
	w, _ = a.register("POST", "/register", "", `{"response_types":["token"],"grant_types":["implicit"]}`)
	w.want(t, 400, oauth.InvalidClientMetadata)
	w, _ = a.register("POST", "/register", "", `{"response_types":["id_token"]}`)
	w.want(t, 400, oauth.InvalidClientMetadata)
}

// Who has no token is not told what is wrong with it, and who has one is (RFC 6750, Section 3.1).
func TestRegistrationChallenge(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{}})
	for token, told := range map[string]bool{"": false, "x": true} {
		w, _ := a.register("POST", "/register", token, `{}`)
		if c := w.Header().Get("WWW-Authenticate"); strings.Contains(c, "error=") != told {
			t.Errorf("%q: %s", token, c)
		}
	}
}

func TestMetadataOfAuthorizationDetails(t *testing.T) {
	a := start(t, server.Options{DetailTypes: detailTypes("pay")})
	k := key(t)
	a.trust(k, nil)
	// Nobody in particular has no type of details that it could have registered (RFC 9396, Section 10).
	a.do(call{path: "/token", form: form("grant_type", grant.GrantType, "assertion", a.grantOf(k, nil), "authorization_details", `[{"type":"pay"}]`)}).want(t, 400, oauth.InvalidAuthorizationDetails)
}

func std64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return b64(sum[:])
}
