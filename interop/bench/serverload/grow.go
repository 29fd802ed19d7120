//go:build linux

package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/clientauth"
)

// steps is how often the memory of a server is looked at.
const steps = 20

// tokens has servers issue so many tokens, and prints how much memory they hold on the way.
func (r *run) tokens(all []*target, n int64) {
	fmt.Printf("| tokens | %s |\n|---|%s\n", strings.Join(names(all), ", MB | ")+", MB", strings.Repeat("---|", len(all)))
	issued := make([]int64, len(all))
	for step := range int64(steps + 1) {
		fmt.Printf("| %d ", step*n/steps)
		for i, t := range all {
			for issued[i] < step*n/steps {
				issued[i] += r.turn(rows[0], t, 0).Requests
			}
			fmt.Printf("| %.1f ", float64(rss(t.pid, "VmRSS"))/1e6)
		}
		fmt.Println("|")
	}
	fmt.Print("| at most ")
	for _, t := range all {
		fmt.Printf("| %.1f ", float64(rss(t.pid, "VmHWM"))/1e6)
	}
	fmt.Println("|")
}

// grow prints how servers do with so many clients and refresh tokens, of which each request has another client.
func (r *run) grow(all []*target, fill string, sizes []int64) {
	fmt.Print("| clients and grants | | database, MB | memory, MB | private_key_jwt, any client: p50, ms | p99, ms | refresh: p50, ms | p99, ms | filled in, s |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range all {
		var from int64
		for _, n := range sizes {
			t.end()
			begin := time.Now()
			if out, err := exec.Command(fill, "-from", fmt.Sprint(from), "-clients", fmt.Sprint(n), "-grants", fmt.Sprint(n), "-like", withKey, "-of", named, t.store).CombinedOutput(); err != nil {
				log.Fatalf("error: fill: %v\n%s", err, out)
			}
			took := time.Since(begin)
			from = n
			t.restart()
			r.clients = n
			key := r.turn(rows[1], t, 3000)
			r.clients = 0
			refresh := r.turn(rows[3], t, 0)
			fmt.Printf("| %d | %s | %.0f | %.1f | %.2f | %.1f | %.2f | %.1f | %.0f |\n", n, t.name, float64(t.size())/1e6, float64(rss(t.pid, "VmHWM"))/1e6,
				key.P50/1e3, key.P99/1e3, refresh.P50/1e3, refresh.P99/1e3, took.Seconds())
		}
	}
}

// anyone is an assertion of any of the clients that were filled in.
func (r *run) anyone(t *target) string {
	now, id := time.Now(), fmt.Sprint("client-", rand.Int64N(r.clients))
	return assertionForm + must(clientauth.Sign(context.Background(), r.keys.client, jwt.Registered{
		Issuer: id, Subject: id, Audience: jwt.Audience{t.url}, IssuedAt: now, Expiry: now.Add(5 * time.Minute), ID: fmt.Sprint(rand.Uint64()),
	}, clientauth.Claims{}))
}

// size is that of the database, in bytes.
func (t *target) size() (n int64) {
	path, ok := strings.CutPrefix(t.store, "sqlite:")
	if !ok {
		_, host, _ := strings.Cut(t.store, "host=")
		out := must(exec.Command("psql", "-h", host, "-U", "jot", "-At", "-c", "SELECT pg_database_size('postgres')", "postgres").Output())
		return must(strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64))
	}
	for _, name := range must(filepath.Glob(path + "*")) {
		n += must(os.Stat(name)).Size()
	}
	return n
}

func names(all []*target) (out []string) {
	for _, t := range all {
		out = append(out, t.name)
	}
	return out
}

// parseSizes reads numbers with commas between them.
func parseSizes(s string) (out []int64) {
	for one := range strings.SplitSeq(s, ",") {
		out = append(out, must(strconv.ParseInt(one, 10, 64)))
	}
	return out
}
