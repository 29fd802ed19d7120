// Package migrate holds the pages for users of other libraries to what they say. In a package for each library are the
// examples that the page shows, before and after, and a test of each line of its table of what is refused. Here is what
// they share.
package migrate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/idtoken"
)

// Must is for examples and tests, where an error is a mistake of theirs.
func Must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// Server is an issuer on this machine whose keys change when they are told to.
type Server struct {
	*httptest.Server

	mu  sync.Mutex
	key *jwk.PrivateKey
}

// NewServer starts a Server with a key for ES256.
func NewServer() *Server {
	s := &Server{key: Must(jwk.Generate(jwa.ES256))}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { write(w, jwk.Set{s.Key().Public()}) })
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		write(w, oauth.ServerMetadata{
			Issuer: s.URL, AuthorizationEndpoint: s.URL + "/authorize", TokenEndpoint: s.URL + "/token", JWKSURI: s.URL + "/jwks", UserInfoEndpoint: s.URL + "/userinfo",
			ResponseTypesSupported: []string{"code"}, SubjectTypesSupported: []string{"public"}, IDTokenSigningAlgs: []string{"ES256"},
		})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		write(w, map[string]any{
			"access_token": "SlAV32hkKG", "token_type": "Bearer", "id_token": s.IDToken(r.PostFormValue("code"), "SlAV32hkKG"),
		})
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"sub": "alice", "email": "alice@example.com"})
	})
	s.Server = httptest.NewServer(mux)
	return s
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// Key is the key that signs now, and the only one that is published.
func (s *Server) Key() *jwk.PrivateKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// Rotate makes another key the one that signs.
func (s *Server) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = Must(jwk.Generate(jwa.ES256))
}

// Token is a token of the server about alice, for the audience api and the scope read.
func (s *Server) Token() string {
	return Must(jwt.Sign(context.Background(), s.Key(), jwt.Header{}, jwt.Registered{
		Issuer: s.URL, Subject: "alice", Audience: jwt.Audience{"api"}, Expiry: time.Now().Add(time.Hour), IssuedAt: time.Now(),
	}, map[string]any{"scope": "read"}))
}

// IDToken is an ID token of the server for the client s6BhdRkqt3, with a nonce and the hash of an access token. Its token
// endpoint answers a code with one that has the code for a nonce.
func (s *Server) IDToken(nonce, accessToken string) string {
	return Must(jwt.Sign(context.Background(), s.Key(), jwt.Header{}, jwt.Registered{
		Issuer: s.URL, Subject: "alice", Audience: jwt.Audience{"s6BhdRkqt3"}, Expiry: time.Now().Add(time.Hour), IssuedAt: time.Now(),
	}, map[string]any{"nonce": nonce, "at_hash": Must(idtoken.Hash(jwa.ES256, accessToken)), "email": "alice@example.com"}))
}

// Forge signs a header and a payload as they are, whatever breaks a rule in them. In both, NOW and SOON stand for the
// time now and in an hour, ALG and KID for those of the key.
func Forge(key jwk.Signer, header, payload string) string {
	fill := strings.NewReplacer(
		"NOW", fmt.Sprint(time.Now().Unix()), "SOON", fmt.Sprint(time.Now().Add(time.Hour).Unix()),
		"ALG", key.Algorithm().String(), "KID", key.KeyID(),
	)
	input := Encode(fill.Replace(header)) + "." + Encode(fill.Replace(payload))
	return input + "." + Encode(string(Must(key.Sign(context.Background(), []byte(input)))))
}

// Encode is base64url without padding.
func Encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// Row is a line of a page's table of what is refused.
type Row struct {
	What   string       // as the page says it
	Theirs func() error // how the other library accepts it
	Ours   func() error // how jot refuses it
	Codes  string       // with what, and with nothing else
	Option func() error // how jot accepts it, with the option that the page names; nil where it names none
}

// Check runs the rows, and compares them with the table of a page in docs.
func Check(t *testing.T, page string, rows []Row) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", page))
	if err != nil {
		t.Error(err)
	}
	_, text, _ := strings.Cut(string(b), "\n## What will be refused")
	text, _, _ = strings.Cut(text, "\n## ")
	lines := regexp.MustCompile(`(?m)^\| (.+?) \| (.+?) \| (.+?) \|$`).FindAllStringSubmatch(text, -1)
	for _, r := range rows {
		t.Run(r.What, func(t *testing.T) {
			if err := r.Theirs(); err != nil {
				t.Errorf("the other library refuses it: %v", err)
			}
			if got := codes(r.Ours()); got != r.Codes {
				t.Errorf("jot: %q, not %q", got, r.Codes)
			}
			if r.Option != nil {
				if err := r.Option(); err != nil {
					t.Errorf("the option: %v", err)
				}
			}
			i := slices.IndexFunc(lines, func(l []string) bool { return l[1] == r.What })
			switch {
			case i < 0:
				t.Errorf("%s has no such line", page)
			case lines[i][2] != "`"+strings.ReplaceAll(r.Codes, " ", "`, `")+"`":
				t.Errorf("%s says %s", page, lines[i][2])
			case (lines[i][3] == "–") != (r.Option == nil):
				t.Errorf("%s says %s", page, lines[i][3])
			}
		})
	}
	for i, l := range lines {
		if i > 0 && // the first is the heading
			!slices.ContainsFunc(rows, func(r Row) bool { return r.What == l[1] }) {
			t.Errorf("%s: no test shows that what is refused: %s", page, l[1])
		}
	}
}

func codes(err error) string {
	if err == nil {
		return "accepted"
	}
	if e, ok := errors.AsType[*jwt.RejectError](err); ok {
		return strings.Join(e.Codes(), " ")
	}
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return err.Error()
}
