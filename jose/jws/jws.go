// Package jws signs and verifies bytes: the JSON Web Signature of RFC 7515 in its
// compact and JSON forms, with detached and unencoded payloads (RFC 7797).
package jws

import (
	"context"
	"encoding/json"
	"io"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

var (
	ErrMalformed error = compact.ErrMalformed
	ErrTooLarge  error = compact.ErrTooLarge
	ErrHeader    error = fault.New("header.invalid", "RFC 7515, Section 4", "the header is invalid")
	ErrCritical  error = fault.New("crit.invalid", "RFC 7515, Section 4.1.11", "crit is invalid")
	ErrAlgorithm error = fault.New("alg.not_allowed", "RFC 8725, Section 3.1", "the algorithm is refused")
	ErrNoKey     error = fault.New("key.none", "RFC 7515, Section 6", "no key fits the token")
	ErrSignature error = fault.New("sig.invalid", "RFC 7515, Section 5.2", "the signature does not verify")
)

// Header is a protected header.
type Header struct {
	Algorithm, KeyID, Type, ContentType string

	JWK       *jwk.JWK
	X5C       [][]byte
	X5T256    string
	JKU, X5U  string
	Critical  []string
	Unencoded bool
	Extra     map[string]json.RawMessage
}

// ParseHeader reads a protected header (JSON, not base64) strictly: crit, alg, none and duplicates are judged here.
func ParseHeader(raw []byte, critical []string) (Header, error) { panic("skeleton") }

// For completes h for signing with key: alg and kid are the key's.
func (h Header) For(key jwk.Signer) (Header, error) { panic("skeleton") }

// MarshalJSON encodes a header; one written by For has what its signature needs.
func (h Header) MarshalJSON() ([]byte, error) { panic("skeleton") }

// Verifiers asks keys for the keys that may have signed under h; algorithms narrows, selector goes into the query.
// A refusal is ErrAlgorithm or ErrNoKey; what keys itself fails with is returned as it is.
func (h Header) Verifiers(ctx context.Context, keys jwk.Source, algorithms []jwa.Algorithm, selector string) ([]jwk.Verifier, error) {
	panic("skeleton")
}

type Require int

const (
	All Require = iota
	Any
)

type Options struct {
	Algorithms                        []jwa.Algorithm
	Critical                          []string
	MaxSize, MaxHeader, MaxSignatures int
	Require                           Require
	MinSignatures                     int
	AllowUnprotectedHeader            bool
}

type Message struct {
	Payload    []byte
	Signatures []Signature
}

type Signature struct {
	Header, Unprotected Header
	Key                 jwk.Verifier
	Err                 error
}

type Signatory struct {
	Key                 jwk.Signer
	Header, Unprotected Header
}

func Sign(ctx context.Context, key jwk.Signer, h Header, payload []byte) (string, error) {
	panic("skeleton")
}

func Verify(ctx context.Context, keys jwk.Source, token string, o Options) (*Message, error) {
	panic("skeleton")
}

func SignJSON(ctx context.Context, payload []byte, signers ...Signatory) ([]byte, error) {
	panic("skeleton")
}

func VerifyJSON(ctx context.Context, keys jwk.Source, data []byte, o Options) (*Message, error) {
	panic("skeleton")
}

func SignDetached(ctx context.Context, key jwk.Signer, h Header, payload io.Reader) (string, error) {
	panic("skeleton")
}

func VerifyDetached(ctx context.Context, keys jwk.Source, token string, payload io.Reader, o Options) (*Message, error) {
	panic("skeleton")
}

func SignDetachedJSON(ctx context.Context, payload io.Reader, signers ...Signatory) ([]byte, error) {
	panic("skeleton")
}

func VerifyDetachedJSON(ctx context.Context, keys jwk.Source, data []byte, payload io.Reader, o Options) (*Message, error) {
	panic("skeleton")
}
