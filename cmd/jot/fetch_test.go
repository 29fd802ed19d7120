package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/keyset"
)

// issuerServer is an issuer with the paths of an httptest server.
type issuerServer struct {
	*httptest.Server
	key     *jwk.PrivateKey
	fetches atomic.Int32
}

func newIssuerServer(t *testing.T) *issuerServer {
	t.Helper()
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.Set{key.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	s := &issuerServer{key: key}
	metadata := func(issuer, uri string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s.fetches.Add(1)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL+issuer, strings.Replace(uri, "HOST", s.URL, 1))
		}
	}
	const wellKnown = "/.well-known/openid-configuration"
	mux := http.NewServeMux()
	mux.HandleFunc(wellKnown, metadata("", "HOST/jwks"))
	mux.HandleFunc("/liar"+wellKnown, metadata("/", "HOST/jwks"))
	mux.HandleFunc("/inward"+wellKnown, metadata("/inward", "https://169.254.169.254/jwks"))
	serve := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			s.fetches.Add(1)
			w.Header().Set("Content-Type", "application/jwk-set+json")
			fmt.Fprint(w, body)
		}
	}
	mux.HandleFunc("/jwks", serve(string(set)))
	mux.HandleFunc("/empty", serve(`{"keys":[]}`))
	mux.HandleFunc("/sealing", serve(`{"keys":[{"kty":"OKP","crv":"X25519","alg":"ECDH-ES","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}]}`))
	mux.HandleFunc("/mixed", serve(`{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"shared"},{"kty":"XX","kid":"odd"},`+string(set[len(`{"keys":[`):])))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// token writes a token of the issuer to a file, and returns @FILE.
func (s *issuerServer) token(t *testing.T, issuer string) string {
	t.Helper()
	raw, err := jwt.Sign(context.Background(), s.key, jwt.Header{}, jwt.Registered{
		Issuer: issuer, Audience: jwt.Audience{"api"}, Subject: "alice", Expiry: time.Now().Add(time.Hour),
	}, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return "@" + name
}

func TestVerifyFetches(t *testing.T) {
	s := newIssuerServer(t)
	token := s.token(t, s.URL)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	private := httptest.NewUnstartedServer(http.NotFoundHandler())
	private.Config.ErrorLog = log.New(io.Discard, "", 0)
	private.StartTLS()
	defer private.Close()
	for _, c := range []struct {
		name string
		args string
		code int
		want string // in stderr
		most int32  // fetches
	}{
		{"issuer", "--issuer HOST --aud api", exitOK, "ok     iss", 2},
		{"issuer, said twice", "--issuer HOST --iss HOST --aud api", exitOK, "", 2},
		{"set", "--jwks HOST/jwks --iss HOST --aud api", exitOK, "", 1},
		{"set for one algorithm", "--jwks HOST/jwks --iss HOST --aud api --alg ES256", exitOK, "", 1},
		{"set with what cannot be used", "--jwks HOST/mixed --iss HOST --aud api", exitOK, "", 1},
		{"refused", "--issuer HOST --aud other", exitRefused, "aud.mismatch", 2},
		{"set without issuer", "--jwks HOST/jwks --aud api", exitUsage, "no issuer to accept", 0},
		{"issuer and another", "--issuer HOST --iss https://as.example --aud api", exitUsage, "--issuer is the only issuer", 0},
		{"issuer and any", "--issuer HOST --any-issuer --aud api", exitUsage, "--issuer is the only issuer", 0},
		{"issuer and set", "--issuer HOST --jwks HOST/jwks --aud api", exitUsage, "give one of", 0},
		{"http elsewhere", "--jwks http://as.example/jwks --iss HOST --aud api", exitUsage, "keys.refused_url", 0},
		{"issuer that is no URL", "--issuer as.example --aud api", exitUsage, "cannot be fetched", 0},
		{"offline", "--issuer HOST --aud api --offline", exitFile, "hint: give --jwks FILE", 0},
		{"set, offline", "--jwks HOST/jwks --iss HOST --aud api --offline", exitFile, "--offline", 0},
		{"nobody there", "--jwks " + closed.URL + "/jwks --iss HOST --aud api", exitFile, "keys.unreachable", 0},
		{"a server that nobody knows", "--jwks " + private.URL + "/jwks --iss HOST --aud api", exitFile, "hint: nobody whom this machine trusts has certified that server", 0},
		{"no metadata", "--issuer HOST/nobody --aud api", exitFile, "keys.unreachable", 0},
		{"metadata of another", "--issuer HOST/liar --aud api", exitFile, "look for a slash", 1},
		{"metadata that leads inward", "--issuer HOST/inward --aud api", exitFile, "keys.refused_url", 1},
		{"empty set", "--jwks HOST/empty --iss HOST --aud api", exitNoKey, "can be used here [key.none]", 1},
		{"set for encryption", "--jwks HOST/sealing --iss HOST --aud api", exitNoKey, "can be used here [key.none]", 1},
		{"no key of that type", "--jwks HOST/jwks --iss HOST --aud api --alg EdDSA", exitNoKey, "can be used here [key.none]", 1},
		{"no key for the algorithm", "--jwks HOST/jwks --iss HOST --aud api --alg ES384", exitNoKey, "key.none", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.fetches.Store(0)
			args := append([]string{"verify", token}, strings.Fields(strings.ReplaceAll(c.args, "HOST", s.URL))...)
			code, stdout, stderr := jot(t, "", args...)
			if code != c.code || !strings.Contains(stderr, c.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, c.code, c.want, stderr)
			}
			if n := s.fetches.Load(); n > c.most {
				t.Errorf("%d fetches", n)
			}
			if (code == exitOK) != strings.Contains(stdout, "alice") {
				t.Errorf("stdout: %s", stdout)
			}
			if code != exitOK && (strings.Count("\n"+stderr, "\nerror: ") != 1 || strings.Count("\n"+stderr, "\nhint: ") != 1) {
				t.Errorf("not one error and one hint:\n%s", stderr)
			}
			t.Log(stderr)
		})
	}
}

// TestVerifyFetchesForTokensAlone holds that what is no token, and what is never accepted,
// costs no fetch.
func TestVerifyFetchesForTokensAlone(t *testing.T) {
	s := newIssuerServer(t)
	name := filepath.Join(t.TempDir(), "token")
	for text, want := range map[string]int{"no token": exitUnreadable, "eyJhbGciOiJub25lIn0.e30.": exitRefused} {
		write(name, []byte(text))
		if code, _, stderr := jot(t, "", "verify", "@"+name, "--issuer", s.URL, "--aud", "api"); code != want {
			t.Errorf("%s: exit code %d, want %d:\n%s", text, code, want, stderr)
		}
	}
	if n := s.fetches.Load(); n != 0 {
		t.Errorf("%d fetches", n)
	}
}

func TestFetchJWKS(t *testing.T) {
	s := newIssuerServer(t)
	for _, args := range [][]string{{s.URL + "/mixed"}, {s.URL, "--issuer"}} {
		code, stdout, stderr := jot(t, "", append([]string{"jwks", "fetch"}, args...)...)
		set, skipped, err := jwk.ParseSet([]byte(stdout), jwk.Binding{})
		if code != exitOK || err != nil || len(skipped) > 0 || len(set) != 1 || set[0].KeyID() != s.key.KeyID() {
			t.Errorf("%v: exit code %d, %v, %v:\n%s%s", args, code, err, skipped, stdout, stderr)
		}
		if want := strings.HasSuffix(args[0], "/mixed"); want != (strings.Contains(stderr, `warning: key 1 ("shared")`) && strings.Contains(stderr, `warning: key 2 ("odd")`)) {
			t.Errorf("%v: %s", args, stderr)
		}
	}
	name := filepath.Join(t.TempDir(), "set")
	write(name, nil)
	if code, _, stderr := jot(t, "", "jwks", "fetch", s.URL+"/jwks", "-o", name); code != exitFile || !strings.Contains(stderr, "exists") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for url, want := range map[string]int{
		s.URL + "/empty":        exitNoKey,
		s.URL + "/nothing":      exitFile,
		"ftp://as.example/jwks": exitUsage,
	} {
		if code, stdout, stderr := jot(t, "", "jwks", "fetch", url); code != want || stdout != "" || !strings.Contains(stderr, "hint: ") {
			t.Errorf("%s: exit code %d, want %d:\n%s", url, code, want, stderr)
		}
	}
}

// lineWriter hands on the first line that is written to it.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	select {
	case w <- strings.TrimSpace(string(b)):
	default:
	}
	return len(b), nil
}

// TestServeJWKS verifies a token with keys that another jot serves, from files and from a
// rotation, and interrupts it.
func TestServeJWKS(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot interrupt itself")
	}
	for _, c := range []struct{ name, begin string }{
		{"files", ""},
		{"rotation", "rotate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if c.begin == "" {
				if code, _, stderr := jot(t, "", "key", "new", "ES256", "-o", filepath.Join(dir, "key.json")); code != exitOK {
					t.Fatal(stderr)
				}
			} else if code, _, stderr := jot(t, "", "jwks", "rotate", "--dir", dir); code != exitOK {
				t.Fatal(stderr)
			}
			lines, ended := make(lineWriter, 1), make(chan int, 1)
			var talk bytes.Buffer
			go func() {
				ended <- run([]string{"jwks", "serve", "--dir", dir}, &terminal{stdin: strings.NewReader(""), stdout: lines, stderr: &talk}, time.Now)
			}()
			var url string
			select {
			case url = <-lines:
			case code := <-ended:
				t.Fatalf("exit code %d: %s", code, talk.String())
			}
			code, stdout, stderr := jot(t, "", "jwks", "fetch", url)
			if code != exitOK || !strings.Contains(stdout, `"ES256"`) || strings.Contains(stdout, `"d"`) {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
			resp, err := http.Post(url, "text/plain", nil)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("POST: %s", resp.Status)
			}
			req, err := http.NewRequest(http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err = http.DefaultClient.Do(req); err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if h := resp.Header; h.Get("Content-Type") != "application/jwk-set+json" || !strings.Contains(h.Get("Cache-Control"), "max-age=") {
				t.Errorf("%v", h)
			}
			req.Header.Set("If-None-Match", resp.Header.Get("ETag"))
			if resp, err = http.DefaultClient.Do(req); err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNotModified {
				t.Errorf("with its ETag: %s", resp.Status)
			}
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				t.Fatal(err)
			}
			if err := self.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := <-ended; code != exitOK {
				t.Errorf("exit code %d: %s", code, talk.String())
			}
		})
	}
}

// TestRotateRevokes revokes the key that signs: it is gone, and the next one signs.
func TestRotateRevokes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	type key struct{ KID, Phase string }
	rotate := func(args ...string) (all []key) {
		t.Helper()
		code, stdout, stderr := jot(t, "", append([]string{"jwks", "rotate", "--dir", dir, "--json"}, args...)...)
		if code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		for d := json.NewDecoder(strings.NewReader(stdout)); d.More(); {
			var k key
			if err := d.Decode(&k); err != nil {
				t.Fatal(err)
			}
			all = append(all, k)
		}
		return all
	}
	before := rotate("--now", "2026-01-01T00:00:00Z")
	after := rotate("--now", "2026-01-02T00:00:00Z", "--revoke", before[0].KID)
	if len(before) != 2 || before[0].Phase != "active" || len(after) != 2 || after[0] != (key{before[1].KID, "active"}) || after[1].Phase != "published" {
		t.Errorf("%v became %v", before, after)
	}
	// Nobody is told that a key is revoked where that cannot be saved.
	lock := filepath.Join(dir, "lock")
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(lock, 0o700); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := jot(t, "", "jwks", "rotate", "--dir", dir, "--now", "2026-01-02T00:00:00Z", "--revoke", after[0].KID)
	if code != exitFile || stdout != "" || !strings.Contains(stderr, "cannot be had") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if got := rotate("--now", "2026-01-02T00:00:00Z"); got[0] != after[0] {
		t.Errorf("%v became %v", after, got)
	}
}

// unreadable is a store that fails.
type unreadable struct{ keyset.Store }

func (unreadable) Load(context.Context) ([]byte, string, error) {
	return nil, "", os.ErrDeadlineExceeded
}

// TestRotateUnreadable holds that a folder which cannot be read just then is not taken for
// an empty one, whose keys would be for another algorithm.
func TestRotateUnreadable(t *testing.T) {
	if algs, err := (timetable{}).algorithms("keys", unreadable{}); algs != nil || err == nil || !strings.Contains(err.Error(), "keys") {
		t.Errorf("%v, %v", algs, err)
	}
}
