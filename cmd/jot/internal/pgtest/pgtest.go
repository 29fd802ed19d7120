// Package pgtest starts servers of PostgreSQL for tests.
package pgtest

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A Server is a server of PostgreSQL for one test.
type Server struct {
	t        testing.TB
	bin, dir string
	durable  bool
	stdin    io.Closer
	cmd      *exec.Cmd
	places   atomic.Int64
}

// Start starts a server of its own, which nobody else can reach, and which ends with the
// test however that ends. If it is not durable, it does not wait for the disk.
func Start(t testing.TB, durable bool) *Server {
	if testing.Short() {
		t.Skip("a server takes seconds to start")
	}
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(bins) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			bins = []string{path}
		}
	}
	if len(bins) == 0 {
		if os.Getenv("CI") != "true" {
			t.Skip("there is no PostgreSQL here (Debian: apt-get install postgresql), so nothing is tested with it")
		}
		out, err := exec.Command("sh", "-c", "apt-get update -q && apt-get install -qy --no-install-recommends postgresql").CombinedOutput()
		bins, _ = filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
		if err != nil || len(bins) == 0 {
			t.Fatalf("PostgreSQL cannot be installed: %v\n%s", err, out)
		}
	}
	slices.Sort(bins)
	// The path of a socket is short.
	dir, err := os.MkdirTemp("", "jot")
	if err != nil {
		t.Fatal(err)
	}
	p := &Server{t: t, durable: durable, bin: filepath.Dir(bins[len(bins)-1]), dir: dir}
	t.Cleanup(func() {
		p.Stop()
		os.RemoveAll(dir)
	})
	if os.Getuid() == 0 { // which the server refuses to be
		u, err := user.Lookup("postgres")
		if err != nil {
			const message = "this is root, and there is no user postgres who could run the server"
			if os.Getenv("CI") == "true" {
				t.Fatal(message)
			}
			t.Skip(message)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := p.command("initdb", "--pgdata", dir+"/data", "--username=jot", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--encoding=UTF8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.Start()
	return p
}

// command returns a command of PostgreSQL, for a user who may run it.
func (p *Server) command(name string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(p.bin, name)}, args...)
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}, args...) // which becomes the command
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = p.dir
	return cmd
}

// Start starts the server, and waits until it can be reached.
func (p *Server) Start() {
	p.t.Helper()
	args := []string{"-D", p.dir + "/data", "-k", p.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	if !p.durable {
		args = append(args, "-c", "fsync=off") // no power is lost here
	}
	cmd := p.command("postgres", args...)
	// The shell ends the server when this process is gone, and with it the other end of
	// the pipe.
	cmd.Args = append([]string{"sh", "-c", `"$@" & p=$!; cat >/dev/null; kill -QUIT $p; wait $p`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.stdin = cmd, stdin
	db := p.DB()
	defer db.Close()
	for range 200 {
		if err = db.Ping(); err == nil {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.Stop()
	p.t.Fatalf("PostgreSQL does not start: %v\n%s", err, log.String())
}

// Stop stops the server as a loss of power does: without a word to anyone.
func (p *Server) Stop() {
	if p.cmd != nil {
		p.stdin.Close()
		p.cmd.Wait()
		p.cmd = nil
	}
}

// DB returns a connection of its own, beside those of stores.
func (p *Server) DB() *sql.DB {
	p.t.Helper()
	config, err := pgx.ParseConfig(p.URL("public"))
	if err != nil {
		p.t.Fatal(err)
	}
	return stdlib.OpenDB(*config)
}

// URL is where a store is, in a schema of the database.
func (p *Server) URL(schema string) string {
	return "postgres:///postgres?user=jot&host=" + p.dir + "&search_path=" + schema
}

// Place makes an empty place, and returns its URL.
func (p *Server) Place(t testing.TB) string {
	t.Helper()
	db := p.DB()
	defer db.Close()
	schema := fmt.Sprint("place", p.places.Add(1))
	if _, err := db.Exec("CREATE SCHEMA " + schema); err != nil {
		t.Fatal(err)
	}
	return p.URL(schema)
}
