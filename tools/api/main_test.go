package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const before = `package p

type T[C any] struct {
	A int ` + "`json:\"a,omitempty\"`" + `
	hidden any
}

func (T[C]) Value()    {}
func (*T[C]) Pointer() {}
func (T[C]) unheard()  {}

type I interface{ M(int) }

type Alias = T[int]

const C = "c"

var V error

func F(a, b string) (int, error) { return 0, nil }
`

// Each change of a package is noticed, as one that breaks a promise or as one that adds to it.
func TestCompare(t *testing.T) {
	want := lines(t, before)
	for name, tc := range map[string]struct {
		old, new    string
		gone, added int
	}{
		"nothing":                {"", "", 0, 0},
		"an unexported field":    {"hidden any", "hidden string", 0, 0},
		"a parameter's name":     {"a, b string", "c, d string", 0, 0},
		"an unexported method":   {"unheard", "unseen", 0, 0},
		"a new field":            {"hidden any", "B int; hidden any", 0, 1},
		"a new method":           {"unheard", "Heard", 0, 1},
		"a new function":         {"func F(", "func G() {}\nfunc F(", 0, 1},
		"a field is gone":        {"A int ", "B int ", 1, 1},
		"a member's name":        {`json:"a`, `json:"b`, 1, 1},
		"a field's type":         {"A int ", "A int64 ", 1, 1},
		"no longer comparable":   {"hidden any", "hidden []any", 1, 1},
		"a method is gone":       {"func (T[C]) Value()    {}", "", 1, 0},
		"a method of pointers":   {"func (T[C]) Value", "func (*T[C]) Value", 1, 1},
		"a parameter":            {"a, b string", "a string", 1, 1},
		"a type parameter":       {"T[C any] struct", "T[C comparable] struct", 3, 3},
		"a method of interfaces": {"M(int)", "M(int); N()", 1, 1},
		"a constant's value":     {`"c"`, `"d"`, 1, 1},
		"a variable's type":      {"var V error", "var V any", 1, 1},
		"an alias":               {"= T[int]", "= T[string]", 1, 1},
	} {
		gone, added := compare(want, lines(t, strings.Replace(before, tc.old, tc.new, 1)))
		if len(gone) != tc.gone || len(added) != tc.added {
			t.Errorf("%s: gone %q, added %q, want %d and %d", name, gone, added, tc.gone, tc.added)
		}
	}
}

// What is new is promised on demand; what is gone never leaves the list by itself.
func TestRun(t *testing.T) {
	root := module(t, before)
	list := filepath.Join(t.TempDir(), "api.txt")
	if err := run(root, list, "", false); err == nil || !strings.Contains(err.Error(), "new") {
		t.Errorf("an empty list: %v", err)
	}
	if err := run(root, list, "", true); err != nil {
		t.Error(err)
	}
	if err := run(root, list, "", false); err != nil {
		t.Errorf("what was promised: %v", err)
	}
	if err := run(root, list, "p", false); err == nil {
		t.Error("there is a package that is promised something")
	}
	broken := module(t, strings.Replace(before, "F(a, b", "G(a, b", 1))
	for _, add := range []bool{false, true, false} {
		if err := run(broken, list, "", add); err == nil || !strings.Contains(err.Error(), "1 promises") {
			t.Errorf("add %v: %v", add, err)
		}
	}
	if err := run(t.TempDir(), list, "", false); err == nil {
		t.Error("no module")
	}
}

func lines(t *testing.T, source string) []string {
	t.Helper()
	l, err := exported(module(t, source), "q")
	if err != nil || len(l) == 0 || !slices.IsSorted(l) {
		t.Fatal(l, err)
	}
	return l
}

// module makes a module with a public, an internal and a main package of one source.
func module(t *testing.T, source string) string {
	t.Helper()
	t.Setenv("GOWORK", "off")
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module example.com/m\n\ngo 1.26\n",
		"p/p.go":          source,
		"internal/q/p.go": source,
		"cmd/main.go":     "package main\n\nvar Main int\n\nfunc main() {}\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
