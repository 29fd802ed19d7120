package server_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/store"
)

// countedUses counts how often a store is asked about uses.
type countedUses struct {
	store.Store
	times atomic.Int64
}

func (a *countedUses) Use(ctx context.Context, now time.Time, uses ...store.Use) ([]bool, error) {
	a.times.Add(1)
	return a.Store.Use(ctx, now, uses...)
}

// TestUsedOnceTogether has requests with an assertion and a proof: the store is asked about both in one step, and still each is good once,
// whatever else is wrong with the request.
func TestUsedOnceTogether(t *testing.T) {
	s := &countedUses{Store: memstore.New()}
	a := start(t, server.Options{Store: s})
	k := key(t)
	c := a.add("c", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, k.Public()) })
	send := func(assertion, grant string, proofs ...string) answer {
		return a.do(call{path: "/token", header: http.Header{"Dpop": proofs}, form: form(
			"grant_type", grant, "client_id", c.ID, "client_assertion_type", clientauth.AssertionType, "client_assertion", assertion,
		)})
	}
	const cc = "client_credentials"
	nonce := send(a.assert(k, nil), cc, a.proof(k, "")).Header().Get("DPoP-Nonce")
	proof := func() string { return a.proof(k, nonce) }

	usedAssertion, usedProof := a.assert(k, nil), proof()
	s.times.Store(0)
	send(usedAssertion, cc, usedProof).want(t, 200, "")
	if n := s.times.Load(); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
	send(usedAssertion, cc, proof()).want(t, 401, oauth.InvalidClient)
	send(a.assert(k, nil), cc, usedProof).want(t, 400, oauth.InvalidDPoPProof)
	send(usedAssertion, cc, usedProof).want(t, 401, oauth.InvalidClient)
	send(usedAssertion, cc).want(t, 401, oauth.InvalidClient)

	for name, spoil := range map[string]struct {
		grant  string
		proofs []string
		want   string
	}{
		"a proof that is none":        {cc, []string{"x"}, oauth.InvalidDPoPProof},
		"two proofs":                  {cc, []string{proof(), proof()}, oauth.InvalidDPoPProof},
		"a proof without a nonce":     {cc, []string{a.proof(k, "")}, oauth.UseDPoPNonce},
		"a grant without an argument": {"refresh_token", []string{proof()}, oauth.InvalidRequest},
	} {
		t.Run(name, func(t *testing.T) {
			assertion := a.assert(k, nil)
			send(assertion, spoil.grant, spoil.proofs...).want(t, 400, spoil.want)
			send(assertion, cc, proof()).want(t, 401, oauth.InvalidClient) // it was used up all the same
		})
	}
	t.Run("a grant that the client has not registered", func(t *testing.T) {
		a.add("few", clientauth.PrivateKeyJWT, func(c *server.Client) {
			c.Metadata.JWKS, c.Metadata.GrantTypes = jwks(t, k.Public()), []string{"refresh_token"}
		})
		few := func(r *jwt.Registered) { r.Issuer, r.Subject = "few", "few" }
		assertion := a.assert(k, few)
		for _, want := range []struct {
			status int
			code   string
		}{{400, oauth.UnauthorizedClient}, {401, oauth.InvalidClient}} {
			a.do(call{path: "/token", header: http.Header{"Dpop": {proof()}}, form: form(
				"grant_type", cc, "client_assertion_type", clientauth.AssertionType, "client_assertion", assertion,
			)}).want(t, want.status, want.code)
		}
	})
	t.Run("where there is no token to bind", func(t *testing.T) {
		assertion := a.assert(k, nil)
		for _, want := range []int{200, 401} {
			if w := a.do(call{path: "/revoke", header: http.Header{"Dpop": {proof()}}, form: form(
				"token", "x", "client_id", c.ID, "client_assertion_type", clientauth.AssertionType, "client_assertion", assertion,
			)}); w.Code != want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, want)
			}
		}
	})
}
