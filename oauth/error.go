package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsuite/jot/internal/strictjson"
)

// The error codes of the registry (RFC 6749, Section 11.4) and of OpenID Connect, by the specification that defines them.
const (
	// RFC 6749, Sections 4.1.2.1 and 5.2.
	InvalidRequest          = "invalid_request"
	InvalidClient           = "invalid_client"
	InvalidGrant            = "invalid_grant"
	UnauthorizedClient      = "unauthorized_client"
	UnsupportedGrantType    = "unsupported_grant_type"
	UnsupportedResponseType = "unsupported_response_type"
	InvalidScope            = "invalid_scope"
	AccessDenied            = "access_denied"
	ServerError             = "server_error"
	TemporarilyUnavailable  = "temporarily_unavailable"
	// RFC 6750, Section 3.1.
	InvalidToken      = "invalid_token"
	InsufficientScope = "insufficient_scope"
	// RFC 7009, Section 2.2.1.
	UnsupportedTokenType = "unsupported_token_type"
	// RFC 7591, Section 3.2.2.
	InvalidRedirectURI          = "invalid_redirect_uri"
	InvalidClientMetadata       = "invalid_client_metadata"
	InvalidSoftwareStatement    = "invalid_software_statement"
	UnapprovedSoftwareStatement = "unapproved_software_statement"
	// RFC 8628, Section 3.5.
	AuthorizationPending = "authorization_pending"
	SlowDown             = "slow_down"
	ExpiredToken         = "expired_token"
	// RFC 8707, Section 2; RFC 8693, Section 2.2.2.
	InvalidTarget = "invalid_target"
	// RFC 9101, Section 7; RFC 9126, Section 2.3, has no others.
	InvalidRequestURI      = "invalid_request_uri"
	InvalidRequestObject   = "invalid_request_object"
	RequestNotSupported    = "request_not_supported"
	RequestURINotSupported = "request_uri_not_supported"
	// RFC 9396, Section 5.
	InvalidAuthorizationDetails = "invalid_authorization_details"
	// RFC 9449, Sections 5 and 8.
	InvalidDPoPProof = "invalid_dpop_proof"
	UseDPoPNonce     = "use_dpop_nonce"
	// RFC 9470, Section 3.
	InsufficientUserAuthentication = "insufficient_user_authentication"
	// OpenID Connect Core 1.0, Section 3.1.2.6.
	InteractionRequired      = "interaction_required"
	LoginRequired            = "login_required"
	AccountSelectionRequired = "account_selection_required"
	ConsentRequired          = "consent_required"
	RegistrationNotSupported = "registration_not_supported"
	// OpenID Connect CIBA Core 1.0, Sections 11, 12 and 13.
	ExpiredLoginHintToken = "expired_login_hint_token"
	UnknownUserID         = "unknown_user_id"
	MissingUserCode       = "missing_user_code"
	InvalidUserCode       = "invalid_user_code"
	InvalidBindingMessage = "invalid_binding_message"
	TransactionFailed     = "transaction_failed"
	// draft-ietf-oauth-attestation-based-client-auth-10.
	UseAttestationChallenge  = "use_attestation_challenge"
	UseFreshAttestation      = "use_fresh_attestation"
	InvalidClientAttestation = "invalid_client_attestation"
)

// The limits on what is read and written of an error.
const (
	maxCode        = 128
	maxDescription = 1000
	maxURI         = 2000
	maxErrorBody   = 64 << 10
)

// Error is an error of OAuth 2.0. What it says to the other party is public; its Cause goes to nobody but the program.
type Error struct {
	Code        string // one of the constants, or an extension (RFC 6749, Section 8.5)
	Description string // for the developer at the other end
	URI         string // of a page for the same reader
	Status      int    // of the HTTP response; zero is what the specification of Code says
	Cause       error  // private: for errors.Is and errors.As, never printed or sent
}

// Error prints the public part.
func (e *Error) Error() string {
	s := "oauth: "
	switch {
	case e.Code != "":
		s += clean(e.Code, maxCode)
	case e.Status != 0:
		s += fmt.Sprintf("HTTP status %d, without an error of OAuth", e.Status)
	default:
		s += "an error without a code"
	}
	if d := clean(e.Description, maxDescription); d != "" {
		s += ": " + d
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an *Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// HTTPStatus returns Status, or where that is zero what the specification of Code says. A resource that answers with a
// code of proofs has 401 in Status, since at a token endpoint they are 400.
func (e *Error) HTTPStatus() int {
	if e.Status != 0 {
		return e.Status
	}
	switch e.Code {
	case InvalidClient, // RFC 6749, Section 5.2
		InvalidToken,                   // RFC 6750, Section 3.1
		InsufficientUserAuthentication: // RFC 9470, Section 3
		return http.StatusUnauthorized
	case InsufficientScope: // RFC 6750, Section 3.1
		return http.StatusForbidden
	case ServerError:
		return http.StatusInternalServerError
	case TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// errorWire is the public part, in the order of RFC 6749, Section 5.2.
type errorWire struct {
	Error       string  `json:"error"`
	Description *string `json:"error_description,omitempty"`
	URI         *string `json:"error_uri,omitempty"`
}

var errorDecoder, _ = strictjson.NewDecoder[errorWire]()

// Values returns the public part as parameters: for the redirect that ends an authorization request (RFC 6749, Section
// 4.1.2.1), where state and iss come beside them. The characters are those that the specification allows.
func (e *Error) Values() url.Values {
	v := url.Values{"error": {clean(e.Code, maxCode)}}
	if d := clean(e.Description, maxDescription); d != "" {
		v.Set("error_description", d)
	}
	if validURI(e.URI) {
		v.Set("error_uri", e.URI)
	}
	return v
}

// MarshalJSON writes the public part: error, error_description and error_uri.
func (e *Error) MarshalJSON() ([]byte, error) {
	if e.Code == "" {
		return nil, errors.New("oauth: an error without a code is not sent")
	}
	v, b := e.Values(), []byte{'{'}
	for _, name := range []string{"error", "error_description", "error_uri"} {
		if !v.Has(name) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		// No character that is left needs an escape in JSON.
		b = append(b, `"`+name+`":"`+v.Get(name)+`"`...)
	}
	return append(b, '}'), nil
}

// Write answers a request with the error as JSON, which nobody may store (RFC 6749, Section 5.2). A challenge goes into
// the header before it: a 401 has one.
func (e *Error) Write(w http.ResponseWriter) {
	if e.Code == "" {
		e = &Error{Code: ServerError}
	}
	body, _ := e.MarshalJSON() // which has a code
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(body)
}

// ParseError reads the body of a response with an error: at most 64 KiB of JSON with error, and what else
// RFC 6749, Section 5.2, has. Characters that it does not allow are replaced, since real servers write them. The error
// says that the body is something else.
func ParseError(status int, body []byte) (*Error, error) {
	var w errorWire
	if err := errorDecoder.Decode(body, &w, strictjson.Limits{Bytes: maxErrorBody}); err != nil {
		return nil, fmt.Errorf("oauth: the body is no error response: %w", err)
	}
	if w.Error == "" || w.Error != clean(w.Error, maxCode) {
		return nil, errors.New("oauth: the body is no error response: it has no error code")
	}
	e := &Error{Code: w.Error, Status: status}
	if w.Description != nil {
		e.Description = clean(*w.Description, maxDescription)
	}
	if w.URI != nil && validURI(*w.URI) {
		e.URI = *w.URI
	}
	return e, nil
}

// clean keeps the characters that RFC 6749, Section 5.2, allows in a code and a description, and at most so many.
func clean(s string, most int) string {
	cut := false
	if len(s) > most {
		s, cut = s[:most], true
	}
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r == '\\':
			return '/'
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s))
	if cut {
		s += "..."
	}
	return s
}

// validURI reports whether s is an error_uri by RFC 6749, Section 5.2: absolute, which a browser may be shown.
func validURI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxURI || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) < 0
}

// refuse makes the error of a reader.
func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Description: fmt.Sprintf(format, args...)}
}
