package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/server"
)

// renew gives a client a new secret, and returns it with that.
func (a *as) renew(id string, overlap time.Duration) *server.Client {
	a.t.Helper()
	c, err := a.Client(ctx, id)
	if err != nil {
		a.t.Fatal(err)
	}
	c.ChosenSecret, c.NewSecret, c.Overlap = "", true, overlap
	saved, err := a.SaveClient(ctx, *c)
	if err != nil {
		a.t.Fatal(err)
	}
	return saved
}

// A client has two secrets at most, of which the older ends at a time.
func TestOverlap(t *testing.T) {
	for _, method := range []string{"client_secret_basic", "client_secret_post", clientauth.ClientSecretJWT} {
		t.Run(method, func(t *testing.T) {
			now := newClock()
			a := start(t, server.Options{Clock: now.now})
			first := a.add("c", method, nil)
			try := func(c *server.Client, status int, old bool) {
				t.Helper()
				code := ""
				if status != 200 {
					code = oauth.InvalidClient
				}
				x := call{path: "/token", form: form("grant_type", "client_credentials")}
				switch method {
				case "client_secret_basic":
					x.header = basic(c.ID, c.Secret)
				case "client_secret_post":
					x.form.Set("client_id", c.ID)
					x.form.Set("client_secret", c.Secret)
				default:
					k, err := jwk.NewSecretKey(jwa.HS256, "", []byte(c.Secret))
					if err != nil {
						t.Fatal(err)
					}
					x.form.Set("client_assertion_type", clientauth.AssertionType)
					x.form.Set("client_assertion", a.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject = c.ID, c.ID }))
				}
				a.do(x).want(t, status, code)
				if e := a.last(); e.OldSecret != old || strings.Contains(e.LogValue().String(), "old_secret=true") != old {
					t.Errorf("the operator is told %v", e.LogValue())
				}
			}
			second := a.renew("c", time.Hour)
			if end := now.now().Add(time.Hour); second.OldSecretExpires.After(end) || second.OldSecretExpires.Before(end.Add(-time.Second)) {
				t.Error(second.OldSecretExpires)
			}
			try(first, 200, true)
			try(second, 200, false)
			// What else is changed leaves both.
			c, _ := a.Client(ctx, "c")
			c.Metadata.Name = "Shop"
			if saved, err := a.SaveClient(ctx, *c); err != nil || !saved.OldSecretExpires.Equal(second.OldSecretExpires) {
				t.Error(saved, err)
			}
			// A third ends the first.
			third := a.renew("c", time.Hour)
			try(first, 401, false)
			try(second, 200, true)
			try(third, 200, false)
			// It ends at its end, in every process, without a change in the store.
			now.add(third.OldSecretExpires.Sub(now.now()))
			try(second, 401, false)
			try(third, 200, false)
			if c, _ := a.Client(ctx, "c"); !c.OldSecretExpires.IsZero() {
				t.Error("an old secret is shown that has ended")
			}
			// Without an overlap nothing before is good.
			a.renew("c", time.Hour)
			fourth := a.renew("c", 0)
			try(third, 401, false)
			try(fourth, 200, false)
			// An overlap is shortened and ended, and not extended.
			fifth := a.renew("c", time.Hour)
			for _, to := range []time.Time{fifth.OldSecretExpires.Add(time.Hour), fifth.OldSecretExpires.Add(-time.Minute), fifth.OldSecretExpires, {}, fifth.OldSecretExpires} {
				c, _ := a.Client(ctx, "c")
				want := c.OldSecretExpires
				if to.Before(want) {
					want = to
				}
				c.OldSecretExpires = to
				saved, err := a.SaveClient(ctx, *c)
				if err != nil || !saved.OldSecretExpires.Equal(want) {
					t.Errorf("%v, %v, want %v", saved.OldSecretExpires, err, want)
				}
				status := 200
				if want.IsZero() {
					status = 401
				}
				try(fourth, status, status == 200)
				try(fifth, 200, false)
			}
			// A client that authenticates otherwise has nothing of before.
			sixth := a.renew("c", time.Hour)
			c, _ = a.Client(ctx, "c")
			c.Overlap = time.Hour
			c.Metadata.AuthMethod = map[bool]string{true: "client_secret_post", false: "client_secret_basic"}[method == "client_secret_basic"]
			if saved, err := a.SaveClient(ctx, *c); err != nil || !saved.OldSecretExpires.IsZero() {
				t.Error(saved, err)
			}
			try(fifth, 401, false)
			try(sixth, 401, false)
		})
	}
}

func TestOverlapLimits(t *testing.T) {
	a := start(t, server.Options{VerifySecret: func(context.Context, string, string) (bool, error) { return true, nil }})
	a.add("c", "", nil)
	for name, change := range map[string]func(*server.Client){
		"a negative one":         func(c *server.Client) { c.Overlap = -1 },
		"one of over 90 days":    func(c *server.Client) { c.Overlap = 90*24*time.Hour + 1 },
		"one of a chosen secret": func(c *server.Client) { c.Overlap, c.ChosenSecret = 1, "hash" },
	} {
		c, _ := a.Client(ctx, "c")
		change(c)
		if _, err := a.SaveClient(ctx, *c); !errors.Is(err, server.ErrDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := a.renew("c", 90*24*time.Hour); c.OldSecretExpires.IsZero() {
		t.Error("90 days are no overlap")
	}
}

// A secret that people have chosen overlaps with the one that takes its place, and a guess takes as long as any other.
func TestChosenOverlap(t *testing.T) {
	var hashes []string
	now := newClock()
	a := start(t, server.Options{Clock: now.now, VerifySecret: func(_ context.Context, hash, secret string) (bool, error) {
		hashes = append(hashes, hash)
		if secret == "fail" {
			return false, errors.New("out of memory")
		}
		return hash == "hash of "+secret, nil
	}})
	a.add("c", "", func(c *server.Client) { c.ChosenSecret = "hash of password" })
	fresh := a.renew("c", time.Hour)
	try := func(secret string, status int, want ...string) {
		t.Helper()
		hashes = nil
		if w := asked(a, "192.0.2.1:1", "c", secret); w.Code != status || !slices.Equal(hashes, want) {
			t.Errorf("%s: %d, after hashes %q", secret, w.Code, hashes)
		}
	}
	try("password", 200, "hash of password")
	try("guess", 401, "hash of password")
	try("fail", 503, "hash of password")
	try(fresh.Secret, 200)
	// A process that has met the client alone knows that there are such secrets.
	b := start(t, a.Options)
	asked(b, "192.0.2.1:1", "c", fresh.Secret)
	hashes = nil
	if w := asked(b, "192.0.2.1:1", "nobody", "guess"); w.Code != 401 || !slices.Equal(hashes, []string{""}) {
		t.Errorf("a guess of nobody's secret: %d, after hashes %q", w.Code, hashes)
	}
	now.add(time.Hour)
	try("password", 401, "")
	try(fresh.Secret, 200)
}

// An old secret that was sealed by a secret of the server that is gone is gone with it, and the client is not.
func TestOverlapRetired(t *testing.T) {
	a := start(t, server.Options{})
	o := a.Options
	old := a.add("j", clientauth.ClientSecretJWT, nil)
	o.Secrets = append([][]byte{[]byte(strings.Repeat("n", 32))}, o.Secrets...)
	b := start(t, o)
	fresh := b.renew("j", time.Hour)
	ask := func(n *as, c *server.Client) answer {
		k, err := jwk.NewSecretKey(jwa.HS256, "", []byte(c.Secret))
		if err != nil {
			t.Fatal(err)
		}
		return n.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType,
			"client_assertion", n.assert(k, func(r *jwt.Registered) { r.Issuer, r.Subject, r.Audience = "j", "j", jwt.Audience{o.Issuer} }))})
	}
	ask(b, old).want(t, 200, "")
	o.Secrets = o.Secrets[:1]
	d := start(t, o)
	ask(d, old).want(t, 401, oauth.InvalidClient)
	ask(d, fresh).want(t, 200, "")
}

// A client that has registered itself says which secret it has: either of two.
func TestOverlapRegistered(t *testing.T) {
	for _, method := range []string{"client_secret_basic", clientauth.ClientSecretJWT} {
		now := newClock()
		a := start(t, server.Options{Clock: now.now, Registration: &server.Registration{OpenToEverybody: true}})
		w := a.do(call{path: "/register", header: http.Header{"Content-Type": {"application/json"}}, body: `{"token_endpoint_auth_method": "` + method + `"}`})
		w.want(t, 201, "")
		id, first := w.text("client_id"), w.text("client_secret")
		second := a.renew(id, time.Hour).Secret
		put := func(secret string, status int) {
			t.Helper()
			body, _ := json.Marshal(map[string]string{"client_id": id, "client_secret": secret, "token_endpoint_auth_method": method})
			code := ""
			if status != 200 {
				code = oauth.InvalidClientMetadata
			}
			a.do(call{
				method: "PUT", path: "/register/" + id, body: string(body),
				header: http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + w.text("registration_access_token")}},
			}).want(t, status, code)
		}
		put(first, 200)
		put(second, 200)
		put("another", 400)
		now.add(time.Hour)
		put(first, 400)
		put(second, 200)
	}
}
