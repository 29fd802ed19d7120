// Package attestation makes and verifies client attestations, by which the maker of an app vouches for one instance of it and for
// that instance's key, and the proofs of possession of that key (draft-ietf-oauth-attestation-based-client-auth-10). Wallets
// authenticate with them to the servers that issue credentials.
//
// An authorization server makes one [Verifier] with the keys of the attesters that it trusts, and gives it the header of each request:
//
//	v, err := attestation.NewVerifier(attesters, attestation.Policy{Audience: "https://as.example", AnyClient: true, Replay: jwt.NewReplayCache(1e6)})
//	c, err := v.Verify(ctx, r.Header, attestation.Expect{ClientID: r.PostFormValue("client_id")})
//
// c.Attestation.Subject is the client, and c.Thumbprint names its instance: refresh tokens are bound to that, and codes should be
// (Sections 10.3 and 10.4). [Error] and [Verifier.SetChallenge] are the answer to a request that is refused. The attester makes
// attestations with [Sign]; the instance of the client makes a new proof for each request with [SetHeaders].
//
// In place of the proof, an instance may send a DPoP proof by the same key (Section 5.2): see Policy.DPoP.
//
// # Told apart by
//
// The types oauth-client-attestation+jwt and oauth-client-attestation-pop+jwt, without which none is accepted and which
// no other kind has.
//
// # Codes
//
// Beside those of package jwt: attestation.missing, attestation.multiple, pop.missing, pop.multiple, dpop.missing, dpop.multiple
// (headers of a request), client_id.mismatch, cnf.invalid, cnf.mismatch, iss.unexpected, exp.unexpected, sub.mismatch, aud.not_sole,
// jti.too_long, challenge.missing, challenge.mismatch. They are stable.
package attestation

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/pop"
)

// The types of the two tokens (Sections 4 and 5.1).
const (
	Type    = "oauth-client-attestation+jwt"
	PoPType = "oauth-client-attestation-pop+jwt"
)

// The methods, as token_endpoint_auth_method of a client's metadata names them (Sections 8 and 9).
const (
	Method     = "attest_jwt_client_auth"
	MethodDPoP = "attest_jwt_client_auth_dpop"
)

// Claims are those that an attestation has beside the registered ones, of which sub is the client_id. What else the
// attester says of the instance is reached with the Claim method of the token.
type Claims struct {
	Confirmation *pop.Confirmation `json:"cnf,omitempty"` // the key of the instance, as a JWK
}

// PoPClaims are those that a proof has beside the registered ones.
type PoPClaims struct {
	Challenge string `json:"challenge,omitempty"` // that the server has given out

	legacyClaims
}

// legacyClaims are those of older drafts.
type legacyClaims struct {
	Nonce string `json:"nonce,omitempty"` // the challenge, until draft -06
}

// Policy says whose attestations a [Verifier] accepts, and for which server. The zero Policy is refused.
type Policy struct {
	// Audience is the server's own name, which must be the aud of a proof and the only one: the issuer identifier of an authorization
	// server (RFC 8414), the resource identifier of a resource server (RFC 9728).
	Audience string
	// ClientIDs are the clients that the keys attest.
	ClientIDs []string
	// AnyClient accepts all clients. A jwk.Set may then attest every one of them, as in an ecosystem that has one list of trusted
	// attesters; any other source is asked for the keys by the claim sub, see JWT.Selector, and must look it up in a closed map.
	AnyClient bool
	// Replay remembers the proofs that were used. There is no Verifier without it: each is good once. It is told the thumbprint of the
	// instance's key, as a URI of RFC 9278, in place of an issuer, so that nobody can use up the proofs of another.
	Replay jwt.Replay

	// DPoP accepts a DPoP proof in place of a proof, see Expect.Thumbprint (Section 5.2).
	DPoP bool
	// Challenges, if not nil, asks for a challenge in every proof: one of these. With DPoP, use the same for its nonces.
	Challenges Challenges
	// MaxAge is the longest time since the iat of a proof. Zero is a minute; the leeway is added to it.
	MaxAge time.Duration
	// PoPAlgorithms are those that proofs may have. Empty means all asymmetric ones of package jwa.
	PoPAlgorithms []jwa.Algorithm

	// Legacy accepts also what was written before draft -08: iss in the attestation and, as the client_id, in the proof; and proofs
	// with exp, with nonce in place of challenge, or without iat.
	Legacy bool

	// JWT is the rest of the policy: Algorithms of attestations, which are all asymmetric ones of package jwa where there are none, MaxAge
	// of attestations, Leeway, Clock, limits. Both tokens are at most 16 KiB there. Issuers, audiences, types and Replay stay empty
	// there: they are decided here.
	JWT jwt.Policy
}

// Expect is what is known of the request that the tokens came with. The zero Expect is refused.
type Expect struct {
	// ClientID is the client_id of the request.
	ClientID string
	// NoClientID says that the request names no client: the attestation alone does.
	NoClientID bool

	// Thumbprint is that of the key of the DPoP proof that came with the request, if one did (RFC 7638, with SHA-256), once package
	// dpop has verified that proof: the KeyID of its key. With Policy.DPoP it is what proves the possession where the request has no other
	// proof.
	Thumbprint string
	// Challenge is the one challenge that is accepted, in place of Policy.Challenges: one that belongs to the session of this
	// client. Neither says anything of a DPoP proof in place of a proof: that is held to its nonce by package dpop, so give the
	// challenge there too.
	Challenge string
}

// Client is an instance of a client whose attestation and proof have been verified.
type Client struct {
	Attestation *jwt.Token[Claims]    // its Subject is the client_id
	PoP         *jwt.Token[PoPClaims] // nil where a DPoP proof was in its place
	// Thumbprint is that of the instance's key, with SHA-256 (RFC 7638). A refresh token is bound to it, not to the client
	// alone, and so should a code be (Sections 10.3 and 10.4).
	Thumbprint string
}

// Verifier verifies attestations with their proofs. It is immutable and safe for concurrent use.
type Verifier struct {
	jwt        *jwt.Verifier[Claims]
	pop        *jwt.Verifier[PoPClaims]
	replay     jwt.Replay
	challenges Challenges
	clients    []string // nil for any
	dpop       bool
	legacy     bool
	leeway     time.Duration
	window     time.Duration // of a proof, since iat
}

// NewVerifier makes a Verifier of p and of the keys of the attesters. It refuses an incomplete policy with jwt.ErrPolicy.
func NewVerifier(keys jwk.Source, p Policy) (*Verifier, error) {
	j := &p.JWT
	switch {
	case p.Audience == "":
		return nil, profile.Incomplete("name the Audience")
	case (len(p.ClientIDs) == 0) == !p.AnyClient:
		return nil, profile.Incomplete("name the ClientIDs, or set AnyClient")
	case slices.Contains(p.ClientIDs, ""):
		return nil, profile.Incomplete("ClientIDs has an empty one")
	case p.Replay == nil:
		return nil, profile.Incomplete("there is no Replay: a proof is good once (Section 12.1)")
	case p.MaxAge < 0:
		return nil, profile.Incomplete("MaxAge is negative")
	// The same attestation is sent with many requests (Section 10.2).
	case j.Replay != nil:
		return nil, profile.Incomplete("JWT.Replay has no place: an attestation is used many times")
	// Section 4: an attestation that has expired is refused.
	case j.IgnoreExpiry || j.OptionalExpiry:
		return nil, profile.Incomplete("JWT.IgnoreExpiry and JWT.OptionalExpiry have no place: an attestation expires")
	case j.Decryption != nil:
		return nil, profile.Incomplete("JWT.Decryption has no place: attestations are not encrypted")
	}
	if _, set := keys.(jwk.Set); p.AnyClient && !set && j.Selector == "" {
		j.Selector = "sub"
	}
	var err error
	if j.Algorithms, err = profile.Asymmetric(j.Algorithms); err != nil {
		return nil, err
	}
	algorithms, err := profile.Asymmetric(p.PoPAlgorithms)
	if err != nil {
		return nil, err
	}
	if j.MaxSize == 0 {
		j.MaxSize = 16 << 10 // what servers take as a header at all (Section 10.5)
	}
	attested, err := profile.Merge(*j, jwt.Policy{AnyIssuer: true, AnyAudience: true, Type: Type})
	if err != nil {
		return nil, err
	}
	v := &Verifier{
		replay: p.Replay, challenges: p.Challenges, clients: slices.Clone(p.ClientIDs), dpop: p.DPoP, legacy: p.Legacy,
		leeway: profile.Leeway(attested), window: p.MaxAge,
	}
	if v.window == 0 {
		v.window = time.Minute
	}
	if v.jwt, err = jwt.NewVerifier[Claims](keys, attested); err != nil {
		return nil, err
	}
	v.pop, err = jwt.NewVerifier[PoPClaims](instanceKeys(algorithms), jwt.Policy{
		AnyIssuer: true, Audiences: []string{p.Audience}, Type: PoPType, Algorithms: algorithms, OptionalExpiry: true,
		Leeway: attested.Leeway, Clock: attested.Clock, MaxSize: attested.MaxSize, MaxDepth: attested.MaxDepth, MaxMembers: attested.MaxMembers,
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Verify verifies the attestation of a request and the proof that came with it, and returns the client. A refusal has a
// *jwt.RejectError, which errors.As finds, of the headers or of the first of the two tokens that is refused; see [Error].
func (v *Verifier) Verify(ctx context.Context, h http.Header, x Expect) (*Client, error) {
	if (x.ClientID == "") == !x.NoClientID {
		return nil, profile.Incomplete("Expect has no ClientID; NoClientID is how to do without")
	}
	attested, proof, combined, err := v.headers(h, x.Thumbprint != "")
	if err != nil {
		return nil, err
	}
	t, err := v.jwt.VerifyWith(ctx, attested, func(t *jwt.Token[Claims], _ time.Time) []*jwt.ClaimError {
		r := rules(&t.Registered, &t.Claims, v.legacy)
		v.check(&r, t, &x)
		return r
	})
	if err != nil {
		return nil, of(theAttestation, err)
	}
	key := t.Claims.Confirmation.JWK
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, of(theAttestation, jwt.Refuse(&jwt.ClaimError{
			Claim: "cnf", Code: "cnf.invalid", Want: "a public key", Spec: section4, Hint: err.Error(),
		}))
	}
	c := &Client{Attestation: t, Thumbprint: thumbprint}
	if combined {
		// Section 7.3, step 4.
		if thumbprint != x.Thumbprint {
			return nil, of(theProof, jwt.Refuse(&jwt.ClaimError{
				Claim: "cnf", Code: "cnf.mismatch", Got: thumbprint, Want: "the key of the DPoP proof", Spec: draft + ", Section 7.3",
			}))
		}
		return c, nil
	}
	var until time.Duration
	var failed error
	// Section 5.1, rule 3: with the key of the attestation, and no other.
	c.PoP, err = v.pop.VerifyWith(context.WithValue(ctx, instanceKey{}, key), proof, func(t *jwt.Token[PoPClaims], now time.Time) []*jwt.ClaimError {
		r := popRules(&t.Registered, &t.Claims, v.legacy)
		until = v.checkPoP(&r, t, c.Attestation.Subject, now)
		failed = v.checkChallenge(ctx, &r, &t.Claims, x.Challenge)
		return r
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, of(theProof, err)
	}
	// Section 12.1, and 10.7: it is remembered once all else is found good, as that of this key, lest a stranger use it up.
	seen, err := v.replay.Seen(ctx, uri+thumbprint, c.PoP.ID, until)
	switch {
	case errors.Is(err, jwt.ErrReplay):
		return nil, of(theProof, jwt.Refuse(err))
	case err != nil:
		return nil, err
	case seen:
		return nil, of(theProof, jwt.Refuse(&jwt.ClaimError{
			Claim: "jti", Code: "jti.replayed", Got: c.PoP.ID, Want: "a proof that was not used before", Spec: draft + ", Section 12.1",
		}))
	}
	return c, nil
}

const (
	draft    = "draft-ietf-oauth-attestation-based-client-auth-10"
	section4 = draft + ", Section 4"
	section5 = draft + ", Section 5.1"
	section7 = draft + ", Section 7.2"

	// uri is what comes before a thumbprint (RFC 9278).
	uri = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"
	// maxID bounds jti, which a Replay keeps.
	maxID = 256

	theAttestation = "the client attestation"
	theProof       = "the proof of the client attestation"
)

// rules are those of the draft that hold for every attestation.
func rules(c *jwt.Registered, o *Claims, legacy bool) (r profile.Refusals) {
	r.Require(c, section4, "sub", "exp")
	switch cnf := o.Confirmation; {
	case cnf == nil:
		r.RefuseMissing("cnf", section4)
	// Section 7.1, rule 5: not a private one. A symmetric key is all private.
	case cnf.JWK == nil || cnf.JWK.IsPrivate():
		r.Refuse("cnf.invalid", "cnf", "", "a public key as jwk", section4)
	}
	if c.Issuer != "" && !legacy {
		unexpected(&r, "iss", c.Issuer)
	}
	return r
}

// unexpected refuses what the claims of older drafts are known by: Policy.Legacy is how to accept them.
func unexpected(r *profile.Refusals, name, got string) {
	r.Refuse(name+".unexpected", name, got, "no such claim, which draft -08 has removed", draft+", Document History")
}

// check holds an attestation to the policy, and to the request.
func (v *Verifier) check(r *profile.Refusals, t *jwt.Token[Claims], x *Expect) {
	switch {
	case t.Subject == "":
	case v.clients != nil && !slices.Contains(v.clients, t.Subject):
		r.Refuse("client_id.mismatch", "sub", t.Subject, "a client that the attester speaks for", section4)
	// Section 7.1, rule 7; Section 7.5.
	case x.ClientID != "" && t.Subject != x.ClientID:
		r.Refuse("client_id.mismatch", "sub", t.Subject, "the client of the request", draft+", Section 7.1")
	}
}

// popRules are those of the draft that hold for every proof.
func popRules(c *jwt.Registered, o *PoPClaims, legacy bool) (r profile.Refusals) {
	r.Require(c, section5, "aud", "jti")
	if len(c.Audience) > 1 {
		r.Refuse("aud.not_sole", "aud", strings.Join(c.Audience, " "), "the server, and no other", section5)
	}
	if len(c.ID) > maxID {
		r.Refuse("jti.too_long", "jti", c.ID, "at most 256 bytes", draft+", Section 10.7")
	}
	if !legacy {
		r.Require(c, section5, "iat")
		if c.Issuer != "" {
			unexpected(&r, "iss", c.Issuer)
		}
		if !c.Expiry.IsZero() {
			unexpected(&r, "exp", c.Expiry.UTC().Format(time.RFC3339))
		}
	}
	return r
}

// checkPoP holds a proof to the policy and to the client that is attested, and returns how long it has to be remembered.
func (v *Verifier) checkPoP(r *profile.Refusals, t *jwt.Token[PoPClaims], client string, now time.Time) time.Duration {
	// Draft -04, Section 4.2.
	if t.Issuer != "" && v.legacy && t.Issuer != client {
		r.Refuse("sub.mismatch", "iss", t.Issuer, "the client that is attested", draft+", Document History")
	}
	dead := t.IssuedAt.Add(v.window + v.leeway)
	switch {
	case !t.IssuedAt.IsZero():
		// Section 7.2, rule 6. One from the future is refused by package jwt.
		if now.After(dead) {
			r.Refuse("iat.too_old", "iat", t.IssuedAt.UTC().Format(time.RFC3339), "a proof that was made at most "+v.window.String()+" ago", section7)
		}
	case !v.legacy: // is refused already
	case t.Expiry.IsZero():
		r.Refuse("iat.missing", "iat", "", "the claim, or exp", section5)
	default:
		r.RefuseDistant(&t.Registered, now, legacyLife, v.leeway, section5)
		dead = t.Expiry.Add(v.leeway)
	}
	return dead.Sub(now)
}

// legacyLife is the longest time until the exp of a proof that does not say when it was made.
const legacyLife = time.Hour

// checkChallenge holds the challenge of a proof to those that the server has given out (Section 7.2, rules 5 and 8).
func (v *Verifier) checkChallenge(ctx context.Context, r *profile.Refusals, c *PoPClaims, want string) error {
	if want == "" && v.challenges == nil {
		return nil
	}
	got := c.Challenge
	if got == "" && v.legacy {
		got = c.Nonce
	}
	good := got == want
	if want == "" && got != "" {
		var err error
		if good, err = v.challenges.Accepts(ctx, got); err != nil {
			return err
		}
	}
	switch {
	case got == "":
		r.Refuse("challenge.missing", "challenge", "", "a challenge of this server", section7)
	case !good:
		r.Refuse("challenge.mismatch", "challenge", got, "a recent challenge of this server", section7)
	}
	return nil
}

// instanceKey is where a context has the key of the attestation, of which instanceKeys makes the one that verifies the proof.
type instanceKey struct{}

// instanceKeys is the source of that key, with the algorithms that proofs may have.
type instanceKeys []jwa.Algorithm

// Keys implements jwk.Source. Nothing of the proof's header but its alg counts: that only chooses among what the policy
// and the key allow.
func (s instanceKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	for i, a := range s {
		if a.Name() != q.Algorithm {
			continue
		}
		key, err := ctx.Value(instanceKey{}).(*jwk.JWK).PublicKey(jwk.Binding{Algorithms: s[i : i+1]})
		if err != nil {
			return nil, err
		}
		return []jwk.Verifier{key}, nil
	}
	return nil, jwt.ErrAlgorithm // which the policy has refused before
}

// Sign makes an attestation: r has the client_id as Subject, and Expiry. It refuses one that a [Verifier] would refuse
// whatever its policy is.
func Sign(ctx context.Context, key jwk.Signer, r jwt.Registered, c Claims) (string, error) {
	refusals := rules(&r, &c, false)
	asymmetric(&refusals, key)
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: Type}, r, c)
}

// SignPoP makes a proof with the key of an attested instance: r has the server as Audience. Where it has no ID or IssuedAt,
// they are a new one and now. It refuses a proof that a [Verifier] would refuse whatever its policy is.
func SignPoP(ctx context.Context, key jwk.Signer, r jwt.Registered, c PoPClaims) (string, error) {
	if r.ID == "" {
		r.ID = rand.Text()
	}
	if r.IssuedAt.IsZero() {
		r.IssuedAt = time.Now().Truncate(time.Second)
	}
	refusals := popRules(&r, &c, false)
	asymmetric(&refusals, key)
	if err := refusals.Err(); err != nil {
		return "", err
	}
	return jwt.Sign(ctx, key, jwt.Header{Type: PoPType}, r, c, jwt.AllowMissingExpiry)
}

// asymmetric refuses a secret as key. Section 12.2 would have one for attestations; then whoever verifies them could make them.
func asymmetric(r *profile.Refusals, key jwk.Signer) {
	if key.Algorithm().Symmetric() {
		r.Refuse("alg.not_allowed", "alg", key.Algorithm().Name(), "an asymmetric algorithm", section5)
	}
}
