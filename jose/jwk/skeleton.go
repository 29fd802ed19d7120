// Package jwk: see doc.go.
package jwk

import (
	"context"
	"crypto"
	"encoding/json"
	"io"

	"github.com/jotsuite/jot/jose/jwa"
)

type JWK struct{ w *wire }
type wire struct{}

func (j JWK) KeyType() string                                           { panic("skeleton") }
func (j JWK) Use() string                                               { panic("skeleton") }
func (j JWK) KeyOps() []string                                          { panic("skeleton") }
func (j JWK) Algorithm() string                                         { panic("skeleton") }
func (j JWK) KeyID() string                                             { panic("skeleton") }
func (j JWK) Curve() string                                             { panic("skeleton") }
func (j JWK) X5C() [][]byte                                             { panic("skeleton") }
func (j JWK) X5TS256() string                                           { panic("skeleton") }
func (j JWK) Member(name string) (json.RawMessage, bool)                { panic("skeleton") }
func (j JWK) IsPrivate() bool                                           { panic("skeleton") }
func (j JWK) Public() JWK                                               { panic("skeleton") }
func (j JWK) Thumbprint(h crypto.Hash) (string, error)                  { panic("skeleton") }
func (j JWK) ThumbprintURI(h crypto.Hash) (string, error)               { panic("skeleton") }
func (j JWK) WithKeyID(kid string) JWK                                  { panic("skeleton") }
func (j JWK) With(name string, value any) (JWK, error)                  { panic("skeleton") }
func (j JWK) MarshalJSON() ([]byte, error)                              { panic("skeleton") }
func (j JWK) MarshalPrivateJSON() ([]byte, error)                       { panic("skeleton") }
func (j *JWK) UnmarshalJSON(data []byte) error                          { panic("skeleton") }
func (j JWK) MarshalDER() ([]byte, error)                               { panic("skeleton") }
func (j JWK) MarshalPEM() ([]byte, error)                               { panic("skeleton") }
func (j JWK) MarshalPrivateDER() ([]byte, error)                        { panic("skeleton") }
func (j JWK) MarshalPrivatePEM() ([]byte, error)                        { panic("skeleton") }
func (j JWK) String() string                                            { panic("skeleton") }
func (j JWK) PublicKey(b Binding) (*PublicKey, error)                   { panic("skeleton") }
func (j JWK) PrivateKey(b Binding) (*PrivateKey, error)                 { panic("skeleton") }
func (j JWK) SecretKey(b Binding) (*SecretKey, error)                   { panic("skeleton") }
func Parse(data []byte) (JWK, error)                                    { panic("skeleton") }
func ParsePEM(data []byte) (JWK, error)                                 { panic("skeleton") }
func ParseDER(der []byte) (JWK, error)                                  { panic("skeleton") }
func FromKey(key any) (JWK, error)                                      { panic("skeleton") }
func ParseJWKs(data []byte) ([]JWK, []Skipped, error)                   { panic("skeleton") }
func ParseSet(data []byte, b Binding) (Set, []Skipped, error)           { panic("skeleton") }
func Generate(alg jwa.Algorithm, ext ...Extension) (*PrivateKey, error) { panic("skeleton") }
func GenerateSecret(alg jwa.Algorithm) (*SecretKey, error)              { panic("skeleton") }

type Binding struct {
	Algorithms []jwa.Algorithm
	Extensions []Extension
}
type Extension struct {
	Algorithm      jwa.Algorithm
	KeyType, Curve string
	Thumbprint     []string
	Verify         func(JWK) (func(message, signature []byte) bool, error)
	Sign           func(JWK) (func(ctx context.Context, message []byte) ([]byte, error), error)
	Generate       func() ([]byte, error)
}

type Key interface {
	Algorithm() jwa.Algorithm
	KeyID() string
	JWK() JWK
	key()
}
type Verifier interface {
	Key
	Verify(message, signature []byte) error
	VerifyReader(message io.Reader, signature []byte) error
}
type Signer interface {
	Algorithm() jwa.Algorithm
	KeyID() string
	JWK() JWK
	Sign(ctx context.Context, message []byte) ([]byte, error)
	AppendSign(ctx context.Context, dst, message []byte) ([]byte, error)
	SignReader(ctx context.Context, message io.Reader) ([]byte, error)
	signer()
}
type PublicKey struct{}
type PrivateKey struct{}
type SecretKey struct{}

func (k *PublicKey) Algorithm() jwa.Algorithm                                 { panic("skeleton") }
func (k *PublicKey) KeyID() string                                            { panic("skeleton") }
func (k *PublicKey) JWK() JWK                                                 { panic("skeleton") }
func (k *PublicKey) key()                                                     {}
func (k *PublicKey) CryptoKey() crypto.PublicKey                              { panic("skeleton") }
func (k *PublicKey) Verify(message, signature []byte) error                   { panic("skeleton") }
func (k *PublicKey) VerifyReader(message io.Reader, signature []byte) error   { panic("skeleton") }
func (k *SecretKey) Algorithm() jwa.Algorithm                                 { panic("skeleton") }
func (k *SecretKey) KeyID() string                                            { panic("skeleton") }
func (k *SecretKey) JWK() JWK                                                 { panic("skeleton") }
func (k *SecretKey) PrivateJWK() (JWK, error)                                 { panic("skeleton") }
func (k *SecretKey) key()                                                     {}
func (k *SecretKey) signer()                                                  {}
func (k *SecretKey) Verify(message, signature []byte) error                   { panic("skeleton") }
func (k *SecretKey) VerifyReader(message io.Reader, signature []byte) error   { panic("skeleton") }
func (k *SecretKey) Sign(ctx context.Context, message []byte) ([]byte, error) { panic("skeleton") }
func (k *SecretKey) AppendSign(ctx context.Context, dst, message []byte) ([]byte, error) {
	panic("skeleton")
}
func (k *SecretKey) SignReader(ctx context.Context, message io.Reader) ([]byte, error) {
	panic("skeleton")
}
func (k *PrivateKey) Algorithm() jwa.Algorithm                                 { panic("skeleton") }
func (k *PrivateKey) KeyID() string                                            { panic("skeleton") }
func (k *PrivateKey) JWK() JWK                                                 { panic("skeleton") }
func (k *PrivateKey) PrivateJWK() (JWK, error)                                 { panic("skeleton") }
func (k *PrivateKey) Public() *PublicKey                                       { panic("skeleton") }
func (k *PrivateKey) signer()                                                  {}
func (k *PrivateKey) Sign(ctx context.Context, message []byte) ([]byte, error) { panic("skeleton") }
func (k *PrivateKey) AppendSign(ctx context.Context, dst, message []byte) ([]byte, error) {
	panic("skeleton")
}
func (k *PrivateKey) SignReader(ctx context.Context, message io.Reader) ([]byte, error) {
	panic("skeleton")
}
func NewPrivateKey(alg jwa.Algorithm, kid string, s crypto.Signer) (*PrivateKey, error) {
	panic("skeleton")
}
func NewPublicKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey) (*PublicKey, error) {
	panic("skeleton")
}
func NewSecretKey(alg jwa.Algorithm, kid string, secret []byte) (*SecretKey, error) {
	panic("skeleton")
}
func NewSecretKeyShorterThanHash(alg jwa.Algorithm, kid string, secret []byte) (*SecretKey, error) {
	panic("skeleton")
}
func NewRemoteKey(alg jwa.Algorithm, kid string, pub crypto.PublicKey, sign func(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)) (*PrivateKey, error) {
	panic("skeleton")
}

type Set []Key
type Source interface {
	Keys(ctx context.Context, q Query) ([]Verifier, error)
}
type Query struct{ Algorithm, KeyID, X5TS256, Selector string }

func (s Set) Keys(ctx context.Context, q Query) ([]Verifier, error) { panic("skeleton") }
func (s Set) MarshalJSON() ([]byte, error)                          { panic("skeleton") }

type Skipped struct {
	Index int
	KeyID string
	Err   error
}

var ErrSignature, ErrInvalid, ErrWeak, ErrUse, ErrUnsupported, ErrPrivate, ErrLimit, ErrFIPS, ErrNoKey, ErrAmbiguous, ErrAlgorithm error
