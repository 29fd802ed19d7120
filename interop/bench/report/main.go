// Command report measures the libraries side by side and prints a table in Markdown.
//
// For each operation the libraries take turns of some milliseconds, which are long
// enough to bear their share of garbage collection and short enough that what else the
// machine does falls on all alike. Times are medians over the turns; multiples and
// differences are medians of the multiples and differences in each round of turns.
//
//	GOWORK=off go run ./bench/report [-turns 100] [-turn 10ms] [-only verify]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/interop/bench"
)

// row is an operation and, by library, what does it n times.
type row struct {
	name string
	run  map[string]func(n int) error
}

func main() {
	turns := flag.Int("turns", 100, "how many turns each library has")
	turn := flag.Duration("turn", 10*time.Millisecond, "how long a turn is at least")
	only := flag.String("only", "", "a regular expression that the operation's name matches")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil || *turns < 1 {
		fmt.Fprintln(os.Stderr, "error: -only is no regular expression, or -turns is not positive")
		os.Exit(2)
	}
	rows := slices.DeleteFunc(operations(), func(r row) bool { return !pattern.MatchString(r.name) })

	fmt.Printf("%s, %s/%s, %d cores, %s. %d turns of %s each.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), cpu(), *turns, *turn)
	fmt.Printf("Peers: %s.\n\n", strings.Join(peers(), ", "))
	fmt.Println("Each cell: time, allocations, and the time as a multiple of jot's. `bare` is the standard library's operation on the same bytes;")
	fmt.Println("the last column has jot's time as a multiple of it, and what jot takes more, with the 95 % interval of that median.")
	fmt.Println()
	fmt.Println("| operation | " + strings.Join(bench.Libraries, " | ") + " | jot over bare |")
	fmt.Println("|---" + strings.Repeat("|---", len(bench.Libraries)+1) + "|")
	for i, r := range rows {
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", i+1, len(rows), r.name)
		line, err := r.measure(*turns, *turn)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", r.name, err)
			os.Exit(1)
		}
		fmt.Println(line)
	}
}

func operations() []row {
	var rows []row
	add := func(name, library string, run func(n int) error) {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			i = len(rows)
			rows = append(rows, row{name, map[string]func(int) error{}})
		}
		rows[i].run[library] = run
	}
	for _, op := range bench.All() {
		add(op.Name, op.Library, func(n int) error {
			for range n {
				if err := op.Run(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, alg := range bench.Algorithms {
		token := bench.Token(alg)
		for _, v := range bench.Verifiers(alg) {
			add("verify "+alg+" on all cores", v.Library, func(n int) error {
				return onAllCores(n, func() error { return v.Verify(token) })
			})
		}
	}
	return rows
}

// onAllCores calls f n times, from as many goroutines as there are cores.
func onAllCores(n int, f func() error) error {
	var wait sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for i := range errs {
		wait.Go(func() {
			for range (n + i) / len(errs) {
				if errs[i] = f(); errs[i] != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	return cmp.Or(errs...)
}

// measure lets the libraries take turns and returns the line of the table.
func (r row) measure(turns int, turn time.Duration) (string, error) {
	repeat := map[string]int{}
	nanos := map[string][]float64{} // of one operation, by turn
	for library, run := range r.run {
		n := 1
		for {
			start := time.Now()
			if err := run(n); err != nil {
				return "", fmt.Errorf("%s: %w", library, err)
			}
			if time.Since(start) >= turn {
				break
			}
			n *= 2
		}
		repeat[library] = n
	}
	order := slices.Clone(bench.Libraries)
	for range turns {
		// To and fro, because what one leaves in the caches the next one pays for.
		slices.Reverse(order)
		for _, library := range order {
			run := r.run[library]
			if run == nil {
				continue
			}
			n := repeat[library]
			start := time.Now()
			if err := run(n); err != nil {
				return "", fmt.Errorf("%s: %w", library, err)
			}
			nanos[library] = append(nanos[library], float64(time.Since(start))/float64(n))
		}
	}

	cells := []string{r.name}
	for _, library := range bench.Libraries {
		run := r.run[library]
		if run == nil {
			cells = append(cells, "–")
			continue
		}
		// Several at once, so that the goroutines of all cores count for little.
		const several = 20
		allocs := testing.AllocsPerRun(1, func() { _ = run(several) }) / several
		text := fmt.Sprintf("%s, %.0f", human(median(nanos[library])), allocs)
		if library != "jot" {
			text += fmt.Sprintf(" (%.2f ×)", median(combine(nanos[library], nanos["jot"], quotient)))
		}
		cells = append(cells, text)
	}
	over := "–"
	if bare := nanos["bare"]; bare != nil {
		more := combine(nanos["jot"], bare, difference)
		low, high := interval(more)
		over = fmt.Sprintf("%.2f ×, %+.2f µs (%+.2f to %+.2f)", median(combine(nanos["jot"], bare, quotient)), median(more)/1000, low/1000, high/1000)
	}
	return "| " + strings.Join(append(cells, over), " | ") + " |", nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// interval returns the bounds between which the true median lies in 95 of 100
// measurements: ranks of a binomial distribution, by its normal approximation.
func interval(v []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(v))
	half := int(math.Ceil(0.98 * math.Sqrt(float64(len(s)))))
	return s[max(len(s)/2-half, 0)], s[min(len(s)/2+half, len(s)-1)]
}

func quotient(x, y float64) float64   { return x / y }
func difference(x, y float64) float64 { return x - y }

// combine goes through the turns of two libraries.
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
	if nanos >= 10_000_000 {
		return fmt.Sprintf("%.1f ms", nanos/1_000_000)
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
