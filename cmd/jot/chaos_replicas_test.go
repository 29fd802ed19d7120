package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/jotsuite/jot/cmd/jot/internal/pgtest"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
)

// TestChaosReplicas has three processes on one PostgreSQL, and 64 clients that ask for the same at once, each one of them, while one is
// killed, and the database ends without a word.
func TestChaosReplicas(t *testing.T) {
	needUnix(t)
	n, long := kills(t, 0)
	p := pgtest.Start(t, long)
	for _, retry := range []bool{true, false} {
		name := "once"
		if retry {
			name = "retry"
		}
		t.Run(name, func(t *testing.T) {
			g := newGround(t, p.Place(t), retry, "keys:\n  every: 240h\n  cache: 4s\n")
			lives := g.three()
			rounds, contests, length := 1, 1, 40
			if long {
				rounds, contests, length = max(1, n/20), 10, 300
			}
			crowd := append(slices.Repeat([]func() int{alone}, 8), func() int { return 64 })
			g.load(crowd, func() {
				for i := range rounds {
					g.contested(contests)
					lives[2].kill()
					g.more(length)
					lives[2] = g.start(lives[2].front)
					lives[2].ready()
					lives[2].troubles.Add(1)
					g.more(length)
					g.databaseEnds(p, lives, i > 0)
				}
				g.contested(contests)
			})
			g.checkAll(true)
			t.Logf("%d processes killed, %d ends of the database, slowest start %v", g.killed, rounds, g.slowest)
			if retry {
				g.administered(lives)
			}
			for _, l := range lives {
				l.kill()
			}
			g.report(t)
		})
	}
}

// contested waits until there were n more contests of each kind, which clients of all processes took part in.
func (g *ground) contested(n int) {
	g.t.Helper()
	for _, kind := range []string{"grant", "assertion", "proof", "refresh token"} {
		of := func() int {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.contests[kind]
		}
		before := of()
		g.until("a contest for a "+kind, func() bool { return of() >= before+n })
	}
}

// three starts three processes at once.
func (g *ground) three() []*life {
	g.t.Helper()
	var lives []*life
	for i := range 3 {
		base := g.issuer
		if i > 0 {
			base = "http://127.0.0.1:" + freePort(g.t)
		}
		l := g.start(newFront(base))
		lives, g.fronts = append(lives, l), append(g.fronts, l.front)
	}
	for _, l := range lives {
		l.ready()
	}
	return lives
}

// databaseEnds stops the database and starts it again, for which nobody has to wait longer than until it is there.
func (g *ground) databaseEnds(p *pgtest.Server, lives []*life, long bool) {
	g.t.Helper()
	tokens := g.signed(lives)
	for _, l := range lives {
		l.troubles.Add(1)
	}
	p.Stop()
	for _, l := range lives {
		g.until("the process says that it cannot serve", func() bool { return l.get("/readyz") == http.StatusServiceUnavailable })
		if status := l.get("/healthz"); status != http.StatusOK {
			g.problem("/healthz is %d without the database", status)
		}
	}
	down := time.Now()
	c := g.chaos
	for i := range 9 { // each of them, and what needs the database by all means
		f := lives[i%3].front
		for _, a := range []answer{
			c.postTo(f, "/token", "app", nil, "grant_type", "client_credentials"),
			c.postTo(f, "/introspect", "api", nil, "token", tokens[0].raw),
			c.postTo(f, "/revoke", "web", nil, "token", tokens[0].raw),
		} {
			if !a.lost || a.status != http.StatusServiceUnavailable || a.body.Error != oauth.TemporarilyUnavailable {
				g.problem("without the database the answer is %+v", a)
			}
		}
	}
	if long {
		time.Sleep(time.Second)
	}
	p.Start()
	began := time.Now()
	for _, l := range lives {
		g.until("the process serves again", func() bool { return l.get("/readyz") == http.StatusOK })
	}
	g.t.Logf("the database was down for %v; all served %v after it was back", began.Sub(down).Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	for _, l := range lives {
		l.troubles.Add(1)
	}
}

// administered has another process change what all of them have in memory.
func (g *ground) administered(lives []*life) {
	g.t.Helper()
	g.within(func(t *testing.T, s *service) {
		doomed := server.Client{ID: "doomed", Metadata: oauth.ClientMetadata{GrantTypes: []string{"client_credentials"}, Scope: "read"}}
		saved, err := s.SaveClient(t.Context(), doomed)
		if err != nil {
			t.Fatal(err)
		}
		g.secrets["doomed"] = saved.Secret
		var tokens []*token
		for _, l := range lives {
			g.until("a new client gets a token", func() bool {
				a := g.postTo(l.front, "/token", "doomed", nil, "grant_type", "client_credentials")
				if a.ok() {
					tokens = append(tokens, &token{raw: a.body.Access, client: "doomed"})
				}
				return a.ok()
			})
		}
		g.everywhere(lives, tokens, true)
		if err := s.DeleteClient(t.Context(), "doomed"); err != nil {
			t.Fatal(err)
		}
		deleted := time.Now()
		g.everywhere(lives, tokens, false)
		for _, l := range lives {
			g.until("a client that was deleted gets nothing", func() bool {
				return g.postTo(l.front, "/token", "doomed", nil, "grant_type", "client_credentials").refused()
			})
		}
		t.Logf("a client was gone everywhere %v after it was deleted", time.Since(deleted).Round(time.Millisecond))
		for _, l := range lives {
			for range 5 {
				if a := g.postTo(l.front, "/token", "doomed", nil, "grant_type", "client_credentials"); !a.refused() {
					g.problem("a client that was deleted is back: %+v", a)
				}
			}
		}

		old := g.signed(lives)
		g.everywhere(lives, old, true)
		set, _, err := s.keys.Set(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		kid := set[0].KeyID()
		if err := s.keys.Revoke(t.Context(), kid); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		for _, l := range lives {
			g.until("a key that was revoked is not published", func() bool { return !slices.Contains(l.keys(), kid) })
		}
		t.Logf("a key was gone everywhere %v after it was revoked", time.Since(revoked).Round(time.Millisecond))
		g.everywhere(lives, old, false)
		// The next key was published before, so whoever signs with it first, all know it.
		g.everywhere(lives, g.signed(lives), true)
		for _, l := range lives {
			if now := l.keys(); !slices.Equal(now, lives[0].keys()) || len(now) < 2 {
				g.problem("keys differ: %v", now)
			}
		}
	})
}

// signed gets a token of each process.
func (g *ground) signed(lives []*life) (out []*token) {
	g.t.Helper()
	for _, l := range lives {
		a := g.postTo(l.front, "/token", "web", nil, "grant_type", "client_credentials")
		if !a.ok() {
			g.t.Fatalf("%+v", a)
		}
		out = append(out, &token{raw: a.body.Access, client: "web"})
	}
	return out
}

// everywhere holds what each process says of tokens to what all have to say.
func (g *ground) everywhere(lives []*life, tokens []*token, want bool) {
	g.t.Helper()
	for i, l := range lives {
		for j, x := range tokens {
			a := g.postTo(l.front, "/introspect", "api", nil, "token", x.raw)
			if !a.ok() || a.body.Active == nil || *a.body.Active != want {
				g.problem("process %d says of a token of process %d: %+v, want %v", i, j, a, want)
			}
		}
	}
}

// keys lists what a process publishes.
func (l *life) keys() (kids []string) {
	l.g.t.Helper()
	resp, err := l.client.Get(l.url + "/jwks")
	if err != nil {
		l.g.t.Fatal(err)
	}
	defer resp.Body.Close()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		l.g.t.Fatal(err)
	}
	for _, k := range set.Keys {
		kids = append(kids, k.ID)
	}
	return kids
}
