// Package jws signs and verifies bytes: the JSON Web Signature of RFC 7515. Most
// people want [Sign] and [Verify], which make and read the compact form
// header.payload.signature; for claims there is package jwt, which builds on this
// one.
//
//	token, err := jws.Sign(ctx, key, jws.Header{}, payload)
//	m, err := jws.Verify(ctx, jwk.Set{key.Public()}, token, jws.Options{})
//
// [SignJSON] and [VerifyJSON] are the JSON forms, which can have several
// signatures. The functions with Detached in their name leave the payload out of
// the token and stream it (RFC 7515, Appendix F), unencoded where
// Header.Unencoded is set (RFC 7797).
//
// A token is at most 64 KiB and its header 16 KiB unless [Options] says
// otherwise. The order of checks is fixed: size and alphabet, header, crit, keys,
// signature, and only then is the payload decoded. The header's alg selects among
// keys that have that algorithm already; none is no algorithm; a key in the
// header is never trusted, and no URL in it is followed.
package jws

import (
	"context"
	"io"
	"strings"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// The refusals. Each error derived from one has a Code, such as crit.unknown, and
// the Spec that it enforces.
var (
	ErrMalformed error = errMalformed // not the form that is due
	ErrTooLarge  error = errTooLarge  // over a limit of Options
	ErrHeader    error = errHeader    // a rule of the header is broken
	ErrCritical  error = errCritical  // crit is malformed or lists what is not understood
	ErrAlgorithm error = errAlgorithm // alg is missing, none, unknown, not allowed or not the key's
	ErrNoKey     error = errNoKey     // no key fits, or more than four do
	ErrSignature error = errSignature // no key verifies the signature
)

var (
	errMalformed = compact.ErrMalformed
	errTooLarge  = compact.ErrTooLarge
	errHeader    = header.ErrInvalid
	errCritical  = header.ErrCritical
	errAlgorithm = header.ErrAlgorithm
	errNoKey     = header.ErrNoKey
	errSignature = fault.New("sig.invalid", "RFC 7515, Section 5.2", "the signature does not verify")

	errUnprotected = fault.New("header.unprotected", "RFC 7515, Section 10.7", "alg, kid, crit and b64 must be protected")
	errB64         = fault.New("b64.invalid", "RFC 7797, Section 6", "b64 is false and not in crit")
	errB64Type     = fault.New("b64.invalid", "RFC 7797, Section 3", "b64 is not true or false")
	errB64Mixed    = fault.New("b64.invalid", "RFC 7797, Section 3", "b64 differs between the signatures")
	errB64Payload  = fault.New("b64.invalid", "RFC 7797, Section 5.2", "the unencoded payload has a character that this form cannot carry")
	errNoSignature = fault.New("sig.none", "RFC 7515, Section 7.2.1", "there is no signature")
	errTooFew      = fault.New("sig.invalid", "RFC 7515, Section 5.2", "too few different keys have signed")
)

// Options is what a verifier accepts. The zero value accepts the algorithms of the
// keys it is given, understands no extension but b64, and has safe limits.
type Options struct {
	// Algorithms narrows what the keys allow. Empty does not narrow.
	Algorithms []jwa.Algorithm
	// Critical names the header extensions that the caller understands and will
	// process, such as "http://example.com/UNDEFINED".
	Critical []string

	MaxSize       int // longest token, or JSON document, in bytes; 0 is 64 KiB
	MaxHeader     int // longest encoded header in bytes; 0 is 16 KiB
	MaxSignatures int // most signatures in a JSON document; 0 is 10

	// Require says which of several signatures must verify. MinSignatures is the
	// least number of different keys that must have signed; 0 and 1 are the same.
	// Without it, who removes all signatures but one leaves a valid document.
	Require       Require
	MinSignatures int

	// AllowUnprotectedHeader takes alg and kid from the unprotected header where the
	// protected one lacks them, as RFC 7515 permits. Nothing protects them there.
	AllowUnprotectedHeader bool
}

// Require says which signatures must verify.
type Require int

// Every signature must verify, or one is enough; which did is in [Message].
const (
	All Require = iota
	Any
)

func (o Options) maxSize() int       { return orDefault(o.MaxSize, compact.MaxSize) }
func (o Options) maxHeader() int     { return orDefault(o.MaxHeader, 16<<10) }
func (o Options) maxSignatures() int { return orDefault(o.MaxSignatures, 10) }

func orDefault(v, def int) int {
	if v == 0 {
		return def
	}
	return v
}

// Message is a verified payload: what Options asked for has signed it.
type Message struct {
	Payload    []byte      // nil where it is detached
	Signatures []Signature // in the document's order; under [Any] some may have failed
}

// Signature says who signed. Key is nil, and Err the reason, where the signature
// did not verify; then its headers are no more than an assertion.
type Signature struct {
	Header      Header
	Unprotected Header // what the signature does not cover; zero in the compact form
	Key         jwk.Verifier
	Err         error
}

// Sign returns the compact form. Where h.Unencoded is set, the payload may have
// only the printable ASCII characters without the full stop (RFC 7797, Section
// 5.2); others need [SignDetached] or [SignJSON].
func Sign(ctx context.Context, key jwk.Signer, h Header, payload []byte) (string, error) {
	h, _, encoded, err := h.encode(key)
	if err != nil {
		return "", err
	}
	size := len(encoded) + 2 + b64url.EncodedLen(len(payload)) + b64url.EncodedLen(512)
	token := append(make([]byte, 0, size), encoded...)
	token = append(token, '.')
	if h.Unencoded {
		if !printable(alias.String(payload)) {
			return "", errMalformed.Wrap(errB64Payload)
		}
		token = append(token, payload...)
	} else {
		token = b64url.AppendEncode(token, payload)
	}
	signature, err := key.Sign(ctx, token)
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	return alias.String(b64url.AppendEncode(token, signature)), nil
}

// Verify reads the compact form with its payload inside; that may be empty. One
// whose payload is elsewhere is for [VerifyDetached].
func Verify(ctx context.Context, keys jwk.Source, token string, o Options) (*Message, error) {
	header, payload, signature, err := compact.Split(token, o.maxSize())
	unencoded := false
	if err != nil {
		// An unencoded payload may have characters that no other token may.
		if header, payload, signature, unencoded = splitUnencoded(token, o.maxSize()); !unencoded {
			return nil, err
		}
	}
	h, headerErr := ParseHeader(header, o)
	switch {
	case headerErr != nil:
		return nil, headerErr
	case unencoded && !h.Unencoded:
		return nil, err
	}
	e := entry{Signature: Signature{Header: h}, prefix: header}
	if err := e.prepare(ctx, keys, signature, o); err != nil {
		return nil, err
	}
	e.verify(alias.Bytes(token[:len(header)+1+len(payload)]))
	m, err := conclude([]entry{e}, o)
	if err != nil {
		return nil, err
	}
	if h.Unencoded {
		m.Payload = []byte(payload)
		return m, nil
	}
	if m.Payload, err = b64url.DecodeString(payload); err != nil {
		return nil, errMalformed.Wrap(err)
	}
	return m, nil
}

// splitUnencoded cuts a token whose payload may be any printable ASCII but the
// full stop.
func splitUnencoded(token string, max int) (header, payload, signature string, ok bool) {
	if len(token) > max {
		return "", "", "", false
	}
	first, rest, _ := strings.Cut(token, ".")
	second, third, _ := strings.Cut(rest, ".")
	ok = first != "" && third != "" && compact.Alphabet(first) && printable(second) && compact.Alphabet(third)
	return first, second, third, ok
}

// printable is the alphabet of RFC 7797, Section 5.2 for the compact form:
// %x20-2D and %x2F-7E.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '.' {
			return false
		}
	}
	return true
}

// SignDetached returns the compact form with its middle part empty, and signs what
// it reads from payload up to its end. Ed25519 and the algorithms of extensions
// need the whole of it in memory, encoded no more than 64 MiB; every other
// algorithm streams.
func SignDetached(ctx context.Context, key jwk.Signer, h Header, payload io.Reader) (string, error) {
	h, _, encoded, err := h.encode(key)
	if err != nil {
		return "", err
	}
	var signature []byte
	results, err := fanOut(ctx, payload, []func(io.Reader) error{func(r io.Reader) (err error) {
		signature, err = key.SignReader(ctx, signingInput(encoded, r, h.Unencoded))
		return err
	}})
	if err != nil {
		return "", err
	}
	if results[0] != nil {
		return "", results[0]
	}
	return encoded + ".." + b64url.EncodeToString(signature), nil
}

// VerifyDetached reads the compact form with an empty middle part and verifies it
// over what it reads from payload, up to its end. Nothing of the payload may be
// used before VerifyDetached has returned. An error of payload is returned as it
// came. Limits of Options concern the token alone.
func VerifyDetached(ctx context.Context, keys jwk.Source, token string, payload io.Reader, o Options) (*Message, error) {
	header, inside, signature, err := compact.Split(token, o.maxSize())
	if err != nil {
		return nil, err
	}
	// RFC 7515, Appendix F: the payload is in one place only.
	if inside != "" {
		return nil, errMalformed.With("its payload is not detached")
	}
	h, err := ParseHeader(header, o)
	if err != nil {
		return nil, err
	}
	entries := []entry{{Signature: Signature{Header: h}, prefix: header}}
	if err := entries[0].prepare(ctx, keys, signature, o); err != nil {
		return nil, err
	}
	if err := stream(ctx, entries, payload, h.Unencoded); err != nil {
		return nil, err
	}
	return conclude(entries, o)
}
