package lint_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

// An access token as Cognito makes it: what a strict API has against it, and what to write to accept it.
func Example() {
	const raw = "eyJhbGciOiJFUzI1NiJ9." +
		"eyJpc3MiOiJodHRwczovL2lzcy5leGFtcGxlIiwic3ViIjoidSIsImNsaWVudF9pZCI6ImFwcCIsInRva2VuX3VzZSI6ImFjY2VzcyIsInNjb3BlIjoicmVhZCIsImp0aSI6ImoiLCJpYXQiOjE3NjcyNjg4MDAsImV4cCI6MTc2NzI3MjQwMH0." +
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	t, err := unverified.Parse(raw)
	if err != nil {
		panic(err)
	}
	report := lint.Lint(t, lint.Options{Now: time.Unix(1767268860, 0)})
	var strict, legacy lint.Verdict = report.Strict, report.Legacy
	fmt.Println(report.Kind, strict.Accepts, legacy.Accepts, legacy.Options)
	for _, f := range report.Findings {
		fmt.Println(f.Severity, f.Rule, f.Place)
	}
	fmt.Println(report.Count(lint.Error), report.Count(lint.Warning), report.Count(lint.Note))
	// Output:
	// access-token false true [accesstoken.Lenient{Claim: "token_use", Value: "access", Clients: []string{"app"}}]
	// warning typ.mismatch header.typ
	// warning aud.missing claims.aud
	// 0 2 0
}

// Tokens are found in any text; what follows one there may be stuck to it.
func ExampleLint() {
	const text = "the token is eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIiwiZXhwIjoxfQ.&state=x"
	for _, found := range unverified.Find(text) {
		report := lint.Lint(found.Token, lint.Options{Kind: "jwt", Before: text[:found.Start], After: text[found.End:]})
		for _, f := range report.Findings {
			var severity lint.Severity = f.Severity
			if severity != lint.Note {
				printFinding(f)
			}
		}
	}
	// Output:
	// error in header.alg: alg.none
	//   do: sign it; there is no option that accepts it
}

func printFinding(f lint.Finding) {
	fmt.Printf("%s in %s: %s\n  do: %s\n", f.Severity, f.Place, f.Rule, f.Remedy)
}

func ExampleRules() {
	for _, r := range lint.Rules() {
		var rule lint.Rule = r
		if strings.HasPrefix(rule.ID, "kind.") {
			fmt.Println(rule.ID, "|", rule.Text, "|", rule.Spec)
		}
	}
	// Output:
	// kind.mismatch | A claim says that this is another kind of token. | RFC 8725, Section 3.12
}

func ExampleRecognize() {
	for _, s := range []string{
		"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhIn0.AAAA",
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJhIiwic3ViIjoicyIsImF1ZCI6ImMiLCJleHAiOjF9.AAAA",
	} {
		t, err := unverified.Parse(s)
		if err != nil {
			panic(err)
		}
		var kind lint.Kind = lint.Recognize(t)
		fmt.Println(kind, lint.Alternatives(t))
	}
	fmt.Println(lint.Kinds()[:3])
	// Output:
	// access-token []
	// userinfo [id-token authorization-grant]
	// [jwt id-token access-token]
}
