package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
)

func (a *as) register(method, path, token, body string) (answer, *oauth.ClientInformation) {
	a.t.Helper()
	h := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	w := a.do(call{method: method, path: path, header: h, body: body})
	c := new(oauth.ClientInformation)
	if w.Code < 300 && w.Code != 204 {
		if err := json.Unmarshal(w.Body.Bytes(), c); err != nil {
			a.t.Fatal(err, w.Body)
		}
	}
	return w, c
}

func (a *as) initial() string {
	a.t.Helper()
	token, err := a.InitialAccessToken(ctx, time.Hour)
	if err != nil {
		a.t.Fatal(err)
	}
	return token
}

func Test_RFC7591(t *testing.T) {
	now, statements := newClock(), key(t)
	a := start(t, server.Options{Clock: now.now, Registration: &server.Registration{
		Scope: oauth.Scopes{"read"}, Statements: jwk.Set{statements.Public()}, StatementIssuers: []string{"https://vendor.example"},
		Approve: func(_ context.Context, c *server.Client) error {
			if c.Metadata.Name == "evil" {
				return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "no"}
			}
			if c.Metadata.Name == "renamed" {
				c.ID = "renamed"
			}
			if c.Metadata.Name == "broken" {
				return errors.New("the database of vendors is down")
			}
			return nil
		},
	}})
	if a.Metadata().RegistrationEndpoint != a.URL+"/register" {
		t.Error("not announced")
	}
	t.Run("3.1 and 3.2.1", func(t *testing.T) {
		token := a.initial()
		w, c := a.register("POST", "/register", token, `{"client_name":"Shop","scope":"read admin","client_id":"mine","client_secret":"mine","unknown":1}`)
		w.want(t, 201, "")
		if c.ClientID == "" || c.ClientID == "mine" || len(c.Secret) < 43 || c.RegistrationURI != a.URL+"/register/"+c.ClientID || c.RegistrationToken == "" || c.Scope != "read" ||
			c.AuthMethod != "client_secret_basic" || len(c.GrantTypes) != 1 || c.Name != "Shop" || c.IssuedAt != now.now().Unix() || w.json["client_secret_expires_at"] != 0.0 {
			t.Errorf("%+v\n%s", c, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("it may be stored")
		}
		a.token(&server.Client{ID: c.ClientID, Secret: c.Secret}, "grant_type", "client_credentials").want(t, 200, "")
		t.Run("3 the token is good once", func(t *testing.T) {
			w, _ := a.register("POST", "/register", token, `{}`)
			if w.want(t, 401, oauth.InvalidToken); !strings.Contains(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Error(w.Header())
			}
		})
	})
	t.Run("3 a token", func(t *testing.T) {
		for _, token := range []string{"", "x", strings.Repeat("A", 43)} {
			w, _ := a.register("POST", "/register", token, `{}`)
			w.want(t, 401, oauth.InvalidToken)
		}
		old := a.initial()
		now.add(2 * time.Hour)
		w, _ := a.register("POST", "/register", old, `{}`)
		w.want(t, 401, oauth.InvalidToken)
	})
	t.Run("3.2.2 errors, which cost no token", func(t *testing.T) {
		token := a.initial()
		for document, code := range map[string]string{
			`[]`: oauth.InvalidClientMetadata, `{`: oauth.InvalidClientMetadata, `{"scope":1}`: oauth.InvalidClientMetadata, `{"scope":"a","scope":"b"}`: oauth.InvalidClientMetadata,
			`{"grant_types":["refresh_token"]}`: oauth.InvalidClientMetadata, `{"token_endpoint_auth_method":"magic"}`: oauth.InvalidClientMetadata,
			`{"response_types":["code"],"grant_types":["client_credentials","authorization_code"]}`: oauth.InvalidClientMetadata,
			`{"redirect_uris":["javascript:1"]}`:                                                    oauth.InvalidRedirectURI, `{"client_name":"evil"}`: oauth.InvalidClientMetadata, `{"client_name":"` + strings.Repeat("x", 1999) + `é"}`: oauth.InvalidClientMetadata,
			`{"software_statement":"x"}`: oauth.InvalidSoftwareStatement, `{"jwks_uri":"http://c.example/jwks"}`: oauth.InvalidClientMetadata,
		} {
			w, _ := a.register("POST", "/register", token, document)
			w.want(t, 400, code)
		}
		w, _ := a.register("POST", "/register", token, `{"client_name":"broken"}`)
		w.want(t, 503, oauth.TemporarilyUnavailable)
		w, _ = a.register("POST", "/register", token, `{"client_name":"`+strings.Repeat("x", 70<<10)+`"}`)
		w.want(t, 413, oauth.InvalidClientMetadata)
		a.do(call{path: "/register", header: http.Header{"Authorization": {"Bearer " + token}}, form: form("client_name", "x")}).want(t, 415, oauth.InvalidClientMetadata)
		w, _ = a.register("POST", "/register", token, `{}`)
		w.want(t, 201, "")
	})
	t.Run("2.3 software statements", func(t *testing.T) {
		sign := func(k *jwk.PrivateKey, issuer string, claims map[string]any) string {
			raw, err := jwt.Sign(ctx, k, jwt.Header{}, jwt.Registered{Issuer: issuer}, claims, jwt.AllowMissingExpiry)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		claims := map[string]any{"software_id": "s", "client_name": "Vendor", "client_id": "chosen"}
		send := func(statement string) (answer, *oauth.ClientInformation) {
			b, _ := json.Marshal(map[string]any{"client_name": "Liar", "client_uri": "https://app.example/", "software_statement": statement})
			return a.register("POST", "/register", a.initial(), string(b))
		}
		good := sign(statements, "https://vendor.example", claims)
		w, c := send(good)
		if w.want(t, 201, ""); c.Name != "Vendor" || c.URI != "https://app.example/" || c.ClientID == "chosen" || c.SoftwareStatement != good || c.SoftwareID != "s" {
			t.Error(w.Body)
		}
		for _, bad := range []string{
			sign(key(t), "https://vendor.example", claims), sign(statements, "https://evil.example", claims), sign(statements, "", claims),
			sign(statements, "https://vendor.example", map[string]any{"client_name": "x"}), sign(statements, "https://vendor.example", map[string]any{"software_id": "s", "scope": 1}),
		} {
			w, _ := send(bad)
			w.want(t, 400, oauth.InvalidSoftwareStatement)
		}
		b := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true}})
		body, _ := json.Marshal(map[string]any{"software_statement": good})
		w, _ = b.register("POST", "/register", "", string(body))
		w.want(t, 400, oauth.UnapprovedSoftwareStatement)
		w, _ = b.register("POST", "/register", "", `{}`)
		w.want(t, 201, "")
	})
	t.Run("one of many has the token", func(t *testing.T) {
		token := a.initial()
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 16 {
			wg.Go(func() {
				if w, _ := a.register("POST", "/register", token, `{}`); w.Code == 201 {
					mu.Lock()
					won++
					mu.Unlock()
				}
			})
		}
		if wg.Wait(); won != 1 {
			t.Error(won)
		}
	})
	t.Run("the token names its client, and is used with it", func(t *testing.T) {
		token := a.initial()
		w, c := a.register("POST", "/register", token, `{"client_name":"renamed"}`)
		if w.want(t, 201, ""); c.ClientID == "renamed" || strings.Contains(token, c.ClientID) {
			t.Error(c.ClientID)
		}
		w, _ = a.register("GET", "/register/"+c.ClientID, c.RegistrationToken, "")
		w.want(t, 200, "")
		w, _ = a.register("DELETE", "/register/"+c.ClientID, c.RegistrationToken, "")
		w.want(t, 204, "")
		w, _ = a.register("POST", "/register", token, `{}`)
		w.want(t, 401, oauth.InvalidToken)
	})
	t.Run("not without the option", func(t *testing.T) {
		b := start(t, server.Options{})
		b.do(call{path: "/register"}).want(t, 404, "")
		b.do(call{method: "GET", path: "/register/x"}).want(t, 404, "")
	})
}

func Test_RFC7592(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true, Scope: oauth.Scopes{"read", "write"}}})
	_, c := a.register("POST", "/register", "", `{"client_name":"Shop","client_uri":"https://shop.example/","scope":"read"}`)
	_, d := a.register("POST", "/register", "", `{"client_name":"Other"}`)
	admin := a.add("admin", "", nil)
	path := "/register/" + c.ClientID
	t.Run("2.1 read", func(t *testing.T) {
		w, got := a.register("GET", path, c.RegistrationToken, "")
		if w.want(t, 200, ""); got.Name != "Shop" || got.ClientID != c.ClientID || got.RegistrationURI == "" || got.RegistrationToken == "" || got.Secret != "" {
			t.Error(w.Body)
		}
	})
	t.Run("2 the token of this client", func(t *testing.T) {
		for p, token := range map[string]string{path: d.RegistrationToken, "/register/" + d.ClientID: c.RegistrationToken, "/register/nobody": c.RegistrationToken, "/register/admin": c.RegistrationToken, "/register/": "", path + "/": c.RegistrationToken} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				w, _ := a.register(method, p, token, `{"client_id":"admin"}`)
				w.want(t, 401, oauth.InvalidToken)
			}
		}
		w, _ := a.register("POST", path, c.RegistrationToken, `{}`)
		w.want(t, 405, oauth.InvalidRequest)
		a.token(admin, "grant_type", "client_credentials").want(t, 200, "")
	})
	put := func(document string) (answer, *oauth.ClientInformation) {
		return a.register("PUT", path, c.RegistrationToken, document)
	}
	t.Run("2.2 replace", func(t *testing.T) {
		w, got := put(`{"client_id":"` + c.ClientID + `","client_secret":"` + c.Secret + `","client_name":"New","scope":"write"}`)
		if w.want(t, 200, ""); got.Name != "New" || got.URI != "" || got.Scope != "write" {
			t.Error(w.Body)
		}
		// The secret is the old one.
		a.token(&server.Client{ID: c.ClientID, Secret: c.Secret}, "grant_type", "client_credentials").want(t, 200, "")
		for _, bad := range []string{
			`{}`, `{"client_id":"admin"}`, `{"client_id":"` + c.ClientID + `","client_secret":"mine mine mine mine mine mine mine mine"}`,
			`{"client_id":"` + c.ClientID + `","registration_access_token":"x"}`, `{"client_id":"` + c.ClientID + `","registration_client_uri":"x"}`,
			`{"client_id":"` + c.ClientID + `","client_secret_expires_at":0}`, `{"client_id":"` + c.ClientID + `","client_id_issued_at":0}`,
			`{"client_id":"` + c.ClientID + `","grant_types":["refresh_token"]}`,
		} {
			w, _ := put(bad)
			w.want(t, 400, oauth.InvalidClientMetadata)
		}
	})
	t.Run("2.2 another method has another secret", func(t *testing.T) {
		w, got := put(`{"client_id":"` + c.ClientID + `","token_endpoint_auth_method":"client_secret_post"}`)
		if w.want(t, 200, ""); got.Secret == "" || got.Secret == c.Secret {
			t.Error(w.Body)
		}
		a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", c.ClientID, "client_secret", got.Secret)}).want(t, 200, "")
		a.token(&server.Client{ID: c.ClientID, Secret: c.Secret}, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
	})
	t.Run("2.3 remove", func(t *testing.T) {
		raw := a.token(&server.Client{ID: d.ClientID, Secret: d.Secret}, "grant_type", "client_credentials").text("access_token")
		w, _ := a.register("DELETE", "/register/"+d.ClientID, d.RegistrationToken, "")
		w.want(t, 204, "")
		a.token(&server.Client{ID: d.ClientID, Secret: d.Secret}, "grant_type", "client_credentials").want(t, 401, oauth.InvalidClient)
		w, _ = a.register("GET", "/register/"+d.ClientID, d.RegistrationToken, "")
		w.want(t, 401, oauth.InvalidToken)
		api := a.add("api", "", func(c *server.Client) { c.ResourceServer = "https://api.example" })
		if w := a.introspect(api, raw, ""); w.json["active"] != false {
			t.Error(w.Body)
		}
	})
}
