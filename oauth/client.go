package oauth

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
)

// The limits on the metadata of a client.
const (
	maxClientMetadata = 256 << 10
	maxClientList     = 64
	maxClientText     = 2000
)

// ClientMetadata is what a client says of itself where it registers (RFC 7591, Section 2), and what an authorization server
// keeps of it. A member that is absent is a zero field. A list that was written empty is not nil.
type ClientMetadata struct {
	RedirectURIs []string `json:"redirect_uris,omitzero"`
	// AuthMethod is the one method by which the client authenticates. Absent, it is client_secret_basic.
	AuthMethod      string   `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes      []string `json:"grant_types,omitzero"`    // absent: authorization_code
	ResponseTypes   []string `json:"response_types,omitzero"` // absent: code
	Name            string   `json:"client_name,omitempty"`   // in other languages in Extra, as client_name#fr
	URI             string   `json:"client_uri,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	Scope           string   `json:"scope,omitempty"` // what it may ask for: names with spaces between them
	Contacts        []string `json:"contacts,omitzero"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	JWKSURI         string   `json:"jwks_uri,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
	// JWKS is the set of the client's public keys, as it was written: [jwk.ParseSet] reads it.
	JWKS json.RawMessage `json:"jwks,omitempty"`
	// SoftwareStatement is a JWT with these members as claims. It is kept here, and not looked into.
	SoftwareStatement string `json:"software_statement,omitempty"`

	AuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"` // OpenID Connect Dynamic Client Registration 1.0, Section 2

	// RFC 8705, Section 2.1.2: one of these for tls_client_auth. Section 3.4: whether all tokens are bound.
	TLSSubjectDN           string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS              string `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI              string `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP               string `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail            string `json:"tls_client_auth_san_email,omitempty"`
	CertificateBoundTokens bool   `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	DPoPBoundTokens           bool     `json:"dpop_bound_access_tokens,omitempty"`             // RFC 9449, Section 5.2
	AuthorizationDetailsTypes []string `json:"authorization_details_types,omitzero"`           // RFC 9396, Section 10
	IntrospectionSignedAlg    string   `json:"introspection_signed_response_alg,omitempty"`    // RFC 9701, Section 6
	IntrospectionEncryptedAlg string   `json:"introspection_encrypted_response_alg,omitempty"` // the same
	IntrospectionEncryptedEnc string   `json:"introspection_encrypted_response_enc,omitempty"` // the same

	// Extra are the members that no field holds, as they were written.
	Extra map[string]json.RawMessage `json:"-"`
}

type wireClient ClientMetadata

var (
	clientDecoder, _ = strictjson.NewDecoder[wireClient]()
	clientEncoder, _ = strictjson.NewEncoder[wireClient]()
)

// UnmarshalJSON reads the metadata, as that of [ServerMetadata] does.
func (m *ClientMetadata) UnmarshalJSON(data []byte) error {
	var w wireClient
	if len(data) > maxClientMetadata {
		return refuse(InvalidClientMetadata, "the metadata has over %d bytes", maxClientMetadata)
	}
	extra, err := decode(clientDecoder, clientEncoder, data, &w)
	if err != nil {
		return err
	}
	*m = ClientMetadata(w)
	m.Extra = extra
	return nil
}

// MarshalJSON writes the metadata.
func (m ClientMetadata) MarshalJSON() ([]byte, error) {
	w := wireClient(m)
	return encode(clientEncoder, &w, m.Extra)
}

// Method returns AuthMethod, or what its absence means (RFC 7591, Section 2).
func (m *ClientMetadata) Method() string {
	if m.AuthMethod == "" {
		return "client_secret_basic"
	}
	return m.AuthMethod
}

// Grants returns GrantTypes, or what their absence means (RFC 7591, Section 2).
func (m *ClientMetadata) Grants() []string {
	if m.GrantTypes == nil {
		return []string{"authorization_code"}
	}
	return m.GrantTypes
}

// Validate holds the metadata to what its specifications say whatever a server supports. The error is an *Error with
// [InvalidClientMetadata], or for redirect URIs with [InvalidRedirectURI] (RFC 7591, Section 3.2.2).
func (m *ClientMetadata) Validate() error {
	if err := m.validateRedirects(); err != nil {
		return err
	}
	if err := m.validateTexts(); err != nil {
		return err
	}
	if m.Scope != "" {
		if _, err := ParseScopes(m.Scope); err != nil {
			return &Error{Code: InvalidClientMetadata, Description: "the scope is malformed", Cause: err}
		}
	}
	if err := m.validateKeys(); err != nil {
		return err
	}
	if err := m.validateTLS(); err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(m.AuthMethod, "_jwt") && m.AuthSigningAlg == "none":
		return invalidClient("token_endpoint_auth_signing_alg is none") // OpenID Connect Dynamic Client Registration 1.0, Section 2
	case m.IntrospectionSignedAlg == "none": // RFC 9701, Section 6
		return invalidClient("introspection_signed_response_alg is none")
	case m.IntrospectionEncryptedEnc != "" && m.IntrospectionEncryptedAlg == "": // RFC 9701, Section 6
		return invalidClient("introspection_encrypted_response_enc is there without introspection_encrypted_response_alg")
	}
	// RFC 7591, Section 2.1: those two that say the same must not contradict each other.
	for grant, response := range map[string]string{"authorization_code": "code", "implicit": "token"} {
		has := slices.ContainsFunc(m.ResponseTypes, func(r string) bool { return slices.Contains(strings.Fields(r), response) })
		if m.ResponseTypes != nil && has && !slices.Contains(m.Grants(), grant) {
			return invalidClient("the response type %s needs the grant type %s", response, grant)
		}
	}
	return nil
}

// validateRedirects holds redirect URIs to RFC 6749, Section 3.1.2.
func (m *ClientMetadata) validateRedirects() error {
	if len(m.RedirectURIs) > maxClientList {
		return refuse(InvalidRedirectURI, "there are over %d redirect URIs", maxClientList)
	}
	for _, raw := range m.RedirectURIs {
		u, err := url.Parse(raw)
		switch {
		case err != nil || len(raw) > maxClientText || !u.IsAbs() || u.User != nil:
			return refuse(InvalidRedirectURI, "a redirect URI is no absolute URI")
		case strings.Contains(raw, "#"):
			return refuse(InvalidRedirectURI, "a redirect URI has a fragment")
		case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about"}, u.Scheme):
			return refuse(InvalidRedirectURI, "a redirect URI has a scheme that a browser runs or reads itself")
		case u.Scheme == "http" && !loopback(u.Hostname()): // RFC 9700, Section 2.6; RFC 8252, Section 7.3
			return refuse(InvalidRedirectURI, "a redirect URI is http and does not lead to the user's own machine")
		case u.Scheme == "https" && u.Host == "":
			return refuse(InvalidRedirectURI, "a redirect URI has no host")
		}
	}
	return nil
}

func (m *ClientMetadata) validateTexts() error {
	for name, list := range map[string][]string{
		"grant_types": m.GrantTypes, "response_types": m.ResponseTypes, "contacts": m.Contacts,
		"authorization_details_types": m.AuthorizationDetailsTypes,
	} {
		if len(list) > maxClientList || slices.ContainsFunc(list, func(s string) bool { return s == "" || len(s) > maxClientText }) {
			return invalidClient("%s has too many values, or one that is empty or too long", name)
		}
	}
	for name, text := range map[string]string{
		"client_name": m.Name, "software_id": m.SoftwareID, "software_version": m.SoftwareVersion,
		"token_endpoint_auth_method": m.AuthMethod, "tls_client_auth_subject_dn": m.TLSSubjectDN,
	} {
		if len(text) > maxClientText {
			return invalidClient("%s is too long", name)
		}
	}
	// RFC 7591, Section 2: they are shown to the user, who may follow them.
	for name, raw := range map[string]string{"client_uri": m.URI, "logo_uri": m.LogoURI, "tos_uri": m.TermsURI, "policy_uri": m.PolicyURI} {
		u, err := url.Parse(raw)
		if raw != "" && (err != nil || len(raw) > maxClientText || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			return invalidClient("%s is no URL of a page", name)
		}
	}
	return nil
}

// validateKeys holds the client's keys to RFC 7591, Section 2: by value or by reference, and public.
func (m *ClientMetadata) validateKeys() error {
	switch {
	case m.JWKS != nil && m.JWKSURI != "":
		return invalidClient("jwks and jwks_uri are not both there")
	case m.JWKSURI != "":
		if err := secure("jwks_uri", m.JWKSURI); err != nil || len(m.JWKSURI) > maxClientText {
			return &Error{Code: InvalidClientMetadata, Description: "jwks_uri is not an https URL", Cause: err}
		}
	case m.JWKS != nil:
		all, _, err := jwk.ParseJWKs(m.JWKS)
		if err != nil {
			return &Error{Code: InvalidClientMetadata, Description: "jwks is no JWK set", Cause: err}
		}
		if slices.ContainsFunc(all, func(k jwk.JWK) bool { return k.IsPrivate() || k.KeyType() == "oct" }) {
			return invalidClient("jwks has a private or secret key")
		}
	case m.AuthMethod == "private_key_jwt" || m.AuthMethod == "self_signed_tls_client_auth":
		return invalidClient("%s needs jwks or jwks_uri", m.AuthMethod) // RFC 8705, Section 2.2.2
	}
	return nil
}

// validateTLS holds tls_client_auth to RFC 8705, Section 2.1.2: exactly one of the names.
func (m *ClientMetadata) validateTLS() error {
	n := 0
	for _, name := range []string{m.TLSSubjectDN, m.TLSSANDNS, m.TLSSANURI, m.TLSSANIP, m.TLSSANEmail} {
		if name != "" {
			n++
		}
	}
	switch {
	case m.AuthMethod == "tls_client_auth" && n != 1:
		return invalidClient("tls_client_auth needs exactly one of the members whose names begin with tls_client_auth_")
	case m.AuthMethod != "tls_client_auth" && n != 0:
		return invalidClient("the members whose names begin with tls_client_auth_ are for tls_client_auth")
	}
	if m.TLSSANIP != "" {
		if _, err := netip.ParseAddr(m.TLSSANIP); err != nil {
			return invalidClient("tls_client_auth_san_ip is no IP address")
		}
	}
	return nil
}

func invalidClient(format string, args ...any) error {
	return &Error{Code: InvalidClientMetadata, Description: fmt.Sprintf(format, args...)}
}

// ClientInformation is the answer to a client that has registered (RFC 7591, Section 3.2.1; RFC 7592, Section 3).
type ClientInformation struct {
	ClientMetadata
	ClientID string
	// Secret is "" where the client has none. SecretExpiresAt is a time in seconds since 1970, zero for never; it is written where
	// there is a secret.
	Secret          string
	IssuedAt        int64
	SecretExpiresAt int64
	// RegistrationToken and RegistrationURI are where the client reads and changes what it has registered, and with what token.
	RegistrationToken string
	RegistrationURI   string
}

// wireInformation is what ClientInformation has beside the metadata.
type wireInformation struct {
	ClientID          string `json:"client_id"`
	Secret            string `json:"client_secret,omitempty"`
	IssuedAt          int64  `json:"client_id_issued_at,omitempty"`
	SecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"`
	RegistrationToken string `json:"registration_access_token,omitempty"`
	RegistrationURI   string `json:"registration_client_uri,omitempty"`
}

var informationDecoder, _ = strictjson.NewDecoder[wireInformation]()

// MarshalJSON writes the answer.
func (c ClientInformation) MarshalJSON() ([]byte, error) {
	w := wireInformation{c.ClientID, c.Secret, c.IssuedAt, nil, c.RegistrationToken, c.RegistrationURI}
	if c.Secret != "" {
		w.SecretExpiresAt = &c.SecretExpiresAt // RFC 7591, Section 3.2.1: required with a secret
	}
	head, _ := json.Marshal(w) // which is strings and numbers
	m := c.ClientMetadata
	m.Extra = map[string]json.RawMessage{}
	for name, value := range c.Extra {
		m.Extra[name] = value
	}
	remove(m.Extra, head)
	tail, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if len(tail) <= len("{}") {
		return head, nil
	}
	return append(append(head[:len(head)-1], ','), tail[1:]...), nil
}

// UnmarshalJSON reads an answer.
func (c *ClientInformation) UnmarshalJSON(data []byte) error {
	var m ClientMetadata
	if err := m.UnmarshalJSON(data); err != nil {
		return err
	}
	// What is not among the metadata has been kept there.
	own := map[string]json.RawMessage{}
	for _, name := range informationDecoder.Names() {
		if value, ok := m.Extra[name]; ok && string(value) != "null" {
			own[name] = value
		}
		delete(m.Extra, name)
	}
	document, _ := json.Marshal(own) // which was JSON before
	var w wireInformation
	if err := informationDecoder.Decode(document, &w, strictjson.Limits{}); err != nil {
		return err
	}
	*c = ClientInformation{m, w.ClientID, w.Secret, w.IssuedAt, 0, w.RegistrationToken, w.RegistrationURI}
	if w.SecretExpiresAt != nil {
		c.SecretExpiresAt = *w.SecretExpiresAt
	}
	return nil
}
