package profiletest

import (
	"encoding/json"
	"testing"

	"github.com/jotsuite/jot/jose/jwk"
)

// Provider is a token as a provider makes it, good at [Now].
type Provider struct {
	Name string
	Kind string // id-token or access-token
	Type string // the typ of the header; empty for none
	// Option is the one option of the access token verifier that accepts it, as Go writes it; empty where the strict one does.
	Option string
	// Client and Scopes are what an access token says of them in one way or another.
	Client string
	Scopes []string

	payload string
}

// Claims are those of the token. Its aud, where there is one, is https://api.example of access tokens and c of ID tokens.
func (p Provider) Claims(t testing.TB) Claims {
	t.Helper()
	var c Claims
	if err := json.Unmarshal([]byte(p.payload), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Sign makes the token with a key of ours.
func (p Provider) Sign(t testing.TB, key jwk.Signer) string {
	t.Helper()
	return p.Claims(t).Sign(t, key, p.Type)
}

// Providers are the tokens of eight providers, some of them in several forms.
func Providers() []Provider {
	const id, access = "id-token", "access-token"
	return []Provider{
		{Name: "Google", Kind: id, Type: "JWT", payload: `{"iss":"https://accounts.google.com","azp":"android.apps","aud":"c","sub":"110169484474386276334","hd":"example.com","email":"a@example.com","email_verified":true,"at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","nonce":"n","iat":1767268790,"exp":1767272390}`},
		{Name: "Apple", Kind: id, payload: `{"iss":"https://appleid.apple.com","aud":"c","exp":1767355190,"iat":1767268790,"sub":"001999.x.0012","nonce":"n","c_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","email":"a@privaterelay.appleid.com","email_verified":"true","is_private_email":"true","auth_time":1767268790,"nonce_supported":true}`},
		{Name: "Entra ID", Kind: id, Type: "JWT", payload: `{"aud":"c","iss":"https://login.microsoftonline.com/t/v2.0","iat":1767268790,"nbf":1767268790,"exp":1767272690,"aio":"x","name":"A","nonce":"n","oid":"o","preferred_username":"a@example.com","rh":"0.x","roles":["r"],"sub":"AAA","tid":"t","uti":"u","ver":"2.0"}`},
		{Name: "Okta", Kind: id, payload: `{"sub":"00u","ver":1,"iss":"https://x.okta.com/oauth2/default","aud":"c","iat":1767268790,"exp":1767272390,"jti":"ID.1","amr":["pwd"],"idp":"00o","nonce":"n","auth_time":1767268780,"at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q"}`},
		{Name: "Auth0", Kind: id, Type: "JWT", payload: `{"nickname":"a","name":"A","picture":"https://x","updated_at":"2026-01-01T00:00:00.000Z","email":"a@example.com","email_verified":false,"iss":"https://x.auth0.com/","aud":"c","sub":"auth0|1","iat":1767268790,"exp":1767304790,"sid":"s","nonce":"n"}`},
		{Name: "Keycloak", Kind: id, Type: "JWT", payload: `{"exp":1767269100,"iat":1767268790,"auth_time":1767268790,"jti":"j","iss":"https://k/realms/r","aud":"c","sub":"u","typ":"ID","azp":"c","nonce":"n","sid":"s","at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","acr":"1","email_verified":false}`},
		{Name: "Cognito", Kind: id, payload: `{"at_hash":"HK6E_P6Dh8Y93mRNtsDB1Q","sub":"u","cognito:groups":["g"],"email_verified":true,"iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_X","cognito:username":"a","nonce":"n","origin_jti":"o","aud":"c","event_id":"e","token_use":"id","auth_time":1767268790,"exp":1767272390,"iat":1767268790,"jti":"j"}`},

		{Name: "Auth0, RFC 9068", Kind: access, Type: "at+jwt", Client: "c", Scopes: []string{"read"}, payload: `{"iss":"https://x.auth0.com/","sub":"auth0|1","aud":["https://api.example","https://x.auth0.com/userinfo"],"iat":1767268790,"exp":1767355190,"jti":"j","client_id":"c","scope":"openid read"}`},
		{Name: "Auth0", Kind: access, Type: "JWT", Option: `accesstoken.Lenient{}`, Client: "c", Scopes: []string{"read"}, payload: `{"iss":"https://x.auth0.com/","sub":"auth0|1","aud":["https://api.example","https://x.auth0.com/userinfo"],"iat":1767268790,"exp":1767355190,"scope":"openid read","azp":"c"}`},
		{Name: "Okta", Kind: access, Option: `accesstoken.Lenient{}`, Client: "c", Scopes: []string{"openid", "read"}, payload: `{"ver":1,"jti":"AT.1","iss":"https://x.okta.com/oauth2/default","aud":"https://api.example","iat":1767268790,"exp":1767272390,"cid":"c","uid":"00u","scp":["openid","read"],"auth_time":1767268780,"sub":"a@example.com"}`},
		{Name: "Okta, of the organization", Kind: access, Type: "application/okta-internal-at+jwt", Option: `accesstoken.Lenient{Types: []string{"application/okta-internal-at+jwt"}}`, Client: "c", Scopes: []string{"openid"}, payload: `{"ver":1,"jti":"AT.1","iss":"https://x.okta.com","aud":"https://api.example","sub":"a@example.com","iat":1767268790,"exp":1767272390,"cid":"c","uid":"00u","scp":["openid"],"auth_time":1767268780}`},
		{Name: "Entra ID, v2", Kind: access, Type: "JWT", Option: `accesstoken.Lenient{}`, Client: "c", Scopes: []string{"read", "write"}, payload: `{"aud":"https://api.example","iss":"https://login.microsoftonline.com/t/v2.0","iat":1767268790,"nbf":1767268790,"exp":1767272690,"aio":"x","azp":"c","azpacr":"1","name":"A","oid":"o","roles":["r"],"scp":"read write","sub":"s","tid":"t","uti":"u","ver":"2.0"}`},
		{Name: "Entra ID, v1", Kind: access, Type: "JWT", Option: `accesstoken.Lenient{}`, Client: "c", Scopes: []string{"read"}, payload: `{"aud":"https://api.example","iss":"https://sts.windows.net/t/","iat":1767268790,"nbf":1767268790,"exp":1767272690,"acr":"1","amr":["pwd"],"appid":"c","appidacr":"0","scp":"read","sub":"s","tid":"t","ver":"1.0"}`},
		{Name: "Entra ID, of no user", Kind: access, Type: "JWT", Option: `accesstoken.Lenient{}`, Client: "c", payload: `{"aud":"https://api.example","iss":"https://login.microsoftonline.com/t/v2.0","iat":1767268790,"exp":1767272690,"azp":"c","azpacr":"1","oid":"o","sub":"o","tid":"t","ver":"2.0"}`},
		{Name: "Keycloak", Kind: access, Type: "JWT", Option: `accesstoken.Lenient{Claim: "typ", Value: "Bearer"}`, Client: "c", Scopes: []string{"read"}, payload: `{"exp":1767269100,"iat":1767268790,"jti":"j","iss":"https://k/realms/r","aud":"https://api.example","sub":"u","typ":"Bearer","azp":"c","sid":"s","acr":"1","realm_access":{"roles":["r"]},"scope":"openid read"}`},
		{Name: "Cognito", Kind: access, Option: `accesstoken.Lenient{Claim: "token_use", Value: "access", Clients: []string{"c"}}`, Client: "c", Scopes: []string{"openid"}, payload: `{"sub":"u","iss":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_X","version":2,"client_id":"c","event_id":"e","token_use":"access","scope":"openid","auth_time":1767268790,"exp":1767272390,"iat":1767268790,"jti":"j","username":"a"}`},
		{Name: "Kubernetes", Kind: access, Option: `accesstoken.Lenient{Claim: "kubernetes.io"}`, payload: `{"aud":["https://api.example"],"exp":1767272390,"iat":1767268790,"iss":"https://kubernetes.default.svc.cluster.local","jti":"j","kubernetes.io":{"namespace":"n","serviceaccount":{"name":"s","uid":"u"}},"nbf":1767268790,"sub":"system:serviceaccount:n:s"}`},
	}
}
