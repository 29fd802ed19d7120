package lint

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
)

// nobody stands for whom a token does not name, so that a policy is complete and the verifier says what is missing.
const nobody = "https://lint.invalid"

// subject is the token that is looked at, with what a policy needs to know of it.
type subject struct {
	t    *unverified.Token
	kind Kind
	now  time.Time

	before, after string // of the text that it was found in

	iss, sub      string
	aud           []string
	exp, iat, nbf time.Time // zero where absent, and where unreadable
	at            time.Time // when the token was good

	key         jwk.Signer // thrown away
	public      jwk.Verifier
	findings    []Finding
	eventFaults []error  // what is wrong with the events of a security event token that is accepted
	intrinsic   []string // codes of what every verifier refuses in the token as it is, before it looks at the claims
}

func newSubject(t *unverified.Token, kind Kind, o Options) *subject {
	s := &subject{t: t, kind: kind, now: o.Now, before: o.Before, after: o.After}
	s.iss, s.sub = t.ClaimString("iss"), t.ClaimString("sub")
	var aud jwt.Audience
	if raw := t.Claim("aud"); raw != nil && aud.UnmarshalJSON(raw) == nil {
		s.aud = aud
	}
	s.exp, s.iat, s.nbf = s.date("exp"), s.date("iat"), s.date("nbf")
	s.at = s.iat
	if s.nbf.After(s.at) {
		s.at = s.nbf
	}
	switch {
	case !s.at.IsZero():
	case !s.exp.IsZero():
		s.at = s.exp.Add(-time.Second)
	default:
		s.at = s.now
	}
	return s
}

func (s *subject) date(name string) time.Time {
	var d jwt.NumericDate
	if raw := s.t.Claim(name); raw == nil || d.UnmarshalJSON(raw) != nil {
		return time.Time{}
	}
	return d.Time
}

// issuer, audience and client are whom a policy names.
func (s *subject) issuer() string { return or(s.iss, nobody) }

func (s *subject) audience() string {
	if len(s.aud) == 0 {
		return nobody
	}
	return or(s.aud[0], nobody)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// policy is what every verifier is told.
func (s *subject) policy() jwt.Policy {
	at := s.at
	return jwt.Policy{Clock: func() time.Time { return at }}
}

func (s *subject) keys() jwk.Set { return jwk.Set{s.public} }

// find adds a finding; text stands in the sentence of the rule where that has a place for it.
func (s *subject) find(rule string, severity Severity, place, text string) {
	r := rules[rule]
	s.add(Finding{Rule: rule, Severity: severity, Place: place, Message: r.says(text), Spec: r.Spec, Remedy: strings.Replace(r.Remedy, "%s", text, 1)})
}

func (s *subject) add(f Finding) {
	if !slices.ContainsFunc(s.findings, func(have Finding) bool { return have.Rule == f.Rule && have.Place == f.Place }) {
		s.findings = append(s.findings, f)
	}
}

func (s *subject) errors() bool {
	return slices.ContainsFunc(s.findings, func(f Finding) bool { return f.Severity == Error })
}

// refuse adds what every verifier refuses.
func (s *subject) refuse(f Finding) {
	f.Severity = Error
	if f.Remedy == "" {
		f.Remedy = rules[f.Rule].Remedy
	}
	if f.Message == "" {
		f.Message = rules[f.Rule].says("")
	}
	if f.Spec == "" {
		f.Spec = rules[f.Rule].Spec
	}
	s.add(f)
	if !slices.Contains(s.intrinsic, f.Rule) {
		s.intrinsic = append(s.intrinsic, f.Rule)
	}
}

// sign makes the token anew: the same payload, byte by byte, and the same header, but for what names a key. A typ of "-" is
// that of the token; crit is left out where it was judged before.
func (s *subject) sign(typ string) (string, error) {
	header := map[string]json.RawMessage{}
	_ = json.Unmarshal(s.t.Header, &header) // what is no object has no members
	for _, name := range []string{"kid", "x5c", "x5t", "x5t#S256", "x5u", "jku", "jwk", "crit", "b64"} {
		delete(header, name)
	}
	header["alg"] = quote(s.key.Algorithm().Name())
	if s.kind == dpopProof {
		header["jwk"], _ = json.Marshal(s.key.JWK().Public())
	}
	switch {
	case typ == "":
		delete(header, "typ")
	case typ != "-":
		header["typ"] = quote(typ)
	}
	raw, _ := json.Marshal(header) // what was JSON is
	input := b64url.EncodeToString(raw) + "." + b64url.EncodeToString(s.t.Payload)
	sig, err := s.key.Sign(context.Background(), []byte(input))
	return input + "." + b64url.EncodeToString(sig), err
}

func quote(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string has JSON
	return b
}

// substitutes are the algorithms of the keys that are thrown away. Those of RSA, whose keys take long to make, are stood in for
// by those of the same hash.
var substitutes = map[string]jwa.Algorithm{
	"HS256": jwa.HS256, "HS384": jwa.HS384, "HS512": jwa.HS512,
	"RS384": jwa.ES384, "PS384": jwa.ES384, "ES384": jwa.ES384,
	"RS512": jwa.ES512, "PS512": jwa.ES512, "ES512": jwa.ES512,
	"EdDSA": jwa.EdDSA, "Ed25519": jwa.Ed25519,
}

func (s *subject) makeKey() error {
	alg, ok := substitutes[s.t.HeaderString("alg")]
	if !ok || alg.Symmetric() && (s.kind == dpopProof || s.kind == clientPoP) { // which have their key in a token
		alg = jwa.ES256
	}
	if alg.Symmetric() {
		k, err := jwk.NewSecretKey(alg, "", []byte(strings.Repeat("thrown away ", 8)))
		s.key, s.public = k, k
		return err
	}
	k, err := jwk.Generate(alg)
	if err == nil {
		s.key, s.public = k, k.Public().WithKeyID("") // the header of the token names no key anymore
	}
	return err
}

// refusal is one reason why a verifier refuses the token.
type refusal struct{ code, place, message, spec, hint string }

func (r refusal) same(other refusal) bool { return r.code == other.code && r.place == other.place }

// outcome is what a verifier says under one policy. The refusals go on where it stopped at the header.
type outcome struct {
	verdict  Verdict
	refusals []refusal
}

func (o *outcome) has(r refusal) bool { return slices.ContainsFunc(o.refusals, r.same) }

// run gives the token to a verifier; where that stops at the typ, it is given the token with the one of the kind, to hear the
// rest. What the codes of ignored refuse is due to what is not known here.
func (s *subject) run(typ string, ignored []string, verify func(raw string) error) (o outcome) {
	for first := true; ; first = false {
		use := "-"
		if !first {
			use = typ
		}
		raw, err := s.sign(use)
		if err == nil {
			err = verify(raw)
		}
		list := refusals(err)
		list = slices.DeleteFunc(list, func(r refusal) bool { return slices.Contains(ignored, r.code) })
		for _, r := range list {
			if first {
				o.verdict.Codes = append(o.verdict.Codes, r.code)
			}
			if !o.has(r) {
				o.refusals = append(o.refusals, r)
			}
		}
		if first {
			o.verdict.Accepts = len(list) == 0
		}
		if !first || !slices.ContainsFunc(list, func(r refusal) bool { return r.code == "typ.mismatch" }) {
			return o
		}
	}
}

// refusals are the reasons in what a verifier has returned.
func refusals(err error) (list []refusal) {
	if err == nil {
		return nil
	}
	reject, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		return []refusal{{code: or(fault.CodeOf(err), "policy.invalid"), place: "token", message: err.Error()}}
	}
	for _, reason := range reject.Unwrap() {
		list = append(list, newRefusal(reason))
	}
	return list
}

func newRefusal(err error) refusal {
	if e, ok := errors.AsType[*jwt.ClaimError](err); ok {
		r := refusal{code: e.Code, place: "claims", message: "wanted: " + e.Want, spec: e.Spec, hint: e.Hint}
		if e.Claim != "" {
			r.place += "." + e.Claim
		}
		if strings.HasSuffix(e.Code, ".missing") {
			r.message = e.Claim + " is missing"
		} else if e.Want == "" {
			r.message = e.Error()
		}
		return r
	}
	r := refusal{code: fault.CodeOf(err), place: "token", message: err.Error()}
	var spec interface{ Spec() string }
	if errors.As(err, &spec) {
		r.spec = spec.Spec()
	}
	switch family, _, _ := strings.Cut(r.code, "."); {
	case family == "key":
		r.place = "header.jwk"
	case errors.Is(err, jwt.ErrHeader), errors.Is(err, jwt.ErrCritical):
		r.place = "header"
	case family == "typ", family == "alg", family == "cty":
		r.place = "header." + family
	case family == "json", family == "claim":
		r.place = "claims"
	case family == "sig":
		r.place = "signature"
	}
	return r
}
