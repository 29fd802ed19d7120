// Package unverified looks inside tokens without any trust in them. It is for tools only.
package unverified

import "encoding/json"

// Form is how a token is serialized.
type Form string

const (
	Compact       Form = "compact"        // JWS, three parts
	Flattened     Form = "flattened"      // JWS JSON, one signature
	General       Form = "general"        // JWS JSON, signatures
	Encrypted     Form = "encrypted"      // JWE, five parts
	EncryptedJSON Form = "encrypted-json" // JWE JSON
	Disclosable   Form = "sd-jwt"         // SD-JWT with its disclosures
	Prefixed      Form = "prefixed"       // pk. or sk. in the place of a header
)

// Token is what was found; nothing in it is verified.
type Token struct {
	Form        Form
	Raw         string
	Prefix      string          // "pk" or "sk"
	Header      json.RawMessage // the first protected header, or nil
	Payload     []byte
	Claims      json.RawMessage // Payload where it is a JSON object
	Signatures  []Signature
	Encryption  *Encryption
	Disclosures []Disclosure
	KeyBinding  *Token
	Problems    []Problem
}

type Signature struct {
	Protected, Unprotected json.RawMessage
	Signature              []byte
}

// Encryption is the sizes of a JWE.
type Encryption struct {
	Recipients                          []Recipient
	IV, Ciphertext, Tag, AdditionalData int
	Unprotected                         json.RawMessage
}

type Recipient struct {
	Header       json.RawMessage
	EncryptedKey int
}

type Disclosure struct {
	Raw, Salt, Name string // Name is empty for an array element
	Value           json.RawMessage
}

// Problem is a rule that the token breaks.
type Problem struct{ Code, Where, Detail string }

// Found is a token in a text.
type Found struct {
	Start, End int    // bytes of the text
	Raw        string // joined where the text wraps it
	Token      *Token
}

const MaxSize = 1 << 20

// HeaderString returns a string member of the header, or "".
func (t *Token) HeaderString(name string) string { panic("skeleton") }

// Parse opens a token of at most MaxSize bytes.
func Parse(token string) (*Token, error) { return ParseLimit(token, MaxSize) }

// ParseLimit is Parse with the caller's limit.
func ParseLimit(token string, max int) (*Token, error) { panic("skeleton") }

// Find finds every token in a text.
func Find(text string) []Found { panic("skeleton") }
