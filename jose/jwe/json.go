package jwe

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// Recipient is one of those whom a JSON document is encrypted to.
type Recipient struct {
	Key jwk.Encrypter
	// Header has members that nothing protects and that neither of the document's
	// headers has. Of several recipients, PartyU, PartyV and Count are taken from here.
	Header Header
}

// EncryptJSON returns the flattened form for one recipient and the general form for
// several (RFC 7516, Section 7.2). The header h is protected; what it does not have may
// be in the unprotected one, but not alg, enc, kid, zip, crit and what algorithms need.
// The aad is authenticated and not encrypted. A zero enc is that of the first recipient,
// as with [Encrypt].
//
// With one recipient, alg, kid and what the algorithm needs are protected, else they
// are in the header of each. An algorithm that gives the content encryption key itself,
// as dir and ECDH-ES do, has one recipient.
func EncryptJSON(ctx context.Context, enc jwa.Encryption, h, unprotected Header, aad, plaintext []byte, recipients ...Recipient) ([]byte, error) {
	if len(recipients) == 0 {
		return nil, errNoKey.With("there is no recipient")
	}
	for _, r := range recipients {
		if r.Key == nil {
			return nil, errNoKey.With("there is no key to encrypt with")
		}
		if len(recipients) > 1 && single(r.Key.Algorithm()) {
			return nil, errHeader.Wrap(errDirect)
		}
	}
	if h.Compressed {
		plaintext = deflate(plaintext)
	}
	d := &document{enclosed: enclosed{AAD: b64url.EncodeToString(aad)}}
	var c *content
	var err error
	if len(recipients) == 1 {
		c, err = d.one(ctx, enc, &h, recipients[0])
	} else {
		c, err = d.several(ctx, enc, &h, recipients)
	}
	if err != nil {
		return nil, err
	}
	if d.Protected, err = h.encode(); err != nil {
		return nil, err
	}
	if d.Unprotected, err = objectOf(unprotected); err != nil {
		return nil, err
	}
	var out []byte
	if err = d.seal(c, recipients[0].Key, plaintext); err == nil {
		out, err = d.encode()
	}
	if err == nil {
		// What breaks a rule of the headers is refused here, and not by whom it is sent to.
		_, err = readDocument(out, Options{Critical: h.Critical, MaxSize: len(out), MaxHeader: len(out), MaxRecipients: len(recipients)})
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// one encrypts the key to one recipient, with what that takes in the protected header.
func (d *document) one(ctx context.Context, enc jwa.Encryption, h *Header, r Recipient) (*content, error) {
	var err error
	if *h, err = h.For(r.Key, enc); err != nil {
		return nil, err
	}
	raw, err := objectOf(r.Header)
	if err != nil {
		return nil, err
	}
	d.Recipients = []documentRecipient{{Header: raw}}
	if r.Key.Algorithm().Integrated() {
		return nil, ctx.Err()
	}
	c, encryptedKey, err := wrap(ctx, r.Key, choose(r.Key, enc), nil, h)
	d.Recipients[0].EncryptedKey = b64url.EncodeToString(encryptedKey)
	return c, err
}

// several encrypts one key to each recipient, with what that takes in a header of its own.
func (d *document) several(ctx context.Context, enc jwa.Encryption, h *Header, recipients []Recipient) (*content, error) {
	enc = choose(recipients[0].Key, enc)
	if err := h.complete(enc.Name()); err != nil {
		return nil, err
	}
	var c *content
	for _, r := range recipients {
		own, err := r.Header.For(r.Key, enc)
		if err != nil {
			return nil, err
		}
		own.Encryption = ""
		var encryptedKey []byte
		if c, encryptedKey, err = wrap(ctx, r.Key, enc, c, &own); err != nil {
			return nil, err
		}
		raw, err := objectOf(own)
		if err != nil {
			return nil, err
		}
		d.Recipients = append(d.Recipients, documentRecipient{raw, b64url.EncodeToString(encryptedKey)})
	}
	return c, nil
}

// objectOf writes an unprotected header, or nothing for an empty one.
func objectOf(h Header) (json.RawMessage, error) {
	raw, err := h.MarshalJSON()
	if string(raw) == "{}" {
		raw = nil
	}
	return raw, err
}

// document is the JSON serialization as it is written, in its general form.
type document struct {
	Protected   string              `json:"protected"`
	Unprotected json.RawMessage     `json:"unprotected,omitempty"`
	Recipients  []documentRecipient `json:"recipients"`
	enclosed    `json:",inline"`
}

// flattened is a document with one recipient.
type flattened struct {
	Protected   string            `json:"protected"`
	Unprotected json.RawMessage   `json:"unprotected,omitempty"`
	Recipient   documentRecipient `json:",inline"`
	enclosed    `json:",inline"`
}

type documentRecipient struct {
	Header       json.RawMessage `json:"header,omitempty"`
	EncryptedKey string          `json:"encrypted_key,omitempty"`
}

type enclosed struct {
	AAD        string `json:"aad,omitempty"`
	IV         string `json:"iv,omitempty"`
	Ciphertext string `json:"ciphertext"`
	Tag        string `json:"tag,omitempty"`
}

// seal encrypts the content; c is nil where key does that itself.
func (d *document) seal(c *content, key jwk.Encrypter, plaintext []byte) error {
	aad := authenticated(d.Protected, d.AAD)
	if c == nil {
		encapsulated, ciphertext, err := key.(*jwk.EncryptionKey).Seal(aad, plaintext)
		d.Recipients[0].EncryptedKey = b64url.EncodeToString(encapsulated)
		d.Ciphertext = b64url.EncodeToString(ciphertext)
		return err
	}
	sealed := c.Seal(nil, nil, plaintext, aad)
	text := len(sealed) - c.tag
	d.IV = b64url.EncodeToString(sealed[:c.iv])
	d.Ciphertext = b64url.EncodeToString(sealed[c.iv:text])
	d.Tag = b64url.EncodeToString(sealed[text:])
	return nil
}

// authenticated is the additional data of the content encryption (RFC 7516, Section
// 5.1, step 14), of two texts.
func authenticated(protected, aad string) []byte {
	if aad == "" {
		return alias.Bytes(protected)
	}
	return []byte(protected + "." + aad)
}

var (
	encodeFlattened = header.Planned[flattened]()
	encodeGeneral   = header.Planned[document]()
)

func (d *document) encode() ([]byte, error) {
	if len(d.Recipients) == 1 {
		return encodeFlattened().Append(nil, &flattened{d.Protected, d.Unprotected, d.Recipients[0], d.enclosed})
	}
	return encodeGeneral().Append(nil, d)
}

// DecryptJSON reads the flattened or the general form. It takes the first recipient,
// in their order, that one of the keys decrypts for. Members that RFC 7516 does not
// define are passed over, as it demands.
func DecryptJSON(ctx context.Context, keys jwk.DecryptionSource, data []byte, o Options) (*Message, error) {
	d, err := readDocument(data, o)
	if err != nil {
		return nil, err
	}
	recipients := make([]recipient, len(d.parts))
	texts := make([]string, len(d.parts)+1)
	for i := range d.parts {
		recipients[i].joined = &d.parts[i].joined
		texts[i] = d.parts[i].encryptedKey
	}
	texts[len(d.parts)] = d.aad
	s, err := decode(texts, d.iv, d.ciphertext, d.tag)
	if err != nil {
		return nil, err
	}
	for i := range recipients {
		recipients[i].encryptedKey = s.keys[i]
	}
	s.aad = authenticated(d.protected, d.aad)
	m := &Message{Header: d.header}
	if err := s.decrypt(ctx, keys, recipients, o, m); err != nil {
		return nil, err
	}
	if d.aad != "" {
		m.AAD = s.keys[len(d.parts)]
	}
	// It has been read before, together with the protected one.
	_ = m.Unprotected.parse(join(d.unprotected, d.parts[m.Recipient].header), o)
	return m, nil
}

// received is a JSON document as it was read; what is absent is empty.
type received struct {
	protected, aad, iv, ciphertext, tag string
	unprotected                         []byte
	parts                               []part
	header                              Header // protected
}

// part is one recipient of a document.
type part struct {
	header       []byte
	encryptedKey string
	joined       Header
}

// set takes a member of a recipient and reports whether it is one.
func (p *part) set(name string, raw []byte) (ok bool, err error) {
	switch name {
	case "header":
		p.header = raw
	case "encrypted_key":
		p.encryptedKey, err = text(raw)
	default:
		return false, nil
	}
	return true, err
}

// text reads a member that is absent where it is empty (RFC 7516, Section 7.2.1).
func text(raw []byte) (string, error) {
	var s string
	if err := strictjson.Unmarshal(raw, &s, strictjson.Limits{Bytes: len(raw)}); err != nil {
		return "", err
	}
	if s == "" {
		return "", errEmpty
	}
	return s, nil
}

func readDocument(data []byte, o Options) (*received, error) {
	if len(data) > o.maxSize() {
		return nil, errTooLarge
	}
	var (
		d                             received
		flat                          part
		isFlat, isSigned, isEncrypted bool
		list                          []byte
	)
	// A hundred members for each recipient that is allowed bound the others too.
	limits := strictjson.Limits{Bytes: len(data), Members: max(1000, 100*o.maxRecipients())}
	err := strictjson.Object(data, limits, func(name string, raw []byte) (err error) {
		switch name {
		case "protected":
			d.protected, err = text(raw)
		case "unprotected":
			d.unprotected = raw
		case "recipients":
			list = raw
		case "aad":
			d.aad, err = text(raw)
		case "iv":
			d.iv, err = text(raw)
		case "ciphertext":
			isEncrypted = true
			// An empty plaintext has an empty ciphertext.
			err = strictjson.Unmarshal(raw, &d.ciphertext, strictjson.Limits{Bytes: len(raw)})
		case "tag":
			d.tag, err = text(raw)
		case "payload", "signature", "signatures":
			isSigned = true
		default:
			var ok bool
			ok, err = flat.set(name, raw)
			isFlat = isFlat || ok
		}
		return err
	})
	switch {
	case err != nil:
		return nil, errMalformed.Wrap(err)
	// RFC 7516, Section 9: what has payload is signed, what has ciphertext encrypted.
	case isSigned:
		return nil, errMalformed.Wrap(errSigned)
	case !isEncrypted:
		return nil, errMalformed.With("it has no ciphertext")
	// RFC 7516, Section 7.2.2: the members of the two forms exclude each other.
	case isFlat && list != nil:
		return nil, errMalformed.With("it is flattened and general at once")
	case list == nil:
		d.parts = []part{flat}
	default:
		if d.parts, err = readRecipients(list, limits, o.maxRecipients()); err != nil {
			return nil, err
		}
	}
	return &d, d.readHeaders(o)
}

// readRecipients reads the recipients array, which is valid JSON.
func readRecipients(raw []byte, l strictjson.Limits, most int) ([]part, error) {
	var list []json.RawMessage
	if err := strictjson.Unmarshal(raw, &list, l); err != nil {
		return nil, errMalformed.Wrap(err)
	}
	if len(list) == 0 {
		return nil, errMalformed.With("it has no recipients")
	}
	if len(list) > most {
		return nil, errTooLarge.With("it has more recipients than the limit")
	}
	parts := make([]part, len(list))
	for i, raw := range list {
		err := strictjson.Object(raw, l, func(name string, raw []byte) error {
			_, err := parts[i].set(name, raw)
			return err
		})
		if err != nil {
			return nil, errMalformed.Wrap(err)
		}
	}
	return parts, nil
}

// readHeaders reads the three headers and, for each recipient, what they are together
// (RFC 7516, Section 5.2, step 4).
func (d *received) readHeaders(o Options) error {
	var protected []byte
	var err error
	if d.protected != "" {
		if protected, err = header.Decode(d.protected, o.maxHeader()); err != nil {
			return err
		}
		if err = d.header.parse(protected, o); err != nil {
			return err
		}
	}
	if err := checkUnprotected(d.unprotected, false, o); err != nil {
		return err
	}
	if err := header.Disjoint(protected, d.unprotected); err != nil {
		return err
	}
	for i := range d.parts {
		p := &d.parts[i]
		if err := checkUnprotected(p.header, len(d.parts) > 1, o); err != nil {
			return err
		}
		for _, other := range [][]byte{protected, d.unprotected} {
			if err := header.Disjoint(other, p.header); err != nil {
				return err
			}
		}
		if err := p.joined.parse(join(protected, d.unprotected, p.header), o); err != nil {
			return err
		}
		if err := p.joined.check(); err != nil {
			return err
		}
		// RFC 7516, Section 7.2.1: it is the same for all.
		if p.joined.Encryption != d.parts[0].joined.Encryption {
			return errHeader.With("enc differs between the recipients")
		}
	}
	return nil
}

// Where members must be protected: always (RFC 7516, Sections 4.1.3 and 4.1.13); unless
// the caller allows more, which is stricter than RFC 7516; and so where there is one
// recipient.
var (
	onlyProtected    = []string{"zip", "crit"}
	commonProtected  = []string{"enc"}
	selfishProtected = []string{"alg", "kid", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c", "ek"}
)

// checkUnprotected refuses an unprotected header, which may be absent, with members
// that must be protected; own says that it is that of one recipient of several.
func checkUnprotected(raw []byte, own bool, o Options) error {
	if raw == nil {
		return nil
	}
	if len(raw) > o.maxHeader() {
		return errTooLarge.With("its unprotected header is over the limit")
	}
	err := strictjson.Object(raw, header.Limits(raw), func(name string, _ []byte) error {
		if slices.Contains(onlyProtected, name) || !o.AllowUnprotectedHeader &&
			(slices.Contains(commonProtected, name) || !own && slices.Contains(selfishProtected, name)) {
			return errUnprotected
		}
		return nil
	})
	if err != nil {
		return errHeader.Wrap(err)
	}
	return nil
}

// join puts the members of objects that have been read, or are absent, into one.
func join(objects ...[]byte) []byte {
	all := []byte{'{'}
	for _, o := range objects {
		if o = bytes.TrimSpace(o); len(o) == 0 {
			continue
		}
		if o = bytes.TrimSpace(o[1 : len(o)-1]); len(o) == 0 {
			continue
		}
		if len(all) > 1 {
			all = append(all, ',')
		}
		all = append(all, o...)
	}
	return append(all, '}')
}
