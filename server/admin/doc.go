// Package admin administers a running authorization server over HTTP: its clients,
// trusted issuers, grants, keys and what is revoked, as JSON.
//
//	o.Resources = append(o.Resources, admin.Resource(o.Issuer)) // of server.Options
//	s, err := server.New(ctx, o)
//	h, err := admin.New(s, admin.Options{Keys: rotation})
//	mux.Handle("/admin/v1/", h) // below the path of the issuer
//
// An administrator is a client of the server itself: one that names the resource of this API, with the scopes
// admin:read and admin:write. It gets an access token as for any other API, and the
// handler is behind package guard: tokens that are bound to a key or a certificate
// work as everywhere.
//
//	GET /admin/v1/clients?after=…&limit=…         a page of them
//	GET, PUT, DELETE /admin/v1/clients/{client_id}
//	POST /admin/v1/clients/{client_id}/secret     a new secret, with ?overlap=SECONDS beside the old one
//	DELETE /admin/v1/clients/{client_id}/old-secret
//	GET /admin/v1/issuers?after=…&limit=…
//	GET, PUT, DELETE /admin/v1/issuers/{issuer}   the URL in percent-encoding
//	GET /admin/v1/grants?client_id=…&subject=…
//	GET, DELETE /admin/v1/grants/{grant_id}
//	POST /admin/v1/revocations                    of a token, a client's or a subject's
//	GET /admin/v1/keys
//	POST /admin/v1/keys/rotate
//	DELETE /admin/v1/keys/{kid}
//	GET /admin/v1/openapi.json                    what all of it means; needs no token
//
// # What is promised
//
// What PUT sends is the whole document. It says which one it replaces: If-Match has the
// ETag that GET has answered with, or If-None-Match: * that there is none. So nobody
// undoes what they have not seen, and a request that is repeated does no more than the
// first.
//
// Nothing can be saved that the server could not use: a client has the methods, grants
// and resources of the configuration, or is refused. Members and parameters that are not known are refused. A
// secret is in the one answer by which it was made and in no other.
//
// # Errors
//
// They have the form of those of OAuth (RFC 6749, Section 5.2): error, which is stable,
// and error_description, which says what to do. Beside those of package guard they are
//
//	invalid_request          400  the request is not what the document says
//	invalid_document         400  the server could not use what was sent
//	invalid_client_metadata  400  the metadata contradicts itself or the configuration; invalid_redirect_uri
//	not_found                404
//	method_not_allowed       405
//	precondition_failed      412  it has changed, or is there already
//	content_too_large        413  over 1 MiB
//	unsupported_media_type   415  it is not application/json
//	precondition_required    428  PUT without If-Match and If-None-Match
//	temporarily_unavailable  503  the store does not answer
package admin
