package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A pkg is what `go list` says about a package.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
	Deps                  []string

	module string // folder of its module, relative to the root
}

// A suite is the compiled tests of one package.
type suite struct {
	pkg  *pkg
	rel  string // folder relative to the root
	bin  string
	deps map[string]bool // import paths whose code the tests run

	tests []*test
}

// A test is one top-level test, example or fuzz target with its seeds, or a
// subtest of one that takes long.
type test struct {
	suite *suite
	name  string
	took  time.Duration
	fires map[int]bool // mutants that are reached in it
	bad   string       // output, where it fails with no mutant on
	out   string       // of its run with no mutant on
}

// pattern is what -test.run selects the test by.
func (t *test) pattern() string {
	parts := strings.Split(t.name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// runner holds one run.
type runner struct {
	root    string // folder of the tree
	work    string // scratch folder
	modules []string
	workers int
	timeout time.Duration
	skip    *regexp.Regexp // tests that are left out, or nil
	log     func(format string, a ...any)
}

// env is what the go command and the tests are given: each module as it is
// published, not as a workspace puts them together.
func env(extra ...string) []string {
	return append(append(os.Environ(), "GOWORK=off"), extra...)
}

func (r *runner) golist(dir string, args ...string) ([]*pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=Dir,ImportPath,Name,GoFiles,Deps"}, args...)...)
	cmd.Dir, cmd.Env = dir, env()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, errs.String())
	}
	var pkgs []*pkg
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		p := new(pkg)
		if err := d.Decode(p); err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
	return pkgs, nil
}

func (r *runner) rel(dir string) string {
	rel, err := filepath.Rel(r.root, dir)
	if err != nil {
		return dir
	}
	return filepath.ToSlash(rel)
}

// packages lists the packages with code of every module, and their suites.
func (r *runner) packages() (code []*pkg, suites []*suite, err error) {
	for _, m := range r.modules {
		dir := filepath.Join(r.root, m)
		pkgs, err := r.golist(dir, "./...")
		if err != nil {
			return nil, nil, err
		}
		for _, p := range pkgs {
			p.module = m
		}
		code = append(code, pkgs...)
		withTests, err := r.golist(dir, "-test", "./...")
		if err != nil {
			return nil, nil, err
		}
		byPath := map[string]*pkg{}
		for _, p := range pkgs {
			byPath[p.ImportPath] = p
		}
		for _, p := range withTests {
			of, ok := strings.CutSuffix(p.ImportPath, ".test")
			if !ok || p.Name != "main" || byPath[of] == nil {
				continue
			}
			s := &suite{pkg: byPath[of], rel: r.rel(byPath[of].Dir), deps: map[string]bool{of: true}}
			for _, d := range p.Deps {
				d, _, _ = strings.Cut(d, " ")
				s.deps[d] = true
			}
			suites = append(suites, s)
		}
	}
	return code, suites, nil
}

// overlay writes the changed sources and returns the overlay's file name.
func (r *runner) overlay(code []*pkg, mutants []*Mutant) (string, map[string]map[int][]*Mutant, error) {
	replace := map[string]string{}
	where := map[string]map[int][]*Mutant{}
	byFile := map[string][]*Mutant{}
	inPkg := map[string]bool{}
	for _, m := range mutants {
		byFile[m.File] = append(byFile[m.File], m)
		inPkg[m.Pkg] = true
	}
	for _, p := range code {
		rel := r.rel(p.Dir)
		if !inPkg[rel] {
			continue
		}
		out := filepath.Join(r.work, "src", filepath.FromSlash(rel))
		if err := os.MkdirAll(out, 0o700); err != nil {
			return "", nil, err
		}
		for _, name := range p.GoFiles {
			file := rel + "/" + name
			if len(byFile[file]) == 0 {
				continue
			}
			src, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				return "", nil, err
			}
			changed, lines := apply(src, byFile[file])
			where[file] = lines
			to := filepath.Join(out, name)
			if err := os.WriteFile(to, changed, 0o600); err != nil {
				return "", nil, err
			}
			replace[filepath.Join(p.Dir, name)] = to
		}
		to := filepath.Join(out, "mutant_helper_.go")
		if err := os.WriteFile(to, helperFor(p.Name), 0o600); err != nil {
			return "", nil, err
		}
		replace[filepath.Join(p.Dir, "zz_mutant_helper.go")] = to
	}
	b, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return "", nil, err
	}
	name := filepath.Join(r.work, "overlay.json")
	return name, where, os.WriteFile(name, b, 0o600)
}

var compileError = regexp.MustCompile(`(?m)^(?:vet: )?([^\s:]+\.go):(\d+):\d+: (.*)$`)

// settle drops the mutants with which their package does not compile, and
// returns the rest. There are few: those whose type the syntax does not tell.
func (r *runner) settle(code []*pkg, mutants []*Mutant) (good, dropped []*Mutant, overlay string, err error) {
	for range 20 {
		overlay, where, err := r.overlay(code, mutants)
		if err != nil {
			return nil, nil, "", err
		}
		out, failed := r.compile(code, mutants, overlay)
		if failed == nil {
			return mutants, dropped, overlay, nil
		}
		drop := map[*Mutant]bool{}
		for _, m := range compileError.FindAllStringSubmatch(out, -1) {
			line, _ := strconv.Atoi(m[2])
			file, _ := filepath.Rel(filepath.Join(r.work, "src"), m[1])
			for _, x := range where[filepath.ToSlash(file)][line] {
				drop[x] = true
			}
		}
		if len(drop) == 0 {
			return nil, nil, "", fmt.Errorf("the tree does not compile with its mutants:\n%s", out)
		}
		var rest []*Mutant
		for _, m := range mutants {
			if drop[m] {
				dropped = append(dropped, m)
			} else {
				rest = append(rest, m)
			}
		}
		mutants = rest
	}
	return nil, nil, "", errors.New("the tree does not settle: too many mutants do not compile")
}

// compile builds the packages that have mutants, module by module. The output
// names the changed files, not those that they stand for.
func (r *runner) compile(code []*pkg, mutants []*Mutant, overlay string) (string, error) {
	inPkg := map[string]bool{}
	for _, m := range mutants {
		inPkg[m.Pkg] = true
	}
	var all strings.Builder
	var failed error
	for _, module := range r.modules {
		var paths []string
		for _, p := range code {
			if p.module == module && inPkg[r.rel(p.Dir)] {
				paths = append(paths, p.ImportPath)
			}
		}
		if len(paths) == 0 {
			continue
		}
		// -e prints every error, not the first ten.
		cmd := exec.Command("go", append([]string{"build", "-o", os.DevNull, "-overlay", overlay, "-gcflags=-e"}, paths...)...)
		cmd.Dir, cmd.Env = filepath.Join(r.root, module), env()
		out, err := cmd.CombinedOutput()
		if err == nil {
			continue
		}
		failed = err
		all.Write(out)
	}
	return all.String(), failed
}

// build compiles the suites.
func (r *runner) build(suites []*suite, overlay string) error {
	return r.each(len(suites), func(i int) error {
		s := suites[i]
		s.bin = filepath.Join(r.work, fmt.Sprintf("suite%d.test", i))
		cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", s.bin, s.pkg.ImportPath)
		cmd.Dir, cmd.Env = s.pkg.Dir, env()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", s.rel, err, out)
		}
		return nil
	})
}

// each runs f for 0 to n-1 on the workers and returns the first error.
func (r *runner) each(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	next := 0
	for range r.workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				mu.Lock()
				i := next
				next++
				stop := first != nil
				mu.Unlock()
				if i >= n || stop {
					return
				}
				if err := f(i); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		}()
	}
	wg.Wait()
	return first
}

// memory bounds the address space of a test, in KiB: a rule whose absence lets
// a test allocate without end must not take the machine with it.
const memory = 12 << 20

// run runs a suite's binary. It reports failure, its output and whether it had to be ended.
func (s *suite) run(timeout time.Duration, pattern string, verbose bool, extra ...string) (failed bool, output string, timedOut bool) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	args := []string{"-test.short", "-test.failfast", "-test.timeout=" + (timeout * 2).String(), "-test.run=" + pattern}
	out := limited{room: 16 << 10}
	if verbose {
		out.room = 16 << 20 // the subtests are in it
		args = append(args, "-test.v")
	}
	var cmd *exec.Cmd
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, s.bin, args...)
	} else {
		script := fmt.Sprintf(`ulimit -v %d 2>/dev/null; exec "$0" "$@"`, memory)
		cmd = exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, s.bin}, args...)...)
	}
	cmd.Dir = s.pkg.Dir
	cmd.Env = env(extra...)
	cmd.WaitDelay = time.Second
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return err != nil, out.b.String(), ctx.Err() != nil
}

// limited keeps the first part of what is written to it.
type limited struct {
	b    bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.room, len(p))
	l.b.Write(p[:n])
	l.room -= n
	return len(p), nil
}

// list finds the tests of a suite, but those that are left out.
func (s *suite) list(skip *regexp.Regexp) error {
	cmd := exec.Command(s.bin, "-test.list=.")
	cmd.Dir = s.pkg.Dir
	cmd.Env = env("JOT_MUTANT=0")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: list the tests: %w", s.rel, err)
	}
	for _, name := range strings.Fields(string(out)) {
		if skip != nil && skip.MatchString(name) {
			continue
		}
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Example") || strings.HasPrefix(name, "Fuzz") {
			s.tests = append(s.tests, &test{suite: s, name: name, fires: map[int]bool{}})
		}
	}
	return nil
}

// A test that takes long has its subtests run one by one, if it has not many: each starts a process.
const (
	long = 3 * time.Second
	many = 40
)

// trace runs each test alone with no mutant on, and records which mutants it
// reaches. One that takes long is replaced by its subtests, and stays for what
// none of them reaches alone.
func (r *runner) trace(suites []*suite) error {
	var tests []*test
	for _, s := range suites {
		if err := s.list(r.skip); err != nil {
			return err
		}
		tests = append(tests, s.tests...)
	}
	if err := r.each(len(tests), func(i int) error { return r.traceOne(tests[i], fmt.Sprint("trace", i)) }); err != nil {
		return err
	}
	var subs []*test
	of := map[*test][]*test{}
	for _, t := range tests {
		if t.bad != "" || t.took < long || len(t.fires) == 0 {
			continue
		}
		if list := t.subtests(); len(list) <= many {
			of[t] = list
			subs = append(subs, list...)
		}
	}
	if err := r.each(len(subs), func(i int) error { return r.traceOne(subs[i], fmt.Sprint("subtrace", i)) }); err != nil {
		return err
	}
	for t, list := range of {
		for _, sub := range list {
			if sub.bad != "" {
				continue // it needs the others
			}
			t.suite.tests = append(t.suite.tests, sub)
			for id := range sub.fires {
				delete(t.fires, id)
			}
		}
	}
	return nil
}

var subtestLine = regexp.MustCompile(`(?m)^    --- PASS: ([^/\s]+/[^/\s]+) \(`)

// subtests are those of a test that passed, by its output.
func (t *test) subtests() (out []*test) {
	for _, m := range subtestLine.FindAllStringSubmatch(t.out, -1) {
		out = append(out, &test{suite: t.suite, name: m[1], fires: map[int]bool{}})
	}
	return out
}

func (r *runner) traceOne(t *test, name string) error {
	name = filepath.Join(r.work, name)
	start := time.Now()
	failed, out, _ := t.suite.run(r.timeout, t.pattern(), true, "JOT_MUTANT=0", "JOT_MUTANT_TRACE="+name)
	t.took, t.out = time.Since(start), out
	if failed {
		t.bad = out
		return nil
	}
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if id, err := strconv.Atoi(sc.Text()); err == nil {
			t.fires[id] = true
		}
	}
	return nil
}

// Outcomes of a mutant.
const (
	killed    = "killed"
	timedOut  = "killed by timeout"
	survived  = "survived"
	unreached = "never reached"
)

// A result is what became of a mutant.
type result struct {
	*Mutant
	Outcome string `json:"outcome"`
	By      string `json:"by,omitempty"` // the tests that were running when it died
	Reason  string `json:"reason,omitempty"`
}

// judge runs the tests that reach m with m on: those of its own package first,
// quick ones together before slow ones one by one.
func (r *runner) judge(m *Mutant, suites []*suite) *result {
	type batch struct {
		s               *suite
		names, patterns []string
		took            time.Duration
	}
	var batches []*batch
	for _, s := range suites {
		quick := &batch{s: s}
		for _, t := range s.tests {
			if t.bad != "" || !t.fires[m.ID] {
				continue
			}
			b := quick
			if t.took > 300*time.Millisecond || len(quick.names) == 0 {
				b = &batch{s: s}
				if t.took <= 300*time.Millisecond {
					quick = b
				}
				batches = append(batches, b)
			}
			b.names = append(b.names, t.name)
			b.patterns = append(b.patterns, t.pattern())
			b.took += t.took
		}
	}
	if len(batches) == 0 {
		return &result{Mutant: m, Outcome: unreached}
	}
	sort.SliceStable(batches, func(i, j int) bool {
		if own := batches[i].s.rel == m.Pkg; own != (batches[j].s.rel == m.Pkg) {
			return own
		}
		return batches[i].took < batches[j].took
	})
	for _, b := range batches {
		limit := min(r.timeout, 10*time.Second+10*b.took)
		failed, out, late := b.s.run(limit, strings.Join(b.patterns, "|"), false, "JOT_MUTANT="+strconv.Itoa(m.ID))
		if failed {
			res := &result{Mutant: m, Outcome: killed, By: b.s.rel + " " + killer(out, b.names)}
			if late {
				res.Outcome = timedOut
			}
			return res
		}
	}
	return &result{Mutant: m, Outcome: survived}
}

var failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// killer names the innermost test that failed first.
func killer(out string, names []string) string {
	all := failLine.FindAllStringSubmatch(out, -1)
	best := ""
	for _, m := range all {
		if len(m[1]) > len(best) {
			best = m[1]
		}
	}
	if best == "" {
		return strings.Join(names, ",")
	}
	return best
}
