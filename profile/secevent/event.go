package secevent

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/oauth/subjectid"
)

// Event is the payload of one type of event: a struct, as those of packages caep and risc are, or one of your own.
type Event interface {
	// EventType is the URI of the type, the same for every value.
	EventType() string
	// Check refuses a payload, or a subject, that is not as the type's definition has it. The subject is sub_id; it is
	// nil where there is none.
	Check(subject *subjectid.Identifier) error
}

var errAbsent = fault.New("events.absent", "RFC 8417, Section 2.2", "the token has no event of this type")

// The errors of Read, for errors.Is.
var (
	ErrEvent   error = profile.ErrEvent // events.invalid
	ErrNoEvent error = errAbsent        // events.absent
)

// Read reads the event of type T, a struct. The error is ErrNoEvent where there is none, and ErrEvent for one that
// does not conform to its definition; members that T does not have are ignored (SSF 1.0, Section 4.2.3).
func Read[T Event](c *Claims) (T, error) {
	var e, none T
	payload, ok := c.Events[e.EventType()]
	if !ok {
		return none, errAbsent
	}
	// What cannot be read has a cause that may quote the payload.
	if strictjson.Unmarshal(slices.Clone(payload), &e, strictjson.Limits{}) != nil {
		return none, profile.ErrEvent.With("a member is of the wrong type")
	}
	if err := check(e, c.SubjectID); err != nil {
		return none, err
	}
	return e, nil
}

func check(e Event, subject *subjectid.Identifier) error {
	if err := e.Check(subject); err != nil {
		return profile.ErrEvent.Wrap(err)
	}
	return nil
}

// add writes events into the claim.
func (c *Claims) add(events []Event) error {
	c.Events = maps.Clone(c.Events)
	for _, e := range events {
		if c.Events[e.EventType()] != nil {
			return profile.ErrEvent.With("there are two of one type")
		}
		if err := check(e, c.SubjectID); err != nil {
			return err
		}
		enc, _ := strictjson.NewEncoder[Event]() // only structs have an error here
		payload, err := enc.Append(nil, &e)
		if err != nil {
			return profile.ErrEvent.Wrap(err)
		}
		if c.Events == nil {
			c.Events = map[string]json.RawMessage{}
		}
		c.Events[e.EventType()] = payload
	}
	return nil
}

// Verification is the event by which a stream is tried out (SSF 1.0, Section 8.1.4). Its subject is the stream.
type Verification struct {
	State string `json:"state,omitempty"` // what the receiver sent when it asked; another is InvalidState
}

// EventType implements [Event].
func (Verification) EventType() string {
	return "https://schemas.openid.net/secevent/ssf/event-type/verification"
}

// Check implements [Event].
func (Verification) Check(subject *subjectid.Identifier) error {
	return checkStream("Shared Signals Framework 1.0, Section 8.1.4.1", subject)
}

// StreamUpdated is the event by which a transmitter says that it has paused a stream, stopped it or begun again
// (SSF 1.0, Section 8.1.5). Its subject is the stream.
type StreamUpdated struct {
	Status string `json:"status"` // enabled, paused or disabled
	Reason string `json:"reason,omitempty"`
}

// EventType implements [Event].
func (StreamUpdated) EventType() string {
	return "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
}

// Check implements [Event].
func (e StreamUpdated) Check(subject *subjectid.Identifier) error {
	const spec = "Shared Signals Framework 1.0, Section 8.1.5"
	if err := profile.OneOf(spec, "status", e.Status, true, "enabled", "paused", "disabled"); err != nil {
		return err
	}
	return checkStream(spec, subject)
}

func checkStream(spec string, subject *subjectid.Identifier) error {
	if subject == nil || subject.Format != subjectid.Opaque {
		return profile.EventFault(spec, "the subject is the stream, in the format opaque")
	}
	return nil
}
