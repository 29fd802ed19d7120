package main

import (
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jotsuite/jot/cmd/jot/internal/pgtest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server/memstore"
)

// administered is jot serve with administration, and what is done to it.
type administered struct {
	*serving
	dir, config, secret string // of root
}

// cli runs a command that administers, and returns what it prints.
func (a *administered) cli(args ...string) string {
	a.t.Helper()
	last := slices.Index(args, "--")
	if last < 0 {
		last = len(args)
	}
	code, stdout, stderr := jot(a.t, "", slices.Insert(slices.Clone(args), last, "--config", a.config)...)
	if code != exitOK {
		a.t.Fatalf("jot %s: exit code %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// ask asks the token endpoint.
func (a *administered) ask(id, secret string, form url.Values) (int, map[string]any) {
	a.t.Helper()
	r, _ := http.NewRequest(http.MethodPost, a.url+"/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if id != "" {
		r.SetBasicAuth(id, secret)
	}
	return a.send(r)
}

func (a *administered) send(r *http.Request) (int, map[string]any) {
	a.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	out := map[string]any{}
	if len(b) > 0 && strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal(b, &out); err != nil {
			a.t.Fatal(err)
		}
	}
	return resp.StatusCode, out
}

// rest sends a request of root to the API.
func (a *administered) rest(method, path, body string, header ...string) (int, map[string]any) {
	a.t.Helper()
	code, out := a.ask("root", a.secret, url.Values{"grant_type": {"client_credentials"}})
	if code != 200 {
		a.t.Fatal(code, out)
	}
	r, _ := http.NewRequest(method, a.url+"/admin/v1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", fmt.Sprint("Bearer ", out["access_token"]))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return a.send(r)
}

// soon fails unless what is true of the running server becomes so in the time that a process takes to see what another has changed.
func (a *administered) soon(what string, f func() bool) {
	a.t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			a.t.Fatalf("the running server does not know: %s\n%s", what, a.logged())
		}
	}
}

// TestAdministration administers a running server by commands, and over HTTP what the commands have done.
func TestAdministration(t *testing.T) {
	needUnix(t)
	t.Run("SQLite", func(t *testing.T) { testAdministration(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) {
		p := pgtest.Start(t, false)
		testAdministration(t, p.Place(t))
	})
}

func testAdministration(t *testing.T, store string) {
	dir := t.TempDir()
	port := freePort(t)
	a := &administered{dir: dir, config: filepath.Join(dir, "jot.yaml")}
	configure := func(admin bool) {
		t.Helper()
		text := fmt.Sprintf("issuer: http://localhost:%s\naddr: localhost:%s\nadmin: %t\ndata: %s\naudit: %s\nlog: text\n", port, port, admin, filepath.Join(dir, "data"), filepath.Join(dir, "audit.log"))
		if store != "" {
			text += "store: " + store + "\n"
		}
		if err := os.WriteFile(a.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	configure(true)
	a.serving = &serving{t: t}
	a.secret = secretIn(t, a.cli("client", "add", "root", "--admin"))
	a.serving = startServe(t, dir, "--config", a.config)

	// What a command adds is there at once, since nobody has asked for it before; what it changes is there soon.
	secret := secretIn(t, a.cli("client", "add", "shop", "--scope", "read write"))
	credentials := url.Values{"grant_type": {"client_credentials"}}
	scope := func(secret string) string {
		code, out := a.ask("shop", secret, credentials)
		if code != 200 {
			return fmt.Sprint(code)
		}
		return fmt.Sprint(out["scope"])
	}
	a.soon("client add", func() bool { return scope(secret) == "read write" })
	a.cli("client", "set", "shop", "--scope", "read")
	a.soon("client set", func() bool { return scope(secret) == "read" })
	next := secretIn(t, a.cli("client", "secret", "shop"))
	a.soon("client secret", func() bool { return scope(secret) == "401" && scope(next) == "read" })

	// An issuer, its grants, and their end.
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public().JWK().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "ci.json")
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	a.cli("issuer", "add", "https://ci.example", "--jwks", file, "--subject", "*", "--scope", "read", "--refresh")
	a.cli("client", "set", "shop", "--grant", grant.GrantType, "--grant", "refresh_token")
	family := func() (int, map[string]any) {
		raw, err := grant.Sign(t.Context(), key, jwt.Registered{
			Issuer: "https://ci.example", Subject: "alice", Audience: jwt.Audience{a.url}, ID: crand.Text(), Expiry: time.Now().Add(time.Minute),
		}, grant.Claims{})
		if err != nil {
			t.Fatal(err)
		}
		return a.ask("shop", next, url.Values{"grant_type": {grant.GrantType}, "assertion": {raw}})
	}
	var tokens map[string]any
	a.soon("issuer add", func() bool {
		code, out := family()
		tokens = out
		return code == 200 && out["refresh_token"] != nil
	})
	var g struct {
		ID      string `json:"grant_id"`
		Subject string `json:"subject"`
		Issuer  string `json:"issuer"`
	}
	if err := json.Unmarshal([]byte(a.cli("grant", "list", "--client", "shop", "--json")), &g); err != nil || g.Subject != "alice" || g.Issuer != "https://ci.example" {
		t.Fatal(err, g)
	}
	if line := a.cli("grant", "list", "--subject", "alice"); !strings.HasPrefix(line, g.ID+" shop alice 20") || !strings.HasSuffix(line, "Z read\n") {
		t.Error(line)
	}
	if shown := a.cli("grant", "show", "--", g.ID); !strings.Contains(shown, `"client_id": "shop"`) || strings.Contains(shown, fmt.Sprint(tokens["refresh_token"])) {
		t.Error(shown)
	}
	if code, out := a.rest("GET", "/grants/"+g.ID, ""); code != 200 || out["subject"] != "alice" {
		t.Error(code, out)
	}
	a.cli("grant", "revoke", "--", g.ID)
	if code, out := a.ask("shop", next, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {fmt.Sprint(tokens["refresh_token"])}}); code != 400 {
		t.Error("a grant that was revoked is good:", code, out)
	}
	a.cli("issuer", "set", "https://ci.example", "--subject", "bob")
	a.soon("issuer set", func() bool { code, _ := family(); return code == 400 })

	// Keys: the running server publishes what a command has left.
	list := a.cli("key", "list")
	old := regexp.MustCompile(`(?m)^(\S+) ES256 active`).FindStringSubmatch(list)[1]
	a.cli("key", "revoke", "--", old)
	a.soon("key revoke", func() bool {
		_, set := a.get("/jwks")
		return !strings.Contains(set, old) && strings.Contains(set, "kid")
	})
	if code, out := a.rest("GET", "/keys", ""); code != 200 || strings.Contains(fmt.Sprint(out), old) {
		t.Error(code, out)
	}
	if code, out := a.rest("POST", "/keys/rotate", ""); code != 200 {
		t.Error(code, out)
	}

	// And what is done over HTTP, the commands see.
	code, made := a.rest("PUT", "/clients/web", `{"metadata": {"grant_types": ["client_credentials"], "scope": "read"}}`, "If-None-Match", "*")
	if code != 201 {
		t.Fatal(code, made)
	}
	if code, out := a.ask("web", fmt.Sprint(made["client_secret"]), credentials); code != 200 {
		t.Error(code, out)
	}
	if shown := a.cli("client", "list"); shown != "root\nshop\nweb\n" {
		t.Error(shown)
	}
	code, renewed := a.rest("POST", "/clients/web/secret?overlap=3600", "")
	if code != 200 {
		t.Fatal(code, renewed)
	}
	for _, s := range []any{made["client_secret"], renewed["client_secret"]} {
		if code, out := a.ask("web", fmt.Sprint(s), credentials); code != 200 {
			t.Error(code, out)
		}
	}
	if n := strings.Count(a.logged(), " old_secret=true"); n != 1 {
		t.Errorf("the old secret was used %d times by the log:\n%s", n, a.logged())
	}
	if code, out := a.rest("DELETE", "/clients/web/old-secret", ""); code != 204 {
		t.Error(code, out)
	}
	if code, out := a.rest("DELETE", "/clients/web", ""); code != 204 {
		t.Error(code, out)
	}

	// Who has no token does not get into the trail what it likes.
	r, err := http.NewRequest(http.MethodPut, a.url+"/admin/v1/clients/chosen-by-anybody", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.Body.Close() != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v %v", err, resp)
	}

	// What was done is in the trail, by whom, and no secret is.
	trail, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`"event":"client.add","outcome":"success","by":"cli[^"]*","target":"shop"`,
		`"event":"client.add","outcome":"success","by":"admin:root","target":"web"`,
		`"event":"client.remove","outcome":"success","by":"admin:root","target":"web"`,
		`"event":"client.change","outcome":"success","by":"admin:root","target":"web",.*"detail":"secret"`,
		`"event":"client.change","outcome":"success","by":"admin:root","target":"web",.*"detail":"old secret"`,
		`"event":"key.rotate","outcome":"success","by":"admin:root"`,
		`"event":"client.authenticate","outcome":"refused","by":"anonymous","error":"invalid_token"`,
		`"event":"grant.revoke","outcome":"success","by":"cli[^"]*","target":"` + regexp.QuoteMeta(g.ID) + `"`,
	} {
		if !regexp.MustCompile(line).Match(trail) {
			t.Errorf("the trail has no %s:\n%s", line, trail)
		}
	}
	if strings.Contains(string(trail), "chosen-by-anybody") {
		t.Errorf("the trail has a name that someone has chosen:\n%s", trail)
	}
	for _, secret := range []string{a.secret, secret, next, fmt.Sprint(made["client_secret"]), fmt.Sprint(renewed["client_secret"]), "eyJ"} {
		if strings.Contains(string(trail), secret) || strings.Contains(a.logged(), secret) {
			t.Error("a secret or a token is in the trail or the log")
		}
	}

	// Without the option, nothing is there, and what needs it is no longer known.
	configure(false)
	if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	a.soon("admin: false", func() bool { resp, _ := a.get("/admin/v1/openapi.json"); return resp.StatusCode == 404 })
	if code, out := a.ask("root", a.secret, credentials); code == 200 {
		t.Error(out)
	}
	if err := a.end(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
}

func secretIn(t *testing.T, printed string) string {
	t.Helper()
	m := regexp.MustCompile(`"client_secret":"([\w-]{43})"`).FindStringSubmatch(printed)
	if m == nil {
		t.Fatal(printed)
	}
	return m[1]
}

// TestAdministrationBound serves no administration by a server that has no tokens for it, as where it was asked for too late.
func TestAdministrationBound(t *testing.T) {
	f, err := serviceFlags{Store: "memory"}.settle()
	if err != nil {
		t.Fatal(err)
	}
	f.options.Issuer = "http://localhost:8080"
	late := func() time.Time {
		f.file.Admin.is = true
		return time.Now()
	}
	p := &process{c: &serveCmd{}, a: &app{clock: late}, log: slog.New(slog.DiscardHandler), began: f, store: memstore.New()}
	if g, err := p.generation(t.Context(), f); err == nil || !strings.Contains(err.Error(), "server.options") {
		t.Errorf("%v %v", g, err)
	}
}
