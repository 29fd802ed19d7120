// Package clients gives the tokens of the library to clients and servers that others have written, and theirs to the
// library: every kind that a peer knows, each with what must be refused, against a server that is made of the library.
package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jotsuite/jot/interop/node"
	"github.com/jotsuite/jot/interop/process"
)

// peers are the columns of the table. Those of Node.js are of ../npm.
var peers = []string{"jose", "oauth4webapi", "openid-client", "dpop", "express-oauth2-jwt-bearer", "x/oauth2", "go-oidc"}

// kinds are the rows: kinds of tokens, and behind a comma a form of one; and below them what is done with tokens.
var kinds = []string{
	"id-token", "id-token, encrypted", "id-token, front channel", "id-token, detached signature", "id-token, other algorithms",
	"access-token", "access-token, without typ", "access-token, DPoP", "access-token, certificate", "dpop-proof",
	"client-assertion, private_key_jwt", "client-assertion, client_secret_jwt", "request-object",
	"jarm", "jarm, encrypted", "userinfo", "userinfo, encrypted", "introspection", "introspection, encrypted",
	"authorization-grant", "logout-token", "security-event", "ciba-request", "login-hint-token",
	"client-attestation", "client-attestation-pop", "atlassian",
	"server metadata", "client credentials grant", "pushed request", "token exchange", "JWT bearer grant", "token source", "guard with DPoP and nonce", "guard's challenge", "guard's metadata",
}

// A direction says whose the token is, or of what is done with tokens, who does it.
type direction string

const (
	ours   direction = "→" // the library's, and the peer accepts it
	theirs direction = "←" // the peer's, and the library accepts it
)

// check is one cell and direction of the table.
type check struct {
	kind, peer string
	direction
	// run has one token made and given to the other side, and returns what that refuses it with. The defect is what is
	// wrong with the token; "" is nothing.
	run func(defect string) error
	// controls are the defects with which it must be refused, and what the refusal says.
	controls map[string]string
}

// lack is why a peer has no check: one line for all the kinds that match.
type lack struct {
	peer  string
	kinds string // a regular expression, of the whole name
	direction
	why string
	// has reports whether a name that the peer exports says that it has learned it.
	has func(name string) bool
	// run, if not nil, is what it refuses, and says is with what.
	run  func() error
	says string
}

func matching(pattern string) func(string) bool {
	return regexp.MustCompile(`(?i)` + pattern).MatchString
}

// but reports the names that are no longer the known ones.
func but(known ...string) func(string) bool {
	return func(name string) bool { return !slices.Contains(known, name) }
}

// rig is what the checks need.
type rig struct {
	*server
	node *process.Process
	t    *testing.T
}

func TestClients(t *testing.T) {
	r := &rig{server: newServer(t), node: node.Start(t), t: t}
	checks := goChecks(r)
	lacks := goLacks()
	names := goNames(t)
	here := []string{"x/oauth2", "go-oidc"}
	if r.node != nil {
		here = peers
		checks = slices.Concat(checks, joseChecks(r), algorithmChecks(r), singleChecks(r), flowChecks(r))
		lacks = slices.Concat(lacks, nodeLacks(r))
		var a struct{ Names map[string][]string }
		if err := r.node.Do(map[string]string{"do": "names"}, &a); err != nil {
			t.Fatal(err)
		}
		for peer, list := range a.Names {
			names[peer] = list
		}
	}

	used := map[int]bool{}
	counts := map[string]int{}
	controls := 0
	var table strings.Builder
	fmt.Fprintf(&table, "%-38s", "")
	for _, p := range peers {
		fmt.Fprintf(&table, " %-*s", len(p), p)
	}
	for _, k := range kinds {
		fmt.Fprintf(&table, "\n%-38s", k)
		for _, p := range peers {
			cell := ""
			for _, d := range []direction{ours, theirs} {
				i := slices.IndexFunc(checks, func(c check) bool { return c.kind == k && c.peer == p && c.direction == d })
				why := slices.IndexFunc(lacks, func(l lack) bool {
					return l.peer == p && l.direction == d && regexp.MustCompile("^(?:"+l.kinds+")$").MatchString(k)
				})
				switch {
				case i >= 0 && why >= 0:
					t.Errorf("%s %s %s is checked, though %s", k, d, p, lacks[why].why)
				case why >= 0:
					used[why] = true
				case i < 0 && slices.Contains(here, p):
					t.Errorf("%s %s %s: there is neither a check nor a reason why there is none", k, d, p)
				case i >= 0:
					c := checks[i]
					if err := c.run(""); err != nil {
						t.Errorf("%s %s %s: %v", k, d, p, err)
						continue
					}
					if len(c.controls) == 0 {
						t.Errorf("%s %s %s has no control", k, d, p)
					}
					for defect, says := range c.controls {
						controls++
						if err := c.run(defect); err == nil || !strings.Contains(err.Error(), says) {
							t.Errorf("%s %s %s with a defect, %s: %v, want %q", k, d, p, defect, err, says)
						}
					}
					cell += string(d)
					counts[p+string(d)]++
				}
			}
			if cell == "" {
				cell = "."
			}
			fmt.Fprintf(&table, " %-*s", len(p), cell)
		}
	}
	for i, l := range lacks {
		if !used[i] {
			t.Errorf("nothing needs the line that %s: %s", l.peer, l.why)
		}
		if l.has == nil && l.run == nil {
			t.Errorf("nothing would show that it is untrue that %s: %s", l.peer, l.why)
		}
		if l.run != nil {
			if err := l.run(); err == nil || !strings.Contains(err.Error(), l.says) {
				t.Errorf("%s: %v, though %s", l.peer, err, l.why)
			}
		}
		for _, name := range names[l.peer] {
			if l.has != nil && l.has(name) {
				t.Errorf("%s has %s, though %s", l.peer, name, l.why)
			}
		}
	}
	for _, c := range checks {
		if !slices.Contains(kinds, c.kind) || !slices.Contains(peers, c.peer) {
			t.Errorf("no cell for %s %s", c.kind, c.peer)
		}
	}
	total := 0
	fmt.Fprintf(&table, "\n%-38s", "")
	for _, p := range peers {
		total += counts[p+string(ours)] + counts[p+string(theirs)]
		fmt.Fprintf(&table, " %-*s", len(p), fmt.Sprintf("%d→ %d←", counts[p+string(ours)], counts[p+string(theirs)]))
	}
	t.Logf("%d exchanges and %d controls that are refused; → the peer accepts what the library makes, ← the library what the peer makes\n%s",
		total, controls, table.String())
}

// TestVersions holds that the versions are the ones that the table was made with.
func TestVersions(t *testing.T) {
	var p struct{ Dependencies map[string]string }
	if err := json.Unmarshal(must(os.ReadFile("../npm/package.json")), &p); err != nil {
		t.Fatal(err)
	}
	for name, version := range p.Dependencies {
		locked, err := node.Version(name)
		if err != nil || locked != version {
			t.Errorf("%s is %s in package.json, which is to name one version, and %s in the lock file, %v", name, version, locked, err)
		}
	}
}
