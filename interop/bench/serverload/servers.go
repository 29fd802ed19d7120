//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/accesstoken"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
)

// The parties of all servers.
const (
	resource = "https://api.example"
	scope    = "read write"
	withKey  = "with-key"    // a client that signs assertions
	named    = "with-secret" // a client with a secret
	trusted  = "https://issuer.example"
	subject  = "alice"
)

// keys are those of the parties.
type keys struct {
	client, proof, issuer *jwk.PrivateKey
	dir                   string // with files of the public ones
}

func newKeys(dir string) *keys {
	k := &keys{client: must(jwk.Generate(jwa.ES256)), proof: must(jwk.Generate(jwa.ES256)), issuer: must(jwk.Generate(jwa.ES256)), dir: dir}
	for name, key := range map[string]*jwk.PrivateKey{"client.jwks": k.client, "issuer.jwks": k.issuer} {
		check(os.WriteFile(filepath.Join(dir, name), publicSet(key), 0o600))
	}
	return k
}

func publicSet(k *jwk.PrivateKey) []byte { return must(jwk.Set{k.Public()}.MarshalJSON()) }

// target is a server that is loaded.
type target struct {
	name   string
	url    string // its issuer identifier
	token  string // the URL of its token endpoint
	secret string
	pid    int
	end    func()
	// refresh returns n new refresh tokens.
	refresh func(n int) []string
	store   string
	restart func()
}

// rss returns how much memory a process holds, in bytes: now, or at most since it was started.
func rss(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}

func freePort() string {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// start starts a process that ends with this one, and waits until something listens at the port.
func start(cmd *exec.Cmd, port string) (end func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			break
		}
		select {
		case <-ended:
			log.Fatalf("error: %s has ended: see its log", cmd.Path)
		default:
		}
		if time.Since(begin) > 30*time.Second {
			log.Fatalf("error: %s does not listen", cmd.Path)
		}
	}
	return func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}
}

// The variables that tell this program what to be.
const (
	asVariable   = "SERVERLOAD_AS"
	toldVariable = "SERVERLOAD_TOLD"
)

// self is this program as another process, with what it is told.
func self(as string, told any) *exec.Cmd {
	cmd := exec.Command(must(os.Executable()))
	cmd.Env = append(os.Environ(), asVariable+"="+as, toldVariable+"="+string(must(json.Marshal(told))))
	cmd.Stderr = os.Stderr
	return cmd
}

type told struct {
	Addr, Issuer, ClientKeys, IssuerKeys, Secret string
}

// be is this program as a server.
func be(as string) {
	var t told
	check(json.Unmarshal([]byte(os.Getenv(toldVariable)), &t))
	key := must(jwk.Generate(jwa.ES256))
	var h http.Handler
	switch as {
	case "bare":
		h = bare(key, t.Issuer)
	case "memory":
		h = inMemory(key, t)
	}
	check((&http.Server{Addr: t.Addr, Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}).ListenAndServe())
}

// bare signs the token that the others do, and answers with it. It reads nothing of the request.
func bare(key *jwk.PrivateKey, issuer string) http.Handler {
	refresh := strings.Repeat("r", 75) // as long as those of jot
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Truncate(time.Second)
		raw, err := accesstoken.Sign(r.Context(), key, jwt.Registered{
			Issuer: issuer, Subject: named, Audience: jwt.Audience{resource}, IssuedAt: now, Expiry: now.Add(15 * time.Minute), ID: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
		}, accesstoken.Claims{ClientID: named, Scope: scope})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"`+raw+`","token_type":"Bearer","expires_in":900,"scope":"`+scope+`","refresh_token":"`+refresh+`"}`)
	})
}

// inMemory is the handler of jot serve over the store in memory, into which the command can put no clients, with the log that
// jot serve writes.
func inMemory(key *jwk.PrivateKey, t told) http.Handler {
	l := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s := must(server.New(context.Background(), server.Options{
		Issuer: t.Issuer, Store: memstore.New(), Keys: server.FixedKeys(key), Secrets: [][]byte{make([]byte, 32)},
		Resources: []server.Resource{{Identifier: resource, Name: "api", Scopes: oauth.Scopes{"read", "write"}}},
		Observe: func(ctx context.Context, e *server.Event) {
			l.LogAttrs(ctx, slog.LevelInfo, "request", slog.Attr{Value: e.LogValue()})
		},
	}))
	c := server.Client{ID: named, Secret: t.Secret}
	c.Metadata.GrantTypes, c.Metadata.Scope = []string{"client_credentials", grant.GrantType, "refresh_token"}, scope
	must(s.SaveClient(context.Background(), c))
	c = server.Client{ID: withKey}
	c.Metadata.GrantTypes, c.Metadata.Scope = []string{"client_credentials"}, scope
	c.Metadata.AuthMethod, c.Metadata.JWKS = "private_key_jwt", must(os.ReadFile(t.ClientKeys))
	must(s.SaveClient(context.Background(), c))
	must(s.SaveIssuer(context.Background(), server.TrustedIssuer{
		Issuer: trusted, JWKS: must(os.ReadFile(t.IssuerKeys)), Subjects: []string{"*"}, Scope: scope, Clients: []string{named}, Refresh: true,
	}))
	go func() { _ = s.Run(context.Background()) }()
	return s
}

func startBare(k *keys) *target {
	port := freePort()
	t := &target{name: "bare", url: "http://localhost:" + port, secret: strings.Repeat("s", 43)}
	t.token = "http://127.0.0.1:" + port + "/token"
	cmd := self("bare", told{Addr: "127.0.0.1:" + port, Issuer: t.url})
	t.end, t.pid = start(cmd, port), cmd.Process.Pid
	t.refresh = func(n int) []string { return slices.Repeat([]string{strings.Repeat("r", 75)}, n) }
	return t
}

func startMemory(k *keys) *target {
	port := freePort()
	t := &target{name: "memory", url: "http://localhost:" + port, secret: strings.Repeat("s", 43)}
	t.token = "http://127.0.0.1:" + port + "/token"
	cmd := self("memory", told{"127.0.0.1:" + port, t.url, filepath.Join(k.dir, "client.jwks"), filepath.Join(k.dir, "issuer.jwks"), t.secret})
	cmd.Stderr = must(os.Create(filepath.Join(k.dir, "memory.log")))
	t.end, t.pid = start(cmd, port), cmd.Process.Pid
	t.refresh = func(n int) []string { return t.grants(k, n) }
	return t
}

// grants presents grants of the trusted issuer, for which jot gives refresh tokens.
func (t *target) grants(k *keys, n int) (out []string) {
	for range n {
		now := time.Now()
		g := must(grant.Sign(context.Background(), k.issuer, jwt.Registered{
			Issuer: trusted, Subject: subject, Audience: jwt.Audience{t.url}, IssuedAt: now, Expiry: now.Add(time.Minute), ID: fmt.Sprint(now.UnixNano()),
		}, grant.Claims{}))
		a := t.post("grant_type="+escape(grant.GrantType)+"&assertion="+g, http.Header{"Authorization": {basic(t.secret)}})
		out = append(out, a.Refresh)
	}
	return out
}

type answer struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
}

// post sends a token request, which has to be answered with 200.
func (t *target) post(body string, h http.Header) (a answer) {
	status, _, raw := t.send(body, h)
	if err := json.Unmarshal(raw, &a); status != http.StatusOK || err != nil || a.Access == "" {
		log.Fatalf("error: %s answers %d: %s", t.name, status, raw)
	}
	return a
}

func (t *target) send(body string, h http.Header) (int, http.Header, []byte) {
	r := must(http.NewRequest(http.MethodPost, t.token, strings.NewReader(body)))
	for name, v := range h {
		r.Header[name] = v
	}
	r.Host = strings.TrimPrefix(t.url, "http://") // by which oidc-provider knows its URL
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp := must(http.DefaultClient.Do(r))
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header, must(io.ReadAll(resp.Body))
}

// startJot starts jot serve with a store, after its clients were added.
func startJot(k *keys, binary, name, store, synchronous, more string) *target {
	port := freePort()
	dir := filepath.Join(k.dir, name)
	check(os.Mkdir(dir, 0o700))
	t := &target{name: name, url: "http://localhost:" + port, token: "http://127.0.0.1:" + port + "/token"}
	store = cmp.Or(store, "sqlite:"+dir+"/jot.db")
	t.store = store
	config := filepath.Join(dir, "jot.yaml")
	check(os.WriteFile(config, []byte(strings.Join([]string{
		"issuer: " + t.url, "addr: 127.0.0.1:" + port, "data: " + dir, "store: " + store, "synchronous: " + synchronous,
		"resources: [{identifier: '" + resource + "', name: api, scopes: [read, write]}]", more,
	}, "\n")), 0o600))
	jot := func(args ...string) []byte {
		out, err := exec.Command(binary, append(args, "--config", config)...).Output()
		if err != nil {
			if e, ok := errors.AsType[*exec.ExitError](err); ok {
				log.Fatalf("error: jot %q: %s", args, e.Stderr)
			}
			log.Fatal("error: ", err)
		}
		return out
	}
	var made struct {
		Secret string `json:"client_secret"`
	}
	check(json.Unmarshal(jot("client", "add", named, "--grant", "client_credentials", "--grant", grant.GrantType, "--grant", "refresh_token", "--scope", scope), &made))
	t.secret = made.Secret
	jot("client", "add", withKey, "--scope", scope, "--auth", "private_key_jwt", "--jwks", filepath.Join(k.dir, "client.jwks"))
	jot("issuer", "add", trusted, "--jwks", filepath.Join(k.dir, "issuer.jwks"), "--subject", "*", "--scope", scope, "--client", named, "--refresh")
	output := must(os.Create(filepath.Join(k.dir, name+".log")))
	t.restart = func() {
		cmd := exec.Command(binary, "serve", "--config", config)
		cmd.Stderr = output
		t.end, t.pid = start(cmd, port), cmd.Process.Pid
	}
	t.restart()
	t.refresh = func(n int) []string { return t.grants(k, n) }
	return t
}

// startProvider starts oidc-provider, with a key of its own, or returns nil where there is no Node.js.
func startProvider(k *keys, dir string) *target {
	if _, err := exec.LookPath("node"); err != nil {
		log.Print("there is no Node.js: oidc-provider is left out")
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "oidc-provider")); err != nil {
		npm := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		npm.Dir = dir
		if out, err := npm.CombinedOutput(); err != nil {
			log.Fatalf("error: npm ci: %v\n%s", err, out)
		}
	}
	port := freePort()
	t := &target{name: "oidc-provider", url: "http://localhost:" + port, token: "http://127.0.0.1:" + port + "/token", secret: strings.Repeat("s", 43)}
	private := must(must(must(jwk.Generate(jwa.ES256)).PrivateJWK()).MarshalPrivateJSON())
	arg := must(json.Marshal(map[string]any{
		"issuer": t.url, "port": must(strconv.Atoi(port)), "resource": resource, "id": named, "secret": t.secret,
		"keyID": withKey, "jwks": json.RawMessage(publicSet(k.client)), "privateKey": json.RawMessage(private),
	}))
	cmd := exec.Command("node", "provider.mjs", string(arg))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production")
	cmd.Stderr = must(os.Create(filepath.Join(k.dir, "provider.log")))
	in, out := must(cmd.StdinPipe()), bufio.NewReader(must(cmd.StdoutPipe()))
	t.end, t.pid = start(cmd, port), cmd.Process.Pid
	must(out.ReadString('\n'))
	t.refresh = func(n int) (tokens []string) {
		for range n {
			must(io.WriteString(in, "\n"))
			tokens = append(tokens, strings.TrimSpace(must(out.ReadString('\n'))))
		}
		return tokens
	}
	return t
}

// postgres starts a PostgreSQL as it is installed, which nobody else can reach, and returns its URL.
func postgres() (url string, end func()) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		bins = []string{must(exec.LookPath("initdb"))}
	}
	slices.Sort(bins)
	bin := filepath.Dir(bins[len(bins)-1])
	dir := must(os.MkdirTemp("", "jot")) // the path of a socket is short
	command := func(name string, args ...string) *exec.Cmd {
		args = append([]string{filepath.Join(bin, name)}, args...)
		if os.Getuid() == 0 { // which the server refuses to be
			args = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	if os.Getuid() == 0 {
		u := must(user.Lookup("postgres"))
		check(os.Chown(dir, must(strconv.Atoi(u.Uid)), must(strconv.Atoi(u.Gid))))
	}
	if out, err := command("initdb", "--pgdata", dir+"/data", "--username=jot", "--auth=trust", "--locale=C.UTF-8", "--encoding=UTF8").CombinedOutput(); err != nil {
		log.Fatalf("error: initdb: %v\n%s", err, out)
	}
	cmd := command("postgres", "-D", dir+"/data", "-k", dir, "-c", "listen_addresses=", "-c", "log_checkpoints=on")
	// The shell ends the server when this process is gone, and with it the other end of the pipe.
	cmd.Args = append([]string{"sh", "-c", `"$@" & p=$!; cat >/dev/null; kill -INT $p; wait $p`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin := must(cmd.StdinPipe())
	check(cmd.Start())
	for begin := time.Now(); ; time.Sleep(25 * time.Millisecond) {
		if command("pg_isready", "-q", "-h", dir).Run() == nil {
			break
		}
		if time.Since(begin) > 30*time.Second {
			log.Fatal("error: PostgreSQL does not start")
		}
	}
	return "postgres:///postgres?user=jot&host=" + dir, func() {
		_ = stdin.Close()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	}
}
