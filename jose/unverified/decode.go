package unverified

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// decode is base64url as tokens must have it, or else whatever makes sense: with
// padding, of the other alphabet, with line ends or loose bits in it.
func (t *Token) decode(where, s string) []byte {
	b, err := b64url.DecodeString(s)
	if err == nil {
		return b
	}
	t.problem(fault.CodeOf(err), where, "not canonical base64url")
	s = strings.Map(func(r rune) rune {
		switch r {
		case '+':
			return '-'
		case '/':
			return '_'
		case '=', ' ', '\t', '\r', '\n':
			return -1
		}
		return r
	}, s)
	if b, err = base64.RawURLEncoding.DecodeString(s); err != nil {
		return nil
	}
	return b
}

func (t *Token) setHeader(raw []byte) {
	if t.Header = t.object("header", raw); t.Header != nil {
		_ = json.Unmarshal(t.Header, &t.header) // it is an object
	}
}

func (t *Token) setPayload(raw []byte) {
	t.Payload = raw
	if isObject(raw) {
		t.Claims = raw
		t.check("payload", raw)
		_ = json.Unmarshal(raw, &t.claims) // it is an object
	}
}

// object is raw where that is a JSON object, else nil and a problem.
func (t *Token) object(where string, raw []byte) json.RawMessage {
	t.check(where, raw)
	if !isObject(raw) {
		return nil
	}
	return raw
}

// check lists what a strict reader refuses about JSON.
func (t *Token) check(where string, raw []byte) {
	err := strictjson.Valid(raw, strictjson.Limits{Bytes: max(1, len(raw))})
	if err == nil && !isObject(raw) && where != "disclosure" {
		t.problem("json.type", where, "not a JSON object")
	}
	if err != nil {
		t.problem(fault.CodeOf(err), where, err.Error())
	}
}

// isObject asks the lenient reader, which passes over duplicates and bad UTF-8.
func isObject(raw []byte) bool {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m) // leaves m nil where it fails
	return m != nil
}
