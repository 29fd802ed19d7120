// Command report runs the benchmarks side by side and prints a table in Markdown:
// medians of several rounds, in each of which everything is run once, one after the
// other for each operation, so that a slow minute of the machine falls on all alike.
// Multiples are medians of the multiples in each round.
//
//	GOWORK=off go run ./bench/report [-rounds 5] [-time 300ms] [-only verify]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/interop/bench"
)

type sample struct {
	nanos  []float64
	allocs int64
	bytes  int64
}

func main() {
	testing.Init()
	rounds := flag.Int("rounds", 5, "how often everything is run")
	each := flag.Duration("time", 300*time.Millisecond, "how long one benchmark runs")
	only := flag.String("only", "", "a regular expression that the operation's name matches")
	least := flag.Bool("least", false, "print the least of the rounds instead of the median, for a machine that is busy")
	flag.Parse()
	if err := flag.Set("test.benchtime", each.String()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	pattern := regexp.MustCompile(*only)

	type operation struct {
		name, library string
		f             func(*testing.B)
	}
	var ops []operation
	for _, op := range bench.All() {
		ops = append(ops, operation{op.Name, op.Library, func(b *testing.B) {
			for b.Loop() {
				if err := op.Run(); err != nil {
					b.Fatal(err)
				}
			}
		}})
	}
	for _, alg := range bench.Algorithms {
		token := bench.Token(alg)
		for _, v := range bench.Verifiers(alg) {
			ops = append(ops, operation{"verify " + alg + " on all cores", v.Library, func(b *testing.B) {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := v.Verify(token); err != nil {
							b.Error(err)
						}
					}
				})
			}})
		}
	}
	ops = slices.DeleteFunc(ops, func(o operation) bool { return !pattern.MatchString(o.name) })

	var names []string
	samples := map[[2]string]*sample{}
	for round := range *rounds {
		for _, op := range ops {
			key := [2]string{op.name, op.library}
			s := samples[key]
			if s == nil {
				s = &sample{}
				samples[key] = s
				if !slices.Contains(names, op.name) {
					names = append(names, op.name)
				}
			}
			r := testing.Benchmark(op.f)
			if r.N == 0 {
				fmt.Fprintf(os.Stderr, "%s %s failed\n", op.name, op.library)
				os.Exit(1)
			}
			s.nanos = append(s.nanos, float64(r.T)/float64(r.N))
			s.allocs, s.bytes = r.AllocsPerOp(), r.AllocedBytesPerOp()
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, *rounds)
	}

	what, middle := "Medians", median
	together := func(a, b []float64, f func(x, y float64) float64) float64 { return median(combine(a, b, f)) }
	if *least {
		what, middle = "The least", slices.Min[[]float64]
		together = func(a, b []float64, f func(x, y float64) float64) float64 { return f(slices.Min(a), slices.Min(b)) }
	}
	fmt.Printf("%s, %s/%s, %d cores, %s. %s of %d rounds of %s each, interleaved.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpu(), what, *rounds, *each)
	fmt.Printf("Peers: %s.\n\n", strings.Join(peers(), ", "))
	fmt.Println("Each cell: time, allocations, and the time as a multiple of jot's. `bare` is the standard library's operation on the same bytes.")
	fmt.Println()
	fmt.Println("| operation | " + strings.Join(bench.Libraries, " | ") + " | jot over bare |")
	fmt.Println("|---" + strings.Repeat("|---", len(bench.Libraries)+1) + "|")
	for _, name := range names {
		jot := samples[[2]string{name, "jot"}].nanos
		row := []string{name}
		for _, library := range bench.Libraries {
			s := samples[[2]string{name, library}]
			if s == nil {
				row = append(row, "–")
				continue
			}
			m := middle(s.nanos)
			text := fmt.Sprintf("%s, %d", human(m), s.allocs)
			if library != "jot" {
				text += fmt.Sprintf(" (%.2f ×)", together(s.nanos, jot, quotient))
			}
			row = append(row, text)
		}
		over := "–"
		if s := samples[[2]string{name, "bare"}]; s != nil {
			over = fmt.Sprintf("%.2f ×, %+.2f µs", together(jot, s.nanos, quotient), together(jot, s.nanos, minus)/1000)
		}
		fmt.Println("| " + strings.Join(append(row, over), " | ") + " |")
	}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

func quotient(x, y float64) float64 { return x / y }

func minus(x, y float64) float64 { return x - y }

// combine goes through the rounds of two samples.
func combine(a, b []float64, f func(x, y float64) float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = f(a[i], b[i])
	}
	return out
}

func human(nanos float64) string {
	switch {
	case nanos < 1000:
		return fmt.Sprintf("%.0f ns", nanos)
	case nanos < 100_000:
		return fmt.Sprintf("%.2f µs", nanos/1000)
	}
	return fmt.Sprintf("%.0f µs", nanos/1000)
}

func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return "processor unknown"
}

func peers() []string {
	var out []string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			for _, path := range []string{"golang-jwt/jwt", "go-jose/go-jose", "lestrrat-go/jwx", "kataras/jwt"} {
				if strings.Contains(m.Path, path) {
					out = append(out, m.Path+" "+m.Version)
				}
			}
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}
