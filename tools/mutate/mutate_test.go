package main

import (
	"bytes"
	"encoding/json"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// survivors are the mutants of testdata/fixture that its tests do not kill.
const survivors = `
rules: Check: operand n == 60
rules: Word: case "none"
rules: Word: case len(s) > 9, s == "ok!"
rules: Word: operand len(s) > 9
rules: Word: operand s == "ok!"
rules: Both: operand a
rules: Twice: if n < 0
rules: Twice: if n <= -1
`

// runFixture mutates testdata/fixture with the given explanations.
func runFixture(t *testing.T, explained string, change func(*options)) (ok bool, out string, results []*result) {
	t.Helper()
	dir := t.TempDir()
	o := options{
		root: filepath.Join("testdata", "fixture"), explain: filepath.Join(dir, "explained.txt"), jsonFile: filepath.Join(dir, "out.json"),
		modules: []string{"."}, workers: 2, timeout: 4 * time.Second,
	}
	if err := os.WriteFile(o.explain, []byte(explained), 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	var stdout, stderr bytes.Buffer
	ok, err := mutate(o, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	b, err := os.ReadFile(o.jsonFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &results); err != nil {
		t.Fatal(err)
	}
	return ok, stdout.String(), results
}

func TestFixture(t *testing.T) {
	ok, out, results := runFixture(t, "", nil)
	if ok {
		t.Error("survivors are not reported")
	}
	want := map[string]bool{}
	for _, key := range strings.Split(strings.TrimSpace(survivors), "\n") {
		want[key] = true
		if !strings.Contains(out, "\t"+key+"\n") {
			t.Errorf("the report lacks %s", key)
		}
	}
	for _, r := range results {
		survives := r.Outcome == survived || r.Outcome == unreached
		if survives != want[r.Key] {
			t.Errorf("%s:%d: %s: %s", r.File, r.Line, r.Key, r.Outcome)
		}
		switch {
		case strings.Contains(r.Key, ": Used: ") && r.By != "uses TestUse":
			t.Errorf("%s is killed by %q, not by the tests of the package that uses it", r.Key, r.By)
		case strings.Contains(r.Key, ": Forever: ") && r.Outcome != timedOut:
			t.Errorf("%s: %s, but nothing ends it", r.Key, r.Outcome)
		}
	}
	// One of each kind, so that a kind that is no longer found fails the test.
	kinds := map[string]int{}
	for _, r := range results {
		kinds[r.Kind]++
	}
	for _, k := range []string{"if", "operand", "case", "default", "else", "return", "skip"} {
		if kinds[k] == 0 {
			t.Errorf("no mutant of kind %q", k)
		}
	}
}

func TestExplanations(t *testing.T) {
	all := strings.ReplaceAll(strings.TrimSpace(survivors), "\n", "\n\tbecause\n") + "\n\tbecause\n"
	quick := func(o *options) { o.run = "Check|Twice|Word|Both" }
	if ok, out, _ := runFixture(t, all, quick); !ok {
		t.Errorf("every survivor is explained, but:\n%s", out)
	}
	ok, out, _ := runFixture(t, all+"rules: Check: if n < 0\n\ta test kills it\nrules: Gone: if true\n\tthere is no such function\n", quick)
	if ok {
		t.Error("explanations that nothing needs are accepted")
	}
	for _, want := range []string{"but the tests kill it:\n\trules: Check: if n < 0\n", "but there is no such mutant:\n\trules: Gone: if true\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the report lacks %q:\n%s", want, out)
		}
	}
	for name, text := range map[string]string{
		"no reason at the end": "a: b: if c\n",
		"no reason between":    "a: b: if c\nd: e: if f\n\treason\n",
		"reason first":         "\treason\n",
		"twice":                "a: b: if c\n\treason\na: b: if c\n\treason\n",
	} {
		if _, err := explanations(strings.NewReader(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestFind looks at the shapes that the fixture does not have.
func TestFind(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"negated chain", "func f(a, b bool) error { if !(a && b) { return errX }; return nil }", "if !(a && b)|operand a|operand b"},
		{"a conjunction is one rule", "func f(a, b bool) error { if a && b { return errX }; return nil }", "if a && b"},
		{"chain inside a conjunction", "func f(a, b, c bool) error { if a && (b || c) { return errX }; return nil }", "if a && (b || c)|operand b|operand c"},
		{"recorded", "func f(a bool) (err error) { if a { err = errX; return }; return nil }", "if a"},
		{"kept in a list", "func f(a bool) { var l []error; for { if a { l = append(l, errX); continue }; _ = l } }", "if a"},
		{"refusing call", "func f(a bool) { if a { fail(1) } }", "if a"},
		{"minus one", "func f(a bool) int { if a { return -1 }; return 0 }", "if a"},
		{"a quick way out is no rule", "func f(a bool) (int, error) { if a { return 1, nil }; return 2, nil }", ""},
		{"else that ends the function", "func f(a bool) error { if a { return nil } else { return errX } }", "return errX"},
		{"default that ends the function", "func f(a int) error { switch a { case 1: return nil; default: return errX } }", "return errX"},
		{"types", "func f(a any) error { switch a.(type) { case int: return errX; case nil: return nil; default: return errX } }", "return errX|return errX"},
		{"method", "type T struct{}; func (t *T) f(a bool) bool { if a { return false }; return true }", "if a"},
		{"variable", "var v = func(a bool) bool { if a { return false }; return true }", "if a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := []byte("package p\nimport \"errors\"\nvar errX = errors.New(\"x\")\nfunc fail(int) {}\n" + tt.body + "\n")
			next := 0
			got, err := find("p", "p/p.go", src, &next, map[string]int{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, m := range got {
				names = append(names, m.Kind+" "+m.Text)
			}
			if s := strings.Join(names, "|"); s != tt.want {
				t.Errorf("got %s\nwant %s", s, tt.want)
			}
			changed, _ := apply(src, got)
			if _, err := format.Source(changed); err != nil {
				t.Errorf("%v in\n%s", err, changed)
			}
		})
	}
}

// TestDropped has a rule whose mutant does not compile: the type of its condition
// is not bool, which the syntax does not tell.
func TestDropped(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/dropped\n\ngo 1.26\n",
		"p/p.go": "package p\n\nimport \"errors\"\n\ntype flag bool\n\nfunc F(n int, f flag) error {\n" +
			"\tif n > 1 {\n\t\treturn errors.New(\"n\")\n\t}\n\tif f {\n\t\treturn errors.New(\"f\")\n\t}\n\treturn nil\n}\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tif F(2, false) == nil || F(1, false) != nil {\n\t\tt.Error(\"wrong\")\n\t}\n}\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The rest of the run goes on, and what is left out is told.
	ok, out, results := runFixture(t, "", func(o *options) { o.root = dir })
	if ok || !strings.Contains(out, "does not compile without it") || !strings.Contains(out, "p: F: if f") {
		t.Errorf("a mutant that does not compile is not reported:\n%s", out)
	}
	if len(results) != 1 || results[0].Outcome != killed {
		t.Errorf("the other mutant is not judged: %+v", results)
	}
}
