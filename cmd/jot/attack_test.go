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
	"sync/atomic"
	"testing"
	"time"
)

// attackSetup is one token of the catalogue and what it is verified by, as the
// root module's internal/attack/dump writes it.
type attackSetup struct {
	Token, Key, Kind, Alg string
	Policy                struct {
		Issuers, Audiences                             []string
		Type                                           string
		AnyIssuer, AnyAudience, AllowWeakKey, NoLeeway bool
		Now                                            int64
	}
}

// TestAttack runs the catalogue of attacks, the same that the library is run
// against, through the command. Each has a control that is accepted.
func TestAttack(t *testing.T) {
	var visitors atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visitors.Add(1) }))
	defer server.Close()

	dir := t.TempDir()
	dump := exec.Command("go", "run", "./internal/attack/dump", dir, server.URL)
	dump.Dir = filepath.Join("..", "..")
	// The dump is data: it is made for this machine, whatever the tests are built for.
	dump.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOARCH=", "GOOS=")
	var errs bytes.Buffer
	dump.Stderr = &errs
	out, err := dump.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.Bytes())
	}
	n := 0
	for row := range bytes.Lines(out) {
		var c struct {
			Title, NoCLI    string
			Want            []string
			Attack, Control attackSetup
		}
		if err := json.Unmarshal(row, &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Title, func(t *testing.T) {
			if c.NoCLI != "" {
				t.Skip(c.NoCLI)
			}
			if code, _, errs := jot(t, "", c.Control.args(t, dir)...); code != exitOK {
				t.Errorf("the control is refused: exit %d\n%s", code, errs)
			}
			code, out, errs := jot(t, "", c.Attack.args(t, dir)...)
			if code == exitOK || code == exitUsage || code == exitFile {
				t.Fatalf("exit %d\n%s%s", code, out, errs)
			}
			for _, failed := range failedCodes(t, out, errs) {
				if !slices.Contains(c.Want, failed) {
					t.Errorf("refused with %s, want one of %v\n%s", failed, c.Want, errs)
				}
			}
		})
		n++
	}
	if n < 100 {
		t.Errorf("the catalogue has %d cases", n)
	}
	if v := visitors.Load(); v != 0 {
		t.Errorf("URLs in tokens were visited %d times", v)
	}
}

// failedCodes are the codes of a refusal: from the checks, or, where no check was
// made, from the error line.
func failedCodes(t *testing.T, out, errs string) []string {
	t.Helper()
	var codes []string
	if out != "" {
		var o struct {
			Verified bool
			Claims   json.RawMessage
			Checks   []struct {
				Code string
				OK   bool
			}
		}
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			t.Fatal(err)
		}
		if o.Verified || o.Claims != nil {
			t.Errorf("a refused token is shown: %s", out)
		}
		for _, k := range o.Checks {
			if !k.OK {
				codes = append(codes, k.Code)
			}
		}
	} else if _, rest, ok := strings.Cut(errs, "["); ok {
		code, _, _ := strings.Cut(rest, "]")
		codes = append(codes, code)
	}
	if len(codes) == 0 {
		t.Fatalf("no code in %q %q", out, errs)
	}
	return codes
}

func (s attackSetup) args(t *testing.T, dir string) []string {
	t.Helper()
	p := s.Policy
	args := []string{
		"verify", "@" + filepath.Join(dir, s.Token), "--json",
		"--now", time.Unix(p.Now, 0).UTC().Format(time.RFC3339),
	}
	key := filepath.Join(dir, s.Key)
	if s.Kind == "secret" {
		// One newline at the end is not the secret's.
		data, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		key = filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(key, append(data, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--secret-file", key)
	} else {
		args = append(args, "--key", key)
	}
	if s.Alg != "" {
		args = append(args, "--alg", s.Alg)
	}
	for _, iss := range p.Issuers {
		args = append(args, "--iss", iss)
	}
	for _, aud := range p.Audiences {
		args = append(args, "--aud", aud)
	}
	for flag, on := range map[string]bool{"--any-issuer": p.AnyIssuer, "--any-audience": p.AnyAudience, "--allow-weak-key": p.AllowWeakKey} {
		if on {
			args = append(args, flag)
		}
	}
	if p.NoLeeway {
		args = append(args, "--leeway", "0s")
	}
	if p.Type != "" {
		args = append(args, "--typ", p.Type)
	}
	return args
}
