package jwk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/strictjson"
)

// JWK describes a key (RFC 7517, Section 4). It is not trusted and neither signs
// nor verifies: [JWK.PublicKey], [JWK.PrivateKey] and [JWK.SecretKey] check it and
// bind it to an algorithm. Members that are not known here are kept. A member that
// is an empty string counts as absent. The zero value describes nothing.
type JWK struct {
	w   *wire
	ext *Extension // what it was bound with, which knows the members of its type
}

// wire is a JWK as it is written, in the order of the specifications. Values are
// never changed once it is read, so that descriptions and keys share it.
type wire struct {
	KeyType string                     `json:"kty,omitempty"`
	Use     string                     `json:"use,omitempty"`
	KeyOps  []string                   `json:"key_ops,omitempty"`
	Alg     string                     `json:"alg,omitempty"`
	KeyID   string                     `json:"kid,omitempty"`
	Crv     string                     `json:"crv,omitempty"`
	X       string                     `json:"x,omitempty"`
	Y       string                     `json:"y,omitempty"`
	N       string                     `json:"n,omitempty"`
	E       string                     `json:"e,omitempty"`
	Private *privateWire               `json:",inline"`
	X5U     string                     `json:"x5u,omitempty"`
	X5C     []string                   `json:"x5c,omitempty"`
	X5T     string                     `json:"x5t,omitempty"`
	X5TS    string                     `json:"x5t#S256,omitempty"`
	Others  map[string]json.RawMessage `json:",inline"`
}

// privateWire has the members that are never printed unless asked for by name. It
// is a type of its own, behind a pointer, so that taking them away is one
// assignment and public keys have no room for them.
type privateWire struct {
	K   string          `json:"k,omitempty"`
	D   string          `json:"d,omitempty"`
	P   string          `json:"p,omitempty"`
	Q   string          `json:"q,omitempty"`
	DP  string          `json:"dp,omitempty"`
	DQ  string          `json:"dq,omitempty"`
	QI  string          `json:"qi,omitempty"`
	Oth json.RawMessage `json:"oth,omitempty"`
}

const (
	maxJWK = 64 << 10
	maxSet = 1 << 20
	// maxKeys bounds the keys of a set, whose validation costs more than its bytes.
	maxKeys = 1000
)

var (
	// A mistake in the types would show as a nil decoder or encoder in every test.
	wireDecoder, _ = strictjson.NewDecoder[wire]()
	wireEncoder, _ = strictjson.NewEncoder[wire]()
	wireLimits     = strictjson.Limits{Bytes: maxJWK}
)

// Parse reads one JWK. The JSON must be strict: no duplicate members, no data
// after it, names exact.
func Parse(data []byte) (JWK, error) {
	if len(data) > maxJWK {
		return JWK{}, errLimit.With("a JWK has at most 64 KiB")
	}
	w, err := decode(bytes.Clone(data))
	if err != nil {
		return JWK{}, err
	}
	return JWK{w: w}, nil
}

// decode reads a JWK whose strings share data.
func decode(data []byte) (*wire, error) {
	w := new(wire)
	if err := wireDecoder.Decode(data, w, wireLimits); err != nil {
		return nil, errInvalid.Wrap(err)
	}
	if w.KeyType == "" {
		return nil, errNoType
	}
	return w, nil
}

var errNoType = errInvalid.With("\"kty\" is missing")

// UnmarshalJSON reads a JWK as Parse does.
func (j *JWK) UnmarshalJSON(data []byte) error {
	k, err := Parse(data)
	if err != nil {
		return err
	}
	*j = k
	return nil
}

var none wire

func (j JWK) wire() *wire {
	if j.w == nil {
		return &none
	}
	return j.w
}

// KeyType returns "kty" (RFC 7517, Section 4.1).
func (j JWK) KeyType() string { return j.wire().KeyType }

// Use returns "use" (RFC 7517, Section 4.2), or "".
func (j JWK) Use() string { return j.wire().Use }

// KeyOps returns "key_ops" (RFC 7517, Section 4.3), or nil.
func (j JWK) KeyOps() []string { return slices.Clone(j.wire().KeyOps) }

// Algorithm returns "alg" (RFC 7517, Section 4.4), or "". It may be any string.
func (j JWK) Algorithm() string { return j.wire().Alg }

// KeyID returns "kid" (RFC 7517, Section 4.5), or "".
func (j JWK) KeyID() string { return j.wire().KeyID }

// Curve returns "crv" (RFC 7518, Section 6.2.1.1), or "".
func (j JWK) Curve() string { return j.wire().Crv }

// X5C returns the DER of the certificates in "x5c" (RFC 7517, Section 4.7), the
// key's own first, or nil where there are none or one is not base64. No path is
// checked.
func (j JWK) X5C() [][]byte {
	ders, err := j.wire().certificates()
	if err != nil {
		return nil
	}
	return ders
}

func (w *wire) certificates() ([][]byte, error) {
	if len(w.X5C) == 0 {
		return nil, errInvalid.With("\"x5c\" is empty")
	}
	var ders [][]byte
	for _, text := range w.X5C {
		// RFC 7517, Section 4.7: base64, not base64url.
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(der) == 0 || strings.ContainsAny(text, "\r\n") { // the decoder drops those
			return nil, errInvalid.With("\"x5c\" is not base64")
		}
		ders = append(ders, der)
	}
	return ders, nil
}

// X5TS256 returns "x5t#S256" (RFC 7517, Section 4.9), or "".
func (j JWK) X5TS256() string { return j.wire().X5TS }

// Member returns the JSON of a member, private ones too, and whether it is there.
func (j JWK) Member(name string) (json.RawMessage, bool) {
	w := j.wire()
	if raw, ok := w.Others[name]; ok {
		return slices.Clone(raw), true
	}
	all, _ := j.members() // nothing of the zero value
	raw, ok := all[name]
	return raw, ok
}

func (j JWK) members() (map[string]json.RawMessage, error) {
	data, err := j.MarshalPrivateJSON()
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := strictjson.Unmarshal(data, &all, wireLimits); err != nil {
		return nil, errInvalid.Wrap(err)
	}
	return all, nil
}

// IsPrivate reports whether there is a member that is registered as private or
// secret.
func (j JWK) IsPrivate() bool {
	_, priv := j.wire().Others["priv"] // RFC 9864 has it for the key type AKP
	return priv || j.wire().hasPrivate()
}

// private returns the private members, empty ones where there are none.
func (w *wire) private() *privateWire {
	if w.Private == nil {
		return &privateWire{}
	}
	return w.Private
}

func (w *wire) hasPrivate() bool {
	p := w.private()
	return p.K != "" || p.D != "" || p.P != "" || p.Q != "" || p.DP != "" || p.DQ != "" || p.QI != "" || p.Oth != nil
}

func (j JWK) hasHidden() bool {
	for name := range j.wire().Others {
		if !j.publishes(name) {
			return true
		}
	}
	return false
}

// publishes reports whether a member without a field in wire may be printed. Which
// members of an unknown key type are private cannot be known, so that only those
// are printed that its extension names or that are registered as public.
func (j JWK) publishes(name string) bool {
	if name == "priv" {
		return false
	}
	switch j.wire().KeyType {
	case "EC", "RSA", "OKP":
		return true
	case "oct":
		return false
	}
	return name == "pub" || j.ext != nil && slices.Contains(j.ext.Thumbprint, name)
}

// Public returns the description without private members. What is left of an oct
// key says only what it is called. The operations of a private key become those of
// its public half.
func (j JWK) Public() JWK {
	if j.w == nil || !j.IsPrivate() && !j.hasHidden() {
		return j
	}
	w := *j.w
	w.Private = nil
	w.Others = maps.Clone(w.Others)
	maps.DeleteFunc(w.Others, func(name string, _ json.RawMessage) bool { return !j.publishes(name) })
	if w.KeyType != "oct" && w.KeyOps != nil {
		w.KeyOps = nil
		for _, op := range j.w.KeyOps {
			switch op {
			case "sign":
				op = "verify"
			case "decrypt":
				op = "encrypt"
			case "unwrapKey":
				op = "wrapKey"
			case "deriveKey", "deriveBits": // RFC 7517, Section 4.3 has none for the other half
				continue
			}
			if !slices.Contains(w.KeyOps, op) {
				w.KeyOps = append(w.KeyOps, op)
			}
		}
	}
	return JWK{&w, j.ext}
}

// WithKeyID returns the description with another "kid".
func (j JWK) WithKeyID(kid string) JWK {
	w := *j.wire()
	w.KeyID = kid
	return JWK{&w, j.ext}
}

// With returns the description with a member set to the JSON of value, or without
// it where value is nil. It refuses the members that are the key itself.
func (j JWK) With(name string, value any) (JWK, error) {
	switch name {
	case "kty", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi", "oth", "pub", "priv":
		return JWK{}, errInvalid.With("\"" + name + "\" is the key itself")
	}
	all, err := j.members()
	if err != nil {
		return JWK{}, err
	}
	delete(all, name)
	if value != nil {
		if all[name], err = json.Marshal(value); err != nil {
			return JWK{}, errInvalid.Wrap(err)
		}
	}
	data, _ := json.Marshal(all) // which are valid, each by itself
	k, err := Parse(data)
	k.ext = j.ext
	return k, err
}

// MarshalJSON writes the public members, in the order of the specifications, then
// the unknown ones. It is ErrPrivate for an oct key, which has no public form. Of
// a key type that is not known here only registered public members are written.
func (j JWK) MarshalJSON() ([]byte, error) {
	if j.KeyType() == "oct" {
		return nil, errPrivate.With("an oct key is a secret: MarshalPrivateJSON writes it")
	}
	return j.Public().MarshalPrivateJSON()
}

// MarshalPrivateJSON writes all members, private and secret ones too.
func (j JWK) MarshalPrivateJSON() ([]byte, error) {
	if j.w == nil {
		return nil, errNoType
	}
	data, err := wireEncoder.Append(nil, j.w)
	if err != nil {
		return nil, errInvalid.Wrap(err)
	}
	return data, nil
}

// String names the key and prints nothing else of it.
func (j JWK) String() string {
	w := j.wire()
	s := "JWK " + w.KeyType
	if w.Crv != "" {
		s += " " + w.Crv
	}
	if w.Alg != "" {
		s += " " + w.Alg
	}
	if w.KeyID != "" {
		s += " " + w.KeyID
	}
	return fmt.Sprintf("%q", s)
}

// Format prints String for every verb, so that no way of printing shows private
// members.
func (j JWK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, j.String()) }
