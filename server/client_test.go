package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// The package client gets tokens from the server in every way that both know, over a socket, with the server's metadata as it is
// discovered, and an API behind the package guard takes them.
func TestEndToEnd(t *testing.T) {
	attester, instance, k, dpopKey := key(t), key(t), key(t), key(t)
	kept := memstore.New()
	rotation, err := keyset.NewRotation(store.NewKeys(kept, "signing"), keyset.Timetable{Lifetime: time.Hour}, jwa.ES256, jwa.RS256)
	if err != nil {
		t.Fatal(err)
	}
	a := start(t, server.Options{Store: kept, Keys: rotation, Attesters: jwk.Set{attester.Public()}})
	as, err := client.Discover(ctx, a.URL, client.DiscoverOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issuerKeys, err := keyset.NewIssuer(a.URL, keyset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := accesstoken.NewVerifier(issuerKeys, accesstoken.Policy{Issuers: []string{a.URL}, Audiences: []string{servertest.Resource}})
	if err != nil {
		t.Fatal(err)
	}
	proofs, err := dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1000)})
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewUnstartedServer(nil)
	public := "http://" + api.Listener.Addr().String()
	g, err := guard.New(guard.Policy{Resource: servertest.Resource, JWT: verifier, DPoP: proofs, PublicURL: public})
	if err != nil {
		t.Fatal(err)
	}
	api.Config.Handler = g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(guard.FromContext(r.Context()).Subject))
	}), guard.Need{Scopes: []string{"read"}})
	api.Start()
	defer api.Close()

	a.trust(k, nil)
	basicClient := a.add("basic:%+ ", "", nil)
	postClient := a.add("post", "client_secret_post", nil)
	secretClient := a.add("secret", clientauth.ClientSecretJWT, nil)
	a.add("private", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	a.add("wallet", attestation.Method, nil)
	a.add("public", "none", nil)
	secret, err := jwk.NewSecretKey(jwa.HS256, "", []byte(secretClient.Secret))
	if err != nil {
		t.Fatal(err)
	}
	assertion := func(context.Context) (string, error) { return a.grantOf(k, nil), nil }
	attested := func(context.Context) (string, error) {
		j := instance.JWK()
		return attestation.Sign(ctx, attester, jwt.Registered{Subject: "wallet", Expiry: time.Now().Add(time.Hour), IssuedAt: time.Now()}, attestation.Claims{Confirmation: &pop.Confirmation{JWK: &j}})
	}
	for name, x := range map[string]struct {
		auth    client.Authentication
		grant   client.Grant
		subject string
	}{
		"client_secret_basic": {client.SecretBasic(basicClient.ID, basicClient.Secret), client.ClientCredentials(), basicClient.ID},
		"client_secret_post":  {client.SecretPost("post", postClient.Secret), client.ClientCredentials(), "post"},
		"client_secret_jwt":   {client.Assertion("secret", secret), client.ClientCredentials(), "secret"},
		"private_key_jwt":     {client.Assertion("private", k), client.ClientCredentials(), "private"},
		"attestation":         {client.Attestation("wallet", instance, attested), client.ClientCredentials(), "wallet"},
		"none, JWT bearer":    {client.None("public"), client.JWTBearer(assertion), "alice"},
		"JWT bearer":          {client.Assertion("private", k), client.JWTBearer(assertion), "alice"},
	} {
		for _, bound := range []jwk.Signer{nil, dpopKey} {
			t.Run(name, func(t *testing.T) {
				c := client.Config{Server: as, Auth: x.auth, Scope: oauth.Scopes{"read"}, DPoP: bound}
				src, err := client.New(c, x.grant)
				if err != nil {
					t.Fatal(err)
				}
				rt, err := src.Transport(nil, public)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := (&http.Client{Transport: rt}).Get(public + "/")
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = resp.Body.Close() }()
				b := make([]byte, 100)
				n, _ := resp.Body.Read(b)
				if resp.StatusCode != 200 || string(b[:n]) != x.subject {
					t.Error(resp.Status, string(b[:n]), resp.Header)
				}
				token, err := src.Token(ctx)
				if err != nil || bound != nil && token.Type != oauth.DPoP {
					t.Fatal(err, token.Type)
				}
				if token.RefreshToken == "" {
					return
				}
				again, err := client.New(c, client.Refresh(token.RefreshToken, nil))
				if err != nil {
					t.Fatal(err)
				}
				next, err := again.Token(ctx)
				if err != nil || next.RefreshToken == token.RefreshToken || next.RefreshToken == "" {
					t.Error(err, next)
				}
			})
		}
	}
	t.Run("exchange", func(t *testing.T) {
		gateway := a.add("gateway", "", func(c *server.Client) { c.ResourceServer, c.Impersonation = servertest.Resource, true })
		user := a.token(postOf(a), "grant_type", grant.GrantType, "assertion", a.grantOf(k, nil)).text("access_token")
		src, err := client.New(client.Config{Server: as, Auth: client.SecretBasic("gateway", gateway.Secret)}, client.Exchange(func(context.Context) (*exchange.Request, error) {
			return &exchange.Request{SubjectToken: user, SubjectTokenType: exchange.AccessToken, Resource: []string{other}, Scope: oauth.Scopes{"read"}}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		token, err := src.Token(ctx)
		if err != nil || token.IssuedType != exchange.AccessToken {
			t.Fatal(err)
		}
		a.read(token.AccessToken, other)
	})
	t.Run("an error", func(t *testing.T) {
		src, _ := client.New(client.Config{Server: as, Auth: client.SecretBasic("nobody", "x")}, client.ClientCredentials())
		_, err := src.Token(ctx)
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidClient {
			t.Error(err)
		}
	})
}

func postOf(a *as) *server.Client { return a.add("another", "", nil) }

// One of many wins, whoever asks.
func TestRaces(t *testing.T) {
	a := start(t, server.Options{NoDPoPNonce: true, Lifetimes: server.Lifetimes{RefreshRetry: -1}})
	k := key(t)
	a.trust(k, nil)
	c := a.add("c", "", nil)
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	refresh := a.family(c, k)
	assertion, proof := a.grantOf(k, nil), a.proof(k, "")
	auth := a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = "k", "k" })
	h := basic(c.ID, c.Secret)
	withProof := h.Clone()
	withProof["Dpop"] = []string{proof}
	for name, x := range map[string]call{
		"a refresh token":    {header: h, form: form("grant_type", "refresh_token", "refresh_token", refresh)},
		"a grant":            {form: form("grant_type", grant.GrantType, "assertion", assertion)},
		"a client assertion": {form: form("grant_type", "client_credentials", "client_assertion", auth, "client_assertion_type", clientauth.AssertionType)},
		"a proof":            {header: withProof, form: form("grant_type", "client_credentials")},
	} {
		t.Run(name, func(t *testing.T) {
			x.path = "/token"
			var mu sync.Mutex
			var wg sync.WaitGroup
			won := 0
			for range 32 {
				wg.Go(func() {
					if a.do(x).Code == 200 {
						mu.Lock()
						won++
						mu.Unlock()
					}
				})
			}
			if wg.Wait(); won != 1 {
				t.Errorf("%d have won", won)
			}
		})
	}
}

func TestBitbucket(t *testing.T) {
	a := start(t, server.Options{})
	const secret = "the shared secret of an installation, 32 bytes or more"
	a.AddIssuer(t, server.TrustedIssuer{
		Issuer: "app-key", LegacyBitbucket: true, Subjects: []string{"*"}, SubjectPrefix: "bitbucket:", Scope: "read",
		Secrets: map[string]string{"client-key": secret, "gone": secret},
	})
	i, err := a.Server.Server.Issuer(ctx, "app-key")
	if err != nil || i.Secrets != nil {
		t.Fatal(err, i)
	}
	i.Secrets = map[string]string{"gone": ""}
	a.AddIssuer(t, *i)
	ask := func(secret, sub, typ string) answer {
		raw := ofBitbucket(t, secret, sub)
		if typ == grant.GrantType {
			return a.do(call{path: "/token", form: form("grant_type", typ, "assertion", raw)})
		}
		return a.do(call{path: "/token", header: http.Header{"Authorization": {"JWT " + raw}}, form: form("grant_type", typ)})
	}
	w := ask(secret, "client-key", grant.BitbucketGrantType)
	if w.want(t, 200, ""); a.read(w.text("access_token"), servertest.Resource).Subject != "bitbucket:client-key" {
		t.Error(w.Body)
	}
	ask(strings.ToUpper(secret), "client-key", grant.BitbucketGrantType).want(t, 400, oauth.InvalidGrant)
	ask(secret, "gone", grant.BitbucketGrantType).want(t, 400, oauth.InvalidGrant)
	ask(secret, "client-key", grant.GrantType).want(t, 400, oauth.InvalidGrant)
	all, _ := a.Options.Store.Documents(ctx, "issuer", "", 10)
	if len(all) != 1 || strings.Contains(string(all[0].Body), secret) {
		t.Error("the secret is kept in clear")
	}
}

// TestChosenSecrets_time has each secret that is refused take as long as a chosen one, once there is a client with such.
func TestChosenSecrets_time(t *testing.T) {
	var hashes []string
	a := start(t, server.Options{VerifySecret: func(_ context.Context, hash, secret string) (bool, error) {
		hashes = append(hashes, hash)
		return hash == "hash of "+secret || hash == "", nil // which is not asked for its opinion of no hash
	}})
	a.add("random", "", nil)
	try := func(id, secret string, status int, want ...string) {
		t.Helper()
		hashes = nil
		if w := asked(a, "192.0.2.1:1", id, secret); w.Code != status || !slices.Equal(hashes, want) {
			t.Errorf("%s: %d, after hashes %q", id, w.Code, hashes)
		}
	}
	try("nobody", "password", 401)
	try("random", "password", 401)
	a.add("chosen", "", func(c *server.Client) { c.ChosenSecret = "hash of password" })
	keyed := a.add("keyed", "none", nil)
	try("nobody", "password", 401, "")
	try("random", "password", 401, "")
	try(keyed.ID, "password", 401, "")
	try("chosen", "guess", 401, "hash of password")
	try("chosen", "password", 200, "hash of password")
}

func TestChosenSecrets(t *testing.T) {
	a := start(t, server.Options{VerifySecret: func(_ context.Context, hash, secret string) (bool, error) {
		if secret == "fail" {
			return false, errors.New("out of memory")
		}
		return hash == "hash of "+secret, nil
	}})
	c := a.add("c", "", func(c *server.Client) { c.ChosenSecret = "hash of password" })
	if c.Secret != "" {
		t.Error("a secret is made beside the chosen one")
	}
	if _, err := a.SaveClient(ctx, server.Client{ID: "j", ChosenSecret: "x", Metadata: oauth.ClientMetadata{AuthMethod: "client_secret_jwt", GrantTypes: []string{}}}); !errors.Is(err, server.ErrDocument) {
		t.Error("a chosen secret signs assertions: ", err)
	}
	c.Secret = "password"
	a.token(c, "grant_type", "client_credentials").want(t, 200, "")
	c.Secret = "passwort"
	a.token(c, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	c.Secret = "fail"
	a.token(c, "grant_type", "client_credentials").want(t, 503, oauth.TemporarilyUnavailable)
}

func TestDocuments(t *testing.T) {
	a := start(t, server.Options{})
	k := key(t)
	good := jwks(t, k.Public())
	private, _ := k.PrivateJWK()
	secretSet, _ := json.Marshal(map[string]any{"keys": []json.RawMessage{func() json.RawMessage { b, _ := private.MarshalPrivateJSON(); return b }()}})
	for name, change := range map[string]func(*server.Client){
		"an unknown method":       func(c *server.Client) { c.Metadata.AuthMethod = "magic" },
		"a method without its CA": func(c *server.Client) { c.Metadata.AuthMethod = "tls_client_auth"; c.Metadata.TLSSANDNS = "x" },
		"a method without a name": func(c *server.Client) { c.Metadata.AuthMethod = "tls_client_auth" },
		"a method without keys":   func(c *server.Client) { c.Metadata.AuthMethod = "private_key_jwt" },
		"an attested one":         func(c *server.Client) { c.Metadata.AuthMethod = attestation.Method },
		"an unknown grant type":   func(c *server.Client) { c.Metadata.GrantTypes = []string{"password"} },
		"a grant type to come":    func(c *server.Client) { c.Metadata.GrantTypes = nil },
		"a private key":           func(c *server.Client) { c.Metadata.AuthMethod = "private_key_jwt"; c.Metadata.JWKS = secretSet },
		"keys twice":              func(c *server.Client) { c.Metadata.JWKS = good; c.Metadata.JWKSURI = "https://c.example/jwks" },
		"keys over http":          func(c *server.Client) { c.Metadata.JWKSURI = "http://c.example/jwks" },
		"a malformed scope":       func(c *server.Client) { c.Metadata.Scope = "a  b" },
		"an unknown resource":     func(c *server.Client) { c.Resources = []string{"https://x.example"} },
		"an unknown API":          func(c *server.Client) { c.ResourceServer = "https://x.example" },
		"a public API":            func(c *server.Client) { c.ResourceServer = other; c.Metadata.AuthMethod = "none" },
		"a claim of the server":   func(c *server.Client) { c.Claims = map[string]any{"scope": "admin"} },
		"what introspection says": func(c *server.Client) { c.Claims = map[string]any{"active": false} },
		"and of which type":       func(c *server.Client) { c.Claims = map[string]any{"token_type": "Bearer"} },
		"another one":             func(c *server.Client) { c.Claims = map[string]any{"iss": "https://evil.example"} },
		"a claim that is no JSON": func(c *server.Client) { c.Claims = map[string]any{"x": func() {}} },
		"a negative lifetime":     func(c *server.Client) { c.Lifetime = -1 },
		"a name of control":       func(c *server.Client) { c.ID = "a\nb" },
		"a long name":             func(c *server.Client) { c.ID = strings.Repeat("a", 2000) },
		"a short secret":          func(c *server.Client) { c.Secret = "short" },
		"a secret of none":        func(c *server.Client) { c.Secret = strings.Repeat("a", 40); c.Metadata.AuthMethod = "none" },
		"a chosen one, no hook":   func(c *server.Client) { c.ChosenSecret = "x" },
		"a chosen one for HMAC":   func(c *server.Client) { c.ChosenSecret = "x"; c.Metadata.AuthMethod = "client_secret_jwt" },
		"a secret too short": func(c *server.Client) {
			c.Secret = strings.Repeat("a", 40)
			c.Metadata.AuthMethod = "client_secret_jwt"
			c.Metadata.AuthSigningAlg = "HS512"
		},
		"an unknown algorithm": func(c *server.Client) {
			c.Metadata.AuthMethod = "private_key_jwt"
			c.Metadata.JWKS = good
			c.Metadata.AuthSigningAlg = "HS256"
		},
		"keys of another": func(c *server.Client) {
			c.Metadata.AuthMethod = "private_key_jwt"
			c.Metadata.JWKS = good
			c.Metadata.AuthSigningAlg = "ES384"
		},
		"an unknown detail type": func(c *server.Client) { c.Metadata.AuthorizationDetailsTypes = []string{"x"} },
		"a version that is not":  func(c *server.Client) { c.Version = 99 },
	} {
		t.Run(name, func(t *testing.T) {
			c := server.Client{ID: "x", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}}}
			change(&c)
			if _, err := a.SaveClient(ctx, c); err == nil {
				t.Error("it is saved")
			}
		})
	}
	for name, change := range map[string]func(*server.TrustedIssuer){
		"no name":              func(i *server.TrustedIssuer) { i.Issuer = "" },
		"no subjects":          func(i *server.TrustedIssuer) { i.Subjects = nil },
		"an empty subject":     func(i *server.TrustedIssuer) { i.Subjects = []string{""} },
		"no keys":              func(i *server.TrustedIssuer) { i.JWKS = nil },
		"keys twice":           func(i *server.TrustedIssuer) { i.Discover = true },
		"keys that are none":   func(i *server.TrustedIssuer) { i.JWKS = json.RawMessage(`{"keys":[]}`) },
		"an unknown algorithm": func(i *server.TrustedIssuer) { i.Algorithms = []string{"none"} },
		"an unknown resource":  func(i *server.TrustedIssuer) { i.Resources = []string{"https://x.example"} },
		"a malformed scope":    func(i *server.TrustedIssuer) { i.Scope = "\"" },
		"a negative lifetime":  func(i *server.TrustedIssuer) { i.MaxLifetime = -1 },
		"typed and not":        func(i *server.TrustedIssuer) { i.TypedOnly, i.LegacyScope = true, true },
		"a short secret": func(i *server.TrustedIssuer) {
			i.JWKS, i.LegacyBitbucket, i.Secrets = nil, true, map[string]string{"a": "short"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := server.TrustedIssuer{Issuer: "https://i.example", JWKS: good, Subjects: []string{"*"}}
			change(&i)
			if _, err := a.SaveIssuer(ctx, i); !errors.Is(err, server.ErrDocument) {
				t.Error(err)
			}
		})
	}
	if _, err := a.SaveClient(ctx, server.Client{ID: "twice", Metadata: oauth.ClientMetadata{GrantTypes: []string{}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SaveClient(ctx, server.Client{ID: "twice", Metadata: oauth.ClientMetadata{GrantTypes: []string{}}}); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
}

// M6: the URL of a client's keys is a stranger's, and leads to no address that is not public.
func TestAttack_M6_keys_of_clients(t *testing.T) {
	visited := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	defer inside.Close()
	a := start(t, server.Options{})
	k := key(t)
	for _, u := range []string{inside.URL, "https://" + inside.Listener.Addr().String(), "https://169.254.169.254/jwks", "https://[::ffff:127.0.0.1]/jwks"} {
		c, err := a.SaveClient(ctx, server.Client{Metadata: oauth.ClientMetadata{AuthMethod: "private_key_jwt", JWKSURI: u, GrantTypes: []string{"client_credentials"}}})
		if err != nil {
			continue // refused at once is as good
		}
		w := a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion",
			a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = c.ID, c.ID }))})
		if w.Code == 200 || visited {
			t.Error(u, w.Code, visited)
		}
	}
}

func Test_RFC9396_authorization_details(t *testing.T) {
	a := start(t, server.Options{DetailTypes: map[string]func(context.Context, string, *oauth.AuthorizationDetail) error{
		"payment": func(_ context.Context, _ string, d *oauth.AuthorizationDetail) error {
			if slices.Contains(d.Actions, "steal") {
				return errors.New("no")
			}
			return nil
		},
		"plain": nil,
	}})
	c := a.add("c", "", func(c *server.Client) { c.Metadata.AuthorizationDetailsTypes = []string{"payment", "plain"} })
	d := a.add("d", "", nil)
	ask := func(c *server.Client, details string) answer {
		return a.token(c, "grant_type", "client_credentials", "authorization_details", details)
	}
	w := ask(c, `[{"type":"payment","actions":["pay"],"amount":{"value":"1"}}]`)
	w.want(t, 200, "")
	if got := string(a.read(w.text("access_token"), servertest.Resource).Claims.AuthorizationDetails); !strings.Contains(got, `"amount"`) || w.json["authorization_details"] == nil {
		t.Error(got, w.Body)
	}
	ask(c, `[{"type":"plain","actions":["x"]}]`).want(t, 200, "")
	for _, bad := range []string{`[{"type":"plain","extra":1}]`, `[{"type":"payment","actions":["steal"]}]`, `[{"type":"unknown"}]`, `[]`, `{`, `[{"actions":[]}]`} {
		ask(c, bad).want(t, 400, oauth.InvalidAuthorizationDetails)
	}
	ask(d, `[{"type":"plain"}]`).want(t, 400, oauth.InvalidAuthorizationDetails)
	if a.Metadata().AuthorizationDetailsTypes == nil {
		t.Error("not announced")
	}
	k := key(t)
	a.trust(k, nil)
	token := a.family(c, k, "authorization_details", `[{"type":"plain","actions":["x","y"]}]`)
	refresh := func(details string) answer {
		return a.token(c, "grant_type", "refresh_token", "refresh_token", token, "authorization_details", details)
	}
	refresh(`[{"type":"plain","actions":["z"]}]`).want(t, 400, oauth.InvalidAuthorizationDetails)
	refresh(`[{"type":"plain","actions":["x"]}]`).want(t, 200, "")
}

func TestLifetimesAndClaims(t *testing.T) {
	a := start(t, server.Options{Resources: []server.Resource{
		{Identifier: servertest.Resource, Claims: map[string]any{"region": "eu", "tier": "none"}, Lifetime: 10 * time.Minute},
		{Identifier: other, Opaque: true},
	}})
	c := a.add("c", "", func(c *server.Client) { c.Claims = map[string]any{"tier": "gold"} })
	short := a.add("short", "", func(c *server.Client) { c.Lifetime = 60 })
	w := a.token(c, "grant_type", "client_credentials")
	tok := a.read(w.text("access_token"), servertest.Resource)
	var region, tier string
	_, _ = tok.Claim("region", &region)
	_, _ = tok.Claim("tier", &tier)
	if region != "eu" || tier != "gold" || w.json["expires_in"] != 600.0 {
		t.Error(region, tier, w.Body)
	}
	if w := a.token(short, "grant_type", "client_credentials"); w.json["expires_in"] != 60.0 {
		t.Error(w.Body)
	}
	if w := a.token(c, "grant_type", "client_credentials", "resource", other); strings.Contains(w.text("access_token"), ".") {
		t.Error(w.Body)
	}
}
