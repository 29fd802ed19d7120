package jwt

import (
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jws"
)

// The refusals, for errors.Is.
var (
	ErrMalformed = jws.ErrMalformed
	ErrTooLarge  = jws.ErrTooLarge
	ErrHeader    = jws.ErrHeader
	ErrCritical  = jws.ErrCritical
	ErrAlgorithm = jws.ErrAlgorithm
	ErrNoKey     = jws.ErrNoKey
	ErrSignature = jws.ErrSignature

	ErrType        error = fault.New("typ.mismatch", "RFC 8725, Section 3.11", "the token is of another type")
	ErrClaims      error = fault.New("claim.type", "RFC 7519, Section 7.2", "the claims are invalid")
	ErrMissing     error = fault.New("claim.missing", "RFC 7519, Section 4", "a claim is missing")
	ErrIssuer      error = fault.New("iss.mismatch", "RFC 7519, Section 4.1.1", "the issuer is not accepted")
	ErrAudience    error = fault.New("aud.mismatch", "RFC 7519, Section 4.1.3", "the token is for another audience")
	ErrExpired     error = fault.New("exp.expired", "RFC 7519, Section 4.1.4", "the token has expired")
	ErrLifetime    error = fault.New("exp.lifetime", "RFC 7519, Section 4.1.4", "the token lives too long")
	ErrNotYetValid error = fault.New("nbf.early", "RFC 7519, Section 4.1.5", "the token is not valid yet")
	ErrIssuedAt    error = fault.New("iat.future", "RFC 7519, Section 4.1.6", "the time of issue is not accepted")
	ErrReplayed    error = fault.New("jti.replayed", "RFC 7519, Section 4.1.7", "the token was used before")
	ErrPolicy      error = fault.New("policy.invalid", "RFC 8725, Section 3", "the policy is invalid")
	ErrCollision   error = fault.New("claim.collision", "RFC 7519, Section 4", "a claim collides with a registered one")
)

// RejectError is a refusal of a token: every reason.
type RejectError struct{ errs []error }

// Error prints each reason.
func (e *RejectError) Error() string { panic("skeleton") }

// Unwrap returns the reasons.
func (e *RejectError) Unwrap() []error { return e.errs }

// Codes returns the code of each reason.
func (e *RejectError) Codes() []string { panic("skeleton") }

// Only reports whether each reason has one of codes.
func (e *RejectError) Only(codes ...string) bool { panic("skeleton") }

// ClaimError is one claim that is refused.
type ClaimError struct{ Claim, Code, Got, Want, Spec string }

// Error prints the code, the claim and what was wanted.
func (e *ClaimError) Error() string { panic("skeleton") }
