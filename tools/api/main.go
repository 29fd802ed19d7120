// Api holds the library to its promise of compatibility: it compares what the public packages
// export with a list of it, one line for each name, method and field, that is kept in the tree.
//
//	go run ./api -root .. -list ../api.txt         what differs; fails if something does
//	go run ./api -root .. -list ../api.txt -add    adds to the list what is new
//
// A line that is gone or has changed breaks those who use it. -add never takes one away: who wants
// to break the promise deletes the line by hand, where a reviewer sees it.
package main

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	root := flag.String("root", "..", "folder of the library's go.mod")
	list := flag.String("list", "../api.txt", "file with what is promised")
	add := flag.Bool("add", false, "add to the list what is new")
	except := flag.String("except", "", "a folder whose packages are promised nothing yet")
	flag.Parse()
	if err := run(*root, *list, *except, *add); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(root, list, except string, add bool) error {
	have, err := exported(root, except)
	if err != nil {
		return err
	}
	promised, err := read(list)
	if err != nil {
		return err
	}
	gone, added := compare(promised, have)
	if add {
		all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(promised, added))))
		if err := os.WriteFile(list, []byte(strings.Join(all, "\n")+"\n"), 0o644); err != nil {
			return err
		}
		added = nil
	}
	for _, l := range gone {
		fmt.Println("-", l)
	}
	for _, l := range added {
		fmt.Println("+", l)
	}
	switch {
	case len(gone) > 0:
		return fmt.Errorf("%d promises are broken: bring them back, or delete these lines of %s and say so in CHANGELOG.md", len(gone), list)
	case len(added) > 0:
		return fmt.Errorf("%d names are new: make api promises them", len(added))
	}
	return nil
}

func read(list string) ([]string, error) {
	b, err := os.ReadFile(list)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n"), nil
}

// compare returns the lines that only one of the two has.
func compare(promised, have []string) (gone, added []string) {
	only := func(a, b []string) (out []string) {
		in := map[string]bool{}
		for _, l := range b {
			in[l] = true
		}
		for _, l := range a {
			if !in[l] && l != "" {
				out = append(out, l)
			}
		}
		return out
	}
	return only(promised, have), only(have, promised)
}

// exported returns a line for each thing that a public package of the module in root has.
func exported(root, except string) ([]string, error) {
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
		Dir:  root,
	}
	loaded, err := packages.Load(config, "./...")
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range loaded {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		if p.Name == "main" || p.Module == nil || slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			continue
		}
		folder := strings.TrimPrefix(p.PkgPath, p.Module.Path+"/")
		if except != "" && (folder == except || strings.HasPrefix(folder, except+"/")) {
			continue
		}
		lines = append(lines, ofPackage(p.Types, p.Module.Path+"/")...)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("there is no public package in %s", root)
	}
	return slices.Sorted(slices.Values(lines)), nil
}

func ofPackage(pkg *types.Package, module string) (lines []string) {
	folder := strings.TrimPrefix(pkg.Path(), module)
	qualify := func(other *types.Package) string {
		if other == pkg {
			return ""
		}
		return strings.TrimPrefix(other.Path(), module)
	}
	add := func(format string, args ...any) {
		lines = append(lines, folder+": "+fmt.Sprintf(format, args...))
	}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		switch obj := obj.(type) {
		case *types.Const:
			add("%s = %s", types.ObjectString(obj, qualify), obj.Val().ExactString())
		case *types.TypeName:
			typed(obj, qualify, add)
		case *types.Func:
			add("func %s%s", name, signature(obj, qualify))
		default:
			add("%s", types.ObjectString(obj, qualify))
		}
	}
	return lines
}

// typed adds what is promised of a type: that it is there, its fields and its methods. Of an interface and of a plain type
// the whole is promised; a struct may get more fields, and any type more methods.
func typed(obj *types.TypeName, qualify types.Qualifier, add func(string, ...any)) {
	name := obj.Name()
	s, ok := obj.Type().Underlying().(*types.Struct)
	if !ok || obj.IsAlias() {
		add("%s", types.ObjectString(obj, qualify))
	} else {
		kind := "struct"
		if types.Comparable(obj.Type()) {
			kind = "comparable struct"
		}
		add("type %s %s", types.TypeString(obj.Type(), qualify), kind)
		for i := range s.NumFields() {
			if f := s.Field(i); f.Exported() {
				add("type %s, %s%s", name, types.ObjectString(f, qualify), wire(s.Tag(i)))
			}
		}
	}
	if obj.IsAlias() {
		return
	}
	if _, ok := obj.Type().Underlying().(*types.Interface); ok {
		return
	}
	values := types.NewMethodSet(obj.Type())
	for method := range types.NewMethodSet(types.NewPointer(obj.Type())).Methods() {
		if own := values.Lookup(obj.Pkg(), method.Obj().Name()); own != nil {
			method = own // it can be called on a value too
		}
		if method.Obj().Exported() && method.Obj().Pkg() == obj.Pkg() { // those of embedded types are promised by their packages
			add("method (%s) %s%s", types.TypeString(method.Recv(), qualify), method.Obj().Name(), signature(method.Obj(), qualify))
		}
	}
}

// signature is that of a function, without the names of its parameters: they are no promise.
func signature(f types.Object, qualify types.Qualifier) string {
	s := f.Type().(*types.Signature)
	unnamed := func(t *types.Tuple) *types.Tuple {
		var vars []*types.Var
		for v := range t.Variables() {
			vars = append(vars, types.NewParam(0, v.Pkg(), "", v.Type()))
		}
		return types.NewTuple(vars...)
	}
	params := ""
	for p := range s.TypeParams().TypeParams() {
		params += "[" + p.Obj().Name() + " " + types.TypeString(p.Constraint(), qualify) + "]"
	}
	bare := types.NewSignatureType(nil, nil, nil, unnamed(s.Params()), unnamed(s.Results()), s.Variadic())
	return params + strings.TrimPrefix(types.TypeString(bare, qualify), "func")
}

// wire is the part of a struct tag that others see.
func wire(tag string) string {
	if name := reflect.StructTag(tag).Get("json"); name != "" {
		return " json:" + name
	}
	return ""
}
