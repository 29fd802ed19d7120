package profile_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

// codes are those of a refusal.
func codes(err error) []string {
	if r, ok := errors.AsType[*jwt.RejectError](err); ok {
		return r.Codes()
	}
	return nil
}

// TestLint compares the verdicts of the linter with those of the verifiers, over the whole matrix: what a verifier accepts, the
// linter does not refuse, and what it refuses for no reason but the claims themselves, the linter does not accept.
func TestLint(t *testing.T) {
	// What only the policy or the request shows: the linter makes them of the token.
	elsewhere := []string{
		"iss.mismatch", "aud.mismatch", "aud.untrusted", "client_id.mismatch", "nonce.missing", "nonce.mismatch", "state.missing", "state.mismatch",
		"htm.mismatch", "htu.mismatch", "qsh.mismatch", "sig.invalid", "key.none", "alg.not_allowed", "alg.mismatch",
	}
	kinds := lint.Kinds()
	compared := 0
	for _, c := range columns(t) {
		name, form, _ := strings.Cut(c.name, ", ")
		kind := lint.Kind(name)
		if !slices.Contains(kinds, kind) {
			continue
		}
		for _, s := range samples {
			raw := s.sign(t, s.typ)
			tok, err := unverified.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			r := lint.Lint(tok, lint.Options{Kind: kind})
			verdict := r.Strict
			if form != "" {
				verdict = r.Legacy
			}
			err = c.verify(raw)
			switch {
			case err == nil && !verdict.Accepts:
				t.Errorf("%s ← %s: the linter refuses it: %v", c.name, s.kind, verdict.Codes)
			case err != nil && verdict.Accepts && form == "" && !slices.ContainsFunc(codes(err), func(code string) bool { return slices.Contains(elsewhere, code) }):
				t.Errorf("%s ← %s: the linter accepts it: %v", c.name, s.kind, err)
			}
			compared++
		}
	}
	if compared < 200 {
		t.Errorf("only %d cells were compared", compared)
	}
}
