package secevent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwt"
)

// The codes of a [DeliveryError] (RFC 8935, Section 2.4), and the one that SSF adds.
const (
	InvalidRequest       = "invalid_request"       // it is no security event token, or an event does not conform to its definition
	InvalidKey           = "invalid_key"           // a key is not accepted
	InvalidIssuer        = "invalid_issuer"        // nothing is taken from this issuer
	InvalidAudience      = "invalid_audience"      // it is meant for someone else
	AuthenticationFailed = "authentication_failed" // the transmitter, or the token, is not authentic
	AccessDenied         = "access_denied"         // the transmitter may not send this token
	InvalidState         = "invalid_state"         // a Verification with another state (SSF 1.0, Section 8.1.4.1)
)

// DeliveryError is what a receiver answers to a token that it does not take (RFC 8935, Section 2.3; RFC 8936, Section 2.6).
type DeliveryError struct {
	Code        string `json:"err"`
	Description string `json:"description"` // for people
}

// Error returns code and description.
func (e *DeliveryError) Error() string { return e.Code + ": " + e.Description }

// ErrorOf is what to answer to the transmitter for err: of a refused token, or event, the code that fits
// best, and a description that has the stable codes and nothing else. It is nil for an error that is not the transmitter's.
func ErrorOf(err error) *DeliveryError {
	if d, ok := errors.AsType[*DeliveryError](err); ok {
		return d
	}
	r, ok := errors.AsType[*jwt.RejectError](err)
	switch {
	case !ok && errors.Is(err, ErrEvent):
		return &DeliveryError{InvalidRequest, fault.CodeOf(err)}
	case !ok:
		return nil
	}
	d := &DeliveryError{InvalidRequest, strings.Join(r.Codes(), " ")}
	for _, is := range []struct {
		code string
		of   []error
	}{
		{InvalidKey, []error{jwt.ErrNoKey, jwt.ErrAlgorithm, jwt.ErrDecrypt}},
		{AuthenticationFailed, []error{jwt.ErrSignature}},
		{InvalidIssuer, []error{jwt.ErrIssuer}},
		{InvalidAudience, []error{jwt.ErrAudience}},
	} {
		if slices.ContainsFunc(is.of, func(e error) bool { return errors.Is(r, e) }) {
			d.Code = is.code
			break
		}
	}
	return d
}

// errBody is the refusal of a document of a delivery.
var errBody = fault.New("delivery.invalid", "RFC 8936, Section 2", "the document of the delivery cannot be read")

// parse reads a document of at most 8 MiB.
func parse(body []byte, v any) error {
	if err := strictjson.Unmarshal(slices.Clone(body), v, strictjson.Limits{Bytes: 8 << 20}); err != nil {
		return errBody.Wrap(err)
	}
	return nil
}

// ParseDeliveryError reads the body of a receiver's answer with the status 400 (RFC 8935, Section 2.3).
func ParseDeliveryError(body []byte) (*DeliveryError, error) {
	e := new(DeliveryError)
	if err := parse(body, e); err != nil {
		return nil, err
	}
	return e, e.complete()
}

func (e *DeliveryError) complete() error {
	if e.Code == "" {
		return errBody.With("an error has no code")
	}
	return nil
}

// NoEvents as [PollRequest.MaxEvents] asks for none: it is a request that only acknowledges (RFC 8936, Section 2.4.2).
const NoEvents = -1

// PollRequest is what a receiver sends to be given tokens, and to say what became of those that it has (RFC 8936, Section
// 2.2). The zero PollRequest waits for all that there are.
type PollRequest struct {
	MaxEvents         int                      // how many at most; zero is no limit, see NoEvents
	ReturnImmediately bool                     // does not wait until there is a token
	Acknowledged      []string                 // the jti of tokens that were taken
	Errors            map[string]DeliveryError // those that were not, by jti
}

type pollRequest struct {
	MaxEvents         *int                     `json:"maxEvents,omitempty"`
	ReturnImmediately bool                     `json:"returnImmediately,omitempty"`
	Acknowledged      []string                 `json:"ack,omitempty"`
	Errors            map[string]DeliveryError `json:"setErrs,omitempty"`
}

// MarshalJSON writes the body of the request.
func (p PollRequest) MarshalJSON() ([]byte, error) {
	w := pollRequest{nil, p.ReturnImmediately, p.Acknowledged, p.Errors}
	if p.MaxEvents != 0 {
		n := max(p.MaxEvents, 0)
		w.MaxEvents = &n
	}
	return json.Marshal(w)
}

// ParsePollRequest reads the body of the request, for the transmitter.
func ParsePollRequest(body []byte) (*PollRequest, error) {
	var w pollRequest
	if err := parse(body, &w); err != nil {
		return nil, err
	}
	p := &PollRequest{0, w.ReturnImmediately, w.Acknowledged, w.Errors}
	switch {
	case w.MaxEvents == nil:
	case *w.MaxEvents < 0:
		return nil, errBody.With("maxEvents is negative")
	case *w.MaxEvents == 0:
		p.MaxEvents = NoEvents
	default:
		p.MaxEvents = *w.MaxEvents
	}
	if slices.Contains(w.Acknowledged, "") {
		return nil, errBody.With("ack has an empty jti")
	}
	for id, e := range w.Errors {
		if id == "" {
			return nil, errBody.With("setErrs has an empty jti")
		}
		if err := e.complete(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// PollResponse is what a transmitter answers (RFC 8936, Section 2.3).
type PollResponse struct {
	Tokens        map[string]string // by their jti
	MoreAvailable bool              // there are others, for the next request
}

type pollResponse struct {
	Tokens        map[string]string `json:"sets"`
	MoreAvailable bool              `json:"moreAvailable,omitempty"`
}

// MarshalJSON writes the body of the response.
func (p PollResponse) MarshalJSON() ([]byte, error) {
	w := pollResponse(p)
	if w.Tokens == nil {
		w.Tokens = map[string]string{} // SHALL be an empty object
	}
	return json.Marshal(w)
}

// ParsePollResponse reads the body of the response, for the receiver. The tokens in it are not verified: see
// [Receiver.Acknowledge].
func ParsePollResponse(body []byte) (*PollResponse, error) {
	var w pollResponse
	if err := parse(body, &w); err != nil {
		return nil, err
	}
	if w.Tokens == nil {
		return nil, errBody.With("there are no sets")
	}
	return (*PollResponse)(&w), nil
}

// Receiver takes delivery of tokens. It is immutable and safe for concurrent use.
type Receiver struct {
	v      *Verifier
	accept func(context.Context, *jwt.Token[Claims]) error
}

// NewReceiver makes a Receiver that hands the tokens that v verifies to accept. That stores what it needs, and leaves
// the rest of the work for later (RFC 8935, Section 2): when it has returned nil, the transmitter forgets the token. A
// *DeliveryError, or ErrEvent of [Read], refuses the token; any other error says that the receiver could not take it
// now, and it will be delivered again. An event that the receiver does not know, or of a subject that it does not know,
// is no error.
//
// So accept sees a token more than once, and must not mind one that it has stored: by issuer and jti. A Verifier with a
// Replay is refused with jwt.ErrPolicy: of a token that accept failed to store it would say that it is known.
func NewReceiver(v *Verifier, accept func(ctx context.Context, t *jwt.Token[Claims]) error) (*Receiver, error) {
	if v.replay {
		return nil, profile.Incomplete("a Replay would lose tokens that are delivered again")
	}
	return &Receiver{v, accept}, nil
}

func (rc *Receiver) take(ctx context.Context, raw string, is func(*jwt.Token[Claims]) bool) error {
	t, err := rc.v.Verify(ctx, raw)
	switch {
	case err != nil:
		return err
	case !is(t):
		return &DeliveryError{InvalidRequest, "jti.mismatch"}
	}
	return rc.accept(ctx, t)
}

// Acknowledge takes the tokens of a poll, and returns the next request, which says what became of each. Where
// accept, or a source of keys, has failed for another reason than the token, that is neither acknowledged nor
// refused, and the error says why: send the request in any case.
func (rc *Receiver) Acknowledge(ctx context.Context, p *PollResponse) (*PollRequest, error) {
	next, failed := &PollRequest{}, []error(nil)
	for _, id := range slices.Sorted(maps.Keys(p.Tokens)) {
		// RFC 8936, Section 2.3: the name is the jti.
		err := rc.take(ctx, p.Tokens[id], func(t *jwt.Token[Claims]) bool { return t.ID == id })
		switch d := ErrorOf(err); {
		case err == nil:
			next.Acknowledged = append(next.Acknowledged, id)
		case d == nil:
			failed = append(failed, err)
		case next.Errors == nil:
			next.Errors = map[string]DeliveryError{id: *d}
		default:
			next.Errors[id] = *d
		}
	}
	return next, errors.Join(failed...)
}

// ServeHTTP is the endpoint to which a transmitter pushes tokens (RFC 8935). Who the transmitter is, is for a
// handler around it to find out: the authorization_header of the stream, or a client certificate.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	// RFC 8935, Section 2.1.
	if m, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || m != "application/"+Type {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(rc.v.size)))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	} else if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	err = rc.take(r.Context(), string(body), func(*jwt.Token[Claims]) bool { return true })
	switch d := ErrorOf(err); {
	case err == nil:
		w.WriteHeader(http.StatusAccepted) // RFC 8935, Section 2.2: without a body
	case d == nil:
		w.WriteHeader(http.StatusServiceUnavailable)
	default: // RFC 8935, Section 2.3
		answer, _ := json.Marshal(d) // two strings have no error
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Language", "en")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(answer)
	}
}
