package admin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// The issuer has a path, so that what is below it is looked for there.
const (
	issuer = "https://as.example/tenant"
	base   = "/tenant/admin/v1"
	other  = "https://other.example"
)

// api is the API of a server, with a token of an administrator.
type api struct {
	*servertest.Server
	t     *testing.T
	h     http.Handler
	store *moody
	root  *server.Client
	token string

	mu     sync.Mutex
	events []admin.Event

	certificate *x509.Certificate // that requests come with
}

// moody is a store of which what err names fails.
type moody struct {
	store.Store
	err map[string]error
}

func (m *moody) Document(ctx context.Context, kind, id string) (store.Document, error) {
	if err := m.err["Document"]; err != nil {
		return store.Document{}, err
	}
	return m.Store.Document(ctx, kind, id)
}

func (m *moody) Documents(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if err := m.err["Documents"]; err != nil {
		return nil, err
	}
	return m.Store.Documents(ctx, kind, after, limit)
}

func (m *moody) PutDocument(ctx context.Context, d store.Document) (int64, error) {
	if err := m.err["PutDocument"]; err != nil {
		return 0, err
	}
	return m.Store.PutDocument(ctx, d)
}

func (m *moody) Grants(ctx context.Context, now time.Time, f store.GrantFilter) ([]store.Grant, error) {
	if err := m.err["Grants"]; err != nil {
		return nil, err
	}
	return m.Store.Grants(ctx, now, f)
}

func (m *moody) Revoke(ctx context.Context, r store.Revocation) (int, error) {
	if err := m.err["Revoke"]; err != nil {
		return 0, err
	}
	return m.Store.Revoke(ctx, r)
}

// noKeys are keys that cannot be had, or with seen not be changed.
type noKeys struct {
	err  error
	seen bool
}

func (n noKeys) Inspect(context.Context) ([]keyset.RotationKey, error) {
	if n.seen {
		return nil, nil
	}
	return nil, n.err
}
func (n noKeys) Rotate(context.Context) error         { return n.err }
func (n noKeys) Revoke(context.Context, string) error { return n.err }

func start(t *testing.T) *api {
	t.Helper()
	a := &api{t: t, store: &moody{Store: memstore.New()}}
	keys, err := keyset.NewRotation(&keyset.MemoryStore{}, keyset.Timetable{}, jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	a.Server = servertest.New(t, server.Options{
		Issuer: issuer, Store: a.store, Keys: keys, NoDPoPNonce: true,
		ClientCertificate: func(*http.Request) (*x509.Certificate, error) { return a.certificate, nil },
		Resources: []server.Resource{
			{Identifier: servertest.Resource, Scopes: oauth.Scopes{"read", "write"}},
			{Identifier: other},
			admin.Resource(issuer),
		},
		VerifySecret: func(_ context.Context, hash, secret string) (bool, error) { return hash == "hash of "+secret, nil },
		Registration: &server.Registration{OpenToEverybody: true},
	})
	if a.h, err = admin.New(a.Server.Server, admin.Options{Keys: keys, Observe: func(_ context.Context, e *admin.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events = append(a.events, *e)
	}}); err != nil {
		t.Fatal(err)
	}
	a.root = a.add("chief", admin.Resource(issuer).Identifier, servertest.Resource)
	a.token = a.ask(a.root, nil)
	return a
}

// add saves a client with all scopes, for some resources.
func (a *api) add(id string, resources ...string) *server.Client {
	a.t.Helper()
	return a.AddClient(a.t, server.Client{ID: id, Resources: resources, Metadata: oauth.ClientMetadata{
		GrantTypes: []string{"client_credentials", grant.GrantType, "refresh_token"}, Scope: "read write " + admin.Read + " " + admin.Write,
	}})
}

// post sends a form to an endpoint of OAuth.
func (a *api) post(path string, c *server.Client, form url.Values) (int, map[string]any) {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/tenant"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	out := map[string]any{}
	_ = json.Unmarshal(w.Body.Bytes(), &out)
	return w.Code, out
}

// ask asks for a token with the client's credentials; without a form for one of an administrator.
func (a *api) ask(c *server.Client, form url.Values) string {
	a.t.Helper()
	if form == nil {
		form = url.Values{"resource": {admin.Resource(issuer).Identifier}}
	}
	form.Set("grant_type", "client_credentials")
	code, out := a.post("/token", c, form)
	token, ok := out["access_token"].(string)
	if code != http.StatusOK || !ok {
		a.t.Fatal(code, out)
	}
	return token
}

// active asks the server whether a token is good.
func (a *api) active(c *server.Client, token string) bool {
	a.t.Helper()
	code, out := a.post("/introspect", c, url.Values{"token": {token}})
	if code != http.StatusOK {
		a.t.Fatal(code, out)
	}
	return out["active"] == true
}

type answer struct {
	*httptest.ResponseRecorder
	json map[string]any
}

func (a *api) do(method, path, body string, header ...string) answer {
	a.t.Helper()
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = nil
		if header[i+1] != "" {
			r.Header[header[i]] = strings.Split(header[i+1], "\n")
		}
	}
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, r)
	out := answer{w, map[string]any{}}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out.json); err != nil {
			a.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return out
}

// want fails unless the answer has the status and, if it is one, the error code.
func (w answer) want(t *testing.T, status int, code string) answer {
	t.Helper()
	got, _ := w.json["error"].(string)
	if w.Code != status || got != code || status >= 400 && code != "" && w.json["error_description"] == nil {
		t.Errorf("%d %s, want %d %q", w.Code, w.Body, status, code)
	}
	return w
}

const (
	isNew = "If-None-Match"
	is    = "If-Match"
)

const shop = `{"metadata": {"grant_types": ["client_credentials"], "scope": "read"}}`

func TestClients(t *testing.T) {
	a := start(t)
	made := a.do("PUT", "/clients/shop", shop, isNew, "*").want(t, 201, "")
	c := &server.Client{ID: "shop", Secret: made.json["client_secret"].(string)}
	token := a.ask(c, url.Values{})
	a.do("PUT", "/clients/shop", shop, isNew, "*").want(t, 412, "precondition_failed")

	got := a.do("GET", "/clients/shop", "").want(t, 200, "")
	etag := got.Header().Get("ETag")
	if etag == "" || etag != made.Header().Get("ETag") || got.json["client_secret"] != nil || strings.Contains(got.Body.String(), c.Secret) || got.json["created"] == nil {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
	// What was read is what may be written.
	same := a.do("PUT", "/clients/shop", got.Body.String(), is, etag).want(t, 200, "")
	if same.json["created"] != got.json["created"] || same.json["client_secret"] != nil || same.Header().Get("ETag") == etag {
		t.Error(same.Body, same.Header())
	}
	a.ask(c, url.Values{})
	a.do("PUT", "/clients/shop", shop, is, etag).want(t, 412, "precondition_failed")
	a.do("PUT", "/clients/shop", shop, is, `"9999"`).want(t, 412, "precondition_failed")
	a.do("PUT", "/clients/shop", shop, is, "*").want(t, 200, "")
	a.do("PUT", "/clients/none", shop, is, "*").want(t, 404, "not_found")
	// What the server says of it, nobody else does.
	lies := `{"created": "2001-01-01T00:00:00Z", "registered": true, ` + shop[1:]
	if w := a.do("PUT", "/clients/shop", lies, is, "*").want(t, 200, ""); w.json["created"] != got.json["created"] || w.json["registered"] != nil {
		t.Error(w.Body)
	}

	renewed := a.do("POST", "/clients/shop/secret", "").want(t, 200, "")
	if code, _ := a.post("/token", c, url.Values{"grant_type": {"client_credentials"}}); code != 401 {
		t.Error("the old secret is good:", code)
	}
	c.Secret = renewed.json["client_secret"].(string)
	a.ask(c, url.Values{})
	if etag := a.do("GET", "/clients/shop", "").Header().Get("ETag"); etag != renewed.Header().Get("ETag") {
		t.Error(etag, renewed.Header())
	}

	// With an overlap both are good, until it ends or is ended.
	old := *c
	good := func(c *server.Client) int {
		code, _ := a.post("/token", c, url.Values{"grant_type": {"client_credentials"}})
		return code
	}
	renewed = a.do("POST", "/clients/shop/secret?overlap=3600", "").want(t, 200, "")
	c.Secret = renewed.json["client_secret"].(string)
	if good(&old) != 200 || good(c) != 200 {
		t.Error("in the overlap:", good(&old), good(c))
	}
	until := renewed.json["old_secret_expires"]
	end, err := time.Parse(time.RFC3339, fmt.Sprint(until))
	if in := time.Until(end); err != nil || in < 50*time.Minute || in > time.Hour {
		t.Error(renewed.Body, err)
	}
	// PUT neither ends nor extends it.
	got = a.do("GET", "/clients/shop", "")
	longer := strings.Replace(got.Body.String(), fmt.Sprint(until), end.Add(time.Hour).Format(time.RFC3339), 1)
	for _, body := range []string{shop, longer} {
		if w := a.do("PUT", "/clients/shop", body, is, "*").want(t, 200, ""); got.json["old_secret_expires"] != until || w.json["old_secret_expires"] != until {
			t.Error(got.Body, w.Body)
		}
	}
	a.do("DELETE", "/clients/shop/old-secret", "").want(t, 204, "")
	tag := a.do("GET", "/clients/shop", "").Header().Get("ETag")
	a.do("DELETE", "/clients/shop/old-secret", "").want(t, 204, "")
	if now := a.do("GET", "/clients/shop", "").Header().Get("ETag"); tag == "" || now != tag {
		t.Errorf("where there is no old secret, %s becomes %s", tag, now)
	}
	if got := a.do("GET", "/clients/shop", ""); good(&old) != 401 || good(c) != 200 || got.json["old_secret_expires"] != nil {
		t.Error("after the overlap:", good(&old), good(c), got.Body)
	}

	// A method with a secret makes one; one without ends it.
	none := strings.Replace(shop, `{"grant`, `{"token_endpoint_auth_method": "none", "grant`, 1)
	if w := a.do("PUT", "/clients/shop", none, is, "*").want(t, 200, ""); w.json["client_secret"] != nil {
		t.Error(w.Body)
	}
	a.do("POST", "/clients/shop/secret", "").want(t, 400, oauth.InvalidRequest)
	if w := a.do("PUT", "/clients/shop", shop, is, "*").want(t, 200, ""); w.json["client_secret"] == nil || w.json["client_secret"] == c.Secret {
		t.Error(w.Body)
	}

	inspector := a.AddClient(t, server.Client{ID: "api", ResourceServer: servertest.Resource, Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}}})
	if !a.active(inspector, token) {
		t.Error("the token of the client is not good before")
	}
	a.do("DELETE", "/clients/shop", "").want(t, 204, "")
	a.do("DELETE", "/clients/shop", "").want(t, 404, "not_found")
	a.do("GET", "/clients/shop", "").want(t, 404, "not_found")
	a.do("POST", "/clients/shop/secret", "").want(t, 404, "not_found")
	if a.active(inspector, token) {
		t.Error("the token of a client that is gone is good")
	}
	// Any name has a path.
	for _, id := range []string{"a/b", "a?b", "ü"} {
		want := 201
		if id == "ü" {
			want = 400 // RFC 6749, Appendix A.1
		}
		if w := a.do("PUT", "/clients/"+url.PathEscape(id), shop, isNew, "*"); w.Code != want || want == 201 && w.json["client_id"] != id {
			t.Error(id, w.Code, w.Body)
		}
	}
}

func TestClientPages(t *testing.T) {
	a := start(t)
	for i := range 104 {
		a.add(fmt.Sprintf("c%03d", i))
	}
	var all []string
	pages := 0
	for after := ""; ; pages++ {
		w := a.do("GET", "/clients?limit=35&after="+after, "").want(t, 200, "")
		for _, x := range w.json["clients"].([]any) {
			all = append(all, x.(map[string]any)["client_id"].(string))
		}
		next, ok := w.json["next"].(string)
		if !ok {
			break
		}
		after = next
	}
	if len(all) != 105 || pages != 2 || !slices.IsSorted(all) {
		t.Error(len(all), pages)
	}
	if w := a.do("GET", "/clients", "").want(t, 200, ""); len(w.json["clients"].([]any)) != 100 || w.json["next"] != "c099" {
		t.Error(w.json["next"])
	}
	if w := a.do("GET", "/clients?after=zzz", ""); w.Body.String() != `{"clients":[]}` {
		t.Error(w.Body)
	}
}

// A secret that people have chosen is kept, and its hash is shown to nobody, who could try words on it.
func TestChosenSecret(t *testing.T) {
	a := start(t)
	c := a.AddClient(t, server.Client{ID: "old", ChosenSecret: "hash of word", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}})
	c.Secret = "word"
	for _, path := range []string{"/clients", "/clients/old"} {
		if w := a.do("GET", path, ""); strings.Contains(w.Body.String(), "hash of") {
			t.Error(w.Body)
		}
	}
	a.do("PUT", "/clients/old", shop, is, "*").want(t, 200, "")
	a.ask(c, url.Values{})
	c.Secret = a.do("POST", "/clients/old/secret", "").want(t, 200, "").json["client_secret"].(string)
	a.ask(c, url.Values{})
	a.do("PUT", "/clients/old", `{"chosen_secret": "hash of x", `+shop[1:], is, "*").want(t, 400, oauth.InvalidRequest)
}

// What a client has registered itself stays, and what nobody knows is not added.
func TestRegisteredClient(t *testing.T) {
	a := start(t)
	r := httptest.NewRequest("POST", "/tenant/register", strings.NewReader(`{"client_name": "x", "default_max_age": 3}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var c struct {
		ID    string `json:"client_id"`
		Token string `json:"registration_access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || w.Code != 201 {
		t.Fatal(w.Code, w.Body)
	}
	got := a.do("GET", "/clients/"+c.ID, "").want(t, 200, "")
	if strings.Contains(got.Body.String(), "hash") || got.json["registered"] != true {
		t.Error(got.Body)
	}
	changed := strings.Replace(got.Body.String(), `"client_name":"x"`, `"client_name":"y","client_name#fr":"z"`, 1)
	got = a.do("PUT", "/clients/"+c.ID, changed, is, got.Header().Get("ETag")).want(t, 200, "")
	if m := got.json["metadata"].(map[string]any); m["default_max_age"] != 3.0 || m["client_name"] != "y" || m["client_name#fr"] != "z" || got.json["registered"] != true {
		t.Error(got.Body)
	}
	a.do("PUT", "/clients/"+c.ID, strings.Replace(changed, "default_max_age", "default_max_size", 1), is, "*").want(t, 400, oauth.InvalidRequest)
	// It may still manage itself.
	r = httptest.NewRequest("GET", "/tenant/register/"+c.ID, nil)
	r.Header.Set("Authorization", "Bearer "+c.Token)
	w = httptest.NewRecorder()
	if a.ServeHTTP(w, r); w.Code != 200 {
		t.Error(w.Code, w.Body)
	}
}

const ci = "https://ci.example/a"

func TestIssuers(t *testing.T) {
	a := start(t)
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, _ := jwk.Set{k.Public()}.MarshalJSON()
	document := `{"subjects": ["job-*"], "scope": "read", "refresh": true, "jwks": ` + string(set) + `}`
	path := "/issuers/" + url.PathEscape(ci)
	made := a.do("PUT", path, document, isNew, "*").want(t, 201, "")
	a.do("PUT", path, document, isNew, "*").want(t, 412, "precondition_failed")
	got := a.do("GET", path, "").want(t, 200, "")
	if got.json["issuer"] != ci || got.Header().Get("ETag") != made.Header().Get("ETag") {
		t.Error(got.Body)
	}
	a.do("PUT", path, got.Body.String(), is, got.Header().Get("ETag")).want(t, 200, "")
	a.do("PUT", path, got.Body.String(), is, got.Header().Get("ETag")).want(t, 412, "precondition_failed")
	a.do("PUT", "/issuers/none", document, is, "*").want(t, 404, "not_found")
	a.do("PUT", path, strings.Replace(got.Body.String(), ci, ci+"b", 1), is, "*").want(t, 400, oauth.InvalidRequest)
	a.do("PUT", path, `{"Subjects": ["x"], `+got.Body.String()[1:], is, "*").want(t, 400, oauth.InvalidRequest)
	if w := a.do("GET", "/issuers?limit=1", "").want(t, 200, ""); len(w.json["issuers"].([]any)) != 1 || w.json["next"] != nil {
		t.Error(w.Body)
	}

	a.grants(k)
	a.do("DELETE", path, "").want(t, 204, "")
	a.do("DELETE", path, "").want(t, 404, "not_found")
	a.do("GET", path, "").want(t, 404, "not_found")

	// A private key is not for others, nor for this server.
	private, _ := k.PrivateJWK()
	raw, _ := private.MarshalPrivateJSON()
	a.do("PUT", path, `{"subjects": ["*"], "jwks": {"keys": [`+string(raw)+`]}}`, isNew, "*").want(t, 400, "invalid_document")
	a.do("PUT", path, `{"subjects": ["*"]}`, isNew, "*").want(t, 400, "invalid_document")
	a.do("PUT", path, `{"subjects": ["*"], "discover": true, "resources": ["https://none.example"]}`, isNew, "*").want(t, 400, "invalid_document")
}

// grants looks at those that an issuer's JWTs have made, and ends them.
func (a *api) grants(k *jwk.PrivateKey) {
	a.t.Helper()
	t := a.t
	c := a.add("worker", servertest.Resource)
	family := func(subject string) string {
		raw, err := grant.Sign(t.Context(), k, jwt.Registered{
			Issuer: ci, Subject: subject, Audience: jwt.Audience{issuer}, ID: subject + time.Now().String(), Expiry: time.Now().Add(time.Minute),
		}, grant.Claims{})
		if err != nil {
			t.Fatal(err)
		}
		code, out := a.post("/token", c, url.Values{"grant_type": {grant.GrantType}, "assertion": {raw}})
		refresh, _ := out["refresh_token"].(string)
		if code != 200 || refresh == "" {
			t.Fatal(code, out)
		}
		return refresh
	}
	first, second := family("job-1"), family("job-2")
	w := a.do("GET", "/grants?client_id=worker", "").want(t, 200, "")
	if len(w.json["grants"].([]any)) != 2 || strings.Contains(w.Body.String(), first) {
		t.Fatal(w.Body)
	}
	w = a.do("GET", "/grants?client_id=worker&subject=job-1", "").want(t, 200, "")
	g := w.json["grants"].([]any)[0].(map[string]any)
	if len(w.json["grants"].([]any)) != 1 || g["subject"] != "job-1" || g["issuer"] != ci || g["scope"] != "read" || g["client_id"] != "worker" {
		t.Error(w.Body)
	}
	if w := a.do("GET", "/grants?client_id=worker&limit=1", ""); len(w.json["grants"].([]any)) != 1 || w.json["next"] == nil {
		t.Error(w.Body)
	}
	if w := a.do("GET", "/grants?subject=nobody", ""); w.Body.String() != `{"grants":[]}` {
		t.Error(w.Body)
	}
	a.do("GET", "/grants", "").want(t, 400, oauth.InvalidRequest)
	one := "/grants/" + g["grant_id"].(string)
	if w := a.do("GET", one, "").want(t, 200, ""); w.json["grant_id"] != g["grant_id"] {
		t.Error(w.Body)
	}
	a.store.err = map[string]error{"Revoke": errors.New("the disk is full")}
	a.do("DELETE", one, "").want(t, 503, oauth.TemporarilyUnavailable)
	a.store.err = nil
	a.do("DELETE", one, "").want(t, 204, "")
	a.do("DELETE", one, "").want(t, 404, "not_found")
	a.do("GET", one, "").want(t, 404, "not_found")
	refresh := func(token string) int {
		code, _ := a.post("/token", c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		return code
	}
	if code := refresh(first); code != 400 {
		t.Error("the grant was revoked:", code)
	}
	if code := refresh(second); code != 200 {
		t.Error("another one was not:", code)
	}
	third := family("job-3")
	if w := a.do("POST", "/revocations", `{"subject": "job-3"}`).want(t, 200, ""); w.json["grants"] != 1.0 {
		t.Error(w.Body)
	}
	if code := refresh(third); code != 400 {
		t.Error("the subject's was revoked:", code)
	}
	if w := a.do("POST", "/revocations", `{"client_id": "worker"}`).want(t, 200, ""); w.json["grants"] != 1.0 {
		t.Error(w.Body)
	}
}

func TestBitbucket(t *testing.T) {
	a := start(t)
	const secret = "the shared secret of an installation, 32 bytes or more"
	document := `{"subjects": ["*"], "legacy_bitbucket": true, "secrets": {"one": "` + secret + `", "two": "` + secret + `"}}`
	w := a.do("PUT", "/issuers/app", document, isNew, "*").want(t, 201, "")
	if strings.Contains(w.Body.String(), secret) || fmt.Sprint(w.json["secret_ids"]) != "[one two]" {
		t.Error(w.Body)
	}
	w = a.do("GET", "/issuers/app", "")
	if strings.Contains(w.Body.String(), secret) {
		t.Error(w.Body)
	}
	// What was read, with one to remove.
	w = a.do("PUT", "/issuers/app", `{"secrets": {"one": ""}, `+w.Body.String()[1:], is, w.Header().Get("ETag")).want(t, 200, "")
	if fmt.Sprint(w.json["secret_ids"]) != "[two]" {
		t.Error(w.Body)
	}
	if w := a.do("GET", "/issuers", ""); !strings.Contains(w.Body.String(), `"secret_ids":["two"]`) || strings.Contains(w.Body.String(), secret) {
		t.Error(w.Body)
	}
	for _, e := range a.events {
		if text := slog.AnyValue(e.LogValue()).String(); strings.Contains(text, secret) {
			t.Error(text)
		}
	}
}

func TestRevocations(t *testing.T) {
	a := start(t)
	c := a.add("worker", servertest.Resource)
	inspector := a.AddClient(t, server.Client{ID: "api", ResourceServer: servertest.Resource, Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}}})
	first, second := a.ask(c, url.Values{}), a.ask(c, url.Values{})
	_, out := a.post("/introspect", inspector, url.Values{"token": {first}})
	a.do("POST", "/revocations", `{"jti": "`+out["jti"].(string)+`"}`).want(t, 200, "")
	if a.active(inspector, first) || !a.active(inspector, second) {
		t.Error("not the one token was revoked")
	}
	a.do("POST", "/revocations", `{"client_id": "worker"}`).want(t, 200, "")
	if a.active(inspector, second) {
		t.Error("the client's was not revoked")
	}
	for _, bad := range []string{`{}`, `{"jti": ""}`, `{"jti": "a", "subject": "b"}`, `{"sub": "a"}`, `{"jti": "a", "sub": "b"}`, `[]`, `{"jti": "` + strings.Repeat("a", 1025) + `"}`} {
		a.do("POST", "/revocations", bad).want(t, 400, oauth.InvalidRequest)
	}
	// An administrator's own ends here, too.
	a.do("POST", "/revocations", `{"client_id": "chief"}`).want(t, 200, "")
	a.do("GET", "/keys", "").want(t, 401, oauth.InvalidToken)
}

func TestKeys(t *testing.T) {
	a := start(t)
	phases := func() (active string, all int) {
		w := a.do("GET", "/keys", "").want(t, 200, "")
		for _, x := range w.json["keys"].([]any) {
			k := x.(map[string]any)
			if all++; k["phase"] == "active" {
				active = k["kid"].(string)
			}
			if k["alg"] != "ES256" || k["d"] != nil || k["created"] == nil {
				t.Error(k)
			}
		}
		return active, all
	}
	first, n := phases()
	if n == 0 || first == "" {
		t.Fatal(n)
	}
	if w := a.do("POST", "/keys/rotate", "").want(t, 200, ""); len(w.json["keys"].([]any)) < n {
		t.Error(w.Body)
	}
	a.do("DELETE", "/keys/none", "").want(t, 404, "not_found")
	a.do("DELETE", "/keys/"+first, "").want(t, 204, "")
	// The token of the administrator was signed with it.
	a.do("GET", "/keys", "").want(t, 401, oauth.InvalidToken)
	a.token = a.ask(a.root, nil)
	if second, _ := phases(); second == first || second == "" {
		t.Error(second)
	}
	// Where there is no rotation there are none.
	h, err := admin.New(a.Server.Server, admin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a.h = h
	a.do("GET", "/keys", "").want(t, 404, "not_found")
	a.do("POST", "/keys/rotate", "").want(t, 404, "not_found")
	a.do("DELETE", "/keys/"+first, "").want(t, 404, "not_found")
	a.do("GET", "/clients", "").want(t, 200, "")
}

// TestWho tries tokens of others than administrators.
func TestWho(t *testing.T) {
	a := start(t)
	full := a.token
	a.token = ""
	w := a.do("GET", "/clients", "").want(t, 401, "")
	if c := strings.Join(w.Header().Values("WWW-Authenticate"), ", "); !strings.Contains(c, "Bearer realm=") || !strings.Contains(c, "DPoP realm=") || !strings.Contains(c, admin.Read) {
		t.Error(c)
	}
	resource := admin.Resource(issuer).Identifier
	for name, x := range map[string]struct {
		form   url.Values
		status int
		code   string
	}{
		"for another API":         {url.Values{"resource": {servertest.Resource}}, 401, oauth.InvalidToken},
		"for another API as well": {url.Values{"resource": {resource, servertest.Resource}}, 403, oauth.InvalidToken},
		"that only reads":         {url.Values{"resource": {resource}, "scope": {admin.Read}}, 403, oauth.InsufficientScope},
	} {
		a.token = a.ask(a.root, x.form)
		t.Run(name, func(t *testing.T) { a.do("DELETE", "/clients/chief", "").want(t, x.status, x.code) })
	}
	a.token = a.ask(a.root, url.Values{"resource": {resource}, "scope": {admin.Read}})
	a.do("GET", "/clients", "").want(t, 200, "")
	a.token = a.ask(a.root, url.Values{"resource": {resource}, "scope": {admin.Write}})
	a.do("GET", "/clients", "").want(t, 403, oauth.InsufficientScope)

	// Nobody is an administrator by a scope alone, since other APIs may have scopes of that name.
	for id, resources := range map[string][]string{"any": nil, "other": {other}} {
		c := a.add(id, resources...)
		if code, out := a.post("/token", c, url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}); code != 400 || out["error"] != oauth.InvalidTarget {
			t.Error(code, out)
		}
		a.token = a.ask(c, url.Values{"scope": {admin.Write}, "resource": {other}})
		a.do("DELETE", "/clients/chief", "").want(t, 401, oauth.InvalidToken)
	}
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, _ := jwk.Set{k.Public()}.MarshalJSON()
	a.AddIssuer(t, server.TrustedIssuer{Issuer: ci, JWKS: set, Subjects: []string{"*"}, Scope: admin.Write, Reusable: true})
	raw, err := grant.Sign(t.Context(), k, jwt.Registered{Issuer: ci, Subject: "me", Audience: jwt.Audience{issuer}, ID: "1", Expiry: time.Now().Add(time.Minute)}, grant.Claims{})
	if err != nil {
		t.Fatal(err)
	}
	if code, out := a.post("/token", a.root, url.Values{"grant_type": {grant.GrantType}, "assertion": {raw}, "resource": {resource}}); code != 400 || out["error"] != oauth.InvalidTarget {
		t.Error(code, out)
	}

	// Who is gone administers nothing.
	a.token = full
	a.do("DELETE", "/clients/chief", "").want(t, 204, "")
	a.do("GET", "/clients", "").want(t, 401, oauth.InvalidToken)
}

// TestBound uses a token that is bound to a key, which is the sender's or not.
func TestBound(t *testing.T) {
	a := start(t)
	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	proof := func(method, target, token string) string {
		t.Helper()
		claims := dpop.Claims{Method: method, URL: target}
		if token != "" {
			claims.TokenHash = dpop.TokenHash(token)
		}
		raw, err := dpop.Sign(t.Context(), k, jwt.Registered{}, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {admin.Resource(issuer).Identifier}}
	r := httptest.NewRequest("POST", "/tenant/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Dpop"] = []string{proof("POST", issuer+"/token", "")}
	r.SetBasicAuth("chief", a.root.Secret)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var token struct {
		Access string `json:"access_token"`
		Type   string `json:"token_type"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || token.Type != oauth.DPoP {
		t.Fatal(w.Code, w.Body)
	}
	header := []string{"Authorization", "DPoP " + token.Access, "Dpop", proof("GET", issuer+"/admin/v1/clients/chief", token.Access)}
	a.do("GET", "/clients/chief", "", header...).want(t, 200, "")
	a.do("GET", "/clients/chief", "", header...).want(t, 401, oauth.InvalidDPoPProof)
	a.do("GET", "/clients/chief", "", "Authorization", "DPoP "+token.Access, "Dpop", proof("GET", issuer+"/admin/v1/clients", token.Access)).want(t, 401, oauth.InvalidDPoPProof)
	a.do("GET", "/clients/chief", "", "Authorization", "Bearer "+token.Access).want(t, 401, oauth.InvalidToken)
}

// TestBound_certificate uses a token that is bound to the certificate of a client, which is the sender's or not (RFC 8705, Section 3).
func TestBound_certificate(t *testing.T) {
	a := start(t)
	own, others := &x509.Certificate{Raw: []byte("one")}, &x509.Certificate{Raw: []byte("another")}
	c := a.AddClient(t, server.Client{ID: "bound", Resources: []string{admin.Resource(issuer).Identifier}, Metadata: oauth.ClientMetadata{
		GrantTypes: []string{"client_credentials"}, Scope: admin.Read, CertificateBoundTokens: true,
	}})
	a.certificate = own
	a.token = a.ask(c, nil)
	for _, x := range []struct {
		with   *x509.Certificate
		status int
		code   string
	}{{own, 200, ""}, {others, 401, oauth.InvalidToken}, {nil, 401, oauth.InvalidToken}, {own, 200, ""}} {
		a.certificate = x.with
		a.do("GET", "/clients/bound", "").want(t, x.status, x.code)
	}
}

// TestRefused tries requests that are wrong in one way each.
func TestRefused(t *testing.T) {
	a := start(t)
	a.do("PUT", "/clients/shop", shop, isNew, "*").want(t, 201, "")
	with := func(member string) string { return `{` + member + `, ` + shop[1:] }
	metadata := func(member string) string { return strings.Replace(shop, `{"grant`, `{`+member+`, "grant`, 1) }
	for name, x := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		code               string
	}{
		"no precondition":              {"PUT", "/clients/new", shop, nil, 428, "precondition_required"},
		"no precondition, issuer":      {"PUT", "/issuers/x", `{"subjects": ["*"], "discover": true}`, nil, 428, "precondition_required"},
		"no object, issuer":            {"PUT", "/issuers/https:%2F%2Fx.example", `[]`, []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"two preconditions":            {"PUT", "/clients/shop", shop, []string{is, "*", isNew, "*"}, 400, oauth.InvalidRequest},
		"If-Match twice":               {"PUT", "/clients/shop", shop, []string{is, "*\n*"}, 400, oauth.InvalidRequest},
		"a list of ETags":              {"PUT", "/clients/shop", shop, []string{is, `"1", "2"`}, 412, "precondition_failed"},
		"a weak ETag":                  {"PUT", "/clients/shop", shop, []string{is, `W/"1"`}, 412, "precondition_failed"},
		"an ETag without quotes":       {"PUT", "/clients/shop", shop, []string{is, `1`}, 412, "precondition_failed"},
		"an ETag of zero":              {"PUT", "/clients/shop", shop, []string{is, `"0"`}, 412, "precondition_failed"},
		"a negative ETag":              {"PUT", "/clients/shop", shop, []string{is, `"-1"`}, 412, "precondition_failed"},
		"If-None-Match with an ETag":   {"PUT", "/clients/new", shop, []string{isNew, `"1"`}, 400, oauth.InvalidRequest},
		"a conditional DELETE":         {"DELETE", "/clients/shop", "", []string{is, "*"}, 400, oauth.InvalidRequest},
		"a conditional secret":         {"POST", "/clients/shop/secret", "", []string{is, "*"}, 400, oauth.InvalidRequest},
		"a conditional old secret":     {"DELETE", "/clients/shop/old-secret", "", []string{is, "*"}, 400, oauth.InvalidRequest},
		"an overlap that is a word":    {"POST", "/clients/shop/secret?overlap=1h", "", nil, 400, oauth.InvalidRequest},
		"a negative overlap":           {"POST", "/clients/shop/secret?overlap=-1", "", nil, 400, oauth.InvalidRequest},
		"an overlap of over 90 days":   {"POST", "/clients/shop/secret?overlap=7776001", "", nil, 400, "invalid_document"},
		"an old secret of nobody":      {"DELETE", "/clients/nobody/old-secret", "", nil, 404, "not_found"},
		"a conditional DELETE, issuer": {"DELETE", "/issuers/x", "", []string{is, "*"}, 400, oauth.InvalidRequest},
		"a conditional DELETE, grant":  {"DELETE", "/grants/x", "", []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"a conditional DELETE, key":    {"DELETE", "/keys/x", "", []string{is, "*"}, 400, oauth.InvalidRequest},
		"another client_id":            {"PUT", "/clients/new", with(`"client_id": "other"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"an unknown member":            {"PUT", "/clients/new", with(`"scopes": "read"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"a member in capitals":         {"PUT", "/clients/new", with(`"Opaque": true`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"a secret of the sender":       {"PUT", "/clients/new", with(`"client_secret": "01234567890123456789012345678901"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"a hash of the sender":         {"PUT", "/clients/new", with(`"secret_hash": "AAAA"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"an unknown member within":     {"PUT", "/clients/new", metadata(`"scopes": "read"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"a member twice":               {"PUT", "/clients/new", with(`"metadata": {}`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"another type":                 {"PUT", "/clients/new", with(`"opaque": "yes"`), []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"no object":                    {"PUT", "/clients/new", `[]`, []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"no JSON":                      {"PUT", "/clients/new", `{`, []string{isNew, "*"}, 400, oauth.InvalidRequest},
		"no grant types":               {"PUT", "/clients/new", `{"metadata": {}}`, []string{isNew, "*"}, 400, oauth.InvalidClientMetadata},
		"a grant type there is not":    {"PUT", "/clients/new", strings.Replace(shop, "client_credentials", "password", 1), []string{isNew, "*"}, 400, oauth.InvalidClientMetadata},
		"a method there is not":        {"PUT", "/clients/new", metadata(`"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "x"`), []string{isNew, "*"}, 400, oauth.InvalidClientMetadata},
		"a resource there is not":      {"PUT", "/clients/new", with(`"resources": ["https://none.example"]`), []string{isNew, "*"}, 400, "invalid_document"},
		"a claim of the server":        {"PUT", "/clients/new", with(`"claims": {"sub": "chief"}`), []string{isNew, "*"}, 400, "invalid_document"},
		"a name that is too long":      {"PUT", "/clients/" + strings.Repeat("a", 1025), shop, []string{isNew, "*"}, 400, "invalid_document"},
		"a form":                       {"PUT", "/clients/new", shop, []string{isNew, "*", "Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"},
		"no type":                      {"PUT", "/clients/new", shop, []string{isNew, "*", "Content-Type", ""}, 415, "unsupported_media_type"},
		"what is compressed":           {"PUT", "/clients/new", shop, []string{isNew, "*", "Content-Encoding", "gzip"}, 415, "unsupported_media_type"},
		"what is too large":            {"PUT", "/clients/new", shop + strings.Repeat(" ", 1<<20), []string{isNew, "*"}, 413, "content_too_large"},
		"an unknown parameter":         {"GET", "/clients?page=2", "", nil, 400, oauth.InvalidRequest},
		"a parameter twice":            {"GET", "/clients?limit=2&limit=3", "", nil, 400, oauth.InvalidRequest},
		"a limit of zero":              {"GET", "/clients?limit=0", "", nil, 400, oauth.InvalidRequest},
		"a limit of too many":          {"GET", "/clients?limit=101", "", nil, 400, oauth.InvalidRequest},
		"a limit that is a word":       {"GET", "/clients?limit=x", "", nil, 400, oauth.InvalidRequest},
		"a limit that is no number":    {"GET", "/issuers?limit=x", "", nil, 400, oauth.InvalidRequest},
		"a limit of grants":            {"GET", "/grants?client_id=a&limit=x", "", nil, 400, oauth.InvalidRequest},
		"a query that is none":         {"GET", "/clients?limit=%zz", "", nil, 400, oauth.InvalidRequest},
		"a parameter of another":       {"GET", "/clients/shop?limit=1", "", nil, 400, oauth.InvalidRequest},
		"another path":                 {"GET", "/nothing", "", nil, 404, "not_found"},
		"an empty name":                {"GET", "/clients/", "", nil, 404, "not_found"},
		"an empty name of a new one":   {"PUT", "/clients/", shop, []string{isNew, "*"}, 404, "not_found"},
		"a longer path":                {"GET", "/clients/shop/secret/x", "", nil, 404, "not_found"},
		"another method":               {"POST", "/clients", shop, nil, 405, "method_not_allowed"},
		"PATCH":                        {"PATCH", "/clients/shop", shop, nil, 405, "method_not_allowed"},
		"a request of a browser":       {"OPTIONS", "/clients", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, 405, "method_not_allowed"},
		"a grant of no name":           {"GET", "/grants/%00", "", nil, 404, "not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			w := a.do(x.method, x.path, x.body, x.header...).want(t, x.status, x.code)
			if x.status == 405 && w.Header().Get("Allow") == "" {
				t.Error("no Allow")
			}
			if (x.status == 413) != (w.Header().Get("Connection") == "close") {
				t.Error("the rest of the body is read, or another body is not")
			}
			for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods"} {
				if w.Header().Get(name) != "" {
					t.Error(name)
				}
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Type") != "application/json" {
				t.Error(w.Header())
			}
		})
	}
	if _, err := a.Client(t.Context(), "new"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	// Not where the issuer is not.
	r := httptest.NewRequest("GET", "/admin/v1/clients", nil)
	r.Header.Set("Authorization", "Bearer "+a.token)
	w := httptest.NewRecorder()
	if a.h.ServeHTTP(w, r); w.Code != 404 {
		t.Error(w.Code, w.Body)
	}
	if w := a.do("HEAD", "/clients", ""); w.Code != 200 {
		t.Error(w.Code)
	}
}

// TestFailing has the store fail, which is neither the sender's fault nor its business.
func TestFailing(t *testing.T) {
	a := start(t)
	full := errors.New("the disk of db7.internal is full")
	observe := func(_ context.Context, e *admin.Event) { a.events = append(a.events, *e) }
	keys := &noKeys{err: full}
	h, err := admin.New(a.Server.Server, admin.Options{Keys: keys, Observe: observe})
	if err != nil {
		t.Fatal(err)
	}
	a.h = h
	a.do("POST", "/clients/chief/secret?overlap=3600", "").want(t, 200, "")
	trusted := `{"subjects": ["*"], "discover": true}`
	for _, x := range []struct{ fails, method, path, body string }{
		{"Documents", "GET", "/clients", ""},
		{"Document", "GET", "/clients/chief", ""},
		{"Document", "PUT", "/clients/chief", shop},
		{"PutDocument", "PUT", "/clients/chief", shop},
		{"Document", "POST", "/clients/chief/secret", ""},
		{"PutDocument", "POST", "/clients/chief/secret", ""},
		{"Document", "DELETE", "/clients/chief/old-secret", ""},
		{"PutDocument", "DELETE", "/clients/chief/old-secret", ""},
		{"Documents", "GET", "/issuers", ""},
		{"Document", "GET", "/issuers/x", ""},
		{"Document", "PUT", "/issuers/x", trusted},
		{"Grants", "GET", "/grants?subject=alice", ""},
		{"Revoke", "POST", "/revocations", `{"subject": "alice"}`},
		{"", "GET", "/keys", ""},
		{"", "POST", "/keys/rotate", ""},
		{"", "DELETE", "/keys/x", ""},
	} {
		a.store.err = map[string]error{x.fails: full}
		keys.seen = x.method != "GET"
		var header []string
		if x.method == "PUT" {
			header = []string{is, "*"}
		}
		w := a.do(x.method, x.path, x.body, header...).want(t, 503, oauth.TemporarilyUnavailable)
		if strings.Contains(w.Body.String(), "db7") {
			t.Error(w.Body)
		}
		if e := a.events[len(a.events)-1]; !errors.Is(e.Err, full) || !strings.Contains(slog.AnyValue(e.LogValue()).String(), "db7") || e.Status != 503 {
			t.Error(x, e)
		}
	}
	// Who was faster is another matter.
	a.store.err = map[string]error{"PutDocument": store.ErrConflict}
	for _, x := range [][2]string{{"PUT", "/clients/chief"}, {"POST", "/clients/chief/secret"}} {
		header := []string{is, "*"}[:len(x[0])%2*2]
		if w := a.do(x[0], x[1], shop, header...).want(t, 412, "precondition_failed"); !strings.Contains(w.Body.String(), "changed since") {
			t.Error(w.Body)
		}
	}
	a.store.err = nil
	if w := a.do("PUT", "/clients/chief", shop, isNew, "*").want(t, 412, "precondition_failed"); !strings.Contains(w.Body.String(), "there is one already") {
		t.Error(w.Body)
	}
	// A body that breaks off.
	r := httptest.NewRequest("POST", base+"/revocations", io.MultiReader(strings.NewReader(`{"subject":`), iotest.ErrReader(full)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+a.token)
	w := httptest.NewRecorder()
	if a.h.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "broke off") {
		t.Error(w.Code, w.Body)
	}
}

// TestEvents looks at what an operator is told: each request, and no secret.
func TestEvents(t *testing.T) {
	a := start(t)
	secret := a.do("PUT", "/clients/shop", shop, isNew, "*").json["client_secret"].(string)
	a.do("PUT", "/clients/shop", shop)
	a.do("POST", "/revocations", `{"subject": "alice"}`)
	a.do("DELETE", "/clients/shop", "")
	a.do("DELETE", "/issuers/x", "")
	a.do("GET", "/nothing", "")
	token := a.token
	a.token = ""
	a.do("GET", "/clients", "")
	a.token = a.ask(a.root, url.Values{"resource": {admin.Resource(issuer).Identifier}, "scope": {admin.Read}})
	a.do("DELETE", "/clients/chief", "")
	want := []string{
		"putClient client shop true chief 201 ", "putClient client shop false chief 428 precondition_required", "revoke subject alice false chief 200 ",
		"deleteClient client shop false chief 204 ", "deleteIssuer issuer x false chief 404 not_found", "   false  404 not_found",
		"listClients   false  401 invalid_token", "deleteClient client chief false  403 insufficient_scope",
	}
	for i, e := range a.events {
		code := ""
		if e.Err != nil {
			code = e.Err.Code
		}
		if got := fmt.Sprintf("%s %s %s %t %s %d %s", e.Action, e.Of, e.Target, e.New, e.Client, e.Status, code); i >= len(want) || got != want[i] {
			t.Errorf("%d: %q", i, got)
		}
		if e.Remote == "" || e.Took <= 0 || (e.Client != "") != (e.TokenID != "") || e.Subject != e.Client {
			t.Errorf("%+v", e)
		}
		var b bytes.Buffer
		slog.New(slog.NewJSONHandler(&b, nil)).Info("admin", "event", &e)
		if text := b.String(); strings.Contains(text, secret) || strings.Contains(text, token) || !strings.Contains(text, fmt.Sprintf(`"status":%d`, e.Status)) || strings.Contains(text, `"error"`) != (e.Err != nil) {
			t.Error(text)
		}
	}
	if len(a.events) != len(want) {
		t.Error(len(a.events))
	}
}

func TestOptions(t *testing.T) {
	for name, resources := range map[string][]server.Resource{
		"without the resource": nil,
		"with that of another": {admin.Resource("https://other.example")},
		"with opaque tokens":   {{Identifier: issuer + "/admin", Opaque: true}},
	} {
		s := servertest.New(t, server.Options{Issuer: issuer, Resources: append(resources, server.Resource{Identifier: other})})
		if _, err := admin.New(s.Server, admin.Options{}); !errors.Is(err, server.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocument holds the document and the handler to each other.
func TestDocument(t *testing.T) {
	a := start(t)
	a.token = "" // nobody has one yet who reads it
	w := a.do("GET", "/openapi.json", "").want(t, 200, "")
	if servers := fmt.Sprint(w.json["servers"]); servers != "[map[url:"+issuer+"/admin/v1]]" || strings.Contains(strings.ReplaceAll(w.Body.String(), issuer, ""), "as.example") {
		t.Error(servers)
	}
	var said, done []string
	for path, item := range w.json["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			o := op.(map[string]any)
			scope := ""
			for _, s := range o["security"].([]any) {
				scope = fmt.Sprint(s.(map[string]any)["oauth"].([]any)[0])
			}
			star := regexp.MustCompile(`\{[a-z_]+\}`).ReplaceAllString(strings.TrimPrefix(path, "/"), "*")
			said = append(said, fmt.Sprint(strings.ToUpper(method), " ", star, " ", o["operationId"], " ", scope))
		}
	}
	for _, r := range admin.Routes() {
		done = append(done, strings.Join(r[:], " "))
	}
	slices.Sort(said)
	slices.Sort(done)
	if !slices.Equal(said, done) {
		t.Errorf("the document has\n%s\nand the handler\n%s", strings.Join(said, "\n"), strings.Join(done, "\n"))
	}
}

// TestSender holds what is noted of who sends: the address that a proxy has named, and no name that nothing can have.
func TestSender(t *testing.T) {
	a := start(t)
	var told []admin.Event
	from := netip.MustParseAddr("192.0.2.7")
	h, err := admin.New(a.Server.Server, admin.Options{
		RemoteAddress: func(*http.Request) netip.Addr { return from },
		Observe:       func(_ context.Context, e *admin.Event) { told = append(told, *e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{base + "/clients/" + strings.Repeat("x", 1024), base + "/clients/" + strings.Repeat("x", 1025)} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
		from = netip.Addr{} // of a request that no proxy has sent
	}
	if len(told) != 2 || told[0].Remote != "192.0.2.7" || told[0].Target == "" || told[0].Status != 401 {
		t.Errorf("%+v", told)
	}
	if told[1].Remote != "192.0.2.1:1234" || told[1].Target != "" || told[1].Status != 401 {
		t.Errorf("%+v", told[1])
	}
}
