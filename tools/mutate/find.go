package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
)

// A Mutant is one rule taken away.
type Mutant struct {
	ID   int    `json:"id"`
	Pkg  string `json:"package"` // folder of the package, relative to the root
	File string `json:"file"`    // relative to the root
	Line int    `json:"line"`
	Func string `json:"func"`
	Kind string `json:"kind"` // if, operand, case, default, else, return, skip
	Text string `json:"text"` // the condition or the expression, on one line
	Key  string `json:"key"`  // stable name: package, function, kind, text

	edits []edit
}

// An edit is text put into the source at an offset. Edits at the same offset
// apply in the order in which they were made.
type edit struct {
	at   int
	text string
}

// finder collects the mutants of one file.
type finder struct {
	pkg, name string
	fset      *token.FileSet
	src       []byte
	next      *int
	seen      map[string]int // keys so far in the package, for those that repeat
	out       []*Mutant

	decl string
	sig  *ast.FuncType
	tail map[ast.Stmt]bool // statements that end their function
}

// find returns the mutants of a file's source. Numbers continue from *next.
func find(pkg, name string, src []byte, next *int, seen map[string]int) ([]*Mutant, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(file) {
		return nil, nil
	}
	f := &finder{pkg: pkg, name: name, fset: fset, src: src, next: next, seen: seen}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				f.decl = declName(d)
				f.function(d.Type, d.Body)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok && len(v.Names) > 0 {
					f.decl = "var " + v.Names[0].Name
					f.literals(v)
				}
			}
		}
	}
	return f.out, nil
}

func declName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	typ, star := d.Recv.List[0].Type, ""
	if s, ok := typ.(*ast.StarExpr); ok {
		typ, star = s.X, "*"
	}
	switch t := typ.(type) {
	case *ast.IndexExpr:
		typ = t.X
	case *ast.IndexListExpr:
		typ = t.X
	}
	name := "?"
	if id, ok := typ.(*ast.Ident); ok {
		name = id.Name
	}
	return "(" + star + name + ")." + d.Name.Name
}

// literals looks into the function literals of n, not counting n itself.
func (f *finder) literals(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		lit, ok := n.(*ast.FuncLit)
		if !ok {
			return true
		}
		sig, tail := f.sig, f.tail
		f.function(lit.Type, lit.Body)
		f.sig, f.tail = sig, tail
		return false
	})
}

func (f *finder) function(sig *ast.FuncType, body *ast.BlockStmt) {
	f.sig, f.tail = sig, map[ast.Stmt]bool{}
	f.markTail(body.List)
	f.block(body.List)
}

func (f *finder) markTail(list []ast.Stmt) {
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1]
	f.tail[last] = true
	switch s := last.(type) {
	case *ast.BlockStmt:
		f.markTail(s.List)
	case *ast.LabeledStmt:
		f.markTail([]ast.Stmt{s.Stmt})
	case *ast.IfStmt:
		if s.Else != nil {
			f.markTail(s.Body.List)
			f.markTail([]ast.Stmt{s.Else})
		}
	case *ast.SwitchStmt:
		for _, c := range s.Body.List {
			f.markTail(c.(*ast.CaseClause).Body)
		}
	case *ast.TypeSwitchStmt:
		for _, c := range s.Body.List {
			f.markTail(c.(*ast.CaseClause).Body)
		}
	}
}

func (f *finder) block(list []ast.Stmt) {
	for _, s := range list {
		f.stmt(s)
	}
}

// stmt makes the mutants of s and of what is in it.
func (f *finder) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.BlockStmt:
		f.block(s.List)
	case *ast.LabeledStmt:
		f.stmt(s.Stmt)
	case *ast.IfStmt:
		f.ifStmt(s)
	case *ast.ForStmt:
		f.literalsOf(s.Init, s.Cond, s.Post)
		f.block(s.Body.List)
	case *ast.RangeStmt:
		f.literals(s.X)
		f.block(s.Body.List)
	case *ast.SwitchStmt:
		f.literalsOf(s.Init, s.Tag)
		f.switchStmt(s, s.Body, s.Tag == nil, true)
	case *ast.TypeSwitchStmt:
		f.switchStmt(s, s.Body, false, false)
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			f.block(c.(*ast.CommClause).Body)
		}
	case *ast.ReturnStmt:
		f.returnStmt(s)
	case nil:
	default:
		f.literals(s)
	}
}

func (f *finder) literalsOf(nodes ...ast.Node) {
	for _, n := range nodes {
		switch n := n.(type) {
		case nil:
		case ast.Expr:
			if n != nil {
				f.literals(n)
			}
		case ast.Stmt:
			if n != nil {
				f.literals(n)
			}
		}
	}
}

func (f *finder) ifStmt(s *ast.IfStmt) {
	f.literalsOf(s.Init, s.Cond)
	switch {
	case isSkip(s.Body.List):
		f.condition("skip", s.Cond)
		s = withoutBody(s)
	case f.enforces(s.Body.List):
		f.condition("if", s.Cond)
		f.inside(s.Body.List)
		s = withoutBody(s)
	}
	f.block(s.Body.List)
	if e, ok := s.Else.(*ast.BlockStmt); ok && f.enforces(e.List) {
		if f.tail[s.Else] || f.tail[s] {
			f.stmt(e)
		} else {
			// else { … } becomes else if on { … }.
			m := f.add("else", e.Lbrace, "else of "+f.text(s.Cond))
			m.edits = append(m.edits, edit{f.offset(e.Lbrace), fmt.Sprintf("if %s(%d) ", onName, m.ID)})
			f.inside(e.List)
		}
	} else {
		f.stmt(s.Else)
	}
}

// withoutBody returns s with nothing left to look at in its body.
func withoutBody(s *ast.IfStmt) *ast.IfStmt {
	c := *s
	c.Body = &ast.BlockStmt{}
	return &c
}

// inside looks at a block whose last statement already has its mutant.
func (f *finder) inside(list []ast.Stmt) {
	if len(list) == 0 {
		return
	}
	f.block(list[:len(list)-1])
	switch last := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		for _, r := range last.Results {
			f.literals(r)
		}
	default:
		f.stmt(last)
	}
}

// switchStmt handles both kinds of switch; the clauses of one without a tag are
// conditions like those of an if.
func (f *finder) switchStmt(s ast.Stmt, body *ast.BlockStmt, conditions, mayRepeat bool) {
	var fallback *ast.CaseClause
	for _, c := range body.List {
		if c := c.(*ast.CaseClause); c.List == nil {
			fallback = c
		}
	}
	for _, c := range body.List {
		c := c.(*ast.CaseClause)
		for _, x := range c.List {
			f.literals(x)
		}
		if !f.enforces(c.Body) {
			f.block(c.Body)
			continue
		}
		switch {
		case c.List == nil: // default
			if f.tail[s] {
				f.block(c.Body)
				continue
			}
			f.wrap(f.add("default", c.Case, "default of "+f.head(s)), c.Body, nil)
		case conditions:
			m := f.add("case", c.Case, f.list(c.List))
			for _, x := range c.List {
				f.guard(m, x, func() { f.operands(x, len(c.List) > 1, true) })
			}
		case fallback == nil || !f.tail[s] && !mayRepeat:
			f.wrap(f.add("case", c.Case, f.list(c.List)), c.Body, nil)
		case mayRepeat:
			f.wrap(f.add("case", c.Case, f.list(c.List)), c.Body, fallback.Body)
		default:
			f.block(c.Body)
			continue
		}
		f.inside(c.Body)
	}
}

// wrap puts a clause's body under a condition; where the mutant is on, the body
// of the default clause runs in its place.
func (f *finder) wrap(m *Mutant, body, fallback []ast.Stmt) {
	from, to := f.offset(body[0].Pos()), f.offset(body[len(body)-1].End())
	m.edits = append(m.edits, edit{from, fmt.Sprintf("if %s(%d) { ", onName, m.ID)})
	end := " }"
	if len(fallback) > 0 {
		end += " else { " + string(f.src[f.offset(fallback[0].Pos()):f.offset(fallback[len(fallback)-1].End())]) + "\n}"
	}
	m.edits = append(m.edits, edit{to, end})
}

// returnStmt handles a return that is not the whole of an if or a clause.
func (f *finder) returnStmt(s *ast.ReturnStmt) {
	for _, r := range s.Results {
		f.literals(r)
	}
	if len(s.Results) == 0 || f.sig.Results == nil || len(s.Results) != f.sig.Results.NumFields() {
		return
	}
	last := s.Results[len(s.Results)-1]
	switch resultName(f.sig) {
	case "error":
		if id, ok := last.(*ast.Ident); ok && id.Name == "nil" {
			return
		}
		m := f.add("return", s.Return, f.text(last))
		m.edits = append(m.edits, edit{f.offset(last.Pos()), fmt.Sprintf("%s(%d, ", errName, m.ID)}, edit{f.offset(last.End()), ")"})
	case "bool":
		if id, ok := last.(*ast.Ident); ok && id.Name == "false" {
			m := f.add("return", s.Return, "false")
			m.edits = append(m.edits, edit{f.offset(last.Pos()), fmt.Sprintf("!%s(%d) || ", onName, m.ID)})
			return
		}
		f.chains(last)
	}
}

// condition makes the mutants of the condition of a statement that refuses.
func (f *finder) condition(kind string, cond ast.Expr) {
	m := f.add(kind, cond.Pos(), f.text(cond))
	f.guard(m, cond, func() { f.operands(cond, false, true) })
}

// guard makes x false where m is on. What inner adds goes inside.
func (f *finder) guard(m *Mutant, x ast.Expr, inner func()) {
	m.edits = append(m.edits, edit{f.offset(x.Pos()), "(("})
	if inner != nil {
		inner()
	}
	m.edits = append(m.edits, edit{f.offset(x.End()), fmt.Sprintf(") && %s(%d))", onName, m.ID)})
}

// permit makes x true where m is on.
func (f *finder) permit(m *Mutant, x ast.Expr, inner func()) {
	m.edits = append(m.edits, edit{f.offset(x.Pos()), "(("})
	if inner != nil {
		inner()
	}
	m.edits = append(m.edits, edit{f.offset(x.End()), fmt.Sprintf(") || !%s(%d))", onName, m.ID)})
}

// operands makes a mutant for each part of x without which x is true less often:
// the operands of || and, under a negation, of &&.
func (f *finder) operands(x ast.Expr, part, positive bool) {
	switch e := x.(type) {
	case *ast.ParenExpr:
		f.operands(e.X, part, positive)
		return
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.operands(e.X, part, !positive)
			return
		}
	case *ast.BinaryExpr:
		weak := token.LOR
		if !positive {
			weak = token.LAND
		}
		if e.Op == token.LOR || e.Op == token.LAND {
			f.operands(e.X, e.Op == weak, positive)
			f.operands(e.Y, e.Op == weak, positive)
			return
		}
	}
	if !part {
		return
	}
	m := f.add("operand", x.Pos(), f.text(x))
	if positive {
		f.guard(m, x, nil)
	} else {
		f.permit(m, x, nil)
	}
}

// chains makes a mutant for each operand of && and || in the result of a
// function that answers yes or no.
func (f *finder) chains(x ast.Expr) {
	switch e := x.(type) {
	case *ast.ParenExpr:
		f.chains(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.chains(e.X)
		}
	case *ast.BinaryExpr:
		if e.Op != token.LOR && e.Op != token.LAND {
			return
		}
		for _, y := range []ast.Expr{e.X, e.Y} {
			if b, ok := y.(*ast.BinaryExpr); ok && b.Op == e.Op {
				f.chains(y)
				continue
			}
			m := f.add("operand", y.Pos(), f.text(y))
			if e.Op == token.LOR {
				f.guard(m, y, func() { f.chains(y) })
			} else {
				f.permit(m, y, func() { f.chains(y) })
			}
		}
	}
}

// isSkip reports whether a body does nothing but go on with the next candidate.
func isSkip(list []ast.Stmt) bool {
	if len(list) != 1 {
		return false
	}
	b, ok := list[0].(*ast.BranchStmt)
	return ok && b.Tok == token.CONTINUE
}

// enforces reports whether a body ends by refusing.
func (f *finder) enforces(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	before := list[:len(list)-1]
	switch s := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		return f.refuses(s) || len(s.Results) == 0 && records(before)
	case *ast.BranchStmt:
		return (s.Tok == token.CONTINUE || s.Tok == token.BREAK || s.Tok == token.GOTO) && records(before)
	case *ast.BlockStmt:
		return f.enforces(s.List)
	case *ast.IfStmt:
		e, ok := s.Else.(*ast.BlockStmt)
		return ok && f.enforces(s.Body.List) && f.enforces(e.List)
	default:
		return records(list)
	}
}

// refuses reports whether a return hands back an error, a false or a -1.
func (f *finder) refuses(s *ast.ReturnStmt) bool {
	if len(s.Results) == 0 {
		return false
	}
	last := s.Results[len(s.Results)-1]
	if resultName(f.sig) == "bool" {
		id, ok := last.(*ast.Ident)
		return ok && id.Name == "false"
	}
	if strings.HasSuffix(strings.ToLower(resultName(f.sig)), "error") {
		if len(s.Results) != f.sig.Results.NumFields() {
			return isError(last)
		}
		id, ok := last.(*ast.Ident)
		return !ok || id.Name != "nil"
	}
	for _, r := range s.Results {
		if u, ok := r.(*ast.UnaryExpr); ok && u.Op == token.SUB {
			if l, ok := u.X.(*ast.BasicLit); ok && l.Value == "1" {
				return true
			}
		}
		if isError(r) {
			return true
		}
	}
	return false
}

// records reports whether the last statement keeps an error somewhere.
func records(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch s := list[len(list)-1].(type) {
	case *ast.AssignStmt:
		for _, r := range s.Rhs {
			if isError(r) || mentionsError(r) {
				return true
			}
		}
		for _, l := range s.Lhs {
			if id := lastName(l); errorName.MatchString(id) && !isNil(s.Rhs[0]) {
				return true
			}
		}
	case *ast.ExprStmt:
		c, ok := s.X.(*ast.CallExpr)
		return ok && (refusal.MatchString(lastName(c.Fun)) || mentionsError(c))
	}
	return false
}

var (
	errorName = regexp.MustCompile(`^(err|Err)|(Err|Error|err)$`)
	refusal   = regexp.MustCompile(`(?i)^(fail|reject|refus|deny|violat|complain)`)
)

// isError reports whether an expression looks like an error that is not nil.
func isError(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.Ident:
		return errorName.MatchString(x.Name)
	case *ast.SelectorExpr:
		return errorName.MatchString(x.Sel.Name)
	case *ast.UnaryExpr:
		c, ok := x.X.(*ast.CompositeLit)
		return ok && strings.HasSuffix(lastName(c.Type), "Error")
	case *ast.CallExpr:
		name := lastName(x.Fun)
		if name == "Errorf" || refusal.MatchString(name) || errorName.MatchString(name) {
			return true
		}
		sel, ok := x.Fun.(*ast.SelectorExpr)
		return ok && (name == "With" || name == "Wrap" || name == "Err" || name == "New" && lastName(sel.X) == "errors")
	}
	return false
}

// mentionsError reports whether an argument or a field of a call or a literal is
// an error, as in append(skipped, Skipped{Err: err}).
func mentionsError(x ast.Expr) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.CallExpr:
			for _, a := range n.Args {
				found = found || isError(a)
			}
		case *ast.KeyValueExpr:
			found = found || isError(n.Value)
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				found = found || isError(e)
			}
		}
		return !found
	})
	return found
}

func isNil(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == "nil"
}

func lastName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		return x.Sel.Name
	case *ast.StarExpr:
		return lastName(x.X)
	case *ast.IndexExpr:
		return lastName(x.X)
	case *ast.ParenExpr:
		return lastName(x.X)
	}
	return ""
}

// resultName returns the type name of a function's last result.
func resultName(sig *ast.FuncType) string {
	if sig == nil || sig.Results == nil || len(sig.Results.List) == 0 {
		return ""
	}
	return lastName(sig.Results.List[len(sig.Results.List)-1].Type)
}

func (f *finder) add(kind string, pos token.Pos, text string) *Mutant {
	*f.next++
	m := &Mutant{ID: *f.next, Pkg: f.pkg, File: f.name, Line: f.fset.Position(pos).Line, Func: f.decl, Kind: kind, Text: text}
	m.Key = fmt.Sprintf("%s: %s: %s %s", m.Pkg, m.Func, m.Kind, m.Text)
	f.seen[m.Key]++
	if n := f.seen[m.Key]; n > 1 {
		m.Key += fmt.Sprintf(" (%d)", n)
	}
	f.out = append(f.out, m)
	return m
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

// text returns the source of n on one line.
func (f *finder) text(n ast.Node) string {
	return oneLine(f.src[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) list(xs []ast.Expr) string {
	return oneLine(f.src[f.offset(xs[0].Pos()):f.offset(xs[len(xs)-1].End())])
}

// head returns a switch up to its opening brace.
func (f *finder) head(s ast.Stmt) string {
	src := f.src[f.offset(s.Pos()):f.offset(s.End())]
	if i := bytes.IndexByte(src, '{'); i >= 0 {
		src = src[:i]
	}
	return oneLine(src)
}

func oneLine(b []byte) string { return strings.Join(strings.Fields(string(b)), " ") }
