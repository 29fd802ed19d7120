// Guardload measures what a guard costs a server: it serves one handler without a guard, behind one that knows the token from
// its cache, and behind one that verifies the token each time, and loads each in turns with wrk on the loopback interface.
//
//	cd interop && GOWORK=off go run ./bench/guardload -turns 5 -seconds 3
//
// wrk has to be installed (Debian: apt-get install wrk). Server and load share the machine's cores, so it is the ratio that counts.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/accesstoken"
)

func main() {
	turns := flag.Int("turns", 5, "how often each is loaded")
	seconds := flag.Int("seconds", 3, "how long each time")
	connections := flag.Int("connections", 32, "at a time")
	alg := flag.String("alg", "ES256", "signature of the token")
	flag.Parse()
	if _, err := exec.LookPath("wrk"); err != nil {
		log.Fatal("error: there is no wrk; Debian: apt-get install wrk")
	}
	const issuer, api = "https://as.example", "https://api.example"
	a, ok := jwa.Lookup(*alg)
	if !ok {
		log.Fatalf("error: there is no algorithm %s", *alg)
	}
	key := must(jwk.Generate(a))
	now := time.Now()
	token := must(accesstoken.Sign(context.Background(), key, jwt.Registered{
		Issuer: issuer, Subject: "alice", Audience: jwt.Audience{api}, IssuedAt: now, Expiry: now.Add(time.Hour), ID: "1",
	}, accesstoken.Claims{ClientID: "shop", Scope: "orders:read orders:write"}))

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"orders":[{"id":1,"items":3},{"id":2,"items":1}]}`) // wrk counts what is lost
	})
	guarded := func(cache int) http.Handler {
		v := must(accesstoken.NewVerifier(jwk.Set{key.Public()}, accesstoken.Policy{
			Issuers: []string{issuer}, Audiences: []string{api}, JWT: jwt.Policy{CacheSize: cache},
		}))
		return must(guard.New(guard.Policy{Resource: api, JWT: v})).Handler(handler, guard.Need{Scopes: []string{"orders:read"}})
	}
	servers := []struct {
		name    string
		handler http.Handler
		url     string
		rates   []float64
	}{
		{name: "without a guard", handler: handler},
		{name: "guard, token from its cache", handler: guarded(1000)},
		{name: "guard, token verified", handler: guarded(0)},
	}
	for i := range servers {
		l := must(net.Listen("tcp", "127.0.0.1:0"))
		s := &http.Server{Handler: servers[i].handler, ReadHeaderTimeout: time.Second}
		go func() { _ = s.Serve(l) }() // until the process ends
		servers[i].url = "http://" + l.Addr().String() + "/orders"
	}
	for turn := range *turns {
		for i := range servers {
			s := &servers[(i+turn)%len(servers)]
			s.rates = append(s.rates, load(s.url, token, *seconds, *connections))
		}
	}
	fmt.Printf("%d turns of %d s, %d connections, %d cores, %s, %s\n", *turns, *seconds, *connections, runtime.NumCPU(), runtime.Version(), *alg)
	bare := median(servers[0].rates)
	for _, s := range servers {
		m := median(s.rates)
		fmt.Printf("%-28s %8.0f requests/s  %5.1f %%  (%.0f to %.0f)\n", s.name, m, 100*m/bare, slices.Min(s.rates), slices.Max(s.rates))
	}
}

var (
	rate   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	failed = regexp.MustCompile(`(?m)^\s*(Non-2xx.*|Socket errors.*)$`)
)

// load returns the requests per second that a server has answered.
func load(url, token string, seconds, connections int) float64 {
	out, err := exec.Command("wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(seconds)+"s",
		"-H", "Authorization: Bearer "+token, url).CombinedOutput()
	if err != nil {
		log.Fatalf("error: wrk: %v\n%s", err, out)
	}
	m := rate.FindSubmatch(out)
	if m == nil || failed.Match(out) {
		log.Fatalf("error: not all requests were answered with 200:\n%s", out)
	}
	return must(strconv.ParseFloat(string(m[1]), 64))
}

func median(s []float64) float64 {
	s = slices.Sorted(slices.Values(s))
	return s[len(s)/2]
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal("error: ", err)
	}
	return v
}
