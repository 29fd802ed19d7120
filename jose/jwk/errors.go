package jwk

import "github.com/jotsuite/jot/internal/fault"

// The refusals of this package, for errors.Is. Each has a stable code.
var (
	// ErrInvalid: the key is malformed or contradicts itself (key.invalid).
	ErrInvalid error = errInvalid
	// ErrWeak: the key is well-formed but not secure (key.weak).
	ErrWeak error = errWeak
	// ErrUse: "use" or "key_ops" forbids what the key is wanted for (key.use).
	ErrUse error = errUse
	// ErrUnsupported: key type, curve or algorithm are not known here (key.unsupported).
	ErrUnsupported error = errUnsupported
	// ErrPrivate: private or secret where public is due, or the reverse (key.private).
	ErrPrivate error = errPrivate
	// ErrLimit: the key, the set or the message is too large (key.limit).
	ErrLimit error = errLimit
	// ErrFIPS: the FIPS 140-3 mode of the program forbids the key (key.fips).
	ErrFIPS error = errFIPS
	// ErrAlgorithm: the key and the algorithm do not fit each other (alg.mismatch).
	ErrAlgorithm error = errAlgorithm
	// ErrNoKey: no key of the set fits the query (key.none).
	ErrNoKey error = errNoKey
	// ErrAmbiguous: more keys fit the query than may be tried (key.ambiguous).
	ErrAmbiguous error = errAmbiguous
	// ErrSignature: the signature does not verify, or a signer made none that would
	// (sig.invalid).
	ErrSignature error = errSignature
	// ErrWrapping: what a JWE says about its content encryption key is malformed, or not
	// for this key (header.invalid).
	ErrWrapping error = errWrapping
	// ErrDecrypt: the key does not decrypt it. Nothing more is said (dec.failed).
	ErrDecrypt error = errDecrypt
)

var (
	errInvalid     = fault.New("key.invalid", "RFC 7517, Section 4", "the key is not valid")
	errWeak        = fault.New("key.weak", "RFC 8725, Section 3.5", "the key is too weak")
	errUse         = fault.New("key.use", "RFC 7517, Section 4.2", "the key is for another use")
	errUnsupported = fault.New("key.unsupported", "RFC 7517, Section 5", "the key is of an unknown kind")
	errPrivate     = fault.New("key.private", "RFC 7517, Section 9.2", "private and public keys are confused")
	errLimit       = fault.New("key.limit", "RFC 8725, Section 3.15", "a limit is exceeded")
	errFIPS        = fault.New("key.fips", "FIPS 140-3", "FIPS mode forbids the key")
	errAlgorithm   = fault.New("alg.mismatch", "RFC 8725, Section 3.1", "the key is for another algorithm")
	errNoKey       = fault.New("key.none", "RFC 7515, Section 5.2", "no key fits")
	errAmbiguous   = fault.New("key.ambiguous", "RFC 7517, Section 4.5", "too many keys fit")
	errSignature   = fault.New("sig.invalid", "RFC 7515, Section 5.2", "the signature is not valid")
	errWrapping    = fault.New("header.invalid", "RFC 7518, Section 4", "the header does not fit its key")
	errDecrypt     = fault.New("dec.failed", "RFC 7516, Section 5.2", "it cannot be decrypted")
)
