package jwt

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jws"
)

var (
	errType     = fault.New("typ.mismatch", "RFC 8725, Section 3.11", "the token is of another type")
	errClaims   = fault.New("claim.type", "RFC 7519, Section 7.2", "the claims cannot be read")
	errMissing  = fault.New("claim.missing", "RFC 7519, Section 4", "a claim is missing")
	errIssuer   = fault.New("iss.mismatch", "RFC 8725, Section 3.8", "the issuer is not accepted")
	errAudience = fault.New("aud.mismatch", "RFC 7519, Section 4.1.3", "the audience is not accepted")
	errExpired  = fault.New("exp.expired", "RFC 7519, Section 4.1.4", "the token has expired")
	// No specification caps a lifetime for every token; RFC 7523 lets a server refuse an exp that is unreasonably far away.
	errLifetime = fault.New("exp.lifetime", "RFC 7523, Section 3", "the token lives too long")
	errEarly    = fault.New("nbf.early", "RFC 7519, Section 4.1.5", "the token is not valid yet")
	errIssuedAt = fault.New("iat.future", "RFC 7519, Section 4.1.6", "the time of issue is not accepted")
	errReplay   = fault.New("jti.replayed", "RFC 7519, Section 4.1.7", "the token was used before")
	errPolicy   = fault.New("policy.invalid", "RFC 8725, Section 3", "the policy is invalid")
	errCollide  = fault.New("claim.collision", "RFC 7519, Section 4", "a claim of your own has the name of a registered one")

	// RFC 7516, Section 9, tells the two forms apart.
	errEncrypted = compact.ErrMalformed.Wrap(fault.New("token.encrypted", "RFC 7516, Section 9", "it is encrypted, and the policy has no Decryption"))
	errSigned    = compact.ErrMalformed.Wrap(fault.New("token.signed", "RFC 7516, Section 9", "it is signed and not encrypted, and the policy has Decryption"))
	errDepth     = compact.ErrTooLarge.Wrap(fault.New("token.depth", "RFC 7519, Section 7.2", "more tokens are one in another than MaxNesting allows"))
	errUnsigned  = compact.ErrMalformed.With("what is encrypted in it is not a signed token")
	errCty       = errType.Wrap(fault.New("cty.mismatch", "RFC 7519, Section 5.2", "an encrypted token must have the cty JWT and a signed token in it; whoever encrypts it has to set that"))
	errReplica   = errClaims.Wrap(fault.New("claim.replicated", "RFC 7519, Section 5.3", "a claim in the header of the encrypted token is not the one that is signed"))

	errIssMissing = errIssuer.Wrap(fault.New("iss.missing", "RFC 8725, Section 3.8", "iss is missing"))
	errAudMissing = errAudience.Wrap(fault.New("aud.missing", "RFC 8725, Section 3.9", "aud is missing"))
	errExpMissing = errMissing.Wrap(fault.New("exp.missing", "RFC 7519, Section 4.1.4", "exp is missing"))
	errIatMissing = errIssuedAt.Wrap(fault.New("iat.missing", "RFC 7519, Section 4.1.6", "iat is missing"))
	errTooOld     = errIssuedAt.Wrap(fault.New("iat.too_old", "RFC 7519, Section 4.1.6", "the token is too old"))
	errOrder      = errClaims.Wrap(fault.New("nbf.order", "RFC 7519, Section 4.1.5", "nbf is after exp"))
	errJtiMissing = errReplay.Wrap(fault.New("jti.missing", "RFC 7519, Section 4.1.7", "jti is missing"))
	errReplayFull = errReplay.Wrap(fault.New("jti.full", "RFC 7519, Section 4.1.7", "the replay cache is full"))
	errB64        = jws.ErrHeader.(*fault.Error).Wrap(fault.New("b64.invalid", "RFC 7797, Section 7", "a JWT may not have an unencoded payload"))
)

// ofClaims are the refusals of a claim, by which one that a caller makes is known.
var ofClaims = []*fault.Error{
	errIssMissing, errIssuer, errAudMissing, errAudience, errExpMissing, errExpired, errLifetime, errEarly, errOrder,
	errIatMissing, errIssuedAt, errTooOld, errJtiMissing, errReplay, errMissing, errClaims,
}

// The refusals, for [errors.Is]. Each stands for the family of codes that is named
// beside it; the code itself is in [ClaimError] and [RejectError.Codes].
var (
	ErrMalformed = jws.ErrMalformed // token.malformed, token.encoding, token.encrypted, token.signed
	ErrTooLarge  = jws.ErrTooLarge  // token.too_large, token.depth
	ErrHeader    = jws.ErrHeader    // header.invalid, b64.invalid, json.* in the header
	ErrCritical  = jws.ErrCritical  // crit.invalid, crit.unknown
	ErrAlgorithm = jws.ErrAlgorithm // alg.missing, alg.none, alg.unknown, alg.not_allowed, alg.mismatch, and the same of enc
	ErrNoKey     = jws.ErrNoKey     // key.none, key.ambiguous and the other codes of keys
	ErrSignature = jws.ErrSignature // sig.invalid
	ErrDecrypt   = jwe.ErrDecrypt   // dec.failed; nothing more is said

	ErrType        error = errType     // typ.mismatch, cty.mismatch
	ErrClaims      error = errClaims   // claim.type, claim.replicated, nbf.order, json.* in the claims
	ErrMissing     error = errMissing  // every code that ends in .missing, save alg.missing
	ErrIssuer      error = errIssuer   // iss.missing, iss.mismatch
	ErrAudience    error = errAudience // aud.missing, aud.mismatch
	ErrExpired     error = errExpired  // exp.expired
	ErrLifetime    error = errLifetime // exp.lifetime
	ErrNotYetValid error = errEarly    // nbf.early
	ErrIssuedAt    error = errIssuedAt // iat.missing, iat.future, iat.too_old
	ErrReplay      error = errReplay   // jti.missing, jti.replayed, jti.full
	ErrPolicy      error = errPolicy   // policy.invalid, from NewVerifier
	ErrCollision   error = errCollide  // claim.collision, from NewVerifier and Sign
)

// RejectError is the refusal of a token, with every reason for it. Every token that
// is refused is refused with one; what is not the token's fault (a context that
// ended, a source of keys that failed) is returned as it is.
type RejectError struct{ errs []error }

func reject(errs ...error) *RejectError { return &RejectError{errs} }

// Refuse makes the refusal of a token for reasons that only its use shows, such as the request that it came with: at
// least one [*ClaimError], or another error with a code. What the claims alone show is for [Verifier.VerifyWith].
func Refuse(reasons ...error) *RejectError {
	errs := slices.Clone(reasons)
	for _, err := range errs {
		if c, ok := err.(*ClaimError); ok {
			adopt(nil, []*ClaimError{c})
		}
	}
	return &RejectError{errs}
}

// Error prints the code of each refusal, its claim, and what was wanted; nothing
// that the token holds.
func (e *RejectError) Error() string {
	var b strings.Builder
	b.WriteString("token refused")
	for i, err := range e.errs {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep)
		if _, ok := err.(*ClaimError); !ok {
			if code := fault.CodeOf(err); code != "" {
				b.WriteString(code + ": ")
			}
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns the refusals in the order of the checks, for [errors.Is] and [errors.As].
func (e *RejectError) Unwrap() []error { return slices.Clone(e.errs) }

// Codes returns the stable code of each refusal, in the order of the checks.
func (e *RejectError) Codes() []string {
	codes := make([]string, len(e.errs))
	for i, err := range e.errs {
		codes[i] = fault.CodeOf(err)
	}
	return codes
}

// Only reports whether every refusal has one of codes. It is the way to tolerate a
// failure: errors.Is answers whether a reason is among them, not whether it is alone.
func (e *RejectError) Only(codes ...string) bool {
	for _, c := range e.Codes() {
		if !slices.Contains(codes, c) {
			return false
		}
	}
	return len(e.errs) > 0
}

// ClaimError is one claim that does not meet the policy, or that cannot be read.
type ClaimError struct {
	Claim string // the member's name, at most 64 bytes
	Code  string // such as "exp.expired"
	Got   string // what the token holds, at most 64 bytes; empty if absent; never printed by Error
	Want  string // what the policy asks for
	Spec  string // the clause that is enforced
	Hint  string // what to look at, where there is more to say; tells something of Got, so Error does not print it

	cause error
}

func claimError(f *fault.Error, claim, got, want string) *ClaimError {
	return &ClaimError{Claim: bound(claim), Code: f.Code(), Got: bound(got), Want: want, Spec: f.Spec(), cause: f}
}

// Error prints the code, the claim, and what was wanted.
func (e *ClaimError) Error() string {
	name := e.Claim
	if strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsGraphic(r) || r == utf8.RuneError }) {
		name = strconv.QuoteToASCII(name)
	}
	s := e.Code + ": " + name
	if e.Want != "" {
		s += ": want " + e.Want
	}
	return s
}

// rule is what the claim and the policy are to each other, in a sentence without anything of the token.
func (e *ClaimError) rule() string {
	if e.Want == "" {
		return ""
	}
	return e.Claim + ": want " + e.Want
}

// Is reports whether target is [ErrMissing] and the claim is absent; the other
// sentinels match by Unwrap.
func (e *ClaimError) Is(target error) bool {
	return target == ErrMissing && strings.HasSuffix(e.Code, ".missing")
}

// Unwrap returns the sentinel's error of this claim.
func (e *ClaimError) Unwrap() error { return e.cause }

// maxGot bounds what an error keeps of a token, in bytes.
const maxGot = 64

// bound cuts s to maxGot bytes, at the border of a character; it copies, because s shares the payload's memory.
func bound(s string) string {
	const dots = "…"
	if len(s) <= maxGot {
		return strings.Clone(s)
	}
	n := maxGot - len(dots)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}
