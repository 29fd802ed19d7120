// Package profile is the folder of the uses of JSON Web Tokens: one package for each kind. It
// has no code. Every package in it says the same five words, with the same meaning:
//
//   - Claims: the claims that the kind's specification names. The registered ones are in
//     jwt.Registered; what else a token has is reached with its Claim method.
//   - Policy: who may issue to whom. Its zero value is refused, and what weakens it is a word: names that begin with
//     Legacy or Lenient are for real senders that do not keep to the specification. Its field JWT is the
//     policy of package jwt for the rest: algorithms, clock, leeway, limits.
//   - Expect: the values of one request, where the kind is made for one. Its zero value is refused;
//     to do without one is a word as well, such as NoNonce.
//   - NewVerifier, and the Verify method of what it makes, which returns a *jwt.Token of Claims or a
//     *jwt.RejectError with every refusal: of the signature, of the policy, and of the kind.
//   - Sign, which writes the kind's typ and refuses what no verifier of it would take.
//
// Each verifier refuses the tokens of all other kinds, though they be signed with the same key, for the same audience:
// the substitution matrix, which the tests of this folder print, shows it.
package profile
