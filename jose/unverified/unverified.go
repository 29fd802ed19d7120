// Package unverified looks inside tokens without any trust in them: for tools that
// show what a token says, whatever is wrong with it. Nothing that this package
// returns may decide anything. Programs that use tokens want package jwt.
//
// [Parse] opens one token of any form. [Find] finds every token of a text: a log,
// a mail, an HTTP message, a URL, an article, with the tokens bare, quoted,
// percent-encoded or wrapped over several lines.
//
// What breaks a rule is read as far as it makes sense and listed in
// Token.Problems. A token is at most 1 MiB unless the caller says otherwise.
package unverified

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
)

// MaxSize is the largest token in bytes that [Parse] and [Find] open.
const MaxSize = 1 << 20

// The errors of [Parse]: there is nothing to show.
var (
	ErrTooLarge error = compact.ErrTooLarge
	ErrNotToken error = errNotToken
)

var errNotToken = fault.New("token.malformed", "RFC 7515, Section 3", "this is not a token")

// Form is how a token is written.
type Form string

// The forms.
const (
	Compact       Form = "compact"        // JWS, three parts
	Flattened     Form = "flattened"      // JWS in JSON, one signature
	General       Form = "general"        // JWS in JSON, a list of signatures
	Encrypted     Form = "encrypted"      // JWE, five parts
	EncryptedJSON Form = "encrypted-json" // JWE in JSON
	Disclosable   Form = "sd-jwt"         // a compact JWS, then disclosures after tildes
	Prefixed      Form = "prefixed"       // pk, sk or tk where the header should be
)

// Token is what a token says. Nothing in it is verified.
type Token struct {
	Form    Form
	Raw     string
	Prefix  string          // of the Prefixed form
	Header  json.RawMessage // the first protected header; nil where it is not a JSON object
	Payload []byte          // nil where it is detached or encrypted
	Claims  json.RawMessage // the payload, where it is a JSON object
	Nested  *Token          // the payload, where it is a token

	Signatures  []Signature
	Encryption  *Encryption // of a JWE
	Disclosures []Disclosure
	KeyBinding  *Token // the key binding JWT of an SD-JWT
	Problems    []Problem

	header, claims map[string]json.RawMessage
}

// Signature is one signature, with its headers as JSON.
type Signature struct {
	Protected   json.RawMessage
	Unprotected json.RawMessage
	Signature   []byte
}

// Encryption is what can be seen of a JWE from outside: sizes in bytes.
type Encryption struct {
	IV, Ciphertext, Tag, AdditionalData int
	Unprotected                         json.RawMessage
	Recipients                          []Recipient
}

// Recipient is one recipient of a JWE.
type Recipient struct {
	Header       json.RawMessage
	EncryptedKey int // bytes
}

// Disclosure is one disclosure of an SD-JWT.
type Disclosure struct {
	Raw   string
	Salt  string
	Name  string // empty for an element of an array
	Value json.RawMessage
}

// Problem is a rule that a token breaks, with the code that a verifier would give.
type Problem struct {
	Code   string // such as token.encoding
	Where  string // such as header
	Detail string
}

// HeaderMember returns a member of Header, or nil.
func (t *Token) HeaderMember(name string) json.RawMessage { return t.header[name] }

// Claim returns a member of Claims, or nil.
func (t *Token) Claim(name string) json.RawMessage { return t.claims[name] }

// HeaderString returns a member of Header where it is a string, else "".
func (t *Token) HeaderString(name string) string { return asString(t.header[name]) }

// ClaimString returns a member of Claims where it is a string, else "".
func (t *Token) ClaimString(name string) string { return asString(t.claims[name]) }

func asString(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Parse opens a token of any form. It fails only where there is nothing to show.
func Parse(token string) (*Token, error) { return ParseMax(token, MaxSize) }

// ParseMax is [Parse] for tokens of up to limit bytes.
func ParseMax(token string, limit int) (*Token, error) {
	if len(token) > limit {
		return nil, ErrTooLarge
	}
	return parse(token, 0)
}

const (
	maxNesting  = 8
	maxParts    = 1000 // signatures, recipients
	maxProblems = 50
	maxReveals  = 10000 // disclosures
)

func parse(token string, depth int) (*Token, error) {
	t := &Token{Raw: token}
	var err error
	switch {
	case strings.HasPrefix(strings.TrimLeft(token, " \t\r\n"), "{"):
		err = t.parseJSON()
	case strings.Contains(token, "~"):
		err = t.parseDisclosable(depth)
	default:
		err = t.parseCompact(token)
	}
	if err != nil {
		return nil, err
	}
	t.nest(depth)
	return t, nil
}

// nest opens a payload that is a token itself (RFC 7519, Section 5.2).
func (t *Token) nest(depth int) {
	if t.Claims != nil || len(t.Payload) == 0 || !startsHeader(string(t.Payload[:min(3, len(t.Payload))])) {
		return
	}
	if depth >= maxNesting {
		t.problem("token.malformed", "payload", "it is nested too deeply to show")
		return
	}
	t.Nested, _ = parse(string(t.Payload), depth+1)
}

func (t *Token) problem(code, where, detail string) {
	p := Problem{code, where, detail}
	if len(t.Problems) < maxProblems && !slices.Contains(t.Problems, p) {
		t.Problems = append(t.Problems, p)
	}
}

// prefixes are what Mapbox writes in the place of a header.
var prefixes = []string{"pk", "sk", "tk"}

func (t *Token) parseCompact(token string) error {
	parts := strings.SplitN(token, ".", 6)
	switch {
	case len(parts) == 3 && slices.Contains(prefixes, parts[0]):
		t.Form, t.Prefix = Prefixed, parts[0]
		t.setPayload(t.decode("payload", parts[1]))
		t.Signatures = []Signature{{Signature: t.decode("signature", parts[2])}}
	case len(parts) == 3:
		t.Form = Compact
		t.setHeader(t.decode("header", parts[0]))
		t.Signatures = []Signature{{Protected: t.Header, Signature: t.decode("signature", parts[2])}}
		// RFC 7797: b64 says how the payload is to be read.
		if string(t.header["b64"]) == "false" {
			t.setPayload([]byte(parts[1]))
		} else if parts[1] != "" {
			t.setPayload(t.decode("payload", parts[1]))
		}
	case len(parts) == 5:
		t.Form = Encrypted
		t.setHeader(t.decode("header", parts[0]))
		t.Encryption = &Encryption{
			IV:         len(t.decode("iv", parts[2])),
			Ciphertext: len(t.decode("ciphertext", parts[3])),
			Tag:        len(t.decode("tag", parts[4])),
			Recipients: []Recipient{{EncryptedKey: len(t.decode("encrypted_key", parts[1]))}},
		}
	}
	if t.Header == nil && t.Claims == nil {
		return errNotToken.With("of three or five parts, neither header nor payload is a JSON object")
	}
	return nil
}

// parseDisclosable reads an SD-JWT (RFC 9901, Section 4): the JWT, disclosures, and
// a key binding JWT or nothing after the last tilde.
func (t *Token) parseDisclosable(depth int) error {
	jwt, rest, _ := strings.Cut(t.Raw, "~")
	if err := t.parseCompact(jwt); err != nil {
		return err
	}
	if t.Form != Compact {
		return errNotToken.With("tildes follow something that is not signed")
	}
	t.Form = Disclosable
	for n := 0; rest != ""; n++ {
		part, after, tilde := strings.Cut(rest, "~")
		switch {
		case n == maxReveals:
			t.problem("token.too_large", "disclosures", "there are too many to show")
			return nil
		case !tilde && strings.Contains(part, ".") && depth < maxNesting:
			t.KeyBinding, _ = parse(part, depth+1)
			if t.KeyBinding == nil {
				t.problem("token.malformed", "key binding", "it is not a token")
			}
		case !tilde:
			t.problem("token.malformed", "disclosures", "the last tilde is missing")
			fallthrough
		default:
			t.disclose(part)
		}
		rest = after
	}
	return nil
}

func (t *Token) disclose(part string) {
	d := Disclosure{Raw: part}
	var list []json.RawMessage
	raw := t.decode("disclosure", part)
	if json.Unmarshal(raw, &list) != nil || len(list) < 2 || len(list) > 3 {
		t.problem("json.type", "disclosure", "it is not a list of two or three")
	} else {
		t.check("disclosure", raw)
		d.Salt, d.Value = asString(list[0]), list[len(list)-1]
		if len(list) == 3 {
			d.Name = asString(list[1])
		}
	}
	t.Disclosures = append(t.Disclosures, d)
}

func (t *Token) parseJSON() error {
	var doc map[string]json.RawMessage
	_ = json.Unmarshal([]byte(t.Raw), &doc) // what fails has no members
	switch {
	case doc["ciphertext"] != nil:
		t.Form = EncryptedJSON
		t.check("document", []byte(t.Raw))
		t.encryption(doc)
		return nil
	case doc["signatures"] != nil:
		t.Form = General
		t.check("document", []byte(t.Raw))
		if doc["signature"] != nil || doc["protected"] != nil || doc["header"] != nil {
			t.problem("token.malformed", "document", "it is flattened and general at once")
		}
		var list []map[string]json.RawMessage
		if json.Unmarshal(doc["signatures"], &list) != nil {
			t.problem("json.type", "signatures", "it is not a list of objects")
		}
		if len(list) == 0 {
			t.problem("sig.none", "signatures", "there is no signature")
		}
		for _, s := range list[:t.atMost(len(list), "signatures")] {
			t.sign(s)
		}
	case doc["signature"] != nil:
		t.Form = Flattened
		t.check("document", []byte(t.Raw))
		t.sign(doc)
	default:
		return errNotToken.With("the JSON has neither signature, signatures nor ciphertext")
	}
	if doc["payload"] == nil {
		return nil
	}
	if payload := asString(doc["payload"]); string(t.header["b64"]) == "false" {
		t.setPayload([]byte(payload))
	} else {
		t.setPayload(t.decode("payload", payload))
	}
	return nil
}

func (t *Token) atMost(n int, where string) int {
	if n > maxParts {
		t.problem("token.too_large", where, "there are too many to show")
	}
	return min(n, maxParts)
}

// sign takes one signature of a JSON document, and what RFC 9901, Section 8 puts
// into its unprotected header.
func (t *Token) sign(doc map[string]json.RawMessage) {
	s := Signature{
		Protected:   t.object("header", t.decode("header", asString(doc["protected"]))),
		Unprotected: doc["header"],
		Signature:   t.decode("signature", asString(doc["signature"])),
	}
	if t.Header == nil && s.Protected != nil {
		t.setHeader(s.Protected)
	}
	t.Signatures = append(t.Signatures, s)
	var extra struct {
		Disclosures []string `json:"disclosures"`
		KeyBinding  string   `json:"kb_jwt"`
	}
	if json.Unmarshal(s.Unprotected, &extra) != nil {
		return
	}
	for _, d := range extra.Disclosures[:min(len(extra.Disclosures), maxReveals)] {
		t.disclose(d)
	}
	if extra.KeyBinding != "" {
		t.KeyBinding, _ = parse(extra.KeyBinding, maxNesting)
	}
}

func (t *Token) encryption(doc map[string]json.RawMessage) {
	if p := asString(doc["protected"]); p != "" {
		t.setHeader(t.decode("header", p))
	}
	size := func(name string) int { return len(t.decode(name, asString(doc[name]))) }
	e := &Encryption{
		IV: size("iv"), Ciphertext: size("ciphertext"), Tag: size("tag"),
		AdditionalData: size("aad"), Unprotected: doc["unprotected"],
	}
	list := []map[string]json.RawMessage{doc}
	if doc["recipients"] != nil {
		list = nil
		if json.Unmarshal(doc["recipients"], &list) != nil {
			t.problem("json.type", "recipients", "it is not a list of objects")
		}
	}
	for _, r := range list[:t.atMost(len(list), "recipients")] {
		e.Recipients = append(e.Recipients, Recipient{
			Header:       r["header"],
			EncryptedKey: len(t.decode("encrypted_key", asString(r["encrypted_key"]))),
		})
	}
	t.Encryption = e
}
