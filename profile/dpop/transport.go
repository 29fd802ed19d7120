package dpop

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
)

// Transport is an http.RoundTripper that puts a proof into every request. Its zero value needs a Key.
//
// It remembers the nonce of each server and uses it in all further requests to it. Where a server answers that it wants a nonce
// (use_dpop_nonce), the request is sent once more with that nonce: if its body can be had again, which http.NewRequest sees
// to for the usual ones, and never a second time. Any other answer, and that one where the body is gone, is returned
// as it came.
//
// A redirection to another origin gets neither the token nor a proof, whatever headers an http.Client copies.
type Transport struct {
	// Key makes the proofs: a private key, whose thumbprint the tokens are bound to.
	Key jwk.Signer
	// Token, if not nil, returns the access token for a request, or "" for none. Where it is nil, the token of a header
	// Authorization: DPoP is used, as golang.org/x/oauth2 sets it. Without a token the request gets a proof alone, as
	// those to a token endpoint.
	Token func(*http.Request) (string, error)
	// Base sends the requests; nil means http.DefaultTransport.
	Base http.RoundTripper

	mu     sync.Mutex
	nonces []originNonce // the most recent last
}

type originNonce struct{ origin, nonce string }

const (
	maxOrigins   = 100
	maxNonce     = 1 << 10 // bytes
	maxErrorBody = 16 << 10
)

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	origin, err := originOf(req.URL)
	if err != nil {
		return nil, fail(req, err)
	}
	if redirected(req, origin) {
		bare := with(req, req.Header.Clone(), req.Body)
		bare.Header.Del(Header)
		if _, ok := tokenOf(bare.Header); ok {
			bare.Header.Del("Authorization")
		}
		return base.RoundTrip(bare)
	}
	token, err := t.token(req)
	if err != nil {
		return nil, fail(req, err)
	}
	used := t.nonce(origin)
	signed, err := t.sign(req, token, used, req.Body)
	if err != nil {
		return nil, fail(req, err)
	}
	resp, err := base.RoundTrip(signed)
	if err != nil {
		return nil, err
	}
	fresh := t.remember(origin, resp)
	if fresh == "" || fresh == used || !wantsNonce(resp) {
		return resp, nil
	}
	body, ok := bodyAgain(req)
	if !ok {
		return resp, nil
	}
	if signed, err = t.sign(req, token, fresh, body); err != nil {
		_ = resp.Body.Close()
		closeBody(body)
		return nil, err
	}
	// What is left of the answer is read so that the connection can be used again.
	_, _ = io.CopyN(io.Discard, resp.Body, maxErrorBody)
	_ = resp.Body.Close()
	if resp, err = base.RoundTrip(signed); err != nil {
		return nil, err
	}
	t.remember(origin, resp)
	return resp, nil
}

// token returns the access token that the request shall have, or "".
func (t *Transport) token(req *http.Request) (string, error) {
	if t.Token != nil {
		return t.Token(req)
	}
	token, _ := tokenOf(req.Header)
	return token, nil
}

// tokenOf returns the access token of an Authorization header with the scheme DPoP.
func tokenOf(h http.Header) (string, bool) {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, oauth.DPoP) {
		return "", false
	}
	return strings.TrimLeft(token, " "), true
}

// sign returns the request with a proof; a RoundTripper changes nothing of what it got.
func (t *Transport) sign(req *http.Request, token, nonce string, body io.ReadCloser) (*http.Request, error) {
	// RFC 9110, Section 7.1: the target URI has the host of the header Host.
	host := cmp.Or(req.Host, req.URL.Host)
	if strings.ContainsFunc(host, func(r rune) bool { return r > '~' }) {
		return nil, errors.New("a host that is not ASCII has to be written as it is sent (xn--…)")
	}
	c := Claims{Method: cmp.Or(req.Method, http.MethodGet), URL: req.URL.Scheme + "://" + host + req.URL.EscapedPath(), Nonce: nonce}
	if token != "" {
		c.TokenHash = TokenHash(token)
	}
	proof, err := Sign(req.Context(), t.Key, jwt.Registered{}, c)
	if err != nil {
		return nil, err
	}
	h := req.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set(Header, proof)
	if token != "" {
		h.Set("Authorization", oauth.DPoP+" "+token)
	}
	return with(req, h, body), nil
}

// with returns a shallow copy of a request with other headers and another body.
func with(req *http.Request, h http.Header, body io.ReadCloser) *http.Request {
	r := new(http.Request)
	*r = *req
	r.Header, r.Body = h, body
	return r
}

// redirected reports whether one of another origin led to the request.
func redirected(req *http.Request, origin string) bool {
	for r := req.Response; r != nil && r.Request != nil; r = r.Request.Response {
		if o, err := originOf(r.Request.URL); err != nil || o != origin {
			return true
		}
	}
	return false
}

// originOf returns the origin of a URL in its one form.
func originOf(u *url.URL) (string, error) {
	if u != nil && u.Opaque == "" {
		if origin, ok := appendURL(nil, u.Scheme+"://"+u.Host); ok {
			return string(origin), nil
		}
	}
	return "", errors.New("its URL is not one of http or https with a host")
}

// nonce returns the last nonce of an origin, or "".
func (t *Transport) nonce(origin string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.nonces, func(n originNonce) bool { return n.origin == origin }); i >= 0 {
		return t.nonces[i].nonce
	}
	return ""
}

// remember keeps the nonce of a response, whatever its status is (RFC 9449, Section 8.2), and returns it.
func (t *Transport) remember(origin string, resp *http.Response) string {
	values := resp.Header.Values(NonceHeader)
	// RFC 9449, Section 8: not more than one. Section 8.1: of visible characters but " and \.
	if len(values) != 1 || values[0] == "" || len(values[0]) > maxNonce ||
		strings.ContainsFunc(values[0], func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nonces = slices.DeleteFunc(t.nonces, func(n originNonce) bool { return n.origin == origin })
	if len(t.nonces) >= maxOrigins {
		t.nonces = slices.Delete(t.nonces, 0, 1)
	}
	t.nonces = append(t.nonces, originNonce{origin, values[0]})
	return values[0]
}

// wantsNonce reports whether a response is the error use_dpop_nonce: of an authorization server in JSON (RFC 9449, Section
// 8), of a resource server as the challenge of the scheme DPoP (Section 9). The body can be read afterwards as before.
func wantsNonce(resp *http.Response) bool {
	if resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	// A header that cannot be read is none.
	challenges, _ := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate"))
	for _, c := range challenges {
		if strings.EqualFold(c.Scheme, oauth.DPoP) && c.Error != nil && c.Error.Code == oauth.UseDPoPNonce {
			return true
		}
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "application/json" {
		return false
	}
	rest := resp.Body
	start, _ := io.ReadAll(io.LimitReader(rest, maxErrorBody)) // whoever reads on meets the error
	resp.Body = body{io.MultiReader(bytes.NewReader(start), rest), rest}
	e, err := oauth.ParseError(resp.StatusCode, start)
	return err == nil && e.Code == oauth.UseDPoPNonce
}

// body is a response's body of which a part was read.
type body struct {
	io.Reader
	io.Closer
}

// bodyAgain returns the body of a request a second time, if it can be had.
func bodyAgain(req *http.Request) (io.ReadCloser, bool) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return req.Body, true
	case req.GetBody == nil:
		return nil, false
	}
	b, err := req.GetBody()
	return b, err == nil
}

// fail closes the body, as a RoundTripper has to.
func fail(req *http.Request, err error) error {
	closeBody(req.Body)
	return fmt.Errorf("dpop: the request was not sent: %w", err)
}

func closeBody(b io.ReadCloser) {
	if b != nil {
		_ = b.Close()
	}
}
