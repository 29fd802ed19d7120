// Command timing measures whether the time of a refusal tells why a token was not
// decrypted (RFC 7516, Section 11.5). It decrypts samples of each class in random
// order and prints the mean of each class and Welch's t of each pair. A t of 4.5 or more
// between two refusals is a leak, and the exit status is 1.
//
// The second t leaves out the slowest twentieth of all samples, most of which the
// machine slowed down and not the token: it sees smaller differences, of some 20 ns, among
// them those of where a key lies in memory, and is not judged. A class marked with * is
// printed and not judged: good tokens, which are no secret to who sees them
// taken, and what only the holder of the key can make.
//
//	GOWORK=off go run ./timing [-samples 10000] [-only RSA]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// limit is the t from which on two classes are told apart.
const limit = 4.5

// experiment is one algorithm and the ways in which its tokens can be wrong.
type experiment struct {
	name    string
	keys    jwk.DecryptionSource
	classes []class
}

// class is a way for a token to be. Its tokens differ only in random bytes.
type class struct {
	name   string
	good   bool // it is decrypted
	judged bool // whoever has no secret can make it, and must not learn more than that it is refused
	make   func() string
}

func main() {
	samples := flag.Int("samples", 10_000, "how many samples each class has")
	only := flag.String("only", "", "a regular expression that the algorithm's name matches")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil || *samples < 2 {
		fmt.Fprintln(os.Stderr, "error: -only is no regular expression, or there are fewer than 2 samples")
		os.Exit(2)
	}
	fmt.Printf("%s, %s/%s, %d cores. %d samples of each class.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *samples)
	worst := 0.0
	for _, e := range experiments() {
		if !pattern.MatchString(e.name) {
			continue
		}
		t, err := e.run(os.Stdout, *samples)
		if err != nil {
			fmt.Fprintln(os.Stderr, "error:", e.name, err)
			os.Exit(2)
		}
		worst = max(worst, t)
	}
	fmt.Printf("\nthe largest t between two refusals is %.2f; %.1f is a leak\n", worst, limit)
	if worst >= limit {
		os.Exit(1)
	}
}

// pool is how many tokens a class has, which its samples repeat.
const pool = 200

// run measures, prints and returns the largest t between two classes that are judged.
func (e experiment) run(out io.Writer, samples int) (float64, error) {
	type shot struct {
		class int
		token string
	}
	var shots []shot
	for i, c := range e.classes {
		var tokens []string
		for range min(pool, samples) {
			tokens = append(tokens, c.make())
		}
		for n := range samples {
			shots = append(shots, shot{i, tokens[n%len(tokens)]})
		}
	}
	rand.Shuffle(len(shots), func(i, j int) { shots[i], shots[j] = shots[j], shots[i] })

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	times := make([][]float64, len(e.classes)) // in nanoseconds
	ctx := context.Background()
	for n, s := range shots {
		if n%2000 == 0 {
			runtime.GC() // and at no other time
		}
		token := strings.Clone(s.token) // where it stood, and how near the cache is, shall not matter
		start := time.Now()
		_, err := jwe.Decrypt(ctx, e.keys, token, jwe.Options{})
		taken := time.Since(start)
		if err := e.classes[s.class].check(err); err != nil {
			return 0, err
		}
		times[s.class] = append(times[s.class], float64(taken))
	}
	return e.report(out, times), nil
}

// check says whether the outcome is that of the class: for all that are refused, one
// and the same error.
func (c class) check(err error) error {
	switch {
	case c.good && err == nil, !c.good && err == jwe.ErrDecrypt: // the very same
		return nil
	case c.good:
		return fmt.Errorf("%s is refused: %w", c.name, err)
	case err == nil:
		return errors.New(c.name + " is decrypted")
	}
	return fmt.Errorf("%s has an error of its own: %w", c.name, err)
}

func (e experiment) report(out io.Writer, times [][]float64) (worst float64) {
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	slow := all[len(all)*19/20]
	fmt.Fprintf(out, "\n%s\n  %-28s %12s %12s %12s\n", e.name, "class", "mean", "median", "deviation")
	quick := make([][]float64, len(times))
	for i, c := range e.classes {
		for _, v := range times[i] {
			if v <= slow {
				quick[i] = append(quick[i], v)
			}
		}
		m, v := moments(times[i])
		fmt.Fprintf(out, "  %-28s %9.2f µs %9.2f µs %9.2f µs\n", c.label(), m/1000, slices.Sorted(slices.Values(times[i]))[len(times[i])/2]/1000, math.Sqrt(v)/1000)
	}
	fmt.Fprintf(out, "  %-52s %8s %12s\n", "pair", "t", "quicker t")
	for i, a := range e.classes {
		for j, b := range e.classes[:i] {
			t, q := welch(times[i], times[j]), welch(quick[i], quick[j])
			fmt.Fprintf(out, "  %-52s %8.2f %12.2f\n", b.label()+" | "+a.label(), t, q)
			if a.judged && b.judged {
				worst = max(worst, math.Abs(t))
			}
		}
	}
	return worst
}

func (c class) label() string {
	if c.judged {
		return c.name
	}
	return c.name + " *"
}

// moments returns the mean and the variance.
func moments(v []float64) (mean, variance float64) {
	for _, x := range v {
		mean += x
	}
	mean /= float64(len(v))
	for _, x := range v {
		variance += (x - mean) * (x - mean)
	}
	return mean, variance / float64(len(v)-1)
}

// welch returns the t of two samples whose variances differ.
func welch(a, b []float64) float64 {
	if len(a) < 2 || len(b) < 2 {
		return 0
	}
	ma, va := moments(a)
	mb, vb := moments(b)
	return (ma - mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}
