// Package exports lists what packages in Go export, so that a test notices what a peer has learned.
package exports

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"testing"
)

// Of returns the names of functions and methods that the packages export.
func Of(t testing.TB, packages ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-f", "{{range .GoFiles}}{{$.Dir}}/{{.}}\n{{end}}"}, packages...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for file := range bytes.FieldsSeq(out) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(string(file)), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.IsExported() {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}
