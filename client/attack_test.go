package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/jotsuite/jot/client"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
)

// TestAttack is what group M of the catalogue of attacks says of clients, each beside what the same client does with an honest
// server.
func TestAttack(t *testing.T) {
	const (
		honest = "https://honest.example"
		evil   = "https://evil.example"
	)
	key, secret := profiletest.Key(t), profiletest.Secret(t)

	// A client of two servers, one of which wants what the client would send to the other: whatever metadata it shows, it gets what
	// is for itself, and the other refuses that (RFC 9700, Section 4.4; the audience injection of 2025).
	t.Run("M2_audience_injection", func(t *testing.T) {
		s := start(t, numbered(bearer))
		instance := must(jwk.Generate(jwa.ES256))
		public := instance.Public().JWK()
		attested := must(attestation.Sign(ctx, key, jwt.Registered{Subject: "c1", Expiry: time.Now().Add(time.Hour)}, attestation.Claims{
			Confirmation: &pop.Confirmation{JWK: &public},
		}))
		assertion := func(at string) error {
			v := must(clientauth.NewVerifier(jwk.Set{key.Public(), secret}, clientauth.Policy{Issuer: at, ClientID: "c1", TypedOnly: true, Replay: jwt.NewReplayCache(1)}))
			_, err := v.Verify(ctx, s.form().Get("client_assertion"), clientauth.Expect{ClientID: "c1"})
			return err
		}
		proof := func(at string) error {
			v := must(attestation.NewVerifier(jwk.Set{key.Public()}, attestation.Policy{Audience: at, ClientIDs: []string{"c1"}, Replay: jwt.NewReplayCache(1)}))
			_, err := v.Verify(ctx, s.header(), attestation.Expect{ClientID: "c1"})
			return err
		}
		for name, way := range map[string]struct {
			auth   client.Authentication
			verify func(at string) error
		}{
			"private_key_jwt":   {client.Assertion("c1", key), assertion},
			"client_secret_jwt": {client.Assertion("c1", secret), assertion},
			"attestation":       {client.Attestation("c1", instance, func(context.Context) (string, error) { return attested, nil }), proof},
		} {
			for trick, m := range map[string]*oauth.ServerMetadata{
				"its own endpoint":               {Issuer: evil, TokenEndpoint: s.URL + "/token"},
				"a query that names the other":   {Issuer: evil, TokenEndpoint: s.URL + "/token?aud=" + honest + "&issuer=" + honest},
				"a path that names the other":    {Issuer: evil, TokenEndpoint: s.URL + "/" + honest + "/token"},
				"the other's alias":              {Issuer: evil, TokenEndpoint: s.URL + "/token", MTLSEndpointAliases: map[string]string{"token_endpoint": s.URL + "/" + honest}},
				"members that name the other":    {Issuer: evil, TokenEndpoint: s.URL + "/token", IntrospectionEndpoint: honest, PushedAuthorizationEndpoint: honest},
				"a member of its own invention":  {Issuer: evil, TokenEndpoint: s.URL + "/token", Extra: map[string]json.RawMessage{"token_endpoint_auth_signing_aud": json.RawMessage(`"` + honest + `"`)}},
				"the endpoint is the very other": {Issuer: evil, TokenEndpoint: s.URL + "/honest/token"},
			} {
				c := s.config()
				c.Server, c.Auth, c.MTLS, c.Clock = m, way.auth, true, nil
				token(t, source(t, c, client.ClientCredentials()))
				profiletest.Want(t, way.verify(evil)) // the control: it is for whom the client was configured with
				for _, at := range []string{honest, s.URL, s.URL + "/token", m.TokenEndpoint} {
					if err := way.verify(at); err == nil {
						t.Errorf("%s: with %s, %s takes what is for %s", name, trick, at, evil)
					} else {
						profiletest.Want(t, err, "aud.mismatch")
					}
				}
			}
		}
	})

	// The code of one server is not given to another (RFC 9207; RFC 9700, Section 4.4): where the callback is not that of the
	// server that was asked, nothing is sent.
	t.Run("M1_mix_up", func(t *testing.T) {
		s := start(t, numbered(bearer))
		verifier := oauth.NewCodeVerifier()
		codes := func(query string) client.Grant {
			return client.NewGrant(func(context.Context) (url.Values, error) {
				params, err := url.ParseQuery(query)
				if err != nil {
					return nil, err
				}
				cb, err := oauth.ParseCallback(params, oauth.ExpectCallback{State: "st", Issuer: s.URL, IssuerSent: true})
				if err != nil {
					return nil, err
				}
				return url.Values{"grant_type": {"authorization_code"}, "code": {cb.Code}, "code_verifier": {verifier}}, nil
			})
		}
		for name, query := range map[string]string{
			"of another":       "code=c&state=st&iss=" + url.QueryEscape(evil),
			"of nobody":        "code=c&state=st",
			"of both":          "code=c&state=st&iss=" + url.QueryEscape(s.URL) + "&iss=" + url.QueryEscape(evil),
			"of a longer name": "code=c&state=st&iss=" + url.QueryEscape(s.URL+"/"),
			"M15, no state":    "code=c&iss=" + url.QueryEscape(s.URL),
			"M15, another's":   "code=c&state=su&iss=" + url.QueryEscape(s.URL),
		} {
			_, err := source(t, s.config(), codes(query)).Token(ctx)
			if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Code != oauth.InvalidRequest || s.calls.Load() != 0 {
				t.Errorf("%s: %v, %d requests", name, err, s.calls.Load())
			}
		}
		token(t, source(t, s.config(), codes("code=c&state=st&iss="+url.QueryEscape(s.URL))))
		if got := s.form(); got.Get("code") != "c" || got.Get("code_verifier") != verifier {
			t.Error(got)
		}
	})

	// What authenticates the client, and what it has been granted, leave it for no other host.
	t.Run("M2_redirected_token_endpoint", func(t *testing.T) {
		other := start(t, numbered(bearer))
		s := start(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/token", http.StatusTemporaryRedirect)
		})
		c := s.config()
		c.Auth = client.SecretPost("c1", "secret")
		if got, err := source(t, c, client.Refresh("rt", nil)).Token(ctx); err == nil || other.calls.Load() != 0 {
			t.Errorf("%v, %v, %d requests", got, err, other.calls.Load())
		}
		token(t, source(t, other.config(), client.ClientCredentials())) // the control
	})
}
