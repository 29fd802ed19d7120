package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"

	"github.com/jotsuite/jot/internal/b64url"
)

// The methods of PKCE, as code_challenge_method names them (RFC 7636, Section 4.2).
const (
	S256  = "S256"
	Plain = "plain" // a verifier that every reader of the request knows
)

// PKCEOption waives a rule of PKCE by name.
type PKCEOption int

// AllowPlain takes the method plain, and with it a challenge without a method, for clients that cannot hash. It protects
// from those who read the response but not from those who read the request (RFC 9700, Section 2.1.1).
const AllowPlain PKCEOption = 1

// NewCodeVerifier returns a new code_verifier: 43 characters that hold 256 random bits (RFC 7636, Section 4.1). It is a
// secret of one authorization request.
func NewCodeVerifier() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // which never fails
	return b64url.EncodeToString(b[:])
}

// S256Challenge returns the code_challenge of a verifier (RFC 7636, Section 4.2).
func S256Challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return b64url.EncodeToString(sum[:])
}

// ValidateChallenge holds the code_challenge and code_challenge_method of an authorization request to their syntax. The
// error is an *Error with [InvalidRequest] (RFC 7636, Section 4.4.1), for a request without a challenge too.
func ValidateChallenge(challenge, method string, options ...PKCEOption) error {
	if method == "" {
		method = Plain // RFC 7636, Section 4.3
	}
	switch {
	case challenge == "":
		return refuse(InvalidRequest, "code_challenge is missing")
	case method == S256:
		// The text of 32 bytes, which is canonical: no other is the challenge of anything.
		if b, _ := b64url.DecodeString(challenge); len(b) != sha256.Size {
			return refuse(InvalidRequest, "code_challenge is not that of a SHA-256 hash")
		}
	case method != Plain || !slices.Contains(options, AllowPlain):
		return refuse(InvalidRequest, "code_challenge_method has to be S256")
	case !validVerifier(challenge):
		return refuse(InvalidRequest, "code_challenge is malformed")
	}
	return nil
}

// CheckVerifier holds the code_verifier of a token request to the challenge and the method of the authorization request, in a
// time that does not depend on what differs. The error is an *Error with [InvalidGrant] (RFC 7636, Section 4.6); a
// challenge without a verifier, and a verifier without a challenge, are errors too (RFC 9700, Section 4.8.2).
func CheckVerifier(challenge, method, verifier string, options ...PKCEOption) error {
	switch {
	case challenge == "" && verifier != "":
		return refuse(InvalidGrant, "the authorization request had no code_challenge")
	case verifier == "":
		return refuse(InvalidGrant, "code_verifier is missing")
	case !validVerifier(verifier):
		return refuse(InvalidGrant, "code_verifier is malformed")
	}
	if err := ValidateChallenge(challenge, method, options...); err != nil {
		return &Error{Code: InvalidGrant, Description: "the code_challenge cannot be used", Cause: err}
	}
	if method == S256 {
		verifier = S256Challenge(verifier)
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) != 1 {
		return refuse(InvalidGrant, "code_verifier is not that of the authorization request")
	}
	return nil
}

// validVerifier is the syntax of RFC 7636, Section 4.1: 43 to 128 unreserved characters.
func validVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}
