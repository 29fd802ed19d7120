package jwt

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jws"
)

// Verifier verifies tokens with claims of type C under one [Policy]. It is
// immutable, safe for concurrent use, and takes no lock.
type Verifier[C any] struct {
	policy     Policy
	options    jws.Options
	decryption jwe.Options // of Policy.Decryption
	limits     strictjson.Limits
	decoder    *strictjson.Decoder[Token[C]]

	source  jwk.Source
	static  bool // what source answers to a header never changes: it is a jwk.Set or a header.Source
	headers *headerCache
	tokens  *tokenCache // nil without Policy.CacheSize
}

// NewVerifier makes a Verifier of p and of keys: a [jwk.Set], whose keys are indexed
// here once, or any other [jwk.Source], which is asked for each token.
//
// It refuses an incomplete or contradictory policy with [ErrPolicy], and a C that
// takes a registered claim with [ErrCollision].
func NewVerifier[C any](keys jwk.Source, p Policy) (*Verifier[C], error) {
	p, err := p.normalize()
	if err != nil {
		return nil, err
	}
	decoder, err := strictjson.NewDecoder[Token[C]]()
	if err != nil {
		return nil, planError(err)
	}
	v := &Verifier[C]{
		policy:  p,
		options: jws.Options{Algorithms: p.Algorithms, Critical: p.Critical},
		limits:  strictjson.Limits{Bytes: p.MaxSize, Depth: p.MaxDepth, Members: p.MaxMembers},
		decoder: decoder,
		source:  keys,
		headers: newHeaderCache(headerSlots),
	}
	switch set := keys.(type) {
	case nil:
		return nil, errPolicy.With("there is no source of keys")
	case jwk.Set:
		if slices.Contains(set, nil) {
			return nil, errPolicy.With("a key of the set is nil")
		}
		v.source, v.static = indexSet(set), true
	case header.Source:
		v.static, v.headers = true, newHeaderCache(manyHeaderSlots)
	}
	if d := p.Decryption; d != nil {
		// What was compressed is no longer than what is not may be.
		v.decryption = jwe.Options{Algorithms: d.Algorithms, Encryptions: d.Encryptions, MaxSize: p.MaxSize, MaxPlaintext: p.MaxSize}
	}
	if p.CacheSize > 0 {
		v.tokens = newTokenCache(p.CacheSize)
	}
	return v, nil
}

// planError tells a caller of NewVerifier or Sign what is wrong with the type of the claims.
func planError(err error) error {
	if c, ok := errors.AsType[*strictjson.ConflictError](err); ok {
		return errCollide.With(c.Name)
	}
	return errPolicy.With("the type of the claims: " + err.Error())
}

// Verify verifies one compact token and returns what it says. It is called with the
// token alone: white space, a "Bearer " prefix or padding are refused.
//
// The refusal of a token is a [*RejectError]. What a source of keys or a [Replay]
// fails with, and the end of ctx, is returned as it is.
func (v *Verifier[C]) Verify(ctx context.Context, raw string) (*Token[C], error) {
	return v.VerifyWith(ctx, raw, nil)
}

// VerifyWith is Verify with rules of your own: check returns what it refuses, and that
// stands beside the refusals of the policy in one [*RejectError], so that "only expired"
// means both. It is called once the signature has verified and the claims could be read, before
// [Policy.Replay]: a token that it refuses is not used up. The policy may yet refuse the token that
// check sees, so check keeps nothing of it; now is the time that the policy is held to.
//
// A refusal with one of this package's codes matches the sentinel of that code. What
// is refused twice is reported once; Got is cut to its limit.
func (v *Verifier[C]) VerifyWith(ctx context.Context, raw string, check func(t *Token[C], now time.Time) []*ClaimError) (*Token[C], error) {
	if len(raw) > v.policy.MaxSize {
		return nil, reject(ErrTooLarge)
	}
	if v.tokens != nil {
		if e := v.tokens.get(raw); e != nil && v.offered(ctx, e) {
			// The copy keeps apart what callers can change.
			t, room := newToken[C](len(e.payload))
			t.Key, t.head, t.payload = e.key, &e.head, append(room, e.payload...)
			t, err := v.accept(ctx, t, e.selector, check)
			if t == nil && errors.Is(err, ErrExpired) {
				v.tokens.drop(e)
			}
			return t, err
		}
	}

	signed := raw
	var layers []layer
	if v.policy.Decryption != nil {
		var err error
		if signed, layers, err = v.decrypt(ctx, raw); err != nil {
			return nil, err
		}
	}
	h, encoded, payload, signature, err := v.open(signed)
	if err != nil {
		return nil, err
	}

	selector := v.selector(payload)
	if selector == "" && v.policy.Selector != "" {
		return nil, v.reject(signed, errNoSelector)
	}
	candidates := h.keys
	if candidates == nil {
		candidates, err = v.ask(ctx, h, selector)
		if err != nil {
			if errors.Is(err, ErrNoKey) || errors.Is(err, ErrAlgorithm) {
				return nil, v.reject(signed, err)
			}
			return nil, err
		}
	}

	// One buffer: first for the signature, then for the payload that it vouches for.
	t, buf := newToken[C](max(len(payload), len(signature))/4*3 + 3)
	sig, err := b64url.AppendDecode(buf, signature)
	if err != nil {
		return nil, v.reject(signed, malformed(err))
	}
	key, err := tryKeys(candidates, signed[:len(encoded)+1+len(payload)], sig)
	if err != nil {
		return nil, v.reject(signed, err)
	}
	claims, err := b64url.AppendDecode(buf, payload)
	if err != nil {
		return nil, v.reject(signed, malformed(err))
	}

	if !h.cached && len(encoded) <= maxCachedHeader {
		e := &headerEntry{encoded: strings.Clone(encoded), head: h.head, cached: true, signature: len(signature)}
		if v.static {
			e.keys = candidates
		}
		v.headers.put(e)
	}
	outermost := &h.head
	if layers != nil {
		outermost = &head{h.head.header, layers}
	}
	t.Key, t.head, t.payload = key, outermost, claims
	t, err = v.accept(ctx, t, selector, check)
	// Anyone can encrypt a signed token anew, under a header of any size.
	wide := slices.ContainsFunc(layers, func(l layer) bool { return len(l.encoded) > maxCachedHeader })
	if t != nil && v.tokens != nil && len(raw) <= maxCachedToken && !wide {
		v.tokens.put(&tokenEntry{
			raw: strings.Clone(raw), payload: slices.Clone(claims),
			head: *outermost, key: key, selector: strings.Clone(selector),
		})
	}
	return t, err
}

// open cuts the token and reads its header. A header that is recognised, because a
// token with it has verified before, has passed here before, byte for byte.
func (v *Verifier[C]) open(raw string) (h *headerEntry, encoded, payload, signature string, err error) {
	if h = v.headers.of(raw); h != nil && (h.keys != nil || v.policy.Selector == "") {
		n := len(h.encoded)
		// The alphabet of the other two parts is left to their decoder or, where the signature
		// or the source fails first, to v.reject. Nobody outside can tell: a source that is
		// asked is asked about a header of a token that has verified. Its signature was as long as this one most likely is.
		i := len(raw) - h.signature - 1
		if i <= n || raw[i] != '.' {
			i = n + 1 + strings.IndexByte(raw[n+1:], '.')
		}
		if i > n {
			return h, raw[:n], raw[n+1 : i], raw[i+1:], nil
		}
	}
	encoded, payload, signature, err = compact.Split(raw, v.policy.MaxSize)
	if err != nil {
		return nil, "", "", "", v.reject(raw, err)
	}
	if h != nil {
		return h, encoded, payload, signature, nil
	}
	h = new(headerEntry)
	if h.head.header, err = jws.ParseHeader(encoded, v.options); err != nil {
		return nil, "", "", "", reject(err)
	}
	// RFC 7797, Section 7: JWTs do not use the unencoded payload.
	if h.head.header.Unencoded {
		return nil, "", "", "", reject(errB64)
	}
	if !v.typed(encoded, h.head.header.Type) {
		return nil, "", "", "", reject(errType.With("want typ " + v.types()))
	}
	return h, encoded, payload, signature, nil
}

// ask asks the source for the candidates. That the algorithm of a header is allowed is
// known of one that is recognised.
func (v *Verifier[C]) ask(ctx context.Context, h *headerEntry, selector string) ([]jwk.Verifier, error) {
	it := &h.head.header
	if !h.cached {
		return it.Verifiers(ctx, v.source, selector, v.options)
	}
	keys, err := v.source.Keys(ctx, jwk.Query{
		Algorithm: it.Algorithm, KeyID: it.KeyID, X5TS256: it.X5T256, Selector: selector,
		X5C: it.X5C, X5U: it.X5U, JKU: it.JKU, JWK: it.JWK,
	})
	// header.Judge finds each method anew, which takes as long as all the rest here.
	for _, k := range keys {
		if k.Algorithm().Name() != it.Algorithm {
			return header.Judge(it.Algorithm, keys, err)
		}
	}
	if err != nil || len(keys) == 0 || len(keys) > 4 {
		return header.Judge(it.Algorithm, keys, err)
	}
	return keys, nil
}

// typed reports whether typ is the policy's (RFC 8725, Section 3.11).
func (v *Verifier[C]) typed(encoded, typ string) bool {
	same := func(t string) bool { return compact.SameType(typ, t) }
	if v.policy.Type != "" && same(v.policy.Type) || slices.ContainsFunc(v.policy.Types, same) {
		return true
	}
	if typ != "" || !v.plain() {
		return v.plain() && same("JWT")
	}
	// An empty typ is not an absent one. The header has been read strictly, so this cannot fail.
	raw, _ := b64url.DecodeString(encoded)
	_, present, _ := strictjson.Scan(raw, "typ")
	return !present
}

// types says which values of typ the policy accepts.
func (v *Verifier[C]) types() string {
	var names []string
	if v.policy.Type != "" {
		names = append(names, v.policy.Type)
	}
	for _, t := range v.policy.Types {
		if !compact.SameType(t, "JWT") {
			names = append(names, t)
		}
	}
	if v.plain() {
		names = append(names, "none", "or JWT")
	}
	return strings.Join(names, ", ")
}

// plain reports whether the policy accepts tokens that have no type of their own.
func (v *Verifier[C]) plain() bool {
	return v.policy.Type == "" || slices.ContainsFunc(v.policy.Types, func(t string) bool { return compact.SameType(t, "JWT") })
}

// selector reads the one claim that chooses the keys, or returns "".
func (v *Verifier[C]) selector(payload string) string {
	if v.policy.Selector == "" {
		return ""
	}
	var s string
	if raw, err := b64url.DecodeString(payload); err == nil {
		_ = strictjson.Unmarshal(member(raw, v.policy.Selector, v.limits), &s, v.limits)
	}
	return s
}

// errNoSelector says nothing of the payload.
var errNoSelector = jws.ErrNoKey.(*fault.Error).With("the claim that selects the issuer's keys cannot be read")

// tryKeys returns the first candidate whose signature it is.
func tryKeys(candidates []jwk.Verifier, signed string, signature []byte) (jwk.Verifier, error) {
	message, refusal := alias.Bytes(signed), ErrSignature
	for _, k := range candidates {
		err := k.Verify(message, signature)
		if err == nil {
			return k, nil
		}
		// A key that the FIPS mode forbids, for example, has more to say.
		if code := fault.CodeOf(err); code != "" && code != "sig.invalid" {
			refusal = jws.ErrSignature.(*fault.Error).Wrap(err)
		}
	}
	return nil, refusal
}

func malformed(err error) error { return compact.ErrMalformed.Wrap(err) }

// reject is the refusal for err, unless raw breaks a rule that comes before it.
func (v *Verifier[C]) reject(raw string, err error) error {
	if _, _, _, first := compact.Split(raw, v.policy.MaxSize); first != nil {
		switch {
		case v.policy.Decryption != nil:
			err = errUnsigned.Wrap(first)
		// RFC 7516, Section 9.
		case strings.Count(raw, ".") == 4:
			err = errEncrypted
		default:
			err = first
		}
	}
	return reject(err)
}

// offered reports whether the source still has the key of a cached token.
func (v *Verifier[C]) offered(ctx context.Context, e *tokenEntry) bool {
	// A failure comes with no keys.
	if !v.static {
		keys, _ := e.head.header.Verifiers(ctx, v.source, e.selector, v.options)
		if !slices.Contains(keys, e.key) {
			return false
		}
	}
	if v.policy.Decryption == nil {
		return true
	}
	source := v.policy.Decryption.Keys
	if _, static := source.(jwk.DecryptionSet); static {
		return true
	}
	for _, l := range e.head.layers {
		h := l.header()
		keys, _ := source.DecryptionKeys(ctx, jwk.Query{
			Algorithm: h.Algorithm, KeyID: h.KeyID, X5TS256: h.X5T256, X5C: h.X5C, X5U: h.X5U, JKU: h.JKU,
		})
		if !slices.Contains(keys, l.key) {
			return false
		}
	}
	return true
}

// accept reads the claims of t, whose signature has verified, and holds them to the policy.
func (v *Verifier[C]) accept(ctx context.Context, t *Token[C], selector string, check func(*Token[C], time.Time) []*ClaimError) (*Token[C], error) {
	t.limits = &v.limits
	now := v.policy.Clock()
	if err := v.decoder.DecodeWith(t.words[:], t.payload, t, &v.limits); err != nil {
		return nil, &RejectError{v.diagnose(t.payload, err, now)}
	}
	if len(t.Audience) == 0 {
		t.Audience = nil // absent, or empty
	}
	refusals := append(v.check(t, now), v.replicas(t.head.layers, &t.Registered)...)
	if check != nil {
		refusals = adopt(refusals, check(t, now))
	}
	if refusals != nil {
		return nil, &RejectError{errorsOf(refusals)}
	}
	if v.policy.Selector != "" {
		// What was read then was the first member of that name; the decoder has since seen that it is the only one.
		if v.selected(t) != selector {
			return nil, reject(errNoSelector)
		}
	}
	if v.policy.Replay != nil {
		seen, err := v.policy.Replay.Seen(ctx, t.Issuer, t.ID, v.deadline(&t.Registered).Sub(now))
		switch {
		case errors.Is(err, ErrReplay):
			return nil, reject(err)
		case err != nil:
			return nil, err
		case seen:
			return nil, reject(claimError(errReplay, "jti", t.ID, "a token that was not used before"))
		}
	}
	return t, nil
}

func (v *Verifier[C]) selected(t *Token[C]) (s string) {
	switch v.policy.Selector {
	case "iss":
		return t.Issuer
	case "sub":
		return t.Subject
	}
	_, _ = t.Claim(v.policy.Selector, &s)
	return s
}
