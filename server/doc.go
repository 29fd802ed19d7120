// Package server is an OAuth 2.0 authorization server as an http.Handler: it issues, exchanges, introspects and revokes access
// tokens. `jot serve` is this handler with a configuration, a database and a listener; here it is for programs that have those
// already:
//
//	s, err := server.New(ctx, server.Options{
//		Issuer: "https://as.example", Store: store, Secrets: [][]byte{secret},
//		Resources: []server.Resource{{Identifier: "https://api.example", Scopes: oauth.Scopes{"orders:read"}}},
//	})
//	c, err := s.SaveClient(ctx, server.Client{ID: "shop", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "orders:read"}})
//	go s.Run(ctx)
//	http.ListenAndServe(":8080", s)
//
// and c.Secret is the secret of the client, which nobody can ask for again.
//
// # What it serves
//
// Below the path of the issuer: /token with client credentials, JWTs of trusted issuers (RFC 7523), token exchange (RFC 8693) and refresh
// tokens; /introspect (RFC 7662, RFC 9701); /revoke (RFC 7009); /register (RFC 7591, RFC 7592) with Options.Registration; /jwks; /challenge where client attestations are taken; /healthz
// and /readyz; and the metadata at the well-known paths of RFC 8414 and OpenID Connect Discovery. The handler sees requests with the
// paths of their public URLs: http.StripPrefix is not for it.
//
// Tokens are JWTs by RFC 9068, which are not stored, or opaque where a [Resource] or a [Client] wants so. They are bound to the key of a DPoP
// proof (RFC 9449) where the request has one, and to the client's certificate (RFC 8705) where the client has registered that.
//
// # What is administered
//
// A [Client] and a [TrustedIssuer] are documents in the store, which requests find in the memory of the process. When one process has
// changed them, the others know within Lifetimes.Reload; where the store does not answer, what is in memory serves for a minute.
// All else is Options, and the same in all processes of an issuer.
//
// # What is promised
//
// Each client has one method of authentication, and each request uses one (RFC 6749, Section 2.3). A client that does not exist and one whose secret is wrong get the same answer. Nothing is granted that was not configured: no
// scope, resource or type of authorization details. What is used once (assertions, proofs, refresh tokens) is decided by one statement of
// the store, however many processes there are. A refresh token that comes again ends its family, unless it comes from the same
// client with the same key so soon that its answer must have been lost: then the answer has the same successor.
//
// Bodies have at most 1 MiB and 256 parameters; none may be there twice but resource and audience, and none in the URL. How long a client may take to send is for the http.Server:
// set its ReadHeaderTimeout and ReadTimeout.
//
// # Errors
//
// Clients are answered with *oauth.Error, with the code that its specification has; the cause goes to Options.Observe. Programs meet
//
//	server.options    the options are incomplete or contradict each other
//	server.document   a client or a trusted issuer is not one that the server can use
//
// and the errors of package store.
package server
