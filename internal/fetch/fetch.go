// Package fetch is how documents are fetched over HTTP here: small ones, over https,
// with a limit on everything that a server can stretch.
//
// [New] makes a client for the URLs of the operator, which stand in code or
// configuration and may lead anywhere; with [Options.Guard] it makes the one for URLs
// that come from tokens, clients and fetched documents. That one judges the address
// that is dialled, after the name has been looked up and at every dial. Where a proxy
// dials instead, what the name stands for here is judged before the proxy is asked;
// what the proxy takes it for is beyond our reach.
//
// There is https alone, from TLS 1.2; plain http only for the operator's URLs that lead
// to this machine, which is seen to when it is dialled. There are no cookies, no
// connections that stay open, and no redirects, unless those within one origin are
// asked for.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxBody is the most that is read of an answer, after decompression.
const MaxBody = 1 << 20

const (
	defaultTimeout = 10 * time.Second
	maxRedirects   = 3
	maxHeader      = 64 << 10
)

// The failures, for errors.Is. Any other is one of the network.
var (
	// ErrRefused: the URL or the address behind it may not be fetched.
	ErrRefused = errors.New("the URL is refused")
	// ErrTooLarge: the answer is over [MaxBody].
	ErrTooLarge = errors.New("the answer has more than 1 MiB")
	// ErrType: the answer is of another type than was asked for.
	ErrType = errors.New("the answer is of another type")
)

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

// StatusError is an answer that is neither 200 nor, where it was asked for, 304.
type StatusError struct {
	Code       int
	RetryAfter time.Duration // RFC 9110, Section 10.2.3; zero where it says nothing
}

func (e *StatusError) Error() string {
	s := "the server answered " + strconv.Itoa(e.Code)
	if text := http.StatusText(e.Code); text != "" {
		s += " " + text
	}
	if e.Code/100 == 3 {
		s += ", and redirects are not followed"
	}
	return s
}

// Options are the settings of a client. The zero value is good.
type Options struct {
	// RootCAs are who may certify servers. Nil means the system's.
	RootCAs *x509.CertPool
	// Proxy chooses the proxy of a request, as in [http.Transport]. Nil means the
	// environment's. Plain http never goes through one.
	Proxy func(*http.Request) (*url.URL, error)
	// Timeout is for the whole of a fetch; half of it for each stage. Zero means 10 s.
	Timeout time.Duration
	// FollowRedirects follows at most three redirects to the scheme, host and port that
	// the URL has.
	FollowRedirects bool
	// Guard is for URLs that are not the operator's.
	Guard *Guard
	// Resolver looks names up. Nil means the standard one.
	Resolver *net.Resolver
}

// Client fetches. It is immutable, safe for concurrent use, and holds nothing open.
type Client struct {
	o               Options
	direct, proxied http.Client
}

// New makes a client.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Proxy == nil {
		o.Proxy = http.ProxyFromEnvironment
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	c := &Client{o: o}
	c.direct = c.client(nil, c.dial)
	c.proxied = c.client(proxyOf, c.dialer(nil).DialContext)
	return c
}

func (c *Client) client(proxy func(*http.Request) (*url.URL, error), dial func(ctx context.Context, network, address string) (net.Conn, error)) http.Client {
	stage := c.o.Timeout / 2
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return http.Client{
		CheckRedirect: c.redirect,
		Transport: &http.Transport{
			Proxy:                  proxy,
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{RootCAs: c.o.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    stage,
			ResponseHeaderTimeout:  stage,
			MaxResponseHeaderBytes: maxHeader,
			DisableKeepAlives:      true, // a connection that waits has goroutines, and these fetches are rare
			Protocols:              protocols,
		},
	}
}

func (c *Client) dialer(control controller) *net.Dialer {
	return &net.Dialer{Timeout: c.o.Timeout / 2, Resolver: c.o.Resolver, Control: control}
}

// dial dials a server itself.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, _ := net.SplitHostPort(address) // which the transport has joined
	var control controller
	switch g := c.o.Guard; {
	case ctx.Value(plainKey{}) != nil:
		control = loopbackOnly
	case g != nil && !g.exempts(host):
		control = g.control
	}
	return c.dialer(control).DialContext(ctx, network, address)
}

type (
	plainKey struct{} // the request is one over plain http
	proxyKey struct{} // the proxy of the request
)

func proxyOf(r *http.Request) (*url.URL, error) { return r.Context().Value(proxyKey{}).(*url.URL), nil }

func (c *Client) redirect(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	if !c.o.FollowRedirects || len(via) > maxRedirects {
		return http.ErrUseLastResponse
	}
	if r.URL.Scheme != first.Scheme || !strings.EqualFold(r.URL.Host, first.Host) {
		return refused("it redirects to another origin")
	}
	_, err := checkURL(r.URL.String(), c.o.Guard)
	return err
}

// CheckURL refuses a URL that [Client.Get] would refuse without looking at the network.
func (c *Client) CheckURL(raw string) error {
	_, err := checkURL(raw, c.o.Guard)
	return err
}

// Request is what is to be fetched.
type Request struct {
	URL    string
	Header http.Header // sent with it, to no other origin
	// Types are the media types that are asked for, without parameters. They are accepted,
	// and so is Also, where "+json" means any that ends so, and an answer that says
	// nothing. Without Types any is.
	Types, Also []string
	ETag        string // what is had already, if anything (RFC 9110, Section 13.1.2)
}

// Response is an answer.
type Response struct {
	Body        []byte // nil where NotModified
	NotModified bool
	ETag        string
	Fresh       time.Duration // how much longer it may be used without asking (RFC 9111, Section 4.2)
	Explicit    bool          // the server said so
}

// Get fetches one document.
func (c *Client) Get(ctx context.Context, req Request) (*Response, error) {
	u, err := checkURL(req.URL, c.o.Guard)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	if u.Scheme == "http" {
		ctx = context.WithValue(ctx, plainKey{}, true)
	}
	r := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}).WithContext(ctx)
	maps.Copy(r.Header, req.Header)
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "jot")
	}
	r.Header.Set("Accept", accept(req.Types))
	if req.ETag != "" {
		r.Header.Set("If-None-Match", req.ETag)
	}
	resp, err := c.do(r)
	if err != nil {
		return nil, unwrap(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return read(resp, &req)
}

// do sends the request itself, or through the proxy.
func (c *Client) do(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" {
		return c.direct.Do(r)
	}
	proxy, err := c.o.Proxy(r)
	if err != nil {
		return nil, err
	}
	if proxy == nil {
		return c.direct.Do(r)
	}
	if g := c.o.Guard; g != nil {
		if err := g.resolve(r.Context(), c.o.Resolver, r.URL.Hostname()); err != nil {
			return nil, err
		}
	}
	return c.proxied.Do(r.WithContext(context.WithValue(r.Context(), proxyKey{}, proxy)))
}

// unwrap takes the method and the URL off the error, which callers name themselves.
func unwrap(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func read(resp *http.Response, req *Request) (*Response, error) {
	out := &Response{ETag: resp.Header.Get("ETag")}
	out.Fresh, out.Explicit = freshness(resp.Header)
	if len(out.ETag) > 1024 {
		out.ETag = ""
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && req.ETag != "":
		out.NotModified = true
		if out.ETag == "" {
			out.ETag = req.ETag
		}
		return out, nil
	case resp.StatusCode != http.StatusOK:
		return nil, &StatusError{resp.StatusCode, retryAfter(resp.Header)}
	}
	if t := resp.Header.Get("Content-Type"); !accepts(t, req) {
		return nil, fmt.Errorf("%w: %.100q", ErrType, t)
	}
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, fmt.Errorf("%w: its encoding %.100q was not asked for", ErrType, e)
	}
	if resp.ContentLength > MaxBody {
		return nil, ErrTooLarge
	}
	var err error
	if out.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxBody+1)); err != nil {
		return nil, fmt.Errorf("the answer broke off: %w", err)
	}
	if len(out.Body) > MaxBody {
		return nil, ErrTooLarge
	}
	return out, nil
}

func accept(types []string) string {
	return strings.Join(append(slices.Clone(types), "*/*;q=0.1"), ", ")
}

func accepts(contentType string, req *Request) bool {
	if contentType == "" || len(req.Types) == 0 {
		return true
	}
	got, _, _ := mime.ParseMediaType(contentType) // nothing, or without parameters, where it is malformed
	return slices.Contains(req.Types, got) || slices.ContainsFunc(req.Also, func(t string) bool {
		return t == got || t[0] == '+' && strings.HasSuffix(got, t)
	})
}
