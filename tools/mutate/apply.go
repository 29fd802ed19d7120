package main

import (
	"bytes"
	"fmt"
	"sort"
	"text/template"
)

// Names that the changed sources call. No package of the tree uses them.
const (
	onName  = "mutantOn_"
	errName = "mutantErr_"
)

// apply returns src with the mutants put in, and for each line of the result the
// mutants that changed it.
func apply(src []byte, mutants []*Mutant) ([]byte, map[int][]*Mutant) {
	type owned struct {
		edit
		m   *Mutant
		seq int
	}
	var all []owned
	for _, m := range mutants {
		for _, e := range m.edits {
			all = append(all, owned{e, m, len(all)})
		}
	}
	// Edits at one offset: what closes comes before what opens; closings of inner
	// expressions come first, openings of outer ones do. Mutants are numbered outer
	// first, so opening follows the number and closing runs against it.
	closes := func(e owned) bool { return e.text[0] == ')' || e.text[0] == ' ' }
	sort.SliceStable(all, func(i, j int) bool {
		a, b := all[i], all[j]
		if a.at != b.at {
			return a.at < b.at
		}
		if closes(a) != closes(b) {
			return closes(a)
		}
		if closes(a) {
			return a.m.ID > b.m.ID
		}
		return a.m.ID < b.m.ID
	})
	var out bytes.Buffer
	lines := map[int][]*Mutant{}
	line, from := 1, 0
	put := func(b []byte, m *Mutant) {
		out.Write(b)
		for range bytes.Count(b, []byte("\n")) {
			if m != nil {
				lines[line] = append(lines[line], m)
			}
			line++
		}
		if m != nil {
			lines[line] = append(lines[line], m)
		}
	}
	for _, e := range all {
		put(src[from:e.at], nil)
		put([]byte(e.text), e.m)
		from = e.at
	}
	put(src[from:], nil)
	return out.Bytes(), lines
}

// helper is the file added to each package. A process that a test starts may not
// be given the environment; on Linux it then looks at that of its ancestors.
var helper = template.Must(template.New("").Parse(`package {{.}}

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"sync"
)

var mutantActive_, mutantTrace_ = mutantSetup_()

var mutantSeen_ sync.Map

func mutantSetup_() (int, *os.File) {
	get := func(name string) (string, bool) { return os.LookupEnv(name) }
	if _, ok := get("JOT_MUTANT"); !ok {
		pid := os.Getppid()
		for range 4 {
			env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
			if err != nil {
				break
			}
			if bytes.Contains(env, []byte("JOT_MUTANT=")) {
				get = func(name string) (string, bool) {
					for _, kv := range strings.Split(string(env), "\x00") {
						if v, ok := strings.CutPrefix(kv, name+"="); ok {
							return v, true
						}
					}
					return "", false
				}
				break
			}
			stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
			if err != nil {
				break
			}
			f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
			if len(f) < 2 {
				break
			}
			pid, _ = strconv.Atoi(f[1])
		}
	}
	id := 0
	if v, ok := get("JOT_MUTANT"); ok {
		id, _ = strconv.Atoi(v)
	}
	var trace *os.File
	if v, ok := get("JOT_MUTANT_TRACE"); ok && v != "" {
		trace, _ = os.OpenFile(v, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	}
	return id, trace
}

func ` + onName + `(n int) bool { return n != mutantActive_ && (mutantTrace_ == nil || mutantReached_(n)) }

func mutantReached_(n int) bool {
	if _, seen := mutantSeen_.LoadOrStore(n, true); !seen {
		mutantTrace_.WriteString(strconv.Itoa(n) + "\n")
	}
	return true
}

func ` + errName + `(n int, err error) error {
	if err != nil && !` + onName + `(n) {
		return nil
	}
	return err
}
`))

func helperFor(pkg string) []byte {
	var b bytes.Buffer
	if err := helper.Execute(&b, pkg); err != nil {
		panic(fmt.Sprintf("helper: %v", err))
	}
	return b.Bytes()
}
