//go:build linux

// Serverload measures how many tokens a second jot serve gives, as a ratio to a bare net/http handler that does nothing but sign the same
// token, beside npm's oidc-provider, each in turns with wrk on the loopback interface.
//
//	cd interop && GOWORK=off go run ./bench/serverload -turns 3 -seconds 3
//	cd interop && GOWORK=off go run ./bench/serverload -tokens 1000000
//	cd interop && GOWORK=off go run ./bench/serverload -grow 10000,100000,1000000
//
// It needs wrk and PostgreSQL (Debian: apt-get install wrk postgresql), and Node.js for oidc-provider. Server and load share the machine's
// cores, so it is the ratio that counts. Each row of the table has its own turns of the bare handler, which gets the same requests; their
// assertions and proofs are signed before a turn, and each is sent once. A turn in which any request is not answered with 200
// is an error.
//
// While other processes use the cores the ratio of requests says little; the last column, which is that of processor time,
// says then what it would be at most.
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/dpop"
)

// rows are the kinds of requests, with the ratios that are asked for of memory, SQLite with FULL and NORMAL, and PostgreSQL.
var rows = []*row{
	{name: "client credentials", mode: "again", targets: []float64{.80, .80, .80, .80}},
	{name: "private_key_jwt", mode: "once", targets: []float64{.42, .24, .34, .31}, assertion: true},
	{name: "private_key_jwt, DPoP", mode: "once", targets: []float64{.31, .18, .26, .22}, assertion: true, proof: true},
	{name: "refresh", mode: "rotate", targets: []float64{.75, .32, .40, .36}},
}

type row struct {
	name, mode       string
	targets          []float64
	assertion, proof bool
}

// columns are jot's, in the order of the table.
var columns = []string{"memory", "sqlite-full", "sqlite-normal", "postgres"}

// load says how much.
type load struct {
	turns, seconds, connections int
	quiet, tries                int
}

func main() {
	if as := os.Getenv(asVariable); as != "" {
		be(as)
		return
	}
	runtime.LockOSThread() // the servers end with the thread that has started them
	log.SetFlags(0)
	var l load
	flag.IntVar(&l.turns, "turns", 3, "how often each is loaded")
	flag.IntVar(&l.seconds, "seconds", 3, "how long each time")
	flag.IntVar(&l.connections, "connections", 16, "at a time")
	flag.IntVar(&l.quiet, "quiet", 200, "repeat a turn in which other processes used more of a core than this, in percent,")
	flag.IntVar(&l.tries, "tries", 20, "up to so many times, of which the quietest counts")
	only := flag.String("only", "", "the rows and servers to load, as a regular expression for `row/server`, such as refresh/(memory|postgres)")
	binary := flag.String("jot", "", "the command; unless given it is built")
	config := flag.String("config", "", "lines that are added to the configuration of jot serve")
	tokens := flag.Int64("tokens", 0, "in place of turns, have memory and sqlite-full issue so many, and look how much memory they hold")
	sizes := flag.String("grow", "", "in place of turns, fill in so many clients and grants, such as 10000,100000,1000000")
	keep := flag.String("keep", "", "a folder that is made, in which logs and databases stay")
	flag.Parse()
	switch {
	case *only != "":
	case *tokens > 0:
		*only = "/(memory|sqlite-full)$"
	case *sizes != "":
		*only = "/(sqlite-full|postgres)$"
	}
	filter, err := regexp.Compile(*only)
	check(err)
	if _, err := exec.LookPath("wrk"); err != nil {
		log.Fatal("error: there is no wrk; Debian: apt-get install wrk")
	}
	here := must(filepath.Abs("bench/serverload"))
	if _, err := os.Stat(filepath.Join(here, "load.lua")); err != nil {
		log.Fatal("error: start it in the folder interop")
	}
	dir := *keep
	if dir == "" {
		dir = must(os.MkdirTemp("", "serverload"))
		defer os.RemoveAll(dir)
	} else {
		check(os.Mkdir(dir, 0o700))
	}
	k := newKeys(dir)
	wanted := func(name string) bool {
		return slices.ContainsFunc(rows, func(r *row) bool { return filter.MatchString(r.name + "/" + name) })
	}
	if *binary == "" && slices.ContainsFunc(columns[1:], wanted) {
		*binary = filepath.Join(dir, "jot")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", *binary, ".")
		build.Dir = filepath.Join(here, "..", "..", "..", "cmd", "jot")
		if out, err := build.CombinedOutput(); err != nil {
			log.Fatalf("error: go build: %v\n%s", err, out)
		}
	}
	all := []*target{startBare(k)}
	for _, name := range columns {
		if !wanted(name) {
			continue
		}
		switch name {
		case "memory":
			all = append(all, startMemory(k))
		case "sqlite-full", "sqlite-normal":
			all = append(all, startJot(k, *binary, name, "", strings.TrimPrefix(name, "sqlite-"), *config))
		case "postgres":
			at, end := postgres()
			defer end()
			all = append(all, startJot(k, *binary, name, at, "full", *config))
		}
	}
	if wanted("oidc-provider") {
		if p := startProvider(k, here); p != nil {
			all = append(all, p)
		}
	}
	defer func() {
		for _, t := range all {
			t.end()
		}
	}()
	r := &run{load: l, keys: k, script: filepath.Join(here, "load.lua"), results: map[string][]result{}}
	switch {
	case *tokens > 0:
		r.tokens(all[1:], *tokens)
		return
	case *sizes != "":
		fill := filepath.Join(dir, "fill")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", fill, "./stores/fill")
		build.Dir = filepath.Join(here, "..", "..", "..", "cmd", "jot")
		if out, err := build.CombinedOutput(); err != nil {
			log.Fatalf("error: go build: %v\n%s", err, out)
		}
		r.grow(all[1:], fill, parseSizes(*sizes))
		return
	}
	r.turnsOf(all, func(row *row, t *target) bool {
		return slices.ContainsFunc(all[1:], func(other *target) bool {
			return (t == other || t == all[0]) && filter.MatchString(row.name+"/"+other.name)
		})
	})
	r.print(all)
}

// run is a run with its results, by row/server.
type run struct {
	load
	keys    *keys
	script  string
	results map[string][]result
	others  []float64
	clients int64 // that were filled in, or zero
}

// result is what wrk says of a turn. Times are in microseconds.
type result struct {
	Requests, Micros, Bad, Broken, Exhausted int64
	P50, P99, Longest                        float64
	Example                                  string

	rss int64
	cpu float64 // seconds of processor time, of the load too
	// others is how many cores other processes have used.
	others float64
}

// perRequest returns the processor time of a request, of the load and databases too, in microseconds.
func (r result) perRequest() float64 { return r.cpu / float64(r.Requests) * 1e6 }

func (r result) rate() float64 { return float64(r.Requests) / float64(r.Micros) * 1e6 }

// turnsOf loads one after the other, to and fro.
func (r *run) turnsOf(all []*target, loaded func(*row, *target) bool) {
	for turn := range r.turns {
		for _, row := range rows {
			order := slices.Clone(all)
			if turn%2 == 1 {
				slices.Reverse(order)
			}
			for _, t := range order {
				if !loaded(row, t) {
					continue
				}
				key := row.name + "/" + t.name
				var last float64
				if n := len(r.results[key]); n > 0 {
					last = r.results[key][n-1].rate()
				}
				res := r.turn(row, t, last)
				for try := 1; try < r.tries && res.others > float64(r.quiet)/100; try++ {
					if again := r.turn(row, t, res.rate()); again.others < res.others {
						res = again
					}
				}
				r.others = append(r.others, res.others)
				r.results[key] = append(r.results[key], res)
				fmt.Fprintf(os.Stderr, "%-40s %8.0f/s  p50 %6.2f ms  p99 %6.2f ms  longest %6.1f ms  %5.1f MB  %5.1f µs of processor  others use %.0f %% of a core\n", key, res.rate(), res.P50/1e3, res.P99/1e3, res.Longest/1e3,
					float64(res.rss)/1e6, res.perRequest(), 100*res.others)
			}
		}
	}
}

// turn loads a server once. It had the rate last before.
func (r *run) turn(row *row, t *target, last float64) result {
	if last == 0 {
		last = 9000
	}
	for {
		n := 1
		if row.mode == "once" {
			n = int(last*1.3)*r.seconds + 100
		}
		file := filepath.Join(r.keys.dir, "requests")
		check(os.WriteFile(file, r.requests(row, t, n), 0o600))
		runtime.GC()
		mine, busy, begin := used(), usedByAll(), time.Now()
		out, err := exec.Command("wrk", "-t1", "-c"+strconv.Itoa(r.connections), "-d"+strconv.Itoa(r.seconds)+"s", "-s", r.script, t.token, row.mode, file).CombinedOutput()
		mine, busy, took := used()-mine, usedByAll()-busy, time.Since(begin).Seconds()
		check(os.Remove(file))
		_, line, ok := strings.Cut(string(out), "\nresult ")
		var res result
		if err != nil || !ok || json.Unmarshal([]byte(line), &res) != nil {
			log.Fatalf("error: wrk: %v\n%s", err, out)
		}
		if res.Exhausted > 0 && row.mode == "once" && res.Bad <= res.Exhausted {
			last = max(last, res.rate()) * 1.5 // there were too few
			continue
		}
		if res.Bad > 0 || res.Broken > 0 || res.Exhausted > 0 {
			log.Fatalf("error: %s/%s: %d requests were not answered with 200, %d not at all\n%s", row.name, t.name, res.Bad, res.Broken, out)
		}
		res.rss, res.cpu, res.others = rss(t.pid, "VmRSS"), mine, max(0, busy-mine)/took
		return res
	}
}

// requests makes what the script sends, after it has looked that the first of its kind is answered as it should be.
func (r *run) requests(row *row, t *target, n int) []byte {
	const form = "grant_type=client_credentials&scope=read+write"
	head := func(h http.Header, length int) []byte {
		u := must(url.Parse(t.url + "/token"))
		b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", u.Path, u.Host, length)
		for name := range h {
			b = append(b, name+": "+h.Get(name)+"\r\n"...)
		}
		return append(b, '\r', '\n')
	}
	nonce := ""
	if row.proof && t.name != "bare" {
		_, h, raw := t.send(form+"&"+r.assertion(t), http.Header{"Dpop": {r.proof(t, "")}})
		if nonce = h.Get("Dpop-Nonce"); nonce == "" {
			log.Fatalf("error: %s gives no nonce: %s", t.name, raw)
		}
	}
	one := func() (string, http.Header) {
		body, h := form, http.Header{}
		if row.assertion {
			body += "&" + r.assertion(t)
		} else {
			h.Set("Authorization", basic(t.secret))
		}
		if row.proof {
			h.Set("DPoP", r.proof(t, nonce))
		}
		return body, h
	}
	if row.mode == "rotate" {
		tokens := t.refresh(r.connections + 2) // one is tried here, and one request is made that wrk does not send
		h := http.Header{"Authorization": {basic(t.secret)}}
		const form = "grant_type=refresh_token&refresh_token="
		if a := t.post(form+tokens[0], h); t.name != "bare" && (a.Refresh == "" || a.Refresh == tokens[0]) || strings.Count(a.Access, ".") != 2 {
			log.Fatalf("error: %s does not rotate, or its token is another", t.name)
		}
		b := append(head(h, len(form)+len(tokens[0])), form...)
		for _, token := range tokens[1:] {
			b = append(append(b, 0), token...)
		}
		return b
	}
	a := t.post(one())
	if row.proof && t.name != "bare" && a.Type != "DPoP" || strings.Count(a.Access, ".") != 2 {
		log.Fatalf("error: the token of %s is another", t.name)
	}
	parts := make([][]byte, runtime.NumCPU())
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			for range n/len(parts) + 1 {
				body, h := one()
				parts[i] = append(append(append(parts[i], head(h, len(body))...), body...), 0)
			}
		})
	}
	wg.Wait()
	return slices.Concat(parts...)
}

var assertionForm = "client_assertion_type=" + escape(clientauth.AssertionType) + "&client_assertion="

func (r *run) assertion(t *target) string {
	if r.clients > 0 {
		return r.anyone(t)
	}
	now := time.Now()
	return assertionForm + must(clientauth.Sign(context.Background(), r.keys.client, jwt.Registered{
		Issuer: withKey, Subject: withKey, Audience: jwt.Audience{t.url}, IssuedAt: now, Expiry: now.Add(5 * time.Minute), ID: rand.Text(),
	}, clientauth.Claims{}))
}

func (r *run) proof(t *target, nonce string) string {
	return must(dpop.Sign(context.Background(), r.keys.proof, jwt.Registered{}, dpop.Claims{Method: http.MethodPost, URL: t.url + "/token", Nonce: nonce}))
}

func escape(s string) string { return url.QueryEscape(s) }

func basic(secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(named+":"+secret))
}

// print prints the tables.
func (r *run) print(all []*target) {
	fmt.Printf("%s, %d cores shared with the load; %s, %s\n", model(), runtime.NumCPU(), version("uname", "-sr"), runtime.Version())
	fmt.Printf("%s; %s; node %s, oidc-provider %s\n", version("wrk", "-v"), version("psql", "--version"), version("node", "--version"), providerVersion(filepath.Dir(r.script)))
	fmt.Printf("%d turns of %d s, %d connections; other processes used %.0f %% of a core (median), %.0f %% at most\n", r.turns, r.seconds, r.connections, 100*median(r.others), 100*slices.Max(r.others))
	fmt.Printf("serverload %s\n\n", strings.Join(os.Args[1:], " "))

	fmt.Print("| requests/s by those of the bare handler | bare, 1/s |")
	for _, t := range all[1:] {
		fmt.Printf(" %s |", t.name)
	}
	fmt.Print("\n|---|---|" + strings.Repeat("---|", len(all)-1) + "\n")
	for _, row := range rows {
		bare := r.results[row.name+"/bare"]
		if bare == nil {
			continue
		}
		fmt.Printf("| %s | %.0f |", row.name, median(rates(bare)))
		for _, t := range all[1:] {
			got := r.results[row.name+"/"+t.name]
			if got == nil {
				fmt.Print(" |")
				continue
			}
			fmt.Printf(" %.2f", ratio(got, bare))
			if i := slices.Index(columns, t.name); i >= 0 {
				fmt.Printf(" (≥ %.2f)", row.targets[i])
			}
			fmt.Print(" |")
		}
		fmt.Println()
	}
	fmt.Print("\n| | | requests/s | p50, ms | × what is implied | p99, ms | longest, ms | memory, MB | processor, µs a request | the bare handler's by it |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, row := range rows {
		for _, t := range all {
			got, bare := r.results[row.name+"/"+t.name], r.results[row.name+"/bare"]
			if got == nil {
				continue
			}
			perRequest := median(each(got, result.perRequest))
			p50 := median(each(got, func(r result) float64 { return r.P50 }))
			// The ratio that is asked for implies the time of the bare handler, divided by it.
			implied := "–"
			if i := slices.Index(columns, t.name); i >= 0 {
				implied = fmt.Sprintf("%.2f", p50/(median(each(bare, func(r result) float64 { return r.P50 }))/row.targets[i]))
			}
			fmt.Printf("| %s | %s | %.0f | %.2f | %s | %.2f | %.1f | %.1f | %.1f | %.2f |\n", row.name, t.name, median(rates(got)), p50/1e3, implied,
				median(each(got, func(r result) float64 { return r.P99 }))/1e3, slices.Max(each(got, func(r result) float64 { return r.Longest }))/1e3, slices.Max(each(got, func(r result) float64 { return float64(r.rss) }))/1e6, perRequest, median(each(bare, result.perRequest))/perRequest)
		}
	}
}

func each(all []result, f func(result) float64) (out []float64) {
	for _, r := range all {
		out = append(out, f(r))
	}
	return out
}

func rates(all []result) []float64 { return each(all, result.rate) }

// ratio is the median of those of each turn.
func ratio(got, bare []result) float64 {
	var out []float64
	for i := range got {
		out = append(out, got[i].rate()/bare[i].rate())
	}
	return median(out)
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

func model() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`model name\s*: (.+)`).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return runtime.GOARCH
}

// version is the first line of what a command says of itself.
func version(name string, args ...string) string {
	out, _ := exec.Command(name, args...).CombinedOutput() // wrk fails when it has said it
	line, _, _ := strings.Cut(string(out), "\n")
	line, _, _ = strings.Cut(line, " Copyright")
	return strings.TrimSpace(line)
}

func providerVersion(dir string) string {
	var p struct{ Version string }
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "oidc-provider", "package.json"))
	if err != nil || json.Unmarshal(text, &p) != nil {
		return "–"
	}
	return p.Version
}

// tick is the time that a unit in /proc stands for.
const tick = time.Second / 100

// used returns the processor time, in seconds, that this process and those that it has started have used.
func used() float64 {
	parents, times := map[int]int{}, map[int]int64{}
	all, _ := fs.Glob(os.DirFS("/proc"), "[0-9]*/stat")
	for _, name := range all {
		text, err := os.ReadFile("/proc/" + name)
		if err != nil {
			continue // it has ended
		}
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Dir(name))
		parents[pid], _ = strconv.Atoi(f[1])
		for _, s := range f[11:15] { // with the children that have ended
			n, _ := strconv.ParseInt(s, 10, 64)
			times[pid] += n
		}
	}
	var sum int64
	for pid, n := range times {
		for p := pid; p > 0; p = parents[p] {
			if p == os.Getpid() {
				sum += n
				break
			}
		}
	}
	return (time.Duration(sum) * tick).Seconds()
}

// usedByAll returns the processor time that was used on this machine, in seconds, and that its host has taken away.
func usedByAll() float64 {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	var sum int64
	for i, s := range strings.Fields(line)[1:] {
		if n, _ := strconv.ParseInt(s, 10, 64); i != 3 && i != 4 && i < 8 { // idle, iowait
			sum += n
		}
	}
	return (time.Duration(sum) * tick).Seconds()
}

func check(err error) {
	if err != nil {
		log.Fatal("error: ", err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
