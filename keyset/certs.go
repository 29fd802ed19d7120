package keyset

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/jose/jwk"
)

// ErrCertificate: the certificate of the token is not one that is trusted
// (cert.untrusted, or what is wrong with it). It is a [jwk.ErrNoKey].
var ErrCertificate error = errCertificate

var (
	errCertificate = fault.New("cert.untrusted", "RFC 5280, Section 6.1", "the certificate is not trusted")

	errCertMissing   = fault.New("cert.missing", "RFC 7515, Section 4.1.6", "the token has none that is looked at")
	errCertMalformed = fault.New("cert.malformed", "RFC 7515, Section 4.1.6", "the chain is not well formed")
	errCertLimit     = fault.New("cert.limit", "RFC 8725, Section 3.15", "the chain is over a limit")
	errCertUsage     = fault.New("cert.usage", "RFC 5280, Section 4.2.1.3", "it is for another use")
	errCertName      = fault.New("cert.name", "RFC 5280, Section 4.2.1.6", "it has none of the names that are wanted")
	errCertExpired   = fault.New("cert.expired", "RFC 5280, Section 4.1.2.5", "it, or one above it, is not valid at this time")
	errCertOther     = fault.New("cert.mismatch", "RFC 7515, Section 4.1.8", "\"x5t#S256\" is that of another certificate")

	// A token is refused for it, as one whose key is unknown.
	errNotCertified = jwk.ErrNoKey.(*fault.Error)
)

func refuse(why error) error { return errNotCertified.Wrap(errCertificate.Wrap(why)) }

const (
	maxChain      = 8
	maxChainBytes = 32 << 10
	maxChainRSA   = 8192 // bits
	chainSlots    = 64
)

// Certificates trusts the keys in the certificates that tokens have in their headers,
// where an authority vouches for them, for a program that knows the authority and the
// names of the signers, and not their keys. It is a [jwk.Source].
//
// The chain in "x5c" must lead to one of the Roots at the time of the Clock (RFC 5280,
// Section 6.1), each certificate being certified by the next, with at most 8 of them and
// 32 KiB. The first must be for digital signatures, if it says what it is for, and have
// one of the names. Its key is bound as every other: to one algorithm, which the header
// must have; an RSA key to RS256 unless the Binding in Options says otherwise. The kid of
// the key is its SHA-256 thumbprint. If the header has "x5t#S256" it must be that of the
// first certificate; the SHA-1 "x5t", "kid" and "jwk" are ignored. Nobody is asked
// whether a certificate has been revoked.
//
// "x5u" and "jku" are ignored, too, unless they are on a list. Of a token with several
// of them, "x5c" is taken, else "x5u", else "jku".
//
// A chain that has been verified is remembered for as long as all of its certificates
// are valid. A Certificates is safe for concurrent use, takes no lock for tokens with
// "x5c", and has no goroutine but that of a fetch in flight.
type Certificates struct {
	o      CertificateOptions
	seed   maphash.Seed
	slots  [chainSlots]atomic.Pointer[certified]
	chains map[string]*core // by x5u; the kid of a chain's key is the "x5t#S256"
	sets   map[string]*core // by jku
}

// CertificateOptions are what a [Certificates] trusts. Roots, and either names or
// AnyName, must be set, unless there is nothing but JKU.
type CertificateOptions struct {
	// Roots are who may certify signers. They should be authorities for that alone: the
	// public ones certify whoever has a name on the Internet.
	Roots *x509.CertPool

	// Names, URIs and Emails are the signers: a certificate must have one of them as a
	// subject alternative name. They are compared without regard to case where RFC 5280,
	// Section 7 says so, and as text otherwise: no certificate with a wildcard matches the
	// names that it stands for. The common name is not looked at.
	Names, URIs, Emails []string
	// AnyName trusts everyone who has a certificate of the Roots. Look at the certificate
	// itself then: it is in the "x5c" of the JWK of the key that verified.
	AnyName bool

	// ExtKeyUsages are purposes (RFC 5280, Section 4.2.1.12) of which a certificate must
	// have one, which its issuers do not rule out, such as 1.3.6.1.5.5.7.3.37 for JWTs
	// (RFC 9509). Without them any will do.
	ExtKeyUsages []x509.OID

	// X5U are the URLs, compared exactly, where certificates are fetched if a token says
	// so: PEM, the signer's first (RFC 7515, Section 4.1.5). They are judged as those in
	// "x5c".
	X5U []string
	// JKU are the URLs, compared exactly, where a JWK set is fetched if a token says so
	// (RFC 7515, Section 4.1.2). Its keys need no certificate: who is on this list is
	// trusted with all that a verifier accepts.
	JKU []string

	// Options has the Binding and the Clock for all keys, and says how X5U and JKU are
	// fetched. They are dialled where the address is public, or AllowNetworks or
	// AllowHosts say more. File must be empty, and Header is not sent.
	Options Options
}

// certified is a chain that leads to a root, from one moment to another. It never
// changes.
type certified struct {
	chain       [][]byte
	x5t         string
	keys        *index
	first, last time.Time
}

// NewCertificates makes a Certificates. It fetches nothing yet.
func NewCertificates(o CertificateOptions) (*Certificates, error) {
	var err error
	if o.Options, err = o.Options.normalize(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Roots != nil {
		o.Roots = o.Roots.Clone()
	}
	for _, list := range []*[]string{&o.Names, &o.URIs, &o.Emails} {
		*list = slices.Clone(*list)
	}
	o.ExtKeyUsages = slices.Clone(o.ExtKeyUsages)
	c := &Certificates{o: o, seed: maphash.MakeSeed()}
	client := o.Options.guarded()
	if c.chains, err = sources(o.X5U, o.Options, client, fetchChain); err != nil {
		return nil, err
	}
	if c.sets, err = sources(o.JKU, o.Options, client, fetchSet); err != nil {
		return nil, err
	}
	return c, nil
}

func (o *CertificateOptions) check() error {
	names := slices.Concat(o.Names, o.URIs, o.Emails)
	switch {
	case o.Options.File != "":
		return errOptions.With("a file is for one source, and these are several")
	case o.Roots == nil && len(o.JKU) > 0 && names == nil && !o.AnyName && o.ExtKeyUsages == nil && o.X5U == nil:
		return nil
	case o.Roots == nil || o.Roots.Equal(x509.NewCertPool()):
		return errOptions.With("certificates need Roots that they lead to")
	case (len(names) == 0) != o.AnyName:
		return errOptions.With("certificates need Names, URIs or Emails of the signers, or are for AnyName")
	case slices.Contains(names, ""):
		return errOptions.With("a name is empty")
	}
	return nil
}

// sources makes a source of fetched keys for each URL.
func sources(urls []string, o Options, client *fetch.Client, get func(context.Context, *fetch.Client, string, string) (*fetch.Response, error)) (map[string]*core, error) {
	all := make(map[string]*core, len(urls))
	for _, url := range urls {
		if err := client.CheckURL(url); err != nil {
			return nil, failure(url, err)
		}
		all[url] = new(core)
		all[url].start(url, o, func(ctx context.Context, etag string) (*fetch.Response, error) {
			return get(ctx, client, url, etag)
		})
	}
	return all, nil
}

func fetchSet(ctx context.Context, client *fetch.Client, url, etag string) (*fetch.Response, error) {
	resp, err := client.Get(ctx, request(url, nil, etag))
	if err != nil {
		return nil, failure(url, err)
	}
	return resp, nil
}

// fetchChain fetches certificates and makes a JWK set of them, so that they are kept as
// other keys are. Whether they are trusted is asked each time.
func fetchChain(ctx context.Context, client *fetch.Client, url, etag string) (*fetch.Response, error) {
	resp, err := client.Get(ctx, fetch.Request{
		URL: url, ETag: etag,
		Types: []string{"application/pem-certificate-chain"}, // RFC 8555, Section 9.1
		Also: []string{
			"application/x-pem-file", "application/pkix-cert", "application/x-x509-ca-cert", "application/x-x509-user-cert",
			"text/plain", "application/octet-stream", "binary/octet-stream",
		},
	})
	if err != nil {
		return nil, failure(url, err)
	}
	if resp.NotModified {
		return resp, nil
	}
	desc, err := jwk.ParsePEM(resp.Body)
	if err != nil {
		return nil, failure(url, err)
	}
	ders := desc.X5C()
	if ders == nil {
		return nil, failure(url, errCertMalformed)
	}
	if resp.Body, err = describeChain(desc.WithKeyID(thumbprint(ders[0])), ders); err != nil {
		return nil, failure(url, err)
	}
	return resp, nil
}

// describeChain writes a set with the key of a chain.
func describeChain(desc jwk.JWK, ders [][]byte) ([]byte, error) {
	// No certificate for signatures makes a key for encryption.
	desc, err := desc.With("use", "sig")
	if err == nil {
		desc, err = desc.With("x5c", ders) // which JSON has in base64
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string][]jwk.JWK{"keys": {desc}})
}

// Keys returns the key of the token's certificate. A refusal is [ErrCertificate], or
// that of the key.
func (c *Certificates) Keys(ctx context.Context, q jwk.Query) ([]jwk.Verifier, error) {
	chain := q.X5C
	if len(chain) == 0 || c.o.Roots == nil {
		at := c.chains[q.X5U]
		if at == nil {
			if set := c.sets[q.JKU]; set != nil {
				return set.Keys(ctx, q)
			}
			return nil, refuse(errCertMissing)
		}
		var err error
		if chain, err = c.fetched(ctx, at, q); err != nil {
			return nil, err
		}
	}
	found, err := c.verify(chain)
	switch {
	case err != nil:
		return nil, err
	case q.X5TS256 != "" && q.X5TS256 != found.x5t:
		return nil, refuse(errCertOther)
	}
	a := found.keys.find(jwk.Query{Algorithm: q.Algorithm})
	if a.err != nil {
		return nil, jwk.ErrAlgorithm
	}
	return a.keys, nil
}

// fetched returns the chain at a URL, fetched again if the token's certificate is
// another.
func (c *Certificates) fetched(ctx context.Context, at *core, q jwk.Query) ([][]byte, error) {
	now := c.o.Options.Clock()
	s, err := at.current(ctx, now)
	if err == nil && q.X5TS256 != "" && s.kids[q.X5TS256] == nil {
		s, err = at.renew(ctx, s, jwk.Query{Algorithm: q.Algorithm, KeyID: q.X5TS256}, now)
	}
	if err != nil {
		return nil, err
	}
	if len(s.set) == 0 {
		return nil, s.skipped[0].Err
	}
	return s.set[0].JWK().X5C(), nil
}

// Close ends the fetches in flight, and lets no other begin.
func (c *Certificates) Close() error {
	for _, all := range []map[string]*core{c.chains, c.sets} {
		for _, at := range all {
			_ = at.Close() // always nil
		}
	}
	return nil
}

// verify judges a chain, or remembers that it has.
func (c *Certificates) verify(chain [][]byte) (*certified, error) {
	now := c.o.Options.Clock()
	slot := &c.slots[maphash.Bytes(c.seed, chain[0])%chainSlots]
	if e := slot.Load(); e != nil && e.lasts(now) && slices.EqualFunc(e.chain, chain, bytes.Equal) {
		return e, nil
	}
	certs, err := parseChain(chain)
	if err != nil {
		return nil, refuse(err)
	}
	leaf := certs[0]
	switch {
	case !forSignatures(leaf):
		return nil, refuse(errCertUsage)
	case !c.o.names(leaf):
		return nil, refuse(errCertName)
	}
	path, err := c.path(certs, now)
	if err != nil {
		return nil, refuse(err)
	}
	keys, err := c.bind(leaf)
	if err != nil {
		return nil, err
	}
	e := &certified{x5t: thumbprint(leaf.Raw), keys: keys}
	e.first, e.last = leaf.NotBefore, leaf.NotAfter
	for _, cert := range path {
		e.first, e.last = later(e.first, cert.NotBefore), earlier(e.last, cert.NotAfter)
	}
	for _, cert := range certs {
		e.chain = append(e.chain, cert.Raw) // a copy, which no caller has
	}
	slot.Store(e)
	return e, nil
}

func (e *certified) lasts(now time.Time) bool { return !now.Before(e.first) && !now.After(e.last) }

// parseChain reads certificates, each of which is certified by the next (RFC 7515,
// Section 4.1.6). Strangers send them: with one possible issuer each, of a bounded key,
// there is little to compute before they are refused.
func parseChain(ders [][]byte) ([]*x509.Certificate, error) {
	if len(ders) > maxChain {
		return nil, errCertLimit.With(fmt.Sprintf("more than %d certificates", maxChain))
	}
	certs, size := make([]*x509.Certificate, len(ders)), 0
	for i, der := range ders {
		if size += len(der); size > maxChainBytes {
			return nil, errCertLimit.With("more than 32 KiB")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errCertMalformed.With(fmt.Sprintf("certificate %d cannot be read", i+1))
		}
		if pub, ok := cert.PublicKey.(*rsa.PublicKey); ok && pub.N.BitLen() > maxChainRSA {
			return nil, errCertLimit.With(fmt.Sprintf("an RSA key of more than %d bits", maxChainRSA))
		}
		if i > 0 && !bytes.Equal(certs[i-1].RawIssuer, cert.RawSubject) {
			return nil, errCertMalformed.With(fmt.Sprintf("certificate %d is not that of the issuer before it", i+1))
		}
		if slices.ContainsFunc(certs[:i], func(other *x509.Certificate) bool { return bytes.Equal(other.RawSubject, cert.RawSubject) }) {
			return nil, errCertMalformed.With("two certificates are of one subject")
		}
		certs[i] = cert
	}
	return certs, nil
}

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15} // RFC 5280, Section 4.2.1.3

// forSignatures reports whether a certificate is for digital signatures, or does not
// say what it is for.
func forSignatures(cert *x509.Certificate) bool {
	if cert.KeyUsage&x509.KeyUsageDigitalSignature != 0 {
		return true
	}
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidKeyUsage) {
			return false
		}
	}
	return true
}

// names reports whether a certificate has one of the names.
func (o *CertificateOptions) names(cert *x509.Certificate) bool {
	return o.AnyName ||
		slices.ContainsFunc(cert.DNSNames, func(name string) bool {
			return slices.ContainsFunc(o.Names, func(want string) bool { return strings.EqualFold(name, want) })
		}) ||
		slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return slices.Contains(o.URIs, u.String()) }) ||
		slices.ContainsFunc(cert.EmailAddresses, func(mailbox string) bool {
			return slices.ContainsFunc(o.Emails, func(want string) bool { return sameMailbox(mailbox, want) })
		})
}

// sameMailbox compares the local part exactly and the host without regard to case (RFC
// 5280, Section 7.5).
func sameMailbox(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i >= 0 && i == j && a[:i] == b[:j] && strings.EqualFold(a[i:], b[j:])
}

// path returns a path from the first of the certificates to a root, whose purposes are
// those that are wanted.
func (c *Certificates) path(certs []*x509.Certificate, now time.Time) ([]*x509.Certificate, error) {
	others := x509.NewCertPool()
	for _, cert := range certs[1:] {
		others.AddCert(cert)
	}
	paths, err := certs[0].Verify(x509.VerifyOptions{
		Roots: c.o.Roots, Intermediates: others, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, // which are looked at below
	})
	if err != nil {
		if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
			return nil, errCertExpired
		}
		// It quotes names of the certificates, which have no other bound.
		return nil, fmt.Errorf("%.400s", err)
	}
	for _, path := range paths {
		if c.o.ExtKeyUsages == nil || slices.ContainsFunc(c.o.ExtKeyUsages, func(purpose x509.OID) bool { return serves(path, purpose) }) {
			return path, nil
		}
	}
	return nil, errCertUsage.With("it has none of the extended key usages that are wanted")
}

// serves reports whether the first certificate has the purpose, and no other on its path
// rules it out.
func serves(path []*x509.Certificate, purpose x509.OID) bool {
	return has(path[0], purpose) && !slices.ContainsFunc(path[1:], func(issuer *x509.Certificate) bool {
		limited := len(issuer.ExtKeyUsage) > 0 || len(issuer.UnknownExtKeyUsage) > 0
		return limited && !has(issuer, purpose) && !slices.Contains(issuer.ExtKeyUsage, x509.ExtKeyUsageAny)
	})
}

func has(cert *x509.Certificate, purpose x509.OID) bool {
	return slices.ContainsFunc(cert.ExtKeyUsage, func(u x509.ExtKeyUsage) bool { return u.OID().Equal(purpose) }) ||
		slices.ContainsFunc(cert.UnknownExtKeyUsage, purpose.EqualASN1OID)
}

// bind makes the keys of a certificate: one for each algorithm that its key is bound to.
func (c *Certificates) bind(leaf *x509.Certificate) (*index, error) {
	desc, err := jwk.FromKey(leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	kid, _ := desc.Thumbprint(crypto.SHA256) // which every key has that can be described
	data, err := describeChain(desc.WithKeyID(kid), [][]byte{leaf.Raw})
	var set jwk.Set
	var skipped []jwk.Skipped
	if err == nil {
		set, skipped, err = jwk.ParseSet(data, c.o.Options.Binding)
	}
	if err == nil && len(skipped) > 0 {
		err = skipped[0].Err
	}
	if err != nil {
		return nil, err
	}
	return newIndex(set), nil
}
