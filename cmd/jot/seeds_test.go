package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// seedsDir is the folder of real texts with tokens in them, which is not part of
// the repository.
func seedsDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("JOT_SEEDS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "seeds")
	}
	if _, err := os.Stat(dir); err != nil {
		const message = "the texts with real tokens are not at %s; JOT_SEEDS says where they are"
		if os.Getenv("CI") == "true" { // where they have to be
			t.Fatalf(message, dir)
		}
		t.Skipf(message, dir)
	}
	return dir
}

// jot runs the command as a pipe would.
func jot(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &terminal{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs}, time.Now)
	return code, out.String(), errs.String()
}

// seen is what inspect --json says of one token.
type seen struct {
	Verified  *bool
	Kind      string
	Line      int
	Header    map[string]any
	Claims    json.RawMessage
	Token     string
	IssuerJWT string `json:"issuer_jwt"`
	Problems  []problem
}

func inspectSeed(t *testing.T, name string) []seen {
	t.Helper()
	code, out, errs := jot(t, "", "inspect", "--json", "@"+filepath.Join(seedsDir(t), name))
	if code == exitUnreadable && strings.Contains(errs, "no token found") {
		return nil
	}
	if code != exitOK {
		t.Fatalf("%s: exit %d: %s", name, code, errs)
	}
	var list []seen
	for line := range strings.Lines(out) {
		var s seen
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, s)
	}
	return list
}

const (
	seedViwi      = "000_c86aab274fe4510e.txt"
	seedBearer    = "001_538881926e11c652.txt"
	seedWikipedia = "002_b47a9bcb169ff5a1.txt"
	seedBCP       = "003_d91d1c798bfcca91.txt"
	seedArticle   = "004_c3b52057abb3158f.txt"
)

// The tokens of each seed in the order of the text, as kind, alg, typ and kid.
var seedTokens = map[string][]string{
	seedViwi: {
		"jwt HS256 JWT -", "jwt HS256 JWT -",
	},
	seedBearer:    nil,
	seedWikipedia: {"jwt HS256 JWT -"},
	seedBCP:       nil,
	seedArticle: {
		"id-token RS256 - 1e9gdk7",
		"request-object RS256 - k2bdc",
		"ciba-request ES256 - ltacesbw",     // in the HTTP request, wrapped
		"client-assertion ES256 - ltacesbw", // beside it, wrapped
		"ciba-request ES256 - ltacesbw",     // in one line
		"login-hint-token ES256 - ltacesbw", // a claim of it
		"jarm ES256 - laeb",
		"jarm ES256 - laeb",
		"client-assertion ES256 JWT 7yNhIHVeaPFIB_0k-YpiFATomCLpxIv-e2AAFmCRBLE",
		"client-attestation ES256 oauth-client-attestation+jwt zX9xbJqBziMWK5vmjXHgZTmiY16xfnZxzSEa0GqY5_Q",
		"client-attestation-pop ES256 oauth-client-attestation-pop+jwt 7yNhIHVeaPFIB_0k-YpiFATomCLpxIv-e2AAFmCRBLE",
		"client-attestation ES256 oauth-client-attestation+jwt zX9xbJqBziMWK5vmjXHgZTmiY16xfnZxzSEa0GqY5_Q",
		"client-attestation-pop ES256 oauth-client-attestation-pop+jwt 7yNhIHVeaPFIB_0k-YpiFATomCLpxIv-e2AAFmCRBLE",
		"dpop-proof ES256 dpop+jwt -",
		"dpop-proof ES256 dpop+jwt -",
		"userinfo ES256 - shrrK1BKoVgnxi9jvUTXtQmisyzkizhOodCNfc8l0dw",
		"introspection RS256 token-introspection+jwt wG6D",
		"introspection RS256 token-introspection+jwt wG6D",
		"access-token PS256 at+jwt authlete-fapidev-api-20180524",
		"entity-statement RS256 entity-statement+jwt 78CQ6-oXiofgNq5yeWgTKfj4nqxgm1j5LvBxSwE_xA4",
		"sd-jwt-vc ES256 dc+sd-jwt -",
		"key-proof ES256 openid4vci-proof+jwt -",
		"security-event ES256 secevent+jwt -",
	},
}

func TestSeedsInspect(t *testing.T) {
	for name, want := range seedTokens {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range inspectSeed(t, name) {
				line := s.Kind
				for _, member := range []string{"alg", "typ", "kid"} {
					v, _ := s.Header[member].(string)
					if v == "" {
						v = "-"
					}
					line += " " + v
				}
				got = append(got, line)
				if s.Verified == nil || *s.Verified {
					t.Errorf("line %d: inspect does not say that nothing is verified", s.Line)
				}
				if len(s.Problems) > 0 {
					t.Errorf("line %d: problems %v", s.Line, s.Problems)
				}
				if s.Claims == nil {
					t.Errorf("line %d: no claims", s.Line)
				}
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestSeedsVerify verifies the tokens whose key is known, each at a time inside
// its lifetime, and refuses each with one bit flipped.
func TestSeedsVerify(t *testing.T) {
	anyone := []string{"--any-issuer", "--any-audience"}
	find := func(t *testing.T, seed, kind string) seen {
		t.Helper()
		for _, s := range inspectSeed(t, seed) {
			if s.Kind == kind {
				return s
			}
		}
		t.Fatalf("no %s in %s", kind, seed)
		return seen{}
	}
	file := func(t *testing.T, content []byte) string {
		t.Helper()
		name := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	// What a token carries is taken out of inspect's output and handed back by name:
	// a token's own key is never trusted by itself.
	member := func(t *testing.T, object any, path ...string) []byte {
		t.Helper()
		var v any = object
		for _, name := range path {
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("no %v", path)
			}
			v = m[name]
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	claims := func(t *testing.T, s seen) any {
		t.Helper()
		var v any
		if err := json.Unmarshal(s.Claims, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}

	tests := []struct {
		name, seed, kind string
		key              func(t *testing.T, s seen) []string
		args             []string
	}{
		{"secret", seedViwi, "jwt", func(t *testing.T, _ seen) []string {
			return []string{"--secret-file", file(t, []byte("secret\n")), "--allow-weak-key"}
		}, append(anyone, "--optional-exp")},
		{"secretkey", seedWikipedia, "jwt", func(t *testing.T, _ seen) []string {
			return []string{"--secret-file", file(t, []byte("secretkey")), "--allow-weak-key"}
		}, append(anyone, "--optional-exp", "--now", "2015-02-01T08:35:00Z")},
		{
			"ID token", seedArticle, "id-token", nil,
			[]string{"--key", "testdata/keys/oidc-core-a7.json", "--iss", "https://server.example.com", "--aud", "s6BhdRkqt3", "--now", "2011-07-21T20:50:00Z"},
		},
		{
			"request object", seedArticle, "request-object", nil,
			[]string{"--key", "testdata/keys/rfc9101.json", "--iss", "s6BhdRkqt3", "--aud", "https://server.example.com", "--optional-exp"},
		},
		{
			"CIBA request", seedArticle, "ciba-request", nil,
			[]string{"--key", "testdata/keys/ciba.json", "--iss", "s6BhdRkqt3", "--aud", "https://server.example.com", "--now", "2018-09-24T20:10:00Z"},
		},
		{
			"CIBA login hint token", seedArticle, "login-hint-token", nil,
			append([]string{"--key", "testdata/keys/ciba.json", "--optional-exp"}, anyone...),
		},
		{
			"CIBA client assertion", seedArticle, "client-assertion", nil,
			[]string{"--key", "testdata/keys/ciba.json", "--iss", "s6BhdRkqt3", "--aud", "https://server.example.com", "--now", "2018-09-24T20:05:00Z"},
		},
		{"DPoP proof", seedArticle, "dpop-proof", func(t *testing.T, s seen) []string {
			return []string{"--key", file(t, member(t, s.Header, "jwk"))}
		}, append(anyone, "--typ", "dpop+jwt", "--optional-exp", "--now", "2019-07-04T17:50:20Z")},
		{"key proof", seedArticle, "key-proof", func(t *testing.T, s seen) []string {
			return []string{"--key", file(t, member(t, s.Header, "jwk"))}
		}, []string{"--any-issuer", "--aud", "https://credential-issuer.example.com", "--typ", "openid4vci-proof+jwt", "--optional-exp", "--now", "2023-12-07T14:47:30Z"}},
		{"entity configuration", seedArticle, "entity-statement", func(t *testing.T, s seen) []string {
			return []string{"--jwks", file(t, member(t, claims(t, s), "jwks"))}
		}, []string{"--iss", "https://trial.authlete.net", "--any-audience", "--typ", "entity-statement+jwt", "--now", "2024-11-19T12:00:00Z"}},
		{"attestation PoP", seedArticle, "client-attestation-pop", func(t *testing.T, _ seen) []string {
			attestation := find(t, seedArticle, "client-attestation")
			return []string{"--key", file(t, member(t, claims(t, attestation), "cnf", "jwk"))}
		}, []string{"--iss", "track2_full", "--aud", "https://trial.authlete.net", "--typ", "oauth-client-attestation-pop+jwt", "--now", "2024-11-22T12:00:00Z"}},
		{
			"SD-JWT VC", seedArticle, "sd-jwt-vc", nil,
			[]string{"--key", "testdata/keys/sd-jwt.json", "--iss", "https://example.com/issuer", "--any-audience", "--typ", "dc+sd-jwt", "--now", "2025-01-01T00:00:00Z"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := find(t, tt.seed, tt.kind)
			token := s.Token
			if s.IssuerJWT != "" {
				token = s.IssuerJWT // the disclosures are no part of the signed token
			}
			args := append([]string{"verify", "-"}, tt.args...)
			if tt.key != nil {
				args = append(args, tt.key(t, s)...)
			}
			code, out, errs := jot(t, token, args...)
			if code != exitOK {
				t.Fatalf("exit %d\n%s", code, errs)
			}
			if strings.Contains(errs, "FAILED") || !strings.HasPrefix(out, "{\n") {
				t.Errorf("stdout %q, stderr %q", out, errs)
			}
			if i := indexOf(args, "--allow-weak-key"); i >= 0 {
				strict := append(append([]string{}, args[:i]...), args[i+1:]...)
				if code, out, _ := jot(t, token, strict...); code != exitNoKey || out != "" {
					t.Errorf("with a weak key: exit %d, stdout %q", code, out)
				}
			}
			for part, bits := range flipped(t, token) {
				for _, bad := range bits {
					if code, out, _ := jot(t, bad, args...); code == exitOK || out != "" {
						t.Fatalf("a flipped bit in part %d: exit %d, stdout %q\n%s", part+1, code, out, bad)
					}
				}
			}
		})
	}
}

func indexOf(list []string, s string) int {
	for i, have := range list {
		if have == s {
			return i
		}
	}
	return -1
}

// flipped is the token with one bit changed: the outer ones of each part's first and
// last byte, and one of each of some bytes between. The tests of jose/jws change all.
func flipped(t *testing.T, token string) [3][]string {
	t.Helper()
	parts := strings.Split(token, ".")
	var out [3][]string
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		flip := func(at, bit int) {
			b := bytes.Clone(raw)
			b[at] ^= 1 << bit
			changed := append([]string{}, parts...)
			changed[i] = base64.RawURLEncoding.EncodeToString(b)
			out[i] = append(out[i], strings.Join(changed, "."))
		}
		for _, bit := range []int{0, 7} {
			flip(0, bit)
			flip(len(raw)-1, bit)
		}
		for at := 1; at < len(raw)-1; at += 1 + len(raw)/4 {
			flip(at, at%8)
		}
	}
	return out
}
