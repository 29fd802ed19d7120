package guard

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsuite/jot/oauth"
)

// refuse answers a request that is not let through.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, need Need, err error) {
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok {
		e, _ = errors.AsType[*oauth.Error](unavailable(err))
	}
	if g.policy.DPoP != nil && (e.Code == oauth.UseDPoPNonce || e.Code == oauth.InvalidDPoPProof) {
		if err := g.policy.DPoP.SetNonce(r.Context(), w.Header()); err != nil {
			e, _ = errors.AsType[*oauth.Error](unavailable(err))
		}
	}
	if g.policy.Refused != nil {
		g.policy.Refused(r, e)
	}
	if e.HTTPStatus() < http.StatusInternalServerError {
		for _, c := range g.challenges(r, need, e) {
			w.Header().Add("WWW-Authenticate", c.String())
		}
	}
	if errors.Is(e.Cause, errNoToken) { // RFC 6750, Section 3.1: no error information
		w.WriteHeader(e.HTTPStatus())
		return
	}
	e.Write(w)
}

// challenges are those of all schemes that would do, with the error in the one that was used.
func (g *Guard) challenges(r *http.Request, need Need, e *oauth.Error) (out []oauth.Challenge) {
	ask := func(c oauth.Challenge) oauth.Challenge {
		c.ResourceMetadata, c.Scope = g.metadata, need.Scopes // RFC 9728, Section 5.1; RFC 6750, Section 3
		if g.metadata == "" {
			c.Realm = g.policy.Resource
		}
		if c.Error != nil && c.Error.Code == oauth.InsufficientUserAuthentication {
			c.ACRValues = need.ACRValues
			if need.MaxAge > 0 {
				c.MaxAge = &need.MaxAge
			}
		}
		return c
	}
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	usedDPoP := g.policy.DPoP != nil && strings.EqualFold(scheme, oauth.DPoP)
	if errors.Is(e.Cause, errNoToken) {
		e = nil
	}
	if g.policy.DPoP != nil {
		c := g.policy.DPoP.Challenge(nil)
		if usedDPoP {
			c.Error = e
		}
		out = append(out, ask(c))
	}
	if g.policy.DPoP == nil || !g.policy.RequireBound || !usedDPoP && e != nil {
		c := oauth.Challenge{Scheme: oauth.Bearer}
		if !usedDPoP {
			c.Error = e
		}
		out = append(out, ask(c))
	}
	return out
}

// publish makes the document of RFC 9728.
func (g *Guard) publish(m oauth.ResourceMetadata) (err error) {
	if g.metadata, err = oauth.ResourceMetadataURL(g.policy.Resource); err != nil {
		return incomplete("Resource: " + err.Error())
	}
	m.Resource = g.policy.Resource
	if m.BearerMethodsSupported == nil {
		m.BearerMethodsSupported = []string{"header"} // RFC 6750, Section 2.1
	}
	if g.policy.DPoP != nil {
		m.DPoPSigningAlgs = g.policy.DPoP.Challenge(nil).Algs
		m.DPoPBoundAccessTokens = m.DPoPBoundAccessTokens || g.policy.RequireBound && !m.CertificateBoundAccessTokens
	}
	if err := m.Validate(g.policy.Resource); err != nil {
		return incomplete("Metadata: " + err.Error())
	}
	if g.document, err = json.Marshal(m); err != nil {
		return incomplete("Metadata: " + err.Error())
	}
	return nil
}

// Metadata serves the metadata of the API (RFC 9728, Section 3.1) at its well-known path, which [Guard.MetadataPath]
// returns; 404 without Policy.Metadata. Browsers of any origin may read it.
func (g *Guard) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case g.document == nil:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the metadata is read with GET", http.StatusMethodNotAllowed)
		default:
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Cache-Control", "public, max-age=3600")
			_, _ = w.Write(g.document) // the client has gone
		}
	})
}

// MetadataPath is the path of the metadata's URL, for http.ServeMux; empty without Policy.Metadata.
func (g *Guard) MetadataPath() string {
	u, err := url.Parse(g.metadata)
	if err != nil {
		return ""
	}
	return u.Path
}
