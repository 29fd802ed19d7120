// Package jot is the root of one stack for JSON Web Tokens; it holds no code.
//
// Start with [github.com/jotsuite/jot/jose/jwt]: one call from a string to typed
// claims. Keys come from [github.com/jotsuite/jot/jose/jwk], the names of the
// algorithms from [github.com/jotsuite/jot/jose/jwa]; [github.com/jotsuite/jot/jose/jws]
// signs bytes that are not claims. The command is github.com/jotsuite/jot/cmd/jot,
// a module of its own, so that nothing it needs reaches a user of the library.
package jot
