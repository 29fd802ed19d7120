package admin

import (
	"encoding/json"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/store"
)

func (h *handler) listGrants(c *call) (any, error) {
	after, limit, err := c.page()
	if err != nil {
		return nil, err
	}
	f := store.GrantFilter{Client: c.query["client_id"], Subject: c.query["subject"], After: after, Limit: limit + 1}
	all, err := h.s.Grants(c.ctx, f)
	if err != nil {
		return nil, err
	}
	return list("grants", all, limit, func(x *server.Grant) string { return x.ID }, func(x *server.Grant) *server.Grant { return x }), nil
}

func (h *handler) getGrant(c *call) (any, error) {
	x, err := h.s.Grant(c.ctx, c.id)
	if err != nil {
		return nil, err
	}
	return x, nil
}

func (h *handler) revokeGrant(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	if _, err := h.s.Grant(c.ctx, c.id); err != nil {
		return nil, err
	}
	_, err := h.s.Revoke(c.ctx, store.Target{Sort: store.OfGrant, ID: c.id})
	return nil, err
}

// revocation says what ends: one of them.
type revocation struct {
	TokenID string                     `json:"jti,omitempty"`
	Client  string                     `json:"client_id,omitempty"`
	Subject string                     `json:"subject,omitempty"`
	Others  map[string]json.RawMessage `json:",inline"`
}

var revocationDecoder, _ = strictjson.NewDecoder[revocation]()

func (h *handler) revoke(c *call) (any, error) {
	var d revocation
	if err := read(c, revocationDecoder, &d); err != nil {
		return nil, err
	}
	if err := known(d.Others); err != nil {
		return nil, err
	}
	var targets []store.Target
	for _, t := range []store.Target{{Sort: store.OfToken, ID: d.TokenID}, {Sort: store.OfClient, ID: d.Client}, {Sort: store.OfSubject, ID: d.Subject}} {
		if t.ID != "" {
			targets = append(targets, t)
		}
	}
	if len(targets) != 1 {
		return nil, invalid("one of jti, client_id and subject says what is revoked", nil)
	}
	c.event.Target, c.event.Of = targets[0].ID, string(targets[0].Sort)
	n, err := h.s.Revoke(c.ctx, targets[0])
	if err != nil {
		return nil, err
	}
	return map[string]int{"grants": n}, nil
}
