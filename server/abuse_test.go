package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
)

// listen serves the handler as `jot serve` does, with timeouts that a test can wait for.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ReadHeaderTimeout, s.Config.ReadTimeout, s.Config.MaxHeaderBytes = 500*time.Millisecond, 500*time.Millisecond, 64<<10
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// What can be wrong with a request on the wire gets an answer of OAuth, or that of net/http where it is no HTTP, and nothing of it stays.
func TestAbuse_on_the_wire(t *testing.T) {
	a := start(t, server.Options{})
	c := a.add("c", "", nil)
	address := listen(t, a.Server.Server)
	auth := "Authorization: " + basic(c.ID, c.Secret).Get("Authorization") + "\r\n"
	const formed = "Content-Type: application/x-www-form-urlencoded\r\n"
	head := func(lines string) string { return "POST /token HTTP/1.1\r\nHost: as\r\n" + auth + lines }
	body := func(b string) string {
		return head(formed + "Content-Length: " + strconv.Itoa(len(b)) + "\r\n\r\n" + b)
	}
	before := runtime.NumGoroutine()
	for name, x := range map[string]struct {
		send   string
		then   string // is sent again and again, until there is an answer
		shut   bool   // the client has nothing more to say
		status int
		code   string // "" where net/http answers itself, or all is well
	}{
		"as it should be":              {body("grant_type=client_credentials&scope=read+write"), "", false, 200, ""},
		"percent-encoded":              {body("%67rant_type=client%5Fcredentials&scope=read%20write"), "", false, 200, ""},
		"in chunks":                    {head(formed + "Transfer-Encoding: chunked\r\n\r\n1d\r\ngrant_type=client_credentials\r\n0\r\n\r\n"), "", false, 200, ""},
		"announced as over 1 MiB":      {head(formed + "Content-Length: 1048577\r\n\r\n"), "", false, 413, oauth.InvalidRequest},
		"announced as huge":            {head(formed + "Content-Length: 9223372036854775807\r\n\r\n"), "", false, 413, oauth.InvalidRequest},
		"100-continue of over 1 MiB":   {head(formed + "Expect: 100-continue\r\nContent-Length: 2000000\r\n\r\n"), "", false, 413, oauth.InvalidRequest},
		"chunks without end":           {head(formed + "Transfer-Encoding: chunked\r\n\r\n"), "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n", false, 413, oauth.InvalidRequest},
		"a chunk that is none":         {head(formed + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "", false, 400, oauth.InvalidRequest},
		"slow":                         {head(formed + "Content-Length: 100\r\n\r\ngrant_type=client_credentials"), "", false, 400, oauth.InvalidRequest},
		"broken off":                   {head(formed + "Content-Length: 100\r\n\r\ngrant_type=client_credentials"), "", true, 400, oauth.InvalidRequest},
		"slow, of 100 kB":              {head(formed + "Content-Length: 100000\r\n\r\ngrant_type=client_credentials"), "", false, 400, oauth.InvalidRequest},
		"a negative length":            {head(formed + "Content-Length: -1\r\n\r\n"), "", false, 400, ""},
		"two lengths":                  {head(formed + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "", false, 400, ""},
		"huge headers":                 {head("X: " + strings.Repeat("x", 200<<10) + "\r\n\r\n"), "", false, 431, ""},
		"no body":                      {head(formed + "\r\n"), "", false, 400, oauth.InvalidRequest},
		"no type":                      {head("Content-Length: 29\r\n\r\ngrant_type=client_credentials"), "", false, 415, oauth.InvalidRequest},
		"multipart":                    {head("Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1\r\n\r\nx"), "", false, 415, oauth.InvalidRequest},
		"text":                         {head("Content-Type: text/plain\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"), "", false, 415, oauth.InvalidRequest},
		"another charset":              {head("Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"), "", false, 415, oauth.InvalidRequest},
		"two types":                    {head("Content-Type: application/json\r\n" + formed + "Content-Length: 29\r\n\r\ngrant_type=client_credentials"), "", false, 415, oauth.InvalidRequest},
		"two types, the other way":     {head(formed + "Content-Type: application/json\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"), "", false, 415, oauth.InvalidRequest},
		"a semicolon":                  {body("grant_type=client_credentials;scope=read"), "", false, 400, oauth.InvalidRequest},
		"half an escape":               {body("grant_type=client_credentials&scope=%2"), "", false, 400, oauth.InvalidRequest},
		"NUL":                          {body("grant_type=client_credentials&scope=read\x00"), "", false, 400, oauth.InvalidRequest},
		"NUL in a name":                {body("grant_type=client_credentials&sc%00ope=read"), "", false, 400, oauth.InvalidRequest},
		"not UTF-8":                    {body("grant_type=client_credentials&scope=%ff"), "", false, 400, oauth.InvalidRequest},
		"not UTF-8 in a name":          {body("grant_type=client_credentials&%ff=x"), "", false, 400, oauth.InvalidRequest},
		"a surrogate":                  {body("grant_type=client_credentials&scope=%ed%a0%80"), "", false, 400, oauth.InvalidRequest},
		"10,000 scopes":                {body("grant_type=client_credentials&scope=" + strings.Repeat("read+", 9999) + "read"), "", false, 400, oauth.InvalidScope},
		"257 parameters":               {body("grant_type=client_credentials" + strings.Repeat("&x=", 256)), "", false, 400, oauth.InvalidRequest},
		"a million ampersands":         {body(strings.Repeat("&", 1<<20)), "", false, 400, oauth.InvalidRequest},
		"a parameter twice, once void": {body("grant_type=client_credentials&scope=read&scope="), "", false, 200, ""}, // RFC 6749, Section 3.2: as if omitted
		"a parameter twice":            {body("grant_type=client_credentials&scope=read&scope=read"), "", false, 400, oauth.InvalidRequest},
		"twice, one escaped":           {body("grant_type=client_credentials&scope=read&%73cope=read"), "", false, 400, oauth.InvalidRequest},
		"1 MiB of one parameter":       {body("grant_type=client_credentials&scope=" + strings.Repeat("x", 1<<20-40)), "", false, 400, oauth.InvalidScope},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, err := io.WriteString(conn, x.send)
				for err == nil && x.then != "" {
					_, err = io.WriteString(conn, x.then)
				}
				if x.shut {
					_ = conn.(*net.TCPConn).CloseWrite()
				}
			}()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			var e struct {
				Code        string `json:"error"`
				Description string `json:"error_description"`
			}
			b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
			if x.code != "" {
				if err := json.Unmarshal(b, &e); err != nil {
					t.Fatalf("%v: %d %s", err, resp.StatusCode, b)
				}
			}
			if resp.StatusCode != x.status || e.Code != x.code || (e.Description == "") != (x.code == "") {
				t.Errorf("%d %s, want %d %s", resp.StatusCode, b, x.status, x.code)
			}
			if resp.StatusCode == http.StatusRequestEntityTooLarge && !resp.Close {
				t.Error("the connection stays, and the rest of the body with it")
			}
			_ = conn.Close()
			<-done
		})
	}
	for i := 0; runtime.NumGoroutine() > before+2; i++ { // the listener's own come and go
		if i == 1000 {
			b := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, and there were %d:\n%s", runtime.NumGoroutine(), before, b[:runtime.Stack(b, true)])
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A request that is refused costs memory in proportion to what was sent, and leaves none.
func TestAbuse_memory(t *testing.T) {
	a := start(t, server.Options{Registration: &server.Registration{OpenToEverybody: true}})
	c := a.add("c", "", nil)
	a.Options.Observe = nil
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(t, key(t).Public()) })
	h := basic(c.ID, c.Secret)
	big := strings.Repeat("x", 1<<20-200)
	nested := strings.Repeat("[", 60_000)
	for name, x := range map[string]call{
		"a scope":   {path: "/token", header: h, form: form("grant_type", "client_credentials", "scope", big)},
		"scopes":    {path: "/token", header: h, form: form("grant_type", "client_credentials", "scope", strings.Repeat("a b ", 60_000))},
		"resources": {path: "/token", header: h, form: url.Values{"grant_type": {"client_credentials"}, "resource": strings.Split(strings.Repeat("https://x.example/"+strings.Repeat("x", 2000)+" ", 250), " ")}},
		"details":   {path: "/token", header: h, form: form("grant_type", "client_credentials", "authorization_details", strings.Repeat(`[{"type":"x"}`, 10_000))},
		"parameters": {path: "/token", header: h, form: func() url.Values {
			f := form("grant_type", "x")
			for i := range 255 {
				f.Set(strings.Repeat("n", 2000)+strconv.Itoa(i), strings.Repeat("v", 2000))
			}
			return f
		}()},
		"a refresh token":     {path: "/token", header: h, form: form("grant_type", "refresh_token", "refresh_token", big)},
		"a grant":             {path: "/token", form: form("grant_type", grant.GrantType, "assertion", "a."+big+".c")},
		"a client assertion":  {path: "/token", form: form("grant_type", "client_credentials", "client_assertion_type", clientauth.AssertionType, "client_assertion", big)},
		"dots":                {path: "/token", form: form("grant_type", grant.GrantType, "assertion", strings.Repeat(".", 1<<19))},
		"a deep one":          {path: "/token", form: form("grant_type", grant.GrantType, "assertion", b64([]byte(`{"alg":"ES256"}`))+"."+b64([]byte(nested))[:60_000]+".AAAA")},
		"a subject token":     {path: "/token", header: h, form: form("grant_type", exchange.GrantType, "subject_token_type", string(exchange.AccessToken), "subject_token", big)},
		"a secret":            {path: "/token", form: form("grant_type", "client_credentials", "client_id", "c", "client_secret", big)},
		"a client_id":         {path: "/token", form: form("grant_type", "client_credentials", "client_id", big, "client_secret", "x")},
		"a proof":             {path: "/token", header: http.Header{"Authorization": h["Authorization"], "Dpop": {strings.Repeat("x", 60_000)}}, form: form("grant_type", "client_credentials")},
		"a token to look at":  {path: "/introspect", header: h, form: form("token", big)},
		"a token to end":      {path: "/revoke", header: h, form: form("token", big)},
		"metadata":            {path: "/register", header: http.Header{"Content-Type": {"application/json"}}, body: `{"client_name":"` + big + `"}`},
		"metadata, deep":      {path: "/register", header: http.Header{"Content-Type": {"application/json"}}, body: `{"x":` + nested},
		"metadata, many keys": {path: "/register", header: http.Header{"Content-Type": {"application/json"}}, body: `{"jwks":{"keys":[` + strings.Repeat(`{"kty":"EC"},`, 4000) + `{}]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			body := x.body
			if x.form != nil {
				body = x.form.Encode()
			}
			once := func() int {
				r := httptest.NewRequest("POST", x.path, strings.NewReader(body))
				if x.form != nil {
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				for name, values := range x.header {
					r.Header[name] = values
				}
				w := httptest.NewRecorder()
				a.ServeHTTP(w, r)
				if w.Body.Len() > 4<<10 {
					t.Errorf("the answer has %d bytes", w.Body.Len())
				}
				return w.Code
			}
			if code := once(); code >= 500 {
				t.Fatal(code)
			}
			var m0, m1 runtime.MemStats
			const runs = 6 // of about 1 MiB each
			runtime.GC()
			runtime.ReadMemStats(&m0)
			for range runs {
				once()
			}
			runtime.ReadMemStats(&m1)
			// RFC 6749 says nothing of it; 20 bytes for each that was sent are the budget of the catalogue (group L).
			sent := uint64(len(body)) + 60_000
			if spent := (m1.TotalAlloc - m0.TotalAlloc) / runs; spent > 20*sent {
				t.Errorf("%d bytes are set aside for %d", spent, sent)
			}
			runtime.GC()
			runtime.ReadMemStats(&m1)
			if m1.HeapAlloc > m0.HeapAlloc+runs<<20*2/3 {
				t.Errorf("%d bytes stay", m1.HeapAlloc-m0.HeapAlloc)
			}
		})
	}
}

// FuzzToken holds every answer of the token endpoint to the rules of its errors, whatever is sent, and nobody gets a token who has not the
// secret or a key.
func FuzzToken(f *testing.F) {
	a := start(f, server.Options{})
	k := key(f)
	a.trust(k, nil)
	a.add("c", "", nil)
	a.add("k", clientauth.PrivateKeyJWT, func(c *server.Client) { c.Metadata.JWKS = jwks(f, k.Public()) })
	a.add("p", "none", nil)
	const formed = "application/x-www-form-urlencoded"
	for _, seed := range [][4]string{
		{formed, "Basic Yzp4", "", "grant_type=client_credentials"},
		{formed, "", "x", "grant_type=client_credentials&client_id=c&client_secret=x"},
		{formed, "", "a.b.c", "grant_type=client_credentials&client_id=p"},
		{formed, "", "", "grant_type=refresh_token&client_id=p&refresh_token=x&scope=read"},
		{formed, "", "", "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=e30.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.AAAA&resource=x&resource=y"},
		{formed, "", "", "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&client_id=p&subject_token=x&subject_token_type=y&actor_token=z"},
		{formed, "JWT x", "", "grant_type=urn%3Abitbucket%3Aoauth2%3Ajwt"},
		{formed + "; charset=utf-8", "Bearer x", "", "client_assertion=e30.eyJzdWIiOiJrIn0.x&client_assertion_type=" + url.QueryEscape(clientauth.AssertionType) + "&grant_type=client_credentials"},
		{"text/plain", "", "", "{}"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, typ, authorization, proof, body string) {
		a.t = t
		h := http.Header{"Content-Type": {typ}}
		if authorization != "" {
			h["Authorization"] = []string{authorization}
		}
		if proof != "" {
			h["Dpop"] = []string{proof}
		}
		w := a.do(call{path: "/token", header: h, body: body})
		if w.Code == 200 || w.Code >= 500 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		code := w.text("error")
		if code == "" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		w.want(t, w.Code, code)
		if _, err := oauth.ParseError(w.Code, w.Body.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}

// What is kept in memory of a request, because its client is known, does not hold on to the rest of its body.
func TestAbuse_names_in_large_bodies(t *testing.T) {
	a := start(t, server.Options{Observe: func(context.Context, *server.Event) {}})
	const clients = 24
	for i := range clients {
		a.add("client-"+strconv.Itoa(i), "", nil)
	}
	var m0, m1 runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m0)
	padding := strings.Repeat("x", 1<<20-200)
	for i := range clients {
		a.do(call{path: "/token", form: form("grant_type", "client_credentials", "client_id", "client-"+strconv.Itoa(i), "client_secret", "x", "padding", padding)}).want(t, 401, oauth.InvalidClient)
	}
	runtime.GC()
	runtime.ReadMemStats(&m1)
	if m1.HeapAlloc > m0.HeapAlloc+clients<<20/2 {
		t.Errorf("%d bytes stay", m1.HeapAlloc-m0.HeapAlloc)
	}
	runtime.KeepAlive(a)
}
