package main

import (
	"bytes"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/cmd/jot/internal/pgtest"
	"github.com/jotsuite/jot/server/store/storetest"
)

// envCommand is the command that is killed, where it is not the one that the test itself is.
const envCommand = "JOT_CHAOS_COMMAND"

// ground is where processes of jot serve come and go: a configuration and a store.
type ground struct {
	*chaos
	t       *testing.T
	dir     string
	slowest time.Duration // start
	killed  int
}

// newGround configures a server with a store of that name, and puts clients into it.
func newGround(t *testing.T, store string, retry bool, more string) *ground {
	t.Helper()
	dir := t.TempDir()
	window := "0s"
	if retry {
		window = chaosRetry.String()
	}
	g := &ground{t: t, dir: dir, chaos: newChaos(t, "http://127.0.0.1:"+freePort(t), retry)}
	text := fmt.Sprintf("issuer: %s\ndata: %s\nregistration:\n  open: true\n  scopes: [read]\nlifetimes:\n  refresh_retry: %s\n%s", g.issuer, filepath.Join(dir, "data"), window, more)
	if store != "" {
		text += "store: " + store + "\n"
	}
	if err := os.WriteFile(g.config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.within(g.seed)
	return g
}

func (g *ground) config() string { return filepath.Join(g.dir, "jot.yaml") }

// within opens the server in this process, beside those that serve.
func (g *ground) within(f func(t *testing.T, s *service)) {
	g.t.Helper()
	set, err := serviceFlags{Config: g.config()}.settle()
	if err != nil {
		g.t.Fatal(err)
	}
	s, err := set.open(g.t.Context(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	defer s.store.Close()
	f(g.t, s)
}

// freePort returns a port that is not one of those that connections get, which could be taken while nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(15000 + mathrand.IntN(15000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// life is a process.
type life struct {
	*front
	g       *ground
	cmd     *exec.Cmd
	log     *os.File
	started time.Time
}

// start starts a process behind f, and does not wait for it.
func (g *ground) start(f *front) *life {
	g.t.Helper()
	command := os.Getenv(envCommand)
	if command == "" {
		command = "jot"
	}
	l := &life{front: f, g: g}
	l.cmd = exec.Command(command, "serve", "--config", g.config(), "--addr", strings.TrimPrefix(f.url, "http://"))
	var err error
	if l.log, err = os.CreateTemp(g.dir, "log"); err != nil {
		g.t.Fatal(err)
	}
	l.cmd.Dir, l.cmd.Stderr = g.dir, l.log
	l.started = time.Now()
	if err := l.cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		if l.cmd.ProcessState == nil {
			_ = l.cmd.Process.Kill()
			_ = l.cmd.Wait()
		}
	})
	return l
}

// ready waits until the process is, and notes how long that took.
func (l *life) ready() {
	l.g.t.Helper()
	l.g.until("a process gets ready", func() bool { return l.get("/readyz") == http.StatusOK })
	l.g.slowest = max(l.g.slowest, time.Since(l.started))
}

// get returns the status of what is there, or 0.
func (l *life) get(path string) int {
	resp, err := l.client.Get(l.url + path)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// kill ends it as the end of its memory would.
func (l *life) kill() {
	l.g.t.Helper()
	l.troubles.Add(1)
	if err := l.cmd.Process.Kill(); err != nil {
		l.g.t.Fatal(err)
	}
	_ = l.cmd.Wait()
	l.g.killed++
	l.client.CloseIdleConnections()
	text, err := os.ReadFile(l.log.Name())
	if err != nil {
		l.g.t.Fatal(err)
	}
	if code := l.cmd.ProcessState.ExitCode(); code != -1 {
		l.g.problem("a process ended by itself with code %d: %.1000s", code, text)
	}
	for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
		if i := bytes.Index(text, []byte(bad)); i >= 0 {
			l.g.problem("a process wrote %.3000s", text[i:])
		}
	}
	_ = l.log.Close()
	_ = os.Remove(l.log.Name())
}

// kills returns how often a test kills. It is n unless the environment says otherwise, which makes it a long test.
func kills(t *testing.T, n int) (int, bool) {
	t.Helper()
	text := os.Getenv(storetest.EnvKills)
	if text == "" {
		return n, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

// load has clients work for a time, in which something may happen. Where there are several who may ask for the same at once, so
// many do.
func (g *ground) load(clients []func() (several int), meanwhile func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, several := range clients {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					g.work(several())
				}
			}
		})
	}
	meanwhile()
	close(stop)
	wg.Wait()
}

func alone() int { return 1 }

// sometimes is some, now and then.
func sometimes() int {
	if mathrand.IntN(4) == 0 {
		return 4
	}
	return 1
}

// until waits for what has to come about, however long that takes a machine that is busy.
func (g *ground) until(what string, f func() bool) time.Duration {
	g.t.Helper()
	began := time.Now()
	for !f() {
		if time.Since(began) > time.Minute {
			g.t.Fatalf("in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}

// more waits until n more writes were acknowledged.
func (g *ground) more(n int) {
	g.t.Helper()
	before := g.sofar()
	g.until("clients get answers", func() bool { return g.sofar() >= before+n })
}

// live starts a process, and looks what has become of all that was acknowledged.
func (g *ground) live(everything bool) *life {
	g.t.Helper()
	l := g.start(newFront(g.issuer))
	g.fronts = []*front{l.front}
	l.ready()
	g.checkAll(everything)
	return l
}

// run kills processes under load, and now and then while they start.
func (g *ground) run(kills int) {
	g.t.Helper()
	for i := range kills {
		if mathrand.IntN(8) == 0 && i > 0 {
			l := g.start(newFront(g.issuer))
			time.Sleep(time.Duration(mathrand.IntN(100)) * time.Millisecond)
			l.kill()
			continue
		}
		l := g.live(false)
		if len(g.problems) > 0 {
			break
		}
		g.load(slices.Repeat([]func() int{sometimes}, 16), func() {
			time.Sleep(time.Duration(150+mathrand.IntN(300)) * time.Millisecond)
			g.more(1)
			l.kill()
		})
	}
	g.live(true).kill()
}

// TestChaos kills jot serve under load.
func TestChaos(t *testing.T) {
	needUnix(t)
	n, long := kills(t, 2)
	for _, retry := range []bool{true, false} {
		name := "/once"
		if retry {
			name = "/retry"
		}
		for _, x := range []struct{ name, more string }{
			{"SQLiteFull", ""},
			{"SQLiteNormal", "synchronous: normal\n"},
			{"PostgreSQL", ""},
		} {
			t.Run(x.name+name, func(t *testing.T) {
				store := ""
				if x.name == "PostgreSQL" {
					p := pgtest.Start(t, long)
					store = p.Place(t)
				}
				g := newGround(t, store, retry, x.more)
				half := (n + 1) / 2 // the other half with the other window
				g.run(half)
				g.report(t)
				t.Logf("%d kills, slowest start %v", g.killed, g.slowest)
				if long && g.slowest > 2*time.Second {
					t.Errorf("a start took %v", g.slowest)
				}
				if g.acknowledged < 20 {
					t.Error("nothing was tried")
				}
			})
		}
	}
}

// TestChaosNotices gives the processes the database of before, as one that does not keep what it has acknowledged, and wants that noticed.
func TestChaosNotices(t *testing.T) {
	needUnix(t)
	g := newGround(t, "", true, "")
	l := g.live(false)
	for range 3 {
		g.present(g.newOnce("grant"), 1)
	}
	g.present(g.newOnce("assertion"), 1)
	g.register()
	l.kill()
	files, err := filepath.Glob(filepath.Join(g.dir, "data", "jot.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	before := map[string][]byte{}
	for _, name := range files {
		if before[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	l = g.live(false)
	g.endFamily(g.families[0])
	g.rotate(g.families[1], 1)
	g.rotate(g.families[2], 1)
	g.rotate(g.families[2], 1)
	g.tokens[0].end(g.chaos)
	g.members[0].end(g.chaos)
	g.register()
	for _, kind := range []string{"grant", "assertion", "proof"} {
		g.present(g.newOnce(kind), 1)
	}
	g.newToken("opaque", g.post("/token", "opaque", nil, "grant_type", "client_credentials"))
	l.kill()
	if len(g.problems) > 0 {
		t.Fatal(g.problems)
	}
	for name, data := range before {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g.live(true).kill()
	for _, want := range []string{
		"a one-time grant was accepted 2 times", "a one-time assertion was accepted 2 times", "a one-time proof was accepted 2 times",
		"a grant was lost", "a token of opaque was lost", "a revoked token of app is active", "a registered client was lost", "a client is back that was removed",
		"the refresh token of a grant that has ended is active", "a refresh token of a grant that has ended was exchanged", "a refresh token is active that was exchanged",
	} {
		if !strings.Contains(strings.Join(g.problems, "\n"), want) {
			t.Errorf("nobody has noticed: %s", want)
		}
	}
}
