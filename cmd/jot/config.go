package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/jotsuite/jot/guard"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/exchange"
	"github.com/jotsuite/jot/profile/grant"
	"github.com/jotsuite/jot/server"
)

// config is the file of --config. docs/jot.yaml says what everything means.
type config struct {
	Issuer  scalar   `yaml:"issuer"`
	Addr    scalar   `yaml:"addr"`
	Log     scalar   `yaml:"log"`
	Audit   scalar   `yaml:"audit"`
	Metrics scalar   `yaml:"metrics"`
	Traces  scalar   `yaml:"traces"`
	Drain   duration `yaml:"drain"`
	TLS     struct {
		Certificate scalar `yaml:"certificate"`
		Key         scalar `yaml:"key"`
	} `yaml:"tls"`
	Admin       flag        `yaml:"admin"`
	Data        scalar      `yaml:"data"`
	Store       scalar      `yaml:"store"`
	Synchronous scalar      `yaml:"synchronous"`
	Secrets     []secretRef `yaml:"secrets"`
	Algorithm   scalar      `yaml:"algorithm"`
	Keys        struct {
		Every duration `yaml:"every"`
		Cache duration `yaml:"cache"`
	} `yaml:"keys"`
	Resources []struct {
		Identifier scalar         `yaml:"identifier"`
		Name       scalar         `yaml:"name"`
		Scopes     []scalar       `yaml:"scopes"`
		Opaque     bool           `yaml:"opaque"`
		Lifetime   duration       `yaml:"lifetime"`
		Claims     map[string]any `yaml:"claims"`
	} `yaml:"resources"`
	Lifetimes struct {
		Access       duration `yaml:"access"`
		Refresh      duration `yaml:"refresh"`
		RefreshMax   duration `yaml:"refresh_max"`
		RefreshRetry duration `yaml:"refresh_retry"`
		Reload       duration `yaml:"reload"`
	} `yaml:"lifetimes"`
	DetailTypes  []scalar           `yaml:"detail_types"`
	NoDPoPNonce  bool               `yaml:"no_dpop_nonce"`
	LegacyAud    bool               `yaml:"legacy_audience"`
	Certificates configCertificates `yaml:"client_certificates"`
	Addresses    struct {
		Header  scalar   `yaml:"header"`
		Proxies []scalar `yaml:"proxies"`
	} `yaml:"client_addresses"`
	Limits       configLimits        `yaml:"limits"`
	Attesters    scalar              `yaml:"attesters"`
	Registration *configRegistration `yaml:"registration"`
	Fetch        struct {
		Hosts    []scalar `yaml:"allow_hosts"`
		Networks []scalar `yaml:"allow_networks"`
	} `yaml:"fetch"`
}

// configCertificates are those of clients.
type configCertificates struct {
	Header      scalar   `yaml:"header"`
	Proxies     []scalar `yaml:"proxies"`
	Request     flag     `yaml:"request"`
	Addr        scalar   `yaml:"addr"`
	URL         scalar   `yaml:"url"`
	Authorities scalar   `yaml:"authorities"`
}

// configRegistration lets clients register themselves.
type configRegistration struct {
	Open             bool     `yaml:"open"`
	GrantTypes       []scalar `yaml:"grant_types"`
	Scopes           []scalar `yaml:"scopes"`
	DetailTypes      []scalar `yaml:"detail_types"`
	Statements       scalar   `yaml:"statements"`
	StatementIssuers []scalar `yaml:"statement_issuers"`
}

// secretRef is where secrets are: a file, or a variable of the environment.
type secretRef struct {
	File scalar `yaml:"file"`
	Env  scalar `yaml:"env"`
}

// scalar is a text with its line.
type scalar struct {
	text string
	line int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (s *scalar) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return inLine(n.Line, "a single value belongs here")
	}
	s.text, s.line = n.Value, n.Line
	return nil
}

// flag is true or false, with its line.
type flag struct {
	is   bool
	line int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (f *flag) UnmarshalYAML(n *yaml.Node) error {
	if err := n.Decode(&f.is); err != nil {
		return inLine(n.Line, "this is true or false")
	}
	f.line = n.Line
	return nil
}

type duration struct {
	time.Duration
	line int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil { // which a list has too, since it has no text
		return inLine(n.Line, "%s is no duration: write it as 30s, 15m or 720h", quoted(n.Value))
	}
	d.Duration, d.line = v, n.Line
	return nil
}

// lineError is what is wrong in a line of the file.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }

func (e *lineError) Unwrap() error { return e.err }

// inLine is an error in a line.
func inLine(line int, format string, args ...any) error {
	return &lineError{line, fmt.Errorf(format, args...)}
}

// readConfig reads the file of --config.
func readConfig(name string) (*config, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fileFailure(name, err)
	}
	c := &config{}
	if err := c.parse(data); err != nil {
		return nil, configFailure(name, err)
	}
	return c, nil
}

func (c *config) parse(data []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) { // which an empty file is
		return err
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("there is a second document after ---")
	}
	return nil
}

var (
	unknownField = regexp.MustCompile(`field (.+) not found in type .+`)
	goType       = regexp.MustCompile(`cannot unmarshal !!\w+(?: .+)? into (.+)`)
)

// configFailure says what is wrong in words for those who write the file.
func configFailure(name string, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		if _, ok := errors.AsType[*lineError](err); ok { // as of a file that the line names
			return fail(f.code, f.hint, "%s: %v", label(name), err)
		}
		return f
	}
	lines := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if t, ok := errors.AsType[*yaml.TypeError](err); ok {
		lines = t.Errors
	}
	hint := "docs/jot.yaml has all options"
	for i, l := range lines {
		if m := unknownField.FindStringSubmatch(l); m != nil {
			if like := likeOption(m[1]); like != "" {
				hint = "did you mean " + like + "? " + hint
			}
		}
		l = unknownField.ReplaceAllString(l, `there is no option "$1" here`)
		lines[i] = goType.ReplaceAllStringFunc(l, func(m string) string { return belongs(goType.FindStringSubmatch(m)[1]) })
	}
	return fail(exitUsage, hint, "%s: %s", label(name), strings.Join(lines, "; "))
}

// belongs says which type of value belongs where one of a type of Go does.
func belongs(typ string) string {
	switch {
	case strings.HasPrefix(typ, "[]"):
		return "a list belongs here, such as [one, two]"
	case typ == "bool":
		return "this is true or false"
	}
	return "options belong here, each with its name"
}

// likeOption is the option that is most like a name which is none, or "".
func likeOption(name string) string {
	like, least := "", len(name)/3+1
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for f := range t.Fields() {
			tag, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if d := editDistance(strings.ToLower(name), tag); tag != "" && d < least {
				like, least = tag, d
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[config]())
	return like
}

// options makes those of a server. What names no resources has those of the demonstration.
func (c *config) options() (o server.Options, t keyset.Timetable, err error) {
	o = defaults()
	o.Issuer = c.Issuer.text
	t.Every, t.Cache = c.Keys.Every.Duration, c.Keys.Cache.Duration
	if c.Issuer.line > 0 {
		m := oauth.ServerMetadata{Issuer: c.Issuer.text, TokenEndpoint: c.Certificates.URL.text}
		if err := m.Validate(c.Issuer.text); err != nil {
			return o, t, inLine(c.Issuer.line, "%v: the issuer is an https URL; http is for this machine alone%s", err, inCode(err))
		}
	}
	if c.Admin.is && c.Issuer.line == 0 {
		return o, t, inLine(c.Admin.line, "admin needs the issuer in this file: clients that administer are bound to it")
	}
	if c.Algorithm.line > 0 {
		alg, _ := jwa.Lookup(c.Algorithm.text) // what is none has no use
		if alg.Symmetric() || alg.Use() != "sig" {
			return o, t, inLine(c.Algorithm.line, "%s is no algorithm of signatures with a private key", quoted(c.Algorithm.text))
		}
		o.Algorithm = alg
	}
	if c.Resources != nil {
		o.Resources = nil
	}
	for i, r := range c.Resources {
		switch id := r.Identifier; {
		case id.line == 0:
			return o, t, fmt.Errorf("resource %d of the list has no identifier", i+1)
		case oauth.ValidateResource(id.text) != nil:
			return o, t, inLine(id.line, "the identifier of a resource: %s is no absolute URI", quoted(id.text))
		case slices.ContainsFunc(o.Resources, func(other server.Resource) bool { return other.Identifier == id.text }):
			return o, t, inLine(id.line, "the resource %s is there twice", quoted(id.text))
		}
		to := server.Resource{Identifier: r.Identifier.text, Name: r.Name.text, Opaque: r.Opaque, Lifetime: r.Lifetime.Duration, Claims: r.Claims}
		if to.Scopes, err = scopeNames(r.Scopes); err != nil {
			return o, t, err
		}
		o.Resources = append(o.Resources, to)
	}
	l := &c.Lifetimes
	for _, d := range []duration{l.Access, l.Refresh, l.RefreshMax, l.Reload} {
		if d.line > 0 && d.Duration < time.Second {
			return o, t, inLine(d.line, "a lifetime has a second or more")
		}
	}
	o.Lifetimes = server.Lifetimes{Access: l.Access.Duration, Refresh: l.Refresh.Duration, RefreshMax: l.RefreshMax.Duration, RefreshRetry: l.RefreshRetry.Duration, Reload: l.Reload.Duration}
	if l.RefreshRetry.line > 0 && l.RefreshRetry.Duration == 0 {
		o.Lifetimes.RefreshRetry = -1 // none: a zero there is what is usual
	}
	t.Lifetime = max(24*time.Hour, o.Lifetimes.Access)
	// A key that is revoked is void in all processes as soon as a client is that is removed.
	t.Reload = min(cmp.Or(o.Lifetimes.Reload, time.Second), cmp.Or(t.Cache, time.Hour)/2)
	for _, d := range c.DetailTypes {
		if o.DetailTypes == nil {
			o.DetailTypes = map[string]func(context.Context, string, *oauth.AuthorizationDetail) error{}
		}
		o.DetailTypes[d.text] = func(context.Context, string, *oauth.AuthorizationDetail) error { return nil }
	}
	o.NoDPoPNonce, o.LegacyAudience = c.NoDPoPNonce, c.LegacyAud
	if err := c.certificates(&o); err != nil {
		return o, t, err
	}
	if err := c.limits(&o); err != nil {
		return o, t, err
	}
	if a := c.Attesters; a.line > 0 {
		if o.Attesters, err = a.keys(); err != nil {
			return o, t, err
		}
	}
	if o.Registration, err = c.Registration.options(); err != nil {
		return o, t, err
	}
	for _, h := range c.Fetch.Hosts {
		o.Fetch.AllowHosts = append(o.Fetch.AllowHosts, h.text)
	}
	if o.Fetch.AllowNetworks, err = prefixes(c.Fetch.Networks); err != nil {
		return o, t, err
	}
	o.Secrets, err = c.secrets()
	return o, t, err
}

func (c *config) certificates(o *server.Options) error {
	x := &c.Certificates
	proxies, err := prefixes(x.Proxies)
	if err != nil {
		return err
	}
	switch {
	case x.Header.line > 0 && (x.Request.is || x.Addr.line > 0):
		return inLine(x.Header.line, "the header is for a proxy that speaks TLS; request and addr are for where there is none")
	case x.Addr.line > 0 && x.URL.line == 0:
		return inLine(x.Addr.line, "clients are told of the address by url: give it too")
	case x.Header.line > 0 && len(proxies) == 0:
		return inLine(x.Header.line, "the header needs proxies: anyone else could write it")
	case x.Header.line > 0:
		o.ClientCertificate = guard.CertificateHeader(x.Header.text, proxies...)
	}
	o.MTLSURL = x.URL.text
	if x.Authorities.line == 0 {
		return nil
	}
	data, err := x.Authorities.read()
	if err != nil {
		return err
	}
	o.ClientCAs = x509.NewCertPool()
	if !o.ClientCAs.AppendCertsFromPEM(data) {
		return inLine(x.Authorities.line, "%s has no certificate in PEM", quoted(x.Authorities.text))
	}
	return nil
}

// grantTypes are those of the server.
var grantTypes = []string{"client_credentials", "refresh_token", grant.GrantType, grant.BitbucketGrantType, exchange.GrantType}

// options are those of registration, or nil where the file does not let clients register.
func (c *configRegistration) options() (*server.Registration, error) {
	if c == nil {
		return nil, nil // there is none
	}
	r := &server.Registration{OpenToEverybody: c.Open}
	for _, g := range c.GrantTypes {
		if !slices.Contains(grantTypes, g.text) {
			return nil, inLine(g.line, "%s is no grant type that clients may register: there are %s", quoted(g.text), strings.Join(grantTypes, ", "))
		}
		r.GrantTypes = append(r.GrantTypes, g.text)
	}
	for _, d := range c.DetailTypes {
		r.DetailTypes = append(r.DetailTypes, d.text)
	}
	var err error
	if r.Scope, err = scopeNames(c.Scopes); err != nil {
		return nil, err
	}
	if s := c.Statements; s.line > 0 {
		if len(c.StatementIssuers) == 0 {
			return nil, inLine(s.line, "software statements need statement_issuers, which may make them")
		}
		if r.Statements, err = s.keys(); err != nil {
			return nil, err
		}
	}
	for _, i := range c.StatementIssuers {
		r.StatementIssuers = append(r.StatementIssuers, i.text)
	}
	return r, nil
}

func scopeNames(list []scalar) (out oauth.Scopes, err error) {
	for _, s := range list {
		if one, _ := oauth.ParseScopes(s.text); !slices.Equal(one, oauth.Scopes{s.text}) { // "a a" is one, too
			return nil, inLine(s.line, "%s is not the name of one scope", quoted(s.text))
		}
		out = append(out, s.text)
	}
	return out, nil
}

// keys reads the JWK set that s names.
func (s scalar) keys() (jwk.Set, error) {
	data, err := s.read()
	if err != nil {
		return nil, err
	}
	set, _, _ := jwk.ParseSet(data, jwk.Binding{}) // which is empty with an error
	if len(set) == 0 {
		return nil, inLine(s.line, "%s is no JWK set with a public key", quoted(s.text))
	}
	return set, nil
}

// secrets are those that the file names, or nil where they are in the folder.
func (c *config) secrets() (list [][]byte, err error) {
	for _, s := range c.Secrets {
		var some [][]byte
		switch {
		case (s.File.line > 0) == (s.Env.line > 0):
			return nil, inLine(max(s.File.line, s.Env.line), "a secret is in a file, or in the environment: give one of file and env")
		case s.File.line > 0:
			if some, err = readSecrets(s.File.text); err != nil {
				err = &lineError{s.File.line, err}
			}
		default:
			text, ok := os.LookupEnv(s.Env.text)
			if !ok {
				return nil, inLine(s.Env.line, "the environment has no variable %s", quoted(s.Env.text))
			}
			if some, err = parseSecrets([]byte(text), "the variable "+quoted(s.Env.text)); err != nil {
				err = &lineError{s.Env.line, err}
			}
		}
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// checkAddresses says whether one could listen at all addresses that are given, at the same time.
func (c *serveCmd) checkAddresses(f *settings) error {
	places := []struct {
		option, example string
		at              scalar
	}{
		{"addr", "localhost:8080", cmp.Or(scalar{text: c.Addr}, f.file.Addr, scalar{text: "localhost:8080"})},
		{"client_certificates.addr", "localhost:8443", f.file.Certificates.Addr},
		{"metrics", "localhost:9464", cmp.Or(scalar{text: c.Metrics}, f.file.Metrics)},
	}
	for i, p := range places {
		if p.at == (scalar{}) {
			continue
		}
		if !isAddress(p.at.text) {
			return p.at.refuse(p.option, "%s is no address: write it as %s", quoted(p.at.text), p.example)
		}
		for _, other := range places[:i] {
			if sameAddress(p.at.text, other.at.text) {
				return p.at.refuse(p.option, "%s is where %s is already: give %s another port", quoted(p.at.text), other.option, p.option)
			}
		}
	}
	return nil
}

// refuse says what is wrong with an address, in a line of the file or of the command line.
func (s scalar) refuse(option, format string, args ...any) error {
	if s.line == 0 {
		return fail(exitUsage, "give another --"+option+" HOST:PORT", format, args...)
	}
	return inLine(s.line, format, args...)
}

// isAddress reports whether s is a host, or none, and a port. Whether there is the host is found out where the server runs.
func isAddress(s string) bool {
	_, port, _ := net.SplitHostPort(s) // "" of what is none
	_, err := net.LookupPort("tcp", port)
	return port != "" && err == nil
}

// sameAddress reports whether who listens at one address is in the way of the other. Port 0 is any that is free.
func sameAddress(a, b string) bool {
	x, err := net.ResolveTCPAddr("tcp", a)
	y, other := net.ResolveTCPAddr("tcp", b)
	if err != nil || other != nil { // a name that this machine does not know
		return a == b
	}
	return x.Port == y.Port && x.Port != 0 && (x.IP.Equal(y.IP) || isEverywhere(x.IP) || isEverywhere(y.IP))
}

// isEverywhere reports whether who listens at an address listens at all that this machine has, of IPv4 and of IPv6.
func isEverywhere(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }

// read reads the file that s names.
func (s scalar) read() ([]byte, error) {
	data, err := os.ReadFile(s.text)
	if err != nil {
		return nil, inLine(s.line, "cannot read %s: %s", label(s.text), reason(err))
	}
	return data, nil
}

func prefixes(list []scalar) (out []netip.Prefix, err error) {
	for _, s := range list {
		p, err := netip.ParsePrefix(s.text)
		if err != nil {
			return nil, inLine(s.line, "%s is no network: write it as 10.0.0.0/8", quoted(s.text))
		}
		out = append(out, p)
	}
	return out, nil
}
