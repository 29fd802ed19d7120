// Package keyset finds the keys of an issuer: over HTTP, in certificates, in files,
// and in the store of a program that is an issuer itself.
//
// Most programs verify the tokens of one issuer, and need its identifier alone:
//
//	keys, err := keyset.NewIssuer("https://as.example", keyset.Options{})
//	v, err := jwt.NewVerifier[Order](keys, jwt.Policy{Issuers: []string{"https://as.example"}, …})
//
// [NewIssuer] finds the issuer's metadata (OpenID Connect Discovery 1.0, RFC 8414) and
// its JWK set; [NewRemote] is for a set whose URL is known. Both fetch when the first
// token comes, keep what they have in memory, and refresh it ahead of its expiry while
// tokens are verified: with a key that was fetched already, no token waits. They have
// no goroutine but that of a fetch in flight.
//
// [Trust] has the issuers of a program that accepts many. [Certificates] is for signers
// whose keys come with their tokens, in certificates. [Dir] has keys in files. [Rotation]
// is for the issuer itself: it makes, publishes, changes and deletes the keys.
//
// # What is promised of fetched keys
//
// One fetch is in flight at a time; it goes on when the caller that began it leaves,
// and no caller waits longer than its own context. A token with an unknown kid has the
// set fetched again, at most once in [Options.MinInterval], so that random kids are no
// flood against the issuer. A key that the issuer has removed is refused once the set
// has been fetched again, which is at most [Options.MaxAge] later while the issuer can
// be reached. When it cannot, the last good set serves until [Options.MaxStale] after
// its expiry; [State] and [Event] show it. Attempts that fail are repeated ever less
// often, at times that are not the same for all instances.
//
// A key that cannot be used is left out and reported, and the others work. Secret and
// private keys in a published set are left out too: whoever can fetch them can sign.
// Certificates in a fetched set must be those of their keys, and no path is checked:
// who trusts the set trusts the key.
//
// # Which addresses are fetched
//
// A URL from code or configuration may point anywhere, over https, or over http to
// this machine. A jwks_uri on another host than the issuer's comes from a document, so
// only public addresses are dialled for it, unless [Options.AllowNetworks] or
// [Options.AllowHosts] say more. Redirects are not followed unless asked for. Answers
// have at most 1 MiB.
//
// # Errors
//
// The codes are stable. A source that could not look fails with one of
//
//	keys.unreachable   there are no keys, and they cannot be had now
//	keys.stale         the keys are too old to be used, and no others can be had now
//	keys.refused_url   a URL or the address behind it may not be fetched
//	issuer.mismatch    the metadata is that of another issuer
//	keys.options       the options contradict each other
//	keys.file          the file of [Options.File] cannot be used, in an [Event] alone
//
//	keys.state         the store of a [Rotation] holds something else
//	keys.conflict      other processes kept changing the store
//	keys.exposed       others have access to private keys in files
//
// which a verifier returns as they are. A token is refused with
//
//	key.none, key.ambiguous, alg.mismatch   as by a [jwk.Set]
//	issuer.untrusted                        its issuer is not in the [Trust]
//	cert.untrusted, cert.expired            no path leads from its certificate to a root, or none at this time
//	cert.name, cert.usage                   the certificate is another's, or not for signatures
//	cert.mismatch                           it is not that of "x5t#S256"
//	cert.missing, cert.malformed, cert.limit
package keyset
