package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/servertest"
	"github.com/jotsuite/jot/server/store"
)

// An API in the process of the server takes the server's tokens, until they are revoked.
func ExampleServer_Guard() {
	ctx := context.Background()
	s, _ := newServer(server.Options{})
	g, err := s.Guard(guard.Policy{Resource: "https://api.example"})
	if err != nil {
		panic(err)
	}
	api := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello", guard.FromContext(r.Context()).ClientID)
	}), guard.Need{Scopes: []string{"read"}})

	c, _ := s.SaveClient(ctx, server.Client{ID: "shop", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}})
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/token", nil)
	r.Body, r.ContentLength = body("grant_type=client_credentials")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.ID, c.Secret)
	s.ServeHTTP(w, r)

	call := func() {
		answer, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+member(w, "access_token"))
		api.ServeHTTP(answer, r)
		fmt.Println(answer.Code)
	}
	call()
	grants, err := s.Revoke(ctx, store.Target{Sort: store.OfClient, ID: "shop"})
	fmt.Println(grants, err)
	call()
	// Output:
	// 200
	// 0 <nil>
	// 401
}

// What refresh tokens stand for is listed by client or subject.
func ExampleServer_Grants() {
	ctx := context.Background()
	s, _ := newServer(server.Options{})
	all, err := s.Grants(ctx, store.GrantFilter{Subject: "alice", Limit: 10})
	fmt.Println(len(all), err)
	_, err = s.Grant(ctx, "of nobody")
	fmt.Println(errors.Is(err, store.ErrNotFound))

	i, err := s.SaveIssuer(ctx, server.TrustedIssuer{
		Issuer: "app", LegacyBitbucket: true, Subjects: []string{"*"}, Secrets: map[string]string{"installation": "0123456789 0123456789 0123456789"},
	})
	fmt.Println(i.SecretIDs(), i.Secrets, err)
	// Output:
	// 0 <nil>
	// true
	// [installation] map[] <nil>
}

// TestGuard holds a guard of the server to what the server knows.
func TestGuard(t *testing.T) {
	now := newClock()
	a := start(t, server.Options{Clock: now.now, Resources: []server.Resource{{Identifier: servertest.Resource}, {Identifier: other}, {Identifier: "https://opaque.example", Opaque: true}}})
	for _, resource := range []string{"https://none.example", "https://opaque.example", ""} {
		if _, err := a.Guard(guard.Policy{Resource: resource}); !errors.Is(err, server.ErrOptions) {
			t.Errorf("%s: %v", resource, err)
		}
	}
	g, err := a.Guard(guard.Policy{Resource: other})
	if err != nil {
		t.Fatal(err)
	}
	c := a.add("c", "", nil)
	code := func(token string) string {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		_, err := g.Verify(r, guard.Need{})
		if e, ok := errors.AsType[*oauth.Error](err); ok {
			return e.Code
		}
		return fmt.Sprint(err)
	}
	ask := func(resource string) string {
		return a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: form("grant_type", "client_credentials", "resource", resource)}).text("access_token")
	}
	good := ask(other)
	for name, x := range map[string]struct{ token, want string }{
		"good": {good, "<nil>"}, "for another": {ask(servertest.Resource), oauth.InvalidToken}, "opaque": {ask("https://opaque.example"), oauth.InvalidToken},
	} {
		if got := code(x.token); got != x.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := a.Revoke(ctx, store.Target{Sort: store.OfSubject, ID: "c"}); err != nil || code(good) != oauth.InvalidToken {
		t.Error(err, "a token that was revoked is good")
	}
	now.add(2 * time.Second)
	if good = ask(other); code(good) != "<nil>" {
		t.Error("a token of later is not good")
	}
	now.add(15*time.Minute + 10*time.Second)
	if code(good) != oauth.InvalidToken {
		t.Error("a token that has expired is good")
	}
}

// A reserved resource is for those who name it.
func TestReserved(t *testing.T) {
	a := start(t, server.Options{Resources: []server.Resource{{Identifier: other, Name: "other", Reserved: true}, {Identifier: servertest.Resource}}})
	k := key(t)
	a.trust(k, nil)
	any, named := a.add("any", "", nil), a.add("named", "", func(c *server.Client) { c.Resources = []string{other} })
	ask := func(c *server.Client, status int, code string, more ...string) answer {
		t.Helper()
		w := a.do(call{path: "/token", header: basic(c.ID, c.Secret), form: form(more...)})
		w.want(t, status, code)
		return w
	}
	ask(any, 400, oauth.InvalidTarget, "grant_type", "client_credentials", "resource", other)
	a.read(ask(any, 200, "", "grant_type", "client_credentials").text("access_token"), servertest.Resource)
	a.read(ask(named, 200, "", "grant_type", "client_credentials").text("access_token"), other)
	grantType := "urn:ietf:params:oauth:grant-type:jwt-bearer"
	ask(named, 400, oauth.InvalidTarget, "grant_type", grantType, "assertion", a.grantOf(k, nil))
	a.do(call{path: "/token", form: form("grant_type", grantType, "assertion", a.grantOf(k, nil), "resource", other)}).want(t, 400, oauth.InvalidTarget)
}
