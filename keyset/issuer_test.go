package keyset_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/keyset"
)

func issuer(t testing.TB, id string, o keyset.Options) *keyset.Issuer {
	t.Helper()
	i, err := keyset.NewIssuer(id, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() })
	return i
}

func document(issuer, jwks string) string {
	return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"response_types_supported":["code"],"scopes_supported":null}`, issuer, jwks)
}

// The metadata is looked for where three specifications say, and only there.
func TestIssuerForms(t *testing.T) {
	for _, tc := range []struct {
		issuer string   // behind the server's address
		looked []string // the last has it
	}{
		{"", []string{"/.well-known/openid-configuration"}},
		{"/", []string{"/.well-known/openid-configuration"}},
		{"", []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}},
		{"/", []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}},
		{"/realms/a", []string{"/realms/a/.well-known/openid-configuration"}},
		{"/realms/a/", []string{"/realms/a/.well-known/openid-configuration"}},
		{"/realms/a", []string{"/realms/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/a"}},
		{"/realms/a/", []string{"/realms/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/a"}},
		{"/realms/a", []string{
			"/realms/a/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/realms/a",
			"/.well-known/openid-configuration/realms/a",
		}},
	} {
		clock := newClock()
		s := newServer(t, keyNamed(t, "1").Public())
		id := s.URL + tc.issuer
		s.doc[tc.looked[len(tc.looked)-1]] = document(id, s.URL+"/jwks")
		i := issuer(t, id, options(clock))
		ask(t, i, "1", "")
		if len(s.hits) != len(tc.looked)+1 || i.State().Source != id {
			t.Errorf("%v: %v", tc, s.hits)
		}
		// The next time it is where it was.
		clock.Add(5 * time.Minute)
		ask(t, i, "1", "")
		for n, path := range tc.looked {
			want := 1
			if n == len(tc.looked)-1 {
				want = 2
			}
			if s.count(path) != want {
				t.Errorf("%v: %s was asked for %d times", tc, path, s.count(path))
			}
		}
	}
}

// Who does not have a document says so in many ways; other failures end the search.
func TestIssuerAbsent(t *testing.T) {
	const first, second = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	for code, goesOn := range map[int]bool{404: true, 403: true, 400: true, 302: true, 200: true, 408: false, 429: false, 500: false, 503: false} {
		s := newServer(t, keyNamed(t, "1").Public())
		s.doc[second] = document(s.URL, s.URL+"/jwks")
		inner := s.Config.Handler
		s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == first {
				w.Header().Set("Content-Type", "text/html") // a page, whatever was asked for
				w.Header().Set("Location", "/login")
				w.WriteHeader(code)
				return
			}
			inner.ServeHTTP(w, r)
		})
		want := ""
		if !goesOn {
			want = "keys.unreachable"
		}
		ask(t, issuer(t, s.URL, options(newClock())), "1", want)
	}

	s := newServer(t)
	_, err := issuer(t, s.URL+"/a", options(newClock())).Keys(ctx, query("1"))
	wantCode(t, err, "keys.unreachable")
	for _, path := range []string{"/a/.well-known/openid-configuration", second + "/a", first + "/a"} {
		if !strings.Contains(err.Error(), s.URL+path+": the server answered 404") {
			t.Errorf("%s is not in %v", path, err)
		}
	}
}

// The issuer of the document is the one that was asked for, exactly, and nothing else
// is followed from another's document.
func TestIssuerMismatch(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		s := newServer(t, keyNamed(t, "1").Public())
		for _, other := range []string{s.URL + "/", strings.ToUpper(s.URL), s.URL + "/{tenantid}", "https://evil.example", "", s.URL + "#"} {
			s.with(func() { s.doc[path] = document(other, s.URL+"/jwks") })
			_, err := issuer(t, s.URL, options(newClock())).Keys(ctx, query("1"))
			wantCode(t, err, "issuer.mismatch")
			if !errors.Is(err, keyset.ErrIssuer) {
				t.Error(err)
			}
			if slash := strings.HasSuffix(other, "/"); slash != strings.Contains(err.Error(), "slash") {
				t.Error(err)
			}
			if braces := strings.Contains(other, "{"); braces != strings.Contains(err.Error(), "Template") {
				t.Error(err)
			}
		}
		if s.count("/jwks") != 0 {
			t.Error("the set of another issuer was fetched")
		}
	}
}

func TestIssuerDocuments(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	for doc, want := range map[string]string{
		`{"issuer":"` + s.URL + `"}`:                                                          "keys.unreachable",
		`{"issuer":"` + s.URL + `","jwks_uri":""}`:                                            "keys.unreachable",
		`{"issuer":"` + s.URL + `","jwks_uri":["` + s.URL + `/jwks"]}`:                        "keys.unreachable",
		`{"issuer":"` + s.URL + `","issuer":"` + s.URL + `","jwks_uri":"` + s.URL + `/jwks"}`: "keys.unreachable",
		`{"issuer":"` + s.URL + `","jwks_uri":"` + s.URL + `/jwks"}{}`:                        "keys.unreachable",
		`{"issuer":"` + s.URL + `","Jwks_Uri":"` + s.URL + `/jwks"}`:                          "keys.unreachable",
		`[]`: "keys.unreachable",
		`{"issuer":"` + s.URL + `","jwks_uri":"` + s.URL + `/jwks","x":{"y":[1,2,{"z":"\u0041"}]}}`: "",
	} {
		s.with(func() { s.doc["/.well-known/openid-configuration"] = doc })
		ask(t, issuer(t, s.URL, options(newClock())), "1", want)
	}
}

// A jwks_uri elsewhere is the document's word: only public addresses are dialled for
// it, over https. On the issuer's own host it is as good as the operator's.
func TestIssuerGuard(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	inside, pool := newTLS(t, s)
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for jwks, want := range map[string]string{
		s.URL + "/jwks": "",
		// Another host, however it is written.
		"https://localhost" + port + "/jwks":                     "keys.refused_url", // by its address, when it is dialled
		"http://localhost" + port + "/jwks":                      "keys.refused_url",
		"https://169.254.169.254/latest/meta-data/":              "keys.refused_url",
		"https://2852039166/latest/meta-data/":                   "keys.refused_url",
		"https://0xa9fea9fe/":                                    "keys.refused_url",
		"https://[::ffff:169.254.169.254]/":                      "keys.refused_url",
		"https://10.0.0.1/jwks":                                  "keys.refused_url",
		"https://[::1]/jwks":                                     "keys.refused_url",
		"file:///etc/passwd":                                     "keys.refused_url",
		"gopher://127.0.0.1/":                                    "keys.refused_url",
		"/jwks":                                                  "keys.refused_url",
		"https://u:p@127.0.0.1/jwks":                             "keys.refused_url",
		strings.Replace(inside.URL, "127.0.0.1", "127.0.0.2", 1): "keys.refused_url",
		// Its own host on another port.
		inside.URL + "/jwks": "",
	} {
		s.with(func() { s.doc["/.well-known/openid-configuration"] = document(s.URL, jwks) })
		o := options(newClock())
		o.RootCAs = pool
		ask(t, issuer(t, s.URL, o), "1", want)
	}

	// What is allowed beside public addresses.
	for _, allow := range []func(*keyset.Options){
		func(o *keyset.Options) { o.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} },
		func(o *keyset.Options) { o.AllowHosts = []string{"127.0.0.1"} },
	} {
		s.with(func() {
			s.doc["/.well-known/openid-configuration"] = document("http://localhost"+port, inside.URL+"/jwks")
		})
		o := options(newClock())
		o.RootCAs = pool
		ask(t, issuer(t, "http://localhost"+port, o), "1", "keys.refused_url")
		allow(&o)
		ask(t, issuer(t, "http://localhost"+port, o), "1", "")
	}
}

// newTLS serves the same over https, and returns who certifies it.
func newTLS(t testing.TB, s *issuerServer) (*httptest.Server, *x509.CertPool) {
	inside := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	inside.Config.ErrorLog = s.Config.ErrorLog
	inside.StartTLS()
	t.Cleanup(inside.Close)
	pool := x509.NewCertPool()
	pool.AddCert(inside.Certificate())
	return inside, pool
}

// The operator's header goes to the issuer's own origin, and to no other port of it.
func TestIssuerHeader(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	inside, pool := newTLS(t, s)
	for jwks, want := range map[string][]string{
		s.URL + "/jwks":      {"/.well-known/openid-configuration Bearer t", "/jwks Bearer t"},
		inside.URL + "/jwks": {"/.well-known/openid-configuration Bearer t", "/jwks "},
	} {
		var seen []string
		for _, c := range []*http.Server{s.Config, inside.Config} {
			c.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r.URL.Path+" "+r.Header.Get("Authorization"))
				s.serve(w, r)
			})
		}
		s.with(func() { s.doc["/.well-known/openid-configuration"] = document(s.URL, jwks) })
		o := options(newClock())
		o.RootCAs, o.Header = pool, http.Header{"Authorization": {"Bearer t"}}
		ask(t, issuer(t, s.URL, o), "1", "")
		if !slices.Equal(seen, want) {
			t.Errorf("%q, want %q", seen, want)
		}
	}
}

// The metadata is kept as long as it may be, and read again where the set has moved.
func TestIssuerMetadataAge(t *testing.T) {
	const path = "/.well-known/openid-configuration"
	clock := newClock()
	one, two := keyNamed(t, "1"), keyNamed(t, "2")
	s := newServer(t, one.Public())
	s.etag = true
	s.doc[path] = document(s.URL, s.URL+"/jwks")
	s.header.Set("Cache-Control", "max-age=1800")
	i := issuer(t, s.URL, options(clock))
	ask(t, i, "1", "")
	clock.Add(time.Minute)
	ask(t, i, "stranger", "key.none")
	if s.count(path) != 1 || s.count("/jwks") != 2 {
		t.Error(s.hits)
	}

	// It moves: the old place is gone, and the next attempt looks for the new one.
	s.with(func() {
		s.doc["/new"] = published(two.Public())
		s.doc[path] = document(s.URL, s.URL+"/new")
		s.fail = func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
	})
	clock.Add(time.Minute)
	ask(t, i, "2", "keys.unreachable")
	s.down(nil)
	clock.Add(time.Minute)
	ask(t, i, "2", "")
	ask(t, i, "1", "key.none")
	if s.count("/new") != 1 {
		t.Error(s.hits)
	}

	// It is gone from where it was, and is looked for everywhere again.
	s.with(func() {
		delete(s.doc, path)
		s.doc["/.well-known/oauth-authorization-server"] = document(s.URL, s.URL+"/new")
	})
	clock.Add(time.Hour)
	ask(t, i, "2", "") // from before
	if st := i.State(); st.Err == nil || !st.Stale {
		t.Errorf("%+v", st)
	}
	if err := i.Refresh(ctx); err != nil {
		t.Error(err)
	}
}

// A set that did not change is not sent again, but another one has another ETag.
func TestIssuerETag(t *testing.T) {
	const path = "/.well-known/openid-configuration"
	clock, rec := newClock(), newRecord()
	s := newServer(t, keyNamed(t, "1").Public())
	s.etag = true
	s.doc[path] = document(s.URL, s.URL+"/jwks")
	o := options(clock)
	o.Observe = rec.note
	i := issuer(t, s.URL, o)
	ask(t, i, "1", "")
	if e := rec.next(t); e.NotModified {
		t.Errorf("%+v", e)
	}
	clock.Add(5 * time.Minute)
	ask(t, i, "1", "")
	if e := rec.next(t); !e.NotModified {
		t.Errorf("%+v", e)
	}
	var sent []string
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("If-None-Match"))
		s.serve(w, r)
	})
	s.with(func() { s.doc[path] = document(s.URL, s.URL+"/jwks?2") })
	clock.Add(5 * time.Minute)
	ask(t, i, "1", "")
	if e := rec.next(t); e.NotModified || !slices.Equal(sent, []string{"", ""}) {
		t.Errorf("%+v %q", e, sent)
	}
}

// A document with an ETag is confirmed, too.
func TestIssuerMetadataNotModified(t *testing.T) {
	clock := newClock()
	s := newServer(t, keyNamed(t, "1").Public())
	confirmed := 0
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known") {
			w.Header().Set("ETag", `"m"`)
			if r.Header.Get("If-None-Match") == `"m"` {
				confirmed++
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		s.serve(w, r)
	})
	s.doc["/.well-known/openid-configuration"] = document(s.URL, s.URL+"/jwks")
	i := issuer(t, s.URL, options(clock))
	for range 3 {
		ask(t, i, "1", "")
		clock.Add(5 * time.Minute)
	}
	if confirmed != 2 {
		t.Errorf("confirmed %d times", confirmed)
	}
}

func TestIssuerRefuses(t *testing.T) {
	for id, want := range map[string]string{
		"https://as.example": "", "https://as.example/": "", "https://as.example/a?b": "keys.refused_url", "https://as.example?": "keys.refused_url",
		"https://as.example#": "keys.refused_url", "http://as.example": "keys.refused_url", "as.example": "keys.refused_url", "": "keys.refused_url",
		"https://u@as.example": "keys.refused_url", "https://as.example:0": "keys.refused_url",
	} {
		_, err := keyset.NewIssuer(id, keyset.Options{})
		wantCode(t, err, want)
	}
	_, err := keyset.NewIssuer("https://as.example", keyset.Options{MaxAge: -1})
	wantCode(t, err, "keys.options")
}

// The API of a cluster: its own certificate authority, a bearer token, and a jwks_uri
// at an address inside.
func TestIssuerOfACluster(t *testing.T) {
	s := newServer(t, keyNamed(t, "1").Public())
	api, pool := newTLS(t, s)
	api.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer sa" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.serve(w, r)
	})
	s.doc["/.well-known/openid-configuration"] = document(api.URL, api.URL+"/jwks")
	o := options(newClock())
	o.RootCAs, o.Header = pool, http.Header{"Authorization": {"Bearer sa"}}
	ask(t, issuer(t, api.URL, o), "1", "")
	o.Header = nil
	ask(t, issuer(t, api.URL, o), "1", "keys.unreachable")
}
