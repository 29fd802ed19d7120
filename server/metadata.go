package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/oauth"
)

// Metadata is what the server says of itself (RFC 8414, Section 2). It is not to be changed.
func (s *Server) Metadata() *oauth.ServerMetadata { return &s.meta }

// describe writes the metadata: of what there is, and nothing else.
func (s *Server) describe(ctx context.Context) error {
	set, _, err := s.o.Keys.Set(ctx)
	if err != nil {
		return errOptions.Wrap(err)
	}
	var signing, scopes []string
	for _, k := range set {
		if name := k.Algorithm().Name(); k.Algorithm().Use() == "sig" && !slices.Contains(signing, name) {
			signing = append(signing, name)
		}
	}
	var identifiers []string
	for _, r := range s.resources {
		scopes = oauth.Scopes(scopes).Union(r.Scopes)
		identifiers = append(identifiers, r.Identifier)
	}
	methods := s.authMethods()
	confidential := slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == methodNone })
	var asymmetric, assertion, encryption, encs []string
	for _, a := range jwa.Signatures() {
		switch {
		case a.Symmetric():
			assertion = append(assertion, a.Name())
		case !a.Deprecated():
			asymmetric = append(asymmetric, a.Name())
		}
	}
	assertion = append(slices.Clone(asymmetric), assertion...)
	for _, a := range jwa.KeyManagement() {
		if !a.Symmetric() && !a.Deprecated() && !a.Integrated() {
			encryption = append(encryption, a.Name())
		}
	}
	for _, e := range jwa.Encryptions() {
		encs = append(encs, e.Name())
	}
	s.meta = oauth.ServerMetadata{
		Issuer:                           s.o.Issuer,
		TokenEndpoint:                    s.tokenURL,
		JWKSURI:                          s.base + "/jwks",
		IntrospectionEndpoint:            s.base + "/introspect",
		RevocationEndpoint:               s.base + "/revoke",
		ScopesSupported:                  scopes,
		ResponseTypesSupported:           []string{}, // RFC 8414, Section 2: required, and there is no authorization endpoint
		GrantTypesSupported:              slices.Clone(grantTypes),
		TokenEndpointAuthMethods:         methods,
		TokenEndpointAuthSigningAlgs:     assertion,
		RevocationEndpointAuthMethods:    methods,
		RevocationEndpointSigningAlgs:    assertion,
		IntrospectionEndpointAuthMethods: confidential,
		IntrospectionEndpointSigningAlgs: assertion,
		IntrospectionSigningAlgs:         signing,
		IntrospectionEncryptionAlgs:      encryption,
		IntrospectionEncryptionEncs:      encs,
		DPoPSigningAlgs:                  asymmetric,
		CertificateBoundAccessTokens:     true,
		AuthorizationDetailsTypes:        slices.Sorted(maps.Keys(s.o.DetailTypes)),
		ProtectedResources:               identifiers,
	}
	m := &s.meta
	if s.o.Registration != nil {
		m.RegistrationEndpoint = s.base + "/register"
	}
	if s.attestations != nil {
		m.ChallengeEndpoint = s.base + "/challenge"
		m.ClientAttestationSigningAlgs, m.ClientAttestationPoPSigningAlgs = asymmetric, asymmetric
	}
	if s.mtls != "" { // RFC 8705, Section 5
		m.MTLSEndpointAliases = map[string]string{
			"token_endpoint": s.mtls + "/token", "introspection_endpoint": s.mtls + "/introspect", "revocation_endpoint": s.mtls + "/revoke",
		}
	}
	return nil
}

// serveDocument answers with JSON that seldom changes.
func serveDocument(w http.ResponseWriter, r *http.Request, document []byte) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = jsonType
	}
	sum := sha256.Sum256(document)
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:12])+`"`)
	h.Set("Cache-Control", "public, max-age=300")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
}
