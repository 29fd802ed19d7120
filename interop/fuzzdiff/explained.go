// Package fuzzdiff hands the same token and key to jot and to three peers, and
// fails on a difference that is not explained here.
package fuzzdiff

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// difference is one token on which jot and a peer do not agree.
type difference struct {
	peer            string
	token           string
	header, payload []byte   // decoded loosely; nil where they cannot be
	codes           []string // why jot refuses; empty where it accepts
	peerErr         error    // why the peer refuses; nil where it accepts
	other           bool     // both accept, and read other claims
}

// class is a kind of difference that is known and meant.
type class struct {
	name, why string
	peers     []string // nil: all
	match     func(difference) bool
}

// explain returns the class that a difference falls into.
func explain(d difference) (class, bool) {
	for _, c := range classes {
		if (c.peers == nil || slices.Contains(c.peers, d.peer)) && c.match(d) {
			return c, true
		}
	}
	return class{}, false
}

// never are the refusals that no peer may overrule: a token that is accepted in
// spite of one of them is a hole in that peer or a mistake of ours.
var never = []string{"sig.invalid", "alg.none", "alg.unknown", "alg.mismatch", "alg.missing", "alg.not_allowed", "key.none", "key.ambiguous"}

// strictly reports that jot alone refuses, and for none but these reasons.
func strictly(codes ...string) func(difference) bool {
	return func(d difference) bool {
		if len(d.codes) == 0 || d.peerErr != nil {
			return false
		}
		for _, code := range d.codes {
			if slices.Contains(never, code) || !slices.Contains(codes, code) {
				return false
			}
		}
		return true
	}
}

func both(a, b func(difference) bool) func(difference) bool {
	return func(d difference) bool { return a(d) && b(d) }
}

// refusedOnlyByPeer reports that jot accepts, the peer refuses, and its reason reads so.
func refusedOnlyByPeer(text string) func(difference) bool {
	return func(d difference) bool {
		return len(d.codes) == 0 && !d.other && d.peerErr != nil && strings.Contains(d.peerErr.Error(), text)
	}
}

var (
	golang = []string{"golang-jwt", "golang-jwt strict"}
	goJose = []string{"go-jose"}
	jwx    = []string{"jwx", "jwx strict"}
)

var classes = []class{
	{
		"white space in the text", "encoding/base64 passes over CR and LF; white space at the ends is trimmed. RFC 7515, Section 2, has none", nil,
		both(strictly("token.malformed", "token.encoding"), func(d difference) bool { return strings.ContainsAny(d.token, "\r\n\t\v\f \u0085\u00a0") }),
	},
	{
		"base64 that is not canonical", "unused bits are not looked at, or padding and the standard alphabet are taken. RFC 7515, Section 2", nil,
		strictly("token.encoding"),
	},
	{
		"other alphabets", "jwx guesses the alphabet and the padding. RFC 7515, Section 2", jwx,
		both(strictly("token.malformed", "token.encoding"), func(d difference) bool { return strings.ContainsAny(d.token, "+/=") }),
	},
	{"duplicate members", "the last one counts there. RFC 7515, Section 4; RFC 7519, Section 4", nil, strictly("json.duplicate")},
	{"text that is not Unicode", "encoding/json puts U+FFFD in its place. RFC 8725, Section 3.7", nil, strictly("json.utf8", "json.surrogate")},
	{"text after the JSON", "a decoder is asked for one value and the rest is left unread", jwx, strictly("json.trailing")},
	{
		"headers that are no JSON", "jwx reads headers with fastjson, which lets control characters and more through. RFC 8259, Section 7", jwx,
		both(strictly("json.syntax"), func(d difference) bool { return !json.Valid(d.header) }),
	},
	{"limits", "they have none, or others", nil, strictly("json.depth", "json.limit", "token.too_large", "json.number")},
	{"crit", "golang-jwt does not look at it; go-jose takes an empty list, and b64 that is listed and absent. RFC 7515, Section 4.1.11", append(golang, goJose...), strictly("crit.unknown", "crit.invalid")},
	{"b64", "golang-jwt does not look at it; in a JWT it must not be false. RFC 7797, Section 7", golang, strictly("b64.invalid")},
	{"typ", "an access token, say, is taken for a plain one: they leave typ to the caller. RFC 8725, Section 3.11", nil, strictly("typ.mismatch")},
	{"types of members", "null is taken for absent; golang-jwt and jwx take numbers in strings; members of the header that are not used are not looked at", nil, strictly("json.type", "claim.type", "header.invalid")},
	{
		"keys in the header", "a jwk that is private or malformed is not looked at. RFC 7515, Section 4.1.3", append(golang, jwx...),
		strictly("key.private", "key.invalid", "key.unsupported", "key.limit"),
	},
	{
		"names that are not exact", "encoding/json takes EXP for exp", golang,
		both(strictly("exp.missing", "iss.missing", "aud.missing"), func(d difference) bool { return folds(d.payload) }),
	},
	{"now is exp", "go-jose accepts the second of exp itself. RFC 7519, Section 4.1.4, says before", goJose, strictly("exp.expired")},
	{
		"fractions of exp and nbf", "golang-jwt and jwx cut fractions off, or round them", nil,
		both(strictly("exp.expired", "nbf.early", "iat.future"), func(d difference) bool { return fraction(d.payload, "exp", "nbf", "iat") }),
	},

	{"b64 that is listed and true", "RFC 7797 allows it; jwx has to be told", jwx, refusedOnlyByPeer(`references extension "b64"`)},
	{"certificates in the header", "go-jose parses them before it knows the signature; jot never does", goJose, refusedOnlyByPeer("x5c header")},
	{"cty", "jwx looks for another token inside where cty says JWT; jot leaves cty to who asked for nesting", []string{"jwx strict"}, refusedOnlyByPeer("expected nested")},
	{
		"fractions of times, the other way", "a fraction that is cut off makes exp earlier", nil,
		both(refusedOnlyByPeer(""), func(d difference) bool { return fraction(d.payload, "exp", "nbf", "iat") }),
	},
	{
		"other claims", "a name that is not exact, or a duplicate that jot does not see because it is not one", golang,
		func(d difference) bool { return d.other && folds(d.payload) },
	},
}

// folds reports that a member of the object is one of ours but for its case.
func folds(payload []byte) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(payload, &m) != nil {
		return false
	}
	for name := range m {
		for _, ours := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope"} {
			if name != ours && strings.EqualFold(name, ours) {
				return true
			}
		}
	}
	return false
}

// fraction reports that one of the members is no plain integer.
func fraction(payload []byte, names ...string) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(payload, &m) != nil {
		return false
	}
	for _, name := range names {
		if bytes.ContainsAny(m[name], ".eE") {
			return true
		}
	}
	return false
}
