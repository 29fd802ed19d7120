// Package discover fetches the metadata of an authorization server: for its keys, and for its endpoints.
package discover

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jotsuite/jot/internal/fetch"
)

// Find fetches the first of several documents that is there. An error with the name of a document is what fetching that
// one failed with, while it may well be there; without, none is there.
func Find(ctx context.Context, c *fetch.Client, documents []string, request func(document string) fetch.Request) (string, *fetch.Response, error) {
	var missing []string
	for _, document := range documents {
		resp, err := c.Get(ctx, request(document))
		if err == nil {
			return document, resp, nil
		}
		if !absent(err) {
			return document, nil, err
		}
		missing = append(missing, fmt.Sprintf("%s: %v", document, err))
	}
	return "", nil, errors.New("there is no metadata of the issuer: " + strings.Join(missing, "; "))
}

// absent reports whether an answer means that there is no such document here. Some
// servers answer what they do not know with a page, or a way to one.
func absent(err error) bool {
	if e, ok := errors.AsType[*fetch.StatusError](err); ok {
		return e.Code/100 == 3 || e.Code/100 == 4 && e.Code != 408 && e.Code != 429
	}
	return errors.Is(err, fetch.ErrType)
}
