package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	_ "crypto/sha256" // the thumbprints' hashes
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

type keyCmd struct {
	New        keyNewCmd        `cmd:"" help:"Make a private key, or a secret, as a JWK."`
	Pub        keyPubCmd        `cmd:"" help:"Print the public half of a key or a set."`
	Thumbprint keyThumbprintCmd `cmd:"" help:"Print the thumbprint of a key (RFC 7638)."`
	Convert    keyConvertCmd    `cmd:"" help:"Write a key in another format."`
	Inspect    keyInspectCmd    `cmd:"" help:"Show what a key is and whether it can be used, without its private members."`
	List       keyListCmd       `cmd:"" help:"List the keys that jot serve signs with."`
	Rotate     keyRotateCmd     `cmd:"" help:"Have the next key of jot serve sign as soon as all who verify can have it."`
	Revoke     keyRevokeCmd     `cmd:"" help:"Delete a key of jot serve at once, because others may have it."`
}

// output is where a key goes.
type output struct {
	Out   string `short:"o" name:"out" placeholder:"FILE" help:"Write to FILE, readable by you alone, instead of stdout."`
	Force bool   `help:"Overwrite FILE where it exists."`
}

// write writes data, where err is nil, to FILE or to stdout. A key file is never
// readable by others and never overwritten without being asked to.
func (o output) write(a *app, data []byte, err error) error {
	if err != nil {
		return err
	}
	if o.Out == "" || o.Out == "-" {
		a.data(string(data))
		return nil
	}
	err = o.file(data)
	if errors.Is(err, fs.ErrExist) {
		return fail(exitFile, "--force overwrites it", "%s exists", label(o.Out))
	}
	if err != nil {
		return fail(exitFile, "", "cannot write %s: %s", label(o.Out), reason(err))
	}
	return nil
}

func (o output) file(data []byte) error {
	if !o.Force {
		f, err := os.OpenFile(o.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return store(f, data)
	}
	// Through a new file: the mode of one that exists may be open to others, and a
	// failure half-way must not cost the old key.
	f, err := os.CreateTemp(filepath.Dir(o.Out), ".jot-key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = store(f, data)
	if err == nil {
		err = os.Rename(f.Name(), o.Out)
	}
	return err
}

func store(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Close())
}

// protection is whether a key is written encrypted.
type protection struct {
	Encrypt       bool `help:"Encrypt the key with a password, as a JWE (RFC 7517, Section 7)."`
	passwordFlags `embed:""`
}

type keyNewCmd struct {
	Alg         string `arg:"" words:"algorithms" help:"The algorithm: ES256, EdDSA, PS256, HS256, ECDH-ES, RSA-OAEP-256, A256KW, dir and so on."`
	Enc         string `placeholder:"ENC" words:"encryptions" help:"The content encryption that a key for dir is for."`
	Crv         string `placeholder:"CURVE" words:"curves" help:"The curve of a key for ECDH-ES: P-256 (unless given), P-384, P-521 or X25519."`
	Kid         string `placeholder:"ID" help:"The key's identifier, instead of its thumbprint."`
	AllowRSA1_5 bool   `name:"allow-rsa1_5" help:"Make a key for RSA1_5 all the same. RSA-OAEP-256 takes its place."`
	protection  `embed:""`
	output      `embed:""`
}

func (*keyNewCmd) Help() string {
	return "With --encrypt the key is written as a JWE that a password opens; it is asked for on the terminal unless --password-file or --password-fd says where it is. All commands read such keys, and encrypted PKCS #8 in PEM and DER."
}

func (c *keyNewCmd) Run(a *app) error {
	alg, err := oneOf(c.Alg, "an algorithm", slices.Concat(jwa.Signatures(), jwa.KeyManagement()))
	if err != nil {
		return err
	}
	enc, err := c.check(alg)
	if err != nil {
		return err
	}
	var password []byte
	if c.Encrypt {
		if password, err = a.in.password(c.passwordFlags, "the key", true); err != nil {
			return err
		}
	}
	j, err := newKey(alg, enc, c.Crv)
	if err != nil {
		return fail(exitNoKey, "", "cannot make a key for %s: %v%s", alg, err, inCode(err))
	}
	if c.Kid != "" {
		j = j.WithKeyID(c.Kid)
	}
	raw, err := j.MarshalPrivateJSON()
	switch {
	case err != nil:
	case c.Encrypt:
		raw, err = lock(raw, password)
	default:
		raw = []byte(pretty(raw, "") + "\n")
	}
	return c.write(a, raw, err)
}

// check refuses options that the algorithm has no use for, or lacks.
func (c *keyNewCmd) check(alg jwa.Algorithm) (jwa.Encryption, error) {
	enc, err := contentEncryption(c.Enc)
	switch {
	case err != nil:
		return enc, err
	case alg == jwa.Dir && c.Enc == "":
		return enc, fail(exitUsage, "give --enc "+jwa.A256GCM.Name()+", or another: "+strings.Join(tableNames(jwa.Encryptions()), " "), "a key for dir is for one content encryption")
	case alg != jwa.Dir && c.Enc != "":
		return enc, fail(exitUsage, "give it when encrypting: jot encrypt --enc "+enc.Name(), "a key for %s is not for one content encryption", alg)
	case c.Crv != "" && alg.Family() != "ECDH-ES":
		return enc, fail(exitUsage, "leave out --crv", "a key for %s has no choice of a curve", alg)
	case c.Crv != "" && !slices.Contains(curves, c.Crv):
		return enc, fail(exitUsage, "one of "+strings.Join(curves, " "), "%s is not a curve for %s", quoted(c.Crv), alg)
	case alg == jwa.RSA1_5 && !c.AllowRSA1_5:
		return enc, fail(exitNoKey, rsa1_5Hint, "%s [alg.mismatch]", rsa1_5Refused)
	case c.passwordFlags.given() && !c.Encrypt:
		return enc, fail(exitUsage, "add --encrypt", "the key is not encrypted, and a password is given")
	}
	return enc, nil
}

// curves are those of ECDH-ES.
var curves = []string{"P-256", "P-384", "P-521", "X25519"}

func newKey(alg jwa.Algorithm, enc jwa.Encryption, crv string) (jwk.JWK, error) {
	var (
		key interface{ PrivateJWK() (jwk.JWK, error) }
		err error
	)
	switch {
	case alg.Use() == "sig" && alg.Symmetric():
		key, err = jwk.GenerateSecret(alg)
	case alg.Use() == "sig":
		key, err = jwk.Generate(alg)
	case alg == jwa.RSA1_5:
		// The library makes none: one for RSA-OAEP is the same, but for its alg.
		j, err := newKey(jwa.RSA_OAEP, enc, crv)
		if err != nil {
			return j, err
		}
		return j.With("alg", alg.Name())
	case alg == jwa.Dir:
		key, err = jwk.GenerateSharedKey(alg, enc)
	case alg.Family() == "PBES2":
		// 256 bits, as text; crypto/rand's text has 128.
		key, err = jwk.NewPassword(alg, rand.Text(), []byte(rand.Text()+rand.Text()))
	case alg.Symmetric():
		key, err = jwk.GenerateSharedKey(alg)
	default:
		key, err = jwk.GenerateDecryptionKey(alg, crv)
	}
	if err != nil {
		return jwk.JWK{}, err
	}
	return key.PrivateJWK()
}

type keyPubCmd struct {
	File string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`

	passwordFlags `embed:""`
	output        `embed:""`
}

func (c *keyPubCmd) Run(a *app) error {
	f, err := a.in.keys(c.File, c.passwordFlags)
	if err != nil {
		return err
	}
	var public []jwk.JWK
	for _, j := range f.keys {
		if j.KeyType() == "oct" {
			return fail(exitNoKey, "who can verify with a secret can also sign with it", "%s holds a secret, which has no public half", label(c.File))
		}
		public = append(public, j.Public())
	}
	raw, err := json.Marshal(public[0])
	if f.set {
		raw, err = json.Marshal(map[string][]jwk.JWK{"keys": public})
	}
	return c.write(a, []byte(pretty(raw, "")+"\n"), err)
}

type keyThumbprintCmd struct {
	File string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`
	URI  bool   `name:"uri" help:"Print it as a URI (RFC 9278)."`
	Hash string `enum:"sha256,sha384,sha512" default:"sha256" help:"The hash: sha256, sha384 or sha512."`

	passwordFlags `embed:""`
}

func (c *keyThumbprintCmd) Run(a *app) error {
	f, err := a.in.keys(c.File, c.passwordFlags)
	if err != nil {
		return err
	}
	hash := map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}[c.Hash]
	for _, j := range f.keys {
		of := j.Thumbprint
		if c.URI {
			of = j.ThumbprintURI
		}
		s, err := of(hash)
		if err != nil {
			return keyFailure(exitNoKey, c.File, err)
		}
		a.data(s + "\n")
	}
	return nil
}

type keyConvertCmd struct {
	File string `arg:"" name:"file" help:"FILE or - with a JWK, PEM or DER."`
	To   string `required:"" enum:"jwk,pem,der" placeholder:"FORMAT" help:"The format to write: jwk, pem or der."`

	protection `embed:""`
	output     `embed:""`
}

func (*keyConvertCmd) Help() string {
	return "What goes in comes out: of a private key the private key is written (PKCS #8 in PEM and DER), of a public key or a certificate the public key (SubjectPublicKeyInfo). For the public half of a private key, use jot key pub first. PEM and DER have no place for kid, use and alg, and none for a secret. An encrypted key is decrypted; with --encrypt a key is written as a JWE that a password opens."
}

func (c *keyConvertCmd) Run(a *app) error {
	f, err := a.in.keys(c.File, c.passwordFlags)
	if err != nil {
		return err
	}
	if f.set && len(f.keys) > 1 {
		return fail(exitUsage, "take one key out of the set", "%s holds %d keys; convert takes one", label(c.File), len(f.keys))
	}
	j := f.keys[0]
	if c.To == "der" && c.Out == "" && a.stdoutTTY {
		return fail(exitUsage, "give -o FILE or pipe it on", "DER is binary and not written to a terminal")
	}
	private := j.IsPrivate() || j.KeyType() == "oct"
	switch {
	case c.Encrypt && f.locked:
		return fail(exitUsage, "decrypt it first: jot key convert FILE --to jwk", "%s is encrypted already", label(c.File))
	case c.Encrypt && (c.To != "jwk" || !private):
		return fail(exitUsage, "give a private key, or a secret, and --to jwk", "--encrypt is for private keys as JWKs")
	case f.locked:
		a.warn("the key is written without its password")
	}
	var write func() ([]byte, error)
	switch {
	case c.To == "jwk" && private:
		write = j.MarshalPrivateJSON
	case c.To == "jwk":
		write = j.MarshalJSON
	case c.To == "pem" && private:
		write = j.MarshalPrivatePEM
	case c.To == "pem":
		write = j.MarshalPEM
	case private:
		write = j.MarshalPrivateDER
	default:
		write = j.MarshalDER
	}
	raw, err := write()
	switch {
	case err != nil:
		err = keyFailure(exitNoKey, c.File, err)
	case c.Encrypt:
		var password []byte
		if password, err = a.in.password(c.passwordFlags, "the key", true); err == nil {
			raw, err = lock(raw, password)
		}
	case c.To == "jwk":
		raw = []byte(pretty(raw, "") + "\n")
	}
	return c.write(a, raw, err)
}

type keyInspectCmd struct {
	File string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`
	JSON bool   `name:"json" help:"Print one JSON object a line for each key."`

	passwordFlags `embed:""`
}

// keyView is what key inspect shows of a key. It has no place for a private member.
type keyView struct {
	KeyType      string          `json:"kty"`
	Curve        string          `json:"crv,omitempty"`
	Bits         int             `json:"bits,omitempty"`
	Private      bool            `json:"private"`
	KeyID        string          `json:"kid,omitempty"`
	Algorithm    string          `json:"alg,omitempty"`
	Use          string          `json:"use,omitempty"`
	KeyOps       []string        `json:"key_ops,omitempty"`
	Thumbprint   string          `json:"thumbprint,omitempty"`
	Certificates []string        `json:"certificates,omitempty"`
	Encrypted    bool            `json:"encrypted,omitempty"` // in its file
	Usable       bool            `json:"usable"`
	Problem      string          `json:"problem,omitempty"`
	JWK          json.RawMessage `json:"jwk,omitempty"`
}

func (c *keyInspectCmd) Run(a *app) error {
	f, err := a.in.keys(c.File, c.passwordFlags)
	if err != nil {
		return err
	}
	for i, j := range f.keys {
		v := viewKey(j)
		v.Encrypted = f.locked
		if c.JSON {
			a.line(v)
			continue
		}
		if i > 0 {
			a.data("\n")
		}
		a.data(v.text(a.terminal))
	}
	for _, s := range f.skipped {
		a.warn("key %d of the set is left out: %v", s.Index+1, s.Err)
	}
	return nil
}

func viewKey(j jwk.JWK) keyView {
	v := keyView{
		KeyType: j.KeyType(), Curve: j.Curve(), Private: j.IsPrivate() || j.KeyType() == "oct",
		KeyID: j.KeyID(), Algorithm: j.Algorithm(), Use: j.Use(), KeyOps: j.KeyOps(),
	}
	size := "n"
	if v.KeyType == "oct" {
		size = "k"
	}
	v.Bits = bits(j, size)
	for _, der := range j.X5C() {
		name := "unreadable"
		if cert, err := x509.ParseCertificate(der); err == nil {
			name = fmt.Sprintf("%s, issued by %s, until %s", cert.Subject, cert.Issuer, cert.NotAfter.UTC().Format("2006-01-02"))
		}
		v.Certificates = append(v.Certificates, name)
	}
	// The thumbprint of a secret is a hash of nothing but the secret: it would let anyone
	// who sees it test guesses (RFC 7638, Section 7). It is not shown.
	if v.KeyType != "oct" {
		if t, e := j.Thumbprint(crypto.SHA256); e == nil {
			v.Thumbprint = t
		}
		if raw, e := j.Public().MarshalJSON(); e == nil {
			v.JWK = raw
		}
	}
	err := usable(j)
	if v.Usable = err == nil; !v.Usable {
		v.Problem = err.Error() + inCode(err)
	}
	return v
}

// usable binds the key, a private half held against the public one.
func usable(j jwk.JWK) error {
	var err error
	b := jwk.Binding{AllowRSA1_5DespitePaddingOracles: true}
	switch secret, enc := j.KeyType() == "oct", encrypts(j); {
	case secret && enc:
		_, err = j.SharedKey(b)
	case enc:
		_, err = j.EncryptionKey(b)
		if err != nil && j.KeyType() == "RSA" && j.Algorithm() == "" {
			b.Algorithms = []jwa.Algorithm{jwa.RSA_OAEP_256} // or another: --alg says
			_, err = j.EncryptionKey(b)
		}
	case secret:
		alg := jwa.Algorithm{}
		if j.Algorithm() == "" {
			alg = jwa.HS256
		}
		_, err = j.SecretKey(binding(j, alg))
	default:
		_, err = j.PublicKey(b)
	}
	return err
}

// bits is the length of a base64url member as a number.
func bits(j jwk.JWK, member string) int {
	raw, ok := j.Member(member)
	var s string
	if !ok || json.Unmarshal(raw, &s) != nil {
		return 0
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0
	}
	if member == "k" {
		return len(b) * 8
	}
	b = bytes.TrimLeft(b, "\x00")
	n := len(b) * 8
	for m := byte(0x80); len(b) > 0 && b[0]&m == 0; m >>= 1 {
		n--
	}
	return n
}

func (v keyView) text(t *terminal) string {
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s %s\n", t.heading(fmt.Sprintf("%-12s", name)), visible(oneLine(value)))
		}
	}
	what := v.KeyType
	if v.Curve != "" {
		what += " " + v.Curve
	}
	if v.Bits > 0 {
		what += fmt.Sprintf(" %d bits", v.Bits)
	}
	switch {
	case v.KeyType == "oct":
		what += ", a secret"
	case v.Private:
		what += ", private"
	default:
		what += ", public"
	}
	if v.Encrypted {
		what += ", encrypted in its file"
	}
	row("key", what)
	row("kid", v.KeyID)
	row("alg", v.Algorithm)
	row("use", v.Use)
	row("key_ops", strings.Join(v.KeyOps, " "))
	row("thumbprint", v.Thumbprint)
	for _, c := range v.Certificates {
		row("certificate", c)
	}
	if v.Usable {
		row("usable", "yes")
	} else {
		row("usable", "no: "+v.Problem)
	}
	return b.String()
}
