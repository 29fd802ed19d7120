package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/server/store"
)

// The environment of a process that is there to be killed, and how often that happens.
const (
	envPlace = "JOT_STORETEST_PLACE"
	envChild = "JOT_STORETEST_CHILD"
	envLife  = "JOT_STORETEST_LIFE"
	// EnvKills is the number of times that [Crash] kills, if it is set.
	EnvKills = "JOT_STORETEST_KILLS"
)

// Crash starts processes that work on a store, kills them in the middle of it, again and again, and
// looks whether all that they were told is stored is there, and nothing was used twice.
//
// The processes are the test itself, so it must do nothing before it calls Crash. In them, place is not called.
func Crash(t *testing.T, place func(t *testing.T) string, open func(place string) (store.Store, error)) {
	if p := os.Getenv(envPlace); p != "" {
		work(p, open)
	}
	kills := 5
	if s := os.Getenv(EnvKills); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	c := &crash{T: t, place: place(t), lines: map[string]bool{}, latest: map[string]int64{}, gone: map[string]bool{}}
	var slowest time.Duration
	for life := range kills + 1 {
		if life > 0 {
			c.life(life - 1)
		}
		began := time.Now()
		s, err := open(c.place)
		if err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, time.Since(began))
		c.check(s)
		c.share(s, life)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d processes killed, %d writes acknowledged, slowest start %v", 2*kills, c.acknowledged, slowest)
	if slowest > 2*time.Second {
		t.Errorf("a start took %v", slowest)
	}
	if c.acknowledged < kills {
		t.Error("the processes did nothing")
	}
}

// crash is what was acknowledged.
type crash struct {
	*testing.T
	place        string
	lines        map[string]bool  // what may come once
	latest       map[string]int64 // the versions of documents, the numbers of grants
	gone         map[string]bool  // the records that were asked for
	records      []string
	revoked      []string
	acknowledged int
}

// sharedGrants is how many grants all processes of a life rotate.
const sharedGrants = 500

// share adds them. A process does not add one that is gone: it would begin anew, with numbers that were used.
func (c *crash) share(s store.Store, life int) {
	for i := range sharedGrants {
		if err := s.AddGrant(c.Context(), grant(sharedGrant(strconv.Itoa(life), i))); err != nil {
			c.Fatal(err)
		}
	}
}

func sharedGrant(life string, i int) string { return fmt.Sprint("shared", life, "-", i) }

// life starts two processes, and kills them at a time of their own.
func (c *crash) life(life int) {
	c.Helper()
	type output struct {
		lines []string
		err   string
	}
	outputs := make([]output, 2)
	var wg sync.WaitGroup
	for i := range outputs {
		cmd := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(c.Name(), "/", "$/^")+"$", "-test.count=1")
		cmd.Env = append(os.Environ(), envPlace+"="+c.place, envChild+"="+strconv.Itoa(i), envLife+"="+strconv.Itoa(life))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe() // which ends if the test does, and the process with it
		if err != nil {
			c.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			c.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			c.Fatal(err)
		}
		wg.Go(func() {
			defer stdin.Close()
			r := bufio.NewReader(stdout)
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					break // a line without an end was not acknowledged
				}
				if line == "open\n" {
					time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() })
				}
				outputs[i].lines = append(outputs[i].lines, strings.TrimSuffix(line, "\n"))
			}
			cmd.Wait()
			outputs[i].err = stderr.String()
		})
	}
	wg.Wait()
	for _, o := range outputs {
		if len(o.lines) == 0 {
			c.Fatalf("a process did nothing: %s", o.err)
		}
		for _, line := range o.lines {
			c.line(line)
		}
	}
}

// line notes a line that a process has written.
func (c *crash) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	id, n, _ := strings.Cut(rest, " ")
	number, _ := strconv.ParseInt(n, 10, 64)
	switch word {
	case "open", "PASS", "ok":
		return
	case "error":
		c.Errorf("a process: %s", rest)
	case "used", "took", "rotated":
		if c.lines[line] {
			c.Errorf("twice: %s", line)
		}
		c.lines[line] = true
		if word == "rotated" && strings.HasPrefix(id, "own") {
			c.latest["grant "+id] = max(c.latest["grant "+id], number+1)
		}
	case "granted":
		c.latest["grant "+id] = max(c.latest["grant "+id], 1)
	case "put":
		c.latest["document "+id] = max(c.latest["document "+id], number)
	case "added":
		c.records = append(c.records, id)
	case "takes":
		c.gone[id] = true
	case "revoked":
		c.revoked = append(c.revoked, id)
	default:
		c.Errorf("a process wrote %q", line)
	}
	c.acknowledged++
}

// check looks for what was acknowledged.
func (c *crash) check(s store.Store) {
	c.Helper()
	ctx := c.Context()
	for what, want := range c.latest {
		kind, id, _ := strings.Cut(what, " ")
		var got int64
		var err error
		if kind == "grant" {
			var g store.Grant
			g, err = s.Grant(ctx, now, id)
			got = g.Seq
		} else {
			var d store.Document
			d, err = s.Document(ctx, "crash", id)
			got = d.Version
		}
		if err != nil || got < want {
			c.Errorf("%s is %d, was %d: %v", what, got, want, err)
		}
	}
	for _, id := range c.records {
		if _, err := s.Record(ctx, now, "crash", id); err != nil && !c.gone[id] {
			c.Errorf("record %s: %v", id, err)
		}
	}
	for _, id := range c.revoked {
		if ok, err := s.Revoked(ctx, now, now, store.Target{Sort: store.OfToken, ID: id}); !ok {
			c.Errorf("revocation %s: %v", id, err)
		}
	}
	uses := make([]store.Use, 0, len(c.lines))
	for line := range c.lines {
		if key, ok := strings.CutPrefix(line, "used "); ok {
			uses = append(uses, store.Use{Key: key, Expires: at(time.Hour)})
		}
	}
	fresh, err := s.Use(ctx, now, uses...)
	if err != nil {
		c.Error(err)
	}
	for i, f := range fresh {
		if f {
			c.Errorf("%s can be used again", uses[i].Key)
		}
	}
	// Only what is new has to be looked for the next time.
	clear(c.latest)
	clear(c.gone)
	c.records, c.revoked = nil, nil
	if c.Failed() {
		c.FailNow()
	}
}

// work works until it is killed, and writes what was acknowledged, a line each.
func work(place string, open func(string) (store.Store, error)) {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	s, err := open(place)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		os.Stdout.WriteString(fmt.Sprintln(words...))
	}
	say("open")
	ctx := context.Background()
	me := os.Getenv(envChild)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			own := fmt.Sprint("own", me, "-", i)
			fail := func(err error) {
				if err != nil {
					say("error", err)
				}
			}
			for {
				switch rand.IntN(6) {
				case 0:
					key := fmt.Sprint("key", rand.IntN(20000))
					fresh, err := s.Use(ctx, now, store.Use{Key: key, Expires: at(time.Hour)})
					fail(err)
					if err == nil && fresh[0] {
						say("used", key)
					}
				case 1:
					rotateOnce(ctx, s, own, say)
				case 2:
					// Of these all processes know, and the second loses.
					rotateOnce(ctx, s, sharedGrant(os.Getenv(envLife), rand.IntN(sharedGrants)), say)
				case 3:
					d, err := s.Document(ctx, "crash", own)
					if !errors.Is(err, store.ErrNotFound) {
						fail(err)
					}
					v, err := s.PutDocument(ctx, store.Document{Kind: "crash", ID: own, Version: d.Version})
					fail(err)
					if err == nil {
						say("put", own, v)
					}
				case 4:
					key := fmt.Sprint("record", rand.IntN(2000))
					if rand.IntN(2) == 0 {
						key = fmt.Sprint("record-", rand.Int64())
						err := s.AddRecord(ctx, now, store.Record{Kind: "crash", Key: key, Expires: at(time.Hour)})
						fail(err)
						if err == nil {
							say("added", key)
						}
					}
					if rand.IntN(2) == 0 {
						say("takes", key)
						_, err := s.TakeRecord(ctx, now, "crash", key)
						if err == nil {
							say("took", key)
						} else if !errors.Is(err, store.ErrNotFound) {
							fail(err)
						}
					}
				case 5:
					id := fmt.Sprint("token", rand.Int64())
					_, err := s.Revoke(ctx, store.Revocation{Target: store.Target{Sort: store.OfToken, ID: id}, At: now, Expires: at(time.Hour)})
					fail(err)
					if err == nil {
						say("revoked", id)
					}
				}
			}
		})
	}
	wg.Wait()
}

func rotateOnce(ctx context.Context, s store.Store, id string, say func(...any)) {
	g, err := s.Grant(ctx, now, id)
	if errors.Is(err, store.ErrNotFound) {
		if !strings.HasPrefix(id, "own") {
			return // a second rotation with an old number has ended it
		}
		if err = s.AddGrant(ctx, grant(id)); err != nil {
			say("error", err)
		} else {
			say("granted", id)
		}
		return
	}
	var o store.Outcome
	if err == nil {
		o, _, err = s.Rotate(ctx, now, store.Rotation{ID: id, Seq: g.Seq, Client: "client", Retry: time.Hour})
	}
	switch {
	case err != nil:
		say("error", err)
	case o == store.Rotated:
		say("rotated", id, g.Seq)
	case strings.HasPrefix(id, "own"):
		say("error", "outcome", o)
	}
}
