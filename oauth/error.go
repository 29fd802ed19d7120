package oauth

import (
	"net/http"
)

// The error codes of the registry and of OpenID Connect, each by the specification that defines it.
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
	// RFC 9449, Sections 5, 7.1, 8 and 9.
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
	// draft-ietf-oauth-attestation-based-client-auth-10, Section 8.
	UseAttestationChallenge  = "use_attestation_challenge"
	UseFreshAttestation      = "use_fresh_attestation"
	InvalidClientAttestation = "invalid_client_attestation"
)

// Error is an error of OAuth 2.0: its public part goes to the other party, its cause to nobody.
type Error struct {
	Code        string // one of the constants, or another's extension (RFC 6749, Section 8.5)
	Description string // for the developer of the other party; public, ASCII without " and \
	URI         string // of a page about it; public
	Status      int    // of the HTTP response; zero means what the specification of Code says
	Cause       error  // private: Unwrap returns it, and nothing prints or sends it
}

// Error prints the public part.
func (e *Error) Error() string {
	s := e.Code
	if e.Description != "" {
		s += ": " + e.Description
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

// HTTPStatus returns Status, or where that is zero what the specification of Code says.
func (e *Error) HTTPStatus() int { return http.StatusBadRequest }

// WriteTo answers a request with the error, as JSON that is not stored (RFC 6749, Section 5.2).
func (e *Error) Write(w http.ResponseWriter) {}

// MarshalJSON writes the public part: error, error_description, error_uri.
func (e *Error) MarshalJSON() ([]byte, error) { return nil, nil }

// ParseError reads the body of an error response.
func ParseError(status int, body []byte) (*Error, error) { return nil, nil }
