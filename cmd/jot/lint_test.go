package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/lint"
)

// TestSARIF holds the output to what the standard requires of the members that are in it.
func TestSARIF(t *testing.T) {
	name := filepath.Join(seedsDir(t), seedArticle)
	code, out, errs := jot(t, "", "lint", "--sarif", "@"+name)
	if code != exitFindings {
		t.Fatalf("exit %d: %s", code, errs)
	}
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			ColumnKind string
			Tool       struct {
				Driver struct {
					Name  string
					Rules []struct {
						ID               string
						ShortDescription struct{ Text string }
						Help             *struct{ Text string }
					}
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
					}
					LogicalLocations []struct{ FullyQualifiedName string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "jot" || log.Runs[0].ColumnKind != "unicodeCodePoints" {
		t.Fatalf("%.300s", out)
	}
	run := log.Runs[0]
	seen := map[string]bool{}
	for _, r := range run.Tool.Driver.Rules {
		if seen[r.ID] || r.ShortDescription.Text == "" || r.Help != nil && r.Help.Text == "" {
			t.Errorf("rule %+v", r)
		}
		seen[r.ID] = true
	}
	inside := false
	for _, r := range run.Results {
		if r.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("%s is not rule %d", r.RuleID, r.RuleIndex)
		}
		if !slices.Contains([]string{"error", "warning", "note"}, r.Level) || r.Message.Text == "" || len(r.Locations) != 1 || len(r.Locations[0].LogicalLocations) != 1 {
			t.Errorf("%+v", r)
		}
		at := r.Locations[0].PhysicalLocation
		if g := at.Region; g.StartLine < 1 || g.StartColumn < 1 || g.EndLine < g.StartLine || g.EndLine == g.StartLine && g.EndColumn <= g.StartColumn || !strings.HasSuffix(at.ArtifactLocation.URI, seedArticle) {
			t.Errorf("%+v", at)
		}
		inside = inside || strings.HasPrefix(r.Locations[0].LogicalLocations[0].FullyQualifiedName, "claims.login_hint_token/")
	}
	if len(run.Results) < 40 || !inside {
		t.Errorf("%d results, with those of tokens inside: %t", len(run.Results), inside)
	}
}

// TestFileURI: a URI reference in SARIF has no characters that a URI has not.
func TestFileURI(t *testing.T) {
	for arg, want := range map[string]string{"": "stdin", "-": "stdin", "@a/b.txt": "a/b.txt", "@a b%.txt": "a%20b%25.txt", `@a\b`: "a/b", "@a:b": "./a:b"} {
		if got := fileURI(arg); got != want {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
}

// TestProfilesAreKinds: every kind that verify knows is one of lint's, and lint asks the same package.
func TestProfilesAreKinds(t *testing.T) {
	for _, name := range profileNames() {
		if !slices.Contains(lint.Kinds(), lint.Kind(name)) {
			t.Errorf("%s is no kind", name)
		}
	}
	for _, k := range lint.Kinds() {
		found := false
		for _, w := range words {
			found = found || w.what == "kind" && w.word == string(k)
		}
		if !found {
			t.Errorf("explain does not know %s", k)
		}
	}
}

// TestLintPlural counts findings in words.
func TestLintPlural(t *testing.T) {
	report := func(severities ...lint.Severity) *linted {
		r := &linted{}
		for _, s := range severities {
			r.Findings = append(r.Findings, lint.Finding{Severity: s})
		}
		return r
	}
	for want, r := range map[string]*linted{
		"1 error found":                report(lint.Error),
		"2 errors and 1 warning found": report(lint.Error, lint.Warning, lint.Error),
		"2 warnings found":             report(lint.Warning, lint.Warning, lint.Note),
	} {
		if err := lintFailure([]*linted{r}); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := lintFailure([]*linted{report(lint.Note)}); err != nil {
		t.Error(err)
	}
}
