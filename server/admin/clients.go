package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/server"
)

// clientDocument is a client as it is sent.
type clientDocument struct {
	server.Client

	Others map[string]json.RawMessage `json:",inline"`
}

var clientDecoder, _ = strictjson.NewDecoder[clientDocument]()

// shownClient is a client as it is answered with.
type shownClient struct {
	server.Client

	Secret string `json:"client_secret,omitempty"`
}

// showClient leaves out of a client what is secret, save for a secret that was just made.
func showClient(x *server.Client) shownClient {
	shown := shownClient{*x, x.Secret}
	shown.ChosenSecret = ""
	return shown
}

func (h *handler) listClients(c *call) (any, error) {
	after, limit, err := c.page()
	if err != nil {
		return nil, err
	}
	all, err := h.s.Clients(c.ctx, after, limit+1)
	if err != nil {
		return nil, err
	}
	return list("clients", all, limit, func(x *server.Client) string { return x.ID }, showClient), nil
}

func (h *handler) getClient(c *call) (any, error) {
	x, err := h.s.Client(c.ctx, c.id)
	if err != nil {
		return nil, err
	}
	c.etag(x.Version)
	return showClient(x), nil
}

func (h *handler) putClient(c *call) (any, error) {
	version, err := c.precondition()
	if err != nil {
		return nil, err
	}
	var d clientDocument
	if err := read(c, clientDecoder, &d); err != nil {
		return nil, err
	}
	if d.ChosenSecret != "" {
		return nil, invalid("chosen_secret is not taken here: jot client add takes one", nil)
	}
	if err := known(d.Others); err != nil {
		return nil, err
	}
	if d.ID != "" && d.ID != c.id {
		return nil, invalid("client_id is not that of the path", nil)
	}
	to, old := d.Client, new(server.Client)
	if version != 0 {
		if old, err = h.s.Client(c.ctx, c.id); err != nil {
			return nil, err
		}
		if version != anyVersion && version != old.Version {
			return nil, failed("it has changed since: GET it again")
		}
		if to.Metadata.Method() == old.Metadata.Method() {
			to.ChosenSecret = old.ChosenSecret
		}
	}
	for name := range to.Metadata.Extra {
		// A client that has registered itself may have members that mean nothing here; RFC 7591, Section 2.2, has the languages.
		if _, ok := old.Metadata.Extra[name]; !ok && !strings.Contains(name, "#") {
			return nil, invalid(fmt.Sprintf("the metadata has no member %.64s", name), nil)
		}
	}
	// What the server says of a client is not for the sender.
	to.ID, to.Version, to.Created, to.Registered = c.id, old.Version, old.Created, old.Registered
	to.OldSecretExpires = old.OldSecretExpires
	now, err := h.s.SaveClient(c.ctx, to)
	if err != nil {
		return nil, saved(err, version == 0)
	}
	c.etag(now.Version)
	if version == 0 {
		c.status = http.StatusCreated
	}
	return showClient(now), nil
}

// renewedSecret is the answer to who has made a new secret.
type renewedSecret struct {
	ID               string    `json:"client_id"`
	Secret           string    `json:"client_secret"`
	OldSecretExpires time.Time `json:"old_secret_expires,omitzero"`
}

// renewSecret makes a new secret. The old one is good for nothing from then on, or from the end of the overlap.
func (h *handler) renewSecret(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	seconds, err := uint64(0), error(nil)
	if text, ok := c.query["overlap"]; ok {
		if seconds, err = strconv.ParseUint(text, 10, 32); err != nil {
			return nil, invalid("overlap is not a number of seconds, at most 7776000, which are 90 days", nil)
		}
	}
	x, err := h.s.Client(c.ctx, c.id)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(x.Metadata.Method(), "client_secret_") {
		return nil, invalid("the client authenticates by "+x.Metadata.Method()+" and has no secret", nil)
	}
	x.ChosenSecret, x.NewSecret, x.Overlap = "", true, time.Duration(seconds)*time.Second
	now, err := h.s.SaveClient(c.ctx, *x)
	if err != nil {
		return nil, saved(err, false)
	}
	c.etag(now.Version)
	return renewedSecret{now.ID, now.Secret, now.OldSecretExpires}, nil
}

// endOldSecret ends the secret before the last, if that has not ended.
func (h *handler) endOldSecret(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	x, err := h.s.Client(c.ctx, c.id)
	if err != nil || x.OldSecretExpires.IsZero() {
		return nil, err
	}
	x.OldSecretExpires = time.Time{}
	_, err = h.s.SaveClient(c.ctx, *x)
	return nil, saved(err, false)
}

func (h *handler) deleteClient(c *call) (any, error) {
	if err := c.unconditional(); err != nil {
		return nil, err
	}
	return nil, h.s.DeleteClient(c.ctx, c.id)
}
