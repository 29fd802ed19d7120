// Mutate takes away each line that enforces a rule, one at a time, and runs the
// tests: a rule whose absence no test notices is not tested.
//
// It works on the syntax of all packages of the tree at once. Each rule is put
// under a switch that an environment variable turns off, the tests of every
// package are compiled once against these sources by means of the go command's
// -overlay, and then run once for each rule. Nothing is written into the tree.
//
// The rules are
//
//	if        if COND { … return err }: COND is false; also where the body ends by
//	          returning false or -1, by recording an error, or by a call that refuses
//	operand   one operand of || in such a COND, or under a negation of &&, is left
//	          out; also of && and || in what a function of type bool returns
//	case      a clause of a switch whose body refuses is never taken
//	default   the body of a default clause that refuses does nothing
//	else      the body of an else that refuses does nothing
//	return    a return of an error that stands alone returns nil, false returns true
//	skip      if COND { continue }: the candidate is not skipped
//
// First every test runs alone with nothing turned off, which shows which rules
// come into effect in it. A test in which a rule never takes effect cannot notice
// that it is gone, so each mutant is judged by the others: those of its own
// package first, then those of the packages that stand on it. Of a test that
// takes long the subtests are judges of their own.
//
// A mutant that survives is an error, unless equivalent.txt beside this program
// names it with a reason; a reason that is no longer needed is an error too.
// Where a test can never notice (the condition is checked again further down, or
// only saves time), say so there; better, delete the line.
//
//	usage: mutate [-root DIR] [-pkg REGEXP] [-file REGEXP] [-run REGEXP] [-skip REGEXP] [-list] [-v] [-json FILE]
//
// The exit code is 0 when each mutant is killed or explained, 1 when not, and 2
// when the run itself failed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"time"
)

// notMutated are folders without rules of their own: data and helpers of tests.
var notMutated = []string{
	"internal/attack", "internal/attack/dump", "internal/profiletest", "internal/testvectors",
	"server/servertest", "server/store/storetest",
}

type options struct {
	root, explain, jsonFile string
	pkg, run, file, skip    string
	modules                 []string
	list, verbose           bool
	workers                 int
	timeout                 time.Duration
}

func main() {
	var o options
	modules := flag.String("modules", ".,cmd/jot", "folders of the modules, relative to the root")
	flag.StringVar(&o.root, "root", "..", "folder of the library module")
	flag.StringVar(&o.explain, "explain", "", "file of accepted survivors (default tools/mutate/equivalent.txt under the root)")
	flag.StringVar(&o.pkg, "pkg", "", "mutate only packages whose folder matches this regular expression")
	flag.StringVar(&o.run, "run", "", "only mutants whose key matches this regular expression")
	flag.StringVar(&o.file, "file", "", "only mutants in files whose name matches this regular expression")
	flag.StringVar(&o.skip, "skip", "", "leave out the top-level tests whose name matches this regular expression")
	flag.StringVar(&o.jsonFile, "json", "", "write every result to this file as JSON")
	flag.BoolVar(&o.list, "list", false, "print the mutants and stop")
	flag.BoolVar(&o.verbose, "v", false, "print what killed each mutant")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "test processes at a time")
	flag.DurationVar(&o.timeout, "timeout", time.Minute, "time for one test process")
	flag.Parse()
	o.modules = strings.Split(*modules, ",")
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ok, err := mutate(o, os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

type writer interface{ Write([]byte) (int, error) }

// mutate does a whole run and reports whether nothing is left unexplained.
func mutate(o options, stdout, stderr writer) (bool, error) {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return false, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return false, err
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	start := time.Now()
	say := func(format string, a ...any) {
		fmt.Fprintf(stderr, "%6.1fs  "+format+"\n", append([]any{time.Since(start).Seconds()}, a...)...)
	}
	r := &runner{root: root, work: work, modules: o.modules, workers: o.workers, timeout: o.timeout, log: say}

	pkgFilter, err := regexp.Compile(o.pkg)
	if err != nil {
		return false, err
	}
	runFilter, err := regexp.Compile(o.run)
	if err != nil {
		return false, err
	}
	fileFilter, err := regexp.Compile(o.file)
	if err != nil {
		return false, err
	}
	if o.skip != "" {
		if r.skip, err = regexp.Compile(o.skip); err != nil {
			return false, err
		}
	}
	code, suites, err := r.packages()
	if err != nil {
		return false, err
	}
	all, err := r.findAll(code, pkgFilter)
	if err != nil {
		return false, err
	}
	explained, err := readExplanations(o, root)
	if err != nil {
		return false, err
	}
	mutants := all
	if o.run != "" || o.file != "" {
		mutants = slices.DeleteFunc(slices.Clone(all), func(m *Mutant) bool {
			return !runFilter.MatchString(m.Key) || !fileFilter.MatchString(m.File)
		})
	}
	if o.list {
		for _, m := range mutants {
			fmt.Fprintf(stdout, "%s:%d\t%s\n", m.File, m.Line, m.Key)
		}
		fmt.Fprintf(stdout, "%d mutants\n", len(mutants))
		return true, nil
	}
	if len(mutants) == 0 {
		return false, fmt.Errorf("there is nothing to mutate")
	}
	say("%d mutants in %d files", len(mutants), countFiles(mutants))

	mutants, dropped, overlay, err := r.settle(code, mutants)
	if err != nil {
		return false, err
	}
	suites = relevant(suites, code, mutants, r)
	say("compiling the tests of %d packages", len(suites))
	if err := r.build(suites, overlay); err != nil {
		return false, err
	}
	say("running each test with nothing taken away")
	if err := r.trace(suites); err != nil {
		return false, err
	}
	for _, s := range suites {
		for _, t := range s.tests {
			if t.bad != "" {
				say("%s %s fails with nothing taken away and is left out: %s", s.rel, t.name, firstFailure(t.bad))
			}
		}
	}
	results := make([]*result, len(mutants))
	done := make(chan *result)
	go func() {
		n := 0
		for res := range done {
			n++
			if o.verbose {
				say("%d/%d %s:%d %s %s", n, len(mutants), res.File, res.Line, res.Outcome, res.By)
			} else if n%50 == 0 {
				say("%d of %d", n, len(mutants))
			}
		}
	}()
	err = r.each(len(mutants), func(i int) error {
		results[i] = r.judge(mutants[i], suites)
		done <- results[i]
		return nil
	})
	close(done)
	if err != nil {
		return false, err
	}
	ok := report(stdout, results, dropped, explained, staleScope(all, dropped, mutants), o)
	say("done")
	if o.jsonFile != "" {
		b, err := json.MarshalIndent(results, "", "\t")
		if err != nil {
			return false, err
		}
		if err := os.WriteFile(o.jsonFile, append(b, '\n'), 0o600); err != nil {
			return false, err
		}
	}
	return ok, nil
}

func (r *runner) findAll(code []*pkg, filter *regexp.Regexp) ([]*Mutant, error) {
	var all []*Mutant
	next := 0
	for _, p := range code {
		rel := r.rel(p.Dir)
		if rel == "." || slices.Contains(notMutated, rel) || !filter.MatchString(rel) {
			continue
		}
		seen := map[string]int{}
		for _, name := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return nil, err
			}
			ms, err := find(rel, rel+"/"+name, src, &next, seen)
			if err != nil {
				return nil, err
			}
			all = append(all, ms...)
		}
	}
	return all, nil
}

func readExplanations(o options, root string) (map[string]string, error) {
	name := o.explain
	if name == "" {
		name = filepath.Join(root, "tools", "mutate", "equivalent.txt")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	explained, err := explanations(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return explained, nil
}

// relevant returns the suites that run code with mutants.
func relevant(suites []*suite, code []*pkg, mutants []*Mutant, r *runner) []*suite {
	inPkg := map[string]bool{}
	for _, m := range mutants {
		inPkg[m.Pkg] = true
	}
	var out []*suite
	for _, s := range suites {
		if s.rel == "." {
			continue // it looks at the sources, not at what they do
		}
		for _, p := range code {
			if inPkg[r.rel(p.Dir)] && s.deps[p.ImportPath] {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// staleScope returns the keys of which this run can say that they do not exist,
// by package: those of packages that were looked at whole.
func staleScope(all, dropped, judged []*Mutant) func(key string) (looked, exists bool) {
	pkgs, keys, seen := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, m := range all {
		pkgs[m.Pkg], keys[m.Key] = true, true
	}
	for _, m := range slices.Concat(dropped, judged) {
		seen[m.Key] = true
	}
	return func(key string) (bool, bool) {
		name, _, _ := strings.Cut(key, ": ")
		return pkgs[name] && (seen[key] || !keys[key]), keys[key]
	}
}

func report(w writer, results []*result, dropped []*Mutant, explained map[string]string, scope func(string) (bool, bool), o options) bool {
	type row struct{ all, killed, explained, left int }
	rows := map[string]*row{}
	outcome := map[string]string{}
	var left []*result
	for _, res := range results {
		outcome[res.Key] = res.Outcome
		p := rows[res.Pkg]
		if p == nil {
			p = &row{}
			rows[res.Pkg] = p
		}
		p.all++
		switch res.Outcome {
		case killed, timedOut:
			p.killed++
		default:
			if why, ok := explained[res.Key]; ok {
				res.Reason = why
				p.explained++
				continue
			}
			p.left++
			left = append(left, res)
		}
	}
	for _, res := range left {
		fmt.Fprintf(w, "%s:%d: %s\n\t%s\n", res.File, res.Line, res.Outcome, res.Key)
	}
	ok := len(left) == 0
	for _, m := range dropped {
		if _, yes := explained[m.Key]; yes {
			continue
		}
		ok = false
		fmt.Fprintf(w, "%s:%d: does not compile without it; explain it\n\t%s\n", m.File, m.Line, m.Key)
	}
	keys := make([]string, 0, len(explained))
	for k := range explained {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		looked, exists := scope(k)
		switch {
		case o.pkg == "" && o.run == "" && o.file == "" && !exists, looked && !exists:
			ok = false
			fmt.Fprintf(w, "explained, but there is no such mutant:\n\t%s\n", k)
		case outcome[k] == killed || outcome[k] == timedOut:
			ok = false
			fmt.Fprintf(w, "explained, but the tests kill it:\n\t%s\n", k)
		}
	}
	names := make([]string, 0, len(rows))
	for n := range rows {
		names = append(names, n)
	}
	sort.Strings(names)
	fmt.Fprintf(w, "%-24s %8s %8s %10s %10s\n", "package", "mutants", "killed", "explained", "survived")
	var sum row
	for _, n := range names {
		p := rows[n]
		fmt.Fprintf(w, "%-24s %8d %8d %10d %10d\n", n, p.all, p.killed, p.explained, p.left)
		sum.all, sum.killed, sum.explained, sum.left = sum.all+p.all, sum.killed+p.killed, sum.explained+p.explained, sum.left+p.left
	}
	fmt.Fprintf(w, "%-24s %8d %8d %10d %10d\n", "all", sum.all, sum.killed, sum.explained, sum.left)
	return ok
}

func countFiles(ms []*Mutant) int {
	files := map[string]bool{}
	for _, m := range ms {
		files[m.File] = true
	}
	return len(files)
}

// firstFailure returns the line of a test's output that says what went wrong.
func firstFailure(out string) string {
	lines := strings.Split(out, "\n")
	for _, l := range lines {
		if l = strings.TrimSpace(l); strings.Contains(l, "_test.go:") {
			return l
		}
	}
	return strings.TrimSpace(lines[0])
}
