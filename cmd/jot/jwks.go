package main

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
)

type jwksCmd struct {
	Fetch  jwksFetchCmd  `cmd:"" help:"Fetch a key set and print what can be used of it."`
	Merge  jwksMergeCmd  `cmd:"" help:"Make one set of the public halves of keys and sets."`
	Serve  jwksServeCmd  `cmd:"" help:"Serve the public keys of a folder over HTTP until interrupted."`
	Rotate jwksRotateCmd `cmd:"" help:"Keep the keys of an issuer in a folder: make, publish, retire and delete them as is due."`
}

type jwksFetchCmd struct {
	URL    string `arg:"" name:"url" help:"Where the set is, or with --issuer the issuer."`
	Issuer bool   `help:"Find the set by the metadata of the issuer that URL names (OpenID Connect Discovery, RFC 8414)."`

	output `embed:""`
}

func (*jwksFetchCmd) Help() string {
	return "A key that cannot be used is left out, with a warning that says why: a verifier leaves it out too. The exit code is 5 when there is no set to be had, and 4 when no key of it can be used."
}

func (c *jwksFetchCmd) Run(a *app) error {
	source, err := newFetcher(c.URL, c.Issuer, jwa.Algorithm{})
	if err != nil {
		return err
	}
	set, err := source.Set(context.Background())
	if err != nil {
		return fetchFailure(err)
	}
	for _, s := range source.State().Skipped {
		a.warn("key %d%s of the set is left out: %v%s", s.Index+1, kidIn(s.KeyID), s.Err, inCode(s.Err))
	}
	if len(set) == 0 {
		return fail(exitNoKey, "ask the issuer for its keys", "no key of %s can be used [key.none]", quoted(c.URL))
	}
	raw, err := set.MarshalJSON()
	return c.write(a, []byte(pretty(raw, "")+"\n"), err)
}

// kidIn is a kid in brackets, or nothing.
func kidIn(kid string) string {
	if kid == "" {
		return ""
	}
	return " (" + quoted(kid) + ")"
}

type jwksMergeCmd struct {
	Files []string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`

	passwordFlags `embed:""`
	output        `embed:""`
}

func (*jwksMergeCmd) Help() string {
	return "Of private keys the public halves are taken, and secrets are left out. A key that comes again under the same kid is taken once. Two different keys under one kid are an error: whoever looks for that kid could take the wrong one."
}

func (c *jwksMergeCmd) Run(a *app) error {
	type origin struct{ key, file string }
	var (
		public    []jwk.JWK
		kids      = map[string]origin{}
		anonymous = map[string]bool{}
	)
	for _, name := range c.Files {
		f, err := a.in.keys(name, c.passwordFlags)
		if err != nil {
			return err
		}
		for _, s := range f.skipped {
			a.warn("key %d%s of %s is left out: %v%s", s.Index+1, kidIn(s.KeyID), label(name), s.Err, inCode(s.Err))
		}
		for _, j := range f.keys {
			kid := j.KeyID()
			if j.KeyType() == "oct" {
				a.warn("a secret%s in %s is left out: it has no public half", kidIn(kid), label(name))
				continue
			}
			thumbprint, err := j.Thumbprint(crypto.SHA256)
			if err != nil {
				return keyFailure(exitNoKey, name, err)
			}
			key := thumbprint + " " + j.Algorithm()
			switch first, ok := kids[kid]; {
			case kid == "" && anonymous[key], ok && first.key == key:
				continue
			case ok:
				return fail(exitNoKey, "give one of them another kid, or none of its files",
					"%s and %s have different keys, or algorithms, under the kid %s", label(first.file), label(name), quoted(kid))
			case kid == "":
				anonymous[key] = true
			default:
				kids[kid] = origin{key, name}
			}
			public = append(public, j.Public())
		}
	}
	if len(public) == 0 {
		return fail(exitNoKey, "secrets cannot be published", "there is no public key to write")
	}
	raw, err := json.Marshal(map[string][]jwk.JWK{"keys": public})
	return c.write(a, []byte(pretty(raw, "")+"\n"), err)
}

// timetable is the options of a rotation.
type timetable struct {
	Every    time.Duration `placeholder:"DURATION" help:"How long a key signs; 720h unless given."`
	Cache    time.Duration `placeholder:"DURATION" help:"How long verifiers may keep the set; 1h unless given."`
	Lifetime time.Duration `placeholder:"DURATION" help:"How long tokens live at most; 24h unless given."`
	Alg      []string      `placeholder:"ALG" words:"algorithms" help:"An algorithm to have keys for. Repeats. Unless given, those that the folder has keys for, or ES256."`
}

// rotation opens the rotation in a folder.
func (t timetable) rotation(dir string, clock func() time.Time) (*keyset.Rotation, error) {
	store, err := keyset.OpenDirStore(dir)
	if err != nil {
		return nil, folderFailure(dir, err)
	}
	algs, err := t.algorithms(dir, store)
	if err != nil {
		return nil, err
	}
	r, err := keyset.NewRotation(store, keyset.Timetable{Every: t.Every, Cache: t.Cache, Lifetime: t.Lifetime, Clock: clock}, algs...)
	if err != nil {
		return nil, fail(exitUsage, "see jot jwks rotate --help", "%v%s", err, inCode(err))
	}
	return r, nil
}

func (t timetable) algorithms(dir string, store keyset.Store) ([]jwa.Algorithm, error) {
	var algs []jwa.Algorithm
	for _, name := range t.Alg {
		alg, err := oneOf(name, "an algorithm", slices.Concat(jwa.Signatures(), jwa.KeyManagement()))
		if err != nil {
			return nil, err
		}
		algs = append(algs, alg)
	}
	if len(algs) > 0 {
		return algs, nil
	}
	data, _, err := store.Load(context.Background())
	if err != nil {
		return nil, folderFailure(dir, err)
	}
	var state struct {
		Keys []struct {
			Key struct {
				Alg string `json:"alg"`
			} `json:"key"`
		} `json:"keys"`
	}
	_ = json.Unmarshal(data, &state) // what it is not, the rotation will say
	for _, k := range state.Keys {
		if alg, ok := jwa.Lookup(k.Key.Alg); ok {
			algs = appendAlgorithm(algs, alg)
		}
	}
	if len(algs) == 0 {
		algs = []jwa.Algorithm{jwa.ES256}
	}
	return algs, nil
}

func appendAlgorithm(algs []jwa.Algorithm, alg jwa.Algorithm) []jwa.Algorithm {
	if slices.ContainsFunc(algs, func(a jwa.Algorithm) bool { return a.Is(alg) }) {
		return algs
	}
	return append(algs, alg)
}

// folderFailure is the failure to use a folder of keys.
func folderFailure(dir string, err error) *failure {
	hint := ""
	switch {
	case errors.Is(err, keyset.ErrExposed):
		hint = "chmod 700 the folder and 600 the files in it, if nobody has read them; else make new keys"
	case errors.Is(err, keyset.ErrState):
		hint = "give a folder of its own"
	case errors.Is(err, keyset.ErrConflict):
		hint = "try again"
	case errors.Is(err, fs.ErrNotExist):
		hint = "check the name; the folder above it has to exist"
	}
	msg := err.Error()
	if codeOf(err) == "" {
		msg = reason(err)
	}
	return fail(exitFile, hint, "the keys in %s cannot be had: %s%s", label(dir), msg, inCode(err))
}

type jwksRotateCmd struct {
	Dir    string `required:"" placeholder:"FOLDER" help:"The folder, which is for this alone and is made where it does not exist."`
	Now    string `placeholder:"TIME" help:"The time to act by, as 2026-09-30T12:00:00Z, to try a timetable. What is done stays done."`
	Next   bool   `help:"Let the next keys take over as soon as all verifiers have them."`
	Revoke kid    `placeholder:"KID" help:"Delete this key at once: tokens that it signed are refused from then on."`
	JSON   bool   `name:"json" help:"Print one JSON object a line for each key."`

	timetable `embed:""`
}

// kid is a key's identifier as the value of an option. One in 64 thumbprints begins with a
// dash, and whoever revokes a key is in a hurry.
type kid string

// Decode implements [kong.MapperValue].
func (k *kid) Decode(ctx *kong.DecodeContext) error {
	s, _ := ctx.Scan.Pop().Value.(string) // nil where there is none
	if s == "" {
		return errors.New("a kid is missing")
	}
	*k = kid(s)
	return nil
}

func (*jwksRotateCmd) Help() string {
	return `Each call does what is due and then shows the keys. Call it as often as you like, from cron for example, and in as many processes: a key is published before it signs for as long as verifiers keep a set, and a retired one stays until the last token that it signed has ended.

jot jwks serve --dir FOLDER publishes the keys.`
}

// rotationKey is a key as jwks rotate shows it. It has no place for a private member.
type rotationKey struct {
	KeyID     string     `json:"kid"`
	Algorithm string     `json:"alg"`
	Phase     string     `json:"phase"`
	Created   *time.Time `json:"created,omitempty"`
	Published *time.Time `json:"published,omitempty"`
	Active    *time.Time `json:"active,omitempty"`
	Retired   *time.Time `json:"retired,omitempty"`
	Deleted   *time.Time `json:"deleted,omitempty"`
}

func (c *jwksRotateCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	clock := a.clock
	if c.Now != "" {
		clock = func() time.Time { return now }
	}
	r, err := c.rotation(c.Dir, clock)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if c.Revoke != "" {
		switch err := r.Revoke(ctx, string(c.Revoke)); {
		case errors.Is(err, jwk.ErrNoKey):
			return fail(exitNoKey, "jot jwks rotate without --revoke lists the keys", "there is no key %s in %s [key.none]", quoted(string(c.Revoke)), label(c.Dir))
		case err != nil:
			return folderFailure(c.Dir, err)
		}
	}
	if c.Next {
		if err := r.Rotate(ctx); err != nil {
			return folderFailure(c.Dir, err)
		}
	}
	keys, err := r.Inspect(ctx)
	if err != nil {
		return folderFailure(c.Dir, err)
	}
	for i, k := range keys {
		if c.JSON {
			a.line(rotationKey{k.KeyID, k.Algorithm.Name(), k.Phase, orNil(k.Created), orNil(k.Published), orNil(k.Active), orNil(k.Retired), orNil(k.Deleted)})
			continue
		}
		if i > 0 {
			a.data("\n")
		}
		a.data(rotationText(a.terminal, k, now))
	}
	return nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func rotationText(t *terminal, k keyset.RotationKey, now time.Time) string {
	var b strings.Builder
	row := func(name, value string) {
		fmt.Fprintf(&b, "%s %s\n", t.heading(fmt.Sprintf("%-12s", name)), visible(oneLine(value)))
	}
	row("kid", k.KeyID)
	row("alg", k.Algorithm.Name())
	row("phase", k.Phase)
	for _, p := range []struct {
		name string
		when time.Time
	}{{"created", k.Created}, {"published", k.Published}, {"active", k.Active}, {"retired", k.Retired}, {"deleted", k.Deleted}} {
		if !p.when.IsZero() {
			row(p.name, moment(p.when, now))
		}
	}
	return b.String()
}

type jwksServeCmd struct {
	Dir  string `required:"" placeholder:"FOLDER" help:"A folder of jot jwks rotate, or one with key files: JWK, sets, PEM, DER."`
	Addr string `default:"127.0.0.1:0" placeholder:"HOST:PORT" help:"Where to listen. The default is a free port of this machine."`

	timetable `embed:""`
}

func (*jwksServeCmd) Help() string {
	return `The URL is printed on stdout. Only public keys are served. The keys of a folder of jot jwks rotate are made, retired and deleted as is due, by the same options; key files are read again when they change. It is plain HTTP: put a server that speaks TLS in front of it. An interrupt (Ctrl-C) ends it.`
}

func (c *jwksServeCmd) Run(a *app) error {
	handler, err := c.handler(a)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return fail(exitFile, "give another --addr HOST:PORT", "cannot listen at %s: %s", quoted(c.Addr), reason(err))
	}
	mux := http.NewServeMux()
	mux.Handle("/jwks.json", handler)
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	a.data("http://" + listener.Addr().String() + "/jwks.json\n")
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err = <-ended:
		return fail(exitFile, "", "cannot serve: %s", reason(err))
	case <-ctx.Done():
	}
	// What is being answered is answered.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close()
	}
	<-ended
	return nil
}

// handler serves the keys of a rotation, where the folder has the state of one, or those
// in its files.
func (c *jwksServeCmd) handler(a *app) (http.Handler, error) {
	if _, err := os.Lstat(filepath.Join(c.Dir, "rotation.json")); err == nil {
		r, err := c.rotation(c.Dir, a.clock)
		if err != nil {
			return nil, err
		}
		if _, _, err := r.Set(context.Background()); err != nil {
			return nil, folderFailure(c.Dir, err)
		}
		return r.Handler(), nil
	}
	if c.Every != 0 || c.Cache != 0 || c.Lifetime != 0 || len(c.Alg) > 0 {
		return nil, fail(exitUsage, "jot jwks rotate --dir FOLDER begins one", "%s holds no rotation, which the options are for", label(c.Dir))
	}
	dir, err := keyset.OpenDir(c.Dir, keyset.DirOptions{Clock: a.clock})
	if err != nil {
		return nil, folderFailure(c.Dir, err)
	}
	for _, s := range dir.Skipped() {
		a.warn("%s%s is left out: %v%s", label(s.Name), kidIn(s.KeyID), s.Err, inCode(s.Err))
	}
	if set, err := dir.Set(context.Background()); err == nil && len(set) == 0 {
		a.warn("%s holds no public key yet", label(c.Dir))
	}
	return filesHandler(dir), nil
}

// filesMaxAge is how long others may keep the keys in files. Nobody says when they will
// change.
const filesMaxAge = "300"

func filesHandler(dir *keyset.Dir) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		set, err := dir.Set(r.Context())
		var body []byte
		if err == nil {
			body, err = set.MarshalJSON()
		}
		if err != nil {
			h.Set("Cache-Control", "no-store")
			http.Error(w, "the keys cannot be had now", http.StatusServiceUnavailable)
			return
		}
		sum := sha256.Sum256(body)
		h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
		h.Set("Cache-Control", "public, max-age="+filesMaxAge)
		h.Set("Content-Type", "application/jwk-set+json") // RFC 7517, Section 8.5.2
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
	})
}
