package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/keyset"
	"github.com/jotsuite/jot/server"
	serverstore "github.com/jotsuite/jot/server/store"
)

type grantCmd struct {
	List   grantListCmd   `cmd:"" help:"List the grants of a client, a subject, or both."`
	Show   grantShowCmd   `cmd:"" help:"Show a grant, without its tokens."`
	Revoke grantRevokeCmd `cmd:"" help:"Revoke a grant, or all that a client or a subject has."`
}

// changeFailure is the failure to change what is called name.
func changeFailure(name string, err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if errors.Is(err, serverstore.ErrConflict) {
		return fail(exitRefused, "try again", "someone else has changed %s meanwhile%s", quoted(name), inCode(err))
	}
	return adminFailure(name, err)
}

type grantListCmd struct {
	Client  string `placeholder:"ID" help:"Whose refresh tokens they are."`
	Subject string `placeholder:"NAME" help:"Whose access it is."`
	JSON    bool   `name:"json" help:"Print one JSON object a line for each grant."`

	serviceFlags `embed:""`
}

func (*grantListCmd) Help() string {
	return `A line has the grant_id, the client, the subject, when it ends unless it is used, and the scope. Example:

    jot grant list --client shop`
}

func (c *grantListCmd) Run(a *app) error {
	if c.Client == "" && c.Subject == "" {
		return fail(exitUsage, "", "give --client, --subject, or both")
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		page := func(ctx context.Context, after string, limit int) ([]*server.Grant, error) {
			return s.Grants(ctx, serverstore.GrantFilter{Client: c.Client, Subject: c.Subject, After: after, Limit: limit})
		}
		return all(ctx, page, func(x *server.Grant) string { return x.ID }, func(x *server.Grant) {
			if c.JSON {
				a.line(x)
				return
			}
			a.data(visible(oneLine(fmt.Sprintf("%s %s %s %s %s", x.ID, x.Client, x.Subject, x.Expires.Format(time.RFC3339), x.Scope))) + "\n")
		})
	})
}

type grantShowCmd struct {
	ID string `arg:"" help:"The grant_id, which is the family in the log."`

	serviceFlags `embed:""`
}

func (c *grantShowCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		x, err := s.Grant(ctx, c.ID)
		if err != nil {
			return adminFailure(c.ID, err)
		}
		a.show(x)
		return nil
	})
}

type grantRevokeCmd struct {
	ID      string `arg:"" optional:"" help:"The grant_id, which is the family in the log."`
	Client  string `placeholder:"ID" help:"All that this client has."`
	Subject string `placeholder:"NAME" help:"All access to what is this subject's."`
	Token   string `placeholder:"JTI" help:"A single access token, by its jti."`

	serviceFlags `embed:""`
}

func (*grantRevokeCmd) Help() string {
	return `What was issued until now ends: refresh tokens, and access tokens where the server is asked about them. APIs that verify JWTs by themselves take those until they expire. It prints how many grants have ended. Examples:

    jot grant revoke 6VTLV4EB3WFQY3PCEC2JZX
    jot grant revoke --client shop
    jot grant revoke --subject alice`
}

func (c *grantRevokeCmd) Run(a *app) error {
	var t serverstore.Target
	for _, x := range []serverstore.Target{{Sort: serverstore.OfGrant, ID: c.ID}, {Sort: serverstore.OfClient, ID: c.Client}, {Sort: serverstore.OfSubject, ID: c.Subject}, {Sort: serverstore.OfToken, ID: c.Token}} {
		if x.ID == "" {
			continue
		}
		if t.ID != "" {
			return fail(exitUsage, "", "give one of GRANT, --client, --subject and --token")
		}
		t = x
	}
	if t.ID == "" {
		return fail(exitUsage, "", "give one of GRANT, --client, --subject and --token")
	}
	return c.administer(a, func(ctx context.Context, s *service) error {
		event := auditGrantRevoke
		if t.Sort == serverstore.OfToken {
			event = auditRevoke
		}
		n, err := revoke(ctx, s, t)
		if s.trail.record(cliUser(), event, t.ID, err) != nil {
			return adminFailure(t.ID, err)
		}
		a.line(struct {
			Grants int `json:"grants"`
		}{n})
		return nil
	})
}

// revoke revokes a target, of which a grant has to exist.
func revoke(ctx context.Context, s *service, t serverstore.Target) (int, error) {
	if t.Sort == serverstore.OfGrant {
		if _, err := s.Grant(ctx, t.ID); err != nil {
			return 0, err
		}
	}
	return s.Revoke(ctx, t)
}

type keyListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line for each key."`

	serviceFlags `embed:""`
}

func (*keyListCmd) Help() string {
	return `A line has the kid, the algorithm, the phase, and since when it signs or from when on it will. A key is published long before it signs, and stays published, as retired, until nothing that it has signed is good. None of what is printed is secret.`
}

// signingKey is a key of the server, as it is printed.
type signingKey struct {
	KeyID     string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Phase     string    `json:"phase"`
	Created   time.Time `json:"created,omitzero"`
	Published time.Time `json:"published,omitzero"`
	Active    time.Time `json:"active,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
	Deleted   time.Time `json:"deleted,omitzero"`
}

func (c *keyListCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		all, err := s.keys.Inspect(ctx)
		if err != nil {
			return storeFailure(err)
		}
		for _, k := range all {
			if c.JSON {
				a.line(signingKey{k.KeyID, k.Algorithm.Name(), k.Phase, k.Created.UTC(), k.Published.UTC(), k.Active.UTC(), k.Retired.UTC(), k.Deleted.UTC()})
				continue
			}
			at := "-"
			if !k.Active.IsZero() {
				at = k.Active.UTC().Format(time.RFC3339)
			}
			a.data(fmt.Sprintf("%s %s %s %s\n", visible(oneLine(k.KeyID)), k.Algorithm.Name(), k.Phase, at))
		}
		return nil
	})
}

type keyRotateCmd struct {
	serviceFlags `embed:""`
}

func (*keyRotateCmd) Help() string {
	return `It brings forward what jot serve does by itself: a key signs once it was published for as long as others may keep the set, which usually it has been. Nothing that was signed before is refused. jot key revoke is for a key that others may have.`
}

func (c *keyRotateCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		before, err := s.keys.Inspect(ctx)
		if err != nil {
			return storeFailure(err)
		}
		if err := s.trail.record(cliUser(), auditKeyRotate, "", s.keys.Rotate(ctx)); err != nil {
			return storeFailure(err)
		}
		after, err := s.keys.Inspect(ctx)
		if err != nil {
			return storeFailure(err)
		}
		a.talk(green, "ok:", rotated(before, after))
		return nil
	})
}

// rotated says since when which key signs, by the keys before and after a rotation.
func rotated(before, after []keyset.RotationKey) string {
	is := func(phase string, among []keyset.RotationKey) *keyset.RotationKey {
		i := slices.IndexFunc(among, func(k keyset.RotationKey) bool { return k.Phase == phase })
		if i < 0 {
			return nil
		}
		return &among[i]
	}
	old, now, next := is("active", before), is("active", after), is("published", after)
	switch {
	case now != nil && (old == nil || old.KeyID != now.KeyID):
		return "the key " + now.KeyID + " signs now"
	case next != nil && !next.Active.IsZero():
		return "the key " + next.KeyID + " signs from " + next.Active.UTC().Format(time.RFC3339) + " on, when all who verify can have it"
	}
	return "the next key signs as soon as all who verify can have it"
}

type keyRevokeCmd struct {
	KeyID string `arg:"" name:"kid" help:"Its kid, as jot key list prints it."`

	serviceFlags `embed:""`
}

func (*keyRevokeCmd) Help() string {
	return `The next key signs at once. What this one has signed is refused by all who fetch the set of keys again, which is as soon as they see the new kid.`
}

func (c *keyRevokeCmd) Run(a *app) error {
	return c.administer(a, func(ctx context.Context, s *service) error {
		err := s.trail.record(cliUser(), auditKeyRevoke, c.KeyID, s.keys.Revoke(ctx, c.KeyID))
		if errors.Is(err, jwk.ErrNoKey) {
			return fail(exitRefused, "jot key list shows what is there", "there is no key %s%s", quoted(c.KeyID), inCode(err))
		}
		if err != nil {
			return storeFailure(err)
		}
		return nil
	})
}
