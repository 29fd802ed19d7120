// Package jwt makes and verifies JSON Web Tokens (RFC 7519) as the best current
// practice asks (RFC 8725).
//
// [Sign] makes a token. [NewVerifier] makes a [Verifier] from keys and a [Policy];
// [Verifier.Verify] takes a string and returns a [Token], and holding one is the
// proof that signature and policy were satisfied:
//
//	raw, err := jwt.Sign(ctx, key, jwt.Header{}, jwt.Registered{Issuer: …, Audience: …, Expiry: …}, Order{…})
//	v, err := jwt.NewVerifier[Order](jwk.Set{key.Public()}, jwt.Policy{Issuers: …, Audiences: …})
//	t, err := v.Verify(ctx, raw)
//
// The type of the claims is a struct, whose fields name their members with json
// tags and leave the registered claims to [Registered], or a map of string to any
// or to [encoding/json.RawMessage], which gets every claim that is not registered.
//
// The order of the checks never changes: size and alphabet, the three parts, the
// header, crit, typ, the choice of the key, the signature over the bytes as they
// were received, the claims, the policy. Nothing of the payload is decoded before
// the signature has verified; [Policy.Selector] is the one exception.
//
// [SignEncrypted] makes a token that only its recipient can read: signed, then
// encrypted. With [Policy.Decryption] a Verifier reads such tokens, and no others: the
// layers of encryption come off first, each after its own header was judged, and the
// signed token inside is held to all that is said above. That a token could be decrypted
// proves nothing of its sender.
//
// A refused token is a [*RejectError] that lists every refusal. To tolerate one
// kind of refusal, ask [RejectError.Only]: a token that is expired and for another
// audience is not "only expired".
//
// # Limits
//
// A token has at most 64 KiB ([Policy.MaxSize]), 32 levels ([Policy.MaxDepth]) and
// 4,000 members and elements ([Policy.MaxMembers]) unless the policy says otherwise;
// a number has at most 64 characters. One encryption is around a signed token, and up to
// four with [Decryption.MaxNesting]; what was compressed counts at its full size.
//
// # Promises
//
// A Verifier is immutable, safe for concurrent use, and takes no lock. The codes of
// errors ("exp.expired") are stable; their sentences are not.
package jwt
