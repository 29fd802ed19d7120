package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
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
		{"no metadata", "--issuer HOST/nobody --aud api", exitFile, "keys.unreachable", 0},
		{"metadata of another", "--issuer HOST/liar --aud api", exitFile, "look for a slash", 1},
		{"metadata that leads inward", "--issuer HOST/inward --aud api", exitFile, "keys.refused_url", 1},
		{"empty set", "--jwks HOST/empty --iss HOST --aud api", exitNoKey, "key.none", 1},
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
