package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

type verifyCmd struct {
	Token        string        `arg:"" optional:"" help:"TOKEN, @FILE or -: one compact token, at most 1 MB. Without it, stdin is read."`
	Key          string        `placeholder:"FILE" help:"The issuer's public key: a JWK, a set, PEM or DER, or - for stdin."`
	SecretFile   string        `placeholder:"FILE" help:"The shared secret: the bytes of FILE without one final newline."`
	JWKS         string        `name:"jwks" placeholder:"FILE|URL" help:"The issuer's key set: a file, or where it is fetched."`
	Issuer       string        `placeholder:"URL" help:"The issuer whose keys are found by its metadata and fetched. Implies --iss URL."`
	Offline      bool          `help:"Fetch nothing: what has to be fetched is refused."`
	Alg          string        `placeholder:"ALG" words:"signatures" help:"The only algorithm to accept: keys for others are left out, and a key that names none is for this one."`
	Iss          []string      `sep:"none" placeholder:"ISSUER" help:"An issuer to accept. Repeats."`
	AnyIssuer    bool          `help:"Accept any issuer, and none."`
	Aud          []string      `sep:"none" placeholder:"AUDIENCE" help:"A name you answer to as the audience. Repeats."`
	AnyAudience  bool          `help:"Accept any audience, and none."`
	Typ          string        `placeholder:"TYPE" help:"The typ to demand, such as at+jwt. Without it, only JWT or none passes."`
	Profile      string        `placeholder:"KIND" words:"profiles" help:"Hold the token to all rules of its kind, such as id-token."`
	Legacy       bool          `help:"With --profile, accept what older senders of the kind write; jot lint says what that is."`
	OptionalExp  bool          `help:"Accept a token without exp; one that is there is enforced."`
	IgnoreExp    bool          `help:"Accept a token whether it has expired or not."`
	AllowWeakKey bool          `help:"Accept a secret shorter than its hash. Anyone can guess it."`
	DecryptKey   string        `placeholder:"FILE" help:"Demand a token that is signed and then encrypted, and decrypt it with this private or shared key."`
	DecryptAlg   string        `placeholder:"ALG" words:"key-management" help:"The only algorithm to decrypt with, and that of a --decrypt-key that names none."`
	AllowRSA1_5  bool          `name:"allow-rsa1_5" help:"Decrypt with RSA1_5 if the key is for it. Its padding has been broken many times."`
	Now          string        `placeholder:"TIME" help:"The time to judge by, as 2026-09-30T12:00:00Z."`
	Leeway       time.Duration `default:"60s" placeholder:"DURATION" help:"How far clocks may differ, as 60s; 0s is exact. The default is 60s."`
	JSON         bool          `name:"json" help:"Print the outcome as one JSON object, with every check."`

	profileFlags  `embed:"" group:"With --profile"`
	passwordFlags `embed:""`
}

func (*verifyCmd) Help() string {
	return `Every check is listed on stderr, and the payload goes to stdout only when all of them hold. With --json one object goes to stdout instead: verified, kind, header, claims (only when verified) and checks, each with the code it fails with, ok, got, want and spec.

A token that is signed and then encrypted is decrypted first, with --decrypt-key, and then held to the same checks. One that is only signed is refused then, as an encrypted one is without.

Who may have issued the token and whom it is for must be said: --iss, --issuer or --any-issuer, --aud or --any-audience.

With --profile the token is held to the rules of its kind as well, and to the request that it belongs to: each kind asks for what it needs, by --client-id, --nonce, --state, --sub, --method, --url and files, and --any-request does without. Whether a token was used before is not known here.

With --issuer and --jwks URL the keys are fetched, over https or from this machine, once and only for what is a token. --issuer finds them by OpenID Connect Discovery or RFC 8414 and accepts no other issuer. The time of --now is for the token; keys are judged by the clock.

The exit code is 0 when verified, 1 when refused, 2 for usage, 3 when the token or a key cannot be read, 4 when no key fits or the key itself is refused, and 5 when a file or a URL is not to be had.`
}

// check is one line of the outcome. Code is what the check is refused with; one
// that holds bears the code that it would have had.
type check struct {
	Code string `json:"code"`
	OK   bool   `json:"ok"`
	Got  string `json:"got,omitempty"`
	Want string `json:"want,omitempty"`
	Spec string `json:"spec,omitempty"`

	name, text string
}

type outcome struct {
	Verified bool            `json:"verified"`
	Kind     string          `json:"kind"`
	Header   json.RawMessage `json:"header,omitempty"`
	Outer    json.RawMessage `json:"outer,omitempty"` // the header of what was encrypted around it
	Claims   json.RawMessage `json:"claims,omitempty"`
	Checks   []check         `json:"checks"`
}

func (c *verifyCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	policy, err := c.policy(now)
	if err != nil {
		return err
	}
	alg, err := algorithm(c.Alg)
	if err != nil {
		return err
	}
	text, err := a.in.token(c.Token, theToken)
	if err != nil {
		return err
	}
	keys, err := c.keys(a, alg)
	if err != nil {
		return err
	}
	if policy.Decryption, err = c.decryption(a); err != nil {
		return err
	}
	// White space is trimmed here, at the edge; the library trims nothing.
	raw := strings.TrimSpace(text)
	verify := plainVerifier
	switch {
	case c.Profile == "" && (c.Legacy || c.profileFlags != profileFlags{}):
		return fail(exitUsage, "add --profile KIND", "what only a kind asks for is given, and no kind")
	case c.Profile != "":
		if verify, err = c.profile(a, &policy, raw); err != nil {
			return err
		}
	}
	payload, err := verify(context.Background(), keys, policy, raw)
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if errors.Is(err, jwt.ErrPolicy) {
		return fail(exitUsage, "see jot verify --help", "%v", err)
	}

	o := outcome{Verified: err == nil, Kind: "unknown"}
	failures := reasons(err)
	j := judge{policy: policy, keys: keys.set, raw: raw, now: now, kind: c.Profile != ""}
	j.look()
	if j.seen != nil {
		o.Kind, o.Header = string(lint.Recognize(j.seen)), j.seen.Header
	}
	if c.Profile != "" {
		o.Kind = c.Profile
	}
	if j.outer != nil {
		o.Outer = j.outer.Header
	}
	if err == nil {
		o.Claims = payload
	}
	o.Checks = j.checks(failures)

	if c.JSON {
		a.line(o)
	} else {
		for _, k := range o.Checks {
			k.write(a.terminal)
		}
	}
	if err != nil {
		return j.failure(failures, o.Checks)
	}
	if !c.JSON {
		a.data(pretty(o.Claims, "") + "\n")
	}
	return nil
}

// plainVerifier verifies a token of no kind.
func plainVerifier(ctx context.Context, keys jwk.Source, policy jwt.Policy, raw string) ([]byte, error) {
	v, err := jwt.NewVerifier[struct{}](keys, policy)
	if err != nil {
		return nil, err
	}
	return payload(v.Verify(ctx, raw))
}

// payload is what a verified token says.
func payload[C any](t *jwt.Token[C], err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return t.Payload(), nil
}

// policy is what the options ask for.
func (c *verifyCmd) policy(now time.Time) (jwt.Policy, error) {
	p := jwt.Policy{
		Issuers: c.Iss, AnyIssuer: c.AnyIssuer, Audiences: c.Aud, AnyAudience: c.AnyAudience,
		Type: c.Typ, OptionalExpiry: c.OptionalExp, IgnoreExpiry: c.IgnoreExp,
		Leeway: c.Leeway, Clock: func() time.Time { return now }, MaxSize: maxInput,
	}
	if c.Issuer != "" && len(c.Iss) == 0 && !c.AnyIssuer {
		p.Issuers = []string{c.Issuer}
	}
	sources := 0
	for _, s := range []string{c.Key, c.SecretFile, c.JWKS, c.Issuer} {
		if s != "" {
			sources++
		}
	}
	switch {
	case c.Profile == "dpop-proof" && sources > 0:
		return p, fail(exitUsage, "leave it out; --jkt names the key that the access token is bound to", "a DPoP proof has its key in itself")
	case c.Profile == "dpop-proof":
	case sources != 1:
		return p, fail(exitUsage, "jot inspect shows a token without a key", "give one of --key, --secret-file, --jwks and --issuer")
	case c.Issuer != "" && (c.AnyIssuer || slices.ContainsFunc(c.Iss, func(s string) bool { return s != c.Issuer })):
		// The keys of one issuer say nothing about the tokens of another.
		return p, fail(exitUsage, "leave it out; for keys that serve other issuers too, give --jwks URL", "--issuer is the only issuer to accept")
	case c.Profile != "": // each kind says whom it asks for
	case len(p.Issuers) == 0 && !c.AnyIssuer:
		return p, fail(exitUsage, "give --iss ISSUER, or --any-issuer to accept any", "no issuer to accept is named")
	case len(c.Aud) == 0 && !c.AnyAudience:
		return p, fail(exitUsage, "give --aud AUDIENCE, or --any-audience to accept any", "no audience to accept is named")
	}
	if c.Leeway == 0 {
		p.Leeway = jwt.NoLeeway
	}
	return p, nil
}

// verifyKeys are the keys of verify: those that were read, or those that fetch gets when
// the verifier asks for them, so that nothing is fetched for what is no token.
type verifyKeys struct {
	set   jwk.Set
	err   error
	fetch func(context.Context) (jwk.Set, error)
}

// Keys implements [jwk.Source].
func (k *verifyKeys) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	if k.fetch != nil {
		k.set, k.err = k.fetch(ctx)
		k.fetch = nil
	}
	if k.err != nil {
		return nil, k.err
	}
	return k.set.Keys(ctx, q)
}

// keys reads the keys to verify with, or says how they are fetched.
func (c *verifyCmd) keys(a *app, alg jwa.Algorithm) (*verifyKeys, error) {
	switch {
	case c.Profile == "dpop-proof":
		return &verifyKeys{}, nil
	case c.SecretFile != "":
		key, err := a.in.secretFile(c.SecretFile, alg, c.AllowWeakKey)
		if err != nil {
			return nil, err
		}
		return &verifyKeys{set: jwk.Set{key}}, nil
	case c.Issuer != "", isURL(c.JWKS):
		return c.remote(alg)
	}
	name := c.Key
	if name == "" {
		name = c.JWKS
	}
	f, err := a.in.keys(name, c.passwordFlags)
	if err != nil {
		return nil, err
	}
	set, err := a.verifiers(f, alg, c.AllowWeakKey)
	if err != nil {
		return nil, err
	}
	return &verifyKeys{set: set}, nil
}

// remote is the keys of --issuer or of the URL of --jwks.
func (c *verifyCmd) remote(alg jwa.Algorithm) (*verifyKeys, error) {
	url := c.Issuer
	if url == "" {
		url = c.JWKS
	}
	source, err := newFetcher(url, c.Issuer != "", alg)
	switch {
	case err != nil:
		return nil, err
	case c.Offline:
		return nil, fail(exitFile, "give --jwks FILE with a set that jot jwks fetch has written", "--offline: the keys of %s are not fetched", quoted(url))
	}
	return &verifyKeys{fetch: func(ctx context.Context) (jwk.Set, error) {
		all, err := source.Set(ctx)
		if err != nil {
			return nil, fetchFailure(err)
		}
		set := slices.DeleteFunc(slices.Clone(all), func(k jwk.Key) bool {
			return k.Algorithm().Use() != "sig" || alg != (jwa.Algorithm{}) && !k.Algorithm().Is(alg)
		})
		if len(set) == 0 {
			return nil, fail(exitNoKey, "jot jwks fetch shows which keys there are, and what is wrong with others", "no key of %s can be used here [key.none]", quoted(url))
		}
		return set, nil
	}}, nil
}

// decryption is what --decrypt-key asks for, or nil.
func (c *verifyCmd) decryption(a *app) (*jwt.Decryption, error) {
	alg, err := keyManagement(c.DecryptAlg)
	switch {
	case err != nil:
		return nil, err
	case c.DecryptKey == "" && (c.DecryptAlg != "" || c.AllowRSA1_5):
		return nil, fail(exitUsage, "add --decrypt-key FILE", "there is nothing to decrypt with")
	case c.DecryptKey == "":
		return nil, nil
	}
	f, err := a.in.keys(c.DecryptKey, c.passwordFlags)
	if err != nil {
		return nil, err
	}
	keys, err := a.decrypters(f, openOptions{alg: alg, rsa1_5: c.AllowRSA1_5})
	if err != nil {
		return nil, err
	}
	d := &jwt.Decryption{Keys: keys}
	if alg != (jwa.Algorithm{}) {
		d.Algorithms = []jwa.Algorithm{alg}
	}
	return d, nil
}

// judge tells the checks of one token.
type judge struct {
	policy jwt.Policy
	keys   jwk.Set
	raw    string
	seen   *unverified.Token // nil where the token cannot be taken apart
	outer  *unverified.Token // what was encrypted around seen, or nil
	sealed bool              // seen is encrypted and could not be decrypted
	kind   bool              // the token is held to the rules of a kind
	now    time.Time
}

// look takes the token apart, to tell what it says. Of an encrypted one that is the
// token inside, if it can be had; whether it may be is for the verifier to say.
func (j *judge) look() {
	seen, err := unverified.Parse(j.raw)
	if err != nil {
		return
	}
	j.seen = seen
	d := j.policy.Decryption
	if d == nil || seen.Encryption == nil {
		return
	}
	j.sealed = true
	m, err := jwe.Decrypt(context.Background(), d.Keys, j.raw, jwe.Options{Algorithms: d.Algorithms, MaxSize: maxInput, MaxPlaintext: maxInput})
	if err != nil {
		return
	}
	if inner, err := unverified.Parse(string(m.Plaintext)); err == nil {
		j.seen, j.outer, j.sealed = inner, seen, false
	}
}

// The stages of a verification, in their order. A stage is reached only when all
// before it hold; the claims are looked at only when the signature has verified.
const (
	stageForm = iota
	stageDecryption
	stageHeader
	stageCritical
	stageType
	stageAlgorithm
	stageKey
	stageSignature
	stageClaims
	stagePolicy
	stages
)

// reasons are the refusals in what Verify returned; none where it returned nil.
func reasons(err error) []error {
	var rejected *jwt.RejectError
	switch {
	case errors.As(err, &rejected):
		return rejected.Unwrap()
	case err != nil:
		return []error{err}
	}
	return nil
}

// checks lists the checks up to the stage that refused, passed and failed.
func (j *judge) checks(failures []error) []check {
	failures = slices.Clone(failures)
	reached := stages
	for _, err := range failures {
		reached = min(reached, j.stageOf(err))
	}
	var list []check
	for stage := stageForm; stage < min(reached, stagePolicy); stage++ {
		if stage != stageDecryption || j.policy.Decryption != nil {
			list = append(list, j.passed(stage))
		}
	}
	if reached >= stagePolicy {
		for _, k := range j.claimChecks() {
			answers := list
			failures = slices.DeleteFunc(failures, func(err error) bool {
				if family(codeOf(err)) != family(k.Code) {
					return false
				}
				answers = append(answers, j.refused(err, k))
				return true
			})
			if len(answers) == len(list) {
				answers = append(answers, k)
			}
			list = answers
		}
	}
	for _, err := range failures {
		list = append(list, j.refused(err, check{}))
	}
	return list
}

// family is what a code is about: exp of exp.expired.
func family(code string) string {
	f, _, _ := strings.Cut(code, ".")
	return f
}

// stageOf is the stage that a refusal comes from.
func (j *judge) stageOf(err error) int {
	code := codeOf(err)
	family := family(code)
	switch {
	case family == "dec", family == "enc", family == "zip", family == "cty":
		return stageDecryption
	case j.sealed && family != "token":
		return stageDecryption // of the header, or of the key, that encrypts
	case errors.Is(err, jwt.ErrHeader):
		return stageHeader
	case family == "token":
		return stageForm
	case family == "crit":
		return stageCritical
	case family == "typ":
		return stageType
	case code == "alg.missing", code == "alg.none", code == "alg.unknown":
		return stageHeader
	case code == "alg.mismatch", family == "key":
		return stageKey
	case family == "alg":
		return stageAlgorithm
	case family == "sig":
		return stageSignature
	case family == "json", code == "claim.type":
		return stageClaims
	}
	return stagePolicy
}

// passed is the check of a stage that holds.
func (j *judge) passed(stage int) check {
	k := check{OK: true}
	switch stage {
	case stageForm:
		k.name, k.Code, k.Spec = "form", "token.malformed", "RFC 7515, Section 7.1"
		k.text = "three parts of base64url"
		if j.policy.Decryption != nil {
			k.Spec, k.text = "RFC 7516, Section 7.1", "five parts of base64url, with three in them"
		}
	case stageDecryption:
		k.name, k.Code, k.Spec = "decryption", "dec.failed", "RFC 7516, Section 5.2"
		k.Got, k.Want = j.layer(), j.wantedDecryption()
	case stageHeader:
		k.name, k.Code, k.Spec = "header", "header.invalid", "RFC 7515, Section 4"
		k.text = "strict JSON with an algorithm"
	case stageCritical:
		k.name, k.Code, k.Spec = "crit", "crit.unknown", "RFC 7515, Section 4.1.11"
		k.text = "no extension that must be understood"
	case stageType:
		k.name, k.Code, k.Spec = "typ", "typ.mismatch", "RFC 8725, Section 3.11"
		k.Got, k.Want = j.header("typ"), j.wantedType()
	case stageAlgorithm:
		k.name, k.Code, k.Spec = "alg", "alg.not_allowed", "RFC 8725, Section 3.1"
		k.Got, k.Want = j.header("alg"), j.wantedAlgorithms()
	case stageKey:
		k.name, k.Code, k.Spec = "key", "key.none", "RFC 7515, Section 6"
		k.Got, k.Want = j.header("kid"), j.wantedKeys()
		if k.Got == "" {
			k.text = "one that fits"
		}
	case stageSignature:
		k.name, k.Code, k.Spec = "signature", "sig.invalid", "RFC 7515, Section 5.2"
		k.text = "made with that key"
	case stageClaims:
		k.name, k.Code, k.Spec = "claims", "json.syntax", "RFC 7519, Section 7.2"
		k.text = "one strict JSON object"
	}
	return k
}

// layer is how the token is encrypted.
func (j *judge) layer() string {
	t := j.outer
	if t == nil {
		t = j.seen
	}
	if t == nil {
		return ""
	}
	return strings.Join(slices.DeleteFunc([]string{t.HeaderString("alg"), t.HeaderString("enc")}, func(s string) bool { return s == "" }), " ")
}

func (j *judge) wantedDecryption() string {
	var names []string
	set, _ := j.policy.Decryption.Keys.(jwk.DecryptionSet)
	for _, k := range set {
		names = appendNew(names, k.Algorithm().Name())
	}
	return strings.Join(names, " ")
}

func (j *judge) header(name string) string {
	if j.seen == nil {
		return ""
	}
	return j.seen.HeaderString(name)
}

func (j *judge) wantedType() string {
	if j.policy.Type == "" {
		return "JWT or none"
	}
	return j.policy.Type
}

func (j *judge) wantedAlgorithms() string {
	var names []string
	for _, k := range j.keys {
		names = appendNew(names, k.Algorithm().Name())
	}
	return strings.Join(names, " ")
}

func (j *judge) wantedKeys() string {
	var names []string
	for _, k := range j.keys {
		if kid := k.KeyID(); kid != "" {
			names = appendNew(names, kid)
		}
	}
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	return strings.Join(names, " ")
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// claimChecks are the checks of the claims as if all held.
func (j *judge) claimChecks() []check {
	var members map[string]json.RawMessage
	if j.seen != nil {
		_ = json.Unmarshal(j.seen.Claims, &members) // verified by now, and known to be an object
	}
	got := func(name string) string { return plain(members[name]) }
	date := func(name string) string {
		if t, ok := numericDate(members[name]); ok {
			return moment(t, j.now)
		}
		return ""
	}
	leeway := ""
	if d := j.policy.Leeway; d > 0 {
		leeway = ", give or take " + d.String()
	}
	at := j.now.UTC().Format("2006-01-02 15:04 UTC")
	iss := check{name: "iss", Code: "iss.mismatch", Got: got("iss"), Want: strings.Join(j.policy.Issuers, " or "), Spec: "RFC 8725, Section 3.8"}
	if j.policy.AnyIssuer {
		iss.Want = "any (--any-issuer)"
	}
	aud := check{name: "aud", Code: "aud.mismatch", Got: got("aud"), Want: strings.Join(j.policy.Audiences, " or "), Spec: "RFC 7519, Section 4.1.3"}
	if j.policy.AnyAudience {
		aud.Want = "any (--any-audience)"
	}
	exp := check{name: "exp", Code: "exp.expired", Got: date("exp"), Want: "after " + at + leeway, Spec: "RFC 7519, Section 4.1.4"}
	switch {
	case j.policy.IgnoreExpiry:
		exp.Want = "any (--ignore-exp)"
	case j.policy.OptionalExpiry && exp.Got == "":
		exp.Want = "none (--optional-exp)"
	}
	list := []check{iss, aud, exp}
	if j.kind {
		// What a kind does not ask for is not among its checks.
		list = slices.DeleteFunc(list, func(k check) bool {
			return k.name == "iss" && j.policy.AnyIssuer || k.name == "aud" && j.policy.AnyAudience || k.name == "exp" && k.Got == ""
		})
	}
	for _, d := range []struct{ name, code, spec string }{
		{"nbf", "nbf.early", "RFC 7519, Section 4.1.5"},
		{"iat", "iat.future", "RFC 7519, Section 4.1.6"},
	} {
		if when := date(d.name); when != "" {
			list = append(list, check{name: d.name, Code: d.code, Got: when, Want: "not after " + at + leeway, Spec: d.spec})
		}
	}
	for i := range list {
		list[i].OK = true
	}
	return list
}

// plain is a claim's value as text: a string without its quotes, the rest as JSON.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// refused is the check that an error is about; holds is the same check, had it held.
func (j *judge) refused(err error, holds check) check {
	k := check{Code: codeOf(err), Spec: specOf(err), text: err.Error()}
	var claim *jwt.ClaimError
	if errors.As(err, &claim) {
		k.name, k.Code, k.Got, k.Want, k.Spec = claim.Claim, claim.Code, claim.Got, claim.Want, claim.Spec
		if k.Code == holds.Code {
			k.Got, k.Want = holds.Got, holds.Want
		}
		return k
	}
	k.name = family(k.Code)
	switch j.stageOf(err) {
	case stageForm:
		k.name = "form"
	case stageDecryption:
		k.name = "decryption"
		if family(k.Code) == "alg" {
			k.Got, k.Want = j.layer(), j.wantedDecryption()
		}
	case stageHeader:
		k.name = "header"
		if strings.HasPrefix(k.Code, "alg.") {
			k.name, k.Got, k.Want = "alg", j.header("alg"), j.wantedAlgorithms()
		}
	case stageType:
		k.Got, k.Want = j.header("typ"), j.wantedType()
	case stageAlgorithm:
		k.Got, k.Want = j.header("alg"), j.wantedAlgorithms()
	case stageKey:
		k.name = "key"
		k.Got, k.Want = j.header("kid"), j.wantedKeys()
		if k.Code == "alg.mismatch" {
			k.Got, k.Want = j.header("alg"), j.wantedAlgorithms()
		}
	case stageSignature:
		k.name = "signature"
	case stageClaims:
		k.name = "claims"
	}
	return k
}

func (k check) write(t *terminal) {
	mark, colour := "ok    ", green
	if !k.OK {
		mark, colour = "FAILED", red
	}
	var parts []string
	if k.Got != "" {
		parts = append(parts, k.Got)
	}
	switch {
	case k.OK && k.text != "":
		parts = append(parts, k.text)
	case k.OK && k.Got == "" && k.Want != "":
		parts = append(parts, "none, as wanted: "+k.Want)
	case !k.OK && k.Want != "":
		parts = append(parts, "wanted "+k.Want)
	case !k.OK && k.text != "":
		parts = append(parts, k.text)
	}
	if !k.OK {
		parts = append(parts, "["+k.Code+"] "+k.Spec)
	}
	fmt.Fprintf(t.stderr, "%s %-10s %s\n", paint(t.errColour, colour, mark), visible(k.name), visible(oneLine(strings.Join(parts, ", "))))
}

// failure is the error line of a refusal, with what can be done about it.
func (j *judge) failure(failures []error, checks []check) *failure {
	refused := slices.DeleteFunc(slices.Clone(checks), func(k check) bool { return k.OK })
	f := &failure{code: exitRefused}
	first := refused[0]
	stage := j.stageOf(failures[0])
	switch {
	case family(first.Code) == "token", family(first.Code) == "json":
		f.code = exitUnreadable
	case stage == stageKey:
		f.code = exitNoKey
	case stage == stageDecryption:
		f.code = exitCodeOf(failures[0])
	}
	if len(refused) == 1 {
		f.msg = "the token is refused: " + failures[0].Error()
		if !strings.HasPrefix(failures[0].Error(), first.Code+":") { // a claim's error begins with its code
			f.msg += inCode(failures[0])
		}
	} else {
		var codes []string
		for _, k := range refused {
			codes = append(codes, k.Code)
		}
		f.msg = fmt.Sprintf("the token is refused for %d reasons: %s", len(codes), strings.Join(codes, ", "))
	}
	f.hint = j.hint(failures, first)
	return f
}

func (j *judge) hint(failures []error, first check) string {
	for _, err := range failures {
		var claim *jwt.ClaimError
		if errors.As(err, &claim) && claim.Hint != "" {
			return claim.Hint
		}
	}
	switch first.Code {
	case "token.encrypted":
		return "give --decrypt-key FILE; jot decrypt shows what is inside"
	case "token.signed":
		return "leave out --decrypt-key for a token that is only signed"
	case "cty.mismatch":
		return "jot encrypt --cty JWT sets it; jot decrypt shows what is inside"
	}
	switch stage := j.stageOf(failures[0]); {
	case stage == stageForm && (j.policy.Decryption == nil || !strings.HasPrefix(j.raw, "eyJ")):
		return formHint(j.raw)
	case stage == stageForm:
		return sealedHint(j.raw)
	case stage == stageDecryption:
		set, _ := j.policy.Decryption.Keys.(jwk.DecryptionSet)
		return asFailure(decryptFailure(set, j.raw, failures[0])).hint
	}
	switch first.Code {
	case "typ.mismatch":
		if typ := j.header("typ"); typ != "" && j.policy.Type == "" {
			return "if that is the type you expect, say so with --typ " + typ
		}
		return "this may be a token for another use: jot lint says which"
	case "alg.not_allowed", "alg.mismatch", "key.none":
		alg := j.header("alg")
		if !slices.ContainsFunc(j.keys, func(k jwk.Key) bool { return named(k.Algorithm(), alg) }) {
			return "the token says " + quoted(alg) + "; the key is for " + j.wantedAlgorithms()
		}
		if kid := j.header("kid"); kid != "" && j.wantedKeys() != "" {
			return "the token names the key " + quoted(kid) + "; you gave " + quoted(j.wantedKeys())
		}
	case "sig.invalid":
		return "this is not the key, or the token was changed"
	case "exp.expired":
		return "ask the issuer for a new token; --now judges by another time"
	case "exp.missing":
		return "--optional-exp accepts a token without exp"
	case "iss.missing", "aud.missing":
		return "jot inspect shows what the token has"
	}
	return "jot explain " + first.Code + " says more"
}

// named reports whether name is one of alg's names.
func named(alg jwa.Algorithm, name string) bool {
	other, _ := jwa.Lookup(name)
	return alg.Is(other)
}

// formHint says what a text is that is not one compact token.
func formHint(raw string) string {
	scheme, rest, _ := strings.Cut(raw, " ")
	switch {
	case strings.EqualFold(scheme, "bearer"), strings.EqualFold(scheme, "dpop"), strings.EqualFold(scheme, "jwt"):
		if rest != "" {
			return "leave out the word " + scheme + "; jot inspect understands it"
		}
	case len(raw) > 1 && (raw[0] == '"' || raw[0] == '\''):
		return "leave out the quotation marks; jot inspect understands them"
	case strings.Contains(raw, "~"):
		return "this looks like an SD-JWT; its issuer-signed part can be taken out: jot inspect --json - | jq -r .issuer_jwt"
	case strings.HasPrefix(raw, "{"):
		return "JSON is not a compact token; jot inspect looks into it"
	case strings.ContainsAny(raw, " \t\r\n"):
		return "this is a text, not one token; jot inspect finds the tokens in it"
	case strings.ContainsAny(raw, "%&?=+/"):
		return "this is encoded for a URL, padded, or glued to other parameters; jot inspect finds the token in it"
	case strings.Count(raw, ".") < 2:
		return "look whether the token was cut off when it was copied"
	}
	return "a token has three parts of A-Z a-z 0-9 - _ with a dot between them"
}
