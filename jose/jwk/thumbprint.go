package jwk

import (
	"crypto"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jotsuite/jot/internal/b64url"
)

// hashNames has the names of RFC 9278, Section 4, for the hashes that may be used.
var hashNames = map[crypto.Hash]string{
	crypto.SHA256: "sha-256",
	crypto.SHA384: "sha-384",
	crypto.SHA512: "sha-512",
}

// Thumbprint returns the hash of the members that are the key, in base64url (RFC
// 7638, Section 3). The hash is SHA-256, SHA-384 or SHA-512. Members that another
// encoding could write differently are refused, so that one key has one
// thumbprint. The thumbprint of an oct key is a hash of its secret: it must not be
// published where the secret could be guessed (RFC 7638, Section 7). The members
// of an extension's key are known only in the description of a bound key.
func (j JWK) Thumbprint(h crypto.Hash) (string, error) {
	if hashNames[h] == "" {
		return "", errThumbprintHash
	}
	// Known curves are checked in full; of others, what can be.
	if w := j.wire(); j.ext == nil && (w.KeyType == "EC" || w.KeyType == "RSA" || w.KeyType == "OKP") {
		if _, err := w.publicKey(); err != nil && !isUnsupported(err) {
			return "", err
		}
	}
	return j.thumbprint(h)
}

// Thumbprint returns the thumbprint of the key's description, which has been checked; see [JWK.Thumbprint].
func (k *PublicKey) Thumbprint(h crypto.Hash) (string, error) {
	if hashNames[h] == "" {
		return "", errThumbprintHash
	}
	return k.JWK().thumbprint(h)
}

var errThumbprintHash = errUnsupported.With("the hash of a thumbprint is SHA-256, SHA-384 or SHA-512")

func (j JWK) thumbprint(h crypto.Hash) (string, error) {
	data, err := j.required()
	if err != nil {
		return "", err
	}
	state := h.New()
	state.Write(data)
	return b64url.EncodeToString(state.Sum(nil)), nil
}

// ThumbprintURI returns the thumbprint as a URI (RFC 9278, Section 3).
func (j JWK) ThumbprintURI(h crypto.Hash) (string, error) {
	t, err := j.Thumbprint(h)
	if err != nil {
		return "", err
	}
	return "urn:ietf:params:oauth:jwk-thumbprint:" + hashNames[h] + ":" + t, nil
}

// required returns the JSON that is hashed: the required members in lexicographic
// order, without white space (RFC 7638, Section 3.2).
func (j JWK) required() ([]byte, error) {
	w := j.wire()
	var names []string
	switch {
	case j.ext != nil:
		names = slices.Sorted(slices.Values(j.ext.Thumbprint))
	case w.KeyType == "EC" || w.KeyType == "RSA" || w.KeyType == "OKP":
		names = []string{"e", "kty", "n"}
		if w.KeyType == "EC" {
			names = []string{"crv", "kty", "x", "y"}
		} else if w.KeyType == "OKP" { // RFC 8037, Section 2
			names = []string{"crv", "kty", "x"}
		}
	case w.KeyType == "oct":
		names = []string{"k", "kty"}
	case w.KeyType == "":
		return nil, errNoType
	default:
		return nil, w.unsupported()
	}
	out := append(make([]byte, 0, 160), '{') // room for keys that are no RSA keys
	for _, name := range names {
		text, ok := w.text(name)
		if !ok {
			raw, _ := j.Member(name)
			if json.Unmarshal(raw, &text) != nil {
				return nil, errInvalid.With(fmt.Sprintf("the required member %q is missing", name))
			}
		}
		// RFC 7638, Section 3.3 has no rule for characters that could be escaped, and no
		// key needs one.
		if slices.ContainsFunc([]byte(text), func(c byte) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
			return nil, errInvalid.With(fmt.Sprintf("%q has a character that JSON can write in two ways", name))
		}
		if len(name) == 1 || name == "pub" {
			if _, err := b64url.DecodeString(text); err != nil {
				return nil, errInvalid.With(fmt.Sprintf("%q is not canonical base64url", name))
			}
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, `"`+name+`":"`+text+`"`...)
	}
	return append(out, '}'), nil
}

// text returns a required member that has a field of its own, if it is there.
func (w *wire) text(name string) (string, bool) {
	var s string
	switch name {
	case "crv":
		s = w.Crv
	case "e":
		s = w.E
	case "k":
		s = w.private().K
	case "kty":
		s = w.KeyType
	case "n":
		s = w.N
	case "x":
		s = w.X
	case "y":
		s = w.Y
	}
	return s, s != ""
}
