package store

import (
	"strings"
	"time"
	"unicode/utf8"
)

// ValidName reports whether each of the names can be the identifier of something: UTF-8
// of 1 to [MaxName] bytes without NUL, which no text in PostgreSQL can have. Stores
// refuse to keep others, and find none of them.
func ValidName(names ...string) bool {
	for _, s := range names {
		if s == "" || len(s) > MaxName || !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return false
		}
	}
	return true
}

func optional(name string) bool { return name == "" || ValidName(name) }

func refuse(ok bool, detail string) error {
	if ok {
		return nil
	}
	return errInvalid.With(detail)
}

// Check returns [ErrInvalid] if the document cannot be stored. Stores call it, as they do the
// others of this name.
func (d Document) Check() error {
	if !ValidName(d.Kind, d.ID) {
		return errInvalid.With("a document's kind or ID is no name")
	}
	return refuse(d.Version >= 0 && len(d.Body) <= MaxBody, "a document is too large, or its version is negative")
}

// Check returns [ErrInvalid] if the grant cannot be stored.
func (g Grant) Check() error {
	switch {
	case !ValidName(g.ID, g.Client) || !optional(g.Subject) || !optional(g.Key):
		return errInvalid.With("a grant's ID, client, subject or key is no name")
	case g.Bound && g.Key == "":
		return errInvalid.With("a grant is bound to no key")
	case g.Seq < 0 || len(g.Body) > MaxBody:
		return errInvalid.With("a grant is too large, or its number is negative")
	}
	return refuse(!g.Created.IsZero() && !g.Rotated.IsZero() && !g.Expires.IsZero() && !g.Until.Before(g.Expires),
		"a grant lacks a time, or ends before its token")
}

// Check returns [ErrInvalid] if the rotation makes no sense, whichever the grant is.
func (r Rotation) Check() error {
	if !ValidName(r.Client) || !optional(r.Key) {
		return errInvalid.With("a rotation's client or key is no name")
	}
	return refuse(r.Retry >= 0 && r.Idle >= 0 && r.Access >= 0, "a rotation has a negative time")
}

// Check returns [ErrInvalid] if no grants can be listed by the filter.
func (f GrantFilter) Check() error {
	return refuse(f.Limit > 0 && (f.Client != "" || f.Subject != ""), "grants are listed by client or subject, and at least one")
}

// Check returns [ErrInvalid] if the record cannot be stored.
func (r Record) Check() error {
	return refuse(ValidName(r.Kind) && r.Key != "" && len(r.Key) <= MaxName && len(r.Body) <= MaxBody && !r.Expires.IsZero(),
		"a record's kind or key is not within the limits, it is too large, or it never ends")
}

// Check returns [ErrInvalid] if the use cannot be stored.
func (u Use) Check() error {
	return refuse(u.Key != "" && len(u.Key) <= MaxName && !u.Expires.IsZero(), "the key of a use is not within the limits, or it never ends")
}

// Check returns [ErrInvalid] if the revocation cannot be stored.
func (r Revocation) Check() error {
	switch r.Sort {
	case OfToken, OfGrant, OfClient, OfSubject:
		return refuse(ValidName(r.ID) && !r.At.IsZero() && !r.Expires.IsZero(), "a revocation lacks a time, or what it revokes is no name")
	}
	return errInvalid.With("a revocation of an unknown sort")
}

// Ended reports whether what expires then has ended at now, both as they are kept.
func Ended(now, expires time.Time) bool { return expires.UnixMilli() <= now.UnixMilli() }

// Judge returns what becomes of a rotation where the grant is g. Stores call it, so that all
// of them decide alike.
func (g Grant) Judge(now time.Time, r Rotation) Outcome {
	switch {
	case Ended(now, g.Expires) || r.Seq > g.Seq: // a greater number is from before a backup was restored
		return Gone
	case r.Client != g.Client || g.Bound && r.Key != g.Key:
		return Foreign
	case r.Seq == g.Seq:
		return Rotated
	// Without Retry nobody is taken for repeating, not even who began before the one who rotated.
	case r.Seq == g.Seq-1 && r.Key == g.Key && r.Retry > 0 && !Ended(now, g.Rotated.Add(r.Retry)):
		return Repeated
	}
	return Reused
}
