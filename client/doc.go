// Package client gets access tokens, for programs that call APIs: with the client credentials grant (RFC 6749, Section
// 4.4), with a JWT of a trusted issuer (RFC 7523), in exchange for another token (RFC 8693), or with a refresh token. A
// [Source] keeps the token until shortly before it expires, and a transport of it puts the token on requests:
//
//	as, err := client.Discover(ctx, "https://as.example", client.DiscoverOptions{})
//	src, err := client.New(client.Config{Server: as, Auth: client.Assertion("s6BhdRkqt3", key)}, client.ClientCredentials())
//	rt, err := src.Transport(nil, "https://api.example")
//	resp, err := (&http.Client{Transport: rt}).Get("https://api.example/orders")
//
// The client authenticates in one of the ways of [Authentication]. With Config.DPoP its tokens are bound to a key
// (RFC 9449), and a server that gives it unbound ones is refused. A token source of golang.org/x/oauth2 is five lines
// around a Source; docs/getting-tokens.md has them.
//
// # What is promised
//
// One token request is in flight at a time, however many goroutines ask. It goes on when the caller that began it
// leaves, since a refresh token that was used and whose answer was lost is gone, and no caller waits longer than its own
// context. From a fifth of its life before its expiry on, a token is renewed while callers go on to get the old one.
//
// A token request is sent once. It is sent a second time, with a new proof and a new assertion, only where the server says
// that it has done nothing but ask for a nonce (use_dpop_nonce) or a challenge (use_attestation_challenge). No other request is
// ever repeated, and no redirect of the token endpoint is followed.
//
// The audience of what the client signs is the issuer identifier that it is configured with. It is never one that a server, or its
// metadata, told it: a server could have named another one there, and play what it gets back to that (RFC 9700,
// Section 4.4; the audience injection of 2025).
//
// # Errors
//
// What the server answers with is an *[oauth.Error]: one with an empty Code is a failure without an error of OAuth in it, such as
// a page with status 502. Two errors of this package have a stable code:
//
//	token.response   the answer is no token response, or not one that this client may use
//	client.config    the configuration is incomplete or contradicts itself
//
// Neither errors nor what a Source, Token or Config prints as has a secret in it.
package client
