package keyset

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/discover"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/oauth"
)

// Issuer has the keys of an issuer, which it finds by the issuer's metadata: at
// /.well-known/openid-configuration behind the identifier (OpenID Connect Discovery
// 1.0, Section 4), else at /.well-known/oauth-authorization-server and
// /.well-known/openid-configuration before its path (RFC 8414, Sections 3.1 and 5). It
// is a [jwk.Source] as [Remote] is.
type Issuer struct {
	core
	at        *url.URL
	operator  *fetch.Client
	stranger  *fetch.Client
	documents []string // where the metadata may be
	known     metadata // of the fetch in flight alone
}

// metadata is what is known of the issuer, besides its keys.
type metadata struct {
	document string // where it was found
	etag     string
	jwks     string
	expires  time.Time
	set      string // where the last set came from, whose ETag the snapshot has
}

// NewIssuer makes an Issuer. It reads [Options.File] but fetches nothing yet. The
// identifier is https, or http to this machine, without query and fragment, and is
// compared exactly.
func NewIssuer(issuer string, o Options) (*Issuer, error) {
	o, err := o.normalize()
	if err != nil {
		return nil, err
	}
	i := &Issuer{operator: o.operator(), stranger: o.guarded()}
	if err := i.operator.CheckURL(issuer); err != nil {
		return nil, failure(issuer, err)
	}
	i.at, _ = url.Parse(issuer) // which has been parsed before
	if i.documents, err = oauth.MetadataURLs(issuer); err != nil {
		return nil, errRefusedURL.With(fmt.Sprintf("%s: %v", issuer, err))
	}
	i.core.start(issuer, o, i.fetch)
	return i, nil
}

// fetch fetches the set, and the metadata before it where that is due. One fetch is in
// flight at a time, so it has i.known to itself.
func (i *Issuer) fetch(ctx context.Context, etag string) (*fetch.Response, error) {
	m := &i.known
	if !i.o.Clock().Before(m.expires) {
		if err := i.discover(ctx); err != nil {
			return nil, err
		}
	}
	client, header := i.stranger, i.o.Header
	at, err := url.Parse(m.jwks)
	if err != nil {
		at = new(url.URL) // the client refuses it
	}
	// What the operator has named goes for its other paths and ports too, but not for
	// what is to be told it.
	if strings.EqualFold(at.Hostname(), i.at.Hostname()) {
		client = i.operator
	}
	if at.Scheme != i.at.Scheme || !strings.EqualFold(at.Host, i.at.Host) {
		header = nil
	}
	if m.set != m.jwks {
		etag = ""
	}
	resp, err := client.Get(ctx, request(m.jwks, header, etag))
	if err != nil {
		m.expires = time.Time{} // the set may have moved
		return nil, failure(m.jwks, err)
	}
	m.set = m.jwks
	return resp, nil
}

// discover reads the metadata.
func (i *Issuer) discover(ctx context.Context) error {
	m := &i.known
	all := i.documents
	if m.document != "" {
		all = []string{m.document}
	}
	document, resp, err := discover.Find(ctx, i.operator, all, func(document string) fetch.Request {
		req := request(document, i.o.Header, "")
		if document == m.document {
			req.ETag = m.etag
		}
		return req
	})
	switch {
	case document == "":
		m.document = "" // next time, look everywhere again
		return errUnreachable.With(err.Error())
	case err != nil:
		return failure(document, err)
	}
	if !resp.NotModified {
		jwks, err := i.read(document, resp.Body)
		if err != nil {
			return err
		}
		m.document, m.jwks = document, jwks
	}
	age := i.o.MinAge
	if resp.Explicit {
		age = min(max(resp.Fresh, i.o.MinAge), i.o.MaxAge)
	}
	m.etag, m.expires = resp.ETag, i.o.Clock().Add(age)
	return nil
}

// read returns the jwks_uri of a document that is the issuer's.
func (i *Issuer) read(document string, data []byte) (string, error) {
	var w struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := strictjson.Unmarshal(data, &w, strictjson.Limits{Bytes: maxDocument}); err != nil {
		return "", failure(document, err)
	}
	// RFC 8414, Section 3.3; OpenID Connect Discovery 1.0, Section 4.3: exactly.
	if err := oauth.CheckIssuer(w.Issuer, i.source); err != nil {
		err = fmt.Errorf("%s: %w", document, err)
		if strings.Contains(w.Issuer, "{") {
			err = fmt.Errorf("%w, which stands for many: see Template", err)
		}
		return "", err
	}
	if w.JWKS == "" {
		return "", errUnreachable.With(document + " has no jwks_uri")
	}
	return w.JWKS, nil
}
