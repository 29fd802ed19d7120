package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// watch is how often it is looked whether the files of the certificate have changed.
const watch = time.Second

// tlsFiles are where the certificate of the server is.
type tlsFiles struct {
	certificate, key string
	in               string // the file of the configuration, unless the command line says where they are
	line, keyLine    int    // of that
}

// tlsFiles are those of the command line, or of the file. They are empty where the server speaks plain HTTP.
func (c *serveCmd) tlsFiles(f *settings) (t tlsFiles, err error) {
	x := &f.file.TLS
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return t, fail(exitUsage, "", "a certificate goes with its key: give both of --tls-cert and --tls-key")
	case c.TLSCert != "":
		t = tlsFiles{certificate: c.TLSCert, key: c.TLSKey}
	case (x.Certificate.line > 0) != (x.Key.line > 0):
		return t, configFailure(c.Config, inLine(max(x.Certificate.line, x.Key.line), "tls has a certificate and its key"))
	default:
		t = tlsFiles{x.Certificate.text, x.Key.text, c.Config, x.Certificate.line, x.Key.line}
	}
	issuer, certificates := cmp.Or(c.Issuer, f.options.Issuer), &f.file.Certificates
	u, _ := url.Parse(issuer)
	switch {
	case !t.on() || issuer == "" || u != nil && u.Scheme == "https":
	case c.Issuer == "":
		return t, configFailure(c.Config, inLine(f.file.Issuer.line, "the server speaks TLS, and the issuer %s is no https URL", quoted(issuer)))
	default:
		return t, fail(exitUsage, "give the issuer as others reach it: https://…", "the server speaks TLS, and the issuer %s is no https URL", quoted(issuer))
	}
	if t.on() || !certificates.Request.is && certificates.Addr.line == 0 {
		return t, nil
	}
	return t, configFailure(c.Config, inLine(max(certificates.Addr.line, certificates.Request.line), "certificates are asked for in TLS: give tls too, or header and proxies where a proxy speaks it"))
}

func (t tlsFiles) on() bool { return t.certificate != "" }

// failure is what is wrong with one of the files, with the line that names it.
func (t tlsFiles) failure(line int, f *failure) *failure {
	if t.in == "" {
		return f
	}
	return configFailure(t.in, &lineError{line, f})
}

// load reads certificate and key. Others than the owner and its group may not read the key.
func (t tlsFiles) load() (*tls.Certificate, error) {
	st, err := os.Stat(t.key)
	if err != nil {
		return nil, t.failure(t.keyLine, fileFailure(t.key, err))
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o007 != 0 {
		return nil, t.failure(t.keyLine, fail(exitFile, "chmod 640 it, if nobody has read it; else get a new one", "everybody has access to the key in %s [keys.exposed]", label(t.key)))
	}
	if _, err := os.Stat(t.certificate); err != nil {
		return nil, t.failure(t.line, fileFailure(t.certificate, err))
	}
	pair, err := tls.LoadX509KeyPair(t.certificate, t.key)
	if err != nil {
		return nil, t.failure(t.line, fail(exitUnreadable, "the first file has the certificate in PEM with those that certify it after it, the second its key", "the certificate in %s and the key in %s cannot be used: %s", label(t.certificate), label(t.key), strings.TrimPrefix(err.Error(), "tls: ")))
	}
	return &pair, nil
}

// keyPair is the certificate that new connections get.
type keyPair struct {
	now atomic.Pointer[tls.Certificate]
	// For the goroutine that waits for signals.
	files  tlsFiles
	seen   [2]fs.FileInfo
	failed string
}

// use takes another pair of files from the next connection on. Log is told what is wrong with the certificate for the issuer.
func (k *keyPair) use(files tlsFiles, pair *tls.Certificate, issuer string, log *slog.Logger) {
	was := k.now.Swap(pair)
	k.files, k.seen, k.failed = files, files.stat(), ""
	if leaf := pair.Leaf; was == nil || !leaf.Equal(was.Leaf) {
		log.Info("certificate", "names", leaf.DNSNames, "until", leaf.NotAfter, "serial", leaf.SerialNumber.Text(16))
		k.judge(leaf, issuer, log)
	}
}

// judge warns of what clients will refuse.
func (*keyPair) judge(leaf *x509.Certificate, issuer string, log *slog.Logger) {
	if u, err := url.Parse(issuer); err == nil && leaf.VerifyHostname(u.Hostname()) != nil {
		log.Warn("the certificate is not for the host of the issuer", "issuer", issuer)
	}
	if now := time.Now(); now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		log.Warn("the certificate is not valid now", "from", leaf.NotBefore, "until", leaf.NotAfter)
	}
}

func (t tlsFiles) stat() (all [2]fs.FileInfo) {
	for i, name := range []string{t.certificate, t.key} {
		all[i], _ = os.Stat(name) // what is not there will be there
	}
	return all
}

// look takes the files again if they have changed. Where they do not go together, as while they are written, what was there goes on, and
// log is told once.
func (k *keyPair) look(issuer string, log *slog.Logger) {
	now := k.files.stat()
	same := func(a, b fs.FileInfo) bool { // which is false where there is none
		return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
	}
	if k.failed == "" && same(now[0], k.seen[0]) && same(now[1], k.seen[1]) {
		return
	}
	pair, err := k.files.load()
	if err != nil {
		if err.Error() != k.failed {
			k.failed = err.Error()
			log.Error("the certificate of before goes on", "error", err)
		}
		return
	}
	k.use(k.files, pair, issuer, log)
}

// config is that of a listener. Where ask says so, a connection is asked for the certificate of the client: any, since it is the
// server that judges it, by what the client has registered (RFC 8705, Section 2).
func (k *keyPair) config(ask func() bool) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.now.Load(), nil },
	}
	asking := c.Clone()
	asking.ClientAuth = tls.RequestClientCert
	asking.SessionTicketsDisabled = true // each connection shows anew that the client has the key
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if ask() {
			return asking, nil
		}
		return nil, nil // which is c
	}
	return c
}

// asks reports whether the main listener asks for certificates.
func (c *config) asks() bool {
	x := &c.Certificates
	return x.Addr.line == 0 && x.Header.line == 0 && (x.Request.is || x.Authorities.line > 0)
}

// listen opens what the server listens at: addr, and where clients with certificates have an address of their own, that.
func (p *process) listen(addr string, f *settings) (all []net.Listener, err error) {
	ask := []func() bool{func() bool { return p.live.Load().settings.file.asks() }, func() bool { return true }}
	p.connections = newConnections(func() int {
		n, _ := p.live.Load().settings.file.Limits.connections() // which was read before
		return n
	}, p.log)
	for i, a := range []string{addr, f.file.Certificates.Addr.text} {
		if a == "" {
			continue
		}
		l, err := net.Listen("tcp", a)
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
			return nil, fail(exitFile, "give another --addr HOST:PORT", "cannot listen at %s: %s", quoted(a), reason(err))
		}
		l = boundListener{l, p.connections}
		if p.tls.on() {
			l = tls.NewListener(l, p.pair.config(ask[i]))
		}
		all = append(all, l)
	}
	return all, nil
}
