// Package openapi holds the administration of a server to its OpenAPI document, by a validator that others have written.
package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/admin"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

const issuer = "https://as.example/tenant"

// failing is a store that does not answer as long as it is told so.
type failing struct {
	store.Store
	now *bool
}

func (f failing) Documents(ctx context.Context, kind, after string, limit int) ([]store.Document, error) {
	if *f.now {
		return nil, errors.New("it does not answer")
	}
	return f.Store.Documents(ctx, kind, after, limit)
}

// api is the API behind the validator.
type api struct {
	t        *testing.T
	s        *servertest.Server
	h        http.Handler
	doc      *openapi3.T
	router   routers.Router
	token    string
	answered map[string]bool // "putClient 201"
}

func start(t *testing.T) (*api, *bool) {
	t.Helper()
	keys, err := keyset.NewRotation(&keyset.MemoryStore{}, keyset.Timetable{}, jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	down := new(bool)
	a := &api{t: t, answered: map[string]bool{}}
	a.s = servertest.New(t, server.Options{
		Issuer: issuer, Keys: keys, Store: failing{memstore.New(), down},
		Resources: []server.Resource{{Identifier: servertest.Resource}, admin.Resource(issuer)},
	})
	if a.h, err = admin.New(a.s.Server, admin.Options{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, httptest.NewRequest("GET", issuer+"/admin/v1/openapi.json", nil))
	if a.doc, err = openapi3.NewLoader().LoadFromData(w.Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := a.doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.router, err = legacy.NewRouter(a.doc); err != nil {
		t.Fatal(err)
	}
	return a, down
}

func (a *api) ask(c *server.Client, form url.Values) map[string]any {
	a.t.Helper()
	r := httptest.NewRequest("POST", issuer+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret)
	w := httptest.NewRecorder()
	a.s.ServeHTTP(w, r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
		a.t.Fatal(w.Code, w.Body)
	}
	return out
}

// do sends a request, and holds it and its answer to the document: a request that is refused for what it is must be wrong by it too,
// unless only the server knows.
func (a *api) do(status int, method, path, body string, header ...string) map[string]any {
	a.t.Helper()
	r := httptest.NewRequest(method, issuer+"/admin/v1"+path, nil)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	route, params, err := a.router.FindRoute(r)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, path, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		IncludeResponseStatus: true, ExcludeReadOnlyValidations: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}}
	said := openapi3filter.ValidateRequest(a.t.Context(), in)
	r.Body = io.NopCloser(strings.NewReader(body)) // which the validator has read
	w := httptest.NewRecorder()
	a.h.ServeHTTP(w, r)
	if w.Code != status {
		a.t.Errorf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	if status < 300 && said != nil {
		a.t.Errorf("%s %s is done, and the document says: %v", method, path, said)
	}
	out := map[string]any{}
	if w.Body.Len() > 0 {
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			a.t.Fatal(err)
		}
	}
	if out["error"] == oauth.InvalidRequest && said == nil && !slices.Contains(knows, method+" "+path+" "+body) {
		a.t.Errorf("%s %s %s is refused, and by the document it is good: %s", method, path, body, w.Body)
	}
	// RFC 6750, Section 3.1: without a token there is no body.
	if err := openapi3filter.ValidateResponse(a.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: in.Options,
	}); err != nil && (status != 401 || w.Body.Len() > 0) {
		a.t.Errorf("%s %s is answered with %d %s: %v", method, path, w.Code, w.Body, err)
	}
	a.answered[route.Operation.OperationID+" "+strconv.Itoa(w.Code)] = true
	return out
}

// knows are the requests of which the document cannot say that they are wrong.
var knows = []string{
	`PUT /clients/shop {"client_id": "other", "metadata": {"grant_types": ["client_credentials"]}}`,
	`GET /grants `,
	`GET /clients?page=2 `,
}

const (
	document = `{"metadata": {"grant_types": ["client_credentials"], "scope": "read", "contacts": ["a@b.example"]}, "resources": ["` + servertest.Resource + `"], "lifetime": 60, "claims": {"tier": "gold"}, "opaque": true, "delegation": true, "impersonation": true}`
	ci       = "urn:example:ci"
)

func TestDocument(t *testing.T) {
	a, down := start(t)
	a.do(401, "GET", "/clients", "")
	root := a.s.AddClient(t, server.Client{ID: "root", Resources: []string{admin.Resource(issuer).Identifier}, Metadata: oauth.ClientMetadata{
		GrantTypes: []string{"client_credentials"}, Scope: admin.Read + " " + admin.Write,
	}})
	credentials := url.Values{"grant_type": {"client_credentials"}, "scope": {admin.Read}}
	a.token = a.ask(root, credentials)["access_token"].(string)
	a.do(403, "DELETE", "/clients/root", "")
	credentials.Set("scope", admin.Read+" "+admin.Write)
	a.token = a.ask(root, credentials)["access_token"].(string)

	a.do(201, "PUT", "/clients/shop", document, "If-None-Match", "*")
	a.do(412, "PUT", "/clients/shop", document, "If-None-Match", "*")
	a.do(428, "PUT", "/clients/shop", document)
	shown, _ := json.Marshal(a.do(200, "GET", "/clients/shop", ""))
	a.do(200, "PUT", "/clients/shop", string(shown), "If-Match", "*")
	a.do(200, "GET", "/clients?limit=1", "")
	a.do(200, "GET", "/clients?after=root&limit=100", "")
	a.do(404, "GET", "/clients/none", "")
	a.do(404, "PUT", "/clients/none", document, "If-Match", "*")
	a.do(200, "POST", "/clients/shop/secret", "")
	a.do(404, "POST", "/clients/none/secret", "")
	a.do(400, "POST", "/clients/shop/secret?overlap=1d", "")
	a.do(400, "POST", "/clients/shop/secret?overlap=7776001", "")
	a.do(200, "POST", "/clients/shop/secret?overlap=60", "")
	shown, _ = json.Marshal(a.do(200, "GET", "/clients/shop", ""))
	a.do(200, "PUT", "/clients/shop", string(shown), "If-Match", "*")
	a.do(204, "DELETE", "/clients/shop/old-secret", "")
	a.do(404, "DELETE", "/clients/none/old-secret", "")
	for _, bad := range []string{
		`{}`, `[]`, `{"metadata": 1}`, `{"metadata": {"grant_types": "client_credentials"}}`, `{"metadata": {}, "scope": "read"}`, `{"metadata": {}, "lifetime": "1"}`,
		`{"metadata": {}, "client_secret": 1}`, `{"metadata": {}, "chosen_secret": "x"}`, `{"client_id": "other", "metadata": {"grant_types": ["client_credentials"]}}`,
	} {
		a.do(400, "PUT", "/clients/shop", bad, "If-Match", "*")
	}
	a.do(400, "PUT", "/clients/shop", document, "If-None-Match", "1")
	a.do(400, "GET", "/clients?limit=0", "")
	a.do(400, "GET", "/clients?limit=101", "")
	a.do(400, "GET", "/clients?page=2", "")
	a.do(204, "DELETE", "/clients/shop", "")
	a.do(404, "DELETE", "/clients/shop", "")

	k, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, _ := jwk.Set{k.Public()}.MarshalJSON()
	trusted := `{"subjects": ["*"], "refresh": true, "jwks": ` + string(set) + `}`
	a.do(201, "PUT", "/issuers/"+ci, trusted, "If-None-Match", "*")
	a.do(412, "PUT", "/issuers/"+ci, trusted, "If-None-Match", "*")
	a.do(428, "PUT", "/issuers/"+ci, trusted)
	shown, _ = json.Marshal(a.do(200, "GET", "/issuers/"+ci, ""))
	a.do(200, "PUT", "/issuers/"+ci, string(shown), "If-Match", "*")
	a.do(400, "PUT", "/issuers/"+ci, `{"subjects": [], "discover": true}`, "If-Match", "*")
	a.do(400, "PUT", "/issuers/"+ci, `{"subjects": ["*"], "discover": true, "keys": []}`, "If-Match", "*")
	a.do(201, "PUT", "/issuers/app", `{"subjects": ["*"], "legacy_bitbucket": true, "secrets": {"one": "0123456789012345678901234567890123"}}`, "If-None-Match", "*")
	a.do(200, "GET", "/issuers", "")
	a.do(404, "GET", "/issuers/none", "")
	a.do(404, "PUT", "/issuers/none", trusted, "If-Match", "*")

	worker := a.s.AddClient(t, server.Client{ID: "worker", Metadata: oauth.ClientMetadata{GrantTypes: []string{grant.GrantType, "refresh_token"}}})
	raw, err := grant.Sign(t.Context(), k, jwt.Registered{Issuer: ci, Subject: "alice", Audience: jwt.Audience{issuer}, ID: "1", Expiry: time.Now().Add(time.Minute)}, grant.Claims{})
	if err != nil {
		t.Fatal(err)
	}
	a.ask(worker, url.Values{"grant_type": {grant.GrantType}, "assertion": {raw}})
	listed := a.do(200, "GET", "/grants?client_id=worker", "")["grants"].([]any)
	id := listed[0].(map[string]any)["grant_id"].(string)
	a.do(400, "GET", "/grants", "")
	a.do(200, "GET", "/grants/"+id, "")
	a.do(204, "DELETE", "/grants/"+id, "")
	a.do(404, "GET", "/grants/"+id, "")
	a.do(404, "DELETE", "/grants/"+id, "")
	a.do(204, "DELETE", "/issuers/"+ci, "")
	a.do(404, "DELETE", "/issuers/"+ci, "")

	a.do(200, "POST", "/revocations", `{"subject": "alice"}`)
	for _, bad := range []string{`{}`, `{"subject": ""}`, `{"subject": "a", "jti": "b"}`, `{"sub": "a"}`} {
		a.do(400, "POST", "/revocations", bad)
	}
	keys := a.do(200, "GET", "/keys", "")["keys"].([]any)
	a.do(200, "POST", "/keys/rotate", "")
	a.do(404, "DELETE", "/keys/none", "")
	a.do(415, "PUT", "/clients/shop", document, "If-None-Match", "*", "Content-Type", "text/plain")
	a.do(415, "PUT", "/issuers/x", trusted, "If-None-Match", "*", "Content-Type", "text/plain")
	a.do(415, "POST", "/revocations", `{"jti": "a"}`, "Content-Type", "text/plain")
	long := strings.Repeat(" ", 1<<20)
	a.do(413, "PUT", "/clients/shop", document+long, "If-None-Match", "*")
	a.do(413, "PUT", "/issuers/x", trusted+long, "If-None-Match", "*")
	a.do(413, "POST", "/revocations", `{"jti": "a"}`+long)
	*down = true
	a.do(503, "GET", "/clients", "")
	*down = false
	a.do(204, "DELETE", "/keys/"+keys[0].(map[string]any)["kid"].(string), "")
	a.do(200, "GET", "/openapi.json", "")

	// Each operation was done, and where the document names an answer of its own, that was seen.
	for _, item := range a.doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status := range op.Responses.Map() {
				common := slices.Contains([]string{"400", "401", "403", "503"}, status)
				if !common && !a.answered[op.OperationID+" "+status] && !slices.Contains(unseen, op.OperationID+" "+status) {
					t.Errorf("%s has not answered with %s", op.OperationID, status)
				}
			}
		}
	}
}

// unseen are answers that need another server, or two requests at the same moment.
var unseen = []string{"listKeys 404", "rotateKeys 404", "renewSecret 412", "endOldSecret 412"}
