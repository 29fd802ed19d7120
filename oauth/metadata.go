package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// The refusals of metadata, for errors.Is. Each has a stable code.
var (
	// ErrIssuer: the metadata, or the response, is that of another issuer or resource (issuer.mismatch).
	ErrIssuer error = errIssuer
	// ErrMetadata: a member that is required is missing, or not a URL that may be used (metadata.malformed).
	ErrMetadata error = errMetadata
)

var (
	errIssuer   = fault.New("issuer.mismatch", "RFC 8414, Section 3.3", "the metadata is not that of the issuer")
	errMetadata = fault.New("metadata.malformed", "RFC 8414, Section 2", "the metadata is malformed")
)

// ServerMetadata is what an authorization server says of itself (RFC 8414, Section 2; OpenID Connect Discovery 1.0, Section
// 3). A member that is absent is a zero field; what its absence means is for its specification to say. A list
// that was written empty is not nil.
type ServerMetadata struct {
	// RFC 8414, Section 2.
	Issuer                            string   `json:"issuer"`
	AuthorizationEndpoint             string   `json:"authorization_endpoint,omitempty"`
	TokenEndpoint                     string   `json:"token_endpoint,omitempty"`
	JWKSURI                           string   `json:"jwks_uri,omitempty"`
	RegistrationEndpoint              string   `json:"registration_endpoint,omitempty"`
	ScopesSupported                   []string `json:"scopes_supported,omitzero"`
	ResponseTypesSupported            []string `json:"response_types_supported,omitzero"`
	ResponseModesSupported            []string `json:"response_modes_supported,omitzero"`
	GrantTypesSupported               []string `json:"grant_types_supported,omitzero"`
	TokenEndpointAuthMethods          []string `json:"token_endpoint_auth_methods_supported,omitzero"`
	TokenEndpointAuthSigningAlgs      []string `json:"token_endpoint_auth_signing_alg_values_supported,omitzero"`
	ServiceDocumentation              string   `json:"service_documentation,omitempty"`
	UILocalesSupported                []string `json:"ui_locales_supported,omitzero"`
	PolicyURI                         string   `json:"op_policy_uri,omitempty"`
	TermsOfServiceURI                 string   `json:"op_tos_uri,omitempty"`
	RevocationEndpoint                string   `json:"revocation_endpoint,omitempty"`
	RevocationEndpointAuthMethods     []string `json:"revocation_endpoint_auth_methods_supported,omitzero"`
	RevocationEndpointSigningAlgs     []string `json:"revocation_endpoint_auth_signing_alg_values_supported,omitzero"`
	IntrospectionEndpoint             string   `json:"introspection_endpoint,omitempty"`
	IntrospectionEndpointAuthMethods  []string `json:"introspection_endpoint_auth_methods_supported,omitzero"`
	IntrospectionEndpointSigningAlgs  []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitzero"`
	CodeChallengeMethodsSupported     []string `json:"code_challenge_methods_supported,omitzero"`
	SignedMetadata                    string   `json:"signed_metadata,omitempty"`
	DeviceAuthorizationEndpoint       string   `json:"device_authorization_endpoint,omitempty"`                      // RFC 8628, Section 4
	CertificateBoundAccessTokens      bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`         // RFC 8705, Section 3.3
	RequireSignedRequestObject        bool     `json:"require_signed_request_object,omitempty"`                      // RFC 9101, Section 10.5
	PushedAuthorizationEndpoint       string   `json:"pushed_authorization_request_endpoint,omitempty"`              // RFC 9126, Section 5
	RequirePushedAuthorization        bool     `json:"require_pushed_authorization_requests,omitempty"`              // the same
	IssuerInResponse                  bool     `json:"authorization_response_iss_parameter_supported,omitempty"`     // RFC 9207, Section 3
	AuthorizationDetailsTypes         []string `json:"authorization_details_types_supported,omitzero"`               // RFC 9396, Section 10
	DPoPSigningAlgs                   []string `json:"dpop_signing_alg_values_supported,omitzero"`                   // RFC 9449, Section 5.1
	IntrospectionSigningAlgs          []string `json:"introspection_signing_alg_values_supported,omitzero"`          // RFC 9701, Section 7
	IntrospectionEncryptionAlgs       []string `json:"introspection_encryption_alg_values_supported,omitzero"`       // the same
	IntrospectionEncryptionEncs       []string `json:"introspection_encryption_enc_values_supported,omitzero"`       // the same
	ProtectedResources                []string `json:"protected_resources,omitzero"`                                 // RFC 9728, Section 4
	ClientIDMetadataDocument          bool     `json:"client_id_metadata_document_supported,omitempty"`              // draft-ietf-oauth-client-id-metadata-document
	ChallengeEndpoint                 string   `json:"challenge_endpoint,omitempty"`                                 // draft-ietf-oauth-attestation-based-client-auth
	ClientAttestationSigningAlgs      []string `json:"client_attestation_signing_alg_values_supported,omitzero"`     // the same
	ClientAttestationPoPSigningAlgs   []string `json:"client_attestation_pop_signing_alg_values_supported,omitzero"` // the same
	PreAuthorizedGrantAnonymousAccess bool     `json:"pre-authorized_grant_anonymous_access_supported,omitempty"`    // OpenID4VCI 1.0, Section 12.3
	// RFC 8705, Section 5: the endpoints for clients with certificates, by their names in this document.
	MTLSEndpointAliases map[string]string `json:"mtls_endpoint_aliases,omitempty"`

	// OpenID Connect Discovery 1.0, Section 3.
	UserInfoEndpoint              string   `json:"userinfo_endpoint,omitempty"`
	ACRValuesSupported            []string `json:"acr_values_supported,omitzero"`
	SubjectTypesSupported         []string `json:"subject_types_supported,omitzero"`
	IDTokenSigningAlgs            []string `json:"id_token_signing_alg_values_supported,omitzero"`
	IDTokenEncryptionAlgs         []string `json:"id_token_encryption_alg_values_supported,omitzero"`
	IDTokenEncryptionEncs         []string `json:"id_token_encryption_enc_values_supported,omitzero"`
	UserInfoSigningAlgs           []string `json:"userinfo_signing_alg_values_supported,omitzero"`
	UserInfoEncryptionAlgs        []string `json:"userinfo_encryption_alg_values_supported,omitzero"`
	UserInfoEncryptionEncs        []string `json:"userinfo_encryption_enc_values_supported,omitzero"`
	RequestObjectSigningAlgs      []string `json:"request_object_signing_alg_values_supported,omitzero"`
	RequestObjectEncryptionAlgs   []string `json:"request_object_encryption_alg_values_supported,omitzero"`
	RequestObjectEncryptionEncs   []string `json:"request_object_encryption_enc_values_supported,omitzero"`
	DisplayValuesSupported        []string `json:"display_values_supported,omitzero"`
	ClaimTypesSupported           []string `json:"claim_types_supported,omitzero"`
	ClaimsSupported               []string `json:"claims_supported,omitzero"`
	ClaimsLocalesSupported        []string `json:"claims_locales_supported,omitzero"`
	ClaimsParameter               bool     `json:"claims_parameter_supported,omitempty"`
	RequestParameter              bool     `json:"request_parameter_supported,omitempty"`
	RequestURIParameter           *bool    `json:"request_uri_parameter_supported,omitempty"` // nil is true
	RequireRequestURIRegistration bool     `json:"require_request_uri_registration,omitempty"`
	PromptValuesSupported         []string `json:"prompt_values_supported,omitzero"` // Initiating User Registration 1.0, Section 4.1

	// OpenID Connect RP-Initiated, Session, Front-Channel and Back-Channel Logout 1.0.
	EndSessionEndpoint                string `json:"end_session_endpoint,omitempty"`
	CheckSessionIframe                string `json:"check_session_iframe,omitempty"`
	FrontchannelLogoutSupported       bool   `json:"frontchannel_logout_supported,omitempty"`
	FrontchannelLogoutSessionRequired bool   `json:"frontchannel_logout_session_supported,omitempty"`
	BackchannelLogoutSupported        bool   `json:"backchannel_logout_supported,omitempty"`
	BackchannelLogoutSessionSupported bool   `json:"backchannel_logout_session_supported,omitempty"`

	// JWT Secured Authorization Response Mode (JARM), Section 3.
	AuthorizationSigningAlgs    []string `json:"authorization_signing_alg_values_supported,omitzero"`
	AuthorizationEncryptionAlgs []string `json:"authorization_encryption_alg_values_supported,omitzero"`
	AuthorizationEncryptionEncs []string `json:"authorization_encryption_enc_values_supported,omitzero"`

	// OpenID Connect CIBA Core 1.0, Section 4.
	BackchannelAuthenticationEndpoint string   `json:"backchannel_authentication_endpoint,omitempty"`
	BackchannelTokenDeliveryModes     []string `json:"backchannel_token_delivery_modes_supported,omitzero"`
	BackchannelAuthenticationAlgs     []string `json:"backchannel_authentication_request_signing_alg_values_supported,omitzero"`
	BackchannelUserCodeParameter      bool     `json:"backchannel_user_code_parameter_supported,omitempty"`

	// OpenID Federation 1.0, Section 5.1.3.
	ClientRegistrationTypes        []string            `json:"client_registration_types_supported,omitzero"`
	FederationRegistrationEndpoint string              `json:"federation_registration_endpoint,omitempty"`
	RequestAuthenticationMethods   map[string][]string `json:"request_authentication_methods_supported,omitempty"`
	RequestAuthenticationAlgs      []string            `json:"request_authentication_signing_alg_values_supported,omitzero"`

	// Grant Management for OAuth 2.0, Section 7.1.
	GrantManagementEndpoint       string   `json:"grant_management_endpoint,omitempty"`
	GrantManagementActions        []string `json:"grant_management_actions_supported,omitzero"`
	GrantManagementActionRequired bool     `json:"grant_management_action_required,omitempty"`

	// OpenID Connect for Identity Assurance 1.0, Section 9.
	TrustFrameworksSupported        []string `json:"trust_frameworks_supported,omitzero"`
	EvidenceSupported               []string `json:"evidence_supported,omitzero"`
	ClaimsInVerifiedClaimsSupported []string `json:"claims_in_verified_claims_supported,omitzero"`

	// Extra are the members that no field holds, as they were written: those of other specifications, and those whose
	// null or false a field does not tell from absence. A field that is set counts, and not what Extra has by its name.
	Extra map[string]json.RawMessage `json:"-"`
}

// ResourceMetadata is what a protected resource says of itself (RFC 9728, Section 2). Its fields are as those of
// [ServerMetadata].
type ResourceMetadata struct {
	Resource                     string   `json:"resource"`
	AuthorizationServers         []string `json:"authorization_servers,omitzero"`
	JWKSURI                      string   `json:"jwks_uri,omitempty"`
	ScopesSupported              []string `json:"scopes_supported,omitzero"`
	BearerMethodsSupported       []string `json:"bearer_methods_supported,omitzero"` // empty: none
	SigningAlgs                  []string `json:"resource_signing_alg_values_supported,omitzero"`
	Name                         string   `json:"resource_name,omitempty"` // in other languages in Extra, as resource_name#fr
	Documentation                string   `json:"resource_documentation,omitempty"`
	PolicyURI                    string   `json:"resource_policy_uri,omitempty"`
	TermsOfServiceURI            string   `json:"resource_tos_uri,omitempty"`
	CertificateBoundAccessTokens bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	AuthorizationDetailsTypes    []string `json:"authorization_details_types_supported,omitzero"`
	DPoPSigningAlgs              []string `json:"dpop_signing_alg_values_supported,omitzero"`
	DPoPBoundAccessTokens        bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	// SignedMetadata is a JWT with these members as claims, which count before the others for who trusts its issuer and
	// has verified it (RFC 9728, Section 2.2). It is kept here, and not looked into.
	SignedMetadata string `json:"signed_metadata,omitempty"`

	Extra map[string]json.RawMessage `json:"-"`
}

type (
	wireServer   ServerMetadata
	wireResource ResourceMetadata
)

var (
	serverDecoder, _   = strictjson.NewDecoder[wireServer]()
	serverEncoder, _   = strictjson.NewEncoder[wireServer]()
	resourceDecoder, _ = strictjson.NewDecoder[wireResource]()
	resourceEncoder, _ = strictjson.NewEncoder[wireResource]()
)

// UnmarshalJSON reads the metadata. A member that is null counts as absent, as servers write it, and is kept.
func (m *ServerMetadata) UnmarshalJSON(data []byte) error {
	var w wireServer
	extra, err := decode(serverDecoder, serverEncoder, data, &w)
	if err != nil {
		return err
	}
	*m = ServerMetadata(w)
	m.Extra = extra
	return nil
}

// MarshalJSON writes the metadata.
func (m ServerMetadata) MarshalJSON() ([]byte, error) {
	w := wireServer(m)
	return encode(serverEncoder, &w, m.Extra)
}

// UnmarshalJSON reads the metadata, as that of [ServerMetadata] does.
func (m *ResourceMetadata) UnmarshalJSON(data []byte) error {
	var w wireResource
	extra, err := decode(resourceDecoder, resourceEncoder, data, &w)
	if err != nil {
		return err
	}
	*m = ResourceMetadata(w)
	m.Extra = extra
	return nil
}

// MarshalJSON writes the metadata.
func (m ResourceMetadata) MarshalJSON() ([]byte, error) {
	w := wireResource(m)
	return encode(resourceEncoder, &w, m.Extra)
}

// decode reads data into w, and returns the members that w does not write again.
func decode[T any](d *strictjson.Decoder[T], e *strictjson.Encoder[T], data []byte, w *T) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := strictjson.Unmarshal(slices.Clone(data), &all, strictjson.Limits{}); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errMetadata.With("it is null and no object")
	}
	there := make(map[string]json.RawMessage, len(all))
	for name, value := range all {
		if string(value) != "null" {
			there[name] = value
		}
	}
	document, _ := json.Marshal(there) // which was JSON before
	if err := d.Decode(document, w, strictjson.Limits{}); err != nil {
		return nil, err
	}
	written, _ := e.Append(nil, w) // as it was read
	remove(all, written)
	return all, nil
}

// encode writes w, and behind it the members of extra that w does not have.
func encode[T any](e *strictjson.Encoder[T], w *T, extra map[string]json.RawMessage) ([]byte, error) {
	b, err := e.Append(nil, w)
	rest := maps.Clone(extra)
	remove(rest, b)
	if err != nil || len(rest) == 0 {
		return b, err
	}
	more, err := json.Marshal(rest)
	if err != nil || len(b) == len("{}") {
		return more, err
	}
	return append(append(b[:len(b)-1], ','), more[1:]...), nil
}

// remove takes the members of an object that was written here out of m.
func remove(m map[string]json.RawMessage, object []byte) {
	_ = strictjson.Object(object, strictjson.Limits{}, func(name string, _ []byte) error {
		delete(m, name)
		return nil
	})
}

// Validate holds the metadata to the issuer identifier that it was asked for: without that anyone could publish metadata
// in the name of another (RFC 8414, Section 3.3; RFC 9207, Section 2.4, needs it too). The identifier is compared exactly, and
// what is there of endpoints and key sets has to be https, or http to this machine (RFC 8414, Section 2). Errors are
// [ErrIssuer] and [ErrMetadata].
func (m *ServerMetadata) Validate(issuer string) error {
	if err := CheckIssuer(m.Issuer, issuer); err != nil {
		return err
	}
	if _, err := issuerURL(m.Issuer); err != nil {
		return err
	}
	for _, u := range []struct{ name, url string }{
		{"authorization_endpoint", m.AuthorizationEndpoint},
		{"token_endpoint", m.TokenEndpoint},
		{"jwks_uri", m.JWKSURI},
		{"registration_endpoint", m.RegistrationEndpoint},
		{"revocation_endpoint", m.RevocationEndpoint},
		{"introspection_endpoint", m.IntrospectionEndpoint},
		{"device_authorization_endpoint", m.DeviceAuthorizationEndpoint},
		{"pushed_authorization_request_endpoint", m.PushedAuthorizationEndpoint},
		{"userinfo_endpoint", m.UserInfoEndpoint},
		{"end_session_endpoint", m.EndSessionEndpoint},
		{"backchannel_authentication_endpoint", m.BackchannelAuthenticationEndpoint},
		{"challenge_endpoint", m.ChallengeEndpoint},
	} {
		if err := secure(u.name, u.url); err != nil {
			return err
		}
	}
	for name, u := range m.MTLSEndpointAliases {
		if err := secure("mtls_endpoint_aliases", u); err != nil || u == "" {
			return errors.Join(err, errMetadata.With(fmt.Sprintf("mtls_endpoint_aliases has no URL for %.64q", name)))
		}
	}
	return nil
}

// Validate holds the metadata to the resource identifier that it was asked for, or where a challenge named its URL, to the
// URL of the request that was challenged; both are compared exactly (RFC 9728, Section 3.3). What is there of
// authorization servers and key sets has to be https, or http to this machine. Errors are [ErrIssuer] and [ErrMetadata].
func (m *ResourceMetadata) Validate(resource string) error {
	if m.Resource != resource {
		return errIssuer.With(mismatch("resource", m.Resource, resource))
	}
	if err := ValidateResource(m.Resource); err != nil {
		return errMetadata.Wrap(err)
	}
	if slices.Contains(m.SigningAlgs, "none") { // RFC 9728, Section 2
		return errMetadata.With("resource_signing_alg_values_supported has none")
	}
	for _, issuer := range m.AuthorizationServers {
		if _, err := issuerURL(issuer); err != nil {
			return err
		}
	}
	return secure("jwks_uri", m.JWKSURI)
}

// CheckIssuer holds an issuer identifier to the one that is expected, exactly (RFC 8414, Sections 3.3 and 4). The
// error is [ErrIssuer], and says where only a slash at the end differs.
func CheckIssuer(got, want string) error {
	if got == want && want != "" {
		return nil
	}
	return errIssuer.With(mismatch("issuer", got, want))
}

func mismatch(what, got, want string) string {
	switch {
	case got == "":
		return "it names no " + what
	case strings.TrimSuffix(got, "/") == strings.TrimSuffix(want, "/"):
		return fmt.Sprintf("it is of %.200q: only one of the two has a final slash", got)
	}
	return fmt.Sprintf("it is of %.200q", got)
}

// MetadataURLs returns where the metadata of an issuer may be, in the order in which it is looked for: behind the
// identifier (OpenID Connect Discovery 1.0, Section 4.1), and before its path with the suffix of OAuth and with that
// of OpenID Connect (RFC 8414, Sections 3.1 and 5). The identifier is https, or http to this machine, without query
// and fragment; other identifiers are [ErrMetadata].
func MetadataURLs(issuer string) ([]string, error) {
	at, err := issuerURL(issuer)
	if err != nil {
		return nil, err
	}
	// Both specifications take a final slash away first.
	trimmed := strings.TrimSuffix(issuer, "/")
	origin, path := at.Scheme+"://"+at.Host, strings.TrimSuffix(at.EscapedPath(), "/")
	all := []string{
		trimmed + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	}
	if path != "" {
		all = append(all, origin+"/.well-known/openid-configuration"+path)
	}
	return all, nil
}

// ResourceMetadataURL returns where the metadata of a protected resource is: between the host and the path of its identifier
// (RFC 9728, Section 3.1). An identifier that is not https, nor http to this machine, is [ErrMetadata].
func ResourceMetadataURL(resource string) (string, error) {
	if err := ValidateResource(resource); err != nil {
		return "", errMetadata.Wrap(err)
	}
	if err := secure("resource", resource); err != nil {
		return "", err
	}
	u, _ := url.Parse(resource) // which has been parsed before
	// The slash that follows the host is removed, and no other: /a and /a/ are two resources.
	rest := u.EscapedPath()
	if rest == "/" {
		rest = ""
	}
	if u.RawQuery != "" {
		rest += "?" + u.RawQuery
	}
	return u.Scheme + "://" + u.Host + "/.well-known/oauth-protected-resource" + rest, nil
}

// issuerURL holds an issuer identifier to RFC 8414, Section 2.
func issuerURL(issuer string) (*url.URL, error) {
	if issuer == "" {
		return nil, errMetadata.With("there is no issuer")
	}
	if err := secure("issuer", issuer); err != nil {
		return nil, err
	}
	if strings.ContainsAny(issuer, "?#") {
		return nil, errMetadata.With("an issuer has no query and no fragment")
	}
	return url.Parse(issuer)
}

// secure refuses a URL that is neither https nor, over http, to this machine. Without one there is nothing to refuse.
func secure(name, raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.User != nil || u.Hostname() == "":
		return errMetadata.With(name + " is no URL with a host")
	case strings.Contains(raw, "#"): // RFC 6749, Sections 3.1 and 3.2
		return errMetadata.With(name + " has a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errMetadata.With(name + " is not https")
}

func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
