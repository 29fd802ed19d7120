package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/oauth"
	"github.com/jotsuite/jot/profile/introspection"
	"github.com/jotsuite/jot/server/store"
)

// introspect is the introspection endpoint (RFC 7662, and RFC 9701 for who asks for a JWT).
func (q *request) introspect() error {
	if err := q.parse(); err != nil {
		return err
	}
	if err := q.authenticate(); err != nil {
		return err
	}
	if q.client.method == methodNone { // RFC 7662, Section 2.1: or anyone could try tokens
		return invalid(oauth.InvalidClient, "a client asks about tokens that authenticates", nil)
	}
	raw := q.form.Get("token")
	if raw == "" {
		return invalid(oauth.InvalidRequest, "there is no token", nil)
	}
	answer, err := q.state(raw)
	if err != nil {
		return err
	}
	if !answer.Active {
		answer = &introspection.Response{}
	}
	if !q.signed() {
		q.w.Header()["Vary"] = vary
		q.writeJSON(must(json.Marshal(answer)))
		return nil
	}
	before := q.ctx
	ctx, end := q.trace(before, "sign")
	q.ctx = ctx
	body, err := q.signAnswer(answer)
	q.ctx = before
	end(err)
	if err != nil {
		return err
	}
	h := q.w.Header()
	h.Set("Content-Type", introspection.MediaType)
	h["Cache-Control"], h["Vary"] = noStore, vary
	_, _ = q.w.Write([]byte(body))
	return nil
}

var vary = []string{"Accept"}

// signed reports whether the answer is to be a JWT: where it is asked for, and to who has asked once for all to have it encrypted, since
// what nobody else may read is not sent in clear (RFC 9701, Sections 4 and 6).
func (q *request) signed() bool {
	if q.client.Metadata.IntrospectionEncryptedAlg != "" {
		return true
	}
	for _, value := range q.r.Header["Accept"] {
		for part := range strings.SplitSeq(value, ",") {
			if t, p, err := mime.ParseMediaType(part); err == nil && t == introspection.MediaType && p["q"] != "0" {
				return true
			}
		}
	}
	return false
}

// state says what a token is worth to the client that asks. What is none of its business is not active (RFC 7662, Section 2.2; RFC 9701,
// Section 5).
func (q *request) state(raw string) (*introspection.Response, error) {
	if id, seq, ok := q.secrets.grantOf(raw); ok {
		return q.refreshState(id, seq)
	}
	b, err := q.inspect(q.ctx, q.now, raw)
	if err != nil {
		if _, ok := errors.AsType[*jwt.RejectError](err); !ok {
			return nil, err
		}
		b = nil
	}
	if b == nil || b.ClientID != q.client.ID && (q.client.introspect == nil || !slices.Contains(b.Audience, q.client.introspect.Identifier)) {
		return &introspection.Response{}, nil
	}
	q.event.TokenID, q.event.Subject, q.event.Scope, q.event.Audience = b.ID, b.Subject, b.Scope, b.Audience
	r := &introspection.Response{
		Active: true, Scope: b.Scope, ClientID: b.ClientID, TokenType: oauth.Bearer,
		Expiry: b.Expiry, IssuedAt: b.IssuedAt, NotBefore: b.NotBefore, Subject: b.Subject, Audience: b.Audience, Issuer: b.Issuer, ID: b.ID,
		Confirmation: b.Confirmation, AuthorizationDetails: b.AuthorizationDetails, Other: b.Extra,
	}
	if b.Confirmation != nil && b.Confirmation.Thumbprint != "" {
		r.TokenType = oauth.DPoP
	}
	if username := r.Other["username"]; username != nil { // a claim that is configured, and a member of the answer
		r.Username = text(username)
		delete(r.Other, "username")
	}
	for name, value := range map[string]json.RawMessage{"act": b.Actor, "may_act": b.MayAct} {
		if value != nil {
			if r.Other == nil {
				r.Other = map[string]json.RawMessage{}
			}
			r.Other[name] = value
		}
	}
	if own := q.client.introspect; own != nil {
		// RFC 9701, Section 5, and RFC 7662, Section 4: an API is told that it is among the audience, and not who else.
		if slices.Contains(b.Audience, own.Identifier) {
			r.Audience = jwt.Audience{own.Identifier}
		}
		if own.Scopes != nil && b.ClientID != q.client.ID {
			scope, _ := oauth.ParseScopes(b.Scope) // which was written here
			r.Scope = scope.Intersect(own.Scopes).String()
		}
	}
	return r, nil
}

// refreshState says what a refresh token is worth, to the client that has it and to nobody else.
func (q *request) refreshState(id string, seq int64) (*introspection.Response, error) {
	g, err := q.o.Store.Grant(q.ctx, q.now, id)
	if isNotFound(err) || err == nil && (g.Client != q.client.ID || g.Seq != seq) {
		return &introspection.Response{}, nil
	}
	var f family
	if err == nil {
		err = json.Unmarshal(g.Body, &f)
	}
	if err != nil {
		return nil, err
	}
	q.event.Family = id
	return &introspection.Response{
		Active: true, Scope: f.Scope.String(), ClientID: g.Client, Subject: g.Subject, Issuer: q.o.Issuer, Expiry: g.Expires.Truncate(time.Second), IssuedAt: g.Rotated.Truncate(time.Second),
	}, nil
}

// signAnswer makes a JWT of an answer, encrypted if the client has registered so (RFC 9701, Section 5).
func (q *request) signAnswer(answer *introspection.Response) (string, error) {
	m := &q.client.Metadata
	alg := q.o.Algorithm
	if m.IntrospectionSignedAlg != "" {
		alg, _ = jwa.Lookup(m.IntrospectionSignedAlg) // which readyIntrospection has looked up
	}
	key, err := q.o.Keys.Signer(q.ctx, alg)
	if err != nil {
		return "", err
	}
	// RFC 9701, Section 5: it identifies the API that asks. That is known by two names, and clients look for the one that they have
	// authenticated by.
	audience := jwt.Audience{q.client.ID}
	if own := q.client.introspect; own != nil && own.Identifier != q.client.ID {
		audience = jwt.Audience{own.Identifier, q.client.ID}
	}
	r := jwt.Registered{Issuer: q.o.Issuer, Audience: audience, IssuedAt: q.now.Truncate(time.Second)}
	c := introspection.Claims{Response: answer}
	if m.IntrospectionEncryptedAlg == "" {
		return introspection.Sign(q.ctx, key, r, c)
	}
	to, err := q.recipient(q.ctx)
	if err != nil {
		return "", err
	}
	return jwt.SignEncrypted(q.ctx, key, to, jwt.Header{Type: introspection.Type}, r, c, jwt.AllowMissingExpiry)
}

// recipient is the key of the client that answers are encrypted with.
func (q *request) recipient(ctx context.Context) (jwt.Recipient, error) {
	var to jwt.Recipient
	set, err := q.client.set(ctx)
	if err != nil {
		return to, err
	}
	keys, err := set.Encrypters(jwk.Query{Algorithm: q.client.Metadata.IntrospectionEncryptedAlg})
	if err != nil {
		return to, errDocument.Wrap(err)
	}
	to.Key = keys[0]
	enc := q.client.Metadata.IntrospectionEncryptedEnc
	if enc == "" {
		enc = "A128CBC-HS256" // RFC 9701, Section 6
	}
	to.Encryption, _ = jwa.LookupEncryption(enc) // which readyIntrospection has looked up
	return to, nil
}

// readyIntrospection holds what a client has registered for its answers to what the server has.
func (s *Server) readyIntrospection(c *client) error {
	m := &c.Metadata
	if m.IntrospectionSignedAlg != "" && !slices.Contains(s.meta.IntrospectionSigningAlgs, m.IntrospectionSignedAlg) {
		return unsupported("introspection_signed_response_alg %.64s is not supported", m.IntrospectionSignedAlg)
	}
	if m.IntrospectionEncryptedAlg == "" {
		return nil
	}
	if c.set == nil {
		return unsupported("encrypted answers need jwks or jwks_uri")
	}
	if _, ok := jwa.LookupEncryption(m.IntrospectionEncryptedEnc); !ok && m.IntrospectionEncryptedEnc != "" {
		return unsupported("introspection_encrypted_response_enc %.64s is not supported", m.IntrospectionEncryptedEnc)
	}
	return nil
}

// revoke is the revocation endpoint (RFC 7009). A refresh token ends with its family; so does an access token alone.
func (q *request) revoke() error {
	if err := q.parse(); err != nil {
		return err
	}
	if err := q.authenticate(); err != nil {
		return err
	}
	raw := q.form.Get("token")
	if raw == "" {
		return invalid(oauth.InvalidRequest, "there is no token", nil)
	}
	if err := q.end(raw); err != nil {
		return err
	}
	q.w.Header()["Cache-Control"] = noStore
	q.w.WriteHeader(http.StatusOK) // RFC 7009, Section 2.2: for a token that there is not, too
	return nil
}

// end revokes a token.
func (q *request) end(raw string) error {
	foreign := invalid(oauth.InvalidGrant, "the token was issued to another client", nil) // RFC 7009, Section 2.1
	if id, _, ok := q.secrets.grantOf(raw); ok {
		g, err := q.o.Store.Grant(q.ctx, q.now, id)
		switch {
		case isNotFound(err):
			return nil
		case err != nil:
			return err
		case g.Client != q.client.ID:
			return foreign
		}
		q.event.Family = id
		_, err = q.o.Store.Revoke(q.ctx, store.Revocation{
			Target: store.Target{Sort: store.OfGrant, ID: id}, At: q.now, Expires: q.now.Add(q.longest() + leeway),
		})
		return err
	}
	if !isJWT(raw) {
		return q.endOpaque(raw, foreign)
	}
	t, err := q.tokens.Verify(q.ctx, raw)
	if _, ok := errors.AsType[*jwt.RejectError](err); ok {
		return nil // it is good for nothing already, RFC 7009, Section 2.2
	}
	if err != nil {
		return err
	}
	if t.Claims.ClientID != q.client.ID {
		return foreign
	}
	q.event.TokenID = t.ID
	_, err = q.o.Store.Revoke(q.ctx, store.Revocation{
		Target: store.Target{Sort: store.OfToken, ID: t.ID}, At: q.now, Expires: t.Expiry.Add(leeway),
	})
	return err
}

func (q *request) endOpaque(raw string, foreign error) error {
	body, key, err := q.kept(q.secrets.record, raw, func(key string) (store.Record, error) { return q.o.Store.Record(q.ctx, q.now, kindAccess, key) })
	if body == nil {
		return err
	}
	var b tokenBody
	if err := bodyDecoder.Decode(bytes.Clone(body), &b, strictjson.Limits{}); err != nil {
		return err
	}
	if b.ClientID != q.client.ID {
		return foreign
	}
	q.event.TokenID = b.ID
	if _, err = q.o.Store.TakeRecord(q.ctx, q.now, kindAccess, key); isNotFound(err) {
		return nil
	}
	return err
}
