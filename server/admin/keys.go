package admin

import (
	"time"
)

// shownKey is a key of the server as it is answered with. None of it is the key itself.
type shownKey struct {
	KeyID     string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Phase     string    `json:"phase"`
	Created   time.Time `json:"created,omitzero"`
	Published time.Time `json:"published,omitzero"`
	Active    time.Time `json:"active,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
	Deleted   time.Time `json:"deleted,omitzero"`
}

func (h *handler) listKeys(c *call) (any, error) {
	all, err := h.keys.Inspect(c.ctx)
	if err != nil {
		return nil, err
	}
	out := make([]shownKey, len(all))
	for i, k := range all {
		out[i] = shownKey{k.KeyID, k.Algorithm.Name(), k.Phase, k.Created.UTC(), k.Published.UTC(), k.Active.UTC(), k.Retired.UTC(), k.Deleted.UTC()}
	}
	return map[string]any{"keys": out}, nil
}

func (h *handler) rotateKeys(c *call) (any, error) {
	if err := h.keys.Rotate(c.ctx); err != nil {
		return nil, err
	}
	return h.listKeys(c)
}

func (h *handler) revokeKey(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	return nil, h.keys.Revoke(c.ctx, c.id)
}
