// Package guard protects an API with access tokens: it is middleware for net/http that lets a request through if its token is
// good, and else answers with the challenge that tells the client what to do.
//
//	g, err := guard.New(guard.Policy{Resource: "https://api.example", JWT: verifier})
//	mux.Handle("GET /orders", g.Handler(orders, guard.Need{Scopes: []string{"orders:read"}}))
//
// and in the handler
//
//	token := guard.FromContext(r.Context())
//
// Tokens are JWTs, verified by profile/accesstoken, or anything that the authorization server explains
// ([Introspector], RFC 7662 and 9701). They are bearer tokens (RFC 6750), or bound to a key by DPoP (RFC 9449) or to a client certificate
// (RFC 8705). A bound token is never taken from who has not the key, whatever scheme it comes by. They are taken from the
// Authorization header alone.
//
// # Behind a proxy
//
// What a request says of itself in headers, anyone can have written. So the URL that a DPoP proof names is configured
// (Policy.PublicURL), and a header with a client certificate counts only from the addresses of your proxies
// ([CertificateHeader]).
//
// # What is refused, and how
//
// Without a token: 401, and a challenge without an error. With one that is not good: 401 and invalid_token; with a proof that is not good
// invalid_dpop_proof or use_dpop_nonce. With one that is good and not enough: 403 and insufficient_scope, or 401 and
// insufficient_user_authentication (RFC 9470). With several tokens, or one in the URL: 400 and invalid_request. Where the token cannot be
// judged, since an issuer or a store does not answer: 503. The description has the stable codes of what was wrong, each with a sentence, and nothing that
// the token holds.
package guard
