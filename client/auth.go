package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/attestation"
	"github.com/jotsuite/jot/profile/clientauth"
)

// Authentication puts what authenticates the client into a token request. It is called for each one, and concurrently. Write
// your own for a method that is not here.
type Authentication func(ctx context.Context, r *Request) error

// Request is a token request before it is sent.
type Request struct {
	Issuer string      // the server's issuer identifier, as configured
	Header http.Header // of the request
	Form   url.Values  // its parameters; those of the grant are there already
	Time   time.Time   // now

	// Challenge is the last one that the server has given for client attestations, or "".
	Challenge string
}

// None is a public client, which has no credentials (RFC 6749, Section 2.1).
func None(clientID string) Authentication {
	return func(_ context.Context, r *Request) error {
		r.Form.Set("client_id", clientID)
		return nil
	}
}

// Certificate is a client that authenticates with a certificate of Config.HTTP: tls_client_auth or
// self_signed_tls_client_auth (RFC 8705, Section 2). Set Config.MTLS with it.
func Certificate(clientID string) Authentication { return None(clientID) }

// SecretBasic is client_secret_basic: both parts are form-encoded before they are a user name and a password (RFC 6749,
// Section 2.3.1).
func SecretBasic(clientID, secret string) Authentication {
	return func(_ context.Context, r *Request) error {
		pair := url.QueryEscape(clientID) + ":" + url.QueryEscape(secret)
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		return nil
	}
}

// SecretPost is client_secret_post, which RFC 6749, Section 2.3.1, does not recommend: the secret is in the body, where
// more is written to logs.
func SecretPost(clientID, secret string) Authentication {
	return func(_ context.Context, r *Request) error {
		r.Form.Set("client_id", clientID)
		r.Form.Set("client_secret", secret)
		return nil
	}
}

// Assertion is private_key_jwt with a private key, and client_secret_jwt with a secret one (RFC 7523, Section 2.2). Each
// request has a new assertion, for the issuer identifier alone, that is good for a minute.
func Assertion(clientID string, key jwk.Signer) Authentication {
	return LegacyAssertion(clientID, key, "")
}

// LegacyAssertion is [Assertion] for a server from before RFC 10070 that wants another audience, such as the URL of its token
// endpoint. Take it from the server's documentation and not from its metadata, where a server could name another one.
func LegacyAssertion(clientID string, key jwk.Signer, audience string) Authentication {
	return func(ctx context.Context, r *Request) error {
		aud := audience
		if aud == "" {
			aud = r.Issuer // RFC 10070, Section 4
		}
		assertion, err := clientauth.Sign(ctx, key, jwt.Registered{
			Issuer: clientID, Subject: clientID, Audience: jwt.Audience{aud},
			IssuedAt: r.Time, Expiry: r.Time.Add(time.Minute), ID: rand.Text(),
		}, clientauth.Claims{})
		if err != nil {
			return err
		}
		r.Form.Set("client_id", clientID)
		r.Form.Set("client_assertion_type", clientauth.AssertionType)
		r.Form.Set("client_assertion", assertion)
		return nil
	}
}

// Attestation is a client whose maker vouches for this instance of it (draft-ietf-oauth-attestation-based-client-auth-10):
// attested returns the attestation that it has at present, and key is the one of the instance that it names.
func Attestation(clientID string, key jwk.Signer, attested func(context.Context) (string, error)) Authentication {
	return func(ctx context.Context, r *Request) error {
		token, err := attested(ctx)
		if err != nil {
			return err
		}
		r.Form.Set("client_id", clientID)
		return attestation.SetHeaders(ctx, r.Header, token, key, r.Issuer, r.Challenge)
	}
}
