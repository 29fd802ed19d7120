package jot_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/internal/attack"
)

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks returns the fenced blocks of a language in a Markdown text.
func blocks(text, lang string) []string {
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+lang+"\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestSnippets holds that what README.md and the pages in docs show compiles and runs:
// each block stands in an example of readme_test.go, or of the packages that a page is
// about, and each example that a page names is there.
func TestSnippets(t *testing.T) {
	nested(t)
	pages, err := filepath.Glob("docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("there are no pages in docs", err)
	}
	for _, name := range append([]string{"README.md"}, pages...) {
		files := []string{"readme_test.go"}
		text := read(t, name)
		for _, m := range regexp.MustCompile("`([a-z/]+) (Example\\w*)`").FindAllStringSubmatch(text, -1) {
			if !isTest(t, m[1]+" "+m[2]) {
				t.Errorf("%s: there is no %s in %s", name, m[2], m[1])
			}
			examples, err := filepath.Glob(filepath.Join(filepath.FromSlash(m[1]), "example*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, examples...)
		}
		code := ""
		for _, f := range slices.Compact(slices.Sorted(slices.Values(files))) {
			code += strings.ReplaceAll(read(t, f), "\n\t", "\n")
		}
		programs, err := filepath.Glob("cmd/jot/examples/*/main.go")
		if err != nil || len(programs) == 0 {
			t.Fatal("there are no programs", err)
		}
		for _, p := range programs {
			code += "\n" + read(t, p)
		}
		snippets := blocks(text, "go")
		if len(snippets) == 0 && len(blocks(text, "json")) == 0 { // which pages for operators show, and cmd/jot tests
			t.Errorf("%s shows no code", name)
		}
		for _, s := range snippets {
			if !strings.Contains(code, "\n"+s) {
				t.Errorf("%s: this is in no example:\n%s", name, s)
			}
		}
	}
}

// TestLinks holds that every relative link of the documents leads somewhere.
func TestLinks(t *testing.T) {
	nested(t)
	docs, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs = append(docs, pages...)
	code := regexp.MustCompile("(?s)```.*?```|`[^`]*`")
	for _, name := range docs {
		text := code.ReplaceAllString(read(t, name), "")
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	}
}

// TestDiagram holds that every folder in the diagram of ARCHITECTURE.md exists,
// and that every package with code is in the text.
func TestDiagram(t *testing.T) {
	text := read(t, "ARCHITECTURE.md")
	for _, m := range regexp.MustCompile(`(?m)(?:^  |│ )((?:internal|jose|cmd)/[a-z0-9]+|lint|interop)\b`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.FromSlash(m[1])); err != nil {
			t.Errorf("the diagram has %s, which is not there", m[1])
		}
	}
	for folder := range library(t) {
		if name, ok := strings.CutPrefix(folder, "profile/"); ok {
			folder = name // the diagram has them by name
		}
		if folder != "" && !regexp.MustCompile(`\b`+folder+`\b`).MatchString(text) {
			t.Errorf("ARCHITECTURE.md does not know %s", folder)
		}
	}
}

// TestSpecs holds that every test that SPECS.md names exists.
func TestSpecs(t *testing.T) {
	nested(t)
	var catalogue []string
	for _, c := range attack.Cases("https://example.test") {
		catalogue = append(catalogue, c.Title())
	}
	for _, o := range attack.Others() {
		if o.Here() {
			catalogue = append(catalogue, o.Title())
		}
	}
	rows, open := 0, 0
	for i, line := range strings.Split(read(t, "SPECS.md"), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], "--") || strings.TrimSpace(cells[1]) == "section" {
			continue
		}
		rows++
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1)
		switch {
		case strings.Contains(cells[3], "not yet"):
			open++
		case len(names) == 0:
			t.Errorf("SPECS.md:%d names no test and does not say \"not yet\"", i+1)
		}
		for _, n := range names {
			if !isTest(t, n[1]) && !slices.ContainsFunc(catalogue, func(title string) bool {
				return title == n[1] || strings.HasPrefix(title, n[1]+"_")
			}) {
				t.Errorf("SPECS.md:%d: there is no test %s", i+1, n[1])
			}
		}
	}
	if rows == 0 {
		t.Error("SPECS.md has no rows")
	}
	t.Logf("%d rows, %d of them not yet", rows, open)
}

// isTest looks for a test by its folder and its name.
func isTest(t *testing.T, name string) bool {
	t.Helper()
	folder, test, _ := strings.Cut(name, " ")
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return test != "" && slices.ContainsFunc(files, func(f string) bool {
		return strings.Contains(read(t, f), "func "+test+"(")
	})
}
