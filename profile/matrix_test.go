package profile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/profiletest"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/atlassian"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/ciba"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/profile/idtoken"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/profile/jar"
	"github.com/jotsuite/jot/profile/jarm"
	"github.com/jotsuite/jot/profile/logout"
	"github.com/jotsuite/jot/profile/secevent"
	"github.com/jotsuite/jot/profile/userinfo"
)

const (
	now    = profiletest.Now
	party  = "https://op.example" // issuer of all tokens
	here   = "https://here.example"
	nonce  = "n-0S6_WzA2Mj"
	events = "http://schemas.openid.net/event/backchannel-logout"
	qsh    = "c88caad15a1c1a900b8ac08aa9686f4e8184539bea1deda36e2f649430df3239" // of GET /
)

type (
	claims = profiletest.Claims
	object = map[string]any
)

// base is what all tokens have, as far as the rules of their kinds allow: one issuer, one audience, one subject, one key.
var base = claims{"iss": party, "sub": "alice", "aud": here, "iat": now, "nbf": now, "exp": now + 60, "jti": "1"}

// instance is the key of an instance of a client, which its attestation names.
var instance = made(jwk.Generate(jwa.ES256))

// A sample is a valid token of a kind. Kinds are named as package lint names them; what is behind
// a comma is a form of it.
type sample struct {
	kind   string
	typ    string
	claims claims
}

// sign makes the token, with its key in the header: a proof has to have it there, and to the others it says nothing.
func (s sample) sign(t *testing.T, typ string) string {
	t.Helper()
	payload, err := json.Marshal(s.claims)
	if err != nil {
		t.Fatal(err)
	}
	key := profiletest.Key(t).Public().JWK()
	raw, err := jws.Sign(t.Context(), profiletest.Key(t), jws.Header{Type: typ, JWK: &key}, payload)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// samples has every kind. Those whose package is not here yet are written as their specifications have them; they get a
// verifier, and thereby a column, with it.
var samples = []sample{
	{"id-token", "JWT", base.With("nonce", nonce, "auth_time", now)},
	{"id-token, without nonce", "", base},
	{"access-token", "at+jwt", base.With("client_id", "c1", "scope", "read")},
	{"access-token, lenient", "JWT", base.With("client_id", "c1", "scope", "read")},
	{"client-assertion", "client-authentication+jwt", base.With("sub", party)},
	{"client-assertion, plain", "JWT", base.With("sub", party)},

	{"request-object", "oauth-authz-req+jwt", base.With("sub", nil, "client_id", party, "response_type", "code", "redirect_uri", "https://c.example/cb", "scope", "openid", "nonce", nonce)},
	{"request-object, plain", "", base.With("sub", nil, "client_id", party, "response_type", "code", "redirect_uri", "https://c.example/cb", "scope", "openid", "nonce", nonce)},
	{"ciba-request", "", base.With("sub", nil, "nbf", now, "scope", "openid", "login_hint", "alice")},
	{"login-hint-token", "", base.With("sub", nil, "sub_id", object{"format": "email", "email": "alice@example.com"})},
	{"jarm", "", base.With("sub", nil, "jti", nil, "code", "c", "state", "s")},
	{"client-attestation", "oauth-client-attestation+jwt", base.With("iss", nil, "sub", party, "cnf", object{"jwk": instance.JWK()})},
	{"client-attestation-pop", "oauth-client-attestation-pop+jwt", base.With("iss", nil, "exp", nil, "sub", nil)},
	{"dpop-proof", "dpop+jwt", base.With("htm", "GET", "htu", here)},
	{"userinfo", "", base.With("exp", nil, "jti", nil, "email", "alice@example.com")},
	{"userinfo, with exp", "", base.With("jti", nil, "email", "alice@example.com")},
	{"introspection", "token-introspection+jwt", base.With("sub", nil, "exp", nil, "token_introspection", object{"active": true})},
	{"authorization-grant", "authorization-grant+jwt", base},
	{"authorization-grant, plain", "JWT", base},
	{"logout-token", "logout+jwt", base.With("events", object{events: object{}})},
	{"logout-token, plain", "", base.With("events", object{events: object{}})},
	{"security-event", "secevent+jwt", base.With("exp", nil, "sub", nil, "sub_id", object{"format": "opaque", "id": "alice"}, "events", object{"https://e.example": object{}})},
	{"security-event, plain", "", base.With("exp", nil, "sub", nil, "sub_id", object{"format": "opaque", "id": "alice"}, "events", object{"https://e.example": object{}})},
	{"entity-statement", "entity-statement+jwt", base.With("jwks", object{"keys": []any{}})},
	{"trust-mark", "trust-mark+jwt", base.With("trust_mark_type", "https://t.example")},
	{"sd-jwt", "", base.With("_sd_alg", "sha-256", "_sd", []string{"x"})},
	{"sd-jwt-vc", "dc+sd-jwt", base.With("vct", "https://v.example")},
	{"key-binding", "kb+jwt", base.With("nonce", nonce, "sd_hash", "x")},
	{"key-proof", "openid4vci-proof+jwt", base.With("nonce", nonce)},
	{"status-list", "statuslist+jwt", base.With("status_list", object{"bits": 1, "lst": "eNo"})},
	{"atlassian", "JWT", base.With("qsh", qsh)},
}

// A column verifies tokens of its kinds, and refuses all others.
type column struct {
	name   string
	kinds  []string // what it is for
	verify func(raw string) error
}

func columns(t *testing.T) []column { return columnsWith(t, jwt.Policy{Clock: profiletest.Clock}, nil) }

// columnsWith has the columns for a policy, and a replay that those share which need one; each has its own if it is nil.
func columnsWith(t *testing.T, j jwt.Policy, shared jwt.Replay) []column {
	keys := jwk.Set{profiletest.Key(t).Public()}
	ctx := context.Background()
	replay := func() jwt.Replay {
		if shared != nil {
			return shared
		}
		return jwt.NewReplayCache(1)
	}
	ids := func() *idtoken.Verifier {
		return made(idtoken.NewVerifier(keys, idtoken.Policy{Issuers: []string{party}, ClientID: here, JWT: j}))
	}
	access := func(lenient *accesstoken.Lenient) *accesstoken.Verifier {
		return made(accesstoken.NewVerifier(keys, accesstoken.Policy{Issuers: []string{party}, Audiences: []string{here}, Lenient: lenient, JWT: j}))
	}
	attested := func(raw, proof string) error {
		h := http.Header{}
		h.Set(attestation.Header, raw)
		h.Set(attestation.PoPHeader, proof)
		v := made(attestation.NewVerifier(keys, attestation.Policy{Audience: here, ClientIDs: []string{party}, Replay: replay(), JWT: j}))
		_, err := v.Verify(ctx, h, attestation.Expect{NoClientID: true})
		return err
	}
	return []column{
		{"id-token", []string{"id-token"}, func(raw string) error {
			_, err := ids().Verify(ctx, raw, idtoken.Expect{Nonce: nonce})
			return err
		}},
		{"id-token, without nonce", []string{"id-token, without nonce"}, func(raw string) error {
			_, err := ids().Verify(ctx, raw, idtoken.Expect{NoNonce: true})
			return err
		}},
		{"access-token", []string{"access-token"}, func(raw string) error {
			_, err := access(nil).Verify(ctx, raw)
			return err
		}},
		{"access-token, lenient", []string{"access-token", "access-token, lenient"}, func(raw string) error {
			_, err := access(&accesstoken.Lenient{}).Verify(ctx, raw)
			return err
		}},
		{"client-assertion", []string{"client-assertion", "client-assertion, plain"}, func(raw string) error {
			v := made(clientauth.NewVerifier(keys, clientauth.Policy{Issuer: here, ClientID: party, Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw, clientauth.Expect{NoClientID: true})
			return err
		}},
		{"authorization-grant", []string{"authorization-grant", "authorization-grant, plain"}, func(raw string) error {
			v := made(grant.NewVerifier(keys, grant.Policy{Issuer: here, Issuers: []string{party}, AnySubject: true, Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"request-object", []string{"request-object"}, func(raw string) error {
			v := made(jar.NewVerifier(keys, jar.Policy{Issuer: here, ClientID: party, JWT: j}))
			_, err := v.Verify(ctx, raw, jar.Expect{ClientID: party})
			return err
		}},
		{"request-object, untyped", []string{"request-object", "request-object, plain"}, func(raw string) error {
			v := made(jar.NewVerifier(keys, jar.Policy{Issuer: here, ClientID: party, OpenIDConnect: true, JWT: j}))
			_, err := v.Verify(ctx, raw, jar.Expect{ClientID: party})
			return err
		}},
		{"jarm", []string{"jarm"}, func(raw string) error {
			v := made(jarm.NewVerifier(keys, jarm.Policy{Issuer: party, ClientID: here, JWT: j}))
			_, err := v.Verify(ctx, raw, jarm.Expect{State: "s"})
			return err
		}},
		{"client-attestation", []string{"client-attestation"}, func(raw string) error {
			return attested(raw, claims{"aud": here, "jti": "1", "iat": now}.Sign(t, instance, attestation.PoPType))
		}},
		{"client-attestation-pop", []string{"client-attestation-pop"}, func(raw string) error {
			return attested(claims{"sub": party, "exp": now + 60, "cnf": object{"jwk": profiletest.Key(t).JWK()}}.Sign(t, profiletest.Key(t), attestation.Type), raw)
		}},
		{"ciba-request", []string{"ciba-request"}, func(raw string) error {
			v := made(ciba.NewVerifier(keys, ciba.Policy{Issuer: here, ClientID: party, Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw, ciba.Expect{ClientID: party, Delivery: ciba.Poll})
			return err
		}},
		{"login-hint-token", []string{"login-hint-token"}, func(raw string) error {
			v := made(ciba.NewHintVerifier(keys, ciba.HintPolicy{Issuers: []string{party}, Issuer: here, JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"dpop-proof", []string{"dpop-proof"}, func(raw string) error {
			v := made(dpop.NewVerifier(dpop.Policy{Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw, dpop.Expect{Method: "GET", URL: here, NoAccessToken: true})
			return err
		}},
		{"introspection", []string{"introspection"}, func(raw string) error {
			v := made(introspection.NewVerifier(keys, introspection.Policy{Issuers: []string{party}, Audiences: []string{here}, JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"userinfo", []string{"userinfo"}, func(raw string) error {
			v := made(userinfo.NewVerifier(keys, userinfo.Policy{Issuers: []string{party}, ClientID: here, JWT: j}))
			_, err := v.Verify(ctx, raw, userinfo.Expect{Subject: "alice"})
			return err
		}},
		{"userinfo, with exp", []string{"userinfo", "userinfo, with exp"}, func(raw string) error {
			v := made(userinfo.NewVerifier(keys, userinfo.Policy{Issuers: []string{party}, ClientID: here, AllowExpiry: true, JWT: j}))
			_, err := v.Verify(ctx, raw, userinfo.Expect{Subject: "alice"})
			return err
		}},
		{"logout-token", []string{"logout-token"}, func(raw string) error {
			v := made(logout.NewVerifier(keys, logout.Policy{Issuers: []string{party}, ClientID: here, Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"logout-token, untyped", []string{"logout-token", "logout-token, plain"}, func(raw string) error {
			v := made(logout.NewVerifier(keys, logout.Policy{Issuers: []string{party}, ClientID: here, LegacyUntyped: true, Replay: replay(), JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"security-event", []string{"security-event"}, func(raw string) error {
			v := made(secevent.NewVerifier(keys, secevent.Policy{Issuers: []string{party}, Audiences: []string{here}, JWT: j}))
			_, err := v.Verify(ctx, raw)
			return err
		}},
		{"security-event, untyped", []string{"security-event", "security-event, plain"}, func(raw string) error {
			p := secevent.Policy{Issuers: []string{party}, Audiences: []string{here}, AnyProfile: true, LegacyUntyped: true, LegacyDrafts: true, JWT: j}
			_, err := made(secevent.NewVerifier(keys, p)).Verify(ctx, raw)
			return err
		}},
		{"atlassian", []string{"atlassian"}, func(raw string) error {
			p := atlassian.Policy{ClientKey: party, JWT: j}
			p.JWT.Algorithms = []jwa.Algorithm{jwa.ES256} // the key of all; products have a secret
			_, err := made(atlassian.NewVerifier(keys, p)).Verify(ctx, raw, atlassian.Expect{QueryHash: qsh})
			return err
		}},
	}
}

func made[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// inseparable are the cells, verifier ← token, that the specifications do not keep apart where issuer,
// audience, subject and key are the same, with the sentence why. At most six.
var inseparable = map[string]string{
	"id-token, without nonce ← authorization-grant, plain": "RFC 7523, Section 3, asks a grant for iss, sub, aud and exp and for no typ, and an ID token without a nonce has no claim of its own (OpenID Connect Core 1.0, Section 2); what keeps them apart is the typ of a grant, which no RFC asks for, or the nonce.",
	"authorization-grant ← id-token, without nonce":        "The same two tokens, the other way round.",
	"id-token, without nonce ← userinfo, with exp":         "OpenID Connect Core 1.0, Section 5.3.2, does not forbid exp and iat in a signed response, and with them it has all that Section 2 asks of an ID token; without exp, or with the nonce, they are apart.",
	"userinfo, with exp ← id-token, without nonce":         "The same two tokens, the other way round, and only with userinfo's AllowExpiry.",
	"userinfo, with exp ← authorization-grant, plain":      "As for ID tokens: a grant without the typ has iss, sub, aud and exp and no claim of its own; only with userinfo's AllowExpiry.",
}

// TestMatrix gives each kind's token to every verifier: its own accept it, and all others refuse it.
func TestMatrix(t *testing.T) {
	cols := columns(t)
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-28s", "token \\ verifier")
	for i := range cols {
		fmt.Fprintf(&table, " %-24s", cols[i].name)
	}
	var block strings.Builder // the same for the docs, with a letter in each cell
	for i, c := range cols {
		fmt.Fprintf(&block, "%2d %s\n", i+1, c.name)
	}
	fmt.Fprintf(&block, "\n%-28s", "token \\ verifier")
	for i := range cols {
		fmt.Fprintf(&block, "%3d", i+1)
	}
	used := map[string]bool{}
	for _, s := range samples {
		raw := s.sign(t, s.typ)
		fmt.Fprintf(&table, "\n%-28s", s.kind)
		fmt.Fprintf(&block, "\n%-28s", s.kind)
		for _, c := range cols {
			err := c.verify(raw)
			cell := c.name + " ← " + s.kind
			switch own := slices.Contains(c.kinds, s.kind); {
			case own && err != nil:
				t.Errorf("%s is refused: %v", cell, err)
			case !own && err == nil && inseparable[cell] == "":
				t.Errorf("%s is accepted", cell)
			case !own && err == nil:
				used[cell] = true
			}
			mark := "accepted"
			if err != nil {
				r, ok := errors.AsType[*jwt.RejectError](err)
				if !ok {
					t.Fatalf("%s: %v", cell, err)
				}
				mark = r.Codes()[0]
			}
			fmt.Fprintf(&table, " %-24s", mark)
			fmt.Fprintf(&block, "  %s", letter(mark, used[cell]))
		}
	}
	t.Log(table.String())
	documented(t, block.String())
	for cell, why := range inseparable {
		if !used[cell] {
			t.Errorf("inseparable: nothing needs %s", cell)
		}
		t.Logf("%s: %s", cell, why)
	}
	if len(inseparable) > 6 {
		t.Errorf("%d cells are inseparable", len(inseparable))
	}
}

// letter is how the docs show what a verifier says.
func letter(mark string, inseparable bool) string {
	switch {
	case inseparable:
		return "!"
	case mark == "accepted":
		return "Y"
	case mark == "typ.mismatch":
		return "t"
	case mark == "kind.mismatch":
		return "k"
	case strings.HasSuffix(mark, ".missing"):
		return "m"
	}
	return "x"
}

// documented holds that the matrix in the docs is the one of the verifiers. With JOT_UPDATE=1 in the environment it is
// written there.
func documented(t *testing.T, matrix string) {
	t.Helper()
	const page = "../docs/kinds.md"
	text, err := os.ReadFile(page)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this is the library alone, not a clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "```text\n")
	shown, after, end := strings.Cut(rest, "\n```\n")
	if !ok || !end {
		t.Fatal("docs/kinds.md has no block for the matrix")
	}
	if shown == matrix {
		return
	}
	if os.Getenv("JOT_UPDATE") != "1" {
		t.Errorf("docs/kinds.md has another matrix; JOT_UPDATE=1 go test ./profile writes this one:\n%s", matrix)
		return
	}
	if err := os.WriteFile(page, []byte(before+"```text\n"+matrix+"\n```\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTypes gives each verifier its own token with the typ of every other kind.
func TestTypes(t *testing.T) {
	own := map[string]string{
		"security-event": secevent.Type, "security-event, untyped": secevent.Type,
		"dpop-proof": dpop.Type, "request-object": jar.Type, "request-object, untyped": jar.Type,
		"authorization-grant": grant.Type, "introspection": introspection.Type, "logout-token": logout.Type, "logout-token, untyped": logout.Type,
		"access-token": "at+jwt", "access-token, lenient": "at+jwt", "client-assertion": "client-authentication+jwt",
		"client-attestation": "oauth-client-attestation+jwt", "client-attestation-pop": "oauth-client-attestation-pop+jwt",
	}
	for _, c := range columns(t) {
		i := slices.IndexFunc(samples, func(s sample) bool { return s.kind == c.kinds[0] })
		for _, typ := range profile.Types() {
			raw := samples[i].sign(t, typ)
			err := c.verify(raw)
			if typ == own[c.name] {
				profiletest.Want(t, err)
				continue
			}
			if r, ok := errors.AsType[*jwt.RejectError](err); !ok || !r.Only("typ.mismatch") {
				t.Errorf("%s takes its token with typ %s: %v", c.name, typ, err)
			}
		}
	}
}
