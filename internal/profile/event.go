package profile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
)

// ErrEvent is the refusal of the payload of a security event.
var ErrEvent = fault.New("events.invalid", "RFC 8417, Section 2.2", "the event does not conform to its definition")

// EventFault refuses a payload for what its definition, the clause spec, says of it.
func EventFault(spec, detail string) error {
	return ErrEvent.Wrap(fault.New(ErrEvent.Code(), spec, detail))
}

// OneOf refuses a member of an event that is none of values; an absent one only if it is required.
func OneOf(spec, name, got string, required bool, values ...string) error {
	if got == "" && !required || slices.Contains(values, got) {
		return nil
	}
	return EventFault(spec, name+" is one of "+strings.Join(values, ", "))
}

// Some refuses a required member of an event that is absent or empty.
func Some(spec, name, got string) error {
	if got == "" {
		return EventFault(spec, name+" is required")
	}
	return nil
}

// tag is the shape of a language tag (RFC 5646, Section 2.1).
var tag = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

// Languages refuses texts by language that are there and have none, or one under what is no language tag.
func Languages(spec, name string, texts map[string]string) error {
	if texts != nil && len(texts) == 0 {
		return EventFault(spec, name+" has a text")
	}
	for language := range texts {
		if !tag.MatchString(language) {
			return EventFault(spec, name+" has language tags for names")
		}
	}
	return nil
}
