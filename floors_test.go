package jot_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/jotsuite/jot"

// floors is the import policy, lowest floor first: a package imports only from
// floors below its own. A star stands for one or more names.
var floors = [][]string{
	{"internal/alias", "internal/fault", "internal/clock"},
	{"internal/b64url", "internal/strictjson"},
	{"internal/compact", "internal/nonce"},
	{"jose/jwa"},
	{"internal/aead"},
	{"jose/jwk"},
	{"internal/header"},
	{"jose/jws", "jose/jwe", "jose/pop"},
	{"jose/jwt", "jose/sdjwt", "jose/unverified"},
	{"oauth", "oauth/subjectid", "internal/fetch"},
	{"internal/discover"},
	{"keyset"},
	{"internal/profile"},
	{"profile", "profile/*"},
	{"client", "guard", "lint", "server/store"},
	{"server/memstore", "server/sqlstore", "server/store/storetest"},
	{"server", "debugger"},
	{"server/admin", "server/servertest"},
}

// sameFloor lists the imports inside one floor that are allowed, each with its reason.
var sameFloor = map[string]string{}

// testOnly are packages that only tests import.
var testOnly = []string{"internal/attack", "internal/profiletest", "internal/testvectors"}

// unsafeIn are the packages that import unsafe.
var unsafeIn = []string{"internal/alias", "internal/strictjson"}

// unverifiedIn are those that look into a token without trust.
var unverifiedIn = []string{"lint", "debugger"}

// mutable lists package variables that change after their initialisation or
// that hold what does, each with the reason why nobody can tell.
var mutable = map[string]string{
	"internal/strictjson.plans": "what a type's plan is follows from the type alone; as many entries as the program has types",
	"jose/jwt.plans":            "the same, for the types of claims that are signed",
	"jose/jwk.sha256Pool":       "scratch memory, reset before each use",
	"jose/jwk.sha384Pool":       "scratch memory, reset before each use",
	"jose/jwk.sha512Pool":       "scratch memory, reset before each use",
	"jose/jwk.derPool":          "scratch memory, overwritten by each use",
}

// tagged lists the files with build constraints, each with the reason why it
// changes no meaning. Files of tests need none.
var tagged = map[string]string{
	"internal/b64url/blocks_amd64.go": "assembly and Go give the same bytes and texts, and refuse the same",
	"internal/b64url/blocks_other.go": "as blocks_amd64.go",
	"keyset/lock_unix.go":             "each system has its own way to lock a file; that it is locked holds on all",
}

// A listed package is what go list says about one.
type listed struct {
	Dir, ImportPath, Name string
	Imports, Deps         []string
	GoFiles               []string
}

// nested returns the folders of the modules in the tree, the root's first.
func nested(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join("cmd", "jot", "go.mod")); err != nil {
		t.Skip("this is the library alone, not a clone")
	}
	dirs := []string{"."}
	err := filepath.WalkDir(".", func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			return filepath.SkipDir
		}
		if d.Name() == "go.mod" && p != "go.mod" {
			dirs = append(dirs, filepath.ToSlash(filepath.Dir(p)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// golist lists the packages of a module.
func golist(dir string, args ...string) ([]*listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,Name,Imports,Deps,GoFiles"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list in %s: %w\n%s", dir, err, stderr.String())
	}
	var pkgs []*listed
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		p := new(listed)
		if err := d.Decode(p); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

var libraryOnce = sync.OnceValues(func() (map[string]*listed, error) {
	pkgs, err := golist(".", "./...")
	all := map[string]*listed{}
	for _, p := range pkgs {
		all[rel(p.ImportPath)] = p
	}
	return all, err
})

// library returns the packages of the root module by their folder, "" for the root.
func library(t *testing.T) map[string]*listed {
	t.Helper()
	nested(t)
	all, err := libraryOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func rel(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func floorOf(folder string) int {
	return slices.IndexFunc(floors, func(floor []string) bool {
		return slices.ContainsFunc(floor, func(pattern string) bool {
			ok, _ := path.Match(pattern, folder)
			return ok
		})
	})
}

func forTests(folder string) bool {
	return slices.ContainsFunc(testOnly, func(p string) bool { return folder == p || strings.HasPrefix(folder, p+"/") })
}

func public(folder string) bool {
	return folder != "" && !strings.HasPrefix(folder, "internal/") && !strings.Contains(folder, "/internal/")
}

func TestFloors(t *testing.T) {
	used := map[string]bool{}
	for folder, p := range library(t) {
		if folder == "" {
			if len(p.Imports) > 0 {
				t.Errorf("the root package imports %v; it holds no code", p.Imports)
			}
			continue
		}
		isTest := forTests(folder)
		own := floorOf(folder)
		if own < 0 && !isTest {
			t.Errorf("%s stands on no floor: add it to the table", folder)
			continue
		}
		for _, imp := range p.Imports {
			checkImport(t, folder, imp)
			if !strings.HasPrefix(imp, module) || isTest {
				continue
			}
			on := rel(imp)
			switch {
			case forTests(on):
				t.Errorf("%s imports %s, which is for tests", folder, on)
			case sameFloor[folder+" → "+on] != "":
				used[folder+" → "+on] = true
			case floorOf(on) >= own:
				t.Errorf("%s imports %s, which is not on a lower floor", folder, on)
			}
		}
	}
	for name := range sameFloor {
		if !used[name] {
			t.Errorf("sameFloor: nothing needs %s", name)
		}
	}
}

// checkImport holds the rules about single imports of a package.
func checkImport(t *testing.T, folder, imp string) {
	t.Helper()
	switch first, _, _ := strings.Cut(imp, "/"); {
	case imp == "C":
		t.Errorf("%s uses cgo", folder)
	case imp == "unsafe" && !slices.Contains(unsafeIn, folder):
		t.Errorf("%s imports unsafe", folder)
	case imp == module+"/jose/unverified" && !slices.Contains(unverifiedIn, folder):
		t.Errorf("%s imports jose/unverified, which is for tools", folder)
	case strings.Contains(first, ".") && !strings.HasPrefix(imp, module+"/"):
		t.Errorf("%s imports %s: the library has no dependencies", folder, imp)
	case strings.HasPrefix(folder, "jose/") && slices.Contains([]string{"os", "log", "log/slog", "net", "net/http"}, imp):
		t.Errorf("%s imports %s: the formats know no system and no network", folder, imp)
	}
}

func TestFormatsReachNoNetwork(t *testing.T) {
	for folder, p := range library(t) {
		if !strings.HasPrefix(folder, "jose/") {
			continue
		}
		for _, banned := range []string{"net/http", "log", "log/slog", "os/exec", "plugin"} {
			if slices.Contains(p.Deps, banned) {
				t.Errorf("%s reaches %s", folder, banned)
			}
		}
	}
}

func TestNoRequires(t *testing.T) {
	nested(t)
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "module " + module + "\n\ngo 1.26\n"; string(b) != want {
		t.Errorf("go.mod is\n%s\nand has to be\n%s", b, want)
	}
	if _, err := os.Stat("go.sum"); err == nil {
		t.Error("the library has a go.sum, so it has dependencies")
	}
	b, err = os.ReadFile("go.work")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(string(b)), " "); got != "go 1.26.0 use ( . ./cmd/jot )" {
		t.Errorf("go.work is %q: other modules would raise the versions of cmd/jot", got)
	}
}

// TestNestedModules looks at the modules that stand on the library as any
// program outside would.
func TestNestedModules(t *testing.T) {
	for _, dir := range nested(t)[1:] {
		pkgs, err := golist(dir, "-test", "./...")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkgs {
			for _, imp := range p.Imports {
				if strings.HasPrefix(imp, module+"/internal/") {
					t.Errorf("%s imports %s: another module may not", p.ImportPath, imp)
				}
			}
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for _, dir := range nested(t) {
		pkgs, err := golist(dir, "./...")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkgs {
			if len(p.GoFiles) == 0 {
				continue // tests only
			}
			_, files := parse(t, p)
			var found []string
			for _, f := range files {
				if f.Doc != nil && f.Doc.Text() != "" {
					found = append(found, f.Doc.Text())
				}
			}
			if len(found) == 0 {
				t.Errorf("%s has no package comment", p.ImportPath)
			} else if p.Name != "main" && !strings.HasPrefix(found[0], "Package "+p.Name+" ") {
				t.Errorf("%s: its comment has to start with \"Package %s \"", p.ImportPath, p.Name)
			}
		}
	}
}

func parse(t *testing.T, p *listed) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return fset, files
}

// An api is what a package exports.
type api struct {
	top     []string            // constants, variables, functions, types
	methods []string            // "Type.Method"
	makers  map[string][]string // for each type, the names "Func" and ".Method" whose results have it
}

func exported(t *testing.T, p *listed) api {
	t.Helper()
	fset, files := parse(t, p)
	d, err := doc.NewFromFiles(fset, files, p.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	out := api{makers: map[string][]string{}}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			for _, n := range v.Names {
				if token.IsExported(n) {
					out.top = append(out.top, n)
				}
			}
		}
	}
	makes := func(name string, decl *ast.FuncDecl) {
		if decl.Type.Results == nil {
			return
		}
		ast.Inspect(decl.Type.Results, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				out.makers[id.Name] = append(out.makers[id.Name], name)
			}
			return true
		})
	}
	funcs := func(fs []*doc.Func) {
		for _, f := range fs {
			out.top = append(out.top, f.Name)
			makes(f.Name, f.Decl)
		}
	}
	values(d.Consts)
	values(d.Vars)
	funcs(d.Funcs)
	for _, typ := range d.Types {
		out.top = append(out.top, typ.Name)
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		for _, m := range typ.Methods {
			out.methods = append(out.methods, typ.Name+"."+m.Name)
			makes("."+m.Name, m.Decl)
		}
	}
	return out
}

// sizes are packages that may have more than 40 exported names, with the reason.
var sizes = map[string]string{
	"jose/jwa": "one name for each algorithm of the registry",
	"oauth":    "one name for each registered error code",
	"jose/jwt": "one sentinel for each family of refusals",
	"jose/jwk": "keys for encryption stand in the same sets as those for signatures, and share their checks",
}

func TestPackageSize(t *testing.T) {
	for folder, p := range library(t) {
		if !public(folder) {
			continue
		}
		n := len(exported(t, p).top)
		t.Logf("%s: %d exported names", folder, n)
		if n > 40 && sizes[folder] == "" {
			t.Errorf("%s has %d exported names: past 40 it is two packages", folder, n)
		}
	}
}

// shown are methods that are called by the language or the standard library, not
// by name.
var shown = []string{
	"Error", "Is", "Unwrap", "String", "GoString", "Format", "LogValue",
	"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText",
}

// TestExamples holds that every exported name stands in an example that runs.
func TestExamples(t *testing.T) {
	uses := map[string]bool{} // "jwt.Policy", ".Verify"
	for _, p := range library(t) {
		inspectExamples(t, p.Dir, uses)
	}
	for folder, p := range library(t) {
		if !public(folder) {
			continue
		}
		x := exported(t, p)
		used := func(name string) bool {
			return strings.HasPrefix(name, ".") && uses[name] || uses[p.Name+"."+name]
		}
		for _, n := range x.top {
			// A type is shown by what makes a value of it.
			if !used(n) && !slices.ContainsFunc(x.makers[n], used) {
				t.Errorf("%s.%s is in no example", folder, n)
			}
		}
		for _, m := range x.methods {
			_, name, _ := strings.Cut(m, ".")
			if !used("."+name) && !slices.Contains(shown, name) {
				t.Errorf("%s.%s is in no example", folder, m)
			}
		}
	}
}

// inspectExamples notes what the examples with an output in a folder use.
func inspectExamples(t *testing.T, dir string, uses map[string]bool) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		run := false
		note := func(n ast.Node) {
			ast.Inspect(n, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok {
					uses["."+s.Sel.Name] = true
					if x, ok := s.X.(*ast.Ident); ok {
						uses[x.Name+"."+s.Sel.Name] = true
					}
				}
				return true
			})
		}
		for _, ex := range doc.Examples(f) {
			if ex.Output != "" || ex.EmptyOutput {
				run = true
				note(ex.Code)
			}
		}
		if !run {
			continue
		}
		// What examples declare beside themselves: types of claims, helpers, fakes.
		if strings.Contains(filepath.Base(name), "example") {
			note(f)
		}
	}
}

// TestNoHiddenState holds that no package of the library has an init function, a
// variable that changes, or a file whose meaning depends on how it is built.
func TestNoHiddenState(t *testing.T) {
	usedMutable, usedTags := map[string]bool{}, map[string]bool{}
	for folder, p := range library(t) {
		if forTests(folder) {
			continue
		}
		fset, files := parse(t, p)
		vars := map[string]*ast.ValueSpec{}
		for _, f := range files {
			for _, g := range f.Comments {
				for _, c := range g.List {
					if constraint.IsGoBuild(c.Text) {
						name := path.Join(folder, filepath.Base(fset.Position(c.Pos()).Filename))
						usedTags[name] = true
						if tagged[name] == "" {
							t.Errorf("%s: %s", name, c.Text)
						}
					}
					if strings.HasPrefix(c.Text, "//go:linkname") {
						t.Errorf("%s: %s", fset.Position(c.Pos()), c.Text)
					}
				}
			}
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.Name == "init" && d.Recv == nil {
						t.Errorf("%s: an init function", fset.Position(d.Pos()))
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR {
							for _, n := range v.Names {
								vars[n.Name] = v
							}
						}
					}
				}
			}
		}
		delete(vars, "_")
		flag := func(name, why string) {
			key := folder + "." + name
			usedMutable[key] = true
			if mutable[key] == "" {
				t.Errorf("package variable %s %s", key, why)
			}
		}
		for name, v := range vars {
			if holdsState(v) {
				flag(name, "holds state")
			}
		}
		for _, f := range files {
			for _, a := range changes(f) {
				v, ok := vars[a.Name]
				if ok && (a.Obj == nil || a.Obj.Decl == v) {
					flag(a.Name, "is changed at "+fset.Position(a.Pos()).String())
				}
			}
		}
	}
	for name := range mutable {
		if !usedMutable[name] {
			t.Errorf("mutable: nothing needs %s", name)
		}
	}
	for name := range tagged {
		// Not all files are built on this system.
		if built, err := build.Default.MatchFile(path.Split(name)); (built || err != nil) && !usedTags[name] {
			t.Errorf("tagged: nothing needs %s", name)
		}
	}
}

// holdsState reports whether a variable is made of what exists to be changed.
func holdsState(v *ast.ValueSpec) bool {
	found := false
	look := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.ChanType:
				found = true
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				found = found || ok && (x.Name == "atomic" || x.Name == "sync" && !strings.HasPrefix(n.Sel.Name, "Once"))
			}
			return true
		})
	}
	if v.Type != nil {
		look(v.Type)
	}
	for _, x := range v.Values {
		look(x)
	}
	return found
}

// changes returns the identifiers in a file whose value, or a part of it, is
// assigned to or has its address taken inside a function.
func changes(f *ast.File) []*ast.Ident {
	var out []*ast.Ident
	var base func(x ast.Expr)
	base = func(x ast.Expr) {
		switch x := x.(type) {
		case *ast.Ident:
			out = append(out, x)
		case *ast.SelectorExpr:
			base(x.X)
		case *ast.IndexExpr:
			base(x.X)
		case *ast.ParenExpr:
			base(x.X)
		case *ast.StarExpr:
			base(x.X)
		}
	}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, l := range n.Lhs {
						base(l)
					}
				}
			case *ast.IncDecStmt:
				base(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					base(n.Key)
					if n.Value != nil {
						base(n.Value)
					}
				}
			}
			return true
		})
	}
	return out
}

// TestSpeaksOfItself holds that no file of the tree names what only one machine
// or one moment knows.
func TestSpeaksOfItself(t *testing.T) {
	nested(t)
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Skip("not a git clone: ", err)
	}
	// Written so that the patterns do not match themselves.
	banned := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b|//.*\bXX` + `X\b|/wor` + `k/|/ho` + `me/|/ro` + `ot/|/Use` + `rs/`)
	for _, name := range strings.Fields(string(out)) {
		if strings.Contains(name, "testdata/") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			continue // removed and not yet committed
		}
		if bytes.IndexByte(b, 0) >= 0 {
			t.Errorf("%s is a binary file", name)
			continue
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := banned.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", name, i+1, m)
			}
		}
	}
}
