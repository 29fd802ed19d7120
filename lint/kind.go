package lint

import (
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/jose/unverified"
)

// Kind names a kind of token, such as id-token.
type Kind string

// Kinds returns the names of all kinds, the plain jwt first.
func Kinds() []Kind { return slices.Clone(kinds) }

const (
	plain             Kind = "jwt"
	idToken           Kind = "id-token"
	accessToken       Kind = "access-token"
	requestObject     Kind = "request-object"
	clientAssertion   Kind = "client-assertion"
	dpopProof         Kind = "dpop-proof"
	clientAttestation Kind = "client-attestation"
	clientPoP         Kind = "client-attestation-pop"
	cibaRequest       Kind = "ciba-request"
	loginHint         Kind = "login-hint-token"
	response          Kind = "jarm"
	userInfo          Kind = "userinfo"
	introspected      Kind = "introspection"
	authGrant         Kind = "authorization-grant"
	logoutToken       Kind = "logout-token"
	securityEvent     Kind = "security-event"
	entityStatement   Kind = "entity-statement"
	trustMark         Kind = "trust-mark"
	sdJWT             Kind = "sd-jwt"
	sdJWTVC           Kind = "sd-jwt-vc"
	keyBinding        Kind = "key-binding"
	keyProof          Kind = "key-proof"
	statusList        Kind = "status-list"
	signedRequest     Kind = "atlassian-request"
	encrypted         Kind = "jwe"
	cwt               Kind = "cwt"
	backchannelLogout      = "http://schemas.openid.net/event/backchannel-logout"
)

var kinds = []Kind{
	plain, idToken, accessToken, requestObject, clientAssertion, dpopProof, clientAttestation, clientPoP,
	cibaRequest, loginHint, response, userInfo, introspected, authGrant, logoutToken, securityEvent, signedRequest,
	entityStatement, trustMark, sdJWT, sdJWTVC, keyBinding, keyProof, statusList, encrypted, cwt,
}

// types are the values of typ that name a kind.
var types = []struct {
	typ  string
	kind Kind
}{
	{"at+jwt", accessToken},                             // RFC 9068, Section 2.1
	{"oauth-authz-req+jwt", requestObject},              // RFC 9101, Section 10.8
	{"client-authentication+jwt", clientAssertion},      // RFC 10070, Section 4
	{"authorization-grant+jwt", authGrant},              // draft-ietf-wimse-workload-identity-practices, Section 5.2
	{"dpop+jwt", dpopProof},                             // RFC 9449, Section 4.2
	{"oauth-client-attestation+jwt", clientAttestation}, // draft-ietf-oauth-attestation-based-client-auth
	{"oauth-client-attestation-pop+jwt", clientPoP},     // the same
	{"token-introspection+jwt", introspected},           // RFC 9701, Section 5
	{"logout+jwt", logoutToken},                         // OpenID Connect Back-Channel Logout 1.0, Section 2.4
	{"secevent+jwt", securityEvent},                     // RFC 8417, Section 2.3
	{"entity-statement+jwt", entityStatement},           // OpenID Federation 1.0, Section 3
	{"trust-mark+jwt", trustMark},                       // OpenID Federation 1.0, Section 7
	{"kb+jwt", keyBinding},                              // RFC 9901, Section 4.3
	{"dc+sd-jwt", sdJWTVC},                              // draft-ietf-oauth-sd-jwt-vc
	{"vc+sd-jwt", sdJWTVC},                              // older drafts of it
	{"openid4vci-proof+jwt", keyProof},                  // OpenID4VCI 1.0, Appendix F.1
	{"statuslist+jwt", statusList},                      // draft-ietf-oauth-status-list
}

// Recognize returns the kind that t most likely is: by typ where that names one,
// else by what its claims hold and lack. It is jwt where nothing speaks for another.
func Recognize(t *unverified.Token) Kind {
	kind, _ := recognize(t)
	return kind
}

// Alternatives returns the kinds that t's claims do not tell from the one of
// [Recognize]; most tokens have none.
func Alternatives(t *unverified.Token) []Kind {
	_, others := recognize(t)
	return others
}

func recognize(t *unverified.Token) (Kind, []Kind) {
	if t.Form == unverified.Encrypted || t.Form == unverified.EncryptedJSON {
		return encrypted, nil
	}
	typ := t.HeaderString("typ")
	for _, e := range types {
		if compact.SameType(typ, e.typ) {
			return e.kind, nil
		}
	}
	c := claims{t}
	switch {
	case t.Form == unverified.Disclosable || c.any("_sd_alg", "_sd"):
		if c.all("vct") {
			return sdJWTVC, nil
		}
		return sdJWT, nil
	case c.all("events"):
		var events map[string]json.RawMessage
		if json.Unmarshal(t.Claim("events"), &events) == nil && events[backchannelLogout] != nil {
			return logoutToken, nil
		}
		return securityEvent, nil
	case c.all("token_introspection"):
		return introspected, nil
	case c.all("status_list"):
		return statusList, nil
	case c.all("htm", "htu"):
		return dpopProof, nil
	case c.all("sd_hash", "nonce"):
		return keyBinding, nil
	case c.all("iss", "sub", "jwks"):
		return entityStatement, nil
	case c.any("response_type", "redirect_uri", "code_challenge") && !c.all("sub"):
		return requestObject, nil
	case c.any("login_hint", "login_hint_token", "id_token_hint", "binding_message", "client_notification_token"):
		return cibaRequest, nil
	case c.all("sub_id"):
		return loginHint, nil
	case c.all("qsh"):
		return signedRequest, nil
	case c.any("code", "error", "response", "access_token") && c.all("iss", "aud") && !c.all("sub"):
		return response, nil
	}
	return c.untyped(compact.SameType(typ, "JWT"))
}

// untyped tells apart the kinds that have claims about a subject and no typ. With
// says, typ is there and says no more than JWT.
func (c claims) untyped(says bool) (Kind, []Kind) {
	// Some issuers say it in a claim of their own: Cognito, Keycloak, Kubernetes.
	switch {
	case c.ClaimString("token_use") == "access", c.ClaimString("typ") == "Bearer", c.all("kubernetes.io"):
		return accessToken, nil
	case c.ClaimString("token_use") == "id", c.ClaimString("typ") == "ID":
		return idToken, nil
	}
	subject := c.all("iss", "sub")
	switch {
	case subject && c.all("aud", "exp") && c.ClaimString("iss") == c.ClaimString("sub"):
		return clientAssertion, nil
	case subject && c.any("nonce", "at_hash", "c_hash", "s_hash") && !c.any("scope", "scp"):
		return idToken, nil
	case c.all("exp") && c.any("scope", "scp", "client_id", "cid", "appid", "azpacr"):
		return accessToken, nil
	case subject && c.all("aud", "exp") && c.any("azp", "auth_time", "acr", "amr", "sid"):
		return idToken, nil
	case subject && c.all("aud") && c.any("name", "given_name", "email", "preferred_username", "picture"):
		if c.all("exp") {
			return idToken, []Kind{userInfo}
		}
		return userInfo, nil
	case subject && c.all("aud", "exp") && says:
		return plain, []Kind{idToken, userInfo, authGrant}
	case subject && c.all("aud", "exp") && !c.any("jti", "nbf"):
		return userInfo, []Kind{idToken, authGrant}
	case subject && c.all("aud", "exp"):
		return authGrant, []Kind{plain}
	}
	return plain, nil
}

type claims struct{ *unverified.Token }

func (c claims) any(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return c.Claim(n) != nil })
}

func (c claims) all(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return c.Claim(n) == nil })
}
