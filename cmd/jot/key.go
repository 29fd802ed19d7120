package main

import (
	"bytes"
	"crypto"
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

type keyNewCmd struct {
	Alg    string `arg:"" help:"The algorithm: ES256, EdDSA, RS256, PS256, HS256 and so on."`
	Kid    string `placeholder:"ID" help:"The key's identifier, instead of its thumbprint."`
	output `embed:""`
}

func (c *keyNewCmd) Run(a *app) error {
	alg, err := algorithm(c.Alg)
	if err != nil {
		return err
	}
	raw, err := newKey(alg, c.Kid)
	return c.write(a, raw, err)
}

func newKey(alg jwa.Algorithm, kid string) ([]byte, error) {
	var (
		j   jwk.JWK
		err error
	)
	if alg.Symmetric() {
		var key *jwk.SecretKey
		if key, err = jwk.GenerateSecret(alg); err == nil {
			j, err = key.PrivateJWK()
		}
	} else {
		var key *jwk.PrivateKey
		if key, err = jwk.Generate(alg); err == nil {
			j, err = key.PrivateJWK()
		}
	}
	if err != nil {
		return nil, fail(exitNoKey, "", "cannot make a key for %s: %v%s", alg, err, inCode(err))
	}
	if kid != "" {
		j = j.WithKeyID(kid)
	}
	raw, err := j.MarshalPrivateJSON()
	return []byte(pretty(raw, "") + "\n"), err
}

type keyPubCmd struct {
	File   string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`
	output `embed:""`
}

func (c *keyPubCmd) Run(a *app) error {
	f, err := a.in.keys(c.File)
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
}

func (c *keyThumbprintCmd) Run(a *app) error {
	f, err := a.in.keys(c.File)
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
	File   string `arg:"" name:"file" help:"FILE or - with a JWK, PEM or DER."`
	To     string `required:"" enum:"jwk,pem,der" placeholder:"FORMAT" help:"The format to write: jwk, pem or der."`
	output `embed:""`
}

func (*keyConvertCmd) Help() string {
	return "What goes in comes out: of a private key the private key is written (PKCS #8 in PEM and DER), of a public key or a certificate the public key (SubjectPublicKeyInfo). For the public half of a private key, use jot key pub first. PEM and DER have no place for kid, use and alg, and none for a secret."
}

func (c *keyConvertCmd) Run(a *app) error {
	f, err := a.in.keys(c.File)
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
	case c.To == "jwk":
		raw = []byte(pretty(raw, "") + "\n")
	}
	return c.write(a, raw, err)
}

type keyInspectCmd struct {
	File string `arg:"" name:"file" help:"FILE or - with a JWK, a set, PEM or DER."`
	JSON bool   `name:"json" help:"Print one JSON object a line for each key."`
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
	Usable       bool            `json:"usable"`
	Problem      string          `json:"problem,omitempty"`
	JWK          json.RawMessage `json:"jwk,omitempty"`
}

func (c *keyInspectCmd) Run(a *app) error {
	f, err := a.in.keys(c.File)
	if err != nil {
		return err
	}
	for i, j := range f.keys {
		v := viewKey(j)
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
	var err error
	switch {
	case v.KeyType == "oct":
		// The thumbprint of a secret is a hash of nothing but the secret: it would let
		// anyone who sees it test guesses (RFC 7638, Section 7). It is not shown.
		alg := jwa.Algorithm{}
		if v.Algorithm == "" {
			alg = jwa.HS256
		}
		_, err = j.SecretKey(binding(j, alg))
	default:
		if t, e := j.Thumbprint(crypto.SHA256); e == nil {
			v.Thumbprint = t
		}
		if raw, e := j.Public().MarshalJSON(); e == nil {
			v.JWK = raw
		}
		_, err = j.PublicKey(jwk.Binding{}) // which holds a private half against the public one
	}
	if v.Usable = err == nil; !v.Usable {
		v.Problem = err.Error() + inCode(err)
	}
	return v
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
