package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/jotsuite/jot/oauth"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// What a client keeps of an authorization request, and how it reads the response.
func ExampleParseCallback() {
	var as oauth.ServerMetadata // such as client.Discover fetches
	if err := json.Unmarshal([]byte(`{"issuer":"https://as.example","authorization_response_iss_parameter_supported":true}`), &as); err != nil {
		log.Fatal(err)
	}
	state, verifier := "af0ifjsldkj", oauth.NewCodeVerifier() // of this browser's session
	request := url.Values{
		"state":                 {state},
		"code_challenge":        {oauth.S256Challenge(verifier)},
		"code_challenge_method": {oauth.S256},
	}

	x := oauth.ExpectCallback{State: request.Get("state"), Issuer: as.Issuer, IssuerSent: as.IssuerInResponse}
	c, err := oauth.ParseCallback(url.Values{"code": {"SplxlOBeZQQYbYS6WxSbIA"}, "state": {state}, "iss": {"https://as.example"}}, x)
	fmt.Println(c.Code, err)

	// The user has said no.
	_, err = oauth.ParseCallback(url.Values{"error": {oauth.AccessDenied}, "state": {state}, "iss": {"https://as.example"}}, x)
	fmt.Println(errors.Is(err, &oauth.Error{Code: oauth.AccessDenied}))

	// The code of another server is not taken to this one.
	_, err = oauth.ParseCallback(url.Values{"code": {"x"}, "state": {state}, "iss": {"https://evil.example"}}, x)
	fmt.Println(err, errors.Is(err, oauth.ErrIssuer))
	// Output:
	// SplxlOBeZQQYbYS6WxSbIA <nil>
	// true
	// oauth: invalid_request: the response is that of another server true
}

// What an authorization server does with the two halves of PKCE.
func ExampleCheckVerifier() {
	verifier := "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, Appendix B
	challenge := oauth.S256Challenge(verifier)
	fmt.Println(oauth.ValidateChallenge(challenge, oauth.S256))
	fmt.Println(oauth.CheckVerifier(challenge, oauth.S256, verifier))
	fmt.Println(oauth.ValidateChallenge(verifier, oauth.Plain))
	old := []oauth.PKCEOption{oauth.AllowPlain} // for clients that cannot hash
	fmt.Println(oauth.ValidateChallenge(verifier, oauth.Plain, old...))
	// Output:
	// <nil>
	// <nil>
	// oauth: invalid_request: code_challenge_method has to be S256
	// <nil>
}

// An error has a public part and a private cause.
func ExampleError() {
	err := &oauth.Error{Code: oauth.InvalidGrant, Description: "the code has expired", Cause: errors.New("row 7 of table codes")}
	w := httptest.NewRecorder()
	err.Write(w)
	fmt.Println(w.Code, w.Body)
	fmt.Println(err, err.HTTPStatus(), err.Values().Encode())

	read := must(oauth.ParseError(w.Code, w.Body.Bytes()))
	fmt.Println(read.Code == oauth.InvalidGrant, read.Cause)
	// Output:
	// 400 {"error":"invalid_grant","error_description":"the code has expired"}
	// oauth: invalid_grant: the code has expired 400 error=invalid_grant&error_description=the+code+has+expired
	// true <nil>
}

// Codes whose response is not a 400.
func ExampleError_HTTPStatus() {
	for _, code := range codes {
		if e := (&oauth.Error{Code: code}); e.HTTPStatus() != 400 {
			fmt.Println(code, e.HTTPStatus())
		}
	}
	// Output:
	// invalid_client 401
	// server_error 500
	// temporarily_unavailable 503
	// invalid_token 401
	// insufficient_scope 403
	// insufficient_user_authentication 401
}

var codes = []string{
	oauth.InvalidRequest, oauth.InvalidClient, oauth.InvalidGrant, oauth.UnauthorizedClient, oauth.UnsupportedGrantType,
	oauth.UnsupportedResponseType, oauth.InvalidScope, oauth.AccessDenied, oauth.ServerError, oauth.TemporarilyUnavailable,
	oauth.InvalidToken, oauth.InsufficientScope, oauth.UnsupportedTokenType, oauth.InvalidRedirectURI, oauth.InvalidClientMetadata,
	oauth.InvalidSoftwareStatement, oauth.UnapprovedSoftwareStatement, oauth.AuthorizationPending, oauth.SlowDown, oauth.ExpiredToken,
	oauth.InvalidTarget, oauth.InvalidRequestURI, oauth.InvalidRequestObject, oauth.RequestNotSupported, oauth.RequestURINotSupported,
	oauth.InvalidAuthorizationDetails, oauth.InvalidDPoPProof, oauth.UseDPoPNonce, oauth.InsufficientUserAuthentication,
	oauth.InteractionRequired, oauth.LoginRequired, oauth.AccountSelectionRequired, oauth.ConsentRequired,
	oauth.RegistrationNotSupported, oauth.ExpiredLoginHintToken, oauth.UnknownUserID, oauth.MissingUserCode, oauth.InvalidUserCode,
	oauth.InvalidBindingMessage, oauth.TransactionFailed, oauth.UseAttestationChallenge, oauth.UseFreshAttestation,
	oauth.InvalidClientAttestation,
}

// A resource says how it is to be asked for, and a client reads it.
func ExampleChallenge() {
	w := httptest.NewRecorder()
	for _, scheme := range []string{oauth.Bearer, oauth.DPoP} {
		c := oauth.Challenge{
			Scheme: scheme, Realm: "orders",
			Error:            &oauth.Error{Code: oauth.InsufficientUserAuthentication},
			MaxAge:           new(5 * time.Minute),
			ResourceMetadata: must(oauth.ResourceMetadataURL("https://api.example/orders")),
		}
		if scheme == oauth.DPoP {
			c.Algs = []string{"ES256"}
		}
		w.Header().Add("WWW-Authenticate", c.String())
	}
	all := must(oauth.ParseChallenges(w.Header().Values("WWW-Authenticate")))
	for _, c := range all {
		fmt.Println(c.Scheme, c.Error.Code, *c.MaxAge, c.Algs)
	}
	fmt.Println(all[0].ResourceMetadata)
	// Output:
	// Bearer insufficient_user_authentication 5m0s []
	// DPoP insufficient_user_authentication 5m0s [ES256]
	// https://api.example/.well-known/oauth-protected-resource/orders
}

// A refresh may narrow a grant and not widen it.
func ExampleParseScopes() {
	granted := must(oauth.ParseScopes("openid orders:read orders:write"))
	asked := oauth.Scopes{"orders:read", "admin"}
	fmt.Println(granted.Has("openid"), granted.Has(asked...))
	fmt.Println("in excess:", asked.Without(granted))
	fmt.Println("left:", granted.Intersect(asked))
	fmt.Println("both:", granted.Union(asked))
	// Output:
	// true false
	// in excess: admin
	// left: orders:read
	// both: openid orders:read orders:write admin
}

// What a payment may be is for its type to say.
func ExampleCovered() {
	granted := must(oauth.ParseAuthorizationDetails(`[{"type":"account_information","actions":["list_accounts","read_balances"]}]`))
	requested := []oauth.AuthorizationDetail{{Type: "account_information", Actions: []string{"read_balances"}}}
	fmt.Println(oauth.Covered(requested, granted, nil))

	readOnly := func(requested, granted *oauth.AuthorizationDetail) bool {
		return oauth.CoveredByCommon(requested, granted) && requested.Privileges == nil
	}
	requested[0].Privileges = []string{"admin"}
	fmt.Println(oauth.Covered(requested, granted, readOnly))
	// Output:
	// true
	// false
}

// A token is for the resources that its request names.
func ExampleParseResources() {
	form := url.Values{"resource": {"https://api.example/orders", "https://api.example/stock"}}
	fmt.Println(oauth.ParseResources(form["resource"]))
	fmt.Println(oauth.ValidateResource("https://api.example/#orders"))
	// Output:
	// [https://api.example/orders https://api.example/stock] <nil>
	// oauth: invalid_target: a resource has a fragment
}

// Metadata is used by whom it was asked for.
func ExampleServerMetadata() {
	for _, u := range must(oauth.MetadataURLs("https://as.example/tenant")) {
		fmt.Println(u)
	}
	var m oauth.ServerMetadata
	if err := json.Unmarshal([]byte(`{"issuer":"https://as.example/tenant","token_endpoint":"http://as.example/token"}`), &m); err != nil {
		log.Fatal(err)
	}
	err := m.Validate("https://as.example/tenant")
	fmt.Println(err, errors.Is(err, oauth.ErrMetadata))
	fmt.Println(oauth.CheckIssuer(m.Issuer, "https://as.example/tenant/"))
	// Output:
	// https://as.example/tenant/.well-known/openid-configuration
	// https://as.example/.well-known/oauth-authorization-server/tenant
	// https://as.example/.well-known/openid-configuration/tenant
	// the metadata is malformed: token_endpoint is not https true
	// the metadata is not that of the issuer: it is of "https://as.example/tenant": only one of the two has a final slash
}

// An API says which authorization servers it trusts.
func ExampleResourceMetadata() {
	b := must(json.Marshal(oauth.ResourceMetadata{
		Resource: "https://api.example/orders", AuthorizationServers: []string{"https://as.example"}, DPoPBoundAccessTokens: true,
	}))
	fmt.Println(string(b))
	var m oauth.ResourceMetadata
	if err := json.Unmarshal(b, &m); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Validate("https://api.example/orders"))
	// Output:
	// {"resource":"https://api.example/orders","authorization_servers":["https://as.example"],"dpop_bound_access_tokens_required":true}
	// <nil>
}
