package jws

import (
	"context"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/jotsuite/jot/internal/b64url"
	"github.com/jotsuite/jot/internal/header"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwk"
)

// Signatory is one of the signers of a JSON document.
type Signatory struct {
	Key         jwk.Signer
	Header      Header // protected
	Unprotected Header // members that Header does not have; never alg, kid, crit or b64
}

// SignJSON returns the flattened form for one signer and the general form for
// several (RFC 7515, Section 7.2). Header.Unencoded is the same for all; then the
// payload is text, and must be UTF-8.
func SignJSON(ctx context.Context, payload []byte, signers ...Signatory) ([]byte, error) {
	d, err := newDocument(signers)
	if err != nil {
		return nil, err
	}
	var text string
	if d.unencoded {
		if !utf8.Valid(payload) {
			return nil, errMalformed.Wrap(errB64Payload)
		}
		text = string(payload)
	} else {
		text = b64url.EncodeToString(payload)
	}
	d.Payload = &text
	for i, s := range signers {
		signature, err := s.Key.Sign(ctx, join(d.Signatures[i].Protected, text))
		if err != nil {
			return nil, err
		}
		d.Signatures[i].Signature = b64url.EncodeToString(signature)
	}
	return d.encode()
}

// SignDetachedJSON is [SignJSON] without a payload member: what is signed is what
// it reads from payload, in one pass for all signers.
func SignDetachedJSON(ctx context.Context, payload io.Reader, signers ...Signatory) ([]byte, error) {
	d, err := newDocument(signers)
	if err != nil {
		return nil, err
	}
	signatures := make([][]byte, len(signers))
	jobs := make([]func(io.Reader) error, len(signers))
	for i, s := range signers {
		jobs[i] = func(r io.Reader) (err error) {
			signatures[i], err = s.Key.SignReader(ctx, signingInput(d.Signatures[i].Protected, r, d.unencoded))
			return err
		}
	}
	results, err := fanOut(ctx, payload, jobs)
	if err != nil {
		return nil, err
	}
	for i, err := range results {
		if err != nil {
			return nil, err
		}
		d.Signatures[i].Signature = b64url.EncodeToString(signatures[i])
	}
	return d.encode()
}

// document is the JSON serialization as it is written.
type document struct {
	Payload    *string             `json:"payload,omitempty"`
	Signatures []documentSignature `json:"signatures"`
	unencoded  bool
}

// flattened is a document with one signature.
type flattened struct {
	Payload   *string           `json:"payload,omitempty"`
	Signature documentSignature `json:",inline"`
}

type documentSignature struct {
	Protected string          `json:"protected"`
	Header    json.RawMessage `json:"header,omitempty"`
	Signature string          `json:"signature"`
}

func newDocument(signers []Signatory) (*document, error) {
	if len(signers) == 0 {
		return nil, errNoSignature
	}
	d := &document{Signatures: make([]documentSignature, len(signers))}
	for i, s := range signers {
		h, protected, encoded, err := s.Header.encode(s.Key)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			d.unencoded = h.Unencoded
		}
		// RFC 7797, Section 3.
		if h.Unencoded != d.unencoded {
			return nil, errHeader.Wrap(errB64Mixed)
		}
		unprotected, err := unprotectedJSON(s.Unprotected, protected)
		if err != nil {
			return nil, err
		}
		d.Signatures[i] = documentSignature{Protected: encoded, Header: unprotected}
	}
	return d, nil
}

// unprotectedJSON writes the unprotected header, or nothing for an empty one, and
// reads it back as a verifier will.
func unprotectedJSON(h Header, protected []byte) ([]byte, error) {
	raw, err := h.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if string(raw) == "{}" {
		return nil, nil
	}
	u, err := parseUnprotected(raw, protected)
	if err != nil {
		return nil, err
	}
	// Its alg is in both headers, which is refused above.
	if u.KeyID != "" {
		return nil, errHeader.Wrap(errUnprotected)
	}
	return raw, nil
}

var (
	encodeFlattened = header.Planned[flattened]()
	encodeGeneral   = header.Planned[document]()
)

func (d *document) encode() ([]byte, error) {
	if len(d.Signatures) == 1 {
		return encodeFlattened().Append(nil, &flattened{d.Payload, d.Signatures[0]})
	}
	return encodeGeneral().Append(nil, d)
}

// VerifyJSON reads the flattened or the general form with its payload inside.
// Members that RFC 7515 does not define are passed over, as it demands. Under
// [Any], signatures that cannot be judged count as those that do not verify.
func VerifyJSON(ctx context.Context, keys jwk.Source, data []byte, o Options) (*Message, error) {
	d, err := readDocument(data, o)
	if err != nil {
		return nil, err
	}
	if d.payload == nil {
		return nil, errMalformed.With("its payload is detached")
	}
	unencoded, err := d.prepare(ctx, keys, o)
	if err != nil {
		return nil, err
	}
	for i := range d.entries {
		if e := &d.entries[i]; e.Err == nil {
			e.verify(join(e.prefix, *d.payload))
		}
	}
	m, err := conclude(d.entries, o)
	if err != nil {
		return nil, err
	}
	if unencoded {
		m.Payload = []byte(*d.payload)
		return m, nil
	}
	if m.Payload, err = b64url.DecodeString(*d.payload); err != nil {
		return nil, errMalformed.Wrap(err)
	}
	return m, nil
}

// VerifyDetachedJSON is [VerifyJSON] for a document without a payload member; see
// [VerifyDetached].
func VerifyDetachedJSON(ctx context.Context, keys jwk.Source, data []byte, payload io.Reader, o Options) (*Message, error) {
	d, err := readDocument(data, o)
	if err != nil {
		return nil, err
	}
	// RFC 7515, Appendix F: an empty payload is not an absent one.
	if d.payload != nil {
		return nil, errMalformed.With("its payload is not detached")
	}
	unencoded, err := d.prepare(ctx, keys, o)
	if err != nil {
		return nil, err
	}
	if err := stream(ctx, d.entries, payload, unencoded); err != nil {
		return nil, err
	}
	return conclude(d.entries, o)
}

// received is a JSON document as it was read.
type received struct {
	payload *string
	parts   []part
	entries []entry
}

// part is one signature of a document; nil members are absent.
type part struct {
	protected, signature *string
	header               []byte
}

// set takes a member of a signature and reports whether it is one.
func (p *part) set(name string, raw []byte) (ok bool, err error) {
	switch name {
	case "protected":
		p.protected, err = text(raw)
	case "signature":
		p.signature, err = text(raw)
	case "header":
		p.header = raw
	default:
		return false, nil
	}
	return true, err
}

func text(raw []byte) (*string, error) {
	var s string
	if err := strictjson.Unmarshal(raw, &s, strictjson.Limits{Bytes: len(raw)}); err != nil {
		return nil, err
	}
	return &s, nil
}

func readDocument(data []byte, o Options) (*received, error) {
	if len(data) > o.maxSize() {
		return nil, errTooLarge
	}
	var (
		d          received
		flat       part
		isFlat     bool
		signatures []byte
	)
	// A hundred members for each signature that is allowed bound the others too.
	limits := strictjson.Limits{Bytes: len(data), Members: max(1000, 100*o.maxSignatures())}
	err := strictjson.Object(data, limits, func(name string, raw []byte) (err error) {
		switch name {
		case "payload":
			d.payload, err = text(raw)
		case "signatures":
			signatures = raw
		default:
			var ok bool
			ok, err = flat.set(name, raw)
			isFlat = isFlat || ok
		}
		return err
	})
	if err != nil {
		return nil, errMalformed.Wrap(err)
	}
	switch {
	// RFC 7515, Section 7.2.2: the members of the two forms exclude each other.
	case isFlat && signatures != nil:
		return nil, errMalformed.With("it is flattened and general at once")
	case isFlat:
		d.parts = []part{flat}
	default:
		if d.parts, err = readSignatures(signatures, limits, o.maxSignatures()); err != nil {
			return nil, err
		}
	}
	for _, p := range d.parts {
		if p.signature == nil {
			return nil, errMalformed.Wrap(errNoSignature)
		}
	}
	return &d, nil
}

// readSignatures reads the signatures array, which is valid JSON or absent.
func readSignatures(raw []byte, l strictjson.Limits, most int) ([]part, error) {
	var list []json.RawMessage
	if raw != nil {
		if err := strictjson.Unmarshal(raw, &list, l); err != nil {
			return nil, errMalformed.Wrap(err)
		}
	}
	if len(list) == 0 {
		return nil, errMalformed.Wrap(errNoSignature)
	}
	if len(list) > most {
		return nil, errTooLarge.With("it has more signatures than the limit")
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

// prepare makes the entries: header, crit, keys. What concerns one signature is
// its own error; only what concerns all is returned.
func (d *received) prepare(ctx context.Context, keys jwk.Source, o Options) (unencoded bool, err error) {
	d.entries = make([]entry, len(d.parts))
	known := false
	for i, p := range d.parts {
		e := &d.entries[i]
		if e.Err = e.read(p, o); e.Err != nil {
			continue
		}
		// RFC 7797, Section 3.
		if known && e.Header.Unencoded != unencoded {
			return false, errHeader.Wrap(errB64Mixed)
		}
		unencoded, known = e.Header.Unencoded, true
	}
	for i, p := range d.parts {
		if e := &d.entries[i]; e.Err == nil {
			e.Err = e.prepare(ctx, keys, *p.signature, o)
		}
	}
	return unencoded, nil
}

// read reads the two headers of one signature.
func (e *entry) read(p part, o Options) error {
	var protected []byte
	if p.protected != nil {
		var err error
		if protected, err = header.Decode(*p.protected, o.maxHeader()); err != nil {
			return err
		}
		if e.Header, err = parseProtected(protected, o); err != nil {
			return err
		}
		e.prefix = *p.protected
	}
	if p.header != nil {
		if len(p.header) > o.maxHeader() {
			return errTooLarge.With("its unprotected header is over the limit")
		}
		var err error
		if e.Unprotected, err = parseUnprotected(p.header, protected); err != nil {
			return err
		}
	}
	if o.AllowUnprotectedHeader {
		return header.CheckAlgorithm(either(e.Header.Algorithm, e.Unprotected.Algorithm), "sig")
	}
	// Stricter than RFC 7515, which lets both be anywhere: what selects the key and
	// the algorithm is signed.
	if e.Unprotected.Algorithm != "" || e.Unprotected.KeyID != "" {
		return errHeader.Wrap(errUnprotected)
	}
	return header.CheckAlgorithm(e.Header.Algorithm, "sig")
}

// parseUnprotected reads an unprotected header beside a protected one, which is
// nil where there is none.
func parseUnprotected(raw, protected []byte) (Header, error) {
	h, m, err := parse(raw)
	if err != nil {
		return Header{}, err
	}
	// RFC 7515, Section 4.1.11 and RFC 7797, Section 3.
	if m.Critical != nil || m.B64 != nil {
		return Header{}, errHeader.Wrap(errUnprotected)
	}
	return h, header.Disjoint(protected, raw)
}
