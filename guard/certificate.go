package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/jotsuite/jot/internal/fetch"
)

// maxCertificate is the size of a certificate in a header that is read, in bytes.
const maxCertificate = 16 << 10

// ClientCertificate returns the certificate by which the sender of a request has authenticated in TLS; nil where there was
// none.
type ClientCertificate func(*http.Request) (*x509.Certificate, error)

// TLSCertificate is the [ClientCertificate] of a server that ends TLS itself. Its tls.Config has to ask for certificates:
// tls.RequestClientCert is enough for tokens, since it is the issuer of the token that has checked whose it is.
func TLSCertificate(r *http.Request) (*x509.Certificate, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, nil
	}
	return r.TLS.PeerCertificates[0], nil
}

// CertificateHeader is the [ClientCertificate] of a server behind a proxy that ends TLS and sends the certificate in a header of
// that name: as RFC 9440, Section 2.1, writes it (Client-Cert), or as PEM in percent-encoding, as nginx and load balancers
// do. The header counts only in requests from proxies; in all others, and where it is there twice, the request is refused, since anyone
// could have written it. The proxy must remove the header from what clients send.
func CertificateHeader(name string, proxies ...netip.Prefix) ClientCertificate {
	name = http.CanonicalHeaderKey(name)
	return func(r *http.Request) (*x509.Certificate, error) {
		values := r.Header[name]
		if len(values) == 0 {
			return nil, nil
		}
		if !fetch.Within(fetch.Sender(r.RemoteAddr), proxies) {
			return nil, errors.New("guard: a client certificate in the header of a request that no trusted proxy sent")
		}
		if len(values) > 1 {
			return nil, errors.New("guard: several headers with a client certificate")
		}
		return parseCertificate(values[0])
	}
}

func parseCertificate(value string) (*x509.Certificate, error) {
	if len(value) > maxCertificate {
		return nil, errors.New("guard: the client certificate in the header is too large")
	}
	var der []byte
	if inner, ok := strings.CutPrefix(value, ":"); ok { // a byte sequence of RFC 9651
		inner, ok = strings.CutSuffix(inner, ":")
		b, err := base64.StdEncoding.Strict().DecodeString(inner)
		if !ok || err != nil {
			return nil, errors.New("guard: the client certificate in the header is no byte sequence")
		}
		der = b
	} else {
		text, _ := url.PathUnescape(value) // a plus sign is one of base64's; what is no encoding is empty
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
			return nil, errors.New("guard: the header has no percent-encoded PEM of one client certificate")
		}
		der = block.Bytes
	}
	return x509.ParseCertificate(der)
}

// confirms reports whether the certificate is the one of x5t#S256 (RFC 8705, Section 3.1).
func confirms(thumbprint string, c *x509.Certificate) bool {
	if c == nil {
		return false
	}
	sum := sha256.Sum256(c.Raw)
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(thumbprint)) == 1
}
