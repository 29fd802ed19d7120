package guard

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/attack"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/dpop"
)

// TestAttack is what group M of the catalogue of attacks says of an API: a thief has an access token and all that was sent with
// it, and not the owner's key. Each case has as its control the owner's own request, which is let through.
func TestAttack(t *testing.T) {
	key := must(jwk.Generate(jwa.ES256))
	issued := profiletest.Key(t)
	raw := good.With("cnf", map[string]any{"jkt": must(dpop.Thumbprint(key.Public()))}).Sign(t, issued, accesstoken.Type)
	p := some(t)
	p.DPoP = proofs(nil)
	g := must(New(p))
	refused := func(t *testing.T, g *Guard, r *http.Request) {
		t.Helper()
		if resp := serve(g, Need{}, r); resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %s: %d", r.Method, r.URL, resp.StatusCode)
		}
	}

	t.Run("M4_DPoP_token_as_Bearer", func(t *testing.T) {
		want(t, serve(g, Need{}, request(t, key, raw, nil)), 200)
		for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
			refused(t, g, get(scheme+" "+raw))
			r := request(t, key, raw, nil) // with the proof that it came with
			r.Header.Set("Authorization", scheme+" "+raw)
			refused(t, g, r)
		}
		// Where nothing reads proofs, a bound token is not taken for one that is not.
		refused(t, must(New(some(t))), get("Bearer "+raw))
		refused(t, must(New(some(t))), request(t, key, raw, nil))
	})

	// The proof of a request to another place, with headers or a form of the URL that make this place look like that one.
	t.Run("M4_htu_by_headers", func(t *testing.T) {
		elsewhere := func(_ *jwt.Registered, c *dpop.Claims) { c.URL = "https://evil.example/orders" }
		for name, value := range map[string]string{
			"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Server": "evil.example", "X-Original-Host": "evil.example", "X-Host": "evil.example",
			"Forwarded": "host=evil.example;proto=https", "X-Original-URL": "https://evil.example/orders", "X-Rewrite-URL": "/orders", "X-HTTP-Method-Override": "GET",
		} {
			r := request(t, key, raw, elsewhere)
			r.Header.Set(name, value)
			refused(t, g, r)
			r = request(t, key, raw, nil)
			r.Header.Set(name, value)
			want(t, serve(g, Need{}, r), 200) // and the owner's is none the worse for them
		}
		r := request(t, key, raw, elsewhere)
		r.Host, r.URL.Host, r.URL.Scheme = "evil.example", "evil.example", "https"
		refused(t, g, r)
		// A proof for GET does not serve a request that says it is one.
		r = request(t, key, raw, nil)
		r.Method = http.MethodDelete
		r.Header.Set("X-HTTP-Method-Override", "GET")
		refused(t, g, r)
	})
	t.Run("M4_htu_by_path", func(t *testing.T) {
		for _, path := range []string{"/admin", "/orders/", "/Orders", "/orders/1", "//orders", "/orders%2f1", "/orders;x", "/", "/x/orders", "/orders%00"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header = request(t, key, raw, nil).Header // for /orders
			refused(t, g, r)
		}
	})

	// One instance of the API has seen the proof, and the thief goes to the other.
	t.Run("M4_replay_at_another_replica", func(t *testing.T) {
		shared := jwt.NewReplayCache(8)
		var replicas []*Guard
		for range 2 {
			q := some(t)
			q.DPoP = must(dpop.NewVerifier(dpop.Policy{Replay: shared, JWT: jwt.Policy{Clock: profiletest.Clock}}))
			replicas = append(replicas, must(New(q)))
		}
		r := request(t, key, raw, nil)
		want(t, serve(replicas[0], Need{}, r), 200)
		refused(t, replicas[1], r)
		refused(t, replicas[0], r)
		want(t, serve(replicas[1], Need{}, request(t, key, raw, nil)), 200)
	})

	t.Run("M11_certificate_of_another", func(t *testing.T) {
		server := httptest.NewTLSServer(nil)
		defer server.Close()
		cert := server.Certificate()
		sum := sha256.Sum256(cert.Raw)
		print := base64.RawURLEncoding.EncodeToString(sum[:])
		bound := good.With("cnf", map[string]any{"x5t#S256": print}).Sign(t, issued, accesstoken.Type)
		with := func(c ...*x509.Certificate) *http.Request {
			r := get("Bearer " + bound)
			r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: c}
			return r
		}
		plain := must(New(some(t)))
		want(t, serve(plain, Need{}, with(cert)), 200)
		other := *cert
		other.Raw = append([]byte{}, cert.Raw...)
		other.Raw[len(other.Raw)-1] ^= 1 // another signature by the same key
		refused(t, plain, with())
		refused(t, plain, with(&other))
		refused(t, plain, with(&other, cert)) // the owner's, as one of the chain
		for _, wrong := range []any{print + "=", strings.ToLower(print), print[:42], base64.StdEncoding.EncodeToString(sum[:]), "", []string{print}, nil, 1} {
			q := with(cert)
			q.Header.Set("Authorization", "Bearer "+good.With("cnf", map[string]any{"x5t#S256": wrong}).Sign(t, issued, accesstoken.Type))
			refused(t, plain, q)
		}
		// The header of a proxy, from someone who is none.
		for _, c := range []ClientCertificate{nil, CertificateHeader("Client-Cert", netip.MustParsePrefix("10.0.0.0/8"))} {
			q := some(t)
			q.ClientCertificate = c
			r := with()
			r.RemoteAddr = "192.0.2.1:4"
			r.Header.Set("Client-Cert", ":"+base64.StdEncoding.EncodeToString(cert.Raw)+":")
			r.Header.Set("X-Forwarded-For", "10.1.2.3")
			refused(t, must(New(q)), r)
			r.RemoteAddr = "10.1.2.3:4"
			if got := serve(must(New(q)), Need{}, r).StatusCode; (got == 200) != (c != nil) {
				t.Error(got)
			}
		}
	})

	// A token for another API of the same server, and tokens of other kinds by the same issuer for this one.
	t.Run("M3_M13_other_tokens", func(t *testing.T) {
		want(t, serve(g, Need{}, get("Bearer "+good.Sign(t, issued, accesstoken.Type))), 200)
		for name, other := range map[string]string{
			"of another API":       good.With("aud", "https://other.example").Sign(t, issued, accesstoken.Type),
			"of an API below":      good.With("aud", resource+"/orders").Sign(t, issued, accesstoken.Type),
			"for nobody":           good.With("aud", []string{}).Sign(t, issued, accesstoken.Type),
			"an ID token":          good.With("nonce", "n", "scope", nil).Sign(t, issued, ""),
			"a logout token":       good.Sign(t, issued, "logout+jwt"),
			"a DPoP proof":         good.Sign(t, issued, "dpop+jwt"),
			"an introspection":     good.Sign(t, issued, "token-introspection+jwt"),
			"a client's assertion": good.Sign(t, issued, "client-authentication+jwt"),
		} {
			t.Run(name, func(t *testing.T) { refused(t, g, get("Bearer "+other)) })
		}
		want(t, serve(g, Need{Scopes: []string{"admin"}}, get("Bearer "+good.Sign(t, issued, accesstoken.Type))), 403, "DPoP", "Bearer insufficient_scope")
	})
}

// TestAttackIntrospected is group F of the catalogue against what a server answers of a token: the server has judged the token
// itself, and the guard holds it to what it says all the same. What is no attack there has its reason.
func TestAttackIntrospected(t *testing.T) {
	const (
		optional = "RFC 7662, Section 2.2: all but active is optional, and null is taken for absent"
		judged   = "RFC 7662, Section 2.2: active says that the server, whose iat it is, has found it good; no policy here limits its age"
	)
	accepted := map[string]string{
		"F1_no_exp": optional, "F3_exp_null": optional, "F3_nbf_null": optional, "F3_iat_null": optional, "F3_iss_null": optional,
		"F3_sub_null": optional, "F3_jti_null": optional, "F11_no_iss": optional, "F11_iss_empty": optional,
		"F5_exp_year_1": "the zero time, as which servers in Go write that there is no exp",
		"F7_iat_ahead":  judged, "F7_iat_far_ahead": judged, "F7_iat_milliseconds": judged, "F19_max_age": judged, "F19_max_age_no_iat": judged,
		"F19_max_lifetime": judged, "F19_max_lifetime_no_iat": judged,
		"F16_before_nbf": "the leeway for nbf is fixed", "F18_nbf_after_exp": "both are within the leeway for nbf, and exp has none",
	}
	e := newEndpoint(t)
	g := e.guard(e.options())
	members := [][2]string{
		{"active", "true"},
		{"iss", `"` + issuer + `"`},
		{"sub", `"alice"`},
		{"aud", `"` + resource + `"`},
		{"exp", "1767269100"},
		{"iat", "1767268800"},
		{"nbf", "1767268800"},
		{"jti", `"1"`},
	}
	answer := func(edits ...string) int {
		e.say(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, attack.Members(members, edits...))
		})
		return serve(g, Need{}, get("Bearer x")).StatusCode
	}
	if got := answer(); got != 200 {
		t.Errorf("the control: %d", got)
	}
	refused := 0
	for _, x := range attack.ClaimEdits(issuer, resource) {
		// An answer that cannot be read is the server's fault, and not the token's.
		switch got := answer(x.Claims...); {
		case accepted[x.Title()] != "" && got != 200:
			t.Errorf("%s: %d, though %s", x.Title(), got, accepted[x.Title()])
		case accepted[x.Title()] == "" && got != 401 && got != 503:
			t.Errorf("%s: %d", x.Title(), got)
		case accepted[x.Title()] == "":
			refused++
		}
	}
	t.Logf("%d refused, %d are no attack on an answer", refused, len(accepted))
}
