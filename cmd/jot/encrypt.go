package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/unverified"
)

const (
	rsa1_5Refused = "RSA1_5 is refused unless it is allowed"
	rsa1_5Hint    = "RSA-OAEP-256 takes its place; --allow-rsa1_5 uses it all the same"
	rsa1_5Warning = "RSA1_5: whoever can tell its failures apart decrypts with the key; RSA-OAEP-256 takes its place"
)

// encryptionFlags are what encrypt and decrypt have in common.
type encryptionFlags struct {
	Password    bool `short:"p" help:"Use a password instead of a key; --password-file and --password-fd say where it is."`
	AllowRSA1_5 bool `name:"allow-rsa1_5" help:"Use RSA1_5 if the key is for it. Its padding has been broken many times."`

	passwordFlags `embed:""`
}

// withPassword reports whether a password takes the place of the key.
func (c *encryptionFlags) withPassword(key, hint string) (bool, error) {
	// Beside a key, the flags say what opens it.
	password := c.Password || key == "" && c.given()
	if password == (key != "") {
		return false, fail(exitUsage, hint, "give one of --key and --password")
	}
	return password, nil
}

type encryptCmd struct {
	Content string `arg:"" optional:"" help:"@FILE or - with what is to be encrypted, any bytes. Without it, stdin is read."`
	Key     string `placeholder:"FILE" help:"The recipient's public key, or a shared one: a JWK, a set, PEM or DER, or - for stdin."`
	Enc     string `placeholder:"ENC" words:"encryptions" help:"The content encryption; the key's own unless given, or A256GCM."`
	Alg     string `placeholder:"ALG" words:"key-management" help:"The algorithm of a key that names none, such as RSA-OAEP-256 for PEM."`
	Kid     string `placeholder:"ID" help:"Which key of a set; for a key without an identifier, what to call it."`
	Typ     string `placeholder:"TYPE" help:"The typ of the header."`
	Cty     string `placeholder:"TYPE" help:"The cty of the header: what the content is. JWT says that it is a token."`

	encryptionFlags `embed:""`
	output          `embed:""`
}

func (*encryptCmd) Help() string {
	return `The token goes to stdout. Whoever has the recipient's public key can have made it: what must come from someone is signed first, and then encrypted with --cty JWT.

The algorithm is the key's: its alg, else ECDH-ES for a curve, else what --alg says. With --password the key is made of a password (PBES2).`
}

func (c *encryptCmd) Run(a *app) error {
	enc, err := contentEncryption(c.Enc)
	if err != nil {
		return err
	}
	alg, err := keyManagement(c.Alg)
	if err != nil {
		return err
	}
	password, err := c.withPassword(c.Key, "make a key with: jot key new ECDH-ES -o key.json")
	if err != nil {
		return err
	}
	content, err := c.content(a)
	if err != nil {
		return err
	}
	var key jwk.Encrypter
	if password {
		key, err = c.passwordKey(a, alg)
	} else {
		var f *keyFile
		if f, err = a.in.keys(c.Key, c.passwordFlags); err == nil {
			key, err = a.encrypter(f, c.Kid, openOptions{alg, enc, c.AllowRSA1_5})
		}
	}
	if err != nil {
		return err
	}
	h := jwe.Header{Type: c.Typ, ContentType: c.Cty}
	if key.KeyID() == "" {
		h.KeyID = c.Kid
	}
	token, err := jwe.Encrypt(context.Background(), key, enc, h, content)
	if err != nil {
		f := fail(exitRefused, "", "cannot encrypt: %v%s", err, inCode(err))
		f.code = exitCodeOf(err)
		return f
	}
	return c.write(a, []byte(token+"\n"), nil)
}

// content reads what is to be encrypted.
func (c *encryptCmd) content(a *app) ([]byte, error) {
	name, file := strings.CutPrefix(c.Content, "@")
	switch {
	case c.Content == "" && a.stdinTTY:
		return nil, fail(exitUsage, "give @FILE, or - and the content on stdin", "nothing to encrypt is given")
	case c.Content == "", c.Content == "-":
		name = "-"
	case !file:
		return nil, fail(exitUsage, "write @"+visible(name)+" for a file, or - for stdin", "the content is read from @FILE or -")
	}
	content, err := a.in.file(name, theContent)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(content[:min(len(content), maxInput)]))
	token := strings.HasPrefix(text, "eyJ") && (strings.Count(text, ".") == 2 || strings.Count(text, ".") == 4)
	switch {
	case len(content) == 0:
		return nil, fail(exitUnreadable, "pipe the content into jot, or give @FILE", "%s is empty", label(name))
	case token && strings.EqualFold(c.Cty, "JWT"):
		return []byte(text), nil // without the line end that a file has
	case token && c.Cty == "":
		a.warn("the content looks like a token; --cty JWT says so, and verifiers demand it (RFC 7519, Section 5.2)")
	}
	return content, nil
}

func (c *encryptCmd) passwordKey(a *app, alg jwa.Algorithm) (jwk.Encrypter, error) {
	if alg == (jwa.Algorithm{}) {
		alg = passwordAlgorithm
	}
	if alg.Family() != "PBES2" {
		return nil, fail(exitUsage, "leave out --alg, or give a key", "%s does not take a password", alg)
	}
	password, err := a.in.password(c.passwordFlags, "the token", true)
	if err != nil {
		return nil, err
	}
	key, err := jwk.NewPassword(alg, c.Kid, password)
	if err != nil {
		return nil, fail(exitNoKey, "", "the password: %v%s", err, inCode(err))
	}
	return key, nil
}

// openOptions are what a key for encryption is bound to where it leaves that open.
type openOptions struct {
	alg    jwa.Algorithm
	enc    jwa.Encryption
	rsa1_5 bool // is allowed
}

func (o openOptions) binding(j jwk.JWK) jwk.Binding {
	b := binding(j, o.alg)
	b.AllowRSA1_5DespitePaddingOracles = o.rsa1_5
	if o.enc != (jwa.Encryption{}) {
		b.Encryptions = []jwa.Encryption{o.enc}
	}
	return b
}

// refused is why a key was not bound.
func (o openOptions) refused(name string, j jwk.JWK, err error) error {
	own, named := jwa.LookupEncryption(j.Algorithm())
	alg := j.Algorithm()
	if alg == "" {
		alg = o.alg.Name()
	}
	f := keyFailure(exitNoKey, name, err)
	switch {
	case named && o.enc != (jwa.Encryption{}) && own != o.enc:
		return fail(exitNoKey, "leave out --enc, or give another key", "the key in %s is for %s, not for %s%s", label(name), own, o.enc, inCode(err))
	case alg == jwa.RSA1_5.Name() && !o.rsa1_5:
		return fail(exitNoKey, rsa1_5Hint, "%s%s", rsa1_5Refused, inCode(err))
	case alg == "" && j.KeyType() == "RSA":
		f.hint = "say with --alg which it is for, for example --alg RSA-OAEP-256"
	case alg == "" && j.KeyType() == "oct":
		f.hint = "say with --alg which it is for, for example --alg A256KW"
	case alg == jwa.Dir.Name() && o.enc == (jwa.Encryption{}):
		f.hint = "say with --enc which content encryption it is for"
	case !encrypts(j) && (alg != "" || j.Use() != ""):
		f.hint = "encryption has keys of its own: jot key new ECDH-ES"
	}
	return f
}

// bound looks at a key that was bound, as the user should.
func (a *app) bound(name string, alg jwa.Algorithm, o openOptions) error {
	if alg == jwa.RSA1_5 {
		a.warn(rsa1_5Warning)
	}
	return otherAlgorithm(name, alg, o.alg)
}

// encrypter makes the key that a token is encrypted with.
func (a *app) encrypter(f *keyFile, kid string, o openOptions) (jwk.Encrypter, error) {
	var fit []jwk.JWK
	for _, j := range f.keys {
		switch {
		case kid != "" && j.KeyID() != kid && (j.KeyID() != "" || f.set):
		case f.set && len(f.keys) > 1 && kid == "" && !encrypts(j): // one set serves both purposes
		default:
			fit = append(fit, j)
		}
	}
	switch {
	case len(fit) == 0 && kid != "":
		return nil, fail(exitNoKey, "jot key inspect lists the keys", "%s has no key %s [key.none]", label(f.name), quoted(kid))
	case len(fit) == 0:
		return nil, fail(exitNoKey, "--kid says which key to take all the same", "no key in %s says that it is for encryption [key.none]", label(f.name))
	case len(fit) > 1:
		return nil, fail(exitNoKey, "say with --kid which", "%s has %d keys for encryption [key.ambiguous]", label(f.name), len(fit))
	}
	j := fit[0]
	var (
		key jwk.Encrypter
		err error
	)
	if j.KeyType() == "oct" {
		key, err = j.SharedKey(o.binding(j))
	} else {
		key, err = j.EncryptionKey(o.binding(j))
	}
	if err != nil {
		return nil, o.refused(f.name, j, err)
	}
	switch {
	case j.KeyType() == "oct":
	case j.IsPrivate():
		a.warn("%s holds a private key; only its public half is used. jot key pub %s writes that", label(f.name), f.name)
	case f.cert:
		a.warn("only the public key of the certificate in %s is used; its dates, its issuer and its names are not checked", label(f.name))
	}
	return key, a.bound(f.name, key.Algorithm(), o)
}

// decrypters makes the keys that a token is decrypted with.
func (a *app) decrypters(f *keyFile, o openOptions) (jwk.DecryptionSet, error) {
	var (
		set   jwk.DecryptionSet
		first error
	)
	for _, j := range f.keys {
		if f.set && len(f.keys) > 1 && !encrypts(j) && (j.Algorithm() != "" || j.Use() != "") {
			continue
		}
		key, err := decrypter(f.name, j, o)
		if err == nil {
			err = a.bound(f.name, key.Algorithm(), o)
		}
		switch {
		case err == nil:
			set = append(set, key)
		case first == nil:
			first = err
		}
	}
	switch {
	case len(set) > 0:
		return set, nil
	case first == nil:
		first = fail(exitNoKey, "jot key inspect lists the keys", "no key in %s is for encryption [key.none]", label(f.name))
	}
	return nil, first
}

func decrypter(name string, j jwk.JWK, o openOptions) (jwk.Decrypter, error) {
	var (
		key jwk.Decrypter
		err error
	)
	switch {
	case j.KeyType() == "oct":
		key, err = j.SharedKey(o.binding(j))
	case !j.IsPrivate():
		return nil, fail(exitNoKey, "decrypting takes the private key, as jot key new makes it", "%s holds no private key", label(name))
	default:
		key, err = j.DecryptionKey(o.binding(j))
	}
	if err != nil {
		return nil, o.refused(name, j, err)
	}
	return key, nil
}

type decryptCmd struct {
	Token string `arg:"" optional:"" help:"TOKEN, @FILE or -: one encrypted token, compact or JSON. Without it, stdin is read."`
	Key   string `placeholder:"FILE" help:"The private key, or the shared one: a JWK, a set, PEM or DER, or - for stdin."`
	Alg   string `placeholder:"ALG" words:"key-management" help:"The only algorithm to accept, and that of a key that names none."`
	Enc   string `placeholder:"ENC" words:"encryptions" help:"The only content encryption to accept."`
	JSON  bool   `name:"json" help:"Print one JSON object with the header and, in base64url, the content."`

	encryptionFlags `embed:""`
	output          `embed:""`
}

func (*decryptCmd) Help() string {
	return `The content is written as it is, byte for byte. That it could be decrypted says nothing about who wrote it. A signed token inside is checked by jot verify --decrypt-key, in one step.

With --json one object goes to stdout: decrypted, header, plaintext (base64url, only when decrypted), and code and spec of what refused it.`
}

// opened is what decrypt --json prints.
type opened struct {
	Decrypted bool            `json:"decrypted"`
	Header    json.RawMessage `json:"header,omitempty"`
	Plaintext *string         `json:"plaintext,omitempty"`
	Code      string          `json:"code,omitempty"`
	Spec      string          `json:"spec,omitempty"`
}

func (c *decryptCmd) Run(a *app) error {
	enc, err := contentEncryption(c.Enc)
	if err != nil {
		return err
	}
	alg, err := keyManagement(c.Alg)
	if err != nil {
		return err
	}
	password, err := c.withPassword(c.Key, "jot inspect shows how the token is encrypted, and to which key")
	if err != nil {
		return err
	}
	text, err := a.in.token(c.Token, theSealed)
	if err != nil {
		return err
	}
	var keys jwk.DecryptionSet
	if password {
		var p []byte
		if p, err = a.in.password(c.passwordFlags, "the token", false); err == nil {
			keys = passwordKeys(p)
		}
	} else {
		var f *keyFile
		if f, err = a.in.keys(c.Key, c.passwordFlags); err == nil {
			keys, err = a.decrypters(f, openOptions{alg, enc, c.AllowRSA1_5})
		}
	}
	if err != nil {
		return err
	}
	o := jwe.Options{MaxSize: maxSealed}
	if alg != (jwa.Algorithm{}) {
		o.Algorithms = []jwa.Algorithm{alg}
	}
	if enc != (jwa.Encryption{}) {
		o.Encryptions = []jwa.Encryption{enc}
	}
	// White space is trimmed here, at the edge; the library trims nothing.
	raw := strings.TrimSpace(text)
	m, err := decryptAny(keys, raw, o)
	if err != nil {
		if c.JSON {
			a.line(opened{Header: headerOf(raw), Code: codeOf(err), Spec: specOf(err)})
		}
		return decryptFailure(keys, raw, err)
	}
	if c.JSON {
		plaintext := base64.RawURLEncoding.EncodeToString(m.Plaintext)
		s, err := asLine(opened{Decrypted: true, Header: headerOf(raw), Plaintext: &plaintext})
		return c.write(a, []byte(s), err)
	}
	if strings.EqualFold(m.Header.ContentType, "JWT") {
		a.warn("what was inside is a token that nobody has verified; jot verify --decrypt-key does both")
	}
	if a.stdoutTTY && (c.Out == "" || c.Out == "-") {
		if !utf8.Valid(m.Plaintext) {
			return fail(exitUsage, "give -o FILE or pipe it on", "the content is binary and not written to a terminal")
		}
		a.data(visible(string(m.Plaintext)))
		return nil
	}
	return c.write(a, m.Plaintext, nil)
}

// decryptAny decrypts a token of either form.
func decryptAny(keys jwk.DecryptionSource, raw string, o jwe.Options) (*jwe.Message, error) {
	if strings.HasPrefix(raw, "{") {
		return jwe.DecryptJSON(context.Background(), keys, []byte(raw), o)
	}
	return jwe.Decrypt(context.Background(), keys, raw, o)
}

func headerOf(raw string) json.RawMessage {
	if t, err := unverified.ParseMax(raw, maxSealed); err == nil {
		return t.Header
	}
	return nil
}

// exitCodeOf is the exit code of a refusal of a token.
func exitCodeOf(err error) int {
	code := codeOf(err)
	switch family(code) {
	case "token", "json":
		return exitUnreadable
	case "key":
		return exitNoKey
	}
	if code == "alg.mismatch" {
		return exitNoKey
	}
	return exitRefused
}

// decryptFailure is the error line of a token that is not decrypted.
func decryptFailure(keys jwk.DecryptionSet, raw string, err error) error {
	f := fail(exitCodeOf(err), "", "the token is refused: %v%s", err, inCode(err))
	seen, parseErr := unverified.ParseMax(raw, maxSealed)
	if parseErr != nil {
		seen = &unverified.Token{}
	}
	var algs, kids []string
	for _, k := range keys {
		algs = appendNew(algs, k.Algorithm().Name())
		if kid := k.KeyID(); kid != "" {
			kids = appendNew(kids, kid)
		}
	}
	alg, kid := seen.HeaderString("alg"), seen.HeaderString("kid")
	switch code := codeOf(err); {
	case family(code) == "token" && code != "token.too_large":
		f.hint = sealedHint(raw)
	case code == "dec.failed":
		f.hint = "this is not the key, or the token was changed; which of them is not told"
	case f.code != exitNoKey && code != "alg.not_allowed":
		f.hint = "jot explain " + code + " says more"
	case alg == "":
	case !strings.Contains(" "+strings.Join(algs, " ")+" ", " "+alg+" "):
		f.hint = fmt.Sprintf("the token says %s; the key is for %s", quoted(alg), strings.Join(algs, " "))
	case kid != "" && len(kids) > 0:
		f.hint = fmt.Sprintf("the token names the key %s; you gave %s", quoted(kid), quoted(strings.Join(kids, " ")))
	}
	return f
}

// sealedHint says what a text is that is not one encrypted token.
func sealedHint(raw string) string {
	switch {
	case strings.HasPrefix(raw, "eyJ") && strings.Count(raw, ".") == 2:
		return "three parts are a signed token: jot verify checks it"
	case strings.HasPrefix(raw, "{"):
		return "look into it with jot inspect"
	case strings.ContainsAny(raw, " \t\r\n"):
		return "this is a text, not one token; jot inspect finds the tokens in it"
	case strings.Count(raw, ".") < 4:
		return "an encrypted token has five parts; look whether it was cut off when it was copied"
	}
	return "a token has five parts of A-Z a-z 0-9 - _ with a dot between them"
}
