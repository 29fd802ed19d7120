package admin

import (
	"net/http"
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

func (h *handler) listKeys(c *call) error {
	all, err := h.keys.Inspect(c.ctx)
	if err != nil {
		return err
	}
	out := make([]shownKey, len(all))
	for i, k := range all {
		out[i] = shownKey{k.KeyID, k.Algorithm.Name(), k.Phase, k.Created.UTC(), k.Published.UTC(), k.Active.UTC(), k.Retired.UTC(), k.Deleted.UTC()}
	}
	return c.write(http.StatusOK, map[string]any{"keys": out})
}

func (h *handler) rotateKeys(c *call) error {
	if err := h.keys.Rotate(c.ctx); err != nil {
		return err
	}
	return h.listKeys(c)
}

func (h *handler) revokeKey(c *call) error {
	if err := c.unconditional(); err != nil {
		return err
	}
	if err := h.keys.Revoke(c.ctx, c.id); err != nil {
		return err
	}
	return c.done()
}
