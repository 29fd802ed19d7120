package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
	"github.com/jotsuite/jot/server/store"
)

// maxSecret is the longest secret that is looked at.
const maxSecret = 1024

// unknown is the one answer to a client that does not exist and to one that does not authenticate as it should: whoever guesses is not
// told which of the two it was. The cause, with its stable code, is for the operator.
func unknown(code, cause string) error {
	return stranger(fault.New(code, "RFC 6749, Section 2.3", "server: "+cause))
}

func stranger(cause error) error {
	return invalid(oauth.InvalidClient, "the client is unknown, or has not authenticated by the method and with the credentials that it has registered", cause)
}

// presented returns the method of authentication that the request uses, or "" where it only names a client or none.
func (q *request) presented() (string, error) {
	var methods []string
	if len(q.r.Header["Authorization"]) > 0 {
		methods = append(methods, methodBasic)
	}
	if q.form.Has("client_secret") {
		methods = append(methods, methodPost)
	}
	if q.form.Has("client_assertion") || q.form.Has("client_assertion_type") {
		methods = append(methods, clientauth.PrivateKeyJWT)
	}
	if len(q.r.Header.Values(attestation.Header)) > 0 || len(q.r.Header.Values(attestation.PoPHeader)) > 0 {
		methods = append(methods, attestation.Method)
	}
	switch len(methods) {
	case 0:
		return "", nil
	case 1:
		return methods[0], nil
	}
	return "", invalid(oauth.InvalidRequest, "the client authenticates by more than one method", nil) // RFC 6749, Section 2.3
}

// named reports whether the request names a client, or tries to authenticate as one.
func (q *request) named() bool {
	method, err := q.presented()
	return method != "" || err != nil || q.form.Has("client_id")
}

// authenticate holds the request to the one method by which its client authenticates.
func (q *request) authenticate() error {
	before := q.ctx
	ctx, end := q.trace(before, "authenticate")
	q.ctx = ctx
	err := q.identify()
	q.ctx = before
	end(err)
	return err
}

func (q *request) identify() error {
	method, err := q.presented()
	if err != nil {
		return err
	}
	id := q.form.Get("client_id")
	var c *client
	switch method {
	case methodBasic:
		c, err = q.basic(id)
	case methodPost:
		c, err = q.secret(id, q.form.Get("client_secret"), methodPost)
	case clientauth.PrivateKeyJWT:
		c, err = q.assertion(id)
	case attestation.Method:
		c, err = q.attested(id)
	default:
		if id == "" {
			return unknown("client.none", "the request names no client")
		}
		c, err = q.bare(id)
	}
	if err != nil {
		return err
	}
	q.client = c
	q.event.Client, q.event.Attempted, q.event.Method = c.ID, "", c.method
	return q.countClient()
}

// lookup returns a client, or nil where there is none of that name.
func (q *request) lookup(id string) (*client, error) {
	c, err := q.Server.client(q.ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if c != nil {
		q.event.Attempted = c.ID
	}
	return c, err
}

// basic is client_secret_basic: both parts are form-encoded (RFC 6749, Section 2.3.1).
func (q *request) basic(id string) (*client, error) {
	values := q.r.Header["Authorization"]
	if len(values) > 1 {
		return nil, invalid(oauth.InvalidRequest, "there are several Authorization headers", nil)
	}
	name, password, ok := basicAuth(values[0])
	if !ok {
		return nil, unknown("client.credentials", "the Authorization header is not one of Basic")
	}
	user, err := url.QueryUnescape(name)
	if err != nil {
		return nil, unknown("client.credentials", "the client_id in the Authorization header is not form-encoded")
	}
	secret, err := url.QueryUnescape(password)
	if err != nil {
		return nil, unknown("client.credentials", "the secret in the Authorization header is not form-encoded")
	}
	if id != "" && id != user {
		return nil, invalid(oauth.InvalidRequest, "the client_id in the body is another than that of the Authorization header", nil)
	}
	return q.secret(user, secret, methodBasic)
}

// basicAuth reads credentials of Basic (RFC 7617, Section 2). There may be several spaces before them, which http.Request.BasicAuth does not
// take (RFC 9110, Section 11.4).
func basicAuth(value string) (id, secret string, ok bool) {
	scheme, rest, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimLeft(rest, " "))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}

// secret holds a secret to what is kept of the client's.
func (q *request) secret(id, secret, method string) (*client, error) {
	if len(secret) > maxSecret {
		return nil, unknown("client.credentials", "the secret is too long")
	}
	c, err := q.lookup(id)
	if err != nil {
		return nil, err
	}
	var ok, old bool
	switch {
	case c == nil || c.hash == nil && c.ChosenSecret == "": // an old secret is never alone
		var none [sha256.Size]byte
		_ = q.secrets.client.verify(clientMessage(id, secret), none[:]) // so that it takes as long
		q.waste(secret)
		if c == nil {
			return nil, unknown("client.unknown", "there is no such client")
		}
		return nil, unknown("client.method", "the client has registered "+c.method+", and sends a secret")
	case c.ChosenSecret != "" && q.o.VerifySecret == nil:
		return nil, errDocument.With("there is a chosen secret, and no Options.VerifySecret")
	case c.ChosenSecret != "":
		if ok, err = q.o.VerifySecret(q.ctx, c.ChosenSecret, secret); err != nil {
			return nil, err
		}
	default:
		if ok = q.secrets.client.verify(clientMessage(id, secret), c.hash); !ok {
			old, err = q.oldSecret(c, secret)
			ok = old
		}
		if err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, unknown("client.secret", "the secret is another")
	}
	if c.method != method {
		return nil, unknown("client.method", "the client has registered "+c.method+", and sends its secret as "+method+" does")
	}
	q.event.OldSecret = old
	return c, nil
}

// oldSecret holds a secret that is not the client's last to the one before, as long as that is accepted. What is refused takes as long as
// where there is none.
func (q *request) oldSecret(c *client, secret string) (ok bool, err error) {
	old := c.old(q.now)
	if old && c.oldHash != nil {
		ok = q.secrets.client.verify(clientMessage(c.ID, secret), c.oldHash)
	}
	switch {
	case old && c.oldChosen != "" && q.o.VerifySecret != nil:
		ok, err = q.o.VerifySecret(q.ctx, c.oldChosen, secret)
	case !ok:
		q.waste(secret)
	}
	return ok, err
}

// waste has a secret that is refused take as long as a chosen one, once there are clients with such: else its time would say which they are.
func (q *request) waste(secret string) {
	if q.chosen.Load() {
		_, _ = q.o.VerifySecret(q.ctx, "", secret)
	}
}

// assertion is private_key_jwt and client_secret_jwt (RFC 7523, Section 2.2).
func (q *request) assertion(id string) (*client, error) {
	if typ := q.form.Get("client_assertion_type"); typ != clientauth.AssertionType {
		return nil, invalid(oauth.InvalidClient, "the client_assertion_type is not "+clientauth.AssertionType, nil)
	}
	ctx := q.ctx
	if q.event.Grant != "" && len(q.r.Header["Dpop"]) > 0 { // the token endpoint settles it
		ctx = context.WithValue(ctx, heldKey{}, &q.held)
	}
	t, err := q.assertions.Verify(ctx, q.form.Get("client_assertion"), clientauth.Expect{ClientID: id, NoClientID: id == ""})
	if err != nil {
		return nil, q.unasserted(err)
	}
	c, err := q.lookup(t.Subject)
	switch {
	case err != nil:
		return nil, err
	case c == nil || clientauth.Method(t) != c.method: // since its key was found
		return nil, unknown("client.method", "the client has registered another method")
	}
	q.event.OldSecret = slices.ContainsFunc(c.oldSecret, func(k jwk.Key) bool { return k == t.Key })
	return c, nil
}

// unasserted is what is wrong with a client assertion: for who has a key of the client, and else for the operator alone.
func (q *request) unasserted(err error) error {
	r, ok := errors.AsType[*jwt.RejectError](err)
	if !ok {
		return err
	}
	c, _ := q.lookup(claimed(q.form.Get("client_assertion"), "sub")) // where the store does not answer, it is a refusal all the same
	if !errors.Is(r, jwt.ErrNoKey) && !errors.Is(r, jwt.ErrSignature) {
		return q.refused(oauth.InvalidClient, "the client_assertion", err) // RFC 7521, Section 4.2.1
	}
	switch {
	case c == nil:
		return unknown("client.unknown", "the client_assertion is of no client that there is")
	case c.method != clientauth.PrivateKeyJWT && c.method != clientauth.ClientSecretJWT:
		return unknown("client.method", "the client has registered "+c.method+", and sends a client_assertion")
	}
	return stranger(err)
}

// attested is attest_jwt_client_auth.
func (q *request) attested(id string) (*client, error) {
	if q.attestations == nil {
		return nil, unknown("client.attester", "no attesters are trusted")
	}
	a, err := q.attestations.Verify(q.ctx, q.r.Header, attestation.Expect{ClientID: id, NoClientID: id == ""})
	if err != nil {
		if e := attestation.Error(err); e != nil {
			return nil, e
		}
		return nil, err
	}
	c, err := q.lookup(a.Attestation.Subject)
	switch {
	case err != nil:
		return nil, err
	case c == nil || c.method != attestation.Method:
		return nil, unknown("client.method", "the client is none that is attested")
	}
	q.instance = a.Thumbprint
	return c, nil
}

// bare is a client that sends its client_id alone: it is public, or its certificate speaks for it (RFC 8705, Section 2).
func (q *request) bare(id string) (*client, error) {
	c, err := q.lookup(id)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, unknown("client.unknown", "there is no such client")
	}
	if c.method == methodNone {
		return c, nil
	}
	if c.method != methodTLS && c.method != methodSelfSignedTLS {
		return nil, unknown("client.credentials", "the client has registered "+c.method+", and sends its client_id alone")
	}
	certificate, err := q.certificate()
	switch {
	case err != nil:
		return nil, err
	case certificate == nil:
		return nil, unknown("client.certificate", "the client has sent no certificate")
	case c.method == methodTLS:
		err = q.certified(c, certificate)
	default:
		err = q.selfSigned(c, certificate)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// certified holds a certificate to RFC 8705, Section 2.1: one of our authorities vouches for the name that the client has registered.
func (q *request) certified(c *client, certificate *x509.Certificate) error {
	o := x509.VerifyOptions{
		Roots: q.o.ClientCAs, Intermediates: x509.NewCertPool(), CurrentTime: q.now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if q.r.TLS != nil {
		for _, other := range q.r.TLS.PeerCertificates {
			o.Intermediates.AddCert(other)
		}
	}
	if _, err := certificate.Verify(o); err != nil {
		return unknown("client.certificate", "the certificate is not certified: "+err.Error())
	}
	m := &c.Metadata
	var ok bool
	switch {
	case m.TLSSubjectDN != "":
		ok = distinguishedName(certificate.RawSubject) == m.TLSSubjectDN
	case m.TLSSANDNS != "":
		ok = slices.ContainsFunc(certificate.DNSNames, func(n string) bool { return strings.EqualFold(n, m.TLSSANDNS) })
	case m.TLSSANURI != "":
		ok = slices.ContainsFunc(certificate.URIs, func(u *url.URL) bool { return u.String() == m.TLSSANURI })
	case m.TLSSANIP != "":
		ip := net.ParseIP(m.TLSSANIP)
		ok = slices.ContainsFunc(certificate.IPAddresses, func(other net.IP) bool { return other.Equal(ip) })
	case m.TLSSANEmail != "":
		ok = slices.Contains(certificate.EmailAddresses, m.TLSSANEmail)
	}
	if !ok {
		return unknown("client.certificate", "the certificate has another name")
	}
	return nil
}

// distinguishedName writes a name as RFC 4514 does, or "" for one that cannot be read.
func distinguishedName(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return ""
	}
	return name.String()
}

// selfSigned holds a certificate to RFC 8705, Section 2.2: it is one of those in the client's JWK set, and nobody vouches for it.
func (q *request) selfSigned(c *client, certificate *x509.Certificate) error {
	set, err := c.set(q.ctx)
	if err != nil {
		return err
	}
	own := thumbprint(certificate)
	if !slices.ContainsFunc(set, func(k jwk.Key) bool {
		j := k.JWK()
		chain := j.X5C()
		return len(chain) > 0 && bytes.Equal(chain[0], certificate.Raw) || j.X5TS256() == own
	}) {
		return unknown("client.certificate", "the certificate is none of the client's")
	}
	return nil
}

// thumbprint is that of a certificate, as cnf has it (RFC 8705, Section 3.1).
func thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// tokenEndpoint is the URL of the token endpoint as the sender of the request sees it: one of two that are configured.
func (q *request) tokenEndpoint() string {
	if q.mtlsHost != "" && q.r.Host == q.mtlsHost {
		return q.mtls + "/token"
	}
	return q.tokenURL
}

var _ http.Handler = (*Server)(nil)
