package lint_test

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

func token(t testing.TB, header, claims, rest string) *unverified.Token {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	tok, err := unverified.Parse(enc([]byte(header)) + "." + enc([]byte(claims)) + ".AAAA" + rest)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestRecognize(t *testing.T) {
	for _, c := range []struct{ name, header, claims, rest, kind string }{
		{"at+jwt", `{"typ":"at+jwt"}`, `{}`, "", "access-token"},
		{"media type", `{"typ":"application/AT+JWT"}`, `{}`, "", "access-token"},
		{"request object", `{"typ":"oauth-authz-req+jwt"}`, `{}`, "", "request-object"},
		{"client assertion", `{"typ":"client-authentication+jwt"}`, `{}`, "", "client-assertion"},
		{"grant", `{"typ":"authorization-grant+jwt"}`, `{}`, "", "authorization-grant"},
		{"DPoP", `{"typ":"dpop+jwt"}`, `{}`, "", "dpop-proof"},
		{"attestation", `{"typ":"oauth-client-attestation+jwt"}`, `{}`, "", "client-attestation"},
		{"attestation PoP", `{"typ":"oauth-client-attestation-pop+jwt"}`, `{}`, "", "client-attestation-pop"},
		{"introspection", `{"typ":"token-introspection+jwt"}`, `{}`, "", "introspection"},
		{"logout", `{"typ":"logout+jwt"}`, `{}`, "", "logout-token"},
		{"SET", `{"typ":"secevent+jwt"}`, `{}`, "", "security-event"},
		{"entity statement", `{"typ":"entity-statement+jwt"}`, `{}`, "", "entity-statement"},
		{"trust mark", `{"typ":"trust-mark+jwt"}`, `{}`, "", "trust-mark"},
		{"key binding", `{"typ":"kb+jwt"}`, `{}`, "", "key-binding"},
		{"SD-JWT VC", `{"typ":"dc+sd-jwt"}`, `{}`, "~", "sd-jwt-vc"},
		{"old SD-JWT VC", `{"typ":"vc+sd-jwt"}`, `{}`, "~", "sd-jwt-vc"},
		{"key proof", `{"typ":"openid4vci-proof+jwt"}`, `{}`, "", "key-proof"},
		{"status list", `{"typ":"statuslist+jwt"}`, `{}`, "", "status-list"},

		{"unknown typ", `{"typ":"order+jwt"}`, `{}`, "", "jwt"},
		{"nothing", `{}`, `{}`, "", "jwt"},
		{"no claims", `{}`, `hello`, "", "jwt"},
		{"Atlassian", `{"typ":"JWT"}`, `{"iss":"a","iat":1,"exp":2,"qsh":"h"}`, "", "atlassian-request"},
		{"SD-JWT", `{}`, `{"_sd":[]}`, "~", "sd-jwt"},
		{"SD-JWT by form", `{}`, `{"iss":"a"}`, "~", "sd-jwt"},
		{"SD-JWT by claims", `{}`, `{"_sd_alg":"sha-256"}`, "", "sd-jwt"},
		{"SD-JWT VC without typ", `{}`, `{"_sd":[],"vct":"v"}`, "~", "sd-jwt-vc"},
		{"untyped logout", `{}`, `{"iss":"a","sub":"s","events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`, "", "logout-token"},
		{"untyped SET", `{}`, `{"iss":"a","events":{"urn:x":{}}}`, "", "security-event"},
		{"broken events", `{}`, `{"events":[]}`, "", "security-event"},
		{"untyped introspection", `{}`, `{"token_introspection":{}}`, "", "introspection"},
		{"untyped status list", `{}`, `{"status_list":{}}`, "", "status-list"},
		{"untyped DPoP", `{}`, `{"htm":"GET","htu":"https://a"}`, "", "dpop-proof"},
		{"untyped key binding", `{}`, `{"nonce":"n","sd_hash":"h"}`, "", "key-binding"},
		{"untyped entity statement", `{}`, `{"iss":"a","sub":"b","jwks":{}}`, "", "entity-statement"},
		{"OIDC request object", `{}`, `{"iss":"c","client_id":"c","response_type":"code","nonce":"n"}`, "", "request-object"},
		{"request object with a hint", `{}`, `{"client_id":"c","redirect_uri":"u","login_hint":"h"}`, "", "request-object"},
		{"CIBA", `{}`, `{"iss":"c","aud":"a","login_hint":"h","scope":"openid","exp":1}`, "", "ciba-request"},
		{"login hint", `{}`, `{"sub_id":{}}`, "", "login-hint-token"},
		{"JARM", `{}`, `{"iss":"a","aud":"c","exp":1,"code":"x","state":"s"}`, "", "jarm"},
		{"JARM error", `{}`, `{"iss":"a","aud":"c","exp":1,"error":"access_denied"}`, "", "jarm"},
		{"client assertion by claims", `{"typ":"JWT"}`, `{"iss":"c","sub":"c","aud":"a","exp":1}`, "", "client-assertion"},
		{"ID token", `{}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"nonce":"n"}`, "", "id-token"},
		{"UserInfo", `{}`, `{"iss":"a","sub":"s","aud":"c","email":"e"}`, "", "userinfo"},

		{"Auth0", `{"typ":"JWT"}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"iat":1,"sid":"x","nickname":"n"}`, "", "id-token"},
		{"Google", `{"typ":"JWT"}`, `{"iss":"a","azp":"c","aud":"c","sub":"s","at_hash":"h","exp":1}`, "", "id-token"},
		{"Apple", `{}`, `{"iss":"a","aud":"c","exp":1,"sub":"s","auth_time":1,"email_verified":"true"}`, "", "id-token"},
		{"Keycloak ID", `{"typ":"JWT"}`, `{"iss":"a","aud":"c","sub":"s","typ":"ID","azp":"c","exp":1}`, "", "id-token"},
		{"Keycloak access", `{"typ":"JWT"}`, `{"iss":"a","aud":"c","sub":"s","typ":"Bearer","azp":"c","exp":1,"scope":"openid","nonce":"n"}`, "", "access-token"},
		{"Cognito ID", `{}`, `{"iss":"a","aud":"c","sub":"s","token_use":"id","exp":1}`, "", "id-token"},
		{"Cognito access", `{}`, `{"iss":"a","sub":"s","token_use":"access","client_id":"c","exp":1}`, "", "access-token"},
		{"Okta access", `{}`, `{"iss":"a","aud":"c","sub":"s","cid":"c","scp":["x"],"exp":1}`, "", "access-token"},
		{"Entra access", `{"typ":"JWT"}`, `{"iss":"a","aud":"c","sub":"s","scp":"x","nonce":"n","exp":1}`, "", "access-token"},
		{"client credentials", `{}`, `{"iss":"a","aud":"c","client_id":"c","exp":1}`, "", "access-token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok := token(t, c.header, c.claims, c.rest)
			if got := lint.Recognize(tok); string(got) != c.kind {
				t.Errorf("%s, want %s", got, c.kind)
			}
			if others := lint.Alternatives(tok); others != nil {
				t.Errorf("or %v", others)
			}
			if !slices.Contains(lint.Kinds(), lint.Kind(c.kind)) {
				t.Errorf("%s is no kind", c.kind)
			}
		})
	}
}

// TestAlternatives are the tokens that more than one specification could have made.
func TestAlternatives(t *testing.T) {
	for _, c := range []struct {
		header, claims string
		want           []lint.Kind
	}{
		{`{}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"iat":1}`, []lint.Kind{"userinfo", "id-token", "authorization-grant"}},
		{`{"typ":"JWT"}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"iat":1}`, []lint.Kind{"jwt", "id-token", "userinfo", "authorization-grant"}},
		{`{}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"jti":"j"}`, []lint.Kind{"authorization-grant", "jwt"}},
		{`{}`, `{"iss":"a","sub":"s","aud":"c","exp":1,"email":"e"}`, []lint.Kind{"id-token", "userinfo"}},
	} {
		tok := token(t, c.header, c.claims, "")
		got := append([]lint.Kind{lint.Recognize(tok)}, lint.Alternatives(tok)...)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.claims, got, c.want)
		}
	}
}

func TestEncrypted(t *testing.T) {
	for _, s := range []string{"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIiwidHlwIjoiYXQrand0In0....", `{"protected":"eyJlbmMiOiJBMTI4R0NNIn0","ciphertext":""}`} {
		tok, err := unverified.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := lint.Recognize(tok); got != "jwe" {
			t.Error(got)
		}
	}
}

func TestKinds(t *testing.T) {
	if k := lint.Kinds(); len(k) != 26 || k[0] != "jwt" {
		t.Error(k)
	}
}
