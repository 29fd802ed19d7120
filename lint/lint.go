// Package lint says which kind of token this is, which rules of that kind it breaks, and what can be done about each. What it
// says rests on what the token itself says, which nobody has verified: it is for tools, and decides nothing.
//
//	t, err := unverified.Parse(raw)
//	report := lint.Lint(t, lint.Options{})
//	for _, f := range report.Findings {
//		fmt.Println(f.Severity, f.Rule, f.Place, f.Message, f.Remedy)
//	}
//
// # How it judges
//
// The rules are those of the verifiers. The token is signed anew with a key that is made for it and thrown away, and is given to
// the verifier of its kind with a policy that is made of the token itself: its iss is who is trusted, its aud who verifies, its own
// nonce the one that was sent, and the time is one at which it was good. So the verifier refuses nothing but what the token
// breaks by itself. That happens once under the strict policy, and once more with those of the kind's named options (Legacy…, Lenient…)
// that accept more of it. What both refuse is an error, what an option accepts is a warning whose remedy names that option.
//
// What no verifier looks at is added: keys that should not be there, secrets that everyone knows, header members that lead
// nowhere, times that have passed. Such rules have names that begin with lint. unless a verifier has the same rule.
//
// Nothing here says that a token is genuine. Its signature is checked where the key is in the token itself, as in a
// DPoP proof, and that proves no more than that the two belong together.
package lint

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/jotsuite/jot/jose/unverified"
)

// Options say how to look at a token. The zero Options are good for most.
type Options struct {
	// Kind is the kind to hold the token to. Empty is that of [Recognize].
	Kind Kind
	// Now is the time to say by that a token has expired; zero is the clock's.
	Now time.Time
	// Before and After are the text around the token where it was found, for what is stuck to its end. A few bytes of each are enough.
	Before, After string
}

// Severity is how much a finding weighs.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // no verifier of the kind accepts it
	Warning Severity = "warning" // one with a named option does, or it is an attack on who is careless
	Note    Severity = "note"    // breaks no rule, and is good to know
)

// Finding is one rule that a token breaks, or something to know about it.
type Finding struct {
	// Rule is the code of the refusal, such as aud.missing, or a name that begins with lint. They are stable.
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Place    string   `json:"place"` // such as header.typ, claims.exp, signature, token
	Message  string   `json:"message"`
	Spec     string   `json:"spec,omitempty"`   // the clause
	Remedy   string   `json:"remedy,omitempty"` // what to do
}

// Verdict is what the verifier of the kind says of the token, signed anew with a key that it trusts and at a time at which it was good.
type Verdict struct {
	Accepts bool `json:"accepts"`
	// Options are those by which this verdict differs from the strict one, as they are written in Go.
	Options []string `json:"options,omitempty"`
	// Codes are those of the refusals.
	Codes []string `json:"codes,omitempty"`
}

// Report is what there is to say of one token.
type Report struct {
	Kind         Kind   `json:"kind"`
	Alternatives []Kind `json:"alternatives,omitempty"` // which its claims do not tell from Kind
	// Verifier is the package whose verifier has judged: jose/jwt where the kind has none of its own here, and then only the
	// general rules were looked at; empty for what is encrypted or no token.
	Verifier string `json:"verifier,omitempty"`
	// Strict is the verdict under the strict policy. Legacy is that with the fewest options that accept it or, where none do,
	// that accept most of it; where no option helps it is the same.
	Strict   Verdict   `json:"strict"`
	Legacy   Verdict   `json:"legacy"`
	Findings []Finding `json:"findings"`
	// Inside are the reports of the tokens in this one: the payload, the key binding of an SD-JWT, claims such as login_hint_token.
	Inside []Report `json:"inside,omitempty"`
	// Place is where a token inside another stands, such as claims.login_hint_token.
	Place string `json:"place,omitempty"`
}

// Count returns how many findings of a severity there are, in the tokens inside too.
func (r *Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	for i := range r.Inside {
		n += r.Inside[i].Count(s)
	}
	return n
}

func weight(s Severity) int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Lint holds a token to the rules of its kind. It never fails: what cannot be read is a finding too.
func Lint(t *unverified.Token, o Options) Report {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	return lint(t, o, 0)
}

// maxDepth and maxInside bound the tokens inside a token that are looked at.
const (
	maxDepth  = 4
	maxInside = 16
)

func lint(t *unverified.Token, o Options, depth int) Report {
	kind, others := recognize(t)
	if o.Kind != "" {
		kind, others = o.Kind, nil
	}
	s := newSubject(t, kind, o)
	r := Report{Kind: kind, Alternatives: others}
	switch {
	case kind == encrypted || t.Encryption != nil:
		s.encrypted()
	case t.Form == unverified.Prefixed:
		s.find("lint.prefixed", Warning, "token", "")
	default:
		s.original()
		if err := s.makeKey(); err != nil { // no randomness, or a FIPS mode that forbids the algorithm
			s.add(Finding{Rule: "lint.unjudged", Severity: Note, Place: "token", Message: "the rules of the kind were not looked at: " + err.Error()})
		} else {
			s.judge(&r)
		}
		s.own()
	}
	s.stuck()
	if r.Verifier == "" && s.errors() { // nobody could be asked
		r.Strict.Codes = s.intrinsic
		r.Legacy.Codes = s.intrinsic
	}
	if depth < maxDepth {
		r.Inside = inside(t, o.Now, depth+1)
	}
	slices.SortStableFunc(s.findings, func(a, b Finding) int { return cmp.Compare(weight(a.Severity), weight(b.Severity)) })
	r.Findings = s.findings
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	return r
}

// inside looks at the tokens inside a token.
func inside(t *unverified.Token, now time.Time, depth int) (list []Report) {
	add := func(place string, t *unverified.Token) {
		r := lint(t, Options{Now: now}, depth)
		r.Place = place
		list = append(list, r)
	}
	if t.Nested != nil {
		add("payload", t.Nested)
	}
	if t.KeyBinding != nil {
		add("key binding", t.KeyBinding)
	}
	var claims map[string]json.RawMessage
	_ = json.Unmarshal(t.Claims, &claims) // what is no object has none
	for _, name := range sorted(claims) {
		raw := t.ClaimString(name)
		if len(list) == maxInside {
			break
		}
		if in, err := unverified.Parse(raw); err == nil {
			add("claims."+name, in)
		}
	}
	return list
}
