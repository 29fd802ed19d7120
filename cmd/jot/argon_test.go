package main

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The hash of "password" by the tests of the reference implementation, which is in the PHC string format.
const referenceHash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestArgon(t *testing.T) {
	c, ctx := newChosenSecrets(), t.Context()
	light := argon{memory: 64, time: 1, lanes: 2}
	for _, hash := range []string{referenceHash, light.hash("password")} {
		for secret, want := range map[string]bool{"password": true, "Password": false, "": false} {
			for range 2 { // the second time from what is remembered
				if ok, err := c.verify(ctx, hash, secret); ok != want || err != nil {
					t.Errorf("%q: %v %v", secret, ok, err)
				}
			}
		}
	}
	if len(c.good) != 2 {
		t.Errorf("%d secrets are remembered", len(c.good))
	}
	if hash := recommended.hash("password"); !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("%s: not the second recommended option of RFC 9106, Section 4", hash)
	}
	if one, two := light.hash("password"), light.hash("password"); one == two {
		t.Error("twice the same salt")
	}
	if ok, err := c.verify(ctx, "", "password"); ok || err != nil {
		t.Errorf("without a hash: %v %v", ok, err)
	}
	// What was remembered ends, and does not grow.
	for known := range c.good {
		c.good[known] = time.Now().Add(-time.Second)
		if c.remembered(known) {
			t.Error("a secret is remembered for ever")
		}
	}
	for i := range 2 * maxGood {
		c.remember([32]byte{byte(i), byte(i >> 8)})
	}
	if len(c.good) > maxGood {
		t.Errorf("%d secrets are remembered", len(c.good))
	}
}

// TestArgonRefuses has hashes that are none, or that would take a server's memory or time.
func TestArgonRefuses(t *testing.T) {
	const salt, tag = "$c29tZXNhbHQ$", "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for name, hash := range map[string]string{
		"no hash":       "password",
		"another kind":  strings.Replace(referenceHash, "argon2id", "argon2i", 1),
		"a version":     strings.Replace(referenceHash, "v=19", "v=16", 1),
		"memory":        argonPrefix + "$m=262145,t=2,p=1" + salt + tag,
		"more memory":   argonPrefix + "$m=4294967295,t=2,p=1" + salt + tag,
		"overflow":      argonPrefix + "$m=4294967296,t=2,p=1" + salt + tag,
		"little memory": argonPrefix + "$m=7,t=2,p=1" + salt + tag,
		"time":          argonPrefix + "$m=64,t=11,p=1" + salt + tag,
		"no time":       argonPrefix + "$m=64,t=0,p=1" + salt + tag,
		"lanes":         argonPrefix + "$m=1024,t=1,p=17" + salt + tag,
		"no lanes":      argonPrefix + "$m=64,t=1,p=0" + salt + tag,
		"signs":         argonPrefix + "$m=+64,t=1,p=1" + salt + tag,
		"more":          argonPrefix + "$m=64,t=1,p=1,x=1" + salt + tag,
		"a short salt":  argonPrefix + "$m=64,t=1,p=1$c29t$" + tag,
		"a short tag":   argonPrefix + "$m=64,t=1,p=1" + salt + "CTFhFdXP",
		"an empty tag":  argonPrefix + "$m=64,t=1,p=1" + salt,
		"no tag":        argonPrefix + "$m=64,t=1,p=1$c29tZXNhbHQ",
		"a fourth part": argonPrefix + "$m=64,t=1,p=1" + salt + tag + "$",
		"no prefix":     "m=64,t=1,p=1" + salt + tag,
		"no numbers":    argonPrefix + "$" + salt + tag,
		"a long salt":   argonPrefix + "$m=64,t=1,p=1$" + strings.Repeat("AAAA", 22) + "$" + tag,
		"a long tag":    argonPrefix + "$m=64,t=1,p=1" + salt + strings.Repeat("AAAA", 22),
		"salt, encoded": argonPrefix + "$m=64,t=1,p=1$c29tZXNhbH!$" + tag,
		"padding":       referenceHash + "=",
	} {
		if ok, err := newChosenSecrets().verify(t.Context(), hash, "password"); ok || !errors.Is(err, errArgon) {
			t.Errorf("%s: %v %v", name, ok, err)
		}
	}
}

// TestArgonBounded has more clients at a time than are verified at a time, and than may wait.
func TestArgonBounded(t *testing.T) {
	c := newChosenSecrets()
	for range cap(c.turn) {
		c.turn <- struct{}{} // all are busy
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range maxWaiting {
		waiting.Go(func() {
			if _, err := c.verify(ctx, referenceHash, "password"); !errors.Is(err, context.Canceled) && !errors.Is(err, errBusy) {
				t.Errorf("who waits: %v", err)
			}
		})
	}
	for len(c.waiting) < maxWaiting {
		time.Sleep(time.Millisecond)
	}
	for _, hash := range []string{referenceHash, ""} {
		if _, err := c.verify(t.Context(), hash, "password"); !errors.Is(err, errBusy) {
			t.Errorf("who would wait for too long: %v", err)
		}
	}
	cancel()
	waiting.Wait()
	c.patient = time.Millisecond
	if _, err := c.verify(t.Context(), referenceHash, "password"); !errors.Is(err, errBusy) {
		t.Errorf("who has waited: %v", err)
	}
	if len(c.waiting) != 0 || len(c.turn) != cap(c.turn) {
		t.Errorf("%d wait, and %d are verified", len(c.waiting), len(c.turn))
	}
}

// keptSecrets is what a store has of the secrets of clients: of each a hash.
func keptSecrets(t *testing.T, data string, ids ...string) (list []string) {
	t.Helper()
	set, err := serviceFlags{Data: data}.settle()
	if err != nil {
		t.Fatal(err)
	}
	store, err := set.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, id := range ids {
		d, err := store.Document(t.Context(), "client", id)
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`"(?:chosen_secret|secret_hash)":"([^"]{20,})"`).FindSubmatch(d.Body)
		if m == nil {
			t.Fatalf("%s has no hash of a secret: %s", id, d.Body)
		}
		list = append(list, string(m[1]))
	}
	return list
}

// TestServeChosen has a client log in with a secret that people have chosen.
func TestServeChosen(t *testing.T) {
	needUnix(t)
	dir := t.TempDir()
	data, secret := filepath.Join(dir, "data"), "correct horse battery staple"
	writeFile(t, filepath.Join(dir, "secret"), secret+"\n")
	code, stdout, stderr := jot(t, "", "client", "add", "shop", "--data", data, "--secret-from", "@"+filepath.Join(dir, "secret"))
	if code != exitOK || stdout != `{"client_id":"shop"}`+"\n" || stderr != "" {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	addClient(t, "desk", "--data", data, "--scope", "read")
	kept := keptSecrets(t, data, "shop", "desk")
	for _, args := range [][]string{{"show", "shop"}, {"show", "desk"}, {"list", "--json"}} {
		code, stdout, _ := jot(t, "", append(append([]string{"client"}, args...), "--data", data)...)
		if code != exitOK || !strings.Contains(stdout, "client_credentials") {
			t.Errorf("jot client %s: exit code %d: %s", args, code, stdout)
		}
		for _, secret := range kept {
			if strings.Contains(stdout, secret) {
				t.Errorf("jot client %s shows what is kept of a secret: %s", args, stdout)
			}
		}
	}
	if code, stdout, stderr := jot(t, "password\n", "client", "add", "short", "--data", data, "--secret-from", "-"); code != exitOK || !strings.Contains(stderr, "fewer than 12 characters") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for name, c := range map[string]struct{ from, stdin, want string }{
		"an argument":    {secret, "", "not given in an argument"},
		"too short":      {"-", "passwor\n", "key.weak"},
		"too long":       {"-", strings.Repeat("a", 1025), "key.limit"},
		"not ASCII":      {"-", "pässword", "printable"},
		"a control code": {"-", "pass\tword", "printable"},
		"no file":        {"@" + dir + "/nowhere", "", "there is no file"},
	} {
		code, _, stderr := jot(t, c.stdin, "client", "add", "x", "--data", data, "--secret-from", c.from)
		if code == exitOK || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d: %s", name, code, stderr)
		}
	}
	if code, _, stderr := jot(t, "a secret of someone's", "client", "add", "x", "--data", data, "--auth", "private_key_jwt", "--secret-from", "-"); code == exitOK || !strings.Contains(stderr, "has no secret") {
		t.Errorf("a secret beside a key: %d %s", code, stderr)
	}
	s := startServe(t, dir, "--addr", "localhost:0", "--data", data)
	for range 2 {
		if status := s.token("shop", secret); status != http.StatusOK {
			t.Errorf("the secret: %d\n%s", status, s.logged())
		}
	}
	for _, id := range []string{"shop", "nobody"} { // of whom nobody takes as long
		if status := s.token(id, secret+"r"); status != http.StatusUnauthorized {
			t.Errorf("another secret of %s: %d\n%s", id, status, s.logged())
		}
	}
	if strings.Contains(s.logged(), secret) || strings.Contains(s.logged(), "argon2") {
		t.Errorf("the log has the secret or its hash:\n%s", s.logged())
	}
}
