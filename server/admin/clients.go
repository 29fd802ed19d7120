package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

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

func (h *handler) listClients(c *call) error {
	after, limit, err := c.page()
	if err != nil {
		return err
	}
	all, err := h.s.Clients(c.ctx, after, limit+1)
	if err != nil {
		return err
	}
	return list(c, "clients", all, limit, func(x *server.Client) string { return x.ID }, showClient)
}

func (h *handler) getClient(c *call) error {
	x, err := h.s.Client(c.ctx, c.id)
	if err != nil {
		return err
	}
	c.etag(x.Version)
	return c.write(http.StatusOK, showClient(x))
}

func (h *handler) putClient(c *call) error {
	version, err := c.precondition()
	if err != nil {
		return err
	}
	var d clientDocument
	if err := read(c, clientDecoder, &d); err != nil {
		return err
	}
	if d.ChosenSecret != "" {
		return invalid("chosen_secret is not taken here: jot client add takes one", nil)
	}
	if err := known(d.Others); err != nil {
		return err
	}
	if d.ID != "" && d.ID != c.id {
		return invalid("client_id is not that of the path", nil)
	}
	to, old := d.Client, new(server.Client)
	if version != 0 {
		if old, err = h.s.Client(c.ctx, c.id); err != nil {
			return err
		}
		if version != anyVersion && version != old.Version {
			return failed("it has changed since: GET it again")
		}
		if to.Metadata.Method() == old.Metadata.Method() {
			to.ChosenSecret = old.ChosenSecret
		}
	}
	for name := range to.Metadata.Extra {
		// A client that has registered itself may have members that mean nothing here; RFC 7591, Section 2.2, has the languages.
		if _, ok := old.Metadata.Extra[name]; !ok && !strings.Contains(name, "#") {
			return invalid(fmt.Sprintf("the metadata has no member %.64s", name), nil)
		}
	}
	// What the server says of a client is not for the sender.
	to.ID, to.Version, to.Created, to.Registered = c.id, old.Version, old.Created, old.Registered
	now, err := h.s.SaveClient(c.ctx, to)
	if err != nil {
		return saved(err, version == 0)
	}
	c.etag(now.Version)
	status := http.StatusOK
	if version == 0 {
		status = http.StatusCreated
	}
	return c.write(status, showClient(now))
}

// renewSecret makes a new secret. The old one is good for nothing from then on.
func (h *handler) renewSecret(c *call) error {
	if err := c.unconditional(); err != nil {
		return err
	}
	x, err := h.s.Client(c.ctx, c.id)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(x.Metadata.Method(), "client_secret_") {
		return invalid("the client authenticates by "+x.Metadata.Method()+" and has no secret", nil)
	}
	x.ChosenSecret, x.NewSecret = "", true
	now, err := h.s.SaveClient(c.ctx, *x)
	if err != nil {
		return saved(err, false)
	}
	c.etag(now.Version)
	return c.write(http.StatusOK, map[string]string{"client_id": now.ID, "client_secret": now.Secret})
}

func (h *handler) deleteClient(c *call) error {
	if err := c.unconditional(); err != nil {
		return err
	}
	if err := h.s.DeleteClient(c.ctx, c.id); err != nil {
		return err
	}
	return c.done()
}
