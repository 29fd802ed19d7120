package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

type inspectCmd struct {
	Token string `arg:"" optional:"" help:"TOKEN, @FILE or -: any text with tokens in it, at most 16 MB. Without it, stdin is read."`
	JSON  bool   `name:"json" help:"Print one JSON object a line for each token."`
	Now   string `placeholder:"TIME" help:"The time to count from, as 2026-09-30T12:00:00Z."`
}

func (*inspectCmd) Help() string {
	return `Tokens are found in any text: a header, a URL, a log, a page that wraps its lines. Nothing is checked and no key of a token is trusted.

With --json each token is one line: verified (always false), kind, form, line, column, header, claims, token (the token itself, unwrapped, for jot verify), and where they exist payload (base64url, when it is not JSON), signatures, issuer_jwt, disclosures, key_binding, encryption (recipients, the headers of each, sizes) and problems. A key that a token carries can be taken out with that and judged by you: jot inspect --json - | jq .header.jwk`
}

// view is what inspect shows of one token.
type view struct {
	Verified    bool            `json:"verified"` // always false
	Kind        string          `json:"kind"`
	Maybe       []lint.Kind     `json:"maybe,omitempty"` // other kinds that it could be
	Form        string          `json:"form"`
	Line        int             `json:"line"`
	Column      int             `json:"column"` // in characters, from 1
	Header      json.RawMessage `json:"header,omitempty"`
	Claims      json.RawMessage `json:"claims,omitempty"`
	Payload     string          `json:"payload,omitempty"`
	Token       string          `json:"token"`
	Signatures  []signatureView `json:"signatures,omitempty"`
	IssuerJWT   string          `json:"issuer_jwt,omitempty"`
	Disclosures []disclosure    `json:"disclosures,omitempty"`
	KeyBinding  *view           `json:"key_binding,omitempty"`
	Nested      *view           `json:"nested,omitempty"`
	Encryption  *encryption     `json:"encryption,omitempty"`
	Problems    []problem       `json:"problems,omitempty"`

	payload []byte
}

type signatureView struct {
	Protected json.RawMessage `json:"protected,omitempty"`
	Header    json.RawMessage `json:"header,omitempty"`
}

type disclosure struct {
	Name  string          `json:"name,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	Salt  string          `json:"salt,omitempty"`
}

// encryption is what can be seen of an encrypted token from outside.
type encryption struct {
	Recipients   int               `json:"recipients"`
	Ciphertext   int               `json:"ciphertext_bytes"`
	EncryptedKey int               `json:"encrypted_key_bytes,omitempty"` // of the first recipient
	AAD          int               `json:"aad_bytes,omitempty"`
	Unprotected  json.RawMessage   `json:"unprotected,omitempty"`
	Headers      []json.RawMessage `json:"headers,omitempty"` // of the recipients; null where one has none
}

type problem struct {
	Code   string `json:"code"`
	Where  string `json:"where,omitempty"`
	Detail string `json:"detail,omitempty"`
}

func (c *inspectCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	text, err := a.in.token(c.Token, theText)
	if err != nil {
		return err
	}
	found := unverified.Find(text)
	if len(found) == 0 {
		return notFound(text)
	}
	views, at := make([]*view, len(found)), places{text: text}
	for i, f := range found {
		v := look(f.Token)
		v.Token = f.Raw
		v.Line, v.Column = at.place(f.Start)
		views[i] = v
	}
	if c.JSON {
		for _, v := range views {
			a.line(v)
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: this is what the text says, not what is true\n", paint(a.outColour, red, "NOT VERIFIED"))
	first := map[string]int{} // where a token is seen for the first time: a recording has the same one again and again
	for i, v := range views {
		if len(views) > 1 {
			fmt.Fprintf(&b, "\n%s\n", a.heading(fmt.Sprintf("token %d of %d, line %d, column %d", i+1, len(views), v.Line, v.Column)))
		}
		if j, ok := first[v.Token]; ok {
			fmt.Fprintf(&b, "the same as token %d\n", j+1)
			continue
		}
		first[v.Token] = i
		v.write(&b, a.terminal, now, "")
	}
	a.data(b.String())
	return nil
}

func look(t *unverified.Token) *view {
	v := &view{Kind: string(lint.Recognize(t)), Maybe: lint.Alternatives(t), Form: string(t.Form), Header: t.Header, Claims: t.Claims, Token: t.Raw, payload: t.Payload}
	if t.Claims == nil && len(t.Payload) > 0 {
		v.Payload = base64.RawURLEncoding.EncodeToString(t.Payload)
	}
	if t.Form == unverified.General || t.Form == unverified.Flattened {
		for _, s := range t.Signatures {
			v.Signatures = append(v.Signatures, signatureView{s.Protected, s.Unprotected})
		}
	}
	if t.Form == unverified.Disclosable {
		v.IssuerJWT, _, _ = strings.Cut(t.Raw, "~")
	}
	for _, d := range t.Disclosures {
		v.Disclosures = append(v.Disclosures, disclosure{d.Name, d.Value, d.Salt})
	}
	if t.KeyBinding != nil {
		v.KeyBinding = look(t.KeyBinding)
	}
	if t.Nested != nil {
		v.Nested = look(t.Nested)
	}
	if e := t.Encryption; e != nil {
		v.Encryption = &encryption{
			Recipients: max(1, len(e.Recipients)), Ciphertext: e.Ciphertext,
			AAD: e.AdditionalData, Unprotected: e.Unprotected,
		}
		headers := false
		for i, r := range e.Recipients {
			if i == 0 {
				v.Encryption.EncryptedKey = r.EncryptedKey
			}
			headers = headers || r.Header != nil
			v.Encryption.Headers = append(v.Encryption.Headers, r.Header)
		}
		if !headers {
			v.Encryption.Headers = nil
		}
	}
	for _, p := range t.Problems {
		v.Problems = append(v.Problems, problem(p))
	}
	if t.Form == unverified.Compact && strings.EqualFold(t.HeaderString("alg"), "none") {
		v.Problems = append(v.Problems, problem{"alg.none", "header", "it is not signed, so that anybody can have written it"})
	} else if t.Form == unverified.Compact && strings.HasSuffix(t.Raw, ".") {
		v.Problems = append(v.Problems, problem{"sig.invalid", "signature", "it is empty, so that anybody can have written the token"})
	}
	return v
}

func (v *view) write(b *strings.Builder, t *terminal, now time.Time, indent string) {
	row := func(name, value string) {
		fmt.Fprintf(b, "%s%s %s\n", indent, t.heading(fmt.Sprintf("%-12s", name)), value)
	}
	block := func(name string, raw []byte) { row(name, pretty(raw, indent+"             ")) }
	kind := v.Kind
	for i, k := range v.Maybe {
		if i == 0 {
			kind += ", or "
		} else {
			kind += " or "
		}
		kind += string(k)
	}
	row("kind", visible(kind))
	if v.Header != nil {
		block("header", v.Header)
	}
	for i, s := range v.Signatures {
		row("signature", fmt.Sprintf("%d of %d", i+1, len(v.Signatures)))
		if s.Protected != nil {
			block("  protected", s.Protected)
		}
		if s.Header != nil {
			block("  header", s.Header)
		}
	}
	if e := v.Encryption; e != nil {
		if e.Unprotected != nil {
			block("unprotected", e.Unprotected)
		}
		for i, h := range e.Headers {
			row("recipient", fmt.Sprintf("%d of %d", i+1, len(e.Headers)))
			if h != nil {
				block("  header", h)
			}
		}
	}
	switch {
	case v.Encryption != nil:
		row("claims", fmt.Sprintf("encrypted: %d bytes for %d recipient(s)", v.Encryption.Ciphertext, v.Encryption.Recipients))
	case v.Claims != nil:
		block("claims", v.Claims)
	case len(v.payload) > 0 && utf8.Valid(v.payload):
		row("payload", visible(oneLine(string(v.payload))))
	case len(v.payload) > 0:
		row("payload", fmt.Sprintf("%d bytes, not text", len(v.payload)))
	}
	for _, d := range times(v.Claims, now) {
		row("time", d)
	}
	for _, d := range v.Disclosures {
		name := "(array element)"
		if d.Name != "" {
			name = visible(oneLine(d.Name))
		}
		row("disclosed", name+" = "+pretty(d.Value, indent+"             "))
	}
	if v.KeyBinding != nil {
		row("key binding", "")
		v.KeyBinding.write(b, t, now, indent+"  ")
	}
	if v.Nested != nil {
		row("nested", "")
		v.Nested.write(b, t, now, indent+"  ")
	}
	for _, p := range v.Problems {
		s := p.Code
		if p.Where != "" {
			s += " in the " + p.Where
		}
		if p.Detail != "" {
			s += ": " + p.Detail
		}
		row("problem", paint(t.outColour, yellow, visible(oneLine(s))))
	}
}

// dateClaims are the claims that are dates, with what they say.
var dateClaims = []struct{ name, text string }{
	{"iat", "issued"},
	{"nbf", "valid from"},
	{"exp", "expires"},
	{"auth_time", "logged in"},
	{"updated_at", "updated"},
	{"toe", "event"},
}

// times explains the dates of claims.
func times(claims json.RawMessage, now time.Time) []string {
	var members map[string]json.RawMessage
	if claims == nil || json.Unmarshal(claims, &members) != nil {
		return nil
	}
	var out []string
	for _, d := range dateClaims {
		raw, ok := members[d.name]
		if !ok {
			continue
		}
		text := d.text
		t, ok := numericDate(raw)
		if !ok {
			out = append(out, fmt.Sprintf("%s is not a date: %s", d.name, visible(oneLine(string(raw)))))
			continue
		}
		if d.name == "exp" && !now.Before(t) {
			text = "expired"
		}
		out = append(out, fmt.Sprintf("%-10s %-10s %s", d.name, text, moment(t, now)))
	}
	return out
}

// places finds the lines and columns of bytes of a text, whose order is that of the text.
type places struct {
	text             string
	at, lines, runes int // so far
}

// place is the line and the column, from 1, of a byte.
func (p *places) place(at int) (line, column int) {
	next := p.text[p.at:at]
	if i := strings.LastIndexByte(next, '\n'); i >= 0 {
		p.lines += strings.Count(next, "\n")
		p.runes, next = 0, next[i+1:]
	}
	p.runes += utf8.RuneCountInString(next)
	p.at = at
	return p.lines + 1, p.runes + 1
}

// notFound says why a text has no token in it, as well as that can be said.
func notFound(text string) *failure {
	at := strings.Index(text, "eyJ")
	if at < 0 {
		return fail(exitUnreadable, `a token starts with "eyJ" and has two dots or four`, "no token found in the text")
	}
	line, column := (&places{text: text}).place(at)
	return fail(exitUnreadable, "look whether it was cut off when it was copied", "what starts like a token at line %d, column %d is not a whole one", line, column)
}
