package jwt

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/jotsuite/jot/internal/alias"
	"github.com/jotsuite/jot/internal/compact"
	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwe"
	"github.com/jotsuite/jot/jose/jwk"
)

// Decryption says how nested tokens are decrypted: signed tokens that were encrypted
// (RFC 7519, Section 11.2). What encrypts them proves nothing of their sender, since
// anyone can have a public key; the token inside must be signed and meet all of the
// [Policy].
type Decryption struct {
	// Keys are those to decrypt with: a jwk.DecryptionSet, or another source that is
	// asked for each token.
	Keys jwk.DecryptionSource
	// Algorithms and Encryptions narrow those of the keys. Empty accepts what the keys do.
	Algorithms  []jwa.Algorithm
	Encryptions []jwa.Encryption
	// MaxNesting is how many tokens may be one in another, the signed one included. Zero
	// means 2, which is the least; at most 5.
	MaxNesting int
}

const (
	defaultNesting = 2
	maxNesting     = 5
)

// normalize is Policy.normalize for this part of it.
func (d Decryption) normalize() (*Decryption, error) {
	switch {
	case d.Keys == nil:
		return nil, errPolicy.With("Decryption has no Keys")
	case slices.Contains(d.Algorithms, jwa.Algorithm{}):
		return nil, errPolicy.With("the zero algorithm in Decryption.Algorithms")
	case slices.Contains(d.Encryptions, jwa.Encryption{}):
		return nil, errPolicy.With("the zero encryption in Decryption.Encryptions")
	case d.MaxNesting != 0 && (d.MaxNesting < defaultNesting || d.MaxNesting > maxNesting):
		return nil, errPolicy.With("MaxNesting is not from 2 to 5")
	}
	if set, ok := d.Keys.(jwk.DecryptionSet); ok {
		if slices.Contains(set, nil) {
			return nil, errPolicy.With("a key of the DecryptionSet is nil")
		}
		d.Keys = slices.Clone(set)
	}
	if d.MaxNesting == 0 {
		d.MaxNesting = defaultNesting
	}
	d.Algorithms = slices.Clone(d.Algorithms)
	d.Encryptions = slices.Clone(d.Encryptions)
	return &d, nil
}

// layer is one encryption around a signed token.
type layer struct {
	encoded string // the header
	extra   map[string]json.RawMessage
	key     jwk.Decrypter
}

func (l *layer) header() jwe.Header {
	h, _ := jwe.ParseHeader(l.encoded, jwe.Options{}) // it has been read before
	return h
}

// decrypt takes the layers off and returns what is inside, which should be a signed token.
func (v *Verifier[C]) decrypt(ctx context.Context, raw string) (signed string, layers []layer, err error) {
	// RFC 7516, Section 9: the number of parts tells them apart.
	if strings.Count(raw, ".") == 2 {
		return "", nil, reject(errSigned)
	}
	d := v.policy.Decryption
	for {
		parts, err := compact.Split5(raw, v.policy.MaxSize)
		if err != nil {
			return "", nil, reject(err)
		}
		h, err := jwe.ParseHeader(parts[0], v.decryption)
		if err == nil {
			err = v.enclosing(&h)
		}
		if err != nil {
			for _, p := range parts {
				if !compact.Alphabet(p) {
					err = compact.Refine(p, err)
				}
			}
			return "", nil, reject(err)
		}
		m, err := jwe.Decrypt(ctx, d.Keys, raw, v.decryption)
		if err != nil {
			return "", nil, refusal(err)
		}
		layers = append(layers, layer{strings.Clone(parts[0]), h.Extra, m.Key})

		raw = alias.String(m.Plaintext)
		if strings.Count(raw, ".") != 4 {
			return raw, layers, nil
		}
		// It, and the signed one in it.
		if len(layers)+2 > d.MaxNesting {
			return "", nil, reject(errDepth)
		}
	}
}

// enclosing refuses the header of an encrypted token that does not say that there is a
// token in it, or that it is one of another type.
func (v *Verifier[C]) enclosing(h *jwe.Header) error {
	// RFC 8725, Section 3.11: the type is that of the token inside; here it may be repeated.
	if h.Type != "" && !compact.SameType(h.Type, "JWT") && !compact.SameType(h.Type, v.policy.Type) {
		return errType.With("the encrypted token has a typ that the policy does not name")
	}
	// RFC 7519, Section 5.2.
	if !compact.SameType(h.ContentType, "JWT") {
		return errCty
	}
	return nil
}

// refusal is that of a token, unless err is about something else.
func refusal(err error) error {
	if fault.CodeOf(err) == "" {
		return err
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return reject(several.Unwrap()...)
	}
	return reject(err)
}

// replicas compares the claims that headers show with those that are signed.
func (v *Verifier[C]) replicas(layers []layer, signed *Registered) (refusals []*ClaimError) {
	for _, l := range layers {
		for _, name := range registered {
			raw, ok := l.extra[name]
			if !ok {
				continue
			}
			// What is written over itself does not change.
			r := *signed
			r.Audience = slices.Clone(r.Audience)
			object := slices.Concat([]byte(`{"`+name+`":`), raw, []byte{'}'})
			if err := strictjson.Unmarshal(object, &r, v.limits); err != nil || !reflect.DeepEqual(&r, signed) {
				refusals = append(refusals, claimError(errReplica, name, string(raw), "in the header what is signed"))
			}
		}
	}
	return refusals
}

// Recipient is for whom [SignEncrypted] encrypts.
type Recipient struct {
	Key jwk.Encrypter
	// Encryption is how the token is encrypted. Zero is the key's first, or A256GCM for a
	// key of any.
	Encryption jwa.Encryption
	// Header is that of the encrypted token. Its cty is JWT, its alg, enc and kid are the
	// key's; its typ may repeat that of the signed token. All else of it is written as it is.
	Header jwe.Header
	// Replicate names claims that the header shows to everyone, for those who must route
	// a token that they cannot read: iss, sub and aud (RFC 7519, Section 5.3).
	Replicate []string
}

// SignEncrypted makes a nested token: what [Sign] makes of key, h, r and claims,
// encrypted for a recipient. It refuses what Sign and [jwe.Encrypt] refuse, a cty that
// is not JWT, a typ of the recipient's header that is neither JWT nor h.Type, and
// registered claims in that header that are not there by Replicate.
func SignEncrypted[C any](ctx context.Context, key jwk.Signer, to Recipient, h Header, r Registered, claims C, opts ...SignOption) (string, error) {
	outer, err := to.header(h.Type, &r)
	if err != nil {
		return "", err
	}
	// Before the key signs, which may be far away.
	if _, err := outer.For(to.Key, to.Encryption); err != nil {
		return "", err
	}
	signed, err := Sign(ctx, key, h, r, claims, opts...)
	if err != nil {
		return "", err
	}
	return jwe.Encrypt(ctx, to.Key, to.Encryption, outer, alias.Bytes(signed))
}

// header returns the header of the encrypted token, of what the key does not know.
func (to *Recipient) header(typ string, r *Registered) (jwe.Header, error) {
	h := to.Header
	switch {
	// RFC 7519, Section 5.2; upper case is for old readers.
	case h.ContentType != "" && !compact.SameType(h.ContentType, "JWT"):
		return jwe.Header{}, errCty
	case h.Type != "" && !compact.SameType(h.Type, "JWT") && !compact.SameType(h.Type, typ):
		return jwe.Header{}, errType.With("the recipient's header has a typ that is not the signed token's")
	}
	h.ContentType = "JWT"
	for _, name := range registered {
		if _, ok := h.Extra[name]; ok {
			return jwe.Header{}, errCollide.With("it is in the recipient's header: name it in Replicate")
		}
	}
	if len(to.Replicate) == 0 {
		return h, nil
	}
	h.Extra = maps.Clone(h.Extra)
	if h.Extra == nil {
		h.Extra = make(map[string]json.RawMessage)
	}
	for _, name := range to.Replicate {
		var value any
		switch name {
		case "iss":
			value = r.Issuer
		case "sub":
			value = r.Subject
		case "aud":
			value = r.Audience
		default:
			return jwe.Header{}, errClaims.With("only iss, sub and aud can be replicated")
		}
		if r.lacks(name) {
			return jwe.Header{}, claimError(missing(name), name, "", "the claim that is to be replicated")
		}
		h.Extra[name], _ = json.Marshal(value) // strings always have JSON
	}
	return h, nil
}
