package admin

import (
	"encoding/json"
	"net/http"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/server"
)

// issuerDocument is a trusted issuer as it is sent.
type issuerDocument struct {
	server.TrustedIssuer

	// Secrets are those to add, and the empty ones those to remove.
	Secrets   map[string]string          `json:"secrets,omitempty"`
	SecretIDs []string                   `json:"secret_ids,omitempty"` // as it was answered with
	Others    map[string]json.RawMessage `json:",inline"`
}

var issuerDecoder, _ = strictjson.NewDecoder[issuerDocument]()

// shownIssuer is a trusted issuer as it is answered with.
type shownIssuer struct {
	server.TrustedIssuer

	SecretIDs []string `json:"secret_ids,omitempty"`
}

func showIssuer(x *server.TrustedIssuer) shownIssuer { return shownIssuer{*x, x.SecretIDs()} }

func (h *handler) listIssuers(c *call) (any, error) {
	after, limit, err := c.page()
	if err != nil {
		return nil, err
	}
	all, err := h.s.Issuers(c.ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	return list("issuers", all, limit, func(x *server.TrustedIssuer) string { return x.Issuer }, showIssuer), nil
}

func (h *handler) getIssuer(c *call) (any, error) {
	x, err := h.s.Issuer(c.ctx, c.id)
	if err != nil {
		return nil, err
	}
	c.etag(x.Version)
	return showIssuer(x), nil
}

func (h *handler) putIssuer(c *call) (any, error) {
	version, err := c.precondition()
	if err != nil {
		return nil, err
	}
	var d issuerDocument
	if err := read(c, issuerDecoder, &d); err != nil {
		return nil, err
	}
	if err := known(d.Others); err != nil {
		return nil, err
	}
	if d.Issuer != "" && d.Issuer != c.id {
		return nil, invalid("issuer is not that of the path", nil)
	}
	to := d.TrustedIssuer
	to.Issuer, to.Secrets = c.id, d.Secrets
	if version != 0 {
		old, err := h.s.Issuer(c.ctx, c.id)
		if err != nil {
			return nil, err
		}
		if version != anyVersion && version != old.Version {
			return nil, failed("it has changed since: GET it again")
		}
		to.Version = old.Version
	}
	now, err := h.s.SaveIssuer(c.ctx, to)
	if err != nil {
		return nil, saved(err, version == 0)
	}
	c.etag(now.Version)
	if version == 0 {
		c.status = http.StatusCreated
	}
	return showIssuer(now), nil
}

func (h *handler) deleteIssuer(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	return nil, h.s.DeleteIssuer(c.ctx, c.id)
}
