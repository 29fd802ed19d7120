package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

const (
	demoClient = "demo"
	demoIssuer = "https://issuer.example"
)

// demo is what the first start of jot serve shows.
type demo struct {
	Issuer, Secret, KeyFile string

	memory bool // with which only the server itself can make clients
}

// make saves the client and the issuer. One that is there already is from a start that ended before it showed them.
func (d *demo) make(ctx context.Context, s *service, dir string) error {
	key, err := d.key(dir)
	if err != nil {
		return err
	}
	set, err := jwk.Set{key.Public()}.MarshalJSON()
	if err != nil {
		return err
	}
	i := server.TrustedIssuer{Issuer: demoIssuer, JWKS: set, Subjects: []string{"alice", "bob"}, Scope: "read write", Clients: []string{demoClient}}
	switch old, err := s.Issuer(ctx, demoIssuer); {
	case err == nil:
		i.Version = old.Version
	case !errors.Is(err, serverstore.ErrNotFound):
		return storeFailure(err)
	}
	if _, err := s.SaveIssuer(ctx, i); err != nil {
		return storeFailure(err)
	}
	c := server.Client{ID: demoClient, ResourceServer: demoResource, Impersonation: true}
	c.Metadata.Name = "The demonstration of jot serve"
	c.Metadata.GrantTypes = []string{"client_credentials", grant.GrantType, exchange.GrantType}
	c.Metadata.Scope = "read write"
	switch old, err := s.Client(ctx, demoClient); {
	case err == nil:
		c.Version, c.NewSecret = old.Version, true
	case !errors.Is(err, serverstore.ErrNotFound):
		return storeFailure(err)
	}
	saved, err := s.SaveClient(ctx, c)
	if err != nil {
		return storeFailure(err)
	}
	d.Secret = saved.Secret
	return nil
}

// key is the key of the trusted issuer, in a file.
func (d *demo) key(dir string) (*jwk.PrivateKey, error) {
	if err := privateFolder(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "demo-issuer.jwk")
	switch data, err := os.ReadFile(path); {
	case err == nil:
		j, err := jwk.Parse(data)
		if err != nil {
			return nil, keyFailure(exitUnreadable, path, err)
		}
		key, err := j.PrivateKey(jwk.Binding{})
		if err != nil {
			return nil, keyFailure(exitUnreadable, path, err)
		}
		return key, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fileFailure(path, err)
	}
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		return nil, err
	}
	j, err := key.PrivateJWK()
	if err != nil {
		return nil, err
	}
	raw, err := j.MarshalPrivateJSON()
	if err != nil {
		return nil, err
	}
	if err := (output{Out: path}).file([]byte(pretty(raw, "") + "\n")); err != nil {
		return nil, fail(exitFile, "", "cannot write %s: %s", label(path), reason(err))
	}
	return key, nil
}

// shown remembers in the store that the secret has been shown.
func (d *demo) shown(ctx context.Context, s *service) error {
	_, err := s.store.PutDocument(ctx, serverstore.Document{Kind: demoMark.Kind, ID: demoMark.ID, Body: []byte("{}")})
	if err != nil && !errors.Is(err, serverstore.ErrConflict) {
		return storeFailure(err)
	}
	return nil
}

// text is what is shown: commands that work as they stand.
func (d *demo) text() string {
	text := demoText
	if !d.memory {
		text += demoNext
	}
	return strings.NewReplacer(
		"{JOT}", self(),
		"{URL}", d.Issuer,
		"{SECRET}", d.Secret,
		"{KEYFILE}", shellWord(d.KeyFile),
		"{CLIENT}", demoClient,
		"{TRUSTED}", demoIssuer,
		"{API}", demoResource,
		"{GRANT}", grant.GrantType,
		"{EXCHANGE}", exchange.GrantType,
		"{TYPE}", string(exchange.AccessToken),
	).Replace(text)
}

const demoText = `# {URL} issues access tokens now. To try it there are a client, {CLIENT}, whose secret is
# shown this once, and an issuer that it trusts, {TRUSTED}, whose key is in
# {KEYFILE}. In another terminal, in this folder:

SECRET={SECRET}

# An access token for the client itself.
curl -sS -w '\n' -u "{CLIENT}:$SECRET" -d grant_type=client_credentials -d scope=read {URL}/token

# One for alice: the issuer signs a JWT that grants it, the client presents it.
TOKEN=$({JOT} sign --key {KEYFILE} --iss {TRUSTED} --sub alice --aud {URL} --jti "$(date +%s)" --exp 5m | tr -d '\n' |
  curl -sS -u "{CLIENT}:$SECRET" -d grant_type={GRANT} --data-urlencode assertion@- {URL}/token |
  sed 's/.*"access_token":"\([^"]*\)".*/\1/'); echo "$TOKEN"

# Verify it as an API does, with the keys that the server publishes.
echo "$TOKEN" | {JOT} verify - --issuer {URL} --aud {API} --profile access-token

# Exchange it for one that can do less.
curl -sS -w '\n' -u "{CLIENT}:$SECRET" -d grant_type={EXCHANGE} -d subject_token_type={TYPE} -d "subject_token=$TOKEN" -d scope=read {URL}/token

# Ask about it, revoke it, and ask again.
curl -sS -w '\n' -u "{CLIENT}:$SECRET" -d "token=$TOKEN" {URL}/introspect
curl -sS -u "{CLIENT}:$SECRET" -d "token=$TOKEN" {URL}/revoke
curl -sS -w '\n' -u "{CLIENT}:$SECRET" -d "token=$TOKEN" {URL}/introspect
`

const demoNext = `
# To go on, with the --data and --store of the server, if it has any:
#   {JOT} client add shop --scope read    a client of your own
#   {JOT} client secret {CLIENT}             another secret, should this one be lost
#   {JOT} client --help                   what else there is, as with issuer, grant and key
# For a server that others use: docs/server.md at https://github.com/jotsuite/jot. Ctrl-C ends this one.
`

// command is how this program was started, as far as it can be told.
func self() string {
	path, err := os.Executable()
	if err != nil {
		return "jot"
	}
	if strings.Contains(filepath.ToSlash(path), "/go-build") {
		return "go run ./cmd/jot"
	}
	if found, err := exec.LookPath("jot"); err == nil && same(found, path) {
		return "jot"
	}
	return shellWord(path)
}

func same(a, b string) bool {
	x, _ := os.Stat(a)
	y, _ := os.Stat(b)
	return os.SameFile(x, y) // nothing is the same as what is not there
}

// shellWord is s as one word of a shell.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
