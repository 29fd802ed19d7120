package jwt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The shapes of what real issuers send. Header and payload are written out, because a
// token made by Sign would have the shape that this package prefers.
func TestRealIssuers(t *testing.T) {
	const times = `"iat":1767268700,"exp":1767272400`
	for _, tc := range []struct {
		name, header, payload string
		alg                   jwa.Algorithm
		keyAlg                bool // the published JWK has alg
		issuer, audience      string
		change                func(*Policy) // the one named option
	}{
		{
			name: "Auth0", alg: jwa.RS256, keyAlg: true, issuer: "https://acme.eu.auth0.com/", audience: "https://api.acme.example",
			header:  `{"alg":"RS256","typ":"JWT","kid":"NEVCMzI2RkM4"}`,
			payload: `{"iss":"https://acme.eu.auth0.com/","sub":"auth0|63c1","aud":["https://api.acme.example","https://acme.eu.auth0.com/userinfo"],` + times + `,"scope":"openid profile","azp":"c1","permissions":["read:x"]}`,
		},
		{
			name: "Auth0, RFC 9068", alg: jwa.RS256, keyAlg: true, issuer: "https://acme.eu.auth0.com/", audience: "https://api.acme.example",
			header:  `{"alg":"RS256","typ":"at+jwt","kid":"NEVCMzI2RkM4"}`,
			payload: `{"iss":"https://acme.eu.auth0.com/","sub":"auth0|63c1","aud":"https://api.acme.example",` + times + `,"jti":"k","client_id":"c1"}`,
			change:  func(p *Policy) { p.Type = "at+jwt" },
		},
		{
			name: "Okta", alg: jwa.RS256, keyAlg: true, issuer: "https://acme.okta.com/oauth2/default", audience: "api://default",
			header:  `{"kid":"Y-0sCcPVNUP8qTOAAZGOD4TN","alg":"RS256"}`,
			payload: `{"ver":1,"jti":"AT.o9Xz","iss":"https://acme.okta.com/oauth2/default","aud":"api://default",` + times + `,"cid":"0oa1","uid":"00u1","scp":["openid"],"auth_time":1767268600,"sub":"alice@acme.example"}`,
		},
		{
			name: "Entra ID", alg: jwa.RS256, issuer: "https://login.microsoftonline.com/9188040d/v2.0", audience: "6e74172b",
			header:  `{"typ":"JWT","alg":"RS256","x5t":"1LTMzakihiRla_8z2BEJVXeWMqo","kid":"1LTMzakihiRla_8z2BEJVXeWMqo"}`,
			payload: `{"aud":"6e74172b","iss":"https://login.microsoftonline.com/9188040d/v2.0",` + times + `,"nbf":1767268700,"aio":"AXQAi/8IAAAA","azp":"c","azpacr":"1","oid":"o","rh":"0.","scp":"x","sub":"s","tid":"9188040d","uti":"u","ver":"2.0"}`,
		},
		{
			name: "Google", alg: jwa.RS256, keyAlg: true, issuer: "https://accounts.google.com", audience: "web.apps.googleusercontent.com",
			header:  `{"alg":"RS256","kid":"a49391bf52b58c1d560255c2f2a04e59e22a7b65","typ":"JWT"}`,
			payload: `{"iss":"https://accounts.google.com","azp":"android.apps.googleusercontent.com","aud":"web.apps.googleusercontent.com","sub":"110169484474386276334","email":"a@gmail.com","email_verified":true,` + times + `}`,
		},
		{
			name: "Google, old spelling", alg: jwa.RS256, keyAlg: true, issuer: "https://accounts.google.com", audience: "web.apps.googleusercontent.com",
			header:  `{"alg":"RS256","kid":"a49391bf52b58c1d560255c2f2a04e59e22a7b65","typ":"JWT"}`,
			payload: `{"iss":"accounts.google.com","aud":"web.apps.googleusercontent.com","sub":"1",` + times + `}`,
			change:  func(p *Policy) { p.Issuers = append(p.Issuers, "accounts.google.com") },
		},
		{
			name: "Keycloak", alg: jwa.RS256, keyAlg: true, issuer: "https://kc.example/realms/acme", audience: "account",
			header:  `{"alg":"RS256","typ" : "JWT","kid" : "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"}`,
			payload: `{"exp":1767272400,"iat":1767268700,"auth_time":0,"jti":"onrtac:1","iss":"https://kc.example/realms/acme","aud":["realm-management","account"],"sub":"u","typ":"Bearer","azp":"web","sid":"s","acr":"1","allowed-origins":["*"],"realm_access":{"roles":["x"]},"resource_access":{"account":{"roles":["view-profile"]}},"scope":"email"}`,
		},
		{
			name: "Keycloak, ES256", alg: jwa.ES256, keyAlg: true, issuer: "https://kc.example/realms/acme", audience: "account",
			header:  `{"alg":"ES256","typ":"JWT","kid":"ec"}`,
			payload: `{"iss":"https://kc.example/realms/acme","aud":"account","sub":"u",` + times + `}`,
		},
		{
			name: "Cognito, ID token", alg: jwa.RS256, keyAlg: true, issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", audience: "client",
			header:  `{"kid":"1234example+k/id=","alg":"RS256"}`,
			payload: `{"sub":"a","aud":"client","email_verified":true,"token_use":"id","auth_time":1767268600,"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x","cognito:username":"alice",` + times + `}`,
		},
		{
			name: "Cognito, access token", alg: jwa.RS256, keyAlg: true, issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x", audience: "client",
			header:  `{"kid":"1234example+k/id=","alg":"RS256"}`,
			payload: `{"sub":"a","token_use":"access","scope":"x","client_id":"client","jti":"j","iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_x",` + times + `}`,
			change:  func(p *Policy) { p.Audiences, p.AnyAudience = nil, true },
		},
		{
			name: "Apple", alg: jwa.RS256, keyAlg: true, issuer: "https://appleid.apple.com", audience: "com.example.app",
			header:  `{"kid":"eXaunmL","alg":"RS256"}`,
			payload: `{"iss":"https://appleid.apple.com","aud":"com.example.app",` + times + `,"sub":"000000.a.0000","email":"x@privaterelay.appleid.com","email_verified":"true","is_private_email":"true","auth_time":1767268600,"nonce_supported":true}`,
		},
		{
			name: "Kubernetes", alg: jwa.RS256, keyAlg: true, issuer: "https://kubernetes.default.svc.cluster.local", audience: "https://kubernetes.default.svc.cluster.local",
			header:  `{"alg":"RS256","kid":"9T1OmXz0HwUE"}`,
			payload: `{"aud":["https://kubernetes.default.svc.cluster.local","k3s"],` + times + `,"iss":"https://kubernetes.default.svc.cluster.local","jti":"j","kubernetes.io":{"namespace":"kube-system","pod":{"name":"p","uid":"u"},"serviceaccount":{"name":"n","uid":"u"},"warnafter":1767272307},"nbf":1767268700,"sub":"system:serviceaccount:kube-system:n"}`,
		},
		{
			name: "dates with fractions", alg: jwa.EdDSA, keyAlg: true, issuer: issuer, audience: audience,
			header:  `{"alg":"EdDSA","kid":"ed"}`,
			payload: `{"iss":"https://as.example","aud":"https://api.example","iat":1767268700.123456,"nbf":1767268700.0,"exp":1.7672724E9}`,
		},
		{
			name: "no kid", alg: jwa.ES256, keyAlg: true, issuer: issuer, audience: audience,
			header:  `{"alg":"ES256"}`,
			payload: `{"iss":"https://as.example","aud":"https://api.example",` + times + `}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key := privateKey(t, tc.alg)
			message := encode(tc.header) + "." + encode(tc.payload)
			sig, err := key.Sign(ctx, []byte(message))
			if err != nil {
				t.Fatal(err)
			}
			raw := message + "." + encode(string(sig))

			set := publish(t, key, tc.header, tc.keyAlg)
			p := Policy{Issuers: []string{tc.issuer}, Audiences: []string{tc.audience}, Clock: clock}
			if tc.change != nil {
				_, err := verifier[map[string]any](t, set, p).Verify(ctx, raw)
				if err == nil {
					t.Error("the option is not needed")
				}
				tc.change(&p)
			}
			if _, err = verifier[map[string]any](t, set, p).Verify(ctx, raw); err != nil {
				t.Error(err)
			}
			// An AWS load balancer's padding, and a Graph token, whose header was changed after it was signed, never verify.
			_, err = verifier[map[string]any](t, set, p).Verify(ctx, strings.Replace(raw, ".", "==.", 1))
			want(t, err, "token.malformed")
			graph := encode(strings.Replace(tc.header, "{", `{"nonce":"x",`, 1)) + raw[strings.IndexByte(raw, '.'):]
			_, err = verifier[map[string]any](t, set, p).Verify(ctx, graph)
			want(t, err, "sig.invalid")
		})
	}
}

// publish makes the issuer's JWK set: the key under the header's kid, beside keys that jot has no use for.
func publish(t *testing.T, key *jwk.PrivateKey, header string, alg bool) jwk.Set {
	t.Helper()
	d, err := jwk.FromKey(key.Public().CryptoKey())
	if err != nil {
		t.Fatal(err)
	}
	kid := "main"
	if _, rest, ok := strings.Cut(header, `"kid"`); ok {
		kid = strings.SplitN(rest, `"`, 3)[1]
	}
	d = d.WithKeyID(kid)
	if alg {
		if d, err = d.With("alg", key.Algorithm().Name()); err != nil {
			t.Fatal(err)
		}
	}
	one, err := d.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	set, skipped, err := jwk.ParseSet(fmt.Appendf(nil, `{"keys":[{"kty":"new","kid":"n"},%s,{"kty":"EC","crv":"P-0","kid":"m"}]}`, one), jwk.Binding{})
	if err != nil || len(skipped) != 2 {
		t.Fatal(skipped, err)
	}
	return slices.Clone(set)
}
