package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/server"
	"github.com/jotsuite/jot/server/store"
)

// refusal is what the sender is told of an error.
func refusal(err error) *oauth.Error {
	e, ok := errors.AsType[*oauth.Error](err)
	switch {
	case ok:
		return e
	case errors.Is(err, store.ErrNotFound), errors.Is(err, jwk.ErrNoKey):
		e, _ = errors.AsType[*oauth.Error](notFound("this path"))
		return e
	case errors.Is(err, server.ErrDocument):
		return &oauth.Error{Code: "invalid_document", Description: err.Error(), Cause: err}
	case errors.Is(err, store.ErrInvalid):
		return &oauth.Error{Code: oauth.InvalidRequest, Description: err.Error(), Cause: err}
	}
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "something that the server needs does not answer: try again", Cause: err}
}

// read reads a body of JSON, in which nothing is unknown.
func read[T any](c *call, d *strictjson.Decoder[T], to *T) error {
	if t, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); t != "application/json" || c.r.Header.Get("Content-Encoding") != "" {
		return &oauth.Error{Code: "unsupported_media_type", Description: "the Content-Type is not application/json, or there is a Content-Encoding", Status: http.StatusUnsupportedMediaType}
	}
	b, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	if err != nil {
		return invalid("the body broke off", err)
	}
	if len(b) > maxBody {
		return &oauth.Error{Code: "content_too_large", Description: "the body has over 1 MiB", Status: http.StatusRequestEntityTooLarge}
	}
	if err := d.Decode(b, to, strictjson.Limits{}); err != nil {
		return invalid("the body is not the JSON object of the document: "+err.Error(), err)
	}
	return nil
}

// known refuses members that nobody would read.
func known(others map[string]json.RawMessage) error {
	for name := range others {
		return invalid(fmt.Sprintf("there is no member %.64s here", name), nil)
	}
	return nil
}

// anyVersion is that of If-Match: *.
const anyVersion = -1

// precondition reads which version of a document a request replaces: zero where there must be none (RFC 9110, Section 13.1).
func (c *call) precondition() (int64, error) {
	match, none := c.r.Header["If-Match"], c.r.Header["If-None-Match"]
	switch {
	case len(match)+len(none) == 0:
		return 0, &oauth.Error{
			Code: "precondition_required", Status: http.StatusPreconditionRequired, // RFC 6585, Section 3
			Description: "say what is replaced: If-Match with the ETag of GET, or If-None-Match: * to make a new one",
		}
	case len(match)+len(none) > 1:
		return 0, invalid("there is more than one of If-Match and If-None-Match", nil)
	case len(none) == 1 && none[0] == "*":
		c.event.New = true
		return 0, nil
	case len(match) == 1 && match[0] == "*":
		return anyVersion, nil
	case len(match) == 1:
		digits, ok := strings.CutPrefix(match[0], `"`)
		digits, ok2 := strings.CutSuffix(digits, `"`)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && ok2 && err == nil && n > 0 {
			return n, nil
		}
		return 0, failed("If-Match has no ETag of this API") // RFC 9110, Section 13.1.1: it matches nothing
	}
	return 0, invalid("If-None-Match is not *", nil)
}

func failed(description string) error {
	return &oauth.Error{Code: "precondition_failed", Description: description, Status: http.StatusPreconditionFailed}
}

// saved is the error of a document that was saved on a precondition.
func saved(err error, created bool) error {
	switch {
	case !errors.Is(err, store.ErrConflict):
		return err
	case created:
		return failed("there is one already: GET it, and replace it with If-Match")
	}
	return failed("it has changed since: GET it again")
}

// etag says which version was answered with.
func (c *call) etag(version int64) {
	c.w.Header().Set("ETag", `"`+strconv.FormatInt(version, 10)+`"`)
}

// unconditional refuses a precondition where nothing would look at it.
func (c *call) unconditional() error {
	if c.r.Header["If-Match"] != nil || c.r.Header["If-None-Match"] != nil {
		return invalid("only PUT has preconditions", nil)
	}
	return nil
}

// maxPage is how many a page has at most, and unless limit says otherwise.
const maxPage = 100

// page reads after and limit.
func (c *call) page() (after string, limit int, err error) {
	limit = maxPage
	if text, ok := c.query["limit"]; ok {
		if limit, _ = strconv.Atoi(text); limit < 1 || limit > maxPage { // zero where it is none
			return "", 0, invalid(fmt.Sprintf("limit is not a number from 1 to %d", maxPage), nil)
		}
	}
	return c.query["after"], limit, nil
}

// list answers with a page: as many as asked for, and where the next one begins if there is one. Of one more than that the caller has
// asked the store.
func list[T, U any](member string, all []T, limit int, name func(T) string, show func(T) U) map[string]any {
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = name(all[limit-1])
	}
	out := make([]U, len(all))
	for i, x := range all {
		out[i] = show(x)
	}
	page := map[string]any{member: out}
	if next != "" {
		page["next"] = next
	}
	return page
}
