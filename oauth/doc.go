// Package oauth has the words that the parties of OAuth 2.0 share: errors and challenges, scopes, PKCE, metadata,
// resources, authorization details, and what comes back from the authorization endpoint. It speaks to nobody: the
// packages client and guard, and an authorization server, do that with these words.
//
// A program that sends its users to an authorization server needs three of them, and gets its tokens with package
// client:
//
//	verifier := oauth.NewCodeVerifier()                     // kept for this request, with a state and a nonce
//	challenge := oauth.S256Challenge(verifier)              // sent with it, with code_challenge_method=S256
//	code, err := oauth.ParseCallback(r.URL.Query(), oauth.ExpectCallback{State: state, Issuer: "https://as.example"})
//
// What a party may be told is an [*Error]: its code, description and page are public, its cause is not, and neither
// printed nor sent. The readers here return one that can be sent as it is, with the code that the specification
// has for what they refuse. Metadata is refused with errors that have a stable code of this library instead:
//
//	issuer.mismatch     the metadata, or the response, is that of another issuer
//	metadata.malformed  a member that is required is missing, or not a URL that may be used
package oauth
