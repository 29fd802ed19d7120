package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/memstore"
	"github.com/jotsuite/jot/server/sqlstore"
	serverstore "github.com/jotsuite/jot/server/store"
)

// serviceFlags say where the authorization server keeps what it knows, and what it is.
type serviceFlags struct {
	Config string `placeholder:"FILE" help:"A YAML file with the options of the server; docs/jot.yaml at https://github.com/jotsuite/jot has all of them."`
	Data   string `placeholder:"FOLDER" help:"Where its secrets are, and its database unless --store says otherwise. It is made where it does not exist. Unless given, jot-data."`
	Store  string `placeholder:"STORE" help:"Where all else is: sqlite:PATH, postgres://… or memory, which ends with the program. Unless given, jot.db in the folder. A password for PostgreSQL belongs into PGPASSWORD or the file of PGPASSFILE."`

	over func(serverstore.Store) serverstore.Store // of tests, with stores that fail
}

// settings are what options and file come to.
type settings struct {
	data, store string
	fast        bool
	options     server.Options
	times       keyset.Timetable
	file        *config
	over        func(serverstore.Store) serverstore.Store
}

// settle reads the file and puts the options of the command line before its own.
func (f serviceFlags) settle() (*settings, error) {
	c := &config{}
	if f.Config != "" {
		var err error
		if c, err = readConfig(f.Config); err != nil {
			return nil, err
		}
	}
	s := &settings{over: f.over, data: cmp.Or(f.Data, c.Data.text, "jot-data"), store: cmp.Or(f.Store, c.Store.text), file: c}
	switch c.Synchronous.text {
	case "", "full":
	case "normal":
		s.fast = true
	default:
		return nil, configFailure(f.Config, inLine(c.Synchronous.line, "synchronous is full or normal, not %s", quoted(c.Synchronous.text)))
	}
	var err error
	if s.options, s.times, err = c.options(); err != nil {
		return nil, configFailure(f.Config, err)
	}
	s.options.VerifySecret = newChosenSecrets().verify
	return s, nil
}

// service is an authorization server with what it stands on.
type service struct {
	*server.Server
	store   serverstore.Store
	keys    *keyset.Rotation
	secrets [][]byte
	trail   *trail // nil without an audit trail
}

// demoResource is the API that tokens are for where no configuration names one.
const demoResource = "https://api.example"

// defaults are the options of a server that nobody has configured.
func defaults() server.Options {
	return server.Options{Resources: []server.Resource{{Identifier: demoResource, Name: "api", Scopes: oauth.Scopes{"read", "write"}}}}
}

// open opens the store and makes the server. Failed is told why the keys could not be looked after.
func (f *settings) open(ctx context.Context, failed func(error)) (*service, error) {
	store, err := f.openStore(ctx)
	if err != nil {
		return nil, err
	}
	s, err := f.service(ctx, store, failed)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	return s, nil
}

// service makes the server on a store that is open.
func (f *settings) service(ctx context.Context, store serverstore.Store, failed func(error)) (_ *service, err error) {
	o, t := f.options, f.times
	o.Store = store
	f.administered(&o)
	if o.Secrets == nil {
		if o.Secrets, err = f.secrets(ctx, o.Store); err != nil {
			return nil, err
		}
	}
	if err := agree(ctx, o.Store, o.Secrets); err != nil {
		return nil, err
	}
	if o.Algorithm == (jwa.Algorithm{}) {
		o.Algorithm = jwa.ES256
	}
	t.Failed, t.Clock = failed, o.Clock
	keys, err := keyset.NewRotation(serverstore.NewKeys(o.Store, "signing"), t, o.Algorithm)
	if err != nil {
		return nil, timesFailure(err)
	}
	// Before New does, which says of what is wrong that it is an option.
	if _, err := keys.Signer(ctx, o.Algorithm); err != nil {
		return nil, storeFailure(err)
	}
	o.Keys = keys
	s, err := server.New(ctx, o)
	if err != nil {
		return nil, serverFailure(err)
	}
	return &service{Server: s, store: o.Store, keys: keys, secrets: o.Secrets}, nil
}

// serverFailure is that of options.
func serverFailure(err error) *failure {
	hint := ""
	if errors.Is(err, oauth.ErrMetadata) {
		hint = "the issuer is an https URL, behind whatever speaks TLS for it; http is for this machine alone"
	}
	return fail(exitUsage, hint, "%v%s", err, inCode(err))
}

// timesFailure is that of a timetable of keys.
func timesFailure(err error) *failure {
	return fail(exitUsage, "keys, every is longer than cache by some minutes, and cache is a second or more", "the keys cannot be changed so often: %v%s", err, inCode(err))
}

func storeFailure(err error) *failure {
	hint := ""
	switch {
	case errors.Is(err, sqlstore.ErrNewer):
		hint = "use the version of jot that has changed it, or restore a backup"
	case errors.As(err, new(*pgconn.ConnectError)):
		hint = "look whether PostgreSQL answers there, and at the user and the database that --store or store names"
	}
	// A driver says in lines what it has tried.
	return fail(exitFile, hint, "the store cannot be used: %s%s", strings.Join(strings.Fields(err.Error()), " "), inCode(err))
}

// isMemory reports whether nothing is kept.
func (f *settings) isMemory() bool { return f.store == "memory" }

// kind is what the store is: memory, postgres, or sqlite with the name of its file.
func (f *settings) kind() (kind, path string, err error) {
	path, isFile := f.sqlite()
	switch scheme, _, _ := strings.Cut(f.store, ":"); {
	case f.isMemory():
		return "memory", "", nil
	case scheme == "postgres", scheme == "postgresql":
		return "postgres", "", nil
	case isFile:
		return "sqlite", path, nil
	}
	return "", "", fail(exitUsage, "write sqlite:PATH, postgres://… or memory", "%s is no store", quoted(withoutPassword(f.store)))
}

// sqlite returns the name of the database, if it is a file of SQLite.
func (f *settings) sqlite() (path string, ok bool) {
	if f.store == "" {
		return filepath.Join(f.data, "jot.db"), true
	}
	path, ok = strings.CutPrefix(f.store, "sqlite:")
	return path, ok && path != "" && !strings.ContainsAny(path, "?#") // which have a meaning to the driver
}

func (f *settings) openStore(ctx context.Context) (serverstore.Store, error) {
	s, err := f.openPlace(ctx)
	if err == nil && f.over != nil {
		s = f.over(s)
	}
	return s, err
}

func (f *settings) openPlace(ctx context.Context) (serverstore.Store, error) {
	kind, path, err := f.kind()
	switch {
	case err != nil:
		return nil, err
	case kind == "memory":
		return memstore.New(), nil
	case kind == "postgres":
		return asStore(sqlstore.PostgreSQL(ctx, stdlib.GetDefaultDriver(), f.store, sqlstore.Options{}))
	case f.store == "":
		if err := privateFolder(f.data); err != nil {
			return nil, err
		}
	}
	// The database has private keys in it, and its other files get the mode of this one.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(exitFile, "check the name; the folder has to exist", "cannot open %s: %s", label(path), reason(err))
	}
	st, err := file.Stat()
	_ = file.Close()
	if err == nil {
		err = private(path, st)
	}
	if err != nil {
		return nil, err
	}
	return asStore(sqlstore.SQLite(ctx, &sqlite.Driver{}, path, sqlstore.Options{Fast: f.fast}))
}

// asStore is a store, or the failure to open it.
func asStore(s *sqlstore.Store, err error) (serverstore.Store, error) {
	if err != nil {
		return nil, storeFailure(err)
	}
	return s, nil
}

// withoutPassword is a URL as it may be shown.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	return u.Redacted()
}

// privateFolder makes a folder for this user alone, or looks that it is one.
func privateFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fail(exitFile, "check the name; the folder above it has to exist", "cannot make %s: %s", label(dir), reason(err))
	}
	st, err := os.Stat(dir)
	if err != nil {
		return fileFailure(dir, err)
	}
	return private(dir, st)
}

// private refuses what others have access to. Modes mean nothing on Windows.
func private(name string, st fs.FileInfo) error {
	if runtime.GOOS == "windows" || st.Mode().Perm()&0o077 == 0 {
		return nil
	}
	mode := "600"
	if st.IsDir() {
		mode = "700"
	}
	return fail(exitFile, "chmod "+mode+" it, if nobody has read it; else begin with new secrets", "others have access to %s [keys.exposed]", label(name))
}

// secrets are those in the folder, one in each line, of which the first is for what is new. They are made where
// nothing is kept under others.
func (f *settings) secrets(ctx context.Context, s serverstore.Store) ([][]byte, error) {
	if f.isMemory() {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // which never fails
		return [][]byte{secret}, nil
	}
	if err := privateFolder(f.data); err != nil {
		return nil, err
	}
	path := filepath.Join(f.data, "secrets")
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		changes, err := s.LastChange(ctx)
		if err != nil {
			return nil, storeFailure(err)
		}
		if changes > 0 {
			return nil, fail(exitFile, "bring back the file, or copy it from another process of the same issuer", "there is no file %s, and what is in the store was made with its secrets", label(path))
		}
		secret := make([]byte, 32)
		_, _ = rand.Read(secret)
		text := base64.RawURLEncoding.EncodeToString(secret) + "\n"
		if err := (output{Out: path}).file([]byte(text)); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fail(exitFile, "", "cannot write %s: %s", label(path), reason(err))
		}
	}
	return readSecrets(path)
}

// agree refuses secrets other than those that what is in the store was made with: each client would be told that its own is wrong. The
// store has a MAC by the secret that is used for what is new.
func agree(ctx context.Context, s serverstore.Store, secrets [][]byte) error {
	mark := func(secret []byte) []byte {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte("jot serve: the store of this secret"))
		return h.Sum(nil)
	}
	for {
		d, err := s.Document(ctx, demoMark.Kind, "secrets")
		switch {
		case errors.Is(err, serverstore.ErrNotFound):
			d = serverstore.Document{Kind: demoMark.Kind, ID: "secrets"}
		case err != nil:
			return storeFailure(err)
		case hmac.Equal(d.Body, mark(secrets[0])):
			return nil
		case !slices.ContainsFunc(secrets, func(secret []byte) bool { return hmac.Equal(d.Body, mark(secret)) }):
			return fail(exitFile, "bring back the secret that was first among them, or name another store", "what is in the store was made with other secrets")
		}
		d.Body = mark(secrets[0])
		if _, err := s.PutDocument(ctx, d); err == nil {
			return nil
		} else if !errors.Is(err, serverstore.ErrConflict) { // with another process that does the same
			return storeFailure(err)
		}
	}
}

func readSecrets(path string) (list [][]byte, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fileFailure(path, err)
	}
	if err := private(path, st); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fileFailure(path, err)
	}
	return parseSecrets(text, label(path))
}

// parseSecrets reads secrets in base64url, one a line.
func parseSecrets(text []byte, where string) (list [][]byte, err error) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		secret, err := base64.RawURLEncoding.DecodeString(string(line))
		if err != nil || len(secret) < 32 {
			return nil, fail(exitUnreadable, "each line has 32 random bytes or more in base64url: head -c 32 /dev/urandom | basenc --base64url | tr -d =", "%s has a line that is no secret", where)
		}
		list = append(list, secret)
	}
	if len(list) == 0 {
		return nil, fail(exitUnreadable, "delete it, if nothing was ever kept with it", "%s has no secret in it", where)
	}
	return list, nil
}

// run looks after keys and store until ctx is done, which wait waits for.
func (s *service) run(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	all.Go(func() { _ = s.keys.Run(ctx) })
	all.Go(func() { _ = s.Run(ctx) })
	return all.Wait
}

// demo makes the demonstration's client and trusted issuer, if none were made in this store before.
func (f *settings) demo(ctx context.Context, s *service, issuer string) (*demo, error) {
	_, err := s.store.Document(ctx, demoMark.Kind, demoMark.ID)
	if !errors.Is(err, serverstore.ErrNotFound) {
		if err != nil {
			return nil, storeFailure(err)
		}
		return nil, nil // nothing is to be shown
	}
	d := &demo{memory: f.isMemory(), Issuer: issuer, KeyFile: filepath.ToSlash(filepath.Join(f.data, "demo-issuer.jwk"))}
	if err := d.make(ctx, s, f.data); err != nil {
		return nil, err
	}
	return d, nil
}

// demoMark remembers that the demonstration was shown.
var demoMark = serverstore.Document{Kind: "serve", ID: "demo"}

const closing = 10 * time.Second
