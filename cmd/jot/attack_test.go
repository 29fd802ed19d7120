package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// attackSetup and attackLine are what internal/attack/dump of the library's module
// writes; this module may not import it.
type attackSetup struct {
	Form                  string
	Token, Key, Kind, Alg string
	Decrypt               string
	AllowRSA1_5           bool
	Policy                struct {
		Algs, Encs         []string
		Issuers, Audiences []string
		Type               string
		AllowWeakKey       bool
		NoLeeway           bool
		Now                int64
	}
}

type attackLine struct {
	Title, NoCLI    string
	Want            []string
	Attack, Control attackSetup
}

// arguments is the command that verifies or decrypts s, or signs or encrypts with it.
func (s attackSetup) arguments(folder string) []string {
	token, key := "@"+filepath.Join(folder, s.Token), filepath.Join(folder, s.Key)
	switch s.Form {
	case "private":
		return []string{"sign", "--key", key, "--iss", "https://as.example", "--exp", "1h"}
	case "public":
		return []string{"encrypt", "@" + key, "--key", key}
	case "jwe", "jwejson":
		return s.decryption([]string{"decrypt", token, "--json"}, key)
	}
	args := []string{"verify", token, "--json", "--now", time.Unix(s.Policy.Now, 0).UTC().Format(time.RFC3339)}
	if s.Decrypt != "" {
		args = append(args, "--decrypt-key", filepath.Join(folder, s.Decrypt))
	}
	if s.AllowRSA1_5 {
		args = append(args, "--allow-rsa1_5")
	}
	switch s.Kind {
	case "secret":
		args = append(args, "--secret-file", key+".nl", "--alg", s.Alg)
	case "jwks":
		args = append(args, "--jwks", key)
	default:
		args = append(args, "--key", key)
	}
	for _, iss := range s.Policy.Issuers {
		args = append(args, "--iss", iss)
	}
	for _, aud := range s.Policy.Audiences {
		args = append(args, "--aud", aud)
	}
	if s.Policy.Type != "" {
		args = append(args, "--typ", s.Policy.Type)
	}
	if s.Policy.AllowWeakKey {
		args = append(args, "--allow-weak-key")
	}
	if s.Policy.NoLeeway {
		args = append(args, "--leeway", "0s")
	}
	return args
}

// decryption adds to args what a token is decrypted with.
func (s attackSetup) decryption(args []string, key string) []string {
	if s.Kind == "password" {
		args = append(args, "--password-file", key+".nl")
	} else {
		args = append(args, "--key", key)
	}
	if s.AllowRSA1_5 {
		args = append(args, "--allow-rsa1_5")
	}
	for _, alg := range append(s.Policy.Algs, s.Alg) {
		if alg != "" {
			args = append(args, "--alg", alg)
		}
	}
	for _, enc := range s.Policy.Encs {
		args = append(args, "--enc", enc)
	}
	return args
}

// TestAttack hands each token of the catalogue, which the library is held to as
// well, to the command.
func TestAttack(t *testing.T) {
	root := filepath.Join("..", "..")
	if _, err := os.Stat(filepath.Join(root, "internal", "attack")); err != nil {
		t.Skip("the catalogue is in the library's repository, which is not around this module")
	}
	var visits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(func() { // when all cases are done, which run beside each other
		server.Close()
		if n := visits.Load(); n != 0 {
			t.Errorf("a URL of a header was visited %d times", n)
		}
	})

	folder := t.TempDir()
	dump := exec.Command("go", "run", "./internal/attack/dump", folder, server.URL)
	dump.Dir, dump.Stderr = root, os.Stderr
	// What it writes is data: it is built for this machine, whatever the tests are for.
	dump.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOARCH=", "GOOS=")
	lines, err := dump.Output()
	if err != nil {
		t.Fatal(err)
	}
	var cases []attackLine
	for d := json.NewDecoder(bytes.NewReader(lines)); d.More(); {
		var l attackLine
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.NoCLI == "" {
			cases = append(cases, l)
		}
	}
	if len(cases) < 1000 {
		t.Fatalf("only %d cases", len(cases))
	}

	// Of a file with a secret the command takes one final newline away.
	for _, c := range cases {
		for _, s := range []attackSetup{c.Attack, c.Control} {
			if s.Kind != "secret" && s.Kind != "password" {
				continue
			}
			data, err := os.ReadFile(filepath.Join(folder, s.Key))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, s.Key+".nl"), append(data, '\n'), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}

	// Many cases share a control: one run does for all of them.
	var controls sync.Map
	control := func(t *testing.T, s attackSetup) string {
		name := strings.Join(s.arguments(""), "\x00") // the names of files are hashes
		once, _ := controls.LoadOrStore(name, sync.OnceValue(func() string {
			exit, out, talk := jot(t, "", s.arguments(folder)...)
			if exit != exitOK || !s.shows(out) {
				return talk + out
			}
			return ""
		}))
		return once.(func() string)()
	}

	for _, c := range cases {
		t.Run(c.Title, func(t *testing.T) {
			t.Parallel()
			exit, stdout, stderr := jot(t, "", c.Attack.arguments(folder)...)
			if exit != exitRefused && exit != exitUnreadable && exit != exitNoKey {
				t.Errorf("exit %d, want a refusal with %q\n%s%s", exit, c.Want, stdout, stderr)
			}
			if code := refusalCode(t, stdout, stderr, c.Want); code == "" {
				t.Errorf("want a refusal with one of %q\n%s%s", c.Want, stdout, stderr)
			} else if want := exitOf(code); want != 0 && exit != want {
				t.Errorf("exit %d for %s, want %d", exit, code, want)
			}
			if complaint := control(t, c.Control); complaint != "" {
				t.Errorf("the control is refused: %s", complaint)
			}
		})
	}
}

// shows reports whether out is what the command says of a good token.
func (s attackSetup) shows(out string) bool {
	switch s.Form {
	case "private", "public":
		return strings.Count(out, ".") > 1
	case "jwe", "jwejson":
		return strings.HasPrefix(out, `{"decrypted":true,`) && strings.Contains(out, `"plaintext":`)
	}
	return strings.Contains(out, `"verified":true`)
}

// refusalCode finds the code of the refusal among those wanted, in the checks of
// the JSON output or, where the key was not even read, in the error.
func refusalCode(t *testing.T, stdout, stderr string, want []string) string {
	if stdout == "" {
		if i := slices.IndexFunc(want, func(code string) bool { return strings.Contains(stderr, "["+code+"]") }); i >= 0 {
			return want[i]
		}
		if slices.Contains(want, "key.private") && strings.Contains(stderr, "holds no private key") {
			return "key.private"
		}
		return ""
	}
	var o struct {
		Verified, Decrypted bool
		Claims, Plaintext   json.RawMessage
		Checks              []check
		Code                string
	}
	if err := json.Unmarshal([]byte(stdout), &o); err != nil {
		t.Errorf("%v in %q", err, stdout)
	}
	if o.Verified || o.Decrypted || o.Claims != nil || o.Plaintext != nil {
		t.Errorf("claims of a refused token: %s", stdout)
	}
	found := o.Code // of what is decrypted
	if found != "" && !slices.Contains(want, found) {
		t.Errorf("refused with %s, which is not the reason", found)
	}
	for _, k := range o.Checks {
		if k.OK {
			continue
		}
		if !slices.Contains(want, k.Code) {
			t.Errorf("refused with %s, which is not the reason", k.Code)
		}
		found = k.Code
	}
	return found
}

// exitOf is the exit code that goes with a refusal of the token, or 0 where it
// depends: the same code is about a token in one case and about a key in another.
func exitOf(code string) int {
	switch {
	case code == "token.malformed" || code == "token.too_large":
		return exitUnreadable
	case code == "key.none" || code == "key.ambiguous":
		return exitNoKey
	case code == "sig.invalid" || strings.HasPrefix(code, "exp.") || strings.HasPrefix(code, "aud.") || strings.HasPrefix(code, "iss."):
		return exitRefused
	}
	return 0
}
