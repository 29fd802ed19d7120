package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/discover"
	"github.com/jotsuite/jot/internal/fetch"
	"github.com/jotsuite/jot/oauth"
)

// DiscoverOptions say how metadata is fetched. The zero value is good.
type DiscoverOptions struct {
	// Stranger says that the issuer is not configured but comes from a document, such as the metadata of a resource: it is dialled
	// only where the address is public, or AllowNetworks or AllowHosts say more. For DiscoverResource it says so of the resource.
	Stranger      bool
	AllowNetworks []netip.Prefix
	AllowHosts    []string
	// Resource is the identifier of the resource where that is not the URL of the request.
	Resource string

	// RootCAs are who may certify the servers. Nil means the system's.
	RootCAs *x509.CertPool
	// Proxy chooses a proxy, as in http.Transport. Nil means the environment's.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout is for each fetch. Zero means 10 s.
	Timeout time.Duration
}

func (o *DiscoverOptions) client(stranger bool) *fetch.Client {
	f := fetch.Options{RootCAs: o.RootCAs, Proxy: o.Proxy, Timeout: o.Timeout}
	if stranger {
		f.Guard = &fetch.Guard{Networks: o.AllowNetworks, Hosts: o.AllowHosts}
	}
	return fetch.New(f)
}

func request(document string) fetch.Request {
	return fetch.Request{URL: document, Types: []string{"application/json"}, Also: []string{"+json", "text/json"}}
}

// Discover fetches the metadata of an authorization server and validates it: at the places that [oauth.MetadataURLs] names,
// over https, or http to this machine. It is not kept.
func Discover(ctx context.Context, issuer string, o DiscoverOptions) (*oauth.ServerMetadata, error) {
	documents, err := oauth.MetadataURLs(issuer)
	if err != nil {
		return nil, err
	}
	document, resp, err := discover.Find(ctx, o.client(o.Stranger), documents, request)
	if err != nil {
		return nil, fmt.Errorf("client: %s: %w", strings.TrimSpace(issuer+" "+document), err)
	}
	m := new(oauth.ServerMetadata)
	if err := json.Unmarshal(resp.Body, m); err != nil {
		return nil, fmt.Errorf("client: %s: %w", document, err)
	}
	if err := m.Validate(issuer); err != nil {
		return nil, fmt.Errorf("client: %s: %w", document, err)
	}
	return m, nil
}

// DiscoverResource fetches the metadata of the resource that has answered a request with 401 (RFC 9728, Section 5), and
// validates it: from the URL of its challenge, or where that has none, from the one that its identifier has. The identifier is the
// URL of the request, exactly, unless options say otherwise. A URL on another host than the request's is fetched as a stranger's.
//
// Which of the AuthorizationServers it names the client trusts is for the program to say. [Discover] fetches their metadata, with
// Stranger set.
func DiscoverResource(ctx context.Context, answer *http.Response, o DiscoverOptions) (*oauth.ResourceMetadata, error) {
	if answer.Request == nil || answer.Request.URL == nil { // as a http.RoundTripper of one's own may leave it
		return nil, errConfig.With("the answer does not say which request it is to")
	}
	asked := *answer.Request.URL
	asked.Fragment, asked.RawFragment = "", ""
	resource := o.Resource
	if resource == "" {
		resource = asked.String()
	}
	challenges, err := oauth.ParseChallenges(answer.Header.Values("WWW-Authenticate"))
	if err != nil {
		return nil, err
	}
	document := ""
	for _, c := range challenges {
		if c.ResourceMetadata != "" {
			document = c.ResourceMetadata
			break
		}
	}
	if document == "" {
		if document, err = oauth.ResourceMetadataURL(resource); err != nil {
			return nil, err
		}
	}
	u, err := url.Parse(document)
	if err != nil {
		return nil, fmt.Errorf("client: resource_metadata is no URL: %w", err)
	}
	resp, err := o.client(o.Stranger || !strings.EqualFold(u.Hostname(), asked.Hostname())).Get(ctx, request(document))
	if err != nil {
		return nil, fmt.Errorf("client: %.200q: %w", document, err)
	}
	m := new(oauth.ResourceMetadata)
	if err := json.Unmarshal(resp.Body, m); err != nil {
		return nil, fmt.Errorf("client: %.200q: %w", document, err)
	}
	if err := m.Validate(resource); err != nil {
		if o.Resource == "" && errors.Is(err, oauth.ErrIssuer) {
			err = fmt.Errorf("%w, and the URL of the request is %.200q; if it is that of the resource all the same, say so with DiscoverOptions.Resource", err, resource)
		}
		return nil, fmt.Errorf("client: %.200q: %w", document, err)
	}
	return m, nil
}
