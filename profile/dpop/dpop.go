// Package dpop makes and verifies DPoP proofs, by which the sender of a request shows that it has the key that an access token is
// bound to (RFC 9449).
//
// A server, be it a resource or an authorization server, makes one [Verifier] and gives it the proof of each request, with
// what it knows of that request:
//
//	v, err := dpop.NewVerifier(dpop.Policy{Replay: jwt.NewReplayCache(1e6)})
//	proof, err := dpop.FromHeader(r.Header)
//	t, err := v.Verify(ctx, proof, dpop.Expect{Method: r.Method, URL: url, AccessToken: token, Thumbprint: cnf.Thumbprint})
//
// The KeyID of t.Key is the thumbprint of the key, to which an authorization server binds what it issues. A proof is no
// authentication: anyone can make one with a key of their own, and what it is worth is said by the access token that names the key.
// [Error] and [Verifier.Challenge] are the answer to a request that is refused. A client makes proofs with [Sign] or, for all requests of an
// http.Client, with a [Transport].
//
// # Told apart by
//
// The typ dpop+jwt, without which no proof is accepted and which no other kind has.
//
// # Codes
//
// Beside those of package jwt: dpop.missing, dpop.multiple (headers of a request), htm.mismatch, htu.mismatch, ath.missing,
// ath.mismatch, ath.unexpected, jkt.mismatch, jti.too_long, nonce.missing, nonce.mismatch. They are stable.
package dpop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

// Type is the typ of a DPoP proof (RFC 9449, Section 4.2).
const Type = "dpop+jwt"

// Claims are those that a proof has beside the registered ones (RFC 9449, Section 4.2).
type Claims struct {
	Method    string `json:"htm,omitempty"`   // of the request, such as GET
	URL       string `json:"htu,omitempty"`   // of the request, without query and fragment
	TokenHash string `json:"ath,omitempty"`   // [TokenHash] of the access token
	Nonce     string `json:"nonce,omitempty"` // that the server has asked for
}

// Policy says which proofs a [Verifier] accepts. The zero Policy is refused.
type Policy struct {
	// Replay remembers the proofs that were used. There is no Verifier without it: each is good once. It is told the key's
	// thumbprint, as a URI of RFC 9278, in place of an issuer, so that nobody can use up the proofs of another's key.
	Replay jwt.Replay
	// MaxAge is the longest time since iat. Zero is a minute; the leeway is added to it.
	MaxAge time.Duration
	// Nonces, if not nil, asks for a nonce in every proof: one of these.
	Nonces Nonces
	// Extensions are algorithms that are not of package jwa; they must be among JWT.Algorithms.
	Extensions []jwk.Extension

	// JWT is the rest of the policy: Algorithms, which are all asymmetric ones of package jwa where there are none, Leeway,
	// Clock, limits. Proofs are at most 16 KiB there. Issuers, audiences, types, MaxAge and Replay stay empty there: they are
	// decided here.
	JWT jwt.Policy
}

// Expect is the request that a proof came with. The zero Expect is refused.
type Expect struct {
	// Method is that of the request, compared exactly.
	Method string
	// URL is that of the request as its sender sees it: behind a proxy, the public one. It is the origin, which is
	// configured, with r.URL.EscapedPath() behind it: in r.URL.Path an escaped question mark is one that ends the path. Query and fragment
	// are not compared, and of the rest what RFC 3986 holds to be the same is the same.
	URL string

	// AccessToken is the token that came with the proof.
	AccessToken string
	// NoAccessToken says that none has come, as to a token endpoint.
	NoAccessToken bool

	// Thumbprint is that of the key that the proof must be made with: cnf.jkt of the access token, or what a refresh token
	// or an authorization code (dpop_jkt) is bound to. It is needed with an AccessToken.
	Thumbprint string
	// AnyKey accepts any key beside an AccessToken. The caller then compares [Thumbprint] with the token's own.
	AnyKey bool

	// Nonce is the one nonce that is accepted, in place of Policy.Nonces.
	Nonce string
}

// complete refuses what is not said, and what is said twice.
func (x *Expect) complete() error {
	switch {
	case x.Method == "" || x.URL == "":
		return profile.Incomplete("Expect has no Method and URL of the request")
	case (x.AccessToken == "") == !x.NoAccessToken:
		return profile.Incomplete("Expect has no AccessToken; NoAccessToken is how to do without")
	case x.AccessToken != "" && (x.Thumbprint == "") == !x.AnyKey:
		return profile.Incomplete("Expect has no Thumbprint of the key that the access token is bound to; AnyKey is how to do without")
	}
	return nil
}

// Verifier verifies DPoP proofs. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt        *jwt.Verifier[Claims]
	replay     jwt.Replay
	nonces     Nonces
	algorithms []string
	life       time.Duration // from iat
}

// NewVerifier makes a Verifier of p. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(p Policy) (*Verifier, error) {
	j := &p.JWT
	switch {
	case p.Replay == nil:
		return nil, profile.Incomplete("there is no Replay: a proof is good once (RFC 9449, Section 11.1)")
	case j.Replay != nil:
		return nil, profile.Incomplete("JWT.Replay is decided by the profile")
	case j.MaxAge != 0:
		return nil, profile.Incomplete("JWT.MaxAge is decided by the profile")
	// RFC 9449, Section 11.1: for a limited time, which is measured from iat.
	case j.AllowFutureIssuedAt || j.IgnoreExpiry:
		return nil, profile.Incomplete("JWT.AllowFutureIssuedAt and JWT.IgnoreExpiry have no place: a proof is good for a limited time")
	case j.Decryption != nil || j.Selector != "" || j.CacheSize != 0:
		return nil, profile.Incomplete("JWT.Decryption, JWT.Selector and JWT.CacheSize have no place with proofs")
	}
	own := jwt.Policy{AnyIssuer: true, AnyAudience: true, Type: Type, OptionalExpiry: true}
	policy, err := profile.Merge(p.JWT, own)
	if err != nil {
		return nil, err
	}
	if policy.MaxAge = p.MaxAge; policy.MaxAge == 0 {
		policy.MaxAge = time.Minute
	}
	if policy.MaxSize == 0 {
		policy.MaxSize = 16 << 10
	}
	// RFC 9449, Section 11.6.
	if policy.Algorithms, err = profile.Asymmetric(policy.Algorithms); err != nil {
		return nil, err
	}
	v := &Verifier{replay: p.Replay, nonces: p.Nonces, life: policy.MaxAge + profile.Leeway(policy)}
	for _, a := range policy.Algorithms {
		v.algorithms = append(v.algorithms, a.Name())
	}
	keys := &headerKeys{algorithms: policy.Algorithms, extensions: slices.Clone(p.Extensions)}
	if v.jwt, err = jwt.NewVerifier[Claims](keys, policy); err != nil {
		return nil, err
	}
	return v, nil
}

// Verify verifies one proof and returns what it says. The refusal of a proof is a *jwt.RejectError; see [Error].
func (v *Verifier) Verify(ctx context.Context, raw string, x Expect) (*jwt.Token[Claims], error) {
	if err := x.complete(); err != nil {
		return nil, err
	}
	var failed error
	var until time.Duration
	t, err := v.jwt.VerifyWith(ctx, raw, func(t *jwt.Token[Claims], now time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims)
		x.check(&r, t)
		failed = v.checkNonce(ctx, &r, t.Claims.Nonce, x.Nonce)
		until = t.IssuedAt.Add(v.life).Sub(now)
		return r
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, err
	}
	// RFC 9449, Section 11.1. The key is part of it: by a jti alone, a stranger could use up another's proofs. The URL is not,
	// so that no two spellings of it are two.
	seen, err := v.replay.Seen(ctx, uri+t.Key.KeyID(), t.ID, until)
	switch {
	case err != nil:
		return nil, replayError(err)
	case seen:
		return nil, jwt.Refuse(&jwt.ClaimError{
			Claim: "jti", Code: "jti.replayed", Got: t.ID, Want: "a proof that was not used before", Spec: "RFC 9449, Section 11.1",
		})
	}
	return t, nil
}

// uri is what comes before a thumbprint (RFC 9278).
const uri = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"

// maxID bounds jti, which a Replay keeps.
const maxID = 256

// rules are those of the specification that hold for every proof.
func rules(c *jwt.Registered, o *Claims) (r profile.Refusals) {
	const spec = "RFC 9449, Section 4.2"
	r.Require(c, spec, "jti", "iat")
	if o.Method == "" {
		r.RefuseMissing("htm", spec)
	}
	if o.URL == "" {
		r.RefuseMissing("htu", spec)
	}
	// RFC 9449, Section 11.1: no unnecessarily large jti.
	if len(c.ID) > maxID {
		r.Refuse("jti.too_long", "jti", c.ID, "at most 256 bytes", "RFC 9449, Section 11.1")
	}
	return r
}

// check holds a proof to its request.
func (x *Expect) check(r *profile.Refusals, t *jwt.Token[Claims]) {
	const spec = "RFC 9449, Section 4.3"
	c := &t.Claims
	// Step 8. Methods are case-sensitive (RFC 9110, Section 9.1).
	if c.Method != x.Method && c.Method != "" {
		r.Refuse("htm.mismatch", "htm", c.Method, "the method of the request", spec)
	}
	// Step 9.
	if c.URL != "" && !sameURL(c.URL, x.URL) {
		r.Refuse("htu.mismatch", "htu", c.URL, "the URL of the request", spec)
	}
	// Step 12, and Section 7: a proof for a token is not usable without one, nor the reverse.
	switch {
	case x.NoAccessToken && c.TokenHash != "":
		r.Refuse("ath.unexpected", "ath", c.TokenHash, "no such claim where there is no access token", "RFC 9449, Section 7")
	case x.NoAccessToken:
	case c.TokenHash == "":
		r.Refuse("ath.missing", "ath", "", "the hash of the access token", spec)
	case c.TokenHash != TokenHash(x.AccessToken):
		r.Refuse("ath.mismatch", "ath", c.TokenHash, "the hash of the access token", spec)
	}
	if x.Thumbprint != "" && t.Key.KeyID() != x.Thumbprint {
		r.Refuse("jkt.mismatch", "jwk", "", "the key that the token is bound to", spec)
	}
}

// checkNonce holds the nonce of a proof to those that the server has given out.
func (v *Verifier) checkNonce(ctx context.Context, r *profile.Refusals, got, want string) error {
	good := got == want
	switch {
	case want == "" && v.nonces == nil:
		return nil
	// RFC 9449, Section 11.3: not without one.
	case got == "":
		r.Refuse("nonce.missing", "nonce", "", "a nonce of this server", "RFC 9449, Section 11.3")
		return nil
	case want == "":
		var err error
		if good, err = v.nonces.Accepts(ctx, got); err != nil {
			return err
		}
	}
	if !good {
		r.Refuse("nonce.mismatch", "nonce", got, "a recent nonce of this server", "RFC 9449, Sections 8 and 9")
	}
	return nil
}

// sameURL compares URLs as RFC 9449, Section 4.3, asks for.
func sameURL(a, b string) bool {
	var bufA, bufB [256]byte
	normalA, okA := appendURL(bufA[:0], a)
	normalB, okB := appendURL(bufB[:0], b)
	return okA && okB && bytes.Equal(normalA, normalB)
}

// TokenHash is the hash of an access token, as ath has it.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return b64url.EncodeToString(sum[:])
}

// Thumbprint is the thumbprint of a key, as cnf.jkt of an access token and the parameter dpop_jkt of an authorization request have
// it (RFC 9449, Sections 6.1 and 10).
func Thumbprint(key interface{ JWK() jwk.JWK }) (string, error) {
	return key.JWK().Thumbprint(crypto.SHA256)
}

// Sign makes a proof. Where r has no ID or IssuedAt, it is a new one and now; query and fragment of the URL are left out. It refuses a proof
// that a [Verifier] would refuse whatever its policy is, and a key that is not asymmetric.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	if key == nil {
		return "", profile.Incomplete("there is no key to make a proof with")
	}
	if r.ID == "" {
		r.ID = rand.Text() // 128 bits; RFC 9449, Section 4.2, asks for 96
	}
	if r.IssuedAt.IsZero() {
		r.IssuedAt = time.Now().Truncate(time.Second)
	}
	if i := strings.IndexAny(c.URL, "?#"); i >= 0 {
		c.URL = c.URL[:i]
	}
	refusals := rules(&r, &c)
	if _, ok := appendURL(nil, c.URL); !ok && c.URL != "" {
		refusals.Refuse("htu.mismatch", "htu", c.URL, "an http or https URL without user information", "RFC 9449, Section 4.2")
	}
	if err := refusals.Err(); err != nil {
		return "", err
	}
	// A kid says nothing that the key does not; certificates would make the header long.
	public := key.JWK().Public().WithKeyID("")
	if public.X5C() != nil {
		public, _ = public.With("x5c", nil) // of a key, this never fails
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type, JWK: &public}, r, c, jwt.AllowMissingExpiry)
}
